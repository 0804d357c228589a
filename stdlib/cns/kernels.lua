-- SPDX-License-Identifier: MIT
--
-- cns.kernels - loops that numerical, simulation and engine code is made of, for cns.jit.
--
--     local kernels = require "cns.kernels"
--     local saxpy = cns.jit(kernels.saxpy)
--     saxpy(2.0, x, y)
--
-- Each is a plain Lua function over cns.buffer objects (or anything else that has x[i] and #x): run
-- by Lua it gives what the compiled one gives, bit for bit. Indexes are from 1; results go into
-- buffers of the caller's, which may be of any element type that can hold them.

local kernels = {}

local exp, log, sqrt = math.exp, math.log, math.sqrt

---------------------------------------------------------------------------------------------------
-- Vectors

---y[i] = a * x[i] + y[i]
---@param a number
---@param x cns.buffer
---@param y cns.buffer at least as long as x
function kernels.saxpy(a, x, y)
    for i = 1, #x do
        y[i] = a * x[i] + y[i]
    end
end

---@param x cns.buffer
---@param y cns.buffer at least as long as x
---@return number
function kernels.dot(x, y)
    local s = 0.0
    for i = 1, #x do
        s = s + x[i] * y[i]
    end
    return s
end

---@param x cns.buffer
---@return number total the integer 0 for no element
function kernels.sum(x)
    local s = 0
    for i = 1, #x do
        s = s + x[i]
    end
    return s
end

---y[i] = x[1] + ... + x[i]; y may be x.
---@param x cns.buffer
---@param y cns.buffer
---@return number total
function kernels.prefix_sum(x, y)
    local s = 0
    for i = 1, #x do
        s = s + x[i]
        y[i] = s
    end
    return s
end

---------------------------------------------------------------------------------------------------
-- Grids and matrices, row by row

---The weighted mean of each inner element and its neighbours; the ends are copied.
---@param x cns.buffer
---@param y cns.buffer another buffer
function kernels.stencil3(x, y)
    local n = #x
    if n == 0 then
        return
    end
    y[1] = x[1]
    y[n] = x[n]
    for i = 2, n - 1 do
        y[i] = 0.25 * x[i - 1] + 0.5 * x[i] + 0.25 * x[i + 1]
    end
end

---One step of Jacobi's method for the heat equation: the mean of the four neighbours. The border
---of y is left as it is.
---@param x cns.buffer rows * columns elements
---@param y cns.buffer another buffer
---@param rows integer
---@param columns integer
function kernels.stencil2d(x, y, rows, columns)
    for row = 1, rows - 2 do
        local at = row * columns
        for i = at + 2, at + columns - 1 do
            y[i] = 0.25 * (x[i - columns] + x[i - 1] + x[i + 1] + x[i + columns])
        end
    end
end

---c = a * b for n x n matrices, in the order i, k, j: all accesses are by rows.
---@param a cns.buffer
---@param b cns.buffer
---@param c cns.buffer overwritten; neither a nor b
---@param n integer
function kernels.matmul(a, b, c, n)
    for i = 0, n - 1 do
        local row = i * n
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

-- 1 / a(i, j) of the infinite matrix whose spectral norm is asked; i and j from 0.
local function inverse_entry(i, j)
    return (i + j) * (i + j + 1) // 2 + i + 1
end

local function multiply(n, x, y)
    for i = 0, n - 1 do
        local s = 0.0
        for j = 0, n - 1 do
            s = s + x[j + 1] / inverse_entry(i, j)
        end
        y[i + 1] = s
    end
end

local function multiply_transposed(n, x, y)
    for i = 0, n - 1 do
        local s = 0.0
        for j = 0, n - 1 do
            s = s + x[j + 1] / inverse_entry(j, i)
        end
        y[i + 1] = s
    end
end

---The spectral norm of a(i, j) = 1 / ((i + j) * (i + j + 1) / 2 + i + 1), by `rounds` steps of the
---power method (the Computer Language Benchmarks Game).
---@param u cns.buffer n floats, overwritten
---@param v cns.buffer the same
---@param w cns.buffer the same
---@param rounds integer
---@return number
function kernels.spectral_norm(u, v, w, rounds)
    local n = #u
    for i = 1, n do
        u[i] = 1.0
        v[i] = 0.0
    end
    for _ = 1, rounds do
        multiply(n, u, w)
        multiply_transposed(n, w, v)
        multiply(n, v, w)
        multiply_transposed(n, w, u)
    end
    local above, below = 0.0, 0.0
    for i = 1, n do
        above = above + u[i] * v[i]
        below = below + v[i] * v[i]
    end
    return sqrt(above / below)
end

---------------------------------------------------------------------------------------------------
-- Simulation and finance

---How many steps z = z * z + c takes to leave the circle of radius 2, at most `limit`, for each
---pixel of the image of [left, left + step * width) x [top, top + step * height).
---@param out cns.buffer width * height integers
---@param width integer
---@param height integer
---@param limit integer
---@param left number
---@param top number
---@param step number
function kernels.mandelbrot(out, width, height, limit, left, top, step)
    for row = 0, height - 1 do
        local ci = top + row * step
        for column = 0, width - 1 do
            local cr = left + column * step
            local zr, zi, n = 0.0, 0.0, 0
            while n < limit and zr * zr + zi * zi <= 4.0 do
                zr, zi, n = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci, n + 1
            end
            out[row * width + column + 1] = n
        end
    end
end

-- The cumulative normal distribution (Abramowitz and Stegun 26.2.17, error below 7.5e-8).
local function normal(d)
    local x = d
    if x < 0.0 then
        x = -x
    end
    local k = 1.0 / (1.0 + 0.2316419 * x)
    local tail = 0.3989422804014327 * exp(-0.5 * x * x) * (k * (0.31938153 + k * (-0.356563782
        + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))))
    if d < 0.0 then
        return tail
    end
    return 1.0 - tail
end

---Prices of European options by the model of Black and Scholes (1973).
---@param spot cns.buffer
---@param strike cns.buffer
---@param years cns.buffer
---@param rate number without risk, a year
---@param volatility number
---@param call cns.buffer
---@param put cns.buffer
function kernels.black_scholes(spot, strike, years, rate, volatility, call, put)
    for i = 1, #spot do
        local s, k, t = spot[i], strike[i], years[i]
        local deviation = volatility * sqrt(t)
        local d1 = (log(s / k) + (rate + 0.5 * volatility * volatility) * t) / deviation
        local d2 = d1 - deviation
        local n1, n2 = normal(d1), normal(d2)
        local discounted = k * exp(-rate * t)
        call[i] = s * n1 - discounted * n2
        put[i] = discounted * (1.0 - n2) - s * (1.0 - n1)
    end
end

---`steps` steps of length dt of bodies under their gravitation (the Benchmarks Game's n-body).
---@param x cns.buffer positions; y, z too
---@param vx cns.buffer velocities; vy, vz too
---@param mass cns.buffer
---@param dt number
---@param steps integer
function kernels.nbody(x, y, z, vx, vy, vz, mass, dt, steps)
    local n = #x
    for _ = 1, steps do
        for i = 1, n do
            local xi, yi, zi, mi = x[i], y[i], z[i], mass[i]
            local ax, ay, az = vx[i], vy[i], vz[i]
            for j = i + 1, n do
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
        for i = 1, n do
            x[i] = x[i] + dt * vx[i]
            y[i] = y[i] + dt * vy[i]
            z[i] = z[i] + dt * vz[i]
        end
    end
end

---------------------------------------------------------------------------------------------------
-- Integers and bytes

---counts[v + 1] grows by one for each element v.
---@param values cns.buffer integers from 0
---@param counts cns.buffer more elements than the largest value
function kernels.histogram(values, counts)
    for i = 1, #values do
        local bin = values[i] + 1
        counts[bin] = counts[bin] + 1
    end
end

---The sieve of Eratosthenes: flags[i] becomes 1 where i is prime, else 0.
---@param flags cns.buffer
---@return integer count of primes up to #flags
function kernels.sieve(flags)
    local n = #flags
    for i = 1, n do
        flags[i] = 1
    end
    if n >= 1 then
        flags[1] = 0
    end
    local i = 2
    while i * i <= n do
        if flags[i] == 1 then
            for k = i * i, n, i do
                flags[k] = 0
            end
        end
        i = i + 1
    end
    local count = 0
    for k = 1, n do
        count = count + flags[k]
    end
    return count
end

---The 64-bit FNV-1a hash of bytes (Fowler, Noll, Vo).
---@param bytes cns.buffer u8
---@return integer
function kernels.fnv1a64(bytes)
    local h = 0xcbf29ce484222325
    for i = 1, #bytes do
        h = (h ~ bytes[i]) * 0x100000001b3
    end
    return h
end

---------------------------------------------------------------------------------------------------
-- Constraints and columns

---Each constraint is held against all values: kind 1 wants at least `limit`, 2 at most, 3 exactly.
---@param kinds cns.buffer 1, 2 or 3
---@param limits cns.buffer
---@param values cns.buffer
---@param violations cns.buffer the number of values that break each constraint
---@return integer total
function kernels.validate(kinds, limits, values, violations)
    local total = 0
    for c = 1, #kinds do
        local kind, limit, broken = kinds[c], limits[c], 0
        if kind == 1 then
            for i = 1, #values do
                if values[i] < limit then broken = broken + 1 end
            end
        elseif kind == 2 then
            for i = 1, #values do
                if values[i] > limit then broken = broken + 1 end
            end
        else
            for i = 1, #values do
                if values[i] ~= limit then broken = broken + 1 end
            end
        end
        violations[c] = broken
        total = total + broken
    end
    return total
end

---inside[(i - 1) * #low + j] becomes 1 where low[j] <= values[i] <= high[j], else 0.
---@param values cns.buffer
---@param low cns.buffer
---@param high cns.buffer
---@param inside cns.buffer #values * #low elements
---@return integer count of ones
function kernels.range_matrix(values, low, high, inside)
    local columns, count = #low, 0
    for i = 1, #values do
        local value, at = values[i], (i - 1) * columns
        for j = 1, columns do
            local flag = 0
            if low[j] <= value and value <= high[j] then
                flag = 1
            end
            inside[at + j] = flag
            count = count + flag
        end
    end
    return count
end

---x1 y1 z1 x2 y2 z2 ... into three columns.
---@param triples cns.buffer what is left over after the last whole triple is not looked at
---@param x cns.buffer #triples // 3 elements; y, z too
---@return integer count of the triples that are not 0, 0, 0
function kernels.split_triples(triples, x, y, z)
    local count = 0
    for i = 1, #triples // 3 do
        local at = 3 * i
        local a, b, c = triples[at - 2], triples[at - 1], triples[at]
        x[i], y[i], z[i] = a, b, c
        if a ~= 0 or b ~= 0 or c ~= 0 then
            count = count + 1
        end
    end
    return count
end

---------------------------------------------------------------------------------------------------
-- Engines: instruction streams, signals, pools, pipelines
--
-- An instruction is an i64: its opcode in bits 0 to 7, then operands a, b, c of 16 bits each.
--     0 NOP   1 LOAD a = memory[b]   2 STORE memory[b] = a   3 MOV a = b
--     4 COPY a = memory[b], memory[c] = a   5 ADD a = a + b   6 MAX a = max(a, b)   7 CONST a = b
--     8 RETURN

---One pass of peephole optimisation over straight code. NOPs go; LOAD r, m and STORE r, k become
---COPY r, m, k; of MOV a, b and MOV b, a the second goes; of MOV a, b and MOV a, c the first.
---@param code cns.buffer i64
---@param out cns.buffer i64, as long; may be code itself
---@return integer length of what is in out
function kernels.peephole(code, out)
    local length, last = 0, 0
    for i = 1, #code do
        local word = code[i]
        local op, last_op = word & 0xff, last & 0xff
        local a, b = word >> 8 & 0xffff, word >> 24 & 0xffff
        local last_a, last_b = last >> 8 & 0xffff, last >> 24 & 0xffff
        if op == 2 and last_op == 1 and a == last_a then
            last = 4 | a << 8 | last_b << 24 | b << 40
            out[length] = last
        elseif op == 3 and last_op == 3 and a == last_a and b ~= a then
            last = word
            out[length] = last
        elseif op ~= 0 and not (op == 3 and last_op == 3 and a == last_b and b == last_a) then
            length, last = length + 1, word
            out[length] = last
        end
    end
    return length
end

---Sends signals to their handlers. The handler of kind k is handlers[k + 1]: 0 ignores the signal;
---else its operation (1 add, 2 set, 3 greatest, 4 count) changes the state at its target.
---@param kinds cns.buffer of the signals, from 0
---@param payloads cns.buffer
---@param handlers cns.buffer by kind: a handler's number or 0
---@param operations cns.buffer by handler
---@param targets cns.buffer by handler: an index into state
---@param state cns.buffer
---@return integer handled
function kernels.dispatch(kinds, payloads, handlers, operations, targets, state)
    local handled = 0
    for i = 1, #kinds do
        local handler = handlers[kinds[i] + 1]
        if handler ~= 0 then
            local operation, target, value = operations[handler], targets[handler], payloads[i]
            if operation == 1 then
                state[target] = state[target] + value
            elseif operation == 2 then
                state[target] = value
            elseif operation == 3 then
                if value > state[target] then
                    state[target] = value
                end
            else
                state[target] = state[target] + 1
            end
            handled = handled + 1
        end
    end
    return handled
end

---First-fit allocation: each request takes the beginning of the first hole that is large enough.
---@param requests cns.buffer sizes
---@param starts cns.buffer of the holes; changed
---@param lengths cns.buffer of the holes; changed
---@param offsets cns.buffer where each request was placed, or -1
---@return integer placed
function kernels.first_fit(requests, starts, lengths, offsets)
    local placed = 0
    for i = 1, #requests do
        local size, found = requests[i], 0
        for hole = 1, #lengths do
            if lengths[hole] >= size then
                found = hole
                break
            end
        end
        if found == 0 then
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

---Orders the stages of a pipeline so that each comes after those that it depends on (Kahn 1962).
---The stages that depend on stage s are followers[first[s]] ... followers[first[s + 1] - 1].
---@param first cns.buffer one element more than there are stages
---@param followers cns.buffer
---@param waits cns.buffer as many elements as stages, overwritten
---@param order cns.buffer the stages in order
---@return integer ordered less than the number of stages where dependencies go in circles
function kernels.pipeline_order(first, followers, waits, order)
    local stages, ordered, done = #waits, 0, 0
    for s = 1, stages do
        waits[s] = 0
    end
    for e = 1, #followers do
        local s = followers[e]
        waits[s] = waits[s] + 1
    end
    for s = 1, stages do
        if waits[s] == 0 then
            ordered = ordered + 1
            order[ordered] = s
        end
    end
    while done < ordered do
        done = done + 1
        local stage = order[done]
        for e = first[stage], first[stage + 1] - 1 do
            local s = followers[e]
            local left = waits[s] - 1
            waits[s] = left
            if left == 0 then
                ordered = ordered + 1
                order[ordered] = s
            end
        end
    end
    return ordered
end

---Writes the instructions of handlers (see dispatch): the state is loaded into register 0, the
---payload is in register 1.
---@param operations cns.buffer by handler
---@param targets cns.buffer by handler
---@param code cns.buffer i64, 5 elements a handler
---@param entries cns.buffer the index of each handler's first instruction
---@return integer length
function kernels.handler_code(operations, targets, code, entries)
    local length = 0
    for i = 1, #operations do
        local operation, target = operations[i], targets[i]
        entries[i] = length + 1
        if operation == 2 then
            code[length + 1] = 2 | 1 << 8 | target << 24
            length = length + 1
        else
            code[length + 1] = 1 | target << 24
            if operation == 1 then
                code[length + 2] = 5 | 1 << 24
            elseif operation == 3 then
                code[length + 2] = 6 | 1 << 24
            else
                code[length + 2] = 7 | 2 << 8 | 1 << 24
                code[length + 3] = 5 | 2 << 24
                length = length + 1
            end
            code[length + 3] = 2 | target << 24
            length = length + 3
        end
        code[length + 1] = 8
        length = length + 1
    end
    return length
end

return kernels
