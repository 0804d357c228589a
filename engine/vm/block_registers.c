/* SPDX-License-Identifier: MIT
 *
 * block_registers.c - storage for a plan's vectors: linear scan, as for the scalar VM.
 *
 * A vector's interval reaches from the instruction that makes it to the last that reads it, where a
 * result may take an operand's place. What a loop inside keeps from round to round, and what it
 * reads of before, is alive as long as the loop. Few vectors in use allow long ones: all of them
 * are to stay in the first cache.
 */
#include <string.h>

#include "vm/block_code.h"

enum { MOST = CNS_BLOCK_BYTES / (8 * CNS_BLOCK_LANES_LEAST) };

typedef struct interval {
    uint32_t begin; /* UINT32_MAX: not used */
    uint32_t end;
} interval;

typedef struct scan {
    interval *of;
    uint16_t *place; /* vector -> storage */
    uint32_t from;   /* what is looked at now */
    uint32_t to;
} scan;

static void visit_pairs(cns_block_plan *plan, uint32_t first, uint32_t count, cns_block_visit visit,
                        void *user) {
    for (uint32_t p = first; p < first + count; p++) {
        if (plan->pairs[p].from != CNS_BLOCK_NONE) {
            visit(user, &plan->pairs[p].from, false);
        }
        visit(user, &plan->pairs[p].to, true);
    }
}

static void visit_loop(cns_block_plan *plan, cns_block_loop *loop, cns_block_visit visit,
                       void *user) {
    visit(user, &loop->alive, true);
    visit(user, &loop->ids, true);
    visit_pairs(plan, loop->enter, loop->enter_count, visit, user);
    visit_pairs(plan, loop->out, loop->out_count, visit, user);
}

static void visit_one(uint16_t *vector, bool writes, cns_block_visit visit, void *user) {
    if (*vector != CNS_BLOCK_NONE) {
        visit(user, vector, writes);
    }
}

void cns_block_visit_vectors(cns_block_plan *plan, cns_block_instruction *i, cns_block_visit visit,
                             void *user) {
    bool lanes = i->op == CNS_BLOCK_LANES_OP;
    bool scalar_a = i->op == CNS_BLOCK_SPLAT || i->op == CNS_BLOCK_IOTA ||
                    i->op == CNS_BLOCK_LEAVE || (lanes && cns_lanes_one_a(i->form));
    bool scalar_b =
        i->op == CNS_BLOCK_IOTA || i->op == CNS_BLOCK_LEAVE || (lanes && cns_lanes_one_b(i->form));
    if (!scalar_a) {
        visit_one(&i->a, false, visit, user);
    }
    if (!scalar_b) {
        visit_one(&i->b, false, visit, user);
    }
    visit_one(&i->c, false, visit, user);
    visit_one(&i->d, true, visit, user);
    if (i->op == CNS_BLOCK_ENTER) {
        visit_loop(plan, &plan->loops[i->extra], visit, user);
    } else if (i->op == CNS_BLOCK_LEAVE) {
        visit_pairs(plan, i->a, i->b, visit, user);
    } else if (i->op == CNS_BLOCK_AGAIN) {
        visit_pairs(plan, plan->loops[i->extra].around, plan->loops[i->extra].around_count, visit,
                    user);
    }
}

static void stretch(void *user, uint16_t *vector, bool writes) {
    scan *s = user;
    interval *own = &s->of[*vector];
    uint32_t begin = s->from + writes;
    own->begin = begin < own->begin ? begin : own->begin;
    own->end = s->to > own->end ? s->to : own->end;
    own->end = begin > own->end ? begin : own->end;
}

/* Positions are two an instruction: reads, then writes. */
static void find_intervals(cns_block_plan *plan, scan *s) {
    for (uint32_t n = 0; n < plan->count; n++) {
        cns_block_instruction *i = &plan->code[n];
        s->from = s->to = 2 * n;
        if (i->op == CNS_BLOCK_ENTER) {
            s->to = 2 * plan->loops[i->extra].end + 1;
        } else if (i->op == CNS_BLOCK_LOAD || i->op == CNS_BLOCK_LEAVE ||
                   i->op == CNS_BLOCK_AGAIN) {
            s->to = 2 * n + 1; /* masks are read once more behind what is written */
        }
        cns_block_visit_vectors(plan, i, stretch, s);
    }
}

static void rename(void *user, uint16_t *vector, bool writes) {
    (void)writes;
    *vector = ((const scan *)user)->place[*vector];
}

/* Vectors are numbered in the order that they are made in, or nearly; the scan takes them by their
 * begins. How many storages it takes; it ends early with more than MOST. */
static uint32_t give_storage(const scan *s, uint32_t vectors, uint32_t positions, uint32_t *first,
                             uint32_t *next, uint32_t *busy) {
    uint32_t used = 0;
    memset(first, 0xff, positions * sizeof *first);
    for (uint32_t v = vectors; v-- > 0;) {
        if (s->of[v].begin != UINT32_MAX) {
            next[v] = first[s->of[v].begin];
            first[s->of[v].begin] = v;
        }
    }
    for (uint32_t position = 0; position < positions && used <= MOST; position++) {
        for (uint32_t v = first[position]; v != UINT32_MAX; v = next[v]) {
            uint32_t r = 0;
            while (r < used && busy[r] >= position) {
                r++;
            }
            used += r == used;
            busy[r] = s->of[v].end;
            s->place[v] = (uint16_t)r;
        }
    }
    return used;
}

/* Each pair and each loop once, however many instructions name them. */
static void rename_all(cns_block_plan *plan, scan *s) {
    for (uint32_t n = 0; n < plan->count; n++) {
        cns_block_instruction i = plan->code[n];
        cns_block_instruction *own = &plan->code[n];
        bool pairs = i.op == CNS_BLOCK_ENTER || i.op == CNS_BLOCK_LEAVE || i.op == CNS_BLOCK_AGAIN;
        if (!pairs) {
            cns_block_visit_vectors(plan, own, rename, s);
        } else {
            visit_one(&own->c, false, rename, s);
        }
    }
    for (uint32_t l = 0; l < plan->loop_count; l++) {
        rename(s, &plan->loops[l].alive, true);
        rename(s, &plan->loops[l].ids, true);
    }
    for (uint32_t p = 0; p < plan->pair_count; p++) {
        visit_one(&plan->pairs[p].from, false, rename, s);
        rename(s, &plan->pairs[p].to, true);
    }
}

cns_status cns_block_share_vectors(cns_block_plan *plan, cns_context *context, cns_arena *arena,
                                   bool *fits) {
    uint32_t vectors = plan->vector_count, positions = 2 * plan->count + 2;
    size_t size = vectors * (sizeof(interval) + sizeof(uint16_t) + 2 * sizeof(uint32_t)) +
                  positions * sizeof(uint32_t);
    interval *of = cns_arena_alloc(arena, size, 16);
    if (!of) {
        return cns_context_memory_status(context, size);
    }
    uint32_t *first = (uint32_t *)(of + vectors);
    uint32_t *next = first + positions, *busy = next + vectors;
    scan s = {.of = of, .place = (uint16_t *)(busy + vectors)};
    memset(s.place, 0, vectors * sizeof *s.place);
    for (uint32_t v = 0; v < vectors; v++) {
        of[v] = (interval){UINT32_MAX, 0};
    }
    find_intervals(plan, &s);
    uint32_t used = give_storage(&s, vectors, positions, first, next, busy);
    *fits = used <= MOST;
    if (!*fits) {
        return CNS_OK;
    }
    rename_all(plan, &s);
    plan->vector_count = used;
    plan->lanes = CNS_BLOCK_LANES;
    while (plan->lanes > CNS_BLOCK_LANES_LEAST && used * plan->lanes * 8 > CNS_BLOCK_CACHE) {
        plan->lanes /= 2;
    }
    return CNS_OK;
}
