-- SPDX-License-Identifier: MIT
--
-- kernel_programs.lua - random functions for kernel_storm.lua, as trees whose leaves are text, so
-- that they can be made smaller. Half of them are free: any statement in any other. The rest have
-- the shapes of real loops (masked updates, stencils, sums, gathers, walks of different length),
-- filled with random expressions that seldom fail, over buffers that are longer than any vector.

local programs = {}

local random = math.random

local kinds = {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"}
local values = {0, 1, -1, 2, 3, 7, -7, 63, 64, 127, 255, math.maxinteger, math.mininteger,
    1 << 53, (1 << 53) + 1, 2 ^ 53, 2 ^ 53 + 2, -0.0, 0.0, 0.5, 1.0, -2.5, 2.0 ^ 63, -2.0 ^ 63,
    1e308, 5e-324, 1 / 0, -1 / 0, 0 / 0}
local binary = {"+", "-", "*", "+", "-", "*", "/", "//", "%", "^", "&", "|", "~", "<<", ">>"}
local unary = {"math.abs", "math.floor", "math.ceil", "math.sqrt", "math.sin", "math.cos",
    "math.tan", "math.asin", "math.acos", "math.atan", "math.exp", "math.log", "math.deg",
    "math.rad", "helper", "math.tointeger"}
local pairwise = {"math.max", "math.min", "math.fmod", "math.atan", "math.log", "second"}

-- What an expression is made of. Only the wild one fails all the time.
local tempers = {
    wild = {values = values, kinds = kinds, binary = binary, unary = unary, pairwise = pairwise,
        sign = {"-", "-", "~"}},
    integers = {values = {0, 1, -1, 2, 5, 7, -9, 64, 1000, 1 << 31, 1 << 53, math.maxinteger,
        math.mininteger}, kinds = {"i64", "i64", "i32", "i32", "u8", "i16", "u32", "i8", "u16"},
        binary = {"+", "-", "*", "+", "-", "&", "|", "~", "<<", ">>", "// 3 +", "% 7 -", "// -5 ~",
            "// (7 | 1) +", "% (-4 | 1) *"},
        unary = {"math.abs", "math.floor", "-", "~", "helper"},
        pairwise = {"math.max", "math.min", "second"}, sign = {"-", "~"}},
    floats = {values = {0.0, -0.0, 0.5, 1.0, -2.5, 3.25, 100.0, 2.0 ^ 53, 1e308, 5e-324, 1 / 0,
        -1 / 0, 0 / 0}, kinds = {"f64", "f64", "f64", "f32"},
        binary = {"+", "-", "*", "+", "-", "*", "/", "/", "%", "//", "^"},
        unary = {"math.abs", "math.sqrt", "math.sin", "math.cos", "math.exp", "math.log", "-",
            "math.atan", "helper"}, pairwise = {"math.max", "math.min", "second", "math.fmod"},
        sign = {"-"}},
    mixed = {values = {0, 1, -3, 7, 0.5, -2.5, 1e10, 1 << 53, 2 ^ 53, math.maxinteger, 1 / 0},
        kinds = {"f64", "f64", "f32", "i32", "u8", "i64"},
        binary = {"+", "-", "*", "/", "+", "-"},
        unary = {"math.abs", "math.sqrt", "-", "helper"}, pairwise = {"math.max", "math.min"},
        sign = {"-"}},
}

-- Variables that can be read, and those of them that can be assigned; buffers and their types.
local scope, serial, temper

local function pick(list)
    return list[random(#list)]
end

local function literal(value)
    if value ~= value then return "(0/0)" end
    if value == 1 / 0 then return "math.huge" end
    if value == -1 / 0 then return "(-math.huge)" end
    if value == math.mininteger then return "math.mininteger" end
    local text = math.type(value) == "float" and ("%a"):format(value) or tostring(value)
    return (value < 0 or text:sub(1, 1) == "-") and "(" .. text .. ")" or text
end
programs.literal = literal

local function node(what, ...)
    return {what = what, ...}
end

local function fresh(letter)
    serial = serial + 1
    return letter .. serial
end

local function inner(f, ...) -- what f declares is gone after it
    local old = scope
    scope = setmetatable({}, {__index = old})
    for _, name in ipairs {"read", "written", "counters"} do
        scope[name] = {table.unpack(old[name])}
    end
    local made = f(...)
    scope = old
    return made
end

-- ---- expressions --------------------------------------------------------------------------------

local orders = {"<", "<=", ">", ">=", "==", "~="}
local expression

local function condition(depth)
    local p = random(8)
    if p == 1 and depth > -2 then
        return node("expr", "not (", condition(depth - 1), ")")
    elseif p == 2 and depth > 0 then
        return node("expr", "(", condition(depth - 1), pick {" and ", " or "},
            condition(depth - 1), ")")
    end
    return node("expr", "(", expression(depth - 1), " ", pick(orders), " ",
        expression(depth - 1), ")")
end

local function place() -- an index, mostly inside
    local p = random(10)
    if p <= 6 or scope.inside and random(40) > 1 then
        return node("expr", "(", pick(scope.counters), ")")
    elseif p <= 8 then
        return node("expr", "(", pick(scope.counters), pick {" + ", " - "}, random(0, 2), ")")
    end
    if temper ~= tempers.wild then return node("expr", "(", pick(scope.counters), ")") end
    return p == 9 and node("expr", random(8)) or expression(1)
end

function expression(depth)
    local p = random(20)
    if depth <= 0 or p <= 3 then
        return node("expr", random(3) > 1 and pick(scope.read) or literal(pick(temper.values)))
    elseif p <= 11 then
        return node("expr", "(", expression(depth - 1), " ", pick(temper.binary), " ",
            expression(depth - 1), ")")
    elseif p <= 14 then
        return node("expr", pick(scope.buffers), "[", place(), "]")
    elseif p == 15 then
        return node("expr", pick(temper.unary), "(", expression(depth - 1), ")")
    elseif p == 16 then
        return node("expr", pick(temper.pairwise), "(", expression(depth - 1), ", ",
            expression(depth - 1), ")")
    elseif p == 17 then
        return node("expr", "(#", pick(scope.buffers), temper == tempers.floats and " + 0.5" or "",
            ")")
    elseif p == 18 then
        return node("expr", "(", condition(1), " and ", expression(depth - 1), " or ",
            expression(depth - 1), ")")
    end
    return node("expr", pick(temper.sign), "(", expression(depth - 1), ")")
end

-- An expression that an element of the buffer can hold, most of the time.
local function fitting(buffer, depth)
    local kind, value = scope.kind[buffer], expression(depth)
    if temper == tempers.wild or random(12) == 1 then return value end
    if temper == tempers.integers and kind ~= "i64" then
        local mask = kind:find "8" and "0x7f" or "0x3fff"
        return node("expr", "(", value, " & ", mask, ")")
    elseif temper == tempers.mixed and kind:sub(1, 1) ~= "f" then
        return node("expr", "((", value, ") > 0.5 and 1 or 0)")
    end
    return value
end

-- ---- free programs ------------------------------------------------------------------------------

local block

local function looped(head, name, tail, fuel, depth)
    local made = inner(function()
        if name then
            table.insert(scope.read, name)
            table.insert(scope.counters, name)
        end
        scope.breaks = true
        local body = block(depth - 1, random(3))
        if name and random(6) == 1 then
            local label = fresh "l"
            table.insert(body, random(#body), node("stmt", "if ", condition(1), " then goto ",
                label, " end\n"))
            return node("stmt", node("block", "do\n", body, "end\n"), "::", label, "::\n")
        end
        return body
    end)
    if fuel then
        made = node("fuelled", node("keep", fuel, " = ", fuel, " + 1 if ", fuel,
            " > 40 then break end"), made)
    end
    return node("stmt", head, "\n", made, tail)
end

local function counted(depth)
    local name, p, fuel = fresh "i", random(11), nil
    local from, to, step = "1", "#" .. pick(scope.buffers), nil
    if p == 4 then
        from, step = tostring(random(0, 3)), pick {"2", "3", "5", "math.maxinteger"}
    elseif p == 5 then
        from, to, step = to, "1", pick {"-1", "-2", "math.mininteger"}
    elseif p == 6 then
        from, to, step = "0.5", "6", pick {"0.25", "1", "1.5"}
    elseif p == 7 then
        from, to = "math.maxinteger - 3", pick {"math.maxinteger", "math.huge"}
        step = pick {"1", "2"}
    elseif p == 8 then
        from, to = "math.mininteger + 3", pick {"math.mininteger", "-math.huge", "-2^63"}
        step = "-1"
    elseif p >= 9 then
        from, to, step = expression(1), expression(1), random(2) == 1 and expression(1) or nil
        fuel = fresh "f"
    end
    local head = node("head", "for ", name, " = ", from, ", ", to)
    if step then
        head[#head + 1] = ", "
        head[#head + 1] = step
    end
    head[#head + 1] = " do"
    local loop = looped(head, name, "end\n", fuel, depth)
    return fuel and node("stmt", "local ", fuel, " = 0\n", loop) or loop
end

local function parallel() -- each iteration writes its own element, and joins one sum
    local name, sum = fresh "i", fresh "s"
    local out = pick(scope.buffers)
    local made = inner(function()
        scope.buffers = {}
        for _, b in ipairs {"p", "q", "r"} do
            if b ~= out then table.insert(scope.buffers, b) end
        end
        scope.counters = {name}
        table.insert(scope.read, name)
        local join = random(3)
        local value = node("expr", "((", expression(1), ") // 1 | 0)")
        local text = join == 1 and node("stmt", sum, " = ", sum, " + ", value, "\n") or
            join == 2 and node("stmt", sum, " = math.max(", sum, ", ", value, ")\n") or
            node("stmt", sum, " = ", sum, " ~ ", value, "\n")
        return node("block", node("stmt", out, "[", name, "] = ", expression(2), "\n"), text)
    end)
    local head = node("head", "for ", name, " in cns.prange(#", out, ") do\n")
    table.insert(scope.read, sum)
    return node("stmt", "local ", sum, " = 0\n", head, made, "end\n")
end

local function declare(value)
    local name = fresh "v"
    table.insert(scope.read, name)
    table.insert(scope.written, name)
    return node("stmt", "local ", name, " = ", value, "\n")
end

local function call() -- of functions that are inlined with all that is in them
    local p = random(3)
    if p == 1 then
        return declare(node("expr", "total(", pick(scope.buffers), ")"))
    elseif p == 2 then
        local x, y = expression(1), expression(1)
        local a, b = fresh "v", fresh "v"
        table.insert(scope.read, a)
        table.insert(scope.read, b)
        return node("stmt", "local ", a, ", ", b, " = both(", x, ", ", y, ")\n")
    end
    local a, b = pick(scope.written), pick(scope.written)
    return node("stmt", a, ", ", b, " = ", expression(1), ", ", expression(1), "\n")
end

local function statement(depth)
    local p = random(25)
    if p <= 4 then
        return node("stmt", pick(scope.buffers), "[", place(), "] = ", expression(2), "\n")
    elseif p <= 8 then
        return node("stmt", pick(scope.written), " = ", expression(3), "\n")
    elseif p <= 10 or (depth <= 0 and p < 23) then
        return declare(expression(2))
    elseif p <= 14 then
        local test, made = condition(2), inner(function() return block(depth - 1, random(2)) end)
        local other = random(2) == 1 and inner(function() return block(depth - 1, 1) end)
        return node("stmt", "if ", test, " then\n", made, other and "else\n" or "", other or "",
            "end\n")
    elseif p <= 19 then
        return counted(depth)
    elseif p == 20 then
        local fuel, test = fresh "f", condition(2)
        return node("stmt", "local ", fuel, " = 0\n",
            looped(node("head", "while ", test, " do"), nil, "end\n", fuel, depth))
    elseif p == 21 then
        local fuel, test = fresh "f", condition(1)
        return node("stmt", "local ", fuel, " = 0\n",
            looped("repeat", nil, node("head", "until ", test, "\n"), fuel, depth))
    elseif p == 22 then
        return call()
    elseif p == 23 and scope.breaks then
        return node("stmt", "if ", condition(1), " then break end\n")
    end
    return scope.parallel and depth > 0 and parallel() or
        node("stmt", "if ", condition(1), " then return ", pick(scope.read), " end\n")
end

function block(depth, count)
    local made = node("block")
    for i = 1, count do
        made[i] = statement(depth)
    end
    return made
end

-- ---- shapes -------------------------------------------------------------------------------------

local shapes = {}

-- A loop over elements; `make` gives its body for the name of the index.
local function over(make, head)
    local name = fresh "i"
    local x = "#" .. pick(scope.buffers)
    local near = random(2) == 1 -- to the neighbours, too
    local heads = near and {{"3, ", x, " - 2"}, {x, " - 2, 3, -1"}} or {{"1, ", x}, {"1, ", x},
        {"1, ", x}, {"1, ", x}, {x, ", 1, -1"}, {"3, ", x, ", ", pick {"2", "3", "7", "100"}},
        {"n, m"}, {"0, ", x, " - 1"}, {x, ", 1, ", pick {"-2", "-5"}}}
    local chosen = head or heads[random(#heads)]
    local index = chosen[1] == "0, " and name .. " + 1" or name
    local body = inner(function()
        table.insert(scope.read, name)
        scope.inside = true
        scope.counters = near and not head and
            {index, index, name .. " + 1", name .. " - 1", name .. " - 2", name .. " + 2"} or
            {index}
        return make(index)
    end)
    head = chosen
    if head[1] == "prange" then
        return node("stmt", node("head", "for ", name, " in cns.prange(#", head[2], ") do\n"),
            body, "end\n")
    end
    return node("stmt", node("head", "for ", name, " = ", table.concat(head), " do\n"), body,
        "end\n")
end

local function at(buffer, index)
    return buffer .. "[" .. index .. "]"
end

local function store(buffer, index, depth)
    return node("stmt", at(buffer, index), " = ", fitting(buffer, depth or 3), "\n")
end

function shapes.map(name, out)
    return node("block", store(out or pick(scope.buffers), name))
end

function shapes.masked(name, out)
    out = out or pick(scope.buffers)
    local other = random(2) == 1 and node("block", "elseif ", condition(2), " then\n",
        store(out, name, 2)) or ""
    local last = random(2) == 1 and node("block", "else\n", store(out, name, 1)) or ""
    return node("stmt", "if ", condition(2), " then\n", store(out, name, 2), other, last, "end\n")
end

function shapes.several(name, out)
    local made = node("block")
    for i = 1, random(2, 3) do made[i] = declare(expression(2)) end
    made[#made + 1] = store(out or pick(scope.buffers), name, 2)
    if not out then made[#made + 1] = store(pick(scope.buffers), name, 2) end
    return made
end

-- Steps that go on for each element until something holds.
function shapes.walk(name, out)
    local z, n, limit = fresh "v", fresh "v", random(1, 30)
    local start = expression(1)
    table.insert(scope.read, z)
    local body = node("block", node("stmt", z, " = ", expression(2), "\n"),
        node("keep", n, " = ", n, " + 1"))
    if random(3) == 1 then
        table.insert(body, 1, node("stmt", "if ", condition(1), " then break end\n"))
    end
    local loop = random(3) == 1 and node("stmt", "repeat\n", body, "until ", n, " >= ", limit,
        " or ", condition(1), "\n") or node("stmt", "while ", n, " < ", limit, " and ",
        condition(1), " do\n", body, "end\n")
    table.insert(scope.read, n)
    return node("block", "local ", z, ", ", n, " = ", start, ", 0\n", loop,
        store(out or pick(scope.buffers), name, 1))
end

-- A sum for each element, over as many as another says, or over a few.
function shapes.rows(name, out)
    local s, k = fresh "s", fresh "i"
    local from, to = pick {"1", name, "2"}, pick {"7", "(" .. name .. " & 15)", "9", "n & 15",
        "math.min(" .. name .. " + 5, #" .. pick(scope.buffers) .. ")"}
    local step = pick {"", "", "", ", 2"}
    local start = literal(pick(temper.values))
    local body = inner(function()
        table.insert(scope.read, k)
        scope.counters = {name, name, k}
        local value = expression(2)
        local body = random(2) == 1 and node("stmt", s, " = ", s, pick {" + ", " - ", " * "},
            value, "\n") or node("stmt", "if ", condition(1), " then ", s, " = ", s, " + ", value,
            " end\n")
        if random(4) == 1 then
            return node("block", node("stmt", "if ", condition(1), " then break end\n"), body)
        end
        return node("block", body)
    end)
    table.insert(scope.read, s)
    return node("block", "local ", s, " = ", start, "\n", node("stmt", "for ", k, " = ", from,
        ", ", to, step, " do\n", body, "end\n"), store(out or pick(scope.buffers), name, 1))
end

function shapes.gather(name, out)
    local x, y = pick(scope.buffers), pick(scope.buffers)
    local index = temper == tempers.integers and at(y, name) or name .. " * 7"
    return node("block", declare(node("expr", x, "[", index, " % #", x, " + 1]")),
        store(out or pick(scope.buffers), name, 1))
end

function shapes.scatter(name)
    local x, y, bin = pick(scope.buffers), pick(scope.buffers), fresh "v"
    local index = temper == tempers.integers and at(y, name) or name .. " * 5"
    return node("block", "local ", bin, " = ", index, " % ", pick {"#" .. x, "4"}, " + 1\n",
        node("stmt", at(x, bin), " = ", fitting(x, 1), "\n"))
end

function shapes.histogram(name)
    local x, y, bin = pick(scope.buffers), pick(scope.buffers), fresh "v"
    local index = temper == tempers.integers and at(y, name) or name .. " * 5"
    return node("block", "local ", bin, " = ", index, " % ", pick {"#" .. x, "5"}, " + 1\n",
        at(x, bin), " = ", at(x, bin), " + ", pick {"1", "1", literal(pick(temper.values))}, "\n")
end

function shapes.carried(name)
    local x, back = pick(scope.buffers), pick {1, 1, 2, 0, 0, 5}
    return node("block", node("stmt", at(x, name), " = ", at(x, name .. " - " .. back), " + ",
        fitting(x, 1), "\n"))
end

function shapes.triples(name)
    local x, made = pick(scope.buffers), node("block")
    for i, y in ipairs(scope.buffers) do
        made[i] = node("stmt", at(y, name), " = ", at(x, ("3 * %s - %d"):format(name, 3 - i)), "\n")
    end
    return made
end

function shapes.swap(name)
    local x = pick(scope.buffers)
    local other = ("#%s - %s + 1"):format(x, name)
    return node("block", node("stmt", at(x, name), ", ", at(x, other), " = ", at(x, other), ", ",
        at(x, name), "\n"))
end

function shapes.later_error(name, out)
    local k = random(1, 300)
    local text = ({"local e%d = 7 // (%s - %d)\n", "local e%d = 7 %% (%s - %d)\n",
        "if %2$s == %3$d then local e%1$d = p[0] end\n", "local e%d = %s == %d and q[0.5] or 1\n"})
    serial = serial + 1
    local made = text[random(2)]:format(serial, name, k)
    if random(2) == 1 then
        made = ("if %s == %d then local e%d = %s end\n"):format(name, k, serial,
            pick {"p[0]", "q[#q + 1]", "p[0.5]", "1 << 0.5", "math.fmod(1, 0)"})
    end
    return node("block", store(out or pick(scope.buffers), name, 2), made,
        store(out or pick(scope.buffers), name, 1))
end

local in_parallel = {"map", "masked", "several", "walk", "rows", "gather", "later_error"}
local in_order = {"map", "map", "masked", "masked", "several", "walk", "walk", "rows", "rows",
    "gather", "scatter", "histogram", "carried", "triples", "swap", "later_error"}

-- What a whole loop leaves in a variable.
local function reduction()
    local s, k, p = fresh "s", fresh "v", random(12)
    local start = pick {"0", "0.0", "a", literal(pick(temper.values)), "math.huge",
        "math.mininteger"}
    local whole = temper == tempers.integers
    local loop = over(function(name)
        local e = random(2) == 1 and node("expr", at(pick(scope.buffers), name)) or expression(2)
        if p == 1 then
            return node("stmt", "if ", e, pick {" > ", " < ", " >= "}, s, " then ", s, ", ", k,
                " = ", e, ", ", name, " end\n")
        elseif p == 2 then
            return node("stmt", "if ", condition(2), " then ", k, " = ", k, " + 1 end\n")
        elseif p == 3 then
            return node("stmt", "if ", condition(2), " then ", k, " = ", name, " break end\n")
        elseif p == 4 then
            return node("block", node("stmt", "if ", condition(1), " then return ", e, " end\n"),
                s, " = ", s, " + ", e, "\n")
        elseif p == 5 then
            local x = pick(scope.buffers)
            return node("block", s, " = ", s, " + ", e, "\n", at(x, name), " = ", s, "\n")
        elseif p == 6 then -- keeps those that pass
            local x = pick(scope.buffers)
            return node("stmt", "if ", condition(1), " then ", k, " = ", k, " + 1 ", at(x, k),
                " = ", fitting(x, 1), " end\n")
        elseif p == 7 then
            local f = pick {"math.max", "math.min"}
            return node("stmt", s, " = ", f, "(", s, ", ", e, ")\n")
        end
        local how = whole and pick {" + ", " ~ ", " & ", " | ", " * ", " - ", " * 31 + "} or
            pick {" + ", " + ", " * ", " - ", " * 0.5 + "}
        local made = node("stmt", s, " = ", s, how, e, "\n")
        if p == 8 then
            return node("block", made, node("stmt", k, " = ", k, " + ", expression(1), "\n"))
        elseif p == 9 then
            return node("stmt", "if ", condition(1), " then ", made, " end\n")
        end
        return made
    end)
    table.insert(scope.read, s)
    table.insert(scope.read, k)
    return node("stmt", "local ", s, ", ", k, " = ", start, ", 0\n", loop)
end

local function prange()
    local out, sum = pick {"p", "q", "r"}, fresh "s"
    local joins = {"%s = %s + %s", "%s = math.max(%s, %s)", "%s = %s ~ %s", "%s = math.min(%s, %s)",
        "%s = %s + ((%s) & 1023) * 0.25"}
    local loop = inner(function()
        scope.buffers = {}
        for _, b in ipairs {"p", "q", "r"} do
            if b ~= out then table.insert(scope.buffers, b) end
        end
        return over(function(name)
            local made = shapes[pick(in_parallel)](name, out)
            if random(2) == 1 then return made end
            local value = ("(%s * %d %% 11)"):format(name, random(20))
            return node("block", made, pick(joins):format(sum, sum, value), "\n")
        end, {"prange", out})
    end)
    table.insert(scope.read, sum)
    return node("stmt", "local ", sum, " = ", pick {"0", "0", "5"}, "\n", loop)
end

local function sieve()
    local x, i, k = pick(scope.buffers), fresh "i", fresh "i"
    return node("stmt", "local ", i, " = 2\nwhile ", i, " * ", i, " <= #", x, " do\nfor ", k,
        " = ", i, " * ", i, ", #", x, ", ", i, " do ", at(x, k), " = ",
        literal(pick {0, 1, 2}), " end\n", i, " = ", i, " + 1\nend\n")
end

local function grid()
    local w, row, s = random(1, 20), fresh "i", fresh "s"
    local name, x = fresh "i", pick(scope.buffers)
    local index = ("%s * %d + %s"):format(row, w, name)
    local body = inner(function()
        table.insert(scope.read, name)
        table.insert(scope.read, row)
        scope.inside = true
        scope.counters = {index, index, name}
        return random(2) == 1 and shapes[pick {"map", "masked", "walk"}](index) or
            node("stmt", s, " = ", s, " + ", expression(2), "\n")
    end)
    return node("stmt", "for ", row, " = 0, #", x, " // ", w, " - 1 do\nlocal ", s, " = 0\n",
        node("stmt", "for ", name, " = 1, ", w, " do\n", body, "end\n"),
        random(2) == 1 and node("stmt", at(x, row .. " + 1"), " = ", s, "\n") or "", "end\n")
end

local function shaped(count)
    local made = node("block")
    for i = 1, count do
        local p = random(10)
        if scope.parallel and p <= 5 then
            made[i] = prange()
        elseif p <= 5 then
            made[i] = over(shapes[pick(in_order)])
        elseif p <= 8 then
            made[i] = reduction()
        elseif p == 9 then
            made[i] = grid()
        else
            made[i] = random(4) == 1 and sieve() or over(shapes[pick(in_order)])
        end
    end
    return made
end

-- ---- whole programs -----------------------------------------------------------------------------

-- A tree, and what its arguments have to be: types of buffers, whether loops run in parallel,
-- whether buffers may be long.
function programs.make()
    serial = 0
    local free = random(2) == 1
    temper = tempers[free and "wild" or pick {"integers", "floats", "mixed", "floats", "integers",
        "wild"}]
    local kind = {}
    for _, name in ipairs {"p", "q", "r"} do
        kind[name] = free and random(3) > 1 and pick {"f64", "i64", "f64", "f32"} or
            pick(temper.kinds)
    end
    if random(4) == 1 then kind.q, kind.r = kind.p, kind.p end
    scope = {read = {"a", "b", "up"}, written = {"a", "b"}, counters = {"1", "2"},
        buffers = {"p", "q", "r"}, kind = kind, parallel = random(4) == 1}
    local body
    if free then
        body = block(3, random(2, 5))
    else
        body = shaped(random(1, 3))
    end
    local tree = node("block", body, node("stmt", "return ", pick(scope.read), ", ", expression(2),
        ", ", pick(scope.read), "\n"))
    return tree, {kind = {kind.p, kind.q, kind.r}, parallel = scope.parallel, long = not free,
        values = temper.values}
end

local function text_of(tree, out)
    out = out or {}
    for _, part in ipairs(tree) do
        if type(part) == "table" then
            text_of(part, out)
        else
            out[#out + 1] = tostring(part)
        end
    end
    if tree.what == "keep" then out[#out + 1] = "\n" end
    return out
end

function programs.source(tree)
    return [[
local cns, up, r, n, m = ...
local function helper(x) if x < 0 then return -x end return x + up end
local function second(x, y) return x * 2 - y end
local function both(x, y) if x == y then return x, y end return y, x end
local function total(x) local s = 0 for k = 1, #x do s = s + x[k] end return s end
return function(a, b, p, q)
]] .. table.concat(text_of(tree)) .. "end, function(new) up = new end\n"
end

-- ---- arguments ----------------------------------------------------------------------------------

local short = {0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33}
local long = {0, 1, 7, 8, 9, 31, 33, 63, 64, 65, 100, 127, 255, 256, 257, 300, 511, 513, 1023,
    1024, 1025, 2049}

local limits = {i8 = 7, u8 = 8, i16 = 15, u16 = 16, i32 = 31, u32 = 32, i64 = 63, u64 = 63}

local function element(kind, values_of)
    if kind:sub(1, 1) == "f" then
        return random(4) == 1 and pick(values_of) + 0.0 or random(-9, 9) / 4
    elseif random(40) == 1 then
        local top = limits[kind] == 63 and math.maxinteger or (1 << limits[kind]) - 1
        return random(2) == 1 and top or kind:sub(1, 1) == "u" and 0 or -top - 1
    end
    return random(0, 100)
end

-- Buffers that overlap are for loops in order: prange leaves open who writes first.
function programs.arguments(traits)
    local from = traits.values
    local made = {a = pick(from), b = pick(from), up = pick(from), kind = traits.kind, fill = {}}
    local size = pick(traits.long and long or short)
    if traits.long and traits.parallel and random(4) == 1 then size = 6000 end
    made.n, made.m = random(0, 3), random(2) == 1 and size - random(0, 2) or random(0, 20)
    for i = 1, 3 do
        made.fill[i] = {}
        local count = random(16) == 1 and pick {0, 5, size // 2} or size
        for j = 1, count do made.fill[i][j] = element(made.kind[i], from) end
    end
    if random(4) == 1 then made.later = pick {0, 1, 2.5, -1} end
    if not traits.parallel then
        local p = random(10)
        made.same = p == 1
        made.shift = p <= 4 and p > 1 and made.kind[1] == made.kind[2] and
            pick {0, 1, 1, 2, 3, 7, 8, 15, size // 2} or nil
        if made.same then made.kind = {made.kind[1], made.kind[1], made.kind[3]} end
    end
    made.parallel = traits.parallel
    made.long = math.max(#made.fill[1], #made.fill[2], #made.fill[3]) > 33
    return made
end

return programs
