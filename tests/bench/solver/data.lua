-- SPDX-License-Identifier: MIT
--
-- data.lua - data of the models that are written for MiniZinc and for CP-SAT alike (models/), as
-- JSON that both read: job shops from jobshop.txt, the rest from seeded generators. Resource
-- constrained projects follow the parameters of Kolisch and Sprecher's PSPLIB (1996): network
-- complexity, resource factor, resource strength; knapsacks are made as Chu and Beasley's (1998).

local cns = require "cns"
local random_of = require "random".of

local data = {}

local function matrix(rows, columns, value)
    local list = {}
    for i = 1, rows do
        list[i] = {}
        for j = 1, columns do list[i][j] = value(i, j) end
    end
    return list
end

local function job_shops(path)
    local shops, shop, left = {}, nil, 0
    for line in io.lines(path) do
        local name, jobs, machines = line:match("^(%a%w+) (%d+) (%d+)$")
        if name then
            shop = {jobs = math.tointeger(jobs), machines = math.tointeger(machines),
                machine = {}, duration = {}}
            shops[name], left = shop, shop.jobs
        elseif left > 0 and not line:find("^#") then
            local machine, duration = {}, {}
            for m, d in line:gmatch("(%d+) (%d+)") do
                machine[#machine + 1] = math.tointeger(m) + 1
                duration[#duration + 1] = math.tointeger(d)
            end
            table.insert(shop.machine, machine)
            table.insert(shop.duration, duration)
            left = left - 1
        end
    end
    return shops
end

-- Precedences i < j only, so the graph has no cycle; each task but the first few follows another.
local function precedences(random, tasks, complexity)
    local before, after, seen = {}, {}, {}
    local function add(i, j)
        if not seen[i * 1000 + j] then
            seen[i * 1000 + j] = true
            before[#before + 1], after[#after + 1] = i, j
        end
    end
    for j = 4, tasks do add(random(math.max(1, j - 10), j - 1), j) end
    while #before < tasks * complexity do
        local i = random(1, tasks - 1)
        add(i, random(i + 1, math.min(tasks, i + 10)))
    end
    return before, after
end

-- strength between 0 (the capacity that the greatest demand needs) and 1 (that of 4 such tasks).
local function project(seed, tasks, complexity, factor, strength)
    local random = random_of(seed)
    local resources = 4
    local before, after = precedences(random, tasks, complexity)
    local duration = {}
    for i = 1, tasks do duration[i] = random(1, 10) end
    local demand = matrix(resources, tasks, function()
        return random(1, 100) <= 100 * factor and random(1, 10) or 0
    end)
    local capacity = {}
    for r = 1, resources do
        local most = math.max(table.unpack(demand[r]))
        capacity[r] = math.max(1, most) + math.floor(3 * strength * most)
    end
    return {tasks = tasks, resources = resources, duration = duration, demand = demand,
        capacity = capacity, arcs = #before, before = before, after = after}
end

local function knapsack(seed, items, constraints)
    local random = random_of(seed)
    local weight = matrix(constraints, items, function() return random(1, 1000) end)
    local capacity, profit = {}, {}
    for c = 1, constraints do
        local sum = 0
        for i = 1, items do sum = sum + weight[c][i] end
        capacity[c] = sum // 2
    end
    for i = 1, items do
        local sum = 0
        for c = 1, constraints do sum = sum + weight[c][i] end
        profit[i] = sum // constraints + random(1, 500)
    end
    return {items = items, constraints = constraints, weight = weight, capacity = capacity,
        profit = profit}
end

-- A single round robin whose matches cost what their week costs; who plays at home is free.
local function league(seed, teams)
    local random = random_of(seed)
    local cost = {}
    for i = 1, teams * teams * (teams - 1) do cost[i] = random(1, 99) end
    return {teams = teams, cost = cost}
end

-- Days off, early, late, night; a nurse's wishes are weighted.
local function roster(seed, nurses, days)
    local random = random_of(seed)
    local demand = matrix(days, 3, function(_, shift)
        return shift == 3 and nurses // 6 or nurses // 5 + random(0, 1)
    end)
    local dislike = {}
    for i = 1, nurses * days * 4 do dislike[i] = random(1, 3) == 1 and random(1, 10) or 0 end
    return {nurses = nurses, days = days, demand = demand, dislike = dislike,
        least = days * 9 // 14, most = days * 11 // 14}
end

-- A list of {name, model, data}; the same on every machine.
function data.instances(folder)
    local list = {}
    local function add(name, model, values)
        list[#list + 1] = {name = name, model = model, data = values}
    end
    local shops = job_shops(folder .. "/jobshop.txt")
    for name in ("ft06 ft10 la01 la02 la03 la04 la05 la16 la17 la18 la19 la20"):gmatch("%S+") do
        add(name, "jobshop", shops[name])
    end
    for i, entry in ipairs {{30, 1.5, 0.5, 0.3}, {30, 1.8, 0.75, 0.2}, {30, 2.1, 1.0, 0.4},
        {60, 1.5, 0.5, 0.3}, {60, 1.8, 0.75, 0.4}, {60, 2.1, 0.5, 0.2}} do
        add("rcpsp_" .. i, "rcpsp", project(i, table.unpack(entry)))
    end
    for i, entry in ipairs {{20, 5}, {28, 5}, {35, 5}, {30, 10}} do
        add("knapsack_" .. i, "knapsack", knapsack(i, table.unpack(entry)))
    end
    for i, teams in ipairs {6, 6, 8, 8} do add("league_" .. i, "league", league(i, teams)) end
    for i, entry in ipairs {{10, 7}, {12, 14}, {16, 14}, {20, 21}} do
        add("roster_" .. i, "roster", roster(i, table.unpack(entry)))
    end
    return list
end

function data.write(path, values)
    local text = cns.json.encode(values)
    local file = io.open(path)
    if file then
        local same = file:read("a") == text
        file:close()
        if same then
            return -- and what was flattened from it is still good
        end
    end
    local out <close> = assert(io.open(path, "w"))
    assert(out:write(text))
end

return data
