-- SPDX-License-Identifier: MIT
--
-- frames.lua - a level is solved while the game runs: two milliseconds of each frame, as long as it
-- takes. The level is a picture puzzle (nonogram): the lengths of the runs in each row and column
-- are given. Whenever a solution turns up that is not the picture, a pixel in which it differs is
-- given away, until the picture is the only solution.

local cns = require "cns"
local solver = require "cns.solver"

local picture = {
    "..........##....................",
    ".........####.........#####.....",
    "........##..##......##.....##...",
    ".......##....##....#.........#..",
    "......##......##..#...##.##...#.",
    ".....##........##.#..#.....#..#.",
    "....##############.#..........#.",
    "....#............#.#...###...#..",
    "....#..###..###..#..##.....##...",
    "....#..#.#..#.#..#....#####.....",
    "....#..###..###..#......#.......",
    "....#............#......#...##..",
    "....#....####....#..##..#..#..#.",
    "....#....#..#....#.#..#.#.#..#..",
    "....#....#..#....#..##.###.##...",
    "##########..####################",
    "#.#.#.#.#....#.#.#.#.#.#.#.#.#.#",
    "################################",
}
local height, width = #picture, #picture[1]

local function runs(line)
    local out = {}
    for run in line:gmatch("#+") do out[#out + 1] = #run end
    return out
end

local function column(c)
    local out = {}
    for r = 1, height do out[r] = picture[r]:sub(c, c) end
    return table.concat(out)
end

-- An automaton over 1 (empty) and 2 (filled) that accepts lines with these runs.
local function automaton(lengths)
    local transitions, accepting = {{1, 0}}, {1}
    for k, run in ipairs(lengths) do
        transitions[#transitions][2] = #transitions + 1
        for _ = 2, run do transitions[#transitions + 1] = {0, #transitions + 2} end
        if k < #lengths then
            transitions[#transitions + 1] = {#transitions + 2, 0}
            transitions[#transitions + 1] = {#transitions + 1, 0}
        else
            transitions[#transitions + 1] = {#transitions + 1, 0}
            accepting = {#transitions}
        end
    end
    return {transitions = transitions, start = 1, accepting = accepting}
end

local model = solver.model()
local pixel = model:matrix(height, width, 1, 2, "pixel")
for r = 1, height do model:regular(pixel:row(r), automaton(runs(picture[r]))) end
for c = 1, width do model:regular(pixel:column(c), automaton(runs(column(c)))) end

-- What is looked for is a solution that is not the picture.
local function ink(r, c) return picture[r]:byte(c) == ("#"):byte() and 2 or 1 end
local differ, given, count = {}, {}, 0
for r = 1, height do
    for c = 1, width do differ[#differ + 1] = pixel[r][c]:ne(ink(r, c)) end
end
model:post(solver.any(differ))

local function give_away(other)
    for r = 1, height do
        for c = 1, width do
            if other[pixel[r][c]] ~= ink(r, c) then
                model:post(pixel[r][c]:eq(ink(r, c)))
                given[r * width + c] = true
                count = count + 1
                return
            end
        end
    end
end

local frames, longest, outcome = 0, 0, "running"
while outcome ~= "complete" do
    local began = cns.clock()
    local said, other = model:step {ms = 2} -- ... and then the rest of the frame
    outcome = said
    longest = math.max(longest, cns.clock() - began)
    frames = frames + 1
    if other then give_away(other) end
end

-- Searched anew, without the picture: there is one solution.
local check = solver.model()
local again = check:matrix(height, width, 1, 2, "again")
for r = 1, height do
    check:regular(again:row(r), automaton(runs(picture[r])))
    for c = 1, width do
        if given[r * width + c] then check:post(again[r][c]:eq(ink(r, c))) end
    end
end
for c = 1, width do check:regular(again:column(c), automaton(runs(column(c)))) end
local solution = check:solve()
assert(check:unique(solution))

for r = 1, height do
    local line = {}
    for c = 1, width do
        local value = solution[again[r][c]]
        assert(value == ink(r, c))
        local free = value == 2 and "██" or "  "
        line[c] = given[r * width + c] and (value == 2 and "▓▓" or "··") or free
    end
    print(table.concat(line))
end
print(("%d pixels given away, %d frames, the longest piece %.1f ms"):format(count, frames,
    longest * 1000))
