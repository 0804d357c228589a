-- SPDX-License-Identifier: MIT
--
-- spec_result.lua - what `minizinc --output-mode json` printed against what a test expects.
--
-- As in libminizinc's own runner: the obtained solution may say more than the expected one, a list
-- of solutions must be the same one after the other, of a set of solutions each obtained one must
-- be a member.

local cns = require "cns"
local json, null = cns.json, cns.json.null

local spec_result = {}

local endings = {
    ["=========="] = "complete", ["=====UNSATISFIABLE====="] = "UNSATISFIABLE",
    ["=====UNKNOWN====="] = "UNKNOWN", ["=====UNBOUNDED====="] = "UNBOUNDED",
    ["=====ERROR====="] = "ERROR",
}

---Solutions, status and whatever else was printed.
function spec_result.read(text, optimises, all)
    local solutions, object, ending = {}, {}, nil
    for line in text:gmatch "([^\n]*)\n" do
        if line == "----------" then
            solutions[#solutions + 1] = json.decode(table.concat(object, "\n"))
            object = {}
        elseif endings[line] then
            ending = endings[line]
        elseif not line:find "^%%" then
            object[#object + 1] = line
        end
    end
    local status = ending
    if ending == "complete" then
        status = optimises and "OPTIMAL_SOLUTION" or "ALL_SOLUTIONS"
    elseif not ending then
        status = #solutions > 0 and "SATISFIED" or "UNKNOWN"
    end
    return {status = status, solution = all and solutions or solutions[#solutions],
        solutions = solutions}
end

-- {"set": [1, [3, 5]]} and {"e": "name"} as lists and names.
local function simple(value)
    if type(value) ~= "table" then return value end
    if value.e ~= nil and value.c == nil then
        return value.i and ("to_enum(%s,%s)"):format(value.e, value.i) or value.e
    end
    if value.set == nil then return value end
    local members = {"!set"}
    for _, member in ipairs(value.set) do
        if type(member) == "table" and member.e == nil then
            for k = member[1], member[2] do members[#members + 1] = k end
        else
            members[#members + 1] = simple(member)
        end
    end
    return members
end

local same

local function unordered(expected, obtained)
    if type(obtained) ~= "table" or #expected ~= #obtained then return false end
    local used = {}
    for _, one in ipairs(expected) do
        local found
        for k, other in ipairs(obtained) do
            if not used[k] and same(one, other) then
                found = k
                break
            end
        end
        if not found then return false end
        used[found] = true
    end
    return true
end

local function set_of(text)
    local low, high = text:match "^!range (%-?%d+)%.%.(%-?%d+)$"
    local members = {"!set"}
    for k = math.tointeger(low), math.tointeger(high) do members[#members + 1] = k end
    return members
end

local function trimmed(value)
    return type(value) == "string" and value:match "^%s*(.-)%s*$" or value
end

function same(expected, obtained)
    expected, obtained = simple(expected), simple(obtained)
    if type(expected) == "string" and expected:find "^!range " then
        expected = set_of(expected)
    elseif type(expected) == "string" and expected:find "^!approx " then
        local wanted = tonumber(expected:sub(9))
        return type(obtained) == "number" and
            math.abs(wanted - obtained) <= 1e-6 * math.max(1, math.abs(wanted))
    end
    if type(expected) ~= "table" then return trimmed(expected) == trimmed(obtained) end
    if type(obtained) ~= "table" then return false end
    if expected[1] == "!set" then return unordered(expected, obtained) end
    if #expected ~= #obtained then return false end
    for key, value in pairs(expected) do
        if not same(value, obtained[key]) then return false end
    end
    return true
end

-- Is each name of `expected` the same in `obtained`?
local function covers(expected, obtained)
    if obtained == nil then return false end
    if expected == null or type(expected) ~= "table" then return true end
    for key, value in pairs(expected) do
        local name, tag = key:match "^(.-)!(%a+)$"
        local other = obtained[name or key]
        if name == nil and key == "objective" then other = obtained._objective end
        if name == nil and key == "_output_item" then other = obtained._output end
        if tag == "unordered" and not unordered(value, simple(other)) then return false end
        if not tag and not same(value, other) then return false end
    end
    return true
end

---Does what was obtained match one expectation?
function spec_result.matches(expected, obtained)
    if expected == null or type(expected) ~= "table" then return true end
    if expected.status and expected.status ~= null and expected.status ~= obtained.status then
        return false
    end
    if expected["solution!set"] then
        for _, solution in ipairs(obtained.solutions) do
            local found = false
            for _, member in ipairs(expected["solution!set"]) do
                found = found or covers(member, solution)
            end
            if not found then return false end
        end
        return true
    end
    local wanted = expected.solution
    if wanted == nil or wanted == null then return true end
    if #wanted == 0 then
        return #obtained.solutions > 0 and covers(wanted, obtained.solution[1] or obtained.solution)
    end
    if #wanted ~= #obtained.solutions then return false end
    for k, one in ipairs(wanted) do
        if not covers(one, obtained.solutions[k]) then return false end
    end
    return true
end

---Is only the solution another one: the same status, and the same objective?
function spec_result.similar(expected, obtained)
    if expected == null or type(expected) ~= "table" then return false end
    if expected.status and expected.status ~= null and expected.status ~= obtained.status then
        return false
    end
    local wanted = expected.solution
    local objective = type(wanted) == "table" and (wanted.objective or wanted._objective)
    local last = obtained.solutions[#obtained.solutions]
    return last ~= nil and (not objective or last._objective == objective)
end

return spec_result
