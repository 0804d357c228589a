/* SPDX-License-Identifier: MIT
 *
 * tasks/team.c - see team.h.
 */
#include "tasks/team.h"

#define OWNER_WAITS UINT32_C(0x80000000)

/* Members end at about the same time: some 20 us awake are cheaper than being woken. */
enum { WAIT_YIELDS = 48 };

uint32_t cns_team_width(const cns_tasks *pool) {
    uint32_t workers = cns_tasks_workers(pool);
    /* One more than there are workers would mostly be one more than there are CPUs. */
    return cns_tasks_current_worker(pool) >= 0 || workers > 1 ? workers : 2;
}

static void take_seat(cns_member *member, uint32_t seat) {
    cns_seat *place = &member->team->seats[seat];
    member->seat = seat;
    CNS_STORE(&place->floor, member->slot ? cns_deque_position_owner(&member->slot->deque) : 0,
              relaxed);
    CNS_STORE(&place->slot, member->slot, release);
}

static void init_seats(cns_team *team, uint32_t seats) {
    team->seats = team->own_seats;
    team->seat_count = seats;
    if (seats > CNS_SEATS_ON_STACK) {
        team->seats = cns_context_alloc(team->pool->context, seats * sizeof(cns_seat), 64);
        if (!team->seats) { /* fewer threads, the same result */
            team->seats = team->own_seats;
            team->seat_count = CNS_SEATS_ON_STACK;
        }
    }
    for (uint32_t i = 0; i < team->seat_count; i++) {
        CNS_STORE(&team->seats[i].range, 0, relaxed);
        CNS_STORE(&team->seats[i].taken, i == 0, relaxed);
        CNS_STORE(&team->seats[i].slot, NULL, relaxed);
        CNS_STORE(&team->seats[i].floor, 0, relaxed);
    }
}

void cns_team_open(cns_team *team, cns_tasks *pool, uint32_t seats, cns_member *owner) {
    cns_slot *slot = cns_pool_slot(pool);
    team->pool = pool;
    team->entered = false;
    if (!slot) {
        slot = cns_pool_enter(pool, &team->membership);
        team->entered = slot != NULL;
    }
    CNS_STORE(&team->active, 0, relaxed);
    init_seats(team, seats);
    *owner = (cns_member){.team = team, .slot = slot};
    take_seat(owner, 0);
}

void cns_team_close(cns_team *team) {
    if (team->seats != team->own_seats) {
        cns_context_free(team->pool->context, team->seats, team->seat_count * sizeof(cns_seat), 64);
    }
    if (team->entered) {
        cns_pool_leave(&team->membership);
    }
}

/* The last touch of the team by anyone but its owner. */
static void leave(cns_team *team) {
    cns_tasks *pool = team->pool;
    if (CNS_SUB(&team->active, 1, acq_rel) == (OWNER_WAITS | 1)) {
        cns_lot_wake(&pool->lot, team);
    }
}

void cns_team_wake_owner(cns_team *team) {
    if (CNS_LOAD(&team->active, seq_cst) & OWNER_WAITS) {
        cns_lot_wake(&team->pool->lot, team);
    }
}

/* ---- invitations ---------------------------------------------------------------------------- */

static void take_back(cns_member *member) {
    cns_tasks *pool = member->team->pool;
    for (int i = 0; i < CNS_INVITATIONS; i++) {
        cns_future *invitation = member->invitations[i];
        if (!invitation) {
            continue;
        }
        member->invitations[i] = NULL;
        if (cns_task_claim(invitation)) {
            if (cns_pool_withdraw(pool, invitation)) {
                cns_task_release(invitation, member->slot);
            }
            leave(member->team); /* for the one who never came; we are still in */
        }
        cns_task_release(invitation, member->slot);
    }
    if (member->slot) {
        cns_task_sweep(member->slot);
    }
}

static cns_status accept_invitation(void *user, cns_cancel *cancel) {
    (void)cancel;
    cns_team *team = user;
    cns_member member = {.team = team, .slot = cns_pool_slot(team->pool)};
    uint32_t others = team->seat_count - 1;
    uint32_t index = member.slot->index; /* the same seat each time, if nobody else has it */
    for (uint32_t i = 0; i < others; i++) {
        uint32_t seat = 1 + (index + i) % others;
        uint32_t vacant = 0;
        if (CNS_LOAD(&team->seats[seat].taken, relaxed) == 0 &&
            CNS_CAS(&team->seats[seat].taken, &vacant, 1, seq_cst)) {
            take_seat(&member, seat);
            team->work(&member);
            take_back(&member);
            CNS_STORE(&team->seats[seat].slot, NULL, relaxed);
            CNS_STORE(&team->seats[seat].taken, 0, release);
            break;
        }
    }
    leave(team);
    return CNS_OK;
}

static cns_future *create_invitation(cns_member *member) {
    cns_future *task = cns_task_create(member->team->pool, member->slot);
    if (task) {
        CNS_STORE(&task->references, 2, relaxed);
        task->fn = accept_invitation;
        task->user = member->team;
        task->finalize = NULL;
        task->cancel = NULL;
        task->priority = (uint8_t)member->team->priority;
        task->external = false;
        task->internal = true;
    }
    return task;
}

void cns_team_invite(cns_member *member, uint32_t wanted) {
    cns_team *team = member->team;
    for (int i = 0; i < CNS_INVITATIONS && wanted > 0; i++) {
        cns_future *old = member->invitations[i];
        if (old && !(CNS_LOAD(&old->state, relaxed) & CNS_TASK_BEGUN)) {
            wanted--; /* still standing */
            continue;
        }
        if (old) {
            cns_task_release(old, member->slot);
            member->invitations[i] = NULL;
        }
        /* We are in, so the count cannot fall to zero here and nobody is told by mistake. */
        if ((CNS_LOAD(&team->active, relaxed) & ~OWNER_WAITS) + 1 >= team->seat_count) {
            return;
        }
        if ((CNS_ADD(&team->active, 1, relaxed) & ~OWNER_WAITS) + 1 >= team->seat_count) {
            leave(team);
            return;
        }
        cns_future *task = create_invitation(member);
        if (!task) {
            leave(team);
            return;
        }
        member->invitations[i] = task;
        cns_pool_submit(team->pool, member->slot, task);
        wanted--;
    }
}

/* ---- the owner's wait ----------------------------------------------------------------------- */

static bool nobody_active(const void *key) {
    return (CNS_LOAD(&((cns_team *)key)->active, acquire) & ~OWNER_WAITS) == 0;
}

static void flag_owner(const void *key) {
    CNS_OR(&((cns_team *)key)->active, OWNER_WAITS, seq_cst);
}

static bool nth_member(const void *key, uint32_t nth, cns_slot **slot, int64_t *floor) {
    const cns_team *team = key;
    if (nth + 1 >= team->seat_count) {
        return false;
    }
    cns_seat *seat = &team->seats[nth + 1];
    *slot = CNS_LOAD(&seat->slot, acquire);
    *floor = CNS_LOAD(&seat->floor, relaxed);
    return true;
}

void cns_team_wait(cns_member *owner, bool (*over)(const void *team)) {
    cns_team *team = owner->team;
    take_back(owner);
    cns_wait wait = {.key = team,
                     .over = over ? over : nobody_active,
                     .flag = flag_owner,
                     .worker = nth_member,
                     .yields = WAIT_YIELDS};
    if (!wait.over(team)) {
        cns_wait_until(team->pool, owner->slot, &wait);
    }
}

bool cns_team_is_empty(const cns_team *team) {
    return nobody_active(team);
}
