/* SPDX-License-Identifier: MIT
 *
 * solver/objective.c - see objective.h.
 */
#include "solver/objective.h"

#include <string.h>

#include "solver/globals/heap_sort.h"

#define ROUNDS 3         /* sums of sums of sums */
#define TERMS_MOST 20000 /* a longer objective is not worth assuming term by term */

typedef struct reading {
    cns_loader *l;
    cns_sum *sum;
    uint32_t *place; /* by variable: where its term is in the sum, and one; 0: nowhere */
    cns_sum part;    /* a definition that is being looked at */
} reading;

void cns_sum_deinit(cns_context *context, cns_sum *sum) {
    cns_context_free(context, sum->terms, sum->capacity * sizeof *sum->terms, CNS_ALIGN_DEFAULT);
    memset(sum, 0, sizeof *sum);
}

cns_wide cns_sum_least(const cns_state *s, const cns_sum *sum) {
    cns_wide least = sum->constant;
    for (uint32_t k = 0; k < sum->count; k++) {
        least += (cns_wide)sum->terms[k].weight * cns_low(s, sum->terms[k].term);
    }
    return least;
}

/* Adds factor * view; fixed ones go into the constant. */
static bool add_term(cns_state *s, cns_sum *sum, int64_t factor, cns_view view, cns_var var) {
    sum->constant += (cns_wide)factor * view.offset;
    if (cns_view_fixed(s, view)) {
        sum->constant += (cns_wide)factor * cns_low(s, view.term);
        return true;
    }
    if (factor == 0) {
        return true;
    }
    if (!cns_grow(s, &sum->terms, sizeof *sum->terms, &sum->capacity, sum->count + 1)) {
        return false;
    }
    cns_term term = factor < 0 ? view.term ^ 1 : view.term;
    sum->terms[sum->count++] = (cns_sum_term){factor < 0 ? -factor : factor, term, var};
    return true;
}

static bool by_term(const void *x, const void *y) {
    const cns_sum_term *a = x;
    const cns_sum_term *b = y;
    return a->term < b->term;
}

/* Adds up what occurs twice. False: a weight would overflow. */
static bool merge(cns_sum *sum) {
    cns_sum_term *terms = sum->terms;
    cns_heap_sort(terms, sum->count, sizeof *terms, by_term);
    uint32_t kept = 0;
    bool good = true;
    for (uint32_t k = 0; k < sum->count; k++) {
        cns_sum_term next = terms[k];
        cns_sum_term *last = kept > 0 ? &terms[kept - 1] : NULL;
        if (last == NULL || last->term >> 1 != next.term >> 1) {
            terms[kept++] = next;
            continue;
        }
        cns_wide weight = last->term == next.term ? (cns_wide)last->weight + next.weight
                                                  : (cns_wide)last->weight - next.weight;
        if (cns_wide_abs(weight) >= CNS_WIDE_LIMIT) { /* two terms say the same */
            terms[kept++] = next;
            good = false;
            continue;
        }
        if (weight < 0) {
            last->term ^= 1;
            weight = -weight;
        }
        last->weight = (int64_t)weight;
        kept -= weight == 0;
    }
    sum->count = kept;
    return good;
}

static bool is_linear(const cns_model_constraint *c) {
    return c->condition == CNS_ALWAYS && (c->kind == CNS_LINEAR_EQ || c->kind == CNS_LINEAR_LE);
}

/* Reads the constraint as part = 0, or part <= 0, each integer once and by its number. False: a
 * weight would overflow, or memory gave out. */
static bool read_row(reading *r, const cns_model_constraint *c) {
    cns_state *s = r->l->state;
    const cns_model *m = r->l->model;
    const int64_t *a = cns_model_i(m, c, 0);
    const cns_var *x = cns_model_v(m, c, 0);
    cns_sum *part = &r->part;
    part->count = 0;
    part->constant = -(cns_wide)cns_model_i(m, c, 1)[0];
    s->ticks += c->v[0].count;
    for (uint32_t k = 0; k < c->v[0].count; k++) {
        cns_view view;
        if (!cns_load_view(r->l, x[k], &view) ||
            !add_term(s, part, a[k], view, cns_load_alias(r->l, x[k]).root)) {
            return false;
        }
    }
    return merge(part);
}

/* Where the term's integer is in the row; UINT32_MAX: nowhere. */
static uint32_t find_term(const cns_sum *row, cns_term term) {
    uint32_t low = 0, high = row->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (row->terms[middle].term >> 1 < term >> 1) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < row->count && row->terms[low].term >> 1 == term >> 1 ? low : UINT32_MAX;
}

/* Whether the row says what the term is at least: as it is, or turned about. */
static bool bounds_term(const cns_model_constraint *c, const cns_sum *row, uint32_t place,
                        cns_term term, bool *turned) {
    *turned = row->terms[place].term == term;
    return !*turned || c->kind == CNS_LINEAR_EQ;
}

/* The row, of which one term goes to the other side: part->scale * term >= part (or equal). */
static void solve_row(cns_sum *part, uint32_t place, bool turned) {
    part->scale = part->terms[place].weight;
    part->count--;
    memmove(part->terms + place, part->terms + place + 1,
            (part->count - place) * sizeof *part->terms);
    part->constant = turned ? -part->constant : part->constant;
    for (uint32_t k = 0; turned && k < part->count; k++) {
        part->terms[k].term ^= 1;
    }
}

/* ---- the objective's own definition --------------------------------------------------------- */

static bool mentions(cns_loader *l, const cns_model_constraint *c, cns_var root) {
    const cns_var *x = cns_model_v(l->model, c, 0);
    l->state->ticks += c->v[0].count;
    for (uint32_t k = 0; k < c->v[0].count; k++) {
        if (cns_load_alias(l, x[k]).root == root) {
            return true;
        }
    }
    return false;
}

/* Reads the constraint as what it says of the objective, into `part`. */
static bool read_definition(reading *r, const cns_model_constraint *c) {
    cns_term objective = r->l->state->objective;
    bool turned;
    if (!read_row(r, c)) {
        return false;
    }
    uint32_t place = find_term(&r->part, objective);
    if (place == UINT32_MAX || !bounds_term(c, &r->part, place, objective, &turned)) {
        return false;
    }
    solve_row(&r->part, place, turned);
    return true;
}

/* The longest of the definitions with the greatest least value. */
static bool find_definition(reading *r) {
    cns_state *s = r->l->state;
    const cns_model *m = r->l->model;
    cns_var root = cns_load_alias(r->l, m->objective).root;
    for (uint32_t k = 0; k < m->constraint_count && cns_poll(s); k++) {
        const cns_model_constraint *c = &m->constraints[k];
        if (!is_linear(c) || c->v[0].count > TERMS_MOST || !mentions(r->l, c, root) ||
            !read_definition(r, c)) {
            continue;
        }
        cns_sum *sum = r->sum;
        if (sum->scale != 0) {
            cns_wide least = cns_sum_least(s, &r->part) * sum->scale;
            cns_wide known = cns_sum_least(s, sum) * r->part.scale;
            if (least < known || (least == known && r->part.count <= sum->count)) {
                continue;
            }
        }
        cns_sum other = *sum;
        *sum = r->part;
        r->part = other;
    }
    return r->sum->scale != 0 && s->status == CNS_OK;
}

/* ---- sums of sums --------------------------------------------------------------------------- */

/* What is the same for all terms of a row. */
typedef struct measures {
    cns_wide least, least_turned; /* of the row, and of its negation */
    int64_t weight;               /* the greatest */
    bool objective;               /* it has that */
} measures;

static measures measure(const cns_state *s, const cns_sum *row) {
    measures m = {.least = cns_sum_least(s, row), .least_turned = -row->constant};
    for (uint32_t k = 0; k < row->count; k++) {
        const cns_sum_term *t = &row->terms[k];
        m.least_turned += (cns_wide)t->weight * cns_low(s, t->term ^ 1);
        m.weight = t->weight > m.weight ? t->weight : m.weight;
        m.objective = m.objective || t->term >> 1 == s->objective >> 1;
    }
    return m;
}

/* Whether the row in `part` defines the summand, by integers with the same least value. */
static bool defines(const reading *r, const cns_model_constraint *c, const measures *m,
                    cns_sum_term whole, uint32_t *place, bool *turned) {
    const cns_state *s = r->l->state;
    const cns_sum *row = &r->part;
    *place = find_term(row, whole.term);
    if (*place == UINT32_MAX || !bounds_term(c, row, *place, whole.term, turned) ||
        row->terms[*place].weight != 1 || row->count < 3 || m->objective ||
        r->sum->count + row->count - 1 > TERMS_MOST ||
        (cns_wide)m->weight * whole.weight >= CNS_WIDE_LIMIT) {
        return false;
    }
    cns_term own = row->terms[*place].term;
    cns_wide least = *turned ? m->least_turned - cns_low(s, own ^ 1) : m->least - cns_low(s, own);
    return least >= cns_low(s, whole.term);
}

/* Replaces the summand by what `part` says of it. */
static bool expand(reading *r, cns_sum_term *summand) {
    cns_state *s = r->l->state;
    const cns_sum *part = &r->part;
    int64_t weight = summand->weight;
    summand->weight = 0;
    r->sum->constant += part->constant * weight;
    for (uint32_t k = 0; k < part->count; k++) {
        const cns_sum_term *t = &part->terms[k];
        if (!add_term(s, r->sum, t->weight * weight, (cns_view){t->term, 0}, t->var)) {
            return false;
        }
    }
    return true;
}

/* Whether the constraint defines a summand, which it then replaces. */
static bool expand_by(reading *r, const cns_model_constraint *c) {
    cns_state *s = r->l->state;
    const cns_var *x = cns_model_v(r->l->model, c, 0);
    measures m = {0};
    bool read = false;
    s->ticks += c->v[0].count;
    for (uint32_t k = 0; k < c->v[0].count; k++) {
        uint32_t *summand = &r->place[cns_load_alias(r->l, x[k]).root];
        if (*summand == 0) {
            continue;
        }
        if (!read && (!cns_poll(s) || !read_row(r, c))) {
            return false;
        }
        m = read ? m : measure(s, &r->part);
        read = true;
        uint32_t place;
        bool turned;
        if (defines(r, c, &m, r->sum->terms[*summand - 1], &place, &turned)) {
            solve_row(&r->part, place, turned);
            bool expanded = expand(r, &r->sum->terms[*summand - 1]);
            *summand = 0;
            return expanded;
        }
    }
    return false;
}

static void drop_expanded(cns_sum *sum) {
    uint32_t kept = 0;
    for (uint32_t k = 0; k < sum->count; k++) {
        if (sum->terms[k].weight != 0) {
            sum->terms[kept++] = sum->terms[k];
        }
    }
    sum->count = kept;
}

/* One look at all constraints. False: nothing was expanded, or memory gave out. */
static bool expand_all(reading *r) {
    cns_state *s = r->l->state;
    const cns_model *m = r->l->model;
    memset(r->place, 0, m->variable_count * sizeof *r->place);
    bool wanted = false;
    for (uint32_t k = 0; k < r->sum->count; k++) {
        cns_term term = r->sum->terms[k].term;
        if (cns_high(s, term) - cns_low(s, term) > 1) {
            r->place[r->sum->terms[k].var] = k + 1;
            wanted = true;
        }
    }
    bool expanded = false;
    for (uint32_t k = 0; wanted && k < m->constraint_count && cns_poll(s); k++) {
        const cns_model_constraint *c = &m->constraints[k];
        expanded |= is_linear(c) && c->v[0].count > 2 && expand_by(r, c);
    }
    drop_expanded(r->sum);
    return merge(r->sum) && expanded && s->status == CNS_OK;
}

bool cns_sum_read(cns_loader *l, cns_sum *sum) {
    cns_state *s = l->state;
    CNS_ASSERT(s->level == 0);
    reading r = {l, sum, NULL, {0}};
    size_t size = l->model->variable_count * sizeof *r.place;
    bool found = find_definition(&r);
    if (found) {
        r.place = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
        if (r.place == NULL) {
            s->status = cns_context_memory_status(s->context, size);
            found = false;
        }
    }
    for (int round = 0; found && round < ROUNDS && expand_all(&r); round++) {
    }
    cns_context_free(s->context, r.place, size, CNS_ALIGN_DEFAULT);
    cns_sum_deinit(s->context, &r.part);
    return found && s->status == CNS_OK && sum->count > 1;
}
