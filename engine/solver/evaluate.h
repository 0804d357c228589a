/* SPDX-License-Identifier: MIT
 *
 * solver/evaluate.h - what the evaluators of single constraints share.
 *
 * An evaluator says whether a constraint holds under values that lie in their domains; where the
 * constraint is undefined, it does not hold. It follows the text of cns/solver.h and knows nothing
 * of propagators: it is what their answers are judged by.
 */
#ifndef CNS_SOLVER_EVALUATE_H
#define CNS_SOLVER_EVALUATE_H

#include "solver/model.h"
#include "solver/wide.h"

typedef struct cns_pair {
    int64_t key, other;
} cns_pair;

typedef struct cns_evaluation {
    const cns_model *model;
    const cns_model_constraint *c;
    const int64_t *values; /* of all variables */
    cns_pair *scratch;     /* see cns_evaluation_scratch */
} cns_evaluation;

typedef bool (*cns_evaluator)(const cns_evaluation *e);

/* How many pairs of scratch memory the evaluator of the constraint's kind uses. */
size_t cns_evaluation_scratch(const cns_model *model, const cns_model_constraint *c);
/* Whether the constraint holds, its condition left aside. */
bool cns_evaluate_body(const cns_evaluation *e);

/* The value of element j of argument v<k>. */
static inline int64_t cns_at(const cns_evaluation *e, int k, size_t j) {
    return cns_model_value(e->values, cns_model_v(e->model, e->c, k)[j]);
}

static inline int64_t cns_int_at(const cns_evaluation *e, int k, size_t j) {
    return cns_model_i(e->model, e->c, k)[j];
}

/* Element j of i<k>, or `otherwise` when it was left out. */
static inline int64_t cns_option(const cns_evaluation *e, int k, size_t j, int64_t otherwise) {
    return j < e->c->i[k].count ? cns_int_at(e, k, j) : otherwise;
}

/* Where an index that counts from `base` points to in an array; false when beyond it. */
static inline bool cns_position(int64_t index, int64_t base, uint32_t count, uint32_t *out) {
    cns_wide position = (cns_wide)index - base;
    if (position < 0 || position >= count) {
        return false;
    }
    *out = (uint32_t)position;
    return true;
}

/* evaluate_sets.c: in ascending order of key, then of the other. */
void cns_pairs_sort(cns_pair *pairs, size_t count);
/* The first pair of sorted ones whose key is at least `key`; `count` when there is none. */
size_t cns_pairs_find(const cns_pair *pairs, size_t count, int64_t key);

/* ---- evaluate_sets.c: which values occur, and how often ------------------------------------- */

bool cns_holds_alldifferent(const cns_evaluation *e);
bool cns_holds_global_cardinality(const cns_evaluation *e);
bool cns_holds_count(const cns_evaluation *e);
bool cns_holds_among(const cns_evaluation *e);
bool cns_holds_nvalue(const cns_evaluation *e);
bool cns_holds_all_equal(const cns_evaluation *e);
bool cns_holds_member(const cns_evaluation *e);
bool cns_holds_sort(const cns_evaluation *e);
bool cns_holds_arg_sort(const cns_evaluation *e);
bool cns_holds_precede(const cns_evaluation *e);

/* ---- evaluate_packing.c: tasks, boxes, bins ------------------------------------------------- */

bool cns_holds_cumulative(const cns_evaluation *e);
bool cns_holds_disjunctive(const cns_evaluation *e);
bool cns_holds_diffn(const cns_evaluation *e);
bool cns_holds_bin_packing(const cns_evaluation *e);
bool cns_holds_knapsack(const cns_evaluation *e);

/* ---- evaluate_order.c: sequences and graphs ------------------------------------------------- */

bool cns_holds_circuit(const cns_evaluation *e);
bool cns_holds_subcircuit(const cns_evaluation *e);
bool cns_holds_inverse(const cns_evaluation *e);
bool cns_holds_table(const cns_evaluation *e);
bool cns_holds_regular(const cns_evaluation *e);
bool cns_holds_mdd(const cns_evaluation *e);
bool cns_holds_lex_le(const cns_evaluation *e);
bool cns_holds_lex_lt(const cns_evaluation *e);
bool cns_holds_increasing(const cns_evaluation *e);
bool cns_holds_arg_max(const cns_evaluation *e);
bool cns_holds_arg_min(const cns_evaluation *e);

#endif
