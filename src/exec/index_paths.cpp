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

}  // namespace omendb::exec
