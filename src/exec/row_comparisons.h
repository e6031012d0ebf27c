// Comparisons of rows, (a, b) > (x, y), as a scan of ours is told of them.
//
// PostgreSQL's plan asks the index what they say of the leading column (am/row_condition.h), and
// the row for the rest.  So does ours; but the scan begins, or ends, where the whole of it says.
#ifndef OMENDB_EXEC_ROW_COMPARISONS_H
#define OMENDB_EXEC_ROW_COMPARISONS_H

#include "pg/postgres.h"

extern "C" {
#include "access/skey.h"
#include "nodes/execnodes.h"
#include "nodes/pathnodes.h"
}

namespace omendb::exec {

class RowComparisons {
 public:
  // For a plan: the comparisons of a path, as far as their columns are consecutive ones of the
  // index, as RowCompareExprs with the index's columns on the left, and for each a list of
  // numbers.
  static void Plan(const IndexPath& path, List** comparisons, List** numbers);

  // REQUIRES: zeroed.
  void Init(const List* comparisons, const List* numbers, PlanState* parent);

  // The keys of a (re)scan: `keys`, and a header for each comparison.  They live until the next
  // call.
  const ScanKeyData* AddTo(const ScanKeyData* keys, int* count);

 private:
  int count_;
  ScanKeyData* header_;
  ExprState** value_;  // of all members, one comparison after the other
  ExprContext* context_;
};

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_ROW_COMPARISONS_H
