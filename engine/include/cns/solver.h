/* SPDX-License-Identifier: MIT
 *
 * cns/solver.h - a constraint solver over integers and Booleans: lazy clause generation.
 *
 * A solver holds a model (variables, constraints, an objective, search hints) and searches it in
 * steps that the host can bound, pause, resume and cancel. Every solution is checked against the
 * model by an evaluator of its own before it is reported.
 *
 * Variables are numbers. A Boolean is an integer of domain 0..1; wherever an argument is named a
 * literal, `~b` stands for "not b". Bounds lie within +-CNS_SOLVER_BOUND; what could overflow 62
 * bits is refused when it is added, with the constraint's name.
 *
 * One thread at a time may use a solver, except for cns_solver_cancel. No two solvers share
 * anything but their context.
 */
#ifndef CNS_SOLVER_H
#define CNS_SOLVER_H

#include "cns/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cns_solver cns_solver;

/* A variable's number, >= 0; `~b` negates the Boolean b. */
typedef int32_t cns_var;

#define CNS_SOLVER_BOUND 1099511627776 /* 2^40: the largest absolute value of a variable */

/* ---- creation ------------------------------------------------------------------------------- */

typedef struct cns_solver_config {
    uint32_t size;
    uint32_t reserved;
    uint64_t seed; /* 0: ties in the search go to the variable that was made first; else by it */
    uint64_t memory_limit; /* bytes this solver may hold; 0 for no limit but the context's */
} cns_solver_config;

CNS_API cns_status cns_solver_create(cns_context *context, const cns_solver_config *config,
                                     cns_solver **out);
CNS_API void cns_solver_destroy(cns_solver *solver);
/* Changes the memory limit (0: none). A call that would pass it gives CNS_E_LIMIT; the last
 * solution stays, and once there is room, further steps go on. */
CNS_API void cns_solver_set_memory_limit(cns_solver *solver, uint64_t bytes);

/* ---- variables ------------------------------------------------------------------------------ */

/* A new variable of domain low..high. `name` is copied, and may be NULL. CNS_E_RANGE when low >
 * high or beyond CNS_SOLVER_BOUND. */
CNS_API cns_status cns_solver_new_int(cns_solver *solver, int64_t low, int64_t high,
                                      const char *name, cns_var *out);
/* The same with a domain of `count` ranges: low and high alternate, ascending, disjoint. */
CNS_API cns_status cns_solver_new_int_ranges(cns_solver *solver, const int64_t *ranges,
                                             size_t count, const char *name, cns_var *out);
CNS_API cns_status cns_solver_new_bool(cns_solver *solver, const char *name, cns_var *out);
/* The variable that is `value`; the same one for the same value. */
CNS_API cns_status cns_solver_constant(cns_solver *solver, int64_t value, cns_var *out);
CNS_API uint32_t cns_solver_variable_count(const cns_solver *solver);
/* The declared bounds (those of `~b`, too). */
CNS_API cns_status cns_solver_bounds(const cns_solver *solver, cns_var var, int64_t *low,
                                     int64_t *high);
/* "" for a variable without a name; NULL for one that is none. Valid until the next change. */
CNS_API const char *cns_solver_variable_name(const cns_solver *solver, cns_var var);
/* Solutions that differ in none of the marked variables count as one when all are enumerated.
 * Without any mark, every variable counts. */
CNS_API cns_status cns_solver_mark_output(cns_solver *solver, cns_var var);

/* ---- constraints ---------------------------------------------------------------------------- */

/* The arguments of each kind: v0..v3 are arrays of variables, i0..i3 arrays of integers; x[j], y
 * and so on name their elements. An index counts from its `base` (i.. {base}; empty means 1). */
typedef enum cns_constraint_kind {
    CNS_CLAUSE = 1,   /* v0 literals: at least one holds */
    CNS_XOR,          /* v0 literals: an odd number of them holds */
    CNS_LINEAR_EQ,    /* i0 a, v0 x, i1 {c}: sum a[j] x[j] = c */
    CNS_LINEAR_NE,    /* ... != c */
    CNS_LINEAR_LE,    /* ... <= c */
    CNS_IN,           /* v0 {x}, i0 ranges as of cns_solver_new_int_ranges: x is in one */
    CNS_TIMES,        /* v0 {x, y, z}: x * y = z */
    CNS_DIV,          /* v0 {x, y, z}: x / y = z, towards 0; y != 0 */
    CNS_MOD,          /* v0 {x, y, z}: x - (x / y) * y = z; y != 0 */
    CNS_POW,          /* v0 {x, y, z}: x ^ y = z; y < 0: 1 / x^-y towards 0, x != 0; 0^0 = 1 */
    CNS_ABS,          /* v0 {x, z}: |x| = z */
    CNS_MIN,          /* v0 x, v1 {z}: the least x[j] is z */
    CNS_MAX,          /* v0 x, v1 {z}: the greatest x[j] is z */
    CNS_ELEMENT,      /* v0 {index, z}, i0 {base}, v1 x, or i1 values: x[index] = z */
    CNS_ALLDIFFERENT, /* v0 x, i0 values excepted: all x[j] outside i0 differ */
    CNS_GLOBAL_CARDINALITY, /* v0 x, i0 values, v1 counts, i1 {1} closed: counts[k] of x are
                             * values[k]; closed: every x is one of the values */
    CNS_COUNT,              /* v0 x, v1 {y}, v2 {n}, i0 {op}: (number of x[j] = y) op n; op as of
                             * cns_relation */
    CNS_AMONG,              /* v0 x, i0 values, v1 {n}: n of x lie in values */
    CNS_NVALUE,             /* v0 x, v1 {n}: x takes n distinct values */
    CNS_CUMULATIVE,         /* v0 starts, v1 durations, v2 demands, v3 {capacity}: at any time the
                             * demands of running tasks stay within capacity; durations, demands
                             * >= 0 */
    CNS_DISJUNCTIVE,        /* v0 starts, v1 durations >= 0, v2 literals presence (or none: all),
                             * i0 {1} strict: no two present tasks overlap; strict: a task of
                             * duration 0 may not lie inside another either */
    CNS_DIFFN,              /* v0 x, v1 y, v2 dx, v3 dy, i0 {1} strict: no two boxes overlap;
                             * not strict: boxes of size 0 may lie anywhere */
    CNS_CIRCUIT,            /* v0 successors, i0 {base}: one circuit through all nodes */
    CNS_SUBCIRCUIT,         /* the same, through some nodes; the others are their own successors */
    CNS_TABLE,              /* v0 x, i0 rows one after the other: x is one of the rows */
    CNS_REGULAR,            /* v0 x, i0 {states Q, symbols S, start}, i1 Q*S transitions d, i2
                             * accepting: states 1..Q, symbols 1..S, d[(q-1)*S + s-1] the next
                             * state or 0: x is accepted */
    CNS_MDD,                /* v0 x, i0 {nodes N}, i1 edges {from, low, high, to}: the path of edges
                             * from node 1 to node 0 whose labels low..high admit x[1], x[2], ... */
    CNS_INVERSE,            /* v0 f, v1 g, i0 {base f, base g}: f[i] = j <=> g[j] = i; an index
                             * beyond the other's array counts as false */
    CNS_SORT,               /* v0 x, v1 y: y is x in ascending order */
    CNS_ARG_SORT,           /* v0 x, v1 p, i0 {base}: x[p[1]] <= x[p[2]] <= ...; ties by index */
    CNS_LEX_LE,             /* v0 x, v1 y: x <= y in lexicographic order (a prefix is less) */
    CNS_LEX_LT,             /* ... < */
    CNS_PRECEDE,            /* v0 x, i0 values: values[k+1] occurs in x only after values[k] */
    CNS_INCREASING,         /* v0 x, i0 {1} strict: x[1] <= x[2] <= ... */
    CNS_ARG_MAX,            /* v0 x, v1 {index}, i0 {base}: the first of the greatest x[j] */
    CNS_ARG_MIN,            /* ... of the least */
    CNS_BIN_PACKING,        /* v0 bins, i0 weights >= 0, v1 loads, i1 {base}: the weights put in
                             * bin k sum to loads[k]; every item is in one of the bins */
    CNS_KNAPSACK,           /* v0 x >= 0, i0 weights, i1 profits, v1 {W, P}: sum weights x = W,
                             * sum profits x = P; weights, profits >= 0 */
    CNS_ALL_EQUAL,          /* v0 x: all x[j] are equal */
    CNS_MEMBER,             /* v0 x, v1 {y}: some x[j] = y */
    CNS_SUM_OF_PRODUCTS,    /* v0 x, v1 y, i0 a (empty: 1s), v2 {z}: sum a[j] x[j] y[j] = z */
    CNS_CONSTRAINT_KINDS    /* how many there are, and one */
} cns_constraint_kind;

typedef enum cns_relation {
    CNS_REL_EQ = 0,
    CNS_REL_NE = 1,
    CNS_REL_LE = 2,
    CNS_REL_GE = 3,
    CNS_REL_LT = 4,
    CNS_REL_GT = 5
} cns_relation;

typedef enum cns_reification {
    CNS_ALWAYS = 0,
    CNS_IF = 1,         /* the literal implies the constraint */
    CNS_IF_AND_ONLY = 2 /* the literal is true exactly when the constraint holds */
} cns_reification;

typedef struct cns_constraint {
    uint32_t size;
    cns_constraint_kind kind;
    cns_reification condition; /* taken by CLAUSE, XOR, LINEAR_*, IN, TIMES ... ELEMENT, LEX_*,
                                * INCREASING, ALL_EQUAL, MEMBER; a partial function is false where
                                * it is undefined */
    cns_var literal;           /* with CNS_IF and CNS_IF_AND_ONLY */
    const cns_var *v[4];
    const int64_t *i[4];
    size_t v_count[4];
    size_t i_count[4];
    const char *name;   /* for messages, cores; copied; may be NULL */
    uint32_t redundant; /* 1: implied by the others (a hint; it is checked all the same) */
    uint32_t reserved;
} cns_constraint;

/* Adds a constraint, before the search or between two steps of it. A change of the model, its goal,
 * hints or assumptions makes a new problem: with the next step the search goes on from its root,
 * earlier solutions count no more, and what was learnt is kept unless it rests on them. Arguments
 * are copied. CNS_E_INVALID names what does
 * not fit the kind, CNS_E_RANGE what could overflow, CNS_E_UNSUPPORTED a condition that the kind
 * does not take. */
CNS_API cns_status cns_solver_add(cns_solver *solver, const cns_constraint *constraint);
CNS_API uint32_t cns_solver_constraint_count(const cns_solver *solver);
/* "linear_le", "alldifferent", ...; "unknown". Never NULL. Any thread. */
CNS_API const char *cns_constraint_kind_name(cns_constraint_kind kind);

/* ---- the objective and the search ----------------------------------------------------------- */

typedef enum cns_goal { CNS_SATISFY = 0, CNS_MINIMIZE = 1, CNS_MAXIMIZE = 2 } cns_goal;

/* Default: CNS_SATISFY, where `var` is not looked at. */
CNS_API cns_status cns_solver_set_goal(cns_solver *solver, cns_goal goal, cns_var var);

typedef enum cns_choose_var {
    CNS_INPUT_ORDER = 0,
    CNS_FIRST_FAIL,
    CNS_ANTI_FIRST_FAIL,
    CNS_SMALLEST,
    CNS_LARGEST,
    CNS_OCCURRENCE,
    CNS_MOST_CONSTRAINED,
    CNS_MAX_REGRET,
    CNS_DOM_W_DEG
} cns_choose_var;

typedef enum cns_choose_value {
    CNS_INDOMAIN_MIN = 0,
    CNS_INDOMAIN_MAX,
    CNS_INDOMAIN_MIDDLE,
    CNS_INDOMAIN_MEDIAN,
    CNS_INDOMAIN, /* ascending */
    CNS_INDOMAIN_RANDOM,
    CNS_INDOMAIN_SPLIT,
    CNS_INDOMAIN_REVERSE_SPLIT,
    CNS_INDOMAIN_INTERVAL, /* as SPLIT */
    CNS_OUTDOMAIN_MIN,
    CNS_OUTDOMAIN_MAX
} cns_choose_value;

/* Appends a search phase: its variables are fixed in the order that `var_rule` says before those
 * of the next phase. `vars` are copied; literals `~b` allowed. */
CNS_API cns_status cns_solver_add_search(cns_solver *solver, const cns_var *vars, size_t count,
                                         cns_choose_var var_rule, cns_choose_value value_rule);
/* Values to try first (a warm start); any number of times, the last one counts. */
CNS_API cns_status cns_solver_hint(cns_solver *solver, cns_var var, int64_t value);

typedef enum cns_restart_policy {
    CNS_RESTART_DEFAULT = 0,
    CNS_RESTART_NONE,
    CNS_RESTART_LUBY,      /* scale * luby(k) conflicts */
    CNS_RESTART_GEOMETRIC, /* scale * base^k */
    CNS_RESTART_LINEAR,    /* scale * k */
    CNS_RESTART_CONSTANT,
    CNS_RESTART_LBD /* when clauses learnt lately are worse (their LBD) than on average; 50
                     * conflicts at least */
} cns_restart_policy;

typedef enum cns_strategy {
    CNS_STRATEGY_DEFAULT = 0, /* the phases when there are some, else free */
    CNS_STRATEGY_FIXED,       /* the phases, in their order; then the rest */
    CNS_STRATEGY_FREE         /* activity and phases alternate */
} cns_strategy;

/* How the best objective is approached. */
typedef enum cns_optimise_policy {
    CNS_OPTIMISE_DEFAULT = 0, /* free search alternates PROBE and CORES; a fixed one is LINEAR */
    CNS_OPTIMISE_LINEAR,      /* from above: each solution is to be better than the last */
    CNS_OPTIMISE_PROBE,       /* the same, guessing first that the next is better by more */
    CNS_OPTIMISE_CORES        /* from below: terms of a sum are assumed at their least values, and
                               * what cannot hold together raises the bound; PROBE where the
                               * objective is no sum, and while a proof is written */
} cns_optimise_policy;

typedef struct cns_solve_options {
    uint32_t size;
    cns_strategy strategy;
    cns_restart_policy restart;
    uint32_t restart_scale;  /* 0: the policy's default */
    double restart_base;     /* 0: 1.5 */
    uint64_t time_limit;     /* nanoseconds over all steps, from the first one on; 0: none */
    uint64_t conflict_limit; /* the same of failures, of all workers together, those included that
                              * are there no more; 0: none. Looked at every 50000 ticks of one
                              * worker, 100000 of each of several, a meeting of deterministic
                              * ones: what fails between two looks comes on top */
    uint32_t all_solutions;  /* 1: go on after a solution. 0: without a goal, one is enough,
                              * and CNS_COMPLETE follows it */
    uint32_t workers;        /* 0 or 1: this thread alone */
    const cns_executor *executor; /* where further workers run; copied; NULL with one worker */
    uint32_t deterministic;       /* with several workers: meet at fixed numbers of ticks */
    cns_optimise_policy optimise; /* of the first worker */
} cns_solve_options;

/* Before the first step, or between two; NULL resets. A change of `all_solutions` makes a new
 * problem; all else holds from the next step on. */
/* With several workers (CNS_E_INVALID: without an executor) each has a state of its own, and
 * searches in another way, one of them neighbourhoods of the best solution and one locally
 * (smaller teams do both in turns); they pass on bounds, short clauses and solutions. They join
 * once the search has lasted some milliseconds, and about as long as the model took to load, run
 * within steps only, and each may use a step's ticks. All solutions of a goal CNS_SATISFY are
 * enumerated by one worker. The deterministic mode gives the same for the same seed and number of
 * workers, whatever the threads and the steps' ticks; limits and cancellation aside. Failures of
 * any worker end the step. */
CNS_API cns_status cns_solver_set_options(cns_solver *solver, const cns_solve_options *options);

/* Literals that hold in the steps that follow, until replaced; count 0: none. */
CNS_API cns_status cns_solver_assume(cns_solver *solver, const cns_var *literals, size_t count);

typedef enum cns_outcome {
    CNS_RUNNING = 0,  /* the ticks are used up: step again */
    CNS_SOLUTION = 1, /* a new solution can be read; step again for the next or a better one */
    CNS_COMPLETE = 2, /* the search space is exhausted: no (further, better) solution exists */
    CNS_STOPPED = 3   /* a limit was reached, or the search was cancelled */
} cns_outcome;

/* Searches for about `ticks` units of work (a million take some milliseconds; 0: no bound). The
 * outcome CNS_COMPLETE without a solution found: infeasible (under the assumptions). The first
 * steps of a problem load it; a constraint is loaded in one step. A solution that was found is read
 * and checked in the same step, whatever its ticks and the limits, so that none is lost: that takes
 * some tens of milliseconds for a million constraints of a few arguments. Errors: CNS_E_NOMEM,
 * CNS_E_LIMIT (memory), after which further steps go on; CNS_E_CORRUPT: a solution did not pass its
 * check, which is a bug in the engine, and the message names the constraint. */
CNS_API cns_status cns_solver_step(cns_solver *solver, uint64_t ticks, cns_outcome *out);
/* What cns_solver_run tells on its way, each on the calling thread, between two steps: a call may
 * do what may be done there (read values and statistics, add constraints, change options), but for
 * destroying the solver. Either may be NULL; what is not 0 ends the run. */
typedef struct cns_solver_events {
    uint32_t size;
    uint32_t reserved;
    uint64_t interval; /* nanoseconds between calls of `progress`, at least; 0: a second */
    int (*solution)(void *user, cns_solver *solver);
    int (*progress)(void *user, cns_solver *solver);
    void *user;
} cns_solver_events;

/* Steps until the search ends: by itself, by a limit, by cancellation or by an event's word (then
 * *out is CNS_STOPPED, and a further run or step goes on). Its last outcome is CNS_COMPLETE or
 * CNS_STOPPED. `events` may be NULL. Errors as of cns_solver_step. */
CNS_API cns_status cns_solver_run(cns_solver *solver, const cns_solver_events *events,
                                  cns_outcome *out);
/* Ends the present or the next step with CNS_STOPPED, soon. Any thread. */
CNS_API void cns_solver_cancel(cns_solver *solver);
/* Takes a cancellation, the limits' clocks and the solutions seen back, as a new problem. */
CNS_API cns_status cns_solver_restart(cns_solver *solver);

/* The value in the last solution. CNS_E_NOTFOUND before the first. */
CNS_API cns_status cns_solver_value(const cns_solver *solver, cns_var var, int64_t *out);
/* After CNS_COMPLETE without a solution: a set of assumptions, minimal when `minimise` is 1, that
 * cannot hold together (empty: infeasible without them). Valid until the next step. Errors:
 * CNS_E_NOTFOUND: there is none; CNS_E_CANCELLED: cancelled, or a limit was reached, before it was
 * minimal, and CNS_E_NOMEM, CNS_E_LIMIT; the core stays, and can be asked for again. */
CNS_API cns_status cns_solver_core(cns_solver *solver, int minimise, const cns_var **literals,
                                   size_t *count);

/* ---- proofs --------------------------------------------------------------------------------- */

/* Takes a piece of a proof; not 0: it could not, and nothing more is written. */
typedef int (*cns_solver_proof_write)(void *user, const char *text, size_t length);

/* Writes a proof of what the search concludes, as doc/solver-proofs.md says: that there is no
 * solution (under the assumptions), that the last one is best, or that there are no others.
 * scripts/check_proof.lua checks it against the FlatZinc that the model came from. Each step that
 * one constraint accounts for names it, and the checker believes none that it cannot verify: it
 * counts those. A proof covers the reading of the file by nothing but the checker's own reader.
 *
 * Before the first step; NULL: none (the default, which costs nothing). Then one thread searches:
 * with more workers a step is CNS_E_UNSUPPORTED, and so is one after a change of the model or of
 * the assumptions behind a solution. A sink that fails makes the step CNS_E_IO. */
CNS_API cns_status cns_solver_set_proof(cns_solver *solver, cns_solver_proof_write write,
                                        void *user);

/* What counts work (up to `learnt`) is of all workers that there ever were, and never falls; times
 * begin anew with cns_solver_restart. */
typedef struct cns_solver_stats {
    uint64_t nodes; /* decisions */
    uint64_t failures;
    uint64_t restarts;
    uint64_t propagations; /* literals and bounds set */
    uint64_t solutions;
    uint64_t ticks;
    uint64_t peak_depth;
    uint64_t learnt;     /* clauses, in all */
    uint64_t learnt_now; /* clauses kept */
    uint64_t literals;   /* Boolean variables now, those made for bounds included */
    uint64_t int_vars;
    uint64_t bool_vars;
    uint64_t propagators;
    uint64_t clauses;
    uint64_t memory_peak;
    uint64_t setup_time;   /* nanoseconds from the first step to the first decision */
    uint64_t search_time;  /* nanoseconds in steps since */
    int64_t objective;     /* of the best solution */
    int64_t bound;         /* proved for the objective */
    uint32_t has_solution; /* 1: `objective` and values exist */
    uint32_t proved;       /* 1: the search is complete */
} cns_solver_stats;

CNS_API void cns_solver_get_stats(const cns_solver *solver, cns_solver_stats *out);
/* Checks `values` (one for each variable) against the whole model; CNS_E_CORRUPT names the first
 * constraint that fails. */
CNS_API cns_status cns_solver_check_values(const cns_solver *solver, const int64_t *values,
                                           size_t count);
/* The solver's invariants; CNS_E_CORRUPT when one is broken. Slow. */
CNS_API cns_status cns_solver_check(cns_solver *solver);

#ifdef __cplusplus
}
#endif

#endif
