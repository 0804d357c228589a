-- SPDX-License-Identifier: MIT
local json = require("cns").json

return function(test)
    test("what is encoded", function(t)
        t.equal(json.encode(nil), "null")
        t.equal(json.encode(json.null), "null")
        t.equal(json.encode(true), "true")
        t.equal(json.encode(math.mininteger), "-9223372036854775808")
        t.equal(json.encode(1.0), "1.0")
        t.equal(json.encode(-0.0), "-0.0")
        t.equal(json.encode(0.1), "0.1")
        t.equal(json.encode(1 / 3), "0.3333333333333333")
        t.equal(json.encode(5e-324), "4.94065645841247e-324")
        t.equal(json.encode(1e300), "1e+300")
        t.equal(json.encode({}), "{}")
        t.equal(json.encode(json.array {}), "[]")
        t.equal(json.encode({1, {2}, "x"}), '[1,[2],"x"]')
        t.equal(json.encode({b = 1, a = 2, ["a\0"] = 3}), '{"a":2,"a\\u0000":3,"b":1}')
        t.equal(json.encode("\"\\/\b\f\n\r\t\1ü€😀"), [["\"\\/\b\f\n\r\t\u0001ü€😀"]])
        t.equal(json.encode({a = {1, {}}}, {indent = 2}),
            '{\n  "a": [\n    1,\n    {}\n  ]\n}')
    end)

    test("what is not", function(t)
        t.raises("%$: NaN has no JSON", json.encode, 0 / 0)
        t.raises("%$.a%[2%].b: an infinity has no JSON", json.encode, {a = {1, {b = 1 / 0}}})
        t.raises("%$.f: a function has no JSON", json.encode, {f = print})
        t.raises("%$: a map's keys must be strings, one is a number", json.encode, {[7] = 1})
        t.raises("%$.x: a map's keys must be strings, one is a ", json.encode, {x = {1, a = 2}})
        t.raises("%$: a map's keys must be strings", json.encode, {1, nil, 3, [100] = 1})
        t.raises("not UTF%-8", json.encode, "\xff")
        t.raises("not UTF%-8", json.encode, "\xed\xa0\x80")
        t.raises("not UTF%-8", json.encode, "\xc0\x80")
        t.raises("not UTF%-8", json.encode, {["\xf5"] = 1})
        t.raises("not UTF%-8", json.encode, "abc\xe2\x82")
        local cycle = {}
        cycle[1] = cycle
        t.raises("nested deeper than 200; a cycle%?", json.encode, cycle)
        t.raises("value expected", json.encode)
        t.raises("unknown option 'indents' %(known: indent%)", json.encode, 1, {indents = 1})
        t.raises("option 'indent': integer in 0..16 expected, got %-1", json.encode, 1,
            {indent = -1})
        t.raises("metatable already", json.array, setmetatable({}, {}))
        t.raises("table expected", json.array, 1)
        t.equal(json.encode(json.array(json.array {})), "[]")
    end)

    test("no metamethod runs", function(t)
        local trap = function() error("called") end
        local hostile = setmetatable({a = 1}, {
            __index = trap, __len = trap, __pairs = trap, __tostring = trap, __name = "x",
        })
        t.equal(json.encode(hostile), '{"a":1}')
    end)

    test("decoding", function(t)
        t.same(json.decode '[1, -2, 2.5, 1e2, "x", true, null]',
            {1, -2, 2.5, 100.0, "x", true, json.null})
        t.same(json.decode '{"a": {"b": []}}', {a = {b = {}}})
        t.equal(json.decode '"\\u00fc\\ud83d\\ude00\\u0000"', "ü😀\0")
        t.equal(json.decode " 1 ", 1)
        t.equal(json.encode(json.decode '{"a": [], "b": {}}'), '{"a":[],"b":{}}')
        t.raises("json: line 1, column 10: duplicate object key", json.decode, '{"a":1,"a":2}')
        t.raises("json: line 2, column %d+: ", json.decode, '[1,\n]')
        t.raises("json: line 1", json.decode, "")
        t.raises("json: line 1", json.decode, "[1] 2")
        t.raises("json: line 1", json.decode, "\"\xff\"")
        t.raises("too big integer", json.decode, "99999999999999999999")
        t.raises("overflow", json.decode, "1e999")
        t.raises("nested deeper than 200", json.decode, ("["):rep(500) .. ("]"):rep(500))
        t.raises(".", json.decode, ("["):rep(100000))
        t.raises("string expected, got nil", json.decode, nil)
        t.raises("string expected, got number", json.decode, 1)
    end)

    test("random values come back the same", function(t)
        math.randomseed(42)
        local function value(depth)
            local kind = math.random(depth > 4 and 5 or 7)
            if kind == 1 then return math.random(0) end
            if kind == 2 then
                return string.unpack("d", string.pack("I8", math.random(0) & ~(1 << 62)))
            end
            if kind == 3 then return math.random(2) == 1 end
            if kind == 4 then
                return utf8.char(math.random(0, 0xd7ff), math.random(0xe000, 0x10ffff))
            end
            if kind == 5 then return json.null end
            local result = {}
            for i = 1, math.random(0, 5) do
                result[kind == 6 and i or "k" .. i] = value(depth + 1)
            end
            return kind == 6 and json.array(result) or result
        end
        for _ = 1, 500 do
            local v = value(1)
            t.same(json.decode(json.encode(v)), v)
            t.same(json.decode(json.encode(v, {indent = 1})), v)
        end
    end)

    test("a finaliser may change what is encoded", function(t)
        for _ = 1, 100 do
            local value = {}
            for i = 1, 200 do
                value["key" .. i .. ("x"):rep(50)] = {("y"):rep(100)}
            end
            for _ = 1, 50 do
                setmetatable({}, {__gc = function()
                    for key in pairs(value) do
                        value[key] = nil
                    end
                end})
            end
            local ok, message = pcall(json.encode, value)
            t.ok(ok or message:find("changed") or message:find("next"), message)
        end
    end)
end
