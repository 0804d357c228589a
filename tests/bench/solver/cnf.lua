-- SPDX-License-Identifier: MIT
--
-- cnf.lua - formulas for the row against MiniSat, seeded, as DIMACS: random 3-SAT at the threshold
-- with 250 variables and more, as in SATLIB's uf250; and structured ones as industry has them:
-- factoring, equivalence of multipliers, bounded model checking of random sequential circuits, hash
-- inversion, graph colouring, quasigroups with holes, pigeons with structure, parity. known: what
-- the formula was made to be ("sat", "unsat"), or nil.

local circuit = require "circuit"
local random_of = require "random".of

local cnf = {}

local function random_3sat(random, variables)
    local c = circuit.new()
    for _ = 1, variables do c:variable() end
    for _ = 1, math.floor(4.26 * variables + 0.5) do
        local a, b, d = random(1, variables), random(1, variables), random(1, variables)
        while b == a do b = random(1, variables) end
        while d == a or d == b do d = random(1, variables) end
        c:clause(random(0, 1) == 1 and a or -a, random(0, 1) == 1 and b or -b,
            random(0, 1) == 1 and d or -d)
    end
    return c
end

local function is_prime(n)
    if n % 2 == 0 then
        return n == 2
    end
    for d = 3, math.tointeger(math.sqrt(n) // 1), 2 do
        if n % d == 0 then
            return false
        end
    end
    return n > 1
end

local function prime(random, bits)
    local n
    repeat n = random(1 << bits - 1, (1 << bits) - 1) until is_prime(n)
    return n
end

-- Two factors of `bits` bits, neither 1, of a product of two primes or of one prime.
local function factoring(random, bits, known)
    local c = circuit.new()
    local a, b = c:number(bits), c:number(bits)
    local target = known == "sat" and prime(random, bits) * prime(random, bits)
        or prime(random, 2 * bits - 1)
    c:set(c:product(a, b), target)
    for _, number in ipairs {a, b} do
        c:clause_of(table.move(number, 2, bits, 1, {})) -- 2 or more
    end
    return c
end

local function miter(_, bits)
    local c = circuit.new()
    local a, b = c:number(bits), c:number(bits)
    c:differ(c:product(a, b), c:product(b, a))
    return c
end

-- A random circuit of latches and inputs, unrolled: can a given set of latches be on at the end?
local function bounded_model(random, latches, steps)
    local gates, inputs, plan = 4 * latches, latches // 2, {}
    for g = 1, gates do
        local last = latches + inputs + g - 1
        plan[g] = {random(1, 3), random(math.max(1, last - 3 * latches), last),
            random(1, last), random(0, 1) == 1}
    end
    local c = circuit.new()
    local state = c:number(latches)
    c:set(state, 0)
    for _ = 1, steps do
        local wires = table.move(state, 1, latches, 1, {})
        for i = 1, inputs do wires[latches + i] = c:variable() end
        for _, gate in ipairs(plan) do
            local kind, a, b = gate[1], wires[gate[2]], wires[gate[3]]
            a = gate[4] and -a or a
            wires[#wires + 1] = kind == 1 and c:parity(a, b) or kind == 2 and c:conjunction(a, b)
                or c:disjunction(a, b)
        end
        state = table.move(wires, #wires - latches + 1, #wires, 1, {})
    end
    for i = 1, latches // 5 do c:clause(i % 2 == 0 and state[i] or -state[i]) end
    return c
end

-- The unknown half of an input, from half of its image under rounds of rotate, add and mix.
local function inversion(random, bits, rounds)
    local c = circuit.new()
    local function rotate(list, by)
        local out = {}
        for i = 1, bits do out[i] = list[(i + by - 1) % bits + 1] end
        return out
    end
    local function add(a, b)
        local out, carry = {}, nil
        for i = 1, bits do out[i], carry = c:add_bits(a[i], b[i], carry) end
        return out
    end
    local a, b = c:number(bits), c:number(bits)
    local mask = (1 << bits) - 1
    local x, y = random(0, mask), random(0, mask) -- a solution
    c:set(a, x)
    for _ = 1, rounds do
        local by = random(1, bits - 1)
        local sum, turned = add(a, b), rotate(b, by)
        x, y = x + y & mask, (y >> by | y << bits - by) & mask
        a, b = sum, {}
        for i = 1, bits do b[i] = c:parity(turned[i], c:disjunction(sum[i], a[i % bits + 1])) end
        y = y ~ (x | (x >> 1 | x << bits - 1) & mask)
    end
    c:set(b, y)
    return c
end

-- A random graph of a mean degree near the threshold of colourability, as far as known about 4.69
-- for 3 colours and 8.9 for 4.
local function colouring(random, nodes, degree, colours)
    local c, x = circuit.new(), {}
    for i = 1, nodes do
        x[i] = c:number(colours)
        c:clause_of(table.move(x[i], 1, colours, 1, {}))
    end
    for i = 1, nodes do
        for j = i + 1, nodes do
            if random(1, 1000 * nodes) <= 1000 * degree then
                for k = 1, colours do c:clause(-x[i][k], -x[j][k]) end
            end
        end
    end
    return c
end

-- A Latin square with holes: the cyclic one, rows, columns and symbols shuffled.
local function quasigroup(random, n, holes)
    local c, x, orders = circuit.new(), {}, {}
    for k = 1, 3 do
        orders[k] = {}
        for i = 1, n do table.insert(orders[k], random(1, i), i) end
    end
    for i = 1, n do
        x[i] = {}
        for j = 1, n do x[i][j] = c:number(n) end
    end
    local filled = n * n - holes
    for i = 1, n do
        for j = 1, n do
            local across, down = {}, {}
            for k = 1, n do across[k], down[k] = x[i][k][j], x[k][i][j] end
            for _, list in ipairs {x[i][j], across, down} do
                c:clause_of(table.move(list, 1, n, 1, {}))
                c:at_most_one(list)
            end
            if random(1, n * n) <= filled then
                c:clause(x[i][j][orders[3][(orders[1][i] + orders[2][j]) % n + 1]])
            end
        end
    end
    return c
end

-- More pigeons than holes, some pigeons kept from some holes.
local function pigeons(random, holes)
    local c, x = circuit.new(), {}
    for i = 1, holes + 1 do
        x[i] = c:number(holes)
        c:clause_of(table.move(x[i], 1, holes, 1, {}))
        c:at_most_one(x[i])
    end
    for j = 1, holes do
        local column = {}
        for i = 1, holes + 1 do
            column[i] = x[i][j]
            if random(1, 4) == 1 and j > 2 then
                c:clause(-x[i][j])
            end
        end
        c:at_most_one(column)
    end
    return c
end

-- a + b + d is odd (or even).
local function equation(c, a, b, d, odd)
    for bits = 0, 7 do
        local p, q, r = bits & 1, bits >> 1 & 1, bits >> 2
        if (p + q + r) % 2 ~= odd then
            c:clause(p == 1 and -a or a, q == 1 and -b or b, r == 1 and -d or d)
        end
    end
end

-- Random parity constraints of three variables that a hidden assignment satisfies.
local function parity(random, variables)
    local c, hidden = circuit.new(), {}
    for i = 1, variables do
        c:variable()
        hidden[i] = random(0, 1)
    end
    for _ = 1, math.floor(variables * 0.93) do
        local a, b, d
        repeat a, b, d = random(1, variables), random(1, variables), random(1, variables)
        until a ~= b and b ~= d and a ~= d
        equation(c, a, b, d, (hidden[a] + hidden[b] + hidden[d]) % 2)
    end
    return c
end

-- Tseitin's (1968) contradiction: the edges at each node of a graph have an even number of ones,
-- at one node an odd number. Each node of a ring has one more edge, to a random other.
local function odd_charge(random, nodes)
    local c, ring, chord, free = circuit.new(), {}, {}, {}
    for i = 1, nodes do
        ring[i] = c:variable()
        table.insert(free, random(1, i), i)
    end
    for i = 1, nodes, 2 do
        local edge = c:variable()
        chord[free[i]], chord[free[i + 1]] = edge, edge
    end
    for i = 1, nodes do
        equation(c, ring[i], ring[i % nodes + 1], chord[i], i == 1 and 1 or 0)
    end
    return c
end

-- {prefix, kind, how many, make(random, i), known(i)}
local families = {
    {"uf250", "random", 20, function(r) return random_3sat(r, 250) end},
    {"uf300", "random", 10, function(r) return random_3sat(r, 300) end},
    {"factor", "structured", 30, function(r, i, known) return factoring(r, 11 + i % 6, known) end,
        function(i) return i % 2 == 0 and "sat" or "unsat" end},
    {"miter", "structured", 4, function(r, i) return miter(r, 4 + i) end,
        function() return "unsat" end},
    {"bmc", "structured", 50, function(r, i)
        return bounded_model(r, 60 + 20 * (i % 10), 30 + i % 7 * 8)
    end},
    {"hash", "structured", 30, function(r, i) return inversion(r, 14 + i % 6 * 2, 3 + i % 4) end,
        function() return "sat" end},
    {"colour", "structured", 40, function(r, i)
        return i % 2 == 0 and colouring(r, 90 + 8 * (i % 10), 8.3 + i % 5 * 0.2, 4)
            or colouring(r, 250 + 25 * (i % 10), 4.5 + i % 5 * 0.1, 3)
    end},
    {"quasigroup", "structured", 30, function(r, i)
        local n = 20 + i % 8
        return quasigroup(r, n, n * n * 42 // 100)
    end, function() return "sat" end},
    {"pigeons", "structured", 20, function(r, i) return pigeons(r, 7 + i % 4) end,
        function() return "unsat" end},
    {"parity", "structured", 30, function(r, i) return parity(r, 300 + 60 * (i % 8)) end,
        function() return "sat" end},
    {"tseitin", "structured", 30, function(r, i) return odd_charge(r, 24 + 4 * (i % 6)) end,
        function() return "unsat" end},
}

-- A list of {name, kind = "random" or "structured", known, make}.
function cnf.instances()
    local list = {}
    for f, family in ipairs(families) do
        local prefix, kind, count, make, known = table.unpack(family)
        for i = 1, count do
            local answer = known and known(i)
            list[#list + 1] = {name = ("%s_%d"):format(prefix, i), kind = kind, known = answer,
                make = function() return make(random_of(1000 * f + i), i, answer) end}
        end
    end
    return list
end

-- Writes an instance below `folder`, and returns the path.
function cnf.write(folder, entry)
    local path = ("%s/%s.cnf"):format(folder, entry.name)
    local c = entry.make()
    local out <close> = assert(io.open(path, "w"))
    assert(out:write(("p cnf %d %d\n"):format(c.variables, #c.clauses)))
    for _, clause in ipairs(c.clauses) do
        clause[#clause + 1] = 0
        assert(out:write(table.concat(clause, " "), "\n"))
    end
    return path
end

return cnf
