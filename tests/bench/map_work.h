/* SPDX-License-Identifier: MIT
 *
 * map_work.h - what bench_map.c has done by every map, each side in its own language.
 */
#ifndef CNS_BENCH_MAP_WORK_H
#define CNS_BENCH_MAP_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "bench.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MAP_TEXT_SIZE = 24 };

/* `keys` go in; `hits` are the same in another order; `misses` are not in. Strings are
 * MAP_TEXT_SIZE bytes each. `map` is the side's own, filled with keys. */
typedef struct map_work {
    const uint64_t *keys;
    const uint64_t *hits;
    const uint64_t *misses;
    const char *texts;
    const char *text_hits;
    uint64_t count;
    void *map;
} map_work;

/* One side: each function does `operations` (the count) and answers a sum. */
typedef struct map_side {
    const char *name;
    void *(*fill)(const map_work *work); /* a map of all keys */
    void (*drop)(void *map);
    bench_fn insert; /* a map made, grown from nothing and dropped */
    bench_fn hit;
    bench_fn miss;
    bench_fn churn; /* each key removed and put again */
    bench_fn walk;
    void *(*fill_text)(const map_work *work);
    void (*drop_text)(void *map);
    bench_fn insert_text;
    bench_fn hit_text;
} map_side;

/* NULL where it was not there when this was built. */
const map_side *map_side_std(void);
const map_side *map_side_boost(void);
const map_side *map_side_absl(void);

#ifdef __cplusplus
}
#endif

#endif
