#include "exec/row_columns.h"

extern "C" {
#include "executor/executor.h"
#include "utils/memutils.h"
}

namespace omendb::exec {

void RowColumns::Init(TupleDesc desc, const AttrNumber* attributes, int count, EState* estate) {
  desc_ = desc;
  estate_ = estate;
  count_ = count;
  column_ = static_cast<Column*>(
      MemoryContextAlloc(estate->es_query_cxt, static_cast<Size>(Max(count, 1)) * sizeof *column_));
  row_ = nullptr;
  last_ = 0;
  for (int c = 0; c < count; c++) {
    Assert(attributes[c] > 0 && attributes[c] <= desc->natts);
    const FormData_pg_attribute* attribute = TupleDescAttr(desc, attributes[c] - 1);
    column_[c] = {attributes[c], attribute->attbyval, attribute->attlen, 0};
    last_ = Max(last_, attributes[c]);
  }
  is_fixed_ = true;
  uint32 offset = 0;
  for (AttrNumber a = 1; a <= last_; a++) {
    const FormData_pg_attribute* attribute = TupleDescAttr(desc, a - 1);
    const uint32 aligned = static_cast<uint32>(att_align_nominal(offset, attribute->attalign));
    // A varlena is aligned only if its header is of four bytes.
    if (attribute->attlen <= 0 && !(attribute->attlen == -1 && a == last_ && aligned == offset)) {
      is_fixed_ = false;
      return;
    }
    offset = aligned;
    for (int c = 0; c < count; c++)
      if (column_[c].attribute == a) column_[c].offset = offset;
    if (a < last_) offset += static_cast<uint32>(attribute->attlen);
  }
}

void RowColumns::TakeApart(HeapTuple row, Datum* values, bool* nulls) {
  if (row_ == nullptr) {
    const MemoryContext old_context = MemoryContextSwitchTo(estate_->es_query_cxt);
    row_ = ExecAllocTableSlot(&estate_->es_tupleTable, desc_, &TTSOpsHeapTuple);
    MemoryContextSwitchTo(old_context);
  }
  ExecStoreHeapTuple(row, row_, false);
  slot_getsomeattrs(row_, last_);
  for (int c = 0; c < count_; c++) {
    values[c] = row_->tts_values[column_[c].attribute - 1];
    nulls[c] = row_->tts_isnull[column_[c].attribute - 1];
  }
}

}  // namespace omendb::exec
