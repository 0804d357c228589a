/* SPDX-License-Identifier: MIT
 *
 * test_lua_emit.c - kernels as C functions: the object file and its header, compiled and linked by
 * the system's own compiler, and run in a process without the engine.
 */
#define _GNU_SOURCE /* mkdtemp, popen */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cns/vm.h"
#include "support.h"

#ifndef TEST_PLUGIN
#define TEST_PLUGIN ""
#endif

/* ---- kernels --------------------------------------------------------------------------------- */

typedef struct dump {
    unsigned char *bytes;
    size_t size;
} dump;

static int write_dump(lua_State *L, const void *bytes, size_t size, void *user) {
    (void)L;
    dump *d = user;
    d->bytes = realloc(d->bytes, d->size + size);
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
    return 0;
}

/* `math` and `cns` are the only names outside. */
static cns_status upvalue(void *user, uint32_t function, uint32_t index, cns_import *out) {
    (void)user, (void)function, (void)index;
    *out = (cns_import){.kind = CNS_IMPORT_TABLE, .id = 1};
    return CNS_OK;
}

static cns_status look_up(void *user, uint32_t table, const char *key, cns_import *out) {
    (void)user, (void)table;
    if (strcmp(key, "math") == 0 || strcmp(key, "cns") == 0) {
        *out = (cns_import){.kind = CNS_IMPORT_TABLE, .id = 2};
    } else if (strcmp(key, "sin") == 0) {
        *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC, .intrinsic = CNS_MATH_SIN};
    } else if (strcmp(key, "exp") == 0) {
        *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC, .intrinsic = CNS_MATH_EXP};
    } else if (strcmp(key, "log") == 0) {
        *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC, .intrinsic = CNS_MATH_LOG};
    } else if (strcmp(key, "prange") == 0) {
        *out = (cns_import){.kind = CNS_IMPORT_INTRINSIC, .intrinsic = CNS_PRANGE};
    } else {
        *out = (cns_import){.kind = CNS_IMPORT_NIL};
    }
    return CNS_OK;
}

static const cns_import_source imports = {NULL, upvalue, look_up};

#define F64S (CNS_VM_BUFFER + CNS_F64)
#define F32S (CNS_VM_BUFFER + CNS_F32)
#define U8S (CNS_VM_BUFFER + CNS_U8)

/* Each begins on line 1 of "k.lua". */
static const struct {
    const char *name;
    uint32_t types[5];
    uint32_t count;
    const char *source;
} rows[] = {
    {"saxpy",
     {CNS_VM_F64, F64S, F64S},
     3,
     "return function(a, x, y)\n for i = 1, #x do\n  y[i] = a * x[i] + y[i]\n end\nend"},
    {"saxpy",
     {CNS_VM_F64, F32S, F64S},
     3,
     "return function(a, x, y)\n for i = 1, #x do\n  y[i] = a * x[i] + y[i]\n end\nend"},
    {"sum",
     {F64S},
     1,
     "return function(x)\n local s = 0.0\n for i in cns.prange(#x) do s = s + math.sin(x[i]) end\n"
     " return s\nend"},
    {"divide", {CNS_VM_I64, CNS_VM_I64}, 2, "return function(a, b)\n return a // b, a % b\nend"},
    {"any",
     {CNS_VM_BOOL, CNS_VM_I64},
     2,
     "return function(switch, new)\n if switch then return new, new > 3 end\n"
     " return new / 2\nend"},
    {"store",
     {U8S, CNS_VM_I64, CNS_VM_F64},
     3,
     "return function(bytes, v, at)\n bytes[at] = v\nend"},
    {"keep", {U8S, CNS_VM_F64}, 2, "return function(bytes, v)\n bytes[1] = v\nend"},
    {"odd",
     {CNS_VM_I64, CNS_VM_I64, CNS_VM_I64, U8S, CNS_VM_I64},
     5,
     "return function(int, game_error, error, x, x_count)\n"
     " return int + game_error + error + #x + x_count\nend"},
    {"step",
     {CNS_VM_I64, CNS_VM_NIL},
     2,
     "return function(step, unused)\n local n = 0\n for i = 1, 10, step do n = n + 1 end\n"
     " return n\nend"},
    {"mask", {CNS_VM_F64}, 1, "return function(x)\n return x & 255\nend"},
    {"exps", {F64S}, 1, "return function(x)\n for i = 1, #x do x[i] = math.exp(x[i]) end\nend"},
    {"logs", {F64S}, 1, "return function(x)\n for i = 1, #x do x[i] = math.log(x[i]) end\nend"},
};

enum { KERNELS = sizeof rows / sizeof *rows };

typedef struct world {
    cns_context *context;
    cns_vm *vm;
    cns_kernel *kernels[KERNELS];
    const char *names[KERNELS];
} world;

static cns_kernel *compile(world *w, uint32_t row) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    ck_assert_msg(luaL_loadbuffer(L, rows[row].source, strlen(rows[row].source), "=k.lua") ==
                          LUA_OK &&
                      lua_pcall(L, 0, 1, 0) == LUA_OK,
                  "%s", lua_tostring(L, -1));
    dump d = {NULL, 0};
    ck_assert_int_eq(lua_dump(L, write_dump, &d, 0), 0);
    lua_close(L);
    cns_lua_function *function = NULL;
    support_status(w->context, CNS_OK,
                   cns_lua_function_read(w->context, d.bytes, d.size, &function));
    free(d.bytes);
    cns_kernel_config config = {.size = sizeof config,
                                .function = function,
                                .name = rows[row].name,
                                .types = rows[row].types,
                                .type_count = rows[row].count,
                                .imports = &imports};
    cns_kernel *kernel = NULL;
    char message[256] = "";
    cns_status status = cns_kernel_compile(w->vm, &config, message, sizeof message, &kernel);
    ck_assert_msg(status == CNS_OK, "%s", message);
    cns_lua_function_destroy(function);
    return kernel;
}

static void world_open(world *w) {
    *w = (world){.context = support_context()};
    cns_vm_config config = {.size = sizeof config, .plugin = TEST_PLUGIN};
    support_status(w->context, CNS_OK, cns_vm_create(w->context, &config, &w->vm));
    for (uint32_t i = 0; i < KERNELS; i++) {
        w->kernels[i] = compile(w, i);
        w->names[i] = rows[i].name;
    }
}

static void world_close(world *w) {
    for (uint32_t i = 0; i < KERNELS; i++) {
        cns_kernel_destroy(w->kernels[i]);
    }
    cns_vm_destroy(w->vm);
    support_context_destroy(w->context);
}

static cns_emit_config config_of(const world *w) {
    return (cns_emit_config){.size = sizeof(cns_emit_config),
                             .kernel_count = KERNELS,
                             .kernels = w->kernels,
                             .names = w->names,
                             .prefix = "game",
                             .source = "k.lua"};
}

/* ---- files and programs ---------------------------------------------------------------------- */

static char folder[64];

static void make_folder(void) {
    strcpy(folder, "/tmp/cns_emit_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static void remove_folder(void) {
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void write_file(const char *name, const void *bytes, size_t size) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

/* Runs `command` in the folder and expects that it prints `want`. */
static void expect(const char *command, const char *want) {
    char line[1024], got[4096] = "";
    snprintf(line, sizeof line, "cd %s && { %s; } 2>&1", folder, command);
    FILE *pipe = popen(line, "r");
    ck_assert_ptr_nonnull(pipe);
    got[fread(got, 1, sizeof got - 1, pipe)] = '\0';
    int code = pclose(pipe);
    ck_assert_msg(code == 0 && strcmp(got, want) == 0, "%s\nexit %d, printed:\n%s\nexpected:\n%s",
                  command, code, got, want);
}

static void emit_files(world *w, const char *cpus) {
    cns_emit_config config = config_of(w);
    config.cpus = cpus;
    void *object = NULL;
    char *header = NULL;
    uint64_t size = 0, length = 0;
    support_status(w->context, CNS_OK, cns_vm_emit_object(w->vm, &config, &object, &size));
    support_status(w->context, CNS_OK, cns_vm_emit_header(w->vm, &config, &header, &length));
    ck_assert_uint_eq(strlen(header) + 1, length);
    write_file("game.o", object, size);
    write_file("game.h", header, length - 1);
    cns_context_resize(w->context, object, size, 0);
    cns_context_resize(w->context, header, length, 0);
}

/* ---- the program ----------------------------------------------------------------------------- */

static const char program[] =
    "#include \"game.h\"\n"
    "#include <inttypes.h>\n"
    "#include <math.h>\n"
    "#include <stdio.h>\n"
    "static void tell(const char *what, int32_t status, const game_error *error) {\n"
    "    char text[200];\n"
    "    uint64_t length = game_message(error, text, sizeof text);\n"
    "    uint64_t full = game_message(error, NULL, 0);\n"
    "    printf(\"%s: %d %s%s\\n\", what, (int)status, text, length == full ? \"\" : \" cut\");\n"
    "}\n"
    "int main(void) {\n"
    "    enum { N = 100003 };\n"
    "    static double x[N], y[N], z[N];\n"
    "    static float f[N];\n"
    "    game_error e = {0};\n"
    "    int bad = 0;\n"
    "    for (int i = 0; i < N; i++) {\n"
    "        x[i] = 0.1 * i, y[i] = 1.0 / (i + 1), z[i] = y[i], f[i] = (float)i;\n"
    "    }\n"
    "    bad += game_saxpy_f64_f64s_f64s(1.7, x, N, y, N, &e) != GAME_OK;\n"
    "    for (int i = 0; i < N; i++) {\n"
    "        volatile double product = 1.7 * x[i];\n"
    "        bad += y[i] != product + z[i];\n"
    "    }\n"
    "    bad += game_saxpy_f64_f32s_f64s(2.0, f, N, z, N, NULL) != GAME_OK;\n"
    "    for (int i = 0; i < N; i++) {\n"
    "        bad += z[i] != 2.0 * i + 1.0 / (i + 1);\n"
    "    }\n"
    "    double sum = -1, want = 0;\n"
    "    for (int i = 0; i < N; i++) {\n"
    "        want += sin(x[i]);\n"
    "    }\n"
    "    bad += game_sum(x, N, &sum, &e) != GAME_OK || sum != want;\n"
    "    int64_t q = 0, r = 0;\n"
    "    bad += game_divide(-7, 2, &q, &r, &e) != GAME_OK || q != -4 || r != 1;\n"
    "    bad += game_odd(1, 2, 3, (uint8_t *)x, 4, 5, &q, &e) != GAME_OK || q != 15;\n"
    "    bad += game_divide(-7, 2, NULL, NULL, NULL) != GAME_OK;\n"
    "    printf(\"%d wrong\\n\", bad);\n"
    "    game_value v = {{0}, 0}, w = {{0}, 0};\n"
    "    game_any(true, 5, &v, &w, &e);\n"
    "    printf(\"%\" PRId64 \" %d %\" PRId64 \" %d\\n\", v.value.integer, (int)v.type,\n"
    "           w.value.integer, (int)w.type);\n"
    "    game_any(false, 5, &v, &w, &e);\n"
    "    printf(\"%g %d %d\\n\", v.value.real, (int)v.type, (int)w.type);\n"
    "    uint8_t bytes[3] = {0};\n"
    "    int64_t steps = 0;\n"
    "    tell(\"index\", game_store(bytes, 3, 1, 4.0, &e), &e);\n"
    "    tell(\"float\", game_store(bytes, 3, 1, 1.5, &e), &e);\n"
    "    tell(\"long\", game_store(bytes, 3, 1, 12345678901234.3, &e), &e);\n"
    "    tell(\"fit\", game_store(bytes, 3, 256, 1.0, &e), &e);\n"
    "    tell(\"keep\", game_keep(bytes, 3, 0.5, &e), &e);\n"
    "    q = 42;\n"
    "    tell(\"divide\", game_divide(1, 0, &q, &r, &e), &e);\n"
    "    tell(\"mask\", game_mask(0.5, &q, &e), &e);\n"
    "    tell(\"step\", game_step(0, &steps, &e), &e);\n"
    "    tell(\"count\", game_keep(bytes, UINT64_MAX, 1.0, &e), &e);\n"
    "    game_error none = {0};\n"
    "    tell(\"none\", 0, &none);\n"
    "    printf(\"%\" PRId64 \" %\" PRId64 \" %d\\n\", q,\n"
    "           game_step(3, &steps, NULL) == 0 ? steps : -1, (int)e.status);\n"
    "    return 0;\n"
    "}\n";

static const char output[] =
    "0 wrong\n"
    "5 3 1 2\n"
    "2.5 4 1\n"
    "index: 1 k.lua:2: cns.buffer index 4 out of range 1..3\n"
    "float: 2 k.lua:2: cns.buffer index 1.5 is not an integer\n"
    "long: 2 k.lua:2: cns.buffer index 12345678901234.0 is not an integer\n"
    "fit: 3 k.lua:2: 256 does not fit u8 exactly\n"
    "keep: 4 k.lua:2: 0.5 does not fit u8 exactly\n"
    "divide: 6 k.lua:2: attempt to divide by zero\n"
    "mask: 9 k.lua:2: number has no integer representation\n"
    "step: 10 k.lua:3: 'for' step is zero\n"
    "count: 100 a buffer of 18446744073709551615 elements is too long\n"
    "none: 0 no error\n"
    "42 4 100\n";

#define STRICT "-Wall -Wextra -Wpedantic -Wshadow -Werror"

START_TEST(programs_link_them) {
    static const char *const cpus[] = {NULL, "x86-64", "x86-64-v4,x86-64,x86-64-v3", "x86-64-v3"};
    world w;
    world_open(&w);
    make_folder();
    write_file("main.c", program, strlen(program));
    static const char alone[] = "#include \"game.h\"\n#include \"game.h\"\n";
    write_file("alone.c", alone, strlen(alone));
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
#if !defined(__x86_64__)
        if (cpus[i]) {
            continue;
        }
#endif
        emit_files(&w, cpus[i]);
        expect("cc -std=c11 " STRICT " -ffp-contract=off main.c game.o -o main -lm && ./main",
               output);
    }
    expect("cc -std=c11 " STRICT " -fsyntax-only alone.c", "");
    expect("c++ -std=c++11 " STRICT " -x c++ -fsyntax-only alone.c", "");
    expect("cc -shared -Wl,--no-undefined game.o -o game.so -lm && "
           "cc main.c -ffp-contract=off -o shared ./game.so -lm && ./shared",
           output);
    expect("cc -g -fsanitize=address,undefined -fno-sanitize-recover -ffp-contract=off main.c "
           "game.o -o checked -lm && ./checked",
           output);
    expect("nm -u game.o | grep -c 'cns\\|LLVM' || true", "0\n");
    remove_folder();
    world_close(&w);
}
END_TEST

/* ---- vectors of exp and log ------------------------------------------------------------------ */

/* Against the C library's, bit for bit, as test_libm.c does; NaNs are all alike. */
static const char curves[] =
    "#include \"game.h\"\n"
    "#include <math.h>\n"
    "#include <stdio.h>\n"
    "#include <string.h>\n"
    "enum { N = 20011, SPECIAL = 28 };\n"
    "static double x[N], y[N];\n"
    "static uint64_t state = 7;\n"
    "static int told;\n"
    "static uint64_t next(void) {\n" /* splitmix64 */
    "    uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);\n"
    "    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);\n"
    "    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);\n"
    "    return z ^ z >> 31;\n"
    "}\n"
    "static double unit(void) {\n"
    "    return (double)(next() >> 11) * 0x1p-53;\n"
    "}\n"
    "static int compare(int is_exp, uint64_t count) {\n"
    "    memcpy(y, x, sizeof y);\n"
    "    if ((is_exp ? game_exps : game_logs)(y, count, NULL) != GAME_OK) {\n"
    "        return 1;\n"
    "    }\n"
    "    for (uint64_t i = 0; i < N; i++) {\n"
    "        double want = i >= count ? x[i] : is_exp ? exp(x[i]) : log(x[i]);\n"
    "        if (memcmp(&y[i], &want, sizeof want) != 0 && (y[i] == y[i] || want == want)) {\n"
    "            if (told++ < 4) {\n"
    "                printf(\"%s(%a) = %a, not %a\\n\", is_exp ? \"exp\" : \"log\", x[i], y[i],\n"
    "                       want);\n"
    "            }\n"
    "            return 1;\n"
    "        }\n"
    "    }\n"
    "    return 0;\n"
    "}\n"
    "static int special(int is_exp) {\n"
    "    static const double values[SPECIAL] = {\n"
    "        0.0, -0.0, 1.0, -1.0, INFINITY, -INFINITY, NAN, 708.0, -708.0, 707.9999,\n"
    "        709.78271289338397, 709.79, -745.2, -744.4, 0x1p-1074, 0x1p-1022, 0x1p-1023,\n"
    "        0x1.fp+1023, 0x1p-53, -0x1p-53, 0x1p-54, 0.6875, 1.375, 0x1.ffffffffffffep-1,\n"
    "        0x1.0000000000001p+0, 1e308, 0.5, 10.0};\n"
    "    int bad = 0;\n"
    "    for (uint64_t count = 0; count < 3 * SPECIAL; count++) {\n" /* in each lane */
    "        for (uint64_t i = 0; i < N; i++) {\n"
    "            x[i] = values[i * (count % 5 + 1) % SPECIAL];\n"
    "        }\n"
    "        bad += compare(is_exp, count);\n"
    "    }\n"
    "    return bad;\n"
    "}\n"
    "static double any(int is_exp, int round) {\n"
    "    static const double scales[6] = {0x1p-30, 0x1p-4, 1, 8, 40, 750};\n"
    "    double at = scales[round % 6] * (2 * unit() - 1), all;\n"
    "    uint64_t bits = next();\n"
    "    memcpy(&all, &bits, sizeof all);\n"
    "    return round % 7 == 0 ? all : is_exp ? at : round % 2 ? fabs(at) : 1 + at / 750;\n"
    "}\n"
    /* Results next to the middle between two doubles, found from the other side. */
    "static double middle(int is_exp, int i) {\n"
    "    double step = ldexp(unit(), -(i % 32)), size = 16 + 690 * unit();\n"
    "    double near = is_exp ? 1 + step : i % 2 ? size : -size;\n"
    "    long double halfway = ((long double)near + nextafter(near, 1000)) / 2;\n"
    "    return (double)(is_exp ? logl(halfway) : expl(halfway));\n"
    "}\n"
    "int main(void) {\n"
    "    int bad = 0;\n"
    "    for (int is_exp = 0; is_exp <= 1; is_exp++) {\n"
    "        bad += special(is_exp);\n"
    "        for (int round = 0; round < 210; round++) {\n"
    "            for (int i = 0; i < N; i++) {\n"
    "                x[i] = round < 200 ? any(is_exp, round) : middle(is_exp, i);\n"
    "            }\n"
    "            bad += compare(is_exp, (uint64_t)(N - round % 17));\n"
    "        }\n"
    "    }\n"
    "    printf(\"%d wrong\\n\", bad);\n"
    "    return 0;\n"
    "}\n";

START_TEST(vectors_have_the_librarys_results) {
    static const char *const cpus[] = {NULL, "x86-64", "x86-64,x86-64-v3",
                                       "x86-64-v4,x86-64,x86-64-v3"};
    world w;
    world_open(&w);
    make_folder();
    write_file("curves.c", curves, strlen(curves));
    for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++) {
#if !defined(__x86_64__)
        if (cpus[i]) {
            continue;
        }
#endif
        emit_files(&w, cpus[i]);
        expect("cc -std=c11 " STRICT " -O1 -fno-builtin curves.c game.o -o curves -lm && ./curves",
               "0 wrong\n");
    }
#if defined(__x86_64__) && defined(__GLIBC__)
    expect("nm game.o | grep -c ' t cns[.]\\(exp\\|log\\)[.]x86-64-v[34]$'", "4\n");
#endif
    remove_folder();
    world_close(&w);
}
END_TEST

/* ---- refusals -------------------------------------------------------------------------------- */

static void refuse(world *w, cns_emit_config config, const char *words) {
    void *object = NULL;
    uint64_t size = 0;
    char message[512];
    support_status(w->context, CNS_E_INVALID, cns_vm_emit_object(w->vm, &config, &object, &size));
    cns_context_message(w->context, message, sizeof message);
    ck_assert_msg(strstr(message, words) != NULL, "\"%s\" is not in: %s", words, message);
    ck_assert_ptr_null(object);
}

START_TEST(misuse_is_refused) {
    world w;
    world_open(&w);
    cns_emit_config c = config_of(&w);
    c.cpus = "pentium9";
    refuse(&w, c, "unknown processor 'pentium9'; choose native (this machine's) or one of ");
    c.cpus = "";
    refuse(&w, c, "unknown processor ''");
#if defined(__x86_64__)
    c.cpus = "x86-64,znver4";
    refuse(&w, c, "any other stands alone");
    c.cpus = "x86-64,";
    refuse(&w, c, "unknown processor ''");
#endif
    c.cpus = NULL;
    c.prefix = "my-game";
    refuse(&w, c, "prefix");
    c.prefix = NULL;
    refuse(&w, c, "must be given");
    c = config_of(&w);
    c.size = 1;
    refuse(&w, c, "size");
    const char *names[KERNELS];
    memcpy(names, w.names, sizeof names);
    c = config_of(&w);
    c.names = names;
    names[0] = "a b";
    refuse(&w, c, "\"a b\" is no name");
    names[0] = "sum_f64s", names[1] = names[2] = "sum";
    cns_kernel *kernels[KERNELS];
    memcpy(kernels, w.kernels, sizeof kernels);
    kernels[1] = kernels[2];
    c.kernels = kernels;
    refuse(&w, c, "two kernels with the same arguments would be called game_sum_f64s");
    world_close(&w);
}
END_TEST

static cns_status emit_once(cns_context *context) {
    world w = {.context = support_context()};
    support_status(w.context, CNS_OK, cns_vm_create(w.context, NULL, &w.vm));
    cns_kernel *kernel = compile(&w, 3);
    cns_vm_config config = {.size = sizeof config, .plugin = TEST_PLUGIN};
    cns_vm *vm = NULL;
    cns_status status = cns_vm_create(context, &config, &vm);
    const char *name = "divide";
    cns_emit_config emit = {.size = sizeof emit,
                            .kernel_count = 1,
                            .kernels = &kernel,
                            .names = &name,
                            .prefix = "game"};
    char *header = NULL;
    uint64_t length = 0;
    if (status == CNS_OK) {
        status = cns_vm_emit_header(vm, &emit, &header, &length);
    }
    if (status == CNS_OK) {
        cns_context_resize(context, header, length, 0);
    }
    cns_vm_destroy(vm);
    cns_kernel_destroy(kernel);
    cns_vm_destroy(w.vm);
    support_context_destroy(w.context);
    return status;
}

START_TEST(allocations_may_fail) {
    support_each_allocation_fails(emit_once);
}
END_TEST

int main(void) {
    if (*TEST_PLUGIN == '\0') {
        puts("skipped: the native backend is not built (LLVM 18 or newer is missing)");
        return 77;
    }
    Suite *suite = suite_create("emit");
    TCase *cases = tcase_create("emit");
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, programs_link_them);
    tcase_add_test(cases, vectors_have_the_librarys_results);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, allocations_may_fail);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
