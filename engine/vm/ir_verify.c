/* SPDX-License-Identifier: MIT
 *
 * ir_verify.c - whether a function keeps the invariants of ir.h.
 *
 * It believes nothing but the sizes of the arrays: what it accepts from a file is safe to print,
 * to optimise and to run.
 */
#include "vm/ir.h"

#include <string.h>

typedef struct verifier {
    const cns_ir_function *function;
    const cns_ir_shape *shape;
    bool trusted;
    uint32_t *order; /* of an instruction in its block, from 1; 0 for what is in none */
    cns_status status;
} verifier;

static void fail(verifier *v, cns_ir_block_id block, cns_ir_value value, const char *what) {
    if (v->status != CNS_OK) {
        return;
    }
    if (value == CNS_IR_NONE) {
        v->status = cns_fail(v->function->context, CNS_E_CORRUPT, "kernel %s, block %u: %s",
                             v->function->name, block, what);
    } else {
        v->status = cns_fail(v->function->context, CNS_E_CORRUPT, "kernel %s, block %u, v%u: %s",
                             v->function->name, block, value, what);
    }
}

static bool exists(const verifier *v, cns_ir_value value) {
    return value < v->function->instruction_count && v->order[value] != 0;
}

static bool site_exists(const verifier *v, uint32_t site) {
    return site == CNS_IR_NONE || site < v->function->site_count;
}

/* ---- lists ----------------------------------------------------------------------------------- */

/* Numbers the instructions of a block's list, and its parameters, which come first. */
static void number_block(verifier *v, cns_ir_block_id id) {
    const cns_ir_function *function = v->function;
    const cns_ir_block *block = &function->blocks[id];
    for (uint32_t p = 0; p < block->parameter_count; p++) {
        cns_ir_value value = block->parameters[p];
        if (value >= function->instruction_count || v->order[value] != 0 ||
            cns_ir_at(function, value)->op != CNS_IR_PARAM ||
            cns_ir_at(function, value)->block != id || cns_ir_at(function, value)->index != p ||
            cns_ir_at(function, value)->name > function->name_count) {
            fail(v, id, value, "is no parameter of its block");
            return;
        }
        v->order[value] = 1;
    }
    uint32_t count = 1;
    cns_ir_value previous = CNS_IR_NONE;
    for (cns_ir_value value = block->first; value != CNS_IR_NONE;
         value = cns_ir_at(function, value)->next) {
        if (value >= function->instruction_count || v->order[value] != 0 ||
            cns_ir_at(function, value)->block != id ||
            cns_ir_at(function, value)->previous != previous) {
            fail(v, id, value, "the block's list is broken");
            return;
        }
        v->order[value] = ++count;
        previous = value;
    }
    if (block->last != previous) {
        fail(v, id, CNS_IR_NONE, "the block's list has another end");
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static bool letter_matches(char letter, uint8_t type) {
    switch (letter) {
    case 'b':
        return type == CNS_VM_BOOL;
    case 'i':
        return type == CNS_VM_I64;
    case 'f':
        return type == CNS_VM_F64;
    case 'n':
        return type == CNS_VM_I64 || type == CNS_VM_F64;
    case 'B':
        return cns_ir_is_buffer(type);
    case 'v':
        return type == CNS_VM_BOOL || type == CNS_VM_I64 || type == CNS_VM_F64 ||
               cns_ir_is_buffer(type);
    default:
        return false;
    }
}

/* `value` may be used in `block` at place `order`. */
static void check_use(verifier *v, cns_ir_block_id block, uint32_t order, cns_ir_value value,
                      cns_ir_value user) {
    if (!exists(v, value)) {
        fail(v, block, user, "uses a value that does not exist");
        return;
    }
    cns_ir_block_id from = cns_ir_at(v->function, value)->block;
    bool before = from == block ? v->order[value] < order : cns_ir_dominates(v->shape, from, block);
    if (!before) {
        fail(v, block, user, "uses a value that is not there yet");
    }
}

static bool is_value_type(uint8_t type) {
    return type == CNS_VM_BOOL || type == CNS_VM_I64 || type == CNS_VM_F64;
}

static void check_leaf(verifier *v, cns_ir_block_id block, cns_ir_value value) {
    const cns_ir_instruction *instruction = cns_ir_at(v->function, value);
    if (instruction->op == CNS_IR_ARGUMENT) {
        if (block != 0 || instruction->index >= v->function->argument_count ||
            v->function->arguments[instruction->index] != value ||
            !(is_value_type(instruction->type) || cns_ir_is_buffer(instruction->type))) {
            fail(v, block, value, "is no argument of the function");
        }
    } else if (block != 0) {
        fail(v, block, value, "a constant outside block 0");
    } else if (instruction->op == CNS_IR_CONST_BOOL && instruction->i != 0 && instruction->i != 1) {
        fail(v, block, value, "a boolean that is neither true nor false");
    }
}

/* ---- forks ----------------------------------------------------------------------------------- */

static bool is_fork(uint8_t op) {
    return op >= CNS_IR_FORK_PASS && op <= CNS_IR_FORK_GET_F64;
}

/* What a fork's body takes and gives. */
static bool fits_body(const cns_ir_body *body) {
    const cns_ir_function *f = body->function;
    bool fits = body->fork.slot_count == f->argument_count && f->argument_count >= 2 &&
                f->argument_count <= CNS_IR_FORK_SLOTS &&
                body->fork.accumulator_count <= CNS_IR_ACCUMULATORS;
    for (uint32_t a = 0; a < f->argument_count && fits; a++) {
        fits = f->arguments[a] < f->instruction_count &&
               (a >= 2 || cns_ir_at(f, f->arguments[a])->type == CNS_VM_I64);
    }
    for (uint32_t b = 0; b < f->block_count && fits; b++) {
        fits = f->blocks[b].end != CNS_IR_RETURN ||
               f->blocks[b].edges[0].count == body->fork.accumulator_count;
    }
    return fits;
}

/* The values passed: those of the FORK_PASSes before the fork, the last one first. */
static void check_passed(verifier *v, cns_ir_block_id block, cns_ir_value fork,
                         const cns_ir_body *body) {
    const cns_ir_function *f = v->function;
    uint32_t wanted = body->fork.slot_count;
    cns_ir_value at = cns_ir_at(f, fork)->previous;
    for (; at != CNS_IR_NONE && wanted > 2; at = cns_ir_at(f, at)->previous) {
        const cns_ir_instruction *pass = cns_ir_at(f, at);
        if (pass->op == CNS_IR_FORK) {
            break;
        }
        if (pass->op == CNS_IR_FORK_PASS) {
            wanted--;
            cns_ir_value argument = body->function->arguments[wanted];
            if (pass->index != wanted || cns_ir_at(f, pass->operands[0])->type !=
                                             cns_ir_at(body->function, argument)->type) {
                fail(v, block, at, "passes what the fork's body does not take");
                return;
            }
        }
    }
    if (wanted != 2) {
        fail(v, block, fork, "forks without an argument of its body");
    }
}

static void check_get(verifier *v, cns_ir_block_id block, cns_ir_value get) {
    const cns_ir_function *f = v->function;
    cns_ir_value at = cns_ir_at(f, get)->previous;
    while (at != CNS_IR_NONE && cns_ir_at(f, at)->op != CNS_IR_FORK &&
           cns_ir_at(f, at)->op != CNS_IR_FORK_PASS) {
        at = cns_ir_at(f, at)->previous;
    }
    if (at == CNS_IR_NONE || cns_ir_at(f, at)->op != CNS_IR_FORK ||
        cns_ir_at(f, get)->index >= f->bodies[cns_ir_at(f, at)->index].fork.accumulator_count) {
        fail(v, block, get, "takes a result that no fork gave");
    }
}

static void check_fork(verifier *v, cns_ir_block_id block, cns_ir_value value) {
    const cns_ir_instruction *instruction = cns_ir_at(v->function, value);
    if (!v->trusted) {
        fail(v, block, value, "forks, which only the optimiser may");
    } else if (instruction->op == CNS_IR_FORK) {
        if (instruction->index >= v->function->body_count ||
            !fits_body(&v->function->bodies[instruction->index])) {
            fail(v, block, value, "forks what is no body");
        } else {
            check_passed(v, block, value, &v->function->bodies[instruction->index]);
        }
    } else if (instruction->op != CNS_IR_FORK_PASS) {
        check_get(v, block, value);
    }
}

/* Flags on the operations that they are for, and none that nobody knows. */
static void check_flags(verifier *v, cns_ir_block_id block, cns_ir_value value) {
    const cns_ir_instruction *instruction = cns_ir_at(v->function, value);
    bool access = instruction->op == CNS_IR_LOAD || instruction->op == CNS_IR_STORE;
    unsigned claims =
        (access ? CNS_IR_PROVEN : 0) | (instruction->op == CNS_IR_STORE ? CNS_IR_CONVERTS : 0);
    unsigned arithmetic =
        instruction->type == CNS_VM_F64 && !access ? CNS_IR_REASSOCIATE | CNS_IR_CONTRACT : 0;
    if (instruction->flags & ~(claims | arithmetic)) {
        fail(v, block, value, "a flag that its operation does not have");
    } else if (!v->trusted && (instruction->flags & claims)) {
        fail(v, block, value, "claims what only the optimiser may");
    }
}

static void check_instruction(verifier *v, cns_ir_block_id block, cns_ir_value value) {
    const cns_ir_instruction *instruction = cns_ir_at(v->function, value);
    if (instruction->op >= CNS_IR_OP_COUNT || instruction->op == CNS_IR_NOP ||
        instruction->op == CNS_IR_PARAM) {
        fail(v, block, value, "no operation");
        return;
    }
    const cns_ir_op_info *info = cns_ir_info((cns_ir_op)instruction->op);
    if (instruction->operand_count != strlen(info->operands)) {
        fail(v, block, value, "a wrong number of operands");
        return;
    }
    if (!site_exists(v, instruction->site)) {
        fail(v, block, value, "no such place in the source");
    }
    for (uint32_t i = 0; i < instruction->operand_count && v->status == CNS_OK; i++) {
        check_use(v, block, v->order[value], instruction->operands[i], value);
        if (v->status == CNS_OK &&
            !letter_matches(info->operands[i],
                            cns_ir_at(v->function, instruction->operands[i])->type)) {
            fail(v, block, value, "an operand of a wrong type");
        }
    }
    check_flags(v, block, value);
    if (is_fork(instruction->op)) {
        if (v->status == CNS_OK) {
            check_fork(v, block, value);
        }
    } else if (info->operands[0] == '\0') {
        check_leaf(v, block, value);
    }
    uint8_t type = instruction->type;
    bool right = info->result == '.'   ? type == CNS_VM_VOID
                 : info->result != '?' ? letter_matches(info->result, type)
                 : instruction->op == CNS_IR_LOAD && v->status == CNS_OK
                     ? type == cns_ir_element_value(cns_ir_element(
                                   cns_ir_at(v->function, instruction->operands[0])->type))
                     : true;
    if (!right) {
        fail(v, block, value, "a result of a wrong type");
    }
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void check_edge(verifier *v, cns_ir_block_id id, const cns_ir_edge *edge) {
    const cns_ir_block *target = &v->function->blocks[edge->target];
    if (edge->target == 0) {
        fail(v, id, CNS_IR_NONE, "leads to the entry");
        return;
    }
    if (edge->count != target->parameter_count) {
        fail(v, id, CNS_IR_NONE, "an edge with a wrong number of arguments");
        return;
    }
    for (uint32_t i = 0; i < edge->count && v->status == CNS_OK; i++) {
        check_use(v, id, UINT32_MAX, edge->arguments[i], CNS_IR_NONE);
        if (v->status == CNS_OK && cns_ir_at(v->function, edge->arguments[i])->type !=
                                       cns_ir_at(v->function, target->parameters[i])->type) {
            fail(v, id, CNS_IR_NONE, "an edge's argument of a wrong type");
        }
    }
}

static void check_end(verifier *v, cns_ir_block_id id) {
    const cns_ir_block *block = &v->function->blocks[id];
    if (!site_exists(v, block->site)) {
        fail(v, id, CNS_IR_NONE, "no such place in the source");
    }
    if (block->flags & ~(CNS_IR_PARALLEL | (v->trusted ? CNS_IR_COLD : 0))) {
        fail(v, id, CNS_IR_NONE, "a flag that no block has");
    }
    if (block->end == CNS_IR_BRANCH) {
        check_use(v, id, UINT32_MAX, block->condition, CNS_IR_NONE);
        if (v->status == CNS_OK && cns_ir_at(v->function, block->condition)->type != CNS_VM_BOOL) {
            fail(v, id, CNS_IR_NONE, "branches on what is no boolean");
        }
    }
    if (block->end == CNS_IR_RETURN) {
        for (uint32_t i = 0; i < block->edges[0].count && v->status == CNS_OK; i++) {
            cns_ir_value value = block->edges[0].arguments[i];
            if (value != CNS_IR_NONE) {
                check_use(v, id, UINT32_MAX, value, CNS_IR_NONE);
            }
            if (v->status == CNS_OK && value != CNS_IR_NONE &&
                !is_value_type(cns_ir_at(v->function, value)->type)) {
                fail(v, id, CNS_IR_NONE, "returns what is no value");
            }
        }
        return;
    }
    for (int e = 0; e < (block->end == CNS_IR_BRANCH ? 2 : 1) && v->status == CNS_OK; e++) {
        check_edge(v, id, &block->edges[e]);
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* The signature: what callers and lowerings read without looking at the blocks. */
static void check_arguments(verifier *v) {
    for (uint32_t a = 0; a < v->function->argument_count && v->status == CNS_OK; a++) {
        cns_ir_value value = v->function->arguments[a];
        if (value != CNS_IR_NONE &&
            (!exists(v, value) || cns_ir_at(v->function, value)->op != CNS_IR_ARGUMENT ||
             cns_ir_at(v->function, value)->index != a)) {
            fail(v, 0, value, "an argument without a value");
        }
    }
}

static void check_remarks(verifier *v) {
    for (uint32_t r = 0; r < v->function->remark_count; r++) {
        if (!site_exists(v, v->function->remarks[r].site)) {
            fail(v, 0, CNS_IR_NONE, "a remark on no place in the source");
        }
    }
}

/* What the shape relies on: ends that exist and lead to blocks. */
static void check_graph(verifier *v) {
    if (v->function->block_count == 0) {
        fail(v, 0, CNS_IR_NONE, "is missing");
    }
    for (uint32_t b = 0; b < v->function->block_count && v->status == CNS_OK; b++) {
        const cns_ir_block *block = &v->function->blocks[b];
        if (block->end == CNS_IR_END_NONE || block->end > CNS_IR_RETURN) {
            fail(v, b, CNS_IR_NONE, "has no end");
        }
        unsigned edges = block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_JUMP ? 1 : 0;
        for (unsigned e = 0; e < edges; e++) {
            if (block->edges[e].target >= v->function->block_count) {
                fail(v, b, CNS_IR_NONE, "leads nowhere");
            }
        }
    }
    for (uint32_t s = 0; s < v->function->site_count && v->status == CNS_OK; s++) {
        uint32_t at = v->function->sites[s].inlined_at;
        if (at != CNS_IR_NONE && at >= s) {
            fail(v, 0, CNS_IR_NONE, "a place in the source that is inlined into itself");
        }
    }
}

static void check_blocks(verifier *v) {
    const cns_ir_function *function = v->function;
    for (uint32_t b = 0; b < function->block_count && v->status == CNS_OK; b++) {
        if (v->shape->position[b] == CNS_IR_NONE) {
            fail(v, b, CNS_IR_NONE, "cannot be reached");
        }
        number_block(v, b);
    }
    check_arguments(v);
    check_remarks(v);
    for (uint32_t b = 0; b < function->block_count && v->status == CNS_OK; b++) {
        for (uint32_t p = 0; p < function->blocks[b].parameter_count; p++) {
            if (b == 0 ||
                !is_value_type(cns_ir_at(function, function->blocks[b].parameters[p])->type)) {
                fail(v, b, CNS_IR_NONE, "a parameter of a wrong type");
            }
        }
        for (cns_ir_value i = function->blocks[b].first; i != CNS_IR_NONE && v->status == CNS_OK;
             i = cns_ir_at(function, i)->next) {
            check_instruction(v, b, i);
        }
        if (v->status == CNS_OK) {
            check_end(v, b);
        }
    }
}

cns_status cns_ir_verify(const cns_ir_function *function, bool trusted) {
    verifier v = {.function = function, .trusted = trusted, .status = CNS_OK};
    check_graph(&v);
    if (v.status != CNS_OK) {
        return v.status;
    }
    cns_ir_shape shape;
    cns_status status = cns_ir_shape_init(&shape, function);
    if (status != CNS_OK) {
        return status;
    }
    size_t size = (function->instruction_count + 1) * sizeof *v.order;
    v.order = cns_context_calloc(function->context, size);
    if (v.order) {
        v.shape = &shape;
        check_blocks(&v);
    } else {
        v.status = cns_context_memory_status(function->context, size);
    }
    cns_context_free(function->context, v.order, size, CNS_ALIGN_DEFAULT);
    cns_ir_shape_deinit(&shape);
    for (uint32_t b = 0; b < function->body_count && v.status == CNS_OK; b++) {
        v.status = cns_ir_verify(function->bodies[b].function, trusted);
    }
    return v.status;
}
