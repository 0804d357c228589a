/* SPDX-License-Identifier: MIT
 *
 * test_solver_extension.c - tables, automata and decision diagrams, each alone against brute force.
 *
 * Where views do not repeat, these constraints promise domain consistency, which is tested too.
 */
#include <stdlib.h>
#include <string.h>

#include "solver/globals/rows.h"
#include "solver_trial.h"
#include "support.h"

enum { SEEDS = 200, MAX_ROWS = 200 };

static const cns_post always = {0, CNS_LIT_TRUE};

static void make(solver_trial *t, uint32_t vars, uint32_t width, bool plain) {
    for (uint32_t i = 0; i < vars; i++) {
        uint32_t var = solver_trial_var(t, width);
        if (plain) {
            solver_trial_plain(t, var);
        }
    }
    for (uint32_t i = 0; !plain && i < vars; i++) {
        solver_trial_view(t);
    }
}

typedef struct totals {
    uint64_t inferences, conflicts, fixpoints, complete;
} totals;

static totals run(void (*build)(solver_trial *t, uint64_t seed)) {
    cns_context *context = support_context();
    totals sum = {0, 0, 0, 0};
    static solver_trial trial;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        solver_trial_begin(&trial, context, seed);
        build(&trial, seed);
        solver_trial_search(&trial);
        sum.inferences += trial.inferences;
        sum.conflicts += trial.conflicts;
        if (seed % 2 == 0) { /* plain variables */
            sum.fixpoints += trial.fixpoints;
            sum.complete += trial.complete;
        }
        solver_trial_end(&trial);
    }
    ck_assert_uint_gt(sum.inferences, 0);
    support_context_destroy(context);
    return sum;
}

/* ---- tables --------------------------------------------------------------------------------- */

typedef struct table_case {
    int64_t rows[MAX_ROWS * 4];
    uint32_t count, arity;
} table_case;

static table_case table;

static bool holds_table(const solver_trial *t, const int64_t *v) {
    (void)t;
    for (uint32_t r = 0; r < table.count; r++) {
        if (memcmp(v, table.rows + r * table.arity, table.arity * sizeof *v) == 0) {
            return true;
        }
    }
    return false;
}

static void make_table(solver_trial *t, uint64_t seed, uint32_t arity) {
    make(t, arity, 5, seed % 2 == 0);
    table.arity = arity;
    table.count = (uint32_t)solver_trial_random(t, 0, seed % 5 == 0 ? MAX_ROWS : 20);
    for (uint32_t k = 0; k < table.count * arity; k++) {
        table.rows[k] = solver_trial_random(t, -2, 4);
    }
    t->holds = holds_table;
    solver_trial_judge(t);
}

static void build_table(solver_trial *t, uint64_t seed) {
    uint32_t arity = (uint32_t)solver_trial_random(t, 1, 4);
    make_table(t, seed, arity);
    support_status(t->context, CNS_OK,
                   cns_post_table(&t->state, always, solver_trial_views(t, 0, arity), table.rows,
                                  table.count));
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* The rows that the domains admit, as cns_post_table numbers them, for the propagator alone. */
static void build_compact(solver_trial *t, uint64_t seed) {
    static uint32_t numbers[MAX_ROWS * 4];
    static int64_t values[MAX_ROWS * 4];
    uint32_t start[5] = {0};
    uint32_t kept = 0;
    uint32_t arity = (uint32_t)solver_trial_random(t, 3, 4);
    make_table(t, seed, arity);
    for (uint32_t r = 0; r < table.count; r++) {
        uint32_t i = 0;
        while (i < arity && cns_view_has(&t->state, t->views[i], table.rows[r * arity + i])) {
            i++;
        }
        if (i == arity) {
            memmove(table.rows + arity * kept++, table.rows + arity * r, arity * sizeof(int64_t));
        }
    }
    table.count = kept;
    for (uint32_t i = 0; i < arity; i++) {
        int64_t *column = values + start[i];
        uint32_t width = 0;
        for (uint32_t r = 0; r < kept; r++) {
            column[r] = table.rows[r * arity + i];
        }
        qsort(column, kept, sizeof *column, compare);
        for (uint32_t r = 0; r < kept; r++) {
            if (width == 0 || column[width - 1] != column[r]) {
                column[width++] = column[r];
            }
        }
        for (uint32_t r = 0; r < kept; r++) {
            for (uint32_t k = 0; k < width; k++) {
                numbers[r * arity + i] =
                    column[k] == table.rows[r * arity + i] ? k : numbers[r * arity + i];
            }
        }
        start[i + 1] = start[i] + width;
        for (int64_t value = -10; value <= 10; value++) {
            bool found = false;
            for (uint32_t k = 0; k < width; k++) {
                found = found || column[k] == value;
            }
            if (!found) {
                cns_view_remove(&t->state, t->views[i], value, CNS_REASON_NONE);
            }
        }
    }
    if (kept > 0 && !t->state.failed) {
        cns_rows rows = {solver_trial_views(t, 0, arity), kept, numbers, values, start};
        support_status(t->context, CNS_OK, cns_post_rows_compact(&t->state, always, &rows));
    } else {
        support_status(t->context, CNS_OK,
                       cns_post_table(&t->state, always, solver_trial_views(t, 0, arity), NULL, 0));
    }
}

/* ---- automata ------------------------------------------------------------------------------- */

enum { STATES = 4, SYMBOLS = 3 };

typedef struct automaton {
    int64_t next[STATES * SYMBOLS];
    int64_t accepting[STATES];
    uint32_t accepting_count;
    int64_t start;
} automaton;

static automaton machine;

static bool holds_regular(const solver_trial *t, const int64_t *v) {
    int64_t q = machine.start;
    for (uint32_t i = 0; i < t->view_count && q != 0; i++) {
        q = v[i] < 1 || v[i] > SYMBOLS ? 0 : machine.next[(q - 1) * SYMBOLS + v[i] - 1];
    }
    for (uint32_t k = 0; k < machine.accepting_count; k++) {
        if (q == machine.accepting[k]) {
            return true;
        }
    }
    return false;
}

static void build_regular(solver_trial *t, uint64_t seed) {
    make(t, 5, 5, seed % 2 == 0);
    for (uint32_t k = 0; k < STATES * SYMBOLS; k++) {
        machine.next[k] = solver_trial_random(t, 0, STATES);
    }
    machine.start = solver_trial_random(t, 1, STATES);
    machine.accepting_count = (uint32_t)solver_trial_random(t, 0, 3);
    for (uint32_t k = 0; k < machine.accepting_count; k++) {
        machine.accepting[k] = solver_trial_random(t, 1, STATES);
    }
    t->holds = holds_regular;
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_regular(&t->state, always, solver_trial_views(t, 0, 5), STATES, SYMBOLS,
                                    machine.next, machine.start, machine.accepting,
                                    machine.accepting_count));
}

/* ---- decision diagrams ---------------------------------------------------------------------- */

enum { LAYERS = 4, WIDTH = 3, EDGES = 9 };

typedef struct diagram {
    cns_mdd_edge edges[LAYERS * EDGES];
    uint32_t start[LAYERS + 1];
} diagram;

static diagram graph;

static bool leads_on(const int64_t *v, uint32_t layer, uint32_t node) {
    if (layer == LAYERS) {
        return node == 1;
    }
    for (uint32_t e = graph.start[layer]; e < graph.start[layer + 1]; e++) {
        const cns_mdd_edge *edge = &graph.edges[e];
        if (edge->from == node && edge->low <= v[layer] && v[layer] <= edge->high &&
            leads_on(v, layer + 1, edge->to)) {
            return true;
        }
    }
    return false;
}

static bool holds_mdd(const solver_trial *t, const int64_t *v) {
    (void)t;
    return leads_on(v, 0, 0);
}

static uint32_t random_node(solver_trial *t, uint32_t layer) {
    if (layer == 0 || layer == LAYERS) {
        return layer == 0 ? 0 : 1;
    }
    return 2 + (layer - 1) * WIDTH + (uint32_t)solver_trial_random(t, 0, WIDTH - 1);
}

static void build_mdd(solver_trial *t, uint64_t seed) {
    make(t, LAYERS, 5, seed % 2 == 0);
    uint32_t count = 0;
    for (uint32_t k = 0; k < LAYERS; k++) {
        graph.start[k] = count;
        for (int64_t n = solver_trial_random(t, 1, EDGES); n > 0; n--) {
            cns_mdd_edge *edge = &graph.edges[count++];
            edge->from = random_node(t, k);
            edge->to = random_node(t, k + 1);
            edge->low = solver_trial_random(t, -2, 4);
            edge->high = edge->low + solver_trial_random(t, 0, 2);
        }
    }
    graph.start[LAYERS] = count;
    t->holds = holds_mdd;
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_mdd(&t->state, always, solver_trial_views(t, 0, LAYERS), graph.edges,
                                graph.start, 2 + (LAYERS - 1) * WIDTH));
}

/* ---- the suite ------------------------------------------------------------------------------ */

START_TEST(test_table) {
    totals sum = run(build_table);
    ck_assert_uint_eq(sum.complete, sum.fixpoints);
}
END_TEST

START_TEST(test_compact) {
    totals sum = run(build_compact);
    ck_assert_uint_gt(sum.conflicts, 0);
    ck_assert_uint_eq(sum.complete, sum.fixpoints);
}
END_TEST

START_TEST(test_regular) {
    totals sum = run(build_regular);
    ck_assert_uint_eq(sum.complete, sum.fixpoints);
}
END_TEST

START_TEST(test_mdd) {
    run(build_mdd);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver extension");
    const TTest *tests[] = {test_table, test_compact, test_regular, test_mdd};
    const char *names[] = {"table", "compact", "regular", "mdd"};
    for (int k = 0; k < 4; k++) {
        TCase *one = tcase_create(names[k]);
        tcase_add_test(one, tests[k]);
        tcase_set_timeout(one, 250);
        suite_add_tcase(suite, one);
    }
    return support_run(suite);
}
