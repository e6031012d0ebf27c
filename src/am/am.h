// The access method's callbacks, grouped by file.  Each is called from one line
// of handler.cpp, through pg::Guarded.
#ifndef OMENDB_AM_AM_H
#define OMENDB_AM_AM_H

#include "pg/postgres.h"

extern "C" {
#include "access/amapi.h"
#include "access/genam.h"
#include "nodes/execnodes.h"
#include "nodes/tidbitmap.h"
}

struct IndexOptInfo;
struct IndexPath;
struct PlannerInfo;

namespace omendb::am {

// handler.cpp: whether an index that the planner knows, an access method's routines, or an
// access method, by its oid, are ours.
bool IsOurs(const IndexOptInfo& index);
// Whether an attribute of an index of ours is a bytes column.
bool HasBytesColumns(const IndexOptInfo& index);
bool IsOurs(const IndexAmRoutine& routines);
bool IsOurs(Oid access_method);
// Is told of each path over such an index, when PostgreSQL asks what it costs; may be null.
extern void (*path_listener)(PlannerInfo* root, IndexPath* path);

// build_index.cpp
IndexBuildResult* Build(Relation heap, Relation index, IndexInfo* index_info);
void BuildEmpty(Relation index);
char* BuildPhaseName(int64 phase);

// write.cpp
bool Insert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation heap, IndexUniqueCheck unique_check,
            bool unchanged, IndexInfo* index_info);
IndexBulkDeleteResult* BulkDelete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback callback,
                                  void* callback_state);
IndexBulkDeleteResult* VacuumCleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats);

// scan.cpp
IndexScanDesc BeginScan(Relation index, int keys, int orderbys);
void Rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys);
bool GetTuple(IndexScanDesc scan, ScanDirection direction);
int64 GetBitmap(IndexScanDesc scan, TIDBitmap* bitmap);
void MarkPosition(IndexScanDesc scan);
void RestorePosition(IndexScanDesc scan);
void EndScan(IndexScanDesc scan);
Size EstimateParallelScan();
void InitParallelScan(void* target);
void RestartParallelScan(IndexScanDesc scan);

// reloptions.cpp
void RegisterOptions();
bytea* ParseOptions(Datum reloptions, bool validate);

// validate.cpp
bool Validate(Oid opclass_oid);
bool IsKnownOrder(Oid left_type, Oid right_type, Oid compare);

}  // namespace omendb::am

#endif  // OMENDB_AM_AM_H
