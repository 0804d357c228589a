-- SPDX-License-Identifier: MIT
--
-- random.lua - a generator of our own, for data that stay the same with any version of Lua
-- (xorshift64*, Vigna 2016).

local random = {}

-- A function (low, high) that returns integers between them.
function random.of(seed)
    local state = seed * 0x9E3779B97F4A7C15 | 1
    return function(low, high)
        state = state ~ state >> 12
        state = state ~ state << 25
        state = state ~ state >> 27
        return low + ((state * 0x2545F4914F6CDD1D) >> 33) % (high - low + 1)
    end
end

return random
