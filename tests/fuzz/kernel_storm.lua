-- SPDX-License-Identifier: MIT
--
-- kernel_storm.lua - random functions, run by Lua itself and as kernels on every tier: results,
-- errors with their lines and what is left in the buffers must be the same to the bit. What
-- differs is made smaller and printed with the seed that makes it again.
--   cnsengine run tests/fuzz/kernel_storm.lua --seed N --set seconds=20 [--set native=1]
-- Not compared: the line of n//0 and n%%0 (Lua 5.4.4 gives a stale one), the payload of a NaN.

local cns = require "cns"
local host = require "cns.host"

local seconds = host.param("seconds", 20)
local programs = host.param("programs", 1000000000)
local native = host.param("native", 16) -- each so many programs in machine code, too
local first = host.seed
local random = math.random

local kinds = {"i8", "u8", "i16", "u16", "i32", "u32", "i64", "u64", "f32", "f64"}
local values = {0, 1, -1, 2, 3, 7, -7, 63, 64, 127, 255, math.maxinteger, math.mininteger, 2 ^ 53,
    2 ^ 53 + 2, -0.0, 0.0, 0.5, 1.0, -2.5, 2.0 ^ 63, -2.0 ^ 63, 1e308, 5e-324, 1 / 0, -1 / 0, 0 / 0}

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

-- ---- programs: trees whose leaves are text ------------------------------------------------------

local scope, serial -- variables that can be read, and those of them that can be assigned

local function node(what, ...)
    return {what = what, ...}
end

local binary = {"+", "-", "*", "+", "-", "*", "/", "//", "%", "^", "&", "|", "~", "<<", ">>"}
local unary = {"math.abs", "math.floor", "math.ceil", "math.sqrt", "math.sin", "math.exp", "helper"}
local pairwise = {"math.max", "math.min", "math.fmod", "second"}
local orders = {"<", "<=", ">", ">=", "==", "~="}
local expression

local function condition(depth)
    local p = random(8)
    if p == 1 then return node("expr", "not (", condition(depth - 1), ")") end
    if p == 2 and depth > 0 then
        return node("expr", "(", condition(depth - 1), pick {" and ", " or "},
            condition(depth - 1), ")")
    end
    return node("expr", "(", expression(depth - 1), " ", pick(orders), " ",
        expression(depth - 1), ")")
end

local function place() -- an index, mostly inside
    local p = random(10)
    if p <= 6 then return node("expr", "(", pick(scope.counters), ")") end
    if p <= 8 then
        return node("expr", "(", pick(scope.counters), pick {" + ", " - "}, random(0, 2), ")")
    end
    return p == 9 and node("expr", random(8)) or expression(1)
end

function expression(depth)
    local p = random(20)
    if depth <= 0 or p <= 3 then
        return node("expr", random(3) > 1 and pick(scope.read) or literal(pick(values)))
    elseif p <= 11 then
        return node("expr", "(", expression(depth - 1), " ", pick(binary), " ",
            expression(depth - 1), ")")
    elseif p <= 14 then
        return node("expr", pick(scope.buffers), "[", place(), "]")
    elseif p == 15 then
        return node("expr", pick(unary), "(", expression(depth - 1), ")")
    elseif p == 16 then
        return node("expr", pick(pairwise), "(", expression(depth - 1), ", ",
            expression(depth - 1), ")")
    elseif p == 17 then
        return node("expr", "(#", pick(scope.buffers), ")")
    elseif p == 18 then
        return node("expr", "(", condition(1), " and ", expression(depth - 1), " or ",
            expression(depth - 1), ")")
    end
    return node("expr", pick {"-", "-", "~"}, "(", expression(depth - 1), ")")
end

local function inner(f) -- what f declares is gone after it
    local old = scope
    scope = {buffers = old.buffers}
    for _, name in ipairs {"read", "written", "counters"} do
        scope[name] = {table.unpack(old[name])}
    end
    local made = f()
    scope = old
    return made
end

local function fresh(letter)
    serial = serial + 1
    return letter .. serial
end

local block

local function looped(head, name, tail, fuel, depth)
    local made = inner(function()
        if name then
            table.insert(scope.read, name)
            table.insert(scope.counters, name)
        end
        return block(depth - 1, random(3))
    end)
    if fuel then
        table.insert(made, 1,
            node("keep", fuel, " = ", fuel, " + 1 if ", fuel, " > 40 then break end"))
    end
    return node("stmt", head, "\n", made, tail)
end

local function counted(depth)
    local name, p, fuel = fresh "i", random(10), nil
    local from, to, step = "1", "#" .. pick(scope.buffers), nil
    if p == 5 then
        from, to, step = to, "1", "-1"
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

local function statement(depth)
    local p = random(22)
    if p <= 4 then
        return node("stmt", pick(scope.buffers), "[", place(), "] = ", expression(2), "\n")
    elseif p <= 8 then
        return node("stmt", pick(scope.written), " = ", expression(3), "\n")
    elseif p <= 11 or depth <= 0 then
        local value, name = expression(2), fresh "v"
        table.insert(scope.read, name)
        table.insert(scope.written, name)
        return node("stmt", "local ", name, " = ", value, "\n")
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
    end
    return scope.parallel and parallel() or
        node("stmt", "if ", condition(1), " then return ", pick(scope.read), " end\n")
end

function block(depth, count)
    local made = node("block")
    for i = 1, count do
        made[i] = statement(depth)
    end
    return made
end

local function program()
    serial = 0
    scope = {read = {"a", "b", "up"}, written = {"a", "b"}, counters = {"1", "2"},
        buffers = {"p", "q", "r"}, parallel = random(4) == 1}
    local body = block(3, random(2, 5))
    return node("block", body, node("stmt", "return ", pick(scope.read), ", ", expression(2), ", ",
        pick(scope.read), "\n")), scope.parallel
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

-- ---- running ------------------------------------------------------------------------------------

local function source_of(tree)
    return [[
local cns, up, r = ...
local function helper(x) if x < 0 then return -x end return x + up end
local function second(x, y) return x * 2 - y end
return function(a, b, p, q)
]] .. table.concat(text_of(tree)) .. "end\n"
end

-- Buffers that overlap are for loops in order: prange leaves open who writes first.
local function arguments(parallel_loops)
    local made = {a = pick(values), b = pick(values), up = pick(values), kind = {}, fill = {}}
    local size = pick {0, 1, 3, 7, 8, 9, 16, 33}
    for i = 1, 3 do
        made.kind[i] = random(3) == 1 and pick(kinds) or pick {"f64", "i64", "f64", "f32"}
        made.fill[i] = {}
        local real = made.kind[i]:sub(1, 1) == "f"
        for j = 1, random(4) == 1 and pick {0, 5} or size do
            made.fill[i][j] = not real and random(0, 100) or
                random(3) == 1 and pick(values) or random(-9, 9) / 4
        end
    end
    made.same = not parallel_loops and random(8) == 1
    return made
end

local function buffer_of(kind, fill)
    local made = cns.buffer(kind, #fill)
    for i, value in ipairs(fill) do
        if not pcall(function() made[i] = value end) then made[i] = 0.5 end
    end
    return made
end

local function show(value)
    if math.type(value) ~= "float" then return tostring(value) end
    return value ~= value and "nan" or ("float %a"):format(value)
end

local path = os.tmpname()

local function type_name(value)
    return type(value) == "boolean" and "bool" or
        math.type(value) == "float" and "f64" or value == nil and "nil" or "i64"
end

-- What a call with `given` compiles, by way of a file.
local function through_file(kernel, given)
    kernel:compile(type_name(given.a), type_name(given.b), given.kind[1] .. "[]",
        given.kind[given.same and 1 or 2] .. "[]", given.kind[3] .. "[]")
    local file <close> = assert(io.open(path, "wb"))
    file:write(cns.jit.dump {{name = "f", kernel = kernel}})
    file:close()
    kernel:close()
    return cns.jit.load(path, {tier = "vm"}).f
end

local function compiled(f, given, options)
    local kernel = cns.jit(f, {tier = options.tier, optimise = options.optimise})
    if not options.file then return kernel end
    local done, loaded = pcall(through_file, kernel, given)
    if done then return loaded end
    return setmetatable({close = function() kernel:close() end},
        {__call = function() error(loaded, 0) end})
end

local function outcome(source, given, options)
    local buffers = {}
    for i = 1, 3 do buffers[i] = buffer_of(given.kind[i], given.fill[i]) end
    if given.same then buffers[2] = buffers[1] end
    if options and options.file then -- no file holds a captured buffer
        source = source:gsub("function%(a, b, p, q%)", "function(a, b, p, q, r)")
    end
    local f = assert(load(source, "=program"))(cns, given.up, buffers[3])
    local kernel = options and compiled(f, given, options) or f
    local out
    for _ = 1, 2 do -- the second call finds what the first one compiled
        local results = table.pack(pcall(kernel, given.a, given.b, buffers[1], buffers[2],
            buffers[3]))
        out = out or {}
        for i = 1, results.n do
            local text = show(results[i]):gsub(" %(%l+ '.-'%)", ""):gsub("%-nan", "nan")
            if text:find("attempt to perform 'n", 1, true) then
                text = text:gsub("^program:%d+", "program")
            end
            out[#out + 1] = text
        end
        for i = 1, 3 do
            local real = given.kind[i]:sub(1, 1) == "f"
            out[#out + 1] = not real and ("%q"):format(buffers[i]:bytes()) or nil
            for j = 1, real and #buffers[i] or 0 do out[#out + 1] = show(buffers[i][j]) end
        end
    end
    if options then kernel:close() end
    return table.concat(out, ", ")
end

local tiers = {{tier = "scalar", optimise = false}, {tier = "scalar"}, {tier = "vm"},
    {tier = "vm", file = true}}
if pcall(cns.jit(function(x) return x end, {tier = "native"}), 1) then
    tiers[5] = {tier = "native"}
end

local refused, checked = 0, 0

-- Names are unique: one that is declared before is in scope.
local function closed(source)
    local seen = {}
    for word, name in source:gmatch "(%l*) *%f[%w]([ifsv]%d+)" do
        seen[name] = seen[name] or word == "local" or word == "for"
        if not seen[name] then return false end
    end
    return true
end

-- What has no place in a kernel is refused in words of its own.
local refusals = {"kernels compute", "must run to its end", "a bool is stored",
    "it must be a number", "keeps its value from the last iteration",
    "carried from one iteration", "the types change too often"}

-- The tier whose outcome is not Lua's: of `which`, or of the first `last` ones.
local function difference(source, given, which, last)
    if not closed(source) or not load(source) then return nil end
    local expected = outcome(source, given)
    if expected:find("attempt to [^p]") or expected:find(" a nil value") then return nil end
    for i = which or 1, which or last do
        local found = outcome(source, given, tiers[i])
        for _, text in ipairs(refusals) do
            if found:find(text, 1, true) then
                refused = refused + 1
                return nil
            end
        end
        checked = checked + 1
        if found ~= expected then return i, expected, found end
    end
end

-- ---- making it smaller --------------------------------------------------------------------------

local function try(root, given, which, parent, at, part)
    local old = parent[at]
    parent[at] = part
    if difference(source_of(root), given, which) then return true end
    parent[at] = old
    return false
end

local function smaller(root, given, which, tree)
    local better = false
    for i = #tree, 1, -1 do
        local part = tree[i]
        if type(part) == "table" then
            local done = part.what == "stmt" and try(root, given, which, tree, i, "")
            for _, sub in ipairs(done and {} or part) do
                done = done or type(sub) == "table" and
                    (sub.what == part.what or part.what == "stmt" and sub.what == "block") and
                    try(root, given, which, tree, i, sub)
            end
            done = done or part.what == "expr" and #part > 1 and
                try(root, given, which, tree, i, "1")
            better = done or better
            if type(tree[i]) == "table" then
                better = smaller(root, given, which, tree[i]) or better
            end
        end
    end
    return better
end

local function report(seed, tree, given, which)
    for _ = 1, 10 do
        if not smaller(tree, given, which, tree) then break end
    end
    local source = source_of(tree)
    local _, expected, found = difference(source, given, which)
    local head = "seed %d, tier %s%s%s, a %s, b %s, up %s, same %s, buffers %s"
    print(head:format(seed, tiers[which].tier,
        tiers[which].optimise == false and " not optimised" or "",
        tiers[which].file and " loaded" or "", show(given.a), show(given.b),
        show(given.up), given.same, table.concat(given.kind, " ")))
    for i = 1, 3 do
        local fill = {}
        for j, value in ipairs(given.fill[i]) do fill[j] = literal(value) end
        print(("  %s: %s"):format(("pqr"):sub(i, i), table.concat(fill, ", ")))
    end
    print(source .. "  Lua:    " .. tostring(expected) .. "\n  kernel: " .. tostring(found))
end

local started, ran, failures = os.time(), 0, 0
while ran < programs and os.time() - started < seconds and failures < 10 do
    local seed = first * 1000003 + ran
    math.randomseed(seed)
    local tree, parallel_loops = program()
    local given = arguments(parallel_loops)
    local last = ran % native == 0 and #tiers or math.min(#tiers, 4) -- LLVM takes its time
    local which = difference(source_of(tree), given, nil, last)
    if which then
        failures = failures + 1
        report(seed, tree, given, which)
    end
    ran = ran + 1
end
print(("kernel storm: %d programs, %d comparisons, %d refused, %d different"):format(ran, checked,
    refused, failures))
os.remove(path)
if failures > 0 then error("kernels differ from Lua", 0) end
