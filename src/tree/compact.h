// Putting segments together, and leaving behind what is dead in them.
//
// A slot is dead once its leaf was thawed.  Segments are chosen as an LSM tree's runs are, in tiers by how many
// leaves they still have: those of a tier (1, 4, 16, ... leaves) are put together once there are kTierWidth
// of them, and one that has lost half of its leaves is written anew, with others of that kind.
// (Tiered compaction: O'Neil, Cheng, Gawlick and O'Neil, "The Log-Structured Merge-Tree", 1996, of which this is the
// part that matters where runs do not overlap.)
//
// The leaves of the chosen ones are written to a new segment; then every cold page that has some of them
// is told where they are now, one record each; and then no page names the old segments any more, since nobody but
// this makes references (VACUUM and others that do are kept away), and their blocks are freed.
#ifndef OMENDB_TREE_COMPACT_H
#define OMENDB_TREE_COMPACT_H

#include "tree/segment.h"

namespace omendb::tree {

inline constexpr uint32 kTierWidth = 4;

// Puts some segments together, if there are any that should be; returns whether there were.  Once more, and
// there may be others.  REQUIRES: as above.
bool CompactSome(const Index& index, cold::Codec codec);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_COMPACT_H
