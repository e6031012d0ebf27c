// Sorting the rows of an index that has bytes columns, for its build: by PostgreSQL's
// tuplesort, which compares with abbreviated keys where a type has them, and writes to disk
// what does not fit.
#ifndef OMENDB_AM_VALUE_SORT_H
#define OMENDB_AM_VALUE_SORT_H

#include "am/layout.h"

extern "C" {
#include "executor/tuptable.h"
#include "utils/tuplesort.h"
}

namespace omendb::am {

class ValueSort {
 public:
  // Its memory belongs to the current context.  `unique`: entries have tree::MarkedTids.
  ValueSort(Relation index, const Layout& layout, bool unique, int memory_kb);

  void Add(const Datum* values, const bool* isnull, ItemPointer tid, bool alive);
  void Perform() { tuplesort_performsort(sort_); }
  // The next row, in the order of the index, as an entry, whose values stay until the next
  // call; false if there is none.
  bool Next(tree::Entry* entry);
  void End();

 private:
  const Layout& layout_;
  bool unique_;
  TupleDesc desc_;  // the index's attributes, and the TID
  Tuplesortstate* sort_;
  TupleTableSlot* in_;
  TupleTableSlot* out_;
  MemoryContext row_context_;
  core::KeyBytes values_;
};

}  // namespace omendb::am

#endif  // OMENDB_AM_VALUE_SORT_H
