/* SPDX-License-Identifier: MIT
 *
 * solver/propagate.c - to a fixpoint: literals through clauses first, then one propagator, again.
 *
 * Two watched literals with blockers (Een, Sorensson 2003; Chu et al. 2009 for the blockers),
 * binary clauses in the watch itself. Propagators wait in five queues, the cheapest first; after
 * each one the literals go first again. Between two steps of the loop nothing is lost: a paused
 * propagation is continued by the next call.
 */
#include "solver/cycle.h"
#include "solver/trail.h"

#define CLAUSE_TICKS 8 /* a clause that is looked into is rarely in the cache */

/* ---- waking --------------------------------------------------------------------------------- */

/* Every ring has room for all propagators. */
static bool grow_ring(cns_state *s, cns_ring *ring, uint32_t count) {
    if (count <= ring->capacity) {
        return true;
    }
    uint32_t capacity = ring->capacity ? ring->capacity * 2 : 64;
    uint32_t *data = cns_context_alloc(s->context, capacity * sizeof *data, CNS_ALIGN_DEFAULT);
    if (data == NULL) {
        s->status = cns_context_memory_status(s->context, capacity * sizeof *data);
        return false;
    }
    for (uint32_t i = 0; i < ring->count; i++) {
        data[i] = ring->data[(ring->head + i) & (ring->capacity - 1)];
    }
    cns_context_free(s->context, ring->data, ring->capacity * sizeof *data, CNS_ALIGN_DEFAULT);
    ring->data = data;
    ring->head = 0;
    ring->capacity = capacity;
    return true;
}

static bool grow_rings(cns_state *s, uint32_t count) {
    for (int k = 0; k < CNS_PRIORITIES; k++) {
        if (!grow_ring(s, &s->rings[k], count)) {
            return false;
        }
    }
    return true;
}

void cns_queue_propagator(cns_state *s, cns_propagator *p) {
    if (p->queued) {
        return;
    }
    p->queued = true;
    cns_ring *ring = &s->rings[p->priority];
    ring->data[(ring->head + ring->count++) & (ring->capacity - 1)] = p->number;
}

cns_status cns_attach(cns_state *s, cns_propagator *p) {
    if (!cns_poll(s) ||
        !cns_grow(s, &s->propagators, sizeof(cns_propagator *), &s->propagator_capacity,
                  s->propagator_count + 1) ||
        !grow_rings(s, s->propagator_count + 1)) {
        p->class->destroy(s, p);
        return s->status;
    }
    p->number = s->propagator_count;
    p->queued = false;
    p->weight = 1;
    s->propagators[s->propagator_count++] = p;
    cns_queue_propagator(s, p);
    return CNS_OK;
}

static bool add_wake(cns_state *s, cns_wakes *list, cns_wake wake) {
    if (!cns_poll(s) ||
        !cns_grow_short(s, &list->data, sizeof *list->data, &list->capacity, list->count + 1)) {
        return false;
    }
    list->data[list->count++] = wake;
    return true;
}

bool cns_watch_term(cns_state *s, cns_term term, cns_propagator *p, uint32_t data, uint32_t event) {
    return s->root[term] == -s->root[term ^ 1] ||
           add_wake(s, &s->events[term], (cns_wake){p->number, data, event});
}

bool cns_watch_lit(cns_state *s, cns_lit lit, cns_propagator *p, uint32_t data) {
    return add_wake(s, &s->wakes[lit], (cns_wake){p->number, data, CNS_ON_BOUND});
}

bool cns_watch_holes(cns_state *s, cns_term term, cns_propagator *p, uint32_t data) {
    return add_wake(s, &s->holes[term >> 1], (cns_wake){p->number, data, CNS_ON_BOUND});
}

static inline void wake_one(cns_state *s, const cns_wake *wake) {
    cns_propagator *p = s->propagators[wake->propagator];
    if (p->class->wake == NULL) {
        cns_queue_propagator(s, p);
    } else if (p->class->wake(s, p, wake->data)) {
        cns_queue_propagator(s, p);
    }
}

static void wake_all(cns_state *s, const cns_wakes *list) {
    for (uint32_t i = 0; i < list->count; i++) {
        wake_one(s, &list->data[i]);
    }
    s->ticks += list->count;
}

static void wake_for_bound(cns_state *s, cns_term term) {
    const cns_wakes *list = &s->events[term];
    bool fixed = cns_fixed(s, term);
    for (uint32_t i = 0; i < list->count; i++) {
        if (fixed || list->data[i].event == CNS_ON_BOUND) {
            wake_one(s, &list->data[i]);
        }
    }
    s->ticks += list->count;
}

/* A removed value inside the bounds; those that the bounds have passed wake by the bounds. */
static inline bool is_hole(const cns_state *s, cns_lit lit) {
    uint32_t n = lit >> 1;
    return (lit & 1) != 0 && s->kind[n] == CNS_BOOL_EQ &&
           (s->trail[s->position[n]].what == lit || s->position[n] == 0);
}

void cns_clear_queues(cns_state *s) {
    s->queue_head = s->queue_count = 0;
    if (s->unfinished != NULL && s->unfinished->class->cancel != NULL) {
        s->unfinished->class->cancel(s, s->unfinished);
    }
    s->unfinished = NULL;
    for (int k = 0; k < CNS_PRIORITIES; k++) {
        cns_ring *ring = &s->rings[k];
        for (; ring->count > 0; ring->count--) {
            cns_propagator *p = s->propagators[ring->data[ring->head]];
            ring->head = (ring->head + 1) & (ring->capacity - 1);
            p->queued = false;
            if (p->class->cancel != NULL) {
                p->class->cancel(s, p);
            }
        }
    }
}

/* ---- clauses -------------------------------------------------------------------------------- */

static bool clause_conflict(cns_state *s, const cns_lit *lits, uint32_t count) {
    s->conflict.count = 0;
    s->conflict_propagator = UINT32_MAX;
    if (s->level == 0) {
        s->failed = true;
    }
    for (uint32_t i = 0; i < count; i++) {
        cns_facts_push(s, &s->conflict, cns_fact_lit(lits[i] ^ 1));
    }
    return false;
}

/* Looks for a literal to watch instead of lits[1]; 0: none, or 2 .. size - 1. */
static inline uint32_t other_watch(const cns_state *s, const cns_clause *c) {
    for (uint32_t k = 2; k < c->size; k++) {
        if (s->value[c->lits[k]] >= 0) {
            return k;
        }
    }
    return 0;
}

static bool push_watch(cns_state *s, cns_lit lit, cns_watch watch) {
    cns_watches *list = &s->watches[lit];
    if (list->count == list->capacity &&
        !cns_grow_short(s, &list->data, sizeof *list->data, &list->capacity, list->count + 1)) {
        return false;
    }
    list->data[list->count++] = watch;
    return true;
}

/* Visits the clauses in which the negation of `p` is watched. */
static bool propagate_clauses(cns_state *s, cns_lit p) {
    cns_watches *list = &s->watches[p];
    if (list->count == 0) {
        return true;
    }
    cns_watch *from = list->data;
    cns_watch *to = from;
    cns_watch *end = from + list->count;
    cns_lit gone = p ^ 1;
    bool ok = true;
    uint64_t work = list->count;
    while (from != end) {
        cns_watch w = *from++;
        int value = s->value[w.blocker];
        if (value > 0) {
            *to++ = w;
            continue;
        }
        if (w.clause & CNS_WATCH_BINARY) {
            *to++ = w;
            if (value < 0) {
                ok = clause_conflict(s, (cns_lit[]){w.blocker, gone}, 2);
                break;
            }
            if (!(ok = cns_enqueue(s, w.blocker, cns_reason_lit(p)))) {
                break;
            }
            continue;
        }
        cns_clause *c = cns_clause_at(s, w.clause);
        work += CLAUSE_TICKS;
        if (c->lits[0] == gone) {
            c->lits[0] = c->lits[1];
            c->lits[1] = gone;
        }
        cns_lit first = c->lits[0];
        w.blocker = first;
        if (s->value[first] > 0) {
            *to++ = w;
            continue;
        }
        uint32_t k = other_watch(s, c);
        if (k != 0) {
            if (!push_watch(s, c->lits[k] ^ 1, w)) {
                *to++ = w;
                ok = false;
                break;
            }
            c->lits[1] = c->lits[k];
            c->lits[k] = gone;
            continue;
        }
        *to++ = w;
        if (s->value[first] < 0) {
            ok = clause_conflict(s, c->lits, c->size);
            break;
        }
        if (!(ok = cns_enqueue(s, first, cns_reason_make(CNS_REASON_CLAUSE, w.clause, 0)))) {
            break;
        }
    }
    while (from != end) {
        *to++ = *from++;
    }
    list->count = (uint32_t)(to - list->data);
    s->ticks += work;
    return ok;
}

/* ---- the loop ------------------------------------------------------------------------------- */

static bool propagate_queue(cns_state *s) {
    while (s->queue_head < s->queue_count) {
        uint32_t item = s->queue[s->queue_head++];
        if (item & CNS_WHAT_BOUND) {
            wake_for_bound(s, item & ~CNS_WHAT_BOUND);
            continue;
        }
        if (!propagate_clauses(s, item)) {
            return false;
        }
        if (s->wakes[item].count != 0) {
            wake_all(s, &s->wakes[item]);
        }
        if (is_hole(s, item)) {
            wake_all(s, &s->holes[s->atoms[item >> 1].integer]);
        }
        if (s->ticks >= s->ticks_end) {
            return true;
        }
    }
    s->queue_head = s->queue_count = 0;
    return true;
}

static cns_propagator *next_propagator(cns_state *s) {
    for (int k = 0; k < CNS_PRIORITIES; k++) {
        cns_ring *ring = &s->rings[k];
        if (ring->count > 0) {
            cns_propagator *p = s->propagators[ring->data[ring->head]];
            ring->head = (ring->head + 1) & (ring->capacity - 1);
            ring->count--;
            p->queued = false;
            return p;
        }
    }
    return NULL;
}

/* The objective must improve on the best solution: holds at every level, needs no reason. */
static bool hold_objective(cns_state *s) {
    return s->objective_limit == INT64_MAX || cns_raise(s, s->objective ^ 1, -s->objective_limit,
                                                        cns_reason_make(CNS_REASON_ALWAYS, 0, 0));
}

/* Counts a run; in a fixpoint that takes long, looks for a cycle now and then. */
static bool counted(cns_state *s) {
    if (s->runs++ == 0) {
        s->cycle_search_at = cns_first_cycle_search(s);
    }
    return s->runs < s->cycle_search_at || cns_refute_cycle(s);
}

static bool run_propagator(cns_state *s, cns_propagator *p) {
    s->active_origin = p->origin;
    bool ok = p->class->propagate(s, p);
    s->active_origin = UINT32_MAX;
    if (!ok && s->status == CNS_OK) {
        p->weight++;
    }
    return ok;
}

/* Goes on with the one that paused; false as when it runs. */
static bool resume(cns_state *s) {
    cns_propagator *p = s->unfinished;
    s->unfinished = NULL;
    return p == NULL || run_propagator(s, p);
}

static cns_progress stopped(const cns_state *s) {
    return s->status == CNS_OK ? CNS_CONFLICT : CNS_PAUSED;
}

cns_progress cns_propagate(cns_state *s) {
    if (s->status != CNS_OK) {
        return CNS_PAUSED;
    }
    if (s->has_conflict || s->failed) {
        s->has_conflict = false;
        return CNS_CONFLICT;
    }
    if (!hold_objective(s) || !resume(s)) {
        return stopped(s);
    }
    for (;;) {
        if (s->unfinished != NULL) {
            return CNS_PAUSED;
        }
        if (!propagate_queue(s)) {
            return stopped(s);
        }
        if (s->ticks >= s->ticks_end) {
            return CNS_PAUSED;
        }
        if (!counted(s)) {
            return stopped(s);
        }
        cns_propagator *p = next_propagator(s);
        if (p == NULL) {
            return CNS_FIXPOINT;
        }
        s->ticks++;
        if (!run_propagator(s, p)) {
            return stopped(s);
        }
    }
}
