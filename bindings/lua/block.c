/* SPDX-License-Identifier: MIT
 *
 * block.c - cns.block: bounds-checked reads and writes in memory from a heap or an arena.
 */
#include "block.h"

#include <string.h>

#define NAME "cns.block"

typedef struct lcns_block {
    lcns_object base;
    lcns_owner *owner; /* alive as long as the block: its user value */
    void *memory;      /* NULL while being made */
    size_t size;
    uint64_t serial;
} lcns_block;

struct lcns_block *lcns_new_block(lua_State *L, int owner) {
    owner = lua_absindex(L, owner);
    lcns_block *block = lcns_new(L, sizeof *block, NAME);
    lua_pushvalue(L, owner);
    lua_setiuservalue(L, -2, 1);
    block->owner = lua_touserdata(L, owner);
    return block;
}

void lcns_fill_block(struct lcns_block *block, void *memory, size_t size, uint64_t serial) {
    block->memory = memory;
    block->size = size;
    block->serial = serial;
}

int lcns_refuse_block(lua_State *L, const char *owner, size_t size, uint64_t refused) {
    if (lcns_memory_refused(L) != refused) {
        return lcns_no_memory(L, ": %s refused %I bytes", owner, (LUAI_UACINT)size);
    }
    return luaL_error(L, "not enough memory: %s refused %I bytes", owner, (LUAI_UACINT)size);
}

static bool is_stale(const lcns_block *self) {
    return !self->owner->base.shared || !self->owner->class->valid(self->owner, self->serial);
}

/* The block at 1, open, with an owner that still holds its memory. */
static lcns_block *check_self(lua_State *L) {
    lcns_block *self = lcns_self(L);
    if (is_stale(self)) {
        luaL_error(L, NAME " is stale: its %s was %s", self->owner->class->name,
                   self->owner->base.shared ? "reset or restored" : "closed");
    }
    return self;
}

static int block_write(lua_State *L) {
    lcns_block *self = check_self(L);
    size_t length;
    luaL_checktype(L, 2, LUA_TSTRING);
    const char *text = lua_tolstring(L, 2, &length);
    lua_Integer at =
        lua_isnoneornil(L, 3) ? 1 : lcns_check_range(L, 3, 1, (lua_Integer)self->size + 1);
    if (length > self->size - (size_t)(at - 1)) {
        return luaL_error(L, "%I bytes do not fit at %I of %I", (LUAI_UACINT)length,
                          (LUAI_UACINT)at, (LUAI_UACINT)self->size);
    }
    memcpy((char *)self->memory + (at - 1), text, length);
    return 0;
}

static int block_read(lua_State *L) {
    const lcns_block *self = check_self(L);
    lua_Integer size = (lua_Integer)self->size;
    lua_Integer at = lua_isnoneornil(L, 2) ? 1 : lcns_check_range(L, 2, 1, size + 1);
    lua_Integer rest = size - (at - 1);
    lua_Integer length = lua_isnoneornil(L, 3) ? rest : lcns_check_range(L, 3, 0, rest);
    lua_pushlstring(L, (const char *)self->memory + (at - 1), (size_t)length);
    return 1;
}

static int block_fill(lua_State *L) {
    lcns_block *self = check_self(L);
    lua_Integer byte = lcns_check_range(L, 2, 0, 255);
    memset(self->memory, (int)byte, self->size);
    return 0;
}

static int block_resize(lua_State *L) {
    lcns_block *self = check_self(L);
    size_t size = (size_t)lcns_check_range(L, 2, 0, PTRDIFF_MAX);
    lcns_owner *owner = self->owner;
    if (!owner->class->resize) {
        return luaL_error(L, "a block of an %s cannot be resized", owner->class->name);
    }
    uint64_t refused = lcns_memory_refused(L);
    void *memory = owner->class->resize(owner, self->memory, self->size, size);
    if (!memory) {
        return lcns_refuse_block(L, owner->class->name, size, refused);
    }
    self->memory = memory;
    self->size = size;
    return 0;
}

static int block_len(lua_State *L) {
    const lcns_block *self = check_self(L);
    lua_pushinteger(L, (lua_Integer)self->size);
    return 1;
}

static int block_tostring(lua_State *L) {
    const lcns_block *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->base.shared) {
        lua_pushliteral(L, NAME " (freed)");
    } else if (is_stale(self)) {
        lua_pushliteral(L, NAME " (stale)");
    } else {
        lua_pushfstring(L, NAME " %I bytes (%s)", (LUAI_UACINT)self->size,
                        self->owner->class->name);
    }
    return 1;
}

static int block_close(lua_State *L) {
    lcns_shared *shared;
    lcns_block *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        if (self->memory && !is_stale(self) && self->owner->class->free) {
            self->owner->class->free(self->owner, self->memory, self->size);
        }
        self->memory = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static int block_free(lua_State *L) {
    const lcns_block *self = check_self(L);
    if (!self->owner->class->free) {
        return luaL_error(L, "a block of an %s is freed with it", self->owner->class->name);
    }
    return block_close(L);
}

static const luaL_Reg methods[] = {
    {"write", block_write},   {"read", block_read}, {"fill", block_fill},
    {"resize", block_resize}, {"free", block_free}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__len", block_len},
    {"__tostring", block_tostring},
    {NULL, NULL},
};

void lcns_open_block(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, block_close);
}
