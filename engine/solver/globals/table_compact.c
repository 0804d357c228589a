/* SPDX-License-Identifier: MIT
 *
 * solver/globals/table_compact.c - rows that are still possible, as bits.
 *
 * Compact-table (Demeulenaere et al. 2016): a bit per row, in cells that are restored on
 * backtracking; each value's rows are lists of words and masks, so that memory follows the table's
 * size. A value without a possible row is removed. Why is found when asked: facts about other
 * views, as they were then, are chosen greedily until they exclude each row that could object.
 */
#include "solver/globals/block.h"
#include "solver/globals/rows.h"

#include <string.h>

typedef struct compact {
    cns_block block;
    uint32_t arity, word_count;
    cns_view *x;
    uint32_t *value_start; /* by column */
    int64_t *values;       /* by column, ascending */
    uint32_t *entry_start; /* by value: its words */
    uint32_t *entry_word;
    uint64_t *entry_mask;
    uint32_t *residue;   /* by value: the entry that supported it last */
    uint32_t *live;      /* by column: numbers of values that are possible, then the others */
    int64_t *live_count; /* by column; a cell */
    uint32_t *words;     /* numbers of words with a bit set, then the others */
    int64_t *active;     /* how many there are; a cell */
    int64_t *bits;       /* cells */
    bool *changed;       /* by column: domain changed since the last run */
    uint32_t *lost;      /* scratch: values */
    uint64_t *mask;      /* scratch: words */
    uint64_t *goal;      /* scratch: rows that an explanation has to exclude */
    uint32_t *gain;      /* scratch: by column */
} compact;

/* ---- explanations --------------------------------------------------------------------------- */

/* Whether the value of `v` makes `fact`, which is about it, false. */
static bool violates(const cns_state *state, cns_view v, int64_t value, cns_fact fact) {
    int64_t t = value - v.offset;
    if (fact.is_bound) {
        return (fact.id == v.term ? t : -t) < fact.value;
    }
    const cns_atom *atom = &state->atoms[fact.id >> 1];
    int64_t x = (v.term & 1) ? -t : t;
    bool holds = state->kind[fact.id >> 1] == CNS_BOOL_EQ ? x == atom->value : x >= atom->value;
    return holds == (fact.id & 1);
}

static uint32_t count_rows(const compact *self, uint32_t value) {
    uint32_t rows = 0;
    for (uint32_t e = self->entry_start[value]; e < self->entry_start[value + 1]; e++) {
        for (uint64_t m = self->goal[self->entry_word[e]] & self->entry_mask[e]; m; m &= m - 1) {
            rows++;
        }
    }
    return rows;
}

/* Strikes the value's rows off the goal; false when none was left there. */
static bool strike(compact *self, uint32_t value) {
    uint64_t any = 0;
    for (uint32_t e = self->entry_start[value]; e < self->entry_start[value + 1]; e++) {
        uint64_t *word = &self->goal[self->entry_word[e]];
        any |= *word & self->entry_mask[e];
        *word &= ~self->entry_mask[e];
    }
    return any != 0;
}

typedef enum absence { PRESENT, BELOW, ABOVE, REMOVED } absence;

typedef struct moment { /* a column's bounds before the position */
    uint32_t position;
    int64_t low, high;
} moment;

static moment moment_of(const cns_state *state, cns_view v, uint32_t position) {
    return (moment){position, cns_view_low_before(state, v, position),
                    cns_view_high_before(state, v, position)};
}

static absence why_absent(const cns_state *state, cns_view v, int64_t value, const moment *when,
                          cns_lit *lit) {
    if (value < when->low) {
        return BELOW;
    }
    if (value > when->high) {
        return ABOVE;
    }
    *lit = cns_find_eq(state, v.term, value - v.offset);
    bool removed = *lit != CNS_LIT_NONE && cns_true_before(state, *lit ^ 1, when->position);
    return removed ? REMOVED : PRESENT;
}

static uint32_t count_gain(cns_state *state, compact *self, uint32_t i, uint32_t position) {
    moment when = moment_of(state, self->x[i], position);
    uint32_t gain = 0;
    for (uint32_t k = self->value_start[i]; k < self->value_start[i + 1]; k++) {
        cns_lit lit;
        if (why_absent(state, self->x[i], self->values[k], &when, &lit) != PRESENT) {
            gain += count_rows(self, k);
            state->ticks += self->entry_start[k + 1] - self->entry_start[k];
        }
    }
    return gain;
}

/* Appends the facts about column i that exclude rows of the goal, no stronger than needed. */
static void exclude_by(cns_state *state, compact *self, uint32_t i, uint32_t position,
                       cns_facts *out) {
    cns_view v = self->x[i];
    moment when = moment_of(state, v, position);
    int64_t below = INT64_MIN;
    int64_t above = INT64_MAX;
    for (uint32_t k = self->value_start[i]; k < self->value_start[i + 1]; k++) {
        cns_lit lit = CNS_LIT_NONE;
        int64_t value = self->values[k];
        absence why = why_absent(state, v, value, &when, &lit);
        if (why == PRESENT || !strike(self, k)) {
            continue;
        }
        if (why == BELOW) {
            below = value;
        } else if (why == ABOVE) {
            above = value < above ? value : above;
        } else {
            cns_facts_push(state, out, cns_fact_lit(lit ^ 1));
        }
    }
    if (below != INT64_MIN) {
        cns_facts_push(state, out, cns_view_ge(v, below + 1));
    }
    if (above != INT64_MAX) {
        cns_facts_push(state, out, cns_view_le(v, above - 1));
    }
}

/* Takes the column that excludes most of the goal until nothing of it is left. A gain only falls,
 * so one that is still the largest after it was counted anew is the largest. */
static void exclude_goal(cns_state *state, compact *self, uint32_t position, cns_facts *out) {
    for (uint32_t i = 0; i < self->arity; i++) {
        self->gain[i] = count_gain(state, self, i, position);
    }
    for (;;) {
        uint32_t best = 0;
        uint32_t second = 0;
        for (uint32_t i = 1; i < self->arity; i++) {
            best = self->gain[i] > self->gain[best] ? i : best;
        }
        for (uint32_t i = 0; i < self->arity; i++) {
            second = i != best && self->gain[i] > second ? self->gain[i] : second;
        }
        if (self->gain[best] == 0) {
            return;
        }
        self->gain[best] = count_gain(state, self, best, position);
        if (self->gain[best] > 0 && self->gain[best] >= second) {
            exclude_by(state, self, best, position, out);
            self->gain[best] = 0;
        }
    }
}

static void explain(cns_state *state, cns_propagator *p, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out) {
    compact *self = (compact *)p;
    memset(self->goal, 0, self->word_count * sizeof *self->goal);
    for (uint32_t k = self->value_start[data]; k < self->value_start[data + 1]; k++) {
        if (violates(state, self->x[data], self->values[k], fact)) {
            for (uint32_t e = self->entry_start[k]; e < self->entry_start[k + 1]; e++) {
                self->goal[self->entry_word[e]] |= self->entry_mask[e];
            }
        }
    }
    exclude_goal(state, self, position, out);
}

static bool no_row(cns_state *state, compact *self) {
    memset(self->goal, 0, self->word_count * sizeof *self->goal);
    for (uint32_t e = 0; e < self->entry_start[self->value_start[self->arity]]; e++) {
        self->goal[self->entry_word[e]] |= self->entry_mask[e];
    }
    uint32_t start = cns_because_begin(state);
    exclude_goal(state, self, UINT32_MAX, &state->spans);
    return cns_conflict(state, cns_because_end(state, start));
}

/* ---- propagation ---------------------------------------------------------------------------- */

/* Sets a word's bits; a word that becomes empty leaves the active ones. `at` is its place. */
static bool save_word(cns_state *state, compact *self, uint32_t at, int64_t bits) {
    uint32_t word = self->words[at];
    if (!cns_save(state, &self->bits[word], bits)) {
        return false;
    }
    if (bits == 0) {
        uint32_t last = (uint32_t)*self->active - 1;
        self->words[at] = self->words[last];
        self->words[last] = word;
        return cns_save(state, self->active, last);
    }
    return true;
}

/* Moves the values of column i that are no longer in its domain behind the live ones; gives how
 * many, or -1. */
static int64_t drop_values(cns_state *state, compact *self, uint32_t i) {
    uint32_t *live = self->live + self->value_start[i];
    int64_t count = self->live_count[i];
    for (int64_t k = 0; k < count;) {
        uint32_t number = live[k];
        if (cns_view_has(state, self->x[i], self->values[number])) {
            k++;
        } else {
            live[k] = live[--count];
            live[count] = number;
        }
    }
    int64_t dropped = self->live_count[i] - count;
    state->ticks += (uint64_t)self->live_count[i];
    if (dropped > 0 && !cns_save(state, &self->live_count[i], count)) {
        return -1;
    }
    return dropped;
}

static void collect(cns_state *state, compact *self, const uint32_t *numbers, int64_t count) {
    for (int64_t k = 0; k < count; k++) {
        uint32_t end = self->entry_start[numbers[k] + 1];
        for (uint32_t e = self->entry_start[numbers[k]]; e < end; e++) {
            self->mask[self->entry_word[e]] |= self->entry_mask[e];
        }
        state->ticks += end - self->entry_start[numbers[k]];
    }
}

/* Excludes the rows of column i's lost values, by those or by the ones that are left. */
static bool update(cns_state *state, compact *self, uint32_t i) {
    int64_t dropped = drop_values(state, self, i);
    if (dropped <= 0) {
        return dropped == 0;
    }
    const uint32_t *live = self->live + self->value_start[i];
    int64_t left = self->live_count[i];
    bool by_lost = dropped < left;
    for (int64_t k = 0; k < *self->active; k++) {
        self->mask[self->words[k]] = 0;
    }
    collect(state, self, by_lost ? live + left : live, by_lost ? dropped : left);
    for (int64_t k = *self->active; k-- > 0;) {
        uint32_t word = self->words[k];
        uint64_t old = (uint64_t)self->bits[word];
        uint64_t bits = old & (by_lost ? ~self->mask[word] : self->mask[word]);
        if (bits != old && !save_word(state, self, (uint32_t)k, (int64_t)bits)) {
            return false;
        }
    }
    state->ticks += 2 * (uint64_t)*self->active;
    return true;
}

static bool supported(cns_state *state, compact *self, uint32_t value) {
    uint32_t e = self->residue[value];
    if ((uint64_t)self->bits[self->entry_word[e]] & self->entry_mask[e]) {
        return true;
    }
    for (e = self->entry_start[value]; e < self->entry_start[value + 1]; e++) {
        state->ticks++;
        if ((uint64_t)self->bits[self->entry_word[e]] & self->entry_mask[e]) {
            self->residue[value] = e;
            return true;
        }
    }
    return false;
}

/* Removes the values of column i that have lost all their rows: by its bounds where possible. */
static bool filter(cns_state *state, compact *self, uint32_t i) {
    uint32_t *live = self->live + self->value_start[i];
    uint32_t lost = 0;
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    int64_t count = self->live_count[i];
    for (int64_t k = 0; k < count;) {
        uint32_t number = live[k];
        int64_t value = self->values[number];
        if (supported(state, self, number)) {
            low = value < low ? value : low;
            high = value > high ? value : high;
            k++;
        } else {
            self->lost[lost++] = number;
            live[k] = live[--count];
            live[count] = number;
        }
    }
    state->ticks += (uint64_t)self->live_count[i];
    if (lost == 0) {
        return true;
    }
    cns_view v = self->x[i];
    cns_reason reason = cns_reason_lazy(&self->block.head, i);
    if (!cns_save(state, &self->live_count[i], count) || !cns_view_raise(state, v, low, reason) ||
        !cns_view_lower(state, v, high, reason)) {
        return false;
    }
    for (uint32_t k = 0; k < lost; k++) {
        int64_t value = self->values[self->lost[k]];
        if (value > low && value < high && cns_view_has(state, v, value) &&
            !cns_view_remove(state, v, value, reason)) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *p) {
    compact *self = (compact *)p;
    bool all = state->level == 0;
    for (uint32_t i = 0; i < self->arity; i++) {
        bool changed = self->changed[i] || all;
        self->changed[i] = false;
        if (changed && !update(state, self, i)) {
            return false;
        }
        if (*self->active == 0) {
            return no_row(state, self);
        }
    }
    for (uint32_t i = 0; i < self->arity; i++) {
        if (self->live_count[i] > 1 && !filter(state, self, i)) {
            return false;
        }
    }
    return true;
}

static bool wake(cns_state *state, cns_propagator *p, uint32_t data) {
    (void)state;
    ((compact *)p)->changed[data] = true;
    return true;
}

static const cns_propagator_class compact_class = {
    .name = "table",
    .propagate = propagate,
    .explain = explain,
    .wake = wake,
    .destroy = cns_block_destroy,
};

/* ---- posting -------------------------------------------------------------------------------- */

/* The values' words: counted (`fill` false: entry_start alone), or written. Rows of a value come in
 * ascending order, so those of one word follow each other. */
static uint32_t make_entries(const cns_rows *rows, uint32_t *entry_start, uint32_t *end,
                             compact *self) {
    uint32_t arity = rows->x.count;
    uint32_t values = rows->value_start[arity];
    uint32_t total = 0;
    for (uint32_t i = 0; i < arity; i++) {
        for (uint32_t k = rows->value_start[i]; k < rows->value_start[i + 1]; k++) {
            end[k] = UINT32_MAX; /* the last word */
        }
        for (uint32_t r = 0; r < rows->count; r++) {
            uint32_t k = rows->value_start[i] + rows->row[(size_t)r * arity + i];
            entry_start[k + 1] += end[k] != r / 64;
            end[k] = r / 64;
        }
    }
    for (uint32_t k = 0; k < values; k++) {
        entry_start[k + 1] += entry_start[k];
    }
    total = entry_start[values];
    if (self == NULL) {
        return total;
    }
    for (uint32_t k = 0; k < values; k++) {
        end[k] = entry_start[k];
    }
    for (uint32_t i = 0; i < arity; i++) {
        for (uint32_t r = 0; r < rows->count; r++) {
            uint32_t k = rows->value_start[i] + rows->row[(size_t)r * arity + i];
            if (end[k] == entry_start[k] || self->entry_word[end[k] - 1] != r / 64) {
                self->entry_word[end[k]++] = r / 64;
            }
            self->entry_mask[end[k] - 1] |= (uint64_t)1 << (r % 64);
        }
    }
    return total;
}

static void fill(compact *self, const cns_rows *rows) {
    uint32_t values = rows->value_start[self->arity];
    memcpy(self->x, rows->x.data, self->arity * sizeof *self->x);
    memcpy(self->value_start, rows->value_start, (self->arity + 1) * sizeof(uint32_t));
    memcpy(self->values, rows->values, values * sizeof *self->values);
    make_entries(rows, self->entry_start, self->lost, self);
    for (uint32_t k = 0; k < values; k++) {
        self->residue[k] = self->entry_start[k];
        self->live[k] = k;
    }
    for (uint32_t i = 0; i < self->arity; i++) {
        self->live_count[i] = cns_rows_width(rows, i);
    }
    for (uint32_t w = 0; w < self->word_count; w++) {
        uint32_t rest = rows->count - 64 * w;
        self->words[w] = w;
        self->bits[w] = rest >= 64 ? -1 : (int64_t)(((uint64_t)1 << rest) - 1);
    }
    *self->active = self->word_count;
}

static compact *create(cns_state *state, cns_post post, const cns_rows *rows, uint32_t entries) {
    size_t size = sizeof(compact);
    size_t arity = rows->x.count;
    size_t values = rows->value_start[arity];
    size_t words = (rows->count + 63) / 64;
    size_t views = cns_block_place(&size, arity, sizeof(cns_view));
    size_t cells = cns_block_place(&size, values + arity + 1 + words, sizeof(int64_t));
    size_t masks = cns_block_place(&size, entries + 2 * words, sizeof(uint64_t));
    size_t numbers =
        cns_block_place(&size, 2 * arity + 4 * values + entries + words + 2, sizeof(uint32_t));
    size_t marks = cns_block_place(&size, arity, sizeof(bool));
    compact *self = cns_block_create(state, post, size, &compact_class, 3);
    if (self == NULL) {
        return NULL;
    }
    self->arity = (uint32_t)arity;
    self->word_count = (uint32_t)words;
    self->x = cns_block_at(self, views);
    self->values = cns_block_at(self, cells);
    self->live_count = self->values + values;
    self->active = self->live_count + arity;
    self->bits = self->active + 1;
    self->entry_mask = cns_block_at(self, masks);
    self->mask = self->entry_mask + entries;
    self->goal = self->mask + words;
    self->value_start = cns_block_at(self, numbers);
    self->gain = self->value_start + arity + 1;
    self->residue = self->gain + arity;
    self->live = self->residue + values;
    self->lost = self->live + values;
    self->entry_start = self->lost + values;
    self->entry_word = self->entry_start + values + 1;
    self->words = self->entry_word + entries;
    self->changed = cns_block_at(self, marks);
    fill(self, rows);
    return self;
}

cns_status cns_post_rows_compact(cns_state *state, cns_post post, const cns_rows *rows) {
    uint32_t values = rows->value_start[rows->x.count];
    uint32_t *counts = cns_scratch_create(state, 2 * (size_t)values + 1, sizeof *counts);
    if (counts == NULL || !cns_poll_now(state)) {
        cns_scratch_destroy(state, counts, 2 * (size_t)values + 1, sizeof *counts);
        return state->status;
    }
    uint32_t entries = make_entries(rows, counts, counts + values + 1, NULL);
    cns_scratch_destroy(state, counts, 2 * (size_t)values + 1, sizeof *counts);
    compact *self = create(state, post, rows, entries);
    if (self == NULL || cns_attach(state, &self->block.head) != CNS_OK) {
        return state->status;
    }
    for (uint32_t i = 0; i < rows->x.count; i++) {
        if (!cns_watch_domain(state, rows->x.data[i], &self->block.head, i)) {
            break;
        }
    }
    return state->status;
}
