#include "core/linear_model.h"

#include "core/kernels.h"

namespace omendb::core {

namespace {

constexpr int kSlopeBits = 49;
constexpr int kMaxRightShift = 48;

int BitLength(u128 v) {
  const uint64_t high = static_cast<uint64_t>(v >> 64);
  if (high != 0) return 128 - __builtin_clzll(high);
  const uint64_t low = static_cast<uint64_t>(v);
  return low == 0 ? 0 : 64 - __builtin_clzll(low);
}

// numerator / denominator as a slope with as many fraction bits as fit.
LinearModel FromRatio(bool negative, u128 numerator, u128 denominator) {
  LinearModel model;
  if (numerator == 0) return model;
  int shift = kSlopeBits - 1 + BitLength(denominator) - BitLength(numerator);
  if (shift > kMaxRightShift) shift = kMaxRightShift;
  if (shift >= 0) {
    model.slope = static_cast<int64_t>((numerator << shift) / denominator);
    model.right_shift = static_cast<uint8_t>(shift);
  } else {
    model.slope = static_cast<int64_t>((numerator / denominator) >> -shift);
    model.left_shift = static_cast<uint8_t>(-shift);
  }
  if (negative) model.slope = -model.slope;
  return model;
}

}  // namespace

LinearModel FitEndpoints(const uint64_t* values, uint32_t n) {
  if (n < 2) return {};
  const uint64_t first = values[0], last = values[n - 1];
  const bool negative = last < first;
  return FromRatio(negative, negative ? first - last : last - first, n - 1);
}

// slope = sum((i - mean_i) * v_i) / sum((i - mean_i)^2).  With c = 2 i - (n - 1)
// both sums are over integers: slope = 6 * sum(c * v) / (n * (n^2 - 1)).
LinearModel FitLeastSquares(const uint64_t* values, uint32_t n) {
  if (n < 2) return {};
  Moments moments;
  ActiveKernels().moments(values, n, &moments);
  // i * v(i) is below 2^77, and there are 2^13 of them.
  const auto whole = [](uint64_t low, uint64_t high) {
    return (static_cast<i128>(high) << 32) + static_cast<i128>(low);
  };
  const i128 sum = 2 * whole(moments.weighted_low, moments.weighted_high) -
                   static_cast<i128>(n - 1) * whole(moments.low, moments.high);
  const bool negative = sum < 0;
  const u128 magnitude = negative ? static_cast<u128>(-sum) : static_cast<u128>(sum);
  const u128 wide_n = n;
  return FromRatio(negative, 6 * magnitude, wide_n * (wide_n * wide_n - 1));
}

ModelInverse MakeInverse(const LinearModel& model) {
  ModelInverse result;
  if (model.slope <= 0) return result;
  // 1 / rate, rate = slope * 2^(left_shift - right_shift), scaled by 2^shift
  // with shift as large as keeps the quotient below 2^64 and at most 64: then
  // u * inverse >> shift is at most one below u / rate.
  const int slope_bits = BitLength(static_cast<u128>(model.slope));
  int shift = 62 + slope_bits + model.left_shift - model.right_shift;
  if (shift > 64) shift = 64;
  const int exponent = shift + model.right_shift - model.left_shift;
  if (exponent < 0 || exponent > 126) return result;
  result.inverse = static_cast<uint64_t>((static_cast<u128>(1) << exponent) / static_cast<u128>(model.slope));
  result.shift = static_cast<uint8_t>(shift);
  return result;
}

uint32_t FirstAbove(const LinearModel& model, const ModelInverse& inverse, uint32_t n, uint64_t u) {
  if (n == 0 || model.Predict(n - 1) <= u) return n;
  // From here on u < predict(n - 1), so u + 1 does not wrap.
  uint64_t i = static_cast<uint64_t>((static_cast<u128>(u + 1) * inverse.inverse) >> inverse.shift);
  if (i >= n) i = n - 1;
  while (model.Predict(i) <= u) i++;
  while (i > 0 && model.Predict(i - 1) > u) i--;
  return static_cast<uint32_t>(i);
}

}  // namespace omendb::core
