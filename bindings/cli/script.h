/* SPDX-License-Identifier: MIT
 *
 * script.h - the script host: a Lua state on a budgeted heap, what a script is told, its errors.
 */
#ifndef CNS_CLI_SCRIPT_H
#define CNS_CLI_SCRIPT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli.h"
#include "cns/cns.h"
#include "lua.h"
#include "watchdog.h"

/* ---- options.c: what the command line asks for ----------------------------------------------- */

typedef struct script_set {
    const char *name; /* owned by the options */
    const char *text;
    _Atomic bool used; /* host.param asked for it */
} script_set;

typedef struct script_options {
    const char *script; /* NULL in the repl */
    int argc;           /* arguments of the script */
    char **argv;
    script_set *sets;
    size_t set_count;
    const char *config;
    char *config_text; /* the file's contents, NULL without --config */
    size_t config_size;
    int64_t seed;
    bool seed_drawn;
    uint32_t threads; /* 0: from the machine */
    uint64_t memory;  /* bytes; 0: no limit */
    uint64_t time_ns; /* 0: no limit */
    const char *report_dir, *json_path, *junit_path;
    bool quiet;
    char *command_line;
} script_options;

/* Reads the arguments of `run` or `bench`. CLI_END, or CLI_BAD or CLI_HELP after printing. */
int script_options_read(script_options *options, const cli_command *command, int argc, char **argv);
void script_options_deinit(script_options *options);
bool script_wants_report(const script_options *options); /* --report, --json or --junit */
extern const cli_option script_option_table[];
extern const cli_option script_repl_option_table[];

/* ---- errors.c -------------------------------------------------------------------------------- */

typedef struct script_error {
    char *message;   /* owned, as all three; NULL for no error */
    char *traceback; /* may be NULL */
    char *source;    /* "@path" or the chunk's text; may be NULL */
    int line;
    bool memory; /* an error of memory: the module says so, the message is not asked */
} script_error;

/* Pushes the message handler that fills in `error`. */
void script_error_push_handler(lua_State *L, script_error *error);
/* After a call that failed: takes the message from the top of the stack if no handler ran. */
void script_error_take(lua_State *L, script_error *error);
/* A syntax error has only its message to tell the line. */
void script_error_find_syntax(script_error *error, const char *path);
/* The message, the line with its neighbours, the traceback. */
void script_error_print(FILE *stream, const script_error *error, const char *title, bool colors);
void script_error_deinit(script_error *error);

/* ---- host.c: `cns.host` ---------------------------------------------------------------------- */

typedef struct script_host {
    script_options *options;
    uint64_t begin_ns;
    pthread_mutex_t lock; /* guards what follows: tasks may report status too */
    char *published;      /* the last snapshot, malloc'd; NULL for none */
    size_t published_size;
    bool status_shown;
    uint64_t status_ns;       /* when a status line was last written */
    _Atomic bool params_read; /* the script took host.params itself */
    int verdict;              /* a cli_exit */
    bool verdict_given;
} script_host;

void script_host_init(script_host *host, script_options *options);
void script_host_deinit(script_host *host);
/* Puts the table into package.loaded["cns.host"]. `main`: may publish and give the verdict. Raises
 * when --config or --set make no sense. The module `cns` is open. */
void script_host_open(lua_State *L, script_host *host, bool main);
void script_host_clear_status(script_host *host);
/* Names --set parameters that the script never asked for. */
void script_host_warn_unused(const script_host *host);

/* ---- guard.c: the standard library, tightened ------------------------------------------------ */

/* Text chunks only; no way around the account of coroutines; nothing in `debug` that could break
 * C code; os.execute and os.exit under the limits; warnings shown; package.path with the stdlib and
 * the folder of `script_path` (may be NULL). For main and worker states, after luaL_openlibs. */
void script_guard_install(lua_State *L, const char *script_path, bool main);
/* Loads text from a file ("-": stdin) like luaL_loadfile. */
int script_load_file(lua_State *L, const char *path);

/* ---- script.c: life of a script -------------------------------------------------------------- */

typedef struct script {
    script_options *options;
    script_host host;
    script_error error;
    cns_context *context;
    cns_heap *heap;
    cns_cancel *cancel;
    lua_State *L;
    bool interactive; /* no script: a stop must not be for ever */
} script;

/* Everything up to an open state. CLI_SUCCESS, or an exit code after printing why. */
int script_open(script *s, script_options *options);
/* Lets error paths use the memory kept back for them. */
void script_use_reserve(script *s, bool on);
/* Calls the function below `arguments` values on the stack, with the message handler. */
int script_call(script *s, int arguments, int results);
/* Closes the Lua state, still under the watchdog: finalizers may loop. */
void script_close_state(script *s);
/* The rest; the watchdog, which knows the script's token, is finished by now. */
void script_close(script *s);

/* ---- partial.c ------------------------------------------------------------------------------- */

/* Writes the reports of a run that was cut off from its last published snapshot, in a Lua state of
 * its own. `reason`: "interrupted", "limit", "script error". Any thread. */
void script_write_partial(script_host *host, const char *reason, const char *message);

#endif
