// What each node adds to the planner, called from the hooks in exec.cpp.
#ifndef OMENDB_EXEC_PATHS_H
#define OMENDB_EXEC_PATHS_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace omendb::exec {

// index_info.cpp: what the planner believes of the table's indexes.
void RegisterIndexInfo();
void DescribeIndexes(RelOptInfo* rel);

// scan_path.cpp
void RegisterScan();
void AddScanPaths(PlannerInfo* root, RelOptInfo* rel, RangeTblEntry* rte);
// What an Omendb Scan that returns so many rows costs less than an IndexScan.
Cost SavedByScan(double rows);

// lookup_join_path.cpp
void RegisterLookupJoin();
void AddLookupJoinPaths(PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner, JoinType type,
                        const JoinPathExtraData& extra);

// aggregate_path.cpp
void RegisterAggregate();
void AddAggregatePaths(PlannerInfo* root, RelOptInfo* input, RelOptInfo* output, const GroupPathExtraData& extra);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_PATHS_H
