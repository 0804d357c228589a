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

/* Work that is cut into pieces counts ticks; and looks, where a search that follows must not depend
 * on what was looked at before it. */
typedef struct cns_piece {
    uint64_t ticks_end; /* of the state, where it ends */
    uint64_t looks;     /* in it */
} cns_piece;

static inline bool cns_piece_is_over(const cns_piece *piece, const cns_state *s) {
    return s->ticks + piece->looks >= piece->ticks_end;
}

/* What a piece has left of a task. */
typedef enum cns_part { CNS_PART_DONE, CNS_PART_LEFT, CNS_PART_FAILED } cns_part;

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
    uint32_t indexed; /* edges in front of this one are in `slots` */
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
/* Puts the edges into the table, or some of them: whether all are. Failed: memory gave out, or a
 * limit was reached. */
cns_part cns_clique_edges_index(cns_state *state, cns_clique_edges *edges, cns_piece *piece);
/* The edge that relates two members; NULL: there is none. After they were indexed. */
const cns_clique_edge *cns_clique_edge_of(const cns_clique_edges *edges, cns_clique_member a,
                                          cns_clique_member b);
void cns_clique_edges_deinit(cns_state *state, cns_clique_edges *edges);

/* Seeks cliques of at least three nodes, each with no more than half of its pairs in those before
 * it, as many as its budget lets it find; nodes are below `node_count`. It can stop anywhere, and
 * what it finds does not depend on where. */
typedef struct cns_clique_finder cns_clique_finder;

/* A part of it: *finder is made by the first, where it is NULL, and freed by the last. Failed:
 * memory gave out, or a limit was reached. */
cns_part cns_cliques_find(cns_state *state, cns_clique_finder **finder, cns_clique_edges *edges,
                          uint32_t node_count, cns_cliques *out, cns_piece *piece);
/* For one that is given up. */
void cns_clique_finder_destroy(cns_clique_finder *finder);

void cns_cliques_deinit(cns_state *state, cns_cliques *cliques);

#endif
