#include <utility>

#include "exec/heap_rows.h"

#include "am/am.h"
#include "exec/index_conditions.h"
#include "exec/paths.h"
#include "exec/scan_node.h"

#include "pg/guard.h"

extern "C" {
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
}

namespace omendb::exec {

namespace {

Plan* PlanScan(PlannerInfo*, RelOptInfo* rel, CustomPath* path, List* tlist, List*, List* plans) {
  Plan* child = IndexScanOf(static_cast<Plan*>(linitial(plans)));
  CustomScan* scan = makeNode(CustomScan);
  scan->scan.scanrelid = rel->relid;
  scan->scan.plan.targetlist = tlist;
  // The index answers the other conditions exactly.
  scan->scan.plan.qual = child->qual;
  child->qual = NIL;
  child->targetlist = NIL;
  // EXPLAIN shows the conditions; nobody evaluates them.
  if (!IsIndexOnly(child)) std::swap(scan->custom_exprs, castNode(IndexScan, child)->indexqualorig);
  if (IsIndexOnly(child)) scan->custom_scan_tlist = castNode(IndexOnlyScan, child)->indextlist;
  scan->custom_plans = list_make1(child);
  scan->flags = path->flags;
  scan->methods = &scan_methods;
  return &scan->scan.plan;
}

extern "C" Plan* omendb_plan_scan(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* tlist, List* clauses,
                                  List* plans) {
  return pg::Guarded([&] { return PlanScan(root, rel, path, tlist, clauses, plans); });
}

const CustomPathMethods path_methods = {"Omendb Scan", omendb_plan_scan, nullptr};

// What an IndexScan costs, less what it costs to come to the table for each row by itself,
// plus the arrays of a batch.  cpu_tuple_cost stands for all that is done for a row between
// the index and the qualifications; measured, a batch saves the better part of it
// (bench/run range_fetch).  So one row is left to the IndexScan, and two are not.
void SetCost(CustomPath* path, const IndexPath& replaced) {
  constexpr double kSavedOfTupleCost = 0.6, kOperatorsABatch = 4;
  const double rows = clamp_row_est(replaced.indexinfo->tuples * replaced.indexselectivity);
  path->path.startup_cost = replaced.path.startup_cost;
  path->path.total_cost =
      Max(replaced.path.startup_cost,
          replaced.path.total_cost + kOperatorsABatch * cpu_operator_cost - kSavedOfTupleCost * cpu_tuple_cost * rows);
}

void AddScanPath(RelOptInfo* rel, IndexPath* replaced) {
  CustomPath* path = makeNode(CustomPath);
  path->path.pathtype = T_CustomScan;
  path->path.parent = rel;
  path->path.pathtarget = replaced->path.pathtarget;
  path->path.param_info = replaced->path.param_info;
  path->path.parallel_aware = false;
  path->path.parallel_safe = replaced->path.parallel_safe;
  path->path.parallel_workers = 0;
  path->path.rows = replaced->path.rows;
  path->path.pathkeys = replaced->path.pathkeys;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = list_make1(replaced);
  path->methods = &path_methods;
  SetCost(path, *replaced);
  add_path(rel, &path->path);
}

}  // namespace

void RegisterScan() { RegisterCustomScanMethods(&scan_methods); }

void AddScanPaths(PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* rte) {
  if (rel->indexlist == NIL || rte->rtekind != RTE_RELATION || rte->tablesample != nullptr) return;
  // Whoever locks rows may come back to them (EvalPlanQual), one by one.
  if (root->rowMarks != NIL || (root->parse->commandType != CMD_SELECT && root->parse->commandType != CMD_INSERT))
    return;
  // add_path may free what it removes from the list, but no IndexPath.
  List* replaced = NIL;
  ListCell* cell;
  foreach (cell, rel->pathlist) {
    IndexPath* path = static_cast<IndexPath*>(lfirst(cell));
    if (IsA(path, IndexPath) && am::IsOurs(*path->indexinfo)) replaced = lappend(replaced, path);
  }
  if (replaced == NIL || !HeapRows::CanRead(rte->relid)) return;
  foreach (cell, replaced) AddScanPath(rel, static_cast<IndexPath*>(lfirst(cell)));
}

}  // namespace omendb::exec
