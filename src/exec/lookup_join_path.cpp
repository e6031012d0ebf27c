#include "exec/paths.h"

namespace omendb::exec {

void RegisterLookupJoin() {}

void AddLookupJoinPaths(PlannerInfo*, RelOptInfo*, RelOptInfo*, RelOptInfo*, JoinType, const JoinPathExtraData&) {}

}  // namespace omendb::exec
