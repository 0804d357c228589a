/* SPDX-License-Identifier: MIT
 *
 * test_kernel_cache.c - native code from the cache: it means what the IR means, explain says of it
 * what it said of the code that was made, and what differs in anything is another entry; damaged
 * and forged entries are made anew.
 */
#define _GNU_SOURCE

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ir_eval.h"
#include "ir_text.h"
#include "support.h"
#include "vm/kernel.h"

#ifndef TEST_PLUGIN
#define TEST_PLUGIN ""
#endif

/* ---- kernels --------------------------------------------------------------------------------- */

/* function(y, x, a) for i = 1, #x do y[i] = a * x[i] + y[i] // 1 end end, with a sum; `%s` is the
 * mark of a parallel loop, or nothing. */
static const char loop_text[] = "kernel sums(x: buffer of f64, y: buffer of f64, a: f64)\n"
                                "block 0():\n"
                                "  x = argument x\n  y = argument y\n  a = argument a\n"
                                "  one = const.i64 1\n  zero = const.i64 0\n  none = const.f64 0\n"
                                "  length = len x\n"
                                "  enters = for.enters.i64 one, length, one  ; line 3\n"
                                "  branch enters 1() 3(none)\n"
                                "block 1():\n"
                                "  count = for.count one, length, one\n"
                                "  jump 2(count, one, none)\n"
                                "block 2(remaining: i64, i: i64, s: f64)%s:\n"
                                "  xi = load x, i  ; line 4\n"
                                "  yi = load y, i  ; line 5\n"
                                "  product = mul.f64 a, xi\n"
                                "  sum = add.f64 product, yi\n"
                                "  store y, i, sum  ; line 5\n"
                                "  next = add.f64 s, sum  ; line 6\n"
                                "  done = eq.i64 remaining, zero\n"
                                "  less = sub.i64 remaining, one\n"
                                "  after = add.i64 i, one\n"
                                "  branch done 3(next) 2(less, after, next)\n"
                                "block 3(result: f64):\n"
                                "  return result\n";

static cns_ir_function *parse_loop(cns_context *context, bool parallel, uint32_t line) {
    char text[2048];
    snprintf(text, sizeof text, loop_text, parallel ? " parallel" : "");
    cns_ir_function *f = support_ir_parse(context, text);
    for (uint32_t s = 0; s < f->site_count; s++) {
        f->sites[s].line += line;
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        f->blocks[b].site = 0;
    }
    return f;
}

/* ---- a world: a folder, machines that share it ----------------------------------------------- */

typedef struct world {
    cns_context *context;
    char folder[64];
} world;

static void world_open(world *w) {
    w->context = support_context();
    snprintf(w->folder, sizeof w->folder, "/tmp/cns-code-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(w->folder));
}

static void world_close(world *w) {
    char line[128];
    support_context_destroy(w->context);
    snprintf(line, sizeof line, "rm -rf '%s'", w->folder);
    ck_assert_int_eq(system(line), 0);
}

static cns_vm *machine(const world *w, cns_context *context) {
    cns_vm_config config = {.size = sizeof config, .plugin = TEST_PLUGIN, .cache = w->folder};
    cns_vm *vm = NULL;
    support_status(context, CNS_OK, cns_vm_create(context, &config, &vm));
    return vm;
}

static cns_kernel *kernel_of(cns_vm *vm, cns_ir_function *f, uint32_t options) {
    cns_kernel *kernel = NULL;
    support_status(vm->context, CNS_OK, cns_kernel_from_ir(vm, f, options, &kernel));
    support_status(vm->context, CNS_OK, cns_kernel_make_native(kernel, 1));
    ck_assert_int_eq(cns_kernel_tier(kernel), CNS_TIER_NATIVE);
    return kernel;
}

static bool is_cached(const cns_kernel *kernel) {
    cns_kernel_stats stats;
    cns_kernel_get_stats(kernel, &stats);
    ck_assert_uint_gt(stats.native_bytes, 0);
    ck_assert_uint_gt(stats.native_ns, 0);
    ck_assert_uint_gt(stats.compile_ns, 0);
    return stats.cached != 0;
}

/* What a new machine does with the function. */
static bool finds(const world *w, cns_ir_function *f, uint32_t options) {
    cns_vm *vm = machine(w, w->context);
    cns_kernel *kernel = kernel_of(vm, f, options);
    bool cached = is_cached(kernel);
    cns_kernel_destroy(kernel);
    cns_vm_destroy(vm);
    return cached;
}

static char *explain(cns_kernel *kernel, uint64_t *size) {
    char *text = NULL;
    support_status(kernel->vm->context, CNS_OK,
                   cns_kernel_view_text(kernel, CNS_VIEW_EXPLAIN, &text, size));
    return text;
}

/* ---- the same -------------------------------------------------------------------------------- */

enum { SIZE = 1000 };

typedef struct outcome {
    cns_trap trap;
    double result;
    double y[SIZE];
} outcome;

/* With fewer elements in y than in x, it ends in a trap. */
static void prepare(cns_run *run, cns_vm_value *arguments, double *x, outcome *out,
                    uint64_t length) {
    for (int i = 0; i < SIZE; i++) {
        x[i] = 0.1 * i - 7;
        out->y[i] = 1.0 / (i + 1);
    }
    arguments[0] = (cns_vm_value){.data = x, .count = SIZE};
    arguments[1] = (cns_vm_value){.data = out->y, .count = length};
    arguments[2] = (cns_vm_value){.real = 1.7};
    *run = (cns_run){.arguments = arguments, .result_capacity = 1};
}

static void note(outcome *out, const cns_run *run, const cns_vm_value *results) {
    out->trap = run->trap;
    out->result = run->trap.kind == CNS_TRAP_NONE ? results[0].real : 0;
}

static void run_kernel(cns_kernel *kernel, uint64_t length, outcome *out) {
    cns_run run;
    cns_vm_value arguments[3], results[1];
    double x[SIZE];
    prepare(&run, arguments, x, out, length);
    run.results = results;
    (void)cns_kernel_run(kernel, &run);
    note(out, &run, results);
}

static void evaluate(const cns_ir_function *f, uint64_t length, outcome *out) {
    cns_run run;
    cns_vm_value arguments[3], results[1];
    double x[SIZE];
    prepare(&run, arguments, x, out, length);
    run.results = results;
    (void)support_ir_eval(f, &run, UINT64_MAX);
    note(out, &run, results);
}

static void same(const outcome *a, const outcome *b, bool sum) {
    ck_assert_uint_eq(a->trap.kind, b->trap.kind);
    if (a->trap.kind != CNS_TRAP_NONE) {
        ck_assert_uint_eq(a->trap.site, b->trap.site);
        ck_assert_int_eq(a->trap.integer, b->trap.integer);
    }
    ck_assert(!sum || memcmp(&a->result, &b->result, sizeof a->result) == 0);
    ck_assert_int_eq(memcmp(a->y, b->y, sizeof a->y), 0);
}

/* Made in one machine, loaded in another; both against the evaluator. A parallel sum is put
 * together in parts, the same on every way but not the evaluator's. */
static void check_twice(const world *w, bool parallel) {
    cns_ir_function *f = parse_loop(w->context, parallel, 0);
    cns_ir_function *plain = parse_loop(w->context, false, 0);
    static outcome made, loaded, wanted;
    for (uint64_t length = SIZE; length > 0; length -= SIZE / 2) {
        cns_vm *first = machine(w, w->context), *second = machine(w, w->context);
        cns_ir_function *copies[2];
        support_status(w->context, CNS_OK, cns_ir_clone(f, &copies[0]));
        support_status(w->context, CNS_OK, cns_ir_clone(f, &copies[1]));
        cns_kernel *a = kernel_of(first, copies[0], 0), *b = kernel_of(second, copies[1], 0);
        ck_assert_int_eq(is_cached(a), length != SIZE);
        ck_assert(is_cached(b));
        run_kernel(a, length, &made);
        run_kernel(b, length, &loaded);
        evaluate(plain, length, &wanted);
        ck_assert_int_eq(wanted.trap.kind != CNS_TRAP_NONE, length != SIZE);
        same(&made, &loaded, true);
        if (!parallel) {
            same(&loaded, &wanted, true);
        } else if (length == SIZE) {
            same(&loaded, &wanted, false);
            ck_assert_double_eq_tol(loaded.result, wanted.result, 1e-9);
        }
        cns_kernel_destroy(a);
        cns_kernel_destroy(b);
        cns_vm_destroy(first);
        cns_vm_destroy(second);
    }
    cns_ir_destroy(f);
    cns_ir_destroy(plain);
}

START_TEST(loaded_code_is_the_code) {
    world w;
    world_open(&w);
    check_twice(&w, false);
    check_twice(&w, true);
    world_close(&w);
}
END_TEST

/* The same object several times in one process, at once and one after the other. */
START_TEST(it_may_be_there_twice) {
    world w;
    static outcome first, other;
    world_open(&w);
    cns_vm *vm = machine(&w, w.context);
    cns_kernel *kernels[6];
    for (int i = 0; i < 6; i++) {
        kernels[i] = kernel_of(vm, parse_loop(w.context, i % 2, 0), 0);
        ck_assert_int_eq(is_cached(kernels[i]), i >= 2);
    }
    run_kernel(kernels[0], SIZE, &first);
    for (int i = 0; i < 6; i += 2) {
        run_kernel(kernels[i], SIZE, &other);
        same(&first, &other, true);
        cns_kernel_destroy(kernels[i]);
    }
    cns_kernel *again = kernel_of(vm, parse_loop(w.context, false, 0), 0);
    ck_assert(is_cached(again));
    run_kernel(again, SIZE, &other);
    same(&first, &other, true);
    cns_kernel_destroy(again);
    for (int i = 1; i < 6; i += 2) {
        cns_kernel_destroy(kernels[i]);
    }
    cns_vm_destroy(vm);
    world_close(&w);
}
END_TEST

/* Without the line that says where the code came from, and the times. */
START_TEST(explain_says_the_same) {
    world w;
    char *texts[2];
    uint64_t sizes[2];
    world_open(&w);
    for (int i = 0; i < 2; i++) {
        cns_vm *vm = machine(&w, w.context);
        cns_kernel *kernel = kernel_of(vm, parse_loop(w.context, false, 0), 0);
        texts[i] = explain(kernel, &sizes[i]);
        cns_kernel_destroy(kernel);
        cns_vm_destroy(vm);
    }
    ck_assert_ptr_nonnull(strstr(texts[0], " ms, kept in the cache\n"));
    ck_assert_ptr_nonnull(strstr(texts[1], "bytes, loaded from the cache in "));
    ck_assert_ptr_nonnull(strstr(texts[1], "in native code\n"));
    const char *rest[2] = {strstr(texts[0], "in the VM, until"),
                           strstr(texts[1], "in the VM, until")};
    ck_assert_str_eq(rest[0], rest[1]);
    for (int i = 0; i < 2; i++) {
        (void)cns_context_resize(w.context, texts[i], sizes[i], 0);
    }
    world_close(&w);
}
END_TEST

/* ---- another --------------------------------------------------------------------------------- */

START_TEST(what_differs_is_another_entry) {
    world w;
    world_open(&w);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
    ck_assert(!finds(&w, parse_loop(w.context, false, 1), 0)); /* other lines */
    ck_assert(!finds(&w, parse_loop(w.context, true, 0), 0));
    static const uint32_t options[] = {CNS_KERNEL_REASSOCIATE, CNS_KERNEL_CONTRACT,
                                       CNS_KERNEL_APPROXIMATE, CNS_KERNEL_NO_OPTIMISER,
                                       CNS_KERNEL_NO_BLOCKS};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        ck_assert(!finds(&w, parse_loop(w.context, false, 0), options[i]));
        ck_assert(finds(&w, parse_loop(w.context, false, 0), options[i]));
    }
    cns_ir_function *f = parse_loop(w.context, false, 0);
    for (uint32_t v = 0; v < f->instruction_count; v++) { /* as an option puts it there */
        f->instructions[v].flags |=
            f->instructions[v].op == CNS_IR_ADD_F64 ? CNS_IR_REASSOCIATE : 0;
    }
    ck_assert(!finds(&w, f, 0));
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), CNS_KERNEL_NO_CACHE));
    ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
    world_close(&w);
}
END_TEST

/* A context of another level of processors has other functions of the C library to call. */
START_TEST(the_level_of_processors_counts) {
    world w;
    world_open(&w);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    if (cns_context_cpu_level(w.context) >= CNS_CPU_AVX2) {
        cns_context_config config = {.size = sizeof config, .cpu_level = CNS_CPU_PORTABLE};
        cns_context *usual = w.context;
        ck_assert_int_eq(cns_context_create(&config, &w.context), CNS_OK);
        ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
        ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
        support_context_destroy(w.context);
        w.context = usual;
    }
    ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
    world_close(&w);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

/* The path of the one entry, and its key. */
static void find_entry(const world *w, char *path, size_t capacity, uint8_t *key) {
    DIR *list = opendir(w->folder);
    struct dirent *item;
    int count = 0;
    while ((item = readdir(list)) != NULL) {
        if (item->d_name[0] != '.') {
            snprintf(path, capacity, "%s/%s", w->folder, item->d_name);
            for (int i = 0; i < CNS_CACHE_KEY; i++) {
                unsigned byte;
                ck_assert_int_eq(sscanf(item->d_name + (size_t)2 * i, "%2x", &byte), 1);
                key[i] = (uint8_t)byte;
            }
            count++;
        }
    }
    closedir(list);
    ck_assert_int_eq(count, 1);
}

START_TEST(damaged_entries_are_made_anew) {
    world w;
    char path[400];
    uint8_t key[CNS_CACHE_KEY];
    world_open(&w);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    find_entry(&w, path, sizeof path, key);
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    for (off_t at = 0; at < info.st_size; at += info.st_size / 7) {
        FILE *file = fopen(path, "r+b");
        int byte = fseek(file, at, SEEK_SET) == 0 ? fgetc(file) : EOF;
        ck_assert_int_ne(byte, EOF);
        ck_assert_int_eq(fseek(file, at, SEEK_SET), 0);
        fputc(byte ^ 4, file);
        fclose(file);
        ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
        ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
    }
    ck_assert_int_eq(truncate(path, info.st_size / 2), 0);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
    world_close(&w);
}
END_TEST

/* Whole entries whose content is none: remarks beyond the end or malformed, no object. */
START_TEST(forged_entries_are_made_anew) {
    world w;
    char path[400], why[CNS_CACHE_WHY];
    uint8_t key[CNS_CACHE_KEY];
    world_open(&w);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    find_entry(&w, path, sizeof path, key);
    cns_cache cache;
    support_status(w.context, CNS_OK, cns_cache_init(&cache, w.context, w.folder, 0));
    static const struct {
        const char *bytes;
        size_t size;
    } forged[] = {
        {"", 0},
        {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 15},
        {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16},                             /* no object */
        {"\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\177ELF\2\1\1\0", 24},              /* a bad one */
        {"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\1", 17},                           /* too long */
        {"\1\0\0\0\0\0\0\0\377\377\377\377\377\377\377\377\1\1\1\1\1\1", 22}, /* wraps */
        {"\1\0\0\0\0\0\0\0\6\0\0\0\0\0\0\0\7\0\0\0\0x", 22},                  /* without end */
        {"\1\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\100\0\0\0\0x", 23},                /* of no kind */
    };
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        ck_assert_msg(cns_cache_put(&cache, key, forged[i].bytes, forged[i].size, why, sizeof why),
                      "%s", why);
        ck_assert_msg(!finds(&w, parse_loop(w.context, false, 0), 0), "forgery %d", (int)i);
        ck_assert(finds(&w, parse_loop(w.context, false, 0), 0));
    }
    cns_cache_deinit(&cache);
    world_close(&w);
}
END_TEST

/* ---- no cache -------------------------------------------------------------------------------- */

START_TEST(without_a_cache_explain_says_why) {
    world w;
    world_open(&w);
    ck_assert_int_eq(chmod(w.folder, 0777), 0);
    cns_cache_info info = {.size = sizeof info};
    for (int named = 0; named < 2; named++) {
        cns_vm_config config = {
            .size = sizeof config, .plugin = TEST_PLUGIN, .cache = named ? w.folder : NULL};
        cns_vm *vm = NULL;
        uint64_t size;
        support_status(w.context, CNS_OK, cns_vm_create(w.context, &config, &vm));
        cns_kernel *kernel = kernel_of(vm, parse_loop(w.context, false, 0), 0);
        ck_assert(!is_cached(kernel));
        char *text = explain(kernel, &size);
        ck_assert_msg(strstr(text, named ? "  no cache    /tmp/cns-code-"
                                         : "  no cache    no folder was named"),
                      "%s", text);
        ck_assert(!named || strstr(text, ": others may write to it\n"));
        (void)cns_context_resize(w.context, text, size, 0);
        cns_status expected = named ? CNS_E_IO : CNS_E_UNSUPPORTED;
        support_status(w.context, expected, cns_vm_cache_measure(vm, &info));
        support_status(w.context, expected, cns_vm_cache_clear(vm, &info));
        cns_kernel_destroy(kernel);
        cns_vm_destroy(vm);
    }
    world_close(&w);
}
END_TEST

START_TEST(it_is_measured_and_cleared) {
    world w;
    world_open(&w);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    ck_assert(!finds(&w, parse_loop(w.context, true, 0), 0));
    cns_vm *vm = machine(&w, w.context);
    ck_assert_str_eq(cns_vm_cache(vm), w.folder);
    cns_cache_info info = {.size = sizeof info - 1};
    support_status(w.context, CNS_E_INVALID, cns_vm_cache_measure(vm, &info));
    support_status(w.context, CNS_E_INVALID, cns_vm_cache_clear(vm, &info));
    info.size = sizeof info;
    support_status(w.context, CNS_OK, cns_vm_cache_measure(vm, &info));
    ck_assert_uint_eq(info.files, 2);
    ck_assert_uint_eq(info.bytes % 4096, 0);
    ck_assert_uint_ge(info.bytes, 2 * 4096);
    ck_assert_uint_eq(info.limit, UINT64_C(256) << 20);
    support_status(w.context, CNS_OK, cns_vm_cache_clear(vm, &info));
    ck_assert_uint_eq(info.files, 2);
    support_status(w.context, CNS_OK, cns_vm_cache_measure(vm, &info));
    ck_assert_uint_eq(info.files, 0);
    cns_vm_destroy(vm);
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    world_close(&w);
}
END_TEST

/* ---- failing allocations --------------------------------------------------------------------- */

static world *failing_world;

/* From the cache or made, as far as memory allows; a compiler that cannot start is UNSUPPORTED. */
static cns_status load_once(cns_context *context) {
    cns_vm_config config = {
        .size = sizeof config, .plugin = TEST_PLUGIN, .cache = failing_world->folder};
    cns_vm *vm = NULL;
    cns_kernel *kernel = NULL;
    cns_ir_function *copy = NULL;
    cns_status status = cns_vm_create(context, &config, &vm);
    if (status == CNS_OK) {
        cns_ir_function *f = parse_loop(failing_world->context, false, 0);
        f->context = context;
        status = cns_ir_clone(f, &copy);
        f->context = failing_world->context;
        cns_ir_destroy(f);
    }
    status = status == CNS_OK ? cns_kernel_from_ir(vm, copy, 0, &kernel) : status;
    if (status == CNS_OK) {
        status = cns_kernel_make_native(kernel, 1);
        status = status == CNS_E_UNSUPPORTED ? CNS_E_NOMEM : status;
    }
    if (status == CNS_OK) {
        static outcome out;
        run_kernel(kernel, SIZE, &out);
        ck_assert_uint_eq(out.trap.kind, CNS_TRAP_NONE);
    }
    cns_kernel_destroy(kernel);
    cns_vm_destroy(vm);
    return status;
}

START_TEST(allocations_may_fail) {
    world w;
    world_open(&w);
    failing_world = &w;
    ck_assert(!finds(&w, parse_loop(w.context, false, 0), 0));
    support_each_allocation_fails(load_once);
    world_close(&w);
}
END_TEST

int main(void) {
    if (*TEST_PLUGIN == '\0') {
        puts("skipped: the native backend is not built (LLVM 18 or newer is missing)");
        return 77;
    }
    Suite *suite = suite_create("kernel cache");
    TCase *cases = tcase_create("kernel cache");
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, loaded_code_is_the_code);
    tcase_add_test(cases, it_may_be_there_twice);
    tcase_add_test(cases, explain_says_the_same);
    tcase_add_test(cases, what_differs_is_another_entry);
    tcase_add_test(cases, the_level_of_processors_counts);
    tcase_add_test(cases, damaged_entries_are_made_anew);
    tcase_add_test(cases, forged_entries_are_made_anew);
    tcase_add_test(cases, without_a_cache_explain_says_why);
    tcase_add_test(cases, it_is_measured_and_cleared);
    tcase_add_test(cases, allocations_may_fail);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
