/* SPDX-License-Identifier: MIT
 *
 * solve.h - what the readers of `cnsengine solve` share: the request, and the loop of the search.
 */
#ifndef CNS_CLI_SOLVE_H
#define CNS_CLI_SOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "cli.h"
#include "cns/cns.h"

typedef struct solve_request {
    const char *path;
    const char *proof; /* where to write one; NULL: nowhere */
    bool all, intermediate, free, statistics, verbose;
    cns_optimise_policy optimise;
    int64_t solutions; /* stop after so many; 0: not said */
    int64_t workers;
    int64_t seed;
    uint64_t time_limit; /* nanoseconds from the start of the command; 0: none */
    uint64_t memory_limit;
    uint64_t began; /* monotonic clock, nanoseconds */
} solve_request;

/* How a kind of file says things. */
typedef struct solve_format {
    void (*solution)(void *user);           /* the last one, to stdout */
    void (*names)(void *user, FILE *proof); /* of variables, into a proof; NULL: none */
    const char *separator;                  /* behind each solution */
    const char *complete, *infeasible, *unknown;
} solve_format;

typedef struct solve_job {
    const solve_request *request;
    cns_context *context;
    cns_solver *solver;
    const char *message; /* what to say of a failure; NULL: the context's message */
    cns_goal goal;
    cns_solve_options options; /* what the file asks for; the request's are added */
    uint64_t loaded;           /* clock when the search may begin */
    const solve_format *format;
    void *user;
} solve_job;

uint64_t solve_clock(void);
/* Whether the time is over, or the user interrupted. */
bool solve_must_stop(void *request);
bool solve_interrupted(void);
/* Prints what went wrong; the exit code. */
int solve_failed(const solve_job *job, cns_status status);
/* Searches and prints, until what was asked for is done; the exit code. */
int solve_search(solve_job *job);

int solve_flatzinc(const solve_request *request, cns_context *context);
int solve_dimacs(const solve_request *request, cns_context *context);

#endif
