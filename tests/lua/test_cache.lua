-- SPDX-License-Identifier: MIT
--
-- test_cache.lua - machine code kept between processes: the second one loads what the first one
-- made, with the same answers, errors and remarks; the environment; processes at once. Skipped
-- where there is no native backend.

local cns = require "cns"

local interpreter = os.getenv("CNS_LUA") or arg[-1] or "lua5.4"
local there_is_native = pcall(cns.jit(function(a) return a end, {tier = "native"}), 1)

local function write(path, text)
    local file <close> = assert(io.open(path, "wb"))
    file:write(text)
    return path
end

-- Starts the script with its cache in FOLDER/cache unless `environment` (env's words) says
-- otherwise.
local function start(folder, script, environment)
    return io.popen(("env CNS_CACHE='%s/cache' env %s '%s' '%s' 2>&1"):format(folder,
        environment or "", interpreter, script))
end

local function finish(pipe)
    local text = pipe:read("a")
    pipe:close()
    return text
end

local function run(...)
    return finish(start(...))
end

local function count(folder)
    local pipe <close> = io.popen(("ls '%s/cache' 2>/dev/null | wc -l"):format(folder))
    return pipe:read("n")
end

-- Prints, of each kernel, whether it was cached, and what it does and tells, without times.
local several = [[
local cns = require "cns"
local scale = 2.5
local sources = {
    sums = {function(x) local s = 0 for i = 1, #x do s = s + x[i] * scale end return s end},
    fails = {function(x) for i = 1, #x + 1 do x[i] = i // (7 - i) end end},
    forks = {function(x)
        local s = 0.0
        for i in cns.prange(#x) do x[i] = x[i] + math.sin(i) s = s + x[i] end
        return s
    end},
    calls = {function(x) local s = 0.0 for i = 1, #x do s = s + math.exp(-x[i]) end return s end},
    loose = {function(x) local s = 0.0 for i = 1, #x do s = s + math.exp(-x[i]) end return s end,
        {reassoc = true, approx = true}},
    plain = {function(x) return #x end, {optimise = false}},
    alone = {function(x) return #x end, {cache = false}},
}
local names, cached = {}, {}
for name in pairs(sources) do names[#names + 1] = name end
table.sort(names)
for _, name in ipairs(names) do
    local options = sources[name][2] or {}
    options.tier, options.name = "native", name
    local kernel <close> = cns.jit(sources[name][1], options)
    local x = cns.buffer("f64", 1000)
    for i = 1, 1000 do x[i] = i * 0.25 - 100 end
    local ok, value = pcall(kernel, x)
    local stats = kernel:stats()
    assert(stats.compile_ns > 0 and stats.native_ns > 0 and stats.native_bytes > 0)
    cached[#cached + 1] = tostring(stats.cached)
    print(name, ok, ("%q"):format(value), cns.hash.blake3(x:bytes()))
    print((kernel:explain():gsub("[%d.]+ ms", "T")))
end
print("cached: " .. table.concat(cached, " "))
]]

-- What is told of where the code came from, taken out.
local function without_origin(text)
    return (text:gsub(", made in T, kept in the cache", ""):gsub(
        ", loaded from the cache in T %(made in T%)", ""):gsub("cached: [%l ]+", ""))
end

local module_script = [[
local cns = require "cns"
local kernel = cns.jit.load(arg[0]:gsub("[^/]*$", "k.cnsb"), {tier = "native"}).twice
print(kernel(21.0), kernel:stats().cached)
]]

return function(test)
    if not there_is_native then
        test("code that is kept", function(t) t.skip("no native backend") end)
        return
    end

    test("the second process loads what the first one made", function(t)
        t.with_folder(function(folder)
            local script = write(folder .. "/several.lua", several)
            local first, second = run(folder, script), run(folder, script)
            t.ok(first:find("cached: false false false false false false false\n", 1, true), first)
            t.ok(second:find("cached: false true true true true true true\n", 1, true), second)
            t.equal(without_origin(second), without_origin(first))
            local _, kept = first:gsub("made in T, kept in the cache", "")
            local _, loaded = second:gsub("loaded from the cache in T %(made in T%)", "")
            t.equal(kept, 6)
            t.equal(loaded, 6)
            t.ok(second:find("in T\n  no cache    the kernel is to do without", 1, true), second)
            t.equal(count(folder), 6)
            local off = run(folder, script, "CNS_CACHE=")
            t.ok(off:find("no cache    no folder was named for it", 1, true), off)
            t.ok(off:find("cached: false false", 1, true), off)
        end)
    end)

    test("kernels of modules", function(t)
        t.with_folder(function(folder)
            local twice <close> = cns.jit(function(x) return 2 * x end):compile("f64")
            write(folder .. "/k.cnsb", cns.jit.dump {{name = "twice", kernel = twice}})
            local script = write(folder .. "/load.lua", module_script)
            t.equal(run(folder, script), "42.0\tfalse\n")
            t.equal(run(folder, script), "42.0\ttrue\n")
        end)
    end)

    test("a change in the source is another kernel", function(t)
        t.with_folder(function(folder)
            local text = 'local cns = require "cns"\n'
                .. 'local k = cns.jit(function(x) return x + %s end, {tier = "native"})\n'
                .. "print(k(1), k:stats().cached)\n"
            for _, step in ipairs {{"1", "2\tfalse\n"}, {"1", "2\ttrue\n"}, {"2", "3\tfalse\n"},
                {"2.0", "3.0\tfalse\n"}, {"2", "3\ttrue\n"}, {"1", "2\ttrue\n"}} do
                t.equal(run(folder, write(folder .. "/s.lua", text:format(step[1]))), step[2])
            end
        end)
    end)

    test("processes at once", function(t)
        t.with_folder(function(folder)
            local script = write(folder .. "/several.lua", several)
            local pipes, texts = {}, {}
            for i = 1, 3 do pipes[i] = start(folder, script) end
            for i = 1, 3 do texts[i] = without_origin(finish(pipes[i])) end
            t.ok(texts[1]:find("sums\ttrue", 1, true), texts[1])
            t.equal(texts[2], texts[1])
            t.equal(texts[3], texts[1])
            t.equal(count(folder), 6)
        end)
    end)

    test("what cannot be used is done without", function(t)
        t.with_folder(function(folder)
            local script = write(folder .. "/k.lua", 'local cns = require "cns"\n'
                .. 'local k = cns.jit(function(x) return x + 1 end, {tier = "native"})\n'
                .. "print(k(1), k:stats().cached, (k:explain():match('no cache    ([^\\n]*)')))\n")
            local file = write(folder .. "/file", "")
            local unnamed = "no folder was named for it\n"
            for environment, why in pairs {
                ["CNS_CACHE=" .. file] = ": Not a directory\n",
                ["CNS_CACHE=" .. file .. "/below"] = ": Not a directory\n",
                ["CNS_CACHE=relative"] = unnamed,
                ["CNS_CACHE_LIMIT=much"] = unnamed,
                ["CNS_CACHE_LIMIT=1KiB"] = ": it is too large for the limit\n",
                ["-u CNS_CACHE -u HOME -u XDG_CACHE_HOME"] = unnamed,
                ["-u CNS_CACHE XDG_CACHE_HOME=" .. file] = ": Not a directory\n",
                ["-u CNS_CACHE -u XDG_CACHE_HOME HOME=" .. file] = ": Not a directory\n",
            } do
                local text = run(folder, script, environment)
                t.ok(text:find("2\tfalse\t", 1, true) and text:sub(-#why) == why,
                    environment .. ": " .. text)
            end
            for _, environment in ipairs {"XDG_CACHE_HOME=" .. folder .. "/x",
                "XDG_CACHE_HOME=relative HOME=" .. folder} do
                for _, cached in ipairs {"false", "true"} do
                    local text = run(folder, script, "-u CNS_CACHE " .. environment)
                    t.ok(text:find("2\t" .. cached .. "\tnil", 1, true), text)
                end
            end
            t.ok(os.execute(("test -d '%s/x/cnsengine' && test -d '%s/.cache/cnsengine'"):format(
                folder, folder)))
        end)
    end)

    test("the limit holds", function(t)
        t.with_folder(function(folder)
            local script = write(folder .. "/several.lua", several)
            run(folder, script, "CNS_CACHE_LIMIT='12 KiB'")
            t.equal(count(folder), 3)
        end)
    end)
end
