// omendb_offload(index regclass, before text default null) returns bigint
// omendb_recall(index regclass) returns bigint
//
// Move leaves of an index into compressed segments inside its file, and back (sql/omendb--*.sql says what for);
// return how many leaves.  They lock the table in SHARE UPDATE EXCLUSIVE mode, as VACUUM does, which waits meanwhile;
// neither readers nor writers do.  What was moved stays moved if the
// transaction is rolled back, or the call cancelled: calling again goes on.
#include "tree/offload.h"

#include "tree/cold_library.h"
#include "tree/compact.h"

#include "am/layout.h"
#include "am/quals.h"
#include "tree/options.h"
#include "tree/vacuum.h"

#include "am/am.h"
#include "am/cold_worker.h"
#include "am/open_index.h"
#include "pg/guard.h"

extern "C" {
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "commands/progress.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/sinvaladt.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(omendb_offload);
PG_FUNCTION_INFO_V1(omendb_recall);
}

namespace omendb::am {

namespace {

// An index whose leaves are to be moved, and its table, locked as for VACUUM.
struct Opened {
  Oid heap;
  Relation index;
};

// Whether CREATE INDEX or REINDEX CONCURRENTLY has the table locked.  They wait until all snapshots are gone that are
// older than theirs.  Our caller has one: if we waited for the lock, each would wait for the other, and they might be
// the one to fail, and to leave an invalid index.
bool IsBeingIndexedConcurrently(Oid heap) {
  LOCKTAG tag;
  SET_LOCKTAG_RELATION(tag, MyDatabaseId, heap);
  pgstat_clear_backend_activity_snapshot();
  for (const VirtualTransactionId* holder = GetLockConflicts(&tag, ShareUpdateExclusiveLock, nullptr);
       VirtualTransactionIdIsValid(*holder); holder++) {
    const PGPROC* const process = BackendIdGetProc(holder->backendId);
    for (int i = 1; process != nullptr && i <= pgstat_fetch_stat_numbackends(); i++) {
      const PgBackendStatus* const status = pgstat_fetch_stat_beentry(i);
      if (status == nullptr || status->st_procpid != process->pid ||
          status->st_progress_command != PROGRESS_COMMAND_CREATE_INDEX)
        continue;
      const int64 command = status->st_progress_param[PROGRESS_CREATEIDX_COMMAND];
      if (command == PROGRESS_CREATEIDX_COMMAND_CREATE_CONCURRENTLY ||
          command == PROGRESS_CREATEIDX_COMMAND_REINDEX_CONCURRENTLY)
        return true;
    }
  }
  return false;
}

void LockTable(Oid heap, const char* purpose) {
  if (ConditionalLockRelationOid(heap, ShareUpdateExclusiveLock)) return;
  if (IsBeingIndexedConcurrently(heap))
    ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                    errmsg("cannot %s an index while its table is being indexed concurrently", purpose),
                    errdetail("CREATE INDEX CONCURRENTLY and REINDEX CONCURRENTLY would wait for this call's snapshot, "
                              "and it for them."),
                    errhint("Call it again when they are done.")));
  LockRelationOid(heap, ShareUpdateExclusiveLock);
}

Opened Open(Oid index_oid, const char* purpose) {
  if (RecoveryInProgress())
    ereport(ERROR, (errcode(ERRCODE_READ_ONLY_SQL_TRANSACTION), errmsg("cannot %s an index during recovery", purpose),
                    errhint("Do so on the primary: the standby follows.")));
  Opened opened;
  // The table first, as everybody locks them.  It stays locked: who waits for it while he has the index locked, and a
  // snapshot, could be waited for by others who have the table.
  opened.heap = IndexGetRelation(index_oid, true);
  if (OidIsValid(opened.heap)) LockTable(opened.heap, purpose);
  opened.index = OpenIndex(index_oid, RowExclusiveLock, purpose);
  if (!pg_class_ownercheck(index_oid, GetUserId()))
    aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(opened.index));
  if (!opened.index->rd_index->indisvalid)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" is not valid", RelationGetRelationName(opened.index)),
                    errhint("A failed CREATE INDEX CONCURRENTLY left it; drop it or REINDEX it.")));
  return opened;
}

// What omendb_stat_progress (sql/omendb--*.sql) shows.  PostgreSQL has no kind of command for it, so it is told of as
// one of CREATE INDEX's.
enum ProgressCommand : int64 { kOffload = 101, kRecall = 102 };

void BeginProgress(const Opened& opened, ProgressCommand command) {
  pgstat_progress_start_command(PROGRESS_COMMAND_CREATE_INDEX, opened.heap);
  const int param[] = {PROGRESS_CREATEIDX_COMMAND, PROGRESS_CREATEIDX_INDEX_OID, PROGRESS_SCAN_BLOCKS_TOTAL};
  const int64 value[] = {command, RelationGetRelid(opened.index), RelationGetNumberOfBlocks(opened.index)};
  pgstat_progress_update_multi_param(lengthof(param), param, value);
}

void Close(const Opened& opened) {
  pgstat_progress_end_command();
  relation_close(opened.index, RowExclusiveLock);
  UnlockRelationOid(opened.heap, ShareUpdateExclusiveLock);
}

void SetEverything(core::Bound* from, core::Bound* to) {
  from->columns = to->columns = 0;
  from->with_tid = to->with_tid = false;
  from->tail = core::Bound::kBefore;
  to->tail = core::Bound::kAfter;
}

// The condition that the leading column is less than a value given as text.
void SetBefore(const Opened& opened, const Layout& layout, const char* before, Quals* quals) {
  const Attribute& leading = layout.attribute[0];
  const Form_pg_attribute attribute = TupleDescAttr(RelationGetDescr(opened.index), 0);
  const Oid type = IsPolymorphicType(leading.opcintype) ? attribute->atttypid : leading.opcintype;
  const Oid operation =
      get_opfamily_member(leading.opfamily, leading.opcintype, leading.opcintype, BTLessStrategyNumber);
  if (!OidIsValid(operation)) elog(ERROR, "omendb: operator family %u has no operator <", leading.opfamily);
  Oid input, parameter;
  getTypeInputInfo(type, &input, &parameter);
  const Datum value = OidInputFunctionCall(input, const_cast<char*>(before), parameter, -1);
  ScanKeyData key;
  ScanKeyEntryInitialize(&key, 0, 1, BTLessStrategyNumber, InvalidOid, opened.index->rd_indcollation[0],
                         get_opcode(operation), value);
  quals->Set(&key, 1);
}

// Where leaves are looked for that were not changed since the call before; false if there was none.
bool SetUnchanged(const tree::Index& index, tree::Coldness* coldness) {
  if (!RelationNeedsWAL(index.rel))
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot tell which pages of index \"%s\" have changed", RelationGetRelationName(index.rel)),
                    errdetail("It is not WAL-logged."), errhint("Say up to which value of its first column.")));
  coldness->unchanged_since = tree::LastOffload(index);
  tree::SetLastOffload(index, GetXLogInsertRecPtr());
  return !XLogRecPtrIsInvalid(coldness->unchanged_since);
}

}  // namespace

uint64 OffloadIndex(Oid index_oid, const char* before) {
  // Without it nothing can be done.
  tree::ColdLibrary();
  const Opened opened = Open(index_oid, "offload");
  BeginProgress(opened, kOffload);
  Layout layout;
  MakeLayout(opened.index, &layout);
  const tree::Index index{opened.index, layout.shape};
  Quals quals;
  quals.Init(layout, CurrentMemoryContext);
  tree::Coldness coldness;
  coldness.unchanged_since = InvalidXLogRecPtr;
  bool any;
  if (before != nullptr) {
    SetBefore(opened, layout, before, &quals);
    any = quals.First(&coldness.from, &coldness.to);
  } else {
    SetEverything(&coldness.from, &coldness.to);
    any = SetUnchanged(index, &coldness);
  }
  uint64 moved = 0;
  if (any) {
    tree::Offload* const offload = static_cast<tree::Offload*>(palloc(sizeof(tree::Offload)));
    offload->Begin(index, coldness, tree::ColdCompressionOf(opened.index));
    for (bool more = true; more;) {
      more = offload->MoveSome();
      const int param[] = {PROGRESS_SCAN_BLOCKS_DONE, PROGRESS_CREATEIDX_TUPLES_DONE};
      const int64 value[] = {static_cast<int64>(offload->visited()), static_cast<int64>(offload->moved())};
      pgstat_progress_update_multi_param(lengthof(param), param, value);
    }
    moved = offload->moved();
    pfree(offload);
  }
  while (tree::CompactSome(index, tree::ColdCompressionOf(opened.index))) CHECK_FOR_INTERRUPTS();
  quals.Free();
  Close(opened);
  return moved;
}

namespace {

uint64 RecallIndex(Oid index_oid) {
  const Opened opened = Open(index_oid, "recall");
  BeginProgress(opened, kRecall);
  Layout layout;
  MakeLayout(opened.index, &layout);
  const tree::Index index{opened.index, layout.shape};
  core::Bound from, to;
  SetEverything(&from, &to);
  const uint64 recalled = tree::Recall(index, from, to);
  if (tree::MayRecycle(index)) {
    const BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
    IndexBulkDeleteResult stats = {};
    tree::RecyclePages(index, strategy, &stats);
    FreeAccessStrategy(strategy);
  }
  Close(opened);
  return recalled;
}

}  // namespace

}  // namespace omendb::am

Datum omendb_offload(PG_FUNCTION_ARGS) {
  if (PG_ARGISNULL(0)) PG_RETURN_NULL();
  const char* const before = PG_ARGISNULL(1) ? nullptr : text_to_cstring(PG_GETARG_TEXT_PP(1));
  const uint64 moved = omendb::pg::Guarded([&] { return omendb::am::OffloadIndex(PG_GETARG_OID(0), before); });
  PG_RETURN_INT64(static_cast<int64>(moved));
}

Datum omendb_recall(PG_FUNCTION_ARGS) {
  const uint64 recalled = omendb::pg::Guarded([&] { return omendb::am::RecallIndex(PG_GETARG_OID(0)); });
  PG_RETURN_INT64(static_cast<int64>(recalled));
}
