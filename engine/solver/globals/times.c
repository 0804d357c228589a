/* SPDX-License-Identifier: MIT
 *
 * solver/globals/times.c - x * y = z over bounds.
 *
 * A product of intervals has its extremes at the corners. A factor is confined by the quotient of
 * the product and the other factor's parts below and above 0 (Apt, Zoeteweij 2003).
 */
#include "solver/globals/box.h"

#include <math.h>

static cns_interval hull_of_four(int64_t a, int64_t b, int64_t c, int64_t d) {
    return (cns_interval){cns_min(cns_min(a, b), cns_min(c, d)),
                          cns_max(cns_max(a, b), cns_max(c, d))};
}

static cns_interval product(cns_interval x, cns_interval y) {
    return hull_of_four(x.low * y.low, x.low * y.high, x.high * y.low, x.high * y.high);
}

/* The x for which x * y lies in z for a real y of an interval above 0. */
static cns_interval quotient_above(cns_interval z, cns_interval y) {
    return (cns_interval){cns_ceil_div(z.low, z.low > 0 ? y.high : y.low),
                          cns_floor_div(z.high, z.high < 0 ? y.high : y.low)};
}

static cns_interval quotient(cns_interval z, cns_interval y, cns_interval all) {
    if (z.low <= 0 && z.high >= 0 && y.low <= 0 && y.high >= 0) {
        return all;
    }
    cns_interval hull = cns_interval_none();
    if (y.high > 0) {
        cns_interval part = quotient_above(z, (cns_interval){cns_max(y.low, 1), y.high});
        hull = cns_interval_empty(part) ? hull : part;
    }
    if (y.low < 0) {
        cns_interval below = {cns_max(-y.high, 1), -y.low};
        cns_interval part = quotient_above(cns_interval_negate(z), below);
        hull = cns_interval_empty(part) ? hull : cns_interval_join(hull, part);
    }
    return hull;
}

static bool narrow_once(cns_interval *x, cns_interval *y, cns_interval *z) {
    *z = cns_interval_meet(*z, product(*x, *y));
    if (cns_interval_empty(*z)) {
        return false;
    }
    *x = cns_interval_meet(*x, quotient(*z, *y, *x));
    if (cns_interval_empty(*x)) {
        return false;
    }
    *y = cns_interval_meet(*y, quotient(*z, *x, *y));
    return !cns_interval_empty(*y);
}

static bool narrow(cns_box *box) {
    cns_interval *x = &box->side[0];
    cns_interval *y = &box->side[1];
    cns_interval *z = &box->side[2];
    return narrow_once(x, y, z) && narrow_once(x, y, z);
}

/* The greatest r >= 0 with r * r <= n; n >= 0, below 2^62, so that the rounded root is off by one
 * at most. */
static int64_t root_below(int64_t n) {
    int64_t root = (int64_t)sqrt((double)n);
    if (root * root > n) {
        return root - 1;
    }
    return (root + 1) * (root + 1) <= n ? root + 1 : root;
}

/* x * x = z in side[0], side[1]: the squares of the parts below and above 0. */
static bool narrow_square(cns_box *box) {
    cns_interval *x = &box->side[0];
    cns_interval *z = &box->side[1];
    cns_interval xs = cns_interval_none();
    cns_interval zs = cns_interval_none();
    if (z->high < 0) {
        return false;
    }
    int64_t most = root_below(z->high);
    int64_t least = z->low <= 0 ? 0 : root_below(z->low - 1) + 1;
    for (int sign = 0; sign < 2; sign++) {
        cns_interval part = sign ? cns_interval_negate(*x) : *x;
        part = cns_interval_meet(part, (cns_interval){least, most});
        if (!cns_interval_empty(part)) {
            zs = cns_interval_join(zs, (cns_interval){part.low * part.low, part.high * part.high});
            xs = cns_interval_join(xs, sign ? cns_interval_negate(part) : part);
        }
    }
    *x = cns_interval_meet(*x, xs);
    *z = cns_interval_meet(*z, zs);
    return !cns_interval_empty(*x) && !cns_interval_empty(*z);
}

/* a * x = z. */
static cns_status post_scaled(cns_state *s, cns_post post, int64_t a, cns_view x, cns_view z) {
    return cns_post_linear_eq(s, post, (const int64_t[]){a, -1},
                              (cns_views){(const cns_view[]){x, z}, 2}, 0);
}

cns_status cns_post_times(cns_state *s, cns_post post, cns_view x, cns_view y, cns_view z) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    if (cns_view_fixed(s, x)) {
        return post_scaled(s, post, cns_view_low(s, x), y, z);
    }
    if (cns_view_fixed(s, y)) {
        return post_scaled(s, post, cns_view_low(s, y), x, z);
    }
    if (x.term == y.term && x.offset == y.offset) {
        return cns_post_box(s, post, narrow_square, (cns_views){(const cns_view[]){x, z}, 2});
    }
    return cns_post_box(s, post, narrow, (cns_views){(const cns_view[]){x, y, z}, 3});
}
