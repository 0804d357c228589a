-- SPDX-License-Identifier: MIT
--
-- bench_solver.lua - the constraint solver against Chuffed, Gecode, CP-SAT and MiniSat:
-- `./dev bench solver [NAME]`, a Lua pattern for names such as public/golomb_10, models/ft10,
-- sat/uf250_3, parse, memory/alpha, shuffled/alpha (runs only where "shuffled" is in the pattern).
-- peers.lua says what to set for the peers, which are looked for, not fetched.
--
-- All sides solve an instance one after another, on one thread unless the side says otherwise, the
-- first one turning from instance to instance. What is proved or found must agree, or the run
-- fails. Each run is a line of build/bench-solver/results.tsv, from which plot.lua draws. In the
-- environment:
--   CNS_BENCH_LIMIT      seconds an instance (30); CNS_BENCH_SAT_LIMIT, a formula of sat/ (5)
--   CNS_BENCH_SIDES      the sides of public instances that run, such as "ours_free ours_two";
--                        all: see contest.lua
--   CNS_BENCH_SEEDS      runs of each side on a public instance (1), with the side's own seed and
--                        those after it
--   CNS_BENCH_COPIES     shuffled copies of an instance (3)
--   CNS_BENCH_FINISHED   a results.tsv: of the public instances only those run that one of the
--                        sides that run has finished there, with any seed (all)

local root, folder, filter = arg[1], arg[2], arg[3] or "" -- the tree; where files are kept
local finished = require "finished"
local process = require "process"
local peers = require "peers"
local tables = require "tables"

local function count(name, default)
    local value = math.tointeger(tonumber(os.getenv(name) or default))
    assert(value and value > 0, name .. " is a number of 1 or more")
    return value
end

process.make_folder(folder)
peers.find(root)

local earlier = os.getenv("CNS_BENCH_FINISHED")
earlier = earlier and finished.read(earlier) -- before a file of that name is written anew

local bench = {root = root, folder = folder, filter = filter, earlier = earlier,
    sides = os.getenv("CNS_BENCH_SIDES"), failed = false,
    limit = tonumber(os.getenv("CNS_BENCH_LIMIT") or 30), seeds = count("CNS_BENCH_SEEDS", 1),
    copies = count("CNS_BENCH_COPIES", 3),
    results = assert(io.open(folder .. "/results.tsv", "w"))}
bench.results:write("part\tinstance\tside\tstatus\tobjective\tseconds\tlimit\tnodes\tfailures\t",
    "propagations\trun\n")

function bench.wanted(name)
    return name:find(filter) ~= nil
end

function bench.fail(message, ...)
    bench.failed = true
    print("ERROR: " .. message:format(...))
    io.stdout:flush()
end

-- Keeps one run for plots; run: which of the side's runs on the instance, 1 unless told.
function bench.keep(part, instance, side, one, run)
    local stats = one.stats or {}
    local list = {part, instance, side, one.status, one.objective or "-",
        ("%.4f"):format(one.seconds), one.limit, stats.nodes or "-", stats.failures or "-",
        stats.propagations or "-", run or 1}
    for i, value in ipairs(list) do list[i] = tostring(value) end
    bench.results:write(table.concat(list, "\t"), "\n")
    bench.results:flush()
end

for _, line in ipairs(peers.missing) do print(line) end
if peers.stand_in then
    print(("%s stands in for us: this tries the runner, and measures nothing"):format(
        peers.stand_in))
end

local parts = {"part_public", "part_models", "part_sat", "part_parse", "part_memory",
    "part_shuffled"}
local found = 0
for _, name in ipairs(parts) do found = found + require(name).run(bench) end
if found == 0 then
    io.stderr:write(("nothing has '%s' in its name\n"):format(filter))
    os.exit(false)
end
tables.goals(bench)
bench.results:close()
print(("\neach run: %s/results.tsv"):format(folder))
os.exit(not bench.failed, true)
