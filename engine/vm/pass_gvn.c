/* SPDX-License-Identifier: MIT
 *
 * pass_gvn.c - the same operation of the same values is computed once.
 *
 * Blocks are walked in reverse postorder; an operation stands for an equal one that it dominates
 * (Briggs, Cooper and Simpson, 1997, without the numbering of congruent loops). That goes for what
 * may trap as well: where the first did not, the second would not. Memory has a number that every
 * STORE and FORK changes, whatever buffer it is of, since buffers may overlap; a LOAD equals an
 * earlier one, or what a STORE of a whole element put there, under the same number.
 */
#include <string.h>

#include "vm/passes.h"
#include "vm/rewrite.h"

/* An operation that was met, or the LOAD of what a STORE put there. */
typedef struct entry {
    uint8_t op;
    uint8_t flags;
    cns_ir_value operands[CNS_IR_OPERANDS];
    int64_t immediate;
    uint32_t memory; /* of LOADs */
    cns_ir_value value;
    cns_ir_block_id block;
    uint32_t next; /* in its bucket; CNS_IR_NONE: the last */
} entry;

typedef struct numberer {
    cns_ir_function *f;
    cns_ir_shape shape;
    entry *entries; /* one an instruction at most */
    uint32_t entry_count;
    uint32_t *buckets;
    uint32_t mask;
    uint32_t *memory_out; /* block -> memory at its end; 0: not walked yet */
    uint8_t *writes;      /* loop -> something in it does */
    uint32_t memory;
    uint32_t memory_count;
    bool replaced; /* some value was */
} numberer;

/* ---- memory ---------------------------------------------------------------------------------- */

static bool writes(const numberer *n, cns_ir_value value) {
    return cns_ir_has((cns_ir_op)cns_ir_at(n->f, value)->op, 'W');
}

static void find_writing_loops(numberer *n) {
    for (cns_ir_block_id b = 0; b < n->f->block_count; b++) {
        bool any = false;
        for (cns_ir_value v = n->f->blocks[b].first; v != CNS_IR_NONE && !any;
             v = cns_ir_at(n->f, v)->next) {
            any = writes(n, v);
        }
        for (uint32_t l = any ? n->shape.loop_of[b] : CNS_IR_NONE; l != CNS_IR_NONE;
             l = n->shape.loops[l].parent) {
            n->writes[l] = true;
        }
    }
}

/* What all the ways to a block agree on, or a new number. The way back to the header of a loop
 * that writes nothing changes nothing. */
static uint32_t memory_in(numberer *n, cns_ir_block_id id) {
    const cns_ir_shape *s = &n->shape;
    uint32_t loop = s->loop_of[id], found = 0;
    bool is_header = loop != CNS_IR_NONE && s->loops[loop].header == id;
    for (uint32_t p = s->predecessor_begin[id]; p < s->predecessor_begin[id + 1]; p++) {
        cns_ir_block_id from = s->predecessors[p];
        if (is_header && !n->writes[loop] && cns_ir_loop_contains(s, loop, from)) {
            continue;
        }
        uint32_t out = n->memory_out[from];
        if (out == 0 || (found != 0 && found != out)) {
            return ++n->memory_count;
        }
        found = out;
    }
    return found != 0 ? found : ++n->memory_count;
}

/* ---- the table ------------------------------------------------------------------------------- */

static uint32_t bucket_of(const numberer *n, const entry *e) {
    uint64_t hash = e->op + ((uint64_t)e->memory << 32) + (uint64_t)e->immediate;
    for (int i = 0; i < CNS_IR_OPERANDS; i++) {
        hash = (hash ^ e->operands[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return (uint32_t)hash & n->mask;
}

static bool equals(const entry *a, const entry *b) {
    return a->op == b->op && a->flags == b->flags && a->immediate == b->immediate &&
           a->memory == b->memory && memcmp(a->operands, b->operands, sizeof a->operands) == 0;
}

static void enter(numberer *n, const entry *e) {
    uint32_t *bucket = &n->buckets[bucket_of(n, e)];
    n->entries[n->entry_count] = *e;
    n->entries[n->entry_count].next = *bucket;
    *bucket = n->entry_count++;
}

/* The value that `e` has on every way to its block; NONE where there is none. */
static cns_ir_value find(const numberer *n, const entry *e) {
    for (uint32_t i = n->buckets[bucket_of(n, e)]; i != CNS_IR_NONE; i = n->entries[i].next) {
        if (equals(&n->entries[i], e) &&
            cns_ir_dominates(&n->shape, n->entries[i].block, e->block)) {
            return n->entries[i].value;
        }
    }
    return CNS_IR_NONE;
}

/* ---- instructions ---------------------------------------------------------------------------- */

/* Operations that give the same for the same operands, and memory. */
static bool is_numbered(cns_ir_op op) {
    bool forks = op >= CNS_IR_FORK_PASS && op <= CNS_IR_FORK_GET_F64;
    return !forks && op != CNS_IR_NOP && op != CNS_IR_PARAM && op != CNS_IR_ARGUMENT &&
           !cns_ir_has(op, 'W');
}

static entry entry_of(const numberer *n, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(n->f, value);
    entry e = {.op = code->op, .value = value, .block = code->block};
    memset(e.operands, 0xff, sizeof e.operands);
    memcpy(e.operands, code->operands, code->operand_count * sizeof *e.operands);
    e.immediate = cns_ir_is_constant(code) ? code->i : 0;
    if (code->op == CNS_IR_LOAD) { /* whether it was checked is its own affair */
        e.memory = n->memory;
        return e;
    }
    e.flags = code->flags;
    if (cns_ir_has((cns_ir_op)code->op, 'C') && e.operands[0] > e.operands[1] &&
        cns_ir_at(n->f, e.operands[0])->type != CNS_VM_F64) { /* the order chooses among NaNs */
        e.operands[0] = code->operands[1];
        e.operands[1] = code->operands[0];
    }
    return e;
}

/* What a LOAD would find behind a STORE that converts nothing. */
static void enter_stored(numberer *n, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(n->f, value);
    const cns_ir_instruction *stored = cns_ir_at(n->f, code->operands[2]);
    cns_type type = cns_ir_element(cns_ir_at(n->f, code->operands[0])->type);
    if ((type == CNS_F64 && stored->type == CNS_VM_F64) ||
        (type == CNS_I64 && stored->type == CNS_VM_I64)) {
        entry e = {.op = CNS_IR_LOAD,
                   .operands = {code->operands[0], code->operands[1], CNS_IR_NONE, CNS_IR_NONE},
                   .memory = n->memory,
                   .value = code->operands[2],
                   .block = code->block};
        enter(n, &e);
    }
}

static void number(numberer *n, cns_ir_value value) {
    cns_ir_resolve_operands(n->f, value);
    if (writes(n, value)) {
        n->memory = ++n->memory_count;
        if (cns_ir_at(n->f, value)->op == CNS_IR_STORE) {
            enter_stored(n, value);
        }
        return;
    }
    if (!is_numbered((cns_ir_op)cns_ir_at(n->f, value)->op)) {
        return;
    }
    entry e = entry_of(n, value);
    cns_ir_value same = find(n, &e);
    if (same != CNS_IR_NONE) {
        cns_ir_replace(n->f, value, same);
        n->replaced = true;
    } else {
        enter(n, &e);
    }
}

/* ---- the pass -------------------------------------------------------------------------------- */

static cns_status number_blocks(numberer *n) {
    cns_ir_function *f = n->f;
    size_t buckets = 16;
    while (buckets < f->instruction_count) {
        buckets *= 2;
    }
    size_t size = f->instruction_count * sizeof *n->entries +
                  (buckets + f->block_count) * sizeof *n->buckets + n->shape.loop_count;
    n->entries = cns_context_calloc(f->context, size);
    if (!n->entries) {
        return cns_context_memory_status(f->context, size);
    }
    n->buckets = (uint32_t *)(n->entries + f->instruction_count);
    n->memory_out = n->buckets + buckets;
    n->writes = (uint8_t *)(n->memory_out + f->block_count);
    n->mask = (uint32_t)buckets - 1;
    memset(n->buckets, 0xff, buckets * sizeof *n->buckets);
    find_writing_loops(n);
    for (uint32_t i = 0; i < n->shape.order_count; i++) {
        cns_ir_block_id block = n->shape.order[i];
        cns_ir_value next;
        n->memory = memory_in(n, block);
        for (cns_ir_value v = f->blocks[block].first; v != CNS_IR_NONE; v = next) {
            next = cns_ir_at(f, v)->next;
            number(n, v);
        }
        n->memory_out[block] = n->memory;
    }
    cns_context_free(f->context, n->entries, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}

cns_status cns_pass_gvn(cns_ir_function *function) {
    numberer n = {.f = function};
    cns_status status = cns_ir_shape_init(&n.shape, function);
    if (status != CNS_OK) {
        return status;
    }
    status = number_blocks(&n);
    cns_ir_shape_deinit(&n.shape);
    if (status == CNS_OK && n.replaced) {
        cns_ir_settle(function);
    }
    return status;
}
