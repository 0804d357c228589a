/* SPDX-License-Identifier: MIT
 *
 * solver/presolve_cliques.c - see presolve_cliques.h.
 *
 * Edges are in a hash table by their nodes, sign and offset, and by node in one array. A clique
 * begins with an edge that none has yet; every neighbour of the node with fewer edges that is
 * related to all members joins (Johnson 1974; SCIP and CP-SAT extend at-most-one sets so). Edges of
 * other cliques may be used again, so that cliques are maximal. Where offsets differ, neighbours
 * are tried by offset in three orders: each diagonal of queens is one of them.
 */
#include "solver/presolve_cliques.h"
#include "solver/globals/heap_sort.h"

#define BUDGET_FIXED UINT64_C(200000) /* look-ups in the table */
#define BUDGET_EDGE 40                /* the same, for each edge */

typedef struct neighbour { /* an edge, and its offset as seen from the node that has it */
    int64_t offset;
    uint32_t edge;
} neighbour;

typedef enum order { ASCENDING, DESCENDING, NEAREST, ORDERS } order;

typedef struct finder {
    cns_state *s;
    cns_clique_edges *edges;
    cns_cliques *out;
    uint32_t *first; /* by node: where its edges begin in `incident` */
    neighbour *incident;
    uint32_t *mark; /* by node: the clique in the making that has it, from 1 on */
    uint32_t nodes;
    uint64_t budget;
} finder;

bool cns_clique_edge_add(cns_state *s, cns_clique_edges *edges, cns_clique_edge edge) {
    if (!cns_grow(s, &edges->data, sizeof *edges->data, &edges->capacity, edges->count + 1)) {
        return false;
    }
    if (edge.x > edge.y) {
        uint32_t x = edge.x;
        edge.x = edge.y;
        edge.y = x;
        edge.offset *= -edge.sign;
    }
    edge.covered = false;
    edges->data[edges->count++] = edge;
    return true;
}

void cns_clique_edges_deinit(cns_state *s, cns_clique_edges *edges) {
    cns_context_free(s->context, edges->data, edges->capacity * sizeof *edges->data,
                     CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, edges->slots, edges->slot_count * sizeof *edges->slots,
                     CNS_ALIGN_DEFAULT);
}

void cns_cliques_deinit(cns_state *s, cns_cliques *cliques) {
    cns_context_free(s->context, cliques->members,
                     cliques->member_capacity * sizeof *cliques->members, CNS_ALIGN_DEFAULT);
    cns_context_free(s->context, cliques->ends, cliques->end_capacity * sizeof *cliques->ends,
                     CNS_ALIGN_DEFAULT);
}

/* ---- the table ------------------------------------------------------------------------------ */

static uint32_t *slot_of(const cns_clique_edges *edges, uint32_t x, uint32_t y, int32_t sign,
                         int64_t offset) {
    uint64_t h = ((uint64_t)x << 32 | y) * UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ h >> 29 ^ (uint64_t)(2 * offset + (sign > 0))) * UINT64_C(0xbf58476d1ce4e5b9);
    for (uint32_t k = (uint32_t)(h >> 32);; k++) {
        uint32_t *slot = &edges->slots[k & (edges->slot_count - 1)];
        if (*slot == 0) {
            return slot;
        }
        const cns_clique_edge *e = &edges->data[*slot - 1];
        if (e->x == x && e->y == y && e->sign == sign && e->offset == offset) {
            return slot;
        }
    }
}

/* Equal edges share the place of the first. */
bool cns_clique_edges_index(cns_state *s, cns_clique_edges *edges) {
    uint32_t size = 16;
    while (size < 2 * edges->count) {
        size *= 2;
    }
    edges->slots = cns_context_calloc(s->context, size * sizeof *edges->slots);
    if (edges->slots == NULL) {
        s->status = cns_context_memory_status(s->context, size * sizeof *edges->slots);
        return false;
    }
    edges->slot_count = size;
    for (uint32_t k = 0; k < edges->count; k++) {
        cns_clique_edge *e = &edges->data[k];
        uint32_t *slot = slot_of(edges, e->x, e->y, e->sign, e->offset);
        e->covered = *slot != 0;
        *slot = *slot != 0 ? *slot : k + 1;
        s->ticks++;
        if (!cns_poll(s)) {
            return false;
        }
    }
    return true;
}

static cns_clique_edge *edge_of(const cns_clique_edges *edges, cns_clique_member a,
                                cns_clique_member b) {
    if (a.node > b.node) {
        cns_clique_member swapped = a;
        a = b;
        b = swapped;
    }
    /* sa x + oa ~ sb y + ob  is  x ~ sa sb y + sa (ob - oa) */
    uint32_t slot =
        *slot_of(edges, a.node, b.node, a.sign * b.sign, a.sign * (b.offset - a.offset));
    return slot == 0 ? NULL : &edges->data[slot - 1];
}

const cns_clique_edge *cns_clique_edge_of(const cns_clique_edges *edges, cns_clique_member a,
                                          cns_clique_member b) {
    return edge_of(edges, a, b);
}

/* ---- neighbours ----------------------------------------------------------------------------- */

/* The other node of an edge of `hub`, which has sign 1 and offset 0. */
static cns_clique_member across(const cns_clique_edge *e, uint32_t hub) {
    return e->x == hub ? (cns_clique_member){e->y, e->sign, e->offset}
                       : (cns_clique_member){e->x, e->sign, -e->sign * e->offset};
}

/* first[n + 1] is where the list of n begins, and first[n + 2] where it ends. */
static uint32_t degree(const finder *f, uint32_t n) {
    return f->first[n + 2] - f->first[n + 1];
}

static bool by_offset(const void *x, const void *y) {
    const neighbour *a = x, *b = y;
    return a->offset != b->offset ? a->offset < b->offset : a->edge < b->edge;
}

static bool sort_incident(finder *f) {
    for (uint32_t n = 0; n + 1 < f->nodes; n++) {
        neighbour *list = f->incident + f->first[n + 1];
        uint32_t count = degree(f, n);
        bool sorted = true;
        for (uint32_t k = 1; k < count; k++) {
            sorted = sorted && !by_offset(&list[k], &list[k - 1]);
        }
        if (!sorted) {
            cns_heap_sort(list, count, sizeof *list, by_offset);
            f->s->ticks += count;
        }
        if (!cns_poll(f->s)) {
            return false;
        }
    }
    return true;
}

static void place(finder *f, uint32_t n, uint32_t edge) {
    f->incident[--f->first[n + 1]] = (neighbour){across(&f->edges->data[edge], n).offset, edge};
}

static bool build_incident(finder *f) {
    const cns_clique_edges *edges = f->edges;
    for (uint32_t k = 0; k < edges->count; k++) {
        f->first[edges->data[k].x + 1] += !edges->data[k].covered;
        f->first[edges->data[k].y + 1] += !edges->data[k].covered;
    }
    for (uint32_t n = 0; n < f->nodes; n++) {
        f->first[n + 1] += f->first[n];
    }
    /* Each list is filled from its end: first[n + 1] moves to where that of n begins. */
    for (uint32_t k = edges->count; k-- > 0;) {
        if (!edges->data[k].covered) {
            place(f, edges->data[k].x, k);
            place(f, edges->data[k].y, k);
        }
        if (!cns_poll_round(f->s, k)) {
            return false;
        }
    }
    f->s->ticks += edges->count / 8 + f->nodes / 8;
    return sort_incident(f);
}

/* ---- growing -------------------------------------------------------------------------------- */

static bool push(finder *f, cns_clique_member member) {
    cns_cliques *out = f->out;
    if (!cns_grow(f->s, &out->members, sizeof *out->members, &out->member_capacity,
                  out->member_count + 1)) {
        return false;
    }
    out->members[out->member_count++] = member;
    f->mark[member.node] = out->count + 1;
    return true;
}

/* Whether it is related to all members from `begin` on; the first one is the hub, and is. */
static bool fits(finder *f, uint32_t begin, cns_clique_member candidate) {
    if (f->mark[candidate.node] == f->out->count + 1) {
        return false;
    }
    for (uint32_t k = begin + 1; k < f->out->member_count; k++) {
        f->budget -= f->budget > 0;
        f->s->ticks++;
        if (edge_of(f->edges, f->out->members[k], candidate) == NULL) {
            return false;
        }
    }
    return true;
}

static void drop_members(finder *f, uint32_t begin) {
    cns_cliques *out = f->out;
    for (uint32_t k = begin; k < out->member_count; k++) {
        f->mark[out->members[k].node] = 0;
    }
    out->member_count = begin;
}

/* How many pairs of the clique in the making no other one has; with `cover`, this one has them. */
static uint64_t fresh_pairs(finder *f, uint32_t begin, bool cover) {
    const cns_clique_member *members = f->out->members;
    uint64_t fresh = 0;
    for (uint32_t i = begin; i < f->out->member_count && cns_poll(f->s); i++) {
        for (uint32_t j = begin; j < i; j++) {
            cns_clique_edge *e = edge_of(f->edges, members[i], members[j]);
            fresh += !e->covered;
            e->covered = e->covered || cover;
        }
        f->s->ticks += i - begin;
        f->budget -= f->budget > i - begin ? i - begin : f->budget;
    }
    return fresh;
}

/* Keeps the clique in the making if it has three nodes, and half of its pairs for itself. */
static bool close_clique(finder *f, uint32_t begin) {
    cns_cliques *out = f->out;
    uint64_t count = out->member_count - begin;
    if (count < 3 || 4 * fresh_pairs(f, begin, false) < count * (count - 1)) {
        drop_members(f, begin);
        return f->s->status == CNS_OK;
    }
    fresh_pairs(f, begin, true);
    if (f->s->status != CNS_OK) {
        return false;
    }
    if (!cns_grow(f->s, &out->ends, sizeof *out->ends, &out->end_capacity, out->count + 1)) {
        return false;
    }
    out->ends[out->count++] = out->member_count;
    return true;
}

/* Which of the hub's `count` neighbours is tried as number `k`; those in front of `middle` have
 * smaller offsets than the seed. */
static uint32_t tried(order o, uint32_t k, uint32_t middle, uint32_t count) {
    if (o != NEAREST) {
        return o == ASCENDING ? k : count - 1 - k;
    }
    uint32_t below = middle, above = count - middle;
    uint32_t both = below < above ? below : above;
    if (k < 2 * both) {
        return k % 2 == 0 ? middle + k / 2 : middle - 1 - k / 2;
    }
    return below < above ? k : count - 1 - k;
}

/* All members that the order gives; false: memory gave out, or a limit was reached. */
static bool gather(finder *f, const cns_clique_edge *seed, uint32_t hub, order o) {
    const neighbour *list = f->incident + f->first[hub + 1];
    uint32_t begin = f->out->member_count, count = degree(f, hub), middle = 0;
    cns_clique_member other = across(seed, hub);
    while (o == NEAREST && middle < count && list[middle].offset < other.offset) {
        middle++;
    }
    if (!push(f, (cns_clique_member){hub, 1, 0}) || !push(f, other)) {
        return false;
    }
    for (uint32_t k = 0; k < count && f->budget > 0; k++) {
        const cns_clique_edge *e = &f->edges->data[list[tried(o, k, middle, count)].edge];
        cns_clique_member candidate = across(e, hub);
        if (!cns_poll(f->s) || (fits(f, begin, candidate) && !push(f, candidate))) {
            return false;
        }
    }
    return true;
}

static bool grow_from(finder *f, const cns_clique_edge *seed) {
    uint32_t hub = degree(f, seed->x) <= degree(f, seed->y) ? seed->x : seed->y;
    uint32_t begin = f->out->member_count;
    bool one_order =
        f->incident[f->first[hub + 1]].offset == f->incident[f->first[hub + 2] - 1].offset;
    uint32_t most = 0;
    order best = ASCENDING;
    for (order o = ASCENDING; !one_order && o < ORDERS; o++) {
        if (!gather(f, seed, hub, o)) {
            return false;
        }
        if (f->out->member_count - begin > most) {
            most = f->out->member_count - begin;
            best = o;
        }
        drop_members(f, begin);
    }
    return gather(f, seed, hub, best) && close_clique(f, begin);
}

static bool find(finder *f) {
    if (!cns_clique_edges_index(f->s, f->edges) || !build_incident(f)) {
        return false;
    }
    for (uint32_t k = 0; k < f->edges->count && f->budget > 0; k++) {
        const cns_clique_edge *seed = &f->edges->data[k];
        if (!seed->covered && !grow_from(f, seed)) {
            return false;
        }
    }
    return true;
}

bool cns_cliques_find(cns_state *s, cns_clique_edges *edges, uint32_t node_count,
                      cns_cliques *out) {
    finder f = {.s = s,
                .edges = edges,
                .out = out,
                .nodes = node_count + 1,
                .budget = BUDGET_FIXED + (uint64_t)BUDGET_EDGE * edges->count};
    if (edges->count < 3) {
        return true;
    }
    size_t incident = 2 * (size_t)edges->count * sizeof *f.incident;
    size_t size = incident + ((size_t)f.nodes + 1 + node_count) * sizeof(uint32_t);
    f.incident = cns_context_calloc(s->context, size);
    if (f.incident == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return false;
    }
    f.first = (uint32_t *)(void *)((char *)f.incident + incident);
    f.mark = f.first + f.nodes + 1;
    bool good = find(&f);
    cns_context_free(s->context, f.incident, size, CNS_ALIGN_DEFAULT);
    return good;
}
