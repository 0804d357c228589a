-- SPDX-License-Identifier: MIT
--
-- test_solver_guide.lua - runs each piece of Lua in doc/solver.md; they assert what they say.

local here = debug.getinfo(1, "S").source:match("^@(.*)/") or "."
local guide = here .. "/../../doc/solver.md"

return function(test)
    local code, at, number, count = nil, nil, 0, 0
    for line in io.lines(guide) do
        number = number + 1
        if line == "```lua" then
            code, at = {}, number + 1
        elseif line == "```" and code then
            local text = ("\n"):rep(at - 1) .. table.concat(code, "\n")
            count = count + 1
            test("the guide, line " .. at, function()
                assert(load(text, "@solver.md", "t"))()
            end)
            code = nil
        elseif code then
            code[#code + 1] = line
        end
    end
    test("the guide has examples", function(t) t.ok(count >= 5) end)
end
