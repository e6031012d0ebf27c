// omendb_check(index regclass, heapallindexed boolean default false) returns void
//
// Raises ERRCODE_INDEX_CORRUPTED if the index breaks an invariant (tree/check.h)
// or, with heapallindexed, if a live row of the table is not in it exactly once,
// with the values it has, or if live rows have the same key in a unique index.
// Takes SHARE locks on table and index, so writers wait and readers do not.  Uses
// maintenance_work_mem, and temporary files beyond.
//
// On a standby, where replay is the writer and takes no such locks, replay has to be
// paused, and the rows compared are those that the caller's snapshot sees.
#include "am/layout.h"
#include "tree/check.h"

#include "am/am.h"
#include "am/open_index.h"
#include "pg/guard.h"

extern "C" {
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xlogrecovery.h"
#include "catalog/index.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/tuplesort.h"

PG_FUNCTION_INFO_V1(omendb_check);
}

namespace omendb::am {

namespace {

// Of a unique index, whose entries pass by in key order: the last one whose row may live.
struct UniqueWatch {
  Relation heap, index;
  Snapshot snapshot;
  bool any;       // there is one
  bool is_alive;  // its row was asked for, and lives
  core::Key key;
  core::KeyBytes memory;
};

// An entry in one sortable number: its TID (48 bits) and a hash of its values (16).
struct Fingerprints {
  const Layout* layout;
  bool skip_killed;
  UniqueWatch* watch;  // null if the index is not unique
  Tuplesortstate* sort;
  MemoryContext row_context;
};

ItemPointerData PointerOf(core::Tid tid) {
  ItemPointerData pointer;
  ItemPointerSet(&pointer, static_cast<BlockNumber>(core::TidBlock(tid)),
                 static_cast<OffsetNumber>(core::TidOffset(tid)));
  return pointer;
}

bool IsAlive(const UniqueWatch& watch, core::Tid tid) {
  ItemPointerData pointer = PointerOf(tid);
  return table_index_fetch_tuple_check(watch.heap, &pointer, watch.snapshot, nullptr);
}

void Watch(UniqueWatch* watch, const core::Entries& entries, uint32 i) {
  core::Key key;
  entries.KeyAt(i, &key);
  if (!watch->index->rd_index->indnullsnotdistinct)
    for (int c = 0; c < entries.key_columns; c++)
      if (key.cls[c] != core::kValue) return;
  bool same = false;
  if (watch->any) {
    core::Key previous;
    core::CopyKey(&previous, watch->key, entries.key_columns);
    previous.tid = key.tid;
    same = core::CompareKeys(previous, key, entries.shape()) == 0;
  }
  if (same) {
    watch->is_alive = watch->is_alive || IsAlive(*watch, watch->key.tid);
    if (watch->is_alive) {
      if (!IsAlive(*watch, key.tid)) return;
      ereport(ERROR,
              (errcode(ERRCODE_INDEX_CORRUPTED),
               errmsg("unique index \"%s\" has a key twice", RelationGetRelationName(watch->index)),
               errdetail("Rows (%u,%u) and (%u,%u) of table \"%s\" are both alive.",
                         static_cast<BlockNumber>(core::TidBlock(watch->key.tid)),
                         static_cast<OffsetNumber>(core::TidOffset(watch->key.tid)),
                         static_cast<BlockNumber>(core::TidBlock(key.tid)),
                         static_cast<OffsetNumber>(core::TidOffset(key.tid)), RelationGetRelationName(watch->heap)),
               errhint("Delete one of them.")));
    }
  }
  watch->any = true;
  watch->is_alive = false;
  core::CopyKey(&watch->key, key, entries.key_columns);
  core::OwnKey(&watch->key, entries.shape(), &watch->memory);
}

uint16 HashOf(const Layout& layout, const tree::Entry& entry) {
  uint32 hash = 0;
  for (int c = 0; c < layout.shape.value_columns; c++) {
    if (layout.shape.is_bytes(c) && entry.cls[c] == core::kValue) {
      const core::ByteView value = core::ViewOf(entry.value[c]);
      hash = hash_combine(hash, hash_bytes(value.data, static_cast<int>(value.size)));
      continue;
    }
    const uint64 value = entry.cls[c] == core::kValue ? entry.value[c] : 0;
    hash = hash_combine(
        hash, hash_bytes_extended(reinterpret_cast<const unsigned char*>(&value), sizeof value, entry.cls[c]));
  }
  return static_cast<uint16>(hash ^ hash >> 16);
}

void AddFingerprint(const Fingerprints& fingerprints, const tree::Entry& entry) {
  const uint64 number = entry.tid << 16 | HashOf(*fingerprints.layout, entry);
  tuplesort_putdatum(fingerprints.sort, Int64GetDatum(core::Int64FromOrdinal(number)), false);
}

void VisitEntry(const core::Entries& entries, uint32 i, bool killed, void* state) {
  const Fingerprints& fingerprints = *static_cast<Fingerprints*>(state);
  // Scans do not return it: if its row lives, it is missing.
  if (killed && fingerprints.skip_killed) return;
  if (fingerprints.watch != nullptr) Watch(fingerprints.watch, entries, i);
  tree::Entry entry;
  entry.tid = entries.tid[i];
  for (int c = 0; c < entries.value_columns; c++) {
    entry.cls[c] = static_cast<uint8>(entries.cls[c][i]);
    entry.value[c] = entries.value[c][i];
  }
  AddFingerprint(fingerprints, entry);
}

void VisitRow(Relation, ItemPointer tid, Datum* values, bool* isnull, bool alive, void* state) {
  // A dead row may be in the index or not.
  if (!alive) return;
  const Fingerprints& fingerprints = *static_cast<Fingerprints*>(state);
  tree::Entry entry;
  core::KeyBytes memory;
  const MemoryContext old_context = MemoryContextSwitchTo(fingerprints.row_context);
  MakeEntry(*fingerprints.layout, values, isnull, tid, &memory, &entry);
  MemoryContextSwitchTo(old_context);
  MemoryContextReset(fingerprints.row_context);
  AddFingerprint(fingerprints, entry);
}

// On a standby the primary's hints are not believed.
Fingerprints BeginFingerprints(const Layout& layout, bool in_recovery) {
  return {&layout, !in_recovery, nullptr,
          tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, maintenance_work_mem / 2, nullptr,
                                TUPLESORT_NONE),
          AllocSetContextCreate(CurrentMemoryContext, "omendb row", ALLOCSET_DEFAULT_SIZES)};
}

bool NextFingerprint(Tuplesortstate* sort, uint64* number) {
  Datum datum;
  bool isnull;
  if (!tuplesort_getdatum(sort, true, &datum, &isnull, nullptr)) return false;
  *number = core::OrdinalFromInt64(DatumGetInt64(datum));
  return true;
}

[[noreturn]] void ReportRow(Relation heap, Relation index, uint64 fingerprint, const char* problem) {
  const core::Tid tid = fingerprint >> 16;
  ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                  errmsg("index \"%s\" does not agree with table \"%s\"", RelationGetRelationName(index),
                         RelationGetRelationName(heap)),
                  errdetail("Row (%u,%u): %s.", static_cast<BlockNumber>(core::TidBlock(tid)),
                            static_cast<OffsetNumber>(core::TidOffset(tid)), problem),
                  errhint("Please REINDEX it.")));
  pg_unreachable();
}

// Both streams are sorted by TID.  The index may hold dead rows besides.
void CompareFingerprints(Relation heap, Relation index, Tuplesortstate* entries, Tuplesortstate* rows) {
  uint64 entry = 0, row = 0, previous = 0;
  bool has_entry = NextFingerprint(entries, &entry), has_row = NextFingerprint(rows, &row);
  bool any = false;
  while (has_entry) {
    CHECK_FOR_INTERRUPTS();
    if (any && previous >> 16 == entry >> 16) ReportRow(heap, index, entry, "it is in the index more than once");
    any = true;
    previous = entry;
    if (has_row && row >> 16 < entry >> 16)
      ReportRow(heap, index, row, "it is not in the index, or marked there as dead");
    if (has_row && row >> 16 == entry >> 16) {
      if (row != entry) ReportRow(heap, index, row, "its values are not those in the index");
      has_row = NextFingerprint(rows, &row);
    }
    has_entry = NextFingerprint(entries, &entry);
  }
  if (has_row) ReportRow(heap, index, row, "it is not in the index, or marked there as dead");
}

// Replay of the primary's WAL, where there is any, stands still from Begin to End.
class ReplayPause {
 public:
  void Begin() {
    in_recovery_ = RecoveryInProgress();
    replayed_ = InvalidXLogRecPtr;
    if (!in_recovery_) return;
    if (GetRecoveryPauseState() != RECOVERY_PAUSED)
      ereport(ERROR,
              (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("omendb_check needs replay to be paused"),
               errdetail("On a standby, replay changes the index while it is being read."),
               errhint("Call pg_wal_replay_pause(), and afterwards pg_wal_replay_resume().")));
    replayed_ = GetXLogReplayRecPtr(nullptr);
  }

  void End() const {
    if (in_recovery_ && replayed_ != GetXLogReplayRecPtr(nullptr))
      ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                      errmsg("replay went on while omendb_check was running"),
                      errhint("Call pg_wal_replay_pause() and try again.")));
  }

  bool in_recovery() const { return in_recovery_; }

 private:
  bool in_recovery_;
  XLogRecPtr replayed_;
};

// Rows, as a build of the index would see them under the caller's locks.
void ScanRows(Relation heap, Relation index, bool in_recovery, Fingerprints* rows) {
  IndexInfo* info = BuildIndexInfo(index);
  // Without a lock that keeps writers out, a snapshot decides what is there.
  info->ii_Concurrent = in_recovery;
  if (in_recovery && index->rd_index->indcheckxmin &&
      !TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), GetTransactionSnapshot()->xmin))
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" cannot be compared with its table yet", RelationGetRelationName(index)),
                    errdetail("It is younger than the oldest running transaction.")));
  table_index_build_scan(heap, index, info, true, false, VisitRow, rows, nullptr);
}

void Check(Oid index_oid, bool heap_all_indexed) {
  ReplayPause pause;
  pause.Begin();
  const LOCKMODE lock = pause.in_recovery() ? AccessShareLock : ShareLock;
  // The table first, as everybody locks them.
  const Oid heap_oid = IndexGetRelation(index_oid, true);
  const Relation heap = OidIsValid(heap_oid) ? table_open(heap_oid, lock) : nullptr;
  const Relation index = OpenIndex(index_oid, lock, "check");
  if (!index->rd_index->indisvalid)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" is not valid", RelationGetRelationName(index)),
                    errhint("A failed CREATE INDEX CONCURRENTLY left it; drop it or REINDEX it.")));

  Layout layout;
  MakeLayout(index, &layout);
  const tree::Index tree_index{index, layout.shape};
  const BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
  if (!heap_all_indexed) {
    tree::CheckTree(tree_index, strategy, nullptr, nullptr);
  } else {
    Fingerprints entries = BeginFingerprints(layout, pause.in_recovery());
    Fingerprints rows = BeginFingerprints(layout, pause.in_recovery());
    UniqueWatch watch;
    watch.heap = heap;
    watch.index = index;
    watch.snapshot = pause.in_recovery() ? GetActiveSnapshot() : SnapshotSelf;
    watch.any = watch.is_alive = false;
    if (index->rd_index->indisunique) entries.watch = &watch;
    tree::CheckTree(tree_index, strategy, VisitEntry, &entries);
    ScanRows(heap, index, pause.in_recovery(), &rows);
    tuplesort_performsort(entries.sort);
    tuplesort_performsort(rows.sort);
    CompareFingerprints(heap, index, entries.sort, rows.sort);
    tuplesort_end(entries.sort);
    tuplesort_end(rows.sort);
  }
  FreeAccessStrategy(strategy);
  pause.End();
  relation_close(index, lock);
  table_close(heap, lock);
}

}  // namespace

}  // namespace omendb::am

Datum omendb_check(PG_FUNCTION_ARGS) {
  omendb::pg::Guarded([&] { omendb::am::Check(PG_GETARG_OID(0), PG_GETARG_BOOL(1)); });
  PG_RETURN_VOID();
}
