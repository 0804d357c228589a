/* SPDX-License-Identifier: MIT
 *
 * solver/presolve_machines.c - pairs of tasks in one order or the other, stated as disjunctive.
 *
 * Where b implies x + d <= y, c implies y + e <= x, and one of b and c is true, tasks of lengths d
 * and e cannot overlap. A clique of such tasks is a machine: edge finding and its like see what no
 * pair can. The pairs stay, and their Booleans are the machine's literals of orders.
 */
#include "solver/presolve.h"

#define ORDERED_MOST 64 /* tasks, whose orders are followed as literals: each run looks at all */
#define TASKS_MOST 150
#define STATED_BUDGET UINT64_C(4000000) /* looks at tasks of disjunctive constraints */

typedef struct precedence { /* from + length <= to */
    cns_view from, to;
    int64_t length;
} precedence;

typedef struct pair {    /* of tasks; its number is its edge's label */
    cns_lit forth, back; /* x before y, y before x */
} pair;

typedef struct task {
    cns_view start;
    int64_t length;
    uint32_t next; /* of the same term, 1 + index; 0: none */
} task;

typedef struct machines {
    cns_loader *l;
    cns_state *s;
    uint32_t *implied; /* by literal: 1 + the constraint that it implies; 0: none */
    uint32_t lit_count;
    uint32_t *tasks_of; /* by term: 1 + index of a task; 0: none */
    uint32_t term_count;
    task *tasks;
    uint32_t task_count, task_capacity;
    pair *pairs;
    uint32_t pair_count, pair_capacity;
    uint32_t *stated; /* constraints of the model that are disjunctive */
    uint32_t stated_count, stated_capacity;
    uint64_t budget; /* for looking through those */
    cns_clique_edges edges;
    cns_cliques cliques;
} machines;

/* ---- pairs ---------------------------------------------------------------------------------- */

static bool is_precedence(const cns_model *m, const cns_model_constraint *c) {
    if (c->kind != CNS_LINEAR_LE || c->condition == CNS_ALWAYS || c->v[0].count != 2) {
        return false;
    }
    const int64_t *a = cns_model_i(m, c, 0);
    bool opposite = (a[0] == 1 && a[1] == -1) || (a[0] == -1 && a[1] == 1);
    return opposite && cns_model_i(m, c, 1)[0] < 0;
}

static bool is_choice(const cns_model_constraint *c) {
    return c->kind == CNS_CLAUSE && c->v[0].count == 2;
}

/* The precedence that a literal implies. */
static bool precedence_of(machines *m, cns_lit lit, precedence *out) {
    if (lit >= m->lit_count || m->implied[lit] == 0) {
        return false;
    }
    const cns_model *model = m->l->model;
    const cns_model_constraint *c = &model->constraints[m->implied[lit] - 1];
    const cns_var *x = cns_model_v(model, c, 0);
    uint32_t from = cns_model_i(model, c, 0)[0] == 1 ? 0 : 1;
    out->length = -cns_model_i(model, c, 1)[0];
    return cns_load_view(m->l, x[from], &out->from) && cns_load_view(m->l, x[1 - from], &out->to) &&
           out->from.term >> 1 != out->to.term >> 1 && out->from.term < m->term_count &&
           out->to.term < m->term_count;
}

static bool same(cns_view a, cns_view b) {
    return a.term == b.term && a.offset == b.offset;
}

/* The number of the task; UINT32_MAX when memory gave out. */
static uint32_t task_number(machines *m, cns_view start, int64_t length) {
    for (uint32_t k = m->tasks_of[start.term]; k != 0; k = m->tasks[k - 1].next) {
        if (m->tasks[k - 1].length == length && m->tasks[k - 1].start.offset == start.offset) {
            return k - 1;
        }
    }
    if (!cns_grow(m->s, &m->tasks, sizeof *m->tasks, &m->task_capacity, m->task_count + 1)) {
        return UINT32_MAX;
    }
    m->tasks[m->task_count++] = (task){start, length, m->tasks_of[start.term]};
    m->tasks_of[start.term] = m->task_count;
    return m->task_count - 1;
}

static bool is_always(machines *m, const cns_model_constraint *c) {
    if (c->condition == CNS_ALWAYS) {
        return true;
    }
    int64_t low, high;
    cns_load_bounds(m->l, c->literal, &low, &high);
    return low == 1;
}

static bool add_pair(machines *m, const cns_model_constraint *c) {
    const cns_var *vars = cns_model_v(m->l->model, c, 0);
    precedence a, b;
    cns_lit forth = cns_load_lit(m->l, vars[0]), back = cns_load_lit(m->l, vars[1]);
    if (forth == CNS_LIT_NONE || back == CNS_LIT_NONE) {
        return false;
    }
    if (!is_always(m, c) || !precedence_of(m, forth, &a) || !precedence_of(m, back, &b) ||
        !same(a.from, b.to) || !same(a.to, b.from)) {
        return m->s->status == CNS_OK;
    }
    cns_clique_edge edge = {.x = task_number(m, a.from, a.length),
                            .y = task_number(m, b.from, b.length),
                            .sign = 1,
                            .label = m->pair_count};
    if (edge.x == UINT32_MAX || edge.y == UINT32_MAX ||
        !cns_grow(m->s, &m->pairs, sizeof *m->pairs, &m->pair_capacity, m->pair_count + 1)) {
        return false;
    }
    m->pairs[m->pair_count++] = edge.x < edge.y ? (pair){forth, back} : (pair){back, forth};
    return cns_clique_edge_add(m->s, &m->edges, edge);
}

/* ---- cliques -------------------------------------------------------------------------------- */

static bool post_machine(machines *m, const cns_clique_member *members, uint32_t count,
                         uint32_t origin) {
    cns_state *s = m->s;
    if (count > TASKS_MOST) {
        return true;
    }
    size_t size = count * (2 * sizeof(cns_view) + count * sizeof(cns_lit));
    cns_view *starts = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (starts == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return false;
    }
    cns_view *lengths = starts + count;
    cns_lit *before = (cns_lit *)(void *)(lengths + count);
    for (uint32_t i = 0; i < count; i++) {
        starts[i] = m->tasks[members[i].node].start;
        lengths[i] = cns_view_constant(m->tasks[members[i].node].length);
        before[i * count + i] = CNS_LIT_FALSE;
        for (uint32_t j = 0; j < i; j++) {
            uint32_t label = cns_clique_edge_of(&m->edges, members[i], members[j])->label;
            pair p = m->pairs[label];
            bool forth = members[i].node < members[j].node;
            before[i * count + j] = forth ? p.forth : p.back;
            before[j * count + i] = forth ? p.back : p.forth;
        }
    }
    cns_post_machine(s, (cns_post){origin, CNS_LIT_TRUE}, (cns_views){starts, count},
                     (cns_views){lengths, count}, count > ORDERED_MOST ? NULL : before);
    cns_context_free(s->context, starts, size, CNS_ALIGN_DEFAULT);
    return s->status == CNS_OK && !s->failed && cns_poll(s);
}

static bool find_pairs(machines *m, const cns_batch *b) {
    const cns_model *model = m->l->model;
    for (uint32_t k = 0; k < b->count && m->s->status == CNS_OK; k++) {
        const cns_model_constraint *c = &model->constraints[b->first + k];
        if (is_precedence(model, c)) {
            cns_lit lit = cns_load_lit(m->l, c->literal);
            if (lit == CNS_LIT_NONE || !cns_poll(m->s)) {
                return false;
            }
            if (lit < m->lit_count) { /* else nothing hangs on it */
                m->implied[lit] = b->first + k + 1;
            }
        }
    }
    for (uint32_t k = 0; k < b->count; k++) {
        const cns_model_constraint *c = &model->constraints[b->first + k];
        if (is_choice(c) && (!cns_poll(m->s) || !add_pair(m, c))) {
            return false;
        }
        if (c->kind == CNS_DISJUNCTIVE) {
            if (!cns_grow(m->s, &m->stated, sizeof *m->stated, &m->stated_capacity,
                          m->stated_count + 1)) {
                return false;
            }
            m->stated[m->stated_count++] = b->first + k;
        }
    }
    return true;
}

/* How many of the tasks the disjunctive constraint has: always, and for as long. */
static uint32_t count_shared(machines *m, const cns_model_constraint *c,
                             const cns_clique_member *members, uint32_t count) {
    const cns_model *model = m->l->model;
    const cns_var *starts = cns_model_v(model, c, 0), *lengths = cns_model_v(model, c, 1);
    const cns_var *present = c->v[2].count > 0 ? cns_model_v(model, c, 2) : NULL;
    uint32_t found = 0;
    cns_view start, length;
    for (uint32_t j = 0; j < c->v[0].count; j++) {
        cns_lit lit = present != NULL ? cns_load_lit(m->l, present[j]) : CNS_LIT_TRUE;
        if (lit == CNS_LIT_NONE || !cns_load_view(m->l, starts[j], &start) ||
            !cns_load_view(m->l, lengths[j], &length)) {
            break;
        }
        for (uint32_t i = 0; i < count && cns_is_true(m->s, lit); i++) {
            const task *t = &m->tasks[members[i].node];
            found += same(start, t->start) && cns_view_low(m->s, length) >= t->length;
        }
    }
    return found;
}

/* Whether a disjunctive constraint of the model says it of all of these tasks; it counts as stated,
 * too, when there is no budget left to find out. */
static bool is_stated(machines *m, const cns_clique_member *members, uint32_t count) {
    for (uint32_t k = 0; k < m->stated_count; k++) {
        const cns_model_constraint *c = &m->l->model->constraints[m->stated[k]];
        uint64_t looks = (uint64_t)c->v[0].count * count;
        if (looks > m->budget || !cns_poll(m->s)) {
            return true;
        }
        m->budget -= looks;
        m->s->ticks += looks / 8;
        if (count_shared(m, c, members, count) >= count) {
            return true;
        }
    }
    return false;
}

static bool find_machines(machines *m, const cns_batch *b) {
    if (!find_pairs(m, b) || !cns_cliques_find(m->s, &m->edges, m->task_count, &m->cliques)) {
        return false;
    }
    for (uint32_t k = 0, begin = 0; k < m->cliques.count; begin = m->cliques.ends[k++]) {
        const cns_clique_member *members = m->cliques.members + begin;
        uint32_t count = m->cliques.ends[k] - begin;
        bool stated = is_stated(m, members, count);
        if (m->s->status != CNS_OK || (!stated && !post_machine(m, members, count, b->first))) {
            return false;
        }
    }
    return true;
}

/* Whether there are enough pairs for a clique. */
static bool may_have(const cns_batch *b) {
    const cns_model *model = b->loader->model;
    uint32_t precedences = 0, choices = 0;
    for (uint32_t k = 0; k < b->count && (precedences < 6 || choices < 3); k++) {
        const cns_model_constraint *c = &model->constraints[b->first + k];
        precedences += is_precedence(model, c);
        choices += is_choice(c);
    }
    return precedences >= 6 && choices >= 3;
}

bool cns_presolve_machines(const cns_batch *b) {
    cns_state *s = b->loader->state;
    machines m = {.l = b->loader, .s = s, .budget = STATED_BUDGET};
    if (s->proof != NULL || !may_have(b)) {
        return true;
    }
    size_t words = 2 * ((size_t)s->bool_count + s->int_count);
    m.implied = cns_context_calloc(s->context, words * sizeof *m.implied);
    if (m.implied == NULL) {
        s->status = cns_context_memory_status(s->context, words * sizeof *m.implied);
        return cns_do_without(s);
    }
    m.lit_count = 2 * s->bool_count;
    m.term_count = 2 * s->int_count;
    m.tasks_of = m.implied + m.lit_count;
    /* A machine for whose last watches there was no memory is as true as the others. */
    bool good = find_machines(&m, b) || cns_do_without(s);
    cns_context_free(s->context, m.implied, words * sizeof *m.implied, CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, m.tasks, m.task_capacity * sizeof *m.tasks, CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, m.stated, m.stated_capacity * sizeof *m.stated, CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, m.pairs, m.pair_capacity * sizeof *m.pairs, CNS_ALIGN_DEFAULT);
    cns_clique_edges_deinit(s, &m.edges);
    cns_cliques_deinit(s, &m.cliques);
    return good;
}
