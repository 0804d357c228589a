-- SPDX-License-Identifier: MIT
--
-- test_reentry.lua - Lua code that runs in the middle of a call of the module (a metamethod of an
-- argument, a finaliser, another task on the same state) closes, changes or awaits what that call
-- works with. Errors are right, crashes and hangs are not; the sanitizers look on.

local cns = require "cns"
local tasks = cns.tasks

-- Runs fn often, each round with another distance to the next (young) collection; `mischief`
-- becomes a finaliser each time, and runs somewhere within fn.
local function under_finalisers(rounds, mischief, fn)
    collectgarbage("generational", 1, 1)
    local ok, message = pcall(function()
        for round = 1, rounds do
            local _ = ("x"):rep(round * 37 % 2000)
            local subject = {}
            setmetatable({}, {__gc = function() mischief(subject) end})
            fn(subject, round)
        end
    end)
    collectgarbage("incremental")
    collectgarbage()
    if not ok then error(message, 0) end
end

local function close(object)
    if object then object:close() end
end

-- The worker alone runs `fn`: the test's thread waits without taking part.
local function on_worker(fn, ...)
    local pool <close> = tasks.new {workers = 1}
    local future = pool:spawn(fn, pool, ...)
    assert(future:wait("30 s"), "the worker hangs")
    return future:await()
end

local function futures(test)
    test("the awaited task closes its own future", function(t)
        local message = on_worker(function(pool)
            local messages = {}
            for i = 1, 50 do
                _G.future = pool:spawn(function()
                    _G.future:close()
                    _G.future = nil
                    collectgarbage()
                    return {1, 2, 3}
                end)
                messages[i] = select(2, pcall(_G.future.await, _G.future))
            end
            return table.concat(messages, "\n")
        end)
        local _, count = message:gsub("cns%.future is closed", "")
        t.equal(count, 50)
    end)

    test("the awaited task closes the future and the last handle of its pool", function(t)
        local message = on_worker(function()
            local own = require("cns").tasks.new {workers = 1}
            local outer = require("cns").tasks.default()
            local future = outer:spawn(function() return 1 end)
            own:close()
            future:await()
            return select(2, pcall(own.spawn, own, print))
        end)
        t.ok(message:find("closed"))
    end)

    test("a finaliser closes the future while its results are read", function(t)
        local pool <close> = tasks.new {workers = 1}
        local closed, read = 0, 0
        under_finalisers(300, function(s) close(s.future) end, function(s)
            local future = pool:spawn(function()
                local list = {}
                for i = 1, 40 do list[i] = {i, tostring(i) .. ("x"):rep(i)} end
                return list, "last"
            end)
            future:wait(30)
            s.future = future
            local ok, list, last = pcall(future.await, future)
            if ok then
                read = read + 1
                t.equal(#list, 40)
                t.equal(list[40][2], "40" .. ("x"):rep(40))
                t.equal(last, "last")
            else
                closed = closed + 1
                t.ok(list:find("closed"), list)
            end
        end)
        t.equal(closed + read, 300)
    end)

    test("a finaliser awaits the future while its results are read", function(t)
        local pool <close> = tasks.new {workers = 1}
        under_finalisers(200, function(s)
            if s.future then pcall(s.future.await, s.future) end
        end, function(s)
            local future = pool:spawn(function()
                local list = {}
                for i = 1, 40 do list[i] = {i, ("x"):rep(i)} end
                return list
            end)
            future:wait(30)
            s.future = future
            local list = future:await()
            t.equal(list[40][2], ("x"):rep(40))
            t.equal(future:await(), list)
        end)
    end)
end

local function pools(test)
    test("metamethods of the items cannot close the pool of the loop", function(t)
        local pool = tasks.new {workers = 2}
        local items = setmetatable({}, {
            __len = function() return 8 end,
            __index = function(_, i) if i == 5 then pool:close() end return i end,
        })
        t.raises("cannot close", pool.map, pool, items, function(x) return x end)
        t.same(pool:map({1, 2}, function(x) return x + 1 end), {2, 3})
        items = setmetatable({}, {__len = function() pool:close() return 3 end})
        t.raises("closed", pool.map, pool, items, function(x) return x end)
        pool = tasks.new {workers = 2}
        local nodes = setmetatable({}, {__len = function() pool:close() return 1 end})
        t.raises("closed", pool.await_all, pool, setmetatable({}, {
            __len = function() return 1 end,
            __index = function() pool:close() return pool:spawn(print) end,
        }))
        local graph = tasks.default():graph()
        t.raises("name expected", graph.add, graph, "a", print, nodes)
    end)

    test("a pool that is collected while a handle of it is in use", function(t)
        for _ = 1, 5 do
            local owner = tasks.new {workers = 2}
            local handle = owner:spawn(function(p) return p end, owner):await()
            t.equal(handle:workers(), 2)
            owner = nil -- luacheck: ignore
            local items = setmetatable({}, {
                __len = function() return 4 end,
                __index = function(_, i) collectgarbage() return i end,
            })
            t.same(handle:map(items, function(x) return 2 * x end, {grain = 1}), {2, 4, 6, 8})
        end
    end)

    test("statistics of a pool that a finaliser closes", function(t)
        under_finalisers(2000, function(s) close(s.pool) end, function(s)
            local pool = tasks.new {workers = 1}
            s.pool = pool
            local ok, stats = pcall(pool.stats, pool)
            t.ok(ok and stats.workers == 1 or not ok and stats:find("closed"))
            pool:close()
        end)
    end)

    test("a graph that a finaliser adds to while its run is made", function(t)
        local pool <close> = tasks.new {workers = 1}
        local outcomes = {}
        under_finalisers(300, function(s)
            if s.graph then pcall(s.graph.add, s.graph, "late", function() return 2 end) end
        end, function(s)
            local graph = pool:graph():add("early", function(x) return x end, {"late"})
            s.graph = graph
            local _, message = pcall(graph.run, graph)
            outcomes[#outcomes + 1] = message
        end)
        for _, message in ipairs(outcomes) do
            t.ok(type(message) == "table" or message:find("does not have")
                or message:find("changed while"), tostring(message))
        end
    end)
end

local function tokens(test)
    test("a token that a finaliser closes while a task is made with it", function(t)
        local pool <close> = tasks.new {workers = 1}
        local nested = {{{{}}}, {}, {{}}}
        under_finalisers(300, function(s) close(s.token) end, function(s, round)
            local token = tasks.cancel()
            s.token = token
            local options = {cancel = token, deadline = round % 2 == 0 and 60 or nil}
            local ok, result = pcall(pool.spawn_with, pool, options,
                function(value) return #value end, nested)
            if ok then
                t.equal(result:await(), 3)
            else
                t.ok(result:find("open cns%.cancel expected"), result)
            end
            ok, result = pcall(pool.map, pool, {1, 2, 3}, function(x) return x end, options)
            t.ok(ok and #result == 3 or result:find("open cns%.cancel expected"))
        end)
    end)

    test("a token that a finaliser closes while it gets a child, or crosses", function(t)
        local pool <close> = tasks.new {workers = 1}
        under_finalisers(3000, function(s) close(s.token) end, function(s)
            local token = tasks.cancel()
            s.token = token
            local ok, child = pcall(tasks.cancel, token)
            t.ok(ok and not child:cancelled() or not ok and child:find("closed"))
            local crossed, future = pcall(pool.spawn, pool,
                function(x) return x:cancelled() end, token)
            if crossed then
                t.equal(future:await(), false)
            else
                t.ok(future:find("closed"), future)
            end
        end)
    end)
end

local function hashing(test)
    -- Two tasks on the one state: the first hashes over the pool and so takes part in its work, the
    -- second comes from the pool's queue.
    test("a task closes the buffers and empties the list that another hashes", function(t)
        local results = on_worker(function(pool)
            local cns = require "cns" -- luacheck: ignore
            local results = {}
            for i = 1, 30 do
                local size = 1 << 20
                _G.list = {}
                for k = 1, 6 do
                    _G.list[k] = k % 2 == 0 and ("%d"):format(k):rep(size)
                        or cns.buffer("u8", size):fill(k)
                end
                local others = {}
                for k = 1, 4 do
                    others[k] = pool:spawn(function()
                        for n = #_G.list, 1, -1 do
                            if type(_G.list[n]) == "userdata" then _G.list[n]:close() end
                            _G.list[n] = nil
                        end
                        collectgarbage()
                        collectgarbage()
                    end)
                end
                local ok, digests = pcall(cns.hash.batch, "blake3", _G.list, {tasks = pool})
                results[i] = ok and table.concat(digests, ",") or digests
                pool:await_all(others)
            end
            return results
        end)
        local expected = {}
        for k = 1, 6 do
            local data = k % 2 == 0 and tostring(k) or string.char(k)
            expected[k] = cns.hash.blake3(data:rep(1 << 20))
        end
        for _, result in ipairs(results) do
            t.equal(result, table.concat(expected, ","))
        end
    end)

    test("one buffer, hashed over the pool, is closed or written meanwhile", function(t)
        local results = on_worker(function(pool)
            local cns = require "cns" -- luacheck: ignore
            local results = {}
            for i = 1, 30 do
                _G.data = cns.buffer("u8", 8 << 20):fill(7)
                local future = pool:spawn(function()
                    pcall(_G.data.fill, _G.data, 9)
                    _G.data:close()
                end)
                results[i] = cns.hash.blake3(_G.data, {tasks = pool})
                future:await()
            end
            return results
        end)
        local expected = cns.hash.blake3(("\7"):rep(8 << 20))
        for _, result in ipairs(results) do
            t.equal(result, expected)
        end
    end)

    test("buffers can be written again after they were hashed over a pool", function(t)
        local pool <close> = tasks.new {workers = 2}
        local buffer = cns.buffer("u8", 100000)
        cns.hash.blake3(buffer, {tasks = pool})
        cns.hash.batch("blake3", {buffer, "x", buffer}, {tasks = pool})
        buffer:fill(1)
        t.equal(buffer[1], 1)
        local lent <close> = buffer:borrow("write")
        t.raises("borrow", cns.hash.batch, "blake3", {"x", buffer}, {tasks = pool})
        lent:fill(2)
    end)
end

return function(test)
    futures(test)
    pools(test)
    tokens(test)
    hashing(test)
end
