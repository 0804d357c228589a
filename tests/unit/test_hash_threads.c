/* SPDX-License-Identifier: MIT
 *
 * test_hash_threads.c - digests over the engine's own pool: same bytes as on one thread, and no
 * race for the thread sanitizer to find.
 */
#define _GNU_SOURCE /* mkstemp */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cns/hash.h"
#include "cns/tasks.h"
#include "support.h"

enum { SIZE = 3000001, MESSAGES = 3000 };

static uint8_t data[SIZE];
static cns_context *context;
static cns_tasks *tasks;
static cns_executor executor;

static void start_pool(void) {
    for (size_t i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)(i * 2654435761u >> 11);
    }
    cns_tasks_config config = {.size = sizeof config, .workers = 4};
    context = support_context();
    support_status(context, CNS_OK, cns_tasks_create(context, &config, &tasks));
    cns_tasks_executor(tasks, &executor);
}

static void stop_pool(void) {
    cns_tasks_destroy(tasks);
    support_context_destroy(context);
}

START_TEST(one_tree) {
    for (size_t size = SIZE; size > 200000; size = size * 2 / 3) {
        uint8_t expected[32], got[32];
        cns_hash_digest(context, CNS_HASH_BLAKE3, NULL, data, size, expected, 32);
        support_status(
            context, CNS_OK,
            cns_hash_parallel(context, CNS_HASH_BLAKE3, NULL, data, size, got, 32, &executor));
        ck_assert_mem_eq(expected, got, 32);
    }
}
END_TEST

START_TEST(many_messages) {
    static const void *messages[MESSAGES];
    static size_t sizes[MESSAGES];
    static uint8_t got[MESSAGES * 64];
    for (int a = CNS_HASH_BLAKE3; a <= CNS_HASH_CRC32C; a++) {
        cns_hash_algorithm algorithm = (cns_hash_algorithm)a;
        size_t digest_size = cns_hash_digest_size(algorithm);
        for (size_t i = 0; i < MESSAGES; i++) {
            messages[i] = data + i * 31;
            sizes[i] = i * 7919 % 2500;
        }
        support_status(context, CNS_OK,
                       cns_hash_batch(context, algorithm, NULL, messages, sizes, MESSAGES, got,
                                      sizeof got, &executor));
        for (size_t i = 0; i < MESSAGES; i++) {
            uint8_t expected[64];
            cns_hash_digest(context, algorithm, NULL, messages[i], sizes[i], expected, 64);
            ck_assert_mem_eq(expected, got + i * digest_size, digest_size);
        }
    }
}
END_TEST

START_TEST(a_file) {
    char path[] = "/tmp/cns_hash_threads_XXXXXX";
    int handle = mkstemp(path);
    ck_assert_int_ge(handle, 0);
    ck_assert_int_eq((int)write(handle, data, SIZE), SIZE);
    close(handle);
    uint8_t expected[32], got[32];
    cns_hash_digest(context, CNS_HASH_BLAKE3, NULL, data, SIZE, expected, 32);
    support_status(context, CNS_OK,
                   cns_hash_file(context, CNS_HASH_BLAKE3, NULL, path, got, 32, &executor));
    unlink(path);
    ck_assert_mem_eq(expected, got, 32);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hash_threads");
    TCase *cases = tcase_create("threads");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, start_pool, stop_pool);
    tcase_add_test(cases, one_tree);
    tcase_add_test(cases, many_messages);
    tcase_add_test(cases, a_file);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
