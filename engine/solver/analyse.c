/* SPDX-License-Identifier: MIT
 *
 * solver/analyse.c - from a conflict to a learnt clause: first unique implication point over facts.
 *
 * The facts behind a conflict are literals and bounds. A bound leads to the move that first reached
 * it, and several that lead to one move are one demand, the strongest. Moves and literals of the
 * last level are resolved from the top of the trail down until one is left. Facts of lower levels
 * that follow from others are dropped (Sorensson, Biere 2009), and weaker bounds beside stronger
 * ones. Only the bounds that are left become literals, after the search has gone back.
 */
#include "solver/proof.h"
#include "solver/share.h"
#include "solver/trail.h"

#include <string.h>

enum { SEEN_NOT = 0, SEEN_IN = 1, SEEN_REMOVABLE = 2, SEEN_POISON = 3 };

#define MINIMISE_DEPTH 40
#define LBD_FAST (1.0 / 32) /* weights of the newest clause in the averages of LBD */
#define LBD_SLOW (1.0 / 4096)

static inline bool is_move(const cns_state *s, uint32_t position) {
    return s->trail[position].what & CNS_WHAT_BOUND;
}

static inline uint32_t move_index(const cns_state *s, uint32_t position) {
    return s->trail[position].what & ~CNS_WHAT_BOUND;
}

/* ---- explanations --------------------------------------------------------------------------- */

static bool explain_by_clause(cns_state *s, cns_clause_ref ref, cns_facts *out) {
    const cns_clause *c = cns_clause_at(s, ref);
    for (uint32_t i = 1; i < c->size; i++) {
        if (!cns_facts_push(s, out, cns_fact_lit(c->lits[i] ^ 1))) {
            return false;
        }
    }
    return true;
}

/* term >= v + 1 since term >= v, and v was removed. */
static bool explain_by_hole(cns_state *s, uint32_t atom, cns_term term, cns_facts *out) {
    int64_t v = term & 1 ? -s->atoms[atom].value : s->atoms[atom].value;
    return cns_facts_push(s, out, cns_fact_ge(term, v)) &&
           cns_facts_push(s, out, cns_fact_lit(2 * atom + 1));
}

bool cns_explain(cns_state *s, cns_reason reason, cns_fact fact, uint32_t position,
                 cns_facts *out) {
    uint32_t payload = cns_reason_payload(reason);
    uint32_t before = out->count;
    s->counters.explanations++;
    switch (cns_reason_tag(reason)) {
    case CNS_REASON_CLAUSE:
        return explain_by_clause(s, payload, out);
    case CNS_REASON_LIT:
        return cns_facts_push(s, out, cns_fact_lit(payload));
    case CNS_REASON_SPAN:
        for (uint32_t i = 0; i < cns_reason_minor(reason); i++) {
            if (!cns_facts_push(s, out, s->spans.data[payload + i])) {
                return false;
            }
        }
        return true;
    case CNS_REASON_LAZY: {
        cns_propagator *p = s->propagators[cns_reason_minor(reason)];
        p->class->explain(s, p, payload, fact, position, out);
        s->ticks += out->count - before + 1;
        return cns_poll(s) && s->status == CNS_OK;
    }
    case CNS_REASON_HOLE:
        return explain_by_hole(s, payload, fact.id, out);
    default:
        return true;
    }
}

/* ---- marks ---------------------------------------------------------------------------------- */

static bool remember(cns_state *s, uint32_t item) {
    if (s->to_clear_count == s->to_clear_capacity &&
        !cns_grow(s, &s->to_clear, sizeof *s->to_clear, &s->to_clear_capacity,
                  s->to_clear_count + 1)) {
        return false;
    }
    s->to_clear[s->to_clear_count++] = item;
    return true;
}

static void clear_marks(cns_state *s) {
    for (uint32_t k = 0; k < s->to_clear_count; k++) {
        uint32_t item = s->to_clear[k];
        if (item & CNS_WHAT_BOUND) {
            s->marks[item & ~CNS_WHAT_BOUND] = (cns_move_mark){0, 0, 0, false, false};
        } else {
            s->seen[item] = SEEN_NOT;
        }
    }
    s->to_clear_count = 0;
}

/* The marks of a move, begun when it has none. NULL when memory gave out. */
static cns_move_mark *mark_of(cns_state *s, uint32_t move) {
    cns_move_mark *mark = &s->marks[move];
    if (!mark->begun) {
        if (!remember(s, CNS_WHAT_BOUND | move)) {
            return NULL;
        }
        *mark = (cns_move_mark){CNS_NO_BOUND, CNS_NO_BOUND, INT64_MAX, true, false};
    }
    return mark;
}

static void bump_bool(cns_state *s, uint32_t n) {
    if ((s->activity[n] += s->activity_step) > 1e100) {
        for (uint32_t k = 0; k < s->bool_count; k++) {
            s->activity[k] *= 1e-100;
        }
        s->activity_step *= 1e-100;
    }
    if (cns_heap_has(&s->order, n)) {
        cns_heap_rise(&s->order, s->activity, n);
    }
}

static void bump_int(cns_state *s, uint32_t n) {
    if ((s->int_activity[n] += s->int_activity_step) > 1e100) {
        for (uint32_t k = 0; k < s->int_count; k++) {
            s->int_activity[k] *= 1e-100;
        }
        s->int_activity_step *= 1e-100;
    }
    if (cns_heap_has(&s->int_order, n)) {
        cns_heap_rise(&s->int_order, s->int_activity, n);
    }
}

/* ---- collecting the facts ------------------------------------------------------------------- */

/* What a literal is when the entry that decided it is a move: the bounds that decide it. One or
 * two facts. */
static uint32_t bounds_of_literal(const cns_state *s, cns_lit lit, uint32_t position,
                                  cns_fact out[2]) {
    uint32_t n = lit >> 1;
    if (s->kind[n] == CNS_BOOL_GE) {
        out[0] = cns_atom_bound(s, lit);
        return 1;
    }
    cns_term t = 2 * s->atoms[n].integer;
    int64_t v = s->atoms[n].value;
    if ((lit & 1) == 0) {
        out[0] = cns_fact_ge(t, v);
        out[1] = cns_fact_le(t, v);
        return 2;
    }
    cns_term side = s->moves[move_index(s, position)].term;
    out[0] = side & 1 ? cns_fact_le(t, v - 1) : cns_fact_ge(t, v + 1);
    return 1;
}

typedef struct analysis {
    cns_state *s;
    uint32_t open; /* facts of the last level not yet resolved */
    bool to_moves; /* literals that a move decided are bounds at all levels */
} analysis;

static bool add_literal(analysis *a, cns_lit lit, uint32_t position) {
    cns_state *s = a->s;
    uint32_t n = lit >> 1;
    if (s->seen[n] != SEEN_NOT) {
        return true;
    }
    if (!remember(s, n)) {
        return false;
    }
    s->seen[n] = SEEN_IN;
    bump_bool(s, n);
    if (s->trail[position].level == s->level) {
        a->open++;
        return true;
    }
    return cns_facts_push(s, &s->learnt_facts, cns_fact_lit(lit));
}

/* A bound is demanded of the move that reached it. Learnt facts of bounds hold its position until
 * the demands are final. */
static bool add_bound(analysis *a, cns_term t, int64_t value) {
    cns_state *s = a->s;
    if (value <= s->root[t]) {
        return true;
    }
    uint32_t position = cns_find_move(s, t, value);
    cns_move_mark *mark = mark_of(s, move_index(s, position));
    if (mark == NULL) {
        return false;
    }
    bool first = mark->need == CNS_NO_BOUND;
    mark->need = mark->need < value ? value : mark->need;
    if (!first) {
        return true;
    }
    bump_int(s, t >> 1);
    if (s->trail[position].level == s->level) {
        a->open++;
        return true;
    }
    return cns_facts_push(s, &s->learnt_facts, cns_fact_ge(t, position));
}

static bool add_fact(analysis *a, cns_fact fact) {
    cns_state *s = a->s;
    if (fact.is_bound) {
        return add_bound(a, fact.id, fact.value);
    }
    uint32_t position = s->position[fact.id >> 1];
    if (position == 0) {
        return true;
    }
    uint32_t n = fact.id >> 1;
    bool by_move = is_move(s, position);
    bool keep = s->kind[n] == CNS_BOOL_EQ && s->trail[position].level < s->level && !a->to_moves;
    if (!by_move || keep) {
        return add_literal(a, fact.id, position);
    }
    cns_fact bounds[2];
    uint32_t count = bounds_of_literal(s, fact.id, position, bounds);
    bump_bool(s, n);
    return add_bound(a, bounds[0].id, bounds[0].value) &&
           (count == 1 || add_bound(a, bounds[1].id, bounds[1].value));
}

static bool add_facts(analysis *a, uint32_t start) {
    cns_state *s = a->s;
    for (uint32_t i = start; i < s->explanation.count; i++) {
        if (!add_fact(a, s->explanation.data[i])) {
            return false;
        }
    }
    s->explanation.count = start;
    return true;
}

/* ---- levels --------------------------------------------------------------------------------- */

static uint32_t fact_position(const cns_state *s, cns_fact fact) {
    if (!fact.is_bound) {
        return s->position[fact.id >> 1];
    }
    return fact.value <= s->root[fact.id] ? 0 : cns_find_move(s, fact.id, fact.value);
}

static uint32_t conflict_level(const cns_state *s) {
    uint32_t level = 0;
    for (uint32_t i = 0; i < s->conflict.count; i++) {
        uint32_t p = fact_position(s, s->conflict.data[i]);
        level = s->trail[p].level > level ? s->trail[p].level : level;
    }
    return level;
}

/* ---- the first unique implication point ----------------------------------------------------- */

static void note_reason(cns_state *s, cns_reason reason) {
    if (cns_reason_tag(reason) == CNS_REASON_CLAUSE) {
        cns_clause *c = cns_clause_at(s, cns_reason_payload(reason));
        if (c->flags & CNS_CLAUSE_LEARNT) {
            cns_bump_clause(s, c);
        }
    }
}

/* Whether the conflict depends on the entry, and as which fact. */
static bool demanded(const cns_state *s, uint32_t position, cns_fact *fact) {
    uint32_t what = s->trail[position].what;
    if (what & CNS_WHAT_BOUND) {
        const cns_move_mark *mark = &s->marks[what & ~CNS_WHAT_BOUND];
        if (!mark->begun || mark->need == CNS_NO_BOUND) {
            return false;
        }
        cns_term t = s->moves[what & ~CNS_WHAT_BOUND].term;
        *fact = cns_fact_ge(t, cns_weakest_bound(s, t, mark->need));
        return true;
    }
    *fact = cns_fact_lit(what);
    return s->seen[what >> 1] == SEEN_IN;
}

/* Resolves the last level down to one fact. */
static bool resolve_level(analysis *a, cns_fact *uip) {
    cns_state *s = a->s;
    for (uint32_t p = s->trail_count; p-- > 0;) {
        if (!demanded(s, p, uip)) {
            continue;
        }
        if (a->open == 1) {
            return true;
        }
        a->open--;
        note_reason(s, s->trail[p].reason);
        s->explanation.count = 0;
        if (!cns_explain(s, s->trail[p].reason, *uip, p, &s->explanation)) {
            return false;
        }
        if (s->proof != NULL) {
            cns_proof_reason(s, p, &s->explanation, 0, uip);
        }
        if (s->on_inference != NULL) {
            s->on_inference(s->on_inference_user, s, cns_reason_origin(s, s->trail[p].reason),
                            &s->explanation, uip);
        }
        if (!add_facts(a, 0)) {
            return false;
        }
    }
    CNS_ASSERT(false);
    return false;
}

/* ---- minimisation --------------------------------------------------------------------------- */

static bool redundant_facts(cns_state *s, uint32_t start, unsigned depth);

/* Whether the level has a fact in the clause: otherwise the decision of the level is behind it. */
static inline bool level_in_clause(const cns_state *s, uint32_t level) {
    return s->level_stamps[level] == s->stamp;
}

/* Whether all that the entry's reason gives for `fact` follows from the clause. */
static bool follows(cns_state *s, uint32_t position, cns_fact fact, unsigned depth) {
    cns_reason reason = s->trail[position].reason;
    if (cns_reason_tag(reason) == CNS_REASON_NONE || depth >= MINIMISE_DEPTH ||
        s->status != CNS_OK) {
        return false;
    }
    uint32_t start = s->explanation.count;
    bool result = cns_explain(s, reason, fact, position, &s->explanation) &&
                  redundant_facts(s, start, depth + 1);
    if (result && s->proof != NULL) {
        cns_proof_reason(s, position, &s->explanation, start, &fact);
    }
    s->explanation.count = start;
    return result;
}

static bool redundant_bound(cns_state *s, cns_term t, int64_t value, unsigned depth) {
    if (value <= s->root[t]) {
        return true;
    }
    uint32_t position = cns_find_move(s, t, value);
    cns_move_mark *mark = mark_of(s, move_index(s, position));
    if (mark == NULL || s->trail[position].level == s->level) {
        return false;
    }
    if (mark->need >= value || mark->removable >= value) {
        return true;
    }
    if (mark->poison <= value || !level_in_clause(s, s->trail[position].level)) {
        return false;
    }
    if (follows(s, position, cns_fact_ge(t, cns_weakest_bound(s, t, value)), depth)) {
        mark->removable = value;
        return true;
    }
    mark->poison = value;
    return false;
}

static bool redundant_literal(cns_state *s, cns_lit lit, unsigned depth) {
    uint32_t n = lit >> 1;
    uint32_t position = s->position[n];
    if (position == 0 || s->seen[n] == SEEN_IN || s->seen[n] == SEEN_REMOVABLE) {
        return true;
    }
    if (is_move(s, position)) {
        cns_fact bounds[2];
        uint32_t count = bounds_of_literal(s, lit, position, bounds);
        return redundant_bound(s, bounds[0].id, bounds[0].value, depth) &&
               (count == 1 || redundant_bound(s, bounds[1].id, bounds[1].value, depth));
    }
    if (s->seen[n] == SEEN_POISON || s->trail[position].level == s->level ||
        !level_in_clause(s, s->trail[position].level)) {
        return false;
    }
    bool result = follows(s, position, cns_fact_lit(lit), depth);
    if (!remember(s, n)) {
        return false;
    }
    s->seen[n] = result ? SEEN_REMOVABLE : SEEN_POISON;
    return result;
}

static bool redundant_facts(cns_state *s, uint32_t start, unsigned depth) {
    for (uint32_t i = start; i < s->explanation.count; i++) {
        cns_fact fact = s->explanation.data[i];
        if (!(fact.is_bound ? redundant_bound(s, fact.id, fact.value, depth)
                            : redundant_literal(s, fact.id, depth))) {
            return false;
        }
    }
    return true;
}

static uint32_t learnt_position(const cns_state *s, cns_fact fact) {
    return fact.is_bound ? (uint32_t)fact.value : s->position[fact.id >> 1];
}

/* Whether a later move of the same term stays in the clause, which says more. */
static bool outdone(const cns_state *s, cns_fact fact, const cns_fact *uip) {
    if (!fact.is_bound) {
        return false;
    }
    if (uip->is_bound && uip->id == fact.id) {
        return true;
    }
    for (uint32_t p = s->last[fact.id]; p > (uint32_t)fact.value;) {
        const cns_move_mark *mark = &s->marks[move_index(s, p)];
        if (mark->begun && mark->kept) {
            return true;
        }
        p = s->moves[move_index(s, p)].previous;
    }
    return false;
}

/* Whether the fact follows from others of the clause, all of them earlier on the trail. */
static bool droppable(cns_state *s, cns_fact fact) {
    uint32_t position = learnt_position(s, fact);
    if (fact.is_bound) {
        int64_t need = s->marks[move_index(s, position)].need;
        return follows(s, position, cns_fact_ge(fact.id, cns_weakest_bound(s, fact.id, need)), 0);
    }
    if (!is_move(s, position)) {
        return follows(s, position, fact, 0);
    }
    cns_fact bounds[2];
    uint32_t count = bounds_of_literal(s, fact.id, position, bounds);
    return redundant_bound(s, bounds[0].id, bounds[0].value, 0) &&
           (count == 1 || redundant_bound(s, bounds[1].id, bounds[1].value, 0));
}

static bool minimise(cns_state *s, const cns_fact *uip) {
    if (!cns_grow(s, &s->level_stamps, sizeof *s->level_stamps, &s->level_stamp_capacity,
                  s->level_capacity + 1)) {
        return false;
    }
    s->stamp++;
    cns_facts *learnt = &s->learnt_facts;
    for (uint32_t i = 0; i < learnt->count; i++) {
        s->level_stamps[s->trail[learnt_position(s, learnt->data[i])].level] = s->stamp;
    }
    s->explanation.count = 0;
    uint32_t before = learnt->count;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < learnt->count; i++) {
        cns_fact fact = learnt->data[i];
        if (!droppable(s, fact)) {
            learnt->data[kept++] = fact;
            if (fact.is_bound) {
                s->marks[move_index(s, learnt_position(s, fact))].kept = true;
            }
        }
    }
    learnt->count = kept;
    kept = 0; /* only now: what follows from earlier facts may not lean on later ones */
    for (uint32_t i = 0; i < learnt->count; i++) {
        if (!outdone(s, learnt->data[i], uip)) {
            learnt->data[kept++] = learnt->data[i];
        }
    }
    learnt->count = kept;
    s->counters.minimised_literals += before - kept;
    return s->status == CNS_OK;
}

/* ---- the learnt clause ---------------------------------------------------------------------- */

/* Puts the demands into the facts of bounds; returns the level to go back to, and the number of
 * levels, that of the conflict included. */
static uint32_t finish_facts(cns_state *s, uint32_t *lbd) {
    uint32_t back = 0;
    s->stamp++;
    *lbd = 1;
    for (uint32_t i = 0; i < s->learnt_facts.count; i++) {
        cns_fact *fact = &s->learnt_facts.data[i];
        uint32_t position = learnt_position(s, *fact);
        uint32_t level = s->trail[position].level;
        if (fact->is_bound) {
            fact->value = s->marks[move_index(s, position)].need;
        }
        if (s->level_stamps[level] != s->stamp) {
            s->level_stamps[level] = s->stamp;
            ++*lbd;
        }
        back = level > back ? level : back;
    }
    return back;
}

static cns_lit negated_literal(cns_state *s, cns_fact fact) {
    if (!fact.is_bound) {
        return fact.id ^ 1;
    }
    cns_lit lit = cns_lit_ge(s, fact.id, fact.value);
    return lit == CNS_LIT_NONE ? lit : lit ^ 1;
}

/* Makes the clause's literals; the one of the highest level comes second. */
static bool make_clause(cns_state *s, cns_fact uip, uint32_t back) {
    uint32_t count = s->learnt_facts.count + 1;
    if (!cns_grow(s, &s->learnt_lits, sizeof *s->learnt_lits, &s->learnt_lit_capacity, count)) {
        return false;
    }
    cns_lit *lits = s->learnt_lits;
    lits[0] = negated_literal(s, uip);
    for (uint32_t i = 1; i < count; i++) {
        lits[i] = negated_literal(s, s->learnt_facts.data[i - 1]);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (lits[i] == CNS_LIT_NONE) {
            return false;
        }
        if (s->learnt_facts.count != 0 && (i == 0 ? uip : s->learnt_facts.data[i - 1]).is_bound) {
            bump_bool(s, lits[i] >> 1);
        }
        if (i > 0 && cns_lit_level(s, lits[i]) == back) {
            cns_lit other = lits[1];
            lits[1] = lits[i];
            lits[i] = other;
            back = UINT32_MAX; /* found */
        }
    }
    return true;
}

static bool learn(cns_state *s, cns_fact uip) {
    uint32_t lbd;
    uint32_t back = finish_facts(s, &lbd);
    s->lbd_fast += (lbd - s->lbd_fast) * LBD_FAST;
    s->lbd_slow += (lbd - s->lbd_slow) * LBD_SLOW;
    if (s->on_inference != NULL && cns_facts_push(s, &s->learnt_facts, uip)) {
        s->on_inference(s->on_inference_user, s, UINT32_MAX, &s->learnt_facts, NULL);
        s->learnt_facts.count--;
    }
    clear_marks(s);
    cns_backtrack(s, back);
    if (!make_clause(s, uip, back)) {
        return false;
    }
    uint32_t count = s->learnt_facts.count + 1;
    if (s->proof != NULL) {
        cns_proof_learnt(s, s->learnt_lits, count);
    }
    s->counters.learnt++;
    s->counters.learnt_literals += count;
    cns_reason reason = cns_reason_make(CNS_REASON_ALWAYS, 0, 0);
    if (count > 1) {
        cns_clause_ref ref =
            cns_store_clause(s, s->learnt_lits, count, CNS_CLAUSE_LEARNT | CNS_CLAUSE_USED, lbd);
        if (ref == UINT32_MAX) {
            return false;
        }
        if (s->outbox != NULL) {
            cns_tell_clause(s, s->learnt_lits, count, lbd);
        }
        reason = count == 2 ? cns_reason_lit(s->learnt_lits[1] ^ 1)
                            : cns_reason_make(CNS_REASON_CLAUSE, ref, 0);
    }
    if (!cns_enqueue(s, s->learnt_lits[0], reason)) {
        s->has_conflict = true;
    }
    return s->status == CNS_OK;
}

bool cns_resolve_conflict(cns_state *s) {
    if (s->status != CNS_OK || s->failed) {
        return false;
    }
    s->counters.conflicts++;
    uint32_t level = conflict_level(s);
    if (level == 0) {
        s->failed = true;
        return false;
    }
    cns_backtrack(s, level);
    analysis a = {s, 0, false};
    s->learnt_facts.count = 0;
    cns_fact uip;
    bool done = true;
    for (uint32_t i = 0; done && i < s->conflict.count; i++) {
        done = add_fact(&a, s->conflict.data[i]);
    }
    done = done && resolve_level(&a, &uip) && minimise(s, &uip);
    if (!done) {
        clear_marks(s);
        return false;
    }
    s->activity_step *= 1 / 0.95;
    s->int_activity_step *= 1 / 0.95;
    s->clause_step *= 1 / 0.999f;
    return learn(s, uip);
}

/* ---- decisions ------------------------------------------------------------------------------ */

bool cns_decisions_behind(cns_state *s, cns_fact fact, uint32_t *levels, uint32_t *count) {
    analysis a = {s, 0, true};
    s->learnt_facts.count = 0;
    bool done = add_fact(&a, fact);
    for (uint32_t p = s->trail_count; done && p-- > 1;) {
        if (!demanded(s, p, &fact)) {
            continue;
        }
        if (cns_reason_tag(s->trail[p].reason) == CNS_REASON_NONE) {
            levels[(*count)++] = s->trail[p].level;
            continue;
        }
        s->explanation.count = 0;
        done = cns_explain(s, s->trail[p].reason, fact, p, &s->explanation);
        if (done && s->proof != NULL) {
            cns_proof_reason(s, p, &s->explanation, 0, &fact);
        }
        done = done && add_facts(&a, 0);
    }
    clear_marks(s);
    return done;
}
