-- SPDX-License-Identifier: MIT
--
-- test_proof.lua - proofs that the command writes are accepted, and damaged ones never prove
-- anything that is not so.
--
--     lua5.4 test_proof.lua PATH/TO/cnsengine SOURCE [SEEDS]

local command, source = arg[1], arg[2]
local seeds = tonumber(arg[3] or "2")
local here = arg[0]:match("^(.*)/") or "."
package.path = ("%s/?.lua;%s/stdlib/?.lua;%s"):format(here, source, package.path)

local checks = require "checks"
local models = require "proof_models"
local proof = require "cns.proof"
local scratch = require "scratch"

local folder, write = scratch.folder, scratch.write
local check = checks.check

-- Solves with a proof; its lines.
local function solve(text, options)
    local model = write("model.fzn", text)
    local path = folder .. "/proof"
    os.remove(path)
    local line = ("timeout 60 '%s' solve %s --proof '%s' '%s' 2>&1"):format(command, options or "",
        path, model)
    local pipe = io.popen(line)
    local out = pipe:read("a")
    local ok = pipe:close()
    if not ok then return nil, out end
    local lines = {}
    for l in io.lines(path) do lines[#lines + 1] = l end
    return lines, out
end

local function verify(text, lines)
    local k = 0
    return proof.check(text, function()
        k = k + 1
        return lines[k]
    end)
end

local function describe(verdict, lines)
    local line = verdict.line and lines[verdict.line]
    return ("%s (line %s: %s)"):format(verdict.message or verdict.conclusion,
        tostring(verdict.line), tostring(line))
end

-- ---- every kind of constraint ---------------------------------------------------------------

local GOALS = {"satisfy", "minimize", "maximize"}
local kept = {} -- for the mutations
local unsatisfiable, lemmas = 0, 0

for index, name in ipairs(models.names) do
    for seed = 1, seeds do
        local text = models.random(name, seed, GOALS[(index + seed) % 3 + 1])
        local lines, out = solve(text, "-a")
        local what = ("%s, seed %d"):format(name, seed)
        if not lines then
            check(what, false, out)
        else
            local verdict = verify(text, lines)
            check(what, verdict.accepted and verdict.concluded and verdict.counts.trusted == 0,
                describe(verdict, lines))
            local says_unsat = out:find("UNSATISFIABLE", 1, true) ~= nil
            check(what .. ": the same answer as the command's",
                (verdict.conclusion == "unsatisfiable") == says_unsat)
            unsatisfiable = unsatisfiable + (says_unsat and 1 or 0)
            lemmas = lemmas + (verdict.counts.lemmas or 0)
            if verdict.accepted and verdict.counts.learnt > 0 then
                kept[#kept + 1] = {text = text, lines = lines, conclusion = verdict.conclusion}
            end
        end
    end
end
check("some of the models are infeasible, and some are not",
    unsatisfiable > 10 and unsatisfiable < #models.names * seeds - 10, unsatisfiable)
check("constraints had something to say", lemmas > #models.names, lemmas)

-- ---- known problems -------------------------------------------------------------------------

local function prove(what, text, conclusion, options)
    local lines, out = solve(text, options)
    if not lines then
        check(what, false, out)
        return
    end
    local verdict = verify(text, lines)
    check(what, verdict.accepted and verdict.counts.trusted == 0
        and verdict.conclusion == conclusion, describe(verdict, lines))
    kept[#kept + 1] = {text = text, lines = lines, conclusion = conclusion}
    return lines
end

local function pigeons(n)
    local lines, names = {}, {}
    for k = 1, n + 1 do
        names[k] = "p" .. k
        lines[k] = ("var 1..%d: p%d;"):format(n, k)
    end
    for i = 1, n + 1 do
        for j = 1, i - 1 do
            lines[#lines + 1] = ("constraint int_ne(p%d,p%d);"):format(i, j)
        end
    end
    lines[#lines + 1] = "solve satisfy;"
    return table.concat(lines, "\n"), names
end
local hole = prove("five pigeons in four holes", pigeons(4), "unsatisfiable")

-- One-factorization of K_n: rounds of disjoint pairs, no pair twice; rounds ordered by the first.
local function factorization(n, rounds)
    local lines, posts = {}, {}
    for r = 1, rounds do
        local row = {}
        for i = 1, n do
            row[i] = ("x%d_%d"):format(r, i)
            lines[#lines + 1] = ("var 1..%d: %s;"):format(n, row[i])
            posts[#posts + 1] = ("constraint int_ne(%s,%d);"):format(row[i], i)
        end
        local list = table.concat(row, ",")
        posts[#posts + 1] = ("constraint cns_inverse(1,1,[%s],[%s]);"):format(list, list)
        posts[#posts + 1] = ("constraint fzn_all_different_int([%s]);"):format(list)
        if r > 1 then
            posts[#posts + 1] = ("constraint int_lt(x%d_1,x%d_1);"):format(r - 1, r)
        end
    end
    for i = 1, n do
        local column = {}
        for r = 1, rounds do column[r] = ("x%d_%d"):format(r, i) end
        posts[#posts + 1] = ("constraint fzn_all_different_int([%s]);"):format(
            table.concat(column, ","))
    end
    return table.concat(lines, "\n") .. "\n" .. table.concat(posts, "\n")
end
prove("six players cannot meet in six rounds", factorization(6, 6) .. "\nsolve satisfy;\n",
    "unsatisfiable")
prove("the least second partner of the last player", factorization(6, 5)
    .. "\nsolve maximize x2_6;\n", "optimal, objective 5", "-f")

-- A job shop of two-way disjunctions: three jobs on three machines.
local function job_shop(horizon, goal)
    local machines = {{1, 2, 3}, {2, 3, 1}, {1, 3, 2}}
    local lengths = {{3, 2, 2}, {2, 4, 1}, {4, 3, 2}}
    local lines, posts = {}, {}
    local function start(j, k) return ("s%d_%d"):format(j, k) end
    local function before(a, length, b)
        return ("int_lin_le([1,-1],[%s,%s],%d"):format(a, b, -length)
    end
    for j = 1, 3 do
        for k = 1, 3 do
            lines[#lines + 1] = ("var 0..%d: %s;"):format(horizon, start(j, k))
            if k > 1 then
                posts[#posts + 1] = "constraint " .. before(start(j, k - 1), lengths[j][k - 1],
                    start(j, k)) .. ");"
            end
        end
        posts[#posts + 1] = "constraint " .. before(start(j, 3), lengths[j][3], "span") .. ");"
    end
    lines[#lines + 1] = ("var 0..%d: span:: output_var;"):format(horizon)
    for j = 1, 3 do
        for i = 1, j - 1 do
            for k = 1, 3 do
                for l = 1, 3 do
                    if machines[j][k] == machines[i][l] then
                        local b = ("o%d_%d_%d"):format(j, i, k)
                        lines[#lines + 1] = ("var bool: %s;"):format(b)
                        lines[#lines + 1] = ("var bool: %sr;"):format(b)
                        posts[#posts + 1] = "constraint " .. before(start(j, k), lengths[j][k],
                            start(i, l)):gsub("int_lin_le", "int_lin_le_reif") .. "," .. b .. ");"
                        posts[#posts + 1] = "constraint " .. before(start(i, l), lengths[i][l],
                            start(j, k)):gsub("int_lin_le", "int_lin_le_reif") .. "," .. b .. "r);"
                        posts[#posts + 1] = ("constraint bool_clause([%s,%sr],[]);"):format(b, b)
                    end
                end
            end
        end
    end
    return table.concat(lines, "\n") .. "\n" .. table.concat(posts, "\n") .. "\nsolve " .. goal
        .. ";\n"
end
prove("a job shop's best span", job_shop(30, "minimize span"), "optimal, objective 11")
prove("a job shop one below its best span", job_shop(10, "satisfy"), "unsatisfiable")

-- Integers that equal the same constant are aliases of each other in the solver, through the
-- constant; each is a constant of its own to the checker.
local function constants(n, goal)
    local lines, posts = {}, {}
    for k = 1, n do
        lines[#lines + 1] = ("var 0..1: i%d;\nvar bool: b%d;"):format(k, k)
        posts[k] = ("constraint int_eq(i%d,1);"):format(k)
        posts[n + k] = ("constraint bool2int(b%d,i%d);"):format(k, k)
    end
    return table.concat(lines, "\n") .. "\nvar bool: free;\n" .. table.concat(posts, "\n")
        .. ("\nconstraint bool_clause([],[b1,%s]);\nsolve satisfy;\n"):format(goal)
end
prove("integers of one constant, and their Booleans", constants(5, "free"),
    "1 solution, no others", "-a")
prove("Booleans that cannot all be true", constants(5, "b4"), "unsatisfiable")

-- Domains with wide gaps, of which an alias takes another's: 0 is left over, which y is not.
prove("wide gaps", [[
var {-3000000000,0,3000000000}: x;
var {-3000000000,1,3000000000}: y;
var 0..5000000000: z;
constraint int_lin_eq([1,1],[x,y],0);
constraint int_abs(x,z);
constraint int_le(z,2999999999);
solve satisfy;
]], "unsatisfiable")
prove("a best value behind wide gaps", [[
var {-1099511627776,-5,7,1099511627776}: x :: output_var;
var -9..1000000000000: y;
var bool: b;
constraint int_lin_eq([1,-1],[x,y],2);
constraint int_lin_le_reif([1],[y],0,b);
constraint bool_clause([b],[]);
solve maximize x;
]], "optimal, objective -5")

-- ---- damage ---------------------------------------------------------------------------------

local function copy(lines)
    return table.move(lines, 1, #lines, 1, {})
end

local function places(lines, pattern)
    local found = {}
    for k, line in ipairs(lines) do
        if line:find(pattern) then found[#found + 1] = k end
    end
    return found
end

-- Each gives damaged lines, or nil where there is nothing to damage.
local damages = {
    function(lines) -- a lemma or a clause is gone
        local at = places(lines, "^[rtc] ")
        return #at > 0 and table.remove(lines, at[math.random(#at)]) and lines
    end,
    function(lines) -- a number in a step is another one
        local at = places(lines, "^[rtce=] .*[<>=]%-?%d+")
        local k = at[math.random(math.max(1, #at))]
        if not k then return nil end
        local by = math.random(2) == 1 and 1 or -1
        lines[k] = lines[k]:gsub("([<>=])(%-?%d+)", function(op, n)
            return op .. tostring(math.tointeger(n + by))
        end, 1)
        return lines
    end,
    function(lines) -- a literal is gone
        local at = places(lines, "^[rtc].* %S+ %S+$")
        local k = at[math.random(math.max(1, #at))]
        if not k then return nil end
        lines[k] = lines[k]:match("^(.*) %S+$")
        return lines
    end,
    function(lines) -- a step is of another constraint
        local at = places(lines, "^[rt] %d")
        local k = at[math.random(math.max(1, #at))]
        if not k then return nil end
        lines[k] = lines[k]:gsub("^([rt]) %d+", "%1 " .. math.random(0, 3))
        return lines
    end,
    function(lines) -- the last part of the work is missing
        local at = places(lines, "^[rtc] ")
        if #at < 2 then return nil end
        local from = at[math.random(#at)]
        for k = #lines - 1, from, -1 do
            if lines[k]:find("^[rtc] ") then table.remove(lines, k) end
        end
        return lines
    end,
    function(lines) -- concluded before its time
        local at = places(lines, "^[socte]")
        local k = at[math.random(math.max(1, #at))]
        if not k then return nil end
        lines[k] = "u"
        for j = #lines, k + 1, -1 do lines[j] = nil end
        return lines
    end,
    function(lines) -- a value of a solution is another one
        local at = places(lines, "^s ")
        local k = at[math.random(math.max(1, #at))]
        if not k then return nil end
        lines[k] = lines[k]:gsub("%-?%d+", function(n)
            return math.random(4) == 1 and tostring(math.tointeger(n + 1)) or nil
        end)
        return lines
    end,
    function(lines) -- a solution's place is taken by nothing
        local at = places(lines, "^s ")
        return #at > 0 and table.remove(lines, at[math.random(#at)]) and lines
    end,
}

math.randomseed(7)
local rejected, tried = {}, {}
for round = 1, 600 do
    local from = kept[round % #kept + 1]
    local which = round % #damages + 1
    local lines = damages[which](copy(from.lines))
    if lines then
        local verdict = verify(from.text, lines)
        tried[which] = (tried[which] or 0) + 1
        if not verdict.accepted then
            rejected[which] = (rejected[which] or 0) + 1
        elseif verdict.concluded and verdict.counts.trusted == 0 then
            check(("damage %d proves only what is so"):format(which),
                verdict.conclusion == from.conclusion, verdict.conclusion)
        end
    end
end
for which in ipairs(damages) do
    check(("damage %d is noticed"):format(which), (rejected[which] or 0) >= 3,
        ("%d of %d"):format(rejected[which] or 0, tried[which] or 0))
end

-- What must be noticed, whatever else the proof says.
local function must_reject(what, text, lines, change)
    lines = copy(lines)
    change(lines)
    local verdict = verify(text, lines)
    check(what .. " is rejected", not verdict.accepted, verdict.conclusion)
end
local function without(pattern)
    return function(lines)
        for k = #lines, 1, -1 do
            if lines[k]:find(pattern) then table.remove(lines, k) end
        end
    end
end
if hole then
    local text = pigeons(4)
    must_reject("a proof without lemmas", text, hole, without("^[rt] "))
    must_reject("a proof without learnt clauses", text, hole, without("^c "))
    must_reject("a proof of another model", pigeons(5), hole, function() end)
    must_reject("a version that is not known", text, hole, function(lines)
        for k, line in ipairs(lines) do
            if line == "cns-proof 1" then lines[k] = "cns-proof 2" end
        end
    end)
    local five = text:gsub("1%.%.4", "1..5")
    must_reject("a proof of fewer values", five, hole, function() end)
end
local empty = "var bool: a;\nvar bool: b;\nconstraint bool_clause([a,b],[]);\nsolve satisfy;\n"
for _, claim in ipairs {"r 0 b1", "c b1", "t 0 ~b1", "u", "e b1", "x 5 is 7", "b 9 new 7",
    "nonsense", "b 9 huh 0", "b 9 node 0 0 2", "b 9 edge 0 0 0", "l 0 0 1 1 1", "b 9 tail 0 0 1",
    "b 9 row 0 1 1", "b 9 value 0 1", "b 9 le 0 1 x1", "b 9 le 0 : 1 4 2", "b 9 all 0 b7",
    "v", "v b a", "x 5 lit", "x 5 new 0 3", "x 5 new 0 3 2", "= 0 0",
    "b 9 all 7 b1", "b 2 any 0 b1", "s 1", "s 0 0", "o", "= 0 0 T", "a 0 0 1", "r 7", "c x1>=1",
    "r 0 b1 b"} do
    local verdict = verify(empty, {"v 0 a", "v 1 b", "cns-proof 1", "m 2 1", "b 1 is 0", "b 2 is 1",
        claim})
    check("'" .. claim .. "' is rejected", not verdict.accepted)
end
check("a step that the meaning of a new Boolean does not give is rejected",
    not verify(empty, {"v 0 a", "v 1 b", "cns-proof 1", "m 2 1", "b 1 is 0", "b 2 is 1",
        "b 9 all 0 b1 b2", "r 0 b9"}).accepted)
check("one that it gives is accepted", verify(empty, {"v 0 a", "v 1 b", "cns-proof 1", "m 2 1",
    "b 1 is 0", "b 2 is 1", "b 9 all 0 ~b1 ~b2", "r 0 ~b9"}).accepted)
for second, accepted in pairs {["s 0 1"] = true, ["s 1 0"] = false} do
    check("a second solution that is another one: '" .. second .. "'", accepted == verify(empty,
        {"v 0 a", "v 1 b", "cns-proof 1", "m 2 1", "b 1 is 0", "b 2 is 1", "s 1 0", "e ~b1 b2",
            second}).accepted)
end
check("a clause of the model is accepted", verify(empty, {"v 0 a", "v 1 b", "cns-proof 1", "m 2 1",
    "b 1 is 0", "b 2 is 1", "r 0 b1 b2", "s 1 0"}).accepted)

-- ---- the command ----------------------------------------------------------------------------

local model = write("model.fzn", pigeons(4))
local function run(words)
    local _, _, code = os.execute(("'%s' %s >%s/out 2>&1"):format(command, words, folder))
    return code, scratch.read(folder .. "/out")
end
local code, out = run(("solve -p 2 --proof %s/proof %s"):format(folder, model))
check("several workers are refused", code == 2 and out:find("one thread", 1, true), out)
code, out = run(("solve --proof %s/no/such %s"):format(folder, model))
check("a file that cannot be written", code == 1 and out:find("proof", 1, true), out)
code, out = run(("solve --proof /dev/full %s"):format(model))
check("a file that is full", code == 1 and out:find("proof", 1, true), out)
solve((pigeons(4)))
code, out = run(("run '%s/scripts/check_proof.lua' -- %s %s/proof"):format(source, model, folder))
check("the script proves it", code == 0 and out:find("proved: unsatisfiable", 1, true), out)
for line in out:gmatch("[^\n]+") do check("80 columns", #line <= 80, line) end
code, out = run(("run '%s/scripts/check_proof.lua' -- %s %s"):format(source, model, model))
check("the script rejects what is no proof", code == 3, out)

scratch.remove()
checks.finish()
