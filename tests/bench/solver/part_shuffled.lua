-- SPDX-License-Identifier: MIT
--
-- part_shuffled.lua - shuffled copies (shuffle.lua) of the public instances: whether what is said
-- of two threads against one, or of the sides in CNS_BENCH_SIDES, holds when all that a solver
-- takes from the order of a model is chance. An instance counts as proved when each of its copies
-- is, and takes the geometric mean of their times. They run only when they are named.

local contest = require "contest"
local instances = require "instances"
local peers = require "peers"
local shuffle = require "shuffle"
local tables = require "tables"

local part = {}

local function run(bench, list, keys)
    local path = bench.folder .. "/shuffled.fzn"
    local function copy(from, i)
        shuffle.file(from, path, i)
        return path
    end
    local runs = contest.run(bench, {title = ("%d shuffled copies of each instance"):format(
        bench.copies), part = "shuffled", count = bench.copies, copy = copy}, list, keys)
    os.remove(path)
    return runs
end

function part.run(bench)
    local list = bench.filter:find("shuffled", 1, true) and instances.list(bench, "shuffled/") or {}
    local keys = contest.sides(bench, "ours_free ours_two")
    if #list == 0 then
        return 0
    end
    if not peers.benchmarks or #keys < 2 then
        tables.not_measured("shuffled copies, time to proof", "")
        return #list
    end
    local runs = run(bench, list, keys)
    for i = 2, #keys do
        local ratios = contest.proof_times(runs, keys[1], keys[i], bench.copies)
        tables.add_ratios(("shuffled, %s : %s"):format(peers[keys[1]].name, peers[keys[i]].name),
            ratios or {}, "")
    end
    return #list
end

return part
