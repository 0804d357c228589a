/* SPDX-License-Identifier: MIT
 *
 * hash/hasher.c - incremental digests as objects. A hasher remembers its checked parameters, so
 * that reset needs nothing from the caller; it is wiped before its memory goes back, since it may
 * hold a key. One thread at a time; finalize and read only look.
 */
#include <string.h>

#include "base/context.h"
#include "hash/digest.h"

struct cns_hasher {
    cns_digest_state state; /* first: it has the strictest alignment */
    cns_digest_spec spec;
    cns_context *context;
};

enum { HASHER_ALIGN = 64 };

_Static_assert(_Alignof(cns_hasher) <= HASHER_ALIGN, "XXH3's state needs its alignment");

cns_status cns_hasher_create(cns_context *context, cns_hash_algorithm algorithm,
                             const cns_hash_params *params, cns_hasher **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "%s is NULL", context ? "out" : "context");
    }
    cns_digest_spec spec;
    cns_status status = cns_digest_spec_init(&spec, context, algorithm, params);
    if (status != CNS_OK) {
        return status;
    }
    cns_hasher *hasher = cns_context_alloc(context, sizeof *hasher, HASHER_ALIGN);
    if (!hasher) {
        return cns_context_memory_status(context, sizeof *hasher);
    }
    hasher->spec = spec;
    hasher->context = context;
    cns_digest_init(&hasher->state, &spec);
    *out = hasher;
    return CNS_OK;
}

/* Through a volatile pointer, or the compiler drops stores to memory about to be freed. */
static void wipe(void *memory, size_t size) {
    volatile uint8_t *bytes = memory;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = 0;
    }
}

void cns_hasher_destroy(cns_hasher *hasher) {
    if (hasher) {
        cns_context *context = hasher->context;
        wipe(hasher, sizeof *hasher);
        cns_context_free(context, hasher, sizeof *hasher, HASHER_ALIGN);
    }
}

cns_status cns_hasher_update(cns_hasher *hasher, const void *data, size_t size) {
    if (!hasher) {
        return CNS_E_INVALID;
    }
    if (!data && size > 0) {
        return cns_fail(hasher->context, CNS_E_INVALID, "data is NULL but has %zu bytes", size);
    }
    cns_digest_update(&hasher->state, &hasher->spec, data, size);
    return CNS_OK;
}

cns_status cns_hasher_finalize(const cns_hasher *hasher, void *out, size_t out_size) {
    if (!hasher) {
        return CNS_E_INVALID;
    }
    cns_status status = cns_digest_check_out(hasher->context, &hasher->spec, 1, out, out_size);
    if (status == CNS_OK) {
        cns_digest_finish(&hasher->state, &hasher->spec, out);
    }
    return status;
}

cns_status cns_hasher_read(const cns_hasher *hasher, uint64_t offset, void *out, size_t size) {
    if (!hasher) {
        return CNS_E_INVALID;
    }
    if (hasher->spec.algorithm != CNS_HASH_BLAKE3) {
        return cns_fail(hasher->context, CNS_E_UNSUPPORTED, "%s has no extendable output",
                        cns_hash_name(hasher->spec.algorithm));
    }
    if (!out && size > 0) {
        return cns_fail(hasher->context, CNS_E_INVALID, "out is NULL but has %zu bytes", size);
    }
    if (size > UINT64_MAX - offset) {
        return cns_fail(hasher->context, CNS_E_RANGE, "the output ends at 2^64 - 1 bytes");
    }
    cns_blake3_read(&hasher->state.blake3, offset, out, size);
    return CNS_OK;
}

size_t cns_hasher_digest_size(const cns_hasher *hasher) {
    return hasher ? hasher->spec.digest_size : 0;
}

void cns_hasher_reset(cns_hasher *hasher) {
    if (hasher) {
        cns_digest_init(&hasher->state, &hasher->spec);
    }
}

cns_status cns_hasher_clone(const cns_hasher *hasher, cns_hasher **out) {
    if (!hasher || !out) {
        return hasher ? cns_fail(hasher->context, CNS_E_INVALID, "out is NULL") : CNS_E_INVALID;
    }
    cns_hasher *copy = cns_context_alloc(hasher->context, sizeof *copy, HASHER_ALIGN);
    if (!copy) {
        return cns_context_memory_status(hasher->context, sizeof *copy);
    }
    *copy = *hasher;
    *out = copy;
    return CNS_OK;
}
