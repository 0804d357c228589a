-- SPDX-License-Identifier: MIT
--
-- plot.lua TABLE - draws what bench_vm.lua measured in the L2 cache as an SVG: for each kernel, the
-- speed of each side relative to gcc -O3 -march=native, on a logarithmic scale. The guide's plot:
--     CNS_BENCH_PLOT=doc/kernels-speed.svg ./dev bench vm

local work = require "work"

local times = {}
for line in io.lines(arg[1]) do
    local name, size, side, ns = line:match("^(%S+)\t(%d+)\t(%S+)\t(%d+)")
    if name and work.cases[name].l2 == tonumber(size) then
        times[name] = times[name] or {}
        times[name][side] = tonumber(ns)
    end
end

-- Shape and colour; colours that the colour-blind can tell apart (Okabe and Ito 2008).
local sides = {
    {"native", "cns.jit, native", "#0072b2", "circle"}, {"numba", "Numba", "#e69f00", "square"},
    {"luajit", "LuaJIT, FFI arrays", "#009e73", "diamond"},
    {"vm", "cns.jit, VM", "#56b4e9", "circle"},
    {"lua", "Lua 5.4, tables", "#d55e00", "square"},
}

local left, top, wide, step = 130, 70, 620, 22
local low, high = -3, 1 -- powers of 10

local function x_of(ratio)
    local power = math.log(ratio, 10)
    return left + wide * (math.max(low, math.min(high, power)) - low) / (high - low)
end

local out = {}
local function put(text, ...)
    out[#out + 1] = text:format(...)
end

local function mark(shape, x, y, colour)
    if shape == "circle" then
        put('<circle cx="%.1f" cy="%.1f" r="5" fill="%s"/>', x, y, colour)
    elseif shape == "square" then
        put('<rect x="%.1f" y="%.1f" width="8" height="8" fill="%s"/>', x - 4, y - 4, colour)
    else
        put('<path d="M%.1f %.1f l5.5 5.5 l-5.5 5.5 l-5.5 -5.5 z" fill="%s"/>', x, y - 5.5, colour)
    end
end

local names = {}
for _, case in ipairs(work.cases) do
    if times[case.name] and times[case.name].gcc then names[#names + 1] = case.name end
end
local bottom = top + #names * step

put('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif"'
    .. ' font-size="13" fill="#222">', left + wide + 30, bottom + 50)
put('<rect width="100%%" height="100%%" fill="#fff"/>')
put('<text x="%d" y="22" font-size="15" font-weight="bold">Speed against gcc -O3 -march=native,'
    .. ' data in the L2 cache</text>', left)
local x = left
for _, side in ipairs(sides) do
    mark(side[4], x + 5, 44, side[3])
    put('<text x="%d" y="48">%s</text>', x + 15, side[2])
    x = x + 45 + 7 * #side[2]
end
for power = low, high do
    local at = x_of(10 ^ power)
    put('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="%s"/>', at, at, top - 8, bottom,
        power == 0 and "#444" or "#ddd")
    put('<text x="%.1f" y="%d" text-anchor="middle">%s</text>', at, bottom + 20,
        power < 0 and ("1/%d"):format(10 ^ -power) or ("%d"):format(10 ^ power))
end
put('<text x="%d" y="%d" text-anchor="middle">times gcc\'s speed</text>', left + wide // 2,
    bottom + 40)
for i, name in ipairs(names) do
    local y = top + (i - 0.5) * step
    put('<text x="%d" y="%.1f" text-anchor="end">%s</text>', left - 12, y + 4, name)
    put('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#eee"/>', left, left + wide, y, y)
    for k = #sides, 1, -1 do
        local ns = times[name][sides[k][1]]
        if ns then
            mark(sides[k][4], x_of(times[name].gcc / ns), y, sides[k][3])
        end
    end
end
put("</svg>")
print(table.concat(out, "\n"))
