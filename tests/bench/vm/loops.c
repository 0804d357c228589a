/* SPDX-License-Identifier: MIT
 *
 * loops.c - the loops of stdlib/cns/kernels.lua as a C programmer writes them, without any check.
 * The peer of the benchmark: compiled by its driver with gcc -O3 -march=native. Arrays are from 0,
 * what counts or is an index in the data is the same number as in Lua.
 */
#include "loops.h"

#include <math.h>

void saxpy(int64_t n, double a, const double *x, double *y) {
    for (int64_t i = 0; i < n; i++) {
        y[i] = a * x[i] + y[i];
    }
}

double dot(int64_t n, const double *x, const double *y) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) {
        s += x[i] * y[i];
    }
    return s;
}

double sum(int64_t n, const double *x) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) {
        s += x[i];
    }
    return s;
}

double prefix_sum(int64_t n, const double *x, double *y) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) {
        s += x[i];
        y[i] = s;
    }
    return s;
}

void stencil3(int64_t n, const double *x, double *y) {
    if (n == 0) {
        return;
    }
    y[0] = x[0];
    y[n - 1] = x[n - 1];
    for (int64_t i = 1; i < n - 1; i++) {
        y[i] = 0.25 * x[i - 1] + 0.5 * x[i] + 0.25 * x[i + 1];
    }
}

void stencil2d(const double *x, double *y, int64_t rows, int64_t columns) {
    for (int64_t row = 1; row < rows - 1; row++) {
        for (int64_t i = row * columns + 1; i < (row + 1) * columns - 1; i++) {
            y[i] = 0.25 * (x[i - columns] + x[i - 1] + x[i + 1] + x[i + columns]);
        }
    }
}

void matmul(const double *a, const double *b, double *c, int64_t n) {
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) {
            c[i * n + j] = 0;
        }
        for (int64_t k = 0; k < n; k++) {
            double factor = a[i * n + k];
            for (int64_t j = 0; j < n; j++) {
                c[i * n + j] += factor * b[k * n + j];
            }
        }
    }
}

static int64_t inverse_entry(int64_t i, int64_t j) {
    return (i + j) * (i + j + 1) / 2 + i + 1;
}

static void multiply(int64_t n, const double *x, double *y) {
    for (int64_t i = 0; i < n; i++) {
        double s = 0;
        for (int64_t j = 0; j < n; j++) {
            s += x[j] / (double)inverse_entry(i, j);
        }
        y[i] = s;
    }
}

static void multiply_transposed(int64_t n, const double *x, double *y) {
    for (int64_t i = 0; i < n; i++) {
        double s = 0;
        for (int64_t j = 0; j < n; j++) {
            s += x[j] / (double)inverse_entry(j, i);
        }
        y[i] = s;
    }
}

double spectral_norm(int64_t n, double *u, double *v, double *w, int64_t rounds) {
    for (int64_t i = 0; i < n; i++) {
        u[i] = 1;
        v[i] = 0;
    }
    for (int64_t round = 0; round < rounds; round++) {
        multiply(n, u, w);
        multiply_transposed(n, w, v);
        multiply(n, v, w);
        multiply_transposed(n, w, u);
    }
    double above = 0;
    double below = 0;
    for (int64_t i = 0; i < n; i++) {
        above += u[i] * v[i];
        below += v[i] * v[i];
    }
    return sqrt(above / below);
}

void mandelbrot(int32_t *out, int64_t width, int64_t height, int64_t limit, double left, double top,
                double step) {
    for (int64_t row = 0; row < height; row++) {
        double ci = top + (double)row * step;
        for (int64_t column = 0; column < width; column++) {
            double cr = left + (double)column * step;
            double zr = 0;
            double zi = 0;
            int32_t n = 0;
            while (n < limit && zr * zr + zi * zi <= 4.0) {
                double next = zr * zr - zi * zi + cr;
                zi = 2.0 * zr * zi + ci;
                zr = next;
                n++;
            }
            out[row * width + column] = n;
        }
    }
}

static double normal(double d) {
    double x = d < 0 ? -d : d;
    double k = 1.0 / (1.0 + 0.2316419 * x);
    double tail =
        0.3989422804014327 * exp(-0.5 * x * x) *
        (k * (0.31938153 +
              k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))));
    return d < 0 ? tail : 1.0 - tail;
}

void black_scholes(int64_t n, const double *spot, const double *strike, const double *years,
                   double rate, double volatility, double *call, double *put) {
    for (int64_t i = 0; i < n; i++) {
        double s = spot[i];
        double k = strike[i];
        double t = years[i];
        double deviation = volatility * sqrt(t);
        double d1 = (log(s / k) + (rate + 0.5 * volatility * volatility) * t) / deviation;
        double n1 = normal(d1);
        double n2 = normal(d1 - deviation);
        double discounted = k * exp(-rate * t);
        call[i] = s * n1 - discounted * n2;
        put[i] = discounted * (1.0 - n2) - s * (1.0 - n1);
    }
}

void nbody(int64_t n, double *x, double *y, double *z, double *vx, double *vy, double *vz,
           const double *mass, double dt, int64_t steps) {
    for (int64_t step = 0; step < steps; step++) {
        for (int64_t i = 0; i < n; i++) {
            double ax = vx[i];
            double ay = vy[i];
            double az = vz[i];
            for (int64_t j = i + 1; j < n; j++) {
                double dx = x[i] - x[j];
                double dy = y[i] - y[j];
                double dz = z[i] - z[j];
                double square = dx * dx + dy * dy + dz * dz;
                double strength = dt / (square * sqrt(square));
                double mine = mass[j] * strength;
                double other = mass[i] * strength;
                ax -= dx * mine;
                ay -= dy * mine;
                az -= dz * mine;
                vx[j] += dx * other;
                vy[j] += dy * other;
                vz[j] += dz * other;
            }
            vx[i] = ax;
            vy[i] = ay;
            vz[i] = az;
        }
        for (int64_t i = 0; i < n; i++) {
            x[i] += dt * vx[i];
            y[i] += dt * vy[i];
            z[i] += dt * vz[i];
        }
    }
}

void histogram(int64_t n, const uint8_t *values, int64_t *counts) {
    for (int64_t i = 0; i < n; i++) {
        counts[values[i]]++;
    }
}

int64_t sieve(int64_t n, uint8_t *flags) {
    for (int64_t i = 0; i < n; i++) {
        flags[i] = 1;
    }
    if (n >= 1) {
        flags[0] = 0;
    }
    for (int64_t i = 2; i * i <= n; i++) {
        if (flags[i - 1]) {
            for (int64_t k = i * i; k <= n; k += i) {
                flags[k - 1] = 0;
            }
        }
    }
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        count += flags[i];
    }
    return count;
}

uint64_t fnv1a64(int64_t n, const uint8_t *bytes) {
    uint64_t h = 0xcbf29ce484222325;
    for (int64_t i = 0; i < n; i++) {
        h = (h ^ bytes[i]) * 0x100000001b3;
    }
    return h;
}

int64_t validate(int64_t constraints, const uint8_t *kinds, const int32_t *limits, int64_t n,
                 const int32_t *values, int64_t *violations) {
    int64_t total = 0;
    for (int64_t c = 0; c < constraints; c++) {
        int32_t limit = limits[c];
        int64_t broken = 0;
        if (kinds[c] == 1) {
            for (int64_t i = 0; i < n; i++) {
                broken += values[i] < limit;
            }
        } else if (kinds[c] == 2) {
            for (int64_t i = 0; i < n; i++) {
                broken += values[i] > limit;
            }
        } else {
            for (int64_t i = 0; i < n; i++) {
                broken += values[i] != limit;
            }
        }
        violations[c] = broken;
        total += broken;
    }
    return total;
}

int64_t range_matrix(int64_t n, const int32_t *values, int64_t columns, const int32_t *low,
                     const int32_t *high, uint8_t *inside) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < columns; j++) {
            uint8_t flag = low[j] <= values[i] && values[i] <= high[j];
            inside[i * columns + j] = flag;
            count += flag;
        }
    }
    return count;
}

int64_t split_triples(int64_t n, const int32_t *triples, int32_t *x, int32_t *y, int32_t *z) {
    int64_t count = 0;
    for (int64_t i = 0; i < n / 3; i++) {
        int32_t a = triples[3 * i];
        int32_t b = triples[3 * i + 1];
        int32_t c = triples[3 * i + 2];
        x[i] = a;
        y[i] = b;
        z[i] = c;
        count += a || b || c;
    }
    return count;
}

int64_t peephole(int64_t n, const int64_t *code, int64_t *out) {
    int64_t length = 0;
    int64_t last = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t word = code[i];
        int64_t op = word & 0xff;
        int64_t last_op = last & 0xff;
        int64_t a = word >> 8 & 0xffff;
        int64_t b = word >> 24 & 0xffff;
        int64_t last_a = last >> 8 & 0xffff;
        int64_t last_b = last >> 24 & 0xffff;
        if (op == 2 && last_op == 1 && a == last_a) {
            last = 4 | a << 8 | last_b << 24 | b << 40;
            out[length - 1] = last;
        } else if (op == 3 && last_op == 3 && a == last_a && b != a) {
            last = word;
            out[length - 1] = last;
        } else if (op != 0 && !(op == 3 && last_op == 3 && a == last_b && b == last_a)) {
            last = word;
            out[length++] = last;
        }
    }
    return length;
}

int64_t dispatch(int64_t n, const uint8_t *kinds, const int32_t *payloads, const uint8_t *handlers,
                 const uint8_t *operations, const uint16_t *targets, int64_t *state) {
    int64_t handled = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t handler = handlers[kinds[i]];
        if (handler) {
            int64_t target = targets[handler - 1] - 1;
            int64_t value = payloads[i];
            switch (operations[handler - 1]) {
            case 1:
                state[target] += value;
                break;
            case 2:
                state[target] = value;
                break;
            case 3:
                if (value > state[target]) {
                    state[target] = value;
                }
                break;
            default:
                state[target]++;
                break;
            }
            handled++;
        }
    }
    return handled;
}

int64_t first_fit(int64_t n, const int32_t *requests, int64_t holes, int64_t *starts,
                  int64_t *lengths, int64_t *offsets) {
    int64_t placed = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t size = requests[i];
        int64_t hole = 0;
        while (hole < holes && lengths[hole] < size) {
            hole++;
        }
        if (hole == holes) {
            offsets[i] = -1;
        } else {
            offsets[i] = starts[hole];
            starts[hole] += size;
            lengths[hole] -= size;
            placed++;
        }
    }
    return placed;
}

int64_t pipeline_order(int64_t stages, const uint32_t *first, int64_t edges,
                       const uint32_t *followers, int32_t *waits, uint32_t *order) {
    int64_t ordered = 0;
    for (int64_t s = 0; s < stages; s++) {
        waits[s] = 0;
    }
    for (int64_t e = 0; e < edges; e++) {
        waits[followers[e] - 1]++;
    }
    for (int64_t s = 0; s < stages; s++) {
        if (waits[s] == 0) {
            order[ordered++] = (uint32_t)(s + 1);
        }
    }
    for (int64_t done = 0; done < ordered; done++) {
        int64_t stage = order[done];
        for (int64_t e = first[stage - 1]; e < first[stage]; e++) {
            int64_t s = followers[e - 1];
            if (--waits[s - 1] == 0) {
                order[ordered++] = (uint32_t)s;
            }
        }
    }
    return ordered;
}

int64_t handler_code(int64_t n, const uint8_t *operations, const uint16_t *targets, int64_t *code,
                     uint32_t *entries) {
    int64_t length = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t target = (int64_t)targets[i] << 24;
        entries[i] = (uint32_t)(length + 1);
        if (operations[i] == 2) {
            code[length++] = 2 | 1 << 8 | target;
        } else {
            code[length++] = 1 | target;
            if (operations[i] == 1) {
                code[length++] = 5 | 1 << 24;
            } else if (operations[i] == 3) {
                code[length++] = 6 | 1 << 24;
            } else {
                code[length++] = 7 | 2 << 8 | 1 << 24;
                code[length++] = 5 | 2 << 24;
            }
            code[length++] = 2 | target;
        }
        code[length++] = 8;
    }
    return length;
}
