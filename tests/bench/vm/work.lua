-- SPDX-License-Identifier: MIT
--
-- work.lua - what bench_vm.lua times: the kernels with their sizes and inputs. Lua 5.1 to 5.4 and
-- LuaJIT. An argument is a number or describes an array, whose element i (from 1) is a formula in
-- integers below 2^53, so that every language makes the same ones.

local work = {}

-- Mixes i and salt into 0..1000002.
function work.mix(i, salt)
    local m = (i * 7919 + salt * 104729) % 1000003
    return m * m % 1000003
end

-- mix % modulo * scale + add
local function numbers(kind, n, salt, modulo, scale, add)
    return {kind = kind, n = n, form = "mix", salt = salt, modulo = modulo, scale = scale or 1,
        add = add or 0}
end

local function unit(n, salt) -- 0.0 to 1.0
    return numbers("f64", n, salt, 1000003, 1 / 1000003)
end

local function zeros(kind, n)
    return numbers(kind, n, 0, 1)
end

local function words(n)
    return {kind = "i64", n = n, form = "word", salt = 3, modulo = 0, scale = 0, add = 0}
end

-- Stage s is followed by two of the 64 stages after it; the last 64 by none.
local function first(n)
    return {kind = "u32", n = n + 1, form = "first", salt = 2 * (n - 64) + 1, modulo = 0,
        scale = 0, add = 0}
end

local function followers(n)
    return {kind = "u32", n = 2 * (n - 64), form = "follower", salt = 5, modulo = 0, scale = 0,
        add = 0}
end

---Element i of an array, in plain Lua; peers that need speed repeat it.
function work.element(d, i)
    local mix = work.mix
    if d.form == "mix" then
        return mix(i, d.salt) % d.modulo * d.scale + d.add
    elseif d.form == "word" then
        return mix(i, d.salt) % 9 + mix(i, d.salt + 1) % 4 * 256 + mix(i, d.salt + 2) % 4 * 16777216
    elseif d.form == "first" then
        return math.min(2 * i - 1, d.salt)
    end
    return (i - i % 2) / 2 + i % 2 + 1 + mix(i, d.salt) % 64
end

-- Each: name; elements when it fits into the L2 cache, and in memory (nil: it makes no sense);
-- calls a round; arguments; which of them are the answer, besides what is returned; the call with
-- C's order of arguments; how much gcc's answer may differ, relatively, since it fuses a * b + c
-- (1e-9). parallel: the iterations do not depend on each other; divergent: they go different ways.
work.cases = {
    {"saxpy", 32768, 10000000, 100, out = {3}, parallel = true,
        args = function(n) return {0.5, unit(n, 1), unit(n, 2)} end,
        low = function(f, n, a) return f(n, a[1], a[2], a[3]) end},
    {"dot", 32768, 10000000, 100, out = {},
        args = function(n) return {unit(n, 1), unit(n, 2)} end,
        low = function(f, n, a) return f(n, a[1], a[2]) end},
    {"sum", 65536, 20000000, 50, out = {},
        args = function(n) return {unit(n, 1)} end,
        low = function(f, n, a) return f(n, a[1]) end},
    {"prefix_sum", 32768, 10000000, 100, out = {2},
        args = function(n) return {unit(n, 1), unit(n, 2)} end,
        low = function(f, n, a) return f(n, a[1], a[2]) end},
    {"stencil3", 32768, 10000000, 100, out = {2}, parallel = true,
        args = function(n) return {unit(n, 1), unit(n, 2)} end,
        low = function(f, n, a) return f(n, a[1], a[2]) end},
    {"stencil2d", 181, 3200, 100, out = {2}, parallel = true,
        args = function(n) return {unit(n * n, 1), unit(n * n, 2), n, n} end,
        low = function(f, n, a) return f(a[1], a[2], n, n) end},
    {"matmul", 128, nil, 1, out = {3}, parallel = true,
        args = function(n) return {unit(n * n, 1), unit(n * n, 2), unit(n * n, 3), n} end,
        low = function(f, n, a) return f(a[1], a[2], a[3], n) end},
    {"spectral_norm", 200, nil, 2, out = {1},
        args = function(n) return {unit(n, 1), unit(n, 2), unit(n, 3), 2} end,
        low = function(f, n, a) return f(n, a[1], a[2], a[3], 2) end},
    {"mandelbrot", 128, nil, 1, out = {1}, parallel = true, divergent = true, tolerance = 1e-3,
        args = function(n) return {zeros("i32", n * n), n, n, 200, -2.0, -1.25, 2.5 / n} end,
        low = function(f, n, a) return f(a[1], n, n, 200, -2.0, -1.25, 2.5 / n) end},
    {"black_scholes", 16384, 3000000, 2, out = {6, 7}, parallel = true, divergent = true,
        args = function(n)
            return {numbers("f64", n, 1, 9001, 0.01, 10), numbers("f64", n, 2, 9001, 0.01, 10),
                numbers("f64", n, 3, 301, 0.01, 0.1), 0.05, 0.3, zeros("f64", n), zeros("f64", n)}
        end,
        low = function(f, n, a)
            return f(n, a[1], a[2], a[3], 0.05, 0.3, a[6], a[7])
        end},
    {"nbody", 200, nil, 5, out = {1, 5},
        args = function(n)
            return {unit(n, 1), unit(n, 2), unit(n, 3), unit(n, 4), unit(n, 5), unit(n, 6),
                unit(n, 7), 1e-6, 2}
        end,
        low = function(f, n, a)
            return f(n, a[1], a[2], a[3], a[4], a[5], a[6], a[7], 1e-6, 2)
        end},
    {"histogram", 65536, 120000000, 20, out = {2},
        args = function(n) return {numbers("u8", n, 1, 256), zeros("i64", 256)} end,
        low = function(f, n, a) return f(n, a[1], a[2]) end},
    {"sieve", 500000, 120000000, 2, out = {1},
        args = function(n) return {zeros("u8", n)} end,
        low = function(f, n, a) return f(n, a[1]) end},
    {"fnv1a64", 500000, 120000000, 2, out = {},
        args = function(n) return {numbers("u8", n, 1, 256)} end,
        low = function(f, n, a) return f(n, a[1]) end},
    {"validate", 65536, 30000000, 10, out = {4}, parallel = true,
        args = function(n)
            return {numbers("u8", 6, 1, 3, 1, 1), numbers("i32", 6, 2, 1000),
                numbers("i32", n, 3, 1000), zeros("i64", 6)}
        end,
        low = function(f, n, a) return f(6, a[1], a[2], n, a[3], a[4]) end},
    {"range_matrix", 16384, 7000000, 10, out = {4}, parallel = true,
        args = function(n)
            return {numbers("i32", n, 1, 1000), numbers("i32", 16, 2, 500),
                numbers("i32", 16, 3, 500, 1, 400), zeros("u8", 16 * n)}
        end,
        low = function(f, n, a) return f(n, a[1], 16, a[2], a[3], a[4]) end},
    {"split_triples", 98304, 30000000, 20, out = {2, 3, 4}, parallel = true,
        args = function(n)
            local m = (n - n % 3) / 3
            return {numbers("i32", n, 1, 3), zeros("i32", m), zeros("i32", m), zeros("i32", m)}
        end,
        low = function(f, n, a) return f(n, a[1], a[2], a[3], a[4]) end},
    {"peephole", 32768, 10000000, 10, out = {2},
        args = function(n) return {words(n), zeros("i64", n)} end,
        low = function(f, n, a) return f(n, a[1], a[2]) end},
    {"dispatch", 65536, 25000000, 10, out = {6},
        args = function(n)
            return {numbers("u8", n, 1, 32), numbers("i32", n, 2, 2000, 1, -1000),
                numbers("u8", 32, 3, 17), numbers("u8", 16, 4, 4, 1, 1),
                numbers("u16", 16, 5, 64, 1, 1), zeros("i64", 64)}
        end,
        low = function(f, n, a) return f(n, a[1], a[2], a[3], a[4], a[5], a[6]) end},
    {"first_fit", 16384, nil, 2, out = {4},
        args = function(n)
            return {numbers("i32", n, 1, 90, 1, 10), numbers("i64", 64, 2, 1000000),
                numbers("i64", 64, 3, 100, 30, 10), zeros("i64", n)}
        end,
        low = function(f, n, a) return f(n, a[1], 64, a[2], a[3], a[4]) end},
    {"pipeline_order", 32768, 6000000, 5, out = {4},
        args = function(n)
            return {first(n), followers(n), zeros("i32", n), zeros("u32", n)}
        end,
        low = function(f, n, a) return f(n, a[1], 2 * (n - 64), a[2], a[3], a[4]) end},
    {"handler_code", 20000, 3000000, 10, out = {3, 4},
        args = function(n)
            return {numbers("u8", n, 1, 4, 1, 1), numbers("u16", n, 2, 60000),
                zeros("i64", 5 * n), zeros("u32", n)}
        end,
        low = function(f, n, a) return f(n, a[1], a[2], a[3], a[4]) end},
}

for _, case in ipairs(work.cases) do
    case.name, case.l2, case.dram, case.calls = case[1], case[2], case[3], case[4]
    work.cases[case.name] = case
end

---The types of a kernel's arguments, as `compile` takes them. Lua 5.4 only, where 1 is no float.
function work.types_of(case)
    local types = {}
    for i, d in ipairs(case.args(case.l2)) do
        types[i] = type(d) == "table" and d.kind .. "[]"
            or math.type(d) == "integer" and "i64" or "f64"
    end
    return types
end

---The answer as one float: what was returned and about 10000 elements of the arrays that were
---written, weighted. `at(array, i)` is element i from 1.
function work.checksum(case, arguments, descriptions, returned, at)
    local s = returned or 0
    for _, which in ipairs(case.out) do
        local n = descriptions[which].n
        local stride = 1 + (n - n % 10000) / 10000
        local i = 1
        while i <= n do
            s = s + (at(arguments[which], i) + 0.0) * (i % 7 + 1)
            i = i + stride
        end
    end
    return s
end

---Answers the driver's requests, one a line: "NAME SIZE CALLS" is answered by the nanoseconds of
---so many calls and the checksum, anything else by `other`. Inputs are kept while name and size
---stay; prepare(case, size) gives run(calls) -> returned and sum(returned); now() is in ns.
function work.serve(prepare, now, other)
    local current
    local run, sum
    for line in io.lines() do
        local name, size, calls = line:match("^(%S+) (%d+) (%d+)$")
        if name then
            if current ~= name .. size then
                current = name .. size
                run, sum = prepare(work.cases[name], tonumber(size))
                collectgarbage()
            end
            local began = now()
            local returned = run(tonumber(calls))
            local spent = now() - began
            print(("%d %.17g"):format(spent, sum(returned)))
        else
            print(other and other(line) or "unknown")
        end
        io.stdout:flush()
    end
end

return work
