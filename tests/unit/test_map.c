/* SPDX-License-Identifier: MIT
 *
 * test_map.c - hash maps and sets against simple models; hostile keys, extremes, failures.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cns/hash.h"
#include "hash/map_group.h"
#include "support.h"

/* Check writes a note for every assertion that it passes; loops of millions use this instead. */
#define expect(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            ck_abort_msg("not so: %s", #condition);                                                \
        }                                                                                          \
    } while (0)

static cns_context *context;

static void set_up(void) {
    context = support_context();
}

static void tear_down(void) {
    support_context_destroy(context);
}

static cns_map *make_in(cns_context *in, cns_map_key key, cns_map_value value, uint32_t slot_size,
                        uint64_t capacity) {
    cns_map_config config = {.size = sizeof config,
                             .key = key,
                             .value = value,
                             .slot_size = slot_size,
                             .capacity = capacity,
                             .seed = 42};
    cns_map *map = NULL;
    return cns_map_create(in, &config, &map) == CNS_OK ? map : NULL;
}

static cns_map *make(cns_map_key key, cns_map_value value, uint32_t slot_size) {
    cns_map *map = make_in(context, key, value, slot_size, 0);
    ck_assert_ptr_nonnull(map);
    return map;
}

static void put(cns_map *map, uint64_t key, uint64_t value) {
    void *cell = NULL;
    expect(cns_map_put_u64(map, key, &cell, NULL) == CNS_OK);
    *(uint64_t *)cell = value;
}

/* ---- groups --------------------------------------------------------------------------------- */

START_TEST(group_masks_are_exact) {
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    _Alignas(16) uint8_t group[16];
    for (int round = 0; round < 200000; round++) {
        for (int i = 0; i < 16; i++) {
            /* Neighbours of the tag are what inexact tricks mistake for it. */
            group[i] = (uint8_t)(cns_rng_next(&rng) >> 61);
            group[i] = round % 2 ? group[i] : (uint8_t)(group[i] + 126);
        }
        uint8_t tag = group[cns_rng_below(&rng, 16)];
        uint32_t expected = 0;
        for (int i = 0; i < CNS_GROUP_SLOTS; i++) {
            expected |= (uint32_t)(group[i] == tag) << i;
        }
        ck_assert_uint_eq(cns_group_match_portable(group, tag), expected);
        ck_assert_uint_eq(cns_group_match(group, tag), expected);
    }
}
END_TEST

START_TEST(products_are_folded_alike) {
    cns_rng rng;
    cns_rng_seed(&rng, 6);
    for (int round = 0; round < 100000; round++) {
        uint64_t a = cns_rng_next(&rng) >> cns_rng_below(&rng, 64);
        uint64_t b = UINT64_MAX - (cns_rng_next(&rng) >> cns_rng_below(&rng, 64));
        expect(cns_multiply_fold64_portable(a, b) == cns_multiply_fold64(a, b));
    }
    ck_assert_uint_eq(cns_multiply_fold64_portable(UINT64_MAX, UINT64_MAX), UINT64_MAX);
    ck_assert_uint_eq(cns_multiply_fold64(UINT64_C(1) << 63, 6), 3);
}
END_TEST

/* ---- configuration -------------------------------------------------------------------------- */

START_TEST(misuse_is_refused) {
    cns_map *map = NULL;
    cns_map_config good = {.size = sizeof good, .key = CNS_MAP_KEY_U64};
    cns_map_config config = good;
    ck_assert_int_eq(cns_map_create(context, NULL, &map), CNS_E_INVALID);
    ck_assert_int_eq(cns_map_create(context, &config, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_map_create(NULL, &config, &map), CNS_E_INVALID);
    config.size = 4;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config = good;
    config.key = (cns_map_key)3;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config = good;
    config.value = (cns_map_value)4;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config.value = (cns_map_value)-1;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config.value = CNS_MAP_VALUE_SLOT;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config.slot_size = 4097;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config.value = CNS_MAP_VALUE_U64;
    config.slot_size = 8;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_INVALID);
    config = good;
    config.capacity = UINT64_MAX;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_LIMIT);
    config.capacity = UINT64_MAX / 16;
    ck_assert_int_eq(cns_map_create(context, &config, &map), CNS_E_LIMIT);
    ck_assert_ptr_null(map);
    cns_map_destroy(NULL);

    map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_U64, 0);
    put(map, 1, 2);
    ck_assert_int_eq(cns_map_put_string(map, "a", 1, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_map_remove_string(map, "a", 1), CNS_E_INVALID);
    ck_assert_ptr_null(cns_map_get_string(map, "a", 1));
    uint64_t cursor = 0;
    ck_assert_int_eq(cns_map_next_string(map, &cursor, NULL, NULL, NULL), 0);
    support_status(context, CNS_E_LIMIT, cns_map_reserve(map, UINT64_MAX));
    ck_assert_uint_eq(*(uint64_t *)cns_map_get_u64(map, 1), 2);
    cns_map_destroy(map);
    map = make(CNS_MAP_KEY_STRING, CNS_MAP_VALUE_U64, 0);
    ck_assert_int_eq(cns_map_put_u64(map, 1, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_map_remove_u64(map, 1), CNS_E_INVALID);
    ck_assert_ptr_null(cns_map_get_u64(map, 1));
    ck_assert_int_eq(cns_map_next_u64(map, &cursor, NULL, NULL), 0);
    cns_map_destroy(map);
}
END_TEST

START_TEST(values_of_all_kinds) {
    static const uint32_t slots[] = {1, 7, 8, 9, 100, 4096};
    for (size_t i = 0; i < sizeof slots / sizeof *slots; i++) {
        cns_map *map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_SLOT, slots[i]);
        ck_assert_uint_eq(cns_map_slot_size(map), slots[i]);
        for (uint64_t key = 0; key < 500; key++) {
            void *cell = NULL;
            int added = 0;
            support_status(context, CNS_OK, cns_map_put_u64(map, key, &cell, &added));
            ck_assert_int_eq(added, 1);
            ck_assert_uint_eq((uintptr_t)cell % 8, 0);
            for (uint32_t k = 0; k < slots[i]; k++) {
                expect(((uint8_t *)cell)[k] == 0);
            }
            memset(cell, (int)(key % 251) + 1, slots[i]);
            if (key % 3 == 0) {
                support_status(context, CNS_OK, cns_map_remove_u64(map, key));
            }
        }
        for (uint64_t key = 0; key < 500; key++) {
            uint8_t *cell = cns_map_get_u64(map, key);
            ck_assert_int_eq(cell != NULL, key % 3 != 0);
            if (cell) {
                ck_assert_uint_eq(cell[0], key % 251 + 1);
                ck_assert_uint_eq(cell[slots[i] - 1], key % 251 + 1);
            }
        }
        cns_map_destroy(map);
    }
    cns_map *reals = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_F64, 0);
    ck_assert_int_eq(cns_map_value_kind(reals), CNS_MAP_VALUE_F64);
    void *cell = NULL;
    support_status(context, CNS_OK, cns_map_put_u64(reals, 9, &cell, NULL));
    *(double *)cell = 2.5;
    ck_assert_double_eq(*(double *)cns_map_get_u64(reals, 9), 2.5);
    cns_map_destroy(reals);
    cns_map *set = make(CNS_MAP_KEY_STRING, CNS_MAP_VALUE_NONE, 0);
    ck_assert_int_eq(cns_map_key_kind(set), CNS_MAP_KEY_STRING);
    ck_assert_uint_eq(cns_map_slot_size(set), 0);
    support_status(context, CNS_OK, cns_map_put_string(set, "x", 1, NULL, NULL));
    ck_assert_ptr_nonnull(cns_map_get_string(set, "x", 1));
    ck_assert_ptr_null(cns_map_get_string(set, "y", 1));
    cns_map_destroy(set);
}
END_TEST

/* ---- against models ------------------------------------------------------------------------- */

enum { UNIVERSE = 4096, STEPS = 1000000 };

typedef struct model {
    bool present[UNIVERSE];
    uint64_t value[UNIVERSE];
    uint64_t count;
} model;

/* What is in the map is what is in the model: by lookup, and once each by iteration. */
static void compare_u64(const cns_map *map, const model *m, uint64_t (*key_of)(uint64_t)) {
    static bool seen[UNIVERSE];
    memset(seen, 0, sizeof seen);
    uint64_t found = 0;
    for (uint64_t i = 0; i < UNIVERSE; i++) {
        const uint64_t *cell = cns_map_get_u64(map, key_of(i));
        expect((cell != NULL) == (m->present[i]));
        if (cell) {
            expect((*cell) == (m->value[i]));
        }
    }
    uint64_t cursor = 0;
    uint64_t key = 0;
    void *cell = NULL;
    while (cns_map_next_u64(map, &cursor, &key, &cell)) {
        uint64_t i = *(uint64_t *)cell >> 32;
        expect(i < UNIVERSE);
        expect(key == key_of(i) && m->present[i] && !seen[i]);
        seen[i] = true;
        found++;
    }
    expect((found) == (m->count));
    ck_assert_int_eq(cns_map_next_u64(map, &cursor, &key, &cell), 0);
    support_status(context, CNS_OK, cns_map_check(map));
}

static void step_u64(cns_map *map, model *m, uint64_t i, uint64_t key, uint64_t random,
                     uint64_t removals) {
    uint64_t version = cns_map_version(map);
    bool was = m->present[i];
    if (random % 100 < removals) {
        expect(cns_map_remove_u64(map, key) == (was ? CNS_OK : CNS_E_NOTFOUND));
        m->count -= was;
        m->present[i] = false;
    } else {
        void *cell = NULL;
        int added = 0;
        expect(cns_map_put_u64(map, key, &cell, &added) == CNS_OK);
        expect((added) == (!was));
        expect((*(uint64_t *)cell) == (was ? m->value[i] : 0));
        m->value[i] = i << 32 | (uint32_t)random;
        *(uint64_t *)cell = m->value[i];
        m->count += !was;
        m->present[i] = true;
    }
    expect((cns_map_count(map)) == (m->count));
    expect((cns_map_version(map) != version) == (was != m->present[i]));
}

static void run_u64(uint64_t (*key_of)(uint64_t), uint64_t seed) {
    static model m;
    memset(&m, 0, sizeof m);
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    cns_map *map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_U64, 0);
    for (int step = 0; step < STEPS / 4; step++) {
        /* The mix swings between growing and shrinking, so that every load comes up. */
        uint64_t removals = (step / 20000) % 2 ? 70 : 30;
        uint64_t i = cns_rng_below(&rng, UNIVERSE);
        step_u64(map, &m, i, key_of(i), cns_rng_next(&rng), removals);
        if (step % 50000 == 0) {
            compare_u64(map, &m, key_of);
        }
    }
    compare_u64(map, &m, key_of);
    ck_assert_uint_lt(cns_map_held(map), UNIVERSE * 17 * 4);
    cns_map_destroy(map);
}

static uint64_t key_plain(uint64_t i) {
    return i;
}

static uint64_t key_high(uint64_t i) {
    return i << 52;
}

static uint64_t key_strided(uint64_t i) {
    return i * UINT64_C(0x100000000);
}

static uint64_t key_top(uint64_t i) {
    return UINT64_MAX - i * i;
}

START_TEST(random_integers_follow_the_model) {
    run_u64(key_plain, 1);
    run_u64(key_high, 2);
    run_u64(key_strided, 3);
    run_u64(key_top, 4);
}
END_TEST

/* Strings of all lengths, with NULs, that differ in one byte, one the start of another. */
static size_t string_of(uint64_t i, char *out) {
    size_t size = (size_t)(i % 67);
    memset(out, i % 5 == 0 ? 0 : 250, size);
    uint64_t rest = i / 67;
    for (size_t at = size; at > 0 && rest; at--) {
        out[at - 1] = (char)(rest % 256);
        rest /= 256;
    }
    return size;
}

static void step_string(cns_map *map, bool *present, uint64_t *count, uint64_t i, uint64_t removals,
                        uint64_t random) {
    char key[80];
    size_t size = string_of(i, key);
    bool was = present[i];
    if (random % 100 < removals) {
        expect(cns_map_remove_string(map, key, size) == (was ? CNS_OK : CNS_E_NOTFOUND));
        *count -= was;
        present[i] = false;
    } else {
        void *cell = NULL;
        int added = 0;
        expect(cns_map_put_string(map, key, size, &cell, &added) == CNS_OK);
        expect((added) == (!was));
        expect((*(uint64_t *)cell) == (was ? i : 0));
        *(uint64_t *)cell = i;
        *count += !was;
        present[i] = true;
    }
}

static void compare_strings(const cns_map *map, const bool *present, uint64_t count,
                            uint64_t universe) {
    char expected[80];
    for (uint64_t i = 0; i < universe; i++) {
        size_t size = string_of(i, expected);
        const uint64_t *cell = cns_map_get_string(map, expected, size);
        expect((cell != NULL) == (present[i]));
    }
    uint64_t cursor = 0;
    const char *key = NULL;
    size_t size = 0;
    void *cell = NULL;
    uint64_t found = 0;
    while (cns_map_next_string(map, &cursor, &key, &size, &cell)) {
        expect((size) == (string_of(*(uint64_t *)cell, expected)));
        expect(memcmp(key, expected, size) == 0);
        found++;
    }
    expect((found) == (count));
    expect((cns_map_count(map)) == (count));
    support_status(context, CNS_OK, cns_map_check(map));
}

START_TEST(random_strings_follow_the_model) {
    /* Below 67 * 256 the strings are distinct, but for those of length 0: their i / 67 is lost. */
    enum { STRINGS = 67 * 200 };
    static bool present[STRINGS];
    memset(present, 0, sizeof present);
    uint64_t count = 0;
    cns_rng rng;
    cns_rng_seed(&rng, 11);
    cns_map *map = make(CNS_MAP_KEY_STRING, CNS_MAP_VALUE_U64, 0);
    for (int step = 0; step < STEPS; step++) {
        uint64_t i = cns_rng_below(&rng, STRINGS);
        i = i % 67 == 0 ? 0 : i;
        uint64_t removals = (step / 50000) % 2 ? 70 : 30;
        step_string(map, present, &count, i, removals, cns_rng_next(&rng));
    }
    for (uint64_t i = 67; i < STRINGS; i += 67) {
        present[i] = present[0]; /* the empty string again */
    }
    compare_strings(map, present, count, STRINGS);
    cns_map_destroy(map);
}
END_TEST

START_TEST(strings_are_bytes) {
    cns_map *map = make(CNS_MAP_KEY_STRING, CNS_MAP_VALUE_U64, 0);
    static const struct {
        const char *bytes;
        size_t size;
    } keys[] = {{"", 0}, {"\0", 1}, {"\0\0", 2}, {"a", 1}, {"a\0", 2}, {"a\0b", 3}, {"a\0c", 3}};
    const size_t keys_count = sizeof keys / sizeof *keys;
    for (size_t i = 0; i < keys_count; i++) {
        void *cell = NULL;
        int added = 0;
        support_status(context, CNS_OK,
                       cns_map_put_string(map, keys[i].bytes, keys[i].size, &cell, &added));
        ck_assert_int_eq(added, 1);
        *(uint64_t *)cell = i;
    }
    for (size_t i = 0; i < keys_count; i++) {
        ck_assert_uint_eq(*(uint64_t *)cns_map_get_string(map, keys[i].bytes, keys[i].size), i);
    }
    ck_assert_ptr_nonnull(cns_map_get_string(map, NULL, 0));
    support_status(context, CNS_OK, cns_map_remove_string(map, NULL, 0));
    ck_assert_ptr_null(cns_map_get_string(map, "", 0));
    char *large = malloc(3000000);
    memset(large, 'z', 3000000);
    support_status(context, CNS_OK, cns_map_put_string(map, large, 3000000, NULL, NULL));
    large[2999999] = 'y';
    ck_assert_ptr_null(cns_map_get_string(map, large, 3000000));
    support_status(context, CNS_OK, cns_map_check(map));
    free(large);
    cns_map_destroy(map);
}
END_TEST

/* A size beyond the limit is refused before a byte of the key is read. */
START_TEST(strings_may_be_too_long) {
#if SIZE_MAX > UINT32_MAX
    cns_map *map = make(CNS_MAP_KEY_STRING, CNS_MAP_VALUE_U64, 0);
    size_t size = (size_t)UINT32_MAX + 1;
    support_status(context, CNS_E_LIMIT, cns_map_put_string(map, "", size, NULL, NULL));
    support_status(context, CNS_E_NOTFOUND, cns_map_remove_string(map, "", size));
    ck_assert_ptr_null(cns_map_get_string(map, "", size));
    ck_assert_uint_eq(cns_map_count(map), 0);
    cns_map_destroy(map);
#endif
}
END_TEST

START_TEST(removed_strings_do_not_pile_up) {
    cns_map *map = make(CNS_MAP_KEY_STRING, CNS_MAP_VALUE_NONE, 0);
    char key[256];
    memset(key, 'q', sizeof key);
    uint64_t highest = 0;
    for (int i = 0; i < 200000; i++) {
        int length = snprintf(key, sizeof key, "%d", i);
        key[length] = 'q';
        expect(cns_map_put_string(map, key, 256, NULL, NULL) == CNS_OK);
        if (i >= 10) {
            length = snprintf(key, sizeof key, "%d", i - 10);
            key[length] = 'q';
            expect(cns_map_remove_string(map, key, 256) == CNS_OK);
        }
        uint64_t held = cns_map_held(map);
        highest = held > highest ? held : highest;
    }
    expect((cns_map_count(map)) == (10));
    expect(highest < 64 * 1024);
    cns_map_destroy(map);
}
END_TEST

/* Keys that come and go must neither grow the table without end nor slow it to a halt. */
START_TEST(churn_stays_small) {
    cns_map *map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_NONE, 0);
    for (uint64_t i = 0; i < STEPS; i++) {
        ck_assert_int_eq(cns_map_put_u64(map, i, NULL, NULL), CNS_OK);
        if (i >= 1000) {
            ck_assert_int_eq(cns_map_remove_u64(map, i - 1000), CNS_OK);
        }
    }
    expect((cns_map_count(map)) == (1000));
    expect(cns_map_held(map) < 64 * 1024);
    support_status(context, CNS_OK, cns_map_check(map));
    cns_map_destroy(map);
}
END_TEST

/* ---- the rest ------------------------------------------------------------------------------- */

START_TEST(order_is_stable_until_mutated) {
    cns_map *map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_U64, 0);
    for (uint64_t key = 0; key < 1000; key++) {
        put(map, key * 7, key);
    }
    uint64_t version = cns_map_version(map);
    uint64_t first = 0;
    uint64_t second = 0;
    uint64_t a = 0;
    uint64_t b = 0;
    while (cns_map_next_u64(map, &first, &a, NULL)) {
        ck_assert_ptr_nonnull(cns_map_get_u64(map, a));
        put(map, a, 5); /* a value, no new key */
        ck_assert_int_eq(cns_map_next_u64(map, &second, &b, NULL), 1);
        ck_assert_uint_eq(a, b);
    }
    ck_assert_uint_eq(cns_map_version(map), version);
    cns_map_clear(map);
    ck_assert_uint_ne(cns_map_version(map), version);
    ck_assert_uint_eq(cns_map_count(map), 0);
    first = 0;
    ck_assert_int_eq(cns_map_next_u64(map, &first, &a, NULL), 0);
    first = UINT64_MAX;
    ck_assert_int_eq(cns_map_next_u64(map, &first, &a, NULL), 0);
    put(map, 3, 4);
    ck_assert_uint_eq(*(uint64_t *)cns_map_get_u64(map, 3), 4);
    cns_map_destroy(map);
}
END_TEST

START_TEST(reserved_room_is_enough) {
    cns_map *map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_U64, 0);
    support_status(context, CNS_OK, cns_map_reserve(map, 100000));
    uint64_t held = cns_map_held(map);
    cns_memory_stats stats;
    cns_context_memory(context, &stats);
    ck_assert_uint_eq(held, stats.held);
    for (uint64_t key = 0; key < 100000; key++) {
        put(map, key, key);
    }
    ck_assert_uint_eq(cns_map_held(map), held);
    support_status(context, CNS_OK, cns_map_reserve(map, 5));
    ck_assert_uint_eq(cns_map_held(map), held);
    /* Removals lower the load that a table takes; a reserve must not make it too small. */
    for (uint64_t key = 0; key < 50000; key++) {
        support_status(context, CNS_OK, cns_map_remove_u64(map, key));
        expect(cns_map_reserve(map, cns_map_count(map) - 1) == CNS_OK);
    }
    support_status(context, CNS_OK, cns_map_check(map));
    cns_map_destroy(map);
}
END_TEST

static uint64_t order_of(uint64_t seed) {
    cns_map_config config = {.size = sizeof config, .key = CNS_MAP_KEY_STRING, .seed = seed};
    cns_map *map = NULL;
    support_status(context, CNS_OK, cns_map_create(context, &config, &map));
    uint64_t order = 0;
    for (char c = 'a'; c <= 'z'; c++) {
        support_status(context, CNS_OK, cns_map_put_string(map, &c, 1, NULL, NULL));
    }
    uint64_t cursor = 0;
    const char *key = NULL;
    while (cns_map_next_string(map, &cursor, &key, NULL, NULL)) {
        order = order * 31 + (uint64_t)*key;
    }
    cns_map_destroy(map);
    return order;
}

START_TEST(seeds_decide_the_order) {
    ck_assert_uint_eq(order_of(7), order_of(7));
    ck_assert_uint_ne(order_of(7), order_of(8));
    ck_assert_uint_ne(order_of(0), order_of(0));
}
END_TEST

static cns_status fill_both(cns_context *failing) {
    cns_map *integers = make_in(failing, CNS_MAP_KEY_U64, CNS_MAP_VALUE_U64, 0, 0);
    cns_map *strings = make_in(failing, CNS_MAP_KEY_STRING, CNS_MAP_VALUE_U64, 0, 0);
    cns_status status = integers && strings ? CNS_OK : CNS_E_NOMEM;
    char key[300] = {0};
    for (uint64_t i = 0; i < 400 && status == CNS_OK; i++) {
        uint64_t version = cns_map_version(integers);
        status = cns_map_put_u64(integers, i, NULL, NULL);
        ck_assert_uint_eq(cns_map_count(integers), status == CNS_OK ? i + 1 : i);
        ck_assert(status == CNS_OK || cns_map_version(integers) == version);
        int length = snprintf(key, sizeof key, "%llu", (unsigned long long)i);
        if (status == CNS_OK) {
            version = cns_map_version(strings);
            status = cns_map_put_string(strings, key, 250 + (size_t)length, NULL, NULL);
            ck_assert(status == CNS_OK || cns_map_version(strings) == version);
        }
        if (status == CNS_OK && i % 4) {
            ck_assert_int_eq(cns_map_remove_string(strings, key, 250 + (size_t)length), CNS_OK);
        }
    }
    ck_assert(!integers || cns_map_check(integers) == CNS_OK);
    ck_assert(!strings || cns_map_check(strings) == CNS_OK);
    cns_map_destroy(integers);
    cns_map_destroy(strings);
    return status;
}

START_TEST(failing_allocations_change_nothing) {
    support_each_allocation_fails(fill_both);
}
END_TEST

START_TEST(a_limit_refuses_growth_only) {
    cns_map *map = make(CNS_MAP_KEY_U64, CNS_MAP_VALUE_U64, 0);
    cns_context_set_memory_limit(context, 100000);
    uint64_t key = 0;
    cns_status status = CNS_OK;
    while (status == CNS_OK) {
        status = cns_map_put_u64(map, key++, NULL, NULL);
        ck_assert_uint_lt(key, 100000);
    }
    ck_assert_int_eq(status, CNS_E_LIMIT);
    ck_assert_uint_eq(cns_map_count(map), key - 1);
    ck_assert_ptr_nonnull(cns_map_get_u64(map, key - 2));
    support_status(context, CNS_OK, cns_map_check(map));
    cns_map_destroy(map);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("map");
    TCase *cases = tcase_create("map");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, group_masks_are_exact);
    tcase_add_test(cases, products_are_folded_alike);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, values_of_all_kinds);
    tcase_add_test(cases, random_integers_follow_the_model);
    tcase_add_test(cases, random_strings_follow_the_model);
    tcase_add_test(cases, strings_are_bytes);
    tcase_add_test(cases, strings_may_be_too_long);
    tcase_add_test(cases, removed_strings_do_not_pile_up);
    tcase_add_test(cases, churn_stays_small);
    tcase_add_test(cases, order_is_stable_until_mutated);
    tcase_add_test(cases, reserved_room_is_enough);
    tcase_add_test(cases, seeds_decide_the_order);
    tcase_add_test(cases, failing_allocations_change_nothing);
    tcase_add_test(cases, a_limit_refuses_growth_only);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
