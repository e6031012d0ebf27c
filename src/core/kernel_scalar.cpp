// The kernels without SIMD: the reference that every other version is tested
// against, and the fallback.
#include "core/column.h"
#include "core/fence_search.h"
#include "core/fit_loops.h"
#include "core/kernels.h"

namespace omendb::core {

namespace {

void DecodeRows(const PackedColumn& column, uint32_t first_row, uint32_t rows, uint64_t* out) {
  for (uint32_t i = 0; i < rows * kLanes; i++) out[i] = UnpackValue(column, first_row * kLanes + i);
}

uint32_t CountBelow(const PackedColumn& column, uint32_t first_row, uint32_t rows, uint64_t key) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < rows * kLanes; i++) count += UnpackValue(column, first_row * kLanes + i) < key;
  return count;
}

struct ScalarCount {
  template <uint32_t n>
  static uint32_t AtMost(const uint64_t* keys, uint64_t key) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) count += keys[i] <= key;
    return count;
  }
};

}  // namespace

const Kernels kScalarKernels = {"scalar",    DecodeRows, CountBelow, FenceSearch<ScalarCount>::Find,
                                AllEqual,    Range,      SumMoments, WidenResidualRange,
                                OffsetRange, NumberTids, PackRows};

}  // namespace omendb::core
