/* SPDX-License-Identifier: MIT
 *
 * solver/globals/theta_tree.h - theta-lambda trees (Vilim 2007, "Global constraints in
 * scheduling").
 *
 * Leaves are tasks in ascending order of earliest start. Theta is a set of tasks, of which the tree
 * knows the earliest completion time: the greatest est(S) + length(S) over its subsets S. Lambda is
 * a set of further tasks, of which at most one may be added.
 */
#ifndef CNS_SOLVER_GLOBALS_THETA_TREE_H
#define CNS_SOLVER_GLOBALS_THETA_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CNS_THETA_NEVER (-(INT64_C(1) << 62)) /* completion of the empty set */

typedef struct cns_theta {
    int64_t sum, ect;
} cns_theta;

typedef struct cns_lambda { /* the same, with the best task of lambda added */
    int64_t sum, ect;
    uint32_t sum_leaf, ect_leaf; /* it; UINT32_MAX: none */
} cns_lambda;

typedef struct cns_theta_tree {
    cns_theta *theta; /* node 1 is the root; nodes k's children are 2k, 2k + 1 */
    cns_lambda *lambda;
    uint32_t leaves; /* a power of two */
} cns_theta_tree;

/* How many leaves, and nodes in each array, a tree of `count` tasks has. */
uint32_t cns_theta_leaves(uint32_t count);

/* Empties both sets. `leaves` may be smaller than what there is room for. */
void cns_theta_clear(cns_theta_tree *tree, uint32_t leaves, bool with_lambda);
/* Without lambda: quicker. */
void cns_theta_insert(cns_theta_tree *tree, uint32_t leaf, int64_t est, int64_t length);
void cns_theta_remove(cns_theta_tree *tree, uint32_t leaf);

static inline int64_t cns_theta_ect(const cns_theta_tree *tree) {
    return tree->theta[1].ect;
}

/* requires: cleared with lambda. Theta inserted so far is taken into account by _begin. */
void cns_lambda_begin(cns_theta_tree *tree);
void cns_lambda_insert(cns_theta_tree *tree, uint32_t leaf, int64_t est, int64_t length);
void cns_lambda_remove(cns_theta_tree *tree, uint32_t leaf);
/* Takes the leaf out of theta, and puts it into lambda. */
void cns_lambda_move(cns_theta_tree *tree, uint32_t leaf, int64_t est, int64_t length);

#endif
