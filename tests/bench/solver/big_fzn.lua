-- SPDX-License-Identifier: MIT
--
-- big_fzn.lua - FlatZinc of a given size for the parse row: integer and Boolean variables, arrays
-- of parameters and of variables, and constraints that every solver knows. x1 >= x2 >= ... and
-- b1 >= b2 >= ..., and all else follows from them: once search takes 0 for x1 and false for b1, the
-- solution is there, so the time is that of reading, posting and propagating.

local random_of = require "random".of

local big_fzn = {}

local variables = 20000 -- of x and of b each

local function names(random, prefix, count)
    local list = {}
    for i = 1, count do list[i] = prefix .. random(1, variables) end
    return "[" .. table.concat(list, ",") .. "]"
end

local function numbers(random, count, low, high)
    local list = {}
    for i = 1, count do list[i] = random(low, high) end
    return "[" .. table.concat(list, ",") .. "]"
end

-- A constraint adds a line to `out.constraints`, and to the others what it needs.
local kinds = {
    function(out, random, i)
        out.parameters[#out.parameters + 1] = ("array [1..8] of int: w%d = %s;"):format(i,
            numbers(random, 8, 1, 40))
        return ("int_lin_le(w%d,%s,%d)"):format(i, names(random, "x", 8), random(50, 900))
    end,
    function(_, random)
        return ("int_lin_le(%s,%s,%d)"):format(numbers(random, 3, 1, 9), names(random, "x", 3),
            random(10, 200))
    end,
    function(_, random)
        return ("bool_clause(%s,%s)"):format(names(random, "b", 3), names(random, "b", 2))
    end,
    function(out, random, i)
        out.variables[#out.variables + 1] = ("var bool: r%d :: var_is_introduced :: "
            .. "is_defined_var;"):format(i)
        return ("int_le_reif(x%d,%d,r%d) :: defines_var(r%d)"):format(random(1, variables),
            random(1, 50), i, i)
    end,
    function(out, random, i)
        out.variables[#out.variables + 1] = ("var bool: r%d :: var_is_introduced;"):format(i)
        return ("array_bool_or(%s,r%d)"):format(names(random, "b", 5), i)
    end,
    function(out, random, i)
        out.variables[#out.variables + 1] = ("var 0..200: z%d :: is_defined_var;"):format(i)
        return ("int_plus(x%d,x%d,z%d) :: defines_var(z%d)"):format(random(1, variables),
            random(1, variables), i, i)
    end,
    function(out, random, i) -- an x, and the five numbers after it, are different
        local x = random(1, variables)
        local list = {("x%d"):format(x)}
        for k = 1, 5 do
            list[k + 1] = ("d%d_%d"):format(i, k)
            out.variables[#out.variables + 1] = ("var 0..120: %s;"):format(list[k + 1])
            out.constraints[#out.constraints + 1] = ("constraint int_lin_eq([1,-1],[%s,x%d],%d);")
                :format(list[k + 1], x, k)
        end
        return ("all_different_int([%s])"):format(table.concat(list, ","))
    end,
}

-- In the order that FlatZinc asks for.
local function text_of(out)
    local x, b = {}, {}
    for i = 1, variables do
        x[i] = ("x%d"):format(i)
        b[i] = ("b%d"):format(i)
    end
    local lines = {table.concat(out.parameters, "\n")}
    for i = 1, variables do
        lines[#lines + 1] = ("var 0..99: x%d;\nvar bool: b%d;"):format(i, i)
    end
    lines[#lines + 1] = table.concat(out.variables, "\n")
    lines[#lines + 1] = ("array [1..%d] of var int: xs :: output_array([1..%d]) = [%s];"):format(
        variables, variables, table.concat(x, ","))
    lines[#lines + 1] = ("array [1..%d] of var bool: bs = [%s];"):format(variables,
        table.concat(b, ","))
    for i = 1, variables - 1 do
        lines[#lines + 1] = ("constraint int_le(x%d,x%d);\nconstraint bool_clause([b%d],[b%d]);")
            :format(i + 1, i, i, i + 1)
    end
    lines[#lines + 1] = table.concat(out.constraints, "\n")
    lines[#lines + 1] = "solve :: seq_search([int_search(xs,input_order,indomain_min,complete),"
        .. "bool_search(bs,input_order,indomain_min,complete)]) satisfy;\n"
    return table.concat(lines, "\n")
end

-- Writes a file of about `size` bytes; returns how many it has.
function big_fzn.write(path, size, seed)
    local random, total, i = random_of(seed), variables * 130, 0
    local out = {parameters = {}, variables = {}, constraints = {}}
    local seen = {parameters = 0, variables = 0, constraints = 0}
    while total < size do
        i = i + 1
        local line = kinds[random(1, #kinds)](out, random, i)
        out.constraints[#out.constraints + 1] = ("constraint %s;"):format(line)
        for key, list in pairs(out) do
            for k = seen[key] + 1, #list do total = total + #list[k] + 1 end
            seen[key] = #list
        end
    end
    local text = text_of(out)
    local file <close> = assert(io.open(path, "w"))
    assert(file:write(text))
    return #text
end

return big_fzn
