-- SPDX-License-Identifier: MIT
--
-- peer_engine.lua TIER - cns.kernels compiled (native, vm, scalar; unoptimised: scalar as built),
-- or "lua": the same functions over plain tables, run by Lua; or "parallel": some of them over
-- cns.prange.

local cns = require "cns"
local kernels = require "cns.kernels"
local work = require "work"

local tier = arg[1]
local options = {native = {tier = "native"}, vm = {tier = "vm"}, scalar = {tier = "scalar"},
    unoptimised = {tier = "scalar", optimise = false}, parallel = {tier = "native"}}

local function mix(i, salt)
    local m = (i * 7919 + salt * 104729) % 1000003
    return m * m % 1000003
end

-- work.element for all elements; memory-sized inputs would take minutes in Lua.
local function fill(x, form, salt, modulo, scale, add)
    for i = 1, #x do
        if form == 1 then
            x[i] = mix(i, salt) % modulo * scale + add
        elseif form == 2 then
            x[i] = mix(i, salt) % 9 + mix(i, salt + 1) % 4 * 256 + mix(i, salt + 2) % 4 * 16777216
        elseif form == 3 then
            x[i] = math.min(2 * i - 1, salt)
        else
            x[i] = (i + 1) // 2 + 1 + mix(i, salt) % 64
        end
    end
end

local forms = {mix = 1, word = 2, first = 3, follower = 4}

-- Nanoseconds until the first kernel of this process has run; loads LLVM, where there is one.
local fill_kernel, first_use
do
    local began = cns.clock_ns()
    fill_kernel = cns.jit(fill, {wait = true})
    fill_kernel(cns.buffer("f64", 1), 1, 0, 1, 1, 0)
    first_use = cns.clock_ns() - began
end

local function array(d)
    local n = math.tointeger(d.n)
    if tier == "lua" then
        local list, element = {}, work.element
        local integral = d.kind ~= "f64"
        for i = 1, n do
            list[i] = integral and math.tointeger(element(d, i)) or element(d, i)
        end
        return list
    end
    local buffer = cns.buffer(d.kind, n)
    fill_kernel(buffer, forms[d.form], d.salt, d.modulo, d.scale, d.add)
    return buffer
end

local compiled = {}

local parallel = {}

function parallel.mandelbrot(out, width, height, limit, left, top, step)
    for at in cns.prange(width * height) do
        local row, column = (at - 1) // width, (at - 1) % width
        local ci, cr = top + row * step, left + column * step
        local zr, zi, n = 0.0, 0.0, 0
        while n < limit and zr * zr + zi * zi <= 4.0 do
            zr, zi, n = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci, n + 1
        end
        out[at] = n
    end
end

function parallel.matmul(a, b, c, n)
    for i in cns.prange(n) do
        local row = (i - 1) * n
        for j = row + 1, row + n do
            c[j] = 0.0
        end
        for k = 1, n do
            local factor, other = a[row + k], (k - 1) * n
            for j = 1, n do
                c[row + j] = c[row + j] + factor * b[other + j]
            end
        end
    end
end

local function kernel_of(name)
    if tier == "lua" then
        return kernels[name]
    end
    compiled[name] = compiled[name]
        or cns.jit((tier == "parallel" and parallel or kernels)[name], options[tier])
    return compiled[name]
end

local function prepare(case, size, kernel)
    local descriptions = case.args(size)
    local arguments = {}
    for i, d in ipairs(descriptions) do
        arguments[i] = type(d) == "table" and array(d) or d
    end
    local f, unpack = kernel or kernel_of(case.name), table.unpack
    return function(calls)
        local returned
        for _ = 1, calls do returned = f(unpack(arguments)) end
        return returned
    end, function(returned)
        if case.name == "fnv1a64" then
            returned = returned & 0xffffffff
        end
        return work.checksum(case, arguments, descriptions, returned,
            function(x, i) return x[math.tointeger(i)] end)
    end
end

-- ---- compile time and call cost ----------------------------------------------------------------

-- Nanoseconds to compile a kernel from nothing.
local function compile(name)
    local types = work.types_of(work.cases[name])
    collectgarbage()
    local began = cns.clock_ns()
    local kernel <close> = cns.jit(kernels[name], options[tier])
    kernel:compile(table.unpack(types))
    return cns.clock_ns() - began
end

-- Nanoseconds from the IR to machine code that was in the cache: the median of some loads. One of
-- them must then do what code that is compiled here does.
local function load(name)
    local case, times, sums = work.cases[name], {}, {}
    local function make(cache)
        return cns.jit(kernels[name], {tier = "native", cache = cache})
            :compile(table.unpack(work.types_of(case)))
    end
    make(true):close() -- into the cache
    for i = 1, 9 do
        collectgarbage()
        local kernel <close> = make(true)
        local stats = kernel:stats()
        assert(stats.cached, "the kernel was not kept in the cache")
        times[i] = stats.native_ns
    end
    for i, cache in ipairs {true, false} do
        local kernel <close> = make(cache)
        local run, checksum = prepare(case, case.l2, kernel)
        sums[i] = checksum(run(1))
    end
    assert(sums[1] == sums[2], "code from the cache gives another answer")
    table.sort(times)
    return times[5]
end

-- Instructions of a kernel's bytecode: those of its listing, which are numbered.
local function length(name)
    local kernel <close> = cns.jit(kernels[name], options[tier])
    kernel:compile(table.unpack(work.types_of(work.cases[name])))
    local _, count = ("\n" .. kernel:bytecode()):gsub("\n *%d+  %[", "")
    return count
end

local function calls_of(f, n, a, b, c)
    local began = cns.clock_ns()
    for _ = 1, n do f(a, b, c) end
    return (cns.clock_ns() - began) / n
end

-- Nanoseconds of calls of a kernel and of a C function that does the same; a few times each, the
-- least, since what disturbs only adds. Arguments: 3 floats; or 1 float and 2 arrays of 4.
local calls = {}

local function compare(n, mine, other)
    local least, least_other = math.huge, math.huge
    for _ = 1, 10 do
        least = math.min(least, calls_of(mine[1], n, mine[2], mine[3], mine[4]))
        least_other = math.min(least_other, calls_of(other[1], n, other[2], other[3], other[4]))
    end
    return ("%.17g %.17g"):format(least, least_other)
end

function calls.floats()
    local c = require "calls"
    local f = cns.jit(function(a, b, d) return a + b + d end, options[tier])
    assert(f(1.5, 2.5, 3.5) == c.sum(1.5, 2.5, 3.5))
    return compare(20000, {f, 1.5, 2.5, 3.5}, {c.sum, 1.5, 2.5, 3.5})
end

function calls.buffers()
    local c = require "calls"
    local f = cns.jit(kernels.saxpy, options[tier])
    local x, y = cns.buffer("f64", {0.5, 0.5, 0.5, 0.5}), cns.buffer("f64", {1, 1, 1, 1})
    local cx, cy = c.array(4, 0.5), c.array(4, 1)
    f(1e-3, x, y)
    c.saxpy(1e-3, cx, cy)
    local answer = compare(20000, {f, 1e-3, x, y}, {c.saxpy, 1e-3, cx, cy})
    for i = 1, 4 do assert(y[i] == c.get(cy, i)) end
    return answer
end

work.serve(prepare, cns.clock_ns, function(line)
    local name = line:match("^compile (%S+)$")
    if name then
        return ("%d"):format(compile(name))
    end
    name = line:match("^load (%S+)$")
    if name then
        return ("%d"):format(load(name))
    end
    name = line:match("^length (%S+)$")
    if name then
        return ("%d"):format(length(name))
    elseif line == "first" then
        return ("%d"):format(first_use)
    end
    name = line:match("^call (%S+)$")
    return name and calls[name]()
end)
