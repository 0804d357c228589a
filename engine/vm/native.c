/* SPDX-License-Identifier: MIT
 *
 * native.c - what the engine hands to a native backend.
 */
#include "vm/native.h"

#include "vm/parallel.h"

static const cns_libm *find_libm(const cns_context *context, cns_ir_op op, uint32_t lanes) {
    return cns_libm_find(op, cns_context_cpu_level(context), lanes);
}

static cns_status poll(const cns_run *run) {
    return run->poll ? run->poll(run->poll_user) : CNS_OK;
}

const cns_native_services *cns_native_services_get(void) {
    static const cns_native_services services = {
        .fail = cns_fail,
        .calloc = cns_context_calloc,
        .free = cns_context_free,
        .resize = cns_context_resize,
        .memory_status = cns_context_memory_status,
        .text_append = cns_text_append,
        .shape_init = cns_ir_shape_init,
        .shape_deinit = cns_ir_shape_deinit,
        .loop_contains = cns_ir_loop_contains,
        .for_match = cns_ir_for_match,
        .for_match_early = cns_ir_for_match_early,
        .fork = cns_parallel_run_native,
        .poll = poll,
        .library_open = cns_os_library_open,
        .library_symbol = cns_os_library_symbol,
        .library_close = cns_os_library_close,
        .function_identity = cns_os_function_identity,
        .libm = find_libm,
    };
    return &services;
}
