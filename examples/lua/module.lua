-- SPDX-License-Identifier: MIT
--
-- module.lua - kernels for a module of bytecode, which Lua, LuaJIT and C load without this script:
--   cnsengine build examples/lua/module.lua -o kernels.cnsb
--   luajit examples/luajit/kernels.lua kernels.cnsb

local function saxpy(a, x, y)
    for i = 1, #x do
        y[i] = a * x[i] + y[i]
    end
end

-- Of a damped spring for each pair; how many came to rest.
local damping <const>, rest = 0.1, 1e-3 -- numbers from outside become constants of the module

local function springs(x, v, steps, dt)
    local resting = 0
    for i = 1, #x do
        local place, speed = x[i], v[i]
        for _ = 1, steps do
            speed = speed - (place + damping * speed) * dt
            place = place + speed * dt
        end
        x[i], v[i] = place, speed
        if math.abs(place) < rest and math.abs(speed) < rest then
            resting = resting + 1
        end
    end
    return resting
end

return {
    saxpy = {saxpy, "f64, f64[], f64[]", "f64, f32[], f32[]"},
    springs = {springs, "f64[], f64[], i64, f64"},
}
