/* SPDX-License-Identifier: MIT
 *
 * tasks/audit.c - the pool's invariants, as far as they can be seen under its locks while it works.
 */
#include "tasks/pool.h"

static bool queue_is_sound(cns_queue *queue) {
    uint64_t count = 0;
    bool sound = true;
    const cns_future *previous = NULL;
    cns_mutex_lock(&queue->lock);
    uint64_t expected = CNS_LOAD(&queue->count, relaxed);
    for (const cns_future *task = queue->head; sound && task; task = task->next) {
        sound = task->queue == queue && task->previous == previous && ++count <= expected;
        previous = task;
    }
    sound = sound && queue->tail == previous && count == expected;
    cns_mutex_unlock(&queue->lock);
    return sound;
}

static bool store_is_sound(cns_tasks *tasks) {
    uint64_t free_nodes = 0, nodes = 0;
    cns_mutex_lock(&tasks->store_lock);
    for (const cns_slab *slab = tasks->slabs; slab && nodes <= tasks->node_count;
         slab = slab->next) {
        nodes += CNS_SLAB_NODES;
    }
    for (const cns_future *node = tasks->free; node && free_nodes <= tasks->free_count;
         node = node->next) {
        free_nodes++;
    }
    bool sound =
        nodes == tasks->node_count && free_nodes == tasks->free_count && free_nodes <= nodes;
    cns_mutex_unlock(&tasks->store_lock);
    return sound;
}

cns_status cns_tasks_check(cns_tasks *tasks) {
    if (!tasks) {
        return CNS_E_INVALID;
    }
    uint32_t limit = CNS_LOAD(&tasks->slot_limit, relaxed);
    bool sound = CNS_LOAD(&tasks->workers, relaxed) <= tasks->wanted && tasks->wanted <= limit &&
                 limit <= tasks->capacity && store_is_sound(tasks);
    for (int i = 0; sound && i < CNS_PRIORITIES * 2; i++) {
        sound = queue_is_sound(&tasks->queues[i / 2][i % 2]);
    }
    return sound ? CNS_OK
                 : cns_fail(tasks->context, CNS_E_CORRUPT,
                            "cns_tasks_check: the pool's counts and lists do not agree");
}
