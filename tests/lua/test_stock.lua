-- SPDX-License-Identifier: MIT
--
-- test_stock.lua - scripts under the stock interpreter, as processes: stdlib's own cns.host, with
-- cns.stress and cns.bench on top of it.

local cns = require "cns"

local interpreter = os.getenv("CNS_LUA") or arg[-1] or "lua5.4"
local folder = os.tmpname()
os.remove(folder)
assert(os.execute("mkdir " .. folder))

local function write(name, text)
    local file <close> = assert(io.open(folder .. "/" .. name, "wb"))
    file:write(text)
    return folder .. "/" .. name
end

local function read(name)
    local file <close> = io.open(folder .. "/" .. name, "rb")
    return file and file:read("a") or ""
end

-- Runs the script with the words; output of both kinds, and the exit code.
local function run(text, words, environment)
    local script = write("script.lua", text)
    local _, _, code = os.execute(("cd %s && %s '%s' %s %s >%s/out 2>%s/err </dev/null"):format(
        folder, environment or "", interpreter, script, words or "", folder, folder))
    return {code = code, out = read("out"), err = read("err")}
end

local function expect(t, result, code, out, err)
    t.equal(result.code, code, result.out .. result.err)
    t.ok(result.out:find(out or "", 1, true), result.out .. result.err)
    t.ok(result.err:find(err or "", 1, true), result.out .. result.err)
end

local scenario = [[
    local run = require "cns.stress".new {title = "Under stock Lua"}
    local host = require "cns.host"
    run:scenario {
        name = "sums", operations = 40, workers = 2,
        work = function(_, i) return i * i end,
        verify = function(_, i, answer) return answer == i * i + host.param("off", 0) end,
        thresholds = {"success = 100%"},
    }
    require "cns.report".finish(run:result())
]]

local function all(test)
    test("parameters, the seed and arguments", function(t)
        local text = [[
            local host = require "cns.host"
            print(host.seed, host.param("n", 1), host.param("x", 0.5), host.param("s", "a"),
                host.param("b", true), host.threads, host.quiet)]]
        expect(t, run(text, "--seed 7 --set n=3 --set x=2 --set=s=12 --set b=false --threads 3"), 0,
            "7\t3\t2.0\t12\tfalse\t3\tfalse")
        expect(t, run(text, "--quiet", "CNS_SEED=9 CNS_THREADS=2"), 0,
            "9\t1\t0.5\ta\ttrue\t2\ttrue")
        write("config.yaml", "n: 5\nx: 1.5\n")
        expect(t, run(text, "--seed 1 --config config.yaml --set n=6"), 0, "1\t6\t1.5")
        expect(t, run(text, "--set n=x"), 1, "", "integer is needed, got 'x'")
    end)

    test("tasks see what the main script does, and give no verdict", function(t)
        local text = [[
            local host = require "cns.host"
            local function see()
                local h = require "cns.host"
                return h.seed, h.param("n", 1), h.threads, h.script
            end
            local pool = require "cns".tasks.default()
            print(table.concat({pool:spawn(see):await()}, " ")
                == table.concat({see()}, " "), (pool:spawn(see):await()))
            pool:spawn(function() require "cns.host".verdict("success") end):await()]]
        expect(t, run(text, "--seed 7 --set n=3 --threads 3"), 1, "true\t7", "main script only")
        expect(t, run(text, "", "CNS_THREADS=2"), 1, "true\t", "main script only")
    end)

    test("what it cannot do is refused", function(t)
        local text = 'require "cns.host"'
        expect(t, run(text, "--memory 1G"), 2, "", "needs cnsengine")
        expect(t, run(text, "--time-limit 5"), 2, "", "needs cnsengine")
        expect(t, run(text, "--threads 0"), 2, "", "--threads")
        expect(t, run(text, "--frobnicate"), 2, "", "unknown option")
        expect(t, run(text, "--config /nonexistent"), 2, "", "--config")
        expect(t, run(text, "--set novalue"), 2, "", "key=value")
    end)

    test("a verdict becomes the exit code", function(t)
        local codes = {["success"] = 0, ["check failed"] = 3, ["threshold missed"] = 4,
            ["inconclusive"] = 5}
        for verdict, code in pairs(codes) do
            expect(t, run(('io.write("kept") require "cns.host".verdict(%q)'):format(verdict)),
                code, "kept")
        end
        expect(t, run('require "cns.host".verdict("no such")'), 1, "", "one of host.exit_codes")
    end)

    test("a scenario of cns.stress, with its report", function(t)
        expect(t, run(scenario, "--seed 7 --json out.json --report report"), 0, "sums")
        local report = cns.json.decode(read("out.json"))
        t.equal(report.seed, 7)
        t.equal(report.scenarios[1].name, "sums")
        t.equal(report.scenarios[1].operations, 40)
        t.ok(report.scenarios[1].success_rate == 1)
        local listing = io.popen("ls " .. folder .. "/report"):read("a")
        t.ok(listing:find("%.md") and listing:find("%.html"), listing)
        t.ok(run(scenario, "--set off=1").code ~= 0, "wrong answers pass")
    end)

    test("a comparison of cns.bench", function(t)
        local text = [[
            local run = require "cns.bench".new {title = "Under stock Lua"}
            run:compare {
                name = "sum", rounds = 5, verify = function(a, b) return a == b end,
                base = {label = "a loop", run = function()
                    local sum = 0
                    for i = 1, 200000 do sum = sum + i end
                    return sum
                end},
                other = {label = "a formula", run = function() return 200000 * 200001 // 2 OFF end},
            }
            require "cns.report".finish(run:result())]]
        expect(t, run((text:gsub("OFF", "")), "--json bench.json --seed 3"), 0, "a formula")
        local row = cns.json.decode(read("bench.json")).benchmarks[1]
        t.equal(row.name, "sum")
        t.equal(row.state, "pass")
        t.ok(row.ratio > 1)
        expect(t, run((text:gsub("OFF", "+ 1"))), 3, "sum")
    end)

    test("Ctrl-C ends a kernel", function(t)
        if interpreter:find("lua_sanitized", 1, true) then
            t.skip("this interpreter has no handler for signals")
        end
        for _, options in ipairs {"tier = 'scalar'", "wait = true"} do
            local code = "require 'cns'.jit(function(x) while true do x = x + 1 end end, {%s})(1)"
            local result = run(code:format(options), "",
                "timeout --foreground --preserve-status -s INT 1")
            expect(t, result, 1, "", "interrupted")
        end
    end)
end

return function(test)
    all(test)
    os.execute("rm -r " .. folder)
end
