#include "exec/exec.h"

#include "exec/on_conflict.h"
#include "exec/paths.h"

#include "pg/guard.h"

extern "C" {
#include "optimizer/paths.h"
#include "optimizer/plancat.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
}

namespace omendb::exec {

bool enable_scan = true;
bool enable_lookup_join = true;
bool enable_aggregate = true;

namespace {

get_relation_info_hook_type next_get_relation_info;
set_rel_pathlist_hook_type next_set_rel_pathlist;
set_join_pathlist_hook_type next_set_join_pathlist;
create_upper_paths_hook_type next_create_upper_paths;

extern "C" {

void omendb_get_relation_info(PlannerInfo* root, Oid relation, bool inhparent, RelOptInfo* rel) {
  if (next_get_relation_info != nullptr) next_get_relation_info(root, relation, inhparent, rel);
  pg::Guarded([&] { DescribeIndexes(rel); });
}

void omendb_set_rel_pathlist(PlannerInfo* root, RelOptInfo* rel, Index rti, RangeTblEntry* rte) {
  if (next_set_rel_pathlist != nullptr) next_set_rel_pathlist(root, rel, rti, rte);
  pg::Guarded([&] {
    if (enable_scan) AddScanPaths(root, rel, rte);
  });
}

void omendb_set_join_pathlist(PlannerInfo* root, RelOptInfo* join, RelOptInfo* outer, RelOptInfo* inner, JoinType type,
                              JoinPathExtraData* extra) {
  if (next_set_join_pathlist != nullptr) next_set_join_pathlist(root, join, outer, inner, type, extra);
  pg::Guarded([&] {
    if (enable_lookup_join) AddLookupJoinPaths(root, join, outer, inner, type, *extra);
  });
}

void omendb_create_upper_paths(PlannerInfo* root, UpperRelationKind stage, RelOptInfo* input, RelOptInfo* output,
                               void* extra) {
  if (next_create_upper_paths != nullptr) next_create_upper_paths(root, stage, input, output, extra);
  pg::Guarded([&] {
    if (enable_aggregate && stage == UPPERREL_GROUP_AGG)
      AddAggregatePaths(root, input, output, *static_cast<GroupPathExtraData*>(extra));
  });
}

}  // extern "C"

void DefineSwitch(const char* name, const char* description, bool* setting) {
  DefineCustomBoolVariable(name, description, nullptr, setting, true, PGC_USERSET, GUC_EXPLAIN, nullptr, nullptr,
                           nullptr);
}

}  // namespace

void Init() {
  DefineSwitch("omendb.enable_scan", "Enables the planner's use of Omendb Scan plans.", &enable_scan);
  DefineSwitch("omendb.enable_lookup_join", "Enables the planner's use of Omendb Lookup Join plans.",
               &enable_lookup_join);
  DefineSwitch("omendb.enable_aggregate", "Enables the planner's use of Omendb Aggregate plans.", &enable_aggregate);
  RegisterIndexInfo();
  RegisterScan();
  RegisterLookupJoin();
  RegisterAggregate();
  InitOnConflict();
  next_get_relation_info = get_relation_info_hook;
  get_relation_info_hook = omendb_get_relation_info;
  next_set_rel_pathlist = set_rel_pathlist_hook;
  set_rel_pathlist_hook = omendb_set_rel_pathlist;
  next_set_join_pathlist = set_join_pathlist_hook;
  set_join_pathlist_hook = omendb_set_join_pathlist;
  next_create_upper_paths = create_upper_paths_hook;
  create_upper_paths_hook = omendb_create_upper_paths;
}

}  // namespace omendb::exec
