/* SPDX-License-Identifier: MIT
 *
 * model_shape.c - what the table of kinds cannot say: tables, automata, decision diagrams.
 */
#include <string.h>

#include "solver/model_kind.h"

/* A failure of constraint `c`; `format` continues its label. */
#define FAIL(format, ...)                                                                          \
    cns_fail(model->context, CNS_E_INVALID, "%s: " format,                                         \
             cns_constraint_label(c, (char[CNS_LABEL_SIZE]){0}), __VA_ARGS__)

cns_status cns_shape_element(const cns_model *model, const cns_constraint *c) {
    if ((c->v_count[1] > 0) == (c->i_count[1] > 0)) {
        return FAIL("x (v1) has %zu elements and values (i1) %zu, expected one of them to be empty",
                    c->v_count[1], c->i_count[1]);
    }
    return CNS_OK;
}

cns_status cns_shape_table(const cns_model *model, const cns_constraint *c) {
    if (c->i_count[0] % c->v_count[0] != 0) {
        return FAIL("rows (i0): %zu elements, expected a multiple of the %zu columns (v0)",
                    c->i_count[0], c->v_count[0]);
    }
    return CNS_OK;
}

cns_status cns_shape_regular(const cns_model *model, const cns_constraint *c) {
    int64_t states = c->i[0][0], symbols = c->i[0][1], start = c->i[0][2];
    if (states < 1 || states > INT32_MAX || symbols < 1 || symbols > INT32_MAX) {
        return FAIL("%lld states and %lld symbols (i0), expected 1..%d", (long long)states,
                    (long long)symbols, (int)INT32_MAX);
    }
    if (start < 1 || start > states) {
        return FAIL("start (i0): %lld, expected a state, 1..%lld", (long long)start,
                    (long long)states);
    }
    if ((uint64_t)states * (uint64_t)symbols != c->i_count[1]) {
        return FAIL("transitions (i1): %zu elements, expected %lld states times %lld symbols",
                    c->i_count[1], (long long)states, (long long)symbols);
    }
    for (size_t k = 0; k < c->i_count[1]; k++) {
        if (c->i[1][k] < 0 || c->i[1][k] > states) {
            return FAIL("transitions (i1): element %zu is %lld, expected a state or 0, 0..%lld",
                        k + 1, (long long)c->i[1][k], (long long)states);
        }
    }
    for (size_t k = 0; k < c->i_count[2]; k++) {
        if (c->i[2][k] < 1 || c->i[2][k] > states) {
            return FAIL("accepting (i2): element %zu is %lld, expected a state, 1..%lld", k + 1,
                        (long long)c->i[2][k], (long long)states);
        }
    }
    return CNS_OK;
}

/* ---- decision diagrams ---------------------------------------------------------------------- */

void cns_mdd_index(const int64_t *edges, uint32_t count, uint32_t nodes, uint32_t *first,
                   uint32_t *order) {
    memset(first, 0, (nodes + (size_t)2) * sizeof *first);
    for (uint32_t e = 0; e < count; e++) {
        first[edges[4 * (size_t)e] + 1]++;
    }
    for (uint32_t k = 0; k <= nodes; k++) {
        first[k + 1] += first[k];
    }
    /* Counting sort: first[k] moves to where the edges of k end, which is where k + 1 began. */
    for (uint32_t e = 0; e < count; e++) {
        order[first[edges[4 * (size_t)e]]++] = e;
    }
    memmove(first + 1, first, (nodes + (size_t)1) * sizeof *first);
    first[0] = 0;
}

static cns_status check_edges(const cns_model *model, const cns_constraint *c, int64_t nodes) {
    for (size_t k = 0; k < c->i_count[1]; k += 4) {
        const int64_t *edge = c->i[1] + k;
        if (edge[0] < 1 || edge[0] > nodes || edge[3] < 0 || edge[3] > nodes) {
            return FAIL("edges (i1): edge %zu goes from node %lld to node %lld, expected 1..%lld "
                        "and 0..%lld",
                        k / 4 + 1, (long long)edge[0], (long long)edge[3], (long long)nodes,
                        (long long)nodes);
        }
        if (edge[1] > edge[2]) {
            return FAIL("edges (i1): edge %zu has the labels %lld..%lld, expected low <= high",
                        k / 4 + 1, (long long)edge[1], (long long)edge[2]);
        }
    }
    return CNS_OK;
}

/* Breadth first from node 1: every path to a node must be as long as the others, and end in node
 * 0 exactly after the last variable. level[k]: 1 + distance from node 1, 0: not reached. */
static cns_status check_layers(const cns_model *model, const cns_constraint *c,
                               const uint32_t *first, const uint32_t *order, uint32_t *level,
                               uint32_t *queue) {
    uint32_t layers = (uint32_t)c->v_count[0] + 1, head = 0, tail = 0;
    level[1] = 1;
    queue[tail++] = 1;
    while (head < tail) {
        uint32_t node = queue[head++];
        for (uint32_t k = first[node]; k < first[node + 1]; k++) {
            uint32_t to = (uint32_t)c->i[1][4 * (size_t)order[k] + 3], next = level[node] + 1;
            if ((to == 0) != (next == layers) || (level[to] != 0 && level[to] != next)) {
                return FAIL("edges (i1): edge %u reaches node %u after %u of %zu variables, "
                            "expected layers from node 1 to node 0",
                            (unsigned)order[k] + 1, (unsigned)to, (unsigned)next - 1,
                            c->v_count[0]);
            }
            if (level[to] == 0) {
                level[to] = next;
                queue[tail++] = to;
            }
        }
    }
    return CNS_OK;
}

cns_status cns_shape_mdd(const cns_model *model, const cns_constraint *c) {
    int64_t nodes = c->i[0][0];
    size_t count = c->i_count[1] / 4;
    /* More nodes than the edges can name serve nothing but to use up memory. */
    if (nodes < 1 || (uint64_t)nodes > 2 * (uint64_t)count + 1) {
        return FAIL("nodes (i0): %lld, expected 1..%zu with %zu edges (i1)", (long long)nodes,
                    2 * count + 1, count);
    }
    if (c->i_count[1] % 4 != 0) {
        return FAIL("edges (i1): %zu elements, expected four for each edge", c->i_count[1]);
    }
    cns_status status = check_edges(model, c, nodes);
    if (status != CNS_OK) {
        return status;
    }
    size_t n = (size_t)nodes + 2, words = 3 * n + count;
    uint32_t *scratch = cns_context_calloc(model->context, words * sizeof *scratch);
    if (!scratch) {
        return cns_context_memory_status(model->context, words * sizeof *scratch);
    }
    uint32_t *first = scratch, *level = first + n, *queue = level + n, *order = queue + n;
    cns_mdd_index(c->i[1], (uint32_t)count, (uint32_t)nodes, first, order);
    status = check_layers(model, c, first, order, level, queue);
    cns_context_free(model->context, scratch, words * sizeof *scratch, CNS_ALIGN_DEFAULT);
    return status;
}
