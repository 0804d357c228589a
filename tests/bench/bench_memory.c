/* SPDX-License-Identifier: MIT
 *
 * bench_memory.c - the heap against glibc's malloc, mimalloc and jemalloc.
 *
 * Every side does the same requests, in the same order, through the same table of functions, and
 * returns a checksum of what it read back from its blocks. mimalloc and jemalloc are loaded when
 * the program runs; where they are missing their lines are "not measured". jemalloc asks for
 * thread-local storage that only GLIBC_TUNABLES=glibc.rtld.optional_static_tls=65536 leaves for a
 * library loaded late.
 */
#define _GNU_SOURCE /* RTLD_DEEPBIND */

#include <dlfcn.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef BENCH_LUA
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

#include "base/os.h"
#include "base/rng.h"
#include "bench.h"
#include "cns/memory.h"

typedef struct allocator {
    void *(*alloc)(const struct allocator *self, size_t size);
    void (*free)(const struct allocator *self, void *block, size_t size);
    void (*free_elsewhere)(const struct allocator *self, void *block, size_t size);
    void *(*resize)(const struct allocator *self, void *block, size_t old_size, size_t new_size);
    cns_heap *heap;
    void *(*peer_malloc)(size_t size);
    void *(*peer_realloc)(void *block, size_t size);
    void (*peer_free)(void *block);
} allocator;

static void *heap_alloc(const allocator *self, size_t size) {
    return cns_heap_alloc(self->heap, size);
}

static void heap_free(const allocator *self, void *block, size_t size) {
    cns_heap_free(self->heap, block, size);
}

static void heap_free_remote(const allocator *self, void *block, size_t size) {
    cns_heap_free_remote(self->heap, block, size);
}

static void *heap_resize(const allocator *self, void *block, size_t old_size, size_t new_size) {
    return cns_heap_realloc(self->heap, block, old_size, new_size);
}

static void *peer_alloc(const allocator *self, size_t size) {
    return self->peer_malloc(size);
}

static void peer_free(const allocator *self, void *block, size_t size) {
    (void)size;
    self->peer_free(block);
}

static void *peer_resize(const allocator *self, void *block, size_t old_size, size_t new_size) {
    (void)old_size;
    return self->peer_realloc(block, new_size);
}

/* ---- workloads: `user` is the allocator ----------------------------------------------------- */

/* glibc's bench-malloc-simple: many blocks of a size, filled, freed in the same order. */
static uint64_t fill_and_free(const allocator *a, size_t size, uint64_t operations) {
    enum { BLOCKS = 1600 };
    static unsigned char *blocks[BLOCKS];
    uint64_t sum = 0;
    for (uint64_t done = 0; done < operations; done += BLOCKS) {
        for (int i = 0; i < BLOCKS; i++) {
            blocks[i] = a->alloc(a, size);
            memset(blocks[i], i, size);
        }
        for (int i = 0; i < BLOCKS; i++) {
            sum += blocks[i][size - 1];
            a->free(a, blocks[i], size);
        }
    }
    return sum;
}

static uint64_t fill_and_free_32(void *user, uint64_t operations) {
    return fill_and_free(user, 32, operations);
}

static uint64_t fill_and_free_128(void *user, uint64_t operations) {
    return fill_and_free(user, 128, operations);
}

/* A population of blocks in which random ones are replaced: sizes skewed to small, any lifetime. */
static uint64_t churn(const allocator *a, unsigned log2_most, size_t population,
                      uint64_t operations) {
    enum { POPULATION_MAX = 100000 };
    static struct {
        uint64_t *block;
        size_t size;
    } slots[POPULATION_MAX];
    memset(slots, 0, sizeof slots);
    cns_rng rng;
    cns_rng_seed(&rng, 7);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        uint64_t random = cns_rng_next(&rng);
        size_t slot = (size_t)(random >> 32) % population;
        if (slots[slot].block) {
            sum += *slots[slot].block;
            a->free(a, slots[slot].block, slots[slot].size);
        }
        unsigned log2_size = 4 + (unsigned)(random & 0xff) * (log2_most - 4) / 256;
        slots[slot].size =
            ((size_t)1 << log2_size) + ((random >> 8) & (((size_t)1 << log2_size) - 1));
        slots[slot].block = a->alloc(a, slots[slot].size);
        *slots[slot].block = i;
    }
    for (size_t slot = 0; slot < population; slot++) {
        if (slots[slot].block) {
            a->free(a, slots[slot].block, slots[slot].size);
        }
    }
    return sum;
}

static uint64_t churn_small(void *user, uint64_t operations) {
    return churn(user, 9, 5000, operations);
}

static uint64_t churn_many(void *user, uint64_t operations) {
    return churn(user, 9, 100000, operations);
}

static uint64_t churn_wide(void *user, uint64_t operations) {
    return churn(user, 18, 500, operations);
}

/* Arrays that grow by halves up to 1 MiB, as tables and strings do. */
static uint64_t grow(void *user, uint64_t operations) {
    const allocator *a = user;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        size_t size = 64;
        unsigned char *block = a->alloc(a, size);
        memset(block, (int)i, size);
        while (size < 1 << 20) {
            size_t larger = size + size / 2;
            block = a->resize(a, block, size, larger);
            memset(block + size, (int)i, larger - size);
            size = larger;
        }
        sum += block[0] + block[size - 1];
        a->free(a, block, size);
    }
    return sum;
}

/* ---- two threads ---------------------------------------------------------------------------- */

/* Blocks change hands by the batch, so that the allocators are timed and not the scheduler. */
enum { BATCH = 4096, BATCHES = 4 };

typedef struct pipe {
    const allocator *a;
    uint64_t batches;
    uint64_t sum;
    _Alignas(64) _Atomic uint64_t sent;
    _Alignas(64) _Atomic uint64_t received;
    uint64_t *blocks[BATCHES][BATCH];
} pipe;

static void consume(void *argument) {
    pipe *p = argument;
    for (uint64_t i = 0; i < p->batches; i++) {
        while (atomic_load_explicit(&p->sent, memory_order_acquire) == i) {
            cns_os_thread_yield();
        }
        for (int j = 0; j < BATCH; j++) {
            uint64_t *block = p->blocks[i % BATCHES][j];
            p->sum += block[1];
            p->a->free_elsewhere(p->a, block, block[0]);
        }
        atomic_store_explicit(&p->received, i + 1, memory_order_release);
    }
}

/* One thread allocates, the other frees. */
static uint64_t produce(void *user, uint64_t operations) {
    static pipe p;
    p.a = user;
    p.batches = operations / BATCH;
    p.sum = 0;
    atomic_store(&p.sent, 0);
    atomic_store(&p.received, 0);
    cns_os_thread thread;
    if (cns_os_thread_create(&thread, consume, &p, "consume", 0) != 0) {
        return 0;
    }
    for (uint64_t i = 0; i < p.batches; i++) {
        while (i - atomic_load_explicit(&p.received, memory_order_acquire) == BATCHES) {
            cns_os_thread_yield();
        }
        for (uint64_t j = 0; j < BATCH; j++) {
            size_t size = 16 + j % 32 * 16;
            uint64_t *block = p.a->alloc(p.a, size);
            block[0] = size;
            block[1] = i + j;
            p.blocks[i % BATCHES][j] = block;
        }
        atomic_store_explicit(&p.sent, i + 1, memory_order_release);
    }
    cns_os_thread_join(&thread);
    return p.sum;
}

/* ---- Lua ------------------------------------------------------------------------------------ */

#ifdef BENCH_LUA
static void *lua_from(void *user, void *block, size_t old_size, size_t new_size) {
    const allocator *a = user;
    if (a->heap) {
        return cns_heap_lua_alloc(a->heap, block, old_size, new_size);
    }
    if (new_size == 0) {
        a->peer_free(block);
        return NULL;
    }
    return a->peer_realloc(block, new_size);
}

static uint64_t run_lua(void *user, uint64_t operations, const char *script) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < operations; i++) {
        lua_State *L = lua_newstate(lua_from, user);
        luaL_openlibs(L);
        if (luaL_dostring(L, script)) {
            fprintf(stderr, "%s\n", lua_tostring(L, -1));
        }
        sum += (uint64_t)lua_tointeger(L, -1);
        lua_close(L);
    }
    return sum;
}

static uint64_t lua_trees(void *user, uint64_t operations) {
    return run_lua(
        user, operations,
        "local function tree(d) if d == 0 then return {} end return {tree(d-1), tree(d-1)} end\n"
        "local function count(t) return t[1] and 1 + count(t[1]) + count(t[2]) or 1 end\n"
        "local n, keep = 0, tree(13)\n"
        "for d = 4, 12, 4 do for i = 1, 1 << (13 - d) do n = n + count(tree(d)) end end\n"
        "return n + count(keep)");
}

static uint64_t lua_strings(void *user, uint64_t operations) {
    return run_lua(user, operations,
                   "local t = {} for i = 1, 30000 do t[i] = ('%d-%s'):format(i, ('x'):rep(i % 90)) "
                   "end local n = 0 for _, s in ipairs(t) do n = n + #(s .. s) end return n");
}

static uint64_t lua_open_close(void *user, uint64_t operations) {
    return run_lua(user, operations, "return 1");
}
#endif

/* ---- sides ---------------------------------------------------------------------------------- */

static bool load_peer(allocator *peer, const char *library, const char *prefix) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
    if (!handle) {
        return false;
    }
    char name[32];
    void *symbols[3];
    static const char *const names[3] = {"malloc", "realloc", "free"};
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", prefix, names[i]);
        symbols[i] = dlsym(handle, name);
        if (!symbols[i]) {
            return false;
        }
    }
    *peer = (allocator){peer_alloc, peer_free, peer_free, peer_resize, .heap = NULL};
    memcpy(&peer->peer_malloc, &symbols[0], sizeof symbols[0]); /* object to function pointer */
    memcpy(&peer->peer_realloc, &symbols[1], sizeof symbols[1]);
    memcpy(&peer->peer_free, &symbols[2], sizeof symbols[2]);
    return true;
}

static void compare_all(allocator *ours, allocator *peer, const char *only) {
    static const struct {
        const char *name;
        bench_fn run;
        unsigned rounds;
        uint64_t operations;
    } rows[] = {
        {"alloc, fill, free 32 B", fill_and_free_32, 31, 160000},
        {"alloc, fill, free 128 B", fill_and_free_128, 31, 160000},
        {"churn of 5000, 16 B-1 KiB", churn_small, 31, 300000},
        {"churn of 100000, 16 B-1 KiB", churn_many, 15, 600000},
        {"churn of 500, 16 B-512 KiB", churn_wide, 21, 100000},
        {"realloc growth to 1 MiB", grow, 21, 50},
        {"alloc here, free on a thread", produce, 21, 100 * BATCH},
#ifdef BENCH_LUA
        {"Lua: binary trees", lua_trees, 15, 1},
        {"Lua: strings", lua_strings, 15, 2},
        {"Lua: open libraries, close", lua_open_close, 21, 100},
#endif
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (only && !strstr(rows[i].name, only)) {
            continue;
        }
        bench_compare_sides(rows[i].name, rows[i].run, ours, peer ? rows[i].run : NULL, peer,
                            rows[i].rounds, rows[i].operations);
    }
}

/* An argument chooses the rows whose name contains it. */
int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : NULL;
    cns_context *context = NULL;
    cns_heap *heap = NULL;
    if (cns_context_create(NULL, &context) || cns_heap_create(context, NULL, &heap)) {
        fputs("no heap could be made\n", stderr);
        return EXIT_FAILURE;
    }
    allocator ours = {heap_alloc, heap_free, heap_free_remote, heap_resize, .heap = heap};
    allocator peer = {peer_alloc,
                      peer_free,
                      peer_free,
                      peer_resize,
                      .peer_malloc = malloc,
                      .peer_realloc = realloc,
                      .peer_free = free};
    bench_header("heap against glibc", "glibc ns");
    compare_all(&ours, &peer, only);
    bool found = load_peer(&peer, "libmimalloc.so.2", "mi_");
    bench_header("heap against mimalloc", "mimalloc");
    compare_all(&ours, found ? &peer : NULL, only);
    found = load_peer(&peer, "libjemalloc.so.2", "");
    bench_header("heap against jemalloc", "jemalloc");
    compare_all(&ours, found ? &peer : NULL, only);
    cns_heap_destroy(heap);
    cns_context_destroy(context);
    return bench_exit_code();
}
