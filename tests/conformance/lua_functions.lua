-- Functions that kernels are made of, with arguments, for tests that compare a kernel with Lua.
-- Returns a list of {name, function, make}: make(i) gives true and the i-th list of arguments, or
-- nothing behind the last. Buffers are made anew for each.
local cns = require("cns")

local integers = {0, 1, -1, 2, 3, 7, -7, 63, 64, -64, 1000003, math.maxinteger, math.mininteger,
    (1 << 53) + 1}
local floats = {0.0, -0.0, 0.5, -0.5, 1.0, 2.0, -3.7, 1e300, 5e-324, math.huge, -math.huge, 0 / 0,
    2.0 ^ 53, 2.0 ^ 63, -2.0 ^ 63}
local numbers = {}
table.move(integers, 1, #integers, 1, numbers)
table.move(floats, 1, #floats, #numbers + 1, numbers)

-- One argument after the other from a list.
local function each(list)
    return function(i)
        if list[i] ~= nil then
            return true, list[i]
        end
    end
end

-- All pairs of two lists.
local function pairs_of(left, right)
    return function(i)
        local x, y = (i - 1) // #right + 1, (i - 1) % #right + 1
        if left[x] ~= nil then
            return true, left[x], right[y]
        end
    end
end

-- What `lists` holds, each made by a function.
local function made(...)
    local lists = {...}
    return function(i)
        if lists[i] then
            return true, lists[i]()
        end
    end
end

local function ramp(kind, count)
    local b = cns.buffer(kind, count)
    for i = 1, count do
        b[i] = kind:sub(1, 1) == "f" and i * 0.25 or i % 100
    end
    return b
end

local sizes = {0, 1, 2, 3, 10}
local function ramps(kind, ...)
    local extra = {...}
    return function(i)
        if sizes[i] then
            return true, ramp(kind, sizes[i]), table.unpack(extra)
        end
    end
end

local scale, offset = 3, 0.5
local weights = ramp("f64", 8)
local settings = {gain = 2.5, deep = {steps = 4}, on = true}

local function square(x)
    return x * x
end

local function both(x, y)
    if x < y then
        return x, y
    end
    return y, x
end

local function clamp(x, low, high)
    if x < low then
        return low
    elseif x > high then
        return high
    end
    return x
end

local function prange(first, last, step)
    local i = first - step
    return function()
        i = i + step
        if i <= last then
            return i
        end
    end
end
_G.prange = function(first, last, step)
    if not last then
        first, last = 1, first
    end
    return prange(first, last, step or 1)
end
local prange_global = _G.prange

local cases = {
    {"add", function(x, y) return x + y, x - y, x * y end, pairs_of(numbers, numbers)},
    {"divide", function(x, y) return x / y, x ^ 2, x ^ y end, pairs_of(numbers, numbers)},
    {"floor divide", function(x, y) return x // y end, pairs_of(numbers, numbers)},
    {"modulo", function(x, y) return x % y end, pairs_of(numbers, numbers)},
    {"bits", function(x, y) return x & y, x | y, x ~ y, ~x end, pairs_of(numbers, numbers)},
    {"shifts", function(x, y) return x << y, x >> y, x << 3, x >> 3, 5 << x, x >> -3 end,
        pairs_of(numbers, numbers)},
    {"order", function(x, y) return x < y, x <= y, x > y, x >= y, x == y, x ~= y end,
        pairs_of(numbers, numbers)},
    {"order with constants", function(x)
        return x < 3, x <= 3, x > 3, x >= 3, x == 3, x ~= 3, x == 2.5, x < 2.5, 3 < x, x == "a"
    end, each(numbers)},
    {"constants", function(x)
        return x + 1, x - 1, x * 2, x // 3, x % 5, x / 4, 1 - x, 2.5 - x, x + 0.5, -x
    end, each(numbers)},
    {"bit constants", function(x) return x & 255, x | 1, x ~ 7 end, each(integers)},
    {"and or", function(x, y)
        local a = x > y and x or y
        local b = x == y or x
        local c = not (x > y) and y -- luacheck: ignore 581
        return a, b, c, not x, not nil
    end, pairs_of(numbers, {0, 2.5})},
    {"booleans", function(x, y)
        if x then
            return x == y, y, not y
        end
        return x ~= y, x and y, x or y
    end, pairs_of({true, false}, {true, false})},
    {"missing arguments", function(x, y, z)
        if z == nil then
            z = 7
        end
        return x, y, z, y or 3
    end, each({1, 2.5})},
    {"several results", function(x)
        if x < 0 then
            return
        elseif x == 0 then
            return nil, x
        elseif x > 10 then
            return x, true, x / 2
        end
        return x
    end, each({-1, 0, 5, 20, 0.0, 2.5})},
    {"counted loop", function(a, b)
        local s, n = 0, 0
        for i = a, b do
            s = s + i
            n = n + 1
        end
        return s, n
    end, pairs_of({1, 5, -3, 0.5, 2.0}, {0, 1, 10, 10.5, -5, -math.huge, 0 / 0})},
    {"loop with a step", function(a, b)
        local s = 0
        for i = 10, a, b do
            s = s * 3 + i
            if s > 1 << 40 then
                break
            end
        end
        return s
    end, pairs_of({1, 30, 30.5, 10, -20}, {1, -1, 3, -3, 0, 2.5, -2.5, 0.0})},
    {"loop at the edge", function(a)
        local n = 0
        for _ = math.maxinteger - a, math.maxinteger do
            n = n + 1
        end
        for _ = math.mininteger + a, math.mininteger, -1 do
            n = n + 1
        end
        for i = 1, math.huge do
            n = n + 1
            if i >= a then
                break
            end
        end
        return n
    end, each({0, 1, 5})},
    {"the variable is a copy", function(n)
        local s = 0
        for i = 1, n do
            i = i * 2
            s = s + i
        end
        return s
    end, each({0, 1, 5})},
    {"zero trips keep the integer", function(x)
        local s = 0
        for i = 1, #x do
            s = s + x[i]
        end
        return s
    end, ramps("f64")},
    {"type changes in a loop", function(n)
        local a, b = 1, 1
        for _ = 1, n do
            a, b = b, a + b / 2
        end
        return a, b
    end, each({0, 1, 2, 3, 10})},
    {"while", function(n)
        local k = 0
        while n ~= 1 do
            if n % 2 == 0 then
                n = n // 2
            else
                n = 3 * n + 1
            end
            k = k + 1
        end
        return k
    end, each({1, 2, 7, 27})},
    {"repeat with goto", function(n)
        local s = 0
        repeat
            n = n - 1
            if n % 3 == 0 then
                goto continue
            end
            s = s + n
            ::continue::
        until n <= 0
        return s
    end, each({1, 2, 10, 10.0})},
    {"nested loops", function(n)
        local s = 0
        for i = 1, n do
            for j = i, n do
                for k = j, n, 2 do
                    s = s + i * j - k
                end
            end
        end
        return s
    end, each({0, 1, 2, 5})},
    {"saxpy", function(x, a)
        for i = 1, #x do
            x[i] = a * x[i] + i
        end
    end, ramps("f64", 1.5)},
    {"saxpy into integers", function(x, a)
        for i = 1, #x do
            x[i] = a * x[i] + i
        end
    end, ramps("i32", 2)},
    {"a store that does not fit", function(x)
        for i = 1, #x do
            x[i] = x[i] * 10
        end
        return #x
    end, made(function() return cns.buffer("u8", {1, 2, 25, 26, 3}) end,
        function() return cns.buffer("i8", {1, -12, -13, 13}) end,
        function() return cns.buffer("f32", {1, 2}) end)},
    {"a float into integers", function(x, y)
        for i = 1, #x do
            x[i] = y[i]
        end
    end, made(function() return cns.buffer("i16", 3), cns.buffer("f64", {1, 2.0, 2.5}) end,
        function() return cns.buffer("i64", 2), cns.buffer("f64", {2.0 ^ 62, 2.0 ^ 63}) end,
        function() return cns.buffer("u64", 3), cns.buffer("f64", {1, 2.0 ^ 63, -1}) end,
        function() return cns.buffer("f32", 2), cns.buffer("f64", {0.1, 1e300}) end)},
    {"an index beyond", function(x, n)
        x[1] = 5
        local s = 0
        for i = 1, n do
            s = s + x[i]
            x[i] = i
        end
        return s
    end, made(function() return ramp("f64", 3), 4 end, function() return ramp("u8", 3), 3 end,
        function() return ramp("u8", 0), 1 end)},
    {"odd indices", function(x, i)
        x[i] = 9
        return x[i], x[2.0]
    end, pairs_of({ramp("i32", 5)}, {0, 1, -1, 5, 6, 2.0, 2.5, math.mininteger, 1e300, 0 / 0})},
    {"unsigned", function(x)
        local s = 0
        for i = 1, #x do
            s = s ~ x[i]
        end
        return s
    end, made(function() return cns.buffer("u64", {1, 2, math.maxinteger}) end, function()
        local b = cns.buffer("u64", 3)
        b[2] = 2.0 ^ 63
        return b
    end)},
    {"every element type", function(a, b, c, d, e, f)
        local s = 0
        for i = 1, #a do
            s = s + a[i] + b[i] * c[i] - d[i] + e[i] // 2 + f[i]
            f[i] = a[i] + b[i]
        end
        return s
    end, made(function()
        return ramp("i8", 5), ramp("i16", 5), ramp("u32", 5), ramp("i64", 5), ramp("f32", 5),
            ramp("u16", 5)
    end)},
    {"upvalues", function(x)
        return x * scale + offset + weights[2] + #weights
    end, each({1, 2.5})},
    {"upvalue buffers are written", function(x)
        for i = 1, #weights do
            weights[i] = weights[i] + x
        end
        return weights[1]
    end, each({1, 2.5})},
    {"fields", function(x)
        if settings.on then
            x = x * settings.gain
        end
        for _ = 1, settings.deep.steps do
            x = x + 1
        end
        return x, settings.missing
    end, each({1, 2.5})},
    {"math of one", function(x)
        return math.abs(x), math.sqrt(x), math.sin(x), math.cos(x), math.tan(x), math.exp(x),
            math.asin(x), math.acos(x), math.atan(x), math.log(x), math.deg(x), math.rad(x)
    end, each(numbers)},
    {"math of two", function(x, y)
        return math.atan(x, y), math.log(x, y), math.max(x, y), math.min(x, y)
    end, pairs_of(numbers, numbers)},
    {"log bases", function(x) return math.log(x, 2), math.log(x, 10), math.log(x, 3) end,
        each(numbers)},
    {"fmod", function(x, y) return math.fmod(x, y) end, pairs_of(numbers, numbers)},
    {"rounding", function(x) return math.floor(x), math.ceil(x) end, each(numbers)},
    {"tointeger", function(x) return math.tointeger(x) or -1 end, each(numbers)},
    {"ult", function(x, y) return math.ult(x, y) end, pairs_of(integers, integers)},
    {"max of many", function(x, y) return math.max(x, y, 3), math.min(5, x, y, -x) end,
        pairs_of(integers, integers)},
    {"math constants", function(x)
        return x + math.pi, math.maxinteger, math.mininteger, math.huge
    end, each({1, 2.5})},
    {"calls", function(x)
        local low, high = both(x, 3)
        return square(x) + square(low), high, (both(x, 1)), both(x, 2)
    end, each({1, 2.5, 7})},
    {"calls in loops", function(x)
        local s = 0.0
        for i = 1, #x do
            s = s + clamp(square(x[i]), 1, 4.5)
        end
        return s
    end, ramps("f64")},
    {"tail calls", function(x) return clamp(x, -1, 1) end, each({0, 2, -2, 0.5, -7.5})},
    {"floor in loops", function(x, h)
        for i = 1, #x do
            local k = math.floor(x[i] * 2) + 1
            h[k] = h[k] + 1
        end
    end, made(function() return ramp("f64", 10), cns.buffer("i64", 10) end,
        function() return ramp("f64", 30), cns.buffer("i64", 10) end)},
    {"prange", function(x, n)
        for i in prange_global(n) do
            x[i] = x[i] * 2
        end
        for i in prange_global(2, n, 2) do
            x[i] = x[i] + i
        end
    end, made(function() return ramp("f64", 10), 10 end, function() return ramp("f64", 2), 0 end,
        function() return ramp("f64", 3), 5 end)},
}

return cases
