/* SPDX-License-Identifier: MIT
 *
 * hash/hash.c - one-shot digests, tree hashing over threads, hex. Nothing here allocates.
 */
#include "base/context.h"
#include "hash/digest.h"

static cns_status prepare(cns_digest_spec *spec, cns_context *context, cns_hash_algorithm algorithm,
                          const cns_hash_params *params, const void *data, size_t size, void *out,
                          size_t out_size) {
    cns_status status = cns_digest_spec_init(spec, context, algorithm, params);
    if (status != CNS_OK) {
        return status;
    }
    if (!data && size > 0) {
        return cns_fail(context, CNS_E_INVALID, "data is NULL but has %zu bytes", size);
    }
    return cns_digest_check_out(context, spec, 1, out, out_size);
}

cns_status cns_hash_digest(cns_context *context, cns_hash_algorithm algorithm,
                           const cns_hash_params *params, const void *data, size_t size, void *out,
                           size_t out_size) {
    cns_digest_spec spec;
    cns_status status = prepare(&spec, context, algorithm, params, data, size, out, out_size);
    if (status == CNS_OK) {
        cns_digest_once(&spec, data, size, out);
    }
    return status;
}

cns_status cns_hash_parallel(cns_context *context, cns_hash_algorithm algorithm,
                             const cns_hash_params *params, const void *data, size_t size,
                             void *out, size_t out_size, const cns_executor *executor) {
    cns_digest_spec spec;
    cns_status status = prepare(&spec, context, algorithm, params, data, size, out, out_size);
    if (status != CNS_OK) {
        return status;
    }
    if (algorithm != CNS_HASH_BLAKE3) {
        cns_digest_once(&spec, data, size, out);
        return CNS_OK;
    }
    return cns_blake3_digest_parallel(spec.kernels, &spec.as.blake3, data, size, out,
                                      spec.digest_size, executor);
}

void cns_hash_hex(const void *digest, size_t size, char *out) {
    static const char digits[] = "0123456789abcdef";
    const uint8_t *bytes = digest;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * size] = '\0';
}
