-- SPDX-License-Identifier: MIT
--
-- particles.lua - a million particles outside the garbage collector, stepped by LuaJIT's compiler.
--   eval "$(./dev env)"; luajit examples/luajit/particles.lua
local cns = require("cns")

local COUNT, STEPS, DT = 100000, 10, 0.01

local particles = cns.columns({{"x", "f64"}, {"v", "f64"}})
particles:append(COUNT)
local x, v = particles:data("x"), particles:data("v")
for i = 0, COUNT - 1 do
    v[i] = i
end
for _ = 1, STEPS do
    for i = 0, COUNT - 1 do
        x[i] = x[i] + v[i] * DT
    end
end
local expected = (COUNT - 1) * STEPS * DT
assert(math.abs(x[COUNT - 1] - expected) < 1e-6)
print(("%d particles, last one at %.2f, %d bytes held"):format(COUNT, x[COUNT - 1],
    cns.memory().held))
