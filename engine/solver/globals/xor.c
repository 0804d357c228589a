/* SPDX-License-Identifier: MIT
 *
 * solver/globals/xor.c - an odd number of literals is true.
 *
 * Two open literals are watched, as in a clause; the last open one takes the parity of the others.
 * Short ones are clauses.
 */
#include "solver/globals/condition.h"
#include "solver/globals/heap_sort.h"

enum { CLAUSES_MAX = 4 }; /* literals, up to which 2^(n-1) clauses say it */

typedef struct parity {
    cns_conditional base;
    bool odd; /* what the sum of the literals is */
    uint32_t count;
    uint32_t watched[2];
    cns_lit lits[]; /* positive */
} parity;

static bool two_open(const cns_state *s, parity *self) {
    for (int k = 0; k < 2; k++) {
        if (s->value[self->lits[self->watched[k]]] == 0) {
            continue;
        }
        uint32_t j = 0;
        while (j < self->count && (j == self->watched[1 - k] || s->value[self->lits[j]] != 0)) {
            j++;
        }
        if (j == self->count) {
            return false;
        }
        self->watched[k] = j;
    }
    return true;
}

static bool wake(cns_state *s, cns_propagator *p, uint32_t data) {
    parity *self = (parity *)p;
    if (cns_condition_false(s, &self->base) ||
        (data != CNS_CONDITION && data != self->watched[0] && data != self->watched[1])) {
        return false;
    }
    s->ticks += self->count;
    return !two_open(s, self);
}

static bool propagate(cns_state *s, cns_propagator *p) {
    parity *self = (parity *)p;
    uint32_t open = UINT32_MAX;
    bool rest = self->odd;
    s->ticks += self->count;
    for (uint32_t j = 0; j < self->count; j++) {
        int value = s->value[self->lits[j]];
        if (value == 0 && open != UINT32_MAX) {
            return true;
        }
        if (value == 0) {
            open = j;
        }
        rest ^= value > 0;
    }
    if (open == UINT32_MAX) {
        return !rest || cns_condition_false(s, &self->base) || cns_violate(s, &self->base);
    }
    return !cns_condition_true(s, &self->base) ||
           cns_enqueue(s, self->lits[open] ^ !rest, cns_reason_of(&self->base, open));
}

static void explain(cns_state *s, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    parity *self = (parity *)p;
    (void)fact; /* that of the literal, or of the condition */
    (void)position;
    if (data != CNS_CONDITION) {
        cns_push_condition(s, &self->base, out);
    }
    for (uint32_t j = 0; j < self->count; j++) {
        if (j != data) {
            cns_lit lit = self->lits[j];
            cns_facts_push(s, out, cns_fact_lit(lit ^ (s->value[lit] < 0)));
        }
    }
}

static const cns_propagator_class class = {"xor", propagate, explain,
                                           wake,  NULL,      cns_block_destroy};

/* ---- posting -------------------------------------------------------------------------------- */

/* One clause for each way to have the wrong parity. */
static cns_status post_clauses(cns_state *s, cns_post post, const cns_lit *lits, uint32_t count,
                               bool odd) {
    for (uint32_t signs = 0; signs < 1u << count; signs++) {
        cns_lit clause[CLAUSES_MAX];
        bool sum = false;
        for (uint32_t j = 0; j < count; j++) {
            bool is_true = signs >> j & 1;
            sum ^= is_true;
            clause[j] = lits[j] ^ is_true;
        }
        if (sum != odd) {
            cns_post_implied(s, post, clause, count);
        }
    }
    return s->status;
}

static cns_status post_propagator(cns_state *s, cns_post post, const cns_lit *lits, uint32_t count,
                                  bool odd) {
    parity *self = cns_conditional_create(s, post, sizeof *self + count * sizeof *lits, &class, 1);
    if (self == NULL) {
        return s->status;
    }
    self->odd = odd;
    self->count = count;
    self->watched[1] = 1;
    for (uint32_t j = 0; j < count; j++) {
        self->lits[j] = lits[j];
    }
    bool ok = cns_conditional_attach(s, &self->base);
    for (uint32_t j = 0; ok && j < count; j++) {
        ok = cns_watch_lit(s, lits[j], &self->base.head, j) &&
             cns_watch_lit(s, lits[j] ^ 1, &self->base.head, j);
    }
    return s->status;
}

static bool by_number(const void *a, const void *b) {
    return *(const cns_lit *)a < *(const cns_lit *)b;
}

cns_status cns_post_xor(cns_state *s, cns_post post, const cns_lit *lits, uint32_t count) {
    if (!cns_post_matters(s, post)) {
        return s->status;
    }
    cns_lit *own = cns_scratch_create(s, count, sizeof *own);
    if (own == NULL) {
        return s->status;
    }
    bool odd = true;
    uint32_t n = 0;
    for (uint32_t j = 0; j < count; j++) { /* open ones, positive */
        if (s->value[lits[j]] != 0) {
            odd ^= s->value[lits[j]] > 0;
        } else {
            odd ^= lits[j] & 1;
            own[n++] = lits[j] & ~1u;
        }
    }
    cns_heap_sort(own, n, sizeof *own, by_number);
    uint32_t kept = 0;
    for (uint32_t j = 0; j < n; j++) { /* pairs cancel out */
        if (kept > 0 && own[kept - 1] == own[j]) {
            kept--;
        } else {
            own[kept++] = own[j];
        }
    }
    if (kept <= CLAUSES_MAX) {
        post_clauses(s, post, own, kept, odd);
    } else {
        post_propagator(s, post, own, kept, odd);
    }
    cns_scratch_destroy(s, own, count, sizeof *own);
    return s->status;
}
