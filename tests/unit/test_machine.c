/* SPDX-License-Identifier: MIT
 *
 * test_machine.c - machines under load: kernels compiled, run and dropped by many threads at once,
 * parallel loops in machine code among them; two engines that know nothing of each other; the
 * backend loaded again and again; no page writable and executable; nothing left behind.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"
#include "ir_text.h"
#include "support.h"
#include "vm/kernel.h"

#ifndef TEST_PLUGIN
#define TEST_PLUGIN ""
#endif

/* ---- a kernel -------------------------------------------------------------------------------- */

enum { SIZE = 20000 };

/* function(x, n) s = 0; for i in prange(n) do x[i] = i * factor; s = s + x[i] end return s end */
static cns_kernel *make_kernel(cns_vm *vm, int64_t factor) {
    char text[2048];
    snprintf(text, sizeof text,
             "kernel k(x: buffer of i64, n: i64)\n"
             "block 0():\n"
             "  x = argument x\n  n = argument n\n"
             "  one = const.i64 1\n  zero = const.i64 0\n  factor = const.i64 %lld\n"
             "  enters = for.enters.i64 one, n, one  ; line 3\n"
             "  branch enters 1() 3(zero)\n"
             "block 1():\n"
             "  count = for.count one, n, one\n"
             "  jump 2(count, one, zero)\n"
             "block 2(remaining: i64, i: i64, s: i64) parallel:\n"
             "  p = mul.i64 i, factor\n"
             "  store x, i, p  ; line 4\n"
             "  v = load x, i  ; line 5\n"
             "  t = add.i64 s, v\n"
             "  left = eq.i64 remaining, zero\n"
             "  less = sub.i64 remaining, one\n"
             "  next = add.i64 i, one\n"
             "  branch left 3(t) 2(less, next, t)\n"
             "block 3(r: i64):\n"
             "  return r\n",
             (long long)factor);
    cns_ir_function *f = support_ir_parse(vm->context, text);
    for (uint32_t b = 0; b < f->block_count; b++) {
        f->blocks[b].site = 0;
    }
    cns_kernel *kernel = NULL;
    support_status(vm->context, CNS_OK, cns_kernel_from_ir(vm, f, 0, &kernel));
    return kernel;
}

/* One past the end traps, after all that could be stored is. */
static void run_kernel_on(cns_kernel *kernel, int64_t factor, int64_t n, int64_t size) {
    int64_t *x = calloc((size_t)size, sizeof *x);
    cns_vm_value arguments[2] = {{.data = x, .count = (uint64_t)size}, {.integer = n}};
    cns_vm_value results[1];
    cns_run run = {.arguments = arguments, .results = results, .result_capacity = 1};
    cns_status status = cns_kernel_run(kernel, &run);
    if (n > size) {
        ck_assert_int_eq(status, CNS_E_FAILED);
        ck_assert_uint_eq(run.trap.kind, CNS_TRAP_INDEX);
        ck_assert_int_eq(run.trap.integer, size + 1);
    } else {
        ck_assert_int_eq(status, CNS_OK);
        ck_assert_int_eq(results[0].integer, factor * n * (n + 1) / 2);
    }
    bool right = true;
    for (int64_t i = 0; i < size; i++) {
        right = right && x[i] == (i < n ? (i + 1) * factor : 0);
    }
    ck_assert(right);
    free(x);
}

static void run_kernel(cns_kernel *kernel, int64_t factor, int64_t n) {
    run_kernel_on(kernel, factor, n, SIZE);
}

/* ---- machines -------------------------------------------------------------------------------- */

typedef struct stage {
    cns_context *context;
    cns_tasks *tasks;
    cns_vm *vm;
} stage;

static void set_up(stage *s, uint32_t workers) {
    cns_tasks_config pool = {.size = sizeof pool, .workers = workers};
    s->context = support_context();
    support_status(s->context, CNS_OK, cns_tasks_create(s->context, &pool, &s->tasks));
    cns_vm_config config = {.size = sizeof config, .tasks = s->tasks, .plugin = TEST_PLUGIN};
    support_status(s->context, CNS_OK, cns_vm_create(s->context, &config, &s->vm));
}

static void tear_down(stage *s) {
    cns_vm_destroy(s->vm);
    cns_tasks_destroy(s->tasks);
    support_context_destroy(s->context);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { THREADS = 4, ROUNDS = 6 };

typedef struct sharer {
    stage *s;
    cns_kernel *shared;
    int64_t number;
    cns_os_thread thread;
} sharer;

/* The shared kernel goes over to machine code while it runs; own ones are made and dropped, some
 * while the pool compiles them. */
static void share(void *argument) {
    sharer *w = argument;
    for (int64_t i = 0; i < 4; i++) {
        int64_t factor = w->number * 10 + i;
        cns_kernel *own = make_kernel(w->s->vm, factor);
        run_kernel(w->shared, 7, SIZE - i);
        support_status(w->s->context, CNS_OK, cns_kernel_make_native(w->shared, 0));
        support_status(w->s->context, CNS_OK, cns_kernel_make_native(own, i == 0));
        run_kernel(own, factor, SIZE);
        run_kernel(w->shared, 7, SIZE + (i == 2));
        cns_kernel_destroy(own);
    }
    support_status(w->s->context, CNS_OK, cns_kernel_make_native(w->shared, 1));
    ck_assert_int_eq(cns_kernel_tier(w->shared), CNS_TIER_NATIVE);
    run_kernel(w->shared, 7, SIZE);
}

START_TEST(threads_share_a_machine) {
    stage s;
    set_up(&s, 3);
    for (int round = 0; round < ROUNDS; round++) {
        sharer sharers[THREADS];
        cns_kernel *shared = make_kernel(s.vm, 7);
        for (int t = 0; t < THREADS; t++) {
            sharers[t] = (sharer){.s = &s, .shared = shared, .number = t};
            ck_assert_int_eq(
                cns_os_thread_create(&sharers[t].thread, share, &sharers[t], "share", 0), 0);
        }
        for (int t = 0; t < THREADS; t++) {
            cns_os_thread_join(&sharers[t].thread);
        }
        cns_kernel_destroy(shared);
    }
    tear_down(&s);
}
END_TEST

static void live(void *argument) {
    const int64_t *number = argument;
    for (int round = 0; round < 3; round++) {
        stage s;
        set_up(&s, 2);
        cns_kernel *kernel = make_kernel(s.vm, *number);
        support_status(s.context, CNS_OK, cns_kernel_make_native(kernel, round & 1));
        for (int i = 0; i < 3; i++) {
            run_kernel(kernel, *number, SIZE - i);
        }
        support_status(s.context, CNS_OK, cns_kernel_make_native(kernel, 1));
        run_kernel(kernel, *number, SIZE + 1);
        cns_kernel_destroy(kernel);
        tear_down(&s);
    }
}

/* Each with its own pool, machine and instance of the backend, which comes and goes. */
START_TEST(engines_know_nothing_of_each_other) {
    cns_os_thread threads[2];
    int64_t numbers[2] = {3, 5};
    for (int t = 0; t < 2; t++) {
        ck_assert_int_eq(cns_os_thread_create(&threads[t], live, &numbers[t], "engine", 0), 0);
    }
    for (int t = 0; t < 2; t++) {
        cns_os_thread_join(&threads[t]);
    }
}
END_TEST

/* A pool that closes drops what it did not begin; its kernels go on in the VM, and can go. */
START_TEST(kernels_outlive_the_pool) {
    stage s;
    enum { MANY = 24 };
    cns_kernel *kernels[MANY];
    set_up(&s, 1);
    for (int i = 0; i < MANY; i++) {
        kernels[i] = make_kernel(s.vm, i);
        support_status(s.context, CNS_OK, cns_kernel_make_native(kernels[i], 0));
    }
    cns_tasks_destroy(s.tasks);
    s.tasks = NULL;
    cns_vm_leave_tasks(s.vm);
    for (int i = 0; i < MANY; i++) {
        cns_status status = cns_kernel_make_native(kernels[i], 1);
        ck_assert(status == CNS_OK || status == CNS_E_CANCELLED);
        ck_assert((status == CNS_OK) == (cns_kernel_tier(kernels[i]) == CNS_TIER_NATIVE));
        run_kernel(kernels[i], i, SIZE);
        cns_kernel_destroy(kernels[i]);
    }
    tear_down(&s);
}
END_TEST

/* ---- pages ----------------------------------------------------------------------------------- */

typedef struct pages {
    uint32_t mappings;
    uint32_t executable; /* of those, without a file */
    uint64_t resident;   /* bytes */
} pages;

/* false: this system does not tell. Fails the test for a page that can be written and run. */
static bool read_pages(pages *out) {
    char line[512], mode[5];
    unsigned long long begin, end, offset, inode;
    unsigned major, minor;
    FILE *maps = fopen("/proc/self/maps", "r");
    FILE *sizes = fopen("/proc/self/statm", "r");
    *out = (pages){0};
    if (maps && sizes) {
        unsigned long long all, resident;
        while (fgets(line, sizeof line, maps)) {
            ck_assert_int_eq(sscanf(line, "%llx-%llx %4s %llx %x:%x %llu", &begin, &end, mode,
                                    &offset, &major, &minor, &inode),
                             7);
            ck_assert_msg(!strchr(mode, 'w') || !strchr(mode, 'x'), "%s", line);
            out->mappings++;
            out->executable += strchr(mode, 'x') && inode == 0;
        }
        ck_assert_int_eq(fscanf(sizes, "%llu %llu", &all, &resident), 2);
        out->resident = resident * 4096;
    }
    if (maps) {
        fclose(maps);
    }
    if (sizes) {
        fclose(sizes);
    }
    return out->mappings > 0;
}

typedef struct maker {
    stage *s;
    _Atomic(bool) done;
    cns_os_thread thread;
} maker;

static void make_some(void *argument) {
    maker *m = argument;
    for (int64_t i = 0; i < 12; i++) {
        cns_kernel *kernel = make_kernel(m->s->vm, i);
        support_status(m->s->context, CNS_OK, cns_kernel_make_native(kernel, 1));
        run_kernel(kernel, i, 100);
        cns_kernel_destroy(kernel);
    }
    atomic_store(&m->done, true);
}

START_TEST(no_page_is_writable_and_executable) {
    stage s;
    pages before, now;
    if (!read_pages(&before)) {
        return;
    }
    set_up(&s, 2);
    maker m = {.s = &s};
    cns_kernel *kernel = make_kernel(s.vm, 1);
    support_status(s.context, CNS_OK, cns_kernel_make_native(kernel, 1));
    ck_assert(read_pages(&now));
    ck_assert_uint_gt(now.executable, before.executable); /* or this test sees nothing */
    ck_assert_int_eq(cns_os_thread_create(&m.thread, make_some, &m, "make", 0), 0);
    while (!atomic_load(&m.done)) {
        run_kernel(kernel, 1, SIZE);
        ck_assert(read_pages(&now));
    }
    cns_os_thread_join(&m.thread);
    cns_kernel_destroy(kernel);
    tear_down(&s);
}
END_TEST

/* CNS_TEST_KERNELS says how many; a sanitizer keeps what is freed. */
static uint32_t kernel_count(uint32_t usual) {
    const char *text = getenv("CNS_TEST_KERNELS");
    return text ? (uint32_t)strtoul(text, NULL, 10) : usual;
}

static void make_and_drop(stage *s, uint32_t count, bool native) {
    for (uint32_t i = 0; i < count; i++) {
        cns_kernel *kernel = make_kernel(s->vm, i % 1000);
        if (native) {
            support_status(s->context, CNS_OK, cns_kernel_make_native(kernel, i % 8 != 0));
        }
        run_kernel_on(kernel, i % 1000, i % 100, 100);
        cns_kernel_destroy(kernel);
    }
}

static void check_growth(uint32_t warm, uint32_t count, bool native) {
    stage s;
    pages before, after;
    set_up(&s, 2);
    make_and_drop(&s, warm, native);
    bool told = read_pages(&before);
    make_and_drop(&s, count, native);
    if (told && read_pages(&after)) {
        ck_assert_msg(after.mappings < before.mappings + 40, "%u mappings, %u before",
                      (unsigned)after.mappings, (unsigned)before.mappings);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        ck_assert_msg(after.resident < before.resident + (UINT64_C(16) << 20),
                      "%llu bytes, %llu before", (unsigned long long)after.resident,
                      (unsigned long long)before.resident);
#endif
    }
    tear_down(&s);
}

START_TEST(bytecode_leaves_nothing) {
    check_growth(500, kernel_count(2000), false);
}
END_TEST

START_TEST(machine_code_leaves_nothing) {
    check_growth(50, kernel_count(150), true);
}
END_TEST

/* ---- memory ---------------------------------------------------------------------------------- */

/* Without memory for machine code the kernel goes on in the VM. */
static cns_status whole_native_life(cns_context *context) {
    cns_context *own = support_context();
    cns_vm *vm = NULL, *parser = NULL;
    cns_kernel *model = NULL, *kernel = NULL;
    cns_ir_function *copy = NULL;
    cns_vm_config config = {.size = sizeof config, .plugin = TEST_PLUGIN};
    support_status(own, CNS_OK, cns_vm_create(own, NULL, &parser));
    model = make_kernel(parser, 2);
    cns_ir_function *source = model->built;
    cns_context *before = source->context;
    source->context = context;
    cns_status status = cns_ir_clone(source, &copy);
    source->context = before;
    if (status == CNS_OK) {
        status = cns_vm_create(context, &config, &vm);
    }
    if (status == CNS_OK) {
        status = cns_kernel_from_ir(vm, copy, 0, &kernel);
        copy = NULL;
    }
    if (status == CNS_OK) {
        status = cns_kernel_make_native(kernel, 1) == CNS_OK ? CNS_OK : CNS_E_NOMEM;
        ck_assert((status == CNS_OK) == (cns_kernel_tier(kernel) == CNS_TIER_NATIVE));
        run_kernel(kernel, 2, SIZE);
    }
    cns_ir_destroy(copy);
    cns_kernel_destroy(kernel);
    cns_vm_destroy(vm);
    cns_kernel_destroy(model);
    cns_vm_destroy(parser);
    support_context_destroy(own);
    return status;
}

START_TEST(allocations_may_fail) {
    support_each_allocation_fails(whole_native_life);
}
END_TEST

int main(void) {
    if (*TEST_PLUGIN == '\0') {
        puts("skipped: the native backend is not built (LLVM 18 or newer is missing)");
        return 77;
    }
    Suite *suite = suite_create("machine");
    TCase *cases = tcase_create("machine");
    tcase_set_timeout(cases, kernel_count(0) ? 3600 : 240);
    tcase_add_test(cases, threads_share_a_machine);
    tcase_add_test(cases, engines_know_nothing_of_each_other);
    tcase_add_test(cases, kernels_outlive_the_pool);
    tcase_add_test(cases, no_page_is_writable_and_executable);
    tcase_add_test(cases, bytecode_leaves_nothing);
    tcase_add_test(cases, machine_code_leaves_nothing);
    tcase_add_test(cases, allocations_may_fail);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
