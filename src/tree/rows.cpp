#include <type_traits>

#include <boost/sort/pdqsort/pdqsort.hpp>

#include "tree/rows.h"

extern "C" {
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace omendb::tree {

namespace {

constexpr size_t kLeastBytes = 8 * 1024;

template <int kWords>
struct FixedRow {
  uint64 word[kWords];
};

// Compares rows of words, and now and then looks whether the user has cancelled: an error
// may leave the sort, since neither it nor its rows and comparator have anything to destroy.
class RowOrder {
 public:
  RowOrder(int compared, uint32* calls) : compared_(compared), calls_(calls) {}

  bool operator()(const uint64* a, const uint64* b) const {
    LookUp();
    for (int w = 0; w < compared_; w++)
      if (a[w] != b[w]) return a[w] < b[w];
    return false;
  }
  template <int kWords>
  bool operator()(const FixedRow<kWords>& a, const FixedRow<kWords>& b) const {
    return (*this)(a.word, b.word);
  }
  // A key and a TID, without a branch that could be mispredicted.
  bool operator()(const FixedRow<2>& a, const FixedRow<2>& b) const {
    LookUp();
    const auto number = [](const FixedRow<2>& row) { return static_cast<core::u128>(row.word[0]) << 64 | row.word[1]; };
    return number(a) < number(b);
  }

 private:
  void LookUp() const {
    if (unlikely((++*calls_ & 0xFFFF) == 0)) CHECK_FOR_INTERRUPTS();
  }

  int compared_;
  uint32* calls_;
};

template <int kWords>
void SortFixed(uint64* rows, size_t count, RowOrder order) {
  FixedRow<kWords>* begin = reinterpret_cast<FixedRow<kWords>*>(rows);
  boost::sort::pdqsort_branchless(begin, begin + count, order);
}

}  // namespace

// Compares rows by their columns' orders, with the same look now and then.
class ValueOrder {
 public:
  ValueOrder(const Rows& rows, uint32* calls) : rows_(&rows), calls_(calls) {}
  bool operator()(const uint64* a, const uint64* b) const {
    if (unlikely((++*calls_ & 0xFFF) == 0)) CHECK_FOR_INTERRUPTS();
    return rows_->Compare(a, b) < 0;
  }

 private:
  const Rows* rows_;
  uint32* calls_;
};

// It lives in palloc'd memory and in frames that ereport leaves.
static_assert(std::is_trivially_destructible_v<Rows>);

void Rows::Init(const Shape& shape, MemoryContext context) {
  shape_ = shape;
  context_ = context;
  rows_ = nullptr;
  order_ = nullptr;
  capacity_ = 0;
  with_classes_ = false;
  values_ = nullptr;
  if (shape.bytes_columns != 0) values_ = AllocSetContextCreate(context, "omendb values", ALLOCSET_DEFAULT_SIZES);
  Clear();
}

void Rows::Free() {
  if (order_ != nullptr) pfree(order_);
  if (rows_ != nullptr) pfree(rows_);
  if (values_ != nullptr) MemoryContextDelete(values_);
  rows_ = nullptr;
  values_ = nullptr;
  order_ = nullptr;
  capacity_ = 0;
  count_ = 0;
}

void Rows::Clear() {
  if (order_ != nullptr) pfree(order_);
  order_ = nullptr;
  count_ = 0;
  in_order_ = true;
  value_bytes_ = 0;
  if (values_ != nullptr) MemoryContextReset(values_);
}

bool Rows::NeedsClasses(const Entry& entry) const {
  for (int c = 0; c < shape_.value_columns; c++)
    if (entry.cls[c] != core::kValue) return true;
  return false;
}

// By key and TID.
int Rows::Compare(const uint64* a, const uint64* b) const {
  if (shape_.bytes_columns == 0) {
    for (int w = 0; w < ComparedWords(with_classes_); w++)
      if (a[w] != b[w]) return a[w] < b[w] ? -1 : 1;
    return 0;
  }
  for (int c = 0; c < shape_.key_columns; c++, a++, b++) {
    uint64 cls = core::kValue;
    if (with_classes_) {
      if (*a != *b) return *a < *b ? -1 : 1;
      cls = *a;
      a++;
      b++;
    }
    if (cls != core::kValue || *a == *b) continue;
    if (!shape_.is_bytes(c)) return *a < *b ? -1 : 1;
    if (const int order = shape_.order[c].Compare(*a, *b)) return order;
  }
  return *a == *b ? 0 : *a < *b ? -1 : 1;
}

// Lets the values of a row's bytes columns point to copies.
void Rows::OwnValues(uint64* row) {
  Entry entry;
  FromRow(row, with_classes_, &entry);
  for (uint64 left = shape_.bytes_columns; left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    if (entry.cls[c] != core::kValue) continue;
    const size_t bytes = core::StoredBytes(entry.value[c]);
    uint8_t* copy = static_cast<uint8_t*>(MemoryContextAlloc(values_, bytes));
    core::StoreBytes(core::ViewOf(entry.value[c]), copy);
    entry.value[c] = core::WordOf(copy);
    value_bytes_ += GetMemoryChunkSpace(copy);
  }
  ToRow(entry, with_classes_, row);
}

void Rows::ToRow(const Entry& entry, bool with_classes, uint64* row) const {
  for (int c = 0; c < shape_.value_columns; c++) {
    if (c == shape_.key_columns) *row++ = entry.tid;
    if (with_classes) *row++ = entry.cls[c];
    *row++ = entry.cls[c] == core::kValue ? entry.value[c] : 0;
  }
  if (shape_.value_columns == shape_.key_columns) *row = entry.tid;
}

void Rows::FromRow(const uint64* row, bool with_classes, Entry* entry) const {
  for (int c = 0; c < shape_.value_columns; c++) {
    if (c == shape_.key_columns) entry->tid = *row++;
    entry->cls[c] = with_classes ? static_cast<uint8>(*row++) : static_cast<uint8>(core::kValue);
    entry->value[c] = *row++;
  }
  if (shape_.value_columns == shape_.key_columns) entry->tid = *row;
  entry->child = InvalidBlockNumber;
}

// Makes room for so many bytes, by doubling; false if that is more than is allowed.
bool Rows::Reserve(size_t bytes, size_t most_bytes) {
  if (bytes <= capacity_) return true;
  if (bytes > most_bytes) return false;
  const size_t grown = Min(Max(bytes, Max(2 * capacity_, kLeastBytes)), Max(most_bytes, bytes));
  rows_ =
      static_cast<uint64*>(rows_ == nullptr ? MemoryContextAllocHuge(context_, grown) : repalloc_huge(rows_, grown));
  capacity_ = grown;
  return true;
}

bool Rows::Add(const Entry& entry, size_t most_bytes) {
  if (!with_classes_ && NeedsClasses(entry)) GiveClasses();
  const size_t needed = (count_ + 1) * RowBytes();
  if (unlikely(needed > capacity_) && !Reserve(needed, most_bytes)) return false;
  if (values_ != nullptr && count_ > 0 && needed + value_bytes_ > most_bytes) return false;
  uint64* row = MutableRow(count_);
  ToRow(entry, with_classes_, row);
  if (values_ != nullptr) OwnValues(row);
  if (in_order_ && count_ > 0) in_order_ = InOrder(RowAt(count_ - 1), row);
  count_++;
  return true;
}

// The rows so far get theirs from the last one on, in place.
void Rows::GiveClasses() {
  if (with_classes_) return;
  const size_t narrow = static_cast<size_t>(Words(false)), wide = static_cast<size_t>(Words(true));
  const size_t needed = count_ * wide * sizeof(uint64);
  Reserve(needed, needed);
  for (size_t i = count_; i-- > 0;) {
    Entry entry;
    FromRow(rows_ + i * narrow, false, &entry);
    ToRow(entry, true, rows_ + i * wide);
  }
  with_classes_ = true;
}

void Rows::Sort() {
  if (in_order_) return;
  uint32 calls = 0;
  if (values_ != nullptr) {
    order_ = static_cast<const uint64**>(MemoryContextAllocHuge(context_, count_ * sizeof(uint64*)));
    for (size_t i = 0; i < count_; i++) order_[i] = RowAt(i);
    boost::sort::pdqsort(order_, order_ + count_, ValueOrder(*this, &calls));
    in_order_ = false;
    return;
  }
  const RowOrder order(ComparedWords(with_classes_), &calls);
  switch (Words(with_classes_)) {
    case 2:
      SortFixed<2>(rows_, count_, order);
      break;
    case 3:
      SortFixed<3>(rows_, count_, order);
      break;
    case 4:
      SortFixed<4>(rows_, count_, order);
      break;
    default:
      // Rows of any width: sort pointers to them.
      order_ = static_cast<const uint64**>(MemoryContextAllocHuge(context_, count_ * sizeof(uint64*)));
      for (size_t i = 0; i < count_; i++) order_[i] = RowAt(i);
      boost::sort::pdqsort(order_, order_ + count_, order);
  }
  in_order_ = order_ == nullptr;
}

bool Rows::IsBelow(size_t i, const core::Key& fence) const {
  const uint64* row = SortedRow(i);
  for (int c = 0; c < shape_.key_columns; c++) {
    const uint64 cls = with_classes_ ? *row++ : uint64{core::kValue};
    const uint64 value = *row++;
    if (cls != fence.cls[c]) return cls < fence.cls[c];
    if (cls != core::kValue || value == fence.ordinal[c]) continue;
    if (!shape_.is_bytes(c)) return value < fence.ordinal[c];
    if (const int order = shape_.order[c].Compare(value, fence.ordinal[c])) return order < 0;
  }
  return *row < fence.tid;
}

void Rows::ToEntries(const uint64* row, size_t n, bool with_classes, core::Entries* out, size_t to) const {
  const size_t words = static_cast<size_t>(Words(with_classes));
  const auto copy = [&](const uint64* from, uint64* array) {
    for (size_t i = 0; i < n; i++) array[to + i] = from[i * words];
  };
  for (int c = 0; c < shape_.value_columns; c++) {
    if (c == shape_.key_columns) copy(row++, out->tid);
    if (with_classes) {
      out->all_value &= ~(UINT64CONST(1) << c);
      copy(row++, out->cls[c]);
    } else if ((out->all_value >> c & 1) == 0) {
      for (size_t i = 0; i < n; i++) out->cls[c][to + i] = core::kValue;
    }
    copy(row++, out->value[c]);
  }
  if (shape_.value_columns == shape_.key_columns) copy(row, out->tid);
}

void Rows::CopyTo(size_t begin, size_t end, core::Entries* out) const {
  if (AreAdjacent()) {
    ToEntries(RowAt(begin), end - begin, with_classes_, out, 0);
  } else {
    for (size_t i = begin; i < end; i++) ToEntries(SortedRow(i), 1, with_classes_, out, i - begin);
  }
  out->count = static_cast<uint32>(end - begin);
}

}  // namespace omendb::tree
