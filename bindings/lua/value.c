/* SPDX-License-Identifier: MIT
 *
 * value.c - see value.h. Conversions follow cns_buffer_set_i64 and its kin: nothing is cut, wrapped
 * or clamped on its way between Lua and an element.
 */
#include "value.h"

#include <math.h>
#include <string.h>

cns_type lcns_check_type(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TSTRING);
    cns_type type = CNS_F64;
    if (cns_type_parse(lua_tostring(L, arg), &type) != CNS_OK) {
        luaL_argerror(L, arg,
                      lua_pushfstring(L,
                                      "type expected (i8, i16, i32, i64, u8, u16, u32, u64, f32 "
                                      "or f64), got '%s'",
                                      lua_tostring(L, arg)));
    }
    return type;
}

bool lcns_check_number(lua_State *L, int arg, lua_Integer *integer, lua_Number *real) {
    if (lua_isinteger(L, arg)) {
        *integer = lua_tointeger(L, arg);
        return true;
    }
    /* Text that looks like a number is refused: it is more often a mistake. */
    luaL_checktype(L, arg, LUA_TNUMBER);
    *real = lua_tonumber(L, arg);
    return false;
}

static int refuse(lua_State *L, int arg, cns_type type) {
    const char *name = cns_type_name(type);
    const char *message =
        lua_isinteger(L, arg)
            ? lua_pushfstring(L, "%I does not fit %s", (LUAI_UACINT)lua_tointeger(L, arg), name)
            : lua_pushfstring(L, "%f does not fit %s", lua_tonumber(L, arg), name);
    return luaL_argerror(L, arg, message);
}

/* Bounds of the integer types but u64, by cns_type. */
static const struct {
    lua_Integer low, high;
} bounds[] = {
    {0, 0},
    {INT8_MIN, INT8_MAX},
    {INT16_MIN, INT16_MAX},
    {INT32_MIN, INT32_MAX},
    {INT64_MIN, INT64_MAX},
    {0, UINT8_MAX},
    {0, UINT16_MAX},
    {0, UINT32_MAX},
    {0, INT64_MAX},
};

/* `rounded` came from `value`: nothing was lost. 2^63 itself would not go back. */
static bool is_same(double rounded, lua_Integer value) {
    return rounded < 0x1p63 && (lua_Integer)rounded == value;
}

static bool store_integer(cns_type type, void *cell, lua_Integer value) {
    if (type < CNS_F32 && (value < bounds[type].low || value > bounds[type].high)) {
        return false;
    }
    switch (type) {
    case CNS_I8:
    case CNS_U8:
        *(uint8_t *)cell = (uint8_t)value;
        return true;
    case CNS_I16:
    case CNS_U16:
        *(uint16_t *)cell = (uint16_t)value;
        return true;
    case CNS_I32:
    case CNS_U32:
        *(uint32_t *)cell = (uint32_t)value;
        return true;
    case CNS_I64:
    case CNS_U64:
        *(uint64_t *)cell = (uint64_t)value;
        return true;
    case CNS_F32:
        *(float *)cell = (float)value;
        return is_same(*(float *)cell, value);
    case CNS_F64:
        *(double *)cell = (double)value;
        return is_same(*(double *)cell, value);
    }
    return false;
}

static bool store_real(cns_type type, void *cell, lua_Number value) {
    lua_Integer integer;
    switch (type) {
    case CNS_F32:
        *(float *)cell = (float)value;
        return true;
    case CNS_F64:
        *(double *)cell = value;
        return true;
    case CNS_U64:
        if (value >= 0x1p63 && value < 0x1p64) { /* integral at that size */
            *(uint64_t *)cell = (uint64_t)value;
            return true;
        }
        /* fallthrough */
    default:
        return lua_numbertointeger(floor(value), &integer) && (lua_Number)integer == value &&
               store_integer(type, cell, integer);
    }
}

void lcns_store(lua_State *L, int arg, cns_type type, void *cell) {
    lua_Integer integer = 0;
    lua_Number real = 0;
    union {
        uint64_t u64;
        double f64;
    } staged = {0};
    bool fits = lcns_check_number(L, arg, &integer, &real) ? store_integer(type, &staged, integer)
                                                           : store_real(type, &staged, real);
    if (!fits) {
        refuse(L, arg, type);
    }
    memcpy(cell, &staged, cns_type_size(type));
}

void lcns_load(lua_State *L, cns_type type, const void *cell) {
    switch (type) {
    case CNS_I8:
        lua_pushinteger(L, *(const int8_t *)cell);
        return;
    case CNS_I16:
        lua_pushinteger(L, *(const int16_t *)cell);
        return;
    case CNS_I32:
        lua_pushinteger(L, *(const int32_t *)cell);
        return;
    case CNS_I64:
        lua_pushinteger(L, *(const int64_t *)cell);
        return;
    case CNS_U8:
        lua_pushinteger(L, *(const uint8_t *)cell);
        return;
    case CNS_U16:
        lua_pushinteger(L, *(const uint16_t *)cell);
        return;
    case CNS_U32:
        lua_pushinteger(L, *(const uint32_t *)cell);
        return;
    case CNS_U64:
        if (*(const uint64_t *)cell > INT64_MAX) {
            luaL_error(L, "a u64 beyond 2^63 - 1 does not fit a Lua integer");
        }
        lua_pushinteger(L, (lua_Integer) * (const uint64_t *)cell);
        return;
    case CNS_F32:
        lua_pushnumber(L, *(const float *)cell);
        return;
    case CNS_F64:
        lua_pushnumber(L, *(const double *)cell);
        return;
    }
    lua_pushnil(L);
}

/* ---- fields ---------------------------------------------------------------------------------- */

static int refuse_fields(lua_State *L, int arg, lua_Integer index, const char *why) {
    return luaL_argerror(L, arg, lua_pushfstring(L, "field %I: %s", (LUAI_UACINT)index, why));
}

/* Reads entry `index` (1-based) of the list at `arg` into `fields`; the names' table is on top. */
static void read_field(lua_State *L, int arg, lcns_fields *fields, lua_Integer index) {
    size_t length = 0;
    cns_field *field = &fields->field[index - 1];
    char *name = fields->name[index - 1];
    if (lua_rawgeti(L, arg, index) != LUA_TTABLE) {
        refuse_fields(L, arg, index, "{name, type} expected");
    }
    if (lua_rawgeti(L, -1, 1) != LUA_TSTRING || lua_rawgeti(L, -2, 2) != LUA_TSTRING) {
        refuse_fields(L, arg, index, "{name, type} expected");
    }
    const char *text = lua_tolstring(L, -2, &length);
    if (length < 1 || length > LCNS_FIELD_NAME_MAX || memchr(text, 0, length)) {
        refuse_fields(L, arg, index, "a name has 1 to 63 bytes");
    }
    if (cns_type_parse(lua_tostring(L, -1), &field->type) != CNS_OK) {
        refuse_fields(L, arg, index, lua_pushfstring(L, "unknown type '%s'", lua_tostring(L, -1)));
    }
    memcpy(name, text, length + 1);
    field->name = name;
    lua_pushvalue(L, -2);
    if (lua_rawget(L, -5) != LUA_TNIL) {
        refuse_fields(L, arg, index, lua_pushfstring(L, "the name '%s' is there twice", name));
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -2);
    lua_pushinteger(L, index);
    lua_rawset(L, -6);
    lua_pop(L, 3);
}

const lcns_fields *lcns_check_fields(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TTABLE);
    luaL_checkstack(L, 12, "fields");
    lua_Unsigned count = lua_rawlen(L, arg);
    if (count < 1 || count > LCNS_FIELDS_MAX) {
        luaL_argerror(L, arg, "a list of 1 to 256 fields {name, type} expected");
    }
    lcns_fields *fields = lua_newuserdatauv(L, sizeof *fields, 0);
    fields->count = (uint32_t)count;
    memset(fields->field, 0, sizeof fields->field);
    lua_createtable(L, 0, (int)count);
    for (lua_Integer i = 1; i <= (lua_Integer)count; i++) {
        read_field(L, arg, fields, i);
    }
    return fields;
}

uint32_t lcns_check_field(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TSTRING);
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, arg);
    lua_rawget(L, -2);
    lua_Integer index = lua_tointeger(L, -1);
    lua_pop(L, 2);
    if (index == 0) {
        luaL_argerror(L, arg, lua_pushfstring(L, "no field '%s'", lua_tostring(L, arg)));
    }
    return (uint32_t)(index - 1);
}
