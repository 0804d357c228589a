/* SPDX-License-Identifier: MIT
 *
 * cns/monitor.h - what this process and this machine are doing: memory, CPU, I/O, faults, limits.
 *
 * Every figure is read from the OS when asked. A figure the OS does not give is UINT64_MAX
 * (CNS_UNAVAILABLE), never 0; in 32-bit fields UINT32_MAX.
 */
#ifndef CNS_MONITOR_H
#define CNS_MONITOR_H

#include "cns/base.h"

#ifdef __cplusplus
extern "C" {
#endif

#define CNS_UNAVAILABLE UINT64_MAX

typedef struct cns_monitor_sample {
    uint32_t size;
    uint32_t threads;     /* of this process, now */
    uint64_t clock_ns;    /* monotonic */
    uint64_t cpu_user_ns; /* this process */
    uint64_t cpu_system_ns;
    uint64_t thread_cpu_ns;  /* the calling thread, user and system */
    uint64_t rss_bytes;      /* resident now */
    uint64_t rss_peak_bytes; /* highest since start, or since cns_monitor_reset_peak */
    uint64_t read_bytes;     /* asked of the kernel through read calls and the like */
    uint64_t write_bytes;
    uint64_t disk_read_bytes; /* that reached storage */
    uint64_t disk_write_bytes;
    uint64_t faults_minor;
    uint64_t faults_major;
    uint64_t switches_voluntary;
    uint64_t switches_involuntary;
} cns_monitor_sample;

/* Fills `out` (set out->size first). Any thread. */
CNS_API cns_status cns_monitor_read(cns_context *context, cns_monitor_sample *out);
/* Lets rss_peak_bytes start anew from the RSS of now. CNS_E_UNSUPPORTED where the OS cannot. */
CNS_API cns_status cns_monitor_reset_peak(cns_context *context);

typedef struct cns_monitor_limits {
    uint32_t size;
    uint32_t cpus_online;
    uint32_t cpus_affinity; /* CPUs this process may run on */
    uint32_t reserved;
    double cgroup_cpu_quota;      /* in CPUs; negative: none or unavailable */
    uint64_t cgroup_memory_limit; /* CNS_UNAVAILABLE: none or unavailable */
    uint64_t cgroup_memory_used;
    uint64_t memory_total;
    uint64_t memory_available;
    uint64_t open_files_limit;
    uint64_t cpu_throttled_ns; /* time this cgroup was held back by its quota */
    uint64_t steal_ns;         /* time the hypervisor gave to others, all CPUs, since boot */
} cns_monitor_limits;

CNS_API cns_status cns_monitor_read_limits(cns_context *context, cns_monitor_limits *out);

typedef struct cns_monitor_thread {
    uint64_t id;
    uint64_t cpu_user_ns;
    uint64_t cpu_system_ns;
    char name[32];
} cns_monitor_thread;

/* Up to `capacity` threads of this process; `count` gets how many there are. */
CNS_API cns_status cns_monitor_threads(cns_context *context, cns_monitor_thread *out,
                                       uint32_t capacity, uint32_t *count);

/* Counters of the processor for the calling thread, where the kernel gives them. */
typedef enum cns_counter {
    CNS_COUNTER_CYCLES = 0,
    CNS_COUNTER_INSTRUCTIONS = 1,
    CNS_COUNTER_CACHE_MISSES = 2,
    CNS_COUNTER_BRANCH_MISSES = 3,
    CNS_COUNTER_COUNT = 4
} cns_counter;

typedef struct cns_counters cns_counters;

/* CNS_E_UNSUPPORTED, with the kernel's reason in the message, when none can be opened. */
CNS_API cns_status cns_counters_create(cns_context *context, cns_counters **out);
CNS_API void cns_counters_destroy(cns_counters *counters);
/* Values since creation; CNS_UNAVAILABLE for those the machine lacks. Creating thread only. */
CNS_API cns_status cns_counters_read(cns_counters *counters, uint64_t values[4]);

/* The machine in words: "model name, kernel". Cut to capacity; returns the full length. */
CNS_API size_t cns_monitor_machine(char *buffer, size_t capacity);

#ifdef __cplusplus
}
#endif

#endif
