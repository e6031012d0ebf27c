#include "am/layout.h"
#include "tree/modify.h"
#include "tree/vacuum.h"

#include "am/am.h"

extern "C" {
#include "storage/bufmgr.h"
}

namespace omendb::am {

namespace {

// The layout of an index, made once a statement.
const Layout& LayoutOf(Relation index, IndexInfo* index_info) {
  if (index_info->ii_AmCache == nullptr) {
    Layout* layout = static_cast<Layout*>(MemoryContextAlloc(index_info->ii_Context, sizeof(Layout)));
    MakeLayout(index, layout);
    index_info->ii_AmCache = layout;
  }
  return *static_cast<Layout*>(index_info->ii_AmCache);
}

}  // namespace

bool Insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation, IndexUniqueCheck, bool,
            IndexInfo* index_info) {
  const Layout& layout = LayoutOf(index, index_info);
  tree::Entry entry;
  MakeEntry(layout, values, isnull, tid, &entry);
  tree::Insert(tree::Index{index, layout.shape}, entry);
  return false;  // not unique
}

IndexBulkDeleteResult* BulkDelete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                  IndexBulkDeleteCallback callback, void* callback_state) {
  Layout layout;
  MakeLayout(info->index, &layout);
  if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  // Each call counts the entries anew; what it removes adds up.
  stats->num_index_tuples = 0;
  stats->estimated_count = false;
  tree::BulkDelete(tree::Index{info->index, layout.shape}, info->strategy, callback, callback_state, stats);
  stats->num_pages = RelationGetNumberOfBlocks(info->index);
  return stats;
}

IndexBulkDeleteResult* VacuumCleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  if (info->analyze_only) return stats;
  Layout layout;
  MakeLayout(info->index, &layout);
  const tree::Index index{info->index, layout.shape};
  if (!tree::HasDeletedPages(index) && (stats == nullptr || stats->pages_newly_deleted == 0)) return stats;
  if (stats == nullptr) {
    stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
    // Entries were not counted.
    stats->num_index_tuples = info->num_heap_tuples;
    stats->estimated_count = true;
  }
  tree::RecyclePages(index, info->strategy, stats);
  return stats;
}

}  // namespace omendb::am
