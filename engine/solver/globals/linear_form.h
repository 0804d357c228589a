/* SPDX-License-Identifier: MIT
 *
 * solver/globals/linear_form.h - a sum in normal form, as the linear constraints take it.
 */
#ifndef CNS_SOLVER_LINEAR_FORM_H
#define CNS_SOLVER_LINEAR_FORM_H

#include "solver/globals/condition.h"

typedef struct cns_linear_term {
    int64_t a;     /* > 0 */
    int64_t reach; /* a times the width of the term's domain at the root */
    cns_term term;
} cns_linear_term;

/* sum a[j] * term[j] against c: each integer occurs once, fixed ones are in c, and the
 * coefficients have no common divisor but `divisor`, by which they were divided (c was not). The
 * longest reach comes first. */
typedef struct cns_linear_form {
    cns_linear_term *terms;
    uint32_t count, capacity;
    int64_t c;
    int64_t divisor;
    int64_t least, most; /* what the sum can be (divided) */
} cns_linear_form;

/* False: memory gave out, and there is nothing to free. */
bool cns_linear_form_init(cns_state *state, cns_linear_form *form, const int64_t *a, cns_views x,
                          int64_t c);
void cns_linear_form_deinit(cns_state *state, cns_linear_form *form);
/* Turns sum against c into -sum against -c. */
void cns_linear_form_negate(cns_linear_form *form);

/* sum <= form->c, where divided. */
cns_status cns_post_linear_form_le(cns_state *state, cns_post post, const cns_linear_form *form);

#endif
