-- SPDX-License-Identifier: MIT
--
-- side.lua - one run of a solver on FlatZinc: its outcome, with wall time and the limit it had.

local outcome = require "outcome"
local peers = require "peers"
local process = require "process"

local side = {}

local grace = 20 -- seconds after its limit, before a solver that does not stop is stopped

local function first_line(path)
    local file <close> = io.open(path)
    return file and file:read("l") or ""
end

-- one: status, objective, seconds, limit, stats, and `why` of an error.
function side.solve(bench, solver, path, problem, limit, run)
    local out = bench.folder .. "/output.txt"
    local words = peers.command(solver, path, limit, problem.kind ~= "satisfy", run)
    local seconds, code, stopped = process.run(words, limit + grace, out)
    local one = outcome.parse(out, problem)
    one.seconds, one.limit, one.stopped = seconds, limit, stopped
    if one.status == "found" or one.status == "unknown" then
        if not stopped and code ~= 0 then
            one.why = ("exit status %s %s"):format(tostring(code), first_line(out .. ".err"))
            one.status = one.status == "unknown" and "error" or one.status
        elseif one.status == "unknown" and seconds < 0.9 * limit then
            one.status, one.why = "error", "gave up early " .. first_line(out .. ".err")
        end
    end
    os.remove(out)
    os.remove(out .. ".err")
    return one
end

-- Seconds that a run took beyond its limit, 0 when it kept it.
function side.overshoot(one)
    return math.max(0, one.seconds - one.limit)
end

return side
