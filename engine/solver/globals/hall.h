/* SPDX-License-Identifier: MIT
 *
 * solver/globals/hall.h - the part of alldifferent that reasons about bounds.
 */
#ifndef CNS_SOLVER_HALL_H
#define CNS_SOLVER_HALL_H

#include "solver/globals/globals.h"

/* Keeps the bounds of views that differ consistent. It relies on another propagator to refuse
 * equal values where bounds do not (it does so itself once all are fixed). */
cns_status cns_post_hall(cns_state *state, cns_post post, cns_views x);

#endif
