/* SPDX-License-Identifier: MIT
 *
 * base/os_usage.c - what POSIX tells of the process and the machine; /proc adds the rest.
 */
#define _DEFAULT_SOURCE /* struct rusage in full, _SC_NPROCESSORS_ONLN */

#include <stdio.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/os.h"
#include "cns/monitor.h"

static uint64_t nanoseconds_of(struct timeval time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_usec * 1000u;
}

void cns_os_sample(cns_monitor_sample *out) {
#if defined(__APPLE__)
    const uint64_t peak_unit = 1;
#else
    const uint64_t peak_unit = 1024;
#endif
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        out->cpu_user_ns = nanoseconds_of(usage.ru_utime);
        out->cpu_system_ns = nanoseconds_of(usage.ru_stime);
        out->rss_peak_bytes = (uint64_t)usage.ru_maxrss * peak_unit;
        out->faults_minor = (uint64_t)usage.ru_minflt;
        out->faults_major = (uint64_t)usage.ru_majflt;
        out->switches_voluntary = (uint64_t)usage.ru_nvcsw;
        out->switches_involuntary = (uint64_t)usage.ru_nivcsw;
    }
    cns_os_proc_sample(out);
}

void cns_os_limits(cns_monitor_limits *out) {
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    if (online > 0) {
        out->cpus_online = (uint32_t)online;
    }
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
        out->open_files_limit = (uint64_t)files.rlim_cur;
    }
    cns_os_proc_limits(out);
}

/* The kernel's part of cns_os_machine; the processor's is in os_linux.c and os_other.c. */
void cns_os_kernel_name(char *kernel, size_t capacity) {
    struct utsname name;
    if (uname(&name) >= 0) {
        snprintf(kernel, capacity, "%s %s %s", name.sysname, name.release, name.machine);
    }
}
