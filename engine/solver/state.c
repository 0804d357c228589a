/* SPDX-License-Identifier: MIT
 *
 * solver/state.c - making and releasing a state, growing its arrays, checking its invariants.
 */
#include "solver/trail.h"

#include <string.h>

#include "base/os.h"

/* ---- memory --------------------------------------------------------------------------------- */

/* Grows an array to `wanted` elements; the new ones are 0. */
static bool grow_to(cns_state *s, void *array, size_t element, uint32_t *capacity,
                    uint32_t wanted) {
    if (wanted <= *capacity) {
        return true;
    }
    void *old;
    memcpy(&old, array, sizeof old);
    void *grown = cns_context_realloc(s->context, old, *capacity * element, wanted * element);
    if (grown == NULL) {
        s->status = cns_context_memory_status(s->context, wanted * element);
        return false;
    }
    memset((char *)grown + *capacity * element, 0, (wanted - *capacity) * element);
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return true;
}

static bool grow_by(cns_state *s, void *array, size_t element, uint32_t *capacity, uint32_t need,
                    uint32_t least) {
    if (need <= *capacity) {
        return true;
    }
    uint64_t wanted = (uint64_t)*capacity + *capacity / 2 + least;
    wanted = wanted < need ? need : wanted;
    if (wanted > UINT32_MAX / 2) {
        s->status = cns_fail(s->context, CNS_E_LIMIT, "the solver has more than 2^31 elements");
        return false;
    }
    return grow_to(s, array, element, capacity, (uint32_t)wanted);
}

bool cns_grow(cns_state *s, void *array, size_t element, uint32_t *capacity, uint32_t need) {
    return grow_by(s, array, element, capacity, need, 16);
}

bool cns_grow_short(cns_state *s, void *array, size_t element, uint32_t *capacity, uint32_t need) {
    return grow_by(s, array, element, capacity, need, 3);
}

static bool is_set(const _Atomic bool *flag) {
    return flag != NULL && atomic_load_explicit(flag, memory_order_relaxed);
}

bool cns_poll_now(cns_state *s) {
    s->polled = s->ticks;
    if (s->status == CNS_OK && (s->polling == CNS_POLL_ALWAYS || s->level > 0)) {
        if (is_set(s->cancelled) || is_set(s->abandoned)) {
            s->status = CNS_E_CANCELLED;
        } else if (s->deadline != 0 && cns_os_clock() >= s->deadline) {
            s->status = CNS_E_DEADLINE;
        }
    }
    return s->status == CNS_OK;
}

bool cns_do_without(cns_state *s) {
    if (cns_lacks_memory(s->status)) {
        s->status = CNS_OK;
        s->did_without = true;
    }
    return s->status == CNS_OK;
}

static void release(cns_state *s, void *array, size_t size) {
    if (array != NULL) {
        cns_context_free(s->context, array, size, CNS_ALIGN_DEFAULT);
    }
}

bool cns_grow_moves(cns_state *s) {
    return cns_grow(s, &s->marks, sizeof *s->marks, &s->mark_capacity, s->move_count + 1) &&
           cns_grow(s, &s->moves, sizeof *s->moves, &s->move_capacity, s->move_count + 1);
}

/* What is in these tables is resized when they grow, and freed with them. */
typedef struct cns_table {
    size_t offset, element;
} cns_table;

#define TABLE(field, times)                                                                        \
    { offsetof(cns_state, field), sizeof *((cns_state *)0)->field *(times) }

static const cns_table bool_tables[] = {
    TABLE(value, 2),      TABLE(watches, 2),  TABLE(wakes, 2),      TABLE(position, 1),
    TABLE(kind, 1),       TABLE(atoms, 1),    TABLE(seen, 1),       TABLE(phase, 1),
    TABLE(best_phase, 1), TABLE(activity, 1), TABLE(order.data, 1), TABLE(order.place, 1),
};

static const cns_table int_tables[] = {
    TABLE(bound, 2),
    TABLE(root, 2),
    TABLE(last, 2),
    TABLE(events, 2),
    TABLE(ints, 1),
    TABLE(holes, 1),
    TABLE(int_phase, 1),
    TABLE(int_activity, 1),
    TABLE(int_best, 1),
    TABLE(int_order.data, 1),
    TABLE(int_order.place, 1),
};

#define TABLE_COUNT(tables) (sizeof(tables) / sizeof *(tables))

_Static_assert(TABLE_COUNT(bool_tables) == CNS_BOOL_TABLES, "as many as there are");
_Static_assert(TABLE_COUNT(int_tables) == CNS_INT_TABLES, "as many as there are");

/* Each table has a size of its own: where memory gives out in the middle, some are larger than
 * `capacity`, which is the size of all once every one has grown. */
static bool grow_tables(cns_state *s, const cns_table *tables, uint32_t *sizes, size_t count,
                        uint32_t *capacity) {
    uint64_t wanted = (uint64_t)*capacity + *capacity / 2 + 64;
    if (wanted > (UINT32_C(1) << 30)) {
        s->status = cns_fail(s->context, CNS_E_LIMIT, "the solver has more than 2^30 literals");
        return false;
    }
    for (size_t k = 0; k < count; k++) {
        if (!grow_to(s, (char *)s + tables[k].offset, tables[k].element, &sizes[k],
                     (uint32_t)wanted)) {
            return false;
        }
    }
    *capacity = (uint32_t)wanted;
    return true;
}

static void free_tables(cns_state *s, const cns_table *tables, const uint32_t *sizes,
                        size_t count) {
    for (size_t k = 0; k < count; k++) {
        void *array;
        memcpy(&array, (char *)s + tables[k].offset, sizeof array);
        release(s, array, sizes[k] * tables[k].element);
    }
}

/* ---- making --------------------------------------------------------------------------------- */

static double random_fraction(cns_rng *rng) {
    return (double)(cns_rng_next(rng) >> 11) * 0x1p-53;
}

cns_lit cns_new_bool(cns_state *s) {
    if (!cns_poll(s)) {
        return CNS_LIT_NONE;
    }
    uint32_t n = s->free_bools;
    if (n != 0) {
        s->free_bools = s->atoms[n].next;
    } else {
        if (s->bool_count == s->bool_capacity &&
            !grow_tables(s, bool_tables, s->bool_sizes, TABLE_COUNT(bool_tables),
                         &s->bool_capacity)) {
            return CNS_LIT_NONE;
        }
        n = s->bool_count++;
    }
    s->kind[n] = CNS_BOOL_PLAIN;
    s->atoms[n] = (cns_atom){0, 0, 0, 0};
    s->value[2 * n] = s->value[2 * n + 1] = 0;
    s->position[n] = 0;
    s->seen[n] = 0;
    s->phase[n] = s->best_phase[n] = 0;
    s->activity[n] = s->activity_noise > 0 ? random_fraction(&s->rng) * s->activity_noise : 0;
    cns_heap_insert(&s->order, s->activity, n);
    return 2 * n;
}

cns_status cns_new_int(cns_state *s, const int64_t *ranges, uint32_t range_count, cns_term *out) {
    CNS_ASSERT(s->level == 0);
    if (!cns_poll(s)) {
        return s->status;
    }
    if (s->int_count == s->int_capacity &&
        !grow_tables(s, int_tables, s->int_sizes, TABLE_COUNT(int_tables), &s->int_capacity)) {
        return s->status;
    }
    int64_t *copy =
        cns_context_alloc(s->context, range_count * 2 * sizeof *copy, CNS_ALIGN_DEFAULT);
    if (copy == NULL) {
        return s->status = cns_context_memory_status(s->context, range_count * 2 * sizeof *copy);
    }
    memcpy(copy, ranges, range_count * 2 * sizeof *copy);
    uint32_t n = s->int_count++;
    s->ints[n] = (cns_int){0};
    s->ints[n].ranges = copy;
    s->ints[n].range_count = range_count;
    s->ints[n].tried = ranges[0];
    s->bound[2 * n] = s->root[2 * n] = ranges[0];
    s->bound[2 * n + 1] = s->root[2 * n + 1] = -ranges[2 * range_count - 1];
    s->int_phase[n] = s->int_best[n] = CNS_NO_BOUND;
    cns_heap_insert(&s->int_order, s->int_activity, n);
    *out = 2 * n;
    return CNS_OK;
}

cns_status cns_state_init(cns_state *s, cns_context *context, uint64_t seed) {
    memset(s, 0, sizeof *s);
    s->context = context;
    cns_rng_seed(&s->rng, seed);
    s->activity_step = s->int_activity_step = 1;
    s->clause_step = 1;
    s->objective_limit = INT64_MAX;
    s->active_origin = UINT32_MAX;
    s->ticks_end = UINT64_MAX;
    cns_term zero;
    cns_lit truth = cns_new_bool(s);
    if (truth == CNS_LIT_NONE || cns_new_int(s, (const int64_t[]){0, 0}, 1, &zero) != CNS_OK ||
        !cns_grow(s, &s->trail, sizeof *s->trail, &s->trail_capacity, 64) || !cns_grow_moves(s)) {
        cns_status status = s->status;
        cns_state_deinit(s);
        return status;
    }
    s->value[CNS_LIT_TRUE] = 1;
    s->value[CNS_LIT_FALSE] = -1;
    s->trail[0] = (cns_entry){CNS_LIT_TRUE, 0, CNS_REASON_NONE}; /* position 0: the root */
    s->trail_count = 1;
    return CNS_OK;
}

void cns_state_deinit(cns_state *s) {
    for (uint32_t k = 0; k < s->propagator_count; k++) {
        s->propagators[k]->class->destroy(s, s->propagators[k]);
    }
    for (uint32_t k = 0; k < 2 * s->bool_count; k++) {
        release(s, s->watches[k].data, s->watches[k].capacity * sizeof(cns_watch));
        release(s, s->wakes[k].data, s->wakes[k].capacity * sizeof(cns_wake));
    }
    for (uint32_t k = 0; k < 2 * s->int_count; k++) {
        release(s, s->events[k].data, s->events[k].capacity * sizeof(cns_wake));
    }
    for (uint32_t k = 0; k < s->int_count; k++) {
        release(s, s->holes[k].data, s->holes[k].capacity * sizeof(cns_wake));
        release(s, (void *)s->ints[k].ranges, s->ints[k].range_count * 2 * sizeof(int64_t));
        release(s, s->ints[k].dense, s->ints[k].dense_span * 2 * sizeof(uint32_t));
        cns_forget_places(s, &s->ints[k]);
    }
    free_tables(s, bool_tables, s->bool_sizes, TABLE_COUNT(bool_tables));
    free_tables(s, int_tables, s->int_sizes, TABLE_COUNT(int_tables));
    release(s, s->atom_map, s->atom_map_capacity * sizeof *s->atom_map);
    release(s, s->trail, s->trail_capacity * sizeof *s->trail);
    release(s, s->moves, s->move_capacity * sizeof *s->moves);
    release(s, s->marks, s->mark_capacity * sizeof *s->marks);
    release(s, s->spans.data, s->spans.capacity * sizeof(cns_fact));
    release(s, s->saved, s->saved_capacity * sizeof *s->saved);
    release(s, s->levels, s->level_capacity * sizeof *s->levels);
    release(s, s->queue, s->queue_capacity * sizeof *s->queue);
    for (int k = 0; k < CNS_PRIORITIES; k++) {
        release(s, s->rings[k].data, s->rings[k].capacity * sizeof(uint32_t));
    }
    release(s, s->propagators, s->propagator_capacity * sizeof *s->propagators);
    release(s, s->arena, s->arena_capacity * sizeof *s->arena);
    release(s, s->originals, s->original_capacity * sizeof *s->originals);
    release(s, s->learnts, s->learnt_capacity * sizeof *s->learnts);
    release(s, s->conflict.data, s->conflict.capacity * sizeof(cns_fact));
    release(s, s->explanation.data, s->explanation.capacity * sizeof(cns_fact));
    release(s, s->learnt_facts.data, s->learnt_facts.capacity * sizeof(cns_fact));
    release(s, s->learnt_lits, s->learnt_lit_capacity * sizeof *s->learnt_lits);
    release(s, s->to_clear, s->to_clear_capacity * sizeof *s->to_clear);
    release(s, s->level_stamps, s->level_stamp_capacity * sizeof *s->level_stamps);
    memset(s, 0, sizeof *s);
}

/* ---- checking ------------------------------------------------------------------------------- */

static cns_status broken(const cns_state *s, const char *what, uint32_t number) {
    return cns_fail(s->context, CNS_E_CORRUPT, "solver state: %s (number %u)", what,
                    (unsigned)number);
}

static cns_status check_atoms(const cns_state *s, uint32_t n, bool equality) {
    const cns_int *x = &s->ints[n];
    const cns_atom_list *list = equality ? &x->eq : &x->ge;
    int64_t low = s->bound[2 * n];
    int64_t high = -s->bound[2 * n + 1];
    uint32_t previous = 0;
    uint32_t low_mark = 0;
    uint32_t high_mark = 0;
    for (uint32_t a = list->first; a != 0; previous = a, a = s->atoms[a].next) {
        int64_t v = s->atoms[a].value;
        int value = s->value[2 * a];
        if (s->atoms[a].previous != previous || s->atoms[a].integer != n) {
            return broken(s, "a list of atoms is torn", n);
        }
        if (previous != 0 && s->atoms[previous].value >= v) {
            return broken(s, "a list of atoms is not in order", n);
        }
        if (equality) {
            bool outside = v < low || v > high;
            bool fixed = low == high && v == low;
            if ((outside && value >= 0) || (fixed && value <= 0) || (value > 0 && !fixed) ||
                (value < 0 && (v == low || v == high))) {
                return broken(s, "an equality atom disagrees with the bounds", a);
            }
            low_mark = v < low ? a : low_mark;
        } else {
            if (value != (v <= low ? 1 : v > high ? -1 : 0)) {
                return broken(s, "a bound's atom disagrees with the bounds", a);
            }
            low_mark = v <= low ? a : low_mark;
        }
        high_mark = v > high && high_mark == 0 ? a : high_mark;
    }
    if (list->last != previous || list->low != low_mark || list->high != high_mark) {
        return broken(s, "the marks of a list of atoms are wrong", n);
    }
    return CNS_OK;
}

cns_status cns_state_check(cns_state *s) {
    for (uint32_t n = 0; n < s->int_count; n++) {
        if (s->bound[2 * n] > -s->bound[2 * n + 1]) {
            return broken(s, "an integer's bounds cross", n);
        }
        cns_status status = check_atoms(s, n, false);
        status = status == CNS_OK ? check_atoms(s, n, true) : status;
        if (status != CNS_OK) {
            return status;
        }
    }
    for (uint32_t n = 0; n < s->bool_count; n++) {
        if (s->value[2 * n] + s->value[2 * n + 1] != 0) {
            return broken(s, "a literal and its negation agree", n);
        }
        if (s->value[2 * n] != 0 && s->position[n] >= s->trail_count) {
            return broken(s, "a literal's position is not on the trail", n);
        }
        if (s->value[2 * n] == 0 && s->kind[n] != CNS_BOOL_FREE && !cns_heap_has(&s->order, n)) {
            return broken(s, "an open literal cannot be chosen", n);
        }
    }
    return CNS_OK;
}
