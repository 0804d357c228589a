/* SPDX-License-Identifier: MIT
 *
 * jit.c - cns.jit: kernel objects, from their making to their end.
 *
 * The user value of a kernel is a table: [1] the Lua function, [variant] the table of a variant
 * (see jit.h). A kernel that is closed while a call uses it stays until that call is over.
 */
#include "jit.h"

#include <stdio.h>
#include <string.h>

#define NAME LCNS_KERNEL_TYPE

/* Registry key of the list of C functions that kernels know. */
static const char intrinsics_key = 0;

/* ---- options --------------------------------------------------------------------------------- */

static lcns_policy option_tier(lua_State *L, int arg) {
    static const char *const names[] = {"auto", "vm", "scalar", "native"};
    const char *text = NULL;
    size_t size;
    if (!lcns_option_string(L, arg, "tier", &text, &size)) {
        return LCNS_TIER_AUTO;
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (lcns_policy)i;
        }
    }
    lcns_option_push(L, arg, "tier");
    lcns_option_fail(L, arg, "tier", "\"auto\", \"vm\", \"scalar\" or \"native\"");
    return LCNS_TIER_AUTO;
}

static void read_options(lua_State *L, int arg, lcns_kernel_options *out) {
    static const char *const known[] = {"name",   "tier",     "wait",  "reassoc", "contract",
                                        "approx", "optimise", "cache", NULL};
    *out = (lcns_kernel_options){0};
    lcns_options(L, arg, known);
    const char *name = NULL;
    size_t size = 0;
    if (lcns_option_string(L, arg, "name", &name, &size)) {
        if (size == 0 || size >= LCNS_KERNEL_NAME || strlen(name) != size) {
            luaL_argerror(L, arg,
                          lua_pushfstring(L, "option 'name': text of 1 to %d bytes expected",
                                          LCNS_KERNEL_NAME - 1));
        }
        memcpy(out->name, name, size);
    }
    out->policy = option_tier(L, arg);
    out->wait = lcns_option_boolean(L, arg, "wait", false) || out->policy == LCNS_TIER_NATIVE;
    out->math = lcns_option_boolean(L, arg, "reassoc", false) ? CNS_KERNEL_REASSOCIATE : 0;
    out->math |= lcns_option_boolean(L, arg, "contract", false) ? CNS_KERNEL_CONTRACT : 0;
    out->math |= lcns_option_boolean(L, arg, "approx", false) ? CNS_KERNEL_APPROXIMATE : 0;
    out->math |= lcns_option_boolean(L, arg, "optimise", true) ? 0 : CNS_KERNEL_NO_OPTIMISER;
    out->math |= lcns_option_boolean(L, arg, "cache", true) ? 0 : CNS_KERNEL_NO_CACHE;
    out->math |= out->policy == LCNS_TIER_SCALAR ? CNS_KERNEL_NO_BLOCKS : 0;
}

/* ---- making ---------------------------------------------------------------------------------- */

lcns_kernel *lcns_kernel_new(lua_State *L, const lcns_kernel_options *options) {
    lcns_machine *machine = lcns_machine_of(L);
    lcns_kernel *self = lcns_new(L, sizeof *self, NAME);
    self->self = self;
    self->machine = machine;
    self->options = *options;
    self->seat = lcns_seat_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    self->main = lua_tothread(L, -1);
    lua_pop(L, 1);
    lua_createtable(L, 1, 1);
    lua_setiuservalue(L, -2, 1);
    return self;
}

void lcns_kernel_check_open(lua_State *L, const lcns_kernel *self) {
    if (!lcns_kernel_is_open(self)) {
        luaL_error(L, NAME " is closed");
    }
}

void lcns_kernel_push_function(lua_State *L, int index) {
    lua_getiuservalue(L, index, 1);
    lua_rawgeti(L, -1, LCNS_AT_FUNCTION);
    lua_remove(L, -2);
}

void lcns_kernel_set(lua_State *L, int kernel, int function) {
    lcns_kernel *self = lua_touserdata(L, kernel);
    lua_getiuservalue(L, kernel, 1);
    lua_pushvalue(L, function);
    lua_rawseti(L, -2, LCNS_AT_FUNCTION);
    lua_pop(L, 1);
    lcns_ok(L, lcns_function_read(L, function, &self->function));
    self->parameters = cns_lua_function_parameters(self->function);
}

/* cns.jit(f [, options]) -> kernel; cns.jit, a table, is in front. */
static int jit(lua_State *L) {
    lua_settop(L, 3);
    lua_remove(L, 1);
    if (lua_type(L, 1) != LUA_TFUNCTION || lua_iscfunction(L, 1)) {
        const char *got = lua_iscfunction(L, 1) ? "a C function" : luaL_typename(L, 1);
        return luaL_argerror(L, 1, lua_pushfstring(L, "Lua function expected, got %s", got));
    }
    lcns_kernel_options options;
    read_options(L, 2, &options);
    lcns_kernel_new(L, &options);
    lcns_kernel_set(L, 3, 1);
    return 1;
}

/* ---- the end --------------------------------------------------------------------------------- */

void lcns_variant_free(lcns_kernel *self, lcns_variant *v) {
    if (v) {
        cns_context *context = self->machine->context;
        cns_kernel_destroy(v->kernel);
        cns_context_resize(context, v->records, v->record_capacity * sizeof *v->records, 0);
        cns_context_resize(context, v->types, v->arrays_size, 0);
        cns_context_resize(context, v, sizeof *v, 0);
    }
}

/* Gives back what the kernel owns; nothing uses it. Waiting for a compilation, this thread may run
 * other Lua code, so the object is empty before. */
static void dispose(lcns_kernel *self, lcns_shared *shared) {
    lcns_variant *v = self->first;
    cns_lua_function *function = self->function;
    self->first = NULL;
    self->variants = 0;
    self->function = NULL;
    self->loaded = false;
    while (v) {
        lcns_variant *next = v->next;
        lcns_variant_free(self, v);
        v = next;
    }
    cns_lua_function_destroy(function);
    lcns_shared_release(shared);
}

void lcns_kernel_bury(lcns_kernel *self) {
    lcns_shared *shared = self->doomed;
    self->doomed = NULL;
    dispose(self, shared);
}

static int kernel_close(lua_State *L) {
    lcns_shared *shared;
    lcns_kernel *self = lcns_begin_close(L, NAME, &shared);
    if (!self) {
        return 0;
    }
    if (self->users > 0) {
        self->doomed = shared;
    } else {
        dispose(self, shared);
    }
    return 0;
}

static int kernel_tostring(lua_State *L) {
    const lcns_kernel *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!lcns_kernel_is_open(self)) {
        lua_pushliteral(L, NAME " (closed)");
        return 1;
    }
    if (self->loaded) {
        lua_pushfstring(L, NAME " %s (loaded)", self->options.name);
        return 1;
    }
    const char *source = cns_lua_function_source(self->function);
    source += *source == '@' || *source == '=';
    lua_pushfstring(L, NAME " %s%s(%s:%d)", self->options.name, *self->options.name ? " " : "",
                    source, (int)cns_lua_function_line(self->function));
    return 1;
}

/* ---- opening --------------------------------------------------------------------------------- */

static const char *const intrinsic_names[] = {
    "abs", "acos", "asin", "atan", "ceil", "cos",  "deg", "exp",       "floor", "fmod",
    "log", "max",  "min",  "rad",  "sin",  "sqrt", "tan", "tointeger", "ult"};

/* From a math library of our own: the script's may have been changed by now. */
static void keep_intrinsics(lua_State *L) {
    lua_CFunction *list = lua_newuserdatauv(L, CNS_INTRINSIC_COUNT * sizeof *list, 0);
    memset(list, 0, CNS_INTRINSIC_COUNT * sizeof *list);
    lua_pushcfunction(L, luaopen_math);
    lua_call(L, 0, 1);
    for (size_t i = 0; i < sizeof intrinsic_names / sizeof *intrinsic_names; i++) {
        lua_getfield(L, -1, intrinsic_names[i]);
        list[CNS_MATH_ABS + i] = lua_tocfunction(L, -1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    lcns_open_prange(L);
    list[CNS_PRANGE] = lua_tocfunction(L, -1);
    lua_pop(L, 1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &intrinsics_key);
}

const lua_CFunction *lcns_intrinsics(lua_State *L) {
    lua_rawgetp(L, LUA_REGISTRYINDEX, &intrinsics_key);
    const lua_CFunction *list = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return list;
}

int lcns_open_jit(lua_State *L) {
    static const luaL_Reg metamethods[] = {{"__tostring", kernel_tostring}, {NULL, NULL}};
    lcns_type(L, NAME, lcns_kernel_methods, metamethods, kernel_close);
    keep_intrinsics(L);
    luaL_getmetatable(L, NAME);
    lua_pushvalue(L, -1);
    lua_getfield(L, -1, "__index");
    luaL_getmetatable(L, "cns.buffer");
    lua_pushcclosure(L, lcns_kernel_call, 3);
    lua_setfield(L, -2, "__call");
    lua_pop(L, 1);
    lua_createtable(L, 0, 3);
    lcns_open_modules(L);
    lua_setfield(L, -3, "dump");
    lua_setfield(L, -2, "load");
    lcns_open_native(L);
    lua_setfield(L, -2, "native");
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, jit);
    lua_setfield(L, -2, "__call");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    return 1;
}
