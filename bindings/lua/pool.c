/* SPDX-License-Identifier: MIT
 *
 * pool.c - cns.pool: typed slots named by integer handles; a stale handle is an error.
 *
 * Fields lie in the slot in their order, each aligned to its size. Slots never move, but any call
 * that allocates in Lua may run a finaliser that frees one, so slots are looked up late.
 */
#include "value.h"

#include <string.h>

#define NAME "cns.pool"

typedef struct slot_field {
    uint32_t offset;
    cns_type type;
} slot_field;

typedef struct pool_object {
    lcns_object base;
    cns_pool *pool; /* NULL while being made */
    uint32_t slot_size;
    uint32_t count;
    slot_field fields[]; /* names: the table that is the user value */
} pool_object;

static uint8_t *check_slot(lua_State *L, const pool_object *self, int arg) {
    lua_Integer handle = lcns_check_range(L, arg, LUA_MININTEGER, LUA_MAXINTEGER);
    uint8_t *slot = cns_pool_get(self->pool, (cns_handle)handle);
    if (!slot) {
        luaL_argerror(L, arg, "stale handle");
    }
    return slot;
}

static int pool_new(lua_State *L) {
    pool_object *self = lcns_self(L);
    int values = lua_gettop(L) - 1;
    if (values > (int)self->count) {
        return luaL_error(L, "%d values for %d fields", values, (int)self->count);
    }
    /* Staged outside of the pool: a value that does not fit must not leave a slot behind. */
    uint8_t staged[LCNS_FIELDS_MAX * 8];
    memset(staged, 0, self->slot_size);
    for (int i = 0; i < values; i++) {
        if (!lua_isnil(L, i + 2)) {
            lcns_store(L, i + 2, self->fields[i].type, staged + self->fields[i].offset);
        }
    }
    cns_handle handle;
    lcns_ok(L, cns_pool_acquire(self->pool, &handle));
    memcpy(cns_pool_get(self->pool, handle), staged, self->slot_size);
    lua_pushinteger(L, (lua_Integer)handle);
    return 1;
}

static int pool_get(lua_State *L) {
    const pool_object *self = lcns_self(L);
    const slot_field *field = &self->fields[lcns_check_field(L, 3)];
    lcns_load(L, field->type, check_slot(L, self, 2) + field->offset);
    return 1;
}

static int pool_set(lua_State *L) {
    pool_object *self = lcns_self(L);
    const slot_field *field = &self->fields[lcns_check_field(L, 3)];
    lcns_store(L, 4, field->type, check_slot(L, self, 2) + field->offset);
    return 0;
}

static int pool_unpack(lua_State *L) {
    const pool_object *self = lcns_self(L);
    luaL_checkstack(L, (int)self->count, "fields");
    const uint8_t *slot = check_slot(L, self, 2);
    for (uint32_t i = 0; i < self->count; i++) {
        lcns_load(L, self->fields[i].type, slot + self->fields[i].offset);
    }
    return (int)self->count;
}

static int pool_free(lua_State *L) {
    pool_object *self = lcns_self(L);
    check_slot(L, self, 2);
    lcns_ok(L, cns_pool_release(self->pool, (cns_handle)lua_tointeger(L, 2)));
    return 0;
}

static int pool_valid(lua_State *L) {
    const pool_object *self = lcns_self(L);
    lua_Integer handle = lcns_check_range(L, 2, LUA_MININTEGER, LUA_MAXINTEGER);
    lua_pushboolean(L, cns_pool_get(self->pool, (cns_handle)handle) != NULL);
    return 1;
}

/* Upvalues: the pool, the handle before. Freeing slots on the way is fine. */
static int next_handle(lua_State *L) {
    const pool_object *self = lcns_check(L, lua_upvalueindex(1), NAME);
    cns_handle previous = (cns_handle)lua_tointeger(L, lua_upvalueindex(2));
    cns_handle handle = cns_pool_next(self->pool, previous);
    if (handle == 0) {
        lua_pushnil(L);
        return 1;
    }
    lua_pushinteger(L, (lua_Integer)handle);
    lua_copy(L, -1, lua_upvalueindex(2));
    return 1;
}

static int pool_handles(lua_State *L) {
    lcns_self(L);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushcclosure(L, next_handle, 2);
    return 1;
}

static int pool_stats(lua_State *L) {
    const pool_object *self = lcns_self(L);
    lua_Integer count = (lua_Integer)cns_pool_count(self->pool);
    lua_Integer held = (lua_Integer)cns_pool_held(self->pool);
    lua_Integer slot_size = self->slot_size;
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "count");
    lua_pushinteger(L, held);
    lua_setfield(L, -2, "held");
    lua_pushinteger(L, slot_size);
    lua_setfield(L, -2, "slot_size");
    return 1;
}

static int pool_len(lua_State *L) {
    const pool_object *self = lcns_self(L);
    lua_pushinteger(L, (lua_Integer)cns_pool_count(self->pool));
    return 1;
}

static int pool_tostring(lua_State *L) {
    const pool_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->base.shared) {
        lua_pushliteral(L, NAME " (closed)");
    } else {
        lua_pushfstring(L, NAME " %I slots of %d bytes", (LUAI_UACINT)cns_pool_count(self->pool),
                        (int)self->slot_size);
    }
    return 1;
}

static int pool_close(lua_State *L) {
    lcns_shared *shared;
    pool_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_pool_destroy(self->pool);
        self->pool = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

/* Places the fields; gives the slot's size. */
static uint32_t lay_out(const lcns_fields *fields, slot_field *out) {
    uint32_t end = 0;
    for (uint32_t i = 0; i < fields->count; i++) {
        uint32_t size = (uint32_t)cns_type_size(fields->field[i].type);
        end = (end + size - 1) / size * size;
        out[i] = (slot_field){end, fields->field[i].type};
        end += size;
    }
    return (end + 7) / 8 * 8;
}

static int pool_create(lua_State *L) {
    static const char *const known[] = {"capacity", NULL};
    lua_settop(L, 2);
    lcns_options(L, 2, known);
    lua_Integer capacity = 0;
    lcns_option_integer(L, 2, "capacity", 1, UINT32_MAX, &capacity);
    const lcns_fields *fields = lcns_check_fields(L, 1);
    pool_object *self = lcns_new(L, sizeof *self + fields->count * sizeof self->fields[0], NAME);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1);
    self->count = fields->count;
    self->slot_size = lay_out(fields, self->fields);
    cns_pool_config config = {
        .size = sizeof config,
        .slot_align = 8,
        .slot_size = self->slot_size,
        .capacity = (uint64_t)capacity,
    };
    lcns_ok(L, cns_pool_create(self->base.shared->context, &config, &self->pool));
    return 1;
}

static const luaL_Reg methods[] = {
    {"new", pool_new},         {"get", pool_get},     {"set", pool_set},
    {"unpack", pool_unpack},   {"free", pool_free},   {"valid", pool_valid},
    {"handles", pool_handles}, {"stats", pool_stats}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__len", pool_len},
    {"__tostring", pool_tostring},
    {NULL, NULL},
};

int lcns_open_pool(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, pool_close);
    lua_pushcfunction(L, pool_create);
    return 1;
}
