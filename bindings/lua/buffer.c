/* SPDX-License-Identifier: MIT
 *
 * buffer.c - cns.buffer: typed arrays, slices and borrows.
 *
 * b[i] is the hot path: one comparison of metatables, one bounds check, one typed engine call,
 * which also asks the borrow rules. Any call that allocates in Lua may run a finaliser that closes
 * the buffer in use, so a buffer is looked at (again) only after the last such call.
 */
#include "value.h"

#include <limits.h>
#include <string.h>

#define NAME "cns.buffer"

typedef lcns_buffer_object buffer_object;

static buffer_object *new_buffer(lua_State *L) {
    return lcns_new(L, sizeof(buffer_object), NAME);
}

static void fill_in(buffer_object *self, cns_buffer *buffer) {
    self->buffer = buffer;
    self->count = cns_buffer_count(buffer);
    self->type = cns_buffer_type(buffer);
    self->floating = self->type >= CNS_F32;
}

/* ---- for other parts ------------------------------------------------------------------------- */

cns_buffer *lcns_check_buffer(lua_State *L, int arg) {
    return ((buffer_object *)lcns_check(L, arg, NAME))->buffer;
}

cns_buffer *lcns_test_buffer(lua_State *L, int arg) {
    buffer_object *self = lcns_test(L, arg, NAME);
    return self && self->base.shared ? self->buffer : NULL;
}

static int push_protected(lua_State *L) {
    fill_in(new_buffer(L), lua_touserdata(L, 1));
    return 1;
}

void lcns_push_buffer(lua_State *L, cns_buffer *buffer) {
    lua_pushcfunction(L, push_protected);
    lua_pushlightuserdata(L, buffer);
    if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
        cns_buffer_destroy(buffer);
        lua_error(L);
    }
}

const void *lcns_check_data(lua_State *L, int arg, size_t *size) {
    if (lua_type(L, arg) == LUA_TSTRING) {
        return lua_tolstring(L, arg, size);
    }
    buffer_object *self = lcns_test(L, arg, NAME);
    if (!self) {
        luaL_typeerror(L, arg, "string or " NAME);
        return NULL;
    }
    if (!self->base.shared) {
        luaL_error(L, NAME " is closed");
    }
    lcns_ok(L, cns_buffer_access(self->buffer, CNS_ACCESS_READ));
    *size = (size_t)self->count * cns_type_size(self->type);
    return cns_buffer_data(self->buffer);
}

/* ---- elements -------------------------------------------------------------------------------- */

static int refuse_index(lua_State *L, const buffer_object *self, int arg) {
    lua_Number real = lua_tonumber(L, arg);
    int integral = 0;
    lua_Integer index = lua_type(L, arg) == LUA_TNUMBER ? lua_tointegerx(L, arg, &integral) : 0;
    if (integral) {
        return luaL_error(L, NAME " index %I out of range 1..%I", (LUAI_UACINT)index,
                          (LUAI_UACINT)self->count);
    }
    if (lua_type(L, arg) == LUA_TNUMBER) {
        return luaL_error(L, NAME " index %f is not an integer", real);
    }
    return luaL_error(L, NAME " index must be an integer, got %s", luaL_typename(L, arg));
}

/* The 0-based index of an element that exists. */
static inline uint64_t check_index(lua_State *L, const buffer_object *self, int arg) {
    int integral = lua_isinteger(L, arg);
    lua_Integer index = 0;
    if (integral || lua_type(L, arg) == LUA_TNUMBER) {
        index = lua_tointegerx(L, arg, &integral);
    }
    uint64_t position = (uint64_t)index - 1; /* 0 and negative ones become huge */
    if (!integral || position >= self->count) {
        refuse_index(L, self, arg);
    }
    return position;
}

static void push_element(lua_State *L, const buffer_object *self, uint64_t position) {
    if (self->floating) {
        double value = 0;
        lcns_ok(L, cns_buffer_get_f64(self->buffer, position, &value));
        lua_pushnumber(L, value);
    } else {
        int64_t value = 0;
        lcns_ok(L, cns_buffer_get_i64(self->buffer, position, &value));
        lua_pushinteger(L, value);
    }
}

static cns_status set_element(lua_State *L, buffer_object *self, uint64_t position, int index) {
    if (lua_isinteger(L, index)) {
        return cns_buffer_set_i64(self->buffer, position, lua_tointeger(L, index));
    }
    return cns_buffer_set_f64(self->buffer, position, lua_tonumber(L, index));
}

static int buffer_index(lua_State *L) {
    /* Integers first, they are the hot ones. Methods of closed buffers, too: b:close(). */
    if (!lua_isinteger(L, 2) && lua_type(L, 2) == LUA_TSTRING) {
        lua_settop(L, 2);
        lua_rawget(L, lua_upvalueindex(2));
        return 1;
    }
    const buffer_object *self = lcns_self(L);
    push_element(L, self, check_index(L, self, 2));
    return 1;
}

static int buffer_newindex(lua_State *L) {
    buffer_object *self = lcns_self(L);
    uint64_t position = check_index(L, self, 2);
    if (lua_type(L, 3) != LUA_TNUMBER) {
        return luaL_error(L, NAME " element must be a number, got %s", luaL_typename(L, 3));
    }
    lcns_ok(L, set_element(L, self, position, 3));
    return 0;
}

static int buffer_len(lua_State *L) {
    const buffer_object *self = lcns_self(L);
    lua_pushinteger(L, (lua_Integer)self->count);
    return 1;
}

/* ---- views ----------------------------------------------------------------------------------- */

/* 1-based first..last (defaults: all) as begin and count; an empty range may lie at the end. */
static void check_span(lua_State *L, uint64_t total, int arg, uint64_t *begin, uint64_t *count) {
    lua_Integer size = (lua_Integer)total;
    lua_Integer first = lua_isnoneornil(L, arg) ? 1 : lcns_check_range(L, arg, 1, size + 1);
    lua_Integer last =
        lua_isnoneornil(L, arg + 1) ? size : lcns_check_range(L, arg + 1, first - 1, size);
    *begin = (uint64_t)first - 1;
    *count = (uint64_t)(last - first + 1);
}

static int buffer_slice(lua_State *L) {
    const buffer_object *self = lcns_self(L);
    uint64_t begin, count;
    luaL_checkany(L, 2);
    check_span(L, self->count, 2, &begin, &count);
    buffer_object *slice = new_buffer(L);
    self = lcns_self(L);
    cns_buffer *view = NULL;
    lcns_ok(L, cns_buffer_slice(self->buffer, begin, count, &view));
    fill_in(slice, view);
    return 1;
}

static int buffer_split(lua_State *L) {
    lcns_self(L);
    lua_Integer parts = lcns_check_range(L, 2, 1, 1 << 20);
    lua_createtable(L, (int)parts, 0);
    uint64_t begin = 0;
    for (lua_Integer i = 0; i < parts; i++) {
        buffer_object *slice = new_buffer(L);
        const buffer_object *self = lcns_self(L);
        uint64_t share = self->count / (uint64_t)parts;
        uint64_t count = share + ((uint64_t)i < self->count % (uint64_t)parts ? 1 : 0);
        cns_buffer *view = NULL;
        lcns_ok(L, cns_buffer_slice(self->buffer, begin, count, &view));
        fill_in(slice, view);
        lua_rawseti(L, -2, i + 1);
        begin += count;
    }
    return 1;
}

static int buffer_borrow(lua_State *L) {
    static const char *const names[] = {"read", "write", NULL};
    lcns_self(L);
    int choice = luaL_checkoption(L, 2, NULL, names);
    buffer_object *borrowed = new_buffer(L);
    const buffer_object *self = lcns_self(L);
    cns_buffer *view = NULL;
    lcns_ok(L, cns_buffer_borrow(self->buffer, choice == 0 ? CNS_ACCESS_READ : CNS_ACCESS_WRITE,
                                 &view));
    fill_in(borrowed, view);
    return 1;
}

static int buffer_borrowed(lua_State *L) {
    const buffer_object *self = lcns_self(L);
    switch (cns_buffer_borrowed(self->buffer)) {
    case CNS_ACCESS_READ:
        lua_pushliteral(L, "read");
        return 1;
    case CNS_ACCESS_WRITE:
        lua_pushliteral(L, "write");
        return 1;
    default:
        lua_pushnil(L);
        return 1;
    }
}

/* ---- whole ranges ---------------------------------------------------------------------------- */

static int buffer_type(lua_State *L) {
    const buffer_object *self = lcns_self(L);
    lua_pushstring(L, cns_type_name(self->type));
    return 1;
}

/* Elements in a piece of work (see LCNS_PIECE). */
static uint64_t piece_count(const buffer_object *self) {
    return LCNS_PIECE / cns_type_size(self->type);
}

/* Fills the view with the number at `arg`. */
static cns_status fill_piece(lua_State *L, cns_buffer *view, int arg) {
    lua_Integer integer = 0;
    lua_Number real = 0;
    return lcns_check_number(L, arg, &integer, &real) ? cns_buffer_fill_i64(view, integer)
                                                      : cns_buffer_fill_f64(view, real);
}

static int buffer_fill(lua_State *L) {
    buffer_object *self = lcns_self(L);
    uint64_t piece = piece_count(self);
    if (self->count <= piece) {
        lcns_ok(L, fill_piece(L, self->buffer, 2));
        lua_settop(L, 1);
        return 1;
    }
    luaL_checktype(L, 2, LUA_TNUMBER); /* from here on nothing raises while a view is held */
    lcns_ok(L, cns_buffer_access(self->buffer, CNS_ACCESS_WRITE));
    for (uint64_t at = 0; at < self->count; at += piece) {
        uint64_t count = self->count - at < piece ? self->count - at : piece;
        cns_buffer *view = NULL;
        lcns_ok(L, cns_buffer_slice(self->buffer, at, count, &view));
        cns_status status = fill_piece(L, view, 2);
        cns_buffer_destroy(view);
        lcns_ok(L, status);
        lcns_poll(L);
    }
    lua_settop(L, 1);
    return 1;
}

/* The list at `arg` to `begin` on; raw access, so that no script runs meanwhile. */
static void copy_list(lua_State *L, buffer_object *self, int arg, uint64_t begin, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (lua_rawgeti(L, arg, (lua_Integer)i + 1) != LUA_TNUMBER) {
            luaL_error(L, "element %I: number expected, got %s", (LUAI_UACINT)(i + 1),
                       luaL_typename(L, -1));
        }
        lcns_ok(L, set_element(L, self, begin + i, -1));
        lua_pop(L, 1);
        if ((i & 0xffff) == 0xffff) {
            lcns_poll(L);
        }
    }
}

/* Where `count` elements fit from position `arg` (default 1) on. */
static uint64_t check_place(lua_State *L, const buffer_object *self, int arg, uint64_t count) {
    lua_Integer at =
        lua_isnoneornil(L, arg) ? 1 : lcns_check_range(L, arg, 1, (lua_Integer)self->count + 1);
    if (count > self->count - (uint64_t)(at - 1)) {
        luaL_error(L, "%I elements do not fit at %I of %I", (LUAI_UACINT)count, (LUAI_UACINT)at,
                   (LUAI_UACINT)self->count);
    }
    return (uint64_t)at - 1;
}

/* In pieces; where both lie in the same storage, from the side that is not overwritten. */
static void copy_buffer(lua_State *L, buffer_object *self, uint64_t begin,
                        const buffer_object *source) {
    uint64_t piece = piece_count(source), total = source->count;
    if (total <= piece || self->type != source->type) {
        lcns_ok(L, cns_buffer_copy(self->buffer, begin, source->buffer));
        return;
    }
    const size_t size = cns_type_size(self->type);
    uintptr_t to = (uintptr_t)cns_buffer_data(self->buffer) + begin * size;
    bool backwards = to > (uintptr_t)cns_buffer_data(source->buffer);
    for (uint64_t done = 0; done < total; done += piece) {
        uint64_t count = total - done < piece ? total - done : piece;
        uint64_t at = backwards ? total - done - count : done;
        cns_buffer *view = NULL;
        lcns_ok(L, cns_buffer_slice(source->buffer, at, count, &view));
        cns_status status = cns_buffer_copy(self->buffer, begin + at, view);
        cns_buffer_destroy(view);
        lcns_ok(L, status);
        lcns_poll(L);
    }
}

static int buffer_copy(lua_State *L) {
    buffer_object *self = lcns_self(L);
    if (lua_type(L, 2) == LUA_TTABLE) {
        uint64_t count = lua_rawlen(L, 2);
        copy_list(L, self, 2, check_place(L, self, 3, count), count);
    } else {
        const buffer_object *source = lcns_test(L, 2, NAME);
        if (!source) {
            luaL_typeerror(L, 2, NAME " or table");
            return 0;
        }
        if (!source->base.shared) {
            luaL_error(L, NAME " is closed");
        }
        copy_buffer(L, self, check_place(L, self, 3, source->count), source);
    }
    lua_settop(L, 1);
    return 1;
}

static int buffer_bytes(lua_State *L) {
    const buffer_object *self = lcns_self(L);
    lcns_ok(L, cns_buffer_access(self->buffer, CNS_ACCESS_READ));
    lua_pushlstring(L, cns_buffer_data(self->buffer),
                    (size_t)self->count * cns_type_size(self->type));
    return 1;
}

static int buffer_set_bytes(lua_State *L) {
    buffer_object *self = lcns_self(L);
    luaL_checktype(L, 2, LUA_TSTRING);
    size_t length;
    const char *bytes = lua_tolstring(L, 2, &length);
    size_t size = cns_type_size(self->type);
    if (length % size != 0) {
        luaL_argerror(L, 2,
                      lua_pushfstring(L, "%I bytes are no whole number of %s elements",
                                      (LUAI_UACINT)length, cns_type_name(self->type)));
    }
    uint64_t begin = check_place(L, self, 3, length / size);
    lcns_ok(L, cns_buffer_access(self->buffer, CNS_ACCESS_WRITE));
    memcpy((char *)cns_buffer_data(self->buffer) + begin * size, bytes, length);
    lua_settop(L, 1);
    return 1;
}

static int buffer_table(lua_State *L) {
    const buffer_object *self = lcns_self(L);
    uint64_t begin, count;
    check_span(L, self->count, 2, &begin, &count);
    if (count > INT_MAX) {
        return luaL_error(L, "too many elements for a table");
    }
    lua_createtable(L, (int)count, 0);
    self = lcns_self(L);
    for (uint64_t i = 0; i < count; i++) {
        push_element(L, self, begin + i);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        if ((i & 0xffff) == 0xffff) {
            lcns_poll(L);
        }
    }
    return 1;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int buffer_tostring(lua_State *L) {
    const buffer_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->base.shared) {
        lua_pushliteral(L, NAME " (closed)");
        return 1;
    }
    int borrowed = cns_buffer_borrowed(self->buffer);
    lua_pushfstring(L, NAME " %s[%I]%s", cns_type_name(self->type), (LUAI_UACINT)self->count,
                    borrowed == CNS_ACCESS_READ    ? " (read)"
                    : borrowed == CNS_ACCESS_WRITE ? " (write)"
                                                   : "");
    return 1;
}

static int buffer_close(lua_State *L) {
    lcns_shared *shared;
    buffer_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_buffer_destroy(self->buffer);
        self->buffer = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static int buffer_create(lua_State *L) {
    cns_type type = lcns_check_type(L, 1);
    bool list = lua_type(L, 2) == LUA_TTABLE;
    uint64_t count = list ? lua_rawlen(L, 2) : (uint64_t)lcns_check_range(L, 2, 0, LUA_MAXINTEGER);
    buffer_object *self = new_buffer(L);
    cns_buffer *buffer = NULL;
    lcns_ok(L, cns_buffer_create(self->base.shared->context, type, count, &buffer));
    fill_in(self, buffer);
    if (list) {
        copy_list(L, self, 2, 0, count);
    }
    return 1;
}

static const luaL_Reg methods[] = {
    {"type", buffer_type},
    {"slice", buffer_slice},
    {"split", buffer_split},
    {"fill", buffer_fill},
    {"borrow", buffer_borrow},
    {"borrowed", buffer_borrowed},
    {"copy", buffer_copy},
    {"bytes", buffer_bytes},
    {"set_bytes", buffer_set_bytes},
    {"table", buffer_table},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__index", buffer_index},
    {"__newindex", buffer_newindex},
    {"__len", buffer_len},
    {"__tostring", buffer_tostring},
    {NULL, NULL},
};

int lcns_open_buffer(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, buffer_close);
    lua_pushcfunction(L, buffer_create);
    return 1;
}
