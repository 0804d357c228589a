/* SPDX-License-Identifier: MIT
 *
 * solver/worker.h - a state made from the model, with what loads it and what searches it.
 *
 * Every thread of a parallel search has one. The model is shared, and only read. Loading the same
 * model into a fresh state gives the same numbers to the same integers and Booleans, whatever the
 * seed, unless memory gives out for presolve: those below `common_ints` and `common_bools` mean the
 * same in all workers of one numbering.
 */
#ifndef CNS_SOLVER_WORKER_H
#define CNS_SOLVER_WORKER_H

#include "solver/load.h"
#include "solver/search.h"

/* What the numbers depend on. */
typedef struct cns_shape {
    uint32_t variables, constraints, phases, outputs;
    cns_goal goal;
    cns_var objective;
} cns_shape;

typedef struct cns_worker {
    cns_state state;
    cns_loader loader;
    cns_search search;
    uint32_t loaded_phases;
    bool loaded;     /* once, since it was opened */
    cns_shape shape; /* of the model that was loaded first, all at once */
    uint32_t common_ints, common_bools;
    uint64_t numbering; /* a hash of what they are */
    bool open;
} cns_worker;

/* What is searched for, and how. */
typedef struct cns_orders {
    const cns_solve_options *options;
    const cns_var *assumptions;
    uint32_t assumption_count;
} cns_orders;

/* requires: all zero, or closed. The counters and ticks of before stay, whenever it is closed. */
cns_status cns_worker_open(cns_worker *worker, cns_context *context, const cns_model *model,
                           uint64_t seed);
/* Also of one that is not open (all zero). */
void cns_worker_close(cns_worker *worker);
/* Brings the state, at its root afterwards, up to the model. One that failed is to be closed. */
cns_status cns_worker_load(cns_worker *worker, const cns_orders *orders);
/* The same in pieces of about `ticks`, until *done. Nothing else is done with it before. */
cns_status cns_worker_load_some(cns_worker *worker, const cns_orders *orders, uint64_t ticks,
                                bool *done);
void cns_worker_apply_options(cns_worker *worker, const cns_orders *orders);
cns_shape cns_worker_shape(const cns_model *model);
bool cns_worker_has_shape(const cns_worker *worker, cns_shape shape);
/* Whether both have loaded the same first, so that what they have in common means the same. */
bool cns_worker_numbers_alike(const cns_worker *a, const cns_worker *b);
/* Only solutions with a better objective than `objective` are left. */
void cns_worker_improve(cns_worker *worker, int64_t objective);
/* The values are those to try first from now on. */
void cns_worker_prefer(cns_worker *worker, const int64_t *values);

#endif
