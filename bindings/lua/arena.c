/* SPDX-License-Identifier: MIT
 *
 * arena.c - cns.arena: scoped allocation whose blocks go stale when the arena is restored.
 *
 * Blocks are numbered in the order they are given out. A restore to a mark kills the numbers after
 * the mark; `holes` lists the dead ranges in ascending order. A new hole swallows those behind its
 * mark and joins one that ends at it, so a loop of mark, alloc, restore keeps the list short: it
 * grows only with blocks that live on. The list is a userdata, the arena's user value.
 */
#include "block.h"

#include <string.h>

#define NAME "cns.arena"
#define MARK_NAME "cns.arena.mark"

typedef struct hole {
    uint64_t first, last; /* serials of dead blocks */
} hole;

typedef struct arena_object {
    lcns_owner owner;
    cns_arena *arena; /* NULL while being made */
    uint64_t serial;  /* of the latest block */
    hole *holes;
    size_t count, capacity;
} arena_object;

typedef struct mark_object {
    const arena_object *arena; /* alive: the mark's user value */
    cns_arena_mark mark;
    uint64_t serial;
} mark_object;

static bool arena_valid(const lcns_owner *owner, uint64_t serial) {
    const arena_object *self = (const arena_object *)owner;
    size_t low = 0, high = self->count;
    while (low < high) { /* the first hole that ends at `serial` or later */
        size_t middle = low + (high - low) / 2;
        if (self->holes[middle].last < serial) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == self->count || serial < self->holes[low].first;
}

static const lcns_owner_class arena_class = {"arena", arena_valid, NULL, NULL};

/* Room for one hole more, before anything changes; may raise and may run finalisers. */
static void reserve_hole(lua_State *L, arena_object *self) {
    if (self->count < self->capacity) {
        return;
    }
    size_t capacity = self->capacity ? self->capacity * 2 : 8;
    hole *holes = lua_newuserdatauv(L, capacity * sizeof *holes, 0);
    if (self->count >= capacity) { /* a finaliser used this arena meanwhile */
        luaL_error(L, NAME " changed while it was restored");
    }
    if (self->count) {
        memcpy(holes, self->holes, self->count * sizeof *holes);
    }
    self->holes = holes;
    self->capacity = capacity;
    lua_setiuservalue(L, 1, 1);
}

/* requires: reserve_hole. All blocks after `serial` are dead. */
static void kill_after(arena_object *self, uint64_t serial) {
    while (self->count > 0 && self->holes[self->count - 1].first > serial) {
        self->count--;
    }
    if (serial == self->serial) {
        return;
    }
    if (self->count > 0 && self->holes[self->count - 1].last >= serial) {
        self->holes[self->count - 1].last = self->serial;
    } else {
        self->holes[self->count++] = (hole){serial + 1, self->serial};
    }
}

static int arena_alloc(lua_State *L) {
    lcns_self(L);
    size_t size = (size_t)lcns_check_bytes(L, 2);
    struct lcns_block *block = lcns_new_block(L, 1);
    arena_object *self = lcns_self(L);
    uint64_t refused = lcns_memory_refused(L);
    void *memory = cns_arena_alloc(self->arena, size, 0);
    if (!memory) {
        return lcns_refuse_block(L, "arena", size, refused);
    }
    lcns_fill_block(block, memory, size, ++self->serial);
    return 1;
}

static int arena_mark(lua_State *L) {
    lcns_self(L);
    mark_object *mark = lua_newuserdatauv(L, sizeof *mark, 1);
    luaL_setmetatable(L, MARK_NAME);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    arena_object *self = lcns_self(L);
    mark->arena = self;
    mark->serial = self->serial;
    cns_arena_save(self->arena, &mark->mark);
    return 1;
}

static int arena_restore(lua_State *L) {
    lcns_self(L);
    const mark_object *mark = luaL_checkudata(L, 2, MARK_NAME);
    reserve_hole(L, lua_touserdata(L, 1));
    arena_object *self = lcns_self(L);
    if (mark->arena != self) {
        return luaL_argerror(L, 2, "a mark of another arena");
    }
    lcns_ok(L, cns_arena_restore(self->arena, &mark->mark));
    kill_after(self, mark->serial);
    return 0;
}

static int arena_reset(lua_State *L) {
    lcns_self(L);
    reserve_hole(L, lua_touserdata(L, 1));
    arena_object *self = lcns_self(L);
    cns_arena_reset(self->arena);
    kill_after(self, 0);
    return 0;
}

static int arena_stats(lua_State *L) {
    const arena_object *self = lcns_self(L);
    lua_Integer used = (lua_Integer)cns_arena_used(self->arena);
    lua_Integer held = (lua_Integer)cns_arena_held(self->arena);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, used);
    lua_setfield(L, -2, "used");
    lua_pushinteger(L, held);
    lua_setfield(L, -2, "held");
    return 1;
}

static int arena_tostring(lua_State *L) {
    const arena_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->owner.base.shared) {
        lua_pushliteral(L, NAME " (closed)");
    } else {
        lua_pushfstring(L, NAME " %I bytes", (LUAI_UACINT)cns_arena_used(self->arena));
    }
    return 1;
}

static int arena_close(lua_State *L) {
    lcns_shared *shared;
    arena_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_arena_destroy(self->arena);
        self->arena = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static int arena_create(lua_State *L) {
    static const char *const known[] = {"block_size", "limit", NULL};
    cns_arena_config config = {.size = sizeof config};
    lcns_options(L, 1, known);
    lcns_option_bytes(L, 1, "block_size", &config.block_size);
    lcns_option_bytes(L, 1, "limit", &config.limit);
    arena_object *self = lcns_new(L, sizeof *self, NAME);
    self->owner.class = &arena_class;
    lcns_ok(L, cns_arena_create(self->owner.base.shared->context, &config, &self->arena));
    return 1;
}

static const luaL_Reg methods[] = {
    {"alloc", arena_alloc}, {"mark", arena_mark},   {"restore", arena_restore},
    {"reset", arena_reset}, {"stats", arena_stats}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {{"__tostring", arena_tostring}, {NULL, NULL}};

int lcns_open_arena(lua_State *L) {
    lcns_open_block(L);
    lcns_type(L, NAME, methods, metamethods, arena_close);
    lcns_type(L, MARK_NAME, NULL, NULL, NULL);
    lua_pushcfunction(L, arena_create);
    return 1;
}
