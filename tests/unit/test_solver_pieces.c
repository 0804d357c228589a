/* SPDX-License-Identifier: MIT
 *
 * test_solver_pieces.c - what presolve finds in many constraints together, it finds in pieces.
 *
 * The solver's sources are compiled once more for this test, so that every basic block that runs is
 * counted: work shows in it whether or not it counts ticks. A step of few ticks while the model is
 * loaded must do little, and where steps end must not show in what is found.
 */
#include "base/rng.h"
#include "solver/solver_impl.h"
#include "solver_stats.h"
#include "support.h"

enum {
    PIECE = 2000,       /* ticks */
    CONSTRAINT = 13000, /* ticks of the longest constraint, which is loaded in one piece */
    BLOCKS = 400000     /* at most, in a piece; a sanitizer adds some */
};

static uint64_t blocks;

void __sanitizer_cov_trace_pc(void);

void __sanitizer_cov_trace_pc(void) {
    blocks++;
}

/* ---- models --------------------------------------------------------------------------------- */

static cns_var new_int(cns_solver *s, int64_t low, int64_t high) {
    cns_var v = 0;
    ck_assert_int_eq(cns_solver_new_int(s, low, high, NULL, &v), CNS_OK);
    return v;
}

static void add(cns_solver *s, cns_constraint c) {
    c.size = sizeof c;
    ck_assert_int_eq(cns_solver_add(s, &c), CNS_OK);
}

static void add_difference(cns_solver *s, cns_constraint_kind kind, cns_var x, cns_var y, int64_t c,
                           cns_var literal) {
    const cns_var both[] = {x, y};
    const int64_t a[] = {1, -1};
    bool always = kind == CNS_LINEAR_NE;
    add(s, (cns_constraint){.kind = kind,
                            .condition = always ? CNS_ALWAYS : CNS_IF,
                            .literal = always ? 0 : literal,
                            .v = {both},
                            .v_count = {2},
                            .i = {a, &c},
                            .i_count = {2, 1}});
}

static void add_clause(cns_solver *s, const cns_var *lits, size_t count) {
    add(s, (cns_constraint){.kind = CNS_CLAUSE, .v = {lits}, .v_count = {count}});
}

/* All differ, by pairs. */
static void pairs(cns_solver *s) {
    enum { N = 150 };
    cns_var x[N];
    for (int i = 0; i < N; i++) {
        x[i] = new_int(s, 0, N + 9);
        for (int j = 0; j < i; j++) {
            add_difference(s, CNS_LINEAR_NE, x[i], x[j], 0, 0);
        }
    }
}

static void queens(cns_solver *s) {
    enum { N = 50 };
    cns_var x[N];
    for (int i = 0; i < N; i++) {
        x[i] = new_int(s, 1, N);
        for (int j = 0; j < i; j++) {
            add_difference(s, CNS_LINEAR_NE, x[i], x[j], 0, 0);
            add_difference(s, CNS_LINEAR_NE, x[i], x[j], i - j, 0);
            add_difference(s, CNS_LINEAR_NE, x[i], x[j], j - i, 0);
        }
    }
}

/* Tasks of machines, by pairs that are in one order or the other; and other tasks, of which
 * disjunctive constraints say so. */
static void machines(cns_solver *s) {
    enum { MACHINES = 4, N = 50, STATED = 30, OTHERS = 200 };
    cns_var x[N], other[OTHERS], length[OTHERS];
    for (int m = 0; m < MACHINES; m++) {
        for (int i = 0; i < N; i++) {
            x[i] = new_int(s, 0, 4 * N);
            for (int j = 0; j < i; j++) {
                const cns_var either[] = {new_int(s, 0, 1), new_int(s, 0, 1)};
                add_difference(s, CNS_LINEAR_LE, x[i], x[j], -2, either[0]);
                add_difference(s, CNS_LINEAR_LE, x[j], x[i], -2, either[1]);
                add_clause(s, either, 2);
            }
        }
    }
    for (int k = 0; k < OTHERS; k++) {
        other[k] = new_int(s, 0, 9 * OTHERS);
        length[k] = new_int(s, 1, 1);
    }
    for (int k = 0; k < STATED; k++) {
        add(s, (cns_constraint){.kind = CNS_DISJUNCTIVE,
                                .v = {other, length},
                                .v_count = {OTHERS - k, OTHERS - k}});
    }
}

/* The cost of an assignment; rows and columns by clauses. */
static void assignment(cns_solver *s) {
    enum { N = 20 };
    static cns_var x[2][N][N], all[N * N + 1];
    static int64_t a[N * N + 1];
    const int64_t zero = 0;
    for (int k = 0; k < N * N; k++) {
        x[0][k / N][k % N] = x[1][k % N][k / N] = all[k] = new_int(s, 0, 1);
        a[k] = 1 + (k * 7) % 40;
    }
    all[N * N] = new_int(s, 0, 100000);
    a[N * N] = -1;
    for (int k = 0; k < 2 * N; k++) {
        const cns_var *row = x[k / N][k % N];
        add_clause(s, row, N);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < i; j++) {
                const cns_var both[] = {~row[i], ~row[j]};
                add_clause(s, both, 2);
            }
        }
    }
    add(s, (cns_constraint){.kind = CNS_LINEAR_EQ,
                            .v = {all},
                            .v_count = {N * N + 1},
                            .i = {a, &zero},
                            .i_count = {N * N + 1, 1}});
}

static const struct model {
    const char *name;
    void (*build)(cns_solver *s);
} models[] = {
    {"pairs", pairs},
    {"queens", queens},
    {"machines", machines},
    {"assignment", assignment},
};

enum { MODELS = sizeof models / sizeof *models };

static cns_solver *make(cns_context *context, const struct model *model) {
    cns_solver *s = NULL;
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &s));
    model->build(s);
    return s;
}

/* ---- tests ---------------------------------------------------------------------------------- */

START_TEST(no_piece_is_long) {
    cns_context *context = support_context();
    cns_solver *s = make(context, &models[_i]);
    uint64_t most = 0, sum = 0, pieces = 0;
    for (bool ready = false; !ready; pieces++) {
        uint64_t before = s->own.state.ticks;
        blocks = 0;
        support_status(context, CNS_OK, cns_solver_prepare(s, PIECE, &ready));
        most = blocks > most ? blocks : most;
        sum += blocks;
        ck_assert_uint_lt(s->own.state.ticks - before, PIECE + CONSTRAINT);
    }
    ck_assert_uint_gt(pieces, 20);
    ck_assert_msg(most < BLOCKS, "%s: %llu blocks in a piece, of %llu in %llu pieces",
                  models[_i].name, (unsigned long long)most, (unsigned long long)sum,
                  (unsigned long long)pieces);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* The model loaded in pieces, and the first of the search. */
static cns_solver_stats load(const struct model *model, uint64_t ticks) {
    cns_context *context = support_context();
    cns_solver *s = make(context, model);
    cns_solver_stats stats;
    cns_outcome outcome;
    bool ready = false;
    while (!ready) {
        support_status(context, CNS_OK, cns_solver_prepare(s, ticks, &ready));
    }
    cns_solver_get_stats(s, &stats);
    uint64_t loaded = stats.ticks;
    support_status(context, CNS_OK, cns_solver_step(s, 2000000, &outcome));
    cns_solver_get_stats(s, &stats);
    stats.setup_time = loaded;
    cns_solver_destroy(s);
    support_context_destroy(context);
    return stats;
}

START_TEST(where_pieces_end_does_not_show) {
    static const uint64_t ticks[] = {50, 3001};
    cns_solver_stats whole = load(&models[_i], UINT64_MAX);
    ck_assert_uint_gt(whole.nodes, 0);
    for (size_t k = 0; k < sizeof ticks / sizeof *ticks; k++) {
        cns_solver_stats parts = load(&models[_i], ticks[k]);
        ck_assert_uint_eq(parts.setup_time, whole.setup_time); /* ticks of loading */
        ck_assert_uint_eq(parts.propagators, whole.propagators);
        ck_assert_uint_eq(parts.clauses, whole.clauses);
        solver_same_search(&parts, &whole);
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver pieces");
    TCase *cases = tcase_create("pieces");
    tcase_set_timeout(cases, 300);
    tcase_add_loop_test(cases, no_piece_is_long, 0, MODELS);
    tcase_add_loop_test(cases, where_pieces_end_does_not_show, 0, MODELS);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
