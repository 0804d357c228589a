/* SPDX-License-Identifier: MIT
 *
 * pack.c - Lua values into a message.
 *
 * Objects (tables, functions) are numbered as they are first met and packed in that order, from a
 * queue: no recursion, so nesting has no limit. Upvalues are cells, numbered like objects, so that
 * functions that share one still do on the other side. What every state has of its own (print,
 * string, the global table, modules) crosses by name, see known.c. Where a value was found is
 * worked out only when it is refused.
 */
#include <string.h>

#include "jit.h"
#include "known.h"
#include "message.h"
#include "tasks.h"

enum { POLL_INTERVAL = 4096 };

/* ---- bytes ----------------------------------------------------------------------------------- */

static bool reserve(cns_context *context, lcns_bytes *bytes, size_t more) {
    if (more <= bytes->capacity - bytes->size) {
        return true;
    }
    size_t capacity = bytes->capacity ? bytes->capacity : 128;
    while (capacity - bytes->size < more) {
        if (capacity > SIZE_MAX / 4) {
            return false;
        }
        capacity *= 2;
    }
    unsigned char *data = cns_context_resize(context, bytes->data, bytes->capacity, capacity);
    if (!data) {
        return false;
    }
    bytes->data = data;
    bytes->capacity = capacity;
    return true;
}

/* ---- packing --------------------------------------------------------------------------------- */

typedef struct packer {
    lua_State *L;
    lcns_message *m;
    const lcns_subject *subject;
    int first, count; /* the roots, on the stack */
    int seen;         /* stack index: object, userdata or upvalue id -> number */
    int list;         /* stack index: number -> object */
    int buffers;      /* stack index: handle number -> userdata, to close what moves */
    uint32_t current; /* the object whose contents are being packed */
    bool in_object;
    bool known_checked;
} packer;

static void put(packer *p, lcns_bytes *bytes, const void *data, size_t size) {
    if (!reserve(p->m->context, bytes, size)) {
        lcns_raise(p->L, CNS_E_LIMIT);
    }
    if (size) {
        memcpy(bytes->data + bytes->size, data, size);
        bytes->size += size;
    }
}

static void put_byte(packer *p, lcns_bytes *bytes, unsigned value) {
    unsigned char byte = (unsigned char)value;
    put(p, bytes, &byte, 1);
}

static void put_u32(packer *p, lcns_bytes *bytes, uint32_t value) {
    put(p, bytes, &value, sizeof value);
}

static void put_string(packer *p, const char *text, size_t size) {
    if (size < 256) {
        put_byte(p, &p->m->body, TAG_SHORT);
        put_byte(p, &p->m->body, (unsigned)size);
    } else {
        put_byte(p, &p->m->body, TAG_LONG);
        put(p, &p->m->body, &size, sizeof size);
    }
    put(p, &p->m->body, text, size);
}

/* ---- refusals: the path is searched for only when there is something to refuse ----------------
 */

/* The value at `index` is the child, or lends it. */
static bool is_or_lends(lua_State *L, int index, int child) {
    if (lua_rawequal(L, index, child)) {
        return true;
    }
    if (!lcns_test(L, index, LCNS_LENT_TYPE)) {
        return false;
    }
    lua_getiuservalue(L, index, 1);
    bool lends = lua_rawequal(L, -1, child);
    lua_pop(L, 1);
    return lends;
}

/* Pushes "field 'x'" or "upvalue 'y'" for where the object `holder` (pushed) has `child` (a stack
 * index, absolute); false when it has it nowhere. The holder is popped. */
static bool push_label(packer *p, int child) {
    lua_State *L = p->L;
    int holder = lua_gettop(L);
    if (lua_type(L, holder) == LUA_TFUNCTION) {
        const char *name;
        for (int i = 1; (name = lua_getupvalue(L, holder, i)) != NULL; i++) {
            if (is_or_lends(L, lua_gettop(L), child)) {
                lua_pushfstring(L, "upvalue '%s'", name);
                lua_replace(L, holder);
                lua_settop(L, holder);
                return true;
            }
            lua_pop(L, 1);
        }
    } else if (lua_type(L, holder) == LUA_TUSERDATA) {
        lcns_kernel_push_function(L, holder);
        bool same = is_or_lends(L, lua_gettop(L), child);
        lua_settop(L, holder - 1);
        if (same) {
            lua_pushliteral(L, "the function of a " LCNS_KERNEL_TYPE);
        }
        return same;
    } else {
        lua_pushnil(L);
        while (lua_next(L, holder)) {
            bool value = is_or_lends(L, lua_gettop(L), child);
            if (value || lua_rawequal(L, -2, child)) {
                lua_settop(L, holder + 1);
                bool text = lua_type(L, -1) == LUA_TSTRING;
                const char *key = luaL_tolstring(L, -1, NULL);
                lua_pushfstring(L, text ? "%s '%s'" : "%s [%s]", value ? "field" : "key", key);
                lua_replace(L, holder);
                lua_settop(L, holder);
                return true;
            }
            lua_pop(L, 1);
        }
    }
    lua_settop(L, holder - 1);
    return false;
}

/* Appends where the root `index` (0-based) is. */
static void push_root(packer *p, int index) {
    const lcns_subject *s = p->subject;
    if (s->function_first && index == 0) {
        lua_pushstring(p->L, s->name);
    } else {
        lua_Integer position = s->base + index + (s->function_first ? 0 : 1);
        lua_pushfstring(p->L, "%s #%I of %s", s->role, (LUAI_UACINT)position, s->name);
    }
}

/* The position of the value in the list that is the only root; 0 when it is not there. */
static lua_Integer find_item(packer *p, int child) {
    lua_State *L = p->L;
    lua_Integer length = (lua_Integer)lua_rawlen(L, p->first), found = 0;
    for (lua_Integer i = 1; i <= length && !found; i++) {
        lua_rawgeti(L, p->first, i);
        found = is_or_lends(L, lua_gettop(L), child) ? i : 0;
        lua_pop(L, 1);
    }
    return found;
}

/* The number of the object at `child` that comes first in the queue and holds it; or -1 and the
 * label of a root that it is. Pushes the label. */
static int64_t find_holder(packer *p, int child) {
    lua_State *L = p->L;
    for (int i = 0; i < p->count; i++) {
        if (is_or_lends(L, p->first + i, child)) {
            push_root(p, i);
            return -1;
        }
    }
    uint32_t i = 1;
    if (p->subject->list) { /* the list itself is ours, not the script's */
        lua_Integer position = find_item(p, child);
        if (position > 0) {
            lua_pushfstring(L, "%s #%I of %s", p->subject->role,
                            (LUAI_UACINT)(p->subject->base + position), p->subject->name);
            return -1;
        }
        i++;
    }
    for (; i <= p->m->objects; i++) {
        lua_rawgeti(L, p->list, i);
        if (push_label(p, child)) {
            return i;
        }
    }
    lua_pushliteral(L, "?");
    return -1;
}

/* Raises "PATH: WHAT"; `child` is the stack index of the value that cannot cross. */
static void refuse(packer *p, int child, const char *what) {
    lua_State *L = p->L;
    enum { DEPTH = 8 };
    luaL_checkstack(L, 3 * DEPTH + 16, "cns.tasks");
    lua_pushstring(L, what);
    int message = lua_gettop(L);
    lua_pushvalue(L, child);
    int value = lua_gettop(L);
    lua_pushliteral(L, "");
    int path = lua_gettop(L);
    for (int depth = 0;; depth++) {
        int64_t holder = find_holder(p, value);
        if (depth > DEPTH) {
            lua_settop(L, path);
            lua_pushfstring(L, "%s... of %s", lua_tostring(L, path), p->subject->name);
            break;
        }
        lua_pushfstring(L, "%s%s%s", lua_tostring(L, path), lua_tostring(L, -1),
                        holder < 0 ? "" : " of ");
        lua_replace(L, path);
        lua_settop(L, path);
        if (holder < 0) {
            break;
        }
        lua_rawgeti(L, p->list, holder);
        lua_replace(L, value);
    }
    luaL_error(L, "%s: %s", lua_tostring(L, -1), lua_tostring(L, message));
}

/* ---- values ---------------------------------------------------------------------------------- */

/* The number of the value at `index` in `seen`, or 0. */
static uint32_t seen_number(packer *p, int index) {
    lua_pushvalue(p->L, index);
    lua_rawget(p->L, p->seen);
    lua_Integer number = lua_tointeger(p->L, -1);
    lua_pop(p->L, 1);
    return (uint32_t)number;
}

static void remember(packer *p, int index, uint32_t number) {
    lua_pushvalue(p->L, index);
    lua_pushinteger(p->L, number);
    lua_rawset(p->L, p->seen);
}

static void pack_object(packer *p, int index) {
    uint32_t number = seen_number(p, index);
    if (!number) {
        if (p->m->objects == UINT32_MAX) {
            refuse(p, index, "too many tables and functions for one message");
        }
        number = ++p->m->objects;
        remember(p, index, number);
        lua_pushvalue(p->L, index);
        lua_rawseti(p->L, p->list, number);
    }
    put_byte(p, &p->m->body, TAG_OBJECT);
    put_u32(p, &p->m->body, number);
}

static bool pack_known(packer *p, int index) {
    size_t size;
    if (!lcns_known_name(p->L, index, &p->known_checked)) {
        return false;
    }
    const char *name = lua_tolstring(p->L, -1, &size);
    put_byte(p, &p->m->body, TAG_KNOWN);
    put(p, &p->m->body, &size, sizeof size);
    put(p, &p->m->body, name, size);
    lua_pop(p->L, 1);
    return true;
}

static lcns_handle *new_handle(packer *p, lcns_handle_kind kind) {
    lcns_message *m = p->m;
    if (m->handle_count == m->handle_capacity) {
        uint32_t capacity = m->handle_capacity ? 2 * m->handle_capacity : 4;
        lcns_handle *grown = cns_context_resize(
            m->context, m->handles, m->handle_capacity * sizeof *grown, capacity * sizeof *grown);
        if (!grown) {
            lcns_raise(p->L, CNS_E_LIMIT);
        }
        m->handles = grown;
        m->handle_capacity = capacity;
    }
    lcns_handle *handle = &m->handles[m->handle_count++];
    *handle = (lcns_handle){.kind = kind};
    return handle;
}

/* The engine object behind the userdata at `index`; a buffer's is added at the end, when it is
 * known how it is lent. */
static lcns_handle *add_handle(packer *p, int index, lcns_handle_kind kind) {
    uint32_t number = seen_number(p, index);
    if (!number) {
        remember(p, index, p->m->handle_count + 1); /* first: it may raise */
        if (kind == LCNS_HANDLE_BUFFER) {
            if (lua_isnil(p->L, p->buffers)) {
                lua_newtable(p->L);
                lua_replace(p->L, p->buffers);
            }
            lua_pushvalue(p->L, index);
            lua_rawseti(p->L, p->buffers, p->m->handle_count + 1);
        }
        /* Only now: a finaliser may just have closed it. */
        const lcns_object *object = lua_touserdata(p->L, index);
        if (!object->shared && kind != LCNS_HANDLE_BUFFER) {
            refuse(p, index,
                   kind == LCNS_HANDLE_CANCEL ? "the cancellation token is closed"
                                              : "the task pool is closed");
        }
        lcns_handle *handle = new_handle(p, kind);
        number = p->m->handle_count;
        if (kind == LCNS_HANDLE_CANCEL) {
            handle->object = ((const lcns_cancel_object *)object)->cancel;
            cns_cancel_retain(handle->object);
        } else if (kind == LCNS_HANDLE_POOL) {
            handle->object = ((const lcns_pool_object *)object)->pool;
            lcns_pool_retain(handle->object);
        }
    }
    put_byte(p, &p->m->body, TAG_HANDLE);
    put_u32(p, &p->m->body, number - 1);
    return &p->m->handles[number - 1];
}

static void pack_buffer(packer *p, int index, uint8_t access, bool split) {
    lcns_handle *handle = add_handle(p, index, LCNS_HANDLE_BUFFER);
    if (access > handle->access) {
        handle->access = access;
    }
    handle->split |= split;
}

/* A buffer with the wish of cns.tasks.read, write or split. */
static void pack_lent(packer *p, int index) {
    lua_State *L = p->L;
    lcns_lent_object *lent = lua_touserdata(L, index);
    if (p->subject->move) {
        refuse(p, index, "a task cannot lend a buffer with its results; return the buffer");
    }
    if (lent->split && !p->subject->loop) {
        refuse(p, index, "cns.tasks.split is for the parts of range and reduce");
    }
    if (lent->access == CNS_ACCESS_WRITE && !lent->split && p->subject->loop) {
        refuse(p, index,
               "all parts of a loop would write to the same buffer; "
               "cns.tasks.split gives each its own range");
    }
    luaL_checkstack(L, 8, "cns.tasks");
    lua_getiuservalue(L, index, 1);
    pack_buffer(p, lua_gettop(L), lent->access, lent->split);
    lua_pop(L, 1);
}

static void refuse_userdata(packer *p, int index) {
    lua_State *L = p->L;
    const char *name = "userdata";
    if (luaL_getmetafield(L, index, "__name") == LUA_TSTRING) {
        name = lua_tostring(L, -1);
    }
    const char *text = NULL;
    if (strcmp(name, LCNS_FUTURE_TYPE) == 0 || strcmp(name, LCNS_GRAPH_TYPE) == 0) {
        text = lua_pushfstring(L, "a %s belongs to the state that made it; await it there", name);
    } else if (strncmp(name, "cns.", 4) == 0) {
        text = lua_pushfstring(L,
                               "a %s has one owner and cannot cross to another state; buffers, "
                               "kernels, cancellation tokens and task pools can",
                               name);
    } else {
        text = lua_pushfstring(L, "a userdata (%s) cannot cross to another state", name);
    }
    refuse(p, index, text);
}

static void pack_userdata(packer *p, int index) {
    lua_State *L = p->L;
    if (pack_known(p, index)) {
        return;
    }
    if (lcns_test(L, index, "cns.buffer")) {
        pack_buffer(p, index, CNS_ACCESS_READ, false);
    } else if (lcns_test(L, index, LCNS_LENT_TYPE)) {
        pack_lent(p, index);
    } else if (lcns_test(L, index, LCNS_CANCEL_TYPE)) {
        add_handle(p, index, LCNS_HANDLE_CANCEL);
    } else if (lcns_test(L, index, LCNS_POOL_TYPE)) {
        add_handle(p, index, LCNS_HANDLE_POOL);
    } else if (lcns_test(L, index, LCNS_KERNEL_TYPE)) {
        pack_object(p, index);
    } else {
        refuse_userdata(p, index);
    }
}

static void pack_number(packer *p, int index) {
    if (lua_isinteger(p->L, index)) {
        lua_Integer value = lua_tointeger(p->L, index);
        put_byte(p, &p->m->body, TAG_INTEGER);
        put(p, &p->m->body, &value, sizeof value);
    } else {
        lua_Number value = lua_tonumber(p->L, index);
        put_byte(p, &p->m->body, TAG_FLOAT);
        put(p, &p->m->body, &value, sizeof value);
    }
}

/* `index` is absolute. */
static void pack_value(packer *p, int index) {
    lua_State *L = p->L;
    switch (lua_type(L, index)) {
    case LUA_TNIL:
        put_byte(p, &p->m->body, TAG_NIL);
        break;
    case LUA_TBOOLEAN:
        put_byte(p, &p->m->body, lua_toboolean(L, index) ? TAG_TRUE : TAG_FALSE);
        break;
    case LUA_TNUMBER:
        pack_number(p, index);
        break;
    case LUA_TSTRING: {
        size_t size;
        const char *text = lua_tolstring(L, index, &size);
        put_string(p, text, size);
        break;
    }
    case LUA_TTABLE:
        if (!seen_number(p, index) && pack_known(p, index)) {
            break;
        }
        pack_object(p, index);
        break;
    case LUA_TFUNCTION:
        if (lua_iscfunction(L, index)) {
            if (!pack_known(p, index)) {
                refuse(p, index,
                       "a C function that is in no loaded module cannot cross to another "
                       "state");
            }
            break;
        }
        pack_object(p, index);
        break;
    case LUA_TTHREAD:
        refuse(p, index, "a coroutine cannot cross to another state; create it there");
        break;
    case LUA_TLIGHTUSERDATA:
        if (!pack_known(p, index)) {
            refuse(p, index, "a light userdata cannot cross to another state");
        }
        break;
    default:
        pack_userdata(p, index);
        break;
    }
}

/* ---- contents of objects --------------------------------------------------------------------- */

static void pack_table(packer *p, int index) {
    lua_State *L = p->L;
    if (lua_getmetatable(L, index)) {
        const char *name = "?";
        lua_pushliteral(L, "__name");
        if (lua_rawget(L, -2) == LUA_TSTRING) {
            name = lua_tostring(L, -1);
        }
        refuse(p, index,
               lua_pushfstring(L,
                               "a table with a metatable (%s) cannot cross to another "
                               "state; only plain data does",
                               name));
    }
    uint64_t list = 0, rest = 0;
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        /* The leading 1, 2, 3... need no keys: lua_next gives a table's array part in order. */
        if (rest == 0 && lua_isinteger(L, value - 1) &&
            lua_tointeger(L, value - 1) == (lua_Integer)list + 1) {
            list++;
        } else {
            rest++;
            pack_value(p, value - 1);
        }
        pack_value(p, value);
        lua_settop(L, value - 1);
        if ((list + rest) % POLL_INTERVAL == 0) {
            lcns_poll(L);
        }
    }
    if (list > INT32_MAX || rest > INT32_MAX) {
        refuse(p, index, "the table is too large for one message");
    }
    put_byte(p, &p->m->heads, HEAD_TABLE);
    put_u32(p, &p->m->heads, (uint32_t)list);
    put_u32(p, &p->m->heads, (uint32_t)rest);
}

typedef struct dump {
    cns_context *context;
    lcns_bytes *bytes;
} dump;

static int write_dump(lua_State *L, const void *data, size_t size, void *user) {
    (void)L;
    dump *d = user;
    if (!reserve(d->context, d->bytes, size)) {
        return 1;
    }
    if (size) {
        memcpy(d->bytes->data + d->bytes->size, data, size);
        d->bytes->size += size;
    }
    return 0;
}

/* One upvalue: its cell, and the value when the cell is new. true: it is the global table. */
static bool pack_upvalue(packer *p, int function, int upvalue) {
    lua_State *L = p->L;
    lua_pushlightuserdata(L, lua_upvalueid(L, function, upvalue));
    int id = lua_gettop(L);
    uint32_t cell = seen_number(p, id);
    bool global = false;
    if (cell) {
        put_u32(p, &p->m->body, cell);
    } else {
        cell = ++p->m->cells;
        remember(p, id, cell);
        put_u32(p, &p->m->body, cell);
        lua_getupvalue(L, function, upvalue);
        lua_pushglobaltable(L);
        global = lua_rawequal(L, -1, -2);
        lua_pop(L, 1);
        pack_value(p, lua_gettop(L));
    }
    lua_settop(L, id - 1);
    return global;
}

static void pack_function(packer *p, int index, bool cacheable) {
    lua_State *L = p->L;
    lcns_bytes *heads = &p->m->heads;
    lua_Debug debug;
    lua_pushvalue(L, index);
    lua_getinfo(L, ">u", &debug);
    bool pure = cacheable;
    for (int i = 1; i <= debug.nups; i++) {
        pure &= pack_upvalue(p, index, i);
    }
    put_byte(p, heads, pure ? HEAD_PURE_FUNCTION : HEAD_FUNCTION);
    put_byte(p, heads, debug.nups);
    size_t at = heads->size, size = 0;
    put(p, heads, &size, sizeof size);
    dump d = {p->m->context, heads};
    lua_pushvalue(L, index);
    if (lua_dump(L, write_dump, &d, 0) != 0) {
        lcns_raise(L, CNS_E_LIMIT);
    }
    lua_pop(L, 1);
    size = heads->size - at - sizeof size;
    memcpy(heads->data + at, &size, sizeof size);
}

/* Its options; its function is an object like others. */
static void pack_kernel(packer *p, int index) {
    const lcns_kernel *kernel = lua_touserdata(p->L, index);
    if (!kernel->base.shared) {
        refuse(p, index, "the " LCNS_KERNEL_TYPE " is closed");
    }
    if (kernel->loaded) {
        refuse(p, index, "the " LCNS_KERNEL_TYPE " was loaded from a file; load it there, too");
    }
    lcns_kernel_options options = kernel->options;
    put_byte(p, &p->m->heads, HEAD_KERNEL);
    put(p, &p->m->heads, &options, sizeof options);
    lcns_kernel_push_function(p->L, index);
    pack_value(p, lua_gettop(p->L));
    lua_pop(p->L, 1);
}

static void pack_contents(packer *p) {
    lua_State *L = p->L;
    for (uint32_t i = 1; i <= p->m->objects; i++) {
        lua_rawgeti(L, p->list, i);
        int index = lua_gettop(L);
        if (lua_istable(L, index)) {
            pack_table(p, index);
        } else if (lua_isuserdata(L, index)) {
            pack_kernel(p, index);
        } else {
            pack_function(p, index, i == 1 && p->subject->function_first);
        }
        lua_settop(L, index - 1);
        if (i % POLL_INTERVAL == 0) {
            lcns_poll(L);
        }
    }
}

/* ---- buffers --------------------------------------------------------------------------------- */

static void refuse_status(packer *p, int index, const char *what) {
    char reason[256] = "";
    cns_context_message(p->m->context, reason, sizeof reason);
    refuse(p, index, lua_pushfstring(p->L, "%s: %s", what, reason));
}

/* true when a view other than the one at `index` is alive, even after a collection, whose
 * finalisers may close that one too. */
static bool still_shared(lua_State *L, int index) {
    if (cns_buffer_shared(lcns_check_buffer(L, index))) {
        lua_gc(L, LUA_GCCOLLECT);
    }
    return cns_buffer_shared(lcns_check_buffer(L, index));
}

/* Lends each buffer as its most demanding mention wants it; of results, makes views that are the
 * receiver's, and closes the sender's. */
static void pack_buffers(packer *p) {
    lua_State *L = p->L;
    for (uint32_t i = 0; i < p->m->handle_count; i++) {
        lcns_handle *handle = &p->m->handles[i];
        if (handle->kind != LCNS_HANDLE_BUFFER) {
            continue;
        }
        lua_rawgeti(L, p->buffers, i + 1);
        int index = lua_gettop(L);
        if (!((lcns_object *)lua_touserdata(L, index))->shared) {
            refuse(p, index, "the buffer is closed");
        }
        cns_buffer *source = lcns_check_buffer(L, index);
        cns_buffer *view = NULL;
        if (!p->subject->move) {
            if (cns_buffer_borrow(source, handle->access, &view) != CNS_OK) {
                refuse_status(p, index,
                              handle->access == CNS_ACCESS_WRITE
                                  ? "the buffer cannot be lent for writing now"
                                  : "the buffer cannot be lent for reading now");
            }
        } else if (cns_buffer_borrowed(source)) {
            refuse(p, index, "a buffer that was lent to the task cannot be returned");
        } else if (still_shared(L, index)) {
            refuse(p, index, "the buffer has other views that are still in use; close them first");
        } else if (cns_buffer_slice(source, 0, cns_buffer_count(source), &view) != CNS_OK) {
            refuse_status(p, index, "the buffer cannot be returned");
        } else {
            handle->access = 0;
        }
        handle->object = view;
        lua_pop(L, 1);
    }
    if (p->subject->move && !lua_isnil(L, p->buffers)) {
        lcns_end_leases(L, p->buffers);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Argument 1: the packer; the roots follow. */
static int pack_protected(lua_State *L) {
    packer *p = lua_touserdata(L, 1);
    luaL_checkstack(L, 24, "cns.tasks");
    p->L = L;
    p->first = 2;
    lua_newtable(L);
    p->seen = lua_gettop(L);
    lua_newtable(L);
    p->list = p->seen + 1;
    lua_pushnil(L);
    p->buffers = p->seen + 2;
    p->m->roots = (uint32_t)p->count;
    for (int i = 0; i < p->count; i++) {
        pack_value(p, p->first + i);
    }
    pack_contents(p);
    pack_buffers(p);
    return 0;
}

void lcns_pack(lua_State *L, lcns_message *message, cns_context *context, int first, int count,
               const lcns_subject *subject) {
    luaL_checkstack(L, count + 8, "cns.tasks");
    lcns_message_free(message);
    message->context = context;
    packer p = {.m = message, .subject = subject, .count = count};
    lua_pushcfunction(L, pack_protected);
    lua_pushlightuserdata(L, &p);
    for (int i = 0; i < count; i++) {
        lua_pushvalue(L, first + i);
    }
    if (lua_pcall(L, count + 1, 0, 0) != LUA_OK) {
        lcns_message_free(message);
        lua_error(L);
    }
}
