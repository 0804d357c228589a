/* SPDX-License-Identifier: MIT
 *
 * build.c - `cnsengine build`: kernels into files that other programs link.
 *
 * The work is cns.build's, in Lua, run like any script: under the watchdog, with the same guards.
 */
#define _GNU_SOURCE

#include <limits.h>
#include <string.h>

#include "cli.h"

enum { OUTPUT = 1, HEADER, CPU, PREFIX };

static const cli_option build_options[] = {
    {OUTPUT, "--output", 'o', "FILE",
     "what is made: bytecode (.cnsb), an object (.o), a library (.so)"},
    {HEADER, "--header", 0, "FILE", "write the C header that goes with it"},
    {CPU, "--cpu", 0, "NAME", "the processor, or levels: x86-64,x86-64-v3,x86-64-v4"},
    {PREFIX, "--prefix", 0, "NAME", "C names begin with NAME_; else with the output's name"},
    {0, NULL, 0, NULL, NULL},
};

typedef struct build_request {
    const char *input, *output, *header, *cpu, *prefix;
} build_request;

/* CLI_END, or CLI_BAD or CLI_HELP after printing. */
static int read_arguments(const cli_command *command, int argc, char **argv, build_request *out) {
    cli_args args;
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        switch (id) {
        case OUTPUT:
            out->output = args.value;
            break;
        case HEADER:
            out->header = args.value;
            break;
        case CPU:
            out->cpu = args.value;
            break;
        case PREFIX:
            out->prefix = args.value;
            break;
        case CLI_OPERAND:
            if (out->input) {
                cli_usage(command, "one script is built at a time, '%s' is another", args.value);
                return CLI_BAD;
            }
            out->input = args.value;
            break;
        default:
            return id;
        }
    }
    return CLI_END;
}

static int run_build(const cli_command *command, int argc, char **argv) {
    build_request request = {.header = "", .cpu = "", .prefix = ""};
    int read = read_arguments(command, argc, argv, &request);
    if (read != CLI_END) {
        return read == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
    }
    if (!request.input || !request.output) {
        return cli_usage(command, request.input ? "which output? -o FILE" : "which script?");
    }
    char folder[PATH_MAX];
    char script[PATH_MAX + 32];
    if (!cli_find_stdlib(folder, sizeof folder)) {
        cli_error("the stdlib was not found: %s", folder);
        return CLI_FAILURE;
    }
    snprintf(script, sizeof script, "%s/cns/build_main.lua", folder);
    const char *arguments[] = {"--quiet",     script,         "--",
                               request.input, request.output, request.header,
                               request.cpu,   request.prefix, NULL};
    return cli_run_command.run(&cli_run_command, 8, (char **)arguments);
}

const cli_command cli_build_command = {
    .name = "build",
    .summary = "compile kernels to a bytecode module, or to C functions",
    .usage = "[OPTION]... SCRIPT -o FILE",
    .text = "Compiles the kernels of SCRIPT ahead of time: to a module of bytecode, which\n"
            "cns.jit.load, LuaJIT and C load on any machine, or to C functions, which a\n"
            "program links without the engine, without Lua and without LLVM. SCRIPT returns\n"
            "a table: a name, and a kernel or a function with its signatures, as in\n"
            "  return {saxpy = {saxpy, \"f64, f64[], f64[]\", \"f64, f32[], f64[]\"}}",
    .options = build_options,
    .notes = "The other options are for .o and .so. Without --cpu the code is for this\n"
             "machine. Of several levels each call takes the best that its machine has.\n"
             "See doc/kernels.md.\n"
             "\n"
             "Exit codes: 0 success; 1 something could not be compiled or written; 2 usage.",
    .examples = "  cnsengine build kernels.lua -o kernels.cnsb\n"
                "  cnsengine build kernels.lua -o kernels.o --header kernels.h\n"
                "  cnsengine build kernels.lua -o kernels.so --cpu x86-64,x86-64-v3,x86-64-v4\n",
    .run = run_build,
};
