#include "core/key.h"

#include <cstring>

namespace omendb::core {

namespace {

inline int CompareColumn(const Key& a, const Key& b, int c) {
  if (a.cls[c] != b.cls[c]) return a.cls[c] < b.cls[c] ? -1 : 1;
  if (a.cls[c] != kValue || a.ordinal[c] == b.ordinal[c]) return 0;
  return a.ordinal[c] < b.ordinal[c] ? -1 : 1;
}

}  // namespace

void CopyKey(Key* to, const Key& from, int key_columns) {
  to->tid = from.tid;
  std::memcpy(to->ordinal, from.ordinal, sizeof(uint64_t) * static_cast<size_t>(key_columns));
  std::memcpy(to->cls, from.cls, static_cast<size_t>(key_columns));
}

int CompareKeys(const Key& a, const Key& b, int key_columns) {
  for (int c = 0; c < key_columns; c++)
    if (const int order = CompareColumn(a, b, c)) return order;
  return a.tid == b.tid ? 0 : a.tid < b.tid ? -1 : 1;
}

void SetMinusInfinity(Key* key, int key_columns) {
  key->tid = 0;
  std::memset(key->ordinal, 0, sizeof(uint64_t) * static_cast<size_t>(key_columns));
  std::memset(key->cls, kMinusInfinity, static_cast<size_t>(key_columns));
}

void MakeSeparator(const Key& left, const Key& right, int key_columns, Key* separator) {
  SetMinusInfinity(separator, key_columns);
  for (int c = 0; c < key_columns; c++) {
    separator->cls[c] = right.cls[c];
    separator->ordinal[c] = right.ordinal[c];
    if (CompareColumn(left, right, c) != 0) return;
  }
  separator->tid = right.tid;
}

void SetBoundBefore(Bound* bound, const Key& key, int key_columns) {
  CopyKey(&bound->key, key, key_columns);
  bound->columns = key_columns;
  bound->with_tid = true;
  bound->tail = Bound::kBefore;
}

void SetBoundAfter(Bound* bound, const Key& key, int key_columns) {
  SetBoundBefore(bound, key, key_columns);
  bound->tail = Bound::kAfter;
}

int CompareBound(const Bound& bound, const Key& key, int key_columns) {
  for (int c = 0; c < bound.columns; c++)
    if (const int order = CompareColumn(bound.key, key, c)) return order;
  if (bound.tail == Bound::kAfter) {
    // After everything that agrees so far; with a TID, only after that entry.
    return !bound.with_tid || bound.key.tid >= key.tid ? 1 : -1;
  }
  if (bound.with_tid) return bound.key.tid == key.tid ? 0 : bound.key.tid < key.tid ? -1 : 1;
  for (int c = bound.columns; c < key_columns; c++)
    if (key.cls[c] != kMinusInfinity) return -1;
  return key.tid == 0 ? 0 : -1;
}

}  // namespace omendb::core
