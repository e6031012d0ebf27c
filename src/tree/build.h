// Building a tree from sorted entries, in one pass, bottom up.
#ifndef OMENDB_TREE_BUILD_H
#define OMENDB_TREE_BUILD_H

#include "tree/page.h"
#include "tree/sorter.h"

namespace omendb::tree {

// Writes the metapage and an empty root to an empty fork (the init fork of an
// unlogged index), logging them.
void WriteEmptyTree(const Index& index, ForkNumber fork);

// Of a unique index, whose live rows must have different keys; dead ones need not.  Which rows
// live is said by the TIDs of the entries that are sorted: they are MarkedTids, which have the
// same order.
struct UniqueBuild {
  bool nulls_distinct;  // keys with a NULL are equal to none
  // Raises the error: entry i has the key of another.
  void (*report_duplicate)(const core::Entries& entries, uint32 i, void* state);
  void* state;
};
inline core::Tid MarkedTid(core::Tid tid, bool alive) { return tid << 1 | (alive ? 1 : 0); }
inline bool IsAlive(core::Tid marked) { return (marked & 1) != 0; }
inline core::Tid UnmarkedTid(core::Tid marked) { return marked >> 1; }

// Usage: Begin, Add until there are no more entries, Finish.  The relation's main fork must
// be empty.  The pages go through shared buffers; Finish logs them if the relation
// needs WAL.  Until then nobody else can see the relation.
class TreeBuilder;
// unique: null for an index that is not, and then TIDs are as they are.
TreeBuilder* BeginBuild(const Index& index, const UniqueBuild* unique);
// Adds the next entries of a sort that was performed, which come behind those that were
// added before: *added gets how many.  False if these were the last ones.
bool AddToBuild(TreeBuilder* builder, Sorter* sorter, uint32* added);
// Adds one entry, which comes behind those that were added before.
void AddEntryToBuild(TreeBuilder* builder, const Entry& entry);
void FinishBuild(TreeBuilder* builder);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_BUILD_H
