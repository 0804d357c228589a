/* SPDX-License-Identifier: MIT
 *
 * solver/model_share.h - long integer arguments that repeat are kept once.
 *
 * A FlatZinc file names a table once and states it of many arrays of variables; what comes through
 * cns_solver_add is the same integers again and again.
 */
#ifndef CNS_SOLVER_MODEL_SHARE_H
#define CNS_SOLVER_MODEL_SHARE_H

#include "solver/model.h"

enum { CNS_SHARE_LEAST = 256 }; /* integers, from which on it is worth looking */

uint64_t cns_share_hash(const int64_t *ints, size_t count);
/* The span of the same integers, if the model has them; count 0: it has not. */
cns_model_span cns_share_find(const cns_model *model, const int64_t *ints, size_t count,
                              uint64_t hash);
/* Room for one more. */
cns_status cns_share_reserve(cns_model *model);
/* Lets others find the span, which is not empty. requires: room. */
void cns_share_add(cns_model *model, cns_model_span span, uint64_t hash);
void cns_share_deinit(cns_model *model);

#endif
