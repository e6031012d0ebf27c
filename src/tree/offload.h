// Moving the leaves of a range of keys into segments, and back.
#ifndef OMENDB_TREE_OFFLOAD_H
#define OMENDB_TREE_OFFLOAD_H

#include "tree/segment.h"

namespace omendb::tree {

// Which leaves: those that lie between the bounds, and were not changed after that place of the WAL.
struct Coldness {
  core::Bound from, to;
  XLogRecPtr unchanged_since;  // invalid: whenever
};

// Walks over the leaves from left to right, a segment at a time.
class Offload {
 public:
  // Once, before all else.
  void Begin(const Index& index, const Coldness& coldness, cold::Codec codec);
  // Moves the next leaves, at most one segment of them; false if there are none left.  An error leaves an index that is
  // as good as before, and a segment that VACUUM frees.  REQUIRES: the table is locked in SHARE UPDATE EXCLUSIVE
  // mode, which keeps VACUUM away.
  bool MoveSome();

  // In all.
  uint64 moved() const { return moved_; }
  uint64 visited() const { return visited_; }

 private:
  struct Candidate {
    BlockNumber block, next;  // and its right sibling
    ColdLeaf leaf;
  };

  bool Collect(SegmentBuilder* builder, Candidate* candidates);
  bool IsCandidate(Page raw, BlockNumber block) const;
  void Publish(const SegmentBuilder& builder, Candidate* candidates, BlockNumber head);

  Index index_;
  Coldness coldness_;
  cold::Codec codec_;
  core::Bound position_;
  core::KeyBytes position_memory_;
  uint64 moved_, visited_;
};

// Thaws all leaves between the bounds that are in segments; returns how many.
uint64 Recall(const Index& index, const core::Bound& from, const core::Bound& to);

// The end of the WAL when leaves were last offloaded without a bound (invalid: never); sets it.
XLogRecPtr LastOffload(const Index& index);
void SetLastOffload(const Index& index, XLogRecPtr end);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_OFFLOAD_H
