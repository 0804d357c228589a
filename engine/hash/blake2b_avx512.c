/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b_avx512.c - BLAKE2b with AVX-512: eight lanes, or one message in rows whose words
 * are picked from two registers by one instruction for a half round.
 */
#if defined(__x86_64__)

#include <stdbool.h>
#include <stddef.h>

#include "base/bits.h"
#include "hash/kernels_x86.h"
#include "hash/schedules.h"
#include "hash/simd_x86.h"

typedef struct blake2b_words {
    __m512i low, high;
} blake2b_words;

CNS_INLINE void blake2b_load(blake2b_words *words, const uint8_t *block) {
    words->low = _mm512_loadu_si512(block);
    words->high = _mm512_loadu_si512(block + 64);
}

/* Columns' even and odd words, then those of the turned diagonals (see blake2b_rows.inc). */
#define PICK(s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15)                 \
    {s0, s2, s4, s6, s1, s3, s5, s7, s14, s8, s10, s12, s15, s9, s11, s13},
static const uint64_t picks[12][16] = {CNS_BLAKE2B_ROWS(PICK)};

CNS_INLINE void blake2b_message(__m256i q[4], const blake2b_words *words, int round) {
    __m512i columns =
        _mm512_permutex2var_epi64(words->low, _mm512_loadu_si512(picks[round]), words->high);
    __m512i diagonals =
        _mm512_permutex2var_epi64(words->low, _mm512_loadu_si512(picks[round] + 8), words->high);
    q[0] = _mm512_castsi512_si256(columns);
    q[1] = _mm512_extracti64x4_epi64(columns, 1);
    q[2] = _mm512_castsi512_si256(diagonals);
    q[3] = _mm512_extracti64x4_epi64(diagonals, 1);
}

#include "hash/blake2b_rows.inc"

#define LANES 4u
#define WIDE(name) name##_q4
#include "hash/blake2b_lanes.inc"
#undef LANES
#undef WIDE

#define LANES 8u
#define WIDE(name) name##_q8
#include "hash/blake2b_lanes.inc"

void cns_blake2b_compress_avx512(uint64_t state[8], const uint8_t *blocks, size_t count,
                                 uint64_t total, uint64_t final) {
    blake2b_compress_rows(state, blocks, count, total, final);
}

void cns_blake2b_lanes_avx512(const cns_blake2b_job *job) {
    for (uint32_t first = 0; first < job->lanes; first += 8) {
        uint32_t left = job->lanes - first;
        if (left > 4) {
            blake2b_run_q8(job, first);
        } else if (left > 1) {
            blake2b_run_q4(job, first);
        } else {
            cns_blake2b_lane_with(cns_blake2b_compress_avx512, job, first);
        }
    }
}

#else
typedef int cns_blake2b_avx512_is_for_x86; /* a file must not be empty */
#endif
