/* SPDX-License-Identifier: MIT
 *
 * jit_cache.c - where the native code of kernels is kept between processes.
 *
 * By the environment: CNS_CACHE, else the user's folder for caches (XDG Base Directory
 * Specification 0.8, by which a path that is not absolute is ignored).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jit.h"

static bool say(char *why, size_t capacity, const char *text) {
    snprintf(why, capacity, "%s", text);
    return false;
}

static bool join(char *path, size_t capacity, const char *folder, const char *name) {
    int length = snprintf(path, capacity, "%s%s", folder, name);
    return length > 0 && (size_t)length < capacity;
}

static bool is_full_path(const char *path) {
    return path && *path == '/';
}

static bool find_folder(char *path, size_t capacity, char *why, size_t why_capacity) {
    const char *named = getenv("CNS_CACHE");
    const char *caches = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    bool fits;
    if (named) {
        if (!*named) {
            return say(why, why_capacity, "CNS_CACHE is empty");
        }
        if (!is_full_path(named)) {
            return say(why, why_capacity, "CNS_CACHE is no full path");
        }
        fits = join(path, capacity, named, "");
    } else if (is_full_path(caches)) {
        fits = join(path, capacity, caches, "/cnsengine");
    } else if (is_full_path(home)) {
        fits = join(path, capacity, home, "/.cache/cnsengine");
    } else {
        return say(why, why_capacity, "none of CNS_CACHE, XDG_CACHE_HOME and HOME names a folder");
    }
    return fits || say(why, why_capacity, "its path is too long");
}

bool lcns_find_cache(char *path, size_t capacity, uint64_t *limit, char *why, size_t why_capacity) {
    const char *size = getenv("CNS_CACHE_LIMIT");
    *limit = 0;
    if (size && *size && (!lcns_parse_bytes(size, strlen(size), limit) || *limit == 0)) {
        return say(why, why_capacity, "CNS_CACHE_LIMIT is no size such as \"64 MiB\"");
    }
    return find_folder(path, capacity, why, why_capacity);
}
