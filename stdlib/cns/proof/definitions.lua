-- SPDX-License-Identifier: MIT
--
-- cns.proof.definitions: Booleans that the model lacks and whose meaning the proof tells.
--
-- A meaning is a reified constraint of cns.proof.kinds over what there was before, or a part of the
-- constraint that the Boolean belongs to: where an order holds from (tail), whether a value occurs
-- (value), which row a solution is (row), which nodes and edges its path has (node, edge). Each
-- solution gives such a Boolean its value, so steps about it are verified one by one.

local layers = require "cns.proof.layers"
local reject = require "cns.proof.reject"

local definitions = {}
local of = {} -- by word: {kind, arguments, mode} of the new Boolean

local function integer(word)
    return math.tointeger(tonumber(word)) or reject("'%s' is no number", tostring(word))
end

local function collect_scope(e, value, seen, scope)
    if type(value) ~= "table" then return end
    local v = value.v or (value.l and e.lit_var[value.l])
    if v then
        if not seen[v] then
            seen[v] = true
            scope[#scope + 1] = v
        end
        return
    end
    for _, element in pairs(value) do collect_scope(e, element, seen, scope) end
end

-- The variables in some terms, or in lists of them.
function definitions.scope(e, ...)
    local scope, seen = {}, {}
    for _, value in ipairs {...} do collect_scope(e, value, seen, scope) end
    return scope
end

-- ---- meanings by literals and sums --------------------------------------------------------------

-- The literals words[from..to] as terms; constants are 0 and 1.
local function literals(self, words, from, to)
    local out = {}
    for k = from, to do
        local l = self:literal(words[k])
        out[#out + 1] = l == true and 1 or l == false and 0 or {l = l}
    end
    return out
end

function of.any(self, words)
    return "clause", {positive = literals(self, words, 5, #words), negative = {}}, "iff"
end

function of.all(self, words)
    return "clause", {positive = {}, negative = literals(self, words, 5, #words)}, "negated"
end

-- LIT ... : A X ... LIMIT
local function sum_after_literals(self, words, kind)
    local colon = 5
    while words[colon] and words[colon] ~= ":" do colon = colon + 1 end
    if not words[colon] or (#words - colon) % 2 ~= 1 then reject("no sum") end
    local sum = {x = {}, a = {}, c = integer(words[#words])}
    for k = colon + 1, #words - 2, 2 do
        local t = self.ints[tonumber(words[k + 1])] or reject("x%s is not defined", words[k + 1])
        sum.a[#sum.a + 1] = integer(words[k])
        sum.x[#sum.x + 1] = t.v and {v = t.v, s = 1, o = 0} or t
    end
    if colon == 5 then return kind, sum, "iff" end
    local parts = {{kind = kind, arguments = sum}}
    for _, t in ipairs(literals(self, words, 5, colon - 1)) do
        parts[#parts + 1] = {kind = "clause", arguments = {positive = {t}, negative = {}}}
    end
    return "and", {parts = parts}, "iff"
end

function of.le(self, words) return sum_after_literals(self, words, "le") end
function of.eq(self, words) return sum_after_literals(self, words, "eq") end

-- ---- parts of constraints -----------------------------------------------------------------------

local function must_be(c, ...)
    for _, kind in ipairs {...} do
        if c.kind == kind then return end
    end
    reject("a %s has no such part", c.name)
end

-- PLACE STRICT: from the place on, counted from 0, the order holds; if `strict` is not the
-- constraint's, that of its negation.
function of.tail(_, words, c, parts, l)
    must_be(c, "lex")
    local from, strict = integer(words[5]) + 1, words[6] == "1"
    local a = c.arguments
    local same = strict == a.strict
    if from < 1 then reject("there is no place %d", from) end
    parts.tails = parts.tails or {[true] = {}, [false] = {}}
    local tails = parts.tails[same]
    tails[from] = {l = l}
    local x, y = same and a.x or a.y, same and a.y or a.x
    return "lex", {x = x, y = y, from = from, strict = strict, tails = tails}, "iff",
        {table.move(x, from, #x, 1, {}), table.move(y, from, #y, 1, {})}
end

function of.value(self, words, c, parts, l)
    must_be(c, "nvalue")
    local v, equal = integer(words[5]), {}
    parts.used = parts.used or {}
    parts.used[v] = {l = l}
    for k, t in ipairs(c.arguments.x) do equal[k] = self:equal(t, v) end
    return "clause", {positive = equal, negative = {}}, "iff"
end

function of.row(_, words, c, parts, l)
    must_be(c, "table")
    parts.rows = parts.rows or {}
    parts.rows[table.concat(words, " ", 5)] = {l = l}
end

local function place(parts, words, l, what)
    local k, n = integer(words[5]) + 1, integer(words[6])
    parts[what][k] = parts[what][k] or {}
    parts[what][k][what == "edges" and n + 1 or n] = {l = l}
end

local function need_layers(c, parts)
    must_be(c, "regular", "mdd")
    if not parts.layers or c.mode then reject("%s has no layers", c.name) end
    parts.nodes, parts.edges = parts.nodes or {}, parts.edges or {}
end

function of.node(_, words, c, parts, l)
    need_layers(c, parts)
    place(parts, words, l, "nodes")
end

function of.edge(_, words, c, parts, l)
    need_layers(c, parts)
    place(parts, words, l, "edges")
end

-- The next layer of a diagram, in words from the third on.
function definitions.add_layer(words, c, parts)
    must_be(c, "regular", "mdd")
    local edges = {}
    if (#words - 2) % 4 ~= 0 then reject("an edge has four numbers") end
    if parts.nodes then reject("a layer after nodes or edges") end
    for k = 3, #words, 4 do
        edges[#edges + 1] = {integer(words[k]), integer(words[k + 1]), integer(words[k + 2]),
            integer(words[k + 3])}
    end
    parts.layers = parts.layers or {}
    parts.layers[#parts.layers + 1] = edges
end

-- ---- the constraint with its parts --------------------------------------------------------------

-- By variable, the first and last layer that it is about.
local function layers_of(e, x, parts)
    local at = {}
    local function note(t, from, to)
        local v = type(t) == "table" and (t.v or e.lit_var[t.l])
        if not v then return end
        at[v] = at[v] or {from, to}
        at[v][1], at[v][2] = math.min(at[v][1], from), math.max(at[v][2], to)
    end
    for k = 1, #x do
        note(x[k], k, k)
        for _, t in pairs(parts.nodes[k] or {}) do note(t, k, math.min(k + 1, #x)) end
        for _, t in pairs(parts.edges[k] or {}) do note(t, k, k) end
    end
    return at
end

-- A range of layers that has all that is named.
local function range_of(at, count)
    return function(a, _, names)
        local from, to = math.huge, 0
        for v in pairs(names) do
            if at[v] then from, to = math.min(from, at[v][1]), math.max(to, at[v][2]) end
        end
        if from > to or (from == 1 and to == count) then return nil end
        local out = {from = from, to = to}
        for key, value in pairs(a) do out[key] = value end
        return out
    end
end

local function paths_of(e, c, parts, d)
    if not parts.covers then
        if not layers.covers(c.kind, c.arguments, parts.layers, d) then
            reject("the layers of a %s lack solutions of it", c.name)
        end
        parts.covers = true
    end
    return {kind = "paths", scope = c.scope, name = c.name,
        arguments = {x = c.arguments.x, edges = parts.layers, node_lits = parts.nodes,
            edge_lits = parts.edges},
        relax = range_of(layers_of(e, c.arguments.x, parts), #c.arguments.x)}
end

local function rows_of(c, parts)
    local at, first = layers.index_rows(c.arguments)
    local row_lits = {}
    for key, lit in pairs(parts.rows) do
        local row = at[key]
        if row then row_lits[row] = lit end
    end
    return {kind = "rows", scope = c.scope, name = c.name, mode = c.mode, condition = c.condition,
        arguments = {x = c.arguments.x, rows = c.arguments.rows, row_lits = row_lits,
            first = first}}
end

local function same_terms(x, y)
    for k, t in ipairs(x) do
        local u = y[k]
        if t ~= u and (type(t) == "number" or type(u) == "number" or t.v ~= u.v or t.l ~= u.l
            or t.s ~= u.s or t.o ~= u.o) then
            return false
        end
    end
    return true
end

-- Constraint `c` with what is known of its parts. `d`: the domains of the root.
function definitions.extended(e, c, parts, d)
    if not parts then return c end
    if parts.tails then c.arguments.tails = parts.tails[true] end
    if parts.used then c.arguments.used = parts.used end
    if not (parts.nodes or parts.rows) then return c end
    if parts.version ~= c.version then
        parts.version = c.version
        if parts.x and not same_terms(parts.x, c.arguments.x) then
            parts.covers, parts.extended = nil, nil
        end
        parts.x = c.arguments.x
    end
    if not parts.extended then
        parts.extended = parts.rows and rows_of(c, parts) or paths_of(e, c, parts, d)
    end
    return parts.extended
end

-- What words[3] says of a new Boolean with literal `l`, of constraint `c`: a reified constraint, or
-- nil: a part of c. false: that is no meaning.
function definitions.read(self, words, c, parts, l)
    local meaning = of[words[3]]
    if not meaning then return false end
    local kind, arguments, mode, about = meaning(self, words, c, parts, l)
    if not kind then return nil end
    local condition = {l = l}
    return {kind = kind, arguments = arguments, mode = mode, condition = condition, name = c.name,
        scope = definitions.scope(self.e, about or arguments, condition)}
end

return definitions
