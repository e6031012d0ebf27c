// INSERT ... ON CONFLICT into tables that have unique indexes of ours.
//
// The executor inserts such rows speculatively, and for each unique index of the table asks
// BuildSpeculativeIndexInfo for the operators by which a key is looked up.  PostgreSQL 15 has
// that for a btree only, and raises an internal error for an index of ours, whatever the
// arbiter.  It asks when it opens the indexes, which it does only if nobody has done so.  So
// they are opened here, before the first row: without speculation, which adds nothing but
// those operators, and then with them.
//
// Of a partitioned table the executor opens a partition's indexes when the first row is routed
// there, in the function that makes all that it knows of the partition.  It skips that where
// the partition has no indexes: so partitions with unique indexes of ours look as if they had
// none for as long as a row is routed, which is done here before the executor does it, and then
// their indexes are opened.
#include "exec/on_conflict.h"

#include "am/am.h"
#include "pg/guard.h"

extern "C" {
#include "access/genam.h"
#include "access/htup_details.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "executor/execPartition.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/syscache.h"
}

namespace omendb::exec {

namespace {

ExecutorStart_hook_type next_executor_start;
ExecutorRun_hook_type next_executor_run;

// ---- Indexes of a table ----

// What BuildSpeculativeIndexInfo does for a btree.
void DescribeKey(Relation index, IndexInfo* info) {
  const int columns = IndexRelationGetNumberOfKeyAttributes(index);
  info->ii_UniqueOps = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(columns)));
  info->ii_UniqueProcs = static_cast<Oid*>(palloc(sizeof(Oid) * static_cast<Size>(columns)));
  info->ii_UniqueStrats = static_cast<uint16*>(palloc(sizeof(uint16) * static_cast<Size>(columns)));
  for (int c = 0; c < columns; c++) {
    const Oid type = index->rd_opcintype[c];
    info->ii_UniqueStrats[c] = BTEqualStrategyNumber;
    info->ii_UniqueOps[c] = get_opfamily_member(index->rd_opfamily[c], type, type, BTEqualStrategyNumber);
    if (!OidIsValid(info->ii_UniqueOps[c]))
      elog(ERROR, "missing operator %d(%u,%u) in opfamily %u", BTEqualStrategyNumber, type, type,
           index->rd_opfamily[c]);
    info->ii_UniqueProcs[c] = get_opcode(info->ii_UniqueOps[c]);
  }
}

bool HasUniqueOfOurs(Relation table) {
  if (!table->rd_rel->relhasindex) return false;
  List* const indexes = RelationGetIndexList(table);
  bool found = false;
  ListCell* cell;
  foreach (cell, indexes) {
    // The lock with which the executor opens it.
    const Relation index = index_open(lfirst_oid(cell), RowExclusiveLock);
    found = found || (index->rd_index->indisunique && am::IsOurs(*index->rd_indam));
    index_close(index, NoLock);
  }
  list_free(indexes);
  return found;
}

void OpenIndexes(EState* estate, ResultRelInfo* target) {
  const MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);
  ExecOpenIndices(target, false);
  for (int i = 0; i < target->ri_NumIndices; i++) {
    IndexInfo* info = target->ri_IndexRelationInfo[i];
    const Relation index = target->ri_IndexRelationDescs[i];
    if (!info->ii_Unique) continue;
    if (am::IsOurs(*index->rd_indam))
      DescribeKey(index, info);
    else
      BuildSpeculativeIndexInfo(index, info);
  }
  MemoryContextSwitchTo(old_context);
}

// ---- Partitions with unique indexes of ours ----

// By the oid of a partitioned table, until anything is said to have changed.
struct KnownPartitions {
  KnownPartitions* next;
  Oid root;
  List* leaves;
};
KnownPartitions* known_partitions;
MemoryContext known_context;
bool known_are_stale;

extern "C" void omendb_forget_partitions(Datum, Oid) { known_are_stale = true; }

// The same question without opening the table, or locking it.
bool SeemsToHaveUniqueOfOurs(Relation catalog, Oid table) {
  ScanKeyData key;
  ScanKeyInit(&key, Anum_pg_index_indrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
  const SysScanDesc scan = systable_beginscan(catalog, IndexIndrelidIndexId, true, nullptr, 1, &key);
  bool found = false;
  while (!found) {
    const HeapTuple tuple = systable_getnext(scan);
    if (!HeapTupleIsValid(tuple)) break;
    const auto* index = reinterpret_cast<Form_pg_index>(GETSTRUCT(tuple));
    if (!index->indisunique) continue;
    const HeapTuple class_tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(index->indexrelid));
    if (!HeapTupleIsValid(class_tuple)) continue;
    found = am::IsOurs(reinterpret_cast<Form_pg_class>(GETSTRUCT(class_tuple))->relam);
    ReleaseSysCache(class_tuple);
  }
  systable_endscan(scan);
  return found;
}

const List* LeavesWithUniqueOfOurs(Oid root) {
  if (known_are_stale) {
    if (known_context != nullptr) MemoryContextReset(known_context);
    known_partitions = nullptr;
    known_are_stale = false;
  }
  for (const KnownPartitions* known = known_partitions; known != nullptr; known = known->next)
    if (known->root == root) return known->leaves;

  List* leaves = NIL;
  List* const descendants = find_all_inheritors(root, NoLock, nullptr);
  const Relation catalog = table_open(IndexRelationId, AccessShareLock);
  ListCell* cell;
  foreach (cell, descendants)
    if (get_rel_relkind(lfirst_oid(cell)) == RELKIND_RELATION && SeemsToHaveUniqueOfOurs(catalog, lfirst_oid(cell)))
      leaves = lappend_oid(leaves, lfirst_oid(cell));
  table_close(catalog, AccessShareLock);
  list_free(descendants);

  if (known_context == nullptr)
    known_context = AllocSetContextCreate(CacheMemoryContext, "omendb partitions", ALLOCSET_SMALL_SIZES);
  const MemoryContext old_context = MemoryContextSwitchTo(known_context);
  KnownPartitions* known = static_cast<KnownPartitions*>(palloc(sizeof(KnownPartitions)));
  *known = {known_partitions, root, list_copy(leaves)};
  MemoryContextSwitchTo(old_context);
  list_free(leaves);
  known_partitions = known;
  return known->leaves;
}

// ---- Rows that are routed ----

// Looks at the rows of a ModifyTable before it does.  It lives in the query's memory.
struct Router {
  Router* next;
  ModifyTableState* modify;
  PlanState* source;            // of the rows
  ExecProcNodeMtd source_next;  // its own function
  List* opened;                 // leaves, locked as the executor locks them
  List* pending;                // those whose indexes are to be opened
  ResultRelInfo* target;        // where the last row goes
};
Router* routers;

void ShowIndexes(const Router& router, bool shown) {
  ListCell* cell;
  foreach (cell, router.pending) static_cast<Relation>(lfirst(cell))->rd_rel->relhasindex = shown;
}

pg_noinline void FindTarget(Router* router, TupleTableSlot* row) {
  ModifyTableState* const modify = router->modify;
  ShowIndexes(*router, false);
  PG_TRY();
  {
    router->target =
        ExecFindPartition(modify, modify->rootResultRelInfo, modify->mt_partition_tuple_routing, row, modify->ps.state);
  }
  PG_CATCH();
  {
    ShowIndexes(*router, true);
    PG_RE_THROW();
  }
  PG_END_TRY();
  ShowIndexes(*router, true);
}

void Route(Router* router, TupleTableSlot* row) {
  FindTarget(router, row);
  ListCell* cell;
  foreach (cell, router->pending) {
    if (RelationGetRelid(static_cast<Relation>(lfirst(cell))) != RelationGetRelid(router->target->ri_RelationDesc))
      continue;
    router->pending = foreach_delete_current(router->pending, cell);
    if (router->target->ri_IndexRelationDescs == nullptr) OpenIndexes(router->modify->ps.state, router->target);
  }
}

extern "C" {

TupleTableSlot* omendb_next_row_to_route(PlanState* source) {
  Router* router = routers;
  while (router->source != source) router = router->next;
  TupleTableSlot* row = router->source_next(source);
  if (TupIsNull(row)) return row;
  pg::Guarded([&] {
    Route(router, row);
    if (router->pending == NIL) ExecSetExecProcNode(source, router->source_next);
  });
  return row;
}

void omendb_forget_router(void* arg) {
  Router** link = &routers;
  while (*link != arg) link = &(*link)->next;
  *link = (*link)->next;
}

void omendb_close_leaves(Datum arg) {
  ListCell* cell;
  foreach (cell, reinterpret_cast<Router*>(DatumGetPointer(arg))->opened)
    table_close(static_cast<Relation>(lfirst(cell)), NoLock);
}

}  // extern "C"

void RouteBefore(ModifyTableState* modify) {
  EState* const estate = modify->ps.state;
  const List* leaves = LeavesWithUniqueOfOurs(RelationGetRelid(modify->rootResultRelInfo->ri_RelationDesc));
  if (leaves == NIL) return;
  const MemoryContext old_context = MemoryContextSwitchTo(estate->es_query_cxt);
  Router* router = static_cast<Router*>(palloc0(sizeof(Router)));
  leaves = list_copy(leaves);
  ListCell* cell;
  foreach (cell, leaves) {
    const Relation table = try_table_open(lfirst_oid(cell), RowExclusiveLock);
    if (table != nullptr) router->opened = lappend(router->opened, table);
  }
  // Their locks are taken, so they stay what they are now.
  foreach (cell, router->opened)
    if (HasUniqueOfOurs(static_cast<Relation>(lfirst(cell)))) router->pending = lappend(router->pending, lfirst(cell));
  RegisterExprContextCallback(CreateExprContext(estate), omendb_close_leaves, PointerGetDatum(router));
  if (router->pending != NIL) {
    router->modify = modify;
    router->source = outerPlanState(modify);
    router->source_next = router->source->ExecProcNodeReal;
    router->next = routers;
    routers = router;
    MemoryContextCallback* callback = static_cast<MemoryContextCallback*>(palloc0(sizeof(MemoryContextCallback)));
    callback->func = omendb_forget_router;
    callback->arg = router;
    MemoryContextRegisterResetCallback(estate->es_query_cxt, callback);
    ExecSetExecProcNode(router->source, omendb_next_row_to_route);
  }
  MemoryContextSwitchTo(old_context);
}

// ---- Statements ----

bool HasOnConflict(const PlanState* state) {
  return state != nullptr && IsA(state, ModifyTableState) &&
         castNode(ModifyTable, state->plan)->onConflictAction != ONCONFLICT_NONE;
}

// Calls `prepare` for each INSERT ... ON CONFLICT of the statement; returns whether there is one.
template <typename Prepare>
bool ForEachOnConflict(const QueryDesc& query, Prepare prepare) {
  bool any = false;
  const auto visit = [&](PlanState* state) {
    if (!HasOnConflict(state)) return;
    any = true;
    prepare(castNode(ModifyTableState, state));
  };
  visit(query.planstate);
  ListCell* cell;
  foreach (cell, query.estate->es_auxmodifytables) {
    PlanState* const state = static_cast<PlanState*>(lfirst(cell));
    if (state != query.planstate) visit(state);
  }
  return any;
}

void Prepare(ModifyTableState* modify) {
  ResultRelInfo* const target = modify->resultRelInfo;
  const char kind = target->ri_RelationDesc->rd_rel->relkind;
  if (kind == RELKIND_PARTITIONED_TABLE) {
    RouteBefore(modify);
  } else if (kind == RELKIND_RELATION && target->ri_IndexRelationDescs == nullptr &&
             HasUniqueOfOurs(target->ri_RelationDesc)) {
    OpenIndexes(modify->ps.state, target);
  }
}

// ---- Where all that came too late ----

// Says what PostgreSQL's internal error means.
void ExplainError() {
  if (geterrcode() != ERRCODE_INTERNAL_ERROR) return;
  const MemoryContext old_context = MemoryContextSwitchTo(TopMemoryContext);
  ErrorData* error = CopyErrorData();
  MemoryContextSwitchTo(old_context);
  const bool is_ours = error->funcname != nullptr && strcmp(error->funcname, "BuildSpeculativeIndexInfo") == 0;
  FreeErrorData(error);
  if (!is_ours) return;
  errcode(ERRCODE_FEATURE_NOT_SUPPORTED);
  errmsg("omendb came too late to prepare a table with a unique omendb index for ON CONFLICT");
  errdetail("The library was loaded, or the index created, after the statement had begun.");
  errhint(
      "Run the statement again. To have the library from the beginning, add omendb to session_preload_libraries or "
      "shared_preload_libraries.");
}

extern "C" {

void omendb_explain_error(void*) { ExplainError(); }

void omendb_prepare_on_conflict(QueryDesc* query, int flags) {
  if (next_executor_start != nullptr)
    next_executor_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
  if ((flags & EXEC_FLAG_EXPLAIN_ONLY) == 0) pg::Guarded([&] { ForEachOnConflict(*query, Prepare); });
}

void omendb_run_on_conflict(QueryDesc* query, ScanDirection direction, uint64 count, bool once) {
  const bool on_conflict = ForEachOnConflict(*query, [](ModifyTableState*) {});
  ErrorContextCallback callback;
  if (on_conflict) {
    callback.previous = error_context_stack;
    callback.callback = omendb_explain_error;
    callback.arg = nullptr;
    error_context_stack = &callback;
  }
  if (next_executor_run != nullptr)
    next_executor_run(query, direction, count, once);
  else
    standard_ExecutorRun(query, direction, count, once);
  if (on_conflict) error_context_stack = callback.previous;
}

}  // extern "C"

}  // namespace

void InitOnConflict() {
  next_executor_start = ExecutorStart_hook;
  ExecutorStart_hook = omendb_prepare_on_conflict;
  next_executor_run = ExecutorRun_hook;
  ExecutorRun_hook = omendb_run_on_conflict;
  CacheRegisterRelcacheCallback(omendb_forget_partitions, static_cast<Datum>(0));
  // If a statement is running that opened an index, and that is why the library is loaded.  Below
  // all that is on the stack: who put something there takes off whatever is above it, and would
  // leave his own frame's (exec_execute_message).
  if (!process_shared_preload_libraries_in_progress) {
    static ErrorContextCallback callback;
    callback.callback = omendb_explain_error;
    ErrorContextCallback** bottom = &error_context_stack;
    while (*bottom != nullptr) bottom = &(*bottom)->previous;
    *bottom = &callback;
  }
}

}  // namespace omendb::exec
