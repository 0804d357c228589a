/* SPDX-License-Identifier: MIT
 *
 * solver/globals/boxes.h - pairs of boxes by their bounds, for sets too large for literals.
 */
#ifndef CNS_SOLVER_GLOBALS_BOXES_H
#define CNS_SOLVER_GLOBALS_BOXES_H

#include "solver/globals/globals.h"

typedef struct cns_box2 {
    cns_view x, y, dx, dy;
} cns_box2;

typedef struct cns_apart { /* x + d <= y */
    cns_view x, d, y;
} cns_apart;

/* Ways to be apart: a before b, b before a; a below b, b below a. */
static inline cns_apart cns_boxes_apart(const cns_box2 *a, const cns_box2 *b, unsigned way) {
    const cns_box2 *first = way & 1 ? b : a, *second = way & 1 ? a : b;
    cns_apart apart = way < 2 ? (cns_apart){first->x, first->dx, second->x}
                              : (cns_apart){first->y, first->dy, second->y};
    if (apart.x.term == apart.y.term) { /* drops out; it would be raised step by step */
        apart.x = cns_view_constant(apart.x.offset);
        apart.y = cns_view_constant(apart.y.offset);
    }
    return apart;
}

/* `boxes` are copied. Not strict: pairs count from when all their extents are at least 1. */
cns_status cns_post_boxes(cns_state *state, cns_post post, const cns_box2 *boxes, uint32_t count,
                          bool strict);
/* cns_post_diffn with another limit of how many boxes get literals. */
cns_status cns_post_diffn_limited(cns_state *state, cns_post post, cns_views x, cns_views y,
                                  cns_views dx, cns_views dy, bool strict, uint32_t literal_limit);

#endif
