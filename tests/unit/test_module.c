/* SPDX-License-Identifier: MIT
 *
 * test_module.c - IR to bytes and back: random functions return as they were, and damage, with and
 * without a forged digest, is refused or gives a function that verifies.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/text.h"
#include "cns/hash.h"
#include "ir_text.h"
#include "support.h"
#include "vm/module.h"

/* ---- functions to write ---------------------------------------------------------------------- */

enum { VALUES_MAX = 200 };

/* A function being made, and what its blocks so far dominate the next one with, by type. */
typedef struct maker {
    cns_ir_function *f;
    cns_rng rng;
    cns_ir_value of[256][VALUES_MAX];
    uint32_t count[256];
} maker;

static void know(maker *m, cns_ir_value value) {
    uint8_t type = cns_ir_at(m->f, value)->type;
    if (m->count[type] < VALUES_MAX) {
        m->of[type][m->count[type]++] = value;
    }
}

static cns_ir_value pick(maker *m, uint8_t type) {
    return m->of[type][cns_rng_below(&m->rng, m->count[type])];
}

static cns_ir_value pick_operand(maker *m, char letter) {
    switch (letter) {
    case 'b':
        return pick(m, CNS_VM_BOOL);
    case 'i':
        return pick(m, CNS_VM_I64);
    case 'f':
        return pick(m, CNS_VM_F64);
    case 'B':
        return pick(m, CNS_VM_BUFFER + CNS_F32);
    default:
        return pick(m, cns_rng_below(&m->rng, 2) ? CNS_VM_I64 : CNS_VM_F64);
    }
}

static cns_status add_operations(maker *m, cns_ir_block_id block, uint32_t site) {
    cns_status status = CNS_OK;
    for (uint64_t n = cns_rng_below(&m->rng, 12); n > 0 && status == CNS_OK; n--) {
        cns_ir_op op = (cns_ir_op)(CNS_IR_SELECT_BOOL +
                                   cns_rng_below(&m->rng, CNS_IR_OP_COUNT - CNS_IR_SELECT_BOOL));
        op = op == CNS_IR_FOR_COUNT ? CNS_IR_FOR_CLIP : op; /* only where a loop is entered */
        const char *letters = cns_ir_info(op)->operands;
        cns_ir_value operands[CNS_IR_OPERANDS];
        for (size_t i = 0; letters[i]; i++) {
            operands[i] = pick_operand(m, letters[i]);
        }
        cns_ir_value value = CNS_IR_NONE;
        status = cns_ir_add(m->f, block, op, site, operands, &value);
        if (status == CNS_OK && cns_ir_at(m->f, value)->type != CNS_VM_VOID) {
            if (op == CNS_IR_ADD_F64) {
                m->f->instructions[value].flags = CNS_IR_REASSOCIATE;
            } else if (op == CNS_IR_LOAD && cns_rng_below(&m->rng, 2)) {
                m->f->instructions[value].flags = CNS_IR_PROVEN; /* not written */
            }
            know(m, value);
        }
    }
    return status;
}

static cns_status add_leaves(maker *m) {
    static const int64_t integers[] = {0, 1, -1, 63, 64, -64, -65, INT64_MAX, INT64_MIN, 1 << 20};
    static const double reals[] = {0.0, -0.0, 0.1, 1e300, 5e-324};
    cns_ir_value value;
    cns_status status = cns_ir_add_argument(m->f, CNS_VM_BUFFER + CNS_F32, "x", &value);
    know(m, value);
    status = status == CNS_OK ? cns_ir_add_argument(m->f, CNS_VM_NIL, "none", &value) : status;
    for (size_t i = 0; i < sizeof integers / sizeof *integers && status == CNS_OK; i++) {
        status = cns_ir_add_i64(m->f, integers[i], &value);
        know(m, value);
    }
    for (size_t i = 0; i < sizeof reals / sizeof *reals && status == CNS_OK; i++) {
        status = cns_ir_add_f64(m->f, reals[i], &value);
        know(m, value);
    }
    status = status == CNS_OK ? cns_ir_add_bool(m->f, true, &value) : status;
    know(m, value);
    return status;
}

/* A chain of blocks, so that what a block knows holds in all later ones; each may go back to an
 * earlier one, and its parameters get values of their types. */
static cns_status add_chain(maker *m, uint32_t blocks, const uint32_t *sites) {
    static const uint8_t types[] = {CNS_VM_BOOL, CNS_VM_I64, CNS_VM_F64};
    cns_status status = CNS_OK;
    cns_ir_block_id id;
    cns_ir_value value;
    for (uint32_t b = 1; b < blocks && status == CNS_OK; b++) {
        status = cns_ir_add_block(m->f, &id);
        for (uint64_t p = cns_rng_below(&m->rng, 4); p > 0 && status == CNS_OK; p--) {
            status = cns_ir_add_parameter(m->f, id, types[cns_rng_below(&m->rng, 3)], &value);
            if (status == CNS_OK && p == 2) {
                status = cns_ir_name(m->f, value, b % 2 ? "s" : "total");
            }
        }
    }
    for (uint32_t b = 0; b < blocks && status == CNS_OK; b++) {
        for (uint32_t p = 0; p < m->f->blocks[b].parameter_count; p++) {
            know(m, m->f->blocks[b].parameters[p]);
        }
        status = add_operations(m, b, sites[b % 2]);
        if (status != CNS_OK || b + 1 == blocks) {
            break;
        }
        uint32_t back = b == 0 ? 1 : 1 + (uint32_t)cns_rng_below(&m->rng, b);
        bool branch = cns_rng_below(&m->rng, 2);
        status = branch ? cns_ir_end_branch(m->f, b, sites[1], pick(m, CNS_VM_BOOL), b + 1, back)
                        : cns_ir_end_jump(m->f, b, CNS_IR_NONE, b + 1, NULL, 0);
        for (uint32_t e = 0; e < 1u + branch && status == CNS_OK; e++) {
            const cns_ir_block *target = &m->f->blocks[e ? back : b + 1];
            cns_ir_value arguments[4];
            for (uint32_t p = 0; p < target->parameter_count; p++) {
                arguments[p] = pick(m, cns_ir_at(m->f, target->parameters[p])->type);
            }
            status = cns_ir_set_arguments(m->f, b, e, arguments, target->parameter_count);
        }
    }
    cns_ir_value results[] = {pick(m, CNS_VM_F64), CNS_IR_NONE, pick(m, CNS_VM_I64)};
    return status == CNS_OK ? cns_ir_end_return(m->f, blocks - 1, sites[0], results, 3) : status;
}

static cns_status make_random(cns_context *context, uint64_t seed, cns_ir_function **out) {
    static maker m; /* large; the tests run one thread */
    memset(&m, 0, sizeof m);
    cns_rng_seed(&m.rng, seed);
    uint32_t sites[2];
    cns_status status = cns_ir_create(context, "random", &m.f);
    if (status != CNS_OK) {
        return status;
    }
    *out = m.f;
    status = cns_ir_add_site(m.f, "a.lua", 3, CNS_IR_NONE, &sites[0]);
    status = status == CNS_OK ? cns_ir_add_site(m.f, "b.lua", 700, 0, &sites[1]) : status;
    status = status == CNS_OK
                 ? cns_ir_remark(m.f, CNS_REMARK_INLINED, sites[1], "%s", "f is inlined")
                 : status;
    status = status == CNS_OK ? add_leaves(&m) : status;
    if (status == CNS_OK) {
        m.f->blocks[m.f->block_count - 1].flags = CNS_IR_PARALLEL;
        status = add_chain(&m, 1 + (uint32_t)cns_rng_below(&m.rng, 9), sites);
    }
    return status;
}

/* ---- the same -------------------------------------------------------------------------------- */

/* Walks both functions in reverse postorder and pairs their values. */
typedef struct pairing {
    const cns_ir_function *a, *b;
    cns_ir_value *map; /* a's value -> b's */
} pairing;

static void same_value(const pairing *p, cns_ir_value a, cns_ir_value b) {
    ck_assert_uint_eq(a == CNS_IR_NONE ? CNS_IR_NONE : p->map[a], b);
}

static void same_instruction(const pairing *p, cns_ir_value va, cns_ir_value vb) {
    const cns_ir_instruction *a = cns_ir_at(p->a, va), *b = cns_ir_at(p->b, vb);
    ck_assert_uint_eq(a->op, b->op);
    ck_assert_uint_eq(a->type, b->type);
    ck_assert_uint_eq(a->flags & ~(CNS_IR_PROVEN | CNS_IR_CONVERTS), b->flags);
    ck_assert_uint_eq(a->site, b->site);
    ck_assert_uint_eq(a->operand_count, b->operand_count);
    for (uint32_t i = 0; i < a->operand_count; i++) {
        same_value(p, a->operands[i], b->operands[i]);
    }
    ck_assert_int_eq(a->i, b->i); /* every member of the union */
    p->map[va] = vb;
}

static void same_block(const pairing *p, const cns_ir_shape *shape, const cns_ir_block *a,
                       const cns_ir_block *b) {
    ck_assert_uint_eq(a->parameter_count, b->parameter_count);
    for (uint32_t i = 0; i < a->parameter_count; i++) {
        same_instruction(p, a->parameters[i], b->parameters[i]);
    }
    cns_ir_value vb = b->first;
    for (cns_ir_value va = a->first; va != CNS_IR_NONE; va = cns_ir_at(p->a, va)->next) {
        ck_assert_uint_ne(vb, CNS_IR_NONE);
        same_instruction(p, va, vb);
        vb = cns_ir_at(p->b, vb)->next;
    }
    ck_assert_uint_eq(vb, CNS_IR_NONE);
    ck_assert_uint_eq(a->end, b->end);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_uint_eq(a->site, b->site);
    same_value(p, a->condition, b->condition);
    for (int e = 0; e < (a->end == CNS_IR_BRANCH ? 2 : 1); e++) {
        if (a->end != CNS_IR_RETURN) {
            ck_assert_uint_eq(shape->position[a->edges[e].target], b->edges[e].target);
        }
        ck_assert_uint_eq(a->edges[e].count, b->edges[e].count);
        for (uint32_t i = 0; i < a->edges[e].count; i++) {
            same_value(p, a->edges[e].arguments[i], b->edges[e].arguments[i]);
        }
    }
}

static void same_function(const cns_ir_function *a, const cns_ir_function *b) {
    cns_ir_shape shape;
    support_status(a->context, CNS_OK, cns_ir_shape_init(&shape, a));
    pairing p = {a, b, malloc((a->instruction_count + 1) * sizeof *p.map)};
    memset(p.map, 0xff, (a->instruction_count + 1) * sizeof *p.map);
    ck_assert_str_eq(a->name, b->name);
    ck_assert_uint_eq(shape.order_count, b->block_count);
    for (uint32_t i = 0; i < shape.order_count; i++) {
        same_block(&p, &shape, &a->blocks[shape.order[i]], &b->blocks[i]);
    }
    ck_assert_uint_eq(a->argument_count, b->argument_count);
    for (uint32_t i = 0; i < a->argument_count; i++) {
        same_value(&p, a->arguments[i], b->arguments[i]);
        ck_assert_str_eq(a->argument_names[i], b->argument_names[i]);
    }
    ck_assert_uint_eq(a->site_count, b->site_count);
    for (uint32_t s = 0; s < a->site_count; s++) {
        ck_assert_str_eq(a->sites[s].source, b->sites[s].source);
        ck_assert_uint_eq(a->sites[s].line, b->sites[s].line);
        ck_assert_uint_eq(a->sites[s].inlined_at, b->sites[s].inlined_at);
    }
    ck_assert_uint_eq(a->name_count, b->name_count);
    for (uint32_t n = 0; n < a->name_count; n++) {
        ck_assert_str_eq(a->names[n], b->names[n]);
    }
    ck_assert_uint_eq(a->remark_count, b->remark_count);
    for (uint32_t r = 0; r < a->remark_count; r++) {
        ck_assert_int_eq(a->remarks[r].kind, b->remarks[r].kind);
        ck_assert_uint_eq(a->remarks[r].site, b->remarks[r].site);
        ck_assert_str_eq(a->remarks[r].text, b->remarks[r].text);
    }
    free(p.map);
    cns_ir_shape_deinit(&shape);
}

START_TEST(random_functions_come_back) {
    cns_context *context = support_context();
    for (uint64_t seed = 0; seed < 400; seed++) {
        cns_ir_function *f = NULL, *again = NULL;
        support_status(context, CNS_OK, make_random(context, seed, &f));
        support_status(context, CNS_OK, cns_ir_verify(f, true));
        cns_text first, second;
        cns_text_init(&first, context);
        cns_text_init(&second, context);
        cns_text_append(&first, "front", 5); /* the writer appends */
        support_status(context, CNS_OK, cns_ir_write(f, &first));
        cns_text_append(&first, "behind", 6); /* the reader knows the end */
        size_t used = 0;
        support_status(context, CNS_OK,
                       cns_ir_read(context, first.bytes + 5, first.length - 5, &used, &again));
        ck_assert_uint_eq(used, first.length - 11);
        same_function(f, again);
        support_status(context, CNS_OK, cns_ir_write(again, &second));
        ck_assert_uint_eq(second.length, used);
        ck_assert_mem_eq(second.bytes, first.bytes + 5, used);
        cns_text_deinit(&first);
        cns_text_deinit(&second);
        cns_ir_destroy(f);
        cns_ir_destroy(again);
    }
    support_context_destroy(context);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

static cns_text written(cns_context *context, uint64_t seed) {
    cns_ir_function *f = NULL;
    cns_text bytes;
    cns_text_init(&bytes, context);
    support_status(context, CNS_OK, make_random(context, seed, &f));
    support_status(context, CNS_OK, cns_ir_write(f, &bytes));
    cns_ir_destroy(f);
    return bytes;
}

/* A copy of exactly the size, so that a sanitizer sees a read beyond it. */
static cns_status read_copy(cns_context *context, const char *bytes, size_t size,
                            cns_ir_function **out) {
    char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    size_t used = 0;
    *out = NULL;
    cns_status status = cns_ir_read(context, copy, size, &used, out);
    free(copy);
    return status;
}

START_TEST(damage_is_refused) {
    cns_context *context = support_context();
    cns_text bytes = written(context, 7);
    cns_ir_function *f;
    for (size_t i = 0; i < bytes.length; i++) {
        for (int bit = 0; bit < 8; bit++) {
            bytes.bytes[i] = (char)(bytes.bytes[i] ^ 1 << bit);
            cns_status status = read_copy(context, bytes.bytes, bytes.length, &f);
            ck_assert(status == CNS_E_CORRUPT || (status == CNS_E_UNSUPPORTED && i == 4));
            bytes.bytes[i] = (char)(bytes.bytes[i] ^ 1 << bit);
        }
        support_status(context, CNS_E_CORRUPT, read_copy(context, bytes.bytes, i, &f));
    }
    support_status(context, CNS_E_CORRUPT, cns_ir_read(context, NULL, 0, &(size_t){0}, &f));
    cns_text_deinit(&bytes);
    support_context_destroy(context);
}
END_TEST

static void seal(cns_text *bytes) {
    size_t body = bytes->length - CNS_IR_DIGEST;
    ck_assert_int_eq(cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, bytes->bytes, body,
                                     bytes->bytes + body, CNS_IR_DIGEST),
                     CNS_OK);
}

/* Behind a digest that was made anew: refused, or a function that keeps every invariant, from
 * which the same comes again. */
static bool read_forged(cns_context *context, cns_text *bytes) {
    cns_ir_function *f, *again;
    seal(bytes);
    cns_status status = read_copy(context, bytes->bytes, bytes->length, &f);
    ck_assert(status == CNS_OK || status == CNS_E_CORRUPT || status == CNS_E_UNSUPPORTED);
    if (status != CNS_OK) {
        return false;
    }
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    cns_text second;
    cns_text_init(&second, context);
    support_status(context, CNS_OK, cns_ir_print(f, &second));
    cns_text_deinit(&second);
    support_status(context, CNS_OK, cns_ir_write(f, &second));
    support_status(context, CNS_OK, read_copy(context, second.bytes, second.length, &again));
    same_function(f, again);
    cns_text_deinit(&second);
    cns_ir_destroy(f);
    cns_ir_destroy(again);
    return true;
}

START_TEST(forgeries_are_refused_or_verify) {
    cns_context *context = support_context();
    unsigned refused = 0, taken = 0;
    for (uint64_t seed = 3; seed < 5; seed++) {
        cns_text bytes = written(context, seed);
        for (size_t i = 4; i < bytes.length - CNS_IR_DIGEST; i++) {
            char before = bytes.bytes[i];
            for (int value = 0; value < 256; value += value < 8 || value > 252 ? 1 : 19) {
                bytes.bytes[i] = (char)value;
                *(read_forged(context, &bytes) ? &taken : &refused) += 1;
            }
            bytes.bytes[i] = before;
        }
        cns_text_deinit(&bytes);
    }
    ck_assert_uint_gt(refused, 1000);
    ck_assert_uint_gt(taken, 1000); /* other constants, lines, names, operands of the same type */
    support_context_destroy(context);
}
END_TEST

/* A count is believed to be one of trips that do not wrap: it must stand behind its test. */
START_TEST(counts_of_loops_not_entered_are_refused) {
    static const char *const texts[] = {
        "block 0():\n  n = argument n\n  one = const.i64 1\n"
        "  e = for.enters.i64 one, n, one\n  branch e 1() 2()\n"
        "block 1():\n  count = for.count one, n, one\n  jump 2()\nblock 2():\n  return n\n",
        /* the same without the test, on its other side, of another loop, behind both sides */
        "block 0():\n  n = argument n\n  one = const.i64 1\n"
        "  count = for.count one, n, one\n  return n\n",
        "block 0():\n  n = argument n\n  one = const.i64 1\n"
        "  e = for.enters.i64 one, n, one\n  branch e 2() 1()\n"
        "block 1():\n  count = for.count one, n, one\n  jump 2()\nblock 2():\n  return n\n",
        "block 0():\n  n = argument n\n  one = const.i64 1\n"
        "  e = for.enters.i64 one, one, one\n  branch e 1() 2()\n"
        "block 1():\n  count = for.count one, n, one\n  jump 2()\nblock 2():\n  return n\n",
        "block 0():\n  n = argument n\n  one = const.i64 1\n"
        "  e = for.enters.i64 one, n, one\n  branch e 1() 1()\n"
        "block 1():\n  count = for.count one, n, one\n  return n\n",
    };
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[1024];
        snprintf(text, sizeof text, "kernel k(n: i64)\n%s", texts[i]);
        cns_ir_function *f = support_ir_parse(context, text), *again = NULL;
        cns_text bytes;
        cns_text_init(&bytes, context);
        size_t used;
        support_status(context, CNS_OK, cns_ir_write(f, &bytes));
        support_status(context, i == 0 ? CNS_OK : CNS_E_CORRUPT,
                       cns_ir_read(context, bytes.bytes, bytes.length, &used, &again));
        cns_text_deinit(&bytes);
        cns_ir_destroy(f);
        cns_ir_destroy(again);
    }
    support_context_destroy(context);
}
END_TEST

START_TEST(another_version_is_named) {
    cns_context *context = support_context();
    cns_text bytes = written(context, 1);
    cns_ir_function *f;
    bytes.bytes[4]++;
    seal(&bytes);
    support_status(context, CNS_E_UNSUPPORTED, read_copy(context, bytes.bytes, bytes.length, &f));
    char message[128];
    cns_context_message(context, message, sizeof message);
    ck_assert_ptr_nonnull(strstr(message, "format 2"));
    cns_text_deinit(&bytes);
    support_context_destroy(context);
}
END_TEST

static cns_status there_and_back(cns_context *context) {
    cns_ir_function *f = NULL, *again = NULL;
    cns_text bytes;
    cns_text_init(&bytes, context);
    cns_status status = make_random(context, 12, &f);
    status = status == CNS_OK ? cns_ir_write(f, &bytes) : status;
    size_t used;
    status =
        status == CNS_OK ? cns_ir_read(context, bytes.bytes, bytes.length, &used, &again) : status;
    cns_text_deinit(&bytes);
    cns_ir_destroy(f);
    cns_ir_destroy(again);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(there_and_back);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("module");
    TCase *cases = tcase_create("module");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, random_functions_come_back);
    tcase_add_test(cases, damage_is_refused);
    tcase_add_test(cases, forgeries_are_refused_or_verify);
    tcase_add_test(cases, counts_of_loops_not_entered_are_refused);
    tcase_add_test(cases, another_version_is_named);
    tcase_add_test(cases, failing_allocations_are_survived);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
