/* SPDX-License-Identifier: MIT
 *
 * test_deque.c - the deque against an array, and under real thieves: every item exactly once.
 */
#include <stdlib.h>

#include "base/os.h"
#include "base/rng.h"
#include "support.h"
#include "tasks/deque.h"

START_TEST(one_thread_agrees_with_an_array) {
    cns_context *context = support_context();
    cns_deque deque;
    cns_rng rng;
    cns_rng_seed(&rng, 3);
    ck_assert(cns_deque_init(&deque, context, 4));
    enum { STEPS = 200000 };
    static uintptr_t model[STEPS];
    int64_t top = 0, bottom = 0;
    for (uintptr_t step = 1; step < STEPS; step++) {
        uint64_t kind = cns_rng_below(&rng, step / 5000 % 2 ? 5 : 3);
        int64_t floor =
            cns_rng_below(&rng, 4) ? 0 : (int64_t)cns_rng_below(&rng, (uint64_t)bottom + 2);
        bool lost;
        uintptr_t expected = 0, got = 0;
        if (kind == 0) {
            model[bottom++] = step;
            ck_assert(cns_deque_push_owner(&deque, (void *)step));
        } else if (kind == 1 || kind == 3) {
            expected = bottom > top && bottom - 1 >= floor ? model[bottom - 1] : 0;
            if ((uintptr_t)cns_deque_peek_owner(&deque, floor) != expected) {
                ck_abort_msg("peek");
            }
            got = (uintptr_t)cns_deque_pop_owner(&deque, floor);
            if (expected && bottom - 1 == top) {
                top++; /* the last item leaves at the top: positions never come again */
            } else {
                bottom -= expected != 0;
            }
        } else {
            expected = bottom > top && top >= floor ? model[top] : 0;
            got = (uintptr_t)cns_deque_steal_thief(&deque, floor, &lost);
            top += expected != 0;
        }
        if (got != expected || cns_deque_seems_empty(&deque) != (top >= bottom) ||
            cns_deque_position_owner(&deque) != bottom) {
            ck_abort_msg("step %zu: got %zu, expected %zu", (size_t)step, (size_t)got,
                         (size_t)expected);
        }
    }
    cns_deque_deinit(&deque);
    support_context_destroy(context);
}
END_TEST

enum { ITEMS = 200000, THIEVES = 3 };

typedef struct theft {
    cns_deque *deque;
    _Atomic uint8_t *taken;
    _Atomic bool *over;
    cns_os_thread thread;
} theft;

static void steal_until_over(void *raw) {
    theft *t = raw;
    bool last = false;
    for (;;) {
        bool lost;
        uintptr_t item = (uintptr_t)cns_deque_steal_thief(t->deque, 0, &lost);
        if (item) {
            atomic_fetch_add(&t->taken[item], 1);
        } else if (!lost) {
            if (last) {
                return;
            }
            last = atomic_load(t->over);
            cns_os_thread_yield();
        }
    }
}

START_TEST(every_item_is_taken_once) {
    cns_context *context = support_context();
    static _Atomic uint8_t taken[ITEMS + 1];
    _Atomic bool over = false;
    cns_deque deque;
    cns_rng rng;
    cns_rng_seed(&rng, 9);
    ck_assert(cns_deque_init(&deque, context, 2));
    theft thefts[THIEVES];
    for (int i = 0; i < THIEVES; i++) {
        thefts[i] = (theft){.deque = &deque, .taken = taken, .over = &over};
        ck_assert_int_eq(
            cns_os_thread_create(&thefts[i].thread, steal_until_over, &thefts[i], NULL, 0), 0);
    }
    for (uintptr_t next = 1; next <= ITEMS;) {
        uint64_t pushes = cns_rng_below(&rng, 8);
        for (uint64_t i = 0; i < pushes && next <= ITEMS; i++) {
            ck_assert(cns_deque_push_owner(&deque, (void *)next++));
        }
        for (uint64_t pops = cns_rng_below(&rng, 8); pops > 0; pops--) {
            uintptr_t item = (uintptr_t)cns_deque_pop_owner(&deque, 0);
            if (item) {
                atomic_fetch_add(&taken[item], 1);
            }
        }
        if (next % 64 == 0) {
            cns_os_thread_yield();
        }
    }
    atomic_store(&over, true);
    for (int i = 0; i < THIEVES; i++) {
        cns_os_thread_join(&thefts[i].thread);
    }
    for (int i = 1; i <= ITEMS; i++) {
        if (atomic_load(&taken[i]) != 1) {
            ck_abort_msg("item %d was taken %d times", i, atomic_load(&taken[i]));
        }
    }
    cns_deque_deinit(&deque);
    support_context_destroy(context);
}
END_TEST

START_TEST(a_deque_that_cannot_grow_says_so) {
    support_failing failing = {.countdown = 1, .keep_failing = 1};
    cns_context *context = support_failing_context(&failing);
    cns_deque deque;
    ck_assert(cns_deque_init(&deque, context, 2));
    ck_assert(cns_deque_push_owner(&deque, &failing));
    ck_assert(cns_deque_push_owner(&deque, &deque));
    ck_assert(!cns_deque_push_owner(&deque, &failing));
    ck_assert_ptr_eq(cns_deque_pop_owner(&deque, 0), &deque);
    ck_assert(cns_deque_push_owner(&deque, &deque));
    bool lost;
    ck_assert_ptr_eq(cns_deque_steal_thief(&deque, 0, &lost), &failing);
    ck_assert_ptr_eq(cns_deque_pop_owner(&deque, 1), &deque);
    ck_assert_ptr_null(cns_deque_pop_owner(&deque, 0));
    cns_deque_deinit(&deque);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("deque");
    TCase *cases = tcase_create("deque");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, one_thread_agrees_with_an_array);
    tcase_add_test(cases, every_item_is_taken_once);
    tcase_add_test(cases, a_deque_that_cannot_grow_says_so);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
