/* SPDX-License-Identifier: MIT
 *
 * base/os_other.c - the figures of os_linux.c where there is no /proc: what POSIX gives, and
 * UINT64_MAX for the rest.
 */
#include "base/os.h"

#if !defined(__linux__)

void cns_os_cgroup_read(const char *root, cns_os_cgroup *out) {
    (void)root;
    *out = (cns_os_cgroup){
        .memory_limit = UINT64_MAX, .memory_used = UINT64_MAX, .throttled_ns = UINT64_MAX};
}

double cns_os_cpus_quota(void) {
    return 0;
}

#endif
