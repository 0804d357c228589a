/* SPDX-License-Identifier: MIT
 *
 * test_hash_paths.c - every path gives the same bytes: levels, splits, batches, threads, extendable
 * output. The reference is the portable one-shot digest, which test_hash_vectors.c holds to the
 * official vectors; XXH3 is compared with libxxhash itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/rng.h"
#include "cns/hash.h"
#include "support.h"

enum {
    DATA_SIZE = 1 << 20,
    SHORT_MAX = 2048,
    MESSAGES = 300,
    DIGEST_MAX = 200,
    ALGORITHMS = 7,
    MODES = 4
};

static const cns_cpu_level levels[] = {CNS_CPU_PORTABLE, CNS_CPU_SSE41, CNS_CPU_AVX2,
                                       CNS_CPU_AVX512, CNS_CPU_NEON};
enum { LEVELS = sizeof levels / sizeof levels[0] };

static uint8_t *data; /* DATA_SIZE random bytes, and 64 more so that offsets fit */
static const uint8_t key[64] = "a key of sixty-four bytes: what blake2b takes, and others cut";

static void make_data(void) {
    cns_rng rng;
    cns_rng_seed(&rng, 20);
    data = malloc(DATA_SIZE + 64);
    if (!data) {
        abort();
    }
    for (size_t i = 0; i < DATA_SIZE + 64; i++) {
        data[i] = (uint8_t)cns_rng_next(&rng);
    }
}

static cns_context *context_of(cns_cpu_level level) {
    cns_context_config config = {.size = sizeof config, .cpu_level = level};
    cns_context *context = NULL;
    ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
    return context;
}

/* The modes worth telling apart for an algorithm; false when there is no such mode. */
static bool params_of(cns_hash_algorithm algorithm, int mode, cns_hash_params *params) {
    *params = (cns_hash_params){.size = sizeof *params};
    bool sip = algorithm == CNS_HASH_SIPHASH24 || algorithm == CNS_HASH_SIPHASH13;
    if (sip) {
        params->key = key;
        params->key_size = 16;
    }
    if (mode == 0) {
        return true;
    }
    if (algorithm == CNS_HASH_BLAKE3) {
        if (mode == 1) {
            params->key = key;
            params->key_size = 32;
        } else if (mode == 2) {
            params->derive = "test_hash_paths 2026 derive";
            params->derive_size = 27;
            params->digest_size = 20;
        } else {
            params->digest_size = DIGEST_MAX;
        }
        return true;
    }
    if (algorithm == CNS_HASH_BLAKE2B) {
        params->key = mode < 3 ? key : NULL;
        params->key_size = mode == 1 ? 64 : mode == 2 ? 7 : 0;
        params->salt = mode == 2 ? key + 1 : NULL;
        params->salt_size = mode == 2 ? 16 : 0;
        params->digest_size = mode == 1 ? 0 : mode == 2 ? 33 : 8;
        return true;
    }
    params->seed = 0x12345678;
    return mode == 1 && !sip;
}

static size_t digest_size_of(cns_hash_algorithm algorithm, const cns_hash_params *params) {
    return params->digest_size ? params->digest_size : cns_hash_digest_size(algorithm);
}

typedef void (*case_fn)(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                        const cns_hash_params *params);

/* Runs `body` for every level, algorithm and mode. */
static void for_each_case(case_fn body) {
    cns_context *portable = context_of(CNS_CPU_PORTABLE);
    int cases = 0;
    for (size_t level = 0; level < LEVELS; level++) {
        if (!cns_cpu_supports(levels[level])) {
            continue;
        }
        cns_context *context = context_of(levels[level]);
        for (int algorithm = 1; algorithm <= ALGORITHMS; algorithm++) {
            for (int mode = 0; mode < MODES; mode++) {
                cns_hash_params params;
                if (params_of((cns_hash_algorithm)algorithm, mode, &params)) {
                    body(context, portable, (cns_hash_algorithm)algorithm, &params);
                    cases++;
                }
            }
        }
        support_context_destroy(context);
    }
    support_context_destroy(portable);
    ck_assert_int_ge(cases, 14);
}

static void digest(cns_context *context, cns_hash_algorithm algorithm,
                   const cns_hash_params *params, const void *bytes, size_t size, uint8_t *out) {
    support_status(context, CNS_OK,
                   cns_hash_digest(context, algorithm, params, bytes, size, out, DIGEST_MAX));
}

static void check_same(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                       const cns_hash_params *params, const uint8_t *bytes, size_t size) {
    uint8_t expected[DIGEST_MAX], got[DIGEST_MAX + 1];
    size_t digest_size = digest_size_of(algorithm, params);
    got[digest_size] = 0xa5;
    digest(portable, algorithm, params, bytes, size, expected);
    digest(context, algorithm, params, bytes, size, got);
    ck_assert_msg(memcmp(expected, got, digest_size) == 0, "%s at %s differs for %zu bytes",
                  cns_hash_name(algorithm), cns_cpu_level_name(cns_context_cpu_level(context)),
                  size);
    ck_assert_uint_eq(got[digest_size], 0xa5); /* nothing written beyond */
}

/* ---- one shot ------------------------------------------------------------------------------- */

static void short_lengths(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                          const cns_hash_params *params) {
    for (size_t size = 0; size <= SHORT_MAX; size++) {
        check_same(context, portable, algorithm, params, data + size % 61, size);
    }
}

START_TEST(all_short_lengths_agree) {
    for_each_case(short_lengths);
}
END_TEST

static void boundaries(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                       const cns_hash_params *params) {
    static const size_t middles[] = {3072,      4096,      8192,      12288,     16384,
                                     17 << 10,  31 << 10,  32 << 10,  33 << 10,  64 << 10,
                                     127 << 10, 128 << 10, 129 << 10, 192 << 10, 256 << 10,
                                     300 << 10, 512 << 10};
    for (size_t i = 0; i < sizeof middles / sizeof middles[0]; i++) {
        for (size_t size = middles[i] - 1; size <= middles[i] + 1; size++) {
            check_same(context, portable, algorithm, params, data + i % 3, size);
        }
    }
}

START_TEST(chunk_and_tree_boundaries_agree) {
    for_each_case(boundaries);
}
END_TEST

START_TEST(xxh3_agrees_with_libxxhash) {
    cns_hash_params params = {.size = sizeof params, .seed = 42};
    for (size_t size = 0; size <= SHORT_MAX; size++) {
        uint8_t got[16];
        XXH64_canonical_t narrow;
        XXH128_canonical_t wide;
        XXH64_canonicalFromHash(&narrow, XXH3_64bits_withSeed(data, size, 42));
        XXH128_canonicalFromHash(&wide, XXH3_128bits_withSeed(data, size, 42));
        digest(NULL, CNS_HASH_XXH3_64, &params, data, size, got);
        ck_assert_mem_eq(got, narrow.digest, 8);
        digest(NULL, CNS_HASH_XXH3_128, &params, data, size, got);
        ck_assert_mem_eq(got, wide.digest, 16);
    }
}
END_TEST

/* ---- incremental ---------------------------------------------------------------------------- */

static void random_splits(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                          const cns_hash_params *params) {
    static const size_t steps[] = {1, 64, 130, 1024, 5000, 70000, 300000};
    uint8_t expected[DIGEST_MAX], got[DIGEST_MAX];
    size_t digest_size = digest_size_of(algorithm, params);
    cns_rng rng;
    cns_rng_seed(&rng, 77);
    cns_hasher *hasher = NULL;
    support_status(context, CNS_OK, cns_hasher_create(context, algorithm, params, &hasher));
    ck_assert_uint_eq(cns_hasher_digest_size(hasher), digest_size);
    for (int round = 0; round < 60; round++) {
        size_t step = steps[round % 7];
        size_t total = (size_t)cns_rng_below(&rng, step * 12 < 600000 ? step * 12 : 600000);
        for (size_t done = 0; done < total;) {
            size_t take = (size_t)cns_rng_below(&rng, 2 * step) + (step == 1);
            take = take < total - done ? take : total - done;
            ck_assert_int_eq(cns_hasher_update(hasher, data + done, take), CNS_OK);
            done += take;
            if (cns_rng_below(&rng, 8) == 0) { /* looking changes nothing */
                ck_assert_int_eq(cns_hasher_finalize(hasher, got, sizeof got), CNS_OK);
            }
        }
        digest(portable, algorithm, params, data, total, expected);
        ck_assert_int_eq(cns_hasher_finalize(hasher, got, sizeof got), CNS_OK);
        ck_assert_msg(memcmp(expected, got, digest_size) == 0, "%s differs for %zu bytes by %zu",
                      cns_hash_name(algorithm), total, step);
        cns_hasher_reset(hasher);
    }
    cns_hasher_destroy(hasher);
}

START_TEST(any_way_of_splitting_agrees) {
    for_each_case(random_splits);
}
END_TEST

static void clones(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                   const cns_hash_params *params) {
    uint8_t expected[DIGEST_MAX], got[DIGEST_MAX];
    size_t digest_size = digest_size_of(algorithm, params);
    cns_hasher *first = NULL, *second = NULL;
    support_status(context, CNS_OK, cns_hasher_create(context, algorithm, params, &first));
    ck_assert_int_eq(cns_hasher_update(first, data, 5000), CNS_OK);
    support_status(context, CNS_OK, cns_hasher_clone(first, &second));
    ck_assert_int_eq(cns_hasher_update(first, data, 1), CNS_OK); /* the clone sees none of it */
    ck_assert_int_eq(cns_hasher_update(second, data + 5000, 5000), CNS_OK);
    cns_hasher_destroy(first);
    digest(portable, algorithm, params, data, 10000, expected);
    ck_assert_int_eq(cns_hasher_finalize(second, got, sizeof got), CNS_OK);
    ck_assert_mem_eq(expected, got, digest_size);
    cns_hasher_reset(second);
    digest(portable, algorithm, params, NULL, 0, expected);
    ck_assert_int_eq(cns_hasher_finalize(second, got, sizeof got), CNS_OK);
    ck_assert_mem_eq(expected, got, digest_size);
    cns_hasher_destroy(second);
}

START_TEST(clones_and_resets_are_independent) {
    for_each_case(clones);
}
END_TEST

/* ---- extendable output ---------------------------------------------------------------------- */

START_TEST(extendable_output_is_one_stream) {
    cns_context *portable = context_of(CNS_CPU_PORTABLE);
    cns_hasher *reference = NULL;
    ck_assert_int_eq(cns_hasher_create(portable, CNS_HASH_BLAKE3, NULL, &reference), CNS_OK);
    ck_assert_int_eq(cns_hasher_update(reference, data, 3000), CNS_OK);
    static const uint64_t starts[] = {0,
                                      1,
                                      63,
                                      64,
                                      1000,
                                      (UINT64_C(1) << 38) - 100, /* the 32-bit block counter ends */
                                      UINT64_MAX - 300};
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    for (size_t level = 0; level < LEVELS; level++) {
        if (!cns_cpu_supports(levels[level])) {
            continue;
        }
        cns_context *context = context_of(levels[level]);
        cns_hasher *hasher = NULL;
        ck_assert_int_eq(cns_hasher_create(context, CNS_HASH_BLAKE3, NULL, &hasher), CNS_OK);
        ck_assert_int_eq(cns_hasher_update(hasher, data, 3000), CNS_OK);
        for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
            uint8_t whole[300], piece[300];
            ck_assert_int_eq(cns_hasher_read(reference, starts[i], whole, sizeof whole), CNS_OK);
            for (int round = 0; round < 50; round++) {
                size_t begin = (size_t)cns_rng_below(&rng, sizeof whole);
                size_t size = (size_t)cns_rng_below(&rng, sizeof whole - begin + 1);
                ck_assert_int_eq(cns_hasher_read(hasher, starts[i] + begin, piece, size), CNS_OK);
                ck_assert_msg(memcmp(piece, whole + begin, size) == 0, "%zu bytes at %zu", size,
                              begin);
            }
        }
        uint8_t byte;
        ck_assert_int_eq(cns_hasher_read(hasher, UINT64_MAX, &byte, 1), CNS_E_RANGE);
        cns_hasher_destroy(hasher);
        support_context_destroy(context);
    }
    cns_hasher_destroy(reference);
    support_context_destroy(portable);
}
END_TEST

/* ---- batches -------------------------------------------------------------------------------- */

/* A stand-in for a pool: cuts the range and runs the parts backwards on this thread. */
static cns_status run_backwards(void *pool, int64_t begin, int64_t end, int64_t grain,
                                cns_range_fn body, void *user) {
    ++*(int *)pool;
    while (end > begin) {
        int64_t from = end - begin > grain ? end - grain : begin;
        cns_status status = body(user, from, end);
        if (status != CNS_OK) {
            return status;
        }
        end = from;
    }
    return CNS_OK;
}

static int executor_calls;
static const cns_executor executor = {run_backwards, &executor_calls, 4, 0};

static void check_batch(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                        const cns_hash_params *params, const size_t *sizes, size_t count,
                        const cns_executor *threads) {
    static const void *messages[MESSAGES];
    static uint8_t out[MESSAGES * DIGEST_MAX];
    size_t digest_size = digest_size_of(algorithm, params);
    for (size_t i = 0; i < count; i++) {
        messages[i] = sizes[i] == 0 && i % 2 ? NULL : data + i * 7 % 1000;
    }
    memset(out, 0, sizeof out);
    support_status(context, CNS_OK,
                   cns_hash_batch(context, algorithm, params, messages, sizes, count, out,
                                  count * digest_size, threads));
    for (size_t i = 0; i < count; i++) {
        uint8_t expected[DIGEST_MAX];
        digest(portable, algorithm, params, messages[i], sizes[i], expected);
        ck_assert_msg(memcmp(expected, out + i * digest_size, digest_size) == 0,
                      "%s at %s: message %zu of %zu (%zu bytes) differs", cns_hash_name(algorithm),
                      cns_cpu_level_name(cns_context_cpu_level(context)), i, count, sizes[i]);
    }
}

static void batches(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                    const cns_hash_params *params) {
    static const size_t bounds[] = {1, 2, 65, 130, 200, 1025, 3000, 20000};
    size_t sizes[MESSAGES];
    cns_rng rng;
    cns_rng_seed(&rng, 99);
    for (size_t round = 0; round < 24; round++) {
        size_t bound = bounds[round % 8];
        size_t count = round < 8 ? MESSAGES / (1 + bound / 4000) : (size_t)cns_rng_below(&rng, 40);
        for (size_t i = 0; i < count; i++) {
            sizes[i] = (size_t)cns_rng_below(&rng, bound);
        }
        check_batch(context, portable, algorithm, params, sizes, count, NULL);
        check_batch(context, portable, algorithm, params, sizes, count, &executor);
    }
    /* Equal lengths fill every lane; lengths around blocks; one giant among dwarfs. */
    for (size_t length = 0; length <= 2080; length += 1 + length / 16) {
        for (size_t i = 0; i < 35; i++) {
            sizes[i] = length;
        }
        check_batch(context, portable, algorithm, params, sizes, 35, NULL);
    }
    for (size_t i = 0; i < 40; i++) {
        sizes[i] = i == 17 ? 700000 : i * 64;
    }
    check_batch(context, portable, algorithm, params, sizes, 40, &executor);
}

START_TEST(batches_agree_with_single_digests) {
    executor_calls = 0;
    for_each_case(batches);
    ck_assert_int_gt(executor_calls, 0); /* some batches were worth the threads */
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

static void parallel(cns_context *context, cns_context *portable, cns_hash_algorithm algorithm,
                     const cns_hash_params *params) {
    static const size_t sizes[] = {
        0,      1000,       262143,        262144,        262145,    327680 - 1,
        327680, 327680 + 1, 327680 + 1024, 327680 + 1025, DATA_SIZE, DATA_SIZE - 1};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t expected[DIGEST_MAX], got[DIGEST_MAX];
        digest(portable, algorithm, params, data, sizes[i], expected);
        support_status(context, CNS_OK,
                       cns_hash_parallel(context, algorithm, params, data, sizes[i], got,
                                         sizeof got, &executor));
        ck_assert_msg(memcmp(expected, got, digest_size_of(algorithm, params)) == 0,
                      "%s differs for %zu bytes", cns_hash_name(algorithm), sizes[i]);
    }
}

START_TEST(trees_over_threads_agree) {
    executor_calls = 0;
    for_each_case(parallel);
    ck_assert_int_gt(executor_calls, 0);
}
END_TEST

START_TEST(windows_of_a_large_tree_agree) {
    /* More than one window of parts, and an end within a part; only the length matters here. */
    size_t size = (size_t)16 * 1024 * 1024 * 2 + 65536 + 77;
    uint8_t *large = malloc(size);
    ck_assert_ptr_nonnull(large);
    for (size_t i = 0; i < size; i++) {
        large[i] = data[i % 1000003];
    }
    size_t cuts[] = {size, size - 77, (size_t)16 << 20, ((size_t)16 << 20) + 1};
    for (int i = 0; i < 4; i++) {
        uint8_t expected[DIGEST_MAX], got[DIGEST_MAX];
        digest(NULL, CNS_HASH_BLAKE3, NULL, large, cuts[i], expected);
        ck_assert_int_eq(cns_hash_parallel(NULL, CNS_HASH_BLAKE3, NULL, large, cuts[i], got,
                                           sizeof got, &executor),
                         CNS_OK);
        ck_assert_mem_eq(expected, got, 32);
    }
    free(large);
}
END_TEST

static cns_status refuse(void *pool, int64_t begin, int64_t end, int64_t grain, cns_range_fn body,
                         void *user) {
    (void)pool;
    (void)begin;
    (void)end;
    (void)grain;
    (void)body;
    (void)user;
    return CNS_E_CANCELLED;
}

START_TEST(an_executors_failure_is_passed_on) {
    cns_executor failing = {refuse, NULL, 8, 0};
    uint8_t out[32] = {0};
    static const uint8_t zeros[32];
    ck_assert_int_eq(
        cns_hash_parallel(NULL, CNS_HASH_BLAKE3, NULL, data, DATA_SIZE, out, sizeof out, &failing),
        CNS_E_CANCELLED);
    ck_assert_mem_eq(out, zeros, 32);
}
END_TEST

int main(void) {
    make_data();
    Suite *suite = suite_create("hash_paths");
    TCase *cases = tcase_create("paths");
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, all_short_lengths_agree);
    tcase_add_test(cases, chunk_and_tree_boundaries_agree);
    tcase_add_test(cases, xxh3_agrees_with_libxxhash);
    tcase_add_test(cases, any_way_of_splitting_agrees);
    tcase_add_test(cases, clones_and_resets_are_independent);
    tcase_add_test(cases, extendable_output_is_one_stream);
    tcase_add_test(cases, batches_agree_with_single_digests);
    tcase_add_test(cases, trees_over_threads_agree);
    tcase_add_test(cases, windows_of_a_large_tree_agree);
    tcase_add_test(cases, an_executors_failure_is_passed_on);
    suite_add_tcase(suite, cases);
    int code = support_run(suite);
    free(data);
    return code;
}
