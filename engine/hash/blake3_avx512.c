/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_avx512.c - BLAKE3 with AVX-512: sixteen lanes, or eight; up to four messages in
 * rows, which cost hardly more than one.
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

#define MESSAGES 4
#define SLICED(name) name##_r4
#include "hash/blake3_rows.inc"
#undef MESSAGES
#undef SLICED

#define LANES 8u
#define WIDE(name) name##_d8
#include "hash/blake3_lanes.inc"
#undef LANES
#undef WIDE

#define LANES 16u
#define WIDE(name) name##_d16
#include "hash/blake3_lanes.inc"
#undef LANES
#undef WIDE

void cns_blake3_compress_avx512(uint32_t value[8], const uint8_t *blocks, size_t count,
                                uint32_t length, uint64_t counter, uint32_t flags) {
    blake3_compress_r1(value, blocks, count, length, counter, flags);
}

void cns_blake3_expand_avx512(const uint32_t value[8], const uint8_t block[64], uint32_t length,
                              uint64_t counter, uint32_t flags, uint8_t out[64]) {
    blake3_expand_r1(value, block, length, counter, flags, out);
}

void cns_blake3_lanes_avx512(const cns_blake3_job *job) {
    switch (job->lanes) {
    case 1:
        cns_blake3_lane_with(cns_blake3_compress_avx512, job, 0);
        break;
    case 2:
        blake3_run_r2(job, 0);
        break;
    case 3:
    case 4:
        blake3_run_r4(job, 0);
        break;
    default:
        if (job->lanes <= 8) {
            blake3_run_d8(job, 0);
        } else {
            blake3_run_d16(job, 0);
        }
        break;
    }
}

#else
typedef int cns_blake3_avx512_is_for_x86; /* a file must not be empty */
#endif
