/* SPDX-License-Identifier: MIT
 *
 * message.h - the inside of a message, between pack.c and unpack.c. Both run in one process, so
 * numbers are in the machine's own form.
 */
#ifndef LCNS_MESSAGE_H
#define LCNS_MESSAGE_H

#include "transfer.h"

/* What a value in the body begins with. */
enum lcns_tag {
    TAG_NIL,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INTEGER,
    TAG_FLOAT,
    TAG_SHORT, /* string with a one-byte length */
    TAG_LONG,
    TAG_OBJECT,
    TAG_HANDLE,
    TAG_KNOWN
};

/* What an object in the heads begins with: a table, with the sizes of its list and of the rest; or
 * a function, with the number of its upvalues, the size of its dump, and the dump; or a kernel,
 * with its options, which the other state compiles anew from its function. */
enum lcns_head { HEAD_TABLE, HEAD_FUNCTION, HEAD_PURE_FUNCTION, HEAD_KERNEL };

#endif
