// How entries become the image of a node's base (core/node.h): planned first, which says what
// room they take, and then written.
#ifndef OMENDB_CORE_NODE_WRITER_H
#define OMENDB_CORE_NODE_WRITER_H

#include "core/node.h"

namespace omendb::core {

// How a set of sorted entries would be encoded: fitted, not yet packed.
struct NodePlan {
  uint32_t count;
  int columns;
  int headers;
  uint64_t class_columns;
  uint16_t tid_span;
  uint16_t tid_bias;
  size_t size;  // bytes of the image; may exceed what a page holds
  uint64_t bytes_columns;
  size_t dictionary_bytes;
  size_t fence_value_bytes;
  ColumnHeader header[kMaxColumnHeaders];
  DictionaryHeader dictionary[kMaxValueColumns];  // one per bit of bytes_columns
};

// Fits every column of entries (sorted by key and TID, count <= kMaxEntries;
// 0 is allowed).  `inherited` is the node that these entries were the first
// part of, or null: its models are candidates, so that the first part of a
// node never needs more room than the node.  fence_value_bytes: what the values of bytes
// columns of both fences take (KeyValueBytes), at most.
void PlanNode(const Entries& entries, const Node* inherited, NodePlan* plan, size_t fence_value_bytes = 0);

// Plans about as many of the first entries as fit max_bytes: at least one, at
// most entries.count and kMaxEntries.  Starts looking at `guess`.  Returns how
// many; plan.size exceeds max_bytes only if not even one entry fits.  low_fence: the low
// fence, whose values of bytes columns need room, as do those of the separator behind the
// entries.
uint32_t PlanPrefix(const Entries& entries, size_t max_bytes, uint32_t guess, NodePlan* plan,
                    const Key* low_fence = nullptr);

// Writes the image, at most plan.size bytes (it says itself how many), to `out` (8-aligned).
// high_fence is null for plus infinity.
void WriteNode(const Entries& entries, const NodePlan& plan, uint32_t level, const Key& low_fence,
               const Key* high_fence, uint8_t* out);

// Plans the node with its entries from `from` on exchanged for `tail`, where every column
// keeps its line and its width: what it costs depends on the tail only.  False if one does
// not cover the tail, if there would be too many entries, or if there are bytes columns.
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
// fitted.  The entries must be the same.  REQUIRES: no bytes columns.
void PackNode(const Entries& entries, uint8_t* image);

}  // namespace omendb::core

#endif  // OMENDB_CORE_NODE_WRITER_H
