/* SPDX-License-Identifier: MIT
 *
 * ahead.c - kernels of a Lua script as C functions: no engine, no Lua, no LLVM in the program.
 *
 *   cnsengine build examples/lua/module.lua -o kernels.o --header kernels.h
 *   cc ahead.c kernels.o -lm && ./a.out
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels.h"

enum { COUNT = 1000 };

static void complain(const kernels_error *error) {
    char message[200];
    kernels_message(error, message, sizeof message);
    fprintf(stderr, "%s\n", message);
}

/* y = 2 x + y, in the version for doubles; floats have one of their own. */
static int run_saxpy(double *x, double *y) {
    kernels_error error;
    for (int i = 0; i < COUNT; i++) {
        x[i] = i;
        y[i] = 1;
    }
    if (kernels_saxpy_f64_f64s_f64s(2.0, x, COUNT, y, COUNT, &error) != KERNELS_OK) {
        complain(&error);
        return EXIT_FAILURE;
    }
    printf("y[10] is %g\n", y[10]);
    return y[10] == 21 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A y that is too short: bounds are checked, and the error has the line of the Lua function. */
static int run_out_of_bounds(double *x, double *y) {
    kernels_error error;
    int status = kernels_saxpy_f64_f64s_f64s(2.0, x, COUNT, y, 10, &error);
    if (status != KERNELS_INDEX || error.value.integer != 11) {
        return EXIT_FAILURE;
    }
    complain(&error);
    return EXIT_SUCCESS;
}

/* What the script reads from outside (its idea of rest, its damping) are parameters behind. */
static int run_springs(double *x, double *v) {
    int64_t resting = 0;
    for (int i = 0; i < COUNT; i++) {
        x[i] = 1;
        v[i] = 0;
    }
    const double dt = 0.01, rest = 1e-3, damping = 0.1;
    if (kernels_springs(x, COUNT, v, COUNT, 20000, dt, rest, damping, &resting, NULL) !=
        KERNELS_OK) {
        return EXIT_FAILURE;
    }
    printf("%" PRId64 " of %d springs are at rest\n", resting, COUNT);
    return resting == COUNT ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(void) {
    static double x[COUNT], y[COUNT];
    if (run_saxpy(x, y) != EXIT_SUCCESS || run_out_of_bounds(x, y) != EXIT_SUCCESS) {
        return EXIT_FAILURE;
    }
    return run_springs(x, y);
}
