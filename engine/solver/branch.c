/* SPDX-License-Identifier: MIT
 *
 * solver/branch.c - which variable is decided next, and how: the phases' rules, and activity.
 *
 * Ties go to the earlier variable, as MiniZinc's documentation of int_search has it.
 */
#include "solver/search.h"

#define COUNTED 1024      /* values at most that are counted one by one */
#define SMALL_DOMAIN 1000 /* values that get literals of their own when decided on */
#define CREEP_SHARE 1000  /* a bound that moves by less than this part of the domain creeps */
#define CREEP_LIMIT 16    /* moves like that in a row until the domain is halved */

/* ---- the phases' rules ---------------------------------------------------------------------- */

/* Values left in the domain; bounds only where it is wide. */
static int64_t domain_size(const cns_state *s, cns_view v) {
    int64_t low = cns_low(s, v.term);
    int64_t high = cns_high(s, v.term);
    const cns_int *x = &s->ints[v.term >> 1];
    int64_t span = high - low + 1;
    if ((x->range_count <= 1 && x->eq.first == 0) || span > COUNTED) {
        return span;
    }
    int64_t count = 0;
    for (int64_t value = low; value <= high; value++) {
        count += cns_has(s, v.term, value);
    }
    return count;
}

/* The second smallest value less the smallest. */
static int64_t regret(const cns_state *s, cns_view v) {
    int64_t low = cns_low(s, v.term);
    int64_t high = cns_high(s, v.term);
    for (int64_t value = low + 1; value <= high && value < low + 4096; value++) {
        if (cns_has(s, v.term, value)) {
            return value - low;
        }
    }
    return high - low;
}

static uint64_t degree_of(const cns_state *s, cns_view v, bool weighted) {
    uint64_t sum = 0;
    for (int side = 0; side < 2; side++) {
        const cns_wakes *list = &s->events[(v.term & ~1u) + (cns_term)side];
        for (uint32_t i = 0; i < list->count; i++) {
            sum += weighted ? s->propagators[list->data[i].propagator]->weight : 1;
        }
    }
    return sum;
}

/* How good a choice is: the smallest score wins. */
static double score(const cns_state *s, cns_view v, cns_choose_var rule) {
    switch (rule) {
    case CNS_FIRST_FAIL:
        return (double)domain_size(s, v);
    case CNS_ANTI_FIRST_FAIL:
        return -(double)domain_size(s, v);
    case CNS_SMALLEST:
        return (double)cns_view_low(s, v);
    case CNS_LARGEST:
        return -(double)cns_view_high(s, v);
    case CNS_OCCURRENCE:
        return -(double)degree_of(s, v, false);
    case CNS_MOST_CONSTRAINED: /* the smallest domain, then the most constraints */
        return (double)domain_size(s, v) - (double)degree_of(s, v, false) * 1e-9;
    case CNS_MAX_REGRET:
        return -(double)regret(s, v);
    case CNS_DOM_W_DEG:
        return (double)domain_size(s, v) / (double)(degree_of(s, v, true) + 1);
    default:
        return 0;
    }
}

static const cns_view *choose_view(cns_search *search, cns_phase *phase) {
    cns_state *s = search->state;
    uint32_t first = (uint32_t)phase->first;
    while (first < phase->count && cns_view_fixed(s, phase->views[first])) {
        first++;
    }
    if (first != phase->first && !cns_save(s, &phase->first, first)) {
        return NULL;
    }
    if (first == phase->count) {
        return NULL;
    }
    if (phase->var_rule == CNS_INPUT_ORDER) {
        return &phase->views[first];
    }
    const cns_view *best = NULL;
    double best_score = 0;
    for (uint32_t i = first; i < phase->count; i++) {
        if (!cns_view_fixed(s, phase->views[i])) {
            double value = score(s, phase->views[i], phase->var_rule);
            if (best == NULL || value < best_score) {
                best = &phase->views[i];
                best_score = value;
            }
        }
    }
    s->ticks += phase->count - first;
    return best;
}

static int64_t middle_of(int64_t low, int64_t high) {
    return low + (high - low) / 2;
}

/* The first value of the domain from `value` on, downwards or upwards; the bounds are such. Holes
 * of the declared domain are leapt over: they may be as wide as the domain itself. */
static int64_t value_from(cns_state *s, cns_term t, int64_t value, bool up) {
    const cns_int *x = &s->ints[t >> 1];
    for (; value > cns_low(s, t) && value < cns_high(s, t) && !cns_has(s, t, value); s->ticks++) {
        uint32_t k = cns_range_from(x, value);
        bool removed = x->ranges[2 * k] <= value; /* it was declared */
        if (up) {
            value = removed ? value + 1 : x->ranges[2 * k];
        } else {
            value = removed ? value - 1 : x->ranges[2 * k - 1];
        }
    }
    return value;
}

/* The value of the domain nearest to `middle`, which lies within its bounds; the lower of two. */
static int64_t nearest(cns_state *s, cns_view v, int64_t middle) {
    bool negative = v.term & 1;
    cns_term t = v.term & ~1u;
    int64_t own = negative ? v.offset - middle : middle - v.offset;
    int64_t down = own - value_from(s, t, own, false);
    int64_t up = value_from(s, t, own, true) - own;
    int64_t below = negative ? up : down;
    int64_t above = negative ? down : up;
    return below <= above ? middle - below : middle + above;
}

/* How many of the declared values lie in low..high. */
static int64_t count_declared(const cns_int *x, int64_t low, int64_t high) {
    int64_t count = 0;
    for (uint32_t k = cns_range_from(x, low); k < x->range_count; k++) {
        int64_t first = x->ranges[2 * k] > low ? x->ranges[2 * k] : low;
        int64_t last = x->ranges[2 * k + 1] < high ? x->ranges[2 * k + 1] : high;
        if (first > last) {
            break;
        }
        count += last - first + 1;
    }
    return count;
}

/* The declared value from `low` on that `rank` others are in front of. */
static int64_t declared_at(const cns_int *x, int64_t low, int64_t rank) {
    uint32_t k = cns_range_from(x, low);
    int64_t first = x->ranges[2 * k] > low ? x->ranges[2 * k] : low;
    while (rank > x->ranges[2 * k + 1] - first) {
        rank -= x->ranges[2 * k + 1] - first + 1;
        first = x->ranges[2 * ++k];
    }
    return first + rank;
}

/* The value of the domain that `rank` others are below of. */
static int64_t value_at(const cns_state *s, cns_term t, int64_t rank) {
    int64_t value = cns_low(s, t);
    while (!cns_has(s, t, value) || rank-- > 0) {
        value++;
    }
    return value;
}

/* The value with as many values of the domain below as above it; where it is wide, with as many of
 * the declared ones. */
static int64_t median(cns_state *s, cns_view v) {
    const cns_int *x = &s->ints[v.term >> 1];
    cns_term t = v.term & ~1u;
    int64_t low = cns_low(s, t);
    int64_t high = cns_high(s, t);
    bool wide = high - low >= COUNTED;
    int64_t size = wide ? count_declared(x, low, high) : domain_size(s, v);
    int64_t rank = v.term & 1 ? size / 2 : (size - 1) / 2;
    int64_t value = wide ? declared_at(x, low, rank) : value_at(s, t, rank);
    s->ticks += wide ? x->range_count : 0;
    return nearest(s, v, v.term & 1 ? v.offset - value : value + v.offset);
}

/* A random value of the domain. */
static int64_t any_value(cns_state *s, cns_view v) {
    int64_t low = cns_view_low(s, v);
    int64_t high = cns_view_high(s, v);
    for (int tries = 0; tries < 64; tries++) {
        int64_t value = low + (int64_t)cns_rng_below(&s->rng, (uint64_t)(high - low) + 1);
        if (cns_view_has(s, v, value)) {
            return value;
        }
    }
    return low;
}

/* x = value. In small domains by its own literal: what is learnt then says so in one word, where
 * bounds take two (measured on quasigroup completion: a fifth of the conflicts). */
static bool equals(cns_state *s, cns_view v, int64_t value, bool negated, cns_fact *out) {
    bool small = cns_view_high(s, v) - cns_view_low(s, v) <= SMALL_DOMAIN;
    if (value == cns_view_low(s, v) && (negated || !small)) {
        *out = negated ? cns_view_ge(v, value + 1) : cns_view_le(v, value);
        return true;
    }
    if (value == cns_view_high(s, v) && (negated || !small)) {
        *out = negated ? cns_view_le(v, value - 1) : cns_view_ge(v, value);
        return true;
    }
    cns_lit lit = cns_view_lit_eq(s, v, value);
    *out = cns_fact_lit(negated ? lit ^ 1 : lit);
    return lit != CNS_LIT_NONE;
}

static bool decide_value(cns_state *s, cns_view v, cns_choose_value rule, cns_fact *out) {
    int64_t low = cns_view_low(s, v);
    int64_t high = cns_view_high(s, v);
    switch (rule) {
    case CNS_INDOMAIN_MAX:
        return equals(s, v, high, false, out);
    case CNS_INDOMAIN_MIDDLE:
        return equals(s, v, nearest(s, v, middle_of(low, high)), false, out);
    case CNS_INDOMAIN_MEDIAN:
        return equals(s, v, median(s, v), false, out);
    case CNS_INDOMAIN_RANDOM:
        return equals(s, v, any_value(s, v), false, out);
    case CNS_INDOMAIN_SPLIT:
    case CNS_INDOMAIN_INTERVAL:
        *out = cns_view_le(v, middle_of(low, high));
        return true;
    case CNS_INDOMAIN_REVERSE_SPLIT:
        *out = cns_view_ge(v, middle_of(low, high) + 1);
        return true;
    case CNS_OUTDOMAIN_MIN:
        return equals(s, v, low, true, out);
    case CNS_OUTDOMAIN_MAX:
        return equals(s, v, high, true, out);
    default:
        return equals(s, v, low, false, out);
    }
}

static bool choose_by_phases(cns_search *search, cns_fact *out) {
    for (uint32_t k = 0; k < search->phase_count; k++) {
        const cns_view *v = choose_view(search, &search->phases[k]);
        if (v != NULL) {
            return decide_value(search->state, *v, search->phases[k].value_rule, out);
        }
    }
    return false;
}

/* ---- activity ------------------------------------------------------------------------------- */

/* The value that an integer had in the best solution, else when it was fixed last. */
static int64_t wanted_value(const cns_state *s, uint32_t integer) {
    return s->int_best[integer] != CNS_NO_BOUND ? s->int_best[integer] : s->int_phase[integer];
}

static bool wanted_truth(const cns_state *s, uint32_t n) {
    if (s->kind[n] == CNS_BOOL_PLAIN) {
        return (s->best_phase[n] != 0 ? s->best_phase[n] : s->phase[n]) > 0;
    }
    const cns_atom *atom = &s->atoms[n];
    int64_t best = s->int_best[atom->integer];
    if (best == CNS_NO_BOUND) {
        return s->atoms_true || s->phase[n] > 0;
    }
    return s->kind[n] == CNS_BOOL_GE ? best >= atom->value : best == atom->value;
}

static bool choose_bool(cns_state *s, cns_fact *out) {
    while (s->order.count > 0) {
        uint32_t n = s->order.data[0];
        if (s->value[2 * n] == 0) { /* it stays: the decision may fail for want of memory */
            *out = cns_fact_lit(wanted_truth(s, n) ? 2 * n : 2 * n + 1);
            return true;
        }
        cns_heap_pop(&s->order, s->activity);
    }
    return false;
}

/* Whether integer `n`, about to be decided at `bound`, creeps: it is wide, and the last times that
 * it was decided there the bound was refuted and moved by next to nothing. */
static bool creeps(cns_state *s, uint32_t n, int64_t bound) {
    cns_int *x = &s->ints[n];
    int64_t share = (cns_high(s, 2 * n) - cns_low(s, 2 * n)) / CREEP_SHARE;
    int64_t step = bound > x->tried ? bound - x->tried : x->tried - bound;
    if (step > share) {
        x->creeps = 0;
    } else if (step > 0 && x->creeps < CREEP_LIMIT) {
        x->creeps++;
    }
    x->tried = bound;
    return x->creeps == CREEP_LIMIT;
}

static bool choose_int(cns_state *s, cns_fact *out) {
    while (s->int_order.count > 0) {
        uint32_t n = s->int_order.data[0];
        cns_term t = 2 * n;
        if (cns_fixed(s, t)) {
            cns_heap_pop(&s->int_order, s->int_activity);
            continue;
        }
        int64_t low = cns_low(s, t);
        int64_t high = cns_high(s, t);
        int64_t value = wanted_value(s, n);
        if (value == CNS_NO_BOUND || value <= low) {
            *out = cns_fact_le(t, creeps(s, n, low) ? middle_of(low, high) : low);
        } else if (value >= high) {
            *out = cns_fact_ge(t, creeps(s, n, high) ? middle_of(low, high) + 1 : high);
        } else {
            *out = cns_fact_ge(t, value);
        }
        return true;
    }
    return false;
}

bool cns_choose(cns_search *search, cns_fact *out) {
    cns_state *s = search->state;
    bool by_activity = search->by_activity || search->core_turn;
    if (by_activity && choose_bool(s, out)) {
        return true;
    }
    if (!by_activity && choose_by_phases(search, out)) {
        return true;
    }
    return s->status == CNS_OK && (choose_bool(s, out) || choose_int(s, out));
}
