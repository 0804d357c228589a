/* SPDX-License-Identifier: MIT
 *
 * solver/model_kind.h - what each kind of constraint takes, as a table, and what checks it.
 *
 * The table says how many elements each argument has and of which sort they are; what it cannot
 * say is for the two functions of a kind: `shape` (does the argument make sense) and `reach`
 * (could its arithmetic leave 2^62).
 */
#ifndef CNS_SOLVER_MODEL_KIND_H
#define CNS_SOLVER_MODEL_KIND_H

#include "solver/model.h"

/* How many elements an argument has; 0..4 are themselves. */
typedef enum cns_argument_count {
    CNS_TAKES_ANY = 5,
    CNS_TAKES_SOME,          /* at least 1 */
    CNS_TAKES_OPTIONAL,      /* 0 or 1 */
    CNS_TAKES_OPTIONAL_PAIR, /* 0 or 2 */
    CNS_TAKES_AS_V0,
    CNS_TAKES_AS_V0_OR_NONE,
    CNS_TAKES_AS_I0
} cns_argument_count;

typedef enum cns_argument_sort {
    CNS_OF_PLAIN = 0, /* any variable; any integer within +-2^62 */
    CNS_OF_LITERAL,
    CNS_OF_NATURAL, /* never negative */
    CNS_OF_FLAG,    /* 0 or 1 */
    CNS_OF_RELATION,
    CNS_OF_RANGES
} cns_argument_sort;

typedef struct cns_argument {
    const char *name; /* NULL: the kind takes no such argument */
    uint8_t count;
    uint8_t sort;
} cns_argument;

typedef cns_status (*cns_kind_check)(const cns_model *model, const cns_constraint *constraint);

typedef struct cns_kind {
    const char *name;
    bool conditional; /* takes CNS_IF and CNS_IF_AND_ONLY */
    cns_argument v[4];
    cns_argument i[4];
    cns_kind_check shape; /* NULL: the table says it all */
    cns_kind_check reach; /* NULL: nothing can overflow */
} cns_kind;

/* NULL for a number that is no kind. */
const cns_kind *cns_kind_of(int kind);

/* Everything that cns_model_add promises. Needs scratch memory for some kinds. */
cns_status cns_model_check(const cns_model *model, const cns_constraint *constraint);

/* The constraint in a message: `linear_le "budget"`. Returns `buffer`. */
enum { CNS_LABEL_SIZE = 96 };
const char *cns_constraint_label(const cns_constraint *constraint, char buffer[CNS_LABEL_SIZE]);

/* The first of `count` ranges that is empty or not above the one before it; `count` if none. */
size_t cns_first_bad_range(const int64_t *ranges, size_t count);

/* The edges of an MDD by the node that they leave: those of node k are order[first[k]] ..
 * order[first[k + 1] - 1]. requires: nodes valid, `first` for nodes + 2, `order` for `count`. */
void cns_mdd_index(const int64_t *edges, uint32_t count, uint32_t nodes, uint32_t *first,
                   uint32_t *order);

/* ---- model_shape.c, model_reach.c: the functions of the table ------------------------------- */

cns_status cns_shape_element(const cns_model *model, const cns_constraint *c);
cns_status cns_shape_table(const cns_model *model, const cns_constraint *c);
cns_status cns_shape_regular(const cns_model *model, const cns_constraint *c);
cns_status cns_shape_mdd(const cns_model *model, const cns_constraint *c);

cns_status cns_reach_linear(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_times(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_pow(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_cumulative(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_disjunctive(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_diffn(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_bin_packing(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_knapsack(const cns_model *model, const cns_constraint *c);
cns_status cns_reach_products(const cns_model *model, const cns_constraint *c);

#endif
