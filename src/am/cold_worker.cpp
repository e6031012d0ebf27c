#include "am/cold_worker.h"

#include "pg/guard.h"

extern "C" {
#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type_d.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

PGDLLEXPORT void omendb_cold_launcher(Datum);
PGDLLEXPORT void omendb_cold_worker(Datum database);
}

namespace omendb::am {

namespace {

int cold_naptime;  // seconds

// What is to be offloaded of a database: indexes, and up to when.
struct Task {
  Oid index;
  char* name;
  char* before;  // null: its leading column is no time
};

// The indexes whose option says so.
constexpr const char* kTasks =
    "SELECT c.oid, c.oid::regclass::text, CASE WHEN a.atttypid IN (1082, 1114, 1184) THEN (now() - "
    "o.option_value::interval)::text END "
    "FROM pg_class c JOIN pg_am m ON m.oid = c.relam AND m.amname = 'omendb' "
    "JOIN pg_index i ON i.indexrelid = c.oid AND i.indisvalid "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = 1 "
    "CROSS JOIN LATERAL pg_options_to_table(c.reloptions) o "
    "WHERE c.relkind = 'i' AND c.relpersistence <> 't' AND o.option_name = 'cold_after' ORDER BY c.oid";
static_assert(DATEOID == 1082 && TIMESTAMPOID == 1114 && TIMESTAMPTZOID == 1184);

void BeginTransaction(const char* activity) {
  SetCurrentStatementStartTimestamp();
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
  pgstat_report_activity(STATE_RUNNING, activity);
}

void EndTransaction() {
  PopActiveSnapshot();
  CommitTransactionCommand();
  pgstat_report_stat(true);
  pgstat_report_activity(STATE_IDLE, nullptr);
}

// In `context`.
List* FindTasks(MemoryContext context) {
  List* tasks = NIL;
  BeginTransaction("looking for omendb indexes with cold_after");
  SPI_connect();
  if (SPI_execute(kTasks, true, 0) != SPI_OK_SELECT) elog(ERROR, "omendb: could not list indexes");
  const MemoryContext old_context = MemoryContextSwitchTo(context);
  for (uint64 i = 0; i < SPI_processed; i++) {
    Task* const task = static_cast<Task*>(palloc(sizeof(Task)));
    bool isnull;
    task->index = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));
    task->name = pstrdup(SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 2));
    const char* const before = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 3);
    task->before = before == nullptr ? nullptr : pstrdup(before);
    tasks = lappend(tasks, task);
  }
  MemoryContextSwitchTo(old_context);
  SPI_finish();
  EndTransaction();
  return tasks;
}

// One that fails does not keep the others from their turn.
void Perform(const Task& task, MemoryContext context) {
  PG_TRY();
  {
    BeginTransaction("offloading an omendb index");
    const uint64 moved = task.before == nullptr ? 0 : OffloadIndex(task.index, task.before);
    if (task.before == nullptr)
      ereport(WARNING, (errmsg("cannot offload index \"%s\" by age", task.name),
                        errdetail("Its first column is no date or timestamp."),
                        errhint("Reset its option cold_after, and call omendb_offload.")));
    if (moved > 0)
      ereport(LOG, (errmsg("offloaded %llu leaves of index \"%s\" before %s", static_cast<unsigned long long>(moved),
                           task.name, task.before)));
    EndTransaction();
  }
  PG_CATCH();
  {
    MemoryContextSwitchTo(context);
    HOLD_INTERRUPTS();
    EmitErrorReport();
    AbortCurrentTransaction();
    FlushErrorState();
    RESUME_INTERRUPTS();
  }
  PG_END_TRY();
}

void Register(BackgroundWorker* worker, const char* function, const char* name) {
  memset(worker, 0, sizeof *worker);
  worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
  strlcpy(worker->bgw_library_name, "omendb", BGW_MAXLEN);
  strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
  strlcpy(worker->bgw_name, name, BGW_MAXLEN);
  strlcpy(worker->bgw_type, name, BGW_MAXLEN);
}

void BeginWorker() {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
}

// The databases that one can connect to, in `context`.
List* Databases(MemoryContext context) {
  List* databases = NIL;
  StartTransactionCommand();
  GetTransactionSnapshot();
  const Relation rel = table_open(DatabaseRelationId, AccessShareLock);
  const TableScanDesc scan = table_beginscan_catalog(rel, 0, nullptr);
  while (HeapTuple tuple = heap_getnext(scan, ForwardScanDirection)) {
    const Form_pg_database database = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    if (!database->datallowconn || database->datistemplate) continue;
    const MemoryContext old_context = MemoryContextSwitchTo(context);
    databases = lappend_oid(databases, database->oid);
    MemoryContextSwitchTo(old_context);
  }
  table_endscan(scan);
  table_close(rel, AccessShareLock);
  CommitTransactionCommand();
  return databases;
}

void Launch(Oid database) {
  BackgroundWorker worker;
  Register(&worker, "omendb_cold_worker", "omendb cold worker");
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  worker.bgw_notify_pid = MyProcPid;
  BackgroundWorkerHandle* handle;
  // (Next time, if there is no slot for it.)
  if (!RegisterDynamicBackgroundWorker(&worker, &handle)) return;
  WaitForBackgroundWorkerShutdown(handle);
  pfree(handle);
}

void LauncherMain() {
  BeginWorker();
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  const MemoryContext context = AllocSetContextCreate(TopMemoryContext, "omendb cold launcher", ALLOCSET_DEFAULT_SIZES);
  for (;;) {
    MemoryContextSwitchTo(context);
    ListCell* cell;
    foreach (cell, Databases(context)) Launch(lfirst_oid(cell));
    MemoryContextReset(context);
    WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 1000L * cold_naptime, PG_WAIT_EXTENSION);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
  }
}

void WorkerMain(Oid database) {
  BeginWorker();
  BackgroundWorkerInitializeConnectionByOid(database, InvalidOid, 0);
  const MemoryContext context = AllocSetContextCreate(TopMemoryContext, "omendb cold worker", ALLOCSET_DEFAULT_SIZES);
  BeginTransaction("looking for omendb");
  const bool is_there = OidIsValid(get_extension_oid("omendb", true));
  EndTransaction();
  if (!is_there) return;
  ListCell* cell;
  foreach (cell, FindTasks(context)) Perform(*static_cast<Task*>(lfirst(cell)), context);
}

}  // namespace

void InitColdWorker() {
  const bool preloading = process_shared_preload_libraries_in_progress;
  DefineCustomIntVariable(
      "omendb.cold_naptime", "Sets the time between offloads of indexes with the option cold_after.",
      "0 turns them off; they need omendb in shared_preload_libraries.", &cold_naptime, 0, 0, INT_MAX / 1000,
      preloading ? PGC_POSTMASTER : PGC_SIGHUP, GUC_UNIT_S, nullptr, nullptr, nullptr);
  if (!preloading || cold_naptime == 0) return;
  BackgroundWorker worker;
  Register(&worker, "omendb_cold_launcher", "omendb cold launcher");
  worker.bgw_restart_time = 60;
  RegisterBackgroundWorker(&worker);
}

}  // namespace omendb::am

extern "C" {

void omendb_cold_launcher(Datum) {
  omendb::pg::Guarded([] { omendb::am::LauncherMain(); });
}

void omendb_cold_worker(Datum database) {
  omendb::pg::Guarded([&] { omendb::am::WorkerMain(DatumGetObjectId(database)); });
}

}  // extern "C"
