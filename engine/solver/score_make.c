/* SPDX-License-Identifier: MIT
 *
 * solver/score_make.c - makes a score: which constraints define which variables, their order, and
 * who is touched by whom.
 *
 * Each constraint may define what it is a function for, each variable is defined once at most, and
 * never one that the model fixes. A walk through the definitions, depth first, takes one of every
 * cycle away: its outputs are free then.
 */
#include "solver/score_make.h"

#include <stdatomic.h>
#include <string.h>

#include "base/os.h"

#define LOOK UINT64_C(50000) /* ticks between looks at the limits */
/* Counts of all alldifferents together, for each argument in the model, and besides. */
#define TALLY_EACH 8
#define TALLY_FIXED 4096

static uint32_t index_of(cns_var var) {
    return (uint32_t)(var >= 0 ? var : ~var);
}

/* ---- memory --------------------------------------------------------------------------------- */

typedef struct block {
    void *array; /* address of the pointer */
    size_t size;
} block;

enum { BLOCKS = 26 };

static void list_blocks(cns_score *s, block blocks[BLOCKS]) {
    size_t v = s->variable_count + 1;
    size_t c = s->constraint_count + 1;
    size_t all = v + c;
    const block list[BLOCKS] = {
        {&s->values, v * sizeof *s->values},
        {&s->low, v * sizeof *s->low},
        {&s->high, v * sizeof *s->high},
        {&s->definitions, v * sizeof *s->definitions},
        {&s->domain_items, v * sizeof *s->domain_items},
        {&s->item_vars, v * sizeof *s->item_vars},
        {&s->touch_starts, (v + 1) * sizeof *s->touch_starts},
        {&s->touches, (s->touch_count + 1) * sizeof *s->touches},
        {&s->tallied, v * sizeof *s->tallied},
        {&s->follows, c * sizeof *s->follows},
        {&s->levels, c * sizeof *s->levels},
        {&s->plain, c * sizeof *s->plain},
        {&s->queue, c * sizeof *s->queue},
        {&s->queued, c * sizeof *s->queued},
        {&s->sums, c * sizeof *s->sums},
        {&s->alldifferents, c * sizeof *s->alldifferents},
        {&s->tallies, (s->tally_count + 1) * sizeof *s->tallies},
        {&s->costs, all * sizeof *s->costs},
        {&s->weights, all * sizeof *s->weights},
        {&s->violated, all * sizeof *s->violated},
        {&s->places, all * sizeof *s->places},
        {&s->changes, (v + CNS_SCORE_SETS) * sizeof *s->changes},
        {&s->item_changes, c * sizeof *s->item_changes},
        {&s->scratch, (s->scratch_count + 1) * sizeof *s->scratch},
    };
    memcpy(blocks, list, sizeof list);
}

static void free_block(cns_score *s, const block *b) {
    void *array = NULL;
    if (b->array != NULL) {
        memcpy(&array, b->array, sizeof array);
        cns_context_free(s->context, array, b->size, CNS_ALIGN_DEFAULT);
        array = NULL;
        memcpy(b->array, &array, sizeof array);
    }
}

void cns_score_deinit(cns_score *s) {
    if (s->context == NULL) {
        return;
    }
    block blocks[BLOCKS];
    list_blocks(s, blocks);
    for (int k = 0; k < BLOCKS; k++) {
        free_block(s, &blocks[k]);
    }
    s->context = NULL;
}

/* Those that are not there yet. */
static cns_status allocate(cns_score *s, bool (*wanted)(const cns_score *, const void *)) {
    block blocks[BLOCKS];
    list_blocks(s, blocks);
    for (int k = 0; k < BLOCKS; k++) {
        if (blocks[k].array == NULL || !wanted(s, blocks[k].array)) {
            continue;
        }
        void *array = cns_context_calloc(s->context, blocks[k].size);
        if (array == NULL) {
            return cns_context_memory_status(s->context, blocks[k].size);
        }
        memcpy(blocks[k].array, &array, sizeof array);
    }
    return CNS_OK;
}

/* The sizes of these are known once the definitions are. */
static bool is_late(const cns_score *s, const void *array) {
    return array == &s->touches || array == &s->tallies;
}

static bool is_early(const cns_score *s, const void *array) {
    return !is_late(s, array);
}

/* ---- limits --------------------------------------------------------------------------------- */

typedef struct maker {
    cns_score *s;
    cns_score_limits limits;
    uint64_t looked; /* ticks */
    cns_status status;
} maker;

/* So much work was done; whether it may go on. */
static bool go_on(maker *m, uint64_t work) {
    m->s->ticks += work;
    if (m->s->ticks - m->looked < LOOK || m->status != CNS_OK) {
        return m->status == CNS_OK;
    }
    m->looked = m->s->ticks;
    if (m->limits.cancelled != NULL &&
        atomic_load_explicit(m->limits.cancelled, memory_order_relaxed)) {
        m->status = CNS_E_CANCELLED;
    } else if (m->limits.deadline != 0 && cns_os_clock() >= m->limits.deadline) {
        m->status = CNS_E_DEADLINE;
    }
    return m->status == CNS_OK;
}

static uint64_t arguments(const cns_model_constraint *c) {
    return 1 + (uint64_t)c->v[0].count + c->v[1].count + c->v[2].count + c->v[3].count;
}

/* ---- definitions ---------------------------------------------------------------------------- */

/* Whether a constraint may define the variable. */
static bool is_open(const cns_score *s, cns_var var) {
    return var >= 0 && s->low[var] < s->high[var] && s->definitions[var] == CNS_NO_ITEM;
}

static uint32_t occurrences(const cns_score *s, const cns_model_constraint *c, cns_var var) {
    uint32_t count = 0;
    for (int a = 0; a < 4; a++) {
        const cns_var *vars = cns_model_v(s->model, c, a);
        for (uint32_t j = 0; j < c->v[a].count; j++) {
            count += index_of(vars[j]) == (uint32_t)var;
        }
    }
    return count;
}

static void define(cns_score *s, uint32_t k, cns_follows f) {
    const cns_model_constraint *c = &s->model->constraints[k];
    s->follows[k] = f;
    if (f.argument == CNS_FOLLOWS_LITERAL) {
        s->definitions[index_of(c->literal)] = k;
        return;
    }
    for (uint32_t j = 0; f.argument < 4 && j < f.count; j++) {
        s->definitions[cns_model_v(s->model, c, f.argument)[f.start + j]] = k;
    }
}

static void forget(cns_score *s, uint32_t k) {
    const cns_model_constraint *c = &s->model->constraints[k];
    const cns_follows f = s->follows[k];
    if (f.argument == CNS_FOLLOWS_LITERAL) {
        s->definitions[index_of(c->literal)] = CNS_NO_ITEM;
    }
    for (uint32_t j = 0; f.argument < 4 && j < f.count; j++) {
        s->definitions[cns_model_v(s->model, c, f.argument)[f.start + j]] = CNS_NO_ITEM;
    }
    s->follows[k].argument = CNS_FOLLOWS_NONE;
}

/* Whether all outputs are open, and occur but once. */
static bool may_follow(cns_score *s, const cns_model_constraint *c, cns_outputs o) {
    const cns_var *outputs = cns_model_v(s->model, c, (int)o.argument) + o.start;
    uint32_t *counts = s->item_vars; /* not yet in use, and all 0 */
    bool open = true;
    for (int a = 0; a < 4; a++) {
        for (uint32_t j = 0; j < c->v[a].count; j++) {
            counts[index_of(cns_model_v(s->model, c, a)[j])]++;
        }
    }
    for (uint32_t j = 0; j < o.count && open; j++) {
        open = is_open(s, outputs[j]) && counts[outputs[j]] == 1;
    }
    for (int a = 0; a < 4; a++) {
        for (uint32_t j = 0; j < c->v[a].count; j++) {
            counts[index_of(cns_model_v(s->model, c, a)[j])] = 0;
        }
    }
    return open;
}

static void define_functions(maker *m) {
    cns_score *s = m->s;
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        const cns_model_constraint *c = &s->model->constraints[k];
        if (!go_on(m, arguments(c))) {
            return;
        }
        s->follows[k].argument = CNS_FOLLOWS_NONE;
        if (c->condition == CNS_IF_AND_ONLY) {
            cns_var literal = (cns_var)index_of(c->literal);
            if (is_open(s, literal) && occurrences(s, c, literal) == 0) {
                define(s, k, (cns_follows){CNS_FOLLOWS_LITERAL, 0, 1});
            }
            continue;
        }
        const cns_outputs o = cns_violation_outputs(s->model, c);
        if (c->condition == CNS_ALWAYS && o.count > 0 && may_follow(s, c, o)) {
            define(s, k, (cns_follows){(uint8_t)o.argument, o.start, o.count});
        }
    }
}

/* How much it is worth to have the variable follow; what the model searches on is left free, and
 * so are Booleans, which rather are exactly one. */
static uint64_t worth(const cns_score *s, cns_var v, const bool *searched) {
    bool objective = s->model->goal != CNS_SATISFY && s->model->objective == v;
    uint64_t span = (uint64_t)(s->high[v] - s->low[v]);
    if (span < 2 && !objective) {
        return 0;
    }
    return span + (searched[v] ? 0 : UINT64_C(1) << 44) + (objective ? UINT64_C(1) << 45 : 0);
}

static void define_sums(maker *m, const bool *searched) {
    cns_score *s = m->s;
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        const cns_model_constraint *c = &s->model->constraints[k];
        if (c->kind != CNS_LINEAR_EQ || c->condition != CNS_ALWAYS) {
            continue;
        }
        if (!go_on(m, arguments(c))) {
            return;
        }
        const cns_var *vars = cns_model_v(s->model, c, 0);
        const int64_t *factors = cns_model_i(s->model, c, 0);
        uint32_t best = 0;
        uint64_t most = 0;
        for (uint32_t j = 0; j < c->v[0].count; j++) {
            if ((factors[j] == 1 || factors[j] == -1) && is_open(s, vars[j]) &&
                worth(s, vars[j], searched) >= most + (most == 0)) {
                best = j;
                most = worth(s, vars[j], searched);
            }
        }
        if (most > 0 && occurrences(s, c, vars[best]) == 1) {
            define(s, k, (cns_follows){0, best, 1});
        }
    }
}

/* ---- cycles, levels ------------------------------------------------------------------------- */

typedef struct walk { /* through the inputs of a constraint: arguments, then the literal */
    uint32_t constraint, place;
    uint8_t argument;
} walk;

/* Calls of a defining constraint's next input; false: there is none left. */
static bool next_input(const cns_score *s, walk *w, uint32_t *var) {
    const cns_model_constraint *c = &s->model->constraints[w->constraint];
    const cns_follows *f = &s->follows[w->constraint];
    for (; w->argument < 4; w->argument++, w->place = 0) {
        if (f->argument == w->argument && w->place == f->start) {
            w->place += f->count;
        }
        if (w->place < c->v[w->argument].count) {
            *var = index_of(cns_model_v(s->model, c, w->argument)[w->place++]);
            return true;
        }
    }
    if (w->argument == 4 && c->condition != CNS_ALWAYS && f->argument != CNS_FOLLOWS_LITERAL) {
        w->argument++;
        *var = index_of(c->literal);
        return true;
    }
    return false;
}

enum { UNSEEN = 0, OPEN = UINT32_MAX }; /* levels while they are made; done: 1 and more */

static void close_constraint(maker *m, uint32_t k) {
    cns_score *s = m->s;
    uint32_t level = 1;
    uint32_t var;
    for (walk w = {k, 0, 0}; next_input(s, &w, &var);) {
        uint32_t d = s->definitions[var];
        level = d != CNS_NO_ITEM && s->levels[d] >= level ? s->levels[d] + 1 : level;
    }
    s->levels[k] = level;
    go_on(m, arguments(&s->model->constraints[k]));
}

/* Levels of the constraint and of all that it depends on; takes definitions away that depend on
 * themselves. `stack` has room for all constraints. */
static void set_levels(maker *m, uint32_t k, walk *stack) {
    cns_score *s = m->s;
    uint32_t depth = 0;
    stack[depth++] = (walk){k, 0, 0};
    s->levels[k] = OPEN;
    while (depth > 0 && go_on(m, 1)) {
        walk *top = &stack[depth - 1];
        uint32_t var;
        if (s->follows[top->constraint].argument == CNS_FOLLOWS_NONE) {
            s->levels[top->constraint] = UNSEEN;
            depth--;
        } else if (!next_input(s, top, &var)) {
            close_constraint(m, top->constraint);
            depth--;
        } else if (s->definitions[var] != CNS_NO_ITEM) {
            uint32_t d = s->definitions[var];
            if (s->levels[d] == OPEN) {
                forget(s, top->constraint);
            } else if (s->levels[d] == UNSEEN) {
                s->levels[d] = OPEN;
                stack[depth++] = (walk){d, 0, 0};
            }
        }
    }
}

static cns_status order(maker *m) {
    cns_score *s = m->s;
    size_t size = (s->constraint_count + 1) * sizeof(walk);
    walk *stack = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (stack == NULL) {
        return cns_context_memory_status(s->context, size);
    }
    for (uint32_t k = 0; k < s->constraint_count && m->status == CNS_OK; k++) {
        if (s->follows[k].argument != CNS_FOLLOWS_NONE && s->levels[k] == UNSEEN) {
            set_levels(m, k, stack);
        }
    }
    cns_context_free(s->context, stack, size, CNS_ALIGN_DEFAULT);
    return m->status;
}

/* ---- touches -------------------------------------------------------------------------------- */

static bool is_output(const cns_follows *f, int argument, uint32_t place) {
    return f->argument == argument && place >= f->start && place - f->start < f->count;
}

static int64_t factor_of(const cns_score *s, const cns_model_constraint *c, uint32_t j) {
    switch (c->kind) {
    case CNS_LINEAR_EQ:
    case CNS_LINEAR_NE:
    case CNS_LINEAR_LE:
        return cns_model_i(s->model, c, 0)[j];
    default:
        return c->kind == CNS_CLAUSE || c->kind == CNS_XOR;
    }
}

/* Calls `visit` for each input of each constraint. */
typedef void (*visitor)(cns_score *s, uint32_t var, cns_touch touch);

static void each_touch(maker *m, visitor visit) {
    cns_score *s = m->s;
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        const cns_model_constraint *c = &s->model->constraints[k];
        if (!go_on(m, arguments(c))) {
            return;
        }
        for (int a = 0; a < 4; a++) {
            const cns_var *vars = cns_model_v(s->model, c, a);
            for (uint32_t j = 0; j < c->v[a].count; j++) {
                if (is_output(&s->follows[k], a, j)) {
                    continue;
                }
                bool tallied = s->alldifferents[k].span > 0;
                int64_t factor = a == 0 ? factor_of(s, c, j) : 0;
                visit(s, index_of(vars[j]),
                      (cns_touch){k, tallied ? CNS_TOUCH_TALLY : CNS_TOUCH_PLAIN,
                                  vars[j] >= 0 ? factor : -factor});
            }
        }
        if (c->condition != CNS_ALWAYS && s->follows[k].argument != CNS_FOLLOWS_LITERAL) {
            visit(s, index_of(c->literal), (cns_touch){k, CNS_TOUCH_PLAIN, 0});
        }
    }
}

static void count_touch(cns_score *s, uint32_t var, cns_touch touch) {
    (void)touch;
    s->touch_starts[var]++;
    s->touch_count++;
}

static void put_touch(cns_score *s, uint32_t var, cns_touch touch) {
    s->touches[s->touch_starts[var]++] = touch;
    s->tallied[var] |= touch.sort == CNS_TOUCH_TALLY;
}

static void start_touches(cns_score *s) {
    uint32_t sum = 0;
    for (uint32_t v = 0; v <= s->variable_count; v++) {
        uint32_t own = s->touch_starts[v];
        s->touch_starts[v] = sum;
        sum += own;
    }
}

/* By the constraints on each variable, in their order. */
static void measure_reach(maker *m) {
    cns_score *s = m->s;
    for (uint32_t v = 0; v < s->variable_count; v++) {
        uint32_t begin = s->touch_starts[v];
        uint32_t end = s->low[v] < s->high[v] ? s->touch_starts[v + 1] : begin;
        uint64_t reach = 0;
        if (!go_on(m, 1 + (end - begin) / 4)) {
            return;
        }
        for (uint32_t i = begin; i < end; i++) {
            uint32_t k = s->touches[i].item;
            if (i == begin || k != s->touches[i - 1].item) {
                reach += cns_score_is_summed(s, k)
                             ? 2
                             : cns_violation_work(s->model, &s->model->constraints[k]);
            }
        }
        s->reach = reach > s->reach ? reach : s->reach;
    }
}

/* Values of an alldifferent are counted where they lie close enough together, and those before have
 * left room for it. */
static void plan_tally(cns_score *s, uint32_t k, uint64_t room) {
    const cns_model_constraint *c = &s->model->constraints[k];
    const cns_var *vars = cns_model_v(s->model, c, 0);
    int64_t low = INT64_MAX;
    int64_t high = INT64_MIN;
    if (c->kind != CNS_ALLDIFFERENT || c->v[0].count == 0) {
        return;
    }
    for (uint32_t j = 0; j < c->v[0].count; j++) {
        low = cns_model_low(s->model, vars[j]) < low ? cns_model_low(s->model, vars[j]) : low;
        high = cns_model_high(s->model, vars[j]) > high ? cns_model_high(s->model, vars[j]) : high;
        if (vars[j] < 0) {
            return;
        }
    }
    uint64_t span = (uint64_t)(high - low) + 1;
    if (span > 64 * (uint64_t)c->v[0].count + 1024 || span > room - s->tally_count) {
        return;
    }
    s->alldifferents[k] = (cns_tally){low, s->tally_count, (uint32_t)span};
    s->tally_count += (uint32_t)span;
}

static void plan_tallies(maker *m) {
    cns_score *s = m->s;
    uint64_t room = TALLY_FIXED + TALLY_EACH * (uint64_t)s->model->var_count;
    room = room < UINT32_MAX / 4 ? room : UINT32_MAX / 4;
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        if (!go_on(m, 1 + s->model->constraints[k].v[0].count)) {
            return;
        }
        plan_tally(s, k, room);
    }
}

/* ---- sums ----------------------------------------------------------------------------------- */

static void sum_tally(cns_score *s, uint32_t k) {
    const cns_model_constraint *c = &s->model->constraints[k];
    const cns_tally *t = &s->alldifferents[k];
    uint32_t *counts = s->tallies + t->start;
    for (uint32_t j = 0; j < c->i[0].count; j++) {
        uint64_t place = (uint64_t)cns_model_i(s->model, c, 0)[j] - (uint64_t)t->low;
        if (place < t->span) {
            counts[place] = CNS_TALLY_EXCEPTED;
        }
    }
    for (uint32_t j = 0; j < c->v[0].count; j++) {
        uint64_t place = (uint64_t)s->values[cns_model_v(s->model, c, 0)[j]] - (uint64_t)t->low;
        if (place < t->span) {
            uint32_t count = ++counts[place];
            s->sums[k] += count > 1 && count < CNS_TALLY_EXCEPTED;
        }
    }
    s->ticks += 1 + c->v[0].count + c->i[0].count;
}

/* By the values, of which there are much fewer than counts. */
void cns_score_clear_tallies(cns_score *s) {
    for (uint32_t k = 0; k < s->constraint_count && s->tally_count > 0; k++) {
        const cns_model_constraint *c = &s->model->constraints[k];
        const cns_tally *t = &s->alldifferents[k];
        for (uint32_t j = 0; t->span > 0 && j < c->i[0].count + c->v[0].count; j++) {
            uint32_t n = j - c->i[0].count;
            int64_t value = j < c->i[0].count ? cns_model_i(s->model, c, 0)[j]
                                              : s->values[cns_model_v(s->model, c, 0)[n]];
            uint64_t place = (uint64_t)value - (uint64_t)t->low;
            if (place < t->span) {
                s->tallies[t->start + place] = 0;
            }
        }
    }
}

void cns_score_sum(cns_score *s) {
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        const cns_model_constraint *c = &s->model->constraints[k];
        s->sums[k] = 0;
        if (s->alldifferents[k].span > 0) {
            sum_tally(s, k);
            continue;
        }
        for (uint32_t j = 0; j < c->v[0].count; j++) {
            if (!is_output(&s->follows[k], 0, j)) {
                s->sums[k] += (cns_wide)factor_of(s, c, j) *
                              cns_model_value(s->values, cns_model_v(s->model, c, 0)[j]);
            }
        }
        s->ticks += 1 + c->v[0].count;
    }
}

/* ---- all ------------------------------------------------------------------------------------ */

static void set_bounds(cns_score *s) {
    for (uint32_t v = 0; v < s->variable_count; v++) {
        s->low[v] = s->model->variables[v].low;
        s->high[v] = s->model->variables[v].high;
        s->definitions[v] = s->domain_items[v] = CNS_NO_ITEM;
    }
}

static cns_status define_all(maker *m) {
    cns_score *s = m->s;
    size_t size = s->variable_count + 1;
    bool *searched = cns_context_calloc(s->context, size);
    if (searched == NULL) {
        return cns_context_memory_status(s->context, size);
    }
    for (uint32_t p = 0; p < s->model->phase_count; p++) {
        const cns_model_span vars = s->model->phases[p].vars;
        for (uint32_t j = 0; j < vars.count; j++) {
            searched[index_of(s->model->vars[vars.start + j])] = true;
        }
    }
    define_functions(m);
    define_sums(m, searched);
    cns_context_free(s->context, searched, size, CNS_ALIGN_DEFAULT);
    return m->status == CNS_OK ? order(m) : m->status;
}

static void make_items(cns_score *s) {
    s->item_count = s->constraint_count;
    for (uint32_t v = 0; v < s->variable_count; v++) {
        if (s->definitions[v] != CNS_NO_ITEM) {
            s->item_vars[s->item_count - s->constraint_count] = v;
            s->domain_items[v] = s->item_count++;
        }
    }
    for (uint32_t item = 0; item < s->item_count; item++) {
        s->places[item] = CNS_NO_ITEM;
        s->weights[item] = 1;
    }
}

static cns_status make(maker *m) {
    cns_score *s = m->s;
    cns_status status = allocate(s, is_early);
    if (status == CNS_OK) {
        set_bounds(s);
        status = define_all(m);
    }
    if (status == CNS_OK) {
        plan_tallies(m);
        each_touch(m, count_touch);
        status = m->status == CNS_OK ? allocate(s, is_late) : m->status;
    }
    if (status == CNS_OK) {
        start_touches(s);
        each_touch(m, put_touch);
        memmove(s->touch_starts + 1, s->touch_starts, s->variable_count * sizeof *s->touch_starts);
        s->touch_starts[0] = 0; /* they had moved on by one */
        make_items(s);
        measure_reach(m);
        status = m->status;
    }
    return status;
}

cns_status cns_score_init(cns_score *s, cns_context *context, const cns_model *model,
                          cns_score_limits limits) {
    memset(s, 0, sizeof *s);
    s->context = context;
    s->model = model;
    s->variable_count = model->variable_count;
    s->constraint_count = model->constraint_count;
    for (uint32_t k = 0; k < s->constraint_count; k++) {
        size_t scratch = cns_violation_scratch(model, &model->constraints[k]);
        s->scratch_count = scratch > s->scratch_count ? scratch : s->scratch_count;
    }
    maker m = {.s = s, .limits = limits};
    cns_status status = make(&m);
    if (status != CNS_OK) {
        cns_score_deinit(s);
    }
    return status;
}

bool cns_score_narrow(cns_score *s, uint32_t v, int64_t low, int64_t high) {
    int64_t old_low = s->low[v];
    int64_t old_high = s->high[v];
    s->low[v] = low > old_low ? low : old_low;
    s->high[v] = high < old_high ? high : old_high;
    int64_t nearest = s->low[v] <= s->high[v] ? cns_score_nearest(s, v, s->low[v]) : INT64_MIN;
    if (nearest < s->low[v] || nearest > s->high[v]) {
        s->low[v] = old_low;
        s->high[v] = old_high;
        return false;
    }
    return true;
}
