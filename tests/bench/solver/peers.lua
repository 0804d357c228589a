-- SPDX-License-Identifier: MIT
--
-- peers.lua - the solvers that are compared: where they are, how they are called, their MiniZinc
-- libraries; and what to set when one is missing, which then is "not measured". In the environment:
--   CNS_BENCH_CHUFFED    where Chuffed is installed (bin/fzn-chuffed, share/minizinc/chuffed)
--   CNS_BENCH_ORTOOLS    a Python that can import ortools
--   CNS_BENCH_MINIZINC   a checkout of https://github.com/MiniZinc/minizinc-benchmarks
--   CNS_BENCH_STAND_IN   "chuffed" or "gecode": takes our place, to try the runner itself

local process = require "process"

local peers = {missing = {}}

local function missing(what, remedy)
    peers.missing[#peers.missing + 1] = ("%s: not measured; to have it: %s"):format(what, remedy)
end

local function library_folder()
    local text = process.read {"minizinc", "--config-dirs"}
    return text and text:match('"mznStdlibDir"%s*:%s*"([^"]*)"')
end

-- What Debian's fzn-gecode 6.2.0 calls the constraints of MiniZinc's library for Gecode. (The one
-- that Debian packs with fzn-gecode is older than its minizinc, which rejects most models with it.)
local same = {regular = true, table_int = true, table_bool = true, global_cardinality = true,
    global_cardinality_closed = true}
local bare = {}
for name in ([[all_equal_int among at_least_int at_most_int decreasing_bool decreasing_int disjoint
    global_cardinality_low_up global_cardinality_low_up_closed increasing_bool increasing_int
    member_bool member_int nvalue sort]]):gmatch("%S+") do
    bare[name] = true
end
local stripped = {}
for name in ([[all_different_int array_bool_lq array_bool_lt array_int_lq array_int_lt
    array_set_partition count count_reif inverse_offsets]]):gmatch("%S+") do
    stripped[name] = true
end

local function gecode_name(name)
    local rest = name:match("^fzn_(.*)$")
    if rest then
        return same[rest] and "gecode_" .. rest or bare[rest] and rest or nil
    end
    rest = name:match("^gecode_(.*)$")
    return rest and stripped[rest] and rest or nil
end

local function gecode_line(line)
    local head, name, rest = line:match("^(%l+ )([%w_]+)(%(.*)$")
    if head ~= "constraint " and head ~= "predicate " then
        return line
    end
    if head == "constraint " and name:find("^gecode_m[axin]+imum_arg_int$") then
        local list, value = rest:match("^%((%b[]),(.*)$")
        if not list then
            list, value = rest:match("^%(([%w_]+),(.*)$")
        end
        return ("constraint %s_offset(%s,0,%s"):format(name, list, value)
    end
    return head .. (gecode_name(name) or name) .. rest
end

local function standard_options(side, milliseconds, all)
    local words = {"-s", "-t", ("%d"):format(milliseconds)}
    if all then
        words[#words + 1] = "-a"
    end
    if side.free then
        words[#words + 1] = "-f"
    end
    return words
end

-- A side: name, library (a folder), command and more options, its seed's option and first value,
-- and rewrite (of FlatZinc's lines).
local function add_chuffed()
    local prefix = os.getenv("CNS_BENCH_CHUFFED")
    local program = prefix and prefix .. "/bin/fzn-chuffed" or process.find("fzn-chuffed")
    if not program or not process.exists(program) then
        return missing("Chuffed", "CNS_BENCH_CHUFFED=FOLDER, where bin/fzn-chuffed and "
            .. "share/minizinc/chuffed are")
    end
    prefix = prefix or program:match("^(.*)/bin/[^/]*$")
    local library = prefix .. "/share/minizinc/chuffed"
    local function side(name, free)
        return {name = name, flatten = "chuffed", library = library, command = {program},
            more = {}, free = free,
            seed = "--rnd-seed", first_seed = 1}
    end
    peers.chuffed, peers.chuffed_free = side("chuffed", false), side("chuffed -f", true)
end

local function add_gecode(share)
    local program = process.find("fzn-gecode")
    if not program then
        return missing("Gecode", "apt install gecode minizinc")
    end
    local library = share .. "/gecode_presolver"
    peers.gecode = {name = "gecode", flatten = "gecode", library = library, command = {program},
        more = {}, rewrite = gecode_line}
end

local function add_ours(root)
    local stand_in = os.getenv("CNS_BENCH_STAND_IN")
    local program, library = root .. "/build/release/cnsengine", root .. "/bindings/minizinc/mznlib"
    local function side(name, free, more)
        if stand_in then
            local peer = assert(peers[stand_in], "CNS_BENCH_STAND_IN: no such peer")
            return {name = name, flatten = peer.flatten, library = peer.library, free = free,
                command = peer.command, more = peer.more, rewrite = peer.rewrite}
        end
        return {name = name, flatten = "cnsengine", library = library, free = free,
            command = {program, "solve"}, more = more or {}, seed = "-r", first_seed = 0}
    end
    if not stand_in and not process.read {program, "solve", "--help"} then
        return missing("cnsengine", "a build whose command has 'solve'")
    end
    peers.stand_in = stand_in
    peers.ours, peers.ours_free = side("ours", false), side("ours -f", true)
    if not stand_in then
        peers.ours_two = side("ours -p2", true, {"-p", "2"})
    end
end

function peers.find(root)
    local share = process.find("minizinc") and library_folder()
    if share then
        add_chuffed()
        add_gecode(share)
    else
        missing("MiniZinc, so no FlatZinc of models", "apt install minizinc")
    end
    add_ours(root)
    peers.minizinc = share
    peers.benchmarks = os.getenv("CNS_BENCH_MINIZINC")
    if not peers.benchmarks or not process.exists(peers.benchmarks .. "/README.md") then
        peers.benchmarks = nil
        missing("instances of minizinc-benchmarks", "git clone "
            .. "https://github.com/MiniZinc/minizinc-benchmarks, CNS_BENCH_MINIZINC=FOLDER")
    end
    local python = os.getenv("CNS_BENCH_ORTOOLS")
    if python and process.read {python, "-c", "import ortools.sat.python.cp_model"} then
        peers.python = python
    else
        missing("CP-SAT", "python3 -m venv FOLDER && FOLDER/bin/pip install ortools, "
            .. "CNS_BENCH_ORTOOLS=FOLDER/bin/python")
    end
    peers.minisat = process.find("minisat")
    if not peers.minisat then
        missing("MiniSat", "apt install minisat")
    end
end

-- The command that solves `path` within `seconds`; all: every better solution is printed. The run
-- numbered 1 (the default) has the side's own seed, the next one the next. Chuffed's seed would be
-- the time of day unless it is told one.
function peers.command(side, path, seconds, all, run)
    local words = table.move(side.command, 1, #side.command, 1, {})
    local seeded = side.seed and {side.seed, tostring(side.first_seed + (run or 1) - 1)} or {}
    for _, list in ipairs {standard_options(side, seconds * 1000, all), seeded, side.more,
        {path}} do
        table.move(list, 1, #list, #words + 1, words)
    end
    return words
end

return peers
