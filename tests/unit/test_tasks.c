/* SPDX-License-Identifier: MIT
 *
 * test_tasks.c - the pool: spawn and await, nesting, loops, reductions, cancellation, shutdown.
 */
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "base/rng.h"
#include "cns/tasks.h"
#include "support.h"
#include "tasks/team.h"

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SCALE = 1 };
#else
enum { SCALE = 4 };
#endif

static const uint32_t worker_counts[] = {1, 2, 32};
enum { WORKER_COUNTS = 3 };

static cns_tasks *make_pool(cns_context *context, uint32_t workers) {
    cns_tasks_config config = {.size = sizeof config, .workers = workers};
    cns_tasks *pool = NULL;
    support_status(context, CNS_OK, cns_tasks_create(context, &config, &pool));
    ck_assert_uint_eq(cns_tasks_workers(pool), workers);
    return pool;
}

/* ---- helpers: an event, a counting task ----------------------------------------------------- */

typedef struct event {
    cns_mutex lock;
    cns_condition condition;
    bool set;
} event;

static void event_init(event *e) {
    ck_assert_int_eq(cns_mutex_init(&e->lock), 0);
    ck_assert_int_eq(cns_condition_init(&e->condition), 0);
    e->set = false;
}

static void event_deinit(event *e) {
    cns_condition_deinit(&e->condition);
    cns_mutex_deinit(&e->lock);
}

static void event_set(event *e) {
    cns_mutex_lock(&e->lock);
    e->set = true;
    cns_condition_broadcast(&e->condition);
    cns_mutex_unlock(&e->lock);
}

static void event_wait(event *e) {
    cns_mutex_lock(&e->lock);
    while (!e->set) {
        cns_condition_wait(&e->condition, &e->lock);
    }
    cns_mutex_unlock(&e->lock);
}

static cns_status add_one(void *user, cns_cancel *cancel) {
    (void)cancel;
    atomic_fetch_add((_Atomic int64_t *)user, 1);
    return CNS_OK;
}

static cns_status fail_limit(void *user, cns_cancel *cancel) {
    (void)cancel;
    (void)user;
    return CNS_E_LIMIT;
}

static void count_finalize(void *user) {
    atomic_fetch_add((_Atomic int64_t *)user, 1);
}

/* ---- spawn and await ------------------------------------------------------------------------ */

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    cns_tasks *pool = NULL;
    cns_tasks_config config = {.size = 3};
    ck_assert_int_eq(cns_tasks_create(context, &config, &pool), CNS_E_INVALID);
    config = (cns_tasks_config){.size = sizeof config, .workers = 1025};
    ck_assert_int_eq(cns_tasks_create(context, &config, &pool), CNS_E_INVALID);
    ck_assert_int_eq(cns_tasks_create(NULL, NULL, &pool), CNS_E_INVALID);
    ck_assert_int_eq(cns_tasks_create(context, NULL, NULL), CNS_E_INVALID);
    pool = make_pool(context, 1);
    cns_spawn_options options = {.size = 1};
    _Atomic int64_t n = 0;
    ck_assert_int_eq(cns_tasks_spawn(pool, &options, add_one, &n, NULL), CNS_E_INVALID);
    options = (cns_spawn_options){.size = sizeof options, .priority = (cns_priority)3};
    ck_assert_int_eq(cns_tasks_spawn(pool, &options, add_one, &n, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_tasks_spawn(pool, NULL, NULL, &n, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_tasks_spawn(NULL, NULL, add_one, &n, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_tasks_for(pool, NULL, 0, 9, NULL, NULL), CNS_E_INVALID);
    cns_loop_options loop = {.size = sizeof loop, .grain = -1};
    ck_assert_int_eq(cns_tasks_for(pool, &loop, 0, 9, (cns_range_fn)(void (*)(void))add_one, NULL),
                     CNS_E_INVALID);
    ck_assert_int_eq(cns_future_await(NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_future_await_for(NULL, 1), CNS_E_INVALID);
    ck_assert_int_eq(cns_future_done(NULL), 0);
    cns_future_release(NULL);
    cns_cancel_request(NULL);
    cns_cancel_release(NULL);
    ck_assert_int_eq(cns_cancel_poll(NULL), CNS_OK);
    ck_assert_int_eq(cns_tasks_current_worker(pool), -1);
    ck_assert_uint_ge(cns_tasks_available_cpus(), 1);
    ck_assert_int_eq(atomic_load(&n), 0);
    cns_tasks_destroy(pool);
    cns_tasks_destroy(NULL);
    support_context_destroy(context);
}
END_TEST

START_TEST(every_task_is_over_once_when_the_pool_is_gone) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    enum { COUNT = 1000 };
    static cns_future *futures[COUNT];
    static _Atomic int64_t touched[COUNT];
    memset(touched, 0, sizeof touched);
    for (int i = 0; i < COUNT; i++) {
        cns_spawn_options options = {
            .size = sizeof options, .priority = (cns_priority)(i % 3), .finalize = count_finalize};
        support_status(context, CNS_OK,
                       cns_tasks_spawn(pool, &options, i % 7 == 0 ? fail_limit : add_one,
                                       &touched[i], i % 2 ? &futures[i] : NULL));
    }
    cns_tasks_destroy(pool);
    for (int i = 0; i < COUNT; i++) {
        int64_t runs = atomic_load(&touched[i]) - 1; /* finalize counts one */
        ck_assert(runs == 0 || (runs == 1 && i % 7 != 0));
        if (i % 2) {
            cns_status status = cns_future_await(futures[i]);
            ck_assert_int_eq(cns_future_done(futures[i]), 1);
            ck_assert(status == CNS_E_CANCELLED ? runs == 0
                                                : status == (i % 7 ? CNS_OK : CNS_E_LIMIT));
            cns_future_release(futures[i]);
        }
    }
    support_context_destroy(context);
}
END_TEST

START_TEST(await_gives_the_status) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    for (int i = 0; i < 300 * SCALE; i++) {
        _Atomic int64_t n = 0;
        _Atomic int64_t finalized = 0;
        cns_future *a, *b;
        cns_spawn_options options = {.size = sizeof options, .finalize = count_finalize};
        support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, add_one, &n, &a));
        support_status(context, CNS_OK,
                       cns_tasks_spawn(pool, &options, fail_limit, &finalized, &b));
        ck_assert_int_eq(cns_future_await(b), CNS_E_LIMIT);
        ck_assert_int_eq(atomic_load(&finalized), 1);
        ck_assert_int_eq(cns_future_await(b), CNS_E_LIMIT);
        ck_assert_int_eq(cns_future_await(a), CNS_OK);
        ck_assert_int_eq(atomic_load(&n), 1);
        ck_assert_int_eq(cns_future_await_for(a, 0), CNS_OK);
        cns_future_release(a);
        cns_future_release(b);
    }
    cns_tasks_stats stats;
    cns_tasks_get_stats(pool, &stats);
    ck_assert_uint_eq(stats.spawned, 600 * SCALE);
    ck_assert_uint_eq(stats.executed, 600 * SCALE);
    ck_assert_uint_eq(stats.cancelled, 0);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static cns_status wait_for_event(void *user, cns_cancel *cancel) {
    (void)cancel;
    event_wait(user);
    return CNS_OK;
}

START_TEST(await_for_gives_up_in_time) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 1);
    event e;
    event_init(&e);
    cns_spawn_options options = {.size = sizeof options, .external = 1};
    cns_future *future;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, &options, wait_for_event, &e, &future));
    ck_assert_int_eq(cns_future_await_for(future, 0), CNS_E_BUSY);
    ck_assert_int_eq(cns_future_await_for(future, 2000000), CNS_E_BUSY);
    event_set(&e);
    ck_assert_int_eq(cns_future_await_for(future, UINT64_MAX), CNS_OK);
    cns_future_release(future);
    cns_tasks_destroy(pool);
    event_deinit(&e);
    support_context_destroy(context);
}
END_TEST

/* ---- external tasks ------------------------------------------------------------------------- */

typedef struct where {
    cns_tasks *pool;
    int32_t worker;
} where;

static cns_status note_worker(void *user, cns_cancel *cancel) {
    (void)cancel;
    where *w = user;
    w->worker = cns_tasks_current_worker(w->pool);
    return CNS_OK;
}

START_TEST(external_tasks_run_on_workers_only) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    cns_spawn_options options = {.size = sizeof options, .external = 1};
    for (int i = 0; i < 500; i++) {
        where here[4];
        cns_future *futures[4];
        for (int k = 0; k < 4; k++) {
            here[k] = (where){pool, -2};
            support_status(context, CNS_OK,
                           cns_tasks_spawn(pool, &options, note_worker, &here[k], &futures[k]));
        }
        for (int k = 0; k < 4; k++) {
            ck_assert_int_eq(cns_future_await(futures[k]), CNS_OK);
            ck_assert_int_ge(here[k].worker, 0);
            ck_assert_int_lt(here[k].worker, 2);
            cns_future_release(futures[k]);
        }
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static cns_status await_external(void *user, cns_cancel *cancel) {
    (void)cancel;
    where *w = user;
    cns_spawn_options options = {.size = sizeof options, .external = 1};
    cns_future *future;
    cns_status status = cns_tasks_spawn(w->pool, &options, note_worker, w, &future);
    if (status == CNS_OK) {
        status = cns_future_await(future);
        cns_future_release(future);
    }
    return status;
}

START_TEST(a_task_that_awaits_an_external_one_does_not_block_its_only_worker) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 1);
    for (int i = 0; i < 200; i++) {
        where w = {pool, -2};
        cns_future *future;
        support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, await_external, &w, &future));
        ck_assert_int_eq(cns_future_await(future), CNS_OK);
        ck_assert_int_ne(w.worker, -2);
        cns_future_release(future);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* ---- fork and join -------------------------------------------------------------------------- */

typedef struct fib_call {
    cns_tasks *pool;
    int n;
    int64_t value;
} fib_call;

static cns_status fib(void *user, cns_cancel *cancel) {
    fib_call *call = user;
    if (call->n < 2) {
        call->value = call->n;
        return CNS_OK;
    }
    fib_call left = {call->pool, call->n - 1, 0};
    fib_call right = {call->pool, call->n - 2, 0};
    cns_future *future;
    cns_status status = cns_tasks_spawn(call->pool, NULL, fib, &left, &future);
    if (status != CNS_OK) {
        return status;
    }
    cns_status second = fib(&right, cancel);
    status = cns_future_await(future);
    cns_future_release(future);
    call->value = left.value + right.value;
    return status != CNS_OK ? status : second;
}

START_TEST(fib_forks_and_joins) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    for (int repeat = 0; repeat < 3; repeat++) {
        fib_call call = {pool, 18, 0};
        cns_future *future;
        support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, fib, &call, &future));
        ck_assert_int_eq(cns_future_await(future), CNS_OK);
        ck_assert_int_eq(call.value, 2584);
        cns_future_release(future);
        fib_call outside = {pool, 12, 0}; /* from a thread that is no member */
        ck_assert_int_eq(fib(&outside, NULL), CNS_OK);
        ck_assert_int_eq(outside.value, 144);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

typedef struct chain_link {
    cns_future *before;
    int64_t depth;
} chain_link;

static cns_status await_link(void *user, cns_cancel *cancel) {
    (void)cancel;
    chain_link *link = user;
    return link->before ? cns_future_await(link->before) : CNS_OK;
}

typedef struct chain_call {
    cns_tasks *pool;
    chain_link *links;
    cns_future **futures;
    int length;
} chain_call;

/* From a worker, so that the newest is taken first and every wait nests in the one before. */
static cns_status run_chain(void *user, cns_cancel *cancel) {
    (void)cancel;
    chain_call *call = user;
    for (int i = 0; i < call->length; i++) {
        call->links[i].before = i ? call->futures[i - 1] : NULL;
        cns_status status =
            cns_tasks_spawn(call->pool, NULL, await_link, &call->links[i], &call->futures[i]);
        if (status != CNS_OK) {
            return status;
        }
    }
    return cns_future_await(call->futures[call->length - 1]);
}

START_TEST(a_long_chain_of_waits_does_not_overflow_the_stack) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 1 + (uint32_t)_i);
    enum { LENGTH = 3000 };
    static chain_link links[LENGTH];
    static cns_future *futures[LENGTH];
    chain_call call = {pool, links, futures, LENGTH};
    cns_future *future;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, run_chain, &call, &future));
    support_status(context, CNS_OK, cns_future_await(future));
    cns_future_release(future);
    for (int i = 0; i < LENGTH; i++) {
        ck_assert_int_eq(cns_future_await(futures[i]), CNS_OK);
        cns_future_release(futures[i]);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

typedef struct knot {
    cns_future *_Atomic other;
    event ready;
} knot;

static cns_status await_other(void *user, cns_cancel *cancel) {
    (void)cancel;
    knot *k = user;
    event_wait(&k->ready);
    return cns_future_await(atomic_load(&k->other));
}

START_TEST(tasks_that_wait_for_each_other_are_told) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    knot a, b;
    event_init(&a.ready);
    event_init(&b.ready);
    cns_spawn_options options = {.size = sizeof options, .external = 1};
    cns_future *fa, *fb;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, &options, await_other, &a, &fa));
    support_status(context, CNS_OK, cns_tasks_spawn(pool, &options, await_other, &b, &fb));
    atomic_store(&a.other, fb);
    atomic_store(&b.other, fa);
    event_set(&a.ready);
    event_set(&b.ready);
    ck_assert_int_eq(cns_future_await(fa), CNS_E_INVALID);
    ck_assert_int_eq(cns_future_await(fb), CNS_E_INVALID);
    cns_future_release(fa);
    cns_future_release(fb);
    knot self;
    event_init(&self.ready);
    cns_future *fs;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, &options, await_other, &self, &fs));
    atomic_store(&self.other, fs);
    event_set(&self.ready);
    ck_assert_int_eq(cns_future_await(fs), CNS_E_INVALID);
    cns_future_release(fs);
    cns_tasks_destroy(pool);
    event_deinit(&a.ready);
    event_deinit(&b.ready);
    event_deinit(&self.ready);
    support_context_destroy(context);
}
END_TEST

/* ---- loops ---------------------------------------------------------------------------------- */

typedef struct marks {
    _Atomic uint8_t *seen;
    int64_t base;
    int64_t grain;
    int64_t fail_at; /* -1: nowhere */
    _Atomic int64_t calls;
} marks;

static cns_status mark_range(void *user, int64_t begin, int64_t end) {
    marks *m = user;
    atomic_fetch_add(&m->calls, 1);
    if (begin >= end || (m->grain && (uint64_t)end - (uint64_t)begin > (uint64_t)m->grain)) {
        return CNS_E_RANGE;
    }
    for (int64_t i = begin; i < end; i++) {
        atomic_fetch_add(&m->seen[i - m->base], 1);
    }
    return m->fail_at >= begin && m->fail_at < end ? CNS_E_FAILED : CNS_OK;
}

static int most_seen(const _Atomic uint8_t *seen, int64_t count) {
    int most = 0;
    for (int64_t i = 0; i < count; i++) {
        int times = atomic_load_explicit(&seen[i], memory_order_relaxed);
        most = times > most ? times : most;
    }
    return most;
}

static int64_t total_seen(const _Atomic uint8_t *seen, int64_t count) {
    int64_t total = 0;
    for (int64_t i = 0; i < count; i++) {
        total += atomic_load_explicit(&seen[i], memory_order_relaxed);
    }
    return total;
}

START_TEST(a_loop_covers_its_range_once) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    cns_rng rng;
    cns_rng_seed(&rng, 7);
    enum { MOST = 20000 };
    static _Atomic uint8_t seen[MOST];
    for (int round = 0; round < 60 * SCALE; round++) {
        memset(seen, 0, sizeof seen);
        int64_t count = (int64_t)cns_rng_below(&rng, round % 2 ? 10 : MOST);
        int64_t bases[] = {0, -5000, INT64_MAX - count, INT64_MIN};
        marks m = {.seen = seen, .base = bases[round % 4], .fail_at = -1};
        m.grain = round % 3 ? (int64_t)cns_rng_below(&rng, 300) : 0;
        m.fail_at = m.base > 0 ? -1 : INT64_MAX; /* outside the range */
        cns_loop_options options = {.size = sizeof options, .grain = m.grain};
        options.priority = (cns_priority)(round % 3);
        support_status(context, CNS_OK,
                       cns_tasks_for(pool, &options, m.base, m.base + count, mark_range, &m));
        ck_assert_int_eq(most_seen(seen, count), count ? 1 : 0);
        ck_assert_int_eq(total_seen(seen, count), count);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

typedef struct crowd {
    cns_tasks *pool;
    uint32_t width;
    _Atomic uint32_t inside, most;
    uint64_t end; /* of the wait for all of them */
} crowd;

/* Stays until as many threads are inside at once as the loop is to have. */
static cns_status crowd_in(void *user, int64_t begin, int64_t end) {
    (void)begin;
    (void)end;
    crowd *c = user;
    uint32_t inside = atomic_fetch_add(&c->inside, 1) + 1;
    uint32_t most = atomic_load(&c->most);
    while (inside > most && !atomic_compare_exchange_weak(&c->most, &most, inside)) {
    }
    while (atomic_load(&c->most) < c->width && cns_os_clock() < c->end) {
        cns_os_thread_yield();
    }
    atomic_fetch_sub(&c->inside, 1);
    return CNS_OK;
}

static cns_status gather_crowd(void *user, cns_cancel *cancel) {
    (void)cancel;
    crowd *c = user;
    cns_loop_options options = {.size = sizeof options, .grain = 1};
    c->width = cns_team_width(c->pool);
    c->end = cns_os_clock() + UINT64_C(60000000000);
    return cns_tasks_for(c->pool, &options, 0, 64, crowd_in, c);
}

/* An outside thread takes a worker's place, but does not leave a pool's only worker idle. */
START_TEST(a_loop_has_as_many_threads_as_the_pool) {
    static const uint32_t from_outside[] = {2, 2, 32};
    uint32_t workers = worker_counts[_i];
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, workers);
    crowd outside = {.pool = pool};
    ck_assert_int_eq(gather_crowd(&outside, NULL), CNS_OK);
    ck_assert_uint_eq(outside.width, from_outside[_i]);
    ck_assert_uint_eq(atomic_load(&outside.most), outside.width);

    crowd inside = {.pool = pool};
    cns_spawn_options options = {.size = sizeof options, .external = 1}; /* on a worker */
    cns_future *future;
    support_status(context, CNS_OK,
                   cns_tasks_spawn(pool, &options, gather_crowd, &inside, &future));
    ck_assert_int_eq(cns_future_await_for(future, UINT64_C(100000000000)), CNS_OK);
    ck_assert_uint_eq(inside.width, workers);
    ck_assert_uint_eq(atomic_load(&inside.most), inside.width);
    cns_future_release(future);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static cns_status nothing(void *user, int64_t begin, int64_t end) {
    (void)begin;
    (void)end;
    return user ? CNS_E_DEADLINE : CNS_OK;
}

START_TEST(absurd_ranges_and_grains_end) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    cns_loop_options options = {.size = sizeof options, .grain = INT64_MAX};
    support_status(context, CNS_OK,
                   cns_tasks_for(pool, &options, INT64_MIN, INT64_MAX, nothing, NULL));
    options.grain = INT64_C(1) << 45;
    support_status(context, CNS_OK,
                   cns_tasks_for(pool, &options, INT64_MIN, INT64_MAX, nothing, NULL));
    support_status(context, CNS_OK, cns_tasks_for(pool, NULL, 5, 5, nothing, pool));
    support_status(context, CNS_OK, cns_tasks_for(pool, NULL, INT64_MAX, INT64_MIN, nothing, pool));
    support_status(context, CNS_OK, cns_tasks_for(pool, NULL, INT64_MIN, INT64_MAX, nothing, NULL));
    options.grain = 1; /* 2^63 parts: it stops at the first */
    support_status(context, CNS_E_DEADLINE,
                   cns_tasks_for(pool, &options, 0, INT64_MAX, nothing, pool));
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(a_failing_part_stops_the_loop) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    enum { COUNT = 100000 };
    static _Atomic uint8_t seen[COUNT];
    for (int round = 0; round < 50; round++) {
        memset(seen, 0, sizeof seen);
        marks m = {.seen = seen, .fail_at = round * 37};
        cns_loop_options options = {.size = sizeof options, .grain = 10};
        ck_assert_int_eq(cns_tasks_for(pool, &options, 0, COUNT, mark_range, &m), CNS_E_FAILED);
        ck_assert_int_eq(most_seen(seen, COUNT), 1);
        ck_assert_int_gt(total_seen(seen, COUNT), 0);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

typedef struct nest {
    cns_tasks *pool;
    int level;
    _Atomic int64_t *leaves;
} nest;

static cns_status nest_range(void *user, int64_t begin, int64_t end) {
    const nest *n = user;
    for (int64_t i = begin; i < end; i++) {
        if (n->level == 0) {
            atomic_fetch_add(n->leaves, 1);
            continue;
        }
        nest inner = {n->pool, n->level - 1, n->leaves};
        cns_loop_options options = {.size = sizeof options, .grain = 1};
        cns_status status = cns_tasks_for(n->pool, &options, 0, 6, nest_range, &inner);
        if (status != CNS_OK) {
            return status;
        }
    }
    return CNS_OK;
}

static cns_status nest_task(void *user, cns_cancel *cancel) {
    (void)cancel;
    return nest_range(user, 0, 2);
}

START_TEST(loops_nest_four_deep_inside_tasks) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    for (int round = 0; round < 2 * SCALE; round++) {
        _Atomic int64_t leaves = 0;
        nest n = {pool, 4, &leaves};
        cns_future *futures[4];
        for (int i = 0; i < 4; i++) {
            support_status(context, CNS_OK,
                           cns_tasks_spawn(pool, NULL, nest_task, &n, &futures[i]));
        }
        ck_assert_int_eq(nest_range(&n, 0, 1), CNS_OK);
        for (int i = 0; i < 4; i++) {
            ck_assert_int_eq(cns_future_await(futures[i]), CNS_OK);
            cns_future_release(futures[i]);
        }
        ck_assert_int_eq(atomic_load(&leaves), 9 * 1296);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(the_executor_runs_loops) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    cns_executor executor;
    cns_tasks_executor(pool, &executor);
    ck_assert_uint_eq(executor.workers, 2);
    static _Atomic uint8_t seen[1000];
    marks m = {.seen = seen, .fail_at = -1, .grain = 7};
    ck_assert_int_eq(executor.parallel_for(executor.pool, 0, 1000, 7, mark_range, &m), CNS_OK);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(atomic_load(&seen[i]), 1);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* ---- reductions ----------------------------------------------------------------------------- */

static cns_status fold_sum(void *user, int64_t begin, int64_t end, void *accumulator) {
    const double *values = user;
    double sum = *(double *)accumulator;
    for (int64_t i = begin; i < end; i++) {
        sum += values[i];
    }
    *(double *)accumulator = sum;
    return CNS_OK;
}

static cns_status combine_sum(void *user, void *accumulator, const void *other) {
    (void)user;
    *(double *)accumulator += *(const double *)other;
    return CNS_OK;
}

START_TEST(floating_point_sums_do_not_depend_on_the_workers) {
    cns_context *context = support_context();
    enum { COUNT = 200000 };
    double *values = malloc(COUNT * sizeof *values);
    cns_rng rng;
    cns_rng_seed(&rng, 11);
    for (int i = 0; i < COUNT; i++) {
        values[i] = (double)(int64_t)cns_rng_next(&rng) * (i % 3 ? 1e-10 : 1e3);
    }
    static const int64_t counts[] = {0, 1, 2, 1023, 1024, 1025, 77777, COUNT};
    static const int64_t grains[] = {0, 1, 7, 1000, 1 << 20};
    static double expected[8][5];
    for (int w = 0; w < WORKER_COUNTS; w++) {
        cns_tasks *pool = make_pool(context, worker_counts[w]);
        for (int repeat = 0; repeat < 3; repeat++) {
            for (int c = 0; c < 8; c++) {
                for (int g = 0; g < 5; g++) {
                    cns_loop_options options = {.size = sizeof options, .grain = grains[g]};
                    double zero = 0, sum = -1;
                    support_status(context, CNS_OK,
                                   cns_tasks_reduce(pool, &options, 0, counts[c], &zero,
                                                    sizeof zero, fold_sum, combine_sum, values,
                                                    &sum));
                    if (w == 0 && repeat == 0) {
                        expected[c][g] = sum;
                    }
                    ck_assert(memcmp(&sum, &expected[c][g], sizeof sum) == 0);
                }
            }
        }
        cns_tasks_destroy(pool);
    }
    free(values);
    support_context_destroy(context);
}
END_TEST

/* Strings under concatenation do not commute: the order of the elements shows. */
typedef struct span {
    int64_t begin, end; /* begin == end: empty */
} span;

static cns_status fold_span(void *user, int64_t begin, int64_t end, void *accumulator) {
    (void)user;
    span *s = accumulator;
    if (s->begin != s->end) {
        return CNS_E_CORRUPT; /* not the identity */
    }
    *s = (span){begin, end};
    return CNS_OK;
}

static cns_status combine_span(void *user, void *accumulator, const void *other) {
    span *a = accumulator;
    const span *b = other;
    (void)user;
    if (a->end != b->begin) {
        return CNS_E_CORRUPT;
    }
    a->end = b->end;
    return CNS_OK;
}

static cns_status fold_fails(void *user, int64_t begin, int64_t end, void *accumulator) {
    (void)accumulator;
    (void)user;
    return begin <= 5000 && end > 5000 ? CNS_E_FAILED : CNS_OK;
}

START_TEST(reductions_keep_the_order) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    for (int64_t count = 1; count < 5000000; count = count * 3 + 1) {
        for (int64_t grain = 0; grain < 5; grain++) {
            cns_loop_options options = {.size = sizeof options, .grain = grain * 17};
            span identity = {0, 0}, result = {0, 0};
            support_status(context, CNS_OK,
                           cns_tasks_reduce(pool, &options, -7, count, &identity, sizeof identity,
                                            fold_span, combine_span, NULL, &result));
            ck_assert_int_eq(result.begin, -7);
            ck_assert_int_eq(result.end, count);
        }
    }
    span identity = {0, 0}, result = {3, 4};
    ck_assert_int_eq(cns_tasks_reduce(pool, NULL, 0, 100000, &identity, sizeof identity, fold_fails,
                                      combine_span, NULL, &result),
                     CNS_E_FAILED);
    ck_assert_int_eq(result.begin, 3);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* ---- cancellation --------------------------------------------------------------------------- */

START_TEST(tokens_nest_and_latch) {
    cns_context *context = support_context();
    cns_cancel *parent, *child, *sibling;
    support_status(context, CNS_OK, cns_cancel_create(context, NULL, &parent));
    support_status(context, CNS_OK, cns_cancel_create(context, parent, &child));
    support_status(context, CNS_OK, cns_cancel_create(context, parent, &sibling));
    ck_assert_int_eq(cns_cancel_poll(child), CNS_OK);
    cns_cancel_request(child);
    ck_assert_int_eq(cns_cancel_poll(child), CNS_E_CANCELLED);
    ck_assert_int_eq(cns_cancel_poll(parent), CNS_OK);
    cns_cancel_after(sibling, UINT64_MAX);
    ck_assert_int_eq(cns_cancel_poll(sibling), CNS_OK);
    cns_cancel_after(parent, 1);
    cns_os_sleep(1000);
    ck_assert_int_eq(cns_cancel_poll(sibling), CNS_E_DEADLINE);
    cns_cancel_after(parent, 0);
    ck_assert_int_eq(cns_cancel_poll(parent), CNS_E_DEADLINE);
    cns_cancel_request(parent);
    ck_assert_int_eq(cns_cancel_poll(parent), CNS_E_DEADLINE);
    cns_cancel_release(parent);
    ck_assert_int_eq(cns_cancel_poll(sibling), CNS_E_DEADLINE);
    cns_cancel_retain(sibling);
    cns_cancel_release(sibling);
    cns_cancel_release(sibling);
    cns_cancel_release(child);
    support_context_destroy(context);
}
END_TEST

typedef struct spin_call {
    event *begun;
    _Atomic int64_t finalized;
} spin_call;

static cns_status spin_until_cancelled(void *user, cns_cancel *cancel) {
    spin_call *call = user;
    event_set(call->begun);
    cns_status status;
    while ((status = cns_cancel_poll(cancel)) == CNS_OK) {
        cns_os_thread_yield();
    }
    return status;
}

static void spin_finalize(void *user) {
    atomic_fetch_add(&((spin_call *)user)->finalized, 1);
}

START_TEST(cancellation_before_and_during) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    for (int round = 0; round < 50; round++) {
        cns_cancel *cancel;
        support_status(context, CNS_OK, cns_cancel_create(context, NULL, &cancel));
        event begun;
        event_init(&begun);
        spin_call call = {&begun, 0};
        cns_spawn_options options = {
            .size = sizeof options, .cancel = cancel, .finalize = spin_finalize, .external = 1};
        cns_future *running, *late;
        support_status(context, CNS_OK,
                       cns_tasks_spawn(pool, &options, spin_until_cancelled, &call, &running));
        event_wait(&begun);
        if (round % 2) {
            cns_cancel_request(cancel);
        } else {
            cns_cancel_after(cancel, 100000);
        }
        cns_status expected = round % 2 ? CNS_E_CANCELLED : CNS_E_DEADLINE;
        ck_assert_int_eq(cns_future_await(running), expected);
        options.finalize = count_finalize;
        _Atomic int64_t n = 0;
        support_status(context, CNS_OK, cns_tasks_spawn(pool, &options, add_one, &n, &late));
        cns_cancel_release(cancel);
        ck_assert_int_eq(cns_future_await(late), expected);
        ck_assert_int_eq(atomic_load(&n), 1); /* finalized, not run */
        ck_assert_int_eq(atomic_load(&call.finalized), 1);
        cns_future_release(running);
        cns_future_release(late);
        event_deinit(&begun);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

typedef struct cancelling_loop {
    cns_cancel *cancel;
    _Atomic int64_t parts;
} cancelling_loop;

static cns_status cancel_in_part(void *user, int64_t begin, int64_t end) {
    (void)end;
    cancelling_loop *l = user;
    atomic_fetch_add(&l->parts, 1);
    if (begin == 0) {
        cns_cancel_request(l->cancel);
    }
    return CNS_OK;
}

START_TEST(a_loop_stops_when_cancelled) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    cancelling_loop l = {NULL, 0};
    support_status(context, CNS_OK, cns_cancel_create(context, NULL, &l.cancel));
    cns_loop_options options = {.size = sizeof options, .cancel = l.cancel, .grain = 1};
    ck_assert_int_eq(cns_tasks_for(pool, &options, 0, INT64_C(1) << 40, cancel_in_part, &l),
                     CNS_E_CANCELLED);
    atomic_store(&l.parts, 0);
    ck_assert_int_eq(cns_tasks_for(pool, &options, 0, 1000, cancel_in_part, &l), CNS_E_CANCELLED);
    ck_assert_int_eq(atomic_load(&l.parts), 0);
    double zero = 0, sum = 5;
    ck_assert_int_eq(cns_tasks_reduce(pool, &options, 0, 100, &zero, sizeof zero, fold_sum,
                                      combine_sum, NULL, &sum),
                     CNS_E_CANCELLED);
    ck_assert(sum == 5);
    cns_cancel_release(l.cancel);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* ---- shutdown ------------------------------------------------------------------------------- */

static cns_status spawn_more(void *user, cns_cancel *cancel);

typedef struct churn {
    cns_tasks *pool;
    _Atomic int64_t ran, finalized, spawned;
} churn;

static void churn_finalize(void *user) {
    atomic_fetch_add(&((churn *)user)->finalized, 1);
}

static void churn_spawn(churn *c, cns_future **out) {
    cns_spawn_options options = {.size = sizeof options, .finalize = churn_finalize};
    options.priority = (cns_priority)(atomic_load(&c->spawned) % 3);
    options.external = atomic_load(&c->spawned) % 5 == 0;
    if (cns_tasks_spawn(c->pool, &options, spawn_more, c, out) == CNS_OK) {
        atomic_fetch_add(&c->spawned, 1);
    } else if (out) {
        *out = NULL;
    }
}

static cns_status spawn_more(void *user, cns_cancel *cancel) {
    (void)cancel;
    churn *c = user;
    atomic_fetch_add(&c->ran, 1);
    churn_spawn(c, NULL);
    cns_future *future;
    churn_spawn(c, &future);
    if (future) {
        cns_status status = cns_future_await_for(future, 0);
        cns_future_release(future);
        return status == CNS_E_BUSY ? CNS_OK : status;
    }
    return CNS_OK;
}

START_TEST(shutdown_with_work_in_flight) {
    cns_context *context = support_context();
    for (int round = 0; round < 250 * SCALE; round++) {
        cns_tasks *pool = make_pool(context, 1 + (uint32_t)round % 4);
        churn c = {pool, 0, 0, 0};
        enum { COUNT = 16 };
        cns_future *futures[COUNT];
        for (int i = 0; i < COUNT; i++) {
            churn_spawn(&c, &futures[i]);
        }
        cns_tasks_destroy(pool);
        for (int i = 0; i < COUNT; i++) { /* futures outlive the pool */
            cns_status status = cns_future_await(futures[i]);
            ck_assert(status == CNS_OK || status == CNS_E_CANCELLED);
            cns_future_release(futures[i]);
        }
        ck_assert_int_eq(atomic_load(&c.spawned), atomic_load(&c.finalized));
        ck_assert_int_le(atomic_load(&c.ran), atomic_load(&c.finalized));
    }
    support_context_destroy(context);
}
END_TEST

START_TEST(destroy_cancels_what_has_not_begun) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 1);
    event e;
    event_init(&e);
    cns_future *blocker, *waiting;
    cns_spawn_options options = {.size = sizeof options, .finalize = count_finalize};
    support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, wait_for_event, &e, &blocker));
    _Atomic int64_t n = 0;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, &options, add_one, &n, &waiting));
    /* Destroy blocks until the event is set: set it from outside a little later. */
    cns_os_thread setter;
    ck_assert_int_eq(cns_os_thread_create(&setter, (void (*)(void *))event_set, &e, NULL, 0), 0);
    cns_tasks_destroy(pool);
    cns_os_thread_join(&setter);
    cns_status status = cns_future_await(waiting);
    ck_assert(status == CNS_OK || status == CNS_E_CANCELLED);
    ck_assert_int_eq(atomic_load(&n), status == CNS_OK ? 2 : 1);
    cns_status first = cns_future_await(blocker);
    ck_assert(first == CNS_OK || first == CNS_E_CANCELLED);
    cns_future_release(blocker);
    cns_future_release(waiting);
    event_deinit(&e);
    support_context_destroy(context);
}
END_TEST

static cns_status destroy_own_pool(void *user, cns_cancel *cancel) {
    (void)cancel;
    cns_tasks_destroy(user);
    return CNS_OK;
}

START_TEST(destroy_from_a_worker_is_refused) {
    cns_context *context = NULL; /* no sink: the complaint is expected */
    ck_assert_int_eq(cns_context_create(NULL, &context), CNS_OK);
    cns_tasks *pool = make_pool(context, 1);
    cns_future *future;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, destroy_own_pool, pool, &future));
    ck_assert_int_eq(cns_future_await(future), CNS_OK);
    cns_future_release(future);
    _Atomic int64_t n = 0;
    support_status(context, CNS_OK, cns_tasks_spawn(pool, NULL, add_one, &n, &future));
    ck_assert_int_eq(cns_future_await(future), CNS_OK);
    cns_future_release(future);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

/* ---- several threads, several pools --------------------------------------------------------- */

typedef struct outsider {
    cns_tasks *pool;
    int rounds;
    _Atomic int64_t sum;
    cns_status status;
    cns_os_thread thread;
} outsider;

static void spawn_from_outside(void *raw) {
    outsider *o = raw;
    for (int i = 0; i < o->rounds && o->status == CNS_OK; i++) {
        cns_future *futures[8];
        for (int k = 0; k < 8; k++) {
            cns_spawn_options options = {.size = sizeof options, .priority = (cns_priority)(k % 3)};
            o->status = cns_tasks_spawn(o->pool, &options, add_one, &o->sum, &futures[k]);
        }
        fib_call call = {o->pool, 6, 0};
        if (fib(&call, NULL) != CNS_OK || call.value != 8) {
            o->status = CNS_E_CORRUPT;
        }
        for (int k = 0; k < 8; k++) {
            cns_status status = cns_future_await(futures[k]);
            o->status = status == CNS_OK ? o->status : status;
            cns_future_release(futures[k]);
        }
    }
}

static void run_outsiders(cns_tasks **pools, int pool_count, int threads, int rounds) {
    outsider *all = calloc((size_t)threads, sizeof *all);
    for (int i = 0; i < threads; i++) {
        all[i].pool = pools[i % pool_count];
        all[i].rounds = rounds;
        ck_assert_int_eq(cns_os_thread_create(&all[i].thread, spawn_from_outside, &all[i], NULL, 0),
                         0);
    }
    for (int i = 0; i < threads; i++) {
        cns_os_thread_join(&all[i].thread);
        ck_assert_int_eq(all[i].status, CNS_OK);
        ck_assert_int_eq(atomic_load(&all[i].sum), rounds * 8);
    }
    free(all);
}

START_TEST(many_outside_threads) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    run_outsiders(&pool, 1, 48, 20 * SCALE); /* more than there are slots for helpers */
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(two_pools_on_two_threads) {
    cns_context *first = support_context();
    cns_context *second = support_context();
    cns_tasks *pools[] = {make_pool(first, 2), make_pool(second, 2)};
    run_outsiders(pools, 2, 2, 200 * SCALE);
    cns_tasks_destroy(pools[0]);
    cns_tasks_destroy(pools[1]);
    support_context_destroy(first);
    support_context_destroy(second);
}
END_TEST

typedef struct hooks {
    _Atomic int64_t started, stopped;
    _Atomic uint64_t mask;
} hooks;

static void on_start(void *user, uint32_t worker) {
    atomic_fetch_add(&((hooks *)user)->started, 1);
    atomic_fetch_or(&((hooks *)user)->mask, UINT64_C(1) << worker);
}

static void on_stop(void *user, uint32_t worker) {
    (void)worker;
    atomic_fetch_add(&((hooks *)user)->stopped, 1);
}

START_TEST(worker_hooks_run_once_each) {
    cns_context *context = support_context();
    hooks h = {0, 0, 0};
    cns_tasks_config config = {.size = sizeof config,
                               .workers = 5,
                               .worker_start = on_start,
                               .worker_stop = on_stop,
                               .user = &h,
                               .name = "a rather long name",
                               .stack_size = 256 << 10};
    cns_tasks *pool;
    support_status(context, CNS_OK, cns_tasks_create(context, &config, &pool));
    cns_tasks_destroy(pool);
    ck_assert_int_eq(atomic_load(&h.started), 5);
    ck_assert_int_eq(atomic_load(&h.stopped), 5);
    ck_assert_uint_eq(atomic_load(&h.mask), 31);
    support_context_destroy(context);
}
END_TEST

/* ---- allocation failures -------------------------------------------------------------------- */

static cns_status use_everything(cns_context *context) {
    cns_tasks_config config = {.size = sizeof config, .workers = 20};
    cns_tasks *pool;
    cns_status status = cns_tasks_create(context, &config, &pool);
    if (status != CNS_OK) {
        return status;
    }
    cns_cancel *cancel = NULL;
    status = cns_cancel_create(context, NULL, &cancel);
    for (int i = 0; status == CNS_OK && i < 100; i++) {
        _Atomic int64_t n = 0;
        cns_future *future;
        cns_spawn_options options = {.size = sizeof options, .cancel = cancel};
        status = cns_tasks_spawn(pool, &options, add_one, &n, &future);
        if (status == CNS_OK) {
            status = cns_future_await(future);
            cns_future_release(future);
        }
    }
    if (status == CNS_OK) {
        cns_loop_options options = {.size = sizeof options, .grain = 1};
        status = cns_tasks_for(pool, &options, 0, 100, nothing, NULL);
    }
    if (status == CNS_OK) {
        span identity = {0, 0}, result;
        status = cns_tasks_reduce(pool, NULL, 0, 5000, &identity, sizeof identity, fold_span,
                                  combine_span, NULL, &result);
    }
    cns_cancel_release(cancel);
    cns_tasks_destroy(pool);
    return status;
}

START_TEST(failing_allocations_leave_nothing_behind) {
    support_each_allocation_fails(use_everything);
}
END_TEST

static void add_tests(TCase *cases) {
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_loop_test(cases, every_task_is_over_once_when_the_pool_is_gone, 0, WORKER_COUNTS);
    tcase_add_loop_test(cases, await_gives_the_status, 0, WORKER_COUNTS);
    tcase_add_test(cases, await_for_gives_up_in_time);
    tcase_add_test(cases, external_tasks_run_on_workers_only);
    tcase_add_test(cases, a_task_that_awaits_an_external_one_does_not_block_its_only_worker);
    tcase_add_loop_test(cases, fib_forks_and_joins, 0, WORKER_COUNTS);
    tcase_add_loop_test(cases, a_long_chain_of_waits_does_not_overflow_the_stack, 0, 2);
    tcase_add_test(cases, tasks_that_wait_for_each_other_are_told);
    tcase_add_loop_test(cases, a_loop_covers_its_range_once, 0, WORKER_COUNTS);
    tcase_add_loop_test(cases, a_loop_has_as_many_threads_as_the_pool, 0, WORKER_COUNTS);
    tcase_add_test(cases, absurd_ranges_and_grains_end);
    tcase_add_loop_test(cases, a_failing_part_stops_the_loop, 0, WORKER_COUNTS);
    tcase_add_loop_test(cases, loops_nest_four_deep_inside_tasks, 0, WORKER_COUNTS);
    tcase_add_test(cases, the_executor_runs_loops);
    tcase_add_test(cases, floating_point_sums_do_not_depend_on_the_workers);
    tcase_add_loop_test(cases, reductions_keep_the_order, 0, WORKER_COUNTS);
    tcase_add_test(cases, tokens_nest_and_latch);
    tcase_add_loop_test(cases, cancellation_before_and_during, 0, WORKER_COUNTS);
    tcase_add_loop_test(cases, a_loop_stops_when_cancelled, 0, WORKER_COUNTS);
    tcase_add_test(cases, shutdown_with_work_in_flight);
    tcase_add_test(cases, destroy_cancels_what_has_not_begun);
    tcase_add_test(cases, destroy_from_a_worker_is_refused);
    tcase_add_loop_test(cases, many_outside_threads, 0, WORKER_COUNTS);
    tcase_add_test(cases, two_pools_on_two_threads);
    tcase_add_test(cases, worker_hooks_run_once_each);
    tcase_add_test(cases, failing_allocations_leave_nothing_behind);
}

int main(void) {
    Suite *suite = suite_create("tasks");
    TCase *cases = tcase_create("tasks");
    tcase_set_timeout(cases, 120);
    add_tests(cases);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
