/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_avx512.c - BLAKE3 with AVX-512: sixteen lanes, and rotations in one instruction for
 * the narrower widths that smaller jobs use.
 */
#if defined(__x86_64__)

#include <stdbool.h>
#include <stddef.h>

#include "hash/blake3_rows.h"
#include "hash/kernels_x86.h"
#include "hash/schedules.h"

#define LANES 4u
#define WIDE(name) name##_d4
#include "hash/blake3_lanes.h"
#undef LANES
#undef WIDE

#define LANES 8u
#define WIDE(name) name##_d8
#include "hash/blake3_lanes.h"
#undef LANES
#undef WIDE

#define LANES 16u
#define WIDE(name) name##_d16
#include "hash/blake3_lanes.h"

void cns_blake3_compress_avx512(uint32_t value[8], const uint8_t block[64], uint32_t length,
                                uint64_t counter, uint32_t flags) {
    blake3_compress_rows(value, block, length, counter, flags);
}

void cns_blake3_expand_avx512(const uint32_t value[8], const uint8_t block[64], uint32_t length,
                              uint64_t counter, uint32_t flags, uint8_t out[64]) {
    blake3_expand_rows(value, block, length, counter, flags, out);
}

void cns_blake3_lanes_avx512(const cns_blake3_job *job) {
    if (job->lanes > 8) {
        blake3_run_d16(job, 0);
    } else if (job->lanes > 4) {
        blake3_run_d8(job, 0);
    } else if (job->lanes > 1) {
        blake3_run_d4(job, 0);
    } else {
        cns_blake3_lane_with(cns_blake3_compress_avx512, job, 0);
    }
}

#else
typedef int cns_blake3_avx512_is_for_x86; /* a file must not be empty */
#endif
