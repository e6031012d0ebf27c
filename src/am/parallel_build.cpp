#include "am/parallel_build.h"

#include "am/build_scan.h"
#include "tree/build.h"

#include "pg/guard.h"
#include "pg/test_build.h"

extern "C" {
#include "access/genam.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/instrument.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "optimizer/planner.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/sharedfileset.h"
#include "storage/spin.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void omendb_parallel_build(dsm_segment* segment, shm_toc* toc);
}

namespace omendb::am {

namespace {

enum Key : uint64 { kSharedKey = 1, kQueryKey, kWalKey, kBufferKey };

// In shared memory, with the description of the table's scan behind it.
struct Shared {
  Oid heap, index;
  bool concurrent;
  bool unique;       // as the leader has it: CLUSTER and VACUUM FULL rebuild a unique index without asking for that
  int participants;  // that were planned, the leader included: each has as much memory
  SharedFileSet files;
  ConditionVariable part_done;
  slock_t mutex;  // of what follows
  int parts_done;
  double heap_tuples, entries;
  bool broken_hot_chain;

  ParallelTableScanDesc scan() {
    return reinterpret_cast<ParallelTableScanDesc>(reinterpret_cast<char*>(this) + BUFFERALIGN(sizeof(Shared)));
  }
};

struct Destination {
  const Layout* layout;
  tree::Sorter* sorter;
  bool unique;
  double entries;
};

void AddEntry(Relation, ItemPointer tid, Datum* values, bool* isnull, bool alive, void* opaque) {
  Destination* destination = static_cast<Destination*>(opaque);
  tree::Entry entry;
  MakeEntry(*destination->layout, values, isnull, tid, nullptr, &entry);  // (no bytes columns)
  if (destination->unique) entry.tid = tree::MarkedTid(entry.tid, alive);
  tree::AddToSort(destination->sorter, entry);
  destination->entries++;
}

int MemoryKb(const Shared& shared) { return maintenance_work_mem / shared.participants; }

void ReportPart(Shared* shared, double heap_tuples, double entries, bool broken_hot_chain) {
  SpinLockAcquire(&shared->mutex);
  shared->parts_done++;
  shared->heap_tuples += heap_tuples;
  shared->entries += entries;
  shared->broken_hot_chain |= broken_hot_chain;
  SpinLockRelease(&shared->mutex);
  ConditionVariableSignal(&shared->part_done);
}

// A worker's whole work.
void Work(dsm_segment* segment, shm_toc* toc) {
  Shared* shared = static_cast<Shared*>(shm_toc_lookup(toc, kSharedKey, false));
  debug_query_string = static_cast<char*>(shm_toc_lookup(toc, kQueryKey, true));
  pgstat_report_activity(STATE_RUNNING, debug_query_string);

  // The locks that the leader has.
  const LOCKMODE heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
  const LOCKMODE index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
  const Relation heap = table_open(shared->heap, heap_lock);
  const Relation index = index_open(shared->index, index_lock);
  SharedFileSetAttach(&shared->files, segment);

  InstrStartParallelQuery();
  Layout layout;
  MakeLayout(index, &layout);
  IndexInfo* index_info = BuildIndexInfo(index);
  index_info->ii_Concurrent = shared->concurrent;
  index_info->ii_Unique = shared->unique;
  tree::Sorter* sorter =
      tree::BeginPartOfSort(layout.shape, MemoryKb(*shared), &shared->files.fs, ParallelWorkerNumber);
  double entries;
  const double heap_tuples = ScanIntoSort(heap, index, index_info, layout, sorter, shared->scan(), &entries);
  tree::HandOverPart(sorter);
  pg::ReachTestPoint(pg::TestPoint::kPartHandedOver);
  BufferUsage* buffers = static_cast<BufferUsage*>(shm_toc_lookup(toc, kBufferKey, false));
  WalUsage* wal = static_cast<WalUsage*>(shm_toc_lookup(toc, kWalKey, false));
  InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);
  ReportPart(shared, heap_tuples, entries, index_info->ii_BrokenHotChain);

  index_close(index, index_lock);
  table_close(heap, heap_lock);
}

}  // namespace

struct ParallelBuild {
  ParallelContext* context;
  Snapshot snapshot;
  Shared* shared;
  WalUsage* wal;
  BufferUsage* buffers;
};

double ScanIntoSort(Relation heap, Relation index, IndexInfo* index_info, const Layout& layout, tree::Sorter* sorter,
                    ParallelTableScanDesc share, double* entries) {
  Destination destination = {&layout, sorter, index_info->ii_Unique, 0};
  // Of several processes the leader reports how far the scan is, as all take blocks in turn.
  const bool progress = !IsParallelWorker();
  const double heap_tuples = ScanForBuild(heap, index, index_info, progress, AddEntry, &destination, share);
  *entries = destination.entries;
  return heap_tuples;
}

ParallelBuild* BeginParallelBuild(Relation heap, Relation index, const IndexInfo& index_info) {
  const bool concurrent = index_info.ii_Concurrent;
  // Such as after TRUNCATE in a transaction, which PostgreSQL never has workers for.
  if (RelationGetNumberOfBlocks(heap) == 0) return nullptr;
  // PostgreSQL asks this itself for a btree only.
  const int workers = plan_create_index_workers(RelationGetRelid(heap), RelationGetRelid(index));
  if (workers == 0) return nullptr;

  EnterParallelMode();
  ParallelBuild* build = static_cast<ParallelBuild*>(palloc0(sizeof(ParallelBuild)));
  ParallelContext* context = CreateParallelContext("$libdir/omendb", "omendb_parallel_build", workers);
  build->context = context;
  build->snapshot = concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;

  const Size shared_bytes = add_size(BUFFERALIGN(sizeof(Shared)), table_parallelscan_estimate(heap, build->snapshot));
  const Size wal_bytes = mul_size(sizeof(WalUsage), static_cast<Size>(workers));
  const Size buffer_bytes = mul_size(sizeof(BufferUsage), static_cast<Size>(workers));
  const Size query_bytes = debug_query_string != nullptr ? strlen(debug_query_string) + 1 : 0;
  shm_toc_estimate_chunk(&context->estimator, shared_bytes);
  shm_toc_estimate_chunk(&context->estimator, wal_bytes);
  shm_toc_estimate_chunk(&context->estimator, buffer_bytes);
  shm_toc_estimate_keys(&context->estimator, 3);
  if (query_bytes > 0) {
    shm_toc_estimate_chunk(&context->estimator, query_bytes);
    shm_toc_estimate_keys(&context->estimator, 1);
  }
  InitializeParallelDSM(context);
  if (context->seg == nullptr) {
    if (IsMVCCSnapshot(build->snapshot)) UnregisterSnapshot(build->snapshot);
    DestroyParallelContext(context);
    ExitParallelMode();
    return nullptr;
  }

  Shared* shared = static_cast<Shared*>(shm_toc_allocate(context->toc, shared_bytes));
  memset(shared, 0, sizeof *shared);
  shared->heap = RelationGetRelid(heap);
  shared->index = RelationGetRelid(index);
  shared->concurrent = concurrent;
  shared->unique = index_info.ii_Unique;
  shared->participants = workers + 1;
  SharedFileSetInit(&shared->files, context->seg);
  ConditionVariableInit(&shared->part_done);
  SpinLockInit(&shared->mutex);
  table_parallelscan_initialize(heap, shared->scan(), build->snapshot);
  shm_toc_insert(context->toc, kSharedKey, shared);
  build->shared = shared;
  build->wal = static_cast<WalUsage*>(shm_toc_allocate(context->toc, wal_bytes));
  shm_toc_insert(context->toc, kWalKey, build->wal);
  build->buffers = static_cast<BufferUsage*>(shm_toc_allocate(context->toc, buffer_bytes));
  shm_toc_insert(context->toc, kBufferKey, build->buffers);
  if (query_bytes > 0) {
    char* query = static_cast<char*>(shm_toc_allocate(context->toc, query_bytes));
    memcpy(query, debug_query_string, query_bytes);
    shm_toc_insert(context->toc, kQueryKey, query);
  }

  LaunchParallelWorkers(context);
  ereport(DEBUG1, (errmsg_internal("building index \"%s\" with %d parallel workers", RelationGetRelationName(index),
                                   context->nworkers_launched)));
  if (context->nworkers_launched == 0) {
    EndParallelBuild(build);
    return nullptr;
  }
  return build;
}

tree::Sorter* SortInParallel(ParallelBuild* build, Relation heap, Relation index, IndexInfo* index_info,
                             const Layout& layout, double* heap_tuples, double* entries) {
  Shared* shared = build->shared;
  tree::Sorter* sorter = tree::BeginSort(layout.shape, MemoryKb(*shared));
  double own_entries;
  const double own_tuples = ScanIntoSort(heap, index, index_info, layout, sorter, shared->scan(), &own_entries);
  ReportPart(shared, own_tuples, own_entries, index_info->ii_BrokenHotChain);

  // If one does not come up, this is an error, and nobody waits for it for ever.
  WaitForParallelWorkersToAttach(build->context);
  const int parts = build->context->nworkers_launched + 1;
  for (;;) {
    SpinLockAcquire(&shared->mutex);
    const bool done = shared->parts_done == parts;
    *heap_tuples = shared->heap_tuples;
    *entries = shared->entries;
    if (shared->broken_hot_chain) index_info->ii_BrokenHotChain = true;
    SpinLockRelease(&shared->mutex);
    if (done) break;
    ConditionVariableSleep(&shared->part_done, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
  }
  ConditionVariableCancelSleep();
  for (int worker = 0; worker < build->context->nworkers_launched; worker++)
    tree::TakeOverPart(sorter, &shared->files.fs, worker);
  return sorter;
}

void EndParallelBuild(ParallelBuild* build) {
  WaitForParallelWorkersToFinish(build->context);
  for (int worker = 0; worker < build->context->nworkers_launched; worker++)
    InstrAccumParallelQuery(&build->buffers[worker], &build->wal[worker]);
  if (IsMVCCSnapshot(build->snapshot)) UnregisterSnapshot(build->snapshot);
  DestroyParallelContext(build->context);
  ExitParallelMode();
  pfree(build);
}

}  // namespace omendb::am

extern "C" void omendb_parallel_build(dsm_segment* segment, shm_toc* toc) {
  omendb::pg::Guarded([&] { omendb::am::Work(segment, toc); });
}
