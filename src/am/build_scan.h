// Reading the table for an index build.
//
// The table access method's own scan locks and unlocks each page twice a row, to see
// whether the row is dead or was updated in place.  On nearly all pages of nearly all
// tables every row is simply live.  heapam's pages of this kind are read here, with one
// lock a page; all others, and all of other access methods, by the access method.
#ifndef OMENDB_AM_BUILD_SCAN_H
#define OMENDB_AM_BUILD_SCAN_H

#include "pg/postgres.h"

extern "C" {
#include "access/tableam.h"
#include "nodes/execnodes.h"
}

namespace omendb::am {

// As table_index_build_scan: calls back for each row that the index must have, and returns
// how many rows the table has.  `share` says which blocks are this process's where several
// take part; null: all are.
double ScanForBuild(Relation heap, Relation index, IndexInfo* index_info, bool progress, IndexBuildCallback callback,
                    void* opaque, ParallelTableScanDesc share);

}  // namespace omendb::am

#endif  // OMENDB_AM_BUILD_SCAN_H
