/* SPDX-License-Identifier: MIT
 *
 * arguments.c - sizes, durations, ranges and options tables, checked without metamethods.
 *
 * Text is read by hand: strtod would follow the locale, and "1.5 GiB" must come out exact.
 */
#include "module.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct unit {
    const char *name; /* lower case */
    uint64_t factor;
} unit;

static const unit byte_units[] = {
    {"", 1},
    {"b", 1},
    {"kb", 1000},
    {"mb", 1000000},
    {"gb", 1000000000},
    {"tb", UINT64_C(1000000000000)},
    {"kib", UINT64_C(1) << 10},
    {"mib", UINT64_C(1) << 20},
    {"gib", UINT64_C(1) << 30},
    {"tib", UINT64_C(1) << 40},
    {NULL, 0},
};

static const unit time_units[] = {
    {"", 1000000000},
    {"ns", 1},
    {"us", 1000},
    {"ms", 1000000},
    {"s", 1000000000},
    {"min", UINT64_C(60000000000)},
    {"h", UINT64_C(3600000000000)},
    {NULL, 0},
};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static const unit *find_unit(const unit *units, const char *text, size_t length) {
    for (; units->name; units++) {
        size_t i = 0;
        while (i < length && units->name[i]) {
            char c = text[i];
            c = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
            if (c != units->name[i]) {
                break;
            }
            i++;
        }
        if (i == length && !units->name[i]) {
            return units;
        }
    }
    return NULL;
}

/* "digits[.digits] [unit]" in the smallest unit, at most INT64_MAX; false when it is not that. */
static bool parse_quantity(const char *text, size_t length, const unit *units, uint64_t *out) {
    const char *end = text + length;
    uint64_t whole = 0;
    double fraction = 0;
    if (text == end || !is_digit(*text)) {
        return false;
    }
    for (; text < end && is_digit(*text); text++) {
        if (whole > (uint64_t)INT64_MAX / 10 - 1) {
            return false;
        }
        whole = whole * 10 + (uint64_t)(*text - '0');
    }
    if (text < end && *text == '.') {
        double digit = 0.1;
        text++;
        if (text == end || !is_digit(*text)) {
            return false;
        }
        for (; text < end && is_digit(*text); text++, digit /= 10) {
            fraction += digit * (*text - '0');
        }
    }
    while (text < end && *text == ' ') {
        text++;
    }
    const unit *found = find_unit(units, text, (size_t)(end - text));
    if (!found || whole >= (uint64_t)INT64_MAX / found->factor) {
        return false;
    }
    *out = whole * found->factor + (uint64_t)(fraction * (double)found->factor + 0.5);
    return true;
}

bool lcns_parse_bytes(const char *text, size_t length, uint64_t *out) {
    return parse_quantity(text, length, byte_units, out);
}

#define BYTES_EXPECTED "bytes, as an integer >= 0 or text such as \"64 KiB\","
#define DURATION_EXPECTED "seconds >= 0, or text such as \"5 ms\","

/* `index` is a value of any kind; false when it is no size. */
static bool read_bytes(lua_State *L, int index, uint64_t *out) {
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t length;
        const char *text = lua_tolstring(L, index, &length);
        return lcns_parse_bytes(text, length, out);
    }
    int integral;
    lua_Integer value = lua_tointegerx(L, index, &integral);
    if (!integral || value < 0) {
        return false;
    }
    *out = (uint64_t)value;
    return true;
}

static bool read_duration(lua_State *L, int index, uint64_t *out) {
    if (lua_type(L, index) == LUA_TSTRING) {
        size_t length;
        const char *text = lua_tolstring(L, index, &length);
        return parse_quantity(text, length, time_units, out);
    }
    if (lua_type(L, index) != LUA_TNUMBER) {
        return false;
    }
    double seconds = lua_tonumber(L, index);
    /* 292 years of nanoseconds fit; the negation catches NaN. */
    if (!(seconds >= 0 && seconds < 9.2e9)) {
        return false;
    }
    *out = (uint64_t)(seconds * 1e9 + 0.5);
    return true;
}

/* What came, for messages: a number or short text by value, else the type. Pushes it. */
static const char *describe(lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TNUMBER) {
        return lua_isinteger(L, index)
                   ? lua_pushfstring(L, "%I", (LUAI_UACINT)lua_tointeger(L, index))
                   : lua_pushfstring(L, "%f", lua_tonumber(L, index));
    }
    if (lua_type(L, index) == LUA_TSTRING && lua_rawlen(L, index) <= 40) {
        return lua_pushfstring(L, "'%s'", lua_tostring(L, index));
    }
    return lua_pushstring(L, luaL_typename(L, index));
}

static const char *describe_argument(lua_State *L, int arg) {
    return lua_isnone(L, arg) ? lua_pushliteral(L, "no value") : describe(L, arg);
}

/* `got`: from describe_argument, before `expected` was pushed where a missing argument would be. */
static int refuse(lua_State *L, int arg, const char *expected, const char *got) {
    return luaL_argerror(L, arg, lua_pushfstring(L, "%s expected, got %s", expected, got));
}

uint64_t lcns_check_bytes(lua_State *L, int arg) {
    uint64_t bytes = 0;
    if (!read_bytes(L, arg, &bytes)) {
        refuse(L, arg, BYTES_EXPECTED, describe_argument(L, arg));
    }
    return bytes;
}

uint64_t lcns_check_duration(lua_State *L, int arg) {
    uint64_t nanoseconds = 0;
    if (!read_duration(L, arg, &nanoseconds)) {
        refuse(L, arg, DURATION_EXPECTED, describe_argument(L, arg));
    }
    return nanoseconds;
}

static const char *push_range(lua_State *L, lua_Integer low, lua_Integer high) {
    if (high == LUA_MAXINTEGER) {
        return lua_pushfstring(L, "integer >= %I", (LUAI_UACINT)low);
    }
    return lua_pushfstring(L, "integer in %I..%I", (LUAI_UACINT)low, (LUAI_UACINT)high);
}

/* Numbers only: text that looks like a number is refused, it is more often a mistake. */
static bool read_range(lua_State *L, int index, lua_Integer low, lua_Integer high,
                       lua_Integer *out) {
    int integral = 0;
    lua_Integer value = 0;
    if (lua_type(L, index) == LUA_TNUMBER) {
        value = lua_tointegerx(L, index, &integral);
    }
    if (!integral || value < low || value > high) {
        return false;
    }
    *out = value;
    return true;
}

lua_Integer lcns_check_range(lua_State *L, int arg, lua_Integer low, lua_Integer high) {
    lua_Integer value = 0;
    if (!read_range(L, arg, low, high, &value)) {
        const char *got = describe_argument(L, arg);
        refuse(L, arg, push_range(L, low, high), got);
    }
    return value;
}

/* ---- options --------------------------------------------------------------------------------- */

static bool is_known(const char *key, const char *const *known) {
    for (; *known; known++) {
        if (strcmp(*known, key) == 0) {
            return true;
        }
    }
    return false;
}

static int refuse_key(lua_State *L, int arg, const char *key, const char *const *known) {
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (const char *const *k = known; *k; k++) {
        luaL_addstring(&b, k == known ? "" : ", ");
        luaL_addstring(&b, *k);
    }
    luaL_pushresult(&b);
    return luaL_argerror(
        L, arg, lua_pushfstring(L, "unknown option '%s' (known: %s)", key, lua_tostring(L, -1)));
}

void lcns_options(lua_State *L, int arg, const char *const *known) {
    if (lua_isnoneornil(L, arg)) {
        return;
    }
    luaL_checktype(L, arg, LUA_TTABLE);
    luaL_checkstack(L, 8, "options");
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (!key || !is_known(key, known)) {
            refuse_key(L, arg, key ? key : luaL_typename(L, -2), known);
        }
    }
}

bool lcns_option_push(lua_State *L, int arg, const char *key) {
    if (lua_type(L, arg) != LUA_TTABLE) {
        lua_pushnil(L);
        return false;
    }
    lua_pushstring(L, key);
    return lua_rawget(L, arg) != LUA_TNIL;
}

int lcns_option_fail(lua_State *L, int arg, const char *key, const char *expected) {
    const char *got = describe(L, -1);
    return luaL_argerror(
        L, arg, lua_pushfstring(L, "option '%s': %s expected, got %s", key, expected, got));
}

bool lcns_option_bytes(lua_State *L, int arg, const char *key, uint64_t *out) {
    bool there = lcns_option_push(L, arg, key);
    if (there && !read_bytes(L, -1, out)) {
        lcns_option_fail(L, arg, key, BYTES_EXPECTED);
    }
    lua_pop(L, 1);
    return there;
}

bool lcns_option_duration(lua_State *L, int arg, const char *key, uint64_t *out) {
    bool there = lcns_option_push(L, arg, key);
    if (there && !read_duration(L, -1, out)) {
        lcns_option_fail(L, arg, key, DURATION_EXPECTED);
    }
    lua_pop(L, 1);
    return there;
}

bool lcns_option_integer(lua_State *L, int arg, const char *key, lua_Integer low, lua_Integer high,
                         lua_Integer *out) {
    bool there = lcns_option_push(L, arg, key);
    if (there && !read_range(L, -1, low, high, out)) {
        const char *expected = push_range(L, low, high);
        lua_insert(L, -2);
        lcns_option_fail(L, arg, key, expected);
    }
    lua_pop(L, 1);
    return there;
}

bool lcns_option_boolean(lua_State *L, int arg, const char *key, bool fallback) {
    bool there = lcns_option_push(L, arg, key);
    if (there && !lua_isboolean(L, -1)) {
        lcns_option_fail(L, arg, key, "boolean");
    }
    bool value = there ? lua_toboolean(L, -1) : fallback;
    lua_pop(L, 1);
    return value;
}

bool lcns_option_string(lua_State *L, int arg, const char *key, const char **out, size_t *size) {
    bool there = lcns_option_push(L, arg, key);
    if (there && lua_type(L, -1) != LUA_TSTRING) {
        lcns_option_fail(L, arg, key, "string");
    }
    if (there) {
        *out = lua_tolstring(L, -1, size);
    }
    lua_pop(L, 1);
    return there;
}
