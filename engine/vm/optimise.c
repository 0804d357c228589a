/* SPDX-License-Identifier: MIT
 *
 * optimise.c - the passes in their order.
 *
 * Loops are forked when folding and selects show what their reductions are, and before code is
 * moved out of them. Bodies of forks are functions of their own and go through what follows.
 * Versions of loops are made last, so that the copies that will hardly run cost no work.
 */
#include "vm/passes.h"

typedef cns_status (*pass)(cns_ir_function *function);

static cns_status run(cns_ir_function *function, const pass *passes, size_t count) {
    cns_status status = CNS_OK;
    for (size_t i = 0; i < count && status == CNS_OK; i++) {
        status = passes[i](function);
    }
    return status;
}

#define RUN(function, passes) run(function, passes, sizeof(passes) / sizeof *(passes))

/* Up to where loops are forked. */
static const pass simplify[] = {cns_pass_parameters, cns_pass_fold, cns_pass_parameters,
                                cns_pass_fold,       cns_pass_dead, cns_pass_gvn,
                                cns_pass_fold,       cns_pass_dead, cns_pass_blocks,
                                cns_pass_select,     cns_pass_fold, cns_pass_blocks};

/* What bounds proved may be loaded under no condition, and leave its loop as well. */
static const pass improve[] = {cns_pass_fold,   cns_pass_hoist,  cns_pass_gvn,
                               cns_pass_bounds, cns_pass_select, cns_pass_hoist,
                               cns_pass_fold,   cns_pass_dead,   cns_pass_blocks};

static cns_status finish(cns_ir_function *function, cns_optimise_level level) {
    cns_status status = level == CNS_OPTIMISE_NONE ? CNS_OK : RUN(function, improve);
    if (status == CNS_OK && level == CNS_OPTIMISE_VM) {
        status = cns_pass_steps(function);
    }
    for (uint32_t b = 0; b < function->body_count && status == CNS_OK; b++) {
        cns_ir_function *body = function->bodies[b].function;
        body->kept = function->kept;
        status = finish(body, level);
        body->kept = NULL;
    }
    return status == CNS_OK ? cns_ir_compact(function) : status;
}

static cns_status optimise(cns_ir_function *function, cns_optimise_level level, bool fork) {
    cns_ir_shape kept = {0};
    function->kept = &kept;
    cns_status status = level == CNS_OPTIMISE_NONE ? CNS_OK : RUN(function, simplify);
    if (status == CNS_OK && fork) {
        status = cns_pass_parallel(function);
    }
    if (status == CNS_OK) {
        status = finish(function, level);
    }
    function->kept = NULL;
    cns_ir_shape_deinit(&kept);
    return status;
}

cns_status cns_optimise(cns_ir_function *function, cns_optimise_level level) {
    return optimise(function, level, true);
}

cns_status cns_optimise_serial(cns_ir_function *function, cns_optimise_level level) {
    return optimise(function, level, false);
}
