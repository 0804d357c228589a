-- SPDX-License-Identifier: MIT
--
-- cns.solver.program - a model as the engine takes it: expressions become variables, constraints.
--
-- Relational semantics (Frisch and Stuckey 2009): a partial function is computed for arguments that
-- are kept inside its domain, and a literal says whether they were the ones asked for; the nearest
-- relation is false where that literal is. At the root it must hold, so there the arguments are
-- used as they are. A condition implies a relation where that is enough ("half"), and is equal to
-- it elsewhere ("full"); what was made once is found again by the node.

local raw = require "cns".solver.raw
local expression = require "cns.solver.expression"

expression.own_file()
local fail, is_node, negate = expression.fail, expression.is_node, expression.negate

local LIMIT = 1 << 40

---@class cns.solver.program
local program = {}
program.__index = program

local WEAK = {__mode = "k"}

---@param options {seed: integer?, memory: integer|string|nil}
function program.new(options)
    return setmetatable({
        raw = raw {seed = options.seed, memory = options.memory},
        seed = options.seed,
        ids = {},    -- variable node -> number in the engine
        low = {}, high = {}, -- bounds, by number
        values = setmetatable({}, WEAK), -- node -> {id, defs}
        lits = setmetatable({}, WEAK),   -- truth value -> equal literal
        halves = setmetatable({}, WEAK), -- truth value -> literal that implies it
        posted = setmetatable({}, WEAK), -- truth values that hold
        constants = {}, negated = {},
        name = nil,  -- of the constraint that is being posted
    }, program)
end

---------------------------------------------------------------------------------------------------
-- Variables

function program:bounded(id, low, high)
    self.low[id], self.high[id] = low, high
    return id
end

---What the engine holds for a variable of the user.
function program:declare(n)
    local id
    if n.ranges then
        id = self.raw:int(n.ranges, n.name)
    elseif n.bool then
        id = self.raw:bool(n.name)
    else
        id = self.raw:int(n.low, n.high, n.name)
    end
    self.ids[n] = self:bounded(id, n.low, n.high)
    self.raw:output(id)
end

function program:id_of(n)
    return self.ids[n] or fail("the variable %s belongs to another model", n.name)
end

function program:constant(value)
    local id = self.constants[value]
    if not id then
        if value > LIMIT or value < -LIMIT then
            fail("the constant %d is beyond 2^40", value)
        end
        id = self:bounded(self.raw:constant(value), value, value)
        self.constants[value] = id
    end
    return id
end

-- An auxiliary variable for `n`, whose values lie in low..high (floats where they are large).
function program:fresh(n, low, high)
    if low < -LIMIT or high > LIMIT then
        fail("%s may take values in %.4g..%.4g, beyond 2^40: give its variables tighter bounds",
            n, low, high)
    end
    low, high = math.tointeger(low), math.tointeger(high)
    return self:bounded(self.raw:int(low, high), low, high)
end

function program:fresh_bool()
    return self:bounded(self.raw:bool(), 0, 1)
end

function program:truth_literal(value)
    local yes = self:constant(1)
    return value and yes or ~yes
end

---------------------------------------------------------------------------------------------------
-- Posting

function program:add(kind, v, i, how, literal)
    self.raw:add(kind, v, i, how, literal, self.name)
end

function program:clause(literals)
    self:add("clause", {literals})
end

-- Under the condition `cond` (nil: always), the literal holds.
function program:require(cond, literal)
    self:clause(cond and {~cond, literal} or {literal})
end

function program:require_all(cond, literals)
    for k = 1, #literals do self:require(cond, literals[k]) end
end

-- Definedness that was found below: at the root (no `env`) it must hold, else it is handed up.
function program:hand_up(env, literals)
    if not literals then return end
    if env then
        table.move(literals, 1, #literals, #env + 1, env)
    else
        self:require_all(nil, literals)
    end
end

---------------------------------------------------------------------------------------------------
-- Linear forms: {ids, coefs, k, low, high}; bounds are floats, for they may be large

local function add_term(form, id, coef, at)
    local place = at[id]
    if place then
        form.coefs[place] = form.coefs[place] + coef
    else
        place = #form.ids + 1
        form.ids[place], form.coefs[place], at[id] = id, coef, place
    end
end

-- Terms of coefficient 0 go; bounds are taken.
local function close_form(self, form)
    local n, low, high = 0, form.k + 0.0, form.k + 0.0
    for k = 1, #form.ids do
        local id, c = form.ids[k], form.coefs[k]
        if c ~= 0 then
            n = n + 1
            form.ids[n], form.coefs[n] = id, c
            local a, b = (c + 0.0) * self.low[id], (c + 0.0) * self.high[id]
            low, high = low + math.min(a, b), high + math.max(a, b)
        end
    end
    for k = #form.ids, n + 1, -1 do form.ids[k], form.coefs[k] = nil, nil end
    form.low, form.high = low, high
    if math.max(math.abs(low), math.abs(high)) >= 0x1p62 then
        fail("a sum may reach %.4g, beyond 2^62: give its variables tighter bounds",
            math.abs(low) > math.abs(high) and low or high)
    end
    return form
end

-- An integer variable - an integer of the user: most relations of most models.
local function variable_minus(self, variable, value)
    local id = self:id_of(variable)
    local low, high = self.low[id] - value, self.high[id] - value
    return {ids = {id}, coefs = {1}, k = -value, low = low + 0.0, high = high + 0.0}
end

-- a - b as a form.
function program:difference(a, b, env)
    if is_node(a) and a.op == "var" and not a.bool
        and math.type(b) == "integer" and b >= -LIMIT and b <= LIMIT then
        return variable_minus(self, a, b)
    end
    local form, at = {ids = {}, coefs = {}, k = 0}, {}
    for side, value in ipairs {a, b} do
        local sign = side == 1 and 1 or -1
        local items, coefs, k = expression.terms(value)
        form.k = form.k + sign * k
        for j = 1, #items do
            local item, c = items[j], sign * coefs[j]
            if item.bool then
                local literal = self:literal(item)
                if literal < 0 then
                    form.k = form.k + c
                    literal, c = ~literal, -c
                end
                add_term(form, literal, c, at)
            else
                add_term(form, self:value(item, env), c, at)
            end
        end
    end
    return close_form(self, form)
end

-- form rel 0, always or under a condition.
function program:linear(form, rel, how, literal)
    local ids, coefs, c = form.ids, form.coefs, -form.k
    if rel == "ge" or rel == "gt" then
        coefs = {}
        for k = 1, #ids do coefs[k] = -form.coefs[k] end
        c = -c
    end
    if rel == "lt" or rel == "gt" then c = c - 1 end
    local kind = rel == "eq" and "linear_eq" or rel == "ne" and "linear_ne" or "linear_le"
    self:add(kind, {ids}, {coefs, {c}}, how, literal)
end

-- id = the linear form of other variables; `how` as for add.
function program:equate(id, ids, coefs, k, how, literal)
    local all, factors = {id}, {1}
    for j = 1, #ids do
        all[j + 1], factors[j + 1] = ids[j], -coefs[j]
    end
    self:add("linear_eq", {all}, {factors, {k}}, how, literal)
end

---------------------------------------------------------------------------------------------------
-- Integer expressions as variables

-- A literal that is true exactly when the form is in the relation to 0.
function program:linear_literal(form, rel)
    local b = self:fresh_bool()
    self:linear(form, rel, "iff", b)
    return b
end

function program:unary(id, rel, value)
    local form = {ids = {id}, coefs = {1}, k = -value}
    return self:linear_literal(form, rel)
end

-- The variable `id` where `inside` holds, the value `otherwise` elsewhere.
function program:kept(n, id, inside, otherwise)
    local low = math.min(self.low[id], otherwise)
    local safe = self:fresh(n, low, math.max(self.high[id], otherwise))
    self:equate(safe, {id}, {1}, 0, "if", inside)
    self:equate(safe, {}, {}, otherwise, "if", ~inside)
    return safe
end

-- The argument `id` of a partial function: itself at the root, where `inside()` must hold, else one
-- that is kept inside. `defs` takes the literal.
function program:guard(n, id, root, inside, otherwise, defs)
    local literal = inside()
    if root then
        self:require(nil, literal)
        return id
    end
    defs[#defs + 1] = literal
    return self:kept(n, id, literal, otherwise)
end

local builders = {}

function builders.mul(self, n, env)
    local x, y = self:value(n.a, env), self:value(n.b, env)
    local a, b, c, d = self.low[x] + 0.0, self.high[x] + 0.0, self.low[y] + 0.0, self.high[y] + 0.0
    local low, high = math.min(a * c, a * d, b * c, b * d), math.max(a * c, a * d, b * c, b * d)
    if x == y and low < 0 then low = 0 end
    local z = self:fresh(n, low, high)
    self:add("times", {{x, y, z}})
    return z
end

-- x = c * q + r: quotient and remainder by a constant, as Lua rounds.
local function divide_constant(self, n, x, c)
    local low, high = self.low[x] // c, self.high[x] // c
    if c < 0 then low, high = high, low end
    local q = self:fresh(n, low, high)
    local r = self:fresh(n, c > 0 and 0 or c + 1, c > 0 and c - 1 or 0)
    self:equate(x, {q, r}, {c, 1}, 0)
    return q, r
end

-- The engine rounds towards 0: where the remainder has not the divisor's sign, one is taken off.
local function divide_signed(self, n, x, y)
    local size = math.max(math.abs(self.low[x]), math.abs(self.high[x]))
    local most = math.max(math.abs(self.low[y]), math.abs(self.high[y])) - 1
    local q, r = self:fresh(n, -size, size), self:fresh(n, -most, most)
    self:add("div", {{x, y, q}})
    self:add("mod", {{x, y, r}})
    local lower = self:fresh_bool()
    local above, below = self:fresh_bool(), self:fresh_bool()
    self:add("clause", {{self:unary(r, "ge", 0), self:unary(y, "le", 0)}}, nil, "iff", ~below)
    self:add("clause", {{self:unary(r, "le", 0), self:unary(y, "ge", 0)}}, nil, "iff", ~above)
    self:add("clause", {{below, above}}, nil, "iff", lower)
    local floor, rest = self:fresh(n, -size - 1, size), self:fresh(n, -most, most)
    self:equate(floor, {q, lower}, {1, -1}, 0)
    self:equate(rest, {r, y}, {1, 1}, 0, "if", lower)
    self:equate(rest, {r}, {1}, 0, "if", ~lower)
    return floor, rest
end

local function divide(self, n, env, defs)
    local x, y = self:value(n.a, env), self:value(n.b, env)
    if self.low[y] <= 0 and self.high[y] >= 0 then
        y = self:guard(n, y, not env, function() return self:unary(y, "ne", 0) end, 1, defs)
        if self.low[y] == 0 and self.high[y] == 0 then -- at the root, and nothing holds there
            return self:constant(0), self:constant(0)
        end
    end
    if self.low[y] == self.high[y] then
        return divide_constant(self, n, x, self.low[y])
    elseif self.low[x] >= 0 and self.low[y] >= 0 then
        local q = self:fresh(n, 0, self.high[x])
        local r = self:fresh(n, 0, math.min(self.high[x], self.high[y] - 1))
        self:add("div", {{x, y, q}})
        self:add("mod", {{x, y, r}})
        return q, r
    end
    return divide_signed(self, n, x, y)
end

function builders.div(self, n, env, defs)
    return (divide(self, n, env, defs))
end

function builders.mod(self, n, env, defs)
    return (select(2, divide(self, n, env, defs)))
end

function builders.pow(self, n, env, defs)
    local x, y = self:value(n.a, env), self:value(n.b, env)
    if self.low[y] < 0 and self.low[x] <= 0 and self.high[x] >= 0 then
        y = self:guard(n, y, not env, function()
            local inside = self:fresh_bool()
            self:add("clause", {{self:unary(x, "ne", 0), self:unary(y, "ge", 0)}}, nil, "iff",
                inside)
            return inside
        end, 0, defs)
    end
    local size = math.max(math.abs(self.low[x]), math.abs(self.high[x]), 1)
    local most = (size + 0.0) ^ math.max(self.high[y], 0)
    local low = self.low[x] < 0 and -most or 0
    local z = self:fresh(n, low, most)
    self:add("pow", {{x, y, z}})
    return z
end

function builders.abs(self, n, env)
    local x = self:value(n.a, env)
    local low, high = self.low[x], self.high[x]
    local z = self:fresh(n, low > 0 and low or high < 0 and -high or 0, math.max(-low, high))
    self:add("abs", {{x, z}})
    return z
end

local function extreme(kind, pick)
    return function(self, n, env)
        local x = self:all_values(n.list, env)
        local low, high = self.low[x[1]], self.high[x[1]]
        for k = 2, #x do
            low, high = pick(low, self.low[x[k]]), pick(high, self.high[x[k]])
        end
        local z = self:fresh(n, low, high)
        self:add(kind, {x, {z}})
        return z
    end
end
builders.min, builders.max = extreme("min", math.min), extreme("max", math.max)

local function all_numbers(values)
    for k = 1, #values do
        if is_node(values[k]) then return false end
    end
    return true
end

function builders.at(self, n, env, defs)
    local index, count = self:value(n.index, env), #n.list
    local z, low, high
    if self.low[index] < 1 or self.high[index] > count then
        index = self:guard(n, index, not env, function()
            local inside = self:fresh_bool()
            self:add("in", {{index}}, {{1, count}}, "iff", inside)
            return inside
        end, 1, defs)
    end
    local constant = all_numbers(n.list)
    local x = constant and n.list or self:all_values(n.list, env)
    for k = 1, count do
        local a, b = constant and x[k] or self.low[x[k]], constant and x[k] or self.high[x[k]]
        low, high = math.min(low or a, a), math.max(high or b, b)
    end
    z = self:fresh(n, low, high)
    if constant then
        self:add("element", {{index, z}}, {{1}, x})
    else
        self:add("element", {{index, z}, x}, {{1}})
    end
    return z
end

function builders.count(self, n, env)
    local x, y = self:all_values(n.list, env), self:value(n.a, env)
    local z = self:fresh(n, 0, #x)
    self:add("count", {x, {y}, {z}}, {{0}})
    return z
end

-- The engine takes values: where ranges are long, membership is counted instead.
function builders.among(self, n, env)
    local values, total = {}, 0
    for k = 1, #n.ranges, 2 do total = total + n.ranges[k + 1] - n.ranges[k] + 1 end
    local x = self:all_values(n.list, env)
    local z = self:fresh(n, 0, #x)
    if total <= 1000 then
        for k = 1, #n.ranges, 2 do
            for value = n.ranges[k], n.ranges[k + 1] do values[#values + 1] = value end
        end
        self:add("among", {x, {z}}, {values})
    else
        local inside, ones = {}, {}
        for k = 1, #x do
            inside[k], ones[k] = self:fresh_bool(), 1
            self:add("in", {{x[k]}}, {n.ranges}, "iff", inside[k])
        end
        self:equate(z, inside, ones, 0)
    end
    return z
end

local function of_list(kind, low)
    return function(self, n, env)
        local x = self:all_values(n.list, env)
        local z = self:fresh(n, #x == 0 and 0 or low, #x)
        self:add(kind, {x, {z}})
        return z
    end
end
builders.nvalue = of_list("nvalue", 1)
builders.arg_max, builders.arg_min = of_list("arg_max", 1), of_list("arg_min", 1)

function builders.products(self, n, env)
    local x, y = self:all_values(n.list, env), self:all_values(n.list2, env)
    local low, high = 0.0, 0.0
    for k = 1, #x do
        local c = n.coefs and n.coefs[k] or 1
        local a, b, d, e = self.low[x[k]] * (c + 0.0), self.high[x[k]] * (c + 0.0),
            self.low[y[k]], self.high[y[k]]
        low = low + math.min(a * d, a * e, b * d, b * e)
        high = high + math.max(a * d, a * e, b * d, b * e)
    end
    local z = self:fresh(n, low, high)
    self:add("sum_of_products", {x, y, {z}}, {n.coefs or {}})
    return z
end

-- Only the branch that is chosen need be defined.
function builders.choose(self, n, env, defs)
    local c = self:literal(n.c)
    local forms, low, high = {}, nil, nil
    for k, branch in ipairs {n.a, n.b} do
        local inner = {}
        local form = self:difference(branch, 0, inner)
        local chosen = k == 1 and c or ~c
        for _, literal in ipairs(inner) do
            if env then
                local defined = self:fresh_bool()
                self:add("clause", {{~chosen, literal}}, nil, "iff", defined)
                defs[#defs + 1] = defined
            else
                self:require(chosen, literal)
            end
        end
        low, high = math.min(low or form.low, form.low), math.max(high or form.high, form.high)
        forms[k] = form
    end
    local z = self:fresh(n, low, high)
    self:equate(z, forms[1].ids, forms[1].coefs, forms[1].k, "if", c)
    self:equate(z, forms[2].ids, forms[2].coefs, forms[2].k, "if", ~c)
    return z
end

local function build_sum(self, n, env)
    local form = self:difference(n, 0, env)
    if #form.ids == 0 then return self:constant(form.k) end
    if #form.ids == 1 and form.coefs[1] == 1 and form.k == 0 then return form.ids[1] end
    local z = self:fresh(n, form.low, form.high)
    self:equate(z, form.ids, form.coefs, form.k)
    return z
end
builders.sum = build_sum

-- A truth value as a number: the engine's variables are Booleans or their complement.
function program:positive(literal)
    if literal >= 0 then return literal end
    local id = self.negated[literal]
    if not id then
        id = self:bounded(self.raw:int(0, 1), 0, 1)
        self:add("linear_eq", {{id, ~literal}}, {{1, 1}, {1}})
        self.negated[literal] = id
    end
    return id
end

---The variable that is equal to `value`. `env` takes literals that say whether it is defined; nil:
---it must be.
function program:value(value, env)
    if not is_node(value) then return self:constant(value) end
    if value.bool then return self:positive(self:literal(value)) end
    if value.op == "var" then return self:id_of(value) end
    local entry = self.values[value]
    if not entry then
        local defs = env and value.partial and {} or nil
        -- A total function is defined at the root whatever asks for it.
        local id = builders[value.op](self, value, defs, defs)
        entry = {id = id, defs = defs}
        self.values[value] = entry
    end
    self:hand_up(env, entry.defs)
    return entry.id
end

function program:all_values(values, env)
    local ids, known = expression.copy_of(values), self.ids
    for k = 1, #values do
        local value = values[k]
        ids[k] = known[value] or self:value(value, env)
    end
    return ids
end

---------------------------------------------------------------------------------------------------
-- Truth values as literals

function program:both(literal, others)
    if #others == 0 then return literal end
    local b, list = self:fresh_bool(), {~literal}
    for k = 1, #others do list[k + 1] = ~others[k] end
    self:add("clause", {list}, nil, "iff", ~b)
    return b
end

function program:literals(values)
    local out = {}
    for k = 1, #values do out[k] = self:literal(values[k]) end
    return out
end

local full = {}

function full.var(self, n) return self:id_of(n) end
full["not"] = function(self, n) return ~self:literal(n.a) end

function full.cmp(self, n)
    local env = {}
    local form = self:difference(n.a, n.b, env)
    return self:both(self:linear_literal(form, n.rel), env)
end

full["in"] = function(self, n)
    local env, b = {}, self:fresh_bool()
    self:add("in", {{self:value(n.a, env)}}, {n.ranges}, "iff", b)
    return self:both(b, env)
end

full["or"] = function(self, n)
    local b = self:fresh_bool()
    self:add("clause", {self:literals(n.list)}, nil, "iff", b)
    return b
end

full["and"] = function(self, n)
    local list = self:literals(n.list)
    for k = 1, #list do list[k] = ~list[k] end
    local b = self:fresh_bool()
    self:add("clause", {list}, nil, "iff", ~b)
    return b
end

function full.xor(self, n)
    local b = self:fresh_bool()
    self:add("xor", {self:literals(n.list)}, nil, "iff", b)
    return b
end

-- The arguments of a named constraint as variables, and whether they are defined.
function program:arguments(n, env)
    local v = {}
    for k = 1, #n.v do
        v[k] = n.literals[k] and self:literals(n.v[k]) or self:all_values(n.v[k], env)
    end
    return v
end

-- A named constraint that takes no condition, by simpler ones over its arguments.
function program:defined(n, env)
    local v = {}
    for k = 1, #n.v do
        v[k] = {}
        for j, value in ipairs(n.v[k]) do
            if is_node(value) and value.op ~= "var" then
                local bool = n.literals[k]
                local stand_in = expression.make {op = "var", name = tostring(value), bool = bool}
                if bool then
                    self.lits[stand_in] = self:literal(value)
                else
                    self.ids[stand_in] = self:value(value, env)
                end
                value = stand_in
            end
            v[k][j] = value
        end
    end
    return n.define(v, n.i)
end

function full.global(self, n)
    local env = {}
    if not n.conditional then
        return self:both(self:literal(self:defined(n, env)), env)
    end
    local b = self:fresh_bool()
    self:add(n.kind, self:arguments(n, env), n.i, "iff", b)
    return self:both(b, env)
end

---A literal that is true exactly when the truth value holds.
function program:literal(value)
    if type(value) == "boolean" then return self:truth_literal(value) end
    local literal = self.lits[value]
    if not literal then
        literal = full[value.op](self, value)
        self.lits[value] = literal
    end
    return literal
end

---------------------------------------------------------------------------------------------------
-- Truth values that must hold, always or under a condition

local post = {}

-- What else could be said of "not a", where saying it is cheaper than a literal for a.
local function pushed(n)
    local a = n.a
    if a.op == "cmp" and not a.unsure then
        return expression.make {op = "cmp", bool = true, rel = expression.opposite[a.rel],
            a = a.a, b = a.b}
    elseif a.op == "and" or a.op == "or" then
        local list = {}
        for k = 1, #a.list do list[k] = negate(a.list[k]) end
        return expression.make {op = a.op == "and" and "or" or "and", bool = true, list = list}
    end
end

post["not"] = function(self, n, cond)
    local other = not self.lits[n.a] and pushed(n)
    if other then
        self:post(other, cond)
    else
        self:require(cond, ~self:literal(n.a))
    end
end

post["and"] = function(self, n, cond)
    for k = 1, #n.list do self:post(n.list[k], cond) end
end

post["or"] = function(self, n, cond)
    local list = {cond and ~cond}
    for k = 1, #n.list do list[#list + 1] = self:half(n.list[k]) end
    self:clause(list)
end

function post.xor(self, n, cond)
    self:add("xor", {self:literals(n.list)}, nil, cond and "if", cond)
end

-- Functions whose result is given are posted as they are, without a variable for the result.
local direct = {}

function direct.mul(self, f, z)
    self:add("times", {{self:value(f.a), self:value(f.b), z}})
end
function direct.abs(self, f, z) self:add("abs", {{self:value(f.a), z}}) end
function direct.min(self, f, z) self:add("min", {self:all_values(f.list), {z}}) end
function direct.max(self, f, z) self:add("max", {self:all_values(f.list), {z}}) end
function direct.nvalue(self, f, z) self:add("nvalue", {self:all_values(f.list), {z}}) end
function direct.count(self, f, z)
    self:add("count", {self:all_values(f.list), {self:value(f.a)}, {z}}, {{0}})
end
function direct.at(self, f, z)
    local index = self:value(f.index)
    if all_numbers(f.list) then
        self:add("element", {{index, z}}, {{1}, f.list})
    else
        self:add("element", {{index, z}, self:all_values(f.list)}, {{1}})
    end
end

-- Whether f = z was posted in this way.
function program:post_direct(f, z)
    local make = is_node(f) and not self.values[f] and direct[f.op]
    if not make or is_node(z) and z.op ~= "var"
        or not is_node(z) and (z > LIMIT or z < -LIMIT) then
        return false
    end
    make(self, f, self:value(z))
    return true
end

function post.cmp(self, n, cond)
    if not cond and n.rel == "eq"
        and (self:post_direct(n.a, n.b) or self:post_direct(n.b, n.a)) then
        return
    end
    local env = cond and {} or nil
    self:linear(self:difference(n.a, n.b, env), n.rel, cond and "if", cond)
    if env then self:require_all(cond, env) end
end

post["in"] = function(self, n, cond)
    local env = cond and {} or nil
    self:add("in", {{self:value(n.a, env)}}, {n.ranges}, cond and "if", cond)
    if env then self:require_all(cond, env) end
end

function post.global(self, n, cond)
    if cond and not n.conditional then
        local env = {}
        self:post(self:defined(n, env), cond)
        self:require_all(cond, env)
        return
    end
    local env = cond and {} or nil
    self:add(n.kind, self:arguments(n, env), n.i, cond and "if", cond)
    if env then self:require_all(cond, env) end
end

---The truth value holds, where `cond` (a literal; nil: always) does.
function program:post(value, cond)
    if type(value) == "boolean" then
        if not value then self:clause(cond and {~cond} or {}) end
        return
    end
    if self.posted[value] then return end
    if not cond then self.posted[value] = true end
    if self.lits[value] or value.op == "var" then
        self:require(cond, self:literal(value))
    else
        post[value.op](self, value, cond)
    end
end

---A literal that implies the truth value.
function program:half(value)
    local op = is_node(value) and value.op
    if not op or self.lits[value] or op == "var" or op == "xor" or op == "in" then
        return self:literal(value)
    end
    if op == "cmp" and not value.unsure then
        local a, b = value.a, value.b
        if not (is_node(a) and is_node(b)) and #(expression.terms(is_node(a) and a or b)) == 1 then
            return self:literal(value)
        end
    elseif op == "not" and not pushed(value) then
        return self:literal(value)
    end
    local literal = self.halves[value]
    if not literal then
        literal = self:fresh_bool()
        self.halves[value] = literal
        self:post(value, literal)
    end
    return literal
end

return program
