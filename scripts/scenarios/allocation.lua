-- SPDX-License-Identifier: MIT
--
-- allocation.lua - rapid allocation: rounds of 10,000 objects of mixed kinds and lifetimes. A round
-- writes every object, frees what is to die young, outlives the arena's marks, reads the rest back,
-- and leaves some heap blocks and pool slots to be checked and freed by the next round. At the end
-- nothing may be left: not in the heap, not in the pool, not in the context.

local cns = require "cns"

local counts = {heap = 2500, arena = 2000, pool = 2000, map = 1500, buffer = 100, table = 1900}
local objects = 0
for _, count in pairs(counts) do objects = objects + count end

local function expect(condition, what, index)
    if not condition then
        error(("%s %d does not hold what was written"):format(what, index), 0)
    end
end

-- 16 to 527 bytes that name their owner.
local function text_of(round, index)
    local size = 16 + (index * 37 + round) % 512
    local stamp = string.pack("<I8I8", round, index)
    return stamp .. stamp:sub(1, 8):rep((size - 16) // 8)
end

local function heap_objects(ctx, round)
    local blocks = {}
    for i = 1, counts.heap do
        local text = text_of(round, i)
        local block = ctx.heap:alloc(#text)
        block:write(text)
        blocks[i] = block
        if i % 4 == 0 then -- dies young, out of order
            expect(blocks[i - 2]:read() == text_of(round, i - 2), "heap block", i - 2)
            blocks[i - 2]:free()
            blocks[i - 2] = false
        end
    end
    for _, old in ipairs(ctx.survivors) do
        expect(old.block:read() == text_of(old.round, old.index), "older heap block", old.index)
        old.block:free()
    end
    ctx.survivors = {}
    for i = counts.heap, 1, -1 do
        local block = blocks[i]
        if block and i % 5 == 0 then
            ctx.survivors[#ctx.survivors + 1] = {block = block, round = round, index = i}
        elseif block then
            expect(block:read() == text_of(round, i), "heap block", i)
            block:free()
        end
    end
end

local function arena_objects(ctx, round)
    local kept, half = {}, counts.arena // 2
    for i = 1, half do
        local text = text_of(round, i)
        kept[i] = ctx.arena:alloc(#text)
        kept[i]:write(text)
    end
    local mark = ctx.arena:mark()
    for i = half + 1, counts.arena do
        local block = ctx.arena:alloc(64)
        block:fill(i % 256)
        expect(block:read() == string.char(i % 256):rep(64), "arena block", i)
    end
    ctx.arena:restore(mark)
    for i = 1, half do expect(kept[i]:read() == text_of(round, i), "arena block", i) end
    ctx.arena:reset()
end

local function pool_objects(ctx, round)
    local handles = {}
    for i = 1, counts.pool do
        handles[i] = ctx.pool:new(round + i / 4, i, round)
    end
    for _, old in ipairs(ctx.slots) do
        local x, id = ctx.pool:unpack(old.handle)
        expect(x == old.round + old.index / 4 and id == old.index, "older slot", old.index)
        ctx.pool:free(old.handle)
        expect(not ctx.pool:valid(old.handle), "freed slot", old.index)
    end
    ctx.slots = {}
    for i = 1, counts.pool do
        local x, id, born = ctx.pool:unpack(handles[i])
        expect(x == round + i / 4 and id == i and born == round, "slot", i)
        if i % 10 == 0 then
            ctx.slots[#ctx.slots + 1] = {handle = handles[i], round = round, index = i}
        else
            ctx.pool:free(handles[i])
        end
    end
end

local function map_objects(ctx, round)
    for i = 1, counts.map do
        expect(ctx.map:set(round * 100000 + i, i * 3), "map entry", i)
    end
    for i = 1, counts.map do
        expect(ctx.map:get(round * 100000 + i) == i * 3, "map entry", i)
        expect(ctx.map:remove(round * 100000 + i), "map entry", i)
    end
end

local function buffer_objects(_, round)
    for i = 1, counts.buffer do
        local buffer <close> = cns.buffer("i32", 16 + i)
        buffer:fill(round)
        buffer[i] = -i
        expect(buffer[i] == -i and buffer[16 + i] == round, "buffer", i)
    end
end

local function table_objects(_, round)
    local list = {}
    for i = 1, counts.table do list[i] = {id = i, round = round, name = "object " .. i} end
    for i = 1, counts.table do
        local object = list[i]
        expect(object.id == i and object.round == round and object.name == "object " .. i, "table",
            i)
    end
end

local function free_survivors(ctx)
    for _, old in ipairs(ctx.survivors) do
        expect(old.block:read() == text_of(old.round, old.index), "last heap block", old.index)
        old.block:free()
    end
    for _, old in ipairs(ctx.slots) do ctx.pool:free(old.handle) end
    ctx.survivors, ctx.slots = {}, {}
end

local function check_nothing_left(ctx, checks)
    free_survivors(ctx)
    local heap = ctx.heap:stats()
    ctx.heap:check()
    checks:check("the heap is empty", heap.live_count == 0 and heap.live_bytes == 0,
        ("%d allocations made, %d left"):format(heap.alloc_count, heap.live_count))
    checks:equal("pool slots left", #ctx.pool, 0)
    checks:equal("map entries left", #ctx.map, 0)
    checks:equal("arena bytes in use", ctx.arena:stats().used, 0)
    for _, object in ipairs {ctx.heap, ctx.pool, ctx.map, ctx.arena} do object:close() end
    collectgarbage()
    collectgarbage()
    local held = cns.memory().held
    checks:check("the engine's memory is back to the level before", held <= ctx.held_before,
        ("%d bytes before, %d after"):format(ctx.held_before, held))
end

---@param scale number
return function(scale)
    return {
        name = "rapid allocation",
        description = ("Rounds of %d objects: heap blocks, arena blocks, pool slots, map entries, "
            .. "buffers and tables; an operation is one object, checked in the timing."):format(
            objects),
        operations = math.max(1, math.ceil(100 * scale)), weight = objects, warmup = 2,
        verify = "in work",
        setup = function(ctx)
            collectgarbage()
            collectgarbage()
            ctx.held_before = cns.memory().held
            ctx.heap, ctx.arena = cns.heap {tag = "rapid allocation"}, cns.arena()
            ctx.pool = cns.pool {{"x", "f64"}, {"id", "i32"}, {"round", "i32"}}
            ctx.map = cns.map {key = "u64", value = "u64", seed = ctx.seed}
            ctx.survivors, ctx.slots = {}, {}
        end,
        work = function(ctx, round)
            heap_objects(ctx, round)
            arena_objects(ctx, round)
            pool_objects(ctx, round)
            map_objects(ctx, round)
            buffer_objects(ctx, round)
            table_objects(ctx, round)
        end,
        after = check_nothing_left,
        teardown = function(ctx)
            for _, name in ipairs {"heap", "arena", "pool", "map"} do
                if ctx[name] then ctx[name]:close() end
            end
        end,
        thresholds = {"success = 100%"},
    }
end
