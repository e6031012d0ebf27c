// Columns: encode, decode and search over every type, distribution and size.
#include "core/column.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include "unit/distributions.h"
#include "unit/encoded_column.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

uint32_t LowerBoundOf(const std::vector<uint64_t>& values, uint64_t key) {
  return static_cast<uint32_t>(std::lower_bound(values.begin(), values.end(), key) - values.begin());
}

template <typename T>
class ColumnTest : public SeededTest {
 protected:
  // Calls body(values) with the sorted ordinals of every distribution and size.
  template <typename Body>
  void ForEachColumn(Body body) {
    for (const Distribution d : AllDistributions()) {
      SCOPED_TRACE(Name(d));
      for (const size_t n : ColumnSizes()) {
        SCOPED_TRACE(n);
        body(SortedOrdinals<T>(d, n, random_));
        if (this->HasFatalFailure()) return;
      }
    }
  }

  // Present keys and their neighbours, the least, the greatest, any other.
  std::vector<uint64_t> SearchKeys(const std::vector<uint64_t>& values, int present) {
    std::vector<uint64_t> keys = {0,
                                  1,
                                  UINT64_MAX,
                                  UINT64_MAX - 1,
                                  values.front() - 1,
                                  values.front(),
                                  values.back(),
                                  values.back() + 1,
                                  random_.Next(),
                                  random_.Skewed()};
    for (int k = 0; k < present; k++) {
      const uint64_t v = values[random_.Below(values.size())];
      for (const uint64_t key : {v, v - 1, v + 1}) keys.push_back(key);
    }
    // Inside the column's range but hardly ever present.
    if (const uint64_t span = values.back() - values.front(); span > 1)
      for (int k = 0; k < present; k++) keys.push_back(values.front() + random_.Below(span));
    return keys;
  }

  void ExpectRoundTrip(const std::vector<uint64_t>& values, const EncodedColumn& encoded) {
    const uint32_t n = encoded.count();
    const Column column = encoded.column();
    ASSERT_TRUE(ColumnHeaderIsValid(column.header(), n, encoded.bytes()));
    for (uint32_t i = 0; i < n; i++) ASSERT_EQ(values[i], column.Get(i)) << "entry " << i;
    ForEachKernels([&](const Kernels&) {
      for (int round = 0; round < 8; round++) {
        const uint32_t begin = round == 0 ? 0 : static_cast<uint32_t>(random_.Below(n + 1));
        const uint32_t end = round == 0 ? n : begin + static_cast<uint32_t>(random_.Below(n - begin + 1));
        std::vector<uint64_t> out(end - begin);
        column.Decode(begin, end, out.data());
        ASSERT_TRUE(std::equal(out.begin(), out.end(), values.begin() + begin)) << "[" << begin << ", " << end << ")";
      }
    });
  }
};

using KeyTypes = ::testing::Types<int16_t, int32_t, int64_t, double>;
TYPED_TEST_SUITE(ColumnTest, KeyTypes);

TYPED_TEST(ColumnTest, SortedValuesRoundTrip) {
  this->ForEachColumn(
      [&](const std::vector<uint64_t>& values) { this->ExpectRoundTrip(values, EncodedColumn(values, true)); });
}

TYPED_TEST(ColumnTest, UnsortedValuesRoundTrip) {
  this->ForEachColumn([&](std::vector<uint64_t> values) {
    std::reverse(values.begin(), values.end());  // a falling line
    this->ExpectRoundTrip(values, EncodedColumn(values, false));
    for (size_t i = values.size(); i > 1; i--) std::swap(values[i - 1], values[this->random_.Below(i)]);
    this->ExpectRoundTrip(values, EncodedColumn(values, false));
  });
}

TYPED_TEST(ColumnTest, NeverWiderThanTheRangeOfItsValues) {
  this->ForEachColumn([&](std::vector<uint64_t> values) {
    const uint64_t span = values.back() - values.front();
    const uint32_t reference = span == 0 ? 0 : 64 - static_cast<uint32_t>(__builtin_clzll(span));
    EXPECT_LE(EncodedColumn(values, true).header().width, reference);
    std::reverse(values.begin(), values.end());
    EXPECT_LE(EncodedColumn(values, false).header().width, reference);
  });
}

TYPED_TEST(ColumnTest, LowerBoundSortedIsStdLowerBound) {
  this->ForEachColumn([&](const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    for (const uint64_t key : this->SearchKeys(values, 40)) {
      const uint32_t expected = LowerBoundOf(values, key);
      ForEachKernels([&](const Kernels&) {
        ASSERT_EQ(expected, encoded.column().LowerBoundSorted(key, encoded.count())) << "key " << key;
      });
    }
  });
}

// Whatever position the estimate is, the search finds its way from there.
TYPED_TEST(ColumnTest, LowerBoundNearAnyPosition) {
  this->ForEachColumn([&](const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    const Column column = encoded.column();
    const uint32_t n = encoded.count();
    for (const uint64_t key : this->SearchKeys(values, 4)) {
      const uint32_t expected = LowerBoundOf(values, key);
      for (uint32_t position = 0; position < n; position += n <= 65 ? 1 : 1 + this->random_.Below(n / 20))
        ASSERT_EQ(expected, column.LowerBoundNear(key, position, n)) << "key " << key << " from " << position;
      ASSERT_EQ(expected, column.LowerBoundNear(key, n - 1, n)) << "key " << key << " from the end";
      uint32_t estimate = n;
      if (column.Estimate(key, n, &estimate)) {
        ASSERT_LT(estimate, n) << "key " << key;
      }
    }
  });
}

TYPED_TEST(ColumnTest, LowerBoundByAnyWindow) {
  this->ForEachColumn([&](const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    const Column column = encoded.column();
    const uint32_t n = encoded.count();
    for (const uint64_t key : this->SearchKeys(values, 10)) {
      const uint32_t expected = LowerBoundOf(values, key);
      const uint32_t before = static_cast<uint32_t>(this->random_.Below(expected + 1));
      const uint32_t behind = expected + static_cast<uint32_t>(this->random_.Below(n - expected + 1));
      ForEachKernels([&](const Kernels&) {
        ASSERT_EQ(expected, column.LowerBoundByWindow(key, n)) << "key " << key;
        for (const uint32_t begin : {uint32_t{0}, before, expected}) {
          for (const uint32_t end : {expected, behind, n}) {
            ASSERT_EQ(expected, column.LowerBoundInWindow(key, begin, end, n))
                << "key " << key << " in [" << begin << ", " << end << ")";
          }
        }
      });
    }
  });
}

TEST(ColumnEstimateTest, IsCloseWhereTheLineIs) {
  for (const uint64_t step : {1, 7, 1000, 60000000}) {
    std::vector<uint64_t> values;
    for (uint64_t i = 0; i < 1000; i++) values.push_back(5000 + i * step);
    const EncodedColumn encoded(values, true);
    for (uint32_t i = 0; i < 1000; i++) {
      uint32_t position;
      ASSERT_TRUE(encoded.column().Estimate(values[i], 1000, &position));
      ASSERT_LE(position < i ? i - position : position - i, 1u) << "step " << step << ", value " << i;
    }
  }
}

TYPED_TEST(ColumnTest, WindowContainsTheAnswer) {
  this->ForEachColumn([&](const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    for (const uint64_t key : this->SearchKeys(values, 100)) {
      uint32_t begin, end;
      encoded.column().Window(key, encoded.count(), &begin, &end);
      const uint32_t expected = LowerBoundOf(values, key);
      ASSERT_LE(end, encoded.count());
      ASSERT_LE(begin, expected) << "key " << key;
      ASSERT_GE(end, expected) << "key " << key;
      // An exact line leaves no more than the entries that equal the key.
      if (encoded.header().codec == Codec::kLinear && encoded.header().width == 0) {
        ASSERT_EQ(std::upper_bound(values.begin(), values.end(), key) - values.begin(), end);
        ASSERT_EQ(expected, begin);
      }
    }
  });
}

TYPED_TEST(ColumnTest, LowerBoundOfASubRange) {
  this->ForEachColumn([&](const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    for (const uint64_t key : this->SearchKeys(values, 10)) {
      const uint32_t begin = static_cast<uint32_t>(this->random_.Below(values.size() + 1));
      const uint32_t end = begin + static_cast<uint32_t>(this->random_.Below(values.size() - begin + 1));
      const uint32_t expected = std::clamp(LowerBoundOf(values, key), begin, end);
      ForEachKernels([&](const Kernels&) {
        ASSERT_EQ(expected, encoded.column().LowerBound(key, begin, end))
            << "key " << key << " in [" << begin << ", " << end << ")";
      });
    }
  });
}

TYPED_TEST(ColumnTest, RunEndIsWhereTheKeyChanges) {
  this->ForEachColumn([&](const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    const uint32_t n = encoded.count();
    for (int round = 0; round < 100; round++) {
      const uint32_t begin = static_cast<uint32_t>(this->random_.Below(n));
      const uint32_t end = begin + static_cast<uint32_t>(this->random_.Below(n - begin + 1));
      const uint64_t key = values[begin];
      const uint32_t run = static_cast<uint32_t>(std::upper_bound(values.begin(), values.end(), key) - values.begin());
      ASSERT_EQ(std::min(run, end), encoded.column().RunEnd(key, begin, end));
      ASSERT_EQ(begin, encoded.column().RunEnd(key - 1, begin, end)) << "a key that is not there";
    }
  });
}

TYPED_TEST(ColumnTest, AFirstPartIsNeverWiderThanTheWhole) {
  this->ForEachColumn([&](std::vector<uint64_t> values) {
    for (const bool sorted : {true, false}) {
      if (!sorted) {
        std::reverse(values.begin(), values.end());
        if (this->random_.OneIn(2)) std::swap(values[this->random_.Below(values.size())], values.front());
      }
      const EncodedColumn whole(values, sorted);
      std::vector<size_t> parts = {1, 2, 3, values.size()};
      for (int k = 0; k < 5; k++) parts.push_back(1 + this->random_.Below(values.size()));
      for (const size_t part : parts) {
        if (part > values.size()) continue;
        const std::vector<uint64_t> first(values.begin(), values.begin() + static_cast<ptrdiff_t>(part));
        const EncodedColumn encoded(first,
                                    FitColumn(first.data(), static_cast<uint32_t>(part), sorted, &whole.header()));
        ASSERT_LE(encoded.header().width, whole.header().width) << "the first " << part << (sorted ? ", sorted" : "");
        for (size_t i = 0; i < part; i++) ASSERT_EQ(first[i], encoded.column().Get(static_cast<uint32_t>(i)));
        if (!sorted) continue;
        for (const uint64_t key : this->SearchKeys(first, 5))
          ASSERT_EQ(LowerBoundOf(first, key), encoded.column().LowerBoundSorted(key, encoded.count()));
      }
    }
  });
}

// Any columns at all, small ones most of the time: where ties, wrap-arounds and
// lines that start below 0 are.
class AnyColumnTest : public ColumnTest<int64_t> {};

TEST_F(AnyColumnTest, RandomSmallColumns) {
  for (int round = 0; round < 20000; round++) {
    std::vector<uint64_t> values(1 + random_.Below(20));
    const uint64_t origin = random_.OneIn(3) ? random_.Next() : random_.OneIn(2) ? 0 : UINT64_MAX;
    for (uint64_t& v : values) v = origin + (random_.OneIn(2) ? random_.Skewed() : -random_.Skewed());
    const EncodedColumn unsorted(values, false);
    for (uint32_t i = 0; i < unsorted.count(); i++) ASSERT_EQ(values[i], unsorted.column().Get(i));

    std::sort(values.begin(), values.end());
    const EncodedColumn sorted(values, true);
    for (uint32_t i = 0; i < sorted.count(); i++) ASSERT_EQ(values[i], sorted.column().Get(i));
    for (const uint64_t key : SearchKeys(values, 5))
      ASSERT_EQ(LowerBoundOf(values, key), sorted.column().LowerBoundSorted(key, sorted.count()));
  }
}

TEST_F(AnyColumnTest, WhatTheHeaderSaysIsBelowIsBelow) {
  int below = 0;
  for (int round = 0; round < 50000; round++) {
    // Falling, rising or neither, near 0 or anywhere, and then read at another scale or base: what is in a damaged
    // header.
    std::vector<uint64_t> values(1 + random_.Below(20));
    const uint64_t origin = random_.OneIn(4) ? random_.Next() : random_.Skewed() >> random_.Below(64);
    const uint64_t step = random_.Skewed() >> random_.Below(64), noise = 1 + random_.Below(1 + step);
    const bool falling = random_.OneIn(2);
    for (size_t i = 0; i < values.size(); i++)
      values[i] = origin + (falling ? values.size() - i : i) * step + random_.Below(noise);
    const EncodedColumn fitted(values, false);
    ColumnHeader header = fitted.header();
    if (random_.OneIn(4)) header.base = random_.Skewed();
    if (random_.OneIn(4)) header.scale = 1 + (random_.Skewed() >> 1);
    const Column column(reinterpret_cast<const uint8_t*>(fitted.column().packed().words), header);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < fitted.count(); i++) largest = std::max(largest, column.Get(i));
    for (const uint64_t limit : {largest, largest + 1, 2 * largest, uint64_t{1} << random_.Below(64)}) {
      if (!column.IsBelow(limit, fitted.count())) continue;
      below++;
      ASSERT_LT(largest, limit);
    }
  }
  EXPECT_GT(below, 1000) << "the generator no longer reaches the case";
}

TEST_F(AnyColumnTest, LinesThatStartBelowZero) {
  // Flat at 0, then steep: least squares starts below the first value.
  bool seen = false;
  for (int round = 0; round < 2000; round++) {
    std::vector<uint64_t> values(10 + random_.Below(200));
    const uint64_t step = 1 + (random_.Skewed() >> 10), noise = 1 + random_.Below(step);
    for (size_t i = 0; i < values.size(); i++) values[i] = i < 3 ? 0 : step * i + random_.Below(noise) - step / 2;
    std::sort(values.begin(), values.end());
    const EncodedColumn encoded(values, true);
    seen |= (encoded.header().flags & ColumnHeader::kNegativeBase) != 0;
    for (uint32_t i = 0; i < encoded.count(); i++) ASSERT_EQ(values[i], encoded.column().Get(i));
    for (const uint64_t key : SearchKeys(values, 5))
      ASSERT_EQ(LowerBoundOf(values, key), encoded.column().LowerBoundSorted(key, encoded.count()));
  }
  EXPECT_TRUE(seen) << "the generator no longer reaches the case";
}

// Columns whose values are steps of a scale, from an origin that is no multiple of it.
class ScaledColumnTest : public ColumnTest<int64_t> {
 protected:
  static std::vector<uint64_t> Scales() {
    return {2, 3, 1000, 60000000, 86400000000, uint64_t{1} << 40, (uint64_t{1} << 40) + 1, uint64_t{1} << 62, kSign64};
  }

  // Sorted steps as `d` has them, small enough for the scale.
  std::vector<uint64_t> Steps(Distribution d, size_t n, uint64_t scale) {
    const uint64_t most = UINT64_MAX / scale;
    std::vector<uint64_t> steps = Distances(d, n, random_);
    for (uint64_t& step : steps) {
      if (d == Distribution::kFullRange) step = random_.Next();
      if (d == Distribution::kExtremes) step = random_.OneIn(2) ? 0 : most;
      if (step > most) step %= most + 1;
    }
    std::sort(steps.begin(), steps.end());
    return steps;
  }

  static std::vector<uint64_t> Scaled(const std::vector<uint64_t>& steps, uint64_t scale, uint64_t origin) {
    std::vector<uint64_t> values(steps.size());
    for (size_t i = 0; i < steps.size(); i++) values[i] = origin + scale * steps[i];
    return values;
  }

  // Calls body(steps, scale, values) at the lower end of the integers, at the
  // upper one, and anywhere between.
  template <typename Body>
  void ForEachScaled(const std::vector<size_t>& sizes, Body body) {
    for (const Distribution d : AllDistributions()) {
      SCOPED_TRACE(Name(d));
      for (const size_t n : sizes) {
        SCOPED_TRACE(n);
        for (const uint64_t scale : Scales()) {
          SCOPED_TRACE(scale);
          const std::vector<uint64_t> steps = Steps(d, n, scale);
          const uint64_t room = UINT64_MAX - scale * (steps.back() - steps.front());
          const uint64_t near = std::min(room, random_.Below(scale));
          for (const uint64_t least : {uint64_t{0}, near, room, room - near, room == 0 ? 0 : random_.Below(room)}) {
            body(steps, scale, Scaled(steps, scale, least - scale * steps.front()));
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }

  // What SearchKeys gives, and keys that fall between the steps around present ones.
  std::vector<uint64_t> KeysBetweenSteps(const std::vector<uint64_t>& values, uint64_t scale, int present) {
    std::vector<uint64_t> keys = SearchKeys(values, present);
    for (int k = 0; k < present; k++) {
      const uint64_t v = values[random_.Below(values.size())];
      for (const uint64_t distance : {scale / 2, scale - 1, scale, scale + 1, random_.Below(scale)}) {
        keys.push_back(v + distance);
        keys.push_back(v - distance);
      }
    }
    return keys;
  }

  static uint64_t CommonDivisorOf(const std::vector<uint64_t>& values) {
    uint64_t divisor = 0;
    for (const uint64_t v : values) divisor = std::gcd(divisor, v - *std::min_element(values.begin(), values.end()));
    return divisor;
  }
};

TEST_F(ScaledColumnTest, RoundTripSortedAndNot) {
  ForEachScaled({1, 2, 3, 9, 65, 1000}, [&](const auto&, uint64_t, std::vector<uint64_t> values) {
    ExpectRoundTrip(values, EncodedColumn(values, true));
    std::reverse(values.begin(), values.end());
    ExpectRoundTrip(values, EncodedColumn(values, false));
    for (size_t i = values.size(); i > 1; i--) std::swap(values[i - 1], values[random_.Below(i)]);
    ExpectRoundTrip(values, EncodedColumn(values, false));
  });
}

TEST_F(ScaledColumnTest, AsWideAsTheStepsAre) {
  ForEachScaled({2, 3, 9, 65, 1000, 8192}, [&](std::vector<uint64_t> steps, uint64_t scale, auto values) {
    for (const bool sorted : {true, false}) {
      if (!sorted) {
        std::reverse(steps.begin(), steps.end());
        std::reverse(values.begin(), values.end());
      }
      const uint32_t n = static_cast<uint32_t>(values.size());
      const ColumnHeader plain = FitColumn(steps.data(), n, sorted), scaled = FitColumn(values.data(), n, sorted);
      ASSERT_EQ(plain.codec, scaled.codec);
      ASSERT_EQ(plain.width, scaled.width);
      ASSERT_EQ(plain.slope, scaled.slope);
      ASSERT_EQ(plain.right_shift, scaled.right_shift);
      ASSERT_EQ(plain.left_shift, scaled.left_shift);
      ASSERT_EQ(plain.inverse, scaled.inverse);
      ASSERT_EQ(plain.inverse_shift, scaled.inverse_shift);
      if (plain.codec == Codec::kConstant) continue;
      ASSERT_EQ(plain.scale * scale, scaled.scale);
    }
  });
}

TEST_F(ScaledColumnTest, TheScaleIsTheCommonDivisor) {
  for (int round = 0; round < 20000; round++) {
    const uint64_t scale = 1 + (random_.Skewed() >> 1);
    std::vector<uint64_t> steps(1 + random_.Below(30));
    for (uint64_t& step : steps) step = random_.Skewed() % (UINT64_MAX / scale + (scale > 1));
    const uint64_t most = *std::max_element(steps.begin(), steps.end());
    const std::vector<uint64_t> values = Scaled(steps, scale, std::min(random_.Skewed(), UINT64_MAX - scale * most));
    const EncodedColumn encoded(values, false);
    for (uint32_t i = 0; i < encoded.count(); i++) ASSERT_EQ(values[i], encoded.column().Get(i));
    const bool unscaled = encoded.header().codec == Codec::kConstant || encoded.header().codec == Codec::kRaw;
    ASSERT_EQ(unscaled ? 1 : CommonDivisorOf(values), encoded.header().scale);
  }
}

TEST_F(ScaledColumnTest, SearchesFindWhatStdLowerBoundFinds) {
  bool exact_lines = false, negative_bases = false;
  ForEachScaled({1, 2, 3, 9, 65, 1000, 8192}, [&](const auto&, uint64_t scale, const std::vector<uint64_t>& values) {
    const EncodedColumn encoded(values, true);
    const Column column = encoded.column();
    const uint32_t n = encoded.count();
    negative_bases |= (encoded.header().flags & ColumnHeader::kNegativeBase) != 0 && encoded.header().scale != 1;
    const auto check = [&](uint64_t key) {
      const uint32_t expected = LowerBoundOf(values, key);
      uint32_t begin, end;
      column.Window(key, n, &begin, &end);
      ASSERT_LE(end, n);
      ASSERT_LE(begin, expected) << "key " << key;
      ASSERT_GE(end, expected) << "key " << key;
      if (encoded.header().codec == Codec::kLinear && encoded.header().width == 0) {
        exact_lines = true;
        ASSERT_EQ(std::upper_bound(values.begin(), values.end(), key) - values.begin(), end) << "key " << key;
        ASSERT_EQ(expected, begin) << "key " << key;
      }
      ASSERT_EQ(expected, column.LowerBoundSorted(key, n)) << "key " << key;
    };
    for (size_t i = 0; i < n; i += 1 + random_.Below(1 + n / 300))
      for (const uint64_t key : {values[i], values[i] - 1, values[i] + 1, values[i] + scale / 2}) check(key);
    for (const uint64_t key : KeysBetweenSteps(values, scale, 20)) check(key);
    ForEachKernels([&](const Kernels&) {
      for (const uint64_t key : KeysBetweenSteps(values, scale, 2))
        ASSERT_EQ(LowerBoundOf(values, key), column.LowerBoundSorted(key, n)) << "key " << key;
    });
  });
  EXPECT_TRUE(exact_lines) << "the generator no longer reaches the case";
  EXPECT_TRUE(negative_bases) << "the generator no longer reaches the case";
}

TEST_F(ScaledColumnTest, RandomSmallColumns) {
  bool negative_bases = false;
  for (int round = 0; round < 20000; round++) {
    const uint64_t scale = 1 + (random_.Skewed() >> 1), most = UINT64_MAX / scale;
    std::vector<uint64_t> steps(1 + random_.Below(40));
    for (uint64_t& step : steps) step = random_.OneIn(3) ? most - random_.Skewed() % most : random_.Skewed() % most;
    std::sort(steps.begin(), steps.end());
    const uint64_t room = UINT64_MAX - scale * steps.back();
    const uint64_t origin = random_.OneIn(2) ? room : std::min(room, random_.Skewed());
    const std::vector<uint64_t> values = Scaled(steps, scale, origin);
    const EncodedColumn encoded(values, true);
    negative_bases |= (encoded.header().flags & ColumnHeader::kNegativeBase) != 0 && scale != 1;
    for (uint32_t i = 0; i < encoded.count(); i++) ASSERT_EQ(values[i], encoded.column().Get(i));
    for (const uint64_t key : KeysBetweenSteps(values, scale, 5))
      ASSERT_EQ(LowerBoundOf(values, key), encoded.column().LowerBoundSorted(key, encoded.count())) << "key " << key;
  }
  EXPECT_TRUE(negative_bases) << "the generator no longer reaches the case";
}

// The first part has a greater divisor than the whole, or the same, or one value only.
TEST_F(ScaledColumnTest, AFirstPartIsNeverWiderThanTheWhole) {
  int other_scale = 0;
  for (int round = 0; round < 20000; round++) {
    const bool sorted = random_.OneIn(2);
    const uint64_t scale = uint64_t{1} << random_.Below(3), coarser = 1 + random_.Below(40);
    const uint64_t slope = random_.Below(50), noise = 1 + (random_.OneIn(2) ? 0 : random_.Below(60));
    const size_t n = 2 + random_.Below(random_.OneIn(20) ? 3000 : 60), part = 1 + random_.Below(n);
    const uint64_t times = random_.OneIn(2) ? 1 : 60000000;
    // Even numbers in the first part, around the old line so that both lines of its
    // own are far off.
    const bool bent = random_.OneIn(2);
    const uint64_t fraction = random_.Below(1000), most = (uint64_t{2} << random_.Below(3)) - 1;
    std::vector<uint64_t> values(n);
    for (size_t i = 0; i < n; i++) {
      const uint64_t step = slope * i + random_.Below(noise);
      values[i] = (i < part ? step / coarser * coarser : step) * scale * times;
      if (bent) {
        const uint64_t line = (slope + 20) * i + fraction * i / 1000;
        const bool high = i >= part ? i == n - 1 || random_.OneIn(2) : i == 0 || (i >= part / 2 && i != part - 1);
        const uint64_t distance = high ? most : 0;
        values[i] = i >= part || (line + distance) % 2 == 0 ? line + distance : high ? line + most - 1 : line + 1;
      } else if (!sorted && random_.OneIn(8)) {
        values[i] = random_.Below(n) * coarser * scale * times;
      }
      values[i] += 7;
    }
    if (random_.OneIn(4)) values.back() += random_.Skewed() >> 2;
    if (sorted) {
      std::sort(values.begin(), values.end());
    } else if (random_.OneIn(2)) {
      for (uint64_t& v : values) v = (uint64_t{1} << 62) - v;
    }
    EncodedColumn whole(values, sorted);
    for (size_t length = part; length >= 1; length /= 2) {
      const std::vector<uint64_t> first(values.begin(), values.begin() + static_cast<ptrdiff_t>(length));
      const uint32_t count = static_cast<uint32_t>(length);
      EncodedColumn encoded(first, FitColumn(first.data(), count, sorted, &whole.header()));
      ASSERT_LE(encoded.header().width, whole.header().width) << "the first " << length << " of " << n;
      other_scale += encoded.header().scale != whole.header().scale;
      for (uint32_t i = 0; i < count; i++) ASSERT_EQ(first[i], encoded.column().Get(i));
      for (const uint64_t key : KeysBetweenSteps(first, encoded.header().scale, 3)) {
        if (!sorted) break;
        ASSERT_EQ(LowerBoundOf(first, key), encoded.column().LowerBoundSorted(key, count)) << "key " << key;
      }
      whole = std::move(encoded);  // and the first part of that
    }
  }
  EXPECT_GT(other_scale, 1000) << "the generator no longer reaches the case";
}

TEST_F(AnyColumnTest, HeadersThatWouldLeaveTheNodeAreRefused) {
  std::vector<uint64_t> values(100);
  for (uint64_t& v : values) v = random_.Next() >> 40;
  const EncodedColumn encoded(values, false);
  const ColumnHeader good = encoded.header();
  const size_t size = encoded.bytes();
  EXPECT_TRUE(ColumnHeaderIsValid(good, 100, size));
  EXPECT_FALSE(ColumnHeaderIsValid(good, 100, size - 1));
  EXPECT_FALSE(ColumnHeaderIsValid(good, kMaxEntries + 1, SIZE_MAX));
  const auto with = [&](auto change) {
    ColumnHeader header = good;
    change(header);
    return ColumnHeaderIsValid(header, 100, size);
  };
  EXPECT_FALSE(with([](ColumnHeader& h) { h.codec = static_cast<Codec>(0); }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.codec = static_cast<Codec>(5); }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.width = 65; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.data_offset = 8; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.data_offset = 4; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.right_shift = 64; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.left_shift = 64; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.inverse_shift = 65; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.scale = 0; }));
  EXPECT_TRUE(with([](ColumnHeader& h) { h.scale = UINT64_MAX; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.codec = Codec::kLinear, h.slope = INT64_MAX; }));
  EXPECT_FALSE(with([](ColumnHeader& h) { h.codec = Codec::kLinear, h.slope = INT64_MIN; }));
}

}  // namespace
}  // namespace omendb::test
