/* SPDX-License-Identifier: MIT
 *
 * jit_compile.c - a compilation and its questions: what stands behind upvalues and fields.
 *
 * The answers are kept as records (see jit.h), parents before children. Tables are looked into
 * without metamethods, so looking runs no script. A table need not stay the same table, since what
 * was found in it is looked at anew each time; an inlined function must stay the same closure. The
 * engine's callbacks run Lua under pcall; an error waits on the stack until the engine has
 * returned.
 */
#include "jit.h"

#include <stdio.h>
#include <string.h>

#include "known.h"
#include "value.h"

typedef struct compilation {
    lua_State *L;
    lcns_kernel *self;
    lcns_variant *variant;
    cns_context *context;
    cns_lua_function **functions; /* what inlined functions were read into, by record */
    uint32_t function_capacity;
    int keep;    /* stack index of the variant's table */
    int failure; /* stack index of an error value's place */
    char what[LCNS_WHAT_MAX];
} compilation;

/* ---- functions ------------------------------------------------------------------------------- */

typedef struct dump {
    cns_context *context;
    unsigned char *data;
    size_t size, capacity;
} dump;

static int write_dump(lua_State *L, const void *data, size_t size, void *user) {
    (void)L;
    dump *d = user;
    if (size > d->capacity - d->size) {
        size_t capacity = 2 * d->capacity + size + 1024;
        void *grown = cns_context_resize(d->context, d->data, d->capacity, capacity);
        if (!grown) {
            return 1;
        }
        d->data = grown;
        d->capacity = capacity;
    }
    if (size > 0) {
        memcpy(d->data + d->size, data, size);
        d->size += size;
    }
    return 0;
}

/* lua_dump raises nothing: it allocates nothing in Lua. */
cns_status lcns_function_read(lua_State *L, int function, cns_lua_function **out) {
    dump d = {.context = lcns_context(L)};
    lua_pushvalue(L, function);
    int failed = lua_dump(L, write_dump, &d, 0);
    lua_pop(L, 1);
    cns_status status =
        failed ? CNS_E_NOMEM : cns_lua_function_read(d.context, d.data, d.size, out);
    cns_context_resize(d.context, d.data, d.capacity, 0);
    return status;
}

/* ---- what a value is to a kernel ------------------------------------------------------------- */

/* The name of a C function, if it is a known one: "the function string.format". */
static void describe_function(lua_State *L, int index, char *what) {
    bool checked = false;
    snprintf(what, LCNS_WHAT_MAX, "a C function");
    if (lcns_known_name(L, index, &checked)) {
        size_t size;
        const char *module = lua_tolstring(L, -1, &size);
        const char *field = strlen(module) < size ? module + strlen(module) + 1 : "";
        bool global = strcmp(module, "_G") == 0 || !*field;
        snprintf(what, LCNS_WHAT_MAX, "the function %s%s%s", global ? "" : module,
                 global ? "" : ".", *field ? field : module);
        lua_pop(L, 1);
    }
}

/* What messages call a value that no kernel can use. */
static void describe(lua_State *L, int index, char *what) {
    const lcns_object *object = lua_touserdata(L, index);
    switch (lua_type(L, index)) {
    case LUA_TFUNCTION:
        describe_function(L, index, what);
        return;
    case LUA_TTHREAD:
        snprintf(what, LCNS_WHAT_MAX, "a coroutine");
        return;
    case LUA_TUSERDATA:
        if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) {
            const char *name = lua_tostring(L, -1);
            bool closed =
                strncmp(name, "cns.", 4) == 0 && lcns_test(L, index, name) && !object->shared;
            bool loaded = strcmp(name, LCNS_KERNEL_TYPE) == 0 && !closed;
            snprintf(what, LCNS_WHAT_MAX, "a %s%s%s", closed ? "closed " : "", name,
                     loaded ? " that was loaded" : "");
            lua_pop(L, 1);
            return;
        }
        break;
    default:
        break;
    }
    snprintf(what, LCNS_WHAT_MAX, "a %s", luaL_typename(L, index));
}

static bool is_intrinsic(lua_State *L, int index, cns_intrinsic *out) {
    lua_CFunction function = lua_tocfunction(L, index);
    const lua_CFunction *list = lcns_intrinsics(L);
    for (int i = 0; function && list && i < CNS_INTRINSIC_COUNT; i++) {
        if (list[i] == function) {
            *out = (cns_intrinsic)i;
            return true;
        }
    }
    return false;
}

/* The Lua function of an open kernel, or the function itself, pushed; false: neither. */
static bool push_lua_function(lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TFUNCTION && !lua_iscfunction(L, index)) {
        lua_pushvalue(L, index);
        return true;
    }
    const lcns_kernel *kernel = lcns_test(L, index, LCNS_KERNEL_TYPE);
    if (!kernel || !kernel->base.shared || !kernel->function) {
        return false;
    }
    lcns_kernel_push_function(L, index);
    return true;
}

/* ---- records --------------------------------------------------------------------------------- */

static lcns_record *find_record(const lcns_variant *v, uint32_t parent, uint32_t upvalue,
                                const char *key) {
    for (uint32_t i = 0; i < v->record_count; i++) {
        lcns_record *r = &v->records[i];
        if (r->parent == parent && r->upvalue == upvalue && (!key || strcmp(r->key, key) == 0)) {
            return r;
        }
    }
    return NULL;
}

/* Makes room for one element more in an array of `*capacity`, `count` of them used. */
static bool reserve(cns_context *context, void **array, uint32_t count, uint32_t *capacity,
                    size_t size) {
    if (count < *capacity) {
        return true;
    }
    uint32_t larger = *capacity ? 2 * *capacity : 8;
    unsigned char *grown = cns_context_resize(context, *array, *capacity * size, larger * size);
    if (!grown) {
        return false;
    }
    memset(grown + *capacity * size, 0, (larger - *capacity) * size);
    *array = grown;
    *capacity = larger;
    return true;
}

static bool reserve_record(compilation *c) {
    lcns_variant *v = c->variant;
    void *functions = c->functions, *records = v->records;
    bool done =
        reserve(c->context, &functions, v->record_count, &c->function_capacity,
                sizeof *c->functions) &&
        reserve(c->context, &records, v->record_count, &v->record_capacity, sizeof *v->records);
    c->functions = functions;
    v->records = records;
    return done;
}

/* The import id of a function that is known already: the kernel's own, or an earlier record's. */
static bool find_function(compilation *c, int keep, int function, uint32_t *id) {
    lua_State *L = c->L;
    lua_rawgeti(L, keep, LCNS_AT_FUNCTION);
    bool found = lua_rawequal(L, -1, function);
    lua_pop(L, 1);
    *id = LCNS_SELF;
    for (uint32_t i = 0; i < c->variant->record_count && !found; i++) {
        if (c->functions[i]) {
            lua_rawgeti(L, keep, LCNS_AT_VALUE(i));
            if (push_lua_function(L, lua_gettop(L))) {
                found = lua_rawequal(L, -1, function);
                lua_pop(L, 1);
            }
            lua_pop(L, 1);
            *id = i;
        }
    }
    return found;
}

/* ---- answers --------------------------------------------------------------------------------- */

typedef struct question {
    compilation *c;
    uint32_t parent;
    uint32_t upvalue;
    const char *key; /* NULL: an upvalue */
    cns_import *out;
} question;

/* Pushes what the question is about; `*hidden`: a metatable hides what it is. */
static void push_asked(lua_State *L, const question *q, int keep, bool *hidden) {
    lua_rawgeti(L, keep, q->parent == LCNS_SELF ? LCNS_AT_FUNCTION : LCNS_AT_VALUE(q->parent));
    int parent = lua_gettop(L);
    *hidden = false;
    if (!q->key) {
        if (push_lua_function(L, parent)) {
            lua_replace(L, parent);
        }
        if (!lua_getupvalue(L, parent, (int)q->upvalue + 1)) {
            luaL_error(L, "no upvalue %d", (int)q->upvalue + 1);
        }
    } else {
        luaL_checktype(L, parent, LUA_TTABLE);
        lua_pushstring(L, q->key);
        if (lua_rawget(L, parent) == LUA_TNIL && lua_getmetatable(L, parent)) {
            lua_pop(L, 1);
            *hidden = true;
        }
    }
    lua_remove(L, parent);
}

static cns_status answer_function(compilation *c, int keep, int function, cns_import *out) {
    uint32_t id = 0, at = c->variant->record_count;
    out->kind = CNS_IMPORT_FUNCTION;
    if (find_function(c, keep, function, &id)) {
        out->id = id;
        out->function = id == LCNS_SELF ? c->self->function : c->functions[id];
        return CNS_OK;
    }
    cns_status status = lcns_function_read(c->L, function, &c->functions[at]);
    out->function = c->functions[at];
    return status;
}

/* Tells what the value at `index` is. */
static cns_status answer(compilation *c, int keep, int index, bool hidden, cns_import *out) {
    lua_State *L = c->L;
    cns_vm_value value;
    *out = (cns_import){.kind = CNS_IMPORT_OTHER, .id = c->variant->record_count};
    if (hidden) {
        out->what = "a field behind a metatable";
        return CNS_OK;
    }
    luaL_getmetatable(L, "cns.buffer");
    out->type = lcns_kernel_argument(L, index, lua_gettop(L), &value);
    lua_pop(L, 1);
    if (out->type == CNS_VM_NIL) {
        out->kind = CNS_IMPORT_NIL;
    } else if (out->type != CNS_VM_VOID) {
        out->kind = CNS_IMPORT_VALUE;
    } else if (lua_istable(L, index)) {
        out->kind = CNS_IMPORT_TABLE;
    } else if (is_intrinsic(L, index, &out->intrinsic)) {
        out->kind = CNS_IMPORT_INTRINSIC;
    } else if (push_lua_function(L, index)) {
        cns_status status = answer_function(c, keep, lua_gettop(L), out);
        lua_pop(L, 1);
        return status;
    } else {
        describe(L, index, c->what);
        out->what = c->what;
    }
    return CNS_OK;
}

/* Arguments: the question, the variant's table. Answers, and writes the answer down. */
static int ask_protected(lua_State *L) {
    question *q = lua_touserdata(L, 1);
    compilation *c = q->c;
    lcns_variant *v = c->variant;
    bool hidden;
    luaL_checkstack(L, 24, LCNS_KERNEL_TYPE);
    if (!reserve_record(c)) {
        return lcns_raise(L, CNS_E_NOMEM);
    }
    push_asked(L, q, 2, &hidden);
    uint32_t at = v->record_count;
    const char *key = NULL;
    if (q->key) {
        key = lua_pushstring(L, q->key);
        lua_rawseti(L, 2, LCNS_AT_KEY(at));
    }
    lua_pushvalue(L, 3);
    lua_rawseti(L, 2, LCNS_AT_VALUE(at));
    lcns_ok(L, answer(c, 2, 3, hidden, q->out));
    v->records[v->record_count++] = (lcns_record){
        .parent = q->parent,
        .upvalue = q->upvalue,
        .kind = q->out->kind,
        .type = q->out->type,
        .intrinsic = q->out->intrinsic,
        .hidden = -1,
        .lua_type = lua_type(L, 3),
        .identity = lua_topointer(L, 3),
        .id = q->out->id,
        .key = key,
    };
    return 0;
}

/* Asked before: the same answer. false: it is no longer known. */
static bool answer_again(const compilation *c, const lcns_record *known, cns_import *out) {
    if (!known || known->kind == CNS_IMPORT_OTHER) {
        return false;
    }
    *out = (cns_import){
        .kind = known->kind, .type = known->type, .intrinsic = known->intrinsic, .id = known->id};
    if (known->kind == CNS_IMPORT_FUNCTION) {
        out->function = known->id == LCNS_SELF ? c->self->function : c->functions[known->id];
    }
    return true;
}

static cns_status ask(compilation *c, uint32_t parent, uint32_t upvalue, const char *key,
                      cns_import *out) {
    lua_State *L = c->L;
    if (answer_again(c, find_record(c->variant, parent, upvalue, key), out)) {
        return CNS_OK;
    }
    if ((parent != LCNS_SELF && parent >= c->variant->record_count) || !lua_checkstack(L, 4)) {
        return CNS_E_FAILED;
    }
    question q = {c, parent, upvalue, key, out};
    lua_pushcfunction(L, ask_protected);
    lua_pushlightuserdata(L, &q);
    lua_pushvalue(L, c->keep);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
        lua_replace(L, c->failure);
        return CNS_E_FAILED;
    }
    return CNS_OK;
}

static cns_status ask_upvalue(void *user, uint32_t function, uint32_t index, cns_import *out) {
    return ask(user, function, index, NULL, out);
}

static cns_status ask_field(void *user, uint32_t table, const char *key, cns_import *out) {
    return ask(user, table, LCNS_FIELD, key, out);
}

/* ---- compiling ------------------------------------------------------------------------------- */

/* The variant's arrays, now that it is known what the kernel takes and does. */
static cns_status finish(compilation *c, const uint8_t *types) {
    lcns_variant *v = c->variant;
    const uint32_t *hidden = cns_kernel_hidden(v->kernel, &v->hidden_count);
    uint32_t plain = v->type_count, all = plain + v->hidden_count;
    for (uint32_t i = 0; i < v->hidden_count; i++) {
        v->records[hidden[i]].hidden = (int32_t)i;
    }
    v->result_limit = cns_kernel_result_limit(v->kernel);
    v->polls = cns_kernel_polls(v->kernel);
    for (uint32_t i = 0; i < v->record_count; i++) {
        v->has_keys |= v->records[i].upvalue == LCNS_FIELD;
    }
    v->types = cns_context_resize(c->context, NULL, 0, plain + all + 1); /* never 0 bytes */
    if (!v->types) {
        return CNS_E_NOMEM;
    }
    v->arrays_size = plain + all + 1;
    v->use = v->types + plain;
    memcpy(v->types, types, plain);
    for (uint32_t i = 0; i < all; i++) {
        uint32_t type = i < plain ? types[i] : v->records[hidden[i - plain]].type;
        uint32_t access = cns_kernel_access(v->kernel, i);
        v->use[i] = type < CNS_VM_BUFFER ? 0 : access ? (uint8_t)access : LCNS_USE_LENGTH;
        v->has_buffers |= v->use[i] != 0;
    }
    return CNS_OK;
}

static int keep_protected(lua_State *L) {
    lua_rawsetp(L, 1, lua_touserdata(L, 2));
    return 0;
}

/* Puts the variant's table into the kernel's, which is on top. */
static cns_status keep_table(lua_State *L, const compilation *c) {
    lua_pushcfunction(L, keep_protected);
    lua_insert(L, -2);
    lua_pushlightuserdata(L, c->variant);
    lua_pushvalue(L, c->keep);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        lua_replace(L, c->failure);
        return CNS_E_FAILED;
    }
    return CNS_OK;
}

static cns_status compile(compilation *c, const uint8_t *types, char *message, size_t capacity) {
    lcns_kernel *self = c->self;
    uint32_t wide[UINT8_MAX];
    for (uint32_t i = 0; i < self->parameters; i++) {
        wide[i] = types[i];
    }
    const cns_import_source source = {.user = c, .upvalue = ask_upvalue, .field = ask_field};
    const cns_kernel_config config = {
        .size = sizeof config,
        .options = self->options.math,
        .function = self->function,
        .name = *self->options.name ? self->options.name : NULL,
        .types = wide,
        .type_count = self->parameters,
        .imports = &source,
    };
    cns_status status =
        cns_kernel_compile(self->machine->vm, &config, message, capacity, &c->variant->kernel);
    return status == CNS_OK ? finish(c, types) : status;
}

/* What was refused, with the message that says where and why. */
static int raise_refusal(lua_State *L, const compilation *c, cns_status status,
                         const char *message) {
    if (status == CNS_E_FAILED && !lua_isnil(L, c->failure)) {
        lua_pushvalue(L, c->failure);
        return lua_error(L);
    }
    if ((status == CNS_E_UNSUPPORTED || status == CNS_E_LIMIT) && *message) {
        lua_pushstring(L, message);
        return lua_error(L);
    }
    return lcns_raise(L, status);
}

lcns_variant *lcns_kernel_compile(lua_State *L, lcns_kernel *self, const uint8_t *types) {
    int top = lua_gettop(L);
    if (self->loaded) {
        lcns_kernel_refuse_types(L, self, types);
        return NULL;
    }
    char message[1024] = "";
    luaL_checkstack(L, 16, LCNS_KERNEL_TYPE);
    compilation c = {.L = L, .self = self, .context = self->machine->context};
    c.failure = top + 1;
    c.keep = top + 2;
    lua_pushnil(L);
    lua_createtable(L, 8, 0);
    lcns_kernel_push_function(L, 1);
    lua_rawseti(L, c.keep, LCNS_AT_FUNCTION);
    lua_getiuservalue(L, 1, 1);
    lcns_kernel_check_open(L,
                           self); /* a finaliser may just have closed it; none runs from here on */
    c.variant = cns_context_resize(c.context, NULL, 0, sizeof *c.variant);
    if (!c.variant) {
        lcns_raise(L, CNS_E_NOMEM);
        return NULL;
    }
    *c.variant = (lcns_variant){.type_count = self->parameters};
    lcns_kernel_hold(self);
    cns_status status = compile(&c, types, message, sizeof message);
    for (uint32_t i = 0; i < c.function_capacity; i++) {
        cns_lua_function_destroy(c.functions[i]);
    }
    cns_context_resize(c.context, c.functions, c.function_capacity * sizeof *c.functions, 0);
    if (status == CNS_OK) {
        status = keep_table(L, &c);
    }
    if (status != CNS_OK) {
        lcns_variant_free(self, c.variant);
    }
    lcns_kernel_let_go(self);
    if (status != CNS_OK) {
        raise_refusal(L, &c, status, message);
    }
    self->compilations++;
    lua_settop(L, top);
    return c.variant;
}

/* ---- guards ---------------------------------------------------------------------------------- */

/* Pushes the value that the record is about, as it is now. `base`: where record 0's value is; the
 * kernel's function lies below. */
static void push_current(lua_State *L, const lcns_record *r, uint32_t index, int base, int keep) {
    int parent = r->parent == LCNS_SELF ? base - 1 : base + (int)r->parent;
    if (r->upvalue != LCNS_FIELD) {
        lua_getupvalue(L, parent, (int)r->upvalue + 1);
    } else {
        lua_rawgeti(L, keep, LCNS_AT_KEY(index));
        lua_rawget(L, parent);
    }
}

/* Whether the value on top is what the record says. A kernel gives way to its function. */
static bool is_as_was(lua_State *L, const lcns_record *r, int base, int buffers,
                      cns_vm_value *hidden) {
    cns_vm_value value;
    int top = lua_gettop(L);
    switch (r->kind) {
    case CNS_IMPORT_VALUE:
        return lcns_kernel_argument(L, top, buffers, r->hidden < 0 ? &value : hidden + r->hidden) ==
               r->type;
    case CNS_IMPORT_TABLE:
        return lua_istable(L, top);
    case CNS_IMPORT_NIL:
        if (lua_isnil(L, top) && r->upvalue == LCNS_FIELD &&
            lua_getmetatable(L, base + (int)r->parent)) {
            lua_pop(L, 1);
            return false;
        }
        return lua_isnil(L, top);
    default:
        break;
    }
    if (lua_topointer(L, top) != r->identity || lua_type(L, top) != r->lua_type) {
        return false;
    }
    if (r->kind == CNS_IMPORT_FUNCTION && r->lua_type == LUA_TUSERDATA) {
        if (!((const lcns_object *)lua_touserdata(L, top))->shared) {
            return false;
        }
        lcns_kernel_push_function(L, top);
        lua_replace(L, top);
    }
    return true;
}

bool lcns_kernel_guards(lua_State *L, const lcns_variant *v, int buffers, cns_vm_value *hidden) {
    const int top = lua_gettop(L);
    int keep = top + 1;
    if (v->record_count == 0) {
        return true;
    }
    lua_getiuservalue(L, 1, 1); /* begins with the function, as the variant's table does */
    if (v->has_keys) {
        lua_rawgetp(L, keep++, v);
    }
    lua_rawgeti(L, keep, LCNS_AT_FUNCTION);
    const int base = keep + 2;
    bool same = true;
    for (uint32_t i = 0; i < v->record_count && same; i++) {
        push_current(L, &v->records[i], i, base, keep);
        same = is_as_was(L, &v->records[i], base, buffers, hidden);
    }
    lua_settop(L, top);
    return same;
}
