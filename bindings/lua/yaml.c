/* SPDX-License-Identifier: MIT
 *
 * yaml.c - cns.yaml: one document through libyaml's event parser, YAML 1.2's core schema.
 *
 * An alias gives the anchored Lua table itself, so nothing is expanded in memory; but whoever walks
 * the result meets every alias again, so the size after expansion is counted and bounded. The
 * parser and its current event live in a userdata: an error on the way frees them.
 */
#include "module.h"

#include <math.h>
#include <string.h>
#include <yaml.h>

#define NAME "cns.yaml.parser"
#define DEPTH_MAX 100
#define EXPANDED_MAX 1000000

typedef struct parser_object {
    yaml_parser_t parser;
    yaml_event_t event;
    bool has_parser, has_event;
    uint64_t expanded; /* values so far, aliases counted as what they stand for */
} parser_object;

/* Stack indices while decoding. */
enum { TEXT = 1, PARSER = 2, ANCHORS = 3, WEIGHTS = 4 };

static int parser_gc(lua_State *L) {
    parser_object *p = luaL_checkudata(L, 1, NAME);
    if (p->has_event) {
        yaml_event_delete(&p->event);
        p->has_event = false;
    }
    if (p->has_parser) {
        yaml_parser_delete(&p->parser);
        p->has_parser = false;
    }
    return 0;
}

static int fail_at(lua_State *L, yaml_mark_t mark, const char *why) {
    return luaL_error(L, "yaml: line %d, column %d: %s", (int)mark.line + 1, (int)mark.column + 1,
                      why);
}

static int fail(lua_State *L, const parser_object *p, const char *why) {
    return fail_at(L, p->event.start_mark, why);
}

static void advance(lua_State *L, parser_object *p) {
    if (p->has_event) {
        yaml_event_delete(&p->event);
        p->has_event = false;
    }
    if (!yaml_parser_parse(&p->parser, &p->event)) {
        if (p->parser.error == YAML_MEMORY_ERROR) {
            lcns_no_memory(L, "");
        }
        const char *problem = p->parser.problem ? p->parser.problem : "cannot be read";
        /* The reader has no line, only an offset; the scanner and parser have lines. */
        if (p->parser.error == YAML_READER_ERROR) {
            luaL_error(L, "yaml: byte %d: %s", (int)p->parser.problem_offset, problem);
        }
        fail_at(L, p->parser.problem_mark, problem);
    }
    p->has_event = true;
}

/* ---- scalars --------------------------------------------------------------------------------- */

static bool is_one_of(const char *text, const char *const *words) {
    for (; *words; words++) {
        if (strcmp(text, *words) == 0) {
            return true;
        }
    }
    return false;
}

static const char *skip_digits(const char *s) {
    while (*s >= '0' && *s <= '9') {
        s++;
    }
    return s;
}

/* [-+]? [0-9]+ | 0o [0-7]+ | 0x [0-9a-fA-F]+ that fits an integer. */
static bool push_integer(lua_State *L, const char *text) {
    bool negative = *text == '-';
    const char *s = text + (*text == '-' || *text == '+');
    unsigned base = 10;
    if (s == text && s[0] == '0' && (s[1] == 'x' || s[1] == 'o')) {
        base = s[1] == 'x' ? 16 : 8;
        s += 2;
    }
    if (!*s) {
        return false;
    }
    uint64_t limit = negative ? UINT64_C(1) << 63 : (uint64_t)INT64_MAX;
    uint64_t value = 0;
    for (; *s; s++) {
        unsigned digit = *s >= '0' && *s <= '9'   ? (unsigned)(*s - '0')
                         : *s >= 'a' && *s <= 'f' ? (unsigned)(*s - 'a') + 10
                         : *s >= 'A' && *s <= 'F' ? (unsigned)(*s - 'A') + 10
                                                  : 99;
        if (digit >= base || value > (limit - digit) / base) {
            return false;
        }
        value = value * base + digit;
    }
    lua_pushinteger(L, (lua_Integer)(negative ? 0 - value : value));
    return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?, and .inf, .nan. */
static bool push_real(lua_State *L, const char *text) {
    static const char *const infinities[] = {".inf", ".Inf", ".INF", NULL};
    static const char *const nans[] = {".nan", ".NaN", ".NAN", NULL};
    const char *s = text + (*text == '-' || *text == '+');
    if (is_one_of(s, infinities)) {
        lua_pushnumber(L, *text == '-' ? -HUGE_VAL : HUGE_VAL);
        return true;
    }
    if (is_one_of(text, nans)) {
        lua_pushnumber(L, (lua_Number)NAN);
        return true;
    }
    const char *whole = skip_digits(s);
    const char *fraction = *whole == '.' ? skip_digits(whole + 1) : whole;
    bool digits = whole > s || fraction > whole + 1;
    const char *end = fraction;
    if (*end == 'e' || *end == 'E') {
        const char *sign = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(sign);
        digits = digits && end > sign;
    }
    /* lua_stringtonumber follows Lua's syntax, of which this is a part but for a leading plus. */
    return digits && !*end && lua_stringtonumber(L, *text == '+' ? s : text) != 0 &&
           (lua_pushnumber(L, lua_tonumber(L, -1)), lua_remove(L, -2), true);
}

static bool push_null(lua_State *L, const char *text) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL", NULL};
    if (!is_one_of(text, nulls)) {
        return false;
    }
    lua_pushlightuserdata(L, NULL);
    return true;
}

static bool push_boolean(lua_State *L, const char *text) {
    static const char *const trues[] = {"true", "True", "TRUE", NULL};
    static const char *const falses[] = {"false", "False", "FALSE", NULL};
    bool truth = is_one_of(text, trues);
    if (!truth && !is_one_of(text, falses)) {
        return false;
    }
    lua_pushboolean(L, truth);
    return true;
}

static const struct {
    const char *tag;
    bool (*push)(lua_State *L, const char *text);
} scalar_kinds[] = {
    {YAML_NULL_TAG, push_null},
    {YAML_BOOL_TAG, push_boolean},
    {YAML_INT_TAG, push_integer},
    {YAML_FLOAT_TAG, push_real},
};

static void push_scalar(lua_State *L, parser_object *p) {
    const char *text = (const char *)p->event.data.scalar.value;
    size_t size = p->event.data.scalar.length;
    const char *tag = (const char *)p->event.data.scalar.tag;
    bool plain = p->event.data.scalar.plain_implicit && strlen(text) == size;
    bool as_text = tag && (strcmp(tag, YAML_STR_TAG) == 0 || strcmp(tag, "!") == 0);
    for (size_t i = 0; i < sizeof scalar_kinds / sizeof scalar_kinds[0]; i++) {
        bool asked = tag && strcmp(tag, scalar_kinds[i].tag) == 0;
        if ((asked || (!tag && plain)) && scalar_kinds[i].push(L, text)) {
            return;
        }
        if (asked) {
            fail(L, p, lua_pushfstring(L, "'%s' is no value of its tag", text));
        }
    }
    if (tag && !as_text) {
        fail(L, p, lua_pushfstring(L, "tag '%s' is not of the core schema", tag));
    }
    lua_pushlstring(L, text, size);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static void count_values(lua_State *L, parser_object *p, uint64_t more) {
    if (more > EXPANDED_MAX - p->expanded) {
        fail(L, p, "more than 1000000 values, aliases expanded");
    }
    p->expanded += more;
}

static void push_alias(lua_State *L, parser_object *p) {
    const char *name = (const char *)p->event.data.alias.anchor;
    if (lua_getfield(L, WEIGHTS, name) == LUA_TNIL) {
        fail(L, p, lua_pushfstring(L, "alias '%s' without a finished anchor before it", name));
    }
    count_values(L, p, (uint64_t)lua_tointeger(L, -1));
    lua_pop(L, 1);
    lua_getfield(L, ANCHORS, name);
}

/* The anchor's name of the current event, pushed; nil when it has none. */
static void push_anchor_name(lua_State *L, const parser_object *p) {
    const yaml_char_t *name = NULL;
    if (p->event.type == YAML_SCALAR_EVENT) {
        name = p->event.data.scalar.anchor;
    } else if (p->event.type == YAML_SEQUENCE_START_EVENT) {
        name = p->event.data.sequence_start.anchor;
    } else if (p->event.type == YAML_MAPPING_START_EVENT) {
        name = p->event.data.mapping_start.anchor;
    }
    lua_pushstring(L, (const char *)name);
}

/* The value on top gets the name beneath it, and the name goes. */
static void remember(lua_State *L, const parser_object *p, uint64_t before) {
    if (!lua_isnil(L, -2)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, ANCHORS);
        lua_pushvalue(L, -2);
        lua_pushinteger(L, (lua_Integer)(p->expanded - before));
        lua_rawset(L, WEIGHTS);
    }
    lua_remove(L, -2);
}

static void check_tag(lua_State *L, const parser_object *p, const yaml_char_t *tag,
                      const char *expected) {
    if (tag && strcmp((const char *)tag, expected) != 0 && strcmp((const char *)tag, "!") != 0) {
        fail(L, p, lua_pushfstring(L, "tag '%s' is not of the core schema", (const char *)tag));
    }
}

static void push_node(lua_State *L, parser_object *p, int depth);

static void push_sequence(lua_State *L, parser_object *p, int depth) {
    lua_Integer count = 0;
    check_tag(L, p, p->event.data.sequence_start.tag, YAML_SEQ_TAG);
    lua_newtable(L);
    for (advance(L, p); p->event.type != YAML_SEQUENCE_END_EVENT; advance(L, p)) {
        push_node(L, p, depth + 1);
        lua_rawseti(L, -2, ++count);
    }
    if (count == 0) { /* so that JSON, too, knows it for a list */
        luaL_setmetatable(L, "cns.json.array");
    }
}

static void push_mapping(lua_State *L, parser_object *p, int depth) {
    check_tag(L, p, p->event.data.mapping_start.tag, YAML_MAP_TAG);
    lua_newtable(L);
    for (advance(L, p); p->event.type != YAML_MAPPING_END_EVENT; advance(L, p)) {
        yaml_mark_t mark = p->event.start_mark;
        push_node(L, p, depth + 1);
        int type = lua_type(L, -1);
        if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN) {
            fail_at(L, mark, "a key must be text, a number or a boolean");
        }
        if (type == LUA_TNUMBER && lua_tonumber(L, -1) != lua_tonumber(L, -1)) {
            fail_at(L, mark, "NaN cannot be a key");
        }
        lua_pushvalue(L, -1);
        if (lua_rawget(L, -3) != LUA_TNIL) {
            fail_at(L, mark,
                    lua_pushfstring(L, "the key '%s' is there twice", luaL_tolstring(L, -2, NULL)));
        }
        lua_pop(L, 1);
        advance(L, p);
        push_node(L, p, depth + 1);
        lua_rawset(L, -3);
    }
}

/* The node that begins with the current event; leaves its last event current. */
static void push_node(lua_State *L, parser_object *p, int depth) {
    if (depth > DEPTH_MAX) {
        fail(L, p, "nested deeper than 100");
    }
    luaL_checkstack(L, 10, "yaml");
    if (p->event.type == YAML_ALIAS_EVENT) {
        push_alias(L, p);
        return;
    }
    uint64_t before = p->expanded;
    count_values(L, p, 1);
    if ((p->expanded & 0xfff) == 0) {
        lcns_poll(L);
    }
    push_anchor_name(L, p);
    switch (p->event.type) {
    case YAML_SCALAR_EVENT:
        push_scalar(L, p);
        break;
    case YAML_SEQUENCE_START_EVENT:
        push_sequence(L, p, depth);
        break;
    case YAML_MAPPING_START_EVENT:
        push_mapping(L, p, depth);
        break;
    default:
        fail(L, p, "a value expected");
    }
    remember(L, p, before);
}

static int yaml_decode(lua_State *L) {
    size_t size;
    luaL_checktype(L, TEXT, LUA_TSTRING);
    lua_settop(L, TEXT);
    const char *text = lua_tolstring(L, TEXT, &size);
    parser_object *p = lua_newuserdatauv(L, sizeof *p, 0);
    memset(p, 0, sizeof *p);
    luaL_setmetatable(L, NAME);
    lua_newtable(L);
    lua_newtable(L);
    if (!yaml_parser_initialize(&p->parser)) {
        return lcns_no_memory(L, "");
    }
    p->has_parser = true;
    yaml_parser_set_input_string(&p->parser, (const unsigned char *)text, size);
    advance(L, p); /* the stream's start */
    advance(L, p);
    if (p->event.type == YAML_STREAM_END_EVENT) {
        lua_pushnil(L);
    } else {
        advance(L, p);
        push_node(L, p, 1);
        advance(L, p); /* the document's end */
        advance(L, p);
        if (p->event.type != YAML_STREAM_END_EVENT) {
            fail(L, p, "one document expected");
        }
    }
    lua_pushvalue(L, PARSER);
    lua_replace(L, 1);
    parser_gc(L); /* at once: parsers are large */
    return 1;
}

static const luaL_Reg functions[] = {{"decode", yaml_decode}, {NULL, NULL}};

int lcns_open_yaml(lua_State *L) {
    lcns_type(L, NAME, NULL, NULL, parser_gc);
    luaL_newmetatable(L, "cns.json.array");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
