// When the planner may use an Omendb Aggregate, and what it costs.
#include <cmath>

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
#include "utils/selfuncs.h"
}

namespace omendb::exec {

namespace {

// An entry's share of a column's totals is a fraction of an operator's call (0.7 ns, where a
// scan of a table takes some 15 for one); more where values are added one by one.
constexpr double kOperatorsPerEntry = 0.04;
constexpr double kOperatorsPerFloat = 0.25;

// ---- What the query asks for ----

// The aggregate functions of these types whose result is known from count, sum, least and
// greatest value, and those of floats, which take the values in the index's order.
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
    case F_SUM_FLOAT4:
    case F_SUM_FLOAT8:
      *kind = OutputKind::kSum;
      return true;
    case F_AVG_INT2:
    case F_AVG_INT4:
    case F_AVG_INT8:
    case F_AVG_FLOAT4:
    case F_AVG_FLOAT8:
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
    case F_MIN_FLOAT4:
    case F_MIN_FLOAT8:
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
    case F_MAX_FLOAT4:
    case F_MAX_FLOAT8:
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

// What a query's targets need of the grouping: grouping keys and aggregates, as a whole or
// (AGGSPLIT_INITIAL_SERIAL) for another node to combine.
struct Request {
  const RelOptInfo* rel;
  AggSplit split;
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

bool IsFloat(Oid type) { return type == FLOAT4OID || type == FLOAT8OID; }

bool IsSupportedAggregate(const RelOptInfo& rel, const Aggref& aggref, AggSplit split) {
  OutputKind kind;
  if (!KindOf(aggref, &kind) || aggref.agglevelsup != 0 || aggref.aggfilter != nullptr || aggref.aggdistinct != NIL ||
      aggref.aggorder != NIL || aggref.aggsplit != split)
    return false;
  if (kind == OutputKind::kCountRows) return true;
  const Var* var = ColumnOf(rel, reinterpret_cast<Node*>(linitial_node(TargetEntry, aggref.args)->expr));
  if (var == nullptr) return false;
  // Of several processes none has the values in their order.
  return split == AGGSPLIT_SIMPLE || kind == OutputKind::kCount || !IsFloat(var->vartype);
}

bool CollectRequest(Node* node, void* context) {
  if (node == nullptr) return false;
  Request& request = *static_cast<Request*>(context);
  for (int k = 0; k < request.keys; k++)
    if (equal(node, request.key[k].expr)) return false;
  if (IsA(node, Aggref)) {
    request.supported = IsSupportedAggregate(*request.rel, *castNode(Aggref, node), request.split);
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

// Of a target, and a condition of the groups.
bool MakeRequest(const Query& parse, const RelOptInfo& rel, const PathTarget& target, Node* having, AggSplit split,
                 const List* target_list, Request* request) {
  request->rel = &rel;
  request->split = split;
  request->keys = 0;
  request->key =
      static_cast<GroupKey*>(palloc(sizeof(GroupKey) * static_cast<Size>(list_length(parse.groupClause) + 1)));
  request->aggregates = NIL;
  request->supported = true;
  ListCell* cell;
  foreach (cell, parse.groupClause) {
    const SortGroupClause* clause = lfirst_node(SortGroupClause, cell);
    GroupKey* key = &request->key[request->keys++];
    Node* expr = get_sortgroupclause_expr(const_cast<SortGroupClause*>(clause), const_cast<List*>(target_list));
    if (!GroupKeyOf(rel, reinterpret_cast<Expr*>(expr), key)) return false;
    key->equality = clause->eqop;
  }
  CollectRequest(reinterpret_cast<Node*>(target.exprs), request);
  if (request->supported) CollectRequest(having, request);
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
  if (parse.commandType != CMD_SELECT || parse.groupingSets != NIL || parse.rowMarks != NIL || parse.hasTargetSRFs)
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
    // Equal floats or intervals may differ in their bytes, and a group shows those of one.
    if (IsFloat(index.opcintype[c]) || index.opcintype[c] == INTERVALOID) return false;
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
  plan->partial = request.split != AGGSPLIT_SIMPLE;
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

// An entry's share of the totals.
Cost EntryCost(const AggregatePlan& plan) {
  double operators = 0;
  for (int i = 0; i < plan.outputs; i++)
    operators += IsFloatTotal(plan.output[i]) ? kOperatorsPerFloat : kOperatorsPerEntry;
  return cpu_operator_cost * operators;
}

// How many processes do the work of a partial path; as costsize.c has it.
double ProcessesOf(const Path& path) {
  const double leader = parallel_leader_participation ? 1.0 - 0.3 * path.parallel_workers : 0.0;
  return path.parallel_workers + Max(leader, 0.0);
}

double PagesOf(const IndexPath& path) { return std::ceil(path.indexselectivity * path.indexinfo->pages); }

// The cost of the index-only scan, with less work on each entry, and of HAVING.  Processes
// share the work, but the disk is one, as for other partial paths.
void SetCost(PlannerInfo* root, const IndexPath& index_path, const AggregatePlan& plan, double groups, List* having,
             Path* path) {
  const IndexOptInfo& index = *index_path.indexinfo;
  const QualCost& target = path->pathtarget->cost;
  const double entries = index_path.indexselectivity * index.tuples;
  const double per_entry =
      cpu_tuple_cost + cpu_index_tuple_cost + cpu_operator_cost * list_length(index_path.indexclauses);
  const Cost startup = index_path.path.startup_cost;
  const Cost read = Max(index_path.path.total_cost - startup - entries * per_entry, 0);
  Cost work = entries * EntryCost(plan);
  // Rows that are not on all-visible pages are looked up as ever.
  work += entries * (1.0 - index.rel->allvisfrac) * cpu_tuple_cost;
  if (plan.partial) {
    const double processes = ProcessesOf(*path);
    work /= processes;
    // A group that ends in another share comes twice.
    if (plan.columns > 0) groups = clamp_row_est((groups + PagesOf(index_path) / kShareLeaves) / processes);
  }
  Cost run = read + work + groups * (cpu_tuple_cost + cpu_operator_cost * plan.outputs);
  QualCost qual = {0, 0};
  path->rows = groups;
  if (having != NIL) {
    cost_qual_eval(&qual, having, root);
    run += groups * qual.per_tuple;
    path->rows = clamp_row_est(groups * clauselist_selectivity(root, having, 0, JOIN_INNER, nullptr));
  }
  path->startup_cost = startup + target.startup + qual.startup + (plan.columns == 0 ? run : 0);
  path->total_cost = startup + target.startup + qual.startup + run + path->rows * target.per_tuple;
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
  scan->scan.plan.qual = static_cast<List*>(lthird(path.custom_private));
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

// What there is to be done: one query's grouping of one table.
struct Task {
  PlannerInfo* root;
  RelOptInfo* input;
  RelOptInfo* output;
  // Of the partial aggregates; null if there are none.
  RelOptInfo* partial;
  const GroupPathExtraData* extra;
  double groups;  // before HAVING
  Request request;
  Request partial_request;

  List* having() const { return reinterpret_cast<List*>(extra->havingQual); }
};

// The path of one process, or with workers one that they share.  Null if the index has not
// all that is wanted.
CustomPath* MakePath(const Task& task, IndexPath* index_path, int workers) {
  const bool partial = workers > 0;
  const Request& request = partial ? task.partial_request : task.request;
  // Groups are whole above partial aggregates only.
  List* having = partial ? NIL : task.having();
  AggregatePlan plan;
  List* exprs;
  if (!MakePlan(*index_path, request, &plan, &exprs)) return nullptr;
  CustomPath* path = makeNode(CustomPath);
  path->path.pathtype = T_CustomScan;
  path->path.parent = partial ? task.partial : task.output;
  path->path.pathtarget = path->path.parent->reltarget;
  // By one process; but any may be that one.
  path->path.parallel_safe = path->path.parent->consider_parallel;
  path->path.parallel_aware = partial;
  path->path.parallel_workers = workers;
  if (plan.columns > 0 && GroupsAreSorted(task.root, *index_path->indexinfo, request))
    path->path.pathkeys = task.root->group_pathkeys;
  path->flags = CUSTOMPATH_SUPPORT_PROJECTION;
  path->custom_paths = list_make1(index_path);
  path->custom_private = list_make3(EncodePlan(plan), exprs, having);
  path->methods = &kPathMethods;
  SetCost(task.root, *index_path, plan, task.groups, having, &path->path);
  return path;
}

// The partial aggregates of several processes, gathered and combined.
void AddParallelPaths(const Task& task, IndexPath* index_path) {
  const int workers = compute_parallel_worker(task.input, -1, PagesOf(*index_path), max_parallel_workers_per_gather);
  if (workers <= 0) return;
  CustomPath* path = MakePath(task, index_path, workers);
  if (path == nullptr) return;
  const Query& parse = *task.root->parse;
  PathTarget* target = task.partial->reltarget;
  double rows = path->path.rows * workers;
  const auto add = [&](Path* gathered, AggStrategy strategy) {
    add_path(task.output, reinterpret_cast<Path*>(
                              create_agg_path(task.root, task.output, gathered, task.output->reltarget, strategy,
                                              AGGSPLIT_FINAL_DESERIAL, parse.groupClause, task.having(),
                                              const_cast<AggClauseCosts*>(&task.extra->agg_final_costs), task.groups)));
  };
  const auto gather = [&] {
    return reinterpret_cast<Path*>(create_gather_path(task.root, task.partial, &path->path, target, nullptr, &rows));
  };
  if (parse.groupClause == NIL) return add(gather(), AGG_PLAIN);
  if (path->path.pathkeys != NIL)
    add(reinterpret_cast<Path*>(create_gather_merge_path(task.root, task.partial, &path->path, target,
                                                         path->path.pathkeys, nullptr, &rows)),
        AGG_SORTED);
  if ((task.extra->flags & GROUPING_CAN_USE_HASH) != 0) add(gather(), AGG_HASHED);
}

// The planner's own partial aggregates, if it has made any.
RelOptInfo* PartialOf(PlannerInfo* root, const RelOptInfo& output, const GroupPathExtraData& extra) {
  if (!root->parse->hasAggs || !output.consider_parallel || (extra.flags & GROUPING_CAN_PARTIAL_AGG) == 0 ||
      !extra.partial_costs_set)
    return nullptr;
  ListCell* cell;
  foreach (cell, root->upper_rels[UPPERREL_PARTIAL_GROUP_AGG]) {
    RelOptInfo* rel = lfirst_node(RelOptInfo, cell);
    if (bms_equal(rel->relids, output.relids) && rel->consider_parallel) return rel;
  }
  return nullptr;
}

}  // namespace

void RegisterAggregate() { RegisterCustomScanMethods(&kScanMethods); }

void AddAggregatePaths(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output, const GroupPathExtraData& extra) {
  if (!HasIndexOfOurs(*input) || !IsSupportedQuery(root, *input, extra)) return;
  const Query& parse = *root->parse;
  Task task = {root, input, output, PartialOf(root, *output, extra), &extra, 1, {}, {}};
  if (!MakeRequest(parse, *input, *output->reltarget, extra.havingQual, AGGSPLIT_SIMPLE, extra.targetList,
                   &task.request))
    return;
  if (task.partial != nullptr && !MakeRequest(parse, *input, *task.partial->reltarget, nullptr, AGGSPLIT_INITIAL_SERIAL,
                                              extra.targetList, &task.partial_request))
    task.partial = nullptr;
  // What the planner expects of every other plan.
  if (task.request.keys > 0)
    task.groups = estimate_num_groups(root, get_sortgrouplist_exprs(parse.groupClause, extra.targetList),
                                      input->cheapest_total_path->rows, nullptr, nullptr);
  // One index at a time: which of them is best for this is not known before.
  List* const indexes = input->indexlist;
  ListCell *index, *cell;
  foreach (index, indexes) {
    // (Where there are bytes columns, leaves are not read column by column.)
    if (!am::IsOurs(*lfirst_node(IndexOptInfo, index)) || am::HasBytesColumns(*lfirst_node(IndexOptInfo, index)))
      continue;
    input->indexlist = list_make1(lfirst(index));
    foreach (cell, CollectIndexPaths(root, input)) {
      IndexPath* path = lfirst_node(IndexPath, cell);
      if (path->path.pathtype != T_IndexOnlyScan || path->path.param_info != nullptr || path->indexorderbys != NIL ||
          !ConditionsAreExact(*path))
        continue;
      CustomPath* alone = MakePath(task, path, 0);
      if (alone == nullptr) continue;
      add_path(output, &alone->path);
      if (task.partial != nullptr) AddParallelPaths(task, path);
    }
  }
  input->indexlist = indexes;
}

}  // namespace omendb::exec
