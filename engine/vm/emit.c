/* SPDX-License-Identifier: MIT
 *
 * emit.c - kernels as C functions: an object file and the header that goes with it.
 *
 * Both are made from one plan, which gives each kernel its name, its results' types and its code.
 * Loops over cns.prange stay loops, since a program that links the file has no pool of ours; sums
 * are then added in the order of the loop, as plain Lua does. Any thread.
 */
#include "vm/emit.h"

#include <stdio.h>
#include <string.h>

#include "vm/kernel.h"
#include "vm/passes.h"

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_identifier(const char *text) {
    if (!is_letter(*text)) {
        return false;
    }
    for (; *text; text++) {
        if (!is_letter(*text) && !(*text >= '0' && *text <= '9')) {
            return false;
        }
    }
    return true;
}

/* "f64", "f32s" for a buffer of them, "nil". */
static void append_type(char *out, size_t capacity, uint8_t type) {
    size_t used = strlen(out);
    if (cns_ir_is_buffer(type)) {
        snprintf(out + used, capacity - used, "_%ss", cns_type_name(cns_ir_element(type)));
    } else {
        snprintf(out + used, capacity - used, "_%s",
                 type == CNS_VM_BOOL ? "bool" : cns_ir_type_name(type));
    }
}

static bool shares_name(const cns_emit_config *config, uint32_t index) {
    for (uint32_t i = 0; i < config->kernel_count; i++) {
        if (i != index && strcmp(config->names[i], config->names[index]) == 0) {
            return true;
        }
    }
    return false;
}

static cns_status make_symbol(cns_context *context, const cns_emit_config *config, uint32_t index,
                              cns_emit_item *item) {
    const cns_ir_function *ir = config->kernels[index]->built;
    if (!is_identifier(config->names[index])) {
        return cns_fail(context, CNS_E_INVALID, "\"%s\" is no name that a C function can have",
                        config->names[index]);
    }
    snprintf(item->symbol, sizeof item->symbol, "%s_%s", config->prefix, config->names[index]);
    if (shares_name(config, index)) {
        for (uint32_t a = 0; a < ir->argument_count; a++) {
            append_type(item->symbol, sizeof item->symbol, cns_emit_argument(ir, a));
        }
    }
    if (strlen(item->symbol) >= sizeof item->symbol - 1) {
        return cns_fail(context, CNS_E_LIMIT, "the C name of kernel %s is too long",
                        config->names[index]);
    }
    return CNS_OK;
}

/* ---- results --------------------------------------------------------------------------------- */

uint8_t cns_emit_argument(const cns_ir_function *ir, uint32_t index) {
    return ir->arguments[index] == CNS_IR_NONE ? CNS_VM_NIL
                                               : cns_ir_at(ir, ir->arguments[index])->type;
}

static uint8_t result_type(const cns_ir_function *ir, const cns_ir_edge *edge, uint32_t index) {
    if (index >= edge->count || edge->arguments[index] == CNS_IR_NONE) {
        return CNS_VM_VOID;
    }
    return cns_ir_at(ir, edge->arguments[index])->type;
}

/* The type that a result has at every return. */
static uint8_t common_type(const cns_ir_function *ir, uint32_t index) {
    uint8_t type = CNS_VM_NIL; /* not known yet */
    for (uint32_t b = 0; b < ir->block_count; b++) {
        if (ir->blocks[b].end == CNS_IR_RETURN) {
            uint8_t here = result_type(ir, &ir->blocks[b].edges[0], index);
            type = type == CNS_VM_NIL || type == here ? here : CNS_VM_VOID;
        }
    }
    return type;
}

/* ---- the plan -------------------------------------------------------------------------------- */

static cns_status check(cns_context *context, const cns_emit_config *config) {
    if (config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "cns_emit_config.size is %u, not %zu",
                        (unsigned)config->size, sizeof *config);
    }
    if (!config->kernels || !config->names || config->kernel_count == 0 || !config->prefix) {
        return cns_fail(context, CNS_E_INVALID,
                        "cns_emit_config: kernels, names and prefix must be given");
    }
    if (!is_identifier(config->prefix) || strlen(config->prefix) > CNS_EMIT_PREFIX) {
        return cns_fail(context, CNS_E_INVALID,
                        "the prefix of C names must be letters, digits and _, at most %d, not "
                        "\"%.80s\"",
                        CNS_EMIT_PREFIX, config->prefix);
    }
    return CNS_OK;
}

static cns_status fill_item(cns_context *context, const cns_emit_config *config, uint32_t index,
                            cns_emit_item *item) {
    const cns_kernel *kernel = config->kernels[index];
    cns_status status = make_symbol(context, config, index, item);
    if (status != CNS_OK) {
        return status;
    }
    item->kernel = kernel;
    item->result_count = kernel->result_limit;
    item->results = cns_context_alloc(context, item->result_count + (size_t)1, 1);
    if (!item->results) {
        return cns_context_memory_status(context, item->result_count + (size_t)1);
    }
    for (uint32_t r = 0; r < item->result_count; r++) {
        item->results[r] = common_type(kernel->built, r);
    }
    return CNS_OK;
}

static cns_status refuse_twins(cns_context *context, const cns_emit_plan *plan) {
    for (uint32_t i = 0; i < plan->count; i++) {
        for (uint32_t k = 0; k < i; k++) {
            if (strcmp(plan->items[i].symbol, plan->items[k].symbol) == 0) {
                return cns_fail(context, CNS_E_INVALID,
                                "two kernels with the same arguments would be called %s",
                                plan->items[i].symbol);
            }
        }
    }
    return CNS_OK;
}

cns_status cns_emit_plan_init(cns_emit_plan *plan, cns_context *context,
                              const cns_emit_config *config) {
    *plan = (cns_emit_plan){.context = context, .config = config};
    cns_status status = check(context, config);
    if (status != CNS_OK) {
        return status;
    }
    plan->items = cns_context_calloc(context, config->kernel_count * sizeof *plan->items);
    if (!plan->items) {
        return cns_context_memory_status(context, config->kernel_count * sizeof *plan->items);
    }
    plan->count = config->kernel_count;
    for (uint32_t i = 0; i < plan->count && status == CNS_OK; i++) {
        status = fill_item(context, config, i, &plan->items[i]);
    }
    status = status == CNS_OK ? refuse_twins(context, plan) : status;
    if (status != CNS_OK) {
        cns_emit_plan_deinit(plan);
    }
    return status;
}

void cns_emit_plan_deinit(cns_emit_plan *plan) {
    for (uint32_t i = 0; i < plan->count; i++) {
        cns_emit_item *item = &plan->items[i];
        cns_ir_destroy(item->code);
        if (item->results) {
            cns_context_free(plan->context, item->results, item->result_count + (size_t)1, 1);
        }
    }
    if (plan->items) {
        cns_context_free(plan->context, plan->items, plan->count * sizeof *plan->items,
                         CNS_ALIGN_DEFAULT);
    }
    *plan = (cns_emit_plan){.context = plan->context};
}

/* ---- the object file ------------------------------------------------------------------------- */

static cns_status optimise(cns_emit_plan *plan) {
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < plan->count && status == CNS_OK; i++) {
        cns_emit_item *item = &plan->items[i];
        bool off = (item->kernel->options & CNS_KERNEL_NO_OPTIMISER) != 0;
        status = cns_ir_clone(item->kernel->built, &item->code);
        if (status == CNS_OK) {
            status = cns_optimise_serial(item->code, off ? CNS_OPTIMISE_NONE : CNS_OPTIMISE_NATIVE);
        }
    }
    return status;
}

static cns_status emit(cns_vm *vm, const cns_emit_plan *plan, void **object, size_t *size) {
    size_t bytes = plan->count * sizeof(cns_native_export);
    cns_native_export *exports = cns_context_calloc(vm->context, bytes);
    if (!exports) {
        return cns_context_memory_status(vm->context, bytes);
    }
    for (uint32_t i = 0; i < plan->count; i++) {
        const cns_emit_item *item = &plan->items[i];
        exports[i] = (cns_native_export){.function = item->code,
                                         .symbol = item->symbol,
                                         .math = item->kernel->options,
                                         .result_count = item->result_count,
                                         .results = item->results};
    }
    cns_native_object build = {.prefix = plan->config->prefix,
                               .exports = exports,
                               .export_count = plan->count,
                               .cpus = plan->config->cpus};
    cns_status status = vm->backend->emit(vm->instance, &build, object, size);
    cns_context_free(vm->context, exports, bytes, CNS_ALIGN_DEFAULT);
    return status;
}

cns_status cns_vm_emit_object(cns_vm *vm, const cns_emit_config *config, void **object,
                              uint64_t *size) {
    cns_emit_plan plan;
    cns_status status = cns_emit_plan_init(&plan, vm->context, config);
    if (status != CNS_OK) {
        return status;
    }
    if (!cns_vm_open_native(vm)) {
        status = cns_fail(vm->context, CNS_E_UNSUPPORTED, "%s", vm->why);
    }
    void *made = NULL;
    size_t length = 0;
    status = status == CNS_OK ? optimise(&plan) : status;
    status = status == CNS_OK ? emit(vm, &plan, &made, &length) : status;
    cns_emit_plan_deinit(&plan);
    if (status == CNS_OK) {
        *object = made;
        *size = length;
    }
    return status;
}
