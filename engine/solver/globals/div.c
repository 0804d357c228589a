/* SPDX-License-Identifier: MIT
 *
 * solver/globals/div.c - x / y = z, rounded towards 0, with y != 0, over bounds.
 *
 * The rules are those of quotients of natural numbers, applied to the four cases of signs.
 */
#include "solver/globals/box.h"

/* x / y = z for x >= 0, y >= 1, z >= 0. False: no solution. */
static bool narrow_natural(cns_interval *x, cns_interval *y, cns_interval *z) {
    *z = cns_interval_meet(*z, (cns_interval){x->low / y->high, x->high / y->low});
    if (cns_interval_empty(*z)) {
        return false;
    }
    cns_interval fits = {cns_cap_product(z->low, y->low),
                         cns_cap_product(z->high + 1, y->high) - 1};
    *x = cns_interval_meet(*x, fits);
    if (cns_interval_empty(*x)) {
        return false;
    }
    y->low = cns_max(y->low, x->low / (z->high + 1) + 1);
    y->high = z->low > 0 ? cns_min(y->high, x->high / z->low) : y->high;
    return !cns_interval_empty(*y);
}

static bool narrow(cns_box *box) {
    return cns_narrow_by_signs(box, narrow_natural, true);
}

cns_status cns_post_div(cns_state *s, cns_post post, cns_view x, cns_view y, cns_view z) {
    return cns_post_box(s, post, narrow, (cns_views){(const cns_view[]){x, y, z}, 3});
}
