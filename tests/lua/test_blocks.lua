-- SPDX-License-Identifier: MIT
--
-- test_blocks.lua - loops in blocks of elements: the same results, errors and buffers as the scalar
-- VM and as Lua, for sizes around those of blocks, overlapping buffers, errors in any iteration,
-- branches, loops inside and reductions; by hand and by random loops.

local cns = require "cns"
local stats = require "cns.stats"

local random = stats.random(20261129)
local sizes = {0, 1, 15, 16, 17, 18, 63, 64, 65, 66, 127, 128, 129, 130, 255, 256, 257, 258, 300,
    511, 512, 513, 514, 1025}

-- ---- comparing ---------------------------------------------------------------------------------

local function show(value)
    if math.type(value) == "float" then -- the sign of NaN is the processor's affair
        return value ~= value and "nan" or ("%a"):format(value)
    end
    return (tostring(value):gsub("^.-:(%d+:)", "%1")) -- of an error, from its line on
end

-- What a call gives and leaves: `make` gives arguments anew, and the buffers to look at.
local function outcome(f, make)
    local arguments, buffers = make()
    local text = {}
    for _, result in ipairs {pcall(f, table.unpack(arguments, 1, arguments.n or #arguments))} do
        text[#text + 1] = show(result)
    end
    for _, buffer in ipairs(buffers) do
        local float = buffer:type():sub(1, 1) == "f"
        text[#text + 1] = float and table.concat(buffer:table(), " "):gsub("%-nan", "nan")
            or buffer:bytes()
    end
    return table.concat(text, ", ")
end

local function is_blocked(kernel)
    return kernel:tier() == "block"
end

-- Runs `f` on both VMs with what each of `makes` gives; the loop must run in blocks, or on `tier`.
local function compare(t, f, makes, tier)
    local scalar <close> = cns.jit(f, {tier = "scalar"})
    local block <close> = cns.jit(f, {tier = "vm"})
    for i, make in ipairs(makes) do
        local expected = outcome(f, make)
        local got = outcome(block, make)
        t.ok(outcome(scalar, make) == expected, ("case %d differs in the scalar VM"):format(i))
        t.ok(got == expected, ("case %d differs in blocks: %s, not %s"):format(i, got:sub(1, 200),
            expected:sub(1, 200)))
    end
    t.ok(block:tier() == (tier or "block"), "on another tier: " .. block:explain())
end

local function numbers(kind, n, low, high)
    local list = {}
    for i = 1, n do
        list[i] = kind:sub(1, 1) == "f" and low + (high - low) * random()
            or low + random(high - low + 1) - 1
    end
    return cns.buffer(kind, list)
end

-- Arguments that are the same each time: buffers are copied.
local function fixed(...)
    local arguments = table.pack(...)
    return function()
        local copies, buffers = {n = arguments.n}, {}
        for i = 1, arguments.n do
            local value = arguments[i]
            if type(value) == "userdata" then
                value = cns.buffer(value:type(), value:table())
                buffers[#buffers + 1] = value
            end
            copies[i] = value
        end
        return copies, buffers
    end
end

local function for_sizes(make)
    local makes = {}
    for _, n in ipairs(sizes) do makes[#makes + 1] = fixed(make(n)) end
    return makes
end

-- ---- by hand -----------------------------------------------------------------------------------

local function elements(test)
    test("every type of element, there and back", function(t)
        local kinds = {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"}
        for _, from in ipairs(kinds) do
            for _, to in ipairs {"i8", "u16", "i32", "i64", "u64", "f32", "f64"} do
                if from:sub(1, 1) ~= "f" or to:sub(1, 1) == "f" then
                    compare(t, function(x, y)
                        for i = 1, #x do y[i] = x[i] end
                    end, for_sizes(function(n)
                        return numbers(from, n, 0, 100), numbers(to, n, 0, 1)
                    end))
                end
            end
        end
    end)

    test("steps other than one", function(t)
        compare(t, function(x, y, step)
            for i = #x, 1, -1 do y[i] = x[i] * 2 end
            for i = 1, #x, 3 do y[i] = y[i] + 1 end
            for i = #x, 1, -step do y[i] = y[i] - i end
        end, for_sizes(function(n) return numbers("i32", n, -9, 9), numbers("i64", n, 0, 0), 2 end))
    end)

    test("indices from elsewhere", function(t)
        compare(t, function(x, at, y)
            for i = 1, #at do y[i] = x[at[i]] end
            for i = 1, #at do y[at[i]] = i end
        end, for_sizes(function(n)
            return numbers("f64", 50, -1, 1), numbers("u8", n, 1, 50), numbers("f64", n + 50, 0, 0)
        end))
    end)
end

local function overlaps(test)
    test("slices of one buffer, shifted", function(t)
        local function make(n, from, to)
            return function()
                local whole = cns.buffer("i64", n + 40)
                for i = 1, #whole do whole[i] = i * i % 101 end
                return {whole:slice(20 + from, 19 + from + n), whole:slice(20 + to, 19 + to + n)},
                    {whole}
            end
        end
        local makes = {}
        for _, n in ipairs {20, 100, 257, 600} do
            for _, shift in ipairs {-19, -16, -9, -8, -7, -2, -1, 0, 1, 2, 7, 8, 9, 16, 20} do
                makes[#makes + 1] = make(n, shift, 0)
                makes[#makes + 1] = make(n, 0, shift)
            end
        end
        compare(t, function(x, y)
            for i = 1, #x do y[i] = x[i] + 1 end
        end, makes)
        compare(t, function(x, y)
            for i = 1, #x do
                y[i] = x[i] + i
                x[i] = y[i] * 3
            end
        end, makes)
        compare(t, function(x, y)
            for i = #x, 1, -1 do
                local a, b = x[i], y[i]
                x[i], y[i] = b, a
            end
        end, makes)
    end)

    test("one buffer twice, other distances within it", function(t)
        local makes = {}
        for _, n in ipairs {30, 100, 300, 1000} do
            makes[#makes + 1] = function()
                local x = cns.buffer("i32", n)
                for i = 1, n do x[i] = i * 7 % 31 end
                return {x, x}, {x}
            end
        end
        for _, f in ipairs {
            function(x, y) for i = 1, #x - 20 do y[i + 20] = x[i] + 1 end end,
            function(x, y) for i = 1, #x - 5 do y[i] = x[i + 5] + y[i + 1] end end,
            function(x, y) for i = 9, #x do y[i] = x[i - 8] + 1 end end,
            function(x, y) for i = 8, #x do y[i] = x[i - 7] + 1 end end,
            function(x, y) for i = 1, #x // 2 do y[2 * i] = x[2 * i - 1] + x[i] end end,
            function(x, y) for i = 1, #x do x[i] = x[i] + 1; y[i] = y[i] * 2 end end,
        } do
            compare(t, f, makes)
        end
    end)
end

local function errors(test)
    test("an error in any iteration leaves what Lua leaves", function(t)
        local makes = {}
        for _, n in ipairs {40, 300, 700} do
            for _, at in ipairs {1, 2, 17, 39, 40, 256, 257, 299, 300, 512, 700} do
                makes[#makes + 1] = function()
                    local x, y, z = cns.buffer("i64", n), cns.buffer("u8", n), cns.buffer("f64", n)
                    for i = 1, n do x[i] = i % 50 end
                    if at <= n then x[at] = 256 end
                    return {x, y, z}, {y, z}
                end
            end
        end
        compare(t, function(x, y, z) -- 256 does not go into an u8
            for i = 1, #x do z[i] = x[i] + 0.5; y[i] = x[i] end
        end, makes)
        compare(t, function(x, y, z) -- a divisor of 0
            local s = 0
            for i = 1, #x do z[i] = i; s = s + 1000 // (x[i] - 256); y[i] = 1 end
            return s
        end, makes)
        compare(t, function(x, y, z) -- an index beyond the end, behind a test
            for i = 1, #x do
                z[i] = 1
                if x[i] >= 0 then y[x[i] + 1 + x[i] // 256 * #x] = 7 end
            end
        end, makes)
        compare(t, function(x, y, z) -- a float that is no integer
            for i = 1, #x do z[i] = i; y[i] = (x[i] // 256 * 0.5 + 1.0) | 0 end
        end, makes)
    end)

    test("a loop that runs beyond its buffers", function(t)
        compare(t, function(x, y, n)
            for i = 1, n do y[i] = x[i] + 1 end
        end, {fixed(numbers("i32", 300, 0, 9), numbers("i32", 300, 0, 9), 300),
            fixed(numbers("i32", 300, 0, 9), numbers("i32", 300, 0, 9), 301),
            fixed(numbers("i32", 299, 0, 9), numbers("i32", 300, 0, 9), 300),
            fixed(numbers("i32", 300, 0, 9), numbers("i32", 20, 0, 9), 300),
            fixed(numbers("i32", 300, 0, 9), numbers("i32", 300, 0, 9), math.maxinteger)})
    end)

    test("an u64 that is no integer of Lua", function(t)
        local function make(at)
            return function()
                local x, y = cns.buffer("u64", 300), cns.buffer("i64", 300)
                if at then x:set_bytes(("\255"):rep(8), at) end
                return {x, y}, {y}
            end
        end
        compare(t, function(x, y)
            for i = 1, #x do y[i] = x[i] + i end
        end, {make(), make(1), make(299), make(300), make(257)})
    end)
end

local function branches(test)
    test("conditions, joins and choices", function(t)
        compare(t, function(x, y)
            for i = 1, #x do
                local v = x[i]
                if v > 50 then
                    if v % 2 == 0 then y[i] = v // 2 else y[i] = 3 * v + 1 end
                elseif v > 25 or v == 3 then
                    v = v - 25
                    y[i] = v
                end
                if v ~= 7 and v < 60 then y[i] = y[i] + 1 end
            end
        end, for_sizes(function(n) return numbers("u8", n, 0, 100), numbers("i64", n, 0, 0) end))
    end)

    test("loops inside, as long as each iteration wants", function(t)
        compare(t, function(x, y)
            for i = 1, #x do
                local n, steps = x[i], 0
                while n ~= 1 do
                    if n % 2 == 0 then n = n // 2 else n = 3 * n + 1 end
                    steps = steps + 1
                end
                y[i] = steps
            end
        end, for_sizes(function(n) return numbers("u16", n, 1, 1000), numbers("i64", n, 0, 0) end))
        compare(t, function(x, y, z)
            for i = 1, #x do
                local s, last = 0.0, -1
                for k = 1, x[i] do
                    if k > 20 then
                        last = k
                        break
                    end
                    s = s + z[k] / k
                end
                if x[i] > 3 then y[i] = s + last end
            end
        end, for_sizes(function(n)
            return numbers("u8", n, 0, 30), numbers("f64", n, 0, 1), numbers("f64", 20, 0, 1)
        end))
        compare(t, function(x, y)
            for i = 1, #x do
                local found = 0
                for a = 1, x[i] do
                    local b = a
                    while b > 0 do
                        if a * a + b * b == x[i] then
                            found = found + 1
                        end
                        b = b - 1
                    end
                end
                y[i] = found
            end
        end, for_sizes(function(n) return numbers("u8", n, 0, 12), numbers("i64", n, 0, 0) end))
    end)
end

local function ways_out(test)
    local function given(n)
        return numbers("f64", n, -1, 4), numbers("f64", n, 0, 0)
    end

    test("several exits, the way on of a loop around, nothing entered", function(t)
        compare(t, function(x, y)
            for i = 1, #x do
                local n, r = 0, 0
                while true do
                    n = n + 1
                    if n > x[i] * 2 then goto a end
                    if n * n > x[i] + 5 then goto b end
                end
                ::a:: r = r + 1000
                ::b:: y[i] = r + n
            end
        end, for_sizes(given))
        compare(t, function(x, y)
            for i = 1, #x do
                local a, n = 0, 0
                while a < 6 do
                    a = a + 1
                    local b = 0
                    while true do
                        b, n = b + 1, n + 1
                        if b > a then goto continue end
                        if x[i] * b > 4 then break end
                    end
                    n = n + 100
                    ::continue::
                end
                y[i] = n
            end
        end, for_sizes(given))
        compare(t, function(x, y)
            for i = 1, #x do
                local a, b, n = x[i], 1.0, 0
                while x[i] > 100 do b = b + x[i] end
                while n < x[i] * 3 do a, b, n = b, a + 1, n + 1 end
                while n > -2 do
                    n = n - 1
                    if n * 3 > x[i] then break end
                end
                y[i] = a * 100 + b * 10 + n
            end
        end, for_sizes(given))
    end)

    test("a loop that is entered in two places", function(t)
        compare(t, function(x, y)
            for i = 1, #x do
                local n, m = 0, 0
                if x[i] > 1 then goto b end
                ::a:: n = n + 1
                ::b:: m = m + 1
                if m < x[i] * 2 then goto a end
                y[i] = n * 100 + m
            end
        end, for_sizes(given), "scalar")
    end)

    test("a sum whose update is in a loop inside", function(t)
        compare(t, function(x, y)
            local s, least = 0.0, 1e9
            for i = 1, #x do
                local k = 0
                while k < 10 do
                    k = k + 1
                    local sum, low = s + x[i] * k, math.min(least, x[i] * k)
                    if k > x[i] * 2 then
                        s, least = sum, low
                        break
                    end
                end
                y[i] = k
            end
            return s, least
        end, for_sizes(given), "scalar")
    end)

    test("an error comes before a later iteration's endless loop", function(t)
        compare(t, function(x, y, z)
            for i = 1, #x do
                local n = x[i]
                while n ~= 0 do n = n - 2 end
                y[i] = 10 // z[i]
            end
        end, {function()
            local x, y, z = cns.buffer("i64", 100), cns.buffer("i64", 100), cns.buffer("i64", 100)
            x[50] = 7
            z:fill(1)
            z[10] = 0
            return {x, y, z}, {y}
        end})
        compare(t, function(x, y)
            for i = 1, #x do
                local n, s = x[i], 0
                for k = 2, 8 do
                    s = s + 12 // (k - x[i])
                    while n & 1 ~= 0 do n = n + 2 end
                end
                y[i] = s
            end
        end, {function()
            local x, y = cns.buffer("i64", 100), cns.buffer("i64", 100)
            x[20], x[21] = 4, 101
            return {x, y}, {y}
        end})
    end)
end

local function reductions(test)
    test("sums, products, bits, the least and the greatest", function(t)
        compare(t, function(x, f)
            local s, p, a, o, e, c = 0, 1, -1, 0, 0, 0
            local r, q, low, high = 0.0, 1.0, 1e300, -1e300
            local least, most = math.maxinteger, math.mininteger
            for i = 1, #x do
                local v, w = x[i], f[i]
                s, p, a, o, e = s + v, p * (v | 1), a & v, o | v, e ~ v
                if v > 10 then c = c + 1 end
                r = r + w * v
                if w > 0.5 then q = q * w end
                if w < low then low = w end
                if high < w then high = w end
                if v < least then least = v end
                if v > most then most = v end
            end
            return s, p, a, o, e, c, r, q, low, high, least, most
        end, for_sizes(function(n) return numbers("i32", n, -40, 40), numbers("f64", n, 0, 1) end))
    end)

    test("running sums, differences, last values", function(t)
        compare(t, function(x, y, f)
            local s, r, k, last = 0, 0.5, 100, 0
            for i = 1, #x do
                s = s + x[i]
                y[i] = s + k
                r = r - f[i]
                k = k - 3
                last = x[i]
            end
            return s, r, k, last
        end, for_sizes(function(n)
            return numbers("i32", n, -9, 9), numbers("i64", n, 0, 0), numbers("f64", n, -1, 1)
        end))
    end)

    test("NaN, infinities and zeros keep their places", function(t)
        local special = {0 / 0, 1 / 0, -1 / 0, 0.0, -0.0, 1.5, -2.5, 1e308}
        compare(t, function(x, y)
            local s, low, high = -0.0, 1 / 0, -1 / 0
            for i = 1, #x do
                local v = x[i]
                if v == v and v < 1e300 and v > -1e300 then s = s + v end
                low = math.min(low, v)
                if high < v then high = v end
                y[i] = math.max(v, 0.0)
            end
            return s, low, high
        end, for_sizes(function(n)
            local list = {}
            for i = 1, n do list[i] = special[random(#special)] end
            return cns.buffer("f64", list), cns.buffer("f64", n)
        end))
    end)
end

local function stops(test)
    test("a loop inside that never ends can be stopped", function(t)
        local forever <close> = cns.jit(function(x, y)
            for i = 1, #x do
                local n = x[i]
                while n >= 0 do n = (n + 1) & 255 end
                y[i] = n
            end
        end, {tier = "vm"})
        local pool <close> = cns.tasks.new {workers = 1}
        local future = pool:spawn_with({deadline = 0.05}, function()
            local x, y = cns.buffer("i64", 100), cns.buffer("i64", 100)
            forever(x, y)
        end)
        local ok, why = pcall(future.await, future)
        t.ok(not ok and tostring(why):find("deadline"), tostring(why))
    end)
end

-- ---- random loops ------------------------------------------------------------------------------

local function pick(list)
    return list[random(#list)]
end

local operators = {"+", "-", "*", "+", "-", "*", "//", "%", "/", "&", "|", "~"}
local orders = {"<", "<=", "==", "~=", ">", ">="}

local function expression(depth, names)
    local p = random(10)
    if depth == 0 or p <= 2 then
        return pick(names)
    elseif p <= 5 then
        return ("(%s %s %s)"):format(expression(depth - 1, names), pick(operators),
            expression(depth - 1, names))
    elseif p <= 8 then
        return ("%s[i%s]"):format(pick {"x", "y", "z"}, pick {"", "", " + 1", " - 1", " + 9"})
    end
    return pick {"i", "1", "3", "-2", "0.5", "7.0", "a"}
end

local function condition(names)
    return ("%s %s %s"):format(expression(1, names), pick(orders), expression(1, names))
end

local statement

local function statements(count, depth, names)
    local list, own = {}, table.move(names, 1, #names, 1, {})
    for _ = 1, count do list[#list + 1] = statement(depth, own) end
    return table.concat(list, " ")
end

function statement(depth, names)
    local p = random(12)
    if p <= 3 then
        local name = "v" .. #names
        local text = ("local %s = %s"):format(name, expression(2, names))
        names[#names + 1] = name
        return text
    elseif p <= 6 then
        return ("%s[i%s] = %s"):format(pick {"x", "y", "z"}, pick {"", "", "", " + 1", " - 2"},
            expression(2, names))
    elseif p <= 8 and depth > 0 then
        return ("if %s then %s else %s end"):format(condition(names),
            statements(random(2), depth - 1, names), statements(random(2), depth - 1, names))
    elseif p == 9 and depth > 0 then
        local name = "w" .. #names
        return ("local %s = 0 while %s < %d and %s do %s = %s + 1 %s end y[i] = %s"):format(name,
            name, random(6), condition(names), name, name,
            pick {"", "a = a + 0", ("if %s then break end"):format(condition(names)),
                ("local t = r + %s if %s then r = t break end"):format(expression(1, names),
                    condition(names))}, name)
    elseif p == 10 then
        return ("s = s + %s"):format(expression(1, names))
    elseif p == 11 then
        return ("if %s then r = r + %s end"):format(condition(names), expression(1, names))
    end
    return ("%s = %s"):format(pick(names):find("v") and names[#names] or "a",
        expression(1, names))
end

local function program()
    return ("return function(x, y, z, a) local s, r = 0, 0.0 for i = %d, #x - %d%s do %s end "
        .. "return s, r, a end"):format(random(12), random(12) - 1, pick {"", "", ", 2"},
        statements(random(5), 2, {"i", "a"}))
end

local function make(seed)
    return function()
        local own = stats.random(seed)
        local n = sizes[own(#sizes)]
        local kinds = {"f64", "i64", "i32", "f64"}
        local function filled(kind)
            local list = {}
            for i = 1, n do
                list[i] = kind == "f64" and own(64) / 8 - 3.5 or own(20) - 8
            end
            return cns.buffer(kind, list)
        end
        local x, y, z = filled(kinds[own(4)]), filled(kinds[own(4)]), filled(kinds[own(4)])
        if own(3) == 1 and n > 30 then -- slices of one buffer
            local shift = own(12) - 1
            x, z = y:slice(1, n - 12), y:slice(1 + shift, n - 12 + shift)
        end
        return {x, y, z, own(2) == 1 and own(9) or own(9) / 2}, {x, y, z}
    end
end

local function storm(test)
    test("random loops", function(t)
        local ran, blocked = 0, 0
        local count = tonumber(os.getenv("CNS_BLOCK_PROGRAMS") or 200)
        for _ = 1, count do
            local source = program()
            local f = assert(load(source, "=p"))()
            local scalar <close> = cns.jit(f, {tier = "scalar"})
            local block <close> = cns.jit(f, {tier = "vm"})
            for _ = 1, 6 do
                local given = make(random(1 << 30))
                local expected, got = outcome(scalar, given), outcome(block, given)
                t.ok(got == expected, ("differs: %s\n%s\n%s"):format(source, got:sub(1, 300),
                    expected:sub(1, 300)))
                ran = ran + 1
                blocked = blocked + (is_blocked(block) and 1 or 0)
            end
        end
        t.ok(blocked * 5 > ran, ("only %d of %d in blocks"):format(blocked, ran))
    end)
end

return function(test)
    elements(test)
    overlaps(test)
    errors(test)
    branches(test)
    ways_out(test)
    reductions(test)
    stops(test)
    storm(test)
end
