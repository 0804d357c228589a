/* SPDX-License-Identifier: MIT
 *
 * optimise.c - the passes in their order.
 */
#include "vm/passes.h"

cns_status cns_optimise(cns_ir_function *function, cns_optimise_level level) {
    (void)level;
    cns_status status = cns_pass_parallel(function);
    return status == CNS_OK ? cns_ir_compact(function) : status;
}
