-- SPDX-License-Identifier: MIT
--
-- globals.lua - every global in mznlib against MiniZinc's standard decomposition as Gecode solves
-- it: the same solutions, none twice, for random small instances, stated, reified and negated.
--
--     cnsengine run tests/minizinc/globals.lua [--seed N] [--set rounds=3] [--set only=PATTERN]

local host = require "cns.host"
local here = host.script:match "^(.*)/[^/]*$" or "."
package.path = here .. "/?.lua;" .. package.path
local cases = require "globals_cases"
local g = cases.g

local rounds = host.param("rounds", 1)
local only = host.param("only", "")

local function run(command)
    local pipe <close> = assert(io.popen(command))
    local text = pipe:read "a"
    local _, _, code = pipe:close()
    return text, code
end

for _, program in ipairs {"minizinc", "fzn-gecode"} do
    if run("command -v " .. program) == "" then
        print("skipped: " .. program .. " is not installed")
        host.verdict "inconclusive"
        return
    end
end

local folder = run "mktemp -d":match "%S+"
local model = folder .. "/model.mzn"

local contexts = {
    "constraint %s;",
    "constraint %s;",
    "constraint %s;",
    "constraint v0 <-> (%s);",
    "constraint not (%s);",
    "constraint v0 -> (%s);",
    "constraint v0 \\/ (%s);",
}

local function text_of(case)
    g.begin()
    local constraint = case.fn()
    local context = contexts[math.random(#contexts)]
    local items = {'include "globals.mzn";'}
    table.move(g.items, 1, #g.items, #items + 1, items)
    if context:find "v0" then
        items[#items + 1] = "var bool: v0;"
        g.names[#g.names + 1] = "v0"
    end
    items[#items + 1] = context:gsub("%%s", function() return constraint end)
    items[#items + 1] = "solve satisfy;"
    items[#items + 1] = 'output ["' .. "\\(" .. table.concat(g.names, ') \\(') .. ')\\n"];'
    return table.concat(items, "\n") .. "\n"
end

-- The solutions, sorted; nil and what was said when there was an error.
local function solutions(options)
    local text, code = run(("timeout -k 2 300 minizinc --solver %s -a %s 2>%s/err"):format(options,
        model, folder))
    local file <close> = assert(io.open(folder .. "/err"))
    local said = file:read "a"
    if code ~= 0 or said:find "rror:" or text:find "=====ERROR" then return nil, text .. said end
    local lines, complete = {}, false
    for line in text:gmatch "[^\n]+" do
        complete = complete or line == "==========" or line:find "UNSATISFIABLE" ~= nil
        if not line:find "^[-=][-=]" then lines[#lines + 1] = line end
    end
    table.sort(lines)
    if not complete then return nil, "not complete: " .. text:sub(-200) end
    return lines
end

local function twice(lines)
    for k = 2, #lines do
        if lines[k] == lines[k - 1] then return lines[k] end
    end
end

local refused = {} -- by name: why, the last time
local counts = {same = 0, refused = 0, wrong = 0}

local function judge(case)
    local text = text_of(case)
    local file <close> = assert(io.open(model, "w"))
    file:write(text)
    file:close()
    local theirs, they = solutions "gecode -G std"
    local ours, we = solutions "cnsengine"
    local wrong
    if not theirs then -- refused by the compiler: no instance, so long as we refuse it, too
        counts.refused = counts.refused + 1
        refused[case.name] = they:match "rror: ([^\n]*)" or they
        if not they:find "rror:" and not they:find "Aborted" then wrong = "Gecode: " .. they end
    elseif not ours and we:find "Aborted" then -- the compiler's own assertions
        counts.refused = counts.refused + 1
    elseif not ours then
        wrong = "an error: " .. we
    elseif twice(ours) then
        wrong = "a solution twice: " .. twice(ours)
    elseif table.concat(ours, "\n") ~= table.concat(theirs, "\n") then
        local set = {}
        for _, line in ipairs(theirs) do set[line] = true end
        wrong = ("%d solutions, expected %d"):format(#ours, #theirs)
        for _, line in ipairs(ours) do
            if not set[line] then wrong = wrong .. "; too many: " .. line break end
        end
    end
    if wrong then
        counts.wrong = counts.wrong + 1
        print(("---- %s: %s\n%s"):format(case.name, wrong, text))
    elseif theirs then
        counts.same = counts.same + 1
    end
end

for _ = 1, rounds do
    for _, case in ipairs(cases.list) do
        if case.name:find(only) then judge(case) end
    end
end
os.execute("rm -r '" .. folder .. "'")
if host.param("show", false) then
    for name, why in pairs(refused) do print("refused", name, why) end
end
print(("%d instances with the same solutions, %d wrong, %d refused by the compiler"):format(
    counts.same, counts.wrong, counts.refused))
host.verdict(counts.wrong > 0 and "check failed" or "success")
