/* SPDX-License-Identifier: MIT
 *
 * test_module_file.c - modules of kernels: what is written comes back and means the same; damage
 * is refused; what a forger seals anew is refused or harmless, run over exact allocations.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cns/hash.h"
#include "ir_eval.h"
#include "ir_random.h"
#include "ir_text.h"
#include "support.h"
#include "vm/kernel.h"

#define F64S (CNS_VM_BUFFER + CNS_F64)
#define U8S (CNS_VM_BUFFER + CNS_U8)

enum { HEAD = 12, DIGEST = 32 };

typedef struct world {
    cns_context *context;
    cns_vm *vm;
    cns_module *module;
} world;

static void world_open(world *w) {
    *w = (world){.context = support_context()};
    support_status(w->context, CNS_OK, cns_vm_create(w->context, NULL, &w->vm));
    support_status(w->context, CNS_OK, cns_module_create(w->vm, &w->module));
}

static void world_close(world *w) {
    cns_module_destroy(w->module);
    cns_vm_destroy(w->vm);
    support_context_destroy(w->context);
}

/* A kernel whose last `hidden` arguments are captured values. */
static cns_kernel *parse(world *w, const char *text, uint32_t hidden) {
    cns_kernel *kernel = NULL;
    support_status(w->context, CNS_OK,
                   cns_kernel_from_ir(w->vm, support_ir_parse(w->context, text), 0, &kernel));
    kernel->hidden_count = hidden;
    return kernel;
}

static cns_status add(world *w, const char *name, const char *text) {
    cns_kernel *kernel = parse(w, text, 0);
    cns_status status = cns_module_add(w->module, name, kernel, NULL, 0);
    cns_kernel_destroy(kernel);
    return status;
}

typedef struct file {
    uint8_t *bytes;
    uint64_t size;
} file;

static file written(world *w) {
    file f = {NULL, 0};
    void *bytes = NULL;
    support_status(w->context, CNS_OK, cns_module_write(w->module, &bytes, &f.size));
    f.bytes = malloc(f.size);
    memcpy(f.bytes, bytes, f.size);
    cns_context_resize(w->context, bytes, f.size, 0);
    return f;
}

/* From a copy of exactly the size, so that a sanitizer sees a read beyond it. */
static cns_status read_copy(world *w, const uint8_t *bytes, uint64_t size, cns_module **out) {
    uint8_t *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    *out = NULL;
    cns_status status = cns_module_read(w->vm, copy, size, out);
    free(copy);
    ck_assert((*out != NULL) == (status == CNS_OK));
    return status;
}

static void seal_at(uint8_t *begin, size_t size) {
    ck_assert_int_eq(cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, begin, size, begin + size, 32),
                     CNS_OK);
}

static void seal(file f) {
    seal_at(f.bytes, f.size - DIGEST);
}

static const char saxpy[] = "kernel saxpy(a: f64, x: buffer of f64, y: buffer of f64)\n"
                            "block 0():\n"
                            "  a = argument a\n  x = argument x\n  y = argument y\n"
                            "  one = const.i64 1\n  zero = const.i64 0\n"
                            "  n = len x\n  e = for.enters.i64 one, n, one\n  branch e 1() 3()\n"
                            "block 1():\n  c = for.count one, n, one\n  jump 2(c, one)\n"
                            "block 2(left: i64, i: i64):\n"
                            "  xi = load x, i\n  p = mul.f64 a, xi\n  yi = load y, i\n"
                            "  s = add.f64 p, yi\n  w = store y, i, s\n"
                            "  z = eq.i64 left, zero\n  l = sub.i64 left, one\n"
                            "  j = add.i64 i, one\n  branch z 3() 2(l, j)\n"
                            "block 3():\n  return n\n";

/* Counts in a loop that is no counted one, and stores what may not fit. */
static const char collatz[] = "kernel collatz(n: i64, out: buffer of u8)\n"
                              "block 0():\n"
                              "  n = argument n\n  out = argument out\n"
                              "  one = const.i64 1\n  two = const.i64 2\n  three = const.i64 3\n"
                              "  zero = const.i64 0\n  jump 1(n, zero)\n"
                              "block 1(v: i64, steps: i64):\n"
                              "  more = lt.i64 one, v\n  branch more 2() 5()\n"
                              "block 2():\n"
                              "  next = add.i64 steps, one\n  bit = and.i64 v, one\n"
                              "  even = eq.i64 bit, zero\n  branch even 3() 4()\n"
                              "block 3():\n  half = idiv.i64 v, two\n  jump 1(half, next)\n"
                              "block 4():\n"
                              "  t = mul.i64 v, three\n  u = add.i64 t, one\n  jump 1(u, next)\n"
                              "block 5():\n  s = store out, one, steps\n  return steps\n";

static const char captures[] = "kernel captures(x: f64, i: i64, b: bool, r: f64)\n"
                               "block 0():\n"
                               "  x = argument x\n  i = argument i\n  b = argument b\n"
                               "  r = argument r\n  p = mul.f64 x, r\n"
                               "  s = select.f64 b, p, x\n  return s, i, b\n";

/* ---- there and back -------------------------------------------------------------------------- */

/* The generator also makes counts that do not stand behind their test: those are refused before
 * they are in a file. */
static bool add_random(world *w, uint64_t seed, const char *name) {
    cns_ir_function *f = NULL;
    cns_kernel *kernel = NULL;
    support_status(w->context, CNS_OK, support_ir_random(w->context, seed, &f));
    support_status(w->context, CNS_OK, cns_kernel_from_ir(w->vm, f, 0, &kernel));
    cns_status status = cns_module_add(w->module, name, kernel, NULL, 0);
    ck_assert(status == CNS_OK || status == CNS_E_CORRUPT);
    cns_kernel_destroy(kernel);
    return status == CNS_OK;
}

START_TEST(random_kernels_come_back) {
    enum { KERNELS = 60 };
    world w, v;
    world_open(&w);
    char name[16] = "k0";
    for (uint64_t seed = 0; seed < 400 && cns_module_count(w.module) < KERNELS; seed++) {
        uint32_t before = cns_module_count(w.module);
        bool added = add_random(&w, seed, name);
        ck_assert_uint_eq(cns_module_count(w.module), before + added);
        snprintf(name, sizeof name, "k%u", (unsigned)before + added);
    }
    ck_assert_uint_eq(cns_module_count(w.module), KERNELS);
    file first = written(&w);
    world_open(&v);
    cns_module_destroy(v.module);
    support_status(v.context, CNS_OK, read_copy(&v, first.bytes, first.size, &v.module));
    ck_assert_uint_eq(cns_module_count(v.module), KERNELS);
    for (uint32_t i = 0; i < KERNELS; i++) {
        snprintf(name, sizeof name, "k%u", (unsigned)i);
        ck_assert_str_eq(cns_module_name(v.module, i), name);
        const cns_kernel *a = cns_module_kernel(w.module, i), *b = cns_module_kernel(v.module, i);
        for (uint64_t seed = 0; seed < 8; seed++) {
            support_ir_outcome before, built, optimised;
            support_ir_outcome_of(a->built, seed, &before);
            support_ir_outcome_of(b->built, seed, &built);
            support_ir_outcome_of(b->ir, seed, &optimised);
            ck_assert(support_ir_same(&before, &built));
            ck_assert(support_ir_same(&before, &optimised));
        }
    }
    file second = written(&v);
    ck_assert_uint_eq(first.size, second.size);
    ck_assert_mem_eq(first.bytes, second.bytes, first.size);
    free(first.bytes);
    free(second.bytes);
    world_close(&w);
    world_close(&v);
}
END_TEST

START_TEST(a_module_without_kernels_is_one) {
    world w;
    world_open(&w);
    file f = written(&w);
    cns_module *module = NULL;
    support_status(w.context, CNS_OK, read_copy(&w, f.bytes, f.size, &module));
    ck_assert_uint_eq(cns_module_count(module), 0);
    ck_assert_ptr_null(cns_module_find(module, "k", NULL, 0));
    cns_module_destroy(module);
    free(f.bytes);
    world_close(&w);
}
END_TEST

/* ---- captured values ------------------------------------------------------------------------- */

static void check_captures(const cns_module *module) {
    const uint32_t types[] = {CNS_VM_F64};
    cns_kernel *kernel = cns_module_find(module, "captures", types, 1);
    ck_assert_ptr_nonnull(kernel);
    uint32_t hidden = 9;
    (void)cns_kernel_hidden(kernel, &hidden);
    ck_assert_uint_eq(hidden, 0);
    ck_assert_uint_eq(cns_kernel_arguments(kernel), 1);
    ck_assert_uint_eq(cns_kernel_argument_type(kernel, 0), CNS_VM_F64);
    ck_assert_uint_eq(cns_kernel_argument_type(kernel, 1), CNS_VM_VOID);
    cns_vm_value x = {.real = 3}, results[3];
    cns_run run = {.arguments = &x, .results = results, .result_capacity = 3};
    ck_assert_int_eq(cns_kernel_run(kernel, &run), CNS_OK);
    ck_assert_double_eq(results[0].real, 0.75);
    ck_assert_int_eq(results[1].integer, INT64_MIN);
    ck_assert_int_eq(results[2].integer, 1);
    ck_assert_uint_eq(results[2].type, CNS_VM_BOOL);
}

START_TEST(captured_values_become_constants) {
    const cns_vm_value hidden[] = {{.integer = INT64_MIN}, {.integer = 7}, {.real = 0.25}};
    world w;
    world_open(&w);
    cns_kernel *kernel = parse(&w, captures, 3);
    ck_assert_uint_eq(cns_kernel_arguments(kernel), 1);
    support_status(w.context, CNS_OK, cns_module_add(w.module, "captures", kernel, hidden, 3));
    support_status(w.context, CNS_E_INVALID, cns_module_add(w.module, "two", kernel, hidden, 2));
    support_status(w.context, CNS_E_INVALID, cns_module_add(w.module, "none", kernel, NULL, 3));
    cns_kernel_destroy(kernel);
    check_captures(w.module);
    file f = written(&w);
    cns_module *module = NULL;
    support_status(w.context, CNS_OK, read_copy(&w, f.bytes, f.size, &module));
    check_captures(module);
    cns_module_destroy(module);
    free(f.bytes);
    world_close(&w);
}
END_TEST

START_TEST(captured_buffers_are_refused_by_name) {
    double data[2] = {1, 2};
    const cns_vm_value hidden = {.data = data, .count = 2};
    world w;
    world_open(&w);
    cns_kernel *kernel =
        parse(&w,
              "kernel k(n: i64, weights: buffer of f64)\nblock 0():\n  n = argument n\n"
              "  w = argument weights\n  v = load w, n\n  return v\n",
              1);
    support_status(w.context, CNS_E_UNSUPPORTED,
                   cns_module_add(w.module, "pick", kernel, &hidden, 1));
    char message[256];
    cns_context_message(w.context, message, sizeof message);
    ck_assert_str_eq(message, "kernel pick: 'weights' is a buffer of f64 of this program, which no "
                              "module can hold: make it an argument");
    ck_assert_uint_eq(cns_module_count(w.module), 0);
    cns_kernel_destroy(kernel);
    world_close(&w);
}
END_TEST

/* ---- names and signatures -------------------------------------------------------------------- */

START_TEST(signatures_are_told_apart) {
    static const char integer[] = "kernel k(n: i64)\nblock 0():\n  n = argument n\n  return n\n";
    static const char real[] = "kernel k(n: f64)\nblock 0():\n  n = argument n\n  return n, n\n";
    static const char nothing[] = "kernel k(n: nil)\nblock 0():\n  return \n";
    static const char nil[] = "kernel k(m: nil, n: i64)\nblock 0():\n  n = argument n\n"
                              "  return n\n";
    world w;
    world_open(&w);
    support_status(w.context, CNS_OK, add(&w, "k", integer));
    support_status(w.context, CNS_OK, add(&w, "k", real));
    support_status(w.context, CNS_OK, add(&w, "k", nothing));
    support_status(w.context, CNS_OK, add(&w, "k", nil));
    support_status(w.context, CNS_OK, add(&w, "other", real));
    support_status(w.context, CNS_E_INVALID, add(&w, "k", integer));
    const uint32_t types[][2] = {
        {CNS_VM_I64, CNS_VM_NIL}, {CNS_VM_F64, CNS_VM_NIL}, {CNS_VM_NIL, CNS_VM_I64}};
    for (uint32_t count = 1; count <= 2; count++) { /* a nil at the end may be there or not */
        ck_assert_ptr_eq(cns_module_find(w.module, "k", types[0], count),
                         cns_module_kernel(w.module, 0));
        ck_assert_ptr_eq(cns_module_find(w.module, "k", types[1], count),
                         cns_module_kernel(w.module, 1));
        ck_assert_ptr_eq(cns_module_find(w.module, "k", types[2], count),
                         cns_module_kernel(w.module, count == 1 ? 2 : 3));
    }
    ck_assert_ptr_eq(cns_module_find(w.module, "k", NULL, 0), cns_module_kernel(w.module, 2));
    ck_assert_ptr_null(cns_module_find(w.module, "other", types[0], 1));
    ck_assert_ptr_null(cns_module_find(w.module, "none", types[0], 1));
    world_close(&w);
}
END_TEST

START_TEST(misuse_is_refused) {
    world w;
    world_open(&w);
    char longest[257];
    memset(longest, 'n', 256);
    longest[256] = '\0';
    support_status(w.context, CNS_E_INVALID, add(&w, "", saxpy));
    support_status(w.context, CNS_E_INVALID, add(&w, NULL, saxpy));
    support_status(w.context, CNS_E_INVALID, add(&w, longest, saxpy));
    support_status(w.context, CNS_OK, add(&w, longest + 1, saxpy));
    cns_kernel *taken = cns_module_take(w.module, 0);
    ck_assert_ptr_nonnull(taken);
    ck_assert_ptr_null(cns_module_kernel(w.module, 0));
    void *bytes;
    uint64_t size;
    support_status(w.context, CNS_E_INVALID, cns_module_write(w.module, &bytes, &size));
    cns_kernel_destroy(taken);
    world_close(&w);
    cns_module_destroy(NULL);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

static file pair_of_kernels(world *w) {
    support_status(w->context, CNS_OK, add(w, "saxpy", saxpy));
    support_status(w->context, CNS_OK, add(w, "collatz", collatz));
    return written(w);
}

START_TEST(damage_is_refused) {
    world w;
    world_open(&w);
    file f = pair_of_kernels(&w);
    cns_module *module;
    for (size_t i = 0; i < f.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            f.bytes[i] ^= (uint8_t)(1 << bit);
            cns_status status = read_copy(&w, f.bytes, f.size, &module);
            bool version = i >= 4 && i < 8;
            ck_assert_int_eq(status, version ? CNS_E_UNSUPPORTED : CNS_E_CORRUPT);
            f.bytes[i] ^= (uint8_t)(1 << bit);
        }
        support_status(w.context, CNS_E_CORRUPT, read_copy(&w, f.bytes, i, &module));
    }
    support_status(w.context, CNS_E_CORRUPT, cns_module_read(w.vm, NULL, 0, &module));
    support_status(w.context, CNS_E_CORRUPT, cns_module_read(w.vm, NULL, 100, &module));
    free(f.bytes);
    world_close(&w);
}
END_TEST

/* Cut anywhere, with a digest that is right: it ends too early. */
START_TEST(sealed_pieces_are_refused) {
    world w;
    world_open(&w);
    file f = pair_of_kernels(&w);
    cns_module *module;
    for (size_t size = HEAD; size < f.size - DIGEST; size++) {
        file piece = {malloc(size + DIGEST), size + DIGEST};
        memcpy(piece.bytes, f.bytes, size);
        seal(piece);
        support_status(w.context, CNS_E_CORRUPT, read_copy(&w, piece.bytes, piece.size, &module));
        free(piece.bytes);
    }
    free(f.bytes);
    world_close(&w);
}
END_TEST

static cns_status stop(void *user) {
    (void)user;
    return CNS_E_CANCELLED;
}

/* Arguments of whatever types, in allocations of exactly their size. */
static void run_anyhow(cns_kernel *kernel) {
    enum { ELEMENTS = 5, ARGUMENTS = 255 };
    cns_vm_value arguments[ARGUMENTS];
    uint32_t count = cns_kernel_arguments(kernel);
    memset(arguments, 0, sizeof arguments);
    for (uint32_t a = 0; a < count; a++) {
        uint32_t type = cns_kernel_argument_type(kernel, a);
        if (type >= CNS_VM_BUFFER) {
            size_t size = cns_type_size((cns_type)(type - CNS_VM_BUFFER));
            arguments[a] = (cns_vm_value){{.data = calloc(ELEMENTS, size)}, {.count = ELEMENTS}};
        } else if (type == CNS_VM_F64) {
            arguments[a].real = 1.5;
        } else {
            arguments[a].integer = type == CNS_VM_I64 ? 27 : 1;
        }
    }
    uint32_t limit = cns_kernel_result_limit(kernel);
    cns_vm_value *results = malloc((limit + 1) * sizeof *results);
    cns_run run = {
        .arguments = arguments, .results = results, .result_capacity = limit, .poll = stop};
    cns_status status = cns_kernel_run(kernel, &run);
    ck_assert(status == CNS_OK || (status == CNS_E_FAILED && run.trap.kind != CNS_TRAP_NONE));
    char message[64];
    (void)cns_kernel_trap_message(kernel, &run.trap, message, sizeof message);
    free(results);
    for (uint32_t a = 0; a < count; a++) {
        if (cns_kernel_argument_type(kernel, a) >= CNS_VM_BUFFER) {
            free(arguments[a].data);
        }
    }
}

/* Both digests made anew: refused, or kernels that run as any others. */
static bool read_forged(world *w, file f, size_t frame) {
    cns_module *module;
    seal_at(f.bytes + frame, f.size - 2 * DIGEST - frame);
    seal(f);
    cns_status status = read_copy(w, f.bytes, f.size, &module);
    ck_assert_msg(status == CNS_OK || status == CNS_E_CORRUPT || status == CNS_E_UNSUPPORTED, "%s",
                  cns_status_name(status));
    for (uint32_t i = 0; status == CNS_OK && i < cns_module_count(module); i++) {
        run_anyhow(cns_module_kernel(module, i));
    }
    cns_module_destroy(module);
    return status == CNS_OK;
}

START_TEST(forgeries_are_refused_or_harmless) {
    static const char *const texts[] = {saxpy, collatz, captures};
    unsigned refused = 0, taken = 0;
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        world w;
        world_open(&w);
        support_status(w.context, CNS_OK, add(&w, "k", texts[t]));
        file f = written(&w);
        size_t frame = HEAD + 4 + 1 + 4;
        ck_assert_mem_eq(f.bytes + frame, "CNSI", 4);
        for (size_t i = 0; i < f.size - 2 * DIGEST; i++) {
            uint8_t before = f.bytes[i];
            for (int value = 0; value < 256; value += value < 80 || value > 252 ? 1 : 19) {
                f.bytes[i] = (uint8_t)value;
                *(read_forged(&w, f, frame) ? &taken : &refused) += 1;
            }
            f.bytes[i] = before;
        }
        free(f.bytes);
        world_close(&w);
    }
    ck_assert_uint_gt(refused, 10000);
    ck_assert_uint_gt(taken, 1000); /* other constants, lines, names, operands of the same type */
}
END_TEST

/* Says that the sealed file is refused as `status`, with `words` in the message. */
static void expect_refusal(world *w, file f, cns_status status, const char *words) {
    char message[512];
    cns_module *module;
    seal(f);
    support_status(w->context, status, read_copy(w, f.bytes, f.size, &module));
    cns_context_message(w->context, message, sizeof message);
    ck_assert_msg(strstr(message, words) != NULL, "%s", message);
}

START_TEST(refusals_say_what_and_where) {
    world w;
    world_open(&w);
    file f = pair_of_kernels(&w);
    size_t options = HEAD + 4 + 5;
    f.bytes[options] = 32;
    expect_refusal(&w, f, CNS_E_CORRUPT,
                   "kernel 1, saxpy, at byte 12: the module is damaged at byte 21: options that");
    f.bytes[options] = 31;
    seal(f);
    cns_module *module;
    support_status(w.context, CNS_OK, read_copy(&w, f.bytes, f.size, &module));
    ck_assert_uint_eq(cns_module_kernel(module, 0)->options, 31);
    cns_module_destroy(module);
    f.bytes[options + 3] = 0x80;
    expect_refusal(&w, f, CNS_E_CORRUPT, "options that nobody knows");
    f.bytes[options + 3] = 0;
    f.bytes[4] = 2;
    expect_refusal(&w, f, CNS_E_UNSUPPORTED, "format 2");
    f.bytes[4] = 1;
    f.bytes[8] = 3;
    expect_refusal(&w, f, CNS_E_CORRUPT, "a kernel that ends too early");
    f.bytes[8] = 1;
    expect_refusal(&w, f, CNS_E_CORRUPT, "more bytes than it says");
    memset(f.bytes + 8, 0xff, 4);
    expect_refusal(&w, f, CNS_E_CORRUPT, "at byte 8: a count of kernels beyond its end");
    memcpy(f.bytes + 8, "\2\0\0", 4);
    memset(f.bytes + HEAD, 0xff, 4);
    expect_refusal(&w, f, CNS_E_CORRUPT, "a kernel's name that is none");
    memset(f.bytes + HEAD, 0, 4);
    expect_refusal(&w, f, CNS_E_CORRUPT, "a kernel's name that is none");
    f.bytes[HEAD] = 5;
    f.bytes[HEAD + 6] = '\0';
    expect_refusal(&w, f, CNS_E_CORRUPT, "a kernel's name that is none");
    free(f.bytes);
    world_close(&w);
}
END_TEST

START_TEST(twins_in_a_file_are_refused) {
    world w;
    world_open(&w);
    support_status(w.context, CNS_OK, add(&w, "a", saxpy));
    file one = written(&w);
    size_t entry = one.size - HEAD - DIGEST;
    file two = {malloc(one.size + entry), one.size + entry};
    memcpy(two.bytes, one.bytes, HEAD + entry);
    memcpy(two.bytes + HEAD + entry, one.bytes + HEAD, entry);
    two.bytes[8] = 2;
    expect_refusal(&w, two, CNS_E_CORRUPT, "its name and signature are there already");
    two.bytes[HEAD + entry + 4] = 'b';
    seal(two);
    cns_module *module;
    support_status(w.context, CNS_OK, read_copy(&w, two.bytes, two.size, &module));
    ck_assert_uint_eq(cns_module_count(module), 2);
    cns_module_destroy(module);
    free(one.bytes);
    free(two.bytes);
    world_close(&w);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

static cns_status add_written(cns_context *context, cns_vm *vm, void **bytes, uint64_t *size) {
    cns_module *module = NULL;
    cns_kernel *kernel = NULL;
    cns_ir_function *f = NULL;
    cns_status status = cns_module_create(vm, &module);
    status = status == CNS_OK ? support_ir_random(context, 3, &f) : status;
    status = status == CNS_OK ? cns_kernel_from_ir(vm, f, 0, &kernel) : status;
    if (status == CNS_OK) {
        cns_vm_value hidden[3] = {{.real = 1}};
        kernel->hidden_count = 3;
        status = cns_module_add(module, "k", kernel, hidden, 3);
        status = status == CNS_OK ? cns_module_add(module, "l", kernel, hidden, 3) : status;
    }
    cns_kernel_destroy(kernel);
    status = status == CNS_OK ? cns_module_write(module, bytes, size) : status;
    cns_module_destroy(module);
    return status;
}

static cns_status there_and_back(cns_context *context) {
    cns_vm *vm = NULL;
    cns_module *module = NULL;
    void *bytes = NULL;
    uint64_t size = 0;
    cns_status status = cns_vm_create(context, NULL, &vm);
    status = status == CNS_OK ? add_written(context, vm, &bytes, &size) : status;
    status = status == CNS_OK ? cns_module_read(vm, bytes, size, &module) : status;
    if (status == CNS_OK) {
        ck_assert_uint_eq(cns_module_count(module), 2);
    }
    cns_module_destroy(module);
    cns_context_resize(context, bytes, size, 0);
    cns_vm_destroy(vm);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(there_and_back);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("module_file");
    TCase *cases = tcase_create("module_file");
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, random_kernels_come_back);
    tcase_add_test(cases, a_module_without_kernels_is_one);
    tcase_add_test(cases, captured_values_become_constants);
    tcase_add_test(cases, captured_buffers_are_refused_by_name);
    tcase_add_test(cases, signatures_are_told_apart);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, damage_is_refused);
    tcase_add_test(cases, sealed_pieces_are_refused);
    tcase_add_test(cases, forgeries_are_refused_or_harmless);
    tcase_add_test(cases, refusals_say_what_and_where);
    tcase_add_test(cases, twins_in_a_file_are_refused);
    tcase_add_test(cases, failing_allocations_are_survived);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
