#include "core/aggregate.h"

namespace omendb::core {

namespace {

// Values decoded at a time where totals cannot be had from the packed words.
constexpr uint32_t kDecoded = 256;

// Steps below 2^kMostBits are added and compared as 64-bit numbers.
constexpr int kMostBits = 59;
constexpr int kLanesLog2 = 3;
static_assert(kLanes == 1u << kLanesLog2);

int BitLength(u128 v) {
  const uint64_t high = static_cast<uint64_t>(v >> 64);
  if (high != 0) return 128 - __builtin_clzll(high);
  const uint64_t low = static_cast<uint64_t>(v);
  return low == 0 ? 0 : 64 - __builtin_clzll(low);
}

// The bits that predict(i) + residual(i) takes at most as a signed number, in a column of n values.
int StepBits(const PackedColumn& column, uint32_t n) {
  const uint64_t slope = static_cast<uint64_t>(column.model.slope < 0 ? -column.model.slope : column.model.slope);
  // One more than its floor: the magnitude of a falling line is rounded up.
  const u128 line = ((static_cast<u128>(slope) * (n - 1)) >> column.model.right_shift) + 1;
  const int line_bits = slope == 0 ? 0 : BitLength(line) + column.model.left_shift;
  const int width = static_cast<int>(column.width);
  return (line_bits > width ? line_bits : width) + 1;
}

void AddDecoded(const Column& column, uint32_t begin, uint32_t end, unsigned wanted, Totals* totals) {
  uint64_t values[kDecoded];
  for (uint32_t i = begin; i < end; i += kDecoded) {
    const uint32_t n = end - i < kDecoded ? end - i : kDecoded;
    column.Decode(i, i + n, values);
    for (uint32_t j = 0; j < n; j++) AddValue(values[j], wanted, totals);
  }
}

// Values without NULLs, not sorted.
void AddPacked(const Column& column, uint32_t n, uint32_t begin, uint32_t end, unsigned wanted, Totals* totals) {
  const PackedColumn& packed = column.packed();
  const int bits = StepBits(packed, n);
  const uint32_t first_row = (begin + kLanes - 1) / kLanes, end_row = end / kLanes;
  if (bits > kMostBits || first_row >= end_row) return AddDecoded(column, begin, end, wanted, totals);
  AddDecoded(column, begin, first_row * kLanes, wanted, totals);
  AddDecoded(column, end_row * kLanes, end, wanted, totals);

  const uint32_t count = (end_row - first_row) * kLanes;
  const u128 base = static_cast<u128>(BaseOf(column.header()));
  totals->count += count;
  if ((wanted & kWantSum) != 0) {
    // As many rows at a time as their sum fits 63 bits.
    const uint32_t most = 1u << (62 - kLanesLog2 - bits < kMaxEntriesLog2 ? 62 - kLanesLog2 - bits : kMaxEntriesLog2);
    u128 steps = 0;
    for (uint32_t row = first_row; row < end_row; row += most) {
      const uint32_t rows = end_row - row < most ? end_row - row : most;
      steps += static_cast<u128>(static_cast<i128>(static_cast<int64_t>(ActiveKernels().sum_steps(packed, row, rows))));
    }
    totals->sum += count * base + packed.scale * steps;
  }
  if ((wanted & kWantBounds) != 0) {
    int64_t least, greatest;
    ActiveKernels().bound_steps(packed, first_row, end_row - first_row, &least, &greatest);
    const uint64_t low = packed.base + packed.scale * static_cast<uint64_t>(least);
    const uint64_t high = packed.base + packed.scale * static_cast<uint64_t>(greatest);
    totals->least = low < totals->least ? low : totals->least;
    totals->greatest = high > totals->greatest ? high : totals->greatest;
  }
}

// Whether the header alone says that no value is below totals->least or above totals->greatest.
bool IsWithin(const ColumnHeader& header, const Totals& totals) {
  if (header.codec != Codec::kReference || header.width > kMostBits || header.base < totals.least) return false;
  const u128 highest = header.base + static_cast<u128>(header.scale) * ((uint64_t{1} << header.width) - 1);
  return highest <= totals.greatest;
}

}  // namespace

void AddArray(const uint64_t* values, const uint64_t* cls, uint32_t n, unsigned wanted, Totals* totals) {
  for (uint32_t i = 0; i < n; i++)
    if (cls[i] == kValue) AddValue(values[i], wanted, totals);
}

void AddColumn(const Node& node, int c, uint32_t begin, uint32_t end, unsigned wanted, Totals* totals) {
  if (begin >= end) return;
  const Column column = node.value_column(c);
  if (node.has_class_column(c)) {
    const Column classes = node.class_column(c);
    uint64_t values[kDecoded], cls[kDecoded];
    for (uint32_t i = begin; i < end; i += kDecoded) {
      const uint32_t n = end - i < kDecoded ? end - i : kDecoded;
      classes.Decode(i, i + n, cls);
      if (wanted != 0) {
        column.Decode(i, i + n, values);
        AddArray(values, cls, n, wanted, totals);
      } else {
        for (uint32_t j = 0; j < n; j++) totals->count += cls[j] == kValue;
      }
    }
    return;
  }
  const ColumnHeader& header = column.header();
  if ((wanted & kWantBounds) != 0) {
    // The first column is sorted; of others the header may say enough.
    bool known = true;
    if (c == 0 || header.codec == Codec::kConstant) {
      const uint64_t low = column.Get(begin), high = column.Get(end - 1);
      totals->least = low < totals->least ? low : totals->least;
      totals->greatest = high > totals->greatest ? high : totals->greatest;
    } else {
      known = IsWithin(header, *totals);
    }
    if (known) wanted &= ~static_cast<unsigned>(kWantBounds);
  }
  if (wanted == 0)
    totals->count += end - begin;
  else
    AddPacked(column, node.count(), begin, end, wanted, totals);
}

}  // namespace omendb::core
