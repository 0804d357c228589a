/* SPDX-License-Identifier: MIT
 *
 * test_parallel.c - loops over cns.prange as forks: the same as the loop run in order, on any pool,
 * the same bits every time; and what is no such loop, refused by name.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "ir_eval.h"
#include "ir_text.h"
#include "support.h"
#include "vm/parallel.h"
#include "vm/passes.h"
#include "vm/reduction.h"

enum { SIZE = 12000 };

static double x[SIZE], y[SIZE], again[SIZE];

/* function(x, y, n, step, c) for i = 1, n, step do <body> end return s end; `last` is s after an
 * iteration and `type` its type, blocks from 5 on are the body's own. */
static cns_ir_function *make_loop(cns_context *context, const char *type, const char *first,
                                  const char *body, const char *last) {
    char text[4096];
    snprintf(text, sizeof text,
             "kernel k(x: buffer of f64, y: buffer of f64, n: i64, step: i64, c: f64)\n"
             "block 0():\n"
             "  x = argument x\n  y = argument y\n  n = argument n\n"
             "  step = argument step\n  c = argument c\n"
             "  one = const.i64 1\n"
             "  zero = const.i64 0\n"
             "  half = const.f64 0.5\n"
             "  s0 = %s\n"
             "  enters = for.enters.i64 one, n, step  ; line 3\n"
             "  branch enters 1() 4(s0)\n"
             "block 1():\n"
             "  count = for.count one, n, step\n"
             "  jump 2(count, one, s0)\n"
             "block 2(remaining: i64, i: i64, s: %s) parallel:\n"
             "%s"
             "  zero_left = eq.i64 remaining, zero\n"
             "  less = sub.i64 remaining, one\n"
             "  next = add.i64 i, step\n"
             "  branch zero_left 4(%s) 2(less, next, %s)\n"
             "block 4(r: %s):\n"
             "  return r\n",
             first, type, body, last, last, type);
    cns_ir_function *f = support_ir_parse(context, text);
    for (uint32_t b = 0; b < f->block_count; b++) {
        if (f->blocks[b].flags & CNS_IR_PARALLEL) {
            support_status(context, CNS_OK, cns_ir_name(f, f->blocks[b].parameters[2], "total"));
            f->blocks[b].site = 0;
        }
        if (f->blocks[b].end == CNS_IR_BRANCH) {
            f->blocks[b].site = 0; /* line 3 */
        }
    }
    support_status(context, CNS_OK, cns_ir_verify(f, false));
    return f;
}

static void fill(uint64_t seed) {
    cns_rng rng;
    cns_rng_seed(&rng, seed);
    for (int i = 0; i < SIZE; i++) {
        x[i] = (double)(int64_t)(cns_rng_next(&rng) >> 20) * 0x1p-43 - 1.0;
        y[i] = -0.0;
    }
}

static uint32_t run_loop(const cns_ir_function *f, cns_tasks *tasks, int64_t n, int64_t step,
                         cns_run *run, cns_vm_value *result) {
    cns_vm_value arguments[] = {{.data = x, .count = SIZE},
                                {.data = y, .count = SIZE},
                                {.integer = n},
                                {.integer = step},
                                {.real = 0.25}};
    *run =
        (cns_run){.arguments = arguments, .results = result, .result_capacity = 1, .tasks = tasks};
    return support_ir_eval(f, run, UINT64_MAX);
}

static cns_tasks *make_pool(cns_context *context, uint32_t workers) {
    cns_tasks *tasks = NULL;
    cns_tasks_config config = {.size = sizeof config, .workers = workers};
    support_status(context, CNS_OK, cns_tasks_create(context, &config, &tasks));
    return tasks;
}

/* ---- what runs in parallel ------------------------------------------------------------------- */

typedef struct parallel_case {
    const char *type, *first, *body, *last;
    bool exact; /* else a sum or product of floats, whose order shows in the last bits */
} parallel_case;

#define LOAD "  v = load x, i\n"

static const parallel_case cases[] = {
    {"f64", "const.f64 3.5", LOAD "  t = add.f64 s, v\n", "t", false},
    {"f64", "const.f64 3.5", LOAD "  t = sub.f64 s, v\n", "t", false},
    {"f64", "const.f64 3.5", LOAD "  u = mul.f64 v, c\n  w = add.f64 v, s\n  t = add.f64 u, w\n",
     "t", false},
    {"f64", "const.f64 1.5",
     LOAD "  a = mul.f64 v, c\n  b = sub.f64 c, a\n  e = sub.f64 b, c\n"
          "  d = exp.f64 e\n  t = mul.f64 s, d\n",
     "t", false},
    /* the least, greatest and their forms */
    {"f64", "const.f64 3.5", LOAD "  b = lt.f64 v, s\n  t = select.f64 b, v, s\n", "t", true},
    {"f64", "const.f64 3.5", LOAD "  b = lt.f64 s, v\n  t = select.f64 b, s, v\n", "t", true},
    {"f64", "const.f64 -3.5", LOAD "  b = le.f64 s, v\n  t = select.f64 b, v, s\n", "t", true},
    {"f64", "const.f64 -3.5", LOAD "  b = lt.f64 v, s\n  t = select.f64 b, s, v\n", "t", true},
    {"i64", "const.i64 7",
     "  w = mul.i64 i, i\n  k = const.i64 1237\n  m = mod.i64 w, k\n"
     "  b = lt.i64 s, m\n  t = select.i64 b, m, s\n",
     "t", true},
    /* integers */
    {"i64", "const.i64 5", "  t = add.i64 s, i\n", "t", true},
    {"i64", "const.i64 5", "  k = const.i64 3\n  w = or.i64 i, k\n  t = mul.i64 w, s\n", "t", true},
    {"i64", "const.i64 -1", "  t = and.i64 i, s\n", "t", true},
    {"i64", "const.i64 64", "  t = or.i64 s, i\n", "t", true},
    {"i64", "const.i64 9", "  w = mul.i64 i, i\n  t = xor.i64 s, w\n", "t", true},
    /* updates on some paths: a select, and blocks */
    {"f64", "const.f64 -0.0",
     LOAD "  p = lt.f64 v, c\n  w = add.f64 s, v\n"
          "  t = select.f64 p, w, s\n",
     "t", false},
    {"i64", "const.i64 0",
     LOAD "  p = lt.f64 v, c\n  branch p 5() 6(s)\n"
          "block 5():\n  w = add.i64 s, one\n  jump 6(w)\n"
          "block 6(t: i64):\n",
     "t", true},
    /* stores, whose s never changes */
    {"f64", "const.f64 3.5", LOAD "  w = mul.f64 v, c\n  store y, i, w\n", "s", true},
    {"i64", "const.i64 0", LOAD "  w = mul.f64 v, v\n  store y, i, w\n  t = add.i64 s, one\n", "t",
     true},
    /* an inner loop */
    {"f64", "const.f64 0.5",
     "  k = const.i64 6\n  jump 5(k, s)\n"
     "block 5(r2: i64, q: f64):\n"
     "  j = add.i64 r2, one\n  v = load x, j\n  q2 = add.f64 q, v\n"
     "  z2 = eq.i64 r2, zero\n  l2 = sub.i64 r2, one\n"
     "  branch z2 6() 5(l2, q2)\n"
     "block 6():\n",
     "q2", false},
};

static void check_case(cns_context *context, const parallel_case *c, cns_tasks **pools, int64_t n,
                       int64_t step) {
    cns_run run;
    cns_vm_value expected, forked;
    cns_ir_function *plain = make_loop(context, c->type, c->first, c->body, c->last);
    cns_ir_function *f = make_loop(context, c->type, c->first, c->body, c->last);
    support_status(context, CNS_OK, cns_pass_parallel(f));
    support_status(context, CNS_OK, cns_ir_verify(f, true));
    ck_assert_uint_eq(f->body_count, 1);
    fill(42);
    ck_assert_uint_eq(run_loop(plain, NULL, n, step, &run, &expected), CNS_TRAP_NONE);
    memcpy(again, y, sizeof y);
    int64_t first = 0;
    for (int p = 0; pools[p] || p == 0; p++) {
        fill(42);
        ck_assert_uint_eq(run_loop(f, pools[p], n, step, &run, &forked), CNS_TRAP_NONE);
        ck_assert_mem_eq(again, y, sizeof y);
        ck_assert_uint_eq(forked.type, expected.type);
        first = p == 0 ? forked.integer : first;
        ck_assert_int_eq(forked.integer, first); /* whatever the threads */
        if (c->exact) {
            ck_assert_int_eq(forked.integer, expected.integer);
        } else {
            ck_assert_double_le(fabs(forked.real - expected.real),
                                1e-12 * (1 + (double)n) * (1 + fabs(expected.real)));
        }
    }
    cns_ir_destroy(f);
    cns_ir_destroy(plain);
}

START_TEST(forks_mean_what_the_loop_means) {
    static const int64_t counts[] = {0, 1, 7, SIZE};
    cns_context *context = support_context();
    cns_tasks *pools[] = {NULL, make_pool(context, 1), make_pool(context, 3), NULL};
    cns_tasks *all[] = {pools[1], pools[2], NULL, NULL};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
            check_case(context, &cases[c], all, counts[n], 1);
            check_case(context, &cases[c], (cns_tasks *[]){NULL, NULL}, counts[n], 3);
        }
    }
    cns_tasks_destroy(pools[1]);
    cns_tasks_destroy(pools[2]);
    support_context_destroy(context);
}
END_TEST

/* With and without a pool: the tree is the same, to the bit. */
START_TEST(a_pool_does_not_show) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 4);
    const parallel_case *c = &cases[0];
    cns_ir_function *f = make_loop(context, c->type, c->first, c->body, c->last);
    support_status(context, CNS_OK, cns_pass_parallel(f));
    fill(7);
    cns_run run;
    cns_vm_value alone, together;
    ck_assert_uint_eq(run_loop(f, NULL, SIZE, 1, &run, &alone), CNS_TRAP_NONE);
    for (int round = 0; round < 20; round++) {
        ck_assert_uint_eq(run_loop(f, pool, SIZE, 1, &run, &together), CNS_TRAP_NONE);
        ck_assert_int_eq(alone.integer, together.integer);
    }
    cns_ir_destroy(f);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* Several parts run out of the buffer; the first element that is not there is the one named. */
START_TEST(the_lowest_iteration_traps) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 4);
    cns_ir_function *f = make_loop(context, "f64", "const.f64 0", LOAD "  t = add.f64 s, v\n", "t");
    support_status(context, CNS_OK, cns_pass_parallel(f));
    for (int round = 0; round < 50; round++) {
        cns_run run;
        cns_vm_value result;
        ck_assert_uint_eq(run_loop(f, pool, 2 * SIZE, 1, &run, &result), CNS_TRAP_INDEX);
        ck_assert_int_eq(run.trap.integer, SIZE + 1);
        ck_assert_uint_eq(run.trap.other, SIZE);
    }
    cns_ir_destroy(f);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* ---- what does not --------------------------------------------------------------------------- */

typedef struct refused_case {
    const char *body, *last, *message;
} refused_case;

static const refused_case refused[] = {
    {LOAD "  t = sub.f64 v, s\n", "t", "k.lua:3: variable 'total' is carried"},
    {LOAD "  t = add.f64 s, s\n", "t", "variable 'total' is carried"},
    {LOAD "  w = mul.f64 s, c\n  t = add.f64 w, v\n", "t", "variable 'total' is carried"},
    {LOAD "  t = add.f64 s, v\n  store y, i, t\n", "t", "variable 'total' is carried"},
    {LOAD "  t = add.f64 s, v\n  p = lt.f64 t, c\n  t2 = select.f64 p, v, t\n", "t2",
     "variable 'total' is carried"},
    {LOAD "  p = lt.f64 v, s\n  t = select.f64 p, c, s\n", "t", "variable 'total' is carried"},
    {LOAD, "v", "variable 'total' is carried"},
    {LOAD "  t = sqrt.f64 s\n", "t", "variable 'total' is carried"},
    {LOAD "  t = add.f64 s, v\n  store y, one, v\n", "t", "stores to the same element"},
    {LOAD "  t = add.f64 s, v\n  p = lt.f64 v, c\n  branch p 4(t) 5()\nblock 5():\n", "t",
     "must run to its end"},
    /* a sum on one path, a product on the other */
    {LOAD "  p = lt.f64 v, c\n  branch p 5() 6()\n"
          "block 5():\n  a = add.f64 s, v\n  jump 7(a)\n"
          "block 6():\n  b = mul.f64 s, v\n  jump 7(b)\n"
          "block 7(t: f64):\n",
     "t", "variable 'total' is carried"},
    /* sometimes set */
    {LOAD "  p = lt.f64 v, c\n  t = select.f64 p, half, s\n", "t", "variable 'total' is carried"},
};

START_TEST(races_are_refused) {
    cns_context *context = support_context();
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        cns_ir_function *f =
            make_loop(context, "f64", "const.f64 0", refused[i].body, refused[i].last);
        support_status(context, CNS_E_UNSUPPORTED, cns_pass_parallel(f));
        char message[512];
        cns_context_message(context, message, sizeof message);
        ck_assert_msg(strstr(message, refused[i].message), "%zu: %s", i, message);
        cns_ir_destroy(f);
    }
    support_context_destroy(context);
}
END_TEST

/* The value before the last update is not what the parts give together. */
START_TEST(a_value_of_the_last_iteration_is_refused) {
    cns_context *context = support_context();
    cns_ir_function *f = make_loop(context, "f64", "const.f64 0", LOAD "  t = add.f64 s, v\n", "t");
    for (uint32_t b = 0; b < f->block_count; b++) { /* leaves with v */
        cns_ir_block *block = &f->blocks[b];
        if (block->flags & CNS_IR_PARALLEL) {
            block->edges[0].arguments[0] = support_ir_find(f, CNS_IR_LOAD, 0);
        }
    }
    support_status(context, CNS_E_UNSUPPORTED, cns_pass_parallel(f));
    char message[512];
    cns_context_message(context, message, sizeof message);
    ck_assert_ptr_nonnull(strstr(message, "last iteration"));
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

/* ---- stopping, absurd counts, memory --------------------------------------------------------- */

static uint32_t count_only(const void *code, cns_run *run) {
    (void)code;
    run->results[0].integer = run->arguments[1].integer + 1; /* iterations of the part */
    return CNS_TRAP_NONE;
}

START_TEST(any_count_is_cut_whole) {
    static const uint64_t counts[] = {0,
                                      1,
                                      2,
                                      255,
                                      256,
                                      257,
                                      8191,
                                      8192,
                                      1u << 20,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      UINT64_MAX - 1,
                                      UINT64_MAX};
    static const uint32_t costs[] = {0, 1, 10, 8192, 1u << 20};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        for (size_t c = 0; c < sizeof costs / sizeof *costs; c++) {
            cns_ir_fork fork = {.slot_count = 2,
                                .cost = costs[c],
                                .accumulator_count = 1,
                                .reductions = {CNS_REDUCE_SUM_I64}};
            cns_vm_value slots[2] = {{.integer = 1}, {.integer = (int64_t)counts[n]}};
            cns_run run = {0};
            ck_assert_uint_eq(cns_parallel_run(&run, &fork, count_only, NULL, slots, 1), 0);
            ck_assert_uint_eq((uint64_t)slots[0].integer, counts[n] + 1);
        }
    }
}
END_TEST

typedef struct stopper {
    _Atomic(int) asked;
} stopper;

static cns_status stop_soon(void *user) {
    stopper *s = user;
    return atomic_fetch_add(&s->asked, 1) > 20 ? CNS_E_CANCELLED : CNS_OK;
}

static uint32_t ask_for_ever(const void *code, cns_run *run) {
    (void)code;
    cns_status status = CNS_OK;
    while (status == CNS_OK) {
        status = run->poll(run->poll_user);
    }
    run->trap = (cns_trap){.kind = CNS_TRAP_STOPPED, .integer = status};
    return run->trap.kind;
}

START_TEST(the_poll_stops_all_parts) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 3);
    stopper s = {0};
    cns_ir_fork fork = {.slot_count = 2, .cost = 8192};
    cns_vm_value slots[2] = {{.integer = 1}, {.integer = 99}};
    cns_run run = {.poll = stop_soon, .poll_user = &s, .tasks = pool};
    ck_assert_uint_eq(cns_parallel_run(&run, &fork, ask_for_ever, NULL, slots, 1),
                      CNS_TRAP_STOPPED);
    ck_assert_int_eq(run.trap.integer, CNS_E_CANCELLED);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static uint32_t ask_nothing(const void *code, cns_run *run) {
    (void)code, (void)run;
    return CNS_TRAP_NONE;
}

START_TEST(short_forks_poll) {
    stopper s = {0};
    cns_ir_fork fork = {.slot_count = 2, .cost = 1};
    cns_vm_value slots[2] = {{.integer = 1}, {.integer = 3}};
    cns_run run = {.poll = stop_soon, .poll_user = &s};
    uint32_t kind = CNS_TRAP_NONE, forks = 0;
    for (; kind == CNS_TRAP_NONE && forks < 1000; forks++) {
        kind = cns_parallel_run(&run, &fork, ask_nothing, NULL, slots, 1);
    }
    ck_assert_uint_eq(kind, CNS_TRAP_STOPPED);
    ck_assert_uint_eq(run.trap.kind, CNS_TRAP_STOPPED);
    ck_assert_int_eq(run.trap.integer, CNS_E_CANCELLED);
    ck_assert_uint_lt(forks, 100);
}
END_TEST

/* x (+) identity is x, to the bit. */
START_TEST(identities_change_nothing) {
    static const double reals[] = {0.0, -0.0, 1.5, -1e300, INFINITY, -INFINITY};
    static const int64_t integers[] = {0, 1, -1, INT64_MAX, INT64_MIN};
    for (unsigned r = 0; r < 32; r++) {
        uint8_t reduction = (uint8_t)r;
        if (r > CNS_REDUCE_PRODUCT_F64 && r < CNS_REDUCE_CHOICE) {
            continue;
        }
        uint64_t identity = cns_reduction_identity(reduction);
        for (int i = 0; i < 5; i++) {
            uint64_t bits;
            memcpy(&bits, cns_reduction_is_f64(reduction) ? (const void *)&reals[i] : &integers[i],
                   sizeof bits);
            ck_assert_uint_eq(cns_reduction_combine(reduction, bits, identity), bits);
            ck_assert_uint_eq(cns_reduction_combine(reduction, identity, bits), bits);
        }
    }
}
END_TEST

static cns_ir_function *source; /* made where memory does not fail */

static cns_status fork_a_loop(cns_context *context) {
    cns_context *before = source->context;
    source->context = context;
    cns_ir_function *f = NULL, *copy = NULL;
    cns_status status = cns_ir_clone(source, &f);
    source->context = before;
    status = status == CNS_OK ? cns_pass_parallel(f) : status;
    status = status == CNS_OK ? cns_ir_clone(f, &copy) : status;
    status = status == CNS_OK ? cns_ir_verify(copy, true) : status;
    cns_ir_destroy(f);
    cns_ir_destroy(copy);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    cns_context *context = support_context();
    source = make_loop(context, "f64", "const.f64 0", LOAD "  t = add.f64 s, v\n", "t");
    support_each_allocation_fails(fork_a_loop);
    cns_ir_destroy(source);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("parallel");
    TCase *all = tcase_create("parallel");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, forks_mean_what_the_loop_means);
    tcase_add_test(all, a_pool_does_not_show);
    tcase_add_test(all, the_lowest_iteration_traps);
    tcase_add_test(all, races_are_refused);
    tcase_add_test(all, a_value_of_the_last_iteration_is_refused);
    tcase_add_test(all, any_count_is_cut_whole);
    tcase_add_test(all, the_poll_stops_all_parts);
    tcase_add_test(all, short_forks_poll);
    tcase_add_test(all, identities_change_nothing);
    tcase_add_test(all, failing_allocations_are_survived);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
