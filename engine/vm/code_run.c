/* SPDX-License-Identifier: MIT
 *
 * code_run.c - the scalar interpreter: the reference of what a kernel does.
 *
 * One handler an operation, reached through a table of labels where the compiler has them. Loads
 * and stores check their index, but for those that the optimiser of this process proved inside: it
 * reads no claim of the kind from a file. Jumps back count down to the next poll.
 */
#include <string.h>

#include "memory/element.h"
#include "vm/arithmetic.h"
#include "vm/code.h"
#include "vm/parallel.h"

enum {
    SMALL_FRAME = 512 /* registers on the C stack */
};

/* ---- entry and exit -------------------------------------------------------------------------- */

static void enter(const cns_code *code, const cns_run *run, cns_code_register *r) {
    for (uint32_t i = 0; i < code->argument_count; i++) {
        const cns_code_argument *argument = &code->arguments[i];
        if (cns_ir_is_buffer(argument->type)) {
            r[argument->reg].p = run->arguments[i].data;
            r[argument->reg + 1].u = run->arguments[i].count;
        } else if (argument->type != CNS_VM_NIL) {
            r[argument->reg].i = run->arguments[i].integer; /* or the float's bits */
        }
    }
    if (code->constant_count > 0) {
        memcpy(r + code->constant_base, code->constants,
               code->constant_count * sizeof *code->constants);
    }
    r[code->constant_base + code->constant_count].i = 0;
}

static void leave(const cns_code *code, uint64_t first, cns_run *run, const cns_code_register *r) {
    const cns_code_result *result = code->results + first;
    uint32_t count = 0;
    for (; result->type != CNS_VM_VOID; result++, count++) {
        run->results[count].integer = result->type == CNS_VM_NIL ? 0 : r[result->reg].i;
        run->results[count].type = result->type;
    }
    run->result_count = count;
}

/* ---- failures -------------------------------------------------------------------------------- */

static uint32_t stop(cns_run *run, uint32_t site, cns_status status) {
    run->trap = (cns_trap){.kind = CNS_TRAP_STOPPED, .site = site, .integer = status};
    return CNS_TRAP_STOPPED;
}

static uint32_t trap(cns_run *run, uint32_t site, cns_trap_kind kind) {
    run->trap = (cns_trap){.kind = (uint32_t)kind, .site = site};
    return (uint32_t)kind;
}

static uint32_t trap_integer(cns_run *run, uint32_t site, cns_trap_kind kind, int64_t value,
                             uint64_t other) {
    run->trap = (cns_trap){.kind = (uint32_t)kind, .site = site, .integer = value, .other = other};
    return (uint32_t)kind;
}

static uint32_t trap_real(cns_run *run, uint32_t site, cns_trap_kind kind, double value,
                          uint64_t other) {
    run->trap = (cns_trap){.kind = (uint32_t)kind, .site = site, .real = value, .other = other};
    return (uint32_t)kind;
}

/* ---- forks ----------------------------------------------------------------------------------- */

static uint32_t run_body(const void *code, cns_run *run) {
    return cns_code_run(code, run);
}

/* ---- the interpreter ------------------------------------------------------------------------- */

#define A r[i->a]
#define B r[i->b]
#define C r[i->c]
#define E r[i->e]
#define SITE code->sites[i - base]

#if defined(__GNUC__)
#define DISPATCH() goto *labels[i->op]
#define CASE(name) label_##name:
#define NEXT()                                                                                     \
    i++;                                                                                           \
    DISPATCH()
#define GO(place)                                                                                  \
    i = base + (place);                                                                            \
    DISPATCH()
#else
#define DISPATCH() goto dispatch
#define CASE(name) case name:
#define NEXT()                                                                                     \
    i++;                                                                                           \
    DISPATCH()
#define GO(place)                                                                                  \
    i = base + (place);                                                                            \
    DISPATCH()
#endif

#define IR(name) CASE(CNS_IR_##name)
#define OP(name) CASE(CNS_CODE_##name)
#define MAKES_I(name, expression)                                                                  \
    IR(name) {                                                                                     \
        A.i = (expression);                                                                        \
        NEXT();                                                                                    \
    }
#define MAKES_F(name, expression)                                                                  \
    IR(name) {                                                                                     \
        A.f = (expression);                                                                        \
        NEXT();                                                                                    \
    }
#define BRANCHES(name, condition)                                                                  \
    OP(IF_##name) {                                                                                \
        if (condition) {                                                                           \
            GO(i->target);                                                                         \
        }                                                                                          \
        NEXT();                                                                                    \
    }                                                                                              \
    OP(UNLESS_##name) {                                                                            \
        if (!(condition)) {                                                                        \
            GO(i->target);                                                                         \
        }                                                                                          \
        NEXT();                                                                                    \
    }
#define SELECTS(name, condition)                                                                   \
    OP(SELECT_##name) {                                                                            \
        A = (condition) ? E : r[i->target];                                                        \
        NEXT();                                                                                    \
    }
#define PLACE (C.u + (uint64_t)i->immediate - 1)
#define CHECK_LOAD()                                                                               \
    if (place >= r[i->b + 1].u) {                                                                  \
        goto bad_load_index;                                                                       \
    }
#define CHECK_STORE()                                                                              \
    if (place >= r[i->a + 1].u) {                                                                  \
        goto bad_store_index;                                                                      \
    }
#define LOADS_AS(form, name, ctype, field, value, check)                                           \
    OP(form##_##name) {                                                                            \
        uint64_t place = PLACE;                                                                    \
        check;                                                                                     \
        ctype element = ((const ctype *)B.p)[place];                                               \
        A.field = (value)element;                                                                  \
        NEXT();                                                                                    \
    }
#define LOADS(name, ctype, field, value)                                                           \
    LOADS_AS(LOAD, name, ctype, field, value, CHECK_LOAD())                                        \
    LOADS_AS(PROVEN_LOAD, name, ctype, field, value, )
#define LOADS_U64(form, check)                                                                     \
    OP(form##_U64) {                                                                               \
        uint64_t place = PLACE;                                                                    \
        check;                                                                                     \
        uint64_t element = ((const uint64_t *)B.p)[place];                                         \
        if (element > INT64_MAX) {                                                                 \
            return trap_integer(run, SITE, CNS_TRAP_LOAD, 0, CNS_U64);                             \
        }                                                                                          \
        A.u = element;                                                                             \
        NEXT();                                                                                    \
    }
#define STORES(name, ctype, test)                                                                  \
    STORES_AS(, name, ctype, test, CHECK_STORE())                                                  \
    STORES_AS(PROVEN_, name, ctype, test, )
#define STORES_AS(form, name, ctype, test, check)                                                  \
    OP(form##STORE_INTEGER_##name) {                                                               \
        uint64_t place = PLACE;                                                                    \
        check;                                                                                     \
        int64_t value = B.i;                                                                       \
        if (!(test)) {                                                                             \
            return trap_integer(run, SITE, CNS_TRAP_STORE_INTEGER, value, CNS_##name);             \
        }                                                                                          \
        ((ctype *)A.p)[place] = (ctype)value;                                                      \
        NEXT();                                                                                    \
    }                                                                                              \
    OP(form##STORE_REAL_##name) {                                                                  \
        uint64_t place = PLACE;                                                                    \
        check;                                                                                     \
        if (!cns_element_store_f64(CNS_##name, A.p, place, B.f)) {                                 \
            return trap_real(run, SITE, CNS_TRAP_STORE_FLOAT, B.f, CNS_##name);                    \
        }                                                                                          \
        NEXT();                                                                                    \
    }
#define CONVERTS(name, kind)                                                                       \
    IR(name) {                                                                                     \
        double value = B.f;                                                                        \
        if (!cns_fits_i64(value)) {                                                                \
            return trap_real(run, SITE, kind, value, 0);                                           \
        }                                                                                          \
        A.i = (int64_t)value;                                                                      \
        NEXT();                                                                                    \
    }
#define DIVIDES(name, kind, function)                                                              \
    IR(name) {                                                                                     \
        if (C.i == 0) {                                                                            \
            return trap(run, SITE, kind);                                                          \
        }                                                                                          \
        A.i = function(B.i, C.i);                                                                  \
        NEXT();                                                                                    \
    }

static uint32_t interpret(const cns_code *code, cns_run *run, cns_code_register *r,
                          cns_vm_value *slots) {
    const cns_code_instruction *const base = code->instructions;
    const cns_code_instruction *i = base;
    uint32_t budget = CNS_POLL_EVERY;
#if defined(__GNUC__)
    static const void *const labels[CNS_CODE_OP_COUNT] = {
#define LABEL(name, text, result, operands, properties) [CNS_IR_##name] = &&label_CNS_IR_##name,
        CNS_IR_OPS(LABEL)
#undef LABEL
#define LABEL(name, text, form) [CNS_CODE_##name] = &&label_CNS_CODE_##name,
            CNS_CODE_OPS(LABEL)
#undef LABEL
    };
    DISPATCH();
#else
dispatch:
    switch (i->op) {
#endif
    /* clang-format off */
    MAKES_I(SELECT_BOOL, B.i ? C.i : E.i)
    MAKES_I(SELECT_I64, B.i ? C.i : E.i)
    MAKES_F(SELECT_F64, B.i ? C.f : E.f)
    MAKES_I(ADD_I64, cns_wrap(B.u + C.u))
    MAKES_I(SUB_I64, cns_wrap(B.u - C.u))
    MAKES_I(MUL_I64, cns_wrap(B.u * C.u))
    DIVIDES(IDIV_I64, CNS_TRAP_DIVIDE, cns_floor_divide)
    DIVIDES(MOD_I64, CNS_TRAP_MODULO, cns_floor_modulo)
    DIVIDES(FMOD_I64, CNS_TRAP_FMOD, cns_c_modulo)
    MAKES_I(NEG_I64, cns_wrap(0 - B.u))
    MAKES_I(ABS_I64, B.i < 0 ? cns_wrap(0 - B.u) : B.i)
    MAKES_I(AND_I64, cns_wrap(B.u & C.u))
    MAKES_I(OR_I64, cns_wrap(B.u | C.u))
    MAKES_I(XOR_I64, cns_wrap(B.u ^ C.u))
    MAKES_I(NOT_I64, cns_wrap(~B.u))
    MAKES_I(SHL_I64, cns_shift_left(B.i, C.i))
    MAKES_I(SHR_I64, cns_shift_right(B.i, C.i))
    MAKES_F(ADD_F64, B.f + C.f)
    MAKES_F(SUB_F64, B.f - C.f)
    MAKES_F(MUL_F64, B.f * C.f)
    MAKES_F(DIV_F64, B.f / C.f)
    MAKES_F(IDIV_F64, floor(B.f / C.f))
    MAKES_F(MOD_F64, (budget -= budget > CNS_FMOD_COST ? CNS_FMOD_COST : 0, cns_modulo_f64(B.f, C.f)))
    MAKES_F(FMOD_F64, (budget -= budget > CNS_FMOD_COST ? CNS_FMOD_COST : 0, fmod(B.f, C.f)))
    MAKES_F(POW_F64, cns_power_f64(B.f, C.f))
    MAKES_F(NEG_F64, -B.f)
    MAKES_F(ABS_F64, fabs(B.f))
    MAKES_F(FLOOR_F64, floor(B.f))
    MAKES_F(CEIL_F64, ceil(B.f))
    MAKES_F(SQRT_F64, sqrt(B.f))
    MAKES_F(SIN_F64, sin(B.f))
    MAKES_F(COS_F64, cos(B.f))
    MAKES_F(TAN_F64, tan(B.f))
    MAKES_F(ASIN_F64, asin(B.f))
    MAKES_F(ACOS_F64, acos(B.f))
    MAKES_F(ATAN2_F64, atan2(B.f, C.f))
    MAKES_F(EXP_F64, exp(B.f))
    MAKES_F(LOG_F64, log(B.f))
    MAKES_F(LOG2_F64, log2(B.f))
    MAKES_F(LOG10_F64, log10(B.f))
    MAKES_F(I64_TO_F64, (double)B.i)
    CONVERTS(F64_TO_I64, CNS_TRAP_NOT_INTEGER)
    CONVERTS(F64_TO_INDEX, CNS_TRAP_INDEX_FLOAT)
    MAKES_I(FITS_I64, cns_fits_i64(B.f))
    MAKES_I(TRUNC_I64, cns_truncate(B.f))
    MAKES_I(EQ_BOOL, B.i == C.i)
    MAKES_I(NOT_BOOL, !B.i)
    MAKES_I(AND_BOOL, B.i & C.i)
    MAKES_I(OR_BOOL, B.i | C.i)
    MAKES_I(EQ_I64, B.i == C.i)
    MAKES_I(LT_I64, B.i < C.i)
    MAKES_I(LE_I64, B.i <= C.i)
    MAKES_I(LT_U64, B.u < C.u)
    MAKES_I(EQ_F64, B.f == C.f)
    MAKES_I(LT_F64, B.f < C.f)
    MAKES_I(LE_F64, B.f <= C.f)
    MAKES_I(EQ_I64_F64, cns_equal_mixed(B.i, C.f))
    MAKES_I(LT_I64_F64, cns_less_if(B.i, C.f))
    MAKES_I(LE_I64_F64, cns_less_equal_if(B.i, C.f))
    MAKES_I(LT_F64_I64, cns_less_fi(B.f, C.i))
    MAKES_I(LE_F64_I64, cns_less_equal_fi(B.f, C.i))
    MAKES_I(FOR_COUNT, cns_for_count(B.i, C.i, E.i))
    MAKES_I(FOR_GOES_ON_F64, cns_for_goes_on_f64(B.f, C.f, E.f))
    MAKES_I(LEN, r[i->b + 1].i)
    MAKES_I(WITHIN, cns_within(r[i->b + 1].u, C.i, E.i, r[i->target].i))
    LOADS(I8, int8_t, i, int64_t)
    LOADS(I16, int16_t, i, int64_t)
    LOADS(I32, int32_t, i, int64_t)
    LOADS(I64, int64_t, i, int64_t)
    LOADS(U8, uint8_t, i, int64_t)
    LOADS(U16, uint16_t, i, int64_t)
    LOADS(U32, uint32_t, i, int64_t)
    LOADS_U64(LOAD, CHECK_LOAD())
    LOADS_U64(PROVEN_LOAD, )
    LOADS(F32, float, f, double)
    LOADS(F64, double, f, double)
    STORES(I8, int8_t, value >= INT8_MIN && value <= INT8_MAX)
    STORES(I16, int16_t, value >= INT16_MIN && value <= INT16_MAX)
    STORES(I32, int32_t, value >= INT32_MIN && value <= INT32_MAX)
    STORES(I64, int64_t, true)
    STORES(U8, uint8_t, value >= 0 && value <= UINT8_MAX)
    STORES(U16, uint16_t, value >= 0 && value <= UINT16_MAX)
    STORES(U32, uint32_t, value >= 0 && value <= UINT32_MAX)
    STORES(U64, uint64_t, value >= 0)
    STORES(F32, float, cns_i64_to_f32(value, &(float){0}))
    STORES(F64, double, cns_i64_to_f64(value, &(double){0}))
    BRANCHES(EQ_I64, B.i == C.i)
    BRANCHES(LT_I64, B.i < C.i)
    BRANCHES(LE_I64, B.i <= C.i)
    BRANCHES(EQ_F64, B.f == C.f)
    BRANCHES(LT_F64, B.f < C.f)
    BRANCHES(LE_F64, B.f <= C.f)
    SELECTS(EQ_I64, B.i == C.i)
    SELECTS(LT_I64, B.i < C.i)
    SELECTS(LE_I64, B.i <= C.i)
    SELECTS(EQ_F64, B.f == C.f)
    SELECTS(LT_F64, B.f < C.f)
    SELECTS(LE_F64, B.f <= C.f)
    /* clang-format on */
    IR(FOR_CLIP) {
        int64_t limit = 0;
        (void)cns_for_clip(B.f, C.i, &limit);
        A.i = limit;
        NEXT();
    }
    IR(FOR_ENTERS_I64) {
        if (E.i == 0) {
            return trap(run, SITE, CNS_TRAP_FOR_STEP);
        }
        A.i = cns_for_enters(B.i, C.i, E.i);
        NEXT();
    }
    IR(FOR_ENTERS_CLIP) {
        int64_t limit = 0;
        if (E.i == 0) {
            return trap(run, SITE, CNS_TRAP_FOR_STEP);
        }
        A.i = cns_for_clip(C.f, E.i, &limit) && cns_for_enters(B.i, limit, E.i);
        NEXT();
    }
    IR(FOR_ENTERS_F64) {
        if (E.f == 0) {
            return trap(run, SITE, CNS_TRAP_FOR_STEP);
        }
        A.i = cns_for_enters_f64(B.f, C.f, E.f);
        NEXT();
    }
    OP(MOVE) {
        A = B;
        NEXT();
    }
    OP(JUMP) {
        GO(i->target);
    }
    OP(JUMP_BACK) {
        if (--budget == 0) {
            goto poll;
        }
        GO(i->target);
    }
    OP(IF) {
        if (A.i) {
            GO(i->target);
        }
        NEXT();
    }
    OP(UNLESS) {
        if (!A.i) {
            GO(i->target);
        }
        NEXT();
    }
    OP(LOOP) {
        if (A.u == 0) {
            NEXT();
        }
        A.u--;
        B.u += C.u;
        if (--budget == 0) {
            goto poll;
        }
        GO(i->target);
    }
    OP(LOOP_END) {
        if (A.u == 0) {
            GO(i->target);
        }
        A.u--;
        B.u += C.u;
        NEXT();
    }
    OP(BLOCK) {
        uint32_t left = budget; /* whose address would keep it out of a register */
        uint32_t kind = cns_block_plan_run(code->plans[i->immediate], &r->u, run, &left);
        budget = left;
        if (kind != CNS_TRAP_NONE) {
            return kind;
        }
        NEXT();
    }
    OP(RETURN) {
        leave(code, (uint64_t)i->immediate, run, r);
        return CNS_TRAP_NONE;
    }
    OP(PASS) {
        slots[i->immediate].integer = B.i;
        NEXT();
    }
    OP(PASS_BUFFER) {
        slots[i->immediate].data = B.p;
        slots[i->immediate].count = r[i->b + 1].u;
        NEXT();
    }
    OP(FORK) {
        const cns_code_body *body = &code->bodies[i->immediate];
        slots[0].integer = A.i;
        slots[1].integer = B.i;
        uint32_t kind = cns_parallel_run(run, &body->fork, run_body, body->code, slots, C.i);
        if (kind != CNS_TRAP_NONE) {
            return kind;
        }
        NEXT();
    }
    OP(GET) {
        A.i = slots[i->immediate].integer;
        NEXT();
    }
    /* clang-format off */
    /* Never emitted. */
    IR(NOP) IR(ARGUMENT) IR(PARAM) IR(FORK_PASS) IR(FORK) IR(FORK_GET_I64) IR(FORK_GET_F64)
    IR(CONST_BOOL) IR(CONST_I64) IR(CONST_F64) IR(LOAD) IR(STORE) {
        /* clang-format on */
        return stop(run, SITE, CNS_E_CORRUPT);
    }
#if !defined(__GNUC__)
}
#endif

poll : budget = CNS_POLL_EVERY;
if (run->poll) {
    cns_status status = run->poll(run->poll_user);
    if (status != CNS_OK) {
        return stop(run, SITE, status);
    }
}
GO(i->target);
bad_load_index : return trap_integer(run, SITE, CNS_TRAP_INDEX,
                                     cns_wrap(C.u + (uint64_t)i->immediate), r[i->b + 1].u);
bad_store_index : return trap_integer(run, SITE, CNS_TRAP_INDEX,
                                      cns_wrap(C.u + (uint64_t)i->immediate), r[i->a + 1].u);
}

uint32_t cns_code_run(const cns_code *code, cns_run *run) {
    cns_code_register small[SMALL_FRAME];
    cns_vm_value slots[CNS_IR_FORK_SLOTS];
    if (code->register_count <= SMALL_FRAME) {
        enter(code, run, small);
        return interpret(code, run, small, slots);
    }
    size_t size = code->register_count * sizeof(cns_code_register);
    cns_code_register *frame = cns_context_alloc(code->context, size, 16);
    if (!frame) {
        return stop(run, CNS_IR_NONE, cns_context_memory_status(code->context, size));
    }
    enter(code, run, frame);
    uint32_t kind = interpret(code, run, frame, slots);
    cns_context_free(code->context, frame, size, 16);
    return kind;
}
