-- SPDX-License-Identifier: MIT
--
-- cns.proof: checks what `cnsengine solve --proof` writes against the FlatZinc that was solved.
-- The format and what an accepted proof means are in doc/solver-proofs.md.
--
--     local verdict = proof.check(model_text, proof_lines)
--
-- Nothing here comes from the solver: the model is read anew, constraints are judged by what they
-- mean, and clauses by propagation. A step that the budgets do not reach is counted as trusted.

local definitions = require "cns.proof.definitions"
local engine = require "cns.proof.engine"
local flatzinc = require "cns.proof.flatzinc"
local gaps = require "cns.proof.gaps"
local kinds = require "cns.proof.kinds"
local predicates = require "cns.proof.predicates"
local reject = require "cns.proof.reject"
local trial = require "cns.proof.trial"

local proof = {}

local LIMITS = {nodes = 4000, steps = 3000000}

-- ---- the model ----------------------------------------------------------------------------------

local checker = {}
checker.__index = checker

local function new_checker(model, limits)
    local self = setmetatable({
        model = model, limits = limits, e = engine.new(), constraints = {}, var_of = {},
        by_name = {}, ints = {}, bools = {}, owned = {}, unknown = {}, literals = {},
        defined = {}, defined_by = {}, parts = {}, meaning = {}, meant_by = {}, version = 0,
        solutions = 0, known = {},
        counts = {steps = 0, learnt = 0, lemmas = 0, trusted = 0, deleted = 0}, kinds_of = {},
    }, checker)
    for k, var in ipairs(model.vars) do
        self.by_name[var.name] = k
        local v = self.e.new_var(var.ranges)
        self.meaning[k] = {v = v, s = 1, o = 0}
        self.meant_by[v] = {k}
    end
    for k, c in ipairs(model.constraints) do
        self.constraints[k - 1] = predicates.build(c.name, c.arguments)
            or reject("constraint %s is not known", c.name)
    end
    return self
end

-- The term that an argument of the model is now.
function checker:term(value)
    if type(value) ~= "table" or not value.var then return value end
    local t = self.meaning[value.var]
    while type(t) == "table" and t.from do -- an alias of a variable
        local to = self:term {var = t.from}
        if type(to) == "number" then
            t = t.s * to + t.o
        elseif to.l then
            t = t.s > 0 and to or {l = self.e.negation(to.l)} -- 0..1 either way
        else
            t = {v = to.v, s = t.s * to.s, o = t.s * to.o + t.o}
        end
    end
    if type(t) == "table" and t.l then
        local e, l = self.e, t.l
        local v, op, c = e.lit_var[l], e.lit_op[l], e.lit_value[l]
        if op == e.GE and e.low[v] == c - 1 and e.high[v] == c then
            return {v = v, s = 1, o = 1 - c}
        elseif op == e.LE and e.low[v] == c and e.high[v] == c + 1 then
            return {v = v, s = -1, o = c + 1}
        end
    end
    return t
end

function checker:terms(value)
    if type(value) ~= "table" then return value end
    if value.var then return self:term(value) end
    local out = {}
    for k, element in pairs(value) do out[k] = self:terms(element) end
    return out
end

-- Adds up terms of one variable, and constants.
local function merge(a)
    local x, coefficients, at, c = {}, {}, {}, a.c
    for k, t in ipairs(a.x) do
        if type(t) == "number" then
            c = c - a.a[k] * t
        elseif t.v and at[t.v] then
            local first = at[t.v]
            coefficients[first] = coefficients[first] + a.a[k] * t.s * x[first].s
            c = c - a.a[k] * (t.o - t.s * x[first].s * x[first].o)
        else
            x[#x + 1], coefficients[#x + 1] = t, a.a[k]
            if t.v then at[t.v] = #x end
        end
    end
    return {x = x, a = coefficients, c = c}
end

-- Constraint number `origin` with the terms that its arguments are now.
function checker:constraint(origin)
    local given = self.constraints[origin] or reject("there is no constraint %s", tostring(origin))
    if given.version == self.version then return given.resolved end
    local c = given.resolved or {}
    c.name, c.kind, c.mode = given.name, given.kind, given.mode
    c.arguments = self:terms(given.arguments)
    c.condition = self:terms(given.condition)
    if c.kind == "le" or c.kind == "eq" or c.kind == "ne" then
        c.arguments = merge(c.arguments)
    end
    c.scope = definitions.scope(self.e, c.arguments, c.condition)
    c.version = self.version
    given.version, given.resolved = self.version, c
    return c
end

-- ---- literals -----------------------------------------------------------------------------------

local OPS = {[">="] = engine.GE, ["<="] = engine.LE, ["="] = engine.EQ, ["!="] = engine.NE}

-- A literal, true or false: as read before, since what an integer or a Boolean is never changes.
function checker:literal(text)
    if not text then reject("a literal is missing") end
    local l = self.literals[text]
    if l == nil then
        l = self:read_literal(text)
        self.literals[text] = l
    end
    return l
end

function checker:read_literal(text)
    if text == "T" then return true end
    if text == "F" then return false end
    local sign, bool = text:match("^(~?)b(%d+)$")
    if bool then
        local l = self.bools[tonumber(bool)] or reject("b%s is not defined", bool)
        return sign == "~" and self.e.negation(l) or l
    end
    local int, op, value = text:match("^x(%d+)([<>!=]+)(%-?%d+)$")
    if not int or not OPS[op] then reject("'%s' is no literal", text) end
    local t = self.ints[tonumber(int)] or (int == "0" and {zero = true})
        or reject("x%s is not defined", int)
    value = math.tointeger(tonumber(value)) or reject("'%s' is no literal", text)
    if t.v then return self.e.literal(OPS[op], t.v, value) end
    -- An integer 0..1 that is a literal, or the constant 0.
    local function holds(x)
        if op == ">=" then return x >= value elseif op == "<=" then return x <= value end
        return (x == value) == (op == "=")
    end
    if t.zero or holds(0) == holds(1) then return holds(0) end
    return holds(1) and t.l or self.e.negation(t.l)
end

-- That a term is the value: a term, too.
function checker:equal(t, value)
    local e = self.e
    if type(t) == "number" then return t == value and 1 or 0 end
    if t.v then return {l = e.literal(e.EQ, t.v, t.s * (value - t.o))} end
    if value == 1 then return t end
    return value == 0 and {l = e.negation(t.l)} or 0
end

-- The literals of a clause; nil when it is true.
function checker:clause(words, from)
    local lits, always = {}, false
    for k = from, #words do
        local l = self:literal(words[k])
        if l == true then
            always = true
        elseif l then
            lits[#lits + 1] = l
        end
    end
    return not always and lits or nil
end

-- ---- definitions --------------------------------------------------------------------------------

local steps = {}

local function origin_of(word)
    return word ~= "-" and (math.tointeger(tonumber(word)) or reject("'%s' is no number", word))
        or nil
end

steps["cns-proof"] = function(_, words)
    if words[2] ~= "1" then reject("version %s of the format is not known", words[2]) end
end

function steps.m(self, words)
    local count = tonumber(words[3])
    if count ~= #self.model.constraints then
        reject("the proof is of a model of %s constraints, this one has %d", words[3],
            #self.model.constraints)
    end
    self.variables = tonumber(words[2])
end

function steps.v(self, words)
    local k = self.by_name[words[3]] or reject("the model has no variable %s", words[3])
    self.var_of[tonumber(words[2]) or reject("'%s' is no number", words[2])] = k
end

-- The sum `a` with the fixed variables' values on its right side.
local function without_fixed(e, a)
    local out = {x = {}, a = {}, c = a.c}
    for k, t in ipairs(a.x) do
        if t.v and e.low[t.v] == e.high[t.v] then
            out.c = out.c - a.a[k] * (t.s * e.low[t.v] + t.o)
        else
            out.x[#out.x + 1], out.a[#out.a + 1] = t, a.a[k]
        end
    end
    return out
end

-- One variable for another, from an equation of two; the other's domain takes both. What is fixed
-- takes part as a constant: which of equal constants stands for the others is of no interest.
function steps.a(self, words)
    local c = self:constraint(origin_of(words[2]))
    local e = self.e
    if c.kind ~= "eq" or c.mode then reject("constraint %s makes no alias", words[2]) end
    local a = without_fixed(e, c.arguments)
    if a.a[1] == 0 or a.a[2] == 0 then reject("constraint %s makes no alias", words[2]) end
    self.version = self.version + 1
    if #a.x == 0 then
        if a.c ~= 0 then e.add {} end
        return
    end
    if #a.x == 1 then -- the other one is a constant
        local t = a.x[1]
        local value = a.c % a.a[1] == 0 and a.c // a.a[1]
        local x = value and t.v and t.s * (value - t.o)
        e.add(x and {e.literal(e.EQ, t.v, x)} or value and t.l
            and {value == 1 and t.l or e.negation(t.l)} or {})
        return
    end
    local k = self.var_of[tonumber(words[3])]
    local v = k and self.meaning[k] and self.meaning[k].v
    local from = v and (a.x[1].v == v and 1 or a.x[2].v == v and 2)
    local other = from and 3 - from
    if #a.x ~= 2 or not from or not a.x[other].v
        or math.abs(a.a[1]) ~= math.abs(a.a[2]) or a.c % a.a[1] ~= 0 then
        reject("constraint %s makes no alias of variable %s", words[2], words[3])
    end
    -- a.x[from] is v itself, up to sign and offset: v = s * w + o
    local t, u = a.x[from], a.x[other]
    local s = -a.a[other] // a.a[from]
    local o = a.c // a.a[from]
    s, o = t.s * s * u.s, t.s * (o + s * u.o - t.o)
    local w = u.v
    -- The domain of w takes that of v.
    local low, high = s * (e.low[v] - o), s * (e.high[v] - o)
    if s < 0 then low, high = high, low end
    e.add {e.literal(e.GE, w, low)}
    e.add {e.literal(e.LE, w, high)}
    for x in pairs(e.holes[v]) do e.add {e.literal(e.NE, w, s * (x - o))} end
    for _, gap in ipairs(gaps.of(e.holes[v])) do
        local first, last = s * (gap[1] - o), s * (gap[2] - o)
        e.exclude(w, math.min(first, last), math.max(first, last))
    end
    for _, j in ipairs(self.meant_by[v]) do
        local m = self.meaning[j]
        self.meaning[j] = {v = w, s = m.s * s, o = m.s * o + m.o}
        table.insert(self.meant_by[w], j)
    end
    self.meant_by[v] = {}
end

-- A Boolean variable is a literal, by a constraint that says so.
steps["="] = function(self, words)
    local e = self.e
    local c = self:constraint(origin_of(words[2]))
    local k = self.var_of[tonumber(words[3])] or reject("variable %s has no name", words[3])
    local t = self:term {var = k}
    if type(t) ~= "table" or not t.v or e.low[t.v] ~= 0 or e.high[t.v] ~= 1 then
        reject("variable %s is not an open Boolean", words[3])
    end
    local b = e.literal(e.GE, t.v, 1)
    if t.s < 0 then b = e.negation(b) end
    local l = self:literal(words[4])
    local function implied(clause)
        return trial.implies({c}, e, clause, self.limits.nodes) == true
    end
    local not_b = e.negation(b)
    if type(l) == "boolean" then
        if not implied {l and b or not_b} then reject("%s is no definition", words[2]) end
        e.add {l and b or not_b}
        self.version = self.version + 1
        return
    end
    if not implied {not_b, l} or not implied {b, e.negation(l)} then
        reject("constraint %s does not define variable %s", words[2], words[3])
    end
    for _, j in ipairs(self.meant_by[t.v]) do
        local positive = (self.meaning[j].s > 0) == (t.s > 0)
        self.meaning[j] = {l = positive and l or e.negation(l)}
    end
    self.meant_by[t.v] = {}
    self.version = self.version + 1
end

local function own_variable(self, word, what)
    local k = self.var_of[tonumber(word)] or reject("variable %s has no name", word)
    local m = self.meaning[k]
    if not m.v or m.s ~= 1 or m.o ~= 0 then reject("%s: variable %s is another", what, word) end
    return m.v
end

local function new_variable(self, words, ranges)
    local origin = origin_of(words[4])
    if not origin or not self.constraints[origin] then
        reject("a variable that no constraint needs")
    end
    local v = self.e.new_var(ranges)
    local owned = self.owned[origin] or {vars = {}, before = {}}
    self.owned[origin] = owned
    owned.vars[#owned.vars + 1] = v
    self.unknown[v] = true
    owned.before[v] = {ranges[1], ranges[#ranges], gaps.copy(self.e.holes[v])}
    return v
end

local function fresh(map, word)
    local n = tonumber(word)
    if not n or map[n] then reject("%s is defined twice", word) end
    return n
end

function steps.x(self, words)
    local n = fresh(self.ints, words[2])
    if words[3] == "is" then
        self.ints[n] = {v = own_variable(self, words[4], "x" .. words[2])}
    elseif words[3] == "lit" then
        local l = self:literal(words[4])
        self.ints[n] = type(l) == "boolean" and reject("x%s is a constant", words[2]) or {l = l}
    elseif words[3] == "new" then
        local ranges = {}
        for k = 5, #words do
            ranges[#ranges + 1] = math.tointeger(tonumber(words[k])) or reject("no range")
            if #ranges > 1 and ranges[#ranges] < ranges[#ranges - 1] then reject("no range") end
        end
        if #ranges == 0 or #ranges % 2 ~= 0 then reject("no range") end
        self.ints[n] = {v = new_variable(self, words, ranges)}
    else
        reject("'%s' is not understood", tostring(words[3]))
    end
end

-- A Boolean of constraint words[4] whose meaning the words tell.
local function defined_variable(self, words)
    local origin = origin_of(words[4])
    local c = self:constraint(origin)
    local parts = self.parts[origin] or {}
    self.parts[origin] = parts
    local v = self.e.new_var {0, 1}
    local definition = definitions.read(self, words, c, parts, self.e.literal(self.e.GE, v, 1))
    if definition == false then reject("'%s' is not understood", words[3]) end
    parts.extended = nil
    for _, w in ipairs(definition and definition.scope or {}) do
        if self.unknown[w] then return nil end -- its meaning is as open as that one's
    end
    if definition then
        self.defined[v] = definition
        self.defined_by[origin] = self.defined_by[origin] or {}
        table.insert(self.defined_by[origin], v)
    end
    return v
end

-- A layer of a diagram.
function steps.l(self, words)
    local origin = origin_of(words[2])
    local parts = self.parts[origin] or {}
    self.parts[origin] = parts
    definitions.add_layer(words, self:constraint(origin), parts)
end

function steps.b(self, words)
    local n = fresh(self.bools, words[2])
    local v
    if words[3] == "is" then
        v = own_variable(self, words[4], "b" .. words[2])
        if self.e.low[v] < 0 or self.e.high[v] > 1 then
            reject("variable %s is no Boolean", words[4])
        end
    else
        v = words[3] ~= "new" and defined_variable(self, words)
            or new_variable(self, words, {0, 1})
    end
    self.bools[n] = self.e.literal(self.e.GE, v, 1)
end

-- ---- lemmas -------------------------------------------------------------------------------------

-- The constraint and what the new Booleans in the literals mean; and, `at_root`, those that the
-- root decides: a step may rest on that.
function checker:conjunction(origin, lits, at_root)
    local e, c = self.e, self:constraint(origin)
    local all = {definitions.extended(e, c, self.parts[origin], trial.domains(e))}
    local seen, stack = {}, {}
    for k, l in ipairs(lits) do stack[k] = e.lit_var[l] end
    for _, v in ipairs(at_root and self.defined_by[origin] or {}) do
        if e.low[v] == e.high[v] then stack[#stack + 1] = v end
    end
    while #stack > 0 do
        local v = table.remove(stack)
        local definition = not seen[v] and self.defined[v]
        seen[v] = true
        if definition then
            all[#all + 1] = definition
            table.move(definition.scope, 1, #definition.scope, #stack + 1, stack)
        end
    end
    return all
end

-- Counts lemmas of constraint `c`. `why` they are trusted: "search", the budget was spent before
-- all that the lemma excludes was tried; "joint", so it was for all steps about variables without a
-- meaning.
function checker:count(c, count, why)
    local by = self.kinds_of[c.name]
    if not by then
        by = {lemmas = 0, trusted = 0, search = 0, joint = 0}
        self.kinds_of[c.name] = by
    end
    if why then
        by.trusted, by[why] = by.trusted + count, by[why] + count
        self.counts.trusted = self.counts.trusted + count
    else
        by.lemmas = by.lemmas + count
    end
end

-- A clause that one constraint implies.
function checker:lemma(words, passing)
    local origin = origin_of(words[2])
    local lits = self:clause(words, 3)
    if not lits or self.e.refuted then return end
    self.counts.lemmas = self.counts.lemmas + 1
    local e = self.e
    if origin == nil then
        if not e.implied(lits) then reject("a step that does not follow by propagation") end
        return e.add(lits, passing)
    end
    local c = self:constraint(origin)
    self:count(c, 1)
    local owned, theirs, known = self.owned[origin], false, {}
    for _, l in ipairs(lits) do
        local own = owned and owned.before[e.lit_var[l]] ~= nil
        theirs = theirs or own
    end
    local result = nil
    if not theirs then
        result = trial.implies(self:conjunction(origin, lits), e, lits, self.limits.nodes)
        if result ~= true and e.implied(lits) then result = true end
        if result ~= true and self.defined_by[origin] then
            local all = self:conjunction(origin, lits, true)
            result = trial.implies(all, e, lits, self.limits.nodes)
        end
    end
    if theirs or (result == false and owned and trial.narrowed(e, owned)) then
        if not c.steps then trial.begin(c, e) end
        local in_scope = {}
        for _, v in ipairs(c.scope) do in_scope[v] = true end
        for _, l in ipairs(lits) do
            local v = e.lit_var[l]
            if in_scope[v] or owned.before[v] then known[#known + 1] = l end
        end
        trial.keep(c, e, known, owned)
    elseif result == false then
        reject("constraint %d (%s) does not imply this", origin, c.name)
    elseif result == nil then
        self:count(c, 1, "search")
    end
    e.add(lits, passing)
end

function steps.r(self, words) self:lemma(words, false) end
function steps.t(self, words) self:lemma(words, true) end

function steps.c(self, words)
    local lits = self:clause(words, 2)
    if lits then
        self.counts.learnt = self.counts.learnt + 1
        if not self.e.implied(lits) then reject("the clause does not follow by propagation") end
        self.e.forget()
        self.e.add(lits)
    end
end

function steps.d(self, words)
    local lits = self:clause(words, 2)
    if lits and self.e.delete(lits) then self.counts.deleted = self.counts.deleted + 1 end
end

-- ---- solutions ----------------------------------------------------------------------------------

local function value_domains(values)
    local d = {}
    function d.low(t) return type(t) == "number" and t or values[t.var] end
    d.high = d.low
    function d.has(t, x) return d.low(t) == x end
    return d
end

local function holds(c, d)
    local is = kinds[c.kind](c.arguments, d)
    if not c.mode then return is end
    local condition = d.low(c.condition) == 1
    if c.mode == "if" then return is or not condition end
    return is == (condition ~= (c.mode == "negated"))
end

-- Solutions are counted, so each differs in its outputs from those before. Of an optimisation it is
-- better than they are.
function checker:must_be_new(values)
    if self.model.goal ~= "satisfy" then return end
    local outputs = {}
    for k in ipairs(self.model.vars) do
        if not self.model.any_output or self.model.outputs[k] then
            outputs[#outputs + 1] = values[k]
        end
    end
    local key = table.concat(outputs, " ")
    if self.known[key] then reject("this solution was there before") end
    self.known[key] = true
end

function steps.s(self, words)
    if #words - 1 ~= self.variables then reject("a solution has %s values", self.variables) end
    local values = {}
    for number, k in pairs(self.var_of) do
        values[k] = math.tointeger(tonumber(words[number + 2])) or reject("a value is no integer")
    end
    for k, var in ipairs(self.model.vars) do
        local inside = false
        for r = 1, #var.ranges, 2 do
            local v = values[k] or reject("%s has no value", var.name)
            inside = inside or (var.ranges[r] <= v and v <= var.ranges[r + 1])
        end
        if not inside then reject("%s = %d is not in its domain", var.name, values[k]) end
    end
    local d = value_domains(values)
    for k = 0, #self.model.constraints - 1 do
        local c = self.constraints[k]
        if not holds(c, d) then
            reject("the solution breaks constraint %d (%s)", k, c.name)
        end
    end
    self:must_be_new(values)
    self.solution, self.left = values, false
    self.solutions = self.solutions + 1
    if self.model.goal ~= "satisfy" then
        local value = d.low(self.model.objective)
        local sign = self.model.goal == "minimize" and 1 or -1
        if self.best and sign * value >= sign * self.best then
            reject("objective %d is no better than %d", value, self.best)
        end
        self.best = value
    end
end

local function need_solution(self)
    if not self.solution then reject("there is no solution yet") end
end

-- From now on the objective is better than that of the last solution.
function steps.o(self)
    need_solution(self)
    if self.model.goal == "satisfy" then reject("there is no objective") end
    local e = self.e
    local sign = self.model.goal == "minimize" and 1 or -1
    local t = self:term(self.model.objective)
    local limit = self.best - sign
    self.left = true
    if type(t) == "number" then
        return sign * t > sign * limit and e.add {} or nil
    elseif t.l then
        local literal = sign > 0 and e.negation(t.l) or t.l -- 0 is better than 1, or 1 than 0
        local reachable = sign > 0 and limit >= 0 or sign < 0 and limit <= 1
        return e.add(reachable and {literal} or {})
    end
    local bound = t.s * (limit - t.o)
    e.add {e.literal(sign * t.s > 0 and e.LE or e.GE, t.v, bound)}
end

-- From now on the outputs are not all those of the last solution.
function steps.e(self, words)
    need_solution(self)
    local e = self.e
    local lits = self:clause(words, 2) or reject("the clause is always true")
    local other = e.under(lits, function()
        for k, var in ipairs(self.model.vars) do
            if not self.model.any_output or self.model.outputs[k] then
                local t = self:term {var = k}
                local low, high = t, t
                if type(t) == "table" then
                    if t.l then
                        low = e.value(t.l) == true and 1 or 0
                        high = e.value(t.l) == false and 0 or 1
                    elseif t.s > 0 then
                        low, high = e.low[t.v] + t.o, e.high[t.v] + t.o
                    else
                        low, high = t.o - e.high[t.v], t.o - e.low[t.v]
                    end
                end
                if low ~= self.solution[k] or high ~= self.solution[k] then return var.name end
            end
        end
        return nil
    end)
    if other then reject("the clause excludes other solutions: %s", other) end
    self.left = true
    e.forget()
    e.add(lits)
end

function steps.u(self, words)
    local e = self.e
    local lits = {}
    for k = 2, #words do
        local l = self:literal(words[k])
        if l == false then
            lits = {}
            break
        elseif l ~= true then
            lits[#lits + 1] = e.negation(l)
        end
    end
    if not e.implied(lits) then reject("the conclusion does not follow by propagation") end
    if self.solution and not self.left then
        reject("the conclusion denies the solution before it")
    end
    self.concluded = #words > 1 and "under assumptions" or "complete"
end

-- ---- the whole ----------------------------------------------------------------------------------

function checker:finish()
    for origin in pairs(self.owned) do
        local c = self:constraint(origin)
        if c.steps then
            local result = trial.finish(c, self.e, self.limits)
            if result == false then
                reject("steps about new variables of constraint %d (%s) deny a solution of it",
                    origin, c.name)
            elseif result == nil then
                self:count(c, #c.steps, "joint")
            end
        end
    end
end

local function conclusion(self)
    if not self.concluded then return "nothing is concluded" end
    if self.concluded ~= "complete" then return "infeasible under the assumptions" end
    if self.solutions == 0 then return "unsatisfiable" end
    if self.model.goal ~= "satisfy" then return ("optimal, objective %d"):format(self.best) end
    return ("%d solution%s, no others"):format(self.solutions, self.solutions == 1 and "" or "s")
end

-- The verdict: {accepted, concluded, conclusion, message, line, counts, constraints, solutions}.
-- By the constraints' names there is {lemmas, trusted, search, joint} (see checker.count).
-- `lines` is a function that gives the proof's next line, or nil. `limits` may be nil.
function proof.check(text, lines, limits)
    local model, message = flatzinc.read(text)
    if not model then return {accepted = false, message = "the model: " .. message} end
    local self
    local number = 0
    local ok, failure = pcall(function()
        self = new_checker(model, setmetatable(limits or {}, {__index = LIMITS}))
        for line in lines do
            number = number + 1
            local words = {}
            for word in line:gmatch("%S+") do words[#words + 1] = word end
            local step = steps[words[1]] or reject("'%s' is not understood", line)
            if self.concluded then reject("more follows the conclusion") end
            step(self, words)
            self.counts.steps = self.counts.steps + 1
        end
        number = nil
        self:finish()
    end)
    local verdict = {accepted = ok, line = number, counts = self and self.counts or {},
        constraints = self and self.kinds_of or {}, solutions = self and self.solutions or 0}
    if not ok then
        if type(failure) ~= "table" then error(failure, 0) end
        verdict.message = failure.rejected
        return verdict
    end
    verdict.concluded = self.concluded ~= nil
    verdict.conclusion = conclusion(self)
    return verdict
end

return proof
