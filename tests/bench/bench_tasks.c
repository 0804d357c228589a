/* SPDX-License-Identifier: MIT
 *
 * bench_tasks.c - the pool against OpenMP (gcc's), with as many threads on both sides.
 *
 * The caller takes part on both sides: a pool of N - 1 workers meets OpenMP with N threads. The
 * pool with N workers, the default, is shown beside it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/os.h"
#include "bench.h"
#include "cns/tasks.h"

#ifdef BENCH_OPENMP
#include <omp.h>
#endif

enum { ELEMENTS = 1 << 23, COMPUTE = 1 << 18 };

static cns_tasks *pool;
static double *array;

/* ---- loops ---------------------------------------------------------------------------------- */

static double heavy(int64_t i) {
    double x = (double)i * 1e-6;
    for (int k = 0; k < 24; k++) {
        x = sqrt(x * x + 0.5) - 0.25 * x;
    }
    return x;
}

static cns_status compute_range(void *user, int64_t begin, int64_t end) {
    double *out = user;
    for (int64_t i = begin; i < end; i++) {
        out[i] = heavy(i);
    }
    return CNS_OK;
}

static cns_status scale_range(void *user, int64_t begin, int64_t end) {
    double *out = user;
    for (int64_t i = begin; i < end; i++) {
        out[i] = out[i] * 1.0000001 + 1.0;
    }
    return CNS_OK;
}

static uint64_t our_compute(void *user, uint64_t operations) {
    (void)user;
    cns_tasks_for(pool, NULL, 0, (int64_t)operations, compute_range, array);
    return (uint64_t)(array[operations / 2] * 1e6);
}

static uint64_t our_scale(void *user, uint64_t operations) {
    (void)user;
    cns_tasks_for(pool, NULL, 0, (int64_t)operations, scale_range, array);
    return operations;
}

static cns_status empty_range(void *user, int64_t begin, int64_t end) {
    (void)begin;
    bench_escape(user);
    return end < 0 ? CNS_E_INVALID : CNS_OK;
}

static uint64_t our_empty(void *user, uint64_t operations) {
    (void)user;
    for (uint64_t i = 0; i < operations; i++) {
        cns_tasks_for(pool, NULL, 0, 100, empty_range, array);
    }
    return operations;
}

static cns_status fold(void *user, int64_t begin, int64_t end, void *state) {
    const double *values = user;
    double sum = *(double *)state;
    for (int64_t i = begin; i < end; i++) {
        sum += values[i];
    }
    *(double *)state = sum;
    return CNS_OK;
}

static cns_status combine(void *user, void *state, const void *other) {
    (void)user;
    *(double *)state += *(const double *)other;
    return CNS_OK;
}

static uint64_t our_reduce(void *user, uint64_t operations) {
    (void)user;
    double zero = 0, sum = 0;
    cns_tasks_reduce(pool, NULL, 0, (int64_t)operations, &zero, sizeof zero, fold, combine, array,
                     &sum);
    return sum > 0;
}

/* ---- trees ---------------------------------------------------------------------------------- */

typedef struct call {
    int n;
    uint64_t value;
} call;

static cns_status fib(void *user, cns_cancel *cancel) {
    call *c = user;
    if (c->n < 2) {
        c->value = (uint64_t)c->n;
        return CNS_OK;
    }
    call left = {c->n - 1, 0}, right = {c->n - 2, 0};
    cns_future *future;
    cns_status status = cns_tasks_spawn(pool, NULL, fib, &left, &future);
    if (status == CNS_OK) {
        fib(&right, cancel);
        status = cns_future_await(future);
        cns_future_release(future);
    }
    c->value = left.value + right.value;
    return status;
}

static uint64_t run_tree(cns_task_fn fn, int n) {
    call root = {n, 0};
    cns_future *future;
    if (cns_tasks_spawn(pool, NULL, fn, &root, &future) != CNS_OK) {
        return 0;
    }
    cns_future_await(future);
    cns_future_release(future);
    return root.value;
}

static uint64_t our_fib(void *user, uint64_t operations) {
    (void)operations;
    return run_tree(fib, *(int *)user);
}

/* Ten children a node, as in the skynet benchmark. */
static cns_status tree(void *user, cns_cancel *cancel) {
    (void)cancel;
    call *c = user;
    if (c->n == 0) {
        c->value = 1;
        return CNS_OK;
    }
    call children[10];
    cns_future *futures[10];
    for (int i = 0; i < 10; i++) {
        children[i] = (call){c->n - 1, 0};
        cns_status status = cns_tasks_spawn(pool, NULL, tree, &children[i], &futures[i]);
        if (status != CNS_OK) {
            abort(); /* a benchmark has no plan for want of memory */
        }
    }
    for (int i = 9; i >= 0; i--) {
        cns_future_await(futures[i]);
        cns_future_release(futures[i]);
        c->value += children[i].value;
    }
    return CNS_OK;
}

static uint64_t our_tree(void *user, uint64_t operations) {
    (void)operations;
    return run_tree(tree, *(int *)user);
}

static cns_status one(void *user, cns_cancel *cancel) {
    (void)cancel;
    ++*(uint64_t *)user;
    return CNS_OK;
}

static uint64_t our_spawn_await(void *user, uint64_t operations) {
    (void)user;
    uint64_t count = 0;
    for (uint64_t i = 0; i < operations; i++) {
        cns_future *future;
        if (cns_tasks_spawn(pool, NULL, one, &count, &future) == CNS_OK) {
            cns_future_await(future);
            cns_future_release(future);
        }
    }
    return count;
}

/* ---- OpenMP --------------------------------------------------------------------------------- */

#ifdef BENCH_OPENMP
static uint64_t omp_compute(void *user, uint64_t operations) {
    (void)user;
#pragma omp parallel for
    for (int64_t i = 0; i < (int64_t)operations; i++) {
        array[i] = heavy(i);
    }
    return (uint64_t)(array[operations / 2] * 1e6);
}

static uint64_t omp_scale(void *user, uint64_t operations) {
    (void)user;
#pragma omp parallel for
    for (int64_t i = 0; i < (int64_t)operations; i++) {
        array[i] = array[i] * 1.0000001 + 1.0;
    }
    return operations;
}

static uint64_t omp_empty(void *user, uint64_t operations) {
    (void)user;
    for (uint64_t i = 0; i < operations; i++) {
#pragma omp parallel for
        for (int k = 0; k < 100; k++) {
            bench_escape(array);
        }
    }
    return operations;
}

static uint64_t omp_reduce(void *user, uint64_t operations) {
    (void)user;
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int64_t i = 0; i < (int64_t)operations; i++) {
        sum += array[i];
    }
    return sum > 0;
}

static uint64_t fib_task(int n) {
    if (n < 2) {
        return (uint64_t)n;
    }
    uint64_t left;
#pragma omp task shared(left)
    left = fib_task(n - 1);
    uint64_t right = fib_task(n - 2);
#pragma omp taskwait
    return left + right;
}

static uint64_t tree_task(int n) {
    if (n == 0) {
        return 1;
    }
    uint64_t values[10], sum = 0;
    for (int i = 0; i < 10; i++) {
#pragma omp task shared(values) firstprivate(i)
        values[i] = tree_task(n - 1);
    }
#pragma omp taskwait
    for (int i = 0; i < 10; i++) {
        sum += values[i];
    }
    return sum;
}

static uint64_t omp_fib(void *user, uint64_t operations) {
    (void)operations;
    uint64_t value = 0;
#pragma omp parallel
#pragma omp single
    value = fib_task(*(int *)user);
    return value;
}

static uint64_t omp_tree(void *user, uint64_t operations) {
    (void)operations;
    uint64_t value = 0;
#pragma omp parallel
#pragma omp single
    value = tree_task(*(int *)user);
    return value;
}

static uint64_t omp_spawn_await(void *user, uint64_t operations) {
    (void)user;
    uint64_t count = 0;
#pragma omp parallel
#pragma omp single
    for (uint64_t i = 0; i < operations; i++) {
#pragma omp task shared(count)
        count++;
#pragma omp taskwait
    }
    return count;
}
#else
#define omp_compute NULL
#define omp_scale NULL
#define omp_empty NULL
#define omp_reduce NULL
#define omp_fib NULL
#define omp_tree NULL
#define omp_spawn_await NULL
#endif

/* ---- rows ----------------------------------------------------------------------------------- */

static void run_rows(void) {
    int fib_n = 24, tree_n = 4;
    bench_compare("for, compute-bound, 256 Ki", our_compute, omp_compute, NULL, 15, COMPUTE);
    bench_compare("for, memory-bound, 64 MiB", our_scale, omp_scale, NULL, 15, ELEMENTS);
    bench_compare("for, in cache, 512 KiB", our_scale, omp_scale, NULL, 31, 1 << 16);
    bench_compare("reduce, 64 MiB", our_reduce, omp_reduce, NULL, 15, ELEMENTS);
    bench_compare("for, empty, 100 elements", our_empty, omp_empty, NULL, 15, 2000);
    bench_compare("fork-join fib(24), a fork", our_fib, omp_fib, &fib_n, 9, 75024);
    bench_compare("tree of 10^4 leaves, a task", our_tree, omp_tree, &tree_n, 9, 11110);
    bench_compare("spawn and await from outside", our_spawn_await, omp_spawn_await, NULL, 9, 5000);
}

/* CPU time of the whole process while the pool has nothing to do. */
static void measure_idle(uint32_t workers) {
    cns_os_sleep(50000000);
    cns_tasks_stats before, after;
    cns_tasks_get_stats(pool, &before);
    clock_t cpu = clock();
    cns_os_sleep(1000000000);
    cpu = clock() - cpu;
    cns_tasks_get_stats(pool, &after);
    printf("idle for 1 s with %u workers: %.3f ms of CPU, %llu wake-ups\n", workers,
           (double)cpu * 1e3 / CLOCKS_PER_SEC, (unsigned long long)(after.sleeps - before.sleeps));
}

static int run_with(cns_context *context, uint32_t workers, const char *title) {
    cns_tasks_config config = {.size = sizeof config, .workers = workers};
    if (cns_tasks_create(context, &config, &pool) != CNS_OK) {
        return 1;
    }
    bench_header(title, "OpenMP ns");
    run_rows();
    measure_idle(workers);
    cns_tasks_destroy(pool);
    return 0;
}

int main(void) {
    cns_context *context = NULL;
    array = calloc(ELEMENTS, sizeof *array);
    if (!array || cns_context_create(NULL, &context) != CNS_OK) {
        return 1;
    }
    uint32_t cpus = cns_tasks_available_cpus();
#ifdef BENCH_OPENMP
    omp_set_num_threads((int)cpus);
#endif
    int failed =
        run_with(context, cpus > 1 ? cpus - 1 : 1, "tasks: CPUs - 1 workers and the caller");
    failed |= run_with(context, cpus, "tasks: as many workers as CPUs, and the caller");
    cns_context_destroy(context);
    free(array);
    return failed ? failed : bench_exit_code();
}
