// When the planner may use an Omendb Aggregate, and what it costs.
#include "exec/heap_rows.h"

#include "exec/aggregate_plan.h"
#include "exec/index_paths.h"
#include "exec/paths.h"

#include "am/am.h"
#include "pg/compat.h"
#include "pg/guard.h"

extern "C" {
#include "access/stratnum.h"
#include "access/xlog.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/tlist.h"
#include "parser/parsetree.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
}

namespace omendb::exec {

namespace {

// An entry's share of a column's totals is a fraction of an operator's call.
constexpr double kOperatorsPerEntry = 0.1;

// ---- What the query asks for ----

// The aggregate functions of these types whose result is known from count, sum, least and
// greatest value.  (Sums of floats depend on the order of rows; least and greatest of them
// on which of the equal ones comes first.)
bool KindOf(const Aggref& aggref, OutputKind* kind) {
  switch (aggref.aggfnoid) {
    case F_COUNT_:
      *kind = OutputKind::kCountRows;
      return true;
    case F_COUNT_ANY:
      *kind = OutputKind::kCount;
      return true;
    case F_SUM_INT2:
    case F_SUM_INT4:
    case F_SUM_INT8:
      *kind = OutputKind::kSum;
      return true;
    case F_AVG_INT2:
    case F_AVG_INT4:
    case F_AVG_INT8:
      *kind = OutputKind::kAverage;
      return true;
    case F_MIN_INT2:
    case F_MIN_INT4:
    case F_MIN_INT8:
    case F_MIN_OID:
    case F_MIN_DATE:
    case F_MIN_TIME:
    case F_MIN_TIMESTAMP:
    case F_MIN_TIMESTAMPTZ:
    case F_MIN_MONEY:
      *kind = OutputKind::kLeast;
      return true;
    case F_MAX_INT2:
    case F_MAX_INT4:
    case F_MAX_INT8:
    case F_MAX_OID:
    case F_MAX_DATE:
    case F_MAX_TIME:
    case F_MAX_TIMESTAMP:
    case F_MAX_TIMESTAMPTZ:
    case F_MAX_MONEY:
      *kind = OutputKind::kGreatest;
      return true;
    default:
      return false;
  }
}

// A grouping expression: a column of the table, or a step of one.
struct GroupKey {
  Expr* expr;
  const Var* var;
  Step step;
  Oid equality;
};

// What a query's targets need of the grouping: grouping keys and aggregates.
struct Request {
  const RelOptInfo* rel;
  int keys;
  GroupKey* key;
  List* aggregates;
  bool supported;
};

const Var* ColumnOf(const RelOptInfo& rel, const Node* node) {
  if (node == nullptr || !IsA(node, Var)) return nullptr;
  const Var* var = reinterpret_cast<const Var*>(node);
  return static_cast<Index>(var->varno) == rel.relid && var->varlevelsup == 0 && var->varattno > 0 ? var : nullptr;
}

Const* ConstantOf(void* node) {
  Node* expr = static_cast<Node*>(node);
  return IsA(expr, Const) && !castNode(Const, expr)->constisnull ? castNode(Const, expr) : nullptr;
}

bool IsSupportedAggregate(const RelOptInfo& rel, const Aggref& aggref) {
  OutputKind kind;
  if (!KindOf(aggref, &kind) || aggref.agglevelsup != 0 || aggref.aggfilter != nullptr || aggref.aggdistinct != NIL ||
      aggref.aggorder != NIL || aggref.aggsplit != AGGSPLIT_SIMPLE)
    return false;
  if (kind == OutputKind::kCountRows) return true;
  return ColumnOf(rel, reinterpret_cast<Node*>(linitial_node(TargetEntry, aggref.args)->expr)) != nullptr;
}

bool CollectRequest(Node* node, void* context) {
  if (node == nullptr) return false;
  Request& request = *static_cast<Request*>(context);
  for (int k = 0; k < request.keys; k++)
    if (equal(node, request.key[k].expr)) return false;
  if (IsA(node, Aggref)) {
    request.supported = IsSupportedAggregate(*request.rel, *castNode(Aggref, node));
    request.aggregates = list_append_unique(request.aggregates, node);
    return !request.supported;
  }
  switch (nodeTag(node)) {
    case T_Var:  // that depends on the grouping keys
    case T_PlaceHolderVar:
    case T_SubPlan:
    case T_AlternativeSubPlan:
    case T_GroupingFunc:
    case T_WindowFunc:
      request.supported = false;
      return true;
    default:
      return pg::WalkExpression(node, CollectRequest, context);
  }
}

// A time zone whose clocks are never set back.
bool IsUtc(const Const& zone) {
  const char* name = TextDatumGetCString(zone.constvalue);
  return pg_strcasecmp(name, "UTC") == 0 || pg_strcasecmp(name, "GMT") == 0;
}

bool GroupKeyOf(const RelOptInfo& rel, Expr* expr, GroupKey* key) {
  key->expr = expr;
  key->step = Step{InvalidOid, nullptr, nullptr};
  key->var = ColumnOf(rel, reinterpret_cast<Node*>(expr));
  if (key->var != nullptr) return true;
  if (!IsA(expr, FuncExpr)) return false;
  const FuncExpr* call = castNode(FuncExpr, expr);
  switch (call->funcid) {
    case F_DATE_TRUNC_TEXT_TIMESTAMP:
      break;
    case F_DATE_TRUNC_TEXT_TIMESTAMPTZ_TEXT:
      if ((key->step.origin = ConstantOf(lthird(call->args))) == nullptr || !IsUtc(*key->step.origin)) return false;
      break;
    case F_DATE_BIN_INTERVAL_TIMESTAMP_TIMESTAMP:
    case F_DATE_BIN_INTERVAL_TIMESTAMPTZ_TIMESTAMPTZ:
      if ((key->step.origin = ConstantOf(lthird(call->args))) == nullptr) return false;
      break;
    default:
      // Elsewhere, date_trunc of a timestamptz may go back where clocks do.
      return false;
  }
  key->step.function = call->funcid;
  key->step.width = ConstantOf(linitial(call->args));
  key->var = ColumnOf(rel, static_cast<Node*>(lsecond(call->args)));
  return key->step.width != nullptr && key->var != nullptr;
}

bool MakeRequest(const Query& parse, const RelOptInfo& rel, const RelOptInfo& output, const GroupPathExtraData& extra,
                 Request* request) {
  request->rel = &rel;
  request->keys = 0;
  request->key =
      static_cast<GroupKey*>(palloc(sizeof(GroupKey) * static_cast<Size>(list_length(parse.groupClause) + 1)));
  request->aggregates = NIL;
  request->supported = true;
  ListCell* cell;
  foreach (cell, parse.groupClause) {
    const SortGroupClause* clause = lfirst_node(SortGroupClause, cell);
    GroupKey* key = &request->key[request->keys++];
    Node* expr = get_sortgroupclause_expr(const_cast<SortGroupClause*>(clause), extra.targetList);
    if (!GroupKeyOf(rel, reinterpret_cast<Expr*>(expr), key)) return false;
    key->equality = clause->eqop;
  }
  CollectRequest(reinterpret_cast<Node*>(output.reltarget->exprs), request);
  return request->supported && (request->keys > 0 || request->aggregates != NIL);
}

// Whether nothing but the scan of one plain table stands below the grouping, and nothing
// that has to be done to rows but grouping.
bool IsSupportedQuery(PlannerInfo* root, RelOptInfo& rel, const GroupPathExtraData& extra) {
  const Query& parse = *root->parse;
  // Of a table that has been found to give no rows, nothing is known but that.
  if (IS_DUMMY_REL(&rel)) return false;
  if (rel.reloptkind != RELOPT_BASEREL || rel.rtekind != RTE_RELATION || !bms_is_empty(rel.lateral_relids))
    return false;
  if (parse.commandType != CMD_SELECT || parse.groupingSets != NIL || extra.havingQual != nullptr ||
      parse.havingQual != nullptr || parse.rowMarks != NIL || parse.hasTargetSRFs)
    return false;
  if (extra.patype != PARTITIONWISE_AGGREGATE_NONE && rel.part_scheme != nullptr) return false;
  const RangeTblEntry* rte = planner_rt_fetch(rel.relid, root);
  if (rte->inh || rte->tablesample != nullptr || rte->securityQuals != NIL || root->qual_security_level > 0)
    return false;
  if (rte->relkind != RELKIND_RELATION && rte->relkind != RELKIND_MATVIEW) return false;
  // A standby's visibility map does not speak for its snapshots.
  if (RecoveryInProgress()) return false;
  return HeapRows::CanRead(rte->relid);
}

// ---- Whether an index has it ----

// The index column of a table's column; -1 if there is none.
int IndexColumnOf(const IndexOptInfo& index, const Var& var, int columns) {
  for (int c = 0; c < columns; c++)
    if (index.indexkeys[c] == var.varattno) return c;
  return -1;
}

// Whether the index conditions are all there is to ask of a row.
bool ConditionsAreExact(const IndexPath& path) {
  ListCell *cell, *inner;
  foreach (cell, path.indexclauses)
    if (lfirst_node(IndexClause, cell)->lossy) return false;
  foreach (cell, path.indexinfo->indrestrictinfo) {
    const RestrictInfo* restriction = lfirst_node(RestrictInfo, cell);
    bool found = false;
    if (restriction->security_level > 0) return false;
    foreach (inner, path.indexclauses) found |= lfirst_node(IndexClause, inner)->rinfo == restriction;
    if (!found) return false;
  }
  return true;
}

// Whether the conditions leave a column one value.
bool IsFixed(const IndexPath& path, int column) {
  const Oid opfamily = path.indexinfo->opfamily[column];
  ListCell* cell;
  foreach (cell, path.indexclauses) {
    const IndexClause* clause = lfirst_node(IndexClause, cell);
    if (clause->indexcol != column || list_length(clause->indexquals) != 1) continue;
    Expr* expr = linitial_node(RestrictInfo, clause->indexquals)->clause;
    if (!IsA(expr, OpExpr)) continue;
    int strategy;
    Oid left, right;
    get_op_opfamily_properties(castNode(OpExpr, expr)->opno, opfamily, false, &strategy, &left, &right);
    // (Of other types, a value may be equal to several.)
    if (strategy == BTEqualStrategyNumber && left == right) return true;
  }
  return false;
}

// Whether the rows of each group are neighbours in the index: then *columns gets how many
// leading columns they agree in, *step the step of the last.
bool GroupsAreRuns(const IndexPath& path, const Request& request, int* columns, Step* step) {
  const IndexOptInfo& index = *path.indexinfo;
  uint64 grouped = 0;
  int step_column = -1;
  *columns = 0;
  *step = Step{InvalidOid, nullptr, nullptr};
  for (int k = 0; k < request.keys; k++) {
    const GroupKey& key = request.key[k];
    const int c = IndexColumnOf(index, *key.var, index.nkeycolumns);
    if (c < 0 || !op_in_opfamily(key.equality, index.opfamily[c])) return false;
    // Equal floats may differ in their bytes, and a group shows those of one.
    if (index.opcintype[c] == FLOAT4OID || index.opcintype[c] == FLOAT8OID) return false;
    if (OidIsValid(key.step.function)) {
      if (step_column >= 0) return false;
      step_column = c;
      *step = key.step;
    }
    grouped |= UINT64CONST(1) << c;
    *columns = Max(*columns, c + 1);
  }
  if (step_column >= 0 && step_column != *columns - 1) return false;
  for (int c = 0; c < *columns; c++)
    if ((grouped >> c & 1) == 0 && !IsFixed(path, c)) return false;
  // A column and a step of it: the column decides.
  if (step_column >= 0)
    for (int k = 0; k < request.keys; k++)
      if (!OidIsValid(request.key[k].step.function) &&
          IndexColumnOf(index, *request.key[k].var, index.nkeycolumns) == step_column)
        return false;
  return true;
}

bool ContainsExpr(const EquivalenceClass& eclass, const Expr* expr) {
  ListCell* cell;
  foreach (cell, eclass.ec_members)
    if (equal(lfirst_node(EquivalenceMember, cell)->em_expr, expr)) return true;
  return false;
}

// Whether groups come out in the order that the query's grouping has: then it need not sort.
bool GroupsAreSorted(PlannerInfo* root, const IndexOptInfo& index, const Request& request) {
  int last = -1;
  ListCell* cell;
  foreach (cell, root->group_pathkeys) {
    const PathKey* pathkey = lfirst_node(PathKey, cell);
    int column = -1;
    for (int k = 0; k < request.keys && column < 0; k++)
      if (ContainsExpr(*pathkey->pk_eclass, request.key[k].expr))
        column = IndexColumnOf(index, *request.key[k].var, index.nkeycolumns);
    if (column <= last) return false;
    const bool descending = index.reverse_sort[column];
    if (pathkey->pk_strategy != (descending ? BTGreaterStrategyNumber : BTLessStrategyNumber) ||
        pathkey->pk_nulls_first != index.nulls_first[column])
      return false;
    last = column;
  }
  return true;
}

bool MakePlan(const IndexPath& path, const Request& request, AggregatePlan* plan, List** exprs) {
  const IndexOptInfo& index = *path.indexinfo;
  if (!GroupsAreRuns(path, request, &plan->columns, &plan->step)) return false;
  plan->outputs = 0;
  plan->output =
      static_cast<Output*>(palloc(sizeof(Output) * static_cast<Size>(request.keys + list_length(request.aggregates))));
  *exprs = NIL;
  for (int k = 0; k < request.keys; k++) {
    const Var& var = *request.key[k].var;
    plan->output[plan->outputs++] = {OutputKind::kGroupKey, IndexColumnOf(index, var, index.nkeycolumns), var.vartype};
    *exprs = lappend(*exprs, request.key[k].expr);
  }
  ListCell* cell;
  foreach (cell, request.aggregates) {
    const Aggref* aggref = lfirst_node(Aggref, cell);
    Output output = {OutputKind::kCountRows, -1, InvalidOid};
    KindOf(*aggref, &output.kind);
    if (output.kind != OutputKind::kCountRows) {
      const Var& var = *ColumnOf(*request.rel, reinterpret_cast<Node*>(linitial_node(TargetEntry, aggref->args)->expr));
      output.attribute = IndexColumnOf(index, var, index.ncolumns);
      output.type = var.vartype;
      if (output.attribute < 0) return false;
    }
    plan->output[plan->outputs++] = output;
    *exprs = lappend(*exprs, lfirst(cell));
  }
  return true;
}

// ---- The path ----

// The cost of the index-only scan, with less work on each entry.
void SetCost(const IndexPath& index_path, const AggregatePlan& plan, double groups, Path* path) {
  const IndexOptInfo& index = *index_path.indexinfo;
  const QualCost& target = path->pathtarget->cost;
  const double entries = index_path.indexselectivity * index.tuples;
  const double per_entry =
      cpu_tuple_cost + cpu_index_tuple_cost + cpu_operator_cost * list_length(index_path.indexclauses);
  const Cost startup = index_path.path.startup_cost;
  Cost run = Max(index_path.path.total_cost - startup - entries * per_entry, 0);
  run += entries * cpu_operator_cost * kOperatorsPerEntry * plan.outputs;
  // Rows that are not on all-visible pages are looked up as ever.
  run += entries * (1.0 - index.rel->allvisfrac) * cpu_tuple_cost;
  run += groups * (cpu_tuple_cost + cpu_operator_cost * plan.outputs);
  path->rows = groups;
  path->startup_cost = startup + target.startup + (plan.columns == 0 ? run : 0);
  path->total_cost = startup + target.startup + run + groups * target.per_tuple;
}

extern "C" {

Plan* omendb_plan_aggregate(PlannerInfo*, RelOptInfo*, CustomPath* path, List* tlist, List*, List* custom_plans);

Node* omendb_create_aggregate_state(CustomScan* scan) {
  return pg::Guarded([&] { return CreateAggregateState(scan); });
}

}  // extern "C"

const CustomPathMethods kPathMethods = {"Omendb Aggregate", omendb_plan_aggregate, nullptr};
const CustomScanMethods kScanMethods = {"Omendb Aggregate", omendb_create_aggregate_state};

CustomScan* MakeScan(const CustomPath& path, List* tlist, List* custom_plans) {
  CustomScan* scan = makeNode(CustomScan);
  scan->scan.plan.targetlist = tlist;
  scan->scan.scanrelid = 0;
  scan->flags = path.flags;
  scan->custom_plans = custom_plans;
  scan->custom_private = static_cast<List*>(linitial(path.custom_private));
  // The columns of the node's own tuples.  In its target list, whatever equals one of these
  // becomes a reference to it.
  ListCell* cell;
  foreach (cell, static_cast<List*>(lsecond(path.custom_private))) {
    const AttrNumber number = static_cast<AttrNumber>(list_length(scan->custom_scan_tlist) + 1);
    scan->custom_scan_tlist =
        lappend(scan->custom_scan_tlist, makeTargetEntry(static_cast<Expr*>(lfirst(cell)), number, nullptr, false));
  }
  scan->methods = &kScanMethods;
  return scan;
}

extern "C" {

Plan* omendb_plan_aggregate(PlannerInfo*, RelOptInfo*, CustomPath* path, List* tlist, List*, List* custom_plans) {
  return pg::Guarded([&] { return &MakeScan(*path, tlist, custom_plans)->scan.plan; });
}

}  // extern "C"

void AddPath(PlannerInfo* root, RelOptInfo* output, IndexPath* index_path, const Request& request, double groups) {
  AggregatePlan plan;
  List* exprs;
  if (!MakePlan(*index_path, request, &plan, &exprs)) return;
  CustomPath* path = makeNode(CustomPath);
  path->path.pathtype = T_CustomScan;
  path->path.parent = output;
  path->path.pathtarget = output->reltarget;
  // By one process; but any may be that one.
  path->path.parallel_safe = output->consider_parallel;
  if (plan.columns > 0 && GroupsAreSorted(root, *index_path->indexinfo, request))
    path->path.pathkeys = root->group_pathkeys;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = list_make1(index_path);
  path->custom_private = list_make2(EncodePlan(plan), exprs);
  path->methods = &kPathMethods;
  SetCost(*index_path, plan, groups, &path->path);
  add_path(output, &path->path);
}

}  // namespace

void RegisterAggregate() { RegisterCustomScanMethods(&kScanMethods); }

void AddAggregatePaths(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output, const GroupPathExtraData& extra) {
  if (!HasIndexOfOurs(*input) || !IsSupportedQuery(root, *input, extra)) return;
  Request request;
  if (!MakeRequest(*root->parse, *input, *output, extra, &request)) return;
  // What the planner expects of every other plan.
  const double groups = request.keys == 0 ? 1 : static_cast<Path*>(linitial(output->pathlist))->rows;
  // One index at a time: which of them is best for this is not known before.
  List* const indexes = input->indexlist;
  ListCell *index, *cell;
  foreach (index, indexes) {
    if (!am::IsOurs(*lfirst_node(IndexOptInfo, index))) continue;
    input->indexlist = list_make1(lfirst(index));
    foreach (cell, CollectIndexPaths(root, input)) {
      IndexPath* path = lfirst_node(IndexPath, cell);
      if (path->path.pathtype == T_IndexOnlyScan && path->path.param_info == nullptr && path->indexorderbys == NIL &&
          ConditionsAreExact(*path))
        AddPath(root, output, path, request, groups);
    }
  }
  input->indexlist = indexes;
}

}  // namespace omendb::exec
