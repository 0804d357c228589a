-- SPDX-License-Identifier: MIT
--
-- cns.proof.trial: whether one constraint alone accounts for a step, by branching and pruning.
--
-- A step is refuted when its negation leaves the constraint a solution in the present domains.
-- Domains are split until the kind says that nothing is left, or all is fixed; a budget of nodes
-- keeps this short, and what it does not reach is told apart from what holds.
--
-- Variables that a constraint was loaded with and that the model lacks may take any value that the
-- steps about them allow. So all of these steps are checked together: each solution of the
-- constraint must leave such values.

local kinds = require "cns.proof.kinds"

local trial = {}

-- A view of engine `e`'s domains: terms are integers, {v, s, o} (s * v + o) or {l} (a literal).
local function domains_of(e)
    local low, high, holes, value = e.low, e.high, e.holes, e.value
    local d = {}
    function d.low(t)
        if type(t) == "number" then return t end
        if t.l then return value(t.l) == true and 1 or 0 end
        return t.s > 0 and low[t.v] + t.o or t.o - high[t.v]
    end
    function d.high(t)
        if type(t) == "number" then return t end
        if t.l then return value(t.l) == false and 0 or 1 end
        return t.s > 0 and high[t.v] + t.o or t.o - low[t.v]
    end
    function d.has(t, x)
        if type(t) == "number" then return t == x end
        if t.l then
            local state = value(t.l)
            return (x == 1 and state ~= false) or (x == 0 and state ~= true)
        end
        x = t.s * (x - t.o)
        return x >= low[t.v] and x <= high[t.v] and not holes[t.v][x]
    end
    return d
end

local function all_fixed(e, scope)
    for _, v in ipairs(scope) do
        if e.low[v] ~= e.high[v] then return false end
    end
    return true
end

-- Whether c, with terms for arguments, may hold in the domains.
local function possible(c, d, e)
    local function holds() return kinds[c.kind](c.arguments, d) end
    local function fails()
        local surely = kinds.entailed[c.kind]
        if surely then return not surely(c.arguments, d) end
        return not all_fixed(e, c.scope) or not holds()
    end
    if not c.mode then return holds() end
    local one, zero = d.low(c.condition) == 1, d.high(c.condition) == 0
    if c.mode == "negated" then one, zero = zero, one end
    if one then return holds() end
    if zero and c.mode ~= "if" then return fails() end
    return c.mode == "if" or d.low(c.condition) ~= d.high(c.condition) or holds()
end

-- `found` is called at each solution and says whether to go on. True: all was seen; false: found
-- stopped it; nil: the budget is spent.
local function search(c, e, d, budget, found)
    budget.nodes = budget.nodes - 1
    if budget.nodes < 0 then return nil end
    if not possible(c, d, e) then return true end
    local best, size = nil, math.huge
    for _, v in ipairs(c.scope) do
        local n = e.high[v] - e.low[v]
        if n > 0 and n < size then best, size = v, n end
    end
    if not best then return found() end
    local low, high = e.low[best], e.high[best]
    local function try(a, b)
        local mark = e.mark()
        local result = true
        if e.assert_literal(e.literal(e.GE, best, a)) and e.assert_literal(e.literal(e.LE, best, b))
        then
            result = search(c, e, d, budget, found)
        end
        e.undo(mark)
        return result
    end
    if size < 8 then
        for x = low, high do
            local result = true
            if not e.holes[best][x] then result = try(x, x) end
            if result ~= true then return result end
        end
        return true
    end
    local middle = (low + high) // 2
    local result = try(low, middle)
    if result ~= true then return result end
    return try(middle + 1, high)
end

-- Whether c implies the clause in the domains of the root: true, false, or nil: not known.
function trial.implies(c, e, lits, nodes)
    local mark = e.mark()
    local ok = true
    for _, l in ipairs(lits) do
        ok = ok and e.assert_literal(e.negation(l))
    end
    local result = true
    if ok then
        result = search(c, e, domains_of(e), {nodes = nodes}, function() return false end)
    end
    e.undo(mark)
    return result
end

-- ---- variables that the model lacks -------------------------------------------------------------

-- Whether values of the other variables satisfy the clauses, all of which are about them: unit
-- propagation and splitting. nil: the budget is spent.
local function satisfiable(e, clauses, budget)
    budget.steps = budget.steps - 1
    if budget.steps < 0 then return nil end
    local mark = e.mark()
    local again, open = true, nil
    while again do
        again, open = false, nil
        for _, c in ipairs(clauses) do
            local unit, state = nil, false
            for _, l in ipairs(c) do
                local is = e.value(l)
                if is == true then
                    state = true
                    break
                elseif is == nil then
                    state, unit = unit and "many" or "unit", l
                    if state == "many" then break end
                end
            end
            budget.steps = budget.steps - 1
            if state == false or (state == "unit" and not e.assert_literal(unit)) then
                e.undo(mark)
                return false
            end
            again = again or state == "unit"
            open = state == "many" and unit or open
        end
    end
    local result = true
    if open then
        result = false
        for _, l in ipairs {open, e.negation(open)} do
            local inner = e.mark()
            if result == false and e.assert_literal(l) then
                result = satisfiable(e, clauses, budget)
            end
            e.undo(inner)
            if result ~= false then break end
        end
    end
    e.undo(mark)
    return result
end

-- What an owner of further variables has: the domains before its first step about them, and the
-- clauses, each weakened by what the root knew.
function trial.begin(c, e)
    c.steps = {}
    c.before = {}
    for _, v in ipairs(c.scope) do
        local holes = {}
        for x in pairs(e.holes[v]) do holes[x] = true end
        c.before[v] = {e.low[v], e.high[v], holes}
    end
end

local function add_root_facts(c, e, v, out)
    local before = c.before[v]
    if e.low[v] > before[1] then out[#out + 1] = e.literal(e.LE, v, e.low[v] - 1) end
    if e.high[v] < before[2] then out[#out + 1] = e.literal(e.GE, v, e.high[v] + 1) end
    for x in pairs(e.holes[v]) do
        if not before[3][x] and x >= e.low[v] and x <= e.high[v] then
            out[#out + 1] = e.literal(e.EQ, v, x)
        end
    end
end

-- Whether the root knows something of the further variables: then a step may rest on that.
function trial.narrowed(e, owned)
    for _, v in ipairs(owned.vars) do
        local before = owned.before[v]
        if e.low[v] > before[1] or e.high[v] < before[2] then return true end
        for x in pairs(e.holes[v]) do
            if not before[3][x] then return true end
        end
    end
    return false
end

-- Keeps a step about further variables for trial.finish.
function trial.keep(c, e, lits, owned)
    if c.facts_at ~= e.changes or c.facts_of ~= #owned.vars then
        c.facts_at, c.facts_of, c.facts = e.changes, #owned.vars, {}
        for _, v in ipairs(c.scope) do add_root_facts(c, e, v, c.facts) end
        for _, v in ipairs(owned.vars) do
            c.before[v] = c.before[v] or owned.before[v]
            add_root_facts(c, e, v, c.facts)
        end
    end
    local step = table.move(c.facts, 1, #c.facts, 1, {})
    c.steps[#c.steps + 1] = table.move(lits, 1, #lits, #step + 1, step)
end

-- Whether all steps about the further variables hold together: true, false, or nil: not known.
function trial.finish(c, e, limits)
    for v, before in pairs(c.before) do
        e.low[v], e.high[v], e.holes[v] = before[1], before[2], before[3]
    end
    local d = domains_of(e)
    local budget = {nodes = limits.nodes, steps = limits.steps}
    local result = search(c, e, d, budget, function()
        local left = {}
        for _, step in ipairs(c.steps) do
            budget.steps = budget.steps - 1
            local true_already = false
            for _, l in ipairs(step) do
                if e.value(l) == true then
                    true_already = true
                    break
                end
            end
            if not true_already then left[#left + 1] = step end
        end
        return satisfiable(e, left, budget)
    end)
    return result
end

return trial
