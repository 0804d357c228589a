/* SPDX-License-Identifier: MIT
 *
 * solver/globals/index.h - what the elements share: why an index avoids a set of positions.
 */
#ifndef CNS_SOLVER_INDEX_H
#define CNS_SOLVER_INDEX_H

#include "solver/globals/condition.h"

/* Collects positions that the index did not have before `at`; bounds are named once, at the end. */
typedef struct cns_absence {
    cns_view index;
    uint32_t at;
    int64_t low, high;           /* the index's bounds then */
    int64_t need_low, need_high; /* what is asked of them */
    cns_facts *out;
} cns_absence;

/* Whether `value` was not in the view's domain before `position`. */
static inline bool cns_view_lacked(const cns_state *s, cns_view v, int64_t value,
                                   uint32_t position) {
    if (value < cns_view_low_at(s, v, position) || value > cns_view_high_at(s, v, position)) {
        return true;
    }
    cns_lit lit = cns_find_eq(s, v.term, value - v.offset);
    return lit != CNS_LIT_NONE && cns_true_before(s, lit ^ 1, position);
}

static inline cns_absence cns_absence_begin(const cns_state *s, cns_view index, uint32_t at,
                                            cns_facts *out) {
    cns_absence a = {
        index,     at, cns_view_low_at(s, index, at), cns_view_high_at(s, index, at), INT64_MIN,
        INT64_MAX, out};
    return a;
}

/* requires: the index lacked it. */
static inline void cns_absence_push(cns_state *s, cns_absence *a, int64_t i) {
    if (i < a->low) {
        a->need_low = cns_max(a->need_low, i + 1);
    } else if (i > a->high) {
        a->need_high = cns_min(a->need_high, i - 1);
    } else {
        cns_facts_push(s, a->out, cns_view_why_not(s, a->index, i, a->at));
    }
}

static inline void cns_absence_end(cns_state *s, cns_absence *a) {
    if (a->low == a->high && a->need_low != INT64_MIN && a->need_high != INT64_MAX) {
        cns_push_value(s, a->out, a->index, a->low, a->at);
        return;
    }
    if (a->need_low != INT64_MIN) {
        cns_push_view_ge(s, a->out, a->index, a->need_low);
    }
    if (a->need_high != INT64_MAX) {
        cns_push_view_le(s, a->out, a->index, a->need_high);
    }
}

#endif
