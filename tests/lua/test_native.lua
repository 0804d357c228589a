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

local function remarks(test)
    test("explain says which loops are vectorised, and why others are not", function(t)
        local wide
        local function said(f, options, ...)
            local kernel <close> = cns.jit(f, options)
            kernel:compile(...)
            wide = wide or kernel:asm():find("%%[yz]mm") ~= nil -- AVX2 or better
            return kernel:explain():match("in native code.*")
        end
        local function dot(x, y)
            local s = 0.0
            for i = 1, #x do s = s + x[i] * y[i] end
            return s
        end
        local strict = said(dot, {tier = "native"}, "f64[]", "f64[]")
        t.ok(strict:find("not vectorised: floats .* in the order of the iterations"), strict)
        local loose = said(dot, {tier = "native", reassoc = true}, "f64[]", "f64[]")
        t.ok(loose:find(" vectorised: by LLVM") and not loose:find("not vectorised"), loose)
        local scatter = said(function(x, h)
            for i = 1, #x do h[x[i]] = i end
        end, {tier = "native"}, "u8[]", "i64[]")
        t.ok(scatter:find("not vectorised: an index is checked"), scatter)
        local groups = said(function(x)
            for i = 1, #x do
                local v = x[i]
                while v > 1 do v = v * 0.5 end
                x[i] = v
            end
        end, {tier = "native"}, "f64[]")
        t.equal(groups:find("vectorised: iterations run in groups", 1, true) ~= nil, wide, groups)
    end)
end

-- Loops whose iterations part ways run in groups, each lane under a mask.
local function groups(test)
    test("iterations that take different numbers of steps", function(t)
        local function mandelbrot(out, w, h, limit)
            for y = 0, h - 1 do
                for x = 0, w - 1 do
                    local cr, ci = -2.0 + 3.0 * x / w, -1.0 + 2.0 * y / h
                    local zr, zi, n = 0.0, 0.0, 0
                    while n < limit do
                        local a, b = zr * zr, zi * zi
                        if a + b > 4.0 then break end
                        zi = 2.0 * zr * zi + ci
                        zr = a - b + cr
                        n = n + 1
                    end
                    out[y * w + x + 1] = n
                end
            end
        end
        for _, w in ipairs {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 100} do
            compare(t, mandelbrot, cns.buffer("i32", w * 5), w, 5, 100)
        end
        -- An element that is too small, in the middle of a row; and a buffer that is too short.
        compare(t, mandelbrot, cns.buffer("i8", 40 * 20), 40, 20, 300)
        compare(t, mandelbrot, cns.buffer("i32", 777), 40, 20, 50)
        compare(t, mandelbrot, cns.buffer("f32", 40 * 20), 40, 20, 0)
    end)

    test("inner loops: counted, by lane or for all, left early, in each other", function(t)
        local xs = ramp("f64", 200, function(i) return math.sin(i) * 10 end)
        local ns = ramp("i16", 200, function(i) return i * 7 % 23 end)
        local results = cns.buffer("f64", 200)
        compare(t, function(x, out)
            for i = 1, #out do
                local s = 0.0
                for j = 1, #x do s = s + x[j] / (i + j) end
                out[i] = s
            end
        end, xs, results)
        compare(t, function(x, n, out)
            for i = 1, #out do
                local s = 1.0
                for j = 1, n[i] do s = s * x[j] + i end
                out[i] = s
            end
        end, xs, ns, results)
        compare(t, function(x, n, out)
            for i = 1, #out do
                local s, k = 0.0, 0
                for j = i, #x do
                    if x[j] < -5.0 then goto done end
                    local m = n[j]
                    while m > 0 do
                        m = m // 2
                        if m == 3 then break end
                        s = s + x[j] * m
                    end
                    k = k + 1
                end
                s = s * 2
                ::done::
                out[i] = s + k
            end
        end, xs, ns, results)
        compare(t, function(x, out)
            for i = #out, 1, -1 do
                local s, j = x[i], 1
                repeat
                    s = s * 0.75 + j
                    j = j + 1
                until s > 20 or j > 30
                if s > 25 then out[i] = s elseif j > 20 then out[i] = -s end
            end
        end, xs, results)
    end)

    test("several ways out of a loop, with values that are used behind it", function(t)
        local xs = ramp("f64", 101, function(i)
            return i % 5 == 0 and 0 / 0 or i * 7919 % 1000 / 3
        end)
        local function halve(x, out)
            for i = 1, #x do
                local v, last, n = x[i], 0.0, 0
                while v > 1.0 do
                    v, n = v * 0.5, n + 1
                    if n > 7 then
                        last = v
                        break
                    end
                    if v > 3.0 and v < 3.5 then
                        last = -v
                        goto out
                    end
                end
                last = last + 0.25
                ::out::
                out[i] = v + last * n
            end
        end
        for _, kind in ipairs {"f64", "f32"} do
            compare(t, halve, xs, cns.buffer(kind, 101))
        end
        compare(t, function(x, out)
            for i = 1, #x do
                local v, n = x[i], 0
                while v > 1.0 do
                    local k = v
                    while k > 10.0 do k, n = k * 0.25, n + 1 end
                    v = v - k
                end
                for _ = 1, 10 do v = v * 1.1 + n end
                out[i] = v
            end
        end, xs, cns.buffer("f64", 101))
    end)

    test("rows of short elements, whole and in part", function(t)
        for _, kind in ipairs {"i8", "u8", "i16", "u32", "i64"} do
            for _, count in ipairs {1, 7, 8, 15, 16, 17, 50} do
                compare(t, function(x, out)
                    for i = 1, #x do
                        local v, n = x[i], 0
                        while v > 0 do v, n = v // 3, n + 1 end
                        out[i] = n
                    end
                end, ramp(kind, count, function(i) return i * 37 % 120 end),
                    cns.buffer(kind, count))
            end
        end
    end)

    test("an error in one lane: the same one, with the same elements before it", function(t)
        local function walk(x, n, out)
            for i = 1, #out do
                local k, steps = i, 0
                while k ~= 1 do
                    k = x[k]
                    steps = steps + 100 // n[k]
                end
                out[i] = steps
            end
        end
        local function links(f)
            return ramp("i32", 300, f), ramp("i32", 300, function() return 3 end),
                cns.buffer("i64", 300)
        end
        compare(t, walk, links(function(i) return i // 2 end))
        compare(t, walk, links(function(i) return i == 123 and 5000 or i // 2 end))
        compare(t, walk, links(function(i) return i == 77 and 0 or i // 2 end))
        local next_ones, divisors, steps = links(function(i) return (i + 1) // 3 end)
        divisors[40] = 0
        compare(t, walk, next_ones, divisors, steps)
        compare(t, function(x, out)
            for i = 1, #out do
                local v = x[i]
                while v > 1.0 do v = v / 2 end
                out[i] = v * 2
            end
        end, ramp("f64", 50, function(i) return i == 37 and 0.7 or 1 << (i % 9) end),
            cns.buffer("i32", 50))
    end)

    test("an error comes before a later iteration's endless loop", function(t)
        local x, y, z = ramp("i64", 100, function() return 8 end), cns.buffer("f64", 100),
            ramp("i64", 100, function() return 1 end)
        x[13], z[10] = 7, 0
        compare(t, function(a, b, c)
            for i = 1, #a do
                local n, s = a[i], 0.5
                while n ~= 0 do n, s = n - 2, s * 1.5 end
                b[i] = s + 10 // c[i]
            end
        end, x, y, z)
    end)

    test("functions of the C library", function(t)
        local xs = ramp("f64", 333, function(i) return (i - 150) / 7 end)
        compare(t, function(x, out)
            for i = 1, #x do
                local v = x[i]
                local r = math.exp(-v * v) + math.sin(v) * math.cos(2 * v)
                if v > 0 then r = r + math.log(v) else r = r - math.fmod(v, 0.3) end
                out[i] = r + v ^ 3 + v % 0.7
            end
        end, xs, cns.buffer("f64", 333))
    end)

    test("functions of the C library for all lanes at once", function(t)
        local odd = {0.0, -0.0, 1 / 0, -1 / 0, 0 / 0, -3.0, 5e-324, 0x1p-1022, 750.0, -750.0, 1.0}
        local function value(i) return odd[i % 29] or i * 7919 % 1000 / 37 end
        for _, count in ipairs {1, 2, 7, 8, 9, 16, 17, 400} do
            local x, out = ramp("f64", count, value), cns.buffer("f64", count)
            compare(t, function(a, b)
                for i = 1, #a do b[i] = math.exp(-a[i]) - math.log(a[i]) end
            end, x, out)
            compare(t, function(a, b)
                for i = 1, #a do
                    if a[i] > 3.0 then b[i] = math.log(a[i]) else b[i] = math.exp(a[i]) end
                end
            end, x, out)
            compare(t, function(a, b) -- pow has no vectors
                for i = 1, #a do b[i] = math.exp(a[i]) * math.log(a[i]) + a[i] ^ 0.37 end
            end, x, out)
        end
    end)

    test("buffers that overlap run one by one", function(t)
        local function decay(x, out)
            for i = 1, #out do
                local v = x[i]
                while v > 0.1 do v = v * 0.7 end
                out[i] = v
            end
        end
        for _, offset in ipairs {0, 1, 3, 8, 60} do
            local results = {}
            for _, tier in ipairs {"scalar", "native"} do
                local all = ramp("f64", 160, function(i) return i * 1.5 end)
                local kernel <close> = cns.jit(decay, {tier = tier})
                kernel(all:slice(1, 100), all:slice(1 + offset, 100 + offset))
                results[#results + 1] = all:bytes()
            end
            t.equal(results[1], results[2])
        end
        compare(t, function(x)
            for i = 1, #x do
                local v = x[i]
                while v > 0.1 do v = v * 0.7 end
                x[i] = v
            end
        end, ramp("f32", 99, function(i) return i * 1.5 end))
    end)

    test("approximate functions are near", function(t)
        local function f(x, out)
            for i = 1, #x do out[i] = math.exp(x[i]) * math.log(x[i]) end
        end
        local x = ramp("f64", 500, function(i) return i / 50 end)
        local exact, near = cns.buffer("f64", 500), cns.buffer("f64", 500)
        cns.jit(f, {tier = "native"})(x, exact)
        cns.jit(f, {tier = "native", approx = true})(x, near)
        for i = 1, #x do
            t.ok(math.abs(exact[i] - near[i]) <= 16 * 2.0 ^ -52 * math.abs(exact[i]), i)
        end
    end)
end

-- Each task compiles, runs and drops kernels of its own, in its own state; parts of their loops run
-- on each other's threads.
local function states(test)
    test("states compile and run at once", function(t)
        local function work(seed)
            local lib = require "cns"
            local x = lib.buffer("i64", 6000)
            local right = 0
            for i, tier in ipairs {"auto", "native", "vm", "auto"} do
                local kernel <close> = lib.jit(function(b, n, by)
                    local s = 0
                    for k in lib.prange(n) do
                        b[k] = k * by
                        s = s + b[k]
                    end
                    return s
                end, {tier = tier})
                for n = 5990 + i, 6000 do
                    right = right + (kernel(x, n, seed) == seed * n * (n + 1) // 2 and 1 or 0)
                end
                local ok, why = pcall(kernel, x, 6001, seed)
                right = right + (not ok and why:find("index 6001 out of range") and 1 or 0)
            end
            return right
        end
        local pool <close> = cns.tasks.new {workers = 3}
        local futures = {}
        for i = 1, 6 do futures[i] = pool:spawn(work, i) end
        t.equal(work(7), 4 + 10 + 9 + 8 + 7)
        for i = 1, 6 do t.equal(futures[i]:await(), 4 + 10 + 9 + 8 + 7) end
    end)
end

return function(test)
    if not there_is_native() then
        test("machine code", function(t) t.skip("no native backend") end)
        return
    end
    forks(test)
    loops(test)
    groups(test)
    states(test)
    remarks(test)
end
