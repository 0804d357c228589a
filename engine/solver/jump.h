/* SPDX-License-Identifier: MIT
 *
 * solver/jump.h - changes of free variables that may mend a violated item.
 *
 * From the item a wish goes down through the definitions, at random: this sum is to fall by 3, so
 * that summand, so the maximum that it is, so the greatest of those. Where it comes to a free
 * variable, that is a move. Nothing is promised about it: the caller tries it on the score.
 */
#ifndef CNS_SOLVER_JUMP_H
#define CNS_SOLVER_JUMP_H

#include "solver/score.h"

typedef struct cns_jump {
    uint32_t count; /* at least 1 */
    uint32_t vars[CNS_SCORE_SETS];
    int64_t values[CNS_SCORE_SETS];
} cns_jump;

/* False: none came to mind. */
bool cns_jump_make(cns_score *score, cns_rng *rng, uint32_t item, cns_jump *out);

#endif
