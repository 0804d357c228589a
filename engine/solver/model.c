/* SPDX-License-Identifier: MIT
 *
 * model.c - the store behind model.h: arrays that grow, names, constants by value.
 *
 * What is added is checked first, then room is made in all arrays that it needs, then it is
 * written: a failure changes nothing but capacities.
 */
#include "solver/model.h"

#include <string.h>

#include "base/bits.h"
#include "solver/model_kind.h"
#include "solver/model_share.h"

enum { MODEL_LIMIT = INT32_MAX, FIRST_CAPACITY = 16 };

/* ---- growth --------------------------------------------------------------------------------- */

/* Room for `more` elements behind the first `count`. */
static cns_status reserve(cns_model *model, void **array, uint32_t *capacity, uint32_t count,
                          size_t more, size_t size, const char *what) {
    if (more > MODEL_LIMIT - (size_t)count) {
        return cns_fail(model->context, CNS_E_LIMIT, "model: more than %d %s", (int)MODEL_LIMIT,
                        what);
    }
    size_t need = count + more;
    if (need <= *capacity) {
        return CNS_OK;
    }
    size_t larger = need + need / 2 + FIRST_CAPACITY;
    larger = larger > MODEL_LIMIT ? MODEL_LIMIT : larger;
    void *moved = cns_context_realloc(model->context, *array, *capacity * size, larger * size);
    if (!moved) {
        return cns_context_memory_status(model->context, larger * size);
    }
    *array = moved;
    *capacity = (uint32_t)larger;
    return CNS_OK;
}

#define RESERVE(model, array, noun, more)                                                          \
    reserve(model, (void **)&(model)->array, &(model)->noun##_capacity, (model)->noun##_count,     \
            more, sizeof *(model)->array, #array)

#define RELEASE(model, array, noun)                                                                \
    cns_context_free((model)->context, (model)->array,                                             \
                     (model)->noun##_capacity * sizeof *(model)->array, CNS_ALIGN_DEFAULT)

/* The pools have room from the start, so that a span of none in them is a pointer all the same. */
cns_status cns_model_init(cns_model *model, cns_context *context) {
    *model = (cns_model){.context = context};
    cns_status status = RESERVE(model, text, text, 1);
    if (status == CNS_OK) {
        status = RESERVE(model, vars, var, 1);
    }
    if (status == CNS_OK) {
        status = RESERVE(model, ints, int, 1);
    }
    if (status != CNS_OK) {
        cns_model_deinit(model);
        return status;
    }
    model->text[model->text_count++] = '\0';
    return CNS_OK;
}

void cns_model_deinit(cns_model *model) {
    RELEASE(model, variables, variable);
    RELEASE(model, constraints, constraint);
    RELEASE(model, phases, phase);
    RELEASE(model, vars, var);
    RELEASE(model, ints, int);
    RELEASE(model, text, text);
    RELEASE(model, constant_slots, constant);
    cns_share_deinit(model);
    RELEASE(model, hints, hint);
    RELEASE(model, hinted, hint);
    *model = (cns_model){.context = model->context};
}

/* ---- pools ---------------------------------------------------------------------------------- */

static size_t name_size(const char *name) {
    return name && name[0] ? strlen(name) + 1 : 0;
}

/* Room for a name, which may be one that the model gave out: it follows when the text moves. */
static cns_status reserve_name(cns_model *model, const char **name) {
    size_t offset = (size_t)((uintptr_t)*name - (uintptr_t)model->text);
    cns_status status = RESERVE(model, text, text, name_size(*name));
    if (status == CNS_OK && *name && offset < model->text_count) {
        *name = model->text + offset;
    }
    return status;
}

/* The append functions require room. */
static uint32_t append_name(cns_model *model, const char *name) {
    size_t size = name_size(name);
    if (size == 0) {
        return 0;
    }
    uint32_t offset = model->text_count;
    memcpy(model->text + offset, name, size);
    model->text_count += (uint32_t)size;
    return offset;
}

static cns_model_span append_vars(cns_model *model, const cns_var *vars, size_t count) {
    cns_model_span span = {model->var_count, (uint32_t)count};
    if (count > 0) {
        memcpy(model->vars + span.start, vars, count * sizeof *vars);
    }
    model->var_count += span.count;
    return span;
}

static cns_model_span append_ints(cns_model *model, const int64_t *ints, size_t count) {
    cns_model_span span = {model->int_count, (uint32_t)count};
    if (count > 0) {
        memcpy(model->ints + span.start, ints, count * sizeof *ints);
    }
    model->int_count += span.count;
    return span;
}

/* ---- variables ------------------------------------------------------------------------------ */

static cns_status check_domain(const cns_model *model, const int64_t *ranges, size_t count,
                               const char *name) {
    const char *shown = name ? name : "";
    if (count == 0 || !ranges) {
        return cns_fail(model->context, CNS_E_INVALID,
                        "variable \"%.64s\": no ranges, expected at least 1", shown);
    }
    if (count > MODEL_LIMIT / 2) {
        return cns_fail(model->context, CNS_E_LIMIT, "variable \"%.64s\": %zu ranges, at most %d",
                        shown, count, MODEL_LIMIT / 2);
    }
    size_t bad = cns_first_bad_range(ranges, count);
    if (bad < count) {
        bool empty = ranges[2 * bad] > ranges[2 * bad + 1];
        return cns_fail(model->context, empty ? CNS_E_RANGE : CNS_E_INVALID,
                        "variable \"%.64s\": range %zu is %lld..%lld, expected %s", shown, bad + 1,
                        (long long)ranges[2 * bad], (long long)ranges[2 * bad + 1],
                        empty ? "low <= high" : "ascending, disjoint ranges");
    }
    if (ranges[0] < -CNS_SOLVER_BOUND || ranges[2 * count - 1] > CNS_SOLVER_BOUND) {
        return cns_fail(model->context, CNS_E_RANGE,
                        "variable \"%.64s\": domain %lld..%lld, expected values within +-2^40",
                        shown, (long long)ranges[0], (long long)ranges[2 * count - 1]);
    }
    return CNS_OK;
}

/* Ranges that touch become one, so that there is one way to write a domain. Returns how many
 * are left. */
static uint32_t merge_ranges(int64_t *ranges, uint32_t count) {
    uint32_t kept = 1;
    for (uint32_t k = 1; k < count; k++) {
        if (ranges[2 * (size_t)k] == ranges[2 * (size_t)kept - 1] + 1) {
            ranges[2 * (size_t)kept - 1] = ranges[2 * (size_t)k + 1];
        } else {
            memmove(ranges + 2 * (size_t)kept, ranges + 2 * (size_t)k, 2 * sizeof *ranges);
            kept++;
        }
    }
    return kept;
}

cns_status cns_model_new_var(cns_model *model, const int64_t *ranges, size_t count,
                             const char *name, cns_var *out) {
    cns_status status = check_domain(model, ranges, count, name);
    if (status == CNS_OK) {
        status = RESERVE(model, variables, variable, 1);
    }
    if (status == CNS_OK) {
        status = RESERVE(model, ints, int, 2 * count);
    }
    if (status == CNS_OK) {
        status = reserve_name(model, &name);
    }
    if (status != CNS_OK) {
        return status;
    }
    cns_model_span span = append_ints(model, ranges, 2 * count);
    uint32_t kept = merge_ranges(model->ints + span.start, (uint32_t)count);
    model->int_count = span.start + 2 * kept;
    cns_var var = (cns_var)model->variable_count++;
    model->variables[var] = (cns_model_var){
        .low = ranges[0],
        .high = ranges[2 * count - 1],
        .ranges = span.start,
        .range_count = kept,
        .name = append_name(model, name),
    };
    *out = var;
    return CNS_OK;
}

/* The slot of a constant, or the empty one where it belongs; slots hold variables and one. */
static uint32_t *constant_slot(const cns_model *model, uint32_t *slots, uint32_t capacity,
                               int64_t value) {
    uint32_t mask = capacity - 1;
    uint32_t k = (uint32_t)cns_multiply_fold64((uint64_t)value, UINT64_C(0x9e3779b97f4a7c15));
    for (k &= mask; slots[k] != 0; k = (k + 1) & mask) {
        if (model->variables[slots[k] - 1].low == value) {
            break;
        }
    }
    return &slots[k];
}

/* Keeps at least half of the slots empty. */
static cns_status reserve_constant(cns_model *model) {
    uint32_t capacity = model->constant_capacity;
    if (model->constant_count < capacity / 2) {
        return CNS_OK;
    }
    uint32_t larger = capacity ? 2 * capacity : FIRST_CAPACITY;
    uint32_t *slots = larger ? cns_context_calloc(model->context, larger * sizeof *slots) : NULL;
    if (!slots) {
        return cns_context_memory_status(model->context, larger * sizeof *slots);
    }
    for (uint32_t k = 0; k < capacity; k++) {
        uint32_t held = model->constant_slots[k];
        if (held != 0) {
            *constant_slot(model, slots, larger, model->variables[held - 1].low) = held;
        }
    }
    RELEASE(model, constant_slots, constant);
    model->constant_slots = slots;
    model->constant_capacity = larger;
    return CNS_OK;
}

cns_status cns_model_constant(cns_model *model, int64_t value, cns_var *out) {
    cns_status status = reserve_constant(model);
    if (status != CNS_OK) {
        return status;
    }
    uint32_t *slot = constant_slot(model, model->constant_slots, model->constant_capacity, value);
    if (*slot == 0) {
        cns_var var;
        status = cns_model_new_var(model, (int64_t[]){value, value}, 1, NULL, &var);
        if (status != CNS_OK) {
            return status;
        }
        *slot = (uint32_t)var + 1;
        model->constant_count++;
    }
    *out = (cns_var)(*slot - 1);
    return CNS_OK;
}

bool cns_model_is_var(const cns_model *model, cns_var var) {
    return var >= 0 ? (uint32_t)var < model->variable_count : cns_model_is_literal(model, var);
}

bool cns_model_is_literal(const cns_model *model, cns_var var) {
    uint32_t index = (uint32_t)(var >= 0 ? var : ~var);
    return index < model->variable_count && model->variables[index].low >= 0 &&
           model->variables[index].high <= 1;
}

int64_t cns_model_low(const cns_model *model, cns_var var) {
    return var >= 0 ? model->variables[var].low : 1 - model->variables[~var].high;
}

int64_t cns_model_high(const cns_model *model, cns_var var) {
    return var >= 0 ? model->variables[var].high : 1 - model->variables[~var].low;
}

static cns_status check_var(const cns_model *model, cns_var var, const char *what) {
    return cns_model_is_var(model, var)
               ? CNS_OK
               : cns_fail(model->context, CNS_E_INVALID,
                          "%s: %d, expected one of %u variables or ~b of a Boolean one", what,
                          (int)var, (unsigned)model->variable_count);
}

cns_status cns_model_mark_output(cns_model *model, cns_var var) {
    cns_status status = check_var(model, var, "output");
    if (status == CNS_OK) {
        model->variables[var >= 0 ? var : ~var].output = true;
        model->any_output = true;
    }
    return status;
}

/* ---- constraints ---------------------------------------------------------------------------- */

/* What is found of an array of integers before it is appended. */
typedef struct repeat {
    cns_model_span span; /* count 0: the model does not have it */
    uint64_t hash;
} repeat;

static void find_repeats(const cns_model *model, const cns_constraint *c, repeat found[4]) {
    for (int k = 0; k < 4; k++) {
        found[k] = (repeat){{0, 0}, 0};
        if (c->i_count[k] >= CNS_SHARE_LEAST) {
            found[k].hash = cns_share_hash(c->i[k], c->i_count[k]);
            found[k].span = cns_share_find(model, c->i[k], c->i_count[k], found[k].hash);
        }
    }
}

static cns_status reserve_constraint(cns_model *model, const cns_constraint *c,
                                     const repeat found[4], const char **name) {
    size_t vars = 0, ints = 0; /* eight arrays of at most 2^31 elements */
    cns_status status = RESERVE(model, constraints, constraint, 1);
    for (int k = 0; k < 4; k++) {
        vars += c->v_count[k];
        ints += found[k].span.count == 0 ? c->i_count[k] : 0;
    }
    if (status == CNS_OK) {
        status = RESERVE(model, vars, var, vars);
    }
    if (status == CNS_OK) {
        status = RESERVE(model, ints, int, ints);
    }
    if (status == CNS_OK) {
        status = reserve_name(model, name);
    }
    return status;
}

static cns_model_span share_ints(cns_model *model, const int64_t *ints, size_t count,
                                 const repeat *found) {
    if (found->span.count != 0) {
        return found->span;
    }
    cns_model_span span = append_ints(model, ints, count);
    /* Without memory for it, the next one is appended, too. */
    if (count >= CNS_SHARE_LEAST && cns_share_reserve(model) == CNS_OK) {
        cns_share_add(model, span, found->hash);
    }
    return span;
}

cns_status cns_model_add(cns_model *model, const cns_constraint *constraint) {
    cns_status status = cns_model_check(model, constraint);
    if (status != CNS_OK) {
        return status;
    }
    const char *name = constraint->name;
    repeat found[4];
    find_repeats(model, constraint, found);
    status = reserve_constraint(model, constraint, found, &name);
    if (status != CNS_OK) {
        return status;
    }
    cns_model_constraint *c = &model->constraints[model->constraint_count++];
    *c = (cns_model_constraint){
        .kind = (uint8_t)constraint->kind,
        .condition = (uint8_t)constraint->condition,
        .redundant = constraint->redundant != 0,
        .literal = constraint->condition == CNS_ALWAYS ? 0 : constraint->literal,
        .name = append_name(model, name),
    };
    for (int k = 0; k < 4; k++) {
        c->v[k] = append_vars(model, constraint->v[k], constraint->v_count[k]);
        c->i[k] = share_ints(model, constraint->i[k], constraint->i_count[k], &found[k]);
    }
    return CNS_OK;
}

/* ---- the goal and the search ---------------------------------------------------------------- */

cns_status cns_model_add_phase(cns_model *model, const cns_var *vars, size_t count,
                               cns_choose_var var_rule, cns_choose_value value_rule) {
    if ((int)var_rule < CNS_INPUT_ORDER || (int)var_rule > CNS_DOM_W_DEG ||
        (int)value_rule < CNS_INDOMAIN_MIN || (int)value_rule > CNS_OUTDOMAIN_MAX) {
        return cns_fail(model->context, CNS_E_INVALID,
                        "search: rules %d and %d, expected a cns_choose_var, 0..%d, and a "
                        "cns_choose_value, 0..%d",
                        (int)var_rule, (int)value_rule, CNS_DOM_W_DEG, CNS_OUTDOMAIN_MAX);
    }
    if (count > 0 && !vars) {
        return cns_fail(model->context, CNS_E_INVALID, "search: NULL, expected %zu variables",
                        count);
    }
    cns_status status = CNS_OK;
    for (size_t k = 0; k < count && status == CNS_OK; k++) {
        status = check_var(model, vars[k], "search");
    }
    if (status == CNS_OK) {
        status = RESERVE(model, phases, phase, 1);
    }
    if (status == CNS_OK) {
        status = RESERVE(model, vars, var, count);
    }
    if (status == CNS_OK) {
        model->phases[model->phase_count++] = (cns_model_phase){
            .vars = append_vars(model, vars, count),
            .var_rule = var_rule,
            .value_rule = value_rule,
        };
    }
    return status;
}

cns_status cns_model_set_goal(cns_model *model, cns_goal goal, cns_var var) {
    if (goal != CNS_SATISFY && goal != CNS_MINIMIZE && goal != CNS_MAXIMIZE) {
        return cns_fail(model->context, CNS_E_INVALID, "goal: %d, expected a cns_goal, 0..2",
                        (int)goal);
    }
    cns_status status = goal == CNS_SATISFY ? CNS_OK : check_var(model, var, "objective");
    if (status == CNS_OK) {
        model->goal = goal;
        model->objective = goal == CNS_SATISFY ? 0 : var;
    }
    return status;
}

/* Both arrays have one capacity: they are replaced together or not at all. */
static cns_status reserve_hints(cns_model *model) {
    uint32_t capacity = model->variable_capacity, old = model->hint_capacity;
    if (model->variable_count <= old) {
        return CNS_OK;
    }
    int64_t *hints = cns_context_calloc(model->context, capacity * sizeof *hints);
    bool *hinted = cns_context_calloc(model->context, capacity * sizeof *hinted);
    if (!hints || !hinted) {
        cns_status status = cns_context_memory_status(model->context, capacity * sizeof *hints);
        cns_context_free(model->context, hints, capacity * sizeof *hints, CNS_ALIGN_DEFAULT);
        cns_context_free(model->context, hinted, capacity * sizeof *hinted, CNS_ALIGN_DEFAULT);
        return status;
    }
    if (old > 0) {
        memcpy(hints, model->hints, old * sizeof *hints);
        memcpy(hinted, model->hinted, old * sizeof *hinted);
    }
    RELEASE(model, hints, hint);
    RELEASE(model, hinted, hint);
    model->hints = hints;
    model->hinted = hinted;
    model->hint_capacity = capacity;
    return CNS_OK;
}

cns_status cns_model_hint(cns_model *model, cns_var var, int64_t value) {
    cns_status status = check_var(model, var, "hint");
    if (status != CNS_OK) {
        return status;
    }
    if (value < -CNS_SOLVER_BOUND || value > CNS_SOLVER_BOUND) {
        return cns_fail(model->context, CNS_E_RANGE,
                        "hint: %lld for variable %d, expected a value within +-2^40",
                        (long long)value, (int)var);
    }
    status = reserve_hints(model);
    if (status == CNS_OK) {
        uint32_t index = (uint32_t)(var >= 0 ? var : ~var);
        model->hints[index] = var >= 0 ? value : 1 - value;
        model->hinted[index] = true;
    }
    return status;
}
