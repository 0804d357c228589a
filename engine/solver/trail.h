/* SPDX-License-Identifier: MIT
 *
 * solver/trail.h - what the core's own files share: propagators need state.h only.
 */
#ifndef CNS_SOLVER_TRAIL_H
#define CNS_SOLVER_TRAIL_H

#include "solver/state.h"

/* The entry that raised the term's lower bound from below `value` to it or beyond; 0: the root.
 * requires: term >= value holds. */
uint32_t cns_find_move(const cns_state *state, cns_term term, int64_t value);
/* The least bound that means the same as `bound`, given the holes of the declared domain. */
int64_t cns_weakest_bound(const cns_state *state, cns_term term, int64_t bound);
/* The least value of the declared domain that is at least `bound`; INT64_MAX: none. */
int64_t cns_declared_ceiling(const cns_state *state, cns_term term, int64_t bound);
/* Frees x->places. */
void cns_forget_places(cns_state *state, cns_int *x);
/* Forgets what is queued for propagation. */
void cns_clear_queues(cns_state *state);
bool cns_grow_moves(cns_state *state);

/* The bound that a true literal of kind CNS_BOOL_GE stands for. */
static inline cns_fact cns_atom_bound(const cns_state *s, cns_lit lit) {
    const cns_atom *atom = &s->atoms[lit >> 1];
    return lit & 1 ? cns_fact_ge(2 * atom->integer + 1, 1 - atom->value)
                   : cns_fact_ge(2 * atom->integer, atom->value);
}

/* The model's constraint behind a reason; UINT32_MAX: clauses. */
static inline uint32_t cns_reason_origin(const cns_state *s, cns_reason reason) {
    return cns_reason_tag(reason) == CNS_REASON_LAZY
               ? s->propagators[cns_reason_minor(reason)]->origin
               : s->active_origin;
}

#endif
