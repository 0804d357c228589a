/* SPDX-License-Identifier: MIT
 *
 * ir.c - making and changing functions in SSA form.
 *
 * Everything lies in the function's arena: arrays double by copying and leave the old one behind,
 * which the arena takes back with the rest. Values are indices, so nothing points into an array
 * that may move.
 */
#include "vm/ir.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    IR_LIMIT = 1 << 24
}; /* instructions, blocks, ...: far from overflow in what is built on them */

static const cns_ir_op_info table[CNS_IR_OP_COUNT] = {
#define ROW(name, text, result, operands, properties)                                              \
    [CNS_IR_##name] = {text, operands, properties, result},
    CNS_IR_OPS(ROW)
#undef ROW
};

const cns_ir_op_info *cns_ir_info(cns_ir_op op) {
    return &table[op];
}

bool cns_ir_has(cns_ir_op op, char property) {
    const char *has = table[op].properties; /* a few letters, and asked often */
    while (*has && *has != property) {
        has++;
    }
    return *has != '\0';
}

const char *cns_ir_type_name(uint8_t type) {
    static const char *const buffers[] = {
        "buffer of i8",  "buffer of i16", "buffer of i32", "buffer of i64", "buffer of u8",
        "buffer of u16", "buffer of u32", "buffer of u64", "buffer of f32", "buffer of f64"};
    switch (type) {
    case CNS_VM_VOID:
        return "nothing";
    case CNS_VM_NIL:
        return "nil";
    case CNS_VM_BOOL:
        return "bool";
    case CNS_VM_I64:
        return "i64";
    case CNS_VM_F64:
        return "f64";
    default:
        return cns_ir_is_buffer(type) ? buffers[type - CNS_VM_BUFFER - CNS_I8] : "?";
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

void *cns_ir_alloc(cns_ir_function *function, size_t size) {
    void *memory = cns_arena_alloc(function->arena, size ? size : 1, 16);
    if (memory) {
        memset(memory, 0, size);
    }
    return memory;
}

static char *copy_text(cns_ir_function *function, const char *text) {
    return cns_arena_copy(function->arena, text, strlen(text));
}

static cns_status out_of_memory(cns_ir_function *function, size_t size) {
    return cns_context_memory_status(function->context, size);
}

/* Room for one more of `size` bytes in an array. */
static cns_status grow(cns_ir_function *function, void **array, uint32_t count, uint32_t *capacity,
                       size_t size) {
    if (count < *capacity) {
        return CNS_OK;
    }
    if (count >= IR_LIMIT) {
        return cns_fail(function->context, CNS_E_LIMIT, "kernel %s: the code gets too large",
                        function->name);
    }
    uint32_t larger = *capacity ? *capacity * 2 : 4;
    void *moved = cns_ir_alloc(function, larger * size);
    if (!moved) {
        return out_of_memory(function, larger * size);
    }
    if (count > 0) {
        memcpy(moved, *array, count * size);
    }
    *array = moved;
    *capacity = larger;
    return CNS_OK;
}

#define GROW(function, array, count, capacity)                                                     \
    grow(function, (void **)&(array), count, &(capacity), sizeof *(array))

/* ---- creation -------------------------------------------------------------------------------- */

cns_status cns_ir_create(cns_context *context, const char *name, cns_ir_function **out) {
    cns_arena *arena = NULL;
    cns_status status = cns_arena_create(context, NULL, &arena);
    if (status != CNS_OK) {
        return status;
    }
    cns_ir_function *function = cns_arena_alloc(arena, sizeof *function, 16);
    if (!function) {
        cns_arena_destroy(arena);
        return cns_context_memory_status(context, sizeof *function);
    }
    *function = (cns_ir_function){.context = context, .arena = arena};
    function->name = copy_text(function, name);
    cns_ir_block_id entry;
    status =
        function->name ? cns_ir_add_block(function, &entry) : out_of_memory(function, strlen(name));
    if (status != CNS_OK) {
        cns_ir_destroy(function);
        return status;
    }
    *out = function;
    return CNS_OK;
}

void cns_ir_destroy(cns_ir_function *function) {
    if (function) {
        for (uint32_t b = 0; b < function->body_count; b++) {
            cns_ir_destroy(function->bodies[b].function);
        }
        cns_arena_destroy(function->arena);
    }
}

cns_status cns_ir_add_block(cns_ir_function *function, cns_ir_block_id *out) {
    cns_status status =
        GROW(function, function->blocks, function->block_count, function->block_capacity);
    if (status == CNS_OK) {
        *out = function->block_count++;
        function->blocks[*out] = (cns_ir_block){.first = CNS_IR_NONE,
                                                .last = CNS_IR_NONE,
                                                .site = CNS_IR_NONE,
                                                .condition = CNS_IR_NONE};
    }
    return status;
}

/* An instruction that is in no list yet. */
static cns_status make(cns_ir_function *function, cns_ir_op op, uint8_t type, uint32_t site,
                       cns_ir_value *out) {
    cns_status status = GROW(function, function->instructions, function->instruction_count,
                             function->instruction_capacity);
    if (status == CNS_OK) {
        *out = function->instruction_count++;
        function->instructions[*out] =
            (cns_ir_instruction){.op = (uint8_t)op,
                                 .type = type,
                                 .site = site,
                                 .operands = {CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE},
                                 .block = CNS_IR_NONE,
                                 .next = CNS_IR_NONE,
                                 .previous = CNS_IR_NONE};
    }
    return status;
}

/* Links `value` into `block` before `position`, at the end for CNS_IR_NONE. */
static void link_before(cns_ir_function *function, cns_ir_block_id block, cns_ir_value value,
                        cns_ir_value position) {
    cns_ir_instruction *code = function->instructions;
    cns_ir_block *list = &function->blocks[block];
    cns_ir_value previous = position == CNS_IR_NONE ? list->last : code[position].previous;
    code[value].block = block;
    code[value].previous = previous;
    code[value].next = position;
    *(previous == CNS_IR_NONE ? &list->first : &code[previous].next) = value;
    *(position == CNS_IR_NONE ? &list->last : &code[position].previous) = value;
}

static void unlink_value(cns_ir_function *function, cns_ir_value value) {
    cns_ir_instruction *code = function->instructions;
    cns_ir_value next = code[value].next;
    cns_ir_value previous = code[value].previous;
    cns_ir_block *list = &function->blocks[code[value].block];
    *(previous == CNS_IR_NONE ? &list->first : &code[previous].next) = next;
    *(next == CNS_IR_NONE ? &list->last : &code[next].previous) = previous;
}

cns_status cns_ir_add_argument(cns_ir_function *function, uint8_t type, const char *name,
                               cns_ir_value *out) {
    uint32_t index = function->argument_count;
    uint32_t names = function->argument_capacity; /* both arrays grow together */
    cns_status status = GROW(function, function->argument_names, index, names);
    if (status == CNS_OK) {
        status = GROW(function, function->arguments, index, function->argument_capacity);
    }
    cns_ir_value value = CNS_IR_NONE;
    if (status == CNS_OK && type != CNS_VM_NIL) {
        status = make(function, CNS_IR_ARGUMENT, type, CNS_IR_NONE, &value);
    }
    const char *copy = status == CNS_OK ? copy_text(function, name) : NULL;
    if (!copy) {
        return status != CNS_OK ? status : out_of_memory(function, strlen(name));
    }
    if (value != CNS_IR_NONE) {
        function->instructions[value].index = index;
        link_before(function, 0, value, function->blocks[0].first);
    }
    function->arguments[index] = value;
    function->argument_names[index] = copy;
    function->argument_count++;
    *out = value;
    return CNS_OK;
}

cns_status cns_ir_add_parameter(cns_ir_function *function, cns_ir_block_id block, uint8_t type,
                                cns_ir_value *out) {
    cns_ir_block *list = &function->blocks[block];
    cns_status status =
        GROW(function, list->parameters, list->parameter_count, list->parameter_capacity);
    if (status == CNS_OK) {
        status = make(function, CNS_IR_PARAM, type, CNS_IR_NONE, out);
    }
    if (status == CNS_OK) {
        function->instructions[*out].index = list->parameter_count;
        function->instructions[*out].block = block;
        list->parameters[list->parameter_count++] = *out;
    }
    return status;
}

cns_status cns_ir_add_site(cns_ir_function *function, const char *source, uint32_t line,
                           uint32_t inlined_at, uint32_t *out) {
    for (uint32_t s = function->site_count; s-- > 0;) {
        const cns_ir_site *site = &function->sites[s];
        if (site->line == line && site->inlined_at == inlined_at &&
            strcmp(site->source, source) == 0) {
            *out = s;
            return CNS_OK;
        }
    }
    cns_status status =
        GROW(function, function->sites, function->site_count, function->site_capacity);
    if (status != CNS_OK) {
        return status;
    }
    char *copy = copy_text(function, source);
    if (!copy) {
        return out_of_memory(function, strlen(source));
    }
    *out = function->site_count++;
    function->sites[*out] = (cns_ir_site){.source = copy, .line = line, .inlined_at = inlined_at};
    return CNS_OK;
}

cns_status cns_ir_name(cns_ir_function *function, cns_ir_value parameter, const char *name) {
    uint32_t found = 0;
    while (found < function->name_count && strcmp(function->names[found], name) != 0) {
        found++;
    }
    if (found == function->name_count) {
        cns_status status =
            GROW(function, function->names, function->name_count, function->name_capacity);
        if (status != CNS_OK) {
            return status;
        }
        char *copy = copy_text(function, name);
        if (!copy) {
            return out_of_memory(function, strlen(name));
        }
        function->names[function->name_count++] = copy;
    }
    function->instructions[parameter].name = found + 1;
    return CNS_OK;
}

cns_status cns_ir_add_body(cns_ir_function *function, cns_ir_function *body,
                           const cns_ir_fork *fork, uint32_t *out) {
    cns_status status =
        GROW(function, function->bodies, function->body_count, function->body_capacity);
    if (status != CNS_OK) {
        cns_ir_destroy(body);
        return status;
    }
    *out = function->body_count++;
    function->bodies[*out] = (cns_ir_body){.function = body, .fork = *fork};
    return CNS_OK;
}

/* ---- operations ------------------------------------------------------------------------------ */

static uint8_t result_type(const cns_ir_function *function, cns_ir_op op,
                           const cns_ir_value *operands) {
    switch (table[op].result) {
    case 'b':
        return CNS_VM_BOOL;
    case 'i':
        return CNS_VM_I64;
    case 'f':
        return CNS_VM_F64;
    case '?': /* LOAD */
        return cns_ir_element_value(cns_ir_element(cns_ir_at(function, operands[0])->type));
    default:
        return CNS_VM_VOID;
    }
}

static cns_status make_operation(cns_ir_function *function, cns_ir_op op, uint32_t site,
                                 const cns_ir_value *operands, cns_ir_value *out) {
    uint8_t count = (uint8_t)strlen(table[op].operands);
    uint8_t type = result_type(function, op, operands);
    cns_status status = make(function, op, type, site, out);
    if (status == CNS_OK) {
        cns_ir_instruction *instruction = &function->instructions[*out];
        instruction->operand_count = count;
        memcpy(instruction->operands, operands, count * sizeof *operands);
    }
    return status;
}

cns_status cns_ir_add(cns_ir_function *function, cns_ir_block_id block, cns_ir_op op, uint32_t site,
                      const cns_ir_value *operands, cns_ir_value *out) {
    cns_status status = make_operation(function, op, site, operands, out);
    if (status == CNS_OK) {
        link_before(function, block, *out, CNS_IR_NONE);
    }
    return status;
}

cns_status cns_ir_insert(cns_ir_function *function, cns_ir_value position, cns_ir_op op,
                         uint32_t site, const cns_ir_value *operands, cns_ir_value *out) {
    cns_status status = make_operation(function, op, site, operands, out);
    if (status == CNS_OK) {
        link_before(function, function->instructions[position].block, *out, position);
    }
    return status;
}

/* Constants stand first in block 0, in whose short list they are looked for by their bits. */
static cns_status add_constant(cns_ir_function *function, cns_ir_op op, uint8_t type, int64_t bits,
                               cns_ir_value *out) {
    for (cns_ir_value v = function->blocks[0].first; v != CNS_IR_NONE;
         v = function->instructions[v].next) {
        const cns_ir_instruction *instruction = &function->instructions[v];
        if (instruction->op == op && instruction->i == bits) {
            *out = v;
            return CNS_OK;
        }
        if (instruction->op > CNS_IR_CONST_F64) {
            break;
        }
    }
    cns_status status = make(function, op, type, CNS_IR_NONE, out);
    if (status == CNS_OK) {
        function->instructions[*out].i = bits;
        link_before(function, 0, *out, function->blocks[0].first);
    }
    return status;
}

cns_status cns_ir_add_i64(cns_ir_function *function, int64_t value, cns_ir_value *out) {
    return add_constant(function, CNS_IR_CONST_I64, CNS_VM_I64, value, out);
}

cns_status cns_ir_add_f64(cns_ir_function *function, double value, cns_ir_value *out) {
    int64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return add_constant(function, CNS_IR_CONST_F64, CNS_VM_F64, bits, out);
}

cns_status cns_ir_add_bool(cns_ir_function *function, bool value, cns_ir_value *out) {
    return add_constant(function, CNS_IR_CONST_BOOL, CNS_VM_BOOL, value, out);
}

/* ---- ends of blocks -------------------------------------------------------------------------- */

cns_status cns_ir_set_arguments(cns_ir_function *function, cns_ir_block_id block, uint32_t edge,
                                const cns_ir_value *arguments, uint32_t count) {
    cns_ir_edge *e = &function->blocks[block].edges[edge];
    if (count > e->capacity) {
        cns_ir_value *larger = cns_ir_alloc(function, count * sizeof *larger);
        if (!larger) {
            return out_of_memory(function, count * sizeof *larger);
        }
        e->arguments = larger;
        e->capacity = count;
    }
    if (count > 0) {
        memcpy(e->arguments, arguments, count * sizeof *arguments);
    }
    e->count = count;
    return CNS_OK;
}

static cns_ir_block *end_block(cns_ir_function *function, cns_ir_block_id block, cns_ir_end end,
                               uint32_t site) {
    cns_ir_block *list = &function->blocks[block];
    list->end = (uint8_t)end;
    list->site = site;
    list->condition = CNS_IR_NONE;
    for (int e = 0; e < 2; e++) {
        list->edges[e].target = CNS_IR_NONE;
        list->edges[e].count = 0;
    }
    return list;
}

cns_status cns_ir_end_jump(cns_ir_function *function, cns_ir_block_id block, uint32_t site,
                           cns_ir_block_id target, const cns_ir_value *arguments, uint32_t count) {
    end_block(function, block, CNS_IR_JUMP, site)->edges[0].target = target;
    return cns_ir_set_arguments(function, block, 0, arguments, count);
}

cns_status cns_ir_end_branch(cns_ir_function *function, cns_ir_block_id block, uint32_t site,
                             cns_ir_value condition, cns_ir_block_id yes, cns_ir_block_id no) {
    cns_ir_block *list = end_block(function, block, CNS_IR_BRANCH, site);
    list->condition = condition;
    list->edges[0].target = yes;
    list->edges[1].target = no;
    return CNS_OK;
}

cns_status cns_ir_end_return(cns_ir_function *function, cns_ir_block_id block, uint32_t site,
                             const cns_ir_value *results, uint32_t count) {
    end_block(function, block, CNS_IR_RETURN, site);
    return cns_ir_set_arguments(function, block, 0, results, count);
}

cns_status cns_ir_remark(cns_ir_function *function, cns_remark_kind kind, uint32_t site,
                         const char *format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cns_status status =
        GROW(function, function->remarks, function->remark_count, function->remark_capacity);
    if (status != CNS_OK) {
        return status;
    }
    char *copy = copy_text(function, text);
    if (!copy) {
        return out_of_memory(function, strlen(text));
    }
    function->remarks[function->remark_count++] =
        (cns_remark){.kind = kind, .site = site, .text = copy};
    return CNS_OK;
}

/* ---- changes --------------------------------------------------------------------------------- */

void cns_ir_remove(cns_ir_function *function, cns_ir_value value) {
    unlink_value(function, value);
    function->instructions[value].block = CNS_IR_NONE;
    function->instructions[value].op = CNS_IR_NOP;
}

void cns_ir_move(cns_ir_function *function, cns_ir_value value, cns_ir_block_id block) {
    unlink_value(function, value);
    link_before(function, block, value, CNS_IR_NONE);
}

static void map_value(const cns_ir_value *map, cns_ir_value *value) {
    *value = *value == CNS_IR_NONE ? CNS_IR_NONE : map[*value];
}

void cns_ir_rewrite(cns_ir_function *function, const cns_ir_value *map) {
    for (uint32_t v = 0; v < function->instruction_count; v++) {
        for (uint32_t i = 0; i < function->instructions[v].operand_count; i++) {
            map_value(map, &function->instructions[v].operands[i]);
        }
    }
    for (uint32_t b = 0; b < function->block_count; b++) {
        cns_ir_block *block = &function->blocks[b];
        map_value(map, &block->condition);
        for (int e = 0; e < 2; e++) {
            for (uint32_t i = 0; i < block->edges[e].count; i++) {
                map_value(map, &block->edges[e].arguments[i]);
            }
        }
    }
}
