/* SPDX-License-Identifier: MIT
 *
 * hash/digest.h - one face over all algorithms: checked parameters, a state, the output.
 *
 * A `cns_digest_spec` is what cns_hash_params amount to once they are checked; it holds no borrowed
 * pointers. States are plain memory: a copy is a clone. XXH3 states need 64-byte alignment.
 */
#ifndef CNS_HASH_DIGEST_H
#define CNS_HASH_DIGEST_H

#define XXH_STATIC_LINKING_ONLY /* for the size of its state, fixed since 0.8.0 */
#include <xxhash.h>

#include "cns/hash.h"
#include "hash/blake2b.h"
#include "hash/blake3.h"
#include "hash/siphash.h"

typedef struct cns_digest_spec {
    cns_hash_algorithm algorithm;
    const cns_hash_kernels *kernels;
    size_t digest_size;
    union {
        cns_blake3_key blake3;
        cns_blake2b blake2b; /* the state that every message starts from */
        uint64_t sip_key[2];
        uint64_t seed; /* XXH3, CRC32C */
    } as;
} cns_digest_spec;

typedef union cns_digest_state {
    cns_blake3 blake3;
    cns_blake2b blake2b;
    XXH3_state_t xxh3;
    cns_siphash siphash;
    uint32_t crc;
} cns_digest_state;

/* Checks `params` (may be NULL) and fills in the spec; CNS_E_INVALID names what is wrong. */
cns_status cns_digest_spec_init(cns_digest_spec *spec, cns_context *context,
                                cns_hash_algorithm algorithm, const cns_hash_params *params);

void cns_digest_init(cns_digest_state *state, const cns_digest_spec *spec);
void cns_digest_update(cns_digest_state *state, const cns_digest_spec *spec, const uint8_t *data,
                       size_t size);
/* Writes spec->digest_size bytes. */
void cns_digest_finish(const cns_digest_state *state, const cns_digest_spec *spec, uint8_t *out);
/* All three in one, on the stack. */
void cns_digest_once(const cns_digest_spec *spec, const uint8_t *data, size_t size, uint8_t *out);

/* Fails unless `out` has room for the digest. */
cns_status cns_digest_check_out(cns_context *context, const cns_digest_spec *spec, size_t count,
                                const void *out, size_t out_size);

#endif
