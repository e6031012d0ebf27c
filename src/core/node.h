// The image of a node's base: sorted entries, column by column (PAX), with the
// node's fences.  The same format serves leaves and inner nodes; a page adds
// links and the delta (tree/page.h).
//
//   offset  bytes
//        0     2  count          entries, 0..kMaxEntries
//        2     1  key_columns
//        3     1  columns        value columns, TID, and in an inner node: child
//        4     2  size           bytes of the image, a multiple of 8
//        6     2  low_fence      offset of the low fence
//        8     2  high_fence     offset of the high fence; 0: plus infinity
//       10     2  level          0 for a leaf
//       12     2  tid_span       see below
//       14     2  tid_bias
//       16     8  class_columns  bit c: value column c has a class column
//       24     8  bytes_columns  bit c: value column c is a bytes column
//       32  40*k  ColumnHeader   `columns` of them, then one per bit of class_columns
//        .   2*k  dictionaries   where they begin, one per bit of bytes_columns, padded to 8
//        .        fences         tid (8), ordinals (8 * key_columns), classes, padded to 8
//        .        padding        to a cache line of the page
//        .        words          the packed words of each column (kernels.h)
//        .        dictionaries   of bytes columns (dictionary.h)
//        .        fence values   of bytes columns (bytes.h), padded to 8
//
// A bytes column is a column of numbers in its dictionary.  Where a fence has a value of
// one, its ordinal is where the value is.
//
// Value columns are the key columns, then, in a leaf, what entries carry besides
// (residues of float keys, INCLUDE columns).  A class column holds KeyClass
// values and is left out where all are kValue.  A TID is stored as one number,
//
//   block * (tid_span + 1) + (offset - tid_bias),     tid_bias <= offset <= tid_bias + tid_span
//
// with the node's own range of offsets: rows of a table filled in key order get
// consecutive numbers, which a line predicts exactly, and others no more bits
// than block and offset would take apart.  Multi-byte integers are in the
// machine's order, as everywhere in PostgreSQL's files.
#ifndef OMENDB_CORE_NODE_H
#define OMENDB_CORE_NODE_H

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "core/column.h"
#include "core/dictionary.h"
#include "core/entries.h"
#include "core/key.h"
#include "core/limits.h"

namespace omendb::core {

struct NodeHeader {
  uint16_t count;
  uint8_t key_columns;
  uint8_t columns;
  uint16_t size;
  uint16_t low_fence;
  uint16_t high_fence;
  uint16_t level;
  uint16_t tid_span;
  uint16_t tid_bias;
  uint64_t class_columns;
  uint64_t bytes_columns;
};
static_assert(sizeof(NodeHeader) == 32 && std::is_trivially_copyable_v<NodeHeader>);

inline constexpr int kMaxColumnHeaders = kMaxColumns + kMaxValueColumns;

// What the offsets of dictionaries take.
inline size_t DictionariesBytes(uint64_t bytes_columns) {
  return (sizeof(uint16_t) * static_cast<size_t>(__builtin_popcountll(bytes_columns)) + 7) / 8 * 8;
}

// What a fence takes, but for values of bytes columns.
inline size_t FenceBytes(int key_columns) {
  return sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns) +
         (static_cast<size_t>(key_columns) + 7) / 8 * 8;
}

// A checked or trusted image.  Copies nothing; the bytes must outlive it and be
// 8-aligned.
class Node {
 public:
  // `order`: of the key columns that are bytes columns; must outlive it.
  explicit Node(const uint8_t* bytes, const ByteOrder* order = nullptr)
      : bytes_(bytes),
        header_(reinterpret_cast<const NodeHeader*>(bytes)),
        columns_(reinterpret_cast<const ColumnHeader*>(bytes + sizeof(NodeHeader))),
        order_(order) {}

  // Whether `available` untrusted bytes hold an image that every method here can
  // read without leaving it.  It does not check the order of entries.  `shape`: of the index.
  static bool IsValid(const uint8_t* bytes, size_t available, const Shape& shape);

  const NodeHeader& header() const { return *header_; }
  uint32_t count() const { return header_->count; }
  uint32_t level() const { return header_->level; }
  bool inner() const { return header_->level > 0; }
  int key_columns() const { return header_->key_columns; }
  int value_columns() const { return header_->columns - (inner() ? 2 : 1); }
  Shape shape() const { return {key_columns(), value_columns(), header_->bytes_columns, order_}; }
  bool is_bytes(int c) const { return (header_->bytes_columns >> c & 1) != 0; }
  Dictionary dictionary(int c) const;

  // Of a bytes column: numbers in its dictionary.
  Column value_column(int c) const { return Column(bytes_, columns_[c]); }
  bool has_class_column(int c) const { return (header_->class_columns >> c & 1) != 0; }
  Column class_column(int c) const { return Column(bytes_, columns_[ClassColumnIndex(c)]); }
  Column tid_column() const { return Column(bytes_, columns_[value_columns()]); }
  Column child_column() const { return Column(bytes_, columns_[header_->columns - 1]); }

  uint8_t ClassAt(int c, uint32_t i) const {
    return has_class_column(c) ? static_cast<uint8_t>(class_column(c).Get(i)) : static_cast<uint8_t>(kValue);
  }
  Tid TidAt(uint32_t i) const {
    const uint64_t radix = uint64_t{header_->tid_span} + 1;
    // A number has 48 bits.  Those of a damaged page are cut to them, here and in DecodeTids.
    const uint64_t number = tid_column().Get(i) & kMaxTid, block = number / radix;
    return block << kTidOffsetBits | (number - block * radix + header_->tid_bias);
  }
  uint32_t ChildAt(uint32_t i) const { return static_cast<uint32_t>(child_column().Get(i)); }
  // Values of bytes columns are put in `memory`, which is needed only if there are any.
  void KeyAt(uint32_t i, KeyBytes* memory, Key* key) const;
  // What the values of bytes columns of `entries` entries take that Decode is asked for, at most.
  size_t DecodedBytes(uint64_t wanted, uint32_t entries) const;
  size_t DecodedBytes(uint64_t wanted) const { return DecodedBytes(wanted, count()); }

  // Their values stay in the image.
  void LowFence(Key* key) const { ReadFence(header_->low_fence, key); }
  // What their values of bytes columns take.
  size_t fence_value_bytes() const;
  // Where those of the first key column begin, a bytes column: up to the image's end.
  uint32_t fence_values() const;
  // Where the dictionary of a bytes column is in the image.
  uint32_t dictionary_at(int c) const { return static_cast<uint32_t>(dictionary(c).bytes() - bytes_); }
  bool has_high_fence() const { return header_->high_fence != 0; }
  void HighFence(Key* key) const { ReadFence(header_->high_fence, key); }
  // The high fence in *key, as WriteNode takes it: null for plus infinity.
  const Key* HighFenceOrNull(Key* key) const {
    if (!has_high_fence()) return nullptr;
    HighFence(key);
    return key;
  }

  // Whether what a search in this direction looks for lies to the right of this
  // node's fences, or to the left.  Each node holds the entries low <= e < high.
  bool BoundIsRight(const Bound& bound, Direction direction) const;
  bool BoundIsLeft(const Bound& bound, Direction direction) const;

  // Whether a value of the first key column lies between the fences', so that all entries
  // with it are here.  (False does not say that none is.)
  bool IsInside(uint64_t ordinal) const;

  // The entries whose first key column is a value equal to this one.  REQUIRES: the column
  // has no class column.  (Of a bytes column, the value.)
  void EqualRange(uint64_t ordinal, uint32_t* begin, uint32_t* end) const;

  // Whether entry i lies below the bound.
  bool IsBelow(uint32_t i, const Bound& bound) const;

  // The first entry above the bound; count() if there is none.
  uint32_t LowerBound(const Bound& bound) const;

  // The same where entries before `from` are known to be below the bound; quick
  // if the answer is near.
  uint32_t LowerBoundFrom(const Bound& bound, uint32_t from) const;

  // In an inner node: the entry whose child to descend to.  REQUIRES: count() > 0.
  uint32_t ChildFor(const Bound& bound, Direction direction) const;

  // Decodes entries [begin, end) to out[at...]: same shape.  Of the value columns
  // only those whose bit is set in `wanted`.  out->bytes has room for DecodedBytes.
  void Decode(uint32_t begin, uint32_t end, uint64_t wanted, Entries* out, uint32_t at) const;
  // Of entries [begin, end) the TIDs only.
  void DecodeTids(uint32_t begin, uint32_t end, Tid* out) const;

 private:
  // The numbers of a bytes column's values equal to one, [*begin, *end), or where it belongs.
  void FindNumbers(int c, uint64_t value, uint32_t* begin, uint32_t* end) const {
    dictionary(c).Find(ViewOf(value), begin, end);
  }
  uint32_t LowerBoundOfNumbers(int c, uint32_t number, uint32_t begin, uint32_t end) const;
  void DecodeValues(int c, uint32_t n, Entries* out, uint32_t at) const;
  int ClassColumnIndex(int c) const {
    return header_->columns + __builtin_popcountll(header_->class_columns & ((uint64_t{1} << c) - 1));
  }
  void ReadFence(uint16_t offset, Key* key) const;

  const uint8_t* bytes_;
  const NodeHeader* header_;
  const ColumnHeader* columns_;
  const ByteOrder* order_;
};

}  // namespace omendb::core

#endif  // OMENDB_CORE_NODE_H
