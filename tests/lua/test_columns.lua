-- SPDX-License-Identifier: MIT
local cns = require "cns"

return function(test)
    test("rows are appended, read, changed, removed", function(t)
        local c <close> = cns.columns {{"x", "f64"}, {"hp", "i32"}}
        t.equal(c:append(1.5, 10), 1)
        t.equal(c:append(2.5), 2)
        t.equal(c:append(), 3)
        t.equal(c:append_rows(2), 4)
        t.equal(#c, 5)
        t.same({c:unpack(1)}, {1.5, 10})
        t.same({c:unpack(2)}, {2.5, 0})
        c:set(5, "hp", -7)
        t.equal(c:get(5, "hp"), -7)
        c:remove(1)
        t.same({c:unpack(1)}, {0.0, -7})
        t.equal(#c, 4)
        t.same(c:fields(), {{"x", "f64"}, {"hp", "i32"}})
        t.equal(c:stats().count, 4)
        t.equal(tostring(c), "cns.columns 4 rows of 2 fields")
        c:clear()
        t.equal(#c, 0)
    end)

    test("wrong rows, fields and values change nothing", function(t)
        local c = cns.columns {{"x", "f64"}, {"hp", "i8"}}
        c:append(1, 2)
        for _, row in ipairs {0, 2, -1, 1.5, 0 / 0, "1", math.maxinteger, math.mininteger} do
            t.raises("row in 1..1 expected, got ", c.get, c, row, "x")
            t.raises("row in 1..1 expected", c.set, c, row, "x", 1)
            t.raises("row in 1..1 expected", c.unpack, c, row)
            t.raises("row in 1..1 expected", c.remove, c, row)
        end
        t.raises("row in 1..1 expected, got nil", c.unpack, c)
        t.raises("no field 'y'", c.get, c, 1, "y")
        t.raises("no field 'y'", c.view, c, "y")
        t.raises("string expected", c.get, c, 1)
        t.raises("number expected, got string", c.set, c, 1, "x", "1")
        t.raises(".", c.set, c, 1, "hp", 128)
        t.raises("128 does not fit i8", c.append, c, 1, 128)
        t.raises("3 values for 2 fields", c.append, c, 1, 2, 3)
        t.raises("integer >= 0 expected, got %-1", c.append_rows, c, -1)
        t.raises(".", c.append_rows, c, math.maxinteger)
        t.raises(".", c.append_rows, c, 1 << 60)
        t.equal(#c, 1)
        t.same({c:unpack(1)}, {1.0, 2})
        c:close()
        c:close()
        t.equal(tostring(c), "cns.columns (closed)")
        for _, method in ipairs {"append", "append_rows", "get", "set", "unpack", "remove",
            "clear", "view", "fields", "stats"} do
            t.raises("cns.columns is closed", c[method], c, 1, "x", 1)
            t.raises("cns.columns expected, got", c[method], "self", 1, "x", 1)
        end
        t.equal(getmetatable(c), "locked")
    end)

    test("views share, and hold the table still", function(t)
        local c = cns.columns({{"x", "f64"}, {"n", "u16"}}, {capacity = 4})
        for i = 1, 4 do
            c:append(i, i * i)
        end
        local view = c:view("n")
        t.equal(tostring(view), "cns.buffer u16[4]")
        t.same(view:table(), {1, 4, 9, 16})
        view[2] = 5
        t.equal(c:get(2, "n"), 5)
        t.raises(".", c.append_rows, c, 100000)
        t.raises(".", c.remove, c, 1)
        t.raises(".", c.clear, c)
        local lent = view:borrow("write")
        t.raises(".", c.get, c, 1, "n")
        t.raises(".", c.set, c, 1, "n", 1)
        t.equal(c:get(1, "x"), 1.0)
        lent:close()
        view:close()
        c:append_rows(100000)
        local kept = c:view("x")
        c:close()
        t.equal(kept[4], 4.0)
    end)

    test("a finaliser may close what is in use", function(t)
        for _ = 1, 200 do
            local c = cns.columns {{"x", "f64"}, {"y", "f64"}}
            c:append_rows(10)
            for _ = 1, 20 do
                setmetatable({}, {__gc = function() c:close() end})
            end
            for _ = 1, 50 do
                local ok, message = pcall(function()
                    return c:fields(), c:view("x"), c:stats(), c:append(1, 2), {c:unpack(1)}
                end)
                t.ok(ok or message:find("closed") or message:find("view"), tostring(message))
            end
        end
    end)
end
