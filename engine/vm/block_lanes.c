/* SPDX-License-Identifier: MIT
 *
 * block_lanes.c - the block VM's primitives for any processor, and the choice among all of them.
 */
#define CNS_LANES_BYTES 16
#define CNS_LANES_TABLE cns_lanes_portable
#define CNS_LANES_NAME "128 bits"
#include "vm/block_lanes.inc"

LANES_INLINE reals sqrt_of(reals x) {
    return (reals){sqrt(x[0]), sqrt(x[1])};
}
LANES_INLINE reals floor_of(reals x) {
    return (reals){floor(x[0]), floor(x[1])};
}
LANES_INLINE reals ceil_of(reals x) {
    return (reals){ceil(x[0]), ceil(x[1])};
}

const cns_lanes *cns_lanes_find(cns_cpu_level level) {
#if defined(__x86_64__)
    if (level == CNS_CPU_AVX512) {
        return cns_lanes_avx512();
    }
    if (level == CNS_CPU_AVX2) {
        return cns_lanes_avx2();
    }
#endif
    (void)level;
    return cns_lanes_portable();
}
