// Comparisons of rows, (a, b) > (x, y), as conditions of an index.
//
// The planner makes index conditions of them for indexes that it takes for B-trees, as it does
// ours (exec/index_info.cpp), but the executor gives them to B-trees only.  So what the planner
// made is weakened to what the comparison says of the leading column, a >= x, and the whole
// comparison is asked of the row.
#ifndef OMENDB_AM_ROW_CONDITION_H
#define OMENDB_AM_ROW_CONDITION_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/pathnodes.h"
}

namespace omendb::am {

// Weakens the conditions of a path that compare rows.  Returns what it costs to ask the rows that
// the index finds, as far as the planner believed the index to do that.  A condition's
// `indexcols` stay: the index columns that its leading ones are.
QualCost WeakenRowConditions(PlannerInfo* root, const IndexPath& path);

}  // namespace omendb::am

#endif  // OMENDB_AM_ROW_CONDITION_H
