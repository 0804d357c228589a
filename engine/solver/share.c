/* SPDX-License-Identifier: MIT
 *
 * solver/share.c - see share.h.
 */
#include "solver/share.h"

#include <string.h>

#define HEARD_LBD 4 /* longer clauses heard are kept while they are used */

/* ---- the arrays ----------------------------------------------------------------------------- */

void cns_told_deinit(cns_context *context, cns_told *told) {
    cns_context_free(context, told->lits, told->lit_capacity * sizeof *told->lits,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, told->clauses, told->clause_capacity * sizeof *told->clauses,
                     CNS_ALIGN_DEFAULT);
    memset(told, 0, sizeof *told);
}

static bool reserve(cns_state *s, cns_told *told, uint32_t lits, uint32_t clauses) {
    return cns_grow(s, &told->lits, sizeof *told->lits, &told->lit_capacity,
                    told->lit_count + lits) &&
           cns_grow(s, &told->clauses, sizeof *told->clauses, &told->clause_capacity,
                    told->clause_count + clauses);
}

bool cns_told_append(cns_state *s, cns_told *told, const cns_told *other) {
    if (other->clause_count == 0) {
        return true;
    }
    if (!reserve(s, told, other->lit_count, other->clause_count)) {
        return false;
    }
    memcpy(told->lits + told->lit_count, other->lits, other->lit_count * sizeof *told->lits);
    for (uint32_t k = 0; k < other->clause_count; k++) {
        cns_told_clause *clause = &told->clauses[told->clause_count + k];
        *clause = other->clauses[k];
        clause->start += told->lit_count;
    }
    told->lit_count += other->lit_count;
    told->clause_count += other->clause_count;
    told->facts += other->facts;
    return true;
}

void cns_told_drop(cns_told *told, uint32_t count) {
    if (count == told->clause_count) {
        cns_told_clear(told);
        return;
    }
    uint32_t start = told->clauses[count].start;
    for (uint32_t k = 0; k < count; k++) {
        told->facts -= told->clauses[k].size == 1;
    }
    told->lit_count -= start;
    told->clause_count -= count;
    memmove(told->lits, told->lits + start, told->lit_count * sizeof *told->lits);
    memmove(told->clauses, told->clauses + count, told->clause_count * sizeof *told->clauses);
    for (uint32_t k = 0; k < told->clause_count; k++) {
        told->clauses[k].start -= start;
    }
}

void cns_told_clear(cns_told *told) {
    told->lit_count = 0;
    told->clause_count = 0;
    told->facts = 0;
}

/* ---- telling -------------------------------------------------------------------------------- */

/* Says what the literal says in common words; false when there are none. */
static bool put_literal(const cns_state *s, const cns_outbox *box, cns_lit lit, cns_told_lit *out) {
    uint32_t n = lit >> 1;
    const cns_atom *atom = &s->atoms[n];
    if (n < box->bools) {
        *out = (cns_told_lit){0, lit, CNS_BOOL_PLAIN};
        return true;
    }
    switch (s->kind[n]) {
    case CNS_BOOL_GE:
        *out = lit & 1 ? (cns_told_lit){1 - atom->value, 2 * atom->integer + 1, CNS_BOOL_GE}
                       : (cns_told_lit){atom->value, 2 * atom->integer, CNS_BOOL_GE};
        return atom->integer < box->ints;
    case CNS_BOOL_EQ:
        *out = (cns_told_lit){atom->value, 2 * atom->integer + (lit & 1), CNS_BOOL_EQ};
        return atom->integer < box->ints;
    default:
        return false;
    }
}

void cns_tell_clause(cns_state *s, const cns_lit *lits, uint32_t count, uint32_t lbd) {
    cns_outbox *box = s->outbox;
    cns_told *told = &box->told;
    if (count > 2 && (lbd > box->lbd_limit || count > box->size_limit)) {
        return;
    }
    if (!reserve(s, told, count, 1)) {
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!put_literal(s, box, lits[i], &told->lits[told->lit_count + i])) {
            return;
        }
    }
    told->clauses[told->clause_count++] = (cns_told_clause){told->lit_count, count, lbd, box->from};
    told->lit_count += count;
}

void cns_tell_fact(cns_state *s, cns_fact fact) {
    cns_outbox *box = s->outbox;
    cns_told *told = &box->told;
    if (!reserve(s, told, 1, 1)) {
        return;
    }
    cns_told_lit *lit = &told->lits[told->lit_count];
    if (fact.is_bound ? fact.id >> 1 >= box->ints : !put_literal(s, box, fact.id, lit)) {
        return;
    }
    if (fact.is_bound) {
        *lit = (cns_told_lit){fact.value, fact.id, CNS_BOOL_GE};
    }
    told->clauses[told->clause_count++] = (cns_told_clause){told->lit_count++, 1, 1, box->from};
    told->facts++;
}

/* ---- hearing -------------------------------------------------------------------------------- */

/* CNS_LIT_NONE when memory gave out. */
static cns_lit literal_of(cns_state *s, const cns_told_lit *told) {
    switch (told->kind) {
    case CNS_BOOL_GE:
        return cns_lit_ge(s, told->id, told->value);
    case CNS_BOOL_EQ: {
        cns_lit lit = cns_lit_eq(s, told->id & ~1u, told->value);
        return lit == CNS_LIT_NONE ? lit : lit ^ (told->id & 1);
    }
    default:
        return told->id;
    }
}

static bool hear_fact(cns_state *s, const cns_told_lit *told) {
    const cns_reason reason = cns_reason_make(CNS_REASON_ALWAYS, 0, 0);
    if (told->kind == CNS_BOOL_GE) {
        return cns_raise(s, told->id, told->value, reason);
    }
    cns_lit lit = literal_of(s, told);
    return lit != CNS_LIT_NONE && cns_enqueue(s, lit, reason);
}

static bool hear_clause(cns_state *s, const cns_told_lit *lits, uint32_t count) {
    if (count == 1) {
        return hear_fact(s, lits);
    }
    if (!cns_grow(s, &s->learnt_lits, sizeof *s->learnt_lits, &s->learnt_lit_capacity, count)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        s->learnt_lits[i] = literal_of(s, &lits[i]);
        if (s->learnt_lits[i] == CNS_LIT_NONE) {
            return false;
        }
    }
    return cns_add_learnt_clause(s, s->learnt_lits, count, HEARD_LBD);
}

bool cns_hear(cns_state *s, const cns_told *told, uint32_t first, uint32_t from) {
    CNS_ASSERT(s->level == 0);
    cns_outbox *box = s->outbox;
    s->outbox = NULL; /* what was heard is not told again */
    bool done = !s->failed && s->status == CNS_OK;
    for (uint32_t k = first; done && k < told->clause_count; k++) {
        const cns_told_clause *clause = &told->clauses[k];
        if (clause->from != from) {
            done = hear_clause(s, told->lits + clause->start, clause->size);
            s->ticks += clause->size;
        }
    }
    s->outbox = box;
    return done;
}
