/* SPDX-License-Identifier: MIT
 *
 * bench_memory.c - the heap against malloc.
 */
#include <stdlib.h>

#include "bench.h"

static uint64_t malloc_pairs(void *user, uint64_t operations) {
    (void)user;
    for (uint64_t i = 0; i < operations; i++) {
        void *p = malloc(16 + i % 64);
        bench_escape(p);
        free(p);
    }
    return operations;
}

int main(void) {
    bench_header("memory", "malloc ns");
    bench_compare("malloc and free", malloc_pairs, malloc_pairs, NULL, 21, 100000);
    bench_compare("malloc alone", malloc_pairs, NULL, NULL, 21, 100000);
    return bench_exit_code();
}
