-- SPDX-License-Identifier: MIT
local cns = require "cns"

local all_types = {"i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "f32", "f64"}

return function(test)
    test("slots hold their fields", function(t)
        local pool <close> = cns.pool {{"x", "f64"}, {"flag", "u8"}, {"hp", "i32"}}
        local a = pool:new(1.5, 2, -3)
        local b = pool:new()
        t.same({pool:unpack(a)}, {1.5, 2, -3})
        t.same({pool:unpack(b)}, {0.0, 0, 0})
        pool:set(b, "hp", 7)
        t.equal(pool:get(b, "hp"), 7)
        t.equal(pool:get(a, "hp"), -3)
        t.equal(#pool, 2)
        t.equal(pool:stats().count, 2)
        t.equal(pool:stats().slot_size, 16)
        t.equal(tostring(pool), "cns.pool 2 slots of 16 bytes")
        pool:free(a)
        t.equal(pool:valid(a), false)
        t.equal(pool:valid(b), true)
        for _, stale in ipairs {a, 0, -1, math.maxinteger, math.mininteger, b + (1 << 32)} do
            t.raises("stale handle", pool.get, pool, stale, "x")
            t.raises("stale handle", pool.set, pool, stale, "x", 1)
            t.raises("stale handle", pool.unpack, pool, stale)
            t.raises("stale handle", pool.free, pool, stale)
            t.equal(pool:valid(stale), false)
        end
        local c = pool:new(9)
        t.ok(c ~= a, "a slot that is used again has another handle")
        t.same({pool:unpack(c)}, {9.0, 0, 0})
    end)

    test("every type at its limits", function(t)
        for _, type in ipairs(all_types) do
            local pool <close> = cns.pool {{"pad", "u8"}, {"v", type}}
            local kind, bits = type:match("(%a)(%d+)")
            local h = pool:new()
            bits = math.tointeger(bits)
            if kind == "f" then
                pool:set(h, "v", 0.5)
                t.equal(pool:get(h, "v"), 0.5)
                t.raises("does not fit " .. type, pool.set, pool, h, "v", math.maxinteger)
            else
                local low = kind == "u" and 0 or -1 << (bits - 1)
                local high = bits == 64 and math.maxinteger
                    or (1 << (kind == "u" and bits or bits - 1)) - 1
                for _, value in ipairs {low, high} do
                    pool:set(h, "v", value)
                    t.equal(pool:get(h, "v"), value)
                end
                t.equal(pool:get(h, "pad"), 0)
                if bits ~= 64 then
                    t.raises("does not fit " .. type, pool.set, pool, h, "v", high + 1)
                end
                if type ~= "i64" then
                    t.raises("does not fit " .. type, pool.set, pool, h, "v", low - 1)
                end
                t.raises("does not fit " .. type, pool.set, pool, h, "v", 0.5)
                t.raises("does not fit " .. type, pool.set, pool, h, "v", 0 / 0)
                t.raises("does not fit " .. type, pool.set, pool, h, "v", 2.0 ^ 64)
            end
        end
        local pool <close> = cns.pool {{"v", "u64"}}
        local h = pool:new(2.0 ^ 63)
        t.raises("does not fit a Lua integer", pool.get, pool, h, "v")
    end)

    test("wrong use leaves nothing behind", function(t)
        local pool = cns.pool({{"x", "i8"}, {"y", "f64"}}, {capacity = 2})
        t.raises("300 does not fit i8", pool.new, pool, 300)
        t.raises("number expected, got string", pool.new, pool, 1, "2")
        t.raises("3 values for 2 fields", pool.new, pool, 1, 2, 3)
        t.equal(#pool, 0)
        local h = pool:new(1, 2)
        t.raises("no field 'z'", pool.get, pool, h, "z")
        t.raises("string expected, got number", pool.get, pool, h, 1)
        t.raises("integer .* expected, got 1.5", pool.get, pool, 1.5, "x")
        t.raises("integer .* expected, got no value", pool.unpack, pool)
        t.raises("number expected, got no value", pool.set, pool, h, "x")
        pool:new()
        t.raises(".", pool.new, pool)
        t.equal(#pool, 2)
        pool:close()
        pool:close()
        t.equal(tostring(pool), "cns.pool (closed)")
        for _, method in ipairs {"new", "get", "set", "unpack", "free", "valid", "handles",
            "stats"} do
            t.raises("cns.pool is closed", pool[method], pool, h, "x", 1)
            t.raises("cns.pool expected, got table", pool[method], {}, h, "x", 1)
        end
        t.raises("cns.pool is closed", function() return #pool end)
        t.equal(getmetatable(pool), "locked")
    end)

    test("wrong fields", function(t)
        local many = {}
        for i = 1, 257 do
            many[i] = {"f" .. i, "f64"}
        end
        for _, create in ipairs {cns.pool, cns.columns} do
            t.raises("table expected, got n", create)
            t.raises("a list of 1 to 256 fields", create, {})
            t.raises("a list of 1 to 256 fields", create, many)
            t.raises("field 1: {name, type} expected", create, {"x"})
            t.raises("field 2: {name, type} expected", create, {{"x", "f64"}, {"y"}})
            t.raises("field 1: unknown type 'float'", create, {{"x", "float"}})
            t.raises("field 2: the name 'x' is there twice", create, {{"x", "f64"}, {"x", "i8"}})
            t.raises("a name has 1 to 63 bytes", create, {{"", "f64"}})
            t.raises("a name has 1 to 63 bytes", create, {{("x"):rep(64), "f64"}})
            t.raises("a name has 1 to 63 bytes", create, {{"a\0b", "f64"}})
            t.raises("unknown option 'rows'", create, {{"x", "f64"}}, {rows = 1})
            t.raises("option 'capacity': integer", create, {{"x", "f64"}}, {capacity = -1})
            many[257] = nil
            create(many):close()
            many[257] = {"f257", "f64"}
        end
    end)

    test("handles, freed on the way", function(t)
        local pool <close> = cns.pool {{"x", "i32"}}
        for i = 1, 1000 do
            pool:new(i)
        end
        local seen = 0
        for handle in pool:handles() do
            seen = seen + 1
            if pool:get(handle, "x") % 2 == 0 then
                pool:free(handle)
            end
        end
        t.equal(seen, 1000)
        t.equal(#pool, 500)
        seen = 0
        for handle in pool:handles() do
            t.equal(pool:get(handle, "x") % 2, 1)
            seen = seen + 1
        end
        t.equal(seen, 500)
        local next_handle = pool:handles()
        pool:close()
        t.raises("cns.pool is closed", next_handle)
    end)
end
