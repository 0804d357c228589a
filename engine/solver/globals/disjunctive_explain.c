/* SPDX-License-Identifier: MIT
 *
 * solver/globals/disjunctive_explain.c - reasons for what disjunctive.c deduces.
 *
 * Each rule is a statement about a set of tasks that holds under few facts. The set is found anew
 * in the bounds of the trail position, as the one that starts latest and so is smallest; tasks that
 * are not needed are dropped, and what is then left to spare weakens the bounds.
 */
#include "solver/globals/disjunctive.h"

#define NO_TASK UINT32_MAX

/* ---- sets of tasks -------------------------------------------------------------------------- */

typedef struct set {
    uint32_t *tasks; /* latest start first */
    uint32_t count;
    int64_t est; /* all start at or after it */
    int64_t sum; /* of lengths */
} set;

static bool is_present(const cns_state *s, const cns_task *task, uint32_t position) {
    return cns_true_before(s, task->presence, position);
}

/* The tasks of the list in the order of their starts, the latest one first. */
static void sort_latest_first(cns_disjunctive *p, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        p->key[p->chosen[k]] = -p->then.est[p->chosen[k]];
    }
    cns_sort_numbers(p->chosen, count, p->key);
}

/* The shortest beginning of the list whose tasks complete at `goal` or later, where they may not
 * start after `cap` and `extra` is to be done, too. Empty when that alone suffices. */
static set latest_set(const cns_disjunctive *p, uint32_t count, int64_t cap, int64_t extra,
                      int64_t goal) {
    set s = {p->chosen, 0, cap, extra};
    while (s.count < count && (s.est == INT64_MAX || s.est + s.sum < goal)) {
        uint32_t j = p->chosen[s.count++];
        s.est = p->then.est[j] < cap ? p->then.est[j] : cap;
        s.sum += p->then.length[j];
    }
    CNS_ASSERT(s.est != INT64_MAX && s.est + s.sum >= goal);
    return s;
}

/* Drops tasks that `spare` allows to leave out (not the last one when `keep_one`), by swapping them
 * behind the end of the set: returns what is still to spare. */
static int64_t drop_tasks(const cns_disjunctive *p, set *s, int64_t spare, bool keep_one) {
    for (uint32_t k = s->count; k-- > 0;) {
        uint32_t j = s->tasks[k];
        if (p->then.length[j] <= spare && !(keep_one && s->count == 1)) {
            spare -= p->then.length[j];
            s->sum -= p->then.length[j];
            s->tasks[k] = s->tasks[--s->count];
            s->tasks[s->count] = j;
        }
    }
    return spare;
}

static void member(cns_state *state, const cns_disjunctive *p, uint32_t j, int64_t since,
                   int64_t until, cns_facts *out) {
    const cns_task *task = &p->tasks[j];
    int64_t length = p->then.length[j];
    cns_task_present(state, task, out);
    cns_task_lasts(state, task, length, out);
    if (since != INT64_MIN) {
        cns_frame_since(state, &p->then, task, length, since, out);
    }
    if (until != INT64_MAX) {
        cns_frame_until(state, &p->then, task, length, until, out);
    }
}

/* ---- rules ---------------------------------------------------------------------------------- */

bool cns_disjunctive_precedes(const cns_state *state, const cns_disjunctive *p,
                              const cns_frame *frame, uint32_t j, uint32_t i, uint32_t position,
                              cns_lit *why) {
    *why = CNS_LIT_NONE;
    if (p->before == NULL) {
        return cns_frame_ect(frame, i) > frame->lst[j];
    }
    uint32_t n = p->count;
    cns_lit first = frame->backwards ? p->before[i * n + j] : p->before[j * n + i];
    if (cns_true_before(state, first, position)) {
        *why = first;
        return true;
    }
    cns_lit second = frame->backwards ? p->before[j * n + i] : p->before[i * n + j];
    *why = second ^ 1;
    return cns_true_before(state, second ^ 1, position);
}

/* Task i starts at `asked` or later. */
static void explain_precedence(cns_state *state, cns_disjunctive *p, uint32_t i, int64_t asked,
                               uint32_t position, cns_facts *out) {
    uint32_t count = 0;
    cns_lit why;
    for (uint32_t j = 0; j < p->count; j++) {
        if (j != i && is_present(state, &p->tasks[j], position) &&
            cns_disjunctive_precedes(state, p, &p->then, j, i, position, &why)) {
            p->chosen[count++] = j;
        }
    }
    sort_latest_first(p, count);
    set s = latest_set(p, count, INT64_MAX, 0, asked);
    s.est -= drop_tasks(p, &s, s.est + s.sum - asked, true);
    int64_t last = CNS_THETA_NEVER; /* latest start of those that precede by bounds */
    for (uint32_t k = 0; k < s.count; k++) {
        uint32_t j = s.tasks[k];
        cns_disjunctive_precedes(state, p, &p->then, j, i, position, &why);
        if (why == CNS_LIT_NONE && p->then.lst[j] > last) {
            last = p->then.lst[j];
        }
    }
    for (uint32_t k = 0; k < s.count; k++) {
        uint32_t j = s.tasks[k];
        cns_disjunctive_precedes(state, p, &p->then, j, i, position, &why);
        if (why != CNS_LIT_NONE && why != CNS_LIT_TRUE) {
            cns_facts_push(state, out, cns_fact_lit(why));
        }
        member(state, p, j, s.est, why == CNS_LIT_NONE ? last : INT64_MAX, out);
    }
    int64_t length = p->then.length[i];
    if (last != CNS_THETA_NEVER) {
        cns_frame_since(state, &p->then, &p->tasks[i], length, last + 1 - length, out);
    }
    if (last != CNS_THETA_NEVER || p->then.backwards) {
        cns_task_lasts(state, &p->tasks[i], length, out);
    }
}

/* Task i starts at `asked` or earlier. */
static void explain_not_last(cns_state *state, cns_disjunctive *p, uint32_t i, int64_t asked,
                             uint32_t position, cns_facts *out) {
    int64_t length = p->then.length[i], end = asked + length, latest = p->then.lst[i];
    uint32_t count = 0;
    for (uint32_t j = 0; j < p->count; j++) {
        if (j != i && p->then.lst[j] <= end && is_present(state, &p->tasks[j], position)) {
            p->chosen[count++] = j;
        }
    }
    sort_latest_first(p, count);
    set s = latest_set(p, count, INT64_MAX, 0, latest + 1);
    int64_t spare = drop_tasks(p, &s, s.est + s.sum - latest - 1, true);
    for (uint32_t k = 0; k < s.count; k++) {
        member(state, p, s.tasks[k], s.est, end, out);
    }
    cns_task_lasts(state, &p->tasks[i], length, out);
    cns_frame_until(state, &p->then, &p->tasks[i], length, latest + spare, out);
}

static uint32_t those_until(cns_state *state, cns_disjunctive *p, uint32_t i, int64_t b,
                            uint32_t position) {
    uint32_t count = 0;
    for (uint32_t j = 0; j < p->count; j++) {
        if (j != i && cns_frame_lct(&p->then, j) <= b &&
            is_present(state, &p->tasks[j], position)) {
            p->chosen[count++] = j;
        }
    }
    sort_latest_first(p, count);
    return count;
}

/* Task i starts at `asked` or later, since it and those that end by `b` cannot all end by `b`, so
 * that it comes after each of them. */
static void explain_edge(cns_state *state, cns_disjunctive *p, uint32_t i, int64_t b, int64_t asked,
                         uint32_t position, cns_facts *out) {
    const cns_frame *f = &p->then;
    uint32_t count = those_until(state, p, i, b, position);
    int64_t length = f->length[i];
    set after = latest_set(p, count, INT64_MAX, 0, asked);
    int64_t since_after = after.est - (after.est + after.sum - asked);
    set full = latest_set(p, count, f->est[i], length, b + 1);
    int64_t spare = full.est + full.sum - b - 1;
    if (full.count == 0) {
        full.est -= spare;
    } else {
        b += spare;
    }
    /* Both are beginnings of one list. */
    for (uint32_t k = 0; k < after.count || k < full.count; k++) {
        uint32_t j = p->chosen[k];
        int64_t since = k >= full.count                              ? since_after
                        : k >= after.count || full.est > since_after ? full.est
                                                                     : since_after;
        member(state, p, j, since, k < full.count ? b - f->length[j] : b, out);
    }
    cns_task_lasts(state, &p->tasks[i], length, out);
    cns_frame_since(state, f, &p->tasks[i], length, full.est, out);
}

/* Those that end by `b` (task i among them, if there is one) do not fit. */
static void explain_overload(cns_state *state, cns_disjunctive *p, uint32_t i, int64_t b,
                             uint32_t position, cns_facts *out) {
    const cns_frame *f = &p->then;
    uint32_t count = those_until(state, p, i, b, position);
    set s = latest_set(p, count, i == NO_TASK ? INT64_MAX : f->est[i],
                       i == NO_TASK ? 0 : f->length[i], b + 1);
    b += drop_tasks(p, &s, s.est + s.sum - b - 1, false);
    for (uint32_t k = 0; k < s.count; k++) {
        uint32_t j = s.tasks[k];
        member(state, p, j, s.est, b - f->length[j], out);
    }
    if (i != NO_TASK) {
        cns_task_lasts(state, &p->tasks[i], f->length[i], out);
        cns_frame_since(state, f, &p->tasks[i], f->length[i], s.est, out);
        cns_frame_until(state, f, &p->tasks[i], f->length[i], b - f->length[i], out);
    }
}

/* Task i lasts at most `asked`: the one that limits it cannot come before. Only forwards. */
static void explain_duration(cns_state *state, cns_disjunctive *p, uint32_t i, int64_t asked,
                             uint32_t position, cns_facts *out) {
    const cns_frame *f = &p->then;
    for (uint32_t j = 0; j < p->count; j++) {
        if (j == i || cns_frame_ect(f, j) <= f->lst[i] || f->lst[j] - f->est[i] > asked ||
            !is_present(state, &p->tasks[j], position)) {
            continue;
        }
        int64_t first = f->lst[i] + 1 - f->length[j];
        member(state, p, j, first, f->lst[j], out);
        cns_facts_push(state, out, cns_view_le(p->tasks[i].start, f->lst[i]));
        cns_facts_push(state, out, cns_view_ge(p->tasks[i].start, f->lst[j] - asked));
        return;
    }
    CNS_ASSERT(false);
}

void cns_disjunctive_explain_overload(cns_state *state, cns_disjunctive *p, bool backwards,
                                      int64_t b, cns_facts *out) {
    cns_frame_load(state, p->tasks, p->count, UINT32_MAX, backwards, &p->then);
    explain_overload(state, p, NO_TASK, b, UINT32_MAX, out);
}

void cns_disjunctive_explain(cns_state *state, cns_propagator *self, uint32_t data, cns_fact fact,
                             uint32_t position, cns_facts *out) {
    cns_disjunctive *p = (cns_disjunctive *)self;
    const cns_record r = p->records.data[data];
    const cns_task *task = &p->tasks[r.task];
    cns_frame *f = &p->then;
    cns_frame_load(state, p->tasks, p->count, position, r.backwards, f);
    state->ticks += 8 * (uint64_t)p->count; /* searches in the past */
    fact = cns_weakest_fact(state, fact);
    int64_t length = f->length[r.task], asked = 0;
    if (!r.absent) {
        cns_task_present(state, task, out);
        asked = r.rule == CNS_RULE_DURATION ? task->duration.offset - fact.value
                                            : cns_frame_asked(f, task, r.task, fact);
    } else if (r.rule == CNS_RULE_NOT_LAST) {
        asked = f->est[r.task] - 1;
        cns_frame_since(state, f, task, length, asked + 1, out);
        cns_task_lasts(state, task, length, out);
    } else if (r.rule != CNS_RULE_OVERLOAD) {
        asked = f->lst[r.task] + 1;
        cns_frame_until(state, f, task, length, asked - 1, out);
        cns_task_lasts(state, task, length, out);
    }
    switch (r.rule) {
    case CNS_RULE_PRECEDENCE:
        explain_precedence(state, p, r.task, asked, position, out);
        break;
    case CNS_RULE_NOT_LAST:
        explain_not_last(state, p, r.task, asked, position, out);
        break;
    case CNS_RULE_EDGE:
        explain_edge(state, p, r.task, r.b, asked, position, out);
        break;
    case CNS_RULE_OVERLOAD:
        explain_overload(state, p, r.task, r.b, position, out);
        break;
    default:
        explain_duration(state, p, r.task, asked, position, out);
        break;
    }
}
