// What the planner is told about an index of ours.
//
// The planner reasons with B-tree operator families: whether a join finds one row at most,
// which clauses say the same.  Of an index it believes that only if the index's own families
// are those.  Ours have the same operators, by which they were made (am/validate.cpp), so the
// planner may be shown B-tree's in their place.  (Executors take the families from the index
// itself.)
#include "exec/paths.h"

#include "am/am.h"

extern "C" {
#include "access/htup_details.h"
#include "catalog/pg_am_d.h"
#include "catalog/pg_amop.h"
#include "nodes/pathnodes.h"
#include "utils/catcache.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
}

namespace omendb::exec {

namespace {

// Pairs of families that were compared, until an operator family changes.
struct FamilyPair {
  FamilyPair* next;
  Oid ours, btree;
  bool same;
};
FamilyPair* pairs;
MemoryContext pairs_context;

extern "C" void omendb_forget_families(Datum, int, uint32) {
  if (pairs_context != nullptr) MemoryContextReset(pairs_context);
  pairs = nullptr;
}

// Whether a family has all operators of another: somebody may have added to one only.
bool HasOperatorsOf(Oid family, Oid other) {
  CatCList* const members = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(other));
  bool has_all = true;
  for (int i = 0; i < members->n_members && has_all; i++) {
    const auto* member = reinterpret_cast<Form_pg_amop>(GETSTRUCT(&members->members[i]->tuple));
    has_all =
        member->amoppurpose == AMOP_SEARCH && get_op_opfamily_strategy(member->amopopr, family) == member->amopstrategy;
  }
  ReleaseSysCacheList(members);
  return has_all;
}

bool HaveSameOperators(Oid ours, Oid btree) {
  for (const FamilyPair* pair = pairs; pair != nullptr; pair = pair->next)
    if (pair->ours == ours && pair->btree == btree) return pair->same;
  const bool same = HasOperatorsOf(ours, btree) && HasOperatorsOf(btree, ours);
  if (pairs_context == nullptr)
    pairs_context = AllocSetContextCreate(CacheMemoryContext, "omendb operator families", ALLOCSET_SMALL_SIZES);
  FamilyPair* pair = static_cast<FamilyPair*>(MemoryContextAlloc(pairs_context, sizeof(FamilyPair)));
  *pair = {pairs, ours, btree, same};
  pairs = pair;
  return same;
}

}  // namespace

void RegisterIndexInfo() { CacheRegisterSyscacheCallback(AMOPOPID, omendb_forget_families, static_cast<Datum>(0)); }

void DescribeIndexes(RelOptInfo* rel) {
  ListCell* cell;
  foreach (cell, rel->indexlist) {
    IndexOptInfo* index = lfirst_node(IndexOptInfo, cell);
    if (index->hypothetical || !am::IsOurs(*index) || index->sortopfamily == nullptr) continue;
    bool same = true;
    for (int c = 0; c < index->nkeycolumns && same; c++)
      same = HaveSameOperators(index->opfamily[c], index->sortopfamily[c]);
    if (!same) continue;
    for (int c = 0; c < index->nkeycolumns; c++) index->opfamily[c] = index->sortopfamily[c];
    // Only at the ends of a B-tree the planner looks for the least and the greatest value of a
    // column, which statistics do not know of a table that grows; and only for a B-tree it
    // makes conditions of comparisons of rows (am/row_condition.h).
    index->relam = BTREE_AM_OID;
  }
}

}  // namespace omendb::exec
