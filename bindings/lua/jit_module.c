/* SPDX-License-Identifier: MIT
 *
 * jit_module.c - cns.jit.dump and cns.jit.load: kernels to the bytes of a .cnsb file and back.
 *
 * A loaded kernel has no Lua function. Its variants are all there from the start; a call with other
 * types is refused with the list of those that there are. What a dumped kernel has captured is
 * looked at when it is dumped: values become constants of the copy in the module.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "jit.h"

/* ---- dump ------------------------------------------------------------------------------------ */

typedef struct dumping {
    cns_context *context;
    cns_module *module;
    void *bytes;
    uint64_t size;
} dumping;

/* The types of all signatures, in the order of their compilation, in a userdata that is pushed;
 * several for one list of types where other values were captured. */
static uint8_t *copy_signatures(lua_State *L, const lcns_kernel *self, uint32_t *count) {
    const uint32_t most = self->variants;
    uint8_t *types = lua_newuserdatauv(L, (size_t)most * self->parameters + 1, 0);
    uint32_t n = 0;
    for (const lcns_variant *v = self->first; v && n < most; v = v->next) {
        n++; /* a finaliser may have dropped some */
    }
    *count = n;
    for (const lcns_variant *v = self->first; v && n > 0; v = v->next) {
        memcpy(types + (size_t)--n * self->parameters, v->types, v->type_count);
    }
    return types;
}

static bool is_repeated(const uint8_t *types, uint32_t index, uint32_t parameters) {
    for (uint32_t i = 0; i < index; i++) {
        if (memcmp(types + (size_t)i * parameters, types + (size_t)index * parameters,
                   parameters) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds the variant for these types as it would be called now. The kernel is at 1. */
static void add_variant(lua_State *L, dumping *d, lcns_kernel *self, const char *name,
                        const uint8_t *types) {
    lcns_variant *v = lcns_kernel_variant(L, self, types);
    const uint32_t room = v->hidden_count + 1;
    cns_vm_value *hidden = lua_newuserdatauv(L, room * sizeof *hidden, 0);
    v = lcns_kernel_variant(L, self, types); /* that may have run a finaliser */
    memset(hidden, 0, room * sizeof *hidden);
    luaL_getmetatable(L, "cns.buffer");
    lcns_kernel_reserve(L, v);
    if (v->hidden_count >= room || !lcns_kernel_guards(L, v, lua_gettop(L), hidden)) {
        luaL_error(L, "what the kernel uses changes while it is being dumped");
    }
    lcns_ok(L, cns_module_add(d->module, name, v->kernel, hidden, v->hidden_count));
    lua_pop(L, 2);
}

/* Arguments: the kernel, its name, the dumping. */
static int add_kernel(lua_State *L) {
    lcns_kernel *self = lua_touserdata(L, 1); /* lcns_kernel_list knows that it is one */
    const char *name = lua_tostring(L, 2);
    dumping *d = lua_touserdata(L, 3);
    luaL_checkstack(L, 16, LCNS_KERNEL_TYPE);
    if (!lcns_kernel_is_open(self) || !self->first) {
        return luaL_error(L, "kernel %s: nothing was compiled: name the types of its arguments",
                          name);
    }
    if (strlen(name) != lua_rawlen(L, 2)) {
        return luaL_error(L, "a kernel's name has a zero byte in it");
    }
    uint32_t count = 0;
    const uint8_t *types = copy_signatures(L, self, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (!is_repeated(types, i, self->parameters)) {
            add_variant(L, d, self, name, types + (size_t)i * self->parameters);
        }
    }
    return 0;
}

/* Arguments: the list, how many kernels, the dumping. Gives the bytes. */
static int dump_protected(lua_State *L) {
    lua_Integer count = lua_tointeger(L, 2);
    dumping *d = lua_touserdata(L, 3);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_pushcfunction(L, add_kernel);
        lua_rawgeti(L, 1, 2 * i);
        lua_rawgeti(L, 1, 2 * i - 1);
        lua_pushvalue(L, 3);
        lua_call(L, 3, 0);
    }
    lcns_ok(L, cns_module_write(d->module, &d->bytes, &d->size));
    lua_pushlstring(L, d->bytes, (size_t)d->size);
    return 1;
}

/* cns.jit.dump(kernels) -> bytes */
static int dump(lua_State *L) {
    lua_settop(L, 1);
    luaL_checkstack(L, 16, "cns.jit.dump");
    lua_Integer count = lcns_kernel_list(L);
    lcns_machine *machine = lcns_machine_of(L);
    dumping d = {.context = machine->context};
    lcns_ok(L, cns_module_create(machine->vm, &d.module));
    lua_pushcfunction(L, dump_protected);
    lua_insert(L, -2);
    lua_pushinteger(L, count);
    lua_pushlightuserdata(L, &d);
    int failed = lua_pcall(L, 3, 1, 0);
    cns_module_destroy(d.module);
    cns_context_resize(d.context, d.bytes, (size_t)d.size, 0);
    return failed ? lua_error(L) : 1;
}

/* ---- load ------------------------------------------------------------------------------------ */

typedef struct loading {
    lcns_machine *machine;
    cns_module *module;
    lcns_kernel_options options;
} loading;

/* The file's bytes, in memory of `*capacity` bytes; errno's value, or 0. A device may never end. */
static int read_file(cns_context *context, const char *path, char **bytes, size_t *capacity,
                     size_t *size) {
    enum { STEP = 1 << 16, MOST = 1 << 28 };
    FILE *file = fopen(path, "rb");
    int failure = file ? 0 : errno;
    for (size_t got = 1; file && got > 0 && !failure; *size += got) {
        if (*capacity - *size < STEP) {
            size_t larger = 2 * *capacity + STEP;
            char *grown =
                larger > MOST ? NULL : cns_context_resize(context, *bytes, *capacity, larger);
            failure = grown ? 0 : larger > MOST ? EFBIG : ENOMEM;
            *bytes = grown ? grown : *bytes;
            *capacity = grown ? larger : *capacity;
        }
        errno = 0;
        got = failure ? 0 : fread(*bytes + *size, 1, *capacity - *size, file);
        failure = failure ? failure : ferror(file) ? (errno ? errno : EIO) : 0;
    }
    if (file) {
        fclose(file);
    }
    return failure;
}

static lcns_variant *make_variant(lua_State *L, const lcns_kernel *self, const cns_kernel *kernel) {
    cns_context *context = self->machine->context;
    uint32_t parameters = self->parameters;
    lcns_variant *v = cns_context_resize(context, NULL, 0, sizeof *v);
    uint8_t *arrays = cns_context_resize(context, NULL, 0, 2 * (size_t)parameters + 1);
    if (!v || !arrays) {
        cns_context_resize(context, v, sizeof *v, 0);
        cns_context_resize(context, arrays, 2 * (size_t)parameters + 1, 0);
        lcns_raise(L, CNS_E_NOMEM);
        return NULL;
    }
    *v = (lcns_variant){.types = arrays,
                        .use = arrays + parameters,
                        .arrays_size = 2 * (size_t)parameters + 1,
                        .type_count = parameters,
                        .result_limit = cns_kernel_result_limit(kernel),
                        .polls = cns_kernel_polls(kernel)};
    for (uint32_t i = 0; i < parameters; i++) {
        uint32_t type = cns_kernel_argument_type(kernel, i);
        uint32_t access = cns_kernel_access(kernel, i);
        v->types[i] = type == CNS_VM_VOID ? CNS_VM_NIL : (uint8_t)type; /* it takes fewer */
        v->use[i] = type < CNS_VM_BUFFER ? 0 : access ? (uint8_t)access : LCNS_USE_LENGTH;
        v->has_buffers |= v->use[i] != 0;
    }
    return v;
}

/* Gives the kernel on top all signatures of this name, the first of which is in `module` at
 * `first`. */
static void fill_kernel(lua_State *L, cns_module *module, uint32_t first, const char *name) {
    lcns_kernel *self = lua_touserdata(L, -1);
    uint32_t count = cns_module_count(module);
    for (uint32_t i = first; i < count; i++) {
        if (strcmp(cns_module_name(module, i), name) == 0) {
            uint32_t arguments = cns_kernel_arguments(cns_module_kernel(module, i));
            self->parameters = arguments > self->parameters ? arguments : self->parameters;
        }
    }
    for (uint32_t i = count; i-- > first;) { /* so that the first one is in front */
        if (strcmp(cns_module_name(module, i), name) != 0) {
            continue;
        }
        if (self->variants == LCNS_VARIANTS_MAX) {
            luaL_error(L, "kernel %s has more than %d signatures", name, LCNS_VARIANTS_MAX);
        }
        lcns_variant *v = make_variant(L, self, cns_module_kernel(module, i));
        v->kernel = cns_module_take(module, i);
        v->next = self->first;
        self->first = v;
        self->variants++;
    }
    self->loaded = true;
}

/* Argument: the loading. Gives the table of kernels. */
static int load_protected(lua_State *L) {
    loading *l = lua_touserdata(L, 1);
    lua_newtable(L);
    for (uint32_t i = 0; i < cns_module_count(l->module); i++) {
        const char *name = cns_module_name(l->module, i);
        if (lua_getfield(L, 2, name) == LUA_TNIL) {
            size_t length = strlen(name);
            length = length < LCNS_KERNEL_NAME ? length : LCNS_KERNEL_NAME - 1;
            memcpy(l->options.name, name, length);
            l->options.name[length] = '\0';
            lcns_kernel_new(L, &l->options);
            fill_kernel(L, l->module, i, name);
            lua_setfield(L, 2, name);
        }
        lua_pop(L, 1);
    }
    return 1;
}

static void read_options(lua_State *L, lcns_kernel_options *out) {
    static const char *const known[] = {"tier", "wait", NULL};
    static const char *const names[] = {"auto", "vm", "native"};
    static const lcns_policy policies[] = {LCNS_TIER_AUTO, LCNS_TIER_VM, LCNS_TIER_NATIVE};
    const char *text = NULL;
    size_t size;
    *out = (lcns_kernel_options){.policy = LCNS_TIER_AUTO};
    lcns_options(L, 2, known);
    if (lcns_option_string(L, 2, "tier", &text, &size)) {
        size_t i = 0;
        while (i < sizeof names / sizeof *names && strcmp(text, names[i]) != 0) {
            i++;
        }
        if (i == sizeof names / sizeof *names) {
            lcns_option_push(L, 2, "tier");
            lcns_option_fail(L, 2, "tier", "\"auto\", \"vm\" or \"native\"");
        }
        out->policy = policies[i];
    }
    out->wait = lcns_option_boolean(L, 2, "wait", false) || out->policy == LCNS_TIER_NATIVE;
}

/* cns.jit.load(path [, options]) -> {name = kernel} */
static int load(lua_State *L) {
    size_t length, size = 0, capacity = 0;
    char *bytes = NULL, why[384] = "";
    lua_settop(L, 2);
    const char *path = luaL_checklstring(L, 1, &length);
    luaL_argcheck(L, strlen(path) == length, 1, "a path without zero bytes expected");
    loading l = {.machine = NULL};
    read_options(L, &l.options);
    l.machine = lcns_machine_of(L);
    cns_context *context = l.machine->context;
    int failure = read_file(context, path, &bytes, &capacity, &size);
    cns_status status = CNS_E_IO;
    if (failure == 0) {
        status = cns_module_read(l.machine->vm, bytes, size, &l.module);
        cns_context_message(context, why, sizeof why);
    }
    cns_context_resize(context, bytes, capacity, 0);
    if (failure == ENOMEM || status == CNS_E_NOMEM) {
        return lcns_raise(L, CNS_E_NOMEM);
    }
    if (status != CNS_OK) {
        return luaL_error(L, "%s: %s", path, failure ? strerror(failure) : why);
    }
    lua_pushcfunction(L, load_protected);
    lua_pushlightuserdata(L, &l);
    int failed = lua_pcall(L, 1, 1, 0);
    int share = LCNS_COLLECTOR_SHARE * (int)cns_module_count(l.module);
    cns_module_destroy(l.module);
    if (failed) {
        return lua_error(L);
    }
    lua_gc(L, LUA_GCSTEP, share);
    return 1;
}

int lcns_kernel_refuse_types(lua_State *L, const lcns_kernel *self, const uint8_t *types) {
    enum { LISTED = 12 };
    uint8_t all[LISTED * UINT8_MAX];
    uint32_t listed = 0, parameters = self->parameters, more = self->variants;
    for (const lcns_variant *v = self->first; v && listed < LISTED; v = v->next) {
        memcpy(all + (size_t)listed++ * parameters, v->types, parameters);
    }
    more -= listed;
    luaL_Buffer b;
    luaL_checkstack(L, 8, LCNS_KERNEL_TYPE);
    lua_pushstring(L, self->options.name);
    luaL_buffinit(L, &b);
    luaL_addstring(&b, "(");
    lcns_add_types(&b, types, parameters);
    luaL_addstring(&b, ") is no signature that it was built for; there ");
    luaL_addstring(&b, listed == 1 ? "is" : "are");
    for (uint32_t i = 0; i < listed; i++) {
        luaL_addstring(&b, i ? ", (" : " (");
        lcns_add_types(&b, all + (size_t)i * parameters, parameters);
        luaL_addstring(&b, ")");
    }
    luaL_addstring(&b, more > 0 ? " and more" : "");
    luaL_pushresult(&b);
    return luaL_error(L, "kernel %s: %s", lua_tostring(L, -2), lua_tostring(L, -1));
}

void lcns_open_modules(lua_State *L) {
    lua_pushcfunction(L, load);
    lua_pushcfunction(L, dump);
}
