-- SPDX-License-Identifier: MIT
--
-- tilemap.lua - a map of road tiles that is one closed road past every town and around the
-- lakes. Filling in tile by tile (wave function collapse) keeps neighbours
-- consistent but cannot see that the pieces join to one road; a solver can, and backtracks.

local solver = require "cns.solver"

local rows, columns = 9, 16
local map = { -- ~ water, o a town
    "................",
    ".o....~~......o.",
    "......~~........",
    "...........o....",
    "..~~....o.......",
    "..~~..........~.",
    ".........~~...~.",
    ".o.......~~...o.",
    "................",
}

local function cell(r, c) return (r - 1) * columns + c end

local model = solver.model()
local next_cell = {}
for r = 1, rows do
    for c = 1, columns do
        local k, what = cell(r, c), map[r]:sub(c, c)
        local ways = {} -- a cell off the road is its own successor
        if what ~= "o" then ways[1] = k end
        if what ~= "~" then
            if r > 1 then ways[#ways + 1] = cell(r - 1, c) end
            if r < rows then ways[#ways + 1] = cell(r + 1, c) end
            if c > 1 then ways[#ways + 1] = cell(r, c - 1) end
            if c < columns then ways[#ways + 1] = cell(r, c + 1) end
        end
        next_cell[k] = model:int(ways, ("next[%d,%d]"):format(r, c))
    end
end
model:subcircuit(next_cell)
-- Nobody turns round on a tile: that would be a loop of two.
for k = 1, rows * columns do
    for _, other in ipairs {k + 1, k + columns} do
        if next_cell[other] then
            model:post(~(next_cell[k]:eq(other) & next_cell[other]:eq(k)))
        end
    end
end
local solution, why = model:solve {time = 60}
assert(solution, why)
local successor = solution[next_cell]

-- Walk it: one loop, past every town, on dry land.
local seen, count, at = {}, 0, nil
for k = 1, rows * columns do
    if successor[k] ~= k then at = k break end
end
while not seen[at] do
    seen[at] = true
    count = count + 1
    at = successor[at]
end
local drawn = {[5] = "┃", [10] = "━", [3] = "┗", [6] = "┏", [12] = "┓", [9] = "┛"} -- N1 E2 S4 W8
local ends = {}
for k, to in ipairs(successor) do
    if to ~= k then
        local d = to - k
        local out = d == -columns and 1 or d == columns and 4 or d == 1 and 2 or 8
        ends[k] = (ends[k] or 0) | out
        ends[to] = (ends[to] or 0) | (out > 2 and out >> 2 or out << 2)
    end
end
for r = 1, rows do
    local line = {}
    for c = 1, columns do
        local k, what = cell(r, c), map[r]:sub(c, c)
        assert(what ~= "o" or seen[k])
        assert(what ~= "~" or not seen[k])
        local east = (ends[k] or 0) & 2 ~= 0
        line[c] = (what == "o" and "o" or drawn[ends[k]] or what == "~" and "~" or " ")
            .. (east and "━" or what == "~" and "~" or " ")
    end
    print(table.concat(line))
end
print(("one road of %d tiles, %d failures on the way"):format(count, model:stats().failures))
