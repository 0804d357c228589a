/* SPDX-License-Identifier: MIT
 *
 * tasks/wait.c - what a thread does until something is over: family work first, then sleep.
 *
 * Awaited tasks that nobody began were run by the caller, so what is waited for here is on some
 * thread's stack. Threads asleep here and the tasks that they wait for form a graph; an edge that
 * would close a cycle is refused with an error instead of a hang (wait_lock makes the last edge
 * see the others). Cycles come from programs whose tasks wait for each other, or for a task below
 * them on the same stack.
 */
#include "tasks/pool.h"

enum { SPIN_ROUNDS = 32, LEAP_DEPTH = CNS_STACK_DEPTH / 2 };

/* ---- watching another slot's deque ---------------------------------------------------------- */

void cns_wait_wake_watchers(cns_slot *slot) {
    cns_tasks *pool = slot->pool;
    cns_mutex_lock(&pool->wait_lock);
    CNS_STORE(&slot->watched, 0, seq_cst); /* they come back if they sleep again */
    for (cns_watch *watch = slot->watchers; watch; watch = watch->next) {
        cns_parker_unpark(watch->parker);
    }
    slot->watchers = NULL;
    cns_mutex_unlock(&pool->wait_lock);
}

static void watch_locked(cns_slot *slot, cns_watch *watch) {
    watch->next = slot->watchers;
    slot->watchers = watch;
    CNS_STORE(&slot->watched, 1, seq_cst);
}

static void unwatch_locked(cns_slot *slot, cns_watch *watch) {
    for (cns_watch **link = &slot->watchers; *link; link = &(*link)->next) {
        if (*link == watch) {
            *link = watch->next;
            return;
        }
    }
}

/* ---- cycles --------------------------------------------------------------------------------- */

/* true when `future` cannot end before this slot's thread goes on. */
static bool closes_cycle_locked(const cns_slot *self, cns_future *future) {
    for (uint32_t hops = 0; future && hops <= self->pool->capacity; hops++) {
        if (CNS_LOAD(&future->state, acquire) & CNS_TASK_DONE) {
            return false; /* its runner is about to go on */
        }
        cns_slot *runner = CNS_LOAD(&future->runner, acquire);
        if (!runner || runner == self) {
            return runner == self;
        }
        future = runner->blocked_on;
    }
    return false;
}

/* ---- waiting -------------------------------------------------------------------------------- */

/* Work that the waited-for thing may need: ours, or that of the threads that work on it. */
static cns_future *find_family(cns_slot *slot, const cns_wait *wait) {
    cns_future *task = cns_deque_pop_owner(&slot->deque, slot->mark);
    cns_slot *worker;
    int64_t floor;
    for (uint32_t i = 0; !task && wait->worker(wait->key, i, &worker, &floor); i++) {
        bool lost = worker && worker != slot;
        while (lost && !task) {
            task = cns_deque_steal_thief(&worker->deque, floor, &lost);
        }
    }
    return task;
}

static cns_future *find_allowed(cns_slot *slot, const cns_wait *wait) {
    if (slot->depth >= LEAP_DEPTH) {
        return NULL;
    }
    cns_future *task = find_family(slot, wait);
    return task || !wait->any ? task : cns_pool_find(slot, false);
}

static cns_slot *slot_to_watch(const cns_slot *self, const cns_wait *wait) {
    cns_slot *worker;
    int64_t floor;
    for (uint32_t i = 0; wait->worker(wait->key, i, &worker, &floor); i++) {
        if (worker && worker != self) {
            return worker;
        }
    }
    return NULL;
}

/* Inside a task: woken by the end of what is waited for, and by pushes of who works on it. */
static cns_status sleep_inside(cns_slot *slot, const cns_wait *wait, cns_future **task) {
    cns_tasks *pool = slot->pool;
    cns_slot *watched = slot_to_watch(slot, wait);
    cns_watch watch = {&slot->sleeper.parker, NULL};
    cns_mutex_lock(&pool->wait_lock);
    if (wait->future && closes_cycle_locked(slot, wait->future)) {
        cns_mutex_unlock(&pool->wait_lock);
        return cns_fail(pool->context, CNS_E_INVALID,
                        "cns_future_await: a task waits for itself, or for one that waits for it");
    }
    slot->blocked_on = wait->future;
    if (watched) {
        watch_locked(watched, &watch);
    }
    cns_mutex_unlock(&pool->wait_lock);
    *task = find_allowed(slot, wait);
    if (!*task && !wait->over(wait->key)) {
        cns_parker_park(&slot->sleeper.parker);
    }
    cns_mutex_lock(&pool->wait_lock);
    slot->blocked_on = NULL;
    if (watched) {
        unwatch_locked(watched, &watch);
    }
    cns_mutex_unlock(&pool->wait_lock);
    return CNS_OK;
}

/* With no task on the stack: any new work wakes it, too. */
static void sleep_outside(cns_slot *slot, const cns_wait *wait, cns_future **task) {
    cns_idle *idle = &slot->pool->idle;
    cns_idle_announce(idle, &slot->sleeper);
    *task = find_allowed(slot, wait);
    if (*task || wait->over(wait->key)) {
        cns_idle_withdraw(idle, &slot->sleeper);
    } else {
        cns_idle_park(idle, &slot->sleeper);
    }
}

static cns_status sleep_until_change(cns_slot *slot, const cns_wait *wait, cns_future **task) {
    cns_tasks *pool = slot->pool;
    cns_lot_waiter waiter = {wait->key, &slot->sleeper.parker, NULL};
    cns_lot_enter(&pool->lot, &waiter);
    wait->flag(wait->key);
    cns_status status = CNS_OK;
    if (wait->any) {
        sleep_outside(slot, wait, task);
    } else {
        status = sleep_inside(slot, wait, task);
    }
    cns_lot_leave(&pool->lot, &waiter);
    return status;
}

cns_status cns_wait_until(cns_tasks *pool, cns_slot *slot, const cns_wait *wait) {
    if (!slot) {
        wait->flag(wait->key);
        cns_lot_sleep(&pool->lot, wait->key, wait->over, 0);
        return CNS_OK;
    }
    cns_status status = CNS_OK;
    for (uint32_t spins = 0; status == CNS_OK && !wait->over(wait->key);) {
        cns_future *task = find_allowed(slot, wait);
        if (!task && spins++ < SPIN_ROUNDS + wait->yields) {
            if (spins <= SPIN_ROUNDS) {
                cns_cpu_relax();
            } else {
                cns_os_thread_yield(); /* who we wait for may need this CPU */
            }
            continue;
        }
        if (!task) {
            status = sleep_until_change(slot, wait, &task);
        }
        if (task) {
            cns_task_run_entry(slot, task);
            spins = 0;
        }
    }
    return status;
}
