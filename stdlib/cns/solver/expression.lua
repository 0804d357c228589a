-- SPDX-License-Identifier: MIT
--
-- cns.solver.expression - what models are written with: a tree of integer and Boolean expressions.
--
-- A node is a table that never changes once made, with `op` and its arguments; integers and
-- booleans of Lua stand for themselves. `bool`: it is a truth value; `partial`: it, or something in
-- it below the nearest truth value, is undefined for some arguments (x // 0). A relation is false
-- where something in it is undefined. Here is also what a node is worth for given values: plain Lua
-- that shares nothing with the engine.

local expression = {}

-- Asked for each element of each list: locals are found without a look into a table.
local getmetatable, setmetatable, type = getmetatable, setmetatable, type
local tointeger = math.tointeger

---@class cns.expression
local node = {__name = "cns.expression"}
local methods = {}
node.__index = methods
expression.methods = methods

local function is_node(value)
    return getmetatable(value) == node
end
expression.is_node = is_node

---------------------------------------------------------------------------------------------------
-- Errors: they name the line of the caller, which is the first that is not in these files

local own = {}

---Lines of the calling file are not blamed for errors.
function expression.own_file()
    if debug and debug.getinfo then
        own[debug.getinfo(2, "S").source] = true
    end
end
expression.own_file()

-- The level of the caller's line, as error() takes it, for a function that asks.
local function blamed()
    local level = 3
    if debug and debug.getinfo then
        while true do
            local info = debug.getinfo(level, "S")
            if not info or info.what ~= "C" and not own[info.source] then break end
            level = level + 1
        end
    end
    return level - 1
end

local function fail(format, ...)
    error(format:format(...), blamed())
end
expression.fail = fail

---Raises what was caught: with the caller's position, once, and without those of these files, which
---say nothing to the caller. What the engine says comes with the relation that was posted, if any.
function expression.fail_as(message, relation)
    local level = blamed()
    local info = debug and debug.getinfo and debug.getinfo(level, "Sl")
    local position = info and ("%s:%d: "):format(info.short_src, info.currentline)
    if position and message:sub(1, #position) == position then error(message, 0) end
    message = message:gsub("^[^\n:]*cns/solver[%w_/]*%.lua:%d+: ", "")
        :gsub("^bad argument #%d+ to '[%w_]*' %((.*)%)$", "%1")
    error(is_node(relation) and ("%s: %s"):format(message, relation) or message, level)
end

local function describe(value)
    if type(value) == "string" then
        return ("%q"):format(#value > 40 and value:sub(1, 40) .. "..." or value)
    elseif type(value) == "number" or type(value) == "boolean" or value == nil then
        return tostring(value)
    elseif is_node(value) then
        return "the expression " .. tostring(value)
    end
    local mt = getmetatable(value)
    local name = type(mt) == "table" and rawget(mt, "__name")
    return "a " .. (type(name) == "string" and name or type(value))
end
expression.describe = describe

---------------------------------------------------------------------------------------------------
-- What may stand where

local function make(fields)
    return setmetatable(fields, node)
end
expression.make = make

-- What messages call a value: `what`, or its element k. Made only for them.
local function called(what, k)
    return k and ("%s[%d]"):format(what, k) or what
end

---An integer, or a node (a truth value counts as 0 or 1). `k`: it is this element of `what`.
local function integer(value, what, k)
    if getmetatable(value) == node then
        return value
    elseif type(value) == "number" then
        local exact = tointeger(value)
        if exact then return exact end
    elseif type(value) == "boolean" then
        return value and 1 or 0
    end
    fail("%s: an integer or an expression is needed, got %s", called(what, k), describe(value))
end
expression.integer = integer

---A truth value: a Boolean node, true or false.
local function truth(value, what, k)
    if type(value) == "boolean" or is_node(value) and value.bool then
        return value
    end
    fail("%s: a truth value (a Boolean variable or a relation) is needed, got %s", called(what, k),
        is_node(value) and "the integer expression " .. tostring(value) or describe(value))
end
expression.truth = truth

---A plain integer of Lua within low..high.
local function number(value, what, low, high)
    local exact = type(value) == "number" and tointeger(value)
    if not exact or low and exact < low or high and exact > high then
        fail("%s: an integer%s is needed, got %s", what,
            low and high and (" in %d..%d"):format(low, high) or low and " from " .. low or "",
            describe(value))
    end
    return exact
end
expression.number = number

local function number_at(value, what, k)
    local exact = type(value) == "number" and tointeger(value)
    return exact or number(value, called(what, k))
end

-- Short lists are copied in one piece: one that is made element by element grows many times.
local PIECE = 100

---A copy of a list, to be overwritten from its first element on.
local function copy_of(values)
    return #values <= PIECE and {table.unpack(values)} or {}
end
expression.copy_of = copy_of

local function list(values, what, check)
    if type(values) ~= "table" or is_node(values) then
        fail("%s: a list is needed, got %s", what, is_node(values) and "one expression"
            or describe(values))
    end
    local copy = copy_of(values)
    for k = 1, #values do
        local value = values[k]
        if value == nil then
            fail("%s: element %d is missing", what, k)
        end
        copy[k] = check(value, what, k)
    end
    return copy
end

---Copies of a list, checked.
function expression.integers(values, what) return list(values, what, integer) end
function expression.truths(values, what) return list(values, what, truth) end
function expression.numbers(values, what) return list(values, what, number_at) end

local function any_partial(values)
    for k = 1, #values do
        local value = values[k]
        if is_node(value) and value.partial then return true end
    end
    return nil
end
expression.any_partial = any_partial

local function partial(a, b)
    return is_node(a) and a.partial or is_node(b) and b.partial or nil
end

---------------------------------------------------------------------------------------------------
-- Sums: items with coefficients, and a constant. Short ones are merged when they are added up; what
-- is long becomes an item, so that adding up one by one takes linear time.

local SHORT = 16
local HUGE = 0x1p62

local function guarded(value, exact)
    if math.abs(value) >= HUGE then
        fail("the coefficient or constant %.4g is beyond 2^62", value)
    end
    return exact
end

local function add_times(a, b) -- a + b of integers
    return guarded(a + 0.0 + b, a + b)
end

local function times(a, b)
    return guarded((a + 0.0) * b, a * b)
end

local function push_item(sum, item, factor)
    local at = sum.at[item]
    if at then
        sum.coefs[at] = add_times(sum.coefs[at], factor)
    else
        at = #sum.items + 1
        sum.items[at], sum.coefs[at], sum.at[item] = item, factor, at
        sum.partial = sum.partial or item.partial and not item.bool or nil
    end
end

local function push(sum, value, factor)
    if not is_node(value) then
        sum.k = add_times(sum.k, times(value, factor))
    elseif value.op == "sum" and #value.items <= SHORT then
        sum.k = add_times(sum.k, times(value.k, factor))
        for k = 1, #value.items do
            push_item(sum, value.items[k], times(value.coefs[k], factor))
        end
    else
        push_item(sum, value, factor)
    end
end

local function new_sum()
    return {op = "sum", items = {}, coefs = {}, k = 0, at = {}}
end

local function close_sum(sum)
    sum.at = nil
    return #sum.items == 0 and sum.k or make(sum)
end

---The sum of coefs[k] * values[k] (of values, without coefs).
function expression.sum(values, coefs)
    local sum = new_sum()
    for k = 1, #values do
        push(sum, values[k], coefs and coefs[k] or 1)
    end
    return close_sum(sum)
end

local function linear2(a, fa, b, fb)
    local sum = new_sum()
    push(sum, a, fa)
    push(sum, b, fb)
    return close_sum(sum)
end

---All of a sum's terms that are no sums, each once, and the constant. Without recursion: sums may
---be nested as deeply as a loop that added them up was long.
function expression.terms(value)
    if not is_node(value) then return {}, {}, value end
    if value.op ~= "sum" then return {value}, {1}, 0 end
    local total, stack = new_sum(), {{value, 1}}
    while #stack > 0 do
        local top = table.remove(stack)
        local item, factor = top[1], top[2]
        if item.op == "sum" then
            total.k = add_times(total.k, times(item.k, factor))
            for k = 1, #item.items do
                stack[#stack + 1] = {item.items[k], times(item.coefs[k], factor)}
            end
        else
            push_item(total, item, factor)
        end
    end
    return total.items, total.coefs, total.k
end

---------------------------------------------------------------------------------------------------
-- Operators

function node.__add(a, b) return linear2(integer(a, "+"), 1, integer(b, "+"), 1) end
function node.__sub(a, b) return linear2(integer(a, "-"), 1, integer(b, "-"), -1) end
function node.__unm(a) return linear2(integer(a, "-"), -1, 0, 0) end

function node.__mul(a, b)
    a, b = integer(a, "*"), integer(b, "*")
    if not is_node(a) then return linear2(b, a, 0, 0) end
    if not is_node(b) then return linear2(a, b, 0, 0) end
    return make {op = "mul", a = a, b = b, partial = partial(a, b)}
end

---Division as in Lua: towards minus infinity.
function node.__idiv(a, b)
    return make {op = "div", a = integer(a, "//"), b = integer(b, "//"),
        partial = partial(a, b) or not (math.type(b) == "integer" and b ~= 0) or nil}
end

---The remainder as in Lua: of the divisor's sign.
function node.__mod(a, b)
    return make {op = "mod", a = integer(a, "%"), b = integer(b, "%"),
        partial = partial(a, b) or not (math.type(b) == "integer" and b ~= 0) or nil}
end

---A power of integers; with a negative exponent 1 / a^-b, rounded towards 0.
function node.__pow(a, b)
    return make {op = "pow", a = integer(a, "^"), b = integer(b, "^"),
        partial = partial(a, b) or not (math.type(b) == "integer" and b >= 0) or nil}
end

function node.__div()
    fail("/ is for real numbers: use // for the quotient of integers")
end

local function no_order()
    fail("Lua's < and <= cannot make relations: write x:lt(y), x:le(y), x:gt(y) or x:ge(y)")
end
node.__lt, node.__le = no_order, no_order

local function flat_list(op, values, what)
    local items, there = {}, {}
    local function add(value)
        if not there[value] then
            there[value] = true
            items[#items + 1] = value
        end
    end
    for k = 1, #values do
        local value = truth(values[k], what)
        if is_node(value) and value.op == op and #value.list <= SHORT then
            for j = 1, #value.list do add(value.list[j]) end
        else
            add(value)
        end
    end
    return make {op = op, bool = true, list = items}
end

function node.__band(a, b) return flat_list("and", {a, b}, "&") end
function node.__bor(a, b) return flat_list("or", {a, b}, "|") end
function node.__bxor(a, b)
    return make {op = "xor", bool = true, list = {truth(a, "~"), truth(b, "~")}}
end

local function negate(a)
    if type(a) == "boolean" then return not a end
    return a.op == "not" and a.a or make {op = "not", bool = true, a = a}
end
function node.__bnot(a) return negate(truth(a, "~")) end

---All, some, an odd number of the truth values hold.
function expression.all(values) return flat_list("and", values, "all") end
function expression.any(values) return flat_list("or", values, "any") end
function expression.odd(values)
    return make {op = "xor", bool = true, list = expression.truths(values, "odd")}
end
expression.negate = negate

function methods:implies(other)
    return flat_list("or", {negate(truth(self, "implies")), other}, "implies")
end

function methods:iff(other)
    return make {op = "xor", bool = true,
        list = {truth(self, "iff"), negate(truth(other, "iff"))}}
end

---------------------------------------------------------------------------------------------------
-- Relations

local function compare(rel, a, b)
    a, b = integer(a, rel), integer(b, rel)
    if not is_node(a) and not is_node(b) then
        a = make {op = "sum", items = {}, coefs = {}, k = a}
    end
    return make {op = "cmp", bool = true, rel = rel, a = a, b = b, unsure = partial(a, b)}
end

function methods:le(other) return compare("le", self, other) end
function methods:lt(other) return compare("lt", self, other) end
function methods:ge(other) return compare("ge", self, other) end
function methods:gt(other) return compare("gt", self, other) end

local function both_truths(a, b)
    return is_node(a) and a.bool and (type(b) == "boolean" or is_node(b) and b.bool)
end

function methods:eq(other)
    return both_truths(self, other) and self:iff(other) or compare("eq", self, other)
end

function methods:ne(other)
    return both_truths(self, other) and self ~ other or compare("ne", self, other)
end

expression.opposite = {le = "gt", gt = "le", lt = "ge", ge = "lt", eq = "ne", ne = "eq"}

---Ascending, disjoint ranges of what is given: numbers and {low, high} in any order.
function expression.ranges(values, what)
    if type(values) ~= "table" or is_node(values) then
        fail("%s: a list of values and {low, high} is needed, got %s", what, describe(values))
    end
    local pairs_, flat = {}, {}
    for k = 1, #values do
        local value, name = values[k], ("%s[%d]"):format(what, k)
        if type(value) == "table" and not is_node(value) then
            local low, high = number(value[1], name .. "[1]"), number(value[2], name .. "[2]")
            if low <= high then pairs_[#pairs_ + 1] = {low, high} end
        else
            value = number(value, name)
            pairs_[#pairs_ + 1] = {value, value}
        end
    end
    table.sort(pairs_, function(x, y) return x[1] < y[1] end)
    for _, range in ipairs(pairs_) do
        local last = flat[#flat]
        if last and (range[1] <= last or range[1] == last + 1) then
            flat[#flat] = math.max(last, range[2])
        else
            flat[#flat + 1], flat[#flat + 2] = range[1], range[2]
        end
    end
    return flat
end

---x is one of the values or in one of the ranges: x:within{1, 3, {5, 9}}.
function methods:within(values)
    return make {op = "in", bool = true, a = self, ranges = expression.ranges(values, "within"),
        unsure = partial(self)}
end

---`yes` where the truth value holds, else `no`: integer expressions both.
function methods:choose(yes, no)
    local a, b = integer(yes, "choose"), integer(no, "choose")
    return make {op = "choose", c = truth(self, "choose"), a = a, b = b, partial = partial(a, b)}
end

---------------------------------------------------------------------------------------------------
-- What nodes are worth. nil: undefined. `get` is a table: `variable` gives the value of a variable,
-- `known` keeps what was found, since a node may be reached in many ways.

local evaluate

local function evaluate_all(values, get)
    local out = {}
    for k = 1, #values do
        local value = evaluate(values[k], get)
        if value == nil then return nil end
        out[k] = value == true and 1 or value or 0
    end
    return out
end

local function power(a, b)
    if b < 0 then
        if a == 0 then return nil end
        if a == 1 then return 1 end
        return a == -1 and (b % 2 == 0 and 1 or -1) or 0
    end
    local result = 1
    for _ = 1, a == 0 and math.min(b, 1) or (a == 1 or a == -1) and b % 2 or b do
        result = times(result, a)
    end
    return result
end

local binary = {
    mul = function(a, b) return a * b end,
    div = function(a, b) if b ~= 0 then return a // b end end,
    mod = function(a, b) if b ~= 0 then return a % b end end,
    pow = power,
}

local relations = {
    le = function(a, b) return a <= b end, lt = function(a, b) return a < b end,
    ge = function(a, b) return a >= b end, gt = function(a, b) return a > b end,
    eq = function(a, b) return a == b end, ne = function(a, b) return a ~= b end,
}

local function holds(value, get)
    return evaluate(value, get) == true
end

local function best(values, better)
    local at = 1
    for k = 2, #values do
        if better(values[k], values[at]) then at = k end
    end
    return at
end

local of_list = {
    min = function(x) return math.min(table.unpack(x)) end,
    max = function(x) return math.max(table.unpack(x)) end,
    arg_max = function(x) return best(x, relations.gt) end,
    arg_min = function(x) return best(x, relations.lt) end,
    nvalue = function(x)
        local seen, n = {}, 0
        for _, v in ipairs(x) do
            if not seen[v] then seen[v] = true; n = n + 1 end
        end
        return n
    end,
}
for name, pick in pairs {min = relations.lt, max = relations.gt} do
    of_list[name] = function(x) return x[best(x, pick)] end -- unpack has its limits
end

local worth = {}

function worth.sum(n, get)
    local items, coefs, k = expression.terms(n)
    local values = evaluate_all(items, get)
    if not values then return nil end
    for j = 1, #values do k = k + coefs[j] * values[j] end
    return k
end

function worth.abs(n, get)
    local x = evaluate_all({n.a}, get)
    return x and math.abs(x[1])
end

function worth.at(n, get)
    local index = evaluate_all({n.index}, get)
    if not index or index[1] < 1 or index[1] > #n.list then return nil end
    local all = evaluate_all(n.list, get)
    return all and all[index[1]]
end

function worth.count(n, get)
    local x, y = evaluate_all(n.list, get), evaluate_all({n.a}, get)
    if not x or not y then return nil end
    local count = 0
    for _, v in ipairs(x) do count = count + (v == y[1] and 1 or 0) end
    return count
end

local function is_in(ranges, value)
    for k = 1, #ranges, 2 do
        if value >= ranges[k] and value <= ranges[k + 1] then return true end
    end
    return false
end

function worth.among(n, get)
    local x = evaluate_all(n.list, get)
    if not x then return nil end
    local count = 0
    for _, v in ipairs(x) do count = count + (is_in(n.ranges, v) and 1 or 0) end
    return count
end

function worth.products(n, get)
    local x, y = evaluate_all(n.list, get), evaluate_all(n.list2, get)
    if not x or not y then return nil end
    local sum = 0
    for k = 1, #x do sum = sum + (n.coefs and n.coefs[k] or 1) * x[k] * y[k] end
    return sum
end

function worth.choose(n, get)
    return (evaluate_all({holds(n.c, get) and n.a or n.b}, get) or {})[1]
end

function worth.cmp(n, get)
    local x = evaluate_all({n.a, n.b}, get)
    return x ~= nil and relations[n.rel](x[1], x[2])
end

worth["in"] = function(n, get)
    local x = evaluate_all({n.a}, get)
    return x ~= nil and is_in(n.ranges, x[1])
end

worth["not"] = function(n, get) return not holds(n.a, get) end

worth["and"] = function(n, get)
    for k = 1, #n.list do
        if not holds(n.list[k], get) then return false end
    end
    return true
end

worth["or"] = function(n, get)
    for k = 1, #n.list do
        if holds(n.list[k], get) then return true end
    end
    return false
end

function worth.xor(n, get)
    local odd = false
    for k = 1, #n.list do odd = odd ~= holds(n.list[k], get) end
    return odd
end

-- A named constraint holds where its definition by simpler ones does.
function worth.global(n, get)
    local fixed = {}
    for k = 1, #n.v do
        fixed[k] = evaluate_all(n.v[k], get)
        if not fixed[k] then return false end
        for j = 1, n.literals[k] and #fixed[k] or 0 do fixed[k][j] = fixed[k][j] == 1 end
    end
    return holds(n.define(fixed, n.i), get)
end

local function evaluate_node(value, get)
    local op = value.op
    if binary[op] then
        local x = evaluate_all({value.a, value.b}, get)
        if not x then return nil end
        return binary[op](x[1], x[2])
    elseif of_list[op] then
        local x = evaluate_all(value.list, get)
        return x and of_list[op](x)
    end
    return worth[op](value, get)
end

local undefined = {}

function evaluate(value, get)
    if not is_node(value) then return value end
    if value.op == "var" then return get.variable(value) end
    local found = get.known[value]
    if found == nil then
        found = evaluate_node(value, get)
        get.known[value] = found == nil and undefined or found
    end
    if found == undefined then return nil end
    return found
end

---What a value or a node is worth, when `variable` gives the values of variables; nil: undefined.
function expression.evaluate(value, variable)
    return evaluate(value, {variable = variable, known = {}})
end

---------------------------------------------------------------------------------------------------
-- Text

local LONGEST = 160
local text
local left = 0 -- nodes that may still be shown: one that is reached in many ways counts each time

local signs = {le = "<=", lt = "<", ge = ">=", gt = ">", eq = "=", ne = "!="}
local infix = {mul = "*", div = " // ", mod = " % ", pow = "^"}

local function inner(value, depth)
    local shown = text(value, depth)
    local simple = not is_node(value) or value.op == "var" or shown:find("^[%w_.]+%b()$")
    return simple and shown or "(" .. shown .. ")"
end

local function join(values, separator, depth, show)
    local out, size = {}, 0
    for k = 1, #values do
        out[k] = (show or text)(values[k], depth)
        size = size + #out[k]
        if size > LONGEST and k < #values then
            out[k + 1] = "..."
            break
        end
    end
    return table.concat(out, separator)
end

local function sum_text(n, depth)
    local out = {}
    for k = 1, #n.items do
        local c = n.coefs[k]
        local item = n.items[k].op == "sum" and inner(n.items[k], depth) or text(n.items[k], depth)
        if n.items[k].bool and n.items[k].op ~= "var" then item = "(" .. item .. ")" end
        local size = c == 1 and item or c == -1 and item or ("%d*%s"):format(math.abs(c), item)
        out[#out + 1] = (#out == 0 and (c < 0 and "-" or "") or c < 0 and " - " or " + ") .. size
        if #out > 40 then
            out[#out + 1] = " + ..."
            break
        end
    end
    if n.k ~= 0 or #out == 0 then
        out[#out + 1] = #out == 0 and tostring(n.k)
            or (n.k < 0 and " - " or " + ") .. math.abs(n.k)
    end
    return table.concat(out)
end

local shown = {}

function shown.var(n) return n.name end
shown.sum = sum_text
function shown.at(n, depth)
    return ("%s[%s]"):format(n.name or "{" .. join(n.list, ", ", depth) .. "}",
        text(n.index, depth))
end
function shown.cmp(n, depth)
    return ("%s %s %s"):format(text(n.a, depth), signs[n.rel], text(n.b, depth))
end
shown["in"] = function(n, depth)
    local out = {}
    for k = 1, #n.ranges, 2 do
        local low, high = n.ranges[k], n.ranges[k + 1]
        out[#out + 1] = low == high and tostring(low) or low .. ".." .. high
    end
    return ("%s in {%s}"):format(inner(n.a, depth), join(out, ", ", depth, tostring))
end
shown["not"] = function(n, depth) return "not " .. inner(n.a, depth) end
shown["and"] = function(n, depth) return join(n.list, " and ", depth, inner) end
shown["or"] = function(n, depth) return join(n.list, " or ", depth, inner) end
function shown.xor(n, depth)
    local a, b = n.list[1], n.list[2]
    if #n.list == 2 and is_node(b) and b.op == "not" then
        return inner(a, depth) .. " iff " .. inner(b.a, depth)
    end
    return join(n.list, " xor ", depth, inner)
end
function shown.choose(n, depth)
    return ("%s and %s or %s"):format(inner(n.c, depth), inner(n.a, depth), inner(n.b, depth))
end
function shown.global(n, depth)
    local out = {}
    for k = 1, #n.v do
        out[k] = #n.v[k] == 1 and text(n.v[k][1], depth) or "{" .. join(n.v[k], ", ", depth) .. "}"
    end
    return ("%s(%s)"):format(n.name, table.concat(out, ", "))
end

function text(value, depth)
    if not is_node(value) then return tostring(value) end
    left = left - 1
    if depth > 30 or left < 0 then return "..." end
    depth = depth + 1
    local op = value.op
    if infix[op] then
        return inner(value.a, depth) .. infix[op] .. inner(value.b, depth)
    elseif shown[op] then
        return shown[op](value, depth)
    end
    local arguments = value.list and join(value.list, ", ", depth) or text(value.a, depth)
    if value.list and value.a then
        arguments = ("{%s}, %s"):format(arguments, text(value.a, depth))
    end
    return ("%s(%s)"):format(op, arguments)
end

function node.__tostring(n)
    left = 500
    local whole = text(n, 0)
    return #whole > 4 * LONGEST and whole:sub(1, 4 * LONGEST) .. "..." or whole
end

return expression
