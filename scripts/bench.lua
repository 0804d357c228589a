-- SPDX-License-Identifier: MIT
--
-- bench.lua - plain Lua 5.4 against the engine, on three workloads; every answer is compared.
--
--     cnsengine run scripts/bench.lua [--set rounds=11] [--set only=NAME] [--set count=10000]
--
-- The plain side is best-practice Lua 5.4 without C: for hashing, scripts/peers/blake2b.lua. What a
-- user pays (calls, conversion, collecting garbage) is inside the timing on both sides.

local host = require "cns.host"

local here = host.script:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local cns = require "cns"
local bench = require "cns.bench"
local report = require "cns.report"
local stats = require "cns.stats"
local blake2b = require "peers.blake2b"

local count = host.param("count", 10000)
local rounds = host.param("rounds", 11)
local only = host.param("only", "")
local chunk_size = 500

-- Strings of about 190 bytes, all different.
local function make_texts(seed)
    local random = stats.random(seed)
    local texts = {}
    for i = 1, count do
        texts[i] = ("item %d: "):format(i) .. ("%016x"):format(random(2 ^ 52)):rep(11)
            .. ("."):rep(random(10))
    end
    return texts
end

local function same_list(a, b)
    if #a ~= count or #b ~= count then
        return false, ("%d and %d answers for %d items"):format(#a, #b, count)
    end
    for i = 1, count do
        if a[i] ~= b[i] then
            return false, ("item %d: %s and %s"):format(i, tostring(a[i]), tostring(b[i]))
        end
    end
    return true
end

local function with_texts(ctx)
    ctx.texts = make_texts(ctx.seed)
end

local function plain_hash(ctx)
    local hex, texts, out = blake2b.hex, ctx.texts, {}
    for i = 1, #texts do out[i] = hex(texts[i], 8) end
    return out
end

local function hash_rows(run)
    run:compare {
        name = "hash", items = count, unit = "digests", rounds = rounds, setup = with_texts,
        note = "BLAKE2b, 8 bytes, hex, strings of about 190 bytes; hash.batch, one thread",
        base = {label = "plain Lua", run = plain_hash},
        other = {label = "engine, batch", run = function(ctx)
            return cns.hash.batch("blake2b", ctx.texts, {size = 8})
        end},
        verify = same_list,
    }
    run:compare {
        name = "hash, one by one", items = count, unit = "digests", rounds = rounds,
        setup = with_texts, note = "as above, one call of hash.blake2b a string",
        base = {label = "plain Lua", run = plain_hash},
        other = {label = "engine, single calls", run = function(ctx)
            local hash, texts, options, out = cns.hash.blake2b, ctx.texts, {size = 8}, {}
            for i = 1, #texts do out[i] = hash(texts[i], options) end
            return out
        end},
        verify = same_list,
    }
end

---------------------------------------------------------------------------------------------------
-- Records {id, data, metadata {created, type}}: made, read back field by field, dropped

local kinds = {"sensor", "event", "order", "note"}
local kind_number = {}
for number, kind in ipairs(kinds) do kind_number[kind] = number end

local function plain_records(ctx)
    local records = {}
    for i = 1, count do
        records[i] = {id = i, data = ctx.data[i],
            metadata = {created = 1700000000 + i, type = kinds[i % 4 + 1]}}
    end
    return records
end

local function plain_read(records)
    local out = {}
    for i = 1, count do
        local record = records[i]
        local metadata = record.metadata
        out[i] = record.data .. metadata.created + record.id .. metadata.type
    end
    return out
end

-- A slot of 41 bytes outside the garbage collector: created, type, 32 bytes of data.
local slot = "<I8Bc32"

local function engine_records(ctx)
    local records = cns.map {key = "u64", value = string.packsize(slot), capacity = count}
    local pack = string.pack
    for i = 1, count do
        records:set(i, pack(slot, 1700000000 + i, kind_number[kinds[i % 4 + 1]], ctx.data[i]))
    end
    return records
end

local function engine_read(records)
    local out, unpack = {}, string.unpack
    for i = 1, count do
        local created, kind, data = unpack(slot, records:get(i))
        out[i] = data .. created + i .. kinds[kind]
    end
    return out
end

local function record_memory(ctx)
    collectgarbage()
    collectgarbage()
    local before = collectgarbage("count")
    local plain = plain_records(ctx)
    collectgarbage()
    local base_bytes = math.floor((collectgarbage("count") - before) * 1024)
    assert(#plain == count)
    local records <close> = engine_records(ctx)
    return {base_bytes = base_bytes, other_bytes = records:stats().held, records = #records}
end

local function memory_row(run)
    run:compare {
        name = "memory", items = count, unit = "records", rounds = rounds,
        note = "records made, every field read back, dropped; cns.map with packed slots",
        setup = function(ctx)
            local random = stats.random(ctx.seed)
            ctx.data = {}
            for i = 1, count do
                ctx.data[i] = ("%016x%016x"):format(random(2 ^ 52), random(2 ^ 52))
            end
        end,
        base = {label = "plain Lua tables", run = function(ctx)
            return plain_read(plain_records(ctx))
        end},
        other = {label = "engine map", run = function(ctx)
            local records <close> = engine_records(ctx)
            return engine_read(records)
        end},
        verify = same_list, memory = record_memory,
    }
end

---------------------------------------------------------------------------------------------------
-- Items hashed and mapped in chunks

local function chunks_of(texts)
    local chunks = {}
    for first = 1, #texts, chunk_size do
        local chunk = {}
        table.move(texts, first, math.min(first + chunk_size - 1, #texts), 1, chunk)
        chunks[#chunks + 1] = chunk
    end
    return chunks
end

local function join(parts)
    local out = {}
    for _, part in ipairs(parts) do table.move(part, 1, #part, #out + 1, out) end
    return out
end

local function plain_chunk(chunk)
    local hex = require "peers.blake2b".hex
    local out = {}
    for i = 1, #chunk do out[i] = hex(chunk[i], 8) .. ":" .. #chunk[i] end
    return out
end

local function plain_parallel(ctx)
    local parts = {}
    for i, chunk in ipairs(ctx.chunks) do parts[i] = plain_chunk(chunk) end
    return join(parts)
end

local function parallel_rows(run)
    local pool <close> = cns.tasks.new {workers = host.threads or cns.tasks.cpus(), name = "bench"}
    local threads = ("%d workers"):format(pool:workers())
    local path = package.path
    local function with_chunks(ctx)
        with_texts(ctx)
        ctx.chunks = chunks_of(ctx.texts)
    end
    run:compare {
        name = "parallel", items = count, unit = "items", rounds = rounds, setup = with_chunks,
        note = "items hashed (BLAKE2b, 8 bytes) and mapped in chunks of 500; " .. threads,
        base = {label = "plain Lua", run = plain_parallel},
        other = {label = "engine tasks and hash", run = function(ctx)
            return join(pool:map(ctx.chunks, function(chunk)
                local out = require "cns".hash.batch("blake2b", chunk, {size = 8})
                for i = 1, #out do out[i] = out[i] .. ":" .. #chunk[i] end
                return out
            end))
        end},
        verify = same_list,
    }
    run:compare {
        name = "parallel, same Lua", items = count, unit = "items", rounds = rounds,
        setup = with_chunks, note = "plain Lua's hash on both sides: what the tasks alone bring; "
            .. threads,
        base = {label = "plain Lua", run = plain_parallel},
        other = {label = "the same on tasks", run = function(ctx)
            return join(pool:map(ctx.chunks, function(chunk)
                package.path = path -- a worker's own
                return plain_chunk(chunk)
            end))
        end},
        verify = same_list,
    }
end

local run = bench.new {title = "Benchmarks: plain Lua 5.4 against the engine"}
local rows = {
    {"hash", hash_rows}, {"memory", memory_row}, {"parallel", parallel_rows},
    {"constraint", function() run:missing("constraint", "not built", "the solver is to come") end},
    {"bytecode", function() run:missing("bytecode", "not built", "the VM is to come") end},
}
local found = false
for _, row in ipairs(rows) do
    if row[1]:find(only, 1, true) then
        found = true
        row[2](run)
    end
end
if not found then
    error(("--set only=%s: no row has this in its name"):format(only), 0)
end
report.finish(run:result())
