/* SPDX-License-Identifier: MIT
 *
 * solver/globals/orders.c - see orders.h.
 *
 * `wake` looks whether an event lets a precedence deduce something; those that do are pending.
 */
#include "solver/globals/orders.h"

#include "solver/globals/block.h"
#include "solver/globals/tasks.h"

typedef struct orders {
    cns_block block;
    cns_order *data;
    uint32_t count;
    uint32_t *pending;
    bool *is_pending;
    uint32_t pending_count;
} orders;

enum { RULE_LITERAL, RULE_RAISE, RULE_LOWER, RULE_SHORTEN };

static bool can_deduce(const cns_state *s, const cns_order *o) {
    int value = cns_value(s, o->literal);
    if (value < 0) {
        return false;
    }
    int64_t x = cns_view_low(s, o->x), d = cns_view_low(s, o->d);
    if (value == 0) {
        return x + d > cns_view_high(s, o->y);
    }
    return x + d > cns_view_low(s, o->y) || cns_view_high(s, o->x) + d > cns_view_high(s, o->y) ||
           x + cns_view_high(s, o->d) > cns_view_high(s, o->y);
}

static bool wake(cns_state *state, cns_propagator *self, uint32_t data) {
    orders *p = (orders *)self;
    if (p->is_pending[data] || !can_deduce(state, &p->data[data])) {
        return false;
    }
    p->is_pending[data] = true;
    p->pending[p->pending_count++] = data;
    return true;
}

static void cancel(cns_state *state, cns_propagator *self) {
    (void)state;
    orders *p = (orders *)self;
    while (p->pending_count > 0) {
        p->is_pending[p->pending[--p->pending_count]] = false;
    }
}

static bool deduce(cns_state *s, orders *p, uint32_t number) {
    const cns_order *o = &p->data[number];
    int value = cns_value(s, o->literal);
    int64_t x = cns_view_low(s, o->x), d = cns_view_low(s, o->d);
    if (value < 0) {
        return true;
    }
    if (value == 0) {
        return x + d <= cns_view_high(s, o->y) ||
               cns_enqueue(s, o->literal ^ 1,
                           cns_reason_lazy(&p->block.head, number << 2 | RULE_LITERAL));
    }
    return cns_view_raise(s, o->y, x + d,
                          cns_reason_lazy(&p->block.head, number << 2 | RULE_RAISE)) &&
           cns_view_lower(s, o->x, cns_view_high(s, o->y) - d,
                          cns_reason_lazy(&p->block.head, number << 2 | RULE_LOWER)) &&
           cns_view_lower(s, o->d, cns_view_high(s, o->y) - cns_view_low(s, o->x),
                          cns_reason_lazy(&p->block.head, number << 2 | RULE_SHORTEN));
}

static bool propagate(cns_state *state, cns_propagator *self) {
    orders *p = (orders *)self;
    while (p->pending_count > 0) {
        uint32_t number = p->pending[--p->pending_count];
        p->is_pending[number] = false;
        state->ticks += 2;
        if (!deduce(state, p, number)) {
            cancel(state, self);
            return false;
        }
    }
    return true;
}

/* The bounds that a deduction used, as weak as they may be: the duration's is kept (it is mostly
 * constant), and what there is to spare goes to the other one. */
static void explain(cns_state *s, cns_propagator *self, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    const orders *p = (const orders *)self;
    const cns_order *o = &p->data[data >> 2];
    int64_t d = cns_view_low_before(s, o->d, position);
    unsigned rule = data & 3;
    fact = cns_weakest_fact(s, fact);
    if (rule != RULE_LITERAL) {
        cns_facts_push(s, out, cns_fact_lit(o->literal));
    }
    if (rule == RULE_SHORTEN) { /* d <= limit */
        int64_t limit = o->d.offset - fact.value;
        int64_t y = cns_view_high_before(s, o->y, position);
        cns_facts_push(s, out, cns_view_le(o->y, y));
        cns_facts_push(s, out, cns_view_ge(o->x, y - limit));
        return;
    }
    if (o->d.term != CNS_TERM_ZERO) {
        cns_facts_push(s, out, cns_view_ge(o->d, d));
    }
    if (rule == RULE_RAISE) {
        cns_facts_push(s, out, cns_view_ge(o->x, fact.value + o->y.offset - d));
    } else if (rule == RULE_LOWER) {
        cns_facts_push(s, out, cns_view_le(o->y, o->x.offset - fact.value + d));
    } else {
        int64_t y = cns_view_high_before(s, o->y, position);
        cns_facts_push(s, out, cns_view_le(o->y, y));
        cns_facts_push(s, out, cns_view_ge(o->x, y + 1 - d));
    }
}

static const cns_propagator_class orders_class = {"orders", propagate, explain,
                                                  wake,     cancel,    cns_block_destroy};

const cns_order *cns_orders_of(const cns_propagator *propagator, uint32_t *count) {
    if (propagator->class != &orders_class) {
        return NULL;
    }
    *count = ((const orders *)propagator)->count;
    return ((const orders *)propagator)->data;
}

/* Where y - x or y - d is constant the integer drops out: it would be raised step by step, without
 * end. */
static cns_order cancelled(cns_order o) {
    cns_view *left = o.x.term == o.y.term ? &o.x : o.d.term == o.y.term ? &o.d : NULL;
    if (left != NULL) {
        *left = cns_view_constant(left->offset);
        o.y = cns_view_constant(o.y.offset);
    }
    return o;
}

static bool watch(cns_state *s, orders *p, uint32_t k) {
    const cns_order *o = &p->data[k];
    const cns_term terms[3] = {o->x.term, o->d.term, o->y.term ^ 1};
    for (uint32_t j = 0; j < 3; j++) {
        if (terms[j] >> 1 != 0 && !cns_watch_term(s, terms[j], &p->block.head, k, CNS_ON_BOUND)) {
            return false;
        }
    }
    return cns_value(s, o->literal) != 0 || cns_watch_lit(s, o->literal, &p->block.head, k);
}

cns_status cns_post_orders(cns_state *state, cns_post post, const cns_order *data, uint32_t count) {
    if (count == 0 || state->failed) {
        return CNS_OK;
    }
    size_t size = sizeof(orders);
    size_t orders_at = cns_block_place(&size, count, sizeof(cns_order));
    size_t pending_at = cns_block_place(&size, count, sizeof(uint32_t));
    size_t is_pending_at = cns_block_place(&size, count, sizeof(bool));
    orders *p = cns_block_create(state, post, size, &orders_class, 0);
    if (p == NULL) {
        return state->status;
    }
    p->count = count;
    p->data = cns_block_at(p, orders_at);
    p->pending = cns_block_at(p, pending_at);
    p->is_pending = cns_block_at(p, is_pending_at);
    for (uint32_t k = 0; k < count; k++) {
        p->data[k] = cancelled(data[k]);
        p->pending[p->pending_count++] = k;
        p->is_pending[k] = true;
    }
    cns_status status = cns_attach(state, &p->block.head);
    for (uint32_t k = 0; status == CNS_OK && k < count; k++) {
        if (cns_value(state, p->data[k].literal) >= 0 && !watch(state, p, k)) {
            status = state->status;
        }
    }
    return status;
}
