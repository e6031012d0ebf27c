// A cold page: where a run of consecutive leaves stood in the tree that are in segments now.
//
// It is a page of the leaves' level with their fences and links, flagged kColdPage, whose node
// (core/node.h) has an entry for each leaf instead of the leaves' entries: the leaf's low fence as
// a key, and as value columns
//
//   segment, head, slot   where it is (tree/segment.h)
//   crc                   CRC-32C of what is stored there
//   entries               how many the leaf has
//   first_heap, last_heap the blocks of the table that its TIDs lie between
//
// The first key is the page's own low fence.  There is at least one entry, and never a delta.
#ifndef OMENDB_TREE_COLD_PAGE_H
#define OMENDB_TREE_COLD_PAGE_H

#include "tree/modify.h"

namespace omendb::tree {

// A leaf in a segment.
struct ColdLeaf {
  uint64 segment;
  BlockNumber head;
  uint32 slot;
  uint32 crc;
  uint32 entries;
  BlockNumber first_heap, last_heap;
};

inline constexpr int kColdColumns = 7;
static_assert(core::kMaxKeyColumns + kColdColumns <= core::kMaxValueColumns);

// The columns of an index's cold pages.
inline Shape ColdShape(const Shape& shape) {
  return {shape.key_columns, shape.key_columns + kColdColumns, shape.bytes_columns & shape.KeyBits(), shape.order};
}

// A read view of one.
class ColdPage {
 public:
  ColdPage(Page page, const Shape& shape) : special_(SpecialOf(page)), node_(Body(page), shape.order) {}

  const core::Node& node() const { return node_; }
  uint32 count() const { return node_.count(); }
  BlockNumber left() const { return special_->left; }
  BlockNumber right() const { return special_->right; }
  bool incomplete_split() const { return (special_->flags & kIncompleteSplit) != 0; }

  // Which leaf a search begins in.
  uint32 LeafFor(const core::Bound& bound, core::Direction direction) const { return node_.ChildFor(bound, direction); }
  ColdLeaf LeafAt(uint32 i) const;
  // The fences of a leaf.  HighFence: false for plus infinity.
  void LowFence(uint32 i, core::KeyBytes* memory, core::Key* key) const { node_.KeyAt(i, memory, key); }
  bool HighFence(uint32 i, core::KeyBytes* memory, core::Key* key) const;

 private:
  static const uint8_t* Body(Page page) { return reinterpret_cast<const uint8_t*>(page) + SizeOfPageHeaderData; }

  const PageSpecial* special_;
  core::Node node_;
};

// All entries of a cold page in palloc'd memory, with room for more.
void LoadColdPage(const ColdPage& page, const Shape& shape, LoadedEntries* loaded, uint32 room = 0);
// Puts one entry behind the others, which have room: a leaf, and where it begins.
void AppendColdLeaf(core::Entries* entries, const core::Key& low_fence, const ColdLeaf& leaf);
void SetColdLeaf(core::Entries* entries, uint32 i, const ColdLeaf& leaf);

// What PageIsSound asks of a cold page besides; `body` are the bytes of the page's body.
bool ColdPageIsSound(Page page, const Shape& shape, size_t body, const char** problem);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_COLD_PAGE_H
