/* SPDX-License-Identifier: MIT
 *
 * tasks/idle.c - see idle.h.
 *
 * The waker takes the sleeper off the list and, for a worker, counts it as searching before it
 * wakes up, so that two publications in a row wake one thread. Whoever stops searching with work
 * in hand wakes the next sleeper: work that was published while the count was up is never lost.
 */
#include "tasks/idle.h"

#ifndef CNS_MODEL
bool cns_parker_init(cns_parker *parker) {
    parker->token = false;
    if (cns_mutex_init(&parker->mutex) != 0) {
        return false;
    }
    if (cns_condition_init(&parker->condition) != 0) {
        cns_mutex_deinit(&parker->mutex);
        return false;
    }
    return true;
}

void cns_parker_deinit(cns_parker *parker) {
    cns_condition_deinit(&parker->condition);
    cns_mutex_deinit(&parker->mutex);
}

void cns_parker_park(cns_parker *parker) {
    cns_mutex_lock(&parker->mutex);
    while (!parker->token) {
        cns_condition_wait(&parker->condition, &parker->mutex);
    }
    parker->token = false;
    cns_mutex_unlock(&parker->mutex);
}

void cns_parker_unpark(cns_parker *parker) {
    cns_mutex_lock(&parker->mutex);
    parker->token = true;
    cns_condition_signal(&parker->condition);
    cns_mutex_unlock(&parker->mutex);
}
#endif

static void list_clear(cns_sleeper *head) {
    head->next = head->previous = head;
}

bool cns_idle_init(cns_idle *idle, uint32_t searching_limit) {
    CNS_STORE(&idle->sleeping, 0, relaxed);
    CNS_STORE(&idle->helpers, 0, relaxed);
    CNS_STORE(&idle->searching, 0, relaxed);
    idle->searching_limit = searching_limit;
    list_clear(&idle->workers_list);
    list_clear(&idle->helpers_list);
    return cns_mutex_init(&idle->lock) == 0;
}

void cns_idle_deinit(cns_idle *idle) {
    cns_mutex_deinit(&idle->lock);
}

static void list_locked(cns_idle *idle, cns_sleeper *sleeper) {
    cns_sleeper *head = sleeper->helper ? &idle->helpers_list : &idle->workers_list;
    sleeper->next = head->next;
    sleeper->previous = head;
    head->next->previous = sleeper;
    head->next = sleeper;
    sleeper->listed = true;
    CNS_ADD(sleeper->helper ? &idle->helpers : &idle->sleeping, 1, seq_cst);
}

static void unlist_locked(cns_idle *idle, cns_sleeper *sleeper) {
    sleeper->next->previous = sleeper->previous;
    sleeper->previous->next = sleeper->next;
    sleeper->listed = false;
    CNS_SUB(sleeper->helper ? &idle->helpers : &idle->sleeping, 1, seq_cst);
}

void cns_idle_wake_one(cns_idle *idle, bool worker_only) {
    CNS_LOCK(&idle->lock);
    cns_sleeper *sleeper = idle->workers_list.next;
    if (sleeper != &idle->workers_list) {
        unlist_locked(idle, sleeper);
        CNS_ADD(&idle->searching, 1, seq_cst);
    } else if (!worker_only && idle->helpers_list.next != &idle->helpers_list) {
        sleeper = idle->helpers_list.next;
        unlist_locked(idle, sleeper);
    } else {
        sleeper = NULL;
    }
    /* Under the lock: a helper's bed is gone soon after it withdraws. */
    if (sleeper) {
        cns_parker_unpark(&sleeper->parker);
    }
    CNS_UNLOCK(&idle->lock);
}

void cns_idle_wake_all(cns_idle *idle) {
    CNS_LOCK(&idle->lock);
    while (idle->workers_list.next != &idle->workers_list) {
        cns_sleeper *sleeper = idle->workers_list.next;
        unlist_locked(idle, sleeper);
        CNS_ADD(&idle->searching, 1, seq_cst);
        cns_parker_unpark(&sleeper->parker);
    }
    while (idle->helpers_list.next != &idle->helpers_list) {
        cns_sleeper *sleeper = idle->helpers_list.next;
        unlist_locked(idle, sleeper);
        cns_parker_unpark(&sleeper->parker);
    }
    CNS_UNLOCK(&idle->lock);
}

bool cns_idle_begin_search(cns_idle *idle) {
    uint32_t searching = CNS_LOAD(&idle->searching, relaxed);
    return searching < idle->searching_limit &&
           CNS_CAS(&idle->searching, &searching, searching + 1, seq_cst);
}

void cns_idle_end_search(cns_idle *idle, bool found) {
    uint32_t before = CNS_SUB(&idle->searching, 1, seq_cst);
    if (found && before == 1) {
        cns_idle_notify(idle, false);
    }
}

void cns_idle_announce(cns_idle *idle, cns_sleeper *sleeper) {
    CNS_LOCK(&idle->lock);
    list_locked(idle, sleeper);
    CNS_UNLOCK(&idle->lock);
}

/* Off the list by our own hand (false), or already off by a waker's (true): then its token and,
 * for a worker, its count as a searcher are ours. */
static bool leave_list(cns_idle *idle, cns_sleeper *sleeper) {
    CNS_LOCK(&idle->lock);
    bool chosen = !sleeper->listed;
    if (!chosen) {
        unlist_locked(idle, sleeper);
    }
    CNS_UNLOCK(&idle->lock);
    return chosen;
}

bool cns_idle_park(cns_idle *idle, cns_sleeper *sleeper) {
    cns_parker_park(&sleeper->parker);
    return leave_list(idle, sleeper);
}

bool cns_idle_withdraw(cns_idle *idle, cns_sleeper *sleeper) {
    bool chosen = leave_list(idle, sleeper);
    if (chosen) {
        cns_parker_park(&sleeper->parker); /* takes the token that is there already */
    }
    return chosen;
}

/* ---- a worker's way from one entry to the next ---------------------------------------------- */

/* requires: the client is counted as searching; it is not any more afterwards. */
static void *search(cns_idle *idle, const cns_idle_client *client) {
    void *work = NULL;
    for (uint32_t i = 0; !work && i < client->rounds && !client->closing(client->user); i++) {
        work = client->find(client->user);
        if (!work) {
            cns_os_thread_yield(); /* with more workers than CPUs, others go first */
        }
    }
    cns_idle_end_search(idle, work != NULL);
    return work;
}

/* Sleeps until woken; true when it comes back as a searcher. `*work`: found on second thoughts. */
static bool sleep_once(cns_idle *idle, const cns_idle_client *client, void **work) {
    cns_idle_announce(idle, client->sleeper);
    *work = client->find(client->user);
    if (*work || client->closing(client->user)) {
        bool searching = cns_idle_withdraw(idle, client->sleeper);
        if (searching) {
            cns_idle_end_search(idle, *work != NULL);
        } else if (*work) {
            cns_idle_notify(idle, false); /* there may be more where it came from */
        }
        return false;
    }
    if (client->slept) {
        client->slept(client->user);
    }
    return cns_idle_park(idle, client->sleeper);
}

void *cns_idle_next(cns_idle *idle, const cns_idle_client *client) {
    void *work = NULL;
    bool searching = cns_idle_begin_search(idle);
    while (!work) {
        if (searching) {
            work = search(idle, client);
            searching = false;
        } else if (client->closing(client->user)) {
            return client->find(client->user);
        } else {
            searching = sleep_once(idle, client, &work);
        }
    }
    return work;
}
