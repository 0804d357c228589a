-- SPDX-License-Identifier: MIT
--
-- solve_project.lua - a project with scarce resources (RCPSP): the shortest schedule, drawn.
--
--     cnsengine run scripts/solve_project.lua
--
-- Ten activities, two resources. Every order of the activities, scheduled one by one as early as
-- possible, is tried in plain Lua: one of them gives a shortest schedule (Kolisch 1996), so that
-- the optimum is verified.

local host = require "cns.host"
local solver = require "cns.solver"

local capacity = {carpenters = 4, cranes = 2}
local activities = { -- name, duration, carpenters, cranes, what must be finished before
    {"survey", 2, 1, 0, {}}, {"dig", 4, 2, 1, {1}}, {"pour", 3, 2, 1, {2}},
    {"order wood", 6, 0, 0, {1}}, {"walls", 5, 3, 1, {3, 4}}, {"roof", 4, 2, 2, {5}},
    {"drains", 3, 2, 1, {2}}, {"wires", 4, 2, 0, {5}}, {"garden", 5, 1, 1, {7}},
    {"paint", 3, 3, 0, {6, 8}},
}

local horizon = 0
for _, a in ipairs(activities) do horizon = horizon + a[2] end

local model = solver.model()
local task, finish, carpenters, cranes = {}, {}, {}, {}
for k, a in ipairs(activities) do
    task[k] = model:interval {start = {0, horizon}, duration = a[2], name = a[1]}
    finish[k], carpenters[k], cranes[k] = task[k].finish, a[3], a[4]
    for _, before in ipairs(a[5]) do model:post(task[before]:before(task[k])) end
end
model:cumulative(task, carpenters, capacity.carpenters)
model:cumulative(task, cranes, capacity.cranes)
model:minimize(solver.max(finish))
local solution, status = model:solve()

-- Whether activity k may run in start..start+duration-1 beside what is in `load`.
local function fits(load, k, start)
    for time = start, start + activities[k][2] - 1 do
        local at = load[time] or {0, 0}
        if at[1] + carpenters[k] > capacity.carpenters or at[2] + cranes[k] > capacity.cranes then
            return false
        end
    end
    return true
end

local function put(load, k, start, sign)
    for time = start, start + activities[k][2] - 1 do
        load[time] = load[time] or {0, 0}
        load[time][1] = load[time][1] + sign * carpenters[k]
        load[time][2] = load[time][2] + sign * cranes[k]
    end
end

local best, starts, load, orders = horizon + 1, {}, {}, 0
local function try(placed, last)
    if placed == #activities then
        orders = orders + 1
        best = math.min(best, last)
        return
    end
    for k, a in ipairs(activities) do
        local early = not starts[k] and 0 or nil
        for _, before in ipairs(a[5]) do
            early = early and starts[before]
                and math.max(early, starts[before] + activities[before][2])
        end
        if early then
            while not fits(load, k, early) do early = early + 1 end
            starts[k] = early
            put(load, k, early, 1)
            try(placed + 1, math.max(last, early + a[2]))
            put(load, k, early, -1)
            starts[k] = nil
        end
    end
end
try(0, 0)

-- The schedule of the solver holds, and no order gives a shorter one.
local last, used = 0, {}
for k, a in ipairs(activities) do
    local start = solution[task[k].start]
    for _, before in ipairs(a[5]) do assert(start >= solution[finish[before]]) end
    assert(fits(used, k, start))
    put(used, k, start, 1)
    last = math.max(last, start + a[2])
end
for k, a in ipairs(activities) do
    local start = solution[task[k].start]
    local bar = (" "):rep(2 * start) .. ("█"):rep(2 * a[2])
    print(("%-11s %s"):format(a[1], host.color and "\27[36m" .. bar .. "\27[0m" or bar))
end
print(("%d days, %s; the best of %d orders takes %d"):format(last, status, orders, best))
assert(status == "optimal" and last == solution.objective and last == best)
host.verdict("success")
