-- SPDX-License-Identifier: MIT
--
-- test_native.lua - machine code against the scalar VM, to the bit: results, errors, what is left
-- in the buffers. Skipped where there is no native backend.

local cns = require "cns"

local function there_is_native()
    return (pcall(cns.jit(function(a) return a end, {tier = "native"}), 1))
end

local function show(value)
    if math.type(value) == "float" then
        return value ~= value and "nan" or ("float %a"):format(value)
    end
    return tostring(value)
end

local function outcome(kernel, arguments)
    local copies = {}
    for i, value in ipairs(arguments) do
        copies[i] = type(value) == "userdata" and cns.buffer(value:type(), value:table()) or value
    end
    local results, text = table.pack(pcall(kernel, table.unpack(copies))), {}
    for i = 1, results.n do
        text[i] = show(results[i])
    end
    for _, value in ipairs(copies) do
        if type(value) == "userdata" then
            text[#text + 1] = value:bytes()
        end
    end
    return table.concat(text, ", ")
end

-- In machine code, with the optimiser and without, as in the scalar VM.
local function compare(t, f, ...)
    local expected = outcome(cns.jit(f, {tier = "scalar", optimise = false}), {...})
    for _, optimise in ipairs {true, false} do
        local kernel <close> = cns.jit(f, {tier = "native", optimise = optimise})
        t.ok(outcome(kernel, {...}) == expected, "another outcome than in the VM")
        t.equal(kernel:tier(), "native")
    end
end

local function ramp(kind, count, f)
    local buffer = cns.buffer(kind, count)
    for i = 1, count do
        buffer[i] = f(i)
    end
    return buffer
end

local function forks(test)
    test("loops over cns.prange", function(t)
        local function sums(x, y)
            local s, n, bits = 0.0, 0, 0
            for i in cns.prange(#x) do
                local v = x[i]
                y[i] = v * 2 + math.sin(v)
                s = s + v
                n = n + i
                bits = bits ~ (i * 7)
            end
            return s, n, bits
        end
        for _, size in ipairs {0, 1, 2, 255, 4096, 100001} do
            local x = ramp("f64", size, function(i) return 1 / i end)
            compare(t, sums, x, cns.buffer("f64", size))
        end
    end)

    test("steps, nests, types and values that are passed to a fork", function(t)
        compare(t, function(x, a, flag, last)
            for i in cns.prange(last, 1, -2) do
                if flag then x[i] = x[i] + a end
            end
        end, ramp("i32", 20000, function(i) return i end), 3, true, 19999)
        compare(t, function(x, w, h)
            for j in cns.prange(0, h - 1) do
                for i = 1, w do x[j * w + i] = i ~ j end
            end
        end, cns.buffer("i64", 300 * 200), 300, 200)
        compare(t, function(x, w, h)
            local n = 0
            for j in cns.prange(h) do
                for i in cns.prange(w) do n = n + x[i] * j end
            end
            return n
        end, ramp("u16", 3000, function(i) return i & 0xfff end), 3000, 40)
    end)

    test("the error of the lowest iteration of a fork", function(t)
        local function divide(x, y)
            for i in cns.prange(#x) do
                local _ = x[i] // y[i]
            end
        end
        local y = ramp("i32", 100000, function() return 1 end)
        y[77777], y[33333] = 0, 0
        compare(t, divide, cns.buffer("i32", 100000), y)
        compare(t, divide, cns.buffer("i32", 100000), ramp("i32", 50000, function() return 3 end))
    end)
end

local function loops(test)
    test("loops that are vectorised and those that must not be", function(t)
        local u = ramp("f64", 1003, function(i) return math.sin(i) end)
        local v = ramp("f64", 1003, function(i) return i / 3 end)
        compare(t, function(x, y) for i = 1, #x do y[i] = 0.3 * x[i] + y[i] end end, u, v)
        compare(t, function(x, y)
            local s = 0.0
            for i = 1, #x do s = s + x[i] * y[i] end
            return s
        end, u, v)
        compare(t, function(x) for i = 2, #x do x[i] = x[i - 1] + x[i] end end, u)
        compare(t, function(x) for i = 5, #x do x[i] = x[i - 4] * 0.5 end end, u)
        compare(t, function(x, y) for i = 2, #x - 1 do y[i] = x[i - 1] + x[i + 1] end end, u, v)
        compare(t, function(x, y) for i = 1, #x do y[i + 7] = x[i] end end, u, v)
    end)
end

return function(test)
    if not there_is_native() then
        test("machine code", function(t) t.skip("no native backend") end)
        return
    end
    forks(test)
    loops(test)
end
