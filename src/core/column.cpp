#include "core/column.h"

#include <algorithm>
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

// Stops early, with a part of the range, if that already spans more than `most`.
ResidualRange MeasureResiduals(const uint64_t* values, uint32_t n, const LinearModel& model, uint64_t span,
                               uint64_t most) {
  // A line that leads nowhere shows it soon.
  constexpr uint32_t kFirst = 64;
  const uint64_t first = values[0];
  // Both terms below 2^62 in magnitude: 64-bit arithmetic is exact.
  if (span < (uint64_t{1} << 61)) {
    const Kernels& kernels = ActiveKernels();
    const uint32_t begin = n < kFirst ? n : kFirst;
    int64_t min = INT64_MAX, max = INT64_MIN;
    kernels.residual_range(values, 0, begin, first, model, &min, &max);
    if (static_cast<uint64_t>(max) - static_cast<uint64_t>(min) <= most)
      kernels.residual_range(values, begin, n, first, model, &min, &max);
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

// A line is usable if its predictions stay within twice the column's span, so
// that they neither wrap nor make MeasureResiduals overflow.
bool TryModel(const uint64_t* values, uint32_t n, uint64_t span, const LinearModel& model, Candidate* best,
              bool prefer_on_tie) {
  if (model.slope == 0) return false;
  const i128 last = PredictExactly(model, n - 1);
  const i128 magnitude = last < 0 ? -last : last;
  if (magnitude > 2 * static_cast<i128>(span) || magnitude > static_cast<i128>(UINT64_MAX)) return false;
  // Wider than this, it is of no use.
  const uint32_t widest = prefer_on_tie ? best->width : best->width - 1;
  const uint64_t most = widest >= 64 ? UINT64_MAX : (uint64_t{1} << widest) - 1;
  const ResidualRange range = MeasureResiduals(values, n, model, span, most);
  if (range.max - range.min > static_cast<i128>(UINT64_MAX)) return false;
  const uint32_t width = WidthOf(static_cast<uint64_t>(range.max - range.min));
  if (width > best->width || (width == best->width && !prefer_on_tie)) return false;
  *best = {model, static_cast<i128>(values[0]) + range.min, width};
  return true;
}

u128 DivideRoundingDown(u128 dividend, uint64_t divisor) {
  if (divisor == 1) return dividend;
  if (dividend <= UINT64_MAX) return static_cast<uint64_t>(dividend) / divisor;
  return dividend / divisor;
}

// The greatest number that divides all differences between values.
uint64_t CommonDivisor(const uint64_t* values, uint32_t n) {
  uint64_t divisor = 0;
  for (uint32_t i = 1; i < n && divisor != 1; i++) {
    // Mostly divisible, which takes one division to see.
    uint64_t dividend = values[i] > values[0] ? values[i] - values[0] : values[0] - values[i];
    while (divisor != 0) {
      const uint64_t rest = dividend % divisor;
      dividend = divisor;
      divisor = rest;
    }
    divisor = dividend;
  }
  return divisor;
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
  const ModelInverse inverse{header_->inverse, header_->inverse_shift};
  const i128 distance = static_cast<i128>(key) - BaseOf(*header_);
  if (distance < 0) {
    *end = 0;
    return;
  }
  // In steps of the scale.  predict(i) > floor(distance / scale): then value(i) is
  // above the key, and so is every later one.
  const u128 above = DivideRoundingDown(static_cast<u128>(distance), packed_.scale);
  if (above <= UINT64_MAX) *end = FirstAbove(packed_.model, inverse, n, static_cast<uint64_t>(above));
  // predict(i) + 2^width - 1 < ceil(distance / scale): then value(i) is below the
  // key, and so is every earlier one.
  const bool exact = above * packed_.scale == static_cast<u128>(distance);
  const i128 below = static_cast<i128>(above) + (exact ? 0 : 1) -
                     static_cast<i128>(packed_.width == 0 ? 0 : ~uint64_t{0} >> (64 - packed_.width)) - 1;
  if (below >= 0)
    *begin =
        below > static_cast<i128>(UINT64_MAX) ? n : FirstAbove(packed_.model, inverse, n, static_cast<uint64_t>(below));
  if (*begin > *end) *begin = *end;
}

void Column::Halve(uint64_t key, uint32_t* begin, uint32_t* end) const {
  while (*end - *begin > kCountWindow) {
    const uint32_t middle = *begin + (*end - *begin) / 2;
    if (Get(middle) < key)
      *begin = middle + 1;
    else
      *end = middle;
  }
}

uint32_t Column::LowerBound(uint64_t key, uint32_t begin, uint32_t end) const {
  Halve(key, &begin, &end);
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

uint32_t Column::LowerBoundInWindow(uint64_t key, uint32_t begin, uint32_t end, uint32_t n) const {
  Halve(key, &begin, &end);
  // Whole rows: what they have outside the window is known, and counts right.  Only the
  // column's last row may have places without a value.
  const uint32_t first_row = begin / kLanes;
  const uint32_t end_row = std::min((end + kLanes - 1) / kLanes, n / kLanes);
  uint32_t i = begin;
  if (first_row < end_row) {
    i = first_row * kLanes + ActiveKernels().count_below(packed_, first_row, end_row - first_row, key);
    if (i < end_row * kLanes) return i;
  }
  for (; i < end; i++)
    if (Get(i) >= key) return i;
  return end;
}

uint32_t Column::LowerBoundByWindow(uint64_t key, uint32_t n) const {
  uint32_t begin, end;
  Window(key, n, &begin, &end);
  Prefetch(begin, end);
  return LowerBoundInWindow(key, begin, end, n);
}

uint32_t Column::Advance(uint64_t distance, uint32_t n) const {
  const uint64_t steps = packed_.scale == 1 ? distance : distance / packed_.scale;
  const u128 positions = static_cast<u128>(steps) * header_->inverse >> header_->inverse_shift;
  return positions < n ? static_cast<uint32_t>(positions) : n;
}

bool Column::Estimate(uint64_t key, uint32_t n, uint32_t* position) const {
  if (header_->inverse == 0 || (header_->flags & ColumnHeader::kNegativeBase) != 0) return false;
  // value = base + scale * (predict + residual), and half of the residuals are below the middle.
  const u128 middle = static_cast<u128>(packed_.width == 0 ? 0 : (~uint64_t{0} >> (64 - packed_.width)) / 2) *
                      packed_.scale;
  const uint64_t distance = key > packed_.base ? key - packed_.base : 0;
  *position = distance > middle ? Advance(distance - static_cast<uint64_t>(middle), n - 1) : 0;
  return true;
}

// Values that are neighbours lie about equally far off the line, so that from a value
// nearby the line leads closer to the key than it did at first; the rest is a row or two.
uint32_t Column::LowerBoundNear(uint64_t key, uint32_t position, uint32_t n) const {
  constexpr int kRows = 4, kSteps = 12;
  uint32_t i = position;
  uint64_t value = Get(i);
  if (value < key)
    i = std::min(i + Advance(key - value, n), n - 1);
  else
    i -= std::min(Advance(value - key, n), i);
  // Row by row, each at once.  (What is behind the last value of the last row is no value.)
  const Kernels& kernels = ActiveKernels();
  uint32_t row = i / kLanes;
  bool is_above = false, is_below = false;  // whether the row before was left downward, or upward
  for (int rows = 0; rows < kRows && (row + 1) * kLanes <= n; rows++) {
    const uint32_t below = kernels.count_below(packed_, row, 1, key);
    if (below == 0) {
      if (is_below || row == 0) return row * kLanes;
      is_above = true;
      row--;
    } else if (below == kLanes) {
      row++;
      if (is_above || row * kLanes >= n) return row * kLanes;
      is_below = true;
    } else {
      return row * kLanes + below;
    }
  }
  i = std::min(row * kLanes, n - 1);
  value = Get(i);
  if (value < key) {
    for (int step = 0; step < kSteps; step++) {
      if (++i == n || Get(i) >= key) return i;
    }
  } else {
    for (int step = 0; step < kSteps; step++) {
      if (i == 0 || Get(i - 1) < key) return i;
      i--;
    }
  }
  return LowerBoundByWindow(key, n);
}

// The misses of a window's lines overlap; one after the other they would cost
// more than all else in a search.
void Column::Prefetch(uint32_t begin, uint32_t end) const {
  constexpr uint64_t kMostGroups = 12;
  if (packed_.width == 0 || begin >= end) return;
  const uint64_t first = static_cast<uint64_t>(begin / kLanes) * packed_.width >> 6;
  const uint64_t last = (static_cast<uint64_t>((end - 1) / kLanes + 1) * packed_.width - 1) >> 6;
  if (last - first >= kMostGroups) return;
  for (uint64_t group = first; group <= last; group++) omendb::core::Prefetch(packed_.words + group * kLanes);
  omendb::core::Prefetch(packed_.words + last * kLanes + kLanes - 1);
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

namespace {

// Whether a line through an unsorted column could leave residuals narrower than `width`, by
// a sample of its values: TIDs in no order are most of what there is, and none does.
bool MayBeLine(const uint64_t* values, uint32_t n, uint32_t width) {
  constexpr uint32_t kSample = 64;
  if (n <= 2 * kSample) return true;
  uint64_t sample[kSample];
  uint64_t least = UINT64_MAX, greatest = 0;
  for (uint32_t i = 0; i < kSample; i++) {
    sample[i] = values[static_cast<uint64_t>(i) * n / kSample];
    least = sample[i] < least ? sample[i] : least;
    greatest = sample[i] > greatest ? sample[i] : greatest;
  }
  Candidate narrower{LinearModel{}, 0, width};
  return TryModel(sample, kSample, greatest - least, FitLeastSquares(sample, kSample), &narrower, false);
}

// FitColumn for scale 1.  `base` gets the integer that the base stands for.
ColumnHeader FitSteps(const uint64_t* values, uint32_t n, uint64_t min, uint64_t max, bool sorted,
                      const ColumnHeader* inherited, i128* base) {
  const uint64_t span = max - min;
  Candidate best{LinearModel{}, static_cast<i128>(min), WidthOf(span)};
  TryModel(values, n, span, FitEndpoints(values, n), &best, sorted);
  if (best.width > 0 && (sorted || MayBeLine(values, n, best.width)))
    TryModel(values, n, span, FitLeastSquares(values, n), &best, false);
  if (inherited != nullptr && best.width > inherited->width) {
    const LinearModel model{inherited->slope, inherited->right_shift, inherited->left_shift};
    TryModel(values, n, span, model, &best, false);
  }
  // A search needs predictions that grow and do not wrap.
  if (sorted && best.model.slope < 0) best = {LinearModel{}, static_cast<i128>(min), WidthOf(span)};

  ColumnHeader header;
  std::memset(&header, 0, sizeof header);
  header.scale = 1;
  header.width = static_cast<uint8_t>(best.width);
  *base = best.base;
  if (best.model.slope == 0) {
    header.codec = Codec::kReference;
    return header;
  }
  header.codec = Codec::kLinear;
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

}  // namespace

ColumnHeader FitColumn(const uint64_t* values, uint32_t n, bool sorted, const ColumnHeader* inherited) {
  uint64_t min = values[0], max = values[0];
  if (sorted) {
    max = values[n - 1];
  } else {
    ActiveKernels().range(values, n, &min, &max);
  }

  ColumnHeader header;
  std::memset(&header, 0, sizeof header);
  if (min == max) {
    header.codec = Codec::kConstant;
    header.base = min;
    header.scale = 1;
    return header;
  }

  i128 base;
  uint64_t scale = CommonDivisor(values, n);
  const auto fit = [&](uint64_t at_scale, const ColumnHeader* candidate) {
    if (at_scale == 1) return FitSteps(values, n, min, max, sorted, candidate, &base);
    uint64_t steps[kMaxEntries];
    for (uint32_t i = 0; i < n; i++) steps[i] = (values[i] - min) / at_scale;
    ColumnHeader result = FitSteps(steps, n, 0, (max - min) / at_scale, sorted, candidate, &base);
    result.scale = at_scale;
    base = static_cast<i128>(min) + base * static_cast<i128>(at_scale);
    return result;
  };
  const bool same_scale = inherited != nullptr && inherited->scale == scale;
  header = fit(scale, same_scale ? inherited : nullptr);
  // A part may have a greater divisor than the whole had, and yet be closer to the
  // old line in the old steps.
  if (inherited != nullptr && !same_scale && header.width > inherited->width && scale % inherited->scale == 0) {
    scale = inherited->scale;
    header = fit(scale, inherited);
  }
  if (header.width == 64) {
    header.codec = Codec::kRaw;
    header.scale = 1;
    base = 0;
    header.slope = 0;
    header.inverse = 0;
    header.right_shift = header.left_shift = header.inverse_shift = 0;
  } else if (base <= -(static_cast<i128>(1) << 64)) {
    // Further below 0 than the flag can say: the frame of reference will do.
    std::memset(&header, 0, sizeof header);
    header.codec = Codec::kReference;
    header.scale = scale;
    header.width = static_cast<uint8_t>(WidthOf((max - min) / scale));
    base = static_cast<i128>(min);
  }
  header.base = static_cast<uint64_t>(base);
  header.flags = base < 0 ? ColumnHeader::kNegativeBase : 0;
  return header;
}

bool ColumnCovers(const ColumnHeader& header, uint32_t from, const uint64_t* values, uint32_t n) {
  const LinearModel model{header.slope, header.right_shift, header.left_shift};
  const i128 base = BaseOf(header), scale = header.scale;
  const i128 limit = static_cast<i128>(1) << header.width;
  for (uint32_t i = 0; i < n; i++) {
    const i128 line = PredictExactly(model, from + i);
    // As far as TryModel lets a line go.
    if (line > static_cast<i128>(UINT64_MAX) || line < -static_cast<i128>(UINT64_MAX)) return false;
    const i128 distance = static_cast<i128>(values[i]) - base;
    const i128 residual = (scale == 1 ? distance : distance / scale) - line;
    if (residual < 0 || residual >= limit || (scale != 1 && distance % scale != 0)) return false;
  }
  return true;
}

namespace {

// Zeroes what words have behind the first n values.
void ClearBehind(uint32_t n, uint32_t width, uint64_t* words, size_t bytes) {
  if (n == 0) {
    std::memset(words, 0, bytes);
    return;
  }
  const uint64_t groups = bytes / (kLanes * sizeof(uint64_t));
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    const uint64_t bit = static_cast<uint64_t>((n + kLanes - 1 - lane) / kLanes) * width;
    uint64_t group = bit >> 6;
    if ((bit & 63) != 0) words[group++ * kLanes + lane] &= ~(~uint64_t{0} << (bit & 63));
    for (; group < groups; group++) words[group * kLanes + lane] = 0;
  }
}

}  // namespace

void PackColumn(const uint64_t* values, uint32_t n, const ColumnHeader& header, uint64_t* words, uint32_t from) {
  if (header.width == 0) return;
  PackedColumn column = {nullptr, header.base, LinearModel{header.slope, header.right_shift, header.left_shift}, 1,
                         header.width};
  uint64_t steps[kMaxEntries];
  if (header.scale != 1) {
    const i128 base = BaseOf(header);
    for (uint32_t i = 0; i < n; i++) {
      // A falling line has its base above the values.
      const i128 distance = static_cast<i128>(values[i]) - base;
      const bool negative = distance < 0;
      const u128 magnitude = static_cast<u128>(negative ? -distance : distance);
      const uint64_t steps_away = static_cast<uint64_t>(DivideRoundingDown(magnitude, header.scale));
      steps[i] = negative ? -steps_away : steps_away;
    }
    values = steps;
    column.base = 0;
  }
  // Whole rows at once.  What is behind them has places without a value, which are 0.
  const uint32_t rows = from == 0 ? n / kLanes : 0, packed = rows * kLanes;
  ActiveKernels().pack_rows(values, column, rows, words);
  ClearBehind(from + packed, header.width, words, PackedBytes(from + n, header.width));
  for (uint32_t i = packed; i < n; i++) {
    const uint64_t bit = static_cast<uint64_t>((from + i) / kLanes) * header.width;
    uint64_t* word = words + (bit >> 6) * kLanes + (from + i) % kLanes;
    const uint32_t shift = bit & 63;
    const uint64_t residual = values[i] - column.base - column.model.Predict(from + i);
    *word |= residual << shift;
    if (shift + header.width > 64) word[kLanes] |= residual >> (64 - shift);
  }
}

bool Column::IsBelow(u128 limit, uint32_t n) const {
  // The line goes from predict(0) = 0 to its other end; the residual is above it.  The
  // bounds hold for the sum as an integer, so it must not wrap.
  constexpr int kMaxBits = 60;
  if ((header_->flags & ColumnHeader::kNegativeBase) != 0) return false;
  const i128 line = static_cast<i128>(header_->slope) * (n - 1) >> header_->right_shift;
  constexpr i128 kLargest = static_cast<i128>(1) << kMaxBits;
  if (header_->left_shift != 0 || line >= kLargest || line <= -kLargest || header_->width > kMaxBits) return false;
  const i128 scale = header_->scale, base = header_->base;
  if (scale >= kLargest) return false;
  const i128 residual = (static_cast<i128>(1) << header_->width) - 1;
  const i128 lowest = base + scale * (line < 0 ? line : 0);
  const i128 highest = base + scale * ((line > 0 ? line : 0) + residual);
  return lowest >= 0 && static_cast<u128>(highest) < limit && highest < kLargest;
}

bool ColumnHeaderIsValid(const ColumnHeader& header, uint32_t n, size_t node_bytes) {
  if (header.codec < Codec::kConstant || header.codec > Codec::kRaw) return false;
  if (header.width > 64 || header.right_shift > 63 || header.left_shift > 63 || header.inverse_shift > 64) return false;
  if (n > kMaxEntries || header.scale == 0) return false;
  const int64_t slope_limit = int64_t{1} << 49;
  if (header.slope > slope_limit || header.slope < -slope_limit) return false;
  if (header.codec != Codec::kLinear && header.slope != 0) return false;
  if (header.codec == Codec::kConstant && header.width != 0) return false;
  if (header.codec == Codec::kRaw && (header.width != 64 || header.base != 0 || header.scale != 1)) return false;
  if (header.width == 0) return true;
  return header.data_offset % 8 == 0 && header.data_offset <= node_bytes &&
         PackedBytes(n, header.width) <= node_bytes - header.data_offset;
}

}  // namespace omendb::core
