// What EXPLAIN shows of a node of ours, in PostgreSQL's own words.
#ifndef OMENDB_EXEC_EXPLAIN_H
#define OMENDB_EXEC_EXPLAIN_H

#include "pg/postgres.h"

extern "C" {
#include "commands/explain.h"
#include "nodes/execnodes.h"
}

namespace omendb::exec {

// A list of conditions, if there are any, as "Index Cond" or "Filter" are shown.  `plan` is the
// one whose columns they are about.
void ShowConditions(const char* label, List* conditions, Plan* plan, List* ancestors, ExplainState* explain);

// The name of an index.
void ShowIndex(Oid index, ExplainState* explain);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_EXPLAIN_H
