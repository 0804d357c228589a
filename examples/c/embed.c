/* SPDX-License-Identifier: MIT
 *
 * embed.c - the engine inside a C program: a budgeted heap, a thread pool, a digest over both.
 *
 *   cc embed.c $(pkg-config --cflags --libs cns) && ./a.out
 */
#include <cns/cns.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Fills its part of the shared array; parts never overlap. */
static cns_status fill_squares(void *user, int64_t begin, int64_t end) {
    double *squares = user;
    for (int64_t i = begin; i < end; i++) {
        squares[i] = (double)i * (double)i;
    }
    return CNS_OK;
}

static cns_status sum_part(void *user, int64_t begin, int64_t end, void *accumulator) {
    const double *squares = user;
    double *sum = accumulator;
    for (int64_t i = begin; i < end; i++) {
        *sum += squares[i];
    }
    return CNS_OK;
}

static cns_status add(void *user, void *accumulator, const void *other) {
    (void)user;
    *(double *)accumulator += *(const double *)other;
    return CNS_OK;
}

static cns_status work(cns_context *context, cns_tasks *tasks, cns_heap *heap) {
    enum { COUNT = 100000 };
    size_t size = COUNT * sizeof(double);
    double *squares = cns_heap_alloc(heap, size);
    if (!squares) {
        return CNS_E_NOMEM;
    }
    double zero = 0, sum = 0;
    cns_status status = cns_tasks_for(tasks, NULL, 0, COUNT, fill_squares, squares);
    if (status == CNS_OK) {
        status = cns_tasks_reduce(tasks, NULL, 0, COUNT, &zero, sizeof zero, sum_part, add, squares,
                                  &sum);
    }
    uint8_t digest[32];
    char hex[65];
    cns_executor executor;
    cns_tasks_executor(tasks, &executor);
    if (status == CNS_OK) {
        status = cns_hash_parallel(context, CNS_HASH_BLAKE3, NULL, squares, size, digest,
                                   sizeof digest, &executor);
    }
    if (status == CNS_OK) {
        cns_hash_hex(digest, sizeof digest, hex);
        cns_heap_stats stats;
        cns_heap_get_stats(heap, &stats);
        printf("sum of squares  %.0f\nblake3          %.16s...\nheap            %" PRIu64
               " bytes live of %" PRIu64 "\n",
               sum, hex, stats.live_bytes, stats.budget);
    }
    cns_heap_free(heap, squares, size);
    return status;
}

int main(void) {
    cns_context *context = NULL;
    cns_tasks *tasks = NULL;
    cns_heap *heap = NULL;
    cns_heap_config budget = {.size = sizeof budget, .tag = "example", .budget = 4 << 20};
    cns_status status = cns_context_create(NULL, &context);
    if (status == CNS_OK) {
        status = cns_tasks_create(context, NULL, &tasks);
    }
    if (status == CNS_OK) {
        status = cns_heap_create(context, &budget, &heap);
    }
    if (status == CNS_OK) {
        status = work(context, tasks, heap);
    }
    if (status != CNS_OK) {
        char message[256] = "";
        if (context) {
            cns_context_message(context, message, sizeof message);
        }
        fprintf(stderr, "%s: %s\n", cns_status_name(status), message);
    }
    cns_heap_destroy(heap);
    cns_tasks_destroy(tasks);
    cns_context_destroy(context);
    return status == CNS_OK ? 0 : 1;
}
