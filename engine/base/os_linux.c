/* SPDX-License-Identifier: MIT
 *
 * base/os_linux.c - figures from /proc, and hardware counters from perf_event_open (proc(5),
 * perf_event_open(2)).
 *
 * /proc files are read into buffers on the stack; a line that is not there leaves its figure
 * unavailable. Any thread; nothing is kept.
 */
#define _GNU_SOURCE /* syscall */

#include "base/os.h"

#if defined(__linux__)

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cns/monitor.h"

enum { FILE_CAPACITY = 8192 };

/* The number behind `label` at the start of a line. */
static bool find_figure(const char *text, const char *label, uint64_t *out) {
    size_t length = strlen(label);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, label, length) == 0) {
            char *end = NULL;
            unsigned long long value = strtoull(line + length, &end, 10);
            if (end != line + length) {
                *out = value;
                return true;
            }
        }
    }
    return false;
}

static void find_kibibytes(const char *text, const char *label, uint64_t *out) {
    uint64_t value = 0;
    if (find_figure(text, label, &value)) {
        *out = value * 1024;
    }
}

static uint64_t ticks_to_ns(uint64_t ticks) {
    long rate = sysconf(_SC_CLK_TCK);
    return rate > 0 ? ticks * (1000000000u / (uint64_t)rate) : CNS_UNAVAILABLE;
}

/* ---- samples and limits --------------------------------------------------------------------- */

void cns_os_proc_sample(cns_monitor_sample *out) {
    char text[FILE_CAPACITY];
    if (cns_os_file_slurp("/proc/self/status", text, sizeof text)) {
        uint64_t threads = 0;
        find_kibibytes(text, "VmRSS:", &out->rss_bytes);
        find_kibibytes(text, "VmHWM:", &out->rss_peak_bytes);
        if (find_figure(text, "Threads:", &threads)) {
            out->threads = (uint32_t)threads;
        }
    }
    if (cns_os_file_slurp("/proc/self/io", text, sizeof text)) {
        find_figure(text, "rchar:", &out->read_bytes);
        find_figure(text, "wchar:", &out->write_bytes);
        find_figure(text, "read_bytes:", &out->disk_read_bytes);
        find_figure(text, "write_bytes:", &out->disk_write_bytes);
    }
}

int cns_os_reset_peak(void) {
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    int error = write(file, "5", 1) == 1 ? 0 : errno;
    close(file);
    return error;
}

void cns_os_proc_limits(cns_monitor_limits *out) {
    char text[FILE_CAPACITY];
    if (cns_os_file_slurp("/proc/meminfo", text, sizeof text)) {
        find_kibibytes(text, "MemTotal:", &out->memory_total);
        find_kibibytes(text, "MemAvailable:", &out->memory_available);
    }
    unsigned long long steal = 0;
    if (cns_os_file_slurp("/proc/stat", text, sizeof text) &&
        sscanf(text, "cpu %*u %*u %*u %*u %*u %*u %*u %llu", &steal) == 1) {
        out->steal_ns = ticks_to_ns(steal);
    }
}

/* ---- threads -------------------------------------------------------------------------------- */

/* A name may hold spaces and brackets: it ends at the last ')'. User and system time are the 12th
 * and 13th figure behind it. */
static bool parse_thread(char *text, cns_monitor_thread *out) {
    char *name = strchr(text, '(');
    char *end = strrchr(text, ')');
    unsigned long long user = 0;
    unsigned long long system = 0;
    if (!name || !end || end < name ||
        sscanf(end + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) !=
            2) {
        return false;
    }
    *end = '\0';
    snprintf(out->name, sizeof out->name, "%s", name + 1);
    out->cpu_user_ns = ticks_to_ns(user);
    out->cpu_system_ns = ticks_to_ns(system);
    return true;
}

/* false for a thread that has ended meanwhile. */
static bool read_thread(const char *id, cns_monitor_thread *out) {
    char path[64];
    char text[1024];
    int length = snprintf(path, sizeof path, "/proc/self/task/%s/stat", id);
    if (length < 0 || (size_t)length >= sizeof path ||
        !cns_os_file_slurp(path, text, sizeof text)) {
        return false;
    }
    memset(out, 0, sizeof *out);
    out->id = strtoull(id, NULL, 10);
    return parse_thread(text, out);
}

int cns_os_threads(cns_monitor_thread *out, uint32_t capacity, uint32_t *count) {
    DIR *directory = opendir("/proc/self/task");
    if (!directory) {
        return errno;
    }
    uint32_t found = 0;
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        cns_monitor_thread thread;
        if (entry->d_name[0] < '0' || entry->d_name[0] > '9' ||
            !read_thread(entry->d_name, &thread)) {
            continue;
        }
        if (found < capacity) {
            out[found] = thread;
        }
        found++;
    }
    closedir(directory);
    *count = found;
    return 0;
}

/* ---- the machine ---------------------------------------------------------------------------- */

/* The text behind "label<blanks>:", up to the end of the line. */
static bool find_text(const char *text, const char *label, char *out, size_t capacity) {
    const char *line = strstr(text, label);
    const char *colon = line ? strchr(line, ':') : NULL;
    if (!colon) {
        return false;
    }
    colon += 1 + strspn(colon + 1, " \t");
    snprintf(out, capacity, "%.*s", (int)strcspn(colon, "\n"), colon);
    return out[0] != '\0';
}

void cns_os_machine(char *model, size_t model_capacity, char *kernel, size_t kernel_capacity) {
    char text[FILE_CAPACITY];
    model[0] = kernel[0] = '\0';
    /* x86 has "model name"; others name the board at the end, or nothing. */
    if (cns_os_file_slurp("/proc/cpuinfo", text, sizeof text) &&
        !find_text(text, "model name", model, model_capacity)) {
        find_text(text, "Model", model, model_capacity);
    }
    cns_os_kernel_name(kernel, kernel_capacity);
}

/* ---- counters ------------------------------------------------------------------------------- */

static const uint64_t counter_events[CNS_COUNTER_COUNT] = {
    [CNS_COUNTER_CYCLES] = PERF_COUNT_HW_CPU_CYCLES,
    [CNS_COUNTER_INSTRUCTIONS] = PERF_COUNT_HW_INSTRUCTIONS,
    [CNS_COUNTER_CACHE_MISSES] = PERF_COUNT_HW_CACHE_MISSES,
    [CNS_COUNTER_BRANCH_MISSES] = PERF_COUNT_HW_BRANCH_MISSES,
};

int cns_os_counter_open(int counter, intptr_t *handle) {
    struct perf_event_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.size = sizeof attributes;
    attributes.config = counter_events[counter];
    attributes.exclude_kernel = 1; /* what perf_event_paranoid 2, the usual setting, permits */
    attributes.exclude_hv = 1;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    long file = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (file < 0) {
        return errno;
    }
    *handle = (intptr_t)file;
    return 0;
}

/* Where the unit was shared with other events, the count is scaled up to the whole time. */
int cns_os_counter_read(intptr_t handle, uint64_t *value) {
    uint64_t report[3] = {0}; /* value, time enabled, time running */
    ssize_t got = read((int)handle, report, sizeof report);
    if (got != (ssize_t)sizeof report) {
        return got < 0 ? errno : EIO;
    }
    if (report[2] == 0) {
        return ENODATA;
    }
    *value = report[1] == report[2]
                 ? report[0]
                 : (uint64_t)((double)report[0] * ((double)report[1] / (double)report[2]));
    return 0;
}

void cns_os_counter_close(intptr_t handle) {
    close((int)handle);
}

void cns_os_counter_reason(int error, char *buffer, size_t capacity) {
    char text[128];
    char paranoid[16] = "?";
    const char *hint = "";
    cns_os_error_text(error, text, sizeof text);
    if (error == EACCES || error == EPERM) {
        cns_os_file_slurp("/proc/sys/kernel/perf_event_paranoid", paranoid, sizeof paranoid);
        paranoid[strcspn(paranoid, "\n")] = '\0';
        snprintf(buffer, capacity, "%s (kernel.perf_event_paranoid is %s; 2 or less is needed)",
                 text, paranoid);
        return;
    }
    if (error == ENOENT || error == EOPNOTSUPP || error == ENODEV) {
        hint = " (this processor, or virtual machine, has none)";
    } else if (error == ENOSYS) {
        hint = " (the kernel or its sandbox has no perf_event_open)";
    }
    snprintf(buffer, capacity, "%s%s", text, hint);
}

#endif
