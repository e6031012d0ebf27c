#include "exec/index_paths.h"

#include "am/am.h"

extern "C" {
#include "optimizer/paths.h"
}

namespace omendb::exec {

bool HasIndexOfOurs(const RelOptInfo& rel) {
  ListCell* cell;
  foreach (cell, rel.indexlist)
    if (am::IsOurs(*lfirst_node(IndexOptInfo, cell))) return true;
  return false;
}

List* CollectIndexPaths(PlannerInfo* root, RelOptInfo* rel) {
  // create_index_paths adds to the rel's lists, so it is given empty ones for the time being.
  List* const indexes = rel->indexlist;
  List* const paths = rel->pathlist;
  List* const partial_paths = rel->partial_pathlist;
  const bool consider_parallel = rel->consider_parallel;
  List* ours = NIL;
  ListCell* cell;
  foreach (cell, indexes)
    if (am::IsOurs(*lfirst_node(IndexOptInfo, cell))) ours = lappend(ours, lfirst(cell));
  rel->indexlist = ours;
  rel->pathlist = NIL;
  rel->partial_pathlist = NIL;
  rel->consider_parallel = false;
  create_index_paths(root, rel);
  List* found = NIL;
  foreach (cell, rel->pathlist)
    if (IsA(lfirst(cell), IndexPath)) found = lappend(found, lfirst(cell));
  rel->indexlist = indexes;
  rel->pathlist = paths;
  rel->partial_pathlist = partial_paths;
  rel->consider_parallel = consider_parallel;
  return found;
}

namespace {

struct KnownPaths {
  RelOptInfo* rel;
  List* paths;
};
// Of one planning, in its memory, which may be that of several; null when that is gone.
MemoryContext planning;
const PlannerGlobal* planned;
List* known;

extern "C" void omendb_planning_ends(void* context) {
  if (planning == context) planning = nullptr;
}

}  // namespace

const List* IndexPathsOf(PlannerInfo* root, RelOptInfo* rel) {
  // Not the current context: GEQO throws that away after each join order it tries.
  const MemoryContext context = root->planner_cxt;
  const MemoryContext old_context = MemoryContextSwitchTo(context);
  if (planning != context) {
    MemoryContextCallback* callback = static_cast<MemoryContextCallback*>(palloc0(sizeof *callback));
    callback->func = omendb_planning_ends;
    callback->arg = context;
    MemoryContextRegisterResetCallback(context, callback);
    planning = context;
    planned = nullptr;
  }
  if (planned != root->glob) {
    planned = root->glob;
    known = NIL;
  }
  ListCell* cell;
  KnownPaths* found = nullptr;
  foreach (cell, known)
    if (static_cast<KnownPaths*>(lfirst(cell))->rel == rel) found = static_cast<KnownPaths*>(lfirst(cell));
  if (found == nullptr) {
    found = static_cast<KnownPaths*>(palloc(sizeof *found));
    *found = {rel, CollectIndexPaths(root, rel)};
    foreach (cell, found->paths) static_cast<Path*>(lfirst(cell))->parallel_safe = rel->consider_parallel;
    known = lappend(known, found);
  }
  MemoryContextSwitchTo(old_context);
  return found->paths;
}

}  // namespace omendb::exec
