-- SPDX-License-Identifier: MIT
--
-- solving.lua - constraint solving: 32 workers solve instances of five problems while 1 GiB of the
-- engine's heap is held and compared afterwards. What each must find is known without the solver:
-- by dynamic programming, by the rules of the puzzle, or because the instance was made to have no
-- solution.

-- ---- instances: the same on a worker and where they are verified --------------------------------

-- Items with weights and profits, and a capacity of half the weights.
local function knapsack(random)
    local item, total = {weight = {}, profit = {}}, 0
    for k = 1, 18 do
        item.weight[k], item.profit[k] = 5 + random(40), 1 + random(60)
        total = total + item.weight[k]
    end
    item.capacity = total // 2
    return item
end

-- Cities in the plane; distances rounded up, so that they obey the triangle inequality.
local function tour(random)
    local n, at, distance = 8, {}, {}
    for i = 1, n do at[i] = {random(100), random(100)} end
    for i = 1, n do
        distance[i] = {}
        for j = 1, n do
            distance[i][j] = math.ceil(math.sqrt((at[i][1] - at[j][1]) ^ 2
                + (at[i][2] - at[j][2]) ^ 2))
        end
    end
    return {n = n, distance = distance}
end

-- A solved grid of which 30 cells are left.
local function sudoku(random)
    local clues, cells = require "peers.sudoku".grid(random), {}
    for k = 1, 81 do cells[k] = k end
    for k = 81, 31, -1 do
        local other = random(k)
        cells[k], cells[other] = cells[other], cells[k]
        clues[cells[k]] = 0
    end
    return {clues = clues}
end

-- Jobs on one machine: released, processed, then a tail each; the end of the last tail counts.
local function machine(random)
    local job = {n = 8, release = {}, duration = {}, tail = {}}
    for k = 1, job.n do
        job.release[k], job.duration[k], job.tail[k] = random(40), random(12), random(40)
    end
    return job
end

-- Seven pigeons, six holes, each pigeon with a few holes of its own to avoid.
local function pigeons(random)
    local avoid = {}
    for k = 1, 7 do avoid[k] = random(6) end
    return {avoid = avoid}
end

local makers = {knapsack, tour, sudoku, machine, pigeons}

-- ---- the solver's part, on a worker -------------------------------------------------------------

local solvers = {
    function(solver, model, item)
        local take = model:bools(#item.weight, "take")
        model:post(solver.sum(take, item.weight):le(item.capacity))
        model:maximize(solver.sum(take, item.profit))
        return take
    end,
    function(solver, model, it)
        local succ, legs = model:ints(it.n, 1, it.n, "successor"), {}
        model:circuit(succ)
        for i = 1, it.n do legs[i] = solver.element(it.distance[i], succ[i]) end
        model:minimize(solver.sum(legs))
        return succ
    end,
    function(_, model, it)
        local grid = model:matrix(9, 9, 1, 9, "cell")
        for i = 1, 9 do
            model:all_different(grid:row(i))
            model:all_different(grid:column(i))
            model:all_different(grid:block((i - 1) // 3 * 3 + 1, (i - 1) % 3 * 3 + 1, 3, 3))
        end
        for k, clue in ipairs(it.clues) do
            if clue ~= 0 then model:post(grid[(k - 1) // 9 + 1][(k - 1) % 9 + 1]:eq(clue)) end
        end
        return grid:flat()
    end,
    function(solver, model, job)
        local intervals, starts, ends = {}, {}, {}
        for k = 1, job.n do
            intervals[k] = model:interval {start = {job.release[k], 400},
                duration = job.duration[k]}
            starts[k], ends[k] = intervals[k].start, intervals[k].finish + job.tail[k]
        end
        model:no_overlap(intervals)
        model:minimize(solver.max(ends))
        return starts
    end,
    function(_, model, it)
        local hole = model:ints(7, 1, 6, "hole")
        model:all_different(hole)
        for k = 1, 7 do model:post(hole[k]:ne(it.avoid[k])) end
        return hole
    end,
}

local function work(ctx, call)
    local solver = require "cns.solver"
    local random = require "cns.stats".random(ctx.seed + call)
    local which = (call - 1) % #makers + 1
    local model = solver.model {seed = call}
    local variables = solvers[which](solver, model, makers[which](random))
    local solution, status = model:solve()
    local values = {}
    for k = 1, solution and #variables or 0 do
        local value = solution[variables[k]]
        values[k] = value == true and 1 or value == false and 0 or value
    end
    return {status = status, values = values, objective = solution and solution.objective}
end

-- ---- what must come out -------------------------------------------------------------------------

local function sum_of(list, values)
    local sum = 0
    for k, value in ipairs(values) do sum = sum + list[k] * value end
    return sum
end

-- Best profit by dynamic programming over the capacity.
local function best_knapsack(item)
    local best = {}
    for c = 0, item.capacity do best[c] = 0 end
    for k, weight in ipairs(item.weight) do
        for c = item.capacity, weight, -1 do
            best[c] = math.max(best[c], best[c - weight] + item.profit[k])
        end
    end
    return best[item.capacity]
end

-- The shortest tour (Held, Karp 1962): by the set visited and the last city.
local function best_tour(it)
    local n, best = it.n, {}
    for set = 1, (1 << n) - 1, 2 do best[set] = {} end
    best[1][1] = 0
    for set = 1, (1 << n) - 1, 2 do
        for last, length in pairs(best[set]) do
            for city = 2, n do
                local bit = 1 << (city - 1)
                if set & bit == 0 then
                    local row, longer = best[set | bit], length + it.distance[last][city]
                    if not row[city] or longer < row[city] then row[city] = longer end
                end
            end
        end
    end
    local shortest = math.huge
    for last, length in pairs(best[(1 << n) - 1]) do
        if last ~= 1 then shortest = math.min(shortest, length + it.distance[last][1]) end
    end
    return shortest
end

-- The order of the jobs by all orders, cut off by the best end so far.
local function best_machine(job)
    local best, done = math.huge, {}
    local function extend(count, time, ending)
        if ending >= best then return end
        if count == job.n then
            best = ending
            return
        end
        for k = 1, job.n do
            if not done[k] then
                local finish = math.max(time, job.release[k]) + job.duration[k]
                done[k] = true
                extend(count + 1, finish, math.max(ending, finish + job.tail[k]))
                done[k] = nil
            end
        end
    end
    extend(0, 0, 0)
    return best
end

local function check_tour(it, succ)
    local seen, city, length = {}, 1, 0
    for _ = 1, it.n do
        if seen[city] then return nil end
        seen[city], length = true, length + it.distance[city][succ[city]]
        city = succ[city]
    end
    return city == 1 and length or nil
end

local function check_sudoku(it, cells)
    for unit = 0, 8 do
        local row, column, block = 0, 0, 0
        for k = 0, 8 do
            local r, c = unit // 3 * 3 + k // 3, unit % 3 * 3 + k % 3
            row = row | 1 << cells[9 * unit + k + 1]
            column = column | 1 << cells[9 * k + unit + 1]
            block = block | 1 << cells[9 * r + c + 1]
        end
        if row ~= 1022 or column ~= 1022 or block ~= 1022 then return false end
    end
    for k, clue in ipairs(it.clues) do
        if clue ~= 0 and cells[k] ~= clue then return false end
    end
    return true
end

local function check_machine(job, starts)
    local order, ending, time = {}, 0, 0
    for k = 1, job.n do order[k] = k end
    table.sort(order, function(a, b) return starts[a] < starts[b] end)
    for _, k in ipairs(order) do
        if starts[k] < math.max(time, job.release[k]) then return nil end
        time = starts[k] + job.duration[k]
        ending = math.max(ending, time + job.tail[k])
    end
    return ending
end

local function same(what, found, expected, objective)
    return found == expected and objective == expected,
        ("%s: %s by its values, %s reported, %s is best"):format(what, found, objective, expected)
end

local checks_of = {
    function(item, answer)
        if sum_of(item.weight, answer.values) > item.capacity then
            return false, "knapsack: too heavy"
        end
        return same("knapsack", sum_of(item.profit, answer.values), best_knapsack(item),
            answer.objective)
    end,
    function(it, answer)
        return same("tour", check_tour(it, answer.values), best_tour(it), answer.objective)
    end,
    function(it, answer)
        return check_sudoku(it, answer.values), "sudoku: a rule is broken"
    end,
    function(job, answer)
        return same("machine", check_machine(job, answer.values), best_machine(job),
            answer.objective)
    end,
}

local expected_status = {"optimal", "optimal", "satisfied", "optimal", "infeasible"}

local function verify(ctx, call, answer)
    local which = (call - 1) % #makers + 1
    if answer.status ~= expected_status[which] then
        return false, ("%s where %s was expected"):format(answer.status, expected_status[which])
    end
    local check = checks_of[which]
    if not check then
        return true
    end
    return check(makers[which](require "cns.stats".random(ctx.seed + call)), answer)
end

-- ---- the pressure -------------------------------------------------------------------------------

local held -- of this thread, so not in what tasks are given

local function after(_, checks)
    checks:check("the memory held beside the solvers is as it was", held:compare())
end

---@param scale number
---@param options {workers: integer?}?
return function(scale, options)
    local total = math.floor(2 ^ 30 * math.min(scale, 1))
    return {
        name = "constraint solving",
        description = ("Knapsacks, tours, sudokus, machine schedules and pigeons solved while %d "
            .. "MiB are held; optima compared with dynamic programming and search in Lua."):format(
            total >> 20),
        operations = math.max(5, math.ceil(500 * scale)), warmup = 5,
        workers = options and options.workers or 32,
        setup = function(ctx)
            held = require "scenarios.pressure".hold(total, 16, ctx.seed, "solving")
        end,
        work = work, verify = verify, after = after,
        teardown = function()
            if held then held:close() end
            held = nil
        end,
        thresholds = {"success = 100%"},
    }
end
