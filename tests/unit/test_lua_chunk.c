/* SPDX-License-Identifier: MIT
 *
 * test_lua_chunk.c - reading Lua's dumps, against luac's own listing of every script of the
 * project; damaged dumps; control flow and liveness.
 */
#define _XOPEN_SOURCE 700 /* popen */

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "base/text.h"
#include "support.h"
#include "vm/chunk_check.h"
#include "vm/flow.h"

/* ---- dumps ----------------------------------------------------------------------------------- */

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

static dump dump_top(lua_State *L, int strip) {
    dump d = {NULL, 0};
    ck_assert_int_eq(lua_dump(L, write_dump, &d, strip), 0);
    return d;
}

/* The dump of the function that `source` returns. */
static dump dump_of(const char *source, int strip) {
    lua_State *L = luaL_newstate();
    luaL_openlibs(L);
    ck_assert_msg(luaL_dostring(L, source) == LUA_OK, "%s", lua_tostring(L, -1));
    dump d = dump_top(L, strip);
    lua_close(L);
    return d;
}

static cns_chunk *read_ok(cns_context *context, dump d) {
    cns_chunk *chunk = NULL;
    support_status(context, CNS_OK, cns_chunk_read(context, d.bytes, d.size, &chunk));
    return chunk;
}

/* ---- against luac ---------------------------------------------------------------------------- */

typedef struct listing {
    FILE *pipe;
    const char *file;
    unsigned functions;
    unsigned instructions;
} listing;

/* The next instruction of luac's listing: "\t3\t[12]\tADD      \t0 1 2". */
static bool next_line(listing *l, unsigned *number, unsigned *line, char name[20]) {
    char text[512];
    while (fgets(text, sizeof text, l->pipe)) {
        char found[8];
        if (sscanf(text, " %u [%7[0-9-]] %19[A-Z0-9]", number, found, name) == 3) {
            *line = found[0] == '-' ? 0 : (unsigned)atoi(found);
            return true;
        }
    }
    return false;
}

static void lower(char *text) {
    for (; *text; text++) {
        *text = *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text;
    }
}

static void compare_function(listing *l, const cns_proto *proto) {
    for (uint32_t pc = 0; pc < proto->code_count; pc++) {
        unsigned number, line;
        char name[20] = "";
        ck_assert_msg(next_line(l, &number, &line, name), "%s: luac lists less", l->file);
        lower(name);
        ck_assert_msg(number == pc + 1 && line == proto->lines[pc] &&
                          strcmp(name, cns_lua_op_name(cns_lua_op_of(proto->code[pc]))) == 0,
                      "%s: luac has %u [%u] %s, ours %u [%u] %s", l->file, number, line, name,
                      pc + 1, proto->lines[pc], cns_lua_op_name(cns_lua_op_of(proto->code[pc])));
        l->instructions++;
    }
    l->functions++;
    for (uint32_t p = 0; p < proto->proto_count; p++) {
        compare_function(l, proto->protos[p]);
    }
}

static unsigned compare_file(cns_context *context, const char *file) {
    lua_State *L = luaL_newstate();
    ck_assert_msg(luaL_loadfile(L, file) == LUA_OK, "%s", lua_tostring(L, -1));
    dump d = dump_top(L, 0);
    lua_close(L);
    cns_chunk *chunk = read_ok(context, d);
    char command[600];
    snprintf(command, sizeof command, "luac5.4 -l -p '%s'", file);
    listing l = {.pipe = popen(command, "r"), .file = file};
    ck_assert_ptr_nonnull(l.pipe);
    compare_function(&l, cns_chunk_main(chunk));
    unsigned number, line;
    char name[20];
    ck_assert_msg(!next_line(&l, &number, &line, name), "%s: luac lists more", file);
    ck_assert_int_eq(pclose(l.pipe), 0);
    cns_text text;
    cns_text_init(&text, context);
    support_status(context, CNS_OK, cns_proto_print(cns_chunk_main(chunk), &text));
    ck_assert_uint_gt(text.length, l.instructions * 10);
    cns_text_deinit(&text);
    cns_chunk_destroy(chunk);
    free(d.bytes);
    return l.instructions;
}

START_TEST(every_script_reads_as_luac_lists_it) {
    cns_context *context = support_context();
    FILE *files = popen("find '" TEST_DATA_DIR
                        "/../..' -name '*.lua' -not -path '*/build/*' -not -path '*/luajit/*' "
                        "-not -name '*luajit.lua'",
                        "r");
    char file[512];
    unsigned count = 0;
    unsigned instructions = 0;
    while (fgets(file, sizeof file, files)) {
        file[strcspn(file, "\n")] = '\0';
        instructions += compare_file(context, file);
        count++;
    }
    ck_assert_int_eq(pclose(files), 0);
    ck_assert_uint_gt(count, 30);
    ck_assert_uint_gt(instructions, 10000);
    support_context_destroy(context);
}
END_TEST

START_TEST(names_and_constants_are_read) {
    cns_context *context = support_context();
    dump d = dump_of("local k = 3\n"
                     "return function(a, b, ...)\n"
                     "  local c = a + 7.25\n"
                     "  do local inner = 'text' end\n"
                     "  return c + k + 12345678901, b\n"
                     "end",
                     0);
    cns_chunk *chunk = read_ok(context, d);
    const cns_proto *proto = cns_chunk_main(chunk);
    ck_assert_uint_eq(proto->parameters, 2);
    ck_assert(proto->variadic);
    ck_assert_uint_eq(proto->line_defined, 2);
    ck_assert_uint_eq(proto->last_line, 6);
    ck_assert_uint_eq(proto->upvalue_count, 1);
    ck_assert_str_eq(proto->upvalues[0].name, "k");
    ck_assert_str_eq(cns_proto_local(proto, 0, 1), "a");
    ck_assert_str_eq(cns_proto_local(proto, 2, 4), "c");
    ck_assert_ptr_null(cns_proto_local(proto, 7, 4));
    bool real = false, integer = false, string = false;
    for (uint32_t i = 0; i < proto->constant_count; i++) {
        const cns_constant *k = &proto->constants[i];
        real |= k->kind == CNS_CONSTANT_FLOAT && k->real == 7.25;
        integer |= k->kind == CNS_CONSTANT_INTEGER && k->integer == 12345678901;
        string |= k->kind == CNS_CONSTANT_STRING && strcmp(k->string, "text") == 0;
    }
    ck_assert(real && integer && string);
    cns_chunk_destroy(chunk);
    free(d.bytes);
    support_context_destroy(context);
}
END_TEST

START_TEST(stripped_dumps_have_no_names) {
    cns_context *context = support_context();
    dump d = dump_of("local k = 3 return function(a) return a + k end", 1);
    cns_chunk *chunk = read_ok(context, d);
    const cns_proto *proto = cns_chunk_main(chunk);
    ck_assert_str_eq(proto->source, "?");
    ck_assert_str_eq(proto->upvalues[0].name, "?");
    ck_assert_ptr_null(cns_proto_local(proto, 0, 0));
    ck_assert_uint_eq(proto->lines[0], 0);
    cns_chunk_destroy(chunk);
    free(d.bytes);
    support_context_destroy(context);
}
END_TEST

/* ---- damage ---------------------------------------------------------------------------------- */

static const char sample[] =
    "local m, t = math, {}\n"
    "return function(x, y, n)\n"
    "  local s, big = 0, 1e300\n"
    "  for i = 1, n do if x[i] > y[i] and i ~= 3 then s = s + x[i] // 2 else t[i] = -s end end\n"
    "  for k, v in pairs(t) do s = s .. k end\n"
    "  while s < big do s = s * 3 & 7 end\n"
    "  return function() return m.sqrt(s), not t end, s\n"
    "end";

static void print_all(cns_context *context, const cns_proto *proto) {
    cns_text text;
    cns_text_init(&text, context);
    cns_proto_print(proto, &text);
    cns_flow flow;
    if (cns_flow_init(&flow, context, proto) == CNS_OK) {
        cns_flow_print(&flow, &text);
        cns_flow_deinit(&flow);
    }
    cns_text_deinit(&text);
}

START_TEST(damaged_dumps_are_refused_or_harmless) {
    cns_context *context = support_context();
    dump d = dump_of(sample, 0);
    for (size_t size = 0; size < d.size; size++) {
        unsigned char *cut = malloc(size + 1); /* exact, so that a sanitizer sees each byte */
        memcpy(cut, d.bytes, size);
        cns_chunk *chunk = NULL;
        ck_assert_int_ne(cns_chunk_read(context, cut, size, &chunk), CNS_OK);
        free(cut);
    }
    cns_rng rng;
    cns_rng_seed(&rng, 3);
    unsigned accepted = 0;
    for (int round = 0; round < 30000; round++) {
        dump copy = {malloc(d.size), d.size};
        memcpy(copy.bytes, d.bytes, d.size);
        for (uint64_t hits = 1 + cns_rng_below(&rng, 3); hits > 0; hits--) {
            copy.bytes[cns_rng_below(&rng, d.size)] = (unsigned char)cns_rng_next(&rng);
        }
        cns_chunk *chunk = NULL;
        if (cns_chunk_read(context, copy.bytes, copy.size, &chunk) == CNS_OK) {
            accepted++;
            print_all(context, cns_chunk_main(chunk));
            cns_chunk_destroy(chunk);
        }
        free(copy.bytes);
    }
    ck_assert_uint_gt(accepted, 100); /* names and numbers may change unseen */
    ck_assert_uint_lt(accepted, 25000);
    free(d.bytes);
    support_context_destroy(context);
}
END_TEST

START_TEST(other_formats_are_named) {
    cns_context *context = support_context();
    dump d = dump_of("return function() end", 0);
    cns_chunk *chunk = NULL;
    d.bytes[4] = 0x53;
    support_status(context, CNS_E_UNSUPPORTED, cns_chunk_read(context, d.bytes, d.size, &chunk));
    d.bytes[4] = 0x54;
    d.bytes[13] = 4;
    support_status(context, CNS_E_UNSUPPORTED, cns_chunk_read(context, d.bytes, d.size, &chunk));
    support_status(context, CNS_E_CORRUPT, cns_chunk_read(context, "return 1", 8, &chunk));
    support_status(context, CNS_E_CORRUPT, cns_chunk_read(context, "", 0, &chunk));
    ck_assert_ptr_null(chunk);
    free(d.bytes);
    support_context_destroy(context);
}
END_TEST

static dump shared_dump;

static cns_status read_and_analyse(cns_context *context) {
    cns_chunk *chunk = NULL;
    cns_status status = cns_chunk_read(context, shared_dump.bytes, shared_dump.size, &chunk);
    if (status == CNS_OK) {
        cns_flow flow;
        status = cns_flow_init(&flow, context, cns_chunk_main(chunk));
        cns_flow_deinit(&flow);
    }
    cns_chunk_destroy(chunk);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    shared_dump = dump_of(sample, 0);
    support_each_allocation_fails(read_and_analyse);
    free(shared_dump.bytes);
}
END_TEST

/* ---- flow ------------------------------------------------------------------------------------ */

/* By hand: registers 0 x, 1 n, 2 s, 3-5 the loop's own, 6 i, then temporaries. */
START_TEST(blocks_and_liveness_of_a_loop) {
    cns_context *context = support_context();
    dump d = dump_of("return function(x, n)\n"
                     "  local s = 0\n"
                     "  for i = 1, n do\n"
                     "    if x[i] < 0 then s = s - x[i] end\n"
                     "  end\n"
                     "  return s\n"
                     "end",
                     0);
    cns_chunk *chunk = read_ok(context, d);
    cns_flow flow;
    support_status(context, CNS_OK, cns_flow_init(&flow, context, cns_chunk_main(chunk)));
    cns_text text;
    cns_text_init(&text, context);
    support_status(context, CNS_OK, cns_flow_print(&flow, &text));
    ck_assert_str_eq(text.bytes, "block 0: 1-5, live r0 r1, to 1 or 4\n"
                                 "block 1: 6-7, live r0 r2 r3 r4 r5 r6, to 2 or 3\n"
                                 "block 2: 9-10, live r0 r2 r3 r4 r5 r6, to 3\n"
                                 "block 3: 12-12, live r0 r2 r3 r4 r5, to 4 or 1\n"
                                 "block 4: 13-13, live r2\n");
    cns_text_deinit(&text);
    cns_flow_deinit(&flow);
    cns_chunk_destroy(chunk);
    free(d.bytes);
    support_context_destroy(context);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("chunk");
    TCase *cases = tcase_create("chunk");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, every_script_reads_as_luac_lists_it);
    tcase_add_test(cases, names_and_constants_are_read);
    tcase_add_test(cases, stripped_dumps_have_no_names);
    tcase_add_test(cases, damaged_dumps_are_refused_or_harmless);
    tcase_add_test(cases, other_formats_are_named);
    tcase_add_test(cases, failing_allocations_are_survived);
    tcase_add_test(cases, blocks_and_liveness_of_a_loop);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
