/* SPDX-License-Identifier: MIT
 *
 * fuzz_hash.c - every instruction set, every way of splitting updates, batch and one-shot agree.
 */
#include "cns/hash.h"
#include "fuzz.h"

enum { DIGEST = 64 };

static void hash_in_pieces(cns_context *context, cns_hash_algorithm algorithm,
                           const cns_hash_params *params, fuzz_input *cuts, const uint8_t *data,
                           size_t size, uint8_t *out, size_t out_size) {
    cns_hasher *hasher = NULL;
    FUZZ_CHECK(cns_hasher_create(context, algorithm, params, &hasher) == CNS_OK);
    while (size) {
        size_t piece = 1 + fuzz_number(cuts) % size;
        FUZZ_CHECK(cns_hasher_update(hasher, data, piece) == CNS_OK);
        data += piece;
        size -= piece;
    }
    FUZZ_CHECK(cns_hasher_finalize(hasher, out, out_size) == CNS_OK);
    cns_hasher_destroy(hasher);
}

static void compare_level(cns_cpu_level level, cns_hash_algorithm algorithm,
                          const cns_hash_params *params, fuzz_input *cuts, const uint8_t *data,
                          size_t size, const uint8_t *expected, size_t digest_size) {
    cns_context_config config = {.size = sizeof config, .cpu_level = level};
    cns_context *context = NULL;
    uint8_t out[2 * DIGEST];
    FUZZ_CHECK(cns_context_create(&config, &context) == CNS_OK);
    hash_in_pieces(context, algorithm, params, cuts, data, size, out, sizeof out);
    FUZZ_CHECK(memcmp(out, expected, digest_size) == 0);
    const void *messages[2] = {data, data};
    size_t sizes[2] = {size / 2, size};
    FUZZ_CHECK(cns_hash_batch(context, algorithm, params, messages, sizes, 2, out, sizeof out,
                              NULL) == CNS_OK);
    FUZZ_CHECK(memcmp(out + digest_size, expected, digest_size) == 0);
    cns_context_destroy(context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_input input = {data, size};
    cns_hash_algorithm algorithm = (cns_hash_algorithm)(1 + fuzz_byte(&input) % 7);
    uint8_t key[32] = {fuzz_byte(&input), 1, 2, 3};
    cns_hash_params params = {.size = sizeof params};
    if (algorithm >= CNS_HASH_SIPHASH24) {
        params.key = key;
        params.key_size = 16;
    } else if (algorithm <= CNS_HASH_BLAKE2B && (key[0] & 1)) {
        params.key = key;
        params.key_size = 32;
    }
    fuzz_input cuts = {input.data, input.size < 16 ? input.size : 16};
    /* Repeats of the input reach the chunk and tree boundaries that short inputs never see. */
    size_t repeats = 1 + key[0] % 64, total = input.size * repeats;
    uint8_t *message = malloc(total + 1);
    for (size_t i = 0; i < repeats && input.size; i++) {
        memcpy(message + i * input.size, input.data, input.size);
    }
    uint8_t expected[DIGEST];
    size_t digest_size = cns_hash_digest_size(algorithm);
    FUZZ_CHECK(cns_hash_digest(NULL, algorithm, &params, message, total, expected,
                               sizeof expected) == CNS_OK);
    for (int level = CNS_CPU_PORTABLE; level <= CNS_CPU_NEON; level++) {
        if (cns_cpu_supports((cns_cpu_level)level)) {
            compare_level((cns_cpu_level)level, algorithm, &params, &cuts, message, total, expected,
                          digest_size);
        }
    }
    free(message);
    return 0;
}
