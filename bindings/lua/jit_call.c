/* SPDX-License-Identifier: MIT
 *
 * jit_call.c - calls of kernels: types, the variant for them, arguments, results, traps.
 *
 * Most calls are like the last one: the hot path asks of each argument whether it is of the type
 * that it was then, goes through the guards and runs; a kernel is known by what it says of itself,
 * which costs less than its metatable. All other calls take the way that looks for a variant.
 * Buffers are looked at after the last thing that allocates in Lua, since a finaliser may close
 * them; while a kernel runs no Lua code does, but for other tasks that a thread takes on while it
 * waits for the parts of a parallel loop: then the buffers are held by views of their own.
 */
#include <stdatomic.h>
#include <string.h>

#include "jit.h"
#include "value.h"
#include "watch.h"

/* Values up to this many are on the C stack. */
enum { SMALL = 12 };

/* ---- arguments ------------------------------------------------------------------------------- */

uint32_t lcns_kernel_argument(lua_State *L, int index, int buffers, cns_vm_value *out) {
    switch (lua_type(L, index)) {
    case LUA_TNIL:
    case LUA_TNONE:
        return CNS_VM_NIL;
    case LUA_TBOOLEAN:
        out->integer = lua_toboolean(L, index);
        return CNS_VM_BOOL;
    case LUA_TNUMBER:
        if (lua_isinteger(L, index)) {
            out->integer = lua_tointeger(L, index);
            return CNS_VM_I64;
        }
        out->real = lua_tonumber(L, index);
        return CNS_VM_F64;
    case LUA_TUSERDATA:
        if (lua_getmetatable(L, index)) {
            bool is_buffer = lua_rawequal(L, -1, buffers);
            lua_pop(L, 1);
            lcns_buffer_object *object = lua_touserdata(L, index);
            if (is_buffer && object->base.shared) {
                out->data = object;
                return CNS_VM_BUFFER + (uint32_t)object->type;
            }
        }
        return CNS_VM_VOID;
    default:
        return CNS_VM_VOID;
    }
}

static int refuse_argument(lua_State *L, int index) {
    const lcns_buffer_object *buffer = lcns_test(L, index, "cns.buffer");
    if (buffer) {
        return luaL_argerror(L, index - 1, "cns.buffer is closed");
    }
    const char *got = luaL_typename(L, index);
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) {
        got = lua_tostring(L, -1);
    }
    return luaL_argerror(L, index - 1,
                         lua_pushfstring(L, "%s expected, got %s", LCNS_KERNEL_EXPECTED, got));
}

/* The values and types of arguments 2.. of the Lua call; the rest are nil. Raises. */
static void read_arguments(lua_State *L, const lcns_kernel *self, int count, uint8_t *types,
                           cns_vm_value *values) {
    uint32_t given = (uint32_t)count < self->parameters ? (uint32_t)count : self->parameters;
    for (uint32_t i = 0; i < given; i++) {
        uint32_t type = lcns_kernel_argument(L, (int)i + 2, lua_upvalueindex(3), &values[i]);
        if (type == CNS_VM_VOID) {
            refuse_argument(L, (int)i + 2);
        }
        types[i] = (uint8_t)type;
    }
    for (uint32_t i = given; i < self->parameters; i++) {
        types[i] = CNS_VM_NIL;
    }
}

/* ---- variants -------------------------------------------------------------------------------- */

static bool has_types(const lcns_variant *v, const uint8_t *types) {
    uint32_t i = 0;
    while (i < v->type_count && v->types[i] == types[i]) {
        i++;
    }
    return i == v->type_count;
}

static void move_to_front(lcns_kernel *self, lcns_variant *v) {
    lcns_variant **at = &self->first;
    while (*at && *at != v) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = v->next;
    }
    v->next = self->first;
    self->first = v;
}

/* Drops the least recently used variant that nobody uses. The kernel is at 1. */
static void drop_oldest(lua_State *L, lcns_kernel *self) {
    lcns_variant **oldest = NULL;
    for (lcns_variant **at = &self->first; *at; at = &(*at)->next) {
        oldest = (*at)->users == 0 && at != &self->first ? at : oldest;
    }
    if (oldest) {
        lcns_variant *v = *oldest;
        *oldest = v->next;
        self->variants--;
        lua_getiuservalue(L, 1, 1);
        lua_pushnil(L);
        lua_rawsetp(L, -2, v);
        lua_pop(L, 1);
        lcns_variant_free(self, v);
    }
}

/* A variant for these types whose guards hold, moved to the front; NULL: there is none. */
static lcns_variant *find_variant(lua_State *L, lcns_kernel *self, const uint8_t *types,
                                  int buffers, cns_vm_value *hidden, uint32_t capacity) {
    for (lcns_variant *v = self->first; v; v = v->next) {
        if (has_types(v, types) && v->hidden_count <= capacity) {
            lcns_kernel_reserve(L, v);
            if (lcns_kernel_guards(L, v, buffers, hidden)) {
                move_to_front(self, v);
                return v;
            }
        }
    }
    return NULL;
}

static lcns_variant *add_variant(lua_State *L, lcns_kernel *self, const uint8_t *types) {
    lcns_variant *v = lcns_kernel_compile(L, self, types);
    if (!self->base.shared) { /* by a finaliser, meanwhile */
        lcns_variant_free(self, v);
        lcns_kernel_check_open(L, self);
    }
    v->next = self->first;
    self->first = v;
    self->variants++;
    return v;
}

/* What a compilation leaves to do that may run other Lua code. */
static void settle(lua_State *L, lcns_kernel *self) {
    if (self->variants > LCNS_VARIANTS_MAX) {
        drop_oldest(L, self);
    }
    lua_gc(L, LUA_GCSTEP, LCNS_COLLECTOR_SHARE);
}

/* ---- native code ----------------------------------------------------------------------------- */

/* Waiting, this thread may run tasks, so it takes a seat in the pool. */
void lcns_kernel_go_native(lua_State *L, lcns_kernel *self, lcns_variant *v, bool wait) {
    lcns_policy policy = self->options.policy;
    if (policy == LCNS_TIER_NATIVE || (policy == LCNS_TIER_AUTO && self->machine->plugin)) {
        lcns_stay stay;
        cns_status status = lcns_stay_begin(L, self->machine->pool, &stay);
        if (status == CNS_OK) {
            lcns_kernel_hold(self);
            v->users++;
            status = cns_kernel_make_native(v->kernel, wait || self->options.wait);
            v->users--;
            lcns_stay_end(&stay);
            lcns_kernel_let_go(self);
        }
        if (status != CNS_OK && policy == LCNS_TIER_NATIVE) {
            lcns_raise(L, status); /* at each call again */
        }
    }
    lcns_kernel_check_open(L, self); /* or the variant is gone */
    v->native_asked = true;
}

lcns_variant *lcns_kernel_variant(lua_State *L, lcns_kernel *self, const uint8_t *types) {
    cns_vm_value small[SMALL], *hidden = small;
    uint32_t capacity = SMALL;
    for (const lcns_variant *v = self->first; v; v = v->next) {
        if (v->hidden_count > capacity) {
            capacity = v->hidden_count;
        }
    }
    luaL_checkstack(L, 8, LCNS_KERNEL_TYPE);
    if (capacity > SMALL) {
        hidden = lua_newuserdatauv(L, capacity * sizeof *hidden, 0);
    }
    luaL_getmetatable(L, "cns.buffer");
    lcns_kernel_check_open(L, self);
    lcns_variant *v = find_variant(L, self, types, lua_gettop(L), hidden, capacity);
    if (!v) {
        v = add_variant(L, self, types);
        lcns_kernel_hold(self);
        v->users++;
        settle(L, self);
        v->users--;
        lcns_kernel_let_go(self);
        lcns_kernel_check_open(L, self);
    }
    lua_settop(L, capacity > SMALL ? -3 : -2);
    return v;
}

/* ---- running --------------------------------------------------------------------------------- */

static cns_status poll_watch(void *user) {
    return lcns_watch_poll(user);
}

/* Elements in place of buffer objects, where the borrows allow what the kernel does with them. */
static void open_buffers(lua_State *L, const lcns_variant *v, cns_vm_value *values) {
    const uint32_t count = v->type_count + v->hidden_count;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t use = v->use[i];
        if (use) {
            const lcns_buffer_object *object = values[i].data;
            cns_access access = use & CNS_ACCESS_WRITE ? CNS_ACCESS_WRITE : CNS_ACCESS_READ;
            if (use != LCNS_USE_LENGTH) {
                lcns_ok(L, cns_buffer_access(object->buffer, access));
            }
            values[i].data = cns_buffer_data(object->buffer);
            values[i].count = object->count;
        }
    }
}

static int push_results(lua_State *L, const cns_run *run) {
    for (uint32_t i = 0; i < run->result_count; i++) {
        const cns_vm_value *value = &run->results[i];
        switch (value->type) {
        case CNS_VM_I64:
            lua_pushinteger(L, value->integer);
            break;
        case CNS_VM_F64:
            lua_pushnumber(L, value->real);
            break;
        case CNS_VM_BOOL:
            lua_pushboolean(L, value->integer != 0);
            break;
        default:
            lua_pushnil(L);
            break;
        }
    }
    return (int)run->result_count;
}

/* The kernel is let go of before anything raises. */
static int fail_run(lua_State *L, lcns_kernel *self, const lcns_variant *v, const cns_run *run,
                    cns_status status) {
    char message[512] = "";
    if (status == CNS_E_FAILED && run->trap.kind != CNS_TRAP_STOPPED) {
        cns_kernel_trap_message(v->kernel, &run->trap, message, sizeof message);
    }
    lcns_kernel_let_go(self);
    if (status != CNS_E_FAILED) {
        return lcns_raise(L, status);
    }
    if (run->trap.kind == CNS_TRAP_STOPPED) {
        return luaL_error(L, "interrupted: %s", cns_status_text((cns_status)run->trap.integer));
    }
    lua_pushstring(L, message);
    return lua_error(L);
}

/* All is known and nothing was allocated since. Raises the trap. */
static inline int run_variant(lua_State *L, lcns_kernel *self, lcns_variant *v,
                              cns_vm_value *values, cns_vm_value *results) {
    lcns_watch w;
    cns_run run = {.arguments = values, .results = results, .result_capacity = v->result_limit};
    if (v->polls) {
        w = lcns_watch_begin(self->base.shared, self->main, self->seat);
        run.poll = poll_watch;
        run.poll_user = &w;
    }
    self->users++;
    v->users++;
    self->calls++;
    cns_status status = cns_kernel_run(v->kernel, &run);
    v->users--;
    if (status == CNS_OK) {
        lcns_kernel_let_go(self);
        return push_results(L, &run);
    }
    return fail_run(L, self, v, &run, status);
}

/* ---- calls that may be unlike the last one --------------------------------------------------- */

typedef struct frame {
    cns_vm_value *values, *results;
    uint32_t value_capacity, result_capacity;
    uint8_t *types; /* UINT8_MAX of them */
} frame;

/* Makes the frame large enough, in a userdata on the stack. false: it was. */
static bool grow_frame(lua_State *L, frame *f, uint32_t values, uint32_t results) {
    if (values <= f->value_capacity && results <= f->result_capacity) {
        return false;
    }
    luaL_checkstack(L, 4, LCNS_KERNEL_TYPE);
    f->values = lua_newuserdatauv(L, ((size_t)values + results) * sizeof *f->values, 0);
    f->results = f->values + values;
    f->value_capacity = values;
    f->result_capacity = results;
    return true;
}

/* Finds the variant for the arguments and fills in the frame; NULL: something was done that may
 * have run other Lua code, so the arguments must be looked at again. */
static lcns_variant *prepare(lua_State *L, lcns_kernel *self, int count, frame *f) {
    const uint32_t plain = self->parameters;
    lcns_kernel_check_open(L, self);
    if (grow_frame(L, f, plain, 0)) {
        return NULL;
    }
    read_arguments(L, self, count, f->types, f->values);
    lcns_variant *v = find_variant(L, self, f->types, lua_upvalueindex(3), f->values + plain,
                                   f->value_capacity - plain);
    if (!v) {
        v = add_variant(L, self, f->types);
        grow_frame(L, f, plain + v->hidden_count, v->result_limit);
        settle(L, self);
        return NULL;
    }
    if (!v->native_asked) {
        lcns_kernel_go_native(L, self, v, false);
        return NULL;
    }
    return grow_frame(L, f, plain + v->hidden_count, v->result_limit) ? NULL : v;
}

static int call(lua_State *L) {
    enum { ROUNDS_MAX = 100 };
    cns_vm_value values[SMALL], results[SMALL];
    lcns_kernel *self = lcns_self(L);
    int count = lua_gettop(L) - 1;
    uint8_t types[UINT8_MAX];
    frame f = {values, results, SMALL, SMALL, types};
    lcns_variant *v = prepare(L, self, count, &f);
    for (int round = 0; !v; round++) {
        if (round == ROUNDS_MAX) {
            return luaL_error(L, "what the kernel uses changes while it is being compiled");
        }
        v = prepare(L, self, count, &f);
    }
    if (v->result_limit > SMALL) {
        luaL_checkstack(L, (int)v->result_limit + 8, LCNS_KERNEL_TYPE);
    }
    open_buffers(L, v, f.values);
    return run_variant(L, self, v, f.values, f.results);
}

/* ---- calls that are like it ------------------------------------------------------------------ */

/* Whether the value is of this type, and what it is; a place without an argument is nil. */
static inline bool take_argument(lua_State *L, int index, uint8_t type, cns_vm_value *out) {
    switch (type) {
    case CNS_VM_F64:
        if (lua_isinteger(L, index) || lua_type(L, index) != LUA_TNUMBER) {
            return false;
        }
        out->real = lua_tonumber(L, index);
        return true;
    case CNS_VM_I64:
        if (!lua_isinteger(L, index)) {
            return false;
        }
        out->integer = lua_tointeger(L, index);
        return true;
    default:
        return lcns_kernel_argument(L, index, lua_upvalueindex(3), out) == type;
    }
}

/* The open kernel at 1; NULL where it must be looked at closer. */
static inline lcns_kernel *known_kernel(lua_State *L) {
    lcns_kernel *self = lua_touserdata(L, 1);
    bool known = self && lua_rawlen(L, 1) == sizeof *self && self->self == self;
    return known && self->base.shared ? self : NULL;
}

/* Whether the arguments are for this variant, and all else is as it was. */
static inline bool suits(lua_State *L, const lcns_variant *v, cns_vm_value *values) {
    if (!v->native_asked || v->type_count + v->hidden_count > SMALL || v->result_limit > SMALL) {
        return false;
    }
    const uint8_t *types = v->types;
    const int count = (int)v->type_count;
    for (int i = 0; i < count; i++) {
        if (!take_argument(L, i + 2, types[i], &values[i])) {
            return false;
        }
    }
    if (v->record_count > LCNS_FEW_RECORDS) {
        lcns_kernel_reserve(L, v);
    }
    return v->record_count == 0 || lcns_kernel_guards(L, v, lua_upvalueindex(3), values + count);
}

int lcns_kernel_call(lua_State *L) {
    cns_vm_value values[SMALL], results[SMALL];
    lcns_kernel *self = known_kernel(L);
    lcns_variant *v = self ? self->first : NULL;
    if (!v || !suits(L, v, values)) {
        return call(L);
    }
    if (v->has_buffers) {
        open_buffers(L, v, values);
    }
    return run_variant(L, self, v, values, results);
}
