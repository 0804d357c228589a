-- SPDX-License-Identifier: MIT
--
-- cns.proof.predicates: FlatZinc's predicates, and those of the solver's library, as kinds of
-- cns.proof.kinds with named arguments. A row gives a kind, its arguments, and for conditions the
-- argument that implies the constraint ("if") or says whether it holds ("iff").

local predicates = {}

local function values_of(set)
    local out = {}
    if type(set) ~= "table" then return {[set] = true} end
    if set.set then
        for k = 1, #set.set, 2 do
            for v = set.set[k], set.set[k + 1] do out[v] = true end
        end
    else
        for _, v in ipairs(set) do out[v] = true end
    end
    return out
end

local rows = {}

-- name, name_reif and name_imp; `count` arguments and the condition.
local function with_conditions(name, count, build)
    rows[name] = build
    rows[name .. "_reif"] = function(x)
        local kind, a = build(x)
        return kind, a, x[count + 1], "iff"
    end
    rows[name .. "_imp"] = function(x)
        local kind, a = build(x)
        return kind, a, x[count + 1], "if"
    end
end

local function difference(kind, c)
    return function(x) return kind, {x = {x[1], x[2]}, a = {1, -1}, c = c} end
end

for _, type in ipairs {"int", "bool"} do
    with_conditions(type .. "_eq", 2, difference("eq", 0))
    with_conditions(type .. "_ne", 2, difference("ne", 0))
    with_conditions(type .. "_le", 2, difference("le", 0))
    with_conditions(type .. "_lt", 2, difference("le", -1))
end
for name, kind in pairs {eq = "eq", ne = "ne", le = "le"} do
    with_conditions("int_lin_" .. name, 3, function(x)
        return kind, {a = x[1], x = x[2], c = x[3]}
    end)
    with_conditions("bool_lin_" .. name, 3, function(x) -- the right side is a variable
        local a = table.move(x[1], 1, #x[1], 1, {})
        local terms = table.move(x[2], 1, #x[2], 1, {})
        a[#a + 1], terms[#terms + 1] = -1, x[3]
        return kind, {a = a, x = terms, c = 0}
    end)
end
with_conditions("set_in", 2, function(x) return "in", {x = x[1], ranges = x[2].set} end)
rows.bool2int = difference("eq", 0)
rows.bool_not = difference("ne", 0)
function rows.int_plus(x) return "eq", {x = x, a = {1, 1, -1}, c = 0} end
for _, kind in ipairs {"times", "div", "mod", "pow"} do
    rows["int_" .. kind] = function(x) return kind, {x = x[1], y = x[2], z = x[3]} end
end
function rows.int_abs(x) return "abs", {x = x[1], z = x[2]} end
for _, kind in ipairs {"min", "max"} do
    rows["int_" .. kind] = function(x) return kind, {x = {x[1], x[2]}, z = x[3]} end
    rows["array_int_" .. kind .. "imum"] = function(x) return kind, {x = x[2], z = x[1]} end
end
for _, name in ipairs {"int", "bool", "var_int", "var_bool"} do
    rows["array_" .. name .. "_element"] = function(x)
        return "element", {index = x[1], x = x[2], z = x[3], base = 1}
    end
end

local function clause(positive, negatives)
    return "clause", {positive = positive, negative = negatives}
end

function rows.bool_and(x) return "all", {x = {x[1], x[2]}}, x[3], "iff" end
function rows.bool_or(x)
    local kind, a = clause({x[1], x[2]}, {})
    return kind, a, x[3], "iff"
end
function rows.array_bool_and(x) return "all", {x = x[1]}, x[2], "iff" end
function rows.array_bool_or(x)
    local kind, a = clause(x[1], {})
    return kind, a, x[2], "iff"
end
function rows.array_bool_or_imp(x)
    local kind, a = clause(x[1], {})
    return kind, a, x[2], "if"
end
with_conditions("bool_clause", 2, function(x) return clause(x[1], x[2]) end)
function rows.bool_xor(x)
    if #x == 2 then return "ne", {x = x, a = {1, -1}, c = 0} end
    return "ne", {x = {x[1], x[2]}, a = {1, -1}, c = 0}, x[3], "iff"
end
function rows.array_bool_xor(x) return "xor", {x = x[1]} end
function rows.array_bool_xor_imp(x) return "xor", {x = x[1]}, x[2], "if" end

function rows.fzn_all_different_int(x) return "alldifferent", {x = x[1], except = {}} end
function rows.fzn_alldifferent_except_0(x)
    return "alldifferent", {x = x[1], except = {[0] = true}}
end
function rows.fzn_alldifferent_except(x)
    return "alldifferent", {x = x[1], except = values_of(x[2])}
end
with_conditions("fzn_all_equal_int", 1, function(x) return "all_equal", {x = x[1]} end)
function rows.fzn_among(x) return "among", {n = x[1], x = x[2], values = values_of(x[3])} end
local function counted(name, relation) -- n, x, y
    rows[name] = function(x) return "count", {n = x[1], x = x[2], y = x[3], relation = relation} end
end
counted("fzn_at_least_int", "ge")
counted("fzn_at_most_int", "le")
counted("fzn_exactly_int", "eq")
-- MiniZinc's order: fzn_count_leq(x, y, n) is n <= count.
for name, relation in pairs {eq = "eq", neq = "ne", leq = "ge", geq = "le", lt = "gt", gt = "lt"} do
    rows["fzn_count_" .. name] = function(x)
        return "count", {x = x[1], y = x[2], n = x[3], relation = relation}
    end
end
function rows.fzn_cumulative(x)
    return "cumulative", {starts = x[1], durations = x[2], demands = x[3], capacity = x[4]}
end
for name, strict in pairs {[""] = false, _strict = true} do
    rows["fzn_disjunctive" .. name] = function(x)
        return "disjunctive", {starts = x[1], durations = x[2], strict = strict}
    end
    rows["cns_disjunctive" .. name .. "_opt"] = function(x)
        return "disjunctive", {starts = x[1], durations = x[2], presence = x[3], strict = strict}
    end
end
for name, strict in pairs {_nonstrict = false, [""] = true} do
    rows["fzn_diffn" .. name] = function(x)
        return "diffn", {x = x[1], y = x[2], dx = x[3], dy = x[4], strict = strict}
    end
end
for name, closed in pairs {[""] = false, _closed = true} do
    rows["fzn_global_cardinality" .. name] = function(x)
        return "cardinality", {x = x[1], values = x[2], counts = x[3], closed = closed}
    end
end
for name, strict in pairs {increasing = false, strictly_increasing = true} do
    with_conditions(("fzn_%s_int"):format(name), 1, function(x)
        return "increasing", {x = x[1], strict = strict}
    end)
end
for name, strict in pairs {lesseq = false, less = true} do
    with_conditions(("fzn_lex_%s_int"):format(name), 2, function(x)
        return "lex", {x = x[1], y = x[2], strict = strict}
    end)
end
with_conditions("fzn_member_int", 2, function(x) return "member", {x = x[1], y = x[2]} end)
function rows.fzn_nvalue(x) return "nvalue", {n = x[1], x = x[2]} end
function rows.fzn_regular(x)
    return "regular", {x = x[1], symbols = x[3], next = x[4], start = x[5],
        accepting = values_of(x[6])}
end
function rows.fzn_sort(x) return "sort", {x = x[1], y = x[2]} end
function rows.fzn_knapsack(x)
    return "knapsack", {weights = x[1], profits = x[2], x = x[3], W = x[4], P = x[5]}
end
function rows.fzn_table_int(x) return "table", {x = x[1], rows = x[2]} end
function rows.fzn_value_precede_int(x)
    return "precede", {values = {x[1], x[2]}, x = x[3]}
end
function rows.fzn_value_precede_chain_int(x) return "precede", {values = x[1], x = x[2]} end

for _, kind in ipairs {"arg_max", "arg_min"} do
    rows["cns_" .. kind] = function(x) return kind, {base = x[1], x = x[2], index = x[3]} end
end
function rows.cns_arg_sort(x) return "arg_sort", {base = x[1], x = x[2], p = x[3]} end
function rows.cns_bin_packing_load(x)
    return "bin_packing", {base = x[1], loads = x[2], bins = x[3], weights = x[4]}
end
for name, sub in pairs {circuit = false, subcircuit = true} do
    rows["cns_" .. name] = function(x) return "circuit", {base = x[1], x = x[2], sub = sub} end
end
function rows.cns_inverse(x)
    return "inverse", {base_f = x[1], base_g = x[2], f = x[3], g = x[4]}
end
function rows.cns_mdd(x) return "mdd", {x = x[1], edges = x[3]} end

-- An "all" is the negation of a clause of negations.
local function plain(kind, a, condition, mode)
    if kind ~= "all" then return kind, a, condition, mode end
    return "clause", {positive = {}, negative = a.x}, condition, "negated"
end

predicates.names = rows

-- {kind, arguments, condition, mode}, or nil: a predicate that is not known.
function predicates.build(name, arguments)
    local row = rows[name]
    if not row then return nil end
    local kind, a, condition, mode = plain(row(arguments))
    return {name = name, kind = kind, arguments = a, condition = condition, mode = mode}
end

return predicates
