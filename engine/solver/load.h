/* SPDX-License-Identifier: MIT
 *
 * solver/load.h - from the model to the state: aliases, literals, views, propagators.
 *
 * Loading is presolve: variables that an equation ties to another (x = +-y + c) share its integer,
 * and a Boolean that reifies [x <= v] or [x = v] is that literal. Nothing is lost by it: every
 * variable of the model keeps a view or a literal, from which its value is read. Constraints added
 * later are loaded on top of what is there.
 */
#ifndef CNS_SOLVER_LOAD_H
#define CNS_SOLVER_LOAD_H

#include "solver/globals/globals.h"
#include "solver/model.h"

/* x = sign * root + offset; a variable without an alias is its own root. */
typedef struct cns_alias {
    cns_var root;
    int32_t sign;
    int64_t offset;
} cns_alias;

typedef struct cns_loader {
    const cns_model *model;
    cns_state *state;
    cns_alias *aliases;     /* by variable */
    int64_t **domains;      /* by variable: the domain narrowed by aliases; NULL: as declared */
    uint32_t *range_counts; /* of `domains` */
    cns_lit *lits;          /* by variable: of roots that are Boolean; CNS_LIT_NONE: none yet */
    cns_view *views;        /* by variable: of roots; term CNS_TERM_NONE: none yet */
    uint32_t variable_count, alias_capacity, domain_capacity, range_capacity, lit_capacity,
        view_capacity;
    struct cns_load_batch *loading; /* of a batch of constraints, while it goes on; else NULL */
    uint32_t constraint_count;      /* loaded so far, with those of the batch */
    uint32_t batches;               /* so far */
    uint64_t ticks;                 /* what it all cost, beside propagation */
    cns_view *scratch_views; /* arguments of the constraint at hand, one array behind another */
    uint32_t scratch_view_count, scratch_view_capacity;
    cns_lit *scratch_lits;
    uint32_t scratch_lit_count, scratch_lit_capacity;
    int64_t *scratch_ints;
    uint32_t scratch_int_count, scratch_int_capacity;
    struct cns_exactly *exactly; /* presolve_exactly.h, while constraints are posted; else NULL */
    int64_t *linear_ints;        /* scratch of load_linear.c */
    cns_lit *linear_lits;
    uint32_t linear_int_capacity, linear_lit_capacity;
} cns_loader;

void cns_loader_init(cns_loader *loader, const cns_model *model, cns_state *state);
void cns_loader_deinit(cns_loader *loader);
/* Loads what was added to the model since the last call. The state is at its root. CNS_OK also when
 * the model turns out infeasible (state->failed). */
cns_status cns_load(cns_loader *loader);
/* The same in pieces of about `ticks`, at least a constraint each, until *done. The model may grow
 * in between. */
cns_status cns_load_some(cns_loader *loader, uint64_t ticks, bool *done);

/* What a variable (or ~b) is of its root. */
cns_alias cns_load_alias(cns_loader *loader, cns_var var);
/* The literal or view of a variable (or ~b), made when there is none yet. CNS_LIT_NONE, false:
 * memory gave out. */
cns_lit cns_load_lit(cns_loader *loader, cns_var var);
bool cns_load_view(cns_loader *loader, cns_var var, cns_view *out);
/* Bounds of a variable's domain as it is known, at least as declared; makes nothing. */
void cns_load_bounds(cns_loader *loader, cns_var var, int64_t *low, int64_t *high);
/* The value in the state, where all is fixed; of a variable that nothing refers to: its least. */
int64_t cns_load_value(const cns_loader *loader, cns_var var);
/* The value that the search tries first, if the variable has a literal or a view. Any level. */
void cns_load_prefer(cns_loader *loader, cns_var var, int64_t value);

/* ---- shared by load*.c ---------------------------------------------------------------------- */

/* a <=> b */
bool cns_load_equate(cns_loader *loader, cns_lit a, cns_lit b);
/* Posts a constraint other than an alias. */
cns_status cns_load_constraint(cns_loader *loader, uint32_t index);
/* sum a[j] x[j] (rel) c under a condition; lists are normalised in place. */
cns_status cns_load_linear(cns_loader *loader, uint32_t origin, cns_constraint_kind kind,
                           cns_reification condition, cns_lit literal, int64_t *a, cns_view *x,
                           uint32_t count, int64_t c);
/* A literal that is true exactly when x = y. */
cns_lit cns_load_equal_lit(cns_loader *loader, uint32_t origin, cns_view x, cns_view y);
/* The literal of a view of an integer 0..1, when it is one; else CNS_LIT_NONE. */
cns_lit cns_load_lit_of_view(cns_loader *loader, cns_view view);

#endif
