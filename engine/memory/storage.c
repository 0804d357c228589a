/* SPDX-License-Identifier: MIT
 *
 * memory/storage.c - see storage.h.
 *
 * Ending a borrow takes it off the list, then lowers its parent's count with release order: who
 * then finds the count at 0 (acquire) sees all that the borrower wrote.
 */
#include "memory/storage.h"

#include <string.h>

/* From here on, whole pages: they come zeroed, and untouched ones cost nothing. */
enum { MAP_THRESHOLD = 64 * 1024 };

/* ---- memory --------------------------------------------------------------------------------- */

static cns_status take_memory(cns_storage *storage, size_t size) {
    int zeroed = 0;
    storage->size = size;
    storage->mapped = size >= MAP_THRESHOLD;
    storage->data = storage->mapped
                        ? cns_context_map(storage->context, size, CNS_STORAGE_ALIGN, &zeroed)
                        : cns_context_alloc(storage->context, size, CNS_STORAGE_ALIGN);
    if (!storage->data) {
        return cns_context_memory_status(storage->context, size);
    }
    if (!zeroed) {
        memset(storage->data, 0, size);
    }
    return CNS_OK;
}

static void give_memory_back(cns_storage *storage) {
    if (storage->mapped) {
        cns_context_unmap(storage->context, storage->data, storage->size, CNS_STORAGE_ALIGN);
    } else {
        cns_context_free(storage->context, storage->data, storage->size, CNS_STORAGE_ALIGN);
    }
}

static void init_root(cns_storage *storage) {
    cns_borrow *root = &storage->root;
    root->storage = storage;
    root->end = storage->size;
    root->access = CNS_ACCESS_WRITE;
    atomic_init(&root->references, 1);
    atomic_init(&root->children, 0);
}

cns_status cns_storage_create(cns_context *context, uint64_t count, uint64_t element_size,
                              cns_storage **out) {
    if (count > SIZE_MAX / 4 / element_size) {
        return cns_fail(context, CNS_E_LIMIT, "%llu elements of %llu bytes are beyond any memory",
                        (unsigned long long)count, (unsigned long long)element_size);
    }
    cns_storage *storage = cns_context_calloc(context, sizeof *storage);
    if (!storage) {
        return cns_context_memory_status(context, sizeof *storage);
    }
    storage->context = context;
    cns_status status = CNS_E_NOMEM;
    if (cns_mutex_init(&storage->lock) != 0) {
        cns_fail(context, status, "the system has no lock left");
        goto fail_lock;
    }
    status = take_memory(storage, (size_t)(count * element_size));
    if (status != CNS_OK) {
        goto fail_memory;
    }
    init_root(storage);
    *out = storage;
    return CNS_OK;

fail_memory:
    cns_mutex_deinit(&storage->lock);
fail_lock:
    cns_context_free(context, storage, sizeof *storage, CNS_ALIGN_DEFAULT);
    return status;
}

static void destroy_storage(cns_storage *storage) {
    CNS_ASSERT(!storage->borrows && atomic_load(&storage->root.children) == 0);
    give_memory_back(storage);
    cns_mutex_deinit(&storage->lock);
    cns_context_free(storage->context, storage, sizeof *storage, CNS_ALIGN_DEFAULT);
}

bool cns_storage_shared(const cns_storage *storage) {
    return atomic_load_explicit(&storage->root.references, memory_order_acquire) > 1;
}

uint64_t cns_storage_held(const cns_storage *storage) {
    size_t data = storage->size ? storage->size : 1;
    if (storage->mapped) {
        size_t page = cns_os_page_size();
        data = (data + page - 1) / page * page;
    }
    return sizeof *storage + data;
}

/* ---- rights --------------------------------------------------------------------------------- */

static bool is_self_or_ancestor(const cns_borrow *candidate, const cns_borrow *borrow) {
    while (borrow && borrow != candidate) {
        borrow = borrow->parent;
    }
    return borrow != NULL;
}

/* The borrow that forbids `borrow`'s holder the access; NULL when none does. */
static const cns_borrow *find_obstacle(const cns_borrow *borrow, size_t begin, size_t end,
                                       cns_access access) {
    for (const cns_borrow *other = borrow->storage->borrows; other; other = other->next) {
        size_t low = begin > other->begin ? begin : other->begin;
        size_t high = end < other->end ? end : other->end;
        bool writes = access == CNS_ACCESS_WRITE || other->access == CNS_ACCESS_WRITE;
        if (low < high && writes && !is_self_or_ancestor(other, borrow)) {
            return other;
        }
    }
    return NULL;
}

static const char *mode_text(cns_access access) {
    return access == CNS_ACCESS_WRITE ? "writing" : "reading";
}

static cns_status refuse(cns_borrow *borrow, cns_access access, cns_access obstacle) {
    return cns_fail(borrow->storage->context, CNS_E_BUSY,
                    "the range cannot be used for %s: it is borrowed for %s", mode_text(access),
                    mode_text(obstacle));
}

static cns_status check_locked(cns_borrow *borrow, size_t begin, size_t end, cns_access access) {
    if (access > borrow->access) {
        return refuse(borrow, access, borrow->access);
    }
    const cns_borrow *obstacle = find_obstacle(borrow, begin, end, access);
    return obstacle ? refuse(borrow, access, obstacle->access) : CNS_OK;
}

cns_status cns_borrow_access_slow(cns_borrow *borrow, size_t begin, size_t end, cns_access access) {
    cns_storage *storage = borrow->storage;
    cns_mutex_lock(&storage->lock);
    cns_status status = check_locked(borrow, begin, end, access);
    cns_mutex_unlock(&storage->lock);
    return status;
}

/* ---- borrows -------------------------------------------------------------------------------- */

static void link_locked(cns_borrow *borrow) {
    cns_storage *storage = borrow->storage;
    borrow->next = storage->borrows;
    if (borrow->next) {
        borrow->next->previous = borrow;
    }
    storage->borrows = borrow;
    atomic_fetch_add_explicit(&borrow->parent->children, 1, memory_order_acq_rel);
}

static void unlink_borrow(cns_borrow *borrow) {
    cns_storage *storage = borrow->storage;
    cns_mutex_lock(&storage->lock);
    if (borrow->next) {
        borrow->next->previous = borrow->previous;
    }
    if (borrow->previous) {
        borrow->previous->next = borrow->next;
    } else {
        storage->borrows = borrow->next;
    }
    atomic_fetch_sub_explicit(&borrow->parent->children, 1, memory_order_release);
    cns_mutex_unlock(&storage->lock);
}

cns_status cns_borrow_create(cns_borrow *parent, size_t begin, size_t end, cns_access access,
                             cns_borrow **out) {
    cns_storage *storage = parent->storage;
    cns_borrow *borrow = cns_context_calloc(storage->context, sizeof *borrow);
    if (!borrow) {
        return cns_context_memory_status(storage->context, sizeof *borrow);
    }
    borrow->storage = storage;
    borrow->parent = parent;
    borrow->begin = begin;
    borrow->end = end;
    borrow->access = access;
    atomic_init(&borrow->references, 1);
    atomic_init(&borrow->children, 0);
    cns_mutex_lock(&storage->lock);
    cns_status status = check_locked(parent, begin, end, access);
    if (status == CNS_OK) {
        link_locked(borrow);
    }
    cns_mutex_unlock(&storage->lock);
    if (status != CNS_OK) {
        cns_context_free(storage->context, borrow, sizeof *borrow, CNS_ALIGN_DEFAULT);
        return status;
    }
    cns_borrow_retain(parent);
    *out = borrow;
    return CNS_OK;
}

void cns_borrow_retain(cns_borrow *borrow) {
    atomic_fetch_add_explicit(&borrow->references, 1, memory_order_relaxed);
}

void cns_borrow_release(cns_borrow *borrow) {
    while (atomic_fetch_sub_explicit(&borrow->references, 1, memory_order_acq_rel) == 1) {
        cns_borrow *parent = borrow->parent;
        if (!parent) {
            destroy_storage(borrow->storage);
            return;
        }
        unlink_borrow(borrow);
        cns_context_free(borrow->storage->context, borrow, sizeof *borrow, CNS_ALIGN_DEFAULT);
        borrow = parent;
    }
}

/* ---- invariants ----------------------------------------------------------------------------- */

static bool borrow_holds(const cns_borrow *borrow) {
    const cns_borrow *parent = borrow->parent;
    bool linked =
        !borrow->previous ? borrow->storage->borrows == borrow : borrow->previous->next == borrow;
    return linked && parent && parent->storage == borrow->storage &&
           borrow->begin >= parent->begin && borrow->end <= parent->end &&
           borrow->begin <= borrow->end && borrow->access <= parent->access &&
           atomic_load(&parent->children) > 0 && atomic_load(&parent->references) > 0;
}

cns_status cns_storage_check(cns_storage *storage) {
    const char *wrong = (uintptr_t)storage->data % CNS_STORAGE_ALIGN ? "data is misaligned" : NULL;
    cns_mutex_lock(&storage->lock);
    for (cns_borrow *borrow = storage->borrows; borrow && !wrong; borrow = borrow->next) {
        if (!borrow_holds(borrow)) {
            wrong = "the tree of borrows is damaged";
        } else if (find_obstacle(borrow, borrow->begin, borrow->end, borrow->access) &&
                   atomic_load(&borrow->children) == 0) {
            wrong = "two borrows are in conflict";
        }
    }
    cns_mutex_unlock(&storage->lock);
    return wrong ? cns_fail(storage->context, CNS_E_CORRUPT, "storage: %s", wrong) : CNS_OK;
}
