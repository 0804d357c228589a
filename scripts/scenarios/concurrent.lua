-- SPDX-License-Identifier: MIT
--
-- concurrent.lua - concurrent processing: 32 workers, 1600 tasks, each ten products of 100 x 100
-- matrices. The entries are small integers, so every product is exact, and Freivalds' check (1977)
-- is exact too: c r = a (b r) for a random vector r, with a (b r) computed by plain Lua before the
-- run. The digests of all products are compared with a serial run and with one on other workers.

local stats = require "cns.stats"

local size, matrices, products = 100, 16, 10
local area = size * size

local function multiply_vector(matrix, vector)
    local out = {}
    for row = 0, size - 1 do
        local sum = 0.0
        for column = 1, size do sum = sum + matrix[row * size + column] * vector[column] end
        out[row + 1] = sum
    end
    return out
end

-- Inputs a_1..a_16 and b_1..b_16 in one buffer, and a_i (b_j r) for every pair in another.
local function setup(ctx)
    local cns = require "cns"
    local random = stats.random(ctx.seed)
    ctx.inputs = cns.buffer("f64", 2 * matrices * area)
    ctx.expected = cns.buffer("f64", matrices * matrices * size)
    ctx.vector = {}
    for i = 1, size do ctx.vector[i] = random(1000) + 0.0 end
    local tables = {}
    for m = 1, 2 * matrices do
        local entries = {}
        for i = 1, area do entries[i] = random(201) - 101.0 end
        tables[m] = entries
        ctx.inputs:copy(entries, (m - 1) * area + 1)
    end
    for j = 1, matrices do
        local image = multiply_vector(tables[matrices + j], ctx.vector)
        for i = 1, matrices do
            local at = ((i - 1) * matrices + j - 1) * size + 1
            ctx.expected:copy(multiply_vector(tables[i], image), at)
        end
    end
end

-- Which matrices product number `p` of task `call` multiplies, from 0.
local function pair_of(call, p)
    local number = (call - 1) * products + p - 1
    return number % matrices, number // matrices % matrices
end

local function work(ctx, call)
    local cns = require "cns"
    local answers = {}
    for p = 1, products do
        local i, j = pair_of(call, p)
        local a = ctx.inputs:slice(i * area + 1, (i + 1) * area)
        local b = ctx.inputs:slice((matrices + j) * area + 1, (matrices + j + 1) * area)
        answers[p] = cns.matmul(cns.buffer("f64", area), a, b, size, size, size)
    end
    return answers
end

local function digest_of(answers)
    local cns = require "cns"
    local digests = {}
    for p = 1, products do digests[p] = cns.hash.blake3(answers[p]) end
    return cns.hash.blake3(table.concat(digests))
end

-- Keeps the digest of the ten products in place of the matrices.
local function verify(ctx, call, answers)
    for p = 1, products do
        local i, j = pair_of(call, p)
        local at = (i * matrices + j) * size
        local expected = ctx.expected:table(at + 1, at + size)
        local image = multiply_vector(answers[p]:table(), ctx.vector)
        for row = 1, size do
            if image[row] ~= expected[row] then
                return false, ("product %d: row %d of c r is %g, a (b r) has %g"):format(p, row,
                    image[row], expected[row])
            end
        end
    end
    return true, digest_of(answers)
end

-- The products of every pair, once and on this thread, tell what each task must have had.
local function serial_digests(ctx, calls)
    local cns = require "cns"
    local by_pair, digests = {}, {}
    for call = 1, calls do
        local list = {}
        for p = 1, products do
            local i, j = pair_of(call, p)
            local key = i * matrices + j
            if not by_pair[key] then
                local a = ctx.inputs:slice(i * area + 1, (i + 1) * area)
                local b = ctx.inputs:slice((matrices + j) * area + 1, (matrices + j + 1) * area)
                by_pair[key] = cns.hash.blake3(cns.matmul(cns.buffer("f64", area), a, b, size,
                    size, size))
            end
            list[p] = by_pair[key]
        end
        digests[call] = cns.hash.blake3(table.concat(list))
    end
    return digests
end

local function compare(checks, name, digests, expected, calls)
    local same = 0
    for call = 1, calls do
        if digests[call] == expected[call] then same = same + 1 end
    end
    checks:check(name, same == calls, ("%d of %d tasks have the same digest"):format(same, calls))
end

local function after(calls)
    return function(ctx, checks, digests)
        local cns = require "cns"
        local expected = serial_digests(ctx, calls)
        compare(checks, "the same result as on one thread", digests, expected, calls)
        local again = math.min(calls, 100)
        local pool <close> = cns.tasks.new {workers = 3, name = "other schedule"}
        local futures, other = {}, {}
        for call = again, 1, -1 do
            futures[call] = pool:spawn(function(context, number, run, digest)
                return digest(run(context, number))
            end, ctx, call, work, digest_of)
        end
        for call = 1, again do other[call] = futures[call]:await() end
        compare(checks, "the same result on 3 workers in reverse order", other, expected, again)
    end
end

---@param scale number
---@param options {workers: integer?}?
return function(scale, options)
    local calls = math.max(1, math.ceil(1600 * scale))
    local workers = options and options.workers or 32
    return {
        name = "concurrent processing",
        description = ("%d workers, %d tasks, each %d products of %d x %d matrices; an operation "
            .. "is one product."):format(workers, calls, products, size, size),
        operations = calls, weight = products, workers = workers, warmup = workers, collect = true,
        setup = setup, work = work, verify = verify, after = after(calls),
        thresholds = {"success = 100%"},
        teardown = function(ctx)
            if ctx.inputs then ctx.inputs:close() end
            if ctx.expected then ctx.expected:close() end
        end,
    }
end
