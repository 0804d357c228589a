/* SPDX-License-Identifier: MIT
 *
 * block_run.c - running a plan: blocks of iterations, one primitive after the other.
 *
 * A vector's lanes are at `at`, which is storage of its own, or elements of a buffer where a load
 * needs no conversion: nothing stores before the block has read all that it reads. Storage changes
 * hands when a loop inside goes round, since a parameter's next value is made next to it.
 */
#include <string.h>

#include "memory/element.h"
#include "vm/arithmetic.h"
#include "vm/block_code.h"
#include "vm/reduction.h"

#define VECTORS (CNS_BLOCK_BYTES / (8 * CNS_BLOCK_LANES_LEAST))

typedef struct frame {
    const cns_block_plan *plan;
    cns_run *run;
    char *at[VECTORS];
    char *own[VECTORS];
    uint64_t scalars[CNS_BLOCK_SCALARS];
    uint8_t ways[CNS_BLOCK_ACCESSES];
    size_t n;       /* lanes in use */
    size_t rounded; /* up to what primitives compute */
    size_t outer[CNS_BLOCK_LOOPS];
    uint32_t depth;
    uint32_t patience;
    uint32_t *budget;
    bool stopped;
} frame;

static void set_lanes(frame *f, size_t n) {
    f->n = n;
    f->rounded = (n + CNS_BLOCK_STEP - 1) / CNS_BLOCK_STEP * CNS_BLOCK_STEP;
}

static int64_t *integers(const frame *f, uint16_t vector) {
    return (int64_t *)(void *)f->at[vector];
}

static const int64_t *mask_of(const frame *f, uint16_t vector) {
    return vector == CNS_BLOCK_NONE ? NULL : integers(f, vector);
}

static void *define(frame *f, uint16_t vector) {
    f->at[vector] = f->own[vector];
    return f->at[vector];
}

/* False when the run is to end. */
static bool spend(frame *f, size_t iterations) {
    size_t cost = iterations * f->plan->cost;
    if (cost < *f->budget) {
        *f->budget -= (uint32_t)cost;
        return true;
    }
    *f->budget = CNS_POLL_EVERY;
    cns_status status = f->run->poll ? f->run->poll(f->run->poll_user) : CNS_OK;
    if (status != CNS_OK) {
        f->run->trap =
            (cns_trap){.kind = CNS_TRAP_STOPPED, .site = f->plan->site, .integer = (int64_t)status};
        f->stopped = true;
    }
    return status == CNS_OK;
}

/* ---- computing ------------------------------------------------------------------------------- */

static const void *operand(const frame *f, uint16_t place, bool scalar) {
    return scalar                    ? (const void *)&f->scalars[place]
           : place == CNS_BLOCK_NONE ? NULL
                                     : (const void *)f->at[place];
}

static void compute(frame *f, const cns_block_instruction *i) {
    bool first = cns_lanes_one_a(i->form);
    bool second = cns_lanes_one_b(i->form);
    const void *a = operand(f, i->a, first), *b = operand(f, i->b, second);
    const void *c = operand(f, i->c, false);
    i->function(define(f, i->d), a, b, c, f->rounded);
}

static void compute_array(frame *f, const cns_block_instruction *i) {
    const char *from = f->at[i->a];
    double *to = define(f, i->d);
    memmove(to, from, 8 * f->n);
    (i->ir == CNS_IR_EXP_F64 ? f->plan->exp : f->plan->log)(to, f->n);
}

static void scan(frame *f, const cns_block_instruction *i) {
    const char *from = f->at[i->a];
    if (i->form == CNS_REDUCE_SUM_F64) {
        double s, *to = define(f, i->d);
        memcpy(&s, &f->scalars[i->extra], sizeof s);
        for (size_t k = 0; k < f->n; k++) {
            s += ((const double *)(const void *)from)[k];
            to[k] = s;
        }
    } else {
        uint64_t s = f->scalars[i->extra], *to = define(f, i->d);
        for (size_t k = 0; k < f->n; k++) {
            s += ((const uint64_t *)(const void *)from)[k];
            to[k] = s;
        }
    }
}

/* ---- memory ---------------------------------------------------------------------------------- */

/* The index of lane k, from 0; may be anything. */
static uint64_t place_of(const frame *f, const cns_block_access *access,
                         const cns_block_instruction *i, size_t k) {
    if (i->b != CNS_BLOCK_NONE) {
        return (uint64_t)integers(f, i->b)[k] - 1;
    }
    return f->scalars[access->first] + f->scalars[access->stride] * k - 1;
}

/* An element as the bits of a lane. */
static uint64_t load_element(cns_type type, const void *data, uint64_t place) {
    int64_t integer = 0;
    if (type >= CNS_F32) {
        double real =
            type == CNS_F32 ? ((const float *)data)[place] : ((const double *)data)[place];
        uint64_t bits;
        memcpy(&bits, &real, sizeof bits);
        return bits;
    }
    (void)cns_element_load_i64(type, data, place, &integer);
    return (uint64_t)integer;
}

static bool gather(frame *f, const cns_block_access *access, const cns_block_instruction *i,
                   const int64_t *mask, uint64_t *to) {
    const void *data = (const void *)(uintptr_t)f->scalars[access->data];
    uint64_t count = f->scalars[access->count];
    for (size_t k = 0; k < f->n; k++) {
        uint64_t place = place_of(f, access, i, k), bits = 0;
        if (!mask || mask[k]) {
            if (place >= count) {
                return false;
            }
            bits = load_element(access->type, data, place);
        }
        to[k] = bits;
    }
    return true;
}

/* Elements that are next to each other, or one for all, or in steps. */
static void load_in_steps(frame *f, const cns_block_access *access, uint16_t d) {
    uint64_t place = f->scalars[access->first] - 1, stride = f->scalars[access->stride];
    char *data = (char *)(uintptr_t)f->scalars[access->data];
    size_t size = cns_type_size(access->type);
    char *from = data + place * size;
    if (stride == 1 && size == 8 && f->n == f->rounded) {
        f->at[d] = from;
    } else if (stride == 1) {
        f->plan->set->widen[access->type](define(f, d), from, f->n);
    } else if (stride == 0) {
        f->plan->set->splat(define(f, d), load_element(access->type, data, place), f->rounded);
    } else {
        uint64_t *to = define(f, d);
        for (size_t k = 0; k < f->n; k++, place += stride) {
            to[k] = load_element(access->type, data, place);
        }
    }
}

static bool load(frame *f, const cns_block_instruction *i) {
    const cns_block_access *access = &f->plan->accesses[i->extra];
    const int64_t *mask = mask_of(f, i->c);
    if (f->ways[i->extra] == CNS_BLOCK_IN_STEPS) {
        load_in_steps(f, access, i->d);
    } else if (!gather(f, access, i, mask, define(f, i->d))) {
        return false;
    }
    /* An u64 above the integers of Lua has no value. */
    return access->type != CNS_U64 ||
           !f->plan->set->outside(integers(f, i->d), mask, 0, INT64_MAX, f->n);
}

static void store_element(cns_type type, void *data, uint64_t place, uint64_t bits, bool real) {
    if (real) {
        double value;
        memcpy(&value, &bits, sizeof value);
        (void)cns_element_store_f64(type, data, place, value);
    } else {
        (void)cns_element_store_i64(type, data, place, (int64_t)bits);
    }
}

/* i->form: the lanes are f64. */
static void store(frame *f, const cns_block_instruction *i) {
    const cns_block_access *access = &f->plan->accesses[i->extra];
    const int64_t *mask = mask_of(f, i->c);
    bool steps = f->ways[i->extra] == CNS_BLOCK_IN_STEPS, real = i->form;
    void *data = (void *)(uintptr_t)f->scalars[access->data];
    if (steps && !mask && f->scalars[access->stride] == 1 && real == (access->type >= CNS_F32)) {
        char *to = (char *)data + (f->scalars[access->first] - 1) * cns_type_size(access->type);
        f->plan->set->narrow[access->type](to, f->at[i->a], f->n);
        return;
    }
    const uint64_t *from = (const uint64_t *)(const void *)f->at[i->a];
    for (size_t k = 0; k < f->n; k++) {
        if (!mask || mask[k]) {
            store_element(access->type, data, place_of(f, access, i, k), from[k], real);
        }
    }
}

/* ---- checks ---------------------------------------------------------------------------------- */

static bool has_divisors(const frame *f, const cns_block_instruction *i) {
    const int64_t *lanes = integers(f, i->a), *mask = mask_of(f, i->c);
    for (size_t k = 0; k < f->n; k++) {
        if (lanes[k] == 0 && (!mask || mask[k])) {
            return false;
        }
    }
    return true;
}

static bool is_integral(const frame *f, const cns_block_instruction *i) {
    const double *lanes = (const double *)(const void *)f->at[i->a];
    const int64_t *mask = mask_of(f, i->c);
    for (size_t k = 0; k < f->n; k++) {
        if ((!mask || mask[k]) && !cns_fits_i64(lanes[k])) {
            return false;
        }
    }
    return true;
}

static bool is_inside(const frame *f, const cns_block_instruction *i) {
    const cns_block_access *access = &f->plan->accesses[i->extra];
    const int64_t *mask = mask_of(f, i->c);
    if (f->ways[i->extra] == CNS_BLOCK_IN_STEPS) {
        return true;
    }
    for (size_t k = 0; k < f->n; k++) {
        if ((!mask || mask[k]) && place_of(f, access, i, k) >= f->scalars[access->count]) {
            return false;
        }
    }
    return true;
}

static bool fits(const frame *f, const cns_block_instruction *i) {
    static const int64_t low[] = {
        [CNS_I8] = INT8_MIN, [CNS_I16] = INT16_MIN, [CNS_I32] = INT32_MIN, [CNS_U8] = 0,
        [CNS_U16] = 0,       [CNS_U32] = 0,         [CNS_U64] = 0,         [CNS_I64] = INT64_MIN};
    static const int64_t high[] = {
        [CNS_I8] = INT8_MAX,   [CNS_I16] = INT16_MAX,  [CNS_I32] = INT32_MAX,
        [CNS_U8] = UINT8_MAX,  [CNS_U16] = UINT16_MAX, [CNS_U32] = UINT32_MAX,
        [CNS_U64] = INT64_MAX, [CNS_I64] = INT64_MAX};
    cns_type type = f->plan->accesses[i->extra].type;
    const int64_t *mask = mask_of(f, i->c);
    if (!i->form && type < CNS_F32) {
        return !f->plan->set->outside(integers(f, i->a), mask, low[type], high[type], f->n);
    }
    uint64_t element; /* where it would go */
    for (size_t k = 0; k < f->n; k++) {
        double real;
        memcpy(&real, f->at[i->a] + 8 * k, sizeof real);
        bool fit = i->form ? cns_element_store_f64(type, &element, 0, real)
                           : cns_element_store_i64(type, &element, 0, integers(f, i->a)[k]);
        if (!fit && (!mask || mask[k])) {
            return false;
        }
    }
    return true;
}

/* ---- loops inside ---------------------------------------------------------------------------- */

static void begin_alive(frame *f, const cns_block_loop *loop, size_t count) {
    set_lanes(f, count);
    int64_t *alive = define(f, loop->alive);
    for (size_t k = 0; k < f->rounded; k++) {
        alive[k] = -(int64_t)(k < count);
    }
}

/* The lanes that the mask has, together, from `from` to `to`, which may be the same. */
static void pack(uint64_t *to, const uint64_t *from, const int64_t *mask, size_t n) {
    size_t count = 0;
    for (size_t k = 0; k < n; k++) {
        uint64_t lane = from[k];
        to[count] = lane;
        count += (size_t)-mask[k];
    }
}

static void pack_vector(frame *f, uint16_t to, uint16_t from, const int64_t *mask, size_t n) {
    const uint64_t *lanes = (const uint64_t *)(const void *)f->at[from];
    pack(define(f, to), lanes, mask, n);
}

/* False: no lane goes in. */
static bool enter(frame *f, const cns_block_instruction *i) {
    const cns_block_loop *loop = &f->plan->loops[i->extra];
    const cns_block_pair *pairs = f->plan->pairs;
    const int64_t *mask = mask_of(f, i->c);
    size_t n = f->n, count = mask ? f->plan->set->count(mask, n) : n;
    for (uint32_t p = loop->out; p < loop->out + loop->out_count; p++) {
        memset(define(f, pairs[p].to), 0, 8 * f->rounded);
    }
    if (count == 0) {
        return false;
    }
    f->outer[f->depth++] = n;
    f->plan->set->iota(define(f, loop->ids), 0, 1, n);
    if (mask) {
        pack_vector(f, loop->ids, loop->ids, mask, n);
    }
    for (uint32_t p = loop->enter; p < loop->enter + loop->enter_count; p++) {
        if (mask) {
            pack_vector(f, pairs[p].to, pairs[p].from, mask, n);
        } else {
            f->at[pairs[p].to] = f->at[pairs[p].from]; /* until it is packed or goes round */
        }
    }
    begin_alive(f, loop, count);
    return true;
}

static void leave(frame *f, const cns_block_instruction *i, const cns_block_loop *loop) {
    const int64_t *mask = integers(f, i->c), *ids = integers(f, loop->ids);
    uint16_t lanes[CNS_BLOCK_LANES + 1];
    size_t count = 0;
    if (f->plan->set->count(mask, f->n) == 0) {
        return;
    }
    for (size_t k = 0; k < f->n; k++) {
        lanes[count] = (uint16_t)k;
        count += (size_t)-mask[k];
    }
    for (uint32_t p = i->a; p < (uint32_t)i->a + i->b; p++) {
        cns_block_pair pair = f->plan->pairs[p];
        int64_t *to = integers(f, pair.to);
        const int64_t *from = mask_of(f, pair.from);
        for (size_t k = 0; k < count; k++) {
            to[ids[lanes[k]]] = from ? from[lanes[k]] : -1;
        }
    }
}

/* What becomes of a loop inside at its AGAIN. */
typedef enum course {
    ENDS,
    GOES_ON,
    IS_GIVEN_UP /* with its block */
} course;

static course again(frame *f, const cns_block_instruction *i) {
    const cns_block_loop *loop = &f->plan->loops[i->extra];
    const cns_block_pair *pairs = f->plan->pairs;
    int64_t *alive = integers(f, loop->alive);
    /* All in the mask were alive; those behind are not. */
    memmove(alive, integers(f, i->c), 8 * f->n);
    size_t count = f->plan->set->count(alive, f->n);
    if (count == 0) {
        set_lanes(f, f->outer[--f->depth]);
        return ENDS;
    }
    if ((loop->overtakes && f->patience-- == 0) || !spend(f, f->n)) {
        return IS_GIVEN_UP;
    }
    for (uint32_t p = loop->around; p < loop->around + loop->around_count; p++) {
        cns_block_pair pair = pairs[p];
        char *next = f->own[pair.from];
        f->own[pair.from] = f->own[pair.to];
        f->own[pair.to] = next;
        (void)define(f, pair.from);
        (void)define(f, pair.to);
    }
    if (f->n > CNS_BLOCK_STEP && count * 4 <= f->n * 3) {
        for (uint32_t p = loop->enter; p < loop->enter + loop->enter_count; p++) {
            pack_vector(f, pairs[p].to, pairs[p].to, alive, f->n);
        }
        pack_vector(f, loop->ids, loop->ids, alive, f->n);
        begin_alive(f, loop, count);
    }
    return GOES_ON;
}

/* ---- what is carried ------------------------------------------------------------------------- */

static void reduce(frame *f, const cns_block_instruction *i) {
    uint64_t *s = &f->scalars[i->extra];
    const int64_t *lanes = integers(f, i->a);
    if (i->form == CNS_REDUCE_SUM_I64) {
        *s += (uint64_t)f->plan->set->sum(lanes, f->n);
        return;
    }
    for (size_t k = 0; k < f->n; k++) {
        *s = cns_reduction_combine(i->form, *s, (uint64_t)lanes[k]);
    }
}

static void reduce_in_order(frame *f, const cns_block_instruction *i) {
    const int64_t *mask = mask_of(f, i->c);
    const double *lanes = (const double *)(const void *)f->at[i->a];
    double s;
    memcpy(&s, &f->scalars[i->extra], sizeof s);
    if (i->form == CNS_REDUCE_SUM_F64 && i->ir == CNS_IR_ADD_F64) {
        f->plan->set->sum_in_order(&s, lanes, mask, f->n);
    } else if (i->form == CNS_REDUCE_SUM_F64) {
        for (size_t k = 0; k < f->n; k++) {
            s = !mask || mask[k] ? s - lanes[k] : s;
        }
    } else {
        uint64_t bits = f->scalars[i->extra], other;
        for (size_t k = 0; k < f->n; k++) {
            memcpy(&other, &lanes[k], sizeof other);
            bits = !mask || mask[k] ? cns_reduction_combine(i->form, bits, other) : bits;
        }
        memcpy(&s, &bits, sizeof s);
    }
    memcpy(&f->scalars[i->extra], &s, sizeof s);
}

/* ---- a block --------------------------------------------------------------------------------- */

/* False when an iteration of it must be left to the scalar VM, or the run is stopped. */
static bool run_block(frame *f) {
    const cns_block_plan *plan = f->plan;
    const cns_block_loop *loops = plan->loops;
    f->patience = CNS_BLOCK_PATIENCE;
    for (uint32_t at = 0; at < plan->count; at++) {
        const cns_block_instruction *i = &plan->code[at];
        bool well = true;
        switch ((cns_block_op)i->op) {
        case CNS_BLOCK_LANES_OP:
            compute(f, i);
            break;
        case CNS_BLOCK_ARRAY:
            compute_array(f, i);
            break;
        case CNS_BLOCK_SPLAT:
            plan->set->splat(define(f, i->d), f->scalars[i->a], f->rounded);
            break;
        case CNS_BLOCK_IOTA:
            plan->set->iota(define(f, i->d), (int64_t)f->scalars[i->a], (int64_t)f->scalars[i->b],
                            f->rounded);
            break;
        case CNS_BLOCK_COPY: {
            const char *from = f->at[i->a];
            memmove(define(f, i->d), from, 8 * f->n);
            break;
        }
        case CNS_BLOCK_LOAD:
            well = load(f, i);
            break;
        case CNS_BLOCK_DIVISOR:
            well = has_divisors(f, i);
            break;
        case CNS_BLOCK_INTEGRAL:
            well = is_integral(f, i);
            break;
        case CNS_BLOCK_INDEX:
            well = is_inside(f, i);
            break;
        case CNS_BLOCK_FITS:
            well = fits(f, i);
            break;
        case CNS_BLOCK_SCAN:
            scan(f, i);
            break;
        case CNS_BLOCK_ENTER:
            at = enter(f, i) ? at : loops[i->extra].end;
            break;
        case CNS_BLOCK_LEAVE:
            leave(f, i, &loops[i->extra]);
            break;
        case CNS_BLOCK_AGAIN: {
            course next = again(f, i);
            at = next == GOES_ON ? loops[i->extra].body - 1 : at;
            well = next != IS_GIVEN_UP;
            break;
        }
        case CNS_BLOCK_STORE:
            store(f, i);
            break;
        case CNS_BLOCK_REDUCE:
            reduce(f, i);
            break;
        case CNS_BLOCK_ORDERED:
            reduce_in_order(f, i);
            break;
        case CNS_BLOCK_LAST:
            memcpy(&f->scalars[i->extra], f->at[i->a] + 8 * (f->n - 1), 8);
            break;
        }
        if (!well) {
            f->depth = 0;
            return false;
        }
    }
    return true;
}

/* ---- a run ----------------------------------------------------------------------------------- */

static void fetch(frame *f, const uint64_t *registers) {
    for (uint32_t i = 0; i < f->plan->fetch_count; i++) {
        const cns_block_fetch *one = &f->plan->fetches[i];
        uint64_t bits = one->value == CNS_IR_NONE ? one->bits : registers[one->reg + one->count];
        f->scalars[one->scalar] = one->boolean ? 0 - (uint64_t)(bits != 0) : bits;
    }
}

static void run_prelude(frame *f) {
    uint64_t *s = f->scalars;
    for (uint32_t i = 0; i < f->plan->prelude_count; i++) {
        const cns_block_prelude *one = &f->plan->prelude[i];
        uint64_t a = s[one->a], b = s[one->b];
        s[one->d] = one->op == CNS_BLOCK_ADD ? a + b : one->op == CNS_BLOCK_SUB ? a - b : a * b;
    }
}

static void step(frame *f, size_t n) {
    for (uint32_t i = 0; i < f->plan->carried_count; i++) {
        const cns_block_carried *one = &f->plan->carried[i];
        if (one->stride != CNS_BLOCK_NONE) {
            f->scalars[one->scalar] += f->scalars[one->stride] * n;
        }
    }
}

static void write_back(const frame *f, uint64_t *registers) {
    for (uint32_t i = 0; i < f->plan->carried_count; i++) {
        const cns_block_carried *one = &f->plan->carried[i];
        if (one->reg != CNS_BLOCK_NONE) {
            registers[one->reg] = f->scalars[one->scalar];
        }
    }
}

/* `iterations` of them, in blocks of at most `lanes`. */
static void run_blocks(frame *f, uint64_t iterations, uint32_t lanes) {
    for (uint64_t left = iterations; left > 0;) {
        size_t n = left < lanes ? (size_t)left : lanes;
        set_lanes(f, n);
        if (!run_block(f)) {
            return;
        }
        step(f, n);
        run_prelude(f);
        left -= n;
        if (!spend(f, n)) {
            return;
        }
    }
}

uint32_t cns_block_plan_run(const cns_block_plan *plan, uint64_t *registers, cns_run *run,
                            uint32_t *budget) {
    _Alignas(64) char storage[CNS_BLOCK_BYTES];
    frame f;
    uint64_t iterations = registers[plan->remaining_reg]; /* the last one is the scalar VM's */
    if (iterations < CNS_BLOCK_WORTH || iterations > INT64_MAX) {
        return CNS_TRAP_NONE;
    }
    f.plan = plan;
    f.run = run;
    f.depth = 0;
    f.budget = budget;
    f.stopped = false;
    fetch(&f, registers);
    run_prelude(&f);
    uint32_t lanes = cns_block_overlap(plan, f.scalars, iterations, f.ways);
    if (lanes == 0) {
        return CNS_TRAP_NONE;
    }
    for (uint32_t v = 0; v < plan->vector_count; v++) {
        f.own[v] = f.at[v] = storage + (size_t)v * plan->lanes * 8;
    }
    run_blocks(&f, iterations, lanes);
    write_back(&f, registers);
    return f.stopped ? CNS_TRAP_STOPPED : CNS_TRAP_NONE;
}
