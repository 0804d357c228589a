-- SPDX-License-Identifier: MIT
--
-- test_jit.lua - cns.jit: kernels mean what their Lua functions mean, and no use of them does harm.

local cns = require "cns"

local element_types = {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"}
local tiers = {{tier = "scalar"}, {tier = "vm", optimise = false}, {tier = "vm"}, {wait = true}}

-- ---- comparing with plain Lua ------------------------------------------------------------------

local function is_buffer(value)
    return type(value) == "userdata" and tostring(value):find("^cns.buffer") ~= nil
end

-- A copy of the arguments; buffers that are the same stay the same.
local function copy(arguments)
    local copies, seen = {n = arguments.n}, {}
    for i = 1, arguments.n do
        local value = arguments[i]
        if is_buffer(value) then
            seen[value] = seen[value] or cns.buffer(value:type(), value:table())
        end
        copies[i] = seen[value] or value
    end
    return copies
end

local function show(value)
    if math.type(value) == "float" then
        return ("%s %a"):format(value ~= value and "nan" or "float", value ~= value and 0 or value)
    end
    return is_buffer(value) and value:type() .. ":" .. value:bytes() or tostring(value)
end

local function outcome(f, arguments)
    local results = table.pack(pcall(f, table.unpack(arguments, 1, arguments.n)))
    local text = {}
    for i = 1, results.n do
        -- Lua names the variable; a kernel does not.
        text[#text + 1] = show(results[i]):gsub("number %(.-%) has no", "number has no")
    end
    for i = 1, arguments.n do
        text[#text + 1] = is_buffer(arguments[i]) and show(arguments[i]) or nil
    end
    return table.concat(text, ", ")
end

-- Results, errors with their positions, and what is in the buffers afterwards.
local function compare(t, f, ...)
    local arguments = table.pack(...)
    local expected = outcome(f, copy(arguments))
    for _, options in ipairs(tiers) do
        local kernel <close> = cns.jit(f, options)
        t.equal(outcome(kernel, copy(arguments)), expected)
        t.equal(outcome(kernel, copy(arguments)), expected, "again")
    end
end

local numbers = {0, 1, -1, 2, 7, -7, 63, 64, -64, math.maxinteger, math.mininteger, 0.0, -0.0, 1.0,
    0.5, -2.5, 1e15, 2.0 ^ 53, 2.0 ^ 63, -2.0 ^ 63, 1e308, 5e-324, math.huge, -math.huge, 0 / 0}

local function expressions(test)
    local names = {
        "x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "x ^ y", "-x + y", "x & y", "x | y",
        "x ~ y", "x << y", "x >> y", "~x | y", "x == y, x ~= y", "x < y, x <= y", "x > y, x >= y",
        "x < y and x or y", "not x, not (x == y)", "math.max(x, y), math.min(y, x)",
        "math.abs(x), math.floor(y), math.ceil(x)", "math.sqrt(x), math.sin(y)",
        "math.fmod(x, y)", "math.tointeger(x), y", "x == nil, y ~= nil",
    }
    for _, text in ipairs(names) do
        test("numbers: " .. text, function(t)
            local f = load("return function(x, y) return " .. text .. " end", "@expression.lua")()
            local kernels = {}
            for i, options in ipairs(tiers) do
                kernels[i] = cns.jit(f, options)
            end
            for _, x in ipairs(numbers) do
                for _, y in ipairs(numbers) do
                    local expected = outcome(f, {x, y, n = 2})
                    for i = 1, #tiers do
                        t.equal(outcome(kernels[i], {x, y, n = 2}), expected,
                            text .. " of " .. show(x) .. " and " .. show(y))
                    end
                end
            end
        end)
    end
end

local function loops(test)
    test("sums have the type that Lua gives them", function(t)
        local function sum(x)
            local s = 0
            for i = 1, #x do s = s + x[i] end
            return s
        end
        for _, kind in ipairs(element_types) do
            for _, size in ipairs {0, 1, 2, 255, 256, 257, 1000} do
                local list = {}
                for i = 1, size do list[i] = i % 100 end
                compare(t, sum, cns.buffer(kind, list))
            end
        end
    end)

    test("saxpy, with itself too", function(t)
        local function saxpy(a, x, y)
            for i = 1, #x do y[i] = a * x[i] + y[i] end
        end
        local x, y = cns.buffer("f64", 777):fill(1.25), cns.buffer("f64", 777):fill(-3)
        compare(t, saxpy, 2.5, x, y)
        compare(t, saxpy, 3, x, y)
        compare(t, saxpy, 0.5, x, x)
        compare(t, saxpy, 2, cns.buffer("i32", {1, 2, 3}), cns.buffer("i64", {4, 5, 6}))
        compare(t, saxpy, 1000, cns.buffer("i32", {1, 2, 3}), cns.buffer("u8", {1, 2, 3}))
        compare(t, saxpy, 2, x, cns.buffer("f64", 500))
        compare(t, saxpy, 1.5, x, cns.buffer("i16", 777))
    end)

    test("shifted copies within a buffer", function(t)
        local function shift(x, by, first, last)
            for i = first, last do x[i] = x[i + by] end
        end
        local list = {}
        for i = 1, 3000 do list[i] = i * 3 % 1001 end
        for _, by in ipairs {-1, 1, -2, 100, -300, 0} do
            compare(t, shift, cns.buffer("i32", list), by, 301, 2500)
        end
        compare(t, shift, cns.buffer("i32", list), 5, 2900, 3000)
        compare(t, shift, cns.buffer("i32", list), -5, 1, 3000)
    end)

    test("every kind of loop", function(t)
        compare(t, function(n)
            local a, b = 0, 1
            while n > 0 do a, b, n = b, a + b, n - 1 end
            return a
        end, 90)
        compare(t, function(n)
            local steps = 0
            repeat
                n = n % 2 == 0 and n // 2 or 3 * n + 1
                steps = steps + 1
            until n == 1
            return steps
        end, 97)
        local function stepped(a, b, c)
            local s, k = 0, 0
            for i = a, b, c do
                s, k = s + i, k + 1
                if k > 5000 then break end
            end
            return s, k
        end
        for _, r in ipairs {{1, 10, 3}, {10, 1, -2}, {1, 0, 1}, {1, 10, 0}, {1.0, 2, 0.25},
            {1, 2.5, 1}, {math.maxinteger - 2, math.maxinteger, 2},
            {math.mininteger, math.mininteger + 3, 1}, {1, math.huge, 1}, {1, -math.huge, -1},
            {1, 0 / 0, 1}, {0.0, 1, 0}, {3, 1.5, -1}} do
            compare(t, stepped, r[1], r[2], r[3])
        end
        -- Native code runs counted loops in parts of 65536 iterations, breaks out of them, too.
        local function find_all(x, first, step, times)
            local found, total = 0, 0
            for round = 1, times do
                local at = 0
                for i = first, #x, step do
                    if x[i] >= round then
                        at = i
                        break
                    end
                    total = total + i
                end
                found = found + at
            end
            return found, total
        end
        local long = cns.buffer("i32", 200000)
        for i, where in ipairs {1, 65535, 65536, 65537, 65538, 131072, 131073, 200000} do
            long[where] = i
        end
        compare(t, find_all, long, 1, 1, 10)
        compare(t, find_all, long, 2, 1, 9)
        compare(t, find_all, long, 1, 2, 9)
        compare(t, find_all, long, 0, 1, 9)
        compare(t, function(x, n)
            local best = -math.huge
            for i = 1, n do
                for j = i, n do
                    local d = x[i] * j - x[j]
                    if d > best and d == d then best = d end
                end
            end
            return best
        end, cns.buffer("f64", {3, 1, 4, 1, 5, 9, 2, 6}), 8)
        compare(t, function(x)
            local i = 1
            ::again::
            if i > #x then return i end
            x[i], i = i * i, i + 1
            goto again
        end, cns.buffer("i32", 50))
    end)

    test("what is proven by a test in a loop stays below it", function(t)
        compare(t, function(p)
            local s, trips = 0.0, 0
            while trips < 3 do
                trips = trips + 1
                for i = 1, #p do
                    for _ = 7, 9 do s = s + i end
                    for _ = 1, p[1], i do s = s + 1 end
                end
            end
            return s
        end, cns.buffer("f64", 0))
    end)

    test("results of different number and type", function(t)
        local function f(a, b)
            if a == nil then return end
            if b then return a, b, a == b end
            return nil, a
        end
        compare(t, f)
        compare(t, f, 1)
        compare(t, f, 1.5, 2)
        compare(t, f, true, true)
        compare(t, f, false, nil)
        compare(t, f, 1, 2, 3)
        compare(t, function() return true, false, nil end)
    end)

    test("cns.prange in plain Lua and in a kernel", function(t)
        local function list(...)
            local values = {}
            for i in cns.prange(...) do values[#values + 1] = i end
            return values
        end
        t.same(list(3), {1, 2, 3})
        t.same(list(0), {})
        t.same(list(2, 4), {2, 3, 4})
        t.same(list(7, 1, -3), {7, 4, 1})
        t.same(list(math.maxinteger - 1, math.maxinteger), {math.maxinteger - 1, math.maxinteger})
        t.same(list(math.mininteger, math.mininteger + 1),
            {math.mininteger, math.mininteger + 1})
        t.same(list(math.mininteger, math.maxinteger, math.maxinteger),
            {math.mininteger, -1, math.maxinteger - 1})
        t.raises("too large", cns.prange, math.mininteger, math.maxinteger)
        t.raises("step is 0", cns.prange, 1, 2, 0)
        t.raises("integer", cns.prange, 1.5)
        t.raises("integer", cns.prange)
        t.raises("integer", cns.prange, "3")
        t.raises("integer", cns.prange, 1, nil, 2)
    end)
end

local function errors(test)
    test("the same error at the same line, with the same partial writes", function(t)
        local function divide(x, y)
            for i = 1, #x do
                x[i] = x[i] // y[i]
            end
        end
        compare(t, divide, cns.buffer("i32", {8, 6, 4, 2}), cns.buffer("i32", {2, 2, 0, 1}))
        compare(t, divide, cns.buffer("i32", {8, 6, 4, 2}), cns.buffer("i32", {2, 2}))
        local function at(x, i) return x[i] end
        for _, i in ipairs {0, 5, -1, 1.0, 1.5, 2.0 ^ 60, math.mininteger, math.huge, 0 / 0} do
            compare(t, at, cns.buffer("i16", {1, 2, 3, 4}), i)
        end
        local big = cns.buffer("u64", 2)
        big:set_bytes(("\255"):rep(8))
        local function first(x) return x[1] end
        for _, options in ipairs(tiers) do
            t.equal(select(2, pcall(cns.jit(first, options), big)), select(2, pcall(first, big)))
        end
        local function put(x, value) x[2] = value end
        for _, kind in ipairs(element_types) do
            for _, value in ipairs {1, -1, 300, 1 << 40, 2.0, 2.5, math.huge, 0 / 0, 1e30} do
                compare(t, put, cns.buffer(kind, 3), value)
            end
        end
        compare(t, function(a) return a % 0 end, 3)
        compare(t, function(a) return a | 1 end, 1.5)
        compare(t, function(a) return math.fmod(a, 0) end, 3)
    end)

    test("what a kernel cannot be is refused with the line", function(t)
        local refused = {
            "return 'text'", "return {}", "return function() end", "return ...", "return #x",
            "return x.y", "print(x)", "return x()", "return x .. x", "y = x", "return tostring(x)",
            "local t = setmetatable({}, {}) return t", "return x < true", "return x[1]",
            "return string.rep(x)", "error(x)",
        }
        for _, body in ipairs(refused) do
            local f = load("return function(x" .. (body:find("...", 1, true) and ", ..." or "")
                .. ")\n" .. body .. "\nend", "@refused.lua")()
            local kernel = cns.jit(f)
            local message = t.raises("refused%.lua:%d", kernel, 1)
            t.equal(select(2, pcall(kernel, 1)), message, "again")
            t.raises("refused%.lua:%d", kernel.compile, kernel, "i64")
            t.raises("refused%.lua:%d", kernel.explain, kernel, "i64")
            t.same(kernel:signatures(), {})
        end
    end)

    test("misuse of cns.jit", function(t)
        local function f(x) return x end
        t.raises("Lua function expected", cns.jit)
        t.raises("Lua function expected, got nil", cns.jit, nil)
        t.raises("Lua function expected, got a C function", cns.jit, print)
        t.raises("Lua function expected, got table", cns.jit, {})
        t.raises("Lua function expected", cns.jit, cns.jit(f))
        t.raises("unknown option 'teir'", cns.jit, f, {teir = "vm"})
        t.raises("table expected", cns.jit, f, "vm")
        t.raises("'tier'.*\"auto\"", cns.jit, f, {tier = "fast"})
        t.raises("'tier': string", cns.jit, f, {tier = true})
        t.raises("'wait': boolean", cns.jit, f, {wait = 1})
        t.raises("'reassoc': boolean", cns.jit, f, {reassoc = "yes"})
        t.raises("'name'", cns.jit, f, {name = ""})
        t.raises("'name'", cns.jit, f, {name = ("x"):rep(64)})
        t.raises("'name'", cns.jit, f, {name = "a\0b"})
        t.raises("'name'", cns.jit, f, {name = 1})
        for _, key in ipairs {"contract", "approx", "optimise", "cache"} do
            t.raises("'" .. key .. "': boolean", cns.jit, f, {[key] = 0})
        end
    end)

    test("arguments that a kernel cannot take", function(t)
        local kernel = cns.jit(function(_, y) return y end, {name = "second"})
        for _, value in ipairs {"text", {}, print, coroutine.create(print), io.stdout, kernel,
            cns.columns {{"x", "f64"}}} do
            local message = t.raises("bad argument #1", kernel, value)
            t.ok(message:find("integer, float, boolean, nil or cns.buffer expected", 1, true))
            t.raises("bad argument #2", kernel, 1, value)
            t.equal(kernel(1, 2, value), 2, "what is too many is dropped")
        end
        local closed = cns.buffer("f64", 3)
        closed:close()
        t.raises("closed", kernel, closed)
    end)

    test("calls unlike the last one", function(t)
        local function f(x, y, z) return x, y, z end
        local values = {1, 2.5, 3.0, -0.0, math.mininteger, true, false, 2 ^ 53}
        for _, options in ipairs(tiers) do
            local kernel <close> = cns.jit(f, options)
            for i = 1, 300 do
                local arguments = table.pack(values[i % #values + 1], values[i * i % 11 + 1],
                    values[i // 3 % #values + 1], values[i % 5 + 1])
                arguments.n = i % 7 < 4 and 3 or i % 7 - 3
                t.equal(outcome(kernel, arguments), outcome(function(x, y, z)
                    if arguments.n < 3 then z = nil end
                    if arguments.n < 2 then y = nil end
                    return f(x, y, z)
                end, arguments))
                -- What Lua would convert, a kernel refuses, after whichever call.
                t.raises("bad argument #2", kernel, 1, "2", 3)
                t.raises("bad argument #2", kernel, 1.5, "0x10", 3)
                t.raises("bad argument #1", kernel, "1e1", 2.5, 3.0)
            end
        end
    end)

    test("the metamethod of a call takes kernels only", function(t)
        local kernel = cns.jit(function(x) return x end)
        local buffer = cns.buffer("f64", 3)
        local call = debug.getmetatable(kernel).__call
        t.equal(call(kernel, 2), 2)
        for _, other in ipairs {buffer, io.stdout, {}, "text", ("x"):rep(200), 1, true, print,
            cns.columns {{"x", "f64"}}, cns.tasks.default(), coroutine.create(print)} do
            t.raises("cns.kernel expected", call, other, 2)
        end
        t.raises("cns.kernel expected", call, nil, 2)
        t.raises("cns.kernel expected", call)
        t.equal(kernel(3), 3)
        kernel:close()
        t.raises("cns.kernel is closed", kernel, 3)
        t.raises("cns.kernel is closed", call, kernel, 3)
    end)

    test("methods and their misuse", function(t)
        local kernel = cns.jit(function(x, y) return x + y end)
        for _, name in ipairs {"explain", "ir", "bytecode", "llvm", "asm", "tier", "stats"} do
            t.raises("not compiled yet", kernel[name], kernel)
            t.raises("3 types for 2 parameters", kernel[name], kernel, "i64", "i64", "i64")
            t.raises("type expected.*got f65", kernel[name], kernel, "f65")
            t.raises("type expected.*got number", kernel[name], kernel, 1)
            t.raises("cns.kernel expected", kernel[name])
            t.raises("cns.kernel expected", kernel[name], cns.buffer("f64", 1))
        end
        for _, text in ipairs {"f64[", "f64[]]", "[]", "", "i128", "f16[]", "table", "f64\0"} do
            t.raises("type expected", kernel.compile, kernel, text, "i64")
        end
        t.equal(kernel:compile("i64", "f64"), kernel)
        t.same(kernel:signatures(), {"i64, f64"})
        t.equal(kernel(1, 2), 3)
        t.same(kernel:signatures(), {"i64, i64", "i64, f64"})
        t.equal(kernel(1, 2.5), 3.5)
        t.same(kernel:signatures(), {"i64, f64", "i64, i64"})
        t.ok(#kernel:explain() > 0)
        t.ok(#kernel:ir("i64", "i64") > 0)
        t.ok(#kernel:bytecode() > 0)
        local stats = kernel:stats()
        t.equal(stats.calls, 2)
        t.equal(stats.compilations, 2)
        t.equal(stats.signatures, 2)
        t.ok(stats.bytecode_instructions > 0)
        t.ok(({scalar = true, block = true, native = true})[kernel:tier("i64", "f64")])
        t.ok(tostring(kernel):find("^cns.kernel %(.*test_jit.lua:%d+%)$"), tostring(kernel))
        t.ok(tostring(cns.jit(print and function() end, {name = "n"})):find("^cns.kernel n %("))
        t.equal(getmetatable(kernel), "locked")
        t.raises("", function() kernel.x = 1 end)
        t.equal(kernel.x, nil)
    end)

    test("a closed kernel", function(t)
        local kernel = cns.jit(function(x) return x end, {wait = true})
        t.equal(kernel(1), 1)
        kernel:close()
        kernel:close()
        t.equal(tostring(kernel), "cns.kernel (closed)")
        t.raises("cns.kernel is closed", kernel, 1)
        for _, name in ipairs {"explain", "compile", "signatures", "tier", "stats"} do
            t.raises("cns.kernel is closed", kernel[name], kernel)
        end
        do
            local other <close> = kernel -- luacheck: ignore
        end
    end)
end

local function upvalues(test)
    test("upvalues are read anew at each call", function(t)
        local factor = 2
        local function scale(x) return x * factor end
        for _, options in ipairs(tiers) do
            local kernel = cns.jit(scale, options)
            for _, value in ipairs {2, 3, 2.5, -1, 0.0, math.maxinteger} do
                factor = value
                t.equal(kernel(7), 7 * value)
                t.equal(kernel(7.5), 7.5 * value)
            end
            t.equal(kernel:stats().compilations, 4)
            factor = "x"
            t.raises("test_jit.lua:%d", kernel, 7)
            factor = 5
            t.equal(kernel(7), 35)
            t.equal(kernel:stats().compilations, 4)
        end
    end)

    test("globals, fields and constants are read anew, without metamethods", function(t)
        local settings = {deep = {limit = 3}}
        local kernel = cns.jit(function(x)
            return x > settings.deep.limit, settings.other == nil
        end)
        t.same({kernel(4)}, {true, true})
        settings.deep.limit = 5
        t.same({kernel(4)}, {false, true})
        settings.deep = {limit = 1}
        settings.other = 1
        t.same({kernel(4)}, {true, false})
        settings.other = nil
        setmetatable(settings, {__index = function() error("must not run") end})
        t.raises("test_jit.lua:%d", kernel, 4)
        setmetatable(settings, nil)
        t.same({kernel(4)}, {true, true})
        settings.deep = nil
        t.raises("test_jit.lua:%d", kernel, 4)
        _G.jit_test_global = 10
        local global = cns.jit(function(x) return x + jit_test_global end) -- luacheck: ignore
        t.equal(global(1), 11)
        _G.jit_test_global = 0.5
        t.equal(global(1), 1.5)
        _G.jit_test_global = nil
        t.raises("test_jit.lua:%d", global, 1)
        t.equal(cns.jit(function(x) return x * math.pi end)(2), 2 * math.pi)
    end)

    test("functions that are replaced", function(t)
        local root = cns.jit(function(x) return math.sqrt(x) end)
        local sqrt = math.sqrt
        t.equal(root(9), 3.0)
        math.sqrt = math.abs -- luacheck: ignore
        local ok, result = pcall(root, 9)
        math.sqrt = function(x) return x + 1 end -- luacheck: ignore
        local ok2, result2 = pcall(root, 9)
        math.sqrt = print -- luacheck: ignore
        local message = select(2, pcall(root, 9))
        math.sqrt = sqrt -- luacheck: ignore
        t.equal(ok and result, 9)
        t.equal(ok2 and result2, 10)
        t.ok(message:find("test_jit.lua:%d"), message)
        t.equal(root(16), 4.0)
        local function helper(x) return x + 1 end
        local caller = cns.jit(function(x) return helper(x) * 2 end)
        t.equal(caller(1), 4)
        helper = function(x) return x + 100 end -- luacheck: ignore
        t.equal(caller(1), 202)
        helper = cns.jit(function(x) return x - 1 end)
        t.equal(caller(1), 0)
        helper:close()
        t.raises("test_jit.lua:%d", caller, 1)
        helper = nil
        t.raises("test_jit.lua:%d", caller, 1)
    end)

    test("inlined functions have their own upvalues", function(t)
        local offset = 10
        local function add(x) return x + offset end
        local function twice(x) return add(add(x)) end
        local kernel = cns.jit(function(x) return twice(x) + offset end)
        t.equal(kernel(1), 31)
        offset = 0.5
        t.equal(kernel(1), 2.5)
        local inner = cns.jit(add)
        local outer = cns.jit(function(x) return inner(x) * 2 end)
        t.equal(outer(1), 3.0)
        offset = 4
        t.equal(outer(1), 10)
    end)

    test("recursion is refused, not run for ever", function(t)
        local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
        t.raises("test_jit.lua:%d", cns.jit(fib), 5)
        local kernel
        kernel = cns.jit(function(n) return n < 2 and n or kernel(n - 1) end)
        t.raises("test_jit.lua:%d", kernel, 5)
        local odd
        local function even(n) return n == 0 or odd(n - 1) end
        odd = function(n) return n ~= 0 and even(n - 1) end
        t.raises("test_jit.lua:%d", cns.jit(even), 5)
    end)

    test("buffers as upvalues", function(t)
        local data = cns.buffer("f64", {1, 2, 3})
        local kernel = cns.jit(function(i, value)
            local old = data[i]
            data[i] = value
            return old, #data
        end)
        t.same({kernel(2, 9)}, {2.0, 3})
        t.equal(data[2], 9.0)
        data = cns.buffer("u8", {7, 8})
        t.same({kernel(2, 1)}, {8, 2})
        t.raises("out of range 1..2", kernel, 3, 1)
        data:close()
        t.raises("test_jit.lua:%d", kernel, 1, 1)
        data = nil
        t.raises("test_jit.lua:%d", kernel, 1, 1)
    end)

    test("many signatures and many states of what is outside", function(t)
        local one = cns.jit(function(x) return x end)
        local f = function(x) return x end
        local changing = cns.jit(function(x) return f(x) end, {tier = "vm"})
        for i = 1, 200 do
            f = load(("return function(x) return x + %d end"):format(i))()
            t.equal(changing(1), 1 + i)
            t.equal(one(i % 2 == 0 and i or i + 0.5), i % 2 == 0 and i or i + 0.5)
        end
        t.equal(#one:signatures(), 2)
        t.ok(#changing:signatures() <= 64)
        t.equal(changing:stats().compilations, 200)
    end)

    test("many parameters, upvalues and results", function(t)
        local names = {}
        for i = 1, 100 do names[i] = "p" .. i end
        local list = table.concat(names, ", ")
        local f = load("return function(" .. list .. ") return " .. list .. " end", "@many.lua")()
        local values = {n = 100}
        for i = 1, 100 do values[i] = i % 3 == 0 and i or i % 3 == 1 and i + 0.5 or nil end
        compare(t, f, table.unpack(values, 1, 100))
        local source = {}
        for i = 1, 50 do source[#source + 1] = ("local u%d = %d\n"):format(i, i) end
        source[#source + 1] = "return function(x) return x"
        for i = 1, 50 do source[#source + 1] = " + u" .. i end
        source[#source + 1] = " end"
        compare(t, load(table.concat(source), "@upvalues.lua")(), 1000)
    end)
end

local function ownership(test)
    test("borrowed buffers", function(t)
        local data = cns.buffer("f64", {1, 2, 3, 4})
        local read = cns.jit(function(x) return x[1] end)
        local write = cns.jit(function(x, v) x[1] = v end)
        local length = cns.jit(function(x) return #x end)
        do
            local lent <close> = data:borrow("read")
            t.equal(read(lent), 1.0)
            t.equal(read(data), 1.0)
            t.equal(length(data), 4)
            t.raises("", write, lent, 5)
            t.raises("", write, data, 5)
            t.equal(data[1], 1.0)
        end
        do
            local lent <close> = data:borrow("write")
            write(lent, 6)
            t.equal(read(lent), 6.0)
            t.raises("", read, data)
            t.raises("", write, data, 7)
            t.equal(length(data), 4)
        end
        write(data, 8)
        t.equal(read(data:slice(1, 2)), 8.0)
        t.equal(data[1], 8.0)
        local parts = data:split(2)
        write(parts[2], 9)
        t.equal(data[3], 9.0)
    end)

    test("fields of columns", function(t)
        local units = cns.columns {{"x", "f64"}, {"hp", "i32"}}
        for i = 1, 100 do units:append(i, 2 * i) end
        local heal = cns.jit(function(x, hp)
            for i = 1, #x do
                if x[i] > 50 then hp[i] = hp[i] + 1 end
            end
        end)
        do
            local x <close> = units:view("x")
            local hp <close> = units:view("hp")
            heal(x, hp)
        end
        t.equal(units:get(50, "hp"), 100)
        t.equal(units:get(51, "hp"), 103)
    end)

    test("kernels on workers", function(t)
        local offset = 100
        local add = cns.jit(function(x, y) return x + y + offset end, {name = "add"})
        local pool = cns.tasks.default()
        t.equal(pool:spawn(function() return add(1, 2) end):await(), 103)
        t.same(pool:map({1, 2, 3, 4.5}, function(x) return add(x, 1) end), {102, 103, 104, 105.5})
        local fill = cns.jit(function(x, first, value)
            for i = 1, #x do x[i] = value + first + i end
        end)
        local data = cns.buffer("i64", 5000)
        pool:range(1, #data, function(first, _, part) fill(part, first, 0) end, nil,
            cns.tasks.split(data))
        for i = 1, #data, 499 do t.equal(data[i], i + 1) end
        local made = pool:spawn(function()
            return require("cns").jit(function(x) return x * 2 end, {name = "twice"})
        end):await()
        t.equal(made(21), 42)
        t.ok(tostring(made):find("twice"))
        local pair = {add, add}
        t.ok(pool:spawn(function(p) return p[1] == p[2] and p[1](0, 0) == 100 end, pair):await())
        made:close()
        t.raises("closed", function() return pool:spawn(function() return made(1) end):await() end)
        local thread = coroutine.create(print)
        local bad = cns.jit(function() return thread end)
        t.raises("coroutine", pool.spawn, pool, function() return bad() end)
    end)
end

-- ---- the end ------------------------------------------------------------------------------------

-- What a script of its own prints, and how it ends.
local function run_script(text)
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
    file:close()
    local interpreter = os.getenv("CNS_LUA") or arg[-1] or "lua5.4"
    local pipe = assert(io.popen(("timeout 100 '%s' '%s' 2>&1"):format(interpreter, path)))
    local output = pipe:read("a")
    local _, _, code = pipe:close()
    os.remove(path)
    return output, code
end

-- The pool closes before its workers' states do: it drops what was to be compiled, and kernels that
-- finalisers call run without it.
local function ends(test)
    test("kernels of workers that go after the pool", function(t)
        for _, tier in ipairs {"vm", "auto", "native"} do
            local output, code = run_script(([[
                local cns = require "cns"
                local sum = cns.jit(function(n)
                    local s = 0
                    for i in cns.prange(n) do s = s + i end
                    return s
                end, {tier = %q})
                local many = {}
                for i = 1, 20 do
                    many[i] = cns.jit(function(a) return a + i end, {tier = %q})
                end
                if not pcall(sum, 1) then print("50005000") return end -- no native code
                cns.tasks.default():spawn(function()
                    local sum = sum
                    sum(10)
                    for i = 1, #many do many[i](i) end
                    package.loaded.last = setmetatable({}, {__gc = function()
                        print(sum(10000))
                    end})
                end):await()
            ]]):format(tier, tier == "native" and "vm" or tier))
            t.equal(output, "50005000\n", tier)
            t.equal(code, 0, tier)
        end
    end)
end

-- ---- memory ------------------------------------------------------------------------------------

local function lives(test)
    test("kernels made and dropped leave nothing", function(t)
        local function round(n, options)
            for i = 1, n do
                local kernel = cns.jit(function(x) return x + i end, options)
                t.equal(kernel(1), 1 + i)
            end
            collectgarbage()
            collectgarbage()
        end
        round(200, {tier = "vm"})
        round(20)
        local before = cns.memory().held
        round(2000, {tier = "vm"})
        round(50)
        t.ok(cns.memory().held < before + (1 << 20), cns.memory().held - before)
    end)

    -- Nobody collects here: Lua's collector must know what a kernel holds.
    test("ten thousand kernels made and dropped do not pile up", function(t)
        for _, mode in ipairs {"incremental", "generational"} do
            collectgarbage()
            collectgarbage(mode)
            local before, most = cns.memory().held, 0
            for i = 1, 5000 do
                local kernel = cns.jit(function(x) return x + i end, {tier = "vm"})
                if kernel(1) ~= 1 + i then t.equal(kernel(1), 1 + i) end
                most = math.max(most, cns.memory().held - before)
            end
            t.ok(most < 2 << 20, mode .. ": " .. most .. " bytes")
        end
        collectgarbage("incremental")
        collectgarbage()
    end)

    test("a finaliser closes the kernel in every moment", function(t)
        local current
        local function trap()
            setmetatable({}, {__gc = function()
                if current and math.random(20) == 1 then current:close() end
                trap()
            end})
        end
        trap()
        collectgarbage("generational")
        for i = 1, 500 do
            local offset = i
            local kernel = cns.jit(function(a, b) return a + b + math.abs(offset) end,
                {tier = i % 20 == 0 and "auto" or "vm"})
            current = kernel
            for k = 1, 8 do
                local value = k % 2 == 0 and k or k + 0.5
                offset = k % 3 == 0 and i or i + 0.25
                local ok, result = pcall(kernel, value, k)
                t.ok(ok and result == value + k + offset
                    or not ok and result:find("closed"), result)
                pcall(kernel.explain, kernel, "f64", "i64")
                pcall(kernel.signatures, kernel)
            end
        end
        current = nil
        trap = function() end
        collectgarbage("incremental")
        collectgarbage()
    end)

    test("in coroutines and finalisers, and with the state's end in sight", function(t)
        local kernel = cns.jit(function(x) return x * 2 end)
        local co = coroutine.wrap(function(x)
            while true do x = coroutine.yield(kernel(x)) end
        end)
        t.equal(co(2), 4)
        t.equal(co(2.5), 5.0)
        local seen
        setmetatable({}, {__gc = function() seen = kernel(21) end})
        collectgarbage()
        t.equal(seen, 42)
        _G.jit_test_last = setmetatable({}, {__gc = function() pcall(kernel, 1.5) end})
    end)
end

return function(test)
    expressions(test)
    loops(test)
    errors(test)
    upvalues(test)
    ownership(test)
    ends(test)
    lives(test)
end
