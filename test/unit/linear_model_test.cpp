// Lines and their inverses, against brute force.
#include "core/linear_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "unit/distributions.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

// predict(i) as the integer it stands for, which may not fit 64 bits.
i128 Predicted(const LinearModel& model, uint32_t i) {
  const i128 shifted = (static_cast<i128>(model.slope) * i) >> model.right_shift;
  return shifted * (static_cast<i128>(1) << model.left_shift);
}

class LinearModelTest : public SeededTest {
 protected:
  // Checks FirstAbove for values at, just below and just above predictions, and
  // for any others.
  void CheckInverse(const LinearModel& model, uint32_t n) {
    if (model.slope <= 0 || Predicted(model, n - 1) > static_cast<i128>(UINT64_MAX)) return;  // not required
    const ModelInverse inverse = MakeInverse(model);
    std::vector<uint64_t> queries = {0, 1, UINT64_MAX - 1, UINT64_MAX};
    for (int q = 0; q < 50; q++) {
      const uint64_t at = model.Predict(random_.Below(n));
      for (uint64_t u : {at - 1, at, at + 1, at + random_.Skewed(), random_.Skewed()}) queries.push_back(u);
    }
    for (const uint64_t u : queries) {
      uint32_t expected = 0;
      while (expected < n && Predicted(model, expected) <= static_cast<i128>(u)) expected++;
      ASSERT_EQ(expected, FirstAbove(model, inverse, n, u))
          << "u " << u << " n " << n << " slope " << model.slope << " >> " << int{model.right_shift} << " << "
          << int{model.left_shift};
      if (expected == n) continue;
      // The estimate's promised quality, which FirstAbove's speed depends on.
      const u128 estimate = (static_cast<u128>(u + 1) * inverse.inverse) >> inverse.shift;
      ASSERT_LE(estimate, static_cast<u128>(expected) + 2);
      ASSERT_GE(estimate + 2, static_cast<u128>(expected));
    }
  }
};

TEST_F(LinearModelTest, FirstAboveIsExactForFittedModels) {
  for (const Distribution d : AllDistributions()) {
    SCOPED_TRACE(Name(d));
    for (const size_t n : ColumnSizes()) {
      const std::vector<uint64_t> values = SortedOrdinals<int64_t>(d, n, random_);
      const uint32_t count = static_cast<uint32_t>(n);
      CheckInverse(FitEndpoints(values.data(), count), count);
      CheckInverse(FitLeastSquares(values.data(), count), count);
      // An inherited model is used on a first part.
      CheckInverse(FitLeastSquares(values.data(), count), 1 + static_cast<uint32_t>(random_.Below(n)));
    }
  }
}

TEST_F(LinearModelTest, FirstAboveIsExactForAnyModel) {
  for (int round = 0; round < 2000; round++) {
    LinearModel model;
    model.slope = static_cast<int64_t>(1 + (random_.Skewed() >> 16));  // 1..2^48
    if (random_.OneIn(2))
      model.right_shift = static_cast<uint8_t>(random_.Below(49));
    else
      model.left_shift = static_cast<uint8_t>(random_.Below(15));
    CheckInverse(model, 1 + static_cast<uint32_t>(random_.Below(kMaxEntries)));
  }
}

TEST_F(LinearModelTest, SlopesStayBelowTheLimit) {
  for (int round = 0; round < 20000; round++) {
    std::vector<uint64_t> values(2 + random_.Below(random_.OneIn(50) ? kMaxEntries - 1 : 20));
    for (uint64_t& v : values) v = random_.Skewed();
    if (random_.OneIn(4)) values.front() = 0, values.back() = UINT64_MAX;
    if (random_.OneIn(4)) values.front() = UINT64_MAX, values.back() = 0;
    for (const LinearModel& model : {FitEndpoints(values.data(), static_cast<uint32_t>(values.size())),
                                     FitLeastSquares(values.data(), static_cast<uint32_t>(values.size()))}) {
      EXPECT_LT(model.slope, int64_t{1} << 49);
      EXPECT_GT(model.slope, -(int64_t{1} << 49));
      EXPECT_LE(model.right_shift, 48);
      EXPECT_LE(model.left_shift, 63);
      EXPECT_TRUE(model.right_shift == 0 || model.left_shift == 0);
    }
  }
}

TEST_F(LinearModelTest, EndpointsAreExactOnArithmeticSequences) {
  for (int round = 0; round < 2000; round++) {
    const uint32_t n = 2 + static_cast<uint32_t>(random_.Below(kMaxEntries - 1));
    const uint64_t step = random_.Skewed() >> 16;  // 48 bits: the slope has to hold it
    const uint64_t first = random_.Skewed() >> 3;
    std::vector<uint64_t> values(n);
    for (uint32_t i = 0; i < n; i++) values[i] = first + step * i;
    const LinearModel model = FitEndpoints(values.data(), n);
    for (uint32_t i = 0; i < n; i++) ASSERT_EQ(values[i], first + model.Predict(i)) << "step " << step << " n " << n;
  }
}

TEST_F(LinearModelTest, LeastSquaresAgreesWithFloatingPoint) {
  for (const Distribution d : AllDistributions()) {
    SCOPED_TRACE(Name(d));
    for (const size_t n : {3, 9, 65, 1000, 8192}) {
      std::vector<uint64_t> values = SortedOrdinals<int64_t>(d, n, random_);
      if (random_.OneIn(2)) std::reverse(values.begin(), values.end());
      long double above = 0, below = 0;
      for (size_t i = 0; i < n; i++) {
        const long double c = static_cast<long double>(i) - static_cast<long double>(n - 1) / 2;
        above += c * (static_cast<long double>(values[i]) - static_cast<long double>(values[0]));
        below += c * c;
      }
      const LinearModel model = FitLeastSquares(values.data(), static_cast<uint32_t>(n));
      const long double rate = std::ldexp(static_cast<long double>(model.slope), model.left_shift - model.right_shift);
      EXPECT_NEAR(1.0, below == 0 || above == 0 ? 1.0 : static_cast<double>(rate / (above / below)), 1e-6);
    }
  }
}

TEST_F(LinearModelTest, DegenerateInputsGiveTheFlatLine) {
  const uint64_t same[] = {7, 7, 7};
  EXPECT_EQ(0, FitEndpoints(same, 1).slope);
  EXPECT_EQ(0, FitEndpoints(same, 3).slope);
  EXPECT_EQ(0, FitLeastSquares(same, 1).slope);
  EXPECT_EQ(0, FitLeastSquares(same, 3).slope);
  EXPECT_EQ(0u, FirstAbove(LinearModel{}, ModelInverse{}, 0, 5));
}

}  // namespace
}  // namespace omendb::test
