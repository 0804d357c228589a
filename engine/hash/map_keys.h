/* SPDX-License-Identifier: MIT
 *
 * hash/map_keys.h - the bytes of a map's string keys: appended to chunks, never moved.
 *
 * A removed key leaves garbage behind; the map has the live ones copied to a fresh store when there
 * is too much of it. One owner at a time.
 */
#ifndef CNS_HASH_MAP_KEYS_H
#define CNS_HASH_MAP_KEYS_H

#include <stdbool.h>

#include "base/context.h"

typedef struct cns_key_chunk cns_key_chunk;

typedef struct cns_key_store {
    cns_key_chunk *chunks; /* the newest first: the one that is appended to */
    uint64_t live;         /* bytes of keys in use */
    uint64_t garbage;      /* bytes of keys removed */
    uint64_t held;         /* bytes taken from the context */
} cns_key_store;

/* Makes sure that the next `size` bytes can be appended. */
cns_status cns_keys_reserve(cns_context *context, cns_key_store *store, uint64_t size);
/* requires: room reserved. */
const char *cns_keys_append(cns_key_store *store, const void *bytes, size_t size);
void cns_keys_remove(cns_key_store *store, size_t size);
/* true when copying the live keys would pay. */
bool cns_keys_wasteful(const cns_key_store *store);
void cns_keys_deinit(cns_context *context, cns_key_store *store);

#endif
