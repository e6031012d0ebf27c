// Entries as rows of words, to collect and sort them in memory.
//
//   [class 0] ordinal 0 [class 1] ordinal 1 ... TID [class] payload ...
//
// Words compare lexicographically, but for values of bytes columns, which are copied and
// compare by their orders.  Classes are there only once an entry came that needs them: one
// that is NULL.
#ifndef OMENDB_TREE_ROWS_H
#define OMENDB_TREE_ROWS_H

#include "tree/page.h"

namespace omendb::tree {

class Rows {
 public:
  static constexpr int kMaxWords = 2 * core::kMaxValueColumns + 1;

  // Once, before all else.  The rows live in `context`.
  void Init(const Shape& shape, MemoryContext context);
  void Free();

  // Appends an entry; false, and nothing is appended, if all rows would take more than
  // this many bytes.
  bool Add(const Entry& entry, size_t most_bytes);
  // Keeps the first rows only.  REQUIRES: not sorted since they were appended.
  void Truncate(size_t count) { count_ = count; }
  void Clear();

  // Sorts by key and TID; nothing to do if they came in this order.
  void Sort();

  size_t count() const { return count_; }
  // Bytes that the rows take, without what is reserved for more.
  size_t bytes() const { return count_ * RowBytes() + value_bytes_; }
  void EntryAt(size_t i, Entry* entry) const { FromRow(SortedRow(i), with_classes_, entry); }
  // Whether row i lies below a fence.
  bool IsBelow(size_t i, const core::Key& fence) const;
  // Writes rows [begin, end) to out[0...], which has room: out is of the same shape.
  void CopyTo(size_t begin, size_t end, core::Entries* out) const;

  // Rows as words, for who merges them with others.
  bool with_classes() const { return with_classes_; }
  int Words(bool with_classes) const { return (with_classes ? 2 : 1) * shape_.value_columns + 1; }
  // The leading words that order rows.
  int ComparedWords(bool with_classes) const { return (with_classes ? 2 : 1) * shape_.key_columns + 1; }
  void ToRow(const Entry& entry, bool with_classes, uint64* row) const;
  void FromRow(const uint64* row, bool with_classes, Entry* entry) const;
  // Writes a row, or n of them that follow each other in memory, to out[to...], which has room:
  // out is of the same shape.
  void ToEntries(const uint64* row, size_t n, bool with_classes, core::Entries* out, size_t to) const;
  const uint64* SortedRow(size_t i) const { return order_ != nullptr ? order_[i] : RowAt(i); }
  // Whether they follow each other in memory.
  bool AreAdjacent() const { return order_ == nullptr; }

 private:
  size_t RowBytes() const { return static_cast<size_t>(Words(with_classes_)) * sizeof(uint64); }
  const uint64* RowAt(size_t i) const { return rows_ + i * static_cast<size_t>(Words(with_classes_)); }
  uint64* MutableRow(size_t i) { return rows_ + i * static_cast<size_t>(Words(with_classes_)); }
  void GiveClasses();
  bool NeedsClasses(const Entry& entry) const;
  bool InOrder(const uint64* a, const uint64* b) const { return Compare(a, b) <= 0; }
  int Compare(const uint64* a, const uint64* b) const;
  void OwnValues(uint64* row);
  friend class ValueOrder;
  bool Reserve(size_t bytes, size_t most_bytes);

  Shape shape_;
  MemoryContext context_;
  MemoryContext values_;  // copies of values of bytes columns; null if there are none
  size_t value_bytes_;
  bool with_classes_;
  bool in_order_;
  uint64* rows_;
  size_t count_;
  size_t capacity_;       // bytes
  const uint64** order_;  // of rows too wide to be moved, once they are sorted
};

}  // namespace omendb::tree

#endif  // OMENDB_TREE_ROWS_H
