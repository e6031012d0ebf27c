// Which segments are in use: a walk over the cold pages, which name them.
//
// References to leaves in segments are only made under the table's SHARE UPDATE EXCLUSIVE lock, and else they vanish
// or move to the right.  So a walk from left to right, by who holds that lock, meets all of them.
#ifndef OMENDB_TREE_SEGMENT_USE_H
#define OMENDB_TREE_SEGMENT_USE_H

#include "tree/search.h"

namespace omendb::tree {

// An array that grows, in palloc'd memory.
template <typename T>
struct Array {
  T* item = nullptr;
  uint32 count = 0, capacity = 0;

  void Append(const T& value) {
    if (count == capacity) {
      capacity = Max(2 * capacity, 64);
      const Size bytes = capacity * sizeof(T);
      item = static_cast<T*>(item == nullptr ? MemoryContextAllocHuge(CurrentMemoryContext, bytes)
                                             : repalloc_huge(item, bytes));
    }
    item[count++] = value;
  }
};

// REQUIRES, as everything here: nobody makes a segment meanwhile (the table is locked as said above).
class ColdWalk {
 public:
  // `strategy` may be null.
  ColdWalk(const Index& index, BufferAccessStrategy strategy);

  // The next cold page, pinned and locked; InvalidBuffer at the end.  The caller releases it.  Sleeps as VACUUM does.
  Buffer Next(int lock_mode);

  // The one that was returned last, again; it was locked exclusively.
  void StepBack();

 private:
  Buffer Land();
  void MoveOn(Page raw);

  Index index_;
  BufferAccessStrategy strategy_;
  core::Bound position_, again_;
  core::KeyBytes memory_, again_memory_;
  BlockNumber block_;
  bool done_;
};

// A segment in use.
struct SegmentUse {
  uint64 segment;
  BlockNumber head;
  uint32 live;  // leaves that cold pages have there
};

inline bool IsOfLesserSegment(const SegmentUse& a, const SegmentUse& b) { return a.segment < b.segment; }

// All of them, sorted by segment.
Array<SegmentUse> ListSegments(const Index& index, BufferAccessStrategy strategy);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_SEGMENT_USE_H
