/* SPDX-License-Identifier: MIT
 *
 * test_ir_tools.c - text to SSA and back, compaction, copies, counted loops.
 */
#include <string.h>

#include "base/text.h"
#include "ir_text.h"
#include "support.h"

static const char saxpy[] = "kernel saxpy(a: f64, x: buffer of f64, y: buffer of f32, n: nil)\n"
                            "block 0():\n"
                            "  a = argument a\n"
                            "  x = argument x\n"
                            "  y = argument y\n"
                            "  zero = const.i64 0\n"
                            "  one = const.i64 1\n"
                            "  n = len x\n"
                            "  enters = for.enters.i64 one, n, one  ; line 1\n"
                            "  branch enters 7() 5()\n"
                            "block 7():\n"
                            "  count = for.count one, n, one\n"
                            "  jump 3(count, one)\n"
                            "block 3(remaining: i64, i: i64):\n"
                            "  xi = load x, i  ; line 2\n"
                            "  ax: f64 = mul.f64 a, xi\n"
                            "  yi = load y, i proven\n"
                            "  sum = add.f64 ax, yi contract\n"
                            "  store y, i, sum proven converts  ; line 2\n"
                            "  done = eq.i64 remaining, zero\n"
                            "  less = sub.i64 remaining, one\n"
                            "  next = add.i64 i, one\n"
                            "  branch done 5() 3(less, next)\n"
                            "block 5():\n"
                            "  return zero, nil\n";

static char *print(const cns_ir_function *f, cns_text *text) {
    cns_text_init(text, f->context);
    support_status(f->context, CNS_OK, cns_ir_print(f, text));
    return text->bytes;
}

/* Printing, reading and printing again gives the same, after holes are gone. */
START_TEST(text_reads_back) {
    cns_context *context = support_context();
    cns_ir_function *f = support_ir_parse(context, saxpy);
    support_status(context, CNS_OK, cns_ir_verify(f, true));
    support_status(context, CNS_OK, cns_ir_compact(f));
    cns_text first, second;
    cns_ir_function *again = support_ir_parse(context, print(f, &first));
    support_ir_expect(f, first.bytes);
    support_ir_expect(again, saxpy);
    cns_text_deinit(&first);
    ck_assert_str_eq(print(f, &second), print(again, &first));
    ck_assert_ptr_nonnull(strstr(second.bytes, "proven converts  ; line 2"));
    cns_text_deinit(&first);
    cns_text_deinit(&second);
    cns_ir_destroy(f);
    cns_ir_destroy(again);
    support_context_destroy(context);
}
END_TEST

START_TEST(compaction_drops_what_is_not_there) {
    cns_context *context = support_context();
    cns_ir_function *f = support_ir_parse(context, "kernel k(b: bool)\n"
                                                   "block 0():\n"
                                                   "  b = argument b\n"
                                                   "  one = const.i64 1\n"
                                                   "  two = add.i64 one, one\n"
                                                   "  three = add.i64 two, one\n"
                                                   "  branch b 1() 3()\n"
                                                   "block 2():\n"
                                                   "  four = add.i64 three, one\n"
                                                   "  jump 3()\n"
                                                   "block 3():\n"
                                                   "  return two\n"
                                                   "block 1():\n"
                                                   "  jump 3()\n");
    cns_ir_remove(f, support_ir_find(f, CNS_IR_ADD_I64, 2)); /* in the unreachable block */
    cns_ir_remove(f, support_ir_find(f, CNS_IR_ADD_I64, 1));
    support_status(context, CNS_OK, cns_ir_compact(f));
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    ck_assert_uint_eq(f->block_count, 3);
    ck_assert_uint_eq(f->instruction_count, 3);
    ck_assert_uint_eq(f->blocks[0].edges[0].target, 1); /* the yes-edge's block comes before */
    ck_assert_int_eq(f->instructions[f->arguments[0]].op, CNS_IR_ARGUMENT);
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

/* The blocks of each loop stand together, its header first, whatever order they came in. */
START_TEST(compaction_keeps_loops_together) {
    cns_context *context = support_context();
    cns_ir_function *f = support_ir_parse(context, "kernel k(b: bool)\n"
                                                   "block 0():\n"
                                                   "  b = argument b\n"
                                                   "  jump 1()\n"
                                                   "block 1():\n"
                                                   "  branch b 2() 9()\n"
                                                   "block 9():\n"
                                                   "  return\n"
                                                   "block 2():\n"
                                                   "  branch b 3() 4()\n"
                                                   "block 4():\n"
                                                   "  branch b 2() 9()\n"
                                                   "block 3():\n"
                                                   "  branch b 2() 1()\n");
    support_status(context, CNS_OK, cns_ir_compact(f));
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    cns_ir_shape shape;
    support_status(context, CNS_OK, cns_ir_shape_init(&shape, f));
    ck_assert_uint_eq(shape.loop_count, 2);
    for (uint32_t l = 0; l < shape.loop_count; l++) {
        uint32_t b = shape.loops[l].header;
        while (b < f->block_count && cns_ir_loop_contains(&shape, l, b)) {
            b++;
        }
        for (; b < f->block_count; b++) {
            ck_assert(!cns_ir_loop_contains(&shape, l, b));
        }
    }
    cns_ir_shape_deinit(&shape);
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

START_TEST(copies_are_independent) {
    cns_context *context = support_context();
    cns_ir_function *f = support_ir_parse(context, saxpy);
    cns_ir_function *copy = NULL;
    support_status(context, CNS_OK, cns_ir_remark(f, CNS_REMARK_HOISTED, 0, "seven"));
    support_status(context, CNS_OK, cns_ir_clone(f, &copy));
    f->instructions[support_ir_find(f, CNS_IR_MUL_F64, 0)].op = CNS_IR_ADD_F64;
    cns_ir_destroy(f);
    support_status(context, CNS_OK, cns_ir_verify(copy, true));
    ck_assert_str_eq(copy->remarks[0].text, "seven");
    ck_assert_str_eq(copy->sites[0].source, "k.lua");
    ck_assert_uint_eq(copy->arguments[3], CNS_IR_NONE);
    cns_ir_value value; /* it grows like any other */
    cns_ir_block_id block;
    support_status(context, CNS_OK, cns_ir_add_i64(copy, 77, &value));
    support_status(context, CNS_OK, cns_ir_add_block(copy, &block));
    support_status(context, CNS_OK, cns_ir_add_argument(copy, CNS_VM_BOOL, "b", &value));
    support_status(context, CNS_OK, cns_ir_end_jump(copy, block, 0, block, NULL, 0));
    support_ir_expect(copy, strcat(strcpy((char[1024]){0}, "kernel saxpy(a: f64, x: buffer of f64,"
                                                           " y: buffer of f32, n: nil, b: bool)\n"
                                                           "block 0():\n  b = argument b\n"),
                                   strstr(saxpy, "  a = argument a")));
    cns_ir_destroy(copy);
    support_context_destroy(context);
}
END_TEST

static cns_status compact_and_copy(cns_context *context) {
    cns_ir_function *f = NULL, *copy = NULL;
    cns_ir_value one, sum;
    cns_ir_block_id block;
    cns_status status = cns_ir_create(context, "k", &f);
    if (status != CNS_OK) {
        return status;
    }
    status = cns_ir_add_i64(f, 1, &one);
    status = status == CNS_OK ? cns_ir_add_block(f, &block) : status;
    status = status == CNS_OK ? cns_ir_add_parameter(f, block, CNS_VM_I64, &sum) : status;
    status = status == CNS_OK ? cns_ir_end_jump(f, 0, CNS_IR_NONE, block, &one, 1) : status;
    status = status == CNS_OK ? cns_ir_end_return(f, block, CNS_IR_NONE, &sum, 1) : status;
    status = status == CNS_OK ? cns_ir_compact(f) : status;
    status = status == CNS_OK ? cns_ir_clone(f, &copy) : status;
    cns_ir_destroy(copy);
    cns_ir_destroy(f);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(compact_and_copy);
}
END_TEST

/* ---- counted loops --------------------------------------------------------------------------- */

/* Matches the outermost loop of a function whose text is a template with three holes. */
static bool match(cns_context *context, const char *text, cns_ir_function **out, cns_ir_for *loop) {
    cns_ir_shape shape;
    *out = support_ir_parse(context, text);
    support_status(context, CNS_OK, cns_ir_verify(*out, true));
    support_status(context, CNS_OK, cns_ir_shape_init(&shape, *out));
    ck_assert_uint_ge(shape.loop_count, 1);
    bool matched = cns_ir_for_match(*out, &shape, 0, loop);
    cns_ir_shape_deinit(&shape);
    return matched;
}

#define HEAD                                                                                       \
    "kernel k(a: i64, n: i64, s: i64, b: bool)\n"                                                  \
    "block 0():\n"                                                                                 \
    "  a = argument a\n"                                                                           \
    "  n = argument n\n"                                                                           \
    "  s = argument s\n"                                                                           \
    "  b = argument b\n"                                                                           \
    "  zero = const.i64 0\n"                                                                       \
    "  one = const.i64 1\n"                                                                        \
    "  two = const.i64 2\n"                                                                        \
    "  three = const.i64 3\n"                                                                      \
    "  minus = const.i64 -1\n"                                                                     \
    "  big = const.i64 9223372036854775806\n"                                                      \
    "  count = for.count a, n, s\n"                                                                \
    "  count2 = for.count one, n, two\n"                                                           \
    "  fewer = sub.i64 count, one\n"                                                               \
    "  fewer2 = add.i64 count2, minus\n"                                                           \
    "  later = add.i64 a, s\n"
#define TAIL                                                                                       \
    "block 2():\n"                                                                                 \
    "  return\n"

typedef struct example {
    const char *text;
    bool matches;
    bool index;
} example;

static const example examples[] = {
    /* as the builder makes it; step from outside */
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, true},
    /* operands the other way round, other parameters, several blocks, entered by a branch */
    {HEAD "  branch b 1(one, a, count) 2()\n"
          "block 1(other: i64, i: i64, r: i64):\n"
          "  next = add.i64 s, i\n"
          "  branch b 3() 4()\n"
          "block 3():\n"
          "  jump 4()\n"
          "block 4():\n"
          "  less = add.i64 r, minus\n"
          "  more = add.i64 other, one\n"
          "  z = eq.i64 zero, r\n"
          "  branch z 2() 1(more, next, less)\n" TAIL,
     true, true},
    /* an inner loop */
    {HEAD "  jump 1(count2, one)\n"
          "block 1(r: i64, i: i64):\n"
          "  jump 3()\n"
          "block 3():\n"
          "  branch b 3() 4()\n"
          "block 4():\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, two\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, true},
    /* after one peeled trip, with a step that is not constant, and with a constant one */
    {HEAD "  jump 1(fewer, later)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, true},
    {HEAD "  jump 1(fewer2, three)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, two\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, true},
    /* constants all through: 1, 4, 7, 10 */
    {HEAD "  jump 1(three, one)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, three\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, true},
    /* counted, but what looks like an index may wrap: no index */
    {HEAD "  jump 1(three, big)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, one\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, false},
    {HEAD "  jump 1(n, one)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, one\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, false},
    {HEAD "  jump 1(fewer, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, false},
    /* the index is gone */
    {HEAD "  jump 1(count)\n"
          "block 1(r: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  branch z 2() 1(less)\n" TAIL,
     true, false},
    /* down by 2; the step is made in the loop; on until it is 1; the way out is the wrong one */
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, two\n"
          "  next = add.i64 i, s\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     false, false},
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  step = mul.i64 i, two\n"
          "  next = add.i64 i, step\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     true, false},
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, one\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     false, false},
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch z 1(less, next) 2()\n" TAIL,
     false, false},
    /* a break; two latches; two ways in */
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch b 2() 3()\n"
          "block 3():\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     false, false},
    {HEAD "  jump 1(count, a)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch b 1(less, next) 3()\n"
          "block 3():\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     false, false},
    {HEAD "  branch b 1(count, a) 1(fewer, later)\n"
          "block 1(r: i64, i: i64):\n"
          "  z = eq.i64 r, zero\n"
          "  less = sub.i64 r, one\n"
          "  next = add.i64 i, s\n"
          "  branch z 2() 1(less, next)\n" TAIL,
     false, false},
};

START_TEST(counted_loops_are_recognised) {
    const example *e = &examples[_i];
    cns_context *context = support_context();
    cns_ir_function *f;
    cns_ir_for loop;
    bool matched = match(context, e->text, &f, &loop);
    ck_assert_msg(matched == e->matches, "%s", e->text);
    if (matched) {
        ck_assert_msg((loop.index != CNS_IR_NONE) == e->index, "%s", e->text);
        ck_assert_int_eq(f->instructions[loop.remaining].op, CNS_IR_PARAM);
        ck_assert_int_ne(f->instructions[loop.initial_remaining].op, CNS_IR_PARAM);
    }
    if (matched && e->index) {
        ck_assert_int_eq(f->instructions[loop.index].op, CNS_IR_PARAM);
        ck_assert_uint_ne(loop.index, loop.remaining);
        ck_assert_uint_eq(f->instructions[loop.step].block, 0);
        ck_assert_uint_eq(f->instructions[loop.initial_index].block, 0);
    }
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("ir_tools");
    TCase *cases = tcase_create("ir_tools");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, text_reads_back);
    tcase_add_test(cases, compaction_drops_what_is_not_there);
    tcase_add_test(cases, compaction_keeps_loops_together);
    tcase_add_test(cases, copies_are_independent);
    tcase_add_test(cases, failing_allocations_are_survived);
    tcase_add_loop_test(cases, counted_loops_are_recognised, 0, sizeof examples / sizeof *examples);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
