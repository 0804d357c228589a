-- SPDX-License-Identifier: MIT
--
-- part_public.lua - instances of the public benchmark repository (instances.txt), against Chuffed
-- with free and with annotated search and against Gecode: the MiniZinc Challenge's score of each
-- pair, proofs, two threads against one, and how far beyond the time limit a run went. With
-- CNS_BENCH_SEEDS=N each side runs an instance N times; scores compare the runs of like seeds.

local flatten = require "flatten"
local instances = require "instances"
local outcome = require "outcome"
local peers = require "peers"
local proof_times = require "proof_times"
local repeats = require "repeats"
local side = require "side"
local tables = require "tables"

local part = {}

local columns = {"ours_free", "chuffed_free", "ours", "chuffed", "gecode", "ours_two"}

local function solvers(bench)
    local list = {}
    for _, key in ipairs(columns) do
        list[#list + 1] = peers[key] and bench.has_side(key) and key or nil
    end
    return list
end

-- Lists of outcomes by column: with the seeds 1 to N, or with the solver's own where N is 1.
local function solve(bench, keys, instance, turn)
    local kind
    local function run(key, i)
        local path, problem = flatten.get(bench.folder, peers[key], instance)
        local one
        if path then
            kind = problem.kind
            one = side.solve(bench, peers[key], path, problem, bench.limit,
                bench.seeds > 1 and i or nil)
        else
            one = {status = "error", why = problem, seconds = bench.limit, limit = bench.limit,
                solutions = 0}
        end
        bench.keep("public", instance.name, peers[key].name, one, i)
        return one
    end
    return repeats.run(keys, bench.seeds, turn, run), kind or "satisfy"
end

local function is_best(kind, outcomes, key)
    local list = outcomes[key]
    if repeats.count(list, outcome.has_answer) == 0 then
        return false
    end
    for _, other in pairs(outcomes) do
        if repeats.compare(kind, list, other) < 0 then
            return false
        end
    end
    return true
end

local function show_trouble(bench, instance, key, one)
    if one.status == "error" and key:find("^ours") then
        bench.fail("%s, %s: %s", instance.name, peers[key].name, one.why)
    elseif one.status == "error" then
        print(("  %s: %s"):format(peers[key].name, one.why))
    elseif one.stopped then
        print(("  %s: did not stop at its limit"):format(peers[key].name))
    end
end

local function show(bench, instance, keys, outcomes, kind)
    local line = {("%-20s"):format(instance.name:sub(1, 19))}
    for _, key in ipairs(keys) do
        line[#line + 1] = repeats.cell(outcomes[key], is_best(kind, outcomes, key))
    end
    print((table.concat(line):gsub(" *$", "")))
    for _, key in ipairs(keys) do
        for _, one in ipairs(outcomes[key]) do show_trouble(bench, instance, key, one) end
    end
    for _, why in ipairs(outcome.disagreements(kind, repeats.flat(outcomes))) do
        bench.fail("%s: %s", instance.name, why)
    end
    io.stdout:flush()
end

local function pair_row(runs, what, left, right, goal)
    if #runs == 0 or not runs[1].outcomes[left] or not runs[1].outcomes[right] then
        return tables.not_measured(what, goal)
    end
    local points, against, wins, losses, count = 0, 0, 0, 0, 0
    for _, run in ipairs(runs) do
        for i, a in ipairs(run.outcomes[left]) do
            local b = run.outcomes[right][i]
            local p, q = outcome.score(run.kind, a, b)
            points, against = points + p, against + q
            local order = outcome.compare(run.kind, a, b)
            wins, losses = wins + (order > 0 and 1 or 0), losses + (order < 0 and 1 or 0)
            count = count + 1
        end
    end
    local share = points + against > 0 and 100 * points / (points + against) or 50
    tables.add(what, ("%.1f%%"):format(share), goal, ("better %d, worse %d, of %d"):format(wins,
        losses, count))
end

local function proofs_row(runs)
    if #runs == 0 or not runs[1].outcomes.ours_free or not runs[1].outcomes.chuffed_free then
        return tables.not_measured("proofs, free search, against Chuffed", ">= as many")
    end
    local ours, theirs = 0, 0
    for _, run in ipairs(runs) do
        ours = ours + (repeats.is_proved(run.outcomes.ours_free) and 1 or 0)
        theirs = theirs + (repeats.is_proved(run.outcomes.chuffed_free) and 1 or 0)
    end
    tables.add("proofs, free search, against Chuffed", ("%d : %d"):format(ours, theirs),
        ">= as many")
end

local function threads_row(bench, runs)
    local what, goal = "2 threads against 1, time to proof", ">= 1.3"
    if #runs == 0 or not runs[1].outcomes.ours_free or not runs[1].outcomes.ours_two then
        return tables.not_measured(what, goal)
    end
    local rows = proof_times.compare(runs, "ours_free", "ours_two")
    proof_times.show(rows, peers.ours_free.name, peers.ours_two.name, bench.seeds)
    tables.add_ratios(what, rows[1].ratios, goal)
end

local function limit_row(runs)
    if not peers.ours_free or #runs == 0 then
        return tables.not_measured("time limit kept, worst overshoot", "100 ms")
    end
    local worst, name = 0, "-"
    for _, run in ipairs(runs) do
        for key, one in pairs(repeats.flat(run.outcomes)) do
            if key:find("^ours") and side.overshoot(one) > worst then
                worst, name = side.overshoot(one), run.name
            end
        end
    end
    tables.add("time limit kept, worst overshoot", ("%.0f ms"):format(worst * 1e3), "100 ms", name)
end

function part.run(bench)
    local list, keys, runs = instances.list(bench, "public/"), solvers(bench), {}
    if #list > 0 and peers.benchmarks and #keys > 0 then
        print(("\npublic instances, limit %g s%s: status and seconds, * no other is better"):format(
            bench.limit, bench.seeds > 1 and (", %d seeds"):format(bench.seeds) or ""))
        local head = {("%-20s"):format("instance")}
        for _, key in ipairs(keys) do
            head[#head + 1] = ("%-10s"):format(peers[key].name:gsub("chuffed", "chuff"))
        end
        print((table.concat(head):gsub(" *$", "")))
        for turn, instance in ipairs(list) do
            local outcomes, kind = solve(bench, keys, instance, turn)
            show(bench, instance, keys, outcomes, kind)
            runs[turn] = {name = instance.name, kind = kind, outcomes = outcomes}
        end
    end
    if #list > 0 then
        pair_row(runs, "score, free search, against Chuffed", "ours_free", "chuffed_free", ">= 50%")
        pair_row(runs, "score, annotated, against Chuffed", "ours", "chuffed", ">= 50%")
        pair_row(runs, "score, free search, against Gecode", "ours_free", "gecode", ">= 75%")
        proofs_row(runs)
        threads_row(bench, runs)
        limit_row(runs)
    end
    return #list
end

return part
