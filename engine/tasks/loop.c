/* SPDX-License-Identifier: MIT
 *
 * tasks/loop.c - parallel loops and deterministic reductions.
 *
 * A loop is cut into parts of `grain` elements. Each seat of the team holds a range of parts in one
 * atomic word: an equal share at first, the same in every run of the loop, so that what a thread
 * left in its cache meets it again. A member takes parts one by one from the front of its range
 * and, when that is empty, the upper half of the largest range there is. A range word holds all
 * there is to know, so an old value that comes back (ABA) is right again.
 *
 * With the grain left to us, the caller begins alone, with growing pieces, and calls others only
 * when the loop proves long enough to pay for waking them.
 */
#include <string.h>

#include "base/bits.h"
#include "tasks/team.h"

enum {
    PARTS_PER_THREAD = 24,
    SHARES_MAX = 32, /* seats with a share of their own; more would make an absent team costly */
    WORTH_WAKING_NS = 4000,
    WORTH_SHARING_NS = 1000, /* with somebody who is awake already */
    REDUCE_GRAIN = 1024,
    REDUCE_BLOCKS = 1024
};

#define PARTS_MAX (UINT64_C(1) << 31)

typedef cns_status (*seat_body)(void *user, int64_t begin, int64_t end, uint32_t seat);

typedef struct loop {
    cns_team team; /* first */
    seat_body body;
    void *user;
    const cns_cancel *cancel;
    int64_t base;  /* the window of parts [0, parts) begins here */
    int64_t first; /* what lies before was done by the caller alone */
    int64_t end;
    uint64_t grain;
    CNS_ATOMIC(uint32_t) stop;
    /* Under the pool's wait_lock: */
    cns_status error;
    int64_t error_begin;
    cns_status cancelled;
} loop;

static uint64_t pack(uint32_t first, uint32_t end) {
    return (uint64_t)end << 32 | first;
}

static uint32_t first_of(uint64_t range) {
    return (uint32_t)range;
}

static uint32_t end_of(uint64_t range) {
    return (uint32_t)(range >> 32);
}

/* ---- parts ---------------------------------------------------------------------------------- */

static void record_error(loop *l, int64_t begin, cns_status status) {
    cns_mutex_lock(&l->team.pool->wait_lock);
    if (l->error == CNS_OK || begin < l->error_begin) {
        l->error = status;
        l->error_begin = begin;
    }
    cns_mutex_unlock(&l->team.pool->wait_lock);
    CNS_STORE(&l->stop, 1, relaxed);
}

static void record_cancel(loop *l, cns_status status) {
    cns_mutex_lock(&l->team.pool->wait_lock);
    l->cancelled = status;
    cns_mutex_unlock(&l->team.pool->wait_lock);
    CNS_STORE(&l->stop, 1, relaxed);
}

/* false: the loop has stopped. */
static bool run_piece(loop *l, int64_t begin, int64_t end, uint32_t seat) {
    if (CNS_LOAD(&l->stop, relaxed)) {
        return false;
    }
    cns_status status = cns_cancel_poll(l->cancel);
    if (status != CNS_OK) {
        record_cancel(l, status);
        return false;
    }
    status = l->body(l->user, begin, end, seat);
    if (status < 0) {
        record_error(l, begin, status);
        return false;
    }
    return true;
}

static bool take_part(cns_seat *seat, uint32_t *part) {
    uint64_t range = CNS_LOAD(&seat->range, relaxed);
    while (first_of(range) < end_of(range)) {
        if (CNS_CAS(&seat->range, &range, pack(first_of(range) + 1, end_of(range)), relaxed)) {
            *part = first_of(range);
            return true;
        }
    }
    return false;
}

static cns_seat *fullest_seat(loop *l, uint64_t *seen) {
    cns_seat *best = NULL;
    uint32_t most = 0;
    for (uint32_t i = 0; i < l->team.seat_count; i++) {
        uint64_t range = CNS_LOAD(&l->team.seats[i].range, relaxed);
        if (end_of(range) > first_of(range) && end_of(range) - first_of(range) > most) {
            most = end_of(range) - first_of(range);
            best = &l->team.seats[i];
            *seen = range;
        }
    }
    return best;
}

/* Half of somebody's parts becomes ours; false when nobody has any. */
static bool take_half(loop *l, cns_seat *own) {
    uint64_t range;
    cns_seat *victim;
    while ((victim = fullest_seat(l, &range)) != NULL) {
        uint32_t first = first_of(range);
        uint32_t end = end_of(range);
        uint32_t middle = first + (end - first) / 2;
        if (CNS_CAS(&victim->range, &range, pack(first, middle), relaxed)) {
            CNS_STORE(&own->range, pack(middle, end), relaxed);
            return true;
        }
    }
    return false;
}

static void work_on_parts(cns_member *member) {
    loop *l = (loop *)member->team;
    cns_seat *seat = &l->team.seats[member->seat];
    bool invited = false;
    do {
        uint32_t part;
        while (take_part(seat, &part)) {
            uint64_t range;
            if (!invited && fullest_seat(l, &range)) {
                cns_team_invite(member, CNS_INVITATIONS);
                invited = true;
            }
            int64_t begin = (int64_t)((uint64_t)l->base + part * l->grain);
            uint64_t left = (uint64_t)l->end - (uint64_t)begin;
            int64_t end = left > l->grain ? (int64_t)((uint64_t)begin + l->grain) : l->end;
            if (!run_piece(l, begin > l->first ? begin : l->first, end, member->seat)) {
                CNS_STORE(&seat->range, 0, relaxed);
                return;
            }
        }
    } while (take_half(l, seat));
}

/* ---- a loop --------------------------------------------------------------------------------- */

/* Runs growing pieces from the front; returns where it stopped: at the end, when the loop is worth
 * waking others, or when it failed. */
static int64_t begin_alone(loop *l, int64_t begin, int64_t end) {
    uint64_t start = cns_os_clock();
    uint64_t worth =
        CNS_LOAD(&l->team.pool->idle.searching, relaxed) ? WORTH_SHARING_NS : WORTH_WAKING_NS;
    uint64_t size = 1;
    /* Beyond the grain, which is only our own choice here: reading the clock costs, too. */
    uint64_t largest = l->grain < UINT64_MAX / 8 ? l->grain * 4 : l->grain;
    while (begin < end) {
        uint64_t left = (uint64_t)end - (uint64_t)begin;
        int64_t stop = left > size ? (int64_t)((uint64_t)begin + size) : end;
        if (!run_piece(l, begin, stop, 0)) {
            return end;
        }
        begin = stop;
        if (begin < end && cns_os_clock() - start >= worth) {
            break;
        }
        size = size * 2 < largest ? size * 2 : largest;
    }
    return begin;
}

/* Every seat's share of the parts from `first` on. Shares are cut from all parts, not from those
 * that are left, so that they stay the same whatever the caller did alone. */
static void deal_parts(loop *l, uint64_t parts, uint64_t first) {
    uint64_t shares = l->team.seat_count < SHARES_MAX ? l->team.seat_count : SHARES_MAX;
    for (uint64_t i = 0; i < shares; i++) {
        uint64_t begin = parts * i / shares;
        uint64_t end = parts * (i + 1) / shares;
        begin = begin > first ? begin : first;
        CNS_STORE(&l->team.seats[i].range, begin < end ? pack((uint32_t)begin, (uint32_t)end) : 0,
                  relaxed); /* published by the invitations */
    }
}

/* Runs [first, end), cut into parts from `begin` on. */
static void run_windows(loop *l, cns_member *owner, int64_t begin, int64_t first, int64_t end) {
    while (first < end && !CNS_LOAD(&l->stop, relaxed)) {
        uint64_t count = (uint64_t)end - (uint64_t)begin;
        uint64_t parts = count / l->grain + (count % l->grain != 0);
        parts = parts < PARTS_MAX ? parts : PARTS_MAX;
        l->base = begin;
        l->first = first;
        l->end = count / l->grain < parts ? end : (int64_t)((uint64_t)begin + parts * l->grain);
        deal_parts(l, parts, ((uint64_t)first - (uint64_t)begin) / l->grain);
        work_on_parts(owner);
        cns_team_wait(owner, NULL);
        begin = first = l->end;
    }
}

static cns_status run_loop(cns_tasks *tasks, const cns_loop_options *options, int64_t begin,
                           int64_t end, uint64_t grain, bool alone_first, seat_body body,
                           void *user) {
    loop l;
    cns_member owner;
    cns_team_open(&l.team, tasks, cns_team_width(tasks), &owner);
    l.team.work = work_on_parts;
    l.team.priority = options->priority;
    l.body = body;
    l.user = user;
    l.cancel = options->cancel;
    l.grain = grain;
    l.error = l.cancelled = CNS_OK;
    l.error_begin = 0;
    CNS_STORE(&l.stop, 0, relaxed);
    int64_t first = begin;
    if (alone_first && l.team.seat_count > 1) {
        first = begin_alone(&l, begin, end);
    }
    run_windows(&l, &owner, begin, first, end);
    cns_team_close(&l.team);
    return l.error != CNS_OK ? l.error : l.cancelled;
}

static cns_status check_options(cns_tasks *tasks, const cns_loop_options *options,
                                const char *function) {
    if (!tasks) {
        return CNS_E_INVALID;
    }
    if (options && options->size != sizeof *options) {
        return cns_fail(tasks->context, CNS_E_INVALID, "%s: options.size is %u, not %zu", function,
                        options->size, sizeof *options);
    }
    if (options && (unsigned)options->priority >= CNS_PRIORITIES) {
        return cns_fail(tasks->context, CNS_E_INVALID, "%s: no such priority: %d", function,
                        (int)options->priority);
    }
    if (options && options->grain < 0) {
        return cns_fail(tasks->context, CNS_E_INVALID, "%s: grain is negative", function);
    }
    return CNS_OK;
}

static const cns_loop_options default_options = {.size = sizeof default_options};

typedef struct plain_body {
    cns_range_fn body;
    void *user;
} plain_body;

static cns_status run_plain(void *user, int64_t begin, int64_t end, uint32_t seat) {
    (void)seat;
    const plain_body *plain = user;
    return plain->body(plain->user, begin, end);
}

cns_status cns_tasks_for(cns_tasks *tasks, const cns_loop_options *options, int64_t begin,
                         int64_t end, cns_range_fn body, void *user) {
    cns_status status = check_options(tasks, options, "cns_tasks_for");
    if (status != CNS_OK || !body) {
        return status != CNS_OK
                   ? status
                   : cns_fail(tasks->context, CNS_E_INVALID, "cns_tasks_for: body is NULL");
    }
    options = options ? options : &default_options;
    if (begin >= end) {
        return cns_cancel_poll(options->cancel);
    }
    uint64_t count = (uint64_t)end - (uint64_t)begin;
    uint64_t grain = (uint64_t)options->grain;
    if (grain == 0) {
        uint64_t parts = (uint64_t)cns_team_width(tasks) * PARTS_PER_THREAD;
        grain = count / parts + (count % parts != 0);
    }
    plain_body plain = {body, user};
    return run_loop(tasks, options, begin, end, grain, options->grain == 0, run_plain, &plain);
}

/* ---- reductions ----------------------------------------------------------------------------- */

/* Leaves of `grain` elements, `leaves_per_block` of them folded and combined from left to right
 * into a block; the blocks are then combined pairwise. All of it follows from count and grain. */
typedef struct reduction {
    cns_tasks *tasks;
    int64_t begin, end;
    uint64_t grain;
    uint64_t leaves, leaves_per_block, blocks;
    const void *identity;
    size_t state_size, stride;
    unsigned char *states;  /* one a block */
    unsigned char *scratch; /* one a seat */
    cns_fold_fn fold;
    cns_combine_fn combine;
    void *user;
} reduction;

static void set_state(const reduction *r, void *state, const void *value) {
    if (r->state_size) {
        memcpy(state, value, r->state_size);
    }
}

static cns_status fold_leaf(const reduction *r, uint64_t leaf, void *state) {
    int64_t begin = (int64_t)((uint64_t)r->begin + leaf * r->grain);
    uint64_t left = (uint64_t)r->end - (uint64_t)begin;
    int64_t end = left > r->grain ? (int64_t)((uint64_t)begin + r->grain) : r->end;
    set_state(r, state, r->identity);
    return r->fold(r->user, begin, end, state);
}

static cns_status fold_block(const reduction *r, uint64_t block, void *scratch) {
    unsigned char *state = r->states + block * r->stride;
    uint64_t leaf = block * r->leaves_per_block;
    uint64_t left = r->leaves - leaf;
    uint64_t count = left < r->leaves_per_block ? left : r->leaves_per_block;
    cns_status status = fold_leaf(r, leaf, state);
    for (uint64_t i = 1; status >= 0 && i < count; i++) {
        status = fold_leaf(r, leaf + i, scratch);
        if (status >= 0) {
            status = r->combine(r->user, state, scratch);
        }
    }
    return status;
}

static cns_status fold_blocks(void *user, int64_t begin, int64_t end, uint32_t seat) {
    const reduction *r = user;
    cns_status status = CNS_OK;
    for (int64_t block = begin; status >= 0 && block < end; block++) {
        status = fold_block(r, (uint64_t)block, r->scratch + seat * r->stride);
    }
    return status;
}

static cns_status combine_blocks(const reduction *r) {
    for (uint64_t step = 1; step < r->blocks; step *= 2) {
        for (uint64_t i = 0; i + step < r->blocks; i += 2 * step) {
            cns_status status =
                r->combine(r->user, r->states + i * r->stride, r->states + (i + step) * r->stride);
            if (status < 0) {
                return status;
            }
        }
    }
    return CNS_OK;
}

static void plan_reduction(reduction *r, int64_t grain) {
    uint64_t count = (uint64_t)r->end - (uint64_t)r->begin;
    r->grain = (uint64_t)grain;
    if (r->grain == 0) {
        r->grain = count / REDUCE_BLOCKS + (count % REDUCE_BLOCKS != 0);
        r->grain = r->grain > REDUCE_GRAIN ? r->grain : REDUCE_GRAIN;
    }
    r->leaves = count / r->grain + (count % r->grain != 0);
    r->leaves_per_block = r->leaves / REDUCE_BLOCKS + (r->leaves % REDUCE_BLOCKS != 0);
    r->blocks = r->leaves / r->leaves_per_block + (r->leaves % r->leaves_per_block != 0);
}

static cns_status run_reduction(reduction *r, const cns_loop_options *options, void *result) {
    uint32_t seats = cns_team_width(r->tasks);
    if (r->state_size > SIZE_MAX / 4 / (r->blocks + seats)) {
        return cns_context_memory_status(r->tasks->context, SIZE_MAX);
    }
    r->stride = cns_align_up(r->state_size ? r->state_size : 1, 64);
    size_t size = (r->blocks + seats) * r->stride;
    r->states = cns_context_alloc(r->tasks->context, size, 64);
    if (!r->states) {
        return cns_context_memory_status(r->tasks->context, size);
    }
    r->scratch = r->states + r->blocks * r->stride;
    uint64_t parts = (uint64_t)seats * PARTS_PER_THREAD;
    uint64_t grain = r->blocks / parts + (r->blocks % parts != 0);
    /* Few blocks may be long ones: then the first must not be run alone. */
    bool alone_first = r->blocks > parts;
    cns_status status =
        run_loop(r->tasks, options, 0, (int64_t)r->blocks, grain, alone_first, fold_blocks, r);
    if (status == CNS_OK) {
        status = combine_blocks(r);
    }
    if (status == CNS_OK) {
        set_state(r, result, r->states);
    }
    cns_context_free(r->tasks->context, r->states, size, 64);
    return status;
}

cns_status cns_tasks_reduce(cns_tasks *tasks, const cns_loop_options *options, int64_t begin,
                            int64_t end, const void *identity, size_t state_size, cns_fold_fn fold,
                            cns_combine_fn combine, void *user, void *result) {
    cns_status status = check_options(tasks, options, "cns_tasks_reduce");
    if (status != CNS_OK) {
        return status;
    }
    if (!fold || !combine || (state_size && (!identity || !result))) {
        return cns_fail(tasks->context, CNS_E_INVALID,
                        "cns_tasks_reduce: fold, combine, identity or result is NULL");
    }
    options = options ? options : &default_options;
    reduction r = {.tasks = tasks,
                   .begin = begin,
                   .end = end,
                   .identity = identity,
                   .state_size = state_size,
                   .fold = fold,
                   .combine = combine,
                   .user = user};
    if (begin >= end) {
        status = cns_cancel_poll(options->cancel);
        if (status == CNS_OK) {
            set_state(&r, result, identity);
        }
        return status;
    }
    plan_reduction(&r, options->grain);
    return run_reduction(&r, options, result);
}
