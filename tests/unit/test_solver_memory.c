/* SPDX-License-Identifier: MIT
 *
 * test_solver_memory.c - a solver that runs out of memory: each allocation refused in turn, and
 * limits that are met while building, loading and searching.
 *
 * Whatever fails, a call that is repeated once there is memory again must lead to the answer that
 * a solver has that never failed, and nothing may stay behind.
 */
#include <string.h>

#include "cns/solver.h"
#include "solver/solver_impl.h"
#include "support.h"

/* ---- a model of many kinds ------------------------------------------------------------------ */

enum { ITEMS = 6, PLACES = 5 };

typedef struct model {
    cns_context *context;
    cns_solver *solver;
    support_failing *failing;
    uint64_t limit;    /* raised whenever it is met; 0: none */
    uint64_t refusals; /* calls that failed, and were repeated */
    cns_var x[ITEMS], start[PLACES], order[ITEMS], b, cost;
} model;

static void raise_limit(model *m, cns_status status, const char *message) {
    ck_assert_int_eq(status, CNS_E_LIMIT);
    ck_assert_msg(strstr(message, "the solver's memory limit") != NULL, "%s", message);
    if (m->solver != NULL) {
        cns_solver_stats stats;
        cns_solver_get_stats(m->solver, &stats);
        ck_assert_uint_le(stats.memory_peak, m->limit);
        ck_assert_uint_gt(stats.memory_peak, 0);
    }
    m->limit += m->limit / 16;
    cns_solver_set_memory_limit(m->solver, m->limit);
}

/* Whether the call has to be repeated: memory gave out, and has returned. */
static bool again(model *m, cns_status status) {
    if (status == CNS_OK) {
        return false;
    }
    ck_assert_msg(status == CNS_E_NOMEM || status == CNS_E_LIMIT, "%s", cns_status_name(status));
    char message[256];
    ck_assert_uint_gt(cns_context_message(m->context, message, sizeof message), 0);
    m->refusals++;
    ck_assert_uint_lt(m->refusals, 1000);
    if (m->failing != NULL) {
        atomic_store(&m->failing->countdown, -1);
    }
    if (m->limit != 0) {
        raise_limit(m, status, message);
    }
    return true;
}

#define REPEAT(m, call)                                                                            \
    while (again(m, call)) {                                                                       \
    }

static void new_int(model *m, int64_t low, int64_t high, cns_var *out) {
    REPEAT(m, cns_solver_new_int(m->solver, low, high, "x", out));
}

static void add(model *m, cns_constraint c) {
    c.size = sizeof c;
    uint32_t before = cns_solver_constraint_count(m->solver);
    while (again(m, cns_solver_add(m->solver, &c))) {
        ck_assert_uint_eq(cns_solver_constraint_count(m->solver), before);
    }
}

#define VARS(k, array) .v[k] = (array), .v_count[k] = sizeof(array) / sizeof *(array)
#define INTS(k, array) .i[k] = (array), .i_count[k] = sizeof(array) / sizeof *(array)

static void build(model *m) {
    const int64_t ranges[] = {0, 2, 4, 6, 9, 9};
    for (int k = 0; k < ITEMS; k++) {
        new_int(m, 1, ITEMS, &m->order[k]);
        REPEAT(m, cns_solver_new_int_ranges(m->solver, ranges, 3, NULL, &m->x[k]));
    }
    for (int k = 0; k < PLACES; k++) {
        new_int(m, 0, 14, &m->start[k]);
    }
    REPEAT(m, cns_solver_new_bool(m->solver, "b", &m->b));
    new_int(m, 0, 2000, &m->cost);
    cns_var two, three, horizon;
    REPEAT(m, cns_solver_constant(m->solver, 2, &two));
    REPEAT(m, cns_solver_constant(m->solver, 3, &three));
    REPEAT(m, cns_solver_constant(m->solver, 3, &horizon));
    add(m, (cns_constraint){.kind = CNS_ALLDIFFERENT, VARS(0, m->order)});
    add(m, (cns_constraint){.kind = CNS_CIRCUIT, VARS(0, m->order)});
    const int64_t rows[] = {0, 1, 2, 4, 5, 6, 9, 0, 4, 2, 2, 5, 6, 9, 1, 5, 4, 0};
    cns_var head[3] = {m->x[0], m->x[1], m->x[2]};
    add(m, (cns_constraint){.kind = CNS_TABLE, VARS(0, head), INTS(0, rows)});
    cns_var tail[3] = {m->x[3], m->x[4], m->x[5]};
    add(m, (cns_constraint){.kind = CNS_LEX_LE, VARS(0, head), VARS(1, tail)});
    const int64_t weights[] = {3, -2, 5, 1, 4, 2}, bound[] = {40};
    add(m, (cns_constraint){.kind = CNS_LINEAR_LE,
                            .condition = CNS_IF_AND_ONLY,
                            .literal = m->b,
                            INTS(0, weights),
                            INTS(1, bound),
                            VARS(0, m->x)});
    cns_var durations[PLACES] = {two, three, two, three, two};
    cns_var demands[PLACES] = {two, two, three, three, two};
    add(m, (cns_constraint){.kind = CNS_DISJUNCTIVE, VARS(0, m->start), VARS(1, durations)});
    add(m, (cns_constraint){.kind = CNS_CUMULATIVE,
                            VARS(0, m->start),
                            VARS(1, durations),
                            VARS(2, demands),
                            .v[3] = &horizon,
                            .v_count[3] = 1});
    cns_var product[3] = {m->x[3], m->start[0], m->x[4]};
    add(m, (cns_constraint){
               .kind = CNS_TIMES, .condition = CNS_IF, .literal = ~m->b, VARS(0, product)});
    cns_var element[2] = {m->order[0], m->start[1]};
    const int64_t base[] = {1}, values[] = {2, 4, 6, 8, 10, 12};
    add(m, (cns_constraint){.kind = CNS_ELEMENT, VARS(0, element), INTS(0, base), INTS(1, values)});
    cns_var all[ITEMS + PLACES + 1];
    int64_t a[ITEMS + PLACES + 1];
    const int64_t zero[] = {0};
    for (int k = 0; k < ITEMS; k++) {
        all[k] = m->x[k];
        a[k] = k % 2 ? -7 : 11;
    }
    for (int k = 0; k < PLACES; k++) {
        all[ITEMS + k] = m->start[k];
        a[ITEMS + k] = 13 * (k + 1);
    }
    all[ITEMS + PLACES] = m->cost;
    a[ITEMS + PLACES] = -1;
    add(m, (cns_constraint){.kind = CNS_LINEAR_EQ, INTS(0, a), INTS(1, zero), VARS(0, all)});
    REPEAT(m, cns_solver_add_search(m->solver, m->start, PLACES, CNS_FIRST_FAIL, CNS_INDOMAIN_MAX));
    REPEAT(m, cns_solver_hint(m->solver, m->x[0], 4));
}

typedef struct answer {
    uint64_t solutions;
    int64_t objective;
    bool restarted;
} answer;

/* Steps to the end; a step that fails is taken again. */
static answer solve(model *m) {
    answer a = {0};
    cns_outcome outcome = CNS_RUNNING;
    int64_t cost = 0, value;
    while (outcome != CNS_COMPLETE) {
        cns_status status = cns_solver_step(m->solver, 0, &outcome);
        if (again(m, status)) {
            ck_assert_int_eq(cns_solver_check(m->solver), CNS_OK);
            ck_assert_int_eq(cns_solver_value(m->solver, m->cost, &value),
                             a.solutions ? CNS_OK : CNS_E_NOTFOUND);
            ck_assert(a.solutions == 0 || value == cost);
            char message[256];
            cns_context_message(m->context, message, sizeof message);
            if (strstr(message, "cns_solver_restart") != NULL) {
                a = (answer){.restarted = true};
                ck_assert_int_eq(cns_solver_restart(m->solver), CNS_OK);
            }
            continue;
        }
        ck_assert_int_ne(outcome, CNS_STOPPED);
        if (outcome == CNS_SOLUTION) {
            a.solutions++;
            ck_assert_int_eq(cns_solver_value(m->solver, m->cost, &cost), CNS_OK);
        }
    }
    cns_solver_stats stats;
    cns_solver_get_stats(m->solver, &stats);
    a.objective = stats.objective;
    ck_assert_uint_eq(stats.proved, 1);
    return a;
}

enum { OPTIMISE, CORES, ENUMERATE, ASSUME, TASKS };

static answer run(model *m, int task) {
    const cns_solve_options options = {.size = sizeof options,
                                       .strategy = CNS_STRATEGY_FREE,
                                       .restart_scale = 20,
                                       .all_solutions = task == ENUMERATE,
                                       .optimise = task == CORES ? CNS_OPTIMISE_CORES
                                                                 : CNS_OPTIMISE_DEFAULT};
    cns_solver_config config = {.size = sizeof config, .seed = 3, .memory_limit = m->limit};
    m->solver = NULL;
    while (again(m, cns_solver_create(m->context, &config, &m->solver))) {
        ck_assert_ptr_null(m->solver);
        config.memory_limit = m->limit;
    }
    build(m);
    if (task == OPTIMISE || task == CORES) {
        ck_assert_int_eq(cns_solver_set_goal(m->solver, CNS_MINIMIZE, m->cost), CNS_OK);
    } else if (task == ENUMERATE) {
        for (int k = 0; k < 3; k++) { /* few enough */
            ck_assert_int_eq(cns_solver_mark_output(m->solver, k < 1 ? m->x[3] : m->order[k]),
                             CNS_OK);
        }
    }
    ck_assert_int_eq(cns_solver_set_options(m->solver, &options), CNS_OK);
    answer a;
    if (task == ASSUME) { /* the model cannot hold with the first task both late and early */
        cns_var late, early;
        REPEAT(m, cns_solver_new_bool(m->solver, NULL, &late));
        REPEAT(m, cns_solver_new_bool(m->solver, NULL, &early));
        const int64_t one[] = {1}, minus[] = {-1}, high[] = {5}, low[] = {-9};
        cns_var first[] = {m->start[0]};
        add(m, (cns_constraint){.kind = CNS_LINEAR_LE,
                                .condition = CNS_IF,
                                .literal = early,
                                INTS(0, one),
                                INTS(1, high),
                                VARS(0, first)});
        add(m, (cns_constraint){.kind = CNS_LINEAR_LE,
                                .condition = CNS_IF,
                                .literal = late,
                                INTS(0, minus),
                                INTS(1, low),
                                VARS(0, first)});
        cns_var assumed[] = {m->b, early, late};
        REPEAT(m, cns_solver_assume(m->solver, assumed, 3));
        a = solve(m);
        ck_assert_uint_eq(a.solutions, 0);
        const cns_var *core;
        size_t count;
        REPEAT(m, cns_solver_core(m->solver, 1, &core, &count));
        ck_assert_uint_eq(count, 2);
        ck_assert_int_eq(core[0] + core[1], early + late);
    } else {
        a = solve(m);
    }
    ck_assert_int_eq(cns_solver_check(m->solver), CNS_OK);
    cns_solver_destroy(m->solver);
    return a;
}

static answer reference(int task) {
    model m = {.context = support_context()};
    answer a = run(&m, task);
    ck_assert_uint_eq(m.refusals, 0);
    ck_assert(task == ASSUME || a.solutions > (task == CORES ? 0 : 2));
    support_context_destroy(m.context);
    return a;
}

static uint64_t attempt(int task, int64_t nth, answer expected, bool *refused) {
    support_failing failing = {.countdown = nth};
    model m = {.context = support_failing_context(&failing), .failing = &failing};
    answer a = run(&m, task);
    *refused = atomic_load(&failing.calls) > nth;
    ck_assert_msg(a.objective == expected.objective, "allocation %lld: objective %lld",
                  (long long)nth, (long long)a.objective);
    if (task == ENUMERATE) {
        ck_assert_msg(a.solutions == expected.solutions,
                      "allocation %lld: %llu solutions, expected %llu", (long long)nth,
                      (unsigned long long)a.solutions, (unsigned long long)expected.solutions);
    }
    support_context_destroy(m.context);
    ck_assert_msg(atomic_load(&failing.live_blocks) == 0, "allocation %lld: a block is left",
                  (long long)nth);
    return a.restarted;
}

/* Memory that is refused once, and is there when the call is repeated. */
START_TEST(each_allocation_may_fail) {
    answer expected = reference(_i);
    uint64_t restarts = 0;
    int64_t count = 0;
    for (bool refused = true; refused; count++) {
        restarts += attempt(_i, count, expected, &refused);
    }
    ck_assert_int_gt(count, 200);
    ck_assert_uint_lt(restarts, (uint64_t)count / 10);
}
END_TEST

/* A limit that is met again and again, and raised by little each time. */
START_TEST(a_limit_may_be_met_anywhere) {
    answer expected = reference(_i);
    model m = {.context = support_context(), .limit = 1000};
    answer a = run(&m, _i);
    ck_assert_uint_gt(m.refusals, 20);
    ck_assert_int_eq(a.objective, expected.objective);
    ck_assert(_i != ENUMERATE || a.solutions == expected.solutions);
    support_context_destroy(m.context);
}
END_TEST

/* ---- a state that is made anew --------------------------------------------------------------- */

/* Memory that gives out again and again while a torn state is made anew behind a solution. */
START_TEST(reloads_may_fail_in_a_row) {
    bool reloaded = false;
    for (int64_t granted = 0; !reloaded; granted++) {
        support_failing failing = {.countdown = -1, .keep_failing = 1};
        model m = {.context = support_failing_context(&failing)};
        ck_assert_int_eq(cns_solver_create(m.context, NULL, &m.solver), CNS_OK);
        build(&m);
        ck_assert_int_eq(cns_solver_set_goal(m.solver, CNS_MINIMIZE, m.cost), CNS_OK);
        cns_outcome outcome;
        int64_t cost, kept;
        ck_assert_int_eq(cns_solver_step(m.solver, 0, &outcome), CNS_OK);
        ck_assert_int_eq(cns_solver_value(m.solver, m.cost, &cost), CNS_OK);
        m.solver->torn = true; /* as by memory that gave out at the root */
        for (int tries = 0; tries < 3 && !reloaded; tries++) {
            atomic_store(&failing.countdown, granted);
            reloaded = cns_solver_step(m.solver, 1, &outcome) == CNS_OK;
            ck_assert_int_eq(cns_solver_value(m.solver, m.cost, &kept), CNS_OK);
            ck_assert_int_eq(kept, cost);
        }
        atomic_store(&failing.countdown, -1);
        do {
            ck_assert_int_eq(cns_solver_step(m.solver, 0, &outcome), CNS_OK);
        } while (outcome == CNS_RUNNING);
        ck_assert(outcome == CNS_COMPLETE ||
                  (cns_solver_value(m.solver, m.cost, &kept) == CNS_OK && kept < cost));
        cns_solver_destroy(m.solver);
        support_context_destroy(m.context);
        ck_assert_int_eq(atomic_load(&failing.live_blocks), 0);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver memory");
    TCase *cases = tcase_create("memory");
    tcase_set_timeout(cases, 600);
    tcase_add_loop_test(cases, each_allocation_may_fail, 0, TASKS);
    tcase_add_loop_test(cases, a_limit_may_be_met_anywhere, 0, TASKS);
    tcase_add_test(cases, reloads_may_fail_in_a_row);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
