/* SPDX-License-Identifier: MIT
 *
 * pass_parameters.c - block parameters that always get one and the same value.
 *
 * A parameter whose arguments are all one value or itself stands for that value (Braun et al.,
 * 2013: trivial phis); what that makes trivial is found by going over the edges again. The builder
 * passes every live register everywhere, so most parameters go.
 */
#include <string.h>

#include "vm/passes.h"

typedef struct simplifier {
    cns_ir_function *f;
    cns_ir_value *map;  /* value -> what it stands for; itself */
    cns_ir_value *seen; /* parameter -> the one argument so far; NONE: none yet */
    bool *varies;       /* parameter -> it gets several */
} simplifier;

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_JUMP ? 1 : 0;
}

static cns_ir_value resolve(const simplifier *s, cns_ir_value value) {
    while (s->map[value] != value) {
        value = s->map[value];
    }
    return value;
}

static void note_argument(simplifier *s, cns_ir_value parameter, cns_ir_value argument) {
    argument = resolve(s, argument);
    if (argument == parameter) {
        return;
    }
    s->varies[parameter] |= s->seen[parameter] != CNS_IR_NONE && s->seen[parameter] != argument;
    s->seen[parameter] = argument;
}

/* Looks at all edges; whether a parameter more stands for another value. */
static bool find_trivial(simplifier *s) {
    const cns_ir_function *f = s->f;
    memset(s->seen, 0xff, f->instruction_count * sizeof *s->seen);
    memset(s->varies, 0, f->instruction_count * sizeof *s->varies);
    for (uint32_t b = 0; b < f->block_count; b++) {
        for (uint32_t e = 0; e < edge_count(&f->blocks[b]); e++) {
            const cns_ir_edge *edge = &f->blocks[b].edges[e];
            const cns_ir_value *parameters = f->blocks[edge->target].parameters;
            for (uint32_t i = 0; i < edge->count; i++) {
                note_argument(s, parameters[i], edge->arguments[i]);
            }
        }
    }
    bool found = false;
    for (uint32_t b = 0; b < f->block_count; b++) {
        for (uint32_t i = 0; i < f->blocks[b].parameter_count; i++) {
            cns_ir_value parameter = f->blocks[b].parameters[i];
            cns_ir_value only = s->seen[parameter];
            /* Another may have come to stand for this one in the meantime. */
            if (s->map[parameter] == parameter && !s->varies[parameter] && only != CNS_IR_NONE &&
                resolve(s, only) != parameter) {
                s->map[parameter] = only;
                found = true;
            }
        }
    }
    return found;
}

static void drop_arguments(const simplifier *s, cns_ir_edge *edge) {
    const cns_ir_value *parameters = s->f->blocks[edge->target].parameters;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < edge->count; i++) {
        if (s->map[parameters[i]] == parameters[i]) {
            edge->arguments[kept++] = edge->arguments[i];
        }
    }
    edge->count = kept;
}

static void drop_parameters(const simplifier *s, cns_ir_block *block) {
    cns_ir_instruction *code = s->f->instructions;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < block->parameter_count; i++) {
        cns_ir_value parameter = block->parameters[i];
        if (s->map[parameter] == parameter) {
            code[parameter].index = kept;
            block->parameters[kept++] = parameter;
        } else {
            code[parameter].op = CNS_IR_NOP;
            code[parameter].block = CNS_IR_NONE;
        }
    }
    block->parameter_count = kept;
}

static void apply(simplifier *s) {
    cns_ir_function *f = s->f;
    for (uint32_t b = 0; b < f->block_count; b++) {
        for (uint32_t e = 0; e < edge_count(&f->blocks[b]); e++) {
            drop_arguments(s, &f->blocks[b].edges[e]);
        }
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        drop_parameters(s, &f->blocks[b]);
    }
    for (cns_ir_value v = 0; v < f->instruction_count; v++) {
        s->seen[v] = resolve(s, v);
    }
    cns_ir_rewrite(f, s->seen);
}

cns_status cns_pass_parameters(cns_ir_function *function) {
    size_t count = function->instruction_count;
    size_t size = count * (2 * sizeof(cns_ir_value) + sizeof(bool)) + 1;
    simplifier s = {.f = function, .map = cns_context_calloc(function->context, size)};
    if (!s.map) {
        return cns_context_memory_status(function->context, size);
    }
    s.seen = s.map + count;
    s.varies = (bool *)(s.seen + count);
    for (uint32_t v = 0; v < count; v++) {
        s.map[v] = v;
    }
    bool any = false;
    while (find_trivial(&s)) {
        any = true;
    }
    if (any) {
        apply(&s);
    }
    cns_context_free(function->context, s.map, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}
