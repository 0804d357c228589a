/* SPDX-License-Identifier: MIT
 *
 * test_solver_simplify.c - what is fixed at the root leaves the clauses: on random small formulas,
 * where all assignments tell whether the models are those of before.
 */
#include <string.h>

#include "solver/state.h"
#include "support.h"

enum { VARIABLES = 10, CLAUSES = 26, LEARNT = 40, ASSIGNMENTS = 1 << VARIABLES };

typedef struct formula {
    cns_context *context;
    cns_state state;
    cns_rng rng;
    bool models[ASSIGNMENTS];
} formula;

static bool holds(uint32_t assignment, cns_lit lit) {
    return (lit >> 1 == 0 ? 1u : assignment >> ((lit >> 1) - 1) & 1) != (lit & 1);
}

static bool satisfies(uint32_t assignment, const cns_lit *lits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (holds(assignment, lits[i])) {
            return true;
        }
    }
    return false;
}

/* `flags`: only clauses that have one of these count; UINT32_MAX: all. */
static bool satisfies_all(const cns_state *s, uint32_t assignment, const cns_clause_ref *refs,
                          uint32_t count, uint32_t flags) {
    for (uint32_t k = 0; k < count; k++) {
        const cns_clause *c = cns_clause_at(s, refs[k]);
        if ((flags == UINT32_MAX || (c->flags & flags) != 0) &&
            !satisfies(assignment, c->lits, c->size)) {
            return false;
        }
    }
    return true;
}

/* Whether the assignment agrees with the clauses of the state, and with what is fixed; of the
 * learnt clauses with those that have one of the flags. */
static bool is_model(const cns_state *s, uint32_t assignment, uint32_t flags) {
    if (s->failed) {
        return false;
    }
    for (uint32_t n = 1; n <= VARIABLES; n++) {
        if (s->value[2 * n] != 0 && holds(assignment, 2 * n) != (s->value[2 * n] > 0)) {
            return false;
        }
    }
    return satisfies_all(s, assignment, s->originals, s->original_count, UINT32_MAX) &&
           satisfies_all(s, assignment, s->learnts, s->learnt_count, flags);
}

/* `count` random literals of different variables. */
static void random_lits(formula *f, cns_lit *lits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        bool again;
        do {
            lits[i] = 2 * (1 + (uint32_t)cns_rng_below(&f->rng, VARIABLES)) +
                      (uint32_t)cns_rng_below(&f->rng, 2);
            again = false;
            for (uint32_t k = 0; k < i; k++) {
                again = again || lits[k] >> 1 == lits[i] >> 1;
            }
        } while (again);
    }
}

static void make(formula *f, uint64_t seed) {
    f->context = support_context();
    cns_rng_seed(&f->rng, seed);
    ck_assert_int_eq(cns_state_init(&f->state, f->context, seed), CNS_OK);
    f->state.ticks_end = UINT64_MAX;
    for (uint32_t n = 0; n < VARIABLES; n++) {
        ck_assert_uint_eq(cns_new_bool(&f->state), 2 * (n + 1));
    }
    memset(f->models, 1, sizeof f->models);
    for (uint32_t k = 0; k < CLAUSES; k++) {
        cns_lit lits[4];
        uint32_t count = 2 + (uint32_t)cns_rng_below(&f->rng, 3);
        random_lits(f, lits, count);
        for (uint32_t a = 0; a < ASSIGNMENTS; a++) {
            f->models[a] = f->models[a] && satisfies(a, lits, count);
        }
        cns_add_clause(&f->state, lits, count);
    }
}

/* Learns random clauses of up to seven literals that all models satisfy. */
static void learn(formula *f) {
    for (uint32_t k = 0; k < LEARNT && !f->state.failed; k++) {
        cns_lit lits[7];
        uint32_t count = 3 + (uint32_t)cns_rng_below(&f->rng, 5);
        random_lits(f, lits, count);
        bool follows = true;
        for (uint32_t a = 0; a < ASSIGNMENTS && follows; a++) {
            follows = !f->models[a] || satisfies(a, lits, count);
        }
        if (follows) {
            cns_add_learnt_clause(&f->state, lits, count, 2);
        }
    }
}

static uint32_t count_binary(const cns_state *s) {
    uint32_t count = 0;
    for (uint32_t k = 0; k < s->original_count; k++) {
        count += cns_clause_at(s, s->originals[k])->size == 2;
    }
    return count;
}

static void release(formula *f) {
    cns_state_deinit(&f->state);
    support_context_destroy(f->context);
}

static bool has(const cns_clause *c, cns_lit lit) {
    for (uint32_t i = 0; i < c->size; i++) {
        if (c->lits[i] == lit) {
            return true;
        }
    }
    return false;
}

/* Every clause is watched by its first two literals, and nothing else is watched; a blocker is one
 * of its literals. */
static void check_watches(const cns_state *s) {
    uint32_t watches = 0;
    for (cns_lit lit = 0; lit < 2 * s->bool_count; lit++) {
        watches += s->watches[lit].count;
        for (uint32_t i = 0; i < s->watches[lit].count; i++) {
            uint32_t word = s->watches[lit].data[i].clause;
            const cns_clause *c = cns_clause_at(s, word & ~CNS_WATCH_BINARY);
            ck_assert((c->lits[0] ^ 1) == lit || (c->lits[1] ^ 1) == lit);
            ck_assert_int_eq((word & CNS_WATCH_BINARY) != 0, c->size == 2);
            ck_assert(has(c, s->watches[lit].data[i].blocker));
        }
    }
    ck_assert_uint_eq(watches, 2 * (s->original_count + s->learnt_count));
}

static void check(const formula *f, uint32_t flags) {
    for (uint32_t a = 0; a < ASSIGNMENTS; a++) {
        ck_assert_msg(is_model(&f->state, a, flags) == f->models[a], "assignment %u", a);
    }
    if (!f->state.failed) {
        check_watches(&f->state);
    }
}

/* Of what is left nothing is decided, and garbage is gone. */
static void check_open(const cns_state *s, const cns_clause_ref *refs, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        const cns_clause *c = cns_clause_at(s, refs[k]);
        ck_assert_uint_ge(c->size, 2);
        ck_assert_uint_eq(c->flags & CNS_CLAUSE_GARBAGE, 0);
        for (uint32_t i = 0; i < c->size; i++) {
            ck_assert_int_eq(s->value[c->lits[i]], 0);
        }
    }
}

/* Fixes a random literal, propagates and simplifies; the models are those in which it holds. */
static void fix_one(formula *f) {
    cns_state *s = &f->state;
    cns_lit lit;
    random_lits(f, &lit, 1);
    for (uint32_t a = 0; a < ASSIGNMENTS; a++) {
        f->models[a] = f->models[a] && holds(a, lit);
    }
    if (!cns_add_clause(s, &lit, 1) || cns_propagate(s) != CNS_FIXPOINT) {
        ck_assert(s->failed);
        return;
    }
    ck_assert(cns_simplify_clauses(s));
    check_open(s, s->originals, s->original_count);
    check_open(s, s->learnts, s->learnt_count);
}

/* After each step both all clauses and the model's own have the right models. */
START_TEST(test_models_stay) {
    uint32_t binary = 0; /* longer clauses that came down to two literals */
    uint32_t gone = 0;
    for (uint64_t seed = 0; seed < 200; seed++) {
        formula f;
        make(&f, seed);
        learn(&f);
        check(&f, CNS_CLAUSE_LEARNT);
        for (int step = 0; step < 4 && !f.state.failed; step++) {
            uint32_t clauses = f.state.original_count + f.state.learnt_count;
            uint32_t before = count_binary(&f.state);
            fix_one(&f);
            check(&f, CNS_CLAUSE_LEARNT);
            check(&f, 0);
            binary += !f.state.failed && count_binary(&f.state) > before;
            gone += clauses - f.state.original_count - f.state.learnt_count;
        }
        release(&f);
    }
    ck_assert_uint_gt(binary, 20);
    ck_assert_uint_gt(gone, 200);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver simplify");
    TCase *cases = tcase_create("formulas");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, test_models_stay);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
