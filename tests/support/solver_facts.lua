-- SPDX-License-Identifier: MIT
--
-- solver_facts.lua - writes tests/conformance/solver_facts.txt: which assignments satisfy a
-- constraint, as MiniZinc's standard library decomposes it and Gecode solves the result.
-- usage: lua5.4 tests/support/solver_facts.lua >tests/conformance/solver_facts.txt
-- Needs minizinc and fzn-gecode; a minute. The tests read the file only.

local cases = {}

-- One constraint: its kind, the bounds of its variables, its arguments (numbers of variables from
-- 0, ~b as a negative number; integers), the same in MiniZinc, where variable k is written $k.
local function case(kind, bounds, arguments, text, condition)
    cases[#cases + 1] = {kind = kind, bounds = bounds, arguments = arguments, text = text,
        condition = condition}
end

local function repeated(count, low, high)
    local bounds = {}
    for k = 1, count do
        bounds[k] = {low, high}
    end
    return bounds
end

local function joined(...)
    local all = {}
    for _, list in ipairs {...} do
        table.move(list, 1, #list, #all + 1, all)
    end
    return all
end

local IF, IFF = 1, 2
local bool, bools = {0, 1}, repeated(4, 0, 1)

-- Clauses and sums.
case("clause", bools, {v0 = {0, 1, ~2}}, "$0=1 \\/ $1=1 \\/ $2=0")
case("clause", bools, {v0 = {0, ~1}}, "$0=1 \\/ $1=0", {IFF, 3})
case("clause", bools, {v0 = {0, 1}}, "$0=1 \\/ $1=1", {IF, ~3})
case("xor", bools, {v0 = {0, 1, ~2}}, "xorall([$0=1, $1=1, $2=0])")
case("xor", bools, {v0 = {0, 1, 2}}, "xorall([$0=1, $1=1, $2=1])", {IFF, 3})
local three = repeated(3, -2, 3)
case("linear_eq", three, {v0 = {0, 1, 2}, i0 = {2, -3, 1}, i1 = {4}}, "2*$0 - 3*$1 + $2 = 4")
case("linear_ne", three, {v0 = {0, 1, 2}, i0 = {2, -3, 1}, i1 = {4}}, "2*$0 - 3*$1 + $2 != 4")
case("linear_le", three, {v0 = {0, 1, 2}, i0 = {2, -3, 1}, i1 = {-1}}, "2*$0 - 3*$1 + $2 <= -1")
case("linear_eq", joined(repeated(2, -2, 3), {bool}), {v0 = {0, 1, ~2}, i0 = {1, 1, 2}, i1 = {1}},
    "$0 + $1 + 2*(1-$2) = 1")
case("linear_le", joined(repeated(2, -2, 3), {bool}), {v0 = {0, 1}, i0 = {1, 1}, i1 = {1}},
    "$0 + $1 <= 1", {IFF, 2})
case("linear_ne", joined(repeated(2, -2, 3), {bool}), {v0 = {0, 1}, i0 = {1, 1}, i1 = {1}},
    "$0 + $1 != 1", {IF, 2})
case("in", {{-3, 9}, bool}, {v0 = {0}, i0 = {-2, -2, 0, 3, 6, 7}},
    "$0 in {-2,0,1,2,3,6,7}", {IFF, 1})
case("sum_of_products", repeated(4, -1, 2), {v0 = {0, 1}, v1 = {1, 2}, v2 = {3}, i0 = {2, -1}},
    "2*$0*$1 - $1*$2 = $3")
case("sum_of_products", repeated(5, -1, 2), {v0 = {0, 1}, v1 = {2, 3}, v2 = {4}},
    "$0*$2 + $1*$3 = $4")

-- Arithmetic, where it is partial with all conditions.
local ternary = {{-4, 4}, {-3, 3}, {-4, 4}}
for kind, text in pairs {times = "$0 * $1 = $2", div = "$0 div $1 = $2", mod = "$0 mod $1 = $2"} do
    case(kind, ternary, {v0 = {0, 1, 2}}, text)
    case(kind, joined(ternary, {bool}), {v0 = {0, 1, 2}}, text, {IFF, 3})
    case(kind, joined(ternary, {bool}), {v0 = {0, 1, 2}}, text, {IF, 3})
end
-- Gecode has no powers of variables: MiniZinc tabulates them. Negative ones by the definition in
-- stdlib_math.mzn, which pow itself does not keep to in 2.6 (it gives 0 for -1 to the power of -1).
local power = "exists(a in -3..3, b in -3..4 where a != 0 \\/ b >= 0)($0 = a /\\ $1 = b /\\ " ..
    "$2 = if b < 0 then 1 div pow(a, -b) else pow(a, b) endif)"
case("pow", {{-3, 3}, {-3, 4}, {-9, 9}}, {v0 = {0, 1, 2}}, power)
case("pow", {{-2, 2}, {-2, 3}, {-4, 4}, bool}, {v0 = {0, 1, 2}}, power, {IFF, 3})
case("abs", {{-4, 3}, {-1, 4}, bool}, {v0 = {0, 1}}, "abs($0) = $1", {IFF, 2})
case("min", repeated(4, -1, 3), {v0 = {0, 1, 2}, v1 = {3}}, "min([$0,$1,$2]) = $3")
case("max", repeated(4, -1, 3), {v0 = {0, 1, 2}, v1 = {3}}, "max([$0,$1,$2]) = $3")
case("max", joined(repeated(3, -1, 2), {bool}), {v0 = {0, 1}, v1 = {2}},
    "max([$0,$1]) = $2", {IFF, 3})
case("element", {{-1, 3}, {0, 5}}, {v0 = {0, 1}, i0 = {0}, i1 = {3, 5, 3}},
    "array1d(0..2, [3,5,3])[$0] = $1")
case("element", joined({{0, 4}}, repeated(4, 0, 2)), {v0 = {0, 1}, v1 = {2, 3, 4}},
    "[$2,$3,$4][$0] = $1")
case("element", joined({{0, 3}}, repeated(3, 0, 2), {bool}), {v0 = {0, 1}, v1 = {2, 3}},
    "[$2,$3][$0] = $1", {IFF, 4})
case("element", joined({{0, 3}}, repeated(3, 0, 2), {bool}), {v0 = {0, 1}, v1 = {2, 3}},
    "[$2,$3][$0] = $1", {IF, 4})

-- Which values occur.
local five = repeated(5, 0, 3)
case("alldifferent", repeated(4, 0, 4), {v0 = {0, 1, 2, 3}}, "alldifferent([$0,$1,$2,$3])")
case("alldifferent", repeated(4, 0, 4), {v0 = {0, 1, 2, 3}, i0 = {0, 3}},
    "alldifferent_except([$0,$1,$2,$3], {0,3})")
case("global_cardinality", five, {v0 = {0, 1, 2}, i0 = {1, 3}, v1 = {3, 4}},
    "global_cardinality([$0,$1,$2], [1,3], [$3,$4])")
case("global_cardinality", five, {v0 = {0, 1, 2}, i0 = {1, 3}, v1 = {3, 4}, i1 = {1}},
    "global_cardinality_closed([$0,$1,$2], [1,3], [$3,$4])")
for relation, name in pairs {[0] = "eq", "neq", "geq", "leq", "gt", "lt"} do
    -- MiniZinc puts the number first: count_leq says n <= count.
    case("count", five, {v0 = {0, 1, 2}, v1 = {3}, v2 = {4}, i0 = {relation}},
        ("count_%s([$0,$1,$2], $3, $4)"):format(name))
end
case("among", repeated(4, 0, 4), {v0 = {0, 1, 2}, i0 = {1, 4}, v1 = {3}},
    "among($3, [$0,$1,$2], {1,4})")
case("nvalue", repeated(4, 0, 3), {v0 = {0, 1, 2}, v1 = {3}}, "nvalue($3, [$0,$1,$2])")
case("all_equal", joined(repeated(3, 0, 3), {bool}), {v0 = {0, 1, 2}}, "all_equal([$0,$1,$2])",
    {IFF, 3})
case("member", joined(repeated(3, 0, 3), {bool}), {v0 = {0, 1}, v1 = {2}}, "member([$0,$1], $2)",
    {IFF, 3})
case("sort", repeated(6, 0, 2), {v0 = {0, 1, 2}, v1 = {3, 4, 5}}, "sort([$0,$1,$2], [$3,$4,$5])")
case("arg_sort", joined(repeated(3, 0, 2), repeated(3, 0, 3)), {v0 = {0, 1, 2}, v1 = {3, 4, 5}},
    "arg_sort([$0,$1,$2], [$3,$4,$5])")
case("precede", repeated(5, 0, 3), {v0 = {0, 1, 2, 3, 4}, i0 = {2, 1, 3}},
    "value_precede_chain([2,1,3], [$0,$1,$2,$3,$4])")

-- Tasks, boxes, bins.
case("cumulative", joined(repeated(3, 0, 3), {{0, 2}}, repeated(2, 0, 2)),
    {v0 = {0, 1, 2}, v1 = {3, 4, 3}, v2 = {5, 4, 5}, v3 = {4}},
    "cumulative([$0,$1,$2], [$3,$4,$3], [$5,$4,$5], $4)")
case("cumulative", joined(repeated(2, -1, 2), repeated(4, 0, 2)),
    {v0 = {0, 1}, v1 = {2, 3}, v2 = {4, 5}, v3 = {5}},
    "cumulative([$0,$1], [$2,$3], [$4,$5], $5)")
local tasks = joined(repeated(3, 0, 3), repeated(2, 0, 2))
case("disjunctive", tasks, {v0 = {0, 1, 2}, v1 = {3, 4, 3}},
    "disjunctive([$0,$1,$2], [$3,$4,$3])")
case("disjunctive", tasks, {v0 = {0, 1, 2}, v1 = {3, 4, 3}, i0 = {1}},
    "disjunctive_strict([$0,$1,$2], [$3,$4,$3])")
for strict, name in pairs {[0] = "disjunctive", "disjunctive_strict"} do
    case("disjunctive", joined(repeated(4, 0, 2), repeated(3, 0, 1)),
        {v0 = {0, 1, 0}, v1 = {2, 3, 3}, v2 = {4, ~5, 6}, i0 = {strict}}, ([[
        let { array[1..3] of var opt 0..2: s; array[1..3] of var int: t = [$0,$1,$0];
            array[1..3] of var bool: p = [$4=1, $5=0, $6=1] } in
        forall(k in 1..3)((occurs(s[k]) <-> p[k]) /\ (p[k] -> deopt(s[k]) = t[k])) /\
        %s(s, [$2,$3,$3])]]):format(name))
end
for strict, name in pairs {[0] = "diffn_nonstrict", "diffn"} do
    case("diffn", repeated(7, 0, 2),
        {v0 = {0, 1}, v1 = {2, 3}, v2 = {4, 5}, v3 = {6, 4}, i0 = {strict}},
        name .. "([$0,$1], [$2,$3], [$4,$5], [$6,$4])")
end
case("bin_packing", joined(repeated(3, 0, 3), repeated(2, 0, 4)),
    {v0 = {0, 1, 2}, i0 = {1, 2, 2}, v1 = {3, 4}},
    "bin_packing_load([$3,$4], [$0,$1,$2], [1,2,2])")
case("knapsack", joined(repeated(3, 0, 2), repeated(2, 0, 6)),
    {v0 = {0, 1, 2}, i0 = {1, 2, 0}, i1 = {2, 0, 1}, v1 = {3, 4}},
    "knapsack([1,2,0], [2,0,1], [$0,$1,$2], $3, $4)")

-- Graphs.
case("circuit", repeated(4, 1, 4), {v0 = {0, 1, 2, 3}}, "circuit([$0,$1,$2,$3])")
case("circuit", repeated(4, 0, 3), {v0 = {0, 1, 2, 3}, i0 = {0}},
    "circuit(array1d(0..3, [$0,$1,$2,$3]))")
case("subcircuit", repeated(4, 1, 4), {v0 = {0, 1, 2, 3}}, "subcircuit([$0,$1,$2,$3])")
case("inverse", repeated(6, 1, 3), {v0 = {0, 1, 2}, v1 = {3, 4, 5}},
    "inverse([$0,$1,$2], [$3,$4,$5])")
case("inverse", joined(repeated(3, -1, 2), repeated(3, 1, 4)),
    {v0 = {0, 1, 2}, v1 = {3, 4, 5}, i0 = {2, 0}},
    "inverse(array1d(2..4, [$0,$1,$2]), array1d(0..2, [$3,$4,$5]))")

-- Sequences.
case("table", repeated(3, 0, 3), {v0 = {0, 1, 2}, i0 = {0, 1, 2, 3, 3, 0, 1, 1, 1, 0, 1, 3}},
    "table([$0,$1,$2], [| 0,1,2 | 3,3,0 | 1,1,1 | 0,1,3 |])")
case("regular", repeated(4, 0, 3),
    {v0 = {0, 1, 2, 3}, i0 = {3, 2, 1}, i1 = {1, 2, 3, 2, 0, 1}, i2 = {2, 3}},
    "regular([$0,$1,$2,$3], 3, 2, [| 1,2 | 3,2 | 0,1 |], 1, {2,3})")
case("mdd", repeated(3, 0, 3),
    {v0 = {0, 1, 2}, i0 = {4}, i1 = {1, 0, 1, 2, 1, 2, 2, 3, 2, 0, 3, 4, 3, 1, 1, 4, 4, 2, 3, 0}},
    "mdd([$0,$1,$2], 4, [1,2,2,3], 5, [1,1,2,3,4], [0..1,2..2,0..3,1..1,2..3], [2,3,4,4,0])")
case("lex_le", joined(repeated(5, 0, 2), {bool}), {v0 = {0, 1, 2}, v1 = {3, 4}},
    "lex_lesseq([$0,$1,$2], [$3,$4])")
case("lex_le", repeated(5, 0, 2), {v0 = {0, 1}, v1 = {2, 3, 4}}, "lex_lesseq([$0,$1], [$2,$3,$4])")
case("lex_lt", repeated(5, 0, 2), {v0 = {0, 1, 2}, v1 = {3, 4}}, "lex_less([$0,$1,$2], [$3,$4])")
case("lex_lt", joined(repeated(4, 0, 2), {bool}), {v0 = {0, 1}, v1 = {2, 3}},
    "lex_less([$0,$1], [$2,$3])", {IFF, 4})
case("increasing", repeated(4, 0, 3), {v0 = {0, 1, 2, 3}}, "increasing([$0,$1,$2,$3])")
case("increasing", joined(repeated(3, 0, 3), {bool}), {v0 = {0, 1, 2}, i0 = {1}},
    "strictly_increasing([$0,$1,$2])", {IFF, 3})
case("arg_max", joined(repeated(3, 0, 2), {{0, 4}}), {v0 = {0, 1, 2}, v1 = {3}},
    "arg_max([$0,$1,$2]) = $3")
case("arg_min", joined(repeated(3, 0, 2), {{-2, 3}}), {v0 = {0, 1, 2}, v1 = {3}, i0 = {-1}},
    "arg_min(array1d(-1..1, [$0,$1,$2])) = $3")

-- ---- solving and writing -----------------------------------------------------------------------

local function model_of(c)
    local lines, names = {'include "globals.mzn";'}, {}
    for k, bounds in ipairs(c.bounds) do
        names[k] = "x" .. k - 1
        lines[#lines + 1] = ("var %d..%d: %s;"):format(bounds[1], bounds[2], names[k])
    end
    local text = c.text:gsub("%$(%d+)", "x%1")
    if c.condition then
        local literal = c.condition[2]
        local holds = literal >= 0 and ("x%d = 1"):format(literal) or ("x%d = 0"):format(~literal)
        text = ("(%s) %s (%s)"):format(holds, c.condition[1] == IFF and "<->" or "->", text)
    end
    lines[#lines + 1] = ("constraint %s;"):format(text)
    lines[#lines + 1] = ('output [show([%s]), "\\n"];'):format(table.concat(names, ","))
    return table.concat(lines, "\n")
end

-- The number of an assignment in lexicographic order, the first variable slowest.
local function rank(c, values)
    local number = 0
    for k, bounds in ipairs(c.bounds) do
        number = number * (bounds[2] - bounds[1] + 1) + values[k] - bounds[1]
    end
    return number
end

local function solutions_of(c)
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write(model_of(c))
    file:close()
    local pipe = assert(io.popen(("minizinc --solver gecode -G std -a --input-from-stdin <%s 2>&1")
        :format(path)))
    local found, complete = {}, false
    for line in pipe:lines() do
        if line:find("^%[") then
            local values = {}
            for number in line:gmatch("%-?%d+") do
                values[#values + 1] = math.tointeger(number)
            end
            found[rank(c, values)] = true
        elseif line == "==========" or line == "=====UNSATISFIABLE=====" then
            complete = true
        elseif line ~= "----------" and line ~= "" and not line:find("arning") then
            io.stderr:write(c.kind, ": ", line, "\n")
        end
    end
    pipe:close()
    os.remove(path)
    assert(complete, "no complete answer: " .. c.kind .. ": " .. model_of(c))
    return found
end

local function write_holds(c, found)
    local count, digits = 1, {}
    for _, bounds in ipairs(c.bounds) do
        count = count * (bounds[2] - bounds[1] + 1)
    end
    for first = 0, count - 1, 4 do
        local digit = 0
        for k = first, first + 3 do
            digit = digit * 2 + (found[k] and 1 or 0)
        end
        digits[#digits + 1] = ("%x"):format(digit)
    end
    local text = table.concat(digits)
    for from = 1, #text, 90 do
        print("holds " .. text:sub(from, from + 89))
    end
end

print("# Which assignments satisfy a constraint; written by tests/support/solver_facts.lua.")
print("# kind; bounds: low and high of each variable; v0..v3, i0..i3: arguments; condition: a")
print("# cns_reification and its literal; holds: a bit for each assignment in lexicographic order,")
print("# the first variable slowest, four to a hexadecimal digit, the highest bit first.")
table.sort(cases, function(a, b)
    return a.kind < b.kind or a.kind == b.kind and model_of(a) < model_of(b)
end)
for _, c in ipairs(cases) do
    local found = solutions_of(c)
    print("\nkind " .. c.kind)
    local bounds = {}
    for k, pair in ipairs(c.bounds) do
        bounds[k] = pair[1] .. " " .. pair[2]
    end
    print("bounds " .. table.concat(bounds, " "))
    for _, name in ipairs {"v0", "v1", "v2", "v3", "i0", "i1", "i2"} do
        if c.arguments[name] then
            print(name .. " " .. table.concat(c.arguments[name], " "))
        end
    end
    if c.condition then
        print("condition " .. table.concat(c.condition, " "))
    end
    write_holds(c, found)
end
