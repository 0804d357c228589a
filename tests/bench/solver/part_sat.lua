-- SPDX-License-Identifier: MIT
--
-- part_sat.lua - propagations a second on pure SAT (cnf.lua), against MiniSat. Both count the
-- literals that they take from the trail to propagate. MiniSat's are divided by the CPU time that
-- it reports, ours by solveTime. Answers must agree with each other and with what the generator
-- knows; runs that are over before they can be timed (20 ms on either side) are left out.

local cnf = require "cnf"
local peers = require "peers"
local process = require "process"
local tables = require "tables"

local part = {}

local limit = tonumber(os.getenv("CNS_BENCH_SAT_LIMIT") or 5)
local least = 0.02 -- seconds

local function minisat(bench, path)
    local out = bench.folder .. "/minisat.txt"
    local seconds = process.run({peers.minisat, ("-cpu-lim=%d"):format(limit), path}, limit + 10,
        out)
    local one = {status = "unknown", seconds = seconds}
    for line in io.lines(out) do
        one.propagations = tonumber(line:match("^propagations *: *(%d+)")) or one.propagations
        one.busy = tonumber(line:match("^CPU time *: *([%d.]+)")) or one.busy
        one.status = line:find("^SATISFIABLE") and "sat" or line:find("^UNSATISFIABLE") and "unsat"
            or one.status
    end
    return one
end

local function ours(bench, path)
    local out = bench.folder .. "/ours.txt"
    local words = {bench.root .. "/build/release/cnsengine", "solve", path, "-s", "-t",
        ("%d"):format(limit * 1000)}
    local seconds, code = process.run(words, limit + 10, out)
    local one = {status = "unknown", seconds = seconds, code = code}
    for line in io.lines(out) do
        one.propagations = tonumber(line:match("mzn%-stat: *propagations=(%d+)"))
            or one.propagations
        one.busy = tonumber(line:match("mzn%-stat: *solveTime=([%d.e-]+)")) or one.busy
        if line == "s UNSATISFIABLE" or line == "=====UNSATISFIABLE=====" then
            one.status = "unsat"
        elseif line == "s SATISFIABLE" or line == "----------" then
            one.status = "sat"
        end
    end
    return one
end

local function check(bench, name, known, outcomes)
    for who, one in pairs(outcomes) do
        if one.status ~= "unknown" and known and one.status ~= known then
            bench.fail("sat/%s: %s says %s, made to be %s", name, who, one.status, known)
        end
    end
    local a, b = outcomes.ours, outcomes.minisat
    if a and b and a.status ~= b.status and a.status ~= "unknown" and b.status ~= "unknown" then
        bench.fail("sat/%s: ours says %s, MiniSat %s", name, a.status, b.status)
    end
    if a and not (a.propagations and a.busy) then
        bench.fail("sat/%s: no statistics of ours (exit status %s)", name, a.code)
    end
end

local function row(what, ratios)
    tables.add_ratios(what, ratios, ">= 0.7")
end

local function measure(bench, list, folder)
    local ratios = {random = {}, structured = {}}
    local solved, sums = {ours = 0, minisat = 0}, {ours = 0, minisat = 0}
    local runners = {{"ours", peers.ours and not peers.stand_in and ours},
        {"minisat", peers.minisat and minisat}}
    for turn, entry in ipairs(list) do
        local path, outcomes = cnf.write(folder, entry), {}
        for i = 1, 2 do
            local name, run = table.unpack(runners[(i + turn) % 2 + 1])
            if run then
                local one = run(bench, path)
                outcomes[name] = one
                solved[name] = solved[name] + (one.status ~= "unknown" and 1 or 0)
                sums[name] = sums[name] + (one.busy or 0)
                one.stats, one.limit = {propagations = one.propagations}, limit
                bench.keep("sat", entry.name, name, one)
            end
        end
        check(bench, entry.name, entry.known, outcomes)
        local a, b = outcomes.ours, outcomes.minisat
        if a and b and a.busy and b.busy and a.busy >= least and b.busy >= least then
            table.insert(ratios[entry.kind], (a.propagations / a.busy)
                / (b.propagations / b.busy))
        end
    end
    for _, entry in ipairs(runners) do
        if entry[2] then
            print(("%-8s %4d of %d solved, %.1f s"):format(entry[1], solved[entry[1]], #list,
                sums[entry[1]]))
        end
    end
    return ratios
end

function part.run(bench)
    local list, folder = {}, bench.folder .. "/cnf"
    for _, entry in ipairs(cnf.instances()) do
        if bench.wanted("sat/" .. entry.name) then
            list[#list + 1] = entry
        end
    end
    local ratios = {random = {}, structured = {}}
    if #list > 0 and (peers.minisat or peers.ours) then
        process.make_folder(folder)
        print(("\npure SAT, %d formulas, limit %g s"):format(#list, limit))
        ratios = measure(bench, list, folder)
    end
    if #list > 0 then
        row("SAT, random 3-SAT, props/s : MiniSat", ratios.random)
        row("SAT, structured, props/s : MiniSat", ratios.structured)
    end
    return #list
end

return part
