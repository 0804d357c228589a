/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b.c - see blake2b.h. The parameter block is that of RFC 7693, 2.5 and of the BLAKE2
 * paper, 2.8 (salt and personalisation); tree modes are not offered. Any thread.
 */
#include "hash/blake2b.h"

#include "base/bits.h"
#include "base/check.h"

void cns_blake2b_init(cns_blake2b *state, const cns_hash_kernels *kernels,
                      const cns_blake2b_params *params) {
    uint8_t block[64] = {0};
    block[0] = (uint8_t)params->digest_size;
    block[1] = (uint8_t)params->key_size;
    block[2] = 1; /* fan-out and depth of a sequential hash */
    block[3] = 1;
    if (params->salt) {
        memcpy(block + 32, params->salt, 16);
    }
    if (params->personal) {
        memcpy(block + 48, params->personal, 16);
    }
    state->kernels = kernels;
    state->total = 0;
    state->filled = 0;
    state->digest_size = params->digest_size;
    for (int i = 0; i < 8; i++) {
        state->state[i] = cns_blake2b_iv[i] ^ cns_load64_le(block + 8 * i);
    }
    if (params->key_size > 0) {
        memset(state->buffer, 0, sizeof state->buffer);
        memcpy(state->buffer, params->key, params->key_size);
        state->filled = CNS_BLAKE2B_BLOCK;
    }
}

void cns_blake2b_update(cns_blake2b *state, const uint8_t *data, size_t size) {
    size_t room = CNS_BLAKE2B_BLOCK - state->filled;
    if (size > room) {
        if (state->filled > 0) {
            memcpy(state->buffer + state->filled, data, room);
            state->total += CNS_BLAKE2B_BLOCK;
            state->kernels->blake2b_compress(state->state, state->buffer, 1, state->total, 0);
            state->filled = 0;
            data += room;
            size -= room;
        }
        size_t blocks = (size - 1) / CNS_BLAKE2B_BLOCK; /* the last one, full or not, waits */
        state->kernels->blake2b_compress(state->state, data, blocks,
                                         state->total + CNS_BLAKE2B_BLOCK, 0);
        state->total += (uint64_t)blocks * CNS_BLAKE2B_BLOCK;
        data += blocks * CNS_BLAKE2B_BLOCK;
        size -= blocks * CNS_BLAKE2B_BLOCK;
    }
    if (size > 0) {
        memcpy(state->buffer + state->filled, data, size);
        state->filled += (uint32_t)size;
    }
}

void cns_blake2b_finish(const cns_blake2b *state, uint8_t *out) {
    uint64_t words[8];
    uint8_t bytes[CNS_BLAKE2B_VALUE];
    uint8_t block[CNS_BLAKE2B_BLOCK] = {0};
    memcpy(words, state->state, sizeof words);
    memcpy(block, state->buffer, state->filled);
    state->kernels->blake2b_compress(words, block, 1, state->total + state->filled, UINT64_MAX);
    for (int i = 0; i < 8; i++) {
        cns_store64_le(bytes + 8 * i, words[i]);
    }
    CNS_ASSERT(state->digest_size <= sizeof bytes);
    memcpy(out, bytes, state->digest_size);
}
