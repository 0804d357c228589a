/* SPDX-License-Identifier: MIT
 *
 * cache.c - the folder of a cache: reading, writing and sweeping it.
 *
 * How full the folder is, only a look at every file tells. A process that keeps one kernel must
 * not pay for that, and a count kept in a file would need a lock and go wrong with the first
 * process that dies: so each write sweeps with a probability in proportion to its size, once for
 * each 1/32 of the limit that is written, whoever writes it.
 */
#include "vm/cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "cns/hash.h"

enum {
    VERSION = 1,
    HEAD = 4 + 4 + CNS_CACHE_KEY + 8,
    DIGEST = 32,
    BLOCK = 4096,
    SWEEPS = 32, /* for each limit that is written */
    NAME = 2 * CNS_CACHE_KEY + sizeof ".code"
};

static const uint64_t largest_entry = UINT64_C(1) << 28;       /* code is some kilobytes */
static const int64_t abandoned_ns = INT64_C(600) * 1000000000; /* a write takes microseconds */

/* ---- names and bytes ------------------------------------------------------------------------- */

static void name_of(const uint8_t *key, char name[NAME]) {
    cns_hash_hex(key, CNS_CACHE_KEY, name);
    memcpy(name + (size_t)2 * CNS_CACHE_KEY, ".code", sizeof ".code");
}

static bool is_entry(const cns_os_entry *file) {
    size_t hex = strspn(file->name, "0123456789abcdef");
    return file->regular && hex == (size_t)2 * CNS_CACHE_KEY &&
           strcmp(file->name + hex, ".code") == 0;
}

/* Left behind by a process that ended while it wrote. */
static bool is_abandoned(const cns_os_entry *file) {
    return file->regular && file->unfinished && file->age_ns > abandoned_ns;
}

static uint64_t on_disk(uint64_t size) {
    return (size / BLOCK + (size % BLOCK != 0)) * BLOCK;
}

static void put_u64(uint8_t *at, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static void write_head(uint8_t *at, const uint8_t *key, uint64_t size) {
    memcpy(at, "CNSC", 4);
    put_u64(at + 4, VERSION, 4);
    memcpy(at + 8, key, CNS_CACHE_KEY);
    put_u64(at + 8 + CNS_CACHE_KEY, size, 8);
}

/* ---- life ------------------------------------------------------------------------------------ */

cns_status cns_cache_init(cns_cache *cache, cns_context *context, const char *path,
                          uint64_t limit) {
    *cache = (cns_cache){.context = context, .limit = limit > 0 ? limit : CNS_CACHE_LIMIT_DEFAULT};
    if (!path || !*path) {
        return CNS_OK;
    }
    if (*path != '/') {
        return cns_fail(context, CNS_E_INVALID, "cns_vm_config.cache is \"%.80s\": no full path",
                        path);
    }
    size_t size = strlen(path) + 1;
    cache->path = cns_context_alloc(context, size, 1);
    if (!cache->path) {
        return cns_context_memory_status(context, size);
    }
    memcpy(cache->path, path, size);
    cache->path_size = size;
    return CNS_OK;
}

void cns_cache_deinit(cns_cache *cache) {
    cns_context_free(cache->context, cache->path, cache->path_size, 1);
    cache->path = NULL;
}

/* ---- getting --------------------------------------------------------------------------------- */

static bool is_whole(const uint8_t *file, size_t size, const uint8_t *key) {
    uint8_t head[HEAD], digest[DIGEST];
    write_head(head, key, size - HEAD - DIGEST);
    return memcmp(file, head, HEAD) == 0 &&
           cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, file, size - DIGEST, digest,
                           sizeof digest) == CNS_OK &&
           memcmp(file + size - DIGEST, digest, DIGEST) == 0;
}

static bool read_entry(const cns_cache *cache, cns_os_file *file, const uint8_t *key,
                       cns_cache_entry *out) {
    if (file->size < HEAD + DIGEST || file->size > largest_entry) {
        return false;
    }
    size_t size = (size_t)file->size, got = 0;
    uint8_t *bytes = cns_context_alloc(cache->context, size, CNS_ALIGN_DEFAULT);
    if (!bytes) {
        return false;
    }
    *out = (cns_cache_entry){bytes, size, bytes + HEAD, size - HEAD - DIGEST};
    if (cns_os_file_read(file, bytes, size, &got) != 0 || got != size ||
        !is_whole(bytes, size, key)) {
        cns_cache_release(cache, out);
        return false;
    }
    return true;
}

bool cns_cache_get(const cns_cache *cache, const uint8_t key[CNS_CACHE_KEY], cns_cache_entry *out) {
    cns_os_folder folder;
    cns_os_file file;
    char name[NAME], why[CNS_CACHE_WHY];
    if (!cache->path || cns_os_folder_open(&folder, cache->path, false, why, sizeof why) != 0) {
        return false;
    }
    name_of(key, name);
    bool found = cns_os_folder_use(&folder, name, &file) == 0;
    cns_os_folder_close(&folder);
    if (found) {
        found = read_entry(cache, &file, key, out);
        cns_os_file_close(&file);
    }
    return found;
}

void cns_cache_release(const cns_cache *cache, cns_cache_entry *entry) {
    cns_context_free(cache->context, entry->memory, entry->memory_size, CNS_ALIGN_DEFAULT);
    *entry = (cns_cache_entry){0};
}

/* ---- sweeping -------------------------------------------------------------------------------- */

typedef struct found {
    char name[NAME];
    uint64_t bytes;
    int64_t age_ns;
} found;

typedef struct survey {
    const cns_cache *cache;
    const cns_os_folder *folder;
    found *list; /* of entries; grows unless only_count */
    size_t count, capacity;
    bool only_count;
    bool failed;
    cns_cache_usage all; /* unfinished ones, too */
} survey;

static bool note_entry(survey *s, const cns_os_entry *file, uint64_t bytes) {
    if (s->count == s->capacity) {
        size_t capacity = s->capacity ? 2 * s->capacity : 64;
        found *grown = cns_context_realloc(s->cache->context, s->list, s->capacity * sizeof *grown,
                                           capacity * sizeof *grown);
        if (!grown) {
            s->failed = true;
            return false;
        }
        s->list = grown;
        s->capacity = capacity;
    }
    found *one = &s->list[s->count++];
    memcpy(one->name, file->name, NAME);
    one->bytes = bytes;
    one->age_ns = file->age_ns;
    return true;
}

static bool look_at(void *user, const cns_os_entry *file) {
    survey *s = user;
    uint64_t bytes = on_disk(file->size);
    bool entry = is_entry(file);
    if (!entry && !(file->unfinished && file->regular)) {
        return true; /* not ours */
    }
    if (!s->only_count && is_abandoned(file)) {
        (void)cns_os_folder_remove(s->folder, file->name);
        return true;
    }
    s->all.files++;
    s->all.bytes += bytes;
    return !entry || s->only_count || note_entry(s, file, bytes);
}

static int older_first(const void *a, const void *b) {
    const found *x = a, *y = b;
    return (x->age_ns < y->age_ns) - (x->age_ns > y->age_ns);
}

/* Two processes that sweep at once remove the same files, and not more. */
static void sweep(const cns_cache *cache, const cns_os_folder *folder) {
    survey s = {.cache = cache, .folder = folder};
    bool listed = cns_os_folder_list(folder, look_at, &s) == 0 && !s.failed;
    uint64_t left = s.all.bytes;
    if (listed && left > cache->limit && s.count > 0) {
        qsort(s.list, s.count, sizeof *s.list, older_first);
        for (size_t i = 0; i < s.count && left > cache->limit; i++) {
            (void)cns_os_folder_remove(folder, s.list[i].name);
            left -= s.list[i].bytes;
        }
    }
    cns_context_free(cache->context, s.list, s.capacity * sizeof *s.list, CNS_ALIGN_DEFAULT);
}

static bool is_time_to_sweep(const cns_cache *cache, uint64_t written) {
    uint64_t step = cache->limit / SWEEPS, draw = 0;
    if (step > written) {
        cns_os_random(&draw, sizeof draw);
        draw %= step;
    }
    return draw < written;
}

/* ---- putting --------------------------------------------------------------------------------- */

static bool say(char *why, size_t capacity, const cns_cache *cache, const char *reason) {
    snprintf(why, capacity, "%s: %s", cache->path, reason);
    return false;
}

static bool say_error(char *why, size_t capacity, const cns_cache *cache, int error) {
    char text[128];
    return say(why, capacity, cache, cns_os_error_text(error, text, sizeof text));
}

static uint8_t *frame(const cns_cache *cache, const uint8_t *key, const void *payload,
                      size_t size) {
    size_t total = HEAD + size + DIGEST;
    uint8_t *file = cns_context_alloc(cache->context, total, CNS_ALIGN_DEFAULT);
    if (file) {
        write_head(file, key, size);
        memcpy(file + HEAD, payload, size);
        (void)cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, file, total - DIGEST,
                              file + total - DIGEST, DIGEST);
    }
    return file;
}

bool cns_cache_put(const cns_cache *cache, const uint8_t key[CNS_CACHE_KEY], const void *payload,
                   size_t size, char *why, size_t capacity) {
    cns_os_folder folder;
    char name[NAME], reason[CNS_CACHE_WHY];
    uint64_t written = on_disk((uint64_t)size + HEAD + DIGEST);
    if (written > cache->limit || written > largest_entry) {
        return say(why, capacity, cache, "it is too large for the limit");
    }
    if (cns_os_folder_open(&folder, cache->path, true, reason, sizeof reason) != 0) {
        return say(why, capacity, cache, reason);
    }
    uint8_t *file = frame(cache, key, payload, size);
    name_of(key, name);
    int error = file ? cns_os_folder_put(&folder, name, file, HEAD + size + DIGEST) : 0;
    cns_context_free(cache->context, file, HEAD + size + DIGEST, CNS_ALIGN_DEFAULT);
    if (file && error == 0 && is_time_to_sweep(cache, written)) {
        sweep(cache, &folder);
    }
    cns_os_folder_close(&folder);
    return error  ? say_error(why, capacity, cache, error)
           : file ? true
                  : say(why, capacity, cache, "not enough memory");
}

/* ---- looking and clearing -------------------------------------------------------------------- */

/* Opens what is there. */
static bool open_existing(const cns_cache *cache, cns_os_folder *folder, bool *absent, char *why,
                          size_t capacity) {
    char reason[CNS_CACHE_WHY];
    int error = cns_os_folder_open(folder, cache->path, false, reason, sizeof reason);
    *absent = error == ENOENT;
    return error == 0 || say(why, capacity, cache, reason);
}

bool cns_cache_measure(const cns_cache *cache, cns_cache_usage *out, char *why, size_t capacity) {
    cns_os_folder folder;
    bool absent;
    *out = (cns_cache_usage){0};
    if (!open_existing(cache, &folder, &absent, why, capacity)) {
        int error = absent ? cns_os_folder_possible(cache->path) : 0;
        return absent && (error == 0 || say_error(why, capacity, cache, error));
    }
    survey s = {.cache = cache, .folder = &folder, .only_count = true};
    int error = cns_os_folder_list(&folder, look_at, &s);
    error = error ? error : cns_os_folder_writable(&folder);
    cns_os_folder_close(&folder);
    *out = s.all;
    return error == 0 || say_error(why, capacity, cache, error);
}

typedef struct clearing {
    const cns_os_folder *folder;
    cns_cache_usage removed;
    int error;
} clearing;

static bool remove_one(void *user, const cns_os_entry *file) {
    clearing *c = user;
    if (is_entry(file) || is_abandoned(file)) {
        int error = cns_os_folder_remove(c->folder, file->name);
        c->removed.files += error == 0;
        c->removed.bytes += error == 0 ? on_disk(file->size) : 0;
        c->error = error && error != ENOENT ? error : c->error;
    }
    return true;
}

bool cns_cache_clear(const cns_cache *cache, cns_cache_usage *removed, char *why, size_t capacity) {
    cns_os_folder folder;
    bool absent;
    *removed = (cns_cache_usage){0};
    if (!open_existing(cache, &folder, &absent, why, capacity)) {
        return absent;
    }
    clearing c = {.folder = &folder};
    int error = cns_os_folder_list(&folder, remove_one, &c);
    cns_os_folder_close(&folder);
    *removed = c.removed;
    error = error ? error : c.error;
    return error == 0 || say_error(why, capacity, cache, error);
}
