// Sorting the entries of an index build: not at all if they come in order, in
// memory while they fit maintenance_work_mem, with PostgreSQL's tuplesort beyond.
#ifndef OMENDB_TREE_SORTER_H
#define OMENDB_TREE_SORTER_H

#include "tree/page.h"

namespace omendb::tree {

class Sorter;

// memory_kb: how much to use before spilling.
Sorter* BeginSort(const Shape& shape, int memory_kb);
void AddToSort(Sorter* sorter, const Entry& entry);
// No more entries.  Afterwards NextSorted returns them in key order.
void PerformSort(Sorter* sorter);
bool NextSorted(Sorter* sorter, Entry* entry);
void EndSort(Sorter* sorter);

}  // namespace omendb::tree

#endif  // OMENDB_TREE_SORTER_H
