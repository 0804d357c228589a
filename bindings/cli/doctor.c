/* SPDX-License-Identifier: MIT
 *
 * doctor.c - `cnsengine doctor`: what this machine has, how noisy it is, what is missing and what
 * that costs. In 80 columns, readable in a bug report.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "cli.h"
#include "cns/cns.h"
#include "jit.h"
#include "lua.h"
#include "noise.h"

enum { WIDTH = 80, LABEL = 14 };

/* ---- layout ---------------------------------------------------------------------------------- */

static void heading(const char *text) {
    bool colors = cli_colors(1);
    printf("\n%s%s%s\n", colors ? "\033[1m" : "", text, colors ? "\033[0m" : "");
}

/* "  label       text", the text broken between words and indented. */
static void row(const char *label, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void row(const char *label, const char *format, ...) {
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int column = printf("  %-*s", LABEL, label);
    if (column > LABEL + 2) {
        column += printf(" ");
    }
    bool first = true;
    for (char *rest = text, *word; (word = strtok_r(rest, " ", &rest)) != NULL;) {
        int length = (int)strlen(word);
        if (!first && column + 1 + length > WIDTH) {
            column = printf("\n%*s", LABEL + 2, "") - 1;
            first = true;
        }
        column += printf("%s%s", first ? "" : " ", word);
        first = false;
    }
    putchar('\n');
}

static const char *known_size(uint64_t bytes, const char *otherwise, char buffer[32]) {
    return bytes == CNS_UNAVAILABLE ? otherwise : cli_size_text(bytes, buffer);
}

/* The first line of a small file of the kernel; false when there is none. */
static bool first_line(const char *path, char *buffer, int capacity) {
    FILE *file = fopen(path, "r");
    bool read = file && fgets(buffer, capacity, file);
    if (file) {
        fclose(file);
    }
    if (read) {
        buffer[strcspn(buffer, "\n")] = 0;
    }
    return read;
}

/* ---- the machine ----------------------------------------------------------------------------- */

static void show_machine(cns_context *context) {
    char machine[256], levels[128] = "";
    size_t length = 0;
    cns_monitor_machine(machine, sizeof machine);
    heading("Machine");
    row("engine", "cnsengine %s, ABI %u, %s", cns_version_string(), cns_abi_version(), LUA_RELEASE);
    row("machine", "%s", machine);
    for (int level = CNS_CPU_PORTABLE; level <= CNS_CPU_NEON; level++) {
        if (cns_cpu_supports((cns_cpu_level)level)) {
            length +=
                (size_t)snprintf(levels + length, sizeof levels - length, "%s%s",
                                 length ? ", " : "", cns_cpu_level_name((cns_cpu_level)level));
        }
    }
    row("instructions", "%s in use; runs here: %s",
        cns_cpu_level_name(cns_context_cpu_level(context)), levels);
}

static void show_native(cns_context *context) {
    char path[PATH_MAX], why[256] = "";
    bool found = lcns_find_plugin(path, sizeof path);
    cns_vm_config config = {.size = sizeof config, .plugin = found ? path : NULL};
    cns_vm *vm = NULL;
    const char *name = NULL;
    if (!found) {
        snprintf(why, sizeof why,
                 "no cns_jit_llvm.so beside the command (llvm-dev was not there "
                 "when it was built), nor named by CNS_JIT_PLUGIN");
    } else if (cns_vm_create(context, &config, &vm) != CNS_OK) {
        cns_context_message(context, why, sizeof why);
    } else {
        name = cns_vm_native(vm, why, sizeof why);
    }
    if (name) {
        row("kernels", "native code by %s (%s)", name, path);
    } else {
        row("kernels", "no native code, they stay in the VM: %s", why);
    }
    cns_vm_destroy(vm);
}

static void show_cache(cns_context *context) {
    cache_state state;
    char held[32], limit[32];
    cache_look(context, &state);
    if (!state.named) {
        row("code cache", "off, kernels are compiled in each process: %s", state.why);
    } else if (!state.usable) {
        row("code cache", "unused, kernels are compiled in each process: %s", state.why);
    } else {
        row("code cache", "%llu kernels, %s of at most %s (%s)",
            (unsigned long long)state.info.files, cli_size_text(state.info.bytes, held),
            cli_size_text(state.info.limit, limit), state.path);
    }
}

static void show_limits(cns_context *context) {
    cns_monitor_limits limits = {.size = sizeof limits};
    char a[32], b[32], quota[32] = "no cgroup quota";
    heading("Limits");
    if (cns_monitor_read_limits(context, &limits) != CNS_OK) {
        row("limits", "unavailable");
        return;
    }
    if (limits.cgroup_cpu_quota >= 0) {
        snprintf(quota, sizeof quota, "cgroup quota %.2f", limits.cgroup_cpu_quota);
    }
    row("CPUs", "%u online, %u by affinity, %s; the default pool has %u workers",
        limits.cpus_online, limits.cpus_affinity, quota, cns_tasks_available_cpus());
    row("memory", "%s, %s available", known_size(limits.memory_total, "unavailable", a),
        known_size(limits.memory_available, "unknown", b));
    row("cgroup", "memory limit %s, used %s", known_size(limits.cgroup_memory_limit, "none", a),
        known_size(limits.cgroup_memory_used, "unknown", b));
    if (limits.open_files_limit == CNS_UNAVAILABLE) {
        row("open files", "no limit known");
    } else {
        row("open files", "%llu", (unsigned long long)limits.open_files_limit);
    }
}

static void show_counters(cns_context *context) {
    static const char *const names[CNS_COUNTER_COUNT] = {"cycles", "instructions", "cache misses",
                                                         "branch misses"};
    cns_counters *counters;
    uint64_t values[CNS_COUNTER_COUNT];
    char list[160] = "", missing[160] = "";
    if (cns_counters_create(context, &counters) != CNS_OK) {
        char reason[256] = "";
        cns_context_message(context, reason, sizeof reason);
        row("counters", "unavailable: %s", reason);
        row("", "(reports show no cycles, instructions or misses; nothing else is lost)");
        return;
    }
    if (cns_counters_read(counters, values) == CNS_OK) {
        for (int i = 0; i < CNS_COUNTER_COUNT; i++) {
            char *to = values[i] == CNS_UNAVAILABLE ? missing : list;
            size_t length = strlen(to);
            snprintf(to + length, sizeof list - length, "%s%s", length ? ", " : "", names[i]);
        }
    }
    cns_counters_destroy(counters);
    row("counters", "%s%s%s", *list ? list : "none", *missing ? "; unavailable: " : "", missing);
}

/* ---- noise ----------------------------------------------------------------------------------- */

static void show_system_noise(const noise_report *noise) {
    char line[128];
    double load;
    if (noise->steal_share >= 0) {
        row("stolen", "%.2f%% of CPU time went to other guests%s", 100 * noise->steal_share,
            noise->steal_share > 0.01 ? ": measure again at a quieter hour" : "");
    } else {
        row("stolen", "unavailable");
    }
    if (noise->throttled_ms > 0) {
        row("throttled", "%.0f ms by the cgroup's quota: use fewer threads, or raise it",
            noise->throttled_ms);
    }
    if (first_line("/proc/loadavg", line, sizeof line) && sscanf(line, "%lf", &load) == 1) {
        uint32_t cpus = cns_tasks_available_cpus();
        row("load", "%.2f on %u CPUs%s", load, cpus,
            load > 0.5 * cpus ? ": something else is running" : "");
    }
    if (first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", line, sizeof line)) {
        row("governor", "%s%s", line,
            strcmp(line, "performance") == 0 ? ""
                                             : ": clock rates vary; 'performance' is steadier");
    }
}

static void show_noise(cns_context *context) {
    noise_report noise;
    fflush(stdout);
    noise_measure(context, &noise);
    char title[64];
    snprintf(title, sizeof title, "Noise (measured for %.1f s)", noise.seconds);
    heading(title);
    row("clock", "%.0f ns a reading, steps of %llu ns", noise.clock_cost_ns,
        (unsigned long long)noise.clock_step_ns);
    row("pauses", "the longest %.3f ms; %.2f%% of the time lost to others%s",
        (double)noise.longest_pause_ns / 1e6, 100 * noise.lost_share,
        noise.lost_share > 0.01 ? ": pin the run to free CPUs, or stop what else runs" : "");
    row("timers", "a sleep of 1 ms ends %.3f ms late, %.3f ms at worst",
        (double)noise.sleep_median_ns / 1e6, (double)noise.sleep_worst_ns / 1e6);
    if (noise.pairs) {
        row("A/A", "%u pairs of identical work: median ratio %.4f, 90%% within +-%.2f%%",
            noise.pairs, noise.pair_median, 100 * noise.pair_spread);
        row("", "a comparison of so many pairs shows effects above %.2f%%", 100 * noise.detectable);
    }
    show_system_noise(&noise);
}

/* ---- what is missing ------------------------------------------------------------------------- */

typedef struct companion {
    const char *name; /* a program in PATH, or a library's soname when it has ".so" */
    const char *package;
    const char *cost;
} companion;

static const companion companions[] = {
    {"lua5.4", "lua5.4", "'bench' cannot compare with plain Lua in a process of its own"},
    {"luajit", "luajit", "no FFI twin; 'bench' cannot compare with LuaJIT"},
    {"cc", "gcc", "'bench' cannot compare with compiled C"},
    {"b3sum", "b3sum", "'bench' cannot compare with the reference BLAKE3"},
    {"perf", "linux-perf", "no profiles of what is slow"},
    {"libb2.so.1", "libb2-1", "'bench' cannot compare with the reference BLAKE2"},
    {"libmimalloc.so.2", "libmimalloc2.0", "'bench' cannot compare with mimalloc"},
    {"libjemalloc.so.2", "libjemalloc2", "'bench' cannot compare with jemalloc"},
};

static bool in_path(const char *name) {
    const char *path = getenv("PATH");
    char file[PATH_MAX];
    while (path && *path) {
        size_t length = strcspn(path, ":");
        int written = snprintf(file, sizeof file, "%.*s/%s", (int)length, path, name);
        if (written > 0 && (size_t)written < sizeof file && access(file, X_OK) == 0) {
            return true;
        }
        path += length + (path[length] == ':');
    }
    return false;
}

static bool is_present(const companion *one) {
    if (!strstr(one->name, ".so")) {
        return in_path(one->name);
    }
    void *library = dlopen(one->name, RTLD_LAZY | RTLD_LOCAL);
    if (library) {
        dlclose(library);
        return true;
    }
    /* jemalloc is there but refuses to be loaded late. */
    const char *reason = dlerror();
    return reason && !strstr(reason, "cannot open shared object");
}

/* false when something is missing that the command cannot do without. */
static bool show_missing(void) {
    char place[2 * PATH_MAX];
    size_t missing = 0;
    heading("Companions");
    bool stdlib = cli_find_stdlib(place, sizeof place);
    if (stdlib) {
        row("stdlib", "%s", place);
    } else {
        row("stdlib",
            "MISSING (looked in %s): stress, bench and all reports need it; set "
            "CNS_STDLIB to the folder that holds cns/",
            place);
    }
    char present[256] = "";
    for (size_t i = 0; i < sizeof companions / sizeof *companions; i++) {
        const companion *one = &companions[i];
        if (is_present(one)) {
            size_t length = strlen(present);
            snprintf(present + length, sizeof present - length, "%s%s", length ? ", " : "",
                     one->name);
            continue;
        }
        row(one->name, "missing: %s (Debian: %s)", one->cost, one->package);
        missing++;
    }
    row("present", "%s", *present ? present : "none");
    if (missing) {
        printf("\nNothing of the missing is needed to run scripts.\n");
    }
    return stdlib;
}

static int run_doctor(const cli_command *command, int argc, char **argv) {
    cli_args args;
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        if (id == CLI_HELP) {
            return CLI_SUCCESS;
        }
        return id == CLI_BAD ? CLI_USAGE
                             : cli_usage(command, "unexpected argument '%s'", args.value);
    }
    cns_context *context;
    if (cns_context_create(NULL, &context) != CNS_OK) {
        cli_error("not enough memory");
        return CLI_FAILURE;
    }
    show_machine(context);
    show_native(context);
    show_cache(context);
    show_limits(context);
    show_counters(context);
    show_noise(context);
    bool complete = show_missing();
    cns_context_destroy(context);
    return complete ? CLI_SUCCESS : CLI_FAILURE;
}

static const cli_option doctor_options[] = {{0, NULL, 0, NULL, NULL}};

const cli_command cli_doctor_command = {
    .name = "doctor",
    .summary = "tell what this machine has, how noisy it is, what is missing",
    .usage = "",
    .text = "Shows the CPU's features, whether kernels become machine code and where that is\n"
            "kept, the limits that apply, whether performance counters are to be had, how\n"
            "far this host disturbs measurements (it takes about a second), and which\n"
            "optional companions are missing and what that costs.",
    .options = doctor_options,
    .notes = "Exit codes: 0; 1 when the stdlib is missing.",
    .examples = "  cnsengine doctor\n",
    .run = run_doctor,
};
