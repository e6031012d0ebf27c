// The loops that fit a node and pack it, plain enough that the compiler makes SIMD of them.
// Included by the kernel_<isa>.cpp files only, each compiled with the flags of its ISA; the
// anonymous namespace keeps the linker from merging them.
#ifndef OMENDB_CORE_FIT_LOOPS_H
#define OMENDB_CORE_FIT_LOOPS_H

#include "core/key.h"
#include "core/kernels.h"

namespace omendb::core {
namespace {

// A line by the magnitude of its slope, because few instruction sets shift signed words:
// the floor of a falling line is minus the ceiling of a rising one.
struct Magnitude {
  explicit Magnitude(const LinearModel& model)
      : falling(model.slope < 0),
        slope(static_cast<uint64_t>(falling ? -model.slope : model.slope)),
        round_up(falling ? (uint64_t{1} << model.right_shift) - 1 : 0),
        right(model.right_shift),
        left(model.left_shift) {}

  uint64_t At(uint64_t i) const { return ((slope * i + round_up) >> right) << left; }

  bool falling;
  uint64_t slope, round_up;
  int right, left;
};

inline bool AllEqual(const uint64_t* words, uint32_t n, uint64_t word) {
  uint64_t different = 0;
  for (uint32_t i = 0; i < n; i++) different |= words[i] ^ word;
  return different == 0;
}

inline void Range(const uint64_t* values, uint32_t n, uint64_t* least, uint64_t* greatest) {
  uint64_t min = values[0], max = values[0];
  for (uint32_t i = 1; i < n; i++) {
    min = values[i] < min ? values[i] : min;
    max = values[i] > max ? values[i] : max;
  }
  *least = min;
  *greatest = max;
}

inline void SumMoments(const uint64_t* values, uint32_t n, Moments* moments) {
  uint64_t low = 0, high = 0, weighted_low = 0, weighted_high = 0;
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t l = values[i] & 0xFFFFFFFF, h = values[i] >> 32;
    low += l;
    high += h;
    weighted_low += i * l;
    weighted_high += i * h;
  }
  *moments = {low, high, weighted_low, weighted_high};
}

template <bool falling>
inline void WidenBy(const uint64_t* values, uint32_t begin, uint32_t end, uint64_t first, const Magnitude& line,
                    int64_t* least, int64_t* greatest) {
  int64_t min = *least, max = *greatest;
  for (uint64_t i = begin; i < end; i++) {
    const uint64_t predicted = line.At(i);
    const int64_t residual = static_cast<int64_t>(values[i] - first + (falling ? predicted : -predicted));
    min = residual < min ? residual : min;
    max = residual > max ? residual : max;
  }
  *least = min;
  *greatest = max;
}

inline void WidenResidualRange(const uint64_t* values, uint32_t begin, uint32_t end, uint64_t first,
                               const LinearModel& model, int64_t* least, int64_t* greatest) {
  const Magnitude line(model);
  if (line.falling)
    WidenBy<true>(values, begin, end, first, line, least, greatest);
  else
    WidenBy<false>(values, begin, end, first, line, least, greatest);
}

inline void OffsetRange(const uint64_t* tids, uint32_t n, uint64_t* least, uint64_t* greatest) {
  uint64_t min = TidOffset(tids[0]), max = min;
  for (uint32_t i = 1; i < n; i++) {
    const uint64_t offset = TidOffset(tids[i]);
    min = offset < min ? offset : min;
    max = offset > max ? offset : max;
  }
  *least = min;
  *greatest = max;
}

inline void NumberTids(const uint64_t* tids, uint32_t n, uint64_t span, uint64_t bias, uint64_t* numbers) {
  for (uint32_t i = 0; i < n; i++) numbers[i] = TidBlock(tids[i]) * (span + 1) + (TidOffset(tids[i]) - bias);
}

template <bool falling>
inline void PackLine(const uint64_t* values, const PackedColumn& column, uint32_t rows, uint64_t* words) {
  const Magnitude line(column.model);
  const uint64_t base = column.base;
  uint64_t pending[kLanes] = {};  // the group of words that is not full yet
  uint32_t shift = 0;
  for (uint32_t row = 0; row < rows; row++) {
    uint64_t residual[kLanes];
    for (uint32_t lane = 0; lane < kLanes; lane++) {
      const uint64_t predicted = line.At(uint64_t{row} * kLanes + lane);
      residual[lane] = values[row * kLanes + lane] - base + (falling ? predicted : -predicted);
    }
    for (uint32_t lane = 0; lane < kLanes; lane++) pending[lane] |= residual[lane] << shift;
    shift += column.width;
    if (shift < 64) continue;
    for (uint32_t lane = 0; lane < kLanes; lane++) words[lane] = pending[lane];
    words += kLanes;
    shift -= 64;
    // The bits of these residuals that went over, if any: in two shifts, as 64 is too many for one.
    const uint32_t taken = column.width - shift - 1;
    for (uint32_t lane = 0; lane < kLanes; lane++) pending[lane] = residual[lane] >> taken >> 1;
  }
  if (shift == 0) return;
  for (uint32_t lane = 0; lane < kLanes; lane++) words[lane] = pending[lane];
}

inline void PackRows(const uint64_t* values, const PackedColumn& column, uint32_t rows, uint64_t* words) {
  if (column.model.slope < 0)
    PackLine<true>(values, column, rows, words);
  else
    PackLine<false>(values, column, rows, words);
}

}  // namespace
}  // namespace omendb::core

#endif  // OMENDB_CORE_FIT_LOOPS_H
