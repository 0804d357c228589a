/* SPDX-License-Identifier: MIT
 *
 * solver/globals/rows.h - a table with its values numbered by column, as table.c prepares it.
 */
#ifndef CNS_SOLVER_ROWS_H
#define CNS_SOLVER_ROWS_H

#include "solver/globals/globals.h"

typedef struct cns_rows {
    cns_views x;
    uint32_t count;
    uint32_t *row; /* count * x.count numbers of values; number r * x.count + i is that of x[i] */
    const int64_t *values;       /* of the columns one after the other, each ascending */
    const uint32_t *value_start; /* x.count + 1; a value's number counts from the column's start */
} cns_rows;

static inline uint32_t cns_rows_width(const cns_rows *rows, uint32_t column) {
    return rows->value_start[column + 1] - rows->value_start[column];
}

/* A propagator over bitsets (table_compact.c). The domains hold the columns' values alone. */
cns_status cns_post_rows_compact(cns_state *state, cns_post post, const cns_rows *rows);

#endif
