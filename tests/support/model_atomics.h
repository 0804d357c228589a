/* SPDX-License-Identifier: MIT
 *
 * model_atomics.h - takes the place of tasks/atomics.h and puts the code that is included behind
 * it under the model checker.
 */
#ifndef CNS_TASKS_ATOMICS_H
#define CNS_TASKS_ATOMICS_H

#include "base/context.h"
#include "base/os.h"
#include "model.h"

#define CNS_MODEL 1
#define MODEL_WORD(value) ((uint64_t)(uintptr_t)(value))
#define MODEL_TYPED(object, word)                                                                  \
    __extension__({                                                                                \
        __typeof__(*(object)) typed_ = (__typeof__(*(object)))(uintptr_t)(word);                   \
        typed_;                                                                                    \
    })

#define CNS_ATOMIC(type) type
#define CNS_LOAD(object, order)                                                                    \
    ((__typeof__(*(object)))(uintptr_t)model_load(object, sizeof *(object)))
#define CNS_STORE(object, value, order)                                                            \
    model_store(object, sizeof *(object), MODEL_WORD(value), MODEL_##order)
#define CNS_ADD(object, value, order)                                                              \
    MODEL_TYPED(object, model_add(object, sizeof *(object), MODEL_WORD(value)))
#define CNS_SUB(object, value, order)                                                              \
    MODEL_TYPED(object, model_add(object, sizeof *(object), 0 - MODEL_WORD(value)))
#define CNS_EXCHANGE(object, value, order)                                                         \
    MODEL_TYPED(object, model_exchange(object, sizeof *(object), MODEL_WORD(value)))
#define CNS_CAS(object, expected, desired, order)                                                  \
    model_cas(object, sizeof *(object), expected, MODEL_WORD(desired))
#define CNS_LOCK(mutex) model_lock((volatile uint32_t *)(void *)(mutex)->storage)
#define CNS_UNLOCK(mutex) model_unlock((volatile uint32_t *)(void *)(mutex)->storage)

#define cns_mutex_init(mutex) (memset((mutex)->storage, 0, sizeof(mutex)->storage), 0)
#define cns_mutex_deinit(mutex) ((void)(mutex))
#define cns_os_thread_yield() ((void)0)
#define cns_context_alloc(context, size, alignment) ((void)(context), model_alloc(size, alignment))
#define cns_context_free(context, pointer, size, alignment)                                        \
    ((void)(context), (void)(pointer), (void)(size), (void)(alignment))

#endif
