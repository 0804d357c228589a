/* SPDX-License-Identifier: MIT
 *
 * pass_parallel.c - loops over cns.prange become forks.
 *
 * The loop's blocks are copied into a function of their own, the body, which runs any stretch of
 * the iterations; in their place stands a block that passes the values the body uses, forks, and
 * combines each accumulator's result with what it was before, once. Only what a body can be run
 * with in any order is taken: what else an iteration hands on is a race, and refused by name.
 * A loop inside a body stays a loop.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vm/passes.h"
#include "vm/reduction.h"

enum {
    COST_LIMIT = 1 << 20,
    ROUNDING_COST = 32 /* of an iteration whose sums are rounded */
};

typedef struct outliner {
    cns_ir_function *f;
    cns_ir_shape shape;
    uint32_t loop;
    cns_ir_for counted;
    cns_ir_block_id latch;
    cns_ir_block_id entry; /* the block that enters, and its edge */
    uint32_t entry_edge;
    cns_carried carried[CNS_IR_ACCUMULATORS];
    uint32_t carried_count;
    uint32_t *marks;      /* value -> its reduction, 1 + place in carried; then scratch */
    cns_ir_value *copies; /* value -> what it is in the body; NONE */
    cns_ir_value *map;    /* value -> what the code behind the loop uses for it */
    cns_ir_block_id *blocks;
    cns_ir_function *body;
    cns_ir_value passed[CNS_IR_FORK_SLOTS];
    uint32_t passed_count;
    void *memory;
    size_t size;
} outliner;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        cns_status try_ = (call);                                                                  \
        if (try_ != CNS_OK) {                                                                      \
            return try_;                                                                           \
        }                                                                                          \
    } while (0)

static bool is_inside(const outliner *o, cns_ir_block_id block) {
    return cns_ir_loop_contains(&o->shape, o->loop, block);
}

static const cns_ir_block *header_of(const outliner *o) {
    return &o->f->blocks[o->shape.loops[o->loop].header];
}

static uint32_t edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_BRANCH ? 2 : 1; /* a RETURN's results are its edge's */
}

/* ---- refusing -------------------------------------------------------------------------------- */

static const char run_to_end[] =
    "a loop over cns.prange must run to its end: without break, return and goto, and without a "
    "variable that changes its type in it (write 0.0 where a sum of floats begins)";

static cns_status refuse(const outliner *o, uint32_t site, const char *format, ...)
    CNS_PRINTF(3, 4);

static cns_status refuse(const outliner *o, uint32_t site, const char *format, ...) {
    const cns_ir_function *f = o->f;
    bool known = site != CNS_IR_NONE;
    char text[320];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return cns_fail(f->context, CNS_E_UNSUPPORTED, "%s:%u: %s", known ? f->sites[site].source : "?",
                    known ? f->sites[site].line : 0, text);
}

/* The variable that a parameter of a block is; NULL when it has no name. */
static const char *name_of(const outliner *o, cns_ir_value parameter) {
    const cns_ir_instruction *code = cns_ir_at(o->f, parameter);
    return code->op == CNS_IR_PARAM && code->name ? o->f->names[code->name - 1] : NULL;
}

static uint32_t loop_site(const outliner *o) {
    uint32_t site = o->f->blocks[o->latch != CNS_IR_NONE ? o->latch : 0].site;
    return site != CNS_IR_NONE ? site : header_of(o)->site;
}

static cns_status refuse_carried(const outliner *o, cns_ir_value parameter) {
    const char *name = name_of(o, parameter);
    if (name && name[0] == '(') { /* the loop's own count: there is one loop for each type */
        return refuse(o, loop_site(o), "%s", run_to_end);
    }
    return refuse(o, loop_site(o),
                  "%s%s%s is carried from one iteration of cns.prange to the next; only sums, "
                  "products, least and greatest values, and &, | and ~ can be",
                  name ? "variable '" : "a variable", name ? name : "", name ? "'" : "");
}

static cns_status refuse_last(const outliner *o, const char *name) {
    return refuse(o, loop_site(o),
                  "%s%s%s keeps its value from the last iteration of cns.prange, which iterations "
                  "that run at once do not have; store it in a buffer, or use a plain for",
                  name ? "variable '" : "a variable", name ? name : "", name ? "'" : "");
}

/* "of 'x'" for a store into argument x; the caller's text. */
static const char *stored_into(const outliner *o, const cns_ir_instruction *store, char *text,
                               size_t capacity) {
    for (uint32_t i = 0; i < o->f->argument_count; i++) {
        if (o->f->arguments[i] == store->operands[0]) {
            snprintf(text, capacity, " of '%s'", o->f->argument_names[i]);
            return text;
        }
    }
    return "";
}

/* ---- looking at the loop --------------------------------------------------------------------- */

static void find_entry(outliner *o) {
    cns_ir_block_id header = o->shape.loops[o->loop].header;
    for (uint32_t p = o->shape.predecessor_begin[header];
         p < o->shape.predecessor_begin[header + 1]; p++) {
        cns_ir_block_id from = o->shape.predecessors[p];
        if (!is_inside(o, from)) {
            o->entry = from;
            o->entry_edge = o->f->blocks[from].edges[0].target == header ? 0 : 1;
        }
    }
}

static cns_status match_loop(outliner *o) {
    o->latch = o->shape.loops[o->loop].latch;
    if (!cns_ir_for_match(o->f, &o->shape, o->loop, &o->counted)) {
        return refuse(o, header_of(o)->site, "%s", run_to_end);
    }
    find_entry(o);
    return CNS_OK;
}

/* What the header's parameters are, other than the count and the index. */
static cns_status classify(outliner *o) {
    const cns_ir_block *header = header_of(o);
    const cns_ir_edge *back = &o->f->blocks[o->latch].edges[1];
    for (uint32_t p = 0; p < header->parameter_count; p++) {
        cns_ir_value parameter = header->parameters[p];
        if (parameter == o->counted.remaining || parameter == o->counted.index) {
            continue;
        }
        if (back->arguments[p] == parameter) { /* never changes */
            o->map[parameter] = o->f->blocks[o->entry].edges[o->entry_edge].arguments[p];
            continue;
        }
        uint8_t type = cns_ir_at(o->f, parameter)->type;
        cns_carried *carried = &o->carried[o->carried_count];
        if (o->carried_count == CNS_IR_ACCUMULATORS || type == CNS_VM_BOOL) {
            return refuse_carried(o, parameter);
        }
        *carried = (cns_carried){.parameter = parameter, .last = back->arguments[p]};
        if (!cns_reduction_match(o->f, &o->shape, o->loop, ++o->carried_count, o->marks, carried)) {
            return refuse_carried(o, parameter);
        }
    }
    return CNS_OK;
}

/* Whether `value`, used behind the loop, is there without the loop's blocks. */
static bool is_there(const outliner *o, cns_ir_value value) {
    if (value == CNS_IR_NONE || !is_inside(o, cns_ir_at(o->f, value)->block)) {
        return true;
    }
    for (uint32_t c = 0; c < o->carried_count; c++) {
        if (value == o->carried[c].last) {
            return true;
        }
    }
    return o->map[value] != value;
}

static cns_status check_behind(const outliner *o) {
    const cns_ir_function *f = o->f;
    for (cns_ir_value v = 0; v < f->instruction_count; v++) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        for (uint32_t i = 0; i < code->operand_count; i++) {
            if (code->block != CNS_IR_NONE && !is_inside(o, code->block) &&
                !is_there(o, code->operands[i])) {
                return refuse_last(o, NULL);
            }
        }
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        const cns_ir_block *block = &f->blocks[b];
        for (uint32_t e = 0; e < edge_count(block); e++) {
            bool leaves = block->end == CNS_IR_RETURN || !is_inside(o, block->edges[e].target);
            for (uint32_t i = 0; i < block->edges[e].count && leaves; i++) {
                if (!is_there(o, block->edges[e].arguments[i])) {
                    return refuse_last(
                        o, block->end == CNS_IR_RETURN
                               ? NULL
                               : name_of(o, f->blocks[block->edges[e].target].parameters[i]));
                }
            }
        }
        if (!is_inside(o, b) && !is_there(o, block->condition)) {
            return refuse_last(o, NULL);
        }
    }
    return CNS_OK;
}

/* Marks what depends on the loop's index. */
static void find_dependent(outliner *o) {
    const cns_ir_function *f = o->f;
    memset(o->marks, 0, f->instruction_count * sizeof *o->marks);
    if (o->counted.index != CNS_IR_NONE) {
        o->marks[o->counted.index] = 1;
    }
    for (bool again = true; again;) {
        again = false;
        for (cns_ir_value v = 0; v < f->instruction_count; v++) {
            const cns_ir_instruction *code = cns_ir_at(f, v);
            for (uint32_t i = 0; i < code->operand_count && !o->marks[v]; i++) {
                o->marks[v] = o->marks[code->operands[i]];
                again |= o->marks[v] != 0;
            }
        }
        for (uint32_t b = 0; b < f->block_count; b++) {
            const cns_ir_block *block = &f->blocks[b];
            for (uint32_t e = 0; e < edge_count(block) && block->end != CNS_IR_RETURN; e++) {
                const cns_ir_edge *edge = &block->edges[e];
                for (uint32_t i = 0; i < edge->count; i++) {
                    uint32_t *mark = &o->marks[f->blocks[edge->target].parameters[i]];
                    again |= !*mark && o->marks[edge->arguments[i]];
                    *mark |= o->marks[edge->arguments[i]];
                }
            }
        }
    }
}

/* A store whose place does not depend on the index is made by every iteration. */
static cns_status check_stores(outliner *o) {
    const cns_ir_function *f = o->f;
    find_dependent(o);
    for (cns_ir_value v = 0; v < f->instruction_count; v++) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        if (code->op == CNS_IR_STORE && code->block != CNS_IR_NONE && is_inside(o, code->block) &&
            !o->marks[code->operands[1]]) {
            char into[80];
            return refuse(o, code->site,
                          "every iteration of cns.prange stores to the same element%s: the index "
                          "does not depend on the loop's; sum up in a variable instead",
                          stored_into(o, code, into, sizeof into));
        }
    }
    return CNS_OK;
}

/* Where the loop is cut decides how a float sum is rounded: that must not depend on how well the
 * iteration was optimised. */
static bool sums_floats(const outliner *o) {
    bool any = false;
    for (uint32_t c = 0; c < o->carried_count; c++) {
        any |= o->carried[c].reduction == CNS_REDUCE_SUM_F64 ||
               o->carried[c].reduction == CNS_REDUCE_PRODUCT_F64;
    }
    return any;
}

static uint32_t cost_of(const outliner *o) {
    if (sums_floats(o)) {
        return ROUNDING_COST;
    }
    uint32_t depth = o->shape.loops[o->loop].depth;
    uint64_t cost = 1;
    for (uint32_t b = 0; b < o->shape.block_count; b++) { /* the fork's own block is not in it */
        if (!is_inside(o, b)) {
            continue;
        }
        uint32_t deeper = o->shape.loops[o->shape.loop_of[b]].depth - depth;
        uint64_t times = 1u << (deeper < 4 ? 4 * deeper : 16); /* an inner loop: some 16 trips */
        for (cns_ir_value v = o->f->blocks[b].first; v != CNS_IR_NONE;
             v = cns_ir_at(o->f, v)->next) {
            cost += times;
        }
    }
    return (uint32_t)(cost < COST_LIMIT ? cost : COST_LIMIT);
}

/* ---- the body -------------------------------------------------------------------------------- */

static cns_status copy_constant(outliner *o, const cns_ir_instruction *code, cns_ir_value *out) {
    switch (code->op) {
    case CNS_IR_CONST_BOOL:
        return cns_ir_add_bool(o->body, code->i != 0, out);
    case CNS_IR_CONST_I64:
        return cns_ir_add_i64(o->body, code->i, out);
    default:
        return cns_ir_add_f64(o->body, code->f, out);
    }
}

/* A value from outside that the body uses: a constant of its own, or one more argument. */
static cns_status need(outliner *o, cns_ir_value value) {
    if (value == CNS_IR_NONE || is_inside(o, cns_ir_at(o->f, value)->block)) {
        value = value == CNS_IR_NONE ? value : o->map[value]; /* what never changes */
        if (value == CNS_IR_NONE || is_inside(o, cns_ir_at(o->f, value)->block)) {
            return CNS_OK;
        }
    }
    const cns_ir_instruction *code = cns_ir_at(o->f, value);
    if (o->copies[value] != CNS_IR_NONE) {
        return CNS_OK;
    }
    if (code->op >= CNS_IR_CONST_BOOL && code->op <= CNS_IR_CONST_F64) {
        return copy_constant(o, code, &o->copies[value]);
    }
    if (o->passed_count + 2 == CNS_IR_FORK_SLOTS) {
        return refuse(o, loop_site(o),
                      "a loop over cns.prange uses too many values from outside; "
                      "make it smaller, or two of it");
    }
    const char *name = code->op == CNS_IR_ARGUMENT ? o->f->argument_names[code->index] : "outer";
    o->passed[o->passed_count++] = value;
    return cns_ir_add_argument(o->body, code->type, name, &o->copies[value]);
}

/* Sites and names keep their numbers; their texts stay the function's own, which lives longer. */
static cns_status share_tables(outliner *o) {
    cns_ir_function *body = o->body;
    const cns_ir_function *f = o->f;
    body->sites = cns_ir_alloc(body, f->site_count * sizeof *f->sites);
    body->names = cns_ir_alloc(body, f->name_count * sizeof *f->names);
    if (!body->sites || !body->names) {
        return cns_context_memory_status(f->context, f->site_count * sizeof *f->sites);
    }
    if (f->site_count > 0) {
        memcpy(body->sites, f->sites, f->site_count * sizeof *f->sites);
    }
    if (f->name_count > 0) {
        memcpy(body->names, f->names, f->name_count * sizeof *f->names);
    }
    body->site_count = body->site_capacity = f->site_count;
    body->name_count = body->name_capacity = f->name_count;
    return CNS_OK;
}

/* All that the loop's blocks use and do not have. */
static cns_status find_passed(outliner *o) {
    const cns_ir_function *f = o->f;
    for (uint32_t i = 0; i < o->shape.order_count; i++) {
        const cns_ir_block *block = &f->blocks[o->shape.order[i]];
        if (!is_inside(o, o->shape.order[i])) {
            continue;
        }
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
            for (uint32_t k = 0; k < cns_ir_at(f, v)->operand_count; k++) {
                TRY(need(o, cns_ir_at(f, v)->operands[k]));
            }
        }
        TRY(need(o, block->condition));
        for (uint32_t e = 0; e < edge_count(block); e++) {
            for (uint32_t k = 0; k < block->edges[e].count; k++) {
                TRY(need(o, block->edges[e].arguments[k]));
            }
        }
    }
    return CNS_OK;
}

static cns_ir_value copy_of(const outliner *o, cns_ir_value value) {
    return o->copies[o->map[value]];
}

/* Blocks and their parameters, but for those of the header that never change. */
static cns_status copy_frames(outliner *o) {
    for (uint32_t i = 0; i < o->shape.order_count; i++) {
        cns_ir_block_id id = o->shape.order[i];
        if (!is_inside(o, id)) {
            continue;
        }
        TRY(cns_ir_add_block(o->body, &o->blocks[id]));
        const cns_ir_block *block = &o->f->blocks[id];
        for (uint32_t p = 0; p < block->parameter_count; p++) {
            cns_ir_value parameter = block->parameters[p];
            if (o->map[parameter] != parameter) {
                continue;
            }
            const cns_ir_instruction *code = cns_ir_at(o->f, parameter);
            TRY(cns_ir_add_parameter(o->body, o->blocks[id], code->type, &o->copies[parameter]));
            o->body->instructions[o->copies[parameter]].name = code->name;
        }
    }
    return CNS_OK;
}

static cns_status copy_code(outliner *o, cns_ir_block_id id) {
    for (cns_ir_value v = o->f->blocks[id].first; v != CNS_IR_NONE; v = cns_ir_at(o->f, v)->next) {
        const cns_ir_instruction *code = cns_ir_at(o->f, v);
        cns_ir_value operands[CNS_IR_OPERANDS];
        for (uint32_t i = 0; i < code->operand_count; i++) {
            operands[i] = copy_of(o, code->operands[i]);
        }
        TRY(cns_ir_add(o->body, o->blocks[id], (cns_ir_op)code->op, code->site, operands,
                       &o->copies[v]));
        o->body->instructions[o->copies[v]].flags = code->flags;
    }
    return CNS_OK;
}

/* The arguments of an edge inside the loop, without those of the header that never change. */
static cns_status copy_arguments(outliner *o, cns_ir_block_id id, uint32_t e) {
    const cns_ir_edge *edge = &o->f->blocks[id].edges[e];
    const cns_ir_block *target = &o->f->blocks[edge->target];
    cns_ir_value *arguments = cns_ir_alloc(o->body, edge->count * sizeof *arguments);
    if (!arguments) {
        return cns_context_memory_status(o->f->context, edge->count * sizeof *arguments);
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < edge->count; i++) {
        if (o->map[target->parameters[i]] == target->parameters[i]) {
            arguments[count++] = copy_of(o, edge->arguments[i]);
        }
    }
    return cns_ir_set_arguments(o->body, o->blocks[id], e, arguments, count);
}

static cns_status copy_end(outliner *o, cns_ir_block_id id, cns_ir_block_id done) {
    const cns_ir_block *block = &o->f->blocks[id];
    cns_ir_block_id yes = id == o->latch ? done : o->blocks[block->edges[0].target];
    if (block->end == CNS_IR_JUMP) {
        TRY(cns_ir_end_jump(o->body, o->blocks[id], block->site, yes, NULL, 0));
        return copy_arguments(o, id, 0);
    }
    TRY(cns_ir_end_branch(o->body, o->blocks[id], block->site, copy_of(o, block->condition), yes,
                          o->blocks[block->edges[1].target]));
    if (id != o->latch) {
        TRY(copy_arguments(o, id, 0));
    }
    return copy_arguments(o, id, 1);
}

static cns_status add_identity(outliner *o, const cns_carried *carried, cns_ir_value *out) {
    uint64_t bits = cns_reduction_identity(carried->reduction);
    double real;
    memcpy(&real, &bits, sizeof real);
    return cns_reduction_is_f64(carried->reduction) ? cns_ir_add_f64(o->body, real, out)
                                                    : cns_ir_add_i64(o->body, (int64_t)bits, out);
}

/* The trips once more as FOR_COUNT gives them, from which optimisers see that the index does not
 * wrap: the loop that was outlined did not. */
static cns_status count_trips(outliner *o, cns_ir_value first, cns_ir_value *remaining) {
    if (o->counted.index == CNS_IR_NONE) {
        return CNS_OK;
    }
    cns_ir_value step = copy_of(o, o->counted.step), distance, limit;
    uint32_t site = header_of(o)->site;
    TRY(cns_ir_add(o->body, 0, CNS_IR_MUL_I64, site, (cns_ir_value[]){*remaining, step},
                   &distance));
    TRY(cns_ir_add(o->body, 0, CNS_IR_ADD_I64, site, (cns_ir_value[]){first, distance}, &limit));
    return cns_ir_add(o->body, 0, CNS_IR_FOR_COUNT, site, (cns_ir_value[]){first, limit, step},
                      remaining);
}

/* Enters the copy of the loop from the body's start. */
static cns_status enter_body(outliner *o, cns_ir_value first, cns_ir_value remaining) {
    TRY(count_trips(o, first, &remaining));
    const cns_ir_block *header = header_of(o);
    cns_ir_value start[CNS_IR_ACCUMULATORS + 2];
    uint32_t count = 0;
    for (uint32_t p = 0; p < header->parameter_count; p++) {
        cns_ir_value parameter = header->parameters[p];
        if (o->map[parameter] != parameter) {
            continue;
        }
        if (parameter == o->counted.remaining || parameter == o->counted.index) {
            start[count++] = parameter == o->counted.index ? first : remaining;
            continue;
        }
        for (uint32_t c = 0; c < o->carried_count; c++) {
            if (parameter == o->carried[c].parameter) {
                TRY(add_identity(o, &o->carried[c], &start[count++]));
            }
        }
    }
    return cns_ir_end_jump(o->body, 0, header->site, o->blocks[o->shape.loops[o->loop].header],
                           start, count);
}

static cns_status build_body(outliner *o) {
    cns_ir_value first, remaining, results[CNS_IR_ACCUMULATORS];
    cns_ir_block_id done;
    TRY(cns_ir_create(o->f->context, o->f->name, &o->body));
    TRY(share_tables(o));
    TRY(cns_ir_add_argument(o->body, CNS_VM_I64, "first", &first));
    TRY(cns_ir_add_argument(o->body, CNS_VM_I64, "remaining", &remaining));
    TRY(find_passed(o));
    TRY(copy_frames(o));
    TRY(cns_ir_add_block(o->body, &done));
    for (uint32_t i = 0; i < o->shape.order_count; i++) {
        if (is_inside(o, o->shape.order[i])) {
            TRY(copy_code(o, o->shape.order[i]));
        }
    }
    for (uint32_t i = 0; i < o->shape.order_count; i++) {
        if (is_inside(o, o->shape.order[i])) {
            TRY(copy_end(o, o->shape.order[i], done));
        }
    }
    for (uint32_t c = 0; c < o->carried_count; c++) {
        results[c] = copy_of(o, o->carried[c].last);
    }
    TRY(cns_ir_end_return(o->body, done, loop_site(o), results, o->carried_count));
    return enter_body(o, first, remaining);
}

/* ---- the fork -------------------------------------------------------------------------------- */

static cns_status add_forking(outliner *o, cns_ir_block_id block, cns_ir_op op, uint32_t index,
                              const cns_ir_value *operands, cns_ir_value *out) {
    TRY(cns_ir_add(o->f, block, op, loop_site(o), operands, out));
    o->f->instructions[*out].index = index;
    return CNS_OK;
}

/* before (+) result, in the operation that the loop used. */
static cns_status add_combination(outliner *o, cns_ir_block_id block, uint8_t reduction,
                                  cns_ir_value before, cns_ir_value result, cns_ir_value *out) {
    static const cns_ir_op operations[] = {CNS_IR_ADD_I64, CNS_IR_MUL_I64, CNS_IR_AND_I64,
                                           CNS_IR_OR_I64,  CNS_IR_XOR_I64, CNS_IR_ADD_F64,
                                           CNS_IR_MUL_F64};
    uint32_t site = loop_site(o);
    if (!(reduction & CNS_REDUCE_CHOICE)) {
        return cns_ir_add(o->f, block, operations[reduction], site,
                          (cns_ir_value[]){before, result}, out);
    }
    bool f64 = reduction & CNS_REDUCE_F64, le = reduction & CNS_REDUCE_LE;
    bool new_first = reduction & CNS_REDUCE_NEW_FIRST, new_wins = reduction & CNS_REDUCE_NEW_WINS;
    cns_ir_op compare =
        f64 ? (le ? CNS_IR_LE_F64 : CNS_IR_LT_F64) : (le ? CNS_IR_LE_I64 : CNS_IR_LT_I64);
    cns_ir_value less;
    TRY(cns_ir_add(o->f, block, compare, site,
                   (cns_ir_value[]){new_first ? result : before, new_first ? before : result},
                   &less));
    return cns_ir_add(
        o->f, block, f64 ? CNS_IR_SELECT_F64 : CNS_IR_SELECT_I64, site,
        (cns_ir_value[]){less, new_wins ? result : before, new_wins ? before : result}, out);
}

static cns_status add_fork(outliner *o, cns_ir_block_id block) {
    cns_ir_fork fork = {.slot_count = o->passed_count + 2,
                        .cost = cost_of(o),
                        .accumulator_count = o->carried_count};
    for (uint32_t c = 0; c < o->carried_count; c++) {
        fork.reductions[c] = o->carried[c].reduction;
    }
    cns_ir_function *body = o->body;
    uint32_t index;
    o->body = NULL; /* taken over */
    TRY(cns_ir_add_body(o->f, body, &fork, &index));
    cns_ir_value none;
    for (uint32_t i = 0; i < o->passed_count; i++) {
        TRY(add_forking(o, block, CNS_IR_FORK_PASS, i + 2, &o->passed[i], &none));
    }
    cns_ir_value zero;
    TRY(cns_ir_add_i64(o->f, 0, &zero));
    bool indexed = o->counted.index != CNS_IR_NONE;
    cns_ir_value range[] = {indexed ? o->counted.initial_index : zero, o->counted.initial_remaining,
                            indexed ? o->counted.step : zero};
    return add_forking(o, block, CNS_IR_FORK, index, range, &none);
}

/* What stands in the loop's place. */
static cns_status replace_loop(outliner *o) {
    cns_ir_block_id block;
    TRY(cns_ir_add_block(o->f, &block));
    TRY(add_fork(o, block));
    for (uint32_t c = 0; c < o->carried_count; c++) {
        const cns_carried *carried = &o->carried[c];
        cns_ir_value result, before = o->f->blocks[o->entry]
                                          .edges[o->entry_edge]
                                          .arguments[cns_ir_at(o->f, carried->parameter)->index];
        TRY(add_forking(o, block,
                        cns_reduction_is_f64(carried->reduction) ? CNS_IR_FORK_GET_F64
                                                                 : CNS_IR_FORK_GET_I64,
                        c, (cns_ir_value[]){CNS_IR_NONE}, &result));
        TRY(add_combination(o, block, carried->reduction, before, result, &o->map[carried->last]));
    }
    const cns_ir_edge *exit = &o->f->blocks[o->latch].edges[0];
    TRY(cns_ir_end_jump(o->f, block, loop_site(o), exit->target, exit->arguments, exit->count));
    o->f->blocks[o->entry].edges[o->entry_edge].target = block;
    o->f->blocks[o->entry].edges[o->entry_edge].count = 0;
    return CNS_OK;
}

/* The map covers the values that were there before; the block of the fork has newer ones. */
static void use_results(outliner *o, uint32_t count) {
    cns_ir_function *f = o->f;
    for (uint32_t b = 0; b < f->block_count; b++) {
        cns_ir_block *block = &f->blocks[b];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_ir_at(f, v)->next) {
            cns_ir_instruction *code = &f->instructions[v];
            for (uint32_t i = 0; i < code->operand_count; i++) {
                cns_ir_value *operand = &code->operands[i];
                *operand = *operand < count ? o->map[*operand] : *operand;
            }
        }
        if (block->condition != CNS_IR_NONE && block->condition < count) {
            block->condition = o->map[block->condition];
        }
        for (uint32_t e = 0; e < edge_count(block); e++) {
            for (uint32_t i = 0; i < block->edges[e].count; i++) {
                cns_ir_value *argument = &block->edges[e].arguments[i];
                *argument = *argument < count ? o->map[*argument] : *argument;
            }
        }
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static cns_status allocate(outliner *o) {
    size_t values = o->f->instruction_count, blocks = o->f->block_count;
    o->size = (3 * values + blocks) * sizeof(uint32_t);
    o->memory = cns_context_calloc(o->f->context, o->size);
    if (!o->memory) {
        return cns_context_memory_status(o->f->context, o->size);
    }
    o->marks = o->memory;
    o->copies = o->marks + values;
    o->map = o->copies + values;
    o->blocks = o->map + values;
    memset(o->copies, 0xff, values * sizeof *o->copies);
    for (uint32_t v = 0; v < values; v++) {
        o->map[v] = v;
    }
    return CNS_OK;
}

static cns_status outline(outliner *o) {
    uint32_t count = o->f->instruction_count;
    TRY(allocate(o));
    TRY(match_loop(o));
    TRY(classify(o));
    TRY(check_behind(o));
    TRY(check_stores(o));
    TRY(build_body(o));
    uint32_t site = loop_site(o);
    TRY(replace_loop(o));
    use_results(o, count);
    return cns_ir_remark(o->f, CNS_REMARK_PARALLEL, site, "the loop's iterations run at once%s",
                         o->carried_count ? ", their results combined in a fixed tree" : "");
}

static bool is_parallel(const cns_ir_function *f, const cns_ir_shape *shape, uint32_t loop) {
    return loop != CNS_IR_NONE && (f->blocks[shape->loops[loop].header].flags & CNS_IR_PARALLEL);
}

/* The next loop to outline, or NONE. Marks on what heads no loop (a peeled trip), and in loops that
 * are parallel themselves, go. */
static uint32_t next_loop(cns_ir_function *f, const cns_ir_shape *shape) {
    uint32_t found = CNS_IR_NONE;
    for (uint32_t b = 0; b < f->block_count; b++) {
        uint32_t loop = shape->loop_of[b];
        if (loop == CNS_IR_NONE || shape->loops[loop].header != b) {
            f->blocks[b].flags &= (uint8_t)~CNS_IR_PARALLEL;
        }
    }
    for (uint32_t l = 0; l < shape->loop_count; l++) {
        if (!is_parallel(f, shape, l)) {
            continue;
        }
        bool nested = false;
        for (uint32_t p = shape->loops[l].parent; p != CNS_IR_NONE; p = shape->loops[p].parent) {
            nested |= is_parallel(f, shape, p);
        }
        if (!nested) {
            found = l;
        }
    }
    return found;
}

static void clear_nested(outliner *o) {
    for (uint32_t b = 0; b < o->f->block_count; b++) {
        if (is_inside(o, b)) {
            o->f->blocks[b].flags &= (uint8_t)~CNS_IR_PARALLEL;
        }
    }
}

static cns_status outline_next(cns_ir_function *function, bool *more) {
    outliner o = {.f = function};
    TRY(cns_ir_shape_init(&o.shape, function));
    o.loop = next_loop(function, &o.shape);
    cns_status status = CNS_OK;
    *more = o.loop != CNS_IR_NONE;
    if (*more) {
        clear_nested(&o);
        status = outline(&o);
    }
    cns_ir_destroy(o.body);
    cns_context_free(function->context, o.memory, o.size, CNS_ALIGN_DEFAULT);
    cns_ir_shape_deinit(&o.shape);
    return status == CNS_OK && *more ? cns_ir_compact(function) : status;
}

cns_status cns_pass_parallel(cns_ir_function *function) {
    bool more = false;
    for (uint32_t b = 0; b < function->block_count; b++) {
        more |= function->blocks[b].flags & CNS_IR_PARALLEL;
    }
    if (more) { /* what the builder hands on though it never changes */
        TRY(cns_pass_parameters(function));
    }
    while (more) {
        TRY(outline_next(function, &more));
    }
    return CNS_OK;
}
