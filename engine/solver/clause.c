/* SPDX-License-Identifier: MIT
 *
 * solver/clause.c - the arena of clauses: storing, watching, forgetting, compacting.
 *
 * References are indices of 32-bit words. Learnt clauses are kept by tiers after Oh (2016): those
 * of LBD up to CORE for good, those up to MIDDLE while they are used, of the rest the more active
 * half.
 */
#include "solver/proof.h"
#include "solver/trail.h"

#include <stdlib.h>
#include <string.h>

#define CORE_LBD 3
#define MIDDLE_LBD 6
#define LBD_SHIFT 8

static inline uint32_t clause_lbd(const cns_clause *c) {
    return c->flags >> LBD_SHIFT;
}

static inline uint32_t clause_words(uint32_t size) {
    return CNS_CLAUSE_HEADER + size;
}

static bool watch(cns_state *s, cns_lit lit, cns_watch w) {
    cns_watches *list = &s->watches[lit];
    if (!cns_grow_short(s, &list->data, sizeof *list->data, &list->capacity, list->count + 1)) {
        return false;
    }
    list->data[list->count++] = w;
    return true;
}

static bool watch_clause(cns_state *s, cns_clause_ref ref) {
    const cns_clause *c = cns_clause_at(s, ref);
    uint32_t tagged = c->size == 2 ? ref | CNS_WATCH_BINARY : ref;
    if (!watch(s, c->lits[0] ^ 1, (cns_watch){tagged, c->lits[1]})) {
        return false;
    }
    if (!watch(s, c->lits[1] ^ 1, (cns_watch){tagged, c->lits[0]})) {
        s->watches[c->lits[0] ^ 1].count--;
        return false;
    }
    return true;
}

/* ---- storing -------------------------------------------------------------------------------- */

cns_clause_ref cns_store_clause(cns_state *s, const cns_lit *lits, uint32_t count, uint32_t flags,
                                uint32_t lbd) {
    bool learnt = flags & CNS_CLAUSE_LEARNT;
    cns_clause_ref **list = learnt ? &s->learnts : &s->originals;
    uint32_t *list_count = learnt ? &s->learnt_count : &s->original_count;
    uint32_t *list_capacity = learnt ? &s->learnt_capacity : &s->original_capacity;
    if (!cns_grow(s, &s->arena, sizeof *s->arena, &s->arena_capacity,
                  s->arena_count + clause_words(count)) ||
        !cns_grow(s, list, sizeof **list, list_capacity, *list_count + 1)) {
        return UINT32_MAX;
    }
    cns_clause_ref ref = s->arena_count;
    cns_clause *c = cns_clause_at(s, ref);
    c->size = count;
    c->flags = flags | lbd << LBD_SHIFT;
    c->activity = s->clause_step;
    memcpy(c->lits, lits, count * sizeof *lits);
    if (!watch_clause(s, ref)) {
        return UINT32_MAX;
    }
    s->arena_count += clause_words(count);
    (*list)[(*list_count)++] = ref;
    return ref;
}

/* Drops false and repeated literals; UINT32_MAX: the clause is true. */
static uint32_t simplify(const cns_state *s, cns_lit *lits, uint32_t count) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        cns_lit lit = lits[i];
        int value = s->value[lit];
        bool repeated = false;
        if (value > 0) {
            return UINT32_MAX;
        }
        for (uint32_t k = 0; k < kept && !repeated; k++) {
            if (lits[k] == (lit ^ 1)) {
                return UINT32_MAX;
            }
            repeated = lits[k] == lit;
        }
        if (value == 0 && !repeated) {
            lits[kept++] = lit;
        }
    }
    return kept;
}

static int compare_lits(const void *a, const void *b) {
    cns_lit x = *(const cns_lit *)a;
    cns_lit y = *(const cns_lit *)b;
    return (x > y) - (x < y);
}

/* The same for long clauses, by sorting. */
static uint32_t simplify_sorted(const cns_state *s, cns_lit *lits, uint32_t count) {
    qsort(lits, count, sizeof *lits, compare_lits);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        cns_lit lit = lits[i];
        if (s->value[lit] > 0 || (kept > 0 && lits[kept - 1] == (lit ^ 1))) {
            return UINT32_MAX;
        }
        if (s->value[lit] == 0 && (kept == 0 || lits[kept - 1] != lit)) {
            lits[kept++] = lit;
        }
    }
    return kept;
}

static bool add(cns_state *s, const cns_lit *lits, uint32_t count, uint32_t flags, uint32_t lbd) {
    CNS_ASSERT(s->level == 0);
    if (s->failed || s->status != CNS_OK || !cns_poll(s)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (lits[i] == CNS_LIT_NONE) {
            return false; /* an atom for which there was no memory */
        }
    }
    if (!cns_grow(s, &s->learnt_lits, sizeof *lits, &s->learnt_lit_capacity, count)) {
        return false;
    }
    if (s->proof != NULL && s->active_origin != UINT32_MAX) {
        cns_proof_clause(s, s->active_origin, lits, count);
    }
    cns_lit *own = s->learnt_lits;
    if (count > 0 && own != lits) {
        memcpy(own, lits, count * sizeof *lits);
    }
    count = count > 16 ? simplify_sorted(s, own, count) : simplify(s, own, count);
    if (count == UINT32_MAX) {
        return true;
    }
    if (count == 0) {
        s->failed = true;
        return false;
    }
    if (count == 1) {
        return cns_enqueue(s, own[0], cns_reason_make(CNS_REASON_ALWAYS, 0, 0));
    }
    return cns_store_clause(s, own, count, flags, lbd) != UINT32_MAX;
}

bool cns_add_clause(cns_state *s, const cns_lit *lits, uint32_t count) {
    return add(s, lits, count, 0, 0);
}

bool cns_add_learnt_clause(cns_state *s, const cns_lit *lits, uint32_t count, uint32_t lbd) {
    return add(s, lits, count, CNS_CLAUSE_LEARNT | CNS_CLAUSE_USED, lbd);
}

/* ---- forgetting ----------------------------------------------------------------------------- */

void cns_bump_clause(cns_state *s, cns_clause *clause) {
    clause->flags |= CNS_CLAUSE_USED;
    clause->activity += s->clause_step;
    if (clause->activity > 1e20f) {
        for (uint32_t k = 0; k < s->learnt_count; k++) {
            cns_clause_at(s, s->learnts[k])->activity *= 1e-20f;
        }
        s->clause_step *= 1e-20f;
    }
}

static bool is_reason(const cns_state *s, cns_clause_ref ref) {
    const cns_clause *c = cns_clause_at(s, ref);
    if (s->value[c->lits[0]] <= 0) {
        return false;
    }
    uint32_t p = s->position[c->lits[0] >> 1];
    return p != 0 && s->trail[p].reason == cns_reason_make(CNS_REASON_CLAUSE, ref, 0);
}

static void mark_garbage(cns_state *s, cns_clause_ref ref) {
    cns_clause *c = cns_clause_at(s, ref);
    if (s->proof != NULL) {
        cns_proof_delete(s, c->lits, c->size);
    }
    c->flags |= CNS_CLAUSE_GARBAGE;
    s->arena_garbage += clause_words(c->size);
}

static void sweep_list(const cns_state *s, cns_clause_ref *refs, uint32_t *count) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < *count; k++) {
        if ((cns_clause_at(s, refs[k])->flags & CNS_CLAUSE_GARBAGE) == 0) {
            refs[kept++] = refs[k];
        }
    }
    *count = kept;
}

/* The watch of `lit` in a clause that has lost literals: those of two have a mark, and a blocker
 * must be in the clause, as the atom of one that has gone may be given to something else. */
static cns_watch renewed(const cns_state *s, cns_lit lit, cns_watch w) {
    cns_clause_ref ref = w.clause & ~CNS_WATCH_BINARY;
    const cns_clause *c = cns_clause_at(s, ref);
    cns_lit other = c->lits[c->lits[0] == (lit ^ 1)];
    if (c->size == 2) {
        return (cns_watch){ref | CNS_WATCH_BINARY, other};
    }
    return s->level == 0 && cns_is_false(s, w.blocker) ? (cns_watch){ref, other} : w;
}

static void sweep_watches(cns_state *s) {
    for (cns_lit lit = 0; lit < 2 * s->bool_count; lit++) {
        cns_watches *list = &s->watches[lit];
        uint32_t kept = 0;
        for (uint32_t i = 0; i < list->count; i++) {
            cns_clause_ref ref = list->data[i].clause & ~CNS_WATCH_BINARY;
            if ((cns_clause_at(s, ref)->flags & CNS_CLAUSE_GARBAGE) == 0) {
                list->data[kept++] = renewed(s, lit, list->data[i]);
            }
        }
        list->count = kept;
    }
}

/* Where a clause has gone: its old place keeps the new reference in its first literal. */
static inline cns_clause_ref forwarded(const cns_state *s, cns_clause_ref ref) {
    return cns_clause_at(s, ref)->lits[0];
}

static void forward_all(cns_state *s) {
    for (uint32_t k = 0; k < s->original_count; k++) {
        s->originals[k] = forwarded(s, s->originals[k]);
    }
    for (uint32_t k = 0; k < s->learnt_count; k++) {
        s->learnts[k] = forwarded(s, s->learnts[k]);
    }
    for (cns_lit lit = 0; lit < 2 * s->bool_count; lit++) {
        cns_watches *list = &s->watches[lit];
        for (uint32_t i = 0; i < list->count; i++) {
            uint32_t tag = list->data[i].clause & CNS_WATCH_BINARY;
            list->data[i].clause = forwarded(s, list->data[i].clause & ~CNS_WATCH_BINARY) | tag;
        }
    }
    for (uint32_t p = 1; p < s->trail_count; p++) {
        if (cns_reason_tag(s->trail[p].reason) == CNS_REASON_CLAUSE) {
            cns_clause_ref ref = cns_reason_payload(s->trail[p].reason);
            s->trail[p].reason = cns_reason_make(CNS_REASON_CLAUSE, forwarded(s, ref), 0);
        }
    }
}

static void move_list(const cns_state *s, const cns_clause_ref *refs, uint32_t count,
                      uint32_t *arena, uint32_t *to) {
    for (uint32_t k = 0; k < count; k++) {
        cns_clause *c = cns_clause_at(s, refs[k]);
        memcpy(arena + *to, c, clause_words(c->size) * sizeof *arena);
        c->lits[0] = *to;
        *to += clause_words(c->size);
    }
}

/* Moves the clauses into an arena of the size they need; without memory for it they stay. */
static void compact(cns_state *s) {
    uint32_t need = s->arena_count - s->arena_garbage;
    uint32_t capacity = need + need / 4 + 16;
    uint32_t *arena = cns_context_alloc(s->context, capacity * sizeof *arena, CNS_ALIGN_DEFAULT);
    if (arena == NULL) {
        return;
    }
    uint32_t to = 0;
    move_list(s, s->originals, s->original_count, arena, &to);
    move_list(s, s->learnts, s->learnt_count, arena, &to);
    forward_all(s);
    cns_context_free(s->context, s->arena, s->arena_capacity * sizeof *arena, CNS_ALIGN_DEFAULT);
    s->arena = arena;
    s->arena_count = to;
    s->arena_capacity = capacity;
    s->arena_garbage = 0;
}

static void collect(cns_state *s) {
    sweep_watches(s);
    sweep_list(s, s->originals, &s->original_count);
    sweep_list(s, s->learnts, &s->learnt_count);
    if (s->arena_garbage > s->arena_count / 4) {
        compact(s);
    }
}

/* Whether a learnt clause stays whatever its activity; takes its mark of use. */
static bool keep_for_tier(const cns_state *s, cns_clause_ref ref) {
    cns_clause *c = cns_clause_at(s, ref);
    uint32_t lbd = clause_lbd(c);
    bool used = c->flags & CNS_CLAUSE_USED;
    c->flags &= ~(uint32_t)CNS_CLAUSE_USED;
    return c->size == 2 || lbd <= CORE_LBD || (c->flags & CNS_CLAUSE_PERMANENT) ||
           (lbd <= MIDDLE_LBD && used) || is_reason(s, ref);
}

typedef struct candidate {
    float activity;
    cns_clause_ref ref;
} candidate;

static int compare_candidates(const void *a, const void *b) {
    const candidate *x = a;
    const candidate *y = b;
    if (x->activity != y->activity) {
        return x->activity < y->activity ? -1 : 1;
    }
    return (x->ref > y->ref) - (x->ref < y->ref);
}

bool cns_reduce_clauses(cns_state *s) {
    size_t size = (s->learnt_count + 1) * sizeof(candidate);
    candidate *candidates = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (candidates == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return false;
    }
    uint32_t count = 0;
    for (uint32_t k = 0; k < s->learnt_count; k++) {
        if (!keep_for_tier(s, s->learnts[k])) {
            candidates[count++] =
                (candidate){cns_clause_at(s, s->learnts[k])->activity, s->learnts[k]};
        }
    }
    qsort(candidates, count, sizeof *candidates, compare_candidates);
    for (uint32_t k = 0; k < count / 2; k++) {
        mark_garbage(s, candidates[k].ref);
    }
    cns_context_free(s->context, candidates, size, CNS_ALIGN_DEFAULT);
    s->counters.reductions++;
    collect(s);
    return true;
}

/* ---- at the root ---------------------------------------------------------------------------- */

static uint32_t count_open(const cns_state *s, const cns_clause *c) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < c->size; i++) {
        if (s->value[c->lits[i]] > 0) {
            return UINT32_MAX; /* it is true */
        }
        open += s->value[c->lits[i]] == 0;
    }
    return open;
}

/* Removes literals that are false, drops the clause when it is true. At a fixpoint the watched ones
 * of others are open, so that those stay where they are. False when memory gave out. */
static bool shrink(cns_state *s, cns_clause_ref ref) {
    cns_clause *c = cns_clause_at(s, ref);
    uint32_t open = count_open(s, c);
    if (open == UINT32_MAX) {
        mark_garbage(s, ref);
        return true;
    }
    if (open == c->size) {
        return true;
    }
    CNS_ASSERT(open >= 2 && s->value[c->lits[0]] == 0 && s->value[c->lits[1]] == 0);
    if (!cns_grow(s, &s->learnt_lits, sizeof(cns_lit), &s->learnt_lit_capacity, open)) {
        return false;
    }
    cns_lit *rest = s->learnt_lits;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < c->size; i++) {
        if (s->value[c->lits[i]] == 0) {
            rest[kept++] = c->lits[i];
        }
    }
    if (s->proof != NULL) {
        cns_proof_learnt(s, rest, kept);
        cns_proof_delete(s, c->lits, c->size);
    }
    s->arena_garbage += c->size - kept;
    c->size = kept;
    memcpy(c->lits, rest, kept * sizeof *rest);
    return true;
}

bool cns_simplify_clauses(cns_state *s) {
    CNS_ASSERT(s->level == 0 && s->queue_count == 0 && !s->failed);
    bool done = true;
    for (uint32_t k = 0; done && k < s->original_count; k++) {
        done = shrink(s, s->originals[k]);
    }
    for (uint32_t k = 0; done && k < s->learnt_count; k++) {
        done = shrink(s, s->learnts[k]);
    }
    collect(s);
    return done;
}
