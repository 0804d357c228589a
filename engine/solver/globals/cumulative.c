/* SPDX-License-Identifier: MIT
 *
 * solver/globals/cumulative.c - tasks that share a capacity: posting, and time-table propagation.
 *
 * The profile adds up the parts that tasks surely occupy; a task cannot start where the profile
 * leaves no room (Beldiceanu, Carlsson 2002; explained as by Schutt, Feydy, Stuckey, Wallace 2011).
 * It is made anew each time, from orders that stay nearly sorted. Energy is reasoned about in
 * cumulative_energy.c. Tasks of which no two fit side by side are a disjunctive.
 */
#include "solver/globals/cumulative.h"
#include "solver/globals/block.h"

#include <string.h>

/* Larger sets are not searched for windows of too much energy: n^2 of them. */
#define ENERGY_LIMIT 400

/* ---- the profile ---------------------------------------------------------------------------- */

static bool is_sure(const cns_cumulative *p, uint32_t i) {
    return p->demand[i] > 0 && p->now.lst[i] < cns_frame_ect(&p->now, i);
}

static void step_profile(cns_cumulative *p, int64_t time, int64_t change) {
    uint32_t last = p->segments;
    if (p->time[last] != time) {
        p->time[last + 1] = time;
        p->height[last + 1] = p->height[last];
        p->segments = ++last;
    }
    p->height[last] += change;
}

void cns_cumulative_load(cns_state *s, cns_cumulative *p, bool backwards) {
    uint32_t n = p->count, begins = 0, ends = 0;
    cns_frame *f = &p->now;
    cns_frame_load(s, p->tasks, n, UINT32_MAX, backwards, f);
    for (uint32_t i = 0; i < n; i++) {
        p->demand[i] = cns_view_low(s, p->tasks[i].demand);
        p->key[i] = cns_frame_ect(f, i);
    }
    p->limit = cns_view_high(s, p->capacity);
    p->limit = p->limit < p->most ? p->limit : p->most; /* times a span it stays in range */
    const uint32_t *by_lst = p->by_lst[backwards], *by_ect = p->by_ect[backwards];
    cns_sort_numbers(p->by_lst[backwards], n, f->lst);
    cns_sort_numbers(p->by_ect[backwards], n, p->key);
    s->ticks += 4 * (uint64_t)n;
    p->segments = 0;
    p->time[0] = INT64_MIN;
    p->height[0] = 0;
    while (ends < n) {
        uint32_t i = by_ect[ends], j = begins < n ? by_lst[begins] : CNS_NO_TASK;
        if (j != CNS_NO_TASK && f->lst[j] < p->key[i]) {
            if (is_sure(p, j)) {
                step_profile(p, f->lst[j], p->demand[j]);
            }
            begins++;
        } else {
            if (is_sure(p, i)) {
                step_profile(p, p->key[i], -p->demand[i]);
            }
            ends++;
        }
    }
    p->time[p->segments + 1] = INT64_MAX;
}

/* ---- deducing ------------------------------------------------------------------------------- */

bool cns_cumulative_raise(cns_state *s, cns_cumulative *p, uint32_t i, int64_t value,
                          cns_record record) {
    const cns_frame *f = &p->now;
    const cns_view start = p->tasks[i].start;
    int64_t est = f->backwards ? -(cns_view_high(s, start) + f->length[i]) : cns_view_low(s, start);
    if (value <= est || p->stale) {
        return true;
    }
    p->stale = p->entangled;
    return cns_frame_raise(s, f, &p->tasks[i], i, value,
                           cns_records_add(s, &p->base, &p->records, record));
}

/* The view is at least `value`. */
static bool deduce(cns_state *s, cns_cumulative *p, cns_view view, int64_t value,
                   cns_record record) {
    if (value <= cns_view_low(s, view) || p->stale) {
        return true;
    }
    p->stale = p->entangled;
    return cns_view_raise(s, view, value, cns_records_add(s, &p->base, &p->records, record));
}

/* The first segment that ends after `time`. */
static uint32_t find_segment(const cns_cumulative *p, int64_t time) {
    uint32_t low = 0, high = p->segments;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (p->time[middle + 1] > time) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return low;
}

/* Whether task i has no room in segment k; where it surely runs anyhow, it is counted already. */
static bool is_in_the_way(const cns_cumulative *p, uint32_t k, uint32_t i) {
    const cns_frame *f = &p->now;
    return p->height[k] + p->demand[i] > p->limit &&
           !(p->time[k] >= f->lst[i] && p->time[k + 1] <= cns_frame_ect(f, i));
}

/* Moves the start of task i behind segments that are in its way. */
static bool filter_start(cns_state *s, cns_cumulative *p, uint32_t i) {
    const cns_frame *f = &p->now;
    int64_t est = f->est[i];
    for (uint32_t k = find_segment(p, est); k <= p->segments; k++) {
        s->ticks++;
        if (p->time[k] >= est + f->length[i]) {
            break;
        }
        if (p->time[k + 1] <= est || !is_in_the_way(p, k, i)) {
            continue;
        }
        est = p->time[k + 1];
        cns_record record = {p->time[k], est, i, CNS_RULE_COVER, f->backwards, false};
        if (!cns_cumulative_raise(s, p, i, est, record)) {
            return false;
        }
    }
    return true;
}

/* Task i surely runs in some segments: what do they leave to it? Forwards. */
static bool filter_demand(cns_state *s, cns_cumulative *p, uint32_t i) {
    const cns_view demand = p->tasks[i].demand;
    int64_t begin = p->now.lst[i], end = cns_frame_ect(&p->now, i), most = INT64_MIN, at = 0;
    for (uint32_t k = find_segment(p, begin); k <= p->segments && p->time[k] < end; k++) {
        if (p->height[k] > most) {
            most = p->height[k];
            at = p->time[k] > begin ? p->time[k] : begin;
        }
    }
    int64_t own = is_sure(p, i) ? p->demand[i] : 0;
    cns_record record = {at, at, i, CNS_RULE_DEMAND, false, false};
    return begin >= end || deduce(s, p, cns_view_negate(demand), most - own - p->limit, record);
}

/* Task i ends before the first segment in its way that begins after its latest start. Forwards. */
static bool filter_duration(cns_state *s, cns_cumulative *p, uint32_t i) {
    const cns_frame *f = &p->now;
    const cns_view duration = p->tasks[i].duration;
    int64_t latest = f->lst[i], end = f->est[i] + cns_view_high(s, duration);
    for (uint32_t k = find_segment(p, latest); k <= p->segments && p->time[k] < end; k++) {
        s->ticks++;
        if (!is_in_the_way(p, k, i)) {
            continue;
        }
        int64_t at = p->time[k] > latest ? p->time[k] : latest;
        cns_record record = {at, at, i, CNS_RULE_DURATION, false, false};
        return deduce(s, p, cns_view_negate(duration), f->est[i] - at, record);
    }
    return true;
}

/* What holds of task i and the capacity wherever it runs. Forwards. */
static bool filter_alone(cns_state *s, cns_cumulative *p, uint32_t i) {
    const cns_task *task = &p->tasks[i];
    cns_record record = {0, 0, i, CNS_RULE_ONE_DURATION, false, false};
    if (p->now.length[i] <= 0) {
        return p->demand[i] <= p->limit || deduce(s, p, cns_view_negate(task->duration), 0, record);
    }
    record.rule = CNS_RULE_ONE_CAPACITY;
    if (!deduce(s, p, p->capacity, p->demand[i], record)) {
        return false;
    }
    record.rule = CNS_RULE_ONE_DEMAND;
    return deduce(s, p, cns_view_negate(task->demand), -p->limit, record);
}

static bool check_capacity(cns_state *s, cns_cumulative *p) {
    uint32_t top = 0;
    for (uint32_t k = 1; k <= p->segments; k++) {
        top = p->height[k] > p->height[top] ? k : top;
    }
    if (p->height[top] > p->limit) {
        return cns_cumulative_overload(s, p, false, p->time[top], p->time[top] + 1);
    }
    cns_record record = {p->time[top], 0, CNS_NO_TASK, CNS_RULE_CAPACITY, false, false};
    return deduce(s, p, p->capacity, p->height[top], record);
}

static bool filter(cns_state *s, cns_cumulative *p, bool backwards) {
    cns_cumulative_load(s, p, backwards);
    if (!backwards && !check_capacity(s, p)) {
        return false;
    }
    int64_t top = 0;
    for (uint32_t k = 0; k <= p->segments; k++) {
        top = p->height[k] > top ? p->height[k] : top;
    }
    for (uint32_t i = 0; i < p->count && !p->stale; i++) {
        const cns_task *task = &p->tasks[i];
        if (!backwards && !cns_view_fixed(s, task->demand) && !filter_demand(s, p, i)) {
            return false;
        }
        if (!backwards && p->demand[i] > 0 && !p->settled && !filter_alone(s, p, i)) {
            return false;
        }
        if (p->demand[i] <= 0 || p->demand[i] + top <= p->limit || p->demand[i] > p->limit) {
            continue;
        }
        if (p->now.length[i] > 0 && p->now.est[i] < p->now.lst[i] && !filter_start(s, p, i)) {
            return false;
        }
        if (!backwards && !cns_view_fixed(s, task->duration) && !filter_duration(s, p, i)) {
            return false;
        }
    }
    s->ticks += 2 * (uint64_t)p->count;
    return true;
}

static bool propagate(cns_state *state, cns_propagator *self) {
    cns_cumulative *p = (cns_cumulative *)self;
    cns_records_tidy(state, &p->records);
    p->stale = false;
    return filter(state, p, false) && (p->stale || filter(state, p, true));
}

static void destroy(cns_state *state, cns_propagator *self) {
    cns_cumulative *p = (cns_cumulative *)self;
    cns_records_deinit(state, &p->records);
    cns_context_free(state->context, p, p->block_size, CNS_ALIGN_DEFAULT);
}

const cns_propagator_class cns_timetable_class = {"cumulative", propagate, cns_cumulative_explain,
                                                  NULL,         NULL,      destroy};

/* ---- posting -------------------------------------------------------------------------------- */

static bool are_constant(const cns_task *tasks, uint32_t n, cns_view capacity) {
    for (uint32_t i = 0; i < n; i++) {
        if (tasks[i].demand.term != CNS_TERM_ZERO) {
            return false;
        }
    }
    return capacity.term == CNS_TERM_ZERO;
}

static int64_t *carve_values(cns_carver *c, size_t n) {
    return cns_carve(c, n * sizeof(int64_t));
}

static uint32_t *carve_numbers(cns_carver *c, uint32_t n) {
    uint32_t *numbers = cns_carve(c, n * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = i;
    }
    return numbers;
}

/* NULL, with the state's status set, when memory gave out. */
static cns_cumulative *create(cns_state *state, cns_post post, const cns_task *tasks, uint32_t n,
                              cns_view capacity, const cns_propagator_class *class) {
    size_t size = CNS_CARVED(sizeof(cns_cumulative)) + CNS_CARVED(n * sizeof *tasks) +
                  10 * CNS_CARVED(n * sizeof(int64_t)) +
                  CNS_CARVED(2 * (size_t)n * sizeof(int64_t)) +
                  2 * CNS_CARVED((2 * (size_t)n + 2) * sizeof(int64_t)) +
                  9 * CNS_CARVED(n * sizeof(uint32_t));
    bool entangled = cns_tasks_entangled(state, tasks, n, capacity);
    if (state->status != CNS_OK) {
        return NULL;
    }
    cns_cumulative *p = cns_context_calloc(state->context, size);
    if (p == NULL) {
        state->status = cns_context_memory_status(state->context, size);
        return NULL;
    }
    cns_carver c = {(unsigned char *)p + CNS_CARVED(sizeof *p)};
    p->base = (cns_propagator){
        .class = class, .origin = post.origin, .priority = class == &cns_energy_class ? 4 : 2};
    p->block_size = size;
    p->count = n;
    p->capacity = capacity;
    p->tasks = cns_carve(&c, n * sizeof *tasks);
    memcpy(p->tasks, tasks, n * sizeof *tasks);
    p->entangled = entangled;
    p->settled = are_constant(tasks, n, capacity);
    p->now = (cns_frame){carve_values(&c, n), carve_values(&c, n), carve_values(&c, n), false};
    p->then = (cns_frame){carve_values(&c, n), carve_values(&c, n), carve_values(&c, n), false};
    p->demand = carve_values(&c, n);
    p->then_demand = carve_values(&c, n);
    p->key = carve_values(&c, n);
    p->part = carve_values(&c, n);
    p->value = carve_values(&c, 2 * (size_t)n);
    p->time = carve_values(&c, 2 * (size_t)n + 2);
    p->height = carve_values(&c, 2 * (size_t)n + 2);
    for (unsigned k = 0; k < 2; k++) {
        p->by_lst[k] = carve_numbers(&c, n);
        p->by_ect[k] = carve_numbers(&c, n);
        p->by_est[k] = carve_numbers(&c, n);
        p->by_lct[k] = carve_numbers(&c, n);
    }
    p->chosen = carve_numbers(&c, n);
    return p;
}

static bool watch_rise(cns_state *s, cns_cumulative *p, cns_term term) {
    return term >> 1 == 0 || cns_watch_term(s, term, &p->base, 0, CNS_ON_BOUND);
}

static int64_t sum_of_demands(const cns_state *s, const cns_task *tasks, uint32_t n) {
    int64_t sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        sum += cns_view_high(s, tasks[i].demand);
    }
    return sum;
}

static cns_status post_class(cns_state *state, cns_post post, const cns_task *tasks, uint32_t n,
                             cns_view capacity, const cns_propagator_class *class) {
    cns_cumulative *p = create(state, post, tasks, n, capacity, class);
    if (p == NULL) {
        return state->status;
    }
    p->most = sum_of_demands(state, tasks, n);
    cns_status status = cns_attach(state, &p->base);
    bool well = status == CNS_OK && watch_rise(state, p, capacity.term ^ 1);
    for (uint32_t i = 0; well && i < n; i++) {
        well = watch_rise(state, p, tasks[i].start.term) &&
               watch_rise(state, p, tasks[i].start.term ^ 1) &&
               watch_rise(state, p, tasks[i].duration.term) &&
               watch_rise(state, p, tasks[i].demand.term);
    }
    return status == CNS_OK && !well ? state->status : status;
}

static cns_view constant_if_fixed(const cns_state *s, cns_view v) {
    return cns_view_fixed(s, v) ? cns_view_constant(cns_view_low(s, v)) : v;
}

/* The tasks that can matter. */
static uint32_t gather(cns_state *s, cns_views starts, cns_views durations, cns_views demands,
                       cns_view capacity, cns_task *tasks) {
    uint32_t n = 0;
    for (uint32_t j = 0; j < starts.count; j++) {
        cns_view duration = durations.data[j], demand = demands.data[j];
        if (!cns_view_raise(s, duration, 0, CNS_REASON_ALWAYS) ||
            !cns_view_raise(s, demand, 0, CNS_REASON_ALWAYS) ||
            (cns_view_low(s, demand) > cns_view_high(s, capacity) &&
             !cns_view_lower(s, duration, 0, CNS_REASON_ALWAYS))) {
            return 0;
        }
        if (cns_view_high(s, duration) > 0 && cns_view_high(s, demand) > 0) {
            tasks[n++] = (cns_task){starts.data[j], duration, demand, CNS_LIT_TRUE};
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        tasks[i].duration = constant_if_fixed(s, tasks[i].duration);
        tasks[i].demand = constant_if_fixed(s, tasks[i].demand);
    }
    return n;
}

/* The tasks of which no two fit side by side, as many as there are: their number. */
static uint32_t exclusive_tasks(const cns_state *s, cns_task *tasks, uint32_t n, int64_t limit,
                                cns_view *starts, cns_view *durations) {
    uint32_t count = 0;
    int64_t least = INT64_MAX; /* demand of those taken */
    for (uint32_t i = 0; i < n; i++) {
        int64_t demand = cns_view_low(s, tasks[i].demand);
        if (demand > limit - demand) {
            starts[count] = tasks[i].start;
            durations[count++] = tasks[i].duration;
            least = demand < least ? demand : least;
        }
    }
    for (uint32_t i = 0; i < n && count > 0; i++) { /* one more, of at most half */
        int64_t demand = cns_view_low(s, tasks[i].demand);
        if (demand <= limit - demand && demand > limit - least) {
            starts[count] = tasks[i].start;
            durations[count++] = tasks[i].duration;
            break;
        }
    }
    return count;
}

static cns_status post_tasks(cns_state *s, cns_post post, cns_task *tasks, uint32_t n,
                             cns_view capacity, cns_view *views) {
    cns_view *starts = views, *durations = views + n;
    uint32_t exclusive =
        exclusive_tasks(s, tasks, n, cns_view_high(s, capacity), starts, durations);
    cns_status status = CNS_OK;
    if (exclusive >= 2) {
        status = cns_post_disjunctive(s, post, (cns_views){starts, exclusive},
                                      (cns_views){durations, exclusive}, NULL, false);
        if (status != CNS_OK || s->failed || (exclusive == n && are_constant(tasks, n, capacity))) {
            return status;
        }
    }
    status = post_class(s, post, tasks, n, capacity, &cns_timetable_class);
    if (status == CNS_OK && n > 2 && n <= ENERGY_LIMIT) {
        status = post_class(s, post, tasks, n, capacity, &cns_energy_class);
    }
    return status;
}

cns_status cns_post_cumulative(cns_state *state, cns_post post, cns_views starts,
                               cns_views durations, cns_views demands, cns_view capacity) {
    if (state->failed || !cns_view_raise(state, capacity, 0, CNS_REASON_ALWAYS)) {
        return state->status;
    }
    if (starts.count == 0) {
        return CNS_OK;
    }
    size_t view_count = 2 * (size_t)starts.count;
    cns_task *tasks = cns_scratch_create(state, starts.count, sizeof *tasks);
    cns_view *views = tasks == NULL ? NULL : cns_scratch_create(state, view_count, sizeof *views);
    cns_status status = state->status;
    if (views != NULL) {
        uint32_t n = gather(state, starts, durations, demands, capacity, tasks);
        status = state->status;
        bool fits = cns_view_low(state, capacity) >= sum_of_demands(state, tasks, n);
        if (status == CNS_OK && !fits && !state->failed) { /* not all at once */
            status = post_tasks(state, post, tasks, n, constant_if_fixed(state, capacity), views);
        }
    }
    cns_scratch_destroy(state, views, view_count, sizeof *views);
    cns_scratch_destroy(state, tasks, starts.count, sizeof *tasks);
    return status;
}
