/* SPDX-License-Identifier: MIT
 *
 * solver/score.c - see score.h: costs, trials. How it is made lies in score_make.c.
 */
#include "solver/score.h"

#include <string.h>

#include "solver/score_make.h"

#define WEIGHT_MOST (1u << 16)

/* ---- costs ---------------------------------------------------------------------------------- */

/* 1 + log2, with a fraction, so that a great violation does not drown the small ones but falls
 * still where it is lessened. */
static uint32_t cost_of(int64_t violation) {
    if (violation <= 0) {
        return 0;
    }
    uint32_t log = 63 - (uint32_t)__builtin_clzll((uint64_t)violation);
    uint64_t fraction = (uint64_t)violation - (UINT64_C(1) << log);
    fraction = log > 20 ? fraction >> (log - 20) : fraction << (20 - log);
    return ((1 + log) << 20) + (uint32_t)fraction;
}

static int64_t narrow_wide(cns_wide v) {
    return v > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)v;
}

static int64_t linear_violation(const cns_score *s, uint32_t k, bool negated) {
    const cns_model_constraint *c = &s->model->constraints[k];
    cns_wide over = s->sums[k] - cns_model_i(s->model, c, 1)[0];
    cns_wide amount = cns_wide_abs(over);
    bool unequal = (c->kind == CNS_LINEAR_NE) != negated;
    if (c->kind != CNS_LINEAR_LE) {
        return unequal ? over == 0 : narrow_wide(amount);
    }
    return negated ? (over > 0 ? 0 : narrow_wide(1 - over)) : (over > 0 ? narrow_wide(over) : 0);
}

int64_t cns_score_violation(const cns_score *s, uint32_t k, bool negated) {
    switch (s->model->constraints[k].kind) {
    case CNS_LINEAR_EQ:
    case CNS_LINEAR_NE:
    case CNS_LINEAR_LE:
        return linear_violation(s, k, negated);
    case CNS_CLAUSE:
        return negated ? narrow_wide(s->sums[k]) : s->sums[k] == 0;
    case CNS_XOR:
        return ((s->sums[k] & 1) != 0) == negated;
    case CNS_ALLDIFFERENT:
        if (s->alldifferents[k].span > 0) {
            return narrow_wide(s->sums[k]);
        }
        break;
    default:
        break;
    }
    const cns_evaluation e = cns_score_evaluation(s, k);
    int64_t violation = cns_violation(&e);
    return negated ? violation == 0 : violation;
}

/* With the condition. */
static int64_t judge(const cns_score *s, uint32_t k) {
    const cns_model_constraint *c = &s->model->constraints[k];
    if (c->condition == CNS_ALWAYS) {
        return cns_score_violation(s, k, false);
    }
    bool literal = cns_model_value(s->values, c->literal) != 0;
    return !literal && c->condition == CNS_IF ? 0 : cns_score_violation(s, k, !literal);
}

static int64_t outside(const cns_score *s, uint32_t v) {
    int64_t x = s->values[v];
    if (x < s->low[v]) {
        return s->low[v] - x;
    }
    if (x > s->high[v]) {
        return x - s->high[v];
    }
    int64_t nearest = cns_score_nearest(s, v, x);
    return nearest < x ? x - nearest : nearest - x;
}

/* ---- items ---------------------------------------------------------------------------------- */

static void put_cost(cns_score *s, uint32_t item, uint32_t cost) {
    uint32_t old = s->costs[item];
    if (old == cost) {
        return;
    }
    s->costs[item] = cost;
    s->total += ((int64_t)cost - old) * s->weights[item];
    if (old == 0) {
        s->places[item] = s->violated_count;
        s->violated[s->violated_count++] = item;
    } else if (cost == 0) {
        uint32_t place = s->places[item];
        uint32_t last = s->violated[--s->violated_count];
        s->violated[place] = last;
        s->places[last] = place;
        s->places[item] = CNS_NO_ITEM;
    }
}

static void judge_domain(cns_score *s, uint32_t v) {
    if (s->domain_items[v] != CNS_NO_ITEM) {
        put_cost(s, s->domain_items[v], cost_of(outside(s, v)));
    }
}

void cns_score_raise_weight(cns_score *s, uint32_t item) {
    if (s->weights[item] < WEIGHT_MOST) {
        s->weights[item]++;
        s->total += s->costs[item];
    }
}

void cns_score_reset_weights(cns_score *s) {
    s->total = 0;
    for (uint32_t item = 0; item < s->item_count; item++) {
        s->weights[item] = 1;
        s->total += s->costs[item];
    }
}

/* ---- the queue: a heap of defining constraints, those of low levels first ------------------- */

static bool before(const cns_score *s, uint32_t a, uint32_t b) {
    return s->levels[a] < s->levels[b] || (s->levels[a] == s->levels[b] && a < b);
}

static void push(cns_score *s, uint32_t k) {
    uint32_t place = s->queue_count++;
    while (place > 0 && before(s, k, s->queue[(place - 1) / 2])) {
        s->queue[place] = s->queue[(place - 1) / 2];
        place = (place - 1) / 2;
    }
    s->queue[place] = k;
}

static uint32_t pop(cns_score *s) {
    uint32_t top = s->queue[0];
    uint32_t k = s->queue[--s->queue_count];
    uint32_t place = 0;
    for (uint32_t child = 1; child < s->queue_count; child = 2 * place + 1) {
        if (child + 1 < s->queue_count && before(s, s->queue[child + 1], s->queue[child])) {
            child++;
        }
        if (!before(s, s->queue[child], k)) {
            break;
        }
        s->queue[place] = s->queue[child];
        place = child;
    }
    s->queue[place] = k;
    return top;
}

static void enqueue(cns_score *s, uint32_t k) {
    if (s->queued[k]) {
        return;
    }
    s->queued[k] = true;
    s->item_changes[s->item_change_count++] = (cns_item_change){k, s->costs[k], s->sums[k]};
    if (s->follows[k].argument == CNS_FOLLOWS_NONE) {
        s->plain[s->plain_count++] = k;
    } else {
        push(s, k);
    }
}

/* ---- values --------------------------------------------------------------------------------- */

/* One value more (or less) of an alldifferent; how the number of doubled ones changes. */
static int tally(cns_score *s, uint32_t k, int64_t value, bool more) {
    const cns_tally *t = &s->alldifferents[k];
    uint64_t place = (uint64_t)value - (uint64_t)t->low;
    if (place >= t->span) {
        return 0;
    }
    uint32_t *count = &s->tallies[t->start + place];
    if (more) {
        return ++*count > 1 && *count < CNS_TALLY_EXCEPTED ? 1 : 0;
    }
    return (*count)-- > 1 && *count < CNS_TALLY_EXCEPTED ? -1 : 0;
}

/* What the change of the variable from `old` does to the sums of the constraints on it. */
static void move_sums(cns_score *s, uint32_t v, int64_t old, bool sums) {
    int64_t value = s->values[v];
    for (uint32_t i = s->touch_starts[v]; i < s->touch_starts[v + 1]; i++) {
        const cns_touch *t = &s->touches[i];
        if (sums) {
            enqueue(s, t->item);
            s->sums[t->item] += (cns_wide)t->factor * (value - old);
        }
        if (t->sort == CNS_TOUCH_TALLY) {
            int change = tally(s, t->item, old, false) + tally(s, t->item, value, true);
            s->sums[t->item] += sums ? change : 0;
        }
    }
    s->ticks += 1 + (s->touch_starts[v + 1] - s->touch_starts[v]);
}

void cns_score_set(cns_score *s, uint32_t v, int64_t value) {
    int64_t old = s->values[v];
    if (old == value) {
        return;
    }
    s->changes[s->change_count++] = (cns_change){v, old};
    s->values[v] = value;
    move_sums(s, v, old, true);
    judge_domain(s, v);
}

/* Far outside there is nothing to tell apart, but sums could overflow. */
static int64_t near_domain(const cns_score *s, uint32_t v, cns_wide value) {
    const cns_model_var *var = &s->model->variables[v];
    int64_t span = var->high - var->low + 1;
    cns_wide low = (cns_wide)var->low - span;
    cns_wide high = (cns_wide)var->high + span;
    return (int64_t)(value < low ? low : value > high ? high : value);
}

/* The variable's value by the linear equation that defines it. */
static cns_wide solve_linear(const cns_score *s, uint32_t k) {
    const cns_model_constraint *c = &s->model->constraints[k];
    cns_wide rest = cns_model_i(s->model, c, 1)[0] - s->sums[k];
    return cns_model_i(s->model, c, 0)[s->follows[k].start] > 0 ? rest : -rest;
}

static uint32_t index_of(cns_var var) {
    return (uint32_t)(var >= 0 ? var : ~var);
}

/* Brings what the constraint defines up to its inputs. */
static void follow(cns_score *s, uint32_t k) {
    const cns_model_constraint *c = &s->model->constraints[k];
    const cns_follows *f = &s->follows[k];
    if (f->argument == CNS_FOLLOWS_LITERAL) {
        bool holds = cns_score_violation(s, k, false) == 0;
        cns_score_set(s, index_of(c->literal), holds == (c->literal >= 0));
        return;
    }
    const cns_var *vars = cns_model_v(s->model, c, f->argument) + f->start;
    if (c->kind == CNS_LINEAR_EQ) {
        cns_score_set(s, (uint32_t)vars[0], near_domain(s, (uint32_t)vars[0], solve_linear(s, k)));
        return;
    }
    const cns_evaluation e = cns_score_evaluation(s, k);
    for (uint32_t j = 0; j < f->count; j++) {
        cns_wide value;
        if (cns_violation_output(&e, j, &value)) {
            cns_score_set(s, (uint32_t)vars[j], near_domain(s, (uint32_t)vars[j], value));
        }
    }
}

bool cns_score_is_summed(const cns_score *s, uint32_t k) {
    return cns_violation_is_summed(&s->model->constraints[k]) || s->alldifferents[k].span > 0;
}

static void settle(cns_score *s, uint32_t k) {
    const cns_follows *f = &s->follows[k];
    s->queued[k] = false;
    bool defines = f->argument != CNS_FOLLOWS_NONE;
    if (defines) {
        follow(s, k);
    }
    bool exact = f->argument == CNS_FOLLOWS_LITERAL ||
                 (defines && s->model->constraints[k].kind == CNS_LINEAR_EQ);
    put_cost(s, k, exact ? 0 : cost_of(judge(s, k)));
    s->ticks +=
        cns_score_is_summed(s, k) ? 2 : cns_violation_work(s->model, &s->model->constraints[k]);
}

/* False: ticks ran out before the queues did. */
static bool work_off(cns_score *s, uint64_t ticks_end) {
    while (s->queue_count > 0 && s->ticks < ticks_end) {
        settle(s, pop(s));
    }
    while (s->queue_count == 0 && s->plain_count > 0 && s->ticks < ticks_end) {
        settle(s, s->plain[--s->plain_count]);
    }
    return s->queue_count == 0 && s->plain_count == 0;
}

void cns_score_update(cns_score *s) {
    work_off(s, UINT64_MAX);
}

void cns_score_keep(cns_score *s) {
    s->change_count = s->item_change_count = 0;
}

void cns_score_undo(cns_score *s) {
    while (s->change_count > 0) {
        const cns_change *change = &s->changes[--s->change_count];
        int64_t value = s->values[change->id];
        s->values[change->id] = change->old;
        if (s->tallied[change->id]) {
            move_sums(s, change->id, value, false);
        }
        judge_domain(s, change->id);
    }
    while (s->item_change_count > 0) {
        const cns_item_change *change = &s->item_changes[--s->item_change_count];
        s->sums[change->item] = change->sum;
        put_cost(s, change->item, change->cost);
        s->ticks++;
    }
}

/* ---- all anew ------------------------------------------------------------------------------- */

static void empty_queues(cns_score *s) {
    while (s->queue_count > 0) {
        s->queued[s->queue[--s->queue_count]] = false;
    }
    while (s->plain_count > 0) {
        s->queued[s->plain[--s->plain_count]] = false;
    }
    cns_score_keep(s);
}

void cns_score_put(cns_score *s, const int64_t *values) {
    empty_queues(s);
    cns_score_clear_tallies(s);
    for (uint32_t v = 0; v < s->variable_count; v++) {
        s->values[v] = s->definitions[v] == CNS_NO_ITEM ? cns_score_nearest(s, v, values[v])
                                                        : near_domain(s, v, values[v]);
    }
}

void cns_score_begin(cns_score *s) {
    cns_score_sum(s);
    for (uint32_t v = 0; v < s->variable_count; v++) {
        judge_domain(s, v);
    }
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        enqueue(s, k);
    }
}

bool cns_score_settle(cns_score *s, uint64_t ticks_end) {
    bool all = work_off(s, ticks_end);
    if (all) {
        cns_score_keep(s);
    }
    return all;
}

void cns_score_assign(cns_score *s, const int64_t *values) {
    cns_score_put(s, values);
    cns_score_begin(s);
    cns_score_settle(s, UINT64_MAX);
}

cns_status cns_score_check(cns_score *s) {
    size_t size = s->item_count * sizeof *s->costs;
    uint32_t *costs = cns_context_alloc(s->context, size + 1, CNS_ALIGN_DEFAULT);
    if (costs == NULL) {
        return cns_context_memory_status(s->context, size);
    }
    memcpy(costs, s->costs, size);
    int64_t total = s->total;
    uint32_t violated = s->violated_count;
    uint64_t ticks = s->ticks;
    cns_score_assign(s, s->values);
    s->ticks = ticks;
    bool same =
        memcmp(costs, s->costs, size) == 0 && total == s->total && violated == s->violated_count;
    cns_context_free(s->context, costs, size + 1, CNS_ALIGN_DEFAULT);
    return same ? CNS_OK : cns_fail(s->context, CNS_E_CORRUPT, "solver: a score is not up to date");
}

int64_t cns_score_nearest(const cns_score *s, uint32_t v, int64_t value) {
    const cns_model_var *var = &s->model->variables[v];
    const int64_t *ranges = s->model->ints + var->ranges;
    value = value < s->low[v] ? s->low[v] : value > s->high[v] ? s->high[v] : value;
    uint32_t low = 0; /* the last range that begins at or below the value */
    uint32_t high = var->range_count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (ranges[2 * (size_t)middle] <= value) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    int64_t below = ranges[2 * (size_t)low + 1];
    if (value <= below) {
        return value;
    }
    int64_t above = low + 1 < var->range_count ? ranges[2 * (size_t)low + 2] : INT64_MAX;
    bool up = above <= s->high[v] && (below < s->low[v] || above - value < value - below);
    return up ? above : below;
}
