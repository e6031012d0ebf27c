// The library omendb_cold.so, which is linked with RocksDB, and what this backend has open in it.
#ifndef OMENDB_TREE_COLD_LIBRARY_H
#define OMENDB_TREE_COLD_LIBRARY_H

#include "cold/api.h"

#include "pg/postgres.h"

namespace omendb::tree {

// Loads the library the first time.  ERRCODE_FEATURE_NOT_SUPPORTED, with what to install, if it is not there.
const cold::Api& ColdLibrary();

}  // namespace omendb::tree

#endif  // OMENDB_TREE_COLD_LIBRARY_H
