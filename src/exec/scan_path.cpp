#include "exec/heap_rows.h"

#include "am/am.h"
#include "exec/index_conditions.h"
#include "exec/paths.h"
#include "exec/row_comparisons.h"
#include "exec/scan_node.h"

#include "pg/guard.h"

extern "C" {
#include "nodes/makefuncs.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
}

namespace omendb::exec {

namespace {

bool HasColumn(const List* columns, AttrNumber attribute) {
  ListCell* cell;
  foreach (cell, columns)
    if (castNode(Var, lfirst_node(TargetEntry, cell)->expr)->varattno == attribute) return true;
  return false;
}

// Adds to the columns those of the table that the expressions use and that are not there yet;
// false if they use the row as a whole, or what is not stored as a column.  (What a lateral
// reference is to will be a parameter.)
bool AddColumns(const List* exprs, Index table, List** columns) {
  constexpr int kAll = PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS;
  ListCell* cell;
  foreach (cell, pull_var_clause(reinterpret_cast<Node*>(const_cast<List*>(exprs)), kAll)) {
    Var* var = lfirst_node(Var, cell);
    if (static_cast<Index>(var->varno) != table) continue;
    if (var->varattno <= 0) return false;
    if (!HasColumn(*columns, var->varattno))
      *columns = lappend(*columns, makeTargetEntry(reinterpret_cast<Expr*>(copyObjectImpl(var)),
                                                   static_cast<AttrNumber>(list_length(*columns) + 1), nullptr, false));
  }
  return true;
}

// The columns that the node reads, in the order of the target list if that can be, so that
// there is nothing to project; NIL if it is better to return rows as they are stored.
List* ColumnsOf(const RelOptInfo& rel, const List* tlist, const List* qual, const List* comparisons) {
  List* columns = NIL;
  // A projection above may still give the plan another target list, of what the table is
  // wanted for.
  if (!AddColumns(tlist, rel.relid, &columns) || !AddColumns(rel.reltarget->exprs, rel.relid, &columns) ||
      !AddColumns(qual, rel.relid, &columns) || !AddColumns(comparisons, rel.relid, &columns))
    return NIL;
  return list_length(columns) < rel.max_attr ? columns : NIL;
}

Plan* PlanScan(PlannerInfo*, RelOptInfo* rel, CustomPath* path, List* tlist, List*, List* plans) {
  Plan* child = IndexScanOf(static_cast<Plan*>(linitial(plans)));
  CustomScan* scan = makeNode(CustomScan);
  scan->scan.scanrelid = rel->relid;
  scan->scan.plan.targetlist = tlist;
  // What the index does not answer exactly.
  scan->scan.plan.qual = child->qual;
  child->qual = NIL;
  child->targetlist = NIL;
  scan->custom_plans = list_make1(child);
  RowComparisons::Plan(*linitial_node(IndexPath, path->custom_paths), &scan->custom_exprs, &scan->custom_private);
  // (Comparisons are shown by their columns, also where the qualification is implied by others.)
  scan->custom_scan_tlist = IsIndexOnly(child) ? castNode(IndexOnlyScan, child)->indextlist
                                               : ColumnsOf(*rel, tlist, scan->scan.plan.qual, scan->custom_exprs);
  scan->flags = path->flags;
  scan->methods = &scan_methods;
  return &scan->scan.plan;
}

extern "C" Plan* omendb_plan_scan(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* tlist, List* clauses,
                                  List* plans) {
  return pg::Guarded([&] { return PlanScan(root, rel, path, tlist, clauses, plans); });
}

const CustomPathMethods path_methods = {"Omendb Scan", omendb_plan_scan, nullptr};

void SetCost(CustomPath* path, const IndexPath& replaced) {
  const double rows = clamp_row_est(replaced.indexinfo->tuples * replaced.indexselectivity);
  path->path.startup_cost = replaced.path.startup_cost;
  path->path.total_cost = Max(replaced.path.startup_cost, replaced.path.total_cost - SavedByScan(rows));
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

// What it costs to come to the table for each row by itself, less the arrays of a batch.
// cpu_tuple_cost stands for all that is done for a row between the index and the
// qualifications; measured, a batch saves the better part of it (bench/run range_fetch).  So
// one row is left to the IndexScan, and two are not.
Cost SavedByScan(double rows) {
  constexpr double kSavedOfTupleCost = 0.6, kOperatorsABatch = 4;
  return kSavedOfTupleCost * cpu_tuple_cost * rows - kOperatorsABatch * cpu_operator_cost;
}

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
