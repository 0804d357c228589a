/* SPDX-License-Identifier: MIT
 *
 * solver/globals/abs.c - |x| = z over bounds; linear where the sign of x is known.
 */
#include "solver/globals/box.h"

/* The parts of x from 0 on and up to 0, each with what z allows of it. */
static bool narrow(cns_box *box) {
    cns_interval *x = &box->side[0];
    cns_interval *z = &box->side[1];
    cns_interval allowed = {cns_max(z->low, 0), z->high};
    cns_interval above = cns_interval_meet(*x, allowed);
    cns_interval below = cns_interval_meet(cns_interval_negate(*x), allowed);
    cns_interval xs = cns_interval_none();
    cns_interval zs = cns_interval_none();
    if (!cns_interval_empty(above)) {
        xs = above;
        zs = above;
    }
    if (!cns_interval_empty(below)) {
        xs = cns_interval_join(xs, cns_interval_negate(below));
        zs = cns_interval_join(zs, below);
    }
    *x = xs;
    *z = zs;
    return !cns_interval_empty(xs);
}

cns_status cns_post_abs(cns_state *s, cns_post post, cns_view x, cns_view z) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    bool above = cns_view_low(s, x) >= 0;
    if (above || cns_view_high(s, x) <= 0) {
        return cns_post_linear_eq(s, post, (const int64_t[]){above ? 1 : -1, -1},
                                  (cns_views){(const cns_view[]){x, z}, 2}, 0);
    }
    return cns_post_box(s, post, narrow, (cns_views){(const cns_view[]){x, z}, 2});
}
