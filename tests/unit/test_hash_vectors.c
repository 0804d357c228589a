/* SPDX-License-Identifier: MIT
 *
 * test_hash_vectors.c - official vectors of every digest, at every instruction-set level. The
 * files in tests/conformance name their origin.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cns/hash.h"
#include "support.h"

enum { INPUT_MAX = 110000, LINE_MAX_CHARS = 4096, FIELDS_MAX = 8 };

static const cns_cpu_level levels[] = {CNS_CPU_PORTABLE, CNS_CPU_SSE41, CNS_CPU_AVX2,
                                       CNS_CPU_AVX512, CNS_CPU_NEON};

static uint8_t input_251[INPUT_MAX]; /* 0, 1, ..., 250, 0, 1, ... */
static uint8_t input_256[INPUT_MAX];

static void fill_inputs(void) {
    for (size_t i = 0; i < INPUT_MAX; i++) {
        input_251[i] = (uint8_t)(i % 251);
        input_256[i] = (uint8_t)i;
    }
}

static void for_each_level(void (*body)(cns_context *context)) {
    int ran = 0;
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (!cns_cpu_supports(levels[i])) {
            continue;
        }
        cns_context_config config = {.size = sizeof config, .cpu_level = levels[i]};
        cns_context *context = NULL;
        ck_assert_int_eq(cns_context_create(&config, &context), CNS_OK);
        body(context);
        support_context_destroy(context);
        ran++;
    }
    ck_assert_int_gt(ran, 0);
}

/* ---- files of vectors ----------------------------------------------------------------------- */

/* Calls `row` for each line's fields; returns the number of lines. */
static int for_each_row(const char *file_name, cns_context *context, int fields_expected,
                        void (*row)(cns_context *context, char **fields)) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", TEST_DATA_DIR, file_name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "cannot open %s", path);
    char line[LINE_MAX_CHARS];
    int rows = 0;
    while (fgets(line, sizeof line, file)) {
        if (line[0] == '#' || line[0] == '\n') {
            continue;
        }
        char *fields[FIELDS_MAX];
        int count = 0;
        for (char *field = strtok(line, " \n"); field; field = strtok(NULL, " \n")) {
            ck_assert_int_lt(count, FIELDS_MAX);
            fields[count++] = field;
        }
        ck_assert_int_eq(count, fields_expected);
        row(context, fields);
        rows++;
    }
    fclose(file);
    return rows;
}

static size_t from_hex(const char *hex, uint8_t *out, size_t capacity) {
    if (strcmp(hex, "-") == 0) {
        return 0;
    }
    size_t size = strlen(hex) / 2;
    ck_assert_uint_le(size, capacity);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (uint8_t)byte;
    }
    return size;
}

/* One-shot and incremental must both give `expected`. */
static void check_digest(cns_context *context, cns_hash_algorithm algorithm,
                         cns_hash_params *params, const uint8_t *data, size_t size,
                         const char *expected) {
    uint8_t digest[256];
    char hex[2 * sizeof digest + 1];
    size_t digest_size = strlen(expected) / 2;
    params->size = sizeof *params;
    params->digest_size = (uint32_t)digest_size;
    support_status(context, CNS_OK,
                   cns_hash_digest(context, algorithm, params, data, size, digest, digest_size));
    cns_hash_hex(digest, digest_size, hex);
    ck_assert_str_eq(hex, expected);

    cns_hasher *hasher = NULL;
    support_status(context, CNS_OK, cns_hasher_create(context, algorithm, params, &hasher));
    size_t cut = size / 3;
    ck_assert_int_eq(cns_hasher_update(hasher, data, cut), CNS_OK);
    ck_assert_int_eq(cns_hasher_update(hasher, data + cut, size - cut), CNS_OK);
    memset(digest, 0, sizeof digest);
    ck_assert_int_eq(cns_hasher_finalize(hasher, digest, digest_size), CNS_OK);
    cns_hash_hex(digest, digest_size, hex);
    ck_assert_str_eq(hex, expected);
    cns_hasher_destroy(hasher);
}

/* ---- BLAKE3 --------------------------------------------------------------------------------- */

static void blake3_row(cns_context *context, char **fields) {
    size_t size = (size_t)strtoul(fields[0], NULL, 10);
    cns_hash_params plain = {0};
    cns_hash_params keyed = {.key = "whats the Elvish word for friend", .key_size = 32};
    cns_hash_params derive = {.derive = "BLAKE3 2019-12-27 16:29:52 test vectors context"};
    derive.derive_size = strlen(derive.derive);
    cns_hash_params *modes[] = {&plain, &keyed, &derive};
    for (int i = 0; i < 3; i++) {
        char *expected = fields[i + 1];
        check_digest(context, CNS_HASH_BLAKE3, modes[i], input_251, size, expected);
        expected[64] = '\0'; /* the default length is a prefix */
        check_digest(context, CNS_HASH_BLAKE3, modes[i], input_251, size, expected);
    }
}

static void blake3_file(cns_context *context) {
    ck_assert_int_eq(for_each_row("blake3.txt", context, 4, blake3_row), 35);
}

START_TEST(blake3_matches_the_official_vectors) {
    for_each_level(blake3_file);
}
END_TEST

/* ---- BLAKE2b -------------------------------------------------------------------------------- */

static void blake2b_row(cns_context *context, char **fields) {
    size_t size = (size_t)strtoul(fields[0], NULL, 10);
    cns_hash_params plain = {0};
    cns_hash_params keyed = {.key = input_256, .key_size = 64};
    check_digest(context, CNS_HASH_BLAKE2B, &plain, input_256, size, fields[1]);
    check_digest(context, CNS_HASH_BLAKE2B, &keyed, input_256, size, fields[2]);
}

static void blake2b_params_row(cns_context *context, char **fields) {
    uint8_t key[64], salt[16], personal[16];
    cns_hash_params params = {0};
    params.key_size = from_hex(fields[2], key, sizeof key);
    params.key = params.key_size ? key : NULL;
    params.salt_size = from_hex(fields[3], salt, sizeof salt);
    params.salt = params.salt_size ? salt : NULL;
    params.personal_size = from_hex(fields[4], personal, sizeof personal);
    params.personal = params.personal_size ? personal : NULL;
    ck_assert_uint_eq(strtoul(fields[1], NULL, 10) * 2, strlen(fields[5]));
    check_digest(context, CNS_HASH_BLAKE2B, &params, input_251, strtoul(fields[0], NULL, 10),
                 fields[5]);
}

static void blake2b_files(cns_context *context) {
    ck_assert_int_eq(for_each_row("blake2b.txt", context, 3, blake2b_row), 256);
    ck_assert_int_eq(for_each_row("blake2b_params.txt", context, 6, blake2b_params_row), 200);
}

START_TEST(blake2b_matches_the_official_vectors) {
    for_each_level(blake2b_files);
}
END_TEST

/* ---- SipHash -------------------------------------------------------------------------------- */

static void siphash_row(cns_context *context, char **fields) {
    size_t size = (size_t)strtoul(fields[0], NULL, 10);
    cns_hash_params params = {.key = input_256, .key_size = 16};
    check_digest(context, CNS_HASH_SIPHASH24, &params, input_256, size, fields[1]);
    check_digest(context, CNS_HASH_SIPHASH13, &params, input_256, size, fields[2]);
}

static void siphash_file(cns_context *context) {
    ck_assert_int_eq(for_each_row("siphash.txt", context, 3, siphash_row), 64);
}

START_TEST(siphash_matches_its_vectors) {
    for_each_level(siphash_file);
}
END_TEST

/* ---- CRC32C --------------------------------------------------------------------------------- */

static void crc32c_rfc3720(cns_context *context) {
    /* RFC 3720, B.4, read as numbers (the RFC prints them in wire order). */
    uint8_t bytes[48] = {0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0,    0, 0, 0, 0,
                         0x14, 0,    0, 0, 0, 0, 4, 0, 0,    0, 0, 0x14, 0, 0, 0, 0x18,
                         0x28, 0,    0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0,    0, 0, 0, 0};
    uint8_t data[32];
    cns_hash_params none = {0};
    memset(data, 0, sizeof data);
    check_digest(context, CNS_HASH_CRC32C, &none, data, 32, "8a9136aa");
    memset(data, 0xff, sizeof data);
    check_digest(context, CNS_HASH_CRC32C, &none, data, 32, "62a8ab43");
    check_digest(context, CNS_HASH_CRC32C, &none, input_256, 32, "46dd794e");
    for (int i = 0; i < 32; i++) {
        data[i] = (uint8_t)(31 - i);
    }
    check_digest(context, CNS_HASH_CRC32C, &none, data, 32, "113fdb5c");
    check_digest(context, CNS_HASH_CRC32C, &none, bytes, 48, "d9963a56");
    check_digest(context, CNS_HASH_CRC32C, &none, (const uint8_t *)"123456789", 9, "e3069283");
    /* The seed is the value so far. */
    cns_hash_params resumed = {.seed = 0xe3069283};
    cns_hash_params fresh = {0};
    uint8_t whole[4], rest[4];
    fresh.size = resumed.size = sizeof fresh;
    cns_hash_digest(context, CNS_HASH_CRC32C, &fresh, "123456789abcdef", 15, whole, 4);
    cns_hash_digest(context, CNS_HASH_CRC32C, &resumed, "abcdef", 6, rest, 4);
    ck_assert_mem_eq(whole, rest, 4);
}

START_TEST(crc32c_matches_rfc_3720) {
    for_each_level(crc32c_rfc3720);
}
END_TEST

/* ---- XXH3 ----------------------------------------------------------------------------------- */

static void xxh3_known(cns_context *context) {
    /* What `xxhsum -H3` and `xxhsum -H2` print. */
    cns_hash_params none = {0};
    check_digest(context, CNS_HASH_XXH3_64, &none, input_256, 0, "2d06800538d394c2");
    check_digest(context, CNS_HASH_XXH3_128, &none, input_256, 0,
                 "99aa06d3014798d86001c324468d497f");
    check_digest(context, CNS_HASH_XXH3_64, &none, (const uint8_t *)"abc", 3, "78af5f94892f3950");
    check_digest(context, CNS_HASH_XXH3_128, &none, (const uint8_t *)"abc", 3,
                 "06b05ab6733a618578af5f94892f3950");
}

START_TEST(xxh3_prints_as_xxhsum) {
    for_each_level(xxh3_known);
}
END_TEST

int main(void) {
    fill_inputs();
    Suite *suite = suite_create("hash_vectors");
    TCase *cases = tcase_create("vectors");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, blake3_matches_the_official_vectors);
    tcase_add_test(cases, blake2b_matches_the_official_vectors);
    tcase_add_test(cases, siphash_matches_its_vectors);
    tcase_add_test(cases, crc32c_matches_rfc_3720);
    tcase_add_test(cases, xxh3_prints_as_xxhsum);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
