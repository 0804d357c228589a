/* SPDX-License-Identifier: MIT
 *
 * solver/globals/box.h - constraints over up to three views, given by how they narrow a box.
 *
 * The propagator applies the narrowing to the bounds of now. To explain a bound it applies it to
 * the bounds of then with the bound negated, which leaves nothing, and gives back as much of each
 * other bound as still leaves nothing. Both rest on the narrowing being monotone: of a smaller box
 * it leaves a part of what it leaves of a larger one.
 */
#ifndef CNS_SOLVER_BOX_H
#define CNS_SOLVER_BOX_H

#include "solver/globals/condition.h"

#define CNS_BOX_VIEWS 3

typedef struct cns_interval {
    int64_t low, high;
} cns_interval;

typedef struct cns_box {
    cns_interval side[CNS_BOX_VIEWS];
} cns_box;

/* Cuts off what holds no solution, monotonically. False: there is none (the box is then void). */
typedef bool (*cns_narrow)(cns_box *box);

/* Views in `v` (1 to 3). `narrow` must refuse a box of single values that is no solution. */
cns_status cns_post_box(cns_state *state, cns_post post, cns_narrow narrow, cns_views v);

/* Narrows x, y, z = side[0..2] as the hull of four cases by the signs of x and y != 0. In each one
 * all three are counted from 0 on; `natural` narrows x >= 0, y >= 1, z >= 0. z has the sign of x,
 * or where `quotient` that of x * y; 0 has any. */
bool cns_narrow_by_signs(cns_box *box,
                         bool (*natural)(cns_interval *x, cns_interval *y, cns_interval *z),
                         bool quotient);

/* ---- intervals ------------------------------------------------------------------------------ */

static inline cns_interval cns_interval_none(void) {
    return (cns_interval){INT64_MAX, INT64_MIN};
}

static inline bool cns_interval_empty(cns_interval i) {
    return i.low > i.high;
}

static inline cns_interval cns_interval_meet(cns_interval a, cns_interval b) {
    return (cns_interval){cns_max(a.low, b.low), cns_min(a.high, b.high)};
}

static inline cns_interval cns_interval_join(cns_interval a, cns_interval b) { /* the hull */
    return (cns_interval){cns_min(a.low, b.low), cns_max(a.high, b.high)};
}

static inline cns_interval cns_interval_negate(cns_interval i) {
    return (cns_interval){-i.high, -i.low};
}

#define CNS_BOX_CAP (INT64_C(1) << 61) /* beyond all bounds; sums of two still fit */

/* a * b, at most CNS_BOX_CAP; a, b >= 0. */
static inline int64_t cns_cap_product(int64_t a, int64_t b) {
    return b != 0 && a > CNS_BOX_CAP / b ? CNS_BOX_CAP : a * b;
}

#endif
