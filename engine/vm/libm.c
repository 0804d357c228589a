/* SPDX-License-Identifier: MIT
 *
 * libm.c - which functions there are for a machine.
 *
 * The bounds are those that glibc states in its sources since 2.28: exp 0.511 ulp, log 0.520 ulp
 * (both without FMA). Older ones, and other C libraries, make no such promise here.
 */
#include "vm/libm.h"

#include "vm/libm_x86.h"

static bool is_bound_known(void) {
    uint32_t major = 0, minor = 0;
    return cns_os_glibc_version(&major, &minor) && (major > 2 || (major == 2 && minor >= 28));
}

const cns_libm *cns_libm_find(cns_ir_op op, cns_cpu_level level, uint32_t lanes) {
#if defined(__x86_64__)
    static const cns_libm rows[] = {
        {CNS_IR_EXP_F64, 8, "cns_libm_exp_avx512", cns_libm_exp_avx512, cns_libm_exp_array_avx512},
        {CNS_IR_LOG_F64, 8, "cns_libm_log_avx512", cns_libm_log_avx512, cns_libm_log_array_avx512},
        {CNS_IR_EXP_F64, 4, "cns_libm_exp_avx2", cns_libm_exp_avx2, cns_libm_exp_array_avx2},
        {CNS_IR_LOG_F64, 4, "cns_libm_log_avx2", cns_libm_log_avx2, cns_libm_log_array_avx2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cns_cpu_level needed = rows[i].lanes == 8 ? CNS_CPU_AVX512 : CNS_CPU_AVX2;
        if (rows[i].op == op && level >= needed && level <= CNS_CPU_AVX512 &&
            (lanes == 0 || lanes == rows[i].lanes)) {
            return is_bound_known() ? &rows[i] : NULL;
        }
    }
#else
    (void)op, (void)level, (void)lanes, (void)is_bound_known;
#endif
    return NULL;
}
