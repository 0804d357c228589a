/* SPDX-License-Identifier: MIT
 *
 * solver/share.h - clauses that workers tell each other, in words that all of them have.
 *
 * A literal is told as what it says: a Boolean of the model's loading, or a bound or a value of an
 * integer of it, since atoms have other numbers in each worker. What is told follows from the model
 * and the bound of the objective alone, never from assumptions: conflict analysis has those as
 * decisions. Each worker writes into an outbox of its own; between two rounds they go into a pool
 * that is only read while workers run, so there is no lock.
 */
#ifndef CNS_SOLVER_SHARE_H
#define CNS_SOLVER_SHARE_H

#include "solver/state.h"

typedef struct cns_told_lit {
    int64_t value;
    uint32_t id; /* a literal; a term (it is >= value); 2 * integer + 1 for "is not value" */
    uint32_t kind;
} cns_told_lit;

typedef struct cns_told_clause {
    uint32_t start, size; /* size 1: a fact of the root */
    uint32_t lbd;
    uint32_t from;
} cns_told_clause;

typedef struct cns_told { /* growing arrays */
    cns_told_lit *lits;
    cns_told_clause *clauses;
    uint32_t lit_count, lit_capacity;
    uint32_t clause_count, clause_capacity;
    uint32_t facts; /* how many of the clauses are of the root */
} cns_told;

typedef struct cns_outbox {
    cns_told told;
    uint32_t from;
    uint32_t ints, bools; /* numbers below these are common */
    uint32_t lbd_limit, size_limit;
} cns_outbox;

void cns_told_deinit(cns_context *context, cns_told *told);
/* Appends all of `other`. Memory counts in `state`, which gets the status when it gives out. */
bool cns_told_append(cns_state *state, cns_told *told, const cns_told *other);
/* Drops the first `count` clauses. */
void cns_told_drop(cns_told *told, uint32_t count);
void cns_told_clear(cns_told *told);

/* What the state calls when it has an outbox: a clause was learnt, a fact holds at the root. */
void cns_tell_clause(cns_state *state, const cns_lit *lits, uint32_t count, uint32_t lbd);
void cns_tell_fact(cns_state *state, cns_fact fact);

/* At the root: takes the clauses from number `first` on in, but those from `from`. False: the state
 * failed, or memory gave out. */
bool cns_hear(cns_state *state, const cns_told *told, uint32_t first, uint32_t from);

#endif
