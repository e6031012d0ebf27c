#include "core/node_writer.h"

#include <cstring>

namespace omendb::core {

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
size_t WordsOffset(int headers, uint64_t bytes_columns, int key_columns) {
  const size_t offset = kImageOffset + sizeof(NodeHeader) + static_cast<size_t>(headers) * sizeof(ColumnHeader) +
                        DictionariesBytes(bytes_columns) + 2 * FenceBytes(key_columns);
  return (offset + kCacheLine - 1) / kCacheLine * kCacheLine - kImageOffset;
}

// Sets where the words of each column are, and the size of all.
void LayOutWords(int key_columns, NodePlan* plan) {
  size_t offset = WordsOffset(plan->headers, plan->bytes_columns, key_columns);
  for (int h = 0; h < plan->headers; h++) {
    ColumnHeader& header = plan->header[h];
    // Offsets beyond a page do not fit 16 bits, and are not used: the caller sees the size.
    header.data_offset = header.width == 0 ? 0 : static_cast<uint16_t>(offset);
    offset += PackedBytes(plan->count, header.width);
  }
  plan->size = offset + plan->dictionary_bytes + (plan->fence_value_bytes + 7) / 8 * 8;
}

// The dictionary of a bytes column.  Whether the numbers are sorted.
bool PlanValues(const Entries& entries, int c, NodePlan* plan) {
  const ByteOrder& order = OrderOf(entries.shape(), c);
  uint64_t* numbers = entries.NumbersOf(c);
  // Without any value there is none in the gaps either.
  const bool empty = entries.count == 0 || entries.value[c][0] == 0;
  uint32_t count = 0;
  if (empty)
    std::memset(numbers, 0, entries.count * sizeof *numbers);
  else
    count = NumberDistinct(entries.value[c], entries.count, order, entries.DistinctOf(c), numbers);
  size_t bytes;
  plan->dictionary[entries.BytesColumnsBefore(c)] = PlanDictionary(entries.DistinctOf(c), count, order, &bytes);
  plan->dictionary_bytes += bytes;
  for (uint32_t i = 1; i < entries.count; i++)
    if (numbers[i] < numbers[i - 1]) return false;
  return true;
}

}  // namespace

void PlanNode(const Entries& entries, const Node* inherited, NodePlan* plan, size_t fence_value_bytes) {
  const uint32_t n = entries.count;
  const int values = entries.value_columns;
  plan->count = n;
  plan->class_columns = 0;
  plan->columns = values + (entries.inner ? 2 : 1);
  plan->bytes_columns = entries.bytes_columns;
  plan->dictionary_bytes = 0;
  plan->fence_value_bytes = fence_value_bytes;
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
    if (entries.is_bytes(c))
      add(entries.NumbersOf(c), PlanValues(entries, c, plan) && c == 0 && whole, old_value(c));
    else
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
  size_t size = WordsOffset(plan.headers, plan.bytes_columns, key_columns) + plan.fence_value_bytes;
  if (plan.count > 0) size += plan.dictionary_bytes * n / plan.count;
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

// What the values of bytes columns of the fences take around the first n entries.
size_t FenceValueBytes(const Entries& entries, uint32_t n, const Key* low_fence) {
  if (entries.bytes_columns == 0) return 0;
  const Shape shape = entries.shape();
  size_t bytes = low_fence != nullptr ? KeyValueBytes(*low_fence, shape) : 0;
  if (n == entries.count) return bytes + kMaxEntryBytes;  // what comes is not known
  Key left, right, separator;
  entries.KeyAt(n - 1, &left);
  entries.KeyAt(n, &right);
  KeyBytes memory;
  if (!entries.inner) {
    MakeSeparator(left, right, shape, &memory, &separator);
    return bytes + KeyValueBytes(separator, shape);
  }
  return bytes + KeyValueBytes(right, shape);
}

}  // namespace

uint32_t PlanPrefix(const Entries& entries, size_t max_bytes, uint32_t guess, NodePlan* plan, const Key* low_fence) {
  const uint32_t most = entries.count < kMaxEntries ? entries.count : kMaxEntries;
  uint32_t fits = 1, too_many = most + 1;
  uint32_t n = guess < 1 ? 1 : guess > most ? most : guess;
  constexpr int kMaxTries = 16;
  for (int tries = 0; tries < kMaxTries; tries++) {
    PlanNode(entries.Slice(0, n), nullptr, plan, FenceValueBytes(entries, n, low_fence));
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
  if (plan->count != fits) PlanNode(entries.Slice(0, fits), nullptr, plan, FenceValueBytes(entries, fits, low_fence));
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
  for (int c = 0; c < entries.value_columns; c++) pack(entries.is_bytes(c) ? entries.NumbersOf(c) : entries.value[c]);
  pack(entries.tid_number);
  if (entries.inner) pack(entries.child);
  for (int c = 0; c < entries.value_columns; c++)
    if (header.class_columns >> c & 1) pack(entries.cls[c]);
}

}  // namespace

void WriteNode(const Entries& entries, const NodePlan& plan, uint32_t level, const Key& low_fence,
               const Key* high_fence, uint8_t* out) {
  const Shape shape = entries.shape();
  const size_t fence = FenceBytes(entries.key_columns);
  const size_t dictionaries = sizeof(NodeHeader) + static_cast<size_t>(plan.headers) * sizeof(ColumnHeader);
  const size_t fences = dictionaries + DictionariesBytes(plan.bytes_columns);
  const size_t words = WordsOffset(plan.headers, plan.bytes_columns, entries.key_columns);
  // Dictionaries and values of fences come last.
  size_t end = words;
  for (int h = 0; h < plan.headers; h++) end += PackedBytes(plan.count, plan.header[h].width);
  std::memset(out + dictionaries, 0, words - dictionaries);
  for (uint64_t left = plan.bytes_columns; left != 0; left &= left - 1) {
    const int c = __builtin_ctzll(left);
    const size_t which = shape.BytesColumnsBefore(c);
    const uint16_t offset = static_cast<uint16_t>(end);
    std::memcpy(out + dictionaries + sizeof offset * which, &offset, sizeof offset);
    WriteDictionary(entries.DistinctOf(c), plan.dictionary[which], OrderOf(shape, c), out + end);
    end += plan.dictionary[which].size;
  }
  const auto write_fence = [&](size_t offset, const Key& key) {
    const size_t columns = static_cast<size_t>(entries.key_columns);
    uint8_t* at = out + offset;
    std::memcpy(at, &key.tid, sizeof key.tid);
    at += sizeof key.tid;
    for (size_t c = 0; c < columns; c++) {
      uint64_t ordinal = key.ordinal[c];
      if (entries.is_bytes(static_cast<int>(c)) && key.cls[c] == kValue) {
        StoreBytes(ViewOf(ordinal), out + end);
        ordinal = end;
        end += StoredBytes(key.ordinal[c]);
      }
      std::memcpy(at + sizeof ordinal * c, &ordinal, sizeof ordinal);
    }
    std::memcpy(at + sizeof(uint64_t) * columns, key.cls, columns);
  };
  write_fence(fences, low_fence);
  if (high_fence != nullptr) write_fence(fences + fence, *high_fence);
  for (; end % 8 != 0; end++) out[end] = 0;

  NodeHeader header;
  std::memset(&header, 0, sizeof header);
  header.count = static_cast<uint16_t>(plan.count);
  header.key_columns = static_cast<uint8_t>(entries.key_columns);
  header.columns = static_cast<uint8_t>(plan.columns);
  header.size = static_cast<uint16_t>(end);
  header.low_fence = static_cast<uint16_t>(fences);
  header.high_fence = high_fence != nullptr ? static_cast<uint16_t>(fences + fence) : 0;
  header.level = static_cast<uint16_t>(level);
  header.tid_span = plan.tid_span;
  header.tid_bias = plan.tid_bias;
  header.class_columns = plan.class_columns;
  header.bytes_columns = plan.bytes_columns;
  std::memcpy(out, &header, sizeof header);
  std::memcpy(out + sizeof header, plan.header, static_cast<size_t>(plan.headers) * sizeof(ColumnHeader));

  PackColumns(entries, 0, out);
}

bool PlanTail(const Node& node, uint32_t from, const Entries& tail, NodePlan* plan) {
  const NodeHeader& header = node.header();
  const uint32_t n = tail.count;
  // (A dictionary does not grow at its end.)
  if (from + n > kMaxEntries || header.bytes_columns != 0) return false;
  for (uint32_t i = 0; i < n; i++) {
    const uint64_t offset = TidOffset(tail.tid[i]);
    if (offset < header.tid_bias || offset - header.tid_bias > header.tid_span) return false;
  }
  FillTidNumbers(tail, header.tid_span, header.tid_bias);

  plan->count = from + n;
  plan->columns = header.columns;
  plan->headers = 0;
  plan->class_columns = header.class_columns;
  plan->bytes_columns = 0;
  plan->dictionary_bytes = plan->fence_value_bytes = 0;
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
  return WordsOffset(header.columns + __builtin_popcountll(header.class_columns), header.bytes_columns,
                     header.key_columns);
}

void PackNode(const Entries& entries, uint8_t* image) {
  const NodeHeader& header = *reinterpret_cast<const NodeHeader*>(image);
  FillTidNumbers(entries, header.tid_span, header.tid_bias);
  for (int c = 0; c < entries.value_columns; c++)
    if (header.class_columns >> c & 1) FillGaps(entries.value[c], entries.cls[c], entries.count);
  PackColumns(entries, 0, image);
}

}  // namespace omendb::core
