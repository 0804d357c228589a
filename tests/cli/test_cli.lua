-- SPDX-License-Identifier: MIT
--
-- test_cli.lua - runs the command as a process: output, exit codes, hostile scripts, Ctrl-C.
--
--     lua5.4 test_cli.lua PATH/TO/cnsengine [PATTERN]
--
-- Every run is under coreutils' timeout: one that should have ended and did not is a failure.

local pattern = arg[2] or ""
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local scratch = require "scratch"
local absolute, folder = scratch.absolute, scratch.folder
local write, read, quote = scratch.write, scratch.read, scratch.quote
local command = absolute(arg[1])
local here = absolute(arg[0]:match("^(.*)/") or ".")
local slow = tonumber(os.getenv("CNS_TEST_SLOW") or "1") -- sanitizers start slower
-- ThreadSanitizer holds signals back while code that it does not know runs, such as Lua's.
local signals = not os.getenv("CNS_TEST_NO_SIGNALS")
local random = math.random
math.randomseed(20240)

-- -------------------------------------------------------------------------------------------------
-- Tools

---Runs the command with the words. options: stdin, env, redirect, signal and after (seconds).
local function run(words, options)
    options = options or {}
    local line = {options.env or "", "timeout -k 5 --foreground --preserve-status"}
    if options.signal then
        line[#line + 1] = ("-s %s %.3f"):format(options.signal, options.after)
    else
        line[#line + 1] = "-s KILL 60"
    end
    line[#line + 1] = quote(command)
    for _, word in ipairs(words) do line[#line + 1] = quote(word) end
    local out, err = folder .. "/out", folder .. "/err"
    line[#line + 1] = "<" .. quote(options.stdin and write("in", options.stdin) or "/dev/null")
    line[#line + 1] = options.redirect or (">" .. quote(out))
    line[#line + 1] = "2>" .. quote(err)
    os.remove(out)
    local code = scratch.shell(table.concat(line, " "))
    return {code = code, out = read(out) or "", err = read(err) or ""}
end

local function script(text, words, options)
    local path = write("script.lua", text)
    local all = {"run", path, "--seed", "1"}
    for _, word in ipairs(words or {}) do all[#all + 1] = word end
    return run(all, options)
end

local function fail(level, format, ...)
    error(format:format(...), level + 1)
end

local function expect(result, code, out, err)
    if result.code ~= code then
        fail(2, "exit code %s, expected %d\nout: %s\nerr: %s", result.code, code,
            result.out:sub(1, 2000), result.err:sub(1, 2000))
    end
    for _, pair in ipairs {{result.out, out, "stdout"}, {result.err, err, "stderr"}} do
        if pair[2] and not pair[1]:find(pair[2], 1, true) then
            fail(2, "%s lacks %q:\n%s", pair[3], pair[2], pair[1]:sub(1, 2000))
        end
    end
    if result.err:find("AddressSanitizer", 1, true) or result.err:find("runtime error", 1, true)
        or result.err:find("ThreadSanitizer", 1, true) then
        fail(2, "a sanitizer spoke:\n%s", result.err:sub(1, 6000))
    end
end

local passed, failed, skipped = 0, 0, 0

local function test(name, body)
    if not name:find(pattern, 1, true) then return end
    local ok, message = pcall(body)
    if ok and message == "skip" then
        skipped = skipped + 1
        print("skip  " .. name)
    elseif ok then
        passed = passed + 1
    else
        failed = failed + 1
        print("FAIL  " .. name .. "\n      " .. tostring(message):gsub("\n", "\n      "))
    end
end

-- A report module of our own: the command's part of the contract, without the stdlib's.
os.execute("mkdir -p " .. quote(folder .. "/lib/cns"))
write("lib/cns/report.lua", [[
local report = {}
function report.write_partial(json, host, reason, message)
    if json == '"slow"' then while true do end end
    if json == '"bad"' then error("no such report") end
    local file = assert(io.open(host.json_path, "w"))
    file:write(("partial %s %s %s"):format(reason, json, message))
    file:close()
end
return report
]])
local own_report = "CNS_STDLIB=" .. quote(folder .. "/lib")
local report_path = folder .. "/partial.json"

local function has(module)
    return script(("assert(require 'cns'.%s)"):format(module)).code == 0
end

-- -------------------------------------------------------------------------------------------------
-- The command line

test("no arguments: usage", function()
    local r = run {}
    expect(r, 2, nil, "Usage: cnsengine")
    assert(r.out == "")
end)

test("a report that was asked for comes, or the run fails", function()
    expect(script("print(1)", {"--json", "none.json"}), 1, "1", "no report: the script ended")
    expect(script("print(1)"), 0)
    local tool = 'local run = require "cns.run".new {} run.checks:check("a", true, "b") '
        .. 'require "cns.report".finish(run:result())'
    local r = script(tool, {"--json", folder .. "/no/such.json"})
    expect(r, 1, "Verdict: success", "/no/such.json: No such file")
    expect(script(tool, {"--junit", "/dev/full"}), 1, "Verdict: success",
        "/dev/full: No space left on device")
    expect(script(tool, {"--json", "/dev/stderr", "--quiet"}), 0, nil, '"schema_version"')
end)

test("a row or scenario that there is not is an error", function()
    for _, name in ipairs {"stress", "bench"} do
        expect(run {"run", here .. "/../../scripts/" .. name .. ".lua", "--set", "only=nothing"}, 1,
            nil, "only=nothing: no ")
    end
    local r = run({"bench", "--set", "only=bytecode", "--set", "count=200", "--set", "rounds=5"},
        {env = "CNS_JIT_PLUGIN="})
    expect(r, 0, "not measured")
    assert(r.out:find("bytecode, VM", 1, true) and not r.err:find("never asked"), r.err)
    assert(run {"bench", "--help"}.out:find("--set only=", 1, true), "the example is out of date")
end)

test("kernels that fell back are told of in every report", function()
    local stress = {"run", here .. "/../../scripts/stress.lua", "--set", "only=dynamic", "--set",
        "scale=0.2", "--report", folder .. "/fell"}
    local fell = "they stay in the VM: no native backend was named"
    expect(run(stress, {env = "CNS_JIT_PLUGIN="}), 5, "27 kernels fell back to the VM")
    for _, name in ipairs {"report.md", "report.html", "report.json", "junit.xml"} do
        local text = assert(read(folder .. "/fell/" .. name), name)
        assert(text:find(fell, 1, true), name)
        assert(text:find("fell back", 1, true), name)
    end
    local r = run(stress) -- with a backend, if it was built
    assert(r.code == 0 and r.out:find("kernels: native code by", 1, true)
        or r.code == 5 and r.out:find("not measured", 1, true), r.out .. r.err)
    assert(r.out:find("20 ops", 1, true) and r.out:find("100 %%"), r.out)
end)

test("the ten points hold: none fails, whatever is missing or hidden by noise", function()
    if slow > 1 then return end -- sanitizers: it measures speeds
    for _, env in ipairs {"", "CNS_JIT_PLUGIN="} do
        local r = run({"run", here .. "/../../scripts/validate.lua", "--set", "scale=0.01"},
            {env = env})
        assert(r.code == 0 or r.code == 5, r.out .. r.err)
        for number = 1, 10 do
            local state = r.out:match("\n +(%u[%u ]-) +" .. number .. "%. ")
            assert(state and state ~= "FAIL", r.out)
            assert(state ~= "NOT BUILT" and (env == "" or number ~= 6 or state == "NOT MEASURED"),
                r.out)
        end
    end
end)

test("a finalizer that never ends is told of", function()
    expect(script("setmetatable({}, {__gc = function() while true do end end})",
        {"--time-limit", "1"}), 6, nil, "a finalizer of its had not")
end)

test("help, with an example for every command", function()
    local r = run {"--help"}
    expect(r, 0, "Exit codes")
    for _, name in ipairs {"run", "bench", "cache", "hash", "doctor", "repl", "version"} do
        assert(r.out:find("\n  cnsengine " .. name, 1, true), "no example of " .. name)
        for _, words in ipairs {{name, "--help"}, {name, "-h"}, {"help", name}} do
            local h = run(words)
            expect(h, 0, "Usage: cnsengine " .. name)
            assert(h.out:find("Examples:\n%s+%S*.-cnsengine " .. name), "no example in its help")
            for line in h.out:gmatch("[^\n]+") do
                assert(#line <= 80, "a line of the help is too long: " .. line)
            end
        end
    end
end)

test("version", function()
    expect(run {"version"}, 0, "cnsengine 0.")
    expect(run {"--version"}, 0, "cnsengine 0.")
    expect(run {"version", "x"}, 2, nil, "unexpected argument 'x'")
end)

test("typos get a suggestion", function()
    expect(run {"rnu"}, 2, nil, "did you mean 'run'")
    expect(run {"script.lua"}, 2, nil, "cnsengine run script.lua")
    expect(run {"run", "--memroy", "1G", "x"}, 2, nil, "did you mean --memory?")
    expect(run {"run", "--qiet", "x"}, 2, nil, "did you mean --quiet?")
    expect(run {"hash", "-a", "blake4", "/dev/null"}, 2, nil, "did you mean blake")
    expect(run {"zzzzzzzz"}, 2, nil, "unknown command")
end)

test("values of options are checked", function()
    for _, words in ipairs {{"--memory", "x"}, {"--memory", "-1"}, {"--memory", "0"},
            {"--memory", "1e300"}, {"--memory", "1 XB"}, {"--memory", "0x10M"},
            {"--time-limit", "0"}, {"--time-limit", "nan"}, {"--time-limit", "inf"},
            {"--time-limit", "-2"}, {"--time-limit", "1 fortnight"}, {"--threads", "0"},
            {"--threads", "1025"}, {"--threads", "2x"}, {"--seed", "1.5"},
            {"--seed", "99999999999999999999"}, {"--set", "x"}, {"--set", "=1"},
            {"--set", "a..b=1"}, {"--set", ".a=1"}, {"--set", "a.=1"}, {"--quiet=1"}, {"--json"},
            {"--memory", "64K"}} do
        expect(script("", words), 2)
    end
end)

test("scripts that cannot be opened", function()
    expect(run {"run"}, 2, nil, "which script?")
    expect(run {"run", "/nonexistent/x.lua"}, 2, nil, "No such file")
    expect(run {"run", folder}, 2, nil, "is a directory")
    expect(run {"run", ""}, 2)
    expect(run {"run", "a.lua", "b.lua"}, 2, nil, "come after --")
end)

test("arguments, parameters and the seed", function()
    expect(script("print(arg[0]:match('[^/]+$'), arg[1], arg[2], ...)", {"--", "-x", "y z"}), 0,
        "script.lua\t-x\ty z\t-x\ty z\n")
    expect(script([[
        local host = require "cns.host"
        print(host.seed, host.param("n", 1), host.param("f", 1.5), host.param("t", "x"),
            host.param("b", false), host.param("a.b", 0), host.param("absent", 7),
            math.type(host.param("i", 1.0)), host.params.n, host.params.a.b)
        ]], {"--set", "n=3", "--set", "f=2", "--set", "t=007", "--set", "b=yes", "--set", "a.b=9",
            "--set", "i=4"}), 0, "1\t3\t2.0\t007\ttrue\t9\t7\tfloat\t3\t9\n")
    expect(script("require 'cns.host'.param('n', 1)", {"--set", "n=2.5"}), 1, nil,
        "parameter n: an integer expected, got 2.5")
    expect(script("require 'cns.host'.param('n', false)", {"--set", "n=maybe"}), 1, nil,
        "parameter n: true or false expected, got maybe")
    expect(script("", {"--set", "a=1", "--set", "a.b=2"}), 2, nil, "not a table")
    expect(script("require 'cns.host'.param('scale', 1)", {"--set", "scael=2"}), 0, nil,
        "never asked for --set scael")
    local path = write("random.lua", "print(require 'cns.host'.seed, math.random(1 << 60))")
    local first = run {"run", path}
    local seed = first.err:match("%-%-seed (%-?%d+)")
    assert(seed, "no seed printed")
    assert(run({"run", path, "--seed", seed}).out == first.out, "the seed does not replay")
end)

test("--config", function()
    if not has("yaml") then return "skip" end
    local config = write("config.yaml", "scale: 3\nserver:\n  port: 80\n  name: x\nlist: [1, 2]\n")
    expect(script([[
        local host = require "cns.host"
        print(host.param("scale", 1), host.param("server.port", 1), host.param("server.name", ""),
            #host.param("list", {}))]],
        {"--config", config, "--set", "server.port=81"}), 0, "3\t81\tx\t2\n")
    expect(script("", {"--config", folder .. "/none.yaml"}), 2, nil, "No such file")
    expect(script("", {"--config", write("bad.yaml", "a: [1\n")}), 2, nil, "bad.yaml")
    expect(script("", {"--config", write("list.yaml", "- 1\n")}), 2, nil, "want a map")
    expect(script("", {"--config", write("empty.yaml", "")}), 0)
end)

test("stdin as the script", function()
    expect(run({"run", "-", "--seed", "1"}, {stdin = "print(1 + 1)"}), 0, "2\n")
end)

test("verdicts become exit codes", function()
    for verdict, code in pairs {success = 0, ["check failed"] = 3, ["threshold missed"] = 4,
            inconclusive = 5} do
        expect(script(("require 'cns.host'.verdict(%q)"):format(verdict)), code)
    end
    expect(script("require 'cns.host'.verdict 'fine'"), 1, nil, "bad argument #1")
    expect(script("os.exit(7)"), 7)
    expect(script("os.exit(false)"), 1)
    expect(script("io.write('kept') os.exit(true, true)"), 0, "kept")
    expect(script([[
        local c = require "cns.host".exit_codes
        print(c.limit, c.interrupted, c["script error"], c.usage)]]), 0, "6\t130\t1\t2\n")
end)

-- -------------------------------------------------------------------------------------------------
-- Errors

test("an error shows its line, the neighbours and the traceback", function()
    local r = script("local t = {}\n-- before\nlocal function f(x) return x.y.z end\n-- after\n" ..
        "local r = f(t)\nprint(r)\n")
    expect(r, 1, nil, "script.lua:3: attempt to index a nil value (field 'y')")
    expect(r, 1, nil, "       2 | -- before")
    expect(r, 1, nil, " >     3 | local function f(x) return x.y.z end")
    expect(r, 1, nil, "       5 | local r = f(t)")
    expect(r, 1, nil, "stack traceback:")
    assert(not r.err:find("\27", 1, true), "colours off a terminal")
end)

test("errors with a level, syntax errors, errors in loaded text", function()
    expect(script("local function f()\n  error('no', 2)\nend\n\nf()\n"), 1, nil, " >     5 | f()")
    expect(script("local x = 1\nlocal = 2\n"), 1, nil, " >     2 | local = 2")
    expect(script("load('local a\\nerror(\"inside\")')()"), 1, nil, ' >     2 | error("inside")')
end)

test("odd error values", function()
    expect(script("error(nil)"), 1, nil, "error object is nil")
    expect(script("error()"), 1, nil, "error object is nil")
    expect(script("error({})"), 1, nil, "error object is a table value")
    expect(script("error(setmetatable({}, {__tostring = function() return 'mine' end}))"), 1, nil,
        "mine")
    expect(script("error(setmetatable({}, {__tostring = function() error('x') end}))"), 1, nil,
        "__tostring fails")
    expect(script("error(setmetatable({}, {__tostring = function() return 1 end}))"), 1)
    expect(script("error(setmetatable({}, {__name = {}}))"), 1)
    expect(script("error(io.stdout)"), 1, nil, "file (0x")
    expect(script("error(('x'):rep(1e6))"), 1, nil, "xxx...")
    expect(script("error('\\27[2Jgone\\0hidden')"), 1, nil, "?[2Jgone")
    expect(script("error(print)"), 1, nil, "function value")
    expect(script("error(coroutine.create(print))"), 1, nil, "thread value")
end)

test("deep recursion is an error", function()
    expect(script("local function f() return 1 + f() end f()"), 1, nil, "stack overflow")
    expect(script("local t = setmetatable({}, {}) getmetatable(t).__index = function(_, k) " ..
        "return t[k] end print(t.x)"), 1, nil, "overflow")
    expect(script("print(pcall(string.rep, 'x', -1), load(('('):rep(1e5)))"), 0)
    expect(script("print(pcall(load, ('a='):rep(1e5)))"), 0)
end)

test("errors in __gc are warned of", function()
    expect(script("setmetatable({}, {__gc = function() error('late') end}) collectgarbage()"), 0,
        nil, "late")
    expect(script("x = setmetatable({}, {__gc = function() error('at the end') end})"), 0, nil,
        "at the end")
    expect(script("warn('@off') setmetatable({}, {__gc = error}) collectgarbage() warn('@on')" ..
        " warn('two', ' parts')"), 0, nil, "two parts")
end)

-- -------------------------------------------------------------------------------------------------
-- The guards

test("text chunks only", function()
    expect(script([[
        local code = string.dump(function() return 1 end)
        local path = os.tmpname()
        local file = io.open(path, "wb") file:write(code) file:close()
        local function refused(f, e) assert(not f and tostring(e):find("binary"), e) end
        refused(load(code)) refused(load(code, "x", "b")) refused(load(code, "x", "bt"))
        refused(load(code, nil, nil, {}))
        refused(load(function() local c = code code = nil return c end))
        refused(loadfile(path)) refused(loadfile(path, "b")) refused(loadfile(path, "bt", {}))
        local ok, e = pcall(dofile, path) refused(ok, e)
        package.path = path
        ok, e = pcall(require, "anything") refused(ok, e)
        os.remove(path)
        assert(load("return ...", "n", "bt", {})(5) == 5)
        assert(load("return x", "n", "t", {x = 3})() == 3)
        assert(load("return print")() == print and load("return print", "n", "t", nil))
        assert(not pcall(load("print()", "n", "t", nil)))
        print(select(2, load("x x", "=name")))]]), 0, "name:1: syntax error near 'x'")
    local path = write("binary.lua", string.dump(function() return 1 end))
    expect(run {"run", path}, 1, nil, "binary")
    write("yields.lua", "return coroutine.yield(1) + 1")
    expect(script("local w = coroutine.wrap(function() return dofile(arg[1]) end) print(w(), w(5))",
        {"--", folder .. "/yields.lua"}), 0, "1\t6\n")
end)

test("debug cannot reach into C", function()
    expect(script([[
        local function no(...)
            local ok, e = pcall(...)
            assert(not ok and e:find("protected"), e)
        end
        no(debug.setmetatable, io.stdout, {})
        no(debug.setuservalue, io.stdout, 1)
        no(debug.setupvalue, ("x"):gmatch("x"), 3, nil)
        no(debug.getupvalue, ("x"):gmatch("x"), 3)
        table.sort({1, 2}, function(a, b) no(debug.setlocal, 4, 1, nil) no(debug.getlocal, 4, 1)
            no(debug.getlocal, "4", 1) return a < b end)
        assert(debug.getregistry == nil)
        local here = 5
        local name, value = debug.getlocal(1, 2)
        assert(name == "here" and value == 5, name)
        debug.setlocal(1, 2, 6)
        assert(here == 6)
        assert(debug.setmetatable(10, {__index = {x = 1}}) == 10 and (1).x == 1)
        print(debug.getlocal(function(first) end, 1))]]), 0, "first")
end)

test("coroutines behave as Lua's own", function()
    local expected = io.popen("lua5.4 " .. quote(here .. "/coroutine_trace.lua")):read("a")
    if expected == "" then return "skip" end
    local r = run {"run", here .. "/coroutine_trace.lua", "--seed", "1"}
    expect(r, 0)
    local function plain(text) -- Lua 5.4.6 says "coroutine expected", 5.4.4 "thread expected"
        text = text:gsub("[^\n:]*coroutine_trace.lua", "trace")
        return (text:gsub("coroutine expected", "thread expected"))
    end
    if plain(r.out) ~= plain(expected) then
        write("expected", plain(expected))
        write("got", plain(r.out))
        error(io.popen(("cd %s && diff expected got"):format(quote(folder))):read("a"))
    end
end)

-- -------------------------------------------------------------------------------------------------
-- Limits

local swallowing = {
    ["a loop"] = "while true do end",
    ["pcall"] = "while true do pcall(function() while true do end end) end",
    ["xpcall"] = "while true do xpcall(function() while true do end end, function() end) end",
    ["a looping handler"] = [[
        xpcall(function() while true do end end, function() while true do end end)]],
    ["a coroutine"] = [[coroutine.wrap(function()
        while true do pcall(function() while true do end end) end end)()]],
    ["many coroutines"] = [[while true do
        local co = coroutine.create(function() while true do coroutine.yield() end end)
        for _ = 1, 100 do pcall(coroutine.resume, co) end end]],
    ["nested coroutines"] = [[local function nest(n)
        while true do pcall(coroutine.wrap(function()
            if n > 0 then nest(n - 1) end while true do end end)) end end nest(20)]],
    ["coroutine.close"] = [[while true do
        local co = coroutine.create(function()
            local x <close> = setmetatable({}, {__close = function() while true do end end})
            coroutine.yield() end)
        coroutine.resume(co) pcall(coroutine.close, co) end]],
    ["__close"] = [[while true do pcall(function()
        local x <close> = setmetatable({}, {__close = function() while true do end end}) end) end]],
    ["__gc"] = [[setmetatable({}, {__gc = function() while true do end end})
        collectgarbage() while true do end]],
    ["__gc at the end"] = "x = setmetatable({}, {__gc = function() while true do end end})",
    ["debug.sethook"] = [[
        while true do pcall(function() while true do debug.sethook() end end) end]],
    ["a hook"] = "debug.sethook(function() while true do end end, '', 1) local x = 1 print(x)",
    ["a pattern"] = "string.find(('a'):rep(200), ('a-'):rep(9) .. 'b')",
    ["a swallowed pattern"] = [[
        while true do pcall(string.find, ('a'):rep(200), ('a-'):rep(9) .. 'b') end]],
    ["a sort"] = [[local t = {} for i = 1, 1e6 do t[i] = i % 1000 end
        while true do table.sort(t) table.sort(t, function(a, b) return a > b end) end]],
    ["a kernel"] = [[local k = require 'cns'.jit(function(x) while true do x = x + 1 end end)
        while true do pcall(k, 1) end]],
    ["a native kernel"] = [[local k = require 'cns'.jit(function(x) while true do x = x + 1 end end,
        {wait = true}) while true do pcall(k, 1) end]],
    ["a native kernel's groups"] = [[local cns = require 'cns'
        local k = cns.jit(function(x) for i = 1, #x do
            local v = x[i] while v > 0 do v = v + 1.0 end x[i] = v end end, {wait = true})
        local x = cns.buffer('f64', 100):fill(1) while true do pcall(k, x) end]],
    ["a native parallel loop"] = [[local cns = require 'cns'
        local k = cns.jit(function(x) for i in cns.prange(#x) do
            local v = x[i] while v > 0 do v = v + 1.0 end x[i] = v end end, {wait = true})
        local x = cns.buffer('f64', 5000):fill(1) while true do pcall(k, x) end]],
    ["a kernel in a task"] = [[local cns = require 'cns'
        local k = cns.jit(function(x) while true do x = x * 0.5 end end)
        while true do pcall(function() cns.tasks.default():spawn(k, 1):await() end) end]],
    ["a child"] = "while true do os.execute('sleep 50') end",
    ["a pipe"] = "local p = io.popen('sleep 50') while true do p:read('a') end",
    ["metamethods"] = [[local t = setmetatable({}, {__index = function(t, k)
        while true do end end}) while true do pcall(function() return t.x end) end]],
}

local names = {}
for name in pairs(swallowing) do names[#names + 1] = name end
table.sort(names)

for _, name in ipairs(names) do
    test("time limit: " .. name, function()
        local text = "require 'cns.host'.publish('\"state\"')\n" .. swallowing[name]
        os.remove(report_path)
        local r = script(text, {"--time-limit", "0.3", "--json", report_path}, {env = own_report})
        expect(r, 6)
        if name ~= "__gc at the end" then -- it had ended well: no partial report then
            expect(r, 6, nil, "time limit of 0.3 s reached")
            local report = read(report_path) or "no report"
            assert(report:find("^partial limit \"state\" .*time limit"), report)
        end
    end)
end

for _, name in ipairs(names) do
    test("Ctrl-C: " .. name, function()
        if not signals then return "skip" end
        for i = 1, 2 do
            local marker = folder .. "/marker"
            os.remove(report_path)
            os.remove(marker)
            local text = ("require 'cns.host'.publish('\"state\"') io.open(%q, 'w'):close()\n")
                :format(marker) .. swallowing[name]
            local r = script(text, {"--json", report_path}, {env = own_report,
                signal = i == 1 and "INT" or "TERM", after = slow * (0.02 + 0.2 * random())})
            if i == 2 and not read(marker) then
                assert(r.code == 143 or r.code == 130, r.code) -- before the handlers were there
            else
                expect(r, 130)
            end
            if read(marker) and name ~= "__gc at the end" then
                local report = read(report_path) or "no report: " .. r.err
                assert(report:find("^partial interrupted \"state\" .*interrupted"), report)
            end
        end
    end)
end

-- Reading pages that were never written takes time but no memory: these calls would take longer
-- than the watchdog's grace.
test("long C calls are broken off, and the report is an ordinary one", function()
    if slow > 1 then return "skip" end
    for _, call in ipairs {"hash.blake2b(b)", "hash.new('blake2b'):update(b)"} do
        local result = script("require 'cns.host'.publish('\"state\"') " ..
            "local cns = require 'cns' local b = cns.buffer('u8', 1 << 33) cns." .. call,
            {"--time-limit", "0.3"}, {env = own_report})
        expect(result, 6, nil, "time limit")
        assert(not result.err:find("could not be broken off", 1, true), call .. result.err)
    end
end)

test("a report that hangs or fails does not hold the process", function()
    if signals then
        expect(script("require 'cns.host'.publish('\"slow\"') while true do end",
            {"--time-limit", "0.1"}, {env = own_report}), 6)
    end
    expect(script("require 'cns.host'.publish('\"bad\"') error('first')", {}, {env = own_report}),
        1, nil, "no partial report: ")
    expect(script("error('first')", {"--json", report_path}, {env = own_report}), 1, nil,
        "published nothing")
end)

test("a script error leaves a partial report", function()
    expect(script("require 'cns.host'.publish('\"state\"') error('why', 0)",
        {"--json", report_path}, {env = own_report}), 1, nil, "script error: why")
    assert(read(report_path) == 'partial script error "state" why', read(report_path))
end)

test("memory limit", function()
    local limit = {"--memory", "32M", "--time-limit", tostring(20 * slow)}
    expect(script("local s = 'x' while true do s = s .. s end", limit), 6, nil, "memory limit")
    expect(script("string.rep('x', 1 << 30)", limit), 6, nil, "memory")
    expect(script("string.rep('x', 1 << 29, ',')", limit), 6, nil, "memory")
    expect(script("local t = {} for i = 1, 1e9 do t[i] = i end", limit), 6, nil, "memory limit")
    expect(script("local t = {} while true do t = {t} end", limit), 6, nil, "memory limit")
    expect(script("local t = {} for i = 1, 1e9 do t[i] = coroutine.create(print) end", limit), 6)
    expect(script("('x'):rep(1 << 20):gsub('.', function() return ('y'):rep(1 << 16) end)",
        limit), 6)
    expect(script("local t = {__index = function() return ('x'):rep(1e6) end} " ..
        "table.concat(setmetatable({}, t), '', 1, 1e9)", limit), 6)
    expect(script("coroutine.wrap(function() local s = 'x' while true do s = s .. s end end)()",
        limit), 6, nil, "memory limit")
    expect(script("error(string.rep('x', 1 << 30))", limit), 6)
    expect(script([[
        for _ = 1, tonumber(arg[1]) do
            local kept = {}
            local ok, e = pcall(function()
                while true do kept[#kept + 1] = ('x'):rep(1 << 20) .. #kept end end)
            assert(not ok and e == "not enough memory", e)
        end
        print("went on")]], {"--memory", "32M", "--", slow > 1 and "2" or "20"}), 0, "went on")
    expect(script("local t = {} while true do pcall(function() t[#t + 1] = ('x'):rep(1e5) end) end",
        {"--memory", "8M", "--time-limit", "0.5"}), 6, nil, "time limit")
    expect(script("print(require 'cns.host'.memory_limit)", limit), 0, tostring(32 << 20))
end)

-- What a script says is not what happened, and what happened is not lost in how it is told.
test("the verdict on memory comes from the failure, not from its text", function()
    local limit = {"--memory", "32M"}
    for _, text in ipairs {
        "error('not enough memory')", "error('not enough memory', 0)", "error('memory limit')",
        "error('9 bytes would pass the memory limit (1 of 2 bytes are held)')",
        "print('not enough memory') error('other')", "error({message = 'not enough memory'})",
        "require 'cns'.tasks.default():spawn(function() error('not enough memory', 0) end):await()",
        "require 'cns'.heap {budget = 1 << 16}:alloc(1 << 20)",
        "require 'cns'.arena {limit = 1 << 16}:alloc(1 << 20)",
        "local p = require 'cns'.pool({{'x', 'u8'}}, {capacity = 1}) p:new() p:new()",
    } do
        expect(script(text, limit), 1, nil, "script error")
        expect(script("pcall(string.rep, 'x', 1 << 30) " ..
            "pcall(require 'cns'.buffer, 'u8', 1 << 30) error('memory limit')", limit), 1)
    end
    for _, text in ipairs {
        "require 'cns'.buffer('u8', 1 << 30)", "require 'cns'.heap():alloc(1 << 30)",
        "local b = require 'cns'.heap():alloc(8) b:resize(1 << 30)",
        "require 'cns'.arena():alloc(1 << 30)",
        "local ok, e = pcall(require 'cns'.buffer, 'u8', 1 << 30) error('wrapped: ' .. e, 0)",
        "local ok, e = pcall(string.rep, 'x', 1 << 30) error(e, 0)",
        "coroutine.wrap(function() require 'cns'.buffer('u8', 1 << 30) end)()",
        "require 'cns'.tasks.default():spawn(function() ('x'):rep(1 << 30) end):await()",
        "require 'cns'.tasks.default():spawn(function() require 'cns'.buffer('u8', 1 << 30) end)" ..
            ":await()",
        "require 'cns'.tasks.default():map({1}, function() return ('x'):rep(1 << 30) end)",
        "require 'cns'.tasks.default():graph():add('a', function() ('x'):rep(1 << 30) end):run()",
        "require 'cns'.tasks.default():spawn(function() require 'cns'.tasks.default():spawn(" ..
            "function() ('x'):rep(1 << 30) end):await() end):await()",
    } do
        local result = script(text, limit)
        if result.code ~= 6 then print(text) end
        expect(result, 6, nil, "memory limit")
    end
end)

test("tasks: limits reach the workers", function()
    if not has("tasks") then return "skip" end
    local spin = [[
        require "cns.host".publish('"state"')
        local pool = require "cns".tasks.default()
        local futures = {}
        for i = 1, 8 do futures[i] = pool:spawn(function()
            while true do pcall(function() while true do end end) end end) end
        while true do pcall(function() pool:await_all(futures) end) end]]
    os.remove(report_path)
    expect(script(spin, {"--time-limit", "0.4", "--threads", "4", "--json", report_path},
        {env = own_report}), 6)
    assert((read(report_path) or ""):find("partial limit", 1, true))
    if signals then
        expect(script(spin, {"--threads", "4"}, {env = own_report, signal = "INT", after = slow}),
            130)
    end
    -- A task with a token of its own runs under the module's hook, which must let the stop through.
    for _, options in ipairs {"cancel = require 'cns'.tasks.cancel()", "deadline = 60"} do
        local own = ([[
            require "cns.host".publish('"state"')
            local pool, futures = require "cns".tasks.default(), {}
            for i = 1, 4 do futures[i] = pool:spawn_with({%s}, function()
                local turn = coroutine.wrap(function() while true do pcall(coroutine.yield) end end)
                while true do pcall(function() while true do turn() end end) end end) end
            while true do pcall(function() pool:await_all(futures) end) end]]):format(options)
        os.remove(report_path)
        expect(script(own, {"--time-limit", "0.4", "--threads", "2", "--json", report_path},
            {env = own_report}), 6, nil, "time limit")
        if signals then
            os.remove(report_path)
            local result = script(own, {"--threads", "2", "--json", report_path},
                {env = own_report, signal = "INT", after = slow})
            expect(result, 130)
            assert((read(report_path) or ""):find("partial interrupted", 1, true))
            assert(not result.err:find("could not be broken off", 1, true), result.err)
        end
    end
    expect(script([[
        local pool = require "cns".tasks.default()
        pool:spawn(function() local s = "x" while true do s = s .. s end end):await()]],
        {"--memory", "64M", "--time-limit", "20"}), 6, nil, "memory")
    expect(script([[
        local pool = require "cns".tasks.default()
        pool:spawn(function() string.find(("a"):rep(200), ("a-"):rep(9) .. "b") end):await()]],
        {"--time-limit", "0.3"}), 6)
    expect(script([[
        local pool = require "cns".tasks.default()
        local f = pool:spawn(function() return require "cns.host".seed, load(string.dump(print and
            function() end)) end)
        print(f:await())]], {}), 0, "1\tnil")
    expect(script([[
        require "cns".tasks.default():spawn(function() require "cns.host".verdict("success") end)
            :await()]], {}), 1, nil, "main script only")
end)

-- -------------------------------------------------------------------------------------------------
-- Output

test("output that is lost is not a success", function()
    for _, text in ipairs {"print('x')", "io.write(('x'):rep(1e5))", "print('x') os.exit(0)"} do
        expect(script(text, {}, {redirect = ">/dev/full"}), 1, nil, "output was lost")
        expect(script(text, {}, {redirect = ">&-"}), 1, nil, "output was lost")
    end
    expect(script("require 'cns.host'.verdict('check failed') print('x')", {},
        {redirect = ">/dev/full"}), 3, nil, "output was lost")
    expect(run({"hash", "/dev/null"}, {redirect = ">/dev/full"}), 1, nil, "output was lost")
    expect(run({"version"}, {redirect = ">/dev/full"}), 1, nil, "output was lost")
    expect(script("local x = io.open(arg[1], 'w') x:write('kept') x:close()",
        {"--", folder .. "/kept"}, {redirect = ">&-"}), 0)
    assert(read(folder .. "/kept") == "kept")
end)

test("progress goes to stderr, and not with --quiet", function()
    local text = "local h = require 'cns.host' h.status('half\\nway') h.status() print(h.progress)"
    local r = script(text)
    expect(r, 0, "false\n", "half way\n")
    assert(not r.err:find("\r", 1, true) and not r.err:find("\27", 1, true))
    assert(not script(text, {"--quiet"}).err:find("half", 1, true))
end)

-- -------------------------------------------------------------------------------------------------
-- hash, doctor, repl

local function shell(line)
    local pipe <close> = io.popen("cd " .. quote(folder) .. " && " .. line .. " 2>/dev/null")
    return pipe:read("a")
end

test("hash agrees with b3sum and b2sum", function()
    local text = {}
    for i = 1, 20000 do text[i] = ("line %d\n"):format(i) end
    write("one", table.concat(text))
    write("empty", "")
    write("odd \\ name\nwith newline", "x")
    local files = "one empty 'odd \\ name\nwith newline'"
    local mine = shell(quote(command) .. " hash " .. files)
    local theirs = shell("b3sum " .. files)
    assert(select(2, mine:gsub("\n", "")) == 3, mine)
    if theirs ~= "" then assert(mine == theirs, mine .. theirs) end
    theirs = shell("b2sum -l 256 " .. files)
    mine = shell(quote(command) .. " hash -a blake2b -l 32 " .. files)
    if theirs ~= "" then assert(mine == theirs, mine .. theirs) end
    assert(shell(quote(command) .. " hash --no-names < one") ==
        shell(quote(command) .. " hash --no-names one"))
    assert(#shell(quote(command) .. " hash --raw -l 100 one") == 100)
end)

test("hash --check", function()
    write("a", "a")
    write("b\nb", "b")
    local forms = {"", "--tag", "--tag -a blake2b -l 20", "-a xxh3-64", "--tag -a crc32c"}
    for _, form in ipairs(forms) do
        write("list", shell(quote(command) .. " hash " .. form .. " a 'b\nb'"))
        local words = {"hash", "--check"}
        if form == "-a xxh3-64" then words = {"hash", "--check", "-a", "xxh3-64"} end
        words[#words + 1] = "list"
        local r = run(words)
        expect(r, 0, "a: OK\n")
        expect(r, 0, "\\b\\nb: OK\n")
    end
    write("list", shell(quote(command) .. " hash a 'b\nb'"))
    expect(run({"hash", "-c"}, {stdin = read(folder .. "/list")}), 0, "a: OK")
    write("a", "changed")
    expect(run {"hash", "-c", "list"}, 3, "a: FAILED\n", "1 digest did NOT match")
    os.remove(folder .. "/a")
    expect(run {"hash", "-c", "list"}, 3, "a: FAILED (", "could not be read")
    write("list", "nonsense\n")
    expect(run {"hash", "-c", "list"}, 3, nil, "list:1: not a line with a digest")
    write("list", "")
    expect(run {"hash", "-c", "list"}, 3, nil, "no digests")
    write("list", ("0"):rep(63) .. "  a\n" .. "BLAKE3 (a = 00\n(a) = 00\n\\00  a\\x\n00  \n")
    expect(run {"hash", "-c", "list"}, 3, nil, "5 lines are no digest")
    expect(run {"hash", "-c", "absent"}, 1, nil, "No such file")
end)

test("hash: errors and keys", function()
    write("a", "a")
    expect(run {"hash", "absent", "a", "/"}, 1, "  a\n", "absent")
    expect(run {"hash", "/"}, 1, nil, "directory")
    expect(run {"hash", "-a", "siphash24", "a"}, 2, nil, "needs a key")
    expect(run {"hash", "-a", "siphash24", "--key-file", write("key", "short"), "a"}, 2)
    expect(run {"hash", "-a", "siphash24", "--key-file", write("key", ("k"):rep(16)), "a"}, 0)
    expect(run {"hash", "--key-file", write("key", ("k"):rep(32)), "a"}, 0)
    expect(run {"hash", "--key-file", write("key", ("k"):rep(66)), "a"}, 2)
    expect(run {"hash", "-a", "blake2b", "-l", "65", "a"}, 2, nil, "64")
    expect(run {"hash", "-a", "crc32c", "-l", "8", "a"}, 2)
    expect(run {"hash", "--raw", "a", "a"}, 2)
end)

test("cache: info and clear", function()
    local place = folder .. "/code"
    local env = "CNS_CACHE=" .. quote(place)
    local r = run({"cache", "info"}, {env = env})
    expect(r, 0, "folder   " .. place .. "\nkernels  0\nsize     0 bytes of at most 256.0 MiB\n")
    local text = 'local k = require "cns".jit(function(x) return x + 1 end, {wait = true}) '
        .. "print(k(1), k:tier(), k:stats().cached)"
    local native = script(text, nil, {env = env}).out:find("native", 1, true)
    if native then
        expect(script(text, nil, {env = env}), 0, "2\tnative\ttrue\n")
        expect(run({"cache", "info"}, {env = env}), 0, "kernels  1\nsize     4.0 KiB of")
        expect(run({"doctor"}, {env = env}), 0,
            "code cache    1 kernels, 4.0 KiB of at most 256.0 MiB")
        expect(run({"cache", "clear"}, {env = env}), 0, "removed 1 kernels, 4.0 KiB\n")
        expect(script(text, nil, {env = env}), 0, "2\tnative\tfalse\n")
        os.execute("chmod go+w " .. quote(place))
        expect(script(text, nil, {env = env}), 0, "2\tnative\tfalse\n")
        expect(run({"cache", "info"}, {env = env}), 1,
            "unused   " .. place .. ": others may write to it\n")
        expect(run({"cache", "clear"}, {env = env}), 1, "removed 0", "others may write to it")
        expect(run({"doctor"}, {env = env}), 0, "unused, kernels are compiled in each process")
    end
    expect(run({"cache", "info"}, {env = env .. " CNS_CACHE_LIMIT=1MiB"}),
        native and 1 or 0, "of at most 1.0 MiB")
    expect(run({"cache", "info"}, {env = env .. " CNS_CACHE_LIMIT=much"}), 0,
        'off      CNS_CACHE_LIMIT is no size such as "64 MiB"')
    expect(run({"cache", "info"}, {env = "CNS_CACHE="}), 0, "off      CNS_CACHE is empty")
    expect(run({"cache", "clear"}, {env = "CNS_CACHE="}), 0, "off: CNS_CACHE is empty")
    expect(run({"cache", "info"}, {env = "CNS_CACHE=x"}), 0, "off      CNS_CACHE is no full path")
    local home = "env -u CNS_CACHE -u XDG_CACHE_HOME HOME=" .. quote(folder)
    expect(run({"cache", "info"}, {env = home}), 0, "folder   " .. folder .. "/.cache/cnsengine\n")
    expect(run({"cache", "info"}, {env = "env -u CNS_CACHE XDG_CACHE_HOME=" .. quote(folder)}), 0,
        "folder   " .. folder .. "/cnsengine\n")
    expect(run({"cache", "info"}, {env = "env -u CNS_CACHE -u XDG_CACHE_HOME -u HOME"}), 0,
        "off      none of CNS_CACHE, XDG_CACHE_HOME and HOME names a folder")
    expect(run {"cache"}, 2, nil, "info or clear?")
    expect(run {"cache", "show"}, 2, nil, "'show' is neither info nor clear")
    expect(run {"cache", "info", "more"}, 2, nil, "unexpected argument 'more'")
end)

test("doctor fits 80 columns and names what it cannot tell", function()
    local r = run {"doctor"}
    expect(r, 0, "\nNoise (measured for ")
    for line in r.out:gmatch("[^\n]+") do assert(#line <= 80, line) end
    assert(r.out:find("A/A") and r.out:find("stdlib") and r.out:find("counters"))
    expect(run({"doctor"}, {env = "CNS_STDLIB=/nonexistent"}), 1, "MISSING")
end)

test("repl reads a pipe", function()
    local function repl(text) return run({"repl"}, {stdin = text}) end
    expect(repl("1 + 1, 'x'\nfunction f(a)\n  return a * 2\nend\nf(21)\n"), 0, "2\nx\n42\n")
    expect(repl("{1, 2, x = 'y'}\n"), 0, '{1, 2, x = "y"}\n')
    expect(repl("error('oops')\n7\n"), 1, "7\n", "oops")
    expect(repl("x = = 1\n8\n"), 1, "8\n", "unexpected symbol")
    expect(repl("for i = 1, 2 do\n"), 1, nil, "not complete")
    expect(repl("cns.version\nrequire 'cns' == cns\n"), 0, "true\n")
    expect(repl("setmetatable({}, {__tostring = function() error('t') end})\n9\n"), 1, "9\n")
    expect(run({"repl", "--memory", "16M"}, {stdin = "s = ('x'):rep(1 << 30)\n'on'\n"}), 1, "on\n",
        "memory limit")
    expect(run {"repl", "x"}, 2)
end)

scratch.remove()
print(("%d passed, %d failed, %d skipped"):format(passed, failed, skipped))
os.exit(failed == 0 and passed > 0)
