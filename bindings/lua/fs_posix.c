/* SPDX-License-Identifier: MIT
 *
 * fs_posix.c - cns.fs: the little about files that Lua's io and os lack, on POSIX.
 *
 * Failures come back as nil, message, errno, like io's. Folders made by tempdir are remembered in
 * the registry with their inode, and remove_tree takes nothing else; it walks by descriptors and
 * never follows a symbolic link, so a link planted in the tree leads nowhere.
 */
#define _GNU_SOURCE /* syscall, O_DIRECTORY and kin */

#include "module.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#define DIRECTORY_NAME "cns.fs.directory"

/* Registry key: path -> identity, of the folders that tempdir made. */
static const char tempdirs_key = 0;

static const char *check_path(lua_State *L, int arg) {
    size_t length;
    luaL_checktype(L, arg, LUA_TSTRING);
    const char *path = lua_tolstring(L, arg, &length);
    luaL_argcheck(L, length > 0, arg, "a path is not empty");
    luaL_argcheck(L, strlen(path) == length, arg, "a path has no zero bytes");
    return path;
}

/* true, or nil, "path: cause", errno. */
static int result(lua_State *L, int failed, const char *path) {
    return luaL_fileresult(L, !failed, path);
}

static int fail(lua_State *L, int error, const char *path) {
    errno = error;
    return luaL_fileresult(L, 0, path);
}

/* ---- one call each --------------------------------------------------------------------------- */

static int fs_mkdir(lua_State *L) {
    const char *path = check_path(L, 1);
    return result(L, mkdir(path, 0777), path);
}

static int fs_rmdir(lua_State *L) {
    const char *path = check_path(L, 1);
    return result(L, rmdir(path), path);
}

static int fs_chmod(lua_State *L) {
    const char *path = check_path(L, 1);
    mode_t mode = (mode_t)lcns_check_range(L, 2, 0, 07777);
    return result(L, chmod(path, mode), path);
}

static int fs_truncate(lua_State *L) {
    const char *path = check_path(L, 1);
    lua_Integer size = lcns_check_range(L, 2, 0, LUA_MAXINTEGER);
    return result(L, truncate(path, (off_t)size), path);
}

static int fs_stat(lua_State *L) {
    struct stat s;
    const char *path = check_path(L, 1);
    if (stat(path, &s) != 0) {
        return result(L, 1, path);
    }
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, (lua_Integer)s.st_size);
    lua_setfield(L, -2, "size");
    lua_pushstring(L, S_ISREG(s.st_mode) ? "file" : S_ISDIR(s.st_mode) ? "directory" : "other");
    lua_setfield(L, -2, "kind");
    lua_pushinteger(L, (lua_Integer)(s.st_mode & 07777));
    lua_setfield(L, -2, "mode");
    return 1;
}

/* ---- listing --------------------------------------------------------------------------------- */

typedef struct directory_object {
    DIR *stream;
} directory_object;

static int directory_gc(lua_State *L) {
    directory_object *d = luaL_checkudata(L, 1, DIRECTORY_NAME);
    if (d->stream) {
        closedir(d->stream);
        d->stream = NULL;
    }
    return 0;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_dots(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Sorts the list of strings on top, all without zero bytes. */
static void sort_names(lua_State *L, lua_Integer count) {
    const char **names = lua_newuserdatauv(L, ((size_t)count + 1) * sizeof *names, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_rawgeti(L, -2, i + 1);
        names[i] = lua_tostring(L, -1);
        lua_pop(L, 1); /* the list holds it */
    }
    qsort(names, (size_t)count, sizeof *names, compare_names);
    lua_createtable(L, (int)count, 0);
    for (lua_Integer i = 0; i < count; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, i + 1);
    }
}

static int fs_list(lua_State *L) {
    const char *path = check_path(L, 1);
    directory_object *d = lua_newuserdatauv(L, sizeof *d, 0);
    d->stream = NULL;
    luaL_setmetatable(L, DIRECTORY_NAME);
    d->stream = opendir(path);
    if (!d->stream) {
        return result(L, 1, path);
    }
    lua_newtable(L);
    lua_Integer count = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d->stream);
        if (!entry) {
            break;
        }
        if (!is_dots(entry->d_name)) {
            lua_pushstring(L, entry->d_name);
            lua_rawseti(L, -2, ++count);
        }
    }
    int error = errno;
    closedir(d->stream);
    d->stream = NULL;
    if (error != 0) {
        return fail(L, error, path);
    }
    if (count >= INT_MAX) {
        return fail(L, EOVERFLOW, path);
    }
    sort_names(L, count);
    return 1;
}

/* ---- temporary folders ----------------------------------------------------------------------- */

static void push_tempdirs(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &tempdirs_key) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &tempdirs_key);
    }
}

/* What tells the folder from another one put in its place. */
typedef struct identity {
    dev_t device;
    ino_t inode;
} identity;

/* Eight letters for a name that is likely not taken. mkdtemp would tell the name only when the
 * folder is there already, and noting it then may fail. */
static void write_suffix(lua_State *L, char *suffix, int attempt) {
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t x = (uint64_t)t.tv_nsec ^ (uint64_t)t.tv_sec << 30 ^ (uint64_t)(uintptr_t)L >> 4;
    x = (x + (uint64_t)attempt) * UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)getpid() << 40;
    for (int i = 0; i < 8; i++, x /= 36) {
        suffix[i] = digits[x % 36];
    }
}

/* Tries one name; 0 or errno. Noted before it is made, so that no failure leaves it behind. */
static int make_tempdir(lua_State *L, int tempdirs, const char *path) {
    struct stat s;
    lua_pushstring(L, path);
    lua_pushvalue(L, -1);
    identity *id = lua_newuserdatauv(L, sizeof *id, 0);
    lua_rawset(L, tempdirs);
    int error = mkdir(path, 0700) != 0 || lstat(path, &s) != 0 ? errno : 0;
    if (error == 0) {
        *id = (identity){s.st_dev, s.st_ino};
    } else {
        lua_pushvalue(L, -1);
        lua_pushnil(L);
        lua_rawset(L, tempdirs);
    }
    return error;
}

static int fs_tempdir(lua_State *L) {
    const char *prefix = luaL_optstring(L, 1, "cns");
    luaL_argcheck(L, !strchr(prefix, '/') && *prefix, 1, "a prefix is a plain name");
    const char *base = getenv("TMPDIR");
    base = base && *base ? base : "/tmp";
    size_t size = strlen(base) + strlen(prefix) + sizeof "/-XXXXXXXX";
    push_tempdirs(L);
    int tempdirs = lua_gettop(L);
    char *path = lua_newuserdatauv(L, size, 0);
    snprintf(path, size, "%s/%s-XXXXXXXX", base, prefix);
    int error = EEXIST;
    for (int attempt = 0; error == EEXIST && attempt < 100; attempt++) {
        lua_settop(L, tempdirs + 1);
        write_suffix(L, path + size - 9, attempt);
        error = make_tempdir(L, tempdirs, path);
    }
    return error == 0 ? 1 : fail(L, error, path);
}

#define DEPTH_MAX 128 /* one descriptor a level */

/* Empties the folder behind `fd`, which it closes. 0 or errno. */
static int empty_folder(int fd, int depth) {
    DIR *stream = depth < DEPTH_MAX ? fdopendir(fd) : NULL;
    if (!stream) {
        int error = depth < DEPTH_MAX ? errno : ENAMETOOLONG;
        close(fd);
        return error;
    }
    int error = 0;
    while (error == 0) {
        errno = 0;
        const struct dirent *entry = readdir(stream);
        if (!entry) {
            error = errno;
            break;
        }
        if (is_dots(entry->d_name)) {
            continue;
        }
        if (unlinkat(fd, entry->d_name, 0) == 0) {
            continue;
        }
        int below = openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        error = below < 0 ? errno : empty_folder(below, depth + 1);
        if (error == 0 && unlinkat(fd, entry->d_name, AT_REMOVEDIR) != 0) {
            error = errno;
        }
    }
    closedir(stream);
    return error;
}

static int fs_remove_tree(lua_State *L) {
    struct stat s;
    const char *path = check_path(L, 1);
    push_tempdirs(L);
    lua_pushvalue(L, 1);
    lua_rawget(L, -2);
    const identity *id = lua_touserdata(L, -1);
    if (!id) {
        return luaL_argerror(L, 1, "not a folder that fs.tempdir made");
    }
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return result(L, 1, path);
    }
    if (fstat(fd, &s) != 0) {
        int error = errno;
        close(fd);
        return fail(L, error, path);
    }
    if (s.st_dev != id->device || s.st_ino != id->inode) {
        close(fd);
        return luaL_argerror(L, 1, "another folder has taken the place of fs.tempdir's");
    }
    int error = empty_folder(fd, 0);
    if (error == 0 && rmdir(path) != 0) {
        error = errno;
    }
    if (error != 0) {
        return fail(L, error, path);
    }
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    lua_rawset(L, -4);
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- whole files ----------------------------------------------------------------------------- */

static int write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t written = write(fd, data, size < INT_MAX ? size : INT_MAX);
        if (written < 0 && errno != EINTR) {
            return errno;
        }
        if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

/* Writes, keeps the mode of the file that is replaced, and makes it durable. 0 or errno. */
static int fill_file(int fd, const char *path, const char *data, size_t size) {
    struct stat old;
    int error = write_all(fd, data, size);
    if (error == 0 && stat(path, &old) == 0 && S_ISREG(old.st_mode) &&
        fchmod(fd, old.st_mode & 07777) != 0) {
        error = errno;
    }
    if (error == 0 && fsync(fd) != 0) {
        error = errno;
    }
    return error;
}

/* The rename is durable once its folder is; `path` is cut at its last slash. */
static void sync_folder(char *path) {
    char *slash = strrchr(path, '/');
    if (slash) {
        slash[slash == path ? 1 : 0] = '\0';
    }
    int fd = open(slash ? path : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* some file systems cannot; the file itself is safe */
        close(fd);
    }
}

/* A device, a pipe or the like is written to: a rename would put a file in its place, and root may
 * do that even to /dev/null. 0 or errno. */
static int write_through(const char *path, const char *data, size_t size) {
    int fd = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    int error = write_all(fd, data, size);
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    return error;
}

/* Writes beside the file and renames. `temporary` has room for the path and 64 bytes. 0 or errno.
 */
static int replace_file(char *temporary, size_t room, const char *path, const char *data,
                        size_t size) {
    int fd = -1;
    for (int attempt = 0; fd < 0 && attempt < 100; attempt++) {
        /* O_EXCL: neither a file nor a link that somebody put there is written through. */
        snprintf(temporary, room, "%s.%ld-%p-%d.tmp", path, (long)getpid(), (void *)temporary,
                 attempt);
        fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) {
            break;
        }
    }
    if (fd < 0) {
        return errno;
    }
    int error = fill_file(fd, path, data, size);
    if (close(fd) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(temporary, path) != 0) {
        error = errno;
    }
    if (error != 0) {
        (void)unlink(temporary);
        return error;
    }
    sync_folder(temporary);
    return 0;
}

static int fs_write_atomic(lua_State *L) {
    size_t size;
    const char *path = check_path(L, 1);
    luaL_checktype(L, 2, LUA_TSTRING);
    const char *text = lua_tolstring(L, 2, &size);
    char resolved[PATH_MAX];
    struct stat old;
    bool present = stat(path, &old) == 0;
    bool special = present && !S_ISREG(old.st_mode) && !S_ISDIR(old.st_mode);
    /* A link stays: /dev/stdout into a file is one. The file that it leads to is replaced. */
    const char *target = present && realpath(path, resolved) ? resolved : path;
    size_t room = strlen(target) + 64;
    char *temporary = lua_newuserdatauv(L, room, 0);
    int error = special ? write_through(path, text, size)
                        : replace_file(temporary, room, target, text, size);
    if (error != 0) {
        return fail(L, error, path);
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* ---- without privileges ---------------------------------------------------------------------- */

#if defined(__linux__)

#define NOBODY 65534

/* The raw calls: file access of this thread alone. Both return what was before. Leaving user 0
 * takes the thread's file capabilities (CAP_DAC_OVERRIDE and kin) out of the effective set; coming
 * back to 0 raises them again. */
static long set_user(long id) {
    return syscall(SYS_setfsuid, id);
}

static long set_group(long id) {
    return syscall(SYS_setfsgid, id);
}

static int fs_unprivileged(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    int arguments = lua_gettop(L) - 1;
    long user = set_user(-1);
    if (user != 0) { /* not root, or already inside */
        lua_call(L, arguments, LUA_MULTRET);
        return lua_gettop(L);
    }
    long group = set_group(NOBODY);
    set_user(NOBODY);
    int status = lua_pcall(L, arguments, LUA_MULTRET, 0);
    set_user(user);
    set_group(group);
    if (status != LUA_OK) {
        return lua_error(L);
    }
    return lua_gettop(L);
}

#else

static int fs_unprivileged(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

#endif

static const luaL_Reg functions[] = {
    {"mkdir", fs_mkdir},
    {"rmdir", fs_rmdir},
    {"chmod", fs_chmod},
    {"truncate", fs_truncate},
    {"stat", fs_stat},
    {"list", fs_list},
    {"tempdir", fs_tempdir},
    {"write_atomic", fs_write_atomic},
    {"remove_tree", fs_remove_tree},
    {"unprivileged", fs_unprivileged},
    {NULL, NULL},
};

int lcns_open_fs(lua_State *L) {
    lcns_type(L, DIRECTORY_NAME, NULL, NULL, directory_gc);
    luaL_newlib(L, functions);
    return 1;
}
