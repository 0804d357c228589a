/* SPDX-License-Identifier: MIT
 *
 * solver/globals/bool_linear.c - sum a[j] * lit[j] <= c + y: counters and pseudo-Booleans.
 *
 * The sum of the true literals is kept by what wakes. Coefficients are positive (a * b is a less
 * a * not b) and fall: what may not become true any more stands in front. Explanations name the
 * largest true literals until they suffice, which are the fewest; those of the root count for
 * nothing. What is a clause or a small clique is given to the clauses.
 */
#include "solver/globals/condition.h"
#include "solver/globals/heap_sort.h"

enum {
    CLIQUE_MAX = 8, /* literals of which at most one is true, up to which binary clauses say so */
    DATA_Y = 0x7fffffff /* in reasons: the lower bound of y; in watches: its upper bound fell */
};

typedef struct weighted {
    int64_t a;
    cns_lit lit;
} weighted;

typedef struct bool_le {
    cns_conditional base;
    int64_t c;
    cns_cell room; /* c less the sum of the true literals that woke */
    cns_view y;
    bool has_y;
    uint32_t count;
    weighted items[];
} bool_le;

/* ---- propagation ---------------------------------------------------------------------------- */

static bool wake(cns_state *s, cns_propagator *p, uint32_t data) {
    bool_le *self = (bool_le *)p;
    if (data < DATA_Y && !cns_cell_set(s, &self->room, self->room.value - self->items[data].a)) {
        return false;
    }
    int condition = s->value[self->base.condition];
    if (condition <= 0) {
        return condition == 0 && self->room.value + cns_view_high(s, self->y) < 0;
    }
    return self->room.value + cns_view_high(s, self->y) < self->items[0].a ||
           (self->has_y && -self->room.value > cns_view_low(s, self->y));
}

static bool propagate(cns_state *s, cns_propagator *p) {
    bool_le *self = (bool_le *)p;
    if (cns_condition_false(s, &self->base)) {
        return true;
    }
    int64_t room = self->room.value;
    int64_t slack = room + cns_view_high(s, self->y);
    if (slack < 0) {
        return cns_violate(s, &self->base);
    }
    if (!cns_condition_true(s, &self->base)) {
        return true;
    }
    if (self->has_y && !cns_view_raise(s, self->y, -room, cns_reason_of(&self->base, DATA_Y))) {
        return false;
    }
    uint32_t j = 0;
    for (; j < self->count && self->items[j].a > slack; j++) {
        cns_lit lit = self->items[j].lit;
        if (s->value[lit] == 0 && !cns_enqueue(s, lit ^ 1, cns_reason_of(&self->base, j))) {
            return false;
        }
    }
    s->ticks += j;
    return true;
}

/* ---- explanations --------------------------------------------------------------------------- */

static inline bool counts(const cns_state *s, cns_lit lit, uint32_t position) {
    return s->value[lit] > 0 && s->position[lit >> 1] < position;
}

/* Appends true literals whose coefficients, with those of the root, reach `need`; gives the sum. */
static int64_t push_literals(cns_state *s, const bool_le *self, int64_t need, int64_t at_root,
                             uint32_t position, cns_facts *out) {
    int64_t sum = at_root;
    for (uint32_t j = 0; j < self->count && sum < need; j++) {
        cns_lit lit = self->items[j].lit;
        if (counts(s, lit, position) && s->position[lit >> 1] != 0) {
            sum += self->items[j].a;
            cns_facts_push(s, out, cns_fact_lit(lit));
        }
    }
    return sum;
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    bool_le *self = (bool_le *)p;
    int64_t at_root = 0;
    int64_t all = 0;
    for (uint32_t j = 0; j < self->count; j++) {
        cns_lit lit = self->items[j].lit;
        if (counts(s, lit, position)) {
            all += self->items[j].a;
            at_root += s->position[lit >> 1] == 0 ? self->items[j].a : 0;
        }
    }
    s->ticks += self->count;
    if (data != CNS_CONDITION) {
        cns_push_condition(s, &self->base, out);
    }
    if (data == DATA_Y) {
        push_literals(s, self, fact.value + self->y.offset + self->c, at_root, position, out);
        return;
    }
    /* The sum and `own` exceed c + y. */
    int64_t own = data == CNS_CONDITION ? 0 : self->items[data].a;
    int64_t root_high = self->y.offset - s->root[self->y.term ^ 1];
    if (all + own > self->c + root_high) {
        push_literals(s, self, self->c + root_high + 1 - own, at_root, position, out);
        return;
    }
    int64_t high = cns_view_high_at(s, self->y, position);
    int64_t sum = push_literals(s, self, self->c + high + 1 - own, at_root, position, out);
    cns_push_view_le(s, out, self->y, sum + own - self->c - 1);
}

static const cns_propagator_class class = {"bool_linear", propagate, explain,
                                           wake,          NULL,      cns_block_destroy};

/* ---- posting -------------------------------------------------------------------------------- */

typedef struct counter { /* in the making */
    weighted *items;
    uint32_t count;
    int64_t c, sum;
    cns_view y;
    bool has_y;
} counter;

static bool by_literal(const void *x, const void *y) {
    const weighted *a = x;
    const weighted *b = y;
    return a->lit < b->lit;
}

static bool by_weight(const void *x, const void *y) {
    const weighted *a = x;
    const weighted *b = y;
    return a->a != b->a ? a->a > b->a : a->lit < b->lit;
}

/* Each Boolean once, with a coefficient above 0; those of the root go into c. */
static void normalise(const cns_state *s, counter *k) {
    weighted *items = k->items;
    uint32_t kept = 0;
    for (uint32_t j = 0; j < k->count; j++) {
        weighted item = items[j];
        if (s->value[item.lit] != 0) {
            k->c -= s->value[item.lit] > 0 ? item.a : 0;
            continue;
        }
        if (item.lit & 1) {
            k->c -= item.a;
            item.a = -item.a;
            item.lit ^= 1;
        }
        items[kept++] = item;
    }
    cns_heap_sort(items, kept, sizeof *items, by_literal);
    k->count = 0;
    k->sum = 0;
    for (uint32_t j = 0; j < kept;) {
        weighted item = items[j++];
        while (j < kept && items[j].lit == item.lit) {
            item.a += items[j++].a;
        }
        if (item.a < 0) {
            k->c -= item.a;
            item.a = -item.a;
            item.lit ^= 1;
        }
        if (item.a != 0) {
            k->sum += item.a;
            items[k->count++] = item;
        }
    }
    cns_heap_sort(items, k->count, sizeof *items, by_weight);
}

/* Without y: a literal that is too large alone is false. */
static void drop_large(cns_state *s, cns_post post, counter *k) {
    uint32_t n = 0;
    while (n < k->count && k->items[n].a > k->c && cns_post_matters(s, post)) {
        k->sum -= k->items[n].a;
        cns_lit negation = k->items[n++].lit ^ 1;
        cns_post_implied(s, post, &negation, 1);
    }
    for (uint32_t j = n; j < k->count; j++) {
        k->items[j - n] = k->items[j];
    }
    k->count -= n;
}

static void divide(counter *k) {
    int64_t divisor = 0;
    for (uint32_t j = 0; j < k->count; j++) {
        divisor = cns_gcd(k->items[j].a, divisor);
    }
    if (divisor > 1) {
        for (uint32_t j = 0; j < k->count; j++) {
            k->items[j].a /= divisor;
        }
        k->c = cns_floor_div(k->c, divisor);
        k->sum /= divisor;
    }
}

/* Not all of them: one clause. */
static cns_status post_clause(cns_state *s, cns_post post, const counter *k) {
    cns_lit *lits = cns_scratch_create(s, k->count, sizeof *lits);
    if (lits == NULL) {
        return s->status;
    }
    for (uint32_t j = 0; j < k->count; j++) {
        lits[j] = k->items[j].lit ^ 1;
    }
    cns_post_implied(s, post, lits, k->count);
    cns_scratch_destroy(s, lits, k->count, sizeof *lits);
    return s->status;
}

/* At most one of a few. */
static cns_status post_clique(cns_state *s, cns_post post, const counter *k) {
    for (uint32_t i = 0; i < k->count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            cns_lit lits[] = {k->items[i].lit ^ 1, k->items[j].lit ^ 1};
            cns_post_implied(s, post, lits, 2);
        }
    }
    return s->status;
}

/* One literal and y: bounds of y, by clauses. */
static cns_status post_single(cns_state *s, cns_post post, const counter *k) {
    int64_t high = cns_view_high(s, k->y);
    cns_post_within(s, post, k->y, -k->c, high);
    cns_lit bound = k->items[0].a - k->c > high ? CNS_LIT_FALSE
                                                : cns_view_lit_ge(s, k->y, k->items[0].a - k->c);
    return cns_post_implied(s, post, (cns_lit[]){k->items[0].lit ^ 1, bound}, 2);
}

static cns_status post_propagator(cns_state *s, cns_post post, const counter *k) {
    bool_le *self =
        cns_conditional_create(s, post, sizeof *self + k->count * sizeof *self->items, &class, 0);
    if (self == NULL) {
        return s->status;
    }
    self->c = k->c;
    self->room.value = k->c;
    self->y = k->y;
    self->has_y = k->has_y;
    self->count = k->count;
    for (uint32_t j = 0; j < k->count; j++) {
        self->items[j] = k->items[j];
    }
    bool ok =
        cns_conditional_attach(s, &self->base) &&
        (!k->has_y || cns_watch_term(s, k->y.term ^ 1, &self->base.head, DATA_Y, CNS_ON_BOUND));
    for (uint32_t j = 0; ok && j < k->count; j++) {
        ok = cns_watch_lit(s, k->items[j].lit, &self->base.head, j);
    }
    return s->status;
}

static cns_status post_counter(cns_state *s, cns_post post, counter *k) {
    normalise(s, k);
    if (k->has_y && cns_view_fixed(s, k->y)) {
        k->c += cns_view_low(s, k->y);
        k->y = cns_view_constant(0);
        k->has_y = false;
    }
    if (k->c + cns_view_low(s, k->y) >= k->sum) {
        return s->status;
    }
    if (k->c + cns_view_high(s, k->y) < 0) {
        return cns_post_implied(s, post, NULL, 0);
    }
    if (k->has_y) {
        if (k->count == 0) {
            return cns_post_within(s, post, k->y, -k->c, cns_view_high(s, k->y));
        }
        return k->count == 1 ? post_single(s, post, k) : post_propagator(s, post, k);
    }
    drop_large(s, post, k);
    if (k->c >= k->sum || !cns_post_matters(s, post)) {
        return s->status;
    }
    divide(k);
    const weighted *last = &k->items[k->count - 1];
    if (k->c >= k->sum) { /* by division */
        return s->status;
    }
    if (k->c >= k->sum - last->a) {
        return post_clause(s, post, k);
    }
    if (k->count <= CLIQUE_MAX && last[0].a + last[-1].a > k->c) {
        return post_clique(s, post, k);
    }
    return post_propagator(s, post, k);
}

cns_status cns_post_bool_le(cns_state *s, cns_post post, const int64_t *a, const cns_lit *lits,
                            uint32_t count, cns_view y, int64_t c) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    counter k = {cns_scratch_create(s, count, sizeof *k.items), count, c, 0, y, true};
    if (k.items == NULL) {
        return s->status;
    }
    for (uint32_t j = 0; j < count; j++) {
        k.items[j] = (weighted){a[j], lits[j]};
    }
    post_counter(s, post, &k);
    cns_scratch_destroy(s, k.items, count, sizeof *k.items);
    return s->status;
}
