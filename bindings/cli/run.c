/* SPDX-License-Identifier: MIT
 *
 * run.c - `cnsengine run` and `cnsengine bench`: a script under limits, from the command line to
 * the exit code.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "script.h"

enum { CLOSING_SECONDS = 3 };

typedef struct outcome {
    int code;
    const char *reason; /* for reports */
    const char *title;  /* for people; NULL: one line is enough */
} outcome;

static outcome judge(const script_error *error, stop_reason stop) {
    if (stop == STOP_INTERRUPT) {
        return (outcome){CLI_INTERRUPTED, "interrupted", NULL};
    }
    if (stop == STOP_TIME) {
        return (outcome){CLI_LIMIT, "limit", "time limit"};
    }
    if (error->memory) {
        return (outcome){CLI_LIMIT, "limit", "memory limit"};
    }
    return (outcome){CLI_SCRIPT_ERROR, "script error", "script error"};
}

/* After an error: says it, and writes the reports from what was published. */
static int conclude(script *s, stop_reason stop) {
    outcome o = judge(&s->error, stop);
    if (stop != STOP_NONE) {
        watchdog_last_resort(CLOSING_SECONDS, o.code); /* until the process ends */
    }
    fflush(stdout);
    script_host_clear_status(&s->host);
    const char *message = s->error.message ? s->error.message : o.reason;
    if (o.title) {
        script_error_print(stderr, &s->error, o.title, cli_colors(2));
    } else {
        cli_error("%s", message);
    }
    script_write_partial(&s->host, o.reason, message);
    return o.code;
}

static int execute(script *s) {
    lua_State *L = s->L;
    int status = script_load_file(L, s->options->script);
    if (status == LUA_OK) {
        int count = s->options->argc;
        if (!lua_checkstack(L, count + 8)) {
            cli_error("too many arguments for the script");
            return CLI_USAGE;
        }
        for (int i = 0; i < count; i++) {
            lua_pushstring(L, s->options->argv[i]);
        }
        status = script_call(s, count, 0);
    } else {
        script_error_take(L, &s->error);
        script_error_find_syntax(&s->error, s->options->script);
    }
    stop_reason stop = watchdog_settle();
    if (status != LUA_OK) {
        return conclude(s, stop);
    }
    script_host_clear_status(&s->host);
    script_host_warn_unused(&s->host);
    if (!s->host.verdict_given && script_wants_report(s->options)) {
        cli_error("no report: the script ended without giving its result to cns.report");
        return CLI_SCRIPT_ERROR;
    }
    return s->host.verdict;
}

/* On the watchdog's thread, while the script's sits in a C function: nothing can be unwound. */
static void on_stuck(void *user, stop_reason reason) {
    script *s = user;
    outcome o = judge(&(script_error){0}, reason);
    watchdog_last_resort(CLOSING_SECONDS, o.code);
    if (ftrylockfile(stdout) == 0) {
        fflush(stdout);
        funlockfile(stdout);
    }
    script_host_clear_status(&s->host);
    cli_error("%s; the script was in a call that could not be broken off, so the process ends",
              watchdog_text(reason));
    script_write_partial(&s->host, o.reason, watchdog_text(reason));
    if (ftrylockfile(stdout) == 0) {
        fflush(stdout);
    }
    _exit(o.code);
}

/* A wrong path is a wrong command line, not a failing script. */
static int check_script(const cli_command *command, const char *path) {
    struct stat status;
    if (strcmp(path, "-") == 0) {
        return CLI_SUCCESS;
    }
    if (stat(path, &status) != 0) {
        return cli_usage(command, "cannot open %s: %s", path, strerror(errno));
    }
    if (S_ISDIR(status.st_mode)) {
        return cli_usage(command, "%s is a directory, not a script", path);
    }
    if (access(path, R_OK) != 0) {
        return cli_usage(command, "cannot open %s: %s", path, strerror(errno));
    }
    return CLI_SUCCESS;
}

static int run_limited(script *s, script_options *options) {
    const watchdog_config config = {
        .time_limit_ns = options->time_ns, .cancel = s->cancel, .stuck = on_stuck, .user = s};
    int error = watchdog_start(&config);
    if (error) {
        cli_error("the watchdog does not start: %s", strerror(error));
        return CLI_FAILURE;
    }
    if (options->seed_drawn && !options->quiet) {
        fprintf(stderr, "seed %lld (--seed %lld repeats this run)\n", (long long)options->seed,
                (long long)options->seed);
    }
    return execute(s);
}

static int run_script(const cli_command *command, script_options *options) {
    int code = check_script(command, options->script);
    if (code != CLI_SUCCESS) {
        return code;
    }
    static script s; /* outlives this frame if the watchdog ends the process */
    code = script_open(&s, options);
    bool started = code == CLI_SUCCESS;
    if (started) {
        code = run_limited(&s, options);
        code = cli_finish_output(code);
    }
    script_close_state(&s);
    if (started) {
        watchdog_finish();
    }
    script_close(&s);
    return code;
}

static int run_command(const cli_command *command, int argc, char **argv) {
    script_options options;
    char found[PATH_MAX];
    int code = CLI_USAGE;
    int read = script_options_read(&options, command, argc, argv);
    if (read == CLI_HELP) {
        code = CLI_SUCCESS;
    } else if (read == CLI_END) {
        if (command == &cli_bench_command) {
            options.script = cli_find_script("bench.lua", found, sizeof found) ? found : NULL;
        }
        if (options.script) {
            code = run_script(command, &options);
        } else if (command == &cli_bench_command) {
            cli_error("scripts/bench.lua was not found here nor beside the installation");
            code = CLI_FAILURE;
        } else {
            cli_usage(command, "which script? cnsengine run SCRIPT");
        }
    }
    script_options_deinit(&options);
    return code;
}

static const char notes[] =
    "Limits hold even if the script swallows errors. Ctrl-C, SIGTERM and the time\n"
    "limit stop the script at its next instruction, on every thread; when it is still\n"
    "inside a C function one second later, the process ends. Either way the reports\n"
    "are written from what the script had published, marked as partial. A second\n"
    "Ctrl-C ends the process at once.\n"
    "Chunks are text: precompiled Lua is refused.\n"
    "\n"
    "Exit codes:\n"
    "    0  success\n"
    "    1  script error (also: output was lost, or no report came of the script)\n"
    "    2  usage, and scripts that cannot be opened\n"
    "    3  check failed\n"
    "    4  threshold missed\n"
    "    5  inconclusive\n"
    "    6  limit of memory or time reached\n"
    "  130  interrupted";

const cli_command cli_run_command = {
    .name = "run",
    .summary = "run a Lua script on the engine, under limits, with reports",
    .usage = "[OPTION]... SCRIPT [-- ARGUMENT]...",
    .text = "Runs SCRIPT (- for stdin) with the module cns and the stdlib at hand.",
    .options = script_option_table,
    .notes = notes,
    .examples = "  cnsengine run scripts/stress.lua --json out.json\n"
                "  cnsengine run scripts/stress.lua --set scale=2 --seed 7 --report report\n"
                "  cnsengine run model.lua --memory 512M --time-limit 30 -- input.txt\n",
    .run = run_command,
};

const cli_command cli_bench_command = {
    .name = "bench",
    .summary = "run the benchmarks, scripts/bench.lua",
    .usage = "[OPTION]... [-- ARGUMENT]...",
    .text = "Runs scripts/bench.lua from the working folder, the source tree or the\n"
            "installation.",
    .options = script_option_table,
    .notes = notes,
    .examples = "  cnsengine bench\n"
                "  cnsengine bench --set only=hash --json bench.json\n",
    .run = run_command,
};
