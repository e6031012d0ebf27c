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

uint64_t StepsAt(const PackedColumn& column, uint32_t i) {
  const uint64_t residual = column.width != 0 ? UnpackResidual(column.words, column.width, i) : 0;
  return column.model.Predict(i) + residual;
}

uint64_t SumSteps(const PackedColumn& column, uint32_t first_row, uint32_t rows) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < rows * kLanes; i++) sum += StepsAt(column, first_row * kLanes + i);
  return sum;
}

void BoundSteps(const PackedColumn& column, uint32_t first_row, uint32_t rows, int64_t* least, int64_t* greatest) {
  *least = INT64_MAX;
  *greatest = INT64_MIN;
  for (uint32_t i = 0; i < rows * kLanes; i++) {
    const int64_t steps = static_cast<int64_t>(StepsAt(column, first_row * kLanes + i));
    *least = steps < *least ? steps : *least;
    *greatest = steps > *greatest ? steps : *greatest;
  }
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

const Kernels kScalarKernels = {
    "scalar", DecodeRows, CountBelow, SumSteps,           BoundSteps,  FenceSearch<ScalarCount>::Find,
    AllEqual, Range,      SumMoments, WidenResidualRange, OffsetRange, NumberTids,
    PackRows};

}  // namespace omendb::core
