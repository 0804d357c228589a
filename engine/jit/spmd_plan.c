/* SPDX-License-Identifier: MIT
 *
 * spmd_plan.c - which loops run in groups of iterations, and what each of their values is then.
 *
 * Worth it: an inner loop that LLVM cannot vectorise (not counted, or with a chain of floats), or
 * functions of libm. Legal: nothing is carried; every access to a buffer that is written is at one
 * index that differs by lane, the same expression everywhere; all that may trap comes before all
 * stores, so that a group in which something does can be left and run again one by one.
 */
#include "jit/spmd.h"

static const cns_ir_block *block_at(const cns_jit_lower *l, cns_ir_block_id id) {
    return &l->function->blocks[id];
}

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_JUMP ? 1 : 0;
}

static bool contains(const cns_jit_lower *l, uint32_t loop, cns_ir_block_id block) {
    return l->jit->services->loop_contains(&l->shape, loop, block);
}

const cns_spmd_loop *cns_spmd_headed(const cns_jit_lower *l, const cns_spmd_plan *plan,
                                     cns_ir_block_id block) {
    for (uint32_t i = 0; i < plan->loop_count; i++) {
        if (l->shape.loops[plan->loops[i].loop].header == block) {
            return &plan->loops[i];
        }
    }
    return NULL;
}

static bool is_inside(const cns_jit_lower *l, const cns_spmd_plan *p, cns_ir_value value) {
    cns_ir_block_id block = cns_ir_at(l->function, value)->block;
    return block >= p->first && block <= p->last;
}

/* ---- the blocks ------------------------------------------------------------------------------ */

/* A loop's blocks lie next to each other, and edges but the ways back lead on. */
static bool is_in_order(const cns_jit_lower *l, uint32_t loop, cns_ir_block_id *last) {
    cns_ir_block_id first = l->shape.loops[loop].header;
    uint32_t count = 0;
    *last = first;
    for (cns_ir_block_id b = 0; b < l->function->block_count; b++) {
        if (contains(l, loop, b)) {
            count++;
            *last = b > *last ? b : *last;
            if (b < first) {
                return false;
            }
        }
    }
    return count == *last - first + 1;
}

static bool edges_lead_on(const cns_jit_lower *l, const cns_spmd_plan *p) {
    for (cns_ir_block_id b = p->first; b <= p->last; b++) {
        const cns_ir_block *block = block_at(l, b);
        if (block->end == CNS_IR_RETURN || block->parameter_count > CNS_SPMD_PARAMETERS) {
            return false;
        }
        for (uint32_t e = 0; e < edge_count(block); e++) {
            cns_ir_block_id target = block->edges[e].target;
            uint32_t loop = l->shape.loop_of[target];
            bool back = target <= b && loop != CNS_IR_NONE &&
                        l->shape.loops[loop].header == target && contains(l, loop, b);
            if (target <= b && !back) {
                return false;
            }
        }
    }
    return true;
}

static bool find_exits(const cns_jit_lower *l, const cns_spmd_plan *p, cns_spmd_loop *inner) {
    cns_ir_block_id target = CNS_IR_NONE;
    for (cns_ir_block_id b = l->shape.loops[inner->loop].header; b <= inner->last; b++) {
        const cns_ir_block *block = block_at(l, b);
        for (uint32_t e = 0; e < edge_count(block); e++) {
            if (!contains(l, inner->loop, block->edges[e].target)) {
                if (inner->exit_count == CNS_SPMD_EXITS || block->edges[e].target > p->last) {
                    return false;
                }
                inner->joint =
                    inner->exit_count == 0 || (inner->joint && block->edges[e].target == target);
                target = block->edges[e].target;
                inner->exits[inner->exit_count++] = (cns_spmd_exit){b, e};
            }
        }
    }
    return true;
}

static bool find_loops(cns_jit_lower *l, cns_spmd_plan *p) {
    for (uint32_t i = 0; i < l->shape.loop_count; i++) {
        if (i == p->loop || !contains(l, p->loop, l->shape.loops[i].header)) {
            continue;
        }
        if (p->loop_count == CNS_SPMD_LOOPS) {
            return false;
        }
        cns_spmd_loop *inner = &p->loops[p->loop_count++];
        inner->loop = i;
        if (!is_in_order(l, i, &inner->last) || !find_exits(l, p, inner)) {
            return false;
        }
    }
    return true;
}

/* ---- is it worth it -------------------------------------------------------------------------- */

/* A loop that LLVM would run one iteration after the other. */
static bool is_serial(const cns_jit_lower *l, uint32_t loop) {
    if (!l->chunks[loop].counted) {
        return true;
    }
    const cns_ir_block *header = block_at(l, l->shape.loops[loop].header);
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        if (cns_ir_at(l->function, header->parameters[i])->type == CNS_VM_F64) {
            return true;
        }
    }
    return false;
}

static bool has_calls(const cns_jit_lower *l, const cns_spmd_plan *p) {
    for (cns_ir_block_id b = p->first; b <= p->last; b++) {
        for (cns_ir_value v = block_at(l, b)->first; v != CNS_IR_NONE;
             v = cns_ir_at(l->function, v)->next) {
            if (cns_jit_math_of((cns_ir_op)cns_ir_at(l->function, v)->op)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_worth_it(const cns_jit_lower *l, const cns_spmd_plan *p) {
    for (uint32_t i = 0; i < p->loop_count; i++) {
        if (is_serial(l, p->loops[i].loop)) {
            return true;
        }
    }
    return has_calls(l, p);
}

/* ---- kinds ----------------------------------------------------------------------------------- */

static cns_spmd_value kind_of(const cns_jit_lower *l, const cns_spmd_plan *p, cns_ir_value v) {
    return is_inside(l, p, v) ? p->values[v] : (cns_spmd_value){CNS_SPMD_UNIFORM, 0};
}

static bool is_uniform(const cns_jit_lower *l, const cns_spmd_plan *p, cns_ir_value v) {
    return kind_of(l, p, v).kind == CNS_SPMD_UNIFORM;
}

static bool constant(const cns_jit_lower *l, cns_ir_value v, int64_t *out) {
    const cns_ir_instruction *code = cns_ir_at(l->function, v);
    *out = code->op == CNS_IR_CONST_I64 ? code->i : 0;
    return code->op == CNS_IR_CONST_I64;
}

static int64_t wrapped(uint64_t value) {
    return (int64_t)value;
}

/* A sum, difference or multiple of what is strided. */
static cns_spmd_value arithmetic_kind(const cns_jit_lower *l, const cns_spmd_plan *p,
                                      const cns_ir_instruction *code) {
    cns_spmd_value a = kind_of(l, p, code->operands[0]), b = kind_of(l, p, code->operands[1]);
    int64_t factor;
    uint64_t s = (uint64_t)a.stride, t = (uint64_t)b.stride;
    if (a.kind == CNS_SPMD_VARYING || b.kind == CNS_SPMD_VARYING) {
        return (cns_spmd_value){CNS_SPMD_VARYING, 0};
    }
    switch (code->op) {
    case CNS_IR_ADD_I64:
        return (cns_spmd_value){CNS_SPMD_STRIDED, wrapped(s + t)};
    case CNS_IR_SUB_I64:
        return (cns_spmd_value){CNS_SPMD_STRIDED, wrapped(s - t)};
    default:
        if (constant(l, code->operands[1], &factor)) {
            return (cns_spmd_value){CNS_SPMD_STRIDED, wrapped(s * (uint64_t)factor)};
        }
        if (constant(l, code->operands[0], &factor)) {
            return (cns_spmd_value){CNS_SPMD_STRIDED, wrapped(t * (uint64_t)factor)};
        }
        return (cns_spmd_value){CNS_SPMD_VARYING, 0};
    }
}

static cns_spmd_value instruction_kind(const cns_jit_lower *l, const cns_spmd_plan *p,
                                       const cns_ir_instruction *code) {
    cns_spmd_value varying = {CNS_SPMD_VARYING, 0}, uniform = {CNS_SPMD_UNIFORM, 0};
    bool same = true;
    for (uint32_t i = 0; i < code->operand_count; i++) {
        same = same && is_uniform(l, p, code->operands[i]);
    }
    if (same) {
        /* What may trap is computed once for all only where a lane surely computes it. */
        bool pure =
            code->op == CNS_IR_LEN || code->op == CNS_IR_WITHIN ||
            (code->op != CNS_IR_LOAD && code->op != CNS_IR_STORE && code->op != CNS_IR_IDIV_I64 &&
             code->op != CNS_IR_MOD_I64 && code->op != CNS_IR_FMOD_I64);
        return pure || p->sure[code->block - p->first] ? uniform : varying;
    }
    if (code->op == CNS_IR_ADD_I64 || code->op == CNS_IR_SUB_I64 || code->op == CNS_IR_MUL_I64) {
        return arithmetic_kind(l, p, code);
    }
    return varying;
}

static void inner_header_kinds(cns_jit_lower *l, cns_spmd_plan *p, cns_spmd_loop *inner) {
    const cns_ir_block *header = block_at(l, l->shape.loops[inner->loop].header);
    const cns_jit_chunk *chunk = &l->chunks[inner->loop];
    inner->match = chunk->match;
    inner->uniform = chunk->counted && is_uniform(l, p, chunk->match.initial_remaining);
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        cns_ir_value v = header->parameters[i];
        p->values[v] = (cns_spmd_value){CNS_SPMD_VARYING, 0};
        if (inner->uniform && v == inner->match.remaining) {
            p->values[v].kind = CNS_SPMD_UNIFORM;
        } else if (inner->uniform && v == inner->match.index &&
                   is_uniform(l, p, inner->match.step)) {
            p->values[v] = kind_of(l, p, inner->match.initial_index);
        }
    }
}

/* The one edge into a block: the block that it comes from; NONE where there are several. */
static cns_ir_block_id only_source(const cns_jit_lower *l, cns_ir_block_id id, uint32_t *edge) {
    cns_ir_block_id found = CNS_IR_NONE;
    for (uint32_t i = l->shape.predecessor_begin[id]; i < l->shape.predecessor_begin[id + 1]; i++) {
        cns_ir_block_id from = l->shape.predecessors[i];
        const cns_ir_block *block = block_at(l, from);
        for (uint32_t e = 0; e < edge_count(block); e++) {
            if (block->edges[e].target == id) {
                if (found != CNS_IR_NONE && (found != from || *edge != e)) {
                    return CNS_IR_NONE;
                }
                found = from;
                *edge = e;
            }
        }
    }
    return found;
}

static void header_kinds(const cns_jit_lower *l, cns_spmd_plan *p) {
    p->values[p->match.remaining] = (cns_spmd_value){CNS_SPMD_STRIDED, -1};
    if (p->match.index != CNS_IR_NONE) {
        p->values[p->match.index] = (cns_spmd_value){CNS_SPMD_STRIDED, p->step};
    }
    p->sure[0] = true;
    (void)l;
}

static void parameter_kinds(cns_jit_lower *l, cns_spmd_plan *p, cns_ir_block_id b) {
    const cns_ir_block *block = block_at(l, b);
    uint32_t edge = 0;
    cns_ir_block_id from = only_source(l, b, &edge);
    bool leaves = from != CNS_IR_NONE && l->shape.loop_of[from] != l->shape.loop_of[b];
    for (uint32_t i = 0; i < block->parameter_count; i++) {
        p->values[block->parameters[i]] =
            from == CNS_IR_NONE || leaves
                ? (cns_spmd_value){CNS_SPMD_VARYING, 0}
                : kind_of(l, p, block_at(l, from)->edges[edge].arguments[i]);
    }
    p->sure[b - p->first] = from != CNS_IR_NONE && !leaves && from >= p->first &&
                            block_at(l, from)->end == CNS_IR_JUMP && p->sure[from - p->first];
}

static void find_kinds(cns_jit_lower *l, cns_spmd_plan *p) {
    for (cns_ir_block_id b = p->first; b <= p->last; b++) {
        cns_spmd_loop *inner = (cns_spmd_loop *)cns_spmd_headed(l, p, b);
        if (b == p->first) {
            header_kinds(l, p);
        } else if (inner) {
            inner_header_kinds(l, p, inner);
            p->sure[b - p->first] = true; /* it is skipped where no lane enters */
        } else {
            parameter_kinds(l, p, b);
        }
        for (cns_ir_value v = block_at(l, b)->first; v != CNS_IR_NONE;
             v = cns_ir_at(l->function, v)->next) {
            p->values[v] = instruction_kind(l, p, cns_ir_at(l->function, v));
        }
    }
}

/* ---- what is used behind loops --------------------------------------------------------------- */

static bool add_out(cns_jit_lower *l, cns_spmd_plan *p, cns_ir_value v, cns_ir_block_id user) {
    if (v == CNS_IR_NONE || !is_inside(l, p, v)) {
        return true;
    }
    cns_ir_block_id home = cns_ir_at(l->function, v)->block;
    for (uint32_t i = 0; i < p->loop_count; i++) {
        cns_spmd_loop *inner = &p->loops[i];
        if (!contains(l, inner->loop, home) || contains(l, inner->loop, user)) {
            continue;
        }
        bool known = false;
        for (uint32_t k = 0; k < inner->out_count; k++) {
            known = known || inner->out[k] == v;
        }
        if (!known && inner->out_count == CNS_SPMD_OUT) {
            return false;
        }
        if (!known) {
            inner->out[inner->out_count++] = v;
        }
    }
    return contains(l, p->loop, user);
}

static bool find_outs_of(cns_jit_lower *l, cns_spmd_plan *p, cns_ir_block_id b) {
    const cns_ir_block *block = block_at(l, b);
    bool fine = true;
    for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(l->function, v)->next) {
        const cns_ir_instruction *code = cns_ir_at(l->function, v);
        for (uint32_t i = 0; i < code->operand_count; i++) {
            fine = fine && add_out(l, p, code->operands[i], b);
        }
    }
    if (block->end == CNS_IR_BRANCH) {
        fine = fine && add_out(l, p, block->condition, b);
    }
    uint32_t edges = block->end == CNS_IR_RETURN ? 1 : edge_count(block);
    for (uint32_t e = 0; e < edges; e++) {
        for (uint32_t i = 0; i < block->edges[e].count; i++) {
            cns_ir_value argument = block->edges[e].arguments[i];
            fine = fine && add_out(l, p, argument, b);
            /* The way out of the whole loop hands on nothing of it. */
            if (contains(l, p->loop, b) && !contains(l, p->loop, block->edges[e].target)) {
                fine = fine && (argument == CNS_IR_NONE || !is_inside(l, p, argument));
            }
        }
    }
    return fine;
}

static bool find_outs(cns_jit_lower *l, cns_spmd_plan *p) {
    bool fine = true;
    for (uint32_t i = 0; i < l->shape.order_count; i++) {
        fine = fine && find_outs_of(l, p, l->shape.order[i]);
    }
    return fine;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static bool note_buffer(cns_ir_value *list, uint32_t *count, cns_ir_value buffer) {
    for (uint32_t i = 0; i < *count; i++) {
        if (list[i] == buffer) {
            return true;
        }
    }
    if (*count == CNS_SPMD_BUFFERS) {
        return false;
    }
    list[(*count)++] = buffer;
    return true;
}

/* The same value, as far as can be seen: one instruction, or the same operation of the same. */
static bool is_same(const cns_jit_lower *l, cns_ir_value a, cns_ir_value b, uint32_t depth) {
    const cns_ir_instruction *x = cns_ir_at(l->function, a), *y = cns_ir_at(l->function, b);
    if (a == b) {
        return true;
    }
    if (depth == 0 || x->op != y->op || x->op == CNS_IR_PARAM || x->op == CNS_IR_ARGUMENT ||
        !(x->op >= CNS_IR_ADD_I64 && x->op <= CNS_IR_MUL_I64)) {
        return false;
    }
    return is_same(l, x->operands[0], y->operands[0], depth - 1) &&
           is_same(l, x->operands[1], y->operands[1], depth - 1);
}

typedef struct accesses {
    cns_jit_lower *l;
    cns_spmd_plan *plan;
    cns_ir_value index[CNS_SPMD_BUFFERS]; /* of stored buffers */
} accesses;

static const char *note_store(accesses *a, const cns_ir_instruction *code) {
    cns_spmd_value kind = kind_of(a->l, a->plan, code->operands[1]);
    if (kind.kind != CNS_SPMD_STRIDED || kind.stride == 0) {
        return "iterations may store in the same element";
    }
    uint32_t before = a->plan->stored_count;
    if (!note_buffer(a->plan->stored, &a->plan->stored_count, code->operands[0])) {
        return "too many buffers";
    }
    if (a->plan->stored_count > before) {
        a->index[before] = code->operands[1];
    }
    return NULL;
}

static const char *check_access(const accesses *a, const cns_ir_instruction *code) {
    for (uint32_t i = 0; i < a->plan->stored_count; i++) {
        if (a->plan->stored[i] == code->operands[0] &&
            !is_same(a->l, a->index[i], code->operands[1], 8)) {
            return "iterations read or write what others write";
        }
    }
    return NULL;
}

/* Calls `visit` with each load and store; stops at the first reason. */
static const char *each_access(accesses *a, bool stores_only,
                               const char *(*visit)(accesses *, const cns_ir_instruction *)) {
    const char *why = NULL;
    for (cns_ir_block_id b = a->plan->first; b <= a->plan->last; b++) {
        for (cns_ir_value v = block_at(a->l, b)->first; v != CNS_IR_NONE && !why;
             v = cns_ir_at(a->l->function, v)->next) {
            const cns_ir_instruction *code = cns_ir_at(a->l->function, v);
            if (code->op == CNS_IR_STORE || (code->op == CNS_IR_LOAD && !stores_only)) {
                why = visit(a, code);
            }
        }
    }
    return why;
}

static const char *visit_any(accesses *a, const cns_ir_instruction *code) {
    if (!note_buffer(a->plan->used, &a->plan->used_count, code->operands[0])) {
        return "too many buffers";
    }
    return check_access(a, code);
}

static const char *check_memory(cns_jit_lower *l, cns_spmd_plan *p) {
    accesses a = {.l = l, .plan = p};
    const char *why = each_access(&a, true, note_store);
    return why ? why : each_access(&a, false, visit_any);
}

/* ---- traps ----------------------------------------------------------------------------------- */

static bool may_trap(const cns_jit_lower *l, const cns_ir_instruction *code) {
    const cns_ir_function *f = l->function;
    if (code->op == CNS_IR_LOAD) {
        return !(code->flags & CNS_IR_PROVEN) ||
               cns_ir_at(f, code->operands[0])->type == CNS_VM_BUFFER + CNS_U64;
    }
    if (code->op == CNS_IR_STORE) {
        uint8_t element = cns_ir_at(f, code->operands[0])->type;
        bool real = cns_ir_at(f, code->operands[2])->type == CNS_VM_F64;
        bool converts =
            (code->flags & CNS_IR_CONVERTS) ||
            (real ? element >= CNS_VM_BUFFER + CNS_F32 : element == CNS_VM_BUFFER + CNS_I64);
        return !(code->flags & CNS_IR_PROVEN) || !converts;
    }
    int64_t step;
    if (code->op == CNS_IR_FOR_ENTERS_I64 || code->op == CNS_IR_FOR_ENTERS_CLIP ||
        code->op == CNS_IR_IDIV_I64 || code->op == CNS_IR_MOD_I64 || code->op == CNS_IR_FMOD_I64) {
        uint32_t place = code->op >= CNS_IR_IDIV_I64 && code->op <= CNS_IR_FMOD_I64 ? 1 : 2;
        return !constant(l, code->operands[place], &step) || step == 0;
    }
    return code->op == CNS_IR_F64_TO_I64 || code->op == CNS_IR_F64_TO_INDEX ||
           code->op == CNS_IR_FOR_ENTERS_F64;
}

/* Whether all that may trap lies before all stores, also where loops lead back. */
static bool traps_come_first(const cns_jit_lower *l, const cns_spmd_plan *p) {
    bool stored = false, traps[CNS_SPMD_LOOPS] = {false}, stores[CNS_SPMD_LOOPS] = {false};
    for (cns_ir_block_id b = p->first; b <= p->last; b++) {
        for (cns_ir_value v = block_at(l, b)->first; v != CNS_IR_NONE;
             v = cns_ir_at(l->function, v)->next) {
            const cns_ir_instruction *code = cns_ir_at(l->function, v);
            bool trap = may_trap(l, code), store = code->op == CNS_IR_STORE;
            if (trap && stored) {
                return false;
            }
            stored = stored || store;
            for (uint32_t i = 0; i < p->loop_count; i++) {
                bool in = contains(l, p->loops[i].loop, b);
                traps[i] = traps[i] || (in && trap);
                stores[i] = stores[i] || (in && store);
            }
        }
    }
    for (uint32_t i = 0; i < p->loop_count; i++) {
        if (traps[i] && stores[i]) {
            return false;
        }
    }
    return true;
}

/* Whether a block has something that may trap. */
static bool block_traps(const cns_jit_lower *l, cns_ir_block_id b) {
    for (cns_ir_value v = block_at(l, b)->first; v != CNS_IR_NONE;
         v = cns_ir_at(l->function, v)->next) {
        if (may_trap(l, cns_ir_at(l->function, v))) {
            return true;
        }
    }
    return false;
}

/* What comes behind a loop, or in a loop around it, which leads back. */
static void find_overtaking(const cns_jit_lower *l, cns_spmd_plan *p) {
    for (cns_ir_block_id b = p->first; b <= p->last; b++) {
        if (!block_traps(l, b)) {
            continue;
        }
        for (uint32_t i = 0; i < p->loop_count; i++) {
            cns_spmd_loop *inner = &p->loops[i];
            bool around = false;
            for (uint32_t k = 0; k < p->loop_count; k++) {
                around = around || (k != i && contains(l, p->loops[k].loop, b) &&
                                    contains(l, p->loops[k].loop, inner->last));
            }
            bool inside = contains(l, inner->loop, b);
            inner->overtakes = inner->overtakes || (!inside && (b > inner->last || around));
        }
    }
}

static bool has_forks(const cns_jit_lower *l, const cns_spmd_plan *p) {
    for (cns_ir_block_id b = p->first; b <= p->last; b++) {
        for (cns_ir_value v = block_at(l, b)->first; v != CNS_IR_NONE;
             v = cns_ir_at(l->function, v)->next) {
            uint8_t op = cns_ir_at(l->function, v)->op;
            if (op >= CNS_IR_FORK_PASS && op <= CNS_IR_FORK_GET_F64) {
                return true;
            }
        }
    }
    return false;
}

/* ---- all together ---------------------------------------------------------------------------- */

/* NULL, or what is in the way of a loop that is worth it. */
static const char *obstacle(cns_jit_lower *l, cns_spmd_plan *p) {
    const cns_ir_block *header = block_at(l, p->first);
    uint32_t own = 1 + (p->match.index != CNS_IR_NONE);
    if (header->parameter_count != own) {
        return "values are carried from one iteration to the next";
    }
    p->step = 1;
    if (p->match.index != CNS_IR_NONE && !constant(l, p->match.step, &p->step)) {
        return "its step is not constant";
    }
    if (has_forks(l, p)) {
        return "it has a loop over cns.prange inside";
    }
    find_kinds(l, p);
    if (!find_outs(l, p)) {
        return "a value of the last iteration is used behind it";
    }
    const char *why = check_memory(l, p);
    return why ? why : !traps_come_first(l, p) ? "an error may come up after a store" : NULL;
}

static bool exit_is_plain(const cns_jit_lower *l, const cns_spmd_plan *p) {
    const cns_ir_block *latch = block_at(l, l->shape.loops[p->loop].latch);
    cns_ir_block_id out = latch->edges[0].target;
    uint32_t loop = l->shape.loop_of[out];
    return loop == CNS_IR_NONE || l->shape.loops[loop].header != out;
}

static bool is_entered_once(const cns_jit_lower *l, const cns_spmd_plan *p) {
    uint32_t count = 0;
    for (uint32_t i = l->shape.predecessor_begin[p->first];
         i < l->shape.predecessor_begin[p->first + 1]; i++) {
        count += !contains(l, p->loop, l->shape.predecessors[i]);
    }
    return count == 1;
}

bool cns_spmd_analyse(cns_jit_lower *l, cns_spmd_plan *p) {
    if (!l->chunks[p->loop].counted) {
        return false;
    }
    p->match = l->chunks[p->loop].match;
    p->first = l->shape.loops[p->loop].header;
    if (!is_in_order(l, p->loop, &p->last) || p->last - p->first >= CNS_SPMD_BLOCKS ||
        !edges_lead_on(l, p) || !find_loops(l, p) || !exit_is_plain(l, p) ||
        !is_entered_once(l, p) || !is_worth_it(l, p)) {
        return false;
    }
    const char *why = obstacle(l, p);
    if (why) {
        cns_jit_remark(l, CNS_REMARK_NOT_VECTORISED, block_at(l, p->last)->site, why);
    }
    find_overtaking(l, p);
    return !why;
}
