-- SPDX-License-Identifier: MIT
--
-- part_models.lua - models that are written for MiniZinc and for CP-SAT (models/, cpsat.py), with
-- the data of data.lua: time to proof against CP-SAT with one worker, and FT10 with several seeds
-- against Chuffed. A time is that of the whole solver, from FlatZinc's text to its last line;
-- CP-SAT's is building the model and solving it, without starting Python.

local data = require "data"
local flatten = require "flatten"
local outcome = require "outcome"
local peers = require "peers"
local process = require "process"
local repeats = require "repeats"
local side = require "side"
local tables = require "tables"

local part = {}

local FT10_SEEDS = 5

local function instances(bench)
    local here, list = bench.root .. "/tests/bench/solver", {}
    local folder = bench.folder .. "/data"
    process.make_folder(folder)
    for _, entry in ipairs(data.instances(here)) do
        if bench.wanted("models/" .. entry.name) then
            local path = ("%s/%s.json"):format(folder, entry.name)
            data.write(path, entry.data)
            list[#list + 1] = {name = entry.name, family = entry.model, data = path,
                model = ("%s/models/%s.mzn"):format(here, entry.model)}
        end
    end
    return list
end

local function run_cpsat(bench, instance)
    local out = bench.folder .. "/cpsat.txt"
    local _, code, stopped = process.run({peers.python, bench.root
        .. "/tests/bench/solver/cpsat.py", instance.family, instance.data, bench.limit},
        bench.limit + 30, out)
    local file <close> = assert(io.open(out))
    local status, objective, solve, build = (file:read("l") or ""):match(
        "^(%l+) (%S+) ([%d.]+) ([%d.]+)$")
    if not status then
        return {status = "error", why = ("exit status %s, see %s.err"):format(code, out),
            seconds = bench.limit, limit = bench.limit, solutions = 0, stopped = stopped}
    end
    return {status = status, objective = math.tointeger(objective), limit = bench.limit,
        seconds = tonumber(solve) + tonumber(build),
        solutions = (status == "optimal" or status == "found") and 1 or 0}
end

local function run_one(bench, key, instance, run)
    if key == "cpsat" then
        return run_cpsat(bench, instance)
    end
    local path, problem = flatten.get(bench.folder, peers[key], instance)
    if not path then
        return {status = "error", why = problem, seconds = bench.limit, limit = bench.limit,
            solutions = 0}
    end
    instance.kind = problem.kind
    return side.solve(bench, peers[key], path, problem, bench.limit, run)
end

local names = {ours_free = "ours -f", chuffed_free = "chuffed -f", cpsat = "CP-SAT"}

local function measure(bench, keys, instance, turn)
    local outcomes = {}
    for i = 1, #keys do
        local key = keys[(i + turn) % #keys + 1]
        outcomes[key] = run_one(bench, key, instance)
        bench.keep("models", instance.name, names[key], outcomes[key])
    end
    return outcomes
end

local function check(bench, instance, outcomes)
    for name, one in pairs(outcomes) do
        if one.status == "error" then
            bench.fail("%s, %s: %s", instance.name, name, one.why)
        end
    end
    for _, why in ipairs(outcome.disagreements(instance.kind, outcomes)) do
        bench.fail("%s: %s", instance.name, why)
    end
end

local function show(bench, instance, keys, outcomes)
    local line = {("%-20s"):format(instance.name)}
    for _, key in ipairs(keys) do
        local one = outcomes[key]
        line[#line + 1] = ("%s %-7s"):format(tables.cell(tables.short(one.status), one.seconds),
            one.objective or "")
    end
    print((table.concat(line):gsub(" *$", "")))
    check(bench, instance, outcomes)
    io.stdout:flush()
end

-- Who does not prove within the limit is taken to need the limit; who else did not is left out.
local function cpsat_row(bench, runs)
    local what, goal = "CP-SAT: geomean time to proof", "<= 2.0"
    local ratios, wins, unproved = {}, 0, 0
    for _, run in ipairs(runs) do
        local a, b = run.outcomes.ours_free, run.outcomes.cpsat
        if a and b and (outcome.is_proof(a) or outcome.is_proof(b)) then
            local ours = outcome.is_proof(a) and a.seconds or bench.limit
            local theirs = outcome.is_proof(b) and b.seconds or bench.limit
            ratios[#ratios + 1] = ours / theirs
            wins = wins + (ours < theirs and 1 or 0)
            unproved = unproved + (outcome.is_proof(a) and 0 or 1)
        end
    end
    tables.add_ratios(what, ratios, goal, ("%d won, %d unproved"):format(wins, unproved))
end

local function range(times)
    return ("%.1f-%.1f s"):format(tables.quantile(times, 0), tables.quantile(times, 1))
end

-- FT10 is one instance, and luck decides by a factor of some: several seeds.
local function ft10_row(bench, list)
    local what, goal = "FT10 proved, time against Chuffed", "<= 1.0"
    local ft10
    for _, instance in ipairs(list) do ft10 = instance.name == "ft10" and instance or ft10 end
    if not ft10 or not peers.ours_free or not peers.chuffed_free then
        return tables.not_measured(what, goal)
    end
    local outcomes = repeats.run({"ours_free", "chuffed_free"}, FT10_SEEDS, 0, function(key, i)
        local one = run_one(bench, key, ft10, i)
        bench.keep("models", ft10.name, names[key], one, i)
        return one
    end)
    check(bench, ft10, repeats.flat(outcomes))
    local ours, theirs = outcomes.ours_free, outcomes.chuffed_free
    tables.add(what, ("%.2f"):format(repeats.seconds(ours) / repeats.seconds(theirs)), goal,
        ("%d seeds: %s, %s"):format(FT10_SEEDS, range(repeats.times(ours)),
            range(repeats.times(theirs))))
end

function part.run(bench)
    local list, keys, runs = instances(bench), {}, {}
    if peers.minizinc then
        keys[1] = peers.ours_free and "ours_free"
        keys[#keys + 1] = peers.chuffed_free and "chuffed_free"
    end
    keys[#keys + 1] = peers.python and "cpsat"
    if #list > 0 and #keys > 0 then
        print(("\nmodels for MiniZinc and CP-SAT, limit %g s: status, seconds, objective"):format(
            bench.limit))
        local head = {("%-20s"):format("instance")}
        for _, key in ipairs(keys) do head[#head + 1] = ("%-18s"):format(names[key]) end
        print((table.concat(head):gsub(" *$", "")))
        for turn, instance in ipairs(list) do
            local outcomes = measure(bench, keys, instance, turn)
            instance.kind = instance.kind or "minimize"
            show(bench, instance, keys, outcomes)
            runs[turn] = {name = instance.name, outcomes = outcomes}
        end
    end
    if #list > 0 then
        cpsat_row(bench, runs)
        ft10_row(bench, list)
    end
    return #list
end

return part
