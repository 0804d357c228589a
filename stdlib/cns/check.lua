-- SPDX-License-Identifier: MIT
--
-- cns.check - checks that collect instead of stopping.
--
--     local checks = require "cns.check".new()
--     checks:check("digest of abc", cns.hash.blake3("abc") == expected, "official vector")
--     checks:check("rows survive", function() assert(#rows == 10) return "10 rows" end)
--     checks:note("JIT", "not built", "the VM has an issue of its own")
--     print(checks:verdict())
--
-- A check is in one of five states: "pass", "fail", "not built", "not measured", "inconclusive".
-- Only "pass" is a pass. Evidence is kept for passes too: a pass nobody can look at is a claim.

local check = {}
check.__index = check

check.states = {
    ["pass"] = true, ["fail"] = true, ["not built"] = true, ["not measured"] = true,
    ["inconclusive"] = true,
}

---@param group string? named in each check: the scenario's name, for one
---@return cns.check.list
function check.new(group)
    return setmetatable({group = group}, check)
end

local function text_of(value)
    if value == nil or value == true or value == false then
        return nil
    end
    return tostring(value)
end

---Adds a check in a given state.
---@param name string
---@param state string one of check.states
---@param evidence any? what was seen
function check:note(name, state, evidence)
    assert(type(name) == "string", "name: a string is needed")
    if not check.states[state] then
        error("state: pass, fail, not built, not measured or inconclusive is needed, got "
            .. tostring(state), 2)
    end
    self[#self + 1] = {name = name, group = self.group, state = state, evidence = text_of(evidence)}
    return state == "pass"
end

---A condition, or a function that returns (or raises, or returns false and why). What a function
---returns becomes the evidence; `detail` is used where it gives none.
---@param name string
---@param condition any truthy passes; a function is called in protected mode
---@param detail any?
---@return boolean passed
function check:check(name, condition, detail)
    if type(condition) == "function" then
        local finished, value, why = xpcall(condition, debug.traceback)
        if not finished then
            return self:note(name, "fail", value)
        end
        if value == nil then value = true end
        return self:note(name, value and "pass" or "fail",
            text_of(why) or text_of(value) or detail)
    end
    return self:note(name, condition and "pass" or "fail", detail)
end

---Passes when both are equal by ==; says what was expected and what came.
function check:equal(name, actual, expected)
    if actual == expected then
        return self:note(name, "pass", actual)
    end
    return self:note(name, "fail",
        ("expected %s, got %s"):format(tostring(expected), tostring(actual)))
end

---Passes when fn raises an error that holds `text` (plain); the error is the evidence.
function check:raises(name, text, fn, ...)
    local finished, err = pcall(fn, ...)
    if finished then
        return self:note(name, "fail", "no error was raised")
    end
    local found = tostring(err):find(text, 1, true) ~= nil
    return self:note(name, found and "pass" or "fail", err)
end

---@return table<string, integer> counts by state
function check:counts()
    local counts = {}
    for state in pairs(check.states) do counts[state] = 0 end
    for _, entry in ipairs(self) do
        counts[entry.state] = counts[entry.state] + 1
    end
    return counts
end

---"check failed" before "inconclusive" before "success"; a list with no checks proves nothing.
---@return string verdict as host.verdict takes it
function check:verdict()
    local counts = self:counts()
    if counts["fail"] > 0 then
        return "check failed"
    end
    return counts["pass"] == #self and #self > 0 and "success" or "inconclusive"
end

return check
