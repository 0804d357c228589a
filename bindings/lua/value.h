/* SPDX-License-Identifier: MIT
 *
 * value.h - element types, record fields and numbers, as buffer.c, columns.c and pool.c share them.
 */
#ifndef LCNS_VALUE_H
#define LCNS_VALUE_H

#include "module.h"

/* What is behind a "cns.buffer"; the parts that need it fast look inside. */
typedef struct lcns_buffer_object {
    lcns_object base;
    cns_buffer *buffer; /* NULL while being made, and once closed */
    uint64_t count;     /* a view's count never changes */
    cns_type type;
    bool floating;
} lcns_buffer_object;

/* A type by name, or an argument error that lists the names. */
cns_type lcns_check_type(lua_State *L, int arg);

/* Puts the number at `arg` into `cell` when it fits `type` exactly (f32 and f64 round floats, not
 * integers); else raises an argument error. */
void lcns_store(lua_State *L, int arg, cns_type type, void *cell);
/* Pushes the element; raises when a u64 is beyond a Lua integer. */
void lcns_load(lua_State *L, cns_type type, const void *cell);

/* A number argument, checked for being one: true and `integer`, or false and `real`. */
bool lcns_check_number(lua_State *L, int arg, lua_Integer *integer, lua_Number *real);

#define LCNS_FIELDS_MAX 256
#define LCNS_FIELD_NAME_MAX 63

typedef struct lcns_fields {
    uint32_t count;
    cns_field field[LCNS_FIELDS_MAX]; /* names point into `name` */
    char name[LCNS_FIELDS_MAX][LCNS_FIELD_NAME_MAX + 1];
} lcns_fields;

/* `{{"x", "f64"}, {"hp", "i32"}}` at `arg`: pushes a userdata that holds the copy, and a table from
 * name to 1-based index. */
const lcns_fields *lcns_check_fields(lua_State *L, int arg);

/* The 0-based index of the field named at `arg`; the object at 1 has the table of names as its user
 * value. */
uint32_t lcns_check_field(lua_State *L, int arg);

#endif
