/* SPDX-License-Identifier: MIT
 *
 * cns/tasks.h - a work-stealing thread pool: tasks, parallel loops, graphs, cancellation.
 *
 * A pool of W workers starts W threads (fewer, with a warning in the log, when the OS refuses
 * some). A waiting outside thread helps from an extra place of its own; a loop or graph uses W
 * threads in all, the caller included, but 2 where W is 1 and the caller is from outside. Whoever
 * waits (await, for, reduce, graph run) runs tasks meanwhile; idle threads sleep. Nested
 * parallelism cannot deadlock, with one rule: what a task awaits must not depend on a task that
 * spawned it. Where threads would wait for each other in a circle of futures, await gives
 * CNS_E_INVALID (a circle through a loop or a graph run is not noticed and hangs); where waits nest
 * too deeply for the threads the OS gives, CNS_E_LIMIT. All functions may be called from any
 * thread, workers included, unless said otherwise. A task must not outlive its pool: destroy
 * cancels what has not begun and waits for what has.
 */
#ifndef CNS_TASKS_H
#define CNS_TASKS_H

#include "cns/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cns_tasks cns_tasks;
typedef struct cns_future cns_future;
typedef struct cns_cancel cns_cancel;
typedef struct cns_graph cns_graph;

/* ---- cancellation --------------------------------------------------------------------------- */

/* A token, counted: create gives one reference. A child is cancelled with its parent. */
CNS_API cns_status cns_cancel_create(cns_context *context, cns_cancel *parent, cns_cancel **out);
CNS_API void cns_cancel_retain(cns_cancel *cancel);
CNS_API void cns_cancel_release(cns_cancel *cancel);
CNS_API void cns_cancel_request(cns_cancel *cancel);
/* Cancels by itself `nanoseconds` from now (monotonic clock); 0 takes the deadline away. */
CNS_API void cns_cancel_after(cns_cancel *cancel, uint64_t nanoseconds);
/* CNS_OK, CNS_E_CANCELLED or CNS_E_DEADLINE. NULL is never cancelled. Cheap: for inner loops. */
CNS_API cns_status cns_cancel_poll(const cns_cancel *cancel);

/* ---- the pool ------------------------------------------------------------------------------- */

typedef struct cns_tasks_config {
    uint32_t size;
    uint32_t workers; /* 0: CPUs by affinity and cgroup quota; up to 1024, more than CPUs is fine */
    const char *name; /* of the threads; NULL for "cns" */
    void (*worker_start)(void *user, uint32_t worker); /* on the worker's thread; may be NULL */
    void (*worker_stop)(void *user, uint32_t worker);
    void *user;
    uint64_t stack_size; /* bytes a thread; 0 for the OS default */
} cns_tasks_config;

typedef struct cns_tasks_stats {
    uint64_t spawned;
    uint64_t executed;
    uint64_t stolen;
    uint64_t cancelled;
    uint64_t sleeps; /* times a worker went to sleep */
    uint32_t workers;
    uint32_t sleeping;
} cns_tasks_stats;

CNS_API cns_status cns_tasks_create(cns_context *context, const cns_tasks_config *config,
                                    cns_tasks **out);
/* Not from one of its own workers. */
CNS_API void cns_tasks_destroy(cns_tasks *tasks);
CNS_API uint32_t cns_tasks_workers(const cns_tasks *tasks);
/* 0 .. workers - 1 on a worker, -1 on any other thread. */
CNS_API int32_t cns_tasks_current_worker(const cns_tasks *tasks);
CNS_API void cns_tasks_get_stats(const cns_tasks *tasks, cns_tasks_stats *out);
/* CNS_E_CORRUPT when queues, free nodes or counts contradict each other. Slow; from any thread. */
CNS_API cns_status cns_tasks_check(cns_tasks *tasks);
/* CPUs this process may use: affinity and cgroup quota, at least 1. */
CNS_API uint32_t cns_tasks_available_cpus(void);
/* A table for cns_hash_batch and the like; valid as long as the pool. */
CNS_API void cns_tasks_executor(cns_tasks *tasks, cns_executor *out);

/* ---- spawn and await ------------------------------------------------------------------------ */

typedef enum cns_priority {
    CNS_PRIORITY_NORMAL = 0,
    CNS_PRIORITY_HIGH = 1,
    CNS_PRIORITY_LOW = 2
} cns_priority;

/* A task's function. Its result is the future's: CNS_OK or an error of its own choosing. */
typedef cns_status (*cns_task_fn)(void *user, cns_cancel *cancel);

typedef struct cns_spawn_options {
    uint32_t size;
    cns_priority priority;
    cns_cancel *cancel;           /* a task not begun when it fires does not run; retained */
    void (*finalize)(void *user); /* called once, run or not, when the task is over; may be NULL */
    uint32_t external;            /* 1: may block for long; runs on workers, and never while one
                                   * waits for something else. A task that awaits it may run it. */
    uint32_t reserved;
} cns_spawn_options;

/* Queues fn(user). `out` NULL: nobody waits. CNS_E_NOMEM; CNS_E_CANCELLED on a closing pool. When
 * spawn fails, finalize is not called. */
CNS_API cns_status cns_tasks_spawn(cns_tasks *tasks, const cns_spawn_options *options,
                                   cns_task_fn fn, void *user, cns_future **out);
/* Waits, running tasks meanwhile; returns the task's status. Any number of times. */
CNS_API cns_status cns_future_await(cns_future *future);
/* As above, at most `nanoseconds`, without running others; CNS_E_BUSY when it is not over yet. */
CNS_API cns_status cns_future_await_for(cns_future *future, uint64_t nanoseconds);
/* 1 when over. */
CNS_API int cns_future_done(const cns_future *future);
/* Another reference, for a caller that has one; each needs a release. */
CNS_API void cns_future_retain(cns_future *future);
CNS_API void cns_future_release(cns_future *future);

/* ---- loops ---------------------------------------------------------------------------------- */

typedef struct cns_loop_options {
    uint32_t size;
    cns_priority priority;
    cns_cancel *cancel; /* polled between parts */
    int64_t grain;      /* the most elements a part; 0: chosen from the count and the workers */
} cns_loop_options;

/* Runs body over all of [begin, end) in parts, the caller taking part; returns when all are done.
 * The first error (lowest part) wins and stops parts that have not begun. */
CNS_API cns_status cns_tasks_for(cns_tasks *tasks, const cns_loop_options *options, int64_t begin,
                                 int64_t end, cns_range_fn body, void *user);

/* Folds one part into `accumulator` (state_size bytes, set to a copy of `identity`). */
typedef cns_status (*cns_fold_fn)(void *user, int64_t begin, int64_t end, void *accumulator);
/* accumulator = accumulator (+) other; `other` covers the elements right behind. */
typedef cns_status (*cns_combine_fn)(void *user, void *accumulator, const void *other);

/* A reduction over a tree that depends on [begin, end) and grain only, never on the schedule or the
 * number of workers: floating-point results are the same every time. grain 0: 1024 or so, chosen
 * from the count alone. `result` holds state_size bytes; written on success. */
CNS_API cns_status cns_tasks_reduce(cns_tasks *tasks, const cns_loop_options *options,
                                    int64_t begin, int64_t end, const void *identity,
                                    size_t state_size, cns_fold_fn fold, cns_combine_fn combine,
                                    void *user, void *result);

/* ---- graph ---------------------------------------------------------------------------------- */

/* Nodes with dependencies, run as often as wanted. Built by one thread. */
CNS_API cns_status cns_graph_create(cns_context *context, cns_graph **out);
/* Not while it runs. */
CNS_API void cns_graph_destroy(cns_graph *graph);
CNS_API cns_status cns_graph_add(cns_graph *graph, cns_task_fn fn, void *user,
                                 cns_priority priority, uint32_t *node);
/* `after` waits for `before`. Cycles are found at run: CNS_E_INVALID. */
CNS_API cns_status cns_graph_depend(cns_graph *graph, uint32_t after, uint32_t before);
CNS_API uint32_t cns_graph_count(const cns_graph *graph);
/* Runs all nodes, the caller taking part. The first error stops nodes not begun. CNS_E_BUSY when
 * the graph runs already. */
CNS_API cns_status cns_graph_run(cns_graph *graph, cns_tasks *tasks, cns_cancel *cancel);

#ifdef __cplusplus
}
#endif

#endif
