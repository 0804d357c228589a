-- SPDX-License-Identifier: MIT
--
-- shuffle.lua - a copy of FlatZinc that says the same in another order: of the variables'
-- declarations, of the constraints, and of the arguments whose order means nothing. Names,
-- annotations and the solve item stay; what is printed, too, but for its order. Each item is on a
-- line of its own, as MiniZinc writes them.

local random_of = require "random".of

local shuffle = {}

-- The arguments, by their positions, whose elements may change places; those of a group together.
local commutative = {
    array_bool_and = {{1}}, array_bool_or = {{1}}, array_bool_xor = {{1}},
    array_int_maximum = {{2}}, array_int_minimum = {{2}},
    bool_clause = {{1}, {2}}, bool_clause_reif = {{1}, {2}},
    all_different_int = {{1}}, fzn_all_different_int = {{1}},
}

local function groups_of(name)
    return name:find("^%l+_lin_") and {{1, 2}} or commutative[name]
end

-- Fisher and Yates's shuffle of lists of one length, all alike.
local function permute(random, lists)
    for i = #lists[1], 2, -1 do
        local j = random(1, i)
        for _, list in ipairs(lists) do list[i], list[j] = list[j], list[i] end
    end
end

-- The arguments of a constraint whose brackets do not nest.
local function split(text)
    local list, at = {}, 1
    repeat
        local word, after = text:match("^%s*(%b[])%s*()", at)
        if not word then
            word, after = text:match("^%s*([^,]-)%s*()%f[,\0]", at)
        end
        list[#list + 1] = word
        at = after + 1
    until after > #text
    return list
end

-- A new list of what is in an array, which is written out or the name of one.
local function elements(argument, arrays)
    local text = argument:match("^%[(.*)%]$") or arrays[argument]
    local list = {}
    for word in assert(text, argument):gmatch("[^,%s]+") do list[#list + 1] = word end
    return list
end

local function shuffle_arguments(random, line, arrays)
    local head, name, text, rest = line:match("^(constraint%s+)([%w_]+)%s*(%b())(.*)$")
    local groups = groups_of(assert(name, line))
    if not groups then
        return line
    end
    local list = split(text:sub(2, -2))
    for _, group in ipairs(groups) do
        local parts = {}
        for i, at in ipairs(group) do
            parts[i] = elements(list[at], arrays)
            assert(#parts[i] == #parts[1], line)
        end
        permute(random, parts)
        for i, at in ipairs(group) do list[at] = "[" .. table.concat(parts[i], ",") .. "]" end
    end
    return ("%s%s(%s)%s"):format(head, name, table.concat(list, ","), rest)
end

-- Declarations with a value, after those of the names in it.
local function append_defined(out, items)
    local by_name = {}
    for _, item in ipairs(items) do by_name[item.name] = item end
    local function place(item)
        by_name[item.name] = nil
        for name in item.value:gmatch("[%a_][%w_]*") do
            if by_name[name] then place(by_name[name]) end
        end
        out[#out + 1] = item.line
    end
    for _, item in ipairs(items) do
        if by_name[item.name] then place(item) end
    end
end

-- FlatZinc's items by kind; `arrays`: what is in those that have a name.
local function read(text)
    local items = {predicates = {}, parameters = {}, free = {}, defined = {}, constraints = {},
        solve = {}, arrays = {}}
    for line in text:gmatch("[^\n]+") do
        local word = line:match("^%l+")
        local name, value = line:match("^[^:]*:%s*([%w_]+)[^=]*=%s*(.-)%s*;")
        if word == "array" then
            items.arrays[assert(name, line)] = value:match("^%[(.*)%]$")
        end
        if word == "predicate" or word == "constraint" or word == "solve" then
            local list = word == "solve" and items.solve or items[word .. "s"]
            list[#list + 1] = line
        elseif word == "var" and not value then
            table.insert(items.free, line)
        elseif word == "var" or line:find("^array%s*%b[]%s*of%s+var%s") then
            table.insert(items.defined, {name = name, value = value, line = line})
        elseif word then
            table.insert(items.parameters, line)
        end
    end
    return items
end

-- A copy of FlatZinc's text, the same for a seed.
function shuffle.text(text, seed)
    local items, random = read(text), random_of(seed)
    for i, line in ipairs(items.constraints) do
        items.constraints[i] = shuffle_arguments(random, line, items.arrays)
    end
    for _, list in ipairs {items.free, items.defined, items.constraints} do
        permute(random, {list})
    end
    local out = {}
    for _, list in ipairs {items.predicates, items.parameters, items.free} do
        table.move(list, 1, #list, #out + 1, out)
    end
    append_defined(out, items.defined)
    for _, list in ipairs {items.constraints, items.solve} do
        table.move(list, 1, #list, #out + 1, out)
    end
    return table.concat(out, "\n") .. "\n"
end

-- Writes a copy of the file `from`.
function shuffle.file(from, to, seed)
    local source <close> = assert(io.open(from))
    local copy <close> = assert(io.open(to, "w"))
    assert(copy:write(shuffle.text(source:read("a"), seed)))
end

return shuffle
