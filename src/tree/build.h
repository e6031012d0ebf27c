// Building a tree from sorted entries, in one pass, bottom up.
#ifndef OMENDB_TREE_BUILD_H
#define OMENDB_TREE_BUILD_H

#include "tree/page.h"
#include "tree/sorter.h"

namespace omendb::tree {

// Writes the metapage and an empty root to an empty fork (the init fork of an
// unlogged index), logging them.
void WriteEmptyTree(const Index& index, ForkNumber fork);

// Usage: Begin, Add until there are no more entries, Finish.  The relation's main fork must
// be empty.  The pages go through shared buffers; Finish logs them if the relation
// needs WAL.  Until then nobody else can see the relation.
class TreeBuilder;
TreeBuilder* BeginBuild(const Index& index);
// Adds the next entries of a sort that was performed, which come behind those that were
// added before: *added gets how many.  False if these were the last ones.
bool AddToBuild(TreeBuilder* builder, Sorter* sorter, uint32* added);
void FinishBuild(TreeBuilder* builder);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_BUILD_H
