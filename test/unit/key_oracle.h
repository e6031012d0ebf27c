// What keys and bounds mean, said as plainly as possible: lists of pairs that
// compare lexicographically.
#ifndef OMENDB_TEST_UNIT_KEY_ORACLE_H
#define OMENDB_TEST_UNIT_KEY_ORACLE_H

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "core/key.h"
#include "unit/random.h"

namespace omendb::test {

using PlainKey = std::vector<std::pair<int, uint64_t>>;  // (class, ordinal) per column, then (kValue, TID)

inline PlainKey Plain(const core::Key& key, int columns, bool with_tid = true) {
  PlainKey out;
  for (int c = 0; c < columns; c++) out.emplace_back(key.cls[c], key.cls[c] == core::kValue ? key.ordinal[c] : 0);
  if (with_tid) out.emplace_back(core::kValue, key.tid);
  return out;
}

inline bool Less(const core::Key& a, const core::Key& b, int key_columns) {
  return Plain(a, key_columns) < Plain(b, key_columns);
}

// Whether an entry with this key lies below the bound.
inline bool IsBelow(const core::Key& key, const core::Bound& bound) {
  const PlainKey point = Plain(bound.key, bound.columns, bound.with_tid);
  const PlainKey prefix = Plain(key, bound.columns, bound.with_tid);
  return bound.tail == core::Bound::kBefore ? prefix < point : prefix <= point;
}

// Whether the bound is the very point just before the key: nothing fits between.
inline bool IsJustBefore(const core::Key& key, const core::Bound& bound, int key_columns) {
  if (bound.tail == core::Bound::kAfter) return false;
  PlainKey least = Plain(bound.key, bound.columns, bound.with_tid);
  for (int c = bound.columns; c < key_columns; c++) least.emplace_back(core::kMinusInfinity, 0);
  if (!bound.with_tid) least.emplace_back(core::kValue, 0);
  return least == Plain(key, key_columns);
}

inline int PlainCompareBound(const core::Bound& bound, const core::Key& key, int key_columns) {
  return IsBelow(key, bound) ? 1 : IsJustBefore(key, bound, key_columns) ? 0 : -1;
}

inline std::string ToString(const core::Key& key, int key_columns) {
  std::string out = "(";
  for (int c = 0; c < key_columns; c++) {
    switch (key.cls[c]) {
      case core::kMinusInfinity:
        out += "-inf";
        break;
      case core::kNullFirst:
        out += "null<";
        break;
      case core::kNullLast:
        out += ">null";
        break;
      default:
        out += std::to_string(key.ordinal[c]);
    }
    out += ", ";
  }
  return out + "tid " + std::to_string(key.tid) + ")";
}

inline std::string ToString(const core::Bound& bound) {
  return (bound.tail == core::Bound::kBefore ? "before the first " : "after the first ") +
         std::to_string(bound.columns) + (bound.with_tid ? " columns and tid of " : " columns of ") +
         ToString(bound.key, bound.columns);
}

// Any bound whose columns come from `key`: a prefix, whole, or with the TID.
inline core::Bound RandomBound(const core::Key& key, int key_columns, Random& random) {
  core::Bound bound{};
  core::CopyKey(&bound.key, key, key_columns);
  bound.columns = static_cast<int>(random.Below(static_cast<uint64_t>(key_columns) + 1));
  bound.with_tid = bound.columns == key_columns && random.OneIn(2);
  bound.tail = random.OneIn(2) ? core::Bound::kBefore : core::Bound::kAfter;
  return bound;
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_KEY_ORACLE_H
