-- SPDX-License-Identifier: MIT
--
-- test_tasks.lua - Lua tasks: what crosses to a worker and what does not, results and errors,
-- loops, graphs, lending of buffers, cancellation, pools that close with work in flight.

local cns = require "cns"
local tasks = cns.tasks

-- A new pool for the length of fn.
local function with_pool(workers, fn)
    local pool <close> = tasks.new {workers = workers, name = "test"}
    return fn(pool)
end

local function crossing(test)
    local pool = tasks.default()
    local function echo(...)
        return ...
    end

    test("plain values cross unchanged", function(t)
        local long = ("x"):rep(100000)
        local values = table.pack(pool:spawn(echo, nil, true, false, 0, -1, math.mininteger, 1.5,
            -0.0, math.huge, "", "a\0b", long, nil):await())
        t.equal(values.n, 13)
        local expected = {nil, true, false, 0, -1, math.mininteger, 1.5, -0.0, math.huge, "",
            "a\0b", long}
        for i = 1, 12 do
            t.equal(values[i], expected[i], "value " .. i)
        end
        local nan = pool:spawn(echo, 0 / 0):await()
        t.ok(nan ~= nan)
        t.equal(select("#", pool:spawn(echo):await()), 0)
    end)

    test("tables are copied, with shared and cyclic references", function(t)
        local shared = {1, 2, 3, name = "s"}
        local value = {a = shared, b = shared, [1.5] = "float", [true] = {}, list = {10, nil, 30}}
        value.self = value
        value[shared] = "key"
        local copy = pool:spawn(echo, value, shared):await()
        t.ok(copy ~= value and copy.self == copy and copy.a == copy.b)
        t.equal(copy[copy.a], "key")
        t.same({copy.a[1], copy.a[2], copy.a[3], copy.a.name}, {1, 2, 3, "s"})
        t.equal(copy[1.5], "float")
        t.equal(copy.list[3], 30)
        t.equal(shared.name, "s")
    end)

    test("deep nesting has no limit", function(t)
        local value = {}
        local at = value
        for _ = 1, 100000 do
            at.next = {}
            at = at.next
        end
        local depth = pool:spawn(function(v)
            local n = 0
            while v.next do
                n, v = n + 1, v.next
            end
            return n
        end, value):await()
        t.equal(depth, 100000)
    end)

    test("a table whose border is far away does not hang", function(t)
        local sparse = {}
        for i = 0, 62 do
            sparse[1 << i] = i
        end
        t.same(pool:spawn(echo, sparse):await(), sparse)
    end)

    test("closures: upvalues, shared upvalues, recursion", function(t)
        local n = 5
        local function factorial(k)
            return k <= 1 and 1 or k * factorial(k - 1)
        end
        t.equal(pool:spawn(function() return factorial(n) end):await(), 120)
        local even
        local function odd(k)
            if k == 0 then
                return false
            end
            return even(k - 1)
        end
        function even(k)
            if k == 0 then
                return true
            end
            return odd(k - 1)
        end
        t.equal(pool:spawn(even, 10):await(), true)
        local count = 0
        local function up()
            count = count + 1
        end
        local function get()
            return count
        end
        t.equal(pool:spawn(function()
            up()
            up()
            return get()
        end):await(), 2)
        t.equal(count, 0, "the caller's upvalue is another")
        local up2, get2 = pool:spawn(function() return up, get end):await()
        up2()
        up2()
        t.equal(get2(), 2, "shared upvalues stay shared on the way back")
    end)

    test("functions with the same code are different functions", function(t)
        local list = {}
        for i = 1, 2 do
            list[i] = function() return 1 end
        end
        local same, size = pool:spawn(function(a, b)
            return a == b, (function(s)
                local k = 0
                for _ in pairs(s) do
                    k = k + 1
                end
                return k
            end)({[a] = 1, [b] = 2})
        end, list[1], list[2]):await()
        t.equal(same, list[1] == list[2])
        t.equal(size, list[1] == list[2] and 1 or 2)
    end)

    test("libraries cross by name", function(t)
        local sin, format, blake3 = math.sin, string.format, cns.hash.blake3
        local str, hash = string, cns.hash
        local a, b, c, d = pool:spawn(function()
            assert(_G.math.sin == sin and str == string and print and require)
            assert(hash == require("cns").hash and cns == require "cns")
            return sin(0.5), format("%d", 3), blake3("abc"), str.rep("x", 3)
        end):await()
        t.equal(a, math.sin(0.5))
        t.equal(b, "3")
        t.equal(c, cns.hash.blake3("abc"))
        t.equal(d, "xxx")
        t.ok(pool:spawn(function() return io.stdout, print end):await() == io.stdout)
        t.equal(pool:spawn(math.max, 3, 9):await(), 9)
        local env = pool:spawn(function() return _G end):await()
        t.ok(env == _G)
    end)

    test("modules are required on the other side", function(t)
        local missing = {}
        package.loaded["no.such.module"] = missing
        t.raises("no%.such%.module", function()
            pool:spawn(function() return missing end):await()
        end)
        package.loaded["no.such.module"] = nil
    end)

    test("what cannot cross is refused with its path", function(t)
        local co = coroutine.create(print)
        local function work()
            return co
        end
        t.raises("upvalue 'co' of task 'work' %([^)]*test_tasks.lua:%d+%): a coroutine cannot",
            function() pool:spawn_with({name = "work"}, work) end)
        t.raises("field 'x' of key %[table.*of argument #2 of task", function()
            pool:spawn(print, 1, {[{x = co}] = 1})
        end)
        t.raises("field 'f' of argument #1 of .*userdata %(FILE%*%)", function()
            local f <close> = assert(io.tmpfile())
            pool:spawn(echo, {f = f})
        end)
        t.raises("metatable %(%?%)", function() pool:spawn(echo, setmetatable({}, {})) end)
        t.raises("metatable %(point%)", function()
            pool:spawn(echo, setmetatable({}, {__name = "point"}))
        end)
        t.raises("C function", function() pool:spawn(echo, string.gmatch("a", "a")) end)
        local future = pool:spawn(echo, 1)
        t.raises("cns.future belongs to the state", function() pool:spawn(echo, future) end)
        t.equal(future:await(), 1)
        local graph = pool:graph()
        t.raises("cns.graph", function() pool:spawn(echo, graph) end)
        t.raises("result #2 of task.*coroutine", function()
            pool:spawn(function() return 1, coroutine.create(print) end):await()
        end)
    end)

    test("single-owner objects are refused", function(t)
        for _, make in ipairs {"heap", "map", "arena"} do
            if cns[make] then
                local object <close> = cns[make](make == "map" and {key = "u64"} or {})
                t.raises("cns%." .. make .. " has one owner", function()
                    pool:spawn(echo, object)
                end)
            end
        end
        local columns <close> = cns.columns({{"x", "f64"}})
        t.raises("cns.columns has one owner", function() pool:spawn(echo, columns) end)
    end)

    test("bytecode arrives with its line numbers", function(t)
        local message = t.raises("test_tasks.lua:%d+: boom", function()
            pool:spawn(function() error("boom") end):await()
        end)
        t.ok(message:find("boom\nin task", 1, true))
        t.ok(message:find("stack traceback:", 1, true))
    end)

    test("many values, many arguments", function(t)
        local list = {}
        for i = 1, 5000 do
            list[i] = i
        end
        t.equal(select("#", pool:spawn(echo, table.unpack(list)):await()), 5000)
        t.equal(pool:spawn(select, "#", table.unpack(list)):await(), 5000)
    end)
end

local function outcomes(test)
    local pool = tasks.default()

    test("a future gives the same outcome each time", function(t)
        local future = pool:spawn(function() return {}, 2 end)
        local first = future:await()
        t.ok(first == future:await())
        t.ok(future:done() and future:wait(0))
        local failing = pool:spawn(error, "once", 0)
        t.raises("once", failing.await, failing)
        t.raises("once", failing.await, failing)
        future:close()
        future:close()
        t.raises("cns.future is closed", future.await, future)
    end)

    test("error values", function(t)
        local function raised(value)
            local ok, message = pcall(function()
                return pool:spawn(function() error(value) end):await()
            end)
            t.equal(ok, false)
            return message
        end
        t.same(raised({code = 7, why = {"x"}}), {code = 7, why = {"x"}})
        t.ok(raised(nil):find("error object is a nil value", 1, true))
        t.ok(raised(true):find("^true\nin task"))
        local message = select(2, pcall(function()
            pool:spawn(function()
                error(setmetatable({}, {__tostring = function() return "shown" end}))
            end):await()
        end))
        t.ok(message:find("^shown\nin task"))
        message = select(2, pcall(function()
            pool:spawn(function() error(coroutine.create(print)) end):await()
        end))
        t.ok(message:find("^thread: "))
    end)

    test("errors of all kinds leave the worker usable", function(t)
        with_pool(1, function(one)
            local function fails(pattern, fn, ...)
                local future = one:spawn(fn, ...)
                local message = t.raises(pattern, future.await, future)
                t.equal(one:spawn(function() return 1 end):await(), 1)
                return message
            end
            fails("stack overflow", function()
                local function f() return 1 + f() end
                return f()
            end)
            fails("stack overflow", function()
                local function f(s) return (s:gsub(".", f)) end
                return f("x")
            end)
            fails("deep", function() coroutine.wrap(function() error("deep") end)() end)
            fails("yield", function() coroutine.yield(1) end)
            fails("os.exit", function() os.exit(3) end)
            fails("handled", function()
                local _, m = xpcall(error, function(m) return "handled " .. m end, "x")
                error(m)
            end)
            fails("attempt to", function() return nil + 1 end)
            fails("resulting string too large", function() return ("x"):rep(1 << 60) end)
            t.equal(one:spawn(function()
                setmetatable({}, {__gc = function() error("in gc") end})
                collectgarbage()
                return "fine"
            end):await(), "fine")
        end)
    end)

    test("to-be-closed variables run after an error", function(t)
        with_pool(1, function(one)
            local closed = cns.buffer("u8", 1)
            t.raises("oops", function()
                one:spawn(function(flag)
                    local _ <close> = setmetatable({}, {__close = function() flag[1] = 1 end})
                    error("oops")
                end, tasks.write(closed)):await()
            end)
            t.equal(closed[1], 1)
        end)
    end)

    test("await_all: results in order, the first error wins", function(t)
        local futures = {}
        for i = 1, 50 do
            futures[i] = pool:spawn(function(k) return k * k end, i)
        end
        local results = pool:await_all(futures)
        for i = 1, 50 do
            t.equal(results[i], i * i)
        end
        futures[20] = pool:spawn(error, "second", 0)
        futures[10] = pool:spawn(function()
            local x = 0
            for i = 1, 100000 do
                x = x + i
            end
            error("first", 0)
        end)
        t.raises("^first", pool.await_all, pool, futures)
        t.raises("cns.future expected", pool.await_all, pool, {1})
    end)

    test("wait gives up", function(t)
        with_pool(2, function(two)
            local future = two:spawn(function()
                local stop = cns.clock() + 0.2
                while cns.clock() < stop do end
                return 1
            end)
            t.equal(future:wait(0.001), false)
            t.equal(future:await(), 1)
        end)
    end)

    test("arguments are checked", function(t)
        t.raises("function expected", pool.spawn, pool, 1)
        t.raises("function expected", pool.spawn_with, pool, {}, 1)
        t.raises("priority", pool.spawn_with, pool, {priority = "urgent"}, print)
        t.raises("speed", pool.spawn_with, pool, {speed = 1}, print)
        t.raises("cancel", pool.spawn_with, pool, {cancel = 1}, print)
        t.raises("cns.tasks.pool expected", pool.spawn, 1, print)
        t.raises("workers", tasks.new, {workers = 0})
        t.raises("workers", tasks.new, {workers = 100000})
        t.raises("cns.buffer expected", tasks.write, 1)
        t.equal(tasks.worker(), nil)
        t.equal(tasks.cancelled(), false)
        t.ok(tasks.cpus() >= 1)
    end)
end

local function loops(test)
    test("map, range and reduce, with 1, 2 and 32 workers", function(t)
        for _, workers in ipairs {1, 2, 32} do
            with_pool(workers, function(pool)
                t.equal(pool:workers(), workers)
                local items = {}
                for i = 1, 1000 do
                    items[i] = "item " .. i
                end
                local results = pool:map(items, function(item, i) return item .. "/" .. i end)
                t.equal(#results, 1000)
                for i = 1, 1000 do
                    t.equal(results[i], "item " .. i .. "/" .. i)
                end
                t.same(pool:map({}, print), {})
                t.same(pool:map({5}, function(x) return x + 1 end, {grain = 10}), {6})
                local sum = pool:reduce(1, 10000, function(first, last)
                    local s = 0
                    for i = first, last do
                        s = s + i
                    end
                    return s
                end, function(a, b) return a + b end)
                t.equal(sum, 50005000)
                t.equal(pool:reduce(5, 1, print, print), nil)
                pool:range(10, 1, error)
                local out = cns.buffer("i64", 100)
                pool:range(1, 100, function(first, last, mine, factor)
                    assert(#mine == last - first + 1)
                    for i = 1, #mine do
                        mine[i] = (first + i - 1) * factor
                    end
                end, {grain = 7}, tasks.split(out), 3)
                for i = 1, 100 do
                    t.equal(out[i], 3 * i)
                end
                out[1] = 0
            end)
        end
    end)

    test("reduce is the same for any number of workers", function(t)
        local function run(workers)
            return with_pool(workers, function(pool)
                return pool:reduce(1, 5000, function(first, last)
                    local s = 0.0
                    for i = first, last do
                        s = s + 1 / i
                    end
                    return s
                end, function(a, b) return a + b end)
            end)
        end
        local one = run(1)
        t.equal(run(2), one)
        t.equal(run(5), one)
    end)

    test("the first error by position wins, and the loop ends", function(t)
        with_pool(4, function(pool)
            local items = {}
            for i = 1, 200 do
                items[i] = i
            end
            for _ = 1, 5 do
                t.raises("at 77", pool.map, pool, items, function(i)
                    if i >= 77 then
                        error("at " .. i, 0)
                    end
                    return i
                end, {grain = 1})
            end
            t.raises("item #3 of task.*coroutine", function()
                pool:map({1, 2, coroutine.create(print)}, print)
            end)
            t.raises("result #2 of task.*coroutine", function()
                pool:map({1, 2}, function(i)
                    return i == 2 and coroutine.create(print) or i
                end)
            end)
            t.raises("cns.tasks.split", function()
                pool:range(1, 10, print, nil, tasks.write(cns.buffer("u8", 10)))
            end)
            t.raises("buffer in cns.tasks.split has 5", function()
                pool:range(1, 10, function() end, nil, tasks.split(cns.buffer("u8", 5)))
            end)
            t.raises("split is for", function()
                pool:spawn(print, tasks.split(cns.buffer("u8", 5)))
            end)
            t.raises("too large", pool.range, pool, math.mininteger, math.maxinteger, print)
            t.raises("too many parts", pool.range, pool, 1, 1 << 40, print, {grain = 1})
        end)
    end)

    test("range at the ends of the integers", function(t)
        with_pool(2, function(pool)
            local max = math.maxinteger
            local sum = pool:reduce(max - 9, max, function(first, last) return last - first + 1 end,
                function(a, b) return a + b end, {grain = 3})
            t.equal(sum, 10)
        end)
    end)

    test("five levels of nested map, with 1, 2 and 32 workers", function(t)
        for _, workers in ipairs {1, 2, 32} do
            with_pool(workers, function(pool)
                local function level(depth)
                    if depth == 0 then
                        return 1
                    end
                    local results = pool:map({1, 2, 3}, function() return level(depth - 1) end,
                        {grain = 1})
                    return results[1] + results[2] + results[3]
                end
                t.equal(level(5), 243)
                t.equal(pool:spawn(level, 5):await(), 243)
            end)
        end
    end)

    test("tasks that wait for tasks, deeply, end in an error and not in a crash", function(t)
        for _, workers in ipairs {1, 3} do
            with_pool(workers, function(pool)
                local function down(n)
                    if n == 0 then
                        return 0
                    end
                    return 1 + pool:spawn(down, n - 1):await()
                end
                t.equal(down(20), 20)
                local ok, value = pcall(down, 5000) -- threads take turns: it may just work
                t.ok(ok and value == 5000 or not ok and value:find("overflow"))
                t.equal(down(3), 3)
            end)
        end
    end)

    test("the default pool inside tasks", function(t)
        local function fib(n)
            if n < 2 then
                return n
            end
            local pool = tasks.default()
            local a = pool:spawn(fib, n - 1)
            return fib(n - 2) + a:await()
        end
        t.equal(fib(10), 55)
    end)

    test("awaiting inside a coroutine", function(t)
        local pool = tasks.default()
        local co = coroutine.wrap(function()
            local a = pool:spawn(function() return 1 end):await()
            coroutine.yield(a)
            return a + pool:spawn(function() return 2 end):await()
        end)
        t.equal(co(), 1)
        t.equal(co(), 3)
    end)
end

local function lending(test)
    local pool = tasks.default()

    test("buffers are lent for reading by default", function(t)
        local b = cns.buffer("f64", {1, 2, 3})
        local future = pool:spawn(function(v, w)
            assert(v == w and v:borrowed() == "read")
            local ok, message = pcall(function() v[1] = 5 end)
            return v[1] + v[2] + v[3], ok, message
        end, b, b)
        local sum, ok = future:await()
        t.equal(sum, 6.0)
        t.equal(ok, false)
        b[1] = 2
        t.equal(b[1], 2.0)
    end)

    test("for writing: the owner is locked out until the end", function(t)
        with_pool(2, function(two)
            local b = cns.buffer("i64", 4)
            local go = tasks.cancel()
            local future = two:spawn(function(v)
                while not go:cancelled() do end
                for i = 1, #v do
                    v[i] = i
                end
            end, tasks.write(b))
            t.raises("", function() return b[1] end)
            t.raises("argument #1 of task.*cannot be lent", function()
                two:spawn(print, tasks.write(b:slice(2, 3)))
            end)
            t.raises("cannot be lent for reading", function() two:spawn(print, b) end)
            go:cancel()
            future:await()
            t.same(b:table(), {1, 2, 3, 4})
            b[1] = 9
        end)
    end)

    test("disjoint slices for several writers", function(t)
        local b = cns.buffer("i32", 1000)
        local futures = {}
        for i, part in ipairs(b:split(7)) do
            futures[i] = pool:spawn(function(p, k) p:fill(k) end, tasks.write(part), i)
        end
        pool:await_all(futures)
        t.equal(b[1], 1)
        t.equal(b[1000], 7)
    end)

    test("a borrow ends with its task, however it ends", function(t)
        local b = cns.buffer("i64", 4)
        local token = tasks.cancel()
        token:cancel()
        for _, fn in ipairs {function() end, function() error("x") end,
            function(v) _G.kept = v end, function() coroutine.yield() end} do
            local future = pool:spawn(fn, tasks.write(b))
            pcall(future.await, future)
            b[1] = 1
            local never = pool:spawn_with({cancel = token}, fn, tasks.write(b))
            t.raises("cancelled before it began", never.await, never)
            b[1] = 2
        end
        pcall(pool.spawn, pool, print, tasks.write(b), coroutine.create(print))
        b[1] = 3
        pcall(pool.map, pool, {1, 2, coroutine.create(print)}, function() return b[1] end)
        b[1] = 4
        with_pool(1, function(one)
            local tries, kept, ok, message = 0
            repeat
                one:spawn(function(v) _G.kept = v end, b):await()
                kept, ok, message = one:spawn(function()
                    if _G.kept then
                        return true, pcall(function() return _G.kept[1] end)
                    end
                end):await()
                tries = tries + 1
            until kept or tries == 1000
            t.equal(ok, false, "what a task keeps of a lent buffer is closed")
            t.ok(message:find("closed"))
        end)
        b:close()
        t.raises("closed", pool.spawn, pool, print, b)
    end)

    test("results may be buffers, and change owner", function(t)
        local a, b = pool:spawn(function()
            local made = cns.buffer("u8", {1, 2, 3})
            _G.made = made
            return made, made
        end):await()
        t.ok(a == b)
        t.equal(a:borrowed(), nil)
        a[1] = 7
        t.same(a:table(), {7, 2, 3})
        local lent = cns.buffer("u8", 3)
        t.raises("result #1 of .*lent to the task cannot be returned", function()
            pool:spawn(function(v) return v end, lent):await()
        end)
        t.raises("cannot be returned", function()
            pool:spawn(function(v) return v:slice(1, 1) end, lent):await()
        end)
        t.raises("other views", function()
            pool:spawn(function()
                local made = cns.buffer("u8", 3)
                _G.view = made:slice(1, 2)
                return made
            end):await()
        end)
        local all = pool:map({1, 2, 3}, function(i) return cns.buffer("i64", {i}) end)
        t.equal(all[3][1], 3)
        lent[1] = 1
    end)

    test("tokens and pools cross as handles", function(t)
        with_pool(2, function(two)
            local token = tasks.cancel()
            local nested = two:spawn(function(p, c)
                c:cancel()
                return p:spawn(function() return 42 end):await()
            end, two, token):await()
            t.equal(nested, 42)
            t.equal(token:cancelled(), true)
            two:spawn(function() two:close() end):await()
            t.equal(two:spawn(function() return 1 end):await(), 1, "a handle closes itself only")
        end)
    end)
end

local function cancelling(test)
    local function spin()
        while true do end
    end

    test("a deadline interrupts a loop", function(t)
        local pool = tasks.default()
        local future = pool:spawn_with({deadline = "20 ms", name = "spin"}, spin)
        t.raises("task 'spin'.*passed its deadline", future.await, future)
    end)

    test("what swallows errors is interrupted all the same", function(t)
        local pool = tasks.default()
        local function stubborn(body)
            local future = pool:spawn_with({deadline = 0.02}, body)
            t.raises("deadline", future.await, future)
        end
        stubborn(function()
            while true do
                pcall(function() while true do end end)
            end
        end)
        stubborn(function()
            local function again()
                return pcall(again)
            end
            while true do
                again()
            end
        end)
        stubborn(function()
            while true do
                coroutine.wrap(function() pcall(function() while true do end end) end)()
            end
        end)
        stubborn(function()
            while true do
                xpcall(function() while true do end end, function() return 1 end)
            end
        end)
        stubborn(function()
            local co = coroutine.wrap(function() while true do coroutine.yield() end end)
            while true do
                co()
            end
        end)
        t.equal(pool:spawn(function() return 1 end):await(), 1)
    end)

    test("tokens: cancelled, after, children", function(t)
        with_pool(2, function(pool)
            local token = tasks.cancel()
            local child = tasks.cancel(token)
            local future = pool:spawn_with({cancel = child}, spin)
            t.equal(future:wait(0.02), false)
            token:cancel()
            t.raises("was cancelled", future.await, future)
            t.equal(child:cancelled(), true)
            local timed = tasks.cancel()
            timed:after("10 ms")
            local seen = pool:spawn_with({cancel = timed}, function()
                while not tasks.cancelled() do end
                return "seen"
            end)
            local ok, value = pcall(seen.await, seen)
            t.ok(not ok or value == "seen")
            local nested = tasks.cancel()
            local outer = pool:spawn_with({cancel = nested}, function()
                return pool:spawn(function() while true do end end):await()
            end)
            nested:after(0.02)
            t.raises("deadline", outer.await, outer)
            t.raises("cancelled", pool.map, pool, {1, 2, 3}, print, {cancel = token})
        end)
    end)

    test("future:cancel stops what has not begun, and tells what has", function(t)
        with_pool(1, function(pool)
            local go = tasks.cancel()
            local running = pool:spawn(function()
                while not go:cancelled() do end
                return tasks.cancelled()
            end)
            local waiting = pool:spawn(function() return 1 end)
            waiting:cancel()
            running:cancel()
            go:cancel()
            t.raises("cancelled before it began", waiting.await, waiting)
            local ok, value = pcall(running.await, running)
            t.ok(value == true or not ok)
        end)
    end)
end

local function graphs(test)
    test("a graph runs in order and passes results on", function(t)
        for _, workers in ipairs {1, 4} do
            with_pool(workers, function(pool)
                local graph = pool:graph()
                    :add("sum", function(a, b) return a + b end, {"a", "b"})
                    :add("a", function() return 1 end)
                    :add("b", function() return 2 end)
                    :add("twice", function(s, a) return {s * 2, a} end, {"sum", "a"})
                for _ = 1, 3 do
                    t.same(graph:run(), {a = 1, b = 2, sum = 3, twice = {6, 1}})
                end
            end)
        end
        t.same(tasks.default():graph():run(), {})
    end)

    test("buffers pass through a graph", function(t)
        local results = tasks.default():graph()
            :add("make", function() return cns.buffer("i64", {1, 2, 3}) end)
            :add("left", function(b) return b[1] + b[2] end, {"make"})
            :add("right", function(b) return pcall(function() b[1] = 0 end) end, {"make"})
            :run()
        t.equal(results.left, 3)
        t.equal(results.right, false)
        results.make[1] = 5
        t.equal(results.make[1], 5)
    end)

    test("errors, cycles and names", function(t)
        local pool = tasks.default()
        t.raises("in task 'bad'", function()
            pool:graph():add("bad", function() error("oh") end)
                :add("after", print, {"bad"}):run()
        end)
        t.raises("comes after 'zzz'", function()
            pool:graph():add("a", print, {"zzz"}):run()
        end)
        t.raises("", function()
            pool:graph():add("a", print, {"b"}):add("b", print, {"a"}):run()
        end)
        t.raises("already", function() pool:graph():add("a", print):add("a", print) end)
        t.raises("node's name expected", function() pool:graph():add("a", print, {1}) end)
    end)

    test("metamethods of arguments may close or add meanwhile", function(t)
        local graph = tasks.default():graph()
        local after = setmetatable({}, {__len = function()
            graph:add("inner", function() return 1 end)
            return 0
        end})
        graph:add("outer", function() return 2 end, after)
        t.same(graph:run(), {inner = 1, outer = 2})
        t.raises("closed", function()
            local own = tasks.new {workers = 1}
            own:map(setmetatable({1, 2}, {__len = function() own:close() return 2 end}), print)
        end)
        t.raises("expected", function()
            local huge = setmetatable({}, {__len = function() return (1 << 31) - 2 end})
            tasks.default():await_all(huge)
        end)
    end)

    test("a graph takes functions that can cross only", function(t)
        local pool = tasks.default()
        t.raises("upvalue 'co' of task 'n'", function()
            local co = coroutine.create(print)
            pool:graph():add("n", function() return co end):run()
        end)
    end)
end

local function closing(test)
    test("a pool closes with work in flight", function(t)
        for _, workers in ipairs {1, 2, 8} do
            local pool = tasks.new {workers = workers}
            local futures = {}
            for i = 1, 200 do
                futures[i] = pool:spawn(function(k)
                    local x = 0
                    for j = 1, 10000 do
                        x = x + j
                    end
                    return k + x * 0
                end, i)
            end
            pool:close()
            local done = 0
            for i = 1, 200 do
                local ok, value = pcall(futures[i].await, futures[i])
                if ok then
                    done = done + 1
                    t.equal(value, i)
                else
                    t.ok(value:find("cancelled"))
                end
            end
            t.raises("closed", pool.spawn, pool, print)
            t.raises("closed", pool.map, pool, {1}, print)
            pool:close()
        end
    end)

    test("a pool is kept open by its futures", function(t)
        local future = tasks.new {workers = 2}:spawn(function() return 7 end)
        collectgarbage()
        t.equal(future:await(), 7)
    end)

    test("a pool made in a task, and left there", function(t)
        local value = tasks.default():spawn(function()
            local inner = tasks.new {workers = 2}
            return inner:spawn(function() return 5 end):await()
        end):await()
        t.equal(value, 5)
    end)

    test("each worker keeps a state", function(t)
        with_pool(2, function(pool)
            local seen = pool:map({1, 2, 3, 4, 5, 6, 7, 8}, function()
                _G.visits = (_G.visits or 0) + 1
                return tasks.worker()
            end, {grain = 1})
            for _, worker in ipairs(seen) do
                t.ok(worker >= 0 and worker <= 2)
            end
            t.equal(rawget(_G, "visits"), nil)
        end)
    end)

    test("finalisers of a worker's state may use the module", function(t)
        with_pool(1, function(pool)
            pool:spawn(function()
                _G.last = setmetatable({}, {__gc = function()
                    tasks.default():spawn(function() return 1 end)
                    local c = tasks.cancel()
                    c:cancel()
                end})
            end):await()
        end)
        t.equal(tasks.default():spawn(function() return 3 end):await(), 3)
    end)

    test("statistics", function(t)
        with_pool(2, function(pool)
            pool:map({1, 2, 3, 4}, function(x) return x end, {grain = 1})
            local stats = pool:stats()
            t.equal(stats.workers, 2)
            t.ok(stats.spawned >= 4 and stats.executed >= 4)
        end)
    end)
end

return function(test)
    crossing(test)
    outcomes(test)
    loops(test)
    lending(test)
    cancelling(test)
    graphs(test)
    closing(test)
end
