/* SPDX-License-Identifier: MIT
 *
 * chunk.c - reads a Lua 5.4 dump into an arena.
 *
 * A reader holds the first failure and then gives zeros, so that the code reads like the format:
 * header, then one function in another. Counts are compared with the bytes that are left before
 * anything is allocated for them, so a forged count costs nothing. Source: Lua 5.4's ldump.c.
 */
#include "vm/chunk.h"

#include <string.h>

#include "cns/memory.h"
#include "vm/chunk_check.h"

enum { PROTO_DEPTH_MAX = 100 };

struct cns_chunk {
    cns_context *context;
    cns_arena *arena;
    const cns_proto *main;
};

typedef struct reader {
    cns_context *context;
    cns_arena *arena;
    const uint8_t *begin;
    const uint8_t *at;
    const uint8_t *end;
    cns_status status;
} reader;

static void corrupt(reader *r, const char *what) {
    if (r->status == CNS_OK) {
        r->status = cns_fail(r->context, CNS_E_CORRUPT, "damaged Lua dump: %s at byte %zu", what,
                             (size_t)(r->at - r->begin));
    }
    r->at = r->end;
}

static void *take(reader *r, size_t count, size_t size) {
    if (r->status != CNS_OK) {
        return NULL;
    }
    void *memory = cns_arena_alloc(r->arena, count * size + 1, 16);
    if (!memory) {
        r->status = cns_context_memory_status(r->context, count * size);
        r->at = r->end;
        return NULL;
    }
    memset(memory, 0, count * size + 1);
    return memory;
}

/* ---- the format's atoms ---------------------------------------------------------------------- */

static uint8_t read_byte(reader *r) {
    if (r->at == r->end) {
        corrupt(r, "it ends early");
        return 0;
    }
    return *r->at++;
}

static const uint8_t *read_bytes(reader *r, size_t size) {
    if ((size_t)(r->end - r->at) < size) {
        corrupt(r, "it ends early");
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += size;
    return bytes;
}

/* Big-endian groups of 7 bits; the last has its top bit set. */
static uint64_t read_varint(reader *r, uint64_t limit) {
    uint64_t value = 0;
    uint8_t byte;
    do {
        byte = read_byte(r);
        if (r->status != CNS_OK) {
            return 0;
        }
        if (value > limit >> 7) {
            corrupt(r, "a number is too large");
            return 0;
        }
        value = value << 7 | (byte & 0x7f);
    } while (!(byte & 0x80));
    if (value > limit) {
        corrupt(r, "a number is too large");
        return 0;
    }
    return value;
}

static uint32_t read_int(reader *r) {
    return (uint32_t)read_varint(r, INT32_MAX);
}

/* A count of things that take at least `size` bytes each. */
static uint32_t read_count(reader *r, size_t size) {
    uint32_t count = read_int(r);
    if (count > (size_t)(r->end - r->at) / size) {
        corrupt(r, "a count exceeds the dump");
        return 0;
    }
    return count;
}

static int64_t read_integer(reader *r) {
    const uint8_t *bytes = read_bytes(r, 8);
    int64_t value = 0;
    if (bytes) {
        memcpy(&value, bytes, 8);
    }
    return value;
}

static double read_float(reader *r) {
    const uint8_t *bytes = read_bytes(r, 8);
    double value = 0;
    if (bytes) {
        memcpy(&value, bytes, 8);
    }
    return value;
}

/* NULL when the dump has none. */
static const char *read_string(reader *r, uint32_t *length) {
    uint64_t size = read_varint(r, SIZE_MAX / 2);
    *length = 0;
    if (size == 0) {
        return NULL;
    }
    size--;
    if (size > (uint64_t)(r->end - r->at) || size > INT32_MAX) {
        corrupt(r, "a string exceeds the dump");
        return NULL;
    }
    const uint8_t *bytes = read_bytes(r, (size_t)size);
    char *copy = take(r, (size_t)size, 1);
    if (copy && bytes) {
        memcpy(copy, bytes, (size_t)size);
        *length = (uint32_t)size;
    }
    return copy;
}

/* ---- functions ------------------------------------------------------------------------------- */

static void read_code(reader *r, cns_proto *proto) {
    uint32_t count = read_count(r, 4);
    uint32_t *code = take(r, count, sizeof *code);
    const uint8_t *bytes = read_bytes(r, (size_t)count * 4);
    if (code && bytes) {
        memcpy(code, bytes, (size_t)count * 4);
        proto->code = code;
        proto->code_count = count;
    }
}

/* Tags of lobject.h: type in the low four bits, variant above. */
static void read_constant(reader *r, cns_constant *constant) {
    switch (read_byte(r)) {
    case 0x00:
        constant->kind = CNS_CONSTANT_NIL;
        break;
    case 0x01:
        constant->kind = CNS_CONSTANT_FALSE;
        break;
    case 0x11:
        constant->kind = CNS_CONSTANT_TRUE;
        break;
    case 0x03:
        constant->kind = CNS_CONSTANT_INTEGER;
        constant->integer = read_integer(r);
        break;
    case 0x13:
        constant->kind = CNS_CONSTANT_FLOAT;
        constant->real = read_float(r);
        break;
    case 0x04:
    case 0x14:
        constant->kind = CNS_CONSTANT_STRING;
        constant->string = read_string(r, &constant->length);
        if (!constant->string) {
            corrupt(r, "a string constant is missing");
        }
        break;
    default:
        corrupt(r, "a constant is of unknown type");
    }
}

static void read_constants(reader *r, cns_proto *proto) {
    uint32_t count = read_count(r, 1);
    cns_constant *constants = take(r, count, sizeof *constants);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        read_constant(r, &constants[i]);
    }
    proto->constants = constants;
    proto->constant_count = count;
}

static cns_upvalue *read_upvalues(reader *r, cns_proto *proto) {
    uint32_t count = read_count(r, 3);
    cns_upvalue *upvalues = take(r, count, sizeof *upvalues);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        upvalues[i].name = "?";
        upvalues[i].in_stack = read_byte(r) != 0;
        upvalues[i].index = read_byte(r);
        read_byte(r); /* its kind: only the compiler cares */
    }
    proto->upvalues = upvalues;
    proto->upvalue_count = count;
    return upvalues;
}

/* Lua keeps a signed step an instruction, and -128 where an absolute line is given instead. */
static void read_lines(reader *r, cns_proto *proto) {
    uint32_t count = read_count(r, 1);
    const int8_t *steps = (const int8_t *)read_bytes(r, count);
    if (count != 0 && count != proto->code_count) {
        corrupt(r, "line numbers do not match the code");
    }
    uint32_t *lines = take(r, proto->code_count, sizeof *lines);
    uint32_t absolute = read_count(r, 2);
    uint32_t line = proto->line_defined;
    uint32_t done = 0;
    for (uint32_t i = 0; i <= absolute && r->status == CNS_OK; i++) {
        uint32_t pc = i < absolute ? read_int(r) : count;
        uint32_t at = i < absolute ? read_int(r) : 0;
        for (; lines && done < pc && done < count; done++) {
            line += steps[done] == -128 ? 0 : (uint32_t)(int32_t)steps[done];
            lines[done] = line;
        }
        if (i < absolute && lines && done == pc && done < count) {
            line = lines[done++] = at;
        }
    }
    proto->lines = lines;
}

static void read_debug(reader *r, cns_proto *proto, cns_upvalue *upvalues) {
    uint32_t length;
    read_lines(r, proto);
    uint32_t count = read_count(r, 3);
    cns_local *locals = take(r, count, sizeof *locals);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        const char *name = read_string(r, &length);
        locals[i].name = name ? name : "?";
        locals[i].begin = read_int(r);
        locals[i].end = read_int(r);
    }
    proto->locals = locals;
    proto->local_count = count;
    count = read_count(r, 1);
    if (count != 0 && count != proto->upvalue_count) {
        corrupt(r, "names of upvalues do not match them");
    }
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        const char *name = read_string(r, &length);
        upvalues[i].name = name ? name : "?";
    }
}

/* "@k.lua" -> "k.lua", "=stdin" -> "stdin"; other names are source text: its first line. */
static const char *readable(reader *r, const char *source, uint32_t length) {
    if (!source || length == 0) {
        return "?";
    }
    if (*source == '@' || *source == '=') {
        return source + 1;
    }
    enum { SHOWN = 40 };
    size_t shown = strcspn(source, "\n");
    bool cut = shown < length || shown > SHOWN;
    shown = shown > SHOWN ? SHOWN : shown;
    char *name = take(r, shown + 20, 1);
    if (!name) {
        return "?";
    }
    memcpy(name, "[string \"", 9);
    memcpy(name + 9, source, shown);
    memcpy(name + 9 + shown, cut ? "...\"]" : "\"]", cut ? 6 : 3);
    return name;
}

static const cns_proto *read_function(reader *r, const char *outer_source, unsigned depth) {
    cns_proto *proto = take(r, 1, sizeof *proto);
    if (!proto || depth > PROTO_DEPTH_MAX) {
        corrupt(r, "functions are nested too deeply");
        return NULL;
    }
    uint32_t length;
    const char *source = read_string(r, &length);
    proto->source = source ? readable(r, source, length) : outer_source;
    proto->line_defined = read_int(r);
    proto->last_line = read_int(r);
    proto->parameters = read_byte(r);
    proto->variadic = read_byte(r) != 0;
    proto->registers = read_byte(r);
    read_code(r, proto);
    read_constants(r, proto);
    cns_upvalue *upvalues = read_upvalues(r, proto);
    uint32_t count = read_count(r, 1);
    const cns_proto **protos = take(r, count, sizeof *protos);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        protos[i] = read_function(r, proto->source, depth + 1);
    }
    proto->protos = protos;
    proto->proto_count = count;
    read_debug(r, proto, upvalues);
    if (r->status == CNS_OK) {
        r->status = cns_proto_check(r->context, proto);
    }
    return proto;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void read_header(reader *r) {
    static const uint8_t signature[4] = {0x1b, 'L', 'u', 'a'};
    static const uint8_t data[6] = {0x19, 0x93, '\r', '\n', 0x1a, '\n'};
    const uint8_t *bytes = read_bytes(r, 4);
    if (!bytes || memcmp(bytes, signature, 4) != 0) {
        corrupt(r, "no signature");
        return;
    }
    uint8_t version = read_byte(r);
    uint8_t format = read_byte(r);
    if (r->status == CNS_OK && (version != 0x54 || format != 0)) {
        r->status = cns_fail(r->context, CNS_E_UNSUPPORTED,
                             "a dump of Lua %d.%d (format %d) is not one of Lua 5.4", version >> 4,
                             version & 15, format);
        r->at = r->end;
        return;
    }
    bytes = read_bytes(r, 6);
    if (!bytes || memcmp(bytes, data, 6) != 0) {
        corrupt(r, "it was changed as text");
        return;
    }
    bytes = read_bytes(r, 3);
    if (bytes && (bytes[0] != 4 || bytes[1] != 8 || bytes[2] != 8)) {
        r->status = cns_fail(r->context, CNS_E_UNSUPPORTED,
                             "a dump with %d-byte integers and %d-byte floats; 8 and 8 are needed",
                             bytes[1], bytes[2]);
        r->at = r->end;
        return;
    }
    if (read_integer(r) != 0x5678 || read_float(r) != 370.5) {
        corrupt(r, "numbers are of another format");
    }
}

cns_status cns_chunk_read(cns_context *context, const void *bytes, size_t size, cns_chunk **out) {
    cns_chunk *chunk = cns_context_calloc(context, sizeof *chunk);
    if (!chunk) {
        return cns_context_memory_status(context, sizeof *chunk);
    }
    chunk->context = context;
    reader r = {.context = context, .begin = bytes, .at = bytes, .status = CNS_OK};
    r.end = r.begin + size;
    r.status = cns_arena_create(context, NULL, &chunk->arena);
    if (r.status == CNS_OK) {
        r.arena = chunk->arena;
        read_header(&r);
        read_byte(&r); /* upvalues of the main function: it says so itself */
        chunk->main = read_function(&r, "?", 0);
        if (r.at != r.end) {
            corrupt(&r, "something follows the function");
        }
    }
    if (r.status != CNS_OK) {
        cns_chunk_destroy(chunk);
        return r.status;
    }
    *out = chunk;
    return CNS_OK;
}

void cns_chunk_destroy(cns_chunk *chunk) {
    if (chunk) {
        cns_arena_destroy(chunk->arena);
        cns_context_free(chunk->context, chunk, sizeof *chunk, CNS_ALIGN_DEFAULT);
    }
}

const cns_proto *cns_chunk_main(const cns_chunk *chunk) {
    return chunk->main;
}

const char *cns_proto_local(const cns_proto *proto, uint32_t reg, uint32_t pc) {
    for (uint32_t i = 0; i < proto->local_count && proto->locals[i].begin <= pc; i++) {
        if (pc < proto->locals[i].end && reg-- == 0) {
            return proto->locals[i].name;
        }
    }
    return NULL;
}
