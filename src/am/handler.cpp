// The access method as PostgreSQL calls it: each callback is one guarded line.
#include <cmath>

#include "am/insert_buffer.h"
#include "am/layout.h"
#include "am/row_condition.h"
#include "tree/log.h"

#include "am/am.h"

#include "pg/guard.h"

extern "C" {
#include "access/xlog.h"
#include "catalog/pg_am_d.h"
#include "commands/vacuum.h"
#include "fmgr.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/index_selfuncs.h"
#include "utils/lsyscache.h"

PG_FUNCTION_INFO_V1(omendb_handler);
}

namespace omendb::am {

namespace {

using pg::Guarded;

extern "C" {

IndexBuildResult* omendb_build(Relation heap, Relation index, IndexInfo* info) {
  return Guarded([&] { return Build(heap, index, info); });
}

void omendb_buildempty(Relation index) {
  Guarded([&] { BuildEmpty(index); });
}

bool omendb_insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation heap, IndexUniqueCheck check,
                   bool unchanged, IndexInfo* info) {
  return Guarded([&] { return Insert(index, values, isnull, tid, heap, check, unchanged, info); });
}

IndexBulkDeleteResult* omendb_bulkdelete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats,
                                         IndexBulkDeleteCallback callback, void* state) {
  return Guarded([&] { return BulkDelete(info, stats, callback, state); });
}

IndexBulkDeleteResult* omendb_vacuumcleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  return Guarded([&] { return VacuumCleanup(info, stats); });
}

// All columns, but not on a standby: an index-only scan there trusts the
// visibility map while replay removes entries without waiting for its pin, which
// generic WAL cannot be told to do (nbtree's records can).
bool omendb_canreturn(Relation, int) { return !RecoveryInProgress(); }

// The conditions that bound a scan are a B-tree's, so its estimate holds: fewer
// pages, the same entries.  The tree height, which only btree fills in, is -1:
// descending costs comparisons, but no page-by-page surcharge.
void omendb_costestimate(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                         Selectivity* selectivity, double* correlation, double* pages) {
  const QualCost filter = Guarded([&] { return WeakenRowConditions(root, *path); });
  btcostestimate(root, path, loop_count, startup, total, selectivity, correlation, pages);
  *startup += filter.startup;
  *total += filter.startup + filter.per_tuple * clamp_row_est(*selectivity * path->indexinfo->tuples);
  // These are what a parallel scan's number of workers goes by, in terms of B-tree pages
  // (min_parallel_index_scan_size).  The work is in the entries, however few pages they take.
  constexpr double kBtreeEntriesPerPage = 365;  // of 8-byte keys, 90 percent full
  *pages = Max(*pages, ceil(*selectivity * path->indexinfo->tuples / kBtreeEntriesPerPage));
  if (path_listener != nullptr) Guarded([&] { path_listener(root, path); });
}

bytea* omendb_options(Datum reloptions, bool validate) {
  return Guarded([&] { return ParseOptions(reloptions, validate); });
}

char* omendb_buildphasename(int64 phase) {
  return Guarded([&] { return BuildPhaseName(phase); });
}

bool omendb_validate(Oid opclass) {
  return Guarded([&] { return Validate(opclass); });
}

IndexScanDesc omendb_beginscan(Relation index, int keys, int orderbys) {
  return Guarded([&] { return BeginScan(index, keys, orderbys); });
}

void omendb_rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys) {
  Guarded([&] { Rescan(scan, keys, nkeys, orderbys, norderbys); });
}

bool omendb_gettuple(IndexScanDesc scan, ScanDirection direction) {
  return Guarded([&] { return GetTuple(scan, direction); });
}

int64 omendb_getbitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
  return Guarded([&] { return GetBitmap(scan, bitmap); });
}

void omendb_markpos(IndexScanDesc scan) {
  Guarded([&] { MarkPosition(scan); });
}

void omendb_restrpos(IndexScanDesc scan) {
  Guarded([&] { RestorePosition(scan); });
}

void omendb_endscan(IndexScanDesc scan) {
  Guarded([&] { EndScan(scan); });
}

Size omendb_estimateparallelscan(void) {
  return Guarded([] { return EstimateParallelScan(); });
}

void omendb_initparallelscan(void* target) {
  Guarded([&] { InitParallelScan(target); });
}

void omendb_parallelrescan(IndexScanDesc scan) {
  Guarded([&] { RestartParallelScan(scan); });
}

}  // extern "C"

}  // namespace

void (*path_listener)(PlannerInfo* root, IndexPath* path);

bool IsOurs(const IndexOptInfo& index) {
  return index.amcostestimate == reinterpret_cast<void (*)()>(omendb_costestimate);
}

bool HasBytesColumns(const IndexOptInfo& index) {
  ByteType type;
  for (int c = 0; c < index.nkeycolumns; c++)
    if (ByteTypeOfKey(index.opcintype[c], &type)) return true;
  ListCell* cell;
  foreach (cell, index.indextlist) {
    const TargetEntry* entry = lfirst_node(TargetEntry, cell);
    if (entry->resno <= index.nkeycolumns) continue;
    int16 length;
    bool by_value;
    get_typlenbyval(exprType(reinterpret_cast<Node*>(entry->expr)), &length, &by_value);
    if (!by_value && (length < 0 || length > static_cast<int16>(sizeof(ReferenceRoom)))) return true;
  }
  return false;
}

bool IsOurs(const IndexAmRoutine& routines) { return routines.aminsert == omendb_insert; }

bool IsOurs(Oid access_method) {
  // What most indexes are needs no look.
  if (access_method == BTREE_AM_OID) return false;
  IndexAmRoutine* routines = GetIndexAmRoutineByAmId(access_method, true);
  const bool ours = routines != nullptr && IsOurs(*routines);
  if (routines != nullptr) pfree(routines);
  return ours;
}

}  // namespace omendb::am

extern "C" {

Datum omendb_handler(PG_FUNCTION_ARGS) {
  using namespace omendb::am;
  (void)fcinfo;
  IndexAmRoutine* am = makeNode(IndexAmRoutine);
  am->amstrategies = 5;  // those of btree: <, <=, =, >=, >
  am->amsupport = 2;     // comparison, sort support
  am->amoptsprocnum = 0;
  am->amcanorder = true;
  am->amcanorderbyop = false;
  am->amcanbackward = true;
  am->amcanunique = true;
  am->amcanmulticol = true;
  am->amoptionalkey = true;
  am->amsearcharray = true;
  am->amsearchnulls = true;
  am->amstorage = false;
  am->amclusterable = true;
  am->ampredlocks = true;
  am->amcanparallel = true;
  am->amcaninclude = true;
  am->amusemaintenanceworkmem = false;
  am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL | VACUUM_OPTION_PARALLEL_COND_CLEANUP;
  am->amkeytype = InvalidOid;

  am->ambuild = omendb_build;
  am->ambuildempty = omendb_buildempty;
  am->aminsert = omendb_insert;
  am->ambulkdelete = omendb_bulkdelete;
  am->amvacuumcleanup = omendb_vacuumcleanup;
  am->amcanreturn = omendb_canreturn;
  am->amcostestimate = omendb_costestimate;
  am->amoptions = omendb_options;
  am->amproperty = nullptr;
  am->ambuildphasename = omendb_buildphasename;
  am->amvalidate = omendb_validate;
  am->amadjustmembers = nullptr;
  am->ambeginscan = omendb_beginscan;
  am->amrescan = omendb_rescan;
  am->amgettuple = omendb_gettuple;
  am->amgetbitmap = omendb_getbitmap;
  am->amendscan = omendb_endscan;
  am->ammarkpos = omendb_markpos;
  am->amrestrpos = omendb_restrpos;
  am->amestimateparallelscan = omendb_estimateparallelscan;
  am->aminitparallelscan = omendb_initparallelscan;
  am->amparallelrescan = omendb_parallelrescan;
  PG_RETURN_POINTER(am);
}

}  // extern "C"
