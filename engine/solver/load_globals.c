/* SPDX-License-Identifier: MIT
 *
 * solver/load_globals.c - the globals that have a propagator each.
 */
#include "solver/globals/block.h"
#include "solver/load_args.h"

#include <string.h>

cns_status cns_loading_alldifferent(const cns_loading *k) {
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return k->s->status;
    }
    uint32_t count = k->c->i[0].count;
    if (count == 0) {
        return cns_post_alldifferent(k->s, k->post, x);
    }
    int64_t *excepted = k->l->scratch_ints;
    memcpy(excepted, cns_arg_ints(k, 0), count * sizeof *excepted);
    return cns_post_alldifferent_except(k->s, k->post, x, excepted,
                                        cns_values_sort(excepted, count));
}

cns_status cns_loading_cardinality(const cns_loading *k) {
    cns_views x, counts;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_views(k, 1, &counts)) {
        return k->s->status;
    }
    return cns_post_global_cardinality(k->s, k->post, x, cns_arg_ints(k, 0), counts,
                                       cns_arg_int(k, 1, 0, 0) != 0);
}

cns_status cns_loading_nvalue(const cns_loading *k) {
    cns_views x;
    cns_view n;
    return cns_arg_views(k, 0, &x) && cns_arg_view(k, 1, 0, &n)
               ? cns_post_nvalue(k->s, k->post, x, n)
               : k->s->status;
}

cns_status cns_loading_cumulative(const cns_loading *k) {
    cns_views starts, durations, demands;
    cns_view capacity;
    if (!cns_arg_views(k, 0, &starts) || !cns_arg_views(k, 1, &durations) ||
        !cns_arg_views(k, 2, &demands) || !cns_arg_view(k, 3, 0, &capacity)) {
        return k->s->status;
    }
    return cns_post_cumulative(k->s, k->post, starts, durations, demands, capacity);
}

cns_status cns_loading_disjunctive(const cns_loading *k) {
    cns_views starts, durations;
    if (!cns_arg_views(k, 0, &starts) || !cns_arg_views(k, 1, &durations)) {
        return k->s->status;
    }
    const cns_lit *presence = NULL;
    if (k->c->v[2].count > 0 && (presence = cns_arg_lits(k, 2)) == NULL) {
        return k->s->status;
    }
    return cns_post_disjunctive(k->s, k->post, starts, durations, presence,
                                cns_arg_int(k, 0, 0, 0) != 0);
}

cns_status cns_loading_diffn(const cns_loading *k) {
    cns_views x, y, dx, dy;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_views(k, 1, &y) || !cns_arg_views(k, 2, &dx) ||
        !cns_arg_views(k, 3, &dy)) {
        return k->s->status;
    }
    return cns_post_diffn(k->s, k->post, x, y, dx, dy, cns_arg_int(k, 0, 0, 0) != 0);
}

cns_status cns_loading_circuit(const cns_loading *k) {
    cns_views x;
    if (!cns_arg_indices(k, 0, cns_arg_int(k, 0, 0, 1), cns_arg_count(k, 0), &x)) {
        return k->s->status;
    }
    return cns_post_circuit(k->s, k->post, x, k->c->kind == CNS_SUBCIRCUIT);
}

cns_status cns_loading_inverse(const cns_loading *k) {
    cns_views f, g;
    int64_t base_f = cns_arg_int(k, 0, 0, 1);
    int64_t base_g = cns_arg_int(k, 0, 1, 1);
    if (!cns_arg_indices(k, 0, base_g, cns_arg_count(k, 1), &f) ||
        !cns_arg_indices(k, 1, base_f, cns_arg_count(k, 0), &g)) {
        return k->s->status;
    }
    return cns_post_inverse(k->s, k->post, f, g);
}

cns_status cns_loading_table(const cns_loading *k) {
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return k->s->status;
    }
    if (x.count == 0) {
        return CNS_OK;
    }
    return cns_post_table(k->s, k->post, x, cns_arg_ints(k, 0), k->c->i[0].count / x.count);
}

cns_status cns_loading_regular(const cns_loading *k) {
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return k->s->status;
    }
    const int64_t *sizes = cns_arg_ints(k, 0);
    return cns_post_regular(k->s, k->post, x, sizes[0], sizes[1], cns_arg_ints(k, 1), sizes[2],
                            cns_arg_ints(k, 2), k->c->i[2].count);
}

/* Layer of each node by its distance from node 1 (the root), nodes renumbered: root 0, end 1. */
cns_status cns_loading_mdd(const cns_loading *k) {
    cns_state *s = k->s;
    cns_views x;
    if (!cns_arg_views(k, 0, &x)) {
        return s->status;
    }
    uint32_t nodes = (uint32_t)cns_arg_int(k, 0, 0, 1) + 1;
    uint32_t edges = k->c->i[1].count / 4;
    const int64_t *given = cns_arg_ints(k, 1);
    size_t edge_size = (edges + 1) * sizeof(cns_mdd_edge);
    size_t layer_size = nodes * sizeof(uint32_t);
    size_t start_size = (x.count + 2) * sizeof(uint32_t);
    cns_mdd_edge *out = cns_context_alloc(s->context, edge_size, CNS_ALIGN_DEFAULT);
    uint32_t *layers = cns_context_alloc(s->context, layer_size, CNS_ALIGN_DEFAULT);
    uint32_t *start = cns_context_calloc(s->context, start_size);
    cns_status status = CNS_OK;
    if (out == NULL || layers == NULL || start == NULL) {
        status = cns_context_memory_status(s->context, edge_size);
        goto done;
    }
    memset(layers, 0xff, layer_size);
    layers[1] = 0;
    for (uint32_t layer = 0; layer < x.count; layer++) { /* nodes are reached layer by layer */
        for (uint32_t e = 0; e < edges; e++) {
            if (layers[given[4 * e]] == layer && given[4 * e + 3] != 0) {
                layers[given[4 * e + 3]] = layer + 1;
            }
        }
    }
    uint32_t count = 0;
    for (uint32_t layer = 0; layer < x.count; layer++) {
        start[layer] = count;
        for (uint32_t e = 0; e < edges; e++) {
            const int64_t *edge = given + 4 * e;
            bool last = layer + 1 == x.count;
            if (layers[edge[0]] == layer && (edge[3] == 0) == last) {
                /* node 1 is the root, 0; node 0 the end, 1; others keep their numbers */
                uint32_t from = edge[0] == 1 ? 0 : (uint32_t)edge[0];
                uint32_t to = edge[3] == 0 ? 1 : (uint32_t)edge[3];
                out[count++] = (cns_mdd_edge){from, to, edge[1], edge[2]};
            }
        }
    }
    start[x.count] = count;
    status = cns_post_mdd(s, k->post, x, out, start, nodes);
done:
    if (out != NULL) {
        cns_context_free(s->context, out, edge_size, CNS_ALIGN_DEFAULT);
    }
    if (layers != NULL) {
        cns_context_free(s->context, layers, layer_size, CNS_ALIGN_DEFAULT);
    }
    if (start != NULL) {
        cns_context_free(s->context, start, start_size, CNS_ALIGN_DEFAULT);
    }
    return status;
}

cns_status cns_loading_sort(const cns_loading *k) {
    cns_views x, y;
    if (!cns_arg_views(k, 0, &x)) {
        return k->s->status;
    }
    if (k->c->kind == CNS_SORT) {
        return cns_arg_views(k, 1, &y) ? cns_post_sort(k->s, k->post, x, y) : k->s->status;
    }
    return cns_arg_indices(k, 1, cns_arg_int(k, 0, 0, 1), x.count, &y)
               ? cns_post_arg_sort(k->s, k->post, x, y)
               : k->s->status;
}

cns_status cns_loading_precede(const cns_loading *k) {
    cns_views x;
    return cns_arg_views(k, 0, &x)
               ? cns_post_precede(k->s, k->post, x, cns_arg_ints(k, 0), k->c->i[0].count)
               : k->s->status;
}

cns_status cns_loading_arg_extreme(const cns_loading *k) {
    cns_views x, index;
    if (!cns_arg_views(k, 0, &x) ||
        !cns_arg_indices(k, 1, cns_arg_int(k, 0, 0, 1), x.count, &index)) {
        return k->s->status;
    }
    cns_view *views = k->l->scratch_views + (x.data - k->l->scratch_views);
    for (uint32_t i = 0; i < x.count && k->c->kind == CNS_ARG_MIN; i++) {
        views[i] = cns_view_negate(views[i]);
    }
    return cns_post_arg_max(k->s, k->post, x, index.data[0]);
}

cns_status cns_loading_bin_packing(const cns_loading *k) {
    cns_views bins, loads;
    if (!cns_arg_indices(k, 0, cns_arg_int(k, 1, 0, 1), cns_arg_count(k, 1), &bins) ||
        !cns_arg_views(k, 1, &loads)) {
        return k->s->status;
    }
    return cns_post_bin_packing(k->s, k->post, bins, cns_arg_ints(k, 0), loads);
}

cns_status cns_loading_knapsack(const cns_loading *k) {
    cns_views x;
    cns_view weight, profit;
    if (!cns_arg_views(k, 0, &x) || !cns_arg_view(k, 1, 0, &weight) ||
        !cns_arg_view(k, 1, 1, &profit)) {
        return k->s->status;
    }
    return cns_post_knapsack(k->s, k->post, x, cns_arg_ints(k, 0), cns_arg_ints(k, 1), weight,
                             profit);
}
