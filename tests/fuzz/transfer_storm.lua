-- SPDX-License-Identifier: MIT
--
-- transfer_storm.lua - random values to a worker's state and back: tables with cycles and shared
-- parts, closures that share upvalues, buffers, library values. Each is described by a text that
-- tells values, types, sharing and cycles, made where the value is; the texts must be equal. Values
-- with something in them that cannot cross must be refused with its name, and leave nothing behind.
--   cnsengine run tests/fuzz/transfer_storm.lua --seed N --set seconds=20

local cns = require "cns"
local host = require "cns.host"

local seconds = host.param("seconds", 20)
local pool <close> = cns.tasks.new({ workers = 2 })

-- ---- descriptions; crosses to the workers, so it brings all it needs ---------------------------

local function describe(...)
    local out, numbers, cells, count, cell_count = {}, {}, {}, 0, 0
    local library = { [print] = "print", [math.sin] = "math.sin", [string] = "string", [_G] = "_G",
        [io.stdout] = "io.stdout", [require "cns".hash.blake3] = "blake3" }
    local function put(...)
        for i = 1, select("#", ...) do out[#out + 1] = (select(i, ...)) end
    end
    local visit

    local function visit_table(t)
        local keys, odd = {}, {}
        for key in next, t do
            local scalar = type(key) == "string" or type(key) == "number"
            table.insert(scalar and keys or odd, key)
        end
        local function order(key)
            return type(key) == "number" and ("%.17g %s"):format(key, math.type(key)) or "s" .. key
        end
        table.sort(keys, function(a, b) return order(a) < order(b) end)
        -- true, false and at most one object are the other keys: see make_table.
        table.sort(odd, function(a, b) return (a == true and 2 or a == false and 1 or 0)
            < (b == true and 2 or b == false and 1 or 0) end)
        put("{")
        for _, list in ipairs { keys, odd } do
            for _, key in ipairs(list) do
                visit(key)
                put("=")
                visit(t[key])
                put(";")
            end
        end
        put("}")
    end

    local function visit_function(f)
        put("function ", require "cns".hash.crc32c(string.dump(f)), "(")
        for i = 1, debug.getinfo(f, "u").nups do
            local id = debug.upvalueid(f, i)
            if cells[id] then
                put("&", cells[id], ",")
            else
                cell_count = cell_count + 1
                cells[id] = cell_count
                local name, value = debug.getupvalue(f, i)
                put(name, ":")
                visit(value)
                put(",")
            end
        end
        put(")")
    end

    function visit(v)
        local kind = type(v)
        if library[v] then
            put("<", library[v], ">")
        elseif kind == "number" then
            put(math.type(v) == "float" and (v ~= v and "nan" or ("%a"):format(v)) or v)
        elseif kind == "string" then
            put(#v, "'", v, "'")
        elseif kind == "nil" or kind == "boolean" then
            put(tostring(v))
        elseif numbers[v] then
            put("#", numbers[v])
        else
            count = count + 1
            numbers[v] = count
            if kind == "table" then
                visit_table(v)
            elseif kind == "function" then
                visit_function(v)
            elseif tostring(v):find("^cns%.buffer") then
                put("buffer ", v:type(), " ", #v, " ", v:bytes())
            else
                put("(", (tostring(v):gsub("0x%x+", "")), ")")
            end
        end
    end

    for i = 1, select("#", ...) do
        visit((select(i, ...)))
        put("|")
    end
    return table.concat(out)
end

-- ---- random values, from math.random alone, so that a worker makes the same from a seed ---------

-- options: buffers, poison (a value to hide somewhere).
local function generate(seed, options)
    math.randomseed(seed)
    local random, api = math.random, require "cns"
    local objects, left, hidden, depth = {}, random(60), false, 0
    local texts = { "", "a", "\0", "x\0y", "\xff\xfe", ("long"):rep(100), ("z"):rep(255),
        ("z"):rep(256), "__index", "n" }
    local numbers = { 0, -0.0, 1, 1.0, -1, 0.5, 2 ^ 53, math.maxinteger, math.mininteger, 1 / 0,
        -1 / 0, 0 / 0, 1e-300, 255, 256, 1 << 32 }
    local value

    local function scalar()
        local kind = random(4)
        if kind == 1 then return texts[random(#texts)] end
        if kind == 2 then return numbers[random(#numbers)] end
        if kind == 3 then return random(2) == 1 end
        return random(0, 1000)
    end

    local function make_table()
        local t = {}
        objects[#objects + 1] = t
        for i = 1, random(0, 6) do t[i] = value() end
        for _ = 1, random(0, 5) do
            local key = scalar()
            if key == key then t[key] = value() end
        end
        if random(6) == 1 then -- one object as a key, so that descriptions have an order
            local key = value()
            if type(key) == "table" or type(key) == "function" then t[key] = value() end
        end
        if random(4) == 1 then t[random(1 << 40)] = value() end
        return t
    end

    local function make_function()
        local a, b = value(), value()
        local kind = random(5)
        local f
        if kind == 1 then
            f = function() return a end
        elseif kind == 2 then
            f = function(x) a, b = b, x return a end
        elseif kind == 3 then
            local other = function() b = a return f end
            f = function(...) a = other return ... end
            objects[#objects + 1] = other
        elseif kind == 4 then
            f = function(x) return x and f(x - 1), print, string.rep end
        else
            f = function() return function() a = not a return a, b end end
        end
        objects[#objects + 1] = f
        return f
    end

    local function make_buffer()
        local kinds = { "i8", "u16", "i32", "u64", "f32", "f64" }
        local b = api.buffer(kinds[random(#kinds)], random(0, 40))
        for i = 1, #b do b[i] = random(0, 100) end
        objects[#objects + 1] = b
        return b
    end

    function value()
        left = left - 1
        if options.poison ~= nil and not hidden and random(20) == 1 then
            hidden = true
            return options.poison
        end
        local kind = random(12)
        if left <= 0 or depth > 30 then return scalar() end
        if kind <= 4 then return scalar() end
        if kind <= 6 and #objects > 0 then return objects[random(#objects)] end
        depth = depth + 1
        local made
        if kind <= 9 then
            made = make_table()
        elseif kind == 10 then
            made = make_function()
        elseif kind == 11 and options.buffers then
            made = make_buffer()
        else
            local known = { print, math.sin, string, _G, io.stdout, api.hash.blake3 }
            made = known[random(#known)]
        end
        depth = depth - 1
        return made
    end

    local root = { make_table(), make_function(), value() }
    if random(30) == 1 then
        for _ = 1, random(2000) do root = { root } end
    end
    if options.poison ~= nil then root[#root + 1] = options.poison end -- a first may be lost again
    return root
end

-- ---- ways to cross ------------------------------------------------------------------------------

local cases, refused = 0, 0
local function equal(what, seed, got, expected)
    cases = cases + 1
    if got ~= expected then
        error(("%s, seed %d: %s\n  expected %s"):format(what, seed, got, expected), 0)
    end
end

local ways = {
    argument = function(seed)
        local v = generate(seed, { buffers = true })
        equal("argument", seed, pool:spawn(describe, v, 1, v):await(), describe(v, 1, v))
    end,
    upvalue = function(seed)
        local v, w = generate(seed, { buffers = true }), nil
        local function task() w = v return describe(v, w) end
        equal("upvalue", seed, pool:spawn(task):await(), describe(v, v))
        assert(w == nil)
    end,
    echo = function(seed)
        local v = generate(seed, {})
        local a, b, c = pool:spawn(function(...) return ... end, v, nil, v):await()
        equal("echo", seed, describe(a, b, c), describe(v, nil, v))
    end,
    made = function(seed)
        local v = generate(seed, { buffers = true })
        local made = pool:spawn(generate, seed, { buffers = true }):await()
        equal("made", seed, describe(made), describe(v))
    end,
    map = function(seed)
        local items = { generate(seed, {}), 2, generate(seed + 1, {}) }
        local texts = pool:map(items, describe)
        for i = 1, 3 do equal("map", seed, texts[i], describe(items[i], i)) end
    end,
    twice = function(seed) -- through two workers' states
        local v = generate(seed, {})
        local function inner(x) return x end
        local back = pool:spawn(function(x)
            return require "cns".tasks.default():spawn(inner, x):await()
        end, v):await()
        equal("twice", seed, describe(back), describe(v))
    end,
    graph = function(seed)
        local options = { buffers = true }
        local results = pool:graph()
            :add("made", function() return generate(seed, options) end)
            :add("text", describe, { "made" })
            :run()
        equal("graph", seed, results.text, describe(generate(seed, options)))
    end,
}

-- What cannot cross, and the words of its refusal.
local poisons = {
    { "a coroutine", function() return coroutine.create(print) end },
    { "a table with a metatable %(poison%)", function()
        return setmetatable({}, { __name = "poison" })
    end },
    { "a cns%.heap", cns.heap },
    { "a cns%.columns", function() return cns.columns({ { "x", "f64" } }) end },
    { "a cns%.map", function() return cns.map({ key = "u64" }) end },
    { "a cns%.future", function() return pool:spawn(describe) end },
    { "a C function", function() return (string.gmatch("x", "x")) end },
    { "a userdata %(FILE%*%)", function() return assert(io.open("/dev/null")) end },
    { "the buffer is closed", function()
        local b = cns.buffer("i8", 1)
        b:close()
        return b
    end },
    { "the cancellation token is closed", function()
        local token = cns.tasks.cancel()
        token:close()
        return token
    end },
}

function ways.poison(seed)
    local row = poisons[seed % #poisons + 1]
    local bad = row[2]()
    local v = generate(seed, { poison = bad })
    local way = seed // 7 % 3
    local ok, message
    if way == 0 then
        ok, message = pcall(pool.spawn, pool, type, v)
    elseif way == 1 then
        ok, message = pcall(pool.spawn, pool, function() return v end)
    else
        ok, message = pcall(pool.map, pool, { 1, v }, type)
    end
    refused = refused + 1
    if ok or type(message) ~= "string" or not message:find(": " .. row[1]) then
        error(("poison %s, seed %d: %s"):format(row[1], seed, tostring(message)), 0)
    end
    local place = way == 0 and "argument #1 of task" or way == 1 and "upvalue 'v' of task"
        or "item #2 of "
    if not message:find(place, 1, true) and not message:find("... of ", 1, true) then
        error(("the place, seed %d: %s"):format(seed, message), 0)
    end
end

local names = {}
for name in pairs(ways) do names[#names + 1] = name end
table.sort(names)
local seed = host.seed & 0xffffffff
while host.elapsed() < seconds do
    ways[names[seed % #names + 1]](seed)
    seed = seed + 1
end
collectgarbage()
collectgarbage()
print(("transfer: %d values crossed, %d were refused, seed %d"):format(cases, refused, host.seed))
