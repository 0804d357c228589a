/* SPDX-License-Identifier: MIT
 *
 * hash.c - cns.hash: digests of strings, buffers, lists of them and files; incremental hashers.
 *
 * Option strings stay on the stack while the engine looks at them: a finaliser may take them out of
 * the options table. Data is looked up last, after everything that allocates in Lua. With `tasks`
 * this thread takes part in the pool's work, so other Lua code may run in the middle of a call, in
 * this very state: strings are then kept where no script can drop them, and buffers are borrowed.
 */
#include <string.h>

#include "tasks.h"

#define NAME "cns.hasher"

/* More than this at once is a mistake; longer streams come through hasher:read. */
#define DIGEST_MAX (INT64_C(1) << 30)

typedef struct request {
    cns_hash_algorithm algorithm;
    cns_hash_params params;
    size_t size; /* of the digest */
    bool raw;
    int pool; /* stack index of the option `tasks`, 0 without */
    lcns_stay stay;
    cns_executor executor;
} request;

/* ---- options --------------------------------------------------------------------------------- */

/* Leaves the string on the stack. */
static void option_text(lua_State *L, int arg, const char *key, const void **out, size_t *size) {
    if (lcns_option_push(L, arg, key)) {
        if (lua_type(L, -1) != LUA_TSTRING) {
            lcns_option_fail(L, arg, key, "string");
        }
        *out = lua_tolstring(L, -1, size);
    }
}

/* Leaves the pool's object on the stack. */
static void option_tasks(lua_State *L, int arg, request *r) {
    if (lcns_option_push(L, arg, "tasks")) {
        if (!lcns_test(L, -1, LCNS_POOL_TYPE)) {
            lcns_option_fail(L, arg, "tasks", LCNS_POOL_TYPE);
        }
        r->pool = lua_gettop(L);
    }
}

/* The pool's executor or NULL; last, since a finaliser may close the pool. Nothing may raise until
 * the stay is ended. */
static const cns_executor *begin_stay(lua_State *L, request *r) {
    if (r->pool == 0) {
        return NULL;
    }
    lcns_stay_check(L, r->pool, &r->stay);
    cns_tasks_executor(r->stay.pool->tasks, &r->executor);
    return &r->executor;
}

/* Reads the options at `arg`; leaves a few values on the stack. */
static void read_options(lua_State *L, int arg, cns_hash_algorithm algorithm, request *r) {
    static const char *const known[] = {"size", "key", "salt",  "personal", "derive",
                                        "seed", "raw", "tasks", NULL};
    *r = (request){.algorithm = algorithm, .params = {.size = sizeof r->params}};
    r->size = cns_hash_digest_size(algorithm);
    if (lua_isnoneornil(L, arg)) {
        return;
    }
    lcns_options(L, arg, known);
    lua_Integer integer = 0;
    if (lcns_option_integer(L, arg, "size", 1, DIGEST_MAX, &integer)) {
        r->params.digest_size = (uint32_t)integer;
        r->size = (size_t)integer;
    }
    if (lcns_option_integer(L, arg, "seed", LUA_MININTEGER, LUA_MAXINTEGER, &integer)) {
        r->params.seed = (uint64_t)integer;
    }
    const void *derive = NULL;
    option_text(L, arg, "key", &r->params.key, &r->params.key_size);
    option_text(L, arg, "salt", &r->params.salt, &r->params.salt_size);
    option_text(L, arg, "personal", &r->params.personal, &r->params.personal_size);
    option_text(L, arg, "derive", &derive, &r->params.derive_size);
    r->params.derive = derive;
    r->raw = lcns_option_boolean(L, arg, "raw", false);
    option_tasks(L, arg, r);
}

static cns_hash_algorithm check_algorithm(lua_State *L, int arg) {
    luaL_checktype(L, arg, LUA_TSTRING);
    cns_hash_algorithm algorithm = CNS_HASH_BLAKE3;
    if (cns_hash_parse(lua_tostring(L, arg), &algorithm) != CNS_OK) {
        luaL_argerror(L, arg,
                      lua_pushfstring(L,
                                      "hash name expected (blake3, blake2b, xxh3-64, xxh3-128, "
                                      "crc32c, siphash24 or siphash13), got '%s'",
                                      lua_tostring(L, arg)));
    }
    return algorithm;
}

/* ---- results --------------------------------------------------------------------------------- */

/* Digests up to this size are made on the C stack. */
#define SMALL 64

static void push_digest(lua_State *L, const uint8_t *digest, size_t size, bool raw) {
    if (raw) {
        lua_pushlstring(L, (const char *)digest, size);
    } else if (size <= SMALL) {
        char hex[2 * SMALL + 1];
        cns_hash_hex(digest, size, hex);
        lua_pushlstring(L, hex, 2 * size);
    } else {
        char *hex = lua_newuserdatauv(L, 2 * size + 1, 0);
        cns_hash_hex(digest, size, hex);
        lua_pushlstring(L, hex, 2 * size);
        lua_remove(L, -2);
    }
}

/* Where a digest goes: `small`, or a userdata on the stack. */
static uint8_t *digest_room(lua_State *L, size_t size, uint8_t small[SMALL]) {
    return size <= SMALL ? small : lua_newuserdatauv(L, size, 0);
}

/* ---- functions ------------------------------------------------------------------------------- */

/* Large data in pieces, on this thread; the poll's status when the host wants to stop. */
static cns_status digest_pieces(lua_State *L, const request *r, const void *data, size_t size,
                                uint8_t *out) {
    cns_context *context = lcns_context(L);
    cns_hasher *hasher = NULL;
    cns_status status = cns_hasher_create(context, r->algorithm, &r->params, &hasher);
    for (size_t at = 0; at < size && status == CNS_OK; at += LCNS_PIECE) {
        size_t piece = size - at < LCNS_PIECE ? size - at : LCNS_PIECE;
        status = cns_hasher_update(hasher, (const uint8_t *)data + at, piece);
        status = status == CNS_OK ? lcns_poll_status(L) : status;
    }
    if (status == CNS_OK) {
        status = cns_hasher_finalize(hasher, out, r->size);
    }
    cns_hasher_destroy(hasher);
    return status;
}

/* The data at `arg` over the pool. */
static cns_status digest_parallel(lua_State *L, request *r, int arg, const void *data, size_t size,
                                  uint8_t *out) {
    cns_context *context = lcns_context(L);
    const cns_buffer *buffer = lcns_test_buffer(L, arg);
    cns_buffer *borrowed = NULL;
    const cns_executor *executor = begin_stay(L, r);
    cns_status status = buffer ? cns_buffer_borrow(buffer, CNS_ACCESS_READ, &borrowed) : CNS_OK;
    if (status == CNS_OK) {
        status = cns_hash_parallel(context, r->algorithm, &r->params, data, size, out, r->size,
                                   executor);
    }
    cns_buffer_destroy(borrowed);
    lcns_stay_end(&r->stay);
    return status;
}

static int digest_of(lua_State *L, cns_hash_algorithm algorithm, int arg) {
    request r;
    uint8_t small[SMALL];
    size_t size;
    lcns_check_data(L, arg, &size);
    lua_settop(L, arg + 1);
    read_options(L, arg + 1, algorithm, &r);
    uint8_t *out = digest_room(L, r.size, small);
    const void *data = lcns_check_data(L, arg, &size);
    if (r.pool) {
        lcns_ok(L, digest_parallel(L, &r, arg, data, size, out));
    } else if (size > LCNS_PIECE) {
        cns_status status = digest_pieces(L, &r, data, size, out);
        lcns_poll(L);
        lcns_ok(L, status);
    } else {
        lcns_ok(L, cns_hash_digest(lcns_context(L), algorithm, &r.params, data, size, out, r.size));
    }
    push_digest(L, out, r.size, r.raw);
    return 1;
}

static int hash_digest(lua_State *L) {
    return digest_of(L, check_algorithm(L, 1), 2);
}

/* hash.blake3 and its kin: closures over the algorithm's number. */
static int hash_named(lua_State *L) {
    return digest_of(L, (cns_hash_algorithm)lua_tointeger(L, lua_upvalueindex(1)), 1);
}

typedef struct batch {
    const void **messages;
    size_t *sizes;
    cns_buffer **buffers; /* NULL for a string; with a pool, the borrow */
    uint8_t *digests;
    size_t count;
    int list; /* stack index of what keeps the messages alive */
} batch;

/* One userdata for all the arrays, left on the stack. */
static batch batch_room(lua_State *L, size_t count, size_t digest_size) {
    const size_t pointers = count * sizeof(void *);
    const size_t each = 2 * sizeof(void *) + sizeof(size_t) + digest_size;
    if (count > (size_t)PTRDIFF_MAX / each) {
        luaL_error(L, "not enough memory for %I digests", (LUAI_UACINT)count);
    }
    uint8_t *room = lua_newuserdatauv(L, count * each, 0);
    return (batch){
        .messages = (const void **)(void *)room,
        .buffers = (cns_buffer **)(void *)(room + pointers),
        .sizes = (size_t *)(void *)(room + 2 * pointers),
        .digests = room + 2 * pointers + count * sizeof(size_t),
        .count = count,
    };
}

/* A copy of the list of messages that no script can reach; leaves it on the stack. */
static int copy_list(lua_State *L, int arg, size_t count) {
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(L, arg, (lua_Integer)i);
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    return lua_gettop(L);
}

/* No script runs from here to the digests, unless there is a pool. */
static void look_up(lua_State *L, batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        lua_rawgeti(L, b->list, (lua_Integer)i + 1);
        b->buffers[i] = lcns_test_buffer(L, -1);
        if (lua_type(L, -1) != LUA_TSTRING && !b->buffers[i]) {
            luaL_error(L, "message %I: string or open cns.buffer expected, got %s",
                       (LUAI_UACINT)(i + 1), luaL_typename(L, -1));
        }
        b->messages[i] = lcns_check_data(L, -1, &b->sizes[i]);
        lua_pop(L, 1);
    }
}

static cns_status batch_parallel(lua_State *L, request *r, batch *b) {
    cns_context *context = lcns_context(L);
    const cns_executor *executor = begin_stay(L, r);
    cns_status status = CNS_OK;
    size_t borrowed = 0;
    for (; borrowed < b->count && status == CNS_OK; borrowed++) {
        const cns_buffer *buffer = b->buffers[borrowed];
        b->buffers[borrowed] = NULL;
        if (buffer) {
            status = cns_buffer_borrow(buffer, CNS_ACCESS_READ, &b->buffers[borrowed]);
        }
    }
    if (status == CNS_OK) {
        status = cns_hash_batch(context, r->algorithm, &r->params, b->messages, b->sizes, b->count,
                                b->digests, b->count * r->size, executor);
    }
    while (borrowed > 0) {
        cns_buffer_destroy(b->buffers[--borrowed]);
    }
    lcns_stay_end(&r->stay);
    return status;
}

static int hash_batch(lua_State *L) {
    request r;
    cns_hash_algorithm algorithm = check_algorithm(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 3);
    read_options(L, 3, algorithm, &r);
    size_t count = lua_rawlen(L, 2);
    batch b = batch_room(L, count, r.size);
    b.list = r.pool ? copy_list(L, 2, count) : 2;
    look_up(L, &b);
    if (r.pool) {
        lcns_ok(L, batch_parallel(L, &r, &b));
    } else {
        lcns_ok(L, cns_hash_batch(lcns_context(L), algorithm, &r.params, b.messages, b.sizes, count,
                                  b.digests, count * r.size, NULL));
    }
    lua_createtable(L, count < INT32_MAX ? (int)count : 0, 0);
    for (size_t i = 0; i < count; i++) {
        push_digest(L, b.digests + i * r.size, r.size, r.raw);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

static int hash_file(lua_State *L) {
    request r;
    uint8_t small[SMALL];
    size_t length;
    cns_hash_algorithm algorithm = check_algorithm(L, 1);
    luaL_checktype(L, 2, LUA_TSTRING);
    const char *path = lua_tolstring(L, 2, &length);
    luaL_argcheck(L, strlen(path) == length, 2, "a path has no zero bytes");
    lua_settop(L, 3);
    read_options(L, 3, algorithm, &r);
    uint8_t *out = digest_room(L, r.size, small);
    cns_context *context = lcns_context(L);
    const cns_executor *executor = begin_stay(L, &r);
    cns_status status = cns_hash_file(context, algorithm, &r.params, path, out, r.size, executor);
    lcns_stay_end(&r.stay);
    lcns_ok(L, status);
    push_digest(L, out, r.size, r.raw);
    return 1;
}

static int hash_algorithms(lua_State *L) {
    lua_newtable(L);
    for (int i = CNS_HASH_BLAKE3; i <= CNS_HASH_SIPHASH13; i++) {
        lua_pushstring(L, cns_hash_name((cns_hash_algorithm)i));
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int hash_hex(lua_State *L) {
    size_t size;
    luaL_checktype(L, 1, LUA_TSTRING);
    const char *bytes = lua_tolstring(L, 1, &size);
    luaL_argcheck(L, size < PTRDIFF_MAX / 2, 1, "too long");
    push_digest(L, (const uint8_t *)bytes, size, false);
    return 1;
}

/* ---- hashers --------------------------------------------------------------------------------- */

typedef struct hasher_object {
    lcns_object base;
    cns_hasher *hasher; /* NULL while being made */
    cns_hash_algorithm algorithm;
    bool raw;
} hasher_object;

static int hash_new(lua_State *L) {
    request r;
    cns_hash_algorithm algorithm = check_algorithm(L, 1);
    lua_settop(L, 2);
    read_options(L, 2, algorithm, &r);
    luaL_argcheck(L, r.pool == 0, 2, "a hasher takes no option 'tasks'");
    hasher_object *self = lcns_new(L, sizeof *self, NAME);
    self->algorithm = algorithm;
    self->raw = r.raw;
    lcns_ok(L, cns_hasher_create(self->base.shared->context, algorithm, &r.params, &self->hasher));
    return 1;
}

static int hasher_update(lua_State *L) {
    hasher_object *self = lcns_self(L);
    size_t size;
    const uint8_t *data = lcns_check_data(L, 2, &size);
    for (size_t at = 0; at == 0 || at < size; at += LCNS_PIECE) {
        size_t piece = size - at < LCNS_PIECE ? size - at : LCNS_PIECE;
        lcns_ok(L, cns_hasher_update(self->hasher, data + at, piece));
        if (piece == LCNS_PIECE) {
            lcns_poll(L);
        }
    }
    lua_settop(L, 1);
    return 1;
}

static int hasher_digest(lua_State *L) {
    const hasher_object *self = lcns_self(L);
    uint8_t small[SMALL];
    size_t size = cns_hasher_digest_size(self->hasher);
    uint8_t *out = digest_room(L, size, small);
    self = lcns_self(L);
    lcns_ok(L, cns_hasher_finalize(self->hasher, out, size));
    push_digest(L, out, size, self->raw);
    return 1;
}

static int hasher_read(lua_State *L) {
    lcns_self(L);
    lua_Integer offset = lcns_check_range(L, 2, 0, LUA_MAXINTEGER);
    lua_Integer size = lcns_check_range(L, 3, 0, DIGEST_MAX);
    uint8_t *out = lua_newuserdatauv(L, (size_t)size, 0);
    const hasher_object *self = lcns_self(L);
    lcns_ok(L, cns_hasher_read(self->hasher, (uint64_t)offset, out, (size_t)size));
    lua_pushlstring(L, (const char *)out, (size_t)size);
    return 1;
}

static int hasher_reset(lua_State *L) {
    hasher_object *self = lcns_self(L);
    cns_hasher_reset(self->hasher);
    lua_settop(L, 1);
    return 1;
}

static int hasher_clone(lua_State *L) {
    lcns_self(L);
    hasher_object *clone = lcns_new(L, sizeof *clone, NAME);
    const hasher_object *self = lcns_self(L);
    clone->algorithm = self->algorithm;
    clone->raw = self->raw;
    lcns_ok(L, cns_hasher_clone(self->hasher, &clone->hasher));
    return 1;
}

static int hasher_tostring(lua_State *L) {
    const hasher_object *self = lcns_test(L, 1, NAME);
    if (!self) {
        return luaL_typeerror(L, 1, NAME);
    }
    lua_pushfstring(L, NAME " %s", self->base.shared ? cns_hash_name(self->algorithm) : "(closed)");
    return 1;
}

static int hasher_close(lua_State *L) {
    lcns_shared *shared;
    hasher_object *self = lcns_begin_close(L, NAME, &shared);
    if (self) {
        cns_hasher_destroy(self->hasher);
        self->hasher = NULL;
        lcns_shared_release(shared);
    }
    return 0;
}

/* ---- opening --------------------------------------------------------------------------------- */

static const luaL_Reg functions[] = {
    {"digest", hash_digest},         {"batch", hash_batch}, {"file", hash_file}, {"new", hash_new},
    {"algorithms", hash_algorithms}, {"hex", hash_hex},     {NULL, NULL},
};

static const struct {
    const char *name;
    cns_hash_algorithm algorithm;
} named[] = {
    {"blake3", CNS_HASH_BLAKE3},       {"blake2b", CNS_HASH_BLAKE2B},
    {"xxh3_64", CNS_HASH_XXH3_64},     {"xxh3_128", CNS_HASH_XXH3_128},
    {"crc32c", CNS_HASH_CRC32C},       {"siphash24", CNS_HASH_SIPHASH24},
    {"siphash13", CNS_HASH_SIPHASH13},
};

static const luaL_Reg methods[] = {
    {"update", hasher_update}, {"digest", hasher_digest}, {"read", hasher_read},
    {"reset", hasher_reset},   {"clone", hasher_clone},   {NULL, NULL},
};

static const luaL_Reg metamethods[] = {{"__tostring", hasher_tostring}, {NULL, NULL}};

int lcns_open_hash(lua_State *L) {
    lcns_type(L, NAME, methods, metamethods, hasher_close);
    luaL_newlib(L, functions);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        lua_pushinteger(L, named[i].algorithm);
        lua_pushcclosure(L, hash_named, 1);
        lua_setfield(L, -2, named[i].name);
    }
    return 1;
}
