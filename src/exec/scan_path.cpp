#include "exec/paths.h"

namespace omendb::exec {

void RegisterScan() {}

void AddScanPaths(PlannerInfo*, RelOptInfo*, RangeTblEntry*) {}

}  // namespace omendb::exec
