/* SPDX-License-Identifier: MIT
 *
 * test_monitor.c - the monitor's figures against what is done here and what the OS says itself;
 * cgroup trees of both versions, made up in a directory.
 */
#define _GNU_SOURCE /* mkdtemp, RUSAGE_SELF */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/os.h"
#include "cns/monitor.h"
#include "support.h"

enum { MIB = 1024 * 1024 };

static cns_context *context;

static void set_up(void) {
    context = support_context();
}

static void tear_down(void) {
    support_context_destroy(context);
}

static cns_monitor_sample sample(void) {
    cns_monitor_sample out = {.size = sizeof out};
    support_status(context, CNS_OK, cns_monitor_read(context, &out));
    return out;
}

/* ---- samples -------------------------------------------------------------------------------- */

START_TEST(misuse_is_refused) {
    cns_monitor_sample wrong = {.size = 1, .threads = 77};
    ck_assert_int_eq(cns_monitor_read(context, &wrong), CNS_E_INVALID);
    ck_assert_uint_eq(wrong.threads, 77);
    ck_assert_int_eq(cns_monitor_read(context, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_monitor_read(NULL, NULL), CNS_E_INVALID);
    cns_monitor_limits limits = {.size = 3};
    ck_assert_int_eq(cns_monitor_read_limits(context, &limits), CNS_E_INVALID);
    ck_assert_int_eq(cns_monitor_read_limits(context, NULL), CNS_E_INVALID);
    uint32_t count = 5;
    ck_assert_int_eq(cns_monitor_threads(context, NULL, 4, &count), CNS_E_INVALID);
    ck_assert_int_eq(cns_monitor_threads(context, NULL, 0, NULL), CNS_E_INVALID);
    cns_counters *counters = NULL;
    ck_assert_int_eq(cns_counters_create(context, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_counters_create(NULL, &counters), CNS_E_INVALID);
    cns_counters_destroy(NULL);
}
END_TEST

START_TEST(touched_memory_is_resident) {
    cns_monitor_sample before = sample();
    size_t size = 64 * MIB;
    uint8_t *pages = cns_os_pages_map(size, 4096);
    ck_assert_ptr_nonnull(pages);
    cns_monitor_sample mapped = sample();
    ck_assert_uint_lt(mapped.rss_bytes, before.rss_bytes + 32 * MIB);
    for (size_t i = 0; i < size; i += 4096) {
        pages[i] = 1;
    }
    cns_monitor_sample touched = sample();
    ck_assert_uint_ge(touched.rss_bytes, before.rss_bytes + 60 * MIB);
    ck_assert_uint_ge(touched.rss_peak_bytes, touched.rss_bytes - MIB);
    ck_assert_uint_gt(touched.faults_minor, before.faults_minor);
    cns_os_pages_unmap(pages, size);
    cns_monitor_sample after = sample();
    ck_assert_uint_lt(after.rss_bytes, touched.rss_bytes - 32 * MIB);
    ck_assert_uint_ge(after.rss_peak_bytes, touched.rss_bytes - MIB);
    if (cns_monitor_reset_peak(context) == CNS_OK) {
        ck_assert_uint_lt(sample().rss_peak_bytes, touched.rss_bytes - 32 * MIB);
    }
}
END_TEST

START_TEST(written_bytes_are_counted) {
    char path[] = "/tmp/cns-monitor-XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    static char block[MIB];
    cns_monitor_sample before = sample();
    if (before.write_bytes == CNS_UNAVAILABLE) {
        close(file);
        unlink(path);
        return; /* a kernel without task I/O accounting */
    }
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(write(file, block, sizeof block), sizeof block);
    }
    cns_monitor_sample written = sample();
    ck_assert_uint_ge(written.write_bytes - before.write_bytes, 4 * MIB);
    ck_assert_uint_lt(written.write_bytes - before.write_bytes, 5 * MIB);
    ck_assert_int_eq(pread(file, block, sizeof block, 0), sizeof block);
    ck_assert_uint_ge(sample().read_bytes - written.read_bytes, MIB);
    close(file);
    unlink(path);
}
END_TEST

static uint64_t spin(uint64_t nanoseconds) {
    volatile uint64_t work = 0;
    uint64_t until = cns_os_clock_thread() + nanoseconds;
    while (cns_os_clock_thread() < until) {
        for (int i = 0; i < 1000; i++) {
            work = work * 3 + 1;
        }
    }
    return work;
}

START_TEST(work_is_seen) {
    cns_monitor_sample before = sample();
    spin(100000000);
    cns_monitor_sample after = sample();
    uint64_t cpu =
        after.cpu_user_ns + after.cpu_system_ns - before.cpu_user_ns - before.cpu_system_ns;
    ck_assert_uint_ge(after.thread_cpu_ns - before.thread_cpu_ns, 100000000);
    ck_assert_uint_ge(cpu, 90000000);
    ck_assert_uint_ge(after.clock_ns - before.clock_ns, 100000000);
    for (int i = 0; i < 5; i++) {
        cns_os_sleep(1000000);
    }
    ck_assert_uint_ge(sample().switches_voluntary, before.switches_voluntary + 5);
}
END_TEST

START_TEST(figures_agree_with_getrusage) {
    struct rusage before;
    struct rusage after;
    getrusage(RUSAGE_SELF, &before);
    cns_monitor_sample middle = sample();
    getrusage(RUSAGE_SELF, &after);
    ck_assert_uint_ge(middle.faults_minor, (uint64_t)before.ru_minflt);
    ck_assert_uint_le(middle.faults_minor, (uint64_t)after.ru_minflt);
    ck_assert_uint_ge(middle.switches_involuntary, (uint64_t)before.ru_nivcsw);
    ck_assert_uint_le(middle.switches_involuntary, (uint64_t)after.ru_nivcsw);
    uint64_t low = (uint64_t)before.ru_utime.tv_sec * 1000000u + (uint64_t)before.ru_utime.tv_usec;
    uint64_t high = (uint64_t)after.ru_utime.tv_sec * 1000000u + (uint64_t)after.ru_utime.tv_usec;
    ck_assert_uint_ge(middle.cpu_user_ns / 1000, low);
    ck_assert_uint_le(middle.cpu_user_ns / 1000, high);
    ck_assert_uint_ge(middle.faults_major, (uint64_t)before.ru_majflt);
}
END_TEST

/* ---- threads -------------------------------------------------------------------------------- */

static void wait_for_stop(void *raw) {
    _Atomic int *stop = raw;
    spin(60000000);
    while (!atomic_load(stop)) {
        cns_os_sleep(1000000);
    }
}

START_TEST(threads_are_listed_by_name) {
    enum { WORKERS = 3 };
    cns_os_thread workers[WORKERS];
    _Atomic int stop = 0;
    for (int i = 0; i < WORKERS; i++) {
        char name[24];
        snprintf(name, sizeof name, "a ) (b %d", i);
        ck_assert_int_eq(cns_os_thread_create(&workers[i], wait_for_stop, (void *)&stop, name, 0),
                         0);
    }
    uint32_t count = 0;
    uint64_t cpu = 0;
    unsigned named = 0;
    cns_monitor_thread list[64];
    /* Names appear, and clock ticks pass, when the workers have run. */
    for (int round = 0; round < 5000 && (named != 7 || cpu < 30000000); round++) {
        support_status(context, CNS_OK, cns_monitor_threads(context, list, 64, &count));
        named = 0;
        cpu = 0;
        for (uint32_t i = 0; i < count && i < 64; i++) {
            unsigned digit = 0;
            if (sscanf(list[i].name, "a ) (b %u", &digit) == 1) {
                named |= 1u << digit;
                cpu += list[i].cpu_user_ns + list[i].cpu_system_ns;
            }
        }
        cns_os_sleep(1000000);
    }
    ck_assert_uint_eq(named, 7);
    ck_assert_uint_ge(cpu, 30000000);
    ck_assert_uint_ge(count, WORKERS + 1);
    ck_assert_uint_eq(sample().threads, count);
    uint32_t only_count = 0;
    support_status(context, CNS_OK, cns_monitor_threads(context, NULL, 0, &only_count));
    ck_assert_uint_eq(only_count, count);
    atomic_store(&stop, 1);
    for (int i = 0; i < WORKERS; i++) {
        cns_os_thread_join(&workers[i]);
    }
}
END_TEST

/* ---- limits and machine --------------------------------------------------------------------- */

START_TEST(limits_are_the_systems) {
    cns_monitor_limits limits = {.size = sizeof limits};
    support_status(context, CNS_OK, cns_monitor_read_limits(context, &limits));
    ck_assert_int_eq(limits.cpus_online, sysconf(_SC_NPROCESSORS_ONLN));
    ck_assert_uint_ge(limits.cpus_affinity, 1);
    ck_assert_uint_le(limits.cpus_affinity, limits.cpus_online);
    uint64_t physical = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
    ck_assert_uint_eq(limits.memory_total, physical);
    ck_assert_uint_le(limits.memory_available, limits.memory_total);
    ck_assert_uint_gt(limits.memory_available, 0);
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    ck_assert_uint_eq(limits.open_files_limit,
                      files.rlim_cur == RLIM_INFINITY ? CNS_UNAVAILABLE : files.rlim_cur);
    ck_assert(limits.cgroup_cpu_quota < 0 || limits.cgroup_cpu_quota > 0);
    ck_assert_uint_ne(limits.cgroup_memory_limit, 0);
}
END_TEST

START_TEST(the_machine_has_a_name) {
    char name[400];
    struct utsname kernel;
    ck_assert_int_eq(uname(&kernel), 0);
    size_t length = cns_monitor_machine(name, sizeof name);
    ck_assert_uint_eq(length, strlen(name));
    ck_assert_ptr_nonnull(strstr(name, kernel.release));
    ck_assert_ptr_nonnull(strstr(name, ", "));
    char cut[8] = "xxxxxxx";
    ck_assert_uint_eq(cns_monitor_machine(cut, sizeof cut), length);
    ck_assert_uint_eq(strlen(cut), 7);
    ck_assert_uint_eq(cns_monitor_machine(NULL, 0), length);
}
END_TEST

static void read_elsewhere(void *raw) {
    uint64_t values[CNS_COUNTER_COUNT];
    if (cns_counters_read(raw, values) != CNS_E_INVALID) {
        abort();
    }
}

START_TEST(counters_count_or_say_why_not) {
    cns_counters *counters = NULL;
    cns_status status = cns_counters_create(context, &counters);
    if (status != CNS_OK) {
        char message[256];
        ck_assert_int_eq(status, CNS_E_UNSUPPORTED);
        ck_assert_uint_gt(cns_context_message(context, message, sizeof message), 25);
        ck_assert_ptr_null(counters);
        return;
    }
    uint64_t before[CNS_COUNTER_COUNT];
    uint64_t after[CNS_COUNTER_COUNT];
    support_status(context, CNS_OK, cns_counters_read(counters, before));
    spin(20000000);
    support_status(context, CNS_OK, cns_counters_read(counters, after));
    bool any = false;
    for (int i = 0; i < CNS_COUNTER_COUNT; i++) {
        if (after[i] != CNS_UNAVAILABLE && before[i] != CNS_UNAVAILABLE) {
            ck_assert_uint_ge(after[i], before[i]);
            any = any || after[i] > before[i];
        }
    }
    ck_assert(any);
    cns_os_thread thread;
    ck_assert_int_eq(cns_os_thread_create(&thread, read_elsewhere, counters, NULL, 0), 0);
    cns_os_thread_join(&thread);
    cns_counters_destroy(counters);
}
END_TEST

START_TEST(reasons_are_in_words) {
    char text[200];
    cns_os_counter_reason(EACCES, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "perf_event_paranoid"));
    cns_os_counter_reason(ENOENT, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "has none"));
    cns_os_counter_reason(EINVAL, text, sizeof text);
    ck_assert_uint_gt(strlen(text), 3);
}
END_TEST

/* ---- cgroups -------------------------------------------------------------------------------- */

static char root[64];

static void make_root(void) {
    snprintf(root, sizeof root, "/tmp/cns-cgroup-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

/* Writes a file below the root, and the directories on the way. */
static void plant(const char *path, const char *text) {
    char full[512];
    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        ck_assert(mkdir(full, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    FILE *file = fopen(full, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static cns_os_cgroup read_root(void) {
    cns_os_cgroup cgroup;
    cns_os_cgroup_read(root, &cgroup);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", root);
    ck_assert_int_eq(system(command), 0);
    return cgroup;
}

START_TEST(cgroup2_takes_the_tightest) {
    make_root();
    plant("proc/self/cgroup", "0::/a/b/c\n");
    plant("proc/self/mountinfo",
          "22 1 0:20 / / rw - ext4 /dev/root rw\n"
          "31 22 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
    plant("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    plant("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
    plant("sys/fs/cgroup/a/cpu.max", "800000 100000\n");
    plant("sys/fs/cgroup/a/b/cpu.stat",
          "usage_usec 5\nnr_throttled 1\nthrottled_usec 1234\nnr_bursts 0\n");
    plant("sys/fs/cgroup/a/b/c/cpu.stat", "usage_usec 5\nthrottled_usec 0\n");
    plant("sys/fs/cgroup/a/b/c/memory.max", "1073741824\n");
    plant("sys/fs/cgroup/a/b/c/memory.current", "1000\n");
    plant("sys/fs/cgroup/a/memory.max", "536870912\n");
    plant("sys/fs/cgroup/a/memory.current", "2000\n");
    cns_os_cgroup cgroup = read_root();
    ck_assert_double_eq(cgroup.cpu_quota, 1.5);
    ck_assert_uint_eq(cgroup.throttled_ns, 1234000);
    ck_assert_uint_eq(cgroup.memory_limit, 536870912);
    ck_assert_uint_eq(cgroup.memory_used, 2000);
}
END_TEST

START_TEST(cgroup1_in_a_container) {
    make_root();
    plant("proc/self/cgroup", "12:memory:/docker/abc\n5:cpu,cpuacct:/docker/abc/sub\n"
                              "3:cpuset:/docker/abc\n0::/docker/abc\n");
    plant("proc/self/mountinfo",
          "40 30 0:31 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro master:11 - cgroup cgroup "
          "rw,cpu,cpuacct\n"
          "41 30 0:32 /docker/abc /sys/fs/cgroup/cpuset ro master:11 - cgroup cgroup rw,cpuset\n"
          "42 30 0:33 /docker/abc /sys/fs/cgroup/memory\\040here ro - cgroup cgroup rw,memory\n");
    plant("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n");
    plant("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    plant("sys/fs/cgroup/cpu,cpuacct/sub/cpu.cfs_quota_us", "-1\n");
    plant("sys/fs/cgroup/cpu,cpuacct/sub/cpu.cfs_period_us", "100000\n");
    plant("sys/fs/cgroup/cpu,cpuacct/cpu.stat",
          "nr_periods 9\nnr_throttled 3\nthrottled_time 777\n");
    plant("sys/fs/cgroup/memory here/memory.limit_in_bytes", "9223372036854771712\n");
    plant("sys/fs/cgroup/memory here/memory.usage_in_bytes", "4096\n");
    cns_os_cgroup cgroup = read_root();
    ck_assert_double_eq(cgroup.cpu_quota, 0.5);
    ck_assert_uint_eq(cgroup.throttled_ns, 777);
    ck_assert_uint_eq(cgroup.memory_limit, UINT64_MAX);
    ck_assert_uint_eq(cgroup.memory_used, 4096);
}
END_TEST

START_TEST(a_group_outside_the_mount) {
    make_root();
    plant("proc/self/cgroup", "0::/../sibling\n");
    plant("proc/self/mountinfo", "31 22 0:26 / /cg rw - cgroup2 none rw\n");
    plant("cg/cpu.max", "300000 100000\n");
    cns_os_cgroup cgroup = read_root();
    ck_assert_double_eq(cgroup.cpu_quota, 3);
    ck_assert_uint_eq(cgroup.memory_limit, UINT64_MAX);
    ck_assert_uint_eq(cgroup.memory_used, UINT64_MAX);
    ck_assert_uint_eq(cgroup.throttled_ns, UINT64_MAX);
}
END_TEST

START_TEST(nonsense_is_passed_over) {
    static const char *const groups[] = {"", "0\n", "0::\n", ":::\n::\n", "0::/a"};
    static const char *const mounts[] = {"",
                                         "\n\n",
                                         "1 2 3 4 5\n",
                                         " - cgroup2 x y\n",
                                         "1 2 3 /a /cg - cgroup2\n",
                                         "- - - - -\n",
                                         "1 2 3 / /cg rw - cgroup2 none rw"};
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        for (size_t m = 0; m < sizeof mounts / sizeof *mounts; m++) {
            make_root();
            plant("proc/self/cgroup", groups[g]);
            plant("proc/self/mountinfo", mounts[m]);
            plant("cg/cpu.max", "junk\n");
            plant("cg/a/cpu.max", "100000 0\n");
            plant("cg/memory.max", "-5\n");
            plant("cg/cpu.stat", "throttled_usecs\n");
            cns_os_cgroup cgroup = read_root();
            ck_assert_double_eq(cgroup.cpu_quota, 0);
            ck_assert_uint_eq(cgroup.memory_limit, UINT64_MAX);
            ck_assert_uint_eq(cgroup.throttled_ns, UINT64_MAX);
        }
    }
}
END_TEST

static cns_status create_counters(cns_context *failing) {
    cns_counters *counters = NULL;
    cns_status status = cns_counters_create(failing, &counters);
    cns_counters_destroy(counters);
    return status == CNS_E_UNSUPPORTED ? CNS_OK : status;
}

START_TEST(failing_allocations_are_reported) {
    support_each_allocation_fails(create_counters);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("monitor");
    TCase *cases = tcase_create("monitor");
    tcase_set_timeout(cases, 120);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, touched_memory_is_resident);
    tcase_add_test(cases, written_bytes_are_counted);
    tcase_add_test(cases, work_is_seen);
    tcase_add_test(cases, figures_agree_with_getrusage);
    tcase_add_test(cases, threads_are_listed_by_name);
    tcase_add_test(cases, limits_are_the_systems);
    tcase_add_test(cases, the_machine_has_a_name);
    tcase_add_test(cases, counters_count_or_say_why_not);
    tcase_add_test(cases, reasons_are_in_words);
    tcase_add_test(cases, cgroup2_takes_the_tightest);
    tcase_add_test(cases, cgroup1_in_a_container);
    tcase_add_test(cases, a_group_outside_the_mount);
    tcase_add_test(cases, nonsense_is_passed_over);
    tcase_add_test(cases, failing_allocations_are_reported);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
