// Some columns of a table's rows, as the executor wants them.
//
// A slot that is asked for one column takes the row apart from its first column on, and a
// projection copies what it found.  Where a column is in a row is the same for all rows, though,
// as long as the columns before it have fixed lengths and the row has them all: then it is
// just read.  Other rows are taken apart by a slot, which knows of all that a row may lack.
#ifndef OMENDB_EXEC_ROW_COLUMNS_H
#define OMENDB_EXEC_ROW_COLUMNS_H

#include <type_traits>

#include "pg/postgres.h"

extern "C" {
#include "access/htup_details.h"
#include "access/tupmacs.h"
#include "executor/tuptable.h"
#include "nodes/execnodes.h"
}

namespace omendb::exec {

class RowColumns {
 public:
  // REQUIRES: attributes of the table, no system columns.  Its memory is the query's.
  void Init(TupleDesc desc, const AttrNumber* attributes, int count, EState* estate);

  // Values that are passed by reference point into the row.
  void Get(HeapTuple row, Datum* values, bool* nulls) {
    if (unlikely(!is_fixed_ || !HasAll(*row->t_data))) return TakeApart(row, values, nulls);
    const char* data = reinterpret_cast<const char*>(row->t_data) + row->t_data->t_hoff;
    for (int c = 0; c < count_; c++) {
      values[c] = fetch_att(data + column_[c].offset, column_[c].by_value, column_[c].length);
      nulls[c] = false;
    }
  }

 private:
  struct Column {
    AttrNumber attribute;
    bool by_value;
    int16 length;
    uint32 offset;  // if is_fixed_
  };

  // Whether all attributes up to the last that is wanted are there.  (A row that was stored
  // before a column was added does not have it; in one that was stored after a column was
  // dropped, that is null.)
  bool HasAll(const HeapTupleHeaderData& header) const {
    if (unlikely(HeapTupleHeaderGetNatts(&header) < last_)) return false;
    if (likely((header.t_infomask & HEAP_HASNULL) == 0)) return true;
    for (int byte = 0; byte < last_ / BITS_PER_BYTE; byte++)
      if (header.t_bits[byte] != 0xFF) return false;
    const int rest = (1 << last_ % BITS_PER_BYTE) - 1;
    return rest == 0 || (header.t_bits[last_ / BITS_PER_BYTE] & rest) == rest;
  }
  void TakeApart(HeapTuple row, Datum* values, bool* nulls);

  TupleDesc desc_;
  EState* estate_;
  int count_;
  Column* column_;
  bool is_fixed_;        // all columns are, in rows that have all attributes up to the last
  AttrNumber last_;      // the greatest of their numbers
  TupleTableSlot* row_;  // when there is a row to be taken apart
};

static_assert(std::is_trivially_destructible_v<RowColumns>);

}  // namespace omendb::exec

#endif  // OMENDB_EXEC_ROW_COLUMNS_H
