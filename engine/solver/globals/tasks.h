/* SPDX-License-Identifier: MIT
 *
 * solver/globals/tasks.h - tasks on a resource, seen forwards or backwards in time.
 *
 * A rule that raises starts also lowers ends when time runs backwards: a frame holds the tasks'
 * bounds in one of the two directions, so that each rule is written once. Only the least duration
 * of a task counts, which every longer one covers. Backwards, a task starts at -(start + length).
 */
#ifndef CNS_SOLVER_GLOBALS_TASKS_H
#define CNS_SOLVER_GLOBALS_TASKS_H

#include "solver/globals/globals.h"

typedef struct cns_task {
    cns_view start, duration, demand;
    cns_lit presence;
} cns_task;

typedef struct cns_frame {
    int64_t *est, *lst, *length; /* by task: earliest start, latest start, least duration */
    bool backwards;
} cns_frame;

static inline int64_t cns_frame_ect(const cns_frame *f, uint32_t i) {
    return f->est[i] + f->length[i];
}

static inline int64_t cns_frame_lct(const cns_frame *f, uint32_t i) {
    return f->lst[i] + f->length[i];
}

/* The bounds before trail position `position`; UINT32_MAX: those of now. */
void cns_frame_load(const cns_state *state, const cns_task *tasks, uint32_t count,
                    uint32_t position, bool backwards, cns_frame *frame);

/* Task i starts at `value` or later, or `value` or earlier, in the frame. */
bool cns_frame_raise(cns_state *state, const cns_frame *frame, const cns_task *task, uint32_t i,
                     int64_t value, cns_reason reason);
bool cns_frame_lower(cns_state *state, const cns_frame *frame, const cns_task *task, uint32_t i,
                     int64_t value, cns_reason reason);
/* What bound on task i's start, in the frame, a fact about its start states. */
int64_t cns_frame_asked(const cns_frame *frame, const cns_task *task, uint32_t i, cns_fact fact);
/* The weakest fact that means the same, which is all that a rule may have deduced. */
cns_fact cns_weakest_fact(const cns_state *state, cns_fact fact);

/* Appends the facts: task i starts at `value` or later (or earlier) in the frame, its length being
 * `length`; it is at least `length` long; it is present. */
void cns_frame_since(cns_state *state, const cns_frame *frame, const cns_task *task, int64_t length,
                     int64_t value, cns_facts *out);
void cns_frame_until(cns_state *state, const cns_frame *frame, const cns_task *task, int64_t length,
                     int64_t value, cns_facts *out);
void cns_task_lasts(cns_state *state, const cns_task *task, int64_t length, cns_facts *out);
void cns_task_present(cns_state *state, const cns_task *task, cns_facts *out);

/* Whether raising a start could lengthen a task, shorten the capacity and so on: whether an integer
 * is one of a task's views and the capacity in two ways. Then bounds are read anew after a
 * deduction. True, too, with the state's status set, when memory gave out. */
bool cns_tasks_entangled(cns_state *state, const cns_task *tasks, uint32_t count,
                         cns_view capacity);

/* Sorts numbers by key, ascending; quick when they nearly are. */
void cns_sort_numbers(uint32_t *numbers, uint32_t count, const int64_t *key);

/* ---- what deductions were made: the data of lazy reasons ------------------------------------ */

typedef struct cns_record {
    int64_t a, b;
    uint32_t task;
    uint8_t rule;
    bool backwards;
    bool absent; /* deduced: the task is absent, since its start would have to move too far */
} cns_record;

typedef struct cns_records { /* falls back with the search */
    cns_record *data;
    int64_t count;
    uint32_t capacity;
} cns_records;

/* A lazy reason for `record`. When memory gives out state->status says so, and the reason is not
 * to be used: the next deduction fails. */
cns_reason cns_records_add(cns_state *state, const cns_propagator *self, cns_records *records,
                           cns_record record);
/* At the begin of a propagation: forgets reasons that nobody can ask for any more. */
void cns_records_tidy(const cns_state *state, cns_records *records);
void cns_records_deinit(cns_state *state, cns_records *records);

/* Zeroed memory for the arrays of a propagator, all in one block. */
typedef struct cns_carver {
    unsigned char *at;
} cns_carver;

#define CNS_CARVED(bytes) (((bytes) + 15) & ~(size_t)15)

static inline void *cns_carve(cns_carver *carver, size_t bytes) {
    void *result = carver->at;
    carver->at += CNS_CARVED(bytes);
    return result;
}

#endif
