/* SPDX-License-Identifier: MIT
 *
 * evaluate_order.c - evaluators of sequences (rows, automata, diagrams, orders) and of graphs that
 * successors describe.
 */
#include <string.h>

#include "solver/evaluate.h"
#include "solver/model_kind.h"

/* ---- graphs --------------------------------------------------------------------------------- */

static bool successor(const cns_evaluation *e, uint32_t node, uint32_t *next) {
    return cns_position(cns_at(e, 0, node), cns_option(e, 0, 0, 1), e->c->v[0].count, next);
}

/* Whether a walk from `start` is back there after `steps` steps, and not before. */
static bool returns_after(const cns_evaluation *e, uint32_t start, uint32_t steps) {
    uint32_t node = start;
    for (uint32_t k = 1; k <= steps; k++) {
        if (!successor(e, node, &node)) {
            return false;
        }
        if (node == start) {
            return k == steps;
        }
    }
    return false;
}

bool cns_holds_circuit(const cns_evaluation *e) {
    uint32_t count = e->c->v[0].count;
    return count == 0 || returns_after(e, 0, count);
}

bool cns_holds_subcircuit(const cns_evaluation *e) {
    uint32_t inside = 0, start = 0, next;
    for (uint32_t node = 0; node < e->c->v[0].count; node++) {
        if (!successor(e, node, &next)) {
            return false;
        }
        if (next != node) {
            inside++;
            start = node;
        }
    }
    return inside == 0 || returns_after(e, start, inside);
}

/* Whether v<other> leads back from where each element of v<k> points to. */
static bool leads_back(const cns_evaluation *e, int k, int other) {
    for (uint32_t j = 0; j < e->c->v[k].count; j++) {
        uint32_t place, back;
        if (!cns_position(cns_at(e, k, j), cns_option(e, 0, (size_t)other, 1), e->c->v[other].count,
                          &place) ||
            !cns_position(cns_at(e, other, place), cns_option(e, 0, (size_t)k, 1), e->c->v[k].count,
                          &back) ||
            back != j) {
            return false;
        }
    }
    return true;
}

/* An element that points beyond the other array equals an index without a counterpart: the
 * equivalence fails. */
bool cns_holds_inverse(const cns_evaluation *e) {
    return leads_back(e, 0, 1) && leads_back(e, 1, 0);
}

/* ---- rows, automata, diagrams --------------------------------------------------------------- */

bool cns_holds_table(const cns_evaluation *e) {
    size_t columns = e->c->v[0].count, cells = e->c->i[0].count;
    for (size_t row = 0; row < cells; row += columns) {
        size_t j = 0;
        while (j < columns && cns_int_at(e, 0, row + j) == cns_at(e, 0, j)) {
            j++;
        }
        if (j == columns) {
            return true;
        }
    }
    return false;
}

bool cns_holds_regular(const cns_evaluation *e) {
    int64_t symbols = cns_int_at(e, 0, 1), state = cns_int_at(e, 0, 2);
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        int64_t symbol = cns_at(e, 0, j);
        if (symbol < 1 || symbol > symbols) {
            return false;
        }
        state = cns_int_at(e, 1, (size_t)((state - 1) * symbols + symbol - 1));
        if (state == 0) {
            return false;
        }
    }
    for (uint32_t k = 0; k < e->c->i[2].count; k++) {
        if (cns_int_at(e, 2, k) == state) {
            return true;
        }
    }
    return false;
}

/* Breadth first over the nodes that some admitted path reaches. In the order of the queue layers
 * ascend, so that depth[k], how many variables come before node k, is known when k is taken. */
bool cns_holds_mdd(const cns_evaluation *e) {
    const int64_t *edges = cns_model_i(e->model, e->c, 1);
    uint32_t nodes = (uint32_t)cns_int_at(e, 0, 0), count = e->c->i[1].count / 4;
    uint32_t *first = (uint32_t *)e->scratch, *depth = first + nodes + 2;
    uint32_t *queue = depth + nodes + 2, *order = queue + nodes + 2, head = 0, tail = 0;
    cns_mdd_index(edges, count, nodes, first, order);
    memset(depth, 0xff, (nodes + (size_t)1) * sizeof *depth); /* UINT32_MAX: not reached */
    depth[1] = 0;
    queue[tail++] = 1;
    while (head < tail) {
        uint32_t node = queue[head++];
        if (node == 0) {
            return true;
        }
        int64_t value = cns_at(e, 0, depth[node]);
        for (uint32_t k = first[node]; k < first[node + 1]; k++) {
            const int64_t *edge = edges + 4 * (size_t)order[k];
            if (edge[1] <= value && value <= edge[2] && depth[edge[3]] == UINT32_MAX) {
                depth[edge[3]] = depth[node] + 1;
                queue[tail++] = (uint32_t)edge[3];
            }
        }
    }
    return false;
}

/* ---- orders --------------------------------------------------------------------------------- */

/* x against y: negative, 0, positive; a prefix is less. */
static int compare(const cns_evaluation *e) {
    uint32_t x_count = e->c->v[0].count, y_count = e->c->v[1].count;
    for (uint32_t j = 0; j < x_count && j < y_count; j++) {
        int64_t x = cns_at(e, 0, j), y = cns_at(e, 1, j);
        if (x != y) {
            return x < y ? -1 : 1;
        }
    }
    return (x_count > y_count) - (x_count < y_count);
}

bool cns_holds_lex_le(const cns_evaluation *e) {
    return compare(e) <= 0;
}

bool cns_holds_lex_lt(const cns_evaluation *e) {
    return compare(e) < 0;
}

bool cns_holds_increasing(const cns_evaluation *e) {
    bool strict = cns_option(e, 0, 0, 0) == 1;
    for (uint32_t j = 1; j < e->c->v[0].count; j++) {
        int64_t before = cns_at(e, 0, j - 1), now = cns_at(e, 0, j);
        if (strict ? before >= now : before > now) {
            return false;
        }
    }
    return true;
}

/* The first of the elements that none beats; `sign` -1 turns the order round. */
static bool points_to_best(const cns_evaluation *e, int sign) {
    uint32_t best = 0, place;
    for (uint32_t j = 1; j < e->c->v[0].count; j++) {
        if (sign * cns_at(e, 0, j) > sign * cns_at(e, 0, best)) {
            best = j;
        }
    }
    return cns_position(cns_at(e, 1, 0), cns_option(e, 0, 0, 1), e->c->v[0].count, &place) &&
           place == best;
}

bool cns_holds_arg_max(const cns_evaluation *e) {
    return points_to_best(e, 1);
}

bool cns_holds_arg_min(const cns_evaluation *e) {
    return points_to_best(e, -1);
}
