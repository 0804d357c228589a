/* SPDX-License-Identifier: MIT
 *
 * solver/globals/diffn.c - boxes in the plane that may not overlap.
 *
 * Each pair is apart in one of four ways. Up to a number of boxes the ways are literals, one of
 * which holds (orders.c); beyond it boxes.c looks at pairs by their bounds. In both dimensions the
 * boxes are tasks, too, that share the extent of the other one: a cumulative.
 */
#include "solver/globals/block.h"
#include "solver/globals/boxes.h"
#include "solver/globals/orders.h"
#include "solver/proof.h"
#include "solver/wide.h"

/* Sets up to this size get literals. */
#define LITERAL_LIMIT 64

/* ---- pairs by literals ---------------------------------------------------------------------- */

static bool is_possible(const cns_state *s, cns_apart a) {
    return cns_view_low(s, a.x) + cns_view_low(s, a.d) <= cns_view_high(s, a.y);
}

static bool is_certain(const cns_state *s, cns_apart a) {
    return cns_view_high(s, a.x) + cns_view_high(s, a.d) <= cns_view_low(s, a.y);
}

/* Appends literals that say that one of the boxes has no extent; false: memory gave out. */
static bool add_voids(cns_state *s, const cns_box2 *box, cns_lit *lits, uint32_t *count) {
    const cns_view sizes[2] = {box->dx, box->dy};
    for (uint32_t k = 0; k < 2; k++) {
        if (cns_view_low(s, sizes[k]) <= 0) {
            cns_lit lit = cns_view_lit_le(s, sizes[k], 0);
            if (lit == CNS_LIT_NONE) {
                return false;
            }
            lits[(*count)++] = lit;
        }
    }
    return true;
}

/* The ways of a pair become a clause, and precedences. False: failed, or memory gave out. */
static bool add_pair(cns_state *s, const cns_box2 *a, const cns_box2 *b, bool strict,
                     cns_order *orders, uint32_t *order_count) {
    cns_lit lits[8];
    uint32_t count = 0, first = *order_count;
    for (unsigned way = 0; way < 4; way++) {
        if (is_certain(s, cns_boxes_apart(a, b, way))) {
            return true;
        }
    }
    if (!strict && (!add_voids(s, a, lits, &count) || !add_voids(s, b, lits, &count))) {
        return false;
    }
    uint32_t voids = count;
    for (unsigned way = 0; way < 4; way++) {
        cns_apart apart = cns_boxes_apart(a, b, way);
        if (is_possible(s, apart)) {
            orders[(*order_count)++] = (cns_order){CNS_LIT_TRUE, apart.x, apart.d, apart.y};
        }
    }
    uint32_t ways = *order_count - first;
    if (ways == 1 && voids == 0) {
        return true; /* it holds */
    }
    for (uint32_t k = 0; k < ways; k++) {
        /* Two ways that exclude each other need one literal. */
        bool negated = k == 1 && ways == 2 && voids == 0;
        cns_lit lit = negated ? lits[0] ^ 1 : cns_new_bool(s);
        if (lit == CNS_LIT_NONE) {
            return false;
        }
        cns_order *way = &orders[first + k];
        way->literal = lits[count++] = lit;
        cns_proof_define_order(s, lit, NULL, 0, way->x, way->d, way->y);
    }
    return (ways == 2 && voids == 0) || cns_add_clause(s, lits, count);
}

static cns_status post_literals(cns_state *s, cns_post post, const cns_box2 *boxes, uint32_t n,
                                bool strict) {
    size_t room = 2 * (size_t)n * (n - 1);
    cns_order *orders = cns_scratch_create(s, room, sizeof *orders);
    uint32_t count = 0;
    if (orders == NULL) {
        return s->status;
    }
    cns_status status = CNS_OK;
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t j = 0; j < i; j++) {
            if (!add_pair(s, &boxes[i], &boxes[j], strict, orders, &count)) {
                status = s->status;
                goto done;
            }
        }
    }
    status = cns_post_orders(s, post, orders, count);
done:
    cns_scratch_destroy(s, orders, room, sizeof *orders);
    return status;
}

/* ---- posting -------------------------------------------------------------------------------- */

/* Along one dimension the boxes are tasks, whose demands are their extents in the other one. */
/* To what lies between the least beginning and the greatest end. */
static void widen(const cns_state *s, cns_view begin, cns_view size, int64_t *low, int64_t *high) {
    int64_t least = cns_view_low(s, begin);
    int64_t most = cns_view_high(s, begin) + cns_view_high(s, size);
    *low = least < *low ? least : *low;
    *high = most > *high ? most : *high;
}

static cns_status project(cns_state *s, cns_post post, const cns_box2 *boxes, uint32_t n,
                          bool along_y, cns_view *views) {
    int64_t low = INT64_MAX, high = INT64_MIN, first = INT64_MAX, last = INT64_MIN;
    cns_wide sizes = 0;
    for (uint32_t i = 0; i < n; i++) {
        const cns_box2 *b = &boxes[i];
        cns_view other = along_y ? b->x : b->y, size = along_y ? b->dx : b->dy;
        views[i] = along_y ? b->y : b->x;
        views[n + i] = along_y ? b->dy : b->dx;
        views[2 * n + i] = size;
        widen(s, other, size, &low, &high);
        widen(s, views[i], views[n + i], &first, &last);
        sizes += cns_view_high(s, size);
    }
    if (sizes * (last - first) > CNS_WIDE_LIMIT) {
        return CNS_OK; /* energetic reasoning compares such products; the boxes do without it */
    }
    return cns_post_cumulative(s, post, (cns_views){views, n}, (cns_views){views + n, n},
                               (cns_views){views + 2 * (size_t)n, n},
                               cns_view_constant(high - low));
}

static uint32_t gather(cns_state *s, cns_views x, cns_views y, cns_views dx, cns_views dy,
                       bool strict, cns_box2 *boxes) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < x.count; i++) {
        cns_box2 box = {x.data[i], y.data[i], dx.data[i], dy.data[i]};
        if (!cns_view_raise(s, box.dx, 0, CNS_REASON_ALWAYS) ||
            !cns_view_raise(s, box.dy, 0, CNS_REASON_ALWAYS)) {
            return 0;
        }
        if (strict || (cns_view_high(s, box.dx) > 0 && cns_view_high(s, box.dy) > 0)) {
            boxes[n++] = box;
        }
    }
    return n;
}

static cns_status post_boxes(cns_state *s, cns_post post, const cns_box2 *boxes, uint32_t n,
                             bool strict, uint32_t literal_limit, cns_view *views) {
    cns_status status = n <= literal_limit ? post_literals(s, post, boxes, n, strict)
                                           : cns_post_boxes(s, post, boxes, n, strict);
    for (unsigned k = 0; k < 2 && status == CNS_OK && !s->failed; k++) {
        status = project(s, post, boxes, n, k == 1, views);
    }
    return status;
}

cns_status cns_post_diffn_limited(cns_state *state, cns_post post, cns_views x, cns_views y,
                                  cns_views dx, cns_views dy, bool strict, uint32_t literal_limit) {
    if (state->failed || x.count < 2) {
        return CNS_OK;
    }
    size_t view_count = 3 * (size_t)x.count;
    cns_box2 *boxes = cns_scratch_create(state, x.count, sizeof *boxes);
    cns_view *views = boxes == NULL ? NULL : cns_scratch_create(state, view_count, sizeof *views);
    cns_status status = state->status;
    if (views != NULL) {
        uint32_t n = gather(state, x, y, dx, dy, strict, boxes);
        status = state->status;
        if (status == CNS_OK && n >= 2 && !state->failed) {
            status = post_boxes(state, post, boxes, n, strict, literal_limit, views);
        }
    }
    cns_scratch_destroy(state, views, view_count, sizeof *views);
    cns_scratch_destroy(state, boxes, x.count, sizeof *boxes);
    return status;
}

cns_status cns_post_diffn(cns_state *state, cns_post post, cns_views x, cns_views y, cns_views dx,
                          cns_views dy, bool strict) {
    return cns_post_diffn_limited(state, post, x, y, dx, dy, strict, LITERAL_LIMIT);
}
