/* SPDX-License-Identifier: MIT
 *
 * module.c - modules: kernels by name, to bytes (.cnsb) and back.
 *
 *     "CNSB" version count entry... digest
 *     entry: name-size name options IR       (IR: what cns_ir_write makes, see module.h)
 *
 * Numbers are 32 bits, little-endian; the digest is BLAKE3 over all before it. It only tells damage
 * from forgery: what is read is bounded by the bytes that are there, and the IR verified. An entry
 * is a whole kernel from the start, so that adding one and reading one end in the same thing.
 */
#include <string.h>

#include "cns/hash.h"
#include "vm/kernel.h"
#include "vm/module.h"

enum {
    FORMAT = 1,
    HEAD = 12, /* magic, version, count */
    DIGEST = 32,
    ENTRY_LEAST = 4 + 1 + 4 + 16, /* and IR that is no shorter than magic, sizes and digest */
    NAME_LONGEST = 255,
    ARGUMENTS_MOST = 255,  /* more than a Lua function has */
    KERNELS_MOST = 1 << 12 /* pairs of them are compared */
};

/* Those that are of a kernel, not of this process. */
static const uint32_t all_options = CNS_KERNEL_REASSOCIATE | CNS_KERNEL_CONTRACT |
                                    CNS_KERNEL_APPROXIMATE | CNS_KERNEL_NO_OPTIMISER |
                                    CNS_KERNEL_NO_BLOCKS;

typedef struct entry {
    char *name;
    size_t name_length;
    cns_kernel *kernel; /* NULL: taken */
} entry;

struct cns_module {
    cns_vm *vm;
    entry *entries;
    uint32_t count, capacity;
};

/* ---- modules --------------------------------------------------------------------------------- */

cns_status cns_module_create(cns_vm *vm, cns_module **out) {
    cns_module *module = cns_context_calloc(vm->context, sizeof *module);
    if (!module) {
        return cns_context_memory_status(vm->context, sizeof *module);
    }
    module->vm = vm;
    *out = module;
    return CNS_OK;
}

void cns_module_destroy(cns_module *module) {
    if (!module) {
        return;
    }
    cns_context *context = module->vm->context;
    for (uint32_t i = 0; i < module->count; i++) {
        entry *e = &module->entries[i];
        cns_kernel_destroy(e->kernel);
        cns_context_free(context, e->name, e->name_length + 1, 1);
    }
    cns_context_free(context, module->entries, module->capacity * sizeof *module->entries,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(context, module, sizeof *module, CNS_ALIGN_DEFAULT);
}

uint32_t cns_module_count(const cns_module *module) {
    return module->count;
}

const char *cns_module_name(const cns_module *module, uint32_t index) {
    return module->entries[index].name;
}

cns_kernel *cns_module_kernel(const cns_module *module, uint32_t index) {
    return module->entries[index].kernel;
}

cns_kernel *cns_module_take(cns_module *module, uint32_t index) {
    cns_kernel *kernel = module->entries[index].kernel;
    module->entries[index].kernel = NULL;
    return kernel;
}

/* Missing arguments are nil, so that nils at the end make no difference. */
static bool takes(const cns_kernel *kernel, const uint32_t *types, uint32_t count) {
    uint32_t arguments = cns_kernel_arguments(kernel);
    for (uint32_t a = 0; a < arguments || a < count; a++) {
        uint32_t wanted = a < arguments ? cns_kernel_argument_type(kernel, a) : CNS_VM_NIL;
        if (wanted != (a < count ? types[a] : CNS_VM_NIL)) {
            return false;
        }
    }
    return true;
}

cns_kernel *cns_module_find(const cns_module *module, const char *name, const uint32_t *types,
                            uint32_t count) {
    for (uint32_t i = 0; i < module->count; i++) {
        const entry *e = &module->entries[i];
        if (e->kernel && strcmp(e->name, name) == 0 && takes(e->kernel, types, count)) {
            return e->kernel;
        }
    }
    return NULL;
}

/* ---- adding ---------------------------------------------------------------------------------- */

static cns_status reserve(cns_module *module) {
    cns_context *context = module->vm->context;
    if (module->count == KERNELS_MOST) {
        return cns_fail(context, CNS_E_LIMIT, "a module holds at most %d kernels", KERNELS_MOST);
    }
    if (module->count < module->capacity) {
        return CNS_OK;
    }
    uint32_t capacity = module->capacity ? 2 * module->capacity : 8;
    entry *grown = cns_context_resize(context, module->entries, module->capacity * sizeof *grown,
                                      capacity * sizeof *grown);
    if (!grown) {
        return cns_context_memory_status(context, capacity * sizeof *grown);
    }
    module->entries = grown;
    module->capacity = capacity;
    return CNS_OK;
}

static bool has_twin(const cns_module *module, const char *name, const cns_kernel *kernel) {
    uint32_t types[ARGUMENTS_MOST];
    uint32_t count = cns_kernel_arguments(kernel);
    for (uint32_t a = 0; a < count; a++) {
        types[a] = cns_kernel_argument_type(kernel, a);
    }
    return cns_module_find(module, name, types, count) != NULL;
}

/* Takes `ir` over, whatever becomes of it; `name` is terminated and of a length that is right. */
static cns_status add_ir(cns_module *module, const char *name, cns_ir_function *ir,
                         uint32_t options) {
    cns_context *context = module->vm->context;
    cns_kernel *kernel = NULL;
    if (ir->argument_count > ARGUMENTS_MOST) {
        cns_ir_destroy(ir);
        return cns_fail(context, CNS_E_LIMIT, "it has more than %d arguments", ARGUMENTS_MOST);
    }
    cns_status status = cns_kernel_from_ir(module->vm, ir, options, &kernel);
    if (status == CNS_OK && has_twin(module, name, kernel)) {
        status = cns_fail(context, CNS_E_INVALID, "its name and signature are there already");
    }
    status = status == CNS_OK ? reserve(module) : status;
    size_t length = strlen(name);
    char *copy = status == CNS_OK ? cns_context_alloc(context, length + 1, 1) : NULL;
    if (!copy) {
        cns_kernel_destroy(kernel);
        return status != CNS_OK ? status : cns_context_memory_status(context, length + 1);
    }
    memcpy(copy, name, length + 1);
    module->entries[module->count++] =
        (entry){.name = copy, .name_length = length, .kernel = kernel};
    return CNS_OK;
}

/* Makes a failure's message say which kernel it is about. */
static cns_status blame(cns_context *context, cns_status status, const char *name) {
    char why[256] = "";
    if (status == CNS_OK || status == CNS_E_NOMEM) {
        return status;
    }
    cns_context_message(context, why, sizeof why);
    return cns_fail(context, status, "kernel %s: %s", name, why);
}

/* An argument turns into the constant that it has from now on; both live in block 0. */
static cns_status fix_argument(cns_ir_function *ir, uint32_t argument, const cns_vm_value *value) {
    if (ir->arguments[argument] == CNS_IR_NONE) {
        return CNS_OK;
    }
    cns_ir_instruction *i = &ir->instructions[ir->arguments[argument]];
    if (cns_ir_is_buffer(i->type)) {
        return cns_fail(ir->context, CNS_E_UNSUPPORTED,
                        "'%s' is a %s of this program, which no module can hold: make it an "
                        "argument",
                        ir->argument_names[argument], cns_ir_type_name(i->type));
    }
    i->index = 0;
    if (i->type == CNS_VM_F64) {
        i->op = CNS_IR_CONST_F64;
        i->f = value->real;
    } else if (i->type == CNS_VM_I64) {
        i->op = CNS_IR_CONST_I64;
        i->i = value->integer;
    } else {
        i->op = CNS_IR_CONST_BOOL;
        i->i = value->integer != 0;
    }
    return CNS_OK;
}

static cns_status fix_hidden(cns_ir_function *ir, const cns_vm_value *hidden, uint32_t count) {
    cns_status status = CNS_OK;
    uint32_t plain = ir->argument_count - count;
    for (uint32_t h = 0; h < count && status == CNS_OK; h++) {
        status = fix_argument(ir, plain + h, &hidden[h]);
    }
    ir->argument_count = plain;
    return status;
}

/* What is added goes the way of a file at once, so that whatever is in a module can be read. */
static cns_status read_back(cns_ir_function *ir, cns_ir_function **out) {
    size_t used = 0;
    cns_text bytes;
    cns_text_init(&bytes, ir->context);
    cns_status status = cns_ir_write(ir, &bytes);
    if (status == CNS_OK) {
        status = cns_ir_read(ir->context, bytes.bytes, bytes.length, &used, out);
    }
    cns_text_deinit(&bytes);
    return status;
}

static cns_status copy_fixed(const cns_kernel *kernel, const cns_vm_value *hidden,
                             cns_ir_function **out) {
    cns_ir_function *ir = NULL;
    cns_status status = cns_ir_clone(kernel->built, &ir);
    if (status == CNS_OK) {
        status = fix_hidden(ir, hidden, kernel->hidden_count);
        status = status == CNS_OK ? read_back(ir, out) : status;
        cns_ir_destroy(ir);
    }
    return status;
}

cns_status cns_module_add(cns_module *module, const char *name, const cns_kernel *kernel,
                          const cns_vm_value *hidden, uint32_t hidden_count) {
    cns_context *context = module->vm->context;
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || length > NAME_LONGEST) {
        return cns_fail(context, CNS_E_INVALID, "a kernel's name in a module has 1 to %d bytes",
                        NAME_LONGEST);
    }
    if (hidden_count != kernel->hidden_count || (hidden_count > 0 && !hidden)) {
        return cns_fail(context, CNS_E_INVALID,
                        "kernel %s: it has %u hidden arguments, but %u values were given", name,
                        (unsigned)kernel->hidden_count, (unsigned)hidden_count);
    }
    cns_ir_function *ir = NULL;
    cns_status status = copy_fixed(kernel, hidden, &ir);
    status = status == CNS_OK ? add_ir(module, name, ir, kernel->options & all_options) : status;
    return blame(context, status, name);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void put_u32(cns_text *out, uint32_t value) {
    char bytes[4];
    for (int i = 0; i < 4; i++) {
        bytes[i] = (char)(value >> 8 * i & 0xff);
    }
    cns_text_append(out, bytes, sizeof bytes);
}

static cns_status write_entry(cns_context *context, const entry *e, cns_text *out) {
    if (!e->kernel) {
        return cns_fail(context, CNS_E_INVALID, "kernel %s was taken out of its module", e->name);
    }
    put_u32(out, (uint32_t)e->name_length);
    cns_text_append(out, e->name, e->name_length);
    put_u32(out, e->kernel->options);
    return blame(context, cns_ir_write(e->kernel->built, out), e->name);
}

static cns_status append_digest(cns_text *out) {
    uint8_t digest[DIGEST];
    cns_status status = cns_text_status(out);
    if (status == CNS_OK) {
        status = cns_hash_digest(out->context, CNS_HASH_BLAKE3, NULL, out->bytes, out->length,
                                 digest, sizeof digest);
    }
    if (status == CNS_OK) {
        cns_text_append(out, (const char *)digest, sizeof digest);
        status = cns_text_status(out);
    }
    return status;
}

cns_status cns_module_write(const cns_module *module, void **bytes, uint64_t *size) {
    cns_context *context = module->vm->context;
    cns_status status = CNS_OK;
    cns_text out;
    cns_text_init(&out, context);
    cns_text_append(&out, "CNSB", 4);
    put_u32(&out, FORMAT);
    put_u32(&out, module->count);
    for (uint32_t i = 0; i < module->count && status == CNS_OK; i++) {
        status = write_entry(context, &module->entries[i], &out);
    }
    status = status == CNS_OK ? append_digest(&out) : status;
    if (status != CNS_OK) {
        cns_text_deinit(&out);
        return status;
    }
    /* The caller frees by its size alone, so it gets no more than the bytes. */
    void *exact = cns_context_resize(context, out.bytes, out.capacity, out.length);
    if (!exact) {
        cns_text_deinit(&out);
        return cns_context_memory_status(context, out.length);
    }
    *bytes = exact;
    *size = out.length;
    return CNS_OK;
}

/* ---- reading --------------------------------------------------------------------------------- */

typedef struct source {
    cns_context *context;
    const uint8_t *begin, *at, *end; /* end: of what the digest covers */
} source;

static cns_status corrupt(const source *s, const char *what) {
    return cns_fail(s->context, CNS_E_CORRUPT, "the module is damaged at byte %llu: %s",
                    (unsigned long long)(s->at - s->begin), what);
}

static size_t left(const source *s) {
    return (size_t)(s->end - s->at);
}

/* requires: 4 bytes are left. */
static uint32_t get_u32(source *s) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        value |= (uint32_t)*s->at++ << 8 * i;
    }
    return value;
}

static cns_status read_name(source *s, char *name) {
    if (left(s) < ENTRY_LEAST) {
        return corrupt(s, "a kernel that ends too early");
    }
    uint32_t length = get_u32(s);
    if (length == 0 || length > NAME_LONGEST || length > left(s) - 4 ||
        memchr(s->at, 0, length) != NULL) {
        return corrupt(s, "a kernel's name that is none");
    }
    memcpy(name, s->at, length);
    name[length] = '\0';
    s->at += length;
    return CNS_OK;
}

static cns_status read_kernel(source *s, cns_module *module, const char *name) {
    uint32_t options = get_u32(s);
    if (options & ~all_options) {
        s->at -= 4;
        return corrupt(s, "options that nobody knows");
    }
    cns_ir_function *ir = NULL;
    size_t used = 0;
    cns_status status = cns_ir_read(s->context, s->at, left(s), &used, &ir);
    if (status != CNS_OK) {
        return status;
    }
    s->at += used;
    return add_ir(module, name, ir, options);
}

/* Errors name the kernel and where in the file it begins. */
static cns_status read_entry(source *s, cns_module *module, uint32_t index) {
    char name[NAME_LONGEST + 1], why[256] = "";
    unsigned long long from = (unsigned long long)(s->at - s->begin);
    cns_status status = read_name(s, name);
    if (status != CNS_OK) {
        return status;
    }
    status = read_kernel(s, module, name);
    if (status == CNS_OK || status == CNS_E_NOMEM) {
        return status;
    }
    cns_context_message(s->context, why, sizeof why);
    return cns_fail(s->context, status == CNS_E_INVALID ? CNS_E_CORRUPT : status,
                    "the module's kernel %u, %s, at byte %llu: %s", (unsigned)index + 1, name, from,
                    why);
}

/* Narrows the source to what lies between head and digest. */
static cns_status open_file(source *s, uint32_t *count) {
    if (!s->at || left(s) < HEAD + DIGEST || memcmp(s->at, "CNSB", 4) != 0) {
        return cns_fail(s->context, CNS_E_CORRUPT,
                        "it is no module of kernels: it does not begin "
                        "as one, or ends too early");
    }
    s->at += 4;
    uint32_t version = get_u32(s);
    if (version != FORMAT) {
        return cns_fail(s->context, CNS_E_UNSUPPORTED,
                        "the module has format %u; this engine reads format %d", (unsigned)version,
                        FORMAT);
    }
    s->end -= DIGEST;
    uint8_t digest[DIGEST];
    cns_status status = cns_hash_digest(s->context, CNS_HASH_BLAKE3, NULL, s->begin,
                                        (size_t)(s->end - s->begin), digest, sizeof digest);
    if (status == CNS_OK && memcmp(digest, s->end, sizeof digest) != 0) {
        status =
            cns_fail(s->context, CNS_E_CORRUPT, "the module is damaged: its digest does not match");
    }
    if (status != CNS_OK) {
        return status;
    }
    *count = get_u32(s);
    if (*count > KERNELS_MOST || *count > left(s) / ENTRY_LEAST) {
        s->at -= 4;
        return corrupt(s, "a count of kernels beyond its end");
    }
    return CNS_OK;
}

cns_status cns_module_read(cns_vm *vm, const void *bytes, uint64_t size, cns_module **out) {
    source s = {.context = vm->context, .begin = bytes, .at = bytes};
    s.end = bytes ? s.begin + size : NULL;
    uint32_t count = 0;
    cns_module *module = NULL;
    cns_status status = open_file(&s, &count);
    if (status == CNS_OK) {
        status = cns_module_create(vm, &module);
    }
    for (uint32_t i = 0; i < count && status == CNS_OK; i++) {
        status = read_entry(&s, module, i);
    }
    if (status == CNS_OK && left(&s) > 0) {
        status = corrupt(&s, "more bytes than it says");
    }
    if (status != CNS_OK) {
        cns_module_destroy(module);
        return status;
    }
    *out = module;
    return CNS_OK;
}
