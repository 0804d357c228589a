/* SPDX-License-Identifier: MIT
 *
 * test_ir.c - making, printing and verifying SSA; dominators and loops of random graphs against
 * their definitions.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/text.h"
#include "support.h"
#include "vm/ir.h"

/* ---- a kernel by hand ------------------------------------------------------------------------ */

typedef struct scale {
    cns_ir_function *function;
    cns_ir_block_id body, done;
    cns_ir_value x, index, load, product, again;
} scale;

#define TRY(call)                                                                                  \
    do {                                                                                           \
        cns_status try_ = (call);                                                                  \
        if (try_ != CNS_OK) {                                                                      \
            return try_;                                                                           \
        }                                                                                          \
    } while (0)

/* function(x) for i = 1, 10 do x[i] = 2.0 * x[i] end end */
static cns_status fill_scale(scale *s) {
    cns_ir_function *f = s->function;
    cns_ir_value one, ten, two, remaining, less, next, store;
    uint32_t site;
    TRY(cns_ir_add_argument(f, CNS_VM_BUFFER + CNS_F64, "x", &s->x));
    TRY(cns_ir_add_site(f, "k.lua", 1, CNS_IR_NONE, &site));
    TRY(cns_ir_add_i64(f, 1, &one));
    TRY(cns_ir_add_i64(f, 9, &ten));
    TRY(cns_ir_add_f64(f, 2.0, &two));
    TRY(cns_ir_add_block(f, &s->body));
    TRY(cns_ir_add_block(f, &s->done));
    TRY(cns_ir_add_parameter(f, s->body, CNS_VM_I64, &remaining));
    TRY(cns_ir_add_parameter(f, s->body, CNS_VM_I64, &s->index));
    TRY(cns_ir_end_jump(f, 0, site, s->body, (cns_ir_value[]){ten, one}, 2));
    TRY(cns_ir_add(f, s->body, CNS_IR_LOAD, site, (cns_ir_value[]){s->x, s->index}, &s->load));
    TRY(cns_ir_add(f, s->body, CNS_IR_MUL_F64, site, (cns_ir_value[]){two, s->load}, &s->product));
    TRY(cns_ir_add(f, s->body, CNS_IR_STORE, site, (cns_ir_value[]){s->x, s->index, s->product},
                   &store));
    TRY(cns_ir_add_i64(f, 0, &next));
    TRY(cns_ir_add(f, s->body, CNS_IR_LT_U64, site, (cns_ir_value[]){next, remaining}, &s->again));
    TRY(cns_ir_add(f, s->body, CNS_IR_SUB_I64, site, (cns_ir_value[]){remaining, one}, &less));
    TRY(cns_ir_add(f, s->body, CNS_IR_ADD_I64, site, (cns_ir_value[]){s->index, one}, &next));
    TRY(cns_ir_end_branch(f, s->body, site, s->again, s->body, s->done));
    TRY(cns_ir_set_arguments(f, s->body, 0, (cns_ir_value[]){less, next}, 2));
    TRY(cns_ir_remark(f, CNS_REMARK_NOT_VECTORISED, site, "%s", "no"));
    return cns_ir_end_return(f, s->done, site, NULL, 0);
}

static cns_status make_scale(cns_context *context, scale *s) {
    TRY(cns_ir_create(context, "scale", &s->function));
    return fill_scale(s);
}

START_TEST(a_loop_verifies_and_prints) {
    cns_context *context = support_context();
    scale s;
    support_status(context, CNS_OK, make_scale(context, &s));
    support_status(context, CNS_OK, cns_ir_verify(s.function, false));
    cns_text text;
    cns_text_init(&text, context);
    support_status(context, CNS_OK, cns_ir_print(s.function, &text));
    ck_assert_str_eq(text.bytes, "kernel scale(x: buffer of f64)\n"
                                 "block 0():\n"
                                 "  v9: i64 = const.i64 0\n"
                                 "  v3: f64 = const.f64 2\n"
                                 "  v2: i64 = const.i64 9\n"
                                 "  v1: i64 = const.i64 1\n"
                                 "  v0: buffer of f64 = argument x\n"
                                 "  jump 1(v2, v1)\n"
                                 "block 1(v4: i64, v5: i64):\n"
                                 "  v6: f64 = load v0, v5  ; line 1\n"
                                 "  v7: f64 = mul.f64 v3, v6  ; line 1\n"
                                 "  store v0, v5, v7  ; line 1\n"
                                 "  v10: bool = lt.u64 v9, v4  ; line 1\n"
                                 "  v11: i64 = sub.i64 v4, v1  ; line 1\n"
                                 "  v12: i64 = add.i64 v5, v1  ; line 1\n"
                                 "  branch v10 1(v11, v12) 2()\n"
                                 "block 2():\n"
                                 "  return \n");
    cns_text_deinit(&text);
    cns_ir_destroy(s.function);
    support_context_destroy(context);
}
END_TEST

/* Each fault by itself is seen. */
START_TEST(faults_are_refused) {
    enum { FAULTS = 13 };
    for (int fault = 0; fault < FAULTS; fault++) {
        cns_context *context = support_context();
        scale s;
        support_status(context, CNS_OK, make_scale(context, &s));
        cns_ir_function *f = s.function;
        cns_ir_instruction *product = &f->instructions[s.product];
        bool trusted = false;
        switch (fault) {
        case 0:
            product->operands[0] = s.index; /* an i64 */
            break;
        case 1:
            product->operands[1] = s.product; /* itself */
            break;
        case 2:
            product->operands[1] = 1000;
            break;
        case 3:
            product->type = CNS_VM_I64;
            break;
        case 4:
            product->op = CNS_IR_OP_COUNT;
            break;
        case 5:
            product->operand_count = 1;
            break;
        case 6:
            f->instructions[s.load].flags = CNS_IR_PROVEN;
            break;
        case 7:
            f->blocks[s.body].edges[0].count = 1;
            break;
        case 8:
            f->blocks[s.body].edges[0].target = 0;
            break;
        case 9:
            f->blocks[s.body].edges[1].target = 77;
            break;
        case 10:
            f->blocks[s.body].condition = s.product;
            break;
        case 11:
            f->blocks[s.done].end = CNS_IR_END_NONE;
            break;
        default: /* a value of the loop in the block that goes before it */
            f->blocks[0].edges[0].arguments[1] = s.index;
        }
        support_status(context, CNS_E_CORRUPT, cns_ir_verify(f, trusted));
        cns_ir_destroy(f);
        support_context_destroy(context);
    }
}
END_TEST

START_TEST(the_optimiser_may_claim_proofs) {
    cns_context *context = support_context();
    scale s;
    support_status(context, CNS_OK, make_scale(context, &s));
    s.function->instructions[s.load].flags = CNS_IR_PROVEN;
    support_status(context, CNS_OK, cns_ir_verify(s.function, true));
    cns_ir_destroy(s.function);
    support_context_destroy(context);
}
END_TEST

START_TEST(values_are_removed_moved_and_replaced) {
    cns_context *context = support_context();
    scale s;
    support_status(context, CNS_OK, make_scale(context, &s));
    cns_ir_function *f = s.function;
    cns_ir_value sum;
    support_status(
        context, CNS_OK,
        cns_ir_insert(f, s.product, CNS_IR_ADD_F64, 0, (cns_ir_value[]){s.load, s.load}, &sum));
    cns_ir_value *map = malloc(f->instruction_count * sizeof *map);
    for (uint32_t v = 0; v < f->instruction_count; v++) {
        map[v] = v == s.product ? sum : v;
    }
    cns_ir_rewrite(f, map);
    free(map);
    cns_ir_remove(f, s.product);
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    cns_ir_move(f, s.again, s.body); /* to the end of its block: still before the branch */
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    cns_ir_move(f, sum, s.done); /* behind its use */
    support_status(context, CNS_E_CORRUPT, cns_ir_verify(f, false));
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

static cns_status make_and_verify(cns_context *context) {
    scale s = {.function = NULL};
    cns_status status = make_scale(context, &s);
    status = status == CNS_OK ? cns_ir_verify(s.function, false) : status;
    cns_ir_destroy(s.function);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(make_and_verify);
}
END_TEST

/* ---- shapes ---------------------------------------------------------------------------------- */

enum { BLOCKS_MAX = 14 };

static void end_at_random(cns_ir_function *f, uint32_t b, cns_ir_value condition, cns_rng *rng) {
    uint32_t yes = 1 + (uint32_t)cns_rng_below(rng, f->block_count - 1);
    uint32_t no = 1 + (uint32_t)cns_rng_below(rng, f->block_count - 1);
    switch (cns_rng_below(rng, 4)) {
    case 0:
        cns_ir_end_return(f, b, CNS_IR_NONE, NULL, 0);
        break;
    case 1:
        cns_ir_end_jump(f, b, CNS_IR_NONE, yes, NULL, 0);
        break;
    default:
        cns_ir_end_branch(f, b, CNS_IR_NONE, condition, yes, no);
    }
}

static cns_ir_function *random_graph(cns_context *context, cns_rng *rng) {
    cns_ir_function *f = NULL;
    support_status(context, CNS_OK, cns_ir_create(context, "graph", &f));
    cns_ir_value condition;
    cns_ir_block_id block;
    support_status(context, CNS_OK, cns_ir_add_bool(f, true, &condition));
    uint64_t count = 2 + cns_rng_below(rng, BLOCKS_MAX - 1);
    while (f->block_count < count) {
        support_status(context, CNS_OK, cns_ir_add_block(f, &block));
    }
    for (uint32_t b = 0; b < count; b++) {
        end_at_random(f, b, condition, rng);
    }
    return f;
}

/* What `from` reaches without entering `without`, as a set of bits. */
static uint32_t reach(const cns_ir_function *f, uint32_t from, uint32_t without) {
    uint32_t seen = from == without ? 0 : 1u << from;
    for (uint32_t before = 0; before != seen;) {
        before = seen;
        for (uint32_t b = 0; b < f->block_count; b++) {
            int edges = f->blocks[b].end == CNS_IR_BRANCH ? 2 : f->blocks[b].end == CNS_IR_JUMP;
            for (int e = 0; e < edges && (seen >> b & 1); e++) {
                uint32_t target = f->blocks[b].edges[e].target;
                seen |= target == without ? 0 : 1u << target;
            }
        }
    }
    return seen;
}

static bool has_edge(const cns_ir_function *f, uint32_t from, uint32_t to) {
    int edges = f->blocks[from].end == CNS_IR_BRANCH ? 2 : f->blocks[from].end == CNS_IR_JUMP;
    return (edges > 0 && f->blocks[from].edges[0].target == to) ||
           (edges > 1 && f->blocks[from].edges[1].target == to);
}

/* a dominates b: without a, b cannot be reached. */
static bool dominates(const cns_ir_function *f, uint32_t a, uint32_t b) {
    return !(reach(f, 0, a) >> b & 1);
}

/* The natural loop of `header` as its definition says; 0 when it heads none. */
static uint32_t natural_loop(const cns_ir_function *f, uint32_t reachable, uint32_t header) {
    uint32_t body = 0;
    for (uint32_t latch = 0; latch < f->block_count; latch++) {
        if ((reachable >> latch & 1) && has_edge(f, latch, header) && dominates(f, header, latch)) {
            body |= 1u << header;
            for (uint32_t b = 0; b < f->block_count; b++) {
                bool reaches = b == latch || (reach(f, b, header) >> latch & 1);
                bool inside = (reachable >> b & 1) && b != header && dominates(f, header, b);
                body |= inside && reaches ? 1u << b : 0;
            }
        }
    }
    return body;
}

static void check_loops(const cns_ir_function *f, const cns_ir_shape *shape, uint32_t reachable) {
    uint32_t heads = 0;
    for (uint32_t l = 0; l < shape->loop_count; l++) {
        const cns_ir_loop *loop = &shape->loops[l];
        heads |= 1u << loop->header;
        uint32_t body = natural_loop(f, reachable, loop->header);
        for (uint32_t b = 0; b < f->block_count; b++) {
            ck_assert_int_eq(cns_ir_loop_contains(shape, l, b), body >> b & 1);
        }
        ck_assert(loop->parent == CNS_IR_NONE || loop->parent < l);
        for (uint32_t other = 0; other < shape->loop_count; other++) {
            if (other != l && (body >> shape->loops[other].header & 1)) {
                ck_assert(!loop->innermost);
            }
        }
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        if (reachable >> b & 1) {
            ck_assert_int_eq(natural_loop(f, reachable, b) != 0, heads >> b & 1);
        }
    }
}

static void check_shape(const cns_ir_function *f, const cns_ir_shape *shape) {
    uint32_t reachable = reach(f, 0, CNS_IR_NONE);
    for (uint32_t b = 0; b < f->block_count; b++) {
        ck_assert_int_eq(shape->position[b] != CNS_IR_NONE, reachable >> b & 1);
        for (uint32_t a = 0; a < f->block_count; a++) {
            if ((reachable >> a & 1) && (reachable >> b & 1)) {
                ck_assert_int_eq(cns_ir_dominates(shape, a, b), dominates(f, a, b));
            }
        }
    }
    check_loops(f, shape, reachable);
}

START_TEST(random_graphs_match_the_definitions) {
    cns_context *context = support_context();
    cns_rng rng;
    cns_rng_seed(&rng, 11);
    unsigned loops = 0;
    for (int round = 0; round < 3000; round++) {
        cns_ir_function *f = random_graph(context, &rng);
        cns_ir_shape shape;
        support_status(context, CNS_OK, cns_ir_shape_init(&shape, f));
        check_shape(f, &shape);
        loops += shape.loop_count;
        cns_ir_shape_deinit(&shape);
        cns_ir_destroy(f);
    }
    ck_assert_uint_gt(loops, 500);
    support_context_destroy(context);
}
END_TEST

/* Ends of blocks change while a shape is out and while it is kept; two may be out at once. */
START_TEST(a_kept_shape_is_handed_out_while_it_fits) {
    cns_context *context = support_context();
    cns_rng rng;
    cns_rng_seed(&rng, 12);
    cns_ir_shape kept = {.context = NULL};
    unsigned again = 0;
    for (int round = 0; round < 300; round++) {
        cns_ir_function *f = random_graph(context, &rng);
        cns_ir_value condition = f->blocks[0].first;
        f->kept = &kept;
        for (int step = 0; step < 12; step++) {
            cns_ir_shape shape, second;
            const void *before = kept.memory;
            support_status(context, CNS_OK, cns_ir_shape_init(&shape, f));
            again += before && shape.memory == before;
            check_shape(f, &shape);
            if (step % 3 == 0) {
                support_status(context, CNS_OK, cns_ir_shape_init(&second, f));
                check_shape(f, &second);
                cns_ir_shape_deinit(&second);
            }
            if (step % 4 == 1) {
                end_at_random(f, (uint32_t)cns_rng_below(&rng, f->block_count), condition, &rng);
            }
            cns_ir_shape_deinit(&shape);
            if (step % 4 == 2) {
                end_at_random(f, (uint32_t)cns_rng_below(&rng, f->block_count), condition, &rng);
            }
        }
        cns_ir_destroy(f);
    }
    ck_assert_uint_gt(again, 1000);
    cns_ir_shape_deinit(&kept);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir");
    TCase *cases = tcase_create("ir");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_loop_verifies_and_prints);
    tcase_add_test(cases, faults_are_refused);
    tcase_add_test(cases, the_optimiser_may_claim_proofs);
    tcase_add_test(cases, values_are_removed_moved_and_replaced);
    tcase_add_test(cases, failing_allocations_are_survived);
    tcase_add_test(cases, random_graphs_match_the_definitions);
    tcase_add_test(cases, a_kept_shape_is_handed_out_while_it_fits);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
