/* SPDX-License-Identifier: MIT
 *
 * hash/siphash.c - see siphash.h.
 *
 * Source: Aumasson, Bernstein: SipHash, a fast short-input PRF (2012). SipHash-1-3 is the authors'
 * choice for hash tables. Any byte order, any thread.
 */
#include "hash/siphash.h"

#include "base/bits.h"

static inline void sip_round(uint64_t v[4]) {
    v[0] += v[1];
    v[2] += v[3];
    v[1] = cns_rotate_left64(v[1], 13) ^ v[0];
    v[3] = cns_rotate_left64(v[3], 16) ^ v[2];
    v[0] = cns_rotate_left64(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = cns_rotate_left64(v[1], 17) ^ v[2];
    v[3] = cns_rotate_left64(v[3], 21) ^ v[0];
    v[2] = cns_rotate_left64(v[2], 32);
}

static inline void absorb(uint64_t v[4], uint64_t word, uint32_t rounds) {
    v[3] ^= word;
    for (uint32_t i = 0; i < rounds; i++) {
        sip_round(v);
    }
    v[0] ^= word;
}

void cns_siphash_init(cns_siphash *state, const uint64_t key[2], uint32_t compression_rounds,
                      uint32_t final_rounds) {
    *state = (cns_siphash){
        .v = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
              key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)},
        .compression_rounds = compression_rounds,
        .final_rounds = final_rounds};
}

/* With the number of rounds a constant the loop over words has no inner branch. */
static inline void absorb_words(uint64_t v[4], const uint8_t *data, size_t words, uint32_t rounds) {
    uint64_t local[4] = {v[0], v[1], v[2], v[3]};
    for (size_t i = 0; i < words; i++) {
        absorb(local, cns_load64_le(data + 8 * i), rounds);
    }
    memcpy(v, local, sizeof local);
}

void cns_siphash_update(cns_siphash *state, const uint8_t *data, size_t size) {
    unsigned filled = (unsigned)(state->size & 7);
    state->size += size;
    while (filled != 0 && size > 0) {
        state->tail |= (uint64_t)*data++ << (8 * filled);
        size--;
        filled = (filled + 1) & 7;
        if (filled == 0) {
            absorb(state->v, state->tail, state->compression_rounds);
            state->tail = 0;
        }
    }
    if (size == 0) {
        return; /* an unfinished word is kept as it is */
    }
    if (state->compression_rounds == 1) {
        absorb_words(state->v, data, size / 8, 1);
    } else if (state->compression_rounds == 2) {
        absorb_words(state->v, data, size / 8, 2);
    } else {
        absorb_words(state->v, data, size / 8, state->compression_rounds);
    }
    data += size & ~(size_t)7;
    for (unsigned i = 0; i < (size & 7); i++) {
        state->tail |= (uint64_t)data[i] << (8 * i);
    }
}

uint64_t cns_siphash_finish(const cns_siphash *state) {
    uint64_t v[4] = {state->v[0], state->v[1], state->v[2], state->v[3]};
    absorb(v, state->tail | state->size << 56, state->compression_rounds);
    v[2] ^= 0xff;
    for (uint32_t i = 0; i < state->final_rounds; i++) {
        sip_round(v);
    }
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
