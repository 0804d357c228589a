/* SPDX-License-Identifier: MIT
 *
 * base/monitor.c - the figures of cns/monitor.h: arguments, defaults and messages. Where they come
 * from is in os_linux.c and os_other.c. Nothing is kept between calls but a thread's counters.
 */
#include "cns/monitor.h"

#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/os.h"

/* ---- samples -------------------------------------------------------------------------------- */

cns_status cns_monitor_read(cns_context *context, cns_monitor_sample *out) {
    if (!out || out->size != sizeof *out) {
        return cns_fail(context, CNS_E_INVALID, "monitor: out->size is not the size of a sample");
    }
    cns_monitor_sample sample;
    memset(&sample, 0xff, sizeof sample); /* CNS_UNAVAILABLE in every field */
    sample.size = sizeof sample;
    sample.clock_ns = cns_os_clock();
    sample.thread_cpu_ns = cns_os_clock_thread();
    cns_os_sample(&sample);
    *out = sample;
    return CNS_OK;
}

static cns_status refuse(cns_context *context, int error, const char *what) {
    char text[128];
    return cns_fail(context, CNS_E_UNSUPPORTED, "monitor: %s: %s", what,
                    cns_os_error_text(error, text, sizeof text));
}

cns_status cns_monitor_reset_peak(cns_context *context) {
    int error = cns_os_reset_peak();
    return error ? refuse(context, error, "the peak cannot be reset") : CNS_OK;
}

cns_status cns_monitor_read_limits(cns_context *context, cns_monitor_limits *out) {
    if (!out || out->size != sizeof *out) {
        return cns_fail(context, CNS_E_INVALID, "monitor: out->size is not the size of limits");
    }
    cns_monitor_limits limits;
    memset(&limits, 0xff, sizeof limits);
    limits.size = sizeof limits;
    limits.reserved = 0;
    limits.cpus_affinity = cns_os_cpus_affinity();
    limits.cpus_online = limits.cpus_affinity;
    cns_os_cgroup cgroup;
    cns_os_cgroup_read("", &cgroup);
    limits.cgroup_cpu_quota = cgroup.cpu_quota > 0 ? cgroup.cpu_quota : -1;
    limits.cgroup_memory_limit = cgroup.memory_limit;
    limits.cgroup_memory_used = cgroup.memory_used;
    limits.cpu_throttled_ns = cgroup.throttled_ns;
    cns_os_limits(&limits);
    *out = limits;
    return CNS_OK;
}

cns_status cns_monitor_threads(cns_context *context, cns_monitor_thread *out, uint32_t capacity,
                               uint32_t *count) {
    if (!count || (!out && capacity)) {
        return cns_fail(context, CNS_E_INVALID, "monitor: no place for the threads");
    }
    uint32_t found = 0;
    int error = cns_os_threads(out, capacity, &found);
    if (error) {
        return refuse(context, error, "threads cannot be listed");
    }
    *count = found;
    return CNS_OK;
}

size_t cns_monitor_machine(char *buffer, size_t capacity) {
    char model[128] = "";
    char kernel[160] = "";
    cns_os_machine(model, sizeof model, kernel, sizeof kernel);
    int length =
        snprintf(buffer, buffer ? capacity : 0, "%s, %s", model[0] ? model : "unknown processor",
                 kernel[0] ? kernel : "unknown kernel");
    return length > 0 ? (size_t)length : 0;
}

/* ---- counters ------------------------------------------------------------------------------- */

struct cns_counters {
    cns_context *context;
    uint64_t owner; /* thread */
    bool open[CNS_COUNTER_COUNT];
    intptr_t handles[CNS_COUNTER_COUNT];
};

cns_status cns_counters_create(cns_context *context, cns_counters **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "monitor: no place for the counters");
    }
    cns_counters *counters = cns_context_calloc(context, sizeof *counters);
    if (!counters) {
        return cns_context_memory_status(context, sizeof *counters);
    }
    counters->context = context;
    counters->owner = cns_os_thread_id();
    int first_error = 0;
    bool any = false;
    for (int i = 0; i < CNS_COUNTER_COUNT; i++) {
        int error = cns_os_counter_open(i, &counters->handles[i]);
        counters->open[i] = error == 0;
        any = any || error == 0;
        first_error = first_error ? first_error : error;
    }
    if (!any) {
        cns_counters_destroy(counters);
        char reason[200];
        cns_os_counter_reason(first_error, reason, sizeof reason);
        return cns_fail(context, CNS_E_UNSUPPORTED, "monitor: no counters: %s", reason);
    }
    *out = counters;
    return CNS_OK;
}

void cns_counters_destroy(cns_counters *counters) {
    if (!counters) {
        return;
    }
    for (int i = 0; i < CNS_COUNTER_COUNT; i++) {
        if (counters->open[i]) {
            cns_os_counter_close(counters->handles[i]);
        }
    }
    cns_context_free(counters->context, counters, sizeof *counters, CNS_ALIGN_DEFAULT);
}

cns_status cns_counters_read(cns_counters *counters, uint64_t values[4]) {
    if (counters->owner != cns_os_thread_id()) {
        return cns_fail(counters->context, CNS_E_INVALID,
                        "monitor: counters belong to the thread that created them");
    }
    for (int i = 0; i < CNS_COUNTER_COUNT; i++) {
        uint64_t value = CNS_UNAVAILABLE;
        if (counters->open[i] && cns_os_counter_read(counters->handles[i], &value) != 0) {
            value = CNS_UNAVAILABLE;
        }
        values[i] = value;
    }
    return CNS_OK;
}
