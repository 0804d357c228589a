-- SPDX-License-Identifier: MIT
--
-- part_parse.lua - how long it takes to read FlatZinc of 50 MB (big_fzn.lua), load it and find a
-- solution that needs no search, against fzn-gecode on the same file.

local big_fzn = require "big_fzn"
local peers = require "peers"
local process = require "process"
local tables = require "tables"

local part = {}

local rounds = 3
local limit = 300 -- seconds

-- The same file with the name that our library has for the one global in it.
local function write_ours(path, ours)
    local from <close> = assert(io.open(path))
    local to <close> = assert(io.open(ours, "w"))
    local text = from:read("a"):gsub("\nconstraint all_different_int",
        "\nconstraint fzn_all_different_int")
    assert(to:write(text))
end

local function run(bench, key, path)
    local solver = peers[key]
    local out = bench.folder .. "/parse.txt"
    local seconds, code = process.run(peers.command(solver, path, limit * 1000 // 1000, false),
        limit, out)
    local solved = false
    for line in io.lines(out) do solved = solved or line == "----------" end
    os.remove(out)
    if not solved then
        bench.fail("parse: %s finds no solution (exit status %s)", solver.name, tostring(code))
        return nil
    end
    bench.keep("parse", "50MB", solver.name, {status = "solved", seconds = seconds, limit = limit})
    return seconds
end

function part.run(bench)
    if not bench.wanted("parse") then
        return 0
    end
    local what, goal = "read and load 50 MB, time : Gecode", "<= 0.5"
    local keys = {}
    keys[1] = peers.ours and "ours"
    keys[#keys + 1] = peers.gecode and "gecode"
    local times, path = {ours = {}, gecode = {}}, bench.folder .. "/big.fzn"
    if #keys > 0 then
        local size = big_fzn.write(path, 50000000, 1)
        write_ours(path, path .. ".ours")
        print(("\nFlatZinc of %.1f MB: read, load and solve, seconds"):format(size / 1e6))
        for round = 1, rounds do
            for i = 1, #keys do
                local key = keys[(i + round) % #keys + 1]
                local seconds = run(bench, key, key == "ours" and path .. ".ours" or path)
                table.insert(times[key], seconds)
            end
        end
        for _, key in ipairs(keys) do
            if #times[key] > 0 then
                print(("%-8s median %6.2f, %.2f to %.2f"):format(peers[key].name,
                    tables.quantile(times[key], 0.5), tables.quantile(times[key], 0),
                    tables.quantile(times[key], 1)))
            end
        end
    end
    local ratios = {}
    for i = 1, math.min(#times.ours, #times.gecode) do
        ratios[i] = times.ours[i] / times.gecode[i]
    end
    tables.add_ratios(what, ratios, goal)
    return 1
end

return part
