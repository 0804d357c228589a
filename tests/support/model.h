/* SPDX-License-Identifier: MIT
 *
 * model.h - a small model checker: runs a few threads under every possible schedule.
 *
 * Threads are coroutines that hand over before each access to shared memory made through the
 * macros of tests/support/model_atomics.h. Stores go through store buffers: a relaxed store may
 * become visible late and out of order, a release store after all before it, a seq_cst store at
 * once (after all before it). Reads are not reordered, and read-modify-writes see the newest
 * value. States that were seen before (memory, buffers, and what each thread has read so far) are
 * not explored again. All shared memory must come from model_alloc.
 */
#ifndef CNS_TEST_MODEL_H
#define CNS_TEST_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MODEL_THREADS_MAX = 4 };

typedef struct model_program {
    void (*setup)(void); /* runs alone, before each execution */
    void (*threads[MODEL_THREADS_MAX])(void);
    const char *(*check)(void); /* at the end: NULL or what is wrong */
    bool may_block;             /* ends with threads parked are allowed */
    int preemptions;            /* the most an execution has; 0: any number */
} model_program;

/* How the memory is made weaker than it claims, to see that the checker notices. */
typedef enum model_mutation {
    MODEL_SOUND = 0,
    MODEL_SEQ_CST_IS_RELEASE,
    MODEL_STORES_ARE_RELAXED,
    MODEL_CAS_IS_NOT_ATOMIC
} model_mutation;

typedef struct model_result {
    const char *error; /* NULL: none in any execution */
    uint64_t executions;
    uint64_t states;
} model_result;

model_result model_explore(const model_program *program, model_mutation mutation);

/* ---- for the code under test ---------------------------------------------------------------- */

typedef enum model_order {
    MODEL_relaxed,
    MODEL_acquire,
    MODEL_release,
    MODEL_acq_rel,
    MODEL_seq_cst
} model_order;

void *model_alloc(size_t size, size_t alignment);
uint64_t model_load(const volatile void *object, size_t size);
void model_store(volatile void *object, size_t size, uint64_t value, model_order order);
uint64_t model_add(volatile void *object, size_t size, uint64_t value);
uint64_t model_exchange(volatile void *object, size_t size, uint64_t value);
bool model_cas(volatile void *object, size_t size, void *expected, uint64_t desired);
/* Blocks until the object is 0, then sets it to 1. */
void model_lock(volatile uint32_t *object);
void model_unlock(volatile uint32_t *object);
/* Blocks until the token is 1, then sets it to 0. */
void model_wait(volatile uint32_t *token);
void model_signal(volatile uint32_t *token);

#endif
