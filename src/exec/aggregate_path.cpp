#include "exec/paths.h"

namespace omendb::exec {

void RegisterAggregate() {}

void AddAggregatePaths(PlannerInfo*, RelOptInfo*, RelOptInfo*, const GroupPathExtraData&) {}

}  // namespace omendb::exec
