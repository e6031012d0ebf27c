// Removing entries of dead rows, and finding pages to use again.
#ifndef OMENDB_TREE_VACUUM_H
#define OMENDB_TREE_VACUUM_H

#include "tree/page.h"

extern "C" {
#include "access/genam.h"
}

namespace omendb::tree {

// Visits every leaf in key order, with a cleanup lock on each, and removes the
// entries whose TID the callback names.  Adds to stats.
void BulkDelete(const Index& index, BufferAccessStrategy strategy, IndexBulkDeleteCallback callback,
                void* callback_state, IndexBulkDeleteResult* stats);

// Whether RecyclePages may find something.
bool MayRecycle(const Index& index);

// Enters unlinked pages that no scan can reach into the free space map, and blocks of segments that no
// cold page has leaves in.  Adds to stats.  REQUIRES: the table is locked in SHARE UPDATE EXCLUSIVE mode.
void RecyclePages(const Index& index, BufferAccessStrategy strategy, IndexBulkDeleteResult* stats);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_VACUUM_H
