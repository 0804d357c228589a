/* SPDX-License-Identifier: MIT
 *
 * test_solver_presolve.c - what the loader finds in many constraints together, against brute force:
 * the same solutions, the same optimum, also when constraints are added between two searches.
 */
#include <string.h>

#include "solver/presolve.h"
#include "solver/solver_impl.h"
#include "solver_random.h"
#include "support.h"

/* ---- cliques alone -------------------------------------------------------------------------- */

static void add_edge(cns_state *s, cns_clique_edges *edges, uint32_t x, uint32_t y, int32_t sign,
                     int64_t offset) {
    cns_clique_edge edge = {.x = x, .y = y, .sign = sign, .offset = offset, .label = edges->count};
    ck_assert(cns_clique_edge_add(s, edges, edge));
}

typedef struct found {
    cns_context *context;
    cns_state state;
    cns_clique_edges edges;
    cns_cliques cliques;
} found;

static void begin(found *f) {
    memset(f, 0, sizeof *f);
    f->context = support_context();
    ck_assert_int_eq(cns_state_init(&f->state, f->context, 1), CNS_OK);
}

static void end(found *f) {
    cns_clique_edges_deinit(&f->state, &f->edges);
    cns_cliques_deinit(&f->state, &f->cliques);
    cns_state_deinit(&f->state);
    support_context_destroy(f->context);
}

/* In pieces of `ticks`. */
static cns_part find_cliques(found *f, uint32_t nodes, uint64_t ticks) {
    cns_clique_finder *finder = NULL;
    cns_part part;
    do {
        cns_piece piece = {f->state.ticks + ticks, 0};
        part = cns_cliques_find(&f->state, &finder, &f->edges, nodes, &f->cliques, &piece);
        ck_assert_int_eq(part == CNS_PART_LEFT, finder != NULL);
        ck_assert(part != CNS_PART_LEFT || cns_piece_is_over(&piece, &f->state));
    } while (part == CNS_PART_LEFT);
    return part;
}

/* Each two members of each clique must be related by an edge that was given, and each edge that is
 * covered must lie in a clique or be given twice. */
static void check_cliques(const found *f) {
    uint32_t first = 0, pairs = 0, covered = 0;
    for (uint32_t k = 0; k < f->cliques.count; k++) {
        ck_assert_uint_ge(f->cliques.ends[k], first + 3);
        for (uint32_t i = first; i < f->cliques.ends[k]; i++) {
            for (uint32_t j = first; j < i; j++) {
                cns_clique_member a = f->cliques.members[i], b = f->cliques.members[j];
                const cns_clique_edge *e = cns_clique_edge_of(&f->edges, a, b);
                ck_assert_ptr_nonnull(e);
                if (e->x != a.node) {
                    cns_clique_member swapped = a;
                    a = b;
                    b = swapped;
                }
                /* x ~ sign y + offset, both sides under a's sign and offset */
                ck_assert_int_eq(a.sign * e->sign, b.sign);
                ck_assert_int_eq(a.sign * e->offset + a.offset, b.offset);
                pairs++;
            }
        }
        first = f->cliques.ends[k];
    }
    for (uint32_t k = 0; k < f->edges.count; k++) {
        covered += f->edges.data[k].covered;
    }
    ck_assert_uint_le(covered == 0, pairs == 0);
}

START_TEST(test_queens_have_three_cliques) {
    found f;
    begin(&f);
    enum { N = 20 };
    for (uint32_t i = 0; i < N; i++) {
        for (uint32_t j = i + 1; j < N; j++) {
            int64_t d = j - i;
            add_edge(&f.state, &f.edges, i, j, 1, d);
            add_edge(&f.state, &f.edges, i, j, 1, 0);
            add_edge(&f.state, &f.edges, j, i, 1, d);
        }
    }
    ck_assert_int_eq(find_cliques(&f, N, 100), CNS_PART_DONE);
    check_cliques(&f);
    ck_assert_uint_eq(f.cliques.count, 3);
    ck_assert_uint_eq(f.cliques.member_count, 3 * N);
    end(&f);
}
END_TEST

static void add_random_edges(found *f, cns_rng *rng, uint32_t nodes) {
    uint32_t count = (uint32_t)cns_rng_below(rng, 3 * nodes * nodes);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t x = (uint32_t)cns_rng_below(rng, nodes);
        uint32_t y = (x + 1 + (uint32_t)cns_rng_below(rng, nodes - 1)) % nodes;
        add_edge(&f->state, &f->edges, x, y, cns_rng_below(rng, 4) == 0 ? -1 : 1,
                 (int64_t)cns_rng_below(rng, 3) - 1);
    }
}

/* All at once, and in small pieces: the same cliques, for the same ticks. */
START_TEST(test_random_graphs) {
    const uint64_t ticks[] = {UINT64_C(1) << 40, 1, 7};
    found f[3];
    for (int k = 0; k < 3; k++) {
        cns_rng rng;
        cns_rng_seed(&rng, (uint64_t)_i);
        begin(&f[k]);
        uint32_t nodes = 3 + (uint32_t)cns_rng_below(&rng, 12);
        add_random_edges(&f[k], &rng, nodes);
        ck_assert_int_eq(find_cliques(&f[k], nodes, ticks[k]), CNS_PART_DONE);
        check_cliques(&f[k]);
        const cns_cliques *a = &f[0].cliques, *b = &f[k].cliques;
        ck_assert_uint_eq(f[k].state.ticks, f[0].state.ticks);
        ck_assert_uint_eq(a->count, b->count);
        ck_assert_uint_eq(a->member_count, b->member_count);
        for (uint32_t j = 0; j < a->member_count; j++) {
            ck_assert_uint_eq(a->members[j].node, b->members[j].node);
            ck_assert_int_eq(a->members[j].sign, b->members[j].sign);
            ck_assert_int_eq(a->members[j].offset, b->members[j].offset);
        }
    }
    for (int k = 0; k < 3; k++) {
        end(&f[k]);
    }
}
END_TEST

/* ---- random models -------------------------------------------------------------------------- */

static void add(const solver_random_sink *sink, cns_constraint c) {
    c.size = sizeof c;
    ck_assert_int_eq(sink->add(sink->user, &c), CNS_OK);
}

static void linear(const solver_random_sink *sink, cns_constraint_kind kind, cns_var x, int64_t a,
                   cns_var y, int64_t b, int64_t c, cns_reification condition, cns_var literal) {
    const cns_var vars[] = {x, y};
    const int64_t coefficients[] = {a, b}, constant[] = {c};
    add(sink, (cns_constraint){.kind = kind,
                               .condition = condition,
                               .literal = literal,
                               .v = {vars},
                               .v_count = {2},
                               .i = {coefficients, constant},
                               .i_count = {2, 1}});
}

static cns_var new_var(const solver_random_sink *sink, int64_t low, int64_t high) {
    cns_var var;
    ck_assert_int_eq(sink->new_var(sink->user, (const int64_t[]){low, high}, 1, &var), CNS_OK);
    return var;
}

enum { VARS_MOST = 7 };

typedef enum theme { INEQUATIONS, TASKS, SUMS, MACHINES } theme;

typedef struct plan { /* what a seed makes: the variables first, then one constraint after another
                       */
    cns_var x[VARS_MOST];
    uint32_t count;
} plan;

/* Inequations of pairs, most of them of a hidden alldifferent. */
static void add_inequation(cns_rng *rng, const plan *p, const solver_random_sink *sink) {
    uint32_t i = (uint32_t)cns_rng_below(rng, p->count);
    uint32_t j = (i + 1 + (uint32_t)cns_rng_below(rng, p->count - 1)) % p->count;
    int64_t a = cns_rng_below(rng, 5) == 0 ? -2 : 1;
    int64_t b = cns_rng_below(rng, 6) == 0 ? a : -a;
    int64_t c = cns_rng_below(rng, 3) == 0 ? a * ((int64_t)cns_rng_below(rng, 3) - 1) : 0;
    linear(sink, CNS_LINEAR_NE, p->x[i], a, p->x[j], b, c, CNS_ALWAYS, 0);
}

/* Two tasks, one before the other. */
static void add_choice(cns_rng *rng, const plan *p, const solver_random_sink *sink) {
    uint32_t i = (uint32_t)cns_rng_below(rng, p->count);
    uint32_t j = (i + 1 + (uint32_t)cns_rng_below(rng, p->count - 1)) % p->count;
    cns_reification condition = cns_rng_below(rng, 2) == 0 ? CNS_IF_AND_ONLY : CNS_IF;
    cns_var forth = new_var(sink, 0, 1), back = new_var(sink, 0, 1);
    int64_t odd = cns_rng_below(rng, 8) == 0;
    linear(sink, CNS_LINEAR_LE, p->x[i], 1, p->x[j], -1, -1 - (int64_t)(i % 2), condition, forth);
    linear(sink, CNS_LINEAR_LE, p->x[i], -1, p->x[j], 1, -1 - (int64_t)(j % 2) - odd, condition,
           back);
    const cns_var either[] = {forth, back};
    add(sink, (cns_constraint){.kind = CNS_CLAUSE, .v = {either}, .v_count = {2}});
}

/* Tasks in one order or the other, each two of them, and a disjunctive constraint that says it of
 * some of them: of all or some times, of tasks that are as long, shorter, or missing. */
static void add_stated(cns_rng *rng, const plan *p, const solver_random_sink *sink) {
    for (uint32_t i = 0; i < p->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            cns_var forth = new_var(sink, 0, 1);
            const cns_var either[] = {forth, ~forth};
            linear(sink, CNS_LINEAR_LE, p->x[i], 1, p->x[j], -1, -2, CNS_IF, forth);
            linear(sink, CNS_LINEAR_LE, p->x[i], -1, p->x[j], 1, -2, CNS_IF, ~forth);
            add(sink, (cns_constraint){.kind = CNS_CLAUSE, .v = {either}, .v_count = {2}});
        }
    }
    cns_var starts[VARS_MOST], lengths[VARS_MOST], present[VARS_MOST], sometimes;
    uint32_t count = p->count + (uint32_t)cns_rng_below(rng, 2);
    sometimes = new_var(sink, 0, 1);
    for (uint32_t k = 0; k < count; k++) {
        bool always = cns_rng_below(rng, 2) == 0;
        starts[k] = p->x[cns_rng_below(rng, 4) == 0 ? 0 : k % p->count];
        int64_t least = 2 - (int64_t)cns_rng_below(rng, 3);
        lengths[k] = new_var(sink, least, k == 0 ? 2 : least);
        present[k] = always ? new_var(sink, 1, 1) : k % 2 == 0 ? sometimes : ~sometimes;
    }
    const int64_t strict[] = {(int64_t)cns_rng_below(rng, 2)};
    size_t optional = cns_rng_below(rng, 4) == 0 ? 0 : count;
    add(sink, (cns_constraint){.kind = CNS_DISJUNCTIVE,
                               .v = {starts, lengths, present},
                               .v_count = {count, count, optional},
                               .i = {strict},
                               .i_count = {1}});
}

/* A group of Booleans of which one is true, by a sum or by clauses; or any sum with a condition. */
static void add_sum(cns_rng *rng, const plan *p, const solver_random_sink *sink) {
    cns_var vars[VARS_MOST];
    int64_t a[VARS_MOST], c[] = {1};
    uint32_t count = 0;
    bool group = cns_rng_below(rng, 2) == 0;
    for (uint32_t k = group; k < p->count; k++) {
        if (cns_rng_below(rng, group ? 2 : 6) != 0) {
            a[count] = group ? 1 : (int64_t)cns_rng_below(rng, 7) - 1;
            vars[count++] = p->x[k];
        }
    }
    if (group && cns_rng_below(rng, 3) == 0) {
        add(sink, (cns_constraint){.kind = CNS_CLAUSE, .v = {vars}, .v_count = {count}});
        if (cns_rng_below(rng, 2) == 0) {
            add(sink, (cns_constraint){.kind = CNS_LINEAR_LE,
                                       .v = {vars},
                                       .v_count = {count},
                                       .i = {a, c},
                                       .i_count = {count, 1}});
            return;
        }
        for (uint32_t i = 0; i < count; i++) {
            for (uint32_t j = 0; j < i; j++) {
                const cns_var both[] = {~vars[i], ~vars[j]};
                add(sink, (cns_constraint){.kind = CNS_CLAUSE, .v = {both}, .v_count = {2}});
            }
        }
        return;
    }
    static const cns_constraint_kind kinds[] = {CNS_LINEAR_EQ, CNS_LINEAR_LE, CNS_LINEAR_NE};
    cns_constraint sum = {.kind = group ? CNS_LINEAR_EQ : kinds[cns_rng_below(rng, 3)],
                          .v = {vars},
                          .v_count = {count},
                          .i = {a, c},
                          .i_count = {count, 1}};
    if (!group) {
        c[0] = (int64_t)cns_rng_below(rng, 9) - 1;
        sum.condition = (cns_reification)cns_rng_below(rng, 3);
        sum.literal = sum.condition == CNS_ALWAYS ? 0 : p->x[1 + cns_rng_below(rng, p->count - 1)];
    }
    add(sink, sum);
}

static plan make_plan(cns_rng *rng, const solver_random_sink *sink, theme what) {
    plan p = {.count = what == SUMS ? VARS_MOST : 3};
    p.count += what == INEQUATIONS ? (uint32_t)cns_rng_below(rng, 4) : 0;
    for (uint32_t k = 0; k < p.count; k++) {
        bool boolean = what == SUMS && k > 0;
        int64_t low = boolean ? 0 : (int64_t)cns_rng_below(rng, 3) - 1;
        int64_t more =
            boolean ? 1 : (int64_t)cns_rng_below(rng, what == TASKS || what == MACHINES ? 6 : 5);
        p.x[k] = new_var(sink, low, low + more);
    }
    if (what == SUMS) {
        return p;
    }
    if (cns_rng_below(rng, 2) == 0) { /* an alias: views that are turned and moved */
        linear(sink, CNS_LINEAR_EQ, p.x[0], 1, p.x[1], 1, 2, CNS_ALWAYS, 0);
    }
    return p;
}

static void add_all(cns_rng *rng, const plan *p, const solver_random_sink *sink, theme what,
                    bool first) {
    void (*const adds[])(cns_rng *, const plan *, const solver_random_sink *) = {
        add_inequation, add_choice, add_sum, add_stated};
    uint32_t counts[][2] = {{3, 8}, {1, 3}, {1, 4}, {0, 1}};
    for (uint32_t k = 0; k < counts[what][first]; k++) {
        adds[what](rng, p, sink);
    }
}

static cns_status model_new_var(void *user, const int64_t *ranges, size_t count, cns_var *out) {
    return cns_model_new_var(user, ranges, count, NULL, out);
}

static cns_status model_add(void *user, const cns_constraint *constraint) {
    return cns_model_add(user, constraint);
}

/* All solutions, until the search space is exhausted. */
static uint64_t count_all(cns_context *context, cns_solver *solver) {
    cns_outcome outcome;
    uint64_t count = 0;
    do {
        support_status(context, CNS_OK, cns_solver_step(solver, 0, &outcome));
        count += outcome == CNS_SOLUTION;
    } while (outcome == CNS_SOLUTION);
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    ck_assert_int_eq(cns_solver_check(solver), CNS_OK);
    return count;
}

/* The best value of variable 0; false: infeasible. */
static bool find_best(cns_context *context, cns_solver *solver, int64_t *best) {
    bool any = false;
    cns_outcome outcome;
    ck_assert_int_eq(cns_solver_set_goal(solver, CNS_MINIMIZE, 0), CNS_OK);
    do {
        support_status(context, CNS_OK, cns_solver_step(solver, 0, &outcome));
        if (outcome == CNS_SOLUTION) {
            any = true;
            ck_assert_int_eq(cns_solver_value(solver, 0, best), CNS_OK);
        }
    } while (outcome == CNS_SOLUTION);
    ck_assert_int_eq(cns_solver_set_goal(solver, CNS_SATISFY, 0), CNS_OK);
    return any;
}

static void visit_least(void *user, const int64_t *values) {
    int64_t *least = user;
    *least = values[0] < *least ? values[0] : *least;
}

static void run_random(uint64_t seed, theme what) {
    cns_context *context = support_context();
    cns_model model;
    ck_assert_int_eq(cns_model_init(&model, context), CNS_OK);
    cns_solver *solver;
    cns_solver_config config = {.size = sizeof config, .seed = seed};
    ck_assert_int_eq(cns_solver_create(context, &config, &solver), CNS_OK);
    cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
    options.strategy = seed & 1 ? CNS_STRATEGY_FREE : CNS_STRATEGY_DEFAULT;
    ck_assert_int_eq(cns_solver_set_options(solver, &options), CNS_OK);
    const solver_random_sink sinks[2] = {
        {&model, model_new_var, NULL, model_add, NULL},
        {solver, solver_random_new_var, NULL, solver_random_add, NULL}};
    cns_rng rngs[2];
    plan plans[2];
    for (int k = 0; k < 2; k++) {
        cns_rng_seed(&rngs[k], seed);
        plans[k] = make_plan(&rngs[k], &sinks[k], what);
    }
    for (int round = 0; round < 3; round++) { /* constraints are added to what was searched */
        for (int k = 0; k < 2; k++) {
            add_all(&rngs[k], &plans[k], &sinks[k], what, round == 0);
        }
        int64_t least = INT64_MAX, best = 0;
        uint64_t expected = solver_random_count(&model, visit_least, &least);
        ck_assert_uint_eq(count_all(context, solver), expected);
        ck_assert_int_eq(cns_solver_restart(solver), CNS_OK);
        ck_assert_int_eq(find_best(context, solver, &best), expected > 0);
        ck_assert(expected == 0 || best == least);
        ck_assert_int_eq(cns_solver_restart(solver), CNS_OK);
    }
    cns_solver_destroy(solver);
    cns_model_deinit(&model);
    support_context_destroy(context);
}

START_TEST(test_inequations_agree_with_brute_force) {
    for (uint64_t seed = 0; seed < 300; seed++) {
        run_random(seed, INEQUATIONS);
    }
}
END_TEST

START_TEST(test_ordered_pairs_agree_with_brute_force) {
    for (uint64_t seed = 0; seed < 100; seed++) {
        run_random(seed, TASKS);
    }
}
END_TEST

START_TEST(test_stated_pairs_agree_with_brute_force) {
    for (uint64_t seed = 0; seed < 100; seed++) {
        run_random(seed, MACHINES);
    }
}
END_TEST

START_TEST(test_sums_agree_with_brute_force) {
    for (uint64_t seed = 0; seed < 400; seed++) {
        run_random(seed, SUMS);
    }
}
END_TEST

/* ---- what is stated together ---------------------------------------------------------------- */

static cns_solver *new_solver(cns_context *context) {
    cns_solver *solver = NULL;
    cns_status status = cns_solver_create(context, NULL, &solver);
    return status == CNS_OK ? solver : NULL;
}

/* Queens by pairs. */
static cns_status add_queens(cns_solver *solver, uint32_t n) {
    cns_var q[32];
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < n && status == CNS_OK; i++) {
        status = cns_solver_new_int(solver, 1, n, NULL, &q[i]);
        for (uint32_t j = 0; j < i && status == CNS_OK; j++) {
            const int64_t a[] = {1, -1}, constants[] = {0, (int64_t)i - j, (int64_t)j - i};
            const cns_var x[] = {q[i], q[j]};
            for (int k = 0; k < 3 && status == CNS_OK; k++) {
                const cns_constraint c = {.size = sizeof c,
                                          .kind = CNS_LINEAR_NE,
                                          .v = {x},
                                          .v_count = {2},
                                          .i = {a, &constants[k]},
                                          .i_count = {2, 1}};
                status = cns_solver_add(solver, &c);
            }
        }
    }
    return status;
}

START_TEST(test_queens_are_few_propagators) {
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
    ck_assert_int_eq(cns_solver_set_options(solver, &options), CNS_OK);
    ck_assert_int_eq(add_queens(solver, 8), CNS_OK);
    ck_assert_uint_eq(count_all(context, solver), 92);
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_le(stats.propagators, 6); /* of 84 pairs */
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

START_TEST(test_pigeons_need_few_conflicts) {
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    cns_var x[12];
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    for (int i = 0; i < 12; i++) {
        x[i] = new_var(&sink, 1, 11);
        for (int j = 0; j < i; j++) {
            linear(&sink, CNS_LINEAR_NE, x[i], 1, x[j], -1, 0, CNS_ALWAYS, 0);
        }
    }
    ck_assert_uint_eq(count_all(context, solver), 0);
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_le(stats.failures, 1);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

/* Tasks of length 3 that begin at 0 .. last, of which each two are in one order or the other, by a
 * clause. */
static void add_tasks(const solver_random_sink *sink, uint32_t n, int64_t last, cns_var *x) {
    for (uint32_t i = 0; i < n; i++) {
        x[i] = new_var(sink, 0, last);
        for (uint32_t j = 0; j < i; j++) {
            const cns_var either[] = {new_var(sink, 0, 1), new_var(sink, 0, 1)};
            linear(sink, CNS_LINEAR_LE, x[i], 1, x[j], -1, -3, CNS_IF, either[0]);
            linear(sink, CNS_LINEAR_LE, x[i], -1, x[j], 1, -3, CNS_IF, either[1]);
            add(sink, (cns_constraint){.kind = CNS_CLAUSE, .v = {either}, .v_count = {2}});
        }
    }
}

/* What a disjunctive constraint says of the same tasks. */
typedef enum stated { NOTHING, ALL, SOMETIMES, SHORTER, TWICE, SAID } stated;

static void add_disjunctive(const solver_random_sink *sink, const cns_var *x, uint32_t n,
                            stated what) {
    cns_var starts[32], lengths[32], present[32];
    cns_var sometimes = new_var(sink, 0, 1), always = new_var(sink, 1, 1);
    cns_var length = new_var(sink, what == SHORTER ? 2 : 3, what == SHORTER ? 2 : 3);
    for (uint32_t k = 0; k < n; k++) {
        /* TWICE: each of half the tasks, as long as a literal is true and as long as it is not. */
        starts[k] = what == TWICE ? x[k / 2] : x[k];
        lengths[k] = length;
        present[k] = what == SOMETIMES ? sometimes
                     : what == TWICE   ? (k % 2 == 0 ? sometimes : ~sometimes)
                                       : always;
    }
    add(sink, (cns_constraint){
                  .kind = CNS_DISJUNCTIVE, .v = {starts, lengths, present}, .v_count = {n, n, n}});
}

/* Seven tasks of length 3 in a span of 20: pairs cannot tell, edge finding does at once; also where
 * a constraint says something else of them. */
START_TEST(test_machine_is_too_small) {
    enum { TASK_COUNT = 7 };
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    cns_var x[TASK_COUNT];
    add_tasks(&sink, TASK_COUNT, 17, x);
    if (_i != NOTHING) {
        add_disjunctive(&sink, x, TASK_COUNT, (stated)_i);
    }
    ck_assert_uint_eq(count_all(context, solver), 0);
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_le(stats.failures, 1);
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

/* Propagators of tasks that fit, and of a disjunctive constraint. */
static uint64_t count_propagators(stated what) {
    enum { TASK_COUNT = 7 };
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    cns_var x[TASK_COUNT];
    add_tasks(&sink, TASK_COUNT, 40, x);
    add_disjunctive(&sink, x, TASK_COUNT, what);
    bool ready;
    support_status(context, CNS_OK, cns_solver_prepare(solver, UINT64_MAX, &ready));
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    cns_solver_destroy(solver);
    support_context_destroy(context);
    return stats.propagators;
}

START_TEST(test_stated_machines_are_left_out) {
    ck_assert_uint_eq(count_propagators(SHORTER), count_propagators(ALL) + 1);
}
END_TEST

/* The cost of an assignment, each row and column of which is a group: the reduced costs bound it by
 * themselves. `clauses`: groups by pairs. */
static uint64_t failures_of_assignment(bool clauses) {
    enum { N = 6 };
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    cns_var cost = new_var(&sink, 0, 1000), x[2][N][N], all[N * N + 1] = {cost};
    int64_t a[N * N + 1] = {-1}, zero = 0, one = 1, ones[N] = {1, 1, 1, 1, 1, 1};
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            x[0][i][j] = x[1][j][i] = all[1 + i * N + j] = new_var(&sink, 0, 1);
            a[1 + i * N + j] = i == j ? 10 + i : 40 + (i * j) % 7; /* the diagonal is best */
        }
    }
    for (int k = 0; k < 2 * N; k++) {
        const cns_var *row = x[k / N][k % N];
        add(&sink, clauses ? (cns_constraint){.kind = CNS_CLAUSE, .v = {row}, .v_count = {N}}
                           : (cns_constraint){.kind = CNS_LINEAR_EQ,
                                              .v = {row},
                                              .v_count = {N},
                                              .i = {ones, &one},
                                              .i_count = {N, 1}});
        for (int i = 0; clauses && i < N; i++) {
            for (int j = 0; j < i; j++) {
                const cns_var both[] = {~row[i], ~row[j]};
                add(&sink, (cns_constraint){.kind = CNS_CLAUSE, .v = {both}, .v_count = {2}});
            }
        }
    }
    add(&sink, (cns_constraint){.kind = CNS_LINEAR_EQ,
                                .v = {all},
                                .v_count = {N * N + 1},
                                .i = {a, &zero},
                                .i_count = {N * N + 1, 1}});
    int64_t best = 0;
    ck_assert(find_best(context, solver, &best));
    ck_assert_int_eq(best, 6 * 10 + 15);
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    cns_solver_destroy(solver);
    support_context_destroy(context);
    return stats.failures;
}

START_TEST(test_assignments_cost_at_least) {
    ck_assert_uint_le(failures_of_assignment(false), 20);
    ck_assert_uint_le(failures_of_assignment(true), 20);
}
END_TEST

/* ---- limits --------------------------------------------------------------------------------- */

static cns_status solve_queens(cns_context *context) {
    cns_solver *solver = new_solver(context);
    if (solver == NULL) {
        return CNS_E_NOMEM;
    }
    cns_outcome outcome = CNS_RUNNING;
    cns_status status = add_queens(solver, 6);
    status = status == CNS_OK ? cns_solver_step(solver, 0, &outcome) : status;
    ck_assert(status != CNS_OK || outcome == CNS_SOLUTION);
    cns_solver_destroy(solver);
    return status;
}

/* Machines of three tasks each, and disjunctive constraints of other tasks, that are many to
 * compare with each other. */
START_TEST(test_many_machines_are_looked_at_briefly) {
    enum { CLIQUES = 400, STATED = 100, TASKS_EACH = 1000 };
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    for (uint32_t k = 0; k < CLIQUES; k++) {
        cns_var x[3];
        add_tasks(&sink, 3, 60, x);
    }
    static cns_var start[TASKS_EACH], one[TASKS_EACH];
    for (uint32_t k = 0; k < TASKS_EACH; k++) {
        start[k] = new_var(&sink, 0, 9999);
        one[k] = new_var(&sink, 1, 1);
    }
    for (uint32_t k = 0; k < STATED; k++) {
        add(&sink, (cns_constraint){.kind = CNS_DISJUNCTIVE,
                                    .v = {start, one},
                                    .v_count = {TASKS_EACH, TASKS_EACH}});
    }
    bool ready;
    support_status(context, CNS_OK, cns_solver_prepare(solver, UINT64_MAX, &ready));
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_lt(stats.ticks, UINT64_C(9000000));
    cns_solver_destroy(solver);
    support_context_destroy(context);
}
END_TEST

START_TEST(test_each_allocation_fails) {
    support_each_allocation_fails(solve_queens);
}
END_TEST

/* All solutions of a random model, where the first step, that loads it, has allocation `nth`
 * refused. False: none was. `forgiven` counts the steps that went well all the same. */
static bool load_refused(uint64_t seed, theme what, int64_t nth, uint64_t expected,
                         uint32_t *forgiven) {
    support_failing failing = {.countdown = -1};
    cns_context *context = support_failing_context(&failing);
    cns_solver *solver = new_solver(context);
    cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
    ck_assert_int_eq(cns_solver_set_options(solver, &options), CNS_OK);
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    plan p = make_plan(&rng, &sink, what);
    add_all(&rng, &p, &sink, what, true);
    cns_outcome outcome = CNS_RUNNING;
    atomic_store(&failing.countdown, nth);
    cns_status status = cns_solver_step(solver, 20000, &outcome);
    bool refused = atomic_exchange(&failing.countdown, -1) == -1;
    if (refused && status != CNS_OK) {
        ck_assert_int_eq(status, CNS_E_NOMEM);
    } else {
        ck_assert_int_eq(status, CNS_OK);
        *forgiven += refused;
    }
    uint64_t count = outcome == CNS_SOLUTION;
    if (outcome != CNS_COMPLETE) {
        count += count_all(context, solver);
    }
    ck_assert_uint_eq(count, expected);
    cns_solver_destroy(solver);
    support_context_destroy(context);
    ck_assert_int_eq(atomic_load(&failing.live_blocks), 0);
    return refused;
}

/* What the loader looks for is left where there is no memory for it, and the model stays as it is.
 */
START_TEST(test_models_load_without) {
    uint32_t forgiven = 0;
    for (uint64_t seed = 0; seed < 12; seed++) {
        cns_context *context = support_context();
        cns_model model;
        ck_assert_int_eq(cns_model_init(&model, context), CNS_OK);
        const solver_random_sink sink = {&model, model_new_var, NULL, model_add, NULL};
        cns_rng rng;
        cns_rng_seed(&rng, seed);
        plan p = make_plan(&rng, &sink, (theme)_i);
        add_all(&rng, &p, &sink, (theme)_i, true);
        int64_t least = INT64_MAX;
        uint64_t expected = solver_random_count(&model, visit_least, &least);
        for (int64_t nth = 0; load_refused(seed, (theme)_i, nth, expected, &forgiven); nth++) {
        }
        cns_model_deinit(&model);
        support_context_destroy(context);
    }
    ck_assert_uint_gt(forgiven, 20);
}
END_TEST

/* A Boolean whose view could not be had for want of memory has one literal and one view later. */
START_TEST(test_views_are_made_whole) {
    bool refused = true;
    for (int64_t nth = 0; refused; nth++) {
        support_failing failing = {.countdown = -1};
        cns_context *context = support_failing_context(&failing);
        cns_model model;
        cns_state state;
        cns_loader loader;
        cns_var x, other;
        ck_assert_int_eq(cns_model_init(&model, context), CNS_OK);
        ck_assert_int_eq(cns_model_new_var(&model, (int64_t[]){0, 1}, 1, NULL, &x), CNS_OK);
        ck_assert_int_eq(cns_model_new_var(&model, (int64_t[]){0, 1}, 1, NULL, &other), CNS_OK);
        ck_assert_int_eq(cns_model_mark_output(&model, other), CNS_OK); /* loads that one only */
        ck_assert_int_eq(cns_state_init(&state, context, 1), CNS_OK);
        cns_loader_init(&loader, &model, &state);
        ck_assert_int_eq(cns_load(&loader), CNS_OK);
        cns_view view;
        atomic_store(&failing.countdown, nth);
        bool made = cns_load_view(&loader, x, &view);
        refused = atomic_exchange(&failing.countdown, -1) == -1;
        ck_assert(made || (refused && cns_do_without(&state)));
        cns_lit lit = cns_load_lit(&loader, x);
        ck_assert(cns_load_view(&loader, x, &view));
        ck_assert_uint_eq(cns_view_lit_ge(&state, view, 1), lit);
        cns_loader_deinit(&loader);
        cns_state_deinit(&state);
        cns_model_deinit(&model);
        support_context_destroy(context);
    }
}
END_TEST

/* Propagators after the model was loaded with `room` more bytes than it takes; 0: it was not. */
static uint64_t load_within(uint64_t room) {
    cns_context *context = support_context();
    cns_solver *solver = new_solver(context);
    const solver_random_sink sink = {solver, solver_random_new_var, NULL, solver_random_add, NULL};
    cns_var x[20];
    add_tasks(&sink, 20, 60, x);
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    uint64_t limit = stats.memory_peak + room;
    cns_solver_set_memory_limit(solver, limit);
    cns_outcome outcome;
    cns_status status;
    do {
        status = cns_solver_step(solver, 1000, &outcome);
        cns_solver_get_stats(solver, &stats);
    } while (status == CNS_OK && outcome == CNS_RUNNING && stats.nodes == 0);
    ck_assert(status == CNS_OK || status == CNS_E_LIMIT);
    ck_assert_uint_le(stats.memory_peak, limit);
    ck_assert_int_eq(cns_solver_check(solver), CNS_OK);
    cns_solver_destroy(solver);
    support_context_destroy(context);
    return status == CNS_OK ? stats.propagators : 0;
}

/* Where a limit leaves room for the model alone, it has no machine. */
START_TEST(test_limit_leaves_the_machine_out) {
    uint64_t room = 0, count = 0, all = load_within(64 << 20);
    for (; count == 0; room += 4 << 10) {
        count = load_within(room);
    }
    ck_assert_uint_eq(count, all - 1);
    for (; count < all; room += 4 << 10) {
        count = load_within(room);
        ck_assert_uint_ge(count, all - 1);
    }
}
END_TEST

START_TEST(test_cancelled_while_it_looks) {
    found f;
    begin(&f);
    for (uint32_t i = 0; i < 200; i++) {
        for (uint32_t j = i + 1; j < 200; j++) {
            add_edge(&f.state, &f.edges, i, j, 1, 0);
        }
    }
    _Atomic bool cancelled = true;
    f.state.cancelled = &cancelled;
    f.state.polling = CNS_POLL_ALWAYS;
    ck_assert_int_eq(find_cliques(&f, 200, 1u << 30), CNS_PART_FAILED);
    ck_assert_int_eq(f.state.status, CNS_E_CANCELLED);
    ck_assert_uint_eq(f.cliques.count, 0);
    end(&f);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver presolve");
    TCase *cliques = tcase_create("cliques");
    tcase_set_timeout(cliques, 60);
    tcase_add_test(cliques, test_queens_have_three_cliques);
    tcase_add_loop_test(cliques, test_random_graphs, 0, 200);
    tcase_add_test(cliques, test_cancelled_while_it_looks);
    suite_add_tcase(suite, cliques);
    TCase *models = tcase_create("models");
    tcase_set_timeout(models, 300);
    tcase_add_test(models, test_inequations_agree_with_brute_force);
    tcase_add_test(models, test_ordered_pairs_agree_with_brute_force);
    tcase_add_test(models, test_stated_pairs_agree_with_brute_force);
    tcase_add_test(models, test_sums_agree_with_brute_force);
    tcase_add_test(models, test_assignments_cost_at_least);
    tcase_add_test(models, test_queens_are_few_propagators);
    tcase_add_test(models, test_pigeons_need_few_conflicts);
    tcase_add_loop_test(models, test_machine_is_too_small, NOTHING, SAID);
    tcase_add_test(models, test_stated_machines_are_left_out);
    tcase_add_test(models, test_each_allocation_fails);
    tcase_add_loop_test(models, test_models_load_without, INEQUATIONS, SUMS + 1);
    tcase_add_test(models, test_views_are_made_whole);
    tcase_add_test(models, test_limit_leaves_the_machine_out);
    tcase_add_test(models, test_many_machines_are_looked_at_briefly);
    suite_add_tcase(suite, models);
    return support_run(suite);
}
