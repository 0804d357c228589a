-- SPDX-License-Identifier: MIT
--
-- part_public.lua - instances of the public benchmark repository (instances.txt), against Chuffed
-- with free and with annotated search and against Gecode: the MiniZinc Challenge's score of each
-- pair, proofs, two threads against one, and how far beyond the time limit a run went. With
-- CNS_BENCH_SEEDS=N each side runs an instance N times; scores compare the runs of like seeds.

local contest = require "contest"
local instances = require "instances"
local outcome = require "outcome"
local peers = require "peers"
local repeats = require "repeats"
local side = require "side"
local tables = require "tables"

local part = {}

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
    local ratios = contest.proof_times(runs, "ours_free", "ours_two", bench.seeds)
    tables.add_ratios("2 threads against 1, time to proof", ratios or {}, ">= 1.3")
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
    local list, keys, runs = instances.list(bench, "public/"), contest.sides(bench), {}
    if #list > 0 and peers.benchmarks and #keys > 0 then
        local seeds = bench.seeds > 1 and (", %d seeds"):format(bench.seeds) or ""
        runs = contest.run(bench, {title = "public instances" .. seeds, part = "public",
            count = bench.seeds}, list, keys)
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
