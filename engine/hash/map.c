/* SPDX-License-Identifier: MIT
 *
 * hash/map.c - open-addressing hash map and set.
 *
 * Slots lie in groups of 15 (map_group.h), as in boost's unordered_flat_map (Lopez Munoz 2022). A
 * key's hash gives its first group (top bits) and its tag (low byte); further groups follow at
 * triangular distances, which visits all of a power of two. Who is pushed past a full group leaves
 * his bit (hash mod 8) in its overflow byte; a search ends at the first group without the bit. So
 * removal needs no tombstone. Bits left behind by removals cost time, never truth: each such
 * removal lowers the load at which the next rehash comes, and a rehash clears them.
 *
 * Strings keep their hash beside the key. Lookups never write.
 */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/bits.h"
#include "base/os.h"
#include "base/rng.h"
#include "cns/hash.h"
#include "hash/map_group.h"
#include "hash/map_keys.h"

enum { SECRET_SIZE = 192, BLOCK_ALIGN = 64, MAP_THRESHOLD = 64 * 1024, SLOT_SIZE_MAX = 4096 };

typedef struct string_key {
    _Alignas(8) uint64_t hash;
    const char *bytes;
    uint64_t size;
} string_key;

/* Groups' tags first, then the slots: key and, 8-byte aligned behind it, value. */
typedef struct table {
    uint8_t *block;
    uint8_t *slots;
    size_t block_size;
    uint64_t group_mask;
    unsigned shift; /* group of a hash: hash >> shift, see home_of */
    uint64_t max_load;
} table;

struct cns_map {
    cns_context *context;
    cns_map_key key;
    cns_map_value value;
    uint32_t slot_size;
    uint32_t key_size;
    size_t stride;       /* a multiple of 8 */
    size_t group_stride; /* of a group's slots */
    uint64_t count;
    uint64_t version;
    table table;
    cns_key_store keys;
    uint64_t seeds[2];
    uint8_t secret[SECRET_SIZE];
};

/* ---- hashing -------------------------------------------------------------------------------- */

/* One multiplication by a secret odd number: every bit of the key reaches the top bits of the low
 * half and the low bits of the high half, and folding gives both to the group and to the tag. */
static inline uint64_t hash_u64(const cns_map *map, uint64_t key) {
    return cns_multiply_fold64(key ^ map->seeds[0], map->seeds[1]);
}

static inline uint64_t hash_string(const cns_map *map, const void *key, size_t size) {
    return XXH3_64bits_withSecret(key, size, map->secret, SECRET_SIZE);
}

static inline uint8_t tag_of(uint64_t hash) {
    uint8_t low = (uint8_t)hash;
    return low ? low : 1;
}

static inline uint8_t overflow_bit(uint64_t hash) {
    return (uint8_t)(1u << (hash & 7));
}

/* In two steps, since a table of one group would shift by 64. */
static inline uint64_t home_of(const table *t, uint64_t hash) {
    return hash >> 1 >> t->shift;
}

static inline uint8_t *group_at(const table *t, uint64_t group) {
    return t->block + group * CNS_GROUP_BYTES;
}

static inline uint8_t *slot_at(const cns_map *map, const table *t, uint64_t group, unsigned slot) {
    return t->slots + group * map->group_stride + slot * map->stride;
}

/* ---- tables --------------------------------------------------------------------------------- */

/* Full groups may be 7/8 full on average; the only group of the smallest table may be full. */
static uint64_t load_of(uint64_t groups) {
    return groups == 1 ? CNS_GROUP_SLOTS : groups * CNS_GROUP_SLOTS / 8 * 7;
}

static cns_status groups_for(cns_map *map, uint64_t count, uint64_t *out) {
    uint64_t per_group = CNS_GROUP_BYTES + CNS_GROUP_SLOTS * (uint64_t)map->stride;
    uint64_t groups = 1;
    while (load_of(groups) < count) {
        if (groups > SIZE_MAX / 8 / per_group) {
            return cns_fail(map->context, CNS_E_LIMIT, "map: %llu entries are beyond any memory",
                            (unsigned long long)count);
        }
        groups *= 2;
    }
    *out = groups;
    return CNS_OK;
}

static void *take_block(cns_map *map, size_t *size) {
    if (*size < MAP_THRESHOLD) {
        return cns_context_alloc(map->context, *size, BLOCK_ALIGN);
    }
    *size = cns_align_up(*size, cns_os_page_size());
    return cns_context_map(map->context, *size, BLOCK_ALIGN, NULL);
}

static cns_status table_init(cns_map *map, table *t, uint64_t groups) {
    size_t tags = (size_t)groups * CNS_GROUP_BYTES;
    size_t size = tags + (size_t)groups * CNS_GROUP_SLOTS * map->stride;
    uint8_t *block = take_block(map, &size);
    if (!block) {
        return cns_context_memory_status(map->context, size);
    }
    memset(block, 0, tags);
    *t = (table){.block = block,
                 .slots = block + tags,
                 .block_size = size,
                 .group_mask = groups - 1,
                 .shift = 63 - cns_log2_floor(groups),
                 .max_load = load_of(groups)};
    return CNS_OK;
}

static void table_deinit(cns_map *map, table *t) {
    if (t->block_size < MAP_THRESHOLD) {
        cns_context_free(map->context, t->block, t->block_size, BLOCK_ALIGN);
    } else {
        cns_context_unmap(map->context, t->block, t->block_size, BLOCK_ALIGN);
    }
}

/* The usual sizes are spelled out: a call of memcpy or memset costs more than such a slot. */
static inline void copy_slot(uint8_t *to, const uint8_t *from, size_t size) {
    if (CNS_LIKELY(size == 16)) {
        memcpy(to, from, 16);
    } else {
        memcpy(to, from, size);
    }
}

static inline void zero_value(uint8_t *value, size_t size) {
    if (CNS_LIKELY(size == 8)) {
        memset(value, 0, 8);
    } else {
        memset(value, 0, size);
    }
}

/* Takes a free slot for the hash. requires: there is one. */
static uint8_t *table_claim(const cns_map *map, table *t, uint64_t hash) {
    uint64_t group = home_of(t, hash);
    for (uint64_t step = 1;; step++) {
        uint8_t *tags = group_at(t, group);
        uint32_t available = cns_group_match(tags, 0);
        if (available) {
            unsigned slot = cns_count_trailing_zeros(available);
            tags[slot] = tag_of(hash);
            return slot_at(map, t, group, slot);
        }
        tags[CNS_GROUP_SLOTS] |= overflow_bit(hash);
        CNS_ASSERT(step <= t->group_mask);
        group = (group + step) & t->group_mask;
    }
}

/* ---- search --------------------------------------------------------------------------------- */

typedef struct place {
    uint8_t *tag;
    uint8_t *overflow; /* of the same group */
    uint8_t *slot;     /* NULL: absent */
} place;

static const place nowhere = {NULL, NULL, NULL};

/* The loop is written out for each kind of key, so that it holds no branch on it. Behind the full
 * circle lies the one case in which every group has the bit. */
#define SEARCH(map, hash, same)                                                                    \
    const table *t = &(map)->table;                                                                \
    uint64_t group = home_of(t, (hash));                                                           \
    uint8_t tag = tag_of(hash);                                                                    \
    for (uint64_t step = 1;; step++) {                                                             \
        uint8_t *tags = group_at(t, group);                                                        \
        for (uint32_t left = cns_group_match(tags, tag); left; left &= left - 1) {                 \
            unsigned index = cns_count_trailing_zeros(left);                                       \
            uint8_t *slot = slot_at((map), t, group, index);                                       \
            if (CNS_LIKELY(same)) {                                                                \
                return (place){tags + index, tags + CNS_GROUP_SLOTS, slot};                        \
            }                                                                                      \
        }                                                                                          \
        if (CNS_LIKELY(!(tags[CNS_GROUP_SLOTS] & overflow_bit(hash))) || step > t->group_mask) {   \
            return nowhere;                                                                        \
        }                                                                                          \
        group = (group + step) & t->group_mask;                                                    \
    }

static inline place find_u64(const cns_map *map, uint64_t hash, uint64_t key) {
    SEARCH(map, hash, *(const uint64_t *)(const void *)slot == key)
}

static inline bool same_string(const uint8_t *slot, uint64_t hash, const void *key, size_t size) {
    const string_key *entry = (const string_key *)(const void *)slot;
    return entry->hash == hash && entry->size == size &&
           (size == 0 || memcmp(entry->bytes, key, size) == 0);
}

static inline place find_string(const cns_map *map, uint64_t hash, const void *key, size_t size) {
    SEARCH(map, hash, same_string(slot, hash, key, size))
}

#undef SEARCH

/* ---- rehash --------------------------------------------------------------------------------- */

static uint64_t hash_of_slot(const cns_map *map, const uint8_t *slot) {
    return map->key == CNS_MAP_KEY_U64 ? hash_u64(map, *(const uint64_t *)(const void *)slot)
                                       : ((const string_key *)(const void *)slot)->hash;
}

/* Copies all entries to the empty table `to`, and string keys to `keys` unless that is NULL. */
static void move_entries(cns_map *map, table *to, cns_key_store *keys) {
    const table *from = &map->table;
    for (uint64_t group = 0; group <= from->group_mask; group++) {
        uint32_t left = ~cns_group_match(group_at(from, group), 0) & CNS_GROUP_MASK;
        for (; left; left &= left - 1) {
            const uint8_t *slot = slot_at(map, from, group, cns_count_trailing_zeros(left));
            uint8_t *target = table_claim(map, to, hash_of_slot(map, slot));
            copy_slot(target, slot, map->stride);
            if (keys) {
                string_key *entry = (string_key *)(void *)target;
                entry->bytes = cns_keys_append(keys, entry->bytes, (size_t)entry->size);
            }
        }
    }
}

/* Makes a table for `count` entries; on the way leaves removed keys behind when `key_room` more
 * bytes of keys are to come and too much is garbage. The map is unchanged on failure. */
static cns_status rehash(cns_map *map, uint64_t count, size_t key_room) {
    uint64_t groups = 0;
    cns_status status = groups_for(map, count, &groups);
    if (status != CNS_OK) {
        return status;
    }
    table fresh;
    status = table_init(map, &fresh, groups);
    if (status != CNS_OK) {
        return status;
    }
    cns_key_store keys = {0};
    bool compact = map->keys.garbage > 0;
    if (compact) {
        status = cns_keys_reserve(map->context, &keys, map->keys.live + key_room);
        if (status != CNS_OK) {
            table_deinit(map, &fresh);
            return status;
        }
    }
    move_entries(map, &fresh, compact ? &keys : NULL);
    table_deinit(map, &map->table);
    map->table = fresh;
    if (compact) {
        cns_keys_deinit(map->context, &map->keys);
        map->keys = keys;
    }
    map->version++;
    return CNS_OK;
}

/* Room for one more entry. Where removals, not entries, brought the load to its limit, the new
 * table has the old size. */
static cns_status make_room(cns_map *map, size_t key_room) {
    if (CNS_LIKELY(map->count < map->table.max_load && !cns_keys_wasteful(&map->keys))) {
        return CNS_OK;
    }
    return rehash(map, map->count + map->count / 16 + 1, key_room);
}

/* ---- creation ------------------------------------------------------------------------------- */

static uint32_t value_size(const cns_map_config *config) {
    switch (config->value) {
    case CNS_MAP_VALUE_NONE:
        return 0;
    case CNS_MAP_VALUE_SLOT:
        return config->slot_size;
    default:
        return 8;
    }
}

static cns_status check_config(cns_context *context, const cns_map_config *config) {
    const char *wrong = NULL;
    if (!config || config->size != sizeof *config) {
        wrong = "config.size is not the size of cns_map_config";
    } else if (config->key != CNS_MAP_KEY_U64 && config->key != CNS_MAP_KEY_STRING) {
        wrong = "unknown kind of key";
    } else if ((unsigned)config->value > CNS_MAP_VALUE_SLOT) {
        wrong = "unknown kind of value";
    } else if (config->value == CNS_MAP_VALUE_SLOT
                   ? config->slot_size == 0 || config->slot_size > SLOT_SIZE_MAX
                   : config->slot_size != 0) {
        wrong = "slot_size is 1 to 4096 for slots, 0 for other values";
    }
    return wrong ? cns_fail(context, CNS_E_INVALID, "map: %s", wrong) : CNS_OK;
}

static void seed_map(cns_map *map, uint64_t seed) {
    cns_rng rng;
    if (seed == 0) {
        cns_os_random(rng.s, sizeof rng.s);
    } else {
        cns_rng_seed(&rng, seed);
    }
    map->seeds[0] = cns_rng_next(&rng);
    map->seeds[1] = cns_rng_next(&rng) | 1;
    for (size_t i = 0; i < SECRET_SIZE; i += 8) {
        cns_store64_le(map->secret + i, cns_rng_next(&rng));
    }
}

cns_status cns_map_create(cns_context *context, const cns_map_config *config, cns_map **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "map: no place for the result");
    }
    cns_status status = check_config(context, config);
    if (status != CNS_OK) {
        return status;
    }
    cns_map *map = cns_context_calloc(context, sizeof *map);
    if (!map) {
        return cns_context_memory_status(context, sizeof *map);
    }
    map->context = context;
    map->key = config->key;
    map->value = config->value;
    map->slot_size = value_size(config);
    map->key_size = config->key == CNS_MAP_KEY_U64 ? sizeof(uint64_t) : sizeof(string_key);
    map->stride = map->key_size + cns_align_up(map->slot_size, 8);
    map->group_stride = CNS_GROUP_SLOTS * map->stride;
    seed_map(map, config->seed);
    uint64_t groups = 0;
    status = groups_for(map, config->capacity, &groups);
    if (status == CNS_OK) {
        status = table_init(map, &map->table, groups);
    }
    if (status != CNS_OK) {
        cns_context_free(context, map, sizeof *map, CNS_ALIGN_DEFAULT);
        return status;
    }
    *out = map;
    return CNS_OK;
}

void cns_map_destroy(cns_map *map) {
    if (!map) {
        return;
    }
    table_deinit(map, &map->table);
    cns_keys_deinit(map->context, &map->keys);
    cns_context_free(map->context, map, sizeof *map, CNS_ALIGN_DEFAULT);
}

uint64_t cns_map_count(const cns_map *map) {
    return map->count;
}

uint64_t cns_map_held(const cns_map *map) {
    return sizeof *map + map->table.block_size + map->keys.held;
}

cns_map_key cns_map_key_kind(const cns_map *map) {
    return map->key;
}

cns_map_value cns_map_value_kind(const cns_map *map) {
    return map->value;
}

uint32_t cns_map_slot_size(const cns_map *map) {
    return map->slot_size;
}

/* ---- entries -------------------------------------------------------------------------------- */

static cns_status refuse_kind(const cns_map *map) {
    return cns_fail(map->context, CNS_E_INVALID, "map: its keys are %s",
                    map->key == CNS_MAP_KEY_U64 ? "integers" : "strings");
}

void *cns_map_get_u64(const cns_map *map, uint64_t key) {
    if (CNS_UNLIKELY(map->key != CNS_MAP_KEY_U64)) {
        return NULL;
    }
    place found = find_u64(map, hash_u64(map, key), key);
    return found.slot ? found.slot + sizeof(uint64_t) : NULL;
}

void *cns_map_get_string(const cns_map *map, const void *key, size_t size) {
    if (CNS_UNLIKELY(map->key != CNS_MAP_KEY_STRING || size > UINT32_MAX)) {
        return NULL;
    }
    place found = find_string(map, hash_string(map, key, size), key, size);
    return found.slot ? found.slot + sizeof(string_key) : NULL;
}

/* Takes a slot for a new key; its value is zeroed. requires: room for it. */
static uint8_t *add_entry(cns_map *map, uint64_t hash) {
    uint8_t *slot = table_claim(map, &map->table, hash);
    zero_value(slot + map->key_size, map->stride - map->key_size);
    map->count++;
    map->version++;
    return slot;
}

static void answer_put(const cns_map *map, uint8_t *slot, int is_new, void **cell, int *added) {
    if (cell) {
        *cell = slot + map->key_size;
    }
    if (added) {
        *added = is_new;
    }
}

cns_status cns_map_put_u64(cns_map *map, uint64_t key, void **cell, int *added) {
    if (CNS_UNLIKELY(map->key != CNS_MAP_KEY_U64)) {
        return refuse_kind(map);
    }
    uint64_t hash = hash_u64(map, key);
    uint8_t *slot = find_u64(map, hash, key).slot;
    bool is_new = !slot;
    if (is_new) {
        cns_status status = make_room(map, 0);
        if (CNS_UNLIKELY(status != CNS_OK)) {
            return status;
        }
        slot = add_entry(map, hash);
        *(uint64_t *)(void *)slot = key;
    }
    answer_put(map, slot, is_new, cell, added);
    return CNS_OK;
}

static cns_status add_string(cns_map *map, uint64_t hash, const void *key, size_t size,
                             uint8_t **out) {
    /* The store first: unlike a rehash, an empty chunk more is nothing that a caller can see. */
    cns_status status = cns_keys_reserve(map->context, &map->keys, size);
    if (status == CNS_OK) {
        status = make_room(map, size);
    }
    if (status != CNS_OK) {
        return status;
    }
    *out = add_entry(map, hash);
    string_key entry = {hash, cns_keys_append(&map->keys, key, size), size};
    memcpy(*out, &entry, sizeof entry);
    return CNS_OK;
}

cns_status cns_map_put_string(cns_map *map, const void *key, size_t size, void **cell, int *added) {
    if (CNS_UNLIKELY(map->key != CNS_MAP_KEY_STRING)) {
        return refuse_kind(map);
    }
    if (CNS_UNLIKELY(size > UINT32_MAX)) {
        return cns_fail(map->context, CNS_E_LIMIT, "map: a key of %zu bytes is too long", size);
    }
    uint64_t hash = hash_string(map, key, size);
    uint8_t *slot = find_string(map, hash, key, size).slot;
    bool is_new = !slot;
    if (is_new) {
        cns_status status = add_string(map, hash, key, size, &slot);
        if (CNS_UNLIKELY(status != CNS_OK)) {
            return status;
        }
    }
    answer_put(map, slot, is_new, cell, added);
    return CNS_OK;
}

static cns_status remove_place(cns_map *map, place found, uint64_t hash) {
    if (!found.slot) {
        return CNS_E_NOTFOUND;
    }
    *found.tag = 0;
    /* Someone may have been pushed past this slot: its bit stays, see the head of the file. */
    if ((*found.overflow & overflow_bit(hash)) && map->table.max_load > 0) {
        map->table.max_load--;
    }
    map->count--;
    map->version++;
    return CNS_OK;
}

cns_status cns_map_remove_u64(cns_map *map, uint64_t key) {
    if (CNS_UNLIKELY(map->key != CNS_MAP_KEY_U64)) {
        return refuse_kind(map);
    }
    uint64_t hash = hash_u64(map, key);
    return remove_place(map, find_u64(map, hash, key), hash);
}

cns_status cns_map_remove_string(cns_map *map, const void *key, size_t size) {
    if (CNS_UNLIKELY(map->key != CNS_MAP_KEY_STRING)) {
        return refuse_kind(map);
    }
    if (CNS_UNLIKELY(size > UINT32_MAX)) {
        return CNS_E_NOTFOUND;
    }
    uint64_t hash = hash_string(map, key, size);
    cns_status status = remove_place(map, find_string(map, hash, key, size), hash);
    if (status == CNS_OK) {
        cns_keys_remove(&map->keys, size);
    }
    return status;
}

cns_status cns_map_reserve(cns_map *map, uint64_t count) {
    if (count <= map->table.max_load) {
        return CNS_OK;
    }
    return rehash(map, count > map->count ? count : map->count, 0);
}

void cns_map_clear(cns_map *map) {
    uint64_t groups = map->table.group_mask + 1;
    memset(map->table.block, 0, (size_t)groups * CNS_GROUP_BYTES);
    map->table.max_load = load_of(groups);
    cns_keys_deinit(map->context, &map->keys);
    map->count = 0;
    map->version++;
}

/* ---- iteration ------------------------------------------------------------------------------ */

/* The first entry at or behind the cursor, which counts 16 positions a group. */
static uint8_t *next_slot(const cns_map *map, uint64_t *cursor) {
    const table *t = &map->table;
    uint64_t group = *cursor / CNS_GROUP_BYTES;
    uint32_t from = UINT32_MAX << *cursor % CNS_GROUP_BYTES;
    for (; group <= t->group_mask; group++, from = UINT32_MAX) {
        uint32_t left = ~cns_group_match(group_at(t, group), 0) & CNS_GROUP_MASK & from;
        if (left) {
            unsigned slot = cns_count_trailing_zeros(left);
            *cursor = group * CNS_GROUP_BYTES + slot + 1;
            return slot_at(map, t, group, slot);
        }
    }
    *cursor = group * CNS_GROUP_BYTES;
    return NULL;
}

int cns_map_next_u64(const cns_map *map, uint64_t *cursor, uint64_t *key, void **cell) {
    uint8_t *slot = map->key == CNS_MAP_KEY_U64 ? next_slot(map, cursor) : NULL;
    if (!slot) {
        return 0;
    }
    if (key) {
        *key = *(const uint64_t *)(const void *)slot;
    }
    if (cell) {
        *cell = slot + map->key_size;
    }
    return 1;
}

int cns_map_next_string(const cns_map *map, uint64_t *cursor, const char **key, size_t *size,
                        void **cell) {
    uint8_t *slot = map->key == CNS_MAP_KEY_STRING ? next_slot(map, cursor) : NULL;
    if (!slot) {
        return 0;
    }
    const string_key *entry = (const string_key *)(const void *)slot;
    if (key) {
        *key = entry->bytes;
    }
    if (size) {
        *size = (size_t)entry->size;
    }
    if (cell) {
        *cell = slot + map->key_size;
    }
    return 1;
}

uint64_t cns_map_version(const cns_map *map) {
    return map->version;
}

/* ---- invariants ----------------------------------------------------------------------------- */

/* true when a search for the slot's own key ends at this slot. */
static bool finds_itself(const cns_map *map, const uint8_t *slot) {
    uint64_t hash = hash_of_slot(map, slot);
    if (map->key == CNS_MAP_KEY_U64) {
        return find_u64(map, hash, *(const uint64_t *)(const void *)slot).slot == slot;
    }
    const string_key *entry = (const string_key *)(const void *)slot;
    return hash == hash_string(map, entry->bytes, (size_t)entry->size) &&
           find_string(map, hash, entry->bytes, (size_t)entry->size).slot == slot;
}

cns_status cns_map_check(const cns_map *map) {
    uint64_t cursor = 0;
    uint64_t count = 0;
    uint64_t key_bytes = 0;
    const uint8_t *slot;
    while ((slot = next_slot(map, &cursor)) != NULL) {
        if (!finds_itself(map, slot)) {
            return cns_fail(map->context, CNS_E_CORRUPT, "map: an entry cannot be found");
        }
        count++;
        if (map->key == CNS_MAP_KEY_STRING) {
            key_bytes += ((const string_key *)(const void *)slot)->size;
        }
    }
    if (count != map->count || key_bytes != map->keys.live) {
        return cns_fail(map->context, CNS_E_CORRUPT, "map: the counts are wrong");
    }
    return CNS_OK;
}
