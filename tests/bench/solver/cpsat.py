# SPDX-License-Identifier: MIT
"""cpsat.py MODEL DATA.json SECONDS - the models of models/*.mzn for CP-SAT, one worker.

Prints a line: status, objective or -, seconds in the solver, seconds to build the model.
"""

import json
import sys
import time

from ortools.sat.python import cp_model


def jobshop(model, d):
    horizon = sum(map(sum, d["duration"]))
    machines = [[] for _ in range(d["machines"])]
    makespan = model.new_int_var(0, horizon, "makespan")
    for machine, duration in zip(d["machine"], d["duration"]):
        last = None
        for m, length in zip(machine, duration):
            start = model.new_int_var(0, horizon, "")
            machines[m - 1].append(model.new_fixed_size_interval_var(start, length, ""))
            if last is not None:
                model.add(last <= start)
            last = start + length
        model.add(last <= makespan)
    for intervals in machines:
        model.add_no_overlap(intervals)
    model.minimize(makespan)


def rcpsp(model, d):
    horizon = sum(d["duration"])
    makespan = model.new_int_var(0, horizon, "makespan")
    start = [model.new_int_var(0, horizon, "") for _ in range(d["tasks"])]
    interval = [model.new_fixed_size_interval_var(s, length, "")
                for s, length in zip(start, d["duration"])]
    for i, j in zip(d["before"], d["after"]):
        model.add(start[i - 1] + d["duration"][i - 1] <= start[j - 1])
    for s, length in zip(start, d["duration"]):
        model.add(s + length <= makespan)
    for demand, capacity in zip(d["demand"], d["capacity"]):
        used = [t for t in range(d["tasks"]) if demand[t] > 0]
        model.add_cumulative([interval[t] for t in used], [demand[t] for t in used], capacity)
    model.minimize(makespan)


def knapsack(model, d):
    take = [model.new_bool_var("") for _ in range(d["items"])]
    for weight, capacity in zip(d["weight"], d["capacity"]):
        model.add(sum(w * x for w, x in zip(weight, take)) <= capacity)
    model.maximize(sum(p * x for p, x in zip(d["profit"], take)))


def league(model, d):
    teams, weeks = d["teams"], d["teams"] - 1
    plays = {(i, j, w): model.new_bool_var("")
             for i in range(teams) for j in range(i + 1, teams) for w in range(weeks)}
    for i in range(teams):
        for j in range(i + 1, teams):
            model.add_exactly_one(plays[i, j, w] for w in range(weeks))
        for w in range(weeks):
            model.add_exactly_one(plays[min(i, j), max(i, j), w] for j in range(teams) if j != i)
    model.minimize(sum(d["cost"][(i * teams + j) * weeks + w] * x
                       for (i, j, w), x in plays.items()))


def roster(model, d):
    nurses, days = range(d["nurses"]), range(d["days"])
    shift = [[model.new_int_var(1, 4, "") for _ in days] for _ in nurses]
    chosen = {}
    for n in nurses:
        for day in days:
            for s in range(1, 5):
                chosen[n, day, s] = b = model.new_bool_var("")
                model.add(shift[n][day] == s).only_enforce_if(b)
            model.add_exactly_one(chosen[n, day, s] for s in range(1, 5))
    arcs = []
    for state in range(1, 17):
        for s in range(1, 5):
            if s == 1:
                arcs.append((state, s, 1))
            elif state == 1:
                arcs.append((state, s, 5 * (s - 2) + 2))
            else:
                last, worked = divmod(state - 2, 5)
                if worked + 1 < 5 and s - 2 >= last:
                    arcs.append((state, s, 5 * (s - 2) + 3 + worked))
    for n in nurses:
        # The transitions above are the model's, and each state accepts.
        model.add_automaton(shift[n], 1, list(range(1, 17)), arcs)
        for day in range(d["days"] - 3):
            model.add(sum(chosen[n, day + k, 4] for k in range(4)) <= 3)
        model.add_linear_constraint(sum(1 - chosen[n, day, 1] for day in days),
                                    d["least"], d["most"])
    for day in days:
        for s in range(1, 4):
            model.add(sum(chosen[n, day, s + 1] for n in nurses) >= d["demand"][day][s - 1])
    model.minimize(sum(d["dislike"][(n * d["days"] + day) * 4 + s - 1] * b
                       for (n, day, s), b in chosen.items()))


def main():
    name, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
    with open(path, encoding="ascii") as file:
        data = json.load(file)
    began = time.perf_counter()
    model = cp_model.CpModel()
    globals()[name](model, data)
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_time_in_seconds = seconds
    built = time.perf_counter()
    status = solver.solve(model)
    ended = time.perf_counter()
    names = {cp_model.OPTIMAL: "optimal", cp_model.FEASIBLE: "found",
             cp_model.INFEASIBLE: "unsat", cp_model.UNKNOWN: "unknown"}
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    print(names.get(status, "error"), round(solver.objective_value) if found else "-",
          f"{ended - built:.4f} {built - began:.4f}")


main()
