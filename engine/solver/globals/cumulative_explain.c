/* SPDX-License-Identifier: MIT
 *
 * solver/globals/cumulative_explain.c - reasons for what cumulative deduces.
 *
 * All are one statement: in the window [a, b) each task j surely runs for part[j] units of time,
 * and together that is more than the capacity gives. A task does so when it starts in
 * [a + part - length, b - part]. Windows of length 1 are the pointwise explanations of Schutt,
 * Feydy, Stuckey, Wallace 2011. What is not needed for the excess is dropped, or weakened.
 */
#include "solver/globals/cumulative.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

static void load_then(cns_state *s, cns_cumulative *p, bool backwards, uint32_t position) {
    cns_frame_load(s, p->tasks, p->count, position, backwards, &p->then);
    for (uint32_t i = 0; i < p->count; i++) {
        p->then_demand[i] = position == UINT32_MAX
                                ? cns_view_low(s, p->tasks[i].demand)
                                : cns_view_low_before(s, p->tasks[i].demand, position);
    }
    s->ticks += 8 * (uint64_t)p->count; /* searches in the past */
}

static int64_t limit_then(const cns_state *s, const cns_cumulative *p, uint32_t position) {
    return position == UINT32_MAX ? cns_view_high(s, p->capacity)
                                  : cns_view_high_before(s, p->capacity, position);
}

static void push_demand(cns_state *s, const cns_cumulative *p, uint32_t i, cns_facts *out) {
    if (p->tasks[i].demand.term != CNS_TERM_ZERO) {
        cns_facts_push(s, out, cns_view_ge(p->tasks[i].demand, p->then_demand[i]));
    }
}

static void push_capacity(cns_state *s, const cns_cumulative *p, int64_t limit, cns_facts *out) {
    if (p->capacity.term != CNS_TERM_ZERO) {
        cns_facts_push(s, out, cns_view_le(p->capacity, limit));
    }
}

/* Task i runs for `part` units of [a, b). */
static void push_part(cns_state *s, const cns_cumulative *p, uint32_t i, int64_t a, int64_t b,
                      int64_t part, cns_facts *out) {
    const cns_task *task = &p->tasks[i];
    int64_t length = p->then.length[i];
    cns_task_lasts(s, task, length, out);
    push_demand(s, p, i, out);
    cns_frame_since(s, &p->then, task, length, a + part - length, out);
    cns_frame_until(s, &p->then, task, length, b - part, out);
}

/* Tasks other than i have more energy in [a, b) than `allowed`. With `whole`, only those count that
 * run all the time, and energy is per unit of time. Returns what is to spare in the end. */
static int64_t push_energy(cns_state *s, cns_cumulative *p, uint32_t i, int64_t a, int64_t b,
                           bool whole, int64_t allowed, cns_facts *out) {
    const cns_frame *f = &p->then;
    uint32_t count = 0;
    int64_t spare = -allowed - 1;
    for (uint32_t j = 0; j < p->count; j++) {
        int64_t part =
            least(least(f->length[j], b - a), least(cns_frame_ect(f, j) - a, b - f->lst[j]));
        if (j == i || p->then_demand[j] <= 0 || part <= 0 || (whole && part < b - a)) {
            continue;
        }
        p->chosen[count++] = j;
        p->part[j] = part;
        p->key[j] = p->then_demand[j] * (whole ? 1 : part);
        spare += p->key[j];
    }
    CNS_ASSERT(spare >= 0);
    cns_sort_numbers(p->chosen, count, p->key);
    for (uint32_t k = 0; k < count; k++) {
        uint32_t j = p->chosen[k];
        if (p->key[j] <= spare) {
            spare -= p->key[j];
            continue;
        }
        if (!whole) {
            int64_t less = spare / p->then_demand[j];
            p->part[j] -= less;
            spare -= less * p->then_demand[j];
        }
        push_part(s, p, j, a, b, p->part[j], out);
    }
    return spare;
}

/* Task i starts at `asked` (at most b) or later, as it fits nowhere into [a, b). The window is cut
 * down to the point before `asked` when that alone is in the way. */
static void explain_cover(cns_state *s, cns_cumulative *p, cns_record r, int64_t asked,
                          int64_t limit, cns_facts *out) {
    const cns_frame *f = &p->then;
    uint32_t i = r.task;
    int64_t length = f->length[i], a = r.a, b = r.a + 1;
    if (asked > r.a) {
        b = asked;
        a = asked - length <= f->est[i] ? asked - 1 : f->est[i] + length - 1;
        a = a > r.a ? a : r.a;
    }
    cns_frame_since(s, f, &p->tasks[i], length, a + 1 - length, out);
    cns_task_lasts(s, &p->tasks[i], length, out);
    push_demand(s, p, i, out);
    int64_t spare = push_energy(s, p, i, a, b, true, limit - p->then_demand[i], out);
    push_capacity(s, p, limit + spare, out);
}

static void explain_energy(cns_state *s, cns_cumulative *p, cns_record r, int64_t asked,
                           int64_t limit, cns_facts *out) {
    const cns_frame *f = &p->then;
    uint32_t i = r.task;
    int64_t length = f->length[i];
    /* It must not run for `part` units, so it starts after b - part. */
    int64_t part = least(r.b - asked + 1, least(length, r.b - r.a));
    cns_frame_since(s, f, &p->tasks[i], length, r.a + part - length, out);
    cns_task_lasts(s, &p->tasks[i], length, out);
    push_demand(s, p, i, out);
    push_energy(s, p, i, r.a, r.b, false, limit * (r.b - r.a) - p->then_demand[i] * part, out);
    push_capacity(s, p, limit, out);
}

/* Task i runs at time t, with a demand of at most `asked`. */
static void explain_demand(cns_state *s, cns_cumulative *p, uint32_t i, int64_t t, int64_t asked,
                           int64_t limit, cns_facts *out) {
    int64_t length = p->then.length[i];
    cns_task_lasts(s, &p->tasks[i], length, out);
    cns_frame_since(s, &p->then, &p->tasks[i], length, t + 1 - length, out);
    cns_frame_until(s, &p->then, &p->tasks[i], length, t, out);
    int64_t spare = push_energy(s, p, i, t, t + 1, true, limit - asked - 1, out);
    push_capacity(s, p, limit + spare, out);
}

/* Task i has begun by time t, cannot run then, and so lasts at most `asked`. */
static void explain_duration(cns_state *s, cns_cumulative *p, uint32_t i, int64_t t, int64_t asked,
                             int64_t limit, cns_facts *out) {
    cns_facts_push(s, out, cns_view_le(p->tasks[i].start, t));
    cns_facts_push(s, out, cns_view_ge(p->tasks[i].start, t - asked));
    push_demand(s, p, i, out);
    int64_t spare = push_energy(s, p, i, t, t + 1, true, limit - p->then_demand[i], out);
    push_capacity(s, p, limit + spare, out);
}

bool cns_cumulative_overload(cns_state *s, cns_cumulative *p, bool backwards, int64_t a,
                             int64_t b) {
    load_then(s, p, backwards, UINT32_MAX);
    int64_t limit = limit_then(s, p, UINT32_MAX);
    uint32_t start = cns_because_begin(s);
    int64_t spare = push_energy(s, p, CNS_NO_TASK, a, b, b == a + 1, limit * (b - a), &s->spans);
    push_capacity(s, p, b == a + 1 ? limit + spare : limit, &s->spans);
    return cns_conflict(s, cns_because_end(s, start));
}

void cns_cumulative_explain(cns_state *s, cns_propagator *self, uint32_t data, cns_fact fact,
                            uint32_t position, cns_facts *out) {
    cns_cumulative *p = (cns_cumulative *)self;
    const cns_record r = p->records.data[data];
    load_then(s, p, r.backwards, position);
    int64_t limit = limit_then(s, p, position);
    fact = cns_weakest_fact(s, fact);
    const cns_task *task = r.task == CNS_NO_TASK ? NULL : &p->tasks[r.task];
    switch (r.rule) {
    case CNS_RULE_CAPACITY:
        push_energy(s, p, CNS_NO_TASK, r.a, r.a + 1, true, fact.value + p->capacity.offset - 1,
                    out);
        break;
    case CNS_RULE_DEMAND:
        explain_demand(s, p, r.task, r.a, task->demand.offset - fact.value, limit, out);
        break;
    case CNS_RULE_DURATION:
        explain_duration(s, p, r.task, r.a, task->duration.offset - fact.value, limit, out);
        break;
    case CNS_RULE_ONE_CAPACITY:
        cns_task_lasts(s, task, 1, out);
        cns_facts_push(s, out, cns_view_ge(task->demand, fact.value + p->capacity.offset));
        break;
    case CNS_RULE_ONE_DEMAND:
        cns_task_lasts(s, task, 1, out);
        push_capacity(s, p, task->demand.offset - fact.value, out);
        break;
    case CNS_RULE_ONE_DURATION:
        push_capacity(s, p, limit, out);
        cns_facts_push(s, out, cns_view_ge(task->demand, limit + 1));
        break;
    case CNS_RULE_COVER:
        explain_cover(s, p, r, cns_frame_asked(&p->then, task, r.task, fact), limit, out);
        break;
    default:
        explain_energy(s, p, r, cns_frame_asked(&p->then, task, r.task, fact), limit, out);
        break;
    }
}
