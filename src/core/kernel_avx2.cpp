// The kernels for AVX2; an empty file where the compiler has no flag for it.
#if defined(OMENDB_KERNEL_AVX2)
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kAvx2Kernels;
const Kernels kAvx2Kernels = KernelsOf<xsimd::avx2>("avx2");

}  // namespace omendb::core
#endif
