-- SPDX-License-Identifier: MIT
--
-- proof_times.lua - one side's time to proof over another's: the geometric mean and the spread over
-- the instances that both prove, how many only one of them proves; and the same for those that keep
-- the first side busy for a while.

local repeats = require "repeats"
local tables = require "tables"

local proof_times = {}

local leasts = {0, 0.05, 0.1} -- seconds that the first side needs

local function compare(runs, left, right, least)
    local row = {least = least, ratios = {}, lost = 0, gained = 0}
    for _, run in ipairs(runs) do
        local a, b = run.outcomes[left], run.outcomes[right]
        local seconds = repeats.seconds(a)
        local by_left = seconds >= least and repeats.is_proved(a)
        local by_right = seconds >= least and repeats.is_proved(b)
        if by_left and by_right then
            table.insert(row.ratios, seconds / repeats.seconds(b))
        end
        row.lost = row.lost + (by_left and not by_right and 1 or 0)
        row.gained = row.gained + (by_right and not by_left and 1 or 0)
    end
    return row
end

-- A row for each least time: {least, ratios, lost, gained}, lost being those that only `left`
-- proves. runs: a list of {outcomes = lists of runs by side}.
function proof_times.compare(runs, left, right)
    local rows = {}
    for i, least in ipairs(leasts) do rows[i] = compare(runs, left, right, least) end
    return rows
end

function proof_times.show(rows, left, right, count)
    print(("\ntime to proof, %s over %s%s"):format(left, right,
        count > 1 and (", geometric means of %d runs each"):format(count) or ""))
    print(("%-22s %6s %6s %8s %11s %5s %7s"):format(left .. " needs", "ratio", "least",
        "greatest", "both prove", "lost", "gained"))
    for _, row in ipairs(rows) do
        local ratio, least, most = "-", "-", "-"
        if #row.ratios > 0 then
            ratio = ("%.2f"):format(tables.geomean(row.ratios))
            least = ("%.2f"):format(tables.quantile(row.ratios, 0))
            most = ("%.2f"):format(tables.quantile(row.ratios, 1))
        end
        print(("%-22s %6s %6s %8s %11d %5d %7d"):format(
            row.least == 0 and "any time" or ("%g s or more"):format(row.least), ratio, least, most,
            #row.ratios, row.lost, row.gained))
    end
end

return proof_times
