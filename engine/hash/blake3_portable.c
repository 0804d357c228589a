/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_portable.c - BLAKE3's compression function in plain C.
 *
 * Source: O'Connor, Aumasson, Neves, Wilcox-O'Hearn: BLAKE3, one function, fast everywhere (2020),
 * section 2.2. Works on any byte order. Any thread.
 */
#include "base/bits.h"
#include "hash/kernels.h"
#include "hash/schedules.h"

const uint32_t cns_blake3_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

static inline void mix(uint32_t v[16], int a, int b, int c, int d, uint32_t x, uint32_t y) {
    v[a] += v[b] + x;
    v[d] = cns_rotate_right32(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = cns_rotate_right32(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = cns_rotate_right32(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = cns_rotate_right32(v[b] ^ v[c], 7);
}

static void permute(uint32_t v[16], const uint32_t value[8], const uint8_t block[64],
                    uint32_t length, uint64_t counter, uint32_t flags) {
    uint32_t m[16];
    for (int i = 0; i < 16; i++) {
        m[i] = cns_load32_le(block + 4 * i);
    }
    for (int i = 0; i < 8; i++) {
        v[i] = value[i];
    }
    for (int i = 0; i < 4; i++) {
        v[8 + i] = cns_blake3_iv[i];
    }
    v[12] = (uint32_t)counter;
    v[13] = (uint32_t)(counter >> 32);
    v[14] = length;
    v[15] = flags;
    for (int r = 0; r < 7; r++) {
        const uint8_t *s = cns_blake3_schedule[r];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
}

void cns_blake3_compress_portable(uint32_t value[8], const uint8_t *blocks, size_t count,
                                  uint32_t length, uint64_t counter, uint32_t flags) {
    for (; count > 0; count--, blocks += CNS_BLAKE3_BLOCK) {
        uint32_t v[16];
        permute(v, value, blocks, length, counter, flags);
        for (int i = 0; i < 8; i++) {
            value[i] = v[i] ^ v[i + 8];
        }
    }
}

void cns_blake3_expand_portable(const uint32_t value[8], const uint8_t block[64], uint32_t length,
                                uint64_t counter, uint32_t flags, uint8_t out[64]) {
    uint32_t v[16];
    permute(v, value, block, length, counter, flags);
    for (int i = 0; i < 8; i++) {
        cns_store32_le(out + 4 * i, v[i] ^ v[i + 8]);
        cns_store32_le(out + 32 + 4 * i, v[i + 8] ^ value[i]);
    }
}

void cns_blake3_lane_with(cns_blake3_compress_fn compress, const cns_blake3_job *job,
                          uint32_t lane) {
    uint32_t value[8];
    for (int i = 0; i < 8; i++) {
        value[i] = job->key[i];
    }
    uint64_t counter = job->counter_low[lane] | (uint64_t)job->counter_high[lane] << 32;
    uint32_t flags = job->flags | job->flags_start;
    size_t whole = job->blocks[lane] - 1;
    if (whole > 0) {
        const uint8_t *input = job->input[lane];
        compress(value, input, 1, CNS_BLAKE3_BLOCK, counter, flags);
        flags = job->flags;
        compress(value, input + CNS_BLAKE3_BLOCK, whole - 1, CNS_BLAKE3_BLOCK, counter, flags);
    }
    compress(value, job->last[lane], 1, job->last_length[lane], counter, flags | job->flags_end);
    for (int i = 0; i < 8; i++) {
        cns_store32_le(job->out[lane] + 4 * i, value[i]);
    }
}

void cns_blake3_lanes_portable(const cns_blake3_job *job) {
    for (uint32_t lane = 0; lane < job->lanes; lane++) {
        cns_blake3_lane_with(cns_blake3_compress_portable, job, lane);
    }
}
