#include "am/row_condition.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_type_d.h"
#include "nodes/makefuncs.h"
#include "optimizer/cost.h"
#include "optimizer/restrictinfo.h"
#include "utils/lsyscache.h"
}

namespace omendb::am {

namespace {

// What a comparison, the index's columns on its left, says of its first column; null if the
// family lacks the operator.
Expr* LeadingComparison(const RowCompareExpr& row, Oid opfamily) {
  int strategy;
  Oid left, right;
  get_op_opfamily_properties(linitial_oid(row.opnos), opfamily, false, &strategy, &left, &right);
  if (strategy == BTLessStrategyNumber) strategy = BTLessEqualStrategyNumber;
  if (strategy == BTGreaterStrategyNumber) strategy = BTGreaterEqualStrategyNumber;
  const Oid op = get_opfamily_member(opfamily, left, right, static_cast<int16>(strategy));
  if (!OidIsValid(op)) return nullptr;
  return make_opclause(op, BOOLOID, false, static_cast<Expr*>(copyObjectImpl(linitial(row.largs))),
                       static_cast<Expr*>(copyObjectImpl(linitial(row.rargs))), InvalidOid,
                       linitial_oid(row.inputcollids));
}

}  // namespace

QualCost WeakenRowConditions(PlannerInfo* root, const IndexPath& path) {
  QualCost cost = {0, 0};
  ListCell* cell;
  foreach (cell, path.indexclauses) {
    IndexClause* condition = lfirst_node(IndexClause, cell);
    if (condition->indexquals == NIL) continue;
    const RestrictInfo* asked = linitial_node(RestrictInfo, condition->indexquals);
    if (!IsA(asked->clause, RowCompareExpr)) continue;
    Expr* leading =
        LeadingComparison(*castNode(RowCompareExpr, asked->clause), path.indexinfo->opfamily[condition->indexcol]);
    // Paths share conditions: this is done for the first of them.
    condition->indexquals = leading != nullptr ? list_make1(make_simple_restrictinfo(root, leading)) : NIL;
    if (condition->lossy) continue;
    condition->lossy = true;
    QualCost whole;
    cost_qual_eval_node(&whole, reinterpret_cast<Node*>(condition->rinfo), root);
    cost.startup += whole.startup;
    cost.per_tuple += whole.per_tuple;
  }
  return cost;
}

}  // namespace omendb::am
