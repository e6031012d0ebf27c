#include <algorithm>
#include <new>
#include <type_traits>

#include "core/ordinal.h"
#include "tree/sorter.h"

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

namespace {

// An entry as a row of words that compare lexicographically:
//
//   [class 0] ordinal 0 [class 1] ordinal 1 ... TID [class] payload ...
//
// Classes are there only once an entry came that needs them.
constexpr int kMaxRowWords = 2 * core::kMaxValueColumns + 1;

struct RowShape {
  int words;
  int compared;  // the leading words that order rows
};

template <int kWords>
struct FixedRow {
  uint64 word[kWords];
};

// Compares rows, and now and then looks whether the user has cancelled: an error
// may leave std::sort, since rows and comparator have nothing to destroy.
class RowOrder {
 public:
  RowOrder(int compared, uint32* calls) : compared_(compared), calls_(calls) {}

  bool operator()(const uint64* a, const uint64* b) const {
    if ((++*calls_ & 0xFFFF) == 0) CHECK_FOR_INTERRUPTS();
    for (int w = 0; w < compared_; w++)
      if (a[w] != b[w]) return a[w] < b[w];
    return false;
  }
  template <int kWords>
  bool operator()(const FixedRow<kWords>& a, const FixedRow<kWords>& b) const {
    return (*this)(a.word, b.word);
  }

 private:
  int compared_;
  uint32* calls_;
};

template <int kWords>
void SortFixed(uint64* rows, size_t count, RowOrder order) {
  FixedRow<kWords>* begin = reinterpret_cast<FixedRow<kWords>*>(rows);
  std::sort(begin, begin + count, order);
}

}  // namespace

class Sorter {
 public:
  Sorter(const Shape& shape, int memory_kb)
      : shape_(shape), memory_kb_(memory_kb), memory_(static_cast<size_t>(memory_kb) * 1024) {}

  void Add(const Entry& entry) {
    if (!with_classes_ && NeedsClasses(entry)) WidenRows();
    uint64 row[kMaxRowWords];
    ToRow(entry, row);
    if (spilled_ != nullptr) {
      Spill(row);
      return;
    }
    if (in_order_ && count_ > 0 && Compare(RowAt(count_ - 1), row) > 0) in_order_ = false;
    if ((count_ + 1) * RowBytes() > capacity_bytes_ && !Grow()) {
      StartSpilling();
      // Rows that spill have classes; this one was made before.
      ToRow(entry, row);
      Spill(row);
      return;
    }
    memcpy(RowAt(count_++), row, RowBytes());
  }

  void Perform() {
    if (spilled_ != nullptr) {
      tuplesort_performsort(spilled_);
      return;
    }
    if (in_order_) return;
    uint32 calls = 0;
    const RowOrder order(RowNow().compared, &calls);
    switch (RowNow().words) {
      case 2:
        return SortFixed<2>(rows_, count_, order);
      case 3:
        return SortFixed<3>(rows_, count_, order);
      case 4:
        return SortFixed<4>(rows_, count_, order);
      default:
        // Rows of any width: sort pointers to them.
        order_ = static_cast<const uint64**>(
            MemoryContextAllocHuge(CurrentMemoryContext, Max(count_, size_t{1}) * sizeof(uint64*)));
        for (size_t i = 0; i < count_; i++) order_[i] = RowAt(i);
        std::sort(order_, order_ + count_, order);
    }
  }

  bool Next(Entry* entry) {
    if (spilled_ != nullptr) {
      if (!tuplesort_gettupleslot(spilled_, true, false, slot_, nullptr)) return false;
      slot_getallattrs(slot_);
      uint64 row[kMaxRowWords];
      for (int w = 0; w < RowNow().words; w++) row[w] = core::OrdinalFromInt64(DatumGetInt64(slot_->tts_values[w]));
      FromRow(row, entry);
      return true;
    }
    if (next_ == count_) return false;
    FromRow(order_ != nullptr ? order_[next_] : RowAt(next_), entry);
    next_++;
    return true;
  }

  void End() {
    if (spilled_ != nullptr) {
      tuplesort_end(spilled_);
      ExecDropSingleTupleTableSlot(slot_);
      ExecDropSingleTupleTableSlot(feed_);
    }
    if (order_ != nullptr) pfree(order_);
    if (rows_ != nullptr) pfree(rows_);
  }

 private:
  RowShape RowOf(bool with_classes) const {
    const int scale = with_classes ? 2 : 1;
    return {scale * shape_.value_columns + 1, scale * shape_.key_columns + 1};
  }
  RowShape RowNow() const { return RowOf(with_classes_); }
  size_t RowBytes() const { return static_cast<size_t>(RowNow().words) * sizeof(uint64); }
  uint64* RowAt(size_t i) const { return rows_ + i * static_cast<size_t>(RowNow().words); }

  bool NeedsClasses(const Entry& entry) const {
    for (int c = 0; c < shape_.value_columns; c++)
      if (entry.cls[c] != core::kValue) return true;
    return false;
  }

  int Compare(const uint64* a, const uint64* b) const {
    for (int w = 0; w < RowNow().compared; w++)
      if (a[w] != b[w]) return a[w] < b[w] ? -1 : 1;
    return 0;
  }

  void ToRow(const Entry& entry, uint64* row) const {
    for (int c = 0; c < shape_.value_columns; c++) {
      if (c == shape_.key_columns) *row++ = entry.tid;
      if (with_classes_) *row++ = entry.cls[c];
      *row++ = entry.cls[c] == core::kValue ? entry.value[c] : 0;
    }
    if (shape_.value_columns == shape_.key_columns) *row = entry.tid;
  }

  void FromRow(const uint64* row, Entry* entry) const {
    for (int c = 0; c < shape_.value_columns; c++) {
      if (c == shape_.key_columns) entry->tid = *row++;
      entry->cls[c] = with_classes_ ? static_cast<uint8>(*row++) : static_cast<uint8>(core::kValue);
      entry->value[c] = *row++;
    }
    if (shape_.value_columns == shape_.key_columns) entry->tid = *row;
    entry->child = InvalidBlockNumber;
  }

  // Doubles the array, as long as it stays within the memory; false if it would not.
  bool Grow() {
    size_t bytes = Max(capacity_bytes_ * 2, size_t{64} * 1024);
    if (bytes > memory_) bytes = memory_;
    if (bytes <= capacity_bytes_ || (count_ + 1) * RowBytes() > bytes) return false;
    rows_ = static_cast<uint64*>(rows_ == nullptr ? MemoryContextAllocHuge(CurrentMemoryContext, bytes)
                                                  : repalloc_huge(rows_, bytes));
    capacity_bytes_ = bytes;
    return true;
  }

  // The first NULL: give the rows so far their classes.
  void WidenRows() {
    const RowShape narrow = RowOf(false), wide = RowOf(true);
    if (count_ > 0) {
      const size_t needed = count_ * static_cast<size_t>(wide.words) * sizeof(uint64);
      if (needed > capacity_bytes_) {
        rows_ = static_cast<uint64*>(repalloc_huge(rows_, needed));
        capacity_bytes_ = needed;
      }
      for (size_t i = count_; i-- > 0;) {
        Entry entry = {};
        FromRow(rows_ + i * static_cast<size_t>(narrow.words), &entry);
        with_classes_ = true;
        ToRow(entry, rows_ + i * static_cast<size_t>(wide.words));
        with_classes_ = false;
      }
    }
    with_classes_ = true;
  }

  void StartSpilling() {
    if (!with_classes_) WidenRows();
    const int words = RowNow().words, compared = RowNow().compared;
    const TupleDesc desc = CreateTemplateTupleDesc(words);
    AttrNumber attribute[kMaxRowWords];
    Oid less[kMaxRowWords], collation[kMaxRowWords];
    bool nulls_first[kMaxRowWords];
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
    for (size_t i = 0; i < count_; i++) {
      CHECK_FOR_INTERRUPTS();
      Spill(RowAt(i));
    }
    pfree(rows_);
    rows_ = nullptr;
  }

  void Spill(const uint64* row) {
    ExecClearTuple(feed_);
    for (int w = 0; w < RowNow().words; w++) {
      feed_->tts_values[w] = Int64GetDatum(core::Int64FromOrdinal(row[w]));
      feed_->tts_isnull[w] = false;
    }
    ExecStoreVirtualTuple(feed_);
    tuplesort_puttupleslot(spilled_, feed_);
  }

  Shape shape_;
  int memory_kb_;
  size_t memory_;
  bool with_classes_ = false;
  bool in_order_ = true;
  uint64* rows_ = nullptr;
  const uint64** order_ = nullptr;
  size_t count_ = 0;
  size_t next_ = 0;
  size_t capacity_bytes_ = 0;
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
