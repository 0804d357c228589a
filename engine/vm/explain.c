/* SPDX-License-Identifier: MIT
 *
 * explain.c - a kernel in words and in each of its forms.
 *
 * Explain is for the kernel's author: the signature, the tier with the reason where it is not the
 * best one, what the optimiser did, and for what it did not do, why, by source line.
 */
#include <string.h>

#include "vm/kernel.h"
#include "vm/remarks.h"

/* ---- signature ------------------------------------------------------------------------------- */

static void print_signature(const cns_ir_function *ir, uint32_t hidden, cns_text *text) {
    cns_text_printf(text, "kernel %s\n", ir->name);
    uint32_t plain = ir->argument_count - hidden;
    for (uint32_t i = 0; i < ir->argument_count; i++) {
        cns_ir_value value = ir->arguments[i];
        uint8_t type = value == CNS_IR_NONE ? CNS_VM_NIL : cns_ir_at(ir, value)->type;
        cns_text_printf(text, "  %-11s %s: %s\n",
                        i == 0       ? "arguments"
                        : i == plain ? "upvalues"
                                     : "",
                        ir->argument_names[i], cns_ir_type_name(type));
    }
    if (ir->argument_count == 0) {
        cns_text_printf(text, "  arguments   none\n");
    }
}

static void print_options(uint32_t options, cns_text *text) {
    if (!(options & (CNS_KERNEL_REASSOCIATE | CNS_KERNEL_CONTRACT | CNS_KERNEL_APPROXIMATE))) {
        cns_text_printf(text, "  arithmetic  strict: as Lua, to the bit\n");
        return;
    }
    cns_text_printf(text, "  arithmetic  not strict:%s%s%s\n",
                    options & CNS_KERNEL_REASSOCIATE ? " reassociated" : "",
                    options & CNS_KERNEL_CONTRACT ? " contracted" : "",
                    options & CNS_KERNEL_APPROXIMATE ? " approximate" : "");
}

/* ---- tier ------------------------------------------------------------------------------------ */

static void print_tier(const cns_kernel *kernel, cns_text *text) {
    static const char *const names[] = {"scalar VM", "block VM", "native code"};
    cns_text_printf(text, "  tier        %s", names[cns_kernel_tier(kernel)]);
    switch (atomic_load_explicit(&kernel->state, memory_order_acquire)) {
    case CNS_NATIVE_NONE:
        cns_text_printf(text, kernel->vm->plugin ? "; native code was not asked for\n"
                                                 : "; no native backend is there to ask\n");
        break;
    case CNS_NATIVE_COMPILING:
        cns_text_printf(text, "; native code is being compiled\n");
        break;
    case CNS_NATIVE_READY:
        cns_text_printf(text, " (%s)\n", kernel->vm->name);
        break;
    default:
        cns_text_printf(text, "\n  fell back   no native code: %s\n", kernel->why);
    }
}

static void print_making(const cns_kernel *kernel, const cns_kernel_stats *stats, cns_text *text) {
    double native = (double)stats->native_ns / 1e6;
    if (stats->cached) {
        cns_text_printf(text, "loaded from the cache in %.2f ms (made in %.1f ms)\n", native,
                        (double)stats->compile_ns / 1e6);
    } else if (*kernel->uncached) {
        cns_text_printf(text, "made in %.1f ms\n  no cache    %s\n", native, kernel->uncached);
    } else {
        cns_text_printf(text, "made in %.1f ms, kept in the cache\n", native);
    }
}

static void print_sizes(const cns_kernel *kernel, cns_text *text) {
    cns_kernel_stats stats;
    cns_kernel_get_stats(kernel, &stats);
    cns_text_printf(text, "  bytecode    %llu instructions, made in %.3f ms\n",
                    (unsigned long long)stats.bytecode_instructions,
                    (double)(stats.build_ns + stats.lower_ns) / 1e6);
    if (stats.native_bytes > 0) {
        cns_text_printf(text, "  machine     %llu bytes, ", (unsigned long long)stats.native_bytes);
        print_making(kernel, &stats, text);
    }
}

/* ---- remarks --------------------------------------------------------------------------------- */

static const char *remark_word(cns_remark_kind kind) {
    switch (kind) {
    case CNS_REMARK_VECTORISED:
        return "vectorised";
    case CNS_REMARK_NOT_VECTORISED:
        return "not vectorised";
    case CNS_REMARK_PARALLEL:
        return "parallel";
    case CNS_REMARK_NOT_PARALLEL:
        return "not parallel";
    case CNS_REMARK_HOISTED:
        return "hoisted";
    case CNS_REMARK_INLINED:
        return "inlined";
    case CNS_REMARK_SPLIT:
        return "split";
    case CNS_REMARK_FALLBACK:
        return "fell back";
    }
    return "?";
}

/* The line in the kernel's own source: that of the outermost call for inlined code. */
static uint32_t line_of(const cns_ir_function *ir, uint32_t site) {
    while (site < ir->site_count && ir->sites[site].inlined_at != CNS_IR_NONE) {
        site = ir->sites[site].inlined_at;
    }
    return site < ir->site_count ? ir->sites[site].line : 0;
}

/* Remarks and the function whose sites they name. */
typedef struct remark_list {
    const cns_ir_function *ir;
    const cns_remark *items;
    uint32_t count;
} remark_list;

static uint32_t remark_line(const remark_list *list, uint32_t remark) {
    return line_of(list->ir, list->items[remark].site);
}

static bool said_before(const remark_list *list, uint32_t remark) {
    for (uint32_t r = 0; r < remark; r++) {
        if (list->items[r].kind == list->items[remark].kind &&
            remark_line(list, r) == remark_line(list, remark) &&
            strcmp(list->items[r].text, list->items[remark].text) == 0) {
            return true;
        }
    }
    return false;
}

/* By line; a kernel has few remarks, so the next one is looked for each time. */
static void print_remarks(const char *title, const remark_list *list, cns_text *text) {
    bool first = true;
    uint64_t done = 0; /* lines up to here, plus one */
    for (;;) {
        uint64_t line = UINT64_MAX;
        for (uint32_t r = 0; r < list->count; r++) {
            uint64_t at = (uint64_t)remark_line(list, r) + 1;
            line = at > done && at < line ? at : line;
        }
        if (line == UINT64_MAX) {
            return;
        }
        for (uint32_t r = 0; r < list->count; r++) {
            const cns_remark *remark = &list->items[r];
            if ((uint64_t)remark_line(list, r) + 1 != line || said_before(list, r)) {
                continue;
            }
            if (first) {
                cns_text_printf(text, "%s\n", title);
                first = false;
            }
            cns_text_printf(text, "  line %-6u %s: %s\n", (unsigned)(line - 1),
                            remark_word(remark->kind), remark->text);
        }
        done = line;
    }
}

static cns_status print_native_remarks(const cns_kernel *kernel, cns_text *text) {
    const cns_text *bytes = &kernel->remarks;
    cns_context *context = kernel->vm->context;
    uint32_t count = 0;
    bool whole = cns_remarks_count(bytes->bytes, bytes->length, &count);
    CNS_ASSERT(whole);
    (void)whole;
    size_t size = count * sizeof(cns_remark);
    cns_remark *items = count > 0 ? cns_context_calloc(context, size) : NULL;
    if (count > 0 && !items) {
        return cns_context_memory_status(context, size);
    }
    cns_remarks_list(bytes->bytes, items, count);
    print_remarks("in native code", &(remark_list){kernel->built, items, count}, text);
    cns_context_free(context, items, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}

static cns_status explain(cns_kernel *kernel, cns_text *text) {
    print_signature(kernel->ir, kernel->hidden_count, text);
    print_options(kernel->options, text);
    print_tier(kernel, text);
    print_sizes(kernel, text);
    bool native = atomic_load_explicit(&kernel->state, memory_order_acquire) == CNS_NATIVE_READY;
    print_remarks(native ? "in the VM, until the native code was there" : "in the VM",
                  &(remark_list){kernel->ir, kernel->ir->remarks, kernel->ir->remark_count}, text);
    return native ? print_native_remarks(kernel, text) : CNS_OK;
}

/* ---- the views ------------------------------------------------------------------------------- */

static cns_status view_native(cns_kernel *kernel, int assembly, cns_text *text) {
    cns_vm *vm = kernel->vm;
    if (!cns_vm_open_native(vm)) {
        return cns_fail(vm->context, CNS_E_UNSUPPORTED, "%s", vm->why);
    }
    cns_ir_function *ir = NULL;
    cns_status status = cns_kernel_native_ir(kernel, &ir);
    if (status == CNS_OK) {
        cns_native_options options = cns_kernel_native_options(kernel);
        status = vm->backend->print(vm->instance, ir, &options, assembly, text);
    }
    cns_ir_destroy(ir);
    return status;
}

static cns_status write_view(cns_kernel *kernel, cns_kernel_view view, cns_text *text) {
    switch (view) {
    case CNS_VIEW_EXPLAIN:
        return explain(kernel, text);
    case CNS_VIEW_IR:
        return cns_ir_print(kernel->ir, text);
    case CNS_VIEW_BYTECODE:
        return cns_code_print(kernel->code, text);
    case CNS_VIEW_LLVM:
        return view_native(kernel, 0, text);
    case CNS_VIEW_ASSEMBLY:
        return view_native(kernel, 1, text);
    }
    return cns_fail(kernel->vm->context, CNS_E_INVALID, "%d is no view of a kernel", (int)view);
}

cns_status cns_kernel_view_text(cns_kernel *kernel, cns_kernel_view view, char **text,
                                uint64_t *size) {
    cns_text out;
    cns_text_init(&out, kernel->vm->context);
    cns_status status = write_view(kernel, view, &out);
    if (status == CNS_OK) {
        cns_text_append(&out, "", 0); /* an empty text has its terminator, too */
        status = cns_text_status(&out);
    }
    if (status != CNS_OK) {
        cns_text_deinit(&out);
        return status;
    }
    /* The caller frees by its size alone, so it gets no more than the text and its end. */
    char *exact = cns_context_resize(out.context, out.bytes, out.capacity, out.length + 1);
    *text = exact ? exact : out.bytes;
    *size = exact ? out.length + 1 : out.capacity;
    return CNS_OK;
}
