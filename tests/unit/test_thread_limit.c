/* SPDX-License-Identifier: MIT
 *
 * test_thread_limit.c - a pool where the OS refuses threads, and the pool's own check.
 *
 * The linker hands every call of cns_os_thread_create to the wrapper below.
 */
#include <errno.h>
#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "cns/tasks.h"
#include "support.h"
#include "tasks/pool.h"

static int allowed; /* threads that may still start */

int __real_cns_os_thread_create(cns_os_thread *thread, void (*entry)(void *), void *argument,
                                const char *name, size_t stack_size);
int __wrap_cns_os_thread_create(cns_os_thread *thread, void (*entry)(void *), void *argument,
                                const char *name, size_t stack_size);
int __wrap_cns_os_thread_create(cns_os_thread *thread, void (*entry)(void *), void *argument,
                                const char *name, size_t stack_size) {
    return allowed-- > 0 ? __real_cns_os_thread_create(thread, entry, argument, name, stack_size)
                         : EAGAIN;
}

static cns_status count_range(void *user, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        ((unsigned char *)user)[i]++;
    }
    return CNS_OK;
}

START_TEST(goes_on_with_fewer) {
    cns_context *context;
    ck_assert_int_eq(cns_context_create(NULL, &context), CNS_OK);
    cns_tasks_config config = {.size = sizeof config, .workers = 8};
    unsigned char seen[5000] = {0};
    for (int threads = 1; threads <= 8; threads++) {
        cns_tasks *pool;
        allowed = threads;
        ck_assert_int_eq(cns_tasks_create(context, &config, &pool), CNS_OK);
        ck_assert_uint_eq(cns_tasks_workers(pool), (uint32_t)threads);
        cns_loop_options options = {.size = sizeof options, .grain = 7};
        ck_assert_int_eq(cns_tasks_for(pool, &options, 0, 5000, count_range, seen), CNS_OK);
        for (int i = 0; i < 5000; i++) {
            ck_assert_int_eq(seen[i], threads);
        }
        ck_assert_int_eq(cns_tasks_check(pool), CNS_OK);
        cns_tasks_destroy(pool);
    }
    cns_context_destroy(context);
}
END_TEST

START_TEST(none_is_an_error) {
    cns_context *context;
    cns_tasks *pool = NULL;
    ck_assert_int_eq(cns_context_create(NULL, &context), CNS_OK);
    allowed = 0;
    ck_assert_int_eq(cns_tasks_create(context, NULL, &pool), CNS_E_NOMEM);
    ck_assert_ptr_null(pool);
    char message[256];
    cns_context_message(context, message, sizeof message);
    ck_assert_ptr_nonnull(strstr(message, "no thread"));
    cns_context_destroy(context);
}
END_TEST

START_TEST(check_sees_damage) {
    cns_context *context;
    cns_tasks *pool;
    ck_assert_int_eq(cns_context_create(NULL, &context), CNS_OK);
    allowed = 100;
    ck_assert_int_eq(cns_tasks_create(context, NULL, &pool), CNS_OK);
    ck_assert_int_eq(cns_tasks_check(NULL), CNS_E_INVALID);
    pool->node_count++;
    ck_assert_int_eq(cns_tasks_check(pool), CNS_E_CORRUPT);
    pool->node_count--;
    CNS_ADD(&pool->queues[CNS_PRIORITY_LOW][1].count, 1, seq_cst);
    ck_assert_int_eq(cns_tasks_check(pool), CNS_E_CORRUPT);
    CNS_SUB(&pool->queues[CNS_PRIORITY_LOW][1].count, 1, seq_cst);
    ck_assert_int_eq(cns_tasks_check(pool), CNS_OK);
    cns_tasks_destroy(pool);
    cns_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("thread_limit");
    TCase *cases = tcase_create("thread_limit");
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, goes_on_with_fewer);
    tcase_add_test(cases, none_is_an_error);
    tcase_add_test(cases, check_sees_damage);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
