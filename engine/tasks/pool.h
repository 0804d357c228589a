/* SPDX-License-Identifier: MIT
 *
 * tasks/pool.h - the inside of a pool: slots, queues, task nodes, and how a thread waits.
 *
 * A slot is the place of one thread in the pool: slots 0 .. W - 1 belong to the W threads that the
 * pool starts, the rest are lent to outside threads while they help. A slot is used by one thread
 * at a time; others only steal from its deque.
 *
 * What a waiting thread may run. Below a task's frames on a stack nothing goes on, so a task that
 * waits must not start what might wait for something below it. It therefore runs, in this order:
 * what it waits for, if nobody began it; what was spawned since its own task began ("family",
 * deque positions at or above the slot's mark); what was spawned by the task that it waits for.
 * Else it sleeps: what it waits for is then running on another thread. An outside thread with no
 * task on its stack runs anything but external tasks.
 */
#ifndef CNS_TASKS_POOL_H
#define CNS_TASKS_POOL_H

#include "cns/tasks.h"
#include "tasks/deque.h"
#include "tasks/idle.h"
#include "tasks/lot.h"

enum {
    CNS_HELPER_SLOTS = 32,
    CNS_PRIORITIES = 3,
    CNS_STACK_DEPTH = 128, /* nested waits that one thread's stack carries */
    CNS_WORKERS_MAX = 1024
};

/* Bits of cns_future.state. */
enum { CNS_TASK_BEGUN = 1, CNS_TASK_DONE = 2, CNS_TASK_WAITED = 4 };

typedef struct cns_slot cns_slot;
typedef struct cns_queue cns_queue;

/* A task and its future are one node, recycled. One reference is the queue's, one the caller's. */
struct cns_future {
    _Alignas(64) CNS_ATOMIC(uint32_t) state;
    CNS_ATOMIC(uint32_t) references;
    cns_tasks *pool;
    cns_task_fn fn;
    void *user;
    void (*finalize)(void *user);
    cns_cancel *cancel;
    CNS_ATOMIC(cns_slot *) runner; /* where it runs or ran; NULL before */
    CNS_ATOMIC(int64_t) mark;      /* of the runner's deque when it began */
    cns_queue *queue;              /* the injection queue it is in, under that queue's lock */
    cns_future *next, *previous;   /* there, or in a list of free nodes */
    cns_future *below;             /* the task that waits for this one on the same stack */
    cns_status status;
    uint8_t priority;
    bool external;
    bool internal; /* an invitation to a team: runs even when the pool closes */
};

/* Tasks from outside, of other than normal priority, or external. */
struct cns_queue {
    _Alignas(64) cns_mutex lock;
    cns_future *head, *tail;
    CNS_ATOMIC(uint64_t) count;
};

struct cns_slot {
    cns_deque deque;
    /* The owner's: */
    _Alignas(64) cns_tasks *pool;
    uint32_t index;
    uint32_t depth;      /* tasks on this stack */
    int64_t mark;        /* deque position when the current task began */
    cns_future *running; /* top of the tasks on this stack */
    cns_future *free;    /* recycled nodes */
    uint32_t free_count;
    uint32_t ticks;
    uint64_t random;
    CNS_ATOMIC(uint64_t) spawned, executed, stolen, cancelled, sleeps;
    /* Anybody's: */
    _Alignas(64) CNS_ATOMIC(uint32_t) watched; /* waiters asleep that could use our tasks */
    CNS_ATOMIC(uint32_t) taken;                /* helper slots: in use */
    cns_future *blocked_on;                    /* under pool->wait_lock */
    struct cns_watch *watchers;                /* under pool->wait_lock */
    cns_sleeper sleeper;
    cns_os_thread thread;
};

typedef struct cns_watch {
    cns_parker *parker;
    struct cns_watch *next;
} cns_watch;

enum { CNS_SLAB_NODES = 63 };
typedef struct cns_slab {
    cns_future nodes[CNS_SLAB_NODES];
    struct cns_slab *next;
} cns_slab;

struct cns_tasks {
    cns_context *context;
    cns_slot *slots;
    uint32_t capacity;            /* slots there are */
    uint32_t wanted;              /* slots for workers */
    CNS_ATOMIC(uint32_t) workers; /* threads started */
    void (*worker_start)(void *user, uint32_t worker);
    void (*worker_stop)(void *user, uint32_t worker);
    void *user;
    size_t stack_size;
    char name[16];
    CNS_ATOMIC(uint32_t) slot_limit; /* slots above were never used */
    CNS_ATOMIC(uint32_t) closing;
    CNS_ATOMIC(uint32_t) helpers; /* outside threads inside */
    CNS_ATOMIC(uint64_t) outside_spawned, outside_cancelled;
    cns_idle idle;
    cns_queue queues[CNS_PRIORITIES][2]; /* [priority][external] */
    cns_lot lot;
    cns_mutex wait_lock; /* watchers and blocked_on */
    /* Nodes, under store_lock. */
    cns_mutex store_lock;
    cns_slab *slabs;
    cns_future *free;
    uint64_t free_count, node_count;
    bool orphaned; /* destroyed while futures were held: the last one frees the rest */
};

/* ---- pool.c --------------------------------------------------------------------------------- */

/* The calling thread's slot in this pool, or NULL. */
cns_slot *cns_pool_slot(const cns_tasks *pool);
typedef struct cns_membership {
    struct cns_membership *outer;
    const cns_tasks *pool;
    cns_slot *slot;
} cns_membership;
/* A helper's slot for the calling outside thread; NULL when all are lent. */
cns_slot *cns_pool_enter(cns_tasks *pool, cns_membership *membership);
void cns_pool_leave(cns_membership *membership);
/* Runs entry(argument) on a new thread that acts as the calling one, and waits for it. An errno. */
int cns_pool_on_fresh_stack(cns_tasks *pool, void (*entry)(void *), void *argument);

/* Publishes a task whose queue reference is counted. slot: the caller's, or NULL. */
void cns_pool_submit(cns_tasks *pool, cns_slot *slot, cns_future *task);
/* Takes a begun task out of its injection queue, if it is in one; true: the queue's reference is
 * now the caller's. */
bool cns_pool_withdraw(cns_tasks *pool, cns_future *task);
/* The next entry that a thread may run, which may have been begun elsewhere; NULL for none. */
cns_future *cns_pool_find(cns_slot *slot, bool external);
void cns_pool_free(cns_tasks *pool);

/* ---- task.c --------------------------------------------------------------------------------- */

cns_future *cns_task_create(cns_tasks *pool, cns_slot *slot);
void cns_task_release(cns_future *task, cns_slot *slot);
/* true: it is the caller's to run. */
static inline bool cns_task_claim(cns_future *task) {
    return !(CNS_OR(&task->state, CNS_TASK_BEGUN, seq_cst) & CNS_TASK_BEGUN);
}
/* Runs a claimed task, or cancels it. */
void cns_task_run(cns_slot *slot, cns_future *task);
/* Runs an entry from a queue unless it was begun, and drops the queue's reference. */
void cns_task_run_entry(cns_slot *slot, cns_future *task);
/* Ends a claimed task without running it. */
void cns_task_drop(cns_slot *slot, cns_future *task, cns_status status);
/* Drops begun tasks from the bottom of the caller's own deque. */
void cns_task_sweep(cns_slot *slot);

/* ---- wait.c --------------------------------------------------------------------------------- */

typedef struct cns_wait {
    const void *key;
    bool (*over)(const void *key);
    /* Sets "somebody waits" in the thing's word. */
    void (*flag)(const void *key);
    /* The nth slot that works on it, with the floor of its family; false behind the last. A slot
     * that does not work on it (any more) is given as NULL. */
    bool (*worker)(const void *key, uint32_t nth, cns_slot **slot, int64_t *floor);
    cns_future *future; /* NULL when it is not a task */
    bool any;           /* outside any task: unrelated tasks may run too */
    uint32_t yields;    /* looks before it sleeps, behind the first few, each after a yield */
} cns_wait;

/* slot may be NULL: then it only sleeps. CNS_E_INVALID: it would never return. */
cns_status cns_wait_until(cns_tasks *pool, cns_slot *slot, const cns_wait *wait);
void cns_wait_wake_watchers(cns_slot *slot);

#endif
