/* SPDX-License-Identifier: MIT
 *
 * fzn_number.c - numbers, ranges and set literals.
 *
 * A set becomes sorted ranges with gaps between them, whatever order its values came in.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "fzn_reader.h"

static const char int_advice[] =
    "is beyond 64 bits; scale the model's numbers down, or give the variable a domain";

/* ---- numbers ----------------------------------------------------------------------------------
 */

static FZN_COLD bool too_large(fzn_reader *r, const char *from, const char *to) {
    int length = (int)(to - from < 40 ? to - from : 40);
    return fzn_fail(r, CNS_E_RANGE, from, "the int %.*s%s %s", length, from,
                    to - from > 40 ? "..." : "", int_advice);
}

static bool set_integer(fzn_reader *r, const char *from, const char *to, uint64_t magnitude,
                        int64_t *out) {
    bool negative = *from == '-';
    if (magnitude > (uint64_t)INT64_MAX + negative) {
        return too_large(r, from, to);
    }
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    r->at = to;
    return true;
}

static bool ends_here(fzn_reader *r, const char *to, const char *what) {
    if (fzn_is_name(*to)) {
        r->at = to;
        return fzn_expected(r, what);
    }
    return true;
}

/* Digits at `at`: hexadecimal, octal, or decimal ones that may be too many. */
static FZN_COLD bool read_digits(fzn_reader *r, const char *at, unsigned base, int64_t *out) {
    const char *from = r->at;
    uint64_t magnitude = 0;
    bool over = false;
    if (fzn_digit_of(*at) >= base) {
        r->at = at;
        return fzn_expected(r, base == 16 ? "a hexadecimal digit" : "an octal digit");
    }
    for (; fzn_digit_of(*at) < base; at++) {
        over |= magnitude > (UINT64_MAX - fzn_digit_of(*at)) / base;
        magnitude = magnitude * base + fzn_digit_of(*at);
    }
    if (over) {
        return too_large(r, from, at);
    }
    return ends_here(r, at, "the end of the number") && set_integer(r, from, at, magnitude, out);
}

/* Behind the mantissa: 0 where there is no exponent. Huge ones are cut: inf or 0 all the same. */
static bool read_exponent(fzn_reader *r, const char **at, long *out) {
    *out = 0;
    if (**at != 'e' && **at != 'E') {
        return true;
    }
    bool negative = (*at)[1] == '-';
    *at += 1 + (negative || (*at)[1] == '+');
    if (!fzn_is_digit(**at)) {
        r->at = *at;
        return fzn_expected(r, "the exponent's digits");
    }
    for (; fzn_is_digit(**at); ++*at) {
        *out = *out < 100000 ? *out * 10 + (**at - '0') : *out;
    }
    *out = negative ? -*out : *out;
    return true;
}

/* strtod knows the user's decimal point, not ours: it is given digits and an exponent only. */
static FZN_COLD bool read_float(fzn_reader *r, fzn_value *out) {
    enum { DIGITS = 300 };
    char plain[DIGITS + 32];
    size_t length = 0;
    long fraction = 0, exponent;
    bool in_fraction = false;
    const char *at = r->at;
    for (; fzn_is_digit(*at) || (*at == '-' && at == r->at) || (*at == '.' && !in_fraction); at++) {
        if (*at == '.') {
            in_fraction = true;
            continue;
        }
        if (length == DIGITS) {
            return fzn_fail(r, CNS_E_RANGE, r->at, "a float of more than %d digits; round it",
                            DIGITS);
        }
        fraction += in_fraction;
        plain[length++] = *at;
    }
    if (!read_exponent(r, &at, &exponent) || !ends_here(r, at, "the end of the number")) {
        return false;
    }
    snprintf(plain + length, sizeof plain - length, "e%ld", exponent - fraction);
    out->kind = FZN_FLOAT;
    out->as.real = strtod(plain, NULL);
    if (isinf(out->as.real)) {
        return fzn_fail(r, CNS_E_RANGE, r->at,
                        "a float beyond 1.8e308; scale the model's numbers down");
    }
    r->at = at;
    return true;
}

static bool is_float(const char *at) {
    return (*at == '.' && at[1] != '.') || *at == 'e' || *at == 'E';
}

/* One number, no range. */
static inline bool read_one(fzn_reader *r, fzn_value *out) {
    const char *from = r->at, *at = from + (*from == '-');
    const char *digits = at;
    uint64_t magnitude = 0;
    for (; fzn_is_digit(*at); at++) {
        magnitude = magnitude * 10 + (uint64_t)(*at - '0');
    }
    out->kind = FZN_INT;
    bool whole = *at == '.' ? at[1] == '.' : !fzn_is_name(*at);
    if (FZN_LIKELY(whole && at > digits && at - digits <= 18)) {
        out->as.integer = *from == '-' ? -(int64_t)magnitude : (int64_t)magnitude;
        r->at = at;
        return true;
    }
    if (at == digits) {
        r->at = at;
        return fzn_expected(r, "a digit");
    }
    if (at - digits == 1 && *digits == '0' && (*at == 'x' || *at == 'o')) {
        return read_digits(r, at + 1, *at == 'x' ? 16 : 8, &out->as.integer);
    }
    if (is_float(at)) {
        if (*at == '.' && !fzn_is_digit(at[1])) {
            r->at = at + 1;
            return fzn_expected(r, "a digit behind the decimal point");
        }
        return read_float(r, out);
    }
    return read_digits(r, digits, 10, &out->as.integer);
}

static FZN_COLD bool read_range(fzn_reader *r, fzn_value *out) {
    fzn_value last = {0};
    fzn_skip_space(r);
    if (!fzn_is_digit(*r->at) && *r->at != '-') {
        return fzn_expected(r, "the range's upper end, a number");
    }
    if (!read_one(r, &last)) {
        return false;
    }
    if (out->kind == FZN_FLOAT || last.kind == FZN_FLOAT) {
        *out = (fzn_value){.kind = FZN_FLOAT_SET};
        return true;
    }
    fzn_range range = {out->as.integer, last.as.integer};
    *out = (fzn_value){.kind = FZN_SET, .count = range.low <= range.high};
    if (out->count) {
        fzn_range *stored = fzn_store(r, 1, sizeof *stored);
        if (!stored) {
            return false;
        }
        *stored = range;
        out->as.ranges = stored;
    }
    return true;
}

bool fzn_read_number(fzn_reader *r, fzn_value *out) {
    if (!read_one(r, out)) {
        return false;
    }
    if (FZN_LIKELY(*r->at == ',' || *r->at == ']' || *r->at == ')')) {
        return true;
    }
    return fzn_accept_pair(r, '.') ? read_range(r, out) : true;
}

bool fzn_read_integer(fzn_reader *r, int64_t *out) {
    fzn_value value = {0};
    fzn_skip_space(r);
    if (!fzn_is_digit(*r->at) && *r->at != '-') {
        return fzn_expected(r, "an int");
    }
    const char *from = r->at;
    if (!read_one(r, &value)) {
        return false;
    }
    if (value.kind != FZN_INT) {
        return fzn_fail(r, CNS_E_INVALID, from, "found a float, expected an int");
    }
    *out = value.as.integer;
    return true;
}

/* ---- sets -------------------------------------------------------------------------------------
 */

/* Heapsort by the values: libc's qsort may allocate behind the context's back. */
static void sift(fzn_value *values, uint32_t at, uint32_t count) {
    fzn_value moved = values[at];
    for (uint32_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && values[child + 1].as.integer > values[child].as.integer) {
            child++;
        }
        if (values[child].as.integer <= moved.as.integer) {
            break;
        }
        values[at] = values[child];
    }
    values[at] = moved;
}

static void sort(fzn_value *values, uint32_t count) {
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(values, i, count);
    }
    for (uint32_t last = count; last-- > 1;) {
        fzn_value largest = values[0];
        values[0] = values[last];
        values[last] = largest;
        sift(values, 0, last);
    }
}

static bool is_sorted(const fzn_value *values, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        if (values[i - 1].as.integer > values[i].as.integer) {
            return false;
        }
    }
    return true;
}

/* The ranges of sorted values; their number where `out` is NULL. */
static uint32_t join(const fzn_value *values, uint32_t count, fzn_range *out) {
    uint32_t ranges = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t value = values[i].as.integer;
        if (i && value <= values[i - 1].as.integer + (values[i - 1].as.integer < INT64_MAX)) {
            if (out) {
                out[ranges - 1].high = value;
            }
            continue;
        }
        if (out) {
            out[ranges] = (fzn_range){value, value};
        }
        ranges++;
    }
    return ranges;
}

static bool store_set(fzn_reader *r, uint32_t base, fzn_value *out) {
    fzn_value *values = r->stack + base;
    uint32_t count = r->top - base;
    if (!is_sorted(values, count)) {
        sort(values, count);
    }
    uint32_t ranges = join(values, count, NULL);
    fzn_range *stored = fzn_store(r, ranges, sizeof *stored);
    if (!stored) {
        return false;
    }
    join(values, count, stored);
    *out = (fzn_value){.kind = FZN_SET, .count = ranges, .as.ranges = stored};
    return true;
}

bool fzn_read_set(fzn_reader *r, fzn_value *out) {
    uint32_t base = r->top;
    bool floats = false;
    r->at++;
    if (fzn_accept(r, '}')) {
        *out = (fzn_value){.kind = FZN_SET};
        return true;
    }
    for (;;) {
        fzn_value value = {0};
        fzn_skip_space(r);
        if (!fzn_is_digit(*r->at) && *r->at != '-') {
            return fzn_expected(r, "a number of the set");
        }
        if (!read_one(r, &value) || !fzn_push(r, &value)) {
            return false;
        }
        floats |= value.kind == FZN_FLOAT;
        if (fzn_accept(r, '}')) {
            break;
        }
        if (!fzn_take(r, ',', "',' or '}' in the set")) {
            return false;
        }
    }
    *out = (fzn_value){.kind = FZN_FLOAT_SET};
    bool stored = floats || store_set(r, base, out);
    r->top = base;
    return stored;
}
