// Keys and search bounds, as the tree compares them.
//
// An entry is ordered by its key columns and then by its TID, which makes every
// entry unique.  A key column holds a class and, for class kValue, an ordinal.
#ifndef OMENDB_CORE_KEY_H
#define OMENDB_CORE_KEY_H

#include <cstdint>

#include "core/bytes.h"
#include "core/limits.h"

namespace omendb::core {

// The order of classes is the order of entries.  Which of the two NULL classes
// an index column uses depends on its NULLS FIRST / LAST.
enum KeyClass : uint8_t {
  kMinusInfinity = 0,  // only in fences and inner nodes: truncated, or the leftmost
  kNullFirst = 1,
  kValue = 2,
  kNullLast = 3,
};

// A heap TID as one number: block << 16 | offset.  0 sorts before every TID.
using Tid = uint64_t;
inline constexpr int kTidOffsetBits = 16;
inline constexpr Tid kMaxTid = (uint64_t{1} << 48) - 1;
inline uint64_t TidBlock(Tid tid) { return tid >> kTidOffsetBits; }
inline uint64_t TidOffset(Tid tid) { return tid & 0xFFFF; }

// A whole key: a fence, a separator, or the key part of an entry.
struct Key {
  Tid tid;
  uint64_t ordinal[kMaxKeyColumns];  // 0 where the class is not kValue; of a bytes column, see core/bytes.h
  uint8_t cls[kMaxKeyColumns];
};

// (Values of bytes columns stay where they are.)
void CopyKey(Key* to, const Key& from, int key_columns);
int CompareKeys(const Key& a, const Key& b, const Shape& shape);

// Memory for the values of bytes columns of one key.
struct KeyBytes {
  uint8_t bytes[kMaxEntryBytes];
};

// What the values of a key's bytes columns take.
size_t KeyValueBytes(const Key& key, const Shape& shape);

// Copies the values of a key's bytes columns to `memory`, and lets the key point there: it
// may then outlive what it was read from.  (They may be there already.)
void OwnKey(Key* key, const Shape& shape, KeyBytes* memory);

// The key below all entries.
void SetMinusInfinity(Key* key, int key_columns);

// The shortest separator: a key s with left < s <= right, as few columns as
// possible, the rest minus infinity.  The last column that it has is cut, too, if it is
// bytes in bytewise, ascending order; what remains is in `memory`, which only keys with
// bytes columns need.  REQUIRES: left < right.
void MakeSeparator(const Key& left, const Key& right, const Shape& shape, KeyBytes* memory, Key* separator);

// A point between entries: just before or just after all entries that agree
// with `key` in its first `columns` columns, or just before / after (key, tid).
struct Bound {
  enum Tail : uint8_t { kBefore, kAfter };
  Key key;
  int columns;    // how many key columns count
  bool with_tid;  // the TID counts, too; then columns is all of them
  Tail tail;
};

void SetBoundBefore(Bound* bound, const Key& key, int key_columns);  // before (key, tid)
void SetBoundAfter(Bound* bound, const Key& key, int key_columns);   // after (key, tid)

// As OwnKey.
void OwnBound(Bound* bound, const Shape& shape, KeyBytes* memory);
// Says where values of bytes columns are from another base: so a bound that owns them can be
// read by another process.
void RebaseBound(Bound* bound, const Shape& shape, uint64_t old_base, uint64_t base);

// Where the bound lies against the point just before `key`: < 0, 0 (the same
// point, as for a bound that says no more than a truncated separator) or > 0.
int CompareBound(const Bound& bound, const Key& key, const Shape& shape);

// What a search looks for: the first entry above a bound, or the last below it.
enum class Direction : uint8_t { kForward, kBackward };

}  // namespace omendb::core

#endif  // OMENDB_CORE_KEY_H
