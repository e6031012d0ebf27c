#include "core/key.h"

#include <cstring>

namespace omendb::core {

namespace {

inline int CompareColumn(const Key& a, const Key& b, const Shape& shape, int c) {
  if (a.cls[c] != b.cls[c]) return a.cls[c] < b.cls[c] ? -1 : 1;
  if (a.cls[c] != kValue || a.ordinal[c] == b.ordinal[c]) return 0;
  if (shape.is_bytes(c)) return shape.order[c].Compare(a.ordinal[c], b.ordinal[c]);
  return a.ordinal[c] < b.ordinal[c] ? -1 : 1;
}

}  // namespace

void CopyKey(Key* to, const Key& from, int key_columns) {
  to->tid = from.tid;
  std::memcpy(to->ordinal, from.ordinal, sizeof(uint64_t) * static_cast<size_t>(key_columns));
  std::memcpy(to->cls, from.cls, static_cast<size_t>(key_columns));
}

int CompareKeys(const Key& a, const Key& b, const Shape& shape) {
  for (int c = 0; c < shape.key_columns; c++)
    if (const int order = CompareColumn(a, b, shape, c)) return order;
  return a.tid == b.tid ? 0 : a.tid < b.tid ? -1 : 1;
}

namespace {

// Calls visit(c) for the bytes columns among the first `columns` of a key that have a value.
template <typename Visit>
void ForEachValue(const Key& key, const Shape& shape, int columns, Visit visit) {
  uint64_t left = shape.bytes_columns;
  if (left == 0) return;
  if (columns < 64) left &= (uint64_t{1} << columns) - 1;
  for (; left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    if (key.cls[c] == kValue) visit(c);
  }
}

void Own(Key* key, const Shape& shape, int columns, KeyBytes* memory) {
  if (shape.bytes_columns == 0) return;
  uint8_t* next = memory->bytes;
  ForEachValue(*key, shape, columns, [&](int c) {
    const uint8_t* from = BytesAt(key->ordinal[c]);
    const size_t bytes = StoredBytes(key->ordinal[c]);
    key->ordinal[c] = WordOf(next);
    std::memmove(next, from, bytes);
    next += bytes;
  });
}

}  // namespace

size_t KeyValueBytes(const Key& key, const Shape& shape) {
  size_t bytes = 0;
  ForEachValue(key, shape, shape.key_columns, [&](int c) { bytes += StoredBytes(key.ordinal[c]); });
  return bytes;
}

void OwnKey(Key* key, const Shape& shape, KeyBytes* memory) { Own(key, shape, shape.key_columns, memory); }

void OwnBound(Bound* bound, const Shape& shape, KeyBytes* memory) { Own(&bound->key, shape, bound->columns, memory); }

void RebaseBound(Bound* bound, const Shape& shape, uint64_t old_base, uint64_t base) {
  ForEachValue(bound->key, shape, bound->columns,
               [&](int c) { bound->key.ordinal[c] = bound->key.ordinal[c] - old_base + base; });
}

void SetMinusInfinity(Key* key, int key_columns) {
  key->tid = 0;
  std::memset(key->ordinal, 0, sizeof(uint64_t) * static_cast<size_t>(key_columns));
  std::memset(key->cls, kMinusInfinity, static_cast<size_t>(key_columns));
}

void MakeSeparator(const Key& left, const Key& right, const Shape& shape, KeyBytes* memory, Key* separator) {
  SetMinusInfinity(separator, shape.key_columns);
  for (int c = 0; c < shape.key_columns; c++) {
    separator->cls[c] = right.cls[c];
    separator->ordinal[c] = right.ordinal[c];
    if (CompareColumn(left, right, shape, c) == 0) continue;
    if (!shape.is_bytes(c) || left.cls[c] != kValue || right.cls[c] != kValue) return;
    const ByteOrder& order = shape.order[c];
    if (!order.bytewise() || order.descending) return;
    // All that they have in common, and the byte that makes the right one greater; behind it
    // a tail, as every value has one.
    const ByteView a = order.KeyOf(ViewOf(left.ordinal[c])), b = order.KeyOf(ViewOf(right.ordinal[c]));
    uint32_t size = CommonBytes(a, b) + 1;
    if (size + order.tail >= ViewOf(right.ordinal[c]).size) return;
    const uint16_t stored = static_cast<uint16_t>(size + order.tail);
    std::memcpy(memory->bytes, &stored, sizeof stored);
    std::memcpy(memory->bytes + kValueSizeBytes, b.data, size);
    std::memset(memory->bytes + kValueSizeBytes + size, 0, order.tail);
    separator->ordinal[c] = WordOf(memory->bytes);
    return;
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

int CompareBound(const Bound& bound, const Key& key, const Shape& shape) {
  for (int c = 0; c < bound.columns; c++)
    if (const int order = CompareColumn(bound.key, key, shape, c)) return order;
  if (bound.tail == Bound::kAfter) {
    // After everything that agrees so far; with a TID, only after that entry.
    return !bound.with_tid || bound.key.tid >= key.tid ? 1 : -1;
  }
  if (bound.with_tid) return bound.key.tid == key.tid ? 0 : bound.key.tid < key.tid ? -1 : 1;
  for (int c = bound.columns; c < shape.key_columns; c++)
    if (key.cls[c] != kMinusInfinity) return -1;
  return key.tid == 0 ? 0 : -1;
}

}  // namespace omendb::core
