/* SPDX-License-Identifier: MIT
 *
 * jit_machine.c - the cns_vm behind the kernels of a family of states, and where its plugin lies.
 *
 * It is made for the first kernel and freed with the shared engine, after the last kernel. It uses
 * the default pool, which may close before: whoever needs the pool enters it first.
 */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jit.h"

#define PLUGIN "cns_jit_llvm.so"

enum { WHY = 384 };

/* The folder of the object that this code is in: cns.so, or the command. */
static bool own_folder(char *path, size_t capacity) {
    Dl_info info;
    char real[PATH_MAX];
    /* A function as data: as POSIX means dladdr and dlsym to be used. */
    const lua_CFunction here = luaopen_cns;
    void *address;
    memcpy(&address, &here, sizeof address);
    if (!dladdr(address, &info) || !info.dli_fname) {
        return false;
    }
    /* The command's name is what it was started by, which need not be a path. */
    const char *name = strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
    if (!realpath(name, real)) {
        return false;
    }
    char *slash = strrchr(real, '/');
    size_t length = slash ? (size_t)(slash - real) : 0;
    if (length == 0 || length >= capacity) {
        return false;
    }
    memcpy(path, real, length);
    path[length] = 0;
    return true;
}

bool lcns_find_plugin(char *path, size_t capacity) {
    const char *named = getenv("CNS_JIT_PLUGIN");
    if (named) { /* by the user: no other is looked for */
        int length = snprintf(path, capacity, "%s", named);
        return length > 0 && (size_t)length < capacity;
    }
    /* The command and the module in a build tree; the command, then the module, installed. */
    static const char *const places[] = {"/jit/", "/../jit/", "/../lib/cnsengine/",
                                         "/../../cnsengine/", "/../" CNS_LIBDIR "/cnsengine/"};
    char folder[PATH_MAX];
    if (!own_folder(folder, sizeof folder)) {
        return false;
    }
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int length = snprintf(path, capacity, "%s%s" PLUGIN, folder, places[i]);
        if (length > 0 && (size_t)length < capacity && access(path, R_OK) == 0) {
            return true;
        }
    }
    return false;
}

void lcns_machine_free(lcns_machine *machine) {
    if (machine) {
        cns_vm_destroy(machine->vm);
        lcns_pool_release(machine->pool);
        cns_context_resize(machine->context, machine, sizeof *machine, 0);
    }
}

void lcns_machine_leave(lcns_machine *machine, const lcns_pool *pool) {
    if (machine && machine->pool == pool) {
        cns_vm_leave_tasks(machine->vm);
    }
}

static lcns_machine *create_machine(lua_State *L, lcns_pool *pool) {
    cns_context *context = lcns_context(L);
    char path[PATH_MAX], cache[PATH_MAX], why[128];
    lcns_machine *machine = cns_context_resize(context, NULL, 0, sizeof *machine);
    if (!machine) {
        lcns_raise(L, CNS_E_NOMEM);
        return NULL;
    }
    *machine = (lcns_machine){.context = context, .pool = pool};
    machine->plugin = lcns_find_plugin(path, sizeof path);
    lcns_pool_retain(pool);
    cns_vm_config config = {.size = sizeof config, .tasks = pool->tasks};
    config.plugin = machine->plugin ? path : NULL;
    config.cache =
        lcns_find_cache(cache, sizeof cache, &config.cache_limit, why, sizeof why) ? cache : NULL;
    cns_status status = lcns_pool_enter(pool) ? CNS_OK : CNS_E_CANCELLED;
    if (status == CNS_OK) {
        status = cns_vm_create(context, &config, &machine->vm);
        lcns_pool_done(pool);
    }
    if (status != CNS_OK) {
        lcns_machine_free(machine);
        lcns_raise(L, status);
        return NULL;
    }
    return machine;
}

/* Two threads may make it at once: the first to publish it wins. */
lcns_machine *lcns_machine_of(lua_State *L) {
    lcns_shared *shared = lcns_shared_of(L);
    lcns_machine *machine = atomic_load(&shared->machine);
    if (machine) {
        return machine;
    }
    lcns_machine *mine = create_machine(L, lcns_pool_default(L));
    if (atomic_compare_exchange_strong(&shared->machine, &machine, mine)) {
        return mine;
    }
    lcns_machine_free(mine);
    return machine;
}

/* cns.jit.native() -> "LLVM 19.1.7 for znver3", or false and why not; nothing before the first
 * kernel, so that asking loads nothing that nobody uses. */
static int native(lua_State *L) {
    lcns_machine *machine = atomic_load(&lcns_shared_of(L)->machine);
    char why[WHY] = "";
    if (!machine) {
        return 0;
    }
    const char *name = cns_vm_native(machine->vm, why, sizeof why);
    if (name) {
        lua_pushstring(L, name);
        return 1;
    }
    lua_pushboolean(L, 0);
    lua_pushstring(L, why);
    return 2;
}

int lcns_open_native(lua_State *L) {
    lua_pushcfunction(L, native);
    return 1;
}
