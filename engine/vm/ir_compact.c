/* SPDX-License-Identifier: MIT
 *
 * ir_compact.c - numbering a function anew without its holes, and copying it whole.
 *
 * Blocks come in reverse postorder with the blocks of a loop next to each other: when a loop's
 * header is placed, room for the whole loop is set aside behind it. That is still a topological
 * order but for back edges, since a natural loop is entered at its header only.
 */
#include "vm/ir.h"

#include <string.h>

typedef struct renumbering {
    cns_ir_function *function;
    cns_ir_value *values;    /* old -> new; CNS_IR_NONE for what goes */
    cns_ir_block_id *blocks; /* the same */
    cns_ir_block_id *order;  /* new -> old */
    cns_ir_block *new_blocks;
    cns_ir_instruction *new_code;
    uint32_t block_count;
    uint32_t value_count;
    void *memory;
    size_t size;
} renumbering;

static cns_status renumbering_init(renumbering *r, cns_ir_function *function) {
    size_t blocks = function->block_count;
    size_t values = function->instruction_count;
    *r = (renumbering){.function = function};
    r->size = blocks * (sizeof *r->new_blocks + sizeof *r->blocks + 3 * sizeof *r->order) +
              values * (sizeof *r->new_code + sizeof *r->values);
    r->memory = cns_context_alloc(function->context, r->size, CNS_ALIGN_DEFAULT);
    if (!r->memory) {
        return cns_context_memory_status(function->context, r->size);
    }
    r->new_blocks = r->memory;
    r->new_code = (cns_ir_instruction *)(r->new_blocks + blocks);
    r->values = (cns_ir_value *)(r->new_code + values);
    r->blocks = r->values + values;
    r->order = r->blocks + blocks; /* two more arrays for order_blocks follow */
    memset(r->values, 0xff, values * sizeof *r->values);
    memset(r->blocks, 0xff, blocks * sizeof *r->blocks);
    return CNS_OK;
}

static void renumbering_deinit(renumbering *r) {
    cns_context_free(r->function->context, r->memory, r->size, CNS_ALIGN_DEFAULT);
}

/* Where each block goes: behind what is already there of its loop. */
static void order_blocks(renumbering *r, const cns_ir_shape *shape) {
    uint32_t *size = r->order + r->function->block_count; /* of a loop, inner loops included */
    uint32_t *next = size + r->function->block_count;     /* of a loop: the next free place */
    uint32_t free_place = 0;
    memset(size, 0, shape->loop_count * sizeof *size);
    for (uint32_t i = 0; i < shape->order_count; i++) {
        for (uint32_t l = shape->loop_of[shape->order[i]]; l != CNS_IR_NONE;
             l = shape->loops[l].parent) {
            size[l]++;
        }
    }
    for (uint32_t i = 0; i < shape->order_count; i++) {
        cns_ir_block_id block = shape->order[i];
        uint32_t loop = shape->loop_of[block];
        if (loop != CNS_IR_NONE && shape->loops[loop].header == block) {
            uint32_t parent = shape->loops[loop].parent;
            uint32_t *outside = parent == CNS_IR_NONE ? &free_place : &next[parent];
            next[loop] = *outside;
            *outside += size[loop];
        }
        uint32_t place = loop == CNS_IR_NONE ? free_place++ : next[loop]++;
        r->blocks[block] = place;
        r->order[place] = block;
    }
    r->block_count = shape->order_count;
}

static void number_values(renumbering *r) {
    const cns_ir_function *f = r->function;
    for (uint32_t b = 0; b < r->block_count; b++) {
        const cns_ir_block *block = &f->blocks[r->order[b]];
        for (uint32_t p = 0; p < block->parameter_count; p++) {
            r->values[block->parameters[p]] = r->value_count++;
        }
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = f->instructions[v].next) {
            r->values[v] = r->value_count++;
        }
    }
}

static cns_ir_value renamed(const renumbering *r, cns_ir_value value) {
    return value == CNS_IR_NONE ? CNS_IR_NONE : r->values[value];
}

static void rename_all(const renumbering *r, cns_ir_value *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        values[i] = renamed(r, values[i]);
    }
}

static void write_block(renumbering *r, cns_ir_block_id to) {
    cns_ir_function *f = r->function;
    cns_ir_block *block = &r->new_blocks[to];
    *block = f->blocks[r->order[to]];
    block->first = renamed(r, block->first);
    block->last = renamed(r, block->last);
    block->condition = renamed(r, block->condition);
    rename_all(r, block->parameters, block->parameter_count);
    for (int e = 0; e < 2; e++) {
        cns_ir_edge *edge = &block->edges[e];
        edge->target = edge->target == CNS_IR_NONE ? CNS_IR_NONE : r->blocks[edge->target];
        rename_all(r, edge->arguments, edge->count);
    }
}

static void write_values(renumbering *r) {
    const cns_ir_function *f = r->function;
    for (uint32_t v = 0; v < f->instruction_count; v++) {
        if (r->values[v] != CNS_IR_NONE) {
            cns_ir_instruction *code = &r->new_code[r->values[v]];
            *code = f->instructions[v];
            code->block = r->blocks[code->block];
            code->next = renamed(r, code->next);
            code->previous = renamed(r, code->previous);
            rename_all(r, code->operands, code->operand_count);
        }
    }
}

cns_status cns_ir_compact(cns_ir_function *function) {
    renumbering r;
    cns_ir_shape shape;
    cns_status status = renumbering_init(&r, function);
    if (status != CNS_OK) {
        return status;
    }
    status = cns_ir_shape_init(&shape, function);
    if (status == CNS_OK) {
        order_blocks(&r, &shape);
        cns_ir_shape_deinit(&shape);
        number_values(&r);
        write_values(&r);
        for (uint32_t b = 0; b < r.block_count; b++) {
            write_block(&r, b);
        }
        rename_all(&r, function->arguments, function->argument_count);
        function->block_count = r.block_count;
        memcpy(function->blocks, r.new_blocks, r.block_count * sizeof *function->blocks);
        function->instruction_count = r.value_count;
        if (r.value_count > 0) { /* no instructions may have no array */
            memcpy(function->instructions, r.new_code, r.value_count * sizeof *r.new_code);
        }
    }
    renumbering_deinit(&r);
    return status;
}

/* ---- copies ---------------------------------------------------------------------------------- */

/* `*array` becomes a copy in the function's memory; it pointed into another function's. */
static cns_status copy_array(cns_ir_function *function, void **array, size_t size) {
    if (size == 0) {
        *array = NULL;
        return CNS_OK;
    }
    void *copy = cns_ir_alloc(function, size);
    if (!copy) {
        return cns_context_memory_status(function->context, size);
    }
    memcpy(copy, *array, size);
    *array = copy;
    return CNS_OK;
}

static cns_status copy_text(cns_ir_function *function, const char **text) {
    const char *copy = cns_arena_copy(function->arena, *text, strlen(*text));
    if (!copy) {
        return cns_context_memory_status(function->context, strlen(*text));
    }
    *text = copy;
    return CNS_OK;
}

static cns_status copy_block(cns_ir_function *function, cns_ir_block *block) {
    block->parameter_capacity = block->parameter_count;
    cns_status status = copy_array(function, (void **)&block->parameters,
                                   block->parameter_count * sizeof *block->parameters);
    for (int e = 0; e < 2 && status == CNS_OK; e++) {
        cns_ir_edge *edge = &block->edges[e];
        edge->capacity = edge->count;
        status =
            copy_array(function, (void **)&edge->arguments, edge->count * sizeof *edge->arguments);
    }
    return status;
}

/* All arrays but those inside their elements. */
static cns_status copy_arrays(cns_ir_function *f) {
    struct {
        void **array;
        size_t size;
    } arrays[] = {
        {(void **)&f->arguments, f->argument_count * sizeof *f->arguments},
        {(void **)&f->argument_names, f->argument_count * sizeof *f->argument_names},
        {(void **)&f->instructions, f->instruction_count * sizeof *f->instructions},
        {(void **)&f->blocks, f->block_count * sizeof *f->blocks},
        {(void **)&f->sites, f->site_count * sizeof *f->sites},
        {(void **)&f->remarks, f->remark_count * sizeof *f->remarks},
        {(void **)&f->names, f->name_count * sizeof *f->names},
    };
    cns_status status = CNS_OK;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays && status == CNS_OK; i++) {
        status = copy_array(f, arrays[i].array, arrays[i].size);
    }
    f->argument_capacity = f->argument_count;
    f->instruction_capacity = f->instruction_count;
    f->block_capacity = f->block_count;
    f->site_capacity = f->site_count;
    f->remark_capacity = f->remark_count;
    f->name_capacity = f->name_count;
    return status;
}

static cns_status copy_insides(cns_ir_function *f) {
    cns_status status = copy_text(f, &f->name);
    for (uint32_t a = 0; a < f->argument_count && status == CNS_OK; a++) {
        status = copy_text(f, &f->argument_names[a]);
    }
    for (uint32_t b = 0; b < f->block_count && status == CNS_OK; b++) {
        status = copy_block(f, &f->blocks[b]);
    }
    for (uint32_t s = 0; s < f->site_count && status == CNS_OK; s++) {
        status = copy_text(f, &f->sites[s].source);
    }
    for (uint32_t r = 0; r < f->remark_count && status == CNS_OK; r++) {
        status = copy_text(f, &f->remarks[r].text);
    }
    for (uint32_t n = 0; n < f->name_count && status == CNS_OK; n++) {
        status = copy_text(f, &f->names[n]);
    }
    return status;
}

static cns_status copy_bodies(cns_ir_function *f, const cns_ir_function *from) {
    cns_status status = CNS_OK;
    for (uint32_t b = 0; b < from->body_count && status == CNS_OK; b++) {
        cns_ir_function *body = NULL;
        uint32_t index;
        status = cns_ir_clone(from->bodies[b].function, &body);
        if (status == CNS_OK) {
            status = cns_ir_add_body(f, body, &from->bodies[b].fork, &index);
        }
    }
    return status;
}

cns_status cns_ir_clone(const cns_ir_function *function, cns_ir_function **out) {
    cns_arena *arena = NULL;
    cns_status status = cns_arena_create(function->context, NULL, &arena);
    if (status != CNS_OK) {
        return status;
    }
    cns_ir_function *copy = cns_arena_alloc(arena, sizeof *copy, 16);
    if (!copy) {
        cns_arena_destroy(arena);
        return cns_context_memory_status(function->context, sizeof *copy);
    }
    *copy = *function;
    copy->arena = arena;
    copy->kept = NULL;
    copy->bodies = NULL;
    copy->body_count = 0;
    copy->body_capacity = 0;
    status = copy_arrays(copy);
    status = status == CNS_OK ? copy_insides(copy) : status;
    status = status == CNS_OK ? copy_bodies(copy, function) : status;
    if (status != CNS_OK) {
        cns_ir_destroy(copy);
        return status;
    }
    *out = copy;
    return CNS_OK;
}
