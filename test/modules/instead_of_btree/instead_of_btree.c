/*
 * Makes CREATE INDEX take omendb where it would take btree, asked for by name or not.
 *
 * Constraints keep their btree, and so do unique indexes of partitioned tables: for these PostgreSQL accepts no other
 * method (see "Unique indexes" in README.md). A database without the extension keeps all.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "fmgr.h"
#include "nodes/parsenodes.h"
#include "tcop/utility.h"
#include "utils/lsyscache.h"

PG_MODULE_MAGIC;

void _PG_init(void);

static ProcessUtility_hook_type previous_hook;

static bool may_be_omendb(const IndexStmt* statement) {
  Oid table;

  if (strcmp(statement->accessMethod, "btree") != 0 || statement->isconstraint) return false;
  if (!OidIsValid(get_index_am_oid("omendb", true))) return false;
  table = RangeVarGetRelid(statement->relation, NoLock, true);
  return !statement->unique || !OidIsValid(table) || get_rel_relkind(table) != RELKIND_PARTITIONED_TABLE;
}

static void instead_of_btree_utility(PlannedStmt* planned, const char* query, bool read_only_tree,
                                     ProcessUtilityContext context, ParamListInfo params, QueryEnvironment* environment,
                                     DestReceiver* destination, QueryCompletion* completion) {
  if (IsA(planned->utilityStmt, IndexStmt) && may_be_omendb((IndexStmt*)planned->utilityStmt)) {
    /* The statement may be a cached one, which belongs to others. */
    if (read_only_tree) planned = copyObject(planned);
    read_only_tree = false;
    ((IndexStmt*)planned->utilityStmt)->accessMethod = "omendb";
  }
  (previous_hook ? previous_hook : standard_ProcessUtility)(planned, query, read_only_tree, context, params,
                                                            environment, destination, completion);
}

void _PG_init(void) {
  previous_hook = ProcessUtility_hook;
  ProcessUtility_hook = instead_of_btree_utility;
}
