/* SPDX-License-Identifier: MIT
 *
 * solver/jump.c - see jump.h.
 */
#include "solver/jump.h"

#define DEPTH_MOST 64 /* definitions on the way of a wish */
#define DRAWS 8       /* random looks at the elements of an array */

typedef struct wish {
    cns_var var; /* or ~b */
    int64_t target;
} wish;

typedef struct mover {
    cns_score *score;
    cns_rng *rng;
    uint32_t constraint; /* at hand */
    const cns_model_constraint *c;
} mover;

static uint32_t below(mover *m, uint64_t bound) {
    return (uint32_t)cns_rng_below(m->rng, bound);
}

static bool coin(mover *m) {
    return (cns_rng_next(m->rng) >> 32 & 1) != 0;
}

static cns_var at(const mover *m, int argument, uint32_t j) {
    return cns_model_v(m->score->model, m->c, argument)[j];
}

static int64_t value(const mover *m, cns_var var) {
    return cns_model_value(m->score->values, var);
}

static uint32_t index_of(cns_var var) {
    return (uint32_t)(var >= 0 ? var : ~var);
}

static bool is_movable(const mover *m, cns_var var) {
    return m->score->low[index_of(var)] < m->score->high[index_of(var)];
}

static bool put(wish *w, cns_var var, int64_t target) {
    *w = (wish){var, target};
    return true;
}

static bool random_value(mover *m, cns_var var, wish *w) {
    uint32_t v = index_of(var);
    uint64_t span = (uint64_t)(m->score->high[v] - m->score->low[v]) + 1;
    int64_t drawn = m->score->low[v] + (int64_t)cns_rng_below(m->rng, span);
    return put(w, (cns_var)v, drawn);
}

/* A random element of the argument that can move. */
static bool random_element(mover *m, int argument, uint32_t *place) {
    uint32_t count = m->c->v[argument].count;
    for (int k = 0; k < DRAWS && count > 0; k++) {
        *place = below(m, count);
        if (is_movable(m, at(m, argument, *place))) {
            return true;
        }
    }
    return false;
}

/* ---- sums, clauses -------------------------------------------------------------------------- */

static cns_wide divide_up(cns_wide a, cns_wide b) { /* away from 0 */
    cns_wide quotient = a / b;
    return quotient * b == a ? quotient : (a < 0) == (b < 0) ? quotient + 1 : quotient - 1;
}

static int64_t target_of(const mover *m, cns_var var, cns_wide delta) {
    const cns_wide most = (cns_wide)1 << 42;
    cns_wide target = value(m, var) + delta;
    return (int64_t)(target > most ? most : target < -most ? -most : target);
}

/* A summand of v0 that is to change the sum by about delta; `output` is none of them. */
static bool move_sum(mover *m, cns_wide delta, uint32_t output, wish *w) {
    const int64_t *factors = cns_model_i(m->score->model, m->c, 0);
    for (int k = 0; k < DRAWS && m->c->v[0].count > 0; k++) {
        uint32_t j = below(m, m->c->v[0].count);
        cns_var var = at(m, 0, j);
        uint32_t v = index_of(var);
        if (j == output || factors[j] == 0 || !is_movable(m, var)) {
            continue;
        }
        int64_t target = target_of(m, var, divide_up(delta, factors[j]));
        int64_t now = value(m, var);
        int64_t low = var >= 0 ? m->score->low[v] : 1 - m->score->high[v];
        int64_t high = var >= 0 ? m->score->high[v] : 1 - m->score->low[v];
        if (target < now ? now > low : now < high) {
            return put(w, var, target);
        }
    }
    return false;
}

static bool mend_linear(mover *m, bool negated, wish *w) {
    cns_wide delta = cns_model_i(m->score->model, m->c, 1)[0] - m->score->sums[m->constraint];
    if (m->c->kind == CNS_LINEAR_LE) {
        delta += negated ? 1 : 0;
    } else if ((m->c->kind == CNS_LINEAR_NE) != negated) {
        delta = coin(m) ? 1 : -1;
    }
    return move_sum(m, delta, UINT32_MAX, w);
}

/* A literal of v0 that is to change to `truth`. */
static bool turn_literal(mover *m, bool truth, wish *w) {
    uint32_t count = m->c->v[0].count;
    uint32_t first = count > 0 ? below(m, count) : 0;
    for (uint32_t k = 0; k < count; k++) {
        cns_var literal = at(m, 0, (first + k) % count);
        if (is_movable(m, literal) && (value(m, literal) != 0) != truth) {
            return put(w, literal, truth);
        }
    }
    return false;
}

static bool turn_any(mover *m, wish *w) {
    uint32_t j;
    return random_element(m, 0, &j) && put(w, at(m, 0, j), value(m, at(m, 0, j)) == 0);
}

/* ---- functions ------------------------------------------------------------------------------ */

/* An input that is to bring the extreme to the target. */
static bool move_extreme(mover *m, int64_t target, wish *w) {
    bool greatest = m->c->kind == CNS_MAX;
    uint32_t best = 0;
    for (uint32_t j = 1; j < m->c->v[0].count; j++) {
        int64_t a = value(m, at(m, 0, j));
        int64_t b = value(m, at(m, 0, best));
        best = (greatest ? a > b : a < b) ? j : best;
    }
    int64_t now = value(m, at(m, 0, best));
    bool inwards = greatest ? target < now : target > now; /* else any of them will do */
    uint32_t any;
    if (!inwards && random_element(m, 0, &any)) {
        best = any;
    }
    return put(w, at(m, 0, best), target);
}

/* The index, or what it points to. */
static bool move_element(mover *m, int64_t target, wish *w) {
    bool fixed = m->c->i[1].count > 0;
    uint32_t count = fixed ? m->c->i[1].count : m->c->v[1].count;
    const cns_evaluation e = cns_score_evaluation(m->score, m->constraint);
    int64_t base = cns_option(&e, 0, 0, 1);
    uint32_t now = 0;
    bool inside = cns_position(cns_at(&e, 0, 0), base, count, &now);
    if (count == 0) {
        return false;
    }
    if (!fixed && inside && coin(m)) {
        return put(w, at(m, 1, now), target);
    }
    uint32_t first = below(m, count);
    uint32_t best = first;
    cns_wide least = (cns_wide)1 << 64;
    for (uint32_t k = 0; k < count && least > 0; k++) {
        uint32_t place = (first + k) % count;
        int64_t x = fixed ? cns_int_at(&e, 1, place) : cns_at(&e, 1, place);
        cns_wide gap = cns_wide_abs((cns_wide)x - target);
        if (gap < least && !(inside && place == now)) {
            best = place;
            least = gap;
        }
    }
    m->score->ticks += count / 4;
    return put(w, at(m, 0, 0), base + (int64_t)best);
}

static bool move_product(mover *m, int64_t target, wish *w) {
    uint32_t j = coin(m);
    int64_t other = value(m, at(m, 0, 1 - j));
    return other == 0 ? random_value(m, at(m, 0, 1 - j), w) : put(w, at(m, 0, j), target / other);
}

static bool any_input(mover *m, wish *w) {
    for (int k = 0; k < DRAWS; k++) {
        uint32_t j;
        int argument = (int)below(m, 4);
        if (random_element(m, argument, &j)) {
            return random_value(m, at(m, argument, j), w);
        }
    }
    return false;
}

/* An element of v0 that is to become, or to stop being, the value. */
static bool move_count(mover *m, int64_t counted, bool more, wish *w) {
    uint32_t count = m->c->v[0].count;
    uint32_t first = count > 0 ? below(m, count) : 0;
    for (uint32_t k = 0; k < count; k++) {
        cns_var var = at(m, 0, (first + k) % count);
        if (is_movable(m, var) && (value(m, var) == counted) != more) {
            return more ? put(w, var, counted) : random_value(m, var, w);
        }
    }
    return false;
}

/* An input by which output `place` of the constraint comes nearer to the target. */
static bool move_input(mover *m, uint32_t place, int64_t target, wish *w) {
    const cns_model *model = m->score->model;
    switch (m->c->kind) {
    case CNS_MIN:
    case CNS_MAX:
        return move_extreme(m, target, w);
    case CNS_ELEMENT:
        return move_element(m, target, w);
    case CNS_TIMES:
        return move_product(m, target, w);
    case CNS_ABS:
        return put(w, at(m, 0, 0), coin(m) ? target : -target);
    case CNS_COUNT:
        return move_count(m, value(m, at(m, 1, 0)), target > value(m, at(m, 2, 0)), w);
    case CNS_GLOBAL_CARDINALITY:
        return move_count(m, cns_model_i(model, m->c, 0)[place], target > value(m, at(m, 1, place)),
                          w);
    case CNS_BIN_PACKING: {
        int64_t base = m->c->i[1].count > 0 ? cns_model_i(model, m->c, 1)[0] : 1;
        return move_count(m, base + place, target > value(m, at(m, 1, place)), w);
    }
    default:
        return any_input(m, w);
    }
}

/* The output itself, or an input. */
static bool mend_function(mover *m, wish *w) {
    const cns_outputs o = cns_violation_outputs(m->score->model, m->c);
    uint32_t k = o.count > 1 ? below(m, o.count) : 0;
    cns_var output = at(m, (int)o.argument, o.start + k);
    const cns_evaluation e = cns_score_evaluation(m->score, m->constraint);
    cns_wide result;
    bool defined = cns_violation_output(&e, k, &result);
    if (defined && is_movable(m, output) && coin(m)) {
        return put(w, output, target_of(m, output, result - value(m, output)));
    }
    return defined ? move_input(m, k, value(m, output), w) : any_input(m, w);
}

/* ---- values that are to differ, tasks, rows ------------------------------------------------- */

static bool is_doubled(const mover *m, cns_var var) {
    const cns_tally *t = &m->score->alldifferents[m->constraint];
    uint64_t place = (uint64_t)value(m, var) - (uint64_t)t->low;
    return place < t->span && m->score->tallies[t->start + place] > 1;
}

static bool mend_alldifferent(mover *m, wish *w) {
    const cns_tally *t = &m->score->alldifferents[m->constraint];
    uint32_t j = 0;
    bool found = random_element(m, 0, &j);
    for (uint32_t k = 0; t->span > 0 && k < m->c->v[0].count && !is_doubled(m, at(m, 0, j)); k++) {
        j = (j + 1) % m->c->v[0].count;
    }
    if (!found || !is_movable(m, at(m, 0, j))) {
        return any_input(m, w);
    }
    uint32_t first = t->span > 0 ? below(m, t->span) : 0;
    uint32_t v = index_of(at(m, 0, j));
    for (uint32_t k = 0; k < t->span && k < 4 * DRAWS; k++) { /* a value that is not taken */
        uint32_t place = (first + k) % t->span;
        int64_t x = t->low + (int64_t)place;
        if (m->score->tallies[t->start + place] == 0 && cns_score_nearest(m->score, v, x) == x) {
            return put(w, at(m, 0, j), x);
        }
    }
    return random_value(m, at(m, 0, j), w);
}

/* A task right behind or right before another one. */
static bool mend_tasks(mover *m, wish *w) {
    uint32_t j;
    uint32_t axis = m->c->kind == CNS_DIFFN ? below(m, 2) : 0;
    int sizes = m->c->kind == CNS_DIFFN ? (int)axis + 2 : 1;
    if (m->c->kind == CNS_DISJUNCTIVE && m->c->v[2].count > 0 && below(m, 4) == 0) {
        return random_element(m, 2, &j) && put(w, at(m, 2, j), 0);
    }
    if (!random_element(m, (int)axis, &j)) {
        return any_input(m, w);
    }
    uint32_t other = below(m, m->c->v[0].count);
    int64_t start = value(m, at(m, (int)axis, other));
    int64_t target =
        coin(m) ? start + value(m, at(m, sizes, other)) : start - value(m, at(m, sizes, j));
    return put(w, at(m, (int)axis, j), target);
}

/* A cell of one of a few random rows, the one that differs least. */
static bool mend_table(mover *m, wish *w) {
    uint32_t columns = m->c->v[0].count;
    uint32_t rows = m->c->i[0].count / columns;
    const int64_t *cells = cns_model_i(m->score->model, m->c, 0);
    const int64_t *best = NULL;
    uint32_t least = UINT32_MAX;
    for (int k = 0; k < DRAWS && rows > 0; k++) {
        const int64_t *row = cells + (size_t)below(m, rows) * columns;
        uint32_t differ = 0;
        for (uint32_t j = 0; j < columns; j++) {
            differ += row[j] != value(m, at(m, 0, j));
        }
        if (differ > 0 && differ < least) {
            least = differ;
            best = row;
        }
    }
    uint32_t first = below(m, columns);
    for (uint32_t k = 0; k < columns && best != NULL; k++) {
        uint32_t j = (first + k) % columns;
        if (best[j] != value(m, at(m, 0, j)) && is_movable(m, at(m, 0, j))) {
            return put(w, at(m, 0, j), best[j]);
        }
    }
    return any_input(m, w);
}

static bool mend_order(mover *m, wish *w) {
    uint32_t count = m->c->v[0].count;
    if (count < 2) {
        return false;
    }
    uint32_t first = below(m, count - 1);
    int64_t strict = m->c->kind == CNS_INCREASING && m->c->i[0].count > 0
                         ? cns_model_i(m->score->model, m->c, 0)[0]
                         : 0;
    for (uint32_t k = 0; k + 1 < count; k++) {
        uint32_t j = (first + k) % (count - 1);
        int64_t a = value(m, at(m, 0, j));
        int64_t b = value(m, at(m, 0, j + 1));
        if (m->c->kind == CNS_ALL_EQUAL ? a != b : a + strict > b) {
            return coin(m) ? put(w, at(m, 0, j + 1), a + strict) : put(w, at(m, 0, j), b - strict);
        }
    }
    return false;
}

static bool mend_in(mover *m, wish *w) {
    uint32_t ranges = m->c->i[0].count / 2;
    if (ranges == 0) {
        return false;
    }
    const int64_t *range = cns_model_i(m->score->model, m->c, 0) + 2 * (size_t)below(m, ranges);
    uint64_t span = (uint64_t)(range[1] - range[0]) + 1;
    return put(w, at(m, 0, 0), range[0] + (int64_t)cns_rng_below(m->rng, span));
}

static bool mend_count(mover *m, wish *w) {
    int64_t counted = value(m, at(m, 1, 0));
    if (is_movable(m, at(m, 2, 0)) && coin(m)) {
        return random_value(m, at(m, 2, 0), w);
    }
    int relation = (int)cns_model_i(m->score->model, m->c, 0)[0];
    bool more = relation == CNS_REL_GE || relation == CNS_REL_GT ||
                ((relation == CNS_REL_EQ || relation == CNS_REL_NE) && coin(m));
    return move_count(m, counted, more, w);
}

/* A change by which the body may come to hold, or not to. */
static bool mend_body(mover *m, bool negated, wish *w) {
    switch (m->c->kind) {
    case CNS_LINEAR_EQ:
    case CNS_LINEAR_NE:
    case CNS_LINEAR_LE:
        return mend_linear(m, negated, w);
    case CNS_CLAUSE:
        return turn_literal(m, !negated, w);
    case CNS_XOR:
        return turn_any(m, w);
    default:
        break;
    }
    if (negated) {
        return any_input(m, w);
    }
    switch (m->c->kind) {
    case CNS_IN:
        return mend_in(m, w);
    case CNS_ALLDIFFERENT:
        return mend_alldifferent(m, w);
    case CNS_DISJUNCTIVE:
    case CNS_CUMULATIVE:
    case CNS_DIFFN:
        return mend_tasks(m, w);
    case CNS_TABLE:
        return mend_table(m, w);
    case CNS_INCREASING:
    case CNS_ALL_EQUAL:
        return mend_order(m, w);
    case CNS_COUNT:
        return mend_count(m, w);
    default:
        return cns_violation_outputs(m->score->model, m->c).count > 0 ? mend_function(m, w)
                                                                      : any_input(m, w);
    }
}

/* ---- wishes --------------------------------------------------------------------------------- */

static void go_to(mover *m, uint32_t constraint) {
    m->constraint = constraint;
    m->c = &m->score->model->constraints[constraint];
    m->score->ticks += 4;
}

/* From a follower to an input of what defines it. */
static bool descend(mover *m, wish *w) {
    uint32_t v = index_of(w->var);
    int64_t target = w->var >= 0 ? w->target : 1 - w->target;
    go_to(m, m->score->definitions[v]);
    const cns_follows *f = &m->score->follows[m->constraint];
    if (f->argument == CNS_FOLLOWS_LITERAL) {
        return mend_body(m, (target != 0) != (m->c->literal >= 0), w);
    }
    if (m->c->kind == CNS_LINEAR_EQ) {
        cns_wide own = (cns_wide)cns_model_i(m->score->model, m->c, 0)[f->start] * target;
        cns_wide rest = cns_model_i(m->score->model, m->c, 1)[0] - own;
        return move_sum(m, rest - m->score->sums[m->constraint], f->start, w);
    }
    for (uint32_t k = 0; k < f->count; k++) {
        if (at(m, f->argument, f->start + k) == (cns_var)v) {
            return move_input(m, k, target, w);
        }
    }
    return false;
}

/* Free variables lie in their domains; a follower that is to have one value, such as an assumption,
 * may be brought there, but not away from it. */
static bool arrive(mover *m, wish *w, cns_jump *out) {
    for (int depth = 0; depth < DEPTH_MOST; depth++) {
        const cns_score *s = m->score;
        uint32_t v = index_of(w->var);
        int64_t wanted = w->var >= 0 ? w->target : 1 - w->target;
        int64_t target = cns_score_nearest(s, v, wanted);
        bool has_one_value = s->low[v] == s->high[v];
        if (has_one_value && (wanted != target || target == s->values[v])) {
            return false;
        }
        if (s->definitions[v] == CNS_NO_ITEM) {
            if (target == s->values[v]) {
                return false;
            }
            *out = (cns_jump){1, {v}, {target}};
            return true;
        }
        if (!descend(m, w)) {
            return false;
        }
    }
    return false;
}

/* A random row of a table, all columns at once. */
static bool take_row(mover *m, cns_jump *out) {
    uint32_t columns = m->c->v[0].count;
    uint32_t rows = m->c->i[0].count / columns;
    const int64_t *row = cns_model_i(m->score->model, m->c, 0);
    if (columns > CNS_SCORE_SETS || rows == 0) {
        return false;
    }
    row += (size_t)below(m, rows) * columns;
    out->count = 0;
    for (uint32_t j = 0; j < columns; j++) {
        cns_var var = at(m, 0, j);
        if (value(m, var) == row[j]) {
            continue;
        }
        if (var < 0 || !cns_score_free(m->score, (uint32_t)var) ||
            cns_score_nearest(m->score, (uint32_t)var, row[j]) != row[j]) {
            return false;
        }
        out->vars[out->count] = (uint32_t)var;
        out->values[out->count++] = row[j];
    }
    return out->count > 0;
}

/* Two free elements of a permutation change places. */
static bool swap(mover *m, cns_jump *out) {
    uint32_t a;
    uint32_t b;
    if (!random_element(m, 0, &a) || !random_element(m, 0, &b)) {
        return false;
    }
    uint32_t x = index_of(at(m, 0, a));
    uint32_t y = index_of(at(m, 0, b));
    const cns_score *s = m->score;
    int64_t to_x = s->values[y];
    int64_t to_y = s->values[x];
    if (x == y || to_x == to_y || s->definitions[x] != CNS_NO_ITEM ||
        s->definitions[y] != CNS_NO_ITEM || cns_score_nearest(s, x, to_x) != to_x ||
        cns_score_nearest(s, y, to_y) != to_y) {
        return false;
    }
    *out = (cns_jump){2, {x, y}, {to_x, to_y}};
    return true;
}

static bool permutes(const mover *m) {
    return m->c->kind == CNS_CIRCUIT || m->c->kind == CNS_SUBCIRCUIT ||
           m->c->kind == CNS_ALLDIFFERENT || m->c->kind == CNS_REGULAR || m->c->kind == CNS_INVERSE;
}

/* What is to change for a violated constraint: its body, or its condition's literal. */
static bool mend_constraint(mover *m, wish *w) {
    cns_var literal = m->c->literal;
    bool truth = m->c->condition == CNS_ALWAYS || value(m, literal) != 0;
    if (m->c->condition != CNS_ALWAYS && is_movable(m, literal) && below(m, 3) == 0) {
        return put(w, literal, !truth);
    }
    return mend_body(m, !truth, w);
}

bool cns_jump_make(cns_score *s, cns_rng *rng, uint32_t item, cns_jump *out) {
    mover m = {.score = s, .rng = rng};
    wish w;
    if (item >= s->constraint_count) {
        uint32_t v = s->item_vars[item - s->constraint_count];
        return put(&w, (cns_var)v, cns_score_nearest(s, v, s->values[v])) && arrive(&m, &w, out);
    }
    go_to(&m, item);
    if (permutes(&m) && coin(&m) && swap(&m, out)) {
        return true;
    }
    if (m.c->kind == CNS_TABLE && coin(&m) && take_row(&m, out)) {
        return true;
    }
    return mend_constraint(&m, &w) && arrive(&m, &w, out);
}
