#include <new>

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
    InsertState* state = new (MemoryContextAlloc(index_info->ii_Context, sizeof(InsertState))) InsertState{};
    MakeLayout(index, &state->layout);
    state->deferred = DeferState{};
    index_info->ii_AmCache = state;
  }
  return static_cast<InsertState*>(index_info->ii_AmCache);
}

bool HasNull(Relation index, const bool* isnull) {
  for (int k = 0; k < IndexRelationGetNumberOfKeyAttributes(index); k++)
    if (isnull[k]) return true;
  return false;
}

// Whether the key of an entry is unique: false if the executor has to ask again.
bool InsertIntoUnique(Relation index, Datum* values, bool* isnull, const tree::Shape& shape, const tree::Entry& entry,
                      Relation heap, IndexUniqueCheck check, bool unchanged) {
  switch (tree::InsertUnique(tree::Index{index, shape}, entry, heap, check, unchanged)) {
    case tree::Uniqueness::kUnique:
      return true;
    case tree::Uniqueness::kPossibly:
      return false;
    case tree::Uniqueness::kDuplicate: {
      const char* key = BuildIndexValueDescription(index, values, isnull);
      ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                      errmsg("duplicate key value violates unique constraint \"%s\"", RelationGetRelationName(index)),
                      key != nullptr ? errdetail("Key %s already exists.", key) : 0,
                      errtableconstraint(heap, RelationGetRelationName(index))));
      break;
    }
    case tree::Uniqueness::kNotFound:
      ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR),
                      errmsg("failed to re-find tuple within index \"%s\"", RelationGetRelationName(index)),
                      errhint("This may be because of a non-immutable index expression."),
                      errtableconstraint(heap, RelationGetRelationName(index))));
  }
  pg_unreachable();
}

}  // namespace

bool Insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation heap, IndexUniqueCheck unique_check,
            bool unchanged, IndexInfo* index_info) {
  InsertState* state = StateOf(index, index_info);
  tree::Entry entry;
  core::KeyBytes memory;
  MakeEntry(state->layout, values, isnull, tid, &memory, &entry);
  // A key with a NULL equals no other, unless the index says so.
  if (unique_check != UNIQUE_CHECK_NO && (index->rd_index->indnullsnotdistinct || !HasNull(index, isnull)))
    return InsertIntoUnique(index, values, isnull, state->layout.shape, entry, heap, unique_check, unchanged);
  // Where others' inserts are checked against it, they must see it at once.
  const bool may_wait = unique_check == UNIQUE_CHECK_NO && index_info->ii_ExclusionOps == nullptr;
  if (!may_wait || !DeferInsert(index, heap, entry, tid, unchanged, &state->deferred))
    tree::Insert(tree::Index{index, state->layout.shape}, entry, unchanged);
  return true;
}

IndexBulkDeleteResult* BulkDelete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback callback,
                                  void* callback_state) {
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
  if (!tree::MayRecycle(index) && (stats == nullptr || stats->pages_newly_deleted == 0)) return stats;
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
