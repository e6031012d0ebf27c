// Batched execution: plan nodes that work on many entries and rows at a time.
//
//   Omendb Scan         scan_path, scan_node             a range, or a list of keys
//   Omendb Lookup Join  lookup_join_path, ..._node       a nested loop with an equality lookup inside
//   Omendb Aggregate    aggregate_path, ..._node         count, sum, avg, min, max from packed columns
//
// Each gives exactly the rows of the plan that it replaces, and has a setting to switch it off.
#ifndef OMENDB_EXEC_EXEC_H
#define OMENDB_EXEC_EXEC_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace omendb::exec {

extern bool enable_scan;
extern bool enable_lookup_join;
extern bool enable_aggregate;

// Defines the settings, registers the nodes and sets the planner's hooks.  From _PG_init.
void Init();

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_EXEC_H
