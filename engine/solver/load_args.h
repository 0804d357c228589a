/* SPDX-License-Identifier: MIT
 *
 * solver/load_args.h - the constraint that is being loaded: its arguments, and the kinds' loaders.
 *
 * Arguments are fetched into the loader's scratch arrays: they are valid until the next constraint.
 * What returns a bool or CNS_LIT_NONE has failed when the state's status says so.
 */
#ifndef CNS_SOLVER_LOAD_ARGS_H
#define CNS_SOLVER_LOAD_ARGS_H

#include "solver/load.h"

typedef struct cns_loading {
    cns_loader *l;
    cns_state *s;
    const cns_model_constraint *c;
    cns_post post;   /* with the condition, where the kind takes one */
    cns_lit literal; /* of the condition; true without one */
} cns_loading;

bool cns_arg_views(const cns_loading *k, int argument, cns_views *out);
bool cns_arg_view(const cns_loading *k, int argument, uint32_t index, cns_view *out);
const cns_lit *cns_arg_lits(const cns_loading *k, int argument);
/* Room for all arguments, and as many views, literals and integers again for what is made. */
bool cns_arg_reserve(const cns_loading *k);
cns_view *cns_arg_spare_views(const cns_loading *k, uint32_t count);
cns_lit *cns_arg_spare_lits(const cns_loading *k, uint32_t count);
uint32_t cns_arg_count(const cns_loading *k, int argument);
const int64_t *cns_arg_ints(const cns_loading *k, int argument);
int64_t cns_arg_int(const cns_loading *k, int argument, uint32_t index, int64_t otherwise);
/* Views of indices that count from `base`, counted from 0 and kept below `size`. */
bool cns_arg_indices(const cns_loading *k, int argument, int64_t base, uint32_t size,
                     cns_views *out);
cns_status cns_arg_linear(const cns_loading *k, cns_constraint_kind kind, cns_reification condition,
                          cns_lit literal, int64_t *a, cns_view *x, uint32_t count, int64_t c);
/* x (kind) y + c under the constraint's condition */
cns_status cns_arg_compare(const cns_loading *k, cns_constraint_kind kind,
                           cns_reification condition, cns_lit literal, cns_view x, cns_view y,
                           int64_t c);
/* A new integer within low..high. */
bool cns_arg_new_view(const cns_loading *k, int64_t low, int64_t high, cns_view *out);
/* low <= x <= high as a literal. */
cns_lit cns_arg_between(const cns_loading *k, cns_view x, int64_t low, int64_t high);

/* ---- one for each kind or family of kinds --------------------------------------------------- */

cns_status cns_loading_abs(const cns_loading *k);
cns_status cns_loading_alldifferent(const cns_loading *k);
cns_status cns_loading_among(const cns_loading *k);
cns_status cns_loading_arg_extreme(const cns_loading *k);
cns_status cns_loading_bin_packing(const cns_loading *k);
cns_status cns_loading_binary(const cns_loading *k);
cns_status cns_loading_cardinality(const cns_loading *k);
cns_status cns_loading_chain(const cns_loading *k, cns_constraint_kind kind, int64_t c);
cns_status cns_loading_circuit(const cns_loading *k);
cns_status cns_loading_clause(const cns_loading *k);
cns_status cns_loading_count(const cns_loading *k);
cns_status cns_loading_cumulative(const cns_loading *k);
cns_status cns_loading_diffn(const cns_loading *k);
cns_status cns_loading_disjunctive(const cns_loading *k);
cns_status cns_loading_element(const cns_loading *k);
cns_status cns_loading_extreme(const cns_loading *k);
cns_status cns_loading_in(const cns_loading *k);
cns_status cns_loading_inverse(const cns_loading *k);
cns_status cns_loading_knapsack(const cns_loading *k);
cns_status cns_loading_lex(const cns_loading *k);
cns_status cns_loading_linear(const cns_loading *k);
cns_status cns_loading_mdd(const cns_loading *k);
cns_status cns_loading_member(const cns_loading *k);
cns_status cns_loading_nvalue(const cns_loading *k);
cns_status cns_loading_precede(const cns_loading *k);
cns_status cns_loading_regular(const cns_loading *k);
cns_status cns_loading_sort(const cns_loading *k);
cns_status cns_loading_sum_of_products(const cns_loading *k);
cns_status cns_loading_table(const cns_loading *k);
cns_status cns_loading_xor(const cns_loading *k);

#endif
