/* SPDX-License-Identifier: MIT
 *
 * code_print.c - bytecode as text, and whether it is sound.
 *
 *      3  [ 12] load.f64       r7 = r1[r5 - 1]
 *
 * The number of the instruction, the source line, the operation, its registers. r0 and on are the
 * arguments; a buffer takes two, of which the first is named.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vm/code.h"

typedef struct op_info {
    const char *text;
    const char *form;
} op_info;

static const op_info own[] = {
#define ROW(name, text, form) [CNS_CODE_##name - CNS_IR_OP_COUNT] = {text, form},
    CNS_CODE_OPS(ROW)
#undef ROW
};

const char *cns_code_op_text(uint32_t op) {
    return op < CNS_IR_OP_COUNT ? cns_ir_info((cns_ir_op)op)->name : own[op - CNS_IR_OP_COUNT].text;
}

const char *cns_code_op_form(uint32_t op, char *out) {
    if (op >= CNS_IR_OP_COUNT) {
        return own[op - CNS_IR_OP_COUNT].form;
    }
    const cns_ir_op_info *info = cns_ir_info((cns_ir_op)op);
    char *at = out;
    *at++ = 'd';
    for (uint32_t i = 0; info->operands[i]; i++) {
        *at++ = i == 0 && info->operands[i] == 'B' ? 'x' : "bcew"[i];
    }
    *at = '\0';
    return out;
}

/* ---- printing -------------------------------------------------------------------------------- */

static void print_memory(const cns_code_instruction *i, bool load, cns_text *text) {
    char offset[32] = "";
    if (i->immediate != 0) {
        snprintf(offset, sizeof offset, " %c %" PRIu64, i->immediate < 0 ? '-' : '+',
                 i->immediate < 0 ? 0 - (uint64_t)i->immediate : (uint64_t)i->immediate);
    }
    if (load) {
        cns_text_printf(text, "r%u = r%u[r%u%s]", i->a, i->b, i->c, offset);
    } else {
        cns_text_printf(text, "r%u[r%u%s] = r%u", i->a, i->c, offset, i->b);
    }
}

static void print_results(const cns_code *code, uint64_t first, cns_text *text) {
    for (const cns_code_result *r = code->results + first; r->type != CNS_VM_VOID; r++) {
        cns_text_printf(text, r == code->results + first ? "" : ", ");
        if (r->type == CNS_VM_NIL) {
            cns_text_printf(text, "nil");
        } else {
            cns_text_printf(text, "r%u", r->reg);
        }
    }
}

static void print_field(const cns_code_instruction *i, char field, cns_text *text) {
    switch (field) {
    case 'a':
    case 'y':
        cns_text_printf(text, " r%u", i->a);
        break;
    case 'b':
    case 'x':
        cns_text_printf(text, " r%u", i->b);
        break;
    case 'c':
        cns_text_printf(text, " r%u", i->c);
        break;
    case 'e':
        cns_text_printf(text, " r%u", i->e);
        break;
    case 'w':
        cns_text_printf(text, " r%u", i->target);
        break;
    case 't':
        cns_text_printf(text, " -> %u", i->target + 1);
        break;
    case 'k':
        cns_text_printf(text, " #%" PRId64, i->immediate);
        break;
    default:
        break;
    }
}

static void print_instruction(const cns_code *code, const cns_code_instruction *i, cns_text *text) {
    char made[8];
    const char *form = cns_code_op_form(i->op, made);
    if (i->op == CNS_CODE_RETURN) {
        print_results(code, (uint64_t)i->immediate, text);
    } else if (strchr(form, 'i')) {
        print_memory(i, form[0] == 'd', text);
    } else {
        if (form[0] == 'd') {
            cns_text_printf(text, "r%u =", i->a);
        }
        for (const char *field = form + (form[0] == 'd'); *field; field++) {
            print_field(i, *field, text);
        }
    }
}

static void print_one(const cns_code *code, const char *title, cns_text *text) {
    cns_text_printf(text, "%s: %u registers\n", title, (unsigned)code->register_count);
    for (uint32_t c = 0; c < code->constant_count; c++) {
        double real;
        memcpy(&real, &code->constants[c], sizeof real);
        cns_text_printf(text, "     constant  r%u = %" PRId64 " or %.17g\n",
                        (unsigned)(code->constant_base + c), code->constants[c], real);
    }
    for (uint32_t n = 0; n < code->count; n++) {
        const cns_code_instruction *i = &code->instructions[n];
        if (code->lines[n]) {
            cns_text_printf(text, "%5u  [%3u] %-14s ", (unsigned)(n + 1), (unsigned)code->lines[n],
                            cns_code_op_text(i->op));
        } else {
            cns_text_printf(text, "%5u  [  -] %-14s ", (unsigned)(n + 1), cns_code_op_text(i->op));
        }
        print_instruction(code, i, text);
        cns_text_printf(text, "\n");
    }
}

cns_status cns_code_print(const cns_code *code, cns_text *text) {
    print_one(code, code->name, text);
    for (uint32_t i = 0; i < code->plan_count; i++) {
        cns_text_printf(text, "\nblock #%u, ", (unsigned)i);
        (void)cns_block_plan_print(code->plans[i], text);
    }
    for (uint32_t i = 0; i < code->body_count; i++) {
        cns_text_printf(text, "\nfork #%u, ", (unsigned)i);
        (void)cns_code_print(code->bodies[i].code, text);
    }
    return cns_text_status(text);
}

/* ---- verifying ------------------------------------------------------------------------------- */

static bool field_is_sound(const cns_code *code, const cns_code_instruction *i, char field) {
    switch (field) {
    case 'd':
    case 'a':
        return i->a < code->register_count;
    case 'y':
        return i->a + 1u < code->constant_base;
    case 'b':
        return i->b < code->register_count;
    case 'x':
        return i->b + 1u < code->constant_base;
    case 'c':
        return i->c < code->register_count;
    case 'e':
        return i->e < code->register_count;
    case 'w':
        return i->target < code->register_count;
    case 't':
        return i->target < code->count;
    case 'k':
        return i->op == CNS_CODE_RETURN  ? (uint64_t)i->immediate < code->result_count
               : i->op == CNS_CODE_BLOCK ? (uint64_t)i->immediate < code->plan_count
               : i->op == CNS_CODE_FORK  ? (uint64_t)i->immediate < code->body_count
                                         : (uint64_t)i->immediate < CNS_IR_FORK_SLOTS;
    default:
        return true;
    }
}

/* What a handler writes must be no argument's or constant's register. */
static bool writes_soundly(const cns_code *code, const cns_code_instruction *i) {
    bool writes_b = i->op == CNS_CODE_LOOP || i->op == CNS_CODE_LOOP_END;
    uint32_t free = code->constant_base + code->constant_count;
    char made[8];
    return (cns_code_op_form(i->op, made)[0] != 'd' || i->a >= free) && (!writes_b || i->b >= free);
}

cns_status cns_code_verify(const cns_code *code) {
    for (uint32_t n = 0; n < code->count; n++) {
        const cns_code_instruction *i = &code->instructions[n];
        char made[8];
        bool sound = i->op < CNS_CODE_OP_COUNT && writes_soundly(code, i);
        for (const char *field = sound ? cns_code_op_form(i->op, made) : ""; *field; field++) {
            sound = sound && field_is_sound(code, i, *field);
        }
        bool ends =
            i->op == CNS_CODE_RETURN || i->op == CNS_CODE_JUMP || i->op == CNS_CODE_JUMP_BACK;
        if (!sound || (n + 1 == code->count && !ends)) {
            return cns_fail(code->context, CNS_E_CORRUPT, "bytecode of %s: instruction %u is bad",
                            code->name, (unsigned)(n + 1));
        }
    }
    for (uint32_t i = 0; i < code->plan_count; i++) {
        cns_status status =
            cns_block_plan_verify(code->plans[i], code->context, code->register_count);
        if (status != CNS_OK) {
            return status;
        }
    }
    for (uint32_t i = 0; i < code->body_count; i++) {
        cns_status status = cns_code_verify(code->bodies[i].code);
        if (status != CNS_OK) {
            return status;
        }
    }
    return CNS_OK;
}

bool cns_code_has_blocks(const cns_code *code) {
    bool has = code->plan_count > 0;
    for (uint32_t i = 0; i < code->body_count; i++) {
        has = has || cns_code_has_blocks(code->bodies[i].code);
    }
    return has;
}
