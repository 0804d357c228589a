-- SPDX-License-Identifier: MIT
--
-- cns.proof.gaps: wide ranges that a domain lacks, kept as ranges among its holes.
--
-- A table of holes has `true` at each value that is gone. With gaps it has a metatable, so that
-- holes[x] of a value in a gap is {from, to}: the whole of it, to be passed over in one step.

local gaps = {}

-- What finds the gap with a value among sorted ones that do not overlap.
local function finder(list)
    return function(_, x)
        local first, last = 1, #list
        while first <= last do
            local middle = (first + last) // 2
            if list[middle][1] <= x then first = middle + 1 else last = middle - 1 end
        end
        local gap = list[last]
        return gap and x <= gap[2] and gap or nil
    end
end

---The gaps among the holes, each {from, to}.
function gaps.of(holes)
    local meta = getmetatable(holes)
    return meta and meta.gaps or {}
end

---Makes holes of all values from..to of each {from, to} in the list.
function gaps.add(holes, list)
    local all, merged = table.move(list, 1, #list, 1, {}), {}
    table.move(gaps.of(holes), 1, #gaps.of(holes), #all + 1, all)
    table.sort(all, function(a, b) return a[1] < b[1] end)
    for _, gap in ipairs(all) do
        local last = merged[#merged]
        if last and gap[1] <= last[2] + 1 then
            merged[#merged] = {last[1], math.max(last[2], gap[2])}
        else
            merged[#merged + 1] = gap
        end
    end
    setmetatable(holes, {gaps = merged, __index = finder(merged)})
end

function gaps.copy(holes)
    local copy = setmetatable({}, getmetatable(holes))
    for x in pairs(holes) do copy[x] = true end
    return copy
end

return gaps
