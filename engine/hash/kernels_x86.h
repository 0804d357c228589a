/* SPDX-License-Identifier: MIT
 *
 * hash/kernels_x86.h - the kernels of the x86 files, for dispatch.c. requires: a machine of the
 * level in the name.
 */
#ifndef CNS_HASH_KERNELS_X86_H
#define CNS_HASH_KERNELS_X86_H

#include "hash/kernels.h"

#define CNS_BLAKE3_KERNELS(level)                                                                  \
    void cns_blake3_compress_##level(uint32_t value[8], const uint8_t *blocks, size_t count,       \
                                     uint32_t length, uint64_t counter, uint32_t flags);           \
    void cns_blake3_expand_##level(const uint32_t value[8], const uint8_t block[64],               \
                                   uint32_t length, uint64_t counter, uint32_t flags,              \
                                   uint8_t out[64]);                                               \
    void cns_blake3_lanes_##level(const cns_blake3_job *job)

#define CNS_BLAKE2B_KERNELS(level)                                                                 \
    void cns_blake2b_compress_##level(uint64_t state[8], const uint8_t *blocks, size_t count,      \
                                      uint64_t total, uint64_t final);                             \
    void cns_blake2b_lanes_##level(const cns_blake2b_job *job)

CNS_BLAKE3_KERNELS(sse41);
CNS_BLAKE3_KERNELS(avx2);
CNS_BLAKE3_KERNELS(avx512);
CNS_BLAKE2B_KERNELS(avx2);
CNS_BLAKE2B_KERNELS(avx512);
uint32_t cns_crc32c_sse41(uint32_t crc, const uint8_t *data, size_t size);
/* requires: vpclmulqdq besides AVX-512. */
uint32_t cns_crc32c_vpclmul(uint32_t crc, const uint8_t *data, size_t size);

#endif
