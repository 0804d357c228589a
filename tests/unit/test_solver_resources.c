/* SPDX-License-Identifier: MIT
 *
 * test_solver_resources.c - resource constraints against brute force over small random instances.
 *
 * Of each instance all solutions are known. Random decisions may never lose one of them, a full
 * assignment that is none may never stand, and each explanation must follow from the constraint:
 * no solution satisfies the facts and not what they are said to imply. Search finds exactly them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/globals/disjunctive.h"
#include "solver/globals/orders.h"
#include "solver/search.h"
#include "solver/trail.h"
#include "support.h"

#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("seed %llu: not so: %s", (unsigned long long)seed_now, #condition);       \
        }                                                                                          \
    } while (0)

enum { MAX_INTS = 10, MAX_BOOLS = 4, MAX_TASKS = 6, ORIGIN = 7 };

static uint64_t seed_now;

/* ---- instances ------------------------------------------------------------------------------ */

typedef struct instance {
    cns_rng rng;
    cns_state *state;
    uint32_t ints, bools, tasks;
    int64_t ranges[MAX_INTS][4];
    uint32_t range_count[MAX_INTS];
    cns_term terms[MAX_INTS];
    cns_lit lits[MAX_BOOLS];
    cns_term bool_terms[MAX_BOOLS]; /* integers that search_all makes of them; 0: none yet */
    cns_view a[MAX_TASKS], b[MAX_TASKS], c[MAX_TASKS], d[MAX_TASKS];
    cns_view y, z;
    cns_lit presence[MAX_TASKS];
    int64_t weights[MAX_TASKS], profits[MAX_TASKS];
    bool optional, strict;
    bool opaque; /* literals of the constraint's own say more than what hangs on them */
    uint32_t literal_limit;
    bool (*holds)(const struct instance *in, const int64_t *values);

    int64_t (*solutions)[MAX_INTS + MAX_BOOLS];
    size_t solution_count, solution_capacity;
    uint64_t inferences, skipped;
    cns_facts decisions;
    uint32_t decision_level[256];
    bool allow_holes;
} instance;

static int64_t pick(instance *in, int64_t low, int64_t high) {
    return low + (int64_t)cns_rng_below(&in->rng, (uint64_t)(high - low + 1));
}

static bool chance(instance *in, int percent) {
    return pick(in, 0, 99) < percent;
}

static cns_view new_int(instance *in, int64_t low, int64_t high) {
    if (in->ints == MAX_INTS) {
        return cns_view_constant(pick(in, low, high));
    }
    uint32_t k = in->ints++;
    int64_t *r = in->ranges[k];
    r[0] = low;
    r[1] = high;
    in->range_count[k] = 1;
    if (in->allow_holes && high - low >= 3 && chance(in, 25)) {
        r[1] = pick(in, low, high - 2);
        r[2] = pick(in, r[1] + 2, high);
        r[3] = high;
        in->range_count[k] = 2;
    }
    support_status(in->state->context, CNS_OK,
                   cns_new_int(in->state, r, in->range_count[k], &in->terms[k]));
    return (cns_view){in->terms[k], 0};
}

/* A view of values within low..high or about that: a new integer, negated or shifted, an old one
 * (never below `least`), or a constant. */
static cns_view new_view(instance *in, int64_t low, int64_t high, bool natural) {
    if (chance(in, 20) || low == high) {
        return cns_view_constant(pick(in, low, high));
    }
    if (!natural && in->ints > 0 && chance(in, 15)) {
        cns_view v = {in->terms[pick(in, 0, in->ints - 1)], 0};
        return chance(in, 30) ? (cns_view){v.term ^ 1, low + high} : v;
    }
    int64_t offset = chance(in, 30) ? pick(in, -3, 3) : 0;
    if (chance(in, 25)) {
        cns_view v = new_int(in, -high + offset, -low + offset);
        return v.term == CNS_TERM_ZERO ? cns_view_constant(-v.offset + offset)
                                       : (cns_view){v.term ^ 1, offset};
    }
    cns_view v = new_int(in, low - offset, high - offset);
    v.offset += offset;
    return v;
}

static cns_lit new_bool(instance *in) {
    if (in->bools == MAX_BOOLS || chance(in, 15)) {
        return chance(in, 80) ? CNS_LIT_TRUE : CNS_LIT_FALSE;
    }
    if (in->bools > 0 && chance(in, 15)) {
        return in->lits[pick(in, 0, in->bools - 1)] ^ (cns_lit)pick(in, 0, 1);
    }
    in->lits[in->bools] = cns_new_bool(in->state);
    return in->lits[in->bools++];
}

static int64_t term_value(const instance *in, const int64_t *values, cns_term t) {
    for (uint32_t k = 0; k < in->ints; k++) {
        if (t >> 1 == in->terms[k] >> 1) {
            return t & 1 ? -values[k] : values[k];
        }
    }
    for (uint32_t k = 0; k < in->bools && t != CNS_TERM_ZERO; k++) {
        if (t >> 1 == in->bool_terms[k] >> 1) {
            return t & 1 ? -values[in->ints + k] : values[in->ints + k];
        }
    }
    expect(t >> 1 == 0);
    return 0;
}

static int64_t value_of(const instance *in, const int64_t *values, cns_view v) {
    return term_value(in, values, v.term) + v.offset;
}

/* 1, 0, or -1: not an argument. */
static int literal_value(const instance *in, const int64_t *values, cns_lit lit) {
    if (lit >> 1 == 0) {
        return lit == CNS_LIT_TRUE;
    }
    for (uint32_t k = 0; k < in->bools; k++) {
        if (lit >> 1 == in->lits[k] >> 1) {
            return (values[in->ints + k] != 0) == (lit == in->lits[k]);
        }
    }
    const cns_state *s = in->state;
    if (s->kind[lit >> 1] != CNS_BOOL_PLAIN) {
        const cns_atom *atom = &s->atoms[lit >> 1];
        int64_t x = term_value(in, values, 2 * atom->integer);
        bool truth = s->kind[lit >> 1] == CNS_BOOL_GE ? x >= atom->value : x == atom->value;
        return truth == ((lit & 1) == 0);
    }
    return -1;
}

static void add_solution(instance *in, const int64_t *values) {
    if (in->solution_count == in->solution_capacity) {
        in->solution_capacity = in->solution_capacity ? 2 * in->solution_capacity : 64;
        in->solutions = realloc(in->solutions, in->solution_capacity * sizeof *in->solutions);
        ck_assert_ptr_nonnull(in->solutions);
    }
    memcpy(in->solutions[in->solution_count++], values, sizeof *in->solutions);
}

static void enumerate(instance *in, uint32_t k, int64_t *values) {
    if (k == in->ints + in->bools) {
        if (in->holds(in, values)) {
            add_solution(in, values);
        }
        return;
    }
    if (k >= in->ints) {
        for (values[k] = 0; values[k] <= 1; values[k]++) {
            enumerate(in, k + 1, values);
        }
        return;
    }
    for (uint32_t r = 0; r < in->range_count[k]; r++) {
        int64_t high = in->ranges[k][2 * r + 1];
        for (values[k] = in->ranges[k][2 * r]; values[k] <= high; values[k]++) {
            enumerate(in, k + 1, values);
        }
    }
}

static double space_of(const instance *in) {
    double space = 1;
    for (uint32_t k = 0; k < in->ints; k++) {
        int64_t size = 0;
        for (uint32_t r = 0; r < in->range_count[k]; r++) {
            size += in->ranges[k][2 * r + 1] - in->ranges[k][2 * r] + 1;
        }
        space *= (double)size;
    }
    return space * (double)(1 << in->bools);
}

/* ---- what facts mean ------------------------------------------------------------------------ */

/* What holds of the solution when the literal is true: 1, 0; -1: unknown. A literal of the
 * constraint's own may be true when all precedences that hang on it hold. */
static int can_be_true(const instance *in, const int64_t *values, cns_lit lit) {
    int value = literal_value(in, values, lit);
    if (value >= 0) {
        return value;
    }
    bool found = false;
    for (uint32_t k = 0; k < in->state->propagator_count; k++) {
        uint32_t count = 0;
        const cns_order *orders = cns_orders_of(in->state->propagators[k], &count);
        for (uint32_t j = 0; orders != NULL && j < count; j++) {
            const cns_order *o = &orders[j];
            if (o->literal != lit) {
                continue;
            }
            found = true;
            if (value_of(in, values, o->x) + value_of(in, values, o->d) >
                value_of(in, values, o->y)) {
                return 0;
            }
        }
    }
    return found ? 1 : -1;
}

static int fact_holds(const instance *in, const int64_t *values, cns_fact fact) {
    if (fact.is_bound) {
        return term_value(in, values, fact.id) >= fact.value;
    }
    return can_be_true(in, values, fact.id);
}

static cns_fact opposite(cns_fact fact) {
    return fact.is_bound ? cns_fact_le(fact.id, fact.value - 1) : cns_fact_lit(fact.id ^ 1);
}

static void show(const cns_state *s, const cns_facts *facts, const cns_fact *fact) {
    for (uint32_t i = 0; i < facts->count; i++) {
        cns_fact f = facts->data[i];
        fprintf(stderr, f.is_bound ? " t%u>=%lld" : " l%u", f.id, (long long)f.value);
    }
    if (fact != NULL) {
        fprintf(stderr, fact->is_bound ? " => t%u>=%lld" : " => l%u", fact->id,
                (long long)fact->value);
    }
    fprintf(stderr, " (level %u)\n", s->level);
}

/* No solution has all facts, and not what they imply. */
static bool follows(instance *in, const cns_facts *facts, const cns_fact *fact) {
    for (size_t k = 0; k < in->solution_count; k++) {
        const int64_t *values = in->solutions[k];
        bool all = true;
        for (uint32_t i = 0; all && i < facts->count; i++) {
            int holds = fact_holds(in, values, facts->data[i]);
            if (holds < 0) {
                in->skipped++;
                return true;
            }
            all = holds > 0;
        }
        if (all && fact != NULL) {
            int holds = fact_holds(in, values, opposite(*fact));
            if (holds < 0) {
                in->skipped++;
                return true;
            }
            all = holds > 0;
        }
        if (all) {
            return false;
        }
    }
    in->inferences++;
    return true;
}

static void on_inference(void *user, cns_state *state, uint32_t origin, const cns_facts *facts,
                         const cns_fact *fact) {
    instance *in = user;
    if (origin != ORIGIN) {
        return;
    }
    for (uint32_t i = 0; i < facts->count; i++) {
        cns_fact f = facts->data[i];
        expect(f.is_bound ? cns_low(state, f.id) >= f.value : cns_is_true(state, f.id));
    }
    if (!follows(in, facts, fact)) {
        show(state, facts, fact);
        expect(!"an explanation that does not follow");
    }
}

/* Explains an entry again, and weaker facts than what it set. */
static void check_entry(instance *in, uint32_t position, cns_fact fact) {
    cns_state *s = in->state;
    cns_facts facts = {NULL, 0, 0};
    expect(cns_explain(s, s->trail[position].reason, fact, position, &facts));
    for (uint32_t i = 0; i < facts.count; i++) {
        cns_fact f = facts.data[i];
        bool before = f.is_bound ? cns_low_before(s, f.id, position) >= f.value
                                 : cns_true_before(s, f.id, position);
        if (!before) {
            show(s, &facts, &fact);
        }
        expect(before);
    }
    if (!follows(in, &facts, &fact)) {
        show(s, &facts, &fact);
        expect(!"an explanation of the trail does not follow");
    }
    cns_context_free(s->context, facts.data, facts.capacity * sizeof *facts.data,
                     CNS_ALIGN_DEFAULT);
}

static void check_trail(instance *in) {
    cns_state *s = in->state;
    for (uint32_t p = 1; p < s->trail_count; p++) {
        cns_reason reason = s->trail[p].reason;
        if (cns_reason_tag(reason) != CNS_REASON_LAZY || cns_reason_origin(s, reason) != ORIGIN) {
            continue;
        }
        uint32_t what = s->trail[p].what;
        if (!(what & CNS_WHAT_BOUND)) {
            check_entry(in, p, cns_fact_lit(what));
            continue;
        }
        const cns_move *move = &s->moves[what & ~CNS_WHAT_BOUND];
        for (int64_t v = move->old + 1; v <= move->bound; v++) {
            check_entry(in, p, cns_fact_ge(move->term, v));
        }
    }
}

/* ---- random walks --------------------------------------------------------------------------- */

static bool agrees(const instance *in, const int64_t *values) {
    for (uint32_t i = 0; i < in->decisions.count; i++) {
        if (fact_holds(in, values, in->decisions.data[i]) != 1) {
            return false;
        }
    }
    return true;
}

static bool inside(const instance *in, const int64_t *values) {
    for (uint32_t k = 0; k < in->ints; k++) {
        if (!cns_has(in->state, in->terms[k], values[k])) {
            return false;
        }
    }
    for (uint32_t k = 0; k < in->bools; k++) {
        if (cns_value(in->state, in->lits[k]) == (values[in->ints + k] != 0 ? -1 : 1)) {
            return false;
        }
    }
    return true;
}

static size_t count_agreeing(const instance *in, bool must_be_inside) {
    size_t count = 0;
    for (size_t k = 0; k < in->solution_count; k++) {
        if (agrees(in, in->solutions[k])) {
            count++;
            expect(!must_be_inside || inside(in, in->solutions[k]));
        }
    }
    return count;
}

static bool is_meaningful(const instance *in, cns_lit lit) {
    return in->solution_count > 0 && (literal_value(in, in->solutions[0], lit) >= 0 ||
                                      (!in->opaque && can_be_true(in, in->solutions[0], lit) >= 0));
}

/* A decision that is open: about an argument, or a literal whose meaning is known. False: none. */
static bool choose(instance *in, cns_fact *out) {
    cns_state *s = in->state;
    for (int attempt = 0; attempt < 60; attempt++) {
        if (s->bool_count > 1 && chance(in, 35)) {
            uint32_t n = (uint32_t)pick(in, 1, s->bool_count - 1);
            cns_lit lit = 2 * n + (cns_lit)pick(in, 0, 1);
            if (s->kind[n] == CNS_BOOL_PLAIN && cns_value(s, lit) == 0 && is_meaningful(in, lit)) {
                *out = cns_fact_lit(lit);
                return true;
            }
        } else if (in->ints > 0) {
            cns_term t = in->terms[pick(in, 0, in->ints - 1)] ^ (cns_term)pick(in, 0, 1);
            if (!cns_fixed(s, t)) {
                *out = cns_fact_ge(t, pick(in, cns_low(s, t) + 1, cns_high(s, t)));
                return true;
            }
        }
    }
    for (uint32_t k = 0; k < in->ints; k++) {
        if (!cns_fixed(s, in->terms[k])) {
            *out = cns_fact_le(in->terms[k], cns_low(s, in->terms[k]));
            return true;
        }
    }
    for (uint32_t k = 0; k < in->bools; k++) {
        if (cns_value(s, in->lits[k]) == 0) {
            *out = cns_fact_lit(in->lits[k]);
            return true;
        }
    }
    return false;
}

static bool decide(instance *in, cns_fact fact) {
    cns_state *s = in->state;
    cns_new_level(s);
    cns_facts_push(s, &in->decisions, fact);
    return fact.is_bound ? cns_raise(s, fact.id, fact.value, CNS_REASON_NONE)
                         : cns_enqueue(s, fact.id, CNS_REASON_NONE);
}

static void check_assignment(const instance *in) {
    int64_t values[MAX_INTS + MAX_BOOLS];
    for (uint32_t k = 0; k < in->ints; k++) {
        values[k] = cns_low(in->state, in->terms[k]);
    }
    for (uint32_t k = 0; k < in->bools; k++) {
        values[in->ints + k] = cns_is_true(in->state, in->lits[k]);
    }
    expect(in->holds(in, values));
}

/* Decides at random until all is fixed, learning from conflicts. */
static void walk(instance *in) {
    cns_state *s = in->state;
    in->decisions.count = 0;
    for (int step = 0; step < 400; step++) {
        cns_progress progress = cns_propagate(s);
        expect(progress != CNS_PAUSED);
        if (progress == CNS_CONFLICT) {
            expect(count_agreeing(in, false) == 0);
            if (!cns_resolve_conflict(s)) {
                expect(s->failed && in->solution_count == 0);
                return;
            }
            in->decisions.count = s->level;
            continue;
        }
        count_agreeing(in, true);
        if (chance(in, 25)) {
            check_trail(in);
        }
        cns_fact fact;
        if (!choose(in, &fact)) {
            check_assignment(in);
            break;
        }
        decide(in, fact);
    }
    cns_backtrack(s, 0);
    in->decisions.count = 0;
    expect(cns_propagate(s) != CNS_PAUSED);
}

static size_t search_all(instance *in) {
    cns_search search;
    cns_search_init(&search, in->state);
    for (uint32_t k = 0; k < in->ints; k++) {
        expect(cns_search_add_output(&search, (cns_view){in->terms[k], 0}) == CNS_OK);
    }
    for (uint32_t k = 0; k < in->bools; k++) {
        cns_view view;
        expect(cns_new_int_of_lit(in->state, in->lits[k], &view.term) == CNS_OK);
        in->bool_terms[k] = view.term;
        view.offset = 0;
        expect(cns_search_add_output(&search, view) == CNS_OK);
    }
    cns_search_reset(&search);
    size_t count = 0;
    bool more = true;
    while (more) {
        cns_search_result result = cns_search_run(&search, UINT64_MAX);
        expect(result == CNS_SEARCH_SOLUTION || result == CNS_SEARCH_EXHAUSTED);
        if (result == CNS_SEARCH_SOLUTION) {
            check_assignment(in);
            count++;
            more = cns_search_exclude(&search);
        } else {
            more = false;
        }
    }
    cns_search_deinit(&search);
    return count;
}

typedef cns_status make_instance(instance *in);

static void try_instance(cns_context *context, uint64_t seed, make_instance *make, bool holes,
                         uint64_t *inferences, uint64_t *skipped) {
    static cns_state state;
    instance in;
    memset(&in, 0, sizeof in);
    seed_now = seed;
    cns_rng_seed(&in.rng, seed);
    in.allow_holes = holes;
    in.state = &state;
    support_status(context, CNS_OK, cns_state_init(&state, context, seed));
    state.ticks_end = UINT64_MAX;
    state.on_inference = on_inference;
    state.on_inference_user = &in;
    /* The solutions must be known before the first inference: post twice. */
    in.holds = NULL;
    support_status(context, CNS_OK, make(&in));
    if (space_of(&in) <= 30000) {
        if (cns_propagate(&state) == CNS_CONFLICT) {
            expect(in.solution_count == 0);
        } else {
            for (int k = 0; k < 4 && !state.failed; k++) {
                walk(&in);
            }
            if (!state.failed) {
                support_status(context, CNS_OK, cns_state_check(&state));
            }
            size_t found = search_all(&in);
            if (found != in.solution_count) {
                fprintf(stderr, "found %zu of %zu\n", found, in.solution_count);
            }
            expect(found == in.solution_count);
        }
    }
    *inferences += in.inferences;
    *skipped += in.skipped;
    free(in.solutions);
    cns_context_free(context, in.decisions.data, in.decisions.capacity * sizeof *in.decisions.data,
                     CNS_ALIGN_DEFAULT);
    cns_state_deinit(&state);
}

/* Called by makers before they post: all solutions. */
static void know(instance *in, bool (*holds)(const instance *, const int64_t *)) {
    int64_t values[MAX_INTS + MAX_BOOLS] = {0};
    in->holds = holds;
    if (space_of(in) <= 30000) {
        enumerate(in, 0, values);
    }
}

static void try_many(make_instance *make, int count, uint64_t base) {
    cns_context *context = support_context();
    uint64_t inferences = 0, skipped = 0;
    const char *only = getenv("CNS_TEST_SEED");
    const char *times = getenv("CNS_TEST_TIMES");
    count *= times != NULL ? atoi(times) : 1;
    for (int k = 0; k < count; k++) {
        uint64_t seed = base + (uint64_t)k;
        if (only == NULL || strtoull(only, NULL, 10) == seed) {
            try_instance(context, seed, make, k % 2 == 1, &inferences, &skipped);
        }
    }
    ck_assert_msg(only != NULL || inferences > (uint64_t)count, "%llu inferences, %llu skipped",
                  (unsigned long long)inferences, (unsigned long long)skipped);
    support_context_destroy(context);
}

/* ---- disjunctive ---------------------------------------------------------------------------- */

static bool apart(int64_t x, int64_t dx, int64_t y, int64_t dy) {
    return x + dx <= y || y + dy <= x;
}

static bool disjunctive_holds(const instance *in, const int64_t *v) {
    for (uint32_t i = 0; i < in->tasks; i++) {
        for (uint32_t j = 0; j < i; j++) {
            int64_t di = value_of(in, v, in->b[i]), dj = value_of(in, v, in->b[j]);
            bool present = !in->optional || (literal_value(in, v, in->presence[i]) == 1 &&
                                             literal_value(in, v, in->presence[j]) == 1);
            if (present && (in->strict || (di > 0 && dj > 0)) &&
                !apart(value_of(in, v, in->a[i]), di, value_of(in, v, in->a[j]), dj)) {
                return false;
            }
        }
    }
    return true;
}

static void make_tasks(instance *in, int64_t horizon, int64_t longest) {
    in->tasks = (uint32_t)pick(in, 2, 5);
    for (uint32_t i = 0; i < in->tasks; i++) {
        int64_t low = pick(in, -2, horizon / 2), high = pick(in, low, horizon);
        in->a[i] = new_view(in, low, high, false);
        int64_t least = pick(in, 0, longest);
        in->b[i] = chance(in, 65) ? cns_view_constant(least)
                                  : new_view(in, least, pick(in, least, longest), true);
        in->opaque |= !in->strict && cns_view_low(in->state, in->b[i]) == 0;
    }
}

static cns_status make_disjunctive(instance *in) {
    in->literal_limit = chance(in, 50) ? 0 : 64;
    in->strict = chance(in, 50);
    make_tasks(in, 9, 4);
    in->optional = chance(in, 40);
    in->opaque |= in->optional; /* a literal for an order says that both are present, too */
    for (uint32_t i = 0; i < in->tasks && in->optional; i++) {
        in->presence[i] = new_bool(in);
    }
    know(in, disjunctive_holds);
    cns_post post = {ORIGIN, CNS_LIT_TRUE};
    return cns_post_disjunctive_limited(
        in->state, post, (cns_views){in->a, in->tasks}, (cns_views){in->b, in->tasks},
        in->optional ? in->presence : NULL, in->strict, in->literal_limit);
}

START_TEST(disjunctive_is_exact) {
    try_many(make_disjunctive, 300, 1000000);
}
END_TEST

/* ---- cumulative ----------------------------------------------------------------------------- */

static bool cumulative_holds(const instance *in, const int64_t *v) {
    int64_t capacity = value_of(in, v, in->y);
    if (capacity < 0) {
        return false;
    }
    for (uint32_t i = 0; i < in->tasks; i++) {
        int64_t at = value_of(in, v, in->a[i]), load = 0;
        for (uint32_t j = 0; j < in->tasks; j++) {
            int64_t start = value_of(in, v, in->a[j]), length = value_of(in, v, in->b[j]);
            load += start <= at && at < start + length ? value_of(in, v, in->c[j]) : 0;
        }
        if (load > capacity) {
            return false;
        }
    }
    return true;
}

static cns_status make_cumulative(instance *in) {
    make_tasks(in, 8, 4);
    for (uint32_t i = 0; i < in->tasks; i++) {
        int64_t least = pick(in, 0, 3);
        in->c[i] = chance(in, 70) ? cns_view_constant(least)
                                  : new_view(in, least, pick(in, least, 4), true);
    }
    in->y = chance(in, 60) ? cns_view_constant(pick(in, 0, 6)) : new_view(in, 0, 6, false);
    know(in, cumulative_holds);
    return cns_post_cumulative(in->state, (cns_post){ORIGIN, CNS_LIT_TRUE},
                               (cns_views){in->a, in->tasks}, (cns_views){in->b, in->tasks},
                               (cns_views){in->c, in->tasks}, in->y);
}

START_TEST(cumulative_is_exact) {
    try_many(make_cumulative, 300, 2000000);
}
END_TEST

/* ---- products beyond 64 bits ---------------------------------------------------------------- */

static cns_var add_var(cns_context *context, cns_solver *s, int64_t low, int64_t high) {
    cns_var var;
    support_status(context, CNS_OK, cns_solver_new_int(s, low, high, NULL, &var));
    return var;
}

static uint64_t count_solutions(cns_context *context, cns_solver *s) {
    const cns_solve_options options = {.size = sizeof options, .all_solutions = 1};
    support_status(context, CNS_OK, cns_solver_set_options(s, &options));
    uint64_t count = 0;
    cns_outcome outcome;
    do {
        support_status(context, CNS_OK, cns_solver_step(s, 0, &outcome));
        count += outcome == CNS_SOLUTION;
    } while (outcome != CNS_COMPLETE);
    return count;
}

/* Three tasks under a capacity of 2^_i, the last one as far away; all of them fit, wherever. */
START_TEST(tasks_far_apart) {
    int64_t far = (INT64_C(1) << _i) - 8;
    cns_context *context = support_context();
    cns_solver *s = NULL;
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &s));
    cns_var start[3], two[3], one[3], capacity = add_var(context, s, far, far);
    for (int k = 0; k < 3; k++) {
        int64_t low = k == 2 ? far : 0;
        start[k] = add_var(context, s, low, low + 2);
        two[k] = add_var(context, s, 2, 2);
        one[k] = add_var(context, s, 1, 1);
    }
    const cns_constraint c = {.size = sizeof c,
                              .kind = CNS_CUMULATIVE,
                              .v = {start, two, one, &capacity},
                              .v_count = {3, 3, 3, 1}};
    support_status(context, CNS_OK, cns_solver_add(s, &c));
    ck_assert_uint_eq(count_solutions(context, s), 27);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

/* Two boxes of one by two beside each other, and one that is 2^_i away from both. */
START_TEST(boxes_far_apart) {
    int64_t far = (INT64_C(1) << _i) - 8;
    cns_context *context = support_context();
    cns_solver *s = NULL;
    support_status(context, CNS_OK, cns_solver_create(context, NULL, &s));
    cns_var x[3], y[3], one[3], two[3];
    for (int k = 0; k < 3; k++) {
        int64_t low = k == 2 ? far : 0;
        x[k] = add_var(context, s, low, low + 1);
        y[k] = add_var(context, s, low, low + 1);
        one[k] = add_var(context, s, 1, 1);
        two[k] = add_var(context, s, 2, 2);
    }
    const int64_t strict[] = {1};
    const cns_constraint c = {.size = sizeof c,
                              .kind = CNS_DIFFN,
                              .v = {x, y, one, two},
                              .v_count = {3, 3, 3, 3},
                              .i = {strict},
                              .i_count = {1}};
    support_status(context, CNS_OK, cns_solver_add(s, &c));
    /* x differs, y is free: 2 * 4 ways; and 4 for the third. */
    ck_assert_uint_eq(count_solutions(context, s), 32);
    cns_solver_destroy(s);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_resources");
    TCase *tcase = tcase_create("all");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, disjunctive_is_exact);
    tcase_add_test(tcase, cumulative_is_exact);
    tcase_add_loop_test(tcase, tasks_far_apart, 28, 41);
    tcase_add_loop_test(tcase, boxes_far_apart, 28, 41);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
