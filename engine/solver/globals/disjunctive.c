/* SPDX-License-Identifier: MIT
 *
 * solver/globals/disjunctive.c - tasks that may not overlap.
 *
 * Two levels. Literals for the order of each pair, for sets that are not too large: search branches
 * on them, and they propagate at once (orders.c). Over all tasks, the rules of Vilim 2007:
 * overload, precedences, not-first/not-last and edge finding, in both directions of time, with
 * theta-lambda trees. With literals, precedences are those that literals state, which are at least
 * the detectable ones.
 *
 * A task that may be of length 0, and then does not count, is one whose presence implies a length.
 */
#include <string.h>

#include "solver/globals/block.h"
#include "solver/globals/disjunctive.h"
#include "solver/globals/orders.h"
#include "solver/proof.h"

/* Sets up to this size get literals for orders. */
#define LITERAL_LIMIT 64

/* ---- deducing ------------------------------------------------------------------------------- */

static bool takes_part(const cns_state *s, const cns_disjunctive *p, uint32_t i) {
    return !cns_is_false(s, p->tasks[i].presence);
}

static bool is_present(const cns_state *s, const cns_disjunctive *p, uint32_t i) {
    return cns_is_true(s, p->tasks[i].presence);
}

static bool make_absent(cns_state *s, cns_disjunctive *p, cns_record record) {
    record.absent = true;
    p->stale = p->entangled;
    return cns_enqueue(s, p->tasks[record.task].presence ^ 1,
                       cns_records_add(s, &p->base, &p->records, record));
}

/* Task i starts at `value` or later, if it is present. */
static bool raise_start(cns_state *s, cns_disjunctive *p, uint32_t i, int64_t value, uint8_t rule,
                        int64_t b) {
    const cns_frame *f = &p->now;
    const cns_view start = p->tasks[i].start;
    int64_t est = f->backwards ? -(cns_view_high(s, start) + f->length[i]) : cns_view_low(s, start);
    if (value <= est || p->stale) {
        return true;
    }
    cns_record record = {.b = b, .task = i, .rule = rule, .backwards = f->backwards};
    if (!is_present(s, p, i)) {
        return value <= f->lst[i] || make_absent(s, p, record);
    }
    p->stale = p->entangled;
    return cns_frame_raise(s, f, &p->tasks[i], i, value,
                           cns_records_add(s, &p->base, &p->records, record));
}

/* Task i starts at `value` or earlier, if it is present. */
static bool lower_start(cns_state *s, cns_disjunctive *p, uint32_t i, int64_t value) {
    const cns_frame *f = &p->now;
    const cns_view start = p->tasks[i].start;
    int64_t lst = f->backwards ? -(cns_view_low(s, start) + f->length[i]) : cns_view_high(s, start);
    if (value >= lst || p->stale) {
        return true;
    }
    cns_record record = {.task = i, .rule = CNS_RULE_NOT_LAST, .backwards = f->backwards};
    if (!is_present(s, p, i)) {
        return value >= f->est[i] || make_absent(s, p, record);
    }
    p->stale = p->entangled;
    return cns_frame_lower(s, f, &p->tasks[i], i, value,
                           cns_records_add(s, &p->base, &p->records, record));
}

/* ---- rules, in the frame `now` -------------------------------------------------------------- */

static void load(cns_state *s, cns_disjunctive *p, bool backwards) {
    cns_frame *f = &p->now;
    uint32_t n = p->count;
    cns_frame_load(s, p->tasks, n, UINT32_MAX, backwards, f);
    cns_sort_numbers(p->by_est[backwards], n, f->est);
    for (uint32_t k = 0; k < n; k++) {
        p->leaf[p->by_est[backwards][k]] = k;
    }
    cns_sort_numbers(p->by_lst[backwards], n, f->lst);
    for (uint32_t i = 0; i < n; i++) {
        p->key[i] = cns_frame_lct(f, i);
    }
    cns_sort_numbers(p->by_lct[backwards], n, p->key);
    s->ticks += 4 * (uint64_t)n;
}

static void insert(cns_disjunctive *p, uint32_t i) {
    cns_theta_insert(&p->tree, p->leaf[i], p->now.est[i], p->now.length[i]);
}

static uint64_t tree_cost(const cns_disjunctive *p) {
    uint64_t depth = 1;
    while ((1u << depth) < p->count) {
        depth++;
    }
    return p->count * depth;
}

/* No beginning of the tasks, by latest completion, takes longer than there is time. Optional tasks
 * are left to edge finding. */
static bool check_overload(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    cns_theta_clear(&p->tree, cns_theta_leaves(p->count), false);
    s->ticks += tree_cost(p);
    for (uint32_t k = 0; k < p->count; k++) {
        uint32_t i = p->by_lct[f->backwards][k];
        if (!is_present(s, p, i)) {
            continue;
        }
        insert(p, i);
        int64_t end = cns_frame_lct(f, i);
        if (cns_theta_ect(&p->tree) > end) {
            uint32_t start = cns_because_begin(s);
            cns_disjunctive_explain_overload(s, p, f->backwards, end, &s->spans);
            return cns_conflict(s, cns_because_end(s, start));
        }
    }
    return true;
}

/* Precedences that literals state. */
static bool follow_literals(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    const uint32_t *order = p->by_est[f->backwards];
    s->ticks += (uint64_t)p->count * p->count / 2;
    for (uint32_t i = 0; i < p->count; i++) {
        if (!takes_part(s, p, i) || f->est[i] == f->lst[i]) {
            continue;
        }
        int64_t ect = CNS_THETA_NEVER;
        for (uint32_t k = 0; k < p->count; k++) {
            uint32_t j = order[k];
            cns_lit why;
            if (j == i || !is_present(s, p, j) ||
                !cns_disjunctive_precedes(s, p, f, j, i, UINT32_MAX, &why)) {
                continue;
            }
            ect = (ect > f->est[j] ? ect : f->est[j]) + f->length[j];
        }
        if (!raise_start(s, p, i, ect, CNS_RULE_PRECEDENCE, 0)) {
            return false;
        }
    }
    return true;
}

/* Detectable precedences: j cannot come after i when i's earliest end is after j's latest start. */
static bool detect_precedences(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    uint32_t n = p->count, next = 0;
    uint32_t *order = p->by_ect[f->backwards];
    for (uint32_t i = 0; i < n; i++) {
        p->key[i] = cns_frame_ect(f, i);
    }
    cns_sort_numbers(order, n, p->key);
    cns_theta_clear(&p->tree, cns_theta_leaves(n), false);
    s->ticks += 2 * tree_cost(p);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = order[k];
        if (!takes_part(s, p, i)) {
            continue;
        }
        bool inside = false;
        for (; next < n; next++) {
            uint32_t j = p->by_lst[f->backwards][next];
            if (f->lst[j] >= cns_frame_ect(f, i)) {
                break;
            }
            if (is_present(s, p, j)) {
                insert(p, j);
            }
        }
        inside = p->tree.theta[p->tree.leaves + p->leaf[i]].ect != CNS_THETA_NEVER;
        if (inside) {
            cns_theta_remove(&p->tree, p->leaf[i]);
        }
        if (!raise_start(s, p, i, cns_theta_ect(&p->tree), CNS_RULE_PRECEDENCE, 0)) {
            return false;
        }
        if (inside) {
            insert(p, i);
        }
    }
    return true;
}

/* i cannot be last among those that start before its latest completion when they take until after
 * its latest start: it ends before the last of their latest starts. */
static bool find_not_last(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    uint32_t n = p->count, next = 0, last = UINT32_MAX, before_last = UINT32_MAX;
    cns_theta_clear(&p->tree, cns_theta_leaves(n), false);
    s->ticks += 2 * tree_cost(p);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t i = p->by_lct[f->backwards][k];
        if (!takes_part(s, p, i)) {
            continue;
        }
        for (; next < n; next++) {
            uint32_t j = p->by_lst[f->backwards][next];
            if (f->lst[j] >= cns_frame_lct(f, i)) {
                break;
            }
            if (is_present(s, p, j)) {
                insert(p, j);
                before_last = last;
                last = j;
            }
        }
        bool inside = p->tree.theta[p->tree.leaves + p->leaf[i]].ect != CNS_THETA_NEVER;
        if (inside) {
            cns_theta_remove(&p->tree, p->leaf[i]);
        }
        uint32_t end = last == i ? before_last : last;
        if (end != UINT32_MAX && cns_theta_ect(&p->tree) > f->lst[i] &&
            !lower_start(s, p, i, f->lst[end] - f->length[i])) {
            return false;
        }
        if (inside) {
            insert(p, i);
        }
    }
    return true;
}

/* Those of lambda that, added to theta, cannot end by `end`: they come after all of theta. Optional
 * ones that themselves end by then are absent. */
static bool take_late_ones(cns_state *s, cns_disjunctive *p, int64_t end) {
    const cns_frame *f = &p->now;
    cns_theta_tree *tree = &p->tree;
    while (tree->lambda[1].ect > end && tree->lambda[1].ect_leaf != UINT32_MAX) {
        uint32_t leaf = tree->lambda[1].ect_leaf;
        uint32_t i = p->by_est[f->backwards][leaf];
        if (!is_present(s, p, i) && cns_frame_lct(f, i) <= end) {
            if (!p->stale && !make_absent(s, p,
                                          (cns_record){.b = end,
                                                       .task = i,
                                                       .rule = CNS_RULE_OVERLOAD,
                                                       .backwards = f->backwards})) {
                return false;
            }
        } else if (!raise_start(s, p, i, cns_theta_ect(tree), CNS_RULE_EDGE, end)) {
            return false;
        }
        cns_lambda_remove(tree, leaf);
    }
    return true;
}

static bool find_edges(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    cns_theta_tree *tree = &p->tree;
    cns_theta_clear(tree, cns_theta_leaves(p->count), true);
    s->ticks += 4 * tree_cost(p);
    for (uint32_t i = 0; i < p->count; i++) {
        if (is_present(s, p, i)) {
            insert(p, i);
        }
    }
    cns_lambda_begin(tree);
    for (uint32_t i = 0; i < p->count; i++) {
        if (takes_part(s, p, i) && !is_present(s, p, i)) {
            cns_lambda_insert(tree, p->leaf[i], f->est[i], f->length[i]);
        }
    }
    for (uint32_t k = p->count; k-- > 0;) {
        uint32_t j = p->by_lct[f->backwards][k];
        if (tree->theta[tree->leaves + p->leaf[j]].ect == CNS_THETA_NEVER) {
            continue;
        }
        if (!take_late_ones(s, p, cns_frame_lct(f, j))) {
            return false;
        }
        cns_lambda_move(tree, p->leaf[j], f->est[j], f->length[j]);
    }
    return true;
}

/* By task, the earliest of the latest starts of the others that cannot come before it: that end
 * after its latest start. In the orders that detected precedences have left, these are more and
 * more of the tasks for tasks that start earlier and earlier. */
static void find_limits(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    const uint32_t *by_ect = p->by_ect[0];
    uint32_t k = p->count, first = UINT32_MAX;
    int64_t least = INT64_MAX, second = INT64_MAX;
    s->ticks += 2 * (uint64_t)p->count;
    for (uint32_t n = p->count; n-- > 0;) {
        uint32_t i = p->by_lst[0][n];
        for (; k > 0 && cns_frame_ect(f, by_ect[k - 1]) > f->lst[i]; k--) {
            uint32_t j = by_ect[k - 1];
            if (!is_present(s, p, j) || f->lst[j] >= second) {
                continue;
            }
            bool earliest = f->lst[j] < least;
            second = earliest ? least : f->lst[j];
            least = earliest ? f->lst[j] : least;
            first = earliest ? j : first;
        }
        p->limit[i] = first == i ? second : least;
    }
}

/* Lengths, where no literals state the order: i ends before those start that must come after. Only
 * forwards, behind detected precedences. */
static bool shorten(cns_state *s, cns_disjunctive *p) {
    const cns_frame *f = &p->now;
    bool found = false;
    for (uint32_t i = 0; i < p->count && !p->stale; i++) {
        const cns_view duration = p->tasks[i].duration;
        if (cns_view_fixed(s, duration) || !is_present(s, p, i)) {
            continue;
        }
        if (!found) {
            find_limits(s, p);
            found = true;
        }
        int64_t next = p->limit[i];
        if (next == INT64_MAX || next - f->est[i] >= cns_view_high(s, duration)) {
            continue;
        }
        p->stale = p->entangled;
        cns_record record = {.task = i, .rule = CNS_RULE_DURATION};
        if (!cns_view_lower(s, duration, next - f->est[i],
                            cns_records_add(s, &p->base, &p->records, record))) {
            return false;
        }
    }
    return true;
}

static bool propagate(cns_state *state, cns_propagator *self) {
    cns_disjunctive *p = (cns_disjunctive *)self;
    cns_records_tidy(state, &p->records);
    p->stale = false;
    uint64_t before = state->counters.propagations;
    /* One direction after the other; quicker rules have their effects seen first. */
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned backwards = 0; backwards < 2; backwards++) {
            load(state, p, backwards == 1);
            bool well;
            if (pass == 0) {
                well = (backwards == 1 || check_overload(state, p)) &&
                       (p->before != NULL ? follow_literals(state, p)
                                          : detect_precedences(state, p)) &&
                       (backwards == 1 || p->before != NULL || shorten(state, p));
            } else {
                well = find_not_last(state, p) && find_edges(state, p);
            }
            if (!well) {
                return false;
            }
            if (p->stale) {
                return true;
            }
        }
        if (state->counters.propagations != before) {
            return true;
        }
    }
    return true;
}

/* ---- posting -------------------------------------------------------------------------------- */

static void destroy(cns_state *state, cns_propagator *self) {
    cns_disjunctive *p = (cns_disjunctive *)self;
    cns_records_deinit(state, &p->records);
    cns_context_free(state->context, p, p->block_size, CNS_ALIGN_DEFAULT);
}

static const cns_propagator_class disjunctive_class = {
    "disjunctive", propagate, cns_disjunctive_explain, NULL, NULL, destroy};

static void carve_frame(cns_carver *c, uint32_t n, cns_frame *frame) {
    frame->est = cns_carve(c, n * sizeof(int64_t));
    frame->lst = cns_carve(c, n * sizeof(int64_t));
    frame->length = cns_carve(c, n * sizeof(int64_t));
}

static uint32_t *carve_numbers(cns_carver *c, uint32_t n) {
    uint32_t *numbers = cns_carve(c, n * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++) {
        numbers[i] = i;
    }
    return numbers;
}

/* NULL, with the state's status set, when memory gave out. */
static cns_disjunctive *create(cns_state *state, cns_post post, const cns_task *tasks, uint32_t n,
                               const cns_lit *before) {
    size_t nodes = 2 * (size_t)cns_theta_leaves(n);
    size_t matrix = before == NULL ? 0 : (size_t)n * n * sizeof *before;
    size_t size = CNS_CARVED(sizeof(cns_disjunctive)) + CNS_CARVED(n * sizeof *tasks) +
                  8 * CNS_CARVED(n * sizeof(int64_t)) + 10 * CNS_CARVED(n * sizeof(uint32_t)) +
                  CNS_CARVED(nodes * sizeof(cns_theta)) + CNS_CARVED(nodes * sizeof(cns_lambda)) +
                  CNS_CARVED(matrix);
    bool entangled = cns_tasks_entangled(state, tasks, n, cns_view_constant(0));
    if (state->status != CNS_OK) {
        return NULL;
    }
    cns_disjunctive *p = cns_context_calloc(state->context, size);
    if (p == NULL) {
        state->status = cns_context_memory_status(state->context, size);
        return NULL;
    }
    cns_carver c = {(unsigned char *)p + CNS_CARVED(sizeof *p)};
    p->base = (cns_propagator){.class = &disjunctive_class, .origin = post.origin, .priority = 2};
    p->block_size = size;
    p->count = n;
    p->tasks = cns_carve(&c, n * sizeof *tasks);
    memcpy(p->tasks, tasks, n * sizeof *tasks);
    p->entangled = entangled;
    carve_frame(&c, n, &p->now);
    carve_frame(&c, n, &p->then);
    p->key = cns_carve(&c, n * sizeof(int64_t));
    p->limit = cns_carve(&c, n * sizeof(int64_t));
    for (unsigned k = 0; k < 2; k++) {
        p->by_est[k] = carve_numbers(&c, n);
        p->by_ect[k] = carve_numbers(&c, n);
        p->by_lst[k] = carve_numbers(&c, n);
        p->by_lct[k] = carve_numbers(&c, n);
    }
    p->leaf = carve_numbers(&c, n);
    p->chosen = carve_numbers(&c, n);
    p->tree.theta = cns_carve(&c, nodes * sizeof(cns_theta));
    p->tree.lambda = cns_carve(&c, nodes * sizeof(cns_lambda));
    if (before != NULL) {
        p->before = cns_carve(&c, matrix);
        memcpy(p->before, before, matrix);
    }
    return p;
}

static cns_status attach(cns_state *state, cns_disjunctive *p) {
    cns_status status = cns_attach(state, &p->base);
    for (uint32_t i = 0; status == CNS_OK && i < p->count; i++) {
        const cns_task *task = &p->tasks[i];
        bool well =
            (task->start.term == CNS_TERM_ZERO ||
             cns_watch_bounds(state, task->start, &p->base, i)) &&
            (task->duration.term == CNS_TERM_ZERO ||
             cns_watch_term(state, task->duration.term, &p->base, i, CNS_ON_BOUND)) &&
            (task->presence == CNS_LIT_TRUE || cns_watch_lit(state, task->presence, &p->base, i));
        for (uint32_t j = 0; well && p->before != NULL && j < p->count; j++) {
            cns_lit literal = p->before[i * p->count + j];
            well = j == i || cns_value(state, literal) != 0 ||
                   (cns_watch_lit(state, literal, &p->base, i) &&
                    cns_watch_lit(state, literal ^ 1, &p->base, i));
        }
        if (!well) {
            status = state->status;
        }
    }
    return status;
}

/* A literal for both, given which it is at least 1 long. */
static cns_lit presence_with_length(cns_state *s, cns_lit presence, cns_view duration) {
    cns_lit lasts = cns_view_lit_ge(s, duration, 1);
    if (presence == CNS_LIT_TRUE || lasts == CNS_LIT_NONE) {
        return lasts;
    }
    cns_lit both = cns_new_bool(s);
    if (both == CNS_LIT_NONE) {
        return both;
    }
    cns_proof_define_all(s, both, (const cns_lit[]){presence, lasts}, 2);
    bool well = cns_add_clause2(s, both ^ 1, presence) && cns_add_clause2(s, both ^ 1, lasts) &&
                cns_add_clause3(s, both, presence ^ 1, lasts ^ 1);
    return well || s->status == CNS_OK ? both : CNS_LIT_NONE;
}

/* The tasks that can matter; UINT32_MAX when memory gave out. */
static uint32_t gather(cns_state *s, cns_views starts, cns_views durations, const cns_lit *presence,
                       bool strict, cns_task *tasks) {
    uint32_t n = 0;
    for (uint32_t j = 0; j < starts.count; j++) {
        cns_view duration = durations.data[j];
        cns_lit present = presence == NULL ? CNS_LIT_TRUE : presence[j];
        if (!cns_view_raise(s, duration, 0, CNS_REASON_ALWAYS)) {
            return s->status == CNS_OK ? 0 : UINT32_MAX;
        }
        if (cns_is_false(s, present) || (!strict && cns_view_high(s, duration) == 0)) {
            continue;
        }
        if (cns_is_true(s, present)) {
            present = CNS_LIT_TRUE;
        }
        if (!strict && cns_view_low(s, duration) == 0) {
            present = presence_with_length(s, present, duration);
        }
        if (present == CNS_LIT_NONE) {
            return UINT32_MAX;
        }
        if (cns_view_fixed(s, duration)) {
            duration = cns_view_constant(cns_view_low(s, duration));
        }
        tasks[n++] = (cns_task){starts.data[j], duration, cns_view_constant(1), present};
    }
    return n;
}

static bool can_precede(const cns_state *s, const cns_task *a, const cns_task *b) {
    return cns_view_low(s, a->start) + cns_view_low(s, a->duration) <= cns_view_high(s, b->start);
}

/* One of them was just made. Of tasks without length, that may be each before the other, a is. */
static void define_optional_order(cns_state *s, const cns_task *a, const cns_task *b, cns_lit ab,
                                  cns_lit ba) {
    cns_lit lits[3] = {a->presence, b->presence, ab ^ 1};
    if (ba == CNS_LIT_FALSE) {
        cns_proof_define_order(s, ab, lits, 2, a->start, a->duration, b->start);
    } else {
        cns_proof_define_all(s, ba, lits, 3);
    }
}

/* Makes the literals "a before b" and "b before a" of a pair of tasks. They are each other's
 * negation where both tasks are present; else they imply presence, and one holds if both are. */
static bool order_literals(cns_state *s, const cns_task *a, const cns_task *b, cns_lit *ab,
                           cns_lit *ba) {
    bool can_ab = can_precede(s, a, b), can_ba = can_precede(s, b, a);
    *ab = *ba = CNS_LIT_FALSE;
    if (a->presence == CNS_LIT_TRUE && b->presence == CNS_LIT_TRUE && (can_ab || can_ba)) {
        *ab = can_ab && can_ba ? cns_new_bool(s) : can_ab ? CNS_LIT_TRUE : CNS_LIT_FALSE;
        *ba = *ab ^ 1;
        cns_proof_define_order(s, *ab, NULL, 0, a->start, a->duration, b->start);
        return *ab != CNS_LIT_NONE;
    }
    for (int k = 0; k < 2; k++) {
        cns_lit *literal = k == 0 ? ab : ba;
        if (k == 0 ? can_ab : can_ba) {
            *literal = cns_new_bool(s);
            define_optional_order(s, a, b, *ab, *ba);
            if (*literal == CNS_LIT_NONE || !cns_add_clause2(s, *literal ^ 1, a->presence) ||
                !cns_add_clause2(s, *literal ^ 1, b->presence)) {
                return false;
            }
        }
    }
    const cns_lit one[4] = {a->presence ^ 1, b->presence ^ 1, *ab, *ba};
    return cns_add_clause(s, one, 4) &&
           (*ab == CNS_LIT_FALSE || *ba == CNS_LIT_FALSE || cns_add_clause2(s, *ab ^ 1, *ba ^ 1));
}

static cns_status post_orders(cns_state *s, cns_post post, const cns_task *tasks, uint32_t n,
                              cns_lit *before) {
    cns_order *orders = cns_scratch_create(s, (size_t)n * n, sizeof *orders);
    uint32_t count = 0;
    cns_status status = s->status;
    for (uint32_t i = 0; status == CNS_OK && i < n; i++) {
        for (uint32_t j = i + 1; j < n; j++) {
            cns_lit *ab = &before[i * n + j], *ba = &before[j * n + i];
            if (!order_literals(s, &tasks[i], &tasks[j], ab, ba)) {
                status = s->status;
                goto done;
            }
            const cns_task *a = &tasks[i], *b = &tasks[j];
            if (!cns_is_false(s, *ab)) {
                orders[count++] = (cns_order){*ab, a->start, a->duration, b->start};
            }
            if (!cns_is_false(s, *ba)) {
                orders[count++] = (cns_order){*ba, b->start, b->duration, a->start};
            }
        }
    }
    if (status == CNS_OK) {
        status = cns_post_orders(s, post, orders, count);
    }
done:
    cns_scratch_destroy(s, orders, (size_t)n * n, sizeof *orders);
    return status;
}

cns_status cns_post_disjunctive_limited(cns_state *state, cns_post post, cns_views starts,
                                        cns_views durations, const cns_lit *presence, bool strict,
                                        uint32_t literal_limit) {
    if (state->failed || starts.count < 2) {
        return CNS_OK;
    }
    cns_lit *before = NULL;
    size_t matrix = 0;
    cns_status status = CNS_OK;
    cns_task *tasks = cns_scratch_create(state, starts.count, sizeof *tasks);
    if (tasks == NULL) {
        return state->status;
    }
    uint32_t n = gather(state, starts, durations, presence, strict, tasks);
    if (n == UINT32_MAX) {
        status = state->status;
    } else if (n >= 2 && !state->failed) {
        if (n <= literal_limit) {
            matrix = (size_t)n * n;
            before = cns_scratch_create(state, matrix, sizeof *before);
            status = before == NULL ? state->status : post_orders(state, post, tasks, n, before);
        }
        if (status == CNS_OK && !state->failed && (n > 2 || before == NULL)) {
            cns_disjunctive *p = create(state, post, tasks, n, before);
            status = p == NULL ? state->status : attach(state, p);
        }
    }
    cns_scratch_destroy(state, before, matrix, sizeof *before);
    cns_scratch_destroy(state, tasks, starts.count, sizeof *tasks);
    return status;
}

cns_status cns_post_disjunctive(cns_state *state, cns_post post, cns_views starts,
                                cns_views durations, const cns_lit *presence, bool strict) {
    return cns_post_disjunctive_limited(state, post, starts, durations, presence, strict,
                                        LITERAL_LIMIT);
}

cns_status cns_post_machine(cns_state *state, cns_post post, cns_views starts, cns_views durations,
                            const cns_lit *before) {
    if (state->failed || starts.count < 2) {
        return CNS_OK;
    }
    cns_task *tasks = cns_scratch_create(state, starts.count, sizeof *tasks);
    if (tasks == NULL) {
        return state->status;
    }
    uint32_t n = gather(state, starts, durations, NULL, true, tasks);
    if (n == starts.count && !state->failed) {
        cns_disjunctive *p = create(state, post, tasks, n, before);
        state->status = p == NULL ? state->status : attach(state, p);
    }
    cns_scratch_destroy(state, tasks, starts.count, sizeof *tasks);
    return state->status;
}
