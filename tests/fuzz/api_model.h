/* SPDX-License-Identifier: MIT
 *
 * api_model.h - a random model in a solver and all its solutions, for fuzz_api.c.
 *
 * Most of it is solver_random.h's tiny models of every kind; arithmetic at the limits comes on top:
 * sparse domains out to +-2^40, results that a constraint defines, rows with coefficients that may
 * overflow. It can grow. Calls for which there was no memory are repeated.
 */
#ifndef CNS_FUZZ_API_MODEL_H
#define CNS_FUZZ_API_MODEL_H

#include "solver_random.h"
#include "support.h"

enum { API_VARIABLES = 64, API_VALUES = 8, API_ASSIGNMENTS = 6000 };

/* A variable of a list of values, or one that a constraint defines by those before it. */
typedef struct api_var {
    int64_t values[API_VALUES];
    int value_count; /* 0: it is `kind` of the arguments, within low..high */
    int64_t low, high;
    cns_constraint_kind kind;
    cns_var arguments[4];
    int argument_count;
} api_var;

typedef struct api_model {
    cns_context *context;
    cns_solver *solver;
    support_failing *failing; /* the context's allocator */
    cns_rng rng;
    api_var vars[API_VARIABLES];
    uint32_t count;
    int64_t assignments;
    bool outputs[API_VARIABLES]; /* marked; none: all count */
    bool any_output;
    int64_t (*solutions)[API_VARIABLES]; /* all assignments that hold, in an order of values */
    size_t solution_count, solution_capacity;
} api_model;

/* Whether the call is to be repeated: memory gave out, and is there again. */
bool api_again(api_model *m, cns_status status);

#define API_REPEAT(m, call)                                                                        \
    while (api_again(m, call)) {                                                                   \
    }

/* Into a solver without variables. `kind` as of solver_random_build; `wide`: with arithmetic. */
void api_model_make(api_model *m, int kind, bool wide);
/* More constraints, mostly of the variables that there are. */
void api_model_grow(api_model *m, bool wide);
/* A random variable, literal; the latter needs one of domain 0..1: false when there is none. */
cns_var api_model_any(api_model *m);
bool api_model_literal(api_model *m, cns_var *out);
/* Finds all solutions, by brute force over the lists of values. */
void api_model_judge(api_model *m);
/* Whether two solutions differ in no output. */
bool api_model_same(const api_model *m, const int64_t *a, const int64_t *b);
void api_model_forget(api_model *m);

#endif
