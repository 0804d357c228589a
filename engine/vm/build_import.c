/* SPDX-License-Identifier: MIT
 *
 * build_import.c - what lies outside the function: upvalues, globals, fields of tables.
 *
 * The host is asked once for each name. Numbers, booleans and buffers become hidden arguments, so
 * that a run sees them as they are then; functions and tables are known while building, and the
 * host sees to it that they are still the same at each call.
 */
#include <string.h>

#include "vm/builder.h"

const cns_flow *cns_build_flow(cns_builder *b, const cns_proto *proto) {
    for (cns_known_flow *known = b->flows; known; known = known->next) {
        if (known->flow.proto == proto) {
            return &known->flow;
        }
    }
    cns_known_flow *known = cns_build_alloc(b, sizeof *known);
    if (known) {
        b->status = cns_flow_init(&known->flow, b->context, proto);
    }
    if (b->status != CNS_OK) {
        return NULL;
    }
    known->next = b->flows;
    b->flows = known;
    return &known->flow;
}

/* ---- hidden arguments ------------------------------------------------------------------------ */

static bool note_hidden(cns_builder *b, uint32_t id) {
    if (b->hidden_count == b->hidden_capacity) {
        uint32_t capacity = b->hidden_capacity ? b->hidden_capacity * 2 : 8;
        uint32_t *larger = cns_build_alloc(b, capacity * sizeof *larger);
        if (!larger) {
            return false;
        }
        if (b->hidden_count > 0) {
            memcpy(larger, b->hidden, b->hidden_count * sizeof *larger);
        }
        b->hidden = larger;
        b->hidden_capacity = capacity;
    }
    b->hidden[b->hidden_count++] = id;
    return true;
}

static cns_slot hidden_argument(cns_builder *b, const cns_import *import, const char *name) {
    for (uint32_t h = 0; h < b->hidden_count; h++) {
        if (b->hidden[h] == import->id) {
            return cns_build_value(b, b->ir->arguments[b->build->argument_count + h]);
        }
    }
    cns_ir_value value = CNS_IR_NONE;
    if (note_hidden(b, import->id)) {
        b->status = cns_ir_add_argument(b->ir, (uint8_t)import->type, name, &value);
    }
    return cns_build_value(b, value);
}

/* ---- imports --------------------------------------------------------------------------------- */

static bool is_argument_type(uint32_t type) {
    return (type >= CNS_VM_BOOL && type <= CNS_VM_F64) ||
           (type <= UINT8_MAX && cns_ir_is_buffer((uint8_t)type));
}

static cns_slot to_slot(cns_builder *b, const cns_import *import, const char *name) {
    switch (import->kind) {
    case CNS_IMPORT_VALUE:
        if (is_argument_type(import->type)) {
            return hidden_argument(b, import, name);
        }
        break;
    case CNS_IMPORT_INTRINSIC:
        return (cns_slot){.kind = CNS_SLOT_INTRINSIC, .id = (uint32_t)import->intrinsic};
    case CNS_IMPORT_FUNCTION:
        return (cns_slot){.kind = CNS_SLOT_FUNCTION, .id = import->id, .thing = import->function};
    case CNS_IMPORT_TABLE:
        return (cns_slot){.kind = CNS_SLOT_TABLE, .id = import->id};
    case CNS_IMPORT_NIL:
        return cns_build_nil();
    case CNS_IMPORT_OTHER:
        break;
    }
    const char *what = import->what ? import->what : "something unknown";
    char *copy = cns_build_alloc(b, strlen(what) + 1);
    if (copy) {
        memcpy(copy, what, strlen(what));
    }
    return (cns_slot){.kind = CNS_SLOT_OTHER, .thing = copy ? copy : "?"};
}

static const cns_slot *find_known(const cns_builder *b, uint32_t owner, uint32_t index,
                                  const char *key) {
    for (const cns_known_import *known = b->imports; known; known = known->next) {
        bool same_key =
            key ? known->key && strcmp(known->key, key) == 0 : !known->key && known->index == index;
        if (known->owner == owner && same_key) {
            return &known->slot;
        }
    }
    return NULL;
}

/* Asks the host, and remembers. */
static cns_slot ask(cns_builder *b, uint32_t owner, uint32_t index, const char *key,
                    const char *name) {
    const cns_import_source *source = b->build->imports;
    cns_import import = {.kind = CNS_IMPORT_OTHER};
    cns_known_import *known = cns_build_alloc(b, sizeof *known);
    if (known) {
        b->status = key ? source->field(source->user, owner, key, &import)
                        : source->upvalue(source->user, owner, index, &import);
    }
    if (b->status != CNS_OK) {
        return (cns_slot){.kind = CNS_SLOT_DEAD};
    }
    *known = (cns_known_import){.next = b->imports,
                                .owner = owner,
                                .index = index,
                                .key = key,
                                .slot = to_slot(b, &import, name)};
    b->imports = known;
    return known->slot;
}

cns_slot cns_build_upvalue(cns_builder *b, uint32_t index) {
    const cns_slot *known = find_known(b, b->frame->import, index, NULL);
    return known ? *known
                 : ask(b, b->frame->import, index, NULL, b->frame->proto->upvalues[index].name);
}

cns_slot cns_build_field(cns_builder *b, uint32_t table, const char *key) {
    const cns_slot *known = find_known(b, table, 0, key);
    return known ? *known : ask(b, table, 0, key, key);
}
