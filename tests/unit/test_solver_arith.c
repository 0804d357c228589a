/* SPDX-License-Identifier: MIT
 *
 * test_solver_arith.c - arithmetic propagators against enumeration.
 *
 * Small random worlds of integers (with holes) and Booleans, one constraint over random views of
 * them, a random walk of decisions, conflicts and returns. Of every assignment it is known whether
 * the constraint holds: what is removed has no support, what is fixed is a solution, and facts
 * imply what they explain, also what is weaker than what was set, and were true before it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "solver/globals/globals.h"
#include "solver/trail.h"
#include "support.h"

enum { LONG = 12, INTS = LONG, BOOLS = 7, VALUES = 12, ARGS = 14, TERMS = 64, LEVELS = 64 };

typedef enum test_kind {
    LE,
    EQ,
    NE,
    LONG_LE,
    BOOL_LE,
    TIMES,
    DIV,
    MOD,
    POW,
    ABS,
    MAXIMUM,
    ELEMENT_CONST,
    ELEMENT,
    XOR,
    KINDS
} test_kind;

static const char *const kind_names[KINDS] = {
    "le",  "eq",  "ne",  "long_le", "bool_le",       "times",   "div",
    "mod", "pow", "abs", "maximum", "element_const", "element", "xor"};

typedef struct domain {
    cns_term term;
    uint32_t count;
    int64_t values[VALUES];
} domain;

typedef struct world {
    cns_context *context;
    cns_state state;
    cns_rng rng;
    test_kind kind;
    uint64_t seed;
    uint32_t int_count, bool_count;
    domain ints[INTS];
    cns_lit bools[BOOLS];
    /* what integers of the state are: 1 + index in ints, or -1 - index in bools, or 0 */
    int32_t meaning[TERMS];
    /* the constraint */
    cns_post post;
    bool entangled; /* the condition is no literal of its own */
    uint32_t count;
    int64_t a[ARGS];
    cns_view x[ARGS];
    cns_lit lits[ARGS];
    int64_t c;
    cns_view y, z;
    /* assignments */
    uint32_t size;
    bool *holds;
    uint32_t level_count;
    cns_lit decisions[LEVELS];
    uint64_t inferences;
} world;

static int64_t below(world *w, int64_t bound) {
    return (int64_t)cns_rng_below(&w->rng, (uint64_t)bound);
}

static bool chance(world *w, int percent) {
    return below(w, 100) < percent;
}

/* ---- meaning -------------------------------------------------------------------------------- */

typedef struct assignment {
    int64_t ints[INTS];
    bool bools[BOOLS];
} assignment;

static void decode(const world *w, uint32_t number, assignment *out) {
    for (uint32_t k = 0; k < w->int_count; k++) {
        out->ints[k] = w->ints[k].values[number % w->ints[k].count];
        number /= w->ints[k].count;
    }
    for (uint32_t k = 0; k < w->bool_count; k++) {
        out->bools[k] = number & 1;
        number /= 2;
    }
}

static int64_t value_of_term(const world *w, const assignment *v, cns_term t) {
    int32_t m = w->meaning[t >> 1];
    int64_t value = m > 0 ? v->ints[m - 1] : m < 0 ? v->bools[-1 - m] : 0;
    return t & 1 ? -value : value;
}

static int64_t value_of(const world *w, const assignment *v, cns_view view) {
    return value_of_term(w, v, view.term) + view.offset;
}

static bool lit_holds(const world *w, const assignment *v, cns_lit lit) {
    const cns_state *s = &w->state;
    uint32_t n = lit >> 1;
    bool truth = n == 0;
    if (s->kind[n] == CNS_BOOL_GE) {
        truth = value_of_term(w, v, 2 * s->atoms[n].integer) >= s->atoms[n].value;
    } else if (s->kind[n] == CNS_BOOL_EQ) {
        truth = value_of_term(w, v, 2 * s->atoms[n].integer) == s->atoms[n].value;
    } else if (n != 0) {
        for (uint32_t k = 0; k < w->bool_count; k++) {
            if (w->bools[k] >> 1 == n) {
                truth = v->bools[k];
            }
        }
    }
    return truth != (bool)(lit & 1);
}

static bool fact_holds(const world *w, const assignment *v, cns_fact fact) {
    return fact.is_bound ? value_of_term(w, v, fact.id) >= fact.value : lit_holds(w, v, fact.id);
}

static int64_t int_power(int64_t x, int64_t n) {
    int64_t result = 1;
    while (n-- > 0) {
        result *= x;
    }
    return result;
}

static bool power_is(int64_t x, int64_t y, int64_t z) {
    return y >= 0 ? int_power(x, y) == z : x != 0 && 1 / int_power(x, -y) == z;
}

static bool evaluate(const world *w, const assignment *v) {
    int64_t x[ARGS];
    int64_t sum = 0;
    int64_t y = value_of(w, v, w->y);
    int64_t z = value_of(w, v, w->z);
    int64_t most = INT64_MIN;
    for (uint32_t j = 0; j < w->count; j++) {
        bool booleans = w->kind == BOOL_LE || w->kind == XOR;
        x[j] = booleans ? lit_holds(w, v, w->lits[j]) : value_of(w, v, w->x[j]);
        sum += w->a[j] * x[j];
        most = x[j] > most ? x[j] : most;
    }
    switch (w->kind) {
    case LE:
    case LONG_LE:
        return sum <= w->c;
    case EQ:
        return sum == w->c;
    case NE:
        return sum != w->c;
    case BOOL_LE:
        return sum <= w->c + y;
    case TIMES:
        return x[0] * y == z;
    case DIV:
        return y != 0 && x[0] / y == z;
    case MOD:
        return y != 0 && x[0] % y == z;
    case POW:
        return power_is(x[0], y, z);
    case ABS:
        return llabs(x[0]) == z;
    case MAXIMUM:
        return most == z;
    case ELEMENT_CONST:
        return y >= 0 && y < w->count && w->a[y] == z;
    case ELEMENT:
        return y >= 0 && y < w->count && x[y] == z;
    default:
        for (uint32_t j = 0; j < w->count; j++) {
            most = j == 0 ? x[0] : most ^ x[j];
        }
        return w->count > 0 && most == 1;
    }
}

/* ---- random worlds -------------------------------------------------------------------------- */

static void make_int(world *w, int64_t low, uint32_t width, int hole_percent, int64_t scale) {
    domain *d = &w->ints[w->int_count];
    int64_t ranges[2 * VALUES];
    uint32_t range_count = 0;
    d->count = 0;
    for (uint32_t k = 0; k < width; k++) {
        if (k > 0 && chance(w, hole_percent)) {
            continue;
        }
        int64_t value = (low + k) * scale;
        if (range_count > 0 && ranges[2 * range_count - 1] == value - 1) {
            ranges[2 * range_count - 1] = value;
        } else {
            ranges[2 * range_count] = ranges[2 * range_count + 1] = value;
            range_count++;
        }
        d->values[d->count++] = value;
    }
    support_status(w->context, CNS_OK, cns_new_int(&w->state, ranges, range_count, &d->term));
    ck_assert_uint_lt(d->term >> 1, TERMS);
    w->meaning[d->term >> 1] = (int32_t)++w->int_count;
}

static cns_view random_view(world *w) {
    if (chance(w, 8)) {
        return cns_view_constant(below(w, 9) - 4);
    }
    if (w->bool_count > 1 && chance(w, 10)) {
        uint32_t k = (uint32_t)below(w, w->bool_count);
        cns_view v;
        support_status(w->context, CNS_OK,
                       cns_view_of_lit(&w->state, w->bools[k] ^ (cns_lit)below(w, 2), &v));
        if (w->meaning[v.term >> 1] == 0 && v.term >> 1 != 0) {
            w->meaning[v.term >> 1] = -1 - (int32_t)k;
        }
        return v;
    }
    cns_term t = w->ints[below(w, w->int_count)].term ^ (cns_term)below(w, 2);
    return (cns_view){t, below(w, 5) - 2};
}

static cns_lit random_lit(world *w) {
    if (chance(w, 5)) {
        return (cns_lit)below(w, 2);
    }
    if (w->int_count > 0 && chance(w, 20)) {
        const domain *d = &w->ints[below(w, w->int_count)];
        int64_t value = d->values[below(w, d->count)];
        return chance(w, 50) ? cns_lit_ge(&w->state, d->term, value)
                             : cns_lit_eq(&w->state, d->term, value);
    }
    return w->bools[below(w, w->bool_count)] ^ (cns_lit)below(w, 2);
}

static void make_variables(world *w) {
    static const struct {
        uint32_t ints, width, bools;
    } shapes[KINDS] = {
        [LE] = {4, 5, 2},         [EQ] = {4, 5, 2},      [NE] = {4, 4, 2},
        [LONG_LE] = {LONG, 2, 1}, [BOOL_LE] = {1, 6, 7}, [TIMES] = {3, 9, 1},
        [DIV] = {3, 9, 1},        [MOD] = {3, 9, 1},     [POW] = {3, 8, 1},
        [ABS] = {2, 12, 1},       [MAXIMUM] = {4, 5, 1}, [ELEMENT_CONST] = {2, 8, 2},
        [ELEMENT] = {4, 5, 1},    [XOR] = {1, 3, 7},
    };
    int holes = chance(w, 50) ? 30 : 0;
    uint32_t bools = shapes[w->kind].bools;
    for (uint32_t k = 0; k < bools; k++) {
        w->bools[w->bool_count++] = cns_new_bool(&w->state);
    }
    if (w->kind == LONG_LE) {
        for (uint32_t k = 0; k < LONG; k++) {
            make_int(w, below(w, 5) - 2, k < 2 ? 3 : 2, 0, 1);
        }
        return;
    }
    uint32_t ints = 1 + (uint32_t)below(w, shapes[w->kind].ints);
    ints = w->kind >= TIMES && w->kind <= POW && chance(w, 80) ? 3 : ints;
    for (uint32_t k = 0; k < ints; k++) {
        uint32_t width = 1 + (uint32_t)below(w, shapes[w->kind].width);
        bool far = w->kind == ELEMENT_CONST && k == 1 && chance(w, 50);
        make_int(w, below(w, 7) - 4 + (w->kind == ELEMENT ? k == 0 ? 3 : 0 : 0), width, holes,
                 far ? 50 : 1);
    }
}

static cns_status post(world *w) {
    cns_state *s = &w->state;
    cns_views x = {w->x, w->count};
    switch (w->kind) {
    case LE:
    case LONG_LE:
        return cns_post_linear_le(s, w->post, w->a, x, w->c);
    case EQ:
        return cns_post_linear_eq(s, w->post, w->a, x, w->c);
    case NE:
        return cns_post_linear_ne(s, w->post, w->a, x, w->c);
    case BOOL_LE:
        return cns_post_bool_le(s, w->post, w->a, w->lits, w->count, w->y, w->c);
    case TIMES:
        return cns_post_times(s, w->post, w->x[0], w->y, w->z);
    case DIV:
        return cns_post_div(s, w->post, w->x[0], w->y, w->z);
    case MOD:
        return cns_post_mod(s, w->post, w->x[0], w->y, w->z);
    case POW:
        return cns_post_pow(s, w->post, w->x[0], w->y, w->z);
    case ABS:
        return cns_post_abs(s, w->post, w->x[0], w->z);
    case MAXIMUM:
        return cns_post_maximum(s, w->post, x, w->z);
    case ELEMENT_CONST:
        return cns_post_element_const(s, w->post, w->y, w->a, w->count, w->z);
    case ELEMENT:
        return cns_post_element(s, w->post, w->y, x, w->z);
    default:
        return cns_post_xor(s, w->post, w->lits, w->count);
    }
}

static void make_constraint(world *w) {
    bool large = w->kind == BOOL_LE || w->kind == XOR;
    bool single = w->kind >= TIMES && w->kind <= ABS;
    w->count = single                              ? 1
               : w->kind == LONG_LE                ? LONG
               : w->kind == ELEMENT_CONST || large ? 1 + (uint32_t)below(w, 10)
                                                   : 1 + (uint32_t)below(w, 5);
    bool units = chance(w, 40);
    int64_t spread = w->kind == ELEMENT_CONST ? 7 : w->kind == BOOL_LE ? 5 : 3;
    int64_t scale =
        w->kind == ELEMENT_CONST && w->int_count > 1 && llabs(w->ints[1].values[0]) >= 50 ? 50 : 1;
    for (uint32_t j = 0; j < w->count; j++) {
        w->a[j] = units ? 1 - 2 * below(w, 2) : below(w, 2 * spread + 1) - spread;
        w->a[j] = units && w->kind == BOOL_LE && chance(w, 90) ? 1 : w->a[j] * scale;
        w->x[j] = w->kind == LONG_LE
                      ? (cns_view){w->ints[j].term ^ (cns_term)below(w, 2), below(w, 3)}
                      : random_view(w);
        w->lits[j] = large ? random_lit(w) : CNS_LIT_TRUE;
    }
    w->y = random_view(w);
    w->z = random_view(w);
    if (w->kind == ELEMENT_CONST && w->int_count > 1) {
        w->z = (cns_view){w->ints[1].term, 0};
    }
    if (w->kind == BOOL_LE && chance(w, 50)) {
        w->y = cns_view_constant(0);
    }
    if (single && chance(w, 60) && w->int_count == 3) {
        w->x[0] = (cns_view){w->ints[0].term, 0};
        w->y = (cns_view){w->ints[1].term, 0};
        w->z = (cns_view){w->ints[2].term, 0};
    }
    if (w->kind == TIMES && chance(w, 15)) {
        w->y = w->x[0];
    }
    w->c = below(w, w->kind == LONG_LE ? 31 : 15) - (w->kind == LONG_LE ? 15 : 5);
    w->post.condition = chance(w, 40) ? CNS_LIT_TRUE : chance(w, 10) ? random_lit(w) : w->bools[0];
    w->post.origin = 7;
    w->entangled = w->post.condition != w->bools[0] || w->meaning[w->y.term >> 1] == -1 ||
                   w->meaning[w->z.term >> 1] == -1;
    for (uint32_t j = 0; j < w->count; j++) {
        w->entangled |= w->lits[j] >> 1 == w->bools[0] >> 1 || w->meaning[w->x[j].term >> 1] == -1;
    }
}

static void enumerate(world *w) {
    w->size = 1;
    for (uint32_t k = 0; k < w->int_count; k++) {
        w->size *= w->ints[k].count;
    }
    w->size <<= w->bool_count;
    w->holds = calloc(w->size, sizeof *w->holds);
    for (uint32_t k = 0; k < w->size; k++) {
        assignment v;
        decode(w, k, &v);
        w->holds[k] = !lit_holds(w, &v, w->post.condition) || evaluate(w, &v);
    }
}

/* ---- checks --------------------------------------------------------------------------------- */

static void describe(const world *w, const cns_facts *facts, const cns_fact *fact) {
    fprintf(stderr, "kind %s, seed %" PRIu64 "\n", kind_names[w->kind], w->seed);
    for (uint32_t i = 0; i <= facts->count; i++) {
        const cns_fact *f = i < facts->count ? &facts->data[i] : fact;
        fprintf(stderr, i < facts->count ? "  " : "  => ");
        if (f == NULL) {
            fprintf(stderr, "false\n");
        } else if (f->is_bound) {
            fprintf(stderr, "%sx%u >= %" PRId64 "\n", f->id & 1 ? "-" : "", f->id >> 1, f->value);
        } else {
            fprintf(stderr, "%sb%u (kind %u, x%u, %" PRId64 ")\n", f->id & 1 ? "not " : "",
                    f->id >> 1, w->state.kind[f->id >> 1], w->state.atoms[f->id >> 1].integer,
                    w->state.atoms[f->id >> 1].value);
        }
    }
}

static void check_implied(world *w, const cns_facts *facts, const cns_fact *fact) {
    w->inferences++;
    for (uint32_t k = 0; k < w->size; k++) {
        if (!w->holds[k]) {
            continue;
        }
        assignment v;
        decode(w, k, &v);
        bool all = true;
        for (uint32_t i = 0; i < facts->count && all; i++) {
            all = fact_holds(w, &v, facts->data[i]);
        }
        if (all && (fact == NULL || !fact_holds(w, &v, *fact))) {
            describe(w, facts, fact);
            ck_abort_msg("an inference does not follow");
        }
    }
}

static void on_inference(void *user, cns_state *s, uint32_t origin, const cns_facts *facts,
                         const cns_fact *fact) {
    world *w = user;
    (void)origin;
    for (uint32_t i = 0; i < facts->count; i++) {
        cns_fact f = facts->data[i];
        bool now = f.is_bound ? cns_low(s, f.id) >= f.value : cns_is_true(s, f.id);
        if (!now) {
            describe(w, facts, fact);
            ck_abort_msg("fact %u of an inference is not true", i);
        }
    }
    check_implied(w, facts, fact);
}

/* Asks again for the reasons of entries of the trail, as they are or weakened. */
static void check_trail(world *w) {
    cns_state *s = &w->state;
    for (uint32_t p = 1; p < s->trail_count; p++) {
        cns_reason reason = s->trail[p].reason;
        if (cns_reason_tag(reason) != CNS_REASON_LAZY || chance(w, 60)) {
            continue;
        }
        cns_fact fact = cns_fact_lit(s->trail[p].what);
        if (s->trail[p].what & CNS_WHAT_BOUND) {
            const cns_move *move = &s->moves[s->trail[p].what & ~CNS_WHAT_BOUND];
            int64_t value = move->bound - below(w, move->bound - move->old);
            fact = cns_fact_ge(move->term, cns_weakest_bound(s, move->term, value));
        }
        cns_facts facts = {NULL, 0, 0};
        ck_assert(cns_explain(s, reason, fact, p, &facts));
        for (uint32_t i = 0; i < facts.count; i++) {
            cns_fact f = facts.data[i];
            if (f.is_bound ? cns_low_before(s, f.id, p) < f.value : !cns_true_before(s, f.id, p)) {
                describe(w, &facts, &fact);
                ck_abort_msg("fact %u is not from before", i);
            }
        }
        check_implied(w, &facts, &fact);
        cns_context_free(w->context, facts.data, facts.capacity * sizeof *facts.data,
                         CNS_ALIGN_DEFAULT);
    }
}

static bool follows_decisions(const world *w, const assignment *v) {
    for (uint32_t k = 0; k < w->level_count; k++) {
        if (!lit_holds(w, v, w->decisions[k])) {
            return false;
        }
    }
    return true;
}

static bool within_domains(const world *w, const assignment *v) {
    const cns_state *s = &w->state;
    for (uint32_t k = 0; k < w->int_count; k++) {
        if (!cns_has(s, w->ints[k].term, v->ints[k])) {
            return false;
        }
    }
    for (uint32_t k = 0; k < w->bool_count; k++) {
        if (cns_value(s, w->bools[k]) == (v->bools[k] ? -1 : 1)) {
            return false;
        }
    }
    return true;
}

/* No solution was lost; once all is fixed, it is one; a condition that cannot hold is false. */
static void check_state(world *w, bool conflict) {
    uint32_t left = 0;
    uint32_t possible = 0;
    bool left_holds = false;
    for (uint32_t k = 0; k < w->size; k++) {
        assignment v;
        decode(w, k, &v);
        bool within = !conflict && within_domains(w, &v);
        if (w->holds[k] && follows_decisions(w, &v)) {
            if (!within) { /* an assertion that holds is slow */
                ck_abort_msg("kind %s, seed %" PRIu64 ": a solution was lost at level %u%s",
                             kind_names[w->kind], w->seed, w->level_count,
                             conflict ? " by a conflict" : "");
            }
            possible++;
        }
        if (within) {
            left++;
            left_holds = w->holds[k];
        }
    }
    ck_assert_msg(conflict || left != 1 || left_holds,
                  "kind %s, seed %" PRIu64 ": accepts what is no solution", kind_names[w->kind],
                  w->seed);
    if (!conflict && left == 2 && possible == 1 && !w->entangled) {
        ck_assert_msg(cns_value(&w->state, w->post.condition) != 0,
                      "kind %s, seed %" PRIu64 ": the condition is left open", kind_names[w->kind],
                      w->seed);
    }
}

/* ---- the walk ------------------------------------------------------------------------------- */

static cns_lit random_decision(world *w) {
    cns_state *s = &w->state;
    for (int tries = 0; tries < 20; tries++) {
        cns_lit lit;
        if (w->int_count > 0 && chance(w, 70)) {
            const domain *d = &w->ints[below(w, w->int_count)];
            int64_t value = d->values[below(w, d->count)];
            lit = chance(w, 50) ? cns_lit_eq(s, d->term, value) : cns_lit_ge(s, d->term, value);
        } else {
            lit = w->bools[below(w, w->bool_count)];
        }
        lit ^= (cns_lit)below(w, 2);
        if (cns_value(s, lit) == 0) {
            return lit;
        }
    }
    return CNS_LIT_NONE;
}

static void go_back(world *w, uint32_t level) {
    cns_backtrack(&w->state, level);
    w->level_count = level;
}

/* False: the search is over. */
static bool step(world *w) {
    cns_state *s = &w->state;
    cns_lit lit = w->level_count < LEVELS ? random_decision(w) : CNS_LIT_NONE;
    if (lit == CNS_LIT_NONE || (s->level > 0 && chance(w, 10))) {
        if (s->level == 0) {
            return false;
        }
        go_back(w, (uint32_t)below(w, s->level));
        check_state(w, false);
        return true;
    }
    cns_new_level(s);
    w->decisions[w->level_count++] = lit;
    bool conflict = !cns_enqueue(s, lit, CNS_REASON_NONE) || cns_propagate(s) == CNS_CONFLICT;
    while (conflict) {
        check_state(w, true);
        if (s->level == 0) {
            ck_assert(s->failed);
            return false;
        }
        if (chance(w, 40)) {
            s->conflict.count = 0;
            go_back(w, s->level - 1);
            break;
        }
        if (!cns_resolve_conflict(s)) {
            ck_assert(s->failed);
            w->level_count = 0;
            check_state(w, true);
            return false;
        }
        w->level_count = s->level;
        conflict = cns_propagate(s) == CNS_CONFLICT;
    }
    check_state(w, false);
    if (chance(w, 30)) {
        check_trail(w);
    }
    return true;
}

static uint64_t run_world(test_kind kind, uint64_t seed, int steps) {
    world *w = calloc(1, sizeof *w);
    w->context = support_context();
    w->kind = kind;
    w->seed = seed;
    cns_rng_seed(&w->rng, seed * KINDS + (uint64_t)kind);
    support_status(w->context, CNS_OK, cns_state_init(&w->state, w->context, seed));
    make_variables(w);
    make_constraint(w);
    enumerate(w);
    w->state.on_inference = on_inference;
    w->state.on_inference_user = w;
    support_status(w->context, CNS_OK, post(w));
    bool conflict = w->state.failed || cns_propagate(&w->state) == CNS_CONFLICT;
    check_state(w, conflict);
    for (int k = 0; !conflict && k < steps && step(w); k++) {
    }
    support_status(w->context, CNS_OK, cns_state_check(&w->state));
    uint64_t inferences = w->inferences;
    cns_state_deinit(&w->state);
    support_context_destroy(w->context);
    free(w->holds);
    free(w);
    return inferences;
}

START_TEST(worlds) {
    test_kind kind = (test_kind)_i;
    const char *only = getenv("CNS_TEST_SEED");
    const char *worlds_text = getenv("CNS_TEST_WORLDS");
    uint64_t count = worlds_text ? strtoull(worlds_text, NULL, 10) : kind == LONG_LE ? 40 : 1000;
    uint64_t inferences = 0;
    if (only != NULL) {
        run_world(kind, strtoull(only, NULL, 10), 40);
        return;
    }
    for (uint64_t seed = 1; seed <= count; seed++) {
        inferences += run_world(kind, seed, kind == LONG_LE ? 20 : 30);
    }
    ck_assert_msg(inferences > count, "%s: hardly anything was inferred", kind_names[kind]);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_arith");
    TCase *tcase = tcase_create("worlds");
    tcase_set_timeout(tcase, 0);
    tcase_add_loop_test(tcase, worlds, 0, KINDS);
    suite_add_tcase(suite, tcase);
    return support_run(suite);
}
