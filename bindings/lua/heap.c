/* SPDX-License-Identifier: MIT
 *
 * heap.c - cns.heap: a budgeted heap whose blocks are userdata.
 *
 * Blocks carry the heap's epoch; reset moves to the next epoch, which makes all of them stale.
 */
#include "block.h"

#define NAME "cns.heap"

typedef struct heap_object {
    lcns_owner owner;
    cns_heap *heap; /* NULL while being made */
    uint64_t epoch;
} heap_object;

static bool heap_valid(const lcns_owner *owner, uint64_t serial) {
    return ((const heap_object *)owner)->epoch == serial;
}

static void heap_free(lcns_owner *owner, void *memory, size_t size) {
    cns_heap_free(((heap_object *)owner)->heap, memory, size);
}

static void *heap_resize(lcns_owner *owner, void *memory, size_t old_size, size_t new_size) {
    return cns_heap_realloc(((heap_object *)owner)->heap, memory, old_size, new_size);
}

static const lcns_owner_class heap_class = {"heap", heap_valid, heap_free, heap_resize};

static int heap_alloc(lua_State *L) {
    lcns_self(L);
    size_t size = (size_t)lcns_check_bytes(L, 2);
    struct lcns_block *block = lcns_new_block(L, 1);
    heap_object *self = lcns_self(L); /* making the block may have run a finaliser */
    uint64_t refused = lcns_memory_refused(L);
    void *memory = cns_heap_alloc(self->heap, size);
    if (!memory) {
        return lcns_refuse_block(L, "heap", size, refused);
    }
    lcns_fill_block(block, memory, size, self->epoch);
    return 1;
}

static void set_figure(lua_State *L, const char *key, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, key);
}

static int heap_stats(lua_State *L) {
    const heap_object *self = lcns_self(L);
    cns_heap_stats stats;
    cns_heap_get_stats(self->heap, &stats);
    lua_createtable(L, 0, 9);
    set_figure(L, "live_bytes", stats.live_bytes);
    set_figure(L, "live_count", stats.live_count);
    set_figure(L, "peak_bytes", stats.peak_bytes);
    set_figure(L, "reserved_bytes", stats.reserved_bytes);
    set_figure(L, "reserved_peak", stats.reserved_peak);
    set_figure(L, "alloc_count", stats.alloc_count);
    set_figure(L, "remote_frees", stats.remote_frees);
    set_figure(L, "failures", stats.failures);
    if (stats.budget != 0) {
        set_figure(L, "budget", stats.budget);
    }
    return 1;
}

static int heap_purge(lua_State *L) {
    const heap_object *self = lcns_self(L);
    lua_pushinteger(L, (lua_Integer)cns_heap_purge(self->heap));
    return 1;
}

static int heap_reset(lua_State *L) {
    heap_object *self = lcns_self(L);
    self->epoch++;
    cns_heap_reset(self->heap);
    return 0;
}

static int heap_check(lua_State *L) {
    const heap_object *self = lcns_self(L);
    lcns_ok(L, cns_heap_check(self->heap));
    return 0;
}

static int heap_tostring(lua_State *L) {
    const heap_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->owner.base.shared) {
        lua_pushliteral(L, NAME " (closed)");
        return 1;
    }
    cns_heap_stats stats;
    cns_heap_get_stats(self->heap, &stats);
    lua_pushfstring(L, NAME " %I blocks, %I bytes", (LUAI_UACINT)stats.live_count,
                    (LUAI_UACINT)stats.live_bytes);
    return 1;
}

static int heap_close(lua_State *L) {
    lcns_shared *shared;
    heap_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_heap_destroy(self->heap);
        self->heap = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static int heap_create(lua_State *L) {
    static const char *const known[] = {"budget", "tag", "guard", NULL};
    cns_heap_config config = {.size = sizeof config};
    size_t length;
    lcns_options(L, 1, known);
    lcns_option_bytes(L, 1, "budget", &config.budget);
    config.flags = lcns_option_boolean(L, 1, "guard", false) ? CNS_HEAP_GUARD : 0;
    heap_object *self = lcns_new(L, sizeof *self, NAME);
    self->owner.class = &heap_class;
    self->epoch = 1;
    lcns_option_string(L, 1, "tag", &config.tag, &length);
    lcns_ok(L, cns_heap_create(self->owner.base.shared->context, &config, &self->heap));
    return 1;
}

static const luaL_Reg methods[] = {
    {"alloc", heap_alloc}, {"stats", heap_stats}, {"purge", heap_purge},
    {"reset", heap_reset}, {"check", heap_check}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {{"__tostring", heap_tostring}, {NULL, NULL}};

int lcns_open_heap(lua_State *L) {
    lcns_open_block(L);
    lcns_type(L, NAME, methods, metamethods, heap_close);
    lua_pushcfunction(L, heap_create);
    return 1;
}
