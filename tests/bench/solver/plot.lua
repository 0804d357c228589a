-- SPDX-License-Identifier: MIT
--
-- plot.lua RESULTS - a cactus plot of what bench_solver.lua kept of the public instances, as SVG:
-- how many of them each side has finished (optimum proved, solved, or refuted) within how many
-- seconds each; with several seeds, with each of them, within the geometric mean of their times.
-- The guide's plot: CNS_BENCH_PLOT=doc/solver-speed.svg ./dev bench solver public

local tables = require "tables"

-- Colours that the colour-blind can tell apart (Okabe and Ito 2008).
local sides = {
    {"ours -f", "cnsengine, free search", "#0072b2"}, {"ours", "cnsengine, annotated", "#56b4e9"},
    {"ours -p2", "cnsengine, 2 threads", "#009e73"},
    {"chuffed -f", "Chuffed, free search", "#d55e00"}, {"chuffed", "Chuffed, annotated", "#e69f00"},
    {"gecode", "Gecode", "#999999"},
}

local finished = {optimal = true, unsat = true, solved = true}
local runs, instances, count, limit = {}, {}, 0, 1 -- runs: by side, by instance, their times
for line in io.lines(arg[1]) do
    local name, side, status, seconds, most =
        line:match("^public\t([^\t]+)\t([^\t]+)\t([^\t]+)\t[^\t]*\t([%d.]+)\t([%d.]+)")
    if name then
        if not instances[name] then instances[name], count = true, count + 1 end
        limit = math.max(limit, tonumber(most))
        runs[side] = runs[side] or {}
        local list = runs[side][name] or {finished = true}
        list[#list + 1] = tonumber(seconds)
        list.finished = list.finished and finished[status]
        runs[side][name] = list
    end
end

-- The times of what a side has finished, the fastest first; nil of one that did not run.
local function times_of(side)
    local times = runs[side] and {}
    for _, list in pairs(runs[side] or {}) do
        if list.finished then times[#times + 1] = tables.geomean(list) end
    end
    if times then table.sort(times) end
    return times
end

local left, top, wide, high, least = 60, 50, 640, 360, 0.01
local bottom = top + high

local function x_of(solved) return left + wide * solved / count end

local function y_of(seconds)
    local span = math.log(limit / least)
    return bottom - high * math.log(math.max(least, math.min(limit, seconds)) / least) / span
end

local out = {}
local function put(text, ...) out[#out + 1] = text:format(...) end

put('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif"'
    .. ' font-size="13" fill="#222">', left + wide + 30, bottom + 50)
put('<rect width="100%%" height="100%%" fill="#fff"/>')
put('<text x="%d" y="24" font-size="15" font-weight="bold">%d public MiniZinc instances, %g s'
    .. ' each, one core</text>', left, count, limit)
local seconds = least
while seconds <= limit do
    put('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>', left, left + wide,
        y_of(seconds), y_of(seconds))
    put('<text x="%d" y="%.1f" text-anchor="end">%g s</text>', left - 8, y_of(seconds) + 4, seconds)
    seconds = seconds * 10
end
for solved = 0, count, 10 do
    put('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#eee"/>', x_of(solved), x_of(solved),
        top, bottom)
    put('<text x="%.1f" y="%d" text-anchor="middle">%d</text>', x_of(solved), bottom + 18, solved)
end
put('<text x="%d" y="%d" text-anchor="middle">instances finished, the fastest first</text>',
    left + wide // 2, bottom + 38)
local legend, column = bottom - 18 * #sides, left + wide - 225 -- where no line ends
for _, side in ipairs(sides) do
    local list = times_of(side[1])
    if list then
        local points = {}
        for solved, time in ipairs(list) do
            points[solved] = ("%.1f,%.1f"):format(x_of(solved), y_of(time))
        end
        put('<polyline fill="none" stroke="%s" stroke-width="2" points="%s"/>', side[3],
            table.concat(points, " "))
        put('<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="%s" stroke-width="3"/>', column,
            column + 24, legend - 4, legend - 4, side[3])
        put('<text x="%d" y="%d">%s: %d</text>', column + 32, legend, side[2], #list)
        legend = legend + 18
    end
end
put("</svg>")
print(table.concat(out, "\n"))
