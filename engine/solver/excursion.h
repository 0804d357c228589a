/* SPDX-License-Identifier: MIT
 *
 * solver/excursion.h - a complete search turns to neighbourhoods of the best solution, in between.
 *
 * Excursions of a few neighbourhoods (lns.h) come between restarts: more and more often while they
 * improve the objective faster than the usual search does, and ever more rarely where they do not,
 * so that a proof is hardly delayed.
 */
#ifndef CNS_SOLVER_EXCURSION_H
#define CNS_SOLVER_EXCURSION_H

#include "solver/lns.h"

/* The objective that was reached, as it is minimised, and the conflicts until then. */
typedef struct cns_effort {
    int64_t objective;
    uint64_t conflicts;
} cns_effort;

typedef struct cns_excursions {
    cns_lns lns;
    uint32_t left;     /* neighbourhoods of the excursion that is under way */
    uint32_t wait;     /* restarts until the next excursion */
    uint32_t pause;    /* ... between two */
    uint64_t restarts; /* counted so far */
    cns_effort home;   /* when the last excursion ended */
    cns_effort out;    /* when the present one began */
} cns_excursions;

void cns_excursions_init(cns_excursions *excursions, cns_worker *worker, uint64_t seed);
/* Memory is given back; init may follow, or another deinit. */
void cns_excursions_deinit(cns_excursions *excursions);
/* Back to the root and to the usual search: before another problem, or another way to search. */
void cns_excursions_end(cns_excursions *excursions);
/* At the root, before each descent: `values` of the best solution, NULL: there is none to start
 * from. search->excursion says whether it is out. */
void cns_excursions_at_root(cns_excursions *excursions, const int64_t *values);

#endif
