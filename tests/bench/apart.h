/* SPDX-License-Identifier: MIT
 *
 * apart.h - a side of a comparison that runs in a process of its own, stopped between its turns.
 *
 * Runtimes such as libgomp keep threads spinning after a region: in one process they would take a
 * CPU from whoever runs next. A child is the same program, started anew (so that it reads its
 * environment from the start) with "--serve NAME"; it answers one turn a request, through pipes.
 * Between turns SIGSTOP holds all of its threads, and the other side begins once that is confirmed.
 */
#ifndef CNS_BENCH_APART_H
#define CNS_BENCH_APART_H

#include <stdbool.h>
#include <stdint.h>

typedef struct apart_reply {
    uint64_t ns, answer;
} apart_reply;

/* The child's work: one turn of row `row`. */
typedef apart_reply (*apart_turn)(uint32_t row);

typedef struct apart_side apart_side;

/* `omp_wait_policy`: what the child finds in the environment, where no other OMP_ or GOMP_ variable
 * is passed on; NULL for none. NULL when no process could be started. */
apart_side *apart_start(const char *name, const char *omp_wait_policy);
/* false: the child failed or is gone. requires: no other side of the program is in a turn. */
bool apart_take_turn(apart_side *side, uint32_t row, apart_reply *reply);
/* false: the child did not end well. NULL is legal. */
bool apart_stop(apart_side *side);

/* The child's main loop, until the parent goes; gives main's exit code. */
int apart_serve(apart_turn turn);

#endif
