/* SPDX-License-Identifier: MIT
 *
 * module_write.c - a function as bytes (module.h has the format).
 *
 * Blocks go out in reverse postorder and values in the order in which they are met, so that
 * neither holes nor the history of the numbering show, and dominating values come first.
 */
#include <string.h>

#include "cns/hash.h"
#include "vm/module.h"

typedef struct writer {
    const cns_ir_function *function;
    const cns_ir_shape *shape;
    cns_text *out;
    uint32_t *number; /* value -> its place among those written */
    uint32_t next;
} writer;

static void put_byte(cns_text *out, uint8_t byte) {
    cns_text_append(out, (const char *)&byte, 1);
}

static void put_number(cns_text *out, uint64_t value) {
    char bytes[10];
    size_t length = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[length++] = (char)(value | 0x80);
    }
    bytes[length++] = (char)value;
    cns_text_append(out, bytes, length);
}

static void put_signed(cns_text *out, int64_t value) {
    uint64_t bits = (uint64_t)value;
    put_number(out, bits << 1 ^ (value < 0 ? UINT64_MAX : 0));
}

static void put_text(cns_text *out, const char *text) {
    size_t length = strlen(text);
    put_number(out, length);
    cns_text_append(out, text, length);
}

/* A site, a target, a parent: NONE is 0. */
static void put_optional(cns_text *out, uint32_t index) {
    put_number(out, index == CNS_IR_NONE ? 0 : (uint64_t)index + 1);
}

static void put_value(writer *w, cns_ir_value value) {
    put_number(w->out, value == CNS_IR_NONE ? 0 : w->next - w->number[value]);
}

static void put_name(writer *w, cns_ir_value parameter) {
    put_number(w->out, cns_ir_at(w->function, parameter)->name);
}

/* ---- the head -------------------------------------------------------------------------------- */

static void write_arguments(writer *w) {
    const cns_ir_function *function = w->function;
    put_number(w->out, function->argument_count);
    for (uint32_t a = 0; a < function->argument_count; a++) {
        cns_ir_value value = function->arguments[a];
        put_byte(w->out, value == CNS_IR_NONE ? CNS_VM_NIL : cns_ir_at(function, value)->type);
        put_text(w->out, function->argument_names[a]);
    }
}

/* Nearly all sites share their source with the one before. */
static void write_sites(writer *w) {
    const cns_ir_function *function = w->function;
    put_number(w->out, function->site_count);
    for (uint32_t s = 0; s < function->site_count; s++) {
        const cns_ir_site *site = &function->sites[s];
        bool same = s > 0 && strcmp(site->source, site[-1].source) == 0;
        put_byte(w->out, same);
        if (!same) {
            put_text(w->out, site->source);
        }
        put_number(w->out, site->line);
        put_optional(w->out, site->inlined_at);
    }
}

static void write_names(writer *w) {
    put_number(w->out, w->function->name_count);
    for (uint32_t n = 0; n < w->function->name_count; n++) {
        put_text(w->out, w->function->names[n]);
    }
}

static void write_remarks(writer *w) {
    const cns_ir_function *function = w->function;
    put_number(w->out, function->remark_count);
    for (uint32_t r = 0; r < function->remark_count; r++) {
        put_byte(w->out, (uint8_t)function->remarks[r].kind);
        put_optional(w->out, function->remarks[r].site);
        put_text(w->out, function->remarks[r].text);
    }
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static void write_f64(cns_text *out, double value) {
    uint64_t bits;
    char bytes[8];
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 8; i++) {
        bytes[i] = (char)(bits >> 8 * i);
    }
    cns_text_append(out, bytes, sizeof bytes);
}

static void write_instruction(writer *w, cns_ir_value value) {
    const cns_ir_instruction *instruction = cns_ir_at(w->function, value);
    put_byte(w->out, instruction->op);
    put_byte(w->out, instruction->flags & (uint8_t) ~(CNS_IR_PROVEN | CNS_IR_CONVERTS));
    put_optional(w->out, instruction->site);
    switch (instruction->op) {
    case CNS_IR_ARGUMENT:
        put_number(w->out, instruction->index);
        break;
    case CNS_IR_CONST_BOOL:
    case CNS_IR_CONST_I64:
        put_signed(w->out, instruction->i);
        break;
    case CNS_IR_CONST_F64:
        write_f64(w->out, instruction->f);
        break;
    default:
        for (uint32_t i = 0; i < instruction->operand_count; i++) {
            put_value(w, instruction->operands[i]);
        }
    }
    w->number[value] = w->next++;
}

static void write_edge(writer *w, const cns_ir_edge *edge) {
    put_number(w->out, edge->count);
    for (uint32_t i = 0; i < edge->count; i++) {
        put_value(w, edge->arguments[i]);
    }
}

static void write_end(writer *w, const cns_ir_block *block) {
    put_byte(w->out, block->end);
    put_optional(w->out, block->site);
    if (block->end == CNS_IR_BRANCH) {
        put_value(w, block->condition);
    }
    int edges = block->end == CNS_IR_BRANCH ? 2 : 1;
    for (int e = 0; e < edges; e++) {
        if (block->end != CNS_IR_RETURN) {
            put_number(w->out, w->shape->position[block->edges[e].target]);
        }
        write_edge(w, &block->edges[e]);
    }
}

static void write_block(writer *w, cns_ir_block_id id) {
    const cns_ir_block *block = &w->function->blocks[id];
    put_number(w->out, block->parameter_count);
    for (uint32_t p = 0; p < block->parameter_count; p++) {
        put_byte(w->out, cns_ir_at(w->function, block->parameters[p])->type);
        put_name(w, block->parameters[p]);
        w->number[block->parameters[p]] = w->next++;
    }
    put_byte(w->out, block->flags & (uint8_t)~CNS_IR_COLD);
    uint32_t count = 0;
    for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(w->function, v)->next) {
        count++;
    }
    put_number(w->out, count);
    for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(w->function, v)->next) {
        write_instruction(w, v);
    }
    write_end(w, block);
}

static uint32_t count_values(const cns_ir_function *function) {
    uint32_t count = 0;
    for (uint32_t b = 0; b < function->block_count; b++) {
        const cns_ir_block *block = &function->blocks[b];
        count += block->parameter_count;
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(function, v)->next) {
            count++;
        }
    }
    return count;
}

static void write_body(writer *w) {
    put_text(w->out, w->function->name);
    write_arguments(w);
    write_sites(w);
    write_remarks(w);
    write_names(w);
    put_number(w->out, count_values(w->function));
    put_number(w->out, w->shape->order_count);
    for (uint32_t i = 0; i < w->shape->order_count; i++) {
        write_block(w, w->shape->order[i]);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Frames a body: magic, version, size in front, the digest of all of it behind. */
static cns_status frame(const cns_ir_function *function, const cns_text *body, cns_text *out) {
    size_t begin = out->length;
    uint8_t digest[CNS_IR_DIGEST];
    cns_text_append(out, "CNSI", 4);
    put_number(out, CNS_IR_FORMAT);
    put_number(out, body->length);
    cns_text_append(out, body->bytes, body->length);
    cns_status status = cns_text_status(out);
    if (status == CNS_OK) {
        status = cns_hash_digest(function->context, CNS_HASH_BLAKE3, NULL, out->bytes + begin,
                                 out->length - begin, digest, sizeof digest);
    }
    if (status == CNS_OK) {
        cns_text_append(out, (const char *)digest, sizeof digest);
        status = cns_text_status(out);
    }
    return status;
}

cns_status cns_ir_write(const cns_ir_function *function, cns_text *bytes) {
    cns_status status = cns_ir_verify(function, true);
    if (status == CNS_OK && function->body_count > 0) {
        status = cns_fail(function->context, CNS_E_INVALID,
                          "kernel %s: a function is written before its loops are forked",
                          function->name);
    }
    cns_ir_shape shape;
    if (status == CNS_OK) {
        status = cns_ir_shape_init(&shape, function);
    }
    if (status != CNS_OK) {
        return status;
    }
    cns_text body;
    cns_text_init(&body, function->context);
    size_t size = (function->instruction_count + 1) * sizeof(uint32_t);
    writer w = {.function = function, .shape = &shape, .out = &body};
    w.number = cns_context_calloc(function->context, size);
    if (w.number) {
        write_body(&w);
        status = cns_text_status(&body);
        status = status == CNS_OK ? frame(function, &body, bytes) : status;
    } else {
        status = cns_context_memory_status(function->context, size);
    }
    cns_context_free(function->context, w.number, size, CNS_ALIGN_DEFAULT);
    cns_text_deinit(&body);
    cns_ir_shape_deinit(&shape);
    return status;
}
