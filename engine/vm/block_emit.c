/* SPDX-License-Identifier: MIT
 *
 * block_emit.c - instructions, scalars and vectors of a plan.
 *
 * Integers that go up evenly from lane to lane stay a pair of scalars for as long as sums and
 * products with scalars are all that becomes of them: indices, mostly. Arithmetic wraps, so that
 * first + lane * stride is the value whatever the sizes.
 */
#include <stdio.h>
#include <string.h>

#include "vm/block_build.h"

uint32_t cns_block_edge_count(const cns_ir_block *block) {
    return block->end == CNS_IR_JUMP ? 1 : block->end == CNS_IR_BRANCH ? 2 : 0;
}

/* ---- failures and memory --------------------------------------------------------------------- */

void cns_block_refuse(cns_block_build *b, uint32_t site, const char *format, const char *text) {
    if (!cns_block_well(b)) {
        return;
    }
    size_t size = strlen(format) + strlen(text) + 1;
    char *why = cns_block_take(b, b->arena, size);
    if (why) {
        snprintf(why, size, format, text);
        b->why = why;
        b->site = site;
    }
}

void cns_block_refuse_operation(cns_block_build *b, uint32_t site, cns_ir_op op) {
    bool forks = op >= CNS_IR_FORK_PASS && op <= CNS_IR_FORK_GET_F64;
    cns_block_refuse(b, site, "%s",
                     forks ? "it has a loop over cns.prange inside"
                           : "a loop inside counts in floats, or by a step that is not known");
}

void *cns_block_take(cns_block_build *b, cns_arena *arena, size_t size) {
    void *memory = b->status == CNS_OK ? cns_arena_alloc(arena, size ? size : 1, 16) : NULL;
    if (memory) {
        memset(memory, 0, size);
    } else if (b->status == CNS_OK) {
        b->status = cns_context_memory_status(b->f->context, size);
    }
    return memory;
}

void *cns_block_grow(cns_block_build *b, cns_arena *arena, void *array, uint32_t count,
                     uint32_t *capacity, size_t size) {
    if (count < *capacity) {
        return array;
    }
    uint32_t larger = *capacity ? *capacity * 2 : 16;
    void *memory = cns_block_take(b, arena, larger * size);
    if (memory) {
        if (count > 0) {
            memcpy(memory, array, count * size);
        }
        *capacity = larger;
    }
    return memory;
}

/* ---- scalars --------------------------------------------------------------------------------- */

static uint16_t new_scalar(cns_block_build *b) {
    if (b->plan->scalar_count >= CNS_BLOCK_SCALARS) {
        cns_block_refuse(b, b->site, "%s", "it is too large");
        return 0;
    }
    return (uint16_t)b->plan->scalar_count++;
}

static uint16_t add_fetch(cns_block_build *b, cns_block_fetch fetch) {
    fetch.scalar = new_scalar(b);
    cns_block_fetch *fetches = cns_block_grow(b, b->arena, b->plan->fetches, b->plan->fetch_count,
                                              &b->fetch_capacity, sizeof *fetches);
    if (fetches) {
        b->plan->fetches = fetches;
        fetches[b->plan->fetch_count++] = fetch;
    }
    return fetch.scalar;
}

uint16_t cns_block_constant(cns_block_build *b, uint64_t bits) {
    for (uint32_t s = 0; s < b->plan->scalar_count; s++) {
        if (b->is_constant[s] && b->constants[s] == bits) {
            return (uint16_t)s;
        }
    }
    uint16_t scalar = add_fetch(b, (cns_block_fetch){.value = CNS_IR_NONE, .bits = bits});
    b->is_constant[scalar] = true;
    b->constants[scalar] = bits;
    return scalar;
}

uint16_t cns_block_fetched(cns_block_build *b, cns_ir_value value, bool count) {
    bool boolean = cns_block_at(b, value)->type == CNS_VM_BOOL;
    return add_fetch(b, (cns_block_fetch){.value = value, .count = count, .boolean = boolean});
}

static bool is_constant(const cns_block_build *b, uint16_t scalar, uint64_t bits) {
    return b->is_constant[scalar] && b->constants[scalar] == bits;
}

static uint64_t apply(cns_block_scalar_op op, uint64_t x, uint64_t y) {
    return op == CNS_BLOCK_ADD ? x + y : op == CNS_BLOCK_SUB ? x - y : x * y;
}

static uint16_t combine(cns_block_build *b, cns_block_scalar_op op, uint16_t x, uint16_t y) {
    if (b->is_constant[x] && b->is_constant[y]) {
        return cns_block_constant(b, apply(op, b->constants[x], b->constants[y]));
    }
    uint64_t neutral = op == CNS_BLOCK_MUL;
    if (is_constant(b, y, neutral)) {
        return x;
    }
    if (is_constant(b, x, neutral) && op != CNS_BLOCK_SUB) {
        return y;
    }
    uint16_t scalar = new_scalar(b);
    cns_block_prelude *prelude =
        cns_block_grow(b, b->arena, b->plan->prelude, b->plan->prelude_count, &b->prelude_capacity,
                       sizeof *prelude);
    if (prelude) {
        b->plan->prelude = prelude;
        prelude[b->plan->prelude_count++] = (cns_block_prelude){(uint8_t)op, scalar, x, y};
    }
    return scalar;
}

/* ---- instructions ---------------------------------------------------------------------------- */

uint16_t cns_block_vector(cns_block_build *b) {
    if (b->plan->vector_count >= CNS_BLOCK_UNSET) {
        cns_block_refuse(b, b->site, "%s", "it is too large");
        return 0;
    }
    uint32_t count = b->plan->vector_count, capacity = b->vector_capacity;
    uint32_t *made_at =
        cns_block_grow(b, b->scratch, b->made_at, count, &capacity, sizeof *made_at);
    bool *is_load =
        cns_block_grow(b, b->scratch, b->is_load, count, &b->vector_capacity, sizeof *is_load);
    if (!made_at || !is_load) {
        return 0;
    }
    b->made_at = made_at;
    b->is_load = is_load;
    made_at[count] = b->plan->count;
    is_load[count] = false;
    b->plan->vector_count++;
    return (uint16_t)count;
}

static void append(cns_block_build *b, cns_arena *arena, cns_block_instruction **list,
                   uint32_t *count, uint32_t *capacity, cns_block_instruction instruction) {
    cns_block_instruction *larger =
        cns_block_grow(b, arena, *list, *count, capacity, sizeof instruction);
    if (larger) {
        *list = larger;
        larger[(*count)++] = instruction;
    }
}

uint32_t cns_block_emit(cns_block_build *b, cns_block_instruction instruction) {
    append(b, b->arena, &b->plan->code, &b->plan->count, &b->code_capacity, instruction);
    return b->plan->count ? b->plan->count - 1 : 0;
}

void cns_block_emit_late(cns_block_build *b, cns_block_instruction instruction) {
    append(b, b->scratch, &b->late, &b->late_count, &b->late_capacity, instruction);
}

void cns_block_emit_settle(cns_block_build *b, cns_block_instruction instruction) {
    append(b, b->scratch, &b->settle, &b->settle_count, &b->settle_capacity, instruction);
}

uint32_t cns_block_add_pair(cns_block_build *b, uint16_t from, uint16_t to) {
    cns_block_pair *pairs = cns_block_grow(b, b->arena, b->plan->pairs, b->plan->pair_count,
                                           &b->pair_capacity, sizeof *pairs);
    if (!pairs) {
        return 0;
    }
    b->plan->pairs = pairs;
    pairs[b->plan->pair_count] = (cns_block_pair){from, to};
    return b->plan->pair_count++;
}

/* ---- values ---------------------------------------------------------------------------------- */

cns_block_value cns_block_scalar_value(uint16_t scalar) {
    return (cns_block_value){CNS_BLOCK_SCALAR, scalar, 0};
}

cns_block_value cns_block_vector_value(uint16_t vector) {
    return (cns_block_value){CNS_BLOCK_VECTOR, vector, 0};
}

bool cns_block_same(cns_block_value x, cns_block_value y) {
    return x.kind == y.kind && x.a == y.a && x.b == y.b;
}

static cns_block_value from_outside(cns_block_build *b, cns_ir_value value) {
    const cns_ir_instruction *code = cns_block_at(b, value);
    if (code->op == CNS_IR_CONST_BOOL) {
        return cns_block_scalar_value(cns_block_constant(b, code->i ? UINT64_MAX : 0));
    }
    if (code->op == CNS_IR_CONST_I64 || code->op == CNS_IR_CONST_F64) {
        return cns_block_scalar_value(cns_block_constant(b, (uint64_t)code->i));
    }
    if (cns_ir_is_buffer(code->type)) {
        uint16_t data = cns_block_fetched(b, value, false);
        return (cns_block_value){CNS_BLOCK_BUFFER, data, cns_block_fetched(b, value, true)};
    }
    return cns_block_scalar_value(cns_block_fetched(b, value, false));
}

cns_block_value cns_block_value_of(cns_block_build *b, cns_ir_value value) {
    cns_block_value *known = &b->values[value];
    if (known->kind == CNS_BLOCK_UNKNOWN) {
        if (cns_block_inside(b, b->loop, cns_block_at(b, value)->block)) {
            cns_block_refuse(b, cns_block_at(b, value)->site, "%s",
                             "its values depend on each other in a circle");
        } else {
            *known = from_outside(b, value);
        }
    }
    return *known;
}

uint16_t cns_block_as_vector(cns_block_build *b, cns_block_value value) {
    if (value.kind == CNS_BLOCK_VECTOR) {
        return value.a;
    }
    uint16_t d = cns_block_vector(b);
    bool steps = value.kind == CNS_BLOCK_STEPS;
    cns_block_emit(b, (cns_block_instruction){.op = steps ? CNS_BLOCK_IOTA : CNS_BLOCK_SPLAT,
                                              .d = d,
                                              .a = value.a,
                                              .b = steps ? value.b : CNS_BLOCK_NONE,
                                              .c = CNS_BLOCK_NONE});
    return d;
}

uint16_t cns_block_copy(cns_block_build *b, uint16_t vector) {
    uint16_t d = cns_block_vector(b);
    cns_block_emit(
        b,
        (cns_block_instruction){
            .op = CNS_BLOCK_COPY, .d = d, .a = vector, .b = CNS_BLOCK_NONE, .c = CNS_BLOCK_NONE});
    return d;
}

/* ---- operations ------------------------------------------------------------------------------ */

static bool is_even(cns_block_value value) {
    return value.kind == CNS_BLOCK_SCALAR || value.kind == CNS_BLOCK_STEPS;
}

static cns_block_value steps(cns_block_build *b, uint16_t first, uint16_t stride) {
    return is_constant(b, stride, 0) ? cns_block_scalar_value(first)
                                     : (cns_block_value){CNS_BLOCK_STEPS, first, stride};
}

static uint16_t stride_of(cns_block_build *b, cns_block_value value) {
    return value.kind == CNS_BLOCK_STEPS ? value.b : cns_block_constant(b, 0);
}

static cns_block_value even_product(cns_block_build *b, cns_block_value x, cns_block_value y) {
    uint16_t by = x.kind == CNS_BLOCK_SCALAR ? x.a : y.a;
    cns_block_value other = x.kind == CNS_BLOCK_SCALAR ? y : x;
    uint16_t first = combine(b, CNS_BLOCK_MUL, other.a, by);
    return steps(b, first, combine(b, CNS_BLOCK_MUL, stride_of(b, other), by));
}

/* Integers that stay even; false: it takes lanes. */
static bool compute_even(cns_block_build *b, cns_ir_op op, const cns_block_value *x, uint32_t count,
                         cns_block_value *out) {
    for (uint32_t i = 0; i < count; i++) {
        if (!is_even(x[i])) {
            return false;
        }
    }
    uint16_t zero;
    switch (op) {
    case CNS_IR_ADD_I64:
    case CNS_IR_SUB_I64: {
        cns_block_scalar_op how = op == CNS_IR_ADD_I64 ? CNS_BLOCK_ADD : CNS_BLOCK_SUB;
        uint16_t first = combine(b, how, x[0].a, x[1].a);
        *out = steps(b, first, combine(b, how, stride_of(b, x[0]), stride_of(b, x[1])));
        return true;
    }
    case CNS_IR_NEG_I64:
        zero = cns_block_constant(b, 0);
        *out = steps(b, combine(b, CNS_BLOCK_SUB, zero, x[0].a),
                     combine(b, CNS_BLOCK_SUB, zero, stride_of(b, x[0])));
        return true;
    case CNS_IR_MUL_I64:
        if (x[0].kind == CNS_BLOCK_STEPS && x[1].kind == CNS_BLOCK_STEPS) {
            return false;
        }
        *out = even_product(b, x[0], x[1]);
        return true;
    case CNS_IR_SHL_I64:
        if (x[1].kind != CNS_BLOCK_SCALAR || !b->is_constant[x[1].a] || b->constants[x[1].a] > 63) {
            return false;
        }
        *out = even_product(
            b, x[0],
            cns_block_scalar_value(cns_block_constant(b, UINT64_C(1) << b->constants[x[1].a])));
        return true;
    default:
        return false;
    }
}

/* `and` with a constant: that constant, or the other operand. */
static bool compute_truth(cns_block_build *b, cns_ir_op op, const cns_block_value *x,
                          cns_block_value *out) {
    for (uint32_t i = 0; i < 2 && op == CNS_IR_AND_BOOL; i++) {
        if (x[i].kind == CNS_BLOCK_SCALAR && b->is_constant[x[i].a]) {
            *out = x[b->constants[x[i].a] == 0 ? i : 1 - i];
            return true;
        }
    }
    return false;
}

static cns_block_value compute_array(cns_block_build *b, cns_ir_op op, cns_block_value x) {
    uint16_t a = cns_block_as_vector(b, x), d = cns_block_vector(b);
    cns_block_emit(b, (cns_block_instruction){.op = CNS_BLOCK_ARRAY,
                                              .ir = (uint16_t)op,
                                              .d = d,
                                              .a = a,
                                              .b = CNS_BLOCK_NONE,
                                              .c = CNS_BLOCK_NONE});
    return cns_block_vector_value(d);
}

/* Scalars stay scalars where the primitives have a form for it. `c` of a SELECT is its mask. */
static cns_block_value compute_lanes(cns_block_build *b, cns_ir_op op, const cns_block_value *x,
                                     uint32_t count) {
    const cns_lanes_fn *forms = b->plan->set->operation[op];
    bool choice = op >= CNS_IR_SELECT_BOOL && op <= CNS_IR_SELECT_F64;
    const cns_block_value *operands = choice ? x + 1 : x;
    uint32_t plain = choice ? 2 : count;
    bool first = operands[0].kind == CNS_BLOCK_SCALAR;
    bool second = plain > 1 && operands[1].kind == CNS_BLOCK_SCALAR;
    cns_lanes_form form = first && second ? CNS_LANES_AB
                          : first         ? CNS_LANES_A
                          : second        ? CNS_LANES_B
                                          : CNS_LANES_ALL;
    if (form == CNS_LANES_AB && !forms[form]) {
        form = CNS_LANES_B;
    }
    if (!forms[form]) {
        form = CNS_LANES_ALL;
    }
    if (!forms[form]) {
        cns_block_refuse_operation(b, b->site, op);
        return (cns_block_value){CNS_BLOCK_VECTOR, 0, 0};
    }
    bool keep_a = cns_lanes_one_a(form);
    bool keep_b = cns_lanes_one_b(form);
    cns_block_instruction i = {.op = CNS_BLOCK_LANES_OP,
                               .form = (uint8_t)form,
                               .ir = (uint16_t)op,
                               .b = CNS_BLOCK_NONE,
                               .c = CNS_BLOCK_NONE,
                               .function = forms[form]};
    i.a = keep_a ? operands[0].a : cns_block_as_vector(b, operands[0]);
    if (plain > 1) {
        i.b = keep_b ? operands[1].a : cns_block_as_vector(b, operands[1]);
    }
    if (choice || plain > 2) {
        i.c = cns_block_as_vector(b, choice ? x[0] : x[2]);
    }
    i.d = cns_block_vector(b);
    cns_block_emit(b, i);
    return cns_block_vector_value(i.d);
}

cns_block_value cns_block_compute(cns_block_build *b, cns_ir_op op, const cns_block_value *operands,
                                  uint32_t count) {
    cns_block_value out = {CNS_BLOCK_VECTOR, 0, 0};
    if (!cns_block_well(b) || compute_even(b, op, operands, count, &out) ||
        compute_truth(b, op, operands, &out)) {
        return out;
    }
    if ((op == CNS_IR_EXP_F64 && b->plan->exp) || (op == CNS_IR_LOG_F64 && b->plan->log)) {
        return compute_array(b, op, operands[0]);
    }
    return compute_lanes(b, op, operands, count);
}
