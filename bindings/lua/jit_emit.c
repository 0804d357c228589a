/* SPDX-License-Identifier: MIT
 *
 * jit_emit.c - cns.emit: kernels as an object file and its C header.
 *
 * Lists are copied first, then read without anything that could run Lua: kernels cannot be closed
 * meanwhile, and are held while the engine works.
 */
#include <string.h>

#include "jit.h"

enum { KERNELS_MAX = 1024 };

typedef struct emission {
    cns_emit_config config;
    cns_kernel **kernels; /* one a signature; userdata */
    const char **names;
    uint32_t capacity;
    lua_Integer held; /* entries of the list */
    char *header;
    void *object;
    uint64_t header_size, object_size;
} emission;

lua_Integer lcns_kernel_list(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer count = luaL_len(L, 1);
    if (count < 1 || count > KERNELS_MAX) {
        luaL_argerror(L, 1, lua_pushfstring(L, "1 to %d kernels expected", KERNELS_MAX));
    }
    lua_createtable(L, 2 * (int)count, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        if (lua_geti(L, 1, i) != LUA_TTABLE || lua_getfield(L, -1, "name") != LUA_TSTRING ||
            lua_getfield(L, -2, "kernel") != LUA_TUSERDATA || !lcns_test(L, -1, LCNS_KERNEL_TYPE)) {
            luaL_argerror(
                L, 1,
                lua_pushfstring(L, "entry %d: {name = string, kernel = kernel} expected", (int)i));
        }
        lua_rawseti(L, -4, 2 * i);
        lua_rawseti(L, -3, 2 * i - 1);
        lua_pop(L, 1);
    }
    return count;
}

static lcns_kernel *kernel_at(lua_State *L, int list, lua_Integer entry) {
    lua_rawgeti(L, list, 2 * entry);
    lcns_kernel *self = lua_touserdata(L, -1); /* lcns_kernel_list knows that it is one */
    lua_pop(L, 1);
    return self;
}

/* Adds what was compiled, oldest first. */
static void add_variants(emission *e, const lcns_kernel *self, const char *name) {
    uint32_t first = e->config.kernel_count;
    for (const lcns_variant *v = self->first; v && e->config.kernel_count < e->capacity;
         v = v->next) {
        e->names[e->config.kernel_count] = name;
        e->kernels[e->config.kernel_count++] = v->kernel;
    }
    for (uint32_t a = first, b = e->config.kernel_count; a + 1 < b; a++) {
        b--;
        cns_kernel *swap = e->kernels[a];
        e->kernels[a] = e->kernels[b];
        e->kernels[b] = swap;
    }
}

/* Holds the kernels; no allocation. The name of one without a signature, or NULL. */
static const char *gather(lua_State *L, emission *e, int list, lua_Integer count) {
    for (lua_Integer i = 1; i <= count; i++) {
        lcns_kernel *self = kernel_at(L, list, i);
        lua_rawgeti(L, list, 2 * i - 1);
        const char *name = lua_tostring(L, -1); /* the list holds it */
        lua_pop(L, 1);
        if (!lcns_kernel_is_open(self) || !self->first) {
            return name;
        }
        lcns_kernel_hold(self);
        e->held = i;
        add_variants(e, self, name);
    }
    return NULL;
}

static void let_go(lua_State *L, emission *e, int list) {
    for (lua_Integer i = 1; i <= e->held; i++) {
        lcns_kernel_let_go(kernel_at(L, list, i));
    }
}

static const char *option_text(lua_State *L, const char *key, const char *fallback) {
    const char *text = NULL;
    size_t size = 0;
    if (!lcns_option_string(L, 2, key, &text, &size)) {
        return fallback;
    }
    if (strlen(text) != size) {
        lcns_option_push(L, 2, key);
        lcns_option_fail(L, 2, key, "text without zero bytes");
    }
    lua_pushstring(L, text); /* whatever becomes of the table */
    return lua_tostring(L, -1);
}

static int push_results(lua_State *L) {
    const emission *e = lua_touserdata(L, 1);
    lua_pushlstring(L, e->header, (size_t)e->header_size - 1);
    if (!e->object) {
        return 1;
    }
    lua_pushlstring(L, e->object, (size_t)e->object_size);
    return 2;
}

static cns_status make(cns_vm *vm, emission *e, bool object) {
    cns_status status = cns_vm_emit_header(vm, &e->config, &e->header, &e->header_size);
    if (status == CNS_OK && object) {
        status = cns_vm_emit_object(vm, &e->config, &e->object, &e->object_size);
    }
    return status;
}

/* The strings pushed here stay on the stack. */
static bool read_options(lua_State *L, emission *e) {
    static const char *const known[] = {"prefix", "cpu", "source", "object", NULL};
    lcns_options(L, 2, known);
    e->config.size = sizeof e->config;
    e->config.prefix = option_text(L, "prefix", "kernels");
    e->config.cpus = option_text(L, "cpu", NULL);
    e->config.source = option_text(L, "source", NULL);
    return lcns_option_boolean(L, 2, "object", true);
}

static int emit(lua_State *L) {
    emission e = {.held = 0};
    lua_settop(L, 2);
    luaL_checkstack(L, 16, "cns.emit");
    lua_Integer count = lcns_kernel_list(L);
    bool object = read_options(L, &e);
    lcns_machine *machine = lcns_machine_of(L);
    e.capacity = (uint32_t)count * LCNS_VARIANTS_MAX;
    e.kernels = lua_newuserdatauv(L, e.capacity * sizeof *e.kernels, 0);
    e.names = lua_newuserdatauv(L, e.capacity * sizeof *e.names, 0);
    e.config.kernels = e.kernels;
    e.config.names = e.names;
    const char *missing = gather(L, &e, 3, count);
    cns_status status = missing ? CNS_OK : make(machine->vm, &e, object);
    let_go(L, &e, 3);
    if (missing) {
        return luaL_error(L, "kernel %s: nothing was compiled: name the types of its arguments",
                          missing);
    }
    lua_pushcfunction(L, push_results);
    lua_pushlightuserdata(L, &e);
    int failed = status == CNS_OK ? lua_pcall(L, 1, LUA_MULTRET, 0) : LUA_OK;
    int results = lua_gettop(L);
    cns_context_resize(machine->context, e.header, (size_t)e.header_size, 0);
    cns_context_resize(machine->context, e.object, (size_t)e.object_size, 0);
    lcns_ok(L, status);
    return failed ? lua_error(L) : object ? (results > 1 ? 2 : 1) : 1;
}

int lcns_open_emit(lua_State *L) {
    lua_pushcfunction(L, emit);
    return 1;
}
