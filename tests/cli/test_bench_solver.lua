-- SPDX-License-Identifier: MIT
--
-- test_bench_solver.lua - what the solver's benchmark is made of: shuffled copies mean what the
-- model means, as the command solves both; several runs of a side and tables of two say what they
-- should.
--
--     lua5.4 test_bench_solver.lua PATH/TO/cnsengine SOURCES

package.path = (arg[0]:match("^(.*)/") or ".") .. "/?.lua;" .. arg[2]
    .. "/tests/bench/solver/?.lua;" .. package.path
local check = require "checks".check
local scratch = require "scratch"
local finished = require "finished"
local proof_times = require "proof_times"
local repeats = require "repeats"
local shuffle = require "shuffle"
local command = scratch.absolute(arg[1])

-- -------------------------------------------------------------------------------------------------
-- Shuffled copies

local model = [[
predicate fzn_all_different_int(array [int] of var int: x);
int: most = 12;
array [1..3] of int: weights = [3,-2,5];
array [1..3] of bool: signs = [false,true,false];
var 0..4: x :: output_var;
var 0..4: y;
var {-3,-1,0,2,4}: z :: output_var;
var bool: a :: output_var;
var bool: b :: output_var;
var bool: c :: output_var :: is_defined_var;
var bool: d :: var_is_introduced :: is_defined_var;
var -40..40: cost :: output_var :: is_defined_var;
var 0..4: same :: output_var = y;
array [1..3] of var int: xs :: output_array([1..3]) = [x,same,z];
array [1..4] of var bool: flags :: output_array([1..4]) = [a,b,c,d];
constraint int_lin_eq([3,-2,5,-1],[x,same,z,cost],1) :: defines_var(cost);
constraint int_lin_le(weights,xs,most);
constraint int_lin_ne([1,4,-7],[z,y,x],3);
constraint int_lin_le_reif([2,-3],[y,x],-1,c) :: defines_var(c);
constraint int_le_reif(z,x,d) :: defines_var(d);
constraint bool_clause([a,c],[b]);
constraint bool_clause(flags,[a,a,b]);
constraint array_bool_or([b,d,c],true);
constraint bool_lin_le([5,2,-4],[a,b,d],1);
constraint array_bool_element(1,signs,false);
constraint fzn_all_different_int(xs);
constraint int_eq_reif(x,1,b) :: domain;
solve :: seq_search([int_search(xs,first_fail,indomain_max,complete),]] ..
    "bool_search(flags,input_order,indomain_min,complete)]) "

local function lines_of(text)
    local list = {}
    for line in text:gmatch("[^\n]+") do list[#list + 1] = line end
    return list
end

local function sorted(list)
    table.sort(list)
    return table.concat(list, "\n")
end

-- What the command prints: the solutions, each with its lines sorted, and the last line.
local function solve(text, words)
    local path = scratch.write("model.fzn", text)
    local code = scratch.shell(("%s solve %s %s >out 2>err"):format(scratch.quote(command), words,
        scratch.quote(path)))
    local solutions, lines, last = {}, {}, nil
    for _, line in ipairs(lines_of(scratch.read(scratch.folder .. "/out"))) do
        if line == "----------" then
            solutions[#solutions + 1] = sorted(lines)
            lines = {}
        else
            lines[#lines + 1], last = line, line
        end
    end
    check("exit status", code == 0, scratch.read(scratch.folder .. "/err"))
    return solutions, last
end

local function cost_of(solution)
    return solution and solution:match("cost = (-?%d+);")
end

local function all_solutions(text)
    local solutions, last = solve(text .. "satisfy;\n", "-a")
    check("all solutions are found", last == "==========", last)
    return solutions
end

local function optimum(text)
    local solutions, last = solve(text .. "maximize cost;\n", "-f")
    check("the optimum is proved", last == "==========", last)
    return cost_of(solutions[#solutions])
end

-- The copy's text without its last word, which `solve` above adds.
local function copy(seed)
    return (shuffle.text(model .. "satisfy;\n", seed):gsub("satisfy;\n$", ""))
end

-- The names of the constraints, and all other lines.
local function parts_of(text)
    local posted, others = {}, {}
    for _, line in ipairs(lines_of(text)) do
        local name = line:match("^constraint ([%w_]+)")
        table.insert(name and posted or others, name or line)
    end
    return posted, others
end

local function test_meaning()
    local solutions, best = all_solutions(model), optimum(model)
    check("the model has some solutions", #solutions > 20, #solutions)
    check("and an optimum", best ~= nil)
    for seed = 1, 6 do
        local text = copy(seed)
        local found = all_solutions(text)
        check("as many solutions", #found == #solutions, #found)
        check("the same solutions", sorted(found) == sorted(solutions))
        check("the same optimum", optimum(text) == best, seed)
    end
end

local function test_order()
    local seen, model_posted, model_others = {}, parts_of(model)
    local in_order = table.concat(model_posted, "\n")
    sorted(model_posted)
    for seed = 1, 6 do
        local text = copy(seed)
        check("a seed's copy is one", text == copy(seed))
        check("seeds' copies differ", not seen[text])
        seen[text] = true
        local posted, others = parts_of(text)
        check("the constraints are in another order", table.concat(posted, "\n") ~= in_order)
        check("they are the model's", sorted(posted) == table.concat(model_posted, "\n"))
        check("the search is the last", others[#others] == model_others[#model_others])
        check("the rest is the model's", sorted(others) == sorted({table.unpack(model_others)}))
        check("annotations stay", text:find(") :: defines_var(cost);\n", 1, true))
    end
    local clauses = {}
    for seed = 1, 40 do clauses[copy(seed):match("bool_clause%((%b[]),%[b%]%)")] = true end
    check("literals change places", clauses["[a,c]"] and clauses["[c,a]"])
end

-- -------------------------------------------------------------------------------------------------
-- Several runs

local function runs_of(status, ...)
    local list = {}
    for i, seconds in ipairs {...} do
        list[i] = {status = status, seconds = seconds, limit = 8, solutions = 1, objective = 5}
    end
    return list
end

local function near(a, b)
    return math.abs(a - b) < 1e-9
end

local function test_repeats()
    local order = {}
    local outcomes = repeats.run({"a", "b"}, 3, 1, function(key, i)
        order[#order + 1] = key .. i
        return i
    end)
    local text = table.concat(order, " ")
    check("sides take turns", text == "a1 b1 b2 a2 a3 b3", text)
    check("each has its runs", #outcomes.a == 3 and outcomes.b[3] == 3)
    local list = runs_of("optimal", 1, 4, 2)
    check("geometric mean", near(repeats.seconds(list), 2))
    check("all proved", repeats.is_proved(list) and repeats.cell(list, true) == "opt  2.00*")
    list[2] = {status = "found", seconds = 7.9, limit = 8}
    check("one open: the limit", near(repeats.seconds(list), 16 ^ (1 / 3)))
    check("two of three", not repeats.is_proved(list) and repeats.cell(list):find("^2/3") ~= nil)
    local best = runs_of("optimal", 1, 1, 1)
    check("better with one seed", repeats.compare("minimize", best, list) > 0)
end

local function test_proof_times()
    local runs = {
        {outcomes = {one = runs_of("optimal", 0.01, 0.01), two = runs_of("optimal", 0.02, 0.02)}},
        {outcomes = {one = runs_of("optimal", 0.04, 0.09), two = runs_of("unsat", 0.03, 0.03)}},
        {outcomes = {one = runs_of("unsat", 2, 2), two = runs_of("unsat", 1, 0.25)}},
        {outcomes = {one = runs_of("optimal", 0.07, 0.07), two = runs_of("found", 8, 8)}},
        {outcomes = {one = runs_of("unknown", 8, 8), two = runs_of("optimal", 4, 4)}},
        {outcomes = {one = runs_of("solved", 1, 1), two = runs_of("solved", 1, 1)}},
    }
    local rows = proof_times.compare(runs, "one", "two")
    local wanted = {{0, {0.5, 2, 4}, 1, 1}, {0.05, {2, 4}, 1, 1}, {0.1, {4}, 0, 1}}
    check("three rows", #rows == #wanted)
    for i, want in ipairs(wanted) do
        local row = rows[i]
        check("least", row.least == want[1], row.least)
        check("ratios", #row.ratios == #want[2], #row.ratios)
        for k, ratio in ipairs(want[2]) do check("ratio", near(row.ratios[k], ratio), k) end
        check("lost", row.lost == want[3], row.lost)
        check("gained", row.gained == want[4], row.gained)
    end
end

local function test_finished()
    local path = scratch.write("results.tsv", table.concat({
        "part\tinstance\tside\tstatus\tobjective", "public\ta\tours -f\toptimal\t3",
        "public\tb\tours -f\tunknown\t-", "public\tb\tours -f\tsolved\t-",
        "public\tc\tchuffed\tunsat\t-", "public\tc\tours -f\tfound\t3",
        "memory\td\tours -f\toptimal\t1"}, "\n"))
    local list = {{name = "a"}, {name = "b"}, {name = "c"}, {name = "d"}}
    local kept, why = finished.choose(finished.read(path), list, {"ours -f", "ours -p2"})
    check("those that we finished", #kept == 2 and kept[1] == list[1] and kept[2] == list[2], #kept)
    check("the others are told", why:find("2 of 4 .* 1 that none .*, 1 that are not") ~= nil, why)
    kept = finished.choose(finished.read(path), list, {"chuffed"})
    check("the one that another finished", #kept == 1 and kept[1] == list[3], #kept)
end

test_meaning()
test_order()
test_repeats()
test_proof_times()
test_finished()
scratch.remove()
require "checks".finish()
