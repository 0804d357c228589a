/* SPDX-License-Identifier: MIT
 *
 * solver/violation.h - how far a constraint is from holding, and what it defines.
 *
 * Local search needs more than the evaluators' yes or no: an amount that falls as the values come
 * nearer to a solution (Van Hentenryck, Michel: Constraint-Based Local Search, 2005). Values may
 * lie outside their domains, by as much as cns_score clamps them to. Kinds without a measure of
 * their own have 1 where their evaluator says no. What is reported is judged by the evaluator.
 */
#ifndef CNS_SOLVER_VIOLATION_H
#define CNS_SOLVER_VIOLATION_H

#include "solver/evaluate.h"

/* 0 exactly when the constraint holds without its condition; e->scratch as the next function says.
 * Of clauses and linear constraints, whose sums the caller keeps, too. */
int64_t cns_violation(const cns_evaluation *e);
/* Pairs of scratch memory for the constraint. */
size_t cns_violation_scratch(const cns_model *model, const cns_model_constraint *c);
/* About how much work one call is, in ticks. */
uint64_t cns_violation_work(const cns_model *model, const cns_model_constraint *c);

/* The variables whose values follow from the others by the constraint: elements start ..
 * start + count - 1 of argument v<argument>. None: count 0. Linear equations and reified
 * constraints, which have a choice, are the caller's. */
typedef struct cns_outputs {
    uint32_t argument, start, count;
} cns_outputs;

cns_outputs cns_violation_outputs(const cns_model *model, const cns_model_constraint *c);
/* The value of output k; false where the function is undefined. */
bool cns_violation_output(const cns_evaluation *e, uint32_t k, cns_wide *out);

/* Whether its parts are summed up, so that a change of one needs no look at the others. */
static inline bool cns_violation_is_summed(const cns_model_constraint *c) {
    return c->kind == CNS_CLAUSE || c->kind == CNS_XOR || c->kind == CNS_LINEAR_EQ ||
           c->kind == CNS_LINEAR_NE || c->kind == CNS_LINEAR_LE;
}

#endif
