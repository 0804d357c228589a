/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b_portable.c - BLAKE2b's compression function in plain C.
 *
 * Source: Saarinen, Aumasson: The BLAKE2 cryptographic hash and MAC, RFC 7693 (2015), section 3.
 * Works on any byte order. Any thread.
 */
#include "base/bits.h"
#include "hash/kernels.h"
#include "hash/schedules.h"

const uint64_t cns_blake2b_iv[8] = {UINT64_C(0x6a09e667f3bcc908), UINT64_C(0xbb67ae8584caa73b),
                                    UINT64_C(0x3c6ef372fe94f82b), UINT64_C(0xa54ff53a5f1d36f1),
                                    UINT64_C(0x510e527fade682d1), UINT64_C(0x9b05688c2b3e6c1f),
                                    UINT64_C(0x1f83d9abfb41bd6b), UINT64_C(0x5be0cd19137e2179)};

#define MIX(a, b, c, d, x, y)                                                                      \
    do {                                                                                           \
        v[a] += v[b] + (x);                                                                        \
        v[d] = cns_rotate_right64(v[d] ^ v[a], 32);                                                \
        v[c] += v[d];                                                                              \
        v[b] = cns_rotate_right64(v[b] ^ v[c], 24);                                                \
        v[a] += v[b] + (y);                                                                        \
        v[d] = cns_rotate_right64(v[d] ^ v[a], 16);                                                \
        v[c] += v[d];                                                                              \
        v[b] = cns_rotate_right64(v[b] ^ v[c], 63);                                                \
    } while (0)

/* Unrolled: with constant indices the sixteen words stay in registers. */
#define ROUND(r)                                                                                   \
    do {                                                                                           \
        const uint8_t *s = cns_blake2b_schedule[r];                                                \
        MIX(0, 4, 8, 12, m[s[0]], m[s[1]]);                                                        \
        MIX(1, 5, 9, 13, m[s[2]], m[s[3]]);                                                        \
        MIX(2, 6, 10, 14, m[s[4]], m[s[5]]);                                                       \
        MIX(3, 7, 11, 15, m[s[6]], m[s[7]]);                                                       \
        MIX(0, 5, 10, 15, m[s[8]], m[s[9]]);                                                       \
        MIX(1, 6, 11, 12, m[s[10]], m[s[11]]);                                                     \
        MIX(2, 7, 8, 13, m[s[12]], m[s[13]]);                                                      \
        MIX(3, 4, 9, 14, m[s[14]], m[s[15]]);                                                      \
    } while (0)

static void compress(uint64_t state[8], const uint8_t block[128], uint64_t total, uint64_t final) {
    uint64_t m[16];
    uint64_t v[16];
    for (int i = 0; i < 16; i++) {
        m[i] = cns_load64_le(block + 8 * i);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = state[i];
        v[i + 8] = cns_blake2b_iv[i];
    }
    v[12] ^= total;
    v[14] ^= final;
    ROUND(0);
    ROUND(1);
    ROUND(2);
    ROUND(3);
    ROUND(4);
    ROUND(5);
    ROUND(6);
    ROUND(7);
    ROUND(8);
    ROUND(9);
    ROUND(10);
    ROUND(11);
    for (int i = 0; i < 8; i++) {
        state[i] ^= v[i] ^ v[i + 8];
    }
}

void cns_blake2b_compress_portable(uint64_t state[8], const uint8_t *blocks, size_t count,
                                   uint64_t total, uint64_t final) {
    for (size_t i = 0; i < count; i++) {
        compress(state, blocks + i * CNS_BLAKE2B_BLOCK, total, final);
        total += CNS_BLAKE2B_BLOCK;
    }
}

void cns_blake2b_lane_with(cns_blake2b_compress_fn compress_blocks, const cns_blake2b_job *job,
                           uint32_t lane) {
    uint64_t state[8];
    for (int i = 0; i < 8; i++) {
        state[i] = job->start[i];
    }
    compress_blocks(state, job->input[lane], (size_t)(job->blocks[lane] - 1),
                    job->before + CNS_BLAKE2B_BLOCK, 0);
    compress_blocks(state, job->last[lane], 1, job->total[lane], UINT64_MAX);
    for (int i = 0; i < 8; i++) {
        cns_store64_le(job->out[lane] + 8 * i, state[i]);
    }
}

void cns_blake2b_lanes_portable(const cns_blake2b_job *job) {
    for (uint32_t lane = 0; lane < job->lanes; lane++) {
        cns_blake2b_lane_with(cns_blake2b_compress_portable, job, lane);
    }
}
