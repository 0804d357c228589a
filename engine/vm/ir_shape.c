/* SPDX-License-Identifier: MIT
 *
 * ir_shape.c - predecessors, dominators, natural loops.
 *
 * Dominators by the iteration of Cooper, Harvey and Kennedy (2001) over reverse postorder. A loop
 * is all that reaches a back edge's source without passing its header; back edges to one header
 * make one loop. Blocks that cannot be reached have no place in the order and no dominator.
 */
#include "vm/ir.h"

#include <string.h>

#include "base/check.h"

/* The parts of the shape's one allocation. */
typedef struct layout {
    uint8_t *memory;
    size_t used;
} layout;

static void *part(layout *l, size_t count, size_t size) {
    void *begin = l->memory ? l->memory + l->used : NULL;
    l->used += (count * size + 15) / 16 * 16;
    return begin;
}

static void lay_out(cns_ir_shape *shape, layout *l) {
    uint32_t n = shape->block_count;
    shape->order = part(l, n, sizeof *shape->order);
    shape->position = part(l, n, sizeof *shape->position);
    shape->dominator = part(l, n, sizeof *shape->dominator);
    shape->predecessor_begin = part(l, n + 1, sizeof *shape->predecessor_begin);
    shape->predecessors = part(l, 2 * (size_t)n, sizeof *shape->predecessors);
    shape->loops = part(l, n, sizeof *shape->loops);
    shape->loop_of = part(l, n, sizeof *shape->loop_of);
    shape->stack = part(l, n, sizeof *shape->stack);
    shape->targets = part(l, 2 * (size_t)n, sizeof *shape->targets);
}

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_JUMP ? 1 : block->end == CNS_IR_BRANCH ? 2 : 0;
}

/* Depth first; predecessor_begin holds each block's next edge meanwhile. */
static void find_order(cns_ir_shape *shape, const cns_ir_function *function) {
    uint32_t *stack = shape->stack;
    uint32_t *next = shape->predecessor_begin;
    uint32_t depth = 0;
    uint32_t place = shape->block_count;
    memset(shape->position, 0xff, shape->block_count * sizeof *shape->position);
    memset(next, 0, shape->block_count * sizeof *next);
    stack[depth++] = 0;
    shape->position[0] = 0;
    while (depth > 0) {
        uint32_t block = stack[depth - 1];
        if (next[block] < edge_count(&function->blocks[block])) {
            uint32_t target = function->blocks[block].edges[next[block]++].target;
            if (shape->position[target] == CNS_IR_NONE) {
                shape->position[target] = 0; /* seen */
                stack[depth++] = target;
            }
        } else {
            shape->order[--place] = block;
            depth--;
        }
    }
    uint32_t reached = shape->block_count - place;
    memmove(shape->order, shape->order + place, reached * sizeof *shape->order);
    for (uint32_t i = 0; i < reached; i++) {
        shape->position[shape->order[i]] = i;
    }
    shape->order_count = reached;
}

static void find_predecessors(cns_ir_shape *shape, const cns_ir_function *function) {
    uint32_t *begin = shape->predecessor_begin;
    memset(begin, 0, (shape->block_count + 1) * sizeof *begin);
    for (uint32_t i = 0; i < shape->order_count; i++) {
        const cns_ir_block *block = &function->blocks[shape->order[i]];
        for (uint32_t e = 0; e < edge_count(block); e++) {
            begin[block->edges[e].target + 1]++;
        }
    }
    for (uint32_t b = 0; b < shape->block_count; b++) {
        begin[b + 1] += begin[b];
    }
    for (uint32_t i = 0; i < shape->order_count; i++) {
        const cns_ir_block *block = &function->blocks[shape->order[i]];
        for (uint32_t e = 0; e < edge_count(block); e++) {
            shape->predecessors[begin[block->edges[e].target]++] = shape->order[i];
        }
    }
    memmove(begin + 1, begin, shape->block_count * sizeof *begin); /* back to where each began */
    begin[0] = 0;
}

static cns_ir_block_id meet(const cns_ir_shape *shape, cns_ir_block_id a, cns_ir_block_id b) {
    while (a != b) {
        while (shape->position[a] > shape->position[b]) {
            a = shape->dominator[a];
        }
        while (shape->position[b] > shape->position[a]) {
            b = shape->dominator[b];
        }
    }
    return a;
}

static void find_dominators(cns_ir_shape *shape) {
    memset(shape->dominator, 0xff, shape->block_count * sizeof *shape->dominator);
    shape->dominator[0] = 0;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 1; i < shape->order_count; i++) {
            cns_ir_block_id block = shape->order[i];
            cns_ir_block_id found = CNS_IR_NONE;
            for (uint32_t p = shape->predecessor_begin[block];
                 p < shape->predecessor_begin[block + 1]; p++) {
                cns_ir_block_id from = shape->predecessors[p];
                if (shape->dominator[from] != CNS_IR_NONE) {
                    found = found == CNS_IR_NONE ? from : meet(shape, found, from);
                }
            }
            again |= shape->dominator[block] != found;
            shape->dominator[block] = found;
        }
    }
    shape->dominator[0] = CNS_IR_NONE;
}

bool cns_ir_dominates(const cns_ir_shape *shape, cns_ir_block_id above, cns_ir_block_id below) {
    CNS_ASSERT(above < shape->block_count && below < shape->block_count);
    while (below != CNS_IR_NONE && shape->position[below] > shape->position[above]) {
        below = shape->dominator[below];
    }
    return below == above;
}

/* ---- loops ----------------------------------------------------------------------------------- */

/* The outermost loop found so far that holds `loop`. */
static uint32_t outermost(const cns_ir_shape *shape, uint32_t loop) {
    while (shape->loops[loop].parent != CNS_IR_NONE) {
        loop = shape->loops[loop].parent;
    }
    return loop;
}

/* Puts a block, or the outermost loop that it is in, into `loop`; the block whose predecessors are
 * to be looked at next, or NONE when it was there already or is the header. */
static cns_ir_block_id claim(cns_ir_shape *shape, uint32_t loop, cns_ir_block_id block) {
    uint32_t inner = shape->loop_of[block];
    if (inner == CNS_IR_NONE) {
        shape->loop_of[block] = loop;
        return block;
    }
    uint32_t outer = outermost(shape, inner);
    if (outer == loop) {
        return CNS_IR_NONE;
    }
    shape->loops[outer].parent = loop;
    shape->loops[loop].innermost = false;
    return shape->loops[outer].header;
}

static void push(cns_ir_shape *shape, uint32_t *depth, cns_ir_block_id block) {
    if (block != CNS_IR_NONE) {
        shape->stack[(*depth)++] = block;
    }
}

/* Walks back from a latch to the header. Loops found earlier are inner ones, since headers are
 * taken from the last to the first, and are stepped over. */
static void gather(cns_ir_shape *shape, uint32_t loop, cns_ir_block_id latch) {
    cns_ir_block_id header = shape->loops[loop].header;
    uint32_t depth = 0;
    push(shape, &depth, claim(shape, loop, latch));
    while (depth > 0) {
        cns_ir_block_id block = shape->stack[--depth];
        for (uint32_t p = shape->predecessor_begin[block]; p < shape->predecessor_begin[block + 1];
             p++) {
            cns_ir_block_id from = shape->predecessors[p];
            if (cns_ir_dominates(shape, header, from)) {
                push(shape, &depth, claim(shape, loop, from));
            }
        }
    }
}

static void add_loop(cns_ir_shape *shape, cns_ir_block_id header) {
    uint32_t loop = shape->loop_count;
    cns_ir_loop *l = &shape->loops[loop];
    *l = (cns_ir_loop){.header = header,
                       .parent = CNS_IR_NONE,
                       .innermost = true,
                       .latch = CNS_IR_NONE,
                       .preheader = CNS_IR_NONE};
    uint32_t latches = 0;
    uint32_t entries = 0;
    for (uint32_t p = shape->predecessor_begin[header]; p < shape->predecessor_begin[header + 1];
         p++) {
        cns_ir_block_id from = shape->predecessors[p];
        bool back = cns_ir_dominates(shape, header, from);
        latches += back;
        entries += !back;
        *(back ? &l->latch : &l->preheader) = from;
    }
    if (latches == 0) {
        return;
    }
    l->latch = latches == 1 ? l->latch : CNS_IR_NONE;
    l->preheader = entries == 1 ? l->preheader : CNS_IR_NONE;
    shape->loop_count++;
    shape->loop_of[header] = loop;
    for (uint32_t p = shape->predecessor_begin[header]; p < shape->predecessor_begin[header + 1];
         p++) {
        if (cns_ir_dominates(shape, header, shape->predecessors[p])) {
            gather(shape, loop, shape->predecessors[p]);
        }
    }
}

/* Inner loops were found first: turns the list round, so that outer ones come before inner. */
static void reverse_loops(cns_ir_shape *shape) {
    uint32_t n = shape->loop_count;
    for (uint32_t i = 0; i < n / 2; i++) {
        cns_ir_loop other = shape->loops[i];
        shape->loops[i] = shape->loops[n - 1 - i];
        shape->loops[n - 1 - i] = other;
    }
    for (uint32_t i = 0; i < n; i++) {
        cns_ir_loop *l = &shape->loops[i];
        l->parent = l->parent == CNS_IR_NONE ? CNS_IR_NONE : n - 1 - l->parent;
        l->depth = l->parent == CNS_IR_NONE ? 1 : shape->loops[l->parent].depth + 1;
    }
    for (uint32_t b = 0; b < shape->block_count; b++) {
        uint32_t *loop = &shape->loop_of[b];
        *loop = *loop == CNS_IR_NONE ? CNS_IR_NONE : n - 1 - *loop;
    }
}

static void find_loops(cns_ir_shape *shape, const cns_ir_function *function) {
    memset(shape->loop_of, 0xff, shape->block_count * sizeof *shape->loop_of);
    for (uint32_t i = shape->order_count; i-- > 0;) {
        add_loop(shape, shape->order[i]);
    }
    for (uint32_t i = 0; i < shape->loop_count; i++) {
        cns_ir_loop *l = &shape->loops[i];
        if (l->preheader != CNS_IR_NONE && edge_count(&function->blocks[l->preheader]) != 1) {
            l->preheader = CNS_IR_NONE;
        }
    }
    reverse_loops(shape);
}

bool cns_ir_loop_contains(const cns_ir_shape *shape, uint32_t loop, cns_ir_block_id block) {
    CNS_ASSERT(block < shape->block_count);
    uint32_t at = shape->loop_of[block];
    while (at != CNS_IR_NONE && at != loop) {
        at = shape->loops[at].parent;
    }
    return at == loop;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static cns_ir_block_id target(const cns_ir_block *block, uint32_t e) {
    return e < edge_count(block) ? block->edges[e].target : CNS_IR_NONE;
}

static void note_targets(cns_ir_shape *shape, const cns_ir_function *function) {
    for (uint32_t b = 0; b < shape->block_count; b++) {
        shape->targets[2 * b] = target(&function->blocks[b], 0);
        shape->targets[2 * b + 1] = target(&function->blocks[b], 1);
    }
}

static bool fits(const cns_ir_shape *shape, const cns_ir_function *function) {
    uint32_t b = 0;
    if (!shape->memory || shape->block_count != function->block_count) {
        return false;
    }
    while (b < shape->block_count && shape->targets[2 * b] == target(&function->blocks[b], 0) &&
           shape->targets[2 * b + 1] == target(&function->blocks[b], 1)) {
        b++;
    }
    return b == shape->block_count;
}

cns_status cns_ir_shape_init(cns_ir_shape *shape, const cns_ir_function *function) {
    cns_ir_shape *kept = function->kept;
    if (kept && fits(kept, function)) {
        *shape = *kept;
        shape->kept = kept;
        kept->memory = NULL;
        return CNS_OK;
    }
    *shape = (cns_ir_shape){
        .context = function->context, .block_count = function->block_count, .kept = kept};
    layout sizes = {NULL, 0};
    lay_out(shape, &sizes);
    layout l = {cns_context_alloc(shape->context, sizes.used, CNS_ALIGN_DEFAULT), 0};
    if (!l.memory) {
        return cns_context_memory_status(shape->context, sizes.used);
    }
    shape->memory = l.memory;
    shape->memory_size = sizes.used;
    lay_out(shape, &l);
    note_targets(shape, function);
    find_order(shape, function);
    find_predecessors(shape, function);
    find_dominators(shape);
    find_loops(shape, function);
    return CNS_OK;
}

void cns_ir_shape_deinit(cns_ir_shape *shape) {
    cns_ir_shape *kept = shape->kept;
    cns_ir_shape *old = kept && shape->memory ? kept : shape;
    cns_context_free(old->context, old->memory, old->memory_size, CNS_ALIGN_DEFAULT);
    if (old == kept) {
        *kept = *shape;
        kept->kept = NULL;
    }
    *shape = (cns_ir_shape){.context = shape->context};
}
