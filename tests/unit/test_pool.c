/* SPDX-License-Identifier: MIT
 *
 * test_pool.c - slots and generation handles against a model.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "memory/pool.h"
#include "support.h"

static cns_pool *create(cns_context *context, uint64_t slot_size, uint32_t align, uint64_t cap) {
    cns_pool_config config = {
        .size = sizeof config, .slot_align = align, .slot_size = slot_size, .capacity = cap};
    cns_pool *pool = NULL;
    support_status(context, CNS_OK, cns_pool_create(context, &config, &pool));
    return pool;
}

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    cns_pool *pool = NULL;
    static const cns_pool_config bad[] = {
        {.size = 1, .slot_size = 8},
        {.size = sizeof bad[0], .slot_size = 0},
        {.size = sizeof bad[0], .slot_size = (1 << 20) + 1},
        {.size = sizeof bad[0], .slot_size = 8, .slot_align = 3},
        {.size = sizeof bad[0], .slot_size = 8, .slot_align = 128},
        {.size = sizeof bad[0], .slot_size = 8, .capacity = UINT64_C(1) << 32},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        support_status(context, CNS_E_INVALID, cns_pool_create(context, &bad[i], &pool));
    }
    support_status(context, CNS_E_INVALID, cns_pool_create(context, NULL, &pool));
    support_status(context, CNS_E_INVALID, cns_pool_create(context, &bad[1], NULL));
    ck_assert_ptr_null(pool);
    cns_pool_destroy(NULL);
    support_context_destroy(context);
}
END_TEST

START_TEST(stale_and_forged_handles_name_nothing) {
    cns_context *context = support_context();
    cns_pool *pool = create(context, 24, 0, 0);
    cns_handle first = 0, second = 0;
    ck_assert_ptr_null(cns_pool_get(pool, 0));
    ck_assert_ptr_null(cns_pool_get(pool, UINT64_MAX));
    support_status(context, CNS_E_STALE, cns_pool_release(pool, 0));
    support_status(context, CNS_OK, cns_pool_acquire(pool, &first));
    ck_assert_uint_ne(first >> 32, 0);
    memset(cns_pool_get(pool, first), 7, 24);
    support_status(context, CNS_OK, cns_pool_release(pool, first));
    ck_assert_ptr_null(cns_pool_get(pool, first));
    support_status(context, CNS_E_STALE, cns_pool_release(pool, first));
    support_status(context, CNS_OK, cns_pool_acquire(pool, &second));
    ck_assert_uint_eq((uint32_t)first, (uint32_t)second);
    ck_assert_uint_ne(first, second);
    ck_assert_ptr_null(cns_pool_get(pool, first));
    const unsigned char *bytes = cns_pool_get(pool, second);
    for (int i = 0; i < 24; i++) {
        ck_assert_uint_eq(bytes[i], 0);
    }
    support_status(context, CNS_OK, cns_pool_release(pool, second));
    for (uint64_t generation = 0; generation < 10; generation++) {
        ck_assert_ptr_null(cns_pool_get(pool, generation << 32));
        support_status(context, CNS_E_STALE, cns_pool_release(pool, generation << 32 | 1));
    }
    support_status(context, CNS_OK, cns_pool_check(pool));
    cns_pool_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(used_up_slots_are_retired) {
    cns_context *context = support_context();
    cns_pool *pool = create(context, 8, 0, 2);
    cns_handle handle = 0, next = 0;
    support_status(context, CNS_OK, cns_pool_acquire(pool, &handle));
    ck_assert_uint_eq(cns_pool_set_generation(pool, handle, 4), 0);
    cns_handle aged = cns_pool_set_generation(pool, handle, UINT32_MAX - 2);
    ck_assert_ptr_null(cns_pool_get(pool, handle));
    support_status(context, CNS_OK, cns_pool_release(pool, aged));
    support_status(context, CNS_OK, cns_pool_acquire(pool, &handle));
    ck_assert_uint_eq(handle, (uint64_t)UINT32_MAX << 32);
    support_status(context, CNS_OK, cns_pool_release(pool, handle)); /* its last */
    support_status(context, CNS_E_STALE, cns_pool_release(pool, handle));
    ck_assert_ptr_null(cns_pool_get(pool, handle));
    ck_assert_ptr_null(cns_pool_get(pool, 0));
    support_status(context, CNS_OK, cns_pool_check(pool));
    support_status(context, CNS_OK, cns_pool_acquire(pool, &next));
    ck_assert_uint_eq((uint32_t)next, 1);
    support_status(context, CNS_E_LIMIT, cns_pool_acquire(pool, &handle));
    ck_assert_uint_eq(cns_pool_next(pool, 0), next);
    ck_assert_uint_eq(cns_pool_count(pool), 1);
    support_status(context, CNS_OK, cns_pool_check(pool));
    cns_pool_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(capacity_and_slots_of_all_sizes) {
    static const uint64_t sizes[] = {1, 3, 8, 100, 4096, 70000, 1 << 20};
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (uint32_t align = 1; align <= 64; align *= 4) {
            cns_pool *pool = create(context, sizes[i], align, 20);
            cns_handle handles[20];
            for (int j = 0; j < 20; j++) {
                support_status(context, CNS_OK, cns_pool_acquire(pool, &handles[j]));
                unsigned char *slot = cns_pool_get(pool, handles[j]);
                ck_assert_uint_eq((uintptr_t)slot % align, 0);
                memset(slot, j + 1, sizes[i]);
            }
            cns_handle extra = 77;
            support_status(context, CNS_E_LIMIT, cns_pool_acquire(pool, &extra));
            ck_assert_uint_eq(extra, 77);
            for (int j = 0; j < 20; j++) {
                unsigned char *slot = cns_pool_get(pool, handles[j]);
                ck_assert_uint_eq(slot[0], j + 1);
                ck_assert_uint_eq(slot[sizes[i] - 1], j + 1);
            }
            ck_assert_uint_ge(cns_pool_held(pool), 20 * sizes[i]);
            cns_pool_destroy(pool);
        }
    }
    support_context_destroy(context);
}
END_TEST

/* ---- the model ------------------------------------------------------------------------------ */

enum { HANDLES = 30000 };

typedef struct model {
    cns_handle live[HANDLES];
    uint64_t *where[HANDLES];
    size_t count;
    cns_handle dead[HANDLES]; /* some that were released */
    size_t dead_count;
} model;

static void require(bool holds, const char *what) {
    if (!holds) {
        ck_abort_msg("%s does not hold", what);
    }
}

static int by_index(const void *a, const void *b) {
    uint32_t x = (uint32_t) * (const cns_handle *)a;
    uint32_t y = (uint32_t) * (const cns_handle *)b;
    return (x > y) - (x < y);
}

static void check_iteration(const cns_pool *pool, const model *m) {
    static cns_handle sorted[HANDLES];
    memcpy(sorted, m->live, m->count * sizeof *sorted);
    qsort(sorted, m->count, sizeof *sorted, by_index);
    size_t i = 0;
    for (cns_handle h = cns_pool_next(pool, 0); h; h = cns_pool_next(pool, h)) {
        require(i < m->count && h == sorted[i], "iteration in slot order");
        i++;
    }
    require(i == m->count, "iteration over all live slots");
}

START_TEST(random_sequences_match_the_model) {
    cns_context *context = support_context();
    cns_pool *pool = create(context, 40, 8, 0);
    static model m;
    memset(&m, 0, sizeof m);
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    for (int step = 0; step < 300000; step++) {
        uint64_t bias = step / 50000 % 2 ? 40 : 60; /* growing and shrinking in turn */
        if (m.count == 0 || (m.count < HANDLES && cns_rng_below(&rng, 100) < bias)) {
            cns_handle handle = 0;
            require(cns_pool_acquire(pool, &handle) == CNS_OK, "acquire");
            uint64_t *slot = cns_pool_get(pool, handle);
            require(slot && slot[0] == 0 && slot[4] == 0, "a zeroed slot");
            slot[0] = slot[4] = handle;
            m.where[m.count] = slot;
            m.live[m.count++] = handle;
        } else {
            size_t pick = cns_rng_below(&rng, m.count);
            cns_handle handle = m.live[pick];
            uint64_t *slot = cns_pool_get(pool, handle);
            require(slot == m.where[pick], "a slot that stays where it is");
            require(slot[0] == handle && slot[4] == handle, "contents");
            require(cns_pool_release(pool, handle) == CNS_OK, "release");
            m.dead[m.dead_count++ % HANDLES] = handle;
            m.live[pick] = m.live[--m.count];
            m.where[pick] = m.where[m.count];
        }
        require(cns_pool_count(pool) == m.count, "count");
        if (m.dead_count) {
            size_t known = m.dead_count < HANDLES ? m.dead_count : HANDLES;
            require(!cns_pool_get(pool, m.dead[cns_rng_below(&rng, known)]), "a stale handle");
        }
        if (step % 30000 == 0) {
            support_status(context, CNS_OK, cns_pool_check(pool));
            check_iteration(pool, &m);
        }
    }
    cns_pool_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(slots_may_be_released_while_iterating) {
    cns_context *context = support_context();
    cns_pool *pool = create(context, 16, 0, 0);
    cns_handle handle = 0;
    for (int i = 0; i < 10000; i++) {
        ck_assert_int_eq(cns_pool_acquire(pool, &handle), CNS_OK);
    }
    int seen = 0;
    for (handle = cns_pool_next(pool, 0); handle; handle = cns_pool_next(pool, handle)) {
        ck_assert_int_eq(cns_pool_release(pool, handle), CNS_OK);
        seen++;
    }
    ck_assert_int_eq(seen, 10000);
    ck_assert_uint_eq(cns_pool_count(pool), 0);
    ck_assert_uint_eq(cns_pool_next(pool, UINT64_MAX), 0);
    cns_pool_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static cns_status use_pool(cns_context *context) {
    cns_pool_config config = {.size = sizeof config, .slot_size = 40000};
    cns_pool *pool = NULL;
    cns_status status = cns_pool_create(context, &config, &pool);
    for (int i = 0; i < 20 && status == CNS_OK; i++) {
        cns_handle handle;
        status = cns_pool_acquire(pool, &handle);
    }
    if (pool) {
        support_status(context, CNS_OK, cns_pool_check(pool));
    }
    cns_pool_destroy(pool);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(use_pool);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("pool");
    TCase *cases = tcase_create("pool");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, stale_and_forged_handles_name_nothing);
    tcase_add_test(cases, used_up_slots_are_retired);
    tcase_add_test(cases, capacity_and_slots_of_all_sizes);
    tcase_add_test(cases, random_sequences_match_the_model);
    tcase_add_test(cases, slots_may_be_released_while_iterating);
    tcase_add_test(cases, failing_allocations_are_survived);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
