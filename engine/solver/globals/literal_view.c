/* SPDX-License-Identifier: MIT
 *
 * solver/globals/literal_view.c - the 0..1 view of a literal.
 *
 * A literal that is a bound of an integer with two values is that integer, shifted. Of others an
 * integer is made, which takes a plain literal as its own atom.
 */
#include "solver/globals/condition.h"

/* [x >= v] of an integer whose domain is within v - 1 .. v. */
static bool is_bit(const cns_state *s, cns_lit positive) {
    const cns_atom *atom = &s->atoms[positive >> 1];
    cns_term t = 2 * atom->integer;
    return s->kind[positive >> 1] == CNS_BOOL_GE && s->root[t] == atom->value - 1 &&
           s->root[t ^ 1] == -atom->value;
}

cns_status cns_view_of_lit(cns_state *s, cns_lit lit, cns_view *out) {
    cns_lit positive = lit & ~1u;
    cns_view v;
    if (s->value[lit] != 0) {
        *out = cns_view_constant(s->value[lit] > 0);
        return CNS_OK;
    }
    if (is_bit(s, positive)) {
        const cns_atom *atom = &s->atoms[positive >> 1];
        v = (cns_view){2 * atom->integer, 1 - atom->value};
    } else {
        cns_term term;
        cns_status status = cns_new_int_of_lit(s, positive, &term);
        if (status != CNS_OK) {
            return status;
        }
        v = (cns_view){term, 0};
    }
    *out = (lit & 1) ? (cns_view){v.term ^ 1, 1 - v.offset} : v;
    return CNS_OK;
}
