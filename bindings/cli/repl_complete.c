/* SPDX-License-Identifier: MIT
 *
 * repl_complete.c - completes globals, fields, methods and keywords.
 *
 * Only raw look-ups: pressing Tab must not run a script's __index. libedit's callbacks carry no
 * user pointer, hence the static state; there is one terminal.
 */
#define _GNU_SOURCE

#include "repl.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <readline.h>

#include "lauxlib.h"

enum { MOST_MATCHES = 1000, DEEPEST_INDEX = 10 };

static struct {
    lua_State *L;
    char **matches; /* the list being handed to libedit */
    size_t count, next;
} completion;

static const char *const keywords[] = {"and",   "break", "do",       "else", "elseif", "end",
                                       "false", "for",   "function", "goto", "if",     "in",
                                       "local", "nil",   "not",      "or",   "repeat", "return",
                                       "then",  "true",  "until",    "while"};

static bool is_name(const char *text) {
    if (!isalpha((unsigned char)*text) && *text != '_') {
        return false;
    }
    while (isalnum((unsigned char)*text) || *text == '_') {
        text++;
    }
    return !*text;
}

static void add_match(const char *base, size_t base_length, const char *name) {
    for (size_t i = 0; i < completion.count; i++) {
        if (strcmp(completion.matches[i] + base_length, name) == 0) {
            return;
        }
    }
    size_t size = base_length + strlen(name) + 1;
    char *match = completion.count < MOST_MATCHES ? malloc(size) : NULL;
    if (match) {
        memcpy(match, base, base_length);
        memcpy(match + base_length, name, size - base_length);
        completion.matches[completion.count++] = match;
    }
}

/* The names in the table on top that begin with `prefix`. */
static void add_keys(lua_State *L, const char *text, size_t base, bool methods) {
    const char *prefix = text + base;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || (methods && !lua_isfunction(L, -1))) {
            continue;
        }
        const char *name = lua_tostring(L, -2);
        if (strncmp(name, prefix, strlen(prefix)) == 0 && is_name(name)) {
            add_match(text, base, name);
        }
    }
}

/* Replaces the value on top by its metatable's __index table; false when there is none. */
static bool to_index_table(lua_State *L) {
    if (!lua_getmetatable(L, -1)) {
        return false;
    }
    lua_pushliteral(L, "__index");
    lua_rawget(L, -2);
    lua_replace(L, -3);
    lua_pop(L, 1);
    return lua_istable(L, -1);
}

static void add_fields(lua_State *L, const char *text, size_t base, bool methods) {
    if (lua_istable(L, -1)) {
        add_keys(L, text, base, methods);
    }
    for (int depth = 0; depth < DEEPEST_INDEX && to_index_table(L); depth++) {
        add_keys(L, text, base, methods);
    }
}

/* Replaces the value on top by its field, raw or through __index tables. */
static void to_field(lua_State *L, const char *name, size_t length) {
    for (int depth = 0; depth < DEEPEST_INDEX; depth++) {
        if (lua_istable(L, -1)) {
            lua_pushlstring(L, name, length);
            lua_rawget(L, -2);
            if (!lua_isnil(L, -1)) {
                lua_replace(L, -2);
                return;
            }
            lua_pop(L, 1);
        }
        if (!to_index_table(L)) {
            break;
        }
    }
    lua_pop(L, 1);
    lua_pushnil(L);
}

/* In protected mode. `text` is a chain such as cns.hash.bl or buffer:fi. */
static int find_matches(lua_State *L) {
    const char *text = lua_touserdata(L, 1), *part = text;
    luaL_checkstack(L, 10, "completion");
    lua_pushglobaltable(L);
    for (size_t length; (length = strcspn(part, ".:"), part[length]); part += length + 1) {
        to_field(L, part, length);
    }
    size_t base = (size_t)(part - text);
    if (base == 0) {
        for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
            if (strncmp(keywords[i], text, strlen(text)) == 0) {
                add_match(text, 0, keywords[i]);
            }
        }
    }
    add_fields(L, text, base, base > 0 && text[base - 1] == ':');
    return 0;
}

static char *next_match(const char *text, int state) {
    (void)text;
    if (state == 0) {
        completion.next = 0;
    }
    return completion.next < completion.count ? strdup(completion.matches[completion.next++])
                                              : NULL;
}

static char **complete(const char *text, int start, int end) {
    (void)start;
    (void)end;
    lua_State *L = completion.L;
    rl_attempted_completion_over = 1; /* no file names */
    rl_completion_append_character = 0;
    completion.matches = calloc(MOST_MATCHES, sizeof *completion.matches);
    completion.count = 0;
    if (!completion.matches) {
        return NULL;
    }
    int top = lua_gettop(L);
    lua_pushcfunction(L, find_matches);
    lua_pushlightuserdata(L, (void *)text);
    (void)lua_pcall(L, 1, 0, 0); /* out of memory: fewer matches */
    lua_settop(L, top);
    char **list = completion.count ? rl_completion_matches(text, next_match) : NULL;
    for (size_t i = 0; i < completion.count; i++) {
        free(completion.matches[i]);
    }
    free(completion.matches);
    completion.matches = NULL;
    return list;
}

void repl_complete_init(lua_State *L) {
    static char breaks[] = " \t\n\"\\'`@$><=;|&{(,+-*/%^#~[])}!?";
    completion.L = L;
    rl_completer_word_break_characters = breaks;
    rl_basic_word_break_characters = breaks;
    rl_attempted_completion_function = complete;
}
