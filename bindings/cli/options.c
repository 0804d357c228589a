/* SPDX-License-Identifier: MIT
 *
 * options.c - the options of `cnsengine run`, as a table, and their values checked.
 */
#define _GNU_SOURCE

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "script.h"

enum { SET = 1, CONFIG, SEED, THREADS, MEMORY, TIME_LIMIT, REPORT, JSON, JUNIT, QUIET };

const cli_option script_option_table[] = {
    {SET, "--set", 's', "K=V", "a parameter of the script; a.b=V sets a nested one"},
    {CONFIG, "--config", 'c', "FILE", "parameters from a YAML file; --set wins"},
    {SEED, "--seed", 0, "N", "the run's random seed; drawn and printed if not given"},
    {THREADS, "--threads", 't', "N", "workers of the default pool; else from the machine"},
    {MEMORY, "--memory", 'm', "SIZE", "memory for all of the script: 512M, \"1.5 GiB\""},
    {TIME_LIMIT, "--time-limit", 0, "S", "seconds, or 500ms, 2min, 1h"},
    {REPORT, "--report", 'r', "DIR", "write Markdown, HTML and JSON reports into DIR"},
    {JSON, "--json", 'j', "FILE", "write the results as JSON"},
    {JUNIT, "--junit", 0, "FILE", "write the checks as JUnit XML"},
    {QUIET, "--quiet", 'q', NULL, "no progress, no summary"},
    {0, NULL, 0, NULL, NULL},
};

const cli_option script_repl_option_table[] = {
    {SET, "--set", 's', "K=V", "a parameter, for require 'cns.host'"},
    {CONFIG, "--config", 'c', "FILE", "parameters from a YAML file; --set wins"},
    {SEED, "--seed", 0, "N", "the random seed"},
    {THREADS, "--threads", 't', "N", "workers of the default pool; else from the machine"},
    {MEMORY, "--memory", 'm', "SIZE", "memory for everything: 512M, \"1.5 GiB\""},
    {QUIET, "--quiet", 'q', NULL, "no greeting"},
    {0, NULL, 0, NULL, NULL},
};

static int64_t draw_seed(void) {
    uint32_t seed = 0;
    if (getrandom(&seed, sizeof seed, 0) != (ssize_t)sizeof seed) {
        struct timespec time;
        clock_gettime(CLOCK_REALTIME, &time);
        seed = (uint32_t)time.tv_nsec ^ (uint32_t)time.tv_sec;
    }
    return seed;
}

/* --set K=V: the name must be words joined by dots. */
static bool add_set(script_options *options, const cli_command *command, const char *value) {
    const char *equals = strchr(value, '=');
    bool bad = !equals || equals == value || value[0] == '.' || equals[-1] == '.';
    for (const char *c = value; !bad && c < equals; c++) {
        bad = c[0] == '.' && c[1] == '.';
    }
    if (bad) {
        cli_usage(command, "--set %s: want NAME=VALUE, as in scale=2 or server.port=80", value);
        return false;
    }
    script_set *set = &options->sets[options->set_count++];
    set->name = strndup(value, (size_t)(equals - value));
    set->text = equals + 1;
    atomic_init(&set->used, false);
    return set->name != NULL;
}

static bool bad_value(const cli_command *command, const cli_args *args, const char *wanted) {
    cli_usage(command, "%s %s: want %s", args->option->name, args->value, wanted);
    return false;
}

static bool apply(script_options *options, const cli_command *command, const cli_args *args,
                  int id) {
    int64_t integer;
    switch (id) {
    case SET:
        return add_set(options, command, args->value);
    case CONFIG:
        options->config = args->value;
        return true;
    case SEED:
        if (!cli_parse_integer(args->value, INT64_MIN, INT64_MAX, &options->seed)) {
            return bad_value(command, args, "an integer");
        }
        options->seed_drawn = false;
        return true;
    case THREADS:
        if (!cli_parse_integer(args->value, 1, 1024, &integer)) {
            return bad_value(command, args, "an integer from 1 to 1024");
        }
        options->threads = (uint32_t)integer;
        return true;
    case MEMORY:
        return (cli_parse_size(args->value, &options->memory) && options->memory > 0) ||
               bad_value(command, args, "a size such as 512M, 64KiB or 2GB");
    case TIME_LIMIT:
        return (cli_parse_duration(args->value, &options->time_ns) && options->time_ns > 0) ||
               bad_value(command, args, "a duration such as 2, 0.5, 500ms, 2min");
    case REPORT:
        options->report_dir = args->value;
        return true;
    case JSON:
        options->json_path = args->value;
        return true;
    case JUNIT:
        options->junit_path = args->value;
        return true;
    default:
        options->quiet = true;
        return true;
    }
}

/* The whole file in memory, a NUL behind it; NULL with errno. */
static char *read_file(const char *path, size_t *size) {
    enum { LARGEST = 64 << 20 };
    FILE *file = fopen(path, "rb");
    if (!file) {
        return NULL;
    }
    char *text = NULL;
    size_t length = 0, capacity = 0;
    do {
        capacity = capacity ? 2 * capacity : 4096;
        char *grown = capacity <= LARGEST ? realloc(text, capacity + 1) : NULL;
        if (!grown) {
            errno = capacity > LARGEST ? EFBIG : ENOMEM;
            goto fail;
        }
        text = grown;
        length += fread(text + length, 1, capacity - length, file);
    } while (length == capacity);
    if (ferror(file)) {
        goto fail;
    }
    fclose(file);
    text[length] = 0;
    *size = length;
    return text;
fail:;
    int error = errno;
    fclose(file);
    free(text);
    errno = error;
    return NULL;
}

/* Words that a shell would split or change are quoted. */
static void append_word(FILE *stream, const char *word) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "%+,-./:=@_";
    if (*word && strspn(word, plain) == strlen(word)) {
        fprintf(stream, " %s", word);
        return;
    }
    fputs(" '", stream);
    for (; *word; word++) {
        fputs(*word == '\'' ? "'\\''" : (char[]){*word, 0}, stream);
    }
    fputc('\'', stream);
}

static char *command_line(const cli_command *command, int argc, char **argv) {
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    if (!stream) {
        return NULL;
    }
    fprintf(stream, "cnsengine %s", command->name);
    for (int i = 0; i < argc; i++) {
        append_word(stream, argv[i]);
    }
    fclose(stream);
    return text;
}

static bool read_operand(script_options *options, const cli_command *command, cli_args *args) {
    bool wants_script = command == &cli_run_command;
    if (args->rest) {
        /* What follows "--" is the script's; a script's own name may still be the first. */
        if (!wants_script || options->script) {
            options->argv = args->argv + args->next - 1;
            options->argc = args->argc - (args->next - 1);
            args->next = args->argc;
            return true;
        }
    } else if (!wants_script || options->script) {
        cli_usage(command, "unexpected argument '%s'; arguments for the script come after --",
                  args->value);
        return false;
    }
    options->script = args->value;
    return true;
}

int script_options_read(script_options *options, const cli_command *command, int argc,
                        char **argv) {
    *options = (script_options){.seed_drawn = true};
    options->sets = calloc((size_t)argc + 1, sizeof *options->sets);
    options->command_line = command_line(command, argc, argv);
    if (!options->sets || !options->command_line) {
        cli_error("out of memory");
        return CLI_BAD;
    }
    cli_args args;
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        if (id == CLI_BAD || id == CLI_HELP) {
            return id;
        }
        if (id == CLI_OPERAND ? !read_operand(options, command, &args)
                              : !apply(options, command, &args, id)) {
            return CLI_BAD;
        }
    }
    if (options->seed_drawn) {
        options->seed = draw_seed();
    }
    if (options->config) {
        options->config_text = read_file(options->config, &options->config_size);
        if (!options->config_text) {
            cli_error("--config %s: %s", options->config, strerror(errno));
            return CLI_BAD;
        }
    }
    return CLI_END;
}

bool script_wants_report(const script_options *options) {
    return options->report_dir || options->json_path || options->junit_path;
}

void script_options_deinit(script_options *options) {
    for (size_t i = 0; i < options->set_count; i++) {
        free((char *)options->sets[i].name);
    }
    free(options->sets);
    free(options->config_text);
    free(options->command_line);
}
