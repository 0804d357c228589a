/* SPDX-License-Identifier: MIT
 *
 * unpack.c - Lua values out of a message.
 *
 * All objects are made first, from the heads, and filled after, from the body: cycles need no care
 * and there is no recursion. The only bytecode that is ever loaded here was dumped by pack.c in
 * this process. Several states may read one message at the same time, so nothing in it is written,
 * but for buffers that change owner, whose message has one reader.
 */
#include <string.h>

#include "jit.h"
#include "known.h"
#include "message.h"
#include "tasks.h"

/* Registry key of the functions that need not be loaded again, by their bytecode. */
static const char cache_key = 0;
enum { CACHE_CAPACITY = 256 };

void lcns_message_free(lcns_message *message) {
    for (uint32_t i = 0; i < message->handle_count; i++) {
        lcns_handle *handle = &message->handles[i];
        switch (handle->kind) {
        case LCNS_HANDLE_BUFFER:
            cns_buffer_destroy(handle->object);
            break;
        case LCNS_HANDLE_CANCEL:
            cns_cancel_release(handle->object);
            break;
        case LCNS_HANDLE_POOL:
            lcns_pool_release(handle->object);
            break;
        }
    }
    if (message->context) {
        cns_context_resize(message->context, message->heads.data, message->heads.capacity, 0);
        cns_context_resize(message->context, message->body.data, message->body.capacity, 0);
        cns_context_resize(message->context, message->handles,
                           message->handle_capacity * sizeof *message->handles, 0);
    }
    *message = (lcns_message){0};
}

void lcns_end_leases(lua_State *L, int leases) {
    luaL_checkstack(L, 8, "cns.tasks");
    lua_pushnil(L);
    while (lua_next(L, leases)) {
        if (luaL_getmetafield(L, -1, "__close") != LUA_TNIL) {
            lua_pushvalue(L, -2);
            lua_call(L, 1, 0);
        }
        lua_pop(L, 1);
    }
}

/* ---- unpacking ------------------------------------------------------------------------------- */

typedef struct reader {
    lua_State *L;
    lcns_message *m;
    const unsigned char *at;
    int objects; /* stack index: number -> object, -number -> handle's userdata */
    int cells;   /* stack index: number -> which upvalue of which function has it */
    int leases;
    const lcns_part *part;
} reader;

static void take(reader *r, void *out, size_t size) {
    memcpy(out, r->at, size);
    r->at += size;
}

static uint32_t take_u32(reader *r) {
    uint32_t value;
    take(r, &value, sizeof value);
    return value;
}

static size_t take_size(reader *r) {
    size_t value;
    take(r, &value, sizeof value);
    return value;
}

/* The view that the receiver gets of a lent buffer: all of it, or its part. */
static cns_buffer *view_of(reader *r, const lcns_handle *handle) {
    cns_buffer *source = handle->object, *view = NULL;
    uint64_t begin = 0, count = cns_buffer_count(source);
    if (handle->access == 0) { /* a result on its way to several nodes of a graph */
        lcns_ok(r->L, cns_buffer_borrow(source, CNS_ACCESS_READ, &view));
        return view;
    }
    if (handle->split && r->part) {
        if (r->part->first < 1 || (uint64_t)r->part->last > count) {
            luaL_error(r->L,
                       "the loop goes over %I..%I, the buffer in cns.tasks.split has %I "
                       "elements",
                       (LUAI_UACINT)r->part->first, (LUAI_UACINT)r->part->last, (LUAI_UACINT)count);
        }
        begin = (uint64_t)r->part->first - 1;
        count = (uint64_t)(r->part->last - r->part->first + 1);
    }
    lcns_ok(r->L, cns_buffer_slice(source, begin, count, &view));
    return view;
}

static void push_handle(reader *r, uint32_t number) {
    lua_State *L = r->L;
    if (lua_rawgeti(L, r->objects, -(lua_Integer)number - 1) != LUA_TNIL) {
        return;
    }
    lua_pop(L, 1);
    lcns_handle *handle = &r->m->handles[number];
    switch (handle->kind) {
    case LCNS_HANDLE_BUFFER: {
        bool moved = handle->access == 0 && !r->leases;
        if (!handle->object) {
            luaL_error(L, "the buffer was taken by an earlier reader");
        }
        cns_buffer *view = moved ? handle->object : view_of(r, handle);
        if (moved) { /* else others may be reading the message */
            handle->object = NULL;
        }
        lcns_push_buffer(L, view);
        if (!moved && r->leases) {
            lua_pushvalue(L, -1);
            lua_rawseti(L, r->leases, (lua_Integer)lua_rawlen(L, r->leases) + 1);
        }
        break;
    }
    case LCNS_HANDLE_CANCEL:
        lcns_push_cancel(L, handle->object);
        break;
    case LCNS_HANDLE_POOL:
        lcns_push_pool(L, handle->object);
        break;
    }
    lua_pushvalue(L, -1);
    lua_rawseti(L, r->objects, -(lua_Integer)number - 1);
}

static void push_value(reader *r) {
    lua_State *L = r->L;
    switch ((enum lcns_tag) * r->at++) {
    case TAG_NIL:
        lua_pushnil(L);
        break;
    case TAG_FALSE:
        lua_pushboolean(L, 0);
        break;
    case TAG_TRUE:
        lua_pushboolean(L, 1);
        break;
    case TAG_INTEGER: {
        lua_Integer value;
        take(r, &value, sizeof value);
        lua_pushinteger(L, value);
        break;
    }
    case TAG_FLOAT: {
        lua_Number value;
        take(r, &value, sizeof value);
        lua_pushnumber(L, value);
        break;
    }
    case TAG_SHORT: {
        size_t size = *r->at++;
        lua_pushlstring(L, (const char *)r->at, size);
        r->at += size;
        break;
    }
    case TAG_LONG: {
        size_t size = take_size(r);
        lua_pushlstring(L, (const char *)r->at, size);
        r->at += size;
        break;
    }
    case TAG_OBJECT:
        lua_rawgeti(L, r->objects, take_u32(r));
        break;
    case TAG_HANDLE:
        push_handle(r, take_u32(r));
        break;
    case TAG_KNOWN: {
        size_t size = take_size(r);
        lcns_known_push(L, (const char *)r->at, size);
        r->at += size;
        break;
    }
    }
}

/* Pushes the table of cached functions, emptied when it is full. */
static void push_cache(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key) == LUA_TTABLE) {
        lua_rawgeti(L, -1, 0);
        lua_Integer count = lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (count < CACHE_CAPACITY) {
            return;
        }
    }
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
}

static void load_dump(reader *r, size_t size) {
    /* The text names no file: a dump carries its own source name. */
    if (luaL_loadbufferx(r->L, (const char *)r->at, size, "=task", "b") != LUA_OK) {
        lua_error(r->L);
    }
}

/* A function whose upvalues are the global table at most is the same whenever it arrives. */
static void push_cached(reader *r, size_t size) {
    lua_State *L = r->L;
    push_cache(L);
    lua_pushlstring(L, (const char *)r->at, size);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TNIL) {
        lua_pop(L, 1);
        load_dump(r, size);
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, -5);
        lua_rawgeti(L, -3, 0);
        lua_Integer count = lua_tointeger(L, -1);
        lua_pop(L, 1);
        lua_pushinteger(L, count + 1);
        lua_rawseti(L, -4, 0);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

static void make_objects(reader *r) {
    lua_State *L = r->L;
    r->at = r->m->heads.data;
    for (uint32_t i = 1; i <= r->m->objects; i++) {
        enum lcns_head head = *r->at++;
        if (head == HEAD_TABLE) {
            uint32_t list = take_u32(r), rest = take_u32(r);
            lua_createtable(L, (int)list, (int)rest);
        } else if (head == HEAD_KERNEL) {
            lcns_kernel_options options;
            take(r, &options, sizeof options);
            lcns_kernel_new(L, &options);
        } else {
            r->at++; /* upvalues: for the second pass */
            size_t size = take_size(r);
            if (head == HEAD_PURE_FUNCTION) {
                push_cached(r, size);
            } else {
                load_dump(r, size);
            }
            r->at += size;
        }
        lua_rawseti(L, r->objects, i);
    }
}

/* The function on top gets its upvalues: a cell's first function sets it, later ones join it. */
static void fill_function(reader *r, uint32_t number, int upvalues) {
    lua_State *L = r->L;
    int function = lua_gettop(L);
    for (int i = 1; i <= upvalues; i++) {
        uint32_t cell = take_u32(r);
        if (lua_rawgeti(L, r->cells, cell) == LUA_TNIL) {
            lua_pushinteger(L, (lua_Integer)number * 256 + i);
            lua_rawseti(L, r->cells, cell);
            push_value(r);
            lua_setupvalue(L, function, i);
        } else {
            lua_Integer owner = lua_tointeger(L, -1);
            lua_rawgeti(L, r->objects, owner / 256);
            lua_upvaluejoin(L, function, i, -1, (int)(owner % 256));
        }
        lua_settop(L, function);
    }
}

static void fill_table(reader *r, uint32_t list, uint32_t rest) {
    lua_State *L = r->L;
    int table = lua_gettop(L);
    for (uint32_t i = 1; i <= list; i++) {
        push_value(r);
        lua_rawseti(L, table, i);
    }
    for (uint32_t i = 0; i < rest; i++) {
        push_value(r);
        push_value(r);
        lua_rawset(L, table);
    }
}

static void fill_objects(reader *r) {
    reader heads = {.at = r->m->heads.data};
    for (uint32_t i = 1; i <= r->m->objects; i++) {
        enum lcns_head head = *heads.at++;
        lua_rawgeti(r->L, r->objects, i);
        if (head == HEAD_TABLE) {
            uint32_t list = take_u32(&heads), rest = take_u32(&heads);
            fill_table(r, list, rest);
        } else if (head == HEAD_KERNEL) {
            heads.at += sizeof(lcns_kernel_options);
            push_value(r);
            lcns_kernel_set(r->L, lua_gettop(r->L) - 1, lua_gettop(r->L));
            lua_pop(r->L, 1);
        } else {
            int upvalues = *heads.at++;
            heads.at += take_size(&heads);
            fill_function(r, i, upvalues);
        }
        lua_pop(r->L, 1);
    }
}

int lcns_unpack(lua_State *L, lcns_message *message, int leases, const lcns_part *part) {
    if (message->roots > INT32_MAX / 2) {
        luaL_error(L, "too many values in one message");
    }
    luaL_checkstack(L, (int)message->roots + 24, "cns.tasks");
    reader r = {.L = L, .m = message, .leases = leases, .part = part};
    if (message->objects == 0 && message->handle_count == 0) { /* plain values */
        r.at = message->body.data;
        for (uint32_t i = 0; i < message->roots; i++) {
            push_value(&r);
        }
        return (int)message->roots;
    }
    lua_createtable(L, message->objects < INT32_MAX ? (int)message->objects : 0, 0);
    r.objects = lua_gettop(L);
    lua_newtable(L);
    r.cells = r.objects + 1;
    make_objects(&r);
    r.at = message->body.data;
    for (uint32_t i = 0; i < message->roots; i++) {
        push_value(&r);
    }
    fill_objects(&r);
    lua_remove(L, r.cells);
    lua_remove(L, r.objects);
    return (int)message->roots;
}
