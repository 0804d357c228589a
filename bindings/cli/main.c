/* SPDX-License-Identifier: MIT
 *
 * main.c - cnsengine: finds the command and runs it.
 */
#include <string.h>

#include "cli.h"
#include "cns/cns.h"
#include "lua.h"

static const cli_command *const commands[] = {
    &cli_run_command,    &cli_solve_command, &cli_bench_command,
    &cli_build_command,  &cli_cache_command, &cli_hash_command,
    &cli_doctor_command, &cli_repl_command,  &cli_version_command};

enum { COMMANDS = sizeof commands / sizeof *commands };

static const cli_command *find_command(const char *name) {
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i]->name, name) == 0) {
            return commands[i];
        }
    }
    return NULL;
}

/* The first line of a command's examples. */
static int first_line(const char *text) {
    const char *end = strchr(text, '\n');
    return end ? (int)(end - text) : (int)strlen(text);
}

static void overview(FILE *stream) {
    fputs("Usage: cnsengine COMMAND [ARGUMENT]...\n\n"
          "An engine scripted in Lua: it loads the machine, checks every answer and reports\n"
          "honest numbers.\n\n"
          "Commands:\n",
          stream);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(stream, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    }
    fputs("\nExamples:\n", stream);
    for (size_t i = 0; i < COMMANDS; i++) {
        fprintf(stream, "%.*s\n", first_line(commands[i]->examples), commands[i]->examples);
    }
    fputs("\nExit codes:\n"
          "    0  success\n"
          "    1  script error, or another failure of a command\n"
          "    2  usage\n"
          "    3  check failed\n"
          "    4  threshold missed\n"
          "    5  inconclusive\n"
          "    6  limit of memory or time reached\n"
          "  130  interrupted\n"
          "\n'cnsengine COMMAND --help' says more; so does 'man cnsengine'.\n",
          stream);
}

static int run_version(const cli_command *command, int argc, char **argv) {
    cli_args args;
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        if (id == CLI_HELP) {
            return CLI_SUCCESS;
        }
        return id == CLI_BAD ? CLI_USAGE
                             : cli_usage(command, "unexpected argument '%s'", args.value);
    }
    printf("cnsengine %s (ABI %u, %s)\n", cns_version_string(), cns_abi_version(), LUA_RELEASE);
    return CLI_SUCCESS;
}

static const cli_option version_options[] = {{0, NULL, 0, NULL, NULL}};

const cli_command cli_version_command = {
    .name = "version",
    .summary = "print the version",
    .usage = "",
    .text = "Prints the version of the command, of the engine's ABI and of Lua.",
    .options = version_options,
    .examples = "  cnsengine version\n",
    .run = run_version,
};

static int unknown_command(const char *name) {
    const char *names[COMMANDS + 2] = {0};
    for (size_t i = 0; i < COMMANDS; i++) {
        names[i] = commands[i]->name;
    }
    names[COMMANDS] = "help";
    const char *near = cli_nearest(name, names);
    size_t length = strlen(name);
    if (near) {
        cli_error("unknown command '%s'; did you mean '%s'?", name, near);
    } else if (length > 4 && strcmp(name + length - 4, ".lua") == 0) {
        cli_error("unknown command '%s'; did you mean 'cnsengine run %s'?", name, name);
    } else {
        cli_error("unknown command '%s'; 'cnsengine --help' lists them", name);
    }
    return CLI_USAGE;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2) {
        overview(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
        return run_version(&cli_version_command, 0, NULL);
    }
    bool help = strcmp(name, "help") == 0;
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (help && argc == 2)) {
        overview(stdout);
        return CLI_SUCCESS;
    }
    const cli_command *command = find_command(help ? argv[2] : name);
    if (!command) {
        return unknown_command(help ? argv[2] : name);
    }
    if (help) {
        cli_help(stdout, command);
        return CLI_SUCCESS;
    }
    return command->run(command, argc - 2, argv + 2);
}

int main(int argc, char **argv) {
    cli_secure_descriptors();
    return cli_finish_output(dispatch(argc, argv));
}
