/* SPDX-License-Identifier: MIT
 *
 * solver/state.h - the state of a search: literals, bounds, the trail, clauses, propagators.
 *
 * Lazy clause generation (Ohrimenko, Stuckey, Codish 2009) over one trail. A Boolean is plain, or
 * an atom that says [x >= v] or [x = v] of an integer x. Atoms of bounds are not on the trail: the
 * entry that moves a bound decides those it passes, and undoing it frees them again. So an atom can
 * be made at any time, and has its value and its position from the entry that decided it.
 *
 * Invariants, at all times: [x >= v] is true iff low(x) >= v and false iff high(x) < v; [x = v] is
 * true iff x is fixed to v, false iff v is outside the bounds or removed; the bounds themselves are
 * never removed values. The root leaves no entries: position 0 means "true for good".
 */
#ifndef CNS_SOLVER_STATE_H
#define CNS_SOLVER_STATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/context.h"
#include "base/rng.h"
#include "solver/heap.h"

/* ---- the words ------------------------------------------------------------------------------ */

typedef uint32_t cns_lit;  /* 2 * Boolean, + 1 for its negation */
typedef uint32_t cns_term; /* 2 * integer x, + 1 for -x; every bound is a lower bound of a term */

#define CNS_LIT_TRUE 0u /* Boolean 0 is constant */
#define CNS_LIT_FALSE 1u
#define CNS_LIT_NONE UINT32_MAX
#define CNS_TERM_ZERO 0u /* integer 0 is constant 0 */
#define CNS_TERM_NONE UINT32_MAX
#define CNS_NO_BOUND INT64_MIN

/* What can be said of the state: a literal is true, or a term is at least a value. */
typedef struct cns_fact {
    uint32_t id; /* literal or term */
    bool is_bound;
    int64_t value;
} cns_fact;

static inline cns_fact cns_fact_lit(cns_lit lit) {
    return (cns_fact){lit, false, 0};
}

static inline cns_fact cns_fact_ge(cns_term term, int64_t value) {
    return (cns_fact){term, true, value};
}

static inline cns_fact cns_fact_le(cns_term term, int64_t value) {
    return (cns_fact){term ^ 1, true, -value};
}

typedef struct cns_facts { /* growing array */
    cns_fact *data;
    uint32_t count, capacity;
} cns_facts;

/* term + offset: how constraints see integers. {CNS_TERM_ZERO, c} is the constant c. */
typedef struct cns_view {
    cns_term term;
    int64_t offset;
} cns_view;

/* Why an entry is on the trail: the low 3 bits say what the rest is. */
typedef uint64_t cns_reason;

enum {
    CNS_REASON_NONE = 0,   /* a decision; or, at level 0, a fact */
    CNS_REASON_ALWAYS = 1, /* follows from the model (or the bound of the objective) alone */
    CNS_REASON_CLAUSE = 2, /* a clause: its other literals are false */
    CNS_REASON_LIT = 3,    /* one literal that is true */
    CNS_REASON_SPAN = 4,   /* facts in `spans`: start (32 bits), count (29) */
    CNS_REASON_LAZY = 5,   /* a propagator (29 bits) explains it from `data` (32) */
    CNS_REASON_HOLE = 6    /* a bound met a removed value: the bound, and the atom's negation */
};

static inline unsigned cns_reason_tag(cns_reason reason) {
    return (unsigned)(reason & 7);
}

static inline uint32_t cns_reason_payload(cns_reason reason) { /* clause, literal, start, data */
    return (uint32_t)(reason >> 32);
}

static inline uint32_t cns_reason_minor(cns_reason reason) { /* count, propagator */
    return (uint32_t)reason >> 3;
}

static inline cns_reason cns_reason_make(unsigned tag, uint32_t payload, uint32_t minor) {
    return (cns_reason)payload << 32 | (cns_reason)minor << 3 | tag;
}

static inline cns_reason cns_reason_lit(cns_lit lit) {
    return cns_reason_make(CNS_REASON_LIT, lit, 0);
}

/* ---- the trail ------------------------------------------------------------------------------ */

#define CNS_WHAT_BOUND 0x80000000u

typedef struct cns_entry {
    uint32_t what; /* a literal, or CNS_WHAT_BOUND | index in `moves` */
    uint32_t level;
    cns_reason reason;
} cns_entry;

typedef struct cns_move { /* a bound that was raised */
    int64_t bound, old;
    cns_term term;
    uint32_t previous; /* position of the entry that set `old` */
    uint32_t leap;     /* that of an entry of the same term further back; 0: none near */
    uint32_t depth;    /* moves of the term up to this one */
} cns_move;

typedef struct cns_move_mark { /* conflict analysis: what is asked of a move */
    int64_t need;              /* the bound that the conflict needs; CNS_NO_BOUND: none */
    int64_t removable;         /* bounds up to this one follow from the clause */
    int64_t poison;            /* bounds from this one on do not; INT64_MAX: none */
    bool begun;                /* the others are set */
    bool kept;                 /* in the clause after minimisation */
} cns_move_mark;

typedef struct cns_saved { /* a cell of a propagator's state, restored on backtracking */
    int64_t *cell;
    int64_t value;
} cns_saved;

typedef struct cns_level {
    uint32_t trail, moves, spans, saved; /* their counts before the level's decision */
} cns_level;

/* ---- Booleans and integers ------------------------------------------------------------------ */

enum { CNS_BOOL_PLAIN = 0, CNS_BOOL_GE = 1, CNS_BOOL_EQ = 2, CNS_BOOL_FREE = 3 };

typedef struct cns_atom {
    int64_t value;
    uint32_t integer;
    uint32_t next, previous; /* among the integer's atoms of its kind, by value; 0: none */
} cns_atom;

typedef struct cns_atom_list {
    uint32_t first, last; /* 0: none */
    uint32_t low;         /* last atom passed by the lower bound; 0: none */
    uint32_t high;        /* first atom passed by the upper bound; 0: none */
    uint32_t recent;      /* where the last one was inserted: a hint */
} cns_atom_list;

typedef struct cns_places { /* some atoms of a long list, by value */
    uint32_t *data;
    uint32_t count, capacity;
} cns_places;

typedef struct cns_int {
    cns_atom_list ge, eq;
    cns_places *places;    /* two, for `ge` and `eq`; NULL: the lists are short, or `dense` */
    int64_t dense_base;    /* value of dense[0] */
    uint32_t dense_span;   /* values that have a place in `dense`; 0: atoms are in the hash map */
    uint32_t range_count;  /* of the declared domain; 1: no holes */
    uint32_t *dense;       /* dense_span Booleans for [x >= v], then as many for [x = v] */
    const int64_t *ranges; /* declared domain, low, high, low, high, ...; owned by the state */
    int64_t tried;         /* the bound that it was decided at last */
    uint32_t creeps;       /* how often in a row that had hardly moved since */
} cns_int;

/* ---- clauses -------------------------------------------------------------------------------- */

typedef uint32_t cns_clause_ref; /* index in the arena */

typedef struct cns_clause {
    uint32_t size;
    uint32_t flags; /* CNS_CLAUSE_*; LBD from bit 8 on */
    float activity;
    cns_lit lits[];
} cns_clause;

enum {
    CNS_CLAUSE_LEARNT = 1,
    CNS_CLAUSE_USED = 2, /* since the last reduction */
    CNS_CLAUSE_GARBAGE = 4,
    CNS_CLAUSE_PERMANENT = 8, /* learnt or not, never deleted */
    CNS_CLAUSE_VIVIFIED = 16
};

#define CNS_CLAUSE_HEADER 3 /* words before the literals */

typedef struct cns_watch {
    cns_clause_ref clause; /* top bit: a clause of two literals, the blocker is the other one */
    cns_lit blocker;
} cns_watch;

#define CNS_WATCH_BINARY 0x80000000u

typedef struct cns_watches {
    cns_watch *data;
    uint32_t count, capacity;
} cns_watches;

/* ---- propagators ---------------------------------------------------------------------------- */

typedef struct cns_state cns_state;
typedef struct cns_propagator cns_propagator;

typedef struct cns_propagator_class {
    const char *name;
    /* Deduces what it can. False: conflict or stop (what cns_raise, cns_enqueue or cns_conflict
     * returned). May be called at any time; idempotence is not required. */
    bool (*propagate)(cns_state *state, cns_propagator *self);
    /* Appends facts, each true before trail position `position`, that imply `fact`; `data` is from
     * the reason. `fact` may be weaker than what was set (x >= 3 of x >= 5). May not change the
     * state nor make atoms. NULL when it gives no lazy reasons. */
    void (*explain)(cns_state *state, cns_propagator *self, uint32_t data, cns_fact fact,
                    uint32_t position, cns_facts *out);
    /* An event watched with `data` happened; true: run `propagate`. NULL: always. May not deduce.
     */
    bool (*wake)(cns_state *state, cns_propagator *self, uint32_t data);
    /* It was queued, and is taken from the queue unrun since the search backtracks. May be NULL. */
    void (*cancel)(cns_state *state, cns_propagator *self);
    /* Frees all of it, the struct included. */
    void (*destroy)(cns_state *state, cns_propagator *self);
} cns_propagator_class;

#define CNS_PRIORITIES 5 /* 0 runs first: constant time; 1 linear; 2 n log n; 3 n^2; 4 dearer */

struct cns_propagator { /* the head of each propagator's own struct */
    const cns_propagator_class *class;
    uint32_t number; /* set by cns_attach */
    uint32_t origin; /* the model's constraint it came from; UINT32_MAX: none */
    uint8_t priority;
    bool queued;
    uint32_t weight; /* conflicts it took part in, for dom/wdeg */
};

/* Which events of a term wake: its lower bound was raised (always), or only once it is fixed. */
enum { CNS_ON_BOUND = 0, CNS_ON_FIX = 1 };

typedef struct cns_wake {
    uint32_t propagator;
    uint32_t data;  /* for `wake` */
    uint32_t event; /* CNS_ON_... */
} cns_wake;

typedef struct cns_wakes {
    cns_wake *data;
    uint32_t count, capacity;
} cns_wakes;

typedef struct cns_ring { /* queue of propagator numbers; capacity is a power of two */
    uint32_t *data;
    uint32_t head, count, capacity;
} cns_ring;

/* ---- the state ------------------------------------------------------------------------------ */

typedef struct cns_counters {
    uint64_t decisions, conflicts, restarts, propagations, learnt, peak_depth, reductions;
    uint64_t learnt_literals, minimised_literals, explanations, atoms;
} cns_counters;

enum {
    CNS_BOOL_TABLES = 12,
    CNS_INT_TABLES = 11
}; /* arrays of struct cns_state that grow as one */

struct cns_state {
    cns_context *context;
    cns_status status; /* not CNS_OK: memory gave out, or a poll found a limit; everything stops */
    bool failed;       /* infeasible at the root */

    /* by literal */
    int8_t *value; /* 1 true, -1 false, 0 open */
    cns_watches *watches;
    cns_wakes *wakes; /* propagators to wake when it becomes true */
    /* by Boolean */
    uint32_t *position; /* of the entry that decided it; 0: at the root */
    uint8_t *kind;      /* CNS_BOOL_... */
    cns_atom *atoms;
    uint8_t *seen; /* analysis: marks */
    int8_t *phase; /* saved: 1, -1, 0 none */
    int8_t *best_phase;
    bool atoms_true; /* without a best value, atoms are tried as true, not as saved */
    double *activity;
    uint32_t bool_count, bool_capacity;
    uint32_t bool_sizes[CNS_BOOL_TABLES]; /* of each of these arrays, at least bool_capacity */
    uint32_t pinned_count;                /* Booleans below are never reclaimed: the model's */
    uint32_t free_bools; /* list of reclaimed Booleans, through atoms[].next; 0: none */

    /* by term */
    int64_t *bound; /* lower bound */
    int64_t *root;  /* the lower bound at the root */
    uint32_t *last; /* position of the entry that set it; 0: at the root */
    cns_wakes *events;
    /* by integer */
    cns_int *ints;
    cns_wakes *holes; /* propagators to wake when a value inside its bounds is removed */
    double *int_activity;
    int64_t *int_phase; /* saved value; CNS_NO_BOUND: none */
    int64_t *int_best;  /* in the best solution; CNS_NO_BOUND: none */
    uint32_t int_count, int_capacity;
    uint32_t int_sizes[CNS_INT_TABLES];

    uint32_t *atom_map; /* open addressing over Booleans that are atoms of wide integers */
    uint32_t atom_map_count, atom_map_capacity;

    cns_entry *trail;
    uint32_t trail_count, trail_capacity;
    cns_move *moves;
    cns_move_mark *marks;
    uint32_t move_count, move_capacity, mark_capacity;
    cns_facts spans;
    cns_saved *saved;
    uint32_t saved_count, saved_capacity;
    cns_level *levels; /* levels[k]: what to return to when level k + 1 is undone */
    uint32_t level, level_capacity;

    uint32_t *queue; /* literals, and CNS_WHAT_BOUND | term, to propagate */
    uint32_t queue_head, queue_count, queue_capacity;
    cns_ring rings[CNS_PRIORITIES];
    uint32_t active_origin;     /* of the propagator that runs; UINT32_MAX: none */
    cns_propagator *unfinished; /* it has paused, and runs first when propagation goes on */
    cns_propagator **propagators;
    uint32_t propagator_count, propagator_capacity;

    uint32_t *arena;
    uint32_t arena_count, arena_capacity, arena_garbage;
    cns_clause_ref *originals;
    uint32_t original_count, original_capacity;
    cns_clause_ref *learnts;
    uint32_t learnt_count, learnt_capacity;

    bool has_conflict;            /* found outside cns_propagate, which then returns it */
    cns_facts conflict;           /* facts, all true, that cannot hold together */
    uint32_t conflict_propagator; /* UINT32_MAX: a clause */
    cns_facts explanation;        /* scratch of analyse.c */
    cns_facts learnt_facts;
    cns_lit *learnt_lits;
    uint32_t learnt_lit_capacity;
    uint32_t *to_clear; /* Booleans, and CNS_WHAT_BOUND | moves, with marks */
    uint32_t to_clear_count, to_clear_capacity;
    uint64_t *level_stamps; /* for counting levels */
    uint64_t stamp;
    uint32_t level_stamp_capacity;

    cns_heap order;     /* open Booleans by activity */
    cns_heap int_order; /* unfixed integers by activity */
    double activity_step, int_activity_step;
    double activity_noise; /* new Booleans begin at random below it; 0: ties go to the older one */
    float clause_step;
    double lbd_fast, lbd_slow; /* averages over the learnt clauses: recent ones, all */

    cns_term objective;      /* minimised; CNS_TERM_ZERO: none */
    int64_t objective_limit; /* it must be at most this; INT64_MAX: no solution yet */

    cns_rng rng;
    uint64_t ticks; /* work done so far */
    uint64_t ticks_end;
    uint64_t runs;            /* of propagators, since the level was made or returned to */
    uint64_t cycle_search_at; /* cycle.h: runs at which the next search is due */
    cns_counters counters;
    bool did_without; /* cns_do_without, some time */

    /* For what ticks do not bound: loading, an analysis of many long explanations. */
    uint8_t polling; /* CNS_POLL_... */
    uint32_t polls;
    uint64_t polled; /* ticks at the last look */
    const _Atomic bool *cancelled;
    const _Atomic bool *abandoned; /* the same, by others of a team; NULL: nobody can */
    uint64_t deadline;             /* by cns_os_clock(); 0: none */

    struct cns_outbox *outbox; /* share.h: what others are told; NULL: the search is alone */

    /* Called with every explanation and learnt clause when set (tests, proofs): `facts` imply
     * `fact`, or false when fact is NULL; by constraint `origin`, or by clauses: UINT32_MAX. */
    void (*on_inference)(void *user, cns_state *state, uint32_t origin, const cns_facts *facts,
                         const cns_fact *fact);
    void *on_inference_user;

    struct cns_proof *proof; /* proof.h; NULL: none is written */
};

cns_status cns_state_init(cns_state *state, cns_context *context, uint64_t seed);
void cns_state_deinit(cns_state *state);
/* CNS_E_CORRUPT, with a message, when an invariant does not hold. Slow. */
cns_status cns_state_check(cns_state *state);

/* Grows an array to hold `need` elements; false, with state->status set, when memory gave out. */
bool cns_grow(cns_state *state, void *array, size_t element, uint32_t *capacity, uint32_t need);
/* The same for one of very many arrays, most of them short. */
bool cns_grow_short(cns_state *state, void *array, size_t element, uint32_t *capacity,
                    uint32_t need);
bool cns_facts_push(cns_state *state, cns_facts *facts, cns_fact fact);
/* Whether a deadline or cancellation stopped it: all is of use afterwards. */
static inline bool cns_was_stopped(cns_status status) {
    return status == CNS_E_DEADLINE || status == CNS_E_CANCELLED;
}

/* Whether memory gave out, or a limit of memory was reached. */
static inline bool cns_lacks_memory(cns_status status) {
    return status == CNS_E_NOMEM || status == CNS_E_LIMIT;
}

/* Behind work that the search can do without: memory that gave out in it, or a limit of memory, is
 * no failure. False: the state has another one. */
bool cns_do_without(cns_state *state);

enum { CNS_POLL_NEVER = 0, CNS_POLL_ABOVE_ROOT = 1, CNS_POLL_ALWAYS = 2 };

/* Looks at the clock and at cancellation. False, with status CNS_E_DEADLINE or CNS_E_CANCELLED:
 * what is going on gives up, as when memory gives out. */
bool cns_poll_now(cns_state *state);
/* The same every 256 calls or 50000 ticks. */
static inline bool cns_poll(cns_state *s) {
    return s->polling == CNS_POLL_NEVER ||
           ((++s->polls & 255) != 0 && s->ticks - s->polled < 50000) || cns_poll_now(s);
}
/* For a loop of many cheap rounds: on every 4096th. */
static inline bool cns_poll_round(cns_state *s, size_t round) {
    return (round & 4095) != 4095 || s->polling == CNS_POLL_NEVER || cns_poll_now(s);
}

/* ---- reading -------------------------------------------------------------------------------- */

static inline int cns_value(const cns_state *s, cns_lit lit) {
    return s->value[lit];
}

static inline bool cns_is_true(const cns_state *s, cns_lit lit) {
    return s->value[lit] > 0;
}

static inline bool cns_is_false(const cns_state *s, cns_lit lit) {
    return s->value[lit] < 0;
}

static inline int64_t cns_low(const cns_state *s, cns_term term) {
    return s->bound[term];
}

static inline int64_t cns_high(const cns_state *s, cns_term term) {
    return -s->bound[term ^ 1];
}

static inline bool cns_fixed(const cns_state *s, cns_term term) {
    return s->bound[term] == -s->bound[term ^ 1];
}

static inline int64_t cns_view_low(const cns_state *s, cns_view v) {
    return s->bound[v.term] + v.offset;
}

static inline int64_t cns_view_high(const cns_state *s, cns_view v) {
    return v.offset - s->bound[v.term ^ 1];
}

static inline bool cns_view_fixed(const cns_state *s, cns_view v) {
    return cns_fixed(s, v.term);
}

static inline cns_view cns_view_negate(cns_view v) {
    return (cns_view){v.term ^ 1, -v.offset};
}

static inline cns_view cns_view_constant(int64_t value) {
    return (cns_view){CNS_TERM_ZERO, value};
}

static inline cns_fact cns_view_ge(cns_view v, int64_t value) {
    return cns_fact_ge(v.term, value - v.offset);
}

static inline cns_fact cns_view_le(cns_view v, int64_t value) {
    return cns_fact_le(v.term, value - v.offset);
}

static inline uint32_t cns_lit_level(const cns_state *s, cns_lit lit) {
    return s->trail[s->position[lit >> 1]].level;
}

/* The lower bound that `term` had before trail position `position`. */
int64_t cns_low_before(const cns_state *state, cns_term term, uint32_t position);

static inline int64_t cns_high_before(const cns_state *s, cns_term term, uint32_t position) {
    return -cns_low_before(s, term ^ 1, position);
}

static inline int64_t cns_view_low_before(const cns_state *s, cns_view v, uint32_t position) {
    return cns_low_before(s, v.term, position) + v.offset;
}

static inline int64_t cns_view_high_before(const cns_state *s, cns_view v, uint32_t position) {
    return v.offset - cns_low_before(s, v.term ^ 1, position);
}

/* Whether the literal was true before `position`. */
static inline bool cns_true_before(const cns_state *s, cns_lit lit, uint32_t position) {
    uint32_t p = s->position[lit >> 1];
    return s->value[lit] > 0 && (p == 0 || p < position);
}

/* Whether `value` is in the term's domain now: within bounds, declared, not removed. */
bool cns_has(const cns_state *state, cns_term term, int64_t value);
/* The number of the first of the declared ranges that does not end below `value`; range_count: all
 * do. */
uint32_t cns_range_from(const cns_int *integer, int64_t value);

static inline bool cns_view_has(const cns_state *s, cns_view v, int64_t value) {
    return cns_has(s, v.term, value - v.offset);
}

/* ---- Booleans, integers, atoms (atom.c) ----------------------------------------------------- */

/* A new plain Boolean's positive literal; CNS_LIT_NONE when memory gave out. */
cns_lit cns_new_bool(cns_state *state);
/* A new integer's positive term, of the domain `ranges` (copied). Only at the root. */
cns_status cns_new_int(cns_state *state, const int64_t *ranges, uint32_t range_count,
                       cns_term *out);
/* A new integer of domain 0..1 that is 1 when the literal is true. Only at the root. */
cns_status cns_new_int_of_lit(cns_state *state, cns_lit lit, cns_term *out);

/* The literal for term >= value, made when there is none yet; constant where the root decides.
 * CNS_LIT_NONE when memory gave out. */
cns_lit cns_lit_ge(cns_state *state, cns_term term, int64_t value);
cns_lit cns_lit_eq(cns_state *state, cns_term term, int64_t value);

static inline cns_lit cns_lit_le(cns_state *s, cns_term term, int64_t value) {
    return cns_lit_ge(s, term ^ 1, -value);
}

static inline cns_lit cns_view_lit_ge(cns_state *s, cns_view v, int64_t value) {
    return cns_lit_ge(s, v.term, value - v.offset);
}

static inline cns_lit cns_view_lit_le(cns_state *s, cns_view v, int64_t value) {
    return cns_lit_le(s, v.term, value - v.offset);
}

static inline cns_lit cns_view_lit_eq(cns_state *s, cns_view v, int64_t value) {
    return cns_lit_eq(s, v.term, value - v.offset);
}

/* The literal when it exists, else CNS_LIT_NONE; never makes one (for explanations). Where bounds
 * alone say that it is false now, a caller wants the bound as its fact instead. */
cns_lit cns_find_eq(const cns_state *state, cns_term term, int64_t value);
cns_lit cns_find_ge(const cns_state *state, cns_term term, int64_t value);
/* Makes `lit` (plain) the atom term = value or term >= value; false when that has a literal
 * already, or the root decides it. Only at the root, for literals on which nothing hangs yet but
 * clauses and wakes. */
bool cns_adopt_eq(cns_state *state, cns_lit lit, cns_term term, int64_t value);
bool cns_adopt_ge(cns_state *state, cns_lit lit, cns_term term, int64_t value);

/* A fact that says why `value` is not in the term's domain before `position`: a bound or the
 * negated atom; of a declared hole: a fact of the root. Requires that it is not. */
cns_fact cns_why_not(const cns_state *state, cns_term term, int64_t value, uint32_t position);

static inline cns_fact cns_view_why_not(const cns_state *s, cns_view v, int64_t value,
                                        uint32_t position) {
    return cns_why_not(s, v.term, value - v.offset, position);
}

/* Gives back atoms that no clause and no propagator refers to. Only at the root. */
void cns_reclaim_atoms(cns_state *state);

/* ---- deducing (trail.c) --------------------------------------------------------------------- */

/* Term >= bound from now on. True at once when it holds already. False: conflict, or memory gave
 * out. */
bool cns_raise(cns_state *state, cns_term term, int64_t bound, cns_reason reason);

static inline bool cns_view_raise(cns_state *s, cns_view v, int64_t bound, cns_reason reason) {
    return bound <= cns_view_low(s, v) || cns_raise(s, v.term, bound - v.offset, reason);
}

static inline bool cns_view_lower(cns_state *s, cns_view v, int64_t bound, cns_reason reason) {
    return bound >= cns_view_high(s, v) || cns_raise(s, v.term ^ 1, v.offset - bound, reason);
}

/* The literal is true from now on (true at once when it is already); false as above. */
bool cns_enqueue(cns_state *state, cns_lit lit, cns_reason reason);

/* View != value: raises a bound or sets the atom (which is made). */
bool cns_view_remove(cns_state *state, cns_view view, int64_t value, cns_reason reason);

/* Reports a conflict: the facts of `reason` cannot hold together. Returns false. */
bool cns_conflict(cns_state *state, cns_reason reason);

/* An explanation written at once: begin, push..., end gives the reason. It must be used before the
 * next begin, and lives until its level is undone. */
static inline void cns_because(cns_state *s, cns_fact fact) {
    cns_facts_push(s, &s->spans, fact);
}

static inline uint32_t cns_because_begin(const cns_state *s) {
    return s->spans.count;
}

static inline cns_reason cns_because_end(const cns_state *s, uint32_t start) {
    return cns_reason_make(CNS_REASON_SPAN, start, s->spans.count - start);
}

static inline cns_reason cns_reason_lazy(const cns_propagator *p, uint32_t data) {
    return cns_reason_make(CNS_REASON_LAZY, data, p->number);
}

/* Sets a cell and restores it when the level is undone. */
bool cns_save(cns_state *state, int64_t *cell, int64_t value);

void cns_new_level(cns_state *state);
void cns_backtrack(cns_state *state, uint32_t level);

/* ---- propagators ---------------------------------------------------------------------------- */

/* Takes `p` over (and destroys it when it fails); queues it. */
cns_status cns_attach(cns_state *state, cns_propagator *p);
/* Wakes p when the term's lower bound rises (CNS_ON_BOUND), or does so and fixes it (CNS_ON_FIX).
 * Watching both terms of an integer sees all of its changes of bounds. After cns_attach. */
bool cns_watch_term(cns_state *state, cns_term term, cns_propagator *p, uint32_t data,
                    uint32_t event);
bool cns_watch_lit(cns_state *state, cns_lit lit, cns_propagator *p, uint32_t data);
/* Wakes p when a value within the bounds is removed (its atom becomes false). */
bool cns_watch_holes(cns_state *state, cns_term term, cns_propagator *p, uint32_t data);

static inline bool cns_watch_bounds(cns_state *s, cns_view v, cns_propagator *p, uint32_t data) {
    return cns_watch_term(s, v.term, p, data, CNS_ON_BOUND) &&
           cns_watch_term(s, v.term ^ 1, p, data, CNS_ON_BOUND);
}

static inline bool cns_watch_fixed(cns_state *s, cns_view v, cns_propagator *p, uint32_t data) {
    return cns_watch_term(s, v.term, p, data, CNS_ON_FIX) &&
           cns_watch_term(s, v.term ^ 1, p, data, CNS_ON_FIX);
}

static inline bool cns_watch_domain(cns_state *s, cns_view v, cns_propagator *p, uint32_t data) {
    return cns_watch_bounds(s, v, p, data) && cns_watch_holes(s, v.term, p, data);
}

void cns_queue_propagator(cns_state *state, cns_propagator *p);

/* For a propagator with much to do that knows where it is: whether it should pause, as the ticks
 * are used up. It then returns true, and `propagate` is called again before anything else happens,
 * unless the search backtracks: then `cancel` is called. What it had done before it looked must be
 * a step forward. */
static inline bool cns_should_pause(cns_state *s, cns_propagator *p) {
    s->unfinished = s->ticks >= s->ticks_end ? p : NULL;
    return s->unfinished != NULL;
}

typedef enum cns_progress {
    CNS_FIXPOINT,
    CNS_CONFLICT,
    CNS_PAUSED /* ticks are used up, or memory gave out: call again, or see status */
} cns_progress;

/* Propagates to a fixpoint. After CNS_PAUSED a further call goes on. */
cns_progress cns_propagate(cns_state *state);

/* ---- clauses (clause.c) --------------------------------------------------------------------- */

static inline cns_clause *cns_clause_at(const cns_state *s, cns_clause_ref ref) {
    return (cns_clause *)(void *)(s->arena + ref);
}

/* Adds a clause at the root: simplified, a unit is set, an empty one makes the state fail. False
 * when the state failed or memory gave out. */
bool cns_add_clause(cns_state *state, const cns_lit *lits, uint32_t count);
static inline bool cns_add_clause2(cns_state *s, cns_lit a, cns_lit b) {
    return cns_add_clause(s, (cns_lit[]){a, b}, 2);
}
static inline bool cns_add_clause3(cns_state *s, cns_lit a, cns_lit b, cns_lit c) {
    return cns_add_clause(s, (cns_lit[]){a, b, c}, 3);
}
/* The same for a clause that may be forgotten again. */
bool cns_add_learnt_clause(cns_state *state, const cns_lit *lits, uint32_t count, uint32_t lbd);
/* Stores and watches a clause of at least two literals; the caller ensures that the first two are
 * open or true, or are those of the highest levels. UINT32_MAX when memory gave out. */
cns_clause_ref cns_store_clause(cns_state *state, const cns_lit *lits, uint32_t count,
                                uint32_t flags, uint32_t lbd);
void cns_bump_clause(cns_state *state, cns_clause *clause);
/* Deletes the less useful half of the learnt clauses, and compacts. Any level. */
bool cns_reduce_clauses(cns_state *state);
/* At the root, at a fixpoint: removes satisfied clauses and false literals. False when memory gave
 * out. */
bool cns_simplify_clauses(cns_state *state);

/* ---- conflict analysis (analyse.c) ---------------------------------------------------------- */

/* Turns `conflict` into a learnt clause, backtracks, and sets its first literal. False: the
 * conflict does not depend on decisions (state->failed), or memory gave out. */
bool cns_resolve_conflict(cns_state *state);
/* Appends the facts that `reason` gives for `fact` at `position`. */
bool cns_explain(cns_state *state, cns_reason reason, cns_fact fact, uint32_t position,
                 cns_facts *out);
/* The levels whose decisions are behind `fact`, which holds: appended to `levels`, which has room
 * for state->level of them. */
bool cns_decisions_behind(cns_state *state, cns_fact fact, uint32_t *levels, uint32_t *count);

#endif
