/* SPDX-License-Identifier: MIT
 *
 * kernel_native.c - native code of a kernel: found in the cache, or made and kept there.
 *
 * It is made from a copy of the IR as built. The cache's key is a digest over that IR and all else
 * that the code depends on, so that what is found needs neither the optimiser nor the compiler. An
 * entry holds what the backend links, and what explain tells of it:
 *
 *     compile-ns remarks-size remarks object      (numbers of 64 bits, little-endian)
 */
#include <stdio.h>
#include <string.h>

#include "cns/hash.h"
#include "vm/kernel.h"
#include "vm/module.h"
#include "vm/passes.h"
#include "vm/remarks.h"

/* ---- making ---------------------------------------------------------------------------------- */

cns_status cns_kernel_native_ir(const cns_kernel *kernel, cns_ir_function **out) {
    cns_ir_function *copy = NULL;
    cns_status status = cns_ir_clone(kernel->built, &copy);
    if (status == CNS_OK) {
        status =
            cns_optimise(copy, kernel->options & CNS_KERNEL_NO_OPTIMISER ? CNS_OPTIMISE_NONE
                                                                         : CNS_OPTIMISE_NATIVE);
    }
    if (status != CNS_OK) {
        cns_ir_destroy(copy);
        return status;
    }
    *out = copy;
    return CNS_OK;
}

cns_native_options cns_kernel_native_options(const cns_kernel *kernel) {
    return (cns_native_options){.math = kernel->options};
}

typedef struct remark_sink {
    cns_ir_function *ir;
    bool lost; /* one found no memory: the code is as good without it, but is not kept */
} remark_sink;

static void note_remark(void *user, cns_remark_kind kind, uint32_t site, const char *text) {
    remark_sink *sink = user;
    sink->lost |= cns_ir_remark(sink->ir, kind, site, "%s", text) != CNS_OK;
}

/* The object in memory of the context, and the remarks in the kernel. */
static cns_status make_object(cns_kernel *kernel, void **object, size_t *size) {
    cns_vm *vm = kernel->vm;
    remark_sink sink = {0};
    cns_status status = cns_kernel_native_ir(kernel, &sink.ir);
    if (status == CNS_OK) {
        cns_native_options options = cns_kernel_native_options(kernel);
        options.remark = note_remark;
        options.remark_user = &sink;
        status = vm->backend->compile(vm->instance, sink.ir, &options, object, size);
    }
    if (status == CNS_OK) {
        cns_remarks_write(sink.ir, &kernel->remarks);
        kernel->remarks.failed |= sink.lost;
    }
    cns_ir_destroy(sink.ir);
    return status;
}

/* ---- the cache ------------------------------------------------------------------------------- */

enum { HEAD = 8 + 8 };

static void put_u64(char *at, uint64_t value) {
    for (int i = 0; i < 8; i++) {
        at[i] = (char)(value >> 8 * i);
    }
}

static uint64_t get_u64(const uint8_t *at) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)at[i] << 8 * i;
    }
    return value;
}

static void say_no_cache(cns_kernel *kernel, const char *why) {
    snprintf(kernel->uncached, sizeof kernel->uncached, "%s", why);
}

/* The IR as built: no pass has put flags into it that are not written. */
static bool make_key(cns_kernel *kernel, uint8_t key[CNS_CACHE_KEY]) {
    const cns_vm *vm = kernel->vm;
    char options[8];
    if (kernel->options & CNS_KERNEL_NO_CACHE) {
        say_no_cache(kernel, "the kernel is to do without");
        return false;
    }
    if (!vm->cache.path) {
        say_no_cache(kernel, "no folder was named for it");
        return false;
    }
    if (!vm->identified) {
        say_no_cache(kernel, "the builds of engine and compiler cannot be told apart here");
        return false;
    }
    cns_text all;
    cns_text_init(&all, vm->context);
    put_u64(options, kernel->options);
    cns_text_append(&all, (const char *)vm->identity, sizeof vm->identity);
    cns_text_append(&all, options, sizeof options);
    cns_status status = cns_ir_write(kernel->built, &all);
    status = status == CNS_OK ? cns_text_status(&all) : status;
    status = status == CNS_OK ? cns_hash_digest(vm->context, CNS_HASH_BLAKE3, NULL, all.bytes,
                                                all.length, key, CNS_CACHE_KEY)
                              : status;
    cns_text_deinit(&all);
    if (status != CNS_OK) {
        cns_context_message(vm->context, kernel->uncached, sizeof kernel->uncached);
    }
    return status == CNS_OK;
}

/* Whether the entry's code runs now. Nothing of the kernel is changed where not. */
static bool link_entry(cns_kernel *kernel, const cns_cache_entry *entry) {
    cns_vm *vm = kernel->vm;
    const uint8_t *payload = entry->payload;
    uint64_t remarks = entry->size >= HEAD ? get_u64(payload + 8) : 0;
    uint32_t count;
    if (entry->size < HEAD || remarks > entry->size - HEAD ||
        !cns_remarks_count(payload + HEAD, (size_t)remarks, &count)) {
        return false;
    }
    const uint8_t *object = payload + HEAD + remarks;
    cns_text_append(&kernel->remarks, (const char *)payload + HEAD, (size_t)remarks);
    if (kernel->remarks.failed ||
        vm->backend->link(vm->instance, object, entry->size - HEAD - (size_t)remarks,
                          &kernel->native) != CNS_OK) {
        cns_text_deinit(&kernel->remarks);
        return false;
    }
    kernel->compile_ns = get_u64(payload);
    return true;
}

static bool load(cns_kernel *kernel, const uint8_t key[CNS_CACHE_KEY]) {
    cns_cache_entry entry;
    if (!cns_cache_get(&kernel->vm->cache, key, &entry)) {
        return false;
    }
    kernel->cached = link_entry(kernel, &entry);
    cns_cache_release(&kernel->vm->cache, &entry);
    return kernel->cached;
}

static void keep(cns_kernel *kernel, const uint8_t key[CNS_CACHE_KEY], const void *object,
                 size_t size) {
    char head[HEAD];
    cns_text payload;
    cns_text_init(&payload, kernel->vm->context);
    put_u64(head, kernel->compile_ns);
    put_u64(head + 8, kernel->remarks.length);
    cns_text_append(&payload, head, sizeof head);
    if (kernel->remarks.length > 0) {
        cns_text_append(&payload, kernel->remarks.bytes, kernel->remarks.length);
    }
    cns_text_append(&payload, object, size);
    if (kernel->remarks.failed || payload.failed) {
        say_no_cache(kernel, "not enough memory");
    } else {
        (void)cns_cache_put(&kernel->vm->cache, key, payload.bytes, payload.length,
                            kernel->uncached, sizeof kernel->uncached);
    }
    cns_text_deinit(&payload);
}

/* ---- both ------------------------------------------------------------------------------------ */

static cns_status make(cns_kernel *kernel, const uint8_t *key, uint64_t begin) {
    cns_vm *vm = kernel->vm;
    void *object = NULL;
    size_t size = 0;
    cns_status status = make_object(kernel, &object, &size);
    kernel->compile_ns = cns_os_clock() - begin;
    if (status == CNS_OK && key) {
        keep(kernel, key, object, size);
    }
    if (status == CNS_OK) {
        status = vm->backend->link(vm->instance, object, size, &kernel->native);
    }
    if (object) {
        cns_context_resize(vm->context, object, size, 0);
    }
    return status;
}

cns_status cns_kernel_obtain_native(cns_kernel *kernel) {
    cns_vm *vm = kernel->vm;
    if (!cns_vm_open_native(vm)) { /* once a process: not this kernel's time */
        return cns_fail(vm->context, CNS_E_UNSUPPORTED, "%s", vm->why);
    }
    uint8_t key[CNS_CACHE_KEY];
    uint64_t begin = cns_os_clock();
    bool keyed = make_key(kernel, key);
    cns_status status =
        keyed && load(kernel, key) ? CNS_OK : make(kernel, keyed ? key : NULL, begin);
    kernel->native_ns = cns_os_clock() - begin;
    return status;
}
