-- SPDX-License-Identifier: MIT
--
-- kernels.lua - kernels of a module, compiled ahead of time from examples/lua/module.lua, in
-- LuaJIT.
--   cnsengine build examples/lua/module.lua -o kernels.cnsb
--   eval "$(./dev env)"; luajit examples/luajit/kernels.lua kernels.cnsb
local cns = require("cns")

local kernels = cns.kernels(assert(arg[1], "which module? kernels.cnsb"))

local COUNT = 1000
local x, y = cns.buffer("f64", COUNT), cns.buffer("f64", COUNT)
for i = 0, COUNT - 1 do
    x.data[i], y.data[i] = i, 1
end
kernels.saxpy(2.0, x, y)
assert(y.data[10] == 21)
print("saxpy takes " .. kernels.saxpy:signatures())

x:fill(1)
y:fill(0)
print(("%d of %d springs are at rest"):format(kernels.springs(x, y, 20000, 0.01), COUNT))

-- Errors are those of the Lua function, with its line.
local short = cns.buffer("f64", 10)
local ok, why = pcall(kernels.saxpy, 2.0, x, short)
assert(not ok and why:find("index 11 out of range 1..10", 1, true), why)
print(why)
