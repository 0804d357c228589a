/* SPDX-License-Identifier: MIT
 *
 * test_block_lanes.c - each primitive of the block VM, in each form and for each instruction set
 * that this machine has, against what the operation means (ir_eval.h), on numbers of all kinds.
 */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "ir_eval.h"
#include "support.h"
#include "vm/block_lanes.h"

enum { LANES = 64, ROUNDS = 20 };

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t some_float(cns_rng *rng) {
    static const double special[] = {
        0.0,    -0.0,    1.0,      -1.0,      2.0, 0.5,  -2.5,       1e308,   5e-324, 7.0, 0x1p53,
        0x1p63, -0x1p63, INFINITY, -INFINITY, NAN, 3.75, 1234567.25, -0x1p62, 64.0,   -3.0};
    uint64_t p = cns_rng_next(rng);
    if (p % 3 == 0) {
        return bits_of(special[p / 3 % (sizeof special / sizeof *special)]);
    }
    return p % 3 == 1 ? bits_of((double)(int64_t)(p >> 8) / 0x1p40) : cns_rng_next(rng);
}

static uint64_t some_integer(cns_rng *rng) {
    static const int64_t special[] = {0,  1,   -1,  2, 3,         63,        64,
                                      65, -64, -63, 7, INT64_MAX, INT64_MIN, INT64_C(1) << 53};
    uint64_t p = cns_rng_next(rng);
    if (p % 3 == 0) {
        return (uint64_t)special[p / 3 % (sizeof special / sizeof *special)];
    }
    return p % 3 == 1 ? (uint64_t)((int64_t)(p >> 8) % 200 - 100) : cns_rng_next(rng);
}

static uint8_t type_of(char letter) {
    return letter == 'f' ? CNS_VM_F64 : letter == 'i' ? CNS_VM_I64 : CNS_VM_BOOL;
}

static uint64_t some_lane(cns_rng *rng, char letter) {
    return letter == 'f'   ? some_float(rng)
           : letter == 'i' ? some_integer(rng)
                           : 0 - (cns_rng_next(rng) & 1);
}

/* A function of one operation. */
static cns_ir_function *function_of(cns_context *context, cns_ir_op op) {
    const cns_ir_op_info *info = cns_ir_info(op);
    cns_ir_function *function = NULL;
    cns_ir_value operands[CNS_IR_OPERANDS], result = CNS_IR_NONE;
    ck_assert_int_eq(cns_ir_create(context, "one", &function), CNS_OK);
    for (int i = 0; i < CNS_IR_OPERANDS; i++) {
        operands[i] = CNS_IR_NONE;
    }
    for (size_t i = 0; i < strlen(info->operands); i++) {
        ck_assert_int_eq(
            cns_ir_add_argument(function, type_of(info->operands[i]), "x", &operands[i]), CNS_OK);
    }
    uint32_t site;
    ck_assert_int_eq(cns_ir_add_site(function, "test", 1, CNS_IR_NONE, &site), CNS_OK);
    ck_assert_int_eq(cns_ir_add(function, 0, op, site, operands, &result), CNS_OK);
    ck_assert_int_eq(cns_ir_end_return(function, 0, site, &result, 1), CNS_OK);
    return function;
}

/* What the operation gives; false where it gives nothing but an error. */
static bool expect(const cns_ir_function *function, const cns_ir_op_info *info,
                   const uint64_t *lanes, uint64_t *out) {
    cns_vm_value arguments[CNS_IR_OPERANDS] = {0}, result;
    for (size_t i = 0; i < strlen(info->operands); i++) {
        arguments[i].integer = (int64_t)(info->operands[i] == 'b' ? lanes[i] & 1 : lanes[i]);
    }
    cns_run run = {.arguments = arguments, .results = &result, .result_capacity = 1};
    bool given = support_ir_eval(function, &run, 100) == CNS_TRAP_NONE;
    *out = info->result == 'b' ? 0 - (uint64_t)result.integer : (uint64_t)result.integer;
    return given;
}

static bool same(char result, uint64_t x, uint64_t y) {
    double a, b;
    memcpy(&a, &x, sizeof a);
    memcpy(&b, &y, sizeof b);
    return x == y || (result == 'f' && a != a && b != b);
}

/* Operands of a primitive are its operation's, but a SELECT's condition comes last. */
static void check_form(cns_context *context, const cns_lanes *set, cns_ir_op op,
                       cns_lanes_form form, cns_rng *rng) {
    const cns_ir_op_info *info = cns_ir_info(op);
    bool choice = op >= CNS_IR_SELECT_BOOL && op <= CNS_IR_SELECT_F64;
    uint64_t lanes[CNS_IR_OPERANDS][LANES], d[LANES];
    size_t count = strlen(info->operands);
    for (size_t i = 0; i < count; i++) {
        size_t place = i - choice;
        bool one =
            !(choice && i == 0) && ((place == 0 && (form == CNS_LANES_A || form == CNS_LANES_AB)) ||
                                    (place == 1 && (form == CNS_LANES_B || form == CNS_LANES_AB)));
        uint64_t same_lane = some_lane(rng, info->operands[i]);
        for (size_t k = 0; k < LANES; k++) {
            lanes[i][k] = one ? same_lane : some_lane(rng, info->operands[i]);
        }
    }
    set->operation[op][form](d, lanes[choice ? 1 : 0], lanes[choice ? 2 : 1], lanes[choice ? 0 : 2],
                             LANES);
    cns_ir_function *function = function_of(context, op);
    for (size_t k = 0; k < LANES; k++) {
        uint64_t own[CNS_IR_OPERANDS], wanted;
        for (size_t i = 0; i < count; i++) {
            own[i] = lanes[i][k];
        }
        ck_assert_msg(!expect(function, info, own, &wanted) || same(info->result, d[k], wanted),
                      "%s, form %d, %s: %llx %llx gives %llx, not %llx", info->name, (int)form,
                      set->name, (unsigned long long)own[0], (unsigned long long)own[1],
                      (unsigned long long)d[k], (unsigned long long)wanted);
    }
    cns_ir_destroy(function);
}

static void check_set(const cns_lanes *set) {
    cns_context *context = support_context();
    cns_rng rng;
    cns_rng_seed(&rng, 5);
    for (int op = 0; op < CNS_IR_OP_COUNT; op++) {
        for (int form = 0; form < CNS_LANES_FORMS; form++) {
            for (int round = 0; round < ROUNDS && set->operation[op][form]; round++) {
                check_form(context, set, (cns_ir_op)op, (cns_lanes_form)form, &rng);
            }
        }
    }
    support_context_destroy(context);
}

START_TEST(operations_are_the_interpreters) {
    check_set(cns_lanes_portable());
    check_set(cns_lanes_find(cns_cpu_detect()));
#if defined(__x86_64__)
    if (cns_cpu_supports(CNS_CPU_AVX2)) {
        check_set(cns_lanes_avx2());
    }
#endif
}
END_TEST

static void check_looking(const cns_lanes *set) {
    int64_t lanes[LANES], mask[LANES];
    cns_rng rng;
    cns_rng_seed(&rng, 6);
    for (size_t n = 0; n <= LANES; n++) {
        size_t count = 0;
        uint64_t sum = 0;
        bool out = false, masked_out = false;
        double s = 0.25, masked_s = 0.25, expected = 0.25, masked_expected = 0.25, reals[LANES];
        for (size_t k = 0; k < n; k++) {
            lanes[k] = (int64_t)some_integer(&rng);
            lanes[k] = n % 3 == 0 ? lanes[k] % 100 : lanes[k];
            mask[k] = -(int64_t)(cns_rng_next(&rng) & 1);
            reals[k] = (double)lanes[k] / 3;
            count += mask[k] != 0;
            sum += (uint64_t)lanes[k];
            bool outside = lanes[k] < -128 || lanes[k] > 127;
            out = out || outside;
            masked_out = masked_out || (outside && mask[k]);
            expected += reals[k];
            masked_expected = mask[k] ? masked_expected + reals[k] : masked_expected;
        }
        ck_assert_uint_eq(set->count(mask, n), count);
        ck_assert_int_eq(set->sum(lanes, n), (int64_t)sum);
        ck_assert_int_eq(set->outside(lanes, NULL, -128, 127, n), out);
        ck_assert_int_eq(set->outside(lanes, mask, -128, 127, n), masked_out);
        set->sum_in_order(&s, reals, NULL, n);
        set->sum_in_order(&masked_s, reals, mask, n);
        ck_assert(bits_of(s) == bits_of(expected));
        ck_assert(bits_of(masked_s) == bits_of(masked_expected));
    }
}

START_TEST(masks_choose_lanes) {
    check_looking(cns_lanes_portable());
    check_looking(cns_lanes_find(cns_cpu_detect()));
}
END_TEST

START_TEST(memory_is_touched_as_far_as_told) {
    const cns_lanes *set = cns_lanes_find(cns_cpu_detect());
    int8_t bytes[LANES + 1], back[LANES + 1];
    int64_t lanes[LANES];
    for (size_t n = 0; n <= LANES; n++) {
        for (size_t k = 0; k < LANES + 1; k++) {
            bytes[k] = (int8_t)(k * 37);
            back[k] = 99;
        }
        set->widen[CNS_I8](lanes, bytes, n);
        set->narrow[CNS_I8](back, lanes, n);
        for (size_t k = 0; k < n; k++) {
            ck_assert_int_eq(lanes[k], bytes[k]);
            ck_assert_int_eq(back[k], bytes[k]);
        }
        ck_assert_int_eq(back[n], 99);
        set->iota(lanes, INT64_MAX, 3, n);
        for (size_t k = 0; k < n; k++) {
            ck_assert_uint_eq((uint64_t)lanes[k], (uint64_t)INT64_MAX + 3 * k);
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("block_lanes");
    TCase *all = tcase_create("block_lanes");
    tcase_set_timeout(all, 120);
    tcase_add_test(all, operations_are_the_interpreters);
    tcase_add_test(all, masks_choose_lanes);
    tcase_add_test(all, memory_is_touched_as_far_as_told);
    suite_add_tcase(suite, all);
    return support_run(suite);
}
