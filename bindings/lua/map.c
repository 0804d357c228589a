/* SPDX-License-Identifier: MIT
 *
 * map.c - cns.map: a hash map outside the garbage collector.
 *
 * Cells are valid until the next mutation, and any call that allocates in Lua may run a finaliser
 * that mutates: cells are read into C before such a call, and written without one in between.
 */
#include "module.h"

#include <string.h>

#define NAME "cns.map"
#define SLOT_MAX 4096

typedef struct map_object {
    lcns_object base;
    cns_map *map; /* NULL while being made */
    cns_map_key key;
    cns_map_value value;
    uint32_t slot_size;
} map_object;

/* ---- keys and values ------------------------------------------------------------------------- */

typedef struct map_key {
    uint64_t number;
    const char *text;
    size_t size;
} map_key;

static map_key check_key(lua_State *L, const map_object *self, int arg) {
    map_key key = {0};
    if (self->key == CNS_MAP_KEY_U64) {
        key.number = (uint64_t)lcns_check_range(L, arg, LUA_MININTEGER, LUA_MAXINTEGER);
    } else {
        luaL_checktype(L, arg, LUA_TSTRING);
        key.text = lua_tolstring(L, arg, &key.size);
    }
    return key;
}

static void *find(const map_object *self, map_key key) {
    return self->key == CNS_MAP_KEY_U64 ? cns_map_get_u64(self->map, key.number)
                                        : cns_map_get_string(self->map, key.text, key.size);
}

/* A cell's contents, out of the map's reach. */
typedef union value_copy {
    uint64_t u64;
    double f64;
    char slot[SLOT_MAX];
} value_copy;

static void copy_out(const map_object *self, const void *cell, value_copy *out) {
    if (self->value == CNS_MAP_VALUE_SLOT) {
        memcpy(out->slot, cell, self->slot_size);
    } else if (self->value != CNS_MAP_VALUE_NONE) {
        memcpy(&out->u64, cell, sizeof out->u64);
    }
}

static void push_value(lua_State *L, const map_object *self, const value_copy *value) {
    switch (self->value) {
    case CNS_MAP_VALUE_U64:
        lua_pushinteger(L, (lua_Integer)value->u64);
        return;
    case CNS_MAP_VALUE_F64:
        lua_pushnumber(L, value->f64);
        return;
    case CNS_MAP_VALUE_SLOT:
        lua_pushlstring(L, value->slot, self->slot_size);
        return;
    case CNS_MAP_VALUE_NONE:
        lua_pushboolean(L, 1);
        return;
    }
}

/* A slot's bytes stay where they are, in the string at `arg`. */
typedef struct map_value {
    uint64_t u64;
    double f64;
    const char *slot;
} map_value;

static map_value check_value(lua_State *L, const map_object *self, int arg) {
    map_value value = {0};
    size_t size = 0;
    switch (self->value) {
    case CNS_MAP_VALUE_U64:
        value.u64 = (uint64_t)lcns_check_range(L, arg, LUA_MININTEGER, LUA_MAXINTEGER);
        break;
    case CNS_MAP_VALUE_F64:
        luaL_checktype(L, arg, LUA_TNUMBER);
        value.f64 = lua_tonumber(L, arg);
        break;
    case CNS_MAP_VALUE_SLOT:
        luaL_checktype(L, arg, LUA_TSTRING);
        value.slot = lua_tolstring(L, arg, &size);
        if (size != self->slot_size) {
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "%d bytes expected, got %I", (int)self->slot_size,
                                          (LUAI_UACINT)size));
        }
        break;
    case CNS_MAP_VALUE_NONE:
        if (!lua_isnoneornil(L, arg)) {
            luaL_argerror(L, arg, "a set takes no value");
        }
        break;
    }
    return value;
}

static void put_value(const map_object *self, void *cell, map_value value) {
    if (self->value == CNS_MAP_VALUE_U64) {
        memcpy(cell, &value.u64, sizeof value.u64);
    } else if (self->value == CNS_MAP_VALUE_F64) {
        memcpy(cell, &value.f64, sizeof value.f64);
    } else if (self->value == CNS_MAP_VALUE_SLOT) {
        memcpy(cell, value.slot, self->slot_size);
    }
}

/* ---- methods --------------------------------------------------------------------------------- */

static int map_get(lua_State *L) {
    const map_object *self = lcns_self(L);
    const void *cell = find(self, check_key(L, self, 2));
    if (!cell) {
        lua_pushnil(L);
        return 1;
    }
    value_copy value;
    copy_out(self, cell, &value);
    push_value(L, self, &value);
    return 1;
}

static int map_set(lua_State *L) {
    map_object *self = lcns_self(L);
    map_key key = check_key(L, self, 2);
    map_value value = check_value(L, self, 3);
    void *cell = NULL;
    int added = 0;
    lcns_ok(L, self->key == CNS_MAP_KEY_U64
                   ? cns_map_put_u64(self->map, key.number, &cell, &added)
                   : cns_map_put_string(self->map, key.text, key.size, &cell, &added));
    put_value(self, cell, value);
    lua_pushboolean(L, added);
    return 1;
}

static int map_has(lua_State *L) {
    const map_object *self = lcns_self(L);
    lua_pushboolean(L, find(self, check_key(L, self, 2)) != NULL);
    return 1;
}

static int map_remove(lua_State *L) {
    map_object *self = lcns_self(L);
    map_key key = check_key(L, self, 2);
    cns_status status = self->key == CNS_MAP_KEY_U64
                            ? cns_map_remove_u64(self->map, key.number)
                            : cns_map_remove_string(self->map, key.text, key.size);
    if (status != CNS_E_NOTFOUND) {
        lcns_ok(L, status);
    }
    lua_pushboolean(L, status == CNS_OK);
    return 1;
}

static int map_clear(lua_State *L) {
    map_object *self = lcns_self(L);
    cns_map_clear(self->map);
    return 0;
}

/* Upvalues: the map, the cursor, the version when the loop began. */
static int next_entry(lua_State *L) {
    const map_object *self = lcns_check(L, lua_upvalueindex(1), NAME);
    uint64_t cursor = (uint64_t)lua_tointeger(L, lua_upvalueindex(2));
    if (cns_map_version(self->map) != (uint64_t)lua_tointeger(L, lua_upvalueindex(3))) {
        return luaL_error(L, NAME " changed during its iteration");
    }
    map_key key = {0};
    void *cell = NULL;
    int there = self->key == CNS_MAP_KEY_U64
                    ? cns_map_next_u64(self->map, &cursor, &key.number, &cell)
                    : cns_map_next_string(self->map, &cursor, &key.text, &key.size, &cell);
    if (!there) {
        lua_pushnil(L);
        return 1;
    }
    value_copy value;
    copy_out(self, cell, &value);
    lua_pushinteger(L, (lua_Integer)cursor);
    lua_replace(L, lua_upvalueindex(2));
    if (self->key == CNS_MAP_KEY_U64) {
        lua_pushinteger(L, (lua_Integer)key.number);
    } else {
        lua_pushlstring(L, key.text, key.size);
    }
    push_value(L, self, &value);
    return 2;
}

static int map_pairs(lua_State *L) {
    const map_object *self = lcns_self(L);
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 0);
    lua_pushinteger(L, (lua_Integer)cns_map_version(self->map));
    lua_pushcclosure(L, next_entry, 3);
    return 1;
}

static int map_stats(lua_State *L) {
    const map_object *self = lcns_self(L);
    lua_Integer count = (lua_Integer)cns_map_count(self->map);
    lua_Integer held = (lua_Integer)cns_map_held(self->map);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "count");
    lua_pushinteger(L, held);
    lua_setfield(L, -2, "held");
    return 1;
}

static int map_len(lua_State *L) {
    const map_object *self = lcns_self(L);
    lua_pushinteger(L, (lua_Integer)cns_map_count(self->map));
    return 1;
}

static int map_tostring(lua_State *L) {
    const map_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->base.shared) {
        lua_pushliteral(L, NAME " (closed)");
    } else {
        lua_pushfstring(L, NAME " %I entries", (LUAI_UACINT)cns_map_count(self->map));
    }
    return 1;
}

static int map_close(lua_State *L) {
    lcns_shared *shared;
    map_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_map_destroy(self->map);
        self->map = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

/* ---- creation -------------------------------------------------------------------------------- */

/* One of `names` (ending with NULL) by number; `fallback` when absent, or an option error. */
static int option_choice(lua_State *L, const char *key, const char *const *names, int fallback,
                         const char *expected) {
    const char *text = NULL;
    size_t size = 0;
    if (!lcns_option_string(L, 1, key, &text, &size)) {
        return fallback;
    }
    for (int i = 0; names[i]; i++) {
        if (strcmp(text, names[i]) == 0) {
            return i;
        }
    }
    lua_pushstring(L, text);
    return lcns_option_fail(L, 1, key, expected);
}

static void read_value_kind(lua_State *L, cns_map_config *config) {
    static const char *const names[] = {"none", "u64", "f64", NULL};
    static const char expected[] = "\"u64\", \"f64\", \"none\" or a slot size in 1..4096";
    int type = (lcns_option_push(L, 1, "value"), lua_type(L, -1));
    lua_pop(L, 1);
    lua_Integer slot_size = 0;
    if (type == LUA_TNUMBER) {
        lcns_option_integer(L, 1, "value", 1, SLOT_MAX, &slot_size);
        config->value = CNS_MAP_VALUE_SLOT;
        config->slot_size = (uint32_t)slot_size;
    } else if (type == LUA_TSTRING || type == LUA_TNIL) {
        config->value =
            (cns_map_value)option_choice(L, "value", names, CNS_MAP_VALUE_U64, expected);
    } else {
        lcns_option_push(L, 1, "value");
        lcns_option_fail(L, 1, "value", expected);
    }
}

static int map_create(lua_State *L) {
    static const char *const known[] = {"key", "value", "capacity", "seed", NULL};
    static const char *const keys[] = {"u64", "string", NULL};
    cns_map_config config = {.size = sizeof config};
    luaL_checktype(L, 1, LUA_TTABLE);
    lcns_options(L, 1, known);
    int key = option_choice(L, "key", keys, -1, "\"u64\" or \"string\"");
    if (key < 0) {
        return luaL_argerror(L, 1, "option 'key' (\"u64\" or \"string\") is missing");
    }
    config.key = key == 0 ? CNS_MAP_KEY_U64 : CNS_MAP_KEY_STRING;
    read_value_kind(L, &config);
    lua_Integer integer = 0;
    if (lcns_option_integer(L, 1, "capacity", 0, LUA_MAXINTEGER, &integer)) {
        config.capacity = (uint64_t)integer;
    }
    if (lcns_option_integer(L, 1, "seed", LUA_MININTEGER, LUA_MAXINTEGER, &integer)) {
        config.seed = (uint64_t)integer;
    }
    map_object *self = lcns_new(L, sizeof *self, NAME);
    self->key = config.key;
    self->value = config.value;
    self->slot_size = config.slot_size;
    lcns_ok(L, cns_map_create(self->base.shared->context, &config, &self->map));
    return 1;
}

static const luaL_Reg methods[] = {
    {"get", map_get},     {"set", map_set},     {"has", map_has},     {"remove", map_remove},
    {"pairs", map_pairs}, {"clear", map_clear}, {"stats", map_stats}, {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__len", map_len},
    {"__tostring", map_tostring},
    {NULL, NULL},
};

int lcns_open_map(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, map_close);
    lua_pushcfunction(L, map_create);
    return 1;
}
