// Values of variable width, and how they are ordered.
//
// Of a bytes column, the word that stands for a value in memory (Key::ordinal,
// Entries::value) is the address of
//
//   offset  bytes
//        0     2  size     0 .. kMaxValueBytes
//        2     .  bytes
//
// which need not be aligned.  Who has such a word says whose memory that is: a page's, as
// long as it is pinned and locked, or a copy's.
#ifndef OMENDB_CORE_BYTES_H
#define OMENDB_CORE_BYTES_H

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "core/limits.h"

namespace omendb::core {

struct ByteView {
  const uint8_t* data;
  uint32_t size;
};

inline constexpr size_t kValueSizeBytes = sizeof(uint16_t);

inline const uint8_t* BytesAt(uint64_t word) { return reinterpret_cast<const uint8_t*>(static_cast<uintptr_t>(word)); }
inline uint64_t WordOf(const uint8_t* bytes) { return reinterpret_cast<uintptr_t>(bytes); }

inline ByteView ViewOf(uint64_t word) {
  const uint8_t* at = BytesAt(word);
  uint16_t size;
  std::memcpy(&size, at, sizeof size);
  return {at + kValueSizeBytes, size};
}

// What a value takes where it stands whole, its size included.
inline size_t StoredBytes(uint64_t word) { return kValueSizeBytes + ViewOf(word).size; }

// Writes a value; returns the byte behind it.
inline uint8_t* StoreBytes(ByteView value, uint8_t* out) {
  const uint16_t size = static_cast<uint16_t>(value.size);
  std::memcpy(out, &size, sizeof size);
  if (value.size > 0) std::memcpy(out + kValueSizeBytes, value.data, value.size);
  return out + kValueSizeBytes + value.size;
}

// Bytes of a string, compared as memcmp does, the shorter of two that agree first.
inline int CompareBytes(ByteView a, ByteView b) {
  const uint32_t common = a.size < b.size ? a.size : b.size;
  if (common > 0) {
    if (const int order = std::memcmp(a.data, b.data, common)) return order < 0 ? -1 : 1;
  }
  return a.size == b.size ? 0 : a.size < b.size ? -1 : 1;
}

// Bytes that two values begin with in common.
inline uint32_t CommonBytes(ByteView a, ByteView b) {
  const uint32_t most = a.size < b.size ? a.size : b.size;
  uint32_t common = 0;
  for (; most - common >= sizeof(uint64_t); common += sizeof(uint64_t)) {
    uint64_t of_a, of_b;
    std::memcpy(&of_a, a.data + common, sizeof of_a);
    std::memcpy(&of_b, b.data + common, sizeof of_b);
    if (of_a != of_b) return common + static_cast<uint32_t>(__builtin_ctzll(of_a ^ of_b)) / 8;
  }
  while (common < most && a.data[common] == b.data[common]) common++;
  return common;
}

inline constexpr size_t kHeadBytes = sizeof(uint64_t);

// The first 8 bytes as a number, zeros behind a shorter value: it falls nowhere in a
// bytewise order.
inline uint64_t HeadOf(ByteView value) {
  uint64_t head = 0;
  if (value.size > 0) std::memcpy(&head, value.data, value.size < kHeadBytes ? value.size : kHeadBytes);
  return __builtin_bswap64(head);
}

// The order of a bytes column.
//
// Values may be equal and yet differ in their bytes: in the last `tail` of them, or where a
// function says so.  All of them are kept.
struct ByteOrder {
  // < 0, 0, > 0, ascending.  Null: bytewise, without the tail.
  int (*function)(const void* state, ByteView a, ByteView b);
  const void* state;
  uint16_t tail;
  bool descending;
  // Where there is a function: a number for a value, ascending, the same for equal ones and
  // never the greater one for the lesser of two.  Null if there is none.
  uint64_t (*head)(const void* state, ByteView value) = nullptr;
  bool function_is_exact = false;  // only values of the same bytes are equal to it

  bool bytewise() const { return function == nullptr; }
  // Whether values that are equal have the same bytes.
  bool exact() const { return function == nullptr ? tail == 0 : function_is_exact; }
  // What counts of a value, in a bytewise order.
  ByteView KeyOf(ByteView value) const { return {value.data, value.size < tail ? 0 : value.size - tail}; }

  int Compare(ByteView a, ByteView b) const {
    const int order = function != nullptr ? function(state, a, b) : CompareBytes(KeyOf(a), KeyOf(b));
    return descending ? (order < 0) - (order > 0) : order;  // (-INT_MIN is none)
  }
  int Compare(uint64_t a, uint64_t b) const { return a == b ? 0 : Compare(ViewOf(a), ViewOf(b)); }
};

// What is to be known of an index's columns: how many of the value columns are keys, which
// are bytes columns, and the orders of those among the keys, by their number; `order` may be
// null where there are none.
struct Shape {
  int key_columns;
  int value_columns;
  uint64_t bytes_columns = 0;
  const ByteOrder* order = nullptr;

  bool is_bytes(int c) const { return (bytes_columns >> c & 1) != 0; }
  size_t BytesColumnsBefore(int c) const {
    const uint64_t before = bytes_columns & ((uint64_t{1} << c) - 1);
    return before == 0 ? 0 : static_cast<size_t>(__builtin_popcountll(before));  // (a call, on old processors)
  }
  // Of an inner node, whose value columns are the keys.
  Shape Inner() const { return {key_columns, key_columns, bytes_columns & KeyBits(), order}; }
  uint64_t KeyBits() const { return key_columns >= 64 ? ~uint64_t{0} : (uint64_t{1} << key_columns) - 1; }
};

}  // namespace omendb::core

#endif  // OMENDB_CORE_BYTES_H
