/* SPDX-License-Identifier: MIT
 *
 * code_blocks.c - the choice of the loops that run in blocks: counted ones, inner ones first, outer
 * ones where nothing inside has a plan. Versions that will likely fail stay with the scalar VM.
 */
#include "vm/code_blocks.h"

#include <string.h>

/* Why a loop has no plan; NULL where nobody asked. */
typedef struct reason {
    const char *why;
    uint32_t site;
} reason;

typedef struct choice {
    cns_code *code;
    cns_ir_function *function;
    cns_ir_shape shape;
    uint32_t *plan_of;
    reason *reasons; /* of each loop */
} choice;

static cns_status take(const choice *c, cns_arena *arena, size_t size, void *out) {
    void *memory = cns_arena_alloc(arena, size ? size : 1, 16);
    if (!memory) {
        return cns_context_memory_status(c->function->context, size);
    }
    memset(memory, 0, size);
    memcpy(out, &memory, sizeof memory);
    return CNS_OK;
}

static bool is_candidate(const choice *c, uint32_t loop) {
    const cns_ir_shape *shape = &c->shape;
    for (uint32_t at = loop; at != CNS_IR_NONE; at = shape->loops[at].parent) {
        if (c->function->blocks[shape->loops[at].header].flags & CNS_IR_COLD) {
            return false;
        }
    }
    for (cns_ir_block_id id = 0; id < c->function->block_count; id++) {
        if (c->plan_of[id] != 0 && cns_ir_loop_contains(shape, loop, id)) {
            return false;
        }
    }
    return shape->loops[loop].latch != CNS_IR_NONE;
}

static cns_status plan_loop(choice *c, uint32_t loop) {
    cns_code *code = c->code;
    cns_block_plan *plan = NULL;
    const char *why = NULL;
    uint32_t site = 0;
    cns_status status =
        cns_block_plan_create(c->function, &c->shape, loop, code->arena, &plan, &why, &site);
    c->reasons[loop] = (reason){why, site};
    if (status == CNS_OK && plan) {
        code->plans[code->plan_count++] = plan;
        c->plan_of[c->shape.loops[loop].header] = code->plan_count;
        status = cns_ir_remark(c->function, CNS_REMARK_VECTORISED, site, "in blocks of %u",
                               (unsigned)cns_block_plan_lanes(plan));
    }
    return status;
}

/* Of the loops without loops inside, unless one around them runs in blocks. */
static cns_status tell_reasons(const choice *c) {
    const cns_ir_shape *shape = &c->shape;
    cns_status status = CNS_OK;
    for (uint32_t loop = 0; loop < shape->loop_count && status == CNS_OK; loop++) {
        bool planned = false;
        for (uint32_t at = loop; at != CNS_IR_NONE; at = shape->loops[at].parent) {
            planned |= c->plan_of[shape->loops[at].header] != 0;
        }
        if (!planned && shape->loops[loop].innermost && c->reasons[loop].why) {
            status = cns_ir_remark(c->function, CNS_REMARK_NOT_VECTORISED, c->reasons[loop].site,
                                   "%s", c->reasons[loop].why);
        }
    }
    return status;
}

static cns_status plan_all(choice *c, cns_arena *scratch) {
    uint32_t count = c->shape.loop_count;
    cns_status status = take(c, c->code->arena, count * sizeof *c->code->plans, &c->code->plans);
    if (status == CNS_OK) {
        status = take(c, scratch, count * sizeof *c->reasons, &c->reasons);
    }
    for (uint32_t loop = count; status == CNS_OK && loop-- > 0;) {
        if (is_candidate(c, loop)) {
            status = plan_loop(c, loop);
        }
    }
    return status == CNS_OK ? tell_reasons(c) : status;
}

cns_status cns_code_plan_blocks(cns_code *code, cns_ir_function *function, cns_arena *scratch,
                                uint32_t *plan_of) {
    choice c = {.code = code, .function = function, .plan_of = plan_of};
    cns_status status = cns_ir_shape_init(&c.shape, function);
    if (status == CNS_OK) {
        status = plan_all(&c, scratch);
        cns_ir_shape_deinit(&c.shape);
    }
    return status;
}
