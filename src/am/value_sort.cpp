#include "am/value_sort.h"

#include "tree/build.h"

extern "C" {
#include "access/stratnum.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
}

namespace omendb::am {

ValueSort::ValueSort(Relation index, const Layout& layout, bool unique, int memory_kb)
    : layout_(layout), unique_(unique) {
  const TupleDesc index_desc = RelationGetDescr(index);
  const int attributes = layout.attributes, keys = layout.key_attributes;
  desc_ = CreateTemplateTupleDesc(attributes + 1);
  for (int a = 1; a <= attributes; a++)
    TupleDescCopyEntry(desc_, static_cast<AttrNumber>(a), index_desc, static_cast<AttrNumber>(a));
  TupleDescInitEntry(desc_, static_cast<AttrNumber>(attributes + 1), "tid", INT8OID, -1, 0);

  AttrNumber numbers[INDEX_MAX_KEYS + 1];
  Oid operators[INDEX_MAX_KEYS + 1], collations[INDEX_MAX_KEYS + 1];
  bool nulls_first[INDEX_MAX_KEYS + 1];
  for (int a = 0; a < keys; a++) {
    const Attribute& attribute = layout.attribute[a];
    const int16 strategy = attribute.descending ? BTGreaterStrategyNumber : BTLessStrategyNumber;
    numbers[a] = static_cast<AttrNumber>(a + 1);
    operators[a] = get_opfamily_member(attribute.opfamily, attribute.opcintype, attribute.opcintype, strategy);
    if (!OidIsValid(operators[a]))
      elog(ERROR, "missing operator %d(%u,%u) in opfamily %u", strategy, attribute.opcintype, attribute.opcintype,
           attribute.opfamily);
    collations[a] = index->rd_indcollation[a];
    nulls_first[a] = attribute.nulls_first;
  }
  numbers[keys] = static_cast<AttrNumber>(attributes + 1);
  operators[keys] = Int8LessOperator;
  collations[keys] = InvalidOid;
  nulls_first[keys] = false;
  sort_ = tuplesort_begin_heap(desc_, keys + 1, numbers, operators, collations, nulls_first, memory_kb, nullptr,
                               TUPLESORT_NONE);
  in_ = MakeSingleTupleTableSlot(desc_, &TTSOpsVirtual);
  out_ = MakeSingleTupleTableSlot(desc_, &TTSOpsMinimalTuple);
  row_context_ = AllocSetContextCreate(CurrentMemoryContext, "omendb row", ALLOCSET_DEFAULT_SIZES);
}

void ValueSort::Add(const Datum* values, const bool* isnull, ItemPointer tid, bool alive) {
  MemoryContextReset(row_context_);
  const MemoryContext old_context = MemoryContextSwitchTo(row_context_);
  ExecClearTuple(in_);
  for (int a = 0; a < layout_.attributes; a++) {
    in_->tts_values[a] = values[a];
    in_->tts_isnull[a] = isnull[a];
    // Once here rather than for each comparison.
    if (!isnull[a] && TupleDescAttr(desc_, a)->attlen == -1)
      in_->tts_values[a] = PointerGetDatum(PG_DETOAST_DATUM_PACKED(values[a]));
  }
  const core::Tid number = static_cast<core::Tid>(ItemPointerGetBlockNumber(tid)) << core::kTidOffsetBits |
                           ItemPointerGetOffsetNumber(tid);
  in_->tts_values[layout_.attributes] =
      Int64GetDatum(static_cast<int64>(unique_ ? tree::MarkedTid(number, alive) : number));
  in_->tts_isnull[layout_.attributes] = false;
  ExecStoreVirtualTuple(in_);
  tuplesort_puttupleslot(sort_, in_);
  MemoryContextSwitchTo(old_context);
}

bool ValueSort::Next(tree::Entry* entry) {
  if (!tuplesort_gettupleslot(sort_, true, false, out_, nullptr)) return false;
  slot_getallattrs(out_);
  MemoryContextReset(row_context_);
  const MemoryContext old_context = MemoryContextSwitchTo(row_context_);
  const core::Tid stored = static_cast<core::Tid>(DatumGetInt64(out_->tts_values[layout_.attributes]));
  const core::Tid number = unique_ ? tree::UnmarkedTid(stored) : stored;
  ItemPointerData tid;
  ItemPointerSet(&tid, static_cast<BlockNumber>(core::TidBlock(number)),
                 static_cast<OffsetNumber>(core::TidOffset(number)));
  MakeEntry(layout_, out_->tts_values, out_->tts_isnull, &tid, &values_, entry);
  entry->tid = stored;
  MemoryContextSwitchTo(old_context);
  return true;
}

void ValueSort::End() {
  ExecDropSingleTupleTableSlot(in_);
  ExecDropSingleTupleTableSlot(out_);
  MemoryContextDelete(row_context_);
  tuplesort_end(sort_);
}

}  // namespace omendb::am
