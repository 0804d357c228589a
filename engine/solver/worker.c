/* SPDX-License-Identifier: MIT
 *
 * solver/worker.c - see worker.h.
 */
#include "solver/worker.h"

#include "base/bits.h"
#include "solver/core_guided.h"

cns_status cns_worker_open(cns_worker *w, cns_context *context, const cns_model *model,
                           uint64_t seed) {
    const cns_counters counters = w->state.counters;
    uint64_t ticks = w->state.ticks;
    cns_status status = cns_state_init(&w->state, context, seed);
    w->state.counters = counters;
    w->state.ticks = ticks;
    if (status == CNS_OK) {
        cns_loader_init(&w->loader, model, &w->state);
        cns_search_init(&w->search, &w->state);
        w->loaded_phases = 0;
        w->loaded = false;
        w->open = true;
    }
    return status;
}

void cns_worker_close(cns_worker *w) {
    if (w->open) {
        const cns_counters counters = w->state.counters;
        uint64_t ticks = w->state.ticks;
        cns_search_deinit(&w->search);
        cns_loader_deinit(&w->loader);
        cns_state_deinit(&w->state);
        w->state.counters = counters;
        w->state.ticks = ticks;
        w->open = false;
    }
}

/* ---- loading -------------------------------------------------------------------------------- */

static cns_status load_phases(cns_worker *w) {
    const cns_model *m = w->loader.model;
    cns_state *s = &w->state;
    for (; w->loaded_phases < m->phase_count; w->loaded_phases++) {
        const cns_model_phase *phase = &m->phases[w->loaded_phases];
        uint32_t count = phase->vars.count;
        size_t size = (count + 1) * sizeof(cns_view);
        cns_view *views = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
        if (views == NULL) {
            return s->status = cns_context_memory_status(s->context, size);
        }
        for (uint32_t k = 0; k < count && s->status == CNS_OK; k++) {
            cns_load_view(&w->loader, m->vars[phase->vars.start + k], &views[k]);
        }
        if (s->status == CNS_OK) {
            cns_search_add_phase(&w->search, views, count, phase->var_rule, phase->value_rule);
        }
        cns_context_free(s->context, views, size, CNS_ALIGN_DEFAULT);
        if (s->status != CNS_OK) {
            return s->status;
        }
    }
    return CNS_OK;
}

static cns_status load_outputs(cns_worker *w, const cns_orders *orders) {
    const cns_model *m = w->loader.model;
    cns_state *s = &w->state;
    if (orders->options->all_solutions == 0 || m->goal != CNS_SATISFY) {
        return CNS_OK;
    }
    w->search.output_count = 0;
    for (uint32_t v = 0; v < m->variable_count && s->status == CNS_OK; v++) {
        cns_view view;
        if ((!m->any_output || m->variables[v].output) &&
            cns_load_view(&w->loader, (cns_var)v, &view) && !cns_view_fixed(s, view)) {
            cns_search_add_output(&w->search, view);
        }
    }
    return s->status;
}

/* The objective as a sum, for the core-guided search, which there is none of when memory gives out.
 */
static cns_status load_sum(cns_worker *w) {
    cns_state *s = &w->state;
    cns_sum sum = {0};
    if (s->proof == NULL && cns_sum_read(&w->loader, &sum)) {
        cns_core_guided_begin(&w->search, &sum);
    }
    cns_sum_deinit(s->context, &sum);
    cns_do_without(s);
    return s->status;
}

static cns_status load_goal(cns_worker *w) {
    cns_state *s = &w->state;
    cns_core_guided_end(&w->search);
    s->objective = CNS_TERM_ZERO;
    s->objective_limit = INT64_MAX;
    if (w->loader.model->goal == CNS_SATISFY) {
        return CNS_OK;
    }
    cns_view view;
    if (!cns_load_view(&w->loader, w->loader.model->objective, &view)) {
        return s->status;
    }
    view = w->loader.model->goal == CNS_MAXIMIZE ? cns_view_negate(view) : view;
    s->objective = view.term;
    w->search.objective_offset = view.offset;
    return load_sum(w);
}

static void load_hints(cns_worker *w) {
    const cns_model *m = w->loader.model;
    for (uint32_t v = 0; v < m->variable_count && v < m->hint_capacity; v++) {
        if (!m->hinted[v]) {
            continue;
        }
        cns_view view;
        bool boolean = cns_model_low(m, (cns_var)v) == 0 && cns_model_high(m, (cns_var)v) == 1;
        if (boolean ? cns_load_lit(&w->loader, (cns_var)v) != CNS_LIT_NONE
                    : cns_load_view(&w->loader, (cns_var)v, &view)) {
            cns_load_prefer(&w->loader, (cns_var)v, m->hints[v]);
        }
    }
}

static cns_status load_assumptions(cns_worker *w, const cns_orders *orders) {
    cns_state *s = &w->state;
    uint32_t count = orders->assumption_count;
    size_t size = (count + 1) * sizeof(cns_lit);
    cns_lit *lits = cns_context_alloc(s->context, size, CNS_ALIGN_DEFAULT);
    if (lits == NULL) {
        return s->status = cns_context_memory_status(s->context, size);
    }
    for (uint32_t k = 0; k < count; k++) {
        lits[k] = cns_load_lit(&w->loader, orders->assumptions[k]);
    }
    cns_status status =
        s->status == CNS_OK ? cns_search_assume(&w->search, lits, count) : s->status;
    cns_context_free(s->context, lits, size, CNS_ALIGN_DEFAULT);
    return status;
}

void cns_worker_apply_options(cns_worker *w, const cns_orders *orders) {
    const cns_solve_options *o = orders->options;
    cns_search *search = &w->search;
    bool free = o->strategy == CNS_STRATEGY_FREE ||
                (o->strategy == CNS_STRATEGY_DEFAULT && search->phase_count == 0);
    search->free = free;
    search->optimise = o->optimise;
    search->restart = o->restart;
    if (o->restart == CNS_RESTART_DEFAULT) {
        search->restart = free ? CNS_RESTART_LUBY : CNS_RESTART_NONE;
    }
    search->restart_scale = o->restart_scale;
    search->restart_base = o->restart_base;
    cns_search_reset(search);
}

cns_shape cns_worker_shape(const cns_model *m) {
    uint32_t outputs = 0;
    for (uint32_t v = 0; v < m->variable_count && m->any_output; v++) {
        outputs += m->variables[v].output;
    }
    return (cns_shape){m->variable_count, m->constraint_count,
                       m->phase_count,    outputs,
                       m->goal,           m->goal == CNS_SATISFY ? 0 : m->objective};
}

bool cns_worker_has_shape(const cns_worker *w, cns_shape b) {
    cns_shape a = w->shape;
    return w->loaded && a.variables == b.variables && a.constraints == b.constraints &&
           a.phases == b.phases && a.outputs == b.outputs && a.goal == b.goal &&
           a.objective == b.objective;
}

static uint64_t mix(uint64_t hash, uint64_t word) {
    return cns_multiply_fold64(hash ^ word, UINT64_C(0x9e3779b97f4a7c15)) + 1;
}

/* What the model's variables are, and what integers and Booleans are by themselves. */
static uint64_t hash_numbers(const cns_worker *w) {
    const cns_loader *l = &w->loader;
    const cns_state *s = &w->state;
    uint64_t hash = mix(s->int_count, s->bool_count);
    for (uint32_t v = 0; v < l->variable_count; v++) {
        const cns_alias *a = &l->aliases[v];
        hash = mix(mix(mix(hash, (uint64_t)a->root), (uint64_t)a->sign), (uint64_t)a->offset);
        hash = mix(mix(mix(hash, l->lits[v]), l->views[v].term), (uint64_t)l->views[v].offset);
    }
    for (uint32_t n = 0; n < s->int_count; n++) {
        for (uint32_t k = 0; k < 2 * s->ints[n].range_count; k++) {
            hash = mix(hash, (uint64_t)s->ints[n].ranges[k]);
        }
    }
    for (uint32_t n = 0; n < s->bool_count; n++) {
        const cns_atom *atom = &s->atoms[n];
        bool plain = s->kind[n] == CNS_BOOL_PLAIN;
        hash = mix(mix(hash, s->kind[n]), plain ? 0 : atom->integer);
        hash = mix(hash, plain ? 0 : (uint64_t)atom->value);
    }
    return hash;
}

bool cns_worker_numbers_alike(const cns_worker *a, const cns_worker *b) {
    return a->common_ints == b->common_ints && a->common_bools == b->common_bools &&
           a->numbering == b->numbering;
}

static void note_shape(cns_worker *w) {
    if (!w->loaded) {
        w->loaded = true;
        w->shape = cns_worker_shape(w->loader.model);
        if (w->loader.batches > 1) {
            w->shape.constraints = UINT32_MAX; /* no other worker numbers like that */
        }
        w->common_ints = w->state.int_count;
        w->common_bools = w->state.bool_count;
        w->numbering = hash_numbers(w);
    }
}

/* What is not a matter of single constraints. */
static cns_status load_rest(cns_worker *w, const cns_orders *orders) {
    cns_state *s = &w->state;
    cns_status status = CNS_OK;
    if (!s->failed) {
        status = load_phases(w);
        status = status == CNS_OK ? load_goal(w) : status;
        note_shape(w);
        status = status == CNS_OK ? load_outputs(w, orders) : status;
        status = status == CNS_OK ? load_assumptions(w, orders) : status;
        if (status == CNS_OK) {
            load_hints(w);
            status = s->status;
        }
        s->pinned_count = s->bool_count;
        cns_worker_apply_options(w, orders);
    }
    return status != CNS_OK ? status : s->status;
}

cns_status cns_worker_load_some(cns_worker *w, const cns_orders *orders, uint64_t ticks,
                                bool *done) {
    cns_backtrack(&w->state, 0);
    w->search.core_count = 0;
    uint64_t before = w->loader.ticks;
    cns_status status = cns_load_some(&w->loader, ticks, done);
    w->search.simplified_at += w->loader.ticks - before; /* which was no search */
    return status == CNS_OK && *done ? load_rest(w, orders) : status;
}

cns_status cns_worker_load(cns_worker *w, const cns_orders *orders) {
    bool done;
    return cns_worker_load_some(w, orders, UINT64_MAX, &done);
}

/* ---- what others have found ----------------------------------------------------------------- */

void cns_worker_improve(cns_worker *w, int64_t objective) {
    int64_t least = w->loader.model->goal == CNS_MAXIMIZE ? -objective : objective;
    cns_search_improve(&w->search, least - w->search.objective_offset - 1);
}

void cns_worker_prefer(cns_worker *w, const int64_t *values) {
    for (uint32_t v = 0; v < w->loader.variable_count; v++) {
        cns_load_prefer(&w->loader, (cns_var)v, values[v]);
    }
}
