/* SPDX-License-Identifier: MIT
 *
 * fuzz_dump.c - functions as lua_dump writes them, from bytes that may be anything: the input is a
 * dump, or edits one that Lua wrote. What the reader takes is compiled for types that the input
 * chooses, in a world that the input chooses, and run.
 */
#include <lauxlib.h>
#include <lua.h>

#include "fuzz_kernel.h"

#define TRY(call) FUZZ_CHECK((call) == CNS_OK)

enum { ROOM = 1 << 14, TYPES = 8 };

/* ---- dumps ----------------------------------------------------------------------------------- */

static const char *const sources[] = {
    "return function(x, a) for i = 1, #x do x[i] = a * x[i] end return a end",
    "local s, f = math.sqrt, 2 return function(x, y) local n = 0 for i = #x, 1, -2 do "
    "if x[i] > y then n = n + s(x[i] * f) else break end end return n, y end",
    "return function(a, b) while a < b do a = a * 2 + (b // 3 & 7) if a == 5 then goto out end end "
    "::out:: return a, -a, not b end",
    "local function g(v, w) if v then return w, v end return 1 end "
    "return function(x, y, z) local p, q = g(x, y) repeat y = (y or 0) + 1 until y > 9 "
    "return p, q, x == z, y ~ 3, z .. 'x' end",
    "return function(n, x, y) for i in cns.prange(n) do x[i] = y[i] % 7 end "
    "return math.max(n, 3), math.tointeger(n) end",
    "return function(a, x) for i = a, 0.5, -0.25 do x[1] = i for j = 1, i do x[j] = j << i end end "
    "end"};

enum { SOURCES = sizeof sources / sizeof *sources };

typedef struct dump {
    uint8_t bytes[ROOM];
    size_t size;
} dump;

static int write_dump(lua_State *L, const void *bytes, size_t size, void *user) {
    dump *d = user;
    (void)L;
    FUZZ_CHECK(size <= ROOM - d->size);
    memcpy(d->bytes + d->size, bytes, size);
    d->size += size;
    return 0;
}

static const dump *dumps(void) {
    static dump made[SOURCES];
    for (int i = 0; i < SOURCES && made[i].size == 0; i++) {
        lua_State *L = luaL_newstate();
        FUZZ_CHECK(luaL_loadstring(L, sources[i]) == LUA_OK);
        if (strncmp(sources[i], "return", 6) != 0) { /* `math` is read at once */
            lua_createtable(L, 0, 0);
            lua_setglobal(L, "math");
        }
        FUZZ_CHECK(lua_pcall(L, 0, 1, 0) == LUA_OK);
        FUZZ_CHECK(lua_dump(L, write_dump, &made[i], 0) == 0);
        lua_close(L);
    }
    return made;
}

/* Sets, inserts and removes bytes as the input says; small steps of one byte, too. */
static size_t edit(fuzz_input *input, uint8_t *bytes, size_t size) {
    while (input->size > 2 && size > 1 && size < ROOM - 1) {
        uint8_t what = fuzz_byte(input);
        size_t at = (fuzz_byte(input) | (what & 0xf0u) << 4) % size;
        switch (what & 7) {
        case 0:
            memmove(bytes + at + 1, bytes + at, size++ - at);
            bytes[at] = fuzz_byte(input);
            break;
        case 1:
            memmove(bytes + at, bytes + at + 1, --size - at);
            break;
        case 2:
            bytes[at] ^= (uint8_t)(1u << (fuzz_byte(input) & 7));
            break;
        case 3:
            bytes[at]++;
            break;
        default:
            bytes[at] = fuzz_byte(input);
        }
    }
    return size;
}

/* ---- a world --------------------------------------------------------------------------------- */

typedef struct world {
    uint8_t choice;
    uint32_t asked;
    const cns_lua_function *function;
} world;

static cns_status answer(world *w, cns_import *out) {
    static const uint32_t types[] = {CNS_VM_I64, CNS_VM_F64, CNS_VM_BOOL, CNS_VM_BUFFER + CNS_F64};
    uint32_t choice = w->choice * 7u + w->asked++ * (w->choice | 1u);
    *out = (cns_import){.id = w->asked, .what = "a thing of the fuzzer"};
    switch (choice % 8) {
    case 0:
        out->kind = CNS_IMPORT_NIL;
        break;
    case 1:
        out->kind = CNS_IMPORT_OTHER;
        break;
    case 2:
    case 3:
        out->kind = CNS_IMPORT_INTRINSIC;
        out->intrinsic = (cns_intrinsic)(choice / 8 % CNS_INTRINSIC_COUNT);
        break;
    case 4:
        out->kind = CNS_IMPORT_FUNCTION;
        out->function = w->function;
        break;
    case 5:
        out->kind = CNS_IMPORT_TABLE;
        break;
    default:
        out->kind = CNS_IMPORT_VALUE;
        out->type = types[choice / 8 % 4];
    }
    return CNS_OK;
}

static cns_status answer_upvalue(void *user, uint32_t function, uint32_t index, cns_import *out) {
    (void)function, (void)index;
    return answer(user, out);
}

static cns_status answer_field(void *user, uint32_t table, const char *key, cns_import *out) {
    (void)table, (void)key;
    return answer(user, out);
}

/* ---- compiling ------------------------------------------------------------------------------- */

static void compile(const cns_lua_function *function, const uint8_t *choices) {
    static const uint32_t known[] = {CNS_VM_NIL,
                                     CNS_VM_BOOL,
                                     CNS_VM_I64,
                                     CNS_VM_F64,
                                     CNS_VM_BUFFER + CNS_F64,
                                     CNS_VM_BUFFER + CNS_I64,
                                     CNS_VM_BUFFER + CNS_U8,
                                     CNS_VM_BUFFER + CNS_F32};
    uint32_t types[TYPES];
    uint32_t count = cns_lua_function_parameters(function);
    count = count < TYPES ? count : TYPES;
    for (uint32_t i = 0; i < count; i++) {
        types[i] = known[choices[i % 4] >> (i / 4 * 3) & 7];
    }
    world w = {choices[4], 0, function};
    cns_import_source source = {&w, answer_upvalue, answer_field};
    cns_kernel_config config = {.size = sizeof config,
                                .options = choices[5] & 31,
                                .function = function,
                                .types = types,
                                .type_count = count,
                                .imports = &source};
    char message[512] = "";
    cns_kernel *kernel = NULL;
    cns_status status = cns_kernel_compile(fuzz_vm(), &config, message, sizeof message, &kernel);
    FUZZ_CHECK(status == CNS_OK || status == CNS_E_UNSUPPORTED || status == CNS_E_LIMIT);
    FUZZ_CHECK(status == CNS_OK || *message);
    if (status == CNS_OK) {
        fuzz_run_kernel(kernel);
        cns_kernel_destroy(kernel);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t bytes[ROOM];
    fuzz_input input = {data, size};
    uint8_t choices[6];
    for (int i = 0; i < 6; i++) {
        choices[i] = fuzz_byte(&input);
    }
    uint8_t how = fuzz_byte(&input);
    size_t length = 0;
    if (how & 1) {
        length = input.size < ROOM ? input.size : ROOM;
        memcpy(bytes, input.data, length);
    } else {
        const dump *d = &dumps()[how / 2 % SOURCES];
        memcpy(bytes, d->bytes, d->size);
        length = edit(&input, bytes, d->size);
    }
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, bytes, length);
    cns_context *context = NULL;
    TRY(cns_context_create(NULL, &context));
    cns_lua_function *function = NULL;
    cns_status status = cns_lua_function_read(context, exact, length, &function);
    free(exact); /* it keeps nothing of it */
    FUZZ_CHECK(status == CNS_OK || status == CNS_E_CORRUPT || status == CNS_E_UNSUPPORTED ||
               status == CNS_E_LIMIT);
    if (status == CNS_OK) {
        compile(function, choices);
    }
    cns_lua_function_destroy(function);
    cns_context_destroy(context);
    return 0;
}
