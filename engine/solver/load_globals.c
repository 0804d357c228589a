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
