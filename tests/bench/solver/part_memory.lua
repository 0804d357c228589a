-- SPDX-License-Identifier: MIT
--
-- part_memory.lua - whether `cnsengine solve --memory` holds: each public instance is given 90% of
-- what it took without a limit, so that the limit is met late, and the kernel's peak of resident
-- memory, less that of a run with an empty model, must stay within it. Instances that never took
-- 16 MiB say nothing and are left out.

local flatten = require "flatten"
local instances = require "instances"
local peers = require "peers"
local process = require "process"
local tables = require "tables"

local part = {}

local megabyte = 1 << 20
local least = 16 -- MiB that an instance takes without a limit
local share_given = 0.9
local longest = 10 -- seconds a run

-- Peak resident memory of a run in bytes, its exit status, and the peak that it tells itself.
local function peak(bench, path, limit, memory)
    local out = bench.folder .. "/memory.txt"
    local words = peers.command(peers.ours_free, path, limit, false)
    if memory then
        table.move({"--memory", ("%d"):format(memory)}, 1, 2, #words + 1, words)
    end
    local bytes, code = process.peak(words, limit + 20, out)
    local told = 0
    for line in io.lines(out) do
        told = tonumber(line:match("^%%%%%%mzn%-stat: peakMem=(.*)$")) or told
    end
    os.remove(out)
    os.remove(out .. ".err")
    return bytes, code, told
end

local function empty(bench)
    local path = bench.folder .. "/empty.fzn"
    local file <close> = assert(io.open(path, "w"))
    assert(file:write("var 0..1: x;\nsolve satisfy;\n"))
    return path
end

local function try(bench, instance, base, limit)
    local path, problem = flatten.get(bench.folder, peers.ours_free, instance)
    if not path then
        bench.fail("%s: %s", instance.name, problem)
        return nil
    end
    local _, _, told = peak(bench, path, limit)
    if told < least then
        return nil
    end
    local memory = math.floor(share_given * told * megabyte)
    local bytes, code = peak(bench, path, limit, memory)
    if code ~= 0 and code ~= 6 then
        bench.fail("%s: exit status %s with --memory %d", instance.name, tostring(code), memory)
    end
    local share = (bytes - base) / memory
    print(("%-20s %7.1f MiB, limit %7.1f, resident %7.1f, %s"):format(instance.name:sub(1, 20),
        told, memory / megabyte, (bytes - base) / megabyte, code == 6 and "refused" or "went on"))
    io.stdout:flush()
    return share
end

function part.run(bench)
    local list = instances.list(bench, "memory/")
    if #list == 0 then
        return 0
    end
    local what, goal = "memory limit kept, worst excess", "5%"
    if not peers.benchmarks or not peers.ours_free or peers.stand_in or not process.find("python3")
    then
        tables.not_measured(what, goal)
        return #list
    end
    local base = peak(bench, empty(bench), 1)
    local worst, name, count = 0, "-", 0
    print("\nmemory without a limit, and with nine tenths of it as the limit")
    for _, instance in ipairs(list) do
        local share = try(bench, instance, base, math.min(bench.limit, longest))
        count = count + (share and 1 or 0)
        if share and share - 1 > worst then worst, name = share - 1, instance.name end
    end
    tables.add(what, ("%.1f%%"):format(100 * worst), goal, ("%s, of %d"):format(name, count))
    return #list
end

return part
