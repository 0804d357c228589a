/* SPDX-License-Identifier: MIT
 *
 * solver/globals/layers.h - a layered decision diagram, as mdd.c reduces and mdd_clauses.c posts
 * it.
 */
#ifndef CNS_SOLVER_LAYERS_H
#define CNS_SOLVER_LAYERS_H

#include "solver/globals/globals.h"

typedef struct cns_layers {
    cns_views x;
    cns_mdd_edge *edges;   /* of layer k: from start[k] on, count[k] of them; those of a */
    const uint32_t *start; /* node lie together, and lead to different nodes or to ranges */
    uint32_t *count;       /* that do not touch */
    uint32_t node_count;   /* every edge lies on a path from node 0 to node 1 */
} cns_layers;

/* Clauses over a literal per node and edge: unit propagation on them is domain consistent. */
void cns_post_layers(cns_state *state, const cns_layers *layers);

#endif
