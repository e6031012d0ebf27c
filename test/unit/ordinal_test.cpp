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

// ---- More than 64 bits ----

int Compare(const WideOrdinal& a, const WideOrdinal& b) {
  return a.word[0] != b.word[0] ? PostgresOrder(a.word[0], b.word[0]) : PostgresOrder(a.word[1], b.word[1]);
}

class WideOrdinalTest : public SeededTest {
 protected:
  // Any bits, the ends, zero and what is near; small values.
  template <typename T>
  T Draw() {
    static const std::vector<T> specials = Specials<T>();
    switch (random_.Below(4)) {
      case 0:
        return FromBits<T>(random_.Next());
      case 1:
        return specials[random_.Below(specials.size())];
      case 2:
        return static_cast<T>(static_cast<int64_t>(random_.Next()) >> random_.Below(64));
      default:
        return static_cast<T>(static_cast<int64_t>(random_.Below(9)) - 4);
    }
  }
};

// uuid_internal_cmp, macaddr8_cmp_internal; six bytes: macaddr_cmp_internal.
TEST_F(WideOrdinalTest, BytesCompareAsMemcmpDoes) {
  for (int i = 0; i < 100000; i++) {
    unsigned char a[16], b[16], back[16];
    for (unsigned char& byte : a) byte = static_cast<unsigned char>(random_.OneIn(2) ? random_.Next() : 0);
    std::memcpy(b, a, sizeof b);
    for (uint64_t n = random_.Below(3); n > 0; n--) b[random_.Below(16)] = static_cast<unsigned char>(random_.Next());
    const auto sign = [](int order) { return order < 0 ? -1 : order > 0; };
    EXPECT_EQ(sign(std::memcmp(a, b, 16)), Compare(OrdinalFromUuid(a), OrdinalFromUuid(b)));
    EXPECT_EQ(sign(std::memcmp(a, b, 8)), PostgresOrder(OrdinalFromBytes<8>(a), OrdinalFromBytes<8>(b)));
    EXPECT_EQ(sign(std::memcmp(a, b, 6)), PostgresOrder(OrdinalFromBytes<6>(a), OrdinalFromBytes<6>(b)));
    UuidFromOrdinal(OrdinalFromUuid(a), back);
    EXPECT_EQ(0, std::memcmp(a, back, 16));
    BytesFromOrdinal<6>(OrdinalFromBytes<6>(b), back);
    EXPECT_EQ(0, std::memcmp(b, back, 6));
  }
}

// timetz_cmp_internal, of times and zones that there are.
TEST_F(WideOrdinalTest, TimetzComparesInstantsAndThenZones) {
  constexpr int64_t kZones = 16 * 3600 - 1;
  const auto draw = [&](int64_t* time, int32_t* zone) {
    *time = random_.OneIn(8) ? (random_.OneIn(2) ? kMicrosecondsPerDay : 0)
                             : static_cast<int64_t>(random_.Below(static_cast<uint64_t>(kMicrosecondsPerDay) + 1));
    if (random_.OneIn(2)) *time = *time / 3600000000 * 3600000000;
    *zone = static_cast<int32_t>(static_cast<int64_t>(random_.Below(2 * kZones + 1)) - kZones);
    if (!random_.OneIn(3)) *zone = *zone / 3600 * 3600;
  };
  for (int i = 0; i < 100000; i++) {
    int64_t a, b, time;
    int32_t a_zone, b_zone, zone;
    draw(&a, &a_zone);
    draw(&b, &b_zone);
    const int64_t x = a + a_zone * INT64_C(1000000), y = b + b_zone * INT64_C(1000000);
    EXPECT_EQ(x != y ? PostgresOrder(x, y) : PostgresOrder(a_zone, b_zone),
              Compare(OrdinalFromTimetz(a, a_zone), OrdinalFromTimetz(b, b_zone)));
    TimetzFromOrdinal(OrdinalFromTimetz(a, a_zone), &time, &zone);
    EXPECT_TRUE(time == a && zone == a_zone) << a << ' ' << a_zone;
    // What no timetz has comes back, too.
    a = Draw<int64_t>();
    a_zone = Draw<int32_t>();
    TimetzFromOrdinal(OrdinalFromTimetz(a, a_zone), &time, &zone);
    EXPECT_TRUE(time == a && zone == a_zone) << a << ' ' << a_zone;
  }
}

// interval_cmp_value.
i128 Span(int64_t time, int32_t day, int32_t month) {
  return i128{time} + (int64_t{30} * month + day) * i128{kMicrosecondsPerDay};
}

TEST_F(WideOrdinalTest, IntervalsCompareBySpanAndKeepTheirFields) {
  for (int i = 0; i < 200000; i++) {
    const int64_t a = Draw<int64_t>();
    const int32_t a_day = Draw<int32_t>(), a_month = Draw<int32_t>();
    // Half of the others are as long, or nearly, and divided in another way.
    int64_t b = Draw<int64_t>();
    int32_t b_day = Draw<int32_t>(), b_month = Draw<int32_t>();
    if (random_.OneIn(2)) {
      b_day = static_cast<int32_t>(static_cast<uint32_t>(a_day) + 30 * static_cast<uint32_t>(random_.Below(3)));
      b_month = a_month;
      const i128 rest = Span(a, a_day, a_month) - Span(0, b_day, b_month) + static_cast<i128>(random_.Below(3)) - 1;
      if (rest <= INT64_MAX && rest >= INT64_MIN) b = static_cast<int64_t>(rest);
    }
    const i128 x = Span(a, a_day, a_month), y = Span(b, b_day, b_month);
    EXPECT_EQ(x < y ? -1 : x > y,
              Compare(OrdinalFromInterval(a, a_day, a_month), OrdinalFromInterval(b, b_day, b_month)))
        << a << ' ' << a_day << ' ' << a_month << " against " << b << ' ' << b_day << ' ' << b_month;
    int64_t time;
    int32_t day, month;
    IntervalFromOrdinal(OrdinalFromInterval(b, b_day, b_month), &time, &day, &month);
    EXPECT_TRUE(time == b && day == b_day && month == b_month) << b << ' ' << b_day << ' ' << b_month;
  }
}

TEST_F(WideOrdinalTest, IntervalsThatAreUsualHaveNoResidue) {
  for (int32_t day : {0, 1, 29, 30, 400})
    for (int64_t time : {INT64_C(0), INT64_C(1), kMicrosecondsPerDay - 1}) {
      EXPECT_EQ(0u, OrdinalFromInterval(time, day, 0).residue);
      EXPECT_EQ(0u, OrdinalFromInterval(-time, -day, 0).residue);
    }
  EXPECT_NE(OrdinalFromInterval(0, 30, 0).residue, OrdinalFromInterval(0, 0, 1).residue);
  EXPECT_NE(OrdinalFromInterval(0, 1, 0).residue, OrdinalFromInterval(kMicrosecondsPerDay, 0, 0).residue);
}

}  // namespace
}  // namespace omendb::test
