/* SPDX-License-Identifier: MIT
 *
 * fuzz_module.c - kernels' modules from bytes: either the input is a body, framed with a digest
 * that is right, or it edits a module that is. What the reader takes verifies, prints, and comes
 * back the same from being written; in a file of kernels it is optimised and run, over allocations
 * of exactly the size.
 */
#include "cns/hash.h"
#include "cns/vm.h"
#include "fuzz_kernel.h"
#include "vm/module.h"

enum { ROOM = 1 << 16 };

#define TRY(call) FUZZ_CHECK((call) == CNS_OK)

/* function(x, a) for i = 1, #x do x[i] = a * x[i] end return a end */
static cns_ir_function *make_scale(cns_context *context) {
    cns_ir_function *f = NULL;
    cns_ir_value x, a, one, zero, length, count, enters, load, product, store, last, less, next;
    cns_ir_value remaining, index;
    cns_ir_block_id before, body, done;
    uint32_t site;
    TRY(cns_ir_create(context, "scale", &f));
    TRY(cns_ir_add_argument(f, CNS_VM_BUFFER + CNS_F64, "x", &x));
    TRY(cns_ir_add_argument(f, CNS_VM_F64, "a", &a));
    TRY(cns_ir_add_site(f, "k.lua", 1, CNS_IR_NONE, &site));
    TRY(cns_ir_add_i64(f, 1, &one));
    TRY(cns_ir_add_i64(f, 0, &zero));
    TRY(cns_ir_add_block(f, &before));
    TRY(cns_ir_add_block(f, &body));
    TRY(cns_ir_add_block(f, &done));
    TRY(cns_ir_add_parameter(f, body, CNS_VM_I64, &remaining));
    TRY(cns_ir_add_parameter(f, body, CNS_VM_I64, &index));
    TRY(cns_ir_add(f, 0, CNS_IR_LEN, site, (cns_ir_value[]){x}, &length));
    TRY(cns_ir_add(f, 0, CNS_IR_FOR_ENTERS_I64, site, (cns_ir_value[]){one, length, one}, &enters));
    TRY(cns_ir_end_branch(f, 0, site, enters, before, done));
    TRY(cns_ir_add(f, before, CNS_IR_FOR_COUNT, site, (cns_ir_value[]){one, length, one}, &count));
    TRY(cns_ir_end_jump(f, before, site, body, (cns_ir_value[]){count, one}, 2));
    TRY(cns_ir_add(f, body, CNS_IR_LOAD, site, (cns_ir_value[]){x, index}, &load));
    TRY(cns_ir_add(f, body, CNS_IR_MUL_F64, site, (cns_ir_value[]){a, load}, &product));
    TRY(cns_ir_add(f, body, CNS_IR_STORE, site, (cns_ir_value[]){x, index, product}, &store));
    TRY(cns_ir_add(f, body, CNS_IR_EQ_I64, site, (cns_ir_value[]){remaining, zero}, &last));
    TRY(cns_ir_add(f, body, CNS_IR_SUB_I64, site, (cns_ir_value[]){remaining, one}, &less));
    TRY(cns_ir_add(f, body, CNS_IR_ADD_I64, site, (cns_ir_value[]){index, one}, &next));
    TRY(cns_ir_end_branch(f, body, site, last, done, body));
    TRY(cns_ir_set_arguments(f, body, 1, (cns_ir_value[]){less, next}, 2));
    TRY(cns_ir_end_return(f, done, site, &a, 1));
    return f;
}

/* The body of a module, without frame. */
static size_t scale_body(cns_context *context, uint8_t *out) {
    cns_ir_function *f = make_scale(context);
    cns_text bytes;
    cns_text_init(&bytes, context);
    TRY(cns_ir_write(f, &bytes));
    size_t head = 4 + 1 + (bytes.length > 165 ? 2 : 1); /* magic, version, size */
    size_t size = bytes.length - head - CNS_IR_DIGEST;
    memcpy(out, bytes.bytes + head, size);
    cns_text_deinit(&bytes);
    cns_ir_destroy(f);
    return size;
}

/* Sets, inserts and removes bytes as the input says. */
static size_t edit(fuzz_input *input, uint8_t *body, size_t size) {
    while (input->size > 2 && size > 1 && size < ROOM / 2) {
        uint8_t what = fuzz_byte(input);
        size_t at = (fuzz_byte(input) | (what & 0xc0u) << 2) % size;
        switch (what & 3) {
        case 0:
            memmove(body + at + 1, body + at, size++ - at);
            body[at] = fuzz_byte(input);
            break;
        case 1:
            memmove(body + at, body + at + 1, --size - at);
            break;
        default:
            body[at] = fuzz_byte(input);
        }
    }
    return size;
}

static size_t frame(const uint8_t *body, size_t size, uint8_t *out) {
    size_t used = 5;
    memcpy(out, "CNSI\1", 5);
    for (size_t left = size;; left >>= 7) {
        out[used++] = (uint8_t)(left < 0x80 ? left : left | 0x80);
        if (left < 0x80) {
            break;
        }
    }
    memcpy(out + used, body, size);
    used += size;
    TRY(cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, out, used, out + used, CNS_IR_DIGEST));
    return used + CNS_IR_DIGEST;
}

static void check_function(cns_context *context, const cns_ir_function *f) {
    cns_text first, second;
    cns_ir_function *again = NULL;
    size_t used = 0;
    cns_text_init(&first, context);
    cns_text_init(&second, context);
    TRY(cns_ir_verify(f, false));
    TRY(cns_ir_print(f, &first));
    cns_text_deinit(&first);
    TRY(cns_ir_write(f, &first));
    TRY(cns_ir_read(context, first.bytes, first.length, &used, &again));
    TRY(cns_ir_write(again, &second));
    FUZZ_CHECK(used == second.length && memcmp(first.bytes, second.bytes, used) == 0);
    cns_ir_destroy(again);
    cns_text_deinit(&first);
    cns_text_deinit(&second);
}

/* ---- running --------------------------------------------------------------------------------- */

enum { HEAD = 4 + 4 + 4 + 4 + 1 + 4 };

/* As the one kernel of a file. The machine may say that it gets too large, the verifier no more. */
static void run_framed(const uint8_t *framed, size_t size, uint8_t options) {
    size_t total = HEAD + size + CNS_IR_DIGEST;
    uint8_t *bytes = malloc(total);
    memcpy(bytes, "CNSB\1\0\0\0\1\0\0\0\1\0\0\0k\0\0\0", HEAD);
    bytes[HEAD - 4] = options & 31;
    memcpy(bytes + HEAD, framed, size);
    TRY(cns_hash_digest(NULL, CNS_HASH_BLAKE3, NULL, bytes, HEAD + size, bytes + HEAD + size,
                        CNS_IR_DIGEST));
    cns_module *module = NULL;
    cns_status status = cns_module_read(fuzz_vm(), bytes, total, &module);
    /* Too large, or a parallel loop that is none. */
    FUZZ_CHECK(status == CNS_OK || status == CNS_E_LIMIT || status == CNS_E_UNSUPPORTED);
    if (status == CNS_OK) {
        fuzz_run_kernel(cns_module_kernel(module, 0));
    }
    cns_module_destroy(module);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t body[ROOM], framed[ROOM + 64];
    fuzz_input input = {data, size};
    cns_context *context = NULL;
    TRY(cns_context_create(NULL, &context));
    size_t length;
    uint8_t how = fuzz_byte(&input);
    if (how & 1) {
        length = input.size < ROOM ? input.size : ROOM;
        memcpy(body, input.data, length);
    } else {
        length = edit(&input, body, scale_body(context, body));
    }
    size_t total = frame(body, length, framed);
    uint8_t *exact = malloc(total);
    memcpy(exact, framed, total);
    cns_ir_function *f = NULL;
    size_t used = 0;
    if (cns_ir_read(context, exact, total, &used, &f) == CNS_OK) {
        FUZZ_CHECK(used == total);
        check_function(context, f);
        cns_ir_destroy(f);
        run_framed(exact, total, how >> 1);
    }
    free(exact);
    cns_context_destroy(context);
    return 0;
}
