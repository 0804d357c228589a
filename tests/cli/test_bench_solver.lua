-- SPDX-License-Identifier: MIT
--
-- test_bench_solver.lua - what the solver's benchmark is made of: several runs of a side and
-- tables of two say what they should.
--
--     lua5.4 test_bench_solver.lua SOURCES

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. arg[1]
    .. "/tests/bench/solver/?.lua;" .. package.path
local check = require "checks".check
local scratch = require "scratch"
local finished = require "finished"
local proof_times = require "proof_times"
local repeats = require "repeats"

-- -------------------------------------------------------------------------------------------------
-- Several runs

local function runs_of(status, ...)
    local list = {}
    for i, seconds in ipairs {...} do
        list[i] = {status = status, seconds = seconds, limit = 8, solutions = 1, objective = 5}
    end
    return list
end

local function near(a, b)
    return math.abs(a - b) < 1e-9
end

local function test_repeats()
    local order = {}
    local outcomes = repeats.run({"a", "b"}, 3, 1, function(key, i)
        order[#order + 1] = key .. i
        return i
    end)
    local text = table.concat(order, " ")
    check("sides take turns", text == "a1 b1 b2 a2 a3 b3", text)
    check("each has its runs", #outcomes.a == 3 and outcomes.b[3] == 3)
    local list = runs_of("optimal", 1, 4, 2)
    check("geometric mean", near(repeats.seconds(list), 2))
    check("all proved", repeats.is_proved(list) and repeats.cell(list, true) == "opt  2.00*")
    list[2] = {status = "found", seconds = 7.9, limit = 8}
    check("one open: the limit", near(repeats.seconds(list), 16 ^ (1 / 3)))
    check("two of three", not repeats.is_proved(list) and repeats.cell(list):find("^2/3") ~= nil)
    local best = runs_of("optimal", 1, 1, 1)
    check("better with one seed", repeats.compare("minimize", best, list) > 0)
end

local function test_proof_times()
    local runs = {
        {outcomes = {one = runs_of("optimal", 0.01, 0.01), two = runs_of("optimal", 0.02, 0.02)}},
        {outcomes = {one = runs_of("optimal", 0.04, 0.09), two = runs_of("unsat", 0.03, 0.03)}},
        {outcomes = {one = runs_of("unsat", 2, 2), two = runs_of("unsat", 1, 0.25)}},
        {outcomes = {one = runs_of("optimal", 0.07, 0.07), two = runs_of("found", 8, 8)}},
        {outcomes = {one = runs_of("unknown", 8, 8), two = runs_of("optimal", 4, 4)}},
        {outcomes = {one = runs_of("solved", 1, 1), two = runs_of("solved", 1, 1)}},
    }
    local rows = proof_times.compare(runs, "one", "two")
    local wanted = {{0, {0.5, 2, 4}, 1, 1}, {0.05, {2, 4}, 1, 1}, {0.1, {4}, 0, 1}}
    check("three rows", #rows == #wanted)
    for i, want in ipairs(wanted) do
        local row = rows[i]
        check("least", row.least == want[1], row.least)
        check("ratios", #row.ratios == #want[2], #row.ratios)
        for k, ratio in ipairs(want[2]) do check("ratio", near(row.ratios[k], ratio), k) end
        check("lost", row.lost == want[3], row.lost)
        check("gained", row.gained == want[4], row.gained)
    end
end

local function test_finished()
    local path = scratch.write("results.tsv", table.concat({
        "part\tinstance\tside\tstatus\tobjective", "public\ta\tours -f\toptimal\t3",
        "public\tb\tours -f\tunknown\t-", "public\tb\tours -f\tsolved\t-",
        "public\tc\tchuffed\tunsat\t-", "public\tc\tours -f\tfound\t3",
        "memory\td\tours -f\toptimal\t1"}, "\n"))
    local list = {{name = "a"}, {name = "b"}, {name = "c"}, {name = "d"}}
    local kept, why = finished.choose(finished.read(path), list, {"ours -f", "ours -p2"})
    check("those that we finished", #kept == 2 and kept[1] == list[1] and kept[2] == list[2], #kept)
    check("the others are told", why:find("2 of 4 .* 1 that none .*, 1 that are not") ~= nil, why)
    kept = finished.choose(finished.read(path), list, {"chuffed"})
    check("the one that another finished", #kept == 1 and kept[1] == list[3], #kept)
end

test_repeats()
test_proof_times()
test_finished()
scratch.remove()
require "checks".finish()
