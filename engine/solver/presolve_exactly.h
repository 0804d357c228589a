/* SPDX-License-Identifier: MIT
 *
 * solver/presolve_exactly.h - sums over literals of which exactly one is true.
 *
 * Where one of a group is true, a sum that has all of the group with coefficients of at least m > 0
 * is m more than the same sum with m less at each of them. Bounds see the m at once; without it
 * they see nothing until the group is decided: costs of assignments and tours. A group is a sum
 * that is 1, or a clause of literals of which each two exclude each other, by clauses of two or by
 * small sums that are at most 1.
 */
#ifndef CNS_SOLVER_PRESOLVE_EXACTLY_H
#define CNS_SOLVER_PRESOLVE_EXACTLY_H

#include "solver/presolve.h"

typedef struct cns_group {
    uint32_t begin, end; /* in `lits` */
    uint32_t next;       /* with the same first literal, 1 + index; 0: none */
} cns_group;

typedef struct cns_exactly {
    cns_group *groups;
    uint32_t count, capacity;
    cns_lit *lits; /* of one group behind another */
    uint32_t lit_count, lit_capacity;
    uint32_t *groups_of;    /* by literal: 1 + the first group that begins with it; 0: none */
    uint32_t *place;        /* by literal: 1 + its place in the sum at hand; 0: not there */
    uint32_t table_size;    /* of each of the two: newer literals are in no group */
    cns_clique_edges pairs; /* literals that exclude each other */
    uint64_t budget;
    uint64_t looks; /* in a step of finding */
    /* What was seen of the constraints, and where finding is. */
    bool has_sums, has_longer; /* sums that groups could change; clauses that could be groups */
    uint32_t pair_count;       /* clauses of two */
    bool begun;
    uint8_t stage;               /* of finding */
    uint32_t next, row, fetched; /* constraint; of its literals: how many are compared, and are */
} cns_exactly;

/* Looks at constraint `k`; then finds the groups of a batch, or none when memory gives out. Failed:
 * a limit was reached. */
void cns_exactly_look(cns_exactly *exactly, const cns_batch *batch, uint32_t k);
cns_part cns_exactly_find(cns_exactly *exactly, const cns_batch *batch, cns_piece *piece);
/* Whether groups may rest on the sum, which they must not change then: it is what makes them so. */
bool cns_exactly_is_ground(const cns_model *model, const cns_model_constraint *c);
/* Moves what is certain of sum a x (rel) c to the right side, or nothing when memory gives out.
 * False: a limit was reached. */
bool cns_exactly_shift(cns_exactly *exactly, cns_loader *loader, int64_t *a, const cns_view *x,
                       uint32_t count, int64_t *c);
void cns_exactly_deinit(cns_exactly *exactly, cns_state *state);

#endif
