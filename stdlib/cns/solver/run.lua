-- SPDX-License-Identifier: MIT
--
-- cns.solver.run - a search that is under way, and the solutions that it finds.

local expression = require "cns.solver.expression"
local constraints = require "cns.solver.constraints"
local clock = require "cns".clock

expression.own_file()
local fail, is_node = expression.fail, expression.is_node

---------------------------------------------------------------------------------------------------
-- Solutions

---@class cns.solution
local solution = {}
local solution_methods = {}

-- Values by variable; the names of fields are text, so they never meet a variable.
local function worth(self, key)
    if is_node(key) then
        if key.op == "var" then return solution_methods.number(self, key, true) end
        local value = expression.evaluate(key, function(n) return self:number(n, true) end)
        return value
    elseif type(key) == "table" then
        if getmetatable(key) and not constraints.is_list(key) then
            fail("a solution holds values of variables, expressions and lists of them, got %s",
                expression.describe(key))
        end
        local out = {}
        for k = 1, #key do out[k] = worth(self, key[k]) end
        return out
    end
    return key
end

function solution.__index(self, key)
    if type(key) == "string" then
        if not solution_methods[key] and key ~= "objective" then
            fail("a solution has no field %q: values are read by variable, as in solution[x]", key)
        end
        return solution_methods[key]
    end
    return worth(self, key)
end

function solution.__tostring(self)
    local objective = rawget(self, "objective")
    return "cns.solution" .. (objective and (" of objective %d"):format(objective) or "")
end

---The value of an expression: an integer, or true or false; nil where it is undefined. A list of
---expressions gives a list of values.
function solution_methods:value(value)
    if not is_node(value) and type(value) ~= "table" then
        value = expression.integer(value, "value")
    end
    return worth(self, value)
end

-- The value of a variable: nil when there is none, an error when `needed`.
function solution_methods:number(n, needed)
    local id = self.ids[n]
    local value = id and self.values[id + 1]
    if value == nil then
        if needed then fail("the variable %s is not in the solution", n.name) end
        return nil
    end
    if needed and n.bool then return value == 1 end
    return value
end

local function is_solution(value)
    return getmetatable(value) == solution
end

---------------------------------------------------------------------------------------------------
-- Explanations as text

local explanation = {}

function explanation.__tostring(self)
    if #self == 0 then
        return "The constraints without a name contradict each other."
    end
    local out = {#self == 1 and "This cannot hold:" or "These cannot hold together:"}
    for _, item in ipairs(self) do
        out[#out + 1] = "  - " .. item.name
    end
    return table.concat(out, "\n")
end

---------------------------------------------------------------------------------------------------
-- Searches

local run = {}
run.__index = run

-- What is assumed: literals by what the user calls them, in an order that is always the same.
local function assumptions(program, assume)
    local out, names = {}, {}
    if type(assume) ~= "table" or is_node(assume) then
        fail("assume: a list of truth values is needed, got %s", expression.describe(assume))
    end
    for k = 1, #assume do
        local value = expression.truth(assume[k], ("assume[%d]"):format(k))
        out[k] = {key = value, literal = program:literal(value)}
    end
    for key in pairs(assume) do
        if type(key) == "string" then names[#names + 1] = key end
    end
    table.sort(names)
    for _, name in ipairs(names) do
        local value = expression.truth(assume[name], name)
        out[#out + 1] = {key = name, literal = program:literal(value)}
    end
    return out
end

local function assume(raw, list)
    local literals = {}
    for k = 1, #list do literals[k] = list[k].literal end
    raw:assume(literals)
end

local function engine_options(options, all, time)
    return {time = time or options.time, conflicts = options.conflicts, strategy = options.strategy,
        restart = options.restart, restart_scale = options.restart_scale,
        restart_base = options.restart_base, workers = options.workers, tasks = options.tasks,
        deterministic = options.deterministic, optimise = options.optimise, all = all}
end

function run.begin(model, program, options, all, assumed)
    local raw = program.raw
    if options.progress ~= nil and type(options.progress) ~= "function" then
        fail("progress: a function is needed, got %s", expression.describe(options.progress))
    end
    local self = setmetatable({
        model = model, program = program, options = options, began = clock(),
        goal = program == model.program and model.goal or "satisfy",
        assumed = assumed or options.assume and assumptions(program, options.assume) or {},
    }, run)
    raw:restart()
    self.time = raw:options(engine_options(options, all))
    assume(raw, self.assumed)
    return self
end

-- Only searches that explain or compare have an engine of their own to close.
function run:close()
    self.program.raw:close()
end

function run:cancel()
    self.cancelled = true
    self.program.raw:cancel()
end

function run:take()
    local found = {values = self.program.raw:values(), ids = self.program.ids}
    setmetatable(found, solution)
    if self.goal ~= "satisfy" then
        found.objective = expression.integer(found:value(self.model.objective), "objective")
    end
    self.best = found
    return found
end

function run:why_stopped()
    if self.cancelled then return "cancelled" end
    if self.time and clock() - self.began >= self.time then return "time limit" end
    return "conflict limit"
end

-- A model that was changed is searched on.
function run:reopen()
    self.outcome, self.status = nil, nil
end

-- One piece of work. At the end the status says how it came, and stays.
function run:advance(ticks, seconds)
    if self.outcome then return self.outcome end
    local outcome = self.program.raw:step(ticks, seconds)
    if outcome == "complete" then
        self.outcome = outcome
        self.status = not self.best and "infeasible"
            or self.goal ~= "satisfy" and "optimal" or "satisfied"
    elseif outcome == "stopped" then
        self.outcome = outcome
        self.status = self.best and "feasible" or self:why_stopped()
    end
    return outcome
end

-- Gives way to the caller's progress function, which may yield; false from it ends the search.
function run:report()
    local go_on = self.options.progress(self.program.raw:stats())
    if self.program == self.model.program and self.model.run ~= self then
        fail("the model was searched anew meanwhile")
    end
    if go_on == false then self:cancel() end
end

local SLICE = 0.01 -- seconds between two reports

---Until the next solution; nil at the end.
function run:next_solution()
    local progress = self.options.progress
    while true do
        local outcome = self:advance(nil, progress and SLICE)
        if outcome == "solution" then return self:take() end
        if outcome ~= "running" then return nil end
        self:report()
    end
end

---To the end: the best solution and how it came, or nil and why.
function run:finish()
    while self:next_solution() do
        if self.goal == "satisfy" then
            self.status = "satisfied"
            break
        end
    end
    if self.best then return self.best, self.status end
    if self.status == "infeasible" and #self.assumed > 0 then
        return nil, self.status, self:core()
    end
    return nil, self.status
end

function run:step(ticks, seconds)
    local outcome = self:advance(ticks, seconds)
    return outcome, outcome == "solution" and self:take() or nil
end

---------------------------------------------------------------------------------------------------
-- Cores

-- The assumptions of the engine's last answer that are to blame, of those in `list`.
local function blamed(raw, list)
    local literals, out = {}, {}
    for _, literal in ipairs(raw:core() or {}) do literals[literal] = true end
    for _, item in ipairs(list) do
        if literals[item.literal] then out[#out + 1] = item end
    end
    return out
end

-- Whether the model holds under `list`: nil when a limit came first. With false comes what is to
-- blame.
function run:holds_under(list)
    local raw, left = self.program.raw, self.time and self.time - (clock() - self.began)
    if left and left <= 0 then return nil end
    raw:restart()
    raw:options(engine_options(self.options, false, left))
    assume(raw, list)
    local outcome
    repeat outcome = raw:step() until outcome ~= "running"
    if outcome == "complete" then return false, blamed(raw, list) end
    if outcome == "solution" then return true end
    return nil
end

---A smallest list of what was assumed that cannot hold together: one by one is left out, and comes
---back when the rest holds without it. `minimal` is false when a limit came first.
function run:core()
    local left, needed = blamed(self.program.raw, self.assumed), {}
    local minimal = true
    while #left > 0 do
        local tried, list = left[#left], table.move(needed, 1, #needed, 1, {})
        table.move(left, 1, #left - 1, #list + 1, list)
        local holds, core = self:holds_under(list)
        if holds == false then
            local kept = {}
            for _, item in ipairs(core) do kept[item] = true end
            local rest = {}
            for _, item in ipairs(left) do
                if item ~= tried and kept[item] then rest[#rest + 1] = item end
            end
            left = rest
        else
            minimal = minimal and holds ~= nil
            needed[#needed + 1] = tried
            left[#left] = nil
        end
    end
    local out, at = {minimal = minimal}, {}
    for _, item in ipairs(needed) do at[item] = true end
    for _, item in ipairs(self.assumed) do
        if at[item] then out[#out + 1] = item.key end
    end
    return out
end

run.explanation = explanation
run.is_solution = is_solution
return run
