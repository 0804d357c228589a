-- SPDX-License-Identifier: MIT
local cns = require "cns"

local limits = {
    i8 = {-128, 127}, i16 = {-32768, 32767}, i32 = {-2147483648, 2147483647},
    i64 = {math.mininteger, math.maxinteger}, u8 = {0, 255}, u16 = {0, 65535},
    u32 = {0, 4294967295}, u64 = {0, math.maxinteger},
}
local formats = {
    i8 = "<i1", i16 = "<i2", i32 = "<i4", i64 = "<i8", u8 = "<I1", u16 = "<I2", u32 = "<I4",
    u64 = "<I8", f32 = "<f", f64 = "<d",
}

-- The machine's order, for comparison with string.pack.
local function native(format)
    return (format:gsub("^<", "="))
end

-- Beyond 64 MiB these work in pieces.
local function pieces(test)
    local count = (150 << 20) + 5

    test("large fills, copies and hashes are what small ones are", function(t)
        local b <close> = cns.buffer("u8", count)
        t.equal(b:fill(7), b)
        t.equal(cns.hash.crc32c(b), cns.hash.crc32c(("\7"):rep(count)))
        t.raises("does not fit", b.fill, b, 256)
        t.raises("number expected", b.fill, b, "7")
        for i = 1, count, 1 << 20 do b[i] = i >> 20 end
        local copy <close> = cns.buffer("u8", count):copy(b)
        for _, name in ipairs(cns.hash.algorithms()) do
            local options = name:find("siphash") and {key = ("k"):rep(16)} or nil
            local expected = cns.hash.batch(name, {b}, options)[1] -- in one piece
            t.equal(cns.hash.digest(name, b, options), expected, name)
            t.equal(cns.hash.new(name, options):update(copy):digest(), expected, name)
        end
        t.equal(cns.hash.blake3(b, {key = ("k"):rep(32), size = 100}),
            cns.hash.batch("blake3", {b}, {key = ("k"):rep(32), size = 100})[1])
        local lent <close> = b:borrow("read")
        t.raises("borrow", b.fill, b, 1)
        t.raises("borrow", b.copy, b, copy)
        t.equal(b[1], 0)
        lent:close()
    end)

    test("large copies within a buffer, both ways", function(t)
        local b <close> = cns.buffer("u8", count)
        for _, shift in ipairs {1, 12345, (70 << 20) + 3} do
            for i = 1, count, 4099 do b[i] = i % 251 end
            b:copy(b:slice(1, count - shift), 1 + shift)
            for i = 1, count - shift, 4099 do
                if b[i + shift] ~= i % 251 then t.equal(b[i + shift], i % 251, "up " .. i) end
            end
            b:copy(b:slice(1 + shift, count), 1)
            for i = 1, count - shift, 4099 do
                if b[i] ~= i % 251 then t.equal(b[i], i % 251, "down " .. i) end
            end
        end
    end)
end

return function(test)
    pieces(test)
    test("elements of every integer type keep their limits and refuse what is beyond", function(t)
        for type, limit in pairs(limits) do
            local b = cns.buffer(type, 4)
            t.equal(b:type(), type)
            t.equal(#b, 4)
            t.equal(b[1], 0)
            for _, value in ipairs(limit) do
                b[2] = value
                t.equal(b[2], value)
                t.equal(b:bytes(), string.pack(native(formats[type]):rep(4), 0, value, 0, 0))
            end
            if type ~= "i64" and type ~= "u64" then
                t.raises("does not fit", function() b[1] = limit[2] + 1 end)
            end
            if type ~= "i64" then
                t.raises("does not fit", function() b[1] = limit[1] - 1 end)
            end
            t.raises("does not fit", function() b[1] = 0.5 end)
            t.raises("does not fit", function() b[1] = 0 / 0 end)
            t.raises("does not fit", function() b[1] = 1e300 end)
            b[3] = 7.0
            t.equal(b[3], 7)
        end
    end)

    test("floats", function(t)
        local b = cns.buffer("f64", {1, 2.5, -0.0, 1 / 0})
        t.same(b:table(), {1.0, 2.5, -0.0, 1 / 0})
        t.raises("does not fit", function() b[1] = math.maxinteger end)
        b[1] = 1 << 53
        t.equal(b[1], 2.0 ^ 53)
        local f = cns.buffer("f32", 1)
        f[1] = 0.1
        t.equal(f[1], string.unpack("f", string.pack("f", 0.1)))
        t.raises("does not fit", function() f[1] = (1 << 24) + 1 end)
        b[2] = 0 / 0
        t.ok(b[2] ~= b[2])
    end)

    test("wrong indices", function(t)
        local b = cns.buffer("i32", 3)
        for _, index in ipairs {0, -1, 4, math.maxinteger, math.mininteger} do
            t.raises("index %-?%d+ out of range 1..3", function() return b[index] end)
            t.raises("index %-?%d+ out of range 1..3", function() b[index] = 1 end)
        end
        for _, index in ipairs {1.5, 0 / 0, 1 / 0} do
            t.raises("is not an integer", function() return b[index] end)
            t.raises("is not an integer", function() b[index] = 1 end)
        end
        t.raises("must be an integer, got table", function() return b[{}] end)
        t.raises("must be an integer, got string", function() b.x = 1 end)
        t.raises("must be an integer, got string", function() b["1"] = 1 end)
        t.equal(b.nothing, nil)
        t.equal(b["1"], nil)
        t.equal(b[2.0], 0)
        t.raises("element must be a number, got string", function() b[1] = "1" end)
        t.raises("element must be a number, got nil", function() b[1] = nil end)
    end)

    test("a count of no sense is refused", function(t)
        t.raises("integer >= 0 expected, got %-1", cns.buffer, "f64", -1)
        t.raises("integer >= 0 expected", cns.buffer, "f64", 1.5)
        t.raises("integer >= 0 expected, got no value", cns.buffer, "f64")
        t.raises("integer >= 0 expected, got '5'", cns.buffer, "f64", "5")
        t.raises("type expected %(i8,", cns.buffer, "float", 5)
        t.raises("string expected, got nil", cns.buffer, nil, 5)
        t.raises("", cns.buffer, "f64", math.maxinteger)
        t.raises("", cns.buffer, "u8", math.maxinteger)
        t.raises("element 2: number expected, got string", cns.buffer, "f64", {1, "2"})
        t.raises("element 2: number expected, got nil", cns.buffer, "f64", {1, nil, 3, 4})
        t.equal(#cns.buffer("f64", 0), 0)
        t.equal(cns.buffer("f64", {}):bytes(), "")
    end)

    test("lists are read without metamethods", function(t)
        local hostile = setmetatable({}, {
            __index = function() error("called") end, __len = function() error("called") end,
        })
        t.equal(#cns.buffer("f64", hostile), 0)
    end)

    test("slices share", function(t)
        local b = cns.buffer("i32", {1, 2, 3, 4, 5})
        local s = b:slice(2, 4)
        t.same(s:table(), {2, 3, 4})
        s[1] = 20
        t.equal(b[2], 20)
        t.same(b:slice(4):table(), {4, 5})
        t.equal(#b:slice(6), 0)
        t.equal(#b:slice(3, 2), 0)
        t.raises("integer in 1..6 expected, got 0", b.slice, b, 0)
        t.raises("integer in 1..6 expected, got 7", b.slice, b, 7)
        t.raises("integer in 1..5 expected, got 6", b.slice, b, 2, 6)
        t.raises("integer in 2..5 expected", b.slice, b, 3, 1)
        b:close()
        t.equal(s[1], 20)
        t.raises("cns.buffer is closed", function() return b[1] end)
    end)

    test("split covers, disjointly", function(t)
        for count = 0, 17 do
            for parts = 1, 6 do
                local b = cns.buffer("i32", count)
                local total = 0
                for i, part in ipairs(b:split(parts)) do
                    total = total + #part
                    part:fill(i)
                end
                t.equal(total, count)
                for i = 1, count do
                    t.ok(b[i] >= 1 and (i == 1 or b[i] >= b[i - 1]))
                end
            end
        end
        local one = cns.buffer("u8", 1)
        t.raises("integer in 1..1048576 expected, got 0", one.split, one, 0)
    end)

    test("borrows", function(t)
        local b = cns.buffer("f64", 10)
        local r = b:slice(1, 5):borrow("read")
        t.equal(r:borrowed(), "read")
        t.equal(b:borrowed(), nil)
        t.equal(b[1], 0.0)
        t.raises(".", function() b[1] = 1 end)
        b[6] = 1
        t.raises(".", function() r[1] = 1 end)
        local w = b:slice(6, 10):borrow("write")
        w[1] = 2
        t.raises(".", function() return b[6] end)
        t.raises(".", b.borrow, b, "read")
        t.raises(".", b.bytes, b)
        t.raises(".", b.set_bytes, b, ("\0"):rep(80))
        t.raises(".", b.fill, b, 1)
        t.raises(".", cns.hash.blake3, b)
        r:close()
        w:close()
        b[1] = 3
        t.equal(b[6], 2.0)
        t.raises("invalid option 'both'", b.borrow, b, "both")
    end)

    test("fill, copy, bytes, table", function(t)
        local b = cns.buffer("i16", 6):fill(7)
        t.same(b:table(), {7, 7, 7, 7, 7, 7})
        t.same(b:copy({1, 2}, 3):table(), {7, 7, 1, 2, 7, 7})
        t.same(b:copy(b:slice(3, 4)):table(), {1, 2, 1, 2, 7, 7})
        t.same(b:copy(b:slice(1, 5), 2):table(), {1, 1, 2, 1, 2, 7})
        t.raises("2 elements do not fit at 6 of 6", b.copy, b, {1, 2}, 6)
        t.raises("7 elements do not fit at 1 of 6", b.copy, b, cns.buffer("i16", 7))
        t.raises(".", b.copy, b, cns.buffer("u16", 1))
        t.raises("cns.buffer or table expected, got string", b.copy, b, "abc")
        t.raises("does not fit", b.copy, b, {1e6})
        t.raises("does not fit", b.fill, b, 40000)
        b:set_bytes(string.pack("hh", -1, -2), 5)
        t.same(b:table(5), {-1, -2})
        t.same(b:table(2, 3), {1, 2})
        t.same(b:table(3, 2), {})
        t.raises("3 bytes are no whole number of i16 elements", b.set_bytes, b, "abc")
        t.raises("2 elements do not fit at 6 of 6", b.set_bytes, b, "abcd", 6)
        t.raises("integer in 1..7", b.table, b, 8)
    end)

    test("closing", function(t)
        local b = cns.buffer("f64", 3)
        t.equal(tostring(b), "cns.buffer f64[3]")
        b:close()
        b:close()
        t.equal(tostring(b), "cns.buffer (closed)")
        for _, method in ipairs {"type", "slice", "split", "borrow", "borrowed", "fill", "copy",
            "bytes", "set_bytes", "table"} do
            t.raises("cns.buffer is closed", b[method], b, 1)
        end
        t.raises("cns.buffer is closed", function() return #b end)
        t.raises("cns.buffer is closed", function() b[1] = 1 end)
        t.raises("cns.buffer is closed", cns.hash.blake3, b)
        t.raises("cns.buffer is closed", function() cns.buffer("f64", 3):copy(b) end)
        local kept
        do
            local c <close> = cns.buffer("u8", 1)
            kept = c
        end
        t.raises("closed", function() return kept[1] end)
    end)

    test("metatables are locked", function(t)
        local b = cns.buffer("f64", 3)
        t.equal(getmetatable(b), "locked")
        t.raises("table expected", setmetatable, b, {})
    end)

    test("methods refuse other objects", function(t)
        local b, map = cns.buffer("f64", 3), io.stdout
        for _, self in ipairs {map, {}, 1, "x", function() end} do
            t.raises("cns.buffer expected, got ", b.slice, self, 1)
            t.raises("cns.buffer expected, got ", b.close, self)
        end
        t.raises("cns.buffer expected, got no value", b.close)
    end)

    test("a finaliser may close what is in use", function(t)
        collectgarbage("generational")
        for _ = 1, 200 do
            local b = cns.buffer("f64", 100)
            for _ = 1, 20 do
                setmetatable({}, {__gc = function() b:close() end})
            end
            for _ = 1, 50 do
                local ok, message = pcall(function()
                    local parts = b:split(10)
                    return b:slice(1), b:table(), b:bytes(), b:borrow("read"), #parts
                end)
                t.ok(ok or message:find("closed"), message)
            end
        end
        collectgarbage("incremental")
    end)
end
