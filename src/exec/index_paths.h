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

// The same, as safe for parallel plans as the table is, made once a table and planning.
const List* IndexPathsOf(PlannerInfo* root, RelOptInfo* rel);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_INDEX_PATHS_H
