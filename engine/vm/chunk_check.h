/* SPDX-License-Identifier: MIT
 *
 * vm/chunk_check.h - whether the code of a Lua function is such as Lua's compiler writes.
 */
#ifndef CNS_VM_CHUNK_CHECK_H
#define CNS_VM_CHUNK_CHECK_H

#include "vm/chunk.h"

/* How an operation uses its fields, for the checker, the printer and liveness. */
typedef enum cns_lua_field {
    CNS_FIELD_NONE,     /* not used, or a plain number */
    CNS_FIELD_READ,     /* a register that is read */
    CNS_FIELD_WRITE,    /* a register that is written */
    CNS_FIELD_CONSTANT, /* any constant */
    CNS_FIELD_NUMBER,   /* a numeric constant */
    CNS_FIELD_STRING,   /* a string constant */
    CNS_FIELD_UPVALUE,
    CNS_FIELD_EITHER /* a register that is read, or with k a constant */
} cns_lua_field;

typedef struct cns_lua_op_info {
    const char *name;
    uint8_t a, b, c; /* cns_lua_field; registers beyond these are the operation's own affair */
} cns_lua_op_info;

/* NULL for an unknown operation. */
const cns_lua_op_info *cns_lua_op_info_of(uint32_t op);

/* CNS_E_CORRUPT, naming instruction and fault. */
cns_status cns_proto_check(cns_context *context, const cns_proto *proto);

#endif
