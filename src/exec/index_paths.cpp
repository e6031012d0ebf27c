#include "exec/index_paths.h"

#include "am/am.h"
#include "exec/exec.h"

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
  // Bitmaps, which may be cheaper, are not wanted, and cost the most to plan.
  List* const indexes = rel->indexlist;
  List* const paths = rel->pathlist;
  List* const partial_paths = rel->partial_pathlist;
  const bool consider_parallel = rel->consider_parallel;
  List* ours = NIL;
  ListCell* cell;
  foreach (cell, indexes)
    if (am::IsOurs(*lfirst_node(IndexOptInfo, cell))) ours = lappend(ours, lfirst(cell));
  foreach (cell, ours) lfirst_node(IndexOptInfo, cell)->amhasgetbitmap = false;
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
  foreach (cell, ours) lfirst_node(IndexOptInfo, cell)->amhasgetbitmap = true;
  return found;
}

// --- Paths of joins. ---

namespace {

// Of one planning at a time in each of the memory contexts that planners work in; there may be
// several, as planning one query may run another.  It lives in that context.
struct Planning {
  MemoryContext context;
  const PlannerGlobal* planned;
  List* paths;
  Planning* next;
};
Planning* plannings;

Planning* PlanningOf(const PlannerInfo* root) {
  for (Planning* p = plannings; p != nullptr; p = p->next)
    if (p->context == root->planner_cxt) return p;
  return nullptr;
}

extern "C" void omendb_planning_ends(void* planning) {
  Planning** at = &plannings;
  while (*at != nullptr && *at != planning) at = &(*at)->next;
  if (*at != nullptr) *at = (*at)->next;
}

Planning* BeginPlanning(const PlannerInfo* root) {
  Planning* planning = static_cast<Planning*>(palloc0(sizeof *planning));
  planning->context = root->planner_cxt;
  planning->next = plannings;
  MemoryContextCallback* callback = static_cast<MemoryContextCallback*>(palloc0(sizeof *callback));
  callback->func = omendb_planning_ends;
  callback->arg = planning;
  MemoryContextRegisterResetCallback(root->planner_cxt, callback);
  plannings = planning;
  return planning;
}

// Whether a path's conditions are whole ones of the query.  Those of arms of an OR are not: a
// path for an arm is of use only together with others, in a bitmap.
bool HasWholeConditions(const IndexPath& path) {
  ListCell* cell;
  foreach (cell, path.indexclauses) {
    RestrictInfo* clause = lfirst_node(IndexClause, cell)->rinfo;
    if (clause->parent_ec == nullptr && !list_member_ptr(path.path.param_info->ppi_clauses, clause) &&
        !list_member_ptr(path.path.parent->baserestrictinfo, clause))
      return false;
  }
  return true;
}

// Remembers a parameterized path: to plan them once more for joins would take as long as the
// first time.  (add_path frees no IndexPath, as bitmaps may use those that it does not take.)
void RememberPath(PlannerInfo* root, IndexPath* path) {
  if (!enable_lookup_join || path->path.param_info == nullptr || ScanDirectionIsBackward(path->indexscandir)) return;
  // GEQO works in a context that does not last; but a table's own paths are made before.
  if (CurrentMemoryContext != root->planner_cxt || !HasWholeConditions(*path)) return;
  Planning* planning = PlanningOf(root);
  if (planning == nullptr) planning = BeginPlanning(root);
  if (planning->planned != root->glob) {
    planning->planned = root->glob;
    planning->paths = NIL;
  }
  planning->paths = lappend(planning->paths, path);
}

}  // namespace

void RememberJoinPaths() { am::path_listener = RememberPath; }

List* JoinPathsOf(const PlannerInfo* root, const RelOptInfo* rel) {
  List* found = NIL;
  const Planning* planning = PlanningOf(root);
  if (planning == nullptr || planning->planned != root->glob) return NIL;
  ListCell* cell;
  foreach (cell, planning->paths)
    if (lfirst_node(IndexPath, cell)->path.parent == rel) found = lappend(found, lfirst(cell));
  return found;
}

}  // namespace omendb::exec
