/* SPDX-License-Identifier: MIT
 *
 * test_context.c - status codes, context, memory account, CPU levels.
 */
#include <limits.h>
#include <string.h>

#include "base/context.h"
#include "support.h"

START_TEST(statuses_have_names) {
    ck_assert_str_eq(cns_status_name(CNS_OK), "CNS_OK");
    ck_assert_str_eq(cns_status_name(CNS_E_FAILED), "CNS_E_FAILED");
    ck_assert_str_eq(cns_status_name((cns_status)-99), "unknown status");
    ck_assert_str_eq(cns_status_name((cns_status)7), "unknown status");
    ck_assert_str_eq(cns_status_name((cns_status)INT_MIN), "unknown status");
    ck_assert_str_eq(cns_status_text((cns_status)INT_MAX), "unknown status");
    ck_assert_str_eq(cns_status_name((cns_status)-14), "unknown status");
    ck_assert_str_eq(cns_status_text(CNS_E_LIMIT), "limit reached");
    ck_assert_uint_eq(cns_abi_version(), CNS_ABI_VERSION);
    ck_assert_str_eq(cns_version_string(), "0.1.0");
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(NULL, NULL), CNS_E_INVALID);
    cns_context_config config = {.size = 3};
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_E_INVALID);
    config = (cns_context_config){.size = sizeof config, .cpu_level = (cns_cpu_level)99};
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_E_UNSUPPORTED);
    ck_assert_ptr_null(context);
    cns_context_destroy(NULL);
}
END_TEST

START_TEST(messages_are_cut_and_terminated) {
    cns_context *context = support_context();
    char text[8] = "?";
    ck_assert_uint_eq(cns_context_message(context, text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    ck_assert_int_eq(cns_fail(context, CNS_E_RANGE, "index %d", 123456), CNS_E_RANGE);
    ck_assert_uint_eq(cns_context_message(context, text, sizeof text), 12);
    ck_assert_str_eq(text, "index 1");
    ck_assert_uint_eq(cns_context_message(context, NULL, 0), 12);
    support_context_destroy(context);
}
END_TEST

START_TEST(the_limit_holds) {
    cns_context_config config = {.size = sizeof config, .memory_limit = 10000};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    void *block = cns_context_alloc(context, 6000, 64);
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % 64, 0);
    ck_assert_ptr_null(cns_context_alloc(context, 4001, 16));
    ck_assert_int_eq(cns_context_memory_status(context, 4001), CNS_E_LIMIT);
    ck_assert_ptr_null(cns_context_map(context, 4097, 0, NULL));
    ck_assert_ptr_null(cns_context_alloc(context, SIZE_MAX, 16));
    ck_assert_ptr_null(cns_context_map(context, SIZE_MAX, 0, NULL));
    cns_context_free(context, block, 6000, 64);
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    ck_assert_uint_eq(stats.held, 0);
    ck_assert_uint_eq(stats.peak, 6000);
    int zeroed = 0;
    unsigned char *pages = cns_context_map(context, 4097, 8192, &zeroed);
    ck_assert_ptr_nonnull(pages);
    ck_assert_int_eq(zeroed, 1);
    ck_assert_uint_eq((uintptr_t)pages % 8192, 0);
    pages[4096] = 7;
    ck_assert_int_eq(cns_context_purge(context, pages, 8192), 1);
    ck_assert_int_eq(pages[4096], 0);
    cns_context_unmap(context, pages, 4097, 8192);
    support_context_destroy(context);
}
END_TEST

START_TEST(realloc_keeps_contents_and_account) {
    cns_context *context = support_context();
    char *text = cns_context_realloc(context, NULL, 0, 4);
    memcpy(text, "abc", 4);
    text = cns_context_realloc(context, text, 4, 4000);
    ck_assert_str_eq(text, "abc");
    text = cns_context_realloc(context, text, 4000, 4);
    ck_assert_str_eq(text, "abc");
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    ck_assert_uint_eq(stats.held, 4);
    cns_context_free(context, text, 4, CNS_ALIGN_DEFAULT);
    support_context_destroy(context);
}
END_TEST

START_TEST(a_limit_does_not_stop_shrinking) {
    cns_context_config config = {.size = sizeof config, .memory_limit = 10000};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    char *block = cns_context_realloc(context, NULL, 0, 9000);
    ck_assert_ptr_nonnull(block);
    ck_assert_ptr_null(cns_context_realloc(context, block, 9000, 9001));
    ck_assert_int_eq(cns_context_memory_status(context, 9001), CNS_E_LIMIT);
    block = cns_context_realloc(context, block, 9000, 4000);
    ck_assert_ptr_nonnull(block);
    block = cns_context_realloc(context, block, 4000, 6000); /* both fit for the while */
    ck_assert_ptr_nonnull(block);
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    ck_assert_uint_eq(stats.held, 6000);
    ck_assert_uint_eq(stats.peak, 10000);
    /* 4000 bytes would fit, the page that they take does not: the limit it is. */
    ck_assert_ptr_null(cns_context_map(context, 4000, 0, NULL));
    ck_assert_int_eq(cns_context_memory_status(context, 4000), CNS_E_LIMIT);
    block = cns_context_realloc(context, block, 6000, 0);
    ck_assert_ptr_nonnull(block);
    cns_context_free(context, block, 0, CNS_ALIGN_DEFAULT);
    support_context_destroy(context);
}
END_TEST

START_TEST(cpu_levels_nest) {
    cns_cpu_level best = cns_cpu_detect();
    ck_assert_int_eq(cns_cpu_supports(best), 1);
    ck_assert_int_eq(cns_cpu_supports(CNS_CPU_PORTABLE), 1);
    ck_assert_int_eq(cns_cpu_supports(CNS_CPU_DETECT), 0);
    if (best == CNS_CPU_AVX512) {
        ck_assert_int_eq(cns_cpu_supports(CNS_CPU_SSE41), 1);
        ck_assert_int_eq(cns_cpu_supports(CNS_CPU_NEON), 0);
    }
    cns_context_config config = {.size = sizeof config, .cpu_level = CNS_CPU_PORTABLE};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    ck_assert_int_eq(cns_context_cpu_level(context), CNS_CPU_PORTABLE);
    support_context_destroy(context);
}
END_TEST

static cns_status allocate_twice(cns_context *context) {
    void *first = cns_context_alloc(context, 10, 16);
    if (!first) {
        return cns_context_memory_status(context, 10);
    }
    void *second = cns_context_map(context, 10, 16, NULL);
    cns_status status = second ? CNS_OK : cns_context_memory_status(context, 10);
    cns_context_unmap(context, second, 10, 16);
    cns_context_free(context, first, 10, 16);
    return status;
}

START_TEST(failing_allocations_are_reported) {
    support_each_allocation_fails(allocate_twice);
}
END_TEST

START_TEST(an_inner_context_counts_in_both) {
    cns_context_config config = {.size = sizeof config, .memory_limit = 100000};
    cns_context *outer = NULL;
    cns_context *inner = NULL;
    ck_assert_int_eq(cns_context_create(&config, &outer), CNS_OK);
    ck_assert_int_eq(cns_context_create_inner(outer, "part", 10000, &inner), CNS_OK);
    cns_memory_stats before, stats;
    cns_context_memory(outer, &before);
    void *block = cns_context_alloc(inner, 6000, 64);
    ck_assert_ptr_nonnull(block);
    ck_assert_uint_eq((uintptr_t)block % 64, 0);
    cns_context_memory(outer, &stats);
    ck_assert_uint_eq(stats.held, before.held + 6000);
    ck_assert_ptr_null(cns_context_alloc(inner, 4001, 16));
    ck_assert_int_eq(cns_context_memory_status(inner, 4001), CNS_E_LIMIT);
    char message[200];
    cns_context_message(outer, message, sizeof message);
    ck_assert_str_eq(
        message, "4001 bytes would pass the part's memory limit (6000 of 10000 bytes are held)");
    cns_context_set_memory_limit(inner, 0);
    ck_assert_ptr_null(cns_context_alloc(inner, 95000, 16)); /* the outer limit holds, too */
    ck_assert_int_eq(cns_context_memory_status(inner, 95000), CNS_E_LIMIT);
    char *grown = cns_context_realloc(inner, NULL, 0, 100);
    grown = cns_context_realloc(inner, grown, 100, 20000);
    ck_assert_ptr_nonnull(grown);
    cns_context_memory(inner, &stats);
    ck_assert_uint_eq(stats.held, 26000);
    cns_context_free(inner, grown, 20000, CNS_ALIGN_DEFAULT);
    cns_context_free(inner, block, 6000, 64);
    cns_context_memory(inner, &stats);
    ck_assert_uint_eq(stats.held, 0);
    cns_context_destroy(inner);
    support_context_destroy(outer);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("context");
    TCase *cases = tcase_create("context");
    tcase_add_test(cases, statuses_have_names);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, messages_are_cut_and_terminated);
    tcase_add_test(cases, the_limit_holds);
    tcase_add_test(cases, realloc_keeps_contents_and_account);
    tcase_add_test(cases, a_limit_does_not_stop_shrinking);
    tcase_add_test(cases, an_inner_context_counts_in_both);
    tcase_add_test(cases, cpu_levels_nest);
    tcase_add_test(cases, failing_allocations_are_reported);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
