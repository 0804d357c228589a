-- SPDX-License-Identifier: MIT
--
-- loops_luajit.lua - the loops of loops.c as a LuaJIT programmer writes them: over FFI arrays from
-- 0, numbers where doubles are exact, 64-bit operations of the bit library elsewhere.

local bit = require "bit"

local loops = {}

local band, bor, bxor, lshift, rshift = bit.band, bit.bor, bit.bxor, bit.lshift, bit.rshift
local exp, log, sqrt = math.exp, math.log, math.sqrt

function loops.saxpy(n, a, x, y)
    for i = 0, n - 1 do y[i] = a * x[i] + y[i] end
end

function loops.dot(n, x, y)
    local s = 0
    for i = 0, n - 1 do s = s + x[i] * y[i] end
    return s
end

function loops.sum(n, x)
    local s = 0
    for i = 0, n - 1 do s = s + x[i] end
    return s
end

function loops.prefix_sum(n, x, y)
    local s = 0
    for i = 0, n - 1 do
        s = s + x[i]
        y[i] = s
    end
    return s
end

function loops.stencil3(n, x, y)
    if n == 0 then return end
    y[0], y[n - 1] = x[0], x[n - 1]
    for i = 1, n - 2 do y[i] = 0.25 * x[i - 1] + 0.5 * x[i] + 0.25 * x[i + 1] end
end

function loops.stencil2d(x, y, rows, columns)
    for row = 1, rows - 2 do
        for i = row * columns + 1, (row + 1) * columns - 2 do
            y[i] = 0.25 * (x[i - columns] + x[i - 1] + x[i + 1] + x[i + columns])
        end
    end
end

function loops.matmul(a, b, c, n)
    for i = 0, n - 1 do
        local row = i * n
        for j = row, row + n - 1 do c[j] = 0 end
        for k = 0, n - 1 do
            local factor, other = a[row + k], k * n
            for j = 0, n - 1 do c[row + j] = c[row + j] + factor * b[other + j] end
        end
    end
end

local function inverse_entry(i, j)
    return (i + j) * (i + j + 1) / 2 + i + 1 -- the product is even
end

local function multiply(n, x, y)
    for i = 0, n - 1 do
        local s = 0
        for j = 0, n - 1 do s = s + x[j] / inverse_entry(i, j) end
        y[i] = s
    end
end

local function multiply_transposed(n, x, y)
    for i = 0, n - 1 do
        local s = 0
        for j = 0, n - 1 do s = s + x[j] / inverse_entry(j, i) end
        y[i] = s
    end
end

function loops.spectral_norm(n, u, v, w, rounds)
    for i = 0, n - 1 do u[i], v[i] = 1, 0 end
    for _ = 1, rounds do
        multiply(n, u, w)
        multiply_transposed(n, w, v)
        multiply(n, v, w)
        multiply_transposed(n, w, u)
    end
    local above, below = 0, 0
    for i = 0, n - 1 do
        above = above + u[i] * v[i]
        below = below + v[i] * v[i]
    end
    return sqrt(above / below)
end

function loops.mandelbrot(out, width, height, limit, left, top, step)
    for row = 0, height - 1 do
        local ci = top + row * step
        for column = 0, width - 1 do
            local cr = left + column * step
            local zr, zi, n = 0, 0, 0
            while n < limit and zr * zr + zi * zi <= 4 do
                zr, zi, n = zr * zr - zi * zi + cr, 2 * zr * zi + ci, n + 1
            end
            out[row * width + column] = n
        end
    end
end

local function normal(d)
    local x = d
    if x < 0 then x = -x end
    local k = 1 / (1 + 0.2316419 * x)
    local tail = 0.3989422804014327 * exp(-0.5 * x * x) * (k * (0.31938153 + k * (-0.356563782
        + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))))
    if d < 0 then return tail end
    return 1 - tail
end

function loops.black_scholes(n, spot, strike, years, rate, volatility, call, put)
    for i = 0, n - 1 do
        local s, k, t = spot[i], strike[i], years[i]
        local deviation = volatility * sqrt(t)
        local d1 = (log(s / k) + (rate + 0.5 * volatility * volatility) * t) / deviation
        local n1, n2 = normal(d1), normal(d1 - deviation)
        local discounted = k * exp(-rate * t)
        call[i] = s * n1 - discounted * n2
        put[i] = discounted * (1 - n2) - s * (1 - n1)
    end
end

function loops.nbody(n, x, y, z, vx, vy, vz, mass, dt, steps)
    for _ = 1, steps do
        for i = 0, n - 1 do
            local xi, yi, zi, mi = x[i], y[i], z[i], mass[i]
            local ax, ay, az = vx[i], vy[i], vz[i]
            for j = i + 1, n - 1 do
                local dx, dy, dz = xi - x[j], yi - y[j], zi - z[j]
                local square = dx * dx + dy * dy + dz * dz
                local strength = dt / (square * sqrt(square))
                local mine, other = mass[j] * strength, mi * strength
                ax, ay, az = ax - dx * mine, ay - dy * mine, az - dz * mine
                vx[j] = vx[j] + dx * other
                vy[j] = vy[j] + dy * other
                vz[j] = vz[j] + dz * other
            end
            vx[i], vy[i], vz[i] = ax, ay, az
        end
        for i = 0, n - 1 do
            x[i] = x[i] + dt * vx[i]
            y[i] = y[i] + dt * vy[i]
            z[i] = z[i] + dt * vz[i]
        end
    end
end

function loops.histogram(n, values, counts)
    for i = 0, n - 1 do
        local bin = values[i]
        counts[bin] = counts[bin] + 1
    end
end

function loops.sieve(n, flags)
    for i = 0, n - 1 do flags[i] = 1 end
    if n >= 1 then flags[0] = 0 end
    local i = 2
    while i * i <= n do
        if flags[i - 1] == 1 then
            for k = i * i - 1, n - 1, i do flags[k] = 0 end
        end
        i = i + 1
    end
    local count = 0
    for k = 0, n - 1 do count = count + flags[k] end
    return count
end

function loops.fnv1a64(n, bytes)
    local h = 0xcbf29ce484222325ULL
    for i = 0, n - 1 do h = bxor(h, bytes[i]) * 0x100000001b3ULL end
    return h
end

function loops.validate(constraints, kinds, limits, n, values, violations)
    local total = 0
    for c = 0, constraints - 1 do
        local kind, limit, broken = kinds[c], limits[c], 0
        if kind == 1 then
            for i = 0, n - 1 do
                if values[i] < limit then broken = broken + 1 end
            end
        elseif kind == 2 then
            for i = 0, n - 1 do
                if values[i] > limit then broken = broken + 1 end
            end
        else
            for i = 0, n - 1 do
                if values[i] ~= limit then broken = broken + 1 end
            end
        end
        violations[c] = broken
        total = total + broken
    end
    return total
end

function loops.range_matrix(n, values, columns, low, high, inside)
    local count = 0
    for i = 0, n - 1 do
        local value, at = values[i], i * columns
        for j = 0, columns - 1 do
            local flag = 0
            if low[j] <= value and value <= high[j] then flag = 1 end
            inside[at + j] = flag
            count = count + flag
        end
    end
    return count
end

function loops.split_triples(n, triples, x, y, z)
    local count = 0
    for i = 0, math.floor(n / 3) - 1 do
        local a, b, c = triples[3 * i], triples[3 * i + 1], triples[3 * i + 2]
        x[i], y[i], z[i] = a, b, c
        if a ~= 0 or b ~= 0 or c ~= 0 then count = count + 1 end
    end
    return count
end

function loops.peephole(n, code, out)
    local length, last = 0, 0LL
    for i = 0, n - 1 do
        local word = code[i]
        local op, last_op = band(word, 0xff), band(last, 0xff)
        local a, b = band(rshift(word, 8), 0xffff), band(rshift(word, 24), 0xffff)
        local last_a = band(rshift(last, 8), 0xffff)
        local last_b = band(rshift(last, 24), 0xffff)
        if op == 2 and last_op == 1 and a == last_a then
            last = bor(4LL, lshift(a, 8), lshift(last_b, 24), lshift(b, 40))
            out[length - 1] = last
        elseif op == 3 and last_op == 3 and a == last_a and b ~= a then
            last = word
            out[length - 1] = last
        elseif op ~= 0 and not (op == 3 and last_op == 3 and a == last_b and b == last_a) then
            last = word
            out[length] = last
            length = length + 1
        end
    end
    return length
end

function loops.dispatch(n, kinds, payloads, handlers, operations, targets, state)
    local handled = 0
    for i = 0, n - 1 do
        local handler = handlers[kinds[i]]
        if handler ~= 0 then
            local operation, target, value = operations[handler - 1], targets[handler - 1] - 1,
                payloads[i]
            if operation == 1 then
                state[target] = state[target] + value
            elseif operation == 2 then
                state[target] = value
            elseif operation == 3 then
                if value > state[target] then state[target] = value end
            else
                state[target] = state[target] + 1
            end
            handled = handled + 1
        end
    end
    return handled
end

function loops.first_fit(n, requests, holes, starts, lengths, offsets)
    local placed = 0
    for i = 0, n - 1 do
        local size, found = requests[i], -1
        for hole = 0, holes - 1 do
            if lengths[hole] >= size then
                found = hole
                break
            end
        end
        if found < 0 then
            offsets[i] = -1
        else
            offsets[i] = starts[found]
            starts[found] = starts[found] + size
            lengths[found] = lengths[found] - size
            placed = placed + 1
        end
    end
    return placed
end

function loops.pipeline_order(stages, first, edges, followers, waits, order)
    local ordered, done = 0, 0
    for s = 0, stages - 1 do waits[s] = 0 end
    for e = 0, edges - 1 do
        local s = followers[e] - 1
        waits[s] = waits[s] + 1
    end
    for s = 0, stages - 1 do
        if waits[s] == 0 then
            order[ordered] = s + 1
            ordered = ordered + 1
        end
    end
    while done < ordered do
        local stage = order[done]
        done = done + 1
        for e = first[stage - 1], first[stage] - 1 do
            local s = followers[e - 1]
            local left = waits[s - 1] - 1
            waits[s - 1] = left
            if left == 0 then
                order[ordered] = s
                ordered = ordered + 1
            end
        end
    end
    return ordered
end

function loops.handler_code(n, operations, targets, code, entries)
    local length = 0
    for i = 0, n - 1 do
        local operation, target = operations[i], targets[i] * 16777216
        entries[i] = length + 1
        if operation == 2 then
            code[length] = 258 + target
            length = length + 1
        else
            code[length] = 1 + target
            if operation == 1 then
                code[length + 1] = 16777221
            elseif operation == 3 then
                code[length + 1] = 16777222
            else
                code[length + 1] = 16777735
                code[length + 2] = 33554437
                length = length + 1
            end
            code[length + 2] = 2 + target
            length = length + 3
        end
        code[length] = 8
        length = length + 1
    end
    return length
end

return loops
