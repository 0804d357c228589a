-- SPDX-License-Identifier: MIT
--
-- test_ffi.lua - what LuaJIT sees of the engine is what C sees, and it does real work.
-- usage: luajit tests/luajit/test_ffi.lua LAYOUT-PROGRAM KERNELS
-- (cns on LUA_PATH, CNS_LIBRARY set; KERNELS is made of examples/lua/module.lua)
local ffi = require("ffi")
local cns = require("cns")

local passed, failed = 0, 0

local function test(name, fn)
    local ok, why = xpcall(fn, debug.traceback)
    if ok then
        passed = passed + 1
    else
        failed = failed + 1
        io.stderr:write(name, ": ", why, "\n")
    end
end

local function equal(actual, expected, what)
    if actual ~= expected then
        error(("%s: expected %s, got %s"):format(what or "value", tostring(expected),
            tostring(actual)), 2)
    end
end

local function fails(pattern, fn, ...)
    local ok, why = pcall(fn, ...)
    if ok or not tostring(why):find(pattern) then
        error(("expected an error like '%s', got %s"):format(pattern, tostring(why)), 2)
    end
end

test("layouts agree with the C compiler's", function()
    local pipe = assert(io.popen(arg[1]))
    local layouts = assert(loadstring(pipe:read("*a")))()
    pipe:close()
    local structs = 0
    for name, layout in pairs(layouts) do
        structs = structs + 1
        equal(ffi.sizeof(name), layout.size, "sizeof " .. name)
        for field, offset in pairs(layout.fields) do
            equal(ffi.offsetof(name, field), offset, name .. "." .. field)
        end
    end
    local declared = 0
    for name, body in require("cns_cdef"):gmatch("typedef%s+struct%s+(cns_[%w_]+)%s*(%b{})") do
        declared = declared + 1
        local layout = assert(layouts[name], name .. " is missing in layout.c")
        local fields = select(2, body:gsub("}%s*;", ""):gsub(";", "")) -- a union is none
        for _ in pairs(layout.fields) do
            fields = fields - 1
        end
        equal(fields, 0, "fields of " .. name .. " not listed in layout.c")
    end
    equal(structs, declared, "structs")
end)

test("official digests", function()
    equal(cns.hash.blake3("abc"),
        "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85")
    equal(cns.hash.blake2b("abc"), -- RFC 7693, appendix A
        "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
        .. "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923")
    equal(cns.hash.crc32c("123456789"), "e3069283")
    equal(#cns.hash.blake3("x", {size = 100, raw = true}), 100)
    local hasher = cns.hash.new("blake3"):update("a"):update("bc")
    equal(hasher:digest(), cns.hash.blake3("abc"))
    equal(hasher:read(0, 32), cns.hash.blake3("abc", {raw = true}))
    local list = {}
    for i = 1, 100 do
        list[i] = ("x"):rep(i * 7)
    end
    for i, digest in ipairs(cns.hash.batch("blake2b", list, {size = 8})) do
        equal(digest, cns.hash.blake2b(list[i], {size = 8}))
    end
    fails("key", cns.hash.siphash24, "abc")
    fails("/nonexistent", cns.hash.file, "blake3", "/nonexistent")
end)

test("heap and arena hold real memory", function()
    local heap = cns.heap({budget = 1024 * 1024})
    local pointer = assert(heap:alloc(1000))
    ffi.fill(pointer, 1000, 7)
    equal(heap:stats().live_count, 1)
    equal(heap:alloc(2 * 1024 * 1024), nil)
    equal(heap:stats().failures, 1)
    heap:free(pointer, 1000)
    equal(heap:stats().live_bytes, 0)
    heap:close()
    heap:close()
    fails("closed", heap.alloc, heap, 1)
    local arena = cns.arena()
    local mark = arena:mark()
    assert(arena:alloc(100))
    arena:restore(mark)
    arena:close()
end)

test("pools give typed slots and refuse stale handles", function()
    local pool = cns.pool("struct { double x; int32_t hp; }")
    local handle, slot = pool:new()
    slot.x, slot.hp = 1.5, 100
    equal(pool:get(handle).hp, 100)
    local seen = 0
    for _, each in pool:each() do
        seen = seen + each.hp
    end
    equal(seen, 100)
    pool:free(handle)
    equal(pool:get(handle), nil)
    fails("CNS_E_STALE", pool.free, pool, handle)
    pool:close()
end)

test("buffers and columns are arrays", function()
    local buffer = cns.buffer("f64", 1000):fill(2)
    local slice = buffer:slice(10, 20)
    slice.data[0] = 5
    equal(buffer.data[10], 5)
    equal(slice.count, 20)
    fails("CNS_E_RANGE", buffer.slice, buffer, 990, 20)
    local columns = cns.columns({{"x", "f32"}, {"id", "u64"}})
    equal(columns:append(10), 0)
    columns:data("id")[9] = 77
    equal(columns:data("id")[9], 77ULL)
    columns:remove(0)
    equal(columns:data("id")[0], 77ULL)
    equal(columns:count(), 9)
    slice:close()
    buffer:close()
    columns:close()
end)

test("tasks hash one tree on several threads", function()
    local tasks = cns.tasks({workers = 4})
    local data = ("0123456789abcdef"):rep(1024 * 256)
    equal(cns.hash.blake3(data, {tasks = tasks}), cns.hash.blake3(data))
    assert(tasks:workers() == 4)
    tasks:close()
end)

test("maps hold integers and strings", function()
    local map = cns.map({key = "string", value = "f64"})
    for i = 1, 1000 do
        map:set("key" .. i, i / 2)
    end
    equal(map:count(), 1000)
    equal(map:get("key500"), 250)
    equal(map:get("nothing"), nil)
    equal(map:remove("key500"), true)
    equal(map:remove("key500"), false)
    local set = cns.map({key = "u64", value = "none"})
    set:set(7)
    equal(set:get(7), true)
    equal(set:get(8), nil)
end)

local function springs(x, v, steps, dt)
    local resting = 0
    for i = 0, x.count - 1 do
        local place, speed = x.data[i], v.data[i]
        for _ = 1, steps do
            speed = speed - (place + 0.1 * speed) * dt
            place = place + speed * dt
        end
        x.data[i], v.data[i] = place, speed
        if math.abs(place) < 1e-3 and math.abs(speed) < 1e-3 then
            resting = resting + 1
        end
    end
    return resting
end

local function same_springs(kernels, steps)
    local x, v, a, b = cns.buffer("f64", 50), cns.buffer("f64", 50), cns.buffer("f64", 50),
        cns.buffer("f64", 50)
    for i = 0, 49 do
        x.data[i], v.data[i] = i / 3e5, 1 / (i + 1e4)
        a.data[i], b.data[i] = x.data[i], v.data[i]
    end
    equal(kernels.springs(x, v, steps, 0.01), springs(a, b, steps, 0.01))
    for i = 0, 49 do
        equal(x.data[i], a.data[i])
        equal(v.data[i], b.data[i])
    end
end

test("kernels of a module run, in the VM and as machine code", function()
    local kernels = cns.kernels(arg[2])
    same_springs(kernels, 0)
    same_springs(kernels, 300)
    local x, y, z = cns.buffer("f32", 3), cns.buffer("f32", 3), cns.buffer("f64", 2)
    x:fill(0.5)
    y:fill(1)
    kernels.saxpy(4, x, y)
    equal(y.data[2], 3)
    fails("no signature takes these arguments; there is %(f64, f64%[%], f64%[%]%), %(",
        kernels.saxpy, 4, x, z)
    fails("no signature", kernels.saxpy, "4", x, y)
    fails("no signature", kernels.saxpy)
    fails("no signature", kernels.springs, z, z, 1.5, 0.1)
    fails("module.lua:9: cns.buffer index 3 out of range 1..2", kernels.saxpy, 4, y:slice(0, 3),
        y:slice(0, 2))
    equal(kernels.springs(z, z, 10LL, 0.01), 2)
    y:close()
    fails("closed", kernels.saxpy, 4, x, y)
    local pool = cns.tasks({workers = 2})
    kernels = cns.kernels(arg[2], {tasks = pool})
    same_springs(kernels, 10)
    pool:close()
    fails("closed", kernels.saxpy, 4, x, x)
    local ok, native = pcall(cns.kernels, arg[2], {native = true})
    assert(ok, native)
    local there, why = pcall(same_springs, native, 300)
    assert(there or why:find("native backend"), why)
    fails("native backend", cns.kernels(arg[2], {native = true, plugin = "/none"}).saxpy, 4, x, x)
end)

local function shell(line)
    local pipe = assert(io.popen(line))
    local text = pipe:read("*a")
    pipe:close()
    return text
end

test("machine code is kept in a folder, where there is one", function()
    local folder = shell("mktemp -d"):gsub("%s", "")
    for _, cache in ipairs({folder .. "/code", folder .. "/code", false}) do
        local kernels = cns.kernels(arg[2], {native = true, cache = cache})
        local there, why = pcall(same_springs, kernels, 100)
        assert(there or why:find("native backend"), why)
        local count = shell("ls " .. folder .. "/code 2>/dev/null | wc -l")
        equal(tonumber(count), there and 1 or 0)
    end
    shell("rm -r " .. folder)
    fails("no full path", cns.kernels, arg[2], {native = true, cache = "code"})
end)

test("files that are no modules are refused", function()
    fails("/none: No such file", cns.kernels, "/none")
    fails("/: Is a directory", cns.kernels, "/")
    fails("CNS_E_CORRUPT: .*no module of kernels", cns.kernels, arg[0])
end)

test("the monitor reads this process", function()
    local sample = cns.monitor.sample()
    assert(sample.rss_bytes == "unavailable" or sample.rss_bytes > 100000)
    assert(sample.clock_ns > 0)
end)

test("nothing is left", function()
    collectgarbage()
    collectgarbage()
    equal(cns.memory().held, 0)
end)

print(("%d passed, %d failed"):format(passed, failed))
os.exit(failed == 0 and 0 or 1)
