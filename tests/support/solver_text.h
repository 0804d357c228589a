/* SPDX-License-Identifier: MIT
 *
 * solver_text.h - constraints as text, for tables in tests: "v0 3 ~4 i0 1 -2 condition 1 5".
 *
 * Behind v0..v3 and i0..i3 come the elements of the argument, behind `condition` a
 * cns_reification and its literal. What the numbers of v0..v3 mean is for the caller to say.
 */
#ifndef CNS_TEST_SOLVER_TEXT_H
#define CNS_TEST_SOLVER_TEXT_H

#include "cns/solver.h"

enum { SOLVER_TEXT_ELEMENTS = 64 };

typedef struct solver_text {
    cns_constraint c; /* points into the arrays */
    cns_var v[4][SOLVER_TEXT_ELEMENTS];
    int64_t i[4][SOLVER_TEXT_ELEMENTS];
} solver_text;

/* The variable that a number stands for. */
typedef cns_var (*solver_text_variable)(void *user, int64_t number);

/* `kind` by its name; `variable` NULL: numbers are variables. Fails the test on bad text. */
void solver_text_parse(solver_text *out, const char *kind, const char *text,
                       solver_text_variable variable, void *user);

#endif
