/* SPDX-License-Identifier: MIT
 *
 * solver/globals/orders.h - many conditional precedences: literal -> x + d <= y.
 *
 * With a literal for each order of two tasks, search decides on orders and learns about them
 * (the disjunctive arcs of Carlier and Pinson 1989). One propagator holds all precedences of a
 * constraint; each deduction takes constant time and is explained when asked for.
 */
#ifndef CNS_SOLVER_GLOBALS_ORDERS_H
#define CNS_SOLVER_GLOBALS_ORDERS_H

#include "solver/globals/globals.h"

typedef struct cns_order {
    cns_lit literal;
    cns_view x, d, y;
} cns_order;

/* `orders` are copied. */
cns_status cns_post_orders(cns_state *state, cns_post post, const cns_order *orders,
                           uint32_t count);

/* For tests: the precedences of a propagator that cns_post_orders made; NULL for another one. */
const cns_order *cns_orders_of(const cns_propagator *propagator, uint32_t *count);

#endif
