/* SPDX-License-Identifier: MIT
 *
 * solver/globals/cumulative.h - inside of cumulative: what its two propagators share.
 */
#ifndef CNS_SOLVER_GLOBALS_CUMULATIVE_H
#define CNS_SOLVER_GLOBALS_CUMULATIVE_H

#include "solver/globals/tasks.h"

typedef struct cns_cumulative {
    cns_propagator base;
    cns_task *tasks;
    uint32_t count;
    cns_view capacity;
    bool entangled;
    bool settled;        /* demands and capacity are constant: posting saw to what one task needs */
    bool stale;          /* entangled, and something was deduced: the bounds read are old */
    cns_frame now, then; /* bounds in a propagation, and in an explanation */
    int64_t *demand, *then_demand; /* least demands, in both */
    int64_t most;                  /* that all demands are together */
    int64_t limit;                 /* of the capacity, in a propagation; not above `most` */
    /* The profile: segment k is [time[k], time[k + 1]), where parts that tasks surely occupy have
     * the demand height[k]. */
    int64_t *time, *height;
    uint32_t segments;
    uint32_t *by_lst[2], *by_ect[2]; /* tasks in ascending order, by direction of time */
    uint32_t *by_est[2], *by_lct[2];
    int64_t *key, *value; /* scratch, by task */
    uint32_t *chosen;     /* for explanations */
    int64_t *part;        /* for explanations: by task */
    cns_records records;
    size_t block_size;
} cns_cumulative;

enum {
    CNS_RULE_COVER,    /* there is no room for it anywhere in [a, b): it starts at b */
    CNS_RULE_ENERGY,   /* the others leave little of [a, b) to it */
    CNS_RULE_CAPACITY, /* what runs at time a */
    CNS_RULE_DEMAND,   /* it runs at time a, with others */
    CNS_RULE_DURATION, /* it has begun by time a, and cannot run then */
    /* What one task demands, and the capacity, wherever it runs: */
    CNS_RULE_ONE_CAPACITY,
    CNS_RULE_ONE_DEMAND,
    CNS_RULE_ONE_DURATION
};

#define CNS_NO_TASK UINT32_MAX

/* Reads the bounds of the present state, and makes the profile. */
void cns_cumulative_load(cns_state *state, cns_cumulative *p, bool backwards);
/* Task i starts at `value` or later, in the frame `now`. */
bool cns_cumulative_raise(cns_state *state, cns_cumulative *p, uint32_t i, int64_t value,
                          cns_record record);
/* Reports that [a, b) is overloaded in the present state. False. */
bool cns_cumulative_overload(cns_state *state, cns_cumulative *p, bool backwards, int64_t a,
                             int64_t b);
void cns_cumulative_explain(cns_state *state, cns_propagator *self, uint32_t data, cns_fact fact,
                            uint32_t position, cns_facts *out);

/* The class of time-table propagation, and of energy in it. */
extern const cns_propagator_class cns_timetable_class, cns_energy_class;

#endif
