/* SPDX-License-Identifier: MIT
 *
 * solver/globals/globals.h - one function per constraint, that puts its propagators into a state.
 *
 * All work at the root only, and return CNS_OK also when the constraint cannot hold (the state has
 * `failed` then): a negative status means that memory gave out. Arguments are copied. Views may
 * repeat, and may be constants. Each constraint is explained in facts about its own arguments.
 * What could overflow was refused by cns_model_add: sums and products of bounds fit in 62 bits.
 */
#ifndef CNS_SOLVER_GLOBALS_H
#define CNS_SOLVER_GLOBALS_H

#include "solver/state.h"

/* What every constraint is told: whose it is, and the literal that it hangs on. */
typedef struct cns_post {
    uint32_t origin;   /* the model's constraint */
    cns_lit condition; /* the constraint holds if this is true (CNS_LIT_TRUE: always), and a
                        * propagator makes it false when the constraint cannot hold */
} cns_post;

typedef struct cns_views {
    const cns_view *data;
    uint32_t count;
} cns_views;

/* The 0..1 view of a literal (an integer is made when it has none). */
cns_status cns_view_of_lit(cns_state *state, cns_lit lit, cns_view *out);

/* ---- arithmetic: all take a condition ------------------------------------------------------- */

/* sum a[j] x[j] <= c, = c, != c */
cns_status cns_post_linear_le(cns_state *state, cns_post post, const int64_t *a, cns_views x,
                              int64_t c);
cns_status cns_post_linear_eq(cns_state *state, cns_post post, const int64_t *a, cns_views x,
                              int64_t c);
cns_status cns_post_linear_ne(cns_state *state, cns_post post, const int64_t *a, cns_views x,
                              int64_t c);
/* sum a[j] lits[j] <= c + y (y may be a constant): counters and pseudo-Booleans. */
cns_status cns_post_bool_le(cns_state *state, cns_post post, const int64_t *a, const cns_lit *lits,
                            uint32_t count, cns_view y, int64_t c);
/* x * y = z; x / y = z (towards 0), x mod y = z, with y != 0; x ^ y = z; |x| = z. */
cns_status cns_post_times(cns_state *state, cns_post post, cns_view x, cns_view y, cns_view z);
cns_status cns_post_div(cns_state *state, cns_post post, cns_view x, cns_view y, cns_view z);
cns_status cns_post_mod(cns_state *state, cns_post post, cns_view x, cns_view y, cns_view z);
cns_status cns_post_pow(cns_state *state, cns_post post, cns_view x, cns_view y, cns_view z);
cns_status cns_post_abs(cns_state *state, cns_post post, cns_view x, cns_view z);
/* max x[j] = z (the minimum is that of negated views). */
cns_status cns_post_maximum(cns_state *state, cns_post post, cns_views x, cns_view z);
/* values[index] = z, x[index] = z; index counts from 0, and lies within. */
cns_status cns_post_element_const(cns_state *state, cns_post post, cns_view index,
                                  const int64_t *values, uint32_t count, cns_view z);
cns_status cns_post_element(cns_state *state, cns_post post, cns_view index, cns_views x,
                            cns_view z);
/* An odd number of literals is true. */
cns_status cns_post_xor(cns_state *state, cns_post post, const cns_lit *lits, uint32_t count);

/* ---- counting and permutations: unconditional ----------------------------------------------- */

cns_status cns_post_alldifferent(cns_state *state, cns_post post, cns_views x);
/* The same, by fixed views alone: what the inequations of all pairs would deduce. */
cns_status cns_post_alldifferent_values(cns_state *state, cns_post post, cns_views x);
/* Those x that take a value outside `excepted` (ascending) differ. */
cns_status cns_post_alldifferent_except(cns_state *state, cns_post post, cns_views x,
                                        const int64_t *excepted, uint32_t count);
cns_status cns_post_global_cardinality(cns_state *state, cns_post post, cns_views x,
                                       const int64_t *values, cns_views counts, bool closed);
cns_status cns_post_nvalue(cns_state *state, cns_post post, cns_views x, cns_view n);
/* f[i] = j <=> g[j] = i, both counting from 0. */
cns_status cns_post_inverse(cns_state *state, cns_post post, cns_views f, cns_views g);
/* successors count from 0; subcircuit: nodes may be their own successors. */
cns_status cns_post_circuit(cns_state *state, cns_post post, cns_views successors, bool subcircuit);
cns_status cns_post_sort(cns_state *state, cns_post post, cns_views x, cns_views y);
cns_status cns_post_arg_sort(cns_state *state, cns_post post, cns_views x, cns_views p);
cns_status cns_post_arg_max(cns_state *state, cns_post post, cns_views x, cns_view index);
/* x <= y (strict: <) lexicographically; takes a condition. */
cns_status cns_post_lex(cns_state *state, cns_post post, cns_views x, cns_views y, bool strict);
cns_status cns_post_precede(cns_state *state, cns_post post, cns_views x, const int64_t *values,
                            uint32_t count);

/* ---- resources: unconditional --------------------------------------------------------------- */

cns_status cns_post_cumulative(cns_state *state, cns_post post, cns_views starts,
                               cns_views durations, cns_views demands, cns_view capacity);
/* presence: one literal a task, or NULL: all are present. */
cns_status cns_post_disjunctive(cns_state *state, cns_post post, cns_views starts,
                                cns_views durations, const cns_lit *presence, bool strict);
/* Tasks, all present, whose orders have literals: where before[i * count + j] is true, i ends
 * before j starts; of each pair one is true, and false where the bounds forbid it. */
cns_status cns_post_machine(cns_state *state, cns_post post, cns_views starts, cns_views durations,
                            const cns_lit *before);
cns_status cns_post_diffn(cns_state *state, cns_post post, cns_views x, cns_views y, cns_views dx,
                          cns_views dy, bool strict);
/* bins count from 0; loads[k] is the sum of the weights of the items in bin k. */
cns_status cns_post_bin_packing(cns_state *state, cns_post post, cns_views bins,
                                const int64_t *weights, cns_views loads);
cns_status cns_post_knapsack(cns_state *state, cns_post post, cns_views x, const int64_t *weights,
                             const int64_t *profits, cns_view weight, cns_view profit);

/* ---- extension: unconditional --------------------------------------------------------------- */

cns_status cns_post_table(cns_state *state, cns_post post, cns_views x, const int64_t *rows,
                          uint32_t row_count);

typedef struct cns_mdd_edge { /* from a node of one layer to one of the next */
    uint32_t from, to;
    int64_t low, high; /* values of the layer's variable */
} cns_mdd_edge;

/* x[k] follows an edge of layer k: a path from node 0 to node 1 (the only node of the last layer).
 * Edges are sorted by layer; layer_start has count + 1 elements. Nodes are numbered over all
 * layers, below node_count. */
cns_status cns_post_mdd(cns_state *state, cns_post post, cns_views x, const cns_mdd_edge *edges,
                        const uint32_t *layer_start, uint32_t node_count);
/* The automaton of CNS_REGULAR; states from 1 on. */
cns_status cns_post_regular(cns_state *state, cns_post post, cns_views x, int64_t states,
                            int64_t symbols, const int64_t *next, int64_t start,
                            const int64_t *accepting, uint32_t accepting_count);

#endif
