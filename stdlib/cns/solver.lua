-- SPDX-License-Identifier: MIT
--
-- cns.solver - models of integer and Boolean variables, written as the problem reads:
--
--     local model = require "cns.solver".model()
--     local x, y = model:int(0, 10, "x"), model:int(0, 10, "y")
--     model:post((x + 2 * y):le(14))
--     model:maximize(3 * x + 4 * y)
--     print(model:solve()[x])
--
-- The guide is doc/solver.md. What is posted goes to the engine at once, so that errors name the
-- line; the model keeps it, too, for explanations and for searches of their own.

local expression = require "cns.solver.expression"
local constraints = require "cns.solver.constraints"
local program = require "cns.solver.program"
local run = require "cns.solver.run"

expression.own_file()
local fail, is_node, describe = expression.fail, expression.is_node, expression.describe
local number, truth, integer = expression.number, expression.truth, expression.integer

---@class cns.solver
local solver = {raw = require "cns".solver.raw}

for name, fn in pairs(constraints.functions) do solver[name] = fn end
for name, fn in pairs(constraints.relations) do solver[name] = fn end

---@class cns.solver.model
local model = {__name = "cns.solver.model"}
model.__index = model

local LIMIT = 1 << 40

local function check_options(options, known, what)
    if options == nil then return {} end
    if type(options) ~= "table" then
        fail("%s: a table of options is needed, got %s", what, describe(options))
    end
    for key in pairs(options) do
        if type(key) ~= "string" or not known:find(" " .. key .. " ", 1, true) then
            fail("%s: unknown option %s (known:%s)", what, describe(key), known:sub(1, -2))
        end
    end
    return options
end

-- Does what changes the engine's side; when that fails half-way, the engine's side is made anew
-- from what the model holds before it is used next. `relation`: what is posted, if anything.
local function attempt_post(self, relation, fn, ...)
    local ok, message = pcall(fn, ...)
    if not ok then
        self.program = nil
        expression.fail_as(tostring(message), relation)
    end
end

local function attempt(self, fn, ...)
    attempt_post(self, nil, fn, ...)
end

---A new, empty model.
---@param options {seed: integer?, memory: integer|string|nil}?
---@return cns.solver.model
function solver.model(options)
    options = check_options(options, " seed memory ", "model")
    local self = setmetatable({
        options = {seed = options.seed or 0, memory = options.memory},
        variables = {}, posts = {}, phases = {}, hints = {}, unnamed = 0,
        goal = "satisfy",
    }, model)
    attempt(self, function() self.program = program.new(self.options) end)
    return self
end

function model:__tostring()
    return ("cns.solver.model %d variables, %d constraints"):format(#self.variables, #self.posts)
end

function model:close()
    self.closed = true
    if self.program then self.program.raw:close() end
    self.program = nil
end
model.__close = model.close

---------------------------------------------------------------------------------------------------
-- Variables

local function check_model(self)
    if getmetatable(self) ~= model then
        fail("a model is needed, got %s: write model:f(...), with a colon", describe(self))
    end
    if self.closed then fail("the model is closed") end
end

local function build(self)
    local fresh = program.new(self.options)
    for _, n in ipairs(self.variables) do fresh:declare(n) end
    return fresh
end

local function post_one(p, entry, cond)
    p.name = entry.name
    p:post(entry.relation, cond)
    p.name = nil
end

local function apply_phase(p, phase)
    p.raw:search(p:all_values(phase.vars), phase.var_rule, phase.value_rule)
end

local function apply_hint(p, n, value)
    p.raw:hint(p:value(n), value)
end

local function apply_goal(self, p)
    if self.goal == "satisfy" then
        p.raw:goal("satisfy")
    else
        p.raw:goal(self.goal, p:value(self.objective))
    end
end

-- The engine's side, made where there is none.
local function ready(self)
    check_model(self)
    if not self.program then
        local p = build(self)
        for _, entry in ipairs(self.posts) do post_one(p, entry) end
        for _, phase in ipairs(self.phases) do apply_phase(p, phase) end
        for _, n in ipairs(self.variables) do
            if self.hints[n] then apply_hint(p, n, self.hints[n]) end
        end
        apply_goal(self, p)
        self.program = p
    end
    return self.program
end

local function changed(self)
    if self.run then self.run:reopen() end
end

-- What variables of one kind have in common: `ranges` only where there are gaps.
local function domain_of(low, high)
    if type(low) == "table" then
        local ranges = expression.ranges(low, "values")
        if #ranges == 0 then fail("values: a list of at least one value is needed") end
        for _, value in ipairs(ranges) do number(value, "values", -LIMIT, LIMIT) end
        return {low = ranges[1], high = ranges[#ranges], ranges = ranges}
    end
    low, high = number(low, "low", -LIMIT, LIMIT), number(high, "high", -LIMIT, LIMIT)
    if low > high then fail("low..high: %d..%d is empty", low, high) end
    return {low = low, high = high}
end

local BOOLEAN = {low = 0, high = 1, bool = true}

-- New variables into `out`, in the engine, too. called(k): the name of number k, if it has one.
local function declare(self, p, out, count, domain, called)
    for k = 1, count do
        local name = called and called(k)
        if not name then
            self.unnamed = self.unnamed + 1
            name = "_" .. self.unnamed
        end
        out[k] = expression.make {op = "var", name = name, low = domain.low, high = domain.high,
            ranges = domain.ranges, bool = domain.bool}
        p:declare(out[k])
    end
end

-- A list of new variables; they become the model's together.
local function variables(self, count, domain, called)
    local out = {}
    attempt(self, declare, self, ready(self), out, count, domain, called)
    table.move(out, 1, count, #self.variables + 1, self.variables)
    changed(self)
    return out
end

local function one(self, domain, name)
    ready(self)
    if name ~= nil and type(name) ~= "string" then
        fail("name: a string is needed, got %s", describe(name))
    end
    return variables(self, 1, domain, name and function() return name end)[1]
end

---An integer variable in low..high, or of a list of values and {low, high}.
---@return cns.expression
function model:int(low, high, name)
    check_model(self)
    local domain = domain_of(low, high)
    if domain.ranges then name = high end
    return one(self, domain, name)
end

---A Boolean variable.
function model:bool(name)
    return one(self, BOOLEAN, name)
end

local function numbered(name)
    return name and function(k) return ("%s[%d]"):format(name, k) end
end

local function check_count(self, count)
    check_model(self)
    number(count, "count", 0, 1 << 26)
end

---An array of integer variables; `low` may be a list of values, as for int.
---@return cns.array
function model:ints(count, low, high, name)
    check_count(self, count)
    if type(low) == "table" then name = high or name end
    local domain = count > 0 and domain_of(low, high)
    return constraints.new_array(variables(self, count, domain, numbered(name)), name)
end

---@return cns.array
function model:bools(count, name)
    check_count(self, count)
    return constraints.new_array(variables(self, count, BOOLEAN, numbered(name)), name)
end

---A matrix of integer variables; `low` may be a list of values, as for int.
---@return cns.matrix
function model:matrix(rows, columns, low, high, name)
    check_model(self)
    number(rows, "rows", 0, 1 << 20)
    if type(low) == "table" then name = high or name end
    if rows > 0 then check_count(self, columns) end
    local domain = rows > 0 and columns > 0 and domain_of(low, high)
    local out = {}
    for r = 1, rows do
        local function called(c) return ("%s[%d,%d]"):format(name, r, c) end
        out[r] = constraints.new_array(variables(self, columns, domain, name and called))
    end
    return constraints.new_matrix(out, name)
end

-- A variable where a range {low, high} is given, else the expression.
local function place(self, value, what, name)
    if type(value) == "table" and not is_node(value) then
        return self:int(value[1], value[2], name)
    end
    return integer(value, what)
end

---Something that takes place from `start` for `duration`: integers, expressions or {low, high}.
---optional: true, or the truth value that says whether it takes place.
---@return cns.interval
function model:interval(options)
    check_model(self)
    options = check_options(options, " start duration optional name ", "interval")
    local name = options.name or "interval"
    local start = place(self, options.start, "start", name .. ".start")
    local duration = place(self, options.duration, "duration", name .. ".duration")
    if not is_node(duration) then number(duration, "duration", 0) end
    local presence = true
    if options.optional == true then
        presence = self:bool(name .. ".presence")
    elseif options.optional then
        presence = truth(options.optional, "optional")
    end
    return constraints.new_interval {start = start, duration = duration, presence = presence,
        finish = expression.sum {start, duration}, name = name}
end

---------------------------------------------------------------------------------------------------
-- Constraints

---What must hold: a relation or a Boolean expression. Named ones are told apart by explain().
---@param relation cns.expression|boolean
---@param name string?
function model:post(relation, name)
    local p = ready(self)
    local entry = {relation = truth(relation, "post"), name = name}
    if name ~= nil and type(name) ~= "string" then
        fail("name: a string is needed, got %s", describe(name))
    end
    attempt_post(self, entry.relation, post_one, p, entry)
    self.posts[#self.posts + 1] = entry
    changed(self)
    return relation
end

for name, make in pairs(constraints.relations) do
    model[name] = function(self, ...)
        check_model(self)
        return self:post(make(...))
    end
end

local function set_goal(self, goal, objective)
    local p = ready(self)
    self.goal, self.objective = goal, objective
    attempt(self, apply_goal, self, p)
    changed(self)
end

---The next solve looks for the least (greatest) value of the expression.
function model:minimize(objective) set_goal(self, "minimize", integer(objective, "minimize")) end
function model:maximize(objective) set_goal(self, "maximize", integer(objective, "maximize")) end
---Any solution will do.
function model:satisfy() set_goal(self, "satisfy") end

---Fix these variables in this way before those of later phases: for the strategies "fixed" and
---"free" (where phases and activity alternate).
function model:search(vars, var_rule, value_rule)
    local p = ready(self)
    local phase = {vars = expression.integers(vars, "search"),
        var_rule = var_rule or "input_order", value_rule = value_rule or "min"}
    attempt(self, apply_phase, p, phase)
    self.phases[#self.phases + 1] = phase
    changed(self)
end

---A value to try first; or a whole solution.
function model:hint(variable, value)
    local p = ready(self)
    if run.is_solution(variable) then
        for _, n in ipairs(self.variables) do
            local known = variable:number(n)
            if known then self:hint(n, known) end
        end
        return
    end
    if not is_node(variable) or variable.op ~= "var" then
        fail("hint: a variable or a solution is needed, got %s", describe(variable))
    end
    value = integer(value, "hint")
    if is_node(value) then fail("hint: a number or a truth value is needed") end
    attempt(self, apply_hint, p, variable, value)
    self.hints[variable] = value
    changed(self)
end

---------------------------------------------------------------------------------------------------
-- Searches

local known_options = " time conflicts seed strategy restart restart_scale restart_base assume"
    .. " progress workers tasks deterministic optimise "

-- A search of this model; `all`: for every solution.
local function begin(self, options, all, what)
    options = check_options(options, known_options, what)
    ready(self)
    if options.seed ~= nil then
        number(options.seed, "seed")
        if options.seed ~= self.options.seed then
            self.options.seed = options.seed
            self.program = nil
        end
    end
    local p = ready(self)
    local search
    attempt(self, function() search = run.begin(self, p, options, all) end)
    self.run = search
    return search
end

---Searches for a solution, with a goal for the best. Gives the solution and "satisfied", "optimal"
---or, when a limit came first, "feasible"; or nil and "infeasible", "time limit", "conflict limit"
---or "cancelled". With assumptions that are to blame, "infeasible" comes with their list.
---@return cns.solution?, string, any[]?
function model:solve(options)
    return begin(self, options, false, "solve"):finish()
end

---Every solution, or with a goal better and better ones; they differ in some variable.
---@return fun(): cns.solution?
function model:solutions(options)
    local search = begin(self, options, true, "solutions")
    return function()
        if self.run ~= search then fail("the model was searched anew meanwhile") end
        return search:next_solution()
    end
end

---Searches on for so many milliseconds (`ms`) or units of work (`ticks`). The first call begins a
---search, with the options of solve; after a solution the next call looks for another, or for a
---better one. Gives "running", "solution" and the solution, "complete" or "stopped".
---@return string, cns.solution?
function model:step(options)
    options = options or {}
    if type(options) ~= "table" then fail("step: options are needed, got %s", describe(options)) end
    local rest = {}
    for key, value in pairs(options) do
        if key ~= "ms" and key ~= "ticks" then rest[key] = value end
    end
    local ticks = options.ticks and number(options.ticks, "ticks", 1)
    local ms = options.ms
    if ms ~= nil and (type(ms) ~= "number" or not (ms >= 0 and ms < 1e9)) then
        fail("ms: a number from 0 is needed, got %s", describe(ms))
    end
    ready(self)
    local search = self.run
    if not search or search.program ~= self.program or not search.stepped then
        search = begin(self, rest, true, "step")
        search.stepped = true
    elseif next(rest) then
        check_options(rest, known_options, "step")
    end
    return search:step(ticks, ms and ms / 1000)
end

---Forgets the search that is under way, so that the next step begins another.
function model:restart()
    check_model(self)
    self.run = nil
end

---Ends the search that is under way, soon.
function model:cancel()
    check_model(self)
    if self.run then self.run:cancel() end
end

---How the last search ended: as the second result of solve; "running" before its end.
function model:status()
    check_model(self)
    return self.run and (self.run.status or "running") or nil
end

---What the engine counted: see cns_solver_stats.
function model:stats()
    return ready(self).raw:stats()
end

-- A search of its own, with what else must hold, and the named constraints each under a literal.
local function separate(self, options, named, more)
    local p = build(self)
    local literals, by_name = {}, {}
    for _, entry in ipairs(self.posts) do
        local cond = nil
        if named and entry.name then
            cond = by_name[entry.name]
            if not cond then
                cond = p:fresh_bool()
                by_name[entry.name] = cond
                literals[#literals + 1] = {key = entry.name, literal = cond}
            end
        end
        post_one(p, entry, cond)
    end
    for _, relation in ipairs(more or {}) do p:post(relation) end
    return run.begin(self, p, options, false, literals)
end

---Whether the solution is the only one; with a goal, the only one as good. false comes with
---another solution; nil with the reason why it is not known.
---@return boolean?, cns.solution|string|nil
function model:unique(solution, options)
    ready(self)
    if type(options) == "string" then options = nil end -- unique(solve()): how that ended
    options = check_options(options, " time conflicts strategy ", "unique")
    if not run.is_solution(solution) then
        fail("unique: a solution is needed, got %s", describe(solution))
    end
    local differ, more = {}, {}
    for k, n in ipairs(self.variables) do
        local value = solution:number(n)
            or fail("unique: the variable %s is not in the solution", n.name)
        differ[k] = n.bool and (value == 1 and expression.negate(n) or n)
            or value > n.low and value < n.high and n:ne(value)
            or value == n.low and n:gt(value) or n:lt(value)
    end
    more[1] = expression.any(differ)
    if self.goal ~= "satisfy" and is_node(self.objective) then
        local best = expression.integer(solution:value(self.objective), "objective")
        more[2] = self.goal == "minimize" and self.objective:le(best) or self.objective:ge(best)
    end
    local search
    attempt(self, function() search = separate(self, options, false, more) end)
    local other, status = search:finish()
    search:close()
    if other then return false, other end
    if status == "infeasible" then return true end
    return nil, status
end

---Why there is no solution: a smallest list of {name = ..., relations = {...}} of named constraints
---that cannot hold together with what has no name (leave out any of them, and the rest can). An
---empty list: what has no name is contradictory by itself. nil and the reason when there is a
---solution ("feasible") or a limit was reached. Printed, the list reads as an explanation.
---@return {name: string, relations: string[]}[]?, string?
function model:explain(options)
    ready(self)
    options = check_options(options, " time conflicts strategy ", "explain")
    local search
    attempt(self, function() search = separate(self, options, true) end)
    local solution, status, core = search:finish()
    search:close()
    if status ~= "infeasible" then
        return nil, solution and "feasible" or status
    end
    local out, at = setmetatable({}, run.explanation), {}
    for k, name in ipairs(core or {}) do -- none: nothing had a name
        out[k] = {name = name, relations = {}}
        at[name] = out[k]
    end
    for _, entry in ipairs(self.posts) do
        local item = entry.name and at[entry.name]
        if item then item.relations[#item.relations + 1] = tostring(entry.relation) end
    end
    return out
end

return solver
