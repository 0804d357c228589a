/* SPDX-License-Identifier: MIT
 *
 * jit_views.c - what a kernel tells about itself: explain, ir, bytecode, llvm, asm, signatures,
 * tier, stats; and compile, which makes a signature ready before its first call.
 *
 * Each of them is about the signature in its arguments ("f64", "i32[]", ...), compiled if need be,
 * or else about the one that was used last.
 */
#include <string.h>

#include "jit.h"

/* ---- types as text --------------------------------------------------------------------------- */

static const char *const plain_names[] = {NULL, "nil", "bool", "i64", "f64"};
enum { PLAIN_TYPES = sizeof plain_names / sizeof *plain_names };

void lcns_add_types(luaL_Buffer *b, const uint8_t *types, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        luaL_addstring(b, i ? ", " : "");
        if (types[i] < PLAIN_TYPES) {
            luaL_addstring(b, plain_names[types[i]] ? plain_names[types[i]] : "?");
        } else {
            luaL_addstring(b, cns_type_name((cns_type)(types[i] - CNS_VM_BUFFER)));
            luaL_addstring(b, "[]");
        }
    }
}

/* "f64", "u8[]"; CNS_VM_VOID when it is no type. */
static uint8_t parse_type(const char *text) {
    for (uint8_t i = 1; i < PLAIN_TYPES; i++) {
        if (strcmp(text, plain_names[i]) == 0) {
            return i;
        }
    }
    size_t length = strlen(text);
    for (int type = CNS_I8; type <= CNS_F64; type++) {
        const char *name = cns_type_name((cns_type)type);
        if (length == strlen(name) + 2 && memcmp(text, name, length - 2) == 0 &&
            memcmp(text + length - 2, "[]", 2) == 0) {
            return (uint8_t)(CNS_VM_BUFFER + type);
        }
    }
    return CNS_VM_VOID;
}

static void check_types(lua_State *L, const lcns_kernel *self, uint8_t *types) {
    uint32_t given = (uint32_t)lua_gettop(L) - 1;
    if (given > self->parameters) {
        luaL_error(L, "%d types for %d parameter%s", (int)given, (int)self->parameters,
                   self->parameters == 1 ? "" : "s");
    }
    memset(types, CNS_VM_NIL, self->parameters);
    for (uint32_t i = 0; i < given; i++) {
        int arg = (int)i + 2;
        const char *text = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
        bool whole = strlen(text) == lua_rawlen(L, arg); /* no zero inside */
        types[i] = whole ? parse_type(text) : CNS_VM_VOID;
        if (types[i] == CNS_VM_VOID) {
            luaL_argerror(L, arg,
                          lua_pushfstring(L,
                                          "type expected (i64, f64, bool, nil, or the elements of "
                                          "a buffer: f64[], u8[], ...), got %s",
                                          *text ? text : luaL_typename(L, arg)));
        }
    }
}

/* ---- which signature ------------------------------------------------------------------------- */

/* The variant that the arguments ask about. */
static lcns_variant *asked_variant(lua_State *L, lcns_kernel *self) {
    uint8_t types[UINT8_MAX];
    if (lua_gettop(L) > 1 || self->parameters == 0) {
        check_types(L, self, types);
        return lcns_kernel_variant(L, self, types);
    }
    if (!self->first) {
        luaL_error(L, "the kernel was not compiled yet: call it, or name the types of arguments");
    }
    return self->first;
}

static lcns_kernel *self_of(lua_State *L) {
    lcns_kernel *self = lcns_self(L);
    lcns_kernel_check_open(L, self);
    return self;
}

/* ---- views ----------------------------------------------------------------------------------- */

typedef struct text {
    char *data;
    uint64_t size;
} text;

static int push_text(lua_State *L) {
    const text *t = lua_touserdata(L, 1);
    lua_pushstring(L, t->data);
    return 1;
}

static int push_view(lua_State *L, cns_kernel_view view) {
    lcns_kernel *self = self_of(L);
    lcns_variant *v = asked_variant(L, self);
    text t = {0};
    cns_context *context = self->machine->context;
    luaL_checkstack(L, 4, LCNS_KERNEL_TYPE);
    lcns_kernel_hold(self);
    cns_status status = cns_kernel_view_text(v->kernel, view, &t.data, &t.size);
    lcns_kernel_let_go(self);
    lcns_ok(L, status);
    lua_pushcfunction(L, push_text);
    lua_pushlightuserdata(L, &t);
    int failed = lua_pcall(L, 1, 1, 0);
    cns_context_resize(context, t.data, (size_t)t.size, 0);
    return failed ? lua_error(L) : 1;
}

static int kernel_explain(lua_State *L) {
    return push_view(L, CNS_VIEW_EXPLAIN);
}

static int kernel_ir(lua_State *L) {
    return push_view(L, CNS_VIEW_IR);
}

static int kernel_bytecode(lua_State *L) {
    return push_view(L, CNS_VIEW_BYTECODE);
}

static int kernel_llvm(lua_State *L) {
    return push_view(L, CNS_VIEW_LLVM);
}

static int kernel_asm(lua_State *L) {
    return push_view(L, CNS_VIEW_ASSEMBLY);
}

/* ---- the rest -------------------------------------------------------------------------------- */

/* k:compile(types...) -> k: ready, native code included where there is any. */
static int kernel_compile(lua_State *L) {
    lcns_kernel *self = self_of(L);
    uint8_t types[UINT8_MAX];
    check_types(L, self, types);
    lcns_kernel_go_native(L, self, lcns_kernel_variant(L, self, types), true);
    lua_settop(L, 1);
    return 1;
}

/* Making text may run finalisers that change the list, so each step begins at its head. */
static int kernel_signatures(lua_State *L) {
    lcns_kernel *self = self_of(L);
    lua_createtable(L, (int)self->variants, 0);
    for (uint32_t at = 0; at < LCNS_VARIANTS_MAX; at++) {
        uint8_t types[UINT8_MAX];
        const lcns_variant *v = self->first;
        for (uint32_t i = 0; v && i < at; i++) {
            v = v->next;
        }
        if (!v) {
            break;
        }
        memcpy(types, v->types, v->type_count);
        luaL_Buffer b;
        luaL_buffinit(L, &b);
        lcns_add_types(&b, types, self->parameters);
        luaL_pushresult(&b);
        lua_rawseti(L, -2, (lua_Integer)at + 1);
    }
    return 1;
}

static int kernel_tier(lua_State *L) {
    static const char *const names[] = {"scalar", "block", "native"};
    lcns_kernel *self = self_of(L);
    const lcns_variant *v = asked_variant(L, self);
    lua_pushstring(L, names[cns_kernel_tier(v->kernel)]);
    return 1;
}

static void set_count(lua_State *L, const char *name, uint64_t value) {
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static int kernel_stats(lua_State *L) {
    lcns_kernel *self = self_of(L);
    const lcns_variant *v = asked_variant(L, self);
    cns_kernel_stats stats;
    cns_kernel_get_stats(v->kernel, &stats);
    uint64_t calls = self->calls, compilations = self->compilations, variants = self->variants;
    lua_createtable(L, 0, 10);
    set_count(L, "calls", calls);
    set_count(L, "compilations", compilations);
    set_count(L, "signatures", variants);
    set_count(L, "bytecode_instructions", stats.bytecode_instructions);
    set_count(L, "native_bytes", stats.native_bytes);
    set_count(L, "build_ns", stats.build_ns);
    set_count(L, "lower_ns", stats.lower_ns);
    set_count(L, "native_ns", stats.native_ns);
    set_count(L, "compile_ns", stats.compile_ns);
    lua_pushboolean(L, stats.cached != 0);
    lua_setfield(L, -2, "cached");
    return 1;
}

const luaL_Reg lcns_kernel_methods[] = {
    {"explain", kernel_explain},
    {"ir", kernel_ir},
    {"bytecode", kernel_bytecode},
    {"llvm", kernel_llvm},
    {"asm", kernel_asm},
    {"compile", kernel_compile},
    {"signatures", kernel_signatures},
    {"tier", kernel_tier},
    {"stats", kernel_stats},
    {NULL, NULL},
};
