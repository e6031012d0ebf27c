#include "am/insert_buffer.h"
#include "am/layout.h"
#include "tree/modify.h"
#include "tree/vacuum.h"

#include "am/am.h"

extern "C" {
#include "storage/bufmgr.h"
}

namespace omendb::am {

namespace {

// What a statement that inserts remembers of an index.
struct InsertState {
  Layout layout;
  DeferState deferred;
};

InsertState* StateOf(Relation index, IndexInfo* index_info) {
  if (index_info->ii_AmCache == nullptr) {
    InsertState* state = static_cast<InsertState*>(MemoryContextAlloc(index_info->ii_Context, sizeof(InsertState)));
    MakeLayout(index, &state->layout);
    state->deferred = DeferState{};
    index_info->ii_AmCache = state;
  }
  return static_cast<InsertState*>(index_info->ii_AmCache);
}

}  // namespace

bool Insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation heap, IndexUniqueCheck unique_check,
            bool unchanged, IndexInfo* index_info) {
  InsertState* state = StateOf(index, index_info);
  tree::Entry entry;
  MakeEntry(state->layout, values, isnull, tid, &entry);
  // Where others' inserts are checked against it, they must see it at once.
  const bool may_wait = unique_check == UNIQUE_CHECK_NO && index_info->ii_ExclusionOps == nullptr;
  if (!may_wait || !DeferInsert(index, heap, state->layout.shape, entry, tid, unchanged, &state->deferred))
    tree::Insert(tree::Index{index, state->layout.shape}, entry, unchanged);
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
