/* SPDX-License-Identifier: MIT
 *
 * hash/kernels.h - the inner loops of the digests, one table per instruction set.
 *
 * Kernels are pure functions over the caller's memory: no allocation, no state, any thread. All
 * tables give the same bytes. A lane job carries up to CNS_HASH_LANES independent messages; a
 * kernel splits it into the widths that it has registers for.
 */
#ifndef CNS_HASH_KERNELS_H
#define CNS_HASH_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#include "cns/base.h"

enum { CNS_HASH_LANES = 16 };

/* ---- BLAKE3 --------------------------------------------------------------------------------- */

enum { CNS_BLAKE3_BLOCK = 64, CNS_BLAKE3_CHUNK = 1024, CNS_BLAKE3_VALUE = 32 };

enum {
    CNS_BLAKE3_CHUNK_START = 1,
    CNS_BLAKE3_CHUNK_END = 2,
    CNS_BLAKE3_PARENT = 4,
    CNS_BLAKE3_ROOT = 8,
    CNS_BLAKE3_KEYED = 16,
    CNS_BLAKE3_DERIVE_CONTEXT = 32,
    CNS_BLAKE3_DERIVE_MATERIAL = 64
};

/* Up to 16 chains of blocks. Lane i compresses blocks[i] - 1 whole blocks at input[i], then the
 * block at last[i] (64 readable bytes, of which last_length[i] count), and writes its 32-byte
 * chaining value to out[i]. An out may overlap inputs of its own or of lower lanes only. The
 * numbers of lanes not in use must be initialised (any value), since they are loaded too. */
typedef struct cns_blake3_job {
    const uint32_t *key;  /* 8 words: the chaining value that every lane starts from */
    uint32_t lanes;       /* 1 to CNS_HASH_LANES */
    uint32_t flags;       /* of every block */
    uint32_t flags_start; /* of each lane's first block, in addition */
    uint32_t flags_end;   /* of each lane's last block, in addition */
    const uint8_t *input[CNS_HASH_LANES];
    const uint8_t *last[CNS_HASH_LANES];
    uint8_t *out[CNS_HASH_LANES];
    uint32_t counter_low[CNS_HASH_LANES];
    uint32_t counter_high[CNS_HASH_LANES];
    uint32_t blocks[CNS_HASH_LANES]; /* at least 1 */
    uint32_t last_length[CNS_HASH_LANES];
} cns_blake3_job;

/* Compresses `count` blocks, each with `length` bytes that count, into the chaining value. */
typedef void (*cns_blake3_compress_fn)(uint32_t value[8], const uint8_t *blocks, size_t count,
                                       uint32_t length, uint64_t counter, uint32_t flags);
/* One compression with all 64 bytes of output: a block of the extendable output. */
typedef void (*cns_blake3_expand_fn)(const uint32_t value[8], const uint8_t block[64],
                                     uint32_t length, uint64_t counter, uint32_t flags,
                                     uint8_t out[64]);

/* ---- BLAKE2b -------------------------------------------------------------------------------- */

enum { CNS_BLAKE2B_BLOCK = 128, CNS_BLAKE2B_VALUE = 64 };

/* Up to 16 messages, as above: blocks[i] - 1 whole blocks at input[i], then last[i] (128 readable
 * bytes, zero beyond the message). `before` bytes precede each (a key block); total[i] is the
 * length with them. Lane i's 64-byte final state goes to out[i]. */
typedef struct cns_blake2b_job {
    const uint64_t *start; /* 8 words: the state that every lane starts from */
    uint64_t before;
    uint32_t lanes;
    const uint8_t *input[CNS_HASH_LANES];
    const uint8_t *last[CNS_HASH_LANES];
    uint8_t *out[CNS_HASH_LANES];
    uint64_t blocks[CNS_HASH_LANES];
    uint64_t total[CNS_HASH_LANES];
} cns_blake2b_job;

/* Compresses `count` blocks; `total` is the message length up to the end of the first of them, and
 * grows by a block each. `final` is all ones for the last block of a message (then count is 1). */
typedef void (*cns_blake2b_compress_fn)(uint64_t state[8], const uint8_t *blocks, size_t count,
                                        uint64_t total, uint64_t final);

/* ---- the tables ----------------------------------------------------------------------------- */

typedef struct cns_hash_kernels {
    cns_cpu_level level;
    uint32_t blake3_width; /* lanes worth collecting before a call */
    uint32_t blake2b_width;
    cns_blake3_compress_fn blake3_compress;
    cns_blake3_expand_fn blake3_expand;
    void (*blake3_lanes)(const cns_blake3_job *job);
    cns_blake2b_compress_fn blake2b_compress;
    void (*blake2b_lanes)(const cns_blake2b_job *job);
    uint32_t (*crc32c)(uint32_t crc, const uint8_t *data, size_t size); /* of the inverted value */
} cns_hash_kernels;

/* The table for the context's level; for NULL, the best that this machine has. Never NULL. */
const cns_hash_kernels *cns_hash_kernels_for(const cns_context *context);

void cns_blake3_compress_portable(uint32_t value[8], const uint8_t *blocks, size_t count,
                                  uint32_t length, uint64_t counter, uint32_t flags);
void cns_blake3_expand_portable(const uint32_t value[8], const uint8_t block[64], uint32_t length,
                                uint64_t counter, uint32_t flags, uint8_t out[64]);
void cns_blake3_lanes_portable(const cns_blake3_job *job);
void cns_blake2b_compress_portable(uint64_t state[8], const uint8_t *blocks, size_t count,
                                   uint64_t total, uint64_t final);
void cns_blake2b_lanes_portable(const cns_blake2b_job *job);
uint32_t cns_crc32c_portable(uint32_t crc, const uint8_t *data, size_t size);

/* One lane of a job with a single-message kernel. */
void cns_blake3_lane_with(cns_blake3_compress_fn compress, const cns_blake3_job *job,
                          uint32_t lane);
void cns_blake2b_lane_with(cns_blake2b_compress_fn compress, const cns_blake2b_job *job,
                           uint32_t lane);

/* The first chaining value of BLAKE3: fractional parts of square roots of primes, as in SHA-256. */
extern const uint32_t cns_blake3_iv[8];
extern const uint64_t cns_blake2b_iv[8];

#endif
