/* SPDX-License-Identifier: MIT
 *
 * solver_stats.h - whether two solvers have done the same work.
 */
#ifndef CNS_TEST_SOLVER_STATS_H
#define CNS_TEST_SOLVER_STATS_H

#include <check.h>

#include "cns/solver.h"

static inline void solver_same_search(const cns_solver_stats *a, const cns_solver_stats *b) {
    ck_assert_uint_eq(a->nodes, b->nodes);
    ck_assert_uint_eq(a->failures, b->failures);
    ck_assert_uint_eq(a->propagations, b->propagations);
    ck_assert_uint_eq(a->ticks, b->ticks);
}

#endif
