#include <cmath>

#include "exec/float_totals.h"

extern "C" {
#include "utils/float.h"
}

namespace omendb::exec {

namespace {

// As float4_pl and float8_pl, whose first value is taken as it is.
template <typename Float>
void AddToSum(const Float* values, uint32 n, FloatTotals* totals) {
  uint32 i = 0;
  Float sum = totals->count > 0 ? static_cast<Float>(totals->sum) : values[i++];
  for (; i < n; i++) {
    const Float before = sum;
    sum += values[i];
    if (unlikely(std::isinf(sum)) && !std::isinf(before) && !std::isinf(values[i])) totals->sum_overflows = true;
  }
  totals->sum = static_cast<float8>(sum);
}

// As float8_accum (and float4_accum, which computes in float8): the average needs no sum of
// squares, but an overflow of that is an error, too.
template <typename Float>
void AddToAverage(const Float* values, uint32 n, FloatTotals* totals) {
  float8 count = static_cast<float8>(totals->count), sum = totals->plain, squares = totals->squares;
  for (uint32 i = 0; i < n; i++) {
    const float8 value = static_cast<float8>(values[i]), count_before = count, sum_before = sum;
    count += 1.0;
    sum += value;
    if (count_before > 0.0) {
      const float8 distance = value * count - sum;
      squares += distance * distance / (count * count_before);
      if (unlikely(std::isinf(sum) || std::isinf(squares))) {
        if (!std::isinf(sum_before) && !std::isinf(value)) totals->average_overflows = true;
        squares = get_float8_nan();
      }
    } else if (!std::isfinite(value)) {
      squares = get_float8_nan();
    }
  }
  totals->plain = sum;
  totals->squares = squares;
}

}  // namespace

template <typename Float>
void AddFloats(const Float* values, uint32 n, unsigned wanted, FloatTotals* totals) {
  if (n == 0) return;
  if ((wanted & kWantFloatSum) != 0) AddToSum(values, n, totals);
  if ((wanted & kWantFloatAverage) != 0) AddToAverage(values, n, totals);
  if ((wanted & kWantFloatLeast) != 0) {
    float8 least = totals->count > 0 ? totals->least : static_cast<float8>(values[0]);
    for (uint32 i = 0; i < n; i++) least = float8_min(least, static_cast<float8>(values[i]));
    totals->least = least;
  }
  if ((wanted & kWantFloatGreatest) != 0) {
    float8 greatest = totals->count > 0 ? totals->greatest : static_cast<float8>(values[0]);
    for (uint32 i = 0; i < n; i++) greatest = float8_max(greatest, static_cast<float8>(values[i]));
    totals->greatest = greatest;
  }
  totals->count += n;
}

template void AddFloats(const float4* values, uint32 n, unsigned wanted, FloatTotals* totals);
template void AddFloats(const float8* values, uint32 n, unsigned wanted, FloatTotals* totals);

}  // namespace omendb::exec
