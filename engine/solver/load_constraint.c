/* SPDX-License-Identifier: MIT
 *
 * solver/load_constraint.c - which propagators each kind of constraint becomes.
 *
 * Kinds that have no propagator of their own are stated with others, as doc/solver.md lists.
 */
#include "solver/load_args.h"

cns_status cns_load_constraint(cns_loader *l, uint32_t index) {
    cns_state *s = l->state;
    const cns_model_constraint *c = &l->model->constraints[index];
    cns_loading k = {l, s, c, {index, CNS_LIT_TRUE}, CNS_LIT_TRUE};
    if (c->condition != CNS_ALWAYS) {
        k.literal = cns_load_lit(l, c->literal);
        k.post.condition = k.literal;
        if (k.literal == CNS_LIT_NONE) {
            return s->status;
        }
    }
    if (!cns_arg_reserve(&k)) {
        return s->status;
    }
    switch ((cns_constraint_kind)c->kind) {
    case CNS_CLAUSE:
        return cns_loading_clause(&k);
    case CNS_XOR:
        return cns_loading_xor(&k);
    case CNS_LINEAR_EQ:
    case CNS_LINEAR_NE:
    case CNS_LINEAR_LE:
        return cns_loading_linear(&k);
    case CNS_IN:
        return cns_loading_in(&k);
    case CNS_TIMES:
    case CNS_DIV:
    case CNS_MOD:
    case CNS_POW:
        return cns_loading_binary(&k);
    case CNS_ABS:
        return cns_loading_abs(&k);
    case CNS_MIN:
    case CNS_MAX:
        return cns_loading_extreme(&k);
    case CNS_ELEMENT:
        return cns_loading_element(&k);
    case CNS_ALLDIFFERENT:
        return cns_loading_alldifferent(&k);
    case CNS_GLOBAL_CARDINALITY:
        return cns_loading_cardinality(&k);
    case CNS_COUNT:
        return cns_loading_count(&k);
    case CNS_AMONG:
        return cns_loading_among(&k);
    case CNS_NVALUE:
        return cns_loading_nvalue(&k);
    case CNS_CUMULATIVE:
        return cns_loading_cumulative(&k);
    case CNS_DISJUNCTIVE:
        return cns_loading_disjunctive(&k);
    case CNS_DIFFN:
        return cns_loading_diffn(&k);
    case CNS_CIRCUIT:
    case CNS_SUBCIRCUIT:
        return cns_loading_circuit(&k);
    case CNS_TABLE:
        return cns_loading_table(&k);
    case CNS_REGULAR:
        return cns_loading_regular(&k);
    case CNS_MDD:
        return cns_loading_mdd(&k);
    case CNS_INVERSE:
        return cns_loading_inverse(&k);
    case CNS_SORT:
    case CNS_ARG_SORT:
        return cns_loading_sort(&k);
    case CNS_LEX_LE:
    case CNS_LEX_LT:
        return cns_loading_lex(&k);
    case CNS_PRECEDE:
        return cns_loading_precede(&k);
    case CNS_INCREASING:
        return cns_loading_chain(&k, CNS_LINEAR_LE, cns_arg_int(&k, 0, 0, 0) != 0 ? -1 : 0);
    case CNS_ALL_EQUAL:
        return cns_loading_chain(&k, CNS_LINEAR_EQ, 0);
    case CNS_ARG_MAX:
    case CNS_ARG_MIN:
        return cns_loading_arg_extreme(&k);
    case CNS_BIN_PACKING:
        return cns_loading_bin_packing(&k);
    case CNS_KNAPSACK:
        return cns_loading_knapsack(&k);
    case CNS_MEMBER:
        return cns_loading_member(&k);
    case CNS_SUM_OF_PRODUCTS:
        return cns_loading_sum_of_products(&k);
    case CNS_CONSTRAINT_KINDS:
        break;
    }
    return CNS_OK;
}
