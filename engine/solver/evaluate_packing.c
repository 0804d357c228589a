/* SPDX-License-Identifier: MIT
 *
 * evaluate_packing.c - evaluators of what shares room: tasks, boxes, bins, knapsacks.
 */
#include <string.h>

#include "solver/evaluate.h"

/* Starts and ends as events in order of time, at one time the ends (negative) first. */
bool cns_holds_cumulative(const cns_evaluation *e) {
    cns_pair *events = e->scratch;
    size_t count = 0;
    cns_wide capacity = cns_at(e, 3, 0), load = 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        int64_t start = cns_at(e, 0, j), duration = cns_at(e, 1, j), demand = cns_at(e, 2, j);
        if (duration > 0 && demand > 0) {
            events[count++] = (cns_pair){start, demand};
            events[count++] = (cns_pair){start + duration, -demand};
        }
    }
    cns_pairs_sort(events, count);
    for (size_t k = 0; k < count; k++) {
        if (load > capacity) {
            return false;
        }
        load += events[k].other;
    }
    return load <= capacity;
}

/* Tasks of some length, by start: each ends before the next begins; then no more than one of them
 * can hold a given point in its inside. */
bool cns_holds_disjunctive(const cns_evaluation *e) {
    cns_pair *tasks = e->scratch;
    size_t count = 0;
    bool strict = cns_option(e, 0, 0, 0) == 1, all = e->c->v[2].count == 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        if (cns_at(e, 1, j) > 0 && (all || cns_at(e, 2, j) != 0)) {
            tasks[count++] = (cns_pair){cns_at(e, 0, j), cns_at(e, 1, j)};
        }
    }
    cns_pairs_sort(tasks, count);
    for (size_t k = 1; k < count; k++) {
        if (tasks[k - 1].key + tasks[k - 1].other > tasks[k].key) {
            return false;
        }
    }
    for (uint32_t j = 0; strict && j < e->c->v[0].count; j++) {
        if (cns_at(e, 1, j) == 0 && (all || cns_at(e, 2, j) != 0)) {
            int64_t point = cns_at(e, 0, j);
            size_t k = cns_pairs_find(tasks, count, point);
            if (k > 0 && tasks[k - 1].key + tasks[k - 1].other > point) {
                return false;
            }
        }
    }
    return true;
}

static bool apart(const cns_evaluation *e, int axis, size_t a, size_t b) {
    return cns_at(e, axis, a) + cns_at(e, axis + 2, a) <= cns_at(e, axis, b) ||
           cns_at(e, axis, b) + cns_at(e, axis + 2, b) <= cns_at(e, axis, a);
}

/* By left edge: a box need only be compared with those that begin before it ends. */
bool cns_holds_diffn(const cns_evaluation *e) {
    cns_pair *boxes = e->scratch;
    size_t count = 0;
    bool strict = cns_option(e, 0, 0, 0) == 1;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        if (strict || (cns_at(e, 2, j) > 0 && cns_at(e, 3, j) > 0)) {
            boxes[count++] = (cns_pair){cns_at(e, 0, j), j};
        }
    }
    cns_pairs_sort(boxes, count);
    for (size_t k = 0; k < count; k++) {
        size_t a = (size_t)boxes[k].other;
        int64_t end = boxes[k].key + cns_at(e, 2, a);
        for (size_t l = k + 1; l < count && boxes[l].key < end; l++) {
            size_t b = (size_t)boxes[l].other;
            if (!apart(e, 0, a, b) && !apart(e, 1, a, b)) {
                return false;
            }
        }
    }
    return true;
}

bool cns_holds_bin_packing(const cns_evaluation *e) {
    uint32_t bins = e->c->v[1].count, bin;
    for (uint32_t k = 0; k < bins; k++) {
        e->scratch[k].key = 0;
    }
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        if (!cns_position(cns_at(e, 0, j), cns_option(e, 1, 0, 1), bins, &bin)) {
            return false;
        }
        e->scratch[bin].key += cns_int_at(e, 0, j);
    }
    for (uint32_t k = 0; k < bins; k++) {
        if (e->scratch[k].key != cns_at(e, 1, k)) {
            return false;
        }
    }
    return true;
}

bool cns_holds_knapsack(const cns_evaluation *e) {
    cns_wide weight = 0, profit = 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        weight += (cns_wide)cns_int_at(e, 0, j) * cns_at(e, 0, j);
        profit += (cns_wide)cns_int_at(e, 1, j) * cns_at(e, 0, j);
    }
    return weight == cns_at(e, 1, 0) && profit == cns_at(e, 1, 1);
}
