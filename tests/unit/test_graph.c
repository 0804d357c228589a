/* SPDX-License-Identifier: MIT
 *
 * test_graph.c - task graphs: order against the edges themselves, cycles, errors, reuse.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cns/tasks.h"
#include "support.h"

static cns_tasks *make_pool(cns_context *context, uint32_t workers) {
    cns_tasks_config config = {.size = sizeof config, .workers = workers};
    cns_tasks *pool = NULL;
    support_status(context, CNS_OK, cns_tasks_create(context, &config, &pool));
    return pool;
}

enum { NODES_MAX = 300, EDGES_MAX = 2000 };

typedef struct stamp {
    _Atomic uint32_t *clock;
    _Atomic uint32_t begun, ended, runs;
    cns_status status;
} stamp;

static cns_status take_stamp(void *user, cns_cancel *cancel) {
    (void)cancel;
    stamp *s = user;
    atomic_store(&s->begun, atomic_fetch_add(s->clock, 1) + 1);
    atomic_fetch_add(&s->runs, 1);
    atomic_store(&s->ended, atomic_fetch_add(s->clock, 1) + 1);
    return s->status;
}

typedef struct dag {
    cns_graph *graph;
    stamp nodes[NODES_MAX];
    uint32_t edges[EDGES_MAX][2]; /* after, before */
    uint32_t node_count, edge_count;
    _Atomic uint32_t clock;
} dag;

/* Edges run along a random permutation, so that node numbers say nothing about the order. */
static void build(dag *d, cns_context *context, cns_rng *rng) {
    uint32_t place[NODES_MAX];
    memset(d, 0, sizeof *d);
    d->node_count = 1 + (uint32_t)cns_rng_below(rng, NODES_MAX);
    d->edge_count = (uint32_t)cns_rng_below(rng, EDGES_MAX);
    support_status(context, CNS_OK, cns_graph_create(context, &d->graph));
    for (uint32_t i = 0; i < d->node_count; i++) {
        uint32_t other = (uint32_t)cns_rng_below(rng, i + 1);
        place[i] = i;
        place[i] = place[other];
        place[other] = i;
        d->nodes[i].clock = &d->clock;
        uint32_t node;
        support_status(context, CNS_OK,
                       cns_graph_add(d->graph, take_stamp, &d->nodes[i],
                                     (cns_priority)cns_rng_below(rng, 3), &node));
        ck_assert_uint_eq(node, i);
    }
    ck_assert_uint_eq(cns_graph_count(d->graph), d->node_count);
    for (uint32_t e = 0; e < d->edge_count; e++) {
        uint32_t a = (uint32_t)cns_rng_below(rng, d->node_count);
        uint32_t b = (uint32_t)cns_rng_below(rng, d->node_count);
        if (a == b) {
            d->edge_count = e;
            break;
        }
        d->edges[e][0] = place[a > b ? a : b];
        d->edges[e][1] = place[a > b ? b : a];
        support_status(context, CNS_OK, cns_graph_depend(d->graph, d->edges[e][0], d->edges[e][1]));
    }
}

static void check_order(dag *d) {
    for (uint32_t i = 0; i < d->node_count; i++) {
        ck_assert_uint_eq(atomic_load(&d->nodes[i].runs), 1);
        atomic_store(&d->nodes[i].runs, 0);
    }
    for (uint32_t e = 0; e < d->edge_count; e++) {
        ck_assert_uint_gt(atomic_load(&d->nodes[d->edges[e][0]].begun),
                          atomic_load(&d->nodes[d->edges[e][1]].ended));
    }
}

static const uint32_t worker_counts[] = {1, 2, 32};

START_TEST(random_graphs_run_in_order) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, worker_counts[_i]);
    static dag d;
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    for (int round = 0; round < 40; round++) {
        build(&d, context, &rng);
        for (int again = 0; again < 3; again++) {
            support_status(context, CNS_OK, cns_graph_run(d.graph, pool, NULL));
            check_order(&d);
        }
        cns_graph_destroy(d.graph);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(an_error_stops_what_has_not_begun) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    static dag d;
    cns_rng rng;
    cns_rng_seed(&rng, 6);
    for (int round = 0; round < 60; round++) {
        build(&d, context, &rng);
        uint32_t bad = (uint32_t)cns_rng_below(&rng, d.node_count);
        d.nodes[bad].status = CNS_E_IO;
        support_status(context, CNS_E_IO, cns_graph_run(d.graph, pool, NULL));
        ck_assert_uint_eq(atomic_load(&d.nodes[bad].runs), 1);
        for (uint32_t e = 0; e < d.edge_count; e++) {
            ck_assert_uint_le(atomic_load(&d.nodes[d.edges[e][0]].runs), 1);
            if (d.edges[e][1] == bad) {
                ck_assert_uint_eq(atomic_load(&d.nodes[d.edges[e][0]].runs), 0);
            }
        }
        cns_graph_destroy(d.graph);
    }
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

START_TEST(cycles_are_named) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 1);
    static dag d;
    cns_graph *graph;
    support_status(context, CNS_OK, cns_graph_create(context, &graph));
    support_status(context, CNS_OK, cns_graph_run(graph, pool, NULL)); /* empty */
    d.nodes[0].clock = &d.clock;
    for (int i = 0; i < 6; i++) {
        support_status(context, CNS_OK,
                       cns_graph_add(graph, take_stamp, &d.nodes[0], CNS_PRIORITY_NORMAL, NULL));
    }
    ck_assert_int_eq(cns_graph_depend(graph, 6, 0), CNS_E_INVALID);
    ck_assert_int_eq(cns_graph_depend(graph, 0, UINT32_MAX), CNS_E_INVALID);
    static const uint32_t edges[][2] = {{1, 0}, {2, 1}, {3, 2}, {1, 3}, {5, 3}, {4, 5}};
    for (int i = 0; i < 6; i++) {
        support_status(context, CNS_OK, cns_graph_depend(graph, edges[i][0], edges[i][1]));
    }
    ck_assert_int_eq(cns_graph_run(graph, pool, NULL), CNS_E_INVALID);
    char message[256];
    cns_context_message(context, message, sizeof message);
    ck_assert_msg(strstr(message, "cycle") && strstr(message, "2 after 1") &&
                      strstr(message, "3 after 2") && !strstr(message, "5"),
                  "%s", message);
    ck_assert_uint_eq(atomic_load(&d.nodes[0].runs), 0);
    cns_graph_destroy(graph);
    support_status(context, CNS_OK, cns_graph_create(context, &graph));
    support_status(context, CNS_OK,
                   cns_graph_add(graph, take_stamp, &d.nodes[0], CNS_PRIORITY_NORMAL, NULL));
    support_status(context, CNS_OK, cns_graph_depend(graph, 0, 0));
    ck_assert_int_eq(cns_graph_run(graph, pool, NULL), CNS_E_INVALID);
    cns_graph_destroy(graph);
    cns_graph_destroy(NULL);
    ck_assert_int_eq(cns_graph_add(NULL, take_stamp, NULL, CNS_PRIORITY_LOW, NULL), CNS_E_INVALID);
    ck_assert_int_eq(cns_graph_run(NULL, pool, NULL), CNS_E_INVALID);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

typedef struct rerun {
    cns_graph *graph;
    cns_tasks *pool;
    cns_status inner, add;
} rerun;

static cns_status run_itself(void *user, cns_cancel *cancel) {
    (void)cancel;
    rerun *r = user;
    r->inner = cns_graph_run(r->graph, r->pool, NULL);
    r->add = cns_graph_add(r->graph, run_itself, r, CNS_PRIORITY_NORMAL, NULL);
    return CNS_OK;
}

START_TEST(a_running_graph_is_busy) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    rerun r = {.pool = pool};
    support_status(context, CNS_OK, cns_graph_create(context, &r.graph));
    support_status(context, CNS_OK,
                   cns_graph_add(r.graph, run_itself, &r, CNS_PRIORITY_NORMAL, NULL));
    support_status(context, CNS_OK, cns_graph_run(r.graph, pool, NULL));
    ck_assert_int_eq(r.inner, CNS_E_BUSY);
    ck_assert_int_eq(r.add, CNS_E_BUSY);
    cns_graph_destroy(r.graph);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static cns_status request_cancel(void *user, cns_cancel *cancel) {
    (void)user;
    cns_cancel_request(cancel);
    return CNS_OK;
}

START_TEST(a_cancelled_graph_stops) {
    cns_context *context = support_context();
    cns_tasks *pool = make_pool(context, 2);
    cns_cancel *cancel;
    cns_graph *graph;
    _Atomic uint32_t clock = 0;
    stamp s = {.clock = &clock};
    support_status(context, CNS_OK, cns_cancel_create(context, NULL, &cancel));
    support_status(context, CNS_OK, cns_graph_create(context, &graph));
    cns_graph_add(graph, request_cancel, NULL, CNS_PRIORITY_NORMAL, NULL);
    cns_graph_add(graph, take_stamp, &s, CNS_PRIORITY_NORMAL, NULL);
    support_status(context, CNS_OK, cns_graph_depend(graph, 1, 0));
    ck_assert_int_eq(cns_graph_run(graph, pool, cancel), CNS_E_CANCELLED);
    ck_assert_uint_eq(atomic_load(&s.runs), 0);
    ck_assert_int_eq(cns_graph_run(graph, pool, cancel), CNS_E_CANCELLED);
    support_status(context, CNS_OK, cns_graph_depend(graph, 1, 0)); /* twice is once */
    cns_cancel_release(cancel);
    cns_graph_destroy(graph);
    cns_tasks_destroy(pool);
    support_context_destroy(context);
}
END_TEST

static cns_status run_layers(cns_context *context) {
    cns_tasks_config config = {.size = sizeof config, .workers = 2};
    cns_tasks *pool = NULL;
    cns_graph *graph = NULL;
    _Atomic uint32_t clock = 0;
    stamp stamps[40];
    cns_status status = cns_tasks_create(context, &config, &pool);
    if (status == CNS_OK) {
        status = cns_graph_create(context, &graph);
    }
    for (uint32_t i = 0; status == CNS_OK && i < 40; i++) {
        stamps[i] = (stamp){.clock = &clock};
        status = cns_graph_add(graph, take_stamp, &stamps[i], CNS_PRIORITY_NORMAL, NULL);
        for (uint32_t k = i / 10 * 10; status == CNS_OK && i >= 10 && k < i / 10 * 10 + 3; k++) {
            status = cns_graph_depend(graph, i, k - 10);
        }
    }
    if (status == CNS_OK) {
        status = cns_graph_run(graph, pool, NULL);
        for (int i = 0; i < 40; i++) {
            ck_assert_uint_eq(atomic_load(&stamps[i].runs), 1);
        }
    }
    cns_graph_destroy(graph);
    cns_tasks_destroy(pool);
    return status;
}

START_TEST(failing_allocations_leave_nothing_behind) {
    support_each_allocation_fails(run_layers);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("graph");
    TCase *cases = tcase_create("graph");
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, random_graphs_run_in_order, 0, 3);
    tcase_add_test(cases, an_error_stops_what_has_not_begun);
    tcase_add_test(cases, cycles_are_named);
    tcase_add_test(cases, a_running_graph_is_busy);
    tcase_add_test(cases, a_cancelled_graph_stops);
    tcase_add_test(cases, failing_allocations_leave_nothing_behind);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
