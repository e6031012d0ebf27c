// The kernels for AVX512; an empty file where the compiler has no flag for it.
#if defined(OMENDB_KERNEL_AVX512)
#include "core/kernel_simd.h"

namespace omendb::core {

extern const Kernels kAvx512Kernels;
const Kernels kAvx512Kernels = KernelsOf<xsimd::avx512f>("avx512");

}  // namespace omendb::core
#endif
