-- SPDX-License-Identifier: MIT
--
-- repeats.lua - several runs of each side on an instance, by seeds or by shuffled copies, since
-- luck decides a single one by a factor of some; and what a side's runs say together. A list of
-- runs counts as proved when each of them is, and takes the geometric mean of their times; one
-- without a complete answer is taken to need its limit.

local outcome = require "outcome"
local tables = require "tables"

local repeats = {}

-- Outcomes by key, lists of `count`: solve(key, i) is asked for each key's i-th run. The sides run
-- one after another, the first one turning.
function repeats.run(keys, count, turn, solve)
    local outcomes = {}
    for i = 1, count do
        for k = 1, #keys do
            local key = keys[(k + i - 1 + turn) % #keys + 1]
            outcomes[key] = outcomes[key] or {}
            outcomes[key][i] = solve(key, i)
        end
    end
    return outcomes
end

function repeats.times(list)
    local times = {}
    for i, one in ipairs(list) do
        times[i] = outcome.is_complete(one) and math.min(one.seconds, one.limit) or one.limit
    end
    return times
end

function repeats.seconds(list)
    return tables.geomean(repeats.times(list))
end

-- How many of a list's runs are as `is` asks.
function repeats.count(list, is)
    local count = 0
    for _, one in ipairs(list) do count = count + (is(one) and 1 or 0) end
    return count
end

function repeats.is_proved(list)
    return repeats.count(list, outcome.is_proof) == #list
end

-- Greater than 0 when a's runs are better than b's of the same seeds more often than worse.
function repeats.compare(kind, a, b)
    local sum = 0
    for i, one in ipairs(a) do sum = sum + outcome.compare(kind, one, b[i]) end
    return sum
end

-- "opt" and the like; where not all runs are complete but some, "2/5".
local function label(list)
    local complete = repeats.count(list, outcome.is_complete)
    if complete > 0 and complete < #list then
        return ("%d/%d"):format(complete, #list)
    end
    local seen = {}
    for _, one in ipairs(list) do seen[one.status] = true end
    return tables.short(seen.error and "error" or seen.found and "found" or list[1].status)
end

function repeats.cell(list, best)
    local seconds = {}
    for i, one in ipairs(list) do seconds[i] = one.seconds end
    return tables.cell(label(list), tables.geomean(seconds), best)
end

-- Each run under a name of its own, for outcome.disagreements.
function repeats.flat(outcomes)
    local flat = {}
    for key, list in pairs(outcomes) do
        for i, one in ipairs(list) do
            flat[#list == 1 and key or ("%s, run %d"):format(key, i)] = one
        end
    end
    return flat
end

return repeats
