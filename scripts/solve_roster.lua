-- SPDX-License-Identifier: MIT
--
-- solve_roster.lua - a roster of nurses for two weeks: cover, rest, fair shares, wishes.
--
--     cnsengine run scripts/solve_roster.lua [--set seconds=10]
--
-- Rules for one nurse are an automaton over a row; cover is counted by column. What is printed is
-- checked in plain Lua against the rules as people would say them.

local host = require "cns.host"
local solver = require "cns.solver"

local nurses = {"Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana"}
local days, letters = 14, {"-", "E", "L", "N"} -- free, early, late, night
local cover = {E = {2, 3}, L = {2, 2}, N = {1, 1}}
local wishes = { -- nurse, day, what: granted if possible
    {1, 6, "-"}, {1, 7, "-"}, {2, 3, "N"}, {3, 13, "-"}, {3, 14, "-"}, {4, 1, "E"}, {5, 6, "-"},
    {5, 7, "-"}, {6, 10, "L"}, {7, 7, "-"}, {8, 13, "-"}, {8, 14, "-"}, {2, 13, "-"}, {6, 7, "-"},
}

-- Five working days in a row at most; after a late no early, after a night no day shift. State 1:
-- free; 2..6: k days worked, the last an early; 7..11: a late; 12..16: a night.
local transitions = {{1, 2, 7, 12}}
for kind = 1, 3 do
    for worked = 1, 5 do
        local function after(next_kind)
            return worked < 5 and next_kind >= kind and 1 + (next_kind - 1) * 5 + worked + 1 or 0
        end
        transitions[1 + (kind - 1) * 5 + worked] = {1, after(1), after(2), after(3)}
    end
end
local rules = {transitions = transitions, start = 1, accepting = {}}
for state = 1, #transitions do rules.accepting[state] = state end

local model = solver.model()
local shift = model:matrix(#nurses, days, 1, 4, "shift")
local load, nights = {}, {}
for n = 1, #nurses do
    model:regular(shift:row(n), rules)
    load[n] = days - solver.count(shift:row(n), 1)
    nights[n] = solver.count(shift:row(n), 4)
    model:post(load[n]:le(10))
    model:post(nights[n]:le(3))
end
for d = 1, days do
    for k = 2, 4 do
        local range = cover[letters[k]]
        model:post(solver.count(shift:column(d), k):within {range})
    end
end
local number = {["-"] = 1, E = 2, L = 3, N = 4}
local granted = {}
for k, wish in ipairs(wishes) do granted[k] = shift[wish[1]][wish[2]]:eq(number[wish[3]]) end
local spread = solver.max(load) - solver.min(load)
model:maximize(10 * solver.sum(granted) - 2 * spread)

local solution, status = model:solve {time = host.param("seconds", 10.0), progress = function(now)
    host.status(("roster: worth %s of at most %d; %d failures"):format(now.objective or "?",
        now.bound, now.failures))
end}
host.status()
assert(solution, status)

print("           Mo Tu We Th Fr Sa Su Mo Tu We Th Fr Sa Su   days nights")
local met, colors = 0, {E = 33, L = 35, N = 34}
local rows = {}
for n, name in ipairs(nurses) do
    local row, cells, worked, run, night_count = {}, {}, 0, 0, 0
    for d = 1, days do
        local what = letters[solution[shift[n][d]]]
        row[d] = what
        cells[d] = host.color and colors[what] and ("\27[%dm%s\27[0m"):format(colors[what], what)
            or what
        run = what == "-" and 0 or run + 1
        worked = worked + (what == "-" and 0 or 1)
        night_count = night_count + (what == "N" and 1 or 0)
        local pair = (row[d - 1] or "-") .. what
        assert(run <= 5, "too many days in a row")
        assert(pair ~= "LE" and pair ~= "NE" and pair ~= "NL", "too little rest")
    end
    assert(worked <= 10 and night_count <= 3)
    rows[n] = row
    print(("%-10s %s    %2d   %d"):format(name, table.concat(cells, "  "), worked, night_count))
end
for d = 1, days do
    local there = {E = 0, L = 0, N = 0, ["-"] = 0}
    for n = 1, #nurses do there[rows[n][d]] = there[rows[n][d]] + 1 end
    for what, range in pairs(cover) do
        assert(there[what] >= range[1] and there[what] <= range[2], "the cover is wrong")
    end
end
for _, wish in ipairs(wishes) do
    met = met + (rows[wish[1]][wish[2]] == wish[3] and 1 or 0)
end
print(("%d of %d wishes, shares differ by %d days: %s"):format(met, #wishes, solution[spread],
    status))
assert(solution.objective == 10 * met - 2 * solution[spread])
host.verdict(status == "optimal" and "success" or "inconclusive")
