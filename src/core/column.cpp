#include "core/column.h"

#include <cstring>

namespace omendb::core {

namespace {

// Below this many candidates a SIMD count beats a further halving.
constexpr uint32_t kCountWindow = 64;

uint32_t WidthOf(uint64_t range) { return range == 0 ? 0 : 64 - __builtin_clzll(range); }

// The prediction as the integer it stands for, which 64 bits may not hold.
i128 PredictExactly(const LinearModel& model, uint32_t i) {
  // Multiplied, because a negative number must not be shifted left.
  return static_cast<i128>((model.slope * static_cast<int64_t>(i)) >> model.right_shift) *
         (static_cast<i128>(1) << model.left_shift);
}

// Residuals of values against a model, as integers, relative to values[0].
struct ResidualRange {
  i128 min, max;
};

ResidualRange MeasureResiduals(const uint64_t* values, uint32_t n, const LinearModel& model, uint64_t span) {
  const uint64_t first = values[0];
  // Both terms below 2^62 in magnitude: 64-bit arithmetic is exact.
  if (span < (uint64_t{1} << 61)) {
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (uint32_t i = 0; i < n; i++) {
      const int64_t r = static_cast<int64_t>(values[i] - first - model.Predict(i));
      min = r < min ? r : min;
      max = r > max ? r : max;
    }
    return {min, max};
  }
  i128 min = 0, max = 0;
  for (uint32_t i = 0; i < n; i++) {
    const i128 r = static_cast<i128>(values[i]) - static_cast<i128>(first) - PredictExactly(model, i);
    min = r < min ? r : min;
    max = r > max ? r : max;
  }
  return {min, max};
}

struct Candidate {
  LinearModel model;
  i128 base;  // may be negative
  uint32_t width = 65;
};

// A line is usable if its predictions stay within 2^62 of the column's span, so
// that they neither wrap nor make MeasureResiduals overflow.
bool TryModel(const uint64_t* values, uint32_t n, uint64_t span, const LinearModel& model, Candidate* best,
              bool prefer_on_tie) {
  if (model.slope == 0) return false;
  const i128 last = PredictExactly(model, n - 1);
  const i128 magnitude = last < 0 ? -last : last;
  const i128 limit = span < (uint64_t{1} << 61) ? static_cast<i128>(1) << 62 : static_cast<i128>(UINT64_MAX);
  if (magnitude > limit) return false;
  const ResidualRange range = MeasureResiduals(values, n, model, span);
  if (range.max - range.min > static_cast<i128>(UINT64_MAX)) return false;
  const uint32_t width = WidthOf(static_cast<uint64_t>(range.max - range.min));
  if (width > best->width || (width == best->width && !prefer_on_tie)) return false;
  *best = {model, static_cast<i128>(values[0]) + range.min, width};
  return true;
}

}  // namespace

void Column::Decode(uint32_t begin, uint32_t end, uint64_t* out) const {
  uint32_t i = begin;
  for (; i < end && i % kLanes != 0; i++) *out++ = Get(i);
  const uint32_t rows = (end - i) / kLanes;
  if (rows > 0) {
    ActiveKernels().decode_rows(packed_, i / kLanes, rows, out);
    i += rows * kLanes;
    out += rows * kLanes;
  }
  for (; i < end; i++) *out++ = Get(i);
}

void Column::Window(uint64_t key, uint32_t n, uint32_t* begin, uint32_t* end) const {
  *begin = 0;
  *end = n;
  if (header_->codec != Codec::kLinear || header_->slope <= 0) return;
  const i128 base = static_cast<i128>(packed_.base) -
                    ((header_->flags & ColumnHeader::kNegativeBase) ? static_cast<i128>(1) << 64 : 0);
  const ModelInverse inverse{header_->inverse, header_->inverse_shift};
  const i128 above = static_cast<i128>(key) - base;
  // base + predict(i) > key: so is value(i), and every later one.
  if (above < 0) {
    *end = 0;
    return;
  }
  if (above <= static_cast<i128>(UINT64_MAX))
    *end = FirstAbove(packed_.model, inverse, n, static_cast<uint64_t>(above));
  // base + predict(i) + 2^width - 1 < key: so is value(i), and every earlier one.
  const i128 below = above - static_cast<i128>(packed_.width == 0 ? 0 : ~uint64_t{0} >> (64 - packed_.width)) - 1;
  if (below >= 0)
    *begin = below > static_cast<i128>(UINT64_MAX)
                 ? n
                 : FirstAbove(packed_.model, inverse, n, static_cast<uint64_t>(below));
  if (*begin > *end) *begin = *end;
}

uint32_t Column::LowerBound(uint64_t key, uint32_t begin, uint32_t end) const {
  while (end - begin > kCountWindow) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (Get(middle) < key)
      begin = middle + 1;
    else
      end = middle;
  }
  // Sorted, so the entries below key are a prefix: count them.
  uint32_t i = begin;
  for (; i < end && i % kLanes != 0; i++)
    if (Get(i) >= key) return i;
  const uint32_t rows = (end - i) / kLanes;
  if (rows > 0) {
    const uint32_t below = ActiveKernels().count_below(packed_, i / kLanes, rows, key);
    i += below;
    if (below < rows * kLanes) return i;
  }
  for (; i < end; i++)
    if (Get(i) >= key) return i;
  return end;
}

uint32_t Column::LowerBoundSorted(uint64_t key, uint32_t n) const {
  uint32_t begin, end;
  Window(key, n, &begin, &end);
  return LowerBound(key, begin, end);
}

uint32_t Column::RunEnd(uint64_t key, uint32_t begin, uint32_t end) const {
  uint32_t step = 1, known = begin;  // entries before `known` belong to the run
  while (known + step <= end && Get(known + step - 1) == key) {
    known += step;
    step *= 2;
  }
  uint32_t low = known, high = known + step <= end ? known + step - 1 : end;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (Get(middle) == key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

ColumnHeader FitColumn(const uint64_t* values, uint32_t n, bool sorted, const ColumnHeader* inherited) {
  uint64_t min = values[0], max = values[0];
  if (sorted) {
    max = values[n - 1];
  } else {
    for (uint32_t i = 1; i < n; i++) {
      min = values[i] < min ? values[i] : min;
      max = values[i] > max ? values[i] : max;
    }
  }

  ColumnHeader header;
  std::memset(&header, 0, sizeof header);
  if (min == max) {
    header.codec = Codec::kConstant;
    header.base = min;
    return header;
  }

  const uint64_t span = max - min;
  Candidate best{LinearModel{}, static_cast<i128>(min), WidthOf(span)};
  TryModel(values, n, span, FitEndpoints(values, n), &best, sorted);
  if (best.width > 0) TryModel(values, n, span, FitLeastSquares(values, n), &best, false);
  if (inherited != nullptr && best.width > inherited->width) {
    const LinearModel model{inherited->slope, inherited->right_shift, inherited->left_shift};
    TryModel(values, n, span, model, &best, false);
  }
  // A search needs predictions that grow and do not wrap.
  if (sorted && best.model.slope < 0) best = {LinearModel{}, static_cast<i128>(min), WidthOf(span)};

  header.width = static_cast<uint8_t>(best.width);
  if (best.model.slope == 0) {
    header.codec = best.width == 64 ? Codec::kRaw : Codec::kReference;
    header.base = best.width == 64 ? 0 : static_cast<uint64_t>(best.base);
    return header;
  }
  header.codec = Codec::kLinear;
  header.base = static_cast<uint64_t>(best.base);
  header.flags = best.base < 0 ? ColumnHeader::kNegativeBase : 0;
  header.slope = best.model.slope;
  header.right_shift = best.model.right_shift;
  header.left_shift = best.model.left_shift;
  if (sorted) {
    const ModelInverse inverse = MakeInverse(best.model);
    header.inverse = inverse.inverse;
    header.inverse_shift = inverse.shift;
  }
  return header;
}

void PackColumn(const uint64_t* values, uint32_t n, const ColumnHeader& header, uint64_t* words) {
  if (header.width == 0) return;
  std::memset(words, 0, PackedBytes(n, header.width));
  const LinearModel model{header.slope, header.right_shift, header.left_shift};
  const uint32_t width = header.width;
  uint64_t bit = 0;
  for (uint32_t row = 0; row * kLanes < n; row++, bit += width) {
    const uint32_t first = row * kLanes;
    const uint32_t lanes = n - first < kLanes ? n - first : kLanes;
    uint64_t* group = words + (bit >> 6) * kLanes;
    const uint32_t shift = bit & 63;
    const bool straddles = shift + width > 64;
    for (uint32_t lane = 0; lane < lanes; lane++) {
      const uint64_t residual = values[first + lane] - header.base - model.Predict(first + lane);
      group[lane] |= residual << shift;
      if (straddles) group[kLanes + lane] |= residual >> (64 - shift);
    }
  }
}

bool ColumnHeaderIsValid(const ColumnHeader& header, uint32_t n, size_t node_bytes) {
  if (header.codec < Codec::kConstant || header.codec > Codec::kRaw) return false;
  if (header.width > 64 || header.right_shift > 63 || header.left_shift > 63 || header.inverse_shift > 64)
    return false;
  if (n > kMaxEntries) return false;
  const int64_t slope_limit = int64_t{1} << 49;
  if (header.slope > slope_limit || header.slope < -slope_limit) return false;
  if (header.codec != Codec::kLinear && header.slope != 0) return false;
  if (header.codec == Codec::kConstant && header.width != 0) return false;
  if (header.codec == Codec::kRaw && (header.width != 64 || header.base != 0)) return false;
  if (header.width == 0) return true;
  return header.data_offset % 8 == 0 && header.data_offset <= node_bytes &&
         PackedBytes(n, header.width) <= node_bytes - header.data_offset;
}

}  // namespace omendb::core
