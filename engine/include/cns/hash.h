/* SPDX-License-Identifier: MIT
 *
 * cns/hash.h - digests (BLAKE2b, BLAKE3, XXH3, CRC32C, SipHash), batches and files, hash maps.
 *
 * Every path - portable, SIMD, batch, threads - gives the same bytes. The context chooses the
 * instruction set (cns_context_config.cpu_level); a NULL context means the best this machine has.
 * Digest bytes of the integer hashes are in their canonical order: XXH3 and CRC32C big-endian (as
 * xxhsum and crc tools print them), SipHash little-endian (as in its reference vectors).
 */
#ifndef CNS_HASH_H
#define CNS_HASH_H

#include "cns/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum cns_hash_algorithm {
    CNS_HASH_BLAKE3 = 1,    /* 32 bytes by default, any length up to 2^64 - 1 */
    CNS_HASH_BLAKE2B = 2,   /* 64 by default, 1 to 64 */
    CNS_HASH_XXH3_64 = 3,   /* 8; not for hostile input */
    CNS_HASH_XXH3_128 = 4,  /* 16; not for hostile input */
    CNS_HASH_CRC32C = 5,    /* 4; detects accidents only */
    CNS_HASH_SIPHASH24 = 6, /* 8; needs a 16-byte key */
    CNS_HASH_SIPHASH13 = 7  /* 8; needs a 16-byte key */
} cns_hash_algorithm;

/* What the algorithms can be told; fields that an algorithm does not know must be 0. */
typedef struct cns_hash_params {
    uint32_t size;
    uint32_t digest_size; /* bytes of digest; 0 for the default. BLAKE2b mixes it in */
    const void *key;      /* BLAKE2b 1..64 bytes, BLAKE3 32, SipHash 16 */
    size_t key_size;
    const void *salt; /* BLAKE2b: exactly 16 bytes, or none */
    size_t salt_size;
    const void *personal; /* BLAKE2b: exactly 16 bytes, or none */
    size_t personal_size;
    const char *derive; /* BLAKE3 derive-key mode: the context string; excludes key */
    size_t derive_size;
    uint64_t seed; /* XXH3; CRC32C: the value so far */
} cns_hash_params;

/* Bytes of digest by default; 0 for an unknown algorithm. */
CNS_API size_t cns_hash_digest_size(cns_hash_algorithm algorithm);
/* "blake3", "blake2b", "xxh3-64", "xxh3-128", "crc32c", "siphash24", "siphash13"; NULL if unknown.
 */
CNS_API const char *cns_hash_name(cns_hash_algorithm algorithm);
CNS_API cns_status cns_hash_parse(const char *name, cns_hash_algorithm *out);

/* One-shot. Writes digest_size bytes (params or default) to `out`, which has `out_size` >= that.
 * `data` may be NULL when `size` is 0. Allocates nothing. Any thread. CNS_E_INVALID names the
 * parameter in the context's message (when there is a context). */
CNS_API cns_status cns_hash_digest(cns_context *context, cns_hash_algorithm algorithm,
                                   const cns_hash_params *params, const void *data, size_t size,
                                   void *out, size_t out_size);

/* Many messages at once, one SIMD lane each: any lengths, any order of lengths. Digest i goes to
 * out + i * digest_size. `executor` may be NULL (this thread only). Any thread. */
CNS_API cns_status cns_hash_batch(cns_context *context, cns_hash_algorithm algorithm,
                                  const cns_hash_params *params, const void *const *messages,
                                  const size_t *sizes, size_t count, void *out, size_t out_size,
                                  const cns_executor *executor);

/* One large message, its tree spread over the executor's threads where that pays (BLAKE3 only;
 * the others run on this thread). Same bytes as cns_hash_digest. */
CNS_API cns_status cns_hash_parallel(cns_context *context, cns_hash_algorithm algorithm,
                                     const cns_hash_params *params, const void *data, size_t size,
                                     void *out, size_t out_size, const cns_executor *executor);

/* A whole file (NULL executor: this thread). CNS_E_IO with the path and the cause in the message;
 * a directory, or a file that shrinks while it is read, is an error. */
CNS_API cns_status cns_hash_file(cns_context *context, cns_hash_algorithm algorithm,
                                 const cns_hash_params *params, const char *path, void *out,
                                 size_t out_size, const cns_executor *executor);

/* Lower-case hex of `size` bytes and a NUL: 2 * size + 1 chars. */
CNS_API void cns_hash_hex(const void *digest, size_t size, char *out);

/* ---- incremental ---------------------------------------------------------------------------- */

typedef struct cns_hasher cns_hasher;

CNS_API cns_status cns_hasher_create(cns_context *context, cns_hash_algorithm algorithm,
                                     const cns_hash_params *params, cns_hasher **out);
CNS_API void cns_hasher_destroy(cns_hasher *hasher);
CNS_API cns_status cns_hasher_update(cns_hasher *hasher, const void *data, size_t size);
/* The digest of all so far; the hasher can go on. out_size >= digest size. */
CNS_API cns_status cns_hasher_finalize(const cns_hasher *hasher, void *out, size_t out_size);
/* BLAKE3's extendable output: `size` bytes from `offset`. CNS_E_UNSUPPORTED for the others. */
CNS_API cns_status cns_hasher_read(const cns_hasher *hasher, uint64_t offset, void *out,
                                   size_t size);
CNS_API size_t cns_hasher_digest_size(const cns_hasher *hasher);
/* Back to the state after creation. */
CNS_API void cns_hasher_reset(cns_hasher *hasher);
CNS_API cns_status cns_hasher_clone(const cns_hasher *hasher, cns_hasher **out);

/* ---- map and set ---------------------------------------------------------------------------- */

typedef enum cns_map_key { CNS_MAP_KEY_U64 = 1, CNS_MAP_KEY_STRING = 2 } cns_map_key;

typedef enum cns_map_value {
    CNS_MAP_VALUE_NONE = 0, /* a set */
    CNS_MAP_VALUE_U64 = 1,
    CNS_MAP_VALUE_F64 = 2,
    CNS_MAP_VALUE_SLOT = 3 /* slot_size bytes, zeroed when the key is new */
} cns_map_value;

typedef struct cns_map cns_map;

typedef struct cns_map_config {
    uint32_t size;
    cns_map_key key;
    cns_map_value value;
    uint32_t slot_size; /* for CNS_MAP_VALUE_SLOT: 1 to 4096 bytes, 8-byte aligned slots */
    uint64_t capacity;  /* entries to make room for */
    uint64_t seed;      /* 0: drawn from the OS, so that hostile keys cannot be prepared */
} cns_map_config;

/* One thread at a time; lookups from several threads are fine while no one mutates. */
CNS_API cns_status cns_map_create(cns_context *context, const cns_map_config *config,
                                  cns_map **out);
CNS_API void cns_map_destroy(cns_map *map);
CNS_API uint64_t cns_map_count(const cns_map *map);
CNS_API uint64_t cns_map_held(const cns_map *map);
CNS_API cns_map_key cns_map_key_kind(const cns_map *map);
CNS_API cns_map_value cns_map_value_kind(const cns_map *map);
CNS_API uint32_t cns_map_slot_size(const cns_map *map);
/* The value's cell, 8-byte aligned, valid until the next mutation; NULL when absent. For a set, a
 * non-NULL pointer without meaning. requires: the map's key kind. */
CNS_API void *cns_map_get_u64(const cns_map *map, uint64_t key);
CNS_API void *cns_map_get_string(const cns_map *map, const void *key, size_t size);
/* Finds or adds (value zeroed). `cell` gets the value's cell; `added` (may be NULL) 1 when new.
 * String keys are copied, up to 2^32 - 1 bytes. */
CNS_API cns_status cns_map_put_u64(cns_map *map, uint64_t key, void **cell, int *added);
CNS_API cns_status cns_map_put_string(cns_map *map, const void *key, size_t size, void **cell,
                                      int *added);
/* CNS_E_NOTFOUND when absent. */
CNS_API cns_status cns_map_remove_u64(cns_map *map, uint64_t key);
CNS_API cns_status cns_map_remove_string(cns_map *map, const void *key, size_t size);
CNS_API cns_status cns_map_reserve(cns_map *map, uint64_t count);
CNS_API void cns_map_clear(cns_map *map);

/* Iteration: start with cursor 0; 1 and an entry, or 0 at the end. The order is stable until the
 * map is mutated. `version` changes with every mutation of the key set. Any pointer may be NULL. */
CNS_API int cns_map_next_u64(const cns_map *map, uint64_t *cursor, uint64_t *key, void **cell);
CNS_API int cns_map_next_string(const cns_map *map, uint64_t *cursor, const char **key,
                                size_t *size, void **cell);
CNS_API uint64_t cns_map_version(const cns_map *map);
CNS_API cns_status cns_map_check(const cns_map *map);

#ifdef __cplusplus
}
#endif

#endif
