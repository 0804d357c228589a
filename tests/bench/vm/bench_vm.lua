-- SPDX-License-Identifier: MIT
--
-- bench_vm.lua - kernels against C, LuaJIT, Numba and Lua 5.4: `./dev bench vm [NAME]`, a Lua
-- pattern for the names of kernels.
--
-- Each side is a process that keeps its inputs and answers requests over pipes; each times itself.
-- All sides run in every round, the first one turning; a ratio is taken within each round, and its
-- median is given with its quartiles. Answers are compared in every round, as floats to the last
-- digit; gcc alone may differ by the rounding that fusing a * b + c saves. Inputs are made once, so
-- all sides have made the same number of calls when they are compared. In the environment:
-- CNS_BENCH_ROUNDS, the number of rounds; CNS_BENCH_TABLE, a file for the times, which plot.lua
-- draws; CNS_BENCH_COMMAND, the command that builds kernels ahead of time.

local cns = require "cns" -- for its clock
local work = require "work"

local directory, library, filter = arg[1], arg[2], arg[3] or "" -- scratch; the C loops
local rounds = tonumber(os.getenv("CNS_BENCH_ROUNDS") or 7)

local function wanted(case)
    return case.name:find(filter) ~= nil
end

local function kernels_wanted()
    local list = {}
    for _, case in ipairs(work.cases) do list[#list + 1] = wanted(case) and case or nil end
    return list
end

-- ---- sides -------------------------------------------------------------------------------------

local here = arg[0]:match("^(.*)/[^/]*$")
local python = os.getenv("CNS_BENCH_PYTHON")

local function exists(path)
    local file = io.open(path)
    return file and file:close() or false
end

local sides = {}

-- Machine code comes from a cache for one side only; the others compile.
local function open_side(name, command, cache)
    local fifo = ("%s/%s.fifo"):format(directory, name)
    assert(os.execute(("rm -f '%s' && mkfifo '%s'"):format(fifo, fifo)))
    local side = {name = name}
    side.answers = assert(io.popen(("export CNS_CACHE='%s'; %s < '%s'"):format(cache or "", command,
        fifo), "r"))
    side.requests = assert(io.open(fifo, "w"))
    sides[name] = side
    sides[#sides + 1] = side
end

local function ask(side, request)
    side.requests:write(request, "\n")
    side.requests:flush()
    local answer = side.answers:read("l")
    if not answer then
        error(("%s: no answer to '%s'"):format(side.name, request), 0)
    end
    return answer
end

local function open_sides()
    for _, tier in ipairs {"native", "vm", "scalar", "unoptimised", "parallel", "lua"} do
        open_side(tier, ("lua5.4 '%s/peer_engine.lua' %s"):format(here, tier))
    end
    open_side("cached", ("lua5.4 '%s/peer_engine.lua' native"):format(here), directory .. "/cache")
    open_side("single", ("taskset -c 0 lua5.4 '%s/peer_engine.lua' parallel"):format(here))
    open_side("gcc", ("luajit '%s/peer_luajit.lua' '%s' '%s/loops.h'"):format(here, library, here))
    open_side("luajit", ("luajit '%s/peer_luajit.lua' luajit"):format(here))
    if python and exists(python) then
        open_side("numba", ("'%s' '%s/peer_numba.py'"):format(python, here))
    else
        print("numba: not measured; to have it: python3 -m venv build/numba && "
            .. "build/numba/bin/pip install numba")
    end
end

-- ---- kernels built ahead of time ---------------------------------------------------------------

local builder = os.getenv("CNS_BENCH_COMMAND") or "cnsengine"

-- Seconds, or nil and why, for `cnsengine build` with the kernels of a Lua script.
local function build(script, output)
    local path = directory .. "/ahead.lua"
    local file <close> = assert(io.open(path, "w"))
    assert(file:write(script))
    assert(file:close())
    local began = cns.clock()
    local pipe = assert(io.popen(("'%s' build '%s' -o '%s/%s.so' --header '%s/%s.h' 2>&1"):format(
        builder, path, directory, output, directory, output)))
    local said = pipe:read("a")
    local done = pipe:close()
    return done and cns.clock() - began, said:gsub("%s+$", "")
end

-- All kernels in one library, as a user would build them; a side that calls them from C.
local function open_ahead()
    local lines = {'local kernels = require "cns.kernels"', "return {"}
    local cases = kernels_wanted()
    for _, case in ipairs(cases) do
        lines[#lines + 1] = ('    %s = {kernels.%s, "%s"},'):format(case.name, case.name,
            table.concat(work.types_of(case), ", "))
    end
    lines[#lines + 1] = "}"
    local took, why = build(table.concat(lines, "\n"), "ahead")
    if not took then
        print("built ahead of time: not measured: " .. why)
        return
    end
    open_side("ahead", ("luajit '%s/peer_luajit.lua' '%s/ahead.so' '%s/ahead.h' ahead_"):format(
        here, directory, directory))
    return {seconds = took, count = #cases}
end

-- ---- statistics --------------------------------------------------------------------------------

local function quantile(values, q)
    local sorted = table.move(values, 1, #values, 1, {})
    table.sort(sorted)
    local at = 1 + q * (#sorted - 1)
    local below = math.floor(at)
    local low, high = sorted[below], sorted[math.min(below + 1, #sorted)]
    return low + (at - below) * (high - low)
end

local function geomean(values)
    local s = 0
    for _, value in ipairs(values) do s = s + math.log(value) end
    return math.exp(s / #values)
end

-- ---- one kernel --------------------------------------------------------------------------------

local function describe(d)
    if type(d) ~= "table" then
        return math.type(d) == "float" and ("%.17g"):format(d):gsub("^([%d-]+)$", "%1.0")
            or ("%d"):format(d)
    end
    return ("%s,%d,%s,%d,%d,%.17g,%.17g"):format(d.kind, d.n, d.form, d.salt, d.modulo, d.scale,
        d.add)
end

local numba_compile = {}

local function prepare_numba(case, size)
    local words = {"prepare", case.name, table.concat(case.out, ",")}
    if #case.out == 0 then
        words[3] = "0"
    end
    for _, d in ipairs(case.args(size)) do words[#words + 1] = (describe(d)) end
    numba_compile[#numba_compile + 1] = tonumber(ask(sides.numba, table.concat(words, " "))) / 1e6
end

local failed = false

local function check(case, reference, side, answer)
    local tolerance = side == "gcc" and (case.tolerance or 1e-9) or 0
    if math.abs(answer - reference) > tolerance * math.abs(reference) then
        failed = true
        error(("WRONG ANSWER: %s gives %.17g, native %.17g"):format(side, answer, reference), 0)
    end
end

-- Times of `names` by round; false and a message when a side fails or a wrong answer is given.
local function measure(case, size, calls, names)
    local request = ("%s %d %d"):format(case.name, size, calls)
    local times = {}
    for _, name in ipairs(names) do
        times[name] = {}
        if name == "numba" then
            prepare_numba(case, size)
        end
        ask(sides[name], request) -- inputs, compilation, warm caches
    end
    for round = 1, rounds do
        local answers = {}
        for k = 1, #names do
            local name = names[(k + round) % #names + 1]
            local ns, answer = ask(sides[name], request):match("^(%S+) (%S+)$")
            times[name][round] = tonumber(ns) / calls
            answers[name] = tonumber(answer)
        end
        for _, name in ipairs(names) do check(case, answers.native, name, answers[name]) end
    end
    return times
end

-- Ratios of medians come with the quartiles of the rounds' ratios.
local function ratio(times, base, other)
    local ratios = {}
    for round = 1, rounds do ratios[round] = times[base][round] / times[other][round] end
    return quantile(ratios, 0.5), quantile(ratios, 0.25), quantile(ratios, 0.75)
end

local function show_ratio(times, base, other)
    local middle, low, high = ratio(times, base, other)
    return ("%7.2f %-15s"):format(middle, ("[%.2f-%.2f]"):format(low, high))
end

-- ---- tables ------------------------------------------------------------------------------------

local collected = {}

local function collect(key, value)
    collected[key] = collected[key] or {}
    table.insert(collected[key], value)
end

local samples = os.getenv("CNS_BENCH_TABLE")
samples = samples and assert(io.open(samples, "w"))

-- A line a side: kernel, size, side, median nanoseconds a call, lower and upper quartile.
local function keep(case, size, times)
    for _, side in ipairs(sides) do
        local list = samples and times[side.name]
        if list then
            samples:write(("%s\t%d\t%s\t%.0f\t%.0f\t%.0f\n"):format(case.name, size, side.name,
                quantile(list, 0.5), quantile(list, 0.25), quantile(list, 0.75)))
        end
    end
end

-- unkept: these sides were measured for the table of times already.
local function row(case, size, calls, names, pairs_, unkept)
    local ok, times = pcall(measure, case, size, calls, names)
    if not ok then
        failed = true
        print(("%-15s FAILED: %s"):format(case.name, times))
        return
    end
    if not unkept then
        keep(case, size, times)
    end
    local line = {("%-15s %9.1f"):format(case.name, quantile(times.native, 0.5) / 1e3)}
    for _, pair in ipairs(pairs_) do
        local base, other, key = pair[1], pair[2], pair[3]
        line[#line + 1] = sides[base] and show_ratio(times, base, other)
            or ("%-23s"):format("not measured")
        if sides[base] then
            local value = ratio(times, base, other)
            collect(key, value)
            if key == "gcc, L2" and case.divergent then
                collect("divergent", value)
            elseif key == "VM" then
                collect(case.parallel and "VM, data-parallel" or "VM, the rest", value)
            end
        end
    end
    print((table.concat(line, " "):gsub(" *$", "")))
    io.stdout:flush()
end

local heading = "kernel          native us" .. ("    %-20s"):rep(6)

local function cache_table()
    print("\nin the L2 cache: native, microseconds a call; its speed against others'"
        .. " (median of the rounds' ratios [quartiles])")
    print("block VM against Lua; the scalar VM's code optimised against as built")
    print((heading:format("gcc -O3", "LuaJIT FFI", "Numba", "Lua 5.4", "VM/Lua 5.4", "optimiser")
        :gsub(" *$", "")))
    local names = {"native", "gcc", "luajit", "lua", "vm", "scalar", "unoptimised"}
    if sides.numba then
        names[#names + 1] = "numba"
    end
    for _, case in ipairs(work.cases) do
        if wanted(case) then
            row(case, case.l2, case.calls, names, {{"gcc", "native", "gcc, L2"},
                {"luajit", "native", "LuaJIT"}, {"numba", "native", "Numba"},
                {"lua", "native", "Lua 5.4"}, {"lua", "vm", "VM"},
                {"unoptimised", "scalar", "optimiser"}})
        end
    end
end

local function memory_table()
    print("\nin memory (about 120 MB and more): speed of native against gcc -O3 -march=native")
    print((heading:format("gcc -O3", "", "", "", "", ""):gsub(" *$", "")))
    for _, case in ipairs(work.cases) do
        if wanted(case) and case.dram then
            row(case, case.dram, 1, {"native", "gcc"}, {{"gcc", "native", "gcc, memory"}})
        end
    end
end

-- Kernels over cns.prange on all cores, and in a process that may use one.
local function parallel_table()
    print("\nover cns.prange: microseconds a call on all cores; its speed against one core's")
    for _, entry in ipairs {{"mandelbrot", 512}, {"matmul", 512}} do
        local case = work.cases[entry[1]]
        if wanted(case) then
            local ok, times = pcall(measure, case, entry[2], 1, {"native", "single", "parallel"})
            if ok then
                collect("parallel", (ratio(times, "single", "parallel")))
                print(("%-15s %9.1f %s"):format(case.name, quantile(times.parallel, 0.5) / 1e3,
                    show_ratio(times, "single", "parallel")))
            else
                failed = true
                print(("%-15s FAILED: %s"):format(case.name, times))
            end
        end
    end
end

-- The same kernels, built by `cnsengine build` and called like the C loops.
local function ahead_table(built)
    if not built then
        return
    end
    print("\nbuilt ahead of time (.so) and called from C, in the L2 cache: microseconds a call of "
        .. "native; speed of the .so")
    print((heading:format("against native", "against gcc", "", "", "", ""):gsub(" *$", "")))
    for _, case in ipairs(work.cases) do
        if wanted(case) then
            row(case, case.l2, case.calls, {"native", "gcc", "ahead"},
                {{"native", "ahead", "ahead"}, {"gcc", "ahead", "ahead, gcc"}}, true)
        end
    end
    print(("building the library of %d kernels, linking and start of the command included: %.2f s, "
        .. "%.1f ms a kernel"):format(built.count, built.seconds,
            built.seconds * 1e3 / built.count))
end

local function compile_table()
    local first = tonumber(ask(sides.native, "first")) / 1e6
    local native, scalar, cached = {}, {}, {}
    for _, case in ipairs(work.cases) do
        if wanted(case) then
            native[#native + 1] = tonumber(ask(sides.native, "compile " .. case.name)) / 1e6
            scalar[#scalar + 1] = tonumber(ask(sides.scalar, "compile " .. case.name)) / 1e6
            cached[#cached + 1] = tonumber(ask(sides.cached, "load " .. case.name)) / 1e6
        end
    end
    local function line(name, list, goal)
        if #list == 0 then
            return -- no kernel was wanted
        end
        print(("%-40s median %.2f ms, %.2f to %.2f  %s"):format(name, quantile(list, 0.5),
            quantile(list, 0), quantile(list, 1), goal))
    end
    print("\ncompile time of a kernel")
    line("native, warm", native, "(goal: median 10 ms)")
    print(("%-40s %.1f ms  (goal: 250 ms)"):format("native, the first of a process", first))
    line("native, from the cache, warm", cached, "(goal: 1 ms)")
    line("VM", scalar, "(goal: 0.3 ms)")
    line("Numba, compile()", numba_compile, "")
end

-- Calls from Lua against C functions that check their arguments with lauxlib.h and do the same.
local function call_table()
    print("\na call from Lua: nanoseconds, and how many times a C function's (goal: 2)")
    for _, what in ipairs {{"floats", "3 floats"}, {"buffers", "1 float and 2 buffers"}} do
        for _, tier in ipairs {"native", "vm", "scalar"} do
            local kernel, c, ratios = {}, {}, {}
            for i = 1, 9 do
                local a, b = ask(sides[tier], "call " .. what[1]):match("^(%S+) (%S+)$")
                kernel[i], c[i] = tonumber(a), tonumber(b)
                ratios[i] = kernel[i] / c[i]
            end
            print(("call, %-24s %-8s %5.0f ns, C %5.0f ns: %.2f [%.2f-%.2f]"):format(what[2], tier,
                quantile(kernel, 0.5), quantile(c, 0.5), quantile(ratios, 0.5),
                quantile(ratios, 0.25), quantile(ratios, 0.75)))
        end
    end
end

-- What the optimiser does to the code of the scalar VM; its time is in the first table.
local function optimiser_table()
    local built, optimised, shorter = 0, 0, 0
    for _, case in ipairs(work.cases) do
        if wanted(case) then
            local a = tonumber(ask(sides.unoptimised, "length " .. case.name))
            local b = tonumber(ask(sides.scalar, "length " .. case.name))
            built, optimised = built + a, optimised + b
            shorter = shorter + (b < a and 1 or 0)
        end
    end
    print(("\nbytecode of the kernels: %d instructions as built, %d optimised, versions of loops"
        .. " included; %d kernels get shorter"):format(built, optimised, shorter))
end

local goals = {
    {"gcc, L2", 0.95, "native against gcc -O3 -march=native, L2"},
    {"gcc, memory", 0.95, "native against gcc -O3 -march=native, memory"},
    {"divergent", 3, "the same, divergent kernels, L2"},
    {"parallel", 1.9, "native over cns.prange, all cores against one"},
    {"Numba", 1.2, "native against Numba"},
    {"LuaJIT", 3, "native against LuaJIT, FFI arrays"},
    {"Lua 5.4", 60, "native against Lua 5.4"},
    {"VM, data-parallel", 10, "VM against Lua 5.4, data-parallel kernels"},
    {"VM, the rest", 2, "VM against Lua 5.4, the rest"},
    {"optimiser", nil, "scalar VM, optimiser on against off"},
    {"ahead", 0.95, "built ahead of time, called from C, against native"},
    {"ahead, gcc", nil, "the same against gcc -O3 -march=native"},
}

local function goals_table()
    print("\ngeometric means                                     ratio    goal   least   kernels")
    for _, goal in ipairs(goals) do
        local values = collected[goal[1]]
        if values then
            print(("%-48s %8.2f  %6s  %6.2f   %d"):format(goal[3], geomean(values),
                goal[2] and tostring(goal[2]) or "-", quantile(values, 0), #values))
        else
            print(("%-48s not measured"):format(goal[3]))
        end
    end
end

if not next(kernels_wanted()) then
    io.stderr:write(("no kernel has '%s' in its name\n"):format(filter))
    os.exit(false)
end
open_sides()
local built = open_ahead()
cache_table()
memory_table()
parallel_table()
ahead_table(built)
compile_table()
call_table()
optimiser_table()
goals_table()
if samples then
    samples:close()
end
os.exit(not failed, true)
