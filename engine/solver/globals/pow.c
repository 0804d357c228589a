/* SPDX-License-Identifier: MIT
 *
 * solver/globals/pow.c - x ^ y = z over bounds; 0^0 = 1, x^-n = 1 / x^n towards 0 with x != 0.
 *
 * The exponents fall into few classes: all below 0 that are odd or even, each one up to 62, and all
 * above that are odd or even, where only -1, 0 and 1 have powers in range. A class narrows x and z
 * by parts of x; the box that is left is the hull over the classes.
 */
#include "solver/globals/box.h"

enum { LARGEST = 62 }; /* 2^63 is beyond all bounds */

/* x^n, at most CNS_BOX_CAP; x >= 0, n >= 0. */
static int64_t power(int64_t x, int64_t n) {
    int64_t result = 1;
    for (; n > 0 && result < CNS_BOX_CAP && x > 1; n--) {
        result = cns_cap_product(result, x);
    }
    return n > 0 && x <= 1 ? x : result;
}

/* The greatest x >= 0 with x^n <= z; n >= 1, z >= 0. */
static int64_t root_below(int64_t z, int64_t n) {
    int64_t low = 0;
    int64_t high = z;
    while (low < high) {
        int64_t middle = low + (high - low + 1) / 2;
        if (power(middle, n) <= z) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* x^n = z for x >= 0, n >= 1: cuts both; z is that of the part's sign. */
static bool narrow_natural(cns_interval *x, cns_interval *z, int64_t n) {
    z->low = cns_max(z->low, 0);
    if (cns_interval_empty(*z)) {
        return false;
    }
    x->high = cns_min(x->high, root_below(z->high, n));
    x->low = cns_max(x->low, z->low == 0 ? 0 : root_below(z->low - 1, n) + 1);
    if (cns_interval_empty(*x)) {
        return false;
    }
    *z = cns_interval_meet(*z, (cns_interval){power(x->low, n), power(x->high, n)});
    return !cns_interval_empty(*z);
}

typedef struct hulls {
    cns_interval x, z;
    bool any;
} hulls;

static void join(hulls *all, cns_interval x, cns_interval z) {
    all->x = cns_interval_join(all->x, x);
    all->z = cns_interval_join(all->z, z);
    all->any = true;
}

static void join_value(hulls *all, const cns_box *box, int64_t x, int64_t z) {
    const cns_interval *side = box->side;
    if (side[0].low <= x && x <= side[0].high && side[2].low <= z && z <= side[2].high) {
        join(all, (cns_interval){x, x}, (cns_interval){z, z});
    }
}

/* Exponents n of 1 .. LARGEST. */
static void join_power(hulls *all, const cns_box *box, int64_t n) {
    cns_interval x = cns_interval_meet(box->side[0], (cns_interval){0, INT64_MAX});
    cns_interval z = box->side[2];
    if (!cns_interval_empty(x) && narrow_natural(&x, &z, n)) {
        join(all, x, z);
    }
    bool odd = n & 1;
    x = cns_interval_meet(cns_interval_negate(box->side[0]), (cns_interval){1, INT64_MAX});
    z = odd ? cns_interval_negate(box->side[2]) : box->side[2];
    if (!cns_interval_empty(x) && narrow_natural(&x, &z, n)) {
        join(all, cns_interval_negate(x), odd ? cns_interval_negate(z) : z);
    }
}

/* Exponents below 0. */
static void join_inverse(hulls *all, const cns_box *box, bool odd) {
    const cns_interval *side = box->side;
    join_value(all, box, 1, 1);
    join_value(all, box, -1, odd ? -1 : 1);
    if (side[2].low <= 0 && side[2].high >= 0) {
        cns_interval parts[] = {{cns_max(side[0].low, 2), side[0].high},
                                {side[0].low, cns_min(side[0].high, -2)}};
        for (int k = 0; k < 2; k++) {
            if (!cns_interval_empty(parts[k])) {
                join(all, parts[k], (cns_interval){0, 0});
            }
        }
    }
}

static hulls join_class(const cns_box *box, int64_t n) {
    hulls all = {cns_interval_none(), cns_interval_none(), false};
    if (n < 0) {
        join_inverse(&all, box, n & 1);
    } else if (n == 0) {
        if (box->side[2].low <= 1 && box->side[2].high >= 1) {
            join(&all, box->side[0], (cns_interval){1, 1});
        }
    } else if (n <= LARGEST) {
        join_power(&all, box, n);
    } else {
        join_value(&all, box, 0, 0);
        join_value(&all, box, 1, 1);
        join_value(&all, box, -1, n & 1 ? -1 : 1);
    }
    return all;
}

/* Exponents first .. last that behave as `first` does, each second one: joined where they can be.
 */
static void join_exponents(const cns_box *box, int64_t first, int64_t last, cns_box *hull) {
    hulls all = {cns_interval_none(), cns_interval_none(), false};
    if (first <= last) {
        all = join_class(box, first);
    }
    if (all.any) {
        cns_interval y = {first, last - ((last - first) & 1)};
        hull->side[0] = cns_interval_join(hull->side[0], all.x);
        hull->side[1] = cns_interval_join(hull->side[1], y);
        hull->side[2] = cns_interval_join(hull->side[2], all.z);
    }
}

static bool narrow(cns_box *box) {
    cns_interval y = box->side[1];
    cns_box hull = {{cns_interval_none(), cns_interval_none(), cns_interval_none()}};
    for (int64_t parity = 0; parity < 2; parity++) {
        join_exponents(box, y.low + parity, cns_min(y.high, -1), &hull);
        join_exponents(box, cns_max(y.low, LARGEST + 1) + parity, y.high, &hull);
    }
    for (int64_t n = cns_max(y.low, 0); n <= cns_min(y.high, LARGEST); n++) {
        join_exponents(box, n, n, &hull);
    }
    *box = hull;
    return !cns_interval_empty(hull.side[0]);
}

cns_status cns_post_pow(cns_state *s, cns_post post, cns_view x, cns_view y, cns_view z) {
    if (cns_view_fixed(s, y) && cns_view_low(s, y) == 2) {
        return cns_post_times(s, post, x, x, z);
    }
    return cns_post_box(s, post, narrow, (cns_views){(const cns_view[]){x, y, z}, 3});
}
