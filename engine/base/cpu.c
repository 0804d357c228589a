/* SPDX-License-Identifier: MIT
 *
 * base/cpu.c - instruction-set levels. Detection itself is in cpu_x86.c; the answer never changes
 * while a process lives, so the cache needs no more than an atomic.
 */
#include "base/cpu.h"

#include <stdatomic.h>

#include "cns/base.h"

static cns_cpu_level detect_uncached(void) {
#if defined(__x86_64__)
    return cns_cpu_detect_x86();
#elif defined(__aarch64__)
    return CNS_CPU_NEON;
#else
    return CNS_CPU_PORTABLE;
#endif
}

cns_cpu_level cns_cpu_detect(void) {
    static _Atomic int cached; /* CNS_CPU_DETECT until known */
    int level = atomic_load_explicit(&cached, memory_order_relaxed);
    if (level == CNS_CPU_DETECT) {
        level = detect_uncached();
        atomic_store_explicit(&cached, level, memory_order_relaxed);
    }
    return (cns_cpu_level)level;
}

int cns_cpu_supports(cns_cpu_level level) {
    cns_cpu_level best = cns_cpu_detect();
    switch (level) {
    case CNS_CPU_PORTABLE:
        return 1;
    case CNS_CPU_SSE41:
    case CNS_CPU_AVX2:
    case CNS_CPU_AVX512:
        return best != CNS_CPU_NEON && level <= best;
    case CNS_CPU_NEON:
        return best == CNS_CPU_NEON;
    default:
        return 0;
    }
}

const char *cns_cpu_level_name(cns_cpu_level level) {
    switch (level) {
    case CNS_CPU_DETECT:
        return "detect";
    case CNS_CPU_PORTABLE:
        return "portable";
    case CNS_CPU_SSE41:
        return "sse4.1";
    case CNS_CPU_AVX2:
        return "avx2";
    case CNS_CPU_AVX512:
        return "avx512";
    case CNS_CPU_NEON:
        return "neon";
    }
    return "unknown";
}
