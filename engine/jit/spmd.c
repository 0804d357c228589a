/* SPDX-License-Identifier: MIT
 *
 * spmd.c - code that runs groups of iterations at once, as spmd.h describes it.
 *
 * Blocks become one straight line; only inner loops branch. What lanes outside of a mask compute is
 * never stored, tested or divided by. Where a lane would trap, the group is left for the loop as it
 * was, which starts again at the group's first iteration: nothing was stored yet (spmd_plan.c saw
 * to it). The same loop takes over where buffers overlap.
 *
 * A group is two of the machine's vectors wide: what one iteration computes hangs together, and a
 * second vector fills the time in which the first one waits. Functions that are called lane by lane
 * leave no time to fill: one vector then.
 */
#include "jit/spmd_group.h"

typedef cns_jit_group group;
typedef cns_spmd_frame frame;

/* ---- instructions ---------------------------------------------------------------------------- */

static LLVMValueRef operand(const group *g, const cns_ir_instruction *code, uint32_t place,
                            bool scalar) {
    cns_ir_value v = code->operands[place];
    if (code->op == CNS_IR_WITHIN && place == 0) {
        return scalar ? g->l->counts[v] : cns_spmd_splat(g, g->l->counts[v]);
    }
    LLVMValueRef value = scalar ? cns_spmd_scalar_of(g, v) : cns_spmd_vector_at(g, v);
    bool divides =
        code->op == CNS_IR_IDIV_I64 || code->op == CNS_IR_MOD_I64 || code->op == CNS_IR_FMOD_I64;
    if (divides && place == 1 && !scalar && !LLVMIsConstant(value)) {
        /* Lanes outside of the mask must not divide by 0. */
        value = cns_spmd_blend(g, g->mask, value, cns_spmd_splat(g, cns_jit_int(g->l, 1)));
    }
    return value;
}

static void instruction(group *g, cns_ir_value v) {
    cns_jit_lower *l = g->l;
    const cns_ir_instruction *code = cns_ir_at(l->function, v);
    bool scalar = cns_spmd_kind_of(g, v) != CNS_SPMD_VARYING;
    LLVMValueRef operands[CNS_IR_OPERANDS];
    switch (code->op) {
    case CNS_IR_NOP:
        return;
    case CNS_IR_LEN:
        g->scalars[v] = l->counts[code->operands[0]];
        return;
    case CNS_IR_LOAD:
        cns_spmd_load(g, v);
        return;
    case CNS_IR_STORE:
        cns_spmd_store(g, code);
        return;
    default:
        break;
    }
    for (uint32_t i = 0; i < code->operand_count; i++) {
        operands[i] = operand(g, code, i, scalar);
    }
    LLVMValueRef value = cns_jit_operation(l, code, operands, scalar ? 0 : g->lanes);
    *(scalar ? &g->scalars[v] : &g->vectors[v]) = value;
}

/* ---- edges ----------------------------------------------------------------------------------- */

static const cns_ir_block *block_at(const group *g, cns_ir_block_id id) {
    return &g->l->function->blocks[id];
}

static void go_on(group *g, cns_ir_block_id target, LLVMValueRef mask, LLVMValueRef *arguments) {
    const cns_ir_block *block = block_at(g, target);
    LLVMValueRef *known = &g->masks[target - g->plan.first];
    for (uint32_t i = 0; i < block->parameter_count; i++) {
        cns_ir_value parameter = block->parameters[i];
        if (arguments[i]) {
            g->vectors[parameter] =
                cns_spmd_blend(g, mask, arguments[i], *known ? g->vectors[parameter] : NULL);
        }
    }
    *known = cns_spmd_join(g, mask, *known);
}

static void go_round(group *g, frame *f, LLVMValueRef mask, LLVMValueRef *arguments) {
    const cns_ir_block *header = block_at(g, g->l->shape.loops[f->inner->loop].header);
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        bool varying = cns_spmd_kind_of(g, header->parameters[i]) == CNS_SPMD_VARYING;
        f->next[i] = varying ? cns_spmd_blend(g, mask, arguments[i], f->next[i]) : arguments[i];
    }
    f->next_mask = cns_spmd_join(g, mask, f->next_mask);
}

/* Where an exit's lanes and arguments are gathered. */
static uint32_t way_of(const frame *f, cns_spmd_exit exit) {
    uint32_t e = 0;
    while (f->inner->exits[e].from != exit.from || f->inner->exits[e].edge != exit.edge) {
        e++;
    }
    return f->ways == 1 ? 0 : e;
}

/* Lanes that leave keep what they have then. All that entered leave: where there is but one way,
 * its lanes are known before. */
static void leave(group *g, frame *f, cns_spmd_exit exit, LLVMValueRef mask,
                  LLVMValueRef *arguments) {
    uint32_t count = block_at(g, exit.from)->edges[exit.edge].count, way = way_of(f, exit);
    if (f->inner->uniform) {
        f->exit_masks[way] = mask;
    } else if (f->ways > 1) {
        f->exit_masks[way] = cns_spmd_join(g, mask, f->exit_masks[way]);
    }
    for (uint32_t i = 0; i < count; i++) {
        LLVMValueRef before = f->inner->uniform ? NULL : f->exit_arguments[way][i];
        f->exit_arguments[way][i] = cns_spmd_blend(g, mask, arguments[i], before);
    }
}

/* Lanes of `mask` take an edge; those of its arguments that stay scalars are NULL. */
static void take(group *g, cns_spmd_exit edge, LLVMValueRef mask, LLVMValueRef *arguments) {
    cns_ir_block_id target = block_at(g, edge.from)->edges[edge.edge].target;
    frame *f = g->current;
    if (!f) {
        go_on(g, target, mask, arguments);
    } else if (target == g->l->shape.loops[f->inner->loop].header) {
        go_round(g, f, mask, arguments);
    } else if (g->l->jit->services->loop_contains(&g->l->shape, f->inner->loop, target)) {
        go_on(g, target, mask, arguments);
    } else {
        leave(g, f, edge, mask, arguments);
    }
}

static void take_edge(group *g, cns_ir_block_id from, uint32_t number, LLVMValueRef mask) {
    const cns_ir_edge *edge = &block_at(g, from)->edges[number];
    const cns_ir_block *target = block_at(g, edge->target);
    bool round = g->current && edge->target == g->l->shape.loops[g->current->inner->loop].header;
    LLVMValueRef arguments[CNS_SPMD_PARAMETERS];
    for (uint32_t i = 0; i < edge->count; i++) {
        cns_ir_value parameter = target->parameters[i];
        if (cns_spmd_kind_of(g, parameter) == CNS_SPMD_VARYING) {
            arguments[i] = cns_spmd_vector_at(g, edge->arguments[i]);
        } else {
            arguments[i] = round ? cns_spmd_scalar_of(g, edge->arguments[i]) : NULL;
            if (!round) {
                g->scalars[parameter] = cns_spmd_scalar_of(g, edge->arguments[i]);
            }
        }
    }
    take(g, (cns_spmd_exit){from, number}, mask, arguments);
}

static void end_block(group *g, cns_ir_block_id id) {
    const cns_ir_block *block = block_at(g, id);
    LLVMValueRef mask = g->mask;
    if (block->end == CNS_IR_JUMP) {
        take_edge(g, id, 0, mask);
        return;
    }
    frame *f = g->current;
    if (f && f->inner->uniform && id == g->l->shape.loops[f->inner->loop].latch) {
        f->again = LLVMBuildNot(g->l->build, cns_spmd_scalar_of(g, block->condition), "");
        take_edge(g, id, 0, mask);
        take_edge(g, id, 1, mask);
        return;
    }
    LLVMValueRef condition = cns_spmd_vector_at(g, block->condition);
    LLVMValueRef not = LLVMBuildNot(g->l->build, condition, "");
    take_edge(g, id, 0, cns_spmd_both(g, mask, condition));
    take_edge(g, id, 1, cns_spmd_both(g, mask, not ));
}

/* ---- inner loops ----------------------------------------------------------------------------- */

static LLVMValueRef phi_of(const group *g, LLVMTypeRef type) {
    return LLVMBuildPhi(g->l->build, type, "");
}

static void incoming(LLVMValueRef phi, LLVMValueRef value, LLVMBasicBlockRef from) {
    LLVMAddIncoming(phi, &value, &from, 1);
}

/* A phi that is 0 on the way in. */
static LLVMValueRef empty(const group *g, LLVMTypeRef type, LLVMBasicBlockRef from) {
    LLVMValueRef phi = phi_of(g, type);
    incoming(phi, LLVMConstNull(type), from);
    return phi;
}

/* A parameter of the header that is used behind the loop: lanes that have left keep it, so that
 * behind the loop it is what it was when they left. */
static bool is_kept(const group *g, const cns_spmd_loop *inner, cns_ir_value v) {
    const cns_ir_instruction *code = cns_ir_at(g->l->function, v);
    bool used = false;
    for (uint32_t i = 0; i < inner->out_count; i++) {
        used = used || inner->out[i] == v;
    }
    return used && !inner->uniform && cns_spmd_kind_of(g, v) == CNS_SPMD_VARYING &&
           code->op == CNS_IR_PARAM && code->block == g->l->shape.loops[inner->loop].header;
}

static const cns_ir_edge *edge_of(const group *g, cns_spmd_exit exit) {
    return &block_at(g, exit.from)->edges[exit.edge];
}

/* Where all lanes leave at once, what they leave with is what there is then. */
static void begin_exits(group *g, frame *f, LLVMBasicBlockRef from) {
    const cns_spmd_loop *inner = f->inner;
    f->ways = inner->joint ? 1 : inner->exit_count;
    f->exit_masks[0] = f->entered;
    for (uint32_t e = 0; e < f->ways && !inner->uniform; e++) {
        const cns_ir_edge *edge = edge_of(g, inner->exits[e]);
        if (f->ways > 1) {
            f->exit_masks[e] = f->exit_phis[e] = empty(g, g->mask_type, from);
        }
        for (uint32_t i = 0; i < edge->count; i++) {
            LLVMTypeRef type = cns_spmd_vector_of(g, cns_spmd_type_of(g, edge->arguments[i]));
            f->exit_arguments[e][i] = f->exit_argument_phis[e][i] = empty(g, type, from);
        }
    }
    for (uint32_t i = 0; i < inner->out_count && !inner->uniform; i++) {
        cns_ir_value v = inner->out[i];
        if (cns_spmd_kind_of(g, v) == CNS_SPMD_VARYING && !is_kept(g, inner, v)) {
            f->out_phis[i] = empty(g, cns_spmd_vector_of(g, cns_spmd_type_of(g, v)), from);
        }
    }
}

static void begin_loop(group *g, frame *f, LLVMBasicBlockRef from) {
    const cns_ir_block *header = block_at(g, g->l->shape.loops[f->inner->loop].header);
    f->mask = f->entered = g->mask;
    if (!f->inner->uniform) {
        f->mask_phi = phi_of(g, g->mask_type);
        incoming(f->mask_phi, g->mask, from);
        f->mask = f->mask_phi;
    }
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        cns_ir_value v = header->parameters[i];
        bool varying = cns_spmd_kind_of(g, v) == CNS_SPMD_VARYING;
        LLVMValueRef *place = varying ? &g->vectors[v] : &g->scalars[v];
        f->parameter_phis[i] = phi_of(g, varying ? cns_spmd_vector_of(g, cns_spmd_type_of(g, v))
                                                 : cns_spmd_type_of(g, v));
        incoming(f->parameter_phis[i], *place, from);
        *place = f->parameter_phis[i];
        f->next[i] = is_kept(g, f->inner, v) ? *place : NULL;
    }
    if (f->inner->overtakes && !f->inner->uniform) {
        f->rounds = phi_of(g, g->l->type.i64);
        incoming(f->rounds, cns_jit_int(g->l, 0), from);
    }
    begin_exits(g, f, from);
    g->mask = f->mask;
}

/* Lanes that go round and round may be of iterations behind one that ends with an error: then the
 * loop itself takes over. Nothing was stored yet, since errors come before all stores. */
static LLVMValueRef lose_patience(group *g, const frame *f) {
    cns_jit_lower *l = g->l;
    LLVMValueRef next = LLVMBuildAdd(l->build, f->rounds, cns_jit_int(l, 1), "");
    LLVMValueRef enough =
        LLVMBuildICmp(l->build, LLVMIntEQ, next, cns_jit_int(l, CNS_SPMD_PATIENCE), "");
    LLVMBasicBlockRef on = cns_jit_block(l, "lanes.patient");
    LLVMValueRef branch = LLVMBuildCondBr(l->build, enough, g->bail, on);
    LLVMSetMetadata(branch, l->cold, LLVMMetadataAsValue(l->llvm, l->weights));
    LLVMPositionBuilderAtEnd(l->build, on);
    return next;
}

/* The way back; the builder is behind the loop then. */
static void end_loop(group *g, frame *f, LLVMBasicBlockRef body) {
    cns_jit_lower *l = g->l;
    const cns_spmd_loop *inner = f->inner;
    const cns_ir_block *header = block_at(g, l->shape.loops[inner->loop].header);
    LLVMValueRef outs[CNS_SPMD_OUT] = {NULL};
    for (uint32_t i = 0; i < inner->out_count; i++) {
        cns_ir_value v = inner->out[i];
        if (f->out_phis[i]) {
            outs[i] = g->vectors[v] = cns_spmd_blend(g, f->mask, g->vectors[v], f->out_phis[i]);
        }
    }
    LLVMValueRef again = inner->uniform ? f->again : cns_spmd_any(g, f->next_mask);
    LLVMBasicBlockRef more = cns_jit_block(l, "lanes.more"), out = cns_jit_block(l, "lanes.out");
    LLVMBuildCondBr(l->build, again, more, out);
    /* On the way back, so that what the poll's call makes of registers stays out of the body. */
    LLVMPositionBuilderAtEnd(l->build, more);
    LLVMValueRef rounds = f->rounds ? lose_patience(g, f) : NULL;
    l->group = NULL; /* a poll stops the run, not the group */
    cns_jit_poll(l, header->site);
    l->group = g;
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build);
    if (rounds) {
        incoming(f->rounds, rounds, from);
    }
    LLVMBuildBr(l->build, body);
    if (f->mask_phi) {
        incoming(f->mask_phi, f->next_mask, from);
    }
    for (uint32_t i = 0; i < header->parameter_count; i++) {
        incoming(f->parameter_phis[i], f->next[i], from);
        if (is_kept(g, inner, header->parameters[i])) {
            g->vectors[header->parameters[i]] = f->next[i];
        }
    }
    for (uint32_t e = 0; e < f->ways && !inner->uniform; e++) {
        if (f->exit_phis[e]) {
            incoming(f->exit_phis[e], f->exit_masks[e], from);
        }
        for (uint32_t i = 0; i < edge_of(g, inner->exits[e])->count; i++) {
            incoming(f->exit_argument_phis[e][i], f->exit_arguments[e][i], from);
        }
    }
    for (uint32_t i = 0; i < inner->out_count; i++) {
        if (f->out_phis[i]) {
            incoming(f->out_phis[i], outs[i], from);
        }
    }
    LLVMPositionBuilderAtEnd(l->build, out);
}

static LLVMValueRef merge(const group *g, LLVMValueRef value, LLVMBasicBlockRef from,
                          LLVMBasicBlockRef skip) {
    LLVMValueRef phi = phi_of(g, LLVMTypeOf(value));
    incoming(phi, value, from);
    incoming(phi, LLVMConstNull(LLVMTypeOf(value)), skip);
    return phi;
}

/* Behind a loop that was passed by where no lane entered it. */
static void merge_skipped(group *g, frame *f, LLVMBasicBlockRef skip) {
    cns_jit_lower *l = g->l;
    const cns_spmd_loop *inner = f->inner;
    LLVMBasicBlockRef from = LLVMGetInsertBlock(l->build), on = cns_jit_block(l, "lanes.on");
    LLVMBuildBr(l->build, on);
    LLVMPositionBuilderAtEnd(l->build, skip);
    LLVMBuildBr(l->build, on);
    LLVMPositionBuilderAtEnd(l->build, on);
    for (uint32_t e = 0; e < f->ways; e++) {
        if (f->exit_masks[e] != f->entered) {
            f->exit_masks[e] = merge(g, f->exit_masks[e], from, skip);
        }
        for (uint32_t i = 0; i < edge_of(g, inner->exits[e])->count; i++) {
            f->exit_arguments[e][i] = merge(g, f->exit_arguments[e][i], from, skip);
        }
    }
    for (uint32_t i = 0; i < inner->out_count; i++) {
        cns_ir_value v = inner->out[i];
        LLVMValueRef *place =
            cns_spmd_kind_of(g, v) == CNS_SPMD_VARYING ? &g->vectors[v] : &g->scalars[v];
        *place = merge(g, *place, from, skip);
    }
}

static void emit_blocks(group *g, cns_ir_block_id first, cns_ir_block_id last);

static void emit_body(group *g, cns_ir_block_id id) {
    g->sure = g->plan.sure[id - g->plan.first];
    for (cns_ir_value v = block_at(g, id)->first; v != CNS_IR_NONE;
         v = cns_ir_at(g->l->function, v)->next) {
        instruction(g, v);
    }
    if (id != g->l->shape.loops[g->plan.loop].latch) {
        end_block(g, id);
    }
}

static void emit_loop(group *g, const cns_spmd_loop *inner) {
    cns_jit_lower *l = g->l;
    cns_ir_block_id header = l->shape.loops[inner->loop].header;
    frame *f = &g->frames[inner - g->plan.loops], *outer = g->current;
    f->inner = inner;
    LLVMBasicBlockRef skip = cns_jit_block(l, "lanes.skip");
    LLVMBasicBlockRef enter = cns_jit_block(l, "lanes.enter");
    LLVMBasicBlockRef body = cns_jit_block(l, "lanes.loop");
    g->mask = g->masks[header - g->plan.first];
    LLVMBuildCondBr(l->build, cns_spmd_any(g, g->mask), enter, skip);
    LLVMPositionBuilderAtEnd(l->build, enter);
    LLVMBuildBr(l->build, body);
    LLVMPositionBuilderAtEnd(l->build, body);
    begin_loop(g, f, enter);
    g->current = f;
    emit_body(g, header);
    emit_blocks(g, header + 1, inner->last);
    end_loop(g, f, body);
    g->current = outer;
    merge_skipped(g, f, skip);
    for (uint32_t e = 0; e < f->ways; e++) {
        take(g, inner->exits[e], f->exit_masks[e], f->exit_arguments[e]);
    }
}

static void emit_blocks(group *g, cns_ir_block_id first, cns_ir_block_id last) {
    for (cns_ir_block_id id = first; id <= last; id++) {
        const cns_spmd_loop *inner = cns_spmd_headed(g->l, &g->plan, id);
        if (inner) {
            emit_loop(g, inner);
            id = inner->last;
        } else {
            g->mask = g->masks[id - g->plan.first];
            emit_body(g, id);
        }
    }
}

/* ---- the loop over groups -------------------------------------------------------------------- */

static LLVMValueRef end_of(const group *g, cns_ir_value buffer) {
    cns_jit_lower *l = g->l;
    cns_type type = cns_ir_element(cns_ir_at(l->function, buffer)->type);
    return LLVMBuildGEP2(l->build, cns_jit_element_type(l, type), l->values[buffer],
                         &l->counts[buffer], 1, "");
}

/* At least two iterations, and no buffer that is written overlaps another one. */
static LLVMValueRef can_run(const group *g, LLVMValueRef remaining) {
    cns_jit_lower *l = g->l;
    LLVMBuilderRef b = l->build;
    LLVMValueRef fine = LLVMBuildICmp(b, LLVMIntUGT, remaining, cns_jit_int(l, 1), "");
    for (uint32_t i = 0; i < g->plan.stored_count; i++) {
        for (uint32_t k = 0; k < g->plan.used_count; k++) {
            cns_ir_value x = g->plan.stored[i], y = g->plan.used[k];
            if (x == y) {
                continue;
            }
            LLVMValueRef before = LLVMBuildICmp(b, LLVMIntULE, end_of(g, x), l->values[y], "");
            LLVMValueRef behind = LLVMBuildICmp(b, LLVMIntULE, end_of(g, y), l->values[x], "");
            fine = LLVMBuildAnd(b, fine, LLVMBuildOr(b, before, behind, ""), "");
        }
    }
    return fine;
}

static uint32_t place_of(const group *g, cns_ir_value parameter) {
    const cns_ir_block *header = block_at(g, g->plan.first);
    uint32_t place = 0;
    while (header->parameters[place] != parameter) {
        place++;
    }
    return place;
}

/* The group that begins at `remaining` and `index`. */
static void emit_group(group *g, LLVMValueRef remaining, LLVMValueRef index) {
    cns_jit_lower *l = g->l;
    LLVMValueRef behind = cns_spmd_splat(g, remaining);
    g->scalars[g->plan.match.remaining] = remaining;
    if (index) {
        g->scalars[g->plan.match.index] = index;
    }
    LLVMValueRef last = cns_jit_int(l, g->lanes - 1);
    g->whole = LLVMBuildICmp(l->build, LLVMIntUGE, remaining, last, "");
    g->masks[0] =
        cns_spmd_mask_of(g, LLVMBuildICmp(l->build, LLVMIntULE, cns_spmd_ramp(g, 1), behind, ""));
    emit_blocks(g, g->plan.first, g->plan.last);
}

/* The loop over groups, while its code is made. */
typedef struct walk {
    uint32_t places[2]; /* of remaining and index among the header's parameters */
    uint32_t count;     /* 1 without an index */
    LLVMValueRef first[2], now[2];
    LLVMBasicBlockRef from, head, one, done;
} walk;

static void begin_walk(group *g, walk *w, LLVMValueRef *entry) {
    cns_jit_lower *l = g->l;
    w->places[0] = place_of(g, g->plan.match.remaining);
    w->count = 1;
    if (g->plan.match.index != CNS_IR_NONE) {
        w->places[w->count++] = place_of(g, g->plan.match.index);
    }
    w->head = cns_jit_block(l, "group");
    w->one = cns_jit_block(l, "one");
    w->done = cns_jit_block(l, "group.done");
    g->bail = cns_jit_block(l, "group.bail");
    LLVMValueRef runs = can_run(g, entry[w->places[0]]);
    w->from = LLVMGetInsertBlock(l->build);
    LLVMBuildCondBr(l->build, runs, w->head, w->one);
    LLVMPositionBuilderAtEnd(l->build, w->head);
    for (uint32_t i = 0; i < w->count; i++) {
        w->first[i] = entry[w->places[i]];
        w->now[i] = phi_of(g, l->type.i64);
        incoming(w->now[i], w->first[i], w->from);
    }
}

/* On to the next group, if there is one. */
static void step_walk(group *g, const walk *w) {
    cns_jit_lower *l = g->l;
    LLVMValueRef width = cns_jit_int(l, g->lanes), next[2];
    LLVMBasicBlockRef more = cns_jit_block(l, "group.more");
    LLVMValueRef over = LLVMBuildICmp(l->build, LLVMIntULT, w->now[0], width, "");
    LLVMBuildCondBr(l->build, over, w->done, more);
    LLVMPositionBuilderAtEnd(l->build, more);
    next[0] = LLVMBuildSub(l->build, w->now[0], width, "");
    if (w->count > 1) {
        int64_t stride = (int64_t)((uint64_t)g->plan.step * g->lanes);
        next[1] = LLVMBuildAdd(l->build, w->now[1], cns_jit_int(l, stride), "");
    }
    l->group = NULL;
    cns_jit_poll(l, block_at(g, g->plan.last)->site);
    LLVMBasicBlockRef back = LLVMGetInsertBlock(l->build);
    LLVMBuildBr(l->build, w->head);
    for (uint32_t i = 0; i < w->count; i++) {
        incoming(w->now[i], next[i], back);
    }
}

/* Groups until no iteration is left, then along the loop's way out. `entry` becomes what the loop
 * itself begins with, where it runs after all. */
static cns_status emit_groups(group *g, LLVMValueRef *entry) {
    cns_jit_lower *l = g->l;
    walk w = {.count = 0};
    begin_walk(g, &w, entry);
    emit_group(g, w.now[0], w.count > 1 ? w.now[1] : NULL);
    step_walk(g, &w);
    LLVMPositionBuilderAtEnd(l->build, g->bail);
    LLVMBuildBr(l->build, w.one);
    LLVMPositionBuilderAtEnd(l->build, w.done);
    cns_status status = cns_jit_edge(l, l->shape.loops[g->plan.loop].latch, 0);
    LLVMPositionBuilderAtEnd(l->build, w.one);
    for (uint32_t i = 0; i < w.count; i++) {
        LLVMValueRef phi = phi_of(g, l->type.i64);
        incoming(phi, w.first[i], w.from);
        incoming(phi, w.now[i], g->bail);
        entry[w.places[i]] = phi;
    }
    return status;
}

/* ---- from outside ---------------------------------------------------------------------------- */

static size_t group_size(const cns_jit_lower *l) {
    return sizeof(group) + (size_t)l->function->instruction_count *
                               (2 * sizeof(LLVMValueRef) + sizeof(cns_spmd_value));
}

/* NULL without memory. Its plan is of `loop`, if that can be. */
static group *create(cns_jit_lower *l, uint32_t loop, bool *can) {
    group *g = l->jit->services->calloc(l->jit->context, group_size(l));
    if (g) {
        size_t count = l->function->instruction_count;
        g->l = l;
        g->scalars = (LLVMValueRef *)(g + 1);
        g->vectors = g->scalars + count;
        g->plan.values = (cns_spmd_value *)(g->vectors + count);
        g->plan.loop = loop;
        *can = cns_spmd_analyse(l, &g->plan);
    }
    return g;
}

static void destroy(cns_jit_lower *l, group *g) {
    l->jit->services->free(l->jit->context, g, group_size(l), CNS_ALIGN_DEFAULT);
}

/* Inner loops first: what contains a loop that runs in groups runs one by one. */
cns_status cns_jit_spmd_plan(cns_jit_lower *l) {
    for (uint32_t i = l->shape.loop_count; i-- > 0 && l->target->lanes >= 4;) {
        bool can = false;
        if (l->chunks[i].cold || l->chunks[i].holds_group) {
            can = false;
        } else {
            group *g = create(l, i, &can);
            if (!g) {
                return l->jit->services->memory_status(l->jit->context, group_size(l));
            }
            destroy(l, g);
        }
        l->chunks[i].grouped = can;
        uint32_t parent = l->shape.loops[i].parent;
        if (parent != CNS_IR_NONE && (can || l->chunks[i].holds_group)) {
            l->chunks[parent].holds_group = true;
        }
    }
    return CNS_OK;
}

/* Such calls take the time; twice as many would only take twice the room. */
static bool calls_lane_by_lane(const group *g) {
    for (cns_ir_block_id b = g->plan.first; b <= g->plan.last; b++) {
        for (cns_ir_value v = block_at(g, b)->first; v != CNS_IR_NONE;
             v = cns_ir_at(g->l->function, v)->next) {
            const cns_ir_instruction *code = cns_ir_at(g->l->function, v);
            const cns_jit_math *math = cns_jit_math_of((cns_ir_op)code->op);
            if (math && !cns_jit_math_has_vectors(g->l, math)) {
                return true;
            }
        }
    }
    return false;
}

cns_status cns_jit_spmd(cns_jit_lower *l, uint32_t loop, LLVMValueRef *entry) {
    bool can = false;
    if (!l->chunks[loop].grouped) {
        return CNS_OK;
    }
    group *g = create(l, loop, &can);
    if (!g) {
        return l->jit->services->memory_status(l->jit->context, group_size(l));
    }
    g->lanes = l->target->lanes * (calls_lane_by_lane(g) ? 1 : 2);
    g->wide = l->target->lanes < 8;
    g->mask_type = LLVMVectorType(g->wide ? l->type.i64 : l->type.i1, g->lanes);
    l->group = g;
    cns_status status = emit_groups(g, entry);
    l->group = NULL;
    cns_jit_remark(l, CNS_REMARK_VECTORISED, block_at(g, g->plan.last)->site,
                   "iterations run in groups, with masks where they part");
    destroy(l, g);
    return status;
}
