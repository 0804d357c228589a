-- SPDX-License-Identifier: MIT
local cns = require "cns"

return function(test)
    test("integers to integers", function(t)
        local m = cns.map {key = "u64"}
        t.equal(m:set(1, 10), true)
        t.equal(m:set(1, 11), false)
        t.equal(m:get(1), 11)
        t.equal(m:get(2), nil)
        t.equal(m:set(-1, -5), true)
        t.equal(m:get(-1), -5)
        t.equal(m:set(math.mininteger, math.maxinteger), true)
        t.equal(m:get(math.mininteger), math.maxinteger)
        t.equal(m:get(1.0), 11)
        t.equal(#m, 3)
        t.equal(m:has(2), false)
        t.equal(m:remove(1), true)
        t.equal(m:remove(1), false)
        t.equal(m:stats().count, 2)
        t.equal(tostring(m), "cns.map 2 entries")
        m:clear()
        t.equal(#m, 0)
    end)

    test("values of every kind", function(t)
        local f = cns.map {key = "string", value = "f64"}
        f:set("a\0b", 2.5)
        f:set("", 1)
        t.equal(f:get("a\0b"), 2.5)
        t.equal(f:get(""), 1.0)
        t.equal(f:get("a"), nil)
        local s = cns.map {key = "string", value = "none"}
        t.equal(s:set("x"), true)
        t.equal(s:set("x"), false)
        t.equal(s:get("x"), true)
        t.raises("a set takes no value", s.set, s, "x", 1)
        local slots = cns.map {key = "u64", value = 5}
        slots:set(1, "abcde")
        t.equal(slots:get(1), "abcde")
        t.raises("5 bytes expected, got 4", slots.set, slots, 2, "abcd")
        t.equal(slots:has(2), false)
        local wide = cns.map {key = "string", value = 4096}
        wide:set("k", ("x"):rep(4096))
        for key, value in wide:pairs() do
            t.equal(key, "k")
            t.equal(value, ("x"):rep(4096))
        end
    end)

    test("wrong keys, values and options", function(t)
        local m = cns.map {key = "u64"}
        t.raises("integer >= %-9223372036854775808 expected, got 1.5", m.get, m, 1.5)
        t.raises("expected, got 'x'", m.get, m, "x")
        t.raises("expected, got nil", m.set, m, 1, nil)
        t.raises("expected, got no value", m.set, m, 1)
        t.equal(#m, 0)
        local s = cns.map {key = "string", value = "f64"}
        t.raises("string expected, got number", s.get, s, 1)
        t.raises("number expected, got string", s.set, s, "a", "1")
        t.equal(#s, 0)
        t.raises("table expected, got no value", cns.map)
        t.raises("option 'key' %(\"u64\" or \"string\"%) is missing", cns.map, {})
        t.raises("option 'key': \"u64\" or \"string\" expected, got 'i64'", cns.map, {key = "i64"})
        t.raises("option 'value': .* expected, got 'f32'", cns.map, {key = "u64", value = "f32"})
        t.raises("option 'value': .* expected, got boolean", cns.map, {key = "u64", value = true})
        t.raises("option 'value': integer in 1..4096 expected, got 0", cns.map,
            {key = "u64", value = 0})
        t.raises("option 'capacity': integer >= 0 expected, got %-1", cns.map,
            {key = "u64", capacity = -1})
        t.raises(".", cns.map, {key = "u64", capacity = math.maxinteger})
        t.raises("unknown option 'keys'", cns.map, {keys = "u64"})
    end)

    test("iteration is stable, and changing keys meanwhile raises", function(t)
        local m = cns.map {key = "u64", seed = 7}
        for i = 1, 100 do
            m:set(i, i * i)
        end
        local first, second = {}, {}
        for key, value in m:pairs() do
            t.equal(value, key * key)
            first[#first + 1] = key
            m:set(key, value) -- a value may change
        end
        for key in m:pairs() do
            second[#second + 1] = key
        end
        t.same(second, first)
        t.equal(#first, 100)
        t.raises("changed during its iteration", function()
            for key in m:pairs() do
                m:remove(key)
            end
        end)
        t.raises("cns.map is closed", function()
            for _ in m:pairs() do
                m:close()
            end
        end)
    end)

    test("as a table does, on random operations", function(t)
        math.randomseed(11)
        local m, model, count = cns.map {key = "string"}, {}, 0
        for _ = 1, 20000 do
            local key = "k" .. math.random(500)
            local what = math.random(3)
            if what == 1 then
                local value = math.random(0)
                t.equal(m:set(key, value), model[key] == nil)
                count = count + (model[key] and 0 or 1)
                model[key] = value
            elseif what == 2 then
                t.equal(m:remove(key), model[key] ~= nil)
                count = count - (model[key] and 1 or 0)
                model[key] = nil
            else
                t.equal(m:get(key), model[key])
            end
            t.equal(#m, count)
        end
        local seen = {}
        for key, value in m:pairs() do
            seen[key] = value
        end
        t.same(seen, model)
    end)

    test("closing", function(t)
        local m = cns.map {key = "u64"}
        m:set(1, 1)
        m:close()
        m:close()
        t.equal(tostring(m), "cns.map (closed)")
        for _, method in ipairs {"get", "set", "has", "remove", "pairs", "clear", "stats"} do
            t.raises("cns.map is closed", m[method], m, 1, 1)
            t.raises("cns.map expected, got", m[method], io.stdout, 1, 1)
        end
        t.raises("cns.map is closed", function() return #m end)
        t.equal(getmetatable(m), "locked")
    end)

    test("a finaliser may change what is iterated", function(t)
        for _ = 1, 100 do
            local m = cns.map {key = "string", value = 300}
            for i = 1, 100 do
                m:set(("key"):rep(30) .. i, ("v"):rep(300))
            end
            for _ = 1, 20 do
                setmetatable({}, {__gc = function() m:clear() end})
            end
            local ok, message = pcall(function()
                for key, value in m:pairs() do
                    t.equal(#value, 300)
                    t.ok(#key > 90)
                end
            end)
            t.ok(ok or message:find("changed"), tostring(message))
        end
    end)
end
