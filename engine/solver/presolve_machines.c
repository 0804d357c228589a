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
#define STEP_LOOKS 3                    /* what a constraint is worth, about */
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

/* What is done one after the other, constraint by constraint, and for each clique. */
typedef enum stage {
    STAGE_PRECEDENCES,
    STAGE_CHOICES,
    STAGE_CLIQUES,
    STAGE_STATED,
    STAGE_END
} stage;

typedef struct cns_machine_finder {
    cns_loader *l;
    cns_state *s;
    stage stage;
    uint32_t next;           /* constraint; of a clique: of those that are stated */
    uint32_t clique, member; /* the clique at hand, and its first member */
    uint32_t *implied;       /* by literal: 1 + the constraint that it implies; 0: none */
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
    cns_clique_finder *finder;
    cns_cliques cliques;
} finder;

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
static bool precedence_of(finder *m, cns_lit lit, precedence *out) {
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
static uint32_t task_number(finder *m, cns_view start, int64_t length) {
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

static bool is_always(finder *m, const cns_model_constraint *c) {
    if (c->condition == CNS_ALWAYS) {
        return true;
    }
    int64_t low, high;
    cns_load_bounds(m->l, c->literal, &low, &high);
    return low == 1;
}

static bool add_pair(finder *m, const cns_model_constraint *c) {
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

static bool post_machine(finder *m, const cns_clique_member *members, uint32_t count,
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

static bool add_precedence(finder *m, const cns_batch *b, uint32_t k) {
    const cns_model *model = m->l->model;
    const cns_model_constraint *c = &model->constraints[b->first + k];
    if (!is_precedence(model, c)) {
        return true;
    }
    cns_lit lit = cns_load_lit(m->l, c->literal);
    if (lit == CNS_LIT_NONE) {
        return false;
    }
    if (lit < m->lit_count) { /* else nothing hangs on it */
        m->implied[lit] = b->first + k + 1;
    }
    return true;
}

static bool add_choice(finder *m, const cns_batch *b, uint32_t k) {
    const cns_model_constraint *c = &m->l->model->constraints[b->first + k];
    if (is_choice(c)) {
        return add_pair(m, c);
    }
    if (c->kind == CNS_DISJUNCTIVE) {
        if (!cns_grow(m->s, &m->stated, sizeof *m->stated, &m->stated_capacity,
                      m->stated_count + 1)) {
            return false;
        }
        m->stated[m->stated_count++] = b->first + k;
    }
    return true;
}

/* How many of the tasks the disjunctive constraint has: always, and for as long. */
static uint32_t count_shared(finder *m, const cns_model_constraint *c,
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

static void next_clique(finder *m) {
    m->member = m->cliques.ends[m->clique++];
    m->next = 0;
}

/* Looks whether the next disjunctive constraint of the model says it of all tasks of the clique at
 * hand. It counts as stated, too, when there is no budget left to find out; behind the last one it
 * is posted. */
static bool look_at_stated(finder *m, const cns_batch *b, cns_piece *piece) {
    const cns_clique_member *members = m->cliques.members + m->member;
    uint32_t count = m->cliques.ends[m->clique] - m->member;
    if (m->next == m->stated_count) {
        piece->looks += (uint64_t)count * count;
        next_clique(m);
        return post_machine(m, members, count, b->first);
    }
    const cns_model_constraint *c = &m->l->model->constraints[m->stated[m->next++]];
    uint64_t looks = (uint64_t)c->v[0].count * count;
    if (looks > m->budget) {
        next_clique(m);
        return true;
    }
    m->budget -= looks;
    m->s->ticks += looks / 8;
    piece->looks += looks - looks / 8;
    if (count_shared(m, c, members, count) >= count) {
        next_clique(m);
    }
    return m->s->status == CNS_OK;
}

/* ---- finding -------------------------------------------------------------------------------- */

static finder *create(const cns_batch *b) {
    cns_state *s = b->loader->state;
    finder *m = cns_context_calloc(s->context, sizeof *m);
    if (m == NULL) {
        s->status = cns_context_memory_status(s->context, sizeof *m);
        return NULL;
    }
    size_t words = 2 * ((size_t)s->bool_count + s->int_count);
    m->l = b->loader;
    m->s = s;
    m->budget = STATED_BUDGET;
    m->implied = cns_context_calloc(s->context, words * sizeof *m->implied);
    if (m->implied == NULL) {
        s->status = cns_context_memory_status(s->context, words * sizeof *m->implied);
        cns_context_free(s->context, m, sizeof *m, CNS_ALIGN_DEFAULT);
        return NULL;
    }
    m->lit_count = 2 * s->bool_count;
    m->term_count = 2 * s->int_count;
    m->tasks_of = m->implied + m->lit_count;
    return m;
}

static void destroy(finder *m) {
    if (m == NULL) {
        return;
    }
    cns_state *s = m->s;
    cns_context *context = s->context;
    size_t words = (size_t)m->lit_count + m->term_count;
    cns_context_free(context, m->implied, words * sizeof *m->implied, CNS_ALIGN_DEFAULT);
    cns_context_free(context, m->tasks, m->task_capacity * sizeof *m->tasks, CNS_ALIGN_DEFAULT);
    cns_context_free(context, m->stated, m->stated_capacity * sizeof *m->stated, CNS_ALIGN_DEFAULT);
    cns_context_free(context, m->pairs, m->pair_capacity * sizeof *m->pairs, CNS_ALIGN_DEFAULT);
    cns_clique_finder_destroy(m->finder);
    cns_clique_edges_deinit(s, &m->edges);
    cns_cliques_deinit(s, &m->cliques);
    cns_context_free(context, m, sizeof *m, CNS_ALIGN_DEFAULT);
}

/* False: memory gave out, a limit was reached, or the model is infeasible. */
static bool take_step(finder *m, const cns_batch *b, cns_piece *piece) {
    switch (m->stage) {
    case STAGE_PRECEDENCES:
        return add_precedence(m, b, m->next++);
    case STAGE_CHOICES:
        return add_choice(m, b, m->next++);
    case STAGE_STATED:
        return look_at_stated(m, b, piece);
    default:
        return true;
    }
}

static bool is_through(const finder *m, const cns_batch *b) {
    return m->stage == STAGE_STATED ? m->clique == m->cliques.count : m->next == b->count;
}

static cns_part run(finder *m, const cns_batch *b, cns_piece *piece) {
    while (m->stage != STAGE_END) {
        if (m->stage == STAGE_CLIQUES) {
            cns_part part =
                cns_cliques_find(m->s, &m->finder, &m->edges, m->task_count, &m->cliques, piece);
            if (part != CNS_PART_DONE) {
                return part;
            }
            m->stage = STAGE_STATED;
            continue;
        }
        if (is_through(m, b)) {
            m->stage++;
            m->next = 0;
            continue;
        }
        if (cns_piece_is_over(piece, m->s)) {
            return CNS_PART_LEFT;
        }
        piece->looks += STEP_LOOKS;
        if (!cns_poll(m->s) || !take_step(m, b, piece)) {
            return CNS_PART_FAILED;
        }
    }
    return CNS_PART_DONE;
}

void cns_machines_look(cns_machines *machines, const cns_batch *b, uint32_t k) {
    const cns_model *model = b->loader->model;
    const cns_model_constraint *c = &model->constraints[b->first + k];
    machines->precedences += is_precedence(model, c);
    machines->choices += is_choice(c);
}

cns_part cns_machines_find(cns_machines *machines, const cns_batch *b, cns_piece *piece) {
    cns_state *s = b->loader->state;
    bool enough = machines->precedences >= 6 && machines->choices >= 3; /* for a clique */
    if (s->proof != NULL || !enough) {
        return CNS_PART_DONE;
    }
    if (machines->finder == NULL) {
        machines->finder = create(b);
    }
    cns_part part = machines->finder == NULL ? CNS_PART_FAILED : run(machines->finder, b, piece);
    if (part == CNS_PART_LEFT) {
        return part;
    }
    cns_machines_deinit(machines);
    /* A machine for whose last watches there was no memory is as true as the others. */
    return part == CNS_PART_DONE || cns_do_without(s) ? CNS_PART_DONE : CNS_PART_FAILED;
}

void cns_machines_deinit(cns_machines *machines) {
    destroy(machines->finder);
    machines->finder = NULL;
}
