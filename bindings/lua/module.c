/* SPDX-License-Identifier: MIT
 *
 * module.c - opens the Lua module `cns`; the engine behind a Lua state; userdata; errors.
 *
 * A registry entry, the anchor, ties a state to its lcns_shared. It is made before any object, so
 * Lua finalises it after all of them; and since every object holds a reference of its own, the
 * order does not matter for safety. Methods are closures over their metatable and their method
 * table: the check of `self` compares metatables without a look-up by name.
 */
#include "module.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the shared engine ----------------------------------------------------------------------- */

typedef struct anchor {
    lcns_shared *shared;
    bool main; /* the state that created `shared`, not one that adopted it */
    bool closing;
    uint64_t refused; /* cns_memory_stats.refused when an error was last raised */
} anchor;             /* its user value: the text of the last error of memory */

/* Registry keys: the addresses matter, not the contents. */
static const char anchor_key = 0;
static const char host_key = 0;

static int anchor_gc(lua_State *L) {
    anchor *a = lua_touserdata(L, 1);
    lcns_shared *shared = a->shared;
    a->shared = NULL;
    if (shared && a->main && shared->shutdown) {
        shared->shutdown(shared);
    }
    lcns_shared_release(shared);
    return 0;
}

/* Pushes nothing; the anchor lives in the registry before it owns anything. */
static anchor *new_anchor(lua_State *L) {
    anchor *a = lua_newuserdatauv(L, sizeof *a, 1);
    *a = (anchor){0};
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, anchor_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, "locked");
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &anchor_key);
    return a;
}

static anchor *find_anchor(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &anchor_key);
    anchor *a = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return a;
}

void lcns_set_host(lua_State *L, const lcns_host *host) {
    lcns_host *copy = lua_newuserdatauv(L, sizeof *copy, 0);
    *copy = *host;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &host_key);
}

static void create_shared(lua_State *L, anchor *a) {
    /* Not from the context's allocator: the context itself hangs off this. */
    lcns_shared *shared = calloc(1, sizeof *shared);
    if (!shared) {
        luaL_error(L, "not enough memory for the engine");
        return;
    }
    atomic_init(&shared->references, 1);
    atomic_init(&shared->pool, NULL);
    atomic_init(&shared->orphans, NULL);
    atomic_init(&shared->machine, NULL);
    a->shared = shared;
    a->main = true;
    lua_rawgetp(L, LUA_REGISTRYINDEX, &host_key);
    const lcns_host *host = lua_touserdata(L, -1);
    if (host) {
        shared->host = *host;
        shared->context = host->context;
    }
    lua_pop(L, 1);
    if (!shared->context) {
        cns_status status = cns_context_create(NULL, &shared->context);
        if (status != CNS_OK) {
            a->shared = NULL;
            free(shared);
            luaL_error(L, "cns: %s", cns_status_text(status));
            return;
        }
        shared->owns_context = true;
    }
}

static void ensure_shared(lua_State *L) {
    anchor *a = find_anchor(L);
    if (!a) {
        a = new_anchor(L);
    }
    if (!a->shared) {
        create_shared(L, a);
    }
}

void lcns_adopt(lua_State *L, lcns_shared *shared) {
    anchor *a = new_anchor(L);
    lcns_shared_retain(shared);
    a->shared = shared;
}

void lcns_close_state(lua_State *L) {
    anchor *a = find_anchor(L);
    if (a) {
        a->closing = true;
    }
    lua_close(L);
}

lcns_shared *lcns_shared_of(lua_State *L) {
    anchor *a = find_anchor(L);
    if (!a || !a->shared || a->closing) {
        luaL_error(L, "the module 'cns' is not open in this state");
        return NULL;
    }
    return a->shared;
}

cns_context *lcns_context(lua_State *L) {
    return lcns_shared_of(L)->context;
}

void lcns_shared_retain(lcns_shared *shared) {
    atomic_fetch_add_explicit(&shared->references, 1, memory_order_relaxed);
}

void lcns_shared_release(lcns_shared *shared) {
    if (!shared) {
        return;
    }
    if (atomic_fetch_sub_explicit(&shared->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    lcns_machine_free(atomic_load(&shared->machine));
    if (shared->owns_context) {
        cns_context_destroy(shared->context);
    }
    free(shared);
}

/* ---- errors ---------------------------------------------------------------------------------- */

void lcns_mark_memory(lua_State *L) {
    if (!lua_checkstack(L, 2)) {
        return;
    }
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &anchor_key) == LUA_TUSERDATA &&
        lua_type(L, -2) == LUA_TSTRING) {
        lua_pushvalue(L, -2);
        lua_setiuservalue(L, -2, 1);
    }
    lua_pop(L, 1);
}

uint64_t lcns_memory_refused(lua_State *L) {
    cns_memory_stats stats;
    cns_context_memory(lcns_context(L), &stats);
    return stats.refused;
}

/* Whether `text` is "not enough memory", as Lua raises it (and would, with LUA_ERRMEM, for a script
 * that raises that text: lua_error compares it), or that behind the positions and names
 * that error() and coroutine.wrap put before it. */
static bool is_luas_own(const char *text, size_t length) {
    static const char own[] = "not enough memory";
    const size_t size = sizeof own - 1;
    return length >= size && memcmp(text + length - size, own, size) == 0 &&
           (length == size ||
            (length >= size + 2 && memcmp(text + length - size - 2, ": ", 2) == 0));
}

static bool heap_refused(lua_State *L) {
    void *user;
    cns_heap_stats stats;
    if (lua_getallocf(L, &user) != cns_heap_lua_alloc) {
        return true; /* an allocator that does not tell */
    }
    cns_heap_get_stats(user, &stats);
    return stats.failures > 0;
}

bool lcns_is_memory_error(lua_State *L, int index) {
    size_t length;
    if (lua_type(L, index) != LUA_TSTRING || !lua_checkstack(L, 2)) {
        return false;
    }
    const char *text = lua_tolstring(L, index, &length);
    if (is_luas_own(text, length) && heap_refused(L)) {
        return true;
    }
    bool found = false;
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &anchor_key) == LUA_TUSERDATA) {
        lua_getiuservalue(L, -1, 1);
        const char *marked = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
        found = marked && strstr(text, marked);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return found;
}

/* Where a message may blame the memory limit, it does so only if that was just passed. */
static bool is_memory(lua_State *L, cns_status status) {
    anchor *a = find_anchor(L);
    uint64_t refused = lcns_memory_refused(L);
    bool passed = refused != a->refused;
    a->refused = refused;
    return status == CNS_E_NOMEM || (status == CNS_E_LIMIT && passed);
}

int lcns_raise(lua_State *L, cns_status status) {
    char message[512];
    /* These come from a token, often without a message: the context's would be an older one. */
    bool silent = status == CNS_E_CANCELLED || status == CNS_E_DEADLINE;
    if (silent || cns_context_message(lcns_context(L), message, sizeof message) == 0) {
        snprintf(message, sizeof message, "%s", cns_status_text(status));
    }
    luaL_where(L, 1);
    lua_pushstring(L, message);
    lua_concat(L, 2);
    if (is_memory(L, status)) {
        lcns_mark_memory(L);
    }
    return lua_error(L);
}

int lcns_no_memory(lua_State *L, const char *format, ...) {
    va_list arguments;
    luaL_where(L, 1);
    lua_pushliteral(L, "not enough memory");
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 3);
    lcns_mark_memory(L);
    return lua_error(L);
}

cns_status lcns_poll_status(lua_State *L) {
    const anchor *a = find_anchor(L);
    const lcns_host *host = a && a->shared ? &a->shared->host : NULL;
    cns_status status = host && host->poll ? host->poll(host->user) : CNS_OK;
    return status == CNS_OK && host ? cns_cancel_poll(host->cancel) : status;
}

void lcns_poll(lua_State *L) {
    cns_status status = lcns_poll_status(L);
    if (status != CNS_OK) {
        luaL_error(L, "interrupted: %s", cns_status_text(status));
    }
}

/* ---- userdata -------------------------------------------------------------------------------- */

/* Adds `function` under `name` to the table at `target`, closed over metatable and methods. */
static void add_function(lua_State *L, int target, int metatable, const char *name,
                         lua_CFunction function) {
    lua_pushvalue(L, metatable);
    lua_pushvalue(L, metatable + 1);
    lua_pushcclosure(L, function, 2);
    lua_setfield(L, target, name);
}

void lcns_type(lua_State *L, const char *name, const luaL_Reg *methods, const luaL_Reg *metamethods,
               lua_CFunction close) {
    luaL_checkstack(L, 8, "cns");
    luaL_newmetatable(L, name); /* an earlier, half-filled one is filled again */
    int metatable = lua_gettop(L);
    lua_newtable(L);
    for (const luaL_Reg *m = methods; m && m->name; m++) {
        add_function(L, metatable + 1, metatable, m->name, m->func);
    }
    lua_pushvalue(L, metatable + 1);
    lua_setfield(L, metatable, "__index");
    if (close) {
        add_function(L, metatable + 1, metatable, "close", close);
        add_function(L, metatable, metatable, "__gc", close);
        add_function(L, metatable, metatable, "__close", close);
    }
    for (const luaL_Reg *m = metamethods; m && m->name; m++) {
        add_function(L, metatable, metatable, m->name, m->func);
    }
    lua_pushliteral(L, "locked");
    lua_setfield(L, metatable, "__metatable");
    lua_pop(L, 2);
}

void *lcns_new(lua_State *L, size_t size, const char *name) {
    lcns_shared *shared = lcns_shared_of(L);
    lcns_object *object = lua_newuserdatauv(L, size, 1);
    memset(object, 0, size);
    luaL_setmetatable(L, name);
    lcns_shared_retain(shared);
    object->shared = shared;
    return object;
}

void *lcns_test(lua_State *L, int arg, const char *name) {
    return luaL_testudata(L, arg, name);
}

void *lcns_check(lua_State *L, int arg, const char *name) {
    lcns_object *object = luaL_testudata(L, arg, name);
    if (!object) {
        luaL_typeerror(L, arg, name);
        return NULL;
    }
    if (!object->shared) {
        luaL_error(L, "%s is closed", name);
    }
    return object;
}

void *lcns_self_fail(lua_State *L) {
    lua_getfield(L, lua_upvalueindex(1), "__name");
    const char *name = lua_tostring(L, -1);
    if (lua_type(L, 1) == LUA_TUSERDATA && lua_getmetatable(L, 1) &&
        lua_rawequal(L, -1, lua_upvalueindex(1))) {
        luaL_error(L, "%s is closed", name);
        return NULL;
    }
    luaL_typeerror(L, 1, name);
    return NULL;
}

void *lcns_begin_close(lua_State *L, const char *name, lcns_shared **shared) {
    lcns_object *object = luaL_testudata(L, 1, name);
    if (!object) {
        luaL_typeerror(L, 1, name);
        return NULL;
    }
    *shared = object->shared;
    object->shared = NULL;
    return *shared ? object : NULL;
}

/* ---- the module ------------------------------------------------------------------------------ */

static const struct {
    const char *name;
    int (*open)(lua_State *L);
} parts[] = {
    {"heap", lcns_open_heap},     {"arena", lcns_open_arena},     {"pool", lcns_open_pool},
    {"buffer", lcns_open_buffer}, {"columns", lcns_open_columns}, {"matmul", lcns_open_matmul},
    {"hash", lcns_open_hash},     {"map", lcns_open_map},         {"tasks", lcns_open_tasks},
    {"solver", lcns_open_solver}, {"monitor", lcns_open_monitor}, {"json", lcns_open_json},
    {"yaml", lcns_open_yaml},     {"fs", lcns_open_fs},           {"jit", lcns_open_jit},
    {"prange", lcns_open_prange}, {"emit", lcns_open_emit},       {NULL, NULL},
};

CNS_API int luaopen_cns(lua_State *L) {
    luaL_checkversion(L);
    luaL_checkstack(L, 16, "cns");
    ensure_shared(L);
    lua_newtable(L);
    luaL_setfuncs(L, lcns_basics, 0);
    lua_pushstring(L, cns_version_string());
    lua_setfield(L, -2, "version");
    for (size_t i = 0; parts[i].name; i++) {
        parts[i].open(L);
        lua_setfield(L, -2, parts[i].name);
    }
    return 1;
}
