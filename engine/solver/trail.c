/* SPDX-License-Identifier: MIT
 *
 * solver/trail.c - deducing and undoing: the only code that moves bounds and sets literals.
 *
 * A bound that moves decides the atoms it passes, in the lists that each integer keeps of them, and
 * steps over values that were removed, each with an entry of its own. All invariants of state.h
 * hold again when a function returns true.
 */
#include "solver/trail.h"
#include "solver/proof.h"
#include "solver/share.h"

#define LEAP 16 /* moves of one term */

bool cns_facts_push(cns_state *s, cns_facts *facts, cns_fact fact) {
    if (facts->count == facts->capacity &&
        !cns_grow(s, &facts->data, sizeof *facts->data, &facts->capacity, facts->count + 1)) {
        return false;
    }
    facts->data[facts->count++] = fact;
    return true;
}

/* ---- conflicts ------------------------------------------------------------------------------ */

/* Writes to the proof what a reason that is no clause gives for `fact`. */
static void prove(cns_state *s, cns_reason reason, const cns_facts *facts, const cns_fact *fact) {
    unsigned tag = cns_reason_tag(reason);
    bool decided = tag == CNS_REASON_NONE && s->level > 0;
    if (s->proof != NULL && tag != CNS_REASON_CLAUSE && tag != CNS_REASON_HOLE && !decided &&
        cns_reason_origin(s, reason) != UINT32_MAX) {
        cns_proof_lemma(s, cns_reason_origin(s, reason), facts, 0, fact);
    }
}

/* What `reason` gives for `fact`, and `against`, which holds and contradicts it. */
static bool contradiction(cns_state *s, cns_fact fact, cns_reason reason, cns_fact against) {
    s->conflict.count = 0;
    s->conflict_propagator =
        cns_reason_tag(reason) == CNS_REASON_LAZY ? cns_reason_minor(reason) : UINT32_MAX;
    if (s->level == 0) {
        s->failed = true;
        if (s->on_inference == NULL && s->proof == NULL) {
            return false;
        }
    }
    if (cns_explain(s, reason, fact, s->trail_count, &s->conflict)) {
        prove(s, reason, &s->conflict, &fact);
        cns_facts_push(s, &s->conflict, against);
    }
    return false;
}

bool cns_conflict(cns_state *s, cns_reason reason) {
    s->conflict.count = 0;
    s->conflict_propagator =
        cns_reason_tag(reason) == CNS_REASON_LAZY ? cns_reason_minor(reason) : UINT32_MAX;
    if (s->level == 0) {
        s->failed = true;
    }
    cns_explain(s, reason, cns_fact_lit(CNS_LIT_FALSE), s->trail_count, &s->conflict);
    prove(s, reason, &s->conflict, NULL);
    if (s->on_inference != NULL) {
        s->on_inference(s->on_inference_user, s, cns_reason_origin(s, reason), &s->conflict, NULL);
    }
    return false;
}

/* Whether someone wants to know of each deduction; proofs do of those at the root. */
static inline bool is_observed(const cns_state *s) {
    return s->on_inference != NULL || (s->proof != NULL && s->level == 0);
}

/* For observers: what was just deduced follows from the facts that its reason gives. */
static void report(cns_state *s, cns_fact fact, cns_reason reason) {
    if (cns_reason_tag(reason) == CNS_REASON_NONE && s->proof == NULL) {
        return;
    }
    cns_facts facts = {NULL, 0, 0};
    if (cns_explain(s, reason, fact, s->trail_count, &facts)) {
        if (s->level == 0) {
            prove(s, reason, &facts, &fact);
        }
        if (s->on_inference != NULL && cns_reason_tag(reason) != CNS_REASON_NONE) {
            s->on_inference(s->on_inference_user, s, cns_reason_origin(s, reason), &facts, &fact);
        }
    }
    cns_context_free(s->context, facts.data, facts.capacity * sizeof *facts.data,
                     CNS_ALIGN_DEFAULT);
}

/* ---- entries -------------------------------------------------------------------------------- */

static bool push_queue(cns_state *s, uint32_t item) {
    if (s->queue_count == s->queue_capacity &&
        !cns_grow(s, &s->queue, sizeof *s->queue, &s->queue_capacity, s->queue_count + 1)) {
        return false;
    }
    s->queue[s->queue_count++] = item;
    return true;
}

/* Without memory for the queue the literal stays open: its integer does not know of it yet, and
 * would not free it on the way back. */
static inline bool set_literal(cns_state *s, cns_lit lit, uint32_t position) {
    if (!push_queue(s, lit)) {
        return false;
    }
    s->value[lit] = 1;
    s->value[lit ^ 1] = -1;
    s->position[lit >> 1] = position;
    s->counters.propagations++;
    return true;
}

/* A place on the trail for `what`; 0 at the root, which needs none; UINT32_MAX without memory. */
static inline uint32_t push_entry(cns_state *s, uint32_t what, cns_reason reason) {
    if (s->level == 0) {
        return 0;
    }
    if (s->trail_count == s->trail_capacity &&
        !cns_grow(s, &s->trail, sizeof *s->trail, &s->trail_capacity, s->trail_count + 1)) {
        return UINT32_MAX;
    }
    if (s->proof != NULL && !cns_proof_note(s, s->trail_count)) {
        return UINT32_MAX;
    }
    s->trail[s->trail_count] = (cns_entry){what, s->level, reason};
    return s->trail_count++;
}

static bool pass_atoms_up(cns_state *s, cns_int *x, int64_t low, uint32_t position) {
    cns_atom *atoms = s->atoms;
    uint32_t n = x->ge.low ? atoms[x->ge.low].next : x->ge.first;
    for (; n != 0 && atoms[n].value <= low; n = atoms[n].next) {
        if (!set_literal(s, 2 * n, position)) {
            return false;
        }
        x->ge.low = n;
    }
    n = x->eq.low ? atoms[x->eq.low].next : x->eq.first;
    for (; n != 0 && atoms[n].value < low; n = atoms[n].next) {
        if (s->value[2 * n] == 0 && !set_literal(s, 2 * n + 1, position)) {
            return false;
        }
        x->eq.low = n;
    }
    return true;
}

static bool pass_atoms_down(cns_state *s, cns_int *x, int64_t high, uint32_t position) {
    cns_atom *atoms = s->atoms;
    uint32_t n = x->ge.high ? atoms[x->ge.high].previous : x->ge.last;
    for (; n != 0 && atoms[n].value > high; n = atoms[n].previous) {
        if (!set_literal(s, 2 * n + 1, position)) {
            return false;
        }
        x->ge.high = n;
    }
    n = x->eq.high ? atoms[x->eq.high].previous : x->eq.last;
    for (; n != 0 && atoms[n].value > high; n = atoms[n].previous) {
        if (s->value[2 * n] == 0 && !set_literal(s, 2 * n + 1, position)) {
            return false;
        }
        x->eq.high = n;
    }
    return true;
}

/* The equality atom at the lower bound of x, if there is one; 0: none. */
static inline uint32_t atom_at_low(const cns_state *s, const cns_int *x, int64_t low) {
    uint32_t n = x->eq.low ? s->atoms[x->eq.low].next : x->eq.first;
    return n != 0 && s->atoms[n].value == low ? n : 0;
}

static inline uint32_t atom_at_high(const cns_state *s, const cns_int *x, int64_t high) {
    uint32_t n = x->eq.high ? s->atoms[x->eq.high].previous : x->eq.last;
    return n != 0 && s->atoms[n].value == high ? n : 0;
}

static inline const cns_move *move_at(const cns_state *s, uint32_t position) {
    return &s->moves[s->trail[position].what & ~CNS_WHAT_BOUND];
}

/* Each move knows the nearest one before it whose depth is a multiple of LEAP: of a term that moved
 * a thousand times the past is found in steps of LEAP. */
static inline void note_move(cns_state *s, cns_term t, int64_t bound) {
    cns_move move = {bound, s->bound[t], t, s->last[t], 0, 1};
    if (move.previous != 0) {
        const cns_move *below = move_at(s, move.previous);
        move.leap = below->depth % LEAP == 0 ? move.previous : below->leap;
        move.depth = below->depth + 1;
    }
    s->moves[s->move_count++] = move;
}

/* Moves the bound, and decides the atoms on its way. requires: low < bound <= high. */
static bool move_bound(cns_state *s, cns_term t, int64_t bound, cns_reason reason) {
    if (is_observed(s)) {
        report(s, cns_fact_ge(t, cns_weakest_bound(s, t, bound)), reason);
    }
    uint32_t position = 0;
    if (s->level == 0) {
        s->root[t] = bound;
        if (s->outbox != NULL) {
            cns_tell_fact(s, cns_fact_ge(t, bound));
        }
    } else {
        if (s->move_count == s->move_capacity && !cns_grow_moves(s)) {
            return false;
        }
        position = push_entry(s, CNS_WHAT_BOUND | s->move_count, reason);
        if (position == UINT32_MAX) {
            return false;
        }
        note_move(s, t, bound);
        s->last[t] = position;
    }
    s->bound[t] = bound;
    s->counters.propagations++;
    cns_int *x = &s->ints[t >> 1];
    bool done =
        t & 1 ? pass_atoms_down(s, x, -bound, position) : pass_atoms_up(s, x, bound, position);
    if (done && s->bound[t ^ 1] == -bound) {
        uint32_t n = atom_at_low(s, x, s->bound[t & ~1u]);
        if (n != 0 && s->value[2 * n] == 0) {
            done = set_literal(s, 2 * n, position);
        }
    }
    return done && push_queue(s, CNS_WHAT_BOUND | t);
}

/* The least declared value of the term that is at least `bound`; INT64_MAX: none. */
static int64_t declared_ceiling(const cns_int *x, cns_term t, int64_t bound) {
    const int64_t *r = x->ranges;
    uint32_t low = 0;
    uint32_t high = x->range_count; /* by halves: the first range that ends at or behind it */
    int64_t v = t & 1 ? -bound : bound;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t & 1 ? r[2 * middle] <= v : r[2 * middle + 1] < v) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (t & 1) { /* low counts the ranges that begin at or below v */
        if (low == 0) {
            return INT64_MAX;
        }
        int64_t end = r[2 * low - 1];
        return end < v ? -end : bound;
    }
    if (low == x->range_count) {
        return INT64_MAX;
    }
    return r[2 * low] > v ? r[2 * low] : bound;
}

int64_t cns_declared_ceiling(const cns_state *s, cns_term t, int64_t bound) {
    const cns_int *x = &s->ints[t >> 1];
    return x->range_count > 1 ? declared_ceiling(x, t, bound) : bound;
}

/* The weakest bound that the declared domain makes equal to `bound`. */
int64_t cns_weakest_bound(const cns_state *s, cns_term t, int64_t bound) {
    const cns_int *x = &s->ints[t >> 1];
    if (x->range_count <= 1) {
        return bound;
    }
    int64_t below = declared_ceiling(x, t ^ 1, -(bound - 1)); /* the greatest value < bound */
    return below == INT64_MAX ? bound : -below + 1;
}

bool cns_raise(cns_state *s, cns_term t, int64_t bound, cns_reason reason) {
    if (bound <= s->bound[t]) {
        return true;
    }
    cns_int *x = &s->ints[t >> 1];
    for (;;) {
        if (x->range_count > 1) {
            bound = declared_ceiling(x, t, bound);
        }
        int64_t high = cns_high(s, t);
        if (bound > high) {
            return contradiction(s, cns_fact_ge(t, cns_weakest_bound(s, t, high + 1)), reason,
                                 cns_fact_le(t, high));
        }
        if (!move_bound(s, t, bound, reason)) {
            return false;
        }
        uint32_t n = t & 1 ? atom_at_high(s, x, -bound) : atom_at_low(s, x, bound);
        if (n == 0 || s->value[2 * n] >= 0) {
            return true;
        }
        reason = cns_reason_make(CNS_REASON_HOLE, n, 0);
        bound++;
    }
}

/* What follows for the bounds from an equality atom that was just set. */
static bool channel_equality(cns_state *s, cns_lit lit) {
    uint32_t n = lit >> 1;
    cns_term t = 2 * s->atoms[n].integer;
    int64_t v = s->atoms[n].value;
    if ((lit & 1) == 0) {
        cns_reason reason = cns_reason_lit(lit);
        return cns_raise(s, t, v, reason) && cns_raise(s, t ^ 1, -v, reason);
    }
    cns_reason reason = cns_reason_make(CNS_REASON_HOLE, n, 0);
    return (s->bound[t] != v || cns_raise(s, t, v + 1, reason)) &&
           (s->bound[t ^ 1] != -v || cns_raise(s, t ^ 1, 1 - v, reason));
}

bool cns_enqueue(cns_state *s, cns_lit lit, cns_reason reason) {
    int value = s->value[lit];
    if (value > 0) {
        return true;
    }
    if (value < 0) {
        return contradiction(s, cns_fact_lit(lit), reason, cns_fact_lit(lit ^ 1));
    }
    uint32_t n = lit >> 1;
    uint8_t kind = s->kind[n];
    if (kind == CNS_BOOL_GE) {
        cns_fact bound = cns_atom_bound(s, lit);
        return cns_raise(s, bound.id, bound.value, reason);
    }
    if (is_observed(s)) {
        report(s, cns_fact_lit(lit), reason);
    }
    uint32_t position = push_entry(s, lit, reason);
    if (s->level == 0 && s->outbox != NULL) {
        cns_tell_fact(s, cns_fact_lit(lit));
    }
    if (position == UINT32_MAX || !set_literal(s, lit, position)) {
        return false;
    }
    return kind != CNS_BOOL_EQ || channel_equality(s, lit);
}

bool cns_view_remove(cns_state *s, cns_view view, int64_t value, cns_reason reason) {
    if (!cns_view_has(s, view, value)) {
        return true;
    }
    cns_lit lit = cns_view_lit_eq(s, view, value);
    return lit != CNS_LIT_NONE && cns_enqueue(s, lit ^ 1, reason);
}

bool cns_save(cns_state *s, int64_t *cell, int64_t value) {
    if (s->level > 0) {
        if (s->saved_count == s->saved_capacity &&
            !cns_grow(s, &s->saved, sizeof *s->saved, &s->saved_capacity, s->saved_count + 1)) {
            return false;
        }
        s->saved[s->saved_count++] = (cns_saved){cell, *cell};
    }
    *cell = value;
    return true;
}

/* ---- levels --------------------------------------------------------------------------------- */

void cns_new_level(cns_state *s) {
    if (s->level == s->level_capacity &&
        !cns_grow(s, &s->levels, sizeof *s->levels, &s->level_capacity, s->level + 1)) {
        return;
    }
    s->levels[s->level++] =
        (cns_level){s->trail_count, s->move_count, s->spans.count, s->saved_count};
    s->runs = 0;
    if (s->level > s->counters.peak_depth) {
        s->counters.peak_depth = s->level;
    }
}

static inline void free_literal(cns_state *s, uint32_t n) {
    s->phase[n] = s->value[2 * n];
    s->value[2 * n] = 0;
    s->value[2 * n + 1] = 0;
    cns_heap_insert(&s->order, s->activity, n);
}

static void undo_pass_up(cns_state *s, cns_int *x, int64_t old, uint32_t position) {
    const cns_atom *atoms = s->atoms;
    uint32_t n = x->ge.low;
    for (; n != 0 && atoms[n].value > old; n = atoms[n].previous) {
        free_literal(s, n);
    }
    x->ge.low = n;
    n = x->eq.low;
    for (; n != 0 && atoms[n].value >= old; n = atoms[n].previous) {
        if (s->position[n] == position) {
            free_literal(s, n);
        }
    }
    x->eq.low = n;
}

static void undo_pass_down(cns_state *s, cns_int *x, int64_t old_high, uint32_t position) {
    const cns_atom *atoms = s->atoms;
    uint32_t n = x->ge.high;
    for (; n != 0 && atoms[n].value <= old_high; n = atoms[n].next) {
        free_literal(s, n);
    }
    x->ge.high = n;
    n = x->eq.high;
    for (; n != 0 && atoms[n].value <= old_high; n = atoms[n].next) {
        if (s->position[n] == position) {
            free_literal(s, n);
        }
    }
    x->eq.high = n;
}

static void undo_move(cns_state *s, const cns_move *move, uint32_t position) {
    cns_term t = move->term;
    cns_int *x = &s->ints[t >> 1];
    if (s->bound[t ^ 1] == -move->bound) {
        uint32_t n = atom_at_low(s, x, s->bound[t & ~1u]);
        if (n != 0 && s->position[n] == position && s->value[2 * n] > 0) {
            free_literal(s, n);
        }
        s->int_phase[t >> 1] = s->bound[t & ~1u];
        cns_heap_insert(&s->int_order, s->int_activity, t >> 1);
    }
    s->bound[t] = move->old;
    s->last[t] = move->previous;
    if (t & 1) {
        undo_pass_down(s, x, -move->old, position);
    } else {
        undo_pass_up(s, x, move->old, position);
    }
}

void cns_backtrack(cns_state *s, uint32_t level) {
    if (s->level <= level) {
        return;
    }
    cns_level mark = s->levels[level];
    for (uint32_t p = s->trail_count; p-- > mark.trail;) {
        uint32_t what = s->trail[p].what;
        if (what & CNS_WHAT_BOUND) {
            undo_move(s, &s->moves[what & ~CNS_WHAT_BOUND], p);
        } else {
            free_literal(s, what >> 1);
        }
    }
    while (s->saved_count > mark.saved) {
        const cns_saved *saved = &s->saved[--s->saved_count];
        *saved->cell = saved->value;
    }
    s->trail_count = mark.trail;
    s->move_count = mark.moves;
    s->spans.count = mark.spans;
    s->level = level;
    s->runs = 0;
    cns_clear_queues(s);
}

/* ---- the past ------------------------------------------------------------------------------- */

uint32_t cns_find_move(const cns_state *s, cns_term term, int64_t value) {
    uint32_t p = s->last[term];
    while (p != 0) {
        const cns_move *move = move_at(s, p);
        if (move->old < value) {
            break;
        }
        bool far = move->leap != 0 && move_at(s, move->leap)->bound >= value;
        p = far ? move->leap : move->previous;
    }
    return p;
}

int64_t cns_low_before(const cns_state *s, cns_term term, uint32_t position) {
    uint32_t p = s->last[term];
    int64_t bound = s->bound[term];
    while (p >= position && p != 0) {
        const cns_move *move = move_at(s, p);
        bool far = move->leap != 0 && move->leap >= position;
        bound = far ? move_at(s, move->leap)->bound : move->old;
        p = far ? move->leap : move->previous;
    }
    return bound;
}
