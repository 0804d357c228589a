-- SPDX-License-Identifier: MIT
--
-- cns.proof.layers: what table, regular and mdd mean, for the checker of proofs, and their steps
-- about rows, nodes and edges.
--
-- A proof may give a diagram for an automaton or mdd: layers of edges {from, low, high, to}, that
-- lead from node 0 to node 1. Once it is clear that each solution of the constraint has a path
-- there, Booleans for nodes and edges are what a path of the solution passes, whichever path. So a
-- step about them is a matter of which paths there are.

local layers = {kinds = {}}

local FIRST <const>, LAST <const> = 0, 1

-- Whether some of low..high is in the domain.
local function meets(d, t, low, high)
    local from, to = math.max(low, d.low(t)), math.min(high, d.high(t))
    for v = from, to do
        if d.has(t, v) then return true end
    end
    return false
end

-- ---- kinds --------------------------------------------------------------------------------------

function layers.kinds.table(a, d)
    local n, has = #a.x, d.has
    for row = 0, #a.rows // math.max(n, 1) - 1 do
        local fits = true
        for k = 1, n do
            if not has(a.x[k], a.rows[row * n + k]) then
                fits = false
                break
            end
        end
        if fits then return true end
    end
    return n == 0
end

function layers.kinds.regular(a, d)
    local states = {[a.start] = true}
    for _, t in ipairs(a.x) do
        local after = {}
        for q in pairs(states) do
            for s = 1, a.symbols do
                local to = a.next[(q - 1) * a.symbols + s]
                if to ~= 0 and d.has(t, s) then after[to] = true end
            end
        end
        states = after
    end
    for q in pairs(states) do
        if a.accepting[q] then return true end
    end
    return false
end

function layers.kinds.mdd(a, d)
    local nodes = {[1] = true}
    for _, t in ipairs(a.x) do
        local after = {}
        for e = 1, #a.edges, 4 do
            local from, low, high, to = table.unpack(a.edges, e, e + 3)
            if nodes[from] and not after[to] and meets(d, t, low, high) then after[to] = true end
        end
        after[1] = nil -- the root is where the first variable is, and nowhere else
        nodes = after
    end
    return nodes[0] == true
end

-- ---- rows ---------------------------------------------------------------------------------------

-- A table with Booleans `row_lits` by row, of which that of the solution's row is true.
function layers.kinds.rows(a, d)
    local n, only = #a.x, nil
    for row in pairs(a.row_lits) do
        if d.low(a.row_lits[row]) == 1 then
            if only and only ~= row then return false end
            only = row
        end
    end
    local function fits(row)
        local lit = a.row_lits[row]
        if lit and d.high(lit) == 0 then return false end
        for k = 1, n do
            if not d.has(a.x[k], a.rows[row * n + k]) then return false end
        end
        return true
    end
    if only then return fits(only) end
    for row = 0, #a.rows // n - 1 do
        if a.first[row] and fits(row) then return true end
    end
    return false
end

-- By a row's values, as text, the first row that has them; and which rows are such.
function layers.index_rows(a)
    local at, first, n = {}, {}, #a.x
    for row = 0, #a.rows // math.max(n, 1) - 1 do
        local key = table.concat(a.rows, " ", row * n + 1, row * n + n)
        if not at[key] then at[key], first[row] = row, true end
    end
    return at, first
end

-- ---- paths --------------------------------------------------------------------------------------

-- What Booleans `lits` by place let pass: those that are true, or any that is not false. false: two
-- are true.
local function passable(d, lits)
    if not lits then return function() return true end end
    local only
    for place, lit in pairs(lits) do
        if d.low(lit) == 1 then
            if only and only ~= place then return false end
            only = place
        end
    end
    return function(place)
        if only then return place == only end
        return not lits[place] or d.high(lits[place]) == 1
    end
end

-- A diagram: `edges` by layer, with Booleans `node_lits` and `edge_lits` by layer and place. Of the
-- layers `from`..`to` only, if given, whatever nodes a path comes from and goes on to.
function layers.kinds.paths(a, d)
    local from, to = a.from or 1, a.to or #a.edges
    local nodes = from == 1 and {[FIRST] = true} or nil
    if from > 1 then
        local open = passable(d, a.node_lits[from - 1])
        if not open then return false end
        nodes = {}
        for _, edge in ipairs(a.edges[from]) do nodes[edge[1]] = open(edge[1]) or nil end
    end
    for k = from, to do
        local open_node, open_edge = passable(d, a.node_lits[k]), passable(d, a.edge_lits[k])
        if not open_node or not open_edge then return false end
        local after, t = {}, a.x[k]
        for e, edge in ipairs(a.edges[k]) do
            local target = edge[4]
            if nodes[edge[1]] and not after[target] and open_node(target) and open_edge(e)
                and meets(d, t, edge[2], edge[3]) then
                after[target] = true
            end
        end
        nodes = after
    end
    if to == #a.edges then return nodes[LAST] == true end
    return next(nodes) ~= nil
end

-- ---- whether a diagram has a path for each solution ---------------------------------------------

-- The constraint as {start, step(k, state, value) -> states, is_end(state)}.
local function machine_of(kind, a)
    if kind == "regular" then
        return a.start, function(_, q, v)
            local to = v >= 1 and v <= a.symbols and a.next[(q - 1) * a.symbols + v] or 0
            return to ~= 0 and {to} or {}
        end, function(q) return a.accepting[q] == true end
    end
    local out = {}
    for e = 1, #a.edges, 4 do
        local from = a.edges[e]
        out[from] = out[from] or {}
        table.insert(out[from], {table.unpack(a.edges, e + 1, e + 3)})
    end
    return 1, function(_, node, v)
        local to = {}
        for _, edge in ipairs(out[node] or {}) do
            if edge[1] <= v and v <= edge[2] and edge[3] ~= 1 then to[#to + 1] = edge[3] end
        end
        return to
    end, function(node) return node == 0 end
end

-- States by layer that the domains let the machine be in, and that lead to an end.
local function live_states(start, step, is_end, x, d)
    local reached = {{[start] = true}}
    for k, t in ipairs(x) do
        local after = {}
        for q in pairs(reached[k]) do
            for v = d.low(t), d.high(t) do
                if d.has(t, v) then
                    for _, to in ipairs(step(k, q, v)) do after[to] = true end
                end
            end
        end
        reached[k + 1] = after
    end
    for q in pairs(reached[#x + 1]) do
        if not is_end(q) then reached[#x + 1][q] = nil end
    end
    for k = #x, 1, -1 do
        local t = x[k]
        for q in pairs(reached[k]) do
            local alive = false
            for v = d.low(t), d.high(t) do
                for _, to in ipairs(d.has(t, v) and step(k, q, v) or {}) do
                    alive = alive or reached[k + 1][to]
                end
            end
            if not alive then reached[k][q] = nil end
        end
    end
    return reached
end

-- The nodes that edges of a layer lead to from `nodes`, by `v`: a sorted list.
local function follow(out, nodes, v)
    local to, seen = {}, {}
    for _, node in ipairs(nodes) do
        for _, edge in ipairs(out[node] or {}) do
            if edge[2] <= v and v <= edge[3] and not seen[edge[4]] then
                seen[edge[4]] = true
                to[#to + 1] = edge[4]
            end
        end
    end
    table.sort(to)
    return to
end

-- Whether each solution of the constraint within the domains has a path in the diagram: what the
-- machine and the diagram can be in together is followed layer by layer.
function layers.covers(kind, a, edges, d)
    if #edges ~= #a.x then return false end
    local start, step, is_end = machine_of(kind, a)
    local live = live_states(start, step, is_end, a.x, d)
    if not live[1][start] then return true end
    local pairs_here = {[start .. ":" .. FIRST] = {start, {FIRST}}}
    for k, t in ipairs(a.x) do
        local out, after = {}, {}
        for _, edge in ipairs(edges[k]) do
            out[edge[1]] = out[edge[1]] or {}
            table.insert(out[edge[1]], edge)
        end
        for _, pair in pairs(pairs_here) do
            for v = d.low(t), d.high(t) do
                for _, q in ipairs(d.has(t, v) and step(k, pair[1], v) or {}) do
                    if live[k + 1][q] then
                        local nodes = follow(out, pair[2], v)
                        if #nodes == 0 then return false end
                        after[q .. ":" .. table.concat(nodes, ",")] = {q, nodes}
                    end
                end
            end
        end
        pairs_here = after
    end
    for _, pair in pairs(pairs_here) do
        local ends = false
        for _, node in ipairs(pair[2]) do ends = ends or node == LAST end
        if not ends then return false end
    end
    return true
end

return layers
