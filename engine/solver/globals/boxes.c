/* SPDX-License-Identifier: MIT
 *
 * solver/globals/boxes.c - see boxes.h.
 *
 * Boxes whose bounds moved are compared with all others. When one way of being apart is left, it
 * holds, since the three others cannot.
 */
#include "solver/globals/boxes.h"

#include <string.h>

#include "solver/globals/tasks.h"

typedef struct boxes {
    cns_propagator base;
    uint32_t count;
    bool strict;
    cns_box2 *data;
    uint32_t *dirty; /* boxes to compare */
    bool *is_dirty;
    uint32_t dirty_count;
    cns_records records; /* task, a: the pair; rule: the way, times 4, and RULE_ */
    size_t block_size;
} boxes;

enum { RULE_RAISE, RULE_LOWER, RULE_SHORTEN };

static bool wake(cns_state *state, cns_propagator *self, uint32_t data) {
    (void)state;
    boxes *p = (boxes *)self;
    if (!p->is_dirty[data]) {
        p->is_dirty[data] = true;
        p->dirty[p->dirty_count++] = data;
    }
    return true;
}

static void cancel(cns_state *state, cns_propagator *self) {
    (void)state;
    boxes *p = (boxes *)self;
    while (p->dirty_count > 0) {
        p->is_dirty[p->dirty[--p->dirty_count]] = false;
    }
}

static bool is_possible(const cns_state *s, cns_apart a) {
    return cns_view_low(s, a.x) + cns_view_low(s, a.d) <= cns_view_high(s, a.y);
}

static bool has_extent(const cns_state *s, const cns_box2 *b) {
    return cns_view_low(s, b->dx) > 0 && cns_view_low(s, b->dy) > 0;
}

static void push_least(cns_state *s, cns_view v, int64_t value, cns_facts *out) {
    if (v.term != CNS_TERM_ZERO) {
        cns_facts_push(s, out, cns_view_ge(v, value));
    }
}

/* The way is impossible before `position`. */
static void explain_impossible(cns_state *s, cns_apart a, uint32_t position, cns_facts *out) {
    int64_t d = cns_view_low_before(s, a.d, position);
    int64_t y = cns_view_high_before(s, a.y, position);
    push_least(s, a.d, d, out);
    push_least(s, a.x, y + 1 - d, out);
    push_least(s, cns_view_negate(a.y), -y, out);
}

static bool conflict(cns_state *s, const cns_box2 *a, const cns_box2 *b) {
    uint32_t start = cns_because_begin(s);
    for (unsigned way = 0; way < 4; way++) {
        explain_impossible(s, cns_boxes_apart(a, b, way), UINT32_MAX, &s->spans);
    }
    return cns_conflict(s, cns_because_end(s, start));
}

static bool deduce(cns_state *s, boxes *p, cns_view view, int64_t value, cns_record record,
                   unsigned rule) {
    if (value <= cns_view_low(s, view)) {
        return true;
    }
    record.rule = (uint8_t)(record.rule + rule);
    return cns_view_raise(s, view, value, cns_records_add(s, &p->base, &p->records, record));
}

static bool hold(cns_state *s, boxes *p, cns_apart w, cns_record r) {
    int64_t d = cns_view_low(s, w.d);
    return deduce(s, p, w.y, cns_view_low(s, w.x) + d, r, RULE_RAISE) &&
           deduce(s, p, cns_view_negate(w.x), d - cns_view_high(s, w.y), r, RULE_LOWER) &&
           deduce(s, p, cns_view_negate(w.d), cns_view_low(s, w.x) - cns_view_high(s, w.y), r,
                  RULE_SHORTEN);
}

static bool compare(cns_state *s, boxes *p, uint32_t i, uint32_t j) {
    const cns_box2 *a = &p->data[i], *b = &p->data[j];
    unsigned ways = 0, last = 0;
    for (unsigned way = 0; way < 4; way++) {
        if (is_possible(s, cns_boxes_apart(a, b, way))) {
            if (++ways > 1) {
                return true;
            }
            last = way;
        }
    }
    if (!p->strict && (!has_extent(s, a) || !has_extent(s, b))) {
        return true;
    }
    if (ways == 0) {
        return conflict(s, a, b);
    }
    cns_record record = {.a = j, .task = i, .rule = (uint8_t)(4 * last)};
    return hold(s, p, cns_boxes_apart(a, b, last), record);
}

static bool propagate(cns_state *state, cns_propagator *self) {
    boxes *p = (boxes *)self;
    cns_records_tidy(state, &p->records);
    while (p->dirty_count > 0) {
        uint32_t i = p->dirty[--p->dirty_count];
        p->is_dirty[i] = false;
        state->ticks += p->count;
        for (uint32_t j = 0; j < p->count; j++) {
            if (j != i && !compare(state, p, i, j)) {
                cancel(state, self);
                return false;
            }
        }
        if (p->dirty_count > 0 && cns_should_pause(state, self)) {
            return true;
        }
    }
    return true;
}

static void explain(cns_state *s, cns_propagator *self, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    const boxes *p = (const boxes *)self;
    const cns_record r = p->records.data[data];
    const cns_box2 *a = &p->data[r.task], *b = &p->data[r.a];
    unsigned held = r.rule / 4u;
    fact = cns_weakest_fact(s, fact);
    for (unsigned way = 0; way < 4; way++) {
        cns_apart w = cns_boxes_apart(a, b, way);
        int64_t d = cns_view_low_before(s, w.d, position);
        if (way != held) {
            explain_impossible(s, w, position, out);
        } else if (r.rule % 4u == RULE_RAISE) {
            push_least(s, w.d, d, out);
            push_least(s, w.x, fact.value + w.y.offset - d, out);
        } else if (r.rule % 4u == RULE_LOWER) {
            push_least(s, w.d, d, out);
            push_least(s, cns_view_negate(w.y), fact.value - w.x.offset - d, out);
        } else { /* d <= limit */
            int64_t limit = w.d.offset - fact.value;
            int64_t y = cns_view_high_before(s, w.y, position);
            push_least(s, cns_view_negate(w.y), -y, out);
            push_least(s, w.x, y - limit, out);
        }
    }
}

static void destroy(cns_state *state, cns_propagator *self) {
    boxes *p = (boxes *)self;
    cns_records_deinit(state, &p->records);
    cns_context_free(state->context, p, p->block_size, CNS_ALIGN_DEFAULT);
}

static const cns_propagator_class boxes_class = {"boxes", propagate, explain,
                                                 wake,    cancel,    destroy};

cns_status cns_post_boxes(cns_state *state, cns_post post, const cns_box2 *data, uint32_t count,
                          bool strict) {
    size_t size = CNS_CARVED(sizeof(boxes)) + CNS_CARVED(count * sizeof *data) +
                  CNS_CARVED(count * sizeof(uint32_t)) + CNS_CARVED(count * sizeof(bool));
    boxes *p = cns_context_calloc(state->context, size);
    if (p == NULL) {
        return cns_context_memory_status(state->context, size);
    }
    cns_carver c = {(unsigned char *)p + CNS_CARVED(sizeof *p)};
    p->base = (cns_propagator){.class = &boxes_class, .origin = post.origin, .priority = 2};
    p->block_size = size;
    p->count = count;
    p->strict = strict;
    p->data = cns_carve(&c, count * sizeof *data);
    memcpy(p->data, data, count * sizeof *data);
    p->dirty = cns_carve(&c, count * sizeof *p->dirty);
    p->is_dirty = cns_carve(&c, count * sizeof *p->is_dirty);
    for (uint32_t i = 0; i < count; i++) {
        wake(state, &p->base, i);
    }
    cns_status status = cns_attach(state, &p->base);
    for (uint32_t i = 0; status == CNS_OK && i < count; i++) {
        const cns_box2 *b = &data[i];
        const cns_term terms[6] = {b->x.term,     b->x.term ^ 1, b->y.term,
                                   b->y.term ^ 1, b->dx.term,    b->dy.term};
        for (unsigned k = 0; k < 6 && status == CNS_OK; k++) {
            if (terms[k] >> 1 != 0 && !cns_watch_term(state, terms[k], &p->base, i, CNS_ON_BOUND)) {
                status = state->status;
            }
        }
    }
    return status;
}
