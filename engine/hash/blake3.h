/* SPDX-License-Identifier: MIT
 *
 * hash/blake3.h - BLAKE3: the tree over the kernels.
 *
 * Chunks of 1024 bytes are the leaves of a binary tree whose left subtrees are complete. A state
 * keeps the chaining values of complete subtrees on a stack, and the chunk that is still open.
 * The last compression of all is the root and is never done before the input has ended.
 */
#ifndef CNS_HASH_BLAKE3_H
#define CNS_HASH_BLAKE3_H

#include "hash/kernels.h"

enum {
    /* 2^64 bytes are 2^54 chunks; both halves of the newest subtree lie on the stack unmerged. */
    CNS_BLAKE3_DEPTH = 56,
    /* Chunks that one call reduces together; a power of two. */
    CNS_BLAKE3_SEGMENT = 128,
    /* Bytes that one thread takes at a time, and the least that is worth waking others for. */
    CNS_BLAKE3_PART = 64 * CNS_BLAKE3_CHUNK,
    CNS_BLAKE3_PARALLEL_MINIMUM = 256 * CNS_BLAKE3_CHUNK
};

/* What a message is hashed with: the key words and the mode's flags. */
typedef struct cns_blake3_key {
    uint32_t words[8];
    uint32_t flags;
} cns_blake3_key;

/* A compression not done yet, since it may be the root: repeat it for every 64 bytes of output. */
typedef struct cns_blake3_node {
    uint32_t value[8];
    uint32_t length;
    uint32_t flags;
    uint64_t counter;
    uint8_t block[CNS_BLAKE3_BLOCK];
} cns_blake3_node;

typedef struct cns_blake3 {
    const cns_hash_kernels *kernels;
    cns_blake3_key key;
    uint64_t chunks; /* behind the stack */
    uint32_t depth;
    /* The open chunk. Its last block waits in the buffer until more input follows. */
    uint32_t blocks; /* compressed into `value` */
    uint32_t filled; /* bytes in the buffer */
    uint32_t value[8];
    uint8_t buffer[CNS_BLAKE3_BLOCK];
    uint8_t stack[CNS_BLAKE3_DEPTH][CNS_BLAKE3_VALUE];
} cns_blake3;

void cns_blake3_key_plain(cns_blake3_key *key);
void cns_blake3_key_keyed(cns_blake3_key *key, const uint8_t bytes[32]);
void cns_blake3_key_derive(cns_blake3_key *key, const cns_hash_kernels *kernels,
                           const uint8_t *context, size_t size);

void cns_blake3_init(cns_blake3 *state, const cns_hash_kernels *kernels, const cns_blake3_key *key);
void cns_blake3_update(cns_blake3 *state, const uint8_t *data, size_t size);
/* A part of the tree for one thread: CNS_BLAKE3_PART bytes whose first chunk is number `chunk` (a
 * multiple of a part's chunks) give the values of both halves, which are added in order. */
void cns_blake3_hash_part(const cns_blake3 *state, const uint8_t *data, uint64_t chunk,
                          uint8_t halves[2 * CNS_BLAKE3_VALUE]);
/* requires: the input so far is a multiple of a part. */
void cns_blake3_add_part(cns_blake3 *state, const uint8_t halves[2 * CNS_BLAKE3_VALUE]);
/* Writes `size` bytes of output from `offset`; offset + size must not overflow. */
void cns_blake3_read(const cns_blake3 *state, uint64_t offset, uint8_t *out, size_t size);

/* Message to output in one go: quicker than a state, since the end is known from the start. */
void cns_blake3_digest(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                       const uint8_t *data, size_t size, uint8_t *out, size_t out_size);
cns_status cns_blake3_digest_parallel(const cns_hash_kernels *kernels, const cns_blake3_key *key,
                                      const uint8_t *data, size_t size, uint8_t *out,
                                      size_t out_size, const cns_executor *executor);

#endif
