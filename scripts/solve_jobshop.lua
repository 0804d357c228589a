-- SPDX-License-Identifier: MIT
--
-- solve_jobshop.lua - job shops of the literature: the shortest schedule, drawn by machine.
--
--     cnsengine run scripts/solve_jobshop.lua [--set instance=ft10] [--set seconds=60]
--
-- Instances: FT06 and FT10 (Fisher and Thompson 1963), LA01 and LA02 (Lawrence 1984). What is
-- printed is checked: each job in its order, each machine one job at a time.

local host = require "cns.host"
local solver = require "cns.solver"

-- For each job: machine (from 0), duration, machine, duration, ... `best` is the known optimum.
local instances = {
    ft06 = {best = 55, {2, 1, 0, 3, 1, 6, 3, 7, 5, 3, 4, 6},
        {1, 8, 2, 5, 4, 10, 5, 10, 0, 10, 3, 4}, {2, 5, 3, 4, 5, 8, 0, 9, 1, 1, 4, 7},
        {1, 5, 0, 5, 2, 5, 3, 3, 4, 8, 5, 9},
        {2, 9, 1, 3, 4, 5, 5, 4, 0, 3, 3, 1}, {1, 3, 3, 3, 5, 9, 0, 10, 4, 4, 2, 1}},
    ft10 = {best = 930,
        {0, 29, 1, 78, 2, 9, 3, 36, 4, 49, 5, 11, 6, 62, 7, 56, 8, 44, 9, 21},
        {0, 43, 2, 90, 4, 75, 9, 11, 3, 69, 1, 28, 6, 46, 5, 46, 7, 72, 8, 30},
        {1, 91, 0, 85, 3, 39, 2, 74, 8, 90, 5, 10, 7, 12, 6, 89, 9, 45, 4, 33},
        {1, 81, 2, 95, 0, 71, 4, 99, 6, 9, 8, 52, 7, 85, 3, 98, 9, 22, 5, 43},
        {2, 14, 0, 6, 1, 22, 5, 61, 3, 26, 4, 69, 8, 21, 7, 49, 9, 72, 6, 53},
        {2, 84, 1, 2, 5, 52, 3, 95, 8, 48, 9, 72, 0, 47, 6, 65, 4, 6, 7, 25},
        {1, 46, 0, 37, 3, 61, 2, 13, 6, 32, 5, 21, 9, 32, 8, 89, 7, 30, 4, 55},
        {2, 31, 0, 86, 1, 46, 5, 74, 4, 32, 6, 88, 8, 19, 9, 48, 7, 36, 3, 79},
        {0, 76, 1, 69, 3, 76, 5, 51, 2, 85, 9, 11, 6, 40, 7, 89, 4, 26, 8, 74},
        {1, 85, 0, 13, 2, 61, 6, 7, 8, 64, 9, 76, 5, 47, 3, 52, 4, 90, 7, 45}},
    la01 = {best = 666, {1, 21, 0, 53, 4, 95, 3, 55, 2, 34}, {0, 21, 3, 52, 4, 16, 2, 26, 1, 71},
        {3, 39, 4, 98, 1, 42, 2, 31, 0, 12}, {1, 77, 0, 55, 4, 79, 2, 66, 3, 77},
        {0, 83, 3, 34, 2, 64, 1, 19, 4, 37}, {1, 54, 2, 43, 4, 79, 0, 92, 3, 62},
        {3, 69, 4, 77, 1, 87, 2, 87, 0, 93}, {2, 38, 0, 60, 1, 41, 3, 24, 4, 83},
        {3, 17, 1, 49, 4, 25, 0, 44, 2, 98}, {4, 77, 3, 79, 2, 43, 1, 75, 0, 96}},
    la02 = {best = 655, {0, 20, 3, 87, 1, 31, 4, 76, 2, 17}, {4, 25, 2, 32, 0, 24, 1, 18, 3, 81},
        {1, 72, 2, 23, 4, 28, 0, 58, 3, 99}, {2, 86, 1, 76, 4, 97, 0, 45, 3, 90},
        {4, 27, 0, 42, 3, 48, 2, 17, 1, 46}, {1, 67, 0, 98, 4, 48, 3, 27, 2, 62},
        {4, 28, 1, 12, 3, 19, 0, 80, 2, 50}, {1, 63, 0, 94, 2, 98, 3, 50, 4, 80},
        {4, 14, 0, 75, 2, 50, 1, 41, 3, 55}, {4, 72, 2, 18, 1, 37, 3, 79, 0, 61}},
}

local name = host.param("instance", "ft06")
local jobs = instances[name] or error("there is no instance " .. name .. ": ft06, ft10, la01, la02")

local horizon = 0
for _, job in ipairs(jobs) do
    for k = 2, #job, 2 do horizon = horizon + job[k] end
end

local model = solver.model {seed = host.seed & 0xffff}
local tasks, machines, ends = {}, {}, {}
for j, job in ipairs(jobs) do
    tasks[j] = {}
    for k = 1, #job // 2 do
        local machine, duration = job[2 * k - 1], job[2 * k]
        local task = model:interval {start = {0, horizon - duration}, duration = duration,
            name = ("job %d, task %d"):format(j, k)}
        tasks[j][k] = task
        machines[machine] = machines[machine] or {}
        table.insert(machines[machine], {task = task, job = j})
        if k > 1 then model:post(tasks[j][k - 1]:before(task)) end
    end
    ends[j] = tasks[j][#job // 2].finish
end
for m = 0, #machines do
    local list = {}
    for k, use in ipairs(machines[m]) do list[k] = use.task end
    model:no_overlap(list)
end
local makespan = solver.max(ends)
model:minimize(makespan)

local solution, status = model:solve {time = host.param("seconds", 60.0), progress = function(now)
    host.status(("%s: length %s, at least %d; %d failures"):format(name, now.objective or "?",
        now.bound, now.failures))
end}
host.status()
assert(solution, status)

-- The schedule holds.
local last = 0
for j, job in ipairs(jobs) do
    for k, task in ipairs(tasks[j]) do
        local start, finish = solution[task.start], solution[task.finish]
        assert(start >= 0 and finish == start + job[2 * k])
        assert(k == 1 or start >= solution[tasks[j][k - 1].finish])
        last = math.max(last, finish)
    end
end
assert(last == solution.objective)

local width = math.min(host.columns, 80) - 12
local function column(time) return time * width // last end
print(("%s: %d jobs, %d machines"):format(name, #jobs, #machines + 1))
for m = 0, #machines do
    local uses, line = machines[m], {}
    table.sort(uses, function(a, b) return solution[a.task.start] < solution[b.task.start] end)
    for k = 0, width - 1 do line[k] = "." end
    for k, use in ipairs(uses) do
        local start, finish = solution[use.task.start], solution[use.task.finish]
        assert(k == 1 or solution[uses[k - 1].task.finish] <= start)
        local letter = string.char(64 + use.job)
        for c = column(start), column(finish) - 1 do
            line[c] = host.color and ("\27[3%dm%s\27[0m"):format(use.job % 6 + 1, letter) or letter
        end
    end
    print(("machine %d  %s"):format(m, table.concat(line, "", 0)))
end
local stats = model:stats()
print(("length %d, %s; %d failures, bound %d"):format(last, status, stats.failures, stats.bound))
assert(status ~= "optimal" or last == jobs.best, "the known optimum is another")
host.verdict(status == "optimal" and "success" or "inconclusive")
