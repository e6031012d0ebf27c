// Leaves on their way into segments and back.
//
// A leaf becomes a cold page with one leaf in place, and back.  Cold pages next to each other
// below one parent are put together, and a cold page is split, like other pages.  Each is one atomic
// action (or a split), and in between the tree is one that everybody can use:
//
//   leaf  --FreezeLeaf-->  cold page of 1  --AbsorbRight-->  cold page of n
//   leaf  <--ThawLeaf--    cold page of 1  <--SplitColdPage--
#ifndef OMENDB_TREE_COLD_MOVE_H
#define OMENDB_TREE_COLD_MOVE_H

#include "tree/segment.h"

namespace omendb::tree {

// Makes a leaf a cold page, if it still is what the segment has of it.  Returns whether it did.  REQUIRES: leaf says
// where that is, and the segment is written.
bool FreezeLeaf(const Index& index, BlockNumber block, const SegmentBuilder& builder, const ColdLeaf& leaf);

// Puts the leaves of a cold page's right sibling behind its own, if that is a cold page below the same parent, has
// room there, and nobody has it pinned.  Returns whether it did.
bool AbsorbRight(const Index& index, BlockNumber block);

// Divides a cold page, locked exclusively, before leaf `at`; lock and pin are gone.  (tree/split.cpp)
void SplitColdPage(const Index& index, Buffer buffer, uint32 at);

// Makes the leaf that a bound belongs to an ordinary one, if it is in a segment.  No page may be locked.
void ThawLeaf(const Index& index, const core::Bound& bound);

// Descends to the leaf that the bound belongs to, thaws it if need be, and returns it locked exclusively.
Buffer LockLeafForWrite(const Index& index, const core::Bound& bound);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_COLD_MOVE_H
