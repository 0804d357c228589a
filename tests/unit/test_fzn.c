/* SPDX-License-Identifier: MIT
 *
 * test_fzn.c - the FlatZinc reader: what it hands out, as text; every error's place and words;
 * hostile and truncated texts; failing allocations.
 */
#define _GNU_SOURCE /* open_memstream, mkstemp */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fzn_dump.h"
#include "support.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* A reader over an exact copy of the text, so that a sanitizer sees one byte too far. */
static fzn_reader *reader_of(cns_context *context, const char *text, size_t size) {
    fzn_reader *r = NULL;
    support_status(context, CNS_OK, fzn_reader_create(context, NULL, &r));
    char *exact = malloc(size ? size : 1);
    memcpy(exact, text, size);
    ck_assert_int_eq(fzn_reader_set_text(r, exact, size), CNS_OK);
    free(exact);
    return r;
}

/* What the reader makes of `text`; freed by the caller. A failure is the last line. */
static char *dumped(const char *text, size_t size, cns_status *status) {
    cns_context *context = support_context();
    fzn_reader *r = reader_of(context, text, size);
    char *result = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&result, &length);
    *status = dump_all(out, r);
    fputs(fzn_message(r), out);
    fclose(out);
    ck_assert_int_eq(*status == CNS_OK, *fzn_message(r) == '\0');
    fzn_reader_destroy(r);
    support_context_destroy(context);
    return result;
}

static void expect_dump(const char *text, const char *expected) {
    cns_status status;
    char *result = dumped(text, strlen(text), &status);
    ck_assert_str_eq(result, expected);
    free(result);
}

/* ---- what is read ---------------------------------------------------------------------------- */

START_TEST(declarations_come_as_written) {
    expect_dump("% a comment at the start, with \"quotes\" and ; in it\n"
                "predicate foo(var int: x, array [int] of var set of 1..5: y, -2..3: z);\n"
                "predicate none();predicate q(var int: x :: a(b)) :: promise_total;"
                "int: n = 3;bool: b=true; float: f = 2.5; set of int: s = {3,1,2,7};\n"
                "array [1..3] of int: c = [1, -2 ,n]; array[1..0] of bool: e = [];\n"
                "array [1..2] of set of int: sets = [1..3,{5,9}];\n"
                "array [int] of float: fs = [1.5,2];\n"
                "var bool: p; var int: x :: output_var;\tvar -5 .. 5: y = x;\r\n"
                "var {9,1,2,3,2}: z:: is_defined_var:: var_is_introduced = 3;\n"
                "var 3..1: none; var {}: none2; var set of 1..4: v; var set of {1,3}: w;\n"
                "var float: g; var -1.5..2.0: h; var {1.0,2.5}: k; var 1..2.5: l;\n"
                "array [1..3] of var int: a :: output_array([1..3]) = [x,7,c[2]];\n"
                "array [1..2] of var 1..9: a2 = [a[1],z];"
                "array [1..2] of var bool: bs = [true,false];"
                "array [1..1] of var set of int: vs = [v];"
                "solve satisfy;",
                "var bool: p;\n"
                "var int: x :: output_var;\n"
                "var -5..5: y = x;\n"
                "var {1..3,9}: z :: is_defined_var :: var_is_introduced = 3;\n"
                "var {}: none;\n"
                "var {}: none2;\n"
                "var set of 1..4: v;\n"
                "var set of {1,3}: w;\n"
                "var float: g;\n"
                "var float: h;\n"
                "var float: k;\n"
                "var float: l;\n"
                "array [1..3] of var int: a :: output_array([1..3]) = [x,7,-2];\n"
                "array [1..2] of var 1..9: a2 = [x,z];\n"
                "array [1..2] of var bool: bs = [true,false];\n"
                "array [1..1] of var set of int: vs = [v];\n"
                "solve satisfy;\n");
}
END_TEST

START_TEST(constraints_come_with_parameters_replaced) {
    expect_dump(
        "int: n = -4;array [1..2] of int: c = [1,2];array [1..2] of set of int: s = [1..2,{}];"
        "array [1..2] of bool: bb = [true,false];"
        "var int: x; var bool: p; array [1..2] of var int: a = [x,n];\n"
        "constraint int_lin_le(c, a ,n) ;\n"
        "constraint int_lin_le([1,-1],[x,3],c[2]):: domain :: mzn_path(\"a;b|\\\"c\\n\");\n"
        "constraint f([],[p,true],bb,[x,2.5],[1,true],s,{2,1},1 .. 3,\"s\",a[1],-7,p,);\n"
        "constraint none();\n"
        "constraint g(0x1F,-0x10,0o17,[0xff,],007)::defines_var(x);\n"
        "%constraint h(x);\n"
        "solve :: seq_search([int_search(a,first_fail,indomain_min,complete),\n"
        "  bool_search([p,false],input_order, indomain_max),[[x]],unknown , f(),1..3,\n"
        "  {2,4},1.5e3,\"\",a[2]]) :: restart_luby(250) minimize a[1];\n",
        "var int: x;\n"
        "var bool: p;\n"
        "array [1..2] of var int: a = [x,-4];\n"
        "constraint int_lin_le([1,2],[x,-4],-4);\n"
        "constraint int_lin_le([1,-1],[x,3],2) :: domain :: mzn_path(\"a;b|\\042c\\012\");\n"
        "constraint "
        "f([],[p,true],[true,false],[x,2.5000000000000000e+00],[1,true],[1..2,{}],1..2,1..3,\"s\","
        "x,"
        "-7,p);\n"
        "constraint none();\n"
        "constraint g(31,-16,15,[255],7) :: defines_var(x);\n"
        "solve :: seq_search([int_search([x,-4],first_fail,indomain_min,complete),"
        "bool_search([p,false],input_order,indomain_max),[[x]],unknown,f(),1..3,{2,4},1."
        "5000000000000000e+03,"
        "\"\",-4]) :: restart_luby(250) minimize x;\n");
}
END_TEST

START_TEST(numbers_up_to_the_last_bit) {
    expect_dump("constraint f(9223372036854775807,-9223372036854775808,0x7fffffffffffffff,"
                "-0x8000000000000000,-0o1000000000000000000000,000000000000000000000000012,-0);"
                "constraint s({9223372036854775807,-9223372036854775808,9223372036854775806},"
                "-9223372036854775808..9223372036854775807,{9223372036854775807,"
                "9223372036854775807});solve satisfy;",
                "constraint f(9223372036854775807,-9223372036854775808,9223372036854775807,"
                "-9223372036854775808,-9223372036854775808,12,0);\n"
                "constraint s({-9223372036854775808,9223372036854775806..9223372036854775807},"
                "-9223372036854775808..9223372036854775807,"
                "9223372036854775807..9223372036854775807);\nsolve satisfy;\n");
}
END_TEST

START_TEST(floats_are_what_strtod_makes_of_them) {
    static const char *const floats[] = {"1.5",
                                         "-0.1",
                                         "1e5",
                                         "2.5E-3",
                                         "123456789.987654321e+12",
                                         "0.000000000000000000001",
                                         "1.7976931348623157e308",
                                         "4.9e-324",

                                         "1e-400",
                                         "3.14159265358979323846",
                                         "00012.5",
                                         "1e-99999999999999999999"};
    for (size_t i = 0; i < COUNT(floats); i++) {
        char text[200];
        cns_context *context = support_context();
        const fzn_constraint *c = NULL;
        int size = snprintf(text, sizeof text, "constraint f(%s);solve satisfy;", floats[i]);
        fzn_reader *r = reader_of(context, text, (size_t)size);
        ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
        ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
        ck_assert_int_eq(c->arguments[0].kind, FZN_FLOAT);
        ck_assert_msg(c->arguments[0].as.real == strtod(floats[i], NULL), "%s", floats[i]);
        fzn_reader_destroy(r);
        support_context_destroy(context);
    }
}
END_TEST

START_TEST(arrays_of_constants_are_packed) {
    static const char text[] = "array [1..3] of int: c = [4,5,6];var 1..2: x;"
                               "constraint f(c,[true,false],[x,8],c,[]);solve satisfy;";
    cns_context *context = support_context();
    fzn_reader *r = reader_of(context, text, sizeof text - 1);
    const fzn_constraint *c = NULL;
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    const fzn_value *a = c->arguments;
    ck_assert_int_eq(a[0].kind, FZN_INTS);
    ck_assert_int_eq(a[0].as.integers[2], 6);
    ck_assert_ptr_eq(a[0].as.integers, a[3].as.integers); /* referred to, not copied */
    ck_assert_int_eq(a[1].kind, FZN_BOOLS);
    ck_assert_int_eq(a[1].as.integers[0], 1);
    ck_assert_int_eq(a[2].kind, FZN_ARRAY);
    ck_assert_int_eq(a[2].as.values[0].kind, FZN_VARIABLE);
    ck_assert_int_eq(a[2].as.values[0].type, FZN_TYPE_INT);
    ck_assert_int_eq(a[2].as.values[1].as.integer, 8);
    ck_assert_int_eq(a[4].kind, FZN_INTS);
    ck_assert_uint_eq(a[4].count, 0);
    ck_assert_ptr_null(fzn_solve_item(r));
    fzn_reader_destroy(r);
    support_context_destroy(context);
}
END_TEST

START_TEST(escapes_in_strings) {
    static const char text[] =
        "constraint f(\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\\'\\q\\x41\\x4g\\101\\7"
        "\\0z\xff\xc3\xa4\");solve satisfy;";
    static const char expected[] = "\a\b\f\n\r\t\v\\\"'qA\004gA\a\0z\xff\xc3\xa4";
    cns_context *context = support_context();
    fzn_reader *r = reader_of(context, text, sizeof text - 1);
    const fzn_constraint *c = NULL;
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    ck_assert_uint_eq(c->arguments[0].count, sizeof expected - 1);
    ck_assert_mem_eq(c->arguments[0].as.text, expected, sizeof expected - 1);
    fzn_reader_destroy(r);
    support_context_destroy(context);
}
END_TEST

START_TEST(known_words_have_the_callers_numbers) {
    static const char *const words[] = {"int_le", "domain", "unused", "x"};
    fzn_config config = {.size = sizeof config, .word_count = COUNT(words), .words = words};
    static const char text[] = "var int: x;var int: new;constraint new(x):: other:: domain;"
                               "constraint int_le(x,x):: x;solve:: x satisfy;";
    cns_context *context = support_context();
    fzn_reader *r = NULL;
    const fzn_constraint *c = NULL;
    uint32_t length;
    ck_assert_int_eq(fzn_reader_create(context, &config, &r), CNS_OK);
    ck_assert_int_eq(fzn_reader_set_text(r, text, sizeof text - 1), CNS_OK);
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    ck_assert_uint_eq(c->word, 4); /* a name both of a variable and of a predicate */
    ck_assert_mem_eq(fzn_word(r, 4, &length), "new", 3);
    ck_assert_uint_eq(length, 3);
    ck_assert_uint_eq(c->annotations[0].as.word, 5);
    ck_assert_uint_eq(c->annotations[1].as.word, 1);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    ck_assert_uint_eq(c->word, 0);
    ck_assert_int_eq(c->annotations[0].kind, FZN_ATOM); /* behind ::, no name is a variable's */
    ck_assert_uint_eq(c->annotations[0].as.word, 3);
    ck_assert_ptr_null(fzn_word(r, 6, &length));
    fzn_reader_destroy(r);
    static const char *const twice[] = {"a", "b", "a"};
    config = (fzn_config){.size = sizeof config, .word_count = 3, .words = twice};
    ck_assert_int_eq(fzn_reader_create(context, &config, &r), CNS_E_INVALID);
    config.size = 1;
    ck_assert_int_eq(fzn_reader_create(context, &config, &r), CNS_E_INVALID);
    support_context_destroy(context);
}
END_TEST

START_TEST(rewinding_gives_the_same_again) {
    static const char text[] = "var 1..2: x;constraint f([x,1],{1,5})::a(x);\nconstraint g(x);"
                               "solve::b(x) maximize x;";
    cns_context *context = support_context();
    fzn_reader *r = reader_of(context, text, sizeof text - 1);
    char *results[3] = {0};
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    for (int round = 0; round < 3; round++) {
        size_t length = 0;
        const fzn_constraint *c = NULL;
        FILE *out = open_memstream(&results[round], &length);
        ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
        while (c) {
            dump_constraint(out, r, c);
            ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
        }
        ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK); /* the end stays the end */
        ck_assert_ptr_null(c);
        dump_solve(out, r, fzn_solve_item(r));
        fclose(out);
        ck_assert_str_eq(results[round], results[0]);
        ck_assert_int_eq(fzn_rewind(r), CNS_OK);
    }
    ck_assert_str_eq(results[0], "constraint f([x,1],{1,5}) :: a(x);\nconstraint g(x);\n"
                                 "solve :: b(x) maximize x;\n");
    for (int round = 0; round < 3; round++) {
        free(results[round]);
    }
    fzn_reader_destroy(r);
    support_context_destroy(context);
}
END_TEST

START_TEST(introduced_names_are_told_apart) {
    static const char names[] = "var 1..1: X_INTRODUCED_0_;\nvar 2..2: X_INTRODUCED_00_;\n"
                                "var 3..3: X_INTRODUCED_0;\nvar 4..4: X_INTRODUCED_0_a;\n"
                                "var 5..5: X_INTRODUCED__;\nvar 6..6: X_INTRODUCED_;\n"
                                "var 7..7: X_INTRODUCED_4294967296_;\nvar 8..8: X_;\n"
                                "var 9..9: X_INTRODUCED_999999999_;\n"
                                "var 10..10: X_INTRODUCED_9999999999_;\n"
                                "var 11..11: X_INTRODUCED_63_;\nvar 12..12: X_INTRODUCED_1;\n"
                                "solve satisfy;\n";
    expect_dump(names, names);
    expect_dump("array [1..2] of int: X_INTRODUCED_7_=[1,2];var 0..1:X_INTRODUCED_2_;"
                "var 0..2:X_INTRODUCED_02_;var 0..3:X_INTRODUCED_2_b;var 0..4:X_INTRODUCED_200000_;"
                "constraint f(X_INTRODUCED_7_,[X_INTRODUCED_2_,X_INTRODUCED_02_,X_INTRODUCED_2_b,"
                "X_INTRODUCED_200000_]);constraint X_INTRODUCED_3_()::X_INTRODUCED_4_;"
                "solve::X_INTRODUCED_3_ satisfy;",
                "var 0..1: X_INTRODUCED_2_;\nvar 0..2: X_INTRODUCED_02_;\n"
                "var 0..3: X_INTRODUCED_2_b;\nvar 0..4: X_INTRODUCED_200000_;\n"
                "constraint f([1,2],[X_INTRODUCED_2_,X_INTRODUCED_02_,X_INTRODUCED_2_b,"
                "X_INTRODUCED_200000_]);\nconstraint X_INTRODUCED_3_() :: X_INTRODUCED_4_;\n"
                "solve :: X_INTRODUCED_3_ satisfy;\n");
}
END_TEST

/* ---- errors ---------------------------------------------------------------------------------- */

typedef struct refusal {
    const char *text;
    cns_status status;
    const char *message;
} refusal;

static const refusal refusals[] = {
    {"", CNS_E_INVALID,
     "line 1, column 1: found the end of the file, expected a declaration, a constraint or "
     "'solve'"},
    {"\n\n % x\n  ?", CNS_E_INVALID,
     "line 4, column 3: found '?', expected a declaration, a constraint or 'solve'"},
    {"var 1..5 x;", CNS_E_INVALID, "line 1, column 10: found 'x', expected ':' and a name"},
    {"var 1..5: 7;", CNS_E_INVALID, "line 1, column 11: found '7', expected a name"},
    {"var 1..: x;", CNS_E_INVALID,
     "line 1, column 8: found ':', expected the range's upper end, a number"},
    {"var 5: x;", CNS_E_INVALID, "line 1, column 5: found a number, expected a range or a set"},
    {"var 1.5: x;", CNS_E_INVALID, "line 1, column 5: found a number, expected a range or a set"},
    {"var {1,x}: y;", CNS_E_INVALID, "line 1, column 8: found 'x', expected a number of the set"},
    {"var {1 2}: y;", CNS_E_INVALID, "line 1, column 8: found '2', expected ',' or '}' in the set"},
    {"var string: y;", CNS_E_INVALID,
     "line 1, column 5: found 'string', expected 'bool', 'int', 'float', 'set', a range or a set"},
    {"var set of 1.0..2.0: y;", CNS_E_INVALID,
     "line 1, column 12: found floats, expected a set of int"},
    {"var set int: y;", CNS_E_INVALID, "line 1, column 9: found 'int', expected 'of'"},
    {"var set of bool: y;", CNS_E_INVALID,
     "line 1, column 12: found 'bool', expected 'int', a range or a set"},
    {"int: x;", CNS_E_INVALID, "line 1, column 7: found ';', expected '=' and the value"},
    {"int: x = true;", CNS_E_INVALID,
     "line 1, column 10: found a value of another type, expected int"},
    {"var int: x; int: y = x;", CNS_E_INVALID,
     "line 1, column 22: found a value of another type, expected int"},
    {"bool: x = 1;", CNS_E_INVALID,
     "line 1, column 11: found a value of another type, expected bool"},
    {"var bool: b; var int: x = b;", CNS_E_INVALID,
     "line 1, column 27: found a value of another type, expected var int"},
    {"array [1..1] of int: x = 1;", CNS_E_INVALID,
     "line 1, column 26: found a value of another type, expected an array of int"},
    {"int: x = [1];", CNS_E_INVALID,
     "line 1, column 10: found a value of another type, expected int"},
    {"array [1..2] of int: x = [1,true];", CNS_E_INVALID,
     "line 1, column 26: found a value of another type, expected an array of int"},
    {"array [1..2] of var set of int: x = [1..2,2];", CNS_E_INVALID,
     "line 1, column 37: found a value of another type, expected an array of var set of int"},
    {"array [1..3] of int: x = [1,2];", CNS_E_INVALID,
     "line 1, column 26: found 2 elements, expected 3 as declared"},
    {"array [0..3] of int: x = [1,2];", CNS_E_INVALID,
     "line 1, column 8: found 0, expected 1: arrays begin there"},
    {"array [1,3] of int: x = [1,2];", CNS_E_INVALID, "line 1, column 9: found ',', expected '..'"},
    {"array [1..3) of int: x = [1,2];", CNS_E_INVALID,
     "line 1, column 12: found ')', expected ']'"},
    {"array [1..3] int: x = [1,2];", CNS_E_INVALID,
     "line 1, column 14: found 'int', expected 'of'"},
    {"array [1..3] of var int: x;", CNS_E_INVALID,
     "line 1, column 27: found ';', expected '=' and the value"},
    {"array [1..1] of int: x = [[1]];", CNS_E_INVALID,
     "line 1, column 27: found '[', expected a value"},
    {"array [1..1] of int: x = [1];array [1..1] of int: y = [x];", CNS_E_INVALID,
     "line 1, column 56: found an array in an array, expected a value"},
    {"array [1..2] of int: x = [1;2];", CNS_E_INVALID,
     "line 1, column 28: found ';', expected ',' or ']' in the array"},
    {"var int: x;\nvar int: x;", CNS_E_INVALID,
     "line 2, column 10: found 'x' declared again, expected a new name"},
    {"var int: true;", CNS_E_INVALID,
     "line 1, column 10: found 'true', expected a name that is not reserved"},
    {"var int: constraint;", CNS_E_INVALID,
     "line 1, column 10: found 'constraint', expected a name that is not reserved"},
    {"var int: x = y;var int: y;", CNS_E_NOTFOUND,
     "line 1, column 14: found the unknown name 'y', expected one that is declared above"},
    {"int: x = x;", CNS_E_NOTFOUND,
     "line 1, column 10: found the unknown name 'x', expected one that is declared above"},
    {"constraint f([X_INTRODUCED_5_]);", CNS_E_NOTFOUND,
     "line 1, column 15: found the unknown name 'X_INTRODUCED_5_', expected one that is declared "
     "above"},
    {"constraint f(of);", CNS_E_INVALID, "line 1, column 14: found 'of', expected a value"},
    {"constraint int();", CNS_E_INVALID, "line 1, column 12: found 'int', expected a predicate"},
    {"constraint f(1)::set;", CNS_E_INVALID,
     "line 1, column 18: found 'set', expected an annotation"},
    {"constraint f(1)::true;", CNS_E_INVALID,
     "line 1, column 18: found 'true', expected an annotation"},
    {"constraint f(1)::a(false(1));", CNS_E_INVALID,
     "line 1, column 20: found 'false', expected an annotation"},
    {"constraint false(1);", CNS_E_INVALID,
     "line 1, column 12: found 'false', expected a predicate"},
    {"constraint f(1)::1;", CNS_E_INVALID, "line 1, column 18: found '1', expected an annotation"},
    {"constraint f(1)::g(x;", CNS_E_INVALID, "line 1, column 21: found ';', expected ',' or ')'"},
    {"constraint f(1)::g([x);", CNS_E_INVALID, "line 1, column 22: found ')', expected ',' or ']'"},
    {"constraint f(1):g;", CNS_E_INVALID, "line 1, column 16: found ':', expected '::' or ';'"},
    {"constraint f(1 2);", CNS_E_INVALID,
     "line 1, column 16: found '2', expected ',' or ')' in the constraint"},
    {"constraint f;", CNS_E_INVALID, "line 1, column 13: found ';', expected '(' and arguments"},
    {"constraint f(1);var int: x;", CNS_E_INVALID,
     "line 1, column 17: found 'var', expected 'constraint' or 'solve' (declarations come before "
     "both)"},
    {"constraint f(1)", CNS_E_INVALID,
     "line 1, column 16: found the end of the file, expected '::' or ';'"},
    {"constraint f(-);", CNS_E_INVALID, "line 1, column 15: found ')', expected a digit"},
    {"constraint f(0x);", CNS_E_INVALID,
     "line 1, column 16: found ')', expected a hexadecimal digit"},
    {"constraint f(0o8);", CNS_E_INVALID, "line 1, column 16: found '8', expected an octal digit"},
    {"constraint f(12ab);", CNS_E_INVALID,
     "line 1, column 16: found 'ab', expected the end of the number"},
    {"constraint f(0x1g);", CNS_E_INVALID,
     "line 1, column 17: found 'g', expected the end of the number"},
    {"constraint f(1.);", CNS_E_INVALID,
     "line 1, column 16: found ')', expected a digit behind the decimal point"},
    {"constraint f(1e+);", CNS_E_INVALID,
     "line 1, column 17: found ')', expected the exponent's digits"},
    {"constraint f(1e400);", CNS_E_RANGE,
     "line 1, column 14: a float beyond 1.8e308; scale the model's numbers down"},
    {"constraint f(-1.5e99999999999999999999);", CNS_E_RANGE,
     "line 1, column 14: a float beyond 1.8e308; scale the model's numbers down"},
    {"constraint f(9223372036854775808);", CNS_E_RANGE,
     "line 1, column 14: the int 9223372036854775808 is beyond 64 bits; scale the model's numbers "
     "down, or give the variable a domain"},
    {"constraint f(-9223372036854775809);", CNS_E_RANGE,
     "line 1, column 14: the int -9223372036854775809 is beyond 64 bits; scale the model's numbers "
     "down, or give the variable a domain"},
    {"constraint f(0xffffffffffffffffff);", CNS_E_RANGE,
     "line 1, column 14: the int 0xffffffffffffffffff is beyond 64 bits; scale the model's numbers "
     "down, or give the variable a domain"},
    {"array [1..2] of int: a = [1,2];constraint f(a[3]);", CNS_E_RANGE,
     "line 1, column 47: found the index 3, expected 1 to 2"},
    {"array [1..2] of int: a = [1,2];constraint f(a[0]);", CNS_E_RANGE,
     "line 1, column 47: found the index 0, expected 1 to 2"},
    {"array [1..2] of int: a = [1,2];constraint f(a[1.5]);", CNS_E_INVALID,
     "line 1, column 47: found a float, expected an int"},
    {"constraint f(\"abc\n\");", CNS_E_INVALID,
     "line 1, column 14: found a string without end on its line, expected '\"' to close it"},
    {"constraint f(\"abc\\", CNS_E_INVALID,
     "line 1, column 14: found a string without end on its line, expected '\"' to close it"},
    {"predicate p(var int: x;", CNS_E_INVALID,
     "line 1, column 23: found ';', expected a parameter or ')'"},
    {"predicate p", CNS_E_INVALID,
     "line 1, column 12: found the end of the file, expected '(' and parameters"},
    {"solve minimise x;", CNS_E_INVALID,
     "line 1, column 7: found 'minimise', expected '::', 'satisfy', 'minimize' or 'maximize'"},
    {"solve minimize true;", CNS_E_INVALID,
     "line 1, column 16: found another value, expected a variable to optimise"},
    {"solve satisfy;\nsolve satisfy;", CNS_E_INVALID,
     "line 2, column 1: found 'solve', expected nothing behind the solve item"},
    {"v\xc3\xa4r int: x;", CNS_E_INVALID,
     "line 1, column 1: found 'v', expected 'bool', 'int', 'float' or 'set'"},
    {"var int: \xc3\xa4;", CNS_E_INVALID, "line 1, column 10: found byte 0xc3, expected a name"},
};

START_TEST(errors_say_where_what_and_what_else) {
    for (size_t i = 0; i < COUNT(refusals); i++) {
        cns_status status;
        const char *text = refusals[i].text;
        char *result = dumped(text, strlen(text), &status);
        const char *last = strrchr(result, '\n');
        ck_assert_str_eq(last ? last + 1 : result, refusals[i].message);
        ck_assert_msg(status == refusals[i].status, "%s: %s", text, cns_status_name(status));
        free(result);
    }
}
END_TEST

START_TEST(a_zero_byte_is_an_error_like_others) {
    static const char text[] = "var int\0: x;";
    static const char string[] = "constraint f(\"a\0b\");";
    static const char comment[] = "% \0 is nothing in a comment\nsolve satisfy;";
    cns_status status;
    char *result = dumped(text, sizeof text - 1, &status);
    ck_assert_str_eq(result, "line 1, column 8: found byte 0x00, expected ':' and a name");
    free(result);
    result = dumped(string, sizeof string - 1, &status);
    ck_assert_int_eq(status, CNS_E_INVALID);
    free(result);
    result = dumped(comment, sizeof comment - 1, &status);
    ck_assert_str_eq(result, "solve satisfy;\n");
    free(result);
}
END_TEST

static const char sample[] =
    "predicate p(array [int] of var 1..3: a, set of int: s);\n"
    "int: n = 0x1F; array [1..3] of int: c = [1,-2,3]; set of int: t = {5,1};\n"
    "array [1..2] of set of int: sets = [1..2,{4,6}]; float: f = -1.5e-3; % comment\n"
    "var 1..9: x :: output_var; var {1,5}: y = x; var bool: X_INTRODUCED_3_ :: is_defined_var;\n"
    "array [1..2] of var int: a :: output_array([1..2]) = [x,c[2]];\n"
    "constraint int_lin_eq([1,-1,n],a,-7) :: defines_var(X_INTRODUCED_3_) :: path(\"a\\n\\x41\");\n"
    "constraint array_set_element(x,sets,{3,1,2});\n"
    "solve :: seq_search([int_search(a,input_order,indomain_min,complete)]) minimize x;";

START_TEST(every_truncation_is_refused) {
    for (size_t size = 0; size < sizeof sample - 1; size++) {
        cns_status status;
        char *result = dumped(sample, size, &status);
        ck_assert_msg(status == CNS_E_INVALID || status == CNS_E_NOTFOUND, "%zu: %s", size, result);
        ck_assert_msg(strstr(result, "line ") != NULL, "%zu: %s", size, result);
        free(result);
    }
    cns_status status;
    free(dumped(sample, sizeof sample - 1, &status));
    ck_assert_int_eq(status, CNS_OK);
}
END_TEST

/* ---- hostile sizes ----------------------------------------------------------------------------
 */

static char *repeated(const char *head, const char *piece, size_t times, const char *tail,
                      size_t *size) {
    size_t width = strlen(piece);
    *size = strlen(head) + times * width + strlen(tail);
    char *text = malloc(*size + 1), *at = text;
    at = stpcpy(at, head);
    for (size_t i = 0; i < times; i++, at += width) {
        memcpy(at, piece, width);
    }
    strcpy(at, tail);
    return text;
}

START_TEST(depth_is_bounded) {
    static const char *const pieces[] = {"a(", "[", "a(["};
    for (size_t i = 0; i < COUNT(pieces); i++) {
        size_t size;
        cns_status status;
        char *text = repeated("solve :: s(", pieces[i], 1000000, "", &size);
        char *result = dumped(text, size, &status);
        ck_assert_int_eq(status, CNS_E_LIMIT);
        ck_assert_msg(strstr(result, "nested more than 256 deep") != NULL, "%s", result);
        free(result);
        free(text);
    }
    size_t size, expected_size;
    cns_status status;
    char *head = repeated("solve :: a", "(a", 255, "", &size);
    char *text = repeated(head, ")", 255, " satisfy;\n", &expected_size);
    char *result = dumped(text, expected_size, &status);
    ck_assert_str_eq(result, text);
    free(result);
    free(text);
    free(head);
}
END_TEST

START_TEST(long_tokens_are_refused_by_name) {
    static const char *const heads[] = {"var int: ", "constraint f(1."};
    static const char *const expected[] = {
        "line 1, column 10: a name of more than 65535 bytes; shorten it",
        "line 1, column 14: a float of more than 300 digits; round it"};
    for (size_t i = 0; i < COUNT(heads); i++) {
        size_t size;
        cns_status status;
        char *text = repeated(heads[i], i ? "1" : "n", 70000, ";", &size);
        char *result = dumped(text, size, &status);
        ck_assert_int_eq(status, CNS_E_RANGE);
        ck_assert_str_eq(result, expected[i]);
        free(result);
        free(text);
    }
}
END_TEST

START_TEST(large_arrays_sets_and_tables_of_names) {
    size_t size, length = 0;
    cns_status status;
    char *text = repeated("constraint f([0", ",1", 1000000, "],{2", &size),
         *all = repeated(text, ",2", 300000, "});solve satisfy;", &size);
    free(text);
    text = dumped(all, size, &status);
    ck_assert_int_eq(status, CNS_OK);
    ck_assert_msg(strstr(text, ",1,1],2..2);") != NULL, "not all is there");
    free(text);
    free(all);
    enum { NAMES = 60000 };
    FILE *out = open_memstream(&text, &length);
    for (int i = 0; i < NAMES; i++) {
        fprintf(out, "var %d..%d: %s%d%s;\n", i, i + 1, i % 3 ? "some_longer_name_" : "v", i,
                i % 7 ? "" : "_x");
    }
    fputs("solve satisfy;\n", out);
    fclose(out);
    all = dumped(text, length, &status);
    ck_assert_str_eq(all, text);
    free(text);
    free(all);
}
END_TEST

START_TEST(descending_sets_are_sorted) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    fputs("constraint f({", out);
    for (unsigned i = 0; i < 5000; i++) { /* each of 0, 2, ..., 9998 once, in no order */
        fprintf(out, "%u,", i * 2467u % 5000 * 2);
    }
    fputs("9999});solve satisfy;", out);
    fclose(out);
    cns_context *context = support_context();
    fzn_reader *r = reader_of(context, text, length);
    const fzn_constraint *c = NULL;
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    ck_assert_uint_eq(c->arguments[0].count, 5000);
    for (int64_t i = 0; i < 5000; i++) {
        ck_assert_int_eq(c->arguments[0].as.ranges[i].low, 2 * i);
        ck_assert_int_eq(c->arguments[0].as.ranges[i].high, 2 * i + (i == 4999));
    }
    fzn_reader_destroy(r);
    free(text);
    support_context_destroy(context);
}
END_TEST

/* ---- files, misuse, memory --------------------------------------------------------------------
 */

START_TEST(places_are_found) {
    static const char text[] = "var int: x;\n\n  var int: y;\nconstraint f(x);\n solve satisfy;\n";
    cns_context *context = support_context();
    fzn_reader *r = reader_of(context, text, sizeof text - 1);
    const fzn_constraint *c = NULL;
    uint32_t count;
    uint64_t line, column;
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    fzn_locate(r, c->position, &line, &column);
    ck_assert(line == 4 && column == 12);
    fzn_locate(r, fzn_variables(r, &count)[1].position, &line, &column);
    ck_assert(line == 3 && column == 12);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_OK);
    fzn_locate(r, fzn_solve_item(r)->position, &line, &column);
    ck_assert(line == 5 && column == 2);
    fzn_locate(r, UINT64_MAX, &line, &column);
    ck_assert(line == 6 && column == 1);
    fzn_reader_destroy(r);
    support_context_destroy(context);
}
END_TEST

START_TEST(files_are_read_whole) {
    char path[] = "/tmp/test_fzn_XXXXXX";
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, sample, sizeof sample - 1), sizeof sample - 1);
    close(file);
    cns_context *context = support_context();
    fzn_reader *r = NULL;
    char *result = NULL, *expected;
    size_t length = 0;
    cns_status status;
    FILE *out = open_memstream(&result, &length);
    ck_assert_int_eq(fzn_reader_create(context, NULL, &r), CNS_OK);
    ck_assert_int_eq(fzn_reader_load(r, path), CNS_OK);
    ck_assert_int_eq(dump_all(out, r), CNS_OK);
    fclose(out);
    expected = dumped(sample, sizeof sample - 1, &status);
    ck_assert_str_eq(result, expected);
    free(result);
    free(expected);
    ck_assert_int_eq(fzn_reader_load(r, path), CNS_E_INVALID);
    ck_assert_str_eq(fzn_message(r), "a reader takes one text");
    fzn_reader_destroy(r);
    unlink(path);
    static const char *const bad[] = {"/nowhere/file.fzn", "/tmp"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(fzn_reader_create(context, NULL, &r), CNS_OK);
        ck_assert_int_eq(fzn_reader_load(r, bad[i]), CNS_E_IO);
        ck_assert_str_eq(fzn_message(r), strerror(i == 0 ? ENOENT : EISDIR));
        ck_assert_int_eq(fzn_read_declarations(r), CNS_E_IO);
        fzn_reader_destroy(r);
    }
    support_context_destroy(context);
}
END_TEST

/* A pipe has no size to go by, and holds less than this at a time. */
START_TEST(a_pipe_is_read_to_its_end) {
    int ends[2];
    char path[64];
    size_t size;
    char *text = repeated("", "constraint f(1,[true]);", 20000, "solve satisfy;", &size);
    ck_assert_int_eq(pipe(ends), 0);
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer == 0) {
        size_t done = 0;
        for (ssize_t step = 1; done < size && step > 0; done += (size_t)step) {
            step = write(ends[1], text + done, size - done);
        }
        _exit(0);
    }
    close(ends[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
    cns_context *context = support_context();
    fzn_reader *r = NULL;
    const fzn_constraint *c = NULL;
    int count = 0;
    ck_assert_int_eq(fzn_reader_create(context, NULL, &r), CNS_OK);
    ck_assert_int_eq(fzn_reader_load(r, path), CNS_OK);
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    while (fzn_next_constraint(r, &c) == CNS_OK && c) {
        count++;
    }
    ck_assert_int_eq(count, 20000);
    ck_assert_ptr_nonnull(fzn_solve_item(r));
    close(ends[0]);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
    fzn_reader_destroy(r);
    free(text);
    support_context_destroy(context);
}
END_TEST

START_TEST(calls_out_of_order_are_refused) {
    cns_context *context = support_context();
    fzn_reader *r = NULL;
    const fzn_constraint *c = NULL;
    uint32_t count = 9;
    ck_assert_int_eq(fzn_reader_create(NULL, NULL, &r), CNS_E_INVALID);
    ck_assert_int_eq(fzn_reader_create(context, NULL, NULL), CNS_E_INVALID);
    ck_assert_int_eq(fzn_reader_create(context, NULL, &r), CNS_OK);
    fzn_variables(r, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_int_eq(fzn_read_declarations(r), CNS_E_INVALID);
    ck_assert_int_eq(fzn_reader_set_text(r, "", 0), CNS_E_INVALID); /* it failed, and stays so */
    fzn_reader_destroy(r);
    r = reader_of(context, "solve satisfy;", 14);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_E_INVALID);
    fzn_reader_destroy(r);
    r = reader_of(context, "solve satisfy;", 14);
    ck_assert_int_eq(fzn_rewind(r), CNS_E_INVALID);
    ck_assert_int_eq(fzn_read_declarations(r), CNS_E_INVALID);
    fzn_reader_destroy(r);
    fzn_reader_destroy(NULL);
    support_context_destroy(context);
}
END_TEST

static cns_status read_sample(cns_context *context) {
    static const char *const words[] = {"int_le", "int_lin_eq"};
    fzn_config config = {.size = sizeof config, .word_count = 2, .words = words};
    char text[16384];
    int size = 0;
    for (int i = 0; i < 300; i++) { /* enough for tables to grow */
        size += snprintf(text + size, sizeof text - (size_t)size, "var int: v%d:: w%d;", i, i);
    }
    size += snprintf(text + size, sizeof text - (size_t)size, "var int: X_INTRODUCED_200_;%s",
                     sample + strcspn(sample, "\n"));
    fzn_reader *r = NULL;
    cns_status status = fzn_reader_create(context, &config, &r);
    if (status != CNS_OK) {
        return status;
    }
    status = fzn_reader_set_text(r, text, (size_t)size);
    FILE *out = fopen("/dev/null", "w");
    status = status == CNS_OK ? dump_all(out, r) : status;
    fclose(out);
    ck_assert_msg(status == CNS_OK || status == CNS_E_NOMEM, "%s", fzn_message(r));
    ck_assert_int_eq(status == CNS_OK, *fzn_message(r) == '\0');
    fzn_reader_destroy(r);
    return status;
}

START_TEST(each_allocation_may_fail) {
    support_each_allocation_fails(read_sample);
}
END_TEST

START_TEST(the_memory_limit_is_named) {
    cns_context *context = support_context();
    size_t size;
    char *text = repeated("constraint f([0", ",1", 1000000, "]);solve satisfy;", &size);
    fzn_reader *r = reader_of(context, text, size);
    const fzn_constraint *c = NULL;
    cns_context_set_memory_limit(context, 4 << 20);
    ck_assert_int_eq(fzn_read_declarations(r), CNS_OK);
    ck_assert_int_eq(fzn_next_constraint(r, &c), CNS_E_NOMEM);
    ck_assert_ptr_null(c);
    ck_assert_msg(strstr(fzn_message(r), "limit") != NULL, "%s", fzn_message(r));
    fzn_reader_destroy(r);
    free(text);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("fzn");
    TCase *reading = tcase_create("reading"), *errors = tcase_create("errors"),
          *hostile = tcase_create("hostile");
    tcase_add_test(reading, declarations_come_as_written);
    tcase_add_test(reading, constraints_come_with_parameters_replaced);
    tcase_add_test(reading, numbers_up_to_the_last_bit);
    tcase_add_test(reading, floats_are_what_strtod_makes_of_them);
    tcase_add_test(reading, arrays_of_constants_are_packed);
    tcase_add_test(reading, escapes_in_strings);
    tcase_add_test(reading, known_words_have_the_callers_numbers);
    tcase_add_test(reading, rewinding_gives_the_same_again);
    tcase_add_test(reading, introduced_names_are_told_apart);
    tcase_add_test(reading, places_are_found);
    tcase_add_test(reading, files_are_read_whole);
    tcase_add_test(reading, a_pipe_is_read_to_its_end);
    tcase_add_test(errors, errors_say_where_what_and_what_else);
    tcase_add_test(errors, a_zero_byte_is_an_error_like_others);
    tcase_add_test(errors, every_truncation_is_refused);
    tcase_add_test(errors, calls_out_of_order_are_refused);
    tcase_add_test(hostile, depth_is_bounded);
    tcase_add_test(hostile, long_tokens_are_refused_by_name);
    tcase_add_test(hostile, large_arrays_sets_and_tables_of_names);
    tcase_add_test(hostile, descending_sets_are_sorted);
    tcase_add_test(hostile, each_allocation_may_fail);
    tcase_add_test(hostile, the_memory_limit_is_named);
    tcase_set_timeout(hostile, 120);
    suite_add_tcase(suite, reading);
    suite_add_tcase(suite, errors);
    suite_add_tcase(suite, hostile);
    return support_run(suite);
}
