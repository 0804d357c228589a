-- SPDX-License-Identifier: MIT
--
-- cns.proof.kinds: what each kind of constraint means, for the checker of proofs.
--
-- A kind is a function of arguments and domains that says whether the constraint may hold: false
-- only when no values in the domains satisfy it, and exact when all arguments have one value. How
-- much it sees before that decides only how much the checker has to try. Written from MiniZinc's
-- reference, and not from the solver.
--
-- Domains are {low = f(term), high = f(term), has = f(term, value)}. An integer is a term, too.

local layers = require "cns.proof.layers"
local tasks = require "cns.proof.tasks"

local kinds = {}
local entailed = {} -- by kind: surely true; without one: when all is fixed, and it may hold
kinds.entailed = entailed
for _, module in ipairs {layers, tasks} do
    for name, kind in pairs(module.kinds) do kinds[name] = kind end
end

local MAX_SIZE = 4096 -- of domains whose values are looked at

local function fixed(d, t)
    return d.low(t) == d.high(t)
end

local function meet(d, s, t)
    local low, high = math.max(d.low(s), d.low(t)), math.min(d.high(s), d.high(t))
    if high - low > MAX_SIZE then return true end
    for v = low, high do
        if d.has(s, v) and d.has(t, v) then return true end
    end
    return false
end

-- ---- Boolean ------------------------------------------------------------------------------------

function kinds.clause(a, d)
    for _, t in ipairs(a.positive) do
        if d.high(t) == 1 then return true end
    end
    for _, t in ipairs(a.negative) do
        if d.low(t) == 0 then return true end
    end
    return false
end

function entailed.clause(a, d)
    for _, t in ipairs(a.positive) do
        if d.low(t) == 1 then return true end
    end
    for _, t in ipairs(a.negative) do
        if d.high(t) == 0 then return true end
    end
    return false
end

-- Constraints {kind, arguments} that hold together.
kinds["and"] = function(a, d)
    for _, part in ipairs(a.parts) do
        if not kinds[part.kind](part.arguments, d) then return false end
    end
    return true
end

entailed["and"] = function(a, d)
    for _, part in ipairs(a.parts) do
        if not entailed[part.kind](part.arguments, d) then return false end
    end
    return true
end

function kinds.xor(a, d) -- an odd number is true
    local odd = 0
    for _, t in ipairs(a.x) do
        if not fixed(d, t) then return true end
        odd = odd ~ d.low(t)
    end
    return odd == 1
end

-- ---- arithmetic ---------------------------------------------------------------------------------

local function sum(a, d)
    local low, high = 0, 0
    for k, t in ipairs(a.x) do
        local c = a.a[k]
        low = low + (c > 0 and c * d.low(t) or c * d.high(t))
        high = high + (c > 0 and c * d.high(t) or c * d.low(t))
    end
    return low, high
end

local function gcd(a, b)
    while b ~= 0 do a, b = b, a % b end
    return math.abs(a)
end

local function divides(a, d)
    local g, rest = 0, a.c
    for k, t in ipairs(a.x) do
        if fixed(d, t) then
            rest = rest - a.a[k] * d.low(t)
        else
            local scale, offset = t.s or 1, t.o or 0
            g = gcd(g, a.a[k] * scale)
            rest = rest - a.a[k] * offset
        end
    end
    return g == 0 and rest == 0 or g ~= 0 and rest % g == 0
end

function kinds.le(a, d)
    return sum(a, d) <= a.c
end

function entailed.le(a, d)
    return select(2, sum(a, d)) <= a.c
end

function kinds.eq(a, d)
    local low, high = sum(a, d)
    if low > a.c or high < a.c or not divides(a, d) then return false end
    return not (#a.x == 2 and a.c == 0 and a.a[1] == 1 and a.a[2] == -1) or meet(d, a.x[1], a.x[2])
end

function kinds.ne(a, d)
    local low, high = sum(a, d)
    return low ~= high or low ~= a.c
end

function entailed.ne(a, d)
    return not kinds.eq(a, d)
end

function entailed.eq(a, d)
    return not kinds.ne(a, d)
end

kinds["in"] = function(a, d)
    for k = 1, #a.ranges, 2 do
        local low = math.max(a.ranges[k], d.low(a.x))
        local high = math.min(a.ranges[k + 1], d.high(a.x))
        if high - low > MAX_SIZE then return true end
        for v = low, high do
            if d.has(a.x, v) then return true end
        end
    end
    return false
end

entailed["in"] = function(a, d)
    local low, high = d.low(a.x), d.high(a.x)
    if high - low > MAX_SIZE then return false end
    for v = low, high do
        local inside = not d.has(a.x, v)
        for k = 1, #a.ranges, 2 do
            inside = inside or (a.ranges[k] <= v and v <= a.ranges[k + 1])
        end
        if not inside then return false end
    end
    return true
end

-- Truncated towards 0, as MiniZinc's div.
local function quotient(x, y)
    local q = math.abs(x) // math.abs(y)
    return (x < 0) ~= (y < 0) and -q or q
end

local function power(x, y)
    if y < 0 then
        if x == 1 then return 1 end
        if x == -1 then return y % 2 == 0 and 1 or -1 end
        return x ~= 0 and 0 or nil
    end
    local r = 1
    for _ = 1, y do
        r = r * x
        if math.abs(r) > 1 << 50 then return r end
    end
    return r
end

local function corners(a, d, f)
    local low, high
    for _, x in ipairs {d.low(a.x), d.high(a.x)} do
        for _, y in ipairs {d.low(a.y), d.high(a.y)} do
            local v = f(x, y)
            low, high = math.min(low or v, v), math.max(high or v, v)
        end
    end
    return low <= d.high(a.z) and high >= d.low(a.z)
end

-- f of fixed arguments is z; nil: undefined.
local function value_is(a, d, f)
    local v = f(d.low(a.x), d.low(a.y))
    return v ~= nil and d.has(a.z, v)
end

function kinds.times(a, d)
    if fixed(d, a.x) and fixed(d, a.y) then
        return value_is(a, d, function(x, y) return x * y end)
    end
    return corners(a, d, function(x, y) return x * y end)
end

function kinds.div(a, d)
    if fixed(d, a.x) and fixed(d, a.y) then
        return value_is(a, d, function(x, y) return y ~= 0 and quotient(x, y) or nil end)
    end
    if d.low(a.y) > 0 or d.high(a.y) < 0 then return corners(a, d, quotient) end
    return d.low(a.y) ~= 0 or d.high(a.y) ~= 0
end

function kinds.mod(a, d)
    if fixed(d, a.x) and fixed(d, a.y) then
        return value_is(a, d, function(x, y)
            return y ~= 0 and x - quotient(x, y) * y or nil
        end)
    end
    local most = math.max(math.abs(d.low(a.y)), math.abs(d.high(a.y))) - 1
    local low = d.low(a.x) >= 0 and 0 or math.max(-most, d.low(a.x))
    local high = d.high(a.x) <= 0 and 0 or math.min(most, d.high(a.x))
    return d.low(a.z) <= high and d.high(a.z) >= low
end

function kinds.pow(a, d)
    return not (fixed(d, a.x) and fixed(d, a.y)) or value_is(a, d, power)
end

function kinds.abs(a, d)
    local low, high = d.low(a.x), d.high(a.x)
    local least = low > 0 and low or high < 0 and -high or 0
    return least <= d.high(a.z) and math.max(-low, high) >= d.low(a.z)
end

function kinds.max(a, d)
    local some = false
    for _, t in ipairs(a.x) do
        if d.low(t) > d.high(a.z) then return false end
        some = some or d.high(t) >= d.low(a.z)
    end
    return some
end

function kinds.min(a, d)
    local some = false
    for _, t in ipairs(a.x) do
        if d.high(t) < d.low(a.z) then return false end
        some = some or d.low(t) <= d.high(a.z)
    end
    return some
end

function kinds.element(a, d)
    for k, t in ipairs(a.x) do
        if d.has(a.index, k + a.base - 1) and meet(d, t, a.z) then return true end
    end
    return false
end

-- ---- values that occur --------------------------------------------------------------------------

-- Whether each variable can have a value of its own; `shared` values do not count (Kuhn).
local function can_match(d, x, shared)
    local owner = {}
    local function place(k, seen)
        local t = x[k]
        for v in pairs(shared) do
            if d.has(t, v) then return true end
        end
        for v = d.low(t), d.high(t) do
            if not seen[v] and d.has(t, v) then
                seen[v] = true
                if not owner[v] or place(owner[v], seen) then
                    owner[v] = k
                    return true
                end
            end
        end
        return false
    end
    for k in ipairs(x) do
        if not place(k, {}) then return false end
    end
    return true
end

-- Whether more variables than there are values lie within some bounds: cheap, and often enough.
local function overfull(d, x)
    local order, taken, low = {}, {}, {}
    for k, t in ipairs(x) do
        low[k] = d.low(t)
        local high = d.high(t)
        if low[k] == high then
            if taken[high] then return true end
            taken[high] = true
        end
        order[k] = {low[k], high}
    end
    table.sort(order, function(s, t) return s[2] < t[2] end)
    for k = 1, #x do
        local from, inside = low[k], 0
        for _, range in ipairs(order) do
            if range[1] >= from then
                inside = inside + 1
                if inside > range[2] - from + 1 then return true end
            end
        end
    end
    return false
end

function kinds.alldifferent(a, d)
    if next(a.except) == nil and overfull(d, a.x) then return false end
    for _, t in ipairs(a.x) do
        if d.high(t) - d.low(t) > MAX_SIZE then
            local narrow = {}
            for _, u in ipairs(a.x) do
                if d.high(u) - d.low(u) <= MAX_SIZE then narrow[#narrow + 1] = u end
            end
            return can_match(d, narrow, a.except)
        end
    end
    return can_match(d, a.x, a.except)
end

-- How many of x surely, and how many possibly, satisfy.
local function count(x, surely, possibly)
    local least, most = 0, 0
    for _, t in ipairs(x) do
        if surely(t) then least = least + 1 end
        if possibly(t) then most = most + 1 end
    end
    return least, most
end

local relations = {
    eq = function(least, most, d, n) return least <= d.high(n) and most >= d.low(n) end,
    ne = function(least, most, d, n)
        return least ~= most or not fixed(d, n) or least ~= d.low(n)
    end,
    le = function(least, _, d, n) return least <= d.high(n) end,
    lt = function(least, _, d, n) return least < d.high(n) end,
    ge = function(_, most, d, n) return most >= d.low(n) end,
    gt = function(_, most, d, n) return most > d.low(n) end,
}

function kinds.count(a, d)
    local least, most = count(a.x, function(t)
        return fixed(d, t) and fixed(d, a.y) and d.low(t) == d.low(a.y)
    end, function(t) return meet(d, t, a.y) end)
    return relations[a.relation](least, most, d, a.n)
end

function kinds.among(a, d)
    local least, most = count(a.x, function(t)
        for v = d.low(t), d.high(t) do
            if d.has(t, v) and not a.values[v] then return false end
        end
        return true
    end, function(t)
        for v = d.low(t), d.high(t) do
            if d.has(t, v) and a.values[v] then return true end
        end
        return false
    end)
    return relations.eq(least, most, d, a.n)
end

-- The variables that may take none of the values leave out some; the rest must be placed within the
-- counts. Bounds of each count, and of their sum.
function kinds.cardinality(a, d)
    local highs, lows = 0, 0
    local listed = {}
    for k, v in ipairs(a.values) do
        listed[v] = true
        local least, most = count(a.x, function(t) return fixed(d, t) and d.low(t) == v end,
            function(t) return d.has(t, v) end)
        if not relations.eq(least, most, d, a.counts[k]) then return false end
        highs = highs + math.min(most, d.high(a.counts[k]))
        lows = lows + math.max(least, d.low(a.counts[k]))
    end
    local inside, reach = count(a.x, function(t)
        if a.closed then return true end
        for v = d.low(t), d.high(t) do
            if d.has(t, v) and not listed[v] then return false end
        end
        return true
    end, function(t)
        for _, v in ipairs(a.values) do
            if d.has(t, v) then return true end
        end
        return false
    end)
    return inside <= highs and reach >= lows and (not a.closed or reach == #a.x)
end

function kinds.nvalue(a, d)
    local values, sure, least, union = {}, {}, 0, 0
    for _, t in ipairs(a.x) do
        if fixed(d, t) and not sure[d.low(t)] then
            sure[d.low(t)] = true
            least = least + 1
        end
        if d.high(t) - d.low(t) > MAX_SIZE then return true end
        for v = d.low(t), d.high(t) do
            if d.has(t, v) and not values[v] then
                values[v] = true
                union = union + 1
            end
        end
    end
    for v, lit in pairs(a.used or {}) do -- Booleans: the value occurs
        if d.low(lit) == 1 and not sure[v] then
            sure[v] = true
            least = least + 1
        elseif d.high(lit) == 0 and values[v] then
            values[v] = nil
            union = union - 1
        end
    end
    -- Intervals that do not meet need a value each.
    local order = table.move(a.x, 1, #a.x, 1, {})
    table.sort(order, function(s, t) return d.high(s) < d.high(t) end)
    local apart, last = 0, math.mininteger
    for _, t in ipairs(order) do
        if d.low(t) > last then
            apart, last = apart + 1, d.high(t)
        end
    end
    return math.max(least, apart) <= d.high(a.n) and math.min(union, #a.x) >= d.low(a.n)
end

function kinds.all_equal(a, d)
    for k = 2, #a.x do
        if not meet(d, a.x[1], a.x[k]) then return false end
    end
    return true
end

function kinds.member(a, d)
    for _, t in ipairs(a.x) do
        if meet(d, t, a.y) then return true end
    end
    return false
end

-- ---- graphs -------------------------------------------------------------------------------------

-- Which of the nodes can be reached from `from`, along edges or against them.
local function reach(edge, n, from)
    local seen, stack = {[from] = true}, {from}
    while #stack > 0 do
        local i = table.remove(stack)
        for j = 1, n do
            if not seen[j] and edge(i, j) then
                seen[j] = true
                stack[#stack + 1] = j
            end
        end
    end
    return seen
end

function kinds.circuit(a, d)
    local n = #a.x
    local function edge(i, j) return d.has(a.x[i], j + a.base - 1) end
    if not can_match(d, a.x, {}) then return false end
    for _, t in ipairs(a.x) do
        if d.low(t) > n + a.base - 1 or d.high(t) < a.base then return false end
    end
    local inside = {} -- nodes that must lie on the circuit
    for i = 1, n do
        if not a.sub or not edge(i, i) then inside[#inside + 1] = i end
    end
    if #inside == 0 then return true end
    local from = inside[1]
    local onward = reach(function(i, j) return i ~= j and edge(i, j) end, n, from)
    local backward = reach(function(i, j) return i ~= j and edge(j, i) end, n, from)
    for _, i in ipairs(inside) do
        if n > 1 and not (onward[i] and backward[i]) then return false end
    end
    -- A circuit of fixed edges leaves no node outside it that must be inside.
    for _, first in ipairs(inside) do
        local i, length = first, 0
        local on = {}
        while fixed(d, a.x[i]) and not on[i] do
            on[i] = true
            length = length + 1
            i = d.low(a.x[i]) - a.base + 1
            if i < 1 or i > n then return false end
        end
        if i == first and length > 0 and on[i] then
            for _, other in ipairs(inside) do
                if not on[other] then return false end
            end
        end
    end
    return true
end

function kinds.inverse(a, d)
    local function side(f, g, base_f, base_g)
        for i, t in ipairs(f) do
            local some = false
            for j, u in ipairs(g) do
                local forward = d.has(t, j + base_g - 1)
                local back = d.has(u, i + base_f - 1)
                some = some or (forward and back)
                if forward and fixed(d, t) and not back then return false end
                if back and fixed(d, u) and not forward then return false end
            end
            if not some then return false end
        end
        return true
    end
    return side(a.f, a.g, a.base_f, a.base_g) and side(a.g, a.f, a.base_g, a.base_f)
        and can_match(d, a.f, {}) and can_match(d, a.g, {})
end

-- ---- sequences ----------------------------------------------------------------------------------

function kinds.sort(a, d)
    for k = 2, #a.y do
        if d.low(a.y[k - 1]) > d.high(a.y[k]) then return false end
    end
    local lows, highs = {}, {}
    for k, t in ipairs(a.x) do
        lows[k], highs[k] = d.low(t), d.high(t)
    end
    table.sort(lows)
    table.sort(highs)
    for k, t in ipairs(a.y) do
        if d.high(t) < lows[k] or d.low(t) > highs[k] then return false end
    end
    return true
end

function kinds.arg_sort(a, d)
    local seen = {}
    for k, t in ipairs(a.p) do
        if fixed(d, t) then
            local i = d.low(t) - a.base + 1
            if i < 1 or i > #a.x or seen[i] then return false end
            seen[i] = true
            local before = k > 1 and fixed(d, a.p[k - 1]) and d.low(a.p[k - 1]) - a.base + 1
            if before and a.x[before] then
                local gap = before > i and 1 or 0
                if d.low(a.x[before]) + gap > d.high(a.x[i]) then return false end
            end
        end
    end
    return true
end

-- The first of the greatest (sign 1) or least (-1) has the index.
local function arg_extreme(a, d, sign)
    local low = sign > 0 and d.low or function(t) return -d.high(t) end
    local high = sign > 0 and d.high or function(t) return -d.low(t) end
    for i, t in ipairs(a.x) do
        if d.has(a.index, i + a.base - 1) then
            local may = true
            for j, u in ipairs(a.x) do
                may = may and (j == i or low(u) + (j < i and 1 or 0) <= high(t))
            end
            if may then return true end
        end
    end
    return false
end

function kinds.arg_max(a, d) return arg_extreme(a, d, 1) end
function kinds.arg_min(a, d) return arg_extreme(a, d, -1) end

-- At each place the first so far is less, or equal and it goes on. `d.apart(x, y)`, if there, is
-- what is known of x - y besides the domains; a.tails are Booleans by place: the order holds from
-- there on (of `x` and `y` from place a.from on, like here).
local function lex(x, y, from, strict, d, tail)
    for k = from, math.min(#x, #y) do
        local low, high = d.low(x[k]) - d.high(y[k]), d.high(x[k]) - d.low(y[k])
        if d.apart then
            local below, above = d.apart(x[k], y[k])
            low, high = math.max(low, below), math.min(high, above)
        end
        if low < 0 then return true end
        if low > 0 or high < 0 then return false end
        local on = tail(k + 1)
        if on ~= nil then return on end
    end
    if strict then return #x < #y end
    return #x <= #y
end

-- What is known of the order from a place on.
local function tails_of(a, d, wanted)
    return function(k)
        local lit = a.tails and a.tails[k]
        if not lit or d.low(lit) ~= d.high(lit) then return nil end
        return (d.low(lit) == 1) == wanted
    end
end

function kinds.lex(a, d)
    return lex(a.x, a.y, a.from or 1, a.strict, d, tails_of(a, d, true))
end

function entailed.lex(a, d)
    local reversed = {low = d.low, high = d.high, has = d.has}
    if d.apart then
        function reversed.apart(y, x)
            local low, high = d.apart(x, y)
            return -high, -low
        end
    end
    return not lex(a.y, a.x, a.from or 1, not a.strict, reversed, tails_of(a, d, false))
end

function kinds.precede(a, d)
    -- reached[k]: so far the first k values may be those that occurred.
    local reached = {[0] = true}
    local place = {}
    for k, v in ipairs(a.values) do place[v] = k end
    for _, t in ipairs(a.x) do
        local after = {}
        if d.high(t) - d.low(t) > MAX_SIZE then return true end
        for k in pairs(reached) do
            for v = d.low(t), d.high(t) do
                local at = place[v]
                if d.has(t, v) and (not at or at <= k + 1) then
                    after[math.max(k, at or 0)] = true
                end
            end
        end
        reached = after
    end
    return next(reached) ~= nil
end

function kinds.increasing(a, d)
    local gap = a.strict and 1 or 0
    local low
    for _, t in ipairs(a.x) do
        low = math.max(low and low + gap or d.low(t), d.low(t))
        if low > d.high(t) then return false end
    end
    return true
end

-- Whether some of the weights have a sum within low..high.
local function some_sum(weights, low, high)
    if low <= 0 then return true end
    local reached = {[0] = true}
    for _, w in ipairs(weights) do
        if w < 0 then return true end
        local more = {}
        for before in pairs(reached) do
            local with = before + w
            if with >= low and with <= high then return true end
            if with < low then more[#more + 1] = with end
        end
        for _, with in ipairs(more) do reached[with] = true end
    end
    return false
end

function kinds.bin_packing(a, d)
    local total, least, most = 0, 0, 0
    for _, w in ipairs(a.weights) do total = total + w end
    for b, load in ipairs(a.loads) do
        local sure, possible, open = 0, 0, {}
        for k, t in ipairs(a.bins) do
            local v = b + a.base - 1
            if d.has(t, v) then
                possible = possible + a.weights[k]
                if fixed(d, t) then
                    sure = sure + a.weights[k]
                else
                    open[#open + 1] = a.weights[k]
                end
            end
        end
        local low, high = d.low(load), d.high(load)
        if sure > high or possible < low then return false end
        if high - low <= MAX_SIZE and possible <= MAX_SIZE
            and not some_sum(open, low - sure, high - sure) then
            return false
        end
        least, most = least + d.low(load), most + d.high(load)
    end
    for _, t in ipairs(a.bins) do
        if d.high(t) < a.base or d.low(t) > #a.loads + a.base - 1 then return false end
    end
    return least <= total and total <= most
end

function kinds.knapsack(a, d)
    for _, t in ipairs(a.x) do
        if d.high(t) < 0 then return false end
    end
    local function fits(w, z)
        local low, high = sum({x = a.x, a = w}, d)
        return low <= d.high(z) and high >= d.low(z)
    end
    return fits(a.weights, a.W) and fits(a.profits, a.P)
end

return kinds
