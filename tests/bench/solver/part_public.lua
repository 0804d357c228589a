-- SPDX-License-Identifier: MIT
--
-- part_public.lua - instances of the public benchmark repository (instances.txt), against Chuffed
-- with free and with annotated search and against Gecode: the MiniZinc Challenge's score of each
-- pair, proofs, two threads against one, and how far beyond the time limit a run went.

local flatten = require "flatten"
local instances = require "instances"
local outcome = require "outcome"
local peers = require "peers"
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

-- Outcomes by column; the first to run turns with `turn`.
local function solve(bench, keys, instance, turn)
    local outcomes, kind = {}, nil
    for i = 1, #keys do
        local key = keys[(i + turn) % #keys + 1]
        local path, problem = flatten.get(bench.folder, peers[key], instance)
        if path then
            kind = problem.kind
            outcomes[key] = side.solve(bench, peers[key], path, problem, bench.limit)
        else
            outcomes[key] = {status = "error", why = problem, seconds = bench.limit,
                limit = bench.limit, solutions = 0}
        end
        bench.keep("public", instance.name, peers[key].name, outcomes[key])
    end
    return outcomes, kind or "satisfy"
end

local function is_best(kind, outcomes, key)
    local one = outcomes[key]
    if one.status == "unknown" or one.status == "error" then
        return false
    end
    for _, other in pairs(outcomes) do
        if outcome.compare(kind, one, other) < 0 then
            return false
        end
    end
    return true
end

local function show(bench, instance, keys, outcomes, kind)
    local line = {("%-20s"):format(instance.name:sub(1, 19))}
    for _, key in ipairs(keys) do
        line[#line + 1] = tables.cell(outcomes[key], is_best(kind, outcomes, key))
    end
    print((table.concat(line):gsub(" *$", "")))
    for _, key in ipairs(keys) do
        local one = outcomes[key]
        if one.status == "error" and (key:find("^ours")) then
            bench.fail("%s, %s: %s", instance.name, peers[key].name, one.why)
        elseif one.status == "error" then
            print(("  %s: %s"):format(peers[key].name, one.why))
        elseif one.stopped then
            print(("  %s: did not stop at its limit"):format(peers[key].name))
        end
    end
    for _, why in ipairs(outcome.disagreements(kind, outcomes)) do
        bench.fail("%s: %s", instance.name, why)
    end
    io.stdout:flush()
end

local function pair_row(runs, what, left, right, goal)
    if #runs == 0 or not runs[1].outcomes[left] or not runs[1].outcomes[right] then
        return tables.not_measured(what, goal)
    end
    local points, against, wins, losses = 0, 0, 0, 0
    for _, run in ipairs(runs) do
        local a, b = run.outcomes[left], run.outcomes[right]
        local p, q = outcome.score(run.kind, a, b)
        points, against = points + p, against + q
        local order = outcome.compare(run.kind, a, b)
        wins, losses = wins + (order > 0 and 1 or 0), losses + (order < 0 and 1 or 0)
    end
    local share = points + against > 0 and 100 * points / (points + against) or 50
    tables.add(what, ("%.1f%%"):format(share), goal, ("better %d, worse %d, of %d"):format(wins,
        losses, #runs))
end

local function proofs_row(runs)
    if #runs == 0 or not runs[1].outcomes.ours_free or not runs[1].outcomes.chuffed_free then
        return tables.not_measured("proofs, free search, against Chuffed", ">= as many")
    end
    local ours, theirs = 0, 0
    for _, run in ipairs(runs) do
        ours = ours + (outcome.is_proof(run.outcomes.ours_free) and 1 or 0)
        theirs = theirs + (outcome.is_proof(run.outcomes.chuffed_free) and 1 or 0)
    end
    tables.add("proofs, free search, against Chuffed", ("%d : %d"):format(ours, theirs),
        ">= as many")
end

-- Time to proof with one thread over that with two, where both prove.
local function threads_row(runs)
    local ratios, lost = {}, 0
    for _, run in ipairs(runs) do
        local one, two = run.outcomes.ours_free, run.outcomes.ours_two
        if one and two and outcome.is_proof(one) then
            if outcome.is_proof(two) then
                ratios[#ratios + 1] = one.seconds / two.seconds
            else
                lost = lost + 1
            end
        end
    end
    tables.add_ratios("2 threads against 1, time to proof", ratios, ">= 1.3", lost .. " lost")
end

local function limit_row(runs)
    if not peers.ours_free or #runs == 0 then
        return tables.not_measured("time limit kept, worst overshoot", "100 ms")
    end
    local worst, name = 0, "-"
    for _, run in ipairs(runs) do
        for key, one in pairs(run.outcomes) do
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
        print(("\npublic instances, limit %g s: status and seconds, * no other is better"):format(
            bench.limit))
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
        threads_row(runs)
        limit_row(runs)
    end
    return #list
end

return part
