/* SPDX-License-Identifier: MIT
 *
 * test_deque_model.c - every schedule of small programs over the shipped deque and sleep protocol.
 *
 * deque.c and idle.c are included here with their atomics redirected to the checker of
 * tests/support/model.h. Each program is also run with the memory made weaker than the code asks
 * for: the checker must then find a fault, or its silence would mean nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_atomics.h"

#include "tasks/deque.c"
#include "tasks/idle.c"

#include "support.h"

enum { ITEMS = 3, PREEMPTIONS = 3 };

typedef struct scene {
    cns_deque deque;
    cns_idle idle;
    cns_sleeper sleepers[2];
    volatile uint32_t taken[ITEMS + 1];
    volatile uint32_t garbage;
} scene;

static scene *s;
static int64_t initial_capacity;

static void count_item(void *item) {
    uintptr_t value = (uintptr_t)item;
    if (value > ITEMS) {
        s->garbage = 1;
    } else if (value) {
        s->taken[value]++;
    }
}

static void *item(uintptr_t value) {
    return (void *)value;
}

static void steal_one(void) {
    bool lost;
    count_item(cns_deque_steal_thief(&s->deque, 0, &lost));
}

/* ---- the deque ------------------------------------------------------------------------------ */

static void set_up_deque(void) {
    s = model_alloc(sizeof *s, 64);
    cns_deque_init(&s->deque, NULL, initial_capacity);
}

static uint32_t pushed;

static const char *each_item_once(void) {
    void *left;
    while ((left = cns_deque_pop_owner(&s->deque, 0)) != NULL) {
        count_item(left);
    }
    if (s->garbage) {
        return "a thief read what was never pushed";
    }
    for (uint32_t i = 1; i <= pushed; i++) {
        if (s->taken[i] != 1) {
            return s->taken[i] ? "an item was taken twice" : "an item was lost";
        }
    }
    return NULL;
}

static void push_two_pop_two(void) {
    cns_deque_push_owner(&s->deque, item(1));
    cns_deque_push_owner(&s->deque, item(2));
    count_item(cns_deque_pop_owner(&s->deque, 0));
    count_item(cns_deque_pop_owner(&s->deque, 0));
}

static void push_pop_push_pop(void) {
    cns_deque_push_owner(&s->deque, item(1));
    count_item(cns_deque_pop_owner(&s->deque, 0));
    cns_deque_push_owner(&s->deque, item(2));
    count_item(cns_deque_pop_owner(&s->deque, 0));
}

static void push_three_pop_one(void) {
    cns_deque_push_owner(&s->deque, item(1));
    cns_deque_push_owner(&s->deque, item(2));
    cns_deque_push_owner(&s->deque, item(3));
    count_item(cns_deque_pop_owner(&s->deque, 0));
}

static void steal_two(void) {
    steal_one();
    steal_one();
}

typedef struct deque_case {
    model_program program;
    int64_t capacity;
    uint32_t pushed;
} deque_case;

static const deque_case deque_cases[] = {
    {{set_up_deque, {push_two_pop_two, steal_two}, each_item_once, false, 0}, 4, 2},
    {{set_up_deque, {push_two_pop_two, steal_one, steal_one}, each_item_once, false, 0}, 4, 2},
    {{set_up_deque, {push_pop_push_pop, steal_one, steal_one}, each_item_once, false, 0}, 1, 2},
    {{set_up_deque, {push_three_pop_one, steal_two}, each_item_once, false, 0},
     1,
     3}, /* grows twice */
    {{set_up_deque, {push_three_pop_one, steal_one, steal_one}, each_item_once, false, 0}, 2, 3},
};
enum { DEQUE_CASES = sizeof deque_cases / sizeof *deque_cases };

static model_result explore_deque(int index, model_mutation mutation) {
    initial_capacity = deque_cases[index].capacity;
    pushed = deque_cases[index].pushed;
    return model_explore(&deque_cases[index].program, mutation);
}

START_TEST(the_deque_holds_in_every_schedule) {
    model_result result = explore_deque(_i, MODEL_SOUND);
    ck_assert_msg(result.error == NULL, "%s", result.error);
    ck_assert_uint_gt(result.states, 1000);
}
END_TEST

START_TEST(weakened_deques_are_found_out) {
    static const model_mutation mutations[] = {MODEL_SEQ_CST_IS_RELEASE, MODEL_STORES_ARE_RELAXED,
                                               MODEL_CAS_IS_NOT_ATOMIC};
    bool found = false;
    for (int i = 0; i < DEQUE_CASES && !found; i++) {
        found = explore_deque(i, mutations[_i]).error != NULL;
    }
    ck_assert(found);
}
END_TEST

/* ---- sleeping and waking -------------------------------------------------------------------- */

bool cns_parker_init(cns_parker *parker) {
    parker->token = false;
    memset(parker->mutex.storage, 0, sizeof parker->mutex.storage);
    return true;
}

void cns_parker_park(cns_parker *parker) {
    model_wait((volatile uint32_t *)(void *)parker->mutex.storage);
}

void cns_parker_unpark(cns_parker *parker) {
    model_signal((volatile uint32_t *)(void *)parker->mutex.storage);
}

static void set_up_sleepers(void) {
    set_up_deque();
    cns_idle_init(&s->idle, 1);
    cns_parker_init(&s->sleepers[0].parker);
    cns_parker_init(&s->sleepers[1].parker);
}

static void *find_item(void *user) {
    bool lost;
    void *found;
    do {
        found = cns_deque_steal_thief(&s->deque, 0, &lost);
    } while (lost);
    (void)user;
    return found;
}

static bool never(void *user) {
    (void)user;
    return false;
}

static void work(int worker) {
    cns_idle_client client = {
        .sleeper = &s->sleepers[worker], .find = find_item, .closing = never, .rounds = 1};
    for (;;) {
        count_item(cns_idle_next(&s->idle, &client));
    }
}

static void first_worker(void) {
    work(0);
}

static void second_worker(void) {
    work(1);
}

static void produce_two(void) {
    for (uintptr_t i = 1; i <= 2; i++) {
        cns_deque_push_owner(&s->deque, item(i));
        cns_idle_notify(&s->idle, false);
    }
}

static void produce_one(void) {
    cns_deque_push_owner(&s->deque, item(1));
    cns_idle_notify(&s->idle, false);
}

/* Everybody sleeps now: nothing may be left to do. */
static const char *nothing_left_behind(void) {
    if (!cns_deque_seems_empty(&s->deque)) {
        return "everybody sleeps although there is work";
    }
    return each_item_once();
}

/* With two workers all schedules are too many: all with so many preemptions then. */
static const model_program sleep_programs[] = {
    {set_up_sleepers, {produce_one, first_worker}, nothing_left_behind, true, 0},
    {set_up_sleepers, {produce_two, first_worker}, nothing_left_behind, true, PREEMPTIONS},
    {set_up_sleepers,
     {produce_one, first_worker, second_worker},
     nothing_left_behind,
     true,
     PREEMPTIONS},
    {set_up_sleepers,
     {produce_two, first_worker, second_worker},
     nothing_left_behind,
     true,
     PREEMPTIONS - 1},
};
enum { SLEEP_PROGRAMS = sizeof sleep_programs / sizeof *sleep_programs };

static model_result explore_sleep(int index, model_mutation mutation) {
    initial_capacity = 4;
    pushed = index % 2 ? 2 : 1;
    return model_explore(&sleep_programs[index], mutation);
}

START_TEST(no_wake_up_is_lost_in_any_schedule) {
    model_result result = explore_sleep(_i, MODEL_SOUND);
    ck_assert_msg(result.error == NULL, "%s", result.error);
    ck_assert_uint_gt(result.states, 100);
}
END_TEST

START_TEST(a_weakened_sleep_protocol_is_found_out) {
    model_result result = explore_sleep(0, MODEL_SEQ_CST_IS_RELEASE);
    ck_assert_ptr_nonnull(result.error);
    ck_assert_str_eq(result.error, "everybody sleeps although there is work");
}
END_TEST

#if defined(__SANITIZE_THREAD__)
#define UNDER_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_TSAN 1
#endif
#endif

enum { NOT_RUN = 77 }; /* CTest shows it as skipped */

int main(void) {
#ifdef UNDER_TSAN
    /* One thread that switches between stacks of its own making: there is nothing for this
     * sanitizer to find, and it takes the switches for calls that never return. */
    puts("deque_model: not run under ThreadSanitizer");
    return NOT_RUN;
#endif
    Suite *suite = suite_create("deque_model");
    TCase *cases = tcase_create("deque_model");
    tcase_set_timeout(cases, 200);
    tcase_add_loop_test(cases, the_deque_holds_in_every_schedule, 0, DEQUE_CASES);
    tcase_add_loop_test(cases, weakened_deques_are_found_out, 0, 3);
    tcase_add_loop_test(cases, no_wake_up_is_lost_in_any_schedule, 0, SLEEP_PROGRAMS);
    tcase_add_test(cases, a_weakened_sleep_protocol_is_found_out);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
