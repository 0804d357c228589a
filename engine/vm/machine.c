/* SPDX-License-Identifier: MIT
 *
 * machine.c - what kernels share: the pool and the native backend, opened when first needed.
 */
#include <stdio.h>
#include <string.h>

#include "vm/kernel.h"

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
