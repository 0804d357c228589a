/* SPDX-License-Identifier: MIT
 *
 * tasks/team.h - several threads at one job that lives on its owner's stack: loops and graphs.
 *
 * The owner works and invites; an invitation is a task that anybody may take. A member that finds
 * nothing more to do takes its unclaimed invitations back and leaves. `active` counts members and
 * invitations, so that at zero nobody can touch the team any more and the owner may return.
 */
#ifndef CNS_TASKS_TEAM_H
#define CNS_TASKS_TEAM_H

#include "tasks/pool.h"

enum { CNS_SEATS_ON_STACK = 16, CNS_INVITATIONS = 2 };

typedef struct cns_seat {
    _Alignas(64) CNS_ATOMIC(uint64_t) range; /* loops: first part in the low half, end above */
    CNS_ATOMIC(uint32_t) taken;
    CNS_ATOMIC(cns_slot *) slot; /* of the member here, and its deque's floor, to help it */
    CNS_ATOMIC(int64_t) floor;
} cns_seat;

typedef struct cns_team cns_team;

typedef struct cns_member {
    cns_team *team;
    cns_slot *slot; /* NULL: an outside thread for which no slot was left */
    uint32_t seat;
    cns_future *invitations[CNS_INVITATIONS];
} cns_member;

struct cns_team {
    cns_tasks *pool;
    void (*work)(cns_member *member); /* returns when nothing is left to do, now */
    cns_priority priority;
    uint32_t seat_count;
    cns_seat *seats;
    CNS_ATOMIC(uint32_t) active; /* with a flag above: the owner sleeps */
    cns_membership membership;   /* of an owner from outside */
    bool entered;
    cns_seat own_seats[CNS_SEATS_ON_STACK];
};

/* The calling thread becomes the owner, in seat 0. `work` and `priority` are set afterwards. */
void cns_team_open(cns_team *team, cns_tasks *pool, uint32_t seats, cns_member *owner);
/* Asks others to join, as far as seats and memory go. */
void cns_team_invite(cns_member *member, uint32_t wanted);
/* Takes the owner's invitations back and waits until `over(team)`; NULL: until nobody is active. */
void cns_team_wait(cns_member *owner, bool (*over)(const void *team));
bool cns_team_is_empty(const cns_team *team);
/* Wakes an owner that waits for something else than an empty team. */
void cns_team_wake_owner(cns_team *team);
/* requires: nobody is active. */
void cns_team_close(cns_team *team);
/* How many threads a loop of the calling thread uses: the workers' number, an outside thread taking
 * the place of one. Beside an outside thread a pool's only worker would then have nothing to do, so
 * these two work together. */
uint32_t cns_team_width(const cns_tasks *pool);

#endif
