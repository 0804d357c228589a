/* SPDX-License-Identifier: MIT
 *
 * hash/siphash.h - SipHash-c-d with 64-bit output: short keyed hashes that hostile input cannot
 * collide on purpose. The number of rounds is the caller's (2-4 or 1-3). Any thread.
 */
#ifndef CNS_HASH_SIPHASH_H
#define CNS_HASH_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct cns_siphash {
    uint64_t v[4];
    uint64_t tail; /* the bytes of an unfinished word, little-endian */
    uint64_t size; /* of everything so far */
    uint32_t compression_rounds;
    uint32_t final_rounds;
} cns_siphash;

void cns_siphash_init(cns_siphash *state, const uint64_t key[2], uint32_t compression_rounds,
                      uint32_t final_rounds);
void cns_siphash_update(cns_siphash *state, const uint8_t *data, size_t size);
uint64_t cns_siphash_finish(const cns_siphash *state);

#endif
