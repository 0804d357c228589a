-- SPDX-License-Identifier: MIT
--
-- cns.solver.constraints - functions over lists, and the named constraints.
--
-- A named constraint becomes the engine's of that kind. Where it stands in a condition and the
-- engine takes none for it, and where its truth is asked of given values, its definition by simpler
-- relations is used (`define`): exact, and weaker in propagation.

local expression = require "cns.solver.expression"

expression.own_file()
local fail, is_node, make = expression.fail, expression.is_node, expression.make
local integers, truths, numbers = expression.integers, expression.truths, expression.numbers
local integer, number = expression.integer, expression.number
local all, any = expression.all, expression.any

local constraints = {} -- relations
local functions = {}   -- integer expressions and truth values
local helpers = {}     -- for the model

---------------------------------------------------------------------------------------------------
-- Functions

local function some(values, what)
    local copy = integers(values, what)
    if #copy == 0 then fail("%s: a list of at least one element is needed", what) end
    return copy
end

local function of_list(op, values, extra)
    extra.op, extra.list = op, values
    extra.partial = expression.any_partial(values) or is_node(extra.a) and extra.a.partial or nil
    return make(extra)
end

---The sum of a list; of coefs[k] * values[k] with a list of integers. Even of nothing it is an
---expression, so that it can be compared.
function functions.sum(values, coefs)
    local list = integers(values, "sum")
    local factors = coefs and numbers(coefs, "coefficients")
    if factors and #factors ~= #list then
        fail("sum: %d coefficients for %d elements", #factors, #list)
    end
    local sum = expression.sum(list, factors)
    return is_node(sum) and sum or make {op = "sum", items = {}, coefs = {}, k = sum}
end

function functions.abs(a)
    a = integer(a, "abs")
    return is_node(a) and make {op = "abs", a = a, partial = a.partial} or math.abs(a)
end

for _, name in ipairs {"min", "max", "arg_min", "arg_max"} do
    functions[name] = function(values) return of_list(name, some(values, name), {}) end
end

---How many different values the list takes.
function functions.nvalue(values)
    return of_list("nvalue", integers(values, "nvalue"), {})
end

---How many of the list equal `y`.
function functions.count(values, y)
    return of_list("count", integers(values, "count"), {a = integer(y, "count")})
end

---How many of the list are one of the values, or in one of the ranges {low, high}.
function functions.among(values, set)
    local n = of_list("among", integers(values, "among"), {})
    n.ranges = expression.ranges(set, "among")
    return n
end

---list[index], counted from 1: undefined beyond the list.
function functions.element(values, index, name)
    local list = some(values, "element")
    index = integer(index, "index")
    local n = of_list("at", list, {index = index, name = name})
    local inside = not is_node(index) and index >= 1 and index <= #list
    if inside and not is_node(list[index]) then return list[index] end
    n.partial = n.partial or not inside or nil
    return n
end

---The sum of a[k] * x[k] * y[k]; `a` may be absent.
function functions.sum_of_products(x, y, a)
    x, y = integers(x, "x"), integers(y, "y")
    local coefs = a and numbers(a, "a")
    if #x ~= #y or coefs and #coefs ~= #x then
        fail("sum_of_products: lists of one length are needed, got %d and %d", #x,
            coefs and #coefs ~= #x and #coefs or #y)
    end
    local n = of_list("products", x, {list2 = y, coefs = coefs})
    n.partial = n.partial or expression.any_partial(y)
    return n
end

function functions.all(values) return all(truths(values, "all")) end
function functions.any(values) return any(truths(values, "any")) end
---An odd number of the truth values hold.
function functions.odd(values) return expression.odd(values) end

---------------------------------------------------------------------------------------------------
-- Relations

local NONE = {}

local function global(name, kind, v, i, define, more)
    return make {op = "global", bool = true, name = name, kind = kind, v = v, i = i,
        define = define, literals = more and more.literals or NONE,
        conditional = more and more.conditional}
end

local function same_length(what, ...)
    local lists = {...}
    for k = 2, #lists do
        if #lists[k] ~= #lists[1] then
            fail("%s: lists of one length are needed, got %d and %d", what, #lists[1], #lists[k])
        end
    end
end

-- Relations between integers of Lua, too: in definitions anything may be fixed.
local function rel(op, a, b)
    return make {op = "cmp", bool = true, rel = op, a = a, b = b,
        unsure = is_node(a) and a.partial or is_node(b) and b.partial or nil}
end

local function within(a, ranges)
    return make {op = "in", bool = true, a = a, ranges = ranges,
        unsure = is_node(a) and a.partial or nil}
end

local function plus(a, b) return expression.sum({a, b}) end

local function at(list, index) return functions.element(list, index) end

local function pairs_of(n, relation)
    local out = {}
    for i = 1, n do
        for j = i + 1, n do out[#out + 1] = relation(i, j) end
    end
    return all(out)
end

local function define_all_different(v, i)
    local ranges = expression.ranges(i[1], "except")
    return pairs_of(#v[1], function(a, b)
        local differ = rel("ne", v[1][a], v[1][b])
        return #ranges == 0 and differ or any {differ, within(v[1][a], ranges)}
    end)
end

---No two are equal, but for the values in `except` (a list), which may repeat.
function constraints.all_different(x, except)
    x = integers(x, "all_different")
    local excepted = except and numbers(except, "except") or {}
    return global("all_different", "alldifferent", {x}, {excepted}, define_all_different)
end

function constraints.all_equal(x)
    return global("all_equal", "all_equal", {integers(x, "all_equal")}, {}, function(v)
        local out = {}
        for k = 2, #v[1] do out[k - 1] = rel("eq", v[1][1], v[1][k]) end
        return all(out)
    end, {conditional = true})
end

---Some element of the list equals y.
function constraints.member(x, y)
    return global("member", "member", {integers(x, "member"), {integer(y, "member")}}, {},
        function(v)
            local out = {}
            for k = 1, #v[1] do out[k] = rel("eq", v[1][k], v[2][1]) end
            return any(out)
        end, {conditional = true})
end

local function increasing(x, strict)
    return global(strict and "strictly_increasing" or "increasing", "increasing",
        {integers(x, "increasing")}, {{strict and 1 or 0}}, function(v, i)
            local out = {}
            for k = 2, #v[1] do
                out[k - 1] = rel(i[1][1] == 1 and "lt" or "le", v[1][k - 1], v[1][k])
            end
            return all(out)
        end, {conditional = true})
end

function constraints.increasing(x) return increasing(x, false) end
function constraints.strictly_increasing(x) return increasing(x, true) end

local function lex(name, strict)
    return function(x, y)
        return global(name, name, {integers(x, name), integers(y, name)}, {}, function(v)
            local a, b = v[1], v[2]
            local holds = #a < #b or not strict and #a == #b
            for k = math.min(#a, #b), 1, -1 do
                holds = any {rel("lt", a[k], b[k]), all {rel("eq", a[k], b[k]), holds}}
            end
            return holds
        end, {conditional = true})
    end
end

---In lexicographic order, x comes before y or equals it; a prefix comes first.
constraints.lex_le = lex("lex_le", false)
constraints.lex_lt = lex("lex_lt", true)

---counts[k] of x are values[k]; closed: and every x is one of the values.
function constraints.global_cardinality(x, values, counts, closed)
    x, values = integers(x, "x"), numbers(values, "values")
    counts = integers(counts, "counts")
    same_length("global_cardinality", values, counts)
    return global("global_cardinality", "global_cardinality", {x, counts},
        {values, {closed and 1 or 0}}, function(v, i)
            local out = {}
            for k = 1, #i[1] do out[k] = rel("eq", functions.count(v[1], i[1][k]), v[2][k]) end
            for k = 1, i[2][1] == 1 and #v[1] or 0 do
                out[#out + 1] = within(v[1][k], expression.ranges(i[1], "values"))
            end
            return all(out)
        end)
end

---------------------------------------------------------------------------------------------------
-- Scheduling and packing

---@class cns.interval
local interval = {__name = "cns.interval"}
interval.__index = interval

function interval.__tostring(self) return self.name end

---This one ends, and `gap` later, the other may begin; where both take place.
function interval:before(other, gap)
    if getmetatable(other) ~= interval then fail("before: an interval is needed") end
    local order = rel("le", plus(self.finish, integer(gap or 0, "gap")), other.start)
    if self.presence == true and other.presence == true then return order end
    return any {expression.negate(self.presence), expression.negate(other.presence), order}
end

function helpers.is_intervals(list)
    return type(list) == "table" and getmetatable(list[1]) == interval
end

function helpers.new_interval(fields)
    return setmetatable(fields, interval)
end

-- Starts, durations and presence; presence is nil where all must take place.
local function tasks_of(list, what)
    local starts, durations, presence, optional = {}, {}, {}, false
    for k = 1, #list do
        if getmetatable(list[k]) ~= interval then
            fail("%s[%d]: an interval is needed, got %s", what, k, expression.describe(list[k]))
        end
        starts[k], durations[k] = list[k].start, list[k].duration
        presence[k] = list[k].presence
        optional = optional or presence[k] ~= true
    end
    return starts, durations, optional and presence or nil
end

---Tasks of starts and durations do not overlap; those whose presence is false do not count.
---strict: a task of duration 0 may not lie inside another.
function constraints.disjunctive(starts, durations, presence, strict)
    starts, durations = integers(starts, "starts"), integers(durations, "durations")
    presence = presence and truths(presence, "presence") or {}
    same_length("disjunctive", starts, durations, #presence > 0 and presence or starts)
    return global("no_overlap", "disjunctive", {starts, durations, presence}, {{strict and 1 or 0}},
        function(v, i)
            local s, d, p = v[1], v[2], v[3]
            return pairs_of(#s, function(a, b)
                local ways = {rel("le", plus(s[a], d[a]), s[b]), rel("le", plus(s[b], d[b]), s[a])}
                if i[1][1] == 0 then
                    ways[3], ways[4] = rel("eq", d[a], 0), rel("eq", d[b], 0)
                end
                if #p > 0 then
                    ways[#ways + 1] = expression.negate(p[a])
                    ways[#ways + 1] = expression.negate(p[b])
                end
                return any(ways)
            end)
        end, {literals = {[3] = true}})
end

---Intervals do not overlap.
function constraints.no_overlap(intervals)
    if type(intervals) ~= "table" then
        fail("no_overlap: a list of intervals is needed, got %s", expression.describe(intervals))
    end
    return constraints.disjunctive(tasks_of(intervals, "no_overlap"))
end

---At any time the demands of what is running stay within the capacity:
---cumulative(starts, durations, demands, capacity) or cumulative(intervals, demands, capacity).
function constraints.cumulative(starts, durations, demands, capacity)
    local presence
    if helpers.is_intervals(starts) then
        demands, capacity = durations, demands
        starts, durations, presence = tasks_of(starts, "cumulative")
    end
    starts, durations = integers(starts, "starts"), integers(durations, "durations")
    demands = integers(demands, "demands")
    same_length("cumulative", starts, durations, demands)
    for k = 1, presence and #presence or 0 do
        if presence[k] ~= true then demands[k] = presence[k] * demands[k] end
    end
    return global("cumulative", "cumulative",
        {starts, durations, demands, {integer(capacity, "capacity")}}, {}, function(v)
            local s, d, r, limit = v[1], v[2], v[3], v[4][1]
            local out = {rel("ge", limit, 0)}
            for j = 1, #s do
                local load = {}
                for k = 1, #s do
                    local running = all {rel("le", s[k], s[j]), rel("lt", s[j], plus(s[k], d[k]))}
                    load[k] = running:choose(r[k], 0)
                end
                out[#out + 1] = rel("le", expression.sum(load), limit)
            end
            return all(out)
        end)
end

---Boxes at x, y of sizes dx, dy do not overlap; strict: those of size 0 may not lie inside others.
function constraints.diffn(x, y, dx, dy, strict)
    x, y, dx, dy = integers(x, "x"), integers(y, "y"), integers(dx, "dx"), integers(dy, "dy")
    same_length("diffn", x, y, dx, dy)
    return global("diffn", "diffn", {x, y, dx, dy}, {{strict and 1 or 0}}, function(v, i)
        return pairs_of(#v[1], function(a, b)
            local ways = {}
            for axis = 1, 2 do
                local p, size = v[axis], v[axis + 2]
                ways[#ways + 1] = rel("le", plus(p[a], size[a]), p[b])
                ways[#ways + 1] = rel("le", plus(p[b], size[b]), p[a])
                if i[1][1] == 0 then
                    ways[#ways + 1], ways[#ways + 2] = rel("eq", size[a], 0), rel("eq", size[b], 0)
                end
            end
            return any(ways)
        end)
    end)
end

local function weighted(items, weights)
    return expression.sum(items, weights)
end

---The weights of the items in bin k (from 1) sum to loads[k].
function constraints.bin_packing(bins, weights, loads)
    bins, weights = integers(bins, "bins"), numbers(weights, "weights")
    loads = integers(loads, "loads")
    same_length("bin_packing", bins, weights)
    return global("bin_packing", "bin_packing", {bins, loads}, {weights, {1}}, function(v, i)
        local out = {}
        for k = 1, #v[1] do out[k] = within(v[1][k], {1, #v[2]}) end
        for bin = 1, #v[2] do
            local inside = {}
            for k = 1, #v[1] do inside[k] = rel("eq", v[1][k], bin) end
            out[#out + 1] = rel("eq", weighted(inside, i[1]), v[2][bin])
        end
        return all(out)
    end)
end

---x[k] times item k: their weights sum to `weight`, their profits to `profit`.
function constraints.knapsack(x, weights, profits, weight, profit)
    x, weights = integers(x, "x"), numbers(weights, "weights")
    profits = numbers(profits, "profits")
    same_length("knapsack", x, weights, profits)
    return global("knapsack", "knapsack",
        {x, {integer(weight, "weight"), integer(profit, "profit")}}, {weights, profits},
        function(v, i)
            return all {rel("eq", weighted(v[1], i[1]), v[2][1]),
                rel("eq", weighted(v[1], i[2]), v[2][2])}
        end)
end

---------------------------------------------------------------------------------------------------
-- Permutations and orders

-- Where a walk from `start` is after 1, 2, ..., steps steps.
local function walk(x, start, steps)
    local places, node = {}, start
    for k = 1, steps do
        node = at(x, node)
        places[k] = node
    end
    return places
end

---x[k] is the node after node k: one circuit through all.
function constraints.circuit(x)
    return global("circuit", "circuit", {integers(x, "circuit")}, {{1}}, function(v)
        local n, out = #v[1], {}
        local places = n > 0 and walk(v[1], 1, n) or {}
        for k = 1, n do out[k] = rel(k < n and "ne" or "eq", places[k], 1) end
        return all(out)
    end)
end

---The same through some of the nodes; the others are their own successors.
function constraints.subcircuit(x)
    return global("subcircuit", "subcircuit", {integers(x, "subcircuit")}, {{1}}, function(v)
        local n, out, inside = #v[1], {}, {}
        if n == 0 then return true end
        for k = 1, n do
            inside[k] = rel("ne", v[1][k], k)
            out[k] = within(v[1][k], {1, n})
        end
        local start, steps = functions.arg_max(inside), expression.sum(inside)
        for k, place in ipairs(walk(v[1], start, n)) do
            out[#out + 1] = any {rel("le", steps, k), rel("ne", place, start)}
            out[#out + 1] = any {rel("ne", steps, k), rel("eq", place, start)}
        end
        return all(out)
    end)
end

---f[i] = j exactly when g[j] = i.
function constraints.inverse(f, g)
    return global("inverse", "inverse", {integers(f, "f"), integers(g, "g")}, {}, function(v)
        local out = {}
        for side = 1, 2 do
            for k = 1, #v[side] do
                if #v[3 - side] == 0 then return false end
                out[#out + 1] = rel("eq", at(v[3 - side], v[side][k]), k)
            end
        end
        return all(out)
    end)
end

---y is x in ascending order.
function constraints.sort(x, y)
    x, y = integers(x, "x"), integers(y, "y")
    same_length("sort", x, y)
    return global("sort", "sort", {x, y}, {}, function(v)
        local out = {increasing(v[2], false)}
        for k = 1, #v[1] do
            out[k + 1] = rel("eq", functions.count(v[1], v[1][k]), functions.count(v[2], v[1][k]))
        end
        return all(out)
    end)
end

---x[p[1]] <= x[p[2]] <= ...; of equal ones the first comes first.
function constraints.arg_sort(x, p)
    x, p = integers(x, "x"), integers(p, "p")
    same_length("arg_sort", x, p)
    return global("arg_sort", "arg_sort", {x, p}, {{1}}, function(v)
        local out, before = {}, nil
        for k = 1, #v[2] do
            local now = at(v[1], v[2][k])
            out[#out + 1] = within(v[2][k], {1, #v[1]})
            if before then
                out[#out + 1] = any {rel("lt", before, now),
                    all {rel("eq", before, now), rel("lt", v[2][k - 1], v[2][k])}}
            end
            before = now
        end
        return all(out)
    end)
end

---values[k + 1] occurs in x only after values[k].
function constraints.precede(x, values)
    return global("precede", "precede", {integers(x, "x")}, {numbers(values, "values")},
        function(v, i)
            local out = {}
            for k = 2, #i[1] do
                for j = 1, #v[1] do
                    local ways = {rel("ne", v[1][j], i[1][k])}
                    for before = 1, j - 1 do
                        ways[before + 1] = rel("eq", v[1][before], i[1][k - 1])
                    end
                    out[#out + 1] = any(ways)
                end
            end
            return all(out)
        end)
end

---------------------------------------------------------------------------------------------------
-- Tables, automata, diagrams

local function flatten(rows, width, what)
    local flat = {}
    if type(rows) ~= "table" then
        fail("%s: a list of rows is needed, got %s", what, expression.describe(rows))
    end
    for k = 1, #rows do
        local row = numbers(rows[k], ("%s[%d]"):format(what, k))
        if #row ~= width then
            fail("%s[%d]: %d elements are needed, got %d", what, k, width, #row)
        end
        table.move(row, 1, width, #flat + 1, flat)
    end
    return flat
end

---x is one of the rows, each a list.
function constraints.table(x, rows)
    x = some(x, "table")
    return global("table", "table", {x}, {flatten(rows, #x, "rows")}, function(v, i)
        local n, out = #v[1], {}
        for row = 0, #i[1] - n, n do
            local cells = {}
            for k = 1, n do cells[k] = rel("eq", v[1][k], i[1][row + k]) end
            out[#out + 1] = all(cells)
        end
        return any(out)
    end)
end

---x is accepted by the automaton {start = 1, accepting = {...}, transitions = rows}: row q is a
---list by symbol (from 1) of the next state, or 0.
function constraints.regular(x, automaton)
    x = integers(x, "regular")
    if type(automaton) ~= "table" or type(automaton.transitions) ~= "table" then
        fail("regular: an automaton is needed: {start = 1, accepting = {...}, transitions = {...}}")
    end
    local states = #automaton.transitions
    local symbols = states > 0 and type(automaton.transitions[1]) == "table"
        and #automaton.transitions[1] or 0
    if symbols == 0 then fail("regular: transitions: rows of one symbol or more are needed") end
    local d = flatten(automaton.transitions, symbols, "transitions")
    for k = 1, #d do number(d[k], "transitions", 0, states) end
    local start = number(automaton.start or 1, "start", 1, states)
    local accepting = numbers(automaton.accepting, "accepting")
    return global("regular", "regular", {x}, {{states, symbols, start}, d, accepting},
        function(v, i)
            local q, out, next_state = i[1][3], {}, {}
            for k = 1, #i[2] do next_state[k] = i[2][k] == 0 and states + 1 or i[2][k] end
            for k = 1, symbols do next_state[#i[2] + k] = states + 1 end
            for k = 1, #v[1] do
                out[k] = within(v[1][k], {1, symbols})
                q = at(next_state, expression.sum({q, v[1][k]}, {symbols, 1}) - symbols)
            end
            out[#out + 1] = within(q, expression.ranges(i[3], "accepting"))
            return all(out)
        end)
end

---The path of edges {from, low, high, to} from node 1 to node 0 whose labels low..high admit
---x[1], x[2], ... exists.
function constraints.mdd(x, nodes, edges)
    x = some(x, "mdd")
    return global("mdd", "mdd", {x}, {{number(nodes, "nodes", 1)}, flatten(edges, 4, "edges")},
        function(v, i)
            local reached = {[1] = true}
            for k = 1, #v[1] do
                local ways, targets = {}, {}
                for e = 1, #i[2], 4 do
                    local from, to = i[2][e], i[2][e + 3]
                    if reached[from] then
                        if not ways[to] then ways[to] = {}; targets[#targets + 1] = to end
                        table.insert(ways[to],
                            all {reached[from], within(v[1][k], {i[2][e + 1], i[2][e + 2]})})
                    end
                end
                reached = {}
                for _, to in ipairs(targets) do reached[to] = any(ways[to]) end
            end
            return reached[0] or false
        end)
end

---------------------------------------------------------------------------------------------------
-- Lists of variables with methods

-- Methods are found; an expression as an index gets a hint.
local function methods_of(class)
    return function(_, key)
        if is_node(key) then
            fail("an index that is an expression, %s: write list:at(index)", tostring(key))
        end
        return class[key]
    end
end

---@class cns.array
local array = {__name = "cns.array"}
array.__index = methods_of(array)

function array:__tostring()
    local name = rawget(self, "name")
    return ("cns.array %sof %d"):format(name and name .. " " or "", #self)
end

for _, name in ipairs {"sum", "min", "max", "arg_min", "arg_max", "nvalue", "count", "among", "all",
    "any", "sum_of_products"} do
    array[name] = functions[name]
end
for _, name in ipairs {"all_different", "all_equal", "increasing", "strictly_increasing"} do
    array[name] = constraints[name]
end

---self[index] for an index that is an expression.
function array:at(index) return functions.element(self, index, rawget(self, "name")) end

---@class cns.matrix
local matrix = {__name = "cns.matrix"}
matrix.__index = methods_of(matrix)

function matrix:row(r) return self[number(r, "row", 1, #self)] end

function matrix:column(c)
    number(c, "column", 1, #self > 0 and #self[1] or 0)
    local out = {}
    for r = 1, #self do out[r] = self[r][c] end
    return setmetatable(out, array)
end

---All elements, row by row.
function matrix:flat()
    local out = {}
    for r = 1, #self do table.move(self[r], 1, #self[r], #out + 1, out) end
    return setmetatable(out, array)
end

---The elements of rows r, r + 1, ... and columns c, c + 1, ...
function matrix:block(r, c, rows, columns)
    local out, count = {}, 0
    for i = r, r + rows - 1 do
        local row = self[i]
        for j = c, c + columns - 1 do
            count = count + 1
            out[count] = row and row[j] or fail("block: there is no element %s, %s", i, j)
        end
    end
    return setmetatable(out, array)
end

function matrix:at(r, c)
    local width = #self > 0 and #self[1] or 0
    r, c = integer(r, "row"), integer(c, "column")
    local index = expression.sum({r, c}, {width, 1}) - width
    local inside = functions.element(self:flat(), index, rawget(self, "name"))
    -- A column beyond the width would be one of the next row.
    local kept = is_node(c) and within(c, {1, width}):choose(index, 0)
        or (c < 1 or c > width) and 0 or index
    return kept == index and inside or functions.element(self:flat(), kept, rawget(self, "name"))
end

function helpers.new_array(list, name)
    list.name = name
    return setmetatable(list, array)
end

function helpers.new_matrix(rows, name)
    rows.name = name
    return setmetatable(rows, matrix)
end

function helpers.is_list(value)
    local mt = getmetatable(value)
    return mt == array or mt == matrix or type(value) == "table" and mt == nil
end

helpers.relations, helpers.functions = constraints, functions
return helpers
