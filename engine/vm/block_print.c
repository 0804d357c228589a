/* SPDX-License-Identifier: MIT
 *
 * block_print.c - a plan as text, and whether it is sound.
 *
 *     4  v2 = mul.f64 s3, v1
 *     9  x1[...] = v2
 *
 * s are scalars, v vectors; what stands behind ? is the mask of the lanes it is for. x are the
 * accesses, listed before, with the scalars of their first index and stride.
 */
#include <inttypes.h>

#include "vm/block_code.h"

static const char *const texts[] = {[CNS_BLOCK_LANES_OP] = "",
                                    [CNS_BLOCK_ARRAY] = "array",
                                    [CNS_BLOCK_SPLAT] = "splat",
                                    [CNS_BLOCK_IOTA] = "iota",
                                    [CNS_BLOCK_COPY] = "copy",
                                    [CNS_BLOCK_LOAD] = "load",
                                    [CNS_BLOCK_DIVISOR] = "check.divisor",
                                    [CNS_BLOCK_INTEGRAL] = "check.integral",
                                    [CNS_BLOCK_INDEX] = "check.index",
                                    [CNS_BLOCK_FITS] = "check.fits",
                                    [CNS_BLOCK_SCAN] = "scan",
                                    [CNS_BLOCK_ENTER] = "enter",
                                    [CNS_BLOCK_LEAVE] = "leave",
                                    [CNS_BLOCK_AGAIN] = "again",
                                    [CNS_BLOCK_STORE] = "store",
                                    [CNS_BLOCK_REDUCE] = "reduce",
                                    [CNS_BLOCK_ORDERED] = "ordered",
                                    [CNS_BLOCK_LAST] = "last"};

static bool names_access(uint8_t op) {
    return op == CNS_BLOCK_LOAD || op == CNS_BLOCK_STORE || op == CNS_BLOCK_INDEX ||
           op == CNS_BLOCK_FITS;
}

static bool names_scalar(uint8_t op) {
    return op == CNS_BLOCK_SCAN || op == CNS_BLOCK_REDUCE || op == CNS_BLOCK_ORDERED ||
           op == CNS_BLOCK_LAST;
}

static bool names_loop(uint8_t op) {
    return op == CNS_BLOCK_ENTER || op == CNS_BLOCK_LEAVE || op == CNS_BLOCK_AGAIN;
}

static void print_scalars(const cns_block_plan *plan, cns_text *text) {
    static const char *const operations[] = {"+", "-", "*"};
    for (uint32_t i = 0; i < plan->fetch_count; i++) {
        const cns_block_fetch *one = &plan->fetches[i];
        if (one->value == CNS_IR_NONE) {
            cns_text_printf(text, "       s%u = %" PRId64 "\n", one->scalar, (int64_t)one->bits);
        } else {
            cns_text_printf(text, "       s%u = r%u%s\n", one->scalar, one->reg + one->count,
                            one->boolean ? " as bits" : "");
        }
    }
    for (uint32_t i = 0; i < plan->prelude_count; i++) {
        const cns_block_prelude *one = &plan->prelude[i];
        cns_text_printf(text, "       s%u = s%u %s s%u\n", one->d, one->a, operations[one->op],
                        one->b);
    }
    for (uint32_t i = 0; i < plan->carried_count; i++) {
        const cns_block_carried *one = &plan->carried[i];
        cns_text_printf(text, "       r%u is s%u", one->reg, one->scalar);
        if (one->stride != CNS_BLOCK_NONE) {
            cns_text_printf(text, ", up by s%u", one->stride);
        }
        cns_text_printf(text, "\n");
    }
    for (uint32_t i = 0; i < plan->access_count; i++) {
        const cns_block_access *one = &plan->accesses[i];
        cns_text_printf(text, "       x%u = %s %s at s%u", i, one->store ? "store" : "load",
                        cns_ir_type_name((uint8_t)(CNS_VM_BUFFER + one->type)), one->data);
        if (one->first != CNS_BLOCK_NONE) {
            cns_text_printf(text, ", from s%u by s%u", one->first, one->stride);
        }
        cns_text_printf(text, "\n");
    }
}

static void print_operand(cns_text *text, char kind, uint16_t place, const char *before) {
    if (place != CNS_BLOCK_NONE) {
        cns_text_printf(text, "%s%c%u", before, kind, place);
    }
}

static void print_instruction(const cns_block_plan *plan, const cns_block_instruction *i,
                              cns_text *text) {
    bool lanes = i->op == CNS_BLOCK_LANES_OP, loop = names_loop(i->op);
    bool scalar_a =
        i->op == CNS_BLOCK_SPLAT || i->op == CNS_BLOCK_IOTA || (lanes && cns_lanes_one_a(i->form));
    bool scalar_b = i->op == CNS_BLOCK_IOTA || (lanes && cns_lanes_one_b(i->form));
    print_operand(text, 'v', i->d, "");
    cns_text_printf(text, "%s%s", i->d != CNS_BLOCK_NONE ? " = " : "", texts[i->op]);
    if (lanes || i->op == CNS_BLOCK_ARRAY) {
        cns_text_printf(text, "%s%s", lanes ? "" : ".", cns_ir_info((cns_ir_op)i->ir)->name);
    }
    if (loop) {
        cns_text_printf(text, " #%u", (unsigned)i->extra);
    } else if (names_access(i->op) || names_scalar(i->op)) {
        cns_text_printf(text, " %c%u", names_scalar(i->op) ? 's' : 'x', (unsigned)i->extra);
    }
    if (i->op == CNS_BLOCK_LEAVE) {
        for (uint32_t p = i->a; p < (uint32_t)i->a + i->b; p++) {
            print_operand(text, 'v', plan->pairs[p].to, " ");
            print_operand(text, 'v', plan->pairs[p].from, "=");
        }
    } else {
        print_operand(text, scalar_a ? 's' : 'v', i->a, " ");
        print_operand(text, scalar_b ? 's' : 'v', i->b, ", ");
    }
    print_operand(text, 'v', i->c, " ? ");
}

static void print_pairs(const cns_block_plan *plan, const char *title, uint32_t first,
                        uint32_t count, cns_text *text) {
    cns_text_printf(text, "%s", count ? title : "");
    for (uint32_t p = first; p < first + count; p++) {
        print_operand(text, 'v', plan->pairs[p].to, " ");
        print_operand(text, 'v', plan->pairs[p].from, "=");
    }
}

cns_status cns_block_plan_print(const cns_block_plan *plan, cns_text *text) {
    cns_text_printf(text, "blocks of %u lanes, %u vectors of %s\n", (unsigned)plan->lanes,
                    (unsigned)plan->vector_count, plan->set->name);
    print_scalars(plan, text);
    for (uint32_t l = 0; l < plan->loop_count; l++) {
        const cns_block_loop *loop = &plan->loops[l];
        cns_text_printf(text, "       loop #%u: alive v%u, ids v%u;", (unsigned)l, loop->alive,
                        loop->ids);
        print_pairs(plan, " in", loop->enter, loop->enter_count, text);
        print_pairs(plan, "; round", loop->around, loop->around_count, text);
        print_pairs(plan, "; out", loop->out, loop->out_count, text);
        cns_text_printf(text, "\n");
    }
    for (uint32_t n = 0; n < plan->count; n++) {
        cns_text_printf(text, "%5u%c ", (unsigned)(n + 1), n >= plan->settle ? '!' : ' ');
        print_instruction(plan, &plan->code[n], text);
        cns_text_printf(text, "\n");
    }
    return cns_text_status(text);
}

/* ---- verifying ------------------------------------------------------------------------------- */

typedef struct check {
    const cns_block_plan *plan;
    bool sound;
} check;

static void check_vector(void *user, uint16_t *vector, bool writes) {
    check *c = user;
    (void)writes;
    c->sound = c->sound && *vector < c->plan->vector_count;
}

static bool has_scalar(const cns_block_plan *plan, uint16_t scalar) {
    return scalar < plan->scalar_count;
}

static bool has_pairs(const cns_block_plan *plan, uint32_t first, uint32_t count) {
    return first <= plan->pair_count && count <= plan->pair_count - first;
}

/* A loop's instruction, number n. */
static bool loop_is_sound(const cns_block_plan *plan, const cns_block_instruction *i, uint32_t n) {
    const cns_block_loop *loop = &plan->loops[i->extra];
    switch (i->op) {
    case CNS_BLOCK_ENTER:
        return loop->body == n + 1 && loop->end > n && loop->end < plan->settle &&
               has_pairs(plan, loop->enter, loop->enter_count) &&
               has_pairs(plan, loop->out, loop->out_count);
    case CNS_BLOCK_LEAVE:
        return i->c != CNS_BLOCK_NONE && has_pairs(plan, i->a, i->b);
    default:
        return i->c != CNS_BLOCK_NONE && loop->end == n && loop->body <= n &&
               has_pairs(plan, loop->around, loop->around_count);
    }
}

static bool instruction_is_sound(const cns_block_plan *plan, const cns_block_instruction *i,
                                 uint32_t n) {
    bool even = i->op == CNS_BLOCK_SPLAT || i->op == CNS_BLOCK_IOTA;
    if (i->op > CNS_BLOCK_LAST || (names_access(i->op) && i->extra >= plan->access_count) ||
        (names_scalar(i->op) && i->extra >= plan->scalar_count) ||
        (names_loop(i->op) && i->extra >= plan->loop_count) || (even && !has_scalar(plan, i->a)) ||
        (i->op == CNS_BLOCK_IOTA && !has_scalar(plan, i->b))) {
        return false;
    }
    if (i->op == CNS_BLOCK_LANES_OP) {
        bool a = cns_lanes_one_a(i->form);
        bool b = cns_lanes_one_b(i->form);
        return i->function && (!a || has_scalar(plan, i->a)) && (!b || has_scalar(plan, i->b));
    }
    if (names_loop(i->op)) {
        return n < plan->settle && loop_is_sound(plan, i, n);
    }
    bool early = i->op >= CNS_BLOCK_LOAD && i->op <= CNS_BLOCK_SCAN,
         late = i->op >= CNS_BLOCK_STORE;
    return !(early && n >= plan->settle) && !(late && n < plan->settle);
}

static bool scalars_are_sound(const cns_block_plan *plan, uint32_t registers) {
    bool sound = has_scalar(plan, plan->remaining) && plan->remaining_reg < registers &&
                 plan->scalar_count <= CNS_BLOCK_SCALARS;
    for (uint32_t i = 0; i < plan->fetch_count; i++) {
        const cns_block_fetch *one = &plan->fetches[i];
        sound = sound && has_scalar(plan, one->scalar) &&
                (one->value == CNS_IR_NONE || one->reg + (uint32_t)one->count < registers);
    }
    for (uint32_t i = 0; i < plan->prelude_count; i++) {
        const cns_block_prelude *one = &plan->prelude[i];
        sound = sound && has_scalar(plan, one->d) && has_scalar(plan, one->a) &&
                has_scalar(plan, one->b);
    }
    for (uint32_t i = 0; i < plan->carried_count; i++) {
        const cns_block_carried *one = &plan->carried[i];
        sound = sound && has_scalar(plan, one->scalar) &&
                (one->stride == CNS_BLOCK_NONE || has_scalar(plan, one->stride)) &&
                (one->reg == CNS_BLOCK_NONE || one->reg < registers);
    }
    for (uint32_t i = 0; i < plan->access_count; i++) {
        const cns_block_access *one = &plan->accesses[i];
        sound = sound && has_scalar(plan, one->data) && has_scalar(plan, one->count) &&
                (one->first == CNS_BLOCK_NONE ||
                 (has_scalar(plan, one->first) && has_scalar(plan, one->stride)));
    }
    return sound;
}

cns_status cns_block_plan_verify(const cns_block_plan *plan, cns_context *context,
                                 uint32_t registers) {
    cns_block_plan copy = *plan; /* the visitor may rename, but this one does not */
    check c = {plan, scalars_are_sound(plan, registers)};
    c.sound = c.sound && plan->access_count <= CNS_BLOCK_ACCESSES &&
              plan->vector_count * plan->lanes * 8 <= CNS_BLOCK_BYTES && plan->lanes > 0;
    for (uint32_t n = 0; n < plan->count; n++) {
        if (c.sound && instruction_is_sound(plan, &plan->code[n], n)) {
            cns_block_visit_vectors(&copy, &plan->code[n], check_vector, &c);
        } else {
            c.sound = false;
        }
        if (!c.sound) {
            return cns_fail(context, CNS_E_CORRUPT, "block plan: instruction %u is bad",
                            (unsigned)(n + 1));
        }
    }
    return c.sound ? CNS_OK : cns_fail(context, CNS_E_CORRUPT, "block plan: its scalars are bad");
}
