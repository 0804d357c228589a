/* SPDX-License-Identifier: MIT
 *
 * solver/wide.h - 128-bit integers: sums of products of what a model may hold never overflow them.
 */
#ifndef CNS_SOLVER_WIDE_H
#define CNS_SOLVER_WIDE_H

#include <stdint.h>

__extension__ typedef __int128 cns_wide;

/* What sums and products over declared bounds may reach: int64_t then has room for twice that. */
#define CNS_WIDE_LIMIT ((cns_wide)1 << 62)

static inline cns_wide cns_wide_abs(cns_wide x) {
    return x < 0 ? -x : x;
}

#endif
