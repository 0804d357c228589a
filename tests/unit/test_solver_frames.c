/* SPDX-License-Identifier: MIT
 *
 * test_solver_frames.c - steps of few ticks, as in a game's frames: also a model is loaded in
 * pieces, and may change, or be given up, before it is loaded.
 *
 * The problem is a cover of a random graph's edges by nodes of the least weight, which all subsets
 * of the nodes tell.
 */
#include "base/rng.h"
#include "solver/solver_impl.h"
#include "support.h"

enum { NODES = 12, EDGES = 40 };

typedef struct graph {
    int64_t weight[NODES];
    int from[EDGES], to[EDGES];
} graph;

static graph random_graph(uint64_t seed) {
    graph g;
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    for (int k = 0; k < NODES; k++) {
        g.weight[k] = 1 + (int64_t)cns_rng_below(&rng, 9);
    }
    for (int k = 0; k < EDGES; k++) {
        g.from[k] = (int)cns_rng_below(&rng, NODES);
        g.to[k] = (int)cns_rng_below(&rng, NODES);
    }
    return g;
}

static int64_t least_cover(const graph *g) {
    int64_t least = INT64_MAX;
    for (unsigned chosen = 0; chosen < 1U << NODES; chosen++) {
        int64_t weight = 0;
        bool covers = true;
        for (int k = 0; k < EDGES; k++) {
            covers = covers && ((chosen >> g->from[k] | chosen >> g->to[k]) & 1) != 0;
        }
        for (int k = 0; k < NODES; k++) {
            weight += (chosen >> k & 1) != 0 ? g->weight[k] : 0;
        }
        least = covers && weight < least ? weight : least;
    }
    return least;
}

static cns_solver *new_solver(cns_context *context, const cns_solve_options *options) {
    const cns_solver_config config = {.size = sizeof config, .seed = 1};
    cns_solver *s = NULL;
    support_status(context, CNS_OK, cns_solver_create(context, &config, &s));
    support_status(context, CNS_OK, cns_solver_set_options(s, options));
    return s;
}

static void add(cns_context *context, cns_solver *s, cns_constraint c) {
    c.size = sizeof c;
    support_status(context, CNS_OK, cns_solver_add(s, &c));
}

/* Nodes and their weight, which is to be least. Returns the weight. */
static cns_var add_nodes(cns_context *context, cns_solver *s, const graph *g, cns_var *node) {
    cns_var terms[NODES + 1];
    int64_t a[NODES + 1];
    for (int k = 0; k < NODES; k++) {
        support_status(context, CNS_OK, cns_solver_new_bool(s, NULL, &node[k]));
        terms[k] = node[k];
        a[k] = g->weight[k];
    }
    support_status(context, CNS_OK, cns_solver_new_int(s, 0, 1000, NULL, &terms[NODES]));
    a[NODES] = -1;
    const int64_t zero[] = {0};
    add(context, s,
        (cns_constraint){.kind = CNS_LINEAR_EQ,
                         .v = {terms},
                         .v_count = {NODES + 1},
                         .i = {a, zero},
                         .i_count = {NODES + 1, 1}});
    support_status(context, CNS_OK, cns_solver_set_goal(s, CNS_MINIMIZE, terms[NODES]));
    return terms[NODES];
}

static void add_edge(cns_context *context, cns_solver *s, cns_var from, cns_var to) {
    const cns_var ends[] = {from, to};
    add(context, s, (cns_constraint){.kind = CNS_CLAUSE, .v = {ends}, .v_count = {2}});
}

static void add_equation(cns_context *context, cns_solver *s, cns_var x, cns_var y) {
    const cns_var both[] = {x, y};
    const int64_t a[] = {1, -1}, zero[] = {0};
    add(context, s,
        (cns_constraint){
            .kind = CNS_LINEAR_EQ, .v = {both}, .v_count = {2}, .i = {a, zero}, .i_count = {2, 1}});
}

static cns_outcome step(cns_context *context, cns_solver *s, uint64_t ticks) {
    cns_outcome outcome;
    support_status(context, CNS_OK, cns_solver_step(s, ticks, &outcome));
    return outcome;
}

/* Workers that search one after the other. */
static cns_status in_turn(void *pool, int64_t begin, int64_t end, int64_t grain, cns_range_fn body,
                          void *user) {
    (void)pool;
    (void)grain;
    return body(user, begin, end);
}

static const cns_executor executor = {.parallel_for = in_turn, .workers = 1};

/* ---- tests ---------------------------------------------------------------------------------- */

/* No step takes many more ticks than it may, from the first one on. */
START_TEST(the_first_steps_are_short_too) {
    enum { COUNT = 3000, TICKS = 4 * COUNT, EACH = 8 };
    cns_context *context = support_context();
    const cns_solve_options options = {.size = sizeof options};
    cns_solver *s = new_solver(context, &options);
    cns_rng rng;
    cns_rng_seed(&rng, 3);
    static cns_var x[COUNT];
    for (int k = 0; k < COUNT; k++) {
        support_status(context, CNS_OK, cns_solver_new_bool(s, NULL, &x[k]));
    }
    for (int k = 0; k < 2 * COUNT; k++) {
        cns_var lits[EACH];
        for (int j = 0; j < EACH; j++) {
            cns_var var = x[cns_rng_below(&rng, COUNT)];
            lits[j] = cns_rng_below(&rng, 2) != 0 ? var : ~var;
        }
        add(context, s, (cns_constraint){.kind = CNS_CLAUSE, .v = {lits}, .v_count = {EACH}});
    }
    int loading = 0;
    cns_solver_stats stats = {.ticks = 0};
    cns_outcome outcome;
    do {
        uint64_t before = stats.ticks;
        outcome = step(context, s, TICKS);
        cns_solver_get_stats(s, &stats);
        ck_assert_uint_lt(stats.ticks - before, 2 * TICKS);
        loading += stats.nodes == 0;
    } while (outcome == CNS_RUNNING);
    ck_assert_int_eq(outcome, CNS_SOLUTION);
    ck_assert_int_gt(loading, 2 * COUNT * EACH / TICKS);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* Edges come while earlier ones are loaded, also when a team waits for the model. What they end at
 * is said later still: a worker that loads all at once makes one variable of two. */
START_TEST(a_model_may_grow_while_it_is_loaded) {
    uint32_t teams = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        const graph g = random_graph(seed);
        cns_context *context = support_context();
        const cns_solve_options options = {.size = sizeof options,
                                           .strategy = CNS_STRATEGY_FREE,
                                           .workers = 1 + (uint32_t)(seed % 2),
                                           .executor = &executor,
                                           .deterministic = 1};
        cns_solver *s = new_solver(context, &options);
        cns_var node[NODES];
        cns_var weight = add_nodes(context, s, &g, node);
        for (int k = 0; k < EDGES; k++) {
            cns_var end;
            support_status(context, CNS_OK, cns_solver_new_bool(s, NULL, &end));
            add_edge(context, s, node[g.from[k]], end);
            for (uint64_t times = 0; times < seed % 4; times++) {
                step(context, s, 1 + 31 * (seed % 5));
            }
            add_equation(context, s, end, node[g.to[k]]);
        }
        while (step(context, s, 1000) != CNS_COMPLETE) {
            s->alone_until = 0; /* the others join as soon as it is loaded */
        }
        int64_t found;
        support_status(context, CNS_OK, cns_solver_value(s, weight, &found));
        ck_assert_int_eq(found, least_cover(&g));
        ck_assert_int_eq(cns_solver_check(s), CNS_OK);
        teams += s->team != NULL;
        cns_solver_destroy(s);
        support_context_destroy(context);
    }
    ck_assert_uint_gt(teams, 10);
}
END_TEST

enum { SIZE = 6 };

/* Permutations without the values that are excluded. */
static int count_permutations(bool excluded[SIZE][SIZE], int place, unsigned used) {
    int count = place == SIZE;
    for (int v = 0; v < SIZE && place < SIZE; v++) {
        if (!excluded[place][v] && (used >> v & 1) == 0) {
            count += count_permutations(excluded, place + 1, used | 1U << v);
        }
    }
    return count;
}

/* Values are excluded at any moment: while the model is loaded, in the middle of a propagation. */
START_TEST(a_model_may_change_at_any_moment) {
    for (uint64_t seed = 0; seed < 200; seed++) {
        cns_rng rng;
        cns_rng_seed(&rng, seed);
        cns_context *context = support_context();
        const cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
        cns_solver *s = new_solver(context, &options);
        cns_var x[SIZE];
        bool excluded[SIZE][SIZE] = {{false}};
        for (int k = 0; k < SIZE; k++) {
            support_status(context, CNS_OK, cns_solver_new_int(s, 0, SIZE - 1, NULL, &x[k]));
        }
        add(context, s, (cns_constraint){.kind = CNS_ALLDIFFERENT, .v = {x}, .v_count = {SIZE}});
        int found = 0;
        for (int changes = 0; changes < 12;) {
            cns_outcome outcome = step(context, s, 1 + cns_rng_below(&rng, 30));
            found += outcome == CNS_SOLUTION;
            if (outcome != CNS_COMPLETE && cns_rng_below(&rng, 3) != 0) {
                continue;
            }
            int k = (int)cns_rng_below(&rng, SIZE), v = (int)cns_rng_below(&rng, SIZE);
            const int64_t one[] = {1}, value[] = {v};
            add(context, s,
                (cns_constraint){.kind = CNS_LINEAR_NE,
                                 .v = {&x[k]},
                                 .v_count = {1},
                                 .i = {one, value},
                                 .i_count = {1, 1}});
            excluded[k][v] = true;
            found = 0;
            changes++;
        }
        cns_outcome outcome;
        do {
            outcome = step(context, s, 5);
            found += outcome == CNS_SOLUTION;
        } while (outcome != CNS_COMPLETE);
        ck_assert_int_eq(found, count_permutations(excluded, 0, 0));
        cns_solver_destroy(s);
        support_context_destroy(context);
    }
}
END_TEST

/* Cancelled while it loads, it goes on afterwards; destroyed, it leaves nothing behind. */
START_TEST(loading_may_be_given_up) {
    const graph g = random_graph(77);
    for (int steps = 0; steps < 100; steps++) {
        cns_context *context = support_context();
        const cns_solve_options options = {.size = sizeof options};
        cns_solver *s = new_solver(context, &options);
        cns_var node[NODES];
        cns_var weight = add_nodes(context, s, &g, node);
        for (int k = 0; k < EDGES; k++) {
            add_edge(context, s, node[g.from[k]], node[g.to[k]]);
        }
        for (int k = 0; k < steps; k++) {
            step(context, s, 10);
        }
        if (steps % 2 == 0) {
            cns_solver_cancel(s);
            cns_outcome outcome = step(context, s, 10);
            ck_assert(outcome == CNS_STOPPED || outcome == CNS_COMPLETE);
            support_status(context, CNS_OK, cns_solver_restart(s));
            while (step(context, s, 10) != CNS_COMPLETE) {
            }
            int64_t found;
            support_status(context, CNS_OK, cns_solver_value(s, weight, &found));
            ck_assert_int_eq(found, least_cover(&g));
        }
        cns_solver_destroy(s);
        support_context_destroy(context);
    }
}
END_TEST

static cns_status cover_in_small_steps(cns_context *context) {
    const graph g = random_graph(5);
    const cns_solver_config config = {.size = sizeof config, .seed = 1};
    cns_solver *s = NULL;
    cns_status status = cns_solver_create(context, &config, &s);
    cns_var node[NODES];
    for (int k = 0; k < NODES && status == CNS_OK; k++) {
        status = cns_solver_new_bool(s, NULL, &node[k]);
    }
    for (int k = 0; k < EDGES && status == CNS_OK; k++) {
        const cns_var ends[] = {node[g.from[k]], node[g.to[k]]};
        const cns_constraint edge = {
            .size = sizeof edge, .kind = CNS_CLAUSE, .v = {ends}, .v_count = {2}};
        status = cns_solver_add(s, &edge);
    }
    cns_outcome outcome = CNS_RUNNING;
    while (status == CNS_OK && outcome == CNS_RUNNING) {
        status = cns_solver_step(s, 50, &outcome);
    }
    cns_solver_destroy(s);
    return status;
}

START_TEST(each_allocation_may_fail_meanwhile) {
    support_each_allocation_fails(cover_in_small_steps);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_frames");
    TCase *cases = tcase_create("frames");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, the_first_steps_are_short_too);
    tcase_add_test(cases, a_model_may_grow_while_it_is_loaded);
    tcase_add_test(cases, a_model_may_change_at_any_moment);
    tcase_add_test(cases, loading_may_be_given_up);
    tcase_add_test(cases, each_allocation_may_fail_meanwhile);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
