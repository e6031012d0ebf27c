// The kernels for NEON, which every 64-bit ARM has.
#if defined(__aarch64__)
#include "core/fit_loops.h"
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kNeonKernels;
const Kernels kNeonKernels = {"neon",
                              SimdKernels<xsimd::neon64>::DecodeRows,
                              SimdKernels<xsimd::neon64>::CountBelow,
                              SimdKernels<xsimd::neon64>::SumSteps,
                              SimdKernels<xsimd::neon64>::BoundSteps,
                              SimdKernels<xsimd::neon64>::FindFence,
                              AllEqual,
                              Range,
                              SumMoments,
                              WidenResidualRange,
                              OffsetRange,
                              NumberTids,
                              PackRows};

}  // namespace omendb::core
#endif
