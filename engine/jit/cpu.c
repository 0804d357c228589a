/* SPDX-License-Identifier: MIT
 *
 * cpu.c - the processors that code can be made for by name.
 *
 * LLVM knows their features; the table says what it does not tell: which names there are, and how
 * many doubles make the vectors that pay. An unknown name must not reach LLVM, which would write a
 * warning to stderr and go on. The names are those of LLVM 18, so that all later ones have them.
 */
#include <stdio.h>
#include <string.h>

#include "jit/jit.h"

#if defined(__x86_64__) || defined(_M_X64)
static const cns_jit_cpu table[] = {
    {"x86-64", 1, 2},         {"x86-64-v2", 2, 2},     {"x86-64-v3", 3, 4},
    {"x86-64-v4", 4, 8},      {"nehalem", 0, 2},       {"westmere", 0, 2},
    {"sandybridge", 0, 2},    {"ivybridge", 0, 2},     {"haswell", 0, 4},
    {"broadwell", 0, 4},      {"skylake", 0, 4},       {"skylake-avx512", 0, 8},
    {"cascadelake", 0, 8},    {"cooperlake", 0, 8},    {"icelake-client", 0, 8},
    {"icelake-server", 0, 8}, {"tigerlake", 0, 8},     {"rocketlake", 0, 8},
    {"alderlake", 0, 4},      {"raptorlake", 0, 4},    {"sapphirerapids", 0, 8},
    {"emeraldrapids", 0, 8},  {"graniterapids", 0, 8}, {"sierraforest", 0, 4},
    {"silvermont", 0, 2},     {"goldmont", 0, 2},      {"tremont", 0, 2},
    {"bdver2", 0, 2},         {"btver2", 0, 2},        {"znver1", 0, 4},
    {"znver2", 0, 4},         {"znver3", 0, 4},        {"znver4", 0, 8},
};
#elif defined(__aarch64__)
static const cns_jit_cpu table[] = {
    {"generic", 0, 2},     {"cortex-a53", 0, 2},  {"cortex-a57", 0, 2},  {"cortex-a72", 0, 2},
    {"cortex-a76", 0, 2},  {"cortex-x1", 0, 2},   {"neoverse-n1", 0, 2}, {"neoverse-n2", 0, 2},
    {"neoverse-v1", 0, 2}, {"neoverse-v2", 0, 2}, {"apple-m1", 0, 2},    {"apple-m2", 0, 2},
};
#else
static const cns_jit_cpu table[] = {{"generic", 0, 2}};
#endif

enum { ROWS = sizeof table / sizeof *table };

static cns_status refuse(cns_jit *jit, const char *name, size_t length) {
    char names[768];
    size_t used = 0;
    for (size_t i = 0; i < ROWS && used < sizeof names; i++) {
        int more =
            snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", table[i].name);
        used += more > 0 ? (size_t)more : 0;
    }
    return jit->services->fail(jit->context, CNS_E_INVALID,
                               "unknown processor '%.*s'; choose native (this machine's) or one of "
                               "%s",
                               (int)(length < 64 ? length : 64), name, names);
}

cns_status cns_jit_cpu_find(cns_jit *jit, const char *name, size_t length,
                            const cns_jit_cpu **out) {
    for (size_t i = 0; i < ROWS; i++) {
        if (strlen(table[i].name) == length && memcmp(table[i].name, name, length) == 0) {
            *out = &table[i];
            return CNS_OK;
        }
    }
    return refuse(jit, name, length);
}
