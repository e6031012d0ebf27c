// Omendb Lookup Join: what its path hands to its plan, and its plan to the executor.
//
//   CustomScan (scanrelid 0)
//     custom_plans       outer plan; an Index Scan or Index Only Scan that is never run, and
//                        only says, through setrefs, which table and index
//     custom_scan_tlist  columns of the outer plan, then columns of the table that are needed,
//                        then those that only EXPLAIN needs, to show the index's conditions
//     custom_exprs       three lists: the index's conditions, the values that its key columns
//                        must be equal to, and the join filter
//     custom_private     two lists: numbers (PlanNumber), then one per needed column of the
//                        table: its attribute number in the table, or in the index if index-only;
//                        and the types of the values, by their OIDs
//     plan.qual          what is asked of joined rows, null-extended ones too
#ifndef OMENDB_EXEC_LOOKUP_JOIN_H
#define OMENDB_EXEC_LOOKUP_JOIN_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/extensible.h"
#include "nodes/plannodes.h"
}

namespace omendb::exec {

inline constexpr const char* kLookupJoinName = "Omendb Lookup Join";

// kKeepsOrder: joined rows are promised to come in the order of the outer side's.
enum PlanNumber { kJoinType, kSingleMatch, kKeepsOrder, kPlanNumbers };

inline const Plan* OuterPlanOf(const CustomScan& plan) { return static_cast<Plan*>(linitial(plan.custom_plans)); }
inline Plan* IndexPlanOf(const CustomScan& plan) { return static_cast<Plan*>(lsecond(plan.custom_plans)); }
inline Oid IndexOf(const CustomScan& plan) {
  Plan* scan = IndexPlanOf(plan);
  return IsA(scan, IndexOnlyScan) ? castNode(IndexOnlyScan, scan)->indexid : castNode(IndexScan, scan)->indexid;
}

inline Index TableOf(const CustomScan& plan) {
  Plan* scan = IndexPlanOf(plan);
  return IsA(scan, IndexOnlyScan) ? castNode(IndexOnlyScan, scan)->scan.scanrelid
                                  : castNode(IndexScan, scan)->scan.scanrelid;
}

// lookup_join_node.cpp
Node* CreateLookupJoinState(CustomScan* plan);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_LOOKUP_JOIN_H
