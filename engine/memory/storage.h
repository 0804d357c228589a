/* SPDX-License-Identifier: MIT
 *
 * memory/storage.h - memory shared by views, and the tree of borrows that says who may touch it.
 *
 * Every view holds a borrow. The root borrow is the storage's own: plain views hold it, and it may
 * do everything. Borrowing from a view makes a child of the view's borrow, for a range of bytes and
 * a mode. A view may access a range unless a borrow overlaps it that is not the view's own or one
 * of its ancestors, and either side writes: thus a lender is locked out while its range is lent,
 * and a borrower may lend on. A borrow lives while a view or a child of it does.
 *
 * Counters are atomic and the tree is changed under the storage's lock, so views may be made, lent
 * and ended on any thread. The check costs one load while nothing is lent from the view's borrow.
 */
#ifndef CNS_MEMORY_STORAGE_H
#define CNS_MEMORY_STORAGE_H

#include <stdatomic.h>

#include "base/context.h"
#include "base/os.h"
#include "cns/memory.h"

typedef struct cns_storage cns_storage;
typedef struct cns_borrow cns_borrow;

struct cns_borrow {
    cns_storage *storage;
    cns_borrow *parent; /* NULL for the root */
    cns_borrow *next;   /* all of the storage but the root, under its lock */
    cns_borrow *previous;
    size_t begin; /* bytes of the storage */
    size_t end;
    cns_access access; /* CNS_ACCESS_WRITE includes reading */
    _Atomic uint64_t references;
    _Atomic uint64_t children;
};

struct cns_storage {
    cns_context *context;
    uint8_t *data; /* 64-byte aligned */
    size_t size;
    bool mapped;
    cns_mutex lock;
    cns_borrow root;
    cns_borrow *borrows;
};

enum { CNS_STORAGE_ALIGN = 64 };

/* Zeroed; one reference of the root is the caller's, given back with cns_borrow_release. */
cns_status cns_storage_create(cns_context *context, uint64_t count, uint64_t element_size,
                              cns_storage **out);
/* true when anyone but the one holder of the root is left. */
bool cns_storage_shared(const cns_storage *storage);
/* The bytes that the context was charged for it. */
uint64_t cns_storage_held(const cns_storage *storage);
/* CNS_E_CORRUPT with a message when the tree is damaged. */
cns_status cns_storage_check(cns_storage *storage);

void cns_borrow_retain(cns_borrow *borrow);
void cns_borrow_release(cns_borrow *borrow);
/* A child of `parent` with one reference. */
cns_status cns_borrow_create(cns_borrow *parent, size_t begin, size_t end, cns_access access,
                             cns_borrow **out);
cns_status cns_borrow_access_slow(cns_borrow *borrow, size_t begin, size_t end, cns_access access);

/* CNS_OK when a holder of `borrow` may access [begin, end) so now. */
static inline cns_status cns_borrow_access(cns_borrow *borrow, size_t begin, size_t end,
                                           cns_access access) {
    if (CNS_LIKELY(access <= borrow->access &&
                   atomic_load_explicit(&borrow->children, memory_order_acquire) == 0)) {
        return CNS_OK;
    }
    return cns_borrow_access_slow(borrow, begin, end, access);
}

/* A plain view: it takes a reference of the storage's root. */
cns_status cns_buffer_of_storage(cns_storage *storage, cns_type type, size_t offset, uint64_t count,
                                 cns_buffer **out);
cns_context *cns_buffer_context(const cns_buffer *buffer);

#endif
