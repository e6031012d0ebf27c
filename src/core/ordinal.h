// Order-preserving ordinals: every fixed-width key type maps to an unsigned
// 64-bit integer such that a < b (as PostgreSQL's B-tree operators see it)
// exactly when Ordinal(a) < Ordinal(b), and a = b exactly when the ordinals
// are equal.  Everything above this file sees only ordinals.
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

}  // namespace omendb::core

#endif  // OMENDB_CORE_ORDINAL_H
