// What an Omendb Aggregate plan says besides its index scan: from the planner to the executor.
#ifndef OMENDB_EXEC_AGGREGATE_PLAN_H
#define OMENDB_EXEC_AGGREGATE_PLAN_H

#include "pg/postgres.h"

extern "C" {
#include "catalog/pg_type_d.h"
#include "nodes/extensible.h"
#include "nodes/pathnodes.h"
#include "nodes/plannodes.h"
}

namespace omendb::exec {

// Of several processes, each takes so many leaves at a time, or more.
inline constexpr uint32 kShareLeaves = 32;

// What a column of the result is.
enum class OutputKind : int { kGroupKey, kCountRows, kCount, kSum, kAverage, kLeast, kGreatest };

struct Output {
  OutputKind kind;
  int attribute;  // of the index, from 0; -1 if it is of none
  Oid type;       // of the attribute
};

// Whether it depends on more of the values than their count, sum, least and greatest as they
// are stored: on the order of rows.
inline bool IsFloatTotal(const Output& output) {
  return (output.type == FLOAT4OID || output.type == FLOAT8OID) && output.kind != OutputKind::kGroupKey &&
         output.kind != OutputKind::kCount;
}

// The function of the last grouping column that rows are grouped by, if it is not the column
// itself: date_trunc or date_bin, which map all values from one of their results up to the
// next to that result.
struct Step {
  Oid function;   // InvalidOid: none
  Const* width;   // first argument: unit or stride
  Const* origin;  // third argument, if there is one: origin of date_bin, zone of date_trunc
};

// A plan's custom_private is (outputs, (columns, partial), (function), width, origin).
struct AggregatePlan {
  // One for each column of custom_scan_tlist.
  int outputs;
  Output* output;
  // Rows are of one group if they agree in these leading columns of the index; 0: all are.
  int columns;
  Step step;
  // Aggregates give the states of their transitions, for an Agg above to combine.
  bool partial;
};

List* EncodePlan(const AggregatePlan& plan);
AggregatePlan* DecodePlan(List* encoded);

// aggregate_node.cpp: makes the executor's state of a plan.
Node* CreateAggregateState(CustomScan* scan);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_AGGREGATE_PLAN_H
