/* SPDX-License-Identifier: MIT
 *
 * test_solver_trail.c - the past of a bound: which entry raised it, and what it was before an
 * entry, in long random walks of raises, levels and returns. The oracle keeps a list of all raises.
 */
#include <stdlib.h>

#include "solver/trail.h"
#include "support.h"

enum { INTS = 3, TERMS = 2 * (INTS + 1), RAISES = 3000, STEPS = 4000 };

#define WIDTH 1000000

typedef struct raise {
    cns_term term;
    int64_t bound, old;
    uint32_t position, level;
} raise;

typedef struct past {
    cns_context *context;
    cns_state state;
    cns_rng rng;
    raise raises[RAISES];
    uint32_t count;
} past;

static void go_up(past *p) {
    cns_state *s = &p->state;
    cns_term t = 2 + (cns_term)cns_rng_below(&p->rng, 2 * INTS);
    int64_t old = cns_low(s, t);
    int64_t bound = old + 1 + (int64_t)cns_rng_below(&p->rng, 20);
    if (bound > cns_high(s, t) || p->count == RAISES) {
        return;
    }
    ck_assert(cns_raise(s, t, bound, CNS_REASON_NONE));
    ck_assert_int_eq(cns_propagate(s), CNS_FIXPOINT);
    p->raises[p->count++] = (raise){t, bound, old, s->trail_count - 1, s->level};
}

static void go_back(past *p) {
    cns_backtrack(&p->state, (uint32_t)cns_rng_below(&p->rng, p->state.level) + 1);
    while (p->count > 0 && p->raises[p->count - 1].level > p->state.level) {
        p->count--;
    }
}

static void check_find(past *p) {
    cns_state *s = &p->state;
    cns_term t = 2 + (cns_term)cns_rng_below(&p->rng, 2 * INTS);
    int64_t above = cns_low(s, t) - s->root[t];
    int64_t value = s->root[t] + (int64_t)cns_rng_below(&p->rng, (uint64_t)above + 1);
    uint32_t expected = 0;
    for (uint32_t k = 0; k < p->count && expected == 0; k++) {
        const raise *r = &p->raises[k];
        if (r->term == t && r->old < value && value <= r->bound) {
            expected = r->position;
        }
    }
    ck_assert_uint_eq(cns_find_move(s, t, value), expected);
}

static void check_before(past *p) {
    cns_state *s = &p->state;
    cns_term t = 2 + (cns_term)cns_rng_below(&p->rng, 2 * INTS);
    uint32_t position = 1 + (uint32_t)cns_rng_below(&p->rng, s->trail_count);
    int64_t expected = s->root[t];
    for (uint32_t k = 0; k < p->count && p->raises[k].position < position; k++) {
        expected = p->raises[k].term == t ? p->raises[k].bound : expected;
    }
    ck_assert_int_eq(cns_low_before(s, t, position), expected);
}

START_TEST(the_past_is_known) {
    past *p = calloc(1, sizeof *p);
    ck_assert_ptr_nonnull(p);
    p->context = support_context();
    cns_rng_seed(&p->rng, (uint64_t)_i);
    ck_assert_int_eq(cns_state_init(&p->state, p->context, 0), CNS_OK);
    p->state.ticks_end = UINT64_MAX;
    for (int k = 0; k < INTS; k++) {
        cns_term t;
        ck_assert_int_eq(cns_new_int(&p->state, (const int64_t[]){-WIDTH, WIDTH}, 1, &t), CNS_OK);
    }
    uint32_t most = 0;
    for (int step = 0; step < STEPS; step++) {
        uint64_t choice = cns_rng_below(&p->rng, 400);
        if (p->state.level == 0 || choice < 20) {
            cns_new_level(&p->state);
        } else if (choice == 20) {
            go_back(p);
        } else {
            go_up(p);
        }
        check_find(p);
        check_before(p);
        most = p->count > most ? p->count : most;
    }
    ck_assert_uint_gt(most, 500); /* so long that there is something to leap over */
    cns_state_deinit(&p->state);
    support_context_destroy(p->context);
    free(p);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("solver_trail");
    TCase *cases = tcase_create("trail");
    tcase_set_timeout(cases, 600);
    tcase_add_loop_test(cases, the_past_is_known, 0, 20);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
