-- SPDX-License-Identifier: MIT
local cns = require "cns"
local hash = cns.hash

-- BLAKE3's test vectors hash bytes 0, 1, ... 250, 0, 1, ...
local function pattern(size)
    local bytes = {}
    for i = 0, size - 1 do
        bytes[#bytes + 1] = string.char(i % 251)
    end
    return table.concat(bytes)
end

return function(test)
    test("official digests", function(t)
        -- BLAKE3-team's test_vectors.json.
        t.equal(hash.blake3(""), "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
        t.equal(hash.blake3("abc"),
            "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85")
        t.equal(hash.blake3(pattern(1025)),
            "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444")
        t.equal(hash.blake3(pattern(1), {key = "whats the Elvish word for friend"}),
            "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b")
        t.equal(hash.blake3("", {derive = "BLAKE3 2019-12-27 16:29:52 test vectors context"}),
            "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d")
        -- RFC 7693, appendix A.
        t.equal(hash.blake2b("abc"),
            "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
            .. "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923")
        -- RFC 3720, B.4: 32 bytes of zeros; and the check value of the CRC catalogue.
        t.equal(hash.crc32c(("\0"):rep(32)), "8a9136aa")
        t.equal(hash.crc32c("123456789"), "e3069283")
        -- SipHash's vectors.h, first entry, in its byte order.
        local key = string.char(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)
        t.equal(hash.siphash24("", {key = key}), "310e0edd47db6f72")
        t.equal(#hash.siphash13("", {key = key}), 16)
        -- xxhsum's values of the empty input.
        t.equal(hash.xxh3_64(""), "2d06800538d394c2")
        t.equal(hash.xxh3_128(""), "99aa06d3014798d86001c324468d497f")
    end)

    test("every way gives the same bytes", function(t)
        local key16 = ("k"):rep(16)
        local data = pattern(5000)
        local path = os.tmpname()
        local file = assert(io.open(path, "wb"))
        file:write(data)
        file:close()
        for _, name in ipairs(hash.algorithms()) do
            local options = name:find("siphash") and {key = key16} or nil
            local expected = hash.digest(name, data, options)
            t.equal(hash[name:gsub("-", "_")](data, options), expected, name)
            t.equal(hash.batch(name, {data, "", data}, options)[3], expected, name)
            t.equal(hash.file(name, path, options), expected, name)
            t.equal(hash.digest(name, cns.buffer("u8", #data):set_bytes(data), options), expected)
            local hasher = hash.new(name, options)
            for i = 1, #data, 777 do
                hasher:update(data:sub(i, i + 776))
            end
            t.equal(hasher:digest(), expected, name)
            t.equal(hasher:clone():digest(), expected, name)
            t.equal(hasher:reset():update(data):digest(), expected, name)
            t.ok(tostring(hasher):find("cns.hasher " .. name, 1, true))
            local raw = {raw = true, key = options and key16}
            t.equal(hash.hex(hash.digest(name, data, raw)), expected, name)
            t.equal(hash.hex(hash.new(name, raw):update(data):digest()), expected, name)
        end
        os.remove(path)
    end)

    test("digest sizes", function(t)
        local long = hash.blake3("x", {size = 1000})
        t.equal(#long, 2000)
        t.equal(long:sub(1, 64), hash.blake3("x"))
        t.equal(hash.batch("blake3", {"x", "y"}, {size = 1000})[1], long)
        t.equal(hash.hex(hash.new("blake3"):update("x"):read(0, 1000)), long)
        t.equal(hash.hex(hash.new("blake3"):update("x"):read(900, 100)), long:sub(1801))
        t.equal(#hash.blake2b("x", {size = 8}), 16)
        t.ok(hash.blake2b("x", {size = 8}) ~= hash.blake2b("x"):sub(1, 16))
        t.raises(".", hash.blake2b, "x", {size = 65})
        t.raises("option 'size': integer in 1..1073741824 expected, got 0", hash.blake3, "x",
            {size = 0})
        t.raises(".", hash.crc32c, "x", {size = 8})
        t.raises(".", function() hash.new("blake2b"):read(0, 8) end)
        t.raises("integer in 0..1073741824", function() hash.new("blake3"):read(0, 1 << 40) end)
        t.raises("integer >= 0 expected", function() hash.new("blake3"):read(-1, 8) end)
        t.equal(hash.new("blake3"):read(0, 0), "")
    end)

    test("wrong parameters", function(t)
        t.raises("string or cns.buffer expected, got nil", hash.blake3, nil)
        t.raises("string or cns.buffer expected, got number", hash.blake3, 1)
        t.raises("string or cns.buffer expected, got no value", hash.blake3)
        t.raises("unknown option 'sizes' %(known: size, key, ", hash.blake3, "x", {sizes = 1})
        t.raises("unknown option 'number'", hash.blake3, "x", {1})
        t.raises("option 'key': string expected, got 1", hash.blake3, "x", {key = 1})
        t.raises("table expected, got string", hash.blake3, "x", "y")
        t.raises("option 'raw': boolean expected, got 1", hash.blake3, "x", {raw = 1})
        t.raises("key", hash.blake3, "x", {key = "short"})
        t.raises("key", hash.siphash24, "x")
        t.raises("key", hash.siphash24, "x", {key = "short"})
        t.raises("salt", hash.blake2b, "x", {salt = "short"})
        t.raises("personal", hash.blake2b, "x", {personal = ("x"):rep(17)})
        t.raises(".", hash.blake3, "x", {salt = ("x"):rep(16)})
        t.raises(".", hash.blake3, "x", {key = ("k"):rep(32), derive = "d"})
        t.raises("option 'tasks': cns.tasks.pool expected", hash.blake3, "x", {tasks = 1})
        local pool = cns.tasks.new {workers = 2}
        t.raises("a hasher takes no option 'tasks'", hash.new, "blake3", {tasks = pool})
        local big = ("x"):rep(1 << 21)
        t.equal(hash.blake3(big, {tasks = pool}), hash.blake3(big))
        t.equal(hash.batch("blake2b", {big, "b"}, {tasks = pool})[1], hash.blake2b(big))
        pool:close()
        t.raises("cns.tasks.pool is closed", hash.blake3, "x", {tasks = pool})
        t.raises("hash name expected %(blake3,.* got 'md5'", hash.digest, "md5", "x")
        t.raises("hash name expected", hash.new, "BLAKE3")
        t.raises("string expected, got nil", hash.new, nil)
        t.raises("message 2: string or open cns.buffer expected, got number", hash.batch,
            "blake3", {"a", 5})
        t.raises("table expected", hash.batch, "blake3", "abc")
        t.same(hash.batch("blake3", {}), {})
        t.raises("string or cns.buffer expected", function() hash.new("blake3"):update(1) end)
    end)

    test("files that cannot be read", function(t)
        t.raises("/nonexistent.*No such file", hash.file, "blake3", "/nonexistent")
        t.raises("/tmp", hash.file, "blake3", "/tmp")
        t.raises("a path has no zero bytes", hash.file, "blake3", "a\0b")
    end)

    test("closed hashers, wrong self", function(t)
        local hasher = hash.new("blake3")
        hasher:close()
        hasher:close()
        t.equal(tostring(hasher), "cns.hasher (closed)")
        for _, method in ipairs {"update", "digest", "read", "reset", "clone"} do
            t.raises("cns.hasher is closed", hasher[method], hasher, 0, 0)
            t.raises("cns.hasher expected, got table", hasher[method], {}, 0, 0)
        end
        t.equal(getmetatable(hasher), "locked")
    end)

    test("a finaliser may close what is hashed", function(t)
        for _ = 1, 200 do
            local b = cns.buffer("u8", 1000)
            local hasher = hash.new("blake3", {size = 300})
            for _ = 1, 20 do
                setmetatable({}, {__gc = function() b:close() hasher:close() end})
            end
            for _ = 1, 30 do
                local ok, message = pcall(function()
                    hash.blake3(b, {size = 500})
                    hash.batch("blake3", {b, b}, {size = 500})
                    hasher:update(b)
                    return hasher:digest(), hasher:read(0, 100), hasher:clone()
                end)
                t.ok(ok or message:find("closed") or message:find("open"), tostring(message))
            end
        end
    end)
end
