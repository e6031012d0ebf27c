// The kernels for AVX2; an empty file where the compiler has no flag for it.
#if defined(OMENDB_KERNEL_AVX2)
#include "core/fit_loops.h"
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = {"avx2",
                              SimdKernels<xsimd::avx2>::DecodeRows,
                              SimdKernels<xsimd::avx2>::CountBelow,
                              SimdKernels<xsimd::avx2>::SumSteps,
                              SimdKernels<xsimd::avx2>::BoundSteps,
                              SimdKernels<xsimd::avx2>::FindFence,
                              AllEqual,
                              Range,
                              SumMoments,
                              WidenResidualRange,
                              OffsetRange,
                              NumberTids,
                              PackRows};

}  // namespace omendb::core
#endif
