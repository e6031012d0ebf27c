// The planner's paths over indexes of ours.
#ifndef OMENDB_EXEC_INDEX_PATHS_H
#define OMENDB_EXEC_INDEX_PATHS_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace omendb::exec {

bool HasIndexOfOurs(const RelOptInfo& rel);

// The IndexPaths over indexes of ours that PostgreSQL makes for a table, plain and
// index-only, parameterized ones too, whether or not they are among the rel's cheapest.
List* CollectIndexPaths(PlannerInfo* root, RelOptInfo* rel);

// The parameterized ones of them, as PostgreSQL made them for the table, if RememberJoinPaths
// was called when the library was loaded.
List* JoinPathsOf(const PlannerInfo* root, const RelOptInfo* rel);
void RememberJoinPaths();

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_INDEX_PATHS_H
