/* SPDX-License-Identifier: MIT
 *
 * ir_random.c - structured code from dice: what is visible is kept in one list a type, which
 * shrinks back where a region ends; values leave a region through parameters.
 */
#include "ir_random.h"

#include <string.h>

#include "base/rng.h"
#include "ir_eval.h"

enum { VISIBLE = 400, DEPTH = 3, TYPES = 3 };

typedef struct scope {
    uint32_t count[TYPES];
} scope;

typedef struct generator {
    cns_rng rng;
    cns_ir_function *f;
    cns_ir_block_id block;
    cns_ir_value visible[TYPES][VISIBLE]; /* bool, i64, f64 */
    scope scope;
    cns_ir_value buffers[SUPPORT_IR_BUFFERS];
    uint32_t line;
    uint32_t budget;
    cns_status status;
} generator;

static const uint8_t types[TYPES] = {CNS_VM_BOOL, CNS_VM_I64, CNS_VM_F64};
static const cns_type elements[SUPPORT_IR_BUFFERS] = {CNS_F64, CNS_I64, CNS_U8, CNS_F32, CNS_U64};

static const int64_t integers[] = {0,
                                   1,
                                   2,
                                   3,
                                   -1,
                                   -2,
                                   4,
                                   7,
                                   8,
                                   16,
                                   63,
                                   64,
                                   255,
                                   256,
                                   -64,
                                   5,
                                   6,
                                   10,
                                   -3,
                                   1 << 20,
                                   INT64_MAX,
                                   INT64_MIN,
                                   (INT64_C(1) << 53) + 1};
static const double reals[] = {0.0,     -0.0,     1,      -1,     2,      0.5,      4,
                               -3.7,    1e300,    5e-324, 0x1p53, 0x1p63, -0x1p63,  3,
                               0x1p-64, 1.0 / 0., 255,    256,    2.5,    0x1p-1074};

static uint32_t dice(generator *g, uint32_t sides) {
    return (uint32_t)cns_rng_below(&g->rng, sides);
}

static uint32_t place_of(uint8_t type) {
    return type == CNS_VM_BOOL ? 0 : type == CNS_VM_I64 ? 1 : 2;
}

static void show(generator *g, cns_ir_value value) {
    if (g->status != CNS_OK) {
        return;
    }
    uint32_t type = place_of(cns_ir_at(g->f, value)->type);
    if (g->scope.count[type] < VISIBLE) {
        g->visible[type][g->scope.count[type]++] = value;
    }
}

/* ---- making ---------------------------------------------------------------------------------- */

static uint32_t new_site(generator *g) {
    uint32_t site = CNS_IR_NONE;
    if (g->status == CNS_OK) {
        g->status = cns_ir_add_site(g->f, "r.lua", ++g->line, CNS_IR_NONE, &site);
    }
    return site;
}

static cns_ir_value integer(generator *g, int64_t x) {
    cns_ir_value value = 0;
    g->status = g->status == CNS_OK ? cns_ir_add_i64(g->f, x, &value) : g->status;
    return value;
}

static cns_ir_value constant(generator *g, uint32_t type) {
    cns_ir_value value = 0;
    if (type == 1) {
        return integer(g, integers[dice(g, sizeof integers / sizeof *integers)]);
    }
    if (g->status == CNS_OK && type == 2) {
        double x = reals[dice(g, sizeof reals / sizeof *reals)];
        g->status = cns_ir_add_f64(g->f, x, &value);
    } else if (g->status == CNS_OK) {
        g->status = cns_ir_add_bool(g->f, dice(g, 2), &value);
    }
    return value;
}

/* One that is there, rather one of the last, or a constant. */
static cns_ir_value pick(generator *g, uint32_t type) {
    uint32_t count = g->scope.count[type];
    if (count == 0 || dice(g, 4) == 0) {
        return constant(g, type);
    }
    uint32_t back = dice(g, 3) ? dice(g, count < 6 ? count : 6) : dice(g, count);
    return g->visible[type][count - 1 - back];
}

static cns_ir_value add(generator *g, cns_ir_op op, cns_ir_value a, cns_ir_value b,
                        cns_ir_value c) {
    cns_ir_value value = 0;
    uint32_t site = new_site(g);
    if (g->status == CNS_OK) {
        g->status =
            cns_ir_add(g->f, g->block, op, site, (cns_ir_value[]){a, b, c, CNS_IR_NONE}, &value);
    }
    return value;
}

static cns_ir_block_id new_block(generator *g) {
    cns_ir_block_id block = 0;
    g->status = g->status == CNS_OK ? cns_ir_add_block(g->f, &block) : g->status;
    return block;
}

static cns_ir_value parameter(generator *g, cns_ir_block_id block, uint32_t type) {
    cns_ir_value value = 0;
    g->status =
        g->status == CNS_OK ? cns_ir_add_parameter(g->f, block, types[type], &value) : g->status;
    return value;
}

static void jump(generator *g, cns_ir_block_id to, const cns_ir_value *arguments, uint32_t count) {
    if (g->status == CNS_OK) {
        g->status = cns_ir_end_jump(g->f, g->block, CNS_IR_NONE, to, arguments, count);
    }
}

static void branch(generator *g, cns_ir_value condition, cns_ir_block_id yes, cns_ir_block_id no) {
    if (g->status == CNS_OK) {
        g->status = cns_ir_end_branch(g->f, g->block, CNS_IR_NONE, condition, yes, no);
    }
}

static void pass(generator *g, uint32_t edge, const cns_ir_value *arguments, uint32_t count) {
    if (g->status == CNS_OK) {
        g->status = cns_ir_set_arguments(g->f, g->block, edge, arguments, count);
    }
}

/* ---- straight code --------------------------------------------------------------------------- */

static bool is_usable(cns_ir_op op) {
    return op >= CNS_IR_SELECT_BOOL && op < CNS_IR_LEN;
}

static void random_operation(generator *g) {
    cns_ir_op op;
    do {
        op = (cns_ir_op)dice(g, CNS_IR_OP_COUNT);
    } while (!is_usable(op) || (cns_ir_has(op, 'T') && dice(g, 3)));
    const char *letters = cns_ir_info(op)->operands;
    cns_ir_value operands[CNS_IR_OPERANDS] = {0};
    for (uint32_t i = 0; letters[i]; i++) {
        operands[i] = pick(g, letters[i] == 'b' ? 0 : letters[i] == 'i' ? 1 : 2);
    }
    show(g, add(g, op, operands[0], operands[1], operands[2]));
}

/* Mostly an index inside. */
static cns_ir_value random_index(generator *g, cns_ir_value buffer) {
    uint32_t way = dice(g, 8);
    if (way < 3) {
        return integer(g, 1 + (int64_t)dice(g, SUPPORT_IR_ELEMENTS));
    }
    if (way == 3) {
        return pick(g, 1);
    }
    if (way == 4) {
        return add(g, CNS_IR_LEN, buffer, 0, 0);
    }
    cns_ir_value rest = add(g, CNS_IR_MOD_I64, pick(g, 1), integer(g, SUPPORT_IR_ELEMENTS), 0);
    return add(g, CNS_IR_ADD_I64, rest, integer(g, 1), 0);
}

static void random_access(generator *g) {
    uint32_t which = dice(g, SUPPORT_IR_BUFFERS);
    cns_ir_value buffer = g->buffers[which];
    cns_ir_value index = random_index(g, buffer);
    if (dice(g, 2)) {
        show(g, add(g, CNS_IR_LOAD, buffer, index, 0));
        return;
    }
    bool real = elements[which] >= CNS_F32 ? dice(g, 4) != 0 : dice(g, 6) == 0;
    cns_ir_value value = pick(g, real ? 2 : 1);
    if (elements[which] == CNS_U8 && !real && dice(g, 3)) {
        value = add(g, CNS_IR_AND_I64, value, integer(g, dice(g, 2) ? 255 : 256), 0);
    }
    add(g, CNS_IR_STORE, buffer, index, value);
}

static void random_return(generator *g) {
    cns_ir_value results[3];
    uint32_t count = dice(g, 4), site = new_site(g);
    for (uint32_t i = 0; i < count; i++) {
        results[i] = dice(g, 8) ? pick(g, dice(g, TYPES)) : CNS_IR_NONE;
    }
    if (g->status == CNS_OK) {
        g->status = cns_ir_end_return(g->f, g->block, site, results, count);
    }
}

/* ---- regions --------------------------------------------------------------------------------- */

static void random_code(generator *g, uint32_t depth);

/* if, with or without else; up to three values come out, by parameters. */
static void random_choice(generator *g, uint32_t depth) {
    cns_ir_block_id yes = new_block(g), no = new_block(g), after = new_block(g);
    uint32_t count = dice(g, 4), type[3];
    cns_ir_value out[3], passed[3];
    for (uint32_t i = 0; i < count; i++) {
        type[i] = dice(g, TYPES);
        out[i] = parameter(g, after, type[i]);
    }
    scope before = g->scope;
    branch(g, pick(g, 0), yes, no);
    for (int arm = 0; arm < 2; arm++) {
        g->block = arm ? no : yes;
        if (dice(g, 3)) {
            random_code(g, depth);
        }
        if (arm == 1 && dice(g, 12) == 0) {
            random_return(g);
        } else {
            for (uint32_t i = 0; i < count; i++) {
                passed[i] = pick(g, type[i]);
            }
            jump(g, after, passed, count);
        }
        g->scope = before;
    }
    g->block = after;
    for (uint32_t i = 0; i < count; i++) {
        show(g, out[i]);
    }
}

typedef struct loop {
    cns_ir_block_id header, after;
    uint32_t count; /* carried values */
    uint32_t type[3];
    cns_ir_value parameters[5]; /* remaining, index, carried */
    cns_ir_value limit, step;
} loop;

/* At most 8 trips; init is a constant or not. */
static void enter_loop(generator *g, loop *l) {
    cns_ir_value start[5];
    static const int64_t steps[] = {1, 1, 1, 2, -1, 3, 0};
    bool from_one = dice(g, 3) != 0;
    cns_ir_value init = from_one ? integer(g, 1) : pick(g, 1);
    cns_ir_value far = add(g, CNS_IR_AND_I64, pick(g, 1), integer(g, 7), 0);
    int64_t step = steps[dice(g, dice(g, 8) ? 6 : 7)];
    bool away = from_one && dice(g, 8) == 0; /* from others, the limit might wrap: endless */
    l->limit = add(g, (step >= 0) != away ? CNS_IR_ADD_I64 : CNS_IR_SUB_I64, init, far, 0);
    l->step = integer(g, step);
    cns_ir_value enters = add(g, CNS_IR_FOR_ENTERS_I64, init, l->limit, l->step);
    cns_ir_block_id inside = new_block(g);
    l->header = new_block(g);
    l->after = new_block(g);
    branch(g, enters, inside, l->after);
    cns_ir_value unchanged[3];
    for (uint32_t i = 0; i < l->count; i++) {
        unchanged[i] = start[2 + i] = pick(g, l->type[i]);
    }
    pass(g, 1, unchanged, l->count);
    g->block = inside;
    start[0] = add(g, CNS_IR_FOR_COUNT, init, l->limit, l->step);
    start[1] = init;
    for (uint32_t i = 0; i < l->count + 2; i++) {
        l->parameters[i] = parameter(g, l->header, i < 2 ? 1 : l->type[i - 2]);
    }
    jump(g, l->header, start, l->count + 2);
    g->block = l->header;
}

static void leave_loop(generator *g, const loop *l) {
    cns_ir_value back[5], out[3];
    cns_ir_value done = add(g, CNS_IR_EQ_I64, l->parameters[0], integer(g, 0), 0);
    for (uint32_t i = 0; i < l->count; i++) {
        out[i] = back[2 + i] = pick(g, l->type[i]);
    }
    back[0] = add(g, CNS_IR_SUB_I64, l->parameters[0], integer(g, 1), 0);
    back[1] = add(g, CNS_IR_ADD_I64, l->parameters[1], l->step, 0);
    branch(g, done, l->after, l->header);
    pass(g, 0, out, l->count);
    pass(g, 1, back, l->count + 2);
}

static void random_break(generator *g, const loop *l) {
    cns_ir_value out[3];
    cns_ir_block_id on = new_block(g);
    branch(g, pick(g, 0), l->after, on);
    for (uint32_t i = 0; i < l->count; i++) {
        out[i] = pick(g, l->type[i]);
    }
    pass(g, 0, out, l->count);
    g->block = on;
}

static void random_loop(generator *g, uint32_t depth) {
    loop l = {.count = dice(g, 3)};
    cns_ir_value out[3];
    scope before = g->scope;
    for (uint32_t i = 0; i < l.count; i++) {
        l.type[i] = dice(g, TYPES);
    }
    enter_loop(g, &l);
    for (uint32_t i = 0; i < l.count; i++) {
        out[i] = parameter(g, l.after, l.type[i]);
        show(g, l.parameters[2 + i]);
    }
    show(g, l.parameters[1]);
    random_code(g, depth);
    if (dice(g, 5) == 0) {
        random_break(g, &l);
        random_code(g, depth + 1);
    }
    leave_loop(g, &l);
    g->scope = before;
    g->block = l.after;
    for (uint32_t i = 0; i < l.count; i++) {
        show(g, out[i]);
    }
}

static void random_code(generator *g, uint32_t depth) {
    for (uint32_t n = 1 + dice(g, 7); n > 0 && g->budget > 0 && g->status == CNS_OK; n--) {
        uint32_t what = dice(g, 12);
        g->budget--;
        if (what == 0 && depth < DEPTH) {
            random_loop(g, depth + 1);
        } else if (what == 1 && depth < DEPTH) {
            random_choice(g, depth + 1);
        } else if (what < 5) {
            random_access(g);
        } else {
            random_operation(g);
        }
    }
}

static void add_arguments(generator *g) {
    static const uint8_t scalars[SUPPORT_IR_SCALARS] = {CNS_VM_I64, CNS_VM_I64,  CNS_VM_F64,
                                                        CNS_VM_F64, CNS_VM_BOOL, CNS_VM_BOOL};
    cns_ir_value value;
    for (int i = 0; i < SUPPORT_IR_BUFFERS && g->status == CNS_OK; i++) {
        g->status =
            cns_ir_add_argument(g->f, (uint8_t)(CNS_VM_BUFFER + elements[i]), "x", &g->buffers[i]);
    }
    for (int i = 0; i < SUPPORT_IR_SCALARS && g->status == CNS_OK; i++) {
        g->status = cns_ir_add_argument(g->f, scalars[i], "s", &value);
        show(g, value);
    }
}

cns_status support_ir_random(cns_context *context, uint64_t seed, cns_ir_function **out) {
    generator g = {.budget = 60};
    cns_rng_seed(&g.rng, seed);
    g.status = cns_ir_create(context, "random", &g.f);
    if (g.status != CNS_OK) {
        return g.status;
    }
    add_arguments(&g);
    for (int i = 0; i < 3; i++) {
        random_code(&g, 0);
    }
    random_return(&g);
    if (g.status != CNS_OK) {
        cns_ir_destroy(g.f);
        return g.status;
    }
    *out = g.f;
    return CNS_OK;
}

/* ---- running --------------------------------------------------------------------------------- */

static void fill(cns_rng *rng, cns_type type, uint64_t *data) {
    memset(data, 0, SUPPORT_IR_ELEMENTS * sizeof *data);
    for (int i = 0; i < SUPPORT_IR_ELEMENTS; i++) {
        double real = reals[cns_rng_below(rng, sizeof reals / sizeof *reals)];
        int64_t whole = integers[cns_rng_below(rng, sizeof integers / sizeof *integers)];
        switch (type) {
        case CNS_F64:
            ((double *)(void *)data)[i] = real;
            break;
        case CNS_F32:
            ((float *)(void *)data)[i] = (float)real;
            break;
        case CNS_U8:
            ((uint8_t *)(void *)data)[i] = (uint8_t)whole;
            break;
        case CNS_U64: /* mostly what can be loaded */
            data[i] = cns_rng_below(rng, 8) ? (uint64_t)whole >> 1 : (uint64_t)whole;
            break;
        default:
            ((int64_t *)(void *)data)[i] = whole;
        }
    }
}

void support_ir_outcome_of(const cns_ir_function *function, uint64_t seed,
                           support_ir_outcome *out) {
    cns_vm_value arguments[SUPPORT_IR_BUFFERS + SUPPORT_IR_SCALARS];
    cns_rng rng;
    memset(out, 0, sizeof *out);
    memset(arguments, 0, sizeof arguments);
    cns_rng_seed(&rng, seed);
    for (int i = 0; i < SUPPORT_IR_BUFFERS; i++) {
        fill(&rng, elements[i], out->elements[i]);
        arguments[i].data = out->elements[i];
        arguments[i].count = 1 + cns_rng_below(&rng, SUPPORT_IR_ELEMENTS);
        arguments[i].count = arguments[i].count < 4 ? SUPPORT_IR_ELEMENTS : arguments[i].count;
    }
    if (seed & 1) { /* views of the same bytes */
        arguments[1].data = out->elements[0];
        arguments[3].data = (uint8_t *)out->elements[0] + 4;
    }
    for (int i = 0; i < 2; i++) {
        cns_vm_value *s = arguments + SUPPORT_IR_BUFFERS + i;
        s[0].integer = integers[cns_rng_below(&rng, sizeof integers / sizeof *integers)];
        s[2].real = reals[cns_rng_below(&rng, sizeof reals / sizeof *reals)];
        s[4].integer = (int64_t)cns_rng_below(&rng, 2);
    }
    cns_run run = {.arguments = arguments, .results = out->results, .result_capacity = 8};
    support_ir_eval(function, &run, 10000000);
    out->trap = run.trap;
    out->result_count = run.result_count;
    if (run.trap.site < function->site_count) {
        out->trap.site = function->sites[run.trap.site].line;
    }
}

bool support_ir_same(const support_ir_outcome *a, const support_ir_outcome *b) {
    bool same = a->trap.kind == b->trap.kind && a->trap.site == b->trap.site &&
                a->trap.integer == b->trap.integer && a->trap.other == b->trap.other &&
                memcmp(a->elements, b->elements, sizeof a->elements) == 0;
    if (!same || a->trap.kind != CNS_TRAP_NONE) {
        return same;
    }
    same = a->result_count == b->result_count;
    for (uint32_t i = 0; i < a->result_count && same; i++) {
        same = a->results[i].type == b->results[i].type &&
               (a->results[i].type == CNS_VM_NIL || a->results[i].integer == b->results[i].integer);
    }
    return same;
}
