/* SPDX-License-Identifier: MIT
 *
 * solver/globals/mod.c - x - (x / y) * y = z, with y != 0, over bounds; z has the sign of x.
 *
 * In each of the four cases of signs x = q * y + z with z < y, where the quotient q lies between
 * those of the corners; a fixed y moves the bounds of x to where the remainder fits.
 */
#include "solver/globals/box.h"

/* Bounds of x move to where x mod y lies in z, which is not empty and below y. */
static bool fit_remainder(cns_interval *x, int64_t y, cns_interval z) {
    int64_t low = x->low % y;
    int64_t high = x->high % y;
    if (low < z.low) {
        x->low += z.low - low;
    } else if (low > z.high) {
        x->low += y - low + z.low;
    }
    if (high > z.high) {
        x->high -= high - z.high;
    } else if (high < z.low) {
        x->high -= high + y - z.high;
    }
    return !cns_interval_empty(*x);
}

/* x mod y = z for x >= 0, y >= 1, z >= 0. False: no solution. */
static bool narrow_natural(cns_interval *x, cns_interval *y, cns_interval *z) {
    z->high = cns_min(z->high, cns_min(y->high - 1, x->high));
    y->low = cns_max(y->low, z->low + 1);
    x->low = cns_max(x->low, z->low);
    if (cns_interval_empty(*x) || cns_interval_empty(*y) || cns_interval_empty(*z)) {
        return false;
    }
    cns_interval q = {x->low / y->high, x->high / y->low};
    cns_interval multiple = {cns_cap_product(q.low, y->low), cns_cap_product(q.high, y->high)};
    cns_interval rest = {x->low - multiple.high, x->high - multiple.low};
    *z = cns_interval_meet(*z, rest);
    cns_interval sum = {multiple.low + z->low, multiple.high + z->high};
    *x = cns_interval_meet(*x, sum);
    if (cns_interval_empty(*x) || cns_interval_empty(*z)) {
        return false;
    }
    if (q.low > 0) {
        y->high = cns_min(y->high, (x->high - z->low) / q.low);
    }
    if (q.high > 0 && x->low > z->high) {
        y->low = cns_max(y->low, cns_ceil_div(x->low - z->high, q.high));
    }
    if (cns_interval_empty(*y)) {
        return false;
    }
    if (y->low < y->high) {
        return true;
    }
    z->high = cns_min(z->high, y->high - 1);
    return !cns_interval_empty(*z) && fit_remainder(x, y->low, *z);
}

static bool narrow(cns_box *box) {
    return cns_narrow_by_signs(box, narrow_natural, false);
}

cns_status cns_post_mod(cns_state *s, cns_post post, cns_view x, cns_view y, cns_view z) {
    return cns_post_box(s, post, narrow, (cns_views){(const cns_view[]){x, y, z}, 3});
}
