/* SPDX-License-Identifier: MIT
 *
 * emit_header.c - the C header of an object file: C11, C++, and LuaJIT's ffi.cdef for the part
 * between its two marks.
 */
#include <stdio.h>
#include <string.h>

#include "cns/cns.h"
#include "vm/emit.h"
#include "vm/kernel.h"

/* ---- names ----------------------------------------------------------------------------------- */

/* Words of C and C++ that a Lua variable may be called but a parameter may not. */
static const char *const reserved[] = {
    "alignas",      "alignof",       "and",         "and_eq",   "asm",       "auto",
    "bitand",       "bitor",         "bool",        "break",    "case",      "catch",
    "char",         "char8_t",       "class",       "compl",    "concept",   "const",
    "consteval",    "constexpr",     "constinit",   "continue", "co_await",  "co_return",
    "co_yield",     "decltype",      "default",     "delete",   "do",        "double",
    "dynamic_cast", "else",          "enum",        "explicit", "export",    "extern",
    "false",        "float",         "for",         "friend",   "goto",      "if",
    "inline",       "int",           "long",        "mutable",  "namespace", "new",
    "noexcept",     "not",           "not_eq",      "nullptr",  "operator",  "or",
    "or_eq",        "private",       "protected",   "public",   "register",  "reinterpret_cast",
    "requires",     "restrict",      "return",      "short",    "signed",    "sizeof",
    "static",       "static_assert", "static_cast", "struct",   "switch",    "template",
    "this",         "thread_local",  "throw",       "true",     "try",       "typedef",
    "typeid",       "typename",      "typeof",      "union",    "unsigned",  "using",
    "virtual",      "void",          "volatile",    "wchar_t",  "while",     "xor",
    "xor_eq",       "error",         "unix",        "linux",    "errno",     "int64_t",
    "stdin",        "stdout",        "stderr",      "complex",  "imaginary", "noreturn",
    "uint64_t",
};

static bool is_reserved(const char *name) {
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        if (strcmp(reserved[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool ends_in(const char *name, const char *end) {
    size_t a = strlen(name), b = strlen(end);
    return a >= b && strcmp(name + a - b, end) == 0;
}

/* Characters of a name that C takes; Lua's names need nothing else, "(for state)" does. */
static void clean(char *out, size_t capacity, const char *name) {
    size_t used = 0;
    for (; *name && used + 1 < capacity; name++) {
        bool good = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
                    (*name >= '0' && *name <= '9' && used > 0);
        out[used++] = good ? *name : '_';
    }
    out[used] = '\0';
}

/* A parameter's name: its variable's, with its number where that cannot be or might be another's.
 * What begins with _ or a capital may be a macro of the system's headers. */
static void parameter_name(const cns_ir_function *ir, const char *prefix, uint32_t index, char *out,
                           size_t capacity) {
    char name[96];
    clean(name, sizeof name, ir->argument_names[index]);
    bool plain = name[0] >= 'a' && name[0] <= 'z' && !is_reserved(name) &&
                 !ends_in(name, "_count") && !ends_in(name, "_t") &&
                 strncmp(name, "result", 6) != 0 &&
                 strncmp(name, prefix, strlen(prefix)) != 0; /* its types' names */
    for (uint32_t i = 0; i < ir->argument_count && plain; i++) {
        plain = i == index || strcmp(ir->argument_names[i], ir->argument_names[index]) != 0;
    }
    if (plain) {
        snprintf(out, capacity, "%s", name);
    } else {
        snprintf(out, capacity, "%s_a%u", name[0] >= 'a' && name[0] <= 'z' ? name : "a",
                 (unsigned)index + 1);
    }
}

static const char *element_name(uint8_t type) {
    static const char *const names[] = {
        [CNS_I8] = "int8_t",    [CNS_I16] = "int16_t",  [CNS_I32] = "int32_t",
        [CNS_I64] = "int64_t",  [CNS_U8] = "uint8_t",   [CNS_U16] = "uint16_t",
        [CNS_U32] = "uint32_t", [CNS_U64] = "uint64_t", [CNS_F32] = "float",
        [CNS_F64] = "double",
    };
    return names[cns_ir_element(type)];
}

static const char *scalar_name(uint8_t type) {
    return type == CNS_VM_F64 ? "double" : type == CNS_VM_BOOL ? "bool" : "int64_t";
}

/* ---- functions ------------------------------------------------------------------------------- */

static void write_parameter(cns_text *text, const char *prefix, const cns_kernel *kernel,
                            uint32_t index) {
    char name[128];
    uint8_t type = cns_emit_argument(kernel->built, index);
    parameter_name(kernel->built, prefix, index, name, sizeof name);
    if (cns_ir_is_buffer(type)) {
        bool written = (cns_kernel_access(kernel, index) & CNS_ACCESS_WRITE) != 0;
        cns_text_printf(text, "%s%s *%s, uint64_t %s_count, ", written ? "" : "const ",
                        element_name(type), name, name);
    } else if (type != CNS_VM_NIL) {
        cns_text_printf(text, "%s %s, ", scalar_name(type), name);
    }
}

/* Text in a comment must not end it. */
static void write_comment(cns_text *text, const char *words) {
    for (; *words; words++) {
        bool bad = (words[0] == '*' && words[1] == '/') || (unsigned char)*words < ' ';
        cns_text_append(text, bad ? "?" : words, 1);
    }
}

/* Where it comes from, what it takes, what it gives, as Lua would say. */
static void write_description(cns_text *text, const cns_emit_item *item) {
    const cns_ir_function *ir = item->kernel->built;
    cns_text_printf(text, "/* ");
    write_comment(text, ir->name);
    cns_text_printf(text, "(");
    for (uint32_t a = 0; a < ir->argument_count; a++) {
        cns_text_printf(text, "%s", a ? ", " : "");
        write_comment(text, ir->argument_names[a]);
        cns_text_printf(text, ": %s", cns_ir_type_name(cns_emit_argument(ir, a)));
    }
    cns_text_printf(text, ")");
    for (uint32_t r = 0; r < item->result_count; r++) {
        cns_text_printf(text, "%s%s", r ? ", " : " -> ",
                        item->results[r] == CNS_VM_VOID ? "any"
                                                        : cns_ir_type_name(item->results[r]));
    }
    if (ir->site_count > 0) {
        cns_text_printf(text, "; ");
        write_comment(text, ir->sites[0].source);
        cns_text_printf(text, ":%u", (unsigned)ir->sites[0].line);
    }
    cns_text_printf(text, " */\n");
}

static void write_function(cns_text *text, const char *prefix, const cns_emit_item *item) {
    cns_text_append(text, "\n", 1);
    write_description(text, item);
    cns_text_printf(text, "int32_t %s(", item->symbol);
    for (uint32_t a = 0; a < item->kernel->built->argument_count; a++) {
        write_parameter(text, prefix, item->kernel, a);
    }
    for (uint32_t r = 0; r < item->result_count; r++) {
        if (item->results[r] == CNS_VM_VOID) {
            cns_text_printf(text, "%s_value *result%u, ", prefix, (unsigned)r + 1);
        } else {
            cns_text_printf(text, "%s *result%u, ", scalar_name(item->results[r]), (unsigned)r + 1);
        }
    }
    cns_text_printf(text, "%s_error *error);\n", prefix);
}

/* ---- what all share -------------------------------------------------------------------------- */

static void write_capitals(char *out, size_t capacity, const char *text) {
    size_t i = 0;
    for (; text[i] && i + 1 < capacity; i++) {
        out[i] = text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];
    }
    out[i] = '\0';
}

static void write_status(cns_text *text, const char *prefix, const char *capitals) {
    static const struct {
        const char *name;
        int value;
        const char *meaning;
    } rows[] = {
        {"OK", CNS_TRAP_NONE, "done; the results are written"},
        {"INDEX", CNS_TRAP_INDEX, "index out of range; integer: it; other: the count"},
        {"INDEX_FLOAT", CNS_TRAP_INDEX_FLOAT, "index not integral; real: it"},
        {"STORE_INTEGER", CNS_TRAP_STORE_INTEGER, "integer does not fit the element"},
        {"STORE_FLOAT", CNS_TRAP_STORE_FLOAT, "real does not fit the element"},
        {"LOAD", CNS_TRAP_LOAD, "a uint64_t above INT64_MAX was read"},
        {"DIVIDE", CNS_TRAP_DIVIDE, "integer // 0"},
        {"MODULO", CNS_TRAP_MODULO, "integer % 0"},
        {"FMOD", CNS_TRAP_FMOD, "math.fmod of integers by 0"},
        {"NOT_INTEGER", CNS_TRAP_NOT_INTEGER, "real where an integer is needed"},
        {"FOR_STEP", CNS_TRAP_FOR_STEP, "the step of a loop is 0"},
        {"COUNT", CNS_NATIVE_COUNT, "a buffer's count is 2^48 or more; nothing was run"},
        {"PROCESSOR", CNS_NATIVE_PROCESSOR, "no code for this processor; nothing was run"},
    };
    cns_text_printf(text, "/* What a call returns. */\nenum %s_status {\n", prefix);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cns_text_printf(text, "    %s_%s = %d%s /* %s */\n", capitals, rows[i].name, rows[i].value,
                        i + 1 < sizeof rows / sizeof *rows ? "," : "", rows[i].meaning);
    }
    cns_text_printf(text, "};\n\n");
}

static void write_types(cns_text *text, const char *prefix, const char *capitals) {
    write_status(text, prefix, capitals);
    cns_text_printf(text,
                    "/* What stopped a call, and where. What was stored before it stays. */\n"
                    "typedef struct %s_error {\n"
                    "    uint32_t status; /* enum %s_status */\n"
                    "    uint32_t line;   /* of source; 0 without one */\n"
                    "    const char *source;\n"
                    "    union {\n"
                    "        int64_t integer;\n"
                    "        double real;\n"
                    "    } value;\n"
                    "    uint64_t other;\n"
                    "} %s_error;\n\n",
                    prefix, prefix, prefix);
    cns_text_printf(text,
                    "/* A result whose type depends on the call: 1 nil, 2 boolean (integer is 0 or "
                    "1),\n * 3 integer, 4 real. */\n"
                    "typedef struct %s_value {\n"
                    "    union {\n"
                    "        int64_t integer;\n"
                    "        double real;\n"
                    "    } value;\n"
                    "    uint64_t type;\n"
                    "} %s_value;\n\n",
                    prefix, prefix);
    cns_text_printf(text,
                    "/* The message of an error, as Lua words it: \"k.lua:3: attempt to divide by "
                    "zero\". Cut to\n * capacity and terminated; returns the full length. buffer "
                    "may be NULL where capacity is 0. */\n"
                    "uint64_t %s_message(const %s_error *error, char *buffer, uint64_t "
                    "capacity);\n",
                    prefix, prefix);
}

static void write_head(cns_text *text, const cns_emit_config *config, const char *capitals) {
    cns_text_printf(text, "/* Made by cnsengine %s", cns_version_string());
    if (config->source) {
        cns_text_printf(text, " from ");
        write_comment(text, config->source);
    }
    cns_text_printf(
        text,
        "; changes are lost when it is made again.\n *\n"
        " * Each kernel returns 0, or why it stopped, and then fills in *error. Results are\n"
        " * written on success alone; their pointers and error may be NULL. A buffer is a pointer\n"
        " * to its first element, aligned to the element's size, and the number of elements;\n"
        " * buffers may overlap. Nothing is allocated or kept: any thread, any number at once.\n"
        " * Link with -lm. What stands between the two lines \"ffi.cdef\" is for LuaJIT as well.\n"
        " */\n"
        "#ifndef %s_KERNELS_H\n#define %s_KERNELS_H\n\n"
        "#include <stdbool.h>\n#include <stdint.h>\n\n"
        "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n/* ffi.cdef begins */\n\n",
        capitals, capitals);
}

cns_status cns_vm_emit_header(cns_vm *vm, const cns_emit_config *config, char **out,
                              uint64_t *size) {
    cns_emit_plan plan;
    cns_status status = cns_emit_plan_init(&plan, vm->context, config);
    if (status != CNS_OK) {
        return status;
    }
    char capitals[CNS_EMIT_PREFIX + 1];
    write_capitals(capitals, sizeof capitals, config->prefix);
    cns_text text;
    cns_text_init(&text, vm->context);
    write_head(&text, config, capitals);
    write_types(&text, config->prefix, capitals);
    for (uint32_t i = 0; i < plan.count; i++) {
        write_function(&text, config->prefix, &plan.items[i]);
    }
    cns_text_printf(&text, "\n/* ffi.cdef ends */\n\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
    cns_emit_plan_deinit(&plan);
    status = cns_text_status(&text);
    if (status == CNS_OK) {
        char *exact = cns_context_resize(vm->context, NULL, 0, text.length + 1);
        status = exact ? CNS_OK : cns_context_memory_status(vm->context, text.length + 1);
        if (exact) {
            memcpy(exact, text.bytes, text.length + 1);
            *out = exact;
            *size = text.length + 1;
        }
    }
    cns_text_deinit(&text);
    return status;
}
