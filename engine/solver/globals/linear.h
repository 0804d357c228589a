/* SPDX-License-Identifier: MIT
 *
 * solver/globals/linear.h - what linear constraints say of two of their terms.
 */
#ifndef CNS_SOLVER_LINEAR_H
#define CNS_SOLVER_LINEAR_H

#include "solver/globals/globals.h"

enum {
    CNS_DIFFERENCE_TERMS = 4, /* of a constraint at most, where differences are asked for */
    CNS_DIFFERENCES = CNS_DIFFERENCE_TERMS * (CNS_DIFFERENCE_TERMS - 1) /* of it, at most */
};

typedef struct cns_difference { /* to >= from + gain, whatever the bounds of these two are */
    cns_term from, to;
    int64_t gain;
    uint32_t propagator;
    uint8_t i, j; /* which of its terms they are */
} cns_difference;

/* Writes the differences that `p` implies now; gives how many: none where it is no short linear
 * constraint, or its condition does not hold. |gain| is at most 2^61. */
uint32_t cns_linear_differences(const cns_state *state, const cns_propagator *p,
                                cns_difference *out);
/* Appends what such a difference rests on, given that nothing was set since. */
void cns_explain_difference(cns_state *state, const cns_difference *difference, cns_facts *out);

#endif
