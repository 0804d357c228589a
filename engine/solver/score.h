/* SPDX-License-Identifier: MIT
 *
 * solver/score.h - values for all variables of a model, and what they violate, kept up to date.
 *
 * Many variables of a model are functions of others: sums, maxima, reified Booleans. A constraint
 * that defines such a variable never fails: when its inputs change, the variable follows, in the
 * order of the definitions, which form no cycle (invariants as of Van Hentenryck, Michel 2005). A
 * follower may leave its domain, which counts as a violation of its own. The other variables are
 * free: they lie in their domains always. A change is tried, then kept or undone. Items are the
 * constraints, then the domains of followers; their costs are violations on a logarithmic scale,
 * times a weight of each. All memory is taken at the beginning, in proportion to the model's, and
 * nothing depends on addresses.
 */
#ifndef CNS_SOLVER_SCORE_H
#define CNS_SOLVER_SCORE_H

#include "base/rng.h"
#include "solver/violation.h"

#define CNS_SCORE_UNIT (1 << 20) /* the cost of a violation of 1 by weight 1 */
#define CNS_NO_ITEM UINT32_MAX
#define CNS_SCORE_SETS 8 /* the most in a trial */

typedef struct cns_touch {
    uint32_t item; /* a constraint */
    uint32_t sort; /* cns_touch_sort */
    int64_t factor;
} cns_touch;

typedef struct cns_follows { /* what a constraint defines */
    uint8_t argument;        /* of `v`; CNS_FOLLOWS_LITERAL; or CNS_FOLLOWS_NONE */
    uint32_t start, count;
} cns_follows;

enum { CNS_FOLLOWS_LITERAL = 4, CNS_FOLLOWS_NONE = 5 };

typedef struct cns_change {
    uint32_t id;
    int64_t old;
} cns_change;

typedef struct cns_item_change {
    uint32_t item, cost;
    cns_wide sum;
} cns_item_change;

/* How often each value low .. low + span - 1 occurs in an alldifferent. */
typedef struct cns_tally {
    int64_t low;
    uint32_t start, span; /* in `tallies`; span 0: not counted */
} cns_tally;

/* What ends the making early. */
typedef struct cns_score_limits {
    const _Atomic bool *cancelled; /* NULL: nothing */
    uint64_t deadline;             /* by cns_os_clock(); 0: none */
} cns_score_limits;

typedef struct cns_score {
    cns_context *context;
    const cns_model *model;
    uint32_t variable_count, constraint_count, item_count, touch_count, tally_count;
    size_t scratch_count;
    int64_t *values;
    int64_t *low, *high;    /* by variable: the domain's, made narrower */
    uint32_t *definitions;  /* by variable: the constraint that it follows; CNS_NO_ITEM: free */
    uint32_t *domain_items; /* by variable: its item; CNS_NO_ITEM */
    uint32_t *item_vars;    /* by item - constraint_count */
    uint32_t *touch_starts; /* by variable */
    cns_touch *touches;
    bool *tallied;        /* by variable: some alldifferent counts it */
    cns_follows *follows; /* by constraint */
    uint32_t *levels;     /* by constraint: above those that it depends on */
    uint32_t *plain;      /* scratch: touched constraints that define nothing */
    uint32_t *queue;      /* scratch: a heap by level, of those that do */
    uint32_t plain_count, queue_count;
    bool *queued;             /* by constraint */
    cns_wide *sums;           /* by constraint: of linear ones; literals true; values doubled */
    cns_tally *alldifferents; /* by constraint */
    uint32_t *tallies;
    uint32_t *costs;    /* by item, without its weight */
    uint32_t *weights;  /* by item */
    uint32_t *violated; /* items of a cost, in no order */
    uint32_t *places;   /* by item: in `violated`; CNS_NO_ITEM */
    uint32_t violated_count;
    int64_t total; /* costs times weights */
    cns_change *changes;
    cns_item_change *item_changes;
    uint32_t change_count, item_change_count;
    cns_pair *scratch;
    uint64_t ticks;
    uint64_t reach; /* ticks of a variable's change, at most; those of what follows it aside */
} cns_score;

/* To be followed by cns_score_assign, or what it consists of. CNS_E_CANCELLED, CNS_E_DEADLINE:
 * a limit was reached. On failure there is nothing to deinit. The model does not change meanwhile.
 */
cns_status cns_score_init(cns_score *score, cns_context *context, const cns_model *model,
                          cns_score_limits limits);
void cns_score_deinit(cns_score *score);

/* The variable lies within low .. high, too. False, and nothing changes: that would leave nothing
 * of its domain. Needs cns_score_assign afterwards. */
bool cns_score_narrow(cns_score *score, uint32_t var, int64_t low, int64_t high);
/* All anew: free variables from `values` (each brought into its domain), followers from them. */
void cns_score_assign(cns_score *score, const int64_t *values);
/* The same in pieces. Between the first two, free variables may be given other values of their
 * domains; behind them nothing is up to date until cns_score_settle, which works until ticks reach
 * `ticks_end` or a little more, has come to the end: true. Each may be followed by the first. */
void cns_score_put(cns_score *score, const int64_t *values);
void cns_score_begin(cns_score *score);
bool cns_score_settle(cns_score *score, uint64_t ticks_end);
/* The value of the variable's domain, made narrower, that is nearest. */
int64_t cns_score_nearest(const cns_score *score, uint32_t var, int64_t value);

static inline bool cns_score_free(const cns_score *score, uint32_t var) {
    return score->definitions[var] == CNS_NO_ITEM && score->low[var] < score->high[var];
}

/* A trial: some sets of free variables to values of their domains, one update, then
 * keep or undo. */
void cns_score_set(cns_score *score, uint32_t var, int64_t value);
void cns_score_update(cns_score *score);
void cns_score_keep(cns_score *score);
void cns_score_undo(cns_score *score);

void cns_score_raise_weight(cns_score *score, uint32_t item);
void cns_score_reset_weights(cns_score *score);

/* Whether all that is kept up to date is as it would be made anew: CNS_E_CORRUPT. */
cns_status cns_score_check(cns_score *score);

/* Whether the constraint's body holds, and how far it is from (not) holding. */
int64_t cns_score_violation(const cns_score *score, uint32_t constraint, bool negated);
static inline cns_evaluation cns_score_evaluation(const cns_score *score, uint32_t constraint) {
    return (cns_evaluation){score->model, &score->model->constraints[constraint], score->values,
                            score->scratch};
}

#endif
