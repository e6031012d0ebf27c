#include <cmath>

#include "am/quals.h"

#include "exec/heap_rows.h"
#include "exec/index_paths.h"
#include "exec/lookup_join.h"
#include "exec/paths.h"

#include "am/am.h"
#include "pg/guard.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_class_d.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/selfuncs.h"
#include "utils/spccache.h"
}

namespace omendb::exec {

namespace {

// --- Which joins. ---

// The type of the value that an index clause compares key column `column` with, if it is
// an equality that a lookup can take; otherwise InvalidOid.
Oid KeyTypeOf(const IndexOptInfo& index, const IndexClause& clause, int column) {
  if (clause.lossy || clause.indexcol != column || list_length(clause.indexquals) != 1) return InvalidOid;
  const Expr* qual = linitial_node(RestrictInfo, clause.indexquals)->clause;
  if (!IsA(qual, OpExpr)) return InvalidOid;
  int strategy;
  Oid left, right;
  get_op_opfamily_properties(castNode(OpExpr, const_cast<Expr*>(qual))->opno, index.opfamily[column], false, &strategy,
                             &left, &right);
  if (strategy != BTEqualStrategyNumber || !am::HasEqualPoint(index.opcintype[column], right)) return InvalidOid;
  return right;
}

// The types of the values by which a path looks up leading key columns; NIL if it does
// anything else.
List* KeyTypesOf(const IndexPath& path) {
  List* types = NIL;
  ListCell* cell;
  foreach (cell, path.indexclauses) {
    const Oid type = KeyTypeOf(*path.indexinfo, *lfirst_node(IndexClause, cell), list_length(types));
    if (!OidIsValid(type)) return NIL;
    types = lappend_oid(types, type);
  }
  return types;
}

// Whether the table's rows, as far as the query needs them, are ordinary columns.
bool HasOnlyColumns(const RelOptInfo& rel) {
  for (int attribute = rel.min_attr; attribute <= 0; attribute++)
    if (!bms_is_empty(rel.attr_needed[attribute - rel.min_attr])) return false;
  ListCell* cell;
  foreach (cell, rel.reltarget->exprs)
    if (!IsA(lfirst(cell), Var)) return false;
  Bitmapset* used = nullptr;
  foreach (cell, rel.baserestrictinfo) {
    const RestrictInfo* restriction = lfirst_node(RestrictInfo, cell);
    // It makes a plan of two nodes.
    if (restriction->pseudoconstant) return false;
    pull_varattnos(reinterpret_cast<Node*>(restriction->clause), rel.relid, &used);
  }
  return bms_next_member(used, -1) < 0 || bms_next_member(used, -1) > -FirstLowInvalidHeapAttributeNumber;
}

bool CanBeInner(PlannerInfo* root, const RelOptInfo& rel) {
  if (!IS_SIMPLE_REL(&rel) || rel.rtekind != RTE_RELATION || !HasIndexOfOurs(rel) || !HasOnlyColumns(rel)) return false;
  const RangeTblEntry* rte = planner_rt_fetch(rel.relid, root);
  if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW) return false;
  // An index scan would return rows that are not in the sample.
  if (rte->tablesample != nullptr) return false;
  return HeapRows::CanRead(rte->relid);
}

// --- What they cost. ---

// What a lookup costs besides its entries, rows and pages, in operators.  (A search from the
// root is counted as some 170 by btcostestimate: log2(entries), and 50 for each level.)
//
// Measured against hash joins (CPU seconds for 1 M rows of the outer side in random order,
// bigint keys, all in memory):
//
//   rows of the table    1 K     10 K    100 K   1 M     10 M
//   hash join            0.14    0.13    0.21    0.72    3.1
//   lookup, heap fetch   0.37    0.39    0.36    0.41    0.55
//   lookup, index only   0.30    0.32    0.29    0.30    0.37
//
// These hash joins are counted as 28 K, 28 K, 31 K, 56 K and 228 K: that they cost more the
// less of their table the processor's caches hold, PostgreSQL does not know.  So by the small
// tables' measure a lookup would be worth 0.08, but it must not be more than 0.056 to win in
// a table of 1 M rows.  Entry, row and joined row are 0.025; with 2 operators and the pages
// the lookup join is chosen from 1 M rows on, and of smaller tables with fewer rows on the
// outer side: where it is as fast as a hash join (10 K and 10 K, 100 K and 100 K), about.
constexpr double kLookupOperators = 2;

// Pages that are fetched in no order, but many at a time: those in memory are fetched ahead
// into the cache, and the others asked for ahead.  As cost_bitmap_heap_scan does, the more of
// a table's pages are needed, the less each counts as one at random.
Cost PagesCost(double fetched, double pages, double random_cost, double sequential_cost) {
  if (fetched < 2) return fetched * random_cost;
  return fetched * (random_cost - (random_cost - sequential_cost) * sqrt(Min(fetched / Max(pages, 1.0), 1.0)));
}

// What so many lookups cost, with what comes of them, but for the outer side's rows: the same
// for all paths by which these can come.
struct LookupsCost {
  double lookups = -1;
  Cost run;
  Cost saved_by_scans;  // if each were an Omendb Scan in a nested loop
};

LookupsCost CostOfLookups(PlannerInfo* root, const NestPath& loop, double lookups) {
  const IndexPath& inner = *castNode(IndexPath, loop.jpath.innerjoinpath);
  const IndexOptInfo& index = *inner.indexinfo;
  const RelOptInfo& table = *inner.path.parent;
  // What comes of one: entries, and rows that pass all that is asked of the table alone.
  double entries = Max(inner.indexselectivity * table.tuples, 0.0), rows = Max(inner.path.rows, 0.0);
  if (loop.jpath.inner_unique || loop.jpath.jointype == JOIN_SEMI || loop.jpath.jointype == JOIN_ANTI) {
    entries = Min(entries, 1.0);
    rows = Min(rows, 1.0);
  }
  double random_cost, sequential_cost;
  get_tablespace_page_costs(table.reltablespace, &random_cost, &sequential_cost);
  // A key that comes again finds its pages in memory.
  List* values = NIL;
  ListCell* cell;
  foreach (cell, inner.indexclauses) {
    const RestrictInfo* qual = linitial_node(RestrictInfo, lfirst_node(IndexClause, cell)->indexquals);
    values = lappend(values, lsecond(castNode(OpExpr, qual->clause)->args));
  }
  EstimationInfo estimate;
  double keys = estimate_num_groups(root, values, lookups, nullptr, &estimate);
  if ((estimate.flags & SELFLAG_USED_DEFAULT) != 0) keys = lookups;
  const double index_pages = index_pages_fetched(keys, index.pages, index.pages, root);
  double table_pages = index_pages_fetched(keys * entries, table.pages, index.pages, root);
  if (inner.path.pathtype == T_IndexOnlyScan) table_pages = ceil(table_pages * (1.0 - table.allvisfrac));
  QualCost filter, join;
  cost_qual_eval(&filter, inner.path.param_info->ppi_clauses, root);
  cost_qual_eval(&join, loop.jpath.joinrestrictinfo, root);

  const Path& nested = loop.jpath.path;
  Cost run = PagesCost(index_pages, index.pages, random_cost, sequential_cost);
  run += PagesCost(table_pages, table.pages, random_cost, sequential_cost);
  run += lookups * kLookupOperators * cpu_operator_cost;
  run +=
      lookups * entries * (cpu_index_tuple_cost + cpu_tuple_cost + table.baserestrictcost.per_tuple + filter.per_tuple);
  run += lookups * rows * (cpu_tuple_cost + join.per_tuple);
  run += nested.pathtarget->cost.per_tuple * nested.rows;
  return {lookups, run, lookups * Max(SavedByScan(entries), 0.0)};
}

double LookupsOf(const Path& outer) { return Max(outer.rows, 1.0); }

// With such an outer side, if the nested loop runs for `nested_run`: never as much as one by one,
// by whichever node.
Cost RunCost(const Path& outer, const LookupsCost& lookups, Cost nested_run) {
  return Min(outer.total_cost - outer.startup_cost + lookups.run, (nested_run - lookups.saved_by_scans) * 0.9);
}

void SetCost(PlannerInfo* root, const NestPath& loop, LookupsCost* lookups, CustomPath* path) {
  const Path& outer = *loop.jpath.outerjoinpath;
  if (lookups->lookups != LookupsOf(outer)) *lookups = CostOfLookups(root, loop, LookupsOf(outer));
  const Path& nested = loop.jpath.path;
  Cost startup = nested.startup_cost, total = nested.total_cost;
  if (!enable_nestloop) {
    startup -= disable_cost;
    total -= disable_cost;
  }
  path->path.startup_cost = startup;
  path->path.total_cost = startup + RunCost(outer, *lookups, total - startup);
  // What is disabled stays so.
  if (loop.jpath.innerjoinpath->total_cost >= disable_cost) path->path.total_cost = total;
}

// --- Paths. ---

extern "C" {
Plan* omendb_plan_lookup_join(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* tlist, List* clauses,
                              List* custom_plans);
}

const CustomPathMethods path_methods = {kLookupJoinName, omendb_plan_lookup_join, nullptr};
const CustomScanMethods scan_methods = {kLookupJoinName, CreateLookupJoinState};

// Joins of an outer rel's paths with one way to look up rows.
struct LookupPaths {
  PlannerInfo* root;
  RelOptInfo* join;
  IndexPath* inner;
  JoinType type;
  JoinPathExtraData* extra;
  LookupsCost lookups;

  // Adds the path that replaces a nested loop, unless that could not be among the cheapest.
  void Add(Path* outer, bool partial);
};

void LookupPaths::Add(Path* outer, bool partial) {
  JoinCostWorkspace workspace;
  initial_cost_nestloop(root, &workspace, type, outer, &inner->path, extra);
  List* pathkeys = build_join_pathkeys(root, join, type, outer->pathkeys);
  if (lookups.lookups == LookupsOf(*outer)) {
    // Of the nested loop's cost this is a part.
    const Cost startup = workspace.startup_cost;
    const Cost total = startup + RunCost(*outer, lookups, workspace.total_cost - startup);
    if (partial ? !add_partial_path_precheck(join, total, pathkeys)
                : !add_path_precheck(join, startup, total, pathkeys, nullptr))
      return;
  }
  NestPath* loop = create_nestloop_path(root, join, type, &workspace, extra, outer, &inner->path, extra->restrictlist,
                                        pathkeys, nullptr);
  CustomPath* path = makeNode(CustomPath);
  path->path = loop->jpath.path;
  path->path.type = T_CustomPath;
  path->path.pathtype = T_CustomScan;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = list_make2(outer, inner);
  path->custom_private = list_make1(loop);
  path->methods = &path_methods;
  SetCost(root, *loop, &lookups, path);
  if (partial)
    add_partial_path(join, &path->path);
  else
    add_path(join, &path->path);
}

}  // namespace

void AddLookupJoinPaths(PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner, JoinType type,
                        const JoinPathExtraData& extra) {
  const bool unique_outer = type == JOIN_UNIQUE_OUTER;
  if (unique_outer) type = JOIN_INNER;
  if (type != JOIN_INNER && type != JOIN_LEFT && type != JOIN_SEMI && type != JOIN_ANTI) return;
  // A row that is looked at again (EvalPlanQual) would have to be found by itself.
  const CmdType command = root->parse->commandType;
  if ((command != CMD_SELECT && command != CMD_INSERT) || root->rowMarks != NIL) return;
  if (IS_DUMMY_REL(outer) || IS_DUMMY_REL(inner)) return;
  if (!bms_is_empty(join->lateral_relids) || !CanBeInner(root, *inner)) return;
  ListCell* cell;
  foreach (cell, extra.restrictlist)
    if (lfirst_node(RestrictInfo, cell)->pseudoconstant) return;

  JoinPathExtraData copy = extra;
  const Relids outer_relids = outer->top_parent_relids != nullptr ? outer->top_parent_relids : outer->relids;
  ListCell* inner_cell;
  foreach (inner_cell, JoinPathsOf(root, inner)) {
    IndexPath* index = lfirst_node(IndexPath, inner_cell);
    const Relids required = PATH_REQ_OUTER(&index->path);
    if (required == nullptr || !bms_is_subset(required, outer_relids)) continue;
    if (index->indexorderbys != NIL || KeyTypesOf(*index) == NIL) continue;
    if (!bms_is_subset(required, outer->relids)) {
      index = reinterpret_cast<IndexPath*>(reparameterize_path_by_child(root, &index->path, outer));
      if (index == nullptr) continue;
    }
    LookupPaths paths = {root, join, index, type, &copy, {}};
    if (unique_outer) {
      Path* unique = reinterpret_cast<Path*>(
          create_unique_path(root, outer, outer->cheapest_total_path, const_cast<SpecialJoinInfo*>(extra.sjinfo)));
      if (unique != nullptr && PATH_REQ_OUTER(unique) == nullptr) paths.Add(unique, false);
      continue;
    }
    foreach (cell, outer->pathlist) {
      Path* outer_path = static_cast<Path*>(lfirst(cell));
      if (PATH_REQ_OUTER(outer_path) == nullptr) paths.Add(outer_path, false);
    }
    if (!join->consider_parallel || !index->path.parallel_safe) continue;
    foreach (cell, outer->partial_pathlist) paths.Add(static_cast<Path*>(lfirst(cell)), true);
  }
}

void RegisterLookupJoin() {
  RegisterCustomScanMethods(&scan_methods);
  RememberJoinPaths();
}

// --- The plan. ---

namespace {

template <typename T>
T* Copy(const T* node) {
  return static_cast<T*>(copyObjectImpl(node));
}

// As PostgreSQL orders the clauses of a node: by security level, then by cost.
List* InOrder(PlannerInfo* root, List* clauses) {
  struct Item {
    RestrictInfo* clause;
    Index security_level;
    Cost cost;
  };
  const int count = list_length(clauses);
  Item* items = static_cast<Item*>(palloc(static_cast<Size>(Max(count, 1)) * sizeof(Item)));
  int n = 0;
  ListCell* cell;
  foreach (cell, clauses) {
    RestrictInfo* clause = lfirst_node(RestrictInfo, cell);
    QualCost cost;
    cost_qual_eval_node(&cost, reinterpret_cast<Node*>(clause), root);
    const bool harmless = clause->leakproof && cost.per_tuple < 10 * cpu_operator_cost;
    const Item item = {clause, harmless ? 0 : clause->security_level, cost.per_tuple};
    int at = n++;
    for (; at > 0; at--) {
      const Item& before = items[at - 1];
      if (before.security_level < item.security_level ||
          (before.security_level == item.security_level && before.cost <= item.cost))
        break;
      items[at] = before;
    }
    items[at] = item;
  }
  List* result = NIL;
  for (int i = 0; i < n; i++) result = lappend(result, items[i].clause);
  return result;
}

// The index's attribute that has a column of the table.
int IndexAttributeOf(const IndexOptInfo& index, int column) {
  for (int a = 0; a < index.ncolumns; a++)
    if (index.indexkeys[a] == column) return a + 1;
  elog(ERROR, "omendb: index \"%u\" does not have column %d", index.indexoid, column);
}

// Adds to the scan's columns those of the table that the expressions use and that are not
// there yet.
void AddColumns(const List* exprs, const RelOptInfo& inner, List** tlist, List** columns) {
  constexpr int kAll = PVC_RECURSE_AGGREGATES | PVC_RECURSE_WINDOWFUNCS | PVC_RECURSE_PLACEHOLDERS;
  ListCell* cell;
  foreach (cell, pull_var_clause(reinterpret_cast<Node*>(const_cast<List*>(exprs)), kAll)) {
    Var* var = lfirst_node(Var, cell);
    if (static_cast<Index>(var->varno) != inner.relid || list_member_int(*columns, var->varattno)) continue;
    *columns = lappend_int(*columns, var->varattno);
    *tlist = lappend(*tlist, makeTargetEntry(reinterpret_cast<Expr*>(Copy(var)),
                                             static_cast<AttrNumber>(list_length(*tlist) + 1), nullptr, false));
  }
}

Plan* MakePlan(PlannerInfo* root, RelOptInfo* rel, const CustomPath& path, List* tlist, List* custom_plans) {
  const NestPath* loop = castNode(NestPath, linitial(path.custom_private));
  const IndexPath* index_path = castNode(IndexPath, lsecond(path.custom_paths));
  const Plan* outer = static_cast<Plan*>(linitial(custom_plans));
  Plan* inner = static_cast<Plan*>(lsecond(custom_plans));
  const bool index_only = IsA(inner, IndexOnlyScan);
  const JoinType type = loop->jpath.jointype;

  // What the nested loop's inner side would have done: no such node is run.
  List* conditions =
      index_only ? castNode(IndexOnlyScan, inner)->recheckqual : castNode(IndexScan, inner)->indexqualorig;
  List* filter = inner->qual;
  if (index_only)
    castNode(IndexOnlyScan, inner)->indexqual = castNode(IndexOnlyScan, inner)->recheckqual = NIL;
  else
    castNode(IndexScan, inner)->indexqual = castNode(IndexScan, inner)->indexqualorig = NIL;
  inner->qual = NIL;

  // And what its join would have: after that, so that the order of security levels is the same.
  List* join_clauses = InOrder(root, loop->jpath.joinrestrictinfo);
  List* other_clauses = NIL;
  if (IS_OUTER_JOIN(type))
    extract_actual_join_clauses(join_clauses, rel->relids, &join_clauses, &other_clauses);
  else
    join_clauses = extract_actual_clauses(join_clauses, false);
  filter = list_concat(filter, join_clauses);

  List* values = NIL;
  ListCell* cell;
  foreach (cell, conditions)
    values = lappend(values, Copy(static_cast<Node*>(lsecond(lfirst_node(OpExpr, cell)->args))));

  List* scan_tlist = NIL;
  foreach (cell, outer->targetlist) {
    TargetEntry* entry = flatCopyTargetEntry(lfirst_node(TargetEntry, cell));
    entry->expr = Copy(entry->expr);
    entry->resjunk = false;
    scan_tlist = lappend(scan_tlist, entry);
  }
  List* columns = NIL;
  // A projection above may still give the plan another target list, of what the join makes.
  AddColumns(rel->reltarget->exprs, *index_path->path.parent, &scan_tlist, &columns);
  AddColumns(tlist, *index_path->path.parent, &scan_tlist, &columns);
  AddColumns(filter, *index_path->path.parent, &scan_tlist, &columns);
  AddColumns(other_clauses, *index_path->path.parent, &scan_tlist, &columns);
  List* attributes = NIL;
  foreach (cell, columns)
    attributes = lappend_int(
        attributes, index_only ? IndexAttributeOf(*index_path->indexinfo, lfirst_int(cell)) : lfirst_int(cell));
  AddColumns(conditions, *index_path->path.parent, &scan_tlist, &columns);

  const bool single_match = loop->jpath.inner_unique || type == JOIN_SEMI || type == JOIN_ANTI;
  List* numbers = list_make3_int(type, single_match, path.path.pathkeys != NIL);
  Assert(list_length(numbers) == kPlanNumbers);

  CustomScan* plan = makeNode(CustomScan);
  plan->scan.plan.targetlist = tlist;
  plan->scan.plan.qual = other_clauses;
  plan->scan.scanrelid = 0;
  plan->flags = path.flags;
  plan->custom_plans = custom_plans;
  plan->custom_exprs = list_make3(conditions, values, filter);
  plan->custom_private = list_make3(numbers, attributes, KeyTypesOf(*index_path));
  plan->custom_scan_tlist = scan_tlist;
  plan->methods = &scan_methods;
  return &plan->scan.plan;
}

extern "C" Plan* omendb_plan_lookup_join(PlannerInfo* root, RelOptInfo* rel, CustomPath* path, List* tlist, List*,
                                         List* custom_plans) {
  return pg::Guarded([&] { return MakePlan(root, rel, *path, tlist, custom_plans); });
}

}  // namespace

}  // namespace omendb::exec
