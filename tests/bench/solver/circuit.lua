-- SPDX-License-Identifier: MIT
--
-- circuit.lua - clauses of Boolean circuits (Tseitin 1968): a builder with gates, adders and
-- multipliers over literals, which are non-zero integers as in DIMACS; numbers are lists of
-- literals, the lowest bit first.

local circuit = {}
circuit.__index = circuit

function circuit.new()
    return setmetatable({variables = 0, clauses = {}}, circuit)
end

function circuit:variable()
    self.variables = self.variables + 1
    return self.variables
end

function circuit:number(bits)
    local list = {}
    for i = 1, bits do list[i] = self:variable() end
    return list
end

function circuit:clause(...)
    self.clauses[#self.clauses + 1] = {...}
end

function circuit:clause_of(list)
    self.clauses[#self.clauses + 1] = list
end

function circuit:conjunction(a, b)
    local y = self:variable()
    self:clause(-y, a)
    self:clause(-y, b)
    self:clause(y, -a, -b)
    return y
end

function circuit:disjunction(a, b)
    return -self:conjunction(-a, -b)
end

function circuit:parity(a, b)
    local y = self:variable()
    self:clause(-y, a, b)
    self:clause(-y, -a, -b)
    self:clause(y, -a, b)
    self:clause(y, a, -b)
    return y
end

-- if c then a else b
function circuit:choice(c, a, b)
    return self:disjunction(self:conjunction(c, a), self:conjunction(-c, b))
end

-- Sum and carry of two or three bits; nil is 0.
function circuit:add_bits(a, b, c)
    if not c then
        return self:parity(a, b), self:conjunction(a, b)
    end
    local half = self:parity(a, b)
    return self:parity(half, c), self:disjunction(self:conjunction(a, b),
        self:conjunction(half, c))
end

-- The product of two numbers, by columns of partial products; the order of a column's bits is the
-- order of the rows, so a * b and b * a are different circuits.
function circuit:product(a, b)
    local columns = {}
    for i = 1, #a + #b do columns[i] = {} end
    for i = 1, #a do
        for j = 1, #b do table.insert(columns[i + j - 1], self:conjunction(a[i], b[j])) end
    end
    local result = {}
    for i = 1, #a + #b do
        local column = columns[i]
        while #column > 1 do
            local sum, carry = self:add_bits(table.remove(column, 1), table.remove(column, 1),
                table.remove(column, 1))
            table.insert(column, 1, sum)
            if columns[i + 1] then
                table.insert(columns[i + 1], carry)
            else
                self:clause(-carry) -- never set: the product has that many bits
            end
        end
        result[i] = column[1]
    end
    return result -- its last bit is nil when no column reached it
end

function circuit:set(number, value)
    for i = 1, #number do
        self:clause(value >> i - 1 & 1 == 1 and number[i] or -number[i])
    end
end

-- At least one bit of a and b differs.
function circuit:differ(a, b)
    local list = {}
    for i = 1, #a do list[i] = self:parity(a[i], b[i]) end
    self:clause_of(list)
end

-- At most one of a list, pair by pair.
function circuit:at_most_one(list)
    for i = 1, #list do
        for j = i + 1, #list do self:clause(-list[i], -list[j]) end
    end
end

return circuit
