-- SPDX-License-Identifier: MIT
--
-- hello.lua - load the engine, ask it what it is and where it runs.
--
--     LUA_CPATH_5_4="build/release/lua/?.so" lua5.4 examples/lua/hello.lua

local cns = require "cns"

local level, best = cns.cpu()
print(("cnsengine %s on %s"):format(cns.version, cns.monitor.machine()))
print(("instruction set: %s (best here: %s)"):format(level, best))

-- Sizes may be written as people say them.
local heap <close> = cns.heap {budget = "1 MiB", tag = "hello"}
local block = heap:alloc("1 KiB")
block:write("hello")
print(block:read(1, 5), heap)
assert(block:read(1, 5) == "hello")

-- Mistakes are errors that say what was expected and what came.
local ok, message = pcall(heap.alloc, heap, "a lot")
print(message)
assert(not ok)
