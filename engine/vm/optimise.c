/* SPDX-License-Identifier: MIT
 *
 * optimise.c - the passes in their order.
 */
#include "vm/passes.h"

cns_status cns_optimise(cns_ir_function *function, cns_optimise_level level) {
    cns_status status = CNS_OK;
    if (level == CNS_OPTIMISE_NONE) {
        status = cns_pass_parallel(function);
        return status == CNS_OK ? cns_ir_compact(function) : status;
    }
    cns_status (*const passes[])(cns_ir_function *) = {
        cns_pass_parameters,
        cns_pass_parallel,
        cns_pass_bounds,
        cns_ir_compact,
    };
    for (size_t i = 0; i < sizeof passes / sizeof *passes && status == CNS_OK; i++) {
        status = passes[i](function);
    }
    return status;
}
