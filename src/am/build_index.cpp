#include "am/insert_buffer.h"
#include "am/build_scan.h"
#include "am/layout.h"
#include "am/parallel_build.h"
#include "am/value_sort.h"
#include "tree/build.h"
#include "tree/sorter.h"

#include "am/am.h"

extern "C" {
#include "access/tableam.h"
#include "catalog/index.h"
#include "commands/progress.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
}

namespace omendb::am {

namespace {

// pg_stat_progress_create_index; phase 1 is PostgreSQL's own "initializing".
enum BuildPhase : int64 { kScanning = 2, kSorting = 3, kWriting = 4 };

void ReportPhase(BuildPhase phase) { pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, phase); }

// Refuses an operator class that promises another order than ordinals have:
// CREATE INDEX does not ask amvalidate.
void CheckOrder(Relation index) {
  for (int k = 0; k < IndexRelationGetNumberOfKeyAttributes(index); k++) {
    const Oid type = index->rd_opcintype[k];
    if (!IsKnownOrder(type, type, index_getprocid(index, static_cast<AttrNumber>(k + 1), 1)))
      ereport(ERROR,
              (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
               errmsg("access method \"omendb\" does not support the operator class of column %d of index \"%s\"",
                      k + 1, RelationGetRelationName(index)),
               errdetail("Its order is not the default order of type %s.", format_type_be(type)),
               errhint("Use a btree index for this operator class.")));
  }
}

struct BuildTarget {
  Relation heap, index;
  const Layout* layout;
};

void ReportDuplicate(const core::Entries& entries, uint32 i, void* state) {
  const BuildTarget& target = *static_cast<const BuildTarget*>(state);
  Datum values[INDEX_MAX_KEYS];
  bool isnull[INDEX_MAX_KEYS];
  ReferenceRoom room[INDEX_MAX_KEYS];
  for (int a = 0; a < target.layout->attributes; a++)
    values[a] = AttributeOf(*target.layout, entries, i, a, &isnull[a], &room[a]);
  const char* key = BuildIndexValueDescription(target.index, values, isnull);
  ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
                  errmsg("could not create unique index \"%s\"", RelationGetRelationName(target.index)),
                  key != nullptr ? errdetail("Key %s is duplicated.", key) : errdetail("Duplicate keys exist."),
                  errtableconstraint(target.heap, RelationGetRelationName(target.index))));
}

tree::UniqueBuild UniqueBuildOf(const IndexInfo& index_info, BuildTarget* target) {
  return {!index_info.ii_NullsNotDistinct, ReportDuplicate, target};
}

struct ValueDestination {
  ValueSort* sort;
  double entries;
};

void AddValues(Relation, ItemPointer tid, Datum* values, bool* isnull, bool alive, void* opaque) {
  ValueDestination* destination = static_cast<ValueDestination*>(opaque);
  destination->sort->Add(values, isnull, tid, alive);
  destination->entries++;
}

void BeginWriting(double entries) {
  ReportPhase(kWriting);
  const int progress[] = {PROGRESS_CREATEIDX_TUPLES_TOTAL, PROGRESS_CREATEIDX_TUPLES_DONE};
  const int64 start[] = {static_cast<int64>(entries), 0};
  pgstat_progress_update_multi_param(2, progress, start);
}

IndexBuildResult* ResultOf(double heap_tuples, double entries) {
  IndexBuildResult* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
  result->heap_tuples = heap_tuples;
  result->index_tuples = entries;
  return result;
}

// The build of an index that has bytes columns: one process sorts values.
IndexBuildResult* BuildOfValues(Relation heap, Relation index, IndexInfo* index_info, const Layout& layout) {
  constexpr int64 kReportEvery = 1024;
  ValueSort sort(index, layout, index_info->ii_Unique, maintenance_work_mem);
  ValueDestination destination = {&sort, 0};
  const double heap_tuples = ScanForBuild(heap, index, index_info, true, AddValues, &destination, nullptr);
  ReportPhase(kSorting);
  sort.Perform();
  BeginWriting(destination.entries);
  BuildTarget target = {heap, index, &layout};
  const tree::UniqueBuild unique = UniqueBuildOf(*index_info, &target);
  tree::TreeBuilder* builder =
      tree::BeginBuild(tree::Index{index, layout.shape}, index_info->ii_Unique ? &unique : nullptr);
  tree::Entry entry;
  for (int64 done = 0; sort.Next(&entry);) {
    tree::AddEntryToBuild(builder, entry);
    if (++done % kReportEvery != 0) continue;
    CHECK_FOR_INTERRUPTS();
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done);
  }
  tree::FinishBuild(builder);
  sort.End();
  return ResultOf(heap_tuples, destination.entries);
}

}  // namespace

IndexBuildResult* Build(Relation heap, Relation index, IndexInfo* index_info) {
  if (RelationGetNumberOfBlocks(index) != 0)
    elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));

  CheckOrder(index);
  DiscardInserts(index);
  Layout layout;
  MakeLayout(index, &layout);
  ReportPhase(kScanning);
  if (layout.shape.bytes_columns != 0) return BuildOfValues(heap, index, index_info, layout);
  double heap_tuples, entries;
  tree::Sorter* sorter;
  ParallelBuild* parallel = BeginParallelBuild(heap, index, *index_info);
  if (parallel != nullptr) {
    sorter = SortInParallel(parallel, heap, index, index_info, layout, &heap_tuples, &entries);
  } else {
    sorter = tree::BeginSort(layout.shape, maintenance_work_mem);
    heap_tuples = ScanIntoSort(heap, index, index_info, layout, sorter, nullptr, &entries);
  }

  ReportPhase(kSorting);
  tree::PerformSort(sorter);

  BeginWriting(entries);
  BuildTarget target = {heap, index, &layout};
  const tree::UniqueBuild unique = UniqueBuildOf(*index_info, &target);
  tree::TreeBuilder* builder =
      tree::BeginBuild(tree::Index{index, layout.shape}, index_info->ii_Unique ? &unique : nullptr);
  int64 done = 0;
  for (bool more = true; more;) {
    uint32 added;
    more = tree::AddToBuild(builder, sorter, &added);
    done += added;
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, done);
  }
  tree::FinishBuild(builder);
  tree::EndSort(sorter);
  if (parallel != nullptr) EndParallelBuild(parallel);

  return ResultOf(heap_tuples, entries);
}

void BuildEmpty(Relation index) {
  Layout layout;
  MakeLayout(index, &layout);
  tree::WriteEmptyTree(tree::Index{index, layout.shape}, INIT_FORKNUM);
}

char* BuildPhaseName(int64 phase) {
  switch (phase) {
    case PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE:
      return pstrdup("initializing");
    case kScanning:
      return pstrdup("scanning table");
    case kSorting:
      return pstrdup("sorting entries");
    case kWriting:
      return pstrdup("writing pages");
    default:
      return nullptr;
  }
}

}  // namespace omendb::am
