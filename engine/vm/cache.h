/* SPDX-License-Identifier: MIT
 *
 * vm/cache.h - byte strings on disk by 32-byte keys, shared by all processes of a user.
 *
 * A folder with a file an entry, named by its key in hex:
 *
 *     "CNSC" version key size payload digest
 *
 * Numbers are little-endian (32 bits, size 64); the digest is BLAKE3 over all before it. A file
 * that is not exactly that, cut off, damaged or another key's, counts as absent and is replaced.
 * The folder must be the user's alone, since what is in it gets executed: one that others may
 * write to is not used. Files appear whole, by renaming, and are unlinked whole, so that processes
 * need no lock; one that reads a file keeps it while it is unlinked.
 *
 * Nothing is kept between calls but path and limit: any thread, at once. No failure is more than
 * a miss; the words for it go to the caller.
 */
#ifndef CNS_VM_CACHE_H
#define CNS_VM_CACHE_H

#include <stdbool.h>

#include "base/context.h"

enum { CNS_CACHE_KEY = 32, CNS_CACHE_WHY = 160 };

#define CNS_CACHE_LIMIT_DEFAULT (UINT64_C(256) << 20)

typedef struct cns_cache {
    cns_context *context;
    char *path; /* absolute; NULL: there is no cache */
    size_t path_size;
    uint64_t limit; /* of all files, in bytes on disk */
} cns_cache;

/* An entry that was found, in memory of its own. */
typedef struct cns_cache_entry {
    void *memory;
    size_t memory_size;
    const uint8_t *payload;
    size_t size;
} cns_cache_entry;

typedef struct cns_cache_usage {
    uint64_t files;
    uint64_t bytes; /* on disk: each file's size in blocks of 4 KiB */
} cns_cache_usage;

/* NULL or "": none. limit 0: the default. CNS_E_INVALID for a path that is not absolute. */
cns_status cns_cache_init(cns_cache *cache, cns_context *context, const char *path, uint64_t limit);
void cns_cache_deinit(cns_cache *cache);

/* Whether there is an entry, verified; and it was used last. */
bool cns_cache_get(const cns_cache *cache, const uint8_t key[CNS_CACHE_KEY], cns_cache_entry *out);
void cns_cache_release(const cns_cache *cache, cns_cache_entry *entry);
/* Keeps the payload; false with the reason. Now and then, more often the smaller the limit is, the
 * entries that were not used for the longest time are removed down to the limit: they go beyond it
 * by 1/32 on average, and one call in many costs a look at every file. */
bool cns_cache_put(const cns_cache *cache, const uint8_t key[CNS_CACHE_KEY], const void *payload,
                   size_t size, char *why, size_t capacity);
/* What is there; of a folder that does not exist yet, nothing. false with the reason when entries
 * could not be read or kept. */
bool cns_cache_measure(const cns_cache *cache, cns_cache_usage *out, char *why, size_t capacity);
/* Removes all entries and what unfinished writes left behind, but no other file, and tells how
 * much that was. false with the reason. */
bool cns_cache_clear(const cns_cache *cache, cns_cache_usage *removed, char *why, size_t capacity);

#endif
