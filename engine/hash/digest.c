/* SPDX-License-Identifier: MIT
 *
 * hash/digest.c - see digest.h. Every parameter an algorithm does not know is refused: a key that
 * is silently ignored is the worst kind of bug in a hash. Any thread; one thread per state.
 */
#include "hash/digest.h"

#include "base/bits.h"
#include "base/context.h"

/* ---- parameters ----------------------------------------------------------------------------- */

/* What an algorithm can be told. */
typedef struct algorithm_traits {
    const char *name;
    uint32_t digest_size;
    uint32_t digest_max; /* digest_size for those of one size only */
    uint32_t key_min, key_max;
    bool key_needed;
    bool salt;
    bool derive;
    uint64_t seed_max;
} algorithm_traits;

static const algorithm_traits traits[] = {
    [CNS_HASH_BLAKE3] = {"blake3", 32, UINT32_MAX, 32, 32, false, false, true, 0},
    [CNS_HASH_BLAKE2B] = {"blake2b", 64, 64, 0, 64, false, true, false, 0},
    [CNS_HASH_XXH3_64] = {"xxh3-64", 8, 8, 0, 0, false, false, false, UINT64_MAX},
    [CNS_HASH_XXH3_128] = {"xxh3-128", 16, 16, 0, 0, false, false, false, UINT64_MAX},
    [CNS_HASH_CRC32C] = {"crc32c", 4, 4, 0, 0, false, false, false, UINT32_MAX},
    [CNS_HASH_SIPHASH24] = {"siphash24", 8, 8, 16, 16, true, false, false, 0},
    [CNS_HASH_SIPHASH13] = {"siphash13", 8, 8, 16, 16, true, false, false, 0},
};

static const algorithm_traits *find_traits(cns_hash_algorithm algorithm) {
    size_t index = (size_t)algorithm;
    return index >= CNS_HASH_BLAKE3 && index <= CNS_HASH_SIPHASH13 ? &traits[index] : NULL;
}

size_t cns_hash_digest_size(cns_hash_algorithm algorithm) {
    const algorithm_traits *known = find_traits(algorithm);
    return known ? known->digest_size : 0;
}

const char *cns_hash_name(cns_hash_algorithm algorithm) {
    const algorithm_traits *known = find_traits(algorithm);
    return known ? known->name : NULL;
}

cns_status cns_hash_parse(const char *name, cns_hash_algorithm *out) {
    if (!name || !out) {
        return CNS_E_INVALID;
    }
    for (int i = CNS_HASH_BLAKE3; i <= CNS_HASH_SIPHASH13; i++) {
        if (strcmp(name, traits[i].name) == 0) {
            *out = (cns_hash_algorithm)i;
            return CNS_OK;
        }
    }
    return CNS_E_NOTFOUND;
}

/* A pointer with its size: both or neither. */
static cns_status check_bytes(cns_context *context, const char *name, const char *what,
                              const void *bytes, size_t size, size_t min, size_t max) {
    if (!bytes && size > 0) {
        return cns_fail(context, CNS_E_INVALID, "%s: %s is NULL but has %zu bytes", name, what,
                        size);
    }
    if (bytes && max == 0) {
        return cns_fail(context, CNS_E_INVALID, "%s takes no %s", name, what);
    }
    if (bytes && (size < min || size > max)) {
        return cns_fail(context, CNS_E_INVALID, "%s: %s must have %zu%s%.0zu bytes, not %zu", name,
                        what, min, min == max ? "" : " to ", min == max ? (size_t)0 : max, size);
    }
    return CNS_OK;
}

static cns_status check_keys(cns_context *context, const algorithm_traits *known,
                             const cns_hash_params *params) {
    cns_status status = check_bytes(context, known->name, "key", params->key, params->key_size,
                                    known->key_min, known->key_max);
    if (status == CNS_OK && known->key_needed && !params->key) {
        status = cns_fail(context, CNS_E_INVALID, "%s needs a key of %u bytes", known->name,
                          (unsigned)known->key_max);
    }
    if (status == CNS_OK) {
        status = check_bytes(context, known->name, "salt", params->salt, params->salt_size, 16,
                             known->salt ? 16 : 0);
    }
    if (status == CNS_OK) {
        status = check_bytes(context, known->name, "personal", params->personal,
                             params->personal_size, 16, known->salt ? 16 : 0);
    }
    if (status == CNS_OK) {
        status = check_bytes(context, known->name, "derive", params->derive, params->derive_size, 0,
                             known->derive ? SIZE_MAX : 0);
    }
    if (status == CNS_OK && params->key && params->derive) {
        status = cns_fail(context, CNS_E_INVALID, "%s takes a key or a derive context, not both",
                          known->name);
    }
    return status;
}

static cns_status check_numbers(cns_context *context, const algorithm_traits *known,
                                const cns_hash_params *params) {
    bool one_size = known->digest_max == known->digest_size && known->digest_max != 64;
    if (params->digest_size > known->digest_max ||
        (one_size && params->digest_size != 0 && params->digest_size != known->digest_size)) {
        return cns_fail(context, CNS_E_INVALID, "%s: digest_size must be %s%u, not %u", known->name,
                        one_size ? "" : "1 to ", (unsigned)known->digest_max,
                        (unsigned)params->digest_size);
    }
    if (params->seed > known->seed_max) {
        return known->seed_max == 0
                   ? cns_fail(context, CNS_E_INVALID, "%s takes no seed", known->name)
                   : cns_fail(context, CNS_E_INVALID, "%s: seed must fit 32 bits", known->name);
    }
    return CNS_OK;
}

static void init_keys(cns_digest_spec *spec, const cns_hash_params *params) {
    switch (spec->algorithm) {
    case CNS_HASH_BLAKE3:
        if (params->key) {
            cns_blake3_key_keyed(&spec->as.blake3, params->key);
        } else if (params->derive) {
            cns_blake3_key_derive(&spec->as.blake3, spec->kernels, (const uint8_t *)params->derive,
                                  params->derive_size);
        } else {
            cns_blake3_key_plain(&spec->as.blake3);
        }
        break;
    case CNS_HASH_BLAKE2B: {
        cns_blake2b_params block = {.digest_size = (uint32_t)spec->digest_size,
                                    .key_size = (uint32_t)params->key_size,
                                    .key = params->key,
                                    .salt = params->salt,
                                    .personal = params->personal};
        cns_blake2b_init(&spec->as.blake2b, spec->kernels, &block);
        break;
    }
    case CNS_HASH_SIPHASH24:
    case CNS_HASH_SIPHASH13:
        spec->as.sip_key[0] = cns_load64_le(params->key);
        spec->as.sip_key[1] = cns_load64_le((const uint8_t *)params->key + 8);
        break;
    default:
        spec->as.seed = params->seed;
        break;
    }
}

cns_status cns_digest_spec_init(cns_digest_spec *spec, cns_context *context,
                                cns_hash_algorithm algorithm, const cns_hash_params *params) {
    static const cns_hash_params defaults = {.size = sizeof defaults};
    const algorithm_traits *known = find_traits(algorithm);
    if (!known) {
        return cns_fail(context, CNS_E_INVALID, "algorithm: %d is no hash algorithm",
                        (int)algorithm);
    }
    params = params ? params : &defaults;
    if (params->size != sizeof *params) {
        return cns_fail(context, CNS_E_INVALID, "params: size is %u, expected %zu",
                        (unsigned)params->size, sizeof *params);
    }
    cns_status status = check_numbers(context, known, params);
    if (status == CNS_OK) {
        status = check_keys(context, known, params);
    }
    if (status != CNS_OK) {
        return status;
    }
    spec->algorithm = algorithm;
    spec->kernels = cns_hash_kernels_for(context);
    spec->digest_size = params->digest_size ? params->digest_size : known->digest_size;
    init_keys(spec, params);
    return CNS_OK;
}

cns_status cns_digest_check_out(cns_context *context, const cns_digest_spec *spec, size_t count,
                                const void *out, size_t out_size) {
    if (count > 0 && !out) {
        return cns_fail(context, CNS_E_INVALID, "out is NULL");
    }
    if (count > out_size / spec->digest_size) {
        return cns_fail(context, CNS_E_INVALID, "out: %zu bytes cannot hold %zu x %zu", out_size,
                        count, spec->digest_size);
    }
    return CNS_OK;
}

/* ---- states --------------------------------------------------------------------------------- */

static void store32_be(uint8_t *out, uint32_t x) {
    for (int i = 0; i < 4; i++) {
        out[i] = (uint8_t)(x >> (24 - 8 * i));
    }
}

void cns_digest_init(cns_digest_state *state, const cns_digest_spec *spec) {
    switch (spec->algorithm) {
    case CNS_HASH_BLAKE3:
        cns_blake3_init(&state->blake3, spec->kernels, &spec->as.blake3);
        break;
    case CNS_HASH_BLAKE2B:
        state->blake2b = spec->as.blake2b;
        break;
    case CNS_HASH_XXH3_64:
        XXH3_INITSTATE(&state->xxh3);
        XXH3_64bits_reset_withSeed(&state->xxh3, spec->as.seed);
        break;
    case CNS_HASH_XXH3_128:
        XXH3_INITSTATE(&state->xxh3);
        XXH3_128bits_reset_withSeed(&state->xxh3, spec->as.seed);
        break;
    case CNS_HASH_CRC32C:
        state->crc = ~(uint32_t)spec->as.seed;
        break;
    case CNS_HASH_SIPHASH24:
        cns_siphash_init(&state->siphash, spec->as.sip_key, 2, 4);
        break;
    case CNS_HASH_SIPHASH13:
        cns_siphash_init(&state->siphash, spec->as.sip_key, 1, 3);
        break;
    }
}

void cns_digest_update(cns_digest_state *state, const cns_digest_spec *spec, const uint8_t *data,
                       size_t size) {
    if (size == 0) {
        return; /* data may be NULL */
    }
    switch (spec->algorithm) {
    case CNS_HASH_BLAKE3:
        cns_blake3_update(&state->blake3, data, size);
        break;
    case CNS_HASH_BLAKE2B:
        cns_blake2b_update(&state->blake2b, data, size);
        break;
    case CNS_HASH_XXH3_64:
        XXH3_64bits_update(&state->xxh3, data, size);
        break;
    case CNS_HASH_XXH3_128:
        XXH3_128bits_update(&state->xxh3, data, size);
        break;
    case CNS_HASH_CRC32C:
        state->crc = spec->kernels->crc32c(state->crc, data, size);
        break;
    case CNS_HASH_SIPHASH24:
    case CNS_HASH_SIPHASH13:
        cns_siphash_update(&state->siphash, data, size);
        break;
    }
}

static void finish_xxh3_64(XXH64_hash_t hash, uint8_t *out) {
    XXH64_canonical_t bytes;
    XXH64_canonicalFromHash(&bytes, hash);
    memcpy(out, bytes.digest, sizeof bytes.digest);
}

static void finish_xxh3_128(XXH128_hash_t hash, uint8_t *out) {
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);
    memcpy(out, bytes.digest, sizeof bytes.digest);
}

void cns_digest_finish(const cns_digest_state *state, const cns_digest_spec *spec, uint8_t *out) {
    switch (spec->algorithm) {
    case CNS_HASH_BLAKE3:
        cns_blake3_read(&state->blake3, 0, out, spec->digest_size);
        break;
    case CNS_HASH_BLAKE2B:
        cns_blake2b_finish(&state->blake2b, out);
        break;
    case CNS_HASH_XXH3_64:
        finish_xxh3_64(XXH3_64bits_digest(&state->xxh3), out);
        break;
    case CNS_HASH_XXH3_128:
        finish_xxh3_128(XXH3_128bits_digest(&state->xxh3), out);
        break;
    case CNS_HASH_CRC32C:
        store32_be(out, ~state->crc);
        break;
    case CNS_HASH_SIPHASH24:
    case CNS_HASH_SIPHASH13:
        cns_store64_le(out, cns_siphash_finish(&state->siphash));
        break;
    }
}

void cns_digest_once(const cns_digest_spec *spec, const uint8_t *data, size_t size, uint8_t *out) {
    switch (spec->algorithm) {
    case CNS_HASH_BLAKE3:
        cns_blake3_digest(spec->kernels, &spec->as.blake3, data, size, out, spec->digest_size);
        break;
    case CNS_HASH_XXH3_64:
        finish_xxh3_64(XXH3_64bits_withSeed(data, size, spec->as.seed), out);
        break;
    case CNS_HASH_XXH3_128:
        finish_xxh3_128(XXH3_128bits_withSeed(data, size, spec->as.seed), out);
        break;
    default: {
        cns_digest_state state;
        cns_digest_init(&state, spec);
        cns_digest_update(&state, spec, data, size);
        cns_digest_finish(&state, spec, out);
        break;
    }
    }
}
