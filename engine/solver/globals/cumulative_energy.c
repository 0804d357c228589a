/* SPDX-License-Identifier: MIT
 *
 * solver/globals/cumulative_energy.c - energy of cumulative: overload, and starts.
 *
 * Time-table edge finding (Schutt, Feydy, Stuckey 2013): what tasks must do in a window beyond the
 * profile, for the windows from an earliest start to a latest completion. n^2 of them, each in
 * constant time from the one before.
 */
#include "solver/globals/cumulative.h"

/* Energy of the profile after the time key[i] of each task, to value[i]. `order` sorts the keys. */
static void profile_after(cns_cumulative *p, const uint32_t *order, const int64_t *key,
                          int64_t *value) {
    uint32_t k = p->segments;
    int64_t after = 0; /* energy of the segments from k on */
    for (uint32_t m = p->count; m-- > 0;) {
        uint32_t i = order[m];
        while (k > 0 && p->time[k - 1] >= key[i]) {
            k--;
            after += p->height[k] * (p->time[k + 1] - p->time[k]);
        }
        value[i] = after;
        if (k > 0 && p->time[k] > key[i]) { /* segment k - 1 began before */
            value[i] += p->height[k - 1] * (p->time[k] - key[i]);
        }
    }
}

typedef struct sweep { /* windows that end at `end`, beginning ever earlier */
    int64_t end;
    int64_t energy; /* beyond the profile, of tasks that start after the begin */
    uint32_t task;  /* the one that would need most to start as early as it may */
    int64_t extra;  /* that */
} sweep;

/* Task i joins the window that begins at its earliest start. */
static void join_window(const cns_cumulative *p, sweep *w, uint32_t i) {
    const cns_frame *f = &p->now;
    int64_t length = f->length[i], demand = p->demand[i], lst = f->lst[i];
    int64_t ect = cns_frame_ect(f, i), sure = ect > lst ? ect - lst : 0;
    if (lst + length <= w->end) {
        w->energy += demand * (length - sure);
        return;
    }
    int64_t late = w->end > lst ? w->end - lst : 0; /* units, starting as late as it may */
    int64_t early = length < w->end - f->est[i] ? length : w->end - f->est[i];
    w->energy += demand * (late - (sure < late ? sure : late));
    if (demand * (early - late) > w->extra) {
        w->extra = demand * (early - late);
        w->task = i;
    }
}

static bool push_out(cns_state *s, cns_cumulative *p, const sweep *w, int64_t begin,
                     int64_t available) {
    const cns_frame *f = &p->now;
    uint32_t i = w->task;
    int64_t late = w->end > f->lst[i] ? w->end - f->lst[i] : 0;
    int64_t units = (available + p->demand[i] * late) / p->demand[i];
    cns_record record = {begin, w->end, i, CNS_RULE_ENERGY, f->backwards, false};
    return cns_cumulative_raise(s, p, i, w->end - units, record);
}

static bool sweep_windows(cns_state *s, cns_cumulative *p, int64_t end, int64_t after_end,
                          const int64_t *after_begin) {
    const cns_frame *f = &p->now;
    sweep w = {end, 0, CNS_NO_TASK, 0};
    for (uint32_t k = p->count; k-- > 0;) {
        uint32_t i = p->by_est[f->backwards][k];
        int64_t begin = f->est[i];
        if (begin >= end || p->demand[i] <= 0 || f->length[i] <= 0) {
            continue;
        }
        join_window(p, &w, i);
        int64_t available = p->limit * (end - begin) - w.energy - (after_begin[i] - after_end);
        if (available < 0) {
            return cns_cumulative_overload(s, p, f->backwards, begin, end);
        }
        if (w.extra > available && !push_out(s, p, &w, begin, available)) {
            return false;
        }
    }
    return true;
}

static bool sweep_all(cns_state *s, cns_cumulative *p, bool backwards) {
    const cns_frame *f = &p->now;
    uint32_t n = p->count;
    cns_cumulative_load(s, p, backwards);
    cns_sort_numbers(p->by_est[backwards], n, f->est);
    for (uint32_t i = 0; i < n; i++) {
        p->key[i] = cns_frame_lct(f, i);
    }
    cns_sort_numbers(p->by_lct[backwards], n, p->key);
    int64_t *after_end = p->value, *after_begin = p->value + n;
    profile_after(p, p->by_lct[backwards], p->key, after_end);
    profile_after(p, p->by_est[backwards], f->est, after_begin);
    int64_t last = INT64_MAX;
    for (uint32_t k = n; k-- > 0;) {
        uint32_t i = p->by_lct[backwards][k];
        int64_t end = cns_frame_lct(f, i);
        if (end == last || p->demand[i] <= 0) {
            continue;
        }
        last = end;
        s->ticks += n;
        if (!sweep_windows(s, p, end, after_end[i], after_begin)) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *self) {
    cns_cumulative *p = (cns_cumulative *)self;
    cns_records_tidy(state, &p->records);
    uint64_t before = state->counters.propagations;
    p->stale = false;
    return sweep_all(state, p, false) &&
           (state->counters.propagations != before || sweep_all(state, p, true));
}

static void destroy(cns_state *state, cns_propagator *self) {
    cns_cumulative *p = (cns_cumulative *)self;
    cns_records_deinit(state, &p->records);
    cns_context_free(state->context, p, p->block_size, CNS_ALIGN_DEFAULT);
}

const cns_propagator_class cns_energy_class = {
    "cumulative_energy", propagate, cns_cumulative_explain, NULL, NULL, destroy};
