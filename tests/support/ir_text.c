/* SPDX-License-Identifier: MIT
 *
 * ir_text.c - a reader for printed SSA.
 *
 * Operands may stand before what they name, so instructions are made with the numbers of names in
 * place of values, and patched at the end.
 */
#include "ir_text.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { NAMES_MAX = 4096, NAME_MAX = 32, LIST_MAX = 64 };

typedef struct reader {
    cns_ir_function *function;
    const char *at;
    char names[NAMES_MAX][NAME_MAX];
    cns_ir_value values[NAMES_MAX]; /* of a name; CNS_IR_NONE until it is defined */
    uint32_t name_count;
    uint32_t labels[NAMES_MAX]; /* of a block */
    cns_ir_block_id block;
} reader;

#define REFUSE(r, what) ck_abort_msg("IR text: %s at \"%.40s\"", what, (r)->at)

/* ---- words ----------------------------------------------------------------------------------- */

static void skip_spaces(reader *r) {
    r->at += strspn(r->at, " \t");
}

static bool accept(reader *r, const char *word) {
    skip_spaces(r);
    size_t length = strlen(word);
    bool there = strncmp(r->at, word, length) == 0;
    r->at += there ? length : 0;
    return there;
}

static void expect(reader *r, const char *word) {
    if (!accept(r, word)) {
        REFUSE(r, word);
    }
}

static size_t word_length(const char *at) {
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
}

static void read_word(reader *r, char word[NAME_MAX]) {
    skip_spaces(r);
    size_t length = word_length(r->at);
    if (length == 0 || length >= NAME_MAX) {
        REFUSE(r, "no name");
    }
    memcpy(word, r->at, length);
    word[length] = '\0';
    r->at += length;
}

/* The number of a value's name. */
static uint32_t read_name(reader *r) {
    char word[NAME_MAX];
    read_word(r, word);
    for (uint32_t n = 0; n < r->name_count; n++) {
        if (strcmp(r->names[n], word) == 0) {
            return n;
        }
    }
    ck_assert_uint_lt(r->name_count, NAMES_MAX);
    strcpy(r->names[r->name_count], word);
    r->values[r->name_count] = CNS_IR_NONE;
    return r->name_count++;
}

static uint8_t read_type(reader *r) {
    bool buffer = accept(r, "buffer of");
    char word[NAME_MAX];
    read_word(r, word);
    cns_type element;
    if (buffer && cns_type_parse(word, &element) == CNS_OK) {
        return (uint8_t)(CNS_VM_BUFFER + element);
    }
    for (uint8_t type = CNS_VM_NIL; !buffer && type <= CNS_VM_F64; type++) {
        if (strcmp(cns_ir_type_name(type), word) == 0) {
            return type;
        }
    }
    REFUSE(r, "no type");
    return 0;
}

static uint32_t read_list(reader *r, uint32_t list[LIST_MAX], const char *end) {
    uint32_t count = 0;
    while (!accept(r, end)) {
        ck_assert_uint_lt(count, LIST_MAX);
        list[count++] = accept(r, "nil") ? CNS_IR_NONE : read_name(r);
        accept(r, ",");
    }
    return count;
}

static cns_ir_block_id block_of(const reader *r, uint32_t label) {
    for (uint32_t b = 0; b < r->function->block_count; b++) {
        if (r->labels[b] == label) {
            return b;
        }
    }
    REFUSE(r, "no such block");
    return 0;
}

static uint32_t read_number(reader *r) {
    char *end;
    uint32_t number = (uint32_t)strtoul(r->at, &end, 10);
    if (end == r->at) {
        REFUSE(r, "no number");
    }
    r->at = end;
    return number;
}

/* ---- lines ----------------------------------------------------------------------------------- */

#define OK(r, call) support_status((r)->function->context, CNS_OK, call)

static void read_head(reader *r) {
    expect(r, "(");
    while (!accept(r, ")")) {
        char word[NAME_MAX];
        cns_ir_value value;
        read_word(r, word);
        expect(r, ":");
        OK(r, cns_ir_add_argument(r->function, read_type(r), word, &value));
        accept(r, ",");
    }
}

static void read_block(reader *r) {
    r->block = block_of(r, read_number(r));
    expect(r, "(");
    while (!accept(r, ")")) {
        uint32_t name = read_name(r);
        expect(r, ":");
        OK(r, cns_ir_add_parameter(r->function, r->block, read_type(r), &r->values[name]));
        accept(r, ",");
    }
    if (accept(r, "parallel")) {
        r->function->blocks[r->block].flags |= CNS_IR_PARALLEL;
    }
    if (accept(r, "cold")) {
        r->function->blocks[r->block].flags |= CNS_IR_COLD;
    }
    expect(r, ":");
}

static uint32_t read_edge(reader *r, cns_ir_block_id *target, uint32_t list[LIST_MAX]) {
    skip_spaces(r);
    *target = block_of(r, read_number(r));
    expect(r, "(");
    return read_list(r, list, ")");
}

/* Jumps, branches and returns, with numbers of names for values. */
static bool read_end(reader *r) {
    cns_ir_block_id target[2];
    uint32_t list[2][LIST_MAX];
    if (accept(r, "jump ")) {
        uint32_t count = read_edge(r, target, list[0]);
        OK(r, cns_ir_end_jump(r->function, r->block, CNS_IR_NONE, target[0], list[0], count));
    } else if (accept(r, "branch ")) {
        uint32_t condition = read_name(r);
        uint32_t yes = read_edge(r, &target[0], list[0]);
        uint32_t no = read_edge(r, &target[1], list[1]);
        OK(r,
           cns_ir_end_branch(r->function, r->block, CNS_IR_NONE, condition, target[0], target[1]));
        OK(r, cns_ir_set_arguments(r->function, r->block, 0, list[0], yes));
        OK(r, cns_ir_set_arguments(r->function, r->block, 1, list[1], no));
    } else if (accept(r, "return")) {
        uint32_t count = read_list(r, list[0], "\n");
        r->at--;
        OK(r, cns_ir_end_return(r->function, r->block, CNS_IR_NONE, list[0], count));
    } else {
        return false;
    }
    return true;
}

/* Constants and arguments; the others' operands follow. */
static bool read_leaf(reader *r, cns_ir_op op, cns_ir_value *out) {
    skip_spaces(r);
    char *end = (char *)r->at;
    char word[NAME_MAX];
    switch (op) {
    case CNS_IR_CONST_BOOL:
        OK(r, cns_ir_add_bool(r->function, accept(r, "true"), out));
        accept(r, "false");
        return true;
    case CNS_IR_CONST_I64:
        OK(r, cns_ir_add_i64(r->function, strtoll(r->at, &end, 10), out));
        r->at = end;
        return true;
    case CNS_IR_CONST_F64:
        OK(r, cns_ir_add_f64(r->function, strtod(r->at, &end), out));
        r->at = end;
        return true;
    case CNS_IR_ARGUMENT:
        read_word(r, word);
        for (uint32_t a = 0; a < r->function->argument_count; a++) {
            if (strcmp(r->function->argument_names[a], word) == 0) {
                *out = r->function->arguments[a];
                return true;
            }
        }
        REFUSE(r, "no such argument");
        return true;
    default:
        return false;
    }
}

static cns_ir_op read_op(reader *r) {
    char word[NAME_MAX];
    read_word(r, word);
    for (int op = 0; op < CNS_IR_OP_COUNT; op++) {
        if (strcmp(cns_ir_info((cns_ir_op)op)->name, word) == 0) {
            return (cns_ir_op)op;
        }
    }
    REFUSE(r, "no operation");
    return CNS_IR_NOP;
}

static void read_flags(reader *r, uint8_t *flags) {
    static const char *const words[] = {"proven", "converts", "reassoc", "contract"};
    for (int flag = 0; flag < 4; flag++) {
        *flags |= accept(r, words[flag]) ? (uint8_t)(1u << flag) : 0;
    }
}

static void read_instruction(reader *r) {
    uint32_t result = CNS_IR_NONE;
    const char *line = r->at;
    if (memchr(line, '=', strcspn(line, "\n;"))) {
        result = read_name(r);
        if (accept(r, ":")) {
            read_type(r);
        }
        expect(r, "=");
    }
    cns_ir_op op = read_op(r);
    cns_ir_value value;
    if (!read_leaf(r, op, &value)) {
        uint32_t operands[CNS_IR_OPERANDS] = {CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE, CNS_IR_NONE};
        for (size_t i = 0; i < strlen(cns_ir_info(op)->operands); i++) {
            operands[i] = read_name(r);
            accept(r, ",");
        }
        if (op == CNS_IR_LOAD) { /* its type is needed at once; patched back below */
            uint32_t name = operands[0];
            operands[0] = r->values[name];
            OK(r, cns_ir_add(r->function, r->block, op, CNS_IR_NONE, operands, &value));
            r->function->instructions[value].operands[0] = name;
        } else {
            OK(r, cns_ir_add(r->function, r->block, op, CNS_IR_NONE, operands, &value));
        }
        read_flags(r, &r->function->instructions[value].flags);
        if (accept(r, "; line ")) {
            OK(r, cns_ir_add_site(r->function, "k.lua", read_number(r), CNS_IR_NONE,
                                  &r->function->instructions[value].site));
        }
    }
    if (result != CNS_IR_NONE) {
        r->values[result] = value;
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* All blocks are made before anything leads to them. */
static void make_blocks(reader *r) {
    uint32_t count = 0;
    for (const char *at = strstr(r->at, "\nblock "); at; at = strstr(at + 1, "\nblock ")) {
        cns_ir_block_id id = 0;
        if (count > 0) {
            OK(r, cns_ir_add_block(r->function, &id));
        }
        ck_assert_uint_lt(count, NAMES_MAX);
        r->labels[count++] = (uint32_t)strtoul(at + 7, NULL, 10);
    }
}

static void patch(const reader *r, cns_ir_value *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (values[i] != CNS_IR_NONE) {
            const char *name = r->names[values[i]];
            values[i] = r->values[values[i]];
            ck_assert_msg(values[i] != CNS_IR_NONE, "IR text: %s is not defined", name);
        }
    }
}

static void patch_all(reader *r) {
    cns_ir_function *f = r->function;
    for (uint32_t v = 0; v < f->instruction_count; v++) {
        patch(r, f->instructions[v].operands, f->instructions[v].operand_count);
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        patch(r, &f->blocks[b].condition, 1);
        patch(r, f->blocks[b].edges[0].arguments, f->blocks[b].edges[0].count);
        patch(r, f->blocks[b].edges[1].arguments, f->blocks[b].edges[1].count);
    }
}

cns_ir_function *support_ir_parse(cns_context *context, const char *text) {
    reader *r = calloc(1, sizeof *r);
    ck_assert_ptr_nonnull(r);
    r->at = text;
    char name[NAME_MAX];
    expect(r, "kernel");
    read_word(r, name);
    support_status(context, CNS_OK, cns_ir_create(context, name, &r->function));
    make_blocks(r);
    read_head(r);
    while (*r->at) {
        r->at += strspn(r->at, " \t\n");
        if (accept(r, "block ")) {
            read_block(r);
        } else if (*r->at && !read_end(r)) {
            read_instruction(r);
        }
        skip_spaces(r);
        if (*r->at && *r->at != '\n') {
            REFUSE(r, "something behind the line's end");
        }
    }
    patch_all(r);
    cns_ir_function *function = r->function;
    free(r);
    return function;
}

cns_ir_value support_ir_find(const cns_ir_function *function, cns_ir_op op, uint32_t n) {
    for (uint32_t b = 0; b < function->block_count; b++) {
        for (cns_ir_value v = function->blocks[b].first; v != CNS_IR_NONE;
             v = function->instructions[v].next) {
            if (function->instructions[v].op == op && n-- == 0) {
                return v;
            }
        }
    }
    return CNS_IR_NONE;
}

/* ---- comparison ------------------------------------------------------------------------------ */

static void count_uses(const cns_ir_function *f, uint32_t *uses) {
    for (uint32_t v = 0; v < f->instruction_count; v++) {
        for (uint32_t i = 0; i < f->instructions[v].operand_count; i++) {
            uses[f->instructions[v].operands[i]]++;
        }
    }
    for (uint32_t b = 0; b < f->block_count; b++) {
        const cns_ir_block *block = &f->blocks[b];
        if (block->condition != CNS_IR_NONE) {
            uses[block->condition]++;
        }
        for (int e = 0; e < 2; e++) {
            for (uint32_t i = 0; i < block->edges[e].count; i++) {
                if (block->edges[e].arguments[i] != CNS_IR_NONE) {
                    uses[block->edges[e].arguments[i]]++;
                }
            }
        }
    }
}

typedef struct leaf {
    uint8_t op;
    int64_t bits;
    cns_ir_value value;
} leaf;

static int compare_leaves(const void *a, const void *b) {
    const leaf *x = a, *y = b;
    return x->op != y->op ? (int)x->op - (int)y->op : (x->bits > y->bits) - (x->bits < y->bits);
}

/* Arguments and constants first, in an order of their own; unused constants go. */
static void normalise(cns_ir_function *f) {
    support_status(f->context, CNS_OK, cns_ir_compact(f));
    uint32_t *uses = calloc(f->instruction_count + 1, sizeof *uses);
    leaf *leaves = calloc(f->instruction_count + 1, sizeof *leaves);
    ck_assert(uses && leaves);
    count_uses(f, uses);
    uint32_t count = 0;
    for (cns_ir_value v = f->blocks[0].first, next; v != CNS_IR_NONE; v = next) {
        const cns_ir_instruction *code = &f->instructions[v];
        next = code->next;
        bool constant = code->op >= CNS_IR_CONST_BOOL && code->op <= CNS_IR_CONST_F64;
        if (constant && uses[v] == 0) {
            cns_ir_remove(f, v);
        } else if (constant || code->op == CNS_IR_ARGUMENT) {
            leaves[count++] = (leaf){code->op, constant ? code->i : (int64_t)code->index, v};
        } else {
            leaves[count] = (leaf){CNS_IR_OP_COUNT, count, v}; /* in the order as they stand */
            count++;
        }
    }
    qsort(leaves, count, sizeof *leaves, compare_leaves);
    for (uint32_t i = 0; i < count; i++) {
        cns_ir_move(f, leaves[i].value, 0);
    }
    free(uses);
    free(leaves);
    support_status(f->context, CNS_OK, cns_ir_compact(f));
}

void support_ir_expect(cns_ir_function *function, const char *text) {
    cns_ir_function *wanted = support_ir_parse(function->context, text);
    normalise(function);
    normalise(wanted);
    cns_text is, should;
    cns_text_init(&is, function->context);
    cns_text_init(&should, function->context);
    support_status(function->context, CNS_OK, cns_ir_print(function, &is));
    support_status(function->context, CNS_OK, cns_ir_print(wanted, &should));
    ck_assert_msg(strcmp(is.bytes, should.bytes) == 0, "is\n%s\nbut should be\n%s", is.bytes,
                  should.bytes);
    cns_text_deinit(&is);
    cns_text_deinit(&should);
    cns_ir_destroy(wanted);
}
