#include "exec/explain.h"

extern "C" {
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
}

namespace omendb::exec {

void ShowConditions(const char* label, List* conditions, Plan* plan, List* ancestors, ExplainState* explain) {
  if (conditions == NIL) return;
  List* context = set_deparse_context_plan(explain->deparse_cxt, plan, ancestors);
  Node* condition = reinterpret_cast<Node*>(make_ands_explicit(conditions));
  const bool with_table_names = list_length(explain->rtable) > 1 || explain->verbose;
  ExplainPropertyText(label, deparse_expression(condition, context, with_table_names, false), explain);
}

void ShowIndex(Oid index, ExplainState* explain) {
  const char* name = explain_get_index_name_hook != nullptr ? explain_get_index_name_hook(index) : nullptr;
  if (name == nullptr) name = get_rel_name(index);
  if (name == nullptr) elog(ERROR, "cache lookup failed for index %u", index);
  ExplainPropertyText("Index Name", name, explain);
}

}  // namespace omendb::exec
