-- SPDX-License-Identifier: MIT
--
-- blake2b.lua - BLAKE2b (RFC 7693) in plain Lua 5.4, unkeyed: the other side of the benchmark. It
-- is written the way one would write it for speed in plain Lua: 64-bit integers, the message words
-- read by one string.unpack a block, the twelve rounds unrolled into straight code over locals when
-- the file is loaded, no tables in the inner loop.

local iv = {
    0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
    0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179,
}

local sigma = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}

-- Columns, then diagonals.
local lanes = {
    {0, 4, 8, 12}, {1, 5, 9, 13}, {2, 6, 10, 14}, {3, 7, 11, 15},
    {0, 5, 10, 15}, {1, 6, 11, 12}, {2, 7, 8, 13}, {3, 4, 9, 14},
}

local mix = [[
va = va + vb + mx; vd = vd ~ va; vd = vd >> 32 | vd << 32
vc = vc + vd; vb = vb ~ vc; vb = vb >> 24 | vb << 40
va = va + vb + my; vd = vd ~ va; vd = vd >> 16 | vd << 48
vc = vc + vd; vb = vb ~ vc; vb = vb >> 63 | vb << 1
]]

local function rounds()
    local lines = {}
    for round = 0, 11 do
        local order = sigma[round % 10 + 1]
        for lane = 1, 8 do
            local v = lanes[lane]
            local names = {va = "v" .. v[1], vb = "v" .. v[2], vc = "v" .. v[3], vd = "v" .. v[4],
                mx = "m" .. order[2 * lane - 1], my = "m" .. order[2 * lane]}
            lines[#lines + 1] = mix:gsub("[vm][abcdxy]", names)
        end
    end
    return table.concat(lines)
end

local function numbered(prefix, first, last)
    local list = {}
    for i = first, last do list[#list + 1] = prefix .. i end
    return table.concat(list, ", ")
end

local function compress_source()
    local v, update = {}, {}
    for i = 0, 7 do
        v[i + 1], v[i + 9] = "h" .. i, ("%d"):format(iv[i + 1])
        update[i + 1] = ("h%d ~ v%d ~ v%d"):format(i, i, i + 8)
    end
    v[13], v[15] = v[13] .. " ~ count", v[15] .. " ~ last"
    return table.concat {
        "local unpack = string.unpack\n",
        "return function(block, at, count, last, ", numbered("h", 0, 7), ")\n",
        "local ", numbered("m", 0, 15), " = unpack('<", ("i8"):rep(16), "', block, at)\n",
        "local ", numbered("v", 0, 15), " = ", table.concat(v, ", "), "\n",
        rounds(), "return ", table.concat(update, ", "), "\nend",
    }
end

local compress = assert(load(compress_source(), "=blake2b", "t"))()

local blake2b = {}

---@param text string
---@param size integer digest bytes, 1..64
---@return string hex
function blake2b.hex(text, size)
    local h0, h1, h2, h3, h4, h5, h6, h7 = table.unpack(iv)
    h0 = h0 ~ (0x01010000 | size)
    local length = #text
    local at = 1
    while length - at >= 128 do
        h0, h1, h2, h3, h4, h5, h6, h7 = compress(text, at, at + 127, 0, h0, h1, h2, h3, h4, h5,
            h6, h7)
        at = at + 128
    end
    local final = text:sub(at)
    final = final .. ("\0"):rep(128 - #final)
    h0, h1, h2, h3, h4, h5, h6, h7 = compress(final, 1, length, -1, h0, h1, h2, h3, h4, h5, h6, h7)
    if size == 8 then -- the usual short digest: one word, its bytes in little-endian order
        return ("%016x"):format(string.unpack(">i8", string.pack("<i8", h0)))
    end
    local bytes = string.pack("<i8i8i8i8i8i8i8i8", h0, h1, h2, h3, h4, h5, h6, h7):sub(1, size)
    return (bytes:gsub(".", function(byte) return ("%02x"):format(byte:byte()) end))
end

return blake2b
