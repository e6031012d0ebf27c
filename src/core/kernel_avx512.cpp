// The kernels for AVX512; an empty file where the compiler has no flag for it.
#if defined(OMENDB_KERNEL_AVX512)
#include "core/fit_loops.h"
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kAvx512Kernels;
const Kernels kAvx512Kernels = {"avx512",
                                SimdKernels<xsimd::avx512f>::DecodeRows,
                                SimdKernels<xsimd::avx512f>::CountBelow,
                                SimdKernels<xsimd::avx512f>::SumSteps,
                                SimdKernels<xsimd::avx512f>::BoundSteps,
                                SimdKernels<xsimd::avx512f>::FindFence,
                                AllEqual,
                                Range,
                                SumMoments,
                                WidenResidualRange,
                                OffsetRange,
                                NumberTids,
                                PackRows};

}  // namespace omendb::core
#endif
