// Order-preserving ordinals: every fixed-width key type maps to an unsigned
// 64-bit integer, or to two that are compared one after the other, such that
// a < b (as PostgreSQL's B-tree operators see it) exactly when
// Ordinal(a) < Ordinal(b), and a = b exactly when the ordinals are equal.
// Everything above this file sees only ordinals.
#ifndef OMENDB_CORE_ORDINAL_H
#define OMENDB_CORE_ORDINAL_H

#include <cstdint>
#include <cstring>

namespace omendb::core {

inline constexpr uint64_t kSign64 = uint64_t{1} << 63;
inline constexpr uint32_t kSign32 = uint32_t{1} << 31;
inline constexpr uint16_t kSign16 = uint16_t{1} << 15;

inline uint64_t OrdinalFromInt64(int64_t v) { return static_cast<uint64_t>(v) ^ kSign64; }
inline int64_t Int64FromOrdinal(uint64_t o) { return static_cast<int64_t>(o ^ kSign64); }

inline uint64_t OrdinalFromInt32(int32_t v) { return static_cast<uint32_t>(v) ^ kSign32; }
inline int32_t Int32FromOrdinal(uint64_t o) { return static_cast<int32_t>(static_cast<uint32_t>(o) ^ kSign32); }

inline uint64_t OrdinalFromInt16(int16_t v) { return static_cast<uint16_t>(static_cast<uint16_t>(v) ^ kSign16); }
inline int16_t Int16FromOrdinal(uint64_t o) { return static_cast<int16_t>(static_cast<uint16_t>(o) ^ kSign16); }

// A float has values that are equal but differ in their bytes: -0.0 equals
// 0.0, and every NaN equals every other.  Equal values must share an ordinal,
// or a second key column would be out of order behind them; an index-only scan
// must return the very bytes.  So a float is an ordinal, which orders it, and
// a residue, which is 0 except for -0.0 and for NaNs other than the canonical
// one.  Columns of residues are therefore constant on nearly every page.
struct FloatOrdinal {
  uint64_t ordinal;
  uint64_t residue;
};

namespace internal {

// Bits is uint32_t for float4 and uint64_t for float8.
template <typename Bits>
struct FloatLayout {
  static constexpr Bits kSign = Bits{1} << (sizeof(Bits) * 8 - 1);
  static constexpr Bits kInfinity = sizeof(Bits) == 8 ? static_cast<Bits>(0x7FF0000000000000ull) : Bits{0x7F800000u};
  static constexpr Bits kNaN = sizeof(Bits) == 8 ? static_cast<Bits>(0x7FF8000000000000ull) : Bits{0x7FC00000u};

  // IEEE 754 values compare as sign-magnitude integers.
  static Bits Encode(Bits bits) { return (bits & kSign) ? static_cast<Bits>(~bits) : static_cast<Bits>(bits | kSign); }
  static Bits Decode(Bits ordinal) {
    return (ordinal & kSign) ? static_cast<Bits>(ordinal & static_cast<Bits>(~kSign)) : static_cast<Bits>(~ordinal);
  }
  static Bits Canonical(Bits bits) {
    if ((bits & static_cast<Bits>(~kSign)) == 0) return 0;              // 0.0, -0.0
    if ((bits & static_cast<Bits>(~kSign)) > kInfinity) return kNaN;  // any NaN
    return bits;
  }
};

template <typename Bits>
FloatOrdinal FloatOrdinalFromBits(Bits bits) {
  const Bits canonical = FloatLayout<Bits>::Canonical(bits);
  return {FloatLayout<Bits>::Encode(canonical), static_cast<uint64_t>(static_cast<Bits>(bits ^ canonical))};
}

template <typename Bits>
Bits FloatBitsFromOrdinal(FloatOrdinal f) {
  return static_cast<Bits>(FloatLayout<Bits>::Decode(static_cast<Bits>(f.ordinal)) ^ static_cast<Bits>(f.residue));
}

}  // namespace internal

inline FloatOrdinal OrdinalFromDouble(double v) {
  uint64_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return internal::FloatOrdinalFromBits<uint64_t>(bits);
}

inline double DoubleFromOrdinal(FloatOrdinal f) {
  const uint64_t bits = internal::FloatBitsFromOrdinal<uint64_t>(f);
  double v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

inline FloatOrdinal OrdinalFromFloat(float v) {
  uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return internal::FloatOrdinalFromBits<uint32_t>(bits);
}

inline float FloatFromOrdinal(FloatOrdinal f) {
  const uint32_t bits = internal::FloatBitsFromOrdinal<uint32_t>(f);
  float v;
  std::memcpy(&v, &bits, sizeof v);
  return v;
}

// Bytes that compare as memcmp does are the digits of a number, the first the highest.

template <int n>
uint64_t OrdinalFromBytes(const unsigned char* bytes) {
  static_assert(n >= 1 && n <= 8);
  uint64_t ordinal = 0;
  for (int i = 0; i < n; i++) ordinal = ordinal << 8 | bytes[i];
  return ordinal;
}

template <int n>
void BytesFromOrdinal(uint64_t ordinal, unsigned char* bytes) {
  for (int i = n - 1; i >= 0; i--, ordinal >>= 8) bytes[i] = static_cast<unsigned char>(ordinal);
}

// What it takes to order values of more than 64 bits: words, compared one after the other,
// and what they do not say, as a float's residue.
struct WideOrdinal {
  uint64_t word[2];
  uint64_t residue;
};

// uuid_internal_cmp is memcmp of the 16 bytes.
inline WideOrdinal OrdinalFromUuid(const unsigned char* bytes) {
  return {{OrdinalFromBytes<8>(bytes), OrdinalFromBytes<8>(bytes + 8)}, 0};
}

inline void UuidFromOrdinal(const WideOrdinal& o, unsigned char* bytes) {
  BytesFromOrdinal<8>(o.word[0], bytes);
  BytesFromOrdinal<8>(o.word[1], bytes + 8);
}

// timetz_cmp_internal: first the instant, time + zone * 1 s in 64 bits, then the zone, both
// signed.  Equal are those in which both are equal, and then so is the time: no residue.
// (The sum cannot overflow: a time is at most a day, a zone less than a day.  That of a
// damaged value wraps, and is taken apart the same way.)
inline constexpr uint64_t kMicrosecondsPerSecond = 1000000;

inline WideOrdinal OrdinalFromTimetz(int64_t time, int32_t zone) {
  const uint64_t shift = static_cast<uint64_t>(int64_t{zone}) * kMicrosecondsPerSecond;
  return {{(static_cast<uint64_t>(time) + shift) ^ kSign64, OrdinalFromInt32(zone)}, 0};
}

inline void TimetzFromOrdinal(const WideOrdinal& o, int64_t* time, int32_t* zone) {
  *zone = Int32FromOrdinal(o.word[1]);
  const uint64_t shift = static_cast<uint64_t>(int64_t{*zone}) * kMicrosecondsPerSecond;
  *time = static_cast<int64_t>((o.word[0] ^ kSign64) - shift);
}

// interval_cmp_internal compares spans: time + (30 * month + day) days in microseconds, in
// 128 bits.  |30 * month + day| <= 31 * 2^31 and |time| <= 2^63, so
//
//   |span| <= 31 * 2^31 * 86,400,000,000 + 2^63 < 2^73
//
// and span + 2^73 has 74 bits.  The upper 64 are the first word and the lower 10 the second:
// that way the first tells nearly all apart, and has its sign.  Intervals of one span
// (30 days, a month, 720 hours) are equal, so how it is divided is the residue:
//
//   month << 32 | (30 * month + day - span in whole days, towards 0), 32 bits each
//
// which is 0 for what subtracting timestamps gives, and for times of less than a day.  The
// difference is that of time's and span's whole days, give or take one: 31 bits and a sign.
inline constexpr int kSpanLowBits = 10;
inline constexpr int kSpanBits = 74;
inline constexpr int64_t kMicrosecondsPerDay = 86400000000;

inline WideOrdinal OrdinalFromInterval(int64_t time, int32_t day, int32_t month) {
  using i128 = __int128;
  const int64_t days = int64_t{30} * month + day;
  const i128 span = i128{days} * kMicrosecondsPerDay + time;
  const i128 biased = span + (i128{1} << (kSpanBits - 1));
  const int64_t rest = days - static_cast<int64_t>(span / kMicrosecondsPerDay);
  return {{static_cast<uint64_t>(biased >> kSpanLowBits),
           static_cast<uint64_t>(biased) & ((uint64_t{1} << kSpanLowBits) - 1)},
          uint64_t{static_cast<uint32_t>(month)} << 32 | static_cast<uint32_t>(rest)};
}

inline void IntervalFromOrdinal(const WideOrdinal& o, int64_t* time, int32_t* day, int32_t* month) {
  using i128 = __int128;
  const i128 span = (static_cast<i128>(o.word[0]) << kSpanLowBits) + static_cast<i128>(o.word[1]) -
                    (i128{1} << (kSpanBits - 1));
  *month = static_cast<int32_t>(o.residue >> 32);
  const int64_t days = static_cast<int64_t>(span / kMicrosecondsPerDay) + static_cast<int32_t>(o.residue);
  *day = static_cast<int32_t>(days - int64_t{30} * *month);
  *time = static_cast<int64_t>(span - i128{days} * kMicrosecondsPerDay);
}

}  // namespace omendb::core

#endif  // OMENDB_CORE_ORDINAL_H
