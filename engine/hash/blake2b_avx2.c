/* SPDX-License-Identifier: MIT
 *
 * hash/blake2b_avx2.c - BLAKE2b with AVX2: four lanes, or one message in rows.
 */
#if defined(__x86_64__)

#include <stdbool.h>
#include <stddef.h>

#include "base/bits.h"
#include "hash/kernels_x86.h"
#include "hash/schedules.h"
#include "hash/simd_x86.h"

/* The words stay where they are: two 8-byte loads into halves beat shuffling registers, since the
 * load ports are idle otherwise. */
typedef struct blake2b_words {
    const uint8_t *block;
} blake2b_words;

CNS_INLINE void blake2b_load(blake2b_words *words, const uint8_t *block) {
    words->block = block;
}

CNS_INLINE __m256i four_words(const uint8_t *block, int i, int j, int k, int l) {
    __m128i low = _mm_loadl_epi64((const __m128i *)(block + 8 * i));
    __m128i high = _mm_loadl_epi64((const __m128i *)(block + 8 * k));
    low = _mm_castpd_si128(
        _mm_loadh_pd(_mm_castsi128_pd(low), (const double *)(const void *)(block + 8 * j)));
    high = _mm_castpd_si128(
        _mm_loadh_pd(_mm_castsi128_pd(high), (const double *)(const void *)(block + 8 * l)));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
}

CNS_INLINE void blake2b_message(__m256i q[4], const blake2b_words *words, int round) {
    const uint8_t *s = cns_blake2b_schedule[round];
    q[0] = four_words(words->block, s[0], s[2], s[4], s[6]);
    q[1] = four_words(words->block, s[1], s[3], s[5], s[7]);
    q[2] = four_words(words->block, s[14], s[8], s[10], s[12]);
    q[3] = four_words(words->block, s[15], s[9], s[11], s[13]);
}

#include "hash/blake2b_rows.inc"

#define LANES 4u
#define WIDE(name) name##_q4
#include "hash/blake2b_lanes.inc"

void cns_blake2b_compress_avx2(uint64_t state[8], const uint8_t *blocks, size_t count,
                               uint64_t total, uint64_t final) {
    blake2b_compress_rows(state, blocks, count, total, final);
}

void cns_blake2b_lanes_avx2(const cns_blake2b_job *job) {
    for (uint32_t first = 0; first < job->lanes; first += 4) {
        if (job->lanes - first > 1) {
            blake2b_run_q4(job, first);
        } else {
            cns_blake2b_lane_with(cns_blake2b_compress_avx2, job, first);
        }
    }
}

#else
typedef int cns_blake2b_avx2_is_for_x86; /* a file must not be empty */
#endif
