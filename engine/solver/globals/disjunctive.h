/* SPDX-License-Identifier: MIT
 *
 * solver/globals/disjunctive.h - inside of disjunctive: the propagator over bounds, its reasons.
 */
#ifndef CNS_SOLVER_GLOBALS_DISJUNCTIVE_H
#define CNS_SOLVER_GLOBALS_DISJUNCTIVE_H

#include "solver/globals/tasks.h"
#include "solver/globals/theta_tree.h"

typedef struct cns_disjunctive {
    cns_propagator base;
    cns_task *tasks;
    uint32_t count;
    bool entangled;
    bool stale;          /* entangled, and something was deduced: the bounds read are old */
    cns_lit *before;     /* [i * count + j]: a literal for "i before j"; NULL: there are none */
    cns_frame now, then; /* bounds in a propagation, and in an explanation */
    uint32_t *by_est[2]; /* tasks in ascending order, by direction of time */
    uint32_t *by_ect[2], *by_lst[2], *by_lct[2];
    int64_t *key;
    int64_t *limit;   /* by task: what the rule of durations finds */
    uint32_t *leaf;   /* by task: its place in by_est */
    uint32_t *chosen; /* for explanations */
    cns_theta_tree tree;
    cns_records records;
    size_t block_size;
} cns_disjunctive;

enum {
    CNS_RULE_PRECEDENCE, /* those known to come first take until then */
    CNS_RULE_NOT_LAST,   /* it cannot be last: it ends before another one starts */
    CNS_RULE_EDGE,       /* it comes after all that end by `b` */
    CNS_RULE_OVERLOAD,   /* with it, too much must happen until `b` */
    CNS_RULE_DURATION    /* it ends before another one starts, and so is not long */
};

/* Whether j is known to precede i in the frame, by a literal, or (without literals) by bounds. The
 * literal goes to `why`; CNS_LIT_NONE: bounds. */
bool cns_disjunctive_precedes(const cns_state *state, const cns_disjunctive *p,
                              const cns_frame *frame, uint32_t j, uint32_t i, uint32_t position,
                              cns_lit *why);
/* Facts why more than fits must be done by `b` in the present state. */
void cns_disjunctive_explain_overload(cns_state *state, cns_disjunctive *p, bool backwards,
                                      int64_t b, cns_facts *out);
void cns_disjunctive_explain(cns_state *state, cns_propagator *self, uint32_t data, cns_fact fact,
                             uint32_t position, cns_facts *out);

/* cns_post_disjunctive with another limit of how many tasks get literals for their orders. */
cns_status cns_post_disjunctive_limited(cns_state *state, cns_post post, cns_views starts,
                                        cns_views durations, const cns_lit *presence, bool strict,
                                        uint32_t literal_limit);

#endif
