/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_avx2.c - BLAKE3 with AVX2: eight lanes; two messages in rows where fewer are left.
 */
#if defined(__x86_64__)

#include <stdbool.h>
#include <stddef.h>

#include "hash/kernels_x86.h"
#include "hash/schedules.h"
#include "hash/simd_x86.h"

#define MESSAGES 1
#define SLICED(name) name##_r1
#include "hash/blake3_rows.inc"
#undef MESSAGES
#undef SLICED

#define MESSAGES 2
#define SLICED(name) name##_r2
#include "hash/blake3_rows.inc"
#undef MESSAGES
#undef SLICED

#define LANES 8u
#define WIDE(name) name##_d8
#include "hash/blake3_lanes.inc"
#undef LANES
#undef WIDE

void cns_blake3_compress_avx2(uint32_t value[8], const uint8_t *blocks, size_t count,
                              uint32_t length, uint64_t counter, uint32_t flags) {
    blake3_compress_r1(value, blocks, count, length, counter, flags);
}

void cns_blake3_expand_avx2(const uint32_t value[8], const uint8_t block[64], uint32_t length,
                            uint64_t counter, uint32_t flags, uint8_t out[64]) {
    blake3_expand_r1(value, block, length, counter, flags, out);
}

void cns_blake3_lanes_avx2(const cns_blake3_job *job) {
    for (uint32_t first = 0; first < job->lanes;) {
        uint32_t left = job->lanes - first;
        if (left > 4) {
            blake3_run_d8(job, first);
            first += 8;
        } else if (left > 1) {
            blake3_run_r2(job, first);
            first += 2;
        } else {
            cns_blake3_lane_with(cns_blake3_compress_avx2, job, first);
            first += 1;
        }
    }
}

#else
typedef int cns_blake3_avx2_is_for_x86; /* a file must not be empty */
#endif
