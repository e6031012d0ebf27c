// Ordinals keep PostgreSQL's order and equality and give back the very bytes.
#include "core/ordinal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "unit/distributions.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

// float4lt and its kind: NaN equals NaN and is greater than everything else.
template <typename T>
int PostgresOrder(T a, T b) {
  if constexpr (std::is_floating_point_v<T>) {
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) - std::isnan(b);
  }
  return a < b ? -1 : a > b;
}

template <typename T>
struct Codec;

template <>
struct Codec<int16_t> {
  static FloatOrdinal Encode(int16_t v) { return {OrdinalFromInt16(v), 0}; }
  static int16_t Decode(FloatOrdinal f) { return Int16FromOrdinal(f.ordinal); }
};
template <>
struct Codec<int32_t> {
  static FloatOrdinal Encode(int32_t v) { return {OrdinalFromInt32(v), 0}; }
  static int32_t Decode(FloatOrdinal f) { return Int32FromOrdinal(f.ordinal); }
};
template <>
struct Codec<int64_t> {
  static FloatOrdinal Encode(int64_t v) { return {OrdinalFromInt64(v), 0}; }
  static int64_t Decode(FloatOrdinal f) { return Int64FromOrdinal(f.ordinal); }
};
template <>
struct Codec<float> {
  static FloatOrdinal Encode(float v) { return OrdinalFromFloat(v); }
  static float Decode(FloatOrdinal f) { return FloatFromOrdinal(f); }
};
template <>
struct Codec<double> {
  static FloatOrdinal Encode(double v) { return OrdinalFromDouble(v); }
  static double Decode(FloatOrdinal f) { return DoubleFromOrdinal(f); }
};

template <typename T>
T FromBits(uint64_t bits) {
  T v;
  std::memcpy(&v, &bits, sizeof v);  // little-endian: the low bytes
  return v;
}

template <typename T>
std::vector<T> Specials() {
  using Limits = std::numeric_limits<T>;
  std::vector<T> out = {
      T{0}, T{1}, static_cast<T>(-1), Limits::max(), Limits::lowest(), static_cast<T>(Limits::max() - 1)};
  if constexpr (std::is_floating_point_v<T>) {
    const uint64_t sign = uint64_t{1} << (sizeof(T) * 8 - 1);
    const uint64_t infinity = sizeof(T) == 8 ? 0x7FF0000000000000ull : 0x7F800000ull;
    const uint64_t quiet = infinity | infinity >> (sizeof(T) == 8 ? 11 : 8);
    // +-0, the smallest denormals, the greatest, the least normal, infinities,
    // signalling and quiet NaNs with the least and the greatest payload.
    for (uint64_t bits : {uint64_t{0}, uint64_t{1}, uint64_t{2}, (infinity & -infinity) - 1, infinity & -infinity,
                          infinity - 1, infinity, infinity + 1, infinity | ((infinity & -infinity) - 1),
                          quiet & (sign - 1), (quiet & (sign - 1)) + 1})
      for (uint64_t s : {uint64_t{0}, sign}) out.push_back(FromBits<T>(bits | s));
  } else {
    out.push_back(static_cast<T>(Limits::min() + 1));
  }
  return out;
}

template <typename T>
class OrdinalTest : public SeededTest {
 protected:
  // Any bits, values near a special one, small values.
  T Draw() {
    static const std::vector<T> specials = Specials<T>();
    switch (random_.Below(3)) {
      case 0:
        return FromBits<T>(random_.Next());
      case 1:
        return specials[random_.Below(specials.size())];
      default:
        return static_cast<T>(static_cast<int64_t>(random_.Below(9)) - 4);
    }
  }

  static void ExpectOrder(T a, T b) {
    const uint64_t x = Codec<T>::Encode(a).ordinal, y = Codec<T>::Encode(b).ordinal;
    EXPECT_EQ(PostgresOrder(a, b), PostgresOrder(x, y)) << a << " against " << b;
  }

  static void ExpectRoundTrip(T v) {
    const T back = Codec<T>::Decode(Codec<T>::Encode(v));
    EXPECT_EQ(0, std::memcmp(&v, &back, sizeof v)) << v << " came back as " << back;
  }
};

using KeyTypes = ::testing::Types<int16_t, int32_t, int64_t, float, double>;
TYPED_TEST_SUITE(OrdinalTest, KeyTypes);

TYPED_TEST(OrdinalTest, KeepsOrderAndEqualityOfSpecialValues) {
  for (TypeParam a : Specials<TypeParam>())
    for (TypeParam b : Specials<TypeParam>()) this->ExpectOrder(a, b);
}

TYPED_TEST(OrdinalTest, KeepsOrderAndEqualityOfRandomValues) {
  for (int i = 0; i < 100000; i++) this->ExpectOrder(this->Draw(), this->Draw());
}

TYPED_TEST(OrdinalTest, GivesBackTheSameBytes) {
  for (TypeParam v : Specials<TypeParam>()) this->ExpectRoundTrip(v);
  for (int i = 0; i < 100000; i++) this->ExpectRoundTrip(this->Draw());
}

TYPED_TEST(OrdinalTest, NeighboursHaveNeighbouringOrdinals) {
  // Density is what lets a linear model be exact on sequences.
  for (int i = 0; i < 10000; i++) {
    const TypeParam v = this->Draw();
    if constexpr (std::is_integral_v<TypeParam>) {
      if (v == std::numeric_limits<TypeParam>::max()) continue;
      EXPECT_EQ(Codec<TypeParam>::Encode(v).ordinal + 1,
                Codec<TypeParam>::Encode(static_cast<TypeParam>(v + 1)).ordinal);
    } else {
      if (!std::isfinite(v) || v == 0) continue;
      const TypeParam next = std::nextafter(v, std::numeric_limits<TypeParam>::infinity());
      // Before 0.0, the ordinal of the bit pattern of -0.0 is left unused.
      const uint64_t step = next == 0 ? 2 : 1;
      EXPECT_EQ(Codec<TypeParam>::Encode(v).ordinal + step, Codec<TypeParam>::Encode(next).ordinal) << v;
    }
  }
}

TEST(OrdinalTest, EveryInt16) {
  uint64_t previous = 0;
  for (int v = INT16_MIN; v <= INT16_MAX; v++) {
    const uint64_t o = OrdinalFromInt16(static_cast<int16_t>(v));
    EXPECT_EQ(v, Int16FromOrdinal(o));
    if (v > INT16_MIN) {
      EXPECT_EQ(previous + 1, o);
    }
    previous = o;
  }
}

TEST(OrdinalTest, ResidueIsZeroButForMinusZeroAndOtherNaNs) {
  EXPECT_EQ(0u, OrdinalFromDouble(1.5).residue);
  EXPECT_EQ(0u, OrdinalFromDouble(-std::numeric_limits<double>::infinity()).residue);
  EXPECT_EQ(0u, OrdinalFromDouble(std::numeric_limits<double>::quiet_NaN()).residue);
  EXPECT_NE(0u, OrdinalFromDouble(-0.0).residue);
  EXPECT_EQ(OrdinalFromDouble(-0.0).ordinal, OrdinalFromDouble(0.0).ordinal);
  EXPECT_NE(0u, OrdinalFromFloat(FromBits<float>(0xFFC00001)).residue);
}

}  // namespace
}  // namespace omendb::test
