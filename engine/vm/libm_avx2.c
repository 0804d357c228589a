/* SPDX-License-Identifier: MIT
 *
 * libm_avx2.c - exp and log in vectors of four doubles.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define CNS_LIBM_LANES 4
#include "vm/libm_x86.h"
#define LIBM_NAME(name) cns_libm_##name##_avx2
#include "vm/libm_lanes.inc"

LIBM_INLINE doubles fma_of(LIBM_AT, doubles a, doubles b, doubles c) {
    return (doubles)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

/* Permutations of 32 bits look at three bits of each place: those of the lane, in both halves. */
LIBM_INLINE naturals places_of(LIBM_AT, naturals index) {
    return (naturals)_mm256_shuffle_epi32((__m256i)index, 0xa0);
}

LIBM_INLINE __m256i permute(const uint32_t half[8], naturals places) {
    __m256i from = _mm256_load_si256((const __m256i *)half);
    return _mm256_permutevar8x32_epi32(from, (__m256i)places);
}

LIBM_INLINE doubles look_up(LIBM_AT, const table from, naturals places) {
    return (doubles)_mm256_blend_epi32(permute(from, places), permute(from + 8, places), 0xaa);
}

LIBM_INLINE doubles look_up_short(LIBM_AT, const table from, naturals places) {
    return (doubles)_mm256_slli_epi64(permute(from + 8, places), 32);
}

LIBM_INLINE uint32_t signs_of(naturals lanes) {
    return (uint32_t)_mm256_movemask_pd((__m256d)lanes);
}

#else
typedef int cns_libm_avx2_is_for_x86; /* a file must not be empty */
#endif
