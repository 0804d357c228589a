/* SPDX-License-Identifier: MIT
 *
 * build_value.c - small things of the builder: operations, slots, names, refusals.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/builder.h"

/* ---- operations ------------------------------------------------------------------------------ */

uint32_t cns_build_site(cns_builder *b) {
    if (b->status != CNS_OK) {
        return CNS_IR_NONE;
    }
    uint32_t line = b->frame->proto->lines[b->pc];
    if (b->site == CNS_IR_NONE || b->site_line != line || b->site_frame != b->frame->serial) {
        b->status =
            cns_ir_add_site(b->ir, b->frame->proto->source, line, b->frame->inlined_at, &b->site);
        b->site_line = line;
        b->site_frame = b->frame->serial;
    }
    return b->site;
}

cns_ir_value cns_build_3(cns_builder *b, cns_ir_op op, cns_ir_value x, cns_ir_value y,
                         cns_ir_value z) {
    uint32_t site = cns_build_site(b);
    cns_ir_value out = CNS_IR_NONE;
    if (b->status == CNS_OK) {
        const cns_ir_value operands[CNS_IR_OPERANDS] = {x, y, z, CNS_IR_NONE};
        b->status = cns_ir_add(b->ir, b->block, op, site, operands, &out);
    }
    if (b->status == CNS_OK && op != CNS_IR_LOAD && cns_ir_at(b->ir, out)->type == CNS_VM_F64) {
        uint32_t options = b->build->options;
        b->ir->instructions[out].flags |=
            (uint8_t)((options & CNS_KERNEL_REASSOCIATE ? CNS_IR_REASSOCIATE : 0) |
                      (options & CNS_KERNEL_CONTRACT ? CNS_IR_CONTRACT : 0));
    }
    return out;
}

cns_ir_value cns_build_2(cns_builder *b, cns_ir_op op, cns_ir_value x, cns_ir_value y) {
    return cns_build_3(b, op, x, y, CNS_IR_NONE);
}

cns_ir_value cns_build_1(cns_builder *b, cns_ir_op op, cns_ir_value x) {
    return cns_build_3(b, op, x, CNS_IR_NONE, CNS_IR_NONE);
}

cns_ir_value cns_build_i64(cns_builder *b, int64_t value) {
    cns_ir_value out = CNS_IR_NONE;
    if (b->status == CNS_OK) {
        b->status = cns_ir_add_i64(b->ir, value, &out);
    }
    return out;
}

cns_ir_value cns_build_f64(cns_builder *b, double value) {
    cns_ir_value out = CNS_IR_NONE;
    if (b->status == CNS_OK) {
        b->status = cns_ir_add_f64(b->ir, value, &out);
    }
    return out;
}

/* ---- slots ----------------------------------------------------------------------------------- */

cns_slot cns_build_value(cns_builder *b, cns_ir_value value) {
    if (b->status != CNS_OK) {
        return (cns_slot){.kind = CNS_SLOT_DEAD};
    }
    uint8_t type = cns_ir_at(b->ir, value)->type;
    bool buffer = cns_ir_is_buffer(type);
    return (cns_slot){.kind = buffer ? CNS_SLOT_BUFFER : CNS_SLOT_VALUE,
                      .type = type,
                      .id = buffer ? value : 0,
                      .value = value};
}

cns_slot cns_build_nil(void) {
    return (cns_slot){.kind = CNS_SLOT_NIL};
}

cns_slot cns_build_bool(cns_builder *b, bool value) {
    cns_ir_value out = CNS_IR_NONE;
    if (b->status == CNS_OK) {
        b->status = cns_ir_add_bool(b->ir, value, &out);
    }
    return cns_build_value(b, out);
}

cns_slot cns_build_constant(cns_builder *b, uint32_t index) {
    const cns_constant *constant = &b->frame->proto->constants[index];
    switch (constant->kind) {
    case CNS_CONSTANT_FALSE:
    case CNS_CONSTANT_TRUE:
        return cns_build_bool(b, constant->kind == CNS_CONSTANT_TRUE);
    case CNS_CONSTANT_INTEGER:
        return cns_build_value(b, cns_build_i64(b, constant->integer));
    case CNS_CONSTANT_FLOAT:
        return cns_build_value(b, cns_build_f64(b, constant->real));
    case CNS_CONSTANT_STRING:
        return (cns_slot){.kind = CNS_SLOT_OTHER, .thing = "a string"};
    default:
        return cns_build_nil();
    }
}

bool cns_build_is_i64(const cns_slot *slot) {
    return slot->kind == CNS_SLOT_VALUE && slot->type == CNS_VM_I64;
}

bool cns_build_is_number(const cns_slot *slot) {
    return slot->kind == CNS_SLOT_VALUE && slot->type != CNS_VM_BOOL;
}

cns_ir_value cns_build_to_f64(cns_builder *b, cns_slot number) {
    return cns_build_is_i64(&number) ? cns_build_1(b, CNS_IR_I64_TO_F64, number.value)
                                     : number.value;
}

/* ---- words ----------------------------------------------------------------------------------- */

void cns_build_refuse(cns_builder *b, const char *format, ...) {
    if (b->status != CNS_OK) {
        return;
    }
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const cns_proto *proto = b->frame->proto;
    b->status = cns_fail(b->context, CNS_E_UNSUPPORTED, "%s:%u: %s", proto->source,
                         (unsigned)proto->lines[b->pc], text);
}
