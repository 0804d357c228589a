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

local gaps = require "cns.proof.gaps"
local prune = require "cns.proof.prune"
local tasks = require "cns.proof.tasks"

local trial = {}

local WORK_PER_NODE <const> = 500 -- looks at a variable or a task's part of a window
local MAX_ROUNDS <const> = 400 -- of bounds that narrow each other step by step

-- ---- domains ------------------------------------------------------------------------------------

-- A view of engine `e`'s domains: terms are integers, {v, s, o} (s * v + o) or {l} (a literal).
local function domains_of(e)
    if e.domains then return e.domains end
    local low, high, holes, value = e.low, e.high, e.holes, e.value
    local literal, assert_literal = e.literal, e.assert_literal
    local d = {}
    e.domains = d
    function d.low(t)
        if type(t) == "number" then return t end
        local v = t.v
        if not v then return value(t.l) == true and 1 or 0 end
        return t.s > 0 and low[v] + t.o or t.o - high[v]
    end
    function d.high(t)
        if type(t) == "number" then return t end
        local v = t.v
        if not v then return value(t.l) == false and 0 or 1 end
        return t.s > 0 and high[v] + t.o or t.o - low[v]
    end
    function d.has(t, x)
        if type(t) == "number" then return t == x end
        local v = t.v
        if not v then
            local state = value(t.l)
            return (x == 1 and state ~= false) or (x == 0 and state ~= true)
        end
        x = t.s * (x - t.o)
        return x >= low[v] and x <= high[v] and not holes[v][x]
    end
    function d.at_least(t, x)
        if type(t) == "number" then return t >= x end
        if t.v then
            x = t.s * (x - t.o)
            return assert_literal(literal(t.s > 0 and e.GE or e.LE, t.v, x))
        end
        return x <= 0 or (x == 1 and assert_literal(t.l))
    end
    function d.at_most(t, x)
        if type(t) == "number" then return t <= x end
        if t.v then
            x = t.s * (x - t.o)
            return assert_literal(literal(t.s > 0 and e.LE or e.GE, t.v, x))
        end
        return x >= 1 or (x == 0 and assert_literal(e.negation(t.l)))
    end
    return d
end

trial.domains = domains_of

-- ---- sums that are known ------------------------------------------------------------------------

local function make_normal(sum, sign)
    local list, limit = {}, sign * sum.c
    for k, t in ipairs(sum.x) do
        local a = sign * sum.a[k]
        if type(t) == "number" then
            limit = limit - a * t
        elseif t.v and #list < 3 then
            limit = limit - a * t.o
            list[#list + 1] = ("%d:%d"):format(t.v, a * t.s)
        else
            return nil
        end
    end
    table.sort(list)
    return table.concat(list, " "), limit
end

-- A short sum's variables and coefficients as a key, and its limit then; nil: it has too many. Both
-- are kept in the sum.
local function normal(sum, sign)
    local keys = sum.keys
    if not keys then
        keys = {}
        sum.keys = keys
    end
    local key = keys[sign]
    if key == nil then
        key, keys[sign << 1] = make_normal(sum, sign)
        keys[sign] = key or false
    end
    return key, keys[sign << 1]
end

-- By key, the limits of the sums that must hold or must not.
local function known_sums(conjunction, d)
    local limits = {}
    local function note(sum, sign, slack)
        local key, limit = normal(sum, sign)
        if key then limits[key] = math.min(limits[key] or math.huge, limit - slack) end
    end
    for _, c in ipairs(conjunction) do
        if c.kind == "le" then
            local condition = c.mode and (d.low(c.condition) == 1 and 1
                or d.high(c.condition) == 0 and 0)
            if not c.mode or condition == 1 then
                note(c.arguments, 1, 0)
            elseif condition == 0 and c.mode == "iff" then
                note(c.arguments, -1, 1)
            end
        end
    end
    return limits
end

local function difference_limit(limits, x, y)
    local key, limit = normal({x = {x, y}, a = {1, -1}, c = 0}, 1)
    return key and limits[key] and limits[key] - limit or math.huge
end

-- ---- search -------------------------------------------------------------------------------------

-- Narrows the domains by all constraints until none does; false: they cannot hold.
local function settle(task)
    local e, d, conjunction = task.e, task.d, task.conjunction
    for _ = 1, MAX_ROUNDS do
        local before = e.changes
        if task.relates then
            local limits = known_sums(conjunction, d)
            function d.apart(x, y)
                return -difference_limit(limits, y, x), difference_limit(limits, x, y)
            end
        end
        for k = #conjunction, 1, -1 do -- the constraint itself last: it is the dearest one
            local c = conjunction[k]
            d.work = d.work + 1 + #c.scope
            if not prune.revise(c, d, task.all_fixed) then return false end
        end
        if e.changes == before or d.work > task.work then break end
    end
    return true
end

-- What to try one after the other: lists of sums to add; nil: domains are to be split.
local function cases_of(task)
    local limits = nil
    local function known(sum, sign)
        limits = limits or known_sums(task.conjunction, task.d)
        local key, limit = normal(sum, sign)
        limit = sign < 0 and limit and limit - 1 or limit -- not <= c: the negated sum is <= -c - 1
        return key ~= nil and limits[key] ~= nil and limits[key] <= limit
    end
    for _, c in ipairs(task.conjunction) do
        local choose = not c.mode and tasks.choose[c.kind]
        local cases = choose and choose(c.arguments, task.d, task.first, known)
        if cases then return cases end
    end
    return nil
end

local search

local function try_case(task, sums)
    local e, conjunction = task.e, task.conjunction
    local mark, count = e.mark(), #conjunction
    for _, sum in ipairs(sums) do
        conjunction[#conjunction + 1] = {kind = "le", arguments = sum, scope = {}}
    end
    local result = search(task)
    for k = #conjunction, count + 1, -1 do conjunction[k] = nil end
    e.undo(mark)
    return result
end

local function smallest_domain(task)
    local low, high = task.e.low, task.e.high
    local best, size = nil, math.huge
    for _, v in ipairs(task.scope) do
        local n = high[v] - low[v]
        if n > 0 and n < size then best, size = v, n end
    end
    return best, size
end

-- `task.found` is called at each solution and says whether to go on. True: all was seen; false:
-- found stopped it; nil: the budget is spent.
function search(task)
    local e = task.e
    task.nodes = task.nodes - 1
    if task.nodes < 0 or task.d.work > task.work then return nil end
    if not settle(task) then return true end
    local cases = cases_of(task)
    if cases then
        for _, sums in ipairs(cases) do
            local result = try_case(task, sums)
            if result ~= true then return result end
        end
        return true
    end
    local best, size = smallest_domain(task)
    if not best then return task.found() end
    local low, high = e.low[best], e.high[best]
    local function try(a, b)
        local mark = e.mark()
        local result = true
        if e.assert_literal(e.literal(e.GE, best, a)) and e.assert_literal(e.literal(e.LE, best, b))
        then
            result = search(task)
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

local function all_fixed_of(e)
    local low, high = e.low, e.high
    return function(scope)
        for _, v in ipairs(scope) do
            if low[v] ~= high[v] then return false end
        end
        return true
    end
end

local function run(e, conjunction, nodes, first, found)
    local task = {e = e, d = domains_of(e), conjunction = conjunction, nodes = nodes, first = first,
        found = found, scope = {}, relates = false, work = nodes * WORK_PER_NODE}
    local seen = {}
    for _, c in ipairs(conjunction) do
        task.relates = task.relates or c.kind == "lex"
        for _, v in ipairs(c.scope) do
            if not seen[v] then
                seen[v] = true
                task.scope[#task.scope + 1] = v
            end
        end
    end
    e.all_fixed = e.all_fixed or all_fixed_of(e)
    task.all_fixed = e.all_fixed
    task.d.apart, task.d.work = nil, 0
    return search(task), task
end

-- ---- lemmas -------------------------------------------------------------------------------------

-- The conjunction without what the lemma's variables do not touch; nil: nothing can go.
local function relaxed(conjunction, e, lits)
    local names, out = {}, nil
    for _, l in ipairs(lits) do names[e.lit_var[l]] = true end
    for k = 2, #conjunction do
        for _, v in ipairs(conjunction[k].scope) do names[v] = true end
    end
    local function named(t)
        return names[t.v or e.lit_var[t.l]] == true
    end
    local c = conjunction[1]
    local relax = not c.mode and tasks.relax[c.kind] or c.relax
    local arguments = relax and relax(c.arguments, named, names)
    if arguments then
        out = table.move(conjunction, 1, #conjunction, 1, {})
        out[1] = {kind = c.kind, arguments = arguments, scope = c.scope}
    end
    return out
end

-- Whether one look at each constraint is enough to see that they cannot hold, as it mostly is.
local function conflicts(conjunction, e)
    local d = domains_of(e)
    e.all_fixed = e.all_fixed or all_fixed_of(e)
    d.apart, d.work = nil, 0
    for k = #conjunction, 1, -1 do
        if not prune.revise(conjunction[k], d, e.all_fixed) then return true end
    end
    return false
end

-- Whether the constraints together imply the clause in the domains of the root: true, false, or
-- nil: not known. The first one is that of the lemma, the others say what new Booleans in it mean.
function trial.implies(conjunction, e, lits, nodes)
    local mark = e.mark()
    local ok = true
    for _, l in ipairs(lits) do
        ok = ok and e.assert_literal(e.negation(l))
    end
    local result = true
    local fewer = ok and relaxed(conjunction, e, lits)
    if ok and not conflicts(fewer or conjunction, e) then
        local first = lits[1] and e.lit_var[lits[1]]
        local function stop() return false end
        result = fewer and run(e, fewer, nodes // 4, first, stop) or false
        if result ~= true then
            e.undo(mark)
            mark = e.mark()
            for _, l in ipairs(lits) do e.assert_literal(e.negation(l)) end
            result = run(e, conjunction, nodes, first, stop)
        end
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
        c.before[v] = {e.low[v], e.high[v], gaps.copy(e.holes[v])}
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
    local budget = {steps = limits.steps}
    local mark = e.mark()
    local result = run(e, {c}, limits.nodes, nil, function()
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
    e.undo(mark)
    return result
end

return trial
