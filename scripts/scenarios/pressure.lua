-- SPDX-License-Identifier: MIT
--
-- pressure.lua - memory that is held while something else runs: blocks of the engine's heap, every
-- byte written with a pattern and compared afterwards. No two chunks are alike.

local cns = require "cns"
local stats = require "cns.stats"

local pressure = {}
pressure.__index = pressure

local chunk = 64 * 1024

local function each_chunk(size, fn)
    for index = 0, (size - 1) // chunk do
        local at = index * chunk
        fn(index, at + 1, math.min(chunk, size - at))
    end
end

-- What chunk number `index` of block `block` must hold.
local function expected(self, block, index, size)
    return (string.pack("<I8I8", block, index) .. self.tail):sub(1, size)
end

-- `total` bytes in `count` blocks, the last one taking the remainder.
function pressure.hold(total, count, seed, tag)
    local random, bytes = stats.random(seed), {}
    for i = 1, chunk - 16 do bytes[i] = string.char(random(256) - 1) end
    local self = setmetatable({tail = table.concat(bytes), heap = cns.heap {tag = tag},
        total = total, blocks = {}}, pressure)
    for b = 1, count do
        local size = b < count and total // count or total - (count - 1) * (total // count)
        local block = self.heap:alloc(size)
        self.blocks[b] = block
        each_chunk(size, function(index, at, length)
            block:write(expected(self, b, index, length), at)
        end)
    end
    return self
end

-- Compares every byte; whether all is as it was, and how much that is in words.
function pressure:compare()
    local wrong, compared = 0, 0
    for b, block in ipairs(self.blocks) do
        each_chunk(#block, function(index, at, length)
            compared = compared + length
            if block:read(at, length) ~= expected(self, b, index, length) then
                wrong = wrong + 1
            end
        end)
    end
    return wrong == 0 and compared == self.total, ("%d bytes of %d blocks compared, %d chunks "
        .. "differ"):format(compared, #self.blocks, wrong)
end

function pressure:close()
    self.blocks = nil
    self.heap:close()
end

return pressure
