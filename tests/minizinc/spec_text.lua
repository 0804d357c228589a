-- SPDX-License-Identifier: MIT
--
-- spec_text.lua - the headers of libminizinc's spec tests, as tables. They are YAML with tags of
-- their own, which cns.yaml refuses: what a tag says is first moved into keys and strings.
--
--     !SolutionSet [a, b]  the key gets the ending "!set"      !Unordered [..]  "!unordered"
--     !Range 1..3, !Approx 1.5                                  "!range 1..3", "!approx 1.5"
--     !!set {1, 2}                                              a list whose first is "!set"

local yaml = require "cns".yaml

local spec_text = {}

local function plain(text)
    text = text:gsub("([%w_]+): *!SolutionSet", "%1!set:")
    text = text:gsub("solution!set: *\n *(status)", "%1") -- a key that is there twice
    text = text:gsub("([%w_]+): *!Unordered", "%1!unordered:")
    text = text:gsub("!Range +(%-?%d+%.%.%-?%d+)", '"!range %1"')
    text = text:gsub("!Approx +([%d.eE+-]+)", '"!approx %1"')
    text = text:gsub("!!?set *{([^{}]*)}", function(inside)
        return "[\"!set\"" .. (inside:find "%S" and ", " .. inside or "") .. "]"
    end)
    text = text:gsub("!Error *\n", "\n"):gsub("!Error *$", "")
    text = text:gsub("expected: *!Result *\n", "expected:\n")
    text = text:gsub("%- *!Result *\n( *)", "-\n%1")
    text = text:gsub("%- *!Solution *\n( *)", "-\n%1")
    text = text:gsub("![A-Z]%a+:? *", "")
    return text
end

---The cases in the text of a model: tables as the header says them, with `text`, the header's own
---words; nil without a header.
function spec_text.cases(model)
    local header = model:match "^/%*%*%*\r?\n(.-)\n%*%*%*/"
    if not header then return nil end
    header = ("\n" .. header:gsub("\r", "") .. "\n"):gsub("\n%-%-%- *", "\n---\n")
    local cases = {}
    for part in (header .. "---\n"):gmatch "(.-)\n?%-%-%-\n" do
        if part:find "%S" then
            local ok, case = pcall(yaml.decode, plain(part))
            cases[#cases + 1] = ok and type(case) == "table" and case or {unreadable = case}
            cases[#cases].text = part
        end
    end
    return cases
end

return spec_text
