-- SPDX-License-Identifier: MIT
--
-- validate.lua - the ten points of the checklist, each bound to checks that run now.
--
--     cnsengine run scripts/validate.lua [--set scale=0.05]
--
-- A point passes when all of its checks pass. What a machine lacks (LLVM, a C compiler) is "not
-- measured", what noise hides is "inconclusive": neither is a pass, and the run's verdict is then
-- "inconclusive" at best.

local host = require "cns.host"

local here = host.script:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local cns = require "cns"
local bench = require "cns.bench"
local build = require "cns.build"
local check = require "cns.check"
local report = require "cns.report"
local stats = require "cns.stats"
local stress = require "cns.stress"
local kernels = require "cns.kernels"
local blake2b = require "peers.blake2b"

-- How often eight queens can stand on a board without attacking each other.
local function count_queens()
    local model, up, down = cns.solver.model(), {}, {}
    local queen = model:ints(8, 1, 8)
    for k = 1, 8 do up[k], down[k] = queen[k] + k, queen[k] - k end
    for _, list in ipairs {queen, up, down} do model:all_different(list) end
    local count = 0
    for _ in model:solutions() do count = count + 1 end
    return count
end

local scale = host.param("scale", 0.05)
local run = stress.new {title = "Validation: the ten-point checklist", kind = "validate"}
local records = {} -- of the stress scenarios, by name

local points = {}
local function point(name, fn)
    points[#points + 1] = {name = name, fn = fn}
end

-- Compares, and again with more rounds where noise hides the answer: beside other work some dozens
-- tell a factor of 1.7, which nine do not.
local function compare(t, spec)
    local private, row = bench.new {private = true}, nil
    for _, rounds in ipairs {9, 27, 81} do
        spec.rounds = rounds
        row = private:compare(spec)
        if row.verdict ~= "inconclusive" then break end
    end
    t:check(spec.name .. ": the same answer", row.state == "pass", row.error)
    if row.state == "pass" then
        t:note(spec.name .. ": faster than " .. spec.base.label, row.verdict == "faster" and "pass"
            or row.verdict == "slower" and "fail" or "inconclusive",
            ("%.1f times, 95 %% interval %.1f to %.1f"):format(row.ratio, row.ratio_low,
                row.ratio_high))
    end
    return row
end

point("real implementations", function(t)
    -- Published vectors: BLAKE3's paper, RFC 7693, RFC 3720, the SipHash paper.
    t:equal("BLAKE3 of abc", cns.hash.blake3("abc"),
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85")
    t:equal("BLAKE2b of abc, first 16 digits of 128", cns.hash.blake2b("abc", {size = 64})
        :sub(1, 16), "ba80a53f981c4d0d")
    t:equal("CRC32C of 123456789", cns.hash.crc32c("123456789"), "e3069283")
    t:equal("solutions of eight queens", count_queens(), 92)
    local heap <close> = cns.heap()
    local before = cns.monitor.sample().rss_bytes
    local block = heap:alloc(64 << 20)
    block:fill(165)
    local grown = cns.monitor.sample().rss_bytes - before
    t:check("64 MiB of heap are resident", grown >= 60 << 20, ("grew by %d bytes"):format(grown))
    t:equal("the last byte", block:read(#block, 1):byte(), 165)
    local before_threads = #cns.monitor.threads()
    local pool <close> = cns.tasks.new {workers = 4}
    pool:map({1, 2, 3, 4}, function() require "cns".sleep(0.01) end)
    local threads = #cns.monitor.threads() - before_threads
    -- The caller takes part, so four workers may be three threads more.
    t:check("workers are threads of the system", threads >= 3, threads .. " more for four workers")
end)

point("measurements are taken", function(t)
    -- C's clock() is the second opinion; a busy machine slows both alike.
    local before, burnt, x = cns.monitor.sample(), os.clock(), 0
    while os.clock() - burnt < 0.1 do for i = 1, 1000 do x = x + i end end
    local now, expected = cns.monitor.sample(), os.clock() - burnt
    local used = now.cpu_user + now.cpu_system - before.cpu_user - before.cpu_system
    t:check("CPU time agrees with clock()", math.abs(used - expected) < 0.2 * expected and x > 0,
        ("%.3f s, clock() says %.3f s"):format(used, expected))
    local began = cns.clock()
    cns.sleep(0.05)
    local slept = cns.clock() - began
    t:check("sleeping 50 ms takes 50 ms", slept >= 0.05 and slept < 1, ("%.4f s"):format(slept))
    local random, histogram, values = stats.random(host.seed), stats.histogram(), {}
    for i = 1, 5000 do
        values[i] = math.floor(2 ^ (random() * 30))
        histogram:record(values[i])
    end
    table.sort(values)
    for _, q in ipairs {0.5, 0.9, 0.99, 0.999} do
        local exact = values[math.ceil(q * #values)]
        local off = math.abs(histogram:quantile(q) - exact) / exact
        t:check(("quantile %g within 1 %% of the sorted list"):format(q), off <= 0.01,
            ("off by %.3f %%"):format(off * 100))
    end
    local cost = stress.overhead()
    t:check("the harness knows its own cost", cost.per_call_s > 0 and cost.per_call_s < 1e-3,
        ("%.2f µs a call"):format(cost.per_call_s * 1e6))
end)

point("the stress scenarios pass", function(t)
    for _, name in ipairs {"memory", "concurrent", "allocation", "files", "compile", "solving"} do
        local size = name == "compile" and math.max(scale, 0.2) or scale -- all families, twice
        local record = run:scenario(require("scenarios." .. name)(size, {workers = 32}))
        records[record.name] = record
        local state = record.success_rate ~= 1 and "fail"
            or record.state == "inconclusive" and "not measured" or record.state
        t:note(record.name, state, ("%d of %d operations verified%s"):format(record.verified,
            record.operations, state == "not measured" and record.notes
            and "; " .. record.notes[#record.notes] or ""))
    end
end)

point("memory is reduced, and that is validated", function(t)
    local count, slot = 10000, "<I8Bc32"
    local data = ("0123456789abcdef"):rep(2)
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    local plain = {}
    for i = 1, count do
        plain[i] = {id = i, data = data, metadata = {created = i * 7, type = i % 4}}
    end
    local plain_bytes = (collectgarbage("count") - before) * 1024
    local map <close> = cns.map {key = "u64", value = string.packsize(slot), capacity = count}
    for i = 1, count do map:set(i, string.pack(slot, i * 7, i % 4, data)) end
    local engine_bytes = map:stats().held
    local wrong = 0
    for i, record in ipairs(plain) do
        local created, kind, text = string.unpack(slot, map:get(i))
        if created ~= record.metadata.created or kind ~= record.metadata.type
            or text ~= record.data then
            wrong = wrong + 1
        end
    end
    t:check("10,000 records take less", engine_bytes > 0 and engine_bytes < plain_bytes / 2,
        ("%.0f bytes a record in Lua tables, %.0f in the engine"):format(plain_bytes / count,
            engine_bytes / count))
    t:check("and hold the same", wrong == 0, wrong .. " records differ")
end)

point("concurrency holds under load", function(t)
    local record = records["concurrent processing"]
    t:check("32 workers, every product verified", record and record.success_rate == 1,
        record and ("%d products"):format(record.verified))
    local sums = {}
    for _, workers in ipairs {1, 2, 32} do
        local pool <close> = cns.tasks.new {workers = workers}
        -- Sums of floats depend on their order, so equal bits mean an order that is fixed.
        sums[#sums + 1] = ("%a"):format(pool:reduce(1, 200000, function(first, last)
            local sum = 0.0
            for i = first, last do sum = sum + 1 / i end
            return sum
        end, function(a, b) return a + b end))
    end
    t:check("a sum of floats has the same bits on 1, 2 and 32 workers",
        sums[1] == sums[2] and sums[2] == sums[3], table.concat(sums, ", "))
    local pool <close> = cns.tasks.new {workers = 2}
    local ok, message = pcall(function()
        return pool:spawn(function() error("from a task") end):await()
    end)
    t:check("a task's error arrives where it is awaited",
        not ok and tostring(message):find("from a task", 1, true) ~= nil, message)
end)

-- Plain Lua, and as kernels. Both count, so an answer that is off shows.
local function black_scholes(price, strike, years, call)
    local sqrt, exp, log, abs = math.sqrt, math.exp, math.log, math.abs
    for i = 1, #price do
        local root = 0.3 * sqrt(years[i])
        local d = (log(price[i] / strike[i]) + (0.02 + 0.045) * years[i]) / root
        local k = 1 / (1 + 0.2316419 * abs(d))
        local tail = 0.3989422804 * exp(-0.5 * d * d) * k
            * (0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * -1.821255978)))
        local n = d > 0 and 1 - tail or tail
        call[i] = n * price[i] - (1 - n) * strike[i] * exp(-0.02 * years[i])
    end
end

local function mandelbrot(width, height, limit, out)
    for y = 0, height - 1 do
        for x = 0, width - 1 do
            local cr, ci = 3.0 * x / width - 2.25, 3.0 * y / height - 1.5
            local zr, zi, n = 0.0, 0.0, 0
            while n < limit and zr * zr + zi * zi <= 4 do
                zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1
            end
            out[y * width + x + 1] = n
        end
    end
end

-- What each run works on, fresh: arguments, and the buffer that holds the answer.
local jit_cases = {
    {name = "Black-Scholes", fn = black_scholes, arguments = function()
        local count = 20000
        local price, strike = cns.buffer("f64", count), cns.buffer("f64", count)
        local years, call = cns.buffer("f64", count), cns.buffer("f64", count)
        local random = stats.random(host.seed)
        for i = 1, count do
            price[i], strike[i], years[i] = 5 + 25 * random(), 1 + 99 * random(), 1 + 9 * random()
        end
        return {price, strike, years, call}, call
    end},
    {name = "mandelbrot", fn = mandelbrot, arguments = function()
        local out = cns.buffer("i32", 96 * 64)
        return {96, 64, 200, out}, out
    end},
}

-- The optimiser off and on, on the reference tier: less time, the same bits. How long the code is,
-- is stated: it may be longer, since loops get versions.
local function check_optimiser(t, case)
    local arguments, answer = case.arguments()
    local sides = {}
    for _, on in ipairs {false, true} do
        local kernel = cns.jit(case.fn, {tier = "scalar", optimise = on})
        kernel(table.unpack(arguments))
        sides[on] = {size = kernel:stats().bytecode_instructions, run = function()
            kernel(table.unpack(arguments))
            return answer:bytes()
        end}
    end
    compare(t, {
        name = ("%s, optimised (%d instructions, %d as built)"):format(case.name, sides[true].size,
            sides[false].size),
        base = {label = "as built", run = sides[false].run},
        other = {label = "optimised", run = sides[true].run},
        verify = function(a, b) return a == b, "the answers differ" end,
    })
end

point("a JIT with real speed-ups", function(t)
    for _, case in ipairs(jit_cases) do
        local arguments, answer = case.arguments()
        local function timed(fn)
            return function()
                fn(table.unpack(arguments))
                return answer:bytes()
            end
        end
        for _, tier in ipairs {"vm", "native"} do
            local kernel <close> = cns.jit(case.fn, {name = case.name, wait = tier == "native",
                tier = tier == "vm" and "vm" or "auto"})
            kernel(table.unpack(arguments))
            local name = ("%s, %s"):format(case.name, tier)
            if tier == "native" and kernel:tier() ~= "native" then
                local _, why = cns.jit.native()
                t:note(name, why and "not measured" or "fail", why or kernel:explain())
            else
                compare(t, {
                    name = name,
                    base = {label = "plain Lua", run = timed(case.fn)},
                    other = {label = tier, run = timed(kernel)},
                    verify = function(a, b) return a == b, "the answers differ" end,
                })
            end
        end
    end
    check_optimiser(t, jit_cases[2]) -- the other spends its time in exp and log
end)

-- A kernel, a Lua script that exports it for `cnsengine build`, and a C program that calls it.
local exported = [[return {fnv1a64 = {require "cns.kernels".fnv1a64, "u8[]"}}]]
local caller = [[
#include "k.h"
#include <inttypes.h>
#include <stdio.h>
int main(void) {
    static uint8_t bytes[100000];
    for (uint32_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 24);
    }
    int64_t digest = 0;
    k_error error;
    if (k_fnv1a64(bytes, sizeof bytes, &digest, &error) != K_OK) {
        return 1;
    }
    printf("%" PRId64 "\n", digest);
    return 0;
}
]]

local function output_of(command)
    local pipe <close> = assert(io.popen(command .. " 2>&1"))
    return pipe:read("a")
end

-- Kernels that were built ahead of time: a module into this process, C functions into a program.
local function check_ahead_of_time(t, folder)
    local bytes = cns.buffer("u8", 100000)
    for i = 1, #bytes do bytes[i] = ((i - 1) * 2654435761 & 0xffffffff) >> 24 end
    local digest = kernels.fnv1a64(bytes) -- by Lua
    for name, text in pairs {["k.lua"] = exported, ["main.c"] = caller} do
        assert(cns.fs.write_atomic(folder .. "/" .. name, text))
    end
    assert(build.run {input = folder .. "/k.lua", output = folder .. "/k.cnsb"})
    local module = cns.jit.load(folder .. "/k.cnsb")
    t:equal("a module of bytecode, loaded, gives Lua's digest", module.fnv1a64(bytes), digest)
    local _, why = cns.jit.native()
    if why or output_of("command -v cc") == "" then
        t:note("a C program with a built kernel", "not measured", why or "there is no cc")
        return
    end
    assert(build.run {input = folder .. "/k.lua", output = folder .. "/k.so",
        header = folder .. "/k.h"})
    t:equal("a C program with a built kernel gives Lua's digest", output_of(
        ("cd '%s' && cc -std=c11 main.c ./k.so -o main && ./main"):format(folder)),
        ("%d\n"):format(digest))
    local needs = output_of(("cd '%s' && ldd k.so"):format(folder))
    if needs:find("libc", 1, true) then
        t:check("it needs neither engine, nor Lua, nor LLVM", not (needs:find("libcns", 1, true)
            or needs:find("liblua", 1, true) or needs:find("libLLVM", 1, true)),
            needs:gsub("%s+", " "))
    end
end

point("compiled extensions", function(t)
    local random, texts = stats.random(host.seed), {}
    for i = 1, 500 do texts[i] = ("%x"):format(random(2 ^ 52)):rep(15) .. i end
    compare(t, {
        name = "digests",
        base = {label = "plain Lua", run = function()
            local out = {}
            for i, text in ipairs(texts) do out[i] = blake2b.hex(text, 8) end
            return table.concat(out)
        end},
        other = {label = "compiled", run = function()
            return table.concat(cns.hash.batch("blake2b", texts, {size = 8}))
        end},
        verify = function(a, b) return a == b, "the digests differ" end,
    })
    local folder = assert(cns.fs.tempdir("cns-validate-"))
    local finished, message = xpcall(check_ahead_of_time, debug.traceback, t, folder)
    assert(cns.fs.remove_tree(folder))
    if not finished then error(message, 0) end
end)

-- If figures were made up, sabotage would not show in them.
point("nothing is simulated", function(t)
    local private = stress.new {private = true, title = "sabotage"}
    local record = private:scenario {name = "one wrong answer in ten", operations = 100,
        work = function(_, i) return i % 10 == 0 and i + 1 or i end,
        verify = function(_, i, answer) return answer == i, "wrong answer" end}
    t:check("wrong answers are counted and fail", record.state == "fail"
        and record.success_rate == 0.9 and record.error_count == 10,
        ("success rate %g, %d errors"):format(record.success_rate, record.error_count))
    record = private:scenario {name = "slow", operations = 20, verify = "in work",
        work = function(_, i) cns.sleep(i == 20 and 0.03 or 0.003) end}
    t:check("slow calls are seen as slow", record.latency.p50_s >= 0.003
        and record.latency.max_s >= 0.03, ("p50 %.4f s, max %.4f s"):format(record.latency.p50_s,
            record.latency.max_s))
    record = private:scenario {name = "dies", operations = 5, verify = "in work",
        work = function(_, i) if i == 3 then error("died") end end}
    t:check("an error is kept with its cause", record.state == "fail"
        and record.errors[1].count == 1 and record.errors[1].cause:find("died") ~= nil,
        record.errors[1] and record.errors[1].cause)
    local files = records["file I/O"]
    t:check("real faults of files were provoked and detected", files and files.state == "pass"
        and files.notes ~= nil, files and files.notes and files.notes[1])
end)

point("errors are handled", function(t)
    t:raises("a wrong argument is named", "string or cns.buffer expected", cns.hash.blake3, {})
    t:raises("a size that is none", "12 parsecs", cns.bytes, "12 parsecs")
    local heap <close> = cns.heap {budget = "1 MiB"}
    t:raises("a budget holds", "refused", heap.alloc, heap, 2 << 20)
    local block = heap:alloc(1000)
    t:check("and the heap goes on afterwards", #block == 1000)
    block:free()
    t:raises("a freed block is no more", "closed", block.read, block)
    local pool <close> = cns.pool {{"x", "f64"}}
    local handle = pool:new(1)
    pool:free(handle)
    t:raises("a stale handle is refused", "stale handle", pool.get, pool, handle, "x")
    local buffer = cns.buffer("u8", 4)
    t:raises("an index out of range", "out of range", function() return buffer[5] end)
    t:raises("a value that does not fit", "does not fit", function() buffer[1] = 256 end)
    t:raises("a missing file, with its path", "/no/such/file", cns.hash.file, "blake3",
        "/no/such/file")
    local function shift(x, by)
        for i = 1, #x do x[i] = x[i + by] end
    end
    for _, tier in ipairs {"vm", "auto"} do
        local kernel <close> = cns.jit(shift, {tier = tier, wait = tier == "auto"})
        local _, said = pcall(shift, cns.buffer("u8", 4), 1)
        t:check("a kernel's error is Lua's, " .. tier,
            select(2, pcall(kernel, cns.buffer("u8", 4), 1)) == said, said)
        t:raises("what cannot be a kernel is refused by name", "'by', which is a bool", kernel,
            cns.buffer("u8", 4), true)
    end
    t:raises("a file that is no module", "k.cnsb: ", function()
        local folder <const> = assert(cns.fs.tempdir("cns-validate-"))
        assert(cns.fs.write_atomic(folder .. "/k.cnsb", ("cnsb"):rep(64)))
        local ok, why = pcall(cns.jit.load, folder .. "/k.cnsb")
        assert(cns.fs.remove_tree(folder))
        if not ok then error(why, 0) end
    end)
    buffer:close()
    t:raises("a closed object", "closed", function() return buffer[1] end)
end)

point("reports with Mermaid charts", function(t)
    local result = run:result()
    local folder = assert(cns.fs.tempdir("cns-validate-"))
    local written = report.write(result, {report_dir = folder .. "/reports"})
    local texts = {}
    for _, path in ipairs(written) do
        local file = assert(io.open(path, "rb"))
        texts[path:match("[^.]+$")] = file:read("a")
        file:close()
    end
    assert(cns.fs.remove_tree(folder))
    local _, charts = texts.md:gsub("```mermaid\n", "")
    t:check("Markdown has Mermaid charts", charts >= 2, charts .. " charts")
    t:check("HTML is whole and needs nothing else", texts.html:find("</html>", 1, true)
        and texts.html:find("<svg", 1, true) and not texts.html:find("src=", 1, true)
        and not texts.html:find("https?://") and true, #texts.html .. " bytes")
    local decoded = cns.json.decode(texts.json)
    t:check("JSON holds every scenario", decoded.schema_version == 1
        and #decoded.scenarios == #result.scenarios, #texts.json .. " bytes")
    t:check("JUnit is there", texts.xml:find("</testsuites>", 1, true) ~= nil,
        #texts.xml .. " bytes")
end)

-- The point's own check joins the run: its state is the worst of its checks.
local function judge(t)
    local counts = t:counts()
    for _, state in ipairs {"fail", "not built", "not measured", "inconclusive"} do
        if counts[state] > 0 then return state end
    end
    return #t > 0 and "pass" or "inconclusive"
end

for number, entry in ipairs(points) do
    local t = check.new()
    local finished, message = xpcall(entry.fn, debug.traceback, t)
    if not finished then t:note("runs to its end", "fail", message) end
    local state, parts = judge(t), {}
    for _, item in ipairs(t) do
        if item.state == state then
            parts[#parts + 1] = item.name .. (item.evidence and ": " .. item.evidence or "")
        end
    end
    run.checks:note(("%d. %s"):format(number, entry.name), state, table.concat(parts, "; "))
end
report.finish(run:result())
