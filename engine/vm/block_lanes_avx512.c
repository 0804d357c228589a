/* SPDX-License-Identifier: MIT
 *
 * block_lanes_avx512.c - the block VM's primitives on vectors of 512 bits.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#define CNS_LANES_BYTES 64
#define CNS_LANES_TABLE cns_lanes_avx512
#define CNS_LANES_NAME "512 bits"
#include "vm/block_lanes.inc"

LANES_INLINE reals sqrt_of(reals x) {
    return (reals)_mm512_sqrt_pd((__m512d)x);
}
LANES_INLINE reals floor_of(reals x) {
    return (reals)_mm512_roundscale_pd((__m512d)x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
LANES_INLINE reals ceil_of(reals x) {
    return (reals)_mm512_roundscale_pd((__m512d)x, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
}

#else
typedef int cns_block_lanes_avx512_is_for_x86; /* a file must not be empty */
#endif
