-- SPDX-License-Identifier: MIT
--
-- bench.lua - plain Lua 5.4 against the engine, on eight workloads; every answer is compared.
--
--     cnsengine run scripts/bench.lua [--set rounds=11] [--set only=NAME] [--set count=10000]
--
-- The plain side is best-practice Lua 5.4 without C: for hashing, scripts/peers/blake2b.lua. What a
-- user pays (calls, conversion, collecting garbage) is inside the timing on both sides. Kernels run
-- in three ways: in the VM, compiled to machine code (JIT), and loaded from a module that was built
-- ahead of time (AOT); against C they are measured by `./dev bench vm`.

local host = require "cns.host"

local here = host.script:match("^(.*)/[^/]*$") or "."
package.path = here .. "/?.lua;" .. package.path

local cns = require "cns"
local bench = require "cns.bench"
local report = require "cns.report"
local stats = require "cns.stats"
local kernels = require "cns.kernels"
local blake2b = require "peers.blake2b"
local jobshop = require "peers.jobshop"
local sudoku = require "peers.sudoku"

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

---------------------------------------------------------------------------------------------------
-- Kernels: the same functions over plain tables, run by Lua, and over buffers, compiled

-- Milliseconds that fn() took, in words.
local function time_of(fn)
    local began = cns.clock_ns()
    fn()
    return ("%.1f ms"):format((cns.clock_ns() - began) * 1e-6)
end

-- Why there is no machine code; nil where there is.
local function no_native()
    local there, why = pcall(cns.jit(function() end, {tier = "native"}))
    return not there and why or nil
end

-- The workload's kernels as cns.jit makes them, compiled by using them once.
local function from_source(spec, tier, trial)
    local set = {}
    for _, name in ipairs(spec.kernels) do
        set[name] = cns.jit(kernels[name], {name = name, tier = tier})
    end
    return set, time_of(function() spec.with(set, trial) end)
end

-- Calls body with the path of a module (.cnsb) of the workload's kernels, as `cnsengine build`
-- makes one; its size; how long making it took.
local function with_module(spec, trial, body)
    local entries, bytes = {}, nil
    local took = time_of(function()
        for name, kernel in pairs(from_source(spec, "vm", trial)) do
            entries[#entries + 1] = {name = name, kernel = kernel}
        end
        bytes = cns.jit.dump(entries)
    end)
    local folder = assert(cns.fs.tempdir("cns-bench-"))
    local path = folder .. "/kernels.cnsb"
    local done, why = cns.fs.write_atomic(path, bytes)
    done, why = xpcall(function() return body(assert(done and path, why), #bytes, took) end,
        debug.traceback)
    assert(cns.fs.remove_tree(folder))
    if not done then error(why, 0) end
end

local function kernel_row(run, spec, way, set, note)
    run:compare {
        name = ("%s, %s"):format(spec.name, way), items = spec.items, unit = spec.unit,
        rounds = rounds, setup = spec.setup, verify = spec.verify,
        note = ("%s; %s"):format(spec.note, note),
        base = {label = "plain Lua", run = spec.plain},
        other = {label = "kernels, " .. way, run = function(ctx) return spec.with(set, ctx) end},
    }
end

-- A workload in the VM, as machine code, and as machine code from a module that was built ahead of
-- time. spec.with(set, ctx) does the work with a set of kernels, spec.plain(ctx) in Lua.
local function kernel_rows(run, spec)
    local trial, missing = {seed = host.seed}, no_native()
    spec.setup(trial)
    local set, took = from_source(spec, "vm", trial)
    kernel_row(run, spec, "VM", set, "compiled before, first use took " .. took)
    if missing then
        run:missing(spec.name .. ", JIT", "not measured", missing)
        run:missing(spec.name .. ", AOT", "not measured", missing)
        return
    end
    set, took = from_source(spec, "native", trial)
    kernel_row(run, spec, "JIT", set, "compiled before, first use took " .. took)
    with_module(spec, trial, function(path, size, build)
        local loaded
        took = time_of(function()
            loaded = cns.jit.load(path, {tier = "native"})
            spec.with(loaded, trial)
        end)
        kernel_row(run, spec, "AOT", loaded, ("a module of %d bytes, built in %s, loaded before; "
            .. "loading and first use took %s"):format(size, build, took))
    end)
end

-- What a module saves: from source to bytecode that is ready, against loading it.
local function load_row(run, spec)
    local trial = {seed = host.seed}
    spec.setup(trial)
    with_module(spec, trial, function(path, size)
        local types = {}
        for name, kernel in pairs(cns.jit.load(path, {tier = "vm"})) do
            types[name] = {}
            for word in kernel:signatures()[1]:gmatch("[^, ]+") do
                table.insert(types[name], word)
            end
        end
        run:compare {
            name = "load, " .. spec.name, items = #spec.kernels, unit = "kernels",
            rounds = rounds, setup = spec.setup,
            note = ("%d kernels made ready for the VM: compiled from their functions, or read from "
                .. "a module of %d bytes and verified"):format(#spec.kernels, size),
            base = {label = "cns.jit, compile", run = function()
                local set = {}
                for name, list in pairs(types) do
                    set[name] = cns.jit(kernels[name], {tier = "vm"})
                    set[name]:compile(table.unpack(list))
                end
                return set
            end},
            other = {label = "cns.jit.load", run = function()
                return cns.jit.load(path, {tier = "vm"})
            end},
            verify = function(a, b, ctx)
                return spec.verify(spec.with(a, ctx), spec.with(b, ctx))
            end,
        }
    end)
end

local function integers(n, random, low, high)
    local list = {}
    for i = 1, n do list[i] = low + random(high - low + 1) - 1 end
    return list
end

-- A table or a buffer against a table.
local function same_elements(a, b, n)
    for i = 1, n do
        if a[i] ~= b[i] then
            return false, ("element %d: %s and %s"):format(i, tostring(a[i]), tostring(b[i]))
        end
    end
    return true
end

local constraints = 64

local function constraint_spec()
    return {
        name = "constraint", items = constraints * count, unit = "checks",
        kernels = {"validate", "range_matrix"},
        note = "64 constraints (min, max, exact) over all values, then the matrix of values and 16 "
            .. "ranges; the values' conversion from a list inside",
        setup = function(ctx)
            local random = stats.random(ctx.seed)
            ctx.values = integers(count, random, 0, 999)
            ctx.kinds, ctx.limits = integers(constraints, random, 1, 3),
                integers(constraints, random, 0, 999)
            ctx.low, ctx.high = integers(16, random, 0, 499), integers(16, random, 400, 999)
        end,
        plain = function(ctx)
            local broken, inside = {}, {}
            local total = kernels.validate(ctx.kinds, ctx.limits, ctx.values, broken)
            return {broken, inside, total,
                kernels.range_matrix(ctx.values, ctx.low, ctx.high, inside)}
        end,
        with = function(set, ctx)
            local values <close> = cns.buffer("i32", ctx.values)
            local rules, limits = cns.buffer("u8", ctx.kinds), cns.buffer("i32", ctx.limits)
            local low, high = cns.buffer("i32", ctx.low), cns.buffer("i32", ctx.high)
            local broken, inside = cns.buffer("i64", constraints), cns.buffer("u8", 16 * count)
            local total = set.validate(rules, limits, values, broken)
            return {broken, inside, total, set.range_matrix(values, low, high, inside)}
        end,
        verify = function(a, b)
            if a[3] ~= b[3] or a[4] ~= b[4] then
                return false, ("%d, %d and %d, %d"):format(a[3], a[4], b[3], b[4])
            end
            local good, why = same_elements(a[1], b[1], constraints)
            if good then
                good, why = same_elements(a[2], b[2], 16 * count)
            end
            return good, why
        end,
    }
end

-- Handlers become instructions, these are optimised, then signals are dispatched. What is given
-- lies in tables on one side, in buffers on the other, as it would in a program of that kind.
local function bytecode_spec()
    local signals = 10 * count
    return {
        name = "bytecode", items = count, unit = "handlers",
        kernels = {"handler_code", "peephole", "dispatch"},
        note = "code for each handler, optimised (peephole), and 10 signals a handler dispatched; "
            .. "handlers and signals lie in tables, in buffers for the engine",
        setup = function(ctx)
            local random = stats.random(ctx.seed)
            ctx.operations, ctx.targets = integers(count, random, 1, 4),
                integers(count, random, 1, 1000)
            ctx.handlers = integers(256, random, 0, count)
            ctx.kinds, ctx.payloads = integers(signals, random, 0, 255),
                integers(signals, random, -1000, 1000)
            ctx.buffers = {
                operations = cns.buffer("u8", ctx.operations),
                targets = cns.buffer("u16", ctx.targets),
                handlers = cns.buffer("u32", ctx.handlers), kinds = cns.buffer("u8", ctx.kinds),
                payloads = cns.buffer("i32", ctx.payloads),
            }
        end,
        plain = function(ctx)
            local code, entries, state = {}, {}, {}
            for i = 1, 1000 do state[i] = 0 end
            kernels.handler_code(ctx.operations, ctx.targets, code, entries)
            local length = kernels.peephole(code, code)
            return {code, entries, state, length, kernels.dispatch(ctx.kinds, ctx.payloads,
                ctx.handlers, ctx.operations, ctx.targets, state)}
        end,
        with = function(set, ctx)
            local data = ctx.buffers
            local code, entries = cns.buffer("i64", 5 * count), cns.buffer("u32", count)
            local state = cns.buffer("i64", 1000)
            local used = set.handler_code(data.operations, data.targets, code, entries)
            local length = set.peephole(code:slice(1, used), code)
            return {code, entries, state, length, set.dispatch(data.kinds, data.payloads,
                data.handlers, data.operations, data.targets, state)}
        end,
        verify = function(a, b)
            if a[4] ~= b[4] or a[5] ~= b[5] then
                return false, ("%d, %d and %d, %d"):format(a[4], a[5], b[4], b[5])
            end
            local good, why = same_elements(a[1], b[1], a[4])
            for part, n in pairs {[2] = count, [3] = 1000} do
                if good then
                    good, why = same_elements(a[part], b[part], n)
                end
            end
            return good, why
        end,
    }
end

---------------------------------------------------------------------------------------------------
-- The solver: each puzzle's solution, and that there is no other

local function solve_puzzle(clues)
    local solver = require "cns.solver"
    local model = solver.model()
    local grid = model:matrix(9, 9, 1, 9)
    for i = 1, 9 do
        model:all_different(grid:row(i))
        model:all_different(grid:column(i))
        model:all_different(grid:block((i - 1) // 3 * 3 + 1, (i - 1) % 3 * 3 + 1, 3, 3))
    end
    local cells = grid:flat()
    for k = 1, 81 do
        if clues[k] ~= 0 then model:post(cells[k]:eq(clues[k])) end
    end
    local first, found = nil, 0
    for solution in model:solutions() do
        first, found = first or solution:value(cells), found + 1
        if found == 2 then break end
    end
    return first, found
end

local function solve_shop(shop)
    local solver = require "cns.solver"
    local model, ends, on = solver.model(), {}, {}
    local horizon = 0
    for j = 1, shop.jobs do for k = 1, shop.machines do horizon = horizon + shop.time[j][k] end end
    for m = 1, shop.machines do on[m] = {} end
    for j = 1, shop.jobs do
        local before
        for k = 1, shop.machines do
            local task = model:interval {start = {0, horizon}, duration = shop.time[j][k]}
            if before then model:post(before:before(task)) end
            table.insert(on[shop.machine[j][k]], task)
            before = task
        end
        ends[j] = before.finish
    end
    for m = 1, shop.machines do model:no_overlap(on[m]) end
    model:minimize(solver.max(ends))
    return (model:solve()).objective
end

-- One problem after the other, by a search made for them and by the solver; answers are compared
-- as they are printed.
local function solver_row(run, spec)
    local function each(solve)
        return function(ctx)
            local out = {}
            for k, problem in ipairs(ctx.problems) do out[k] = solve(problem) end
            return out
        end
    end
    run:compare {
        name = spec.name, items = spec.items, unit = spec.unit, rounds = rounds, note = spec.note,
        setup = function(ctx)
            local random = stats.random(ctx.seed)
            ctx.problems = {}
            for k = 1, spec.items do ctx.problems[k] = spec.make(random) end
        end,
        base = {label = "plain Lua", run = each(spec.plain)},
        other = {label = "engine", run = each(spec.engine)},
        verify = function(a, b)
            for k = 1, spec.items do
                if a[k] ~= b[k] then
                    return false, ("%s %d: %s and %s"):format(spec.name, k, a[k], b[k])
                end
            end
            return true
        end,
    }
end

local function sudoku_row(run)
    local function with_count(solve)
        return function(clues)
            local grid, found = solve(clues, 2)
            return table.concat(grid) .. found
        end
    end
    solver_row(run, {
        name = "sudoku", items = math.max(1, count // 500), unit = "puzzles",
        note = "sudokus without a clue to spare solved, and that there is one solution only; a "
            .. "backtracking search made for sudokus, and the solver, its model made from Lua",
        make = sudoku.make, plain = with_count(sudoku.solve), engine = with_count(solve_puzzle),
    })
end

local function jobshop_row(run)
    solver_row(run, {
        name = "job shop", items = math.max(1, count // 2000), unit = "schedules",
        note = "the shortest schedules of six jobs on six machines; branch and bound over active "
            .. "schedules, and the solver, its model made from Lua",
        make = function(random) return jobshop.make(random, 6, 6) end,
        plain = jobshop.solve, engine = solve_shop,
    })
end

local result = bench.new {title = "Benchmarks: plain Lua 5.4 against the engine"}
local rows = {
    {"hash", hash_rows}, {"memory", memory_row}, {"parallel", parallel_rows},
    {"constraint", function(run) kernel_rows(run, constraint_spec()) end},
    {"bytecode", function(run) kernel_rows(run, bytecode_spec()) end},
    {"load", function(run)
        load_row(run, constraint_spec())
        load_row(run, bytecode_spec())
    end},
    {"sudoku", sudoku_row}, {"job shop", jobshop_row},
}
local found, names = false, {}
for k, row in ipairs(rows) do
    names[k] = row[1]
    if row[1]:find(only, 1, true) then
        found = true
        row[2](result)
    end
end
if not found then
    error(("--set only=%s: no row has this in its name: there are %s"):format(only,
        table.concat(names, ", ")), 0)
end
report.finish(result:result())
