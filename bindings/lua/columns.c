/* SPDX-License-Identifier: MIT
 *
 * columns.c - cns.columns: records as one array a field.
 */
#include "value.h"

#include <string.h>

#define NAME "cns.columns"

typedef struct columns_object {
    lcns_object base;
    cns_columns *columns; /* NULL while being made */
    uint32_t count;       /* fields; their names: the table that is the user value */
    uint8_t types[LCNS_FIELDS_MAX];
} columns_object;

static uint64_t check_row(lua_State *L, const columns_object *self, int arg) {
    uint64_t count = cns_columns_count(self->columns);
    int integral = 0;
    lua_Integer row = 0;
    if (lua_type(L, arg) == LUA_TNUMBER) {
        row = lua_tointegerx(L, arg, &integral);
    }
    uint64_t position = (uint64_t)row - 1;
    if (!integral || position >= count) {
        lua_settop(L, arg); /* `arg` may be none */
        luaL_argerror(L, arg,
                      lua_pushfstring(L, "row in 1..%I expected, got %s", (LUAI_UACINT)count,
                                      luaL_tolstring(L, arg, NULL)));
    }
    return position;
}

static void push_cell(lua_State *L, const columns_object *self, uint32_t field, uint64_t row) {
    if (self->types[field] >= CNS_F32) {
        double value = 0;
        lcns_ok(L, cns_columns_get_f64(self->columns, field, row, &value));
        lua_pushnumber(L, value);
    } else {
        int64_t value = 0;
        lcns_ok(L, cns_columns_get_i64(self->columns, field, row, &value));
        lua_pushinteger(L, value);
    }
}

static cns_status set_cell(lua_State *L, columns_object *self, uint32_t field, uint64_t row,
                           int arg) {
    lua_Integer integer = 0;
    lua_Number real = 0;
    return lcns_check_number(L, arg, &integer, &real)
               ? cns_columns_set_i64(self->columns, field, row, integer)
               : cns_columns_set_f64(self->columns, field, row, real);
}

static int columns_append(lua_State *L) {
    columns_object *self = lcns_self(L);
    int values = lua_gettop(L) - 1;
    if (values > (int)self->count) {
        return luaL_error(L, "%d values for %d fields", values, (int)self->count);
    }
    for (int i = 0; i < values; i++) { /* all are checked before the table changes */
        uint64_t scratch;
        lcns_store(L, i + 2, (cns_type)self->types[i], &scratch);
    }
    uint64_t row;
    lcns_ok(L, cns_columns_append(self->columns, 1, &row));
    for (int i = 0; i < values; i++) {
        cns_status status = set_cell(L, self, (uint32_t)i, row, i + 2);
        if (status != CNS_OK) {
            lcns_raise(L, status);
        }
    }
    lua_pushinteger(L, (lua_Integer)row + 1);
    return 1;
}

static int columns_append_rows(lua_State *L) {
    columns_object *self = lcns_self(L);
    lua_Integer rows = lcns_check_range(L, 2, 0, LUA_MAXINTEGER);
    uint64_t first;
    lcns_ok(L, cns_columns_append(self->columns, (uint64_t)rows, &first));
    lua_pushinteger(L, (lua_Integer)first + 1);
    return 1;
}

static int columns_get(lua_State *L) {
    const columns_object *self = lcns_self(L);
    uint32_t field = lcns_check_field(L, 3);
    push_cell(L, self, field, check_row(L, self, 2));
    return 1;
}

static int columns_set(lua_State *L) {
    columns_object *self = lcns_self(L);
    uint32_t field = lcns_check_field(L, 3);
    lcns_ok(L, set_cell(L, self, field, check_row(L, self, 2), 4));
    return 0;
}

static int columns_unpack(lua_State *L) {
    const columns_object *self = lcns_self(L);
    uint64_t row = check_row(L, self, 2);
    luaL_checkstack(L, (int)self->count, "fields");
    for (uint32_t i = 0; i < self->count; i++) {
        push_cell(L, self, i, row);
    }
    return (int)self->count;
}

static int columns_remove(lua_State *L) {
    columns_object *self = lcns_self(L);
    lcns_ok(L, cns_columns_remove(self->columns, check_row(L, self, 2)));
    return 0;
}

static int columns_clear(lua_State *L) {
    columns_object *self = lcns_self(L);
    lcns_ok(L, cns_columns_clear(self->columns));
    return 0;
}

static int columns_view(lua_State *L) {
    const columns_object *self = lcns_self(L);
    cns_buffer *view = NULL;
    lcns_ok(L, cns_columns_view(self->columns, lcns_check_field(L, 2), &view));
    lcns_push_buffer(L, view);
    return 1;
}

static int columns_fields(lua_State *L) {
    const columns_object *self = lcns_self(L);
    uint32_t count = self->count;
    lua_createtable(L, (int)count, 0);
    for (uint32_t i = 0; i < count; i++) {
        lua_createtable(L, 2, 0);
        self = lcns_self(L);
        lua_pushstring(L, cns_columns_field_name(self->columns, i));
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, cns_type_name((cns_type)self->types[i]));
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int columns_stats(lua_State *L) {
    const columns_object *self = lcns_self(L);
    lua_Integer count = (lua_Integer)cns_columns_count(self->columns);
    lua_Integer held = (lua_Integer)cns_columns_held(self->columns);
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, count);
    lua_setfield(L, -2, "count");
    lua_pushinteger(L, held);
    lua_setfield(L, -2, "held");
    return 1;
}

static int columns_len(lua_State *L) {
    const columns_object *self = lcns_self(L);
    lua_pushinteger(L, (lua_Integer)cns_columns_count(self->columns));
    return 1;
}

static int columns_tostring(lua_State *L) {
    const columns_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    if (!self->base.shared) {
        lua_pushliteral(L, NAME " (closed)");
    } else {
        lua_pushfstring(L, NAME " %I rows of %d fields",
                        (LUAI_UACINT)cns_columns_count(self->columns), (int)self->count);
    }
    return 1;
}

static int columns_close(lua_State *L) {
    lcns_shared *shared;
    columns_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_columns_destroy(self->columns);
        self->columns = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

static int columns_create(lua_State *L) {
    static const char *const known[] = {"capacity", NULL};
    lua_settop(L, 2);
    lcns_options(L, 2, known);
    lua_Integer capacity = 0;
    lcns_option_integer(L, 2, "capacity", 0, LUA_MAXINTEGER, &capacity);
    const lcns_fields *fields = lcns_check_fields(L, 1);
    columns_object *self = lcns_new(L, sizeof *self, NAME);
    lua_pushvalue(L, -2);
    lua_setiuservalue(L, -2, 1);
    self->count = fields->count;
    for (uint32_t i = 0; i < fields->count; i++) {
        self->types[i] = (uint8_t)fields->field[i].type;
    }
    lcns_ok(L, cns_columns_create(self->base.shared->context, fields->field, fields->count,
                                  (uint64_t)capacity, &self->columns));
    return 1;
}

static const luaL_Reg methods[] = {
    {"append", columns_append},
    {"append_rows", columns_append_rows},
    {"get", columns_get},
    {"set", columns_set},
    {"unpack", columns_unpack},
    {"remove", columns_remove},
    {"clear", columns_clear},
    {"view", columns_view},
    {"fields", columns_fields},
    {"stats", columns_stats},
    {NULL, NULL},
};

static const luaL_Reg metamethods[] = {
    {"__len", columns_len},
    {"__tostring", columns_tostring},
    {NULL, NULL},
};

int lcns_open_columns(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, columns_close);
    lua_pushcfunction(L, columns_create);
    return 1;
}
