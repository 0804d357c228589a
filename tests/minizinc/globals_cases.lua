-- SPDX-License-Identifier: MIT
--
-- globals_cases.lua - random small uses of every global in bindings/minizinc/mznlib: index sets
-- that begin anywhere, empty arrays, elements that are constants, values out of range.
--
-- A case is a function of `g`, which declares variables and gives their text; it returns the
-- constraint. Cases are named by the file of the library they are for.

local random = math.random
local cases = {}

local g = {}

---Starts a model.
function g.begin()
    g.items, g.names, g.count = {}, {}, 0
end

local function declare(kind, value)
    g.count = g.count + 1
    local name = "v" .. g.count
    g.items[#g.items + 1] = ("%s: %s%s;"):format(kind, name, value and " = " .. value or "")
    g.names[#g.names + 1] = name
    return name
end

function g.int(low, high)
    return declare(("var %d..%d"):format(low, high))
end

---A sparse domain, now and then.
function g.domain(low, high)
    if high - low < 2 or random(4) > 1 then return ("%d..%d"):format(low, high) end
    local values = {}
    for v = low, high do
        if random(3) > 1 then values[#values + 1] = v end
    end
    return #values > 0 and "{" .. table.concat(values, ",") .. "}" or ("%d..%d"):format(low, high)
end

---An array of variables: `length` of them, from index `base` on; some are constants.
function g.ints(length, low, high, base, type)
    base = base or g.base()
    local elements, known = {}, 0
    for k = 1, length do
        elements[k] = "_"
        if random(5) == 1 then
            elements[k] = type == "bool" and (random(2) == 1 and "true" or "false") or
                tostring(random(low, high))
            known = known + 1
        end
    end
    local items = known > 0 and known < length and
        ("array1d(%d..%d, [%s])"):format(base, base + length - 1, table.concat(elements, ","))
    return declare(("array[%d..%d] of var %s"):format(base, base + length - 1,
        type or g.domain(low, high)), items)
end

function g.bools(length, base)
    return g.ints(length, 0, 1, base, "bool")
end

---Optional variables; one that is absent for good among them, now and then.
function g.opts(length, low, high, base)
    local elements = {}
    for k = 1, length do
        elements[k] = k > 1 and random(3) == 1 and "<>" or
            declare(("var opt %d..%d"):format(low, high))
    end
    return g.at(base, length, "[" .. table.concat(elements, ",") .. "]")
end

function g.base()
    return ({1, 1, 0, 5, -2})[random(5)]
end

---A length: 3 mostly, 0 now and then.
function g.length(most)
    return random(8) == 1 and 0 or random(1, most or 3)
end

---Constants: an array literal.
function g.values(length, low, high)
    local values = {}
    for k = 1, length do values[k] = random(low, high) end
    return "[" .. table.concat(values, ",") .. "]"
end

---Different constants.
function g.different(length, low, high)
    local pool, values = {}, {}
    for v = low, high do pool[#pool + 1] = v end
    for k = 1, length do values[k] = table.remove(pool, random(#pool)) end
    return "[" .. table.concat(values, ",") .. "]"
end

function g.at(base, length, list)
    return ("array1d(%d..%d, %s)"):format(base, base + length - 1, list)
end

function g.set(low, high)
    local values = {}
    for v = low, high do
        if random(2) == 1 then values[#values + 1] = v end
    end
    return "{" .. table.concat(values, ",") .. "}"
end

---A variable, or a constant.
function g.value(low, high)
    return random(3) == 1 and tostring(random(low, high)) or g.int(low, high)
end

cases.g = g
local list = {}
cases.list = list

local function case(name, fn)
    list[#list + 1] = {name = name, fn = fn}
end

local function unary(name, predicate, low, high, most, bools)
    case(name, function()
        local n = g.length(most or 4)
        return predicate .. "(" .. (bools and g.bools(n) or g.ints(n, low, high)) .. ")"
    end)
end

unary("all_different_int", "all_different", -1, 3)
unary("alldifferent_except_0", "alldifferent_except_0", -1, 2)
case("alldifferent_except", function()
    return ("all_different_except(%s, %s)"):format(g.ints(g.length(4), 0, 3), g.set(-1, 4))
end)
unary("all_equal_int", "all_equal", 0, 3)
unary("increasing_int", "increasing", 0, 2)
unary("increasing_bool", "increasing", 0, 1, 4, true)
unary("strictly_increasing_int", "strictly_increasing", 0, 4)
unary("decreasing_int", "decreasing", 0, 2)
unary("decreasing_bool", "decreasing", 0, 1, 4, true)
unary("strictly_decreasing_int", "strictly_decreasing", 0, 4)

case("among", function()
    return ("among(%s, %s, %s)"):format(g.value(-1, 4), g.ints(g.length(), 0, 3), g.set(0, 4))
end)
for _, name in ipairs {"at_least", "at_most", "exactly"} do
    case(name .. "_int", function()
        return ("%s(%d, %s, %d)"):format(name, random(-1, 4), g.ints(g.length(4), 0, 2),
            random(0, 3))
    end)
end
for _, name in ipairs {"count_eq", "count_neq", "count_leq", "count_lt", "count_geq", "count_gt"} do
    case(name, function()
        return ("%s(%s, %s, %s)"):format(name, g.ints(g.length(), 0, 2), g.value(-1, 2),
            g.value(-1, 4))
    end)
    case(name .. "_par", function()
        return ("%s(%s, %d, %d)"):format(name, g.ints(g.length(4), 0, 2), random(0, 2),
            random(-1, 4))
    end)
end
case("nvalue", function()
    return ("nvalue(%s, %s)"):format(g.value(0, 4), g.ints(g.length(4), -1, 2))
end)
case("member_int", function()
    return ("member(%s, %s)"):format(g.ints(g.length(), -1, 2), g.value(-2, 3))
end)

for _, kind in ipairs {"max", "min"} do
    case("arg_" .. kind .. "_int", function()
        return ("%s = arg_%s(%s)"):format(g.int(-2, 8), kind, g.ints(random(1, 4), -1, 2))
    end)
    case("arg_" .. kind .. "_bool", function()
        return ("%s = arg_%s(%s)"):format(g.int(-2, 8), kind, g.bools(random(1, 4)))
    end)
    case("array_int_" .. kind, function()
        return ("%s = %s(%s)"):format(g.int(-2, 3), kind, g.ints(random(1, 4), -2, 3))
    end)
end
case("arg_sort_int", function()
    -- MiniZinc's decomposition leaves the p of one element free, and wants arrays from 1 on.
    local n, base = random(2, 3), 1
    return ("arg_sort(%s, %s)"):format(g.ints(n, 0, 2, base), g.ints(n, base - 1, base + n, base))
end)
case("sort", function()
    local n = g.length()
    local base = g.base()
    return ("sort(%s, %s)"):format(g.ints(n, -1, 2, base), g.ints(n, -1, 2, base))
end)
case("inverse", function()
    local n, f, invf = g.length(), g.base(), g.base()
    return ("inverse(%s, %s)"):format(g.ints(n, invf - 1, invf + n, f),
        g.ints(random(9) == 1 and random(0, 3) or n, f - 1, f + n, invf))
end)
case("inverse_in_range", function()
    local n, m, f, invf = random(1, 3), random(1, 3), g.base(), g.base()
    return ("inverse_in_range(%s, %s)"):format(g.ints(n, invf - 1, invf + m, f),
        g.ints(m, f - 1, f + n, invf))
end)
for _, name in ipairs {"circuit", "subcircuit"} do
    case(name, function()
        -- One node: MiniZinc's decomposition knows no circuit there, Gecode's and ours do.
        local n, base = math.max(g.length(4), 2), g.base()
        return ("%s(%s)"):format(name, g.ints(n, base - (random(6) == 1 and 1 or 0), base + n,
            base))
    end)
end

for _, name in ipairs {"less", "lesseq", "greater", "greatereq"} do
    case("lex_" .. name .. "_int", function()
        local n = g.length()
        local m = random(4) == 1 and random(0, 2) or n
        return ("lex_%s(%s, %s)"):format(name, g.ints(n, 0, 2), g.ints(m, 0, 2))
    end)
    case("lex_" .. name .. "_bool", function()
        local n = g.length()
        return ("lex_%s(%s, %s)"):format(name, g.bools(n), g.bools(n))
    end)
end
case("value_precede_int", function()
    return ("value_precede(%d, %d, %s)"):format(random(0, 2), random(0, 3),
        g.ints(g.length(4), 0, 2))
end)
case("value_precede_chain_int", function()
    return ("value_precede_chain(%s, %s)"):format(g.different(random(0, 3), 0, 3),
        g.ints(g.length(4), 0, 3))
end)

case("global_cardinality", function()
    local n, base = random(0, 3), g.base()
    return ("global_cardinality%s(%s, %s, %s)"):format(random(2) == 1 and "_closed" or "",
        g.ints(g.length(), 0, 3), g.at(base, n, g.different(n, 0, 4)), g.ints(n, -1, 3, base))
end)
case("global_cardinality_low_up", function()
    local n, low, high = random(0, 3), {}, {}
    for k = 1, n do
        low[k] = random(-1, 2)
        high[k] = random(low[k], 4)
    end
    return ("global_cardinality_low_up%s(%s, %s, [%s], [%s])"):format(
        random(2) == 1 and "_closed" or "", g.ints(g.length(), 0, 3), g.different(n, 0, 4),
        table.concat(low, ","), table.concat(high, ","))
end)

case("bin_packing", function()
    local n, base = g.length(), g.base()
    return ("bin_packing(%d, %s, %s)"):format(random(0, 5), g.ints(n, 0, 3, base),
        g.at(base, n, g.values(n, 0, 4)))
end)
case("bin_packing_capa", function()
    local n, bins, base = random(1, 4), random(1, 3), g.base()
    return ("bin_packing_capa(%s, %s, %s)"):format(g.at(base, bins, g.values(bins, 0, 5)),
        g.ints(n, base - 1, base + bins, 1), g.values(n, 0, 4))
end)
case("bin_packing_load", function()
    local n, bins, base = random(1, 3), random(1, 2), g.base()
    return ("bin_packing_load(%s, %s, %s)"):format(g.ints(bins, -1, 6, base),
        g.ints(n, base - 1, base + bins, 1), g.values(n, 0, 4))
end)
case("knapsack", function()
    local n = g.length()
    return ("knapsack(%s, %s, %s, %s, %s)"):format(g.values(n, 0, 3), g.values(n, 0, 3),
        g.ints(n, 0, 2), g.int(0, 9), g.int(0, 9))
end)

case("cumulative", function()
    local n, base = g.length(), g.base()
    local bound = random(2) == 1 and tostring(random(0, 3)) or g.int(0, 3)
    if random(2) == 1 then
        return ("cumulative(%s, %s, %s, %s)"):format(g.ints(n, 0, 3, base),
            g.at(base, n, g.values(n, 0, 3)), g.at(base, n, g.values(n, 0, 3)), bound)
    end
    n = math.min(n, 2)
    return ("cumulative(%s, %s, %s, %s)"):format(g.ints(n, 0, 3, base), g.ints(n, 0, 2, base),
        g.ints(n, 0, 2, base), bound)
end)
case("cumulative_opt", function()
    local n, base = random(1, 3), g.base()
    return ("cumulative(%s, %s, %s, %d)"):format(g.opts(n, 0, 3, base),
        g.at(base, n, g.values(n, 0, 3)), g.at(base, n, g.values(n, 0, 2)), random(1, 3))
end)
for _, name in ipairs {"disjunctive", "disjunctive_strict"} do
    case(name, function()
        local n, base = g.length(), g.base()
        return ("%s(%s, %s)"):format(name, g.ints(n, 0, 4, base),
            random(2) == 1 and g.at(base, n, g.values(n, 0, 2)) or g.ints(n, 0, 2, base))
    end)
    case(name .. "_opt", function()
        local n, base = random(1, 3), g.base()
        return ("%s(%s, %s)"):format(name, g.opts(n, 0, 3, base),
            g.at(base, n, g.values(n, 0, 2)))
    end)
end
for _, name in ipairs {"diffn", "diffn_nonstrict"} do
    case(name, function()
        local n, base = g.length(), g.base()
        local sizes = random(2) == 1 and n < 3
        return ("%s(%s, %s, %s, %s)"):format(name, g.ints(n, 0, 2, base), g.ints(n, 0, 2, base),
            sizes and g.ints(n, 0, 2, base) or g.at(base, n, g.values(n, 0, 2)),
            g.at(base, n, g.values(n, 0, 2)))
    end)
end

case("table_int", function()
    local n, rows = random(1, 3), random(0, 5)
    return ("table(%s, array2d(%d..%d, 1..%d, %s))"):format(g.ints(n, 0, 3, 1), 1, rows, n,
        g.values(n * rows, 0, 3))
end)
case("table_bool", function()
    local n, rows, values = random(1, 3), random(0, 4), {}
    for k = 1, n * rows do values[k] = random(2) == 1 and "true" or "false" end
    return ("table(%s, array2d(%d..%d, 1..%d, [%s]))"):format(g.bools(n, 1), 1, rows, n,
        table.concat(values, ","))
end)
case("regular", function()
    local states, symbols = random(1, 3), random(1, 3)
    return ("regular(%s, %d, %d, array2d(1..%d, 1..%d, %s), %d, %s)"):format(
        g.ints(g.length(4), 0, symbols + 1), states, symbols, states, symbols,
        g.values(states * symbols, 0, states), random(1, states), g.set(1, states))
end)
case("regular_nfa", function()
    local cells = {}
    for k = 1, 4 do cells[k] = g.set(1, 2) end
    return ("regular_nfa(%s, 2, 2, array2d(1..2, 1..2, [%s]), 1, %s)"):format(
        g.ints(g.length(4), 0, 3), table.concat(cells, ","), g.set(1, 2))
end)
case("regular_regexp", function()
    local regexps = {"1* 2", "(1|2)* 3", "1 2? 3+", "[1-3]{2} 1*"}
    return ("regular(%s, %q)"):format(g.ints(random(1, 4), 1, 3), regexps[random(#regexps)])
end)
case("mdd", function()
    local labels = {}
    for k = 1, 3 do labels[k] = g.set(0, 2) end
    -- root 1, nodes 2 and 3, the end 0; labels of the edges of one node must differ.
    return ("mdd(%s, 3, [1, 2, 2], 4, [1, 1, 2, 3], [{0}, %s, %s, %s], [2, 3, 0, 0])"):format(
        g.ints(2, -1, 3, 1), "{1,2}", labels[2], labels[3])
end)
case("mdd_nondet", function()
    local labels = {}
    for k = 1, 4 do labels[k] = g.set(0, 2) end
    return ("mdd_nondet(%s, 3, [1, 2, 2], 4, [1, 1, 2, 3], [%s], [2, 3, 0, 0])"):format(
        g.ints(2, -1, 3, 1), table.concat(labels, ", "))
end)

-- What the library leaves to MiniZinc, through sets of Booleans and the basic constraints.
case("int_pow_fixed", function()
    return ("%s = pow(%s, %d)"):format(g.int(-30, 30), g.int(-3, 3), random(0, 4))
end)
case("arithmetic", function()
    local operations = {"*", "div", "mod"}
    return ("%s = %s %s %s"):format(g.int(-9, 9), g.int(-4, 4), operations[random(3)],
        g.int(-2, 3))
end)
case("element", function()
    local n, base = random(1, 4), g.base()
    return ("%s = %s[%s]"):format(g.int(-1, 3), random(2) == 1 and g.ints(n, -1, 3, base) or
        g.at(base, n, g.values(n, -1, 3)), g.int(base - 1, base + n))
end)
case("bool", function()
    local forms = {"%s -> %s \\/ not %s", "%s xor %s xor %s", "(%s <-> %s) < %s",
        "exists([%s, not %s, %s])", "%s + %s + %s != 2", "(%s <= %s) = %s", "xorall([%s, %s, %s])"}
    return forms[random(#forms)]:format(declare "var bool", declare "var bool",
        declare "var bool")
end)
case("sets", function()
    local forms = {"card(%s) = %s", "%s in %s", "%s subset {%s, 1}"}
    local form = random(3)
    local set, one = declare "var set of 0..2", g.int(-1, 3)
    return form == 2 and forms[2]:format(one, set) or forms[form]:format(set, one)
end)

return cases
