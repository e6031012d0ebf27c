#include "exec/aggregate_plan.h"

namespace omendb::exec {

List* EncodePlan(const AggregatePlan& plan) {
  List* outputs = NIL;
  for (int i = 0; i < plan.outputs; i++)
    outputs = lappend(outputs, list_make3_int(static_cast<int>(plan.output[i].kind), plan.output[i].attribute,
                                              static_cast<int>(plan.output[i].type)));
  return list_make5(outputs, list_make2_int(plan.columns, plan.partial ? 1 : 0), list_make1_oid(plan.step.function), plan.step.width,
                    plan.step.origin);
}

AggregatePlan* DecodePlan(List* encoded) {
  AggregatePlan* plan = static_cast<AggregatePlan*>(palloc(sizeof(AggregatePlan)));
  const List* outputs = linitial_node(List, encoded);
  plan->outputs = list_length(outputs);
  plan->output = static_cast<Output*>(palloc(sizeof(Output) * static_cast<Size>(Max(plan->outputs, 1))));
  for (int i = 0; i < plan->outputs; i++) {
    const List* output = static_cast<List*>(list_nth(outputs, i));
    plan->output[i] = {static_cast<OutputKind>(linitial_int(output)), lsecond_int(output),
                       static_cast<Oid>(lthird_int(output))};
  }
  plan->columns = linitial_int(static_cast<List*>(lsecond(encoded)));
  plan->partial = lsecond_int(static_cast<List*>(lsecond(encoded))) != 0;
  plan->step = {linitial_oid(static_cast<List*>(lthird(encoded))), static_cast<Const*>(lfourth(encoded)),
                static_cast<Const*>(list_nth(encoded, 4))};
  return plan;
}

}  // namespace omendb::exec
