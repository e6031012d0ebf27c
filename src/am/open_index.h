// Indexes by name, for functions.
#ifndef OMENDB_AM_OPEN_INDEX_H
#define OMENDB_AM_OPEN_INDEX_H

#include "pg/postgres.h"

extern "C" {
#include "storage/lock.h"
#include "utils/rel.h"
}

namespace omendb::am {

// Opens an index of ours.  ERRCODE_WRONG_OBJECT_TYPE if it is something else,
// ERRCODE_FEATURE_NOT_SUPPORTED if it is another session's temporary one, whose pages
// are not to be had; `purpose` is what cannot be done with it.
Relation OpenIndex(Oid index_oid, LOCKMODE lock, const char* purpose);

}  // namespace omendb::am

#endif  // OMENDB_AM_OPEN_INDEX_H
