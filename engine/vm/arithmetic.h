/* SPDX-License-Identifier: MIT
 *
 * vm/arithmetic.h - Lua 5.4's arithmetic as C, to the bit, for whoever computes: the interpreter,
 * the folding of constants. Nothing here traps; callers test divisors and steps before.
 * Source: lvm.c, lobject.c, lmathlib.c of Lua 5.4.
 */
#ifndef CNS_VM_ARITHMETIC_H
#define CNS_VM_ARITHMETIC_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

static inline int64_t cns_wrap(uint64_t x) {
    return (int64_t)x;
}

/* requires: b != 0. */
static inline int64_t cns_floor_divide(int64_t a, int64_t b) {
    if (b == -1) {
        return cns_wrap(0 - (uint64_t)a);
    }
    return a / b - (a % b != 0 && (a ^ b) < 0);
}

/* requires: b != 0. */
static inline int64_t cns_floor_modulo(int64_t a, int64_t b) {
    if (b == -1) {
        return 0;
    }
    int64_t m = a % b;
    return m != 0 && (m ^ b) < 0 ? m + b : m;
}

/* requires: b != 0. */
static inline int64_t cns_c_modulo(int64_t a, int64_t b) {
    return b == -1 ? 0 : a % b;
}

static inline int64_t cns_shift_left(int64_t x, int64_t by) {
    if (by <= -64 || by >= 64) {
        return 0;
    }
    return by >= 0 ? cns_wrap((uint64_t)x << by) : cns_wrap((uint64_t)x >> -by);
}

static inline int64_t cns_shift_right(int64_t x, int64_t by) {
    return by == INT64_MIN ? 0 : cns_shift_left(x, -by);
}

static inline double cns_modulo_f64(double a, double b) {
    double m = fmod(a, b);
    return (m > 0 ? b < 0 : m < 0 && b > 0) ? m + b : m;
}

static inline double cns_power_f64(double a, double b) {
    return b == 2 ? a * a : pow(a, b);
}

/* Integral, and in the range of i64. */
static inline bool cns_fits_i64(double x) {
    return x >= -0x1p63 && x < 0x1p63 && floor(x) == x;
}

static inline int64_t cns_truncate(double x) {
    return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : 0;
}

/* ---- exact comparisons of mixed types: false on NaN ------------------------------------------ */

static inline bool cns_equal_mixed(int64_t i, double f) {
    return cns_fits_i64(f) && i == (int64_t)f;
}

static inline bool cns_less_if(int64_t i, double f) {
    return f >= 0x1p63 || (f > -0x1p63 && i < (int64_t)ceil(f));
}

static inline bool cns_less_equal_if(int64_t i, double f) {
    return f >= 0x1p63 || (f >= -0x1p63 && i <= (int64_t)floor(f));
}

static inline bool cns_less_fi(double f, int64_t i) {
    return f == f && !cns_less_equal_if(i, f);
}

static inline bool cns_less_equal_fi(double f, int64_t i) {
    return f == f && !cns_less_if(i, f);
}

/* ---- numeric for ----------------------------------------------------------------------------- */

/* The limit as an integer; false when the loop cannot run. */
static inline bool cns_for_clip(double limit, int64_t step, int64_t *out) {
    double whole = step < 0 ? ceil(limit) : floor(limit);
    if (whole >= -0x1p63 && whole < 0x1p63) {
        *out = (int64_t)whole;
        return true;
    }
    *out = limit > 0 ? INT64_MAX : INT64_MIN;
    return limit > 0 ? step >= 0 : step <= 0;
}

static inline bool cns_for_enters(int64_t init, int64_t limit, int64_t step) {
    return step > 0 ? init <= limit : init >= limit;
}

static inline int64_t cns_for_count(int64_t init, int64_t limit, int64_t step) {
    if (step == 0) {
        return 0;
    }
    return step > 0 ? cns_wrap(((uint64_t)limit - (uint64_t)init) / (uint64_t)step)
                    : cns_wrap(((uint64_t)init - (uint64_t)limit) / (0 - (uint64_t)step));
}

static inline bool cns_for_enters_f64(double init, double limit, double step) {
    return !(step > 0 ? limit < init : init < limit); /* so NaN enters, as in Lua */
}

static inline bool cns_for_goes_on_f64(double index, double limit, double step) {
    return step > 0 ? index <= limit : limit <= index;
}

/* Whether first, first + step, ... (count + 1 of them) all lie in 1..size. */
static inline bool cns_within(uint64_t size, int64_t first, int64_t step, int64_t count) {
    if (first < 1 || (uint64_t)first > size || count < 0) {
        return false;
    }
    uint64_t room = step > 0 ? size - (uint64_t)first : (uint64_t)first - 1;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return stride == 0 || (uint64_t)count <= room / stride;
}

#endif
