/* SPDX-License-Identifier: MIT
 *
 * code_registers.c - liveness and linear scan.
 *
 * Each value has one interval of positions, from its definition to its last use, stretched over
 * every block that it is alive at the border of. Values joined by an edge (argument and parameter)
 * are put into one class where their intervals do not meet; a class is then given the first
 * register that is free from its beginning to its end. There are registers enough: nothing is ever
 * spilled. Source: Poletto & Sarkar 1999; classes as in Wimmer & Franz 2010.
 */
#include "vm/code_registers.h"

#include <stdlib.h>
#include <string.h>

enum { BITS_LIMIT = 1 << 28 /* of all live sets together */ };

typedef struct interval {
    uint32_t begin;
    uint32_t end; /* begin == UINT32_MAX: never alive */
} interval;

typedef struct allocation {
    cns_code_plan *plan;
    const cns_ir_function *f;
    uint32_t words; /* of a live set */
    uint64_t *live; /* at the entry of each block */
    uint32_t *from; /* position of each block's parameters */
    uint32_t *to;   /* of its end */
    interval *own;  /* of each value */
    uint32_t *root; /* value -> its class, as in union-find without ranks */
    uint32_t *next; /* members of a class, in a ring */
} allocation;

static void *take(allocation *a, size_t size, cns_status *status) {
    void *memory = *status == CNS_OK ? cns_arena_alloc(a->plan->arena, size ? size : 1, 16) : NULL;
    if (memory) {
        memset(memory, 0, size);
    } else if (*status == CNS_OK) {
        *status = cns_context_memory_status(a->f->context, size);
    }
    return memory;
}

/* Arguments and constants have their registers for good. */
static bool is_floating(const allocation *a, cns_ir_value value) {
    return value != CNS_IR_NONE && a->plan->place[value] == CNS_REGISTER_NONE;
}

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : block->end == CNS_IR_END_NONE ? 0 : 1;
}

/* ---- liveness -------------------------------------------------------------------------------- */

typedef void (*visit_fn)(allocation *a, void *user, cns_ir_value value);

/* Every value that `value` needs where it is made, through what is folded into it. */
static void visit_operands(allocation *a, cns_ir_value value, visit_fn visit, void *user) {
    const cns_ir_instruction *code = cns_ir_at(a->f, value);
    for (uint32_t i = 0; i < code->operand_count; i++) {
        cns_ir_value operand = code->operands[i];
        if (a->plan->folded[operand]) {
            visit_operands(a, operand, visit, user);
        } else if (is_floating(a, operand)) {
            visit(a, user, operand);
        }
    }
}

static void visit_end(allocation *a, const cns_ir_block *block, visit_fn visit, void *user) {
    if (block->end == CNS_IR_BRANCH) {
        if (a->plan->folded[block->condition]) {
            visit_operands(a, block->condition, visit, user);
        } else if (is_floating(a, block->condition)) {
            visit(a, user, block->condition);
        }
    }
    for (uint32_t e = 0; e < edge_count(block); e++) {
        for (uint32_t i = 0; i < block->edges[e].count; i++) {
            if (is_floating(a, block->edges[e].arguments[i])) {
                visit(a, user, block->edges[e].arguments[i]);
            }
        }
    }
}

static void set_bit(allocation *a, void *set, cns_ir_value value) {
    (void)a;
    ((uint64_t *)set)[value / 64] |= UINT64_C(1) << (value % 64);
}

static void clear_bit(uint64_t *set, cns_ir_value value) {
    set[value / 64] &= ~(UINT64_C(1) << (value % 64));
}

static void join_successors(const allocation *a, const cns_ir_block *block, uint64_t *set) {
    for (uint32_t e = 0; e < (block->end == CNS_IR_RETURN ? 0 : edge_count(block)); e++) {
        const uint64_t *other = a->live + (size_t)block->edges[e].target * a->words;
        for (uint32_t w = 0; w < a->words; w++) {
            set[w] |= other[w];
        }
    }
}

/* One backward step; true when the block's set grew. */
static bool update_block(allocation *a, cns_ir_block_id id, uint64_t *set) {
    const cns_ir_block *block = &a->f->blocks[id];
    memset(set, 0, a->words * sizeof *set);
    join_successors(a, block, set);
    visit_end(a, block, set_bit, set);
    for (cns_ir_value v = block->last; v != CNS_IR_NONE; v = cns_ir_at(a->f, v)->previous) {
        clear_bit(set, v);
        if (!a->plan->folded[v]) {
            visit_operands(a, v, set_bit, set);
        }
    }
    for (uint32_t p = 0; p < block->parameter_count; p++) {
        clear_bit(set, block->parameters[p]);
    }
    uint64_t *own = a->live + (size_t)id * a->words;
    bool grew = memcmp(own, set, a->words * sizeof *set) != 0;
    memcpy(own, set, a->words * sizeof *set);
    return grew;
}

static cns_status find_live(allocation *a) {
    cns_status status = CNS_OK;
    uint64_t *set = take(a, a->words * sizeof *set, &status);
    for (bool again = status == CNS_OK; again;) {
        again = false;
        for (cns_ir_block_id id = a->f->block_count; id-- > 0;) {
            again |= update_block(a, id, set);
        }
    }
    return status;
}

/* ---- intervals ------------------------------------------------------------------------------- */

static void stretch(allocation *a, cns_ir_value value, uint32_t position) {
    interval *own = &a->own[value];
    own->begin = position < own->begin ? position : own->begin;
    own->end = position > own->end ? position : own->end;
}

static void use_at(allocation *a, void *position, cns_ir_value value) {
    stretch(a, value, *(uint32_t *)position);
}

static void stretch_set(allocation *a, const uint64_t *set, uint32_t position) {
    for (uint32_t w = 0; w < a->words; w++) {
        for (uint64_t bits = set[w]; bits; bits &= bits - 1) {
            stretch(a, w * 64 + (uint32_t)__builtin_ctzll(bits), position);
        }
    }
}

/* A value's definition is one position behind its operands' use, so that both may share. */
static void find_intervals(allocation *a, uint64_t *set) {
    uint32_t position = 0;
    for (cns_ir_block_id id = 0; id < a->f->block_count; id++) {
        const cns_ir_block *block = &a->f->blocks[id];
        a->from[id] = position;
        stretch_set(a, a->live + (size_t)id * a->words, position);
        for (uint32_t p = 0; p < block->parameter_count; p++) {
            stretch(a, block->parameters[p], position);
        }
        position += 2;
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(a->f, v)->next) {
            if (!a->plan->folded[v]) {
                visit_operands(a, v, use_at, &position);
                if (is_floating(a, v)) {
                    stretch(a, v, position + 1);
                }
                position += 2;
            }
        }
        a->to[id] = position;
        visit_end(a, block, use_at, &position);
        memset(set, 0, a->words * sizeof *set);
        join_successors(a, block, set);
        stretch_set(a, set, position + 1); /* alive beyond the moves of the edges */
        position += 2;
    }
}

/* ---- classes --------------------------------------------------------------------------------- */

static uint32_t find_root(const allocation *a, uint32_t value) {
    while (a->root[value] != value) {
        value = a->root[value];
    }
    return value;
}

static bool meet(const interval *x, const interval *y) {
    return x->begin <= y->end && y->begin <= x->end;
}

/* Whether any two members of the classes are alive at once. The rings are short. */
static bool classes_meet(const allocation *a, uint32_t x, uint32_t y) {
    uint32_t i = x;
    do {
        uint32_t j = y;
        do {
            if (meet(&a->own[i], &a->own[j])) {
                return true;
            }
            j = a->next[j];
        } while (j != y);
        i = a->next[i];
    } while (i != x);
    return false;
}

/* An argument dies in the move to its parameter when the edge's end is its last use; the
 * parameter of a later block begins behind that, the one of a loop's header long before. */
static void try_join(allocation *a, cns_ir_value argument, cns_ir_value parameter) {
    if (!is_floating(a, argument) || !is_floating(a, parameter)) {
        return;
    }
    uint32_t x = find_root(a, argument), y = find_root(a, parameter);
    if (x == y || classes_meet(a, x, y)) {
        return;
    }
    a->root[x] = y;
    uint32_t after = a->next[x];
    a->next[x] = a->next[y];
    a->next[y] = after;
}

/* Edges back first: they are the ones that run often. */
static void join_edges(allocation *a, bool back) {
    for (cns_ir_block_id id = a->f->block_count; id-- > 0;) {
        const cns_ir_block *block = &a->f->blocks[id];
        for (uint32_t e = 0; e < (block->end == CNS_IR_RETURN ? 0 : edge_count(block)); e++) {
            const cns_ir_edge *edge = &block->edges[e];
            if ((edge->target <= id) != back) {
                continue;
            }
            for (uint32_t i = 0; i < edge->count; i++) {
                try_join(a, edge->arguments[i], a->f->blocks[edge->target].parameters[i]);
            }
        }
    }
}

/* ---- linear scan ----------------------------------------------------------------------------- */

typedef struct span {
    interval whole;
    uint32_t root;
} span;

static int by_begin(const void *left, const void *right) {
    const span *x = left, *y = right;
    if (x->whole.begin != y->whole.begin) {
        return x->whole.begin < y->whole.begin ? -1 : 1;
    }
    return (x->root > y->root) - (x->root < y->root);
}

static uint32_t gather(const allocation *a, span *spans) {
    uint32_t count = 0;
    for (uint32_t v = 0; v < a->f->instruction_count; v++) {
        if (!is_floating(a, v) || a->own[v].begin == UINT32_MAX || find_root(a, v) != v) {
            continue;
        }
        span *s = &spans[count++];
        *s = (span){a->own[v], v};
        for (uint32_t m = a->next[v]; m != v; m = a->next[m]) {
            s->whole.begin = a->own[m].begin < s->whole.begin ? a->own[m].begin : s->whole.begin;
            s->whole.end = a->own[m].end > s->whole.end && a->own[m].begin != UINT32_MAX
                               ? a->own[m].end
                               : s->whole.end;
        }
    }
    return count;
}

static cns_status scan(allocation *a) {
    cns_status status = CNS_OK;
    span *spans = take(a, a->f->instruction_count * sizeof *spans, &status);
    uint32_t *busy = take(a, a->f->instruction_count * sizeof *busy,
                          &status); /* register -> end of its last span */
    uint16_t *given = take(a, a->f->instruction_count * sizeof *given, &status);
    if (status != CNS_OK) {
        return status;
    }
    uint32_t count = gather(a, spans);
    qsort(spans, count, sizeof *spans, by_begin);
    uint32_t used = 0;
    for (uint32_t s = 0; s < count; s++) {
        uint32_t r = 0;
        while (r < used && busy[r] >= spans[s].whole.begin) {
            r++;
        }
        if (a->plan->first + r >= CNS_REGISTER_NONE) {
            return cns_fail(a->f->context, CNS_E_LIMIT,
                            "kernel %s: too many values are alive at once", a->f->name);
        }
        used = r == used ? used + 1 : used;
        busy[r] = spans[s].whole.end;
        given[spans[s].root] = (uint16_t)(a->plan->first + r);
    }
    for (uint32_t v = 0; v < a->f->instruction_count; v++) {
        if (is_floating(a, v) && a->own[v].begin != UINT32_MAX) {
            given[v] = given[find_root(a, v)];
        }
    }
    for (uint32_t v = 0; v < a->f->instruction_count; v++) {
        if (is_floating(a, v) && a->own[v].begin != UINT32_MAX) {
            a->plan->place[v] = given[v];
        }
    }
    a->plan->end = a->plan->first + used;
    return CNS_OK;
}

/* ---- the whole ------------------------------------------------------------------------------- */

cns_status cns_code_assign(cns_code_plan *plan) {
    const cns_ir_function *f = plan->function;
    allocation a = {.plan = plan, .f = f, .words = (f->instruction_count + 63) / 64};
    if ((uint64_t)a.words * 64 * f->block_count > BITS_LIMIT) {
        return cns_fail(f->context, CNS_E_LIMIT, "kernel %s: the code gets too large", f->name);
    }
    cns_status status = CNS_OK;
    a.live = take(&a, (size_t)f->block_count * a.words * sizeof *a.live, &status);
    a.from = take(&a, f->block_count * sizeof *a.from, &status);
    a.to = take(&a, f->block_count * sizeof *a.to, &status);
    a.own = take(&a, f->instruction_count * sizeof *a.own, &status);
    a.root = take(&a, f->instruction_count * sizeof *a.root, &status);
    a.next = take(&a, f->instruction_count * sizeof *a.next, &status);
    uint64_t *set = take(&a, a.words * sizeof *set, &status);
    if (status == CNS_OK) {
        status = find_live(&a);
    }
    if (status != CNS_OK) {
        return status;
    }
    for (uint32_t v = 0; v < f->instruction_count; v++) {
        a.own[v] = (interval){UINT32_MAX, 0};
        a.root[v] = a.next[v] = v;
    }
    find_intervals(&a, set);
    join_edges(&a, true);
    join_edges(&a, false);
    return scan(&a);
}
