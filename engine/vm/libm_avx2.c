/* SPDX-License-Identifier: MIT
 *
 * libm_avx2.c - exp and log of four doubles at once.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define CNS_LIBM_LANES 4
#include "vm/libm_x86.h"
#define LIBM_NAME(name) cns_libm_##name##_avx2
#include "vm/libm_lanes.inc"

LIBM_INLINE doubles fma_of(doubles a, doubles b, doubles c) {
    return (doubles)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}

/* Four loads: gathers are slow where microcode guards them. */
LIBM_INLINE doubles look_up(const double table[16], integers index) {
    return (doubles){table[index[0]], table[index[1]], table[index[2]], table[index[3]]};
}

LIBM_INLINE uint32_t any_of(integers mask) {
    return (uint32_t)_mm256_movemask_pd((__m256d)mask);
}

#else
typedef int cns_libm_avx2_is_for_x86; /* a file must not be empty */
#endif
