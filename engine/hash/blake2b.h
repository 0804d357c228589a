/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b.h - BLAKE2b, sequential, up to 2^64 - 1 bytes.
 *
 * A `start` state is what parameters and key amount to; every message begins with a copy of it.
 * Lengths are checked by the caller: digest 1..64, key 0..64, salt and personal 16 or absent.
 */
#ifndef CNS_HASH_BLAKE2B_H
#define CNS_HASH_BLAKE2B_H

#include "hash/kernels.h"

typedef struct cns_blake2b {
    const cns_hash_kernels *kernels;
    uint64_t state[8];
    uint64_t total;  /* bytes compressed, a key block included */
    uint32_t filled; /* bytes in the buffer */
    uint32_t digest_size;
    uint8_t buffer[CNS_BLAKE2B_BLOCK]; /* never compressed while it may be the last */
} cns_blake2b;

typedef struct cns_blake2b_params {
    uint32_t digest_size;
    uint32_t key_size;
    const uint8_t *key;
    const uint8_t *salt;     /* 16 bytes or NULL */
    const uint8_t *personal; /* 16 bytes or NULL */
} cns_blake2b_params;

void cns_blake2b_init(cns_blake2b *state, const cns_hash_kernels *kernels,
                      const cns_blake2b_params *params);
void cns_blake2b_update(cns_blake2b *state, const uint8_t *data, size_t size);
/* Writes digest_size bytes. */
void cns_blake2b_finish(const cns_blake2b *state, uint8_t *out);

#endif
