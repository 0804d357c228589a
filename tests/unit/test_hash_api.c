/* SPDX-License-Identifier: MIT
 *
 * test_hash_api.c - the digests' contract: names, refused parameters, files and their failures,
 * failing allocations, hex.
 */
#define _GNU_SOURCE /* mkdtemp, mkfifo */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cns/hash.h"
#include "support.h"

static char directory[] = "/tmp/cns_hash_XXXXXX";
static char path[128];

static void make_file(size_t size) {
    snprintf(path, sizeof path, "%s/file", directory);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < size; i++) {
        putc((int)(i % 251), file);
    }
    ck_assert_int_eq(fclose(file), 0);
}

static void enter_directory(void) {
    ck_assert_ptr_nonnull(mkdtemp(directory));
}

static void leave_directory(void) {
    snprintf(path, sizeof path, "%s/file", directory);
    unlink(path);
    rmdir(directory);
}

/* The message of the context's last failure must contain `part`. */
static void check_message(cns_context *context, const char *part) {
    char message[256];
    cns_context_message(context, message, sizeof message);
    ck_assert_msg(strstr(message, part) != NULL, "'%s' is not in: %s", part, message);
}

/* ---- names ---------------------------------------------------------------------------------- */

START_TEST(names_go_both_ways) {
    static const size_t sizes[] = {32, 64, 8, 16, 4, 8, 8};
    for (int i = 1; i <= 7; i++) {
        cns_hash_algorithm parsed = (cns_hash_algorithm)0;
        const char *name = cns_hash_name((cns_hash_algorithm)i);
        ck_assert_ptr_nonnull(name);
        ck_assert_int_eq(cns_hash_parse(name, &parsed), CNS_OK);
        ck_assert_int_eq(parsed, i);
        ck_assert_uint_eq(cns_hash_digest_size(parsed), sizes[i - 1]);
    }
    cns_hash_algorithm none = (cns_hash_algorithm)0;
    ck_assert_int_eq(cns_hash_parse("md5", &none), CNS_E_NOTFOUND);
    ck_assert_int_eq(cns_hash_parse(NULL, &none), CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_parse("blake3", NULL), CNS_E_INVALID);
    ck_assert_ptr_null(cns_hash_name((cns_hash_algorithm)0));
    ck_assert_ptr_null(cns_hash_name((cns_hash_algorithm)8));
    ck_assert_ptr_null(cns_hash_name((cns_hash_algorithm)-1));
    ck_assert_uint_eq(cns_hash_digest_size((cns_hash_algorithm)8), 0);
}
END_TEST

START_TEST(hex_is_lower_case_and_terminated) {
    char hex[9] = "????????";
    cns_hash_hex("\x00\xff\x1a\xb2", 4, hex);
    ck_assert_str_eq(hex, "00ff1ab2");
    cns_hash_hex(NULL, 0, hex);
    ck_assert_str_eq(hex, "");
}
END_TEST

/* ---- parameters ----------------------------------------------------------------------------- */

typedef struct refusal {
    cns_hash_algorithm algorithm;
    cns_hash_params params;
    const char *message;
} refusal;

static const char bytes[65] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static const refusal refusals[] = {
    {(cns_hash_algorithm)99, {0}, "algorithm"},
    {CNS_HASH_BLAKE3, {.key = bytes, .key_size = 31}, "key must have 32 bytes, not 31"},
    {CNS_HASH_BLAKE3, {.key = NULL, .key_size = 32}, "key is NULL"},
    {CNS_HASH_BLAKE3, {.key = bytes, .key_size = 0}, "key must have 32"},
    {CNS_HASH_BLAKE3, {.salt = bytes, .salt_size = 16}, "takes no salt"},
    {CNS_HASH_BLAKE3, {.key = bytes, .key_size = 32, .derive = "x", .derive_size = 1}, "not both"},
    {CNS_HASH_BLAKE3, {.derive_size = 1}, "derive is NULL"},
    {CNS_HASH_BLAKE3, {.seed = 1}, "takes no seed"},
    {CNS_HASH_BLAKE2B, {.digest_size = 65}, "digest_size must be 1 to 64, not 65"},
    {CNS_HASH_BLAKE2B, {.key = bytes, .key_size = 65}, "key must have 0 to 64 bytes, not 65"},
    {CNS_HASH_BLAKE2B, {.salt = bytes, .salt_size = 15}, "salt must have 16 bytes, not 15"},
    {CNS_HASH_BLAKE2B, {.personal = bytes, .personal_size = 17}, "personal must have 16"},
    {CNS_HASH_BLAKE2B, {.derive = "x", .derive_size = 1}, "takes no derive"},
    {CNS_HASH_XXH3_64, {.digest_size = 4}, "digest_size must be 8, not 4"},
    {CNS_HASH_XXH3_64, {.key = bytes, .key_size = 16}, "takes no key"},
    {CNS_HASH_XXH3_128, {.digest_size = 8}, "digest_size must be 16, not 8"},
    {CNS_HASH_CRC32C, {.seed = UINT64_C(1) << 32}, "seed must fit 32 bits"},
    {CNS_HASH_SIPHASH24, {0}, "needs a key of 16 bytes"},
    {CNS_HASH_SIPHASH13, {.key = bytes, .key_size = 15}, "key must have 16 bytes, not 15"},
    {CNS_HASH_SIPHASH13, {.key = bytes, .key_size = 16, .digest_size = 16}, "digest_size"},
};

START_TEST(wrong_parameters_are_named) {
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        cns_hash_params params = refusals[i].params;
        params.size = sizeof params;
        uint8_t out[64] = {0}, untouched[64] = {0};
        support_status(
            context, CNS_E_INVALID,
            cns_hash_digest(context, refusals[i].algorithm, &params, "x", 1, out, sizeof out));
        check_message(context, refusals[i].message);
        cns_hasher *hasher = NULL;
        support_status(context, CNS_E_INVALID,
                       cns_hasher_create(context, refusals[i].algorithm, &params, &hasher));
        ck_assert_ptr_null(hasher);
        const void *messages[] = {"x"};
        size_t size = 1;
        ck_assert_int_eq(cns_hash_batch(context, refusals[i].algorithm, &params, messages, &size, 1,
                                        out, sizeof out, NULL),
                         CNS_E_INVALID);
        ck_assert_int_eq(
            cns_hash_file(NULL, refusals[i].algorithm, &params, "/dev/null", out, sizeof out, NULL),
            CNS_E_INVALID);
        ck_assert_mem_eq(out, untouched, sizeof out);
    }
    support_context_destroy(context);
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    uint8_t out[64];
    cns_hash_params no_size = {0};
    const void *messages[2] = {"a", NULL};
    size_t sizes[2] = {1, 1};
    cns_hasher *hasher = NULL;
    ck_assert_int_eq(cns_hash_digest(context, CNS_HASH_BLAKE3, &no_size, "x", 1, out, 32),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_digest(context, CNS_HASH_BLAKE3, NULL, NULL, 1, out, 32),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_digest(context, CNS_HASH_BLAKE3, NULL, "x", 1, NULL, 32),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_digest(context, CNS_HASH_BLAKE3, NULL, "x", 1, out, 31),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, NULL, 0, out, 32), CNS_OK);
    ck_assert_int_eq(
        cns_hash_batch(context, CNS_HASH_BLAKE3, NULL, messages, sizes, 2, out, 64, NULL),
        CNS_E_INVALID);
    check_message(context, "message 1 is NULL");
    ck_assert_int_eq(cns_hash_batch(context, CNS_HASH_BLAKE3, NULL, messages, sizes, SIZE_MAX / 16,
                                    out, 64, NULL),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_batch(context, CNS_HASH_BLAKE3, NULL, NULL, sizes, 1, out, 64, NULL),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_batch(context, CNS_HASH_BLAKE3, NULL, NULL, NULL, 0, NULL, 0, NULL),
                     CNS_OK);
    ck_assert_int_eq(cns_hasher_create(NULL, CNS_HASH_BLAKE3, NULL, &hasher), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_create(context, CNS_HASH_BLAKE3, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_hash_file(context, CNS_HASH_BLAKE3, NULL, NULL, out, 32, NULL),
                     CNS_E_INVALID);
    support_context_destroy(context);
}
END_TEST

START_TEST(hashers_refuse_misuse) {
    cns_context *context = support_context();
    cns_hasher *hasher = NULL;
    uint8_t out[64];
    cns_hasher_destroy(NULL);
    cns_hasher_reset(NULL);
    ck_assert_uint_eq(cns_hasher_digest_size(NULL), 0);
    ck_assert_int_eq(cns_hasher_update(NULL, "x", 1), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_finalize(NULL, out, 64), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_read(NULL, 0, out, 64), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_clone(NULL, &hasher), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_create(context, CNS_HASH_BLAKE2B, NULL, &hasher), CNS_OK);
    ck_assert_int_eq(cns_hasher_update(hasher, NULL, 1), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_update(hasher, NULL, 0), CNS_OK);
    ck_assert_int_eq(cns_hasher_finalize(hasher, out, 63), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_finalize(hasher, NULL, 64), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_clone(hasher, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_hasher_read(hasher, 0, out, 1), CNS_E_UNSUPPORTED);
    check_message(context, "blake2b has no extendable output");
    cns_hasher_destroy(hasher);
    support_context_destroy(context);
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------- */

static cns_status run_in_order(void *pool, int64_t begin, int64_t end, int64_t grain,
                               cns_range_fn body, void *user) {
    (void)pool;
    for (; begin < end; begin += grain) {
        cns_status status = body(user, begin, end - begin > grain ? begin + grain : end);
        if (status != CNS_OK) {
            return status;
        }
    }
    return CNS_OK;
}

static const cns_executor executor = {run_in_order, NULL, 2, 0};

START_TEST(files_hash_as_their_bytes) {
    static const size_t sizes[] = {0,      1,      16383,         16384,   16385,
                                   262144, 262145, (4 << 20) + 1, 8 << 20, (9 << 20) + 5};
    static uint8_t contents[(9 << 20) + 5];
    for (size_t i = 0; i < sizeof contents; i++) {
        contents[i] = (uint8_t)(i % 251);
    }
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_file(sizes[i]);
        for (int algorithm = CNS_HASH_BLAKE3; algorithm <= CNS_HASH_CRC32C; algorithm++) {
            cns_hash_algorithm a = (cns_hash_algorithm)algorithm;
            size_t digest_size = cns_hash_digest_size(a);
            uint8_t expected[64], got[64];
            cns_hash_digest(NULL, a, NULL, contents, sizes[i], expected, 64);
            support_status(context, CNS_OK, cns_hash_file(context, a, NULL, path, got, 64, NULL));
            ck_assert_mem_eq(expected, got, digest_size);
            memset(got, 0, sizeof got);
            support_status(context, CNS_OK,
                           cns_hash_file(context, a, NULL, path, got, 64, &executor));
            ck_assert_mem_eq(expected, got, digest_size);
            memset(got, 0, sizeof got);
            ck_assert_int_eq(cns_hash_file(NULL, a, NULL, path, got, 64, NULL), CNS_OK);
            ck_assert_mem_eq(expected, got, digest_size);
        }
    }
    support_context_destroy(context);
}
END_TEST

START_TEST(files_agree_with_b3sum) {
    if (system("command -v b3sum >/dev/null 2>&1") != 0) {
        return; /* not installed: the vectors stand alone */
    }
    make_file(1234567);
    char command[256], line[128] = "", hex[65];
    uint8_t digest[32];
    snprintf(command, sizeof command, "b3sum --no-names %s", path);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(line, sizeof line, pipe));
    pclose(pipe);
    ck_assert_int_eq(cns_hash_file(NULL, CNS_HASH_BLAKE3, NULL, path, digest, 32, NULL), CNS_OK);
    cns_hash_hex(digest, 32, hex);
    ck_assert_int_eq(strncmp(line, hex, 64), 0);
}
END_TEST

START_TEST(unreadable_files_are_errors_with_path_and_cause) {
    cns_context *context = support_context();
    uint8_t out[32];
    support_status(context, CNS_E_IO,
                   cns_hash_file(context, CNS_HASH_BLAKE3, NULL, "/nowhere/x", out, 32, NULL));
    check_message(context, "/nowhere/x");
    check_message(context, "No such file");
    support_status(context, CNS_E_IO,
                   cns_hash_file(context, CNS_HASH_BLAKE3, NULL, directory, out, 32, NULL));
    check_message(context, "directory");
    make_file(10);
    ck_assert_int_eq(chmod(path, 0), 0);
    if (geteuid() != 0) { /* root may read everything */
        support_status(context, CNS_E_IO,
                       cns_hash_file(context, CNS_HASH_BLAKE3, NULL, path, out, 32, NULL));
        check_message(context, "Permission denied");
    }
    support_context_destroy(context);
}
END_TEST

/* An allocator that cuts the file between opening and reading it: the buffer is asked for then. */
static void *cut_and_resize(void *user, void *pointer, size_t old_size, size_t new_size,
                            size_t alignment) {
    (void)user;
    (void)old_size;
    if (new_size == 0) {
        free(pointer);
        return NULL;
    }
    if (new_size >= 65536) {
        ck_assert_int_eq(truncate(path, 300000), 0);
    }
    ck_assert_ptr_null(pointer);
    alignment = alignment < sizeof(void *) ? sizeof(void *) : alignment;
    return aligned_alloc(alignment, (new_size + alignment - 1) / alignment * alignment);
}

START_TEST(a_file_that_shrinks_is_an_error) {
    cns_allocator allocator = {cut_and_resize, NULL};
    cns_context_config config = {.size = sizeof config, .allocator = &allocator};
    cns_context *context = NULL;
    uint8_t out[32] = {0};
    static const uint8_t zeros[32];
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    make_file(600000);
    support_status(context, CNS_E_IO,
                   cns_hash_file(context, CNS_HASH_BLAKE3, NULL, path, out, 32, NULL));
    check_message(context, "shrank");
    make_file(6000000);
    support_status(context, CNS_E_IO,
                   cns_hash_file(context, CNS_HASH_BLAKE3, NULL, path, out, 32, &executor));
    check_message(context, "shrank");
    ck_assert_mem_eq(out, zeros, 32);
    support_context_destroy(context);
}
END_TEST

START_TEST(what_has_no_size_is_read_to_its_end) {
    uint8_t expected[32], got[32];
    int ends[2];
    char name[64];
    cns_context *context = support_context();
    cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, NULL, 0, expected, 32);
    support_status(context, CNS_OK,
                   cns_hash_file(context, CNS_HASH_BLAKE3, NULL, "/dev/null", got, 32, NULL));
    ck_assert_mem_eq(expected, got, 32);
    for (int threads = 0; threads < 2; threads++) {
        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_eq((int)write(ends[1], bytes, 64), 64);
        close(ends[1]);
        snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
        cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, bytes, 64, expected, 32);
        support_status(context, CNS_OK,
                       cns_hash_file(context, CNS_HASH_BLAKE3, NULL, name, got, 32,
                                     threads ? &executor : NULL));
        ck_assert_mem_eq(expected, got, 32);
        close(ends[0]);
    }
    support_context_destroy(context);
}
END_TEST

/* ---- failing allocations -------------------------------------------------------------------- */

static cns_status make_and_clone(cns_context *context) {
    cns_hasher *hasher = NULL, *copy = NULL;
    cns_status status = cns_hasher_create(context, CNS_HASH_XXH3_128, NULL, &hasher);
    if (status == CNS_OK) {
        status = cns_hasher_clone(hasher, &copy);
    }
    cns_hasher_destroy(copy);
    cns_hasher_destroy(hasher);
    return status;
}

static cns_status hash_a_file(cns_context *context) {
    uint8_t out[32];
    cns_status status = cns_hash_file(context, CNS_HASH_BLAKE3, NULL, path, out, 32, NULL);
    return status ? status
                  : cns_hash_file(context, CNS_HASH_BLAKE3, NULL, path, out, 32, &executor);
}

START_TEST(failing_allocations_are_reported) {
    make_file(5000000);
    support_each_allocation_fails(make_and_clone);
    support_each_allocation_fails(hash_a_file);
}
END_TEST

START_TEST(a_memory_limit_is_reported) {
    cns_context_config config = {.size = sizeof config, .memory_limit = 100};
    cns_context *context = NULL;
    cns_hasher *hasher = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    support_status(context, CNS_E_LIMIT,
                   cns_hasher_create(context, CNS_HASH_BLAKE3, NULL, &hasher));
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("hash_api");
    TCase *cases = tcase_create("api");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, enter_directory, leave_directory);
    tcase_add_test(cases, names_go_both_ways);
    tcase_add_test(cases, hex_is_lower_case_and_terminated);
    tcase_add_test(cases, wrong_parameters_are_named);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, hashers_refuse_misuse);
    tcase_add_test(cases, files_hash_as_their_bytes);
    tcase_add_test(cases, files_agree_with_b3sum);
    tcase_add_test(cases, unreadable_files_are_errors_with_path_and_cause);
    tcase_add_test(cases, a_file_that_shrinks_is_an_error);
    tcase_add_test(cases, what_has_no_size_is_read_to_its_end);
    tcase_add_test(cases, failing_allocations_are_reported);
    tcase_add_test(cases, a_memory_limit_is_reported);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
