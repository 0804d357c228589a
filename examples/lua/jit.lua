-- SPDX-License-Identifier: MIT
--
-- jit.lua - one function three times: run by Lua, compiled, and compiled for all cores.

local cns = require "cns"

local width, height, limit = 150, 50, 2000

-- How often each point of the plane can be squared before it is far away.
local function escape(cr, ci)
    local zr, zi, n = 0.0, 0.0, 0
    while n < limit and zr * zr + zi * zi <= 4.0 do
        zr, zi, n = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci, n + 1
    end
    return n
end

local function mandelbrot(image)
    for i = 1, #image do
        local x, y = (i - 1) % width, (i - 1) // width
        image[i] = escape(3.0 * x / width - 2.25, 2.4 * y / height - 1.2)
    end
end

-- The same with iterations that run at once; in plain Lua, cns.prange counts like a numeric for.
local function mandelbrot_parallel(image)
    for i in cns.prange(#image) do
        local x, y = (i - 1) % width, (i - 1) // width
        image[i] = escape(3.0 * x / width - 2.25, 2.4 * y / height - 1.2)
    end
end

local function measure(what, draw)
    local image = cns.buffer("i32", width * height)
    local best = math.huge
    for _ = 1, 3 do
        local began = cns.clock()
        draw(image)
        best = math.min(best, cns.clock() - began)
    end
    print(("%-24s %8.2f ms"):format(what, best * 1e3))
    return image
end

local kernel = cns.jit(mandelbrot, {wait = true})
local parallel = cns.jit(mandelbrot_parallel, {wait = true})
kernel:compile("i32[]")
parallel:compile("i32[]")

local expected = measure("Lua", mandelbrot)
local compiled = measure("kernel, " .. kernel:tier(), kernel)
local spread = measure("over cns.prange", parallel)
assert(compiled:bytes() == expected:bytes() and spread:bytes() == expected:bytes())

local shades = " .,:;i1tfLCG08@"
for y = 0, height - 1, 2 do
    local line = {}
    for x = 1, width, 2 do
        local n = compiled[y * width + x]
        local shade = n == limit and #shades or n % (#shades - 1) + 1
        line[#line + 1] = shades:sub(shade, shade)
    end
    print(table.concat(line))
end

-- What was done, line by line.
print(kernel:explain())
