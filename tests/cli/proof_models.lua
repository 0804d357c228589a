-- SPDX-License-Identifier: MIT
--
-- proof_models.lua - random small models in FlatZinc, of each predicate that the solver takes: for
-- the tests of proofs. The same for the same seed.

local models = {}

local random = math.random

local function pick(list)
    return list[random(#list)]
end

-- ---- variables ----------------------------------------------------------------------------------

local function new_model()
    local m = {lines = {}, ints = {}, bools = {}, constraints = {}}
    for k = 1, random(3, 5) do
        local low = random(-2, 2)
        local high = low + random(1, 4)
        local domain = ("%d..%d"):format(low, high)
        if high - low >= 2 and random(4) == 1 then
            local values = {}
            for v = low, high do
                if v == low or v == high or random(2) == 1 then values[#values + 1] = v end
            end
            domain = "{" .. table.concat(values, ",") .. "}"
        end
        m.ints[k] = "x" .. k
        m.lines[#m.lines + 1] = ("var %s: x%d%s;"):format(domain, k,
            k <= 2 and ":: output_var" or "") -- few solutions that differ
    end
    for k = 1, 3 do
        m.bools[k] = "b" .. k
        m.lines[#m.lines + 1] = ("var bool: b%d;"):format(k)
    end
    return m
end

local function int(m, low, high)
    return random(8) == 1 and tostring(random(low or -1, high or 3)) or pick(m.ints)
end

local function bool(m)
    return random(10) == 1 and pick {"true", "false"} or pick(m.bools)
end

local function list(count, f, ...)
    local out = {}
    for k = 1, count do out[k] = f(...) end
    return "[" .. table.concat(out, ",") .. "]"
end

local function ints(m, count, ...) return list(count, int, m, ...) end
local function bools(m, count) return list(count, bool, m) end
local function numbers(count, low, high)
    return list(count, function() return tostring(random(low, high)) end)
end
local function number(low, high) return tostring(random(low, high)) end
local function set(low, high)
    local values, seen = {}, {}
    for _ = 1, random(1, 3) do
        local v = random(low, high)
        if not seen[v] then
            seen[v] = true
            values[#values + 1] = v
        end
    end
    table.sort(values)
    return "{" .. table.concat(values, ",") .. "}"
end
-- A new variable of its own domain, so that a constraint is not void.
local function within(m, low, high)
    local name = "y" .. #m.lines
    m.lines[#m.lines + 1] = ("var %d..%d: %s;"):format(low, high, name)
    return name
end
local function list_within(m, count, low, high)
    return list(count, function() return within(m, low, high) end)
end

-- ---- predicates ---------------------------------------------------------------------------------

local writers = {}

local function plain(name, write) writers[name] = write end
local function with_conditions(name, write)
    writers[name] = write
    writers[name .. "_reif"] = function(m) return write(m) .. "," .. bool(m) end
    writers[name .. "_imp"] = function(m) return write(m) .. "," .. bool(m) end
end
local function join(...) return table.concat({...}, ",") end

for _, name in ipairs {"eq", "ne", "le", "lt"} do
    with_conditions("int_" .. name, function(m) return join(int(m), int(m)) end)
    with_conditions("bool_" .. name, function(m) return join(bool(m), bool(m)) end)
end
for _, name in ipairs {"eq", "ne", "le"} do
    with_conditions("int_lin_" .. name, function(m)
        local n = random(2, 3)
        return join(numbers(n, -3, 3), ints(m, n), number(-3, 6))
    end)
    with_conditions("bool_lin_" .. name, function(m)
        return join(numbers(3, -2, 3), bools(m, 3), int(m))
    end)
end
with_conditions("set_in", function(m) return join(int(m), set(-2, 4)) end)
with_conditions("bool_clause", function(m)
    return join(bools(m, random(2)), bools(m, random(2)))
end)
plain("bool2int", function(m) return join(pick(m.bools), int(m)) end)
plain("bool_not", function(m) return join(bool(m), bool(m)) end)
plain("int_plus", function(m) return join(int(m), int(m), int(m)) end)
for _, name in ipairs {"times", "div", "mod", "min", "max"} do
    plain("int_" .. name, function(m) return join(int(m), int(m), int(m)) end)
end
plain("int_pow", function(m) return join(int(m), within(m, 0, 2), within(m, -4, 9)) end)
plain("int_abs", function(m) return join(int(m), int(m)) end)
plain("array_int_minimum", function(m) return join(int(m), ints(m, 3)) end)
plain("array_int_maximum", function(m) return join(int(m), ints(m, 3)) end)
plain("array_int_element", function(m) return join(int(m, 1, 3), numbers(3, -1, 3), int(m)) end)
plain("array_var_int_element", function(m) return join(int(m, 1, 3), ints(m, 3), int(m)) end)
plain("array_var_bool_element", function(m) return join(int(m, 1, 3), bools(m, 3), bool(m)) end)
plain("bool_and", function(m) return join(bool(m), bool(m), bool(m)) end)
plain("bool_or", function(m) return join(bool(m), bool(m), bool(m)) end)
plain("bool_xor", function(m) return join(bool(m), bool(m), bool(m)) end)
plain("array_bool_and", function(m) return join(bools(m, 3), bool(m)) end)
plain("array_bool_or", function(m) return join(bools(m, 3), bool(m)) end)
plain("array_bool_or_imp", function(m) return join(bools(m, 3), bool(m)) end)
plain("array_bool_xor", function(m) return bools(m, 3) end)
plain("fzn_all_different_int", function(m) return ints(m, random(2, 4)) end)
plain("fzn_alldifferent_except_0", function(m) return ints(m, 4) end)
with_conditions("fzn_all_equal_int", function(m) return ints(m, 2) end)
plain("fzn_among", function(m) return join(within(m, 0, 2), ints(m, 3), set(-1, 3)) end)
plain("fzn_at_least_int", function(m) return join(number(1, 2), ints(m, 3), number(-1, 3)) end)
plain("fzn_at_most_int", function(m) return join(number(0, 1), ints(m, 3), number(-1, 3)) end)
for _, name in ipairs {"eq", "neq", "leq", "geq", "lt", "gt"} do
    plain("fzn_count_" .. name, function(m) return join(ints(m, 3), int(m), within(m, 0, 3)) end)
end
plain("fzn_cumulative", function(m)
    return join(list_within(m, 3, 0, 3), numbers(3, 0, 2), numbers(3, 0, 2), number(1, 3))
end)
plain("fzn_disjunctive", function(m)
    return join(list_within(m, 3, 0, 3), numbers(3, 0, 2))
end)
plain("fzn_disjunctive_strict", function(m)
    return join(list_within(m, 3, 0, 3), numbers(3, 0, 2))
end)
plain("cns_disjunctive_opt", function(m)
    return join(list_within(m, 3, 0, 3), numbers(3, 1, 2), bools(m, 3))
end)
plain("fzn_diffn", function(m)
    return join(list_within(m, 2, 0, 2), list_within(m, 2, 0, 1), numbers(2, 1, 2),
        numbers(2, 1, 2))
end)
plain("fzn_global_cardinality", function(m)
    return join(ints(m, 3), "[0,2]", list_within(m, 2, 0, 2))
end)
plain("fzn_global_cardinality_closed", function(m)
    return join(ints(m, 3), "[0,1,2]", list_within(m, 3, 0, 2))
end)
with_conditions("fzn_increasing_int", function(m) return ints(m, 3) end)
with_conditions("fzn_strictly_increasing_int", function(m) return ints(m, 2) end)
with_conditions("fzn_lex_lesseq_int", function(m) return join(ints(m, 2), ints(m, 2)) end)
with_conditions("fzn_lex_less_int", function(m) return join(ints(m, 2), ints(m, 2)) end)
with_conditions("fzn_member_int", function(m) return join(ints(m, 2), int(m)) end)
plain("fzn_nvalue", function(m) return join(within(m, 1, 3), ints(m, 3)) end)
plain("fzn_regular", function(m)
    return join(list_within(m, 3, 1, 2), "3", "2", "[2,1,3,2,0,1]", "1", "{2,3}")
end)
plain("fzn_sort", function(m) return join(ints(m, 3), ints(m, 3)) end)
plain("fzn_knapsack", function(m)
    return join("[1,2]", "[2,1]", list_within(m, 2, 0, 2), within(m, 0, 5), within(m, 0, 5))
end)
plain("fzn_table_int", function(m)
    local rows = {}
    for k = 1, 3 * random(2, 6) do rows[k] = random(-1, 3) end
    return join(ints(m, 3), "[" .. table.concat(rows, ",") .. "]")
end)
plain("fzn_value_precede_chain_int", function(m) return join("[1,2,3]", ints(m, 4)) end)
plain("cns_arg_max", function(m) return join("1", ints(m, 3), within(m, 1, 3)) end)
plain("cns_arg_min", function(m) return join("0", ints(m, 3), within(m, 0, 2)) end)
plain("cns_arg_sort", function(m) return join("1", ints(m, 3), list_within(m, 3, 1, 3)) end)
plain("cns_bin_packing_load", function(m)
    return join("1", list_within(m, 2, 0, 4), list_within(m, 3, 1, 2), numbers(3, 0, 2))
end)
plain("cns_circuit", function(m) return join("1", list_within(m, 4, 1, 4)) end)
plain("cns_subcircuit", function(m) return join("1", list_within(m, 4, 1, 4)) end)
plain("cns_inverse", function(m)
    return join("1", "1", list_within(m, 3, 1, 3), list_within(m, 3, 1, 3))
end)
plain("cns_mdd", function(m)
    return join(list_within(m, 2, 0, 2), "3", "[1,0,0,2,1,1,2,3,2,1,2,0,3,0,1,0]")
end)

local names = {}
for name in pairs(writers) do names[#names + 1] = name end
table.sort(names)
models.names = names

-- ---- models -------------------------------------------------------------------------------------

-- The text of a random model that has a constraint of the name, and one or two others. `goal`:
-- "satisfy", "minimize" or "maximize".
function models.random(name, seed, goal)
    math.randomseed(seed)
    local m = new_model()
    for k = 1, random(2, 4) do
        local which = k == 1 and name or pick(names)
        m.constraints[k] = ("constraint %s(%s);"):format(which, writers[which](m))
    end
    local text = table.concat(m.lines, "\n") .. "\n" .. table.concat(m.constraints, "\n")
    local objective = goal == "satisfy" and "satisfy" or goal .. " " .. m.ints[1]
    return text .. "\nsolve " .. objective .. ";\n"
end

-- The text of a random model of one constraint.
function models.single(name, seed)
    math.randomseed(seed)
    local m = new_model()
    local constraint = ("constraint %s(%s);"):format(name, writers[name](m))
    return table.concat(m.lines, "\n") .. "\n" .. constraint .. "\nsolve satisfy;\n"
end

-- ---- larger constraints, of variables of their own ----------------------------------------------

local large = {}

local function fresh_model() return {lines = {}, ints = {}, bools = {}} end

-- Starts of tasks, each within a window of its own.
local function windows(m, count, last, width)
    return list(count, function()
        local low = random(0, last - 1)
        return within(m, low, math.min(last, low + random(1, width)))
    end)
end

function large.fzn_disjunctive(m) return join(windows(m, 4, 6, 5), numbers(4, 1, 3)) end
function large.fzn_disjunctive_strict(m) return join(windows(m, 4, 6, 5), numbers(4, 0, 3)) end
function large.cns_disjunctive_opt(m)
    local presence = list(3, function()
        local name = "p" .. #m.lines
        m.lines[#m.lines + 1] = ("var bool: %s;"):format(name)
        return name
    end)
    return join(windows(m, 3, 4, 3), numbers(3, 1, 3), presence)
end
function large.fzn_cumulative(m)
    return join(windows(m, 4, 6, 4), numbers(4, 1, 3), numbers(4, 1, 3), number(3, 4))
end
function large.fzn_diffn(m)
    return join(windows(m, 3, 3, 2), windows(m, 3, 2, 2), numbers(3, 1, 2), numbers(3, 1, 2))
end
function large.fzn_diffn_nonstrict(m)
    return join(windows(m, 3, 3, 2), windows(m, 3, 2, 1), numbers(3, 0, 2), numbers(3, 1, 2))
end
function large.fzn_lex_less_int(m) return join(windows(m, 3, 2, 2), windows(m, 3, 2, 2)) end
function large.fzn_lex_lesseq_int(m) return join(windows(m, 3, 2, 2), windows(m, 3, 2, 2)) end
function large.cns_inverse(m)
    return join("1", "1", list_within(m, 4, 1, 4), list_within(m, 4, 1, 4))
end
function large.fzn_all_different_int(m) return windows(m, 5, 5, 3) end
function large.fzn_global_cardinality(m)
    return join(windows(m, 5, 3, 2), "[0,1,2]", list_within(m, 3, 0, 3))
end
function large.fzn_regular(m)
    return join(list_within(m, 5, 1, 2), "4", "2", "[2,3,3,4,4,1,2,0]", "1", "{1,3,4}")
end
function large.fzn_table_int(m)
    local rows = {}
    for k = 1, 4 * random(6, 12) do rows[k] = random(0, 2) end
    return join(list_within(m, 4, 0, 2), "[" .. table.concat(rows, ",") .. "]")
end
function large.fzn_nvalue(m) return join(within(m, 1, 4), windows(m, 4, 4, 3)) end
function large.fzn_value_precede_chain_int(m) return join("[1,2,3]", list_within(m, 5, 1, 3)) end
function large.cns_bin_packing_load(m)
    return join("1", list_within(m, 2, 0, 6), list_within(m, 4, 1, 2), numbers(4, 1, 3))
end
function large.fzn_knapsack(m)
    return join(numbers(3, 1, 3), numbers(3, 1, 3), list_within(m, 3, 0, 2), within(m, 0, 6),
        within(m, 0, 8))
end
function large.cns_circuit(m) return join("1", list_within(m, 5, 1, 5)) end
function large.fzn_member_int(m) return join(windows(m, 3, 3, 3), within(m, 1, 3)) end
function large.fzn_among(m) return join(within(m, 0, 3), list_within(m, 4, 0, 3), "{0,2,3}") end

models.large_names = {}
for name in pairs(large) do models.large_names[#models.large_names + 1] = name end
table.sort(models.large_names)

-- The text of a random model of one constraint over more variables.
function models.large(name, seed)
    math.randomseed(seed)
    local m = fresh_model()
    local constraint = ("constraint %s(%s);"):format(name, large[name](m))
    return table.concat(m.lines, "\n") .. "\n" .. constraint .. "\nsolve satisfy;\n"
end

return models
