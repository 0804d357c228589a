/* SPDX-License-Identifier: MIT
 *
 * tasks/task.c - task nodes and futures: creation, running, awaiting.
 *
 * A task is claimed by setting one bit, by whoever comes first: the thread that took it from a
 * queue, or the thread that waits for it. The loser drops the queue's reference. Nodes are
 * recycled through a list per slot, so that spawning costs no allocation in the steady state.
 */
#include <string.h>

#include "tasks/pool.h"

enum { FREE_LIMIT = 128, FREE_BATCH = 64 };

/* ---- nodes ---------------------------------------------------------------------------------- */

/* More nodes for the pool's list; false when there is no memory. */
static bool grow_store_locked(cns_tasks *pool) {
    cns_slab *slab = cns_context_alloc(pool->context, sizeof *slab, 64);
    if (!slab) {
        return false;
    }
    slab->next = pool->slabs;
    pool->slabs = slab;
    for (int i = 0; i < CNS_SLAB_NODES; i++) {
        slab->nodes[i].next = pool->free;
        pool->free = &slab->nodes[i];
    }
    pool->free_count += CNS_SLAB_NODES;
    pool->node_count += CNS_SLAB_NODES;
    return true;
}

/* One node for the caller and, into its slot, as many as a batch has. */
static cns_future *take_from_store(cns_tasks *pool, cns_slot *slot) {
    cns_mutex_lock(&pool->store_lock);
    if (!pool->free && !grow_store_locked(pool)) {
        cns_mutex_unlock(&pool->store_lock);
        return NULL;
    }
    cns_future *node = pool->free;
    pool->free = node->next;
    pool->free_count--;
    while (slot && pool->free && slot->free_count < FREE_BATCH) {
        cns_future *more = pool->free;
        pool->free = more->next;
        pool->free_count--;
        more->next = slot->free;
        slot->free = more;
        slot->free_count++;
    }
    cns_mutex_unlock(&pool->store_lock);
    return node;
}

static cns_future *take_node(cns_tasks *pool, cns_slot *slot) {
    if (!slot || !slot->free) {
        return take_from_store(pool, slot);
    }
    cns_future *node = slot->free;
    slot->free = node->next;
    slot->free_count--;
    return node;
}

static void give_node_back(cns_tasks *pool, cns_future *node) {
    cns_mutex_lock(&pool->store_lock);
    node->next = pool->free;
    pool->free = node;
    pool->free_count++;
    bool last = pool->orphaned && pool->free_count == pool->node_count;
    cns_mutex_unlock(&pool->store_lock);
    if (last) {
        cns_pool_free(pool);
    }
}

static void give_batch_back(cns_slot *slot) {
    cns_tasks *pool = slot->pool;
    cns_mutex_lock(&pool->store_lock);
    for (int i = 0; i < FREE_BATCH; i++) {
        cns_future *node = slot->free;
        slot->free = node->next;
        node->next = pool->free;
        pool->free = node;
    }
    slot->free_count -= FREE_BATCH;
    pool->free_count += FREE_BATCH;
    cns_mutex_unlock(&pool->store_lock);
}

cns_future *cns_task_create(cns_tasks *pool, cns_slot *slot) {
    cns_future *task = take_node(pool, slot);
    if (!task) {
        return NULL;
    }
    CNS_STORE(&task->state, 0, relaxed);
    CNS_STORE(&task->runner, NULL, relaxed);
    CNS_STORE(&task->mark, 0, relaxed);
    task->pool = pool;
    task->queue = NULL;
    task->below = NULL;
    task->status = CNS_OK;
    return task;
}

void cns_task_release(cns_future *task, cns_slot *slot) {
    /* The last holder needs no read-modify-write: nobody else can add a reference. */
    if (CNS_LOAD(&task->references, acquire) != 1 && CNS_SUB(&task->references, 1, acq_rel) != 1) {
        return;
    }
    if (!slot) {
        give_node_back(task->pool, task);
        return;
    }
    task->next = slot->free;
    slot->free = task;
    if (++slot->free_count >= FREE_LIMIT) {
        give_batch_back(slot);
    }
}

/* ---- running -------------------------------------------------------------------------------- */

static void count(CNS_ATOMIC(uint64_t) * counter) {
    CNS_STORE(counter, CNS_LOAD(counter, relaxed) + 1, relaxed);
}

static void finish(cns_future *task, cns_status status) {
    cns_tasks *pool = task->pool;
    if (task->finalize) {
        task->finalize(task->user);
    }
    if (task->cancel) {
        cns_cancel_release(task->cancel);
    }
    task->status = status;
    if (CNS_OR(&task->state, CNS_TASK_DONE, seq_cst) & CNS_TASK_WAITED) {
        cns_lot_wake(&pool->lot, task);
    }
}

void cns_task_drop(cns_slot *slot, cns_future *task, cns_status status) {
    count(&slot->cancelled);
    finish(task, status);
}

void cns_task_run(cns_slot *slot, cns_future *task) {
    cns_status status = cns_cancel_poll(task->cancel);
    if (CNS_UNLIKELY(CNS_LOAD(&slot->pool->closing, relaxed) != 0) && !task->internal) {
        status = CNS_E_CANCELLED;
    }
    if (status != CNS_OK) {
        cns_task_drop(slot, task, status);
        return;
    }
    int64_t mark = slot->mark;
    slot->mark = cns_deque_position_owner(&slot->deque);
    slot->depth++;
    task->below = slot->running;
    slot->running = task;
    CNS_STORE(&task->mark, slot->mark, relaxed);
    CNS_STORE(&task->runner, slot, release);
    status = task->fn(task->user, task->cancel);
    slot->running = task->below;
    slot->depth--;
    slot->mark = mark;
    count(&slot->executed);
    finish(task, status);
}

void cns_task_run_entry(cns_slot *slot, cns_future *task) {
    if (cns_task_claim(task)) {
        cns_task_run(slot, task);
    }
    cns_task_release(task, slot);
}

void cns_task_sweep(cns_slot *slot) {
    cns_future *task;
    while ((task = cns_deque_peek_owner(&slot->deque, slot->mark)) != NULL) {
        /* Only a look: the entry may be stolen and its node recycled at any time, but nodes are
         * never unmapped while the pool lives, and what is popped is checked again. */
        if (!(CNS_LOAD(&task->state, relaxed) & CNS_TASK_BEGUN)) {
            return;
        }
        task = cns_deque_pop_owner(&slot->deque, slot->mark);
        if (!task) {
            return;
        }
        cns_task_run_entry(slot, task);
    }
}

/* ---- spawn ---------------------------------------------------------------------------------- */

static cns_status check_spawn(cns_tasks *tasks, const cns_spawn_options *options, cns_task_fn fn) {
    if (!tasks || !fn) {
        return CNS_E_INVALID;
    }
    if (options && options->size != sizeof *options) {
        return cns_fail(tasks->context, CNS_E_INVALID,
                        "cns_tasks_spawn: options.size is %u, not %zu", options->size,
                        sizeof *options);
    }
    if (options && (unsigned)options->priority >= CNS_PRIORITIES) {
        return cns_fail(tasks->context, CNS_E_INVALID, "cns_tasks_spawn: no such priority: %d",
                        (int)options->priority);
    }
    if (CNS_LOAD(&tasks->closing, relaxed)) {
        return cns_fail(tasks->context, CNS_E_CANCELLED, "cns_tasks_spawn: the pool is closing");
    }
    return CNS_OK;
}

cns_status cns_tasks_spawn(cns_tasks *tasks, const cns_spawn_options *options, cns_task_fn fn,
                           void *user, cns_future **out) {
    static const cns_spawn_options defaults = {.size = sizeof defaults};
    cns_status status = check_spawn(tasks, options, fn);
    if (status != CNS_OK) {
        return status;
    }
    options = options ? options : &defaults;
    cns_slot *slot = cns_pool_slot(tasks);
    cns_future *task = cns_task_create(tasks, slot);
    if (!task) {
        return cns_context_memory_status(tasks->context, sizeof(cns_slab));
    }
    CNS_STORE(&task->references, out ? 2 : 1, relaxed);
    task->fn = fn;
    task->user = user;
    task->finalize = options->finalize;
    task->cancel = options->cancel;
    task->priority = (uint8_t)options->priority;
    task->external = options->external != 0;
    task->internal = false;
    cns_cancel_retain(task->cancel);
    if (slot) {
        count(&slot->spawned);
    } else {
        CNS_ADD(&tasks->outside_spawned, 1, relaxed);
    }
    if (out) {
        *out = task; /* first: the task itself may read it */
    }
    cns_pool_submit(tasks, slot, task);
    return CNS_OK;
}

/* ---- futures -------------------------------------------------------------------------------- */

static bool future_over(const void *key) {
    return CNS_LOAD(&((cns_future *)key)->state, acquire) & CNS_TASK_DONE;
}

static void future_flag(const void *key) {
    CNS_OR(&((cns_future *)key)->state, CNS_TASK_WAITED, seq_cst);
}

static bool future_worker(const void *key, uint32_t nth, cns_slot **slot, int64_t *floor) {
    cns_future *future = (cns_future *)key;
    *slot = CNS_LOAD(&future->runner, acquire);
    *floor = CNS_LOAD(&future->mark, relaxed);
    return nth == 0;
}

int cns_future_done(const cns_future *future) {
    return future ? future_over(future) : 0;
}

void cns_future_retain(cns_future *future) {
    if (future) {
        CNS_ADD(&future->references, 1, relaxed);
    }
}

void cns_future_release(cns_future *future) {
    if (future) {
        /* A future held beyond its pool is done, and its pool's slots are no one's. */
        cns_task_release(future, cns_pool_slot(future->pool));
    }
}

typedef struct inline_call {
    cns_slot *slot;
    cns_future *task;
} inline_call;

static void run_if_claimed(void *raw) {
    inline_call *call = raw;
    cns_slot *slot = call->slot;
    cns_future *task = call->task;
    if (!cns_task_claim(task)) {
        return;
    }
    bool queued = cns_pool_withdraw(slot->pool, task);
    cns_task_run(slot, task);
    if (queued) {
        cns_task_release(task, slot);
    }
}

/* Runs the awaited task here unless somebody began it. The stack is continued on another thread
 * where waits are nested deeply, so that a long chain of tasks cannot overflow it. */
static cns_status run_awaited(cns_slot *slot, cns_future *future) {
    if ((CNS_LOAD(&future->state, relaxed) & CNS_TASK_BEGUN) ||
        (future->external && slot->depth == 0)) {
        return CNS_OK;
    }
    inline_call call = {slot, future};
    if (slot->depth % CNS_STACK_DEPTH == CNS_STACK_DEPTH - 1) {
        int error = cns_pool_on_fresh_stack(slot->pool, run_if_claimed, &call);
        if (error) {
            char text[96];
            return cns_fail(slot->pool->context, CNS_E_LIMIT,
                            "cns_future_await: %u tasks wait for each other, and no thread could "
                            "be started to go on: %s",
                            slot->depth, cns_os_error_text(error, text, sizeof text));
        }
    } else {
        run_if_claimed(&call);
    }
    cns_task_sweep(slot);
    return CNS_OK;
}

static cns_status await_inside(cns_tasks *pool, cns_slot *slot, cns_future *future) {
    cns_status status = slot ? run_awaited(slot, future) : CNS_OK;
    if (status == CNS_OK && !future_over(future)) {
        cns_wait wait = {.key = future,
                         .over = future_over,
                         .flag = future_flag,
                         .worker = future_worker,
                         .future = future,
                         .any = slot && slot->depth == 0 && slot->sleeper.helper};
        status = cns_wait_until(pool, slot, &wait);
    }
    return status == CNS_OK ? future->status : status;
}

cns_status cns_future_await(cns_future *future) {
    if (!future) {
        return CNS_E_INVALID;
    }
    if (future_over(future)) {
        return future->status;
    }
    cns_tasks *pool = future->pool;
    cns_slot *slot = cns_pool_slot(pool);
    if (slot) {
        return await_inside(pool, slot, future);
    }
    cns_membership membership;
    slot = cns_pool_enter(pool, &membership);
    cns_status status = await_inside(pool, slot, future);
    if (slot) {
        cns_pool_leave(&membership);
    }
    return status;
}

cns_status cns_future_await_for(cns_future *future, uint64_t nanoseconds) {
    if (!future) {
        return CNS_E_INVALID;
    }
    if (!future_over(future) && nanoseconds) {
        uint64_t now = cns_os_clock();
        uint64_t deadline = nanoseconds < UINT64_MAX - now ? now + nanoseconds : UINT64_MAX;
        future_flag(future);
        cns_lot_sleep(&future->pool->lot, future, future_over, deadline);
    }
    return future_over(future) ? future->status : CNS_E_BUSY;
}
