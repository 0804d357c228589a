-- SPDX-License-Identifier: MIT
--
-- tasks.lua - Lua functions on several threads: futures, parallel loops, shared buffers, a graph.
-- Run it with `cnsengine run examples/lua/tasks.lua`, or lua5.4 with the module on its path.

local cns = require "cns"

local pool <close> = cns.tasks.new {workers = 4}

-- A task is a function with its upvalues; they are copied to the worker's own Lua state.
local base = 1000
local function count_primes(first, last)
    local count = 0
    for n = first, last do
        local prime = n > 1
        for d = 2, math.floor(n ^ 0.5) do
            if n % d == 0 then
                prime = false
                break
            end
        end
        count = count + (prime and 1 or 0)
    end
    return count
end

local future = pool:spawn(function() return count_primes(1, base) end)
print("primes up to 1000:", future:await())

-- map: one result for each item, in order.
local digests = pool:map({"a", "b", "c"}, function(text) return cns.hash.blake3(text) end)
print("blake3 of 'c':", digests[3]:sub(1, 16) .. "...")

-- reduce: the same sum whatever the number of workers, to the last bit.
local harmonic = pool:reduce(1, 100000, function(first, last)
    local sum = 0.0
    for i = first, last do
        sum = sum + 1 / i
    end
    return sum
end, function(a, b) return a + b end)
print(("harmonic number of 100000: %.12f"):format(harmonic))

-- Buffers are shared, not copied. Here each part of the loop gets its own range for writing.
local squares = cns.buffer("i64", 1000)
pool:range(1, #squares, function(first, _, mine)
    for i = 1, #mine do
        local n = first + i - 1
        mine[i] = n * n
    end
end, nil, cns.tasks.split(squares))
print("squares[1000]:", squares[1000])

-- While a task may write, the owner may not look.
local lent = pool:spawn(function(b) b:fill(7) end, cns.tasks.write(squares))
lent:await()
print("filled by a task:", squares[1])

-- A graph: nodes run as soon as those they depend on have, and get their results.
local results = pool:graph()
    :add("left", function() return 20 end)
    :add("right", function() return 22 end)
    :add("sum", function(left, right) return left + right end, {"left", "right"})
    :run()
print("graph:", results.sum)

-- An error comes back where the result is asked for, with the worker's traceback.
local ok, message = pcall(function()
    return pool:spawn_with({name = "failing"}, function() error("no such luck") end):await()
end)
print("error:", ok, message:match("no such luck") and message:match("task 'failing'"))
