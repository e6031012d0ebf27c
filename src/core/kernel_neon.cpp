// The kernels for NEON, which every 64-bit ARM has.
#if defined(__aarch64__)
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kNeonKernels;
const Kernels kNeonKernels = KernelsOf<xsimd::neon64>("neon");

}  // namespace omendb::core
#endif
