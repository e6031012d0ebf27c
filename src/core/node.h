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
//       24  40*k  ColumnHeader   `columns` of them, then one per bit of class_columns
//        .        fences         tid (8), ordinals (8 * key_columns), classes, padded to 8
//        .        padding        to a cache line of the page
//        .        words          the packed words of each column (kernels.h)
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
};
static_assert(sizeof(NodeHeader) == 24 && std::is_trivially_copyable_v<NodeHeader>);

inline constexpr int kMaxColumnHeaders = kMaxColumns + kMaxValueColumns;

inline size_t FenceBytes(int key_columns) {
  return sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns) +
         (static_cast<size_t>(key_columns) + 7) / 8 * 8;
}

// Entries as a structure of arrays.  The arrays are the caller's; a batch can be
// a window into another (Slice).
struct Entries {
  uint32_t count = 0;
  int key_columns = 0;
  int value_columns = 0;            // as on a leaf; in an inner node = key_columns
  bool inner = false;
  // (A kilobyte each, so not zeroed where nobody says Entries{}.)
  uint64_t* value[kMaxValueColumns];
  uint64_t* cls[kMaxValueColumns];  // KeyClass of each entry; always present
  // Bit c: all of the array cls[c] is kValue, so that Decode need not write it.
  // Only for arrays that were filled so; Decode and MoveEntries keep it true.
  uint64_t all_value = 0;
  Tid* tid = nullptr;
  uint64_t* tid_number = nullptr;        // room for PlanNode and PlanTail; WriteNode and WriteTail read it
  uint64_t* child = nullptr;             // inner nodes only

  Entries Slice(uint32_t begin, uint32_t end) const;
  void KeyAt(uint32_t i, Key* key) const;
};

// Bytes of arrays for `capacity` entries of this shape, and the shape laid out
// over such an allocation (8-aligned).
size_t EntriesBytes(uint32_t capacity, int value_columns, bool inner);
void LayOutEntries(Entries* entries, void* memory, uint32_t capacity, int key_columns, int value_columns, bool inner);

// Copies entry i of `from` to entry j of `to`: same shape.
void CopyEntry(Entries* to, uint32_t j, const Entries& from, uint32_t i);

// Copies all entries of `from` behind those of `to`, which has room: same shape.
void AppendEntries(Entries* to, const Entries& from);

// The order of two entries by key and TID: < 0, 0, > 0.
int CompareEntries(const Entries& a, uint32_t i, const Entries& b, uint32_t j);

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

// A checked or trusted image.  Copies nothing; the bytes must outlive it and be
// 8-aligned.
class Node {
 public:
  explicit Node(const uint8_t* bytes)
      : bytes_(bytes),
        header_(reinterpret_cast<const NodeHeader*>(bytes)),
        columns_(reinterpret_cast<const ColumnHeader*>(bytes + sizeof(NodeHeader))) {}

  // Whether `available` untrusted bytes hold an image that every method here can
  // read without leaving it.  It does not check the order of entries.
  static bool IsValid(const uint8_t* bytes, size_t available, int key_columns, int value_columns);

  const NodeHeader& header() const { return *header_; }
  uint32_t count() const { return header_->count; }
  uint32_t level() const { return header_->level; }
  bool inner() const { return header_->level > 0; }
  int key_columns() const { return header_->key_columns; }
  int value_columns() const { return header_->columns - (inner() ? 2 : 1); }

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
  void KeyAt(uint32_t i, Key* key) const;

  void LowFence(Key* key) const { ReadFence(header_->low_fence, key); }
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
  // has no class column.
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
  // only those whose bit is set in `wanted`.
  void Decode(uint32_t begin, uint32_t end, uint64_t wanted, Entries* out, uint32_t at) const;
  // Of entries [begin, end) the TIDs only.
  void DecodeTids(uint32_t begin, uint32_t end, Tid* out) const;

 private:
  int ClassColumnIndex(int c) const {
    return header_->columns + __builtin_popcountll(header_->class_columns & ((uint64_t{1} << c) - 1));
  }
  void ReadFence(uint16_t offset, Key* key) const;

  const uint8_t* bytes_;
  const NodeHeader* header_;
  const ColumnHeader* columns_;
};

// How a set of sorted entries would be encoded: fitted, not yet packed.
struct NodePlan {
  uint32_t count;
  int columns;
  int headers;
  uint64_t class_columns;
  uint16_t tid_span;
  uint16_t tid_bias;
  size_t size;  // bytes of the image; may exceed what a page holds
  ColumnHeader header[kMaxColumnHeaders];
};

// Fits every column of entries (sorted by key and TID, count <= kMaxEntries;
// 0 is allowed).  `inherited` is the node that these entries were the first
// part of, or null: its models are candidates, so that the first part of a
// node never needs more room than the node.
void PlanNode(const Entries& entries, const Node* inherited, NodePlan* plan);

// Plans about as many of the first entries as fit max_bytes: at least one, at
// most entries.count and kMaxEntries.  Starts looking at `guess`.  Returns how
// many; plan.size exceeds max_bytes only if not even one entry fits.
uint32_t PlanPrefix(const Entries& entries, size_t max_bytes, uint32_t guess, NodePlan* plan);

// Writes the image, plan.size bytes, to `out` (8-aligned).  high_fence is null for plus infinity.
void WriteNode(const Entries& entries, const NodePlan& plan, uint32_t level, const Key& low_fence,
               const Key* high_fence, uint8_t* out);

// Plans the node with its entries from `from` on exchanged for `tail`, where every column
// keeps its line and its width: what it costs depends on the tail only.  False if one does
// not cover the tail, or if there would be too many entries.
// REQUIRES: 0 < from <= node.count() <= from + tail.count; the tail is sorted, and above the
// entries before.
bool PlanTail(const Node& node, uint32_t from, const Entries& tail, NodePlan* plan);

// Changes the image that was planned for, which has room for plan.size bytes.  The result is
// what PackNode makes of all entries behind the same head.
void WriteTail(const Entries& tail, uint32_t from, const NodePlan& plan, uint8_t* image);

// The head of an image: header, column headers and fences, all but the packed words.
size_t NodeHeadBytes(const uint8_t* image);

// Packs entries behind a head that is in place already, as WriteNode did with the plan that
// it came from: which line and which width a column has, the head says, so nothing is
// fitted.  The entries must be the same.
void PackNode(const Entries& entries, uint8_t* image);

}  // namespace omendb::core

#endif  // OMENDB_CORE_NODE_H
