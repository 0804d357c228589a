/* SPDX-License-Identifier: MIT
 *
 * libm_avx512.c - exp and log of eight doubles at once.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define CNS_LIBM_LANES 8
#include "vm/libm_x86.h"
#define LIBM_NAME(name) cns_libm_##name##_avx512
#include "vm/libm_lanes.inc"

LIBM_INLINE doubles fma_of(doubles a, doubles b, doubles c) {
    return (doubles)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}

LIBM_INLINE doubles look_up(const double table[16], integers index) {
    return (doubles)_mm512_permutex2var_pd(_mm512_load_pd(table), (__m512i)index,
                                           _mm512_load_pd(table + 8));
}

LIBM_INLINE uint32_t any_of(integers mask) {
    return _mm512_movepi64_mask((__m512i)mask);
}

#else
typedef int cns_libm_avx512_is_for_x86; /* a file must not be empty */
#endif
