/* SPDX-License-Identifier: MIT
 *
 * test_arena.c - bump allocation against a model that keeps every mark and every block.
 */
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "cns/memory.h"
#include "support.h"

static cns_arena *create(cns_context *context, uint64_t block_size, uint64_t limit) {
    cns_arena_config config = {.size = sizeof config, .block_size = block_size, .limit = limit};
    cns_arena *arena = NULL;
    support_status(context, CNS_OK, cns_arena_create(context, &config, &arena));
    return arena;
}

START_TEST(blocks_are_aligned_and_apart) {
    cns_context *context = support_context();
    cns_arena *arena = create(context, 0, 0);
    char *last = NULL;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        char *bytes = cns_arena_alloc(arena, 3, alignment);
        ck_assert_ptr_nonnull(bytes);
        ck_assert_uint_eq((uintptr_t)bytes % alignment, 0);
        memset(bytes, 1, 3);
        ck_assert_ptr_ne(bytes, last);
        last = bytes;
    }
    ck_assert_uint_eq((uintptr_t)cns_arena_alloc(arena, 1, 0) % 16, 0);
    ck_assert_ptr_ne(cns_arena_alloc(arena, 0, 1), cns_arena_alloc(arena, 0, 1));
    char *large = cns_arena_alloc(arena, 5 << 20, 4096);
    ck_assert_ptr_nonnull(large);
    ck_assert_uint_eq((uintptr_t)large % 4096, 0);
    memset(large, 2, 5 << 20);
    ck_assert_str_eq(cns_arena_copy(arena, "hello world", 5), "hello");
    ck_assert_str_eq(cns_arena_copy(arena, NULL, 0), "");
    support_status(context, CNS_OK, cns_arena_check(arena));
    cns_arena_destroy(arena);
    cns_arena_destroy(NULL);
    support_context_destroy(context);
}
END_TEST

START_TEST(misuse_is_refused) {
    cns_context *context = support_context();
    cns_arena *arena = NULL;
    cns_arena_config config = {.size = 5};
    support_status(context, CNS_E_INVALID, cns_arena_create(context, &config, &arena));
    config = (cns_arena_config){.size = sizeof config, .block_size = UINT64_MAX};
    support_status(context, CNS_E_INVALID, cns_arena_create(context, &config, &arena));
    support_status(context, CNS_E_INVALID, cns_arena_create(context, NULL, NULL));
    support_status(NULL, CNS_E_INVALID, cns_arena_create(NULL, NULL, &arena));
    support_status(context, CNS_OK, cns_arena_create(context, NULL, &arena));
    ck_assert_ptr_null(cns_arena_alloc(arena, 1, 3));
    ck_assert_ptr_null(cns_arena_alloc(arena, 1, 8192));
    ck_assert_ptr_null(cns_arena_alloc(arena, SIZE_MAX, 16));
    ck_assert_ptr_null(cns_arena_copy(arena, "", SIZE_MAX));
    cns_arena_mark mark = {.position = 1, .serial = 0};
    support_status(context, CNS_E_STALE, cns_arena_restore(arena, &mark));
    mark = (cns_arena_mark){.position = 0, .serial = 99};
    support_status(context, CNS_E_STALE, cns_arena_restore(arena, &mark));
    cns_arena_reset(arena);
    ck_assert_uint_eq(cns_arena_used(arena), 0);
    cns_arena_destroy(arena);
    support_context_destroy(context);
}
END_TEST

START_TEST(the_limit_holds) {
    cns_context *context = support_context();
    cns_arena *arena = create(context, 0, 200000);
    uint64_t own = cns_arena_held(arena);
    size_t count = 0;
    cns_arena_mark begin;
    cns_arena_save(arena, &begin);
    for (int round = 0; round < 3; round++) {
        for (count = 0; cns_arena_alloc(arena, 1000, 16); count++) {
            ck_assert_uint_le(cns_arena_held(arena), 200000 + own + 1024);
        }
        ck_assert_uint_gt(count, 190); /* nearly all of the limit is of use */
        ck_assert_uint_lt(count, 200);
        support_status(context, CNS_OK, cns_arena_restore(arena, &begin));
    }
    ck_assert_ptr_null(cns_arena_alloc(arena, 200000, 16));
    ck_assert_ptr_nonnull(cns_arena_alloc(arena, 100000, 16));
    cns_arena_destroy(arena);
    support_context_destroy(context);
}
END_TEST

START_TEST(reset_keeps_one_block) {
    cns_context *context = support_context();
    cns_arena *arena = create(context, 4096, 0);
    ck_assert_ptr_nonnull(cns_arena_alloc(arena, 1, 1));
    uint64_t one = cns_arena_held(arena);
    for (int i = 0; i < 100; i++) {
        ck_assert_ptr_nonnull(cns_arena_alloc(arena, 1000, 16));
    }
    ck_assert_uint_ge(cns_arena_used(arena), 100001);
    ck_assert_uint_gt(cns_arena_held(arena), one + 90000);
    cns_arena_mark mark;
    cns_arena_save(arena, &mark);
    cns_arena_reset(arena);
    ck_assert_uint_eq(cns_arena_used(arena), 0);
    ck_assert_uint_eq(cns_arena_held(arena), one);
    support_status(context, CNS_E_STALE, cns_arena_restore(arena, &mark));
    cns_arena_destroy(arena);
    support_context_destroy(context);
}
END_TEST

START_TEST(nested_marks_and_stale_ones) {
    cns_context *context = support_context();
    cns_arena *arena = create(context, 256, 0);
    cns_arena_mark outer, inner, sibling;
    cns_arena_alloc(arena, 100, 16);
    cns_arena_save(arena, &outer);
    cns_arena_alloc(arena, 300, 16);
    cns_arena_save(arena, &inner);
    cns_arena_alloc(arena, 300, 16);
    support_status(context, CNS_OK, cns_arena_restore(arena, &inner));
    support_status(context, CNS_OK, cns_arena_restore(arena, &inner));
    support_status(context, CNS_OK, cns_arena_restore(arena, &outer));
    ck_assert_uint_eq(cns_arena_used(arena), outer.position);
    cns_arena_alloc(arena, 300, 16);
    cns_arena_alloc(arena, 300, 16);
    /* as high as before, but not what it was */
    support_status(context, CNS_E_STALE, cns_arena_restore(arena, &inner));
    cns_arena_save(arena, &sibling);
    support_status(context, CNS_OK, cns_arena_restore(arena, &sibling));
    support_status(context, CNS_OK, cns_arena_restore(arena, &outer));
    support_status(context, CNS_E_STALE, cns_arena_restore(arena, &sibling));
    cns_arena_destroy(arena);
    support_context_destroy(context);
}
END_TEST

/* ---- the model ------------------------------------------------------------------------------ */

enum { MARKS = 40, PIECES = 4000 };

typedef struct piece {
    unsigned char *bytes;
    size_t size;
    uint64_t end; /* bytes used after it */
    unsigned char seed;
} piece;

typedef struct saved {
    cns_arena_mark mark;
    bool valid;
} saved;

typedef struct model {
    cns_arena *arena;
    cns_rng rng;
    piece pieces[PIECES];
    size_t count;
    saved marks[MARKS];
} model;

static bool intact(const piece *p) {
    for (size_t i = 0; i < p->size; i++) {
        if (p->bytes[i] != (unsigned char)(p->seed + i)) {
            return false;
        }
    }
    return true;
}

static void model_alloc(model *m) {
    if (m->count == PIECES) {
        return;
    }
    piece *p = &m->pieces[m->count];
    size_t alignment = (size_t)1 << cns_rng_below(&m->rng, 9);
    p->size = cns_rng_below(&m->rng, cns_rng_below(&m->rng, 10) ? 200 : 20000);
    p->seed = (unsigned char)cns_rng_next(&m->rng);
    p->bytes = cns_arena_alloc(m->arena, p->size, alignment);
    if (!p->bytes || (uintptr_t)p->bytes % alignment) {
        ck_abort_msg("allocation failed or is not aligned");
    }
    for (size_t i = 0; i < p->size; i++) {
        p->bytes[i] = (unsigned char)(p->seed + i);
    }
    p->end = cns_arena_used(m->arena);
    m->count++;
}

static void model_cut(model *m, uint64_t position) {
    for (int i = 0; i < MARKS; i++) {
        m->marks[i].valid &= m->marks[i].mark.position <= position;
    }
    while (m->count && m->pieces[m->count - 1].end > position) {
        m->count--;
    }
    for (size_t i = 0; i < m->count; i++) {
        if (!intact(&m->pieces[i])) {
            ck_abort_msg("piece %zu changed", i);
        }
    }
}

static void model_restore(model *m, const saved *s) {
    bool valid = s->valid;
    cns_arena_mark mark = s->mark;
    uint64_t before = cns_arena_used(m->arena);
    cns_status status = cns_arena_restore(m->arena, &mark);
    if (status != (valid ? CNS_OK : CNS_E_STALE) ||
        cns_arena_used(m->arena) != (valid ? mark.position : before)) {
        ck_abort_msg("restore of a %s mark: %s", valid ? "valid" : "stale",
                     cns_status_name(status));
    }
    if (valid) {
        model_cut(m, mark.position);
    }
}

START_TEST(random_sequences_match_the_model) {
    cns_context *context = support_context();
    static model m;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        memset(&m, 0, sizeof m);
        m.arena = create(context, seed % 2 ? 0 : 1000, 0);
        for (int i = 0; i < MARKS; i++) {
            m.marks[i].valid = true; /* all at the beginning */
        }
        cns_rng_seed(&m.rng, seed);
        for (int step = 0; step < 20000; step++) {
            uint64_t kind = cns_rng_below(&m.rng, 1000);
            saved *s = &m.marks[cns_rng_below(&m.rng, MARKS)];
            if (kind < 800) {
                model_alloc(&m);
            } else if (kind < 960) {
                cns_arena_save(m.arena, &s->mark);
                s->valid = true;
            } else if (kind < 999) {
                model_restore(&m, s);
            } else {
                cns_arena_reset(m.arena);
                model_cut(&m, 0);
            }
            if (step % 1000 == 0) {
                support_status(context, CNS_OK, cns_arena_check(m.arena));
            }
        }
        model_cut(&m, UINT64_MAX);
        cns_arena_destroy(m.arena);
    }
    support_context_destroy(context);
}
END_TEST

static cns_status use_arena(cns_context *context) {
    cns_arena_config config = {.size = sizeof config, .block_size = 512};
    cns_arena *arena = NULL;
    cns_status status = cns_arena_create(context, &config, &arena);
    for (int i = 0; i < 20 && status == CNS_OK; i++) {
        cns_arena_mark mark;
        bool ok = cns_arena_alloc(arena, 300, 16) != NULL;
        cns_arena_save(arena, &mark);
        ok = ok && cns_arena_alloc(arena, 400, 16) != NULL;
        support_status(context, CNS_OK, cns_arena_restore(arena, &mark));
        status = ok ? CNS_OK : CNS_E_NOMEM;
    }
    if (arena) {
        support_status(context, CNS_OK, cns_arena_check(arena));
    }
    cns_arena_destroy(arena);
    return status;
}

START_TEST(failing_allocations_are_survived) {
    support_each_allocation_fails(use_arena);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("arena");
    TCase *cases = tcase_create("arena");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, blocks_are_aligned_and_apart);
    tcase_add_test(cases, misuse_is_refused);
    tcase_add_test(cases, the_limit_holds);
    tcase_add_test(cases, reset_keeps_one_block);
    tcase_add_test(cases, nested_marks_and_stale_ones);
    tcase_add_test(cases, random_sequences_match_the_model);
    tcase_add_test(cases, failing_allocations_are_survived);
    suite_add_tcase(suite, cases);
    return support_run(suite);
}
