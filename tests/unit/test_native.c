/* SPDX-License-Identifier: MIT
 *
 * test_native.c - native code against the evaluator, to the bit: every operation on hostile
 * operands, every element type, loops, traps with their partial writes, polls, threads.
 *
 * The payload of a NaN is not compared: which operand's survives is nobody's promise.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "base/rng.h"
#include "base/text.h"
#include "ir_eval.h"
#include "ir_text.h"
#include "support.h"
#include "vm/native.h"

#ifndef TEST_PLUGIN
#define TEST_PLUGIN ""
#endif

typedef struct native {
    cns_context *context;
    void *library;
    const cns_native_backend *backend;
    void *instance;
    cns_native_options options;
} native;

static void native_open(native *n) {
    char why[256];
    *n = (native){.context = support_context()};
    ck_assert_msg(cns_os_library_open(TEST_PLUGIN, &n->library, why, sizeof why), "%s", why);
    cns_native_backend_fn ask =
        (cns_native_backend_fn)cns_os_library_symbol(n->library, CNS_NATIVE_SYMBOL);
    ck_assert(ask != NULL);
    n->backend = ask();
    ck_assert_uint_eq(n->backend->abi, CNS_NATIVE_ABI);
    support_status(n->context, CNS_OK,
                   n->backend->create(n->context, cns_native_services_get(), &n->instance));
}

static void native_close(native *n) {
    n->backend->destroy(n->instance);
    cns_os_library_close(n->library);
    support_context_destroy(n->context);
}

/* Compiled and linked, as it would be with a cache between. */
static cns_status compile_and_link(const cns_native_backend *backend, void *instance,
                                   const cns_ir_function *f, const cns_native_options *options,
                                   cns_native_code *out) {
    void *object = NULL;
    size_t size = 0;
    cns_status status = backend->compile(instance, f, options, &object, &size);
    if (status == CNS_OK) {
        status = backend->link(instance, object, size, out);
        cns_context_resize(f->context, object, size, 0);
    }
    return status;
}

static cns_native_code native_compile(native *n, const cns_ir_function *f) {
    cns_native_code code = {0};
    support_status(n->context, CNS_OK,
                   compile_and_link(n->backend, n->instance, f, &n->options, &code));
    ck_assert_uint_gt(code.code_size, 0);
    return code;
}

/* ---- comparing ------------------------------------------------------------------------------- */

enum { ARGUMENTS = 6, RESULTS = 4, BYTES = 1 << 14 };

typedef struct call {
    cns_vm_value arguments[ARGUMENTS];
    cns_vm_value results[RESULTS];
    cns_run run;
} call;

static void prepare(call *c, const cns_vm_value *arguments, uint32_t count) {
    memset(c, 0, sizeof *c);
    memcpy(c->arguments, arguments, count * sizeof *arguments);
    c->run.arguments = c->arguments;
    c->run.results = c->results;
    c->run.result_capacity = RESULTS;
}

static bool same_bits(int64_t a, int64_t b, bool real) {
    double x, y;
    memcpy(&x, &a, 8);
    memcpy(&y, &b, 8);
    return a == b || (real && isnan(x) && isnan(y));
}

static void compare_runs(const call *got, const call *want, const char *what) {
    const cns_trap *a = &got->run.trap, *b = &want->run.trap;
    ck_assert_msg(a->kind == b->kind, "%s: trap %u, expected %u", what, a->kind, b->kind);
    if (b->kind) {
        ck_assert_msg(a->site == b->site, "%s: trap at site %u, expected %u", what, a->site,
                      b->site);
        bool real = b->kind == CNS_TRAP_INDEX_FLOAT || b->kind == CNS_TRAP_STORE_FLOAT ||
                    b->kind == CNS_TRAP_NOT_INTEGER;
        ck_assert_msg(same_bits(a->integer, b->integer, real) && a->other == b->other,
                      "%s: trap of kind %u with %lld, %llu; expected %lld, %llu", what, a->kind,
                      (long long)a->integer, (unsigned long long)a->other, (long long)b->integer,
                      (unsigned long long)b->other);
        return;
    }
    ck_assert_uint_eq(got->run.result_count, want->run.result_count);
    for (uint32_t i = 0; i < want->run.result_count; i++) {
        ck_assert_uint_eq(got->results[i].type, want->results[i].type);
        ck_assert_msg(same_bits(got->results[i].integer, want->results[i].integer,
                                want->results[i].type == CNS_VM_F64),
                      "%s: result %u is %llx (%g), expected %llx (%g)", what, i,
                      (unsigned long long)got->results[i].integer, got->results[i].real,
                      (unsigned long long)want->results[i].integer, want->results[i].real);
    }
}

/* The bytes of both memories, where NaNs of floats may differ. */
static void compare_bytes(const uint8_t *got, const uint8_t *want, uint8_t type, const char *what) {
    size_t size = type == CNS_VM_BUFFER + CNS_F32 ? 4 : 8;
    if (memcmp(got, want, BYTES) == 0) {
        return;
    }
    bool real = type == CNS_VM_BUFFER + CNS_F32 || type == CNS_VM_BUFFER + CNS_F64;
    for (size_t i = 0; i < BYTES; i += size) {
        double x = 0, y = 1;
        float s, t;
        if (memcmp(got + i, want + i, size) == 0) {
            continue;
        }
        if (real && size == 8) {
            memcpy(&x, got + i, 8);
            memcpy(&y, want + i, 8);
        } else if (real) {
            memcpy(&s, got + i, 4);
            memcpy(&t, want + i, 4);
            x = s;
            y = t;
        }
        ck_assert_msg(isnan(x) && isnan(y), "%s: byte %zu differs", what, i);
    }
}

/* Runs `f` both ways over its own copy of `memory`; buffers' data are offsets into it. */
static void check_call(const cns_ir_function *f, cns_native_entry entry,
                       const cns_vm_value *arguments, const uint8_t *memory, const char *what) {
    static _Thread_local _Alignas(64) uint8_t spaces[2][BYTES];
    call calls[2];
    uint8_t type = CNS_VM_BUFFER + CNS_I8;
    for (int way = 0; way < 2; way++) {
        prepare(&calls[way], arguments, f->argument_count);
        if (memory) {
            memcpy(spaces[way], memory, BYTES);
        }
        for (uint32_t i = 0; i < f->argument_count; i++) {
            cns_ir_value value = f->arguments[i];
            if (value != CNS_IR_NONE && cns_ir_is_buffer(cns_ir_at(f, value)->type)) {
                type = cns_ir_at(f, value)->type > type ? cns_ir_at(f, value)->type : type;
                calls[way].arguments[i].data = spaces[way] + arguments[i].integer;
            }
        }
    }
    uint32_t kind = entry(&calls[0].run);
    ck_assert_uint_eq(kind, calls[0].run.trap.kind);
    ck_assert(support_ir_eval(f, &calls[1].run, UINT64_MAX) == calls[1].run.trap.kind);
    compare_runs(&calls[0], &calls[1], what);
    if (memory) {
        compare_bytes(spaces[0], spaces[1], type, what);
    }
}

/* ---- operations ------------------------------------------------------------------------------ */

static const int64_t integers[] = {0,
                                   1,
                                   -1,
                                   2,
                                   -2,
                                   3,
                                   7,
                                   -7,
                                   63,
                                   64,
                                   -63,
                                   -64,
                                   65,
                                   INT64_MAX,
                                   10,
                                   53,
                                   8,
                                   INT64_MIN,
                                   INT64_MIN + 1,
                                   (INT64_C(1) << 53) + 1,
                                   INT64_MAX - 1};
static const double reals[] = {
    0.0,      -0.0,      1.0,    -1.0,      0.5,   -0.5,     2.0,    3.7,    -3.7,
    0x1p63,   -0x1p63,   0x1p62, 0x1p53,    1e300, -1e300,   1e-310, 0x1p64, 0x1.fffffffffffffp62,
    INFINITY, -INFINITY, NAN,    -0x1.8p63, 10.0,  0x1p-1074};

static cns_vm_value pick(cns_rng *rng, char letter) {
    cns_vm_value v = {.integer = 0};
    bool wild = cns_rng_below(rng, 4) == 0;
    if (letter == 'b') {
        v.integer = (int64_t)cns_rng_below(rng, 2);
    } else if (letter == 'i') {
        v.integer = wild ? (int64_t)cns_rng_next(rng)
                         : integers[cns_rng_below(rng, sizeof integers / sizeof *integers)];
    } else if (wild) {
        v.real = ((double)cns_rng_below(rng, 2000001) - 1000000) / 64;
    } else {
        v.real = reals[cns_rng_below(rng, sizeof reals / sizeof *reals)];
    }
    return v;
}

static uint8_t type_of_letter(char letter) {
    return letter == 'b' ? CNS_VM_BOOL : letter == 'i' ? CNS_VM_I64 : CNS_VM_F64;
}

/* A function of one operation; operands may be constants, which LLVM folds. */
static cns_ir_function *make_operation(cns_context *context, cns_ir_op op, cns_rng *rng,
                                       const cns_vm_value *fixed) {
    cns_ir_function *f;
    const cns_ir_op_info *info = cns_ir_info(op);
    cns_ir_value operands[CNS_IR_OPERANDS] = {CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE};
    cns_ir_value result;
    uint32_t site;
    support_status(context, CNS_OK, cns_ir_create(context, info->name, &f));
    support_status(context, CNS_OK, cns_ir_add_site(f, "k.lua", 7, CNS_IR_NONE, &site));
    for (uint32_t i = 0; info->operands[i]; i++) {
        support_status(
            context, CNS_OK,
            cns_ir_add_argument(f, type_of_letter(info->operands[i]), "x", &operands[i]));
        if (fixed && cns_rng_below(rng, 2)) {
            support_status(
                context, CNS_OK,
                info->operands[i] == 'b'   ? cns_ir_add_bool(f, fixed[i].integer, &operands[i])
                : info->operands[i] == 'i' ? cns_ir_add_i64(f, fixed[i].integer, &operands[i])
                                           : cns_ir_add_f64(f, fixed[i].real, &operands[i]));
        }
    }
    support_status(context, CNS_OK, cns_ir_add(f, 0, op, site, operands, &result));
    support_status(context, CNS_OK, cns_ir_end_return(f, 0, site, &result, 1));
    support_status(context, CNS_OK, cns_ir_verify(f, true));
    return f;
}

static bool is_plain(cns_ir_op op) {
    return op > CNS_IR_CONST_F64 && strpbrk(cns_ir_info(op)->operands, "Bn") == NULL;
}

static void try_operation(native *n, cns_ir_op op, cns_rng *rng, bool constants, int runs) {
    const char *letters = cns_ir_info(op)->operands;
    cns_vm_value arguments[ARGUMENTS] = {{.integer = 0}};
    for (uint32_t i = 0; letters[i]; i++) {
        arguments[i] = pick(rng, letters[i]);
    }
    cns_ir_function *f = make_operation(n->context, op, rng, constants ? arguments : NULL);
    cns_native_code code = native_compile(n, f);
    for (int k = 0; k < runs; k++) {
        char what[200];
        snprintf(what, sizeof what, "%s(%llx %g, %llx %g, %llx %g)", cns_ir_info(op)->name,
                 (unsigned long long)arguments[0].integer, arguments[0].real,
                 (unsigned long long)arguments[1].integer, arguments[1].real,
                 (unsigned long long)arguments[2].integer, arguments[2].real);
        check_call(f, code.entry, arguments, NULL, what);
        for (uint32_t i = 0; letters[i]; i++) {
            arguments[i] = pick(rng, letters[i]);
        }
    }
    n->backend->release(n->instance, &code);
    cns_ir_destroy(f);
}

START_TEST(operations_agree) {
    native n;
    native_open(&n);
    cns_rng rng;
    cns_rng_seed(&rng, 1);
    for (int op = 0; op < CNS_IR_OP_COUNT; op++) {
        if (is_plain((cns_ir_op)op)) {
            try_operation(&n, (cns_ir_op)op, &rng, false, 2000);
            for (int k = 0; k < 4; k++) {
                try_operation(&n, (cns_ir_op)op, &rng, true, 50);
            }
        }
    }
    native_close(&n);
}
END_TEST

/* ---- elements -------------------------------------------------------------------------------- */

/* function(b, i, v) local before = b[i]; b[i] = v; return before, #b, b[i] end */
static void try_element(native *n, cns_type type, bool real, cns_rng *rng) {
    char text[512];
    const char *name = cns_ir_type_name((uint8_t)(CNS_VM_BUFFER + type));
    snprintf(text, sizeof text,
             "kernel element(b: %s, i: i64, v: %s)\nblock 0():\n  b = argument b\n"
             "  i = argument i\n  v = argument v\n  before = load b, i  ; line 1\n"
             "  n = len b\n  store b, i, v  ; line 2\n  after = load b, i  ; line 3\n"
             "  return before, n, after\n",
             name, real ? "f64" : "i64");
    cns_ir_function *f = support_ir_parse(n->context, text);
    cns_native_code code = native_compile(n, f);
    uint8_t memory[BYTES];
    for (int k = 0; k < 2000; k++) {
        for (size_t i = 0; i < 256; i++) {
            memory[i] = (uint8_t)cns_rng_next(rng);
        }
        memset(memory + 256, 0, BYTES - 256);
        cns_vm_value arguments[3] = {{.integer = 64, .count = cns_rng_below(rng, 9)},
                                     {.integer = (int64_t)cns_rng_below(rng, 11) - 1},
                                     pick(rng, real ? 'f' : 'i')};
        if (cns_rng_below(rng, 8) == 0) {
            arguments[1] = pick(rng, 'i');
        }
        int64_t edge = (INT64_C(1) << cns_rng_below(rng, 63)) - (int64_t)cns_rng_below(rng, 2);
        if (cns_rng_below(rng, 2)) {
            edge = cns_rng_below(rng, 2) ? edge : -edge;
            arguments[2].integer = edge;
            if (real) {
                arguments[2].real = (double)edge;
            }
        }
        char what[160];
        snprintf(what, sizeof what, "%s[%lld] = %llx", name, (long long)arguments[1].integer,
                 (unsigned long long)arguments[2].integer);
        check_call(f, code.entry, arguments, memory, what);
    }
    n->backend->release(n->instance, &code);
    cns_ir_destroy(f);
}

START_TEST(elements_agree) {
    native n;
    native_open(&n);
    cns_rng rng;
    cns_rng_seed(&rng, 2);
    for (int type = CNS_I8; type <= CNS_F64; type++) {
        try_element(&n, (cns_type)type, false, &rng);
        try_element(&n, (cns_type)type, true, &rng);
    }
    native_close(&n);
}
END_TEST

/* ---- loops ----------------------------------------------------------------------------------- */

/* A loop over i = first, last, step around `body`, carrying one f64 `s`; `tail` is its next. */
static cns_ir_function *make_loop(cns_context *context, const char *body, const char *next) {
    char text[4096];
    snprintf(text, sizeof text,
             "kernel loop(x: buffer of f64, y: buffer of f64, z: buffer of i32, first: i64, "
             "last: i64, step: i64)\n"
             "block 0():\n"
             "  x = argument x\n  y = argument y\n  z = argument z\n"
             "  first = argument first\n  last = argument last\n  step = argument step\n"
             "  zero = const.i64 0\n  one = const.i64 1\n  two = const.i64 2\n"
             "  none: f64 = const.f64 0\n  half: f64 = const.f64 0.5\n"
             "  enters = for.enters.i64 first, last, step  ; line 1\n"
             "  branch enters 1() 3(none)\n"
             "block 1():\n"
             "  count = for.count first, last, step\n"
             "  jump 2(count, first, none)\n"
             "block 2(remaining: i64, i: i64, s: f64)\n%s"
             "  done = eq.i64 remaining, zero\n"
             "  less = sub.i64 remaining, one\n"
             "  next = add.i64 i, step\n"
             "  branch done 3(%s) 2(less, next, %s)\n"
             "block 3(result: f64):\n"
             "  return result\n",
             body, next, next);
    char *colon = strstr(text, "s: f64)\n");
    char fixed[4100];
    snprintf(fixed, sizeof fixed, "%.*s:\n%s", (int)(colon - text) + 7, text, colon + 8);
    cns_ir_function *f = support_ir_parse(context, fixed);
    support_status(context, CNS_OK, cns_ir_verify(f, true));
    return f;
}

static void fill(uint8_t *memory, cns_rng *rng) {
    for (size_t i = 0; i < BYTES; i += 8) {
        double value = ((double)cns_rng_below(rng, 2001) - 1000) / 8;
        memcpy(memory + i, &value, 8);
    }
}

static const char *const bodies[][2] = {
    {"  xi = load x, i  ; line 2\n  yi = load y, i  ; line 3\n  p = mul.f64 half, xi\n"
     "  q = add.f64 p, yi\n  store y, i, q  ; line 4\n",
     "s"},
    {"  xi = load x, i  ; line 2\n  t = add.f64 s, xi\n", "t"},
    {"  xi = load x, i  ; line 2\n  t = add.f64 s, xi\n  store y, i, t  ; line 3\n", "t"},
    {"  zi = load z, i  ; line 2\n  k = add.i64 i, one\n  m = add.i64 zi, k\n"
     "  store z, i, m  ; line 3\n",
     "s"},
    {"  r = i64.to.f64 remaining\n  t = add.f64 s, r\n  store x, i, t  ; line 9\n", "t"},
    {"  i2 = mul.i64 i, two\n  xi = load x, i2  ; line 2\n  e = sqrt.f64 xi\n  g = sin.f64 e\n"
     "  store y, i, g  ; line 3\n  t = mod.f64 xi, half\n",
     "t"},
    {"  xi = load x, i  ; line 2\n  k = f64.to.index xi  ; line 3\n  store z, k, one  ; line 3\n",
     "s"},
};

/* Buffers that overlap in every way, indices that run out at both ends. */
static void try_loop(native *n, cns_ir_function *f, cns_rng *rng, const char *what) {
    cns_native_code code = native_compile(n, f);
    uint8_t memory[BYTES];
    for (int k = 0; k < 300; k++) {
        fill(memory, rng);
        cns_vm_value arguments[ARGUMENTS];
        for (int i = 0; i < 3; i++) {
            arguments[i] = (cns_vm_value){.integer = (int64_t)(8 * cns_rng_below(rng, 100)),
                                          .count = cns_rng_below(rng, 300)};
        }
        arguments[3] = (cns_vm_value){.integer = (int64_t)cns_rng_below(rng, 4)};
        arguments[4] = (cns_vm_value){.integer = (int64_t)cns_rng_below(rng, 310)};
        arguments[5] = (cns_vm_value){.integer = (int64_t)cns_rng_below(rng, 8) - 2};
        if (cns_rng_below(rng, 2)) {
            arguments[3].integer = arguments[5].integer = 1;
            uint64_t least =
                arguments[0].count < arguments[1].count ? arguments[0].count : arguments[1].count;
            arguments[4].integer =
                (int64_t)(least < arguments[2].count ? least : arguments[2].count);
        }
        if (cns_rng_below(rng, 30) == 0) {
            arguments[4].integer = INT64_MAX;
            arguments[3].integer = INT64_MAX - 5;
        }
        check_call(f, code.entry, arguments, memory, what);
    }
    n->backend->release(n->instance, &code);
}

START_TEST(loops_agree) {
    native n;
    native_open(&n);
    cns_rng rng;
    cns_rng_seed(&rng, 3);
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        cns_ir_function *f = make_loop(n.context, bodies[i][0], bodies[i][1]);
        char what[32];
        snprintf(what, sizeof what, "loop %zu", i);
        try_loop(&n, f, &rng, what);
        cns_ir_destroy(f);
    }
    native_close(&n);
}
END_TEST

/* ---- polls ----------------------------------------------------------------------------------- */

typedef struct poller {
    uint64_t asked;
    uint64_t stop_at;
} poller;

static cns_status count_polls(void *user) {
    poller *p = user;
    return ++p->asked == p->stop_at ? CNS_E_CANCELLED : CNS_OK;
}

static uint32_t run_polled(cns_native_entry entry, call *c, poller *p) {
    c->run.poll = count_polls;
    c->run.poll_user = p;
    return entry(&c->run);
}

/* function(n) local s = 0.0 for i = 1, n do s = s + i end return s end, and for ever */
static const char counting[] = "kernel counting(n: i64)\n"
                               "block 0():\n"
                               "  n = argument n\n  one = const.i64 1\n  zero = const.i64 0\n"
                               "  nothing: f64 = const.f64 0\n"
                               "  enters = for.enters.i64 one, n, one\n"
                               "  branch enters 1() 3(nothing)\n"
                               "block 1():\n  count = for.count one, n, one\n"
                               "  jump 2(count, one, nothing)\n"
                               "block 2(remaining: i64, i: i64, s: f64):\n"
                               "  r = i64.to.f64 i\n  t = add.f64 s, r\n"
                               "  done = eq.i64 remaining, zero\n  less = sub.i64 remaining, one\n"
                               "  next = add.i64 i, one\n  branch done 3(t) 2(less, next, t)\n"
                               "block 3(x: f64):\n  return x\n";

START_TEST(counted_loops_poll) {
    native n;
    native_open(&n);
    cns_ir_function *f = support_ir_parse(n.context, counting);
    cns_native_code code = native_compile(&n, f);
    static const int64_t sizes[] = {0, 1, 65535, 65536, 65537, 131072, 1000000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        call c;
        poller p = {0, 0};
        prepare(&c, &(cns_vm_value){.integer = sizes[i]}, 1);
        ck_assert_uint_eq(run_polled(code.entry, &c, &p), 0);
        ck_assert(c.results[0].real == (double)sizes[i] * ((double)sizes[i] + 1) / 2);
        ck_assert_uint_eq(p.asked, sizes[i] ? (uint64_t)(sizes[i] - 1) / 65536 : 0);
    }
    call c;
    poller p = {0, 3};
    prepare(&c, &(cns_vm_value){.integer = INT64_MAX}, 1);
    ck_assert_uint_eq(run_polled(code.entry, &c, &p), CNS_TRAP_STOPPED);
    ck_assert_int_eq(c.run.trap.integer, CNS_E_CANCELLED);
    n.backend->release(n.instance, &code);
    cns_ir_destroy(f);
    native_close(&n);
}
END_TEST

/* Loops without a count, and loops around short ones, are asked too. */
START_TEST(other_loops_poll) {
    static const char forever[] = "kernel forever(n: i64)\nblock 0():\n  n = argument n\n"
                                  "  jump 1(n)\nblock 1(i: i64):\n  one = add.i64 i, n\n"
                                  "  jump 1(one)\n";
    static const char nested[] =
        "kernel nested(n: i64)\nblock 0():\n  n = argument n\n  one = const.i64 1\n"
        "  zero = const.i64 0\n  jump 1(n)\n"
        "block 1(k: i64):\n  jump 2(n, one)\n"
        "block 2(remaining: i64, i: i64):\n"
        "  done = eq.i64 remaining, zero\n  less = sub.i64 remaining, one\n"
        "  next = add.i64 i, k\n  branch done 3() 2(less, next)\n"
        "block 3():\n  again = add.i64 next, k\n  jump 1(again)\n";
    native n;
    native_open(&n);
    const char *const texts[] = {forever, nested};
    for (int i = 0; i < 2; i++) {
        cns_ir_function *f = support_ir_parse(n.context, texts[i]);
        cns_native_code code = native_compile(&n, f);
        for (int64_t size = 1; size < 1000000; size *= 10) {
            call c;
            poller p = {0, 5};
            prepare(&c, &(cns_vm_value){.integer = size}, 1);
            ck_assert_uint_eq(run_polled(code.entry, &c, &p), CNS_TRAP_STOPPED);
            ck_assert_uint_eq(p.asked, 5);
        }
        n.backend->release(n.instance, &code);
        cns_ir_destroy(f);
    }
    native_close(&n);
}
END_TEST

/* ---- threads, memory, texts ------------------------------------------------------------------ */

typedef struct worker {
    native *n;
    uint64_t seed;
    cns_os_thread thread;
} worker;

static void compile_and_run(void *argument) {
    worker *w = argument;
    cns_rng rng;
    cns_rng_seed(&rng, w->seed);
    for (int k = 0; k < 12; k++) {
        size_t i = (size_t)cns_rng_below(&rng, sizeof bodies / sizeof *bodies);
        cns_ir_function *f = make_loop(w->n->context, bodies[i][0], bodies[i][1]);
        try_loop(w->n, f, &rng, "a loop on a thread");
        cns_ir_destroy(f);
    }
}

START_TEST(threads_compile_at_once) {
    native n;
    native_open(&n);
    worker workers[4];
    for (uint64_t i = 0; i < 4; i++) {
        workers[i] = (worker){.n = &n, .seed = 40 + i};
        ck_assert_int_eq(
            cns_os_thread_create(&workers[i].thread, compile_and_run, &workers[i], "jit", 0), 0);
    }
    for (int i = 0; i < 4; i++) {
        cns_os_thread_join(&workers[i].thread);
    }
    native_close(&n);
}
END_TEST

START_TEST(code_goes_with_its_kernel) {
    native n;
    native_open(&n);
    cns_ir_function *f = make_loop(n.context, bodies[0][0], bodies[0][1]);
    cns_memory_stats before, after;
    cns_context_memory(n.context, &before);
    for (int k = 0; k < 200; k++) {
        cns_native_code code = native_compile(&n, f);
        n.backend->release(n.instance, &code);
        ck_assert(code.handle == NULL && code.entry == NULL);
        n.backend->release(n.instance, &code); /* idle */
    }
    cns_context_memory(n.context, &after);
    ck_assert_uint_eq(before.held, after.held);
    cns_ir_destroy(f);
    native_close(&n);
}
END_TEST

START_TEST(code_can_be_read_and_kept) {
    native n;
    native_open(&n);
    cns_ir_function *f = make_loop(n.context, bodies[5][0], bodies[5][1]);
    cns_text text;
    cns_text_init(&text, n.context);
    support_status(n.context, CNS_OK, n.backend->print(n.instance, f, &n.options, 0, &text));
    ck_assert_ptr_nonnull(strstr(text.bytes, "define"));
    ck_assert_ptr_nonnull(strstr(text.bytes, "@sin"));
    cns_text_deinit(&text);
    cns_text_init(&text, n.context);
    support_status(n.context, CNS_OK, n.backend->print(n.instance, f, &n.options, 1, &text));
    ck_assert_ptr_nonnull(strstr(text.bytes, "kernel"));
    cns_text_deinit(&text);
    void *object = NULL;
    size_t size = 0;
    const cns_native_export exports[2] = {{.function = f, .symbol = "first_kernel"},
                                          {.function = f, .symbol = "second_kernel"}};
    cns_native_object build = {.prefix = "test", .exports = exports, .export_count = 2};
    support_status(n.context, CNS_OK, n.backend->emit(n.instance, &build, &object, &size));
    ck_assert_uint_gt(size, 100);
    ck_assert_int_eq(memcmp(object, "\177ELF", 4), 0);
    cns_context_resize(n.context, object, size, 0);
    cns_ir_destroy(f);
    native_close(&n);
}
END_TEST

/* ---- failing allocations --------------------------------------------------------------------- */

static cns_status compile_once(cns_context *context) {
    void *library = NULL, *instance = NULL;
    char why[64];
    ck_assert(cns_os_library_open(TEST_PLUGIN, &library, why, sizeof why));
    const cns_native_backend *backend =
        ((cns_native_backend_fn)cns_os_library_symbol(library, CNS_NATIVE_SYMBOL))();
    cns_status status = backend->create(context, cns_native_services_get(), &instance);
    cns_context *other = support_context();
    cns_ir_function *f = support_ir_parse(other, counting);
    f->context = context; /* whose memory the compiler uses */
    cns_native_options options = {.cpu = NULL};
    cns_native_code code = {0};
    cns_text text;
    cns_text_init(&text, context);
    void *object = NULL;
    size_t size = 0;
    const cns_native_export exports[1] = {{.function = f, .symbol = "symbol"}};
    cns_native_object build = {.prefix = "test", .exports = exports, .export_count = 1};
    if (status == CNS_OK) {
        status = compile_and_link(backend, instance, f, &options, &code);
    }
    if (status == CNS_OK) {
        status = backend->print(instance, f, &options, 1, &text);
        status = status == CNS_OK ? cns_text_status(&text) : status;
    }
    if (status == CNS_OK) {
        status = backend->emit(instance, &build, &object, &size);
    }
    if (object) {
        cns_context_resize(context, object, size, 0);
    }
    cns_text_deinit(&text);
    if (instance) {
        backend->release(instance, &code);
    }
    backend->destroy(instance);
    f->context = other;
    cns_ir_destroy(f);
    support_context_destroy(other);
    cns_os_library_close(library);
    return status;
}

START_TEST(allocations_may_fail) {
    support_each_allocation_fails(compile_once);
}
END_TEST

int main(void) {
    if (*TEST_PLUGIN == '\0') {
        puts("skipped: the native backend is not built (LLVM 18 or newer is missing)");
        return 77;
    }
    Suite *suite = suite_create("native");
    TCase *cases = tcase_create("native");
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, operations_agree);
    tcase_add_test(cases, elements_agree);
    tcase_add_test(cases, loops_agree);
    tcase_add_test(cases, counted_loops_poll);
    tcase_add_test(cases, other_loops_poll);
    tcase_add_test(cases, threads_compile_at_once);
    tcase_add_test(cases, code_goes_with_its_kernel);
    tcase_add_test(cases, code_can_be_read_and_kept);
    tcase_add_test(cases, allocations_may_fail);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
