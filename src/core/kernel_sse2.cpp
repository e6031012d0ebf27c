// The kernels for SSE2; an empty file where the compiler has no flag for it.
#if defined(OMENDB_KERNEL_SSE2)
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kSse2Kernels;
const Kernels kSse2Kernels = KernelsOf<xsimd::sse2>("sse2");

}  // namespace omendb::core
#endif
