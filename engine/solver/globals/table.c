/* SPDX-License-Identifier: MIT
 *
 * solver/globals/table.c - the rows that an array of views may be.
 *
 * Domains are first cut to what the rows hold. Two columns become clauses of supports. Small tables
 * get a literal per row, which conflicts can then speak about: a row implies its values, a value
 * implies one of its rows. A row that alone has some value is that value's literal. Larger tables
 * are propagated by table_compact.c.
 */
#include <string.h>

#include "solver/globals/block.h"
#include "solver/globals/rows.h"
#include "solver/proof.h"

enum {
    CLAUSAL_MAX = 4096 /* rows, up to which each gets a literal */
};

/* ---- preparation ---------------------------------------------------------------------------- */

/* Rows that the domains admit, compacted in place; gives their number, and none when a limit is
 * reached. */
static uint32_t admitted(cns_state *state, cns_views x, int64_t *rows, uint32_t count) {
    uint32_t kept = 0;
    state->ticks += (uint64_t)count * x.count;
    for (uint32_t r = 0; r < count; r++) {
        const int64_t *row = rows + (size_t)r * x.count;
        uint32_t i = 0;
        if (!cns_poll_round(state, r)) {
            return 0;
        }
        while (i < x.count && cns_view_has(state, x.data[i], row[i])) {
            i++;
        }
        if (i == x.count) {
            memmove(rows + (size_t)kept++ * x.count, row, x.count * sizeof *row);
        }
    }
    return kept;
}

/* Numbers the values of column i, which lie within low .. low + span - 1, by a list of those. */
static uint32_t number_close(cns_state *state, const cns_rows *rows, const int64_t *cells,
                             uint32_t i, int64_t low, uint32_t span, int64_t *values) {
    uint32_t arity = rows->x.count;
    uint32_t count = 0;
    uint32_t *number = cns_scratch_create(state, span, sizeof *number);
    if (number == NULL) {
        return 0;
    }
    for (uint32_t r = 0; r < rows->count; r++) {
        number[cells[(size_t)r * arity + i] - low] = 1;
    }
    for (uint32_t k = 0; k < span; k++) {
        if (number[k] != 0) {
            values[count] = low + k;
            number[k] = count++;
        }
    }
    for (uint32_t r = 0; r < rows->count && cns_poll_round(state, r); r++) {
        size_t cell = (size_t)r * arity + i;
        rows->row[cell] = number[cells[cell] - low];
    }
    cns_scratch_destroy(state, number, span, sizeof *number);
    return count;
}

/* Numbers the values of column i, which are appended to `values`; those that lie close together
 * without sorting them. */
static uint32_t number_column(cns_state *state, const cns_rows *rows, const int64_t *cells,
                              uint32_t i, int64_t *values) {
    uint32_t arity = rows->x.count;
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    for (uint32_t r = 0; r < rows->count; r++) {
        int64_t value = cells[(size_t)r * arity + i];
        values[r] = value;
        low = value < low ? value : low;
        high = value > high ? value : high;
    }
    if (rows->count > 0 && high - low < 2 * (int64_t)rows->count) {
        return number_close(state, rows, cells, i, low, (uint32_t)(high - low) + 1, values);
    }
    uint32_t count = cns_values_sort(values, rows->count);
    for (uint32_t r = 0; r < rows->count && cns_poll_round(state, r); r++) {
        size_t cell = (size_t)r * arity + i;
        rows->row[cell] = cns_values_find(values, count, cells[cell]);
    }
    return count;
}

/* ---- clauses -------------------------------------------------------------------------------- */

static cns_lit value_lit(cns_state *state, const cns_rows *rows, uint32_t r, uint32_t i) {
    uint32_t number = rows->row[(size_t)r * rows->x.count + i];
    return cns_view_lit_eq(state, rows->x.data[i], rows->values[rows->value_start[i] + number]);
}

/* Rows in the order of their value in column i: `sorted`, with `start` by value and one more. */
static void sort_by_column(const cns_rows *rows, uint32_t i, uint32_t *sorted, uint32_t *start) {
    uint32_t width = cns_rows_width(rows, i);
    memset(start, 0, (width + 1) * sizeof *start);
    for (uint32_t r = 0; r < rows->count; r++) {
        start[rows->row[(size_t)r * rows->x.count + i] + 1]++;
    }
    for (uint32_t k = 0; k < width; k++) {
        start[k + 1] += start[k];
    }
    for (uint32_t r = rows->count; r-- > 0;) { /* fills from the ends, which become the starts */
        sorted[--start[rows->row[(size_t)r * rows->x.count + i] + 1]] = r;
    }
    memmove(start, start + 1, width * sizeof *start);
    start[width] = rows->count;
}

/* [x[i] = v] implies one of the literals of the rows with v. */
static bool post_supports(cns_state *state, const cns_rows *rows, uint32_t i,
                          const cns_lit *row_lits, const uint32_t *sorted, const uint32_t *start,
                          cns_lit *clause) {
    for (uint32_t k = 0; k < cns_rows_width(rows, i); k++) {
        uint32_t count = 0;
        cns_lit value = value_lit(state, rows, sorted[start[k]], i);
        clause[count++] = value ^ 1;
        for (uint32_t j = start[k]; j < start[k + 1]; j++) {
            clause[count++] = row_lits[sorted[j]];
        }
        bool is_value = count == 2 && clause[1] == value;
        if (!is_value && !cns_post_clause(state, clause, count)) {
            return false;
        }
    }
    return true;
}

static void define_row(cns_state *state, const cns_rows *rows, uint32_t r, cns_lit lit) {
    int64_t *cells = cns_scratch_create(state, rows->x.count, sizeof *cells);
    if (cells != NULL) {
        for (uint32_t i = 0; i < rows->x.count; i++) {
            uint32_t number = rows->row[(size_t)r * rows->x.count + i];
            cells[i] = rows->values[rows->value_start[i] + number];
        }
        cns_proof_define_part(state, lit, "row", cells, rows->x.count);
        cns_scratch_destroy(state, cells, rows->x.count, sizeof *cells);
    }
}

/* The literal of a row: that of a value which no other row has, else a new one. */
static cns_lit row_lit(cns_state *state, const cns_rows *rows, uint32_t r,
                       const uint32_t *occurrences) {
    for (uint32_t i = 0; i < rows->x.count; i++) {
        uint32_t number = rows->row[(size_t)r * rows->x.count + i];
        if (occurrences[rows->value_start[i] + number] == 1) {
            return value_lit(state, rows, r, i);
        }
    }
    cns_lit lit = cns_new_bool(state);
    if (state->proof != NULL) {
        define_row(state, rows, r, lit);
    }
    return lit;
}

static bool make_row_lits(cns_state *state, const cns_rows *rows, uint32_t *occurrences,
                          cns_lit *row_lits) {
    for (uint32_t r = 0; r < rows->count; r++) {
        for (uint32_t i = 0; i < rows->x.count; i++) {
            occurrences[rows->value_start[i] + rows->row[(size_t)r * rows->x.count + i]]++;
        }
    }
    for (uint32_t r = 0; r < rows->count; r++) {
        row_lits[r] = row_lit(state, rows, r, occurrences);
        for (uint32_t i = 0; i < rows->x.count; i++) {
            cns_lit value = value_lit(state, rows, r, i);
            if (value != row_lits[r] &&
                !cns_post_clause(state, (cns_lit[]){row_lits[r] ^ 1, value}, 2)) {
                return false;
            }
        }
    }
    return true;
}

/* The literal of x[1 - i] in each row: with two columns that is what supports x[i]. */
static bool other_lits(cns_state *state, const cns_rows *rows, uint32_t i, cns_lit *row_lits) {
    for (uint32_t r = 0; r < rows->count; r++) {
        row_lits[r] = value_lit(state, rows, r, 1 - i);
    }
    return cns_may_post(state);
}

static bool post_clauses(cns_state *state, const cns_rows *rows) {
    uint32_t arity = rows->x.count;
    uint32_t widths = rows->value_start[arity];
    size_t words = 3 * (size_t)rows->count + 2 * (size_t)widths + 3;
    uint32_t *row_lits = cns_scratch_create(state, words, sizeof *row_lits);
    if (row_lits == NULL) {
        return false;
    }
    cns_lit *clause = row_lits + rows->count;
    uint32_t *sorted = clause + rows->count + 1;
    uint32_t *start = sorted + rows->count;
    uint32_t *occurrences = start + widths + 1;
    bool good = arity == 2 || make_row_lits(state, rows, occurrences, row_lits);
    for (uint32_t i = 0; good && i < arity; i++) {
        sort_by_column(rows, i, sorted, start);
        good = (arity != 2 || other_lits(state, rows, i, row_lits)) &&
               post_supports(state, rows, i, row_lits, sorted, start, clause);
    }
    cns_scratch_destroy(state, row_lits, words, sizeof *row_lits);
    return good;
}

/* ---- posting -------------------------------------------------------------------------------- */

static void post_rows(cns_state *state, cns_post post, const cns_rows *rows) {
    for (uint32_t i = 0; i < rows->x.count; i++) {
        if (!cns_view_confine_to(state, rows->x.data[i], rows->values + rows->value_start[i],
                                 cns_rows_width(rows, i))) {
            return;
        }
    }
    if (rows->x.count == 2 || (rows->x.count > 2 && rows->count <= CLAUSAL_MAX)) {
        post_clauses(state, rows);
    } else if (rows->x.count > 2) {
        cns_post_rows_compact(state, post, rows);
    }
}

cns_status cns_post_table(cns_state *state, cns_post post, cns_views x, const int64_t *rows,
                          uint32_t row_count) {
    if (!cns_may_post(state) || (x.count == 0 && row_count > 0)) {
        return state->status;
    }
    size_t cells = (size_t)row_count * x.count;
    size_t starts = (size_t)x.count + 1;
    int64_t *copy = cns_scratch_create(state, cells, sizeof *copy);
    int64_t *values = cns_scratch_create(state, cells, sizeof *values);
    uint32_t *numbers = cns_scratch_create(state, cells + starts, sizeof *numbers);
    if (copy != NULL && values != NULL && numbers != NULL) {
        if (cells > 0) {
            memcpy(copy, rows, cells * sizeof *rows);
        }
        uint32_t *value_start = numbers + cells;
        cns_rows table = {x, admitted(state, x, copy, row_count), numbers, values, value_start};
        for (uint32_t i = 0; i < x.count && state->status == CNS_OK; i++) {
            value_start[i + 1] =
                value_start[i] + number_column(state, &table, copy, i, values + value_start[i]);
        }
        if (state->status == CNS_OK && table.count == 0) {
            cns_post_false(state);
        } else if (state->status == CNS_OK) {
            post_rows(state, post, &table);
        }
    }
    cns_scratch_destroy(state, copy, cells, sizeof *copy);
    cns_scratch_destroy(state, values, cells, sizeof *values);
    cns_scratch_destroy(state, numbers, cells + starts, sizeof *numbers);
    return state->status;
}
