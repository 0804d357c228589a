-- SPDX-License-Identifier: MIT
--
-- contest.lua - runs the sides on public instances, each several times, and shows a line of each
-- instance; fails the run where answers contradict each other or our side has none.

local finished = require "finished"
local flatten = require "flatten"
local outcome = require "outcome"
local peers = require "peers"
local proof_times = require "proof_times"
local repeats = require "repeats"
local side = require "side"

local contest = {}

local columns = {"ours_free", "chuffed_free", "ours", "chuffed", "gecode", "ours_two"}

-- Those sides that are there and wanted; default: what is wanted where CNS_BENCH_SIDES is not set.
function contest.sides(bench, default)
    local wanted, list = " " .. (bench.sides or default or table.concat(columns, " ")) .. " ", {}
    for _, key in ipairs(columns) do
        local named = wanted:find(" " .. key .. " ", 1, true)
        list[#list + 1] = peers[key] and named and key or nil
    end
    return list
end

-- The i-th run of a side, and the problem's kind.
local function run_one(bench, plan, key, instance, i)
    local path, problem = flatten.get(bench.folder, peers[key], instance)
    if not path then
        return {status = "error", why = problem, seconds = bench.limit, limit = bench.limit,
            solutions = 0}
    end
    local run = i
    if plan.copy then
        path, run = plan.copy(path, i), nil
    end
    return side.solve(bench, peers[key], path, problem, bench.limit, run), problem.kind
end

local function solve(bench, plan, keys, instance, turn)
    local kind
    local outcomes = repeats.run(keys, plan.count, turn, function(key, i)
        local one, found = run_one(bench, plan, key, instance, i)
        kind = found or kind
        bench.keep(plan.part, instance.name, peers[key].name, one, i)
        return one
    end)
    return outcomes, kind or "satisfy"
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

local function names_of(keys)
    local names = {}
    for i, key in ipairs(keys) do names[i] = peers[key].name end
    return names
end

-- A list of {name, kind, outcomes}, outcomes being lists of runs by side. plan: title; part, as in
-- results.tsv; count, of each side's runs; and copy(path, i), which makes the file of the i-th run.
-- Copies are solved with the side's own seed, other runs with that and those after it.
function contest.run(bench, plan, list, keys)
    local names, runs = names_of(keys), {}
    print(("\n%s, limit %g s: status and seconds, * no other is better"):format(plan.title,
        bench.limit))
    if bench.earlier then
        local message
        list, message = finished.choose(bench.earlier, list, names)
        print(message)
    end
    local head = {("%-20s"):format("instance")}
    for i, name in ipairs(names) do
        head[i + 1] = ("%-10s"):format((name:gsub("chuffed", "chuff")))
    end
    print((table.concat(head):gsub(" *$", "")))
    for turn, instance in ipairs(list) do
        local outcomes, kind = solve(bench, plan, keys, instance, turn)
        show(bench, instance, keys, outcomes, kind)
        runs[turn] = {name = instance.name, kind = kind, outcomes = outcomes}
    end
    return runs
end

-- Shows one side's time to proof over another's; the ratios where both prove, nil when one of them
-- did not run.
function contest.proof_times(runs, left, right, count)
    if #runs == 0 or not runs[1].outcomes[left] or not runs[1].outcomes[right] then
        return nil
    end
    local rows = proof_times.compare(runs, left, right)
    proof_times.show(rows, peers[left].name, peers[right].name, count)
    return rows[1].ratios
end

return contest
