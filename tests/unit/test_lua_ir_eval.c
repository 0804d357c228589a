/* SPDX-License-Identifier: MIT
 *
 * test_lua_ir_eval.c - the evaluator of SSA, the oracle of other tests, against Lua itself.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "ir_eval.h"
#include "support.h"

static const int64_t integers[] = {0,
                                   1,
                                   -1,
                                   2,
                                   -2,
                                   3,
                                   7,
                                   -7,
                                   63,
                                   64,
                                   -64,
                                   65,
                                   -63,
                                   1000003,
                                   INT64_MAX,
                                   INT64_MIN,
                                   INT64_MAX - 1,
                                   INT64_MIN + 1,
                                   (int64_t)1 << 53,
                                   ((int64_t)1 << 53) + 1};
static const double floats[] = {
    0.0,    -0.0,   0.5,      -0.5,      1.0, -1.0,   2.0,        -2.0,   3.7,     -3.7,   1e300,
    -1e300, 5e-324, INFINITY, -INFINITY, NAN, 0x1p53, 0x1p53 + 2, 0x1p63, -0x1p63, 0x1p62, -0x1p64};
enum { INTEGERS = sizeof integers / sizeof *integers, FLOATS = sizeof floats / sizeof *floats };

static void push(lua_State *L, const cns_vm_value *value, char letter) {
    if (letter == 'i') {
        lua_pushinteger(L, value->integer);
    } else {
        lua_pushnumber(L, value->real);
    }
}

static uint8_t type_of(char letter) {
    return letter == 'i' ? CNS_VM_I64 : CNS_VM_F64;
}

/* One operation on arguments, as a function. */
static cns_ir_function *make(cns_context *context, cns_ir_op op) {
    cns_ir_function *f = NULL;
    cns_ir_value operands[CNS_IR_OPERANDS] = {0}, result;
    support_status(context, CNS_OK, cns_ir_create(context, "k", &f));
    const char *letters = cns_ir_info(op)->operands;
    for (int i = 0; letters[i]; i++) {
        support_status(context, CNS_OK,
                       cns_ir_add_argument(f, type_of(letters[i]), "a", &operands[i]));
    }
    support_status(context, CNS_OK, cns_ir_add(f, 0, op, CNS_IR_NONE, operands, &result));
    support_status(context, CNS_OK, cns_ir_end_return(f, 0, CNS_IR_NONE, &result, 1));
    return f;
}

static void compare(lua_State *L, const char *code, const cns_run *run, const char *letters) {
    const cns_vm_value *is = &run->results[0];
    char said[300];
    snprintf(said, sizeof said, "%s: %s of %lld/%.17g, %lld/%.17g, gave %lld/%.17g trap %u, Lua %s",
             code, letters, (long long)run->arguments[0].integer, run->arguments[0].real,
             (long long)run->arguments[1].integer, run->arguments[1].real, (long long)is->integer,
             is->real, run->trap.kind, luaL_tolstring(L, -1, NULL));
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) { /* an error */
        ck_assert_msg(run->trap.kind != CNS_TRAP_NONE, "%s", said);
    } else if (lua_type(L, -1) == LUA_TBOOLEAN) {
        ck_assert_msg(is->type == CNS_VM_BOOL && is->integer == lua_toboolean(L, -1), "%s", said);
    } else if (lua_isinteger(L, -1)) {
        ck_assert_msg(is->type == CNS_VM_I64 && is->integer == lua_tointeger(L, -1), "%s", said);
    } else {
        double real = lua_tonumber(L, -1);
        ck_assert_msg(is->type == CNS_VM_F64, "%s", said);
        ck_assert_msg((isnan(real) && isnan(is->real)) || memcmp(&real, &is->real, 8) == 0, "%s",
                      said);
    }
}

/* All combinations of the values above. */
static void check(lua_State *L, cns_context *context, cns_ir_op op, const char *code) {
    cns_ir_function *f = make(context, op);
    const char *letters = cns_ir_info(op)->operands;
    int count = (int)strlen(letters);
    int total[3] = {1, 1, 1};
    for (int i = 0; i < count; i++) {
        total[i] = letters[i] == 'i' ? INTEGERS : FLOATS;
    }
    ck_assert_int_eq(luaL_loadstring(L, code), LUA_OK);
    for (int c = 0; c < total[0] * total[1] * total[2]; c++) {
        int at[3] = {c % total[0], c / total[0] % total[1], c / total[0] / total[1]};
        cns_vm_value arguments[3] = {{.integer = 0}}, result;
        lua_pushvalue(L, 1);
        for (int i = 0; i < count; i++) {
            if (letters[i] == 'i') {
                arguments[i].integer = integers[at[i]];
            } else {
                arguments[i].real = floats[at[i]];
            }
            push(L, &arguments[i], letters[i]);
        }
        cns_run run = {.arguments = arguments, .results = &result, .result_capacity = 1};
        support_ir_eval(f, &run, 100);
        lua_pcall(L, count, 1, 0);
        compare(L, code, &run, letters);
        lua_settop(L, 1);
    }
    lua_settop(L, 0);
    cns_ir_destroy(f);
}

typedef struct meaning {
    cns_ir_op op;
    const char *code;
} meaning;

#define ENTERS "local a, b, c = ...; for i = a, b, c do return true end; return false"
static const meaning meanings[] = {
    {CNS_IR_ADD_I64, "local a, b = ...; return a + b"},
    {CNS_IR_SUB_I64, "local a, b = ...; return a - b"},
    {CNS_IR_MUL_I64, "local a, b = ...; return a * b"},
    {CNS_IR_IDIV_I64, "local a, b = ...; return a // b"},
    {CNS_IR_MOD_I64, "local a, b = ...; return a % b"},
    {CNS_IR_FMOD_I64, "local a, b = ...; return math.fmod(a, b)"},
    {CNS_IR_NEG_I64, "local a = ...; return -a"},
    {CNS_IR_ABS_I64, "local a = ...; return math.abs(a)"},
    {CNS_IR_AND_I64, "local a, b = ...; return a & b"},
    {CNS_IR_OR_I64, "local a, b = ...; return a | b"},
    {CNS_IR_XOR_I64, "local a, b = ...; return a ~ b"},
    {CNS_IR_NOT_I64, "local a = ...; return ~a"},
    {CNS_IR_SHL_I64, "local a, b = ...; return a << b"},
    {CNS_IR_SHR_I64, "local a, b = ...; return a >> b"},
    {CNS_IR_ADD_F64, "local a, b = ...; return a + b"},
    {CNS_IR_SUB_F64, "local a, b = ...; return a - b"},
    {CNS_IR_MUL_F64, "local a, b = ...; return a * b"},
    {CNS_IR_DIV_F64, "local a, b = ...; return a / b"},
    {CNS_IR_IDIV_F64, "local a, b = ...; return a // b"},
    {CNS_IR_MOD_F64, "local a, b = ...; return a % b"},
    {CNS_IR_FMOD_F64, "local a, b = ...; return math.fmod(a, b)"},
    {CNS_IR_POW_F64, "local a, b = ...; return a ^ b"},
    {CNS_IR_NEG_F64, "local a = ...; return -a"},
    {CNS_IR_ABS_F64, "local a = ...; return math.abs(a)"},
    {CNS_IR_SQRT_F64, "local a = ...; return math.sqrt(a)"},
    {CNS_IR_SIN_F64, "local a = ...; return math.sin(a)"},
    {CNS_IR_COS_F64, "local a = ...; return math.cos(a)"},
    {CNS_IR_TAN_F64, "local a = ...; return math.tan(a)"},
    {CNS_IR_ASIN_F64, "local a = ...; return math.asin(a)"},
    {CNS_IR_ACOS_F64, "local a = ...; return math.acos(a)"},
    {CNS_IR_ATAN2_F64, "local a, b = ...; return math.atan(a, b)"},
    {CNS_IR_EXP_F64, "local a = ...; return math.exp(a)"},
    {CNS_IR_LOG_F64, "local a = ...; return math.log(a)"},
    {CNS_IR_LOG2_F64, "local a = ...; return math.log(a, 2)"},
    {CNS_IR_LOG10_F64, "local a = ...; return math.log(a, 10)"},
    {CNS_IR_I64_TO_F64, "local a = ...; return a + 0.0"},
    {CNS_IR_F64_TO_I64, "local a = ...; return a | 0"},
    {CNS_IR_FITS_I64, "local a = ...; return math.tointeger(a) ~= nil"},
    {CNS_IR_EQ_I64, "local a, b = ...; return a == b"},
    {CNS_IR_LT_I64, "local a, b = ...; return a < b"},
    {CNS_IR_LE_I64, "local a, b = ...; return a <= b"},
    {CNS_IR_LT_U64, "local a, b = ...; return math.ult(a, b)"},
    {CNS_IR_EQ_F64, "local a, b = ...; return a == b"},
    {CNS_IR_LT_F64, "local a, b = ...; return a < b"},
    {CNS_IR_LE_F64, "local a, b = ...; return a <= b"},
    {CNS_IR_EQ_I64_F64, "local a, b = ...; return a == b"},
    {CNS_IR_LT_I64_F64, "local a, b = ...; return a < b"},
    {CNS_IR_LE_I64_F64, "local a, b = ...; return a <= b"},
    {CNS_IR_LT_F64_I64, "local a, b = ...; return a < b"},
    {CNS_IR_LE_F64_I64, "local a, b = ...; return a <= b"},
    {CNS_IR_FOR_ENTERS_I64, ENTERS},
    {CNS_IR_FOR_ENTERS_CLIP, ENTERS},
    {CNS_IR_FOR_ENTERS_F64, ENTERS},
};

START_TEST(operations_mean_what_lua_means) {
    cns_context *context = support_context();
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    check(L, context, meanings[_i].op, meanings[_i].code);
    lua_close(L);
    support_context_destroy(context);
}
END_TEST

/* The whole of a numeric for: how often, and the last index. */
static void check_for(lua_State *L, cns_context *context, int64_t init, double limit,
                      int64_t step) {
    cns_ir_function *clips = make(context, CNS_IR_FOR_CLIP);
    cns_ir_function *counts = make(context, CNS_IR_FOR_COUNT);
    cns_vm_value clip_arguments[2] = {{.real = limit}, {.integer = step}}, clipped, count;
    cns_run run = {.arguments = clip_arguments, .results = &clipped, .result_capacity = 1};
    support_ir_eval(clips, &run, 100);
    cns_vm_value count_arguments[3] = {{.integer = init}, clipped, {.integer = step}};
    run.arguments = count_arguments;
    run.results = &count;
    support_ir_eval(counts, &run, 100);
    lua_settop(L, 0);
    luaL_loadstring(L, "local a, b, c = ...; local n = -1;"
                       "for i = a, b, c do n = n + 1; if n >= 1000 then break end end; return n");
    lua_pushinteger(L, init);
    lua_pushnumber(L, limit);
    lua_pushinteger(L, step);
    ck_assert_int_eq(lua_pcall(L, 3, 1, 0), LUA_OK);
    int64_t trips = lua_tointeger(L, -1);
    if (trips >= 0) {
        uint64_t is = (uint64_t)count.integer;
        ck_assert_msg((is < 1000 ? (int64_t)is : 1000) == trips, "for i = %lld, %.17g, %lld",
                      (long long)init, limit, (long long)step);
    }
    cns_ir_destroy(clips);
    cns_ir_destroy(counts);
}

START_TEST(loops_run_as_often_as_in_lua) {
    cns_context *context = support_context();
    lua_State *L = luaL_newstate();
    for (int i = 0; i < INTEGERS; i++) {
        for (int l = 0; l < FLOATS; l++) {
            for (int s = 0; s < INTEGERS; s++) {
                if (integers[s] != 0) {
                    check_for(L, context, integers[i], floats[l], integers[s]);
                }
            }
        }
    }
    lua_close(L);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("lua_ir_eval");
    TCase *cases = tcase_create("lua_ir_eval");
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, operations_mean_what_lua_means, 0,
                        sizeof meanings / sizeof *meanings);
    tcase_add_test(cases, loops_run_as_often_as_in_lua);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
