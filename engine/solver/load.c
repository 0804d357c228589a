/* SPDX-License-Identifier: MIT
 *
 * solver/load.c - aliases, domains, and the order of loading; see load.h.
 */
#include "solver/presolve_exactly.h"
#include "solver/proof.h"

#include <string.h>

#define LOAD_TICKS 15 /* about, for each argument of a constraint */
#define RANGES_TO_COPY 64

static void end_batch(cns_loader *l);

void cns_loader_init(cns_loader *l, const cns_model *model, cns_state *state) {
    memset(l, 0, sizeof *l);
    l->model = model;
    l->state = state;
}

static void release(cns_loader *l, void *array, size_t size) {
    if (array != NULL) {
        cns_context_free(l->state->context, array, size, CNS_ALIGN_DEFAULT);
    }
}

void cns_loader_deinit(cns_loader *l) {
    end_batch(l);
    for (uint32_t v = 0; v < l->variable_count; v++) {
        release(l, l->domains[v], l->range_counts[v] * 2 * sizeof(int64_t));
    }
    release(l, l->aliases, l->alias_capacity * sizeof *l->aliases);
    release(l, l->domains, l->domain_capacity * sizeof *l->domains);
    release(l, l->range_counts, l->range_capacity * sizeof *l->range_counts);
    release(l, l->lits, l->lit_capacity * sizeof *l->lits);
    release(l, l->views, l->view_capacity * sizeof *l->views);
    release(l, l->scratch_views, l->scratch_view_capacity * sizeof *l->scratch_views);
    release(l, l->scratch_lits, l->scratch_lit_capacity * sizeof *l->scratch_lits);
    release(l, l->linear_ints, l->linear_int_capacity * sizeof *l->linear_ints);
    release(l, l->linear_lits, l->linear_lit_capacity * sizeof *l->linear_lits);
    release(l, l->scratch_ints, l->scratch_int_capacity * sizeof *l->scratch_ints);
}

/* ---- domains -------------------------------------------------------------------------------- */

typedef struct domain {
    const int64_t *ranges;
    uint32_t count;
} domain;

static domain domain_of(const cns_loader *l, cns_var v) {
    if (l->domains[v] != NULL) {
        return (domain){l->domains[v], l->range_counts[v]};
    }
    const cns_model_var *var = &l->model->variables[v];
    return (domain){l->model->ints + var->ranges, var->range_count};
}

static inline int64_t low_of(domain d) {
    return d.ranges[0];
}

static inline int64_t high_of(domain d) {
    return d.ranges[2 * d.count - 1];
}

static inline bool is_boolean(domain d) {
    return d.count == 1 && d.ranges[0] == 0 && d.ranges[1] == 1;
}

/* Range k of the domain of sign * x + offset. */
static void image_range(domain d, int32_t sign, int64_t offset, uint32_t k, int64_t out[2]) {
    if (sign > 0) {
        out[0] = d.ranges[2 * k] + offset;
        out[1] = d.ranges[2 * k + 1] + offset;
    } else {
        uint32_t j = d.count - 1 - k;
        out[0] = offset - d.ranges[2 * j + 1];
        out[1] = offset - d.ranges[2 * j];
    }
}

/* Whether `other` is a single range that has all of `own`. */
static bool covers(domain other, int32_t sign, int64_t offset, domain own) {
    int64_t r[2];
    if (other.count != 1) {
        return false;
    }
    image_range(other, sign, offset, 0, r);
    return r[0] <= low_of(own) && r[1] >= high_of(own);
}

/* Narrows the domain of `root` to what sign * x + offset may be. An empty one makes the state
 * fail, and leaves the domain. */
static bool intersect(cns_loader *l, cns_var root, domain other, int32_t sign, int64_t offset) {
    cns_state *s = l->state;
    domain own = domain_of(l, root);
    if (covers(other, sign, offset, own)) {
        return true;
    }
    uint32_t room = own.count + other.count;
    int64_t *out = cns_context_alloc(s->context, room * 2 * sizeof *out, CNS_ALIGN_DEFAULT);
    if (out == NULL) {
        s->status = cns_context_memory_status(s->context, room * 2 * sizeof *out);
        return false;
    }
    uint32_t count = 0;
    for (uint32_t i = 0, k = 0; i < own.count && k < other.count;) {
        int64_t r[2];
        image_range(other, sign, offset, k, r);
        int64_t low = r[0] > own.ranges[2 * i] ? r[0] : own.ranges[2 * i];
        int64_t high = r[1] < own.ranges[2 * i + 1] ? r[1] : own.ranges[2 * i + 1];
        if (low <= high) {
            out[2 * count] = low;
            out[2 * count + 1] = high;
            count++;
        }
        if (r[1] < own.ranges[2 * i + 1]) {
            k++;
        } else {
            i++;
        }
    }
    int64_t *kept = NULL;
    if (count > 0) {
        kept = cns_context_alloc(s->context, count * 2 * sizeof *kept, CNS_ALIGN_DEFAULT);
        if (kept == NULL) {
            s->status = cns_context_memory_status(s->context, count * 2 * sizeof *kept);
        } else {
            memcpy(kept, out, count * 2 * sizeof *kept);
        }
    } else {
        s->failed = true;
    }
    release(l, out, room * 2 * sizeof *out);
    if (kept == NULL) {
        return false;
    }
    release(l, l->domains[root], l->range_counts[root] * 2 * sizeof *kept);
    l->domains[root] = kept;
    l->range_counts[root] = count;
    return true;
}

/* ---- aliases -------------------------------------------------------------------------------- */

static bool reserve(cns_loader *l) {
    cns_state *s = l->state;
    uint32_t count = l->model->variable_count;
    if (!cns_grow(s, &l->aliases, sizeof *l->aliases, &l->alias_capacity, count) ||
        !cns_grow(s, &l->domains, sizeof *l->domains, &l->domain_capacity, count) ||
        !cns_grow(s, &l->range_counts, sizeof *l->range_counts, &l->range_capacity, count) ||
        !cns_grow(s, &l->lits, sizeof *l->lits, &l->lit_capacity, count) ||
        !cns_grow(s, &l->views, sizeof *l->views, &l->view_capacity, count)) {
        return false;
    }
    for (; l->variable_count < count; l->variable_count++) {
        uint32_t v = l->variable_count;
        l->aliases[v] = (cns_alias){(cns_var)v, 1, 0};
        l->domains[v] = NULL;
        l->range_counts[v] = 0;
        l->lits[v] = CNS_LIT_NONE;
        l->views[v] = (cns_view){CNS_TERM_NONE, 0};
    }
    return true;
}

/* The root of a variable (or ~b), with the path to it shortened. */
static cns_alias resolve(cns_loader *l, cns_var var) {
    cns_alias found = var >= 0 ? (cns_alias){var, 1, 0} : (cns_alias){~var, -1, 1};
    while (l->aliases[found.root].root != found.root) {
        cns_alias *step = &l->aliases[found.root];
        const cns_alias *next = &l->aliases[step->root];
        if (next->root != step->root) { /* halve the path */
            *step = (cns_alias){next->root, step->sign * next->sign,
                                step->sign * next->offset + step->offset};
        }
        found = (cns_alias){step->root, found.sign * step->sign,
                            found.sign * step->offset + found.offset};
    }
    return found;
}

cns_alias cns_load_alias(cns_loader *l, cns_var var) {
    return resolve(l, var);
}

static bool is_loaded(const cns_loader *l, cns_var root) {
    return l->lits[root] != CNS_LIT_NONE || l->views[root].term != CNS_TERM_NONE;
}

/* Whether a variable should rather be the root of another one than its alias: a Boolean has a
 * literal, and a domain of many ranges would be copied with each alias that is tied to it. */
static bool must_stay(domain one, domain other) {
    return (is_boolean(one) && !is_boolean(other)) ||
           (!is_boolean(other) && one.count > RANGES_TO_COPY && other.count < one.count);
}

/* x = sign * y + offset from now on; false: not as an alias (or memory gave out, or failed). */
static bool unite(cns_loader *l, uint32_t origin, cns_var x, cns_var y, int32_t sign,
                  int64_t offset) {
    cns_alias a = resolve(l, x);
    cns_alias b = resolve(l, y);
    /* a.sign * A + a.offset = sign * (b.sign * B + b.offset) + offset, solved for A */
    int32_t s = a.sign * sign * b.sign;
    int64_t o = a.sign * (sign * b.offset + offset - a.offset);
    cns_var from = a.root;
    cns_var to = b.root;
    if (from == to) {
        return s == 1 && o == 0;
    }
    if (must_stay(domain_of(l, from), domain_of(l, to))) {
        from = b.root; /* B = s * A - s * o */
        to = a.root;
        o = -s * o;
    }
    if (is_loaded(l, from)) {
        return false;
    }
    if (is_loaded(l, to)) {
        return false;
    }
    int64_t back = -s * o; /* to = s * from + back */
    if (l->state->proof != NULL) {
        cns_proof_alias(l->state, origin, from, to);
    }
    if (!intersect(l, to, domain_of(l, from), s, back)) {
        return l->state->failed;
    }
    l->aliases[from] = (cns_alias){to, s, o};
    return true;
}

/* An unconditional equation of two variables with coefficients of equal size is an alias. */
static bool is_alias(cns_loader *l, const cns_model_constraint *c) {
    const cns_model *m = l->model;
    if (c->kind != CNS_LINEAR_EQ || c->condition != CNS_ALWAYS || c->v[0].count != 2) {
        return false;
    }
    const int64_t *a = cns_model_i(m, c, 0);
    const cns_var *x = cns_model_v(m, c, 0);
    int64_t rhs = cns_model_i(m, c, 1)[0];
    if (a[0] == 0 || (a[0] != a[1] && a[0] != -a[1]) || rhs % a[0] != 0 || x[0] == x[1]) {
        return false;
    }
    return unite(l, (uint32_t)(c - m->constraints), x[0], x[1], a[0] == a[1] ? -1 : 1, rhs / a[0]);
}

/* ---- literals and views --------------------------------------------------------------------- */

static bool load_root(cns_loader *l, cns_var root, bool as_literal) {
    cns_state *s = l->state;
    domain d = domain_of(l, root);
    if (is_boolean(d) && as_literal) {
        if (l->lits[root] == CNS_LIT_NONE) {
            l->lits[root] = cns_new_bool(s);
            if (l->lits[root] != CNS_LIT_NONE && s->proof != NULL) {
                cns_proof_bool_is(s, l->lits[root], root);
            }
        }
        return l->lits[root] != CNS_LIT_NONE;
    }
    if (l->views[root].term != CNS_TERM_NONE) {
        return true;
    }
    if (l->lits[root] != CNS_LIT_NONE) {
        return cns_view_of_lit(s, l->lits[root], &l->views[root]) == CNS_OK;
    }
    if (low_of(d) == high_of(d)) {
        l->views[root] = cns_view_constant(low_of(d));
        return true;
    }
    cns_term term;
    if (cns_new_int(s, d.ranges, d.count, &term) != CNS_OK) {
        return false;
    }
    if (s->proof != NULL) {
        cns_proof_int_is(s, term >> 1, root);
    }
    if (is_boolean(d)) { /* both or neither: what comes later must not make another literal */
        l->lits[root] = cns_lit_ge(s, term, 1);
        if (l->lits[root] == CNS_LIT_NONE) {
            return false;
        }
    }
    l->views[root] = (cns_view){term, 0};
    return true;
}

bool cns_load_view(cns_loader *l, cns_var var, cns_view *out) {
    cns_alias a = resolve(l, var);
    if (!load_root(l, a.root, false)) {
        return false;
    }
    cns_view root = l->views[a.root];
    root = a.sign < 0 ? cns_view_negate(root) : root;
    *out = (cns_view){root.term, root.offset + a.offset};
    return true;
}

cns_lit cns_load_lit(cns_loader *l, cns_var var) {
    cns_alias a = resolve(l, var);
    if (is_boolean(domain_of(l, a.root)) && (a.sign > 0 ? a.offset == 0 : a.offset == 1)) {
        return load_root(l, a.root, true) ? l->lits[a.root] ^ (a.sign < 0) : CNS_LIT_NONE;
    }
    cns_view view;
    return cns_load_view(l, var, &view) ? cns_view_lit_ge(l->state, view, 1) : CNS_LIT_NONE;
}

void cns_load_bounds(cns_loader *l, cns_var var, int64_t *low, int64_t *high) {
    cns_alias a = resolve(l, var);
    domain d = domain_of(l, a.root);
    *low = a.offset + (a.sign > 0 ? low_of(d) : -high_of(d));
    *high = a.offset + (a.sign > 0 ? high_of(d) : -low_of(d));
}

int64_t cns_load_value(const cns_loader *l, cns_var var) {
    cns_alias a = resolve((cns_loader *)(uintptr_t)l, var);
    int64_t value;
    if (l->views[a.root].term != CNS_TERM_NONE) {
        value = cns_view_low(l->state, l->views[a.root]);
    } else if (l->lits[a.root] != CNS_LIT_NONE) {
        value = cns_is_true(l->state, l->lits[a.root]);
    } else {
        value = low_of(domain_of(l, a.root));
    }
    return a.sign * value + a.offset;
}

void cns_load_prefer(cns_loader *l, cns_var var, int64_t value) {
    cns_state *s = l->state;
    cns_alias a = resolve(l, var);
    int64_t root = a.sign * (value - a.offset);
    cns_lit lit = l->lits[a.root];
    cns_view view = l->views[a.root];
    if (lit != CNS_LIT_NONE) {
        s->best_phase[lit >> 1] = (root != 0) != (lit & 1) ? 1 : -1;
    }
    if (view.term != CNS_TERM_NONE) {
        s->int_best[view.term >> 1] = view.term & 1 ? view.offset - root : root - view.offset;
    }
}

bool cns_load_equate(cns_loader *l, cns_lit a, cns_lit b) {
    return a != CNS_LIT_NONE && b != CNS_LIT_NONE && cns_add_clause2(l->state, a ^ 1, b) &&
           cns_add_clause2(l->state, a, b ^ 1);
}

cns_lit cns_load_lit_of_view(cns_loader *l, cns_view v) {
    cns_state *s = l->state;
    if (cns_view_low(s, v) < 0 || cns_view_high(s, v) > 1) {
        return CNS_LIT_NONE;
    }
    return cns_view_lit_ge(s, v, 1);
}

/* ---- definitions ---------------------------------------------------------------------------- */

/* What literal says a x (kind) c, for one variable with its view. */
static cns_lit compare(cns_loader *l, cns_constraint_kind kind, int64_t a, cns_view x, int64_t c) {
    cns_state *s = l->state;
    if (a < 0) {
        a = -a;
        x = cns_view_negate(x);
    }
    if (kind == CNS_LINEAR_LE) {
        return cns_view_lit_le(s, x, c / a - (c % a < 0));
    }
    cns_lit equal = c % a == 0 ? cns_view_lit_eq(s, x, c / a) : CNS_LIT_FALSE;
    return equal == CNS_LIT_NONE ? equal : equal ^ (kind == CNS_LINEAR_NE);
}

/* The only variable with a coefficient that is not a constant; false: there are more, or none. */
static bool single_variable(cns_loader *l, const cns_model_constraint *c, int64_t *a, cns_var *x,
                            int64_t *rhs) {
    const cns_model *m = l->model;
    const int64_t *coefficients = cns_model_i(m, c, 0);
    const cns_var *vars = cns_model_v(m, c, 0);
    *rhs = cns_model_i(m, c, 1)[0];
    bool found = false;
    for (uint32_t k = 0; k < c->v[0].count; k++) {
        cns_alias alias = resolve(l, vars[k]);
        domain d = domain_of(l, alias.root);
        if (coefficients[k] == 0) {
            continue;
        }
        if (low_of(d) == high_of(d)) {
            *rhs -= coefficients[k] * (alias.sign * low_of(d) + alias.offset);
        } else if (found) {
            return false;
        } else {
            found = true;
            *a = coefficients[k];
            *x = vars[k];
        }
    }
    return found;
}

/* A Boolean that is defined as a comparison with a constant is that literal. */
static bool is_definition(cns_loader *l, const cns_model_constraint *c) {
    bool comparison =
        c->kind == CNS_LINEAR_EQ || c->kind == CNS_LINEAR_NE || c->kind == CNS_LINEAR_LE;
    if (!comparison || c->condition != CNS_IF_AND_ONLY || c->literal < 0) {
        return false;
    }
    cns_alias b = resolve(l, c->literal);
    if (is_loaded(l, b.root) || b.sign < 0 || b.offset != 0 || !is_boolean(domain_of(l, b.root))) {
        return false;
    }
    int64_t a;
    int64_t rhs;
    cns_var x;
    cns_view view;
    if (!single_variable(l, c, &a, &x, &rhs) || resolve(l, x).root == b.root ||
        !cns_load_view(l, x, &view)) {
        return false;
    }
    l->lits[b.root] = compare(l, (cns_constraint_kind)c->kind, a, view, rhs);
    if (l->lits[b.root] != CNS_LIT_NONE && l->state->proof != NULL) {
        uint32_t origin = (uint32_t)(c - l->model->constraints);
        cns_proof_meaning(l->state, origin, b.root, l->lits[b.root]);
    }
    return l->lits[b.root] != CNS_LIT_NONE;
}

/* ---- loading -------------------------------------------------------------------------------- */

/* What is done with the constraints of a batch, one after another. */
typedef enum stage {
    STAGE_ALIASES,
    STAGE_DEFINITIONS,
    STAGE_LOOK, /* at what may be in all together */
    STAGE_FIND, /* it, in parts */
    STAGE_POST,
    STAGE_GROUPS,   /* group by group of what was found */
    STAGE_ORDERS,   /* constraint by constraint: looks again */
    STAGE_MACHINES, /* in parts */
    STAGE_OUTPUTS,  /* variable by variable */
    STAGE_END
} stage;

struct cns_load_batch {
    stage stage;
    uint32_t next; /* constraint, variable or group that the stage goes on with */
    cns_batch batch;
    cns_differ differ;
    cns_exactly exactly;
    cns_machines machines;
};

static void end_batch(cns_loader *l) {
    struct cns_load_batch *p = l->loading;
    if (p == NULL) {
        return;
    }
    cns_context *context = l->state->context;
    l->exactly = NULL;
    cns_exactly_deinit(&p->exactly, l->state);
    cns_differ_deinit(&p->differ, l->state);
    cns_machines_deinit(&p->machines);
    cns_context_free(context, p->batch.fate, p->batch.count, CNS_ALIGN_DEFAULT);
    cns_context_free(context, p, sizeof *p, CNS_ALIGN_DEFAULT);
    l->loading = NULL;
}

static bool begin_batch(cns_loader *l) {
    cns_state *s = l->state;
    if (!reserve(l)) {
        return false;
    }
    uint32_t first = l->constraint_count;
    uint32_t count = l->model->constraint_count - first;
    struct cns_load_batch *p = cns_context_calloc(s->context, sizeof *p);
    uint8_t *fate =
        p != NULL && count > 0 ? cns_context_alloc(s->context, count, CNS_ALIGN_DEFAULT) : NULL;
    if (p == NULL || (count > 0 && fate == NULL)) {
        cns_context_free(s->context, p, sizeof *p, CNS_ALIGN_DEFAULT);
        s->status = cns_context_memory_status(s->context, sizeof *p + count);
        return false;
    }
    p->stage = count > 0 ? STAGE_ALIASES : STAGE_OUTPUTS;
    p->batch = (cns_batch){l, fate, first, count};
    l->loading = p;
    l->constraint_count = first + count;
    l->batches++;
    return true;
}

static uint32_t size_of(const cns_model_constraint *c) {
    uint32_t size = 1;
    for (int k = 0; k < 4; k++) {
        size += c->v[k].count + c->i[k].count;
    }
    return size;
}

static void post(cns_loader *l, uint32_t index) {
    cns_state *s = l->state;
    s->active_origin = index;
    cns_status status = cns_load_constraint(l, index);
    s->status = s->status == CNS_OK ? status : s->status;
    s->active_origin = UINT32_MAX;
}

/* What is in all constraints together; once more where a part of it is left. */
static void find(cns_loader *l, struct cns_load_batch *p, cns_piece *piece) {
    cns_part part = cns_differ_find(&p->differ, &p->batch, piece);
    part = part == CNS_PART_DONE ? cns_exactly_find(&p->exactly, &p->batch, piece) : part;
    p->next -= part == CNS_PART_LEFT;
    l->exactly = part == CNS_PART_DONE && p->exactly.count > 0 ? &p->exactly : NULL;
}

static void find_machines(struct cns_load_batch *p, cns_piece *piece) {
    p->next -= cns_machines_find(&p->machines, &p->batch, piece) == CNS_PART_LEFT;
}

/* One step of a stage, for constraint, variable or group `k`; returns about what it cost. */
static uint64_t take_step(cns_loader *l, struct cns_load_batch *p, uint32_t k, cns_piece *piece) {
    const cns_model *m = l->model;
    const cns_batch *b = &p->batch;
    switch (p->stage) {
    case STAGE_ALIASES:
        b->fate[k] = is_alias(l, &m->constraints[b->first + k]) ? CNS_FATE_DONE : CNS_FATE_POST;
        return 1;
    case STAGE_DEFINITIONS:
        if (b->fate[k] == CNS_FATE_POST && is_definition(l, &m->constraints[b->first + k])) {
            b->fate[k] = CNS_FATE_DONE;
        }
        return 1;
    case STAGE_LOOK:
        cns_differ_look(&p->differ, b, k, piece);
        cns_exactly_look(&p->exactly, b, k);
        return 1;
    case STAGE_FIND:
        find(l, p, piece);
        return 0;
    case STAGE_POST:
        if (b->fate[k] != CNS_FATE_POST) {
            piece->looks++;
            return 0;
        }
        post(l, b->first + k);
        return LOAD_TICKS * (uint64_t)size_of(&m->constraints[b->first + k]);
    case STAGE_GROUPS:
        cns_differ_post(&p->differ, b, k, piece);
        return 0;
    case STAGE_ORDERS:
        cns_machines_look(&p->machines, b, k);
        return 1;
    case STAGE_MACHINES:
        l->exactly = NULL;
        find_machines(p, piece);
        return 0;
    default:
        if (!m->any_output || m->variables[k].output) {
            load_root(l, resolve(l, (cns_var)k).root, true);
        }
        return 1;
    }
}

static uint32_t steps_of(const cns_loader *l, const struct cns_load_batch *p) {
    switch (p->stage) {
    case STAGE_FIND:
    case STAGE_MACHINES:
        return 1;
    case STAGE_GROUPS:
        return p->differ.cliques.count;
    case STAGE_OUTPUTS:
        return l->variable_count;
    default:
        return p->batch.count;
    }
}

/* Until the batch is done, or the piece is over; false: the latter. */
static bool run_batch(cns_loader *l, cns_piece *piece) {
    cns_state *s = l->state;
    struct cns_load_batch *p = l->loading;
    while (p->stage != STAGE_END) {
        if (p->next == steps_of(l, p)) {
            p->stage++;
            p->next = 0;
            continue;
        }
        if (!cns_poll(s) || s->status != CNS_OK || s->failed) {
            return true;
        }
        if (cns_piece_is_over(piece, s)) {
            return false;
        }
        uint64_t cost = take_step(l, p, p->next++, piece);
        s->ticks += cost;
        l->ticks += cost;
    }
    return true;
}

static bool is_up_to_date(const cns_loader *l) {
    return l->batches > 0 && l->constraint_count == l->model->constraint_count &&
           l->variable_count == l->model->variable_count;
}

cns_status cns_load_some(cns_loader *l, uint64_t ticks, bool *done) {
    cns_state *s = l->state;
    CNS_ASSERT(s->level == 0);
    cns_piece piece = {ticks < UINT64_MAX - s->ticks ? s->ticks + ticks : UINT64_MAX, 0};
    *done = false;
    do {
        if (l->loading == NULL && !begin_batch(l)) {
            return s->status;
        }
        if (!run_batch(l, &piece)) {
            return CNS_OK;
        }
        end_batch(l);
    } while (s->status == CNS_OK && !s->failed && !is_up_to_date(l));
    *done = true;
    if (s->status == CNS_OK) {
        s->pinned_count = s->bool_count;
    }
    return s->status;
}

cns_status cns_load(cns_loader *l) {
    bool done;
    return cns_load_some(l, UINT64_MAX, &done);
}
