/* SPDX-License-Identifier: MIT
 *
 * vm/function.h - what stands behind cns_lua_function: a chunk and its main proto.
 */
#ifndef CNS_VM_FUNCTION_H
#define CNS_VM_FUNCTION_H

#include "cns/vm.h"
#include "vm/chunk.h"

struct cns_lua_function {
    cns_context *context;
    cns_chunk *chunk;
    const cns_proto *proto;
};

#endif
