/* SPDX-License-Identifier: MIT
 *
 * bench_tasks.c - the default pool against OpenMP (gcc's) with as many threads, in two processes.
 *
 * Each side is this program again ("--serve ours", "--serve openmp"), and they take turns (see
 * apart.h). A turn repeats a row's loop in its process, one untimed round first, so that each side
 * meets its own threads as it left them. Answers are checksums of all that was computed.
 * With --quick a few rounds only; with --idle only the cost of a pool that has nothing to do.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "apart.h"
#include "base/os.h"
#include "bench.h"
#include "cns/tasks.h"

#ifdef BENCH_OPENMP
#include <omp.h>
#endif

enum { ELEMENTS = 1 << 23, COMPUTE = 1 << 18, IN_CACHE = 1 << 16 };

static cns_tasks *pool;
static double *array;

/* Bits of all elements: the same however the work was cut. */
static uint64_t checksum(uint64_t count) {
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t bits;
        memcpy(&bits, &array[i], sizeof bits);
        sum = sum * 31 + bits;
    }
    return sum;
}

/* ---- loops ---------------------------------------------------------------------------------- */

/* A side that fails ends its process, which its row reports. */
static void require_ok(cns_status status) {
    if (status != CNS_OK) {
        exit(EXIT_FAILURE);
    }
}

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

/* The last elements cost the most: a static cut leaves one thread with three quarters. */
static double uneven(int64_t i, int64_t count) {
    double x = (double)i;
    for (int64_t k = 0; k < i * 64 / count; k++) {
        x = sqrt(x + 0.5);
    }
    return x;
}

static cns_status uneven_range(void *user, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        array[i] = uneven(i, *(int64_t *)user);
    }
    return CNS_OK;
}

static uint64_t our_compute(int64_t count) {
    require_ok(cns_tasks_for(pool, NULL, 0, count, compute_range, array));
    return 0;
}

static uint64_t our_scale(int64_t count) {
    require_ok(cns_tasks_for(pool, NULL, 0, count, scale_range, array));
    return 0;
}

static uint64_t our_uneven(int64_t count) {
    require_ok(cns_tasks_for(pool, NULL, 0, count, uneven_range, &count));
    return 0;
}

static cns_status empty_range(void *user, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
        bench_escape(user);
    }
    return CNS_OK;
}

static uint64_t our_empty(int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        require_ok(cns_tasks_for(pool, NULL, 0, 100, empty_range, array));
    }
    return 0;
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

static uint64_t our_reduce(int64_t count) {
    double zero = 0, sum = 0;
    require_ok(
        cns_tasks_reduce(pool, NULL, 0, count, &zero, sizeof zero, fold, combine, array, &sum));
    return (uint64_t)sum;
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

static uint64_t run_tree(cns_task_fn fn, int64_t n) {
    call root = {(int)n, 0};
    cns_future *future;
    require_ok(cns_tasks_spawn(pool, NULL, fn, &root, &future));
    require_ok(cns_future_await(future));
    cns_future_release(future);
    return root.value;
}

static uint64_t our_fib(int64_t n) {
    return run_tree(fib, n);
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
        require_ok(cns_tasks_spawn(pool, NULL, tree, &children[i], &futures[i]));
    }
    for (int i = 9; i >= 0; i--) {
        require_ok(cns_future_await(futures[i]));
        cns_future_release(futures[i]);
        c->value += children[i].value;
    }
    return CNS_OK;
}

static uint64_t our_tree(int64_t n) {
    return run_tree(tree, n);
}

static cns_status one(void *user, cns_cancel *cancel) {
    (void)cancel;
    ++*(uint64_t *)user;
    return CNS_OK;
}

static uint64_t our_spawn_await(int64_t tasks) {
    uint64_t count = 0;
    for (int64_t i = 0; i < tasks; i++) {
        cns_future *future;
        require_ok(cns_tasks_spawn(pool, NULL, one, &count, &future));
        require_ok(cns_future_await(future));
        cns_future_release(future);
    }
    return count;
}

/* ---- OpenMP --------------------------------------------------------------------------------- */

#ifdef BENCH_OPENMP
static uint64_t omp_compute(int64_t count) {
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        array[i] = heavy(i);
    }
    return 0;
}

static uint64_t omp_scale(int64_t count) {
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        array[i] = array[i] * 1.0000001 + 1.0;
    }
    return 0;
}

static uint64_t omp_uneven(int64_t count) {
#pragma omp parallel for
    for (int64_t i = 0; i < count; i++) {
        array[i] = uneven(i, count);
    }
    return 0;
}

static uint64_t omp_empty(int64_t count) {
    for (int64_t i = 0; i < count; i++) {
#pragma omp parallel for
        for (int k = 0; k < 100; k++) {
            bench_escape(array);
        }
    }
    return 0;
}

static uint64_t omp_reduce(int64_t count) {
    double sum = 0;
#pragma omp parallel for reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        sum += array[i];
    }
    return (uint64_t)sum;
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

static uint64_t omp_fib(int64_t n) {
    uint64_t value = 0;
#pragma omp parallel
#pragma omp single
    value = fib_task((int)n);
    return value;
}

static uint64_t omp_tree(int64_t n) {
    uint64_t value = 0;
#pragma omp parallel
#pragma omp single
    value = tree_task((int)n);
    return value;
}

static uint64_t omp_spawn_await(int64_t tasks) {
    uint64_t count = 0;
#pragma omp parallel
#pragma omp single
    for (int64_t i = 0; i < tasks; i++) {
#pragma omp task shared(count)
        count++;
#pragma omp taskwait
    }
    return count;
}
#else
#define omp_compute NULL
#define omp_scale NULL
#define omp_uneven NULL
#define omp_empty NULL
#define omp_reduce NULL
#define omp_fib NULL
#define omp_tree NULL
#define omp_spawn_await NULL
#endif

/* ---- rows ----------------------------------------------------------------------------------- */

typedef struct bench_row {
    const char *name;
    uint64_t (*ours)(int64_t size);
    uint64_t (*theirs)(int64_t size);
    int64_t size;
    uint32_t elements;   /* of the array that it reads or writes */
    uint32_t repeats;    /* a turn */
    uint32_t operations; /* a repeat */
    uint32_t rounds;
} bench_row;

static const bench_row rows[] = {
    {"for, compute-bound, apart", our_compute, omp_compute, COMPUTE, COMPUTE, 1, COMPUTE, 15},
    {"for, uneven, apart", our_uneven, omp_uneven, COMPUTE, COMPUTE, 1, COMPUTE, 15},
    {"for, 64 MiB, apart", our_scale, omp_scale, ELEMENTS, ELEMENTS, 2, ELEMENTS, 15},
    {"for, in cache, 512 KiB, apart", our_scale, omp_scale, IN_CACHE, IN_CACHE, 300, IN_CACHE, 21},
    {"reduce, 64 MiB, apart", our_reduce, omp_reduce, ELEMENTS, ELEMENTS, 3, ELEMENTS, 15},
    {"for, empty, apart", our_empty, omp_empty, 2000, 0, 2, 2000, 21},
    {"fib(24), a fork, apart", our_fib, omp_fib, 24, 0, 1, 75024, 9},
    {"tree of 10^4, a task, apart", our_tree, omp_tree, 4, 0, 1, 11110, 9},
    {"spawn and await, a task, apart", our_spawn_await, omp_spawn_await, 5000, 0, 1, 5000, 9},
};
enum { ROWS = sizeof rows / sizeof rows[0] };

/* The same array at the start of every turn; whole numbers, whose sums are exact in any order. */
static apart_reply take_turn(const bench_row *row, uint64_t (*run)(int64_t size)) {
    for (uint32_t i = 0; i < row->elements; i++) {
        array[i] = (double)(i & 1023);
    }
    run(row->size);
    apart_reply reply = {0};
    uint64_t begin = cns_os_clock();
    for (uint32_t i = 0; i < row->repeats; i++) {
        reply.answer = run(row->size);
    }
    reply.ns = cns_os_clock() - begin;
    reply.answer += checksum(row->elements);
    return reply;
}

/* ---- the two sides' processes --------------------------------------------------------------- */

static apart_reply our_turn(uint32_t row) {
    return take_turn(&rows[row], rows[row].ours);
}

static apart_reply their_turn(uint32_t row) {
    return take_turn(&rows[row], rows[row].theirs);
}

static int serve(const char *name) {
    array = calloc(ELEMENTS, sizeof *array);
    if (!array) {
        return EXIT_FAILURE;
    }
    if (strcmp(name, "ours") != 0) {
#ifdef BENCH_OPENMP
        omp_set_num_threads((int)cns_tasks_available_cpus());
#endif
        return apart_serve(their_turn);
    }
    cns_context *context = NULL;
    require_ok(cns_context_create(NULL, &context));
    require_ok(cns_tasks_create(context, NULL, &pool));
    return apart_serve(our_turn);
}

/* ---- the judge's process -------------------------------------------------------------------- */

typedef struct turn {
    apart_side *side;
    uint32_t row;
} turn;

static bool timed_turn(void *user, uint64_t *ns, uint64_t *answer) {
    const turn *t = user;
    apart_reply reply;
    if (!apart_take_turn(t->side, t->row, &reply)) {
        return false;
    }
    *ns = reply.ns;
    *answer = reply.answer;
    return true;
}

/* Both sides anew for each row: one that fails spoils no other. */
static int run_row(uint32_t index, const char *policy, bool quick) {
    const bench_row *row = &rows[index];
    turn ours = {apart_start("ours", NULL), index};
    turn theirs = {row->theirs ? apart_start("openmp", policy) : NULL, index};
    int error = !ours.side || (row->theirs && !theirs.side);
    if (error) {
        printf("%-32s FAILED: a side could not be started\n", row->name);
    } else {
        bench_compare_timed(row->name, timed_turn, &ours, row->theirs ? timed_turn : NULL, &theirs,
                            quick ? 5 : row->rounds, (uint64_t)row->repeats * row->operations);
    }
    error |= !apart_stop(ours.side);
    error |= !apart_stop(theirs.side);
    return error;
}

static int run_table(const char *title, const char *policy, bool quick) {
    int failed = 0;
    bench_header(title, "OpenMP ns");
    for (uint32_t i = 0; i < ROWS; i++) {
        failed |= run_row(i, policy, quick);
    }
    return failed;
}

/* CPU time of the whole process while the pool has nothing to do. */
static int measure_idle(void) {
    cns_context *context = NULL;
    require_ok(cns_context_create(NULL, &context));
    require_ok(cns_tasks_create(context, NULL, &pool));
    cns_os_sleep(50000000);
    cns_tasks_stats before, after;
    cns_tasks_get_stats(pool, &before);
    clock_t cpu = clock();
    cns_os_sleep(1000000000);
    cpu = clock() - cpu;
    cns_tasks_get_stats(pool, &after);
    printf("\nidle for 1 s with %u workers: %.3f ms of CPU, %llu wake-ups\n", after.workers,
           (double)cpu * 1e3 / CLOCKS_PER_SEC, (unsigned long long)(after.sleeps - before.sleeps));
    cns_tasks_destroy(pool);
    cns_context_destroy(context);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "--serve") == 0) {
        return serve(argv[2]);
    }
    bool quick = argc > 1 && strcmp(argv[1], "--quick") == 0;
    int failed = 0;
    if (argc < 2 || quick) {
        failed |= run_table("tasks, OpenMP's default wait policy", NULL, quick);
        failed |= run_table("tasks, OMP_WAIT_POLICY=passive", "passive", quick);
    }
    failed |= measure_idle();
    return failed ? EXIT_FAILURE : bench_exit_code();
}
