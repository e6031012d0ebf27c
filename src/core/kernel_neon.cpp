// The kernels for NEON, which every 64-bit ARM has.
#if defined(__aarch64__)
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kNeonKernels;
const Kernels kNeonKernels = {"neon", SimdKernels<xsimd::neon64>::DecodeRows, SimdKernels<xsimd::neon64>::CountBelow,
                              SimdKernels<xsimd::neon64>::FindFence};

}  // namespace omendb::core
#endif
