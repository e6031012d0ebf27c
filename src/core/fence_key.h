// Fences as 64-bit numbers: an order-preserving prefix of a key, for models and SIMD.
//
// Of each of the first key columns the prefix has a digit, as many of them as the
// fences of a level say something of, or as 64 bits have room for:
//
//      bits   | w0             | w1        | ...
//             +----------------+-----------+-----+
//             | digit of key 0 | key 1     |     |      the TID is the last column
//             +----------------+-----------+-----+
//
//      digit 0                minus infinity
//            1                NULL, where it sorts first and a fence has one
//            first_value ...  values, less the least that a fence has
//            last             NULL, where it sorts last and a fence has one
//
// Of a bytes column in bytewise order, a value is the first 8 bytes behind what the fences'
// values have in common; where a function compares, the order's head of it, and if there is
// none, all values are 0.  A fence may say more, so its digit is the last.
//
// So a bigint key fills the 64 bits, and (tenant, time) shares them.  A digit that
// finds no room for all of its bits loses the lowest, and is the last.  What falls
// between the digits takes the lower one, and all bits behind it are ones; so
//
//      a < b   =>   prefix(a) <= prefix(b)
//
// for all keys, whether or not they are within the range of the fences.  Keys with
// the same prefix are told apart by the fences (core/stored_fences.h).
#ifndef OMENDB_CORE_FENCE_KEY_H
#define OMENDB_CORE_FENCE_KEY_H

#include <cstdint>
#include <type_traits>

#include "core/key.h"
#include "core/node.h"

namespace omendb::core {

class FenceKeyMap {
 public:
  // Chooses the digits for these fences (in order, unique; `inner` entries or not) and
  // writes the prefix of each to out[0...].
  void Fit(const Entries& fences, uint64_t* out);

  // `order`: of the key columns that are bytes columns.
  uint64_t Prefix(const Key& key, const ByteOrder* order) const;

  // Whether the first key column is a bytes column.
  bool begins_with_bytes() const { return digit_[0].is_bytes; }

  // Whether fences say more than their prefixes, so that these lead to the wrong page for
  // many a key: some have the same one, or there is a bytes column.
  bool needs_fences() const { return needs_fences_; }

  // For which `rank` the page that a search begins in is probably the last one whose
  // fence's prefix is <= rank.  Exact if digits say all that the fences do.  False if
  // there is none: then it is the first page.
  bool RankOf(const Bound& bound, Direction direction, const ByteOrder* order, uint64_t* rank) const;

 private:
  static constexpr int kMaxDigits = 8;
  static constexpr uint8_t kTidColumn = 255;

  struct Digit {
    uint64_t least;
    uint64_t span;       // of the fences' values: greatest - least
    uint8_t column;      // or kTidColumn
    uint8_t dropped;     // low bits of a value that found no room
    uint8_t bits_below;  // of the digits behind
    bool null_first, null_last;
    bool is_bytes;

    uint64_t first_value() const { return null_first ? 2 : 1; }
    uint64_t last_value() const { return (span >> dropped) + first_value(); }
  };

  // Puts a column's digit into *prefix; false if the digits behind it count no more,
  // because the prefix is complete.
  static bool AddDigit(const Digit& digit, uint8_t cls, uint64_t value, uint64_t* prefix);
  // A value as a digit takes it.
  uint64_t ValueOf(const Digit& digit, const ByteOrder* order, uint8_t cls, uint64_t value) const;
  uint64_t PrefixOf(const Entries& fences, uint32_t i) const;
  void FindCommon(const Entries& fences, int column);
  // Appends a digit for a column; false if there is no room for it.
  bool AppendDigit(const Entries& fences, int column);

  // Bytes that the fences' values have in common are not looked at, up to so many.
  static constexpr uint32_t kMaxCommon = 120;

  uint32_t digits_;
  uint32_t common_size_;
  bool needs_fences_;
  Digit digit_[kMaxDigits];
  uint8_t common_[kMaxCommon];
};
static_assert(std::is_trivially_copyable_v<FenceKeyMap>);

}  // namespace omendb::core

#endif  // OMENDB_CORE_FENCE_KEY_H
