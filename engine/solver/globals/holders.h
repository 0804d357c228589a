/* SPDX-License-Identifier: MIT
 *
 * solver/globals/holders.h - which views have each of some values in their domains.
 *
 * Who states something of each value asks here, and pays for what the domains hold together; to ask
 * each view for each value costs their product.
 */
#ifndef CNS_SOLVER_HOLDERS_H
#define CNS_SOLVER_HOLDERS_H

#include <stddef.h>

#include "solver/globals/globals.h"

typedef struct cns_holders {
    size_t *start;  /* by value, and one more */
    uint32_t *view; /* those of value k: view[start[k]] .. view[start[k + 1] - 1], ascending */
    size_t value_count, capacity;
} cns_holders;

/* `values` ascend, each once. False, with the state's status set, when memory gave out or a limit
 * was reached; to be released either way. */
bool cns_holders_init(cns_state *state, cns_holders *holders, cns_views x, const int64_t *values,
                      uint32_t count);
void cns_holders_deinit(cns_state *state, cns_holders *holders);

#endif
