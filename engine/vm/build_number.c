/* SPDX-License-Identifier: MIT
 *
 * build_number.c - arithmetic, bits, comparisons and tests.
 *
 * Lua 5.4's rules (lvm.c): + - * // % keep integers where both are; / and ^ are floats; bits want
 * integers, and take a float that has one exactly; integers and floats compare by exact value.
 */
#include "vm/builder.h"

/* ---- operands -------------------------------------------------------------------------------- */

typedef enum arithmetic {
    ADD,
    SUB,
    MUL,
    MOD,
    POW,
    DIV,
    IDIV,
    BAND,
    BOR,
    BXOR,
    SHL,
    SHR
} arithmetic;

/* LOP_ADDK.. and LOP_ADD.. list their operations in the same order. */
static arithmetic operation_of(cns_lua_op op) {
    switch (op) {
    case LOP_ADDI:
        return ADD;
    case LOP_SHRI:
        return SHR;
    case LOP_SHLI:
        return SHL;
    default:
        return op >= LOP_ADD ? (arithmetic)(op - LOP_ADD) : (arithmetic)(op - LOP_ADDK);
    }
}

/* An operand, and where it came from, for messages: a register, a constant of the function, or
 * (both are NONE) a number in the instruction. */
typedef struct operand {
    cns_slot slot;
    uint32_t reg;
    uint32_t constant;
} operand;

static operand from_register(cns_builder *b, uint32_t reg) {
    return (operand){b->slots[reg], reg, CNS_IR_NONE};
}

static operand from_constant(cns_builder *b, uint32_t index) {
    return (operand){cns_build_constant(b, index), CNS_IR_NONE, index};
}

static operand from_number(cns_builder *b, int32_t value) {
    return (operand){cns_build_value(b, cns_build_i64(b, value)), CNS_IR_NONE, CNS_IR_NONE};
}

static const char *operand_name(cns_builder *b, const operand *o) {
    return o->reg != CNS_IR_NONE        ? cns_build_name(b, o->reg)
           : o->constant != CNS_IR_NONE ? cns_build_constant_name(b, o->constant)
                                        : "a constant";
}

/* The operands of an arithmetic instruction, in the order in which Lua computes. */
static void find_operands(cns_builder *b, uint32_t i, operand *x, operand *y) {
    cns_lua_op op = cns_lua_op_of(i);
    *x = from_register(b, cns_lua_b(i));
    if (op == LOP_ADDI || op == LOP_SHRI || op == LOP_SHLI) {
        *y = from_number(b, cns_lua_sc(i));
    } else if (op <= LOP_BXORK) {
        *y = from_constant(b, cns_lua_c(i));
    } else {
        *y = from_register(b, cns_lua_c(i));
    }
    if (op == LOP_SHLI) { /* sC << R[B] */
        operand swapped = *x;
        *x = *y;
        *y = swapped;
    }
}

static bool check_numbers(cns_builder *b, const char *what, const operand *x, const operand *y) {
    const operand *both[] = {x, y};
    for (int i = 0; i < 2; i++) {
        const operand *bad = both[i], *other = both[1 - i];
        if (cns_build_is_number(&bad->slot)) {
            continue;
        }
        bool two = other->reg != bad->reg && other->reg != CNS_IR_NONE;
        cns_build_refuse(b, "%s with %s, which is %s%s%s; kernels compute with numbers only%s",
                         what, operand_name(b, bad), cns_build_what(b, &bad->slot),
                         two ? ", and " : "", two ? cns_build_describe(b, other->reg) : "",
                         cns_build_as_number(&bad->slot));
        return false;
    }
    return b->status == CNS_OK;
}

/* ---- arithmetic ------------------------------------------------------------------------------ */

static cns_ir_value to_i64(cns_builder *b, cns_slot number) {
    return cns_build_is_i64(&number) ? number.value
                                     : cns_build_1(b, CNS_IR_F64_TO_I64, number.value);
}

static cns_ir_value build_bits(cns_builder *b, arithmetic operation, const operand *x,
                               const operand *y) {
    static const cns_ir_op ops[] = {[BAND] = CNS_IR_AND_I64,
                                    [BOR] = CNS_IR_OR_I64,
                                    [BXOR] = CNS_IR_XOR_I64,
                                    [SHL] = CNS_IR_SHL_I64,
                                    [SHR] = CNS_IR_SHR_I64};
    cns_ir_value left = to_i64(b, x->slot);
    cns_ir_value right = to_i64(b, y->slot);
    return cns_build_2(b, ops[operation], left, right);
}

static cns_ir_value build_numbers(cns_builder *b, arithmetic operation, const operand *x,
                                  const operand *y) {
    static const cns_ir_op integers[] = {[ADD] = CNS_IR_ADD_I64,
                                         [SUB] = CNS_IR_SUB_I64,
                                         [MUL] = CNS_IR_MUL_I64,
                                         [MOD] = CNS_IR_MOD_I64,
                                         [IDIV] = CNS_IR_IDIV_I64};
    static const cns_ir_op floats[] = {
        [ADD] = CNS_IR_ADD_F64,  [SUB] = CNS_IR_SUB_F64, [MUL] = CNS_IR_MUL_F64,
        [MOD] = CNS_IR_MOD_F64,  [POW] = CNS_IR_POW_F64, [DIV] = CNS_IR_DIV_F64,
        [IDIV] = CNS_IR_IDIV_F64};
    bool integral = operation != POW && operation != DIV && cns_build_is_i64(&x->slot) &&
                    cns_build_is_i64(&y->slot);
    if (integral) {
        return cns_build_2(b, integers[operation], x->slot.value, y->slot.value);
    }
    cns_ir_value left = cns_build_to_f64(b, x->slot);
    cns_ir_value right = cns_build_to_f64(b, y->slot);
    return cns_build_2(b, floats[operation], left, right);
}

void cns_build_arithmetic(cns_builder *b, uint32_t i) {
    arithmetic operation = operation_of(cns_lua_op_of(i));
    operand x, y;
    find_operands(b, i, &x, &y);
    bool bits = operation >= BAND;
    if (check_numbers(b, bits ? "a bitwise operation" : "arithmetic", &x, &y)) {
        cns_ir_value result =
            bits ? build_bits(b, operation, &x, &y) : build_numbers(b, operation, &x, &y);
        b->slots[cns_lua_a(i)] = cns_build_value(b, result);
    }
}

/* ---- one operand ----------------------------------------------------------------------------- */

static cns_slot build_not(cns_builder *b, const cns_slot *x) {
    if (x->kind == CNS_SLOT_VALUE && x->type == CNS_VM_BOOL) {
        return cns_build_value(b, cns_build_1(b, CNS_IR_NOT_BOOL, x->value));
    }
    return cns_build_bool(b, x->kind == CNS_SLOT_NIL);
}

void cns_build_unary(cns_builder *b, uint32_t i) {
    const operand x = from_register(b, cns_lua_b(i));
    cns_slot *target = &b->slots[cns_lua_a(i)];
    switch (cns_lua_op_of(i)) {
    case LOP_NOT:
        *target = build_not(b, &x.slot);
        return;
    case LOP_LEN:
        if (x.slot.kind != CNS_SLOT_BUFFER) {
            cns_build_refuse(
                b, "the length of %s, which is %s; only buffers have one in a kernel%s",
                operand_name(b, &x), cns_build_what(b, &x.slot),
                x.slot.kind == CNS_SLOT_TABLE ? ": make one of it, cns.buffer(\"f64\", table)"
                                              : "");
            return;
        }
        *target = cns_build_value(b, cns_build_1(b, CNS_IR_LEN, x.slot.value));
        return;
    case LOP_BNOT:
        if (check_numbers(b, "a bitwise operation", &x, &x)) {
            *target = cns_build_value(b, cns_build_1(b, CNS_IR_NOT_I64, to_i64(b, x.slot)));
        }
        return;
    default:
        if (check_numbers(b, "arithmetic", &x, &x)) {
            cns_ir_op op = cns_build_is_i64(&x.slot) ? CNS_IR_NEG_I64 : CNS_IR_NEG_F64;
            *target = cns_build_value(b, cns_build_1(b, op, x.slot.value));
        }
    }
}

/* ---- comparisons ----------------------------------------------------------------------------- */

/* What a test says: known now, or a bool of the IR. */
typedef struct verdict {
    bool known;
    bool holds;
    cns_ir_value value;
} verdict;

static verdict known(bool holds) {
    return (verdict){.known = true, .holds = holds};
}

static verdict computed(cns_ir_value value) {
    return (verdict){.value = value};
}

static verdict build_equal_numbers(cns_builder *b, const cns_slot *x, const cns_slot *y) {
    bool xi = cns_build_is_i64(x), yi = cns_build_is_i64(y);
    if (xi == yi) {
        return computed(cns_build_2(b, xi ? CNS_IR_EQ_I64 : CNS_IR_EQ_F64, x->value, y->value));
    }
    return computed(xi ? cns_build_2(b, CNS_IR_EQ_I64_F64, x->value, y->value)
                       : cns_build_2(b, CNS_IR_EQ_I64_F64, y->value, x->value));
}

static verdict build_equal(cns_builder *b, const operand *left, const operand *right) {
    const cns_slot *x = &left->slot, *y = &right->slot;
    if (cns_build_is_number(x) && cns_build_is_number(y)) {
        return build_equal_numbers(b, x, y);
    }
    bool unknown = x->kind == CNS_SLOT_OTHER || y->kind == CNS_SLOT_OTHER;
    if (unknown && (x->kind == y->kind || x->kind == CNS_SLOT_NIL || y->kind == CNS_SLOT_NIL)) {
        cns_build_refuse(b,
                         "%s (%s) is compared with %s (%s); kernels compare numbers, booleans and "
                         "nil: compare outside and pass a bool",
                         operand_name(b, left), cns_build_what(b, x), operand_name(b, right),
                         cns_build_what(b, y));
        return known(false);
    }
    if (x->kind != y->kind || (x->kind == CNS_SLOT_VALUE && x->type != y->type)) {
        return known(false);
    }
    if (x->kind == CNS_SLOT_VALUE) {
        return computed(cns_build_2(b, CNS_IR_EQ_BOOL, x->value, y->value));
    }
    if (x->kind == CNS_SLOT_BUFFER && x->id != y->id) {
        cns_build_refuse(b,
                         "%s and %s are compared; whether two buffers are one is not known in a "
                         "kernel: compare outside and pass a bool",
                         operand_name(b, left), operand_name(b, right));
    }
    return known(x->kind == CNS_SLOT_NIL || x->id == y->id);
}

static verdict build_order(cns_builder *b, bool or_equal, const operand *x, const operand *y) {
    if (!check_numbers(b, "a comparison", x, y)) {
        return known(false);
    }
    static const cns_ir_op ops[2][2][2] = {
        {{CNS_IR_LT_F64, CNS_IR_LT_F64_I64}, {CNS_IR_LT_I64_F64, CNS_IR_LT_I64}},
        {{CNS_IR_LE_F64, CNS_IR_LE_F64_I64}, {CNS_IR_LE_I64_F64, CNS_IR_LE_I64}}};
    cns_ir_op op = ops[or_equal][cns_build_is_i64(&x->slot)][cns_build_is_i64(&y->slot)];
    return computed(cns_build_2(b, op, x->slot.value, y->slot.value));
}

static verdict truth(const cns_slot *x) {
    return x->kind == CNS_SLOT_VALUE && x->type == CNS_VM_BOOL ? computed(x->value)
                                                               : known(x->kind != CNS_SLOT_NIL);
}

/* LTI and the like compare with a number that stood in the source as an integer, or, with C, as a
 * float of integral value: the exact value is the same. */
static verdict build_verdict(cns_builder *b, uint32_t i) {
    operand x = from_register(b, cns_lua_a(i));
    operand y;
    switch (cns_lua_op_of(i)) {
    case LOP_EQ:
        y = from_register(b, cns_lua_b(i));
        return build_equal(b, &x, &y);
    case LOP_EQK:
        y = from_constant(b, cns_lua_b(i));
        return build_equal(b, &x, &y);
    case LOP_EQI:
        y = from_number(b, cns_lua_sb(i));
        return build_equal(b, &x, &y);
    case LOP_LT:
    case LOP_LE:
        y = from_register(b, cns_lua_b(i));
        return build_order(b, cns_lua_op_of(i) == LOP_LE, &x, &y);
    case LOP_LTI:
    case LOP_LEI:
        y = from_number(b, cns_lua_sb(i));
        return build_order(b, cns_lua_op_of(i) == LOP_LEI, &x, &y);
    case LOP_GTI:
    case LOP_GEI:
        y = from_number(b, cns_lua_sb(i));
        return build_order(b, cns_lua_op_of(i) == LOP_GEI, &y, &x);
    case LOP_TESTSET:
        return truth(&b->slots[cns_lua_b(i)]);
    default:
        return truth(&x.slot);
    }
}

/* A test and the jump behind it: the jump is taken when the verdict is the instruction's k. */
void cns_build_test(cns_builder *b, uint32_t i) {
    verdict v = build_verdict(b, i);
    bool wanted = cns_lua_k(i);
    uint32_t jump = b->pc + 2 + (uint32_t)cns_lua_sj(b->frame->proto->code[b->pc + 1]);
    uint32_t next = b->pc + 2;
    bool sets = cns_lua_op_of(i) == LOP_TESTSET;
    cns_slot before = b->slots[cns_lua_a(i)];
    if (v.known) {
        if (sets && v.holds == wanted) {
            b->slots[cns_lua_a(i)] = b->slots[cns_lua_b(i)];
        }
        cns_build_jump(b, v.holds == wanted ? jump : next);
        return;
    }
    cns_build_edge edges[2];
    if (sets) {
        b->slots[cns_lua_a(i)] = b->slots[cns_lua_b(i)];
    }
    edges[!wanted] = cns_build_edge_to(b, !wanted, jump, false);
    b->slots[cns_lua_a(i)] = before;
    edges[wanted] = cns_build_edge_to(b, wanted, next, false);
    cns_build_branch(b, v.value, edges);
}
