-- SPDX-License-Identifier: MIT
local cns = require "cns"
local yaml = cns.yaml

return function(test)
    test("scalars of the core schema", function(t)
        -- YAML 1.2.2, section 10.3.2.
        local cases = {
            ["null"] = yaml.null, ["~"] = yaml.null, ["NULL"] = yaml.null,
            ["true"] = true, ["False"] = false, ["TRUE"] = true, ["no"] = "no", ["yes"] = "yes",
            ["0"] = 0, ["-19"] = -19, ["+12"] = 12, ["0o7"] = 7, ["0x3A"] = 58, ["012"] = 12,
            ["0."] = 0.0, ["-0.0"] = -0.0, [".5"] = 0.5, ["+12e03"] = 12000.0, ["-2E+05"] = -2e5,
            [".inf"] = 1 / 0, ["-.Inf"] = -1 / 0, ["+.INF"] = 1 / 0,
            ["9223372036854775807"] = math.maxinteger, ["-9223372036854775808"] = math.mininteger,
            ["9223372036854775808"] = 2.0 ^ 63,
            ["1_000"] = "1_000", ["1:30"] = "1:30", ["0x"] = "0x", ["."] = ".", ["-"] = nil,
            ["1e"] = "1e", ["nUll"] = "nUll", ["0b1"] = "0b1", ["-0x1"] = "-0x1",
            ["'12'"] = "12", ['"true"'] = "true", ["!!str 12"] = "12", ["!!float 1"] = 1.0,
            ["!!int '3'"] = 3, ["! 12"] = "12", ["inf"] = "inf", ["nan"] = "nan", ["1e5"] = 1e5,
        }
        for text, expected in pairs(cases) do
            t.equal(yaml.decode(text), expected, text)
        end
        local nan = yaml.decode ".nan"
        t.ok(nan ~= nan)
        t.equal(yaml.decode "", nil)
        t.equal(yaml.decode "# only a comment", nil)
        t.equal(yaml.null, cns.json.null)
    end)

    test("collections", function(t)
        t.same(yaml.decode [[
a: 1
b:
  - x
  - {c: 2, 3: d, true: e}
  -
f: |
  two
  lines
g: &anchor [1, 2]
h: *anchor
]], {
            a = 1, b = {"x", {c = 2, [3] = "d", [true] = "e"}, yaml.null}, f = "two\nlines\n",
            g = {1, 2}, h = {1, 2},
        })
        local shared = yaml.decode "a: &x {k: 1}\nb: *x"
        t.equal(shared.a, shared.b)
        t.equal(cns.json.encode(yaml.decode "a: []\nb: {}"), '{"a":[],"b":{}}')
    end)

    test("errors carry the line", function(t)
        t.raises("yaml: line 2, column 1: the key 'a' is there twice", yaml.decode, "a: 1\na: 2")
        t.raises("yaml: line 2, column %d+: ", yaml.decode, "a: [1\nb: 2")
        t.raises("line 1, column 4: alias 'x' without", yaml.decode, "a: *x")
        t.raises("alias 'a' without a finished anchor", yaml.decode, "a: &a [*a]")
        t.raises("tag '!foo' is not of the core schema", yaml.decode, "!foo x")
        t.raises("tag '!foo' is not of the core schema", yaml.decode, "!foo [x]")
        t.raises("'x' is no value of its tag", yaml.decode, "!!int x")
        t.raises("line 2, column 1: one document expected", yaml.decode, "--- 1\n--- 2")
        t.raises("a key must be text, a number or a boolean", yaml.decode, "? [1]\n: 2")
        t.raises("a key must be text", yaml.decode, "~: 2")
        t.raises("NaN cannot be a key", yaml.decode, ".nan: 2")
        t.raises("byte 0: ", yaml.decode, "\xff")
        t.raises("nested deeper than 100", yaml.decode, ("["):rep(200) .. ("]"):rep(200))
        t.raises("string expected, got nil", yaml.decode, nil)
    end)

    test("a billion laughs are refused, quickly", function(t)
        local lines = {"a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"}
        for i = 1, 9 do
            lines[#lines + 1] = ("a%d: &a%d [%s]"):format(i, i,
                ("*a" .. i - 1 .. ","):rep(10):sub(1, -2))
        end
        t.raises("more than 1000000 values", yaml.decode, table.concat(lines, "\n"))
    end)

    test("JSON is YAML", function(t)
        local text = '{"a": [1, 2.5, "x\\n", null, true], "b": {"c": {}}}'
        t.same(yaml.decode(text), cns.json.decode(text))
    end)
end
