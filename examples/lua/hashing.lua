-- SPDX-License-Identifier: MIT
--
-- hashing.lua - digests of text, of many messages at once, of files, and of a stream.

local cns = require "cns"
local hash = cns.hash

local digest = hash.blake3("abc")
print("blake3(abc)", digest)
assert(digest == "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85")

-- Many short messages go side by side through the SIMD lanes.
local names = {}
for i = 1, 1000 do
    names[i] = "user-" .. i
end
local ids = hash.batch("blake2b", names, {size = 8})
print("first ids", ids[1], ids[2])
assert(ids[7] == hash.blake2b("user-7", {size = 8}))

-- A stream, piece by piece; and as much output as wanted.
local hasher = hash.new("blake3")
hasher:update("a"):update("bc")
assert(hasher:digest() == digest)
print("extended", hash.hex(hasher:read(0, 40)))

-- A file; a missing one is an error with its path.
local file = hash.file("crc32c", arg[0])
print("this file", file)
print(select(2, pcall(hash.file, "crc32c", "/nowhere")))

-- A large input over several threads: the same digest.
local pool = cns.tasks.new {workers = 2}
local large = ("0123456789"):rep(1000000)
assert(hash.blake3(large, {tasks = pool}) == hash.blake3(large))
pool:close()
