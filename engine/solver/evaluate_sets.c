/* SPDX-License-Identifier: MIT
 *
 * evaluate_sets.c - evaluators of what asks which values occur, and how often: they sort a copy.
 */
#include "solver/evaluate.h"

/* ---- sorted copies -------------------------------------------------------------------------- */

static bool is_before(cns_pair a, cns_pair b) {
    return a.key < b.key || (a.key == b.key && a.other < b.other);
}

/* Shell's, with the gaps of Gonnet and Baeza-Yates (1991). Local search sorts a few dozens time and
 * again: qsort calls a function for each comparison, and takes memory that is not the context's. */
void cns_pairs_sort(cns_pair *pairs, size_t count) {
    for (size_t gap = count; gap > 1;) {
        gap = gap < 5 ? 1 : (5 * gap - 1) / 11;
        for (size_t k = gap; k < count; k++) {
            cns_pair moved = pairs[k];
            size_t place = k;
            while (place >= gap && is_before(moved, pairs[place - gap])) {
                pairs[place] = pairs[place - gap];
                place -= gap;
            }
            pairs[place] = moved;
        }
    }
}

size_t cns_pairs_find(const cns_pair *pairs, size_t count, int64_t key) {
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (pairs[middle].key < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool contains(const cns_pair *sorted, size_t count, int64_t key) {
    size_t k = cns_pairs_find(sorted, count, key);
    return k < count && sorted[k].key == key;
}

static size_t occurrences(const cns_pair *sorted, size_t count, int64_t key) {
    return cns_pairs_find(sorted, count, key + 1) - cns_pairs_find(sorted, count, key);
}

/* The values of v<k> in order, each with its place. Returns how many. */
static size_t sort_values(const cns_evaluation *e, int k, cns_pair *out) {
    size_t count = e->c->v[k].count;
    for (size_t j = 0; j < count; j++) {
        out[j] = (cns_pair){cns_at(e, k, j), (int64_t)j};
    }
    cns_pairs_sort(out, count);
    return count;
}

static size_t sort_integers(const cns_evaluation *e, int k, cns_pair *out) {
    size_t count = e->c->i[k].count;
    for (size_t j = 0; j < count; j++) {
        out[j] = (cns_pair){cns_int_at(e, k, j), (int64_t)j};
    }
    cns_pairs_sort(out, count);
    return count;
}

/* ---- which values --------------------------------------------------------------------------- */

bool cns_holds_alldifferent(const cns_evaluation *e) {
    cns_pair *x = e->scratch, *excepted = x + e->c->v[0].count;
    size_t count = sort_values(e, 0, x), excepted_count = sort_integers(e, 0, excepted);
    for (size_t j = 1; j < count; j++) {
        if (x[j].key == x[j - 1].key && !contains(excepted, excepted_count, x[j].key)) {
            return false;
        }
    }
    return true;
}

bool cns_holds_nvalue(const cns_evaluation *e) {
    size_t count = sort_values(e, 0, e->scratch);
    int64_t distinct = 0;
    for (size_t j = 0; j < count; j++) {
        distinct += j == 0 || e->scratch[j].key != e->scratch[j - 1].key;
    }
    return distinct == cns_at(e, 1, 0);
}

bool cns_holds_all_equal(const cns_evaluation *e) {
    for (uint32_t j = 1; j < e->c->v[0].count; j++) {
        if (cns_at(e, 0, j) != cns_at(e, 0, 0)) {
            return false;
        }
    }
    return true;
}

bool cns_holds_member(const cns_evaluation *e) {
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        if (cns_at(e, 0, j) == cns_at(e, 1, 0)) {
            return true;
        }
    }
    return false;
}

/* ---- how often ------------------------------------------------------------------------------ */

bool cns_holds_global_cardinality(const cns_evaluation *e) {
    cns_pair *x = e->scratch, *values = x + e->c->v[0].count;
    size_t count = sort_values(e, 0, x), value_count = sort_integers(e, 0, values);
    for (size_t k = 0; k < value_count; k++) {
        if ((int64_t)occurrences(x, count, cns_int_at(e, 0, k)) != cns_at(e, 1, k)) {
            return false;
        }
    }
    for (size_t j = 0; cns_option(e, 1, 0, 0) == 1 && j < count; j++) {
        if (!contains(values, value_count, x[j].key)) {
            return false;
        }
    }
    return true;
}

static bool related(int64_t a, int64_t relation, int64_t b) {
    switch (relation) {
    case CNS_REL_EQ:
        return a == b;
    case CNS_REL_NE:
        return a != b;
    case CNS_REL_LE:
        return a <= b;
    case CNS_REL_GE:
        return a >= b;
    case CNS_REL_LT:
        return a < b;
    default:
        return a > b;
    }
}

bool cns_holds_count(const cns_evaluation *e) {
    int64_t equal = 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        equal += cns_at(e, 0, j) == cns_at(e, 1, 0);
    }
    return related(equal, cns_int_at(e, 0, 0), cns_at(e, 2, 0));
}

bool cns_holds_among(const cns_evaluation *e) {
    size_t value_count = sort_integers(e, 0, e->scratch);
    int64_t inside = 0;
    for (uint32_t j = 0; j < e->c->v[0].count; j++) {
        inside += contains(e->scratch, value_count, cns_at(e, 0, j));
    }
    return inside == cns_at(e, 1, 0);
}

/* ---- in which order ------------------------------------------------------------------------- */

bool cns_holds_sort(const cns_evaluation *e) {
    size_t count = sort_values(e, 0, e->scratch);
    for (size_t j = 0; j < count; j++) {
        if (e->scratch[j].key != cns_at(e, 1, j)) {
            return false;
        }
    }
    return true;
}

/* Pairs of value and index must ascend strictly: as many different indices as there are places
 * are all of them. */
bool cns_holds_arg_sort(const cns_evaluation *e) {
    uint32_t count = e->c->v[0].count;
    cns_pair before = {0, 0};
    for (uint32_t j = 0; j < count; j++) {
        uint32_t place;
        if (!cns_position(cns_at(e, 1, j), cns_option(e, 0, 0, 1), count, &place)) {
            return false;
        }
        cns_pair now = {cns_at(e, 0, place), place};
        if (j > 0 && !is_before(before, now)) {
            return false;
        }
        before = now;
    }
    return true;
}

/* The first place where each value occurs says it all. */
bool cns_holds_precede(const cns_evaluation *e) {
    size_t count = sort_values(e, 0, e->scratch);
    for (uint32_t k = 1; k < e->c->i[0].count; k++) {
        int64_t value = cns_int_at(e, 0, k), needed = cns_int_at(e, 0, k - 1);
        if (!contains(e->scratch, count, value)) {
            continue;
        }
        if (!contains(e->scratch, count, needed) ||
            e->scratch[cns_pairs_find(e->scratch, count, needed)].other >=
                e->scratch[cns_pairs_find(e->scratch, count, value)].other) {
            return false;
        }
    }
    return true;
}
