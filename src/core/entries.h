// Entries in memory, and what is done with batches of them.
#ifndef OMENDB_CORE_ENTRIES_H
#define OMENDB_CORE_ENTRIES_H

#include <cstddef>
#include <cstdint>

#include "core/key.h"
#include "core/limits.h"

namespace omendb::core {

// Entries as a structure of arrays.  The arrays are the caller's; a batch can be
// a window into another (Slice).
struct Entries {
  uint32_t count = 0;
  int key_columns = 0;
  int value_columns = 0;  // as on a leaf; in an inner node = key_columns
  bool inner = false;
  uint64_t bytes_columns = 0;
  const ByteOrder* order = nullptr;  // of the key columns among them
  // (A kilobyte each, so not zeroed where nobody says Entries{}.)
  uint64_t* value[kMaxValueColumns];
  uint64_t* cls[kMaxValueColumns];  // KeyClass of each entry; always present
  // Bit c: all of the array cls[c] is kValue, so that Decode need not write it.
  // Only for arrays that were filled so; Decode and MoveEntries keep it true.
  uint64_t all_value = 0;
  Tid* tid = nullptr;
  uint64_t* tid_number = nullptr;  // room for PlanNode and PlanTail; WriteNode and WriteTail read it
  uint64_t* child = nullptr;       // inner nodes only
  // Of bytes columns, one after the other: each value's number in the dictionary, and the
  // dictionary's values.  Room for PlanNode; WriteNode reads it.
  uint64_t* numbers = nullptr;
  uint64_t* distinct = nullptr;
  size_t numbers_stride = 0;  // from one column's to the next
  // Where Decode puts the values of bytes columns; moves on as they come.
  uint8_t* bytes = nullptr;

  Shape shape() const { return {key_columns, value_columns, bytes_columns, order}; }
  bool is_bytes(int c) const { return (bytes_columns >> c & 1) != 0; }
  uint64_t* NumbersOf(int c) const { return numbers + numbers_stride * BytesColumnsBefore(c); }
  uint64_t* DistinctOf(int c) const { return distinct + numbers_stride * BytesColumnsBefore(c); }
  size_t BytesColumnsBefore(int c) const { return shape().BytesColumnsBefore(c); }

  Entries Slice(uint32_t begin, uint32_t end) const;
  void KeyAt(uint32_t i, Key* key) const;
};

// Bytes of arrays for `capacity` entries of this shape (of inner nodes, Shape::Inner), and
// the shape laid out over such an allocation (8-aligned).
size_t EntriesBytes(uint32_t capacity, const Shape& shape, bool inner);
void LayOutEntries(Entries* entries, void* memory, uint32_t capacity, const Shape& shape, bool inner);

// Copies entry i of `from` to entry j of `to`: same shape.
void CopyEntry(Entries* to, uint32_t j, const Entries& from, uint32_t i);

// Copies all entries of `from` behind those of `to`, which has room: same shape.
void AppendEntries(Entries* to, const Entries& from);

// The order of two entries by key and TID: < 0, 0, > 0.
int CompareEntries(const Entries& a, uint32_t i, const Entries& b, uint32_t j);

// Whether two entries have the same key, but for the TID.
bool HaveSameKey(const Entries& entries, uint32_t a, uint32_t b);

// Copies the values of bytes columns of entry i to entries.bytes, which has room, and lets
// the entry point there.
void OwnValues(Entries* entries, uint32_t i);

// How many of the sorted entries are below entry `at` of others.
uint32_t EntriesBelow(const Entries& entries, const Entries& others, uint32_t at);

// Merges `more` into `into`, which has room: same shape, both sorted.  Quick where `more`
// has fewer entries, or comes behind.
void MergeSorted(Entries* into, const Entries& more);

// Moves n entries within a batch; the ranges may overlap.
void MoveEntries(Entries* entries, uint32_t to, uint32_t from, uint32_t n);

// Keeps the entries i for which keep(i) is true, in their order.
template <typename Keep>
void KeepEntries(Entries* entries, Keep keep) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < entries->count; i++) {
    if (!keep(i)) continue;
    if (kept != i) CopyEntry(entries, kept, *entries, i);
    kept++;
  }
  entries->count = kept;
}

}  // namespace omendb::core

#endif  // OMENDB_CORE_ENTRIES_H
