/* SPDX-License-Identifier: MIT
 *
 * solver/globals/element_const.c - values[index] = z.
 *
 * Where both domains are small, clauses over their equalities keep the domains consistent. Else
 * the positions lie in the order of their values: what z's bounds exclude is cut off both ends, and
 * the outermost position that the index still has bounds z.
 */
#include "solver/globals/index.h"

#include <string.h>

enum {
    CLAUSES_MAX = 128, /* positions, and width of z, up to which clauses do it */
    MANY = 1024,       /* positions to cut off one end */
};

/* Numbers of reasons: a position that is removed, or one of these. */
#define Z_LOW 0xfffffff0u
#define Z_HIGH 0xfffffff1u

typedef struct element_const {
    cns_conditional base;
    cns_view index, z;
    uint32_t count;
    uint32_t witness;     /* a position that both had, when it ran last */
    cns_cell first, last; /* in `order`: all others are no longer in the index */
    uint32_t *order;      /* positions by value */
    int64_t values[];
} element_const;

/* ---- propagation ---------------------------------------------------------------------------- */

static inline bool supported(const cns_state *s, const element_const *self, uint32_t i) {
    return cns_view_has(s, self->index, i) && cns_view_has(s, self->z, self->values[i]);
}

static bool wake(cns_state *s, cns_propagator *p, uint32_t data) {
    element_const *self = (element_const *)p;
    (void)data;
    int condition = s->value[self->base.condition];
    return condition > 0 || (condition == 0 && !supported(s, self, self->witness));
}

static bool find_support(cns_state *s, element_const *self) {
    if (supported(s, self, self->witness)) {
        return true;
    }
    s->ticks += self->count;
    for (uint32_t i = 0; i < self->count; i++) {
        if (supported(s, self, i)) {
            self->witness = i;
            return true;
        }
    }
    return cns_violate(s, &self->base);
}

/* Positions in ascending order when there are many: literals of equalities are kept in lists by
 * value, and entered there behind the last one. */
static bool cut_many(cns_state *s, element_const *self, int64_t least, int64_t greatest) {
    int64_t from = self->first.value + MANY;
    int64_t to = self->last.value - MANY;
    if (from > self->last.value ||
        (self->values[self->order[from]] >= least && self->values[self->order[to]] <= greatest)) {
        return true;
    }
    s->ticks += self->count;
    for (uint32_t i = 0; i < self->count; i++) {
        if ((self->values[i] < least || self->values[i] > greatest) &&
            !cns_view_remove(s, self->index, i, cns_reason_of(&self->base, i))) {
            return false;
        }
    }
    return true;
}

static bool cut_first(cns_state *s, element_const *self, int64_t least) {
    int64_t k = self->first.value;
    for (; k <= self->last.value; k++) {
        uint32_t i = self->order[k];
        if (self->values[i] < least) {
            if (!cns_view_remove(s, self->index, i, cns_reason_of(&self->base, i))) {
                return false;
            }
        } else if (cns_view_has(s, self->index, i)) {
            break;
        }
    }
    s->ticks += (uint64_t)(k - self->first.value);
    return k == self->first.value || cns_cell_set(s, &self->first, k);
}

static bool cut_last(cns_state *s, element_const *self, int64_t greatest) {
    int64_t k = self->last.value;
    for (; k >= self->first.value; k--) {
        uint32_t i = self->order[k];
        if (self->values[i] > greatest) {
            if (!cns_view_remove(s, self->index, i, cns_reason_of(&self->base, i))) {
                return false;
            }
        } else if (cns_view_has(s, self->index, i)) {
            break;
        }
    }
    s->ticks += (uint64_t)(self->last.value - k);
    return k == self->last.value || cns_cell_set(s, &self->last, k);
}

static bool propagate(cns_state *s, cns_propagator *p) {
    element_const *self = (element_const *)p;
    int condition = s->value[self->base.condition];
    if (condition <= 0) {
        return condition < 0 || find_support(s, self);
    }
    int64_t least = cns_view_low(s, self->z);
    int64_t greatest = cns_view_high(s, self->z);
    if (!cut_many(s, self, least, greatest) || !cut_first(s, self, least) ||
        !cut_last(s, self, greatest)) {
        return false;
    }
    if (self->first.value > self->last.value) {
        return cns_violate(s, &self->base);
    }
    int64_t low = self->values[self->order[self->first.value]];
    int64_t high = self->values[self->order[self->last.value]];
    return cns_view_raise(s, self->z, low, cns_reason_of(&self->base, Z_LOW)) &&
           cns_view_lower(s, self->z, high, cns_reason_of(&self->base, Z_HIGH));
}

/* ---- explanations --------------------------------------------------------------------------- */

/* No position has a value that z had: by the bounds of z for positions the index had, else by
 * either. */
static void explain_violation(cns_state *s, element_const *self, uint32_t position,
                              cns_facts *out) {
    cns_view z = self->z;
    int64_t low = cns_view_low_at(s, z, position);
    int64_t high = cns_view_high_at(s, z, position);
    int64_t need_low = INT64_MIN;
    int64_t need_high = INT64_MAX;
    for (uint32_t i = 0; i < self->count; i++) {
        int64_t v = self->values[i];
        if (cns_view_lacked(s, self->index, i, position)) {
            continue;
        }
        if (v < low) {
            need_low = cns_max(need_low, v + 1);
        } else if (v > high) {
            need_high = cns_min(need_high, v - 1);
        } else {
            cns_facts_push(s, out, cns_view_why_not(s, z, v, position));
        }
    }
    cns_absence absence = cns_absence_begin(s, self->index, position, out);
    for (uint32_t i = 0; i < self->count; i++) {
        int64_t v = self->values[i];
        if (v >= need_low && v <= need_high && cns_view_lacked(s, self->index, i, position)) {
            cns_absence_push(s, &absence, i);
        }
    }
    cns_absence_end(s, &absence);
    if (need_low != INT64_MIN) {
        cns_push_view_ge(s, out, z, need_low);
    }
    if (need_high != INT64_MAX) {
        cns_push_view_le(s, out, z, need_high);
    }
    s->ticks += 2 * self->count;
}

/* The positions whose values lie below `least` or above `greatest` were not in the index. */
static void explain_bound(cns_state *s, element_const *self, int64_t least, int64_t greatest,
                          uint32_t position, cns_facts *out) {
    cns_absence absence = cns_absence_begin(s, self->index, position, out);
    uint32_t k = 0;
    for (; k < self->count && self->values[self->order[k]] < least; k++) {
        cns_absence_push(s, &absence, self->order[k]);
    }
    uint32_t end = self->count;
    for (; end > 0 && self->values[self->order[end - 1]] > greatest; end--) {
        cns_absence_push(s, &absence, self->order[end - 1]);
    }
    cns_absence_end(s, &absence);
    s->ticks += k + self->count - end;
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    element_const *self = (element_const *)p;
    cns_view z = self->z;
    if (data == CNS_CONDITION) {
        explain_violation(s, self, position, out);
        return;
    }
    cns_push_condition(s, &self->base, out);
    if (data == Z_LOW) {
        explain_bound(s, self, fact.value + z.offset, INT64_MAX, position, out);
    } else if (data == Z_HIGH) {
        explain_bound(s, self, INT64_MIN, z.offset - fact.value, position, out);
    } else if (cns_view_low_at(s, z, position) > self->values[data]) {
        cns_push_view_ge(s, out, z, self->values[data] + 1);
    } else {
        cns_push_view_le(s, out, z, self->values[data] - 1);
    }
}

static const cns_propagator_class class = {"element_const",  propagate, explain, wake, NULL,
                                           cns_block_destroy};

/* ---- posting -------------------------------------------------------------------------------- */

/* Runs of `width` that are sorted become runs of twice that. */
static void merge_runs(const int64_t *values, const uint32_t *from, uint32_t *to, uint32_t width,
                       uint32_t count) {
    for (uint32_t k = 0, low = 0; low < count; low = k) {
        uint32_t a = low;
        uint32_t middle = count - low < width ? count : low + width;
        uint32_t b = middle;
        uint32_t end = count - middle < width ? count : middle + width;
        while (k < end) {
            bool left = b == end || (a < middle && values[from[a]] <= values[from[b]]);
            to[k++] = from[left ? a++ : b++];
        }
    }
}

/* Positions by value, ties by position, of values within low .. low + span - 1, which are no more
 * than positions: each is put where those of its value begin. */
static void place_positions(uint32_t *order, uint32_t *begin, const int64_t *values, uint32_t count,
                            int64_t low, uint32_t span) {
    uint32_t before = 0;
    memset(begin, 0, span * sizeof *begin);
    for (uint32_t i = 0; i < count; i++) {
        begin[values[i] - low]++;
    }
    for (uint32_t k = 0; k < span; k++) {
        uint32_t next = before + begin[k];
        begin[k] = before;
        before = next;
    }
    for (uint32_t i = 0; i < count; i++) {
        order[begin[values[i] - low]++] = i;
    }
}

/* By value, ties by position. A merge sort, since a heap's steps miss the cache in large arrays. */
static void sort_positions(uint32_t *order, uint32_t *spare, const int64_t *values,
                           uint32_t count) {
    int64_t low = values[0];
    int64_t high = values[0];
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
        low = values[i] < low ? values[i] : low;
        high = values[i] > high ? values[i] : high;
    }
    if ((uint64_t)high - (uint64_t)low < count) {
        place_positions(order, spare, values, count, low, (uint32_t)(high - low) + 1);
        return;
    }
    uint32_t *from = order;
    uint32_t *to = spare;
    for (uint32_t width = 1; width<count; width = width> count / 2 ? count : 2 * width) {
        merge_runs(values, from, to, width, count);
        uint32_t *sorted = to;
        to = from;
        from = sorted;
    }
    if (from != order) {
        memcpy(order, from, count * sizeof *order);
    }
}

/* [index = i] -> [z = values[i]], and [z = v] -> one of its positions. */
static cns_status post_clauses(cns_state *s, cns_post post, cns_view index, const int64_t *values,
                               uint32_t count, cns_view z) {
    cns_lit clause[CLAUSES_MAX + 2];
    for (uint32_t i = 0; i < count && s->status == CNS_OK; i++) {
        if (cns_view_has(s, index, i)) {
            cns_lit at = cns_view_lit_eq(s, index, i);
            cns_lit is = cns_view_lit_eq(s, z, values[i]);
            if (at == CNS_LIT_NONE || is == CNS_LIT_NONE) {
                break;
            }
            cns_post_implied(s, post, (cns_lit[]){at ^ 1, is}, 2);
        }
    }
    uint32_t order[CLAUSES_MAX], spare[CLAUSES_MAX], k = 0;
    sort_positions(order, spare, values, count);
    int64_t high = cns_view_high(s, z);
    for (int64_t v = cns_view_low(s, z); v <= high && cns_post_matters(s, post); v++) {
        uint32_t n = 1;
        for (; k < count && values[order[k]] <= v; k++) {
            if (values[order[k]] == v && cns_view_has(s, index, order[k])) {
                clause[n++] = cns_view_lit_eq(s, index, order[k]);
            }
        }
        if (cns_view_has(s, z, v)) {
            cns_lit is = cns_view_lit_eq(s, z, v);
            if (is == CNS_LIT_NONE) {
                break;
            }
            clause[0] = is ^ 1;
            cns_post_implied(s, post, clause, n);
        }
    }
    return s->status;
}

static cns_status post_propagator(cns_state *s, cns_post post, cns_view index,
                                  const int64_t *values, uint32_t count, cns_view z) {
    uint32_t *spare = cns_context_calloc(s->context, count * sizeof *spare);
    if (spare == NULL) {
        return s->status = cns_context_memory_status(s->context, count * sizeof *spare);
    }
    element_const *self = cns_conditional_create(
        s, post, sizeof *self + count * (sizeof *self->values + sizeof *self->order), &class, 1);
    if (self == NULL) {
        cns_context_free(s->context, spare, count * sizeof *spare, CNS_ALIGN_DEFAULT);
        return s->status;
    }
    self->index = index;
    self->z = z;
    self->count = count;
    self->order = (uint32_t *)(self->values + count);
    self->last.value = (int64_t)count - 1;
    for (uint32_t i = 0; i < count; i++) {
        self->values[i] = values[i];
    }
    sort_positions(self->order, spare, self->values, count);
    cns_context_free(s->context, spare, count * sizeof *spare, CNS_ALIGN_DEFAULT);
    if (cns_conditional_attach(s, &self->base) && cns_watch_domain(s, index, &self->base.head, 0) &&
        cns_watch_bounds(s, z, &self->base.head, 0) && self->base.condition != CNS_LIT_TRUE) {
        cns_watch_holes(s, z.term, &self->base.head, 0);
    }
    return s->status;
}

cns_status cns_post_element_const(cns_state *s, cns_post post, cns_view index,
                                  const int64_t *values, uint32_t count, cns_view z) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    if (cns_view_high(s, index) < 0 || cns_view_low(s, index) >= (int64_t)count) {
        return cns_post_implied(s, post, NULL, 0);
    }
    if (cns_post_within(s, post, index, 0, (int64_t)count - 1) != CNS_OK ||
        !cns_post_matters(s, post)) {
        return s->status;
    }
    if (cns_view_fixed(s, index)) {
        return cns_post_linear_eq(s, post, (const int64_t[]){1}, (cns_views){&z, 1},
                                  values[cns_view_low(s, index)]);
    }
    bool small = count <= CLAUSES_MAX && cns_view_high(s, z) - cns_view_low(s, z) < CLAUSES_MAX;
    return small && s->value[post.condition] > 0
               ? post_clauses(s, post, index, values, count, z)
               : post_propagator(s, post, index, values, count, z);
}
