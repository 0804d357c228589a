/* SPDX-License-Identifier: MIT
 *
 * cache.c - `cnsengine cache`: what is kept of kernels' native code between processes, and its
 * removal. The folder is the one that kernels use (lcns_find_cache).
 */
#include <string.h>

#include "cache.h"
#include "cli.h"
#include "jit.h"

/* ---- the cache ------------------------------------------------------------------------------- */

static cns_vm *open_cache(cns_context *context, cache_state *state) {
    cns_vm_config config = {.size = sizeof config};
    cns_vm *vm = NULL;
    *state = (cache_state){.info = {.size = sizeof state->info}};
    state->named = lcns_find_cache(state->path, sizeof state->path, &config.cache_limit, state->why,
                                   sizeof state->why);
    if (!state->named) {
        return NULL;
    }
    config.cache = state->path;
    if (cns_vm_create(context, &config, &vm) != CNS_OK) {
        cns_context_message(context, state->why, sizeof state->why);
    }
    return vm;
}

static void act(cns_context *context, cache_state *state,
                cns_status (*action)(cns_vm *vm, cns_cache_info *out)) {
    cns_vm *vm = open_cache(context, state);
    if (vm) {
        state->usable = action(vm, &state->info) == CNS_OK;
        if (!state->usable) {
            cns_context_message(context, state->why, sizeof state->why);
        }
    }
    cns_vm_destroy(vm);
}

void cache_look(cns_context *context, cache_state *state) {
    act(context, state, cns_vm_cache_measure);
}

/* ---- commands -------------------------------------------------------------------------------- */

static int show(cns_context *context) {
    cache_state state;
    char held[32], limit[32];
    cache_look(context, &state);
    if (!state.named) {
        printf("off      %s\n", state.why);
        return CLI_SUCCESS;
    }
    printf("folder   %s\n", state.path);
    if (!state.usable) {
        printf("unused   %s\n", state.why);
    }
    printf("kernels  %llu\nsize     %s of at most %s\n", (unsigned long long)state.info.files,
           cli_size_text(state.info.bytes, held), cli_size_text(state.info.limit, limit));
    return state.usable ? CLI_SUCCESS : CLI_FAILURE;
}

static int clear(cns_context *context) {
    cache_state state;
    char size[32];
    act(context, &state, cns_vm_cache_clear);
    if (!state.named) {
        printf("off: %s\n", state.why);
        return CLI_SUCCESS;
    }
    printf("removed %llu kernels, %s\n", (unsigned long long)state.info.files,
           cli_size_text(state.info.bytes, size));
    if (!state.usable) {
        cli_error("%s", state.why);
    }
    return state.usable ? CLI_SUCCESS : CLI_FAILURE;
}

static int run_cache(const cli_command *command, int argc, char **argv) {
    cli_args args;
    const char *what = NULL;
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        if (id == CLI_HELP || id == CLI_BAD) {
            return id == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
        }
        if (what) {
            return cli_usage(command, "unexpected argument '%s'", args.value);
        }
        what = args.value;
    }
    bool looks = what && strcmp(what, "info") == 0;
    if (!looks && !(what && strcmp(what, "clear") == 0)) {
        return what ? cli_usage(command, "'%s' is neither info nor clear", what)
                    : cli_usage(command, "info or clear?");
    }
    cns_context *context;
    if (cns_context_create(NULL, &context) != CNS_OK) {
        cli_error("not enough memory");
        return CLI_FAILURE;
    }
    int code = looks ? show(context) : clear(context);
    cns_context_destroy(context);
    return code;
}

static const cli_option cache_options[] = {{0, NULL, 0, NULL, NULL}};

const cli_command cli_cache_command = {
    .name = "cache",
    .summary = "show or clear what is kept of compiled kernels",
    .usage = "info | clear",
    .text = "The machine code of kernels is kept on disk, so that later runs load it instead\n"
            "of compiling. It is found by what it was made from and for, so that nothing in\n"
            "the cache is ever out of date, and what was not used for the longest time is\n"
            "removed. 'info' shows the folder and what is in it, or why there is none;\n"
            "'clear' removes all of it.",
    .options = cache_options,
    .notes = "The folder is CNS_CACHE (none when it is empty), else cnsengine below\n"
             "XDG_CACHE_HOME or ~/.cache. It must be writable by its owner only.\n"
             "CNS_CACHE_LIMIT is its size, 256 MiB without.\n"
             "\n"
             "Exit codes: 0; 1 when the folder cannot be used; 2 usage.",
    .examples = "  cnsengine cache info\n"
                "  cnsengine cache clear\n",
    .run = run_cache,
};
