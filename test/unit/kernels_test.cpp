// Every kernel version that this machine has against the scalar twin, and the
// scalar twin against the definition, for every width.
#include "core/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/column.h"
#include "core/key.h"
#include "unit/encoded_column.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

constexpr uint64_t kSign = uint64_t{1} << 63;

class KernelsTest : public SeededTest {
 protected:
  // Any slope, of either sign, and shifts as models have them.
  LinearModel RandomModel() {
    LinearModel model;
    if (random_.OneIn(3)) return model;
    model.slope = static_cast<int64_t>(random_.Skewed() >> 15);
    if (random_.OneIn(2)) model.slope = -model.slope;
    if (random_.OneIn(2))
      model.right_shift = static_cast<uint8_t>(random_.Below(49));
    else
      model.left_shift = static_cast<uint8_t>(random_.Below(16));
    return model;
  }

  // Any scale, those of timestamps, and the powers of two where 64-bit products lose bits.
  uint64_t RandomScale() {
    switch (random_.Below(4)) {
      case 0:
        return 60000000;
      case 1:
        return uint64_t{1} << random_.Below(64);
      case 2:
        return random_.Next() | 1;
      default:
        return 1 + (random_.Skewed() >> 1);
    }
  }

  // A column of random residuals around a random line, wrapping as it likes.
  EncodedColumn RandomColumn(uint32_t width, uint32_t n, std::vector<uint64_t>* values, uint64_t scale = 1) {
    ColumnHeader header;
    std::memset(&header, 0, sizeof header);
    const LinearModel model = RandomModel();
    header.codec = Codec::kLinear;
    header.scale = 1;
    header.width = static_cast<uint8_t>(width);
    header.base = random_.Skewed();
    header.slope = model.slope;
    header.right_shift = model.right_shift;
    header.left_shift = model.left_shift;
    values->resize(n);
    for (uint32_t i = 0; i < n; i++) {
      uint64_t residual = width == 0 ? 0 : random_.Next() >> (64 - width);
      if (width != 0 && random_.OneIn(4)) residual = random_.OneIn(2) ? 0 : ~uint64_t{0} >> (64 - width);
      (*values)[i] = header.base + model.Predict(i) + residual;
    }
    EncodedColumn encoded(*values, header);
    encoded.set_scale(scale);
    for (uint64_t& value : *values) value = header.base + scale * (value - header.base);
    return encoded;
  }
};

TEST_F(KernelsTest, EveryWidthPacksAndUnpacks) {
  for (uint32_t width = 0; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (const uint32_t n : {1u, 7u, 8u, 9u, 64u, 65u, 511u, 512u, 513u, 1000u}) {
      for (const uint64_t scale : {uint64_t{1}, RandomScale()}) {
        std::vector<uint64_t> values;
        const EncodedColumn encoded = RandomColumn(width, n, &values, scale);
        for (uint32_t i = 0; i < n; i++)
          ASSERT_EQ(values[i], encoded.column().Get(i)) << i << " of " << n << " scale " << scale;
      }
    }
  }
}

// Packing divides, which needs the integers that stand behind the wrapped ones:
// any line, falling or rising, with its base below 0 or not.
TEST_F(KernelsTest, EveryWidthPacksAtAnyScale) {
  int packed = 0, below_zero = 0;
  for (uint32_t width = 0; width <= 63; width++) {
    for (int round = 0; round < 40; round++) {
      const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(300));
      const LinearModel model = RandomModel();
      std::vector<i128> steps(n);
      for (uint32_t i = 0; i < n; i++) {
        const i128 shifted = static_cast<i128>(model.slope) * i >> model.right_shift;
        steps[i] = shifted * (static_cast<i128>(1) << model.left_shift);
        if (width != 0) steps[i] += static_cast<i128>(random_.Next() >> (64 - width));
      }
      const i128 min = *std::min_element(steps.begin(), steps.end());
      const i128 span = *std::max_element(steps.begin(), steps.end()) - min;
      const i128 top = static_cast<i128>(UINT64_MAX);
      if (span > top) continue;
      uint64_t scale = RandomScale();
      if (span > 0 && static_cast<i128>(scale) > top / span)
        scale = 1 + random_.Below(static_cast<uint64_t>(top / span));
      const uint64_t room = static_cast<uint64_t>(top - span * static_cast<i128>(scale));
      const uint64_t least = random_.OneIn(3) ? 0 : random_.OneIn(2) ? room : room == 0 ? 0 : random_.Below(room);
      const i128 base = static_cast<i128>(least) - min * static_cast<i128>(scale);
      if (base < -top) continue;  // further below 0 than the flag says
      ASSERT_LE(base, top);

      ColumnHeader header;
      std::memset(&header, 0, sizeof header);
      header.codec = Codec::kLinear;
      header.width = static_cast<uint8_t>(width);
      header.scale = scale;
      header.base = static_cast<uint64_t>(base);
      header.flags = base < 0 ? ColumnHeader::kNegativeBase : 0;
      header.slope = model.slope;
      header.right_shift = model.right_shift;
      header.left_shift = model.left_shift;
      std::vector<uint64_t> values(n);
      for (uint32_t i = 0; i < n; i++) values[i] = static_cast<uint64_t>(base + static_cast<i128>(scale) * steps[i]);
      const EncodedColumn encoded(values, header);
      for (uint32_t i = 0; i < n; i++)
        ASSERT_EQ(values[i], encoded.column().Get(i)) << i << " of " << n << " width " << width << " scale " << scale;
      packed++;
      below_zero += base < 0 && scale != 1;
    }
  }
  EXPECT_GT(packed, 1000) << "the generator no longer reaches the case";
  EXPECT_GT(below_zero, 100) << "the generator no longer reaches the case";
}

TEST_F(KernelsTest, PackedWordsHoldNothingBesidesTheResiduals) {
  // The same values always give the same bytes, whatever was in the buffer.
  for (uint32_t width = 1; width <= 64; width++) {
    std::vector<uint64_t> values;
    const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(300));
    const EncodedColumn encoded = RandomColumn(width, n, &values);
    std::vector<uint64_t> dirty(encoded.bytes() / 8, ~uint64_t{0});
    PackColumn(values.data(), n, encoded.header(), dirty.data());
    ASSERT_EQ(0, std::memcmp(dirty.data(), encoded.column().packed().words, encoded.bytes())) << width;
    uint64_t bits = 0;
    for (const uint64_t word : dirty) bits += static_cast<uint64_t>(__builtin_popcountll(word));
    uint64_t expected = 0;
    const LinearModel model = encoded.column().packed().model;
    for (uint32_t i = 0; i < n; i++)
      expected += static_cast<uint64_t>(__builtin_popcountll(values[i] - encoded.header().base - model.Predict(i)));
    ASSERT_EQ(expected, bits) << width;
  }
}

TEST_F(KernelsTest, PackingTheTailGivesWhatPackingAllDoes) {
  for (uint32_t width = 1; width <= 64; width++) {
    for (int round = 0; round < 20; round++) {
      std::vector<uint64_t> values;
      const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(300));
      const uint32_t from = static_cast<uint32_t>(random_.Below(n + 1));
      const EncodedColumn encoded = RandomColumn(width, n, &values);
      // The values before, and others behind them.
      std::vector<uint64_t> words(encoded.bytes() / 8, ~uint64_t{0});
      const uint32_t old = from + static_cast<uint32_t>(random_.Below(n - from + 1));
      if (old > 0) PackColumn(values.data(), old, encoded.header(), words.data());
      PackColumn(values.data() + from, n - from, encoded.header(), words.data(), from);
      ASSERT_EQ(0, std::memcmp(words.data(), encoded.column().packed().words, encoded.bytes()))
          << width << ", " << from << " of " << n;
    }
  }
}

TEST_F(KernelsTest, DecodeRowsAgreesWithTheDefinition) {
  for (uint32_t width = 0; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (int round = 0; round < 16; round++) {
      std::vector<uint64_t> values;
      const uint32_t total = 1 + static_cast<uint32_t>(random_.Below(200));
      const EncodedColumn encoded = RandomColumn(width, total * kLanes, &values, round % 2 == 0 ? 1 : RandomScale());
      const uint32_t first = static_cast<uint32_t>(random_.Below(total));
      const uint32_t rows = static_cast<uint32_t>(random_.Below(total - first + 1));
      ForEachKernels([&](const Kernels& kernels) {
        std::vector<uint64_t> out(rows * kLanes);
        kernels.decode_rows(encoded.column().packed(), first, rows, out.data());
        ASSERT_TRUE(std::equal(out.begin(), out.end(), values.begin() + first * kLanes));
      });
    }
  }
}

TEST_F(KernelsTest, CountBelowAgreesWithTheDefinition) {
  for (uint32_t width = 0; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (int round = 0; round < 16; round++) {
      std::vector<uint64_t> values;
      const uint32_t total = 1 + static_cast<uint32_t>(random_.Below(200));
      const EncodedColumn encoded = RandomColumn(width, total * kLanes, &values, round % 2 == 0 ? 1 : RandomScale());
      const uint32_t first = static_cast<uint32_t>(random_.Below(total));
      const uint32_t rows = static_cast<uint32_t>(random_.Below(total - first + 1));
      const uint64_t near = values[random_.Below(values.size())];
      // 2^63 and its neighbours: where a signed comparison would go wrong.
      for (const uint64_t key : {near, near + 1, near - 1, uint64_t{0}, UINT64_MAX, kSign, kSign - 1, random_.Next()}) {
        const auto begin = values.begin() + first * kLanes;
        const auto expected = std::count_if(begin, begin + rows * kLanes, [key](uint64_t v) { return v < key; });
        ForEachKernels([&](const Kernels& kernels) {
          ASSERT_EQ(expected, kernels.count_below(encoded.column().packed(), first, rows, key)) << "key " << key;
        });
      }
    }
  }
}

TEST_F(KernelsTest, TotalsOfStepsAgreeWithTheDefinition) {
  for (uint32_t width = 0; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (int round = 0; round < 16; round++) {
      std::vector<uint64_t> values;
      const uint32_t total = 1 + static_cast<uint32_t>(random_.Below(200));
      const EncodedColumn encoded = RandomColumn(width, total * kLanes, &values);
      const uint32_t first = static_cast<uint32_t>(random_.Below(total));
      const uint32_t rows = static_cast<uint32_t>(random_.Below(total - first + 1));
      uint64_t sum = 0;
      int64_t least = INT64_MAX, greatest = INT64_MIN;
      for (uint32_t i = first * kLanes; i < (first + rows) * kLanes; i++) {
        const uint64_t steps = values[i] - encoded.header().base;
        sum += steps;
        least = std::min(least, static_cast<int64_t>(steps));
        greatest = std::max(greatest, static_cast<int64_t>(steps));
      }
      ForEachKernels([&](const Kernels& kernels) {
        ASSERT_EQ(sum, kernels.sum_steps(encoded.column().packed(), first, rows));
        int64_t low, high;
        kernels.bound_steps(encoded.column().packed(), first, rows, &low, &high);
        ASSERT_EQ(least, low);
        ASSERT_EQ(greatest, high);
      });
    }
  }
}

TEST_F(KernelsTest, SteepestLinesDoNotOverflow) {
  for (const int64_t slope : {(int64_t{1} << 49) - 1, -(int64_t{1} << 49) + 1}) {
    for (const int shift : {0, 1, 31, 32, 47, 48}) {
      ColumnHeader header;
      std::memset(&header, 0, sizeof header);
      header.codec = Codec::kLinear;
      header.scale = 1;
      header.slope = slope;
      header.right_shift = static_cast<uint8_t>(shift);
      std::vector<uint64_t> values(kMaxEntries);
      for (uint32_t i = 0; i < kMaxEntries; i++)
        values[i] = static_cast<uint64_t>(static_cast<i128>(slope) * i >> shift);
      const EncodedColumn encoded(values, header);
      ForEachKernels([&](const Kernels&) {
        std::vector<uint64_t> out(kMaxEntries);
        encoded.column().Decode(0, kMaxEntries, out.data());
        ASSERT_EQ(values, out) << slope << " >> " << shift;
      });
    }
  }
}

TEST_F(KernelsTest, AllEqualSeesEveryBit) {
  for (int round = 0; round < 300; round++) {
    const uint32_t n = static_cast<uint32_t>(random_.Below(100));
    const uint64_t word = random_.OneIn(2) ? random_.Below(3) : random_.Next();
    std::vector<uint64_t> words(n, word);
    ForEachKernels([&](const Kernels& kernels) { ASSERT_TRUE(kernels.all_equal(words.data(), n, word)); });
    if (n == 0) continue;
    words[random_.Below(n)] ^= uint64_t{1} << random_.Below(64);
    ForEachKernels([&](const Kernels& kernels) { ASSERT_FALSE(kernels.all_equal(words.data(), n, word)); });
  }
}

TEST_F(KernelsTest, RangesAgreeWithTheDefinition) {
  for (int round = 0; round < 300; round++) {
    const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(100));
    std::vector<uint64_t> values(n);
    // Around 2^63, where a signed comparison would go wrong, and anywhere.
    const bool near = random_.OneIn(2);
    for (uint64_t& value : values) value = near ? kSign - 5 + random_.Below(10) : random_.Skewed();
    ForEachKernels([&](const Kernels& kernels) {
      uint64_t least, greatest;
      kernels.range(values.data(), n, &least, &greatest);
      ASSERT_EQ(*std::min_element(values.begin(), values.end()), least);
      ASSERT_EQ(*std::max_element(values.begin(), values.end()), greatest);
    });
  }
}

TEST_F(KernelsTest, MomentsAgreeWithTheDefinition) {
  for (const uint32_t n : {1u, 2u, 7u, 8u, 9u, 100u, 1000u, kMaxEntries}) {
    // All bits set is where sums would overflow.
    for (const bool full : {false, true}) {
      std::vector<uint64_t> values(n, UINT64_MAX);
      if (!full)
        for (uint64_t& value : values) value = random_.Skewed();
      u128 sum = 0, weighted = 0;
      for (uint32_t i = 0; i < n; i++) {
        sum += values[i];
        weighted += static_cast<u128>(values[i]) * i;
      }
      ForEachKernels([&](const Kernels& kernels) {
        Moments moments;
        kernels.moments(values.data(), n, &moments);
        ASSERT_TRUE((static_cast<u128>(moments.high) << 32) + moments.low == sum) << n;
        ASSERT_TRUE((static_cast<u128>(moments.weighted_high) << 32) + moments.weighted_low == weighted) << n;
      });
    }
  }
}

TEST_F(KernelsTest, ResidualRangeAgreesWithTheDefinition) {
  for (int round = 0; round < 1000; round++) {
    const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(round % 100 == 0 ? kMaxEntries : 200));
    const uint32_t end = 1 + static_cast<uint32_t>(random_.Below(n)), begin = static_cast<uint32_t>(random_.Below(end));
    const LinearModel model = RandomModel();
    std::vector<uint64_t> values(n);
    for (uint32_t i = 0; i < n; i++) values[i] = random_.Skewed() + (random_.OneIn(2) ? model.Predict(i) : 0);
    const uint64_t first = random_.Skewed();
    int64_t least = INT64_MAX, greatest = INT64_MIN;
    if (random_.OneIn(2)) least = greatest = static_cast<int64_t>(random_.Skewed());
    int64_t expected_least = least, expected_greatest = greatest;
    for (uint32_t i = begin; i < end; i++) {
      const int64_t residual = static_cast<int64_t>(values[i] - first - model.Predict(i));
      expected_least = std::min(expected_least, residual);
      expected_greatest = std::max(expected_greatest, residual);
    }
    ForEachKernels([&](const Kernels& kernels) {
      int64_t l = least, g = greatest;
      kernels.residual_range(values.data(), begin, end, first, model, &l, &g);
      ASSERT_EQ(expected_least, l) << begin << " to " << end << " slope " << model.slope;
      ASSERT_EQ(expected_greatest, g) << begin << " to " << end << " slope " << model.slope;
    });
  }
}

TEST_F(KernelsTest, TidsAreNumberedAsDefined) {
  for (int round = 0; round < 300; round++) {
    const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(200));
    std::vector<uint64_t> tids(n), expected(n);
    uint64_t expected_least = UINT64_MAX, expected_greatest = 0;
    for (uint64_t& tid : tids) {
      tid = random_.OneIn(10) ? kMaxTid : random_.Next() & kMaxTid;
      expected_least = std::min(expected_least, TidOffset(tid));
      expected_greatest = std::max(expected_greatest, TidOffset(tid));
    }
    const uint64_t span = random_.OneIn(2) ? 0xFFFF : random_.Below(0x10000), bias = random_.Below(0x10000);
    for (uint32_t i = 0; i < n; i++) expected[i] = TidBlock(tids[i]) * (span + 1) + (TidOffset(tids[i]) - bias);
    ForEachKernels([&](const Kernels& kernels) {
      uint64_t least, greatest;
      kernels.offset_range(tids.data(), n, &least, &greatest);
      ASSERT_EQ(expected_least, least);
      ASSERT_EQ(expected_greatest, greatest);
      std::vector<uint64_t> numbers(n);
      kernels.number_tids(tids.data(), n, span, bias, numbers.data());
      ASSERT_EQ(expected, numbers);
    });
  }
}

TEST_F(KernelsTest, PackedRowsUnpackAndHoldNothingElse) {
  for (uint32_t width = 1; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (const uint32_t rows : {0u, 1u, 2u, 63u, 64u, 65u, 1 + static_cast<uint32_t>(random_.Below(200))}) {
      PackedColumn column = {nullptr, random_.Skewed(), RandomModel(), 1, width};
      std::vector<uint64_t> values(rows * kLanes);
      uint64_t bits = 0;
      for (uint32_t i = 0; i < values.size(); i++) {
        const uint64_t residual = (random_.OneIn(4) ? UINT64_MAX : random_.Next()) >> (64 - width);
        bits += static_cast<uint64_t>(__builtin_popcountll(residual));
        values[i] = column.base + column.model.Predict(i) + residual;
      }
      ForEachKernels([&](const Kernels& kernels) {
        // One more word: it must stay as it is.
        std::vector<uint64_t> words(PackedBytes(rows * kLanes, width) / sizeof(uint64_t) + 1, UINT64_MAX);
        kernels.pack_rows(values.data(), column, rows, words.data());
        ASSERT_EQ(UINT64_MAX, words.back());
        words.pop_back();
        column.words = words.data();
        for (uint32_t i = 0; i < values.size(); i++)
          ASSERT_EQ(values[i], UnpackValue(column, i)) << i << " of " << rows;
        uint64_t found = 0;
        for (const uint64_t word : words) found += static_cast<uint64_t>(__builtin_popcountll(word));
        ASSERT_EQ(bits, found);
      });
    }
  }
}

TEST_F(KernelsTest, TheScalarVersionIsFirstAndThePreferredOneActive) {
  const Kernels* available[kMaxKernels];
  const int n = AvailableKernels(available);
  ASSERT_GE(n, 1);
  ASSERT_LE(n, kMaxKernels);
  EXPECT_STREQ("scalar", available[0]->name);
  EXPECT_EQ(available[n - 1], &ActiveKernels());
  for (int k = 0; k < n; k++) RecordProperty(available[k]->name, "available");
}

}  // namespace
}  // namespace omendb::test
