/* SPDX-License-Identifier: MIT
 *
 * seating.c - five guests in a row, and what they wish: which wishes cannot hold together, in
 * words; all seatings without one of those; and whether one more rule leaves a single seating.
 *
 *   cc seating.c $(pkg-config --cflags --libs cns) && ./a.out
 *
 * Each wish holds where its literal does. Assuming all of them asks whether they fit together, and
 * a smallest set of those that do not is the answer when they do not. All 120 seatings, tried in
 * plain C, are the judge.
 */
#include <cns/cns.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

enum { ADA, BOB, CLEO, DAN, EVA, GUESTS };

static const char *const guests[GUESTS] = {"Ada", "Bob", "Cleo", "Dan", "Eva"};

typedef struct wish {
    const char *text;
    int guest, left_of; /* left of another guest; or, with -1, */
    int64_t seats[4];   /* on one of these seats: ranges low..high */
    size_t ranges;
} wish;

static const wish wishes[] = {
    {"Ada sits left of Bob", ADA, BOB, {0}, 0},
    {"Bob sits left of Cleo", BOB, CLEO, {0}, 0},
    {"Cleo sits left of Ada", CLEO, ADA, {0}, 0},
    {"Dan sits at an end", DAN, -1, {1, 1, 5, 5}, 2},
    {"Eva sits in the middle", EVA, -1, {3, 3}, 1},
};
enum { WISHES = sizeof wishes / sizeof *wishes };

static const wish rule = {"Dan sits on the left", DAN, -1, {1, 2}, 1};

typedef struct party {
    cns_context *context;
    cns_solver *solver;
    cns_var seat[GUESTS];
    cns_var granted[WISHES];
    int found;
} party;

/* States the wish: where `literal` holds, or always. */
static cns_status state_wish(party *p, const wish *w, const cns_var *literal) {
    const cns_var seats[2] = {p->seat[w->guest], w->left_of < 0 ? 0 : p->seat[w->left_of]};
    const int64_t signs[2] = {1, -1};
    const int64_t most = -1;
    cns_constraint c = {.size = sizeof c, .v = {seats}, .v_count = {1}, .name = w->text};
    if (w->left_of < 0) {
        c.kind = CNS_IN;
        c.i[0] = w->seats;
        c.i_count[0] = 2 * w->ranges;
    } else { /* seats[0] - seats[1] <= -1 */
        c.kind = CNS_LINEAR_LE;
        c.v_count[0] = 2;
        c.i[0] = signs;
        c.i_count[0] = 2;
        c.i[1] = &most;
        c.i_count[1] = 1;
    }
    if (literal != NULL) {
        c.condition = CNS_IF;
        c.literal = *literal;
    }
    return cns_solver_add(p->solver, &c);
}

static cns_status build(party *p) {
    cns_status status = CNS_OK;
    for (int k = 0; k < GUESTS && status == CNS_OK; k++) {
        status = cns_solver_new_int(p->solver, 1, GUESTS, guests[k], &p->seat[k]);
        /* Only seats tell seatings apart, not which wishes happen to be granted. */
        status = status == CNS_OK ? cns_solver_mark_output(p->solver, p->seat[k]) : status;
    }
    const cns_constraint differ = {
        .size = sizeof differ, .kind = CNS_ALLDIFFERENT, .v = {p->seat}, .v_count = {GUESTS}};
    status = status == CNS_OK ? cns_solver_add(p->solver, &differ) : status;
    for (int k = 0; k < WISHES && status == CNS_OK; k++) {
        status = cns_solver_new_bool(p->solver, wishes[k].text, &p->granted[k]);
        status = status == CNS_OK ? state_wish(p, &wishes[k], &p->granted[k]) : status;
    }
    return status;
}

/* Called for each solution; another value than 0 would end the search. */
static int show(void *user, cns_solver *solver) {
    party *p = user;
    const char *row[GUESTS] = {0};
    for (int k = 0; k < GUESTS; k++) {
        int64_t seat = 0;
        cns_solver_value(solver, p->seat[k], &seat);
        row[seat - 1] = guests[k];
    }
    for (int k = 0; k < GUESTS; k++) {
        printf("%s%s", row[k], k == GUESTS - 1 ? "\n" : " ");
    }
    p->found++;
    return 0;
}

/* All seatings in which the first `count` of `granted` hold. */
static cns_status solve(party *p, const cns_var *granted, size_t count, cns_outcome *outcome) {
    const cns_solve_options options = {
        .size = sizeof options, .all_solutions = 1, .time_limit = UINT64_C(10000000000)};
    const cns_solver_events events = {.size = sizeof events, .solution = show, .user = p};
    p->found = 0;
    cns_status status = cns_solver_set_options(p->solver, &options);
    status = status == CNS_OK ? cns_solver_assume(p->solver, granted, count) : status;
    return status == CNS_OK ? cns_solver_run(p->solver, &events, outcome) : status;
}

/* ---- the judge ------------------------------------------------------------------------------- */

static bool holds(const wish *w, const int *seat) {
    if (w->left_of >= 0) {
        return seat[w->guest] < seat[w->left_of];
    }
    for (size_t k = 0; k < w->ranges; k++) {
        if (seat[w->guest] >= w->seats[2 * k] && seat[w->guest] <= w->seats[2 * k + 1]) {
            return true;
        }
    }
    return false;
}

/* Seatings from guest `next` on in which the wishes of the bits in `set` hold, and the rule. */
static int count_seatings(int next, int *seat, unsigned set, bool ruled) {
    if (next == GUESTS) {
        bool all = !ruled || holds(&rule, seat);
        for (int k = 0; k < WISHES; k++) {
            all = all && ((set >> k & 1) == 0 || holds(&wishes[k], seat));
        }
        return all;
    }
    int total = 0;
    for (seat[next] = 1; seat[next] <= GUESTS; seat[next]++) {
        bool taken = false;
        for (int k = 0; k < next; k++) {
            taken = taken || seat[k] == seat[next];
        }
        total += taken ? 0 : count_seatings(next + 1, seat, set, ruled);
    }
    return total;
}

static int judge(unsigned set, bool ruled) {
    int seat[GUESTS] = {0};
    return count_seatings(0, seat, set, ruled);
}

/* ---- the party ------------------------------------------------------------------------------- */

/* The wishes to blame as bits; each is printed by its name. */
static cns_status blame(party *p, unsigned *set) {
    const cns_var *core = NULL;
    size_t count = 0;
    cns_status status = cns_solver_core(p->solver, 1, &core, &count);
    *set = 0;
    printf("These cannot hold together:\n");
    for (size_t k = 0; k < count && status == CNS_OK; k++) {
        printf("  - %s\n", cns_solver_variable_name(p->solver, core[k]));
        for (int w = 0; w < WISHES; w++) {
            *set |= core[k] == p->granted[w] ? 1U << w : 0;
        }
    }
    return status;
}

/* Whether no seating has all of them, and any one less leaves some. */
static bool is_smallest(unsigned set) {
    bool smallest = set != 0 && judge(set, false) == 0;
    for (int k = 0; k < WISHES; k++) {
        smallest = smallest && ((set >> k & 1) == 0 || judge(set & ~(1U << k), false) > 0);
    }
    return smallest;
}

/* All wishes but the last of those in `blamed`; how many. */
static size_t drop_last(const party *p, unsigned *set, unsigned blamed, cns_var *rest) {
    size_t count = 0;
    *set = 0;
    for (int k = 0; k < WISHES; k++) {
        if (blamed >> k == 1) {
            printf("Without \"%s\":\n", wishes[k].text);
        } else {
            rest[count++] = p->granted[k];
            *set |= 1U << k;
        }
    }
    return count;
}

static cns_status plan(party *p, bool *right) {
    cns_outcome outcome = CNS_RUNNING;
    unsigned blamed = 0, set = 0;
    cns_status status = solve(p, p->granted, WISHES, &outcome);
    status = status == CNS_OK ? blame(p, &blamed) : status;
    if (status != CNS_OK || outcome != CNS_COMPLETE || p->found > 0 || !is_smallest(blamed)) {
        return status;
    }
    cns_var rest[WISHES];
    size_t count = drop_last(p, &set, blamed, rest);
    status = solve(p, rest, count, &outcome);
    if (status != CNS_OK || outcome != CNS_COMPLETE || p->found != judge(set, false)) {
        return status;
    }
    printf("And where %s:\n", rule.text); /* the model grows; what was learnt is kept */
    status = state_wish(p, &rule, NULL);
    status = status == CNS_OK ? solve(p, rest, count, &outcome) : status;
    *right = status == CNS_OK && outcome == CNS_COMPLETE && p->found == 1 && judge(set, true) == 1;
    return status;
}

int main(void) {
    party p = {0};
    bool right = false;
    cns_status status = cns_context_create(NULL, &p.context);
    if (status == CNS_OK) {
        const cns_solver_config config = {.size = sizeof config, .memory_limit = 16 << 20};
        status = cns_solver_create(p.context, &config, &p.solver);
    }
    status = status == CNS_OK ? build(&p) : status;
    status = status == CNS_OK ? plan(&p, &right) : status;
    if (status != CNS_OK) {
        char text[256] = "";
        cns_context_message(p.context, text, sizeof text);
        fprintf(stderr, "seating: %s %s\n", cns_status_text(status), text);
    } else if (right) {
        printf("That is the only one.\n");
    }
    cns_solver_destroy(p.solver);
    cns_context_destroy(p.context);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
