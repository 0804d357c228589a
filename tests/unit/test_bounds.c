/* SPDX-License-Identifier: MIT
 *
 * test_bounds.c - cns_pass_bounds: loops at the edges of their buffers. Each is run by the
 * evaluator before and after, with buffers of every small size and limits around it: the results,
 * the trap, its place and what was stored before it must be the same to the bit. The evaluator
 * refuses a PROVEN access that is not inside.
 */
#include <stdio.h>
#include <string.h>

#include "ir_eval.h"
#include "ir_text.h"
#include "support.h"
#include "vm/passes.h"

#define FUNCTION                                                                                   \
    "kernel bounds(x: buffer of f64, y: buffer of f64, n: i64, m: i64)\nblock 0():\n"              \
    "  x = argument x\n  y = argument y\n  n = argument n\n  m = argument m\n"
#define CONSTANTS "  zero = const.i64 0\n  one = const.i64 1\n  two = const.i64 2\n"

enum { ELEMENTS = 12 };

static const struct {
    const char *code;
    uint32_t copies; /* of loops that were versioned, whose accesses are proven */
} loops[] = {
    /* for k = 1, n do y[k] = x[k] + x[k + 1] end */
    {CONSTANTS "  e = for.enters.i64 one, n, one\n  branch e 1() 3()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  v = load x, k ; line 1\n  o = add.i64 k, one\n  w = load x, o ; line 2\n"
               "  s = add.f64 v, w\n  store y, k, s ; line 3\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 3() 2(q, t)\n"
               "block 3():\n  return\n",
     1},
    /* for k = n, m, -2 do y[k] = x[k - 1] end */
    {CONSTANTS "  step = const.i64 -2\n  e = for.enters.i64 n, m, step\n  branch e 1() 3()\n"
               "block 1():\n  c = for.count n, m, step\n  jump 2(c, n)\n"
               "block 2(r: i64, k: i64):\n"
               "  o = sub.i64 k, one\n  v = load x, o ; line 1\n  store y, k, v ; line 2\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, step\n"
               "  branch d 3() 2(q, t)\n"
               "block 3():\n  return\n",
     1},
    /* the step and the factor are known when it runs: for k = 1, n, m do y[k * m] = x[k] end */
    {CONSTANTS "  e = for.enters.i64 one, n, m ; line 9\n  branch e 1() 3()\n"
               "block 1():\n  c = for.count one, n, m\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  v = load x, k ; line 1\n  p = mul.i64 k, m\n  store y, p, v ; line 2\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, m\n"
               "  branch d 3() 2(q, t)\n"
               "block 3():\n  return\n",
     1},
    /* leaves early, from two places; what it found is used behind, by way of a meeting point */
    {CONSTANTS "  low = const.f64 3.0\n  high = const.f64 9.0\n"
               "  e = for.enters.i64 one, n, one\n  branch e 1() 7(zero)\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  v = load x, k ; line 1\n  a = lt.f64 v, low\n  branch a 5() 3()\n"
               "block 3():\n"
               "  store y, k, low ; line 2\n  b = lt.f64 high, v\n  branch b 5() 4()\n"
               "block 4():\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 6() 2(q, t)\n"
               "block 5():\n"
               "  store y, one, v ; line 3\n  jump 7(k)\n"
               "block 6():\n  j = add.i64 k, r\n  jump 7(j)\n"
               "block 7(found: i64):\n  return found\n",
     1},
    /* the same, where values of the loop are used behind the place where two ways out meet */
    {CONSTANTS "  low = const.f64 3.0\n"
               "  e = for.enters.i64 one, n, one\n  branch e 1() 6()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  v = load x, k ; line 1\n  a = lt.f64 v, low\n  branch a 4() 3()\n"
               "block 3():\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 5() 2(q, t)\n"
               "block 4():\n  jump 5()\n"
               "block 5():\n  return k, v, a\n"
               "block 6():\n  return\n",
     1},
    /* behind a peeled first trip */
    {CONSTANTS "  e = for.enters.i64 one, n, one\n  branch e 1() 4()\n"
               "block 1():\n"
               "  c = for.count one, n, one\n  v0 = load x, one ; line 1\n"
               "  store y, one, v0 ; line 2\n"
               "  d0 = eq.i64 c, zero\n  q0 = sub.i64 c, one\n  branch d0 4() 2()\n"
               "block 2():\n  jump 3(q0, two, v0)\n"
               "block 3(r: i64, k: i64, s: f64):\n"
               "  v = load x, k ; line 3\n  w = add.f64 s, v\n  store y, k, w ; line 4\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 4() 3(q, t, w)\n"
               "block 4():\n  return\n",
     1},
    /* what is loaded is no index that could be tested before */
    {CONSTANTS "  e = for.enters.i64 one, n, one\n  branch e 1() 3()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  o = mul.i64 k, k\n  v = load x, o ; line 1\n  store y, o, v ; line 2\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 3() 2(q, t)\n"
               "block 3():\n  return\n",
     0},
    /* most accesses cannot be tested before: not worth a copy */
    {CONSTANTS "  e = for.enters.i64 one, n, one\n  branch e 1() 3()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  o = mul.i64 k, k\n  v = load x, k ; line 1\n  w = load x, o ; line 2\n"
               "  s = add.f64 v, w\n  store y, o, s ; line 3\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 3() 2(q, t)\n"
               "block 3():\n  return\n",
     0},
    /* half of them can be */
    {CONSTANTS "  e = for.enters.i64 one, n, one\n  branch e 1() 3()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  o = mul.i64 k, k\n  v = load x, k ; line 1\n  store y, o, v ; line 2\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 3() 2(q, t)\n"
               "block 3():\n  return\n",
     1},
    /* for k = 1, n do v = x[k]; for j = 1, m do y[j] = v end end: the inner loop alone */
    {CONSTANTS "  e = for.enters.i64 one, n, one\n  branch e 1() 6()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  v = load x, k ; line 1\n"
               "  g = for.enters.i64 one, m, one\n  branch g 3() 5()\n"
               "block 3():\n  h = for.count one, m, one\n  jump 4(h, one)\n"
               "block 4(a: i64, j: i64):\n"
               "  store y, j, v ; line 2\n"
               "  z = eq.i64 a, zero\n  b = sub.i64 a, one\n  i = add.i64 j, one\n"
               "  branch z 5() 4(b, i)\n"
               "block 5():\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 6() 2(q, t)\n"
               "block 6():\n  return\n",
     1},
    /* for k = 1, n do s = 0; for j = 1, m do s = s + x[j] end; y[k] = s end: both, since
     * iterations of the outer one may run in groups */
    {CONSTANTS "  start = const.f64 0.0\n"
               "  e = for.enters.i64 one, n, one\n  branch e 1() 6()\n"
               "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
               "block 2(r: i64, k: i64):\n"
               "  g = for.enters.i64 one, m, one\n  branch g 3() 5(start)\n"
               "block 3():\n  h = for.count one, m, one\n  jump 4(h, one, start)\n"
               "block 4(a: i64, j: i64, s: f64):\n"
               "  v = load x, j ; line 1\n  p = add.f64 s, v\n"
               "  z = eq.i64 a, zero\n  b = sub.i64 a, one\n  i = add.i64 j, one\n"
               "  branch z 5(p) 4(b, i, p)\n"
               "block 5(u: f64):\n"
               "  store y, k, u ; line 2\n"
               "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
               "  branch d 6() 2(q, t)\n"
               "block 6():\n  return\n",
     2},
};

typedef struct outcome {
    cns_trap trap;
    uint32_t line; /* of the trap */
    uint32_t result_count;
    cns_vm_value results[4];
    double elements[2 * ELEMENTS];
} outcome;

static void run(const cns_ir_function *f, uint64_t x, uint64_t y, bool overlap, int64_t n,
                int64_t m, outcome *out) {
    memset(out, 0, sizeof *out);
    for (int i = 0; i < 2 * ELEMENTS; i++) {
        out->elements[i] = 4 + (i * 7) % 10 * 0.5 + (i == 7 || i == 17 ? 8 : 0);
    }
    cns_vm_value arguments[4];
    memset(arguments, 0, sizeof arguments);
    arguments[0].data = out->elements;
    arguments[0].count = x;
    arguments[1].data = out->elements + (overlap ? 1 : ELEMENTS);
    arguments[1].count = y;
    arguments[2].integer = n;
    arguments[3].integer = m;
    cns_run call = {.arguments = arguments, .results = out->results, .result_capacity = 4};
    support_ir_eval(f, &call, 100000);
    out->trap = call.trap;
    out->result_count = call.result_count;
    if (call.trap.kind != CNS_TRAP_NONE && call.trap.site < f->site_count) {
        out->line = f->sites[call.trap.site].line;
    }
}

static void check_same(const outcome *a, const outcome *b) {
    ck_assert_uint_eq(a->trap.kind, b->trap.kind);
    ck_assert_uint_eq(a->line, b->line);
    ck_assert_mem_eq(a->elements, b->elements, sizeof a->elements);
    if (a->trap.kind != CNS_TRAP_NONE) {
        ck_assert_int_eq(a->trap.integer, b->trap.integer);
        ck_assert_uint_eq(a->trap.other, b->trap.other);
        return;
    }
    ck_assert_uint_eq(a->result_count, b->result_count);
    for (uint32_t i = 0; i < a->result_count; i++) {
        ck_assert_uint_eq(a->results[i].type, b->results[i].type);
        ck_assert_int_eq(a->results[i].integer, b->results[i].integer);
    }
}

static uint32_t count_proven(const cns_ir_function *f) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->instruction_count; i++) {
        bool access = f->instructions[i].op == CNS_IR_LOAD || f->instructions[i].op == CNS_IR_STORE;
        count += access && f->instructions[i].flags & CNS_IR_PROVEN;
    }
    return count;
}

static uint32_t count_copies(const cns_ir_function *f) {
    uint32_t count = 0;
    for (uint32_t b = 0; b < f->block_count; b++) {
        count += (f->blocks[b].flags & CNS_IR_COLD) != 0;
    }
    return count;
}

static cns_ir_function *parse(cns_context *context, int which) {
    char text[4000];
    snprintf(text, sizeof text, "%s%s", FUNCTION, loops[which].code);
    cns_ir_function *f = support_ir_parse(context, text);
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    return f;
}

START_TEST(loops_keep_their_meaning) {
    static const int64_t limits[] = {INT64_MIN, INT64_MIN + 1, -3, -1, 0, 1, 2, 3, 4, 5, 10, 11,
                                     12,        INT64_MAX};
    enum { LIMITS = sizeof limits / sizeof *limits };
    cns_context *context = support_context();
    cns_ir_function *before = parse(context, _i), *after = parse(context, _i);
    support_status(context, CNS_OK, cns_pass_bounds(after));
    support_status(context, CNS_OK, cns_ir_verify(after, true));
    ck_assert_uint_eq(count_copies(after), loops[_i].copies);
    ck_assert_int_eq(count_proven(after) > 0, loops[_i].copies > 0);
    for (uint64_t size = 0; size < 8 * LIMITS * LIMITS; size++) {
        uint64_t at = size / 8;
        uint64_t x = at % 4 * 3 + 2 * (size & 1), y = x + (size >> 1 & 1) - (x > 0 && size & 1);
        outcome a, b;
        run(before, x, y, size >> 2 & 1, limits[at % LIMITS], limits[at / LIMITS], &a);
        run(after, x, y, size >> 2 & 1, limits[at % LIMITS], limits[at / LIMITS], &b);
        check_same(&a, &b);
    }
    cns_ir_destroy(before);
    cns_ir_destroy(after);
    support_context_destroy(context);
}
END_TEST

/* As long as the buffers are, one element less, and one more. */
START_TEST(sizes_around_the_limit) {
    cns_context *context = support_context();
    cns_ir_function *before = parse(context, _i), *after = parse(context, _i);
    support_status(context, CNS_OK, cns_pass_bounds(after));
    for (int64_t n = 0; n <= ELEMENTS; n++) {
        for (int64_t x = n - 1; x <= n + 1 && x < ELEMENTS; x++) {
            for (int64_t y = n - 1; y <= n + 1 && y < ELEMENTS; y++) {
                for (int64_t m = -1; m <= 3; m++) {
                    outcome a, b;
                    uint64_t xs = x < 0 ? 0 : (uint64_t)x, ys = y < 0 ? 0 : (uint64_t)y;
                    run(before, xs, ys, m & 1, n, m, &a);
                    run(after, xs, ys, m & 1, n, m, &b);
                    check_same(&a, &b);
                }
            }
        }
    }
    cns_ir_destroy(before);
    cns_ir_destroy(after);
    support_context_destroy(context);
}
END_TEST

/* What was parsed, before any allocation is refused. */
static const cns_ir_function *whole;

static cns_status version(cns_context *context) {
    cns_ir_function *f = NULL;
    cns_ir_function source = *whole; /* the copy belongs to the context that fails */
    source.context = context;
    cns_status status = cns_ir_clone(&source, &f);
    if (status == CNS_OK) {
        status = cns_pass_bounds(f);
        cns_ir_destroy(f);
    }
    return status;
}

START_TEST(failing_allocations_are_survived) {
    cns_context *context = support_context();
    cns_ir_function *f = parse(context, _i);
    whole = f;
    support_each_allocation_fails(version);
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    enum { LOOPS = sizeof loops / sizeof *loops };
    Suite *suite = suite_create("bounds");
    TCase *all = tcase_create("bounds");
    tcase_set_timeout(all, 60);
    tcase_add_loop_test(all, loops_keep_their_meaning, 0, LOOPS);
    tcase_add_loop_test(all, sizes_around_the_limit, 0, LOOPS);
    tcase_add_loop_test(all, failing_allocations_are_survived, 0, LOOPS);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
