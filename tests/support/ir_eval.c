/* SPDX-License-Identifier: MIT
 *
 * ir_eval.c - one operation at a time, as ops.h and the Lua 5.4 manual say.
 */
#include "ir_eval.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory/element.h"
#include "vm/parallel.h"

typedef union cell {
    int64_t i; /* bool: 0 or 1 */
    double f;
    const cns_vm_value *buffer;
} cell;

typedef struct evaluation {
    const cns_ir_function *function;
    cns_run *run;
    cell *cells; /* one a value */
    cns_vm_value slots[CNS_IR_FORK_SLOTS];
} evaluation;

static bool trap(evaluation *e, const cns_ir_instruction *code, cns_trap_kind kind) {
    e->run->trap = (cns_trap){.kind = (uint32_t)kind, .site = code->site};
    return false;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static int64_t wrap(uint64_t x) {
    return (int64_t)x;
}

static int64_t floor_divide(int64_t a, int64_t b) {
    if (b == -1) {
        return wrap(0 - (uint64_t)a);
    }
    return a / b - (a % b != 0 && (a ^ b) < 0);
}

static int64_t floor_modulo(int64_t a, int64_t b) {
    if (b == -1) {
        return 0;
    }
    int64_t m = a % b;
    return m != 0 && (m ^ b) < 0 ? m + b : m;
}

static int64_t shift_left(int64_t x, int64_t by) {
    if (by <= -64 || by >= 64) {
        return 0;
    }
    return by >= 0 ? wrap((uint64_t)x << by) : wrap((uint64_t)x >> -by);
}

static int64_t shift_right(int64_t x, int64_t by) {
    return by == INT64_MIN ? 0 : shift_left(x, -by);
}

static double modulo(double a, double b) {
    double m = fmod(a, b);
    return (m > 0 ? b < 0 : m < 0 && b > 0) ? m + b : m;
}

static double power(double a, double b) {
    return b == 2 ? a * a : pow(a, b);
}

static bool fits(double x) {
    return x >= -0x1p63 && x < 0x1p63 && floor(x) == x;
}

/* i < f and i <= f as numbers: an integer is below f just when it is below the next integer. */
static bool less_if(int64_t i, double f) {
    return f >= 0x1p63 || (f > -0x1p63 && i < (int64_t)ceil(f));
}

static bool less_equal_if(int64_t i, double f) {
    return f >= 0x1p63 || (f >= -0x1p63 && i <= (int64_t)floor(f));
}

/* ---- for loops, as lvm.c prepares them ------------------------------------------------------- */

/* The limit as an integer; false when the loop cannot run. */
static bool clip(double limit, int64_t step, int64_t *out) {
    double whole = step < 0 ? ceil(limit) : floor(limit);
    if (whole >= -0x1p63 && whole < 0x1p63) {
        *out = (int64_t)whole;
        return true;
    }
    *out = limit > 0 ? INT64_MAX : INT64_MIN;
    return limit > 0 ? step >= 0 : step <= 0;
}

static bool enters(int64_t init, int64_t limit, int64_t step) {
    return step > 0 ? init <= limit : init >= limit;
}

static int64_t count_trips(int64_t init, int64_t limit, int64_t step) {
    if (step == 0) {
        return 0; /* nobody may look at it */
    }
    return step > 0 ? wrap(((uint64_t)limit - (uint64_t)init) / (uint64_t)step)
                    : wrap(((uint64_t)init - (uint64_t)limit) / (0 - (uint64_t)step));
}

/* ---- buffers --------------------------------------------------------------------------------- */

static bool within(uint64_t size, int64_t first, int64_t step, int64_t count) {
    if (first < 1 || (uint64_t)first > size || count < 0) {
        return false;
    }
    uint64_t room = step > 0 ? size - (uint64_t)first : (uint64_t)first - 1;
    uint64_t stride = step > 0 ? (uint64_t)step : 0 - (uint64_t)step;
    return stride == 0 || (uint64_t)count <= room / stride;
}

static bool check_index(evaluation *e, const cns_ir_instruction *code, const cns_vm_value *buffer,
                        int64_t index) {
    if ((uint64_t)index - 1 < buffer->count) {
        return true;
    }
    ck_assert_msg(!(code->flags & CNS_IR_PROVEN), "a proven index is outside: %lld of 1..%llu",
                  (long long)index, (unsigned long long)buffer->count);
    trap(e, code, CNS_TRAP_INDEX);
    e->run->trap.integer = index;
    e->run->trap.other = buffer->count;
    return false;
}

static bool load(evaluation *e, const cns_ir_instruction *code, const cell *a, cell *out) {
    const cns_vm_value *buffer = a[0].buffer;
    cns_type type = cns_ir_element(cns_ir_at(e->function, code->operands[0])->type);
    if (!check_index(e, code, buffer, a[1].i)) {
        return false;
    }
    uint64_t place = (uint64_t)a[1].i - 1;
    bool loaded = code->type == CNS_VM_F64
                      ? cns_element_load_f64(type, buffer->data, place, &out->f)
                      : cns_element_load_i64(type, buffer->data, place, &out->i);
    if (!loaded) {
        trap(e, code, CNS_TRAP_LOAD);
        e->run->trap.other = type;
    }
    return loaded;
}

static bool store(evaluation *e, const cns_ir_instruction *code, const cell *a) {
    const cns_vm_value *buffer = a[0].buffer;
    cns_type type = cns_ir_element(cns_ir_at(e->function, code->operands[0])->type);
    bool real = cns_ir_at(e->function, code->operands[2])->type == CNS_VM_F64;
    if (!check_index(e, code, buffer, a[1].i)) {
        return false;
    }
    uint64_t place = (uint64_t)a[1].i - 1;
    if (real ? cns_element_store_f64(type, buffer->data, place, a[2].f)
             : cns_element_store_i64(type, buffer->data, place, a[2].i)) {
        return true;
    }
    ck_assert_msg(!(code->flags & CNS_IR_CONVERTS), "what was known to fit does not");
    trap(e, code, real ? CNS_TRAP_STORE_FLOAT : CNS_TRAP_STORE_INTEGER);
    e->run->trap.integer = a[2].i; /* or the float's bits */
    e->run->trap.other = type;
    return false;
}

/* ---- operations ------------------------------------------------------------------------------ */

/* Those that may trap; false when one does. */
static bool evaluate_checked(evaluation *e, const cns_ir_instruction *code, const cell *a,
                             cell *out) {
    switch (code->op) {
    case CNS_IR_IDIV_I64:
        out->i = a[1].i ? floor_divide(a[0].i, a[1].i) : 0;
        return a[1].i ? true : trap(e, code, CNS_TRAP_DIVIDE);
    case CNS_IR_MOD_I64:
        out->i = a[1].i ? floor_modulo(a[0].i, a[1].i) : 0;
        return a[1].i ? true : trap(e, code, CNS_TRAP_MODULO);
    case CNS_IR_FMOD_I64:
        out->i = a[1].i && a[1].i != -1 ? a[0].i % a[1].i : 0;
        return a[1].i ? true : trap(e, code, CNS_TRAP_FMOD);
    case CNS_IR_F64_TO_I64:
    case CNS_IR_F64_TO_INDEX:
        if (fits(a[0].f)) {
            out->i = (int64_t)a[0].f;
            return true;
        }
        trap(e, code, code->op == CNS_IR_F64_TO_I64 ? CNS_TRAP_NOT_INTEGER : CNS_TRAP_INDEX_FLOAT);
        e->run->trap.real = a[0].f;
        return false;
    case CNS_IR_FOR_ENTERS_I64:
        out->i = enters(a[0].i, a[1].i, a[2].i);
        return a[2].i ? true : trap(e, code, CNS_TRAP_FOR_STEP);
    case CNS_IR_FOR_ENTERS_CLIP: {
        int64_t limit;
        out->i = clip(a[1].f, a[2].i, &limit) && enters(a[0].i, limit, a[2].i);
        return a[2].i ? true : trap(e, code, CNS_TRAP_FOR_STEP);
    }
    case CNS_IR_FOR_ENTERS_F64:
        out->i = !(a[2].f > 0 ? a[1].f < a[0].f : a[0].f < a[1].f);
        return a[2].f != 0 ? true : trap(e, code, CNS_TRAP_FOR_STEP);
    case CNS_IR_LOAD:
        return load(e, code, a, out);
    case CNS_IR_STORE:
        return store(e, code, a);
    default:
        ck_abort_msg("%s is not known here", cns_ir_info((cns_ir_op)code->op)->name);
        return false;
    }
}

static int64_t evaluate_integer(cns_ir_op op, const cell *a) {
    uint64_t x = (uint64_t)a[0].i, y = (uint64_t)a[1].i;
    switch (op) {
    case CNS_IR_SELECT_BOOL:
    case CNS_IR_SELECT_I64:
        return a[0].i ? a[1].i : a[2].i;
    case CNS_IR_ADD_I64:
        return wrap(x + y);
    case CNS_IR_SUB_I64:
        return wrap(x - y);
    case CNS_IR_MUL_I64:
        return wrap(x * y);
    case CNS_IR_NEG_I64:
        return wrap(0 - x);
    case CNS_IR_ABS_I64:
        return a[0].i < 0 ? wrap(0 - x) : a[0].i;
    case CNS_IR_AND_I64:
    case CNS_IR_AND_BOOL:
        return wrap(x & y);
    case CNS_IR_OR_I64:
    case CNS_IR_OR_BOOL:
        return wrap(x | y);
    case CNS_IR_XOR_I64:
        return wrap(x ^ y);
    case CNS_IR_NOT_I64:
        return wrap(~x);
    case CNS_IR_NOT_BOOL:
        return !a[0].i;
    case CNS_IR_SHL_I64:
        return shift_left(a[0].i, a[1].i);
    case CNS_IR_SHR_I64:
        return shift_right(a[0].i, a[1].i);
    case CNS_IR_EQ_BOOL:
    case CNS_IR_EQ_I64:
        return x == y;
    case CNS_IR_LT_I64:
        return a[0].i < a[1].i;
    case CNS_IR_LE_I64:
        return a[0].i <= a[1].i;
    case CNS_IR_LT_U64:
        return x < y;
    case CNS_IR_FOR_COUNT:
        return count_trips(a[0].i, a[1].i, a[2].i);
    case CNS_IR_LEN:
        return (int64_t)a[0].buffer->count;
    case CNS_IR_WITHIN:
        return within(a[0].buffer->count, a[1].i, a[2].i, a[3].i);
    default:
        ck_abort_msg("%s is not known here", cns_ir_info(op)->name);
        return 0;
    }
}

/* Integers and booleans from floats. */
static int64_t evaluate_test(cns_ir_op op, const cell *a) {
    int64_t limit = 0;
    switch (op) {
    case CNS_IR_FITS_I64:
        return fits(a[0].f);
    case CNS_IR_TRUNC_I64:
        return a[0].f >= -0x1p63 && a[0].f < 0x1p63 ? (int64_t)a[0].f : 0;
    case CNS_IR_EQ_F64:
        return a[0].f == a[1].f;
    case CNS_IR_LT_F64:
        return a[0].f < a[1].f;
    case CNS_IR_LE_F64:
        return a[0].f <= a[1].f;
    case CNS_IR_EQ_I64_F64:
        return fits(a[1].f) && (int64_t)a[1].f == a[0].i;
    case CNS_IR_LT_I64_F64:
        return less_if(a[0].i, a[1].f);
    case CNS_IR_LE_I64_F64:
        return less_equal_if(a[0].i, a[1].f);
    case CNS_IR_LT_F64_I64:
        return !isnan(a[0].f) && !less_equal_if(a[1].i, a[0].f);
    case CNS_IR_LE_F64_I64:
        return !isnan(a[0].f) && !less_if(a[1].i, a[0].f);
    case CNS_IR_FOR_CLIP:
        clip(a[0].f, a[1].i, &limit);
        return limit;
    case CNS_IR_FOR_GOES_ON_F64:
        return a[2].f > 0 ? a[0].f <= a[1].f : a[1].f <= a[0].f;
    default:
        return evaluate_integer(op, a);
    }
}

static double evaluate_float(cns_ir_op op, const cell *a) {
    double x = a[0].f, y = a[1].f;
    switch (op) {
    case CNS_IR_SELECT_F64:
        return a[0].i ? a[1].f : a[2].f;
    case CNS_IR_ADD_F64:
        return x + y;
    case CNS_IR_SUB_F64:
        return x - y;
    case CNS_IR_MUL_F64:
        return x * y;
    case CNS_IR_DIV_F64:
        return x / y;
    case CNS_IR_IDIV_F64:
        return floor(x / y);
    case CNS_IR_MOD_F64:
        return modulo(x, y);
    case CNS_IR_FMOD_F64:
        return fmod(x, y);
    case CNS_IR_POW_F64:
        return power(x, y);
    case CNS_IR_NEG_F64:
        return -x;
    case CNS_IR_ABS_F64:
        return fabs(x);
    case CNS_IR_FLOOR_F64:
        return floor(x);
    case CNS_IR_CEIL_F64:
        return ceil(x);
    case CNS_IR_SQRT_F64:
        return sqrt(x);
    case CNS_IR_SIN_F64:
        return sin(x);
    case CNS_IR_COS_F64:
        return cos(x);
    case CNS_IR_TAN_F64:
        return tan(x);
    case CNS_IR_ASIN_F64:
        return asin(x);
    case CNS_IR_ACOS_F64:
        return acos(x);
    case CNS_IR_ATAN2_F64:
        return atan2(x, y);
    case CNS_IR_EXP_F64:
        return exp(x);
    case CNS_IR_LOG_F64:
        return log(x);
    case CNS_IR_LOG2_F64:
        return log2(x);
    case CNS_IR_LOG10_F64:
        return log10(x);
    case CNS_IR_I64_TO_F64:
        return (double)a[0].i;
    default:
        ck_abort_msg("%s is not known here", cns_ir_info(op)->name);
        return 0;
    }
}

/* ---- forks ----------------------------------------------------------------------------------- */

static uint32_t run_body(const void *body, cns_run *run) {
    return support_ir_eval(body, run, UINT64_MAX);
}

static bool evaluate_fork(evaluation *e, const cns_ir_instruction *code, const cell *a, cell *out) {
    if (code->op == CNS_IR_FORK_PASS) {
        cns_vm_value *slot = &e->slots[code->index];
        if (cns_ir_is_buffer(cns_ir_at(e->function, code->operands[0])->type)) {
            *slot = *a[0].buffer;
        } else {
            slot->integer = a[0].i;
        }
    } else if (code->op == CNS_IR_FORK) {
        const cns_ir_body *body = &e->function->bodies[code->index];
        e->slots[0].integer = a[0].i;
        e->slots[1].integer = a[1].i;
        return cns_parallel_run(e->run, &body->fork, run_body, body->function, e->slots, a[2].i) ==
               CNS_TRAP_NONE;
    } else {
        out->i = e->slots[code->index].integer;
    }
    return true;
}

static bool evaluate(evaluation *e, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(e->function, value);
    cns_ir_op op = (cns_ir_op)code->op;
    cell *out = &e->cells[value];
    cell a[CNS_IR_OPERANDS];
    memset(a, 0, sizeof a);
    for (uint32_t i = 0; i < code->operand_count; i++) {
        a[i] = e->cells[code->operands[i]];
    }
    if (op == CNS_IR_ARGUMENT) {
        const cns_vm_value *argument = &e->run->arguments[code->index];
        if (cns_ir_is_buffer(code->type)) {
            out->buffer = argument;
        } else {
            out->i = argument->integer; /* or the float's bits */
        }
    } else if (op >= CNS_IR_CONST_BOOL && op <= CNS_IR_CONST_F64) {
        out->i = code->i;
    } else if (op >= CNS_IR_FORK_PASS && op <= CNS_IR_FORK_GET_F64) {
        return evaluate_fork(e, code, a, out);
    } else if (cns_ir_has(op, 'T')) {
        return evaluate_checked(e, code, a, out);
    } else if (code->type == CNS_VM_F64) {
        out->f = evaluate_float(op, a);
    } else {
        out->i = evaluate_test(op, a);
    }
    return true;
}

/* ---- control --------------------------------------------------------------------------------- */

static void give_results(evaluation *e, const cns_ir_edge *results) {
    ck_assert_uint_le(results->count, e->run->result_capacity);
    for (uint32_t i = 0; i < results->count; i++) {
        cns_ir_value value = results->arguments[i];
        e->run->results[i] = (cns_vm_value){.type = CNS_VM_NIL};
        if (value != CNS_IR_NONE) {
            e->run->results[i].integer = e->cells[value].i;
            e->run->results[i].type = cns_ir_at(e->function, value)->type;
        }
    }
    e->run->result_count = results->count;
}

/* All of an edge's arguments are read before a parameter is written. */
static void follow(evaluation *e, const cns_ir_edge *edge) {
    const cns_ir_block *target = &e->function->blocks[edge->target];
    cell *passed = malloc((edge->count + 1) * sizeof *passed);
    if (!passed) { /* an assertion that holds costs a write to a file */
        ck_abort_msg("no memory");
    }
    for (uint32_t i = 0; i < edge->count; i++) {
        passed[i] = e->cells[edge->arguments[i]];
    }
    for (uint32_t i = 0; i < edge->count; i++) {
        e->cells[target->parameters[i]] = passed[i];
    }
    free(passed);
}

static void run_blocks(evaluation *e, uint64_t fuel) {
    const cns_ir_function *f = e->function;
    cns_ir_block_id id = 0;
    for (; fuel > 0; fuel--) {
        const cns_ir_block *block = &f->blocks[id];
        for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = f->instructions[v].next) {
            if (!evaluate(e, v)) {
                return;
            }
        }
        if (block->end == CNS_IR_RETURN) {
            give_results(e, &block->edges[0]);
            return;
        }
        bool no = block->end == CNS_IR_BRANCH && !e->cells[block->condition].i;
        follow(e, &block->edges[no]);
        id = block->edges[no].target;
    }
    e->run->trap = (cns_trap){.kind = CNS_TRAP_STOPPED, .site = CNS_IR_NONE};
}

uint32_t support_ir_eval(const cns_ir_function *function, cns_run *run, uint64_t fuel) {
    evaluation e = {.function = function, .run = run};
    e.cells = calloc(function->instruction_count + 1, sizeof *e.cells);
    ck_assert_ptr_nonnull(e.cells);
    run->trap = (cns_trap){.kind = CNS_TRAP_NONE};
    run->result_count = 0;
    run_blocks(&e, fuel);
    free(e.cells);
    return run->trap.kind;
}
