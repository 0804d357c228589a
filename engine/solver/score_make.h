/* SPDX-License-Identifier: MIT
 *
 * solver/score_make.h - what score.c and score_make.c share.
 */
#ifndef CNS_SOLVER_SCORE_MAKE_H
#define CNS_SOLVER_SCORE_MAKE_H

#include "solver/score.h"

/* Values that an alldifferent excepts have a count that nobody takes for a second one. */
#define CNS_TALLY_EXCEPTED (UINT32_MAX / 2)

typedef enum cns_touch_sort {
    CNS_TOUCH_PLAIN, /* factor 0 unless the constraint has a sum */
    CNS_TOUCH_TALLY  /* of an alldifferent that counts values */
} cns_touch_sort;

/* Whether a change of one element needs no look at the others. */
bool cns_score_is_summed(const cns_score *score, uint32_t constraint);
/* Sums and tallies from the values, without those of followers in what defines them. */
void cns_score_sum(cns_score *score);
/* Before values are replaced otherwise than by cns_score_set: tallies count none of them. */
void cns_score_clear_tallies(cns_score *score);

#endif
