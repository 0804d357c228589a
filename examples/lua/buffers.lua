-- SPDX-License-Identifier: MIT
--
-- buffers.lua - typed arrays, views that share them, borrows that guard them, and columns.

local cns = require "cns"

-- A typed array: out of range, or a value that does not fit, is an error.
local samples = cns.buffer("f64", 1000)
for i = 1, #samples do
    samples[i] = math.sin(i / 100)
end

-- A slice shares its elements with the whole.
local head = samples:slice(1, 3)
head[1] = 42
print(samples, head, samples[1])
assert(samples[1] == 42)

-- A borrow lends a range; whoever would race with it is told so.
do
    local lent <close> = head:borrow("write")
    lent[2] = 7
    local ok, message = pcall(function() return samples[2] end)
    print("while it is lent:", message)
    assert(not ok)
end
assert(samples[2] == 7)

-- Records, stored one array a field; a view of a field is a buffer.
local particles = cns.columns {{"x", "f64"}, {"mass", "f32"}, {"kind", "u8"}}
for i = 1, 10 do
    particles:append(i, 0.5 * i, i % 3)
end
local total = 0
do
    local mass <close> = particles:view("mass")
    for i = 1, #mass do
        total = total + mass[i]
    end
end
print(particles, "total mass " .. total)
assert(total == 27.5)
