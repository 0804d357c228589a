/* SPDX-License-Identifier: MIT
 *
 * build_call.c - calls are inlined, returns go on behind the call.
 *
 * A callee has a frame of its own, with registers of its own; the caller's are kept as they were at
 * the call, since its values are still there whatever way the callee goes. What is new behind the
 * call are its results only.
 */
#include <string.h>

#include "vm/builder.h"

enum { DEPTH = 24 };

void cns_build_results(cns_builder *b, uint32_t a, uint32_t c, const cns_slot *results,
                       uint32_t count) {
    uint32_t wanted = c ? c - 1 : count;
    if (a + wanted > b->frame->proto->registers) {
        cns_build_refuse(b, "%u results are too many for this call", (unsigned)wanted);
        return;
    }
    for (uint32_t r = 0; r < wanted; r++) {
        b->slots[a + r] = r < count ? results[r] : cns_build_nil();
    }
    b->top = c ? 0 : a + count;
}

/* ---- into a function ------------------------------------------------------------------------- */

static bool may_inline(cns_builder *b, const cns_lua_function *function, uint32_t import) {
    const cns_proto *proto = function->proto;
    if (proto->variadic) {
        cns_build_refuse(b,
                         "the function at %s:%u takes '...' and cannot be inlined; name its "
                         "parameters",
                         proto->source, (unsigned)proto->line_defined);
        return false;
    }
    for (const cns_frame *frame = b->frame; frame; frame = frame->caller) {
        if (frame->proto == proto || (frame->import == import && import != CNS_IR_NONE)) {
            cns_build_refuse(b,
                             "a recursive call of the function at %s:%u; kernels inline their "
                             "calls: use a loop",
                             proto->source, (unsigned)proto->line_defined);
            return false;
        }
    }
    if (b->frame->depth >= DEPTH) {
        cns_build_refuse(b,
                         "calls nest too deeply (%d levels), and kernels inline their calls: join "
                         "some of the functions",
                         DEPTH);
        return false;
    }
    return true;
}

/* The caller's registers below the call's; those above are the call's to overwrite. */
static cns_slot *save_registers(cns_builder *b, uint32_t a) {
    uint32_t registers = b->frame->proto->registers;
    cns_slot *saved = cns_build_alloc(b, registers * sizeof *saved);
    if (saved) {
        memcpy(saved, b->slots, a * sizeof *saved);
    }
    return saved;
}

static void inline_call(cns_builder *b, const cns_slot *callee, uint32_t a, uint32_t arguments) {
    const cns_lua_function *function = callee->thing;
    if (!may_inline(b, function, callee->id)) {
        return;
    }
    const cns_proto *proto = function->proto;
    cns_frame *frame = cns_build_alloc(b, sizeof *frame);
    cns_slot *saved = save_registers(b, a);
    const cns_flow *flow = cns_build_flow(b, proto);
    uint32_t site = cns_build_site(b);
    if (b->status != CNS_OK) {
        return;
    }
    *frame = (cns_frame){.caller = b->frame,
                         .function = function,
                         .proto = proto,
                         .flow = flow,
                         .import = callee->id,
                         .serial = ++b->frames,
                         .depth = b->frame->depth + 1,
                         .inlined_at = site,
                         .call_pc = b->pc,
                         .saved = saved};
    b->status = cns_ir_remark(b->ir, CNS_REMARK_INLINED, site, "the function at %s:%u",
                              proto->source, (unsigned)proto->line_defined);
    cns_slot passed[CNS_BUILD_REGISTERS];
    for (uint32_t p = 0; p < proto->parameters; p++) {
        passed[p] = p < arguments ? b->slots[a + 1 + p] : cns_build_nil();
    }
    memset(b->slots, 0, sizeof b->slots);
    memcpy(b->slots, passed, proto->parameters * sizeof *passed);
    b->frame = frame;
    b->pc = 0;
    b->top = 0;
    b->fresh = true;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static const char function[] = "the function ";

static bool is_known(const char *what) {
    return strncmp(what, function, sizeof function - 1) == 0;
}

/* What to do instead of calling functions that one would like to call. */
static const char *instead_of(const char *what) {
    static const struct {
        const char *name, *text;
    } known[] = {
        {"print", "return the value and print it outside"},
        {"error", "return a number or a boolean that says so, and raise outside"},
        {"assert", "return a number or a boolean that says so, and raise outside"},
        {"ipairs", "use a numeric for, from 1 to #x"},
        {"pairs", "use a numeric for, from 1 to #x"},
        {"math.random", "fill a buffer with random numbers before"},
        {"cns.buffer", "make it outside and pass it"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_known(what) && strcmp(what + sizeof function - 1, known[i].name) == 0) {
            return known[i].text;
        }
    }
    return NULL;
}

static void refuse_call(cns_builder *b, uint32_t a) {
    const char *what = cns_build_what(b, &b->slots[a]);
    const char *instead = instead_of(what);
    cns_build_refuse(b, "a call of %s; kernels call Lua functions, math.* and cns.prange%s%s",
                     is_known(what) ? what : cns_build_describe(b, a), instead ? ": " : "",
                     instead ? instead : "");
}

void cns_build_call(cns_builder *b, uint32_t i) {
    uint32_t a = cns_lua_a(i);
    uint32_t arguments = cns_lua_b(i) ? cns_lua_b(i) - 1 : b->top - a - 1;
    uint32_t results = cns_lua_op_of(i) == LOP_TAILCALL ? 0 : cns_lua_c(i);
    const cns_slot callee = b->slots[a];
    switch (callee.kind) {
    case CNS_SLOT_FUNCTION:
        inline_call(b, &callee, a, arguments);
        return;
    case CNS_SLOT_INTRINSIC:
        cns_build_intrinsic(b, (cns_intrinsic)callee.id, a, results, arguments);
        return;
    default:
        refuse_call(b, a);
    }
}

/* ---- returns --------------------------------------------------------------------------------- */

static void return_from_kernel(cns_builder *b, uint32_t first, uint32_t count) {
    cns_ir_value results[CNS_BUILD_REGISTERS];
    for (uint32_t r = 0; r < count; r++) {
        const cns_slot *slot = &b->slots[first + r];
        if (slot->kind != CNS_SLOT_VALUE && slot->kind != CNS_SLOT_NIL) {
            cns_build_refuse(b, "%s is returned; kernels return numbers, booleans and nil",
                             cns_build_describe(b, first + r));
            return;
        }
        results[r] = slot->kind == CNS_SLOT_NIL ? CNS_IR_NONE : slot->value;
    }
    uint32_t site = cns_build_site(b);
    if (b->status == CNS_OK) {
        b->status = cns_ir_end_return(b->ir, b->block, site, results, count);
    }
    b->done = true;
}

void cns_build_return(cns_builder *b, uint32_t first, uint32_t count) {
    const cns_frame *frame = b->frame;
    if (!frame->caller) {
        return_from_kernel(b, first, count);
        return;
    }
    cns_slot results[CNS_BUILD_REGISTERS];
    memcpy(results, b->slots + first, count * sizeof *results);
    b->frame = frame->caller;
    b->pc = frame->call_pc;
    memset(b->slots, 0, sizeof b->slots);
    memcpy(b->slots, frame->saved, b->frame->proto->registers * sizeof *b->slots);
    uint32_t call = b->frame->proto->code[b->pc];
    uint32_t wanted = cns_lua_op_of(call) == LOP_TAILCALL ? 0 : cns_lua_c(call);
    cns_build_results(b, cns_lua_a(call), wanted, results, count);
    cns_build_go_on(b, frame);
}
