// Omendb Scan: the rows, or index entries, that an IndexScan or IndexOnlyScan would return,
// in the same order, read in batches.
#ifndef OMENDB_EXEC_SCAN_NODE_H
#define OMENDB_EXEC_SCAN_NODE_H

#include "pg/postgres.h"

extern "C" {
#include "nodes/extensible.h"
}

namespace omendb::exec {

extern const CustomScanMethods scan_methods;

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_SCAN_NODE_H
