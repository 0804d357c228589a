/* SPDX-License-Identifier: MIT
 *
 * vm/type.h - the types of values, arguments and results.
 */
#ifndef CNS_VM_TYPE_H
#define CNS_VM_TYPE_H

/* NIL has one value and nothing computes it: it is an argument's or a result's type only. A
 * buffer's type is CNS_VM_BUFFER + its cns_type. */
typedef enum cns_vm_type {
    CNS_VM_VOID = 0,
    CNS_VM_NIL = 1,
    CNS_VM_BOOL = 2,
    CNS_VM_I64 = 3,
    CNS_VM_F64 = 4,
    CNS_VM_BUFFER = 16
} cns_vm_type;

#endif
