// Building an index with parallel workers: each process scans some of the table's blocks
// and sorts what it finds; the leader merges all and writes the pages.
#ifndef OMENDB_AM_PARALLEL_BUILD_H
#define OMENDB_AM_PARALLEL_BUILD_H

#include "am/layout.h"
#include "tree/sorter.h"

extern "C" {
#include "access/tableam.h"
#include "nodes/execnodes.h"
}

namespace omendb::am {

// Scans the table, or this process's share of it, into a sorter.  Returns how many rows
// it had, dead ones included; *entries gets how many came to the index.
double ScanIntoSort(Relation heap, Relation index, IndexInfo* index_info, const Layout& layout, tree::Sorter* sorter,
                    ParallelTableScanDesc share, double* entries);

// A build in which workers take part, from Begin to End.
struct ParallelBuild;

// Starts workers, if PostgreSQL's settings and the table's size call for some.  Null if
// none could be had: then the build is serial.
ParallelBuild* BeginParallelBuild(Relation heap, Relation index, const IndexInfo& index_info);
// The leader's part of the work, with a part of the memory, into its own sorter; then the
// workers' parts are waited for and taken over.
tree::Sorter* SortInParallel(ParallelBuild* build, Relation heap, Relation index, IndexInfo* index_info,
                             const Layout& layout, double* heap_tuples, double* entries);
// When everything was read from the sorter.
void EndParallelBuild(ParallelBuild* build);

}  // namespace omendb::am

#endif  // OMENDB_AM_PARALLEL_BUILD_H
