-- SPDX-License-Identifier: MIT
--
-- test_solve.lua - `cnsengine solve` as a process: options, output, exit codes, limits, files that
-- no compiler wrote.
--
--     lua5.4 test_solve.lua PATH/TO/cnsengine [PATTERN]
--
-- Every run is under coreutils' timeout: one that should have ended and did not is a failure.

local pattern = arg[2] or ""
package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. package.path
local scratch = require "scratch"
local folder, write, quote = scratch.folder, scratch.write, scratch.quote
local command = scratch.absolute(arg[1])
local slow = tonumber(os.getenv("CNS_TEST_SLOW") or "1") -- sanitizers
local signals = not os.getenv("CNS_TEST_NO_SIGNALS")

-- -------------------------------------------------------------------------------------------------
-- Tools

local function read(path)
    return scratch.read(path) or ""
end

local function shell(line)
    local code = scratch.shell(line)
    return {code = code, out = read(folder .. "/out"), err = read(folder .. "/err")}
end

---Runs `solve` with words on a file. signal, after: what to send, and when (seconds).
local function solve(words, file, options)
    options = options or {}
    os.remove(folder .. "/out")
    local limit = options.signal and ("-s %s %.3f"):format(options.signal, options.after) or
        "-s KILL 60"
    return shell(("timeout -k 20 --foreground --preserve-status %s %s solve %s %s %s 2>err"):format(
        limit, quote(command), words, quote(file), options.redirect or ">out"))
end

local function fail(format, ...)
    error(format:format(...), 3)
end

local function expect(result, code, out, err)
    if result.code ~= code then
        fail("exit code %s, expected %d\nout: %s\nerr: %s", result.code, code,
            result.out:sub(1, 2000), result.err:sub(1, 2000))
    end
    if out and result.out ~= out then fail("printed\n%s\nexpected\n%s", result.out, out) end
    if err and not result.err:find(err, 1, true) then
        fail("stderr lacks %q:\n%s", err, result.err:sub(1, 2000))
    end
end

local function count(text, what)
    local n = 0
    for _ in text:gmatch(what) do n = n + 1 end
    return n
end

local tests = {}
local function test(name, fn) tests[#tests + 1] = {name, fn} end

-- A file is made once: text, or a function that gives it.
local function model(name, text)
    return write(name, text)
end

local small = model("small.fzn", [[
var 1..3: x :: output_var;
var 1..3: y :: output_var;
constraint int_lt(x, y);
solve :: int_search([x, y], input_order, indomain_min, complete) satisfy;
]])
local best = model("best.fzn", [[
var 0..20: x :: output_var;
var bool: b :: output_var;
array [1..2] of var int: a :: output_array([0..1]) = [x, 7];
constraint int_le_reif(x, 10, b);
solve :: int_search([x], input_order, indomain_min, complete) maximize x;
]])

-- Pigeons: n + 1 in n holes, as clauses; exponential for resolution.
local function pigeons(holes)
    local lines = {}
    for p = 0, holes do
        local one = {}
        for h = 1, holes do one[h] = tostring(p * holes + h) end
        lines[#lines + 1] = table.concat(one, " ") .. " 0"
        for q = 0, p - 1 do
            for h = 1, holes do
                lines[#lines + 1] = ("-%d -%d 0"):format(p * holes + h, q * holes + h)
            end
        end
    end
    return ("p cnf %d %d\n%s\n"):format((holes + 1) * holes, #lines, table.concat(lines, "\n"))
end

-- The same in FlatZinc, with an objective of no consequence that has a first solution: hole 0
-- takes as many as like to, and as few as possible are wanted there.
local function hard(holes)
    local lines, terms = {}, {}
    for p = 0, holes do
        for h = 0, holes do lines[#lines + 1] = ("var bool: x%d_%d;"):format(p, h) end
        lines[#lines + 1] = ("var 0..1: z%d;"):format(p)
    end
    lines[#lines + 1] = ("var 0..%d: cost :: output_var;"):format(holes + 1)
    for p = 0, holes do
        local one = {}
        for h = 0, holes do one[#one + 1] = ("x%d_%d"):format(p, h) end
        lines[#lines + 1] = ("constraint bool_clause([%s], []);"):format(table.concat(one, ","))
        lines[#lines + 1] = ("constraint bool2int(x%d_0, z%d);"):format(p, p)
        terms[#terms + 1] = "z" .. p
        for q = 0, p - 1 do
            for h = 1, holes do
                lines[#lines + 1] = ("constraint bool_clause([], [x%d_%d, x%d_%d]);"):format(p, h,
                    q, h)
            end
        end
    end
    lines[#lines + 1] = ("constraint int_lin_eq([%s-1], [%s, cost], 0);"):format(
        ("1,"):rep(#terms), table.concat(terms, ","))
    lines[#lines + 1] = "solve minimize cost;"
    return table.concat(lines, "\n") .. "\n"
end
local endless = model("endless.fzn", hard(14))
local endless_cnf = model("endless.cnf", pigeons(13))

-- -------------------------------------------------------------------------------------------------
-- Solutions

test("satisfaction: the first solution, N of them, all", function()
    expect(solve("", small), 0, "x = 1;\ny = 2;\n----------\n", "")
    expect(solve("-n 2", small), 0, "x = 1;\ny = 2;\n----------\nx = 1;\ny = 3;\n----------\n")
    local all = solve("-a", small)
    expect(all, 0)
    assert(count(all.out, "%-%-%-%-%-%-%-%-%-%-\n") == 3 and all.out:find "\n==========\n$")
    assert(solve("--all-solutions", small).out == all.out)
    expect(solve("-n 9", small), 0, all.out)
    assert(all.err == "")
end)

test("optimisation: the best, each better one", function()
    local last = "x = 20;\nb = false;\na = array1d(0..1, [20, 7]);\n----------\n==========\n"
    expect(solve("", best), 0, last)
    for _, option in ipairs {"-i", "-a", "--intermediate"} do
        local result = solve(option, best)
        expect(result, 0)
        local before = -1
        for x in result.out:gmatch "x = (%d+)" do
            assert(tonumber(x) > before, result.out)
            before = tonumber(x)
        end
        assert(result.out:sub(-#last) == last, result.out)
    end
    local one = solve("-n 1", best)
    expect(one, 0)
    assert(count(one.out, "%-%-%-%-%-%-%-%-%-%-") == 1)
    assert(solve("-f", best).out == last and solve("-p 2", best).out == last)
end)

test("no solution", function()
    local never = model("never.fzn", "var 1..2: x :: output_var;\nconstraint int_lt(x, x);\n" ..
        "solve satisfy;\n")
    for _, options in ipairs {"", "-a", "-f", "-p 2", "-n 3"} do
        expect(solve(options, never), 0, "=====UNSATISFIABLE=====\n")
    end
    expect(solve("", model("holes.fzn", "var {}: x;\nsolve maximize x;\n")), 0,
        "=====UNSATISFIABLE=====\n")
end)

test("no variable", function()
    local none = model("none.fzn", "solve satisfy;\n")
    expect(solve("-a", none), 0, "----------\n==========\n")
    expect(solve("", model("nonsense.fzn", "constraint bool_clause([], []);\nsolve satisfy;\n")),
        0, "=====UNSATISFIABLE=====\n")
end)

test("what is printed", function()
    expect(solve("", model("print.fzn", [[
array [1..2] of int: c = [3, -4];
var bool: b :: output_var = true;
var -5..-5: n :: output_var;
var 1..9: hidden;
array [1..4] of var int: m :: output_array([1..2, 5..6]) = [n, 1, n, 2];
array [1..2] of var bool: f :: output_array([0..1]) = [b, false];
array [1..0] of var int: e :: output_array([1..0]) = [];
solve satisfy;
]])), 0, [[
b = true;
n = -5;
m = array2d(1..2, 5..6, [-5, 1, -5, 2]);
f = array1d(0..1, [true, false]);
e = array1d(1..0, []);
----------
]])
end)

test("statistics", function()
    local result = solve("-s -a", best)
    expect(result, 0)
    local tail = result.out:match "==========\n(.*)$"
    assert(tail and tail:find "%%%%%%mzn%-stat%-end\n$", result.out)
    local seen = {}
    for line in tail:gmatch "[^\n]+" do
        local name, value = line:match "^%%%%%%mzn%-stat: (%a+)=(.*)$"
        assert(name or line == "%%%mzn-stat-end", line)
        if name then
            assert(tonumber(value) and not seen[name], line)
            seen[name] = tonumber(value)
        end
    end
    -- The names are those of MiniZinc's documentation.
    for _, name in ipairs {"nodes", "failures", "restarts", "variables", "intVars", "propagators",
        "propagations", "peakDepth", "nogoods", "peakMem", "initTime", "solveTime", "solutions",
        "objective", "objectiveBound", "randomSeed"} do
        assert(seen[name], name)
    end
    assert(seen.objective == 20 and seen.objectiveBound == 20 and seen.solutions >= 1)
    assert(solve("-s -r 42", small).out:find "randomSeed=42\n")
    assert(not solve("-s", small).out:find "objective=")
end)

test("the same seed, the same output", function()
    local queens = {}
    for k = 1, 12 do queens[#queens + 1] = ("var 1..12: q%d :: output_var;"):format(k) end
    for a = 1, 12 do
        for b = a + 1, 12 do
            for d = -1, 1 do
                queens[#queens + 1] = ("constraint int_lin_ne([1,-1],[q%d,q%d],%d);"):format(a, b,
                    d * (b - a))
            end
        end
    end
    queens[#queens + 1] = "solve satisfy;\n"
    local path = model("queens.fzn", table.concat(queens, "\n"))
    for _, options in ipairs {"-r 1 -f -n 5", "-r 2 -f -n 5", "-r -7"} do
        local first = solve(options, path)
        expect(first, 0)
        assert(solve(options, path).out == first.out)
    end
end)

test("verbose goes to stderr", function()
    local result = solve("-v", best)
    expect(result, 0, solve("", best).out, "% loaded in ")
end)

-- -------------------------------------------------------------------------------------------------
-- Annotations

test("all search annotations", function()
    local variables = {"input_order", "first_fail", "anti_first_fail", "smallest", "largest",
        "occurrence", "most_constrained", "max_regret", "dom_w_deg"}
    local values = {"indomain_min", "indomain_max", "indomain_middle", "indomain_median",
        "indomain", "indomain_random", "indomain_split", "indomain_reverse_split",
        "indomain_interval", "outdomain_min", "outdomain_max"}
    local text = "var 1..3: x :: output_var;\nvar bool: b :: output_var;\nsolve :: %s satisfy;\n"
    for k = 1, 11 do
        local int = ("int_search([x], %s, %s, complete)"):format(variables[k % 9 + 1], values[k])
        local bool = ("bool_search([b], %s, %s, complete)"):format(variables[(k + 4) % 9 + 1],
            values[(k + 5) % 11 + 1])
        local all = solve("-a", model("search.fzn", text:format(("seq_search([%s, %s])"):format(int,
            bool))))
        expect(all, 0)
        assert(count(all.out, "%-%-%-%-%-%-%-%-%-%-") == 6 and all.err == "", all.err)
    end
    local first = solve("", model("max.fzn", text:format
        "int_search([x], input_order, indomain_max)"))
    assert(first.out:find "x = 3", first.out)
    for _, restart in ipairs {"restart_none", "restart_constant(10)", "restart_linear(10)",
        "restart_luby(10)", "restart_geometric(1.5, 10)"} do
        local result = solve("-a", model("restart.fzn", text:format(restart)))
        expect(result, 0)
        assert(result.err == "" and count(result.out, "%-%-%-%-%-%-%-%-%-%-") == 6, result.err)
    end
    local unknown = solve("-a", model("unknown.fzn", text:format "my_search([x], whatever)"))
    assert(unknown.code == 0 and count(unknown.out, "%-%-%-%-%-%-%-%-%-%-") == 6)
end)

test("warm starts", function()
    local text = "var 1..9: x :: output_var;\nvar bool: b :: output_var;\nsolve :: %s satisfy;\n"
    for _, hint in ipairs {"warm_start([x], [7])", "warm_start_int([x], [7])",
        "warm_start_array([warm_start_int([x], [7]), warm_start_bool([b], [true])])"} do
        local result = solve("", model("warm.fzn", text:format(hint)))
        expect(result, 0)
        assert(result.out:find "x = 7;" and result.err == "", hint .. result.out .. result.err)
    end
end)

-- -------------------------------------------------------------------------------------------------
-- Limits

local function seconds(fn)
    local function now()
        return tonumber(io.popen("date +%s%N"):read "l") / 1e9
    end
    local before = now()
    local result = fn()
    return now() - before, result
end

test("the time limit, and what was found before it", function()
    local spent, result = seconds(function() return solve("-t 500", endless) end)
    expect(result, 0)
    assert(result.out:find "^cost = %d+;\n%-%-%-%-%-%-%-%-%-%-\n$", result.out)
    assert(spent > 0.45 and spent < 0.6 + 0.5 * slow, spent) -- a busy machine has half a second
    spent, result = seconds(function() return solve("-t 300", endless_cnf) end)
    expect(result, 0, "s UNKNOWN\n")
    assert(spent < 0.4 + 0.5 * slow, spent)
    local many = {}
    for k = 1, 300000 do many[k] = ("var 0..9: x%d;\n"):format(k) end
    many[#many + 1] = "solve satisfy;\n"
    expect(solve("-t 1", model("many.fzn", table.concat(many))), 0, "=====UNKNOWN=====\n")
end)

test("Ctrl-C prints the best solution", function()
    if not signals then return end
    for _, signal in ipairs {"INT", "TERM", "HUP"} do
        local result = solve("", endless, {signal = signal, after = 0.5 * slow})
        expect(result, 130)
        assert(result.out:find "^cost = %d+;\n%-%-%-%-%-%-%-%-%-%-\n$", result.out)
    end
    expect(solve("", endless_cnf, {signal = "INT", after = 0.5 * slow}), 130, "s UNKNOWN\n")
end)

test("memory", function()
    local result = solve("-m 8M", model("wide.fzn", "array [1..300000] of int: t = [" ..
        ("1,"):rep(299999) .. "2];\nvar 1..300000: i;\nvar 2..2: y;\n" ..
        "constraint array_int_element(i, t, y);\nsolve satisfy;\n"))
    expect(result, 6)
    assert(result.err:find "memory", result.err)
end)

-- -------------------------------------------------------------------------------------------------
-- Misuse

test("usage", function()
    for words, message in pairs {["-n 0"] = "--solutions", ["-n x"] = "--solutions",
        ["-t 0"] = "--time-limit", ["-t -1"] = "--time-limit", ["-p 0"] = "--parallel",
        ["-m 12Q"] = "--memory", ["--nothing"] = "--nothing", ["-r"] = "--random-seed",
        ["--optimise up"] = "--optimise"} do
        local result = solve(words, "")
        if words ~= "-r" then expect(result, 2, nil, message) end
    end
    expect(solve(quote(best), small), 2, nil, "one file")
    expect(shell(quote(command) .. " solve >out 2>err"), 2, nil, "which file")
    local help = shell(quote(command) .. " solve --help >out 2>err")
    expect(help, 0)
    assert(help.out:find "--all%-solutions" and help.out:find "Exit codes")
end)

test("lost output", function()
    local result = solve("-a", small, {redirect = ">/dev/full"})
    expect(result, 1, nil, "output was lost")
    expect(solve("-a -t 60000", small, {redirect = ">/dev/full"}), 1, nil, "output was lost")
    expect(solve("-a", small, {redirect = ">&-"}), 1)
    -- A search that nobody can see the end of ends.
    local many = model("plenty.fzn", "var 1..1000000: x :: output_var;\nsolve satisfy;\n")
    expect(solve("-a", many, {redirect = ">/dev/full"}), 1, nil, "output was lost")
end)

test("files that cannot be read", function()
    for _, name in ipairs {folder .. "/missing.fzn", folder .. "/missing.cnf"} do
        expect(solve("", name), 1, "", ("cnsengine: %s: No such file"):format(name))
    end
    expect(solve("", folder), 1, "")
end)

test("files that break the grammar: a message with the line", function()
    local cases = {
        [""] = "line 1",
        ["var 1..3: x"] = "line 1",
        ["var 1..3: x;\nvar 1..3: x;\nsolve satisfy;\n"] = "line 2",
        ["var 1..3: x;\nconstraint int_le(x, y);\nsolve satisfy;\n"] = "line 2",
        ["var 1..3: x;\nconstraint int_le(x);\nsolve satisfy;\n"] = "line 2: int_le: 1 argument",
        ["var 1..3: x;\n\nconstraint what(x);\nsolve satisfy;\n"] =
            "line 3: constraint 'what' is not supported",
        ["var 1..3: x;\nconstraint int_le(x, [x, x]);\nsolve satisfy;\n"] = "line 2",
        ["var 1..3: x;\nconstraint int_lin_le([1,2], [x], 3);\nsolve satisfy;\n"] = "line 2",
        ["var bool: b;\nconstraint set_in(b, 3);\nsolve satisfy;\n"] = "line 2",
        ["var float: speed;\nsolve satisfy;\n"] =
            "line 1: variable 'speed' is a float: float variables are not supported",
        ["var 1.5..2.5: speed;\nsolve satisfy;\n"] = "variable 'speed' is a float",
        ["var set of 1..3: s;\nsolve satisfy;\n"] = "variable 's' is a set",
        ["\0\0\0\0"] = "line 1",
        [("("):rep(100000)] = "line 1",
        ["var 99999999999999999999..1: x;\nsolve satisfy;\n"] = "line 1",
        ["var -2199023255552..3: x;\nsolve satisfy;\n"] = "line 1",
        ["var 1..1000000000000: x;\nvar 1..1000000000000: y;\n" ..
            "constraint int_times(x, y, y);\nsolve satisfy;\n"] = "line 3",
        ["var 1..3: x;\nconstraint int_lin_le([9223372036854775807], [x], 3);\nsolve satisfy;\n"] =
            "line 2",
        ["array [1..4000000000] of int: a = [1];\nsolve satisfy;\n"] = "line 1",
        ["var 1..3: x;\nconstraint fzn_regular([x], 1000000, 1000000, [1], 1, 1..1);\n" ..
            "solve satisfy;\n"] = "line 2",
        ["solve maximize x;\n"] = "line 1",
        ["var 1..3: x;\nsolve maximize 3;\nvar 1..3: y;\n"] = "line",
    }
    for text, message in pairs(cases) do
        local result = solve("", model("broken.fzn", text))
        if result.code ~= 1 or result.out ~= "" or not result.err:find(message, 1, true) then
            fail("%q: code %d, %s%s", text:sub(1, 200), result.code, result.out, result.err)
        end
        assert(#result.err < 700 and not result.err:find "[\0-\9\11-\31]", result.err)
    end
end)

test("every prefix of a file: an answer, or a message", function()
    local text = read(best)
    for length = 0, #text - 1, 7 do
        local result = solve("", model("cut.fzn", text:sub(1, length)))
        assert(result.code == 1 and result.err:find "line %d", result.err)
    end
end)

test("large sets, tables and elements", function()
    expect(solve("", model("set.fzn", "var 1..2147483648: x :: output_var;\nvar bool: b;\n" ..
        "constraint set_in_reif(x, 1..2147483647, b);\nconstraint bool_eq(b, false);\n" ..
        "solve satisfy;\n")), 0, "x = 2147483648;\n----------\n")
    expect(solve("", model("among.fzn", "var 1..2147483648: x;\nvar 0..1: n;\n" ..
        "constraint fzn_among(n, [x], 1..2147483648);\nsolve satisfy;\n")), 1, "",
        "line 3: fzn_among: argument 3 is a set that is too large")
    local rows = {}
    for k = 1, 100000 do rows[k] = ("%d,%d"):format(k, 100001 - k) end
    expect(solve("", model("table.fzn", "array [1..200000] of int: t = [" ..
        table.concat(rows, ",") .. "];\nvar 1..100000: x :: output_var;\n" ..
        "var 77..77: y :: output_var;\nconstraint fzn_table_int([x, y], t);\nsolve satisfy;\n")),
        0, "x = 99924;\ny = 77;\n----------\n")
end)

-- -------------------------------------------------------------------------------------------------
-- DIMACS

test("CNF", function()
    local sat = solve("", model("sat.cnf", "c a comment\np cnf 3 3\n1 -2 0\n2\n3 0\n-1 0\n"))
    expect(sat, 0)
    assert(sat.out:find "^s SATISFIABLE\nv " and sat.out:find " 0\n$", sat.out)
    local holds = {}
    for literal in sat.out:gmatch "%-?%d+" do holds[tonumber(literal)] = true end
    assert(holds[-1] and holds[-2] and holds[3])
    expect(solve("", model("unsat.cnf", pigeons(4))), 0, "s UNSATISFIABLE\n")
    expect(solve("", model("empty.cnf", "p cnf 0 0\n")), 0, "s SATISFIABLE\nv 0\n")
    expect(solve("", model("none.cnf", "p cnf 1 1\n0\n")), 0, "s UNSATISFIABLE\n")
    local cases = {
        [""] = "line 0: expected 'p cnf", ["p cnf 2\n"] = "expected 'p cnf",
        ["p dnf 1 1\n1 0\n"] = "line 1: expected 'p cnf",
        ["p cnf 2 1\n3 0\n"] = "line 2: variable 3",
        ["p cnf 2 2\n1 0\n"] = "cut short", ["p cnf 2 1\n1 2"] = "cut short",
        ["p cnf 2 1\n1 x 0\n"] = "line 2: expected a literal",
        ["p cnf 99999999999 1\n1 0\n"] = "line 1", ["p cnf 2 1\n1- 0\n"] = "line 2",
        ["p cnf 2 1\n--1 0\n"] = "line 2",
        ["p cnf 2 1\n99999999999999999999 0\n"] = "line 2", ["p cnf -2 1\n"] = "line 1",
    }
    for text, message in pairs(cases) do
        local result = solve("", model("broken.cnf", text))
        if result.code ~= 1 or result.out ~= "" or not result.err:find(message, 1, true) then
            fail("%q: code %d, %s%s", text, result.code, result.out, result.err)
        end
    end
end)

-- -------------------------------------------------------------------------------------------------
-- Through MiniZinc

local found = os.execute("command -v minizinc >/dev/null 2>&1")
local solver_path = command:match "^(.*)/" .. "/minizinc"

local function minizinc(words)
    return shell(("MZN_SOLVER_PATH=%s timeout -k 5 60 minizinc --solver cnsengine %s >out 2>err")
        :format(quote(solver_path), words))
end

test("through minizinc", function()
    if not found then
        print "  skipped: minizinc is not installed"
        return
    end
    model("queens.mzn", [[
include "alldifferent.mzn";
int: n;
array [1..n] of var 1..n: q;
constraint alldifferent(q);
constraint alldifferent([q[i] + i | i in 1..n]);
constraint alldifferent([q[i] - i | i in 1..n]);
solve satisfy;
]])
    local all = minizinc "-a -D 'n=6' queens.mzn"
    expect(all, 0)
    assert(count(all.out, "%-%-%-%-%-%-%-%-%-%-") == 4 and all.out:find "==========", all.out)
    expect(minizinc "-D 'n=3' queens.mzn", 0, "=====UNSATISFIABLE=====\n")
    for _, words in ipairs {"-s -f", "-p 2 -r 3", "-t 10000 -n 2", "-v", "-i", "--memory 1G"} do
        local result = minizinc(words .. " -D 'n=8' queens.mzn")
        expect(result, 0)
        assert(result.out:find "q = %[", result.out)
    end
    model("sets.mzn", "var set of 1..4: s;\nconstraint card(s) = 3;\nsolve maximize min(s);\n")
    assert(minizinc "sets.mzn".out:find "s = 2..4;", read(folder .. "/out"))
    model("floats.mzn", "var 0.0..1.0: depth;\nsolve satisfy;\n")
    assert(minizinc "floats.mzn".err:find "'depth' is a float")
end)

local failed, ran = 0, 0
for _, entry in ipairs(tests) do
    if entry[1]:find(pattern) then
        ran = ran + 1
        local ok, message = xpcall(entry[2], debug.traceback)
        if not ok then
            failed = failed + 1
            io.stderr:write("not ok: ", entry[1], "\n", tostring(message), "\n")
        end
    end
end
scratch.remove()
print(("%d tests, %d failed"):format(ran, failed))
os.exit(failed == 0)
