/* SPDX-License-Identifier: MIT
 *
 * base/os_linux_cgroup.c - CPU quota and memory limit of the cgroups this process is in, v1 and v2.
 *
 * /proc/self/cgroup names the group of each controller, /proc/self/mountinfo says where that
 * hierarchy is mounted and which group the mount shows as its root (a container sees a part). A
 * limit may sit on any ancestor, so every level up to the mount is read and the tightest wins.
 * Files that cannot be read say nothing and are passed over. Any thread; nothing is allocated.
 */
#define _POSIX_C_SOURCE 200809L /* strtok_r */

#include "base/os.h"

#if defined(__linux__)

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_CAPACITY = 4096, PATH_CAPACITY = 4096, FILE_CAPACITY = 1024 };

/* A controller's hierarchy: `directory` is the own group's, its first `mount_length` bytes the
 * mount's. */
typedef struct hierarchy {
    const char *controller;
    bool unified; /* version 2 */
    bool found;
    size_t mount_length;
    char group[PATH_CAPACITY];
    char directory[PATH_CAPACITY];
} hierarchy;

/* ---- lines of /proc files ------------------------------------------------------------------- */

typedef void (*line_fn)(void *user, char *line);

/* Calls `fn` with each line, cut to LINE_CAPACITY - 1 bytes. */
static void each_line(const char *path, line_fn fn, void *user) {
    cns_os_file file = {0};
    if (cns_os_file_open(&file, path) != 0) {
        return;
    }
    char chunk[LINE_CAPACITY];
    char line[LINE_CAPACITY];
    size_t length = 0;
    size_t got = 0;
    do {
        if (cns_os_file_read(&file, chunk, sizeof chunk, &got) != 0) {
            break;
        }
        for (size_t i = 0; i < got; i++) {
            if (chunk[i] == '\n') {
                line[length] = '\0';
                fn(user, line);
                length = 0;
            } else if (length < sizeof line - 1) {
                line[length++] = chunk[i];
            }
        }
    } while (got == sizeof chunk);
    cns_os_file_close(&file);
}

/* true when `word` is one of the comma-separated `list`. */
static bool list_has(const char *list, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

/* ---- where the own group is ----------------------------------------------------------------- */

/* "hierarchy-id:controllers:path"; version 2 has "0::path". A version 1 line that names the
 * controller wins, since then the unified hierarchy does not have it. */
static void see_group(void *user, char *line) {
    hierarchy *h = user;
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path) {
        return;
    }
    *path++ = '\0';
    controllers++;
    bool own = list_has(controllers, h->controller);
    if (own || (*controllers == '\0' && h->group[0] == '\0')) {
        h->unified = !own;
        snprintf(h->group, sizeof h->group, "%s", path);
    }
}

/* mountinfo writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text) {
    char *to = text;
    for (const char *from = text; *from; to++) {
        if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/* What of `group` lies below `mount_root`; "" when the mount does not show the group. */
static const char *below(const char *group, const char *mount_root) {
    size_t length = strcmp(mount_root, "/") == 0 ? 0 : strlen(mount_root);
    if (strncmp(group, mount_root, length) != 0 || (group[length] != '/' && group[length]) ||
        strstr(group, "/..") || strcmp(group + length, "/") == 0) {
        return "";
    }
    return group + length;
}

typedef struct mount_search {
    hierarchy *h;
    const char *root;
} mount_search;

/* "id parent major:minor root mount-point options [tags] - type source super-options" */
static void see_mount(void *user, char *line) {
    mount_search *search = user;
    hierarchy *h = search->h;
    char *rest = strstr(line, " - ");
    char *fields[5];
    char *state = NULL;
    for (int i = 0; i < 5; i++) {
        fields[i] = strtok_r(i ? NULL : line, " ", &state);
        if (!fields[i]) {
            return;
        }
    }
    char *type = rest ? strtok_r(rest + 3, " ", &state) : NULL;
    char *source = type ? strtok_r(NULL, " ", &state) : NULL;
    char *options = source ? strtok_r(NULL, " ", &state) : NULL;
    if (h->found || !options || strcmp(type, h->unified ? "cgroup2" : "cgroup") != 0 ||
        (!h->unified && !list_has(options, h->controller))) {
        return;
    }
    unescape(fields[3]);
    unescape(fields[4]);
    int mount = snprintf(h->directory, sizeof h->directory, "%s%s", search->root, fields[4]);
    if (mount < 0 || (size_t)mount >= sizeof h->directory) {
        return;
    }
    size_t room = sizeof h->directory - (size_t)mount;
    h->mount_length = (size_t)mount;
    int inside = snprintf(h->directory + mount, room, "%s", below(h->group, fields[3]));
    h->found = inside >= 0 && (size_t)inside < room;
}

static bool locate(hierarchy *h, const char *root, const char *controller) {
    char path[PATH_CAPACITY];
    memset(h, 0, sizeof *h);
    h->controller = controller;
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    each_line(path, see_group, h);
    if (h->group[0] == '\0') {
        return false;
    }
    mount_search search = {h, root};
    snprintf(path, sizeof path, "%s/proc/self/mountinfo", root);
    each_line(path, see_mount, &search);
    return h->found;
}

/* Cuts the last part off the directory; false at the mount itself. */
static bool go_up(hierarchy *h) {
    size_t length = strlen(h->directory);
    if (length <= h->mount_length) {
        return false;
    }
    while (length > h->mount_length && h->directory[length - 1] != '/') {
        length--;
    }
    h->directory[length > h->mount_length ? length - 1 : length] = '\0';
    return true;
}

/* ---- one level ------------------------------------------------------------------------------ */

static bool read_at(const hierarchy *h, const char *name, char *text) {
    char path[PATH_CAPACITY + 64];
    snprintf(path, sizeof path, "%s/%s", h->directory, name);
    return cns_os_file_slurp(path, text, FILE_CAPACITY);
}

/* A figure alone in its file; UINT64_MAX for "max", -1, or nothing. */
static uint64_t read_figure(const hierarchy *h, const char *name) {
    char text[FILE_CAPACITY];
    if (!read_at(h, name, text) || text[0] < '0' || text[0] > '9') {
        return UINT64_MAX;
    }
    return strtoull(text, NULL, 10);
}

/* CPUs; 0 for none. */
static double read_quota(const hierarchy *h) {
    char text[FILE_CAPACITY];
    unsigned long long quota = 0;
    unsigned long long period = 0;
    if (h->unified) {
        if (!read_at(h, "cpu.max", text) || sscanf(text, "%llu %llu", &quota, &period) != 2) {
            return 0;
        }
    } else {
        uint64_t allowed = read_figure(h, "cpu.cfs_quota_us");
        uint64_t every = read_figure(h, "cpu.cfs_period_us");
        quota = allowed == UINT64_MAX ? 0 : allowed;
        period = every == UINT64_MAX ? 0 : every;
    }
    return quota && period ? (double)quota / (double)period : 0;
}

static uint64_t read_throttled(const hierarchy *h) {
    char text[FILE_CAPACITY];
    if (!read_at(h, "cpu.stat", text)) {
        return UINT64_MAX;
    }
    const char *label = h->unified ? "throttled_usec " : "throttled_time ";
    const char *at = strstr(text, label);
    if (!at) {
        return UINT64_MAX;
    }
    uint64_t value = strtoull(at + strlen(label), NULL, 10);
    return h->unified ? value * 1000 : value;
}

/* ---- all levels ----------------------------------------------------------------------------- */

static void read_cpu(hierarchy *h, cns_os_cgroup *out) {
    do {
        double quota = read_quota(h);
        if (quota > 0 && (out->cpu_quota <= 0 || quota < out->cpu_quota)) {
            out->cpu_quota = quota;
        }
        uint64_t throttled = read_throttled(h);
        if (throttled != UINT64_MAX &&
            (out->throttled_ns == UINT64_MAX || throttled > out->throttled_ns)) {
            out->throttled_ns = throttled;
        }
    } while (go_up(h));
}

static void read_memory(hierarchy *h, cns_os_cgroup *out) {
    /* Version 1 writes "no limit" as the largest multiple of the page size below 2^63. */
    const uint64_t none = UINT64_C(1) << 62;
    const char *limit_name = h->unified ? "memory.max" : "memory.limit_in_bytes";
    const char *used_name = h->unified ? "memory.current" : "memory.usage_in_bytes";
    out->memory_used = read_figure(h, used_name);
    do {
        uint64_t limit = read_figure(h, limit_name);
        if (limit < none && limit < out->memory_limit) {
            out->memory_limit = limit;
            out->memory_used = read_figure(h, used_name);
        }
    } while (go_up(h));
}

void cns_os_cgroup_read(const char *root, cns_os_cgroup *out) {
    hierarchy h;
    *out = (cns_os_cgroup){
        .memory_limit = UINT64_MAX, .memory_used = UINT64_MAX, .throttled_ns = UINT64_MAX};
    if (locate(&h, root, "cpu")) {
        read_cpu(&h, out);
    }
    if (locate(&h, root, "memory")) {
        read_memory(&h, out);
    }
}

double cns_os_cpus_quota(void) {
    cns_os_cgroup cgroup;
    cns_os_cgroup_read("", &cgroup);
    return cgroup.cpu_quota;
}

#endif
