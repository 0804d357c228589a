/* SPDX-License-Identifier: MIT
 *
 * solver/presolve_cliques.h - sets of which each two are related, from a list of pairs.
 *
 * Nodes are values of which a pair may be related as x and sign * y + offset: "x differs from it",
 * for one. In a clique each node has a sign and an offset of its own, under which all are related
 * as they are. Cliques are grown greedily, each from a pair that is in none yet.
 */
#ifndef CNS_SOLVER_PRESOLVE_CLIQUES_H
#define CNS_SOLVER_PRESOLVE_CLIQUES_H

#include "solver/state.h"

typedef struct cns_clique_edge {
    uint32_t x, y; /* nodes, not the same */
    int32_t sign;  /* 1 or -1 */
    int64_t offset;
    uint32_t label; /* the caller's */
    bool covered;   /* a clique has it, or an equal one before it */
} cns_clique_edge;

typedef struct cns_clique_edges {
    cns_clique_edge *data;
    uint32_t count, capacity;
    uint32_t *slots; /* open addressing: 1 + index of an edge; 0: empty */
    uint32_t slot_count;
} cns_clique_edges;

typedef struct cns_clique_member {
    uint32_t node;
    int32_t sign;
    int64_t offset; /* below 2^42 */
} cns_clique_member;

typedef struct cns_cliques {
    cns_clique_member *members; /* of one clique behind another */
    uint32_t member_count, member_capacity;
    uint32_t *ends; /* where each clique's members end */
    uint32_t count, end_capacity;
} cns_cliques;

/* False: memory gave out. requires: |offset| < 2^41. */
bool cns_clique_edge_add(cns_state *state, cns_clique_edges *edges, cns_clique_edge edge);
/* Cliques of at least three nodes, each with no more than half of its pairs in those before it, as
 * many as the budget lets it find; nodes are below `node_count`. False: memory gave out, or a limit
 * was reached. */
bool cns_cliques_find(cns_state *state, cns_clique_edges *edges, uint32_t node_count,
                      cns_cliques *out);
/* For cns_clique_edge_of without cliques. False: as above. */
bool cns_clique_edges_index(cns_state *state, cns_clique_edges *edges);
/* The edge that relates two members; NULL: there is none. After one of the two. */
const cns_clique_edge *cns_clique_edge_of(const cns_clique_edges *edges, cns_clique_member a,
                                          cns_clique_member b);
void cns_clique_edges_deinit(cns_state *state, cns_clique_edges *edges);
void cns_cliques_deinit(cns_state *state, cns_cliques *cliques);

#endif
