/* SPDX-License-Identifier: MIT
 *
 * hash/dispatch.c - which kernels serve which level. The tables are constants; the choice is the
 * context's, or the machine's where there is no context. Any thread.
 */
#include <stdatomic.h>

#include "base/cpu.h"
#include "hash/kernels.h"

static const cns_hash_kernels portable = {
    .level = CNS_CPU_PORTABLE,
    .blake3_width = 1,
    .blake2b_width = 1,
    .blake3_compress = cns_blake3_compress_portable,
    .blake3_expand = cns_blake3_expand_portable,
    .blake3_lanes = cns_blake3_lanes_portable,
    .blake2b_compress = cns_blake2b_compress_portable,
    .blake2b_lanes = cns_blake2b_lanes_portable,
    .crc32c = cns_crc32c_portable,
};

#if defined(__x86_64__)

#include "hash/kernels_x86.h"

/* Two lanes of 64 bits are no faster than plain C, so BLAKE2b has no SSE kernels. */
static const cns_hash_kernels sse41 = {
    .level = CNS_CPU_SSE41,
    .blake3_width = 4,
    .blake2b_width = 1,
    .blake3_compress = cns_blake3_compress_sse41,
    .blake3_expand = cns_blake3_expand_sse41,
    .blake3_lanes = cns_blake3_lanes_sse41,
    .blake2b_compress = cns_blake2b_compress_portable,
    .blake2b_lanes = cns_blake2b_lanes_portable,
    .crc32c = cns_crc32c_sse41,
};

static const cns_hash_kernels avx2 = {
    .level = CNS_CPU_AVX2,
    .blake3_width = 8,
    .blake2b_width = 4,
    .blake3_compress = cns_blake3_compress_avx2,
    .blake3_expand = cns_blake3_expand_avx2,
    .blake3_lanes = cns_blake3_lanes_avx2,
    .blake2b_compress = cns_blake2b_compress_avx2,
    .blake2b_lanes = cns_blake2b_lanes_avx2,
    .crc32c = cns_crc32c_sse41,
};

#define AVX512_KERNELS(crc32c_kernel)                                                              \
    {                                                                                              \
        .level = CNS_CPU_AVX512, .blake3_width = 16, .blake2b_width = 8,                           \
        .blake3_compress = cns_blake3_compress_avx512, .blake3_expand = cns_blake3_expand_avx512,  \
        .blake3_lanes = cns_blake3_lanes_avx512, .blake2b_compress = cns_blake2b_compress_avx512,  \
        .blake2b_lanes = cns_blake2b_lanes_avx512, .crc32c = (crc32c_kernel),                      \
    }

static const cns_hash_kernels avx512 = AVX512_KERNELS(cns_crc32c_sse41);
static const cns_hash_kernels avx512_vpclmul = AVX512_KERNELS(cns_crc32c_vpclmul);

/* CPUID is slow, above all in a virtual machine: its answer is kept. */
static int has_vpclmulqdq(void) {
    static _Atomic int cached; /* 0 until known, then 1 for no, 2 for yes */
    int known = atomic_load_explicit(&cached, memory_order_relaxed);
    if (known == 0) {
        known = 1 + (cns_cpu_has_vpclmulqdq_x86() != 0);
        atomic_store_explicit(&cached, known, memory_order_relaxed);
    }
    return known == 2;
}

#endif

const cns_hash_kernels *cns_hash_kernels_for(const cns_context *context) {
    switch (context ? cns_context_cpu_level(context) : cns_cpu_detect()) {
#if defined(__x86_64__)
    case CNS_CPU_SSE41:
        return &sse41;
    case CNS_CPU_AVX2:
        return &avx2;
    case CNS_CPU_AVX512:
        return has_vpclmulqdq() ? &avx512_vpclmul : &avx512;
#endif
    default:
        return &portable; /* NEON too: it has no kernels of its own yet */
    }
}
