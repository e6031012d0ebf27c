#include "core/kernels.h"

namespace omendb::core {

#if defined(OMENDB_KERNEL_SSE2)
extern const Kernels kSse2Kernels;
#endif
#if defined(OMENDB_KERNEL_AVX2)
extern const Kernels kAvx2Kernels;
#endif
#if defined(OMENDB_KERNEL_AVX512)
extern const Kernels kAvx512Kernels;
#endif
#if defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

// The compiler's own CPU test is used rather than xsimd's, because it also asks
// whether the operating system saves the wide registers.
int AvailableKernels(const Kernels* out[kMaxKernels]) {
  int n = 0;
  out[n++] = &kScalarKernels;
#if defined(OMENDB_KERNEL_SSE2)
  if (__builtin_cpu_supports("sse2")) out[n++] = &kSse2Kernels;
#endif
#if defined(OMENDB_KERNEL_AVX2)
  if (__builtin_cpu_supports("avx2")) out[n++] = &kAvx2Kernels;
#endif
#if defined(OMENDB_KERNEL_AVX512)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq")) out[n++] = &kAvx512Kernels;
#endif
#if defined(__aarch64__)
  out[n++] = &kNeonKernels;
#endif
  return n;
}

namespace {

const Kernels* Choose() {
  const Kernels* available[kMaxKernels];
  return available[AvailableKernels(available) - 1];
}

const Kernels* active = Choose();

}  // namespace

const Kernels& ActiveKernels() { return *active; }

void UseKernels(const Kernels& kernels) { active = &kernels; }

}  // namespace omendb::core
