# SPDX-License-Identifier: MIT
"""peer_numba.py - the loops of loops.c for Numba, over NumPy arrays from 0; see work.lua."""

import math
import sys
import time

import numba
import numpy as np

KINDS = {"u8": np.uint8, "u16": np.uint16, "i32": np.int32, "u32": np.uint32, "i64": np.int64,
         "f64": np.float64}


@numba.njit
def saxpy(a, x, y):
    for i in range(x.size):
        y[i] = a * x[i] + y[i]


@numba.njit
def dot(x, y):
    s = 0.0
    for i in range(x.size):
        s += x[i] * y[i]
    return s


@numba.njit
def sum_(x):
    s = 0.0
    for i in range(x.size):
        s += x[i]
    return s


@numba.njit
def prefix_sum(x, y):
    s = 0.0
    for i in range(x.size):
        s += x[i]
        y[i] = s
    return s


@numba.njit
def stencil3(x, y):
    n = x.size
    y[0] = x[0]
    y[n - 1] = x[n - 1]
    for i in range(1, n - 1):
        y[i] = 0.25 * x[i - 1] + 0.5 * x[i] + 0.25 * x[i + 1]


@numba.njit
def stencil2d(x, y, rows, columns):
    for row in range(1, rows - 1):
        for i in range(row * columns + 1, (row + 1) * columns - 1):
            y[i] = 0.25 * (x[i - columns] + x[i - 1] + x[i + 1] + x[i + columns])


@numba.njit
def matmul(a, b, c, n):
    for i in range(n):
        for j in range(n):
            c[i * n + j] = 0.0
        for k in range(n):
            factor = a[i * n + k]
            for j in range(n):
                c[i * n + j] += factor * b[k * n + j]


@numba.njit
def inverse_entry(i, j):
    return (i + j) * (i + j + 1) // 2 + i + 1


@numba.njit
def multiply(x, y):
    for i in range(x.size):
        s = 0.0
        for j in range(x.size):
            s += x[j] / inverse_entry(i, j)
        y[i] = s


@numba.njit
def multiply_transposed(x, y):
    for i in range(x.size):
        s = 0.0
        for j in range(x.size):
            s += x[j] / inverse_entry(j, i)
        y[i] = s


@numba.njit
def spectral_norm(u, v, w, rounds):
    for i in range(u.size):
        u[i] = 1.0
        v[i] = 0.0
    for _ in range(rounds):
        multiply(u, w)
        multiply_transposed(w, v)
        multiply(v, w)
        multiply_transposed(w, u)
    above = 0.0
    below = 0.0
    for i in range(u.size):
        above += u[i] * v[i]
        below += v[i] * v[i]
    return math.sqrt(above / below)


@numba.njit
def mandelbrot(out, width, height, limit, left, top, step):
    for row in range(height):
        ci = top + row * step
        for column in range(width):
            cr = left + column * step
            zr = 0.0
            zi = 0.0
            n = 0
            while n < limit and zr * zr + zi * zi <= 4.0:
                zr, zi = zr * zr - zi * zi + cr, 2.0 * zr * zi + ci
                n += 1
            out[row * width + column] = n


@numba.njit
def normal(d):
    x = -d if d < 0.0 else d
    k = 1.0 / (1.0 + 0.2316419 * x)
    tail = 0.3989422804014327 * math.exp(-0.5 * x * x) * (
        k * (0.31938153 + k * (-0.356563782 + k * (
            1.781477937 + k * (-1.821255978 + k * 1.330274429)))))
    return tail if d < 0.0 else 1.0 - tail


@numba.njit
def black_scholes(spot, strike, years, rate, volatility, call, put):
    for i in range(spot.size):
        s = spot[i]
        k = strike[i]
        t = years[i]
        deviation = volatility * math.sqrt(t)
        d1 = (math.log(s / k) + (rate + 0.5 * volatility * volatility) * t) / deviation
        n1 = normal(d1)
        n2 = normal(d1 - deviation)
        discounted = k * math.exp(-rate * t)
        call[i] = s * n1 - discounted * n2
        put[i] = discounted * (1.0 - n2) - s * (1.0 - n1)


@numba.njit
def nbody(x, y, z, vx, vy, vz, mass, dt, steps):
    n = x.size
    for _ in range(steps):
        for i in range(n):
            ax = vx[i]
            ay = vy[i]
            az = vz[i]
            for j in range(i + 1, n):
                dx = x[i] - x[j]
                dy = y[i] - y[j]
                dz = z[i] - z[j]
                square = dx * dx + dy * dy + dz * dz
                strength = dt / (square * math.sqrt(square))
                mine = mass[j] * strength
                other = mass[i] * strength
                ax -= dx * mine
                ay -= dy * mine
                az -= dz * mine
                vx[j] += dx * other
                vy[j] += dy * other
                vz[j] += dz * other
            vx[i] = ax
            vy[i] = ay
            vz[i] = az
        for i in range(n):
            x[i] += dt * vx[i]
            y[i] += dt * vy[i]
            z[i] += dt * vz[i]


@numba.njit
def histogram(values, counts):
    for i in range(values.size):
        counts[values[i]] += 1


@numba.njit
def sieve(flags):
    n = flags.size
    for i in range(n):
        flags[i] = 1
    if n >= 1:
        flags[0] = 0
    i = 2
    while i * i <= n:
        if flags[i - 1]:
            for k in range(i * i - 1, n, i):
                flags[k] = 0
        i += 1
    count = 0
    for k in range(n):
        count += flags[k]
    return count


@numba.njit
def fnv1a64(data):
    h = np.uint64(0xcbf29ce484222325)
    for i in range(data.size):
        h = (h ^ np.uint64(data[i])) * np.uint64(0x100000001b3)
    return h


@numba.njit
def validate(kinds, limits, values, violations):
    total = 0
    for c in range(kinds.size):
        limit = limits[c]
        broken = 0
        if kinds[c] == 1:
            for i in range(values.size):
                if values[i] < limit:
                    broken += 1
        elif kinds[c] == 2:
            for i in range(values.size):
                if values[i] > limit:
                    broken += 1
        else:
            for i in range(values.size):
                if values[i] != limit:
                    broken += 1
        violations[c] = broken
        total += broken
    return total


@numba.njit
def range_matrix(values, low, high, inside):
    columns = low.size
    count = 0
    for i in range(values.size):
        for j in range(columns):
            flag = 1 if low[j] <= values[i] and values[i] <= high[j] else 0
            inside[i * columns + j] = flag
            count += flag
    return count


@numba.njit
def split_triples(triples, x, y, z):
    count = 0
    for i in range(triples.size // 3):
        a = triples[3 * i]
        b = triples[3 * i + 1]
        c = triples[3 * i + 2]
        x[i] = a
        y[i] = b
        z[i] = c
        if a != 0 or b != 0 or c != 0:
            count += 1
    return count


@numba.njit
def peephole(code, out):
    length = 0
    last = 0
    for i in range(code.size):
        word = code[i]
        op = word & 0xff
        last_op = last & 0xff
        a = word >> 8 & 0xffff
        b = word >> 24 & 0xffff
        last_a = last >> 8 & 0xffff
        last_b = last >> 24 & 0xffff
        if op == 2 and last_op == 1 and a == last_a:
            last = 4 | a << 8 | last_b << 24 | b << 40
            out[length - 1] = last
        elif op == 3 and last_op == 3 and a == last_a and b != a:
            last = word
            out[length - 1] = last
        elif op != 0 and not (op == 3 and last_op == 3 and a == last_b and b == last_a):
            last = word
            out[length] = last
            length += 1
    return length


@numba.njit
def dispatch(kinds, payloads, handlers, operations, targets, state):
    handled = 0
    for i in range(kinds.size):
        handler = handlers[kinds[i]]
        if handler != 0:
            operation = operations[handler - 1]
            target = targets[handler - 1] - 1
            value = payloads[i]
            if operation == 1:
                state[target] += value
            elif operation == 2:
                state[target] = value
            elif operation == 3:
                if value > state[target]:
                    state[target] = value
            else:
                state[target] += 1
            handled += 1
    return handled


@numba.njit
def first_fit(requests, starts, lengths, offsets):
    placed = 0
    for i in range(requests.size):
        size = requests[i]
        found = -1
        for hole in range(lengths.size):
            if lengths[hole] >= size:
                found = hole
                break
        if found < 0:
            offsets[i] = -1
        else:
            offsets[i] = starts[found]
            starts[found] += size
            lengths[found] -= size
            placed += 1
    return placed


@numba.njit
def pipeline_order(first, followers, waits, order):
    ordered = 0
    for s in range(waits.size):
        waits[s] = 0
    for e in range(followers.size):
        waits[followers[e] - 1] += 1
    for s in range(waits.size):
        if waits[s] == 0:
            order[ordered] = s + 1
            ordered += 1
    done = 0
    while done < ordered:
        stage = order[done]
        done += 1
        for e in range(first[stage - 1], first[stage]):
            s = followers[e - 1]
            left = waits[s - 1] - 1
            waits[s - 1] = left
            if left == 0:
                order[ordered] = s
                ordered += 1
    return ordered


@numba.njit
def handler_code(operations, targets, code, entries):
    length = 0
    for i in range(operations.size):
        target = np.int64(targets[i]) << 24
        entries[i] = length + 1
        if operations[i] == 2:
            code[length] = 258 | target
            length += 1
        else:
            code[length] = 1 | target
            if operations[i] == 1:
                code[length + 1] = 16777221
            elif operations[i] == 3:
                code[length + 1] = 16777222
            else:
                code[length + 1] = 16777735
                code[length + 2] = 33554437
                length += 1
            code[length + 2] = 2 | target
            length += 3
        code[length] = 8
        length += 1
    return length


# ---- inputs -------------------------------------------------------------------------------------

def mix(i, salt):
    m = (i * 7919 + salt * 104729) % 1000003
    return m * m % 1000003


def aligned(values):
    """At a multiple of 64 bytes, like the engine's buffers; NumPy's are at one of 16."""
    raw = np.empty(values.nbytes + 64, dtype=np.uint8)
    at = -raw.ctypes.data % 64
    moved = raw[at:at + values.nbytes].view(values.dtype)
    moved[:] = values
    return moved


def array(description):
    kind, n, form, salt, modulo, scale, add = description.split(",")
    n, salt, modulo = int(n), int(salt), int(modulo)
    i = np.arange(1, n + 1, dtype=np.int64)
    if form == "mix":
        values = mix(i, salt) % modulo * float(scale) + float(add)
    elif form == "word":
        values = mix(i, salt) % 9 + mix(i, salt + 1) % 4 * 256 + mix(i, salt + 2) % 4 * 16777216
    elif form == "first":
        values = np.minimum(2 * i - 1, salt)
    else:
        values = (i + 1) // 2 + 1 + mix(i, salt) % 64
    return aligned(values.astype(KINDS[kind]))


def number(text):
    try:
        return int(text)
    except ValueError:
        return float(text)


def checksum(arguments, out, returned):
    s = float(returned or 0)
    for which in out:
        a = arguments[which - 1]
        for i in range(1, a.size + 1, 1 + a.size // 10000):
            s += float(a[i - 1]) * (i % 7 + 1)
    return s


def main():
    """Answers the driver: "prepare NAME OUT ARGUMENTS", then "NAME SIZE CALLS" any often."""
    arguments, out, function = [], [], None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "prepare":
            function = globals()["sum_" if words[1] == "sum" else words[1]]
            out = [int(w) for w in words[2].split(",") if w != "0"]
            arguments = [array(w) if "," in w else number(w) for w in words[3:]]
            began = time.perf_counter_ns()
            function.compile(tuple(numba.typeof(a) for a in arguments))
            print(time.perf_counter_ns() - began, flush=True)
        else:
            calls = int(words[2])
            began = time.perf_counter_ns()
            for _ in range(calls):
                returned = function(*arguments)
            spent = time.perf_counter_ns() - began
            if words[0] == "fnv1a64":
                returned = int(returned) & 0xffffffff
            print(spent, "%.17g" % checksum(arguments, out, returned), flush=True)


main()
