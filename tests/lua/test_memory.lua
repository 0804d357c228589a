-- SPDX-License-Identifier: MIT
local cns = require "cns"

local function owners()
    return {heap = cns.heap, arena = cns.arena}
end

return function(test)
    test("bytes and durations", function(t)
        local cases = {
            [0] = 0, [4096] = 4096, [3.0] = 3, ["64 KiB"] = 65536, ["1.5GiB"] = 1610612736,
            ["100 MB"] = 100000000, ["7"] = 7, ["7b"] = 7, ["1 tib"] = 1 << 40, ["0.5 kb"] = 500,
        }
        for text, expected in pairs(cases) do
            t.equal(cns.bytes(text), expected, tostring(text))
        end
        for _, text in ipairs {"", "x", "-1", "1 XB", "1.", ".5", "1e3", "9999999999 TiB",
            "1 KiB ", " 1", "99999999999999999999", "1\0", -1, 1.5, 0 / 0, 1 / 0, 2.0 ^ 63, true,
            {}} do
            t.raises("bytes, as an integer >= 0 or text", cns.bytes, text)
        end
        t.raises("got no value", cns.bytes)
        t.raises("got nil", cns.bytes, nil)
        for _, seconds in ipairs {-1, 0 / 0, 1 / 0, 1e10, "1 parsec", "", {}, true} do
            t.raises("seconds >= 0, or text", cns.sleep, seconds)
        end
        local before = cns.clock_ns()
        cns.sleep("2 ms")
        cns.sleep(0.001)
        t.ok(cns.clock_ns() - before >= 3000000)
        t.ok(math.abs(cns.clock() - cns.clock_ns() * 1e-9) < 1)
    end)

    test("cpu and memory", function(t)
        local level, best = cns.cpu()
        t.equal(type(level), "string")
        t.equal(type(best), "string")
        local before = cns.memory().held
        local b = cns.buffer("u8", 1 << 20)
        t.ok(cns.memory().held >= before + (1 << 20))
        t.ok(cns.memory().peak >= cns.memory().held)
        b:close()
        t.equal(cns.memory().held, before)
    end)

    for name, create in pairs(owners()) do
        test(name .. ": blocks are read and written within their bounds", function(t)
            local owner <close> = create()
            local block = owner:alloc(100)
            t.equal(#block, 100)
            block:fill(65)
            t.equal(block:read(), ("A"):rep(100))
            block:write("hello")
            block:write("end", 98)
            t.equal(block:read(1, 6), "helloA")
            t.equal(block:read(98), "end")
            t.equal(block:read(101), "")
            t.equal(block:read(101, 0), "")
            block:write("", 101)
            t.raises("4 bytes do not fit at 98 of 100", block.write, block, "abcd", 98)
            t.raises("101 bytes do not fit at 1 of 100", block.write, block, ("x"):rep(101))
            t.raises("integer in 1..101 expected, got 0", block.write, block, "x", 0)
            t.raises("integer in 1..101 expected, got 102", block.read, block, 102)
            t.raises("integer in 0..1 expected, got 2", block.read, block, 100, 2)
            t.raises("integer in 0..100 expected, got %-1", block.read, block, 1, -1)
            t.raises("integer in 0..255 expected, got 256", block.fill, block, 256)
            t.raises("integer in 0..255 expected, got no value", block.fill, block)
            t.raises("string expected, got number", block.write, block, 5)
            t.equal(tostring(block), "cns.block 100 bytes (" .. name .. ")")
            t.equal(#owner:alloc(0), 0)
            t.equal(#owner:alloc("1 KiB"), 1024)
        end)

        test(name .. ": absurd sizes", function(t)
            local owner <close> = create()
            t.raises("bytes, as an integer >= 0", owner.alloc, owner, -1)
            t.raises("bytes, as an integer >= 0", owner.alloc, owner, 0.5)
            t.raises("bytes, as an integer >= 0", owner.alloc, owner)
            for _, size in ipairs {math.maxinteger, math.maxinteger - 15, 1 << 62, 1 << 50} do
                t.raises(name .. " refused %d+ bytes", owner.alloc, owner, size)
            end
            t.equal(#owner:alloc(1), 1)
        end)

        test(name .. ": blocks go stale with reset and close", function(t)
            local owner = create()
            local a = owner:alloc(10)
            owner:reset()
            local b = owner:alloc(10)
            t.raises("cns.block is stale: its " .. name .. " was reset", a.read, a)
            t.raises("stale", function() return #a end)
            t.raises("stale", a.write, a, "x")
            t.raises("stale", a.fill, a, 1)
            t.raises("stale", a.free, a)
            t.raises("stale", a.resize, a, 5)
            t.equal(tostring(a), "cns.block (stale)")
            a:close()
            b:fill(0)
            owner:close()
            owner:close()
            t.raises("cns.block is stale: its " .. name .. " was closed", b.read, b)
            t.raises("cns." .. name .. " is closed", owner.alloc, owner, 10)
            t.raises("cns." .. name .. " is closed", owner.stats, owner)
            t.equal(tostring(owner), "cns." .. name .. " (closed)")
            t.equal(getmetatable(owner), "locked")
            t.equal(getmetatable(b), "locked")
            t.raises("cns." .. name .. " expected, got ", owner.alloc, b, 10)
            t.raises("cns.block expected, got ", b.read, owner)
        end)

        test(name .. ": blocks keep their owner alive", function(t)
            local blocks = {}
            for i = 1, 100 do
                blocks[i] = create():alloc(1000)
                blocks[i]:fill(i)
            end
            collectgarbage()
            for i = 1, 100 do
                t.equal(blocks[i]:read(), string.char(i):rep(1000))
            end
        end)
    end

    test("heap: free and resize", function(t)
        local heap <close> = cns.heap {budget = "1 MiB", tag = "test", guard = true}
        local block = heap:alloc(10)
        block:write("0123456789")
        block:resize(5000)
        t.equal(block:read(1, 10), "0123456789")
        t.equal(#block, 5000)
        block:resize(4)
        t.equal(block:read(), "0123")
        t.raises("heap refused 2097152 bytes", block.resize, block, 2 << 20)
        t.equal(block:read(), "0123")
        t.raises("integer >= 0", block.resize, block, -1)
        heap:check()
        t.equal(heap:stats().live_count, 1)
        block:free()
        t.equal(heap:stats().live_count, 0)
        t.raises("cns.block is closed", block.free, block)
        t.raises("cns.block is closed", block.read, block)
        t.equal(tostring(block), "cns.block (freed)")
        t.raises("heap refused", heap.alloc, heap, "2 MiB")
        t.equal(heap:stats().budget, 1 << 20)
        t.ok(heap:stats().failures >= 2)
        t.equal(math.type(heap:purge()), "integer")
        t.equal(tostring(heap), "cns.heap 0 blocks, 0 bytes")
        t.raises("unknown option 'limit' %(known: budget, tag, guard%)", cns.heap, {limit = 1})
        t.raises("option 'budget': bytes, as an integer", cns.heap, {budget = -1})
        t.raises("option 'tag': string expected", cns.heap, {tag = 1})
    end)

    test("heap: collected blocks go back, and random use keeps its contents", function(t)
        local heap <close> = cns.heap {guard = true}
        for _ = 1, 100 do
            heap:alloc(100)
        end
        collectgarbage()
        t.equal(heap:stats().live_count, 0)
        math.randomseed(5)
        local live = {}
        for _ = 1, 3000 do
            local i = math.random(50)
            if live[i] then
                local text = live[i].text
                t.equal(live[i].block:read(), text)
                live[i].block:free()
                live[i] = nil
            else
                local text = string.char(math.random(0, 255)):rep(math.random(0, 5000))
                local block = heap:alloc(#text)
                block:write(text)
                live[i] = {block = block, text = text}
            end
        end
        heap:check()
    end)

    if cns.arena then
        test("arena: marks", function(t)
            local arena <close> = cns.arena()
            local a = arena:alloc(10)
            local mark = arena:mark()
            local b = arena:alloc(10)
            local inner = arena:mark()
            local c = arena:alloc(10)
            arena:restore(inner)
            t.raises("stale: its arena was reset or restored", c.read, c)
            b:fill(1)
            local d = arena:alloc(10)
            arena:restore(mark)
            t.raises("stale", b.read, b)
            t.raises("stale", d.read, d)
            a:fill(2)
            local e = arena:alloc(10)
            arena:restore(mark)
            t.raises("stale", e.read, e)
            a:fill(3)
            t.raises(".", arena.restore, arena, inner)
            t.raises("a mark of another arena", arena.restore, cns.arena(), mark)
            t.raises("cns.arena.mark expected, got nil", arena.restore, arena, nil)
            t.raises("a block of an arena is freed with it", a.free, a)
            t.raises("a block of an arena cannot be resized", a.resize, a, 1)
            arena:reset()
            t.raises("stale", a.read, a)
            t.equal(arena:stats().used, 0)
            t.raises("arena refused", function() cns.arena {limit = 1000}:alloc(2000) end)
        end)

        test("arena: what lives agrees with a model", function(t)
            math.randomseed(3)
            local arena <close> = cns.arena {block_size = 4096}
            local blocks, marks = {}, {}
            for step = 1, 5000 do
                local what = math.random(10)
                if what <= 6 then
                    local block = arena:alloc(16)
                    local text = ("%016d"):format(step)
                    block:write(text)
                    blocks[#blocks + 1] = {block = block, text = text, live = true}
                elseif what <= 8 then
                    marks[#marks + 1] = {mark = arena:mark(), count = #blocks}
                elseif #marks > 0 then
                    local i = math.random(math.max(1, #marks - 5), #marks)
                    local m = marks[i]
                    arena:restore(m.mark)
                    for k = m.count + 1, #blocks do
                        blocks[k].live = false
                    end
                    for k = #marks, i + 1, -1 do
                        marks[k] = nil
                    end
                end
                if step % 50 == 0 then
                    for _, b in ipairs(blocks) do
                        local ok, text = pcall(b.block.read, b.block)
                        t.equal(ok, b.live)
                        t.ok(not ok or text == b.text)
                    end
                end
            end
        end)
    end

    test("a finaliser may close what is in use", function(t)
        for _, create in pairs(owners()) do
            for _ = 1, 200 do
                local owner = create()
                for _ = 1, 10 do
                    setmetatable({}, {__gc = function() owner:reset() owner:close() end})
                end
                for _ = 1, 50 do
                    local ok, message = pcall(function()
                        local block = owner:alloc(500)
                        block:fill(1)
                        owner:reset()
                        return owner:alloc(10), owner:stats(), block
                    end)
                    t.ok(ok or message:find("closed") or message:find("stale"), tostring(message))
                end
            end
        end
    end)
end
