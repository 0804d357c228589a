-- SPDX-License-Identifier: MIT
--
-- pool.lua - game objects in a pool: integer handles, nothing for the collector to walk, and a
-- stale handle is an error instead of somebody else's object.

local cns = require "cns"

local pool <close> = cns.pool({{"x", "f64"}, {"y", "f64"}, {"hp", "i32"}}, {capacity = 1000})

local handles = {}
for i = 1, 100 do
    handles[i] = pool:new(i, 2 * i, 100)
end

local goblin = handles[7]
pool:set(goblin, "hp", pool:get(goblin, "hp") - 30)
print("the goblin", pool:unpack(goblin))
assert(pool:get(goblin, "hp") == 70)

pool:free(goblin)
local other = pool:new(0, 0, 1) -- takes the goblin's slot, under another handle
print("still there?", pool:valid(goblin), pool:valid(other))
local ok, message = pcall(pool.get, pool, goblin, "hp")
print(message)
assert(not ok and pool:valid(other))

local living = 0
for handle in pool:handles() do
    if pool:get(handle, "hp") > 0 then
        living = living + 1
    end
end
print(pool, living .. " alive")
assert(living == 100)
