// Verifying a tree: apart from the code that it verifies, by named invariants.
#ifndef OMENDB_TREE_CHECK_H
#define OMENDB_TREE_CHECK_H

#include "tree/page.h"

namespace omendb::tree {

// Called with every entry of the leaves, in key order.  `killed`: scans believe that its
// row is dead to everybody (tree/killed.h).
using EntryVisitor = void (*)(const core::Entries& entries, uint32 i, bool killed, void* state);

// Reads the whole index and raises ERRCODE_INDEX_CORRUPTED at the first page that
// breaks an invariant, naming both.  Nobody may write to the index meanwhile.
void CheckTree(const Index& index, BufferAccessStrategy strategy, EntryVisitor visit, void* state);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_CHECK_H
