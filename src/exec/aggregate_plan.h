// What an Omendb Aggregate plan says besides its index scan: from the planner to the executor.
#ifndef OMENDB_EXEC_AGGREGATE_PLAN_H
#define OMENDB_EXEC_AGGREGATE_PLAN_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
}

namespace omendb::exec {

// What a column of the result is.
enum class OutputKind : int { kGroupKey, kCountRows, kCount, kSum, kAverage, kLeast, kGreatest };

struct Output {
  OutputKind kind;
  int attribute;  // of the index, from 0; -1 if it is of none
  Oid type;       // of the attribute
};

// The function of the last grouping column that rows are grouped by, if it is not the column
// itself: date_trunc or date_bin, which map all values from one of their results up to the
// next to that result.
struct Step {
  Oid function;   // InvalidOid: none
  Const* width;   // first argument: unit or stride
  Const* origin;  // third argument, if there is one: origin of date_bin, zone of date_trunc
};

// A plan's custom_private is (outputs, (columns), (function), width, origin).
struct AggregatePlan {
  // One for each column of custom_scan_tlist.
  int outputs;
  Output* output;
  // Rows are of one group if they agree in these leading columns of the index; 0: all are.
  int columns;
  Step step;
};

List* EncodePlan(const AggregatePlan& plan);
AggregatePlan* DecodePlan(List* encoded);

// aggregate_node.cpp: makes the executor's state of a plan.
Node* CreateAggregateState(CustomScan* scan);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_AGGREGATE_PLAN_H
