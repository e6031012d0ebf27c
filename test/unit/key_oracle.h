// What keys and bounds mean, said as plainly as possible: lists of values that
// compare lexicographically.
#ifndef OMENDB_TEST_UNIT_KEY_ORACLE_H
#define OMENDB_TEST_UNIT_KEY_ORACLE_H

#include <cstddef>
#include <cstdio>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "core/key.h"
#include "unit/random.h"
#include "unit/random_bytes.h"

namespace omendb::test {

// Of a bytes column what its order looks at; of others the ordinal, and of the TID.
struct PlainValue {
  PlainValue(int cls, uint64_t ordinal) : cls(cls), ordinal(ordinal) {}

  int cls;
  uint64_t ordinal;
  std::string bytes;
  bool descending = false;

  int Compare(const PlainValue& other) const {
    if (cls != other.cls) return cls < other.cls ? -1 : 1;
    if (ordinal != other.ordinal) return ordinal < other.ordinal ? -1 : 1;
    if (bytes == other.bytes) return 0;
    return (bytes < other.bytes) != descending ? -1 : 1;  // as unsigned bytes
  }
  bool operator<(const PlainValue& other) const { return Compare(other) < 0; }
  bool operator==(const PlainValue& other) const { return Compare(other) == 0; }
};
using PlainKey = std::vector<PlainValue>;  // of each column, then (kValue, TID)

inline PlainValue Plain(const core::Key& key, int c, const core::Shape& shape) {
  PlainValue plain(key.cls[c], 0);
  if (key.cls[c] != core::kValue) return plain;
  if (!shape.is_bytes(c)) {
    plain.ordinal = key.ordinal[c];
    return plain;
  }
  const core::ByteOrder& order = shape.order[c];
  plain.bytes = Text(key.ordinal[c]);
  plain.descending = order.descending;
  if (order.function == CompareWithoutCase)
    plain.bytes = WithoutCase(plain.bytes);
  else if (order.function == CompareShortFirst)
    plain.bytes = static_cast<char>(plain.bytes.size() >> 8) + (static_cast<char>(plain.bytes.size()) + plain.bytes);
  else
    plain.bytes.resize(plain.bytes.size() < order.tail ? 0 : plain.bytes.size() - order.tail);
  return plain;
}

inline PlainKey Plain(const core::Key& key, const core::Shape& shape, int columns, bool with_tid) {
  PlainKey out;
  for (int c = 0; c < columns; c++) out.push_back(Plain(key, c, shape));
  if (with_tid) out.emplace_back(core::kValue, key.tid);
  return out;
}

inline int PlainCompare(const core::Key& a, const core::Key& b, const core::Shape& shape) {
  for (int c = 0; c < shape.key_columns; c++)
    if (const int order = Plain(a, c, shape).Compare(Plain(b, c, shape))) return order;
  return a.tid == b.tid ? 0 : a.tid < b.tid ? -1 : 1;
}

inline bool Less(const core::Key& a, const core::Key& b, const core::Shape& shape) {
  return PlainCompare(a, b, shape) < 0;
}

// All that a key says, the bytes too that its order does not look at.
using Said = std::vector<std::tuple<int, uint64_t, std::string>>;

inline Said Everything(const core::Key& key, const core::Shape& shape) {
  Said out;
  for (int c = 0; c < shape.key_columns; c++) {
    const bool is_value = key.cls[c] == core::kValue, is_bytes = shape.is_bytes(c);
    out.emplace_back(key.cls[c], is_value && !is_bytes ? key.ordinal[c] : 0,
                     is_value && is_bytes ? Text(key.ordinal[c]) : std::string());
  }
  out.emplace_back(core::kValue, key.tid, std::string());
  return out;
}

// Whether an entry with this key lies below the bound.
inline bool IsBelow(const core::Key& key, const core::Bound& bound, const core::Shape& shape) {
  for (int c = 0; c < bound.columns; c++)
    if (const int order = Plain(key, c, shape).Compare(Plain(bound.key, c, shape))) return order < 0;
  if (bound.with_tid && key.tid != bound.key.tid) return key.tid < bound.key.tid;
  return bound.tail == core::Bound::kAfter;
}

// Whether the bound is the very point just before the key: nothing fits between.
inline bool IsJustBefore(const core::Key& key, const core::Bound& bound, const core::Shape& shape) {
  if (bound.tail == core::Bound::kAfter) return false;
  PlainKey least = Plain(bound.key, shape, bound.columns, bound.with_tid);
  for (int c = bound.columns; c < shape.key_columns; c++) least.emplace_back(core::kMinusInfinity, 0);
  if (!bound.with_tid) least.emplace_back(core::kValue, 0);
  return least == Plain(key, shape, shape.key_columns, true);
}

inline int PlainCompareBound(const core::Bound& bound, const core::Key& key, const core::Shape& shape) {
  return IsBelow(key, bound, shape) ? 1 : IsJustBefore(key, bound, shape) ? 0 : -1;
}

inline std::string ToString(const core::Key& key, const core::Shape& shape, int columns) {
  std::string out = "(";
  for (int c = 0; c < columns; c++) {
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
        if (!shape.is_bytes(c)) {
          out += std::to_string(key.ordinal[c]);
          break;
        }
        out += '"';
        for (const char b : Text(key.ordinal[c])) {
          char escaped[8];
          std::snprintf(escaped, sizeof escaped, b >= ' ' && b <= '~' ? "%c" : "\\x%02x", static_cast<uint8_t>(b));
          out += escaped;
        }
        out += shape.order[c].descending ? "\" descending" : "\"";
    }
    out += ", ";
  }
  return out + "tid " + std::to_string(key.tid) + ")";
}

inline std::string ToString(const core::Key& key, const core::Shape& shape) {
  return ToString(key, shape, shape.key_columns);
}

inline std::string ToString(const core::Bound& bound, const core::Shape& shape) {
  return (bound.tail == core::Bound::kBefore ? "before the first " : "after the first ") +
         std::to_string(bound.columns) + (bound.with_tid ? " columns and tid of " : " columns of ") +
         ToString(bound.key, shape, bound.columns);
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
