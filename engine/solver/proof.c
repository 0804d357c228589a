/* SPDX-License-Identifier: MIT
 *
 * solver/proof.c - see proof.h.
 */
#include "solver/proof.h"

#include <string.h>

#include "solver/globals/globals.h"
#include "solver/trail.h"

/* ---- text ----------------------------------------------------------------------------------- */

bool cns_proof_flush(cns_proof *p) {
    if (p->length > 0 && !p->failed) {
        p->failed = p->write(p->user, p->text, p->length) != 0;
    }
    p->length = 0;
    return !p->failed;
}

static void put(cns_proof *p, const char *text, size_t length) {
    while (length > 0) {
        size_t part = CNS_PROOF_BUFFER - p->length;
        part = part < length ? part : length;
        memcpy(p->text + p->length, text, part);
        p->length += (uint32_t)part;
        text += part;
        length -= part;
        if (p->length == CNS_PROOF_BUFFER) {
            cns_proof_flush(p);
        }
    }
}

static void put_text(cns_proof *p, const char *text) {
    put(p, text, strlen(text));
}

static void put_number(cns_proof *p, int64_t value) {
    char digits[24];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        digits[--at] = '-';
    }
    put(p, digits + at, sizeof digits - at);
}

static void put_field(cns_proof *p, const char *name, int64_t value) {
    put_text(p, name);
    put_number(p, value);
}

static void put_origin(cns_proof *p, uint32_t origin) {
    if (origin == UINT32_MAX) {
        put_text(p, " -");
    } else {
        put_field(p, " ", origin);
    }
}

/* ---- begin and end -------------------------------------------------------------------------- */

void cns_proof_begin(cns_state *s) {
    cns_proof *p = s->proof;
    const cns_model *m = p->model;
    if (p->begun) {
        return;
    }
    p->begun = true;
    put_field(p, "cns-proof 1\nm ", m->variable_count);
    put_field(p, " ", m->constraint_count);
    put_text(p, "\n");
    for (uint32_t v = 0; v < m->variable_count; v++) {
        const char *name = cns_model_text(m, m->variables[v].name);
        if (name[0] != 0 && strchr(name, '\n') == NULL) {
            put_field(p, "v ", v);
            put_text(p, " ");
            put_text(p, name);
            put_text(p, "\n");
        }
    }
}

void cns_proof_deinit(cns_proof *p, cns_context *context) {
    cns_context_free(context, p->known_ints, p->int_capacity, CNS_ALIGN_DEFAULT);
    cns_context_free(context, p->known_bools, p->bool_capacity, CNS_ALIGN_DEFAULT);
    cns_context_free(context, p->origins, p->origin_capacity * sizeof *p->origins,
                     CNS_ALIGN_DEFAULT);
}

bool cns_proof_note(cns_state *s, uint32_t position) {
    cns_proof *p = s->proof;
    if (!cns_grow(s, &p->origins, sizeof *p->origins, &p->origin_capacity, position + 1)) {
        return false;
    }
    p->origins[position] = s->active_origin;
    return true;
}

/* ---- definitions ---------------------------------------------------------------------------- */

static bool know_int(cns_state *s, uint32_t integer) {
    cns_proof *p = s->proof;
    if (!cns_grow(s, &p->known_ints, 1, &p->int_capacity, integer + 1)) {
        return false;
    }
    p->known_ints[integer] = 1;
    return true;
}

static bool know_bool(cns_state *s, uint32_t n) {
    cns_proof *p = s->proof;
    if (!cns_grow(s, &p->known_bools, 1, &p->bool_capacity, n + 1)) {
        return false;
    }
    p->known_bools[n] = 1;
    return true;
}

/* Before a line that has the integer: one that introduces it, when it is not the model's. */
static void introduce_int(cns_state *s, uint32_t integer, uint32_t origin) {
    cns_proof *p = s->proof;
    if (integer == 0 || (integer < p->int_capacity && p->known_ints[integer]) ||
        !know_int(s, integer)) {
        return;
    }
    put_field(p, "x ", integer);
    put_text(p, " new");
    put_origin(p, origin);
    const cns_int *x = &s->ints[integer];
    for (uint32_t i = 0; i < 2 * x->range_count; i++) {
        put_field(p, " ", x->ranges[i]);
    }
    put_text(p, "\n");
}

static void introduce_lit(cns_state *s, cns_lit lit, uint32_t origin) {
    cns_proof *p = s->proof;
    uint32_t n = lit >> 1;
    if (s->kind[n] != CNS_BOOL_PLAIN) {
        introduce_int(s, s->atoms[n].integer, origin);
    } else if (n != 0 && !(n < p->bool_capacity && p->known_bools[n]) && know_bool(s, n)) {
        put_field(p, "b ", n);
        put_text(p, " new");
        put_origin(p, origin);
        put_text(p, "\n");
    }
}

static void introduce_fact(cns_state *s, cns_fact fact, uint32_t origin) {
    if (fact.is_bound) {
        introduce_int(s, fact.id >> 1, origin);
    } else {
        introduce_lit(s, fact.id, origin);
    }
}

static void put_bound(cns_proof *p, cns_term t, int64_t value) {
    put_field(p, " x", t >> 1);
    put_field(p, t & 1 ? "<=" : ">=", t & 1 ? -value : value);
}

static void put_lit(cns_state *s, cns_lit lit) {
    cns_proof *p = s->proof;
    uint32_t n = lit >> 1;
    if (n == 0) {
        put_text(p, lit == CNS_LIT_TRUE ? " T" : " F");
    } else if (s->kind[n] == CNS_BOOL_GE) {
        cns_fact bound = cns_atom_bound(s, lit);
        put_bound(p, bound.id, bound.value);
    } else if (s->kind[n] == CNS_BOOL_EQ) {
        put_field(p, " x", s->atoms[n].integer);
        put_field(p, lit & 1 ? "!=" : "=", s->atoms[n].value);
    } else {
        put_field(p, lit & 1 ? " ~b" : " b", n);
    }
}

void cns_proof_alias(cns_state *s, uint32_t origin, cns_var from, cns_var to) {
    cns_proof *p = s->proof;
    put_field(p, "a ", origin);
    put_field(p, " ", from);
    put_field(p, " ", to);
    put_text(p, "\n");
}

void cns_proof_meaning(cns_state *s, uint32_t origin, cns_var var, cns_lit lit) {
    cns_proof *p = s->proof;
    introduce_lit(s, lit, origin);
    put_field(p, "= ", origin);
    put_field(p, " ", var);
    put_lit(s, lit);
    put_text(p, "\n");
}

void cns_proof_int_is(cns_state *s, uint32_t integer, cns_var var) {
    if (know_int(s, integer)) {
        put_field(s->proof, "x ", integer);
        put_field(s->proof, " is ", var);
        put_text(s->proof, "\n");
    }
}

void cns_proof_bool_is(cns_state *s, cns_lit lit, cns_var var) {
    if (know_bool(s, lit >> 1)) {
        put_field(s->proof, "b ", lit >> 1);
        put_field(s->proof, " is ", var);
        put_text(s->proof, "\n");
    }
}

void cns_proof_int_is_lit(cns_state *s, uint32_t integer, cns_lit lit) {
    introduce_lit(s, lit, s->active_origin);
    if (know_int(s, integer)) {
        put_field(s->proof, "x ", integer);
        put_text(s->proof, " lit");
        put_lit(s, lit);
        put_text(s->proof, "\n");
    }
}

/* ---- what new Booleans mean ----------------------------------------------------------------- */

static bool is_new(const cns_state *s, cns_lit lit) {
    const cns_proof *p = s->proof;
    uint32_t n = lit >> 1;
    return p != NULL && s->active_origin != UINT32_MAX && lit != CNS_LIT_NONE && n != 0 &&
           (lit & 1) == 0 && s->kind[n] == CNS_BOOL_PLAIN &&
           !(n < p->bool_capacity && p->known_bools[n]);
}

static void begin_definition(cns_state *s, cns_lit lit, const char *what) {
    cns_proof *p = s->proof;
    know_bool(s, lit >> 1);
    put_field(p, "b ", lit >> 1);
    put_text(p, " ");
    put_text(p, what);
    put_origin(p, s->active_origin);
}

static bool are_literals(const cns_lit *lits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (lits[i] == CNS_LIT_NONE) {
            return false;
        }
    }
    return true;
}

static void introduce_lits(cns_state *s, const cns_lit *lits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        introduce_lit(s, lits[i], s->active_origin);
    }
}

static void define_by_lits(cns_state *s, const char *what, cns_lit lit, const cns_lit *lits,
                           uint32_t count) {
    if (!is_new(s, lit) || !are_literals(lits, count)) {
        return;
    }
    introduce_lits(s, lits, count);
    begin_definition(s, lit, what);
    for (uint32_t i = 0; i < count; i++) {
        put_lit(s, lits[i]);
    }
    put_text(s->proof, "\n");
}

void cns_proof_define_all(cns_state *s, cns_lit lit, const cns_lit *lits, uint32_t count) {
    define_by_lits(s, "all", lit, lits, count);
}

void cns_proof_define_any(cns_state *s, cns_lit lit, const cns_lit *lits, uint32_t count) {
    define_by_lits(s, "any", lit, lits, count);
}

static void define_sum(cns_state *s, const char *what, cns_lit lit, const cns_lit *lits,
                       uint32_t lit_count, const int64_t *a, const cns_view *x, uint32_t count,
                       int64_t limit) {
    cns_proof *p = s->proof;
    if (!is_new(s, lit) || !are_literals(lits, lit_count)) {
        return;
    }
    introduce_lits(s, lits, lit_count);
    for (uint32_t i = 0; i < count; i++) {
        introduce_int(s, x[i].term >> 1, s->active_origin);
    }
    begin_definition(s, lit, what);
    for (uint32_t i = 0; i < lit_count; i++) {
        put_lit(s, lits[i]);
    }
    put_text(p, " :");
    for (uint32_t i = 0; i < count; i++) {
        limit -= a[i] * x[i].offset;
        if (x[i].term >> 1 != 0) {
            put_field(p, " ", x[i].term & 1 ? -a[i] : a[i]);
            put_field(p, " ", x[i].term >> 1);
        }
    }
    put_field(p, " ", limit);
    put_text(p, "\n");
}

void cns_proof_define_linear(cns_state *s, cns_lit lit, bool equal, const int64_t *a,
                             const cns_view *x, uint32_t count, int64_t limit) {
    define_sum(s, equal ? "eq" : "le", lit, NULL, 0, a, x, count, limit);
}

void cns_proof_define_order(cns_state *s, cns_lit lit, const cns_lit *lits, uint32_t count,
                            cns_view x, cns_view d, cns_view y) {
    define_sum(s, "le", lit, lits, count, (const int64_t[]){1, 1, -1}, (cns_view[]){x, d, y}, 3, 0);
}

void cns_proof_define_part(cns_state *s, cns_lit lit, const char *part, const int64_t *numbers,
                           uint32_t count) {
    if (!is_new(s, lit)) {
        return;
    }
    begin_definition(s, lit, part);
    for (uint32_t i = 0; i < count; i++) {
        put_field(s->proof, " ", numbers[i]);
    }
    put_text(s->proof, "\n");
}

void cns_proof_layer(cns_state *s, const cns_mdd_edge *edges, uint32_t count) {
    cns_proof *p = s->proof;
    if (p == NULL || s->active_origin == UINT32_MAX) {
        return;
    }
    put_field(p, "l ", s->active_origin);
    for (uint32_t e = 0; e < count; e++) {
        put_field(p, " ", edges[e].from);
        put_field(p, " ", edges[e].low);
        put_field(p, " ", edges[e].high);
        put_field(p, " ", edges[e].to);
    }
    put_text(p, "\n");
}

/* ---- steps ---------------------------------------------------------------------------------- */

static cns_fact negation(cns_fact fact) {
    return fact.is_bound ? cns_fact_ge(fact.id ^ 1, 1 - fact.value) : cns_fact_lit(fact.id ^ 1);
}

static void put_fact(cns_state *s, cns_fact fact) {
    if (fact.is_bound) {
        put_bound(s->proof, fact.id, fact.value);
    } else {
        put_lit(s, fact.id);
    }
}

/* Facts of the root need not be said: the reader of the proof has them. */
static bool at_root(const cns_state *s, cns_fact fact) {
    return fact.is_bound ? fact.value <= s->root[fact.id]
                         : s->value[fact.id] > 0 && s->position[fact.id >> 1] == 0;
}

void cns_proof_lemma(cns_state *s, uint32_t origin, const cns_facts *facts, uint32_t start,
                     const cns_fact *fact) {
    cns_proof *p = s->proof;
    for (uint32_t i = start; i < facts->count; i++) {
        introduce_fact(s, facts->data[i], origin);
    }
    if (fact != NULL) {
        introduce_fact(s, *fact, origin);
    }
    put_text(p, s->level == 0 ? "r" : "t");
    put_origin(p, origin);
    if (fact != NULL) {
        put_fact(s, *fact);
    }
    for (uint32_t i = start; i < facts->count; i++) {
        if (!at_root(s, facts->data[i])) {
            put_fact(s, negation(facts->data[i]));
        }
    }
    put_text(p, "\n");
}

void cns_proof_reason(cns_state *s, uint32_t position, const cns_facts *facts, uint32_t start,
                      const cns_fact *fact) {
    cns_reason reason = s->trail[position].reason;
    uint32_t origin = s->proof->origins[position];
    switch (cns_reason_tag(reason)) {
    case CNS_REASON_LAZY:
        origin = s->propagators[cns_reason_minor(reason)]->origin;
        break;
    case CNS_REASON_LIT:
    case CNS_REASON_SPAN:
    case CNS_REASON_ALWAYS:
        break;
    default:
        return;
    }
    if (origin != UINT32_MAX) { /* else a clause of two literals */
        cns_proof_lemma(s, origin, facts, start, fact);
    }
}

static void put_clause(cns_state *s, const cns_lit *lits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (lits[i] != CNS_LIT_FALSE) {
            put_lit(s, lits[i]);
        }
    }
    put_text(s->proof, "\n");
}

void cns_proof_clause(cns_state *s, uint32_t origin, const cns_lit *lits, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (lits[i] == CNS_LIT_TRUE) {
            return;
        }
        introduce_lit(s, lits[i], origin);
    }
    put_text(s->proof, "r");
    put_origin(s->proof, origin);
    put_clause(s, lits, count);
}

void cns_proof_learnt(cns_state *s, const cns_lit *lits, uint32_t count) {
    put_text(s->proof, "c");
    put_clause(s, lits, count);
}

void cns_proof_delete(cns_state *s, const cns_lit *lits, uint32_t count) {
    put_text(s->proof, "d");
    put_clause(s, lits, count);
}

void cns_proof_solution(cns_state *s, const int64_t *values) {
    cns_proof *p = s->proof;
    put_text(p, "s");
    for (uint32_t v = 0; v < p->model->variable_count; v++) {
        put_field(p, " ", values[v]);
    }
    put_text(p, "\n");
}

void cns_proof_improve(cns_state *s) {
    put_text(s->proof, "o\n");
}

void cns_proof_exclude(cns_state *s, const cns_lit *lits, uint32_t count) {
    put_text(s->proof, "e");
    put_clause(s, lits, count);
}

void cns_proof_conclude(cns_state *s, const cns_lit *lits, uint32_t count) {
    put_text(s->proof, "u");
    for (uint32_t i = 0; i < count; i++) {
        put_lit(s, lits[i]);
    }
    put_text(s->proof, "\n");
}
