/* SPDX-License-Identifier: MIT
 *
 * paths.c - where the stdlib and the scripts lie: CNS_STDLIB, beside the executable (an installed
 * prefix may have been moved), the place of installation, the source tree of a build.
 */
#define _GNU_SOURCE

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"

static bool is_file(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool format_path(char *buffer, size_t capacity, const char *a, const char *b) {
    int length = snprintf(buffer, capacity, "%s%s", a, b);
    return length >= 0 && (size_t)length < capacity;
}

/* The folder of the running executable, without a trailing slash. */
static bool executable_folder(char *buffer, size_t capacity) {
    ssize_t length = readlink("/proc/self/exe", buffer, capacity - 1);
    if (length <= 0) {
        return false;
    }
    buffer[length] = 0;
    char *slash = strrchr(buffer, '/');
    if (!slash) {
        return false;
    }
    *slash = 0;
    return true;
}

/* `relative` looked up from the executable: <prefix>/bin beside <prefix>/share. */
static bool beside_executable(const char *relative, char *buffer, size_t capacity) {
    char folder[PATH_MAX];
    return executable_folder(folder, sizeof folder) &&
           format_path(buffer, capacity, folder, relative);
}

static bool holds_stdlib(const char *folder) {
    char path[PATH_MAX];
    return format_path(path, sizeof path, folder, "/cns") && is_folder(path);
}

bool cli_find_stdlib(char *buffer, size_t capacity) {
    const char *named = getenv("CNS_STDLIB");
    if (named && *named) {
        /* Named by the user: no silent fallback to another copy. */
        if (!format_path(buffer, capacity, named, "") || !holds_stdlib(buffer)) {
            snprintf(buffer, capacity, "CNS_STDLIB=%s", named);
            return false;
        }
        return true;
    }
    if (beside_executable("/../share/lua/5.4", buffer, capacity) && holds_stdlib(buffer)) {
        return true;
    }
    static const char *const places[] = {CNS_SOURCE_STDLIB, CNS_INSTALLED_STDLIB};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        if (format_path(buffer, capacity, places[i], "") && holds_stdlib(buffer)) {
            return true;
        }
    }
    snprintf(buffer, capacity, "%s, %s", CNS_INSTALLED_STDLIB, CNS_SOURCE_STDLIB);
    return false;
}

bool cli_find_script(const char *name, char *buffer, size_t capacity) {
    char folder[PATH_MAX];
    if (format_path(buffer, capacity, "scripts/", name) && is_file(buffer)) {
        return true;
    }
    if (beside_executable("/../share/cnsengine/scripts/", folder, sizeof folder) &&
        format_path(buffer, capacity, folder, name) && is_file(buffer)) {
        return true;
    }
    static const char *const folders[] = {CNS_SOURCE_STDLIB "/../scripts/",
                                          CNS_INSTALLED_STDLIB "/../../cnsengine/scripts/"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (format_path(buffer, capacity, folders[i], name) && is_file(buffer)) {
            return true;
        }
    }
    return false;
}
