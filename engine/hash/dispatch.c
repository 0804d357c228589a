/* SPDX-License-Identifier: MIT
 *
 * hash/dispatch.c - which kernels serve which level. The tables are constants; the choice is the
 * context's, or the machine's where there is no context. Any thread.
 */
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

const cns_hash_kernels *cns_hash_kernels_for(const cns_context *context) {
    switch (context ? cns_context_cpu_level(context) : cns_cpu_detect()) {
    default:
        return &portable; /* and NEON, which has no kernels of its own yet */
    }
}
