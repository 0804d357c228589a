/* SPDX-License-Identifier: MIT
 *
 * hash/blake3_sse41.c - BLAKE3 with SSE4.1: four lanes, or one message in rows.
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

#define LANES 4u
#define WIDE(name) name##_d4
#include "hash/blake3_lanes.inc"
#undef LANES
#undef WIDE

void cns_blake3_compress_sse41(uint32_t value[8], const uint8_t *blocks, size_t count,
                               uint32_t length, uint64_t counter, uint32_t flags) {
    blake3_compress_r1(value, blocks, count, length, counter, flags);
}

void cns_blake3_expand_sse41(const uint32_t value[8], const uint8_t block[64], uint32_t length,
                             uint64_t counter, uint32_t flags, uint8_t out[64]) {
    blake3_expand_r1(value, block, length, counter, flags, out);
}

void cns_blake3_lanes_sse41(const cns_blake3_job *job) {
    for (uint32_t first = 0; first < job->lanes; first += 4) {
        if (job->lanes - first > 1) {
            blake3_run_d4(job, first);
        } else {
            cns_blake3_lane_with(cns_blake3_compress_sse41, job, first);
        }
    }
}

#else
typedef int cns_blake3_sse41_is_for_x86; /* a file must not be empty */
#endif
