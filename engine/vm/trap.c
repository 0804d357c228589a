/* SPDX-License-Identifier: MIT
 *
 * trap.c - what stopped a run, in the words that Lua and cns.buffer have for it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vm/kernel.h"

/* A float as Lua writes it in messages: 14 digits, and never like an integer. */
static void write_real(double value, char *out, size_t capacity) {
    int length = snprintf(out, capacity, "%.14g", value);
    if (length > 0 && out[strspn(out, "-0123456789")] == '\0' && (size_t)length + 2 < capacity) {
        memcpy(out + length, ".0", 3);
    }
}

static const char *element_name(uint64_t type) {
    const char *name = type <= CNS_F64 ? cns_type_name((cns_type)type) : NULL;
    return name ? name : "?";
}

static void describe(const cns_trap *trap, char *out, size_t capacity) {
    char real[40];
    switch (trap->kind) {
    case CNS_TRAP_INDEX:
        snprintf(out, capacity, "cns.buffer index %" PRId64 " out of range 1..%" PRIu64,
                 trap->integer, trap->other);
        return;
    case CNS_TRAP_INDEX_FLOAT:
        write_real(trap->real, real, sizeof real);
        snprintf(out, capacity, "cns.buffer index %s is not an integer", real);
        return;
    case CNS_TRAP_STORE_INTEGER:
        snprintf(out, capacity, "%" PRId64 " does not fit %s exactly", trap->integer,
                 element_name(trap->other));
        return;
    case CNS_TRAP_STORE_FLOAT:
        snprintf(out, capacity, "%.17g does not fit %s exactly", trap->real,
                 element_name(trap->other));
        return;
    case CNS_TRAP_LOAD:
        snprintf(out, capacity, "the %s element has no exact value as i64",
                 element_name(trap->other));
        return;
    case CNS_TRAP_DIVIDE:
        snprintf(out, capacity, "attempt to divide by zero");
        return;
    case CNS_TRAP_MODULO:
        snprintf(out, capacity, "attempt to perform 'n%%0'");
        return;
    case CNS_TRAP_FMOD:
        snprintf(out, capacity, "bad argument #2 to 'fmod' (zero)");
        return;
    case CNS_TRAP_NOT_INTEGER:
        snprintf(out, capacity, "number has no integer representation");
        return;
    case CNS_TRAP_FOR_STEP:
        snprintf(out, capacity, "'for' step is zero");
        return;
    case CNS_TRAP_STOPPED:
        snprintf(out, capacity, "stopped: %s", cns_status_text((cns_status)trap->integer));
        return;
    default:
        snprintf(out, capacity, "no trap");
    }
}

uint64_t cns_kernel_trap_message(const cns_kernel *kernel, const cns_trap *trap, char *buffer,
                                 uint64_t capacity) {
    char text[160];
    describe(trap, text, sizeof text);
    const cns_ir_function *ir = kernel->built;
    char none[1];
    char *out = buffer && capacity > 0 ? buffer : none;
    size_t room = buffer && capacity > 0 ? (size_t)capacity : sizeof none;
    int length = trap->site < ir->site_count
                     ? snprintf(out, room, "%s:%u: %s", ir->sites[trap->site].source,
                                (unsigned)ir->sites[trap->site].line, text)
                     : snprintf(out, room, "%s", text);
    return length > 0 ? (uint64_t)length : 0;
}
