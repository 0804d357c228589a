/* SPDX-License-Identifier: MIT
 *
 * base/os_other.c - the figures of os_linux.c where there is no /proc: what POSIX gives, and
 * UINT64_MAX for the rest.
 */
#include "base/os.h"

#if !defined(__linux__)

#include <errno.h>
#include <stdio.h>

#include "cns/monitor.h"

void cns_os_cgroup_read(const char *root, cns_os_cgroup *out) {
    (void)root;
    *out = (cns_os_cgroup){
        .memory_limit = UINT64_MAX, .memory_used = UINT64_MAX, .throttled_ns = UINT64_MAX};
}

double cns_os_cpus_quota(void) {
    return 0;
}

void cns_os_proc_sample(cns_monitor_sample *out) {
    (void)out;
}

void cns_os_proc_limits(cns_monitor_limits *out) {
    (void)out;
}

int cns_os_reset_peak(void) {
    return ENOTSUP;
}

int cns_os_threads(cns_monitor_thread *out, uint32_t capacity, uint32_t *count) {
    (void)out;
    (void)capacity;
    (void)count;
    return ENOTSUP;
}

void cns_os_machine(char *model, size_t model_capacity, char *kernel, size_t kernel_capacity) {
    (void)model_capacity;
    model[0] = kernel[0] = '\0';
    cns_os_kernel_name(kernel, kernel_capacity);
}

int cns_os_counter_open(int counter, intptr_t *handle) {
    (void)counter;
    (void)handle;
    return ENOTSUP;
}

int cns_os_counter_read(intptr_t handle, uint64_t *value) {
    (void)handle;
    (void)value;
    return ENOTSUP;
}

void cns_os_counter_close(intptr_t handle) {
    (void)handle;
}

void cns_os_counter_reason(int error, char *buffer, size_t capacity) {
    (void)error;
    snprintf(buffer, capacity, "this system is not known to have any");
}

#endif
