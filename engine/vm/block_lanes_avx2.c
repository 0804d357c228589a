/* SPDX-License-Identifier: MIT
 *
 * block_lanes_avx2.c - the block VM's primitives on vectors of 256 bits.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define CNS_LANES_BYTES 32
#define CNS_LANES_TABLE cns_lanes_avx2
#define CNS_LANES_NAME "256 bits"
#include "vm/block_lanes.inc"

LANES_INLINE reals sqrt_of(reals x) {
    return (reals)_mm256_sqrt_pd((__m256d)x);
}
LANES_INLINE reals floor_of(reals x) {
    return (reals)_mm256_floor_pd((__m256d)x);
}
LANES_INLINE reals ceil_of(reals x) {
    return (reals)_mm256_ceil_pd((__m256d)x);
}

#else
typedef int cns_block_lanes_avx2_is_for_x86; /* a file must not be empty */
#endif
