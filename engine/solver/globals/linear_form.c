/* SPDX-License-Identifier: MIT
 *
 * solver/globals/linear_form.c - see linear_form.h.
 *
 * Sums of products are taken modulo 2^64: what comes out fits, though a part might not.
 */
#include "solver/globals/linear_form.h"

#include "solver/globals/heap_sort.h"

static inline int64_t wrap_sub_product(int64_t c, int64_t a, int64_t b) {
    return (int64_t)((uint64_t)c - (uint64_t)a * (uint64_t)b);
}

static bool by_term(const void *x, const void *y) {
    const cns_linear_term *a = x;
    const cns_linear_term *b = y;
    return a->term < b->term;
}

static bool by_reach(const void *x, const void *y) {
    const cns_linear_term *a = x;
    const cns_linear_term *b = y;
    return a->reach != b->reach ? a->reach > b->reach : a->term < b->term;
}

/* One term for each integer, with a coefficient above 0. */
static void merge_terms(cns_linear_form *form) {
    cns_linear_term *terms = form->terms;
    uint32_t kept = 0;
    cns_heap_sort(terms, form->count, sizeof *terms, by_term);
    for (uint32_t i = 0; i < form->count;) {
        cns_linear_term sum = terms[i++];
        while (i < form->count && terms[i].term == sum.term) {
            sum.a += terms[i++].a;
        }
        if (sum.a < 0) {
            sum.a = -sum.a;
            sum.term ^= 1;
        }
        if (sum.a != 0) {
            terms[kept++] = sum;
        }
    }
    form->count = kept;
}

static void divide_terms(cns_linear_form *form) {
    int64_t divisor = 0;
    for (uint32_t i = 0; i < form->count; i++) {
        divisor = cns_gcd(form->terms[i].a, divisor);
    }
    form->divisor = divisor == 0 ? 1 : divisor;
    if (divisor > 1) {
        for (uint32_t i = 0; i < form->count; i++) {
            form->terms[i].a /= divisor;
        }
    }
}

static void measure_terms(const cns_state *state, cns_linear_form *form) {
    form->least = form->most = 0;
    for (uint32_t i = 0; i < form->count; i++) {
        cns_linear_term *t = &form->terms[i];
        int64_t low = t->a * cns_low(state, t->term);
        int64_t high = t->a * cns_high(state, t->term);
        t->reach = high - low;
        form->least += low;
        form->most += high;
    }
}

bool cns_linear_form_init(cns_state *state, cns_linear_form *form, const int64_t *a, cns_views x,
                          int64_t c) {
    form->terms = cns_scratch_create(state, x.count, sizeof *form->terms);
    if (form->terms == NULL) {
        return false;
    }
    form->capacity = x.count;
    form->count = 0;
    for (uint32_t j = 0; j < x.count; j++) {
        cns_view v = x.data[j];
        if (cns_view_fixed(state, v)) {
            c = wrap_sub_product(c, a[j], cns_view_low(state, v));
        } else if (a[j] != 0) {
            c = wrap_sub_product(c, a[j], v.offset);
            form->terms[form->count++] =
                (cns_linear_term){v.term & 1 ? -a[j] : a[j], 0, v.term & ~1u};
        }
    }
    form->c = c;
    merge_terms(form);
    divide_terms(form);
    measure_terms(state, form);
    cns_heap_sort(form->terms, form->count, sizeof *form->terms, by_reach);
    return true;
}

void cns_linear_form_deinit(cns_state *state, cns_linear_form *form) {
    cns_scratch_destroy(state, form->terms, form->capacity, sizeof *form->terms);
}

void cns_linear_form_negate(cns_linear_form *form) {
    int64_t least = form->least;
    for (uint32_t i = 0; i < form->count; i++) {
        form->terms[i].term ^= 1;
    }
    form->least = -form->most;
    form->most = -least;
    form->c = -form->c;
}
