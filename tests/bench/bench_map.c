/* SPDX-License-Identifier: MIT
 *
 * bench_map.c - the hash map against std::unordered_map, boost's and absl's flat maps.
 *
 * Keys are random, so identity hashes have no luck with them; sizes fit the second-level cache,
 * the third, and none. bench_map [largest count].
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "bench.h"
#include "cns/hash.h"
#include "map_work.h"

static cns_context *context;

/* ---- our side ------------------------------------------------------------------------------- */

static cns_map *make(cns_map_key key) {
    cns_map_config config = {.size = sizeof config, .key = key, .value = CNS_MAP_VALUE_U64};
    cns_map *map = NULL;
    if (cns_map_create(context, &config, &map) != CNS_OK) {
        exit(2);
    }
    return map;
}

static void *fill(const map_work *work) {
    cns_map *map = make(CNS_MAP_KEY_U64);
    for (uint64_t i = 0; i < work->count; i++) {
        void *cell = NULL;
        cns_map_put_u64(map, work->keys[i], &cell, NULL);
        *(uint64_t *)cell = i;
    }
    return map;
}

static void drop(void *map) {
    cns_map_destroy(map);
}

static uint64_t insert(void *user, uint64_t count) {
    (void)count;
    cns_map *map = fill(user);
    uint64_t size = cns_map_count(map);
    cns_map_destroy(map);
    return size;
}

static uint64_t find(const cns_map *map, const uint64_t *keys, uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t *cell = cns_map_get_u64(map, keys[i]);
        sum += cell ? *cell + 1 : 0;
    }
    return sum;
}

static uint64_t hit(void *user, uint64_t count) {
    const map_work *work = user;
    return find(work->map, work->hits, count);
}

static uint64_t miss(void *user, uint64_t count) {
    const map_work *work = user;
    return find(work->map, work->misses, count);
}

static uint64_t churn(void *user, uint64_t count) {
    const map_work *work = user;
    for (uint64_t i = 0; i < count; i++) {
        void *cell = cns_map_get_u64(work->map, work->hits[i]);
        uint64_t value = *(uint64_t *)cell;
        cns_map_remove_u64(work->map, work->hits[i]);
        cns_map_put_u64(work->map, work->hits[i], &cell, NULL);
        *(uint64_t *)cell = value;
    }
    return cns_map_count(work->map);
}

static uint64_t walk(void *user, uint64_t count) {
    (void)count;
    const map_work *work = user;
    uint64_t sum = 0;
    uint64_t cursor = 0;
    uint64_t key = 0;
    void *cell = NULL;
    while (cns_map_next_u64(work->map, &cursor, &key, &cell)) {
        sum += key ^ *(uint64_t *)cell;
    }
    return sum;
}

static void *fill_text(const map_work *work) {
    cns_map *map = make(CNS_MAP_KEY_STRING);
    for (uint64_t i = 0; i < work->count; i++) {
        void *cell = NULL;
        cns_map_put_string(map, work->texts + i * MAP_TEXT_SIZE, MAP_TEXT_SIZE, &cell, NULL);
        *(uint64_t *)cell = i;
    }
    return map;
}

static uint64_t insert_text(void *user, uint64_t count) {
    (void)count;
    cns_map *map = fill_text(user);
    uint64_t size = cns_map_count(map);
    cns_map_destroy(map);
    return size;
}

static uint64_t hit_text(void *user, uint64_t count) {
    const map_work *work = user;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t *cell =
            cns_map_get_string(work->map, work->text_hits + i * MAP_TEXT_SIZE, MAP_TEXT_SIZE);
        sum += cell ? *cell + 1 : 0;
    }
    return sum;
}

static const map_side our_side = {"ours", fill, drop,      insert, hit,         miss,
                                  churn,  walk, fill_text, drop,   insert_text, hit_text};

/* ---- the keys ------------------------------------------------------------------------------- */

static void *take(size_t size) {
    void *memory = malloc(size);
    if (!memory) {
        exit(2);
    }
    return memory;
}

static void write_text(char *out, uint64_t key) {
    char text[MAP_TEXT_SIZE + 8];
    snprintf(text, sizeof text, "user:%016llx:id", (unsigned long long)key);
    memcpy(out, text, MAP_TEXT_SIZE);
}

static void make_work(map_work *work, uint64_t count) {
    cns_rng rng;
    cns_rng_seed(&rng, count);
    uint64_t *keys = take(count * 8);
    uint64_t *hits = take(count * 8);
    uint64_t *misses = take(count * 8);
    char *texts = take(count * MAP_TEXT_SIZE);
    char *text_hits = take(count * MAP_TEXT_SIZE);
    for (uint64_t i = 0; i < count; i++) {
        keys[i] = hits[i] = cns_rng_next(&rng) & ~UINT64_C(1);
        misses[i] = cns_rng_next(&rng) | 1;
    }
    for (uint64_t i = count; i > 1; i--) {
        uint64_t j = cns_rng_below(&rng, i);
        uint64_t swapped = hits[i - 1];
        hits[i - 1] = hits[j];
        hits[j] = swapped;
    }
    for (uint64_t i = 0; i < count; i++) {
        write_text(texts + i * MAP_TEXT_SIZE, keys[i]);
        write_text(text_hits + i * MAP_TEXT_SIZE, hits[i]);
    }
    *work = (map_work){keys, hits, misses, texts, text_hits, count, NULL};
}

static void drop_work(map_work *work) {
    free((void *)work->keys);
    free((void *)work->hits);
    free((void *)work->misses);
    free((void *)work->texts);
    free((void *)work->text_hits);
}

/* ---- the comparison ------------------------------------------------------------------------- */

static void compare(const map_side *peer, const map_work *work, unsigned rounds) {
    char title[80];
    snprintf(title, sizeof title, "map, %llu entries", (unsigned long long)work->count);
    bench_header(title, peer->name);
    map_work ours = *work;
    map_work theirs = *work;
    ours.map = our_side.fill(&ours);
    theirs.map = peer->fill ? peer->fill(&theirs) : NULL;
#define LINE(label, function)                                                                      \
    bench_compare_sides(label, our_side.function, &ours, peer->function, &theirs, rounds,          \
                        work->count)
    LINE("u64 insert", insert);
    LINE("u64 hit", hit);
    LINE("u64 miss", miss);
    LINE("u64 remove and put", churn);
    LINE("u64 walk", walk);
    our_side.drop(ours.map);
    ours.map = our_side.fill_text(&ours);
    if (peer->fill) {
        peer->drop(theirs.map);
        theirs.map = peer->fill_text(&theirs);
    }
    LINE("string insert", insert_text);
    LINE("string hit", hit_text);
#undef LINE
    our_side.drop_text(ours.map);
    if (peer->fill) {
        peer->drop_text(theirs.map);
    }
}

int main(int argc, char **argv) {
    static const uint64_t counts[] = {1000, 100000, 4000000};
    static const unsigned rounds[] = {101, 15, 5};
    uint64_t largest = argc > 1 ? strtoull(argv[1], NULL, 10) : 4000000;
    const map_side *peers[3] = {NULL, NULL, NULL};
#ifdef BENCH_MAP_PEERS
    peers[0] = map_side_std();
    peers[1] = map_side_boost();
    peers[2] = map_side_absl();
#endif
    if (cns_context_create(NULL, &context) != CNS_OK) {
        return 2;
    }
    for (size_t c = 0; c < sizeof counts / sizeof *counts && counts[c] <= largest; c++) {
        map_work work;
        make_work(&work, counts[c]);
        bool any = false;
        for (int p = 0; p < 3; p++) {
            if (peers[p]) {
                compare(peers[p], &work, rounds[c]);
                any = true;
            }
        }
        if (!any) { /* built without a C++ compiler */
            static const map_side nobody = {.name = "no peer"};
            compare(&nobody, &work, 5);
        }
        drop_work(&work);
    }
    cns_context_destroy(context);
    return bench_exit_code();
}
