/* SPDX-License-Identifier: MIT
 *
 * kernel.c - a kernel's life: built, optimised, lowered, run, made native, destroyed.
 *
 * The pipeline in one picture: Lua function -> builder (or a module's bytes -> reader) -> IR, kept
 * for the native tier -> copy -> optimiser -> bytecode. Native code comes from the IR as built
 * (kernel_native.c), by whoever asks first, on the pool or at once; runs go over to it by one
 * atomic pointer.
 */
#include "vm/kernel.h"

#include <string.h>

#include "vm/build.h"
#include "vm/passes.h"
#include "vm/rewrite.h"

/* ---- compiling for the VM -------------------------------------------------------------------- */

static cns_status check_config(cns_context *context, const cns_kernel_config *config) {
    if (config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "cns_kernel_config.size is %u, not %zu",
                        (unsigned)config->size, sizeof *config);
    }
    if (!config->function || !config->imports || (config->type_count && !config->types)) {
        return cns_fail(context, CNS_E_INVALID,
                        "cns_kernel_config: function, imports and types must be given");
    }
    if (config->type_count > cns_lua_function_parameters(config->function)) {
        return cns_fail(context, CNS_E_INVALID,
                        "cns_kernel_config.type_count is %u, but the function has %u parameters",
                        (unsigned)config->type_count,
                        (unsigned)cns_lua_function_parameters(config->function));
    }
    for (uint32_t i = 0; i < config->type_count; i++) {
        uint32_t type = config->types[i];
        if ((type < CNS_VM_NIL || type > CNS_VM_F64) &&
            (type > UINT8_MAX || !cns_ir_is_buffer((uint8_t)type))) {
            return cns_fail(context, CNS_E_INVALID, "cns_kernel_config.types[%u] is %u: no type",
                            (unsigned)i, (unsigned)type);
        }
    }
    return CNS_OK;
}

static cns_optimise_level vm_level(const cns_kernel *kernel) {
    return kernel->options & CNS_KERNEL_NO_OPTIMISER ? CNS_OPTIMISE_NONE : CNS_OPTIMISE_VM;
}

static uint32_t most_results(const cns_ir_function *function) {
    uint32_t most = 0;
    for (uint32_t b = 0; b < function->block_count; b++) {
        const cns_ir_block *block = &function->blocks[b];
        if (block->end == CNS_IR_RETURN && block->edges[0].count > most) {
            most = block->edges[0].count;
        }
    }
    return most;
}

/* From IR to bytecode; `begin` is when the IR was begun. */
static cns_status make_bytecode(cns_kernel *kernel, uint64_t begin) {
    cns_status status = cns_ir_clone(kernel->built, &kernel->ir);
    if (status == CNS_OK) {
        status = cns_optimise(kernel->ir, vm_level(kernel));
    }
    uint64_t middle = cns_os_clock();
    if (status == CNS_OK) {
        status = cns_code_lower(kernel->ir, kernel->options, &kernel->code);
    }
    if (status == CNS_OK) {
        kernel->result_limit = most_results(kernel->ir);
    }
    kernel->build_ns = middle - begin;
    kernel->lower_ns = cns_os_clock() - middle;
    return status;
}

static cns_status create(cns_vm *vm, uint32_t options, cns_kernel **out) {
    cns_kernel *kernel = cns_context_calloc(vm->context, sizeof *kernel);
    if (!kernel) {
        return cns_context_memory_status(vm->context, sizeof *kernel);
    }
    kernel->vm = vm;
    kernel->options = options;
    cns_text_init(&kernel->remarks, vm->context);
    if (cns_mutex_init(&kernel->mutex) != 0) {
        cns_context_free(vm->context, kernel, sizeof *kernel, CNS_ALIGN_DEFAULT);
        return cns_fail(vm->context, CNS_E_NOMEM, "the system has no lock left for a kernel");
    }
    *out = kernel;
    return CNS_OK;
}

/* Takes `built` over, whatever becomes of it. */
static cns_status from_ir(cns_vm *vm, cns_ir_function *built, uint32_t options, uint64_t begin,
                          cns_kernel **out) {
    cns_kernel *kernel = NULL;
    cns_status status = create(vm, options, &kernel);
    if (status != CNS_OK) {
        cns_ir_destroy(built);
        return status;
    }
    kernel->built = built;
    status = make_bytecode(kernel, begin);
    if (status != CNS_OK) {
        cns_kernel_destroy(kernel);
        return status;
    }
    *out = kernel;
    return CNS_OK;
}

cns_status cns_kernel_from_ir(cns_vm *vm, cns_ir_function *built, uint32_t options,
                              cns_kernel **out) {
    return from_ir(vm, built, options, cns_os_clock(), out);
}

static cns_status compile(cns_vm *vm, const cns_kernel_config *config, cns_kernel **out) {
    uint64_t begin = cns_os_clock();
    cns_build build = {.function = config->function,
                       .name = config->name,
                       .argument_count = config->type_count,
                       .types = config->types,
                       .imports = config->imports,
                       .options = config->options,
                       .version_limit = config->version_limit};
    cns_ir_function *built = NULL;
    cns_kernel *kernel = NULL;
    cns_status status = cns_build_function(vm->context, &build, &built);
    if (status == CNS_OK) {
        status = from_ir(vm, built, config->options, begin, &kernel);
    }
    if (status == CNS_OK) {
        kernel->hidden_count = build.hidden_count;
        kernel->hidden = build.hidden;
        *out = kernel;
    }
    return status;
}

cns_status cns_kernel_compile(cns_vm *vm, const cns_kernel_config *config, char *message,
                              uint64_t message_capacity, cns_kernel **out) {
    cns_status status = check_config(vm->context, config);
    if (status == CNS_OK) {
        status = compile(vm, config, out);
    }
    if (status != CNS_OK && message && message_capacity > 0) {
        cns_context_message(vm->context, message, message_capacity);
    }
    return status;
}

/* ---- native code ----------------------------------------------------------------------------- */

/* Writes down how it ended, then says that it is over. */
static void finish_native(cns_kernel *kernel, cns_status status) {
    kernel->native_status = status;
    if (status != CNS_OK) {
        cns_context_message(kernel->vm->context, kernel->why, sizeof kernel->why);
    } else {
        atomic_store_explicit(&kernel->entry, kernel->native.entry, memory_order_release);
    }
    atomic_store_explicit(&kernel->state, status == CNS_OK ? CNS_NATIVE_READY : CNS_NATIVE_FAILED,
                          memory_order_release);
}

static cns_status compile_native(void *user, cns_cancel *cancel) {
    cns_kernel *kernel = user;
    (void)cancel;
    cns_status status = cns_kernel_obtain_native(kernel);
    finish_native(kernel, status);
    return status;
}

/* Over with, by its status; the reason of a failure once more in the context's message. */
static cns_status native_result(const cns_kernel *kernel) {
    return kernel->native_status == CNS_OK
               ? CNS_OK
               : cns_fail(kernel->vm->context, kernel->native_status, "%s", kernel->why);
}

/* A pool that closes drops what was not begun: nobody compiles any more. */
static void settle_native(void *user) {
    cns_kernel *kernel = user;
    if (atomic_load_explicit(&kernel->state, memory_order_acquire) == CNS_NATIVE_COMPILING) {
        finish_native(kernel, cns_fail(kernel->vm->context, CNS_E_CANCELLED,
                                       "the pool closed before the kernel was compiled"));
    }
}

/* A refused spawn is no failure of the kernel: it is then compiled here. */
static cns_future *spawn_native(cns_kernel *kernel) {
    cns_future *future = NULL;
    cns_spawn_options options = {.size = sizeof options, .finalize = settle_native, .external = 1};
    if (!kernel->vm->tasks ||
        cns_tasks_spawn(kernel->vm->tasks, &options, compile_native, kernel, &future) != CNS_OK) {
        return NULL;
    }
    return future;
}

static cns_future *compilation_of(cns_kernel *kernel) {
    cns_mutex_lock(&kernel->mutex);
    cns_future *future = kernel->compilation;
    if (future) {
        cns_future_retain(future);
    }
    cns_mutex_unlock(&kernel->mutex);
    return future;
}

/* Waits for the one who compiles. */
static void wait_native(cns_kernel *kernel) {
    while (atomic_load_explicit(&kernel->state, memory_order_acquire) == CNS_NATIVE_COMPILING) {
        cns_future *future = compilation_of(kernel);
        if (future) {
            (void)cns_future_await(future);
            cns_future_release(future);
        } else {
            cns_os_sleep(50000); /* another thread compiles it on the spot */
        }
    }
}

cns_status cns_kernel_make_native(cns_kernel *kernel, int wait) {
    uint32_t none = CNS_NATIVE_NONE;
    if (atomic_compare_exchange_strong(&kernel->state, &none, CNS_NATIVE_COMPILING)) {
        cns_future *future = NULL;
        if (!wait) {
            cns_mutex_lock(&kernel->mutex);
            future = spawn_native(kernel);
            kernel->compilation = future;
            cns_mutex_unlock(&kernel->mutex);
        }
        if (!future) {
            (void)compile_native(kernel, NULL);
        }
    }
    if (wait) {
        wait_native(kernel);
    }
    switch (atomic_load_explicit(&kernel->state, memory_order_acquire)) {
    case CNS_NATIVE_COMPILING:
        return CNS_OK;
    default:
        return native_result(kernel);
    }
}

/* ---- the end --------------------------------------------------------------------------------- */

void cns_kernel_destroy(cns_kernel *kernel) {
    if (!kernel) {
        return;
    }
    cns_vm *vm = kernel->vm;
    wait_native(kernel);
    if (kernel->compilation) {
        (void)cns_future_await(kernel->compilation);
        cns_future_release(kernel->compilation);
    }
    if (kernel->native.entry) {
        vm->backend->release(vm->instance, &kernel->native);
    }
    cns_text_deinit(&kernel->remarks);
    cns_code_destroy(kernel->code);
    cns_ir_destroy(kernel->ir);
    cns_ir_destroy(kernel->built);
    cns_mutex_deinit(&kernel->mutex);
    cns_context_free(vm->context, kernel, sizeof *kernel, CNS_ALIGN_DEFAULT);
}

/* ---- running --------------------------------------------------------------------------------- */

cns_status cns_kernel_run(cns_kernel *kernel, cns_run *run) {
    if (run->result_capacity < kernel->result_limit) {
        return cns_fail(kernel->vm->context, CNS_E_INVALID,
                        "cns_run.result_capacity is %u, but the kernel gives up to %u results",
                        (unsigned)run->result_capacity, (unsigned)kernel->result_limit);
    }
    run->tasks = kernel->vm->tasks;
    cns_native_entry entry = atomic_load_explicit(&kernel->entry, memory_order_acquire);
    uint32_t trap = entry ? entry(run) : cns_code_run(kernel->code, run);
    return trap == CNS_TRAP_NONE ? CNS_OK : CNS_E_FAILED;
}

const uint32_t *cns_kernel_hidden(const cns_kernel *kernel, uint32_t *count) {
    *count = kernel->hidden_count;
    return kernel->hidden;
}

uint32_t cns_kernel_arguments(const cns_kernel *kernel) {
    return kernel->built->argument_count - kernel->hidden_count;
}

uint32_t cns_kernel_argument_type(const cns_kernel *kernel, uint32_t argument) {
    const cns_ir_function *ir = kernel->built;
    if (argument >= ir->argument_count) {
        return CNS_VM_VOID;
    }
    cns_ir_value value = ir->arguments[argument];
    return value == CNS_IR_NONE ? CNS_VM_NIL : cns_ir_at(ir, value)->type;
}

/* Whatever the order of the blocks, a way round leads back somewhere. */
int cns_kernel_polls(const cns_kernel *kernel) {
    const cns_ir_function *ir = kernel->built;
    if (ir->body_count > 0) {
        return 1;
    }
    for (cns_ir_block_id b = 0; b < ir->block_count; b++) {
        const cns_ir_block *block = &ir->blocks[b];
        for (uint32_t e = 0; e < cns_ir_successors(block); e++) {
            if (block->edges[e].target <= b) {
                return 1;
            }
        }
    }
    return 0;
}

uint32_t cns_kernel_result_limit(const cns_kernel *kernel) {
    return kernel->result_limit;
}

uint32_t cns_kernel_access(const cns_kernel *kernel, uint32_t argument) {
    const cns_ir_function *ir = kernel->built;
    if (argument >= ir->argument_count || ir->arguments[argument] == CNS_IR_NONE ||
        !cns_ir_is_buffer(cns_ir_at(ir, ir->arguments[argument])->type)) {
        return 0;
    }
    uint32_t access = 0;
    for (cns_ir_value v = 0; v < ir->instruction_count; v++) {
        const cns_ir_instruction *i = cns_ir_at(ir, v);
        if (i->block != CNS_IR_NONE && i->operand_count > 0 &&
            i->operands[0] == ir->arguments[argument]) {
            access |= i->op == CNS_IR_LOAD    ? (uint32_t)CNS_ACCESS_READ
                      : i->op == CNS_IR_STORE ? (uint32_t)CNS_ACCESS_WRITE
                                              : 0;
        }
    }
    return access;
}

cns_tier cns_kernel_tier(const cns_kernel *kernel) {
    if (atomic_load_explicit(&kernel->entry, memory_order_acquire)) {
        return CNS_TIER_NATIVE;
    }
    return cns_code_has_blocks(kernel->code) ? CNS_TIER_BLOCK : CNS_TIER_SCALAR;
}

void cns_kernel_get_stats(const cns_kernel *kernel, cns_kernel_stats *out) {
    bool native = atomic_load_explicit(&kernel->state, memory_order_acquire) == CNS_NATIVE_READY;
    *out = (cns_kernel_stats){.bytecode_instructions = cns_code_length(kernel->code),
                              .native_bytes = native ? kernel->native.code_size : 0,
                              .build_ns = kernel->build_ns,
                              .lower_ns = kernel->lower_ns,
                              .native_ns = native ? kernel->native_ns : 0,
                              .compile_ns = native ? kernel->compile_ns : 0,
                              .cached = native && kernel->cached};
}
