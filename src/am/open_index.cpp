#include "am/insert_buffer.h"

#include "am/open_index.h"

extern "C" {
#include "access/relation.h"
#include "commands/defrem.h"
}

namespace omendb::am {

Relation OpenIndex(Oid index_oid, LOCKMODE lock, const char* purpose) {
  const Relation index = relation_open(index_oid, lock);
  if (index->rd_rel->relkind != RELKIND_INDEX || index->rd_rel->relam != get_index_am_oid("omendb", false))
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not an omendb index", RelationGetRelationName(index)),
                    errhint("Instead of a partitioned index, name those of its partitions.")));
  if (RELATION_IS_OTHER_TEMP(index))
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot %s index \"%s\"", purpose, RelationGetRelationName(index)),
                    errdetail("It belongs to a temporary table of another session.")));
  // Whoever asks for an index by name looks at its pages.
  FlushInserts(index);
  return index;
}

}  // namespace omendb::am
