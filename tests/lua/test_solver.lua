-- SPDX-License-Identifier: MIT
--
-- test_solver.lua - models in Lua against enumeration by plain Lua functions, known counts, hostile
-- arguments, memory that gives out, stops.

local cns = require "cns"
local solver = require "cns.solver"
local random_of = require "cns.stats".random

local sanitized = (os.getenv("CNS_LUA") or ""):find("lua_sanitized", 1, true)

---------------------------------------------------------------------------------------------------
-- Enumeration

-- All assignments of domains {low, high}: calls fn with each, a list that is reused.
local function enumerate(domains, fn)
    local values = {}
    local function descend(k)
        if k > #domains then return fn(values) end
        for v = domains[k][1], domains[k][2] do
            values[k] = v
            descend(k + 1)
        end
    end
    descend(1)
end

local function key_of(values) return table.concat(values, ",") end

-- The solutions of the model over `vars`, each once; as a set of keys and a count.
local function solutions_of(t, model, vars)
    local set, count = {}, 0
    for s in model:solutions() do
        local row = {}
        for k, v in ipairs(s[vars]) do row[k] = v == true and 1 or v or 0 end
        local key = key_of(row)
        t.ok(not set[key], "twice: " .. key)
        set[key] = true
        count = count + 1
    end
    return set, count
end

-- Posts build(vars) and compares with where oracle(values) is true; oracle gets Lua's integers.
local function compare(t, domains, build, oracle, what)
    local model <close> = solver.model {seed = 3}
    local vars = {}
    for k, d in ipairs(domains) do
        vars[k] = d.bool and model:bool("b" .. k) or model:int(d[1], d[2], "x" .. k)
    end
    local relation = build(table.unpack(vars))
    model:post(relation)
    local expected, count = {}, 0
    local get = {}
    local worth = function(n) return get[n] end
    enumerate(domains, function(values)
        for k, v in ipairs(vars) do
            get[v] = values[k]
            if domains[k].bool then get[v] = values[k] == 1 end
        end
        local holds = oracle(table.unpack(values))
        local evaluated = require "cns.solver.expression".evaluate(relation, worth)
        if evaluated ~= holds then
            error(("%s: %s is worth %s for %s, expected %s"):format(what or "", tostring(relation),
                tostring(evaluated), key_of(values), tostring(holds)))
        end
        if holds then
            expected[key_of(values)] = true
            count = count + 1
        end
    end)
    local found, total = solutions_of(t, model, vars)
    local label = (what or "") .. " " .. tostring(relation)
    for key in pairs(found) do t.ok(expected[key], label .. ": not a solution: " .. key) end
    for key in pairs(expected) do t.ok(found[key], label .. ": missing: " .. key) end
    t.equal(total, count, label)
end

-- Random expressions, each with the plain Lua function that is its oracle. Undefined is nil, and a
-- relation over something undefined is false.
local draw = {}

local function leaf(random, vars)
    if random(4) == 1 then
        local c = random(9) - 5
        return c, function() return c end
    end
    local k = random(#vars)
    return vars[k].node, function(v) return v[k] end
end

local function both(f, g, fn)
    return function(v)
        local a, b = f(v), g(v)
        if a == nil or b == nil then return nil end
        return fn(a, b)
    end
end

local function pow(a, b)
    if b >= 0 then return math.tointeger(a ^ b) end
    if a == 0 then return nil end
    local q = 1 / a ^ -b
    return math.tointeger(q >= 0 and math.floor(q) or math.ceil(q))
end

function draw.integer(random, vars, depth)
    if depth == 0 then return leaf(random, vars) end
    local kind = random(14)
    local a, f = draw.integer(random, vars, depth - 1)
    local b, g = draw.integer(random, vars, depth - 1)
    if kind <= 3 then return solver.sum {a, b}, both(f, g, function(x, y) return x + y end) end
    if kind == 4 then
        return solver.sum({a, b}, {1, -1}), both(f, g, function(x, y) return x - y end)
    end
    if type(a) ~= "table" then a, f = leaf(random, {vars[1]}) end
    if type(a) ~= "table" then a, f = vars[1].node, function(v) return v[1] end end
    if kind == 5 then return a * b, both(f, g, function(x, y) return x * y end) end
    if kind == 6 then
        return a // b, both(f, g, function(x, y) if y ~= 0 then return x // y end end)
    elseif kind == 7 then
        return a % b, both(f, g, function(x, y) if y ~= 0 then return x % y end end)
    elseif kind == 8 then
        local e = random(4) - 2
        return a ^ e, both(f, function() return e end, pow)
    elseif kind == 9 then
        return solver.abs(a), both(f, f, function(x) return math.abs(x) end)
    elseif kind == 10 then
        return solver.min {a, b}, both(f, g, math.min)
    elseif kind == 11 then
        return solver.max {a, b}, both(f, g, math.max)
    elseif kind == 12 then
        local list = {}
        for k = 1, 3 do list[k] = random(7) - 3 end
        return solver.element(list, a), both(f, f, function(x) return list[x] end)
    elseif kind == 13 then
        local r, h = draw.truth(random, vars, depth - 1)
        if type(r) == "boolean" then return a, f end
        return r:choose(a, b), function(v) if h(v) then return f(v) end return g(v) end
    end
    return -a, both(f, f, function(x) return -x end)
end

local relations = {
    le = function(x, y) return x <= y end, lt = function(x, y) return x < y end,
    ge = function(x, y) return x >= y end, gt = function(x, y) return x > y end,
    eq = function(x, y) return x == y end, ne = function(x, y) return x ~= y end,
}
local names = {"le", "lt", "ge", "gt", "eq", "ne"}

function draw.truth(random, vars, depth)
    local kind = depth == 0 and 1 or random(9)
    if kind <= 3 then
        local a, f = draw.integer(random, vars, depth)
        local b, g = draw.integer(random, vars, depth)
        if type(a) ~= "table" then a, f = vars[1].node, function(v) return v[1] end end
        local name = names[random(6)]
        local holds = both(f, g, relations[name])
        return a[name](a, b), function(v) return holds(v) or false end
    elseif kind == 4 then
        local a, f = draw.integer(random, vars, depth - 1)
        if type(a) ~= "table" then a, f = vars[1].node, function(v) return v[1] end end
        return a:within {1, {-3, -2}, 4}, function(v)
            local x = f(v)
            return x == 1 or x == -3 or x == -2 or x == 4
        end
    end
    local p, f = draw.truth(random, vars, depth - 1)
    local q, g = draw.truth(random, vars, depth - 1)
    if kind == 5 then return p & q, function(v) return f(v) and g(v) end end
    if kind == 6 then return p | q, function(v) return f(v) or g(v) end end
    if kind == 7 then return p ~ q, function(v) return f(v) ~= g(v) end end
    if kind == 8 then return p:implies(q), function(v) return not f(v) or g(v) end end
    return ~p, function(v) return not f(v) end
end

local function random_models(test)
    test("random expressions have the solutions that Lua finds", function(t)
        local rounds = sanitized and 150 or 1500
        for round = 1, rounds do
            local random = random_of(round)
            local model <close> = solver.model {seed = round}
            local vars, nodes, domains = {}, {}, {}
            for k = 1, 3 do
                local low = random(6) - 4
                domains[k] = {low, low + random(4) - 1}
                nodes[k] = model:int(domains[k][1], domains[k][2], "x" .. k)
                vars[k] = {node = nodes[k]}
            end
            local posted, oracles = {}, {}
            for k = 1, random(2) do
                posted[k], oracles[k] = draw.truth(random, vars, random(3))
                model:post(posted[k])
            end
            local expected, count = {}, 0
            enumerate(domains, function(v)
                for k = 1, #oracles do
                    if not oracles[k](v) then return end
                end
                expected[key_of(v)] = true
                count = count + 1
            end)
            local found, total = solutions_of(t, model, nodes)
            local label = ("round %d, %s"):format(round, tostring(posted[1]))
            for key in pairs(found) do t.ok(expected[key], label .. ": wrong: " .. key) end
            t.equal(total, count, label)
        end
    end)

    test("objectives are the best that Lua finds", function(t)
        for round = 1, sanitized and 60 or 400 do
            local random = random_of(1000 + round)
            local model <close> = solver.model()
            local vars, nodes, domains = {}, {}, {}
            for k = 1, 3 do
                local low = random(6) - 4
                domains[k] = {low, low + random(4) - 1}
                nodes[k] = model:int(domains[k][1], domains[k][2], "x" .. k)
                vars[k] = {node = nodes[k]}
            end
            local relation, oracle = draw.truth(random, vars, 2)
            local objective, worth = draw.integer(random, vars, 2)
            model:post(relation)
            local best
            enumerate(domains, function(v)
                local value = oracle(v) and worth(v)
                if value and (not best or value > best) then best = value end
            end)
            model:maximize(objective)
            local solution, status = model:solve()
            local label = ("round %d, %s"):format(round, tostring(objective))
            t.equal(solution and solution.objective, best, label)
            t.equal(status, best and "optimal" or "infeasible")
        end
    end)
end

---------------------------------------------------------------------------------------------------
-- Named constraints: alone, negated, implied, equal to a Boolean

local function all_pairs(list, fn)
    for i = 1, #list do
        for j = i + 1, #list do
            if not fn(list[i], list[j], i, j) then return false end
        end
    end
    return true
end

local function counted(list, value)
    local n = 0
    for _, v in ipairs(list) do n = n + (v == value and 1 or 0) end
    return n
end

local function cycle_from(x, start)
    local seen, node, length = {}, start, 0
    while node and not seen[node] do
        seen[node] = true
        node = x[node]
        length = length + 1
    end
    return node == start and length or nil
end

local transitions = {{2, 1}, {0, 3}, {3, 1}}

local cases = {
    {"all_different", {{1, 3}, {1, 3}, {0, 2}}, function(a, b, c)
        return solver.all_different {a, b, c} end,
        function(a, b, c) return a ~= b and b ~= c and a ~= c end},
    {"all_different except", {{0, 2}, {0, 2}, {0, 2}}, function(a, b, c)
        return solver.all_different({a, b, c}, {0, 2}) end,
        function(...) return counted({...}, 1) <= 1 end},
    {"all_equal", {{1, 3}, {0, 2}, {1, 2}}, function(a, b, c) return solver.all_equal {a, b, c} end,
        function(a, b, c) return a == b and b == c end},
    {"member", {{1, 3}, {2, 4}, {0, 5}}, function(a, b, y) return solver.member({a, b}, y) end,
        function(a, b, y) return a == y or b == y end},
    {"increasing", {{1, 3}, {1, 3}, {1, 3}}, function(...) return solver.increasing {...} end,
        function(a, b, c) return a <= b and b <= c end},
    {"strictly_increasing", {{1, 3}, {1, 3}, {1, 3}},
        function(...) return solver.strictly_increasing {...} end,
        function(a, b, c) return a < b and b < c end},
    {"lex_le", {{0, 1}, {0, 2}, {0, 1}, {0, 2}},
        function(a, b, c, d) return solver.lex_le({a, b}, {c, d}) end,
        function(a, b, c, d) return a < c or a == c and b <= d end},
    {"lex_lt", {{0, 1}, {0, 2}, {0, 1}}, function(a, b, c) return solver.lex_lt({a, b}, {c}) end,
        function(a, _, c) return a < c end},
    {"global_cardinality", {{1, 3}, {1, 3}, {1, 3}, {0, 2}, {0, 1}}, function(a, b, c, m, n)
        return solver.global_cardinality({a, b, c}, {1, 3}, {m, n}) end,
        function(a, b, c, m, n)
            return counted({a, b, c}, 1) == m and counted({a, b, c}, 3) == n
        end},
    {"global_cardinality closed", {{1, 3}, {1, 3}, {1, 3}, {0, 2}}, function(a, b, c, m)
        return solver.global_cardinality({a, b, c}, {1, 3}, {m, 2}, true) end,
        function(a, b, c, m)
            local x = {a, b, c}
            return counted(x, 1) == m and counted(x, 3) == 2 and counted(x, 2) == 0
        end},
    {"no_overlap", {{0, 4}, {0, 4}, {0, 4}, {0, 2}}, function(a, b, c, d)
        return solver.disjunctive({a, b, c}, {2, 1, d}) end,
        function(a, b, c, d)
            local s, l = {a, b, c}, {2, 1, d}
            return all_pairs({1, 2, 3}, function(i, j)
                return l[i] == 0 or l[j] == 0 or s[i] + l[i] <= s[j] or s[j] + l[j] <= s[i]
            end)
        end},
    {"no_overlap strict", {{0, 3}, {0, 3}, {0, 2}, {0, 1, bool = true}}, function(a, b, d, p)
        return solver.disjunctive({a, b}, {2, d}, {p, true}, true) end,
        function(a, b, d, p) return p == 0 or a + 2 <= b or b + d <= a end},
    {"cumulative", {{0, 3}, {0, 3}, {0, 2}, {0, 2}, {-1, 3}}, function(a, b, d, r, c)
        return solver.cumulative({a, b}, {2, d}, {1, r}, c) end,
        function(a, b, d, r, c)
            if c < 0 then return false end
            for time = 0, 6 do
                local load = (a <= time and time < a + 2 and 1 or 0)
                    + (b <= time and time < b + d and r or 0)
                if load > c then return false end
            end
            return true
        end},
    {"diffn", {{0, 3}, {0, 2}, {0, 3}, {0, 2}, {0, 2}}, function(x1, y1, x2, y2, w)
        return solver.diffn({x1, x2}, {y1, y2}, {2, w}, {1, 2}) end,
        function(x1, y1, x2, y2, w)
            return w == 0 or x1 + 2 <= x2 or x2 + w <= x1 or y1 + 1 <= y2 or y2 + 2 <= y1
        end},
    {"diffn strict", {{0, 3}, {0, 1}, {0, 3}, {0, 1}, {0, 2}}, function(x1, y1, x2, y2, w)
        return solver.diffn({x1, x2}, {y1, y2}, {2, w}, {1, 2}, true) end,
        function(x1, y1, x2, y2, w)
            return x1 + 2 <= x2 or x2 + w <= x1 or y1 + 1 <= y2 or y2 + 2 <= y1
        end},
    {"circuit", {{1, 4}, {0, 4}, {1, 4}, {1, 5}}, function(...) return solver.circuit {...} end,
        function(...) return cycle_from({...}, 1) == 4 end},
    {"subcircuit", {{1, 3}, {0, 3}, {1, 4}, {1, 4}},
        function(...) return solver.subcircuit {...} end,
        function(...)
            local x, inside, start = {...}, 0, nil
            for k = 1, 4 do
                if not x[x[k]] then return false end
                if x[k] ~= k then inside = inside + 1; start = k end
            end
            return inside == 0 or cycle_from(x, start) == inside
        end},
    {"inverse", {{0, 3}, {1, 3}, {1, 3}, {1, 4}}, function(a, b, c, d)
        return solver.inverse({a, b}, {c, d}) end,
        function(a, b, c, d)
            local f, g = {a, b}, {c, d}
            return g[a] == 1 and g[b] == 2 and f[c] == 1 and f[d] == 2
        end},
    {"sort", {{1, 3}, {1, 2}, {1, 3}, {1, 3}}, function(a, b, c, d)
        return solver.sort({a, b}, {c, d}) end,
        function(a, b, c, d) return c == math.min(a, b) and d == math.max(a, b) end},
    {"arg_sort", {{1, 2}, {1, 3}, {1, 2}, {0, 3}, {1, 3}, {1, 3}}, function(a, b, c, p, q, r)
        return solver.arg_sort({a, b, c}, {p, q, r}) end,
        function(a, b, c, p, q, r)
            local x, order = {a, b, c}, {1, 2, 3}
            table.sort(order, function(i, j) return x[i] < x[j] or x[i] == x[j] and i < j end)
            return order[1] == p and order[2] == q and order[3] == r
        end},
    {"precede", {{1, 3}, {1, 3}, {1, 3}, {1, 3}}, function(...)
        return solver.precede({...}, {2, 1, 3}) end,
        function(...)
            local first = {}
            for k, v in ipairs {...} do first[v] = first[v] or k end
            return (not first[1] or (first[2] or 9) < first[1])
                and (not first[3] or (first[1] or 9) < first[3])
        end},
    {"table", {{1, 3}, {1, 3}, {1, 3}}, function(...)
        return solver.table({...}, {{1, 2, 3}, {3, 3, 1}, {2, 2, 2}, {9, 1, 1}}) end,
        function(...)
            local key = key_of {...}
            return key == "1,2,3" or key == "3,3,1" or key == "2,2,2"
        end},
    {"regular", {{0, 2}, {1, 3}, {1, 2}}, function(...)
        return solver.regular({...}, {transitions = transitions, accepting = {1, 3}}) end,
        function(...)
            local q = 1
            for _, s in ipairs {...} do
                q = transitions[q] and transitions[q][s]
                if not q or q == 0 then return false end
            end
            return q == 1 or q == 3
        end},
    {"mdd", {{0, 3}, {0, 3}}, function(...)
        return solver.mdd({...}, 3, {{1, 0, 1, 2}, {1, 1, 2, 3}, {2, 3, 3, 0}, {3, 0, 1, 0}}) end,
        function(a, b)
            return a <= 1 and b == 3 or a >= 1 and a <= 2 and b <= 1
        end},
    {"bin_packing", {{0, 2}, {1, 3}, {1, 2}, {0, 6}, {0, 5}}, function(a, b, c, l, m)
        return solver.bin_packing({a, b, c}, {1, 2, 3}, {l, m}) end,
        function(a, b, c, l, m)
            local load = {0, 0}
            for k, bin in ipairs {a, b, c} do
                if not load[bin] then return false end
                load[bin] = load[bin] + k
            end
            return load[1] == l and load[2] == m
        end},
    {"knapsack", {{0, 2}, {0, 2}, {0, 9}, {0, 9}}, function(a, b, w, p)
        return solver.knapsack({a, b}, {2, 3}, {1, 4}, w, p) end,
        function(a, b, w, p) return 2 * a + 3 * b == w and a + 4 * b == p end},
    {"count", {{1, 3}, {1, 3}, {1, 3}, {0, 3}}, function(a, b, y, n)
        return solver.count({a, b}, y):eq(n) end,
        function(a, b, y, n) return counted({a, b}, y) == n end},
    {"among", {{1, 5}, {1, 5}, {0, 3}}, function(a, b, n)
        return solver.among({a, b}, {1, {3, 4}}):le(n) end,
        function(a, b, n)
            local set = {true, false, true, true, false}
            return (set[a] and 1 or 0) + (set[b] and 1 or 0) <= n
        end},
    {"nvalue", {{1, 3}, {1, 3}, {1, 3}, {0, 4}}, function(a, b, c, n)
        return solver.nvalue({a, b, c}):eq(n) end,
        function(a, b, c, n)
            return 1 + (b ~= a and 1 or 0) + (c ~= a and c ~= b and 1 or 0) == n
        end},
    {"arg_max", {{1, 3}, {1, 3}, {1, 3}, {0, 4}}, function(a, b, c, n)
        return solver.arg_max({a, b, c}):eq(n) end,
        function(a, b, c, n)
            local best = math.max(a, b, c)
            return n == (a == best and 1 or b == best and 2 or 3)
        end},
    {"arg_min", {{1, 3}, {1, 3}, {1, 3}, {0, 4}}, function(a, b, c, n)
        return solver.arg_min({a, b, c}):ge(n) end,
        function(a, b, c, n)
            local best = math.min(a, b, c)
            return n <= (a == best and 1 or b == best and 2 or 3)
        end},
    {"sum_of_products", {{-1, 2}, {0, 2}, {-2, 1}, {1, 2}, {-4, 4}}, function(a, b, c, d, z)
        return solver.sum_of_products({a, b}, {c, d}, {2, -1}):eq(z) end,
        function(a, b, c, d, z) return 2 * a * c - b * d == z end},
    {"element of variables", {{0, 4}, {1, 3}, {2, 4}, {0, 5}}, function(i, a, b, z)
        return solver.element({a, 3, b}, i):eq(z) end,
        function(i, a, b, z) return ({a, 3, b})[i] == z end},
    {"odd", {{0, 1, bool = true}, {0, 1, bool = true}, {1, 3}}, function(p, q, x)
        return solver.odd {p, ~q, x:ge(2)} end,
        function(p, q, x) return (p + (1 - q) + (x >= 2 and 1 or 0)) % 2 == 1 end},
    {"all and any", {{0, 1, bool = true}, {0, 1, bool = true}, {1, 3}}, function(p, q, x)
        return solver.all {p | q, solver.any {~p, x:eq(2)}} end,
        function(p, q, x) return p + q > 0 and (p == 0 or x == 2) end},
}

local function named(test)
    for _, case in ipairs(cases) do
        local name, domains, build, oracle = table.unpack(case)
        test(name .. ": posted, negated, implied, equal to a Boolean", function(t)
            compare(t, domains, build, oracle, "posted")
            compare(t, domains, function(...) return ~build(...) end,
                function(...) return not oracle(...) end, "negated")
            local wider = table.move(domains, 1, #domains, 1, {})
            local last = #wider + 1
            wider[last] = {0, 1, bool = true}
            compare(t, wider, function(...)
                local v = {...}
                return v[last]:implies(build(table.unpack(v, 1, last - 1)))
            end, function(...)
                local v = {...}
                return v[last] == 0 or oracle(table.unpack(v, 1, last - 1))
            end, "implied")
            compare(t, wider, function(...)
                local v = {...}
                return v[last]:iff(build(table.unpack(v, 1, last - 1)))
            end, function(...)
                local v = {...}
                return (v[last] == 1) == oracle(table.unpack(v, 1, last - 1))
            end, "equal")
        end)
    end

    test("arguments may be undefined: then the constraint is false", function(t)
        compare(t, {{0, 3}, {0, 2}, {0, 1, bool = true}}, function(x, y, p)
            return p:iff(solver.all_different {x // y, y, 5})
        end, function(x, y, p)
            return (p == 1) == (y ~= 0 and x // y ~= y)
        end)
        compare(t, {{0, 3}, {0, 2}}, function(x, y)
            return ~solver.increasing {x % y, 1}
        end, function(x, y) return not (y ~= 0 and x % y <= 1) end)
    end)
end

---------------------------------------------------------------------------------------------------
-- Known counts

local function known(test)
    test("queens", function(t)
        for n, count in pairs {[4] = 2, [6] = 4, [8] = 92} do
            local model <close> = solver.model()
            local q, up, down = model:ints(n, 1, n, "q"), {}, {}
            for k = 1, n do up[k], down[k] = q[k] + k, q[k] - k end
            model:all_different(q)
            model:all_different(up)
            model:all_different(down)
            t.equal(select(2, solutions_of(t, model, q)), count)
            t.equal(model:status(), "satisfied")
        end
    end)

    test("magic squares of order 3", function(t)
        local model <close> = solver.model()
        local s = model:matrix(3, 3, 1, 9, "s")
        model:all_different(s:flat())
        for k = 1, 3 do
            model:post(s:row(k):sum():eq(15))
            model:post(s:column(k):sum():eq(15))
        end
        model:post((s[1][1] + s[2][2] + s[3][3]):eq(15))
        model:post((s[1][3] + s[2][2] + s[3][1]):eq(15))
        t.equal(select(2, solutions_of(t, model, s:flat())), 8)
    end)

    test("permutations, subsets, partitions", function(t)
        local model <close> = solver.model()
        local p = model:ints(5, 1, 5, "p")
        model:all_different(p)
        t.equal(select(2, solutions_of(t, model, p)), 120)
        local subsets <close> = solver.model()
        local b = subsets:bools(6, "b")
        subsets:post(b:sum():eq(3))
        t.equal(select(2, solutions_of(t, subsets, b)), 20)
        local coins <close> = solver.model() -- of 50 with 1, 5, 10, 25
        local c = coins:ints(4, 0, 50, "c")
        coins:post(c:sum_of_products({1, 5, 10, 25}):eq(50))
        t.equal(select(2, solutions_of(t, coins, c)), 49)
    end)

    test("a sudoku of one solution", function(t)
        local clues = "53..7....6..195....98....6.8...6...34..8.3..17...2...6.6....28....419..5"
            .. "....8..79"
        local model <close> = solver.model()
        local s = model:matrix(9, 9, 1, 9, "s")
        for k = 1, 9 do
            model:all_different(s:row(k))
            model:all_different(s:column(k))
            local r, c = (k - 1) // 3 * 3 + 1, (k - 1) % 3 * 3 + 1
            model:all_different(s:block(r, c, 3, 3))
        end
        for k = 1, 81 do
            local clue = math.tointeger(tonumber(clues:sub(k, k)))
            if clue then model:post(s:flat()[k]:eq(clue)) end
        end
        local solution = model:solve()
        t.equal(table.concat(solution[s:flat()]),
            "534678912672195348198342567859761423426853791713924856961537284287419635345286179")
        t.equal(model:unique(solution), true)
    end)
end

---------------------------------------------------------------------------------------------------
-- Searches

local function queens(n, options)
    local model = solver.model(options)
    local q, up, down = model:ints(n, 1, n, "q"), {}, {}
    for k = 1, n do up[k], down[k] = q[k] + k, q[k] - k end
    model:all_different(q)
    model:all_different(up)
    model:all_different(down)
    return model, q
end

-- More pigeons than holes, by pairs: no propagation sees it, and the search takes an age. With a
-- third variable, which is 0, the pairs are not taken for one alldifferent.
local function pigeons(n)
    local model = solver.model()
    local x = model:ints(n + 1, 1, n, "x")
    local zero = model:int(0, 1)
    model:post(zero:le(0))
    for i = 1, n + 1 do
        for j = i + 1, n + 1 do model:post((x[i] + zero):ne(x[j])) end
    end
    return model, x
end

local function searches(test)
    test("solve: solutions, statuses, values", function(t)
        local model = solver.model()
        local x, b = model:int(0, 10, "x"), model:bool("b")
        local list = model:ints(2, {1, 5, {7, 8}}, "list")
        model:post(b:iff(x:ge(5)))
        model:post(list[1]:gt(list[2]))
        model:maximize(2 * x + list[1])
        local s, status = model:solve()
        t.equal(status, "optimal")
        t.equal(s.objective, 28)
        t.equal(s[x], 10)
        t.equal(s[b], true)
        t.equal(s[~b], false)
        t.equal(s:value(x // 3), 3)
        t.equal(s:value(x // (x - 10)), nil)
        t.equal(s:value(7), 7)
        t.same(s[{x, b, 3}], {10, true, 3})
        t.equal(s[list][1], 8)
        t.equal(tostring(s), "cns.solution of objective 28")
        model:minimize(x)
        t.equal(model:solve()[x], 0)
        model:post(x:ge(3), "at least three")
        t.equal(model:solve()[x], 3)
        t.equal(s[x], 10, "an old solution")
        model:post(x:le(2))
        local none, why = model:solve()
        t.equal(none, nil)
        t.equal(why, "infeasible")
        t.equal(model:status(), "infeasible")
    end)

    test("a model may grow between searches, and ask for others", function(t)
        local model, q = queens(6)
        t.equal(select(2, solutions_of(t, model, q)), 4)
        model:post(q[1]:ne(2))
        t.equal(select(2, solutions_of(t, model, q)), 3)
        t.ok(model:solve())
        t.equal(select(2, solutions_of(t, model, q)), 3)
        local late = model:int(0, 1, "late")
        t.equal(select(2, solutions_of(t, model, {q[1], q[2], q[3], late})), 6)
        model:minimize(q[1])
        t.equal(model:solve()[q[1]], 3)
        model:satisfy()
        t.equal(select(2, solutions_of(t, model, {q[1], q[2], q[3], late})), 6)
    end)

    test("limits: time, conflicts, cancel, progress", function(t)
        local model = pigeons(14)
        local began = cns.clock()
        local none, why = model:solve {time = "50 ms"}
        t.equal(none, nil)
        t.equal(why, "time limit")
        t.ok(cns.clock() - began < (sanitized and 2 or 0.5), "50 ms")
        t.equal(select(2, model:solve {conflicts = 50}), "conflict limit")
        t.equal(select(2, model:solve {conflicts = 50}), "conflict limit")
        local calls = 0
        t.equal(select(2, model:solve {progress = function(stats)
            calls = calls + 1
            t.ok(stats.nodes > 0)
            return calls < 3
        end}), "cancelled")
        t.equal(calls, 3)
        t.equal(select(2, model:solve {time = 0}), "time limit")
        local big, x = queens(8)
        big:minimize(x[1] * 10 + x[2])
        local s, status = big:solve {conflicts = 1000000, restart = "luby", restart_scale = 50,
            strategy = "free"}
        t.equal(status, "optimal")
        t.equal(s.objective, 15)
    end)

    test("a limit on conflicts counts from its own search on", function(t)
        local model, q = queens(8)
        t.equal(select(2, solutions_of(t, model, q)), 92)
        t.ok(model:stats().failures > 100)
        model:post((q[1] + q[2] + q[3]):eq(17))
        t.ok(model:solve {conflicts = 10000})
    end)

    test("a model without variables has one solution, or none", function(t)
        local model = solver.model()
        model:post(solver.sum {}:le(0) & solver.sum({2, 3}, {1, -1}):eq(-1))
        t.ok(model:solve())
        t.equal(select(2, solutions_of(t, model, {})), 1)
        model:post(true)
        t.ok(model:solve())
        model:post(false, "nothing")
        t.same({model:solve()}, {nil, "infeasible"})
        t.equal(tostring(model:explain()), "This cannot hold:\n  - nothing")
    end)

    test("the same seed gives the same search", function(t)
        local function first(seed)
            local model, q = queens(12, {seed = seed})
            return table.concat(model:solve()[q], " ") .. " " .. model:stats().nodes
        end
        t.equal(first(5), first(5))
        local model, q = queens(12)
        local a = table.concat(model:solve {seed = 9}[q], " ")
        local b = table.concat(model:solve {seed = 4}[q], " ")
        t.equal(table.concat(model:solve {seed = 9}[q], " "), a)
        t.equal(table.concat(model:solve {seed = 4}[q], " "), b)
    end)

    test("phases and hints", function(t)
        local model = solver.model()
        local x = model:ints(3, 1, 5, "x")
        model:post((x[1] + x[2]):le(x[3] + 4))
        model:search(x, "input_order", "max")
        t.same(model:solve {strategy = "fixed"}[{x[1], x[2], x[3]}], {5, 4, 5})
        t.raises("expected input_order, first_fail", model.search, model, x, "best")
        t.raises("expected min, max", model.search, model, x, "smallest", "least")
        local other = solver.model()
        local y = other:ints(4, 1, 100, "y")
        other:all_different(y)
        for k = 1, 4 do other:hint(y[k], 17 * k) end
        t.same(other:solve()[{y[1], y[2], y[3], y[4]}], {17, 34, 51, 68})
        local s = other:solve()
        other:hint(s)
        other:post(y[1]:ge(3))
        t.same(other:solve()[{y[1], y[2]}], {17, 34})
    end)

    test("steps of a frame loop", function(t)
        local model, q = queens(8)
        local count, calls = 0, 0
        repeat
            local outcome, s = model:step {ticks = 500}
            calls = calls + 1
            if outcome == "solution" then
                count = count + 1
                t.equal(#s[q], 8)
            end
        until outcome == "complete"
        t.equal(count, 92)
        t.ok(calls > 92 + 1, "some calls only searched")
        t.equal(model:step {ms = 1}, "complete")
        model:restart()
        t.equal(model:step(), "solution")
        model:cancel()
        t.equal(model:step {ms = 1}, "stopped")
        t.equal(model:step {ms = 1}, "stopped")
        local hard = pigeons(13)
        for _ = 1, 5 do
            local began = cns.clock()
            t.equal(hard:step {ms = 2}, "running")
            t.ok(cns.clock() - began < (sanitized and 1 or 0.1))
        end
        t.equal(hard:status(), "running")
    end)

    test("coroutines: loops that yield, two models at once, progress that yields", function(t)
        local function walker(n)
            return coroutine.wrap(function()
                local model, q = queens(n)
                for s in model:solutions() do coroutine.yield(table.concat(s[q], "")) end
                return "end"
            end)
        end
        local a, b, seen = walker(6), walker(6), 0
        while true do
            local x, y = a(), b()
            t.equal(x, y)
            if x == "end" then break end
            seen = seen + 1
        end
        t.equal(seen, 4)
        local model = pigeons(12)
        local solving = coroutine.create(function()
            return model:solve {progress = coroutine.yield}
        end)
        for _ = 1, 3 do
            local _, stats = coroutine.resume(solving)
            t.equal(type(stats), "table")
        end
        model:cancel()
        t.same({coroutine.resume(solving)}, {true, nil, "cancelled"})
        local outer = queens(6)
        local iterator = outer:solutions()
        t.ok(iterator())
        t.ok(outer:solve())
        t.raises("searched anew", iterator)
        local again = pigeons(12)
        t.raises("searched anew", again.solve, again,
            {progress = function() again:solve {conflicts = 10} end})
    end)

    test("assumptions, with names, and what is to blame", function(t)
        local model = solver.model()
        local x, y = model:int(0, 9, "x"), model:int(0, 9, "y")
        model:post((x + y):eq(9))
        local s = model:solve {assume = {x:ge(4), ["y is large"] = y:ge(5)}}
        t.same(s[{x, y}], {4, 5})
        local low = x:le(2)
        local none, why, core = model:solve {assume = {low, x:ge(0), late = y:le(5), odd = y:ne(6)}}
        t.equal(none, nil)
        t.equal(why, "infeasible")
        t.equal(#core, 2)
        t.equal(core[1], low)
        t.equal(core[2], "late")
        t.equal(core.minimal, true)
        t.ok(model:solve(), "assumptions are gone")
        model:post(x:gt(9))
        t.same({model:solve {assume = {y:ge(1)}}}, {nil, "infeasible", {minimal = true}})
    end)

    test("explanations are minimal and in the user's names", function(t)
        local model = solver.model()
        local room = model:ints(4, 1, 3, "room")
        for i = 1, 4 do
            for j = i + 1, 4 do
                model:post(room[i]:ne(room[j]), ("%d and %d overlap"):format(i, j))
            end
        end
        model:post(room[1]:le(2), "1 needs a projector")
        model:post(solver.table({room[1], room[2]}, {{1, 1}, {2, 2}, {1, 2}, {2, 1}}), "doors")
        local why = model:explain()
        t.equal(#why, 6)
        t.equal(tostring(why):match("^[^\n]*"), "These cannot hold together:")
        for _, item in ipairs(why) do
            t.ok(item.name:find("overlap"), item.name)
            t.equal(#item.relations, 1)
            -- Without this one the others can hold.
            local rest = solver.model()
            local r = rest:ints(4, 1, 3, "r")
            for _, other in ipairs(why) do
                local i, j = other.name:match("(%d) and (%d)")
                if other ~= item then
                    rest:post(r[math.tointeger(tonumber(i))]:ne(r[math.tointeger(tonumber(j))]))
                end
            end
            t.ok(rest:solve(), item.name)
        end
        model:post(room[2]:le(0), "2 is nowhere")
        t.equal(#model:explain(), 1)
        t.equal(tostring(model:explain()), "This cannot hold:\n  - 2 is nowhere")
        local fine = solver.model()
        fine:post(fine:int(0, 3, "x"):le(2), "small")
        t.same({fine:explain()}, {nil, "feasible"})
        local hopeless = solver.model()
        local x = hopeless:int(0, 3, "x")
        hopeless:post(x:gt(3))
        hopeless:post(x:le(2), "small")
        t.equal(#hopeless:explain(), 0)
        local nameless = solver.model()
        nameless:post(nameless:int(0, 3, "x"):gt(3))
        t.equal(tostring(nameless:explain()),
            "The constraints without a name contradict each other.")
    end)

    test("explanations of named constraints that the engine cannot condition", function(t)
        local model = solver.model()
        local x = model:ints(4, 1, 4, "x")
        model:post(solver.circuit(x), "a tour")
        model:post(solver.all_different {x[1], x[2]}, "differ")
        model:post(x[2]:eq(2), "stay at 2")
        model:post(solver.cumulative(x, {1, 1, 1, 1}, {1, 1, 1, 1}, 4), "capacity")
        local why = model:explain()
        t.equal(#why, 2)
        t.equal(why[1].name, "a tour")
        t.equal(why[2].name, "stay at 2")
    end)

    test("uniqueness", function(t)
        local model = solver.model()
        local x, y = model:int(0, 3, "x"), model:bool("y")
        model:post((x + y):eq(4))
        local s = model:solve()
        t.equal(model:unique(s), true)
        local free = solver.model()
        local a = free:int(0, 3, "a")
        local only, other = free:unique((free:solve()))
        t.equal(only, false)
        t.ok(other[a] >= 0)
        free:maximize(a % 2)
        only, other = free:unique((free:solve()))
        t.equal(only, false)
        t.equal(other[a] % 2, 1)
        free:maximize(a)
        t.equal(free:unique((free:solve())), true)
        t.raises("a solution is needed", free.unique, free, 3)
        t.equal(free:unique(free:solve()), true)
    end)

    test("intervals", function(t)
        local model = solver.model()
        local tasks = {}
        for k, duration in ipairs {3, 2, 4} do
            tasks[k] = model:interval {start = {0, 20}, duration = duration, name = "task " .. k}
        end
        local extra = model:interval {start = {0, 20}, duration = {1, 5}, optional = true}
        model:no_overlap {tasks[1], tasks[2], tasks[3], extra}
        model:post(tasks[3]:before(tasks[1], 1))
        model:post(tasks[1]:before(extra))
        model:post(extra.presence)
        model:post(extra.duration:ge(2))
        local last = solver.max {tasks[1].finish, tasks[2].finish, tasks[3].finish, extra.finish}
        model:minimize(last)
        t.equal(model:solve().objective, 11) -- task 2 lies in the gap
        model:cumulative({tasks[1], tasks[2], tasks[3], extra}, {1, 1, 1, 2}, 1)
        t.equal(select(2, model:solve()), "infeasible")
    end)

    test("matrices are read at expressions", function(t)
        local model <close> = solver.model()
        local m = model:matrix(2, 3, 0, 9, "m")
        for r = 1, 2 do
            for c = 1, 3 do model:post(m[r][c]:eq(3 * r + c)) end
        end
        local r, c, z = model:int(0, 3, "r"), model:int(0, 4, "c"), model:int(0, 20, "z")
        model:post(m:at(r, c):eq(z))
        local seen = 0
        for s in model:solutions() do
            t.equal(s[z], 3 * s[r] + s[c])
            t.ok(s[r] >= 1 and s[r] <= 2 and s[c] >= 1 and s[c] <= 3)
            seen = seen + 1
        end
        t.equal(seen, 6)
    end)
end

---------------------------------------------------------------------------------------------------
-- Several workers

-- A random 3-SAT formula with more clauses than the threshold of 4.26 a variable; the objective is
-- how many of them are broken, which takes long enough for other workers to join.
local function broken_clauses(seed, n, m)
    local random = seed
    local function below(limit)
        random = (random * 1103515245 + 12345) % 2147483648
        return random // 65536 % limit
    end
    local model = solver.model {seed = seed}
    local x, broken = model:bools(n, "x"), {}
    for k = 1, m do
        local clause
        for _ = 1, 3 do
            local v = x[1 + below(n)]
            local literal = below(2) == 0 and v or ~v
            clause = clause and clause | literal or literal
        end
        broken[k] = ~clause
    end
    model:minimize(solver.sum(broken))
    return model
end

local function teams(test)
    test("several workers find the same optimum, on any pool", function(t)
        local pool <close> = cns.tasks.new {workers = 2}
        for seed = 1, 2 do
            local one, status = broken_clauses(seed, 30, 200):solve()
            t.equal(status, "optimal")
            for _, options in ipairs {
                {workers = 2}, {tasks = pool}, {workers = 3, tasks = pool, deterministic = true},
            } do
                local model = broken_clauses(seed, 30, 200)
                local s, came = model:solve(options)
                t.equal(came, "optimal")
                t.equal(s.objective, one.objective)
                t.equal(select(2, model:solve()), "optimal", "and alone again")
            end
        end
    end)

    test("the deterministic mode repeats itself", function(t)
        local function run()
            local model = broken_clauses(7, 30, 200)
            local list = {}
            for s in model:solutions {workers = 2, deterministic = true} do
                list[#list + 1] = s.objective
            end
            return table.concat(list, " ") .. ": " .. model:stats().failures
        end
        t.equal(run(), run())
    end)

    test("a pool that is closed is missed, one that works is not in the way", function(t)
        local model = broken_clauses(3, 30, 200)
        local pool = cns.tasks.new {workers = 2}
        t.equal(model:step {ticks = 1000, tasks = pool}, "running")
        pool:close()
        t.raises("closed", model.step, model, {ms = 1})
        t.raises("closed", model.solve, model, {tasks = pool})
        t.raises("cns.tasks.pool", model.solve, model, {tasks = 3})
        t.raises("workers", model.solve, model, {workers = 0})
        t.raises("2000 workers", model.solve, model, {workers = 2000})
        local limit = model:solve {time = "50 ms", workers = 2}
        t.ok(limit == nil or limit.objective >= 0)
        t.equal(select(2, model:solve()), "optimal")
    end)

    test("models searched inside tasks by the same pool's workers", function(t)
        local pool <close> = cns.tasks.new {workers = 2}
        local function inside(seed, make)
            local s, status = make(seed, 30, 180):solve {workers = 2,
                tasks = require "cns".tasks.default()}
            return s.objective .. status
        end
        local futures = {}
        for k = 1, 4 do futures[k] = pool:spawn(inside, k, broken_clauses) end
        for k = 1, 4 do
            local s = broken_clauses(k, 30, 180):solve()
            t.equal(futures[k]:await(), s.objective .. "optimal")
        end
    end)
end

---------------------------------------------------------------------------------------------------
-- What should not be

local function hostile(test)
    test("errors name the caller's line, the argument, what was expected and what came", function(t)
        local model = solver.model()
        local x, b = model:int(0, 9, "x"), model:bool("b")
        local function refused(pattern, fn, ...)
            t.raises("test_solver%.lua:%d+: .*" .. pattern, fn, ...)
        end
        refused("post: a truth value .* is needed, got the integer expression x",
            function() model:post(x) end)
        refused("post: .*, got nil", function() model:post() end)
        refused("%+: an integer or an expression is needed, got \"a\"",
            function() return x + "a" end)
        refused("%*: .*got 1.5", function() return x * 1.5 end)
        refused("&: a truth value .*got 1", function() return b & 1 end)
        refused("|: a truth value .*the integer expression x", function() return b | x end)
        refused("Lua.s < and <= cannot make relations: write x:lt", function() return x < 3 end)
        refused("Lua.s .* cannot make relations", function() return x <= x end)
        refused("/ is for real numbers: use //", function() return x / 2 end)
        refused("le: .*got a table", function() x:le({}) end)
        refused("low..high: 3..2 is empty", function() model:int(3, 2) end)
        refused("low: an integer in .* is needed, got 1e%+300", function() model:int(1e300, 2) end)
        refused("high: .*got 1099511627777", function() model:int(0, (1 << 40) + 1) end)
        refused("name: a string is needed, got 3", function() model:int(0, 1, 3) end)
        refused("values: a list of at least one", function() model:int({}) end)
        refused("within%[2%]: an integer is needed, got true", function() x:within {1, true} end)
        refused("all_different%[2%]: .*got a table", function() model:all_different {x, {}} end)
        refused("all_different: a list is needed, got one expression",
            function() model:all_different(x) end)
        refused("min: a list of at least one", function() solver.min {} end)
        refused("lists of one length are needed, got 2 and 1",
            function() solver.cumulative({x, x}, {1}, {1, 1}, 2) end)
        refused("rows%[1%]: 1 elements are needed, got 2",
            function() solver.table({x}, {{1, 2}}) end)
        refused("transitions: an integer in 0..1 is needed, got 7",
            function() solver.regular({x}, {transitions = {{7}}, accepting = {1}}) end)
        refused("solve: unknown option \"tme\" %(known: time", function() model:solve {tme = 1} end)
        refused("solve: a table of options is needed, got 3", function() model:solve(3) end)
        refused("seed: an integer is needed, got \"x\"", function() model:solve {seed = "x"} end)
        refused("a model is needed, got nil", function() model.int(nil, 1, 2) end)
        refused("the variable x belongs to another model",
            function() solver.model():post(x:le(3)) end)
        refused("beyond 2^40", function()
            local y = model:int(0, 1 << 40)
            model:post((y * y):le(5))
        end)
        refused("times: the product may reach 2^62 .*: a%*b = 3$", function()
            local big = solver.model()
            big:post((big:int(0, 1 << 40, "a") * big:int(0, 1 << 40, "b")):eq(3))
        end)
        refused("beyond 2^62", function()
            local y = model:int(0, 1 << 40)
            model:post(((1 << 30) * y):le(5))
        end)
        refused("the coefficient or constant .* beyond 2^62", function()
            return (x * (1 << 60)) * 8
        end)
        refused("the constant .* is beyond 2^40", function()
            model:post(solver.max({x, 1 << 50}):le(5))
        end)
        refused("no value below 0", function()
            model:post(solver.cumulative({x}, {model:int(-1, 1)}, {1}, 1))
        end)
        refused("option 'time': seconds >= 0", function() model:solve {time = -1} end)
        refused("option 'strategy': default, fixed, free expected, got 'fast'",
            function() model:solve {strategy = "fast"} end)
        refused("option 'restart': default, .* expected, got 3",
            function() model:solve {restart = 3} end)
        refused("option 'memory': bytes", function() solver.model {memory = "much"} end)
        refused("memory limit", function() solver.model {memory = 1000} end)
        refused("an index that is an expression, x: write list:at%(index%)",
            function() return model:ints(2, 0, 1)[x] end)
        refused("hint: .*got the expression x %+ 1", function() model:hint(x + 1, 1) end)
        refused("no_overlap%[1%]: .*got the expression x", function() model:no_overlap {x} end)
        local solution = model:solve()
        refused("a solution has no field \"x\": .*solution%[x%]", function() return solution.x end)
        refused("got a cns.interval",
            function() return solution[model:interval {start = {0, 1}, duration = 1}] end)
        t.equal(solution.objective, nil)
        local _, message = pcall(function() solver.model():post(x:le(3)) end)
        t.equal(select(2, message:gsub("test_solver%.lua", "")), 1)
        refused("assume: a list", function() model:solve {assume = x} end)
        refused("assume%[1%]: a truth value", function() model:solve {assume = {x}} end)
        -- After all of that the model is what it was.
        model:post(x:ge(8))
        model:minimize(x)
        t.same(model:solve()[{x, b & ~b}], {8, false})
    end)

    test("a constraint that fails half-way leaves nothing behind", function(t)
        local model = solver.model()
        local y, z = model:int(0, 4, "y"), model:int(0, 1 << 40, "z")
        t.raises("beyond", model.post, model, y:le(1) & (z * z):ge(3))
        model:maximize(y)
        t.equal(model:solve().objective, 4)
    end)

    test("metamethods that raise, holes, tables that lie", function(t)
        local model = solver.model()
        local x = model:ints(3, 0, 3, "x")
        local bomb = setmetatable({}, {__index = function() error("boom") end,
            __len = function() return 3 end})
        t.raises("boom", model.all_different, model, bomb)
        t.raises("boom", solver.sum, bomb)
        t.raises("element 2 is missing", solver.sum, setmetatable({x[1]}, {__len = function()
            return 2
        end}))
        t.raises("boom", solver.table, {x[1]}, bomb)
        local closing = setmetatable({}, {__len = function() return 2 end,
            __index = function(_, k) model:close() return k end})
        t.raises("the model is closed", model.all_different, model, closing)
        t.raises("the model is closed", model.int, model, 0, 1)
        t.raises("the model is closed", model.solve, model)
        t.raises("the model is closed", model.step, model)
        model:close()
    end)

    test("deep and wide expressions", function(t)
        local model <close> = solver.model()
        local x = model:ints(200, 0, 1, "x")
        local chain = x[1]
        for k = 2, 20000 do chain = chain + x[(k - 1) % 200 + 1] end
        model:post(chain:eq(20000))
        t.equal(model:solve()[x[7]], 1)
        local deep = x[1]
        for _ = 1, 300000 do deep = solver.abs(deep) end
        local ok, why = pcall(model.post, model, deep:ge(1))
        t.ok(ok or why:find("overflow"), tostring(why))
        t.equal(type(tostring(deep:le(chain))), "string")
        t.equal(model:solve()[x[7]], 1)
    end)

    test("expressions that share what they are made of", function(t)
        local model <close> = solver.model()
        local x, b = model:int(0, 1, "x"), model:bool("b")
        local e, every, either, odd, sum, choice = x, b, b, b, x, x
        for _ = 1, 60 do
            e = e * e
            every = (every & x:ge(0)) & every
            either = (either | x:ge(2)) | either
            odd = odd ~ (odd ~ b)
            sum = solver.abs(sum - (sum + 1)) * sum
            choice = b:choose(choice, choice * choice)
        end
        model:post(every)
        model:post(either)
        model:post(odd)
        model:post(sum:eq(1) & choice:ge(1))
        model:maximize(e)
        local s = model:solve()
        t.equal(s.objective, 1)
        t.equal(s[every], true)
        t.equal(s[either & every], true)
        t.equal(s[choice], 1)
        for _, node in ipairs {e, every, either, odd, sum, choice} do
            t.ok(#tostring(node) < 10000)
        end
    end)

    test("a memory limit is an error, and the model goes on with more room", function(t)
        local function build(memory)
            local model = solver.model {memory = memory}
            local x = model:ints(60, 1, 60, "x")
            model:all_different(x)
            for k = 1, 58 do model:post((x[k] * x[k + 1] + x[k + 2]):ne(100 + k)) end
            return model, x
        end
        local refused, solved = 0, 0
        for size = 16, 4096, 272 do
            local ok, result = pcall(function()
                local model <close>, x = build(size << 10)
                return model:solve {conflicts = 20000}[x]
            end)
            if ok then
                solved = solved + 1
                t.equal(#result, 60)
            else
                refused = refused + 1
                t.ok(result:find("memory"), result)
            end
        end
        t.ok(refused > 0 and solved > 0, refused .. " refused, " .. solved .. " solved")
    end)

    test("raw: closed, of another type, any argument", function(t)
        local raw = solver.raw {seed = 1}
        t.equal(raw, raw)
        local x, y = raw:int(0, 5, "x"), raw:int({1, 2, 8, 9}, "y")
        local b = raw:bool("b")
        t.same({raw:bounds(y)}, {1, 9})
        t.same({raw:bounds(~b)}, {0, 1})
        t.equal(raw:name(x), "x")
        t.equal(raw:name(77), nil)
        t.same({raw:counts()}, {3, 0})
        raw:add("linear_le", {{x, y}}, {{1, 1}, {4}}, "iff", b, "small")
        t.raises("linear_le \"odd\": coefficients .*expected 2", raw.add, raw, "linear_le",
            {{x, y}}, {{1}, {4}}, nil, nil, "odd")
        t.raises("there is no constraint 'lineal'", raw.add, raw, "lineal")
        t.raises("at most four lists", raw.add, raw, 1, {{}, {}, {}, {}, {}})
        t.raises("list 1 is of type number", raw.add, raw, 1, {1})
        t.raises("element 2 is nil", raw.add, raw, 1, {setmetatable({b, nil, b}, {})})
        t.raises("element 1 is 1.5", raw.add, raw, 1, {{1.5}})
        t.raises("element 1 is 4294967296", raw.add, raw, 1, {{1 << 32}})
        t.raises("expected always, if, iff", raw.add, raw, 1, {{b}}, nil, "when", b)
        t.raises("no condition", raw.add, raw, "circuit", {{x}}, nil, "if", b)
        t.raises("there is no variable 99", raw.bounds, raw, 99)
        t.equal(raw:value(x), nil)
        t.equal(raw:values(), nil)
        t.equal(raw:core(), nil)
        t.equal(raw:step(), "solution")
        t.equal(#raw:values(), 3)
        t.equal(#raw:values(2), 2)
        t.raises("more values than variables", raw.values, raw, 4)
        t.same({raw:check_values({0, 1, 1})}, {true})
        t.equal(raw:check_values({5, 9, 1}), false)
        t.raises("2 values for 3 variables", raw.check_values, raw, {0, 1})
        raw:check()
        local random = random_of(11)
        local junk = {nil, true, -1, 0, 1, 2, 3, 1 << 40, math.mininteger, math.maxinteger, 0.5,
            0 / 0, 1 / 0, "", "free", "iff", {}, {1}, {{1}}, {{0, 1}, {2}}, print, raw, io.stdout,
            coroutine.create(print), {time = 1}, {all = 1}}
        for name, method in pairs(getmetatable(raw) == "locked" and {
            int = raw.int, bool = raw.bool, constant = raw.constant, bounds = raw.bounds,
            name = raw.name, counts = raw.counts, output = raw.output, add = raw.add,
            goal = raw.goal, search = raw.search, hint = raw.hint, options = raw.options,
            assume = raw.assume, cancel = raw.cancel, restart = raw.restart, value = raw.value,
            values = raw.values, core = raw.core, stats = raw.stats, check = raw.check,
            check_values = raw.check_values}) do
            for _ = 1, 300 do
                local arguments = {}
                for k = 1, 8 do arguments[k] = junk[random(26)] end
                local ok, why = pcall(method, raw, table.unpack(arguments, 1, random(9) - 1))
                t.ok(ok or type(why) == "string", name)
            end
        end
        for kind = 1, 43 do
            for _ = 1, 100 do
                local v, i = {}, {}
                for k = 1, random(5) - 1 do
                    v[k] = {}
                    for j = 1, random(4) - 1 do v[k][j] = random(8) - 3 end
                end
                for k = 1, random(5) - 1 do
                    i[k] = {}
                    for j = 1, random(5) - 1 do i[k][j] = random(7) - 3 end
                end
                pcall(raw.add, raw, kind, v, i, ({nil, "if", "iff"})[random(3)], random(4) - 1)
            end
        end
        raw:restart()
        for _ = 1, 50 do
            if pcall(raw.step, raw, 1000) then raw:check() end
        end
        raw:close()
        raw:close()
        t.equal(tostring(raw), "cns.solver (closed)")
        t.raises("cns.solver is closed", raw.step, raw)
        t.raises("cns.solver is closed", raw.values, raw)
        t.raises("cns.solver expected, got", raw.step, io.stdout)
        t.raises("unknown option 'sed' %(known: seed, memory%)", solver.raw, {sed = 1})
        t.equal(cns.solver.raw, solver.raw)
        t.equal(cns.solver.model, solver.model)
        t.equal(cns.solver.nonsense, nil)
    end)

    test("models are collected in any order, with searches under way", function(t)
        for round = 1, 60 do
            local model, q = queens(6)
            local iterator = model:solutions()
            t.ok(iterator())
            local s = iterator()
            if round % 2 == 0 then model = nil end -- luacheck: ignore
            collectgarbage()
            t.equal(#s[q], 6)
            t.ok(iterator())
            setmetatable({}, {__gc = function() pcall(iterator) end})
        end
        collectgarbage("generational")
        for round = 1, 300 do
            local raw = solver.raw()
            local vars = {}
            setmetatable({}, {__gc = function() raw:close() end})
            local ok, why = pcall(function()
                for k = 1, 50 do
                    vars[k] = raw:int(0, round, ("v"):rep(k))
                    raw:add("alldifferent", {vars})
                end
                raw:options {time = 1, strategy = "free"}
                raw:step(1000)
                return raw:values(), raw:stats(), raw:core()
            end)
            t.ok(ok or why:find("closed"), tostring(why))
        end
        collectgarbage("incremental")
    end)

    test("a search is stopped within 100 ms", function(t)
        local tasks = cns.tasks
        local pool <close> = tasks.new {workers = 1}
        local best
        for _ = 1, 8 do -- others may keep the processor
            local ready, token = tasks.cancel(), tasks.cancel()
            local future = pool:spawn_with({cancel = token, name = "search"}, function(signal)
                local model = require "cns".solver.model()
                local x = model:ints(15, 1, 14, "x")
                local zero = model:int(0, 1) -- as above
                model:post(zero:le(0))
                for i = 1, 15 do
                    for j = i + 1, 15 do model:post((x[i] + zero):ne(x[j])) end
                end
                model:step {ticks = 1}
                signal:cancel()
                return model:solve()
            end, ready)
            while not ready:cancelled() and not future:wait(0.001) do end
            cns.sleep(0.02)
            local begun = cns.clock()
            token:cancel()
            t.raises("cancelled", future.await, future)
            best = math.min(best or 9, cns.clock() - begun)
            if best < 0.1 then break end
        end
        t.ok(best < (sanitized and 1 or 0.1), ("%.3f s"):format(best))
    end)
end

return function(test)
    random_models(test)
    named(test)
    known(test)
    searches(test)
    teams(test)
    hostile(test)
end
