-- SPDX-License-Identifier: MIT
--
-- api_storm.lua - calls every function and method of the module with everything that is not what
-- it asks for: odd numbers, huge and binary strings, tables whose metamethods raise, close or
-- yield, closed objects, objects of the wrong class. Errors are fine; what may not happen is a
-- crash, a hang or a leak, which the sanitizers and the exit code tell.
--   cnsengine run tests/fuzz/api_storm.lua --seed N --set seconds=20

local cns = require "cns"
local host = require "cns.host"

local seconds = host.param("seconds", 20)
local trace = host.param("trace", false)
math.randomseed(host.seed)

local random = math.random
local live = {} -- a bounded bag of objects, closed and open
local bag = 200

local function keep(object)
    live[#live < bag and #live + 1 or random(bag)] = object
    return object
end

local function any_object()
    return live[random(#live + 1)]
end

local function close_something()
    local object = any_object()
    if object then pcall(object.close, object) end
end

-- Metamethods that raise, close other objects, yield, or collect.
local mischief = {
    function() error("mischief") end,
    function() error(setmetatable({}, { __tostring = function() error("worse") end })) end,
    function() close_something() return 1 end,
    function() for _ = 1, 5 do close_something() end return "a" end,
    function() coroutine.yield(1) return 2 end,
    function() collectgarbage() return any_object() end,
    function() return any_object() end,
    function() return nil end,
    function() return math.maxinteger end,
}

local function pick(list)
    return list[random(#list)]
end

local events = { "__index", "__newindex", "__len", "__tostring", "__eq", "__lt", "__call", "__gc",
    "__close", "__pairs", "__concat", "__unm", "__name", "__metatable", "__mode" }

local function nasty_table()
    local meta = {}
    for _ = 1, random(4) do meta[pick(events)] = pick(mischief) end
    local list = {}
    for i = 1, random(0, 4) do list[i] = any_object() or i end
    return setmetatable(list, meta)
end

local function cyclic()
    local t = { 1, 2 }
    t.t, t[3] = t, t
    return t
end

local function deep()
    local t = {}
    for _ = 1, random(1000) do t = { t } end
    return t
end

local words = { "", "a", "\0", "a\0b", "u64", "f64", "i8", "string", "none", "read", "write", "x",
    "blake3", "blake2b", "xxh3-64", "xxh3-128", "crc32c", "siphash24", "siphash13", "64 KiB",
    "1e999 GiB", "-1", "5 ms", "16777216 TiB", "NaN", "0x10", "%s%n", "\xff\xfe",
    ("k"):rep(16), ("z"):rep(32), ("x"):rep(100000), ("["):rep(5000), "{a: &a [*a, *a]}",
    "[1,2,{\"a\":null}]", "- 1\n- b: 2", "/dev/null", "/nonexistent/x", "normal", "high",
    "\u{10ffff}" }
local numbers = { 0, 1, 2, 3, 7, 8, 16, 64, 100, 255, 256, 65535, 65536, -1, -2, 0.5, -0.0, 1e308,
    0 / 0, 1 / 0, -1 / 0, 2 ^ 53, 2 ^ 63, -2 ^ 63, math.maxinteger, math.mininteger,
    math.maxinteger - 1, 1 << 31, 1 << 32, (1 << 31) - 1, 1 << 62, 1e-300 }
local fields = { { "x", "f64" }, { "y", "i32" }, { "id", "u64" } }
local options = { "size", "key", "salt", "personal", "derive", "seed", "raw", "tasks", "budget",
    "tag", "guard", "block_size", "limit", "capacity", "workers", "name", "cancel", "priority",
    "deadline", "grain", "indent", "value" }

local functions = {
    function(...) return ... end,
    function() return end,
    function() error({}) end,
    function() error(nil) end,
    function() error("task", 0) end,
    function(a) return a, a, a end,
    function() return coroutine.create(function() end) end,
    function() return io.stdout end,
    function() return print end,
    function() local t = {} t.t = t return t end,
    function() return setmetatable({}, { __index = error, __gc = error }) end,
    function() return require("cns").buffer("f64", 8) end,
    function() return require("cns").heap() end,
    function() return require("cns").tasks.new({ workers = 2 }) end,
    function() return require("cns").tasks.default():spawn(function() return 1 end):await() end,
    function() coroutine.yield(1) end,
    function(...)
        for i = 1, select("#", ...) do
            pcall((select(i, ...)).close, (select(i, ...)))
        end
    end,
    function(b) b[1] = 3 return #b end,
    function() return function() return 1 end end,
    function() return ("x"):rep(1 << 20) end,
    function() setmetatable({}, { __gc = function() error("gc") end }) collectgarbage() end,
    function() return require("cns").tasks.cancelled(), require("cns").tasks.worker() end,
    function(...) return select("#", ...) end,
    function() return string.rep("x", 1 << 40) end,
    function() close_something() return any_object() end,
    function(a, b) return a + b end,
    print and function() return math.huge // 0 end,
}

local makers = {
    function() return cns.heap() end,
    function() return cns.heap({ budget = pick({ 0, 1 << 16, 1 << 20 }) }) end,
    function() return cns.heap({ guard = true }):alloc(random(100)) end,
    function() return cns.heap():alloc(random(5000)) end,
    function() return cns.arena() end,
    function() return cns.arena():alloc(random(5000)) end,
    function() return cns.arena():mark() end,
    function() return cns.pool(fields) end,
    function() return cns.columns(fields) end,
    function() local c = cns.columns(fields) c:append_rows(random(20)) return c end,
    function() local c = cns.columns(fields) c:append_rows(random(20)) return c:view("x") end,
    function() return cns.buffer(pick({ "i8", "u64", "f64", "f32" }), random(0, 64)) end,
    function() return cns.buffer("f64", 64):slice(random(64)) end,
    function() return cns.buffer("f64", 64):borrow(pick({ "read", "write" })) end,
    function() return cns.map({ key = "u64" }) end,
    function() return cns.map({ key = "string", value = pick({ "u64", "f64", "none", 12 }) }) end,
    function() return cns.hash.new(pick({ "blake3", "blake2b", "xxh3-64", "crc32c" })) end,
    function() return cns.hash.new("siphash24", { key = ("k"):rep(16) }) end,
    function() return cns.tasks.new({ workers = random(3) }) end,
    function() return cns.tasks.default() end,
    function() return cns.tasks.cancel() end,
    function() return cns.tasks.default():spawn(pick(functions), any_object()) end,
    function() return cns.tasks.default():spawn(function() return 1 end) end,
    function() return cns.tasks.default():graph() end,
    function() return cns.tasks.default():graph():add("a", pick(functions)) end,
    function() return cns.tasks.read(cns.buffer("f64", 8)) end,
    function() return cns.tasks.write(cns.buffer("f64", 8)) end,
    function() return (cns.monitor.counters()) end,
}

local function odd()
    local kind = random(16)
    if kind <= 4 then return pick(numbers) end
    if kind <= 6 then return pick(words) end
    if kind <= 9 then return any_object() end
    if kind == 10 then return nil end
    if kind == 11 then return random(2) == 1 end
    if kind == 12 then return pick(functions) end
    if kind == 13 then return nasty_table() end
    if kind == 14 then
        local t = {}
        for _ = 1, random(4) do
            local value = random(3) == 1 and any_object() or
                pick(random(2) == 1 and words or numbers)
            t[pick(options)] = value
        end
        if random(2) == 1 then t.key = pick({ "u64", "string", ("k"):rep(16) }) end
        return t
    end
    if kind == 15 then
        local t = {}
        for i = 1, random(0, 6) do t[i] = random(3) == 1 and pick(words) or any_object() end
        return random(4) == 1 and fields or t
    end
    return pick({ cyclic, deep, function() return coroutine.create(pick(functions)) end,
        function() return io.stdout end, function() return print end,
        function() return coroutine.running() end })()
end

-- A few calls would only wait, fill the disk, or close what the storm needs.
local skipped = { sleep = true, write_atomic = true, mkdir = true, rmdir = true, chmod = true,
    truncate = true, remove_tree = true, tempdir = true, file = true, list = true }

local entry = {}
local function collect(prefix, source)
    local names = {}
    for name, value in pairs(source) do
        if type(name) == "string" then names[#names + 1] = name end
        if type(value) == "table" and prefix == "cns" then collect("cns." .. name, value) end
    end
    table.sort(names)
    for _, name in ipairs(names) do
        if type(source[name]) == "function" and not skipped[name] then
            entry[#entry + 1] = { prefix .. "." .. name, source[name] }
        end
    end
end
collect("cns", cns)

-- The methods, found by the names that the meta file lists; kept raw, so that any self may come.
local method_names = { "write", "read", "fill", "free", "resize", "alloc", "stats", "purge",
    "reset",
    "check", "close", "mark", "restore", "new", "get", "set", "unpack", "valid", "handles", "type",
    "slice", "split", "borrow", "borrowed", "copy", "bytes", "set_bytes", "table", "append",
    "append_rows", "remove", "clear", "view", "fields", "update", "digest", "clone", "has", "pairs",
    "cancel", "after", "cancelled", "spawn", "spawn_with", "await_all", "map", "range", "reduce",
    "graph", "workers", "await", "wait", "done", "add", "run" }
local metas = { "__index", "__newindex", "__len", "__gc", "__close", "__tostring", "__eq",
    "__call" }
local known = {}
for _, make in ipairs(makers) do
    local ok, object = pcall(make)
    if ok and type(object) == "userdata" then
        keep(object)
        for _, name in ipairs(method_names) do
            local found, method = pcall(function() return object[name] end)
            if found and type(method) == "function" and not known[method] then
                known[method] = true
                entry[#entry + 1] = { "method " .. name, method, object }
            end
        end
        local meta = debug and debug.getmetatable and debug.getmetatable(object)
        for _, name in ipairs(type(meta) == "table" and metas or {}) do
            local method = meta[name]
            if type(method) == "function" and not known[method] then
                known[method] = true
                entry[#entry + 1] = { "meta " .. name, method, object }
            end
        end
    end
end

local function remember(...)
    for i = 2, math.min(select("#", ...), 4) do
        local value = select(i, ...)
        if type(value) == "userdata" then keep(value) end
    end
    return ...
end

-- Waits are kept short: `wait` and `after` take what number they are given.
local function tame(name, arguments)
    if name == "method wait" then arguments[2] = pick({ 0, 0.001, -1, 0 / 0, "1 ms", "x", {} }) end
    if name == "method range" or name == "method reduce" then
        for i = 2, 3 do
            if type(arguments[i]) == "number" and math.abs(arguments[i]) > 1e4
                and random(4) ~= 1 then arguments[i] = i * 40 end
        end
    end
end

local same_class = {}
for _, make in ipairs(makers) do
    local ok, object = pcall(make)
    if ok and type(object) == "userdata" then
        for _, row in ipairs(entry) do
            local found, method = pcall(function() return row[3] and object[row[1]:sub(8)] end)
            if found and method == row[2] then
                same_class[row] = same_class[row] or {}
                table.insert(same_class[row], make)
            end
        end
    end
end

local calls, refused = 0, 0
local function call_one()
    local row = pick(entry)
    local count = random(0, 6)
    local arguments = table.pack()
    for i = 1, count do arguments[i] = odd() end
    if row[3] and random(10) > 1 then
        local ok, object = pcall(pick(same_class[row] or makers))
        arguments[1] = ok and keep(object) or any_object()
        if count == 0 then count = 1 end
        if random(12) == 1 then arguments[random(2, 4)] = arguments[1] end
    end
    tame(row[1], arguments)
    if trace then
        local shown = {}
        for i = 1, count do shown[i] = type(arguments[i]) == "table" and "table"
            or type(arguments[i]) == "string" and ("%q"):format(arguments[i]:sub(1, 20))
            or tostring(arguments[i]) end
        io.stderr:write(row[1], "(", table.concat(shown, ", "), ")\n")
    end
    calls = calls + 1
    if not remember(pcall(row[2], table.unpack(arguments, 1, count))) then refused = refused + 1 end
end

-- The same call from where it is least expected.
local settings = {
    call_one,
    call_one,
    call_one,
    function()
        local co = coroutine.wrap(call_one)
        for _ = 1, 3 do pcall(co) end
    end,
    function() setmetatable({}, { __gc = call_one }) collectgarbage("step", 100) end,
    function()
        pcall(function()
            local guard <close> = setmetatable({}, { __close = call_one }) -- luacheck: ignore 211
            call_one()
        end)
    end,
    function()
        pcall(table.sort, { 3, 1, 2, 5, 4 }, function(a, b) call_one() return a < b end)
    end,
    function() pcall(string.gsub, "abc", ".", function() call_one() end) end,
    function() if random(10) == 1 then collectgarbage() end end,
    close_something,
    function()
        for _ = 1, 20 do
            live[random(bag)] = nil
        end
    end,
    function()
        local object = pick(makers)()
        local co = coroutine.create(function() coroutine.yield() return object:close() end)
        coroutine.resume(co)
        pcall(object.close, object)
        coroutine.resume(co)
        coroutine.close(co)
    end,
}

local last = os.clock()
while host.elapsed() < seconds do
    pcall(pick(settings))
    if os.clock() - last > 2 then
        last = os.clock()
        host.status(("%d calls, %d refused"):format(calls, refused))
    end
end
print(("storm: %d entry points, %d calls, %d refused, seed %d"):format(#entry, calls, refused,
    host.seed))
