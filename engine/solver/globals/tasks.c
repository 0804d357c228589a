/* SPDX-License-Identifier: MIT
 *
 * solver/globals/tasks.c - see tasks.h.
 */
#include "solver/globals/tasks.h"

#include "solver/globals/block.h"
#include "solver/globals/heap_sort.h"
#include "solver/trail.h"

/* ---- frames --------------------------------------------------------------------------------- */

void cns_frame_load(const cns_state *state, const cns_task *tasks, uint32_t count,
                    uint32_t position, bool backwards, cns_frame *frame) {
    frame->backwards = backwards;
    for (uint32_t i = 0; i < count; i++) {
        int64_t low, high, length;
        if (position == UINT32_MAX) {
            low = cns_view_low(state, tasks[i].start);
            high = cns_view_high(state, tasks[i].start);
            length = cns_view_low(state, tasks[i].duration);
        } else {
            low = cns_view_low_before(state, tasks[i].start, position);
            high = cns_view_high_before(state, tasks[i].start, position);
            length = cns_view_low_before(state, tasks[i].duration, position);
        }
        frame->length[i] = length;
        frame->est[i] = backwards ? -(high + length) : low;
        frame->lst[i] = backwards ? -(low + length) : high;
    }
}

bool cns_frame_raise(cns_state *state, const cns_frame *frame, const cns_task *task, uint32_t i,
                     int64_t value, cns_reason reason) {
    return frame->backwards ? cns_view_lower(state, task->start, -value - frame->length[i], reason)
                            : cns_view_raise(state, task->start, value, reason);
}

bool cns_frame_lower(cns_state *state, const cns_frame *frame, const cns_task *task, uint32_t i,
                     int64_t value, cns_reason reason) {
    return frame->backwards ? cns_view_raise(state, task->start, -value - frame->length[i], reason)
                            : cns_view_lower(state, task->start, value, reason);
}

int64_t cns_frame_asked(const cns_frame *frame, const cns_task *task, uint32_t i, cns_fact fact) {
    bool lower = fact.id == task->start.term;
    int64_t value = lower ? fact.value + task->start.offset : task->start.offset - fact.value;
    return frame->backwards ? -value - frame->length[i] : value;
}

cns_fact cns_weakest_fact(const cns_state *state, cns_fact fact) {
    if (fact.is_bound) {
        fact.value = cns_weakest_bound(state, fact.id, fact.value);
    }
    return fact;
}

void cns_frame_since(cns_state *state, const cns_frame *frame, const cns_task *task, int64_t length,
                     int64_t value, cns_facts *out) {
    cns_facts_push(state, out,
                   frame->backwards ? cns_view_le(task->start, -value - length)
                                    : cns_view_ge(task->start, value));
}

void cns_frame_until(cns_state *state, const cns_frame *frame, const cns_task *task, int64_t length,
                     int64_t value, cns_facts *out) {
    cns_facts_push(state, out,
                   frame->backwards ? cns_view_ge(task->start, -value - length)
                                    : cns_view_le(task->start, value));
}

void cns_task_lasts(cns_state *state, const cns_task *task, int64_t length, cns_facts *out) {
    if (task->duration.term != CNS_TERM_ZERO) {
        cns_facts_push(state, out, cns_view_ge(task->duration, length));
    }
}

void cns_task_present(cns_state *state, const cns_task *task, cns_facts *out) {
    if (task->presence != CNS_LIT_TRUE) {
        cns_facts_push(state, out, cns_fact_lit(task->presence));
    }
}

typedef struct role { /* what an integer is to some task, or to all */
    uint32_t integer;
    uint32_t kind;
} role;

static bool by_integer(const void *a, const void *b) {
    const role *x = a, *y = b;
    return x->integer != y->integer ? x->integer < y->integer : x->kind < y->kind;
}

static void add_role(role *roles, uint32_t *count, cns_view v, uint32_t kind) {
    if (v.term != CNS_TERM_ZERO) {
        roles[(*count)++] = (role){v.term >> 1, kind};
    }
}

bool cns_tasks_entangled(cns_state *state, const cns_task *tasks, uint32_t count,
                         cns_view capacity) {
    enum { START, DURATION, DEMAND, CAPACITY, KINDS };
    uint32_t n = 0;
    bool constant = capacity.term == CNS_TERM_ZERO;
    for (uint32_t i = 0; constant && i < count; i++) {
        constant = tasks[i].duration.term == CNS_TERM_ZERO && tasks[i].demand.term == CNS_TERM_ZERO;
    }
    if (constant) {
        return false;
    }
    size_t room = (KINDS - 1) * (size_t)count + 1;
    role *roles = cns_scratch_create(state, room, sizeof *roles);
    if (roles == NULL) {
        return true;
    }
    add_role(roles, &n, capacity, CAPACITY);
    for (uint32_t i = 0; i < count; i++) {
        add_role(roles, &n, tasks[i].start, START);
        add_role(roles, &n, tasks[i].duration, DURATION);
        add_role(roles, &n, tasks[i].demand, DEMAND);
    }
    cns_heap_sort(roles, n, sizeof *roles, by_integer);
    bool entangled = false;
    for (uint32_t k = 1; k < n && !entangled; k++) {
        entangled = roles[k].integer == roles[k - 1].integer && roles[k].kind != roles[k - 1].kind;
    }
    cns_scratch_destroy(state, roles, room, sizeof *roles);
    return entangled;
}

/* ---- sorting -------------------------------------------------------------------------------- */

static void sift(uint32_t *numbers, uint32_t count, const int64_t *key, uint32_t index) {
    uint32_t number = numbers[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= count) {
            break;
        }
        if (child + 1 < count && key[numbers[child + 1]] > key[numbers[child]]) {
            child++;
        }
        if (key[numbers[child]] <= key[number]) {
            break;
        }
        numbers[index] = numbers[child];
        index = child;
    }
    numbers[index] = number;
}

static void heap_sort(uint32_t *numbers, uint32_t count, const int64_t *key) {
    for (uint32_t i = count / 2; i-- > 0;) {
        sift(numbers, count, key, i);
    }
    for (uint32_t last = count; last-- > 1;) {
        uint32_t top = numbers[0];
        numbers[0] = numbers[last];
        numbers[last] = top;
        sift(numbers, last, key, 0);
    }
}

void cns_sort_numbers(uint32_t *numbers, uint32_t count, const int64_t *key) {
    uint64_t budget = 16 * (uint64_t)count;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t number = numbers[i], k = i;
        int64_t value = key[number];
        while (k > 0 && key[numbers[k - 1]] > value) {
            numbers[k] = numbers[k - 1];
            k--;
        }
        numbers[k] = number;
        if (i - k > budget) {
            heap_sort(numbers, count, key);
            return;
        }
        budget -= i - k;
    }
}

/* ---- records -------------------------------------------------------------------------------- */

cns_reason cns_records_add(cns_state *state, const cns_propagator *self, cns_records *records,
                           cns_record record) {
    uint32_t index = (uint32_t)records->count;
    if (cns_grow(state, &records->data, sizeof *records->data, &records->capacity, index + 1) &&
        cns_save(state, &records->count, records->count + 1)) {
        records->data[index] = record;
    }
    return cns_reason_lazy(self, index);
}

void cns_records_tidy(const cns_state *state, cns_records *records) {
    if (state->level == 0 && state->trail_count <= 1) {
        records->count = 0;
    }
}

void cns_records_deinit(cns_state *state, cns_records *records) {
    cns_context_free(state->context, records->data, records->capacity * sizeof *records->data,
                     CNS_ALIGN_DEFAULT);
}
