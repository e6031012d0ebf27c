// A line through a column, in integer arithmetic only: what it decides (bytes
// on a page, positions in it) must be the same on every machine.
//
//   predict(i) = ((slope * i) >> right_shift) << left_shift      (floor)
//
// with |slope| < 2^49, so that slope * i fits 63 bits for i < kMaxEntries.
#ifndef OMENDB_CORE_LINEAR_MODEL_H
#define OMENDB_CORE_LINEAR_MODEL_H

#include <cstdint>

#include "core/limits.h"

namespace omendb::core {

struct LinearModel {
  int64_t slope = 0;
  uint8_t right_shift = 0;
  uint8_t left_shift = 0;

  uint64_t Predict(uint64_t i) const {
    return static_cast<uint64_t>((slope * static_cast<int64_t>(i)) >> right_shift) << left_shift;
  }
};

// The line from the first value to the last.  Exact on arithmetic sequences.
LinearModel FitEndpoints(const uint64_t* values, uint32_t n);

// The least-squares line.  Closer than the endpoints' line to random data.
LinearModel FitLeastSquares(const uint64_t* values, uint32_t n);

// The inverse of a model with slope > 0, for values below 2^64: the smallest i
// with predict(i) > u.  `inverse` and `inverse_shift` come from MakeInverse;
// the estimate is at most two off and is corrected here, so the result is exact.
// REQUIRES: predict(n - 1) < 2^64 as an integer, without wrapping.
struct ModelInverse {
  uint64_t inverse = 0;
  uint8_t shift = 0;
};
ModelInverse MakeInverse(const LinearModel& model);
uint32_t FirstAbove(const LinearModel& model, const ModelInverse& inverse, uint32_t n, uint64_t u);

}  // namespace omendb::core

#endif  // OMENDB_CORE_LINEAR_MODEL_H
