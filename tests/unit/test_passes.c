/* SPDX-License-Identifier: MIT
 *
 * test_passes.c - the optimiser: what each pass makes of small functions, and that no pass changes
 * what random functions compute, store and trap on, by the evaluator, to the bit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "ir_random.h"
#include "ir_text.h"
#include "support.h"
#include "vm/passes.h"

typedef cns_status (*pass)(cns_ir_function *function);

static cns_status whole(cns_ir_function *function) {
    return cns_optimise(function, CNS_OPTIMISE_VM);
}

static const struct {
    const char *name;
    pass run;
} passes[] = {
    {"parameters", cns_pass_parameters},
    {"fold", cns_pass_fold},
    {"blocks", cns_pass_blocks},
    {"dead", cns_pass_dead},
    {"gvn", cns_pass_gvn},
    {"hoist", cns_pass_hoist},
    {"select", cns_pass_select},
    {"bounds", cns_pass_bounds},
    {"steps", cns_pass_steps},
    {"all", whole},
};
enum { PASSES = sizeof passes / sizeof *passes };

/* ---- random functions ------------------------------------------------------------------------ */

static void show(const char *when, const cns_ir_function *f) {
    cns_text text;
    cns_text_init(&text, f->context);
    if (cns_ir_print(f, &text) == CNS_OK) {
        fprintf(stderr, "---- %s\n%s", when, text.bytes);
    }
    cns_text_deinit(&text);
}

static void check_same(uint64_t seed, const char *name, const cns_ir_function *before,
                       const cns_ir_function *after) {
    for (uint64_t run = 0; run < 4; run++) {
        support_ir_outcome a, b;
        support_ir_outcome_of(before, seed * 16 + run, &a);
        support_ir_outcome_of(after, seed * 16 + run, &b);
        if (!support_ir_same(&a, &b)) {
            show("before", before);
            show("after", after);
            ck_abort_msg("%s, seed %llu, run %d: trap %u in %u, not %u in %u", name,
                         (unsigned long long)seed, (int)run, b.trap.kind, b.trap.site, a.trap.kind,
                         a.trap.site);
        }
    }
}

static void check_pass(cns_context *context, uint64_t seed, int which) {
    cns_ir_function *before = NULL, *after = NULL;
    char message[300];
    support_status(context, CNS_OK, support_ir_random(context, seed, &before));
    support_status(context, CNS_OK, cns_ir_verify(before, false));
    support_status(context, CNS_OK, cns_ir_clone(before, &after));
    support_status(context, CNS_OK, passes[which].run(after));
    if (cns_ir_verify(after, true) != CNS_OK) {
        cns_context_message(context, message, sizeof message);
        show("before", before);
        show("after", after);
        ck_abort_msg("%s, seed %llu: %s", passes[which].name, (unsigned long long)seed, message);
    }
    check_same(seed, passes[which].name, before, after);
    cns_ir_destroy(before);
    cns_ir_destroy(after);
}

START_TEST(random_functions_keep_their_meaning) {
    cns_context *context = support_context();
    const char *many = getenv("CNS_TEST_FUNCTIONS");
    uint64_t count = many ? strtoull(many, NULL, 10) : 1000;
    for (uint64_t seed = 1; seed <= count; seed++) {
        check_pass(context, seed, _i);
    }
    support_context_destroy(context);
}
END_TEST

/* Passes one after the other, in any order, as a pipeline may be changed one day. */
START_TEST(any_order_keeps_the_meaning) {
    cns_context *context = support_context();
    for (uint64_t seed = 5001; seed <= 5300; seed++) {
        cns_ir_function *before = NULL, *after = NULL;
        support_status(context, CNS_OK, support_ir_random(context, seed, &before));
        support_status(context, CNS_OK, cns_ir_clone(before, &after));
        uint64_t order = seed * UINT64_C(0x9e3779b97f4a7c15);
        for (int i = 0; i < 8; i++, order /= PASSES) {
            support_status(context, CNS_OK, passes[order % PASSES].run(after));
            support_status(context, CNS_OK, cns_ir_verify(after, true));
        }
        check_same(seed, "a mixture", before, after);
        cns_ir_destroy(before);
        cns_ir_destroy(after);
    }
    support_context_destroy(context);
}
END_TEST

static cns_status optimise_random(cns_context *context) {
    cns_ir_function *f = NULL;
    cns_status status = support_ir_random(context, 77, &f);
    if (status == CNS_OK) {
        status = cns_optimise(f, CNS_OPTIMISE_VM);
        cns_ir_destroy(f);
    }
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(optimise_random);
}
END_TEST

/* ---- what passes make ------------------------------------------------------------------------ */

#define ARGUMENTS                                                                                  \
    "kernel k(i: i64, j: i64, x: f64, y: f64, b: bool, f: buffer of f64, u: buffer of u8)\n"       \
    "block 0():\n"                                                                                 \
    "  i = argument i\n"                                                                           \
    "  j = argument j\n"                                                                           \
    "  x = argument x\n"                                                                           \
    "  y = argument y\n"                                                                           \
    "  b = argument b\n"                                                                           \
    "  f = argument f\n"                                                                           \
    "  u = argument u\n"

/* Code in place of %: `was`, and what the passes named make of it. */
typedef struct golden {
    const char *passes; /* first letters: p f b d g h s c(onverts) */
    const char *was;
    const char *is;
} golden;

#define FOLDS(was, is)                                                                             \
    { "fd", was, is }

static const golden goldens[] = {
    FOLDS("  c = const.i64 3\n  d = const.i64 4\n  r = add.i64 c, d\n  return r\n",
          "  r = const.i64 7\n  return r\n"),
    FOLDS("  c = const.i64 0\n  r = add.i64 c, i\n  return r\n", "  return i\n"),
    FOLDS("  c = const.i64 3\n  s = add.i64 i, c\n  t = sub.i64 s, c\n  r = add.i64 c, t\n"
          "  return r\n",
          "  c = const.i64 3\n  r = add.i64 i, c\n  return r\n"),
    FOLDS("  c = const.i64 8\n  r = mod.i64 i, c\n  return r\n",
          "  c = const.i64 7\n  r = and.i64 i, c\n  return r\n"),
    FOLDS("  c = const.i64 0\n  r = mod.i64 i, c\n  return r\n",
          "  c = const.i64 0\n  r = mod.i64 i, c\n  return r\n"),
    FOLDS("  c = const.i64 -1\n  r = idiv.i64 i, c\n  return r\n", "  r = neg.i64 i\n  return r\n"),
    FOLDS("  z = const.f64 0.0\n  n = const.f64 -0.0\n  one = const.f64 1.0\n  a = add.f64 x, n\n"
          "  c = sub.f64 a, z\n  r = mul.f64 c, one\n  return r\n",
          "  return x\n"),
    FOLDS("  z = const.f64 0.0\n  r = add.f64 x, z\n  return r\n",
          "  z = const.f64 0.0\n  r = add.f64 x, z\n  return r\n"),
    FOLDS("  c = const.f64 4.0\n  r = div.f64 x, c\n  return r\n",
          "  c = const.f64 0.25\n  r = mul.f64 x, c\n  return r\n"),
    FOLDS("  c = const.f64 3.0\n  r = div.f64 x, c\n  return r\n",
          "  c = const.f64 3.0\n  r = div.f64 x, c\n  return r\n"),
    FOLDS("  c = const.f64 2.0\n  r = pow.f64 x, c\n  return r\n",
          "  r = mul.f64 x, x\n  return r\n"),
    FOLDS("  c = const.f64 2.5\n  r = lt.i64.f64 i, c\n  return r\n",
          "  c = const.i64 3\n  r = lt.i64 i, c\n  return r\n"),
    FOLDS("  c = const.f64 2.5\n  r = eq.i64.f64 i, c\n  return r\n",
          "  r = const.bool false\n  return r\n"),
    FOLDS("  c = const.i64 2\n  r = le.f64.i64 x, c\n  return r\n",
          "  c = const.f64 2.0\n  r = le.f64 x, c\n  return r\n"),
    FOLDS("  c = const.i64 -2\n  r = for.enters.i64 i, j, c\n  return r\n",
          "  r = le.i64 j, i\n  return r\n"),
    FOLDS("  c = const.i64 0\n  r = for.enters.i64 i, j, c\n  return r\n",
          "  c = const.i64 0\n  r = for.enters.i64 i, j, c\n  return r\n"),
    FOLDS("  t = const.bool true\n  c = lt.i64 i, j\n  n = eq.bool c, t\n  m = not.bool n\n"
          "  r = select.f64 m, x, y\n  return r\n",
          "  m = le.i64 j, i\n  r = select.f64 m, x, y\n  return r\n"),
    FOLDS("  t = const.bool true\n  l = lt.f64 x, y\n  r = select.bool l, t, b\n  return r\n",
          "  l = lt.f64 x, y\n  r = or.bool l, b\n  return r\n"),
    /* a loop that is known not to be entered goes with all that is in it */
    {"fpbd",
     "  one = const.i64 1\n  zero = const.i64 0\n  e = for.enters.i64 one, zero, one\n"
     "  branch e 1() 3(i)\n"
     "block 1():\n"
     "  n = for.count one, zero, one\n"
     "  jump 2(n, i)\n"
     "block 2(r: i64, s: i64):\n"
     "  t = mul.i64 s, j\n"
     "  d = eq.i64 r, zero\n"
     "  q = sub.i64 r, one\n"
     "  branch d 3(t) 2(q, t)\n"
     "block 3(o: i64):\n"
     "  return o\n",
     "  return i\n"},
    /* chains are joined, the empty arm is stepped over, what only feeds itself goes */
    {"bd",
     "  one = const.i64 1\n  branch b 1() 2()\n"
     "block 1():\n"
     "  jump 3(one, i)\n"
     "block 2():\n"
     "  s = add.i64 i, j\n"
     "  store f, i, x\n"
     "  jump 4(s)\n"
     "block 4(a: i64):\n"
     "  t = mul.i64 a, j\n"
     "  jump 3(one, t)\n"
     "block 3(n: i64, v: i64):\n"
     "  return v\n",
     "  branch b 3(i) 2()\n"
     "block 2():\n"
     "  s = add.i64 i, j\n"
     "  store f, i, x\n"
     "  t = mul.i64 s, j\n"
     "  jump 3(t)\n"
     "block 3(v: i64):\n"
     "  return v\n"},
    {"d",
     "  c = const.i64 3\n  q = idiv.i64 i, c\n  p = idiv.i64 i, j\n  l = load f, i\n  jump 1(i)\n"
     "block 1(s: i64):\n"
     "  t = add.i64 s, j\n"
     "  branch b 2() 1(t)\n"
     "block 2():\n"
     "  return\n",
     "  p = idiv.i64 i, j\n  l = load f, i\n  jump 1()\n"
     "block 1():\n"
     "  branch b 2() 1()\n"
     "block 2():\n"
     "  return\n"},
    /* what was computed above, either way round, and what traps; not what another arm did */
    {"gd",
     "  s = add.i64 i, j\n  q = idiv.i64 i, j\n  branch b 1() 2()\n"
     "block 1():\n"
     "  t = add.i64 j, i\n  p = idiv.i64 i, j\n  m = mul.i64 i, j\n  r = sub.i64 t, p\n"
     "  jump 3(r, m)\n"
     "block 2():\n"
     "  n = mul.i64 i, j\n  d = sub.i64 j, i\n"
     "  jump 3(n, d)\n"
     "block 3(v: i64, w: i64):\n"
     "  return v, w\n",
     "  s = add.i64 i, j\n  q = idiv.i64 i, j\n  branch b 1() 2()\n"
     "block 1():\n"
     "  m = mul.i64 i, j\n  r = sub.i64 s, q\n"
     "  jump 3(r, m)\n"
     "block 2():\n"
     "  n = mul.i64 i, j\n  d = sub.i64 j, i\n"
     "  jump 3(n, d)\n"
     "block 3(v: i64, w: i64):\n"
     "  return v, w\n"},
    /* floats keep their order; loads up to a store of whatever buffer; what was stored whole */
    {"gd",
     "  s = add.f64 x, y\n  t = add.f64 y, x\n  l = load f, i\n  m = load f, i\n"
     "  store u, j, i\n  n = load f, i\n  store f, i, x\n  o = load f, i\n"
     "  store u, i, j\n  p = load u, i\n"
     "  return s, t, l, m, n, o, p\n",
     "  s = add.f64 x, y\n  t = add.f64 y, x\n  l = load f, i\n"
     "  store u, j, i\n  n = load f, i\n  store f, i, x\n"
     "  store u, i, j\n  p = load u, i\n"
     "  return s, t, l, l, n, x, p\n"},
    /* a loop that writes nothing keeps what was loaded before it, another does not */
    {"gd",
     "  l = load f, i\n  jump 1()\n"
     "block 1():\n"
     "  m = load f, i\n  t = lt.f64 m, l\n  branch t 2() 1()\n"
     "block 2():\n"
     "  n = load f, i\n  k = lt.f64 n, l\n  store f, i, y\n  branch k 3() 2()\n"
     "block 3():\n"
     "  return\n",
     "  l = load f, i\n  jump 1()\n"
     "block 1():\n"
     "  t = lt.f64 l, l\n  branch t 2() 1()\n"
     "block 2():\n"
     "  n = load f, i\n  k = lt.f64 n, l\n  store f, i, y\n  branch k 3() 2()\n"
     "block 3():\n"
     "  return\n"},
    /* free values go out of both loops; a division and a load go as long as they come first */
    {"hd",
     "  jump 1(i)\n"
     "block 1(o: i64):\n"
     "  q = idiv.i64 i, j\n  l = load f, i\n  jump 2(o)\n"
     "block 2(k: i64):\n"
     "  s = add.i64 i, j\n  t = mul.i64 s, o\n  n = add.i64 k, t\n  c = lt.i64 n, q\n"
     "  branch c 2(n) 3()\n"
     "block 3():\n"
     "  d = lt.i64 o, s\n  branch d 1(n) 4()\n"
     "block 4():\n"
     "  return l\n",
     "  q = idiv.i64 i, j\n  l = load f, i\n  s = add.i64 i, j\n  jump 1(i)\n"
     "block 1(o: i64):\n"
     "  t = mul.i64 s, o\n  jump 2(o)\n"
     "block 2(k: i64):\n"
     "  n = add.i64 k, t\n  c = lt.i64 n, q\n"
     "  branch c 2(n) 3()\n"
     "block 3():\n"
     "  d = lt.i64 o, s\n  branch d 1(n) 4()\n"
     "block 4():\n"
     "  return l\n"},
    /* a preheader is made; what comes behind a store stays, and loads do */
    {"hd",
     "  z = const.i64 0\n  branch b 1(i) 3()\n"
     "block 1(k: i64):\n"
     "  store f, k, x\n  q = idiv.i64 i, j\n  l = load f, i\n  w = mul.f64 x, y\n"
     "  c = lt.f64 l, w\n  n = add.i64 k, q\n  branch c 1(n) 3()\n"
     "block 3():\n"
     "  return\n",
     "  branch b 4() 3()\n"
     "block 4():\n"
     "  w = mul.f64 x, y\n  jump 1(i)\n"
     "block 1(k: i64):\n"
     "  store f, k, x\n  q = idiv.i64 i, j\n  l = load f, i\n"
     "  c = lt.f64 l, w\n  n = add.i64 k, q\n  branch c 1(n) 3()\n"
     "block 3():\n"
     "  return\n"},
    /* a maximum, and a choice of two cheap arms; both meet before they leave */
    {"sb",
     "  c = lt.f64 x, y\n  branch c 1() 2(x, i)\n"
     "block 1():\n"
     "  s = add.i64 i, j\n  jump 2(y, s)\n"
     "block 2(m: f64, n: i64):\n"
     "  branch b 3() 4()\n"
     "block 3():\n"
     "  t = mul.f64 m, x\n  jump 5(t, n)\n"
     "block 4():\n"
     "  u = neg.f64 m\n  jump 5(u, n)\n"
     "block 5(v: f64, w: i64):\n"
     "  return v, w\n",
     "  c = lt.f64 x, y\n  s = add.i64 i, j\n  m = select.f64 c, y, x\n"
     "  n = select.i64 c, s, i\n  t = mul.f64 m, x\n  u = neg.f64 m\n"
     "  v = select.f64 b, t, u\n"
     "  return v, n\n"},
    /* a load that is proven is one on no condition; others are not */
    {"s",
     "  branch b 1() 2(x)\n"
     "block 1():\n"
     "  v = load f, i proven\n  jump 2(v)\n"
     "block 2(m: f64):\n"
     "  branch b 3() 4(y)\n"
     "block 3():\n"
     "  w = load f, j\n  jump 4(w)\n"
     "block 4(n: f64):\n"
     "  return m, n\n",
     "  v = load f, i proven\n  s = select.f64 b, v, x\n  jump 1(s)\n"
     "block 1(m: f64):\n"
     "  branch b 2() 3(y)\n"
     "block 2():\n"
     "  w = load f, j\n  jump 3(w)\n"
     "block 3(n: f64):\n"
     "  return m, n\n"},
    /* nor those that the test proves, which is the branch itself */
    {"s",
     "  c = within f, i, j, i\n"
     "  branch c 1() 2()\n"
     "block 1():\n"
     "  v = load f, i proven\n  jump 3(v)\n"
     "block 2() cold:\n"
     "  jump 3(x)\n"
     "block 3(m: f64):\n"
     "  return m\n",
     "  c = within f, i, j, i\n"
     "  branch c 1() 2()\n"
     "block 1():\n"
     "  v = load f, i proven\n  jump 3(v)\n"
     "block 2() cold:\n"
     "  jump 3(x)\n"
     "block 3(m: f64):\n"
     "  return m\n"},
    /* not what may trap, has an effect or is dear */
    {"s",
     "  branch b 1() 2(i)\n"
     "block 1():\n"
     "  q = idiv.i64 i, j\n  jump 2(q)\n"
     "block 2(m: i64):\n"
     "  branch b 3() 4(x)\n"
     "block 3():\n"
     "  e = exp.f64 x\n  jump 4(e)\n"
     "block 4(n: f64):\n"
     "  branch b 5() 6()\n"
     "block 5():\n"
     "  store f, i, x\n  jump 6()\n"
     "block 6():\n"
     "  return m, n\n",
     "  branch b 1() 2(i)\n"
     "block 1():\n"
     "  q = idiv.i64 i, j\n  jump 2(q)\n"
     "block 2(m: i64):\n"
     "  branch b 3() 4(x)\n"
     "block 3():\n"
     "  e = exp.f64 x\n  jump 4(e)\n"
     "block 4(n: f64):\n"
     "  branch b 5() 6()\n"
     "block 5():\n"
     "  store f, i, x\n  jump 6()\n"
     "block 6():\n"
     "  return m, n\n"},
};

static cns_ir_function *parse(cns_context *context, const char *code, char *text, size_t size) {
    snprintf(text, size, ARGUMENTS "%s", code);
    return support_ir_parse(context, text);
}

START_TEST(passes_do_their_work) {
    const golden *g = &goldens[_i];
    cns_context *context = support_context();
    char text[4000];
    cns_ir_function *f = parse(context, g->was, text, sizeof text);
    support_status(context, CNS_OK, cns_ir_verify(f, true));
    for (const char *p = g->passes; *p; p++) {
        int which = 0;
        while (which < PASSES && passes[which].name[0] != *p) {
            which++;
        }
        ck_assert_int_lt(which, PASSES);
        support_status(context, CNS_OK, passes[which].run(f));
        support_status(context, CNS_OK, cns_ir_verify(f, true));
    }
    snprintf(text, sizeof text, ARGUMENTS "%s", g->is);
    support_ir_expect(f, text);
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

/* ---- counted loops --------------------------------------------------------------------------- */

static const char *const loops[] = {
    /* from 1; from i + 2; the second trip on, as a variable's type changes in the first */
    "  one = const.i64 1\n  zero = const.i64 0\n  e = for.enters.i64 one, i, one\n"
    "  branch e 1() 3()\n"
    "block 1():\n"
    "  n = for.count one, i, one\n"
    "  jump 2(n, one)\n"
    "block 2(r: i64, k: i64):\n"
    "  v = load f, k\n  w = mul.f64 v, x\n  store f, k, w\n"
    "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, one\n"
    "  branch d 3() 2(q, t)\n"
    "block 3():\n  return\n",
    "  one = const.i64 1\n  two = const.i64 2\n  zero = const.i64 0\n  a = add.i64 i, one\n"
    "  c = add.i64 a, one\n  e = for.enters.i64 c, j, two\n"
    "  branch e 1() 3()\n"
    "block 1():\n"
    "  n = for.count c, j, two\n  v0 = load f, c\n  d0 = eq.i64 n, zero\n"
    "  q0 = sub.i64 n, one\n  t0 = add.i64 c, two\n"
    "  branch d0 3() 2(q0, t0)\n"
    "block 2(r: i64, k: i64):\n"
    "  o = add.i64 k, two\n  v = load f, o\n  w = mul.f64 v, x\n  store f, k, w\n"
    "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n  t = add.i64 k, two\n"
    "  branch d 3() 2(q, t)\n"
    "block 3():\n  return\n",
    /* an index that is looked ahead of */
    "  one = const.i64 1\n  zero = const.i64 0\n  e = for.enters.i64 one, i, one\n"
    "  branch e 1() 3()\n"
    "block 1():\n"
    "  n = for.count one, i, one\n"
    "  jump 2(n, one)\n"
    "block 2(r: i64, k: i64):\n"
    "  t = add.i64 k, one\n  v = load f, t\n  w = mul.f64 v, x\n  store f, k, w\n"
    "  d = eq.i64 r, zero\n  q = sub.i64 r, one\n"
    "  branch d 3() 2(q, t)\n"
    "block 3():\n  return\n",
};

static void expect_step_of_its_own(const cns_ir_function *f, const cns_ir_loop *loop,
                                   const cns_ir_for *counted) {
    const cns_ir_edge *back = &f->blocks[loop->latch].edges[1];
    cns_ir_value next = back->arguments[cns_ir_at(f, counted->index)->index];
    for (uint32_t v = 0; v < f->instruction_count; v++) {
        for (uint32_t o = 0; o < f->instructions[v].operand_count; o++) {
            ck_assert_uint_ne(f->instructions[v].operands[o], next);
        }
    }
}

START_TEST(counted_loops_stay_counted) {
    cns_context *context = support_context();
    char text[4000];
    cns_ir_function *f = parse(context, loops[_i], text, sizeof text);
    support_status(context, CNS_OK, cns_optimise(f, CNS_OPTIMISE_VM));
    support_status(context, CNS_OK, cns_ir_verify(f, true));
    cns_ir_shape shape;
    support_status(context, CNS_OK, cns_ir_shape_init(&shape, f));
    ck_assert_uint_ge(shape.loop_count, 1);
    for (uint32_t l = 0; l < shape.loop_count; l++) {
        cns_ir_for counted;
        ck_assert(cns_ir_for_match(f, &shape, l, &counted));
        ck_assert_uint_ne(counted.index, CNS_IR_NONE);
        expect_step_of_its_own(f, &shape.loops[l], &counted);
    }
    cns_ir_shape_deinit(&shape);
    cns_ir_destroy(f);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("passes");
    TCase *all = tcase_create("passes");
    tcase_set_timeout(all, 120);
    tcase_add_loop_test(all, passes_do_their_work, 0, sizeof goldens / sizeof *goldens);
    tcase_add_loop_test(all, counted_loops_stay_counted, 0, sizeof loops / sizeof *loops);
    tcase_add_loop_test(all, random_functions_keep_their_meaning, 0, PASSES);
    tcase_add_test(all, any_order_keeps_the_meaning);
    tcase_add_test(all, failing_allocations_are_survived);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
