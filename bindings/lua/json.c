/* SPDX-License-Identifier: MIT
 *
 * json.c - cns.json: decoding with jansson, encoding by hand.
 *
 * jansson's tree hangs in a userdata while Lua values are made of it, so that an error on the way
 * frees it. The encoder is ours: jansson prints 0.1 as 0.10000000000000001, and building its tree
 * first would double the memory. It works with raw access, so no script runs in the middle; its
 * output grows in userdata at a fixed stack index.
 */
#include "module.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TREE_NAME "cns.json.tree"
#define ARRAY_NAME "cns.json.array"
#define DEPTH_MAX 200

/* ---- decoding -------------------------------------------------------------------------------- */

typedef struct tree_object {
    json_t *root;
} tree_object;

static int tree_gc(lua_State *L) {
    tree_object *tree = luaL_checkudata(L, 1, TREE_NAME);
    json_decref(tree->root);
    tree->root = NULL;
    return 0;
}

static void push_value(lua_State *L, const json_t *value, int depth);

static void push_array(lua_State *L, const json_t *array, int depth) {
    size_t count = json_array_size(array);
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        push_value(L, json_array_get(array, i), depth + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
        if ((i & 0xfff) == 0xfff) {
            lcns_poll(L);
        }
    }
    if (count == 0) { /* or it would come back as {} */
        luaL_setmetatable(L, ARRAY_NAME);
    }
}

static void push_object(lua_State *L, json_t *object, int depth) {
    size_t count = json_object_size(object);
    lua_createtable(L, 0, count < INT32_MAX ? (int)count : 0);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        lua_pushlstring(L, json_object_iter_key(i), json_object_iter_key_len(i));
        push_value(L, json_object_iter_value(i), depth + 1);
        lua_rawset(L, -3);
    }
}

static void push_value(lua_State *L, const json_t *value, int depth) {
    if (depth > DEPTH_MAX) {
        luaL_error(L, "json: nested deeper than %d", DEPTH_MAX);
    }
    luaL_checkstack(L, 4, "json");
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        push_object(L, (json_t *)value, depth); /* iterating takes no const */
        return;
    case JSON_ARRAY:
        push_array(L, value, depth);
        return;
    case JSON_STRING:
        lua_pushlstring(L, json_string_value(value), json_string_length(value));
        return;
    case JSON_INTEGER:
        lua_pushinteger(L, json_integer_value(value));
        return;
    case JSON_REAL:
        lua_pushnumber(L, json_real_value(value));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        lua_pushboolean(L, json_is_true(value));
        return;
    case JSON_NULL:
        lua_pushlightuserdata(L, NULL);
        return;
    }
}

static int json_decode(lua_State *L) {
    size_t size;
    json_error_t error;
    luaL_checktype(L, 1, LUA_TSTRING);
    const char *text = lua_tolstring(L, 1, &size);
    tree_object *tree = lua_newuserdatauv(L, sizeof *tree, 0);
    tree->root = NULL;
    luaL_setmetatable(L, TREE_NAME);
    tree->root =
        json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &error);
    if (!tree->root) {
        if (json_error_code(&error) == json_error_out_of_memory) {
            return lcns_no_memory(L, "");
        }
        return luaL_error(L, "json: line %d, column %d: %s", error.line, error.column, error.text);
    }
    push_value(L, tree->root, 1);
    json_decref(tree->root);
    tree->root = NULL;
    return 1;
}

/* ---- encoding -------------------------------------------------------------------------------- */

/* Where an error happened: a chain of C frames from the value up to the root. */
typedef struct place {
    const struct place *up;
    const char *key; /* NULL: `index` */
    lua_Integer index;
} place;

/* Stack indices of the encoder. */
enum { VALUE = 1, OPTIONS = 2, OUTPUT = 3 };

typedef struct encoder {
    lua_State *L;
    char *data; /* the userdata at OUTPUT */
    size_t size, capacity;
    int indent; /* spaces a level; 0: one line */
} encoder;

static void write_place(luaL_Buffer *b, const place *at) {
    if (!at) {
        luaL_addchar(b, '$');
        return;
    }
    write_place(b, at->up);
    if (at->key) {
        luaL_addchar(b, '.');
        luaL_addstring(b, at->key);
    } else {
        char text[32];
        snprintf(text, sizeof text, "[%lld]", (long long)at->index);
        luaL_addstring(b, text);
    }
}

static void fail(encoder *e, const place *at, const char *why) {
    luaL_Buffer b;
    luaL_checkstack(e->L, 8, "json");
    luaL_buffinit(e->L, &b);
    write_place(&b, at);
    luaL_pushresult(&b);
    luaL_error(e->L, "json: %s: %s", lua_tostring(e->L, -1), why);
}

static char *reserve(encoder *e, size_t size) {
    if (size > e->capacity - e->size) {
        size_t capacity = e->capacity * 2;
        if (size > (size_t)PTRDIFF_MAX / 4 || e->size > (size_t)PTRDIFF_MAX / 4) {
            lcns_no_memory(e->L, "");
        }
        while (size > capacity - e->size) {
            capacity *= 2;
        }
        char *data = lua_newuserdatauv(e->L, capacity, 0);
        memcpy(data, e->data, e->size);
        lua_replace(e->L, OUTPUT);
        e->data = data;
        e->capacity = capacity;
    }
    return e->data + e->size;
}

static void put(encoder *e, const char *text, size_t size) {
    memcpy(reserve(e, size), text, size);
    e->size += size;
}

static void new_line(encoder *e, int depth) {
    if (e->indent == 0) {
        return;
    }
    size_t spaces = (size_t)e->indent * (size_t)depth;
    char *out = reserve(e, spaces + 1);
    out[0] = '\n';
    memset(out + 1, ' ', spaces);
    e->size += spaces + 1;
}

/* Length of the UTF-8 sequence at `s` (Unicode's table 3-7), 0 when it is not well-formed. */
static size_t utf8_length(const uint8_t *s, const uint8_t *end) {
    size_t left = (size_t)(end - s);
    uint8_t low = 0x80, high = 0xbf;
    size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (length == 0 || length > left || s[0] > 0xf4) {
        return 0;
    }
    if (s[0] == 0xe0) {
        low = 0xa0;
    } else if (s[0] == 0xed) {
        high = 0x9f; /* no surrogates */
    } else if (s[0] == 0xf0) {
        low = 0x90;
    } else if (s[0] == 0xf4) {
        high = 0x8f;
    }
    for (size_t i = 1; i < length; i++) {
        if (s[i] < low || s[i] > high) {
            return 0;
        }
        low = 0x80;
        high = 0xbf;
    }
    return length;
}

static void put_escaped(encoder *e, uint8_t c) {
    static const char plain[] = "\"\\\b\f\n\r\t";
    static const char letters[] = "\"\\bfnrt";
    const char *found = c ? strchr(plain, c) : NULL;
    char text[8];
    int size = found ? snprintf(text, sizeof text, "\\%c", letters[found - plain])
                     : snprintf(text, sizeof text, "\\u%04x", c);
    put(e, text, (size_t)size);
}

/* `text` is anchored by the caller: growing the output may run finalisers. */
static void put_string(encoder *e, const char *text, size_t size, const place *at) {
    const uint8_t *s = (const uint8_t *)text;
    const uint8_t *end = s + size;
    put(e, "\"", 1);
    while (s < end) {
        const uint8_t *run = s;
        while (s < end && *s >= 0x20 && *s != '"' && *s != '\\') {
            size_t length = utf8_length(s, end);
            if (length == 0) {
                fail(e, at, "a string is not UTF-8");
            }
            s += length;
        }
        put(e, (const char *)run, (size_t)(s - run));
        if (s < end) {
            put_escaped(e, *s++);
        }
    }
    put(e, "\"", 1);
}

/* The fewest digits that read back as the same double; never an integer's look. */
static void put_real(encoder *e, double value, const place *at) {
    char text[48];
    int size = 0;
    if (!isfinite(value)) {
        fail(e, at, isnan(value) ? "NaN has no JSON" : "an infinity has no JSON");
    }
    for (int digits = 15; digits <= 17; digits++) {
        size = snprintf(text, sizeof text - 2, "%.*g", digits, value);
        char *comma = strchr(text, ','); /* a locale's decimal point */
        if (strtod(text, NULL) == value) {
            digits = 17;
        }
        if (comma) {
            *comma = '.';
        }
    }
    if (!strpbrk(text, ".e")) {
        text[size++] = '.';
        text[size++] = '0';
    }
    put(e, text, (size_t)size);
}

static void encode_value(encoder *e, const place *at, int depth);

/* Number of elements when the table on top is a list, 0 when it is empty or a map. */
static lua_Unsigned list_length(encoder *e) {
    lua_State *L = e->L;
    lua_Unsigned length = lua_rawlen(L, -1), entries = 0;
    if (length == 0) {
        return 0;
    }
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        lua_Integer key = lua_isinteger(L, -2) ? lua_tointeger(L, -2) : 0;
        if (key < 1 || (lua_Unsigned)key > length) {
            lua_pop(L, 2);
            return 0;
        }
        entries++;
    }
    return entries == length ? length : 0;
}

static void encode_list(encoder *e, lua_Unsigned length, const place *at, int depth) {
    put(e, "[", 1);
    for (lua_Unsigned i = 1; i <= length; i++) {
        place here = {at, NULL, (lua_Integer)i};
        if (i > 1) {
            put(e, ",", 1);
        }
        new_line(e, depth);
        lua_rawgeti(e->L, -1, (lua_Integer)i);
        encode_value(e, &here, depth + 1);
        lua_pop(e->L, 1);
    }
    new_line(e, depth - 1);
    put(e, "]", 1);
}

typedef struct map_key {
    const char *text;
    size_t size;
} map_key;

static int compare_keys(const void *a, const void *b) {
    const map_key *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = memcmp(x->text, y->text, size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Pushes a table that keeps the keys alive, and the sorted array of them. */
static map_key *sorted_keys(encoder *e, const place *at, size_t *count) {
    lua_State *L = e->L;
    int table = lua_gettop(L);
    size_t capacity = 0, found = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        capacity++;
    }
    lua_createtable(L, capacity < INT32_MAX ? (int)capacity : 0, 0);
    map_key *keys = lua_newuserdatauv(L, (capacity + 1) * sizeof *keys, 0);
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            fail(e, at,
                 lua_pushfstring(L, "a map's keys must be strings, one is a %s",
                                 luaL_typename(L, -2)));
        }
        if (found == capacity) {
            fail(e, at, "the table changed while it was encoded");
        }
        keys[found].text = lua_tolstring(L, -2, &keys[found].size);
        lua_pushvalue(L, -2);
        lua_rawseti(L, table + 1, (lua_Integer)++found);
    }
    qsort(keys, found, sizeof *keys, compare_keys);
    *count = found;
    return keys;
}

static void encode_map(encoder *e, const place *at, int depth) {
    lua_State *L = e->L;
    int table = lua_gettop(L);
    size_t count;
    const map_key *keys = sorted_keys(e, at, &count);
    put(e, "{", 1);
    for (size_t i = 0; i < count; i++) {
        place here = {at, keys[i].text, 0};
        if (i > 0) {
            put(e, ",", 1);
        }
        new_line(e, depth);
        put_string(e, keys[i].text, keys[i].size, &here);
        put(e, ": ", e->indent ? 2 : 1);
        lua_pushlstring(L, keys[i].text, keys[i].size);
        lua_rawget(L, table);
        encode_value(e, &here, depth + 1);
        lua_pop(L, 1);
    }
    lua_settop(L, table);
    if (count > 0) {
        new_line(e, depth - 1);
    }
    put(e, "}", 1);
}

static bool is_marked_array(lua_State *L) {
    if (!lua_getmetatable(L, -1)) {
        return false;
    }
    luaL_getmetatable(L, ARRAY_NAME);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

static void encode_table(encoder *e, const place *at, int depth) {
    if (depth > DEPTH_MAX) {
        luaL_error(e->L, "json: nested deeper than %d; a cycle?", DEPTH_MAX);
    }
    luaL_checkstack(e->L, 12, "json");
    lcns_poll(e->L);
    lua_Unsigned length = list_length(e);
    if (length > 0) {
        encode_list(e, length, at, depth);
        return;
    }
    lua_pushnil(e->L);
    bool empty = !lua_next(e->L, -2);
    if (!empty) {
        lua_pop(e->L, 2);
        encode_map(e, at, depth);
        return;
    }
    bool array = is_marked_array(e->L);
    put(e, array ? "[]" : "{}", 2);
}

/* The value on top of the stack, which stays. */
static void encode_value(encoder *e, const place *at, int depth) {
    lua_State *L = e->L;
    char text[32];
    size_t size;
    const char *string;
    switch (lua_type(L, -1)) {
    case LUA_TNIL:
        put(e, "null", 4);
        return;
    case LUA_TBOOLEAN:
        string = lua_toboolean(L, -1) ? "true" : "false";
        put(e, string, strlen(string));
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(L, -1)) {
            size = (size_t)snprintf(text, sizeof text, "%lld", (long long)lua_tointeger(L, -1));
            put(e, text, size);
        } else {
            put_real(e, lua_tonumber(L, -1), at);
        }
        return;
    case LUA_TSTRING:
        string = lua_tolstring(L, -1, &size);
        put_string(e, string, size, at);
        return;
    case LUA_TTABLE:
        encode_table(e, at, depth);
        return;
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, -1)) {
            put(e, "null", 4);
            return;
        }
        /* fallthrough */
    default:
        fail(e, at, lua_pushfstring(L, "a %s has no JSON", luaL_typename(L, -1)));
    }
}

static int json_encode(lua_State *L) {
    static const char *const known[] = {"indent", NULL};
    encoder e = {.L = L, .capacity = 256};
    lua_Integer indent = 0;
    luaL_checkany(L, VALUE);
    lua_settop(L, OPTIONS);
    lcns_options(L, OPTIONS, known);
    lcns_option_integer(L, OPTIONS, "indent", 0, 16, &indent);
    e.indent = (int)indent;
    e.data = lua_newuserdatauv(L, e.capacity, 0);
    lua_pushvalue(L, VALUE);
    encode_value(&e, NULL, 1);
    lua_pushlstring(L, e.data, e.size);
    return 1;
}

static int json_mark_array(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (lua_getmetatable(L, 1)) {
        lua_pop(L, 1);
        if (!is_marked_array(L)) {
            return luaL_argerror(L, 1, "the table has a metatable already");
        }
    }
    luaL_setmetatable(L, ARRAY_NAME);
    return 1;
}

static const luaL_Reg functions[] = {
    {"encode", json_encode},
    {"decode", json_decode},
    {"array", json_mark_array},
    {NULL, NULL},
};

int lcns_open_json(lua_State *L) {
    luaL_newmetatable(L, ARRAY_NAME); /* a mark on a script's own table: nothing to guard */
    lua_pop(L, 1);
    lcns_type(L, TREE_NAME, NULL, NULL, tree_gc);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
