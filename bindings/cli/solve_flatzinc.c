/* SPDX-License-Identifier: MIT
 *
 * solve_flatzinc.c - a FlatZinc file: loaded by bindings/minizinc, printed as MiniZinc expects it.
 */
#include "solve.h"

#include "problem.h"

static bool write_text(void *user, const char *text, size_t length) {
    (void)user;
    return fwrite(text, 1, length, stdout) == length;
}

static void print_solution(void *user) {
    fzn_problem_write(user, write_text, NULL);
}

/* The solver is not told the names that the compiler made; a proof's reader needs them. */
static void write_names(void *user, FILE *proof) {
    const fzn_problem *problem = user;
    uint32_t count;
    const fzn_declaration *d = fzn_variables(problem->reader, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (d[i].value.kind == FZN_NONE) {
            fprintf(proof, "v %d %.*s\n", (int)problem->vars[i], (int)d[i].name_length, d[i].name);
        }
    }
}

static const solve_format format = {
    .names = write_names,
    .solution = print_solution,
    .separator = "----------\n",
    .complete = "==========\n",
    .infeasible = "=====UNSATISFIABLE=====\n",
    .unknown = "=====UNKNOWN=====\n",
};

static int solve_loaded(solve_job *job, fzn_problem *problem) {
    static const cns_goal goals[] = {CNS_SATISFY, CNS_MINIMIZE, CNS_MAXIMIZE};
    job->goal = goals[problem->goal];
    job->options = problem->options;
    job->solver = problem->solver;
    job->user = problem;
    if (job->request->verbose) {
        fprintf(stderr, "%% loaded in %.3f s: %u variables, %u constraints\n",
                (double)(solve_clock() - job->request->began) / 1e9,
                (unsigned)cns_solver_variable_count(job->solver),
                (unsigned)cns_solver_constraint_count(job->solver));
    }
    if (problem->warnings > 0) {
        cli_warning("%s: %s%s", job->request->path, problem->warning,
                    problem->warnings > 1 ? " (and others)" : "");
    }
    return solve_search(job);
}

int solve_flatzinc(const solve_request *request, cns_context *context) {
    const cns_solver_config config = {.size = sizeof config, .seed = (uint64_t)request->seed};
    solve_job job = {.request = request, .context = context, .format = &format};
    fzn_problem *problem = NULL;
    cns_status status = fzn_problem_create(context, &config, &problem);
    if (status != CNS_OK) {
        return solve_failed(&job, status);
    }
    problem->stop = solve_must_stop;
    problem->stop_user = (void *)request;
    int code;
    status = fzn_problem_load(problem, request->path);
    if (status == CNS_E_CANCELLED) {
        fputs(format.unknown, stdout);
        code = solve_interrupted() ? CLI_INTERRUPTED : CLI_SUCCESS;
    } else if (status != CNS_OK) {
        job.message = problem->message;
        code = solve_failed(&job, status);
    } else {
        code = solve_loaded(&job, problem);
    }
    fzn_problem_destroy(problem);
    return code;
}
