/* SPDX-License-Identifier: MIT
 *
 * repl.c - `cnsengine repl`: lines of Lua, read with libedit, on the engine.
 *
 * libedit is driven through its callback interface, so that the wait for keys is our own poll and
 * Ctrl-C can give up a half-typed line. While a line runs the terminal is in its ordinary mode.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <readline.h>

#include "lauxlib.h"
#include "repl.h"
#include "script.h"

enum { HISTORY_LINES = 1000, SHOWN_FIELDS = 16 };

static const char first_prompt[] = "> ";
static const char next_prompt[] = ">> ";

/* libedit's callback has no user pointer. */
static struct {
    char *line;
    bool done;
} typed;

typedef struct repl {
    script script;
    bool terminal;
    char history[PATH_MAX]; /* "" when it is not kept */
    char *chunk;            /* the lines of an unfinished statement */
    size_t chunk_size;
    bool failed;
} repl;

/* ---- history --------------------------------------------------------------------------------- */

static bool make_folders(char *path) {
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int failed = mkdir(path, 0700);
        *slash = '/';
        if (failed && errno != EEXIST) {
            return false;
        }
    }
    return true;
}

static void open_history(repl *r) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length = -1;
    if (state && *state == '/') {
        length = snprintf(r->history, sizeof r->history, "%s/cnsengine/history", state);
    } else if (home && *home == '/') {
        length = snprintf(r->history, sizeof r->history, "%s/.local/state/cnsengine/history", home);
    }
    if (length < 0 || (size_t)length >= sizeof r->history || !make_folders(r->history)) {
        r->history[0] = 0;
    }
    using_history();
    stifle_history(HISTORY_LINES);
    if (r->history[0]) {
        read_history(r->history); /* none yet is fine */
    }
}

static void keep_line(const repl *r, const char *line) {
    if (!r->terminal || !*line) {
        return;
    }
    add_history(line);
    if (r->history[0]) {
        write_history(r->history);
        chmod(r->history, 0600);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

static void on_line(char *line) {
    typed.line = line;
    typed.done = true;
    rl_callback_handler_remove();
}

/* A malloc'd line, or NULL at the end; `interrupted` when Ctrl-C gave it up. */
static char *read_from_terminal(const char *prompt, bool *interrupted) {
    typed.line = NULL;
    typed.done = false;
    fflush(stdout);
    rl_callback_handler_install(prompt, on_line);
    while (!typed.done) {
        struct pollfd wait = {.fd = 0, .events = POLLIN};
        int ready = poll(&wait, 1, -1);
        if (watchdog_reason() != STOP_NONE) {
            rl_callback_handler_remove();
            puts("^C");
            watchdog_reset();
            *interrupted = true;
            return NULL;
        }
        if (ready == 1) {
            rl_callback_read_char();
        } else if (ready < 0 && errno != EINTR) {
            rl_callback_handler_remove();
            return NULL;
        }
    }
    return typed.line;
}

static void drop_chunk(repl *r) {
    free(r->chunk);
    r->chunk = NULL;
    r->chunk_size = 0;
}

static char *read_from_pipe(repl *r) {
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, stdin)) >= 0) {
        if (!memchr(line, 0, (size_t)length)) {
            line[strcspn(line, "\n")] = 0;
            return line;
        }
        cli_error("a line with a zero byte is not Lua");
        r->failed = true;
        drop_chunk(r);
    }
    free(line);
    return NULL;
}

/* ---- evaluating ------------------------------------------------------------------------------ */

/* Appends the line to the chunk. false without memory. */
static bool add_line(repl *r, const char *line) {
    size_t length = strlen(line);
    char *grown = realloc(r->chunk, r->chunk_size + length + 2);
    if (!grown) {
        cli_error("not enough memory");
        return false;
    }
    r->chunk = grown;
    if (r->chunk_size) {
        r->chunk[r->chunk_size++] = '\n';
    }
    memcpy(r->chunk + r->chunk_size, line, length + 1);
    r->chunk_size += length;
    return true;
}

/* Compiles the chunk, as an expression if it is one. In protected mode; pushes the function or the
 * message, and the status. */
static int compile(lua_State *L) {
    const repl *r = lua_touserdata(L, 1);
    lua_pushfstring(L, "return %s", r->chunk);
    size_t length;
    const char *text = lua_tolstring(L, -1, &length);
    int status = luaL_loadbufferx(L, text, length, "=stdin", "t");
    if (status != LUA_OK) {
        lua_pop(L, 1);
        status = luaL_loadbufferx(L, r->chunk, r->chunk_size, "=stdin", "t");
    }
    lua_pushinteger(L, status);
    return 2;
}

/* The parser stopped at the end of the text: more lines may complete it. */
static bool is_incomplete(lua_State *L, int status) {
    static const char mark[] = "<eof>";
    size_t length;
    const char *message = lua_tolstring(L, -1, &length);
    return status == LUA_ERRSYNTAX && message && length >= sizeof mark - 1 &&
           strcmp(message + length - (sizeof mark - 1), mark) == 0;
}

static void print_key(lua_State *L, int index) {
    if (lua_type(L, index) == LUA_TSTRING) {
        printf("%s = ", lua_tostring(L, index));
    } else {
        printf("[%s] = ", luaL_tolstring(L, index, NULL));
        lua_pop(L, 1);
    }
}

/* A table without __tostring: its first fields, one level deep. */
static void print_table(lua_State *L, int index) {
    int shown = 0;
    lua_Integer next = 1;
    fputc('{', stdout);
    lua_pushnil(L);
    while (lua_next(L, index)) {
        int value = lua_gettop(L);
        if (shown == SHOWN_FIELDS) {
            fputs(", ...", stdout);
            lua_pop(L, 2);
            break;
        }
        fputs(shown++ ? ", " : "", stdout);
        if (lua_isinteger(L, value - 1) && lua_tointeger(L, value - 1) == next) {
            next++;
        } else {
            print_key(L, value - 1);
        }
        const char *quote = lua_type(L, value) == LUA_TSTRING ? "\"" : "";
        printf("%s%s%s", quote, luaL_tolstring(L, value, NULL), quote);
        lua_settop(L, value - 1);
    }
    fputs("}\n", stdout);
}

/* Runs __tostring, so it is called like the line itself. */
static int print_results(lua_State *L) {
    int count = lua_gettop(L);
    luaL_checkstack(L, 10, "too many results to print");
    for (int i = 1; i <= count; i++) {
        if (lua_istable(L, i) && !luaL_getmetafield(L, i, "__tostring") &&
            !luaL_getmetafield(L, i, "__name")) {
            print_table(L, i);
        } else {
            size_t length;
            const char *text = luaL_tolstring(L, i, &length);
            fwrite(text, 1, length, stdout);
            fputc('\n', stdout);
        }
        lua_settop(L, count);
    }
    return 0;
}

static void report_failure(repl *r) {
    stop_reason stop = watchdog_reason();
    script *s = &r->script;
    r->failed = true;
    fflush(stdout);
    script_host_clear_status(&s->host);
    if (stop != STOP_NONE) {
        fputs(r->terminal ? "\ninterrupted\n" : "interrupted\n", stderr);
    } else {
        script_error_print(stderr, &s->error, s->error.memory ? "memory limit" : "error",
                           cli_colors(2));
    }
    lua_settop(s->L, 0);
}

/* Runs the compiled function on top and prints what it returns. */
static void evaluate(repl *r) {
    script *s = &r->script;
    lua_State *L = s->L;
    int status = script_call(s, 0, LUA_MULTRET);
    if (status == LUA_OK && lua_gettop(L) > 0) {
        int count = lua_gettop(L);
        lua_pushcfunction(L, print_results);
        lua_insert(L, 1);
        status = script_call(s, count, 0);
    }
    if (status != LUA_OK) {
        report_failure(r);
    }
    watchdog_reset();
    lua_settop(L, 0);
}

/* Compiles and runs what has been typed; keeps it when it is not complete yet. */
static void take_chunk(repl *r) {
    script *s = &r->script;
    lua_State *L = s->L;
    lua_pushcfunction(L, compile);
    lua_pushlightuserdata(L, r);
    int status = script_call(s, 1, 2);
    if (status == LUA_OK) {
        status = (int)lua_tointeger(L, -1);
        lua_pop(L, 1);
        if (is_incomplete(L, status)) {
            lua_settop(L, 0);
            return;
        }
    }
    if (status == LUA_OK) {
        evaluate(r);
    } else {
        script_error_take(L, &s->error);
        report_failure(r);
        script_error_deinit(&s->error);
    }
    drop_chunk(r);
}

static void loop(repl *r) {
    for (;;) {
        bool interrupted = false;
        const char *prompt = r->chunk_size ? next_prompt : first_prompt;
        char *line = r->terminal ? read_from_terminal(prompt, &interrupted) : read_from_pipe(r);
        if (interrupted) {
            drop_chunk(r);
            continue;
        }
        if (!line) {
            break;
        }
        keep_line(r, line);
        if (add_line(r, line)) {
            take_chunk(r);
        } else {
            drop_chunk(r);
        }
        free(line);
    }
    if (r->chunk_size) {
        cli_error("the last statement is not complete");
        r->failed = true;
    }
    if (r->terminal) {
        putchar('\n');
    }
}

/* ---- the command ----------------------------------------------------------------------------- */

static int start(repl *r, script_options *options) {
    lua_State *L = r->script.L;
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
    lua_getfield(L, -1, "cns");
    lua_setglobal(L, "cns"); /* at hand without a require */
    lua_settop(L, 0);
    const watchdog_config config = {.user = r, .patient = true};
    int error = watchdog_start(&config);
    if (error) {
        cli_error("the watchdog does not start: %s", strerror(error));
        return CLI_FAILURE;
    }
    /* Known to the watchdog before it first runs Lua, so that Ctrl-C wakes the first prompt too. */
    watchdog_enter(L);
    watchdog_leave();
    r->terminal = cli_is_terminal(0) && cli_is_terminal(1);
    if (r->terminal) {
        rl_readline_name = "cnsengine";
        rl_catch_signals = 0;
        open_history(r);
        repl_complete_init(L);
        if (!options->quiet) {
            printf("cnsengine %s, %s. Ctrl-D ends, Tab completes.\n", cns_version_string(),
                   LUA_RELEASE);
        }
    }
    loop(r);
    return r->failed && !r->terminal ? CLI_FAILURE : CLI_SUCCESS;
}

static int run_repl(const cli_command *command, int argc, char **argv) {
    static repl r;
    script_options options;
    int read = script_options_read(&options, command, argc, argv);
    int code = read == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    if (read == CLI_END && options.argc > 0) {
        code = cli_usage(command, "unexpected argument '%s'", options.argv[0]);
    } else if (read == CLI_END) {
        code = script_open(&r.script, &options);
        if (code == CLI_SUCCESS) {
            code = start(&r, &options);
            script_close_state(&r.script);
            watchdog_finish();
        }
        script_close(&r.script);
        drop_chunk(&r);
    }
    script_options_deinit(&options);
    return code;
}

const cli_command cli_repl_command = {
    .name = "repl",
    .summary = "type Lua, see values: line editing, history, completion",
    .usage = "[OPTION]...",
    .text = "Reads Lua line by line and prints the values of expressions. The module is\n"
            "there as the global cns; Tab completes names, fields and methods. Ctrl-C gives\n"
            "up a line or stops what runs (a second one ends the process), Ctrl-D ends. A\n"
            "pipe works too.",
    .options = script_repl_option_table,
    .notes = "History is kept in $XDG_STATE_HOME/cnsengine/history ($XDG_STATE_HOME is\n"
             "~/.local/state by default).",
    .examples = "  cnsengine repl\n"
                "  echo 'cns.hash.blake3(\"abc\")' | cnsengine repl\n",
    .run = run_repl,
};
