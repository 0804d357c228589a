/* SPDX-License-Identifier: MIT
 *
 * known.c - a reverse map from library values to their names, built from package.loaded.
 *
 * Every module's own table is known by its name, and the C functions and userdata in it. Tables
 * inside a module are known only in the standard library and in ours, whose tables are not data;
 * elsewhere they are copied like any table. Lua functions are copied too. The map is rebuilt when
 * something was loaded since.
 */
#include "known.h"

#include <string.h>

/* Registry keys. */
static const char names_key = 0;   /* value -> name */
static const char values_key = 0;  /* name -> value */
static const char require_key = 0; /* the require of this state */

static const char *const libraries[] = {"string", "table",     "math",  "io",      "os",
                                        "utf8",   "coroutine", "debug", "package", "cns"};

static bool is_library(const char *name) {
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        if (strcmp(name, libraries[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void weak_table(lua_State *L, const char *mode) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushstring(L, mode);
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
}

void lcns_known_open(lua_State *L) {
    lua_getglobal(L, "require");
    lua_rawsetp(L, LUA_REGISTRYINDEX, &require_key);
    lua_newtable(L);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &values_key);
}

/* names[value on top] = name on the stack at `name`, unless it has one; the value stays. */
static void add_name(lua_State *L, int names, int name) {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, names) == LUA_TNIL) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, name);
        lua_rawset(L, names);
    }
    lua_pop(L, 1);
}

/* Pushes "module NUL field" for a string key at `key`; false when it is no proper name. */
static bool push_field_name(lua_State *L, int module, int key) {
    size_t size;
    if (lua_type(L, key) != LUA_TSTRING) {
        return false;
    }
    const char *text = lua_tolstring(L, key, &size);
    if (memchr(text, 0, size)) {
        return false;
    }
    lua_pushvalue(L, module);
    lua_pushlstring(L, "", 1);
    lua_pushvalue(L, key);
    lua_concat(L, 3);
    return true;
}

/* Names the fields of the table at `table`, which is called `name` (a stack index). */
static void add_fields(lua_State *L, int names, int name, int table, int levels, bool functions) {
    luaL_checkstack(L, 12, "cns.tasks");
    lua_pushnil(L);
    while (lua_next(L, table)) {
        int value = lua_gettop(L);
        int type = lua_type(L, value);
        bool wanted = lua_iscfunction(L, value) ||
                      (!functions && (type == LUA_TUSERDATA || type == LUA_TLIGHTUSERDATA ||
                                      (type == LUA_TTABLE && levels > 0)));
        if (wanted && push_field_name(L, name, value - 1)) {
            lua_pushvalue(L, value);
            lua_rawget(L, names);
            bool fresh = lua_isnil(L, -1);
            lua_pop(L, 1);
            lua_insert(L, value); /* name below the value */
            add_name(L, names, value);
            if (type == LUA_TTABLE && fresh && levels > 1) {
                add_fields(L, names, value, value + 1, levels - 1, false);
            }
        }
        lua_settop(L, value - 1);
    }
}

/* Modules first, so that what is inside them never shadows their names; _G's aliases last. */
static void build_names(lua_State *L) {
    weak_table(L, "k");
    int names = lua_gettop(L);
    lua_pushliteral(L, "_G");
    lua_pushglobaltable(L);
    add_name(L, names, names + 1);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    int loaded = lua_gettop(L);
    for (int round = 0; round < 2; round++) {
        lua_pushnil(L);
        while (lua_next(L, loaded)) {
            int type = lua_type(L, -1);
            if (lua_type(L, -2) == LUA_TSTRING && (type == LUA_TTABLE || type == LUA_TFUNCTION)) {
                int name = lua_gettop(L) - 1;
                const char *text = lua_tostring(L, name);
                if (round == 0) {
                    add_name(L, names, name);
                } else if (type == LUA_TTABLE && strcmp(text, "_G") != 0) {
                    int levels = !is_library(text) ? 0 : strcmp(text, "package") == 0 ? 1 : 2;
                    add_fields(L, names, name, name + 1, levels, false);
                }
            }
            lua_pop(L, 1);
        }
    }
    add_fields(L, names, names + 1, names + 2, 0, true);
    lua_settop(L, names);
    lua_pushvalue(L, names);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &names_key);
}

/* Pushes the map; `checked`: it is up to date. */
static void push_names(lua_State *L, bool *checked) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        build_names(L);
        *checked = true;
    }
}

static bool all_loaded_are_known(lua_State *L, int names) {
    int top = lua_gettop(L);
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_pushnil(L);
    bool known = true;
    while (known && lua_next(L, -2)) {
        int type = lua_type(L, -1);
        if (lua_type(L, -2) == LUA_TSTRING && (type == LUA_TTABLE || type == LUA_TFUNCTION)) {
            known = lua_rawget(L, names) != LUA_TNIL;
        }
        lua_pop(L, 1);
    }
    lua_settop(L, top);
    return known;
}

bool lcns_known_name(lua_State *L, int index, bool *checked) {
    luaL_checkstack(L, 16, "cns.tasks");
    push_names(L, checked);
    int names = lua_gettop(L);
    lua_pushvalue(L, index);
    if (lua_rawget(L, names) == LUA_TNIL && !*checked) {
        *checked = true;
        lua_settop(L, names);
        if (!all_loaded_are_known(L, names) || lua_iscfunction(L, index)) {
            lua_settop(L, names - 1);
            build_names(L);
        }
        lua_pushvalue(L, index);
        lua_rawget(L, names);
    }
    if (lua_isnil(L, -1)) {
        lua_settop(L, names - 1);
        return false;
    }
    lua_replace(L, names);
    lua_settop(L, names);
    return true;
}

/* Pushes the module called `name`. */
static void push_module(lua_State *L, const char *name) {
    if (strcmp(name, "_G") == 0) {
        lua_pushglobaltable(L);
        return;
    }
    lua_getfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    if (lua_getfield(L, -1, name) != LUA_TNIL) {
        lua_remove(L, -2);
        return;
    }
    lua_pop(L, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, &require_key);
    lua_pushstring(L, name);
    lua_call(L, 1, 1);
    lua_remove(L, -2);
}

void lcns_known_push(lua_State *L, const char *name, size_t size) {
    luaL_checkstack(L, 8, "cns.tasks");
    lua_rawgetp(L, LUA_REGISTRYINDEX, &values_key);
    int values = lua_gettop(L);
    lua_pushlstring(L, name, size);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, values) != LUA_TNIL) {
        lua_replace(L, values);
        lua_settop(L, values);
        return;
    }
    lua_pop(L, 1);
    const char *text = lua_tostring(L, values + 1), *end = text + size;
    push_module(L, text);
    for (const char *at = text + strlen(text); at < end; at += strlen(at)) {
        at++;
        if (!lua_istable(L, -1)) {
            break;
        }
        lua_pushstring(L, at);
        lua_rawget(L, -2);
        lua_remove(L, -2);
    }
    if (lua_isnil(L, -1)) {
        const char *field = strlen(text) < size ? text + strlen(text) + 1 : "";
        luaL_error(L, "the receiving state has no '%s%s%s'", text, *field ? "." : "", field);
    }
    lua_pushvalue(L, values + 1);
    lua_pushvalue(L, -2);
    lua_rawset(L, values);
    lua_replace(L, values);
    lua_settop(L, values);
}
