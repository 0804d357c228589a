/* SPDX-License-Identifier: MIT
 *
 * solver/proof.h - writes what a search concludes as text that can be checked without it.
 *
 * The format is that of doc/solver-proofs.md. Only what conflict analysis used is written: what it
 * asked propagators for, and what it learnt; besides all that is deduced at the root by other means
 * than clauses. A state without a proof has `proof` NULL, and pays for a look at that.
 */
#ifndef CNS_SOLVER_PROOF_H
#define CNS_SOLVER_PROOF_H

#include "solver/model.h"
#include "solver/state.h"

enum { CNS_PROOF_BUFFER = 1 << 15 };

struct cns_mdd_edge; /* of solver/globals/globals.h */

typedef struct cns_proof {
    cns_solver_proof_write write;
    void *user;
    const cns_model *model;
    uint8_t *known_ints;  /* by integer: it was defined */
    uint8_t *known_bools; /* by Boolean, plain ones */
    uint32_t int_capacity, bool_capacity;
    uint32_t *origins; /* by trail position: the constraint whose propagator made the entry */
    uint32_t origin_capacity;
    bool failed; /* the sink refused something: nothing is written any more */
    bool begun;
    uint32_t length; /* of `text` */
    char text[CNS_PROOF_BUFFER];
} cns_proof;

/* The header: the variables' names. */
void cns_proof_begin(cns_state *state);
void cns_proof_deinit(cns_proof *proof, cns_context *context);
/* Hands on what is buffered; false: the sink has refused something. */
bool cns_proof_flush(cns_proof *proof);

/* ---- definitions ---------------------------------------------------------------------------- */

/* Variable `from` is sign * to + offset by constraint `origin`. */
void cns_proof_alias(cns_state *state, uint32_t origin, cns_var from, cns_var to);
/* The Boolean variable is the literal, by constraint `origin`. */
void cns_proof_meaning(cns_state *state, uint32_t origin, cns_var var, cns_lit lit);
/* The integer, or the plain literal, is the model's variable. */
void cns_proof_int_is(cns_state *state, uint32_t integer, cns_var var);
void cns_proof_bool_is(cns_state *state, cns_lit lit, cns_var var);
/* The integer, of domain 0..1, is the literal. */
void cns_proof_int_is_lit(cns_state *state, uint32_t integer, cns_lit lit);

/* ---- what new Booleans mean ------------------------------------------------------------------
 * Each is for a Boolean that a constraint has just made while it is posted: so a step about it can
 * be verified by itself. Without a proof they do nothing.
 */

/* lit is true exactly when all of `lits` are; when one of them is. */
void cns_proof_define_all(cns_state *state, cns_lit lit, const cns_lit *lits, uint32_t count);
void cns_proof_define_any(cns_state *state, cns_lit lit, const cns_lit *lits, uint32_t count);
/* lit is true exactly when a[0] x[0] + ... <= limit, or = limit. */
void cns_proof_define_linear(cns_state *state, cns_lit lit, bool equal, const int64_t *a,
                             const cns_view *x, uint32_t count, int64_t limit);
/* lit is true exactly when all of `lits` are and x + d <= y. */
void cns_proof_define_order(cns_state *state, cns_lit lit, const cns_lit *lits, uint32_t count,
                            cns_view x, cns_view d, cns_view y);
/* lit is a part of the constraint's meaning that the format names, with its numbers. */
void cns_proof_define_part(cns_state *state, cns_lit lit, const char *part, const int64_t *numbers,
                           uint32_t count);
/* The next layer of the diagram whose nodes and edges the constraint's Booleans will be. */
void cns_proof_layer(cns_state *state, const struct cns_mdd_edge *edges, uint32_t count);

/* ---- steps ---------------------------------------------------------------------------------- */

/* `facts` from `start` on imply `fact` (NULL: cannot hold together) by constraint `origin`. */
void cns_proof_lemma(cns_state *state, uint32_t origin, const cns_facts *facts, uint32_t start,
                     const cns_fact *fact);
/* The same for an entry's reason, unless that is a clause or an axiom. */
void cns_proof_reason(cns_state *state, uint32_t position, const cns_facts *facts, uint32_t start,
                      const cns_fact *fact);
/* A clause that constraint `origin` implies, at the root. */
void cns_proof_clause(cns_state *state, uint32_t origin, const cns_lit *lits, uint32_t count);
/* A clause that propagation alone refutes the negation of. */
void cns_proof_learnt(cns_state *state, const cns_lit *lits, uint32_t count);
void cns_proof_delete(cns_state *state, const cns_lit *lits, uint32_t count);
/* The values of all variables; then what is left are better ones, or those that the clause does
 * not exclude. */
void cns_proof_solution(cns_state *state, const int64_t *values);
void cns_proof_improve(cns_state *state);
void cns_proof_exclude(cns_state *state, const cns_lit *lits, uint32_t count);
/* No further solution; under the literals. */
void cns_proof_conclude(cns_state *state, const cns_lit *lits, uint32_t count);

/* Remembers which propagator made the trail's entry. */
bool cns_proof_note(cns_state *state, uint32_t position);

#endif
