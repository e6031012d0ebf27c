#include "core/node.h"

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
  return slice;
}

void Entries::KeyAt(uint32_t i, Key* key) const {
  key->tid = tid[i];
  for (int c = 0; c < key_columns; c++) {
    key->cls[c] = static_cast<uint8_t>(cls[c][i]);
    key->ordinal[c] = cls[c][i] == kValue ? value[c][i] : 0;
  }
}

size_t EntriesBytes(uint32_t capacity, int value_columns, bool inner) {
  return (2 * static_cast<size_t>(value_columns) + (inner ? 3 : 2)) * capacity * sizeof(uint64_t);
}

void LayOutEntries(Entries* entries, void* memory, uint32_t capacity, int key_columns, int value_columns, bool inner) {
  uint64_t* next = static_cast<uint64_t*>(memory);
  const auto take = [&next, capacity] {
    uint64_t* array = next;
    next += capacity;
    return array;
  };
  *entries = Entries{};
  entries->key_columns = key_columns;
  entries->value_columns = value_columns;
  entries->inner = inner;
  for (int c = 0; c < value_columns; c++) {
    entries->value[c] = take();
    entries->cls[c] = take();
  }
  entries->tid = take();
  entries->tid_number = take();
  if (inner) entries->child = take();
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

int CompareEntries(const Entries& a, uint32_t i, const Entries& b, uint32_t j) {
  for (int c = 0; c < a.key_columns; c++) {
    if (a.cls[c][i] != b.cls[c][j]) return a.cls[c][i] < b.cls[c][j] ? -1 : 1;
    if (a.cls[c][i] == kValue && a.value[c][i] != b.value[c][j]) return a.value[c][i] < b.value[c][j] ? -1 : 1;
  }
  return a.tid[i] == b.tid[j] ? 0 : a.tid[i] < b.tid[j] ? -1 : 1;
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

bool Node::IsValid(const uint8_t* bytes, size_t available, int key_columns, int value_columns) {
  if (available < sizeof(NodeHeader)) return false;
  const NodeHeader& header = *reinterpret_cast<const NodeHeader*>(bytes);
  const bool inner = header.level > 0;
  const int values = inner ? key_columns : value_columns;
  if (header.count > kMaxEntries || header.key_columns != key_columns ||
      header.columns != values + (inner ? 2 : 1) || header.size > available || header.size % 8 != 0)
    return false;
  if (values < 64 && (header.class_columns >> values) != 0) return false;
  const int headers = header.columns + __builtin_popcountll(header.class_columns);
  const size_t fences = sizeof(NodeHeader) + static_cast<size_t>(headers) * sizeof(ColumnHeader);
  const auto fence_is_valid = [&](size_t offset) {
    return offset % 8 == 0 && offset >= fences && offset + FenceBytes(key_columns) <= header.size;
  };
  if (!fence_is_valid(header.low_fence)) return false;
  if (header.high_fence != 0 && !fence_is_valid(header.high_fence)) return false;
  if (header.count == 0) return true;
  const ColumnHeader* columns = reinterpret_cast<const ColumnHeader*>(bytes + sizeof(NodeHeader));
  for (int c = 0; c < headers; c++)
    if (!ColumnHeaderIsValid(columns[c], header.count, header.size)) return false;
  return true;
}

void Node::KeyAt(uint32_t i, Key* key) const {
  key->tid = TidAt(i);
  for (int c = 0; c < key_columns(); c++) {
    key->cls[c] = ClassAt(c, i);
    key->ordinal[c] = key->cls[c] == kValue ? value_column(c).Get(i) : 0;
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
}

bool Node::BoundIsRight(const Bound& bound, Direction direction) const {
  if (!has_high_fence()) return false;
  // The first column decides almost always.
  const uint8_t* fence = bytes_ + header_->high_fence;
  const uint64_t* ordinals = reinterpret_cast<const uint64_t*>(fence + sizeof(Tid));
  if (bound.columns > 0 && bound.key.cls[0] == kValue &&
      fence[sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns())] == kValue &&
      ordinals[0] != bound.key.ordinal[0])
    return bound.key.ordinal[0] > ordinals[0];
  Key key;
  HighFence(&key);
  const int order = CompareBound(bound, key, key_columns());
  return direction == Direction::kForward ? order >= 0 : order > 0;
}

bool Node::BoundIsLeft(const Bound& bound, Direction direction) const {
  const uint8_t* fence = bytes_ + header_->low_fence;
  const uint64_t* ordinals = reinterpret_cast<const uint64_t*>(fence + sizeof(Tid));
  if (bound.columns > 0 && bound.key.cls[0] == kValue &&
      fence[sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns())] == kValue &&
      ordinals[0] != bound.key.ordinal[0])
    return bound.key.ordinal[0] < ordinals[0];
  Key key;
  LowFence(&key);
  const int order = CompareBound(bound, key, key_columns());
  // Nothing is left of minus infinity.
  if (order == 0 && direction == Direction::kBackward) return key.cls[0] != kMinusInfinity;
  return order < 0;
}

bool Node::IsInside(uint64_t ordinal) const {
  const size_t class_at = sizeof(Tid) + sizeof(uint64_t) * static_cast<size_t>(key_columns());
  const uint8_t* low = bytes_ + header_->low_fence;
  const uint64_t low_ordinal = *reinterpret_cast<const uint64_t*>(low + sizeof(Tid));
  if (low[class_at] > kValue || (low[class_at] == kValue && low_ordinal >= ordinal)) return false;
  if (!has_high_fence()) return true;
  const uint8_t* high = bytes_ + header_->high_fence;
  const uint64_t high_ordinal = *reinterpret_cast<const uint64_t*>(high + sizeof(Tid));
  return high[class_at] > kValue || (high[class_at] == kValue && high_ordinal > ordinal);
}

void Node::EqualRange(uint64_t ordinal, uint32_t* begin, uint32_t* end) const {
  // Most runs hold an entry or none.
  constexpr uint32_t kNear = 4;
  const uint32_t n = count();
  *begin = *end = 0;
  if (n == 0) return;
  const Column values = value_column(0);
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

bool Node::IsBelow(uint32_t i, const Bound& bound) const {
  for (int c = 0; c < bound.columns; c++) {
    const uint8_t cls = ClassAt(c, i);
    if (cls != bound.key.cls[c]) return cls < bound.key.cls[c];
    if (cls != kValue) continue;
    const uint64_t ordinal = value_column(c).Get(i);
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
      (bound.columns == 0 || bound.key.cls[0] != kValue || value_column(0).Get(above) == bound.key.ordinal[0])) {
    Key key;
    KeyAt(above, &key);
    if (CompareBound(bound, key, key_columns()) == 0) return above;
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
    if (has_class_column(c)) {
      class_column(c).Decode(begin, end, out->cls[c] + at);
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

namespace {

// Entries whose class is not kValue have no ordinal.  Any would do; the
// neighbour's keeps the model straight.  `last` is the value before.
void FillGapsAfter(uint64_t last, uint64_t* values, const uint64_t* cls, uint32_t n) {
  for (uint32_t i = 0; i < n; i++) {
    if (cls[i] != kValue)
      values[i] = last;
    else
      last = values[i];
  }
}

// The same from a node's first entry on: those before the first value get that one.
void FillGaps(uint64_t* values, const uint64_t* cls, uint32_t n) {
  uint32_t first = 0;
  while (first < n && cls[first] != kValue) first++;
  FillGapsAfter(first < n ? values[first] : 0, values, cls, n);
}

void FillTidNumbers(const Entries& entries, uint64_t span, uint64_t bias) {
  ActiveKernels().number_tids(entries.tid, entries.count, span, bias, entries.tid_number);
}

// Turns TIDs into numbers, by the range of their offsets; of a part, by the range
// of the node that it was a part of, so that the old line still fits.
void NumberTids(const Entries& entries, const Node* inherited, NodePlan* plan) {
  uint64_t least = 0, most = 0;
  if (entries.count > 0) ActiveKernels().offset_range(entries.tid, entries.count, &least, &most);
  if (inherited != nullptr) {
    least = inherited->header().tid_bias;
    most = least + inherited->header().tid_span;
  }
  plan->tid_span = static_cast<uint16_t>(most - least);
  plan->tid_bias = static_cast<uint16_t>(least);
  FillTidNumbers(entries, plan->tid_span, plan->tid_bias);
}

// Where the packed words begin: at a cache line of the page.
size_t WordsOffset(int headers, int key_columns) {
  const size_t offset = kImageOffset + sizeof(NodeHeader) + static_cast<size_t>(headers) * sizeof(ColumnHeader) +
                        2 * FenceBytes(key_columns);
  return (offset + kCacheLine - 1) / kCacheLine * kCacheLine - kImageOffset;
}

// Sets where the words of each column are, and the size of all.
void LayOutWords(int key_columns, NodePlan* plan) {
  size_t offset = WordsOffset(plan->headers, key_columns);
  for (int h = 0; h < plan->headers; h++) {
    ColumnHeader& header = plan->header[h];
    // Offsets beyond a page do not fit 16 bits, and are not used: the caller sees the size.
    header.data_offset = header.width == 0 ? 0 : static_cast<uint16_t>(offset);
    offset += PackedBytes(plan->count, header.width);
  }
  plan->size = offset;
}

}  // namespace

void PlanNode(const Entries& entries, const Node* inherited, NodePlan* plan) {
  const uint32_t n = entries.count;
  const int values = entries.value_columns;
  plan->count = n;
  plan->class_columns = 0;
  plan->columns = values + (entries.inner ? 2 : 1);
  NumberTids(entries, inherited, plan);

  int next = 0;
  const auto add = [&](const uint64_t* array, bool sorted, const ColumnHeader* old) {
    ColumnHeader& header = plan->header[next++];
    if (n > 0) {
      header = FitColumn(array, n, sorted, old);
    } else {
      std::memset(&header, 0, sizeof header);
      header.codec = Codec::kConstant;
      header.scale = 1;
    }
  };
  const auto old_value = [&](int c) { return inherited ? &inherited->value_column(c).header() : nullptr; };

  for (int c = 0; c < values; c++) {
    const bool whole = ActiveKernels().all_equal(entries.cls[c], n, kValue);
    if (!whole) {
      plan->class_columns |= uint64_t{1} << c;
      FillGaps(entries.value[c], entries.cls[c], n);
    }
    add(entries.value[c], c == 0 && whole, old_value(c));
  }
  add(entries.tid_number, false, inherited ? &inherited->tid_column().header() : nullptr);
  if (entries.inner) add(entries.child, false, inherited ? &inherited->child_column().header() : nullptr);
  const auto old_class = [&](int c) {
    return inherited && inherited->has_class_column(c) ? &inherited->class_column(c).header() : nullptr;
  };
  for (int c = 0; c < values; c++)
    if (plan->class_columns >> c & 1) add(entries.cls[c], false, old_class(c));
  plan->headers = next;
  LayOutWords(entries.key_columns, plan);
}

namespace {

// Bytes of an image of n entries whose columns have the widths of a plan.
size_t SizeAtWidths(const NodePlan& plan, int key_columns, uint32_t n) {
  size_t size = WordsOffset(plan.headers, key_columns);
  for (int h = 0; h < plan.headers; h++) size += PackedBytes(n, plan.header[h].width);
  return size;
}

// The most entries, up to `most`, that fit max_bytes at the widths of a plan; 0 if none does.
uint32_t CountAtWidths(const NodePlan& plan, int key_columns, size_t max_bytes, uint32_t most) {
  uint32_t fits = 0, too_many = most + 1;
  while (too_many - fits > 1) {
    const uint32_t middle = fits + (too_many - fits) / 2;
    if (SizeAtWidths(plan, key_columns, middle) <= max_bytes)
      fits = middle;
    else
      too_many = middle;
  }
  return fits;
}

}  // namespace

uint32_t PlanPrefix(const Entries& entries, size_t max_bytes, uint32_t guess, NodePlan* plan) {
  const uint32_t most = entries.count < kMaxEntries ? entries.count : kMaxEntries;
  uint32_t fits = 1, too_many = most + 1;
  uint32_t n = guess < 1 ? 1 : guess > most ? most : guess;
  constexpr int kMaxTries = 16;
  for (int tries = 0; tries < kMaxTries; tries++) {
    PlanNode(entries.Slice(0, n), nullptr, plan);
    // As many as fit if more or fewer entries need the same widths, as they mostly do.
    const uint32_t aim = CountAtWidths(*plan, entries.key_columns, max_bytes, most);
    if (plan->size <= max_bytes) {
      fits = n;
      if (n == most || n == aim) return n;
    } else {
      too_many = n;
    }
    if (too_many - fits <= 1 + fits / 1024) break;
    n = aim <= fits ? fits + 1 : aim >= too_many ? too_many - 1 : aim;
    // Where widths jump, that creeps: halve.
    if (tries >= 3) n = fits + (too_many - fits) / 2;
  }
  if (plan->count != fits) PlanNode(entries.Slice(0, fits), nullptr, plan);
  return fits;
}

namespace {

// Writes the words of all columns of an image whose head is in place, from entry `from` on;
// those before are there.
void PackColumns(const Entries& entries, uint32_t from, uint8_t* image) {
  const NodeHeader& header = *reinterpret_cast<const NodeHeader*>(image);
  const ColumnHeader* column = reinterpret_cast<const ColumnHeader*>(image + sizeof(NodeHeader));
  const auto pack = [&](const uint64_t* array) {
    if (header.count > 0)
      PackColumn(array, header.count - from, *column, reinterpret_cast<uint64_t*>(image + column->data_offset), from);
    column++;
  };
  for (int c = 0; c < entries.value_columns; c++) pack(entries.value[c]);
  pack(entries.tid_number);
  if (entries.inner) pack(entries.child);
  for (int c = 0; c < entries.value_columns; c++)
    if (header.class_columns >> c & 1) pack(entries.cls[c]);
}

}  // namespace

void WriteNode(const Entries& entries, const NodePlan& plan, uint32_t level, const Key& low_fence,
               const Key* high_fence, uint8_t* out) {
  const size_t fence = FenceBytes(entries.key_columns);
  const size_t fences = sizeof(NodeHeader) + static_cast<size_t>(plan.headers) * sizeof(ColumnHeader);
  NodeHeader header;
  std::memset(&header, 0, sizeof header);
  header.count = static_cast<uint16_t>(plan.count);
  header.key_columns = static_cast<uint8_t>(entries.key_columns);
  header.columns = static_cast<uint8_t>(plan.columns);
  header.size = static_cast<uint16_t>(plan.size);
  header.low_fence = static_cast<uint16_t>(fences);
  header.high_fence = high_fence != nullptr ? static_cast<uint16_t>(fences + fence) : 0;
  header.level = static_cast<uint16_t>(level);
  header.tid_span = plan.tid_span;
  header.tid_bias = plan.tid_bias;
  header.class_columns = plan.class_columns;
  std::memcpy(out, &header, sizeof header);
  std::memcpy(out + sizeof header, plan.header, static_cast<size_t>(plan.headers) * sizeof(ColumnHeader));

  const auto write_fence = [&](uint8_t* at, const Key& key) {
    const size_t columns = static_cast<size_t>(entries.key_columns);
    std::memcpy(at, &key.tid, sizeof key.tid);
    std::memcpy(at + sizeof key.tid, key.ordinal, sizeof(uint64_t) * columns);
    std::memcpy(at + sizeof key.tid + sizeof(uint64_t) * columns, key.cls, columns);
  };
  std::memset(out + fences, 0, WordsOffset(plan.headers, entries.key_columns) - fences);
  write_fence(out + fences, low_fence);
  if (high_fence != nullptr) write_fence(out + fences + fence, *high_fence);

  PackColumns(entries, 0, out);
}

bool PlanTail(const Node& node, uint32_t from, const Entries& tail, NodePlan* plan) {
  const NodeHeader& header = node.header();
  const uint32_t n = tail.count;
  if (from + n > kMaxEntries) return false;
  for (uint32_t i = 0; i < n; i++) {
    const uint64_t offset = TidOffset(tail.tid[i]);
    if (offset < header.tid_bias || offset - header.tid_bias > header.tid_span) return false;
  }
  FillTidNumbers(tail, header.tid_span, header.tid_bias);

  plan->count = from + n;
  plan->columns = header.columns;
  plan->headers = 0;
  plan->class_columns = header.class_columns;
  plan->tid_span = header.tid_span;
  plan->tid_bias = header.tid_bias;
  const auto add = [&](const uint64_t* array, const Column& column) {
    plan->header[plan->headers++] = column.header();
    return ColumnCovers(column.header(), from, array, n);
  };
  for (int c = 0; c < tail.value_columns; c++) {
    const Column column = node.value_column(c);
    if (!node.has_class_column(c)) {
      if (!ActiveKernels().all_equal(tail.cls[c], n, kValue)) return false;
    } else {
      // If no entry before had a value, what stands for theirs would depend on the tail.
      if (node.ClassAt(c, from - 1) != kValue) return false;
      FillGapsAfter(column.Get(from - 1), tail.value[c], tail.cls[c], n);
    }
    if (!add(tail.value[c], column)) return false;
  }
  if (!add(tail.tid_number, node.tid_column())) return false;
  if (tail.inner && !add(tail.child, node.child_column())) return false;
  for (int c = 0; c < tail.value_columns; c++)
    if (node.has_class_column(c) && !add(tail.cls[c], node.class_column(c))) return false;
  LayOutWords(tail.key_columns, plan);
  return true;
}

void WriteTail(const Entries& tail, uint32_t from, const NodePlan& plan, uint8_t* image) {
  NodeHeader* header = reinterpret_cast<NodeHeader*>(image);
  ColumnHeader* columns = reinterpret_cast<ColumnHeader*>(image + sizeof(NodeHeader));
  // A node that has grown: words move back only, so the last come first.
  for (int h = plan.headers; h-- > 0;) {
    const size_t words = PackedBytes(from, columns[h].width);
    if (words > 0) std::memmove(image + plan.header[h].data_offset, image + columns[h].data_offset, words);
    columns[h].data_offset = plan.header[h].data_offset;
  }
  header->count = static_cast<uint16_t>(plan.count);
  header->size = static_cast<uint16_t>(plan.size);
  PackColumns(tail, from, image);
}

size_t NodeHeadBytes(const uint8_t* image) {
  const NodeHeader& header = *reinterpret_cast<const NodeHeader*>(image);
  return WordsOffset(header.columns + __builtin_popcountll(header.class_columns), header.key_columns);
}

void PackNode(const Entries& entries, uint8_t* image) {
  const NodeHeader& header = *reinterpret_cast<const NodeHeader*>(image);
  FillTidNumbers(entries, header.tid_span, header.tid_bias);
  for (int c = 0; c < entries.value_columns; c++)
    if (header.class_columns >> c & 1) FillGaps(entries.value[c], entries.cls[c], entries.count);
  PackColumns(entries, 0, image);
}

}  // namespace omendb::core
