/* SPDX-License-Identifier: MIT
 *
 * test_solver_cycles.c - differences under conditions, in domains too wide to be counted through:
 * which of them can hold together, minimal sets that cannot, the most that can.
 *
 * The oracle is the closure of the longest paths (Floyd 1962, Warshall 1962) for every set of
 * conditions: it can hold unless some node is ahead of itself.
 */
#include "base/rng.h"
#include "solver_steps.h"

enum { NODES = 5, EDGES = 8, DELAY = EDGES, CONDITIONS, SETS = 1 << CONDITIONS };

#define WIDTH (INT64_C(1) << 40)
#define DELAYED 1000 /* what the delay is at least, when condition DELAY holds */
#define NOWHERE (-4 * WIDTH)

typedef struct edge { /* to >= from + gain (+ the delay) */
    int from, to;
    int64_t gain;
    bool delayed;
} edge;

typedef struct world {
    cns_context *context;
    cns_solver *solver;
    cns_rng rng;
    edge edges[EDGES];
    cns_var nodes[NODES], delay, conditions[CONDITIONS];
} world;

/* ---- the oracle ----------------------------------------------------------------------------- */

static bool consistent(const world *w, unsigned set) {
    int64_t ahead[NODES][NODES];
    for (int i = 0; i < NODES * NODES; i++) {
        ahead[i / NODES][i % NODES] = NOWHERE;
    }
    int64_t delay = set >> DELAY & 1 ? DELAYED : 0;
    for (int k = 0; k < EDGES; k++) {
        const edge *e = &w->edges[k];
        int64_t gain = e->gain + (e->delayed ? delay : 0);
        if (set >> k & 1 && gain > ahead[e->from][e->to]) {
            ahead[e->from][e->to] = gain;
        }
    }
    for (int k = 0; k < NODES; k++) {
        for (int i = 0; i < NODES; i++) {
            for (int j = 0; j < NODES; j++) {
                int64_t over = ahead[i][k] + ahead[k][j];
                if (ahead[i][k] > NOWHERE && ahead[k][j] > NOWHERE && over > ahead[i][j]) {
                    ahead[i][j] = over;
                }
            }
        }
    }
    for (int i = 0; i < NODES; i++) {
        if (ahead[i][i] > 0) {
            return false;
        }
    }
    return true;
}

static int conditions_in(unsigned set) {
    int count = 0;
    for (; set != 0; set >>= 1) {
        count += set & 1;
    }
    return count;
}

/* ---- worlds --------------------------------------------------------------------------------- */

static void add_edge(world *w, int k) {
    edge *e = &w->edges[k];
    e->from = (int)cns_rng_below(&w->rng, NODES);
    e->to = (e->from + 1 + (int)cns_rng_below(&w->rng, NODES - 1)) % NODES;
    e->gain = (int64_t)cns_rng_below(&w->rng, 400) - 100;
    e->delayed = cns_rng_below(&w->rng, 4) == 0;
    int64_t scale = 1 + (int64_t)cns_rng_below(&w->rng, 3);
    const cns_var terms[] = {w->nodes[e->from], w->nodes[e->to], w->delay};
    const int64_t a[] = {scale, -scale, scale}, c = -scale * e->gain;
    cns_constraint ahead = {.size = sizeof ahead,
                            .kind = CNS_LINEAR_LE,
                            VARS(0, terms),
                            INTS(0, a),
                            .i[1] = &c,
                            .i_count[1] = 1,
                            .condition = CNS_IF,
                            .literal = w->conditions[k]};
    ahead.v_count[0] = ahead.i_count[0] = e->delayed ? 3 : 2;
    support_status(w->context, CNS_OK, cns_solver_add(w->solver, &ahead));
}

static void make(world *w, uint64_t seed) {
    static const int64_t one[] = {-1}, delayed[] = {-DELAYED};
    w->context = support_context();
    w->solver = solver_new(w->context, seed);
    cns_rng_seed(&w->rng, seed);
    for (int i = 0; i < NODES; i++) {
        support_status(w->context, CNS_OK,
                       cns_solver_new_int(w->solver, -WIDTH, WIDTH, NULL, &w->nodes[i]));
    }
    support_status(w->context, CNS_OK, cns_solver_new_int(w->solver, 0, WIDTH, NULL, &w->delay));
    for (int k = 0; k < CONDITIONS; k++) {
        support_status(w->context, CNS_OK, cns_solver_new_bool(w->solver, NULL, &w->conditions[k]));
    }
    for (int k = 0; k < EDGES; k++) {
        add_edge(w, k);
    }
    const cns_constraint delay = {.size = sizeof delay,
                                  .kind = CNS_LINEAR_LE,
                                  .v[0] = &w->delay,
                                  .v_count[0] = 1,
                                  INTS(0, one),
                                  INTS(1, delayed),
                                  .condition = CNS_IF,
                                  .literal = w->conditions[DELAY]};
    support_status(w->context, CNS_OK, cns_solver_add(w->solver, &delay));
}

static void unmake(world *w) {
    cns_solver_destroy(w->solver);
    support_context_destroy(w->context);
}

/* In one step: counting through the domains would take 2^40 ticks. */
static cns_outcome solve(world *w) {
    cns_outcome outcome = CNS_RUNNING;
    support_status(w->context, CNS_OK, cns_solver_step(w->solver, 10000000, &outcome));
    return outcome;
}

/* ---- the tests ------------------------------------------------------------------------------ */

static unsigned set_of(const world *w, const cns_var *literals, size_t count) {
    unsigned set = 0;
    for (size_t i = 0; i < count; i++) {
        for (unsigned k = 0; k < CONDITIONS; k++) {
            set |= literals[i] == w->conditions[k] ? 1u << k : 0;
        }
    }
    ck_assert_int_eq(conditions_in(set), (int)count);
    return set;
}

static void check_set(world *w, unsigned set) {
    cns_var assumed[CONDITIONS];
    size_t count = 0;
    for (unsigned k = 0; k < CONDITIONS; k++) {
        if (set >> k & 1) {
            assumed[count++] = w->conditions[k];
        }
    }
    support_status(w->context, CNS_OK, cns_solver_assume(w->solver, assumed, count));
    if (consistent(w, set)) {
        ck_assert_int_eq(solve(w), CNS_SOLUTION);
        return;
    }
    ck_assert_int_eq(solve(w), CNS_COMPLETE);
    const cns_var *core;
    support_status(w->context, CNS_OK, cns_solver_core(w->solver, 1, &core, &count));
    unsigned least = set_of(w, core, count);
    ck_assert((least & ~set) == 0 && !consistent(w, least));
    for (unsigned k = 0; k < CONDITIONS; k++) {
        ck_assert(!(least >> k & 1) || consistent(w, least & ~(1u << k)));
    }
}

START_TEST(sets_that_cannot_hold_are_told) {
    world w;
    make(&w, (uint64_t)_i);
    const cns_solve_options options = {.size = sizeof options, .conflict_limit = 20000};
    support_status(w.context, CNS_OK, cns_solver_set_options(w.solver, &options));
    for (unsigned set = 0; set < SETS; set += 1 + (unsigned)cns_rng_below(&w.rng, 3)) {
        check_set(&w, set);
    }
    unmake(&w);
}
END_TEST

START_TEST(the_most_that_can_hold_is_found) {
    world w;
    make(&w, (uint64_t)_i);
    cns_var total, terms[CONDITIONS + 1];
    int64_t a[CONDITIONS + 1];
    static const int64_t zero[] = {0};
    support_status(w.context, CNS_OK, cns_solver_new_int(w.solver, 0, CONDITIONS, NULL, &total));
    for (int k = 0; k < CONDITIONS; k++) {
        terms[k] = w.conditions[k];
        a[k] = 1;
    }
    terms[CONDITIONS] = total;
    a[CONDITIONS] = -1;
    const cns_constraint sum = {
        .size = sizeof sum, .kind = CNS_LINEAR_EQ, VARS(0, terms), INTS(0, a), INTS(1, zero)};
    support_status(w.context, CNS_OK, cns_solver_add(w.solver, &sum));
    support_status(w.context, CNS_OK, cns_solver_set_goal(w.solver, CNS_MAXIMIZE, total));
    const cns_solve_options options = {.size = sizeof options,
                                       .conflict_limit = 20000,
                                       .strategy = CNS_STRATEGY_FREE,
                                       .optimise = (cns_optimise_policy)(_i % 3)};
    support_status(w.context, CNS_OK, cns_solver_set_options(w.solver, &options));
    int most = 0;
    for (unsigned set = 0; set < SETS; set++) {
        if (conditions_in(set) > most && consistent(&w, set)) {
            most = conditions_in(set);
        }
    }
    int64_t best = -1;
    cns_outcome outcome;
    while ((outcome = solve(&w)) == CNS_SOLUTION) {
        support_status(w.context, CNS_OK, cns_solver_value(w.solver, total, &best));
    }
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    ck_assert_int_eq(best, most);
    unmake(&w);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_cycles");
    TCase *cases = tcase_create("cycles");
    tcase_set_timeout(cases, 600);
    tcase_add_loop_test(cases, sets_that_cannot_hold_are_told, 0, 20);
    tcase_add_loop_test(cases, the_most_that_can_hold_is_found, 0, 60);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
