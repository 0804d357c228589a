/* SPDX-License-Identifier: MIT
 *
 * test_os.c - the seam to the operating system: pages, threads, locks, clocks, files, texts.
 */
#define _GNU_SOURCE /* sched_setaffinity, pthread_sigmask */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "support.h"

START_TEST(pages_are_zeroed_and_aligned) {
    size_t page = cns_os_page_size();
    for (size_t alignment = page; alignment <= 4 << 20; alignment *= 4) {
        uint8_t *pages = cns_os_pages_map(5 * page, alignment);
        ck_assert_ptr_nonnull(pages);
        ck_assert_uint_eq((uintptr_t)pages % alignment, 0);
        ck_assert_uint_eq(pages[0] | pages[5 * page - 1], 0);
        memset(pages, 7, 5 * page);
        if (cns_os_pages_purge(pages, 5 * page)) {
            ck_assert_uint_eq(pages[0] | pages[5 * page - 1], 0);
        }
        cns_os_pages_unmap(pages, 5 * page);
    }
    ck_assert_ptr_null(cns_os_pages_map(SIZE_MAX & ~(page - 1), page));
    ck_assert_ptr_null(cns_os_pages_map(SIZE_MAX & ~(page - 1), 4 << 20));
    ck_assert_ptr_null(cns_os_pages_map((SIZE_MAX / 2) & ~(page - 1), 4 << 20));
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

typedef struct report {
    uint64_t id;
    sigset_t blocked;
    char name[16];
} report;

static void fill_report(void *raw) {
    report *out = raw;
    out->id = cns_os_thread_id();
    pthread_sigmask(SIG_BLOCK, NULL, &out->blocked);
    pthread_getname_np(pthread_self(), out->name, sizeof out->name);
}

START_TEST(threads_start_with_signals_blocked) {
    sigset_t wanted;
    sigset_t now;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGUSR2);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, &wanted, NULL), 0);
    report out = {0};
    cns_os_thread thread;
    ck_assert_int_eq(cns_os_thread_create(&thread, fill_report, &out, "a name that is too long", 0),
                     0);
    cns_os_thread_join(&thread);
    ck_assert_str_eq(out.name, "a name that is ");
    ck_assert_uint_ne(out.id, 0);
    ck_assert_uint_ne(out.id, cns_os_thread_id());
    ck_assert_int_eq(sigismember(&out.blocked, SIGINT), 1);
    ck_assert_int_eq(sigismember(&out.blocked, SIGALRM), 1);
    ck_assert_int_eq(sigismember(&out.blocked, SIGSEGV), 0);
    ck_assert_int_eq(sigismember(&out.blocked, SIGSYS), 0);
    ck_assert_int_eq(sigismember(&out.blocked, SIGUSR2), 1); /* the creator had it blocked */
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, NULL, &now), 0);
    ck_assert_int_eq(sigismember(&now, SIGINT), 0);
    ck_assert_int_eq(sigismember(&now, SIGUSR2), 1);
}
END_TEST

START_TEST(stacks_of_any_size) {
    static const size_t sizes[] = {1, 4096, 100000, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        report out = {0};
        cns_os_thread thread;
        ck_assert_int_eq(cns_os_thread_create(&thread, fill_report, &out, NULL, sizes[i]), 0);
        cns_os_thread_join(&thread);
        ck_assert_uint_ne(out.id, 0);
    }
    cns_os_thread thread;
    ck_assert_int_ne(cns_os_thread_create(&thread, fill_report, NULL, NULL, SIZE_MAX), 0);
}
END_TEST

START_TEST(affinity_is_counted) {
    cpu_set_t before;
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    ck_assert_uint_eq(cns_os_cpus_affinity(), (unsigned)CPU_COUNT(&before));
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++) {
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
        }
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(cns_os_cpus_affinity(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof before, &before), 0);
}
END_TEST

START_TEST(conditions_time_out) {
    cns_mutex mutex;
    cns_condition condition;
    ck_assert_int_eq(cns_mutex_init(&mutex), 0);
    ck_assert_int_eq(cns_condition_init(&condition), 0);
    cns_mutex_lock(&mutex);
    uint64_t deadline = cns_os_clock() + 2000000;
    while (cns_condition_wait_until(&condition, &mutex, deadline)) {
    }
    ck_assert_uint_ge(cns_os_clock(), deadline);
    ck_assert_int_eq(cns_condition_wait_until(&condition, &mutex, 0), false);
    cns_mutex_unlock(&mutex);
    ck_assert(cns_mutex_try_lock(&mutex));
    ck_assert(!cns_mutex_try_lock(&mutex));
    cns_mutex_unlock(&mutex);
    cns_condition_deinit(&condition);
    cns_mutex_deinit(&mutex);
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------------- */

START_TEST(random_bytes_differ) {
    uint8_t first[300] = {0};
    uint8_t second[300] = {0};
    cns_os_random(first, sizeof first);
    cns_os_random(second, sizeof second);
    ck_assert_mem_ne(first, second, sizeof first);
    ck_assert_mem_ne(first, first + 150, 150);
    unsigned ones = 0;
    for (size_t i = 0; i < sizeof first; i++) {
        for (int bit = 0; bit < 8; bit++) {
            ones += first[i] >> bit & 1;
        }
    }
    ck_assert_uint_gt(ones, 900); /* 1200 expected, deviation 25: ten of them are no accident */
    ck_assert_uint_lt(ones, 1500);
    cns_os_random(first, 0);
}
END_TEST

START_TEST(files_are_read_or_refused) {
    char path[] = "/tmp/cns-os-XXXXXX";
    int handle = mkstemp(path);
    ck_assert_int_ge(handle, 0);
    ck_assert_int_eq(write(handle, "hello", 5), 5);
    close(handle);
    char text[16];
    ck_assert(cns_os_file_slurp(path, text, sizeof text));
    ck_assert_str_eq(text, "hello");
    ck_assert(cns_os_file_slurp(path, text, 3));
    ck_assert_str_eq(text, "he");
    ck_assert(!cns_os_file_slurp(path, text, 0));
    cns_os_file file = {0};
    size_t got = 99;
    ck_assert_int_eq(cns_os_file_open(&file, path), 0);
    ck_assert(file.regular && file.size == 5);
    ck_assert_int_eq(cns_os_file_read(&file, text, sizeof text, &got), 0);
    ck_assert_uint_eq(got, 5);
    cns_os_file_close(&file);
    unlink(path);
    ck_assert_int_eq(cns_os_file_open(&file, path), ENOENT);
    ck_assert_int_eq(cns_os_file_open(&file, "/tmp"), EISDIR);
    ck_assert(!cns_os_file_slurp(path, text, sizeof text));
}
END_TEST

START_TEST(libraries_open_or_say_why) {
    void *library = NULL;
    char why[128] = "";
    ck_assert(cns_os_library_open("libm.so.6", &library, why, sizeof why));
    double (*cosine)(double) = (double (*)(double))cns_os_library_symbol(library, "cos");
    ck_assert_ptr_nonnull(cosine);
    ck_assert(cosine(0) == 1);
    ck_assert(cns_os_library_symbol(library, "no_such_function") == NULL);
    cns_os_library_close(library);
    library = NULL;
    ck_assert(!cns_os_library_open("/nowhere/plugin.so", &library, why, sizeof why));
    ck_assert_ptr_nonnull(strstr(why, "/nowhere/plugin.so"));
    ck_assert_ptr_null(library);
    ck_assert(!cns_os_library_open("/nowhere/plugin.so", &library, why, 0));
    cns_os_library_close(NULL);
}
END_TEST

START_TEST(functions_have_identities) {
    char here[512], other[512], there[512], again[512];
    ck_assert(cns_os_function_identity((cns_os_symbol)cns_os_clock, here, sizeof here));
    ck_assert(cns_os_function_identity((cns_os_symbol)cns_os_sleep, other, sizeof other));
    ck_assert(cns_os_function_identity((cns_os_symbol)strtod, there, sizeof there));
    ck_assert(cns_os_function_identity((cns_os_symbol)cns_os_clock, again, sizeof again));
    ck_assert_str_eq(here, again);
    ck_assert_str_ne(here, other);
    size_t build = strcspn(here, "+"); /* the same build, another place in it */
    ck_assert_uint_gt(build, 8);
    ck_assert_int_eq(strncmp(here, other, build + 1), 0);
    ck_assert_int_ne(strncmp(here, there, build), 0);
    ck_assert(!cns_os_function_identity((cns_os_symbol)cns_os_clock, again, 8));
    ck_assert(!cns_os_function_identity((cns_os_symbol)(uintptr_t)16, again, sizeof again));
}
END_TEST

START_TEST(error_texts_reach_the_buffer) {
    char text[64];
    ck_assert_ptr_eq(cns_os_error_text(ENOENT, text, sizeof text), text);
    ck_assert_str_eq(text, strerror(ENOENT));
    ck_assert_ptr_eq(cns_os_error_text(987654, text, sizeof text), text);
    ck_assert_uint_gt(strlen(text), 5);
    cns_os_error_text(ENOENT, text, 4);
    ck_assert_uint_le(strlen(text), 3);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("os");
    TCase *cases = tcase_create("os");
    tcase_add_test(cases, pages_are_zeroed_and_aligned);
    tcase_add_test(cases, threads_start_with_signals_blocked);
    tcase_add_test(cases, stacks_of_any_size);
    tcase_add_test(cases, affinity_is_counted);
    tcase_add_test(cases, conditions_time_out);
    tcase_add_test(cases, random_bytes_differ);
    tcase_add_test(cases, files_are_read_or_refused);
    tcase_add_test(cases, libraries_open_or_say_why);
    tcase_add_test(cases, functions_have_identities);
    tcase_add_test(cases, error_texts_reach_the_buffer);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
