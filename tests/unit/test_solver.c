/* SPDX-License-Identifier: MIT
 *
 * test_solver.c - the solver's public interface: contracts, pauses, changes between steps,
 * assumptions and cores, enumeration, bounds, statistics.
 *
 * The oracle is brute force over random tiny models (solver_random.h).
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "solver/solver_impl.h"
#include "solver_random.h"
#include "solver_steps.h"

/* ---- what the tests share ------------------------------------------------------------------- */

static cns_solve_options free_search(bool all) {
    return (cns_solve_options){.size = sizeof(cns_solve_options),
                               .strategy = CNS_STRATEGY_FREE,
                               .restart_scale = 5,
                               .all_solutions = all};
}

static int64_t value(const cns_solver *solver, cns_var var) {
    int64_t out = 0;
    ck_assert_int_eq(cns_solver_value(solver, var, &out), CNS_OK);
    return out;
}

/* All solutions of a model as values of all variables, by brute force. */
typedef struct solutions {
    cns_model model;
    int64_t *values;
    uint32_t count, capacity;
} solutions;

static void keep(void *user, const int64_t *values) {
    solutions *s = user;
    size_t width = s->model.variable_count;
    if (s->count == s->capacity) {
        s->capacity = 2 * s->capacity + 16;
        s->values = realloc(s->values, s->capacity * width * sizeof *values);
        ck_assert_ptr_nonnull(s->values);
    }
    memcpy(s->values + s->count++ * width, values, width * sizeof *values);
}

static void enumerate(solutions *s, cns_context *context, uint64_t seed, int kind) {
    cns_rng rng;
    memset(s, 0, sizeof *s);
    cns_rng_seed(&rng, seed);
    ck_assert_int_eq(cns_model_init(&s->model, context), CNS_OK);
    solver_random_model(&rng, kind, &s->model);
    solver_random_count(&s->model, keep, s);
}

static void forget(solutions *s) {
    cns_model_deinit(&s->model);
    free(s->values);
}

static cns_solver *random_solver(cns_context *context, uint64_t seed, int kind) {
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    cns_solver *solver = solver_new(context, seed);
    solver_random_solver(&rng, kind, solver);
    return solver;
}

/* ---- contracts ------------------------------------------------------------------------------ */

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    cns_solver *s = NULL;
    cns_solver_config config = {.size = 3};
    ck_assert_int_eq(cns_solver_create(NULL, NULL, &s), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_create(context, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_create(context, &config, &s), CNS_E_INVALID);
    ck_assert_ptr_null(s);
    s = solver_new(context, 0);
    cns_var x = -77, b;
    const cns_var *core;
    size_t count;
    int64_t low, high;
    const int64_t crossed[] = {3, 4, 4, 9};
    ck_assert_int_eq(cns_solver_new_int(s, 2, 1, NULL, &x), CNS_E_RANGE);
    ck_assert_int_eq(cns_solver_new_int(s, 0, CNS_SOLVER_BOUND + 1, NULL, &x), CNS_E_RANGE);
    ck_assert_int_eq(cns_solver_new_int(s, 0, 1, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_new_int_ranges(s, NULL, 1, NULL, &x), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_new_int_ranges(s, crossed, 0, NULL, &x), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_new_int_ranges(s, crossed, 2, NULL, &x), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_new_int_ranges(s, crossed, 1, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_new_bool(s, "b", NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_constant(s, 1, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_constant(s, CNS_SOLVER_BOUND + 1, &x), CNS_E_RANGE);
    ck_assert_int_eq(x, -77);
    ck_assert_uint_eq(cns_solver_variable_count(s), 0);
    ck_assert_int_eq(cns_solver_new_int(s, 0, 5, "x", &x), CNS_OK);
    ck_assert_int_eq(cns_solver_new_bool(s, NULL, &b), CNS_OK);
    ck_assert_int_eq(cns_solver_bounds(s, 9, &low, &high), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_bounds(s, ~x, &low, &high), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_bounds(s, x, &low, NULL), CNS_OK);
    ck_assert_int_eq(low, 0);
    ck_assert_int_eq(cns_solver_mark_output(s, 9), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_add(s, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_add(s, &(cns_constraint){.size = 4}), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_set_goal(s, CNS_MINIMIZE, 9), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_set_goal(s, (cns_goal)7, x), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_add_search(s, NULL, 1, 0, 0), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_add_search(s, &x, 1, (cns_choose_var)99, 0), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_hint(s, 9, 0), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_hint(s, x, INT64_MAX), CNS_E_RANGE);
    ck_assert_int_eq(cns_solver_assume(s, NULL, 1), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_assume(s, &x, 1), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_step(s, 0, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_value(s, x, &low), CNS_E_NOTFOUND);
    ck_assert_int_eq(cns_solver_core(s, 1, NULL, &count), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_core(s, 1, &core, &count), CNS_E_NOTFOUND);
    ck_assert_int_eq(cns_solver_check_values(s, NULL, 2), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_check_values(s, crossed, 1), CNS_E_INVALID);
    cns_solve_options options = {.size = 1};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_E_INVALID);
    options = (cns_solve_options){.size = sizeof options, .restart = (cns_restart_policy)17};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_E_INVALID);
    options = (cns_solve_options){.size = sizeof options, .strategy = (cns_strategy)-1};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_E_INVALID);
    options = (cns_solve_options){.size = sizeof options, .restart_base = -1};
    ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_E_RANGE);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION); /* all of it left no trace */
    ck_assert_int_eq(cns_solver_value(s, 9, &low), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_value(s, x, NULL), CNS_E_INVALID);
    ck_assert_int_eq(value(s, b) + value(s, ~b), 1);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

START_TEST(no_solver_is_no_crash) {
    cns_outcome outcome;
    cns_solver_stats stats;
    cns_solver_destroy(NULL);
    cns_solver_cancel(NULL);
    cns_solver_get_stats(NULL, &stats);
    cns_solver_set_memory_limit(NULL, 1);
    ck_assert_uint_eq(cns_solver_variable_count(NULL), 0);
    ck_assert_uint_eq(cns_solver_constraint_count(NULL), 0);
    ck_assert_ptr_null(cns_solver_variable_name(NULL, 0));
    ck_assert_int_eq(cns_solver_step(NULL, 0, &outcome), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_run(NULL, NULL, &outcome), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_restart(NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_check(NULL), CNS_E_INVALID);
    ck_assert_str_eq(cns_constraint_kind_name((cns_constraint_kind)-3), "unknown");
    ck_assert_str_eq(cns_constraint_kind_name(CNS_LINEAR_LE), "linear_le");
}
END_TEST

START_TEST(variables_are_as_declared) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 0);
    cns_var x, y, c, d;
    int64_t low, high;
    char name[] = "first";
    const int64_t ranges[] = {-4, -2, 7, 9};
    ck_assert_int_eq(cns_solver_new_int(s, -CNS_SOLVER_BOUND, CNS_SOLVER_BOUND, name, &x), CNS_OK);
    name[0] = '?';
    ck_assert_str_eq(cns_solver_variable_name(s, x), "first");
    ck_assert_int_eq(cns_solver_new_int_ranges(s, ranges, 2, NULL, &y), CNS_OK);
    ck_assert_str_eq(cns_solver_variable_name(s, y), "");
    ck_assert_ptr_null(cns_solver_variable_name(s, 2));
    ck_assert_ptr_null(cns_solver_variable_name(s, -1));
    ck_assert_int_eq(cns_solver_bounds(s, y, &low, &high), CNS_OK);
    ck_assert_int_eq(low, -4);
    ck_assert_int_eq(high, 9);
    ck_assert_int_eq(cns_solver_constant(s, 12, &c), CNS_OK);
    ck_assert_int_eq(cns_solver_constant(s, 12, &d), CNS_OK);
    ck_assert_int_eq(c, d);
    ck_assert_uint_eq(cns_solver_variable_count(s), 3);
    int64_t values[] = {0, 8, 12};
    ck_assert_int_eq(cns_solver_check_values(s, values, 3), CNS_OK);
    values[1] = 0;
    ck_assert_int_eq(cns_solver_check_values(s, values, 3), CNS_E_CORRUPT);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* ---- enumeration, pauses, seeds ------------------------------------------------------------- */

/* Finds every solution once; `ticks` a step. Gives the sum of what the statistics say. */
static uint64_t find_all(cns_context *context, uint64_t seed, uint64_t ticks, int64_t *trace,
                         uint32_t capacity) {
    solutions all;
    enumerate(&all, context, seed, (int)(seed % CNS_CONSTRAINT_KINDS));
    cns_solver *solver = random_solver(context, seed, (int)(seed % CNS_CONSTRAINT_KINDS));
    const cns_solve_options options = free_search(true);
    ck_assert_int_eq(cns_solver_set_options(solver, &options), CNS_OK);
    uint32_t width = all.model.variable_count;
    bool *found = calloc(all.count + 1, 1);
    uint32_t count = 0;
    while (solver_step(context, solver, ticks) == CNS_SOLUTION) {
        uint32_t k = 0, v = 0;
        for (; k < all.count; k++) { /* which one, as far as the outputs say */
            for (v = 0; v < width; v++) {
                bool counts = !all.model.any_output || all.model.variables[v].output;
                if (counts && all.values[(size_t)k * width + v] != value(solver, (cns_var)v)) {
                    break;
                }
            }
            if (v == width) {
                break;
            }
        }
        ck_assert_msg(k < all.count, "seed %llu: no solution", (unsigned long long)seed);
        ck_assert_msg(!found[k], "seed %llu: a solution twice", (unsigned long long)seed);
        found[k] = true;
        if (count < capacity) {
            trace[count] = k;
        }
        count++;
    }
    ck_assert_msg(count == all.count, "seed %llu: %u solutions of %u", (unsigned long long)seed,
                  count, all.count);
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_eq(stats.solutions, count);
    ck_assert_uint_eq(stats.proved, 1);
    ck_assert_uint_eq(stats.has_solution, count > 0);
    ck_assert_uint_le(stats.learnt_now, stats.learnt);
    ck_assert_uint_le(stats.learnt, stats.failures);
    ck_assert_uint_ge(stats.literals, stats.bool_vars);
    ck_assert_uint_le(stats.peak_depth, stats.nodes);
    ck_assert_uint_gt(stats.memory_peak, 1000);
    ck_assert_int_eq(solver_step(context, solver, 0), CNS_COMPLETE);
    ck_assert_int_eq(cns_solver_check(solver), CNS_OK);
    uint64_t work =
        stats.nodes * 3 + stats.failures * 5 + stats.propagations * 7 + stats.learnt * 9;
    free(found);
    cns_solver_destroy(solver);
    forget(&all);
    return work + stats.restarts;
}

START_TEST(pauses_and_runs_change_nothing) {
    enum { TRACE = 400 };
    static int64_t once[TRACE], again[TRACE], paused[TRACE];
    for (uint64_t seed = 0; seed < 240; seed++) {
        cns_context *context = support_context();
        uint64_t work = find_all(context, seed, 0, once, TRACE);
        ck_assert_uint_eq(find_all(context, seed, 0, again, TRACE), work);
        ck_assert_mem_eq(once, again, sizeof once);
        find_all(context, seed, 1 + seed % 37, paused, TRACE);
        support_context_destroy(context);
    }
}
END_TEST

START_TEST(uniqueness_shows) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 0);
    const cns_solve_options options = free_search(true);
    cns_var x, y;
    cns_solver_new_int(s, 0, 9, NULL, &x);
    cns_solver_new_int(s, 0, 9, NULL, &y);
    const cns_var both[] = {x, y};
    const int64_t a[] = {1, 1}, c[] = {17};
    const cns_constraint sum = {
        .size = sizeof sum, .kind = CNS_LINEAR_EQ, INTS(0, a), INTS(1, c), VARS(0, both)};
    const int64_t d[] = {1, -1}, e[] = {-1};
    const cns_constraint less = {
        .size = sizeof less, .kind = CNS_LINEAR_LE, INTS(0, d), INTS(1, e), VARS(0, both)};
    cns_solver_set_options(s, &options);
    ck_assert_int_eq(cns_solver_add(s, &sum), CNS_OK);
    for (int k = 0; k < 2; k++) {
        ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    }
    ck_assert_int_eq(solver_step(context, s, 0), CNS_COMPLETE);
    ck_assert_int_eq(cns_solver_add(s, &less), CNS_OK); /* a new problem: x = 8, y = 9 alone */
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    ck_assert_int_eq(value(s, x), 8);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_COMPLETE);
    ck_assert_int_eq(cns_solver_restart(s), CNS_OK);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_COMPLETE);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* ---- goals ---------------------------------------------------------------------------------- */

/* The best value of sign * x[v], by the list of solutions. */
static bool best_of(const solutions *all, uint32_t v, bool maximise, int64_t *best) {
    for (uint32_t k = 0; k < all->count; k++) {
        int64_t x = all->values[(size_t)k * all->model.variable_count + v];
        if (k == 0 || (maximise ? x > *best : x < *best)) {
            *best = x;
        }
    }
    return all->count > 0;
}

/* One random model with a goal on variable v, perhaps through an alias y = +-v + c. */
static void optimise(uint64_t seed) {
    cns_context *context = support_context();
    solutions all;
    int kind = (int)(seed % CNS_CONSTRAINT_KINDS);
    enumerate(&all, context, seed, kind);
    cns_solver *s = random_solver(context, seed, kind);
    uint32_t v = (uint32_t)(seed % all.model.variable_count);
    bool maximise = seed & 1, aliased = seed & 2, negated = seed & 4;
    int64_t offset = (int64_t)(seed % 19) - 9, best = 0;
    cns_var goal = (cns_var)v;
    if (all.model.any_output || all.model.variable_count == 0) {
        goto done; /* brute force keeps one solution of each output alone */
    }
    if (aliased) { /* goal + (negated ? v : -v) = offset */
        cns_solver_new_int(s, -200, 200, NULL, &goal);
        const cns_var both[] = {goal, (cns_var)v};
        const int64_t a[] = {1, negated ? 1 : -1}, c[] = {offset};
        const cns_constraint alias = {
            .size = sizeof alias, .kind = CNS_LINEAR_EQ, INTS(0, a), INTS(1, c), VARS(0, both)};
        support_status(context, CNS_OK, cns_solver_add(s, &alias));
    }
    bool feasible = best_of(&all, v, aliased && negated ? !maximise : maximise, &best);
    best = !aliased ? best : negated ? offset - best : offset + best;
    cns_goal direction = maximise ? CNS_MAXIMIZE : CNS_MINIMIZE;
    support_status(context, CNS_OK, cns_solver_set_goal(s, direction, goal));
    const cns_solve_options options = free_search(false);
    cns_solver_set_options(s, &options);
    cns_solver_stats stats;
    cns_outcome outcome = CNS_RUNNING;
    int64_t last = 0;
    do {
        cns_solver_get_stats(s, &stats);
        ck_assert_msg(!feasible || (maximise ? stats.bound >= best : stats.bound <= best),
                      "seed %llu: bound %lld, optimum %lld", (unsigned long long)seed,
                      (long long)stats.bound, (long long)best);
        support_status(context, CNS_OK, cns_solver_step(s, 1 + seed % 50, &outcome));
        if (outcome == CNS_SOLUTION) {
            ck_assert(!stats.has_solution ||
                      (maximise ? value(s, goal) > last : value(s, goal) < last));
            last = value(s, goal);
        }
    } while (outcome != CNS_COMPLETE);
    cns_solver_get_stats(s, &stats);
    ck_assert_uint_eq(stats.has_solution, feasible);
    ck_assert_uint_eq(stats.proved, 1);
    if (feasible) {
        ck_assert_msg(stats.objective == best && stats.bound == best && last == best,
                      "seed %llu: %lld, bound %lld, optimum %lld", (unsigned long long)seed,
                      (long long)stats.objective, (long long)stats.bound, (long long)best);
    }
done:
    cns_solver_destroy(s);
    forget(&all);
    support_context_destroy(context);
}

START_TEST(optima_and_bounds_are_right) {
    for (uint64_t seed = 0; seed < 2000; seed++) {
        optimise(seed);
    }
}
END_TEST

/* ---- assumptions ---------------------------------------------------------------------------- */

enum { LITERALS = 6, CLAUSES = 14 };

typedef struct formula {
    int lits[CLAUSES][3]; /* v, ~v */
} formula;

static bool holds(int literal, unsigned assignment) {
    return literal >= 0 ? assignment >> literal & 1 : !(assignment >> ~literal & 1);
}

static bool satisfiable(const formula *f, const cns_var *assumed, size_t count) {
    for (unsigned assignment = 0; assignment < 1u << LITERALS; assignment++) {
        bool good = true;
        for (size_t k = 0; k < count && good; k++) {
            good = holds(assumed[k], assignment);
        }
        for (int k = 0; k < CLAUSES && good; k++) {
            good = holds(f->lits[k][0], assignment) || holds(f->lits[k][1], assignment) ||
                   holds(f->lits[k][2], assignment);
        }
        if (good) {
            return true;
        }
    }
    return false;
}

static int random_literal(cns_rng *rng) {
    int v = (int)cns_rng_below(rng, LITERALS);
    return cns_rng_below(rng, 2) ? v : ~v;
}

/* Several rounds of assumptions on one solver. */
static uint32_t check_cores(uint64_t seed) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, seed);
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    formula f;
    uint32_t cores = 0;
    for (int v = 0; v < LITERALS; v++) {
        cns_var var;
        cns_solver_new_bool(s, NULL, &var);
        ck_assert_int_eq(var, v);
    }
    for (int k = 0; k < CLAUSES; k++) {
        cns_var lits[3];
        for (int i = 0; i < 3; i++) {
            lits[i] = f.lits[k][i] = random_literal(&rng);
        }
        const cns_constraint clause = {.size = sizeof clause, .kind = CNS_CLAUSE, VARS(0, lits)};
        support_status(context, CNS_OK, cns_solver_add(s, &clause));
    }
    for (int round = 0; round < 6; round++) {
        cns_var assumed[5];
        size_t given = cns_rng_below(&rng, 6), count;
        for (size_t k = 0; k < given; k++) {
            assumed[k] = random_literal(&rng);
        }
        const cns_var *core;
        support_status(context, CNS_OK, cns_solver_assume(s, assumed, given));
        bool expected = satisfiable(&f, assumed, given);
        ck_assert_int_eq(solver_step(context, s, 0), expected ? CNS_SOLUTION : CNS_COMPLETE);
        if (expected) {
            ck_assert_int_eq(cns_solver_core(s, 1, &core, &count), CNS_E_NOTFOUND);
            for (size_t k = 0; k < given; k++) {
                ck_assert_int_eq(value(s, assumed[k]), 1);
            }
            continue;
        }
        int minimise = (int)cns_rng_below(&rng, 3) > 0;
        support_status(context, CNS_OK, cns_solver_core(s, minimise, &core, &count));
        ck_assert(!satisfiable(&f, core, count));
        for (size_t k = 0; k < count; k++) {
            bool is_given = false;
            for (size_t i = 0; i < given; i++) {
                is_given |= assumed[i] == core[k];
            }
            ck_assert(is_given);
            cns_var rest[5];
            memcpy(rest, core, count * sizeof *rest);
            rest[k] = core[count - 1];
            ck_assert(!minimise || satisfiable(&f, rest, count - 1));
        }
        ck_assert_int_eq(solver_step(context, s, 0), CNS_COMPLETE);
        cores += count > 0;
    }
    cns_solver_destroy(s);
    support_context_destroy(context);
    return cores;
}

START_TEST(cores_are_cores) {
    uint32_t cores = 0;
    for (uint64_t seed = 0; seed < 1500; seed++) {
        cores += check_cores(seed);
    }
    ck_assert_uint_gt(cores, 1000);
}
END_TEST

START_TEST(infeasible_without_assumptions_is_an_empty_core) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 0);
    cns_var b;
    const cns_var *core;
    size_t count = 9;
    cns_solver_new_bool(s, NULL, &b);
    const cns_constraint nothing = {.size = sizeof nothing, .kind = CNS_CLAUSE};
    ck_assert_int_eq(cns_solver_assume(s, &b, 1), CNS_OK);
    ck_assert_int_eq(cns_solver_add(s, &nothing), CNS_OK);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_COMPLETE);
    support_status(context, CNS_OK, cns_solver_core(s, 1, &core, &count));
    ck_assert_uint_eq(count, 0);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* ---- changes between steps ------------------------------------------------------------------ */

/* n-queens that is built while it is solved: every solution is cut off by a constraint. */
START_TEST(a_model_may_grow_between_steps) {
    enum { N = 6 };
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 4);
    cns_var x[N];
    int found = 0;
    for (int k = 0; k < N; k++) {
        support_status(context, CNS_OK, cns_solver_new_int(s, 1, N, NULL, &x[k]));
        for (int j = 0; j < k; j++) {
            const cns_var pair[] = {x[k], x[j]};
            const int64_t a[] = {1, -1};
            for (int64_t d = -1; d <= 1; d++) {
                const int64_t c[] = {d * (k - j)};
                const cns_constraint apart = {.size = sizeof apart,
                                              .kind = CNS_LINEAR_NE,
                                              INTS(0, a),
                                              INTS(1, c),
                                              VARS(0, pair)};
                support_status(context, CNS_OK, cns_solver_add(s, &apart));
            }
        }
        ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    }
    do {
        cns_var differs[N];
        for (int k = 0; k < N; k++) {
            support_status(context, CNS_OK, cns_solver_new_bool(s, NULL, &differs[k]));
            const cns_var one[] = {x[k]};
            const int64_t a[] = {1}, c[] = {value(s, x[k])};
            const cns_constraint ne = {.size = sizeof ne,
                                       .kind = CNS_LINEAR_NE,
                                       .condition = CNS_IF_AND_ONLY,
                                       .literal = differs[k],
                                       INTS(0, a),
                                       INTS(1, c),
                                       VARS(0, one)};
            support_status(context, CNS_OK, cns_solver_add(s, &ne));
        }
        const cns_constraint cut = {.size = sizeof cut, .kind = CNS_CLAUSE, VARS(0, differs)};
        support_status(context, CNS_OK, cns_solver_add(s, &cut));
        found++;
    } while (solver_step(context, s, 7) == CNS_SOLUTION);
    ck_assert_int_eq(found, 4); /* known: six queens have four solutions */
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

START_TEST(options_may_change_at_a_solution) {
    for (uint64_t seed = 0; seed < 300; seed++) {
        cns_context *context = support_context();
        solutions all;
        enumerate(&all, context, seed, 0);
        cns_solver *s = random_solver(context, seed, 0);
        cns_solve_options options = free_search(true);
        uint32_t count = 0;
        cns_solver_set_options(s, &options);
        while (solver_step(context, s, 0) == CNS_SOLUTION) {
            count++;
            options.restart = (cns_restart_policy)(count % (CNS_RESTART_LBD + 1));
            options.strategy = (cns_strategy)(count % (CNS_STRATEGY_FREE + 1));
            ck_assert_int_eq(cns_solver_set_options(s, &options), CNS_OK);
        }
        ck_assert_uint_eq(count, all.count);
        cns_solver_destroy(s);
        forget(&all);
        support_context_destroy(context);
    }
}
END_TEST

/* ---- neighbourhoods ------------------------------------------------------------------------- */

enum { ATOM_COUNT = 14, BREAKABLE = 110 };

/* Random ternary clauses as pairs of masks: an assignment breaks one when it has all of `wrong` and
 * none of `right`. */
typedef struct masks {
    uint32_t right[BREAKABLE], wrong[BREAKABLE];
} masks;

static masks random_masks(uint64_t seed) {
    masks f = {{0}, {0}};
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    for (int k = 0; k < 3 * BREAKABLE; k++) {
        uint32_t bit = UINT32_C(1) << cns_rng_below(&rng, ATOM_COUNT);
        *(cns_rng_below(&rng, 2) != 0 ? &f.right[k / 3] : &f.wrong[k / 3]) |= bit;
    }
    return f;
}

static int64_t fewest_broken(const masks *f) {
    int64_t best = BREAKABLE;
    for (uint32_t a = 0; a < UINT32_C(1) << ATOM_COUNT; a++) {
        int64_t broken = 0;
        for (int k = 0; k < BREAKABLE; k++) {
            broken += (a & f->wrong[k]) == f->wrong[k] && (a & f->right[k]) == 0;
        }
        best = broken < best ? broken : best;
    }
    return best;
}

/* Minimises how many clauses are broken. */
static void add_masks(cns_context *context, cns_solver *s, const masks *f) {
    cns_var x[ATOM_COUNT];
    cns_var sum[BREAKABLE + 1];
    int64_t a[BREAKABLE + 1];
    const int64_t zero[] = {0};
    for (int v = 0; v < ATOM_COUNT; v++) {
        support_status(context, CNS_OK, cns_solver_new_bool(s, NULL, &x[v]));
    }
    for (int k = 0; k < BREAKABLE; k++) {
        cns_var lits[ATOM_COUNT + 1];
        size_t count = 0;
        for (int v = 0; v < ATOM_COUNT; v++) {
            uint32_t bit = UINT32_C(1) << v;
            if ((f->right[k] | f->wrong[k]) & bit) {
                lits[count++] = f->right[k] & bit ? x[v] : ~x[v];
            }
            if (f->right[k] & f->wrong[k] & bit) {
                lits[count++] = ~x[v];
            }
        }
        support_status(context, CNS_OK, cns_solver_new_bool(s, NULL, &sum[k]));
        a[k] = 1;
        lits[count++] = sum[k];
        const cns_constraint clause = {
            .size = sizeof clause, .kind = CNS_CLAUSE, .v = {lits}, .v_count = {count}};
        support_status(context, CNS_OK, cns_solver_add(s, &clause));
    }
    support_status(context, CNS_OK, cns_solver_new_int(s, 0, BREAKABLE, NULL, &sum[BREAKABLE]));
    a[BREAKABLE] = -1;
    const cns_constraint total = {
        .size = sizeof total, .kind = CNS_LINEAR_EQ, INTS(0, a), INTS(1, zero), VARS(0, sum)};
    support_status(context, CNS_OK, cns_solver_add(s, &total));
    cns_solver_set_goal(s, CNS_MINIMIZE, sum[BREAKABLE]);
}

/* With restarts at each conflict there are excursions; a model that grows meanwhile, steps that
 * pause within them and another strategy at their end must not be led astray. */
START_TEST(excursions_change_no_optimum) {
    uint32_t excursions = 0;
    for (uint64_t seed = 0; seed < 30; seed++) {
        cns_context *context = support_context();
        cns_solver *s = solver_new(context, seed);
        masks f = random_masks(seed);
        cns_solve_options options = free_search(false);
        options.restart = CNS_RESTART_CONSTANT;
        options.restart_scale = 1;
        cns_solver_set_options(s, &options);
        add_masks(context, s, &f);
        cns_outcome outcome = CNS_RUNNING;
        for (int steps = 0; outcome != CNS_COMPLETE; steps++) {
            support_status(context, CNS_OK, cns_solver_step(s, 500 + seed * 37 % 5000, &outcome));
            if (steps % 50 == 0) {
                ck_assert_int_eq(cns_solver_check(s), CNS_OK);
            }
            if (seed % 3 == 1 && steps == 40) {
                const cns_constraint nothing_new = {
                    .size = sizeof nothing_new, .kind = CNS_CLAUSE, VARS(0, ((cns_var[]){0, ~0}))};
                support_status(context, CNS_OK, cns_solver_add(s, &nothing_new));
            } else if (seed % 3 == 2 && steps % 10 == 9) {
                options.strategy = steps % 20 == 9 ? CNS_STRATEGY_FIXED : CNS_STRATEGY_FREE;
                cns_solver_set_options(s, &options);
            }
        }
        cns_solver_stats stats;
        cns_solver_get_stats(s, &stats);
        ck_assert_int_eq(stats.objective, fewest_broken(&f));
        excursions += s->excursions.home.conflicts > 0;
        cns_solver_destroy(s);
        support_context_destroy(context);
    }
    ck_assert_uint_gt(excursions, 15);
}
END_TEST

/* ---- runs ----------------------------------------------------------------------------------- */

typedef struct listener {
    uint32_t solutions, calls;
    uint32_t stop_at; /* the call that ends the run; 0: none */
} listener;

static int count_solution(void *user, cns_solver *solver) {
    listener *l = user;
    ck_assert_int_eq(cns_solver_value(solver, 0, &(int64_t){0}), CNS_OK);
    return ++l->solutions == l->stop_at;
}

static int count_progress(void *user, cns_solver *solver) {
    listener *l = user;
    cns_solver_stats stats;
    cns_solver_get_stats(solver, &stats);
    ck_assert_uint_ge(stats.solutions, l->calls);
    return ++l->calls == l->stop_at;
}

/* A run that its listener ends at each solution in turn sees what one without an end sees. */
START_TEST(a_run_tells_every_solution) {
    for (uint64_t seed = 0; seed < 100; seed++) {
        cns_context *context = support_context();
        solutions all;
        enumerate(&all, context, seed, 0);
        listener l = {0};
        const cns_solver_events events = {
            .size = sizeof events, .solution = count_solution, .user = &l};
        cns_solver *s = random_solver(context, seed, 0);
        const cns_solve_options options = free_search(true);
        cns_solver_set_options(s, &options);
        cns_outcome outcome = CNS_STOPPED;
        for (uint32_t runs = 0; outcome == CNS_STOPPED; runs++) {
            ck_assert_uint_eq(l.solutions, runs);
            l.stop_at = seed % 2 != 0 ? 0 : l.solutions + 1;
            support_status(context, CNS_OK, cns_solver_run(s, &events, &outcome));
        }
        ck_assert_int_eq(outcome, CNS_COMPLETE);
        ck_assert_uint_eq(l.solutions, all.count);
        support_status(context, CNS_OK, cns_solver_run(s, NULL, &outcome));
        ck_assert_int_eq(outcome, CNS_COMPLETE);
        cns_solver_destroy(s);
        forget(&all);
        support_context_destroy(context);
    }
}
END_TEST

START_TEST(a_run_tells_its_progress) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 1);
    listener l = {.stop_at = 3};
    const cns_solver_events events = {
        .size = sizeof events, .interval = 1, .progress = count_progress, .user = &l};
    for (int k = 0; k < 12; k++) {
        ck_assert_int_eq(cns_solver_new_int(s, 0, 9, NULL, &(cns_var){0}), CNS_OK);
    }
    const cns_solve_options options = free_search(true);
    cns_solver_set_options(s, &options);
    cns_outcome outcome;
    support_status(context, CNS_OK, cns_solver_run(s, &events, &outcome));
    ck_assert_int_eq(outcome, CNS_STOPPED);
    ck_assert_uint_eq(l.calls, 3);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION); /* it goes on from there */
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* A constraint of the listener's own: the sum of six digits shall be 40, which it says only when it
 * sees another sum. */
static int cut_off(void *user, cns_solver *solver) {
    int64_t sum = 0;
    cns_var x[6];
    for (cns_var k = 0; k < 6; k++) {
        x[k] = k;
        sum += value(solver, k);
    }
    if (sum == 40) {
        return *(int64_t *)user = sum, 1;
    }
    const int64_t a[] = {1, 1, 1, 1, 1, 1}, c[] = {40};
    const cns_constraint right = {
        .size = sizeof right, .kind = CNS_LINEAR_EQ, INTS(0, a), INTS(1, c), VARS(0, x)};
    return cns_solver_add(solver, &right);
}

START_TEST(a_listener_may_add_constraints) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 1);
    int64_t sum = 0;
    const cns_solver_events events = {.size = sizeof events, .solution = cut_off, .user = &sum};
    for (int k = 0; k < 6; k++) {
        ck_assert_int_eq(cns_solver_new_int(s, 0, 9, NULL, &(cns_var){0}), CNS_OK);
    }
    cns_outcome outcome;
    support_status(context, CNS_OK, cns_solver_run(s, &events, &outcome));
    ck_assert_int_eq(outcome, CNS_STOPPED);
    ck_assert_int_eq(sum, 40);
    const cns_solver_events unknown = {.size = 1};
    ck_assert_int_eq(cns_solver_run(s, &unknown, &outcome), CNS_E_INVALID);
    ck_assert_int_eq(cns_solver_run(s, &events, NULL), CNS_E_INVALID);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

START_TEST(hints_come_first) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 1);
    cns_var x[8];
    for (int k = 0; k < 8; k++) {
        cns_solver_new_int(s, 0, 9, NULL, &x[k]);
        ck_assert_int_eq(cns_solver_hint(s, x[k], 1), CNS_OK);
        ck_assert_int_eq(cns_solver_hint(s, x[k], (k * 7 + 2) % 10), CNS_OK);
    }
    const cns_constraint differ = {.size = sizeof differ, .kind = CNS_ALLDIFFERENT, VARS(0, x)};
    const cns_solve_options options = free_search(false);
    cns_solver_set_options(s, &options);
    ck_assert_int_eq(cns_solver_add(s, &differ), CNS_OK);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    for (int k = 0; k < 8; k++) {
        ck_assert_int_eq(value(s, x[k]), (k * 7 + 2) % 10);
    }
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

START_TEST(limits_stop_and_can_be_raised) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 1);
    enum { PIGEONS = 8 };
    cns_var x[PIGEONS], held; /* inequations on a condition are not seen as one alldifferent */
    cns_solver_new_bool(s, NULL, &held);
    const cns_constraint always = {
        .size = sizeof always, .kind = CNS_CLAUSE, .v = {&held}, .v_count = {1}};
    cns_solver_add(s, &always);
    for (int k = 0; k < PIGEONS; k++) {
        cns_solver_new_int(s, 1, PIGEONS - 1, NULL, &x[k]);
        for (int j = 0; j < k; j++) {
            const cns_var pair[] = {x[k], x[j]};
            const int64_t a[] = {1, -1}, c[] = {0};
            const cns_constraint ne = {.size = sizeof ne,
                                       .kind = CNS_LINEAR_NE,
                                       .condition = CNS_IF,
                                       .literal = held,
                                       INTS(0, a),
                                       INTS(1, c),
                                       VARS(0, pair)};
            cns_solver_add(s, &ne);
        }
    }
    cns_solve_options options = free_search(false);
    cns_solver_stats stats;
    cns_outcome outcome;
    for (options.conflict_limit = 20;; options.conflict_limit += 20) {
        cns_solver_set_options(s, &options);
        outcome = solver_step(context, s, 0);
        cns_solver_get_stats(s, &stats);
        if (outcome != CNS_STOPPED) {
            break;
        }
        ck_assert_uint_ge(stats.failures, options.conflict_limit);
        ck_assert_int_eq(solver_step(context, s, 0), CNS_STOPPED);
    }
    ck_assert_int_eq(outcome, CNS_COMPLETE);
    ck_assert_uint_gt(stats.failures, 40);
    ck_assert_uint_gt(stats.search_time, 0);
    cns_solver_cancel(s);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_COMPLETE);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

START_TEST(a_cancellation_is_taken_back_by_restart) {
    cns_context *context = support_context();
    cns_solver *s = solver_new(context, 0);
    cns_var x;
    ck_assert_int_eq(cns_solver_new_int(s, 3, 9, NULL, &x), CNS_OK);
    cns_solver_cancel(s);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_STOPPED); /* before anything is loaded */
    ck_assert_int_eq(solver_step(context, s, 0), CNS_STOPPED);
    ck_assert_int_eq(cns_solver_restart(s), CNS_OK);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    cns_solver_cancel(s);
    ck_assert_int_eq(cns_solver_restart(s), CNS_OK);
    ck_assert_int_eq(cns_solver_value(s, x, &(int64_t){0}), CNS_E_NOTFOUND);
    ck_assert_int_eq(solver_step(context, s, 0), CNS_SOLUTION);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver");
    TCase *cases = tcase_create("interface");
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, no_solver_is_no_crash);
    tcase_add_test(cases, variables_are_as_declared);
    tcase_add_test(cases, pauses_and_runs_change_nothing);
    tcase_add_test(cases, uniqueness_shows);
    tcase_add_test(cases, optima_and_bounds_are_right);
    tcase_add_test(cases, cores_are_cores);
    tcase_add_test(cases, infeasible_without_assumptions_is_an_empty_core);
    tcase_add_test(cases, a_model_may_grow_between_steps);
    tcase_add_test(cases, options_may_change_at_a_solution);
    tcase_add_test(cases, hints_come_first);
    tcase_add_test(cases, excursions_change_no_optimum);
    tcase_add_test(cases, a_run_tells_every_solution);
    tcase_add_test(cases, a_run_tells_its_progress);
    tcase_add_test(cases, a_listener_may_add_constraints);
    tcase_add_test(cases, a_cancellation_is_taken_back_by_restart);
    tcase_add_test(cases, limits_stop_and_can_be_raised);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
