-- SPDX-License-Identifier: MIT
--
-- kernels.lua - plain Lua functions, compiled for the types they are called with.

local cns = require "cns"

-- A function over numbers and buffers, as one would write it anyway.
local function saxpy(a, x, y)
    for i = 1, #x do
        y[i] = a * x[i] + y[i]
    end
end

local kernel = cns.jit(saxpy)
local x, y = cns.buffer("f64", 100000):fill(1), cns.buffer("f64", 100000):fill(2)
kernel(0.5, x, y)
print(kernel, y[1], "by the " .. kernel:tier() .. " tier")
assert(y[1] == 2.5 and y[100000] == 2.5)

-- Integers and floats are two types; each list of types is compiled once.
kernel(3, cns.buffer("i32", {1, 2}), cns.buffer("i64", {10, 20}))
print("compiled for:", table.concat(kernel:signatures(), " | "))
assert(#kernel:signatures() == 2)

-- What is outside is looked at again at each call.
local limit = 10
local count = cns.jit(function(values)
    local n = 0
    for i = 1, #values do
        if values[i] > limit then n = n + 1 end
    end
    return n
end)
local values = cns.buffer("u8", {5, 15, 25})
print("above 10:", count(values))
assert(count(values) == 2)
limit = 20
print("above 20:", count(values))
assert(count(values) == 1)

-- Errors are Lua's, with the line; what a kernel cannot be is refused with the reason.
local ok, message = pcall(kernel, 1, x, values)
print("caught:", message)
assert(not ok and message:find("out of range 1..3", 1, true))
ok, message = pcall(cns.jit(function(n) return "text" .. n end), 1)
print("refused:", message)
assert(not ok)

-- What was done and what was not, and why.
print(kernel:explain("f64", "f64[]", "f64[]"))
