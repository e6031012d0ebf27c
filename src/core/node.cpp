#include "core/node.h"

#include <algorithm>
#include <cstring>

namespace omendb::core {

namespace {

constexpr uint8_t kEmptyValue[kValueSizeBytes] = {};

}  // namespace

bool Node::IsValid(const uint8_t* bytes, size_t available, const Shape& shape) {
  if (available < sizeof(NodeHeader)) return false;
  const NodeHeader& header = *reinterpret_cast<const NodeHeader*>(bytes);
  const bool inner = header.level > 0;
  const Shape own = inner ? shape.Inner() : shape;
  if (header.count > kMaxEntries || header.key_columns != own.key_columns ||
      header.columns != own.value_columns + (inner ? 2 : 1) || header.size > available || header.size % 8 != 0 ||
      header.bytes_columns != own.bytes_columns)
    return false;
  if (own.value_columns < 64 && (header.class_columns >> own.value_columns) != 0) return false;
  const int headers = header.columns + __builtin_popcountll(header.class_columns);
  const size_t dictionaries = sizeof(NodeHeader) + static_cast<size_t>(headers) * sizeof(ColumnHeader);
  const size_t fences = dictionaries + DictionariesBytes(own.bytes_columns);
  const auto fence_is_valid = [&](size_t offset) {
    if (offset % 8 != 0 || offset < fences || offset + FenceBytes(own.key_columns) > header.size) return false;
    const uint64_t* ordinal = reinterpret_cast<const uint64_t*>(bytes + offset + sizeof(Tid));
    const uint8_t* cls = reinterpret_cast<const uint8_t*>(ordinal + own.key_columns);
    size_t value_bytes = 0;
    for (int c = 0; c < own.key_columns; c++) {
      if (!own.is_bytes(c) || cls[c] != kValue) continue;
      const size_t at = ordinal[c];
      // (First by itself: the sum may overflow.)
      if (at < fences || at > header.size || at + kValueSizeBytes > header.size) return false;
      const size_t stored = StoredBytes(WordOf(bytes + at));
      value_bytes += stored;
      if (value_bytes > kMaxEntryBytes || at + stored > header.size) return false;
    }
    return true;
  };
  if (!fence_is_valid(header.low_fence)) return false;
  if (header.high_fence != 0 && !fence_is_valid(header.high_fence)) return false;
  if (header.count == 0) return true;
  const ColumnHeader* columns = reinterpret_cast<const ColumnHeader*>(bytes + sizeof(NodeHeader));
  for (int c = 0; c < headers; c++)
    if (!ColumnHeaderIsValid(columns[c], header.count, header.size)) return false;
  const Node node(bytes, shape.order);
  for (uint64_t left = own.bytes_columns; left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    uint16_t offset;
    std::memcpy(&offset, bytes + dictionaries + sizeof offset * own.BytesColumnsBefore(c), sizeof offset);
    if (offset < fences || offset > header.size || offset % 8 != 0 ||
        !Dictionary::IsValid(bytes + offset, header.size - offset, OrderOf(own, c).bytewise()))
      return false;
    // A column without a value has no dictionary to speak of.
    const uint32_t values = node.dictionary(c).count(), limit = values == 0 ? 1 : values;
    if (values == 0 && !node.has_class_column(c)) return false;
    const Column numbers = node.value_column(c);
    if (numbers.IsBelow(limit, header.count)) continue;
    for (uint32_t i = 0; i < header.count; i++)
      if (numbers.Get(i) >= limit) return false;
  }
  return true;
}

Dictionary Node::dictionary(int c) const {
  const Shape own = shape();
  int headers = header_->columns;
  if (header_->class_columns != 0) headers += __builtin_popcountll(header_->class_columns);
  uint16_t offset;
  std::memcpy(&offset,
              bytes_ + sizeof(NodeHeader) + static_cast<size_t>(headers) * sizeof(ColumnHeader) +
                  sizeof offset * own.BytesColumnsBefore(c),
              sizeof offset);
  return Dictionary(bytes_ + offset, OrderOf(own, c));
}

// Of a dictionary, values are decoded one after the other, from the first that is wanted to
// the last, where these are not more than so many for each entry; else one by one, unless that
// might take more room.
constexpr uint64_t kMostDecodedTogether = 4;

size_t Node::DecodedBytes(uint64_t wanted, uint32_t entries) const {
  size_t bytes = 0;
  if (count() == 0) return 0;
  for (uint64_t left = header_->bytes_columns & wanted; left != 0; left &= left - 1) {
    const Dictionary values = dictionary(__builtin_ctzll(left));
    const size_t longest = kValueSizeBytes + values.header().longest;
    // The values, and where each is, aligned.
    const size_t all = values.header().plain + (values.count() + size_t{1}) * sizeof(uint64_t);
    const size_t most = kMostDecodedTogether * entries * (longest + sizeof(uint64_t)) + sizeof(uint64_t);
    const size_t some = entries == 1 ? longest : most;
    bytes += std::min(all, some);
  }
  return bytes;
}

void Node::KeyAt(uint32_t i, KeyBytes* memory, Key* key) const {
  key->tid = TidAt(i);
  uint8_t* next = memory != nullptr ? memory->bytes : nullptr;
  for (int c = 0; c < key_columns(); c++) {
    key->cls[c] = ClassAt(c, i);
    key->ordinal[c] = key->cls[c] == kValue ? value_column(c).Get(i) : 0;
    if (key->cls[c] != kValue || !is_bytes(c)) continue;
    const Dictionary values = dictionary(c);
    const uint32_t number = static_cast<uint32_t>(key->ordinal[c]);
    uint8_t value[kValueSizeBytes + kMaxEntryBytes];
    if (values.count() > 0) values.Get(number, value);
    // A damaged node may have no value where it says so, or more than an entry has room for.
    if (values.count() == 0 ||
        StoredBytes(WordOf(value)) > static_cast<size_t>(memory->bytes + kMaxEntryBytes - next)) {
      key->ordinal[c] = WordOf(kEmptyValue);
      continue;
    }
    key->ordinal[c] = WordOf(next);
    next = StoreBytes(ViewOf(WordOf(value)), next);
  }
}

void Node::ReadFence(uint16_t offset, Key* key) const {
  const int columns = key_columns();
  const uint8_t* at = bytes_ + offset;
  std::memcpy(&key->tid, at, sizeof key->tid);
  at += sizeof key->tid;
  std::memcpy(key->ordinal, at, sizeof(uint64_t) * static_cast<size_t>(columns));
  at += sizeof(uint64_t) * static_cast<size_t>(columns);
  std::memcpy(key->cls, at, static_cast<size_t>(columns));
  for (uint64_t left = header_->bytes_columns & shape().KeyBits(); left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    if (key->cls[c] == kValue) key->ordinal[c] = WordOf(bytes_ + key->ordinal[c]);
  }
}

uint32_t Node::fence_values() const {
  // Those of the low fence come first.
  uint32_t least = header_->size;
  for (const uint32_t fence : {uint32_t{header_->low_fence}, uint32_t{header_->high_fence}}) {
    const uint8_t* at = bytes_ + fence;
    if (fence == 0 || at[sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns())] != kValue) continue;
    least = std::min(least, static_cast<uint32_t>(*reinterpret_cast<const uint64_t*>(at + sizeof(Tid))));
  }
  return least;
}

size_t Node::fence_value_bytes() const {
  if (header_->bytes_columns == 0) return 0;
  Key key;
  LowFence(&key);
  size_t bytes = KeyValueBytes(key, shape());
  if (!has_high_fence()) return bytes;
  HighFence(&key);
  return bytes + KeyValueBytes(key, shape());
}

bool Node::BoundIsRight(const Bound& bound, Direction direction) const {
  if (!has_high_fence()) return false;
  // The first column decides almost always.
  const uint8_t* fence = bytes_ + header_->high_fence;
  const uint64_t* ordinals = reinterpret_cast<const uint64_t*>(fence + sizeof(Tid));
  if (bound.columns > 0 && !is_bytes(0) && bound.key.cls[0] == kValue &&
      fence[sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns())] == kValue &&
      ordinals[0] != bound.key.ordinal[0])
    return bound.key.ordinal[0] > ordinals[0];
  Key key;
  HighFence(&key);
  const int order = CompareBound(bound, key, shape());
  return direction == Direction::kForward ? order >= 0 : order > 0;
}

bool Node::BoundIsLeft(const Bound& bound, Direction direction) const {
  const uint8_t* fence = bytes_ + header_->low_fence;
  const uint64_t* ordinals = reinterpret_cast<const uint64_t*>(fence + sizeof(Tid));
  if (bound.columns > 0 && !is_bytes(0) && bound.key.cls[0] == kValue &&
      fence[sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns())] == kValue &&
      ordinals[0] != bound.key.ordinal[0])
    return bound.key.ordinal[0] < ordinals[0];
  Key key;
  LowFence(&key);
  const int order = CompareBound(bound, key, shape());
  // Nothing is left of minus infinity.
  if (order == 0 && direction == Direction::kBackward) return key.cls[0] != kMinusInfinity;
  return order < 0;
}

bool Node::IsInside(uint64_t ordinal) const {
  const size_t class_at = sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns());
  // The order of a fence's value and this one; < 0 if the fence has a class below.
  const auto compare = [&](const uint8_t* fence) {
    if (fence[class_at] != kValue) return fence[class_at] < kValue ? -1 : 1;
    const uint64_t value = *reinterpret_cast<const uint64_t*>(fence + sizeof(Tid));
    if (is_bytes(0)) return order_[0].Compare(WordOf(bytes_ + value), ordinal);
    return value == ordinal ? 0 : value < ordinal ? -1 : 1;
  };
  return compare(bytes_ + header_->low_fence) < 0 && (!has_high_fence() || compare(bytes_ + header_->high_fence) > 0);
}

void Node::EqualRange(uint64_t ordinal, uint32_t* begin, uint32_t* end) const {
  // Most runs hold an entry or none.
  constexpr uint32_t kNear = 4;
  const uint32_t n = count();
  *begin = *end = 0;
  if (n == 0) return;
  const Column values = value_column(0);
  if (is_bytes(0)) {
    uint32_t low, high;
    FindNumbers(0, ordinal, &low, &high);
    *begin = LowerBoundOfNumbers(0, low, 0, n);
    *end = low == high ? *begin : LowerBoundOfNumbers(0, high, *begin, n);
    return;
  }
  uint32_t i = values.LowerBoundSorted(ordinal, n);
  *begin = i;
  while (i < n && values.Get(i) == ordinal) {
    i++;
    if (i - *begin == kNear) i = values.RunEnd(ordinal, *begin, n);
  }
  *end = i;
}

uint32_t Node::LowerBound(const Bound& bound) const {
  uint32_t begin = 0, end = count();
  if (end == 0) return 0;
  // Within entries that agree so far, the next column is sorted: narrow to those
  // that agree with it, too, or stop where the bound falls between.
  for (int c = 0; c < bound.columns; c++) {
    if (has_class_column(c)) {
      const Column classes = class_column(c);
      begin = classes.LowerBound(bound.key.cls[c], begin, end);
      if (begin == end) return begin;
      end = classes.RunEnd(bound.key.cls[c], begin, end);
      if (begin == end) return begin;
    } else if (bound.key.cls[c] != kValue) {
      return bound.key.cls[c] < kValue ? begin : end;
    }
    if (bound.key.cls[c] != kValue) continue;
    if (is_bytes(c)) {
      uint32_t low, high;
      FindNumbers(c, bound.key.ordinal[c], &low, &high);
      begin = LowerBoundOfNumbers(c, low, begin, end);
      if (begin == end || low == high) return begin;
      const bool last = c == bound.columns - 1 && !bound.with_tid;
      if (last && bound.tail == Bound::kBefore) return begin;
      end = LowerBoundOfNumbers(c, high, begin, end);
      if (begin == end) return begin;
      continue;
    }
    const Column values = value_column(c);
    const uint64_t key = bound.key.ordinal[c];
    const bool whole = c == 0 && begin == 0 && end == count() && !has_class_column(c);
    if (whole) {
      uint32_t position;
      if (values.Estimate(key, end, &position)) {
        values.PrefetchAt(position);
        // Whoever finds an entry wants its TID or child next.
        tid_column().PrefetchAt(position);
        if (inner()) child_column().PrefetchAt(position);
        begin = values.LowerBoundNear(key, position, end);
      } else {
        begin = values.LowerBoundByWindow(key, end);
      }
    } else {
      begin = values.LowerBound(key, begin, end);
    }
    if (begin == end) return begin;
    const bool last = c == bound.columns - 1 && !bound.with_tid;
    if (last && bound.tail == Bound::kBefore) return begin;
    end = values.RunEnd(key, begin, end);
    if (begin == end) return begin;
  }
  if (!bound.with_tid) return bound.tail == Bound::kBefore ? begin : end;
  const Tid first = bound.tail == Bound::kBefore ? bound.key.tid : bound.key.tid + 1;
  while (begin < end) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (TidAt(middle) < first)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

// Numbers of equal values that differ in their bytes are not in order, as TIDs are; but those
// of lesser values come before, and those of greater ones behind.
uint32_t Node::LowerBoundOfNumbers(int c, uint32_t number, uint32_t begin, uint32_t end) const {
  const Column numbers = value_column(c);
  if (numbers.header().codec == Codec::kConstant) return numbers.Get(0) < number ? end : begin;
  if (numbers.header().width > 0) return numbers.LowerBound(number, begin, end);
  // A line that is exact.  All values differ, as a rule: then a number is a position.
  if (number >= begin && number <= end && numbers.Get(begin) == begin && numbers.Get(end - 1) == end - 1) return number;
  while (begin < end) {
    const uint32_t middle = begin + (end - begin) / 2;
    if (numbers.Get(middle) < number)
      begin = middle + 1;
    else
      end = middle;
  }
  return begin;
}

bool Node::IsBelow(uint32_t i, const Bound& bound) const {
  for (int c = 0; c < bound.columns; c++) {
    const uint8_t cls = ClassAt(c, i);
    if (cls != bound.key.cls[c]) return cls < bound.key.cls[c];
    if (cls != kValue) continue;
    const uint64_t ordinal = value_column(c).Get(i);
    if (is_bytes(c)) {
      uint32_t low, high;
      FindNumbers(c, bound.key.ordinal[c], &low, &high);
      if (ordinal < low || ordinal >= high) return ordinal < low;
      continue;
    }
    if (ordinal != bound.key.ordinal[c]) return ordinal < bound.key.ordinal[c];
  }
  if (!bound.with_tid) return bound.tail == Bound::kAfter;
  const Tid tid = TidAt(i);
  return bound.tail == Bound::kAfter ? tid <= bound.key.tid : tid < bound.key.tid;
}

uint32_t Node::LowerBoundFrom(const Bound& bound, uint32_t from) const {
  // Most ranges hold an entry or two; a long one is worth a search of its own.
  constexpr uint32_t kNear = 4;
  const uint32_t n = count();
  if (header_->bytes_columns != 0) return LowerBound(bound);
  if (bound.columns == 1 && !bound.with_tid && bound.key.cls[0] == kValue && !has_class_column(0)) {
    const Column values = value_column(0);
    const uint64_t key = bound.key.ordinal[0];
    for (uint32_t i = from; i < from + kNear; i++) {
      if (i >= n) return n;
      const uint64_t value = values.Get(i);
      if (value > key || (value == key && bound.tail == Bound::kBefore)) return i;
    }
    return LowerBound(bound);
  }
  for (uint32_t i = from; i < from + kNear; i++)
    if (i >= n || !IsBelow(i, bound)) return i < n ? i : n;
  return LowerBound(bound);
}

uint32_t Node::ChildFor(const Bound& bound, Direction direction) const {
  const uint32_t above = LowerBound(bound);
  if (direction == Direction::kForward && bound.tail == Bound::kBefore && above < count() &&
      (bound.columns == 0 || bound.key.cls[0] != kValue || is_bytes(0) ||
       value_column(0).Get(above) == bound.key.ordinal[0])) {
    Key key;
    KeyBytes memory;
    KeyAt(above, &memory, &key);
    if (CompareBound(bound, key, shape()) == 0) return above;
  }
  return above == 0 ? 0 : above - 1;
}

void Node::DecodeTids(uint32_t begin, uint32_t end, Tid* out) const {
  tid_column().Decode(begin, end, out);
  const uint64_t radix = uint64_t{header_->tid_span} + 1, bias = header_->tid_bias;
  if (end - begin < kLanes || radix == 1) {
    for (uint32_t i = 0; i < end - begin; i++) {
      const uint64_t number = out[i] & kMaxTid, block = number / radix;
      out[i] = block << kTidOffsetBits | (number - block * radix + bias);
    }
    return;
  }
  // number / radix = high word of number * (floor(2^64 / radix) + 1): exact, as
  // the error, number / 2^64, is below 1 / radix for numbers below 2^48.
  const uint64_t reciprocal = ~uint64_t{0} / radix + 1;
  for (uint32_t i = 0; i < end - begin; i++) {
    const uint64_t number = out[i] & kMaxTid;
    const uint64_t block = static_cast<uint64_t>((static_cast<u128>(number) * reciprocal) >> 64);
    out[i] = block << kTidOffsetBits | (number - block * radix + bias);
  }
}

void Node::Decode(uint32_t begin, uint32_t end, uint64_t wanted, Entries* out, uint32_t at) const {
  const int values = value_columns();
  const bool single = end - begin == 1;  // what a point lookup finds
  for (int c = 0; c < values; c++) {
    if ((wanted >> c & 1) == 0) continue;
    if (single)
      out->value[c][at] = value_column(c).Get(begin);
    else
      value_column(c).Decode(begin, end, out->value[c] + at);
    if (is_bytes(c)) DecodeValues(c, end - begin, out, at);
    if (has_class_column(c)) {
      class_column(c).Decode(begin, end, out->cls[c] + at);
      // Those of a damaged page are cut as in ClassAt: who looks at a class must see the same one.
      for (uint32_t i = 0; i < end - begin; i++) out->cls[c][at + i] = static_cast<uint8_t>(out->cls[c][at + i]);
      out->all_value &= ~(uint64_t{1} << c);
    } else if ((out->all_value >> c & 1) == 0) {
      for (uint32_t i = 0; i < end - begin; i++) out->cls[c][at + i] = kValue;
    }
  }
  if (single)
    out->tid[at] = TidAt(begin);
  else
    DecodeTids(begin, end, out->tid + at);
  if (inner()) child_column().Decode(begin, end, out->child + at);
}

// Exchanges n numbers of a bytes column, from out->value[c][at] on, for values.
void Node::DecodeValues(int c, uint32_t n, Entries* out, uint32_t at) const {
  if (n == 0) return;
  uint64_t* words = out->value[c] + at;
  const Dictionary values = dictionary(c);
  if (values.count() == 0) {
    for (uint32_t i = 0; i < n; i++) words[i] = WordOf(kEmptyValue);
    return;
  }
  uint64_t least = words[0], most = words[0];
  for (uint32_t i = 1; i < n; i++) {
    least = words[i] < least ? words[i] : least;
    most = words[i] > most ? words[i] : most;
  }
  if (least == most) {
    const uint64_t word = WordOf(out->bytes);
    out->bytes = values.Decode(static_cast<uint32_t>(least), static_cast<uint32_t>(least) + 1, out->bytes, nullptr);
    for (uint32_t i = 0; i < n; i++) words[i] = word;
    return;
  }
  if (most - least >= kMostDecodedTogether * n &&
      n * (kValueSizeBytes + values.header().longest) <= values.header().plain) {
    for (uint32_t i = 0; i < n; i++) {
      const uint32_t number = static_cast<uint32_t>(words[i]);
      words[i] = WordOf(out->bytes);
      out->bytes = values.Decode(number, number + 1, out->bytes, nullptr);
    }
    return;
  }
  uint64_t* addresses = reinterpret_cast<uint64_t*>((reinterpret_cast<uintptr_t>(out->bytes) + 7) / 8 * 8);
  out->bytes = values.Decode(static_cast<uint32_t>(least), static_cast<uint32_t>(most) + 1,
                             reinterpret_cast<uint8_t*>(addresses + (most - least + 1)), addresses);
  for (uint32_t i = 0; i < n; i++) words[i] = addresses[words[i] - least];
}

}  // namespace omendb::core
