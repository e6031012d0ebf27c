#include "core/entries.h"

#include <cstring>

namespace omendb::core {

Entries Entries::Slice(uint32_t begin, uint32_t end) const {
  Entries slice = *this;
  slice.count = end - begin;
  for (int c = 0; c < value_columns; c++) {
    slice.value[c] += begin;
    slice.cls[c] += begin;
  }
  slice.tid += begin;
  slice.tid_number += begin;
  if (inner) slice.child += begin;
  if (bytes_columns != 0) {
    slice.numbers += begin;
    slice.distinct += begin;
  }
  return slice;
}

void Entries::KeyAt(uint32_t i, Key* key) const {
  key->tid = tid[i];
  for (int c = 0; c < key_columns; c++) {
    key->cls[c] = static_cast<uint8_t>(cls[c][i]);
    key->ordinal[c] = cls[c][i] == kValue ? value[c][i] : 0;
  }
}

size_t EntriesBytes(uint32_t capacity, const Shape& shape, bool inner) {
  const int arrays = 2 * shape.value_columns + (inner ? 3 : 2) + 2 * __builtin_popcountll(shape.bytes_columns);
  return static_cast<size_t>(arrays) * capacity * sizeof(uint64_t);
}

void LayOutEntries(Entries* entries, void* memory, uint32_t capacity, const Shape& shape, bool inner) {
  uint64_t* next = static_cast<uint64_t*>(memory);
  const auto take = [&next, capacity] {
    uint64_t* array = next;
    next += capacity;
    return array;
  };
  *entries = Entries{};
  entries->key_columns = shape.key_columns;
  entries->value_columns = shape.value_columns;
  entries->inner = inner;
  entries->bytes_columns = shape.bytes_columns;
  entries->order = shape.order;
  for (int c = 0; c < shape.value_columns; c++) {
    entries->value[c] = take();
    entries->cls[c] = take();
  }
  entries->tid = take();
  entries->tid_number = take();
  if (inner) entries->child = take();
  if (shape.bytes_columns != 0) {
    entries->numbers_stride = capacity;
    entries->numbers = next;
    entries->distinct = next + capacity * static_cast<size_t>(__builtin_popcountll(shape.bytes_columns));
  }
}

void CopyEntry(Entries* to, uint32_t j, const Entries& from, uint32_t i) {
  for (int c = 0; c < from.value_columns; c++) {
    to->value[c][j] = from.value[c][i];
    to->cls[c][j] = from.cls[c][i];
  }
  to->tid[j] = from.tid[i];
  if (from.inner) to->child[j] = from.child[i];
}

void AppendEntries(Entries* to, const Entries& from) {
  const auto append = [&](uint64_t* array, const uint64_t* source) {
    std::memcpy(array + to->count, source, from.count * sizeof(uint64_t));
  };
  for (int c = 0; c < from.value_columns; c++) {
    append(to->value[c], from.value[c]);
    append(to->cls[c], from.cls[c]);
  }
  append(to->tid, from.tid);
  if (from.inner) append(to->child, from.child);
  to->count += from.count;
}

namespace {

int CompareKeysOf(const Entries& a, uint32_t i, const Entries& b, uint32_t j) {
  for (int c = 0; c < a.key_columns; c++) {
    if (a.cls[c][i] != b.cls[c][j]) return a.cls[c][i] < b.cls[c][j] ? -1 : 1;
    if (a.cls[c][i] != kValue || a.value[c][i] == b.value[c][j]) continue;
    if (!a.is_bytes(c)) return a.value[c][i] < b.value[c][j] ? -1 : 1;
    if (const int order = a.order[c].Compare(a.value[c][i], b.value[c][j])) return order;
  }
  return 0;
}

}  // namespace

int CompareEntries(const Entries& a, uint32_t i, const Entries& b, uint32_t j) {
  if (const int order = CompareKeysOf(a, i, b, j)) return order;
  return a.tid[i] == b.tid[j] ? 0 : a.tid[i] < b.tid[j] ? -1 : 1;
}

bool HaveSameKey(const Entries& entries, uint32_t a, uint32_t b) { return CompareKeysOf(entries, a, entries, b) == 0; }

void OwnValues(Entries* entries, uint32_t i) {
  for (uint64_t left = entries->bytes_columns; left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    if (entries->cls[c][i] != kValue) continue;
    const uint64_t owned = WordOf(entries->bytes);
    entries->bytes = StoreBytes(ViewOf(entries->value[c][i]), entries->bytes);
    entries->value[c][i] = owned;
  }
}

uint32_t EntriesBelow(const Entries& entries, const Entries& others, uint32_t at) {
  uint32_t low = 0, high = entries.count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (CompareEntries(entries, middle, others, at) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void MergeSorted(Entries* into, const Entries& more) {
  if (more.count == 0) return;
  into->all_value = 0;
  if (into->count == 0 || CompareEntries(*into, into->count - 1, more, 0) < 0) return AppendEntries(into, more);
  // From the back, in place.
  uint32_t to = into->count + more.count, from = into->count;
  for (uint32_t m = more.count; m-- > 0;) {
    uint32_t low = 0, high = from;  // entries below the one to come
    // Where `more` is long, the place is near: gallop.
    for (uint32_t step = 1; high >= step; step *= 2) {
      if (CompareEntries(*into, high - step, more, m) < 0) {
        low = high - step + 1;
        break;
      }
      high -= step;
    }
    while (low < high) {
      const uint32_t middle = low + (high - low) / 2;
      if (CompareEntries(*into, middle, more, m) < 0)
        low = middle + 1;
      else
        high = middle;
    }
    MoveEntries(into, to - (from - low), low, from - low);
    to -= from - low;
    from = low;
    CopyEntry(into, --to, more, m);
  }
  into->count += more.count;
}

void MoveEntries(Entries* entries, uint32_t to, uint32_t from, uint32_t n) {
  const auto move = [=](uint64_t* array) { std::memmove(array + to, array + from, n * sizeof(uint64_t)); };
  for (int c = 0; c < entries->value_columns; c++) {
    move(entries->value[c]);
    move(entries->cls[c]);
  }
  move(entries->tid);
  if (entries->inner) move(entries->child);
}

}  // namespace omendb::core
