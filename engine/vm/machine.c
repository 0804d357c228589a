/* SPDX-License-Identifier: MIT
 *
 * machine.c - what kernels share: the pool, the native backend, opened when first needed, and the
 * cache of what it makes.
 */
#include <stdio.h>
#include <string.h>

#include "cns/hash.h"
#include "vm/kernel.h"
#include "vm/passes.h"

cns_status cns_vm_create(cns_context *context, const cns_vm_config *config, cns_vm **out) {
    static const cns_vm_config defaults = {.size = sizeof(cns_vm_config)};
    const cns_vm_config *c = config ? config : &defaults;
    if (c->size != sizeof *c) {
        return cns_fail(context, CNS_E_INVALID, "cns_vm_config.size is %u, not %zu",
                        (unsigned)c->size, sizeof *c);
    }
    cns_vm *vm = cns_context_calloc(context, sizeof *vm);
    if (!vm) {
        return cns_context_memory_status(context, sizeof *vm);
    }
    vm->context = context;
    vm->cache.context = context;
    vm->tasks = c->tasks;
    if (cns_mutex_init(&vm->mutex) != 0) {
        cns_context_free(context, vm, sizeof *vm, CNS_ALIGN_DEFAULT);
        return cns_fail(context, CNS_E_NOMEM, "the system has no lock left for a machine");
    }
    if (c->plugin) {
        size_t size = strlen(c->plugin) + 1;
        vm->plugin = cns_context_alloc(context, size, 1);
        if (!vm->plugin) {
            cns_vm_destroy(vm);
            return cns_context_memory_status(context, size);
        }
        memcpy(vm->plugin, c->plugin, size);
    }
    cns_status status = cns_cache_init(&vm->cache, context, c->cache, c->cache_limit);
    if (status != CNS_OK) {
        cns_vm_destroy(vm);
        return status;
    }
    *out = vm;
    return CNS_OK;
}

void cns_vm_destroy(cns_vm *vm) {
    if (!vm) {
        return;
    }
    cns_context *context = vm->context;
    if (vm->backend) {
        vm->backend->destroy(vm->instance);
        cns_os_library_close(vm->library);
    }
    if (vm->plugin) {
        cns_context_free(context, vm->plugin, strlen(vm->plugin) + 1, 1);
    }
    cns_cache_deinit(&vm->cache);
    cns_mutex_deinit(&vm->mutex);
    cns_context_free(context, vm, sizeof *vm, CNS_ALIGN_DEFAULT);
}

void cns_vm_leave_tasks(cns_vm *vm) {
    vm->tasks = NULL;
}

/* ---- the backend ----------------------------------------------------------------------------- */

static void say_why(cns_vm *vm, const char *what, const char *cause) {
    snprintf(vm->why, sizeof vm->why, "%s%s%s", what, *cause ? ": " : "", cause);
}

/* Its table, once the library is open; NULL with the reason. */
static const cns_native_backend *ask_backend(cns_vm *vm) {
    cns_native_backend_fn ask =
        (cns_native_backend_fn)cns_os_library_symbol(vm->library, CNS_NATIVE_SYMBOL);
    const cns_native_backend *backend = ask ? ask() : NULL;
    if (!backend) {
        say_why(vm, "no native backend in the file", vm->plugin);
        return NULL;
    }
    if (backend->abi != CNS_NATIVE_ABI) {
        say_why(vm, "the native backend is of another version of cnsengine", vm->plugin);
        return NULL;
    }
    return backend;
}

/* The digest of what code depends on beside its kernel: the backend, and the passes in this very
 * build of the engine. */
static bool identify(cns_vm *vm, const cns_native_backend *backend) {
    char engine[512];
    const char *compiler = backend->identity(vm->instance);
    if (!compiler ||
        !cns_os_function_identity((cns_os_symbol)cns_optimise, engine, sizeof engine)) {
        return false;
    }
    cns_text all;
    cns_text_init(&all, vm->context);
    cns_text_printf(&all, "native code\nengine %s, ABI %u\n%s", engine, CNS_NATIVE_ABI, compiler);
    bool made = cns_text_status(&all) == CNS_OK &&
                cns_hash_digest(vm->context, CNS_HASH_BLAKE3, NULL, all.bytes, all.length,
                                vm->identity, sizeof vm->identity) == CNS_OK;
    cns_text_deinit(&all);
    return made;
}

static void open_backend(cns_vm *vm) {
    if (!vm->plugin) {
        say_why(vm, "no native backend was named", "");
        return;
    }
    char cause[160];
    if (!cns_os_library_open(vm->plugin, &vm->library, cause, sizeof cause)) {
        say_why(vm, "the native backend could not be loaded", cause);
        return;
    }
    const cns_native_backend *backend = ask_backend(vm);
    if (backend &&
        backend->create(vm->context, cns_native_services_get(), &vm->instance) != CNS_OK) {
        cns_context_message(vm->context, cause, sizeof cause);
        say_why(vm, "the native backend does not start", cause);
        backend = NULL;
    }
    if (backend) {
        vm->identified = vm->cache.path && identify(vm, backend);
        snprintf(vm->name, sizeof vm->name, "%s for %s", backend->name, backend->cpu(vm->instance));
    } else {
        cns_os_library_close(vm->library);
    }
    vm->backend = backend;
}

bool cns_vm_open_native(cns_vm *vm) {
    cns_mutex_lock(&vm->mutex);
    if (!vm->opened) {
        open_backend(vm);
        vm->opened = true;
    }
    bool there = vm->backend != NULL;
    cns_mutex_unlock(&vm->mutex);
    return there;
}

const char *cns_vm_native(cns_vm *vm, char *why, uint64_t capacity) {
    bool there = cns_vm_open_native(vm);
    if (why && capacity > 0) {
        snprintf(why, capacity, "%s", there ? "" : vm->why);
    }
    return there ? vm->name : NULL;
}

/* ---- the cache ------------------------------------------------------------------------------- */

const char *cns_vm_cache(const cns_vm *vm) {
    return vm->cache.path;
}

static cns_status check_cache(const cns_vm *vm, const cns_cache_info *info) {
    if (info->size != sizeof *info) {
        return cns_fail(vm->context, CNS_E_INVALID, "cns_cache_info.size is %u, not %zu",
                        (unsigned)info->size, sizeof *info);
    }
    return vm->cache.path ? CNS_OK : cns_fail(vm->context, CNS_E_UNSUPPORTED, "there is no cache");
}

static cns_status answer(const cns_vm *vm, bool fine, const char *why, cns_cache_usage usage,
                         cns_cache_info *out) {
    out->files = usage.files;
    out->bytes = usage.bytes;
    out->limit = vm->cache.limit;
    return fine ? CNS_OK : cns_fail(vm->context, CNS_E_IO, "%s", why);
}

cns_status cns_vm_cache_measure(cns_vm *vm, cns_cache_info *out) {
    cns_status status = check_cache(vm, out);
    if (status == CNS_OK) {
        cns_cache_usage usage;
        char why[CNS_CACHE_WHY];
        bool fine = cns_cache_measure(&vm->cache, &usage, why, sizeof why);
        status = answer(vm, fine, why, usage, out);
    }
    return status;
}

cns_status cns_vm_cache_clear(cns_vm *vm, cns_cache_info *out) {
    cns_status status = check_cache(vm, out);
    if (status == CNS_OK) {
        cns_cache_usage usage;
        char why[CNS_CACHE_WHY];
        bool fine = cns_cache_clear(&vm->cache, &usage, why, sizeof why);
        status = answer(vm, fine, why, usage, out);
    }
    return status;
}
