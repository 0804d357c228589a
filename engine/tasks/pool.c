/* SPDX-License-Identifier: MIT
 *
 * tasks/pool.c - threads, slots, queues: where tasks lie and how a thread finds the next one.
 *
 * Tasks of normal priority that a member spawns go to its own deque; all others go to injection
 * queues, one per priority. A worker takes high priority first, then its own (newest first), then
 * what came from outside, then steals (oldest first), then low priority. Every 64th time the
 * outside goes before its own, so that a task which spawns itself anew cannot lock others out.
 */
#include "tasks/pool.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "base/rng.h"

#if defined(__GNUC__)
#define THREAD_LOCAL _Thread_local __attribute__((tls_model("initial-exec")))
#else
#define THREAD_LOCAL _Thread_local
#endif

enum { DEQUE_CAPACITY = 256, SEARCH_ROUNDS = 64, OUTSIDE_FIRST = 64 };

/* The pools that this thread is a member of, innermost first. */
static THREAD_LOCAL cns_membership *memberships;

/* ---- membership ----------------------------------------------------------------------------- */

cns_slot *cns_pool_slot(const cns_tasks *pool) {
    for (cns_membership *m = memberships; m; m = m->outer) {
        if (m->pool == pool) {
            return m->slot;
        }
    }
    return NULL;
}

static void join_pool(cns_membership *membership, cns_slot *slot) {
    *membership = (cns_membership){memberships, slot->pool, slot};
    memberships = membership;
}

cns_slot *cns_pool_enter(cns_tasks *pool, cns_membership *membership) {
    CNS_ADD(&pool->helpers, 1, seq_cst);
    for (uint32_t i = pool->wanted; i < pool->capacity; i++) {
        cns_slot *slot = &pool->slots[i];
        uint32_t vacant = 0;
        if (CNS_LOAD(&slot->taken, relaxed) == 0 && CNS_CAS(&slot->taken, &vacant, 1, seq_cst)) {
            uint32_t limit = CNS_LOAD(&pool->slot_limit, relaxed);
            while (limit <= i && !CNS_CAS(&pool->slot_limit, &limit, i + 1, seq_cst)) {
            }
            join_pool(membership, slot);
            return slot;
        }
    }
    CNS_SUB(&pool->helpers, 1, seq_cst);
    return NULL;
}

void cns_pool_leave(cns_membership *membership) {
    cns_slot *slot = membership->slot;
    cns_tasks *pool = slot->pool;
    memberships = membership->outer;
    CNS_STORE(&slot->taken, 0, release);
    /* The last touch: destroy waits for it. */
    CNS_SUB(&pool->helpers, 1, seq_cst);
}

typedef struct relay {
    void (*entry)(void *);
    void *argument;
    cns_membership *memberships;
} relay;

static void relay_main(void *raw) {
    relay *call = raw;
    memberships = call->memberships;
    call->entry(call->argument);
}

int cns_pool_on_fresh_stack(cns_tasks *pool, void (*entry)(void *), void *argument) {
    relay call = {entry, argument, memberships};
    cns_os_thread thread;
    int error = cns_os_thread_create(&thread, relay_main, &call, pool->name, pool->stack_size);
    if (error == 0) {
        cns_os_thread_join(&thread);
    }
    return error;
}

/* ---- injection queues ----------------------------------------------------------------------- */

static void queue_push(cns_queue *queue, cns_future *task) {
    cns_mutex_lock(&queue->lock);
    task->queue = queue;
    task->next = NULL;
    task->previous = queue->tail;
    if (queue->tail) {
        queue->tail->next = task;
    } else {
        queue->head = task;
    }
    queue->tail = task;
    CNS_ADD(&queue->count, 1, seq_cst);
    cns_mutex_unlock(&queue->lock);
}

static void unlink_locked(cns_queue *queue, cns_future *task) {
    *(task->previous ? &task->previous->next : &queue->head) = task->next;
    *(task->next ? &task->next->previous : &queue->tail) = task->previous;
    task->queue = NULL;
    CNS_SUB(&queue->count, 1, seq_cst);
}

static cns_future *queue_pop(cns_queue *queue) {
    if (CNS_LOAD(&queue->count, seq_cst) == 0) {
        return NULL;
    }
    cns_mutex_lock(&queue->lock);
    cns_future *task = queue->head;
    if (task) {
        unlink_locked(queue, task);
    }
    cns_mutex_unlock(&queue->lock);
    return task;
}

static cns_queue *queue_of(cns_tasks *pool, const cns_future *task) {
    return &pool->queues[task->priority][task->external];
}

bool cns_pool_withdraw(cns_tasks *pool, cns_future *task) {
    cns_queue *queue = queue_of(pool, task);
    cns_mutex_lock(&queue->lock);
    bool found = task->queue != NULL;
    if (found) {
        unlink_locked(queue, task);
    }
    cns_mutex_unlock(&queue->lock);
    return found;
}

void cns_pool_submit(cns_tasks *pool, cns_slot *slot, cns_future *task) {
    bool external = task->external; /* the task may be gone once it is published */
    if (slot && task->priority == CNS_PRIORITY_NORMAL && !external &&
        cns_deque_push_owner(&slot->deque, task)) {
        if (CNS_UNLIKELY(CNS_LOAD(&slot->watched, seq_cst) != 0)) {
            cns_wait_wake_watchers(slot);
        }
    } else {
        queue_push(queue_of(pool, task), task);
    }
    cns_idle_notify(&pool->idle, external);
}

/* ---- finding work --------------------------------------------------------------------------- */

static cns_future *pop_injected(cns_tasks *pool, cns_priority priority, bool external) {
    cns_future *task = queue_pop(&pool->queues[priority][0]);
    return task || !external ? task : queue_pop(&pool->queues[priority][1]);
}

static cns_future *steal(cns_slot *slot) {
    cns_tasks *pool = slot->pool;
    uint32_t limit = CNS_LOAD(&pool->slot_limit, seq_cst);
    uint32_t start = (uint32_t)(cns_rng_splitmix(&slot->random) >> 32) % limit;
    for (uint32_t i = 0; i < limit; i++) {
        uint32_t victim = start + i < limit ? start + i : start + i - limit;
        bool lost = victim != slot->index;
        while (lost) {
            cns_future *task = cns_deque_steal_thief(&pool->slots[victim].deque, 0, &lost);
            if (task) {
                uint64_t stolen = CNS_LOAD(&slot->stolen, relaxed);
                CNS_STORE(&slot->stolen, stolen + 1, relaxed);
                return task;
            }
        }
    }
    return NULL;
}

cns_future *cns_pool_find(cns_slot *slot, bool external) {
    cns_tasks *pool = slot->pool;
    cns_future *task = pop_injected(pool, CNS_PRIORITY_HIGH, external);
    if (!task && ++slot->ticks % OUTSIDE_FIRST == 0) {
        task = pop_injected(pool, CNS_PRIORITY_NORMAL, external);
    }
    if (!task) {
        task = cns_deque_pop_owner(&slot->deque, 0);
    }
    if (!task) {
        task = pop_injected(pool, CNS_PRIORITY_NORMAL, external);
    }
    if (!task) {
        task = steal(slot);
    }
    return task ? task : pop_injected(pool, CNS_PRIORITY_LOW, external);
}

/* ---- workers -------------------------------------------------------------------------------- */

static bool is_closing(void *slot) {
    return CNS_LOAD(&((cns_slot *)slot)->pool->closing, seq_cst) != 0;
}

static void *find_anything(void *slot) {
    return cns_pool_find(slot, true);
}

static void count_sleep(void *raw) {
    cns_slot *slot = raw;
    CNS_STORE(&slot->sleeps, CNS_LOAD(&slot->sleeps, relaxed) + 1, relaxed);
}

/* NULL when the pool closes and nothing is left. */
static cns_future *next_entry(cns_slot *slot) {
    cns_future *task = cns_pool_find(slot, true);
    if (task) {
        return task;
    }
    cns_idle_client client = {.sleeper = &slot->sleeper,
                              .find = find_anything,
                              .closing = is_closing,
                              .slept = count_sleep,
                              .user = slot,
                              .rounds = SEARCH_ROUNDS};
    return cns_idle_next(&slot->pool->idle, &client);
}

static void worker_main(void *raw) {
    cns_slot *slot = raw;
    cns_tasks *pool = slot->pool;
    cns_membership membership;
    join_pool(&membership, slot);
    if (pool->worker_start) {
        pool->worker_start(pool->user, slot->index);
    }
    cns_future *task;
    while ((task = next_entry(slot)) != NULL) {
        cns_task_run_entry(slot, task);
    }
    if (pool->worker_stop) {
        pool->worker_stop(pool->user, slot->index);
    }
    memberships = membership.outer;
}

/* ---- creation ------------------------------------------------------------------------------- */

uint32_t cns_tasks_available_cpus(void) {
    uint32_t cpus = cns_os_cpus_affinity();
    double quota = cns_os_cpus_quota();
    if (quota > 0 && quota < (double)cpus) {
        cpus = (uint32_t)quota + ((double)(uint32_t)quota < quota); /* a part of a CPU is one */
    }
    return cpus ? cpus : 1;
}

static bool init_slot(cns_tasks *pool, uint32_t index) {
    cns_slot *slot = &pool->slots[index];
    slot->pool = pool;
    slot->index = index;
    slot->random = index;
    slot->sleeper.helper = index >= pool->wanted;
    if (!cns_deque_init(&slot->deque, pool->context, DEQUE_CAPACITY)) {
        return false;
    }
    if (!cns_parker_init(&slot->sleeper.parker)) {
        cns_deque_deinit(&slot->deque);
        return false;
    }
    return true;
}

static void deinit_slots(cns_tasks *pool, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        cns_parker_deinit(&pool->slots[i].sleeper.parker);
        cns_deque_deinit(&pool->slots[i].deque);
    }
}

static bool init_slots(cns_tasks *pool) {
    pool->slots = cns_context_alloc(pool->context, pool->capacity * sizeof *pool->slots, 64);
    if (!pool->slots) {
        return false;
    }
    memset(pool->slots, 0, pool->capacity * sizeof *pool->slots);
    for (uint32_t i = 0; i < pool->capacity; i++) {
        if (!init_slot(pool, i)) {
            deinit_slots(pool, i);
            cns_context_free(pool->context, pool->slots, pool->capacity * sizeof *pool->slots, 64);
            return false;
        }
    }
    return true;
}

static cns_queue *nth_queue(cns_tasks *pool, int n) {
    return &pool->queues[n / 2][n % 2];
}

/* The locks that make up the pool, one step each so that a failure undoes what was done. */
static bool init_locks(cns_tasks *pool) {
    int queues = 0;
    if (cns_mutex_init(&pool->wait_lock) != 0) {
        return false;
    }
    if (cns_mutex_init(&pool->store_lock) != 0) {
        goto undo_wait;
    }
    while (queues < CNS_PRIORITIES * 2 && cns_mutex_init(&nth_queue(pool, queues)->lock) == 0) {
        queues++;
    }
    if (queues < CNS_PRIORITIES * 2 || !cns_lot_init(&pool->lot)) {
        goto undo_queues;
    }
    uint32_t cpus = cns_tasks_available_cpus();
    if (cns_idle_init(&pool->idle, cpus > 2 ? cpus / 2 : 1)) {
        return true;
    }
    cns_lot_deinit(&pool->lot);
undo_queues:
    while (queues-- > 0) {
        cns_mutex_deinit(&nth_queue(pool, queues)->lock);
    }
    cns_mutex_deinit(&pool->store_lock);
undo_wait:
    cns_mutex_deinit(&pool->wait_lock);
    return false;
}

void cns_pool_free(cns_tasks *pool) {
    cns_context *context = pool->context;
    while (pool->slabs) {
        cns_slab *next = pool->slabs->next;
        cns_context_free(context, pool->slabs, sizeof(cns_slab), 64);
        pool->slabs = next;
    }
    deinit_slots(pool, pool->capacity);
    cns_context_free(context, pool->slots, pool->capacity * sizeof *pool->slots, 64);
    cns_idle_deinit(&pool->idle);
    cns_lot_deinit(&pool->lot);
    for (int i = 0; i < CNS_PRIORITIES * 2; i++) {
        cns_mutex_deinit(&nth_queue(pool, i)->lock);
    }
    cns_mutex_deinit(&pool->store_lock);
    cns_mutex_deinit(&pool->wait_lock);
    cns_context_free(context, pool, sizeof *pool, 64);
}

static cns_tasks *create_without_threads(cns_context *context, const cns_tasks_config *config) {
    cns_tasks *pool = cns_context_alloc(context, sizeof *pool, 64);
    if (!pool) {
        return NULL;
    }
    memset(pool, 0, sizeof *pool);
    pool->context = context;
    pool->wanted = config->workers ? config->workers : cns_tasks_available_cpus();
    pool->wanted = pool->wanted < CNS_WORKERS_MAX ? pool->wanted : CNS_WORKERS_MAX;
    pool->capacity = pool->wanted + CNS_HELPER_SLOTS;
    pool->worker_start = config->worker_start;
    pool->worker_stop = config->worker_stop;
    pool->user = config->user;
    pool->stack_size = (size_t)config->stack_size;
    snprintf(pool->name, sizeof pool->name, "%s", config->name ? config->name : "cns");
    CNS_STORE(&pool->slot_limit, pool->wanted, relaxed);
    if (!init_slots(pool)) {
        goto fail;
    }
    if (!init_locks(pool)) {
        deinit_slots(pool, pool->capacity);
        cns_context_free(context, pool->slots, pool->capacity * sizeof *pool->slots, 64);
        goto fail;
    }
    return pool;
fail:
    cns_context_free(context, pool, sizeof *pool, 64);
    return NULL;
}

static int start_threads(cns_tasks *pool) {
    CNS_STORE(&pool->workers, pool->wanted, seq_cst);
    for (uint32_t i = 0; i < pool->wanted; i++) {
        cns_slot *slot = &pool->slots[i];
        int error =
            cns_os_thread_create(&slot->thread, worker_main, slot, pool->name, pool->stack_size);
        if (error) {
            CNS_STORE(&pool->workers, i, seq_cst);
            return error;
        }
    }
    return 0;
}

cns_status cns_tasks_create(cns_context *context, const cns_tasks_config *config, cns_tasks **out) {
    static const cns_tasks_config defaults = {.size = sizeof defaults};
    config = config ? config : &defaults;
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "cns_tasks_create: context or out is NULL");
    }
    if (config->size != sizeof *config) {
        return cns_fail(context, CNS_E_INVALID, "cns_tasks_create: config.size is %u, not %zu",
                        config->size, sizeof *config);
    }
    if (config->workers > CNS_WORKERS_MAX) {
        return cns_fail(context, CNS_E_INVALID, "cns_tasks_create: %u workers; the most are %d",
                        config->workers, CNS_WORKERS_MAX);
    }
    cns_tasks *pool = create_without_threads(context, config);
    if (!pool) {
        return cns_context_memory_status(context, sizeof *pool);
    }
    int error = start_threads(pool);
    if (error) {
        char text[96];
        cns_os_error_text(error, text, sizeof text);
        uint32_t started = CNS_LOAD(&pool->workers, relaxed);
        if (started == 0) {
            cns_pool_free(pool);
            return cns_fail(context, CNS_E_NOMEM, "cns_tasks_create: no thread: %s", text);
        }
        cns_context_log(context, CNS_LOG_WARNING, "tasks", "%u of %u threads started: %s", started,
                        pool->wanted, text);
    }
    *out = pool;
    return CNS_OK;
}

/* ---- destruction ---------------------------------------------------------------------------- */

/* Cancels what nobody will run any more; the calling thread stands in for the workers. */
static void drain(cns_tasks *pool) {
    cns_membership membership;
    cns_slot *slot = &pool->slots[0];
    join_pool(&membership, slot);
    cns_future *task;
    while ((task = cns_pool_find(slot, true)) != NULL) {
        cns_task_run_entry(slot, task);
    }
    memberships = membership.outer;
}

static void collect_free_nodes(cns_tasks *pool) {
    for (uint32_t i = 0; i < pool->capacity; i++) {
        cns_slot *slot = &pool->slots[i];
        pool->free_count += slot->free_count;
        slot->free_count = 0;
        slot->free = NULL; /* the slabs hold them */
    }
}

void cns_tasks_destroy(cns_tasks *pool) {
    if (!pool) {
        return;
    }
    if (cns_pool_slot(pool)) {
        cns_fail(pool->context, CNS_E_INVALID, "cns_tasks_destroy: called from within the pool");
        cns_context_log(pool->context, CNS_LOG_ERROR, "tasks",
                        "cns_tasks_destroy was called from within the pool: nothing is destroyed");
        return;
    }
    CNS_STORE(&pool->closing, 1, seq_cst);
    cns_idle_wake_all(&pool->idle);
    uint32_t workers = CNS_LOAD(&pool->workers, relaxed);
    for (uint32_t i = 0; i < workers; i++) {
        cns_os_thread_join(&pool->slots[i].thread);
    }
    drain(pool);
    /* Outside threads that were waiting have been woken by then; they are on their way out. */
    while (CNS_LOAD(&pool->helpers, seq_cst) != 0) {
        cns_os_sleep(50000);
        drain(pool);
    }
    drain(pool);
    CNS_ASSERT(cns_tasks_check(pool) == CNS_OK);
    cns_mutex_lock(&pool->store_lock);
    collect_free_nodes(pool);
    pool->orphaned = pool->free_count != pool->node_count;
    bool orphaned = pool->orphaned;
    cns_mutex_unlock(&pool->store_lock);
    if (!orphaned) {
        cns_pool_free(pool);
    }
}

/* ---- questions ------------------------------------------------------------------------------ */

uint32_t cns_tasks_workers(const cns_tasks *tasks) {
    return tasks ? CNS_LOAD(&tasks->workers, relaxed) : 0;
}

int32_t cns_tasks_current_worker(const cns_tasks *tasks) {
    cns_slot *slot = tasks ? cns_pool_slot(tasks) : NULL;
    return slot && slot->index < tasks->wanted ? (int32_t)slot->index : -1;
}

void cns_tasks_get_stats(const cns_tasks *tasks, cns_tasks_stats *out) {
    if (!tasks || !out) {
        return;
    }
    cns_tasks_stats stats = {.workers = cns_tasks_workers(tasks)};
    stats.spawned = CNS_LOAD(&tasks->outside_spawned, relaxed);
    stats.cancelled = CNS_LOAD(&tasks->outside_cancelled, relaxed);
    for (uint32_t i = 0; i < tasks->capacity; i++) {
        const cns_slot *slot = &tasks->slots[i];
        stats.spawned += CNS_LOAD(&slot->spawned, relaxed);
        stats.executed += CNS_LOAD(&slot->executed, relaxed);
        stats.stolen += CNS_LOAD(&slot->stolen, relaxed);
        stats.cancelled += CNS_LOAD(&slot->cancelled, relaxed);
        stats.sleeps += CNS_LOAD(&slot->sleeps, relaxed);
    }
    stats.sleeping = CNS_LOAD(&tasks->idle.sleeping, relaxed);
    *out = stats;
}

static cns_status executor_for(void *pool, int64_t begin, int64_t end, int64_t grain,
                               cns_range_fn body, void *user) {
    cns_loop_options options = {.size = sizeof options, .grain = grain};
    return cns_tasks_for(pool, &options, begin, end, body, user);
}

void cns_tasks_executor(cns_tasks *tasks, cns_executor *out) {
    if (tasks && out) {
        *out = (cns_executor){executor_for, tasks, cns_tasks_workers(tasks), 0};
    }
}
