/* SPDX-License-Identifier: MIT
 *
 * solve.c - `cnsengine solve`: the options, the signals, and the loop of the search.
 */
#define _GNU_SOURCE

#include "solve.h"

#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ALL = 1,
    INTERMEDIATE,
    FREE,
    SOLUTIONS,
    WORKERS,
    SEED,
    STATISTICS,
    TIME,
    VERBOSE,
    MEMORY,
    PROOF,
    OPTIMISE
};

#define MILLISECOND UINT64_C(1000000)
#define SECOND (1000 * MILLISECOND)

static const cli_option solve_options[] = {
    {ALL, "--all-solutions", 'a', NULL, "all solutions; of an optimisation, each better one"},
    {INTERMEDIATE, "--intermediate", 'i', NULL, "show each better solution as it is found"},
    {SOLUTIONS, "--solutions", 'n', "N", "stop after N solutions"},
    {FREE, "--free-search", 'f', NULL, "search by activity, too, not as annotated only"},
    {WORKERS, "--parallel", 'p', "N", "search with N threads"},
    {SEED, "--random-seed", 'r', "N", "the seed; 0 if not given"},
    {STATISTICS, "--statistics", 's', NULL, "print statistics at the end"},
    {TIME, "--time-limit", 't', "MS", "stop after so many milliseconds, reading included"},
    {MEMORY, "--memory", 'm', "SIZE", "memory for everything: 512M, \"1.5 GiB\""},
    {OPTIMISE, "--optimise", 0, "HOW", "default, linear, probe or cores"},
    {PROOF, "--proof", 0, "FILE", "write a proof of what is concluded to FILE"},
    {VERBOSE, "--verbose", 'v', NULL, "say on stderr what is going on"},
    {0, NULL, 0, NULL, NULL},
};

uint64_t solve_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

/* ---- interruption --------------------------------------------------------------------------- */

static _Atomic bool interrupted;
static cns_solver *_Atomic running; /* what a signal cancels */

static void on_signal(int number) {
    (void)number;
    atomic_store(&interrupted, true);
    cns_solver *solver = atomic_load(&running);
    if (solver != NULL) {
        cns_solver_cancel(solver);
    }
}

/* The second Ctrl-C ends the process at once. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

bool solve_interrupted(void) {
    return atomic_load(&interrupted);
}

bool solve_must_stop(void *user) {
    const solve_request *request = user;
    return atomic_load(&interrupted) ||
           (request->time_limit != 0 && solve_clock() - request->began >= request->time_limit);
}

/* ---- the search ----------------------------------------------------------------------------- */

static void print_statistics(const solve_job *job) {
    cns_solver_stats stats;
    cns_solver_get_stats(job->solver, &stats);
    const double megabyte = 1 << 20;
    double load = (double)(job->loaded - job->request->began + stats.setup_time) / 1e9;
    printf("%%%%%%mzn-stat: variables=%" PRIu32 "\n", cns_solver_variable_count(job->solver));
    printf("%%%%%%mzn-stat: constraints=%" PRIu32 "\n", cns_solver_constraint_count(job->solver));
    printf("%%%%%%mzn-stat: intVars=%" PRIu64 "\n", stats.int_vars);
    printf("%%%%%%mzn-stat: boolVariables=%" PRIu64 "\n", stats.bool_vars);
    printf("%%%%%%mzn-stat: propagators=%" PRIu64 "\n", stats.propagators);
    printf("%%%%%%mzn-stat: clauses=%" PRIu64 "\n", stats.clauses);
    printf("%%%%%%mzn-stat: propagations=%" PRIu64 "\n", stats.propagations);
    printf("%%%%%%mzn-stat: nodes=%" PRIu64 "\n", stats.nodes);
    printf("%%%%%%mzn-stat: failures=%" PRIu64 "\n", stats.failures);
    printf("%%%%%%mzn-stat: restarts=%" PRIu64 "\n", stats.restarts);
    printf("%%%%%%mzn-stat: peakDepth=%" PRIu64 "\n", stats.peak_depth);
    printf("%%%%%%mzn-stat: nogoods=%" PRIu64 "\n", stats.learnt);
    printf("%%%%%%mzn-stat: randomSeed=%" PRId64 "\n", job->request->seed);
    printf("%%%%%%mzn-stat: peakMem=%.2f\n", (double)stats.memory_peak / megabyte);
    printf("%%%%%%mzn-stat: initTime=%.6f\n", load);
    printf("%%%%%%mzn-stat: solveTime=%.6f\n", (double)stats.search_time / 1e9);
    printf("%%%%%%mzn-stat: solutions=%" PRIu64 "\n", stats.solutions);
    if (job->goal != CNS_SATISFY) {
        if (stats.has_solution) {
            printf("%%%%%%mzn-stat: objective=%" PRId64 "\n", stats.objective);
        }
        printf("%%%%%%mzn-stat: objectiveBound=%" PRId64 "\n", stats.bound);
    }
    printf("%%%%%%mzn-stat-end\n");
}

static void print_solution(const solve_job *job) {
    job->format->solution(job->user);
    fputs(job->format->separator, stdout);
    fflush(stdout);
}

static void print_progress(const solve_job *job) {
    cns_solver_stats stats;
    cns_solver_get_stats(job->solver, &stats);
    fprintf(stderr, "%% %.1f s: %" PRIu64 " failures, %" PRIu64 " restarts, %" PRIu64 " nogoods",
            (double)(solve_clock() - job->request->began) / 1e9, stats.failures, stats.restarts,
            stats.learnt_now);
    if (job->goal != CNS_SATISFY && stats.has_solution) {
        fprintf(stderr, ", objective %" PRId64 ", bound %" PRId64, stats.objective, stats.bound);
    } else if (job->goal != CNS_SATISFY) {
        fprintf(stderr, ", bound %" PRId64, stats.bound);
    }
    fputc('\n', stderr);
}

int solve_failed(const solve_job *job, cns_status status) {
    char text[512] = "";
    cns_context_message(job->context, text, sizeof text);
    bool own = job->message != NULL && job->message[0] != 0;
    cli_error("%s: %s", job->request->path,
              own       ? job->message
              : text[0] ? text
                        : cns_status_text(status));
    bool limit = status == CNS_E_LIMIT || status == CNS_E_NOMEM;
    return atomic_load(&interrupted) ? CLI_INTERRUPTED : limit ? CLI_LIMIT : CLI_FAILURE;
}

static cns_status set_options(solve_job *job) {
    const solve_request *r = job->request;
    job->options.size = sizeof job->options;
    job->options.all_solutions = r->all || r->solutions > 1;
    if (r->free) {
        job->options.strategy = CNS_STRATEGY_FREE;
    }
    job->options.optimise = r->optimise;
    if (r->time_limit != 0) {
        uint64_t used = solve_clock() - r->began;
        job->options.time_limit = used < r->time_limit ? r->time_limit - used : 1;
    }
    return cns_solver_set_options(job->solver, &job->options);
}

/* What is shown, and what is kept for the end. */
typedef struct listener {
    solve_job *job;
    bool show;      /* solutions as they are found */
    int64_t wanted; /* solutions before the search stops */
    bool found;     /* one */
    bool pending;   /* it is not printed yet */
} listener;

static int on_solution(void *user, cns_solver *solver) {
    listener *l = user;
    (void)solver;
    l->found = true;
    l->pending = !l->show;
    if (l->show) {
        print_solution(l->job);
    }
    return --l->wanted == 0 || ferror(stdout) || solve_must_stop((void *)l->job->request);
}

static int on_progress(void *user, cns_solver *solver) {
    const listener *l = user;
    (void)solver;
    print_progress(l->job);
    return 0;
}

static listener start_listener(solve_job *job) {
    const solve_request *r = job->request;
    bool one = job->goal == CNS_SATISFY && !r->all;
    return (listener){
        .job = job,
        .show = job->goal == CNS_SATISFY || r->all || r->intermediate || r->solutions > 0,
        .wanted = r->solutions > 0 ? r->solutions
                  : one            ? 1
                                   : INT64_MAX,
    };
}

static cns_status run(listener *l, cns_outcome *outcome) {
    const cns_solver_events events = {
        .size = sizeof events,
        .interval = SECOND,
        .solution = on_solution,
        .progress = l->job->request->verbose ? on_progress : NULL,
        .user = l,
    };
    return cns_solver_run(l->job->solver, &events, outcome);
}

/* The threads of --parallel start when the search first has work for them: many end before. */
typedef struct crew {
    cns_context *context;
    uint32_t workers;
    cns_tasks *tasks;
    cns_executor executor;
} crew;

static cns_status work_together(void *user, int64_t begin, int64_t end, int64_t grain,
                                cns_range_fn body, void *body_user) {
    crew *c = user;
    if (c->tasks == NULL) {
        /* This thread works with them. A pool takes it for one of its own, where it has several. */
        const cns_tasks_config config = {
            .size = sizeof config, .workers = c->workers == 2 ? 1 : c->workers, .name = "solve"};
        cns_status status = cns_tasks_create(c->context, &config, &c->tasks);
        if (status != CNS_OK) {
            return status;
        }
        cns_tasks_executor(c->tasks, &c->executor);
    }
    return c->executor.parallel_for(c->executor.pool, begin, end, grain, body, body_user);
}

static void dismiss(solve_job *job, crew *c) {
    if (c->workers > 1) {
        cns_solver_set_options(job->solver, NULL); /* its workers go, that know the threads */
    }
    cns_tasks_destroy(c->tasks);
}

/* ---- the proof ------------------------------------------------------------------------------ */

static int write_proof(void *user, const char *text, size_t length) {
    return fwrite(text, 1, length, user) == length ? 0 : -1;
}

static cns_status open_proof(solve_job *job, FILE **file) {
    if (job->request->proof == NULL) {
        return CNS_OK;
    }
    *file = fopen(job->request->proof, "wb");
    if (*file == NULL) {
        job->message = "the proof's file cannot be opened";
        return CNS_E_IO;
    }
    if (job->format->names != NULL) {
        job->format->names(job->user, *file);
    }
    return cns_solver_set_proof(job->solver, write_proof, *file);
}

/* What is written is of use only when all of it is. */
static cns_status close_proof(solve_job *job, FILE *file, cns_status status) {
    if (file == NULL) {
        return status;
    }
    cns_solver_set_proof(job->solver, NULL, NULL);
    bool written = ferror(file) == 0;
    written = fclose(file) == 0 && written;
    if (!written) {
        job->message = "the proof could not be written";
        return CNS_E_IO;
    }
    return status;
}

/* A limit on time is one of the process: the system takes its memory back at once, whereas giving
 * it back piece by piece may take some tenths of a second. Where a sanitizer looks for memory that
 * was forgotten, the usual way out is taken. */
static void leave(int code) {
#if !defined(CNS_SANITIZED)
    _exit(code);
#else
    (void)code;
#endif
}

int solve_search(solve_job *job) {
    FILE *proof = NULL;
    crew workers = {.context = job->context, .workers = (uint32_t)job->request->workers};
    const cns_executor executor = {work_together, &workers, workers.workers, 0};
    listener heard = start_listener(job);
    cns_outcome outcome = CNS_RUNNING;
    job->loaded = solve_clock();
    atomic_store(&running, job->solver);
    if (atomic_load(&interrupted)) {
        cns_solver_cancel(job->solver);
    }
    job->message = NULL;
    cns_status status = open_proof(job, &proof);
    if (workers.workers > 1) {
        job->options.executor = &executor;
        job->options.workers = workers.workers;
    }
    if (status == CNS_OK) {
        status = set_options(job);
    }
    if (status == CNS_OK) {
        status = run(&heard, &outcome);
    }
    atomic_store(&running, (cns_solver *)NULL);
    status = close_proof(job, proof, status);
    if (heard.pending) {
        print_solution(job);
    }
    if (status == CNS_OK && outcome == CNS_COMPLETE) {
        fputs(heard.found ? job->format->complete : job->format->infeasible, stdout);
    } else if (!heard.found) {
        fputs(job->format->unknown, stdout);
    }
    if (job->request->statistics) {
        print_statistics(job);
    }
    bool written = fflush(stdout) == 0 && !ferror(stdout); /* else the usual way out tells */
    if (written && status == CNS_OK && outcome == CNS_STOPPED && job->request->time_limit != 0) {
        leave(solve_interrupted() ? CLI_INTERRUPTED : CLI_SUCCESS);
    }
    dismiss(job, &workers);
    if (status != CNS_OK) {
        return solve_failed(job, status);
    }
    return atomic_load(&interrupted) ? CLI_INTERRUPTED : CLI_SUCCESS;
}

/* ---- the command ---------------------------------------------------------------------------- */

static bool number(const cli_command *command, const cli_args *args, int64_t low, int64_t high,
                   int64_t *out) {
    return cli_parse_integer(args->value, low, high, out) ||
           (cli_usage(command, "%s %s: want a number, %" PRId64 " to %" PRId64, args->option->name,
                      args->value, low, high),
            false);
}

static bool optimise(const cli_command *command, const cli_args *args, cns_optimise_policy *out) {
    static const char *const names[] = {"default", "linear", "probe", "cores"};
    for (int k = 0; k < 4; k++) {
        if (strcmp(args->value, names[k]) == 0) {
            *out = (cns_optimise_policy)k;
            return true;
        }
    }
    cli_usage(command, "--optimise %s: want default, linear, probe or cores", args->value);
    return false;
}

static bool apply(solve_request *request, const cli_command *command, const cli_args *args,
                  int id) {
    int64_t value;
    switch (id) {
    case ALL:
        return request->all = true;
    case INTERMEDIATE:
        return request->intermediate = true;
    case FREE:
        return request->free = true;
    case STATISTICS:
        return request->statistics = true;
    case VERBOSE:
        return request->verbose = true;
    case SOLUTIONS:
        return number(command, args, 1, INT64_MAX, &request->solutions);
    case WORKERS:
        return number(command, args, 1, 1024, &request->workers);
    case SEED:
        return number(command, args, INT64_MIN, INT64_MAX, &request->seed);
    case PROOF:
        request->proof = args->value;
        return true;
    case TIME:
        if (!number(command, args, 1, INT64_MAX / (int64_t)MILLISECOND, &value)) {
            return false;
        }
        request->time_limit = (uint64_t)value * MILLISECOND;
        return true;
    case OPTIMISE:
        return optimise(command, args, &request->optimise);
    case MEMORY:
        return (cli_parse_size(args->value, &request->memory_limit) && request->memory_limit > 0) ||
               (cli_usage(command, "--memory %s: want a size, as in 512M", args->value), false);
    default:
        if (request->path != NULL) {
            cli_usage(command, "one file is solved at a time, '%s' is another", args->value);
            return false;
        }
        request->path = args->value;
        return true;
    }
}

static bool is_dimacs(const char *path) {
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".cnf") == 0;
}

static int run_solve(const cli_command *command, int argc, char **argv) {
    solve_request request = {.began = solve_clock(), .workers = 1};
    cli_args args;
    cli_args_init(&args, command, argc, argv);
    for (int id; (id = cli_args_next(&args)) != CLI_END;) {
        if (id == CLI_BAD || id == CLI_HELP || !apply(&request, command, &args, id)) {
            return id == CLI_HELP ? CLI_SUCCESS : CLI_USAGE;
        }
    }
    if (request.path == NULL) {
        return cli_usage(command, "which file?");
    }
    if (request.proof != NULL && (request.workers > 1 || is_dimacs(request.path))) {
        return cli_usage(command, "--proof: proofs are of FlatZinc, and written by one thread");
    }
    const cns_context_config config = {.size = sizeof config, .memory_limit = request.memory_limit};
    cns_context *context;
    if (cns_context_create(&config, &context) != CNS_OK) {
        cli_error("not enough memory");
        return CLI_LIMIT;
    }
    catch_signals();
    int code = is_dimacs(request.path) ? solve_dimacs(&request, context)
                                       : solve_flatzinc(&request, context);
    cns_context_destroy(context);
    return code;
}

const cli_command cli_solve_command = {
    .name = "solve",
    .summary = "solve a constraint model in FlatZinc, or a CNF",
    .usage = "[OPTION]... FILE",
    .text = "Solves FILE, FlatZinc as MiniZinc compiles it or DIMACS CNF (.cnf), and prints\n"
            "solutions as MiniZinc expects them. Each one is checked against the whole model\n"
            "before it is printed.",
    .options = solve_options,
    .notes = "Of a satisfaction problem the first solution is shown, of an optimisation the\n"
             "best; ========== says that the search is complete. With --time-limit what was\n"
             "found so far is shown at its end, and so it is on Ctrl-C.\n"
             "\n"
             "Exit codes: 0 success, also when the time limit was reached; 1 the file cannot\n"
             "be read or is not supported; 2 usage; 6 memory; 130 interrupted.",
    .examples = "  cnsengine solve queens.fzn\n"
                "  cnsengine solve -f -a -s -t 30000 schedule.fzn\n"
                "  minizinc --solver cnsengine -a model.mzn data.dzn\n",
    .run = run_solve,
};
