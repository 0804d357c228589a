/* SPDX-License-Identifier: MIT
 *
 * solver/atom.c - literals that say [x >= v] or [x = v]: finding, making and reclaiming them.
 *
 * Each integer keeps its atoms of each kind in a list ordered by value. They are found by index
 * where its declared domain is narrow, and in one hash map where it is wide. The least declared
 * value's equality is the negation of the bound above it, and the greatest one's is its bound.
 */
#include "solver/proof.h"
#include "solver/trail.h"

#include <string.h>

#define DENSE_SPAN 1024
#define FAR 32 /* atoms in a list of many, after which a place is worth remembering */

static inline int64_t declared_low(const cns_int *x) {
    return x->ranges[0];
}

static inline int64_t declared_high(const cns_int *x) {
    return x->ranges[2 * x->range_count - 1];
}

uint32_t cns_range_from(const cns_int *x, int64_t value) {
    uint32_t low = 0;
    uint32_t high = x->range_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (x->ranges[2 * middle + 1] < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool declared(const cns_int *x, int64_t value) {
    uint32_t k = cns_range_from(x, value);
    return k < x->range_count && x->ranges[2 * k] <= value;
}

/* ---- finding -------------------------------------------------------------------------------- */

static uint64_t hash_atom(uint32_t integer, int64_t value, uint8_t kind) {
    uint64_t h = (uint64_t)value * UINT64_C(0x9e3779b97f4a7c15) + integer * 2 + (kind & 1);
    h ^= h >> 32;
    h *= UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

static uint32_t find_in_map(const cns_state *s, uint32_t integer, int64_t value, uint8_t kind) {
    if (s->atom_map_capacity == 0) {
        return 0;
    }
    uint32_t mask = s->atom_map_capacity - 1;
    for (uint32_t i = (uint32_t)hash_atom(integer, value, kind) & mask;; i = (i + 1) & mask) {
        uint32_t n = s->atom_map[i];
        if (n == 0 ||
            (s->atoms[n].value == value && s->atoms[n].integer == integer && s->kind[n] == kind)) {
            return n;
        }
    }
}

static void put_in_map(cns_state *s, uint32_t n) {
    uint32_t mask = s->atom_map_capacity - 1;
    const cns_atom *atom = &s->atoms[n];
    uint32_t i = (uint32_t)hash_atom(atom->integer, atom->value, s->kind[n]) & mask;
    while (s->atom_map[i] != 0) {
        i = (i + 1) & mask;
    }
    s->atom_map[i] = n;
    s->atom_map_count++;
}

static bool reserve_in_map(cns_state *s) {
    if (s->atom_map_count + 1 <= s->atom_map_capacity / 2) {
        return true;
    }
    uint32_t old_capacity = s->atom_map_capacity;
    uint32_t capacity = old_capacity ? 2 * old_capacity : 256;
    uint32_t *old = s->atom_map;
    uint32_t *map = cns_context_calloc(s->context, capacity * sizeof *map);
    if (map == NULL) {
        s->status = cns_context_memory_status(s->context, capacity * sizeof *map);
        return false;
    }
    s->atom_map = map;
    s->atom_map_capacity = capacity;
    s->atom_map_count = 0;
    for (uint32_t i = 0; i < old_capacity; i++) {
        if (old[i] != 0) {
            put_in_map(s, old[i]);
        }
    }
    cns_context_free(s->context, old, old_capacity * sizeof *old, CNS_ALIGN_DEFAULT);
    return true;
}

static inline uint32_t find_atom(const cns_state *s, uint32_t integer, int64_t value,
                                 uint8_t kind) {
    const cns_int *x = &s->ints[integer];
    if (x->dense_span == 0) {
        return find_in_map(s, integer, value, kind);
    }
    uint64_t index = (uint64_t)(value - x->dense_base);
    if (index >= x->dense_span) {
        return 0;
    }
    return x->dense[kind == CNS_BOOL_EQ ? index + x->dense_span : index];
}

/* ---- making --------------------------------------------------------------------------------- */

/* A narrow integer gets its index with its first atom. */
static bool prepare(cns_state *s, uint32_t integer) {
    cns_int *x = &s->ints[integer];
    int64_t span = declared_high(x) - declared_low(x) + 1;
    if (span > DENSE_SPAN) {
        return reserve_in_map(s);
    }
    if (x->dense_span != 0) {
        return true;
    }
    size_t size = (size_t)span * 2 * sizeof *x->dense;
    x->dense = cns_context_calloc(s->context, size);
    if (x->dense == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return false;
    }
    x->dense_span = (uint32_t)span;
    x->dense_base = declared_low(x);
    return true;
}

static void index_atom(cns_state *s, uint32_t n) {
    const cns_atom *atom = &s->atoms[n];
    cns_int *x = &s->ints[atom->integer];
    if (x->dense_span == 0) {
        put_in_map(s, n);
        return;
    }
    uint64_t index = (uint64_t)(atom->value - x->dense_base);
    x->dense[s->kind[n] == CNS_BOOL_EQ ? index + x->dense_span : index] = n;
}

/* The place that is next below `value`, or the first one; requires: there is one. */
static uint32_t near_place(const cns_state *s, const cns_places *places, int64_t value) {
    uint32_t low = 0;
    uint32_t high = places->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->atoms[places->data[middle]].value < value) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low > 0 ? low - 1 : 0;
}

/* Lets later atoms begin their way at atom n. Without memory for it, the way stays long. */
static void add_place(cns_state *s, cns_int *x, uint32_t n, uint8_t kind) {
    cns_context *context = s->context;
    if (x->places == NULL) {
        x->places = cns_context_calloc(context, 2 * sizeof *x->places);
    }
    cns_places *places = x->places == NULL ? NULL : &x->places[kind == CNS_BOOL_EQ];
    if (places != NULL && places->count == places->capacity) {
        uint32_t capacity = 2 * places->capacity + 16;
        uint32_t *grown = cns_context_realloc(
            context, places->data, places->capacity * sizeof *grown, capacity * sizeof *grown);
        if (grown == NULL) {
            return;
        }
        places->data = grown;
        places->capacity = capacity;
    }
    if (places == NULL) {
        return;
    }
    int64_t value = s->atoms[n].value;
    uint32_t at = places->count == 0 ? 0 : near_place(s, places, value);
    while (at < places->count && s->atoms[places->data[at]].value < value) {
        at++;
    }
    if (at < places->count && places->data[at] == n) {
        return;
    }
    memmove(places->data + at + 1, places->data + at, (places->count - at) * sizeof *places->data);
    places->data[at] = n;
    places->count++;
}

void cns_forget_places(cns_state *s, cns_int *x) {
    for (int k = 0; x->places != NULL && k < 2; k++) {
        cns_context_free(s->context, x->places[k].data,
                         x->places[k].capacity * sizeof *x->places[k].data, CNS_ALIGN_DEFAULT);
    }
    cns_context_free(s->context, x->places, 2 * sizeof *x->places, CNS_ALIGN_DEFAULT);
    x->places = NULL;
}

/* The atom in the list that is nearest to the value, of those that are known. */
static uint32_t near_atom(const cns_state *s, const cns_int *x, const cns_atom_list *list,
                          int64_t value, uint8_t kind) {
    uint32_t starts[] = {list->low, list->high, list->recent, list->last, 0};
    const cns_places *places = x->places == NULL ? NULL : &x->places[kind == CNS_BOOL_EQ];
    if (places != NULL && places->count > 0) {
        starts[4] = places->data[near_place(s, places, value)];
    }
    uint32_t best = list->first;
    uint64_t distance = UINT64_MAX;
    for (int k = 0; k < 5; k++) {
        if (starts[k] != 0) {
            int64_t away = s->atoms[starts[k]].value - value;
            uint64_t size = away < 0 ? 0 - (uint64_t)away : (uint64_t)away;
            if (size < distance) {
                distance = size;
                best = starts[k];
            }
        }
    }
    return best;
}

/* The atom that n goes behind (0: it is the first), by index where the next one is near, else on a
 * way from the nearest of the known places. A long way leaves places behind. */
static uint32_t predecessor(cns_state *s, cns_int *x, const cns_atom_list *list, int64_t value,
                            uint8_t kind) {
    if (x->dense_span != 0) {
        const uint32_t *dense = x->dense + (kind == CNS_BOOL_EQ ? x->dense_span : 0);
        for (int64_t i = value - x->dense_base - 1; i >= 0; i--) {
            if (dense[i] != 0) {
                return dense[i];
            }
        }
        return 0;
    }
    uint32_t best = near_atom(s, x, list, value, kind);
    uint32_t steps = 0;
    for (; best != 0 && s->atoms[best].value > value; best = s->atoms[best].previous) {
        if (++steps % FAR == 0) {
            add_place(s, x, best, kind);
        }
    }
    if (best == 0) {
        return 0;
    }
    for (uint32_t next; (next = s->atoms[best].next) != 0 && s->atoms[next].value < value;) {
        best = next;
        if (++steps % FAR == 0) {
            add_place(s, x, best, kind);
        }
    }
    return best;
}

static void link_atom(cns_state *s, uint32_t n, uint32_t previous) {
    cns_atom *atom = &s->atoms[n];
    cns_int *x = &s->ints[atom->integer];
    cns_atom_list *list = s->kind[n] == CNS_BOOL_EQ ? &x->eq : &x->ge;
    uint32_t next = previous ? s->atoms[previous].next : list->first;
    atom->previous = previous;
    atom->next = next;
    *(previous ? &s->atoms[previous].next : &list->first) = n;
    *(next ? &s->atoms[next].previous : &list->last) = n;
    list->recent = n;
}

static void decide(cns_state *s, uint32_t n, bool truth, uint32_t position) {
    s->value[2 * n] = truth ? 1 : -1;
    s->value[2 * n + 1] = truth ? -1 : 1;
    s->position[n] = position;
}

/* Gives a new atom the value that the bounds have for it, as if it had been there before. */
static void decide_by_bounds(cns_state *s, uint32_t n) {
    const cns_atom *atom = &s->atoms[n];
    cns_int *x = &s->ints[atom->integer];
    bool equality = s->kind[n] == CNS_BOOL_EQ;
    cns_atom_list *list = equality ? &x->eq : &x->ge;
    cns_term t = 2 * atom->integer;
    int64_t v = atom->value;
    int64_t low = cns_low(s, t);
    int64_t high = cns_high(s, t);
    bool passed_low = equality ? v < low : v <= low;
    if (passed_low) {
        decide(s, n, !equality, cns_find_move(s, t, equality ? v + 1 : v));
        if (list->low == 0 || s->atoms[list->low].value < v) {
            list->low = n;
        }
    } else if (v > high) {
        decide(s, n, false, cns_find_move(s, t ^ 1, 1 - v));
        if (list->high == 0 || s->atoms[list->high].value > v) {
            list->high = n;
        }
    } else if (equality && low == high) {
        uint32_t a = cns_find_move(s, t, v);
        uint32_t b = cns_find_move(s, t ^ 1, -v);
        decide(s, n, true, a > b ? a : b);
    }
}

/* Makes Boolean n the atom; its index and list have room. */
static void make_atom(cns_state *s, uint32_t n, uint32_t integer, int64_t value, uint8_t kind) {
    cns_int *x = &s->ints[integer];
    uint32_t previous = predecessor(s, x, kind == CNS_BOOL_EQ ? &x->eq : &x->ge, value, kind);
    s->kind[n] = kind;
    s->atoms[n].value = value;
    s->atoms[n].integer = integer;
    link_atom(s, n, previous);
    index_atom(s, n);
    decide_by_bounds(s, n);
    s->counters.atoms++;
}

static cns_lit new_atom(cns_state *s, uint32_t integer, int64_t value, uint8_t kind) {
    if (!prepare(s, integer)) {
        return CNS_LIT_NONE;
    }
    cns_lit lit = cns_new_bool(s);
    if (lit != CNS_LIT_NONE) {
        make_atom(s, lit >> 1, integer, value, kind);
    }
    return lit;
}

/* ---- the interface -------------------------------------------------------------------------- */

cns_lit cns_find_ge(const cns_state *s, cns_term t, int64_t value) {
    if (value <= s->root[t]) {
        return CNS_LIT_TRUE;
    }
    if (value > -s->root[t ^ 1]) {
        return CNS_LIT_FALSE;
    }
    int64_t v = cns_weakest_bound(s, t & ~1u, t & 1 ? 1 - value : value);
    uint32_t n = find_atom(s, t >> 1, v, CNS_BOOL_GE);
    return n == 0 ? CNS_LIT_NONE : 2 * n + (t & 1);
}

cns_lit cns_lit_ge(cns_state *s, cns_term t, int64_t value) {
    cns_lit lit = cns_find_ge(s, t, value);
    if (lit != CNS_LIT_NONE) {
        return lit;
    }
    int64_t v = cns_weakest_bound(s, t & ~1u, t & 1 ? 1 - value : value);
    lit = new_atom(s, t >> 1, v, CNS_BOOL_GE);
    return lit == CNS_LIT_NONE ? lit : lit ^ (t & 1);
}

/* What the equality is without an atom of its own: a constant, or a bound. */
static bool equality_is_bound(const cns_state *s, uint32_t integer, int64_t v, cns_fact *bound) {
    const cns_int *x = &s->ints[integer];
    cns_term t = 2 * integer;
    if (v < s->root[t] || v > -s->root[t ^ 1] || !declared(x, v)) {
        *bound = cns_fact_lit(CNS_LIT_FALSE);
        return true;
    }
    if (s->root[t] == v && s->root[t ^ 1] == -v) {
        *bound = cns_fact_lit(CNS_LIT_TRUE);
        return true;
    }
    if (v == declared_low(x)) {
        *bound = cns_fact_le(t, v);
        return true;
    }
    if (v == declared_high(x)) {
        *bound = cns_fact_ge(t, v);
        return true;
    }
    return false;
}

cns_lit cns_find_eq(const cns_state *s, cns_term t, int64_t value) {
    int64_t v = t & 1 ? -value : value;
    cns_fact bound;
    if (equality_is_bound(s, t >> 1, v, &bound)) {
        return bound.is_bound ? cns_find_ge(s, bound.id, bound.value) : bound.id;
    }
    uint32_t n = find_atom(s, t >> 1, v, CNS_BOOL_EQ);
    return n == 0 ? CNS_LIT_NONE : 2 * n;
}

cns_lit cns_lit_eq(cns_state *s, cns_term t, int64_t value) {
    int64_t v = t & 1 ? -value : value;
    cns_fact bound;
    if (equality_is_bound(s, t >> 1, v, &bound)) {
        return bound.is_bound ? cns_lit_ge(s, bound.id, bound.value) : bound.id;
    }
    uint32_t n = find_atom(s, t >> 1, v, CNS_BOOL_EQ);
    return n != 0 ? 2 * n : new_atom(s, t >> 1, v, CNS_BOOL_EQ);
}

bool cns_has(const cns_state *s, cns_term t, int64_t value) {
    if (value < cns_low(s, t) || value > cns_high(s, t)) {
        return false;
    }
    const cns_int *x = &s->ints[t >> 1];
    int64_t v = t & 1 ? -value : value;
    if (x->range_count > 1 && !declared(x, v)) {
        return false;
    }
    if (x->eq.first == 0) {
        return true;
    }
    uint32_t n = find_atom(s, t >> 1, v, CNS_BOOL_EQ);
    return n == 0 || s->value[2 * n] >= 0;
}

cns_fact cns_why_not(const cns_state *s, cns_term t, int64_t value, uint32_t position) {
    const cns_int *x = &s->ints[t >> 1];
    int64_t v = t & 1 ? -value : value;
    if (value > cns_high_before(s, t, position)) {
        return cns_fact_le(t, value - 1);
    }
    if (value < cns_low_before(s, t, position)) {
        return cns_fact_ge(t, value + 1);
    }
    if (!declared(x, v)) {
        return cns_fact_lit(CNS_LIT_TRUE);
    }
    uint32_t n = find_atom(s, t >> 1, v, CNS_BOOL_EQ);
    CNS_ASSERT(n != 0 && cns_true_before(s, 2 * n + 1, position));
    return cns_fact_lit(2 * n + 1);
}

/* ---- literals that become atoms ------------------------------------------------------------- */

/* A plain literal (positive, new to the search) takes the place of an atom not yet made. */
static bool adopt(cns_state *s, cns_lit lit, uint32_t integer, int64_t value, uint8_t kind) {
    uint32_t n = lit >> 1;
    if ((lit & 1) != 0 || s->kind[n] != CNS_BOOL_PLAIN || s->value[lit] != 0 || n == 0 ||
        !prepare(s, integer)) {
        return false;
    }
    make_atom(s, n, integer, value, kind);
    return true;
}

bool cns_adopt_ge(cns_state *s, cns_lit lit, cns_term t, int64_t value) {
    CNS_ASSERT(s->level == 0);
    if (cns_find_ge(s, t, value) != CNS_LIT_NONE) {
        return false;
    }
    int64_t v = cns_weakest_bound(s, t & ~1u, t & 1 ? 1 - value : value);
    return adopt(s, lit ^ (t & 1), t >> 1, v, CNS_BOOL_GE);
}

bool cns_adopt_eq(cns_state *s, cns_lit lit, cns_term t, int64_t value) {
    CNS_ASSERT(s->level == 0);
    int64_t v = t & 1 ? -value : value;
    cns_fact bound;
    if (equality_is_bound(s, t >> 1, v, &bound)) {
        return bound.is_bound && cns_adopt_ge(s, lit, bound.id, bound.value);
    }
    if (find_atom(s, t >> 1, v, CNS_BOOL_EQ) != 0) {
        return false;
    }
    return adopt(s, lit, t >> 1, v, CNS_BOOL_EQ);
}

cns_status cns_new_int_of_lit(cns_state *s, cns_lit lit, cns_term *out) {
    cns_term t;
    cns_status status = cns_new_int(s, (const int64_t[]){0, 1}, 1, &t);
    if (status != CNS_OK) {
        return status;
    }
    if (s->proof != NULL) {
        cns_proof_int_is_lit(s, t >> 1, lit);
    }
    if (s->value[lit] != 0 && s->position[lit >> 1] == 0) {
        cns_term side = s->value[lit] > 0 ? t : t ^ 1;
        cns_raise(s, side, s->value[lit] > 0 ? 1 : 0, CNS_REASON_ALWAYS);
    } else if (!cns_adopt_ge(s, lit, t, 1)) {
        cns_lit own = cns_lit_ge(s, t, 1);
        if (own != CNS_LIT_NONE && cns_add_clause2(s, lit ^ 1, own)) {
            cns_add_clause2(s, lit, own ^ 1);
        }
    }
    *out = t;
    return s->status;
}

/* ---- reclaiming ----------------------------------------------------------------------------- */

static void unlink_atom(cns_state *s, uint32_t n) {
    const cns_atom *atom = &s->atoms[n];
    cns_int *x = &s->ints[atom->integer];
    cns_atom_list *list = s->kind[n] == CNS_BOOL_EQ ? &x->eq : &x->ge;
    *(atom->previous ? &s->atoms[atom->previous].next : &list->first) = atom->next;
    *(atom->next ? &s->atoms[atom->next].previous : &list->last) = atom->previous;
    list->low = list->low == n ? atom->previous : list->low;
    list->high = list->high == n ? atom->next : list->high;
    list->recent = 0;
    cns_forget_places(s, x);
    if (x->dense_span != 0) {
        uint64_t index = (uint64_t)(atom->value - x->dense_base);
        x->dense[s->kind[n] == CNS_BOOL_EQ ? index + x->dense_span : index] = 0;
    }
}

static void mark_clauses(cns_state *s, const cns_clause_ref *refs, uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        const cns_clause *c = cns_clause_at(s, refs[k]);
        for (uint32_t i = 0; i < c->size; i++) {
            s->seen[c->lits[i] >> 1] = 1;
        }
    }
}

void cns_reclaim_atoms(cns_state *s) {
    CNS_ASSERT(s->level == 0);
    mark_clauses(s, s->originals, s->original_count);
    mark_clauses(s, s->learnts, s->learnt_count);
    for (uint32_t n = s->pinned_count; n < s->bool_count; n++) {
        bool used = s->seen[n] != 0 || s->wakes[2 * n].count != 0 || s->wakes[2 * n + 1].count != 0;
        s->seen[n] = 0;
        bool hole = s->kind[n] == CNS_BOOL_EQ && s->value[2 * n] < 0; /* a value that is removed */
        if (used || hole || s->kind[n] == CNS_BOOL_PLAIN || s->kind[n] == CNS_BOOL_FREE) {
            continue;
        }
        unlink_atom(s, n);
        s->kind[n] = CNS_BOOL_FREE;
        s->value[2 * n] = 1; /* never chosen */
        s->value[2 * n + 1] = -1;
        s->position[n] = 0;
        s->atoms[n].next = s->free_bools;
        s->free_bools = n;
    }
    memset(s->seen, 0, s->pinned_count);
    if (s->atom_map_capacity > 0) {
        memset(s->atom_map, 0, s->atom_map_capacity * sizeof *s->atom_map);
    }
    s->atom_map_count = 0;
    for (uint32_t n = 1; n < s->bool_count; n++) {
        bool atom = s->kind[n] == CNS_BOOL_GE || s->kind[n] == CNS_BOOL_EQ;
        if (atom && s->ints[s->atoms[n].integer].dense_span == 0) {
            put_in_map(s, n);
        }
    }
}
