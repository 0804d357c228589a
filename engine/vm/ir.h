/* SPDX-License-Identifier: MIT
 *
 * vm/ir.h - the typed SSA form that every tier is made from.
 *
 * A function is a graph of basic blocks. A block has parameters in place of phis; an edge passes
 * one argument a parameter. Every value has one type, known when it is made. Values are indices
 * into one array of instructions; an instruction belongs to one block's list, in order; constants
 * and arguments of the function live in block 0. Only T, R and W operations (see ops.h) have an
 * order that matters.
 *
 * Invariants (cns_ir_verify): operands have the types of ops.h and are defined in a dominating
 * position; edges match parameters in number and type; every block is reachable and ends in a
 * terminator; block 0 has no predecessor; in a block, a FORK stands behind a FORK_PASS for each of
 * its body's arguments but the first two, and FORK_GETs of it follow; LOAD and STORE carry
 * CNS_IR_PROVEN only where an optimiser put it (a function read from a file may not, nor may it
 * fork). All memory is the function's own and goes with it. One thread at a time.
 */
#ifndef CNS_VM_IR_H
#define CNS_VM_IR_H

#include <stdbool.h>

#include "base/context.h"
#include "base/text.h"
#include "cns/vm.h"
#include "vm/ops.h"

typedef enum cns_ir_op {
#define CNS_IR_ENUM(name, text, result, operands, properties) CNS_IR_##name,
    CNS_IR_OPS(CNS_IR_ENUM)
#undef CNS_IR_ENUM
        CNS_IR_OP_COUNT
} cns_ir_op;

static inline bool cns_ir_is_buffer(uint8_t type) {
    return type >= CNS_VM_BUFFER + CNS_I8 && type <= CNS_VM_BUFFER + CNS_F64;
}
static inline cns_type cns_ir_element(uint8_t type) {
    return (cns_type)(type - CNS_VM_BUFFER);
}
/* What a load of such an element gives. */
static inline uint8_t cns_ir_element_value(cns_type type) {
    return type >= CNS_F32 ? CNS_VM_F64 : CNS_VM_I64;
}

typedef uint32_t cns_ir_value; /* index of an instruction */
typedef uint32_t cns_ir_block_id;
enum { CNS_IR_NONE = 0xffffffff, CNS_IR_OPERANDS = 4 };

/* Flags of an instruction. */
enum {
    CNS_IR_PROVEN = 1,      /* LOAD, STORE: the index is inside */
    CNS_IR_CONVERTS = 2,    /* STORE: the value is known to fit the element */
    CNS_IR_REASSOCIATE = 4, /* ADD_F64, MUL_F64: the kernel allows another order */
    CNS_IR_CONTRACT = 8     /* may be fused with a multiplication */
};

typedef struct cns_ir_instruction {
    uint8_t op;   /* cns_ir_op */
    uint8_t type; /* cns_vm_type; CNS_VM_VOID for a store */
    uint8_t flags;
    uint8_t operand_count;
    uint32_t site; /* where in the source: index into sites */
    cns_ir_value operands[CNS_IR_OPERANDS];
    union {
        int64_t i; /* CONST_I64, CONST_BOOL */
        double f;
        struct {
            uint32_t index; /* ARGUMENT, PARAM, FORK*: which */
            uint32_t name;  /* PARAM: of the variable, 1 + its place in names; 0 for none */
        };
    };
    cns_ir_block_id block; /* CNS_IR_NONE once removed */
    cns_ir_value next;     /* in its block; parameters are not in the list */
    cns_ir_value previous;
} cns_ir_instruction;

typedef enum cns_ir_end {
    CNS_IR_END_NONE, /* still being built */
    CNS_IR_JUMP,     /* edges[0] */
    CNS_IR_BRANCH,   /* condition ? edges[0] : edges[1] */
    CNS_IR_RETURN    /* edges[0].arguments are the results, of any types; NIL as CNS_IR_NONE */
} cns_ir_end;

typedef struct cns_ir_edge {
    cns_ir_block_id target;
    uint32_t count;
    uint32_t capacity;
    cns_ir_value *arguments;
} cns_ir_edge;

/* Flags of a block. */
enum {
    CNS_IR_PARALLEL = 1, /* header of a prange loop: iterations may run in any order, at once */
    CNS_IR_COLD = 2      /* header of the version of a loop that runs where it will likely trap */
};

typedef struct cns_ir_block {
    cns_ir_value first; /* CNS_IR_NONE when empty */
    cns_ir_value last;
    uint32_t parameter_count;
    uint32_t parameter_capacity;
    cns_ir_value *parameters;
    uint8_t end; /* cns_ir_end */
    uint8_t flags;
    uint32_t site; /* of the terminator */
    cns_ir_value condition;
    cns_ir_edge edges[2];
} cns_ir_block;

/* A place in the source; inlined code points on to its call. */
typedef struct cns_ir_site {
    const char *source; /* as in error messages: "kernels.lua" */
    uint32_t line;
    uint32_t inlined_at; /* site, or CNS_IR_NONE */
} cns_ir_site;

/* What was done or not done, and why: for explain(). */
typedef enum cns_remark_kind {
    CNS_REMARK_VECTORISED,
    CNS_REMARK_NOT_VECTORISED,
    CNS_REMARK_PARALLEL,
    CNS_REMARK_NOT_PARALLEL,
    CNS_REMARK_HOISTED,
    CNS_REMARK_INLINED,
    CNS_REMARK_SPLIT,   /* a variable changes its type: the code is made twice */
    CNS_REMARK_FALLBACK /* a tier could not take it */
} cns_remark_kind;

typedef struct cns_remark {
    cns_remark_kind kind;
    uint32_t site;
    const char *text;
} cns_remark;

/* How one accumulator of a parallel loop is put together from those of its parts. */
typedef enum cns_reduction {
    CNS_REDUCE_SUM_I64,
    CNS_REDUCE_PRODUCT_I64,
    CNS_REDUCE_AND,
    CNS_REDUCE_OR,
    CNS_REDUCE_XOR,
    CNS_REDUCE_SUM_F64,
    CNS_REDUCE_PRODUCT_F64,
    /* The least or greatest: s = a < b ? c : d, where a and b, c and d are s and the new value;
     * four bits together say how. */
    CNS_REDUCE_CHOICE = 16,
    CNS_REDUCE_F64 = 1,       /* else i64 */
    CNS_REDUCE_LE = 2,        /* <=, else < */
    CNS_REDUCE_NEW_FIRST = 4, /* a is the new value, else s */
    CNS_REDUCE_NEW_WINS = 8   /* c is the new value, else s */
} cns_reduction;

enum {
    CNS_IR_ACCUMULATORS = 16, /* of one parallel loop */
    CNS_IR_FORK_SLOTS = 128   /* arguments of its body */
};

/* A loop whose iterations may run at once, outlined: body(first index, remaining, passed values...)
 * runs remaining + 1 iterations and returns the accumulators, begun at their identities. */
typedef struct cns_ir_fork {
    uint32_t slot_count; /* arguments of the body */
    uint32_t cost;       /* of an iteration, in operations, roughly */
    uint32_t accumulator_count;
    uint8_t reductions[CNS_IR_ACCUMULATORS]; /* cns_reduction */
} cns_ir_fork;

typedef struct cns_ir_body {
    struct cns_ir_function *function; /* destroyed with the one that forks it */
    cns_ir_fork fork;
} cns_ir_body;

typedef struct cns_ir_function {
    cns_context *context;
    cns_arena *arena; /* owns everything below */
    const char *name;
    uint32_t argument_count;
    uint32_t argument_capacity;
    cns_ir_value *arguments; /* ARGUMENT instructions; their types are the signature */
    const char **argument_names;
    uint32_t instruction_count;
    uint32_t instruction_capacity;
    cns_ir_instruction *instructions;
    uint32_t block_count;
    uint32_t block_capacity;
    cns_ir_block *blocks;
    uint32_t site_count;
    uint32_t site_capacity;
    cns_ir_site *sites;
    uint32_t remark_count;
    uint32_t remark_capacity;
    cns_remark *remarks;
    uint32_t body_count;
    uint32_t body_capacity;
    cns_ir_body *bodies; /* FORK's; they share the numbering of sites */
    uint32_t name_count;
    uint32_t name_capacity;
    const char **names;        /* of variables, for messages: cns_ir_name */
    struct cns_ir_shape *kept; /* see cns_ir_shape; NULL: none is kept */
} cns_ir_function;

/* ---- making --------------------------------------------------------------------------------
 * Makers return a status since each may need memory; after a failure the function is only good
 * for being destroyed. Blocks may be added in any order; block 0 exists from the start. */

cns_status cns_ir_create(cns_context *context, const char *name, cns_ir_function **out);
/* The next argument of the function; NIL arguments are counted but are no values (NONE). */
cns_status cns_ir_add_argument(cns_ir_function *function, uint8_t type, const char *name,
                               cns_ir_value *out);
void cns_ir_destroy(cns_ir_function *function);
cns_status cns_ir_add_block(cns_ir_function *function, cns_ir_block_id *out);
cns_status cns_ir_add_parameter(cns_ir_function *function, cns_ir_block_id block, uint8_t type,
                                cns_ir_value *out);
cns_status cns_ir_add_site(cns_ir_function *function, const char *source, uint32_t line,
                           uint32_t inlined_at, uint32_t *out);
/* Appends an operation to `block`; the type follows from ops.h and the operands (LOAD's from its
 * buffer). Operands beyond the
 * operation's are CNS_IR_NONE. */
cns_status cns_ir_add(cns_ir_function *function, cns_ir_block_id block, cns_ir_op op, uint32_t site,
                      const cns_ir_value *operands, cns_ir_value *out);
/* Constants are shared: one instruction a value, in block 0. */
cns_status cns_ir_add_i64(cns_ir_function *function, int64_t value, cns_ir_value *out);
cns_status cns_ir_add_f64(cns_ir_function *function, double value, cns_ir_value *out);
cns_status cns_ir_add_bool(cns_ir_function *function, bool value, cns_ir_value *out);
cns_status cns_ir_end_jump(cns_ir_function *function, cns_ir_block_id block, uint32_t site,
                           cns_ir_block_id target, const cns_ir_value *arguments, uint32_t count);
/* Arguments of the two edges are set with cns_ir_set_arguments. */
cns_status cns_ir_end_branch(cns_ir_function *function, cns_ir_block_id block, uint32_t site,
                             cns_ir_value condition, cns_ir_block_id yes, cns_ir_block_id no);
cns_status cns_ir_end_return(cns_ir_function *function, cns_ir_block_id block, uint32_t site,
                             const cns_ir_value *results, uint32_t count);
cns_status cns_ir_set_arguments(cns_ir_function *function, cns_ir_block_id block, uint32_t edge,
                                const cns_ir_value *arguments, uint32_t count);
/* Printf into the arena; the text of a remark names variables and types, not internals. */
cns_status cns_ir_remark(cns_ir_function *function, cns_remark_kind kind, uint32_t site,
                         const char *format, ...) CNS_PRINTF(4, 5);
/* Says which variable a block's parameter is, for messages. */
cns_status cns_ir_name(cns_ir_function *function, cns_ir_value parameter, const char *name);
/* Takes `body` over, whatever becomes of it; `*out` is FORK's index. */
cns_status cns_ir_add_body(cns_ir_function *function, cns_ir_function *body,
                           const cns_ir_fork *fork, uint32_t *out);
/* Memory that lives as long as the function; NULL with the context's message. */
void *cns_ir_alloc(cns_ir_function *function, size_t size);

/* ---- changing ------------------------------------------------------------------------------ */

/* Unlinks an instruction; nothing may use it any more. */
void cns_ir_remove(cns_ir_function *function, cns_ir_value value);
/* Moves an instruction to the end of `block`'s list. */
void cns_ir_move(cns_ir_function *function, cns_ir_value value, cns_ir_block_id block);
/* Inserts before `position` (an instruction in a list). */
cns_status cns_ir_insert(cns_ir_function *function, cns_ir_value position, cns_ir_op op,
                         uint32_t site, const cns_ir_value *operands, cns_ir_value *out);
/* Applies map[v] (v itself where nothing changes) to every operand, argument and condition. */
void cns_ir_rewrite(cns_ir_function *function, const cns_ir_value *map);
/* Drops unreachable blocks and removed instructions and numbers the rest anew, blocks in reverse
 * postorder, those of a loop next to each other. Values and block ids change. */
cns_status cns_ir_compact(cns_ir_function *function);
/* An independent copy, e.g. for a compiler on another thread. */
cns_status cns_ir_clone(const cns_ir_function *function, cns_ir_function **out);

/* ---- looking ------------------------------------------------------------------------------- */

typedef struct cns_ir_op_info {
    const char *name;
    const char *operands;   /* letters of ops.h */
    const char *properties; /* the same */
    char result;
} cns_ir_op_info;

const cns_ir_op_info *cns_ir_info(cns_ir_op op);
/* Whether `property` (a letter of ops.h) is among the operation's. */
bool cns_ir_has(cns_ir_op op, char property);
const char *cns_ir_type_name(uint8_t type); /* "f64", "buffer of f32", ... */
/* CNS_E_CORRUPT with the block, the value and what is wrong. `trusted`: PROVEN and CONVERTS may
 * occur. */
cns_status cns_ir_verify(const cns_ir_function *function, bool trusted);
cns_status cns_ir_print(const cns_ir_function *function, cns_text *text);

/* Predecessors, dominators and natural loops of the blocks; in memory of its own. Not updated when
 * the function changes. Most passes leave the ways between blocks alone, so while `kept` of the
 * function is set (to a zeroed shape at first), the shape that was used last is put there and
 * handed out again, if each block still leads where it did then. */
typedef struct cns_ir_loop {
    cns_ir_block_id header;
    uint32_t parent; /* enclosing loop or CNS_IR_NONE */
    uint32_t depth;  /* 1 for outermost */
    bool innermost;
    cns_ir_block_id latch;     /* CNS_IR_NONE when there are several */
    cns_ir_block_id preheader; /* the one predecessor outside, when that has one successor */
} cns_ir_loop;

typedef struct cns_ir_shape {
    cns_context *context;
    uint32_t block_count;
    uint32_t order_count; /* blocks that can be reached */
    uint32_t *order;
    uint32_t *position;          /* block -> place in order */
    cns_ir_block_id *dominator;  /* immediate; CNS_IR_NONE for block 0 */
    uint32_t *predecessor_begin; /* block -> first in predecessors; block_count + 1 of them */
    cns_ir_block_id *predecessors;
    uint32_t loop_count;
    cns_ir_loop *loops; /* outer before inner */
    uint32_t *loop_of;  /* block -> innermost loop or CNS_IR_NONE */
    uint32_t *stack;    /* for walks */
    uint32_t *targets;  /* two a block, NONE where there is none: what all of this follows from */
    void *memory;
    size_t memory_size;
    struct cns_ir_shape *kept; /* where it goes when it is done with; NULL: nowhere */
} cns_ir_shape;

cns_status cns_ir_shape_init(cns_ir_shape *shape, const cns_ir_function *function);
void cns_ir_shape_deinit(cns_ir_shape *shape);
bool cns_ir_dominates(const cns_ir_shape *shape, cns_ir_block_id above, cns_ir_block_id below);
bool cns_ir_loop_contains(const cns_ir_shape *shape, uint32_t loop, cns_ir_block_id block);

/* A counted loop as Lua's `for` makes it: header parameters `remaining` (down by 1 to 0; the latch
 * goes on while it is not 0) and `index` (up by `step`, loop-invariant). It runs initial
 * remaining + 1 times, and the index never wraps. `index`, `step` and `initial_index` are
 * CNS_IR_NONE where nothing needs the index any more. */
typedef struct cns_ir_for {
    cns_ir_value remaining;
    cns_ir_value index;
    cns_ir_value step;
    cns_ir_value initial_remaining; /* from outside */
    cns_ir_value initial_index;
} cns_ir_for;

/* Whether `loop` is one, i.e. its only exit is that test at its one latch. */
bool cns_ir_for_match(const cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                      cns_ir_for *out);

/* The same for a loop that may also leave elsewhere: it runs at most that often. */
bool cns_ir_for_match_early(const cns_ir_function *function, const cns_ir_shape *shape,
                            uint32_t loop, cns_ir_for *out);

/* Makes a COLD copy of a loop that has a preheader, which then goes to the loop where
 * `condition`, a value known there, is true, and else to the copy. `shape` does not fit any more
 * after that. */
cns_status cns_ir_version_loop(cns_ir_function *function, const cns_ir_shape *shape, uint32_t loop,
                               cns_ir_value condition);

static inline const cns_ir_instruction *cns_ir_at(const cns_ir_function *function,
                                                  cns_ir_value value) {
    return &function->instructions[value];
}

#endif
