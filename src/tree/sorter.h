// Sorting the entries of an index build: in memory while they fit, in sorted runs in
// temporary files beyond, which are merged; and not at all if they come in order.
//
// Several processes may each sort a part.  All but one hand their runs over, in files
// that they share, and that one merges all.
#ifndef OMENDB_TREE_SORTER_H
#define OMENDB_TREE_SORTER_H

#include "tree/page.h"

extern "C" {
#include "storage/fileset.h"
}

namespace omendb::tree {

class Sorter;

// memory_kb: how much to use before a run is written.
Sorter* BeginSort(const Shape& shape, int memory_kb);
void AddToSort(Sorter* sorter, const Entry& entry);
// No more entries.  Afterwards NextSorted returns them in key order, and with them those
// of the parts that were taken over before.
void PerformSort(Sorter* sorter);
// Appends the next entries to *out, until that has `capacity`; false if there are no more.
bool NextSorted(Sorter* sorter, uint32 capacity, core::Entries* out);
void EndSort(Sorter* sorter);

// The same for a part of the entries, whose runs are to be in a file of the set.
Sorter* BeginPartOfSort(const Shape& shape, int memory_kb, FileSet* files, int part);
// No more entries: leaves them, sorted, to who calls TakeOverPart.  Ends the sort.
void HandOverPart(Sorter* sorter);
// Adds those that another process has handed over.  The set must last until EndSort.
void TakeOverPart(Sorter* sorter, FileSet* files, int part);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_SORTER_H
