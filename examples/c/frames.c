/* SPDX-License-Identifier: MIT
 *
 * frames.c - a solver inside a game's frame loop: two milliseconds a frame, better and better.
 *
 *   cc frames.c $(pkg-config --cflags --libs cns) && ./a.out
 *
 * As few watchtowers as possible shall overlook a courtyard of 7 x 7 cells, where a tower sees
 * along rows, columns and diagonals: queens that dominate a chessboard, four of them on this one.
 */
#define _POSIX_C_SOURCE 199309L

#include <cns/cns.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SIDE = 7, CELLS = SIDE * SIDE };

#define FRAME_BUDGET 2.0 /* milliseconds */
#define SLICE 50000      /* ticks between looks at the clock: some tenths of a millisecond */

static double milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static bool sees(int a, int b) {
    int rows = abs(a / SIDE - b / SIDE);
    int columns = abs(a % SIDE - b % SIDE);
    return rows == 0 || columns == 0 || rows == columns;
}

/* tower[k]: whether one stands in cell k; the solver numbers variables from 0 on. */
static cns_status build(cns_solver *solver, cns_var tower[CELLS]) {
    cns_status status = CNS_OK;
    for (int k = 0; k < CELLS && status == CNS_OK; k++) {
        status = cns_solver_new_bool(solver, NULL, &tower[k]);
    }
    for (int k = 0; k < CELLS && status == CNS_OK; k++) {
        cns_var watchers[CELLS];
        size_t count = 0;
        for (int other = 0; other < CELLS; other++) {
            if (sees(k, other)) {
                watchers[count++] = tower[other];
            }
        }
        const cns_constraint seen = {
            .size = sizeof seen, .kind = CNS_CLAUSE, .v = {watchers}, .v_count = {count}};
        status = cns_solver_add(solver, &seen);
    }
    cns_var terms[CELLS + 1];
    int64_t factors[CELLS + 1];
    const int64_t zero = 0;
    for (int k = 0; k < CELLS; k++) {
        terms[k] = tower[k];
        factors[k] = 1;
    }
    factors[CELLS] = -1;
    if (status == CNS_OK) {
        status = cns_solver_new_int(solver, 0, CELLS, "towers", &terms[CELLS]);
    }
    const cns_constraint sum = {.size = sizeof sum,
                                .kind = CNS_LINEAR_EQ,
                                .v = {terms},
                                .v_count = {CELLS + 1},
                                .i = {factors, &zero},
                                .i_count = {CELLS + 1, 1}};
    if (status == CNS_OK) {
        status = cns_solver_add(solver, &sum);
    }
    return status == CNS_OK ? cns_solver_set_goal(solver, CNS_MINIMIZE, terms[CELLS]) : status;
}

/* What the game gives to the solver in each frame. */
static cns_status think(cns_solver *solver, cns_outcome *outcome) {
    double end = milliseconds() + FRAME_BUDGET;
    cns_status status;
    do {
        status = cns_solver_step(solver, SLICE, outcome);
    } while (status == CNS_OK && *outcome == CNS_RUNNING && milliseconds() < end);
    return status;
}

static void draw(const cns_solver *solver, const cns_var tower[CELLS]) {
    for (int k = 0; k < CELLS; k++) {
        int64_t stands = 0;
        cns_solver_value(solver, tower[k], &stands);
        printf("%s%c", stands ? " T" : " .", k % SIDE == SIDE - 1 ? '\n' : ' ');
    }
}

static cns_status play(cns_solver *solver, const cns_var tower[CELLS]) {
    cns_outcome outcome = CNS_RUNNING;
    cns_solver_stats stats;
    int frames = 0;
    while (outcome != CNS_COMPLETE) {
        cns_status status = think(solver, &outcome);
        if (status != CNS_OK) {
            return status;
        }
        frames++; /* the game moves and draws here */
        if (outcome == CNS_SOLUTION) {
            cns_solver_get_stats(solver, &stats);
            printf("frame %d: %" PRId64 " towers do\n", frames, stats.objective);
        }
    }
    printf("frame %d: fewer do not\n", frames);
    draw(solver, tower);
    return CNS_OK;
}

int main(void) {
    cns_context *context = NULL;
    cns_solver *solver = NULL;
    cns_var tower[CELLS];
    cns_status status = cns_context_create(NULL, &context);
    if (status == CNS_OK) {
        const cns_solver_config config = {.size = sizeof config, .memory_limit = 64 << 20};
        status = cns_solver_create(context, &config, &solver);
    }
    if (status == CNS_OK) {
        status = build(solver, tower);
    }
    if (status == CNS_OK) {
        status = play(solver, tower);
    }
    cns_solver_stats stats = {0};
    cns_solver_get_stats(solver, &stats);
    bool done = status == CNS_OK && stats.proved && stats.objective == 4;
    if (!done) {
        char text[256] = "";
        cns_context_message(context, text, sizeof text);
        fprintf(stderr, "frames: %s %s\n", cns_status_text(status), text);
    }
    cns_solver_destroy(solver);
    cns_context_destroy(context);
    return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
