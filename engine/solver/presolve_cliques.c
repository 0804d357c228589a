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

/* What is done one after the other, each step by step; those of a clique for each seed. */
typedef enum stage {
    STAGE_INDEX,
    STAGE_COUNT, /* edge by edge: degrees */
    STAGE_ADD,   /* node by node: where lists begin */
    STAGE_PLACE, /* edge by edge, from the last one */
    STAGE_SORT,  /* node by node */
    STAGE_SEED,  /* edge by edge */
    STAGE_GATHER,
    STAGE_JUDGE,
    STAGE_COVER,
    STAGE_END
} stage;

struct cns_clique_finder {
    cns_state *s;
    cns_clique_edges *edges;
    cns_cliques *out;
    uint32_t *first; /* by node: where its edges begin in `incident` */
    neighbour *incident;
    uint32_t *mark; /* by node: the clique in the making that has it, from 1 on */
    uint32_t nodes;
    size_t size; /* in bytes */
    uint64_t budget;
    stage stage;
    uint32_t next; /* edge or node that the stage goes on with */
    /* The clique in the making: its members begin at `begin`. Neighbours of `hub` are tried in each
     * order, and once more in the best of them (`order` is ORDERS). */
    uint32_t begin, hub, middle, candidate, row;
    order order, best;
    uint32_t most;  /* members in the best order */
    uint64_t fresh; /* of its pairs, those that no other one has */
};

typedef struct cns_clique_finder finder;

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

static bool make_table(cns_state *s, cns_clique_edges *edges) {
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
    return true;
}

/* Equal edges share the place of the first. */
cns_part cns_clique_edges_index(cns_state *s, cns_clique_edges *edges, cns_piece *piece) {
    if (edges->slots == NULL && !make_table(s, edges)) {
        return CNS_PART_FAILED;
    }
    for (; edges->indexed < edges->count; edges->indexed++) {
        if (cns_piece_is_over(piece, s)) {
            return CNS_PART_LEFT;
        }
        cns_clique_edge *e = &edges->data[edges->indexed];
        uint32_t *slot = slot_of(edges, e->x, e->y, e->sign, e->offset);
        e->covered = *slot != 0;
        *slot = *slot != 0 ? *slot : edges->indexed + 1;
        s->ticks++;
        piece->looks++;
        if (!cns_poll(s)) {
            return CNS_PART_FAILED;
        }
    }
    return CNS_PART_DONE;
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

static void sort_list(finder *f, uint32_t n) {
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
}

/* Each list is filled from its end: first[n + 1] moves to where that of n begins. */
static void place(finder *f, uint32_t n, uint32_t edge) {
    f->incident[--f->first[n + 1]] = (neighbour){across(&f->edges->data[edge], n).offset, edge};
}

static void place_edge(finder *f, uint32_t k) {
    const cns_clique_edge *e = &f->edges->data[k];
    if (!e->covered) {
        place(f, e->x, k);
        place(f, e->y, k);
    }
    f->s->ticks += k == 0 ? f->edges->count / 8 + f->nodes / 8 : 0;
}

static void count_edge(finder *f, uint32_t k) {
    const cns_clique_edge *e = &f->edges->data[k];
    f->first[e->x + 1] += !e->covered;
    f->first[e->y + 1] += !e->covered;
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

/* Whether it is related to all members; the first one is the hub, and is. */
static bool fits(finder *f, cns_clique_member candidate) {
    if (f->mark[candidate.node] == f->out->count + 1) {
        return false;
    }
    for (uint32_t k = f->begin + 1; k < f->out->member_count; k++) {
        f->budget -= f->budget > 0;
        f->s->ticks++;
        if (edge_of(f->edges, f->out->members[k], candidate) == NULL) {
            return false;
        }
    }
    return true;
}

static void drop_members(finder *f) {
    cns_cliques *out = f->out;
    for (uint32_t k = f->begin; k < out->member_count; k++) {
        f->mark[out->members[k].node] = 0;
    }
    out->member_count = f->begin;
}

static void next_seed(finder *f) {
    f->stage = STAGE_SEED;
    f->next++;
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

static order order_now(const finder *f) {
    return f->order == ORDERS ? f->best : f->order;
}

/* The hub and the seed's other node come first. */
static bool begin_order(finder *f) {
    const neighbour *list = f->incident + f->first[f->hub + 1];
    cns_clique_member other = across(&f->edges->data[f->next], f->hub);
    f->middle = f->candidate = 0;
    while (order_now(f) == NEAREST && f->middle < degree(f, f->hub) &&
           list[f->middle].offset < other.offset) {
        f->middle++;
    }
    f->stage = STAGE_GATHER;
    return push(f, (cns_clique_member){f->hub, 1, 0}) && push(f, other);
}

static bool begin_clique(finder *f) {
    const cns_clique_edge *seed = &f->edges->data[f->next];
    f->hub = degree(f, seed->x) <= degree(f, seed->y) ? seed->x : seed->y;
    f->begin = f->out->member_count;
    bool one_order =
        f->incident[f->first[f->hub + 1]].offset == f->incident[f->first[f->hub + 2] - 1].offset;
    f->most = 0;
    f->best = ASCENDING;
    f->order = one_order ? ORDERS : ASCENDING;
    return begin_order(f);
}

static bool end_order(finder *f) {
    uint32_t count = f->out->member_count - f->begin;
    if (f->order == ORDERS) {
        f->stage = STAGE_JUDGE;
        f->row = f->begin;
        f->fresh = 0;
        return true;
    }
    f->best = count > f->most ? f->order : f->best;
    f->most = count > f->most ? count : f->most;
    drop_members(f);
    f->order++;
    return begin_order(f);
}

/* One neighbour of the hub. */
static bool gather(finder *f) {
    uint32_t count = degree(f, f->hub);
    if (f->candidate == count || f->budget == 0) {
        return end_order(f);
    }
    const neighbour *list = f->incident + f->first[f->hub + 1];
    uint32_t k = tried(order_now(f), f->candidate++, f->middle, count);
    cns_clique_member candidate = across(&f->edges->data[list[k].edge], f->hub);
    return !fits(f, candidate) || push(f, candidate);
}

/* Counts the pairs of one member with those before it that no other clique has; with `cover`, this
 * one has them from now on. */
static void look_at_row(finder *f, bool cover) {
    const cns_clique_member *members = f->out->members;
    uint32_t i = f->row++, pairs = i - f->begin;
    for (uint32_t j = f->begin; j < i; j++) {
        cns_clique_edge *e = edge_of(f->edges, members[i], members[j]);
        f->fresh += !e->covered;
        e->covered = e->covered || cover;
    }
    f->s->ticks += pairs;
    f->budget -= f->budget > pairs ? pairs : f->budget;
}

/* Keeps the clique in the making if it has three nodes, and half of its pairs for itself. */
static void judge(finder *f) {
    uint64_t count = f->out->member_count - f->begin;
    if (count >= 3 && f->row < f->out->member_count) {
        look_at_row(f, false);
    } else if (count < 3 || 4 * f->fresh < count * (count - 1)) {
        drop_members(f);
        next_seed(f);
    } else {
        f->stage = STAGE_COVER;
        f->row = f->begin;
    }
}

static bool cover(finder *f) {
    cns_cliques *out = f->out;
    if (f->row < out->member_count) {
        look_at_row(f, true);
        return true;
    }
    if (!cns_grow(f->s, &out->ends, sizeof *out->ends, &out->end_capacity, out->count + 1)) {
        return false;
    }
    out->ends[out->count++] = out->member_count;
    next_seed(f);
    return true;
}

/* ---- step by step --------------------------------------------------------------------------- */

static bool seed(finder *f) {
    if (f->budget == 0) {
        f->stage = STAGE_END;
    } else if (f->edges->data[f->next].covered) {
        f->next++;
    } else {
        return begin_clique(f);
    }
    return true;
}

/* False: memory gave out. */
static bool take_step(finder *f) {
    switch (f->stage) {
    case STAGE_COUNT:
        count_edge(f, f->next++);
        return true;
    case STAGE_ADD:
        f->first[f->next + 1] += f->first[f->next];
        f->next++;
        return true;
    case STAGE_PLACE:
        place_edge(f, f->edges->count - 1 - f->next++);
        return true;
    case STAGE_SORT:
        sort_list(f, f->next++);
        return true;
    case STAGE_SEED:
        return seed(f);
    case STAGE_GATHER:
        return gather(f);
    case STAGE_JUDGE:
        judge(f);
        return true;
    case STAGE_COVER:
        return cover(f);
    default:
        return true;
    }
}

/* Whether the stage has come to its end; those of one clique end by themselves. */
static bool is_through(const finder *f) {
    switch (f->stage) {
    case STAGE_ADD:
        return f->next == f->nodes;
    case STAGE_SORT:
        return f->next + 1 == f->nodes;
    case STAGE_COUNT:
    case STAGE_PLACE:
    case STAGE_SEED:
        return f->next == f->edges->count;
    default:
        return false;
    }
}

static cns_part run(finder *f, cns_piece *piece) {
    cns_state *s = f->s;
    if (f->stage == STAGE_INDEX) {
        cns_part part = cns_clique_edges_index(s, f->edges, piece);
        f->stage = part == CNS_PART_DONE ? STAGE_COUNT : f->stage;
        if (part != CNS_PART_DONE) {
            return part;
        }
    }
    while (f->stage != STAGE_END) {
        if (is_through(f)) {
            f->stage = f->stage == STAGE_SEED ? STAGE_END : f->stage + 1;
            f->next = 0;
            continue;
        }
        if (cns_piece_is_over(piece, s)) {
            return CNS_PART_LEFT;
        }
        piece->looks++;
        if (!cns_poll(s) || !take_step(f)) {
            return CNS_PART_FAILED;
        }
    }
    return CNS_PART_DONE;
}

static finder *create(cns_state *s, cns_clique_edges *edges, uint32_t node_count,
                      cns_cliques *out) {
    size_t incident = 2 * (size_t)edges->count * sizeof(neighbour);
    size_t head = (sizeof(finder) + 15) & ~(size_t)15;
    size_t size = head + incident + (2 * (size_t)node_count + 2) * sizeof(uint32_t);
    finder *f = cns_context_calloc(s->context, size);
    if (f == NULL) {
        s->status = cns_context_memory_status(s->context, size);
        return NULL;
    }
    f->s = s;
    f->edges = edges;
    f->out = out;
    f->nodes = node_count + 1;
    f->size = size;
    f->budget = BUDGET_FIXED + (uint64_t)BUDGET_EDGE * edges->count;
    f->stage = edges->count < 3 ? STAGE_END : STAGE_INDEX;
    f->incident = (neighbour *)(void *)((char *)f + head);
    f->first = (uint32_t *)(void *)((char *)f->incident + incident);
    f->mark = f->first + f->nodes + 1;
    return f;
}

cns_part cns_cliques_find(cns_state *s, finder **f, cns_clique_edges *edges, uint32_t node_count,
                          cns_cliques *out, cns_piece *piece) {
    if (*f == NULL) {
        *f = create(s, edges, node_count, out);
    }
    cns_part part = *f == NULL ? CNS_PART_FAILED : run(*f, piece);
    if (part != CNS_PART_LEFT) {
        cns_clique_finder_destroy(*f);
        *f = NULL;
    }
    return part;
}

void cns_clique_finder_destroy(finder *f) {
    if (f != NULL) {
        cns_context_free(f->s->context, f, f->size, CNS_ALIGN_DEFAULT);
    }
}
