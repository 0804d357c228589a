/* SPDX-License-Identifier: MIT
 *
 * block_paths.c - branches, joins and loops inside, without jumps.
 *
 * Blocks are taken in their order, which is topological but for the way back to a header. Which
 * lanes run a block is a mask, made only where somebody asks: memory, checks, joins. Joins become
 * choices. To see that all lanes meet again behind an `if`, each block has a mass, what it would
 * get if every branch sent one half each way: where it has its dominator's mass, it has its lanes.
 * Source: Karrenberg & Hack 2011, whole-function vectorisation.
 */
#include <string.h>

#include "vm/block_build.h"

enum { OUTS = 256 /* values that leave a loop inside, at most */ };

static const uint64_t whole = UINT64_C(1) << 62;

/* A way into a block, within a region. */
typedef struct way {
    cns_ir_block_id from; /* or the header of the loop inside that it comes from */
    uint32_t edge;
    const cns_block_exit *exit; /* NULL: an edge of `from` */
} way;

enum { WAYS = 64 };

/* ---- the shape of a region ------------------------------------------------------------------- */

/* The loop directly inside `loop` that has the block; NONE where the block is the loop's own. */
static uint32_t child_of(const cns_block_build *b, uint32_t loop, cns_ir_block_id id) {
    uint32_t at = b->shape->loop_of[id];
    while (at != loop && b->shape->loops[at].parent != loop) {
        at = b->shape->loops[at].parent;
    }
    return at == loop ? CNS_IR_NONE : at;
}

/* The block that decides who comes to `id`, seen from the region: a loop inside is its header. */
static cns_ir_block_id dominator_of(const cns_block_build *b, const cns_block_region *region,
                                    cns_ir_block_id id) {
    cns_ir_block_id above = b->shape->dominator[id];
    uint32_t child = child_of(b, region->loop, above);
    return child == CNS_IR_NONE ? above : b->shape->loops[child].header;
}

static const cns_block_exit *find_exit(const cns_block_build *b, uint32_t loop,
                                       cns_ir_block_id target) {
    for (uint32_t i = 0; i < b->exit_count; i++) {
        if (b->exits[i].loop == loop && b->exits[i].target == target) {
            return &b->exits[i];
        }
    }
    return NULL;
}

/* A branch that is decided for all lanes goes one way only, and what nobody comes to is left out:
 * blocks without mass. 0 or 1, or 2 for both. */
static uint32_t decided_edge(const cns_block_build *b, const cns_ir_block *block) {
    if (block->end != CNS_IR_BRANCH) {
        return 2;
    }
    cns_block_value condition = b->values[block->condition];
    bool known = condition.kind == CNS_BLOCK_SCALAR && b->is_constant[condition.a];
    return known ? b->constants[condition.a] == 0 : 2;
}

static bool is_taken(const cns_block_build *b, cns_ir_block_id from, uint32_t edge) {
    uint32_t decided = decided_edge(b, &b->f->blocks[from]);
    return b->mass[from] != 0 && (decided == 2 || decided == edge);
}

static void add_way(cns_block_build *b, way *ways, uint32_t *count, way one) {
    for (uint32_t i = 0; i < *count; i++) {
        if (one.exit && ways[i].exit == one.exit) {
            return; /* all that leave for one block are one way */
        }
    }
    if (*count == WAYS) {
        cns_block_refuse(b, b->site, "%s", "it has too many branches");
        return;
    }
    ways[(*count)++] = one;
}

/* The ways into `id` from blocks of the region, or, of a header, those from inside (`back`) or
 * outside its loop. */
static uint32_t find_ways(cns_block_build *b, uint32_t loop, cns_ir_block_id id, bool back,
                          way *ways) {
    const cns_ir_shape *shape = b->shape;
    uint32_t count = 0, own = shape->loop_of[id];
    bool header = shape->loops[own].header == id;
    for (uint32_t p = shape->predecessor_begin[id]; p < shape->predecessor_begin[id + 1]; p++) {
        cns_ir_block_id from = shape->predecessors[p];
        if (header && cns_block_inside(b, own, from) != back) {
            continue;
        }
        uint32_t child = child_of(b, loop, from);
        if (child != CNS_IR_NONE) {
            const cns_block_exit *exit = find_exit(b, child, id);
            if (exit) {
                add_way(b, ways, &count, (way){shape->loops[child].header, 0, exit});
            }
            continue;
        }
        for (uint32_t e = 0; e < cns_block_edge_count(&b->f->blocks[from]); e++) {
            if (b->f->blocks[from].edges[e].target == id) {
                bool twice = p > shape->predecessor_begin[id] && shape->predecessors[p - 1] == from;
                if (!twice && is_taken(b, from, e)) {
                    add_way(b, ways, &count, (way){from, e, NULL});
                }
            }
        }
    }
    return count;
}

/* ---- masks ----------------------------------------------------------------------------------- */

static uint16_t both(cns_block_build *b, uint16_t x, uint16_t y) {
    if (x == CNS_BLOCK_NONE || y == CNS_BLOCK_NONE) {
        return x == CNS_BLOCK_NONE ? y : x;
    }
    cns_block_value operands[] = {cns_block_vector_value(x), cns_block_vector_value(y)};
    return cns_block_compute(b, CNS_IR_AND_BOOL, operands, 2).a;
}

/* x, but not y. */
static uint16_t without(cns_block_build *b, uint16_t x, uint16_t y) {
    cns_block_value operands[] = {cns_block_vector_value(y),
                                  cns_block_scalar_value(cns_block_constant(b, 0)),
                                  cns_block_vector_value(x)};
    return x == CNS_BLOCK_NONE ? cns_block_compute(b, CNS_IR_NOT_BOOL, operands, 1).a
                               : cns_block_compute(b, CNS_IR_SELECT_BOOL, operands, 3).a;
}

static uint16_t either(cns_block_build *b, uint16_t x, uint16_t y) {
    if (x == CNS_BLOCK_NONE || y == CNS_BLOCK_NONE) {
        return CNS_BLOCK_NONE;
    }
    cns_block_value operands[] = {cns_block_vector_value(x), cns_block_vector_value(y)};
    return cns_block_compute(b, CNS_IR_OR_BOOL, operands, 2).a;
}

static uint16_t condition_of(cns_block_build *b, cns_ir_block_id id) {
    return cns_block_as_vector(b, cns_block_value_of(b, b->f->blocks[id].condition));
}

static uint16_t edge_mask(cns_block_build *b, const cns_block_region *region, cns_ir_block_id from,
                          uint32_t edge) {
    uint16_t *known = &b->edge_masks[2 * from + edge];
    if (*known != CNS_BLOCK_UNSET) {
        return *known;
    }
    uint16_t mask = cns_block_mask(b, region, from);
    const cns_ir_block *block = &b->f->blocks[from];
    if (block->end == CNS_IR_BRANCH && decided_edge(b, block) == 2) {
        uint16_t condition = condition_of(b, from);
        mask = edge == 0 ? both(b, mask, condition) : without(b, mask, condition);
    }
    *known = mask;
    return mask;
}

static uint16_t way_mask(cns_block_build *b, const cns_block_region *region, const way *one) {
    if (!one->exit) {
        return edge_mask(b, region, one->from, one->edge);
    }
    return one->exit->mask != CNS_BLOCK_NONE ? one->exit->mask : b->entry_masks[one->exit->loop];
}

/* Where block masks are kept: those who enter a loop inside are not those of its header. */
static uint16_t *mask_place(cns_block_build *b, const cns_block_region *region,
                            cns_ir_block_id id) {
    uint32_t child = child_of(b, region->loop, id);
    return child == CNS_IR_NONE ? &b->block_masks[id] : &b->entry_masks[child];
}

/* The highest block that the same lanes come to, or one whose mask is known. A loop, since rows of
 * `if`s may be long. */
static cns_ir_block_id same_lanes(cns_block_build *b, const cns_block_region *region,
                                  cns_ir_block_id id) {
    while (*mask_place(b, region, id) == CNS_BLOCK_UNSET && b->mass[id] != whole) {
        cns_ir_block_id above = dominator_of(b, region, id);
        if (b->mass[id] != b->mass[above]) {
            break;
        }
        id = above;
    }
    return id;
}

/* Of a block that not all lanes come to, perhaps: what its ways bring. */
static uint16_t partial_mask(cns_block_build *b, const cns_block_region *region,
                             cns_ir_block_id id) {
    way ways[WAYS];
    uint32_t count = find_ways(b, region->loop, id, false, ways);
    uint16_t mask = CNS_BLOCK_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t one = way_mask(b, region, &ways[i]);
        mask = i == 0 ? one : either(b, mask, one);
    }
    return mask;
}

uint16_t cns_block_mask(cns_block_build *b, const cns_block_region *region, cns_ir_block_id id) {
    uint16_t *known = mask_place(b, region, id);
    if (*known != CNS_BLOCK_UNSET || !cns_block_well(b)) {
        return *known == CNS_BLOCK_UNSET ? CNS_BLOCK_NONE : *known;
    }
    cns_ir_block_id top = same_lanes(b, region, id);
    if (top != id) {
        *known = cns_block_mask(b, region, top);
    } else {
        *known = b->mass[id] == whole ? region->base : partial_mask(b, region, id);
    }
    return *known;
}

/* ---- joins ----------------------------------------------------------------------------------- */

static cns_block_value way_argument(cns_block_build *b, const way *one, uint32_t parameter) {
    return one->exit ? one->exit->arguments[parameter]
                     : cns_block_value_of(
                           b, b->f->blocks[one->from].edges[one->edge].arguments[parameter]);
}

/* Which edge of `above` a way goes along for certain: 0 or 1, or 2 for either. */
static uint32_t side_of(const cns_block_build *b, cns_ir_block_id above, cns_ir_block_id join,
                        const way *one) {
    const cns_ir_shape *shape = b->shape;
    if (one->from == above) {
        return one->exit ? 2 : one->edge;
    }
    for (uint32_t e = 0; e < 2; e++) {
        cns_ir_block_id target = b->f->blocks[above].edges[e].target;
        if (target != join &&
            shape->predecessor_begin[target + 1] - shape->predecessor_begin[target] == 1 &&
            cns_ir_dominates(shape, target, one->from)) {
            return e;
        }
    }
    return 2;
}

/* The way that an `if` decides for: its condition, where it alone decides between two. The first
 * way becomes the one that is taken where it is true. */
static bool is_decided(cns_block_build *b, const cns_block_region *region, cns_ir_block_id id,
                       way *ways, uint32_t count, cns_ir_block_id *above) {
    *above = dominator_of(b, region, id);
    if (count != 2 || child_of(b, region->loop, *above) != CNS_IR_NONE ||
        b->f->blocks[*above].end != CNS_IR_BRANCH) {
        return false;
    }
    uint32_t first = side_of(b, *above, id, &ways[0]), second = side_of(b, *above, id, &ways[1]);
    if (first + second != 1) {
        return false;
    }
    if (first == 1) {
        way other = ways[0];
        ways[0] = ways[1];
        ways[1] = other;
    }
    return true;
}

static cns_ir_op select_of(uint8_t type) {
    return type == CNS_VM_F64   ? CNS_IR_SELECT_F64
           : type == CNS_VM_I64 ? CNS_IR_SELECT_I64
                                : CNS_IR_SELECT_BOOL;
}

static cns_block_value choose(cns_block_build *b, uint8_t type, uint16_t mask, cns_block_value yes,
                              cns_block_value no) {
    if (cns_block_same(yes, no) || mask == CNS_BLOCK_NONE) {
        return yes;
    }
    cns_block_value operands[] = {cns_block_vector_value(mask), yes, no};
    return cns_block_compute(b, select_of(type), operands, 3);
}

/* What the parameters of a block get by the ways into it. */
static void join(cns_block_build *b, const cns_block_region *region, cns_ir_block_id id, bool back,
                 cns_block_value *out) {
    const cns_ir_block *block = &b->f->blocks[id];
    way ways[WAYS];
    if (block->parameter_count == 0) {
        return;
    }
    uint32_t count = find_ways(b, region->loop, id, back, ways);
    cns_ir_block_id above = CNS_IR_NONE;
    bool decided = !back && is_decided(b, region, id, ways, count, &above);
    for (uint32_t p = 0; p < block->parameter_count && cns_block_well(b); p++) {
        uint8_t type = cns_block_at(b, block->parameters[p])->type;
        if (count == 0) {
            cns_block_refuse(b, block->site, "%s", "a part of it is never reached");
            return;
        }
        cns_block_value value = way_argument(b, &ways[count - 1], p);
        for (uint32_t i = count - 1; i-- > 0;) {
            cns_block_value other = way_argument(b, &ways[i], p);
            if (!cns_block_same(other, value)) {
                uint16_t mask = decided ? condition_of(b, above) : way_mask(b, region, &ways[i]);
                value = choose(b, type, mask, other, value);
            }
        }
        out[p] = value;
    }
}

static void give_parameters(cns_block_build *b, cns_ir_block_id id, const cns_block_value *values) {
    const cns_ir_block *block = &b->f->blocks[id];
    for (uint32_t p = 0; p < block->parameter_count; p++) {
        b->values[block->parameters[p]] = values[p];
    }
}

/* ---- mass ------------------------------------------------------------------------------------ */

static const char entered_twice[] = "a loop inside is entered in more than one place";

static void pass_on(cns_block_build *b, const cns_block_region *region, cns_ir_block_id id) {
    const cns_ir_block *block = &b->f->blocks[id];
    uint32_t count = cns_block_edge_count(block), decided = decided_edge(b, block);
    uint32_t ways = decided == 2 ? count : 1;
    uint64_t part = b->mass[id] / (ways ? ways : 1);
    if (part * ways != b->mass[id]) {
        cns_block_refuse(b, block->site, "%s", "it has too many branches");
    }
    for (uint32_t e = 0; e < count; e++) {
        cns_ir_block_id target = block->edges[e].target;
        if ((decided == 2 || decided == e) && target != b->shape->loops[region->loop].header &&
            cns_block_inside(b, region->loop, target)) {
            if (target <= id) {
                cns_block_refuse(b, block->site, "%s", entered_twice);
            }
            b->mass[target] += part;
        }
    }
}

/* ---- loops inside ---------------------------------------------------------------------------- */

typedef struct inner {
    uint32_t loop;  /* of the shape */
    uint32_t index; /* of the plan's */
    cns_ir_block_id header;
    uint32_t out_count;
    cns_ir_value outs[OUTS]; /* values that are used behind it */
    uint32_t in_count;
    cns_ir_value ins[OUTS]; /* values of before that are used in it */
    cns_block_value saved[OUTS];
} inner;

typedef void (*use_fn)(cns_block_build *b, inner *l, cns_ir_value value, bool inside);

/* Every use of a value by a block. */
static void visit_uses(cns_block_build *b, inner *l, cns_ir_block_id id, use_fn visit) {
    const cns_ir_block *block = &b->f->blocks[id];
    bool inside = cns_block_inside(b, l->loop, id);
    for (cns_ir_value v = block->first; v != CNS_IR_NONE; v = cns_block_at(b, v)->next) {
        for (uint32_t i = 0; i < cns_block_at(b, v)->operand_count; i++) {
            visit(b, l, cns_block_at(b, v)->operands[i], inside);
        }
    }
    for (uint32_t e = 0; e < cns_block_edge_count(block); e++) {
        for (uint32_t i = 0; i < block->edges[e].count; i++) {
            visit(b, l, block->edges[e].arguments[i], inside);
        }
    }
    if (block->end == CNS_IR_BRANCH) {
        visit(b, l, block->condition, inside);
    }
}

static void note(cns_block_build *b, cns_ir_value *list, uint32_t *count, cns_ir_value value) {
    for (uint32_t i = 0; i < *count; i++) {
        if (list[i] == value) {
            return;
        }
    }
    if (*count == OUTS) {
        cns_block_refuse(b, b->site, "%s", "it is too large");
        return;
    }
    list[(*count)++] = value;
}

/* Arguments on the loop's own edges out are not outs: LEAVE hands them over. */
static void note_use(cns_block_build *b, inner *l, cns_ir_value value, bool inside) {
    if (value == CNS_IR_NONE) {
        return;
    }
    cns_ir_block_id made = cns_block_at(b, value)->block;
    bool of_plan = cns_block_inside(b, b->loop, made);
    bool of_loop = of_plan && cns_block_inside(b, l->loop, made);
    if (inside && of_plan && !of_loop) {
        uint8_t kind = b->values[value].kind;
        if (kind == CNS_BLOCK_STEPS || kind == CNS_BLOCK_VECTOR) {
            note(b, l->ins, &l->in_count, value);
        }
    } else if (!inside && of_loop) {
        note(b, l->outs, &l->out_count, value);
    }
}

static void find_traffic(cns_block_build *b, inner *l) {
    for (cns_ir_block_id id = 0; id < b->f->block_count && cns_block_well(b); id++) {
        if (cns_block_inside(b, b->loop, id)) {
            visit_uses(b, l, id, note_use);
        }
    }
}

/* ENTER: the header's parameters, then what is used inside. */
static void enter(cns_block_build *b, const cns_block_region *region, inner *l,
                  cns_block_loop *loop) {
    const cns_ir_block *header = &b->f->blocks[l->header];
    cns_block_value *first = cns_block_take(b, b->scratch, header->parameter_count * sizeof *first);
    if (!first) {
        return;
    }
    uint16_t mask = cns_block_mask(b, region, l->header);
    join(b, region, l->header, false, first);
    uint16_t from[2 * OUTS];
    uint32_t count = 0;
    for (uint32_t p = 0; p < header->parameter_count && count < OUTS; p++) {
        from[count++] = cns_block_as_vector(b, first[p]);
    }
    if (header->parameter_count > OUTS) {
        cns_block_refuse(b, header->site, "%s", "it is too large");
    }
    for (uint32_t i = 0; i < l->in_count; i++) {
        l->saved[i] = b->values[l->ins[i]];
        from[count++] = cns_block_as_vector(b, l->saved[i]);
    }
    loop->alive = cns_block_vector(b);
    loop->ids = cns_block_vector(b);
    loop->enter = b->plan->pair_count;
    loop->enter_count = count;
    for (uint32_t i = 0; i < count && cns_block_well(b); i++) {
        uint16_t to = cns_block_vector(b);
        cns_block_add_pair(b, from[i], to);
        cns_ir_value value = i < header->parameter_count ? header->parameters[i]
                                                         : l->ins[i - header->parameter_count];
        b->values[value] = cns_block_vector_value(to);
    }
    loop->body = cns_block_emit(b, (cns_block_instruction){.op = CNS_BLOCK_ENTER,
                                                           .d = CNS_BLOCK_NONE,
                                                           .a = CNS_BLOCK_NONE,
                                                           .b = CNS_BLOCK_NONE,
                                                           .c = mask,
                                                           .extra = l->index}) +
                 1;
}

/* The vectors that the loop's lanes write when they leave, made known before its end. */
static void add_exits(cns_block_build *b, inner *l, cns_block_loop *loop, uint16_t *outs) {
    uint32_t first = b->exit_count;
    loop->out = b->plan->pair_count;
    for (uint32_t i = 0; i < l->out_count; i++) {
        outs[i] = cns_block_vector(b);
        cns_block_add_pair(b, CNS_BLOCK_NONE, outs[i]);
    }
    for (cns_ir_block_id id = 0; id < b->f->block_count && cns_block_well(b); id++) {
        if (!cns_block_inside(b, l->loop, id)) {
            continue;
        }
        const cns_ir_block *block = &b->f->blocks[id];
        for (uint32_t e = 0; e < cns_block_edge_count(block); e++) {
            cns_ir_block_id target = block->edges[e].target;
            uint32_t parent = b->shape->loops[l->loop].parent, own = b->shape->loop_of[target];
            if (cns_block_inside(b, l->loop, target) || find_exit(b, l->loop, target)) {
                continue;
            }
            bool near =
                own == parent || (own != CNS_IR_NONE && b->shape->loops[own].parent == parent);
            if (!near || b->shape->loop_of[id] != l->loop) {
                cns_block_refuse(b, block->site, "%s", "a loop inside leaves the one around it");
                return;
            }
            uint32_t count = b->f->blocks[target].parameter_count;
            cns_block_exit exit = {.loop = l->loop, .target = target, .mask = CNS_BLOCK_NONE};
            exit.arguments = cns_block_take(b, b->scratch, count * sizeof *exit.arguments);
            for (uint32_t p = 0; p < count && exit.arguments; p++) {
                exit.arguments[p] = cns_block_vector_value(cns_block_vector(b));
                cns_block_add_pair(b, CNS_BLOCK_NONE, exit.arguments[p].a);
            }
            cns_block_exit *exits = cns_block_grow(b, b->scratch, b->exits, b->exit_count,
                                                   &b->exit_capacity, sizeof exit);
            if (exits) {
                b->exits = exits;
                exits[b->exit_count++] = exit;
            }
        }
    }
    for (uint32_t i = first; i < b->exit_count && b->exit_count - first > 1; i++) {
        b->exits[i].mask = cns_block_vector(b);
        cns_block_add_pair(b, CNS_BLOCK_NONE, b->exits[i].mask);
    }
    loop->out_count = b->plan->pair_count - loop->out;
}

/* LEAVE, for each edge out of the loop. */
static void leave(cns_block_build *b, const cns_block_region *region, const inner *l,
                  const uint16_t *outs, cns_ir_block_id id, uint32_t edge) {
    const cns_ir_edge *out = &b->f->blocks[id].edges[edge];
    const cns_block_exit *exit = find_exit(b, l->loop, out->target);
    uint16_t mask = edge_mask(b, region, id, edge), from[2 * OUTS], to[2 * OUTS];
    uint32_t count = 0;
    if (!exit || l->out_count + out->count >= 2 * OUTS) {
        cns_block_refuse(b, b->site, "%s", "it is too large");
        return;
    }
    for (uint32_t i = 0; i < l->out_count; i++) {
        if (cns_ir_dominates(b->shape, cns_block_at(b, l->outs[i])->block, id)) {
            from[count] = cns_block_as_vector(b, cns_block_value_of(b, l->outs[i]));
            to[count++] = outs[i];
        }
    }
    for (uint32_t p = 0; p < out->count && cns_block_well(b); p++) {
        from[count] = cns_block_as_vector(b, cns_block_value_of(b, out->arguments[p]));
        to[count++] = exit->arguments[p].a;
    }
    if (exit->mask != CNS_BLOCK_NONE) {
        from[count] = CNS_BLOCK_NONE; /* all bits */
        to[count++] = exit->mask;
    }
    if (count == 0 || !cns_block_well(b)) {
        return;
    }
    uint32_t first = b->plan->pair_count;
    for (uint32_t i = 0; i < count; i++) {
        cns_block_add_pair(b, from[i], to[i]);
    }
    if (b->plan->pair_count >= CNS_BLOCK_NONE) {
        cns_block_refuse(b, b->site, "%s", "it is too large");
    }
    cns_block_emit(b, (cns_block_instruction){.op = CNS_BLOCK_LEAVE,
                                              .d = CNS_BLOCK_NONE,
                                              .a = (uint16_t)first,
                                              .b = (uint16_t)count,
                                              .c = mask,
                                              .extra = l->index});
}

/* A vector that the loop's body made and nobody else takes: its storage goes to the parameter. */
static uint16_t own_vector(cns_block_build *b, const cns_block_loop *loop, uint16_t vector,
                           uint32_t first) {
    bool taken = b->made_at[vector] < loop->body;
    for (uint32_t p = first; p < b->plan->pair_count; p++) {
        taken = taken || b->plan->pairs[p].from == vector;
    }
    return taken ? cns_block_copy(b, vector) : vector;
}

static void go_round(cns_block_build *b, const cns_block_region *region, inner *l,
                     cns_block_loop *loop) {
    const cns_ir_block *header = &b->f->blocks[l->header];
    way ways[WAYS];
    uint32_t count = find_ways(b, region->loop, l->header, true, ways);
    cns_block_value *next = cns_block_take(b, b->scratch, header->parameter_count * sizeof *next);
    uint16_t mask = CNS_BLOCK_NONE;
    for (uint32_t i = 0; i < count; i++) {
        uint16_t one = way_mask(b, region, &ways[i]);
        mask = i == 0 ? one : either(b, mask, one);
    }
    if (count == 0) {
        cns_block_refuse(b, header->site, "%s", "a loop inside never goes round");
    }
    if (!next || !cns_block_well(b)) {
        return;
    }
    join(b, region, l->header, true, next);
    uint16_t from[OUTS];
    for (uint32_t p = 0; p < header->parameter_count && cns_block_well(b); p++) {
        from[p] = cns_block_as_vector(b, next[p]);
    }
    loop->around = b->plan->pair_count;
    for (uint32_t p = 0; p < header->parameter_count && cns_block_well(b); p++) {
        uint16_t to = b->values[header->parameters[p]].a;
        if (from[p] != to) {
            uint16_t own = own_vector(b, loop, from[p], loop->around);
            cns_block_add_pair(b, own, to);
        }
    }
    loop->around_count = b->plan->pair_count - loop->around;
    loop->end = cns_block_emit(b, (cns_block_instruction){.op = CNS_BLOCK_AGAIN,
                                                          .d = CNS_BLOCK_NONE,
                                                          .a = CNS_BLOCK_NONE,
                                                          .b = CNS_BLOCK_NONE,
                                                          .c = mask,
                                                          .extra = l->index});
}

/* Among the exits first .. end, which are the loop's. All that went in comes out, by one or
 * another, but for a header's own loop, where it goes round. */
static void share_out_mass(cns_block_build *b, const inner *l, uint32_t first, uint32_t end,
                           uint64_t mass) {
    for (uint32_t i = first; i < end; i++) {
        uint64_t part = i + 1 == end ? mass : mass / 2;
        cns_ir_block_id target = b->exits[i].target;
        if (part == 0) {
            cns_block_refuse(b, b->site, "%s", "it has too many branches");
        }
        mass -= part;
        if (target == b->shape->loops[b->shape->loops[l->loop].parent].header) {
            continue;
        }
        if (target <= l->header) {
            cns_block_refuse(b, b->site, "%s", entered_twice);
        }
        b->mass[target] += part;
    }
}

static inner *begin_inner(cns_block_build *b, uint32_t child) {
    inner *l = cns_block_take(b, b->scratch, sizeof *l);
    if (b->depth == CNS_BLOCK_LOOPS) {
        cns_block_refuse(b, b->site, "%s", "loops are too deep inside each other");
        return NULL;
    }
    cns_block_loop *loops = cns_block_grow(b, b->arena, b->plan->loops, b->plan->loop_count,
                                           &b->loop_capacity, sizeof *loops);
    if (!l || !loops) {
        return NULL;
    }
    l->loop = child;
    l->header = b->shape->loops[child].header;
    l->index = b->plan->loop_count++;
    b->plan->loops = loops;
    b->depth++;
    find_traffic(b, l);
    return l;
}

static void leave_all(cns_block_build *b, const cns_block_region *own, const inner *l,
                      const uint16_t *outs) {
    for (cns_ir_block_id id = 0; id < b->f->block_count && cns_block_well(b); id++) {
        for (uint32_t e = 0; e < cns_block_edge_count(&b->f->blocks[id]); e++) {
            if (cns_block_inside(b, l->loop, id) && is_taken(b, id, e) &&
                !cns_block_inside(b, l->loop, b->f->blocks[id].edges[e].target)) {
                leave(b, own, l, outs, id, e);
            }
        }
    }
}

/* What its values are to the code behind it. */
static void end_inner(cns_block_build *b, const inner *l, const uint16_t *outs) {
    for (uint32_t i = 0; i < l->in_count; i++) {
        b->values[l->ins[i]] = l->saved[i];
    }
    for (uint32_t i = 0; i < l->out_count; i++) {
        b->values[l->outs[i]] = cns_block_vector_value(outs[i]);
    }
    b->depth--;
}

static void emit_inner(cns_block_build *b, const cns_block_region *region, uint32_t child) {
    inner *l = begin_inner(b, child);
    if (!l) {
        return;
    }
    cns_block_loop loop = {0};
    uint16_t outs[OUTS];
    uint64_t mass = b->mass[l->header];
    uint32_t first_exit = b->exit_count;
    add_exits(b, l, &loop, outs);
    uint32_t end_exit = b->exit_count; /* loops inside this one add theirs behind */
    enter(b, region, l, &loop);
    cns_block_region own = {child, loop.alive};
    b->block_masks[l->header] = loop.alive;
    if (cns_block_well(b)) {
        cns_block_emit_region(b, &own);
    }
    leave_all(b, &own, l, outs);
    if (cns_block_well(b)) {
        go_round(b, &own, l, &loop);
    }
    b->plan->loops[l->index] = loop;
    b->mass[l->header] = mass;
    if (end_exit == first_exit) {
        cns_block_refuse(b, b->site, "%s", "a loop inside has no end");
    }
    share_out_mass(b, l, first_exit, end_exit, mass);
    end_inner(b, l, outs);
}

/* ---- a region -------------------------------------------------------------------------------- */

void cns_block_emit_region(cns_block_build *b, const cns_block_region *region) {
    cns_ir_block_id header = b->shape->loops[region->loop].header;
    b->mass[header] = whole;
    for (cns_ir_block_id id = header; id < b->f->block_count && cns_block_well(b); id++) {
        if (!cns_block_inside(b, region->loop, id)) {
            continue;
        }
        uint32_t child = child_of(b, region->loop, id);
        if (child != CNS_IR_NONE) {
            if (b->shape->loops[child].header == id && b->mass[id] != 0) {
                emit_inner(b, region, child);
            }
            continue;
        }
        const cns_ir_block *block = &b->f->blocks[id];
        if (b->mass[id] == 0) {
            continue;
        }
        if (id != header) {
            cns_block_value *values =
                cns_block_take(b, b->scratch, block->parameter_count * sizeof *values);
            if (!values) {
                return;
            }
            join(b, region, id, false, values);
            give_parameters(b, id, values);
        }
        for (cns_ir_value v = block->first; v != CNS_IR_NONE && cns_block_well(b);
             v = cns_block_at(b, v)->next) {
            cns_block_emit_instruction(b, region, v);
        }
        pass_on(b, region, id);
    }
}
