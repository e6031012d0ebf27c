#include <new>
#include <type_traits>

#include "core/ordinal.h"
#include "tree/sorter.h"

#include "tree/rows.h"

extern "C" {
#include "access/tupdesc.h"
#include "catalog/pg_operator_d.h"
#include "catalog/pg_type_d.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplesort.h"
}

namespace omendb::tree {

class Sorter {
 public:
  Sorter(const Shape& shape, int memory_kb) : memory_kb_(memory_kb), memory_(static_cast<size_t>(memory_kb) * 1024) {
    rows_.Init(shape, CurrentMemoryContext);
  }

  void Add(const Entry& entry) {
    if (spilled_ == nullptr) {
      if (rows_.Add(entry, memory_)) return;
      StartSpilling();
    }
    uint64 row[Rows::kMaxWords];
    rows_.ToRow(entry, row);
    Spill(row);
  }

  void Perform() {
    if (spilled_ != nullptr)
      tuplesort_performsort(spilled_);
    else
      rows_.Sort();
  }

  bool Next(Entry* entry) {
    if (spilled_ != nullptr) {
      if (!tuplesort_gettupleslot(spilled_, true, false, slot_, nullptr)) return false;
      slot_getallattrs(slot_);
      uint64 row[Rows::kMaxWords];
      for (int w = 0; w < rows_.words(); w++) row[w] = core::OrdinalFromInt64(DatumGetInt64(slot_->tts_values[w]));
      rows_.FromRow(row, entry);
      return true;
    }
    if (next_ == rows_.count()) return false;
    rows_.EntryAt(next_++, entry);
    return true;
  }

  void End() {
    if (spilled_ != nullptr) {
      tuplesort_end(spilled_);
      ExecDropSingleTupleTableSlot(slot_);
      ExecDropSingleTupleTableSlot(feed_);
    }
    rows_.Free();
  }

 private:
  // (Rows that spill have classes, as one that is NULL may still come.)
  void StartSpilling() {
    rows_.GiveClasses();
    const int words = rows_.words(), compared = rows_.compared_words();
    const TupleDesc desc = CreateTemplateTupleDesc(words);
    AttrNumber attribute[Rows::kMaxWords];
    Oid less[Rows::kMaxWords], collation[Rows::kMaxWords];
    bool nulls_first[Rows::kMaxWords];
    for (int w = 0; w < words; w++) {
      TupleDescInitEntry(desc, static_cast<AttrNumber>(w + 1), nullptr, INT8OID, -1, 0);
      attribute[w] = static_cast<AttrNumber>(w + 1);
      less[w] = Int8LessOperator;
      collation[w] = InvalidOid;
      nulls_first[w] = false;
    }
    slot_ = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
    feed_ = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
    spilled_ = tuplesort_begin_heap(desc, compared, attribute, less, collation, nulls_first, memory_kb_, nullptr,
                                    TUPLESORT_NONE);
    for (size_t i = 0; i < rows_.count(); i++) {
      CHECK_FOR_INTERRUPTS();
      Spill(rows_.RowAt(i));
    }
    rows_.Free();
  }

  void Spill(const uint64* row) {
    ExecClearTuple(feed_);
    for (int w = 0; w < rows_.words(); w++) {
      feed_->tts_values[w] = Int64GetDatum(core::Int64FromOrdinal(row[w]));
      feed_->tts_isnull[w] = false;
    }
    ExecStoreVirtualTuple(feed_);
    tuplesort_puttupleslot(spilled_, feed_);
  }

  Rows rows_;
  int memory_kb_;
  size_t memory_;
  size_t next_ = 0;
  Tuplesortstate* spilled_ = nullptr;
  TupleTableSlot* slot_ = nullptr;
  TupleTableSlot* feed_ = nullptr;
};

static_assert(std::is_trivially_destructible_v<Sorter>);

Sorter* BeginSort(const Shape& shape, int memory_kb) { return new (palloc(sizeof(Sorter))) Sorter(shape, memory_kb); }

void AddToSort(Sorter* sorter, const Entry& entry) { sorter->Add(entry); }

void PerformSort(Sorter* sorter) { sorter->Perform(); }

bool NextSorted(Sorter* sorter, Entry* entry) { return sorter->Next(entry); }

void EndSort(Sorter* sorter) {
  sorter->End();
  pfree(sorter);
}

}  // namespace omendb::tree
