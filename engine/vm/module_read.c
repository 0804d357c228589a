/* SPDX-License-Identifier: MIT
 *
 * module_read.c - a function from bytes that may be anything (module.h has the format).
 *
 * No count is believed before as many bytes are left as its items take at least, so that memory is
 * at most a small multiple of the input; an index is checked where it is read or by the verifier,
 * which has the last word. The digest only tells damage from forgery: it is not what safety rests
 * on.
 */
#include <string.h>

#include "cns/hash.h"
#include "vm/module.h"

enum {
    COUNT_LIMIT = 1 << 24 /* of anything: what the makers of ir.c stop at */
};

typedef struct reader {
    cns_context *context;
    const uint8_t *at;
    const uint8_t *end;
    cns_ir_function *function;
    uint8_t *types; /* of the arguments */
    uint32_t next;  /* value */
    uint32_t values;
    cns_status status;
} reader;

/* The first complaint stays; from then on everything reads as 0. */
static uint32_t corrupt(reader *r, const char *what) {
    if (r->status == CNS_OK) {
        r->status = cns_fail(r->context, CNS_E_CORRUPT, "a kernel's module is damaged: %s", what);
    }
    r->at = r->end;
    return 0;
}

static void *allocate(reader *r, size_t count, size_t size) {
    void *memory = r->status == CNS_OK ? cns_ir_alloc(r->function, count * size) : NULL;
    if (!memory && r->status == CNS_OK) {
        r->status = cns_context_memory_status(r->context, count * size);
        r->at = r->end;
    }
    return memory;
}

static size_t left(const reader *r) {
    return (size_t)(r->end - r->at);
}

static uint8_t get_byte(reader *r) {
    if (left(r) == 0) {
        return (uint8_t)corrupt(r, "it ends too early");
    }
    return *r->at++;
}

static uint64_t get_number(reader *r) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t byte = get_byte(r);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            bool longer = (byte == 0 && shift > 0) || (shift == 63 && byte > 1);
            return longer ? corrupt(r, "a number not in its shortest form") : value;
        }
    }
    return corrupt(r, "a number that is too long");
}

static int64_t get_signed(reader *r) {
    uint64_t bits = get_number(r);
    return (int64_t)(bits >> 1 ^ (bits & 1 ? UINT64_MAX : 0));
}

/* How many items of at least `size` bytes follow. */
static uint32_t get_count(reader *r, size_t size) {
    uint64_t count = get_number(r);
    if (count > left(r) / size || count >= COUNT_LIMIT) {
        return corrupt(r, "a count beyond its end");
    }
    return (uint32_t)count;
}

/* An index below `limit`, or NONE for 0. */
static uint32_t get_optional(reader *r, uint32_t limit) {
    uint64_t index = get_number(r);
    if (index > limit) {
        corrupt(r, "a place in the source that is not there");
        return CNS_IR_NONE;
    }
    return index == 0 ? CNS_IR_NONE : (uint32_t)(index - 1);
}

static const char *get_text(reader *r) {
    uint32_t length = get_count(r, 1);
    if (length > 0 && memchr(r->at, 0, length)) {
        corrupt(r, "a text with a zero in it");
        return "";
    }
    char *text = allocate(r, (size_t)length + 1, 1);
    if (!text) {
        return "";
    }
    if (length > 0) { /* at may be NULL for no input */
        memcpy(text, r->at, length);
        r->at += length;
    }
    return text;
}

/* A value that was read before: its distance back from the next one. */
static cns_ir_value get_value(reader *r) {
    uint64_t back = get_number(r);
    if (back == 0 || back > r->next) {
        corrupt(r, "an operand that is not there yet");
        return CNS_IR_NONE;
    }
    return r->next - (uint32_t)back;
}

/* ---- the head -------------------------------------------------------------------------------- */

static void read_arguments(reader *r) {
    cns_ir_function *function = r->function;
    uint32_t count = get_count(r, 2);
    function->arguments = allocate(r, count, sizeof *function->arguments);
    function->argument_names = allocate(r, count, sizeof *function->argument_names);
    r->types = allocate(r, count, 1);
    for (uint32_t a = 0; a < count && r->status == CNS_OK; a++) {
        r->types[a] = get_byte(r);
        function->arguments[a] = CNS_IR_NONE;
        function->argument_names[a] = get_text(r);
    }
    if (r->status == CNS_OK) {
        function->argument_count = count;
        function->argument_capacity = count;
    }
}

static void read_sites(reader *r) {
    cns_ir_function *function = r->function;
    uint32_t count = get_count(r, 3);
    function->sites = allocate(r, count, sizeof *function->sites);
    for (uint32_t s = 0; s < count && r->status == CNS_OK; s++) {
        cns_ir_site *site = &function->sites[s];
        uint8_t same = get_byte(r);
        if (same > 1 || (same && s == 0)) {
            corrupt(r, "a source that is not there");
        }
        site->source = r->status == CNS_OK && same ? site[-1].source : get_text(r);
        uint64_t line = get_number(r);
        if (line > INT32_MAX) {
            corrupt(r, "a line that no text has");
        }
        site->line = (uint32_t)line;
        site->inlined_at = get_optional(r, s);
    }
    function->site_count = r->status == CNS_OK ? count : 0;
    function->site_capacity = function->site_count;
}

static void read_remarks(reader *r) {
    cns_ir_function *function = r->function;
    uint32_t count = get_count(r, 3);
    function->remarks = allocate(r, count, sizeof *function->remarks);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        uint8_t kind = get_byte(r);
        if (kind > CNS_REMARK_FALLBACK) {
            corrupt(r, "a remark of an unknown kind");
        }
        uint32_t site = get_optional(r, function->site_count);
        const char *text = get_text(r);
        function->remarks[i] =
            (cns_remark){.kind = (cns_remark_kind)kind, .site = site, .text = text};
    }
    function->remark_count = r->status == CNS_OK ? count : 0;
    function->remark_capacity = function->remark_count;
}

static void read_names(reader *r) {
    cns_ir_function *function = r->function;
    uint32_t count = get_count(r, 1);
    function->names = allocate(r, count, sizeof *function->names);
    for (uint32_t n = 0; n < count && r->status == CNS_OK; n++) {
        function->names[n] = get_text(r);
    }
    function->name_count = r->status == CNS_OK ? count : 0;
    function->name_capacity = function->name_count;
}

/* ---- blocks ---------------------------------------------------------------------------------- */

/* The next value, or NULL where more come than were said to. */
static cns_ir_instruction *next_value(reader *r, cns_ir_block_id block) {
    if (r->status != CNS_OK || r->next >= r->values) {
        corrupt(r, "more values than it says");
        return NULL;
    }
    cns_ir_instruction *instruction = &r->function->instructions[r->next++];
    *instruction = (cns_ir_instruction){
        .site = CNS_IR_NONE,
        .operands = {CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE},
        .block = block,
        .next = CNS_IR_NONE,
        .previous = CNS_IR_NONE,
    };
    return instruction;
}

static void read_parameters(reader *r, cns_ir_block_id id) {
    cns_ir_block *block = &r->function->blocks[id];
    uint32_t count = get_count(r, 2);
    block->parameters = allocate(r, count, sizeof *block->parameters);
    for (uint32_t p = 0; p < count && r->status == CNS_OK; p++) {
        uint8_t type = get_byte(r);
        uint64_t name = get_number(r);
        if (name > r->function->name_count) {
            corrupt(r, "a variable without a name");
        }
        block->parameters[p] = r->next;
        cns_ir_instruction *parameter = next_value(r, id);
        if (parameter) {
            parameter->op = CNS_IR_PARAM;
            parameter->type = type;
            parameter->index = p;
            parameter->name = (uint32_t)name;
        }
    }
    block->parameter_count = r->status == CNS_OK ? count : 0;
    block->parameter_capacity = block->parameter_count;
}

static double get_f64(reader *r) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        bits |= (uint64_t)get_byte(r) << 8 * i;
    }
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void read_argument(reader *r, cns_ir_instruction *instruction, cns_ir_value value) {
    uint64_t index = get_number(r);
    if (index >= r->function->argument_count || r->types[index] == CNS_VM_NIL ||
        r->function->arguments[index] != CNS_IR_NONE) {
        corrupt(r, "no argument of the function");
        return;
    }
    instruction->index = (uint32_t)index;
    instruction->type = r->types[index];
    r->function->arguments[index] = value;
}

/* The type that the operation gives; the verifier looks at the operands' own. */
static uint8_t result_type(const reader *r, const cns_ir_instruction *instruction) {
    switch (cns_ir_info((cns_ir_op)instruction->op)->result) {
    case 'b':
        return CNS_VM_BOOL;
    case 'i':
        return CNS_VM_I64;
    case 'f':
        return CNS_VM_F64;
    case '?': { /* LOAD: the others were dealt with */
        uint8_t type = cns_ir_at(r->function, instruction->operands[0])->type;
        return cns_ir_is_buffer(type) ? cns_ir_element_value(cns_ir_element(type)) : CNS_VM_VOID;
    }
    default:
        return CNS_VM_VOID;
    }
}

static void read_operands(reader *r, cns_ir_instruction *instruction) {
    uint8_t count = (uint8_t)strlen(cns_ir_info((cns_ir_op)instruction->op)->operands);
    for (uint8_t i = 0; i < count; i++) {
        instruction->operands[i] = get_value(r);
    }
    instruction->operand_count = count;
    if (r->status == CNS_OK) {
        instruction->type = result_type(r, instruction);
    }
}

/* Fills in the next value; it counts as there only when its operands have been read. */
static void read_instruction(reader *r, cns_ir_block_id block, cns_ir_value previous) {
    cns_ir_value value = r->next;
    cns_ir_instruction *instruction = next_value(r, block);
    if (!instruction) {
        return;
    }
    r->next = value;
    instruction->op = get_byte(r);
    instruction->flags = get_byte(r);
    instruction->site = get_optional(r, r->function->site_count);
    instruction->previous = previous;
    bool forks = instruction->op >= CNS_IR_FORK_PASS && instruction->op <= CNS_IR_FORK_GET_F64;
    if (instruction->op >= CNS_IR_OP_COUNT || instruction->op == CNS_IR_NOP ||
        instruction->op == CNS_IR_PARAM || forks) {
        corrupt(r, "no operation");
        return;
    }
    switch (instruction->op) {
    case CNS_IR_ARGUMENT:
        read_argument(r, instruction, value);
        break;
    case CNS_IR_CONST_BOOL:
    case CNS_IR_CONST_I64:
        instruction->type = instruction->op == CNS_IR_CONST_I64 ? CNS_VM_I64 : CNS_VM_BOOL;
        instruction->i = get_signed(r);
        break;
    case CNS_IR_CONST_F64:
        instruction->type = CNS_VM_F64;
        instruction->f = get_f64(r);
        break;
    default:
        read_operands(r, instruction);
    }
    r->next = value + 1;
}

static void read_list(reader *r, cns_ir_block_id id) {
    cns_ir_block *block = &r->function->blocks[id];
    uint32_t count = get_count(r, 3);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        cns_ir_value value = r->next;
        read_instruction(r, id, block->last);
        if (r->status == CNS_OK) {
            *(i == 0 ? &block->first : &r->function->instructions[block->last].next) = value;
            block->last = value;
        }
    }
}

static void read_edge(reader *r, cns_ir_edge *edge, bool result) {
    uint32_t count = get_count(r, 1);
    edge->arguments = allocate(r, count, sizeof *edge->arguments);
    for (uint32_t i = 0; i < count && r->status == CNS_OK; i++) {
        bool nil = result && left(r) > 0 && *r->at == 0;
        r->at += nil;
        edge->arguments[i] = nil ? CNS_IR_NONE : get_value(r);
    }
    edge->count = r->status == CNS_OK ? count : 0;
    edge->capacity = edge->count;
}

static void read_end(reader *r, cns_ir_block *block) {
    block->end = get_byte(r);
    if (block->end == CNS_IR_END_NONE || block->end > CNS_IR_RETURN) {
        corrupt(r, "a block without an end");
    }
    block->site = get_optional(r, r->function->site_count);
    block->condition = block->end == CNS_IR_BRANCH ? get_value(r) : CNS_IR_NONE;
    int edges = block->end == CNS_IR_BRANCH ? 2 : 1;
    for (int e = 0; e < edges && r->status == CNS_OK; e++) {
        bool leads = block->end != CNS_IR_RETURN;
        uint64_t target = leads ? get_number(r) : CNS_IR_NONE;
        if (leads && target >= r->function->block_count) {
            corrupt(r, "an edge that leads nowhere");
        }
        block->edges[e].target = (uint32_t)target;
        read_edge(r, &block->edges[e], !leads);
    }
}

static void read_blocks(reader *r) {
    cns_ir_function *function = r->function;
    r->values = get_count(r, 1);
    function->instructions = allocate(r, r->values, sizeof *function->instructions);
    uint32_t count = get_count(r, 6);
    if (count == 0) {
        corrupt(r, "no blocks");
    }
    function->blocks = allocate(r, count, sizeof *function->blocks);
    function->block_count = r->status == CNS_OK ? count : 0;
    function->block_capacity = function->block_count;
    for (uint32_t b = 0; b < count && r->status == CNS_OK; b++) {
        cns_ir_block *block = &function->blocks[b];
        block->first = CNS_IR_NONE;
        block->last = CNS_IR_NONE;
        block->edges[0].target = CNS_IR_NONE;
        block->edges[1].target = CNS_IR_NONE;
        read_parameters(r, b);
        block->flags = get_byte(r);
        read_list(r, b);
        read_end(r, block);
    }
    if (r->status == CNS_OK && r->next != r->values) {
        corrupt(r, "fewer values than it says");
    }
    function->instruction_count = r->next;
    function->instruction_capacity = r->values;
}

static void read_body(reader *r) {
    r->function->name = get_text(r);
    read_arguments(r);
    read_sites(r);
    read_remarks(r);
    read_names(r);
    read_blocks(r);
    for (uint32_t a = 0; a < r->function->argument_count && r->status == CNS_OK; a++) {
        if (r->types[a] != CNS_VM_NIL && r->function->arguments[a] == CNS_IR_NONE) {
            corrupt(r, "an argument without a value");
        }
    }
    if (r->status == CNS_OK && left(r) > 0) {
        corrupt(r, "more bytes than it says");
    }
}

/* ---- counts ---------------------------------------------------------------------------------- */

/* Whether a condition says that the loop which `count` is of is entered. */
static bool says_enters(const cns_ir_function *f, cns_ir_value condition,
                        const cns_ir_instruction *count) {
    const cns_ir_instruction *test = cns_ir_at(f, condition);
    if (test->op == CNS_IR_FOR_ENTERS_I64) {
        return memcmp(test->operands, count->operands, 3 * sizeof *test->operands) == 0;
    }
    const cns_ir_instruction *limit = cns_ir_at(f, count->operands[1]);
    return test->op == CNS_IR_FOR_ENTERS_CLIP && limit->op == CNS_IR_FOR_CLIP &&
           test->operands[0] == count->operands[0] && test->operands[1] == limit->operands[0] &&
           test->operands[2] == limit->operands[1] && test->operands[2] == count->operands[2];
}

static bool is_one_less(const cns_ir_function *f, cns_ir_value value) {
    const cns_ir_instruction *code = cns_ir_at(f, value);
    return code->op == CNS_IR_SUB_I64 && cns_ir_at(f, code->operands[1])->op == CNS_IR_CONST_I64 &&
           cns_ir_at(f, code->operands[1])->i == 1;
}

static bool is_zero_test(const cns_ir_function *f, cns_ir_value condition, cns_ir_value value) {
    const cns_ir_instruction *test = cns_ir_at(f, condition);
    return test->op == CNS_IR_EQ_I64 && test->operands[0] == value &&
           cns_ir_at(f, test->operands[1])->op == CNS_IR_CONST_I64 &&
           cns_ir_at(f, test->operands[1])->i == 0;
}

/* The one block that leads to `at` by one edge, but for those on the way round a loop; or NONE. */
static cns_ir_block_id only_entry(const cns_ir_shape *shape, cns_ir_block_id at) {
    cns_ir_block_id found = CNS_IR_NONE;
    for (uint32_t p = shape->predecessor_begin[at]; p < shape->predecessor_begin[at + 1]; p++) {
        if (!cns_ir_dominates(shape, at, shape->predecessors[p])) {
            if (found != CNS_IR_NONE) {
                return CNS_IR_NONE;
            }
            found = shape->predecessors[p];
        }
    }
    return found;
}

/* The block above `block` whose branch makes `value` a count there: that its loop is entered, or
 * that a trip is left to take 1 from. NONE when there is none. */
static cns_ir_block_id find_guard(const cns_ir_function *f, const cns_ir_shape *shape,
                                  cns_ir_value value, cns_ir_block_id block) {
    const cns_ir_instruction *code = cns_ir_at(f, value);
    for (cns_ir_block_id at = block; at != 0; at = shape->dominator[at]) {
        cns_ir_block_id from = only_entry(shape, at);
        if (from == CNS_IR_NONE || f->blocks[from].end != CNS_IR_BRANCH) {
            continue;
        }
        const cns_ir_block *before = &f->blocks[from];
        bool counts = code->op == CNS_IR_FOR_COUNT;
        if (before->edges[counts ? 0 : 1].target == at &&
            (counts ? says_enters(f, before->condition, code)
                    : is_zero_test(f, before->condition, code->operands[0]))) {
            return from;
        }
    }
    return CNS_IR_NONE;
}

/* Whether `value`, a loop's trips after the first, is one in `block`: FOR_COUNT behind the test
 * that the loop is entered, less 1 for each trip made before it behind the test that one is left.
 */
static bool is_guarded(const cns_ir_function *f, const cns_ir_shape *shape, cns_ir_value value,
                       cns_ir_block_id block) {
    for (int peeled = 0; peeled < 64 && block != CNS_IR_NONE; peeled++) {
        bool counts = cns_ir_at(f, value)->op == CNS_IR_FOR_COUNT;
        if (!counts && !is_one_less(f, value)) {
            return false;
        }
        block = find_guard(f, shape, value, block);
        if (counts) {
            return block != CNS_IR_NONE;
        }
        value = cns_ir_at(f, value)->operands[0];
    }
    return false;
}

/* That the index of a counted loop does not wrap (cns_ir_for) is believed by optimisers and by
 * native code; it holds where its count is what the builder makes. */
static cns_status check_counts(const cns_ir_function *f) {
    cns_ir_shape shape;
    cns_status status = cns_ir_shape_init(&shape, f);
    if (status != CNS_OK) {
        return status;
    }
    bool right = true;
    for (cns_ir_value v = 0; v < f->instruction_count && right; v++) {
        const cns_ir_instruction *code = cns_ir_at(f, v);
        right = code->op != CNS_IR_FOR_COUNT || is_guarded(f, &shape, v, code->block);
    }
    for (uint32_t l = 0; l < shape.loop_count && right; l++) {
        cns_ir_for loop;
        if (cns_ir_for_match(f, &shape, l, &loop) && loop.index != CNS_IR_NONE) {
            cns_ir_value count = loop.initial_remaining;
            right = cns_ir_at(f, count)->op == CNS_IR_CONST_I64 ||
                    is_guarded(f, &shape, count, shape.loops[l].header);
        }
    }
    cns_ir_shape_deinit(&shape);
    return right
               ? CNS_OK
               : cns_fail(f->context, CNS_E_CORRUPT,
                          "kernel %s: a loop's trips are counted where it is not entered", f->name);
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* Narrows the reader to the body of a frame whose digest is right; `*used` is the frame's size. */
static cns_status open_frame(reader *r, const uint8_t *bytes, size_t *used) {
    if (left(r) < 4 || memcmp(r->at, "CNSI", 4) != 0) {
        corrupt(r, "it does not begin as one");
        return r->status;
    }
    r->at += 4;
    uint64_t version = get_number(r);
    if (r->status == CNS_OK && version != CNS_IR_FORMAT) {
        return cns_fail(r->context, CNS_E_UNSUPPORTED,
                        "a kernel's module has format %llu; this engine reads format %d",
                        (unsigned long long)version, CNS_IR_FORMAT);
    }
    uint64_t size = get_number(r);
    if (r->status == CNS_OK && (size > left(r) || left(r) - size < CNS_IR_DIGEST)) {
        corrupt(r, "it ends too early");
    }
    if (r->status != CNS_OK) {
        return r->status;
    }
    r->end = r->at + size;
    uint8_t digest[CNS_IR_DIGEST];
    cns_status status = cns_hash_digest(r->context, CNS_HASH_BLAKE3, NULL, bytes,
                                        (size_t)(r->end - bytes), digest, sizeof digest);
    if (status == CNS_OK && memcmp(digest, r->end, sizeof digest) != 0) {
        corrupt(r, "its digest does not match");
        status = r->status;
    }
    *used = (size_t)(r->end - bytes) + CNS_IR_DIGEST;
    return status;
}

cns_status cns_ir_read(cns_context *context, const void *bytes, size_t size, size_t *used,
                       cns_ir_function **out) {
    if (!bytes) {
        return cns_fail(context, CNS_E_CORRUPT, "a kernel's module is empty");
    }
    reader r = {.context = context, .at = bytes, .end = (const uint8_t *)bytes + size};
    size_t taken = 0;
    cns_status status = open_frame(&r, bytes, &taken);
    if (status == CNS_OK) {
        status = cns_ir_create(context, "", &r.function);
    }
    if (status != CNS_OK) {
        return status;
    }
    read_body(&r);
    status = r.status == CNS_OK ? cns_ir_verify(r.function, false) : r.status;
    status = status == CNS_OK ? check_counts(r.function) : status;
    if (status != CNS_OK) {
        cns_ir_destroy(r.function);
        return status;
    }
    *used = taken;
    *out = r.function;
    return CNS_OK;
}
