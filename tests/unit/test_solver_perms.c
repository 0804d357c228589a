/* SPDX-License-Identifier: MIT
 *
 * test_solver_perms.c - constraints that count and permute, each alone against brute force.
 */
#include <string.h>

#include "solver_trial.h"
#include "support.h"

enum { SEEDS = 24, N = 4 };

static const cns_post always = {0, CNS_LIT_TRUE};

/* Makes `vars` variables of up to `width` values and `views` views of them. */
static void make(solver_trial *t, uint32_t vars, uint32_t width, uint32_t views) {
    for (uint32_t i = 0; i < vars; i++) {
        solver_trial_var(t, width);
    }
    for (uint32_t i = 0; i < views; i++) {
        solver_trial_view(t);
    }
}

/* Makes `count` variables of domain low..high, at times less, and a view of each. */
static void make_indices(solver_trial *t, uint32_t count, int64_t low, int64_t high) {
    for (uint32_t i = 0; i < count; i++) {
        bool less = solver_trial_random(t, 0, 3) == 0;
        int64_t a = less ? solver_trial_random(t, low, high) : low;
        int64_t b = less ? solver_trial_random(t, a, high) : high;
        solver_trial_plain(t, solver_trial_range(t, a, b));
    }
}

static void run(void (*build)(solver_trial *t, uint64_t seed)) {
    cns_context *context = support_context();
    uint64_t inferences = 0;
    uint64_t conflicts = 0;
    static solver_trial trial;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        solver_trial_begin(&trial, context, seed);
        build(&trial, seed);
        solver_trial_search(&trial);
        inferences += trial.inferences;
        conflicts += trial.conflicts;
        solver_trial_end(&trial);
    }
    ck_assert_uint_gt(inferences, 0);
    ck_assert_uint_gt(conflicts, 0);
    support_context_destroy(context);
}

/* ---- alldifferent --------------------------------------------------------------------------- */

static bool differ(const int64_t *v, uint32_t count, const int64_t *excepted, uint32_t exceptions) {
    for (uint32_t i = 0; i < count; i++) {
        bool excused = false;
        for (uint32_t k = 0; k < exceptions; k++) {
            excused = excused || v[i] == excepted[k];
        }
        for (uint32_t j = 0; j < i && !excused; j++) {
            if (v[i] == v[j]) {
                return false;
            }
        }
    }
    return true;
}

static bool holds_alldifferent(const solver_trial *t, const int64_t *v) {
    return differ(v, t->view_count, NULL, 0);
}

static void build_alldifferent(solver_trial *t, uint64_t seed) {
    uint32_t count = (uint32_t)solver_trial_random(t, 2, seed % 16 == 0 ? 5 : 4);
    t->holds = holds_alldifferent;
    if (seed % 2 == 0) {
        make(t, count, 5, count);
    } else {
        make_indices(t, count, 1, (int64_t)count + solver_trial_random(t, 0, 1));
    }
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_alldifferent(&t->state, always, solver_trial_views(t, 0, count)));
}

static const int64_t excepted[] = {-1, 0, 2};

static bool holds_except(const solver_trial *t, const int64_t *v) {
    return differ(v, t->view_count, excepted, 3);
}

static void build_except(solver_trial *t, uint64_t seed) {
    (void)seed;
    t->holds = holds_except;
    make(t, N, 5, N);
    solver_trial_judge(t);
    support_status(
        t->context, CNS_OK,
        cns_post_alldifferent_except(&t->state, always, solver_trial_views(t, 0, N), excepted, 3));
}

/* ---- circuits ------------------------------------------------------------------------------- */

static bool is_circuit(const int64_t *v, uint32_t count, bool subcircuit) {
    uint32_t moving = 0;
    uint32_t start = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (v[i] < 0 || v[i] >= (int64_t)count) {
            return false;
        }
        bool moves = !subcircuit || v[i] != (int64_t)i;
        moving += moves;
        start = moves ? i : start;
    }
    uint32_t node = start;
    for (uint32_t steps = 1; steps <= moving; steps++) {
        node = (uint32_t)v[node];
        if (node == start) {
            return steps == moving && differ(v, count, NULL, 0);
        }
    }
    return moving == 0;
}

static bool holds_circuit(const solver_trial *t, const int64_t *v) {
    return is_circuit(v, t->view_count, t->user != NULL);
}

static void build_circuit(solver_trial *t, uint64_t seed) {
    uint32_t count = (uint32_t)solver_trial_random(t, 1, 5);
    static const bool subcircuit = true;
    t->user = seed % 2 == 0 ? &subcircuit : NULL;
    t->holds = holds_circuit;
    if (seed % 7 == 0) {
        make(t, 3, 4, 4);
    } else {
        make_indices(t, count, seed % 3 == 0 ? -1 : 0, (int64_t)count - 1);
    }
    solver_trial_judge(t);
    cns_views x = solver_trial_views(t, 0, t->view_count);
    support_status(t->context, CNS_OK, cns_post_circuit(&t->state, always, x, t->user != NULL));
}

/* Sparse graphs, where reachability has something to find. */
static void build_sparse_circuit(solver_trial *t, uint64_t seed) {
    static const bool subcircuit = true;
    t->user = seed % 2 == 0 ? &subcircuit : NULL;
    t->holds = holds_circuit;
    uint32_t first = t->var_count;
    for (uint32_t i = 0; i < 6; i++) {
        solver_trial_plain(t, solver_trial_range(t, 0, 5));
    }
    /* The domains are cut by the trial itself, so that brute force stays small. */
    for (uint32_t i = first; i < 6; i++) {
        uint32_t kept = 0;
        int64_t values[TRIAL_VALUES];
        for (int64_t value = 0; value <= 5; value++) {
            bool keep = value == (int64_t)(i * 5 + 1) % 6 || solver_trial_random(t, 0, 2) == 0;
            if (keep && kept < 4) {
                values[kept++] = value;
            } else {
                cns_view_remove(&t->state, t->views[i], value, CNS_REASON_NONE);
            }
        }
        memcpy(t->values[i], values, sizeof values);
        t->value_count[i] = kept;
    }
    solver_trial_judge(t);
    support_status(
        t->context, CNS_OK,
        cns_post_circuit(&t->state, always, solver_trial_views(t, 0, 6), t->user != NULL));
}

/* ---- inverse -------------------------------------------------------------------------------- */

static bool holds_inverse(const solver_trial *t, const int64_t *v) {
    int64_t n = t->view_count / 2;
    for (int64_t i = 0; i < 2 * n; i++) {
        int64_t other = v[i];
        const int64_t *g = i < n ? v + n : v;
        if (other < 0 || other >= n || g[other] != i % n) {
            return false;
        }
    }
    return true;
}

static void build_inverse(solver_trial *t, uint64_t seed) {
    t->holds = holds_inverse;
    if (seed % 4 == 0) {
        make(t, 4, 4, 6);
    } else {
        make_indices(t, 6, seed % 5 == 0 ? -1 : 0, 2);
    }
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_inverse(&t->state, always, solver_trial_views(t, 0, 3),
                                    solver_trial_views(t, 3, 3)));
}

/* ---- counting ------------------------------------------------------------------------------- */

static const int64_t counted[3][3] = {{0, 1, 2}, {1, -1, 1}, {2, 0, 5}};

static bool holds_cardinality(const solver_trial *t, const int64_t *v) {
    const int64_t *values = counted[*(const uint64_t *)t->user % 3];
    bool closed = *(const uint64_t *)t->user % 2;
    for (uint32_t k = 0; k < 3; k++) {
        int64_t count = 0;
        for (uint32_t i = 0; i < N; i++) {
            count += v[i] == values[k];
        }
        if (count != v[N + k]) {
            return false;
        }
    }
    for (uint32_t i = 0; closed && i < N; i++) {
        if (v[i] != values[0] && v[i] != values[1] && v[i] != values[2]) {
            return false;
        }
    }
    return true;
}

static void build_cardinality(solver_trial *t, uint64_t seed) {
    static uint64_t which;
    which = seed;
    t->user = &which;
    t->holds = holds_cardinality;
    make(t, 6, 4, N + 3);
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_global_cardinality(&t->state, always, solver_trial_views(t, 0, N),
                                               counted[seed % 3], solver_trial_views(t, N, 3),
                                               seed % 2));
}

static bool holds_nvalue(const solver_trial *t, const int64_t *v) {
    int64_t distinct = 0;
    for (uint32_t i = 0; i + 1 < t->view_count; i++) {
        uint32_t j = 0;
        while (v[j] != v[i]) {
            j++;
        }
        distinct += j == i;
    }
    return distinct == v[t->view_count - 1];
}

static void build_nvalue(solver_trial *t, uint64_t seed) {
    t->holds = holds_nvalue;
    make(t, N, 5, N + 1);
    solver_trial_judge(t);
    if (seed % 3 == 0) { /* a wide one among them: then equalities are what is counted */
        cns_view wide;
        cns_view v[N + 1];
        ck_assert_int_eq(cns_new_int(&t->state, (const int64_t[]){-100000, 100000}, 1, &wide.term),
                         CNS_OK);
        wide.offset = 0;
        memcpy(v, t->views, N * sizeof *v);
        v[N] = wide;
        const int64_t difference[] = {1, -1};
        const cns_view same[] = {wide, t->views[0]};
        support_status(t->context, CNS_OK,
                       cns_post_nvalue(&t->state, always, (cns_views){v, N + 1}, t->views[N]));
        support_status(t->context, CNS_OK,
                       cns_post_linear_eq(&t->state, always, difference, (cns_views){same, 2}, 0));
        return;
    }
    support_status(t->context, CNS_OK,
                   cns_post_nvalue(&t->state, always, solver_trial_views(t, 0, N), t->views[N]));
}

/* ---- orders --------------------------------------------------------------------------------- */

static bool holds_sort(const solver_trial *t, const int64_t *v) {
    uint32_t n = t->view_count / 2;
    for (uint32_t k = 0; k < n; k++) {
        uint32_t in_x = 0;
        uint32_t in_y = 0;
        for (uint32_t j = 0; j < n; j++) {
            in_x += v[j] == v[n + k];
            in_y += v[n + j] == v[n + k];
        }
        if (in_x != in_y || (k > 0 && v[n + k - 1] > v[n + k])) {
            return false;
        }
    }
    return true;
}

static void build_sort(solver_trial *t, uint64_t seed) {
    (void)seed;
    t->holds = holds_sort;
    make(t, 6, 4, 6);
    solver_trial_judge(t);
    support_status(
        t->context, CNS_OK,
        cns_post_sort(&t->state, always, solver_trial_views(t, 0, 3), solver_trial_views(t, 3, 3)));
}

static bool holds_arg_sort(const solver_trial *t, const int64_t *v) {
    int64_t n = t->view_count / 2;
    for (int64_t k = 0; k < n; k++) {
        int64_t p = v[n + k];
        if (p < 0 || p >= n) {
            return false;
        }
        int64_t before = k > 0 ? v[n + k - 1] : 0;
        if (k > 0 && (v[before] > v[p] || (v[before] == v[p] && before >= p))) {
            return false;
        }
    }
    return true;
}

static void build_arg_sort(solver_trial *t, uint64_t seed) {
    t->holds = holds_arg_sort;
    if (seed % 5 == 0) {
        make(t, 5, 4, 6);
    } else {
        make(t, 3, 4, 3);
        make_indices(t, 3, 0, 2);
    }
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_arg_sort(&t->state, always, solver_trial_views(t, 0, 3),
                                     solver_trial_views(t, 3, 3)));
}

static bool holds_arg_max(const solver_trial *t, const int64_t *v) {
    uint32_t n = t->view_count - 1;
    uint32_t best = 0;
    for (uint32_t i = 1; i < n; i++) {
        best = v[i] > v[best] ? i : best;
    }
    return v[n] == (int64_t)best;
}

static void build_arg_max(solver_trial *t, uint64_t seed) {
    (void)seed;
    t->holds = holds_arg_max;
    make(t, 5, 4, 5);
    solver_trial_judge(t);
    support_status(t->context, CNS_OK,
                   cns_post_arg_max(&t->state, always, solver_trial_views(t, 0, 4), t->views[4]));
}

typedef struct lex_case {
    uint32_t x, y;
    bool strict;
} lex_case;

static bool lex_less(const lex_case *c, const int64_t *v) {
    for (uint32_t i = 0; i < c->x && i < c->y; i++) {
        if (v[i] != v[c->x + i]) {
            return v[i] < v[c->x + i];
        }
    }
    return c->strict ? c->x < c->y : c->x <= c->y;
}

/* The last view is the condition, where there is one. */
static bool holds_lex(const solver_trial *t, const int64_t *v) {
    const lex_case *c = t->user;
    bool conditional = t->view_count > c->x + c->y;
    return (conditional && v[c->x + c->y] < 1) || lex_less(c, v);
}

static void build_lex(solver_trial *t, uint64_t seed) {
    static lex_case c;
    c.strict = seed % 2;
    c.x = (uint32_t)solver_trial_random(t, 1, 3);
    c.y = (uint32_t)solver_trial_random(t, 1, 3);
    t->user = &c;
    t->holds = holds_lex;
    make(t, 5, 4, c.x + c.y);
    cns_lit condition = CNS_LIT_TRUE;
    if (seed % 3 != 0) {
        condition = cns_view_lit_ge(&t->state, t->views[solver_trial_view(t)], 1);
    }
    solver_trial_judge(t);
    cns_post post = {0, condition};
    support_status(t->context, CNS_OK,
                   cns_post_lex(&t->state, post, solver_trial_views(t, 0, c.x),
                                solver_trial_views(t, c.x, c.y), c.strict));
}

static const int64_t chains[3][3] = {{0, 1, 2}, {2, -1, 1}, {1, 0, 1}};

static bool holds_precede(const solver_trial *t, const int64_t *v) {
    const int64_t *values = t->user;
    for (uint32_t k = 0; k + 1 < 3; k++) {
        bool before = false;
        for (uint32_t i = 0; i < t->view_count; i++) {
            if (v[i] == values[k + 1] && !before) {
                return false;
            }
            before = before || v[i] == values[k];
        }
    }
    return true;
}

static void build_precede(solver_trial *t, uint64_t seed) {
    t->user = chains[seed % 3];
    t->holds = holds_precede;
    make(t, 5, 5, 5);
    solver_trial_judge(t);
    support_status(
        t->context, CNS_OK,
        cns_post_precede(&t->state, always, solver_trial_views(t, 0, 5), chains[seed % 3], 3));
}

/* ---- the suite ------------------------------------------------------------------------------ */

typedef struct named_case {
    const char *name;
    void (*build)(solver_trial *t, uint64_t seed);
} named_case;

static const named_case cases[] = {
    {"alldifferent", build_alldifferent},
    {"alldifferent except", build_except},
    {"circuit", build_circuit},
    {"sparse circuit", build_sparse_circuit},
    {"inverse", build_inverse},
    {"global cardinality", build_cardinality},
    {"nvalue", build_nvalue},
    {"sort", build_sort},
    {"arg sort", build_arg_sort},
    {"arg max", build_arg_max},
    {"lex", build_lex},
    {"precede", build_precede},
};

START_TEST(test_case) {
    run(cases[_i].build);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver permutations");
    for (int k = 0; k < (int)(sizeof cases / sizeof *cases); k++) {
        TCase *one = tcase_create(cases[k].name);
        tcase_add_loop_test(one, test_case, k, k + 1);
        tcase_set_timeout(one, 250);
        suite_add_tcase(suite, one);
    }
    return support_run(suite);
}
