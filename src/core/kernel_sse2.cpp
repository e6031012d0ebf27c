// The kernels for SSE2; an empty file where the compiler has no flag for it.
#if defined(OMENDB_KERNEL_SSE2)
#include "core/fit_loops.h"
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kSse2Kernels;
const Kernels kSse2Kernels = {"sse2",
                              SimdKernels<xsimd::sse2>::DecodeRows,
                              SimdKernels<xsimd::sse2>::CountBelow,
                              SimdKernels<xsimd::sse2>::SumSteps,
                              SimdKernels<xsimd::sse2>::BoundSteps,
                              SimdKernels<xsimd::sse2>::FindFence,
                              AllEqual,
                              Range,
                              SumMoments,
                              WidenResidualRange,
                              OffsetRange,
                              NumberTids,
                              PackRows};

}  // namespace omendb::core
#endif
