/* SPDX-License-Identifier: MIT
 *
 * base/os_folder.c - folders for the user alone, on POSIX systems.
 *
 * Everything goes through the folder's descriptor, whose owner and mode were looked at once it was
 * open: between a look and a use nobody can put another folder in its place. A file is looked at
 * the same way.
 */
#define _GNU_SOURCE /* O_DIRECTORY, futimens, d_name */

#include "base/os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char unfinished[] = ".unfinished-";

enum { USED_AGAIN_SECONDS = 60, DIGITS = 16 /* behind `unfinished` */ };

/* ---- opening --------------------------------------------------------------------------------- */

static const char *not_private(const struct stat *info) {
    if (info->st_uid != geteuid()) {
        return "it belongs to another user";
    }
    return info->st_mode & (S_IWGRP | S_IWOTH) ? "others may write to it" : NULL;
}

/* Cuts the last component off; false where there is none above it. */
static bool to_parent(char *path) {
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    while (length > 1 && path[length - 1] != '/') {
        length--;
    }
    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    bool shorter = length < strlen(path) && path[0] == '/';
    path[length] = '\0';
    return shorter;
}

static bool copy_path(char *copy, const char *path) {
    size_t length = strlen(path);
    if (length == 0 || length >= PATH_MAX) {
        return false;
    }
    memcpy(copy, path, length + 1);
    return true;
}

static int make_folders(const char *path) {
    char part[PATH_MAX];
    if (!copy_path(part, path)) {
        return ENAMETOOLONG;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return errno;
        }
        *slash = '/';
    }
    return mkdir(part, 0700) == 0 || errno == EEXIST ? 0 : errno;
}

static int open_folder(const char *path, bool create, int *handle) {
    *handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int error = *handle < 0 ? errno : 0;
    if (error == ENOENT && create) {
        error = make_folders(path);
        if (error == 0) {
            *handle = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            error = *handle < 0 ? errno : 0;
        }
    }
    return error;
}

int cns_os_folder_open(cns_os_folder *folder, const char *path, bool create, char *why,
                       size_t capacity) {
    int handle;
    struct stat info;
    int error = open_folder(path, create, &handle);
    const char *reason = NULL;
    if (error == 0) {
        error = fstat(handle, &info) ? errno : 0;
        reason = error ? NULL : not_private(&info);
        error = reason ? EPERM : error;
        if (error) {
            close(handle);
        }
    }
    if (error == 0) {
        folder->handle = handle;
    } else if (reason) {
        snprintf(why, capacity, "%s", reason);
    } else {
        char text[128];
        snprintf(why, capacity, "%s", cns_os_error_text(error, text, sizeof text));
    }
    return error;
}

int cns_os_folder_possible(const char *path) {
    char part[PATH_MAX];
    if (!copy_path(part, path)) {
        return ENAMETOOLONG;
    }
    while (to_parent(part)) {
        if (access(part, W_OK | X_OK) == 0) {
            return 0;
        }
        if (errno != ENOENT) {
            return errno;
        }
    }
    return ENOENT;
}

int cns_os_folder_writable(const cns_os_folder *folder) {
    return faccessat((int)folder->handle, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

void cns_os_folder_close(cns_os_folder *folder) {
    close((int)folder->handle);
}

/* ---- files ----------------------------------------------------------------------------------- */

static struct timespec now(void) {
    struct timespec time = {0};
    clock_gettime(CLOCK_REALTIME, &time);
    return time;
}

int cns_os_folder_use(const cns_os_folder *folder, const char *name, cns_os_file *file) {
    int handle = openat((int)folder->handle, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (handle < 0) {
        return errno;
    }
    struct stat info;
    int error = fstat(handle, &info) ? errno : 0;
    if (error == 0 && (!S_ISREG(info.st_mode) || not_private(&info))) {
        error = EPERM;
    }
    if (error) {
        close(handle);
        return error;
    }
    if (now().tv_sec - info.st_mtim.tv_sec > USED_AGAIN_SECONDS) {
        const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_NOW}};
        (void)futimens(handle, times); /* the file is as good without */
    }
    *file = (cns_os_file){.handle = handle, .size = (uint64_t)info.st_size, .regular = true};
    return 0;
}

static int write_all(int handle, const uint8_t *bytes, size_t size) {
    struct rlimit limit;
    /* Beyond this limit the system ends the process instead of failing the call. */
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        size > limit.rlim_cur) {
        return EFBIG;
    }
    for (size_t done = 0; done < size;) {
        ssize_t n = write(handle, bytes + done, size - done);
        if (n < 0 && errno != EINTR) {
            return errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int cns_os_folder_put(const cns_os_folder *folder, const char *name, const void *bytes,
                      size_t size) {
    char temporary[48];
    uint64_t number;
    cns_os_random(&number, sizeof number);
    snprintf(temporary, sizeof temporary, "%s%0*" PRIx64, unfinished, DIGITS, number);
    int at = (int)folder->handle;
    int handle = openat(at, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (handle < 0) {
        return errno;
    }
    int error = write_all(handle, bytes, size);
    if (close(handle) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && renameat(at, temporary, at, name) != 0) {
        error = errno;
    }
    if (error) {
        (void)unlinkat(at, temporary, 0);
    }
    return error;
}

int cns_os_folder_remove(const cns_os_folder *folder, const char *name) {
    return unlinkat((int)folder->handle, name, 0) == 0 ? 0 : errno;
}

/* ---- listing --------------------------------------------------------------------------------- */

static bool visit_one(int at, const char *name, bool (*visit)(void *, const cns_os_entry *),
                      void *user) {
    struct stat info;
    if (fstatat(at, name, &info, AT_SYMLINK_NOFOLLOW) != 0) {
        return true; /* gone meanwhile */
    }
    struct timespec time = now();
    cns_os_entry entry = {.name = name,
                          .size = (uint64_t)info.st_size,
                          .age_ns = (int64_t)(time.tv_sec - info.st_mtim.tv_sec) * 1000000000 +
                                    (time.tv_nsec - info.st_mtim.tv_nsec),
                          .regular = S_ISREG(info.st_mode),
                          .unfinished = strncmp(name, unfinished, sizeof unfinished - 1) == 0 &&
                                        strlen(name) == sizeof unfinished - 1 + DIGITS};
    return visit(user, &entry);
}

int cns_os_folder_list(const cns_os_folder *folder,
                       bool (*visit)(void *user, const cns_os_entry *entry), void *user) {
    /* Opened anew: a copy of the descriptor would share its place in the list. */
    int at = openat((int)folder->handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = at < 0 ? NULL : fdopendir(at);
    if (!list) {
        int error = errno;
        if (at >= 0) {
            close(at);
        }
        return error;
    }
    const struct dirent *item;
    bool on = true;
    while (on && (item = readdir(list)) != NULL) {
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0) {
            on = visit_one(at, item->d_name, visit, user);
        }
    }
    closedir(list);
    return 0;
}
