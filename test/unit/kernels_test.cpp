// Every kernel version that this machine has against the scalar twin, and the
// scalar twin against the definition, for every width.
#include "core/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/column.h"
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

  // A column of random residuals around a random line, wrapping as it likes.
  EncodedColumn RandomColumn(uint32_t width, uint32_t n, std::vector<uint64_t>* values) {
    ColumnHeader header;
    std::memset(&header, 0, sizeof header);
    const LinearModel model = RandomModel();
    header.codec = Codec::kLinear;
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
    return EncodedColumn(*values, header);
  }
};

TEST_F(KernelsTest, EveryWidthPacksAndUnpacks) {
  for (uint32_t width = 0; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (const uint32_t n : {1u, 7u, 8u, 9u, 64u, 65u, 511u, 512u, 513u, 1000u}) {
      std::vector<uint64_t> values;
      const EncodedColumn encoded = RandomColumn(width, n, &values);
      for (uint32_t i = 0; i < n; i++) ASSERT_EQ(values[i], encoded.column().Get(i)) << i << " of " << n;
    }
  }
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

TEST_F(KernelsTest, DecodeRowsAgreesWithTheDefinition) {
  for (uint32_t width = 0; width <= 64; width++) {
    SCOPED_TRACE(width);
    for (int round = 0; round < 8; round++) {
      std::vector<uint64_t> values;
      const uint32_t total = 1 + static_cast<uint32_t>(random_.Below(200));
      const EncodedColumn encoded = RandomColumn(width, total * kLanes, &values);
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
    for (int round = 0; round < 8; round++) {
      std::vector<uint64_t> values;
      const uint32_t total = 1 + static_cast<uint32_t>(random_.Below(200));
      const EncodedColumn encoded = RandomColumn(width, total * kLanes, &values);
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

TEST_F(KernelsTest, SteepestLinesDoNotOverflow) {
  for (const int64_t slope : {(int64_t{1} << 49) - 1, -(int64_t{1} << 49) + 1}) {
    for (const int shift : {0, 1, 31, 32, 47, 48}) {
      ColumnHeader header;
      std::memset(&header, 0, sizeof header);
      header.codec = Codec::kLinear;
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
