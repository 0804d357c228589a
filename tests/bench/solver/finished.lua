-- SPDX-License-Identifier: MIT
--
-- finished.lua - the public instances that an earlier results.tsv has as finished, and by whom, so
-- that those are left out that would only run to their limit.

local outcome = require "outcome"

local finished = {}

-- {path, sides: by instance, the names of the sides that finished it, with any seed}.
function finished.read(path)
    local sides = {}
    for line in io.lines(path) do
        local name, side, status = line:match("^public\t([^\t]+)\t([^\t]+)\t(%l+)")
        if name then
            sides[name] = sides[name] or {}
            sides[name][side] = sides[name][side] or outcome.is_complete {status = status}
        end
    end
    return {path = path, sides = sides}
end

local function by_any(sides, names)
    for _, name in ipairs(names) do
        if sides[name] then
            return true
        end
    end
    return false
end

-- Those of a list of instances that one of the sides `names` finished, and what to say about the
-- others.
function finished.choose(earlier, list, names)
    local kept, open, absent = {}, 0, 0
    for _, instance in ipairs(list) do
        local sides = earlier.sides[instance.name]
        if not sides then
            absent = absent + 1
        elseif by_any(sides, names) then
            kept[#kept + 1] = instance
        else
            open = open + 1
        end
    end
    return kept, ("%d of %d instances left out, by %s: %d that none of these sides finished there, "
        .. "%d that are not in it"):format(#list - #kept, #list, earlier.path, open, absent)
end

return finished
