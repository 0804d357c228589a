/* SPDX-License-Identifier: MIT
 *
 * solver/model.h - the model as the user stated it: variables, constraints, goal, search phases.
 *
 * The model is the solver's memory of what was asked. The search runs on what load.c makes of it,
 * while evaluate.c judges solutions by the model alone. A model only grows; everything in it is
 * valid by construction: cns_model_add refuses what does not fit its kind or could overflow.
 * Arrays of arguments lie in two pools, behind each other; a span stays valid by index.
 */
#ifndef CNS_SOLVER_MODEL_H
#define CNS_SOLVER_MODEL_H

#include <stdbool.h>

#include "base/context.h"
#include "cns/solver.h"

typedef struct cns_model_var {
    int64_t low, high;
    uint32_t ranges;      /* where its ranges begin in `ints` (low, high, low, high, ...) */
    uint32_t range_count; /* at least 1 */
    uint32_t name;        /* offset in `text`; 0 is the empty name */
    bool output;          /* tells solutions apart */
} cns_model_var;

typedef struct cns_model_span {
    uint32_t start, count;
} cns_model_span;

typedef struct cns_shared { /* of model_share.c */
    uint64_t hash;
    cns_model_span span; /* in `ints`; count 0: an empty slot */
} cns_shared;

typedef struct cns_model_constraint {
    uint8_t kind;      /* cns_constraint_kind */
    uint8_t condition; /* cns_reification */
    bool redundant;
    cns_var literal;
    uint32_t name; /* offset in `text` */
    cns_model_span v[4];
    cns_model_span i[4];
} cns_model_constraint;

typedef struct cns_model_phase {
    cns_model_span vars; /* in `vars` */
    cns_choose_var var_rule;
    cns_choose_value value_rule;
} cns_model_phase;

typedef struct cns_model {
    cns_context *context;
    cns_model_var *variables;
    uint32_t variable_count, variable_capacity;
    cns_model_constraint *constraints;
    uint32_t constraint_count, constraint_capacity;
    cns_model_phase *phases;
    uint32_t phase_count, phase_capacity;
    cns_var *vars; /* pool of variable arguments */
    uint32_t var_count, var_capacity;
    int64_t *ints; /* pool of integer arguments */
    uint32_t int_count, int_capacity;
    cns_shared *shared; /* open addressing: long arguments, which are kept once */
    uint32_t shared_count, shared_capacity;
    char *text; /* names, each ended by 0; the first is empty */
    uint32_t text_count, text_capacity;
    uint32_t *constant_slots; /* open addressing: variables made by cns_model_constant */
    uint32_t constant_count, constant_capacity;
    cns_goal goal;
    cns_var objective;
    int64_t *hints;         /* by variable; NULL without any */
    bool *hinted;           /* by variable */
    uint32_t hint_capacity; /* of both; variables beyond it have no hint */
    bool any_output;
} cns_model;

cns_status cns_model_init(cns_model *model, cns_context *context);
void cns_model_deinit(cns_model *model);

cns_status cns_model_new_var(cns_model *model, const int64_t *ranges, size_t count,
                             const char *name, cns_var *out);
cns_status cns_model_constant(cns_model *model, int64_t value, cns_var *out);
/* Checks everything about `constraint`, then copies it. Unchanged on failure. */
cns_status cns_model_add(cns_model *model, const cns_constraint *constraint);
cns_status cns_model_add_phase(cns_model *model, const cns_var *vars, size_t count,
                               cns_choose_var var_rule, cns_choose_value value_rule);
cns_status cns_model_set_goal(cns_model *model, cns_goal goal, cns_var var);
cns_status cns_model_hint(cns_model *model, cns_var var, int64_t value);
cns_status cns_model_mark_output(cns_model *model, cns_var var);

/* True when `var` is a variable, or ~b of a Boolean one (bounds within 0..1). */
bool cns_model_is_var(const cns_model *model, cns_var var);
bool cns_model_is_literal(const cns_model *model, cns_var var);
/* Bounds of a variable or of ~b; requires cns_model_is_var. */
int64_t cns_model_low(const cns_model *model, cns_var var);
int64_t cns_model_high(const cns_model *model, cns_var var);

static inline const cns_var *cns_model_v(const cns_model *model, const cns_model_constraint *c,
                                         int k) {
    return model->vars + c->v[k].start;
}

static inline const int64_t *cns_model_i(const cns_model *model, const cns_model_constraint *c,
                                         int k) {
    return model->ints + c->i[k].start;
}

static inline const char *cns_model_text(const cns_model *model, uint32_t offset) {
    return model->text + offset;
}

/* ---- evaluate.c ----------------------------------------------------------------------------- */

/* The value of a variable or of ~b under an assignment of all variables. */
static inline int64_t cns_model_value(const int64_t *values, cns_var var) {
    return var >= 0 ? values[var] : 1 - values[~var];
}

/* Whether constraint number `index` holds, its condition included. Written for clarity from the
 * text of cns/solver.h and shares nothing with the propagators. Needs scratch memory for some
 * kinds: CNS_E_NOMEM. */
cns_status cns_model_evaluate(const cns_model *model, uint32_t index, const int64_t *values,
                              bool *holds);
/* All domains and constraints; *failed is the first constraint that fails, or UINT32_MAX with
 * *variable set when a variable lies outside its domain. *holds when all is well. No limit is
 * looked at: who stops at one would lose the solution. It takes about n log n for n arguments (20
 * ms for the 578,000 constraints of 50 MB of FlatZinc), but for boxes: each is compared with those
 * that begin before it ends. */
cns_status cns_model_evaluate_all(const cns_model *model, const int64_t *values, bool *holds,
                                  uint32_t *failed, uint32_t *variable);

#endif
