#include "exec/row_comparisons.h"

extern "C" {
#include "access/stratnum.h"
#include "executor/executor.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
}

namespace omendb::exec {

namespace {

// How many leading columns of a comparison are consecutive ones of the index.
int ConsecutiveColumns(const List* index_columns) {
  int count = 1;
  while (count < list_length(index_columns) &&
         list_nth_int(index_columns, count) == linitial_int(index_columns) + count)
    count++;
  return count;
}

List* First(const List* list, int count) { return list_truncate(list_copy(list), count); }

}  // namespace

// The numbers: strategy, first attribute, and each member's type.
void RowComparisons::Plan(const IndexPath& path, List** comparisons, List** numbers) {
  *comparisons = *numbers = NIL;
  ListCell* cell;
  foreach (cell, path.indexclauses) {
    const IndexClause* condition = lfirst_node(IndexClause, cell);
    if (!IsA(condition->rinfo->clause, RowCompareExpr) || condition->indexquals == NIL ||
        list_length(condition->indexcols) < 2)
      continue;
    const int count = ConsecutiveColumns(condition->indexcols);
    if (count < 2) continue;
    const RowCompareExpr* whole = castNode(RowCompareExpr, condition->rinfo->clause);
    const OpExpr* leading = castNode(OpExpr, linitial_node(RestrictInfo, condition->indexquals)->clause);
    const bool on_left = equal(linitial(whole->largs), linitial(leading->args));
    int strategy;
    Oid left, right;
    get_op_opfamily_properties(leading->opno, path.indexinfo->opfamily[condition->indexcol], false, &strategy, &left,
                               &right);
    const bool strict = whole->rctype == ROWCOMPARE_LT || whole->rctype == ROWCOMPARE_GT;
    if (strict && count == list_length(whole->opnos))
      strategy = strategy == BTLessEqualStrategyNumber ? BTLessStrategyNumber : BTGreaterStrategyNumber;

    RowCompareExpr* comparison = makeNode(RowCompareExpr);
    comparison->rctype = static_cast<RowCompareType>(strategy);
    comparison->opfamilies = First(whole->opfamilies, count);
    comparison->inputcollids = First(whole->inputcollids, count);
    comparison->largs = First(on_left ? whole->largs : whole->rargs, count);
    comparison->rargs = First(on_left ? whole->rargs : whole->largs, count);
    List* of_comparison = list_make2_int(strategy, condition->indexcol + 1);
    for (int c = 0; c < count; c++) {
      const Oid op = list_nth_oid(whole->opnos, c);
      const Oid from_left = on_left ? op : get_commutator(op);
      int member_strategy;
      get_op_opfamily_properties(from_left, path.indexinfo->opfamily[condition->indexcol + c], false, &member_strategy,
                                 &left, &right);
      const Oid shown = get_opfamily_member(path.indexinfo->opfamily[condition->indexcol + c], left, right,
                                            static_cast<int16>(strategy));
      comparison->opnos = lappend_oid(comparison->opnos, OidIsValid(shown) ? shown : from_left);
      of_comparison = lappend_int(of_comparison, static_cast<int>(right));
    }
    *comparisons = lappend(*comparisons, copyObjectImpl(comparison));
    *numbers = lappend(*numbers, of_comparison);
  }
}

void RowComparisons::Init(const List* comparisons, const List* numbers, PlanState* parent) {
  count_ = list_length(comparisons);
  if (count_ == 0) return;
  context_ = CreateExprContext(parent->state);
  header_ = static_cast<ScanKeyData*>(palloc0(static_cast<Size>(count_) * sizeof *header_));
  int members = 0;
  for (int i = 0; i < count_; i++)
    members += list_length(static_cast<const RowCompareExpr*>(list_nth(comparisons, i))->rargs);
  ScanKeyData* member = static_cast<ScanKeyData*>(palloc0(static_cast<Size>(members) * sizeof *member));
  value_ = static_cast<ExprState**>(palloc(static_cast<Size>(members) * sizeof *value_));
  ExprState** value = value_;
  for (int i = 0; i < count_; i++) {
    const List* values = static_cast<const RowCompareExpr*>(list_nth(comparisons, i))->rargs;
    const List* of_comparison = static_cast<const List*>(list_nth(numbers, i));
    const StrategyNumber strategy = static_cast<StrategyNumber>(linitial_int(of_comparison));
    const int attribute = lsecond_int(of_comparison);
    header_[i].sk_flags = SK_ROW_HEADER;
    header_[i].sk_attno = static_cast<AttrNumber>(attribute);
    header_[i].sk_strategy = strategy;
    header_[i].sk_argument = PointerGetDatum(member);
    for (int m = 0; m < list_length(values); m++, member++) {
      member->sk_attno = static_cast<AttrNumber>(attribute + m);
      member->sk_strategy = strategy;
      member->sk_subtype = static_cast<Oid>(list_nth_int(of_comparison, 2 + m));
      *value++ = ExecInitExpr(static_cast<Expr*>(list_nth(values, m)), parent);
    }
    member[-1].sk_flags = SK_ROW_END;
  }
}

const ScanKeyData* RowComparisons::AddTo(const ScanKeyData* keys, int* count) {
  if (count_ == 0) return keys;
  ResetExprContext(context_);
  const MemoryContext old_context = MemoryContextSwitchTo(context_->ecxt_per_tuple_memory);
  ExprState** value = value_;
  for (int i = 0; i < count_; i++) {
    ScanKeyData* member = reinterpret_cast<ScanKeyData*>(DatumGetPointer(header_[i].sk_argument));
    for (bool last = false; !last; member++) {
      bool is_null;
      member->sk_argument = ExecEvalExpr(*value++, context_, &is_null);
      last = (member->sk_flags & SK_ROW_END) != 0;
      member->sk_flags = SK_ROW_MEMBER | (last ? SK_ROW_END : 0) | (is_null ? SK_ISNULL : 0);
    }
  }
  ScanKeyData* all = static_cast<ScanKeyData*>(palloc(static_cast<Size>(*count + count_) * sizeof *all));
  if (*count > 0) memcpy(all, keys, static_cast<Size>(*count) * sizeof *all);
  memcpy(all + *count, header_, static_cast<Size>(count_) * sizeof *all);
  MemoryContextSwitchTo(old_context);
  *count += count_;
  return all;
}

}  // namespace omendb::exec
