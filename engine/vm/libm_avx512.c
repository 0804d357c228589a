/* SPDX-License-Identifier: MIT
 *
 * libm_avx512.c - exp and log in vectors of eight doubles.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define CNS_LIBM_LANES 8
#include "vm/libm_x86.h"
#define LIBM_NAME(name) cns_libm_##name##_avx512
#include "vm/libm_lanes.inc"

LIBM_INLINE doubles fma_of(LIBM_AT, doubles a, doubles b, doubles c) {
    return (doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

/* Of a table's sixteen words: that of the lane for the lower half, the same of the other eight for
 * the upper half. */
LIBM_INLINE naturals places_of(LIBM_AT, naturals index) {
    __m512i pairs = _mm512_shuffle_epi32((__m512i)index, 0xa0);
    return ((naturals)pairs & UINT64_C(0x0000000700000007)) | UINT64_C(0x0000000800000000);
}

LIBM_INLINE doubles look_up(LIBM_AT, const table from, naturals places) {
    return (doubles)_mm512_permutexvar_epi32((__m512i)places, _mm512_load_si512(from));
}

LIBM_INLINE doubles look_up_short(LIBM_AT, const table from, naturals places) {
    return look_up(at, from, places);
}

LIBM_INLINE uint32_t signs_of(naturals lanes) {
    return _mm512_movepi64_mask((__m512i)lanes);
}

#else
typedef int cns_libm_avx512_is_for_x86; /* a file must not be empty */
#endif
