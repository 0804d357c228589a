/* SPDX-License-Identifier: MIT
 *
 * errors.c - what is shown when a script fails: the message, its line among its neighbours, the
 * traceback.
 *
 * The handler copies what it needs out of the Lua state, which may be out of memory afterwards.
 */
#define _GNU_SOURCE

#include <stdlib.h>
#include <string.h>

#include "lauxlib.h"
#include "module.h"
#include "script.h"

enum { LONGEST_MESSAGE = 8000, NEIGHBOURS = 2, LONGEST_LINE = 110 };

static char *copy_text(const char *text, size_t length, size_t longest) {
    bool cut = length > longest;
    length = cut ? longest : length;
    char *copy = malloc(length + 4);
    if (copy) {
        memcpy(copy, text, length);
        memcpy(copy + length, cut ? "..." : "", cut ? 4 : 1);
    }
    return copy;
}

/* "name:LINE: " at the start of the message: LINE, or 0. */
static int leading_line(const char *message, const char *name) {
    size_t length = strlen(name);
    if (strncmp(message, name, length) != 0 || message[length] != ':') {
        return 0;
    }
    char *end;
    long line = strtol(message + length + 1, &end, 10);
    return *end == ':' && line > 0 && line < 1000000000 ? (int)line : 0;
}

static void set_place(script_error *error, const char *source, size_t length, int line) {
    free(error->source);
    error->source = copy_text(source, length, 1 << 20);
    error->line = line;
}

/* The place that the message names, if it is on the stack; else the innermost Lua function. */
static void find_place(lua_State *L, script_error *error) {
    lua_Debug activation;
    int top = lua_gettop(L);
    for (int level = 0; level < 200 && lua_getstack(L, level, &activation); level++) {
        if (!lua_getinfo(L, "Sl", &activation) || activation.currentline <= 0) {
            continue;
        }
        int line = leading_line(error->message, activation.short_src);
        if (line || !error->source) {
            set_place(error, activation.source, activation.srclen,
                      line ? line : activation.currentline);
        }
        if (line) {
            break;
        }
    }
    lua_settop(L, top);
}

/* Runs __tostring, so under its own pcall. */
static int describe_value(lua_State *L) {
    if (lua_isnil(L, 1)) {
        lua_pushliteral(L, "error object is nil");
    } else if (lua_type(L, 1) == LUA_TTABLE && !luaL_getmetafield(L, 1, "__tostring") &&
               lua_getfield(L, 1, "message") == LUA_TSTRING) {
        return 1;
    } else if (lua_type(L, 1) == LUA_TSTRING || luaL_getmetafield(L, 1, "__tostring")) {
        luaL_tolstring(L, 1, NULL);
    } else {
        lua_pushfstring(L, "error object is a %s value", luaL_typename(L, 1));
    }
    return 1;
}

static void take_message(lua_State *L, script_error *error, int index) {
    size_t length = 0;
    const char *text = NULL;
    int top = lua_gettop(L);
    index = lua_absindex(L, index);
    if (lua_type(L, index) == LUA_TSTRING) {
        text = lua_tolstring(L, index, &length);
    } else if (lua_checkstack(L, 4)) {
        lua_pushcfunction(L, describe_value);
        lua_pushvalue(L, index);
        if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING) {
            text = lua_tolstring(L, -1, &length);
        } else {
            text = "error object whose __tostring fails";
            length = strlen(text);
        }
    }
    error->memory = lcns_is_memory_error(L, index);
    free(error->message);
    error->message = text ? copy_text(text, length, LONGEST_MESSAGE) : strdup("unknown error");
    lua_settop(L, top);
}

static int handler(lua_State *L) {
    script_error *error = lua_touserdata(L, lua_upvalueindex(1));
    script_error_deinit(error);
    take_message(L, error, 1);
    if (error->message) {
        find_place(L, error);
        luaL_traceback(L, L, NULL, 1);
        size_t length;
        const char *text = lua_tolstring(L, -1, &length);
        error->traceback = copy_text(text, length, LONGEST_MESSAGE);
        lua_pop(L, 1);
    }
    return 1;
}

void script_error_push_handler(lua_State *L, script_error *error) {
    lua_pushlightuserdata(L, error);
    lua_pushcclosure(L, handler, 1);
}

void script_error_take(lua_State *L, script_error *error) {
    if (!error->message) {
        take_message(L, error, -1);
    }
}

void script_error_find_syntax(script_error *error, const char *path) {
    size_t length = strlen(path);
    int line = error->message ? leading_line(error->message, path) : 0;
    char *source = line ? malloc(length + 2) : NULL;
    if (source) {
        source[0] = '@';
        memcpy(source + 1, path, length + 1);
        free(error->source);
        error->source = source;
        error->line = line;
    }
}

void script_error_deinit(script_error *error) {
    free(error->message);
    free(error->traceback);
    free(error->source);
    *error = (script_error){0};
}

/* ---- printing -------------------------------------------------------------------------------- */

/* Control characters could play tricks with the terminal. */
static void print_clean(FILE *stream, const char *text) {
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        fputc((c < 32 && c != '\n' && c != '\t') || c == 127 ? '?' : c, stream);
    }
}

typedef struct excerpt {
    int line, target;
    size_t column;
    FILE *stream;
    bool colors;
} excerpt;

static void excerpt_begin_line(excerpt *e) {
    bool here = e->line == e->target;
    const char *on = e->colors ? (here ? "\033[1m" : "\033[2m") : "";
    fprintf(e->stream, "%s %s %5d | ", on, here ? ">" : " ", e->line);
}

/* One character of the source; lines far from the target are skipped. */
static void excerpt_put(excerpt *e, int c) {
    bool near = e->line >= e->target - NEIGHBOURS && e->line <= e->target + NEIGHBOURS;
    if (near && e->column == 0) {
        excerpt_begin_line(e);
    }
    e->column++;
    if (c == '\n') {
        if (near) {
            fputs(e->colors ? "\033[0m\n" : "\n", e->stream);
        }
        e->line++;
        e->column = 0;
    } else if (near && e->column <= LONGEST_LINE) {
        fputc(c == '\t' ? ' ' : c < 32 || c == 127 ? '?' : c, e->stream);
    }
}

static void print_excerpt(FILE *stream, const script_error *error, bool colors) {
    excerpt e = {.line = 1, .target = error->line, .stream = stream, .colors = colors};
    int last = error->line + NEIGHBOURS;
    if (error->source[0] == '@') {
        FILE *file = fopen(error->source + 1, "r");
        if (!file) {
            return;
        }
        fputc('\n', stream);
        for (int c; e.line <= last && (c = fgetc(file)) != EOF;) {
            excerpt_put(&e, c);
        }
        fclose(file);
    } else if (error->source[0] != '=') {
        fputc('\n', stream);
        for (const char *c = error->source; e.line <= last && *c; c++) {
            excerpt_put(&e, (unsigned char)*c);
        }
    } else {
        return;
    }
    if (e.column > 0) {
        excerpt_put(&e, '\n');
    }
    fputc('\n', stream);
}

void script_error_print(FILE *stream, const script_error *error, const char *title, bool colors) {
    fprintf(stream, "%s%s:%s ", colors ? "\033[1;31m" : "", title, colors ? "\033[0m" : "");
    print_clean(stream, error->message ? error->message : "unknown error");
    fputc('\n', stream);
    if (error->source && error->line > 0) {
        print_excerpt(stream, error, colors);
    }
    if (error->traceback) {
        print_clean(stream, error->traceback);
        fputc('\n', stream);
    }
    fflush(stream);
}
