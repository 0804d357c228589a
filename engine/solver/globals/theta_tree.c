/* SPDX-License-Identifier: MIT
 *
 * solver/globals/theta_tree.c - see theta_tree.h.
 */
#include "solver/globals/theta_tree.h"

#define NO_LEAF UINT32_MAX

static const cns_theta no_theta = {0, CNS_THETA_NEVER};
static const cns_lambda no_lambda = {CNS_THETA_NEVER, CNS_THETA_NEVER, NO_LEAF, NO_LEAF};

uint32_t cns_theta_leaves(uint32_t count) {
    uint32_t leaves = 1;
    while (leaves < count) {
        leaves *= 2;
    }
    return leaves;
}

void cns_theta_clear(cns_theta_tree *tree, uint32_t leaves, bool with_lambda) {
    tree->leaves = leaves;
    for (uint32_t k = 0; k < 2 * leaves; k++) {
        tree->theta[k] = no_theta;
        if (with_lambda) {
            tree->lambda[k] = no_lambda;
        }
    }
}

static void join_theta(cns_theta_tree *tree, uint32_t node) {
    const cns_theta *left = &tree->theta[2 * node], *right = left + 1;
    int64_t through = left->ect + right->sum;
    tree->theta[node].sum = left->sum + right->sum;
    tree->theta[node].ect = through > right->ect ? through : right->ect;
}

static void join_lambda(cns_theta_tree *tree, uint32_t node) {
    const cns_theta *left = &tree->theta[2 * node], *right = left + 1;
    const cns_lambda *l = &tree->lambda[2 * node], *r = l + 1;
    cns_lambda *to = &tree->lambda[node];
    int64_t sum_l = l->sum + right->sum, sum_r = left->sum + r->sum;
    to->sum = sum_l > sum_r ? sum_l : sum_r;
    to->sum_leaf = sum_l > sum_r ? l->sum_leaf : r->sum_leaf;
    to->ect = r->ect;
    to->ect_leaf = r->ect_leaf;
    int64_t through_l = l->ect + right->sum, through_r = left->ect + r->sum;
    if (through_l > to->ect) {
        to->ect = through_l;
        to->ect_leaf = l->ect_leaf;
    }
    if (through_r > to->ect) {
        to->ect = through_r;
        to->ect_leaf = r->sum_leaf;
    }
}

static void set_theta(cns_theta_tree *tree, uint32_t leaf, cns_theta value) {
    uint32_t node = tree->leaves + leaf;
    tree->theta[node] = value;
    for (node /= 2; node > 0; node /= 2) {
        join_theta(tree, node);
    }
}

void cns_theta_insert(cns_theta_tree *tree, uint32_t leaf, int64_t est, int64_t length) {
    set_theta(tree, leaf, (cns_theta){length, est + length});
}

void cns_theta_remove(cns_theta_tree *tree, uint32_t leaf) {
    set_theta(tree, leaf, no_theta);
}

void cns_lambda_begin(cns_theta_tree *tree) {
    for (uint32_t node = tree->leaves; node-- > 1;) {
        join_lambda(tree, node);
    }
}

static void set_lambda(cns_theta_tree *tree, uint32_t leaf, cns_lambda value) {
    uint32_t node = tree->leaves + leaf;
    tree->lambda[node] = value;
    for (node /= 2; node > 0; node /= 2) {
        join_lambda(tree, node);
    }
}

void cns_lambda_insert(cns_theta_tree *tree, uint32_t leaf, int64_t est, int64_t length) {
    set_lambda(tree, leaf, (cns_lambda){length, est + length, leaf, leaf});
}

void cns_lambda_remove(cns_theta_tree *tree, uint32_t leaf) {
    set_lambda(tree, leaf, no_lambda);
}

void cns_lambda_move(cns_theta_tree *tree, uint32_t leaf, int64_t est, int64_t length) {
    uint32_t node = tree->leaves + leaf;
    tree->theta[node] = no_theta;
    tree->lambda[node] = (cns_lambda){length, est + length, leaf, leaf};
    for (node /= 2; node > 0; node /= 2) {
        join_theta(tree, node);
        join_lambda(tree, node);
    }
}
