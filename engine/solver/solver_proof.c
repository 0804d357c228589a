/* SPDX-License-Identifier: MIT
 *
 * solver/solver_proof.c - when the public solver writes a proof, and what of.
 */
#include "solver/solver_impl.h"

cns_status cns_solver_set_proof(cns_solver *solver, cns_solver_proof_write write, void *user) {
    CNS_SOLVER_NEED(solver);
    if (solver->begun && write != NULL) {
        return cns_fail(solver->context, CNS_E_INVALID,
                        "cns_solver_set_proof: the search has begun");
    }
    if (solver->proof != NULL) {
        cns_proof_flush(solver->proof);
        cns_proof_deinit(solver->proof, solver->context);
        cns_context_free(solver->context, solver->proof, sizeof *solver->proof, CNS_ALIGN_DEFAULT);
        solver->proof = solver->own.state.proof = NULL;
    }
    if (write != NULL) {
        solver->proof = cns_context_calloc(solver->context, sizeof *solver->proof);
        if (solver->proof == NULL) {
            return cns_context_memory_status(solver->context, sizeof *solver->proof);
        }
        solver->proof->write = write;
        solver->proof->user = user;
        solver->proof->model = &solver->model;
        solver->own.state.proof = solver->proof;
        solver->torn = solver->torn || solver->loading || solver->own.loaded; /* it was no part */
    }
    return CNS_OK;
}

cns_status cns_solver_allow_proof(const cns_solver *solver) {
    if (solver->proof == NULL) {
        return CNS_OK;
    }
    if (solver->options.workers > 1) {
        return cns_fail(solver->context, CNS_E_UNSUPPORTED,
                        "a proof is written by one worker, not %u",
                        (unsigned)solver->options.workers);
    }
    if (solver->proof->begun && (!solver->loaded || solver->torn)) {
        return cns_fail(solver->context, CNS_E_UNSUPPORTED,
                        "a proof covers one search of a model that does not change");
    }
    return CNS_OK;
}

cns_status cns_solver_conclude_proof(cns_solver *solver, const cns_search *search) {
    bool any = solver->model.goal == CNS_SATISFY && solver->options.all_solutions == 0 &&
               solver->has_solution;
    if (any) {
        return CNS_OK;
    }
    size_t size = (search->core_count + 1) * sizeof(cns_lit);
    cns_lit *lits = cns_context_alloc(solver->context, size, CNS_ALIGN_DEFAULT);
    if (lits == NULL) {
        return cns_context_memory_status(solver->context, size);
    }
    for (uint32_t k = 0; k < search->core_count; k++) {
        lits[k] = search->assumptions[search->core[k]];
    }
    cns_state *s = &solver->own.state;
    cns_proof_conclude(s, lits, s->failed ? 0 : search->core_count);
    cns_context_free(solver->context, lits, size, CNS_ALIGN_DEFAULT);
    return CNS_OK;
}
