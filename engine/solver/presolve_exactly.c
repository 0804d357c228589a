/* SPDX-License-Identifier: MIT
 *
 * solver/presolve_exactly.c - see presolve_exactly.h.
 *
 * The groups are rows and columns of an assignment, mostly: what one leaves of the coefficients is
 * there for the next (the reduction with which Little, Murty, Sweeney and Karel began in 1963).
 */
#include "solver/presolve_exactly.h"

#include <string.h>

#define BUDGET UINT64_C(2000000) /* literals of groups, and pairs, that are looked at */
#define FETCH_LOOKS 3            /* that a literal is worth, about */
#define PAIRS_MOST 16            /* literals of a sum whose pairs are noted */

/* ---- what makes groups ---------------------------------------------------------------------- */

/* A sum of ones with this constant, always. */
static bool counts_to_one(const cns_model *m, const cns_model_constraint *c,
                          cns_constraint_kind kind) {
    if (c->kind != kind || c->condition != CNS_ALWAYS || c->v[0].count < 2 ||
        cns_model_i(m, c, 1)[0] != 1) {
        return false;
    }
    const int64_t *a = cns_model_i(m, c, 0);
    for (uint32_t k = 0; k < c->v[0].count; k++) {
        if (a[k] != 1) {
            return false;
        }
    }
    return true;
}

bool cns_exactly_is_ground(const cns_model *m, const cns_model_constraint *c) {
    return counts_to_one(m, c, CNS_LINEAR_EQ) || counts_to_one(m, c, CNS_LINEAR_LE);
}

/* The literals of v0 behind those of the groups; none when not all are open 0..1. False: memory
 * gave out. */
static bool fetch(cns_exactly *e, cns_loader *l, const cns_model_constraint *c, uint32_t *count) {
    cns_state *s = l->state;
    const cns_var *vars = cns_model_v(l->model, c, 0);
    uint32_t begin = e->lit_count, size = c->v[0].count;
    *count = 0;
    e->looks += FETCH_LOOKS * (uint64_t)size;
    for (uint32_t k = 0; k < size; k++) {
        int64_t low, high;
        cns_load_bounds(l, vars[k], &low, &high);
        if (low != 0 || high != 1) {
            return true;
        }
    }
    if (!cns_grow(s, &e->lits, sizeof *e->lits, &e->lit_capacity, begin + size)) {
        return false;
    }
    for (uint32_t k = 0; k < size; k++) {
        cns_lit lit = cns_load_lit(l, vars[k]);
        if (lit == CNS_LIT_NONE) {
            return false;
        }
        if (cns_value(s, lit) != 0) {
            return true;
        }
        e->lits[begin + k] = lit;
    }
    *count = size;
    return true;
}

/* The literals that were fetched are a group. */
static bool keep(cns_exactly *e, cns_state *s, uint32_t count) {
    if (!cns_grow(s, &e->groups, sizeof *e->groups, &e->capacity, e->count + 1)) {
        return false;
    }
    e->groups[e->count++] = (cns_group){e->lit_count, e->lit_count + count, 0};
    e->lit_count += count;
    return true;
}

static bool add_sum(cns_exactly *e, cns_loader *l, const cns_model_constraint *c) {
    uint32_t count;
    return fetch(e, l, c, &count) && (count == 0 || keep(e, l->state, count));
}

/* Of each two of the fetched literals, turned by `turn`, at most one is true. */
static bool add_pairs(cns_exactly *e, cns_state *s, uint32_t count, cns_lit turn) {
    const cns_lit *lits = e->lits + e->lit_count;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < i; j++) {
            cns_clique_edge edge = {.x = lits[i] ^ turn, .y = lits[j] ^ turn, .sign = 1};
            if (e->budget == 0) {
                return true; /* fewer groups are found */
            }
            e->budget--;
            e->looks++;
            if (edge.x >> 1 != edge.y >> 1 && !cns_clique_edge_add(s, &e->pairs, edge)) {
                return false;
            }
        }
    }
    return true;
}

/* Whether literal `i` of those fetched excludes each one before it. */
static bool excludes(cns_exactly *e, cns_state *s, uint32_t i) {
    const cns_lit *lits = e->lits + e->lit_count;
    for (uint32_t j = 0; j < i; j++) {
        const cns_clique_member a = {lits[i], 1, 0}, b = {lits[j], 1, 0};
        s->ticks++;
        if (e->budget == 0 || a.node == b.node || cns_clique_edge_of(&e->pairs, a, b) == NULL) {
            return false;
        }
        e->budget--;
    }
    return true;
}

static bool is_clause(cns_loader *l, const cns_model_constraint *c) {
    int64_t low = 1, high;
    if (c->kind == CNS_CLAUSE && c->condition != CNS_ALWAYS) {
        cns_load_bounds(l, c->literal, &low, &high);
    }
    return c->kind == CNS_CLAUSE && low == 1;
}

/* ---- finding them --------------------------------------------------------------------------- */

void cns_exactly_look(cns_exactly *e, const cns_batch *b, uint32_t k) {
    const cns_model *m = b->loader->model;
    const cns_model_constraint *c = &m->constraints[b->first + k];
    bool linear = c->kind == CNS_LINEAR_EQ || c->kind == CNS_LINEAR_LE;
    e->has_sums |= linear && c->v[0].count > 2 && !cns_exactly_is_ground(m, c);
    e->has_longer |= c->kind == CNS_CLAUSE && c->v[0].count > 2;
    e->pair_count += c->kind == CNS_CLAUSE && c->v[0].count == 2;
}

/* Sums, and then, by clauses: pairs first, then those of which each two are a pair. */
enum {
    STAGE_SUMS,
    STAGE_PAIRS,
    STAGE_INDEX,
    STAGE_CLAUSES,
    STAGE_COMPARE,
    STAGE_TABLES,
    STAGE_END
};

static bool find_pairs(cns_exactly *e, cns_loader *l, const cns_model_constraint *c) {
    uint32_t count;
    bool pair = c->v[0].count == 2 && is_clause(l, c);
    bool sum = !pair && c->v[0].count <= PAIRS_MOST && counts_to_one(l->model, c, CNS_LINEAR_LE);
    return (!pair && !sum) ||
           (fetch(e, l, c, &count) && add_pairs(e, l->state, count, pair ? 1 : 0));
}

static bool fetch_clause(cns_exactly *e, cns_loader *l, const cns_model_constraint *c) {
    e->row = e->fetched = 0;
    if (c->v[0].count > 2 && is_clause(l, c) && !fetch(e, l, c, &e->fetched)) {
        return false;
    }
    e->stage = e->fetched > 0 ? STAGE_COMPARE : STAGE_CLAUSES;
    return true;
}

/* One literal of a clause with those before it. */
static bool compare(cns_exactly *e, cns_state *s) {
    if (e->row < e->fetched && excludes(e, s, e->row)) {
        e->row++;
        return true;
    }
    e->stage = STAGE_CLAUSES;
    return e->row < e->fetched || keep(e, s, e->fetched);
}

static bool build_tables(cns_exactly *e, cns_state *s) {
    uint32_t size = 2 * s->bool_count;
    e->groups_of = cns_context_calloc(s->context, 2 * (size_t)size * sizeof *e->groups_of);
    if (e->groups_of == NULL) {
        s->status = cns_context_memory_status(s->context, 2 * (size_t)size * sizeof *e->groups_of);
        return false;
    }
    e->table_size = size;
    e->place = e->groups_of + size;
    for (uint32_t k = e->count; k-- > 0;) { /* so that they come in their order */
        uint32_t *head = &e->groups_of[e->lits[e->groups[k].begin]];
        e->groups[k].next = *head;
        *head = k + 1;
    }
    return true;
}

static void begin(cns_exactly *e, const cns_state *s) {
    e->begun = true;
    e->budget = BUDGET;
    e->stage = e->has_sums && s->proof == NULL ? STAGE_SUMS : STAGE_END;
}

/* Behind the last constraint of a stage. */
static uint8_t next_stage(const cns_exactly *e) {
    bool clauses = e->has_longer && e->pair_count > 2;
    return e->stage == STAGE_PAIRS             ? STAGE_INDEX
           : e->stage == STAGE_SUMS && clauses ? STAGE_PAIRS
                                               : STAGE_TABLES;
}

/* False: memory gave out, or a limit was reached. */
static bool take_step(cns_exactly *e, const cns_batch *b) {
    cns_loader *l = b->loader;
    if (e->stage == STAGE_COMPARE) {
        return compare(e, l->state);
    }
    if (e->next == b->count) {
        e->stage = next_stage(e);
        e->next = 0;
        return true;
    }
    const cns_model_constraint *c = &l->model->constraints[b->first + e->next++];
    return e->stage == STAGE_SUMS ? !counts_to_one(l->model, c, CNS_LINEAR_EQ) || add_sum(e, l, c)
           : e->stage == STAGE_PAIRS ? find_pairs(e, l, c)
                                     : fetch_clause(e, l, c);
}

static cns_part find(cns_exactly *e, const cns_batch *b, cns_piece *piece) {
    cns_state *s = b->loader->state;
    while (e->stage != STAGE_END) {
        if (e->stage == STAGE_TABLES) {
            e->stage = STAGE_END;
            return e->count == 0 || build_tables(e, s) ? CNS_PART_DONE : CNS_PART_FAILED;
        }
        if (e->stage == STAGE_INDEX) {
            cns_part part = cns_clique_edges_index(s, &e->pairs, piece);
            if (part != CNS_PART_DONE) {
                return part;
            }
            e->stage = STAGE_CLAUSES;
        }
        if (cns_piece_is_over(piece, s)) {
            return CNS_PART_LEFT;
        }
        e->looks = 1;
        bool well = cns_poll(s) && take_step(e, b);
        piece->looks += e->looks;
        if (!well) {
            return CNS_PART_FAILED;
        }
    }
    return CNS_PART_DONE;
}

cns_part cns_exactly_find(cns_exactly *e, const cns_batch *b, cns_piece *piece) {
    cns_state *s = b->loader->state;
    if (!e->begun) {
        begin(e, s);
    }
    cns_part part = find(e, b, piece);
    if (part != CNS_PART_FAILED) {
        return part;
    }
    cns_exactly_deinit(e, s); /* sums are posted as they are */
    *e = (cns_exactly){.begun = true, .stage = STAGE_END};
    return cns_do_without(s) ? CNS_PART_DONE : CNS_PART_FAILED;
}

/* ---- shifting ------------------------------------------------------------------------------- */

/* The least coefficient of a group in the sum at hand; 0: not all of it is there, or not above 0.
 */
static int64_t least_of(const cns_exactly *e, const cns_group *g, const int64_t *a) {
    int64_t least = INT64_MAX;
    for (uint32_t k = g->begin; k < g->end; k++) {
        uint32_t place = e->place[e->lits[k]];
        if (place == 0 || a[place - 1] <= 0) {
            return 0;
        }
        least = a[place - 1] < least ? a[place - 1] : least;
    }
    return least;
}

static void shift(cns_exactly *e, cns_state *s, const cns_group *g, int64_t *a, int64_t *c) {
    uint32_t size = g->end - g->begin;
    e->budget -= e->budget < size ? e->budget : size;
    s->ticks += size / 4;
    int64_t least = least_of(e, g, a);
    for (uint32_t k = g->begin; least > 0 && k < g->end; k++) {
        a[e->place[e->lits[k]] - 1] -= least;
    }
    *c -= least;
}

bool cns_exactly_shift(cns_exactly *e, cns_loader *l, int64_t *a, const cns_view *x, uint32_t count,
                       int64_t *c) {
    cns_state *s = l->state;
    uint32_t begin = e->lit_count; /* the sum's literals lie behind those of the groups */
    if (!cns_grow(s, &e->lits, sizeof *e->lits, &e->lit_capacity, begin + count)) {
        return cns_do_without(s);
    }
    cns_lit *lits = e->lits + begin;
    for (uint32_t k = 0; k < count; k++) {
        lits[k] = cns_load_lit_of_view(l, x[k]);
        lits[k] = lits[k] < e->table_size ? lits[k] : CNS_LIT_TRUE; /* is in no group */
        e->place[lits[k]] = k + 1;
    }
    for (uint32_t k = 0; k < count && e->budget > 0; k++) {
        uint32_t group = e->place[lits[k]] == k + 1 ? e->groups_of[lits[k]] : 0;
        for (; group != 0; group = e->groups[group - 1].next) {
            shift(e, s, &e->groups[group - 1], a, c);
        }
    }
    for (uint32_t k = 0; k < count; k++) {
        e->place[lits[k]] = 0;
    }
    return cns_do_without(s);
}

void cns_exactly_deinit(cns_exactly *e, cns_state *s) {
    cns_context_free(s->context, e->groups, e->capacity * sizeof *e->groups, CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, e->lits, e->lit_capacity * sizeof *e->lits, CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, e->groups_of, 2 * (size_t)e->table_size * sizeof *e->groups_of,
                     CNS_ALIGN_DEFAULT);
    cns_clique_edges_deinit(s, &e->pairs);
}
