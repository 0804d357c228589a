-- SPDX-License-Identifier: MIT
--
-- tables.lua - means, scores and the table of goals, within 80 columns.

local tables = {}

function tables.quantile(values, q)
    local sorted = table.move(values, 1, #values, 1, {})
    table.sort(sorted)
    local at = 1 + q * (#sorted - 1)
    local below = math.floor(at)
    local low, high = sorted[below], sorted[math.min(below + 1, #sorted)]
    return low + (at - below) * (high - low)
end

function tables.geomean(values)
    local sum = 0
    for _, value in ipairs(values) do sum = sum + math.log(value) end
    return math.exp(sum / #values)
end

-- Rows of the last table: {what, value, goal, remark}, as text.
local rows = {}

function tables.add(what, value, goal, remark)
    rows[#rows + 1] = {what, value, goal, remark or ""}
end

function tables.not_measured(what, goal)
    tables.add(what, "not measured", goal)
end

-- A row of ratios: geometric mean, least and greatest.
function tables.add_ratios(what, ratios, goal, remark)
    if #ratios == 0 then
        return tables.not_measured(what, goal)
    end
    tables.add(what, ("%.2f"):format(tables.geomean(ratios)), goal, ("%.2f to %.2f of %d%s"):format(
        tables.quantile(ratios, 0), tables.quantile(ratios, 1), #ratios,
        remark and ", " .. remark or ""))
end

function tables.goals()
    print(("\n%-37s %-12s %-9s %s"):format("what", "measured", "goal", ""))
    for _, row in ipairs(rows) do
        print((("%-37s %-12s %-9s %s"):format(table.unpack(row)):gsub(" *$", "")))
    end
end

local short = {optimal = "opt", unsat = "uns", solved = "sat", found = "fnd", unknown = "-",
    error = "ERR"}

function tables.short(status)
    return short[status]
end

-- "opt 12.34*": a short status, seconds, and a star where no side has a better answer.
function tables.cell(status, seconds, best)
    return ("%-3s%6.2f%s"):format(status, seconds, best and "*" or " ")
end

return tables
