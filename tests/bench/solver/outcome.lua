-- SPDX-License-Identifier: MIT
--
-- outcome.lua - what a FlatZinc solver's standard output says; whether answers of several solvers
-- agree; and the MiniZinc Challenge's score of two of them on an instance: the better answer takes
-- the point; indistinguishable answers share it by time, the quicker one more; who has no answer
-- gets nothing (https://www.minizinc.org/challenge, Rules, Assessment).
--
-- An outcome: status ("optimal", "unsat", "solved", "found" or "unknown"; "error"), objective,
-- solutions, seconds, limit, stats. "optimal", "unsat" and "solved" (a satisfaction problem) are
-- complete answers; "found" is a solution whose optimality is open.

local outcome = {}

local complete = {optimal = true, unsat = true, solved = true}

function outcome.is_complete(one)
    return complete[one.status] or false
end

function outcome.has_answer(one)
    return complete[one.status] or one.status == "found"
end

function outcome.is_proof(one)
    return one.status == "optimal" or one.status == "unsat"
end

-- Reads the file `path`; problem = {kind = "minimize", "maximize" or "satisfy", objective = NAME}.
function outcome.parse(path, problem)
    local one = {solutions = 0, stats = {}}
    local pending, finished
    local pattern = problem.objective
        and "^" .. problem.objective:gsub("%p", "%%%0") .. " = (-?%d+);"
    for line in io.lines(path) do
        if line == "----------" then
            one.solutions = one.solutions + 1
            one.objective = pending
        elseif line == "==========" then
            finished = true
        elseif line == "=====UNSATISFIABLE=====" then
            one.unsat = true
        elseif line:find("^%%%%%%mzn%-stat:") then
            local key, value = line:match("^%%%%%%mzn%-stat: *([%w_]+)=(.*)$")
            if key then
                one.stats[key] = tonumber(value) or value
            end
        elseif pattern then
            pending = math.tointeger(line:match(pattern)) or pending
        end
    end
    if one.unsat then
        one.status = "unsat"
    elseif one.solutions == 0 then
        one.status = "unknown"
    elseif problem.kind == "satisfy" then
        one.status = "solved"
    else
        one.status = finished and "optimal" or "found"
    end
    return one
end

local function better_objective(kind, a, b)
    if kind == "minimize" then
        return a < b
    end
    return kind == "maximize" and a > b
end

-- 1 when a's answer is better than b's, -1 when worse, 0 when they cannot be told apart.
function outcome.compare(kind, a, b)
    local function rank(one)
        return complete[one.status] and 2 or one.status == "found" and 1 or 0
    end
    local left, right = rank(a), rank(b)
    if left ~= right then
        return left > right and 1 or -1
    elseif left ~= 1 or a.objective == b.objective then
        return 0
    end
    return better_objective(kind, a.objective, b.objective) and 1 or -1
end

-- Points of a and of b.
function outcome.score(kind, a, b)
    local order = outcome.compare(kind, a, b)
    if order ~= 0 then
        return order > 0 and 1 or 0, order < 0 and 1 or 0
    elseif not outcome.has_answer(a) then
        return 0, 0
    end
    local sum = a.seconds + b.seconds
    return b.seconds / sum, a.seconds / sum
end

-- Why two answers cannot both be right; nil when they can.
local function quarrel(kind, a, b)
    if a.status == "unsat" and b.solutions > 0 then
        return "one proves that there is no solution, the other finds one"
    elseif a.status ~= "optimal" or not b.objective then
        return nil
    elseif b.status == "optimal" and a.objective ~= b.objective then
        return ("both prove optimality, of %d and %d"):format(a.objective, b.objective)
    elseif better_objective(kind, b.objective, a.objective) then
        return ("one proves that %d is optimal, the other finds %d"):format(a.objective,
            b.objective)
    end
end

-- A list of messages about outcomes by side; empty when they agree.
function outcome.disagreements(kind, outcomes)
    local messages = {}
    for left, a in pairs(outcomes) do
        for right, b in pairs(outcomes) do
            local why = left ~= right and quarrel(kind, a, b)
            if why then
                messages[#messages + 1] = ("%s and %s: %s"):format(left, right, why)
            end
        end
    end
    table.sort(messages)
    return messages
end

return outcome
