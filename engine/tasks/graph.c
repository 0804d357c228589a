/* SPDX-License-Identifier: MIT
 *
 * tasks/graph.c - nodes with dependencies, run as often as wanted.
 *
 * Successors are kept in one array of edges, linked per node. A run counts the predecessors that
 * are left; nodes whose count reaches zero wait in one list per priority, from which the members
 * of the team take them. One lock guards counts and lists: a node is a task, not an instruction.
 * Cycles are found once after each change, by Kahn's algorithm (1962).
 */
#include <stdio.h>
#include <string.h>

#include "tasks/team.h"

#define NONE UINT32_MAX

typedef struct graph_node {
    cns_task_fn fn;
    void *user;
    cns_priority priority;
    uint32_t predecessors;
    uint32_t first_edge; /* of the successors' list */
    uint32_t left;       /* predecessors that are not over */
    uint32_t next;       /* in a list of ready nodes; in the check, a predecessor */
} graph_node;

typedef struct graph_edge {
    uint32_t to;
    uint32_t next;
} graph_edge;

struct cns_graph {
    cns_context *context;
    graph_node *nodes;
    graph_edge *edges;
    uint32_t node_count, node_capacity;
    uint32_t edge_count, edge_capacity;
    bool checked; /* no cycle, since the last change */
    CNS_ATOMIC(uint32_t) running;
    cns_mutex lock; /* guards, during a run: */
    uint32_t head[CNS_PRIORITIES], tail[CNS_PRIORITIES];
    cns_status status;
    CNS_ATOMIC(uint32_t) ready; /* nodes in the lists; 0 when the run has stopped */
};

typedef struct graph_run {
    cns_team team; /* first */
    cns_graph *graph;
    cns_cancel *cancel;
} graph_run;

/* ---- building ------------------------------------------------------------------------------- */

cns_status cns_graph_create(cns_context *context, cns_graph **out) {
    if (!context || !out) {
        return cns_fail(context, CNS_E_INVALID, "cns_graph_create: context or out is NULL");
    }
    cns_graph *graph = cns_context_calloc(context, sizeof *graph);
    if (!graph) {
        return cns_context_memory_status(context, sizeof *graph);
    }
    if (cns_mutex_init(&graph->lock) != 0) {
        cns_context_free(context, graph, sizeof *graph, CNS_ALIGN_DEFAULT);
        return cns_fail(context, CNS_E_NOMEM, "cns_graph_create: no lock");
    }
    graph->context = context;
    *out = graph;
    return CNS_OK;
}

void cns_graph_destroy(cns_graph *graph) {
    if (!graph) {
        return;
    }
    CNS_ASSERT(CNS_LOAD(&graph->running, relaxed) == 0);
    cns_context *context = graph->context;
    cns_context_free(context, graph->nodes, graph->node_capacity * sizeof *graph->nodes,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, graph->edges, graph->edge_capacity * sizeof *graph->edges,
                     CNS_ALIGN_DEFAULT);
    cns_mutex_deinit(&graph->lock);
    cns_context_free(context, graph, sizeof *graph, CNS_ALIGN_DEFAULT);
}

/* Room for one more element; NULL leaves the array as it was. */
static void *grow(cns_context *context, void *array, uint32_t count, uint32_t *capacity,
                  size_t element) {
    if (count < *capacity) {
        return array;
    }
    uint32_t larger = *capacity ? *capacity * 2 : 16;
    void *moved = larger > NONE / 2
                      ? NULL
                      : cns_context_realloc(context, array, *capacity * element, larger * element);
    if (moved) {
        *capacity = larger;
    }
    return moved;
}

static cns_status refuse_while_running(const cns_graph *graph, const char *function) {
    return CNS_LOAD(&graph->running, relaxed)
               ? cns_fail(graph->context, CNS_E_BUSY, "%s: the graph runs", function)
               : CNS_OK;
}

cns_status cns_graph_add(cns_graph *graph, cns_task_fn fn, void *user, cns_priority priority,
                         uint32_t *node) {
    if (!graph) {
        return CNS_E_INVALID;
    }
    if (!fn || (unsigned)priority >= CNS_PRIORITIES) {
        return cns_fail(graph->context, CNS_E_INVALID, "cns_graph_add: %s",
                        fn ? "no such priority" : "fn is NULL");
    }
    cns_status status = refuse_while_running(graph, "cns_graph_add");
    if (status != CNS_OK) {
        return status;
    }
    graph_node *nodes =
        grow(graph->context, graph->nodes, graph->node_count, &graph->node_capacity, sizeof *nodes);
    if (!nodes) {
        return cns_context_memory_status(graph->context, graph->node_count * sizeof *nodes);
    }
    graph->nodes = nodes;
    nodes[graph->node_count] = (graph_node){
        .fn = fn, .user = user, .priority = priority, .first_edge = NONE, .next = NONE};
    if (node) {
        *node = graph->node_count;
    }
    graph->node_count++;
    return CNS_OK;
}

cns_status cns_graph_depend(cns_graph *graph, uint32_t after, uint32_t before) {
    if (!graph) {
        return CNS_E_INVALID;
    }
    if (after >= graph->node_count || before >= graph->node_count) {
        return cns_fail(graph->context, CNS_E_INVALID, "cns_graph_depend: no node %u",
                        after >= graph->node_count ? after : before);
    }
    cns_status status = refuse_while_running(graph, "cns_graph_depend");
    if (status != CNS_OK) {
        return status;
    }
    graph_edge *edges =
        grow(graph->context, graph->edges, graph->edge_count, &graph->edge_capacity, sizeof *edges);
    if (!edges) {
        return cns_context_memory_status(graph->context, graph->edge_count * sizeof *edges);
    }
    graph->edges = edges;
    edges[graph->edge_count] = (graph_edge){after, graph->nodes[before].first_edge};
    graph->nodes[before].first_edge = graph->edge_count++;
    graph->nodes[after].predecessors++;
    graph->checked = false;
    return CNS_OK;
}

uint32_t cns_graph_count(const cns_graph *graph) {
    return graph ? graph->node_count : 0;
}

/* ---- ready lists, under the lock ------------------------------------------------------------ */

static void push_ready(cns_graph *graph, uint32_t index) {
    graph_node *node = &graph->nodes[index];
    node->next = NONE;
    if (graph->head[node->priority] == NONE) {
        graph->head[node->priority] = index;
    } else {
        graph->nodes[graph->tail[node->priority]].next = index;
    }
    graph->tail[node->priority] = index;
    CNS_ADD(&graph->ready, 1, seq_cst);
}

static uint32_t pop_ready(cns_graph *graph) {
    static const cns_priority order[] = {CNS_PRIORITY_HIGH, CNS_PRIORITY_NORMAL, CNS_PRIORITY_LOW};
    for (int i = 0; i < CNS_PRIORITIES; i++) {
        uint32_t index = graph->head[order[i]];
        if (index != NONE) {
            graph->head[order[i]] = graph->nodes[index].next;
            CNS_SUB(&graph->ready, 1, seq_cst);
            return index;
        }
    }
    return NONE;
}

static void clear_ready(cns_graph *graph) {
    for (int i = 0; i < CNS_PRIORITIES; i++) {
        graph->head[i] = NONE;
    }
    CNS_STORE(&graph->ready, 0, seq_cst);
}

/* Counts an ended node off its successors. */
static void release_successors(cns_graph *graph, uint32_t index) {
    for (uint32_t e = graph->nodes[index].first_edge; e != NONE; e = graph->edges[e].next) {
        if (--graph->nodes[graph->edges[e].to].left == 0) {
            push_ready(graph, graph->edges[e].to);
        }
    }
}

static void fill_ready(cns_graph *graph) {
    clear_ready(graph);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        graph->nodes[i].left = graph->nodes[i].predecessors;
        if (graph->nodes[i].left == 0) {
            push_ready(graph, i);
        }
    }
}

/* ---- cycles --------------------------------------------------------------------------------- */

/* Names the nodes of one cycle; requires: nodes in or behind a cycle have left > 0. */
static cns_status report_cycle(cns_graph *graph) {
    uint32_t at = NONE;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        for (uint32_t e = graph->nodes[i].first_edge; graph->nodes[i].left && e != NONE;
             e = graph->edges[e].next) {
            graph->nodes[graph->edges[e].to].next = i;
            at = i;
        }
    }
    for (uint32_t i = 0; i < graph->node_count; i++) {
        at = graph->nodes[at].next; /* backwards, for so long that we must be on the cycle */
    }
    char text[128];
    int length = snprintf(text, sizeof text, "%u", at);
    uint32_t back = at;
    do {
        back = graph->nodes[back].next;
        length += snprintf(text + length, sizeof text - (size_t)length, " after %u", back);
    } while (back != at && length < (int)sizeof text - 24);
    return cns_fail(graph->context, CNS_E_INVALID, "cns_graph_run: a cycle: node %s%s", text,
                    back == at ? "" : " ...");
}

static cns_status check_cycles(cns_graph *graph) {
    if (graph->checked) {
        return CNS_OK;
    }
    fill_ready(graph);
    uint32_t done = 0;
    for (uint32_t index; (index = pop_ready(graph)) != NONE; done++) {
        release_successors(graph, index);
    }
    if (done != graph->node_count) {
        return report_cycle(graph);
    }
    graph->checked = true;
    return CNS_OK;
}

/* ---- running -------------------------------------------------------------------------------- */

static void stop_locked(cns_graph *graph, cns_status status) {
    if (graph->status == CNS_OK) {
        graph->status = status;
    }
    clear_ready(graph);
}

/* The next node after `ended` (NONE at first), which had `status`. */
static uint32_t advance(graph_run *run, uint32_t ended, cns_status status) {
    cns_graph *graph = run->graph;
    cns_mutex_lock(&graph->lock);
    if (status >= 0) {
        cns_status cancelled = cns_cancel_poll(run->cancel);
        if (graph->status == CNS_OK && ended != NONE) {
            release_successors(graph, ended);
        }
        if (cancelled != CNS_OK && CNS_LOAD(&graph->ready, relaxed)) {
            stop_locked(graph, cancelled);
        }
    } else {
        stop_locked(graph, status);
    }
    uint32_t next = pop_ready(graph);
    cns_mutex_unlock(&graph->lock);
    return next;
}

static void work_on_nodes(cns_member *member) {
    graph_run *run = (graph_run *)member->team;
    cns_graph *graph = run->graph;
    uint32_t index = advance(run, NONE, CNS_OK);
    while (index != NONE) {
        uint32_t ready = CNS_LOAD(&graph->ready, relaxed);
        if (ready) {
            cns_team_invite(member, ready);
            cns_team_wake_owner(member->team);
        }
        cns_status status = graph->nodes[index].fn(graph->nodes[index].user, run->cancel);
        index = advance(run, index, status);
    }
}

static bool ready_or_over(const void *key) {
    const graph_run *run = key;
    return CNS_LOAD(&run->graph->ready, seq_cst) != 0 || cns_team_is_empty(&run->team);
}

static void run_checked(cns_graph *graph, cns_tasks *tasks, cns_cancel *cancel) {
    graph_run run;
    cns_member owner;
    cns_team_open(&run.team, tasks, cns_team_width(tasks), &owner);
    run.team.work = work_on_nodes;
    run.team.priority = CNS_PRIORITY_NORMAL;
    run.graph = graph;
    run.cancel = cancel;
    graph->status = CNS_OK;
    fill_ready(graph);
    do {
        work_on_nodes(&owner);
        cns_team_wait(&owner, ready_or_over);
    } while (CNS_LOAD(&graph->ready, seq_cst) != 0 || !cns_team_is_empty(&run.team));
    cns_team_close(&run.team);
}

cns_status cns_graph_run(cns_graph *graph, cns_tasks *tasks, cns_cancel *cancel) {
    if (!graph || !tasks) {
        return CNS_E_INVALID;
    }
    if (CNS_EXCHANGE(&graph->running, 1, acq_rel)) {
        return cns_fail(graph->context, CNS_E_BUSY, "cns_graph_run: the graph runs already");
    }
    cns_status status = check_cycles(graph);
    if (status == CNS_OK) {
        run_checked(graph, tasks, cancel);
        status = graph->status;
    }
    CNS_STORE(&graph->running, 0, release);
    return status;
}
