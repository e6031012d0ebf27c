// Random nodes: schemas, entries, images in buffers of exactly their size.
#ifndef OMENDB_TEST_UNIT_RANDOM_NODE_H
#define OMENDB_TEST_UNIT_RANDOM_NODE_H

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "core/node_writer.h"
#include "unit/distributions.h"
#include "unit/key_oracle.h"
#include "unit/random.h"
#include "unit/random_bytes.h"

namespace omendb::test {

// `wanted` of Node::Decode.
inline constexpr uint64_t kEveryColumn = ~uint64_t{0};

// How the values of one column are drawn.
enum class Domain { kConstant, kTiny, kSmall, kUniform, kFull };

// How TIDs are drawn.
enum class Tids {
  kFewBlocks,  // up to 200 rows a block, and now and then one near the last block
  kAny,        // any block to 2^32 - 1, any offset to 65535
  kOneBlock,
  kOneOffset,  // the offset says nothing: a span of 0
  kInOrder,    // a table filled in key order
};

struct ColumnSchema {
  Domain domain = Domain::kUniform;
  uint64_t scale = 1;  // of kTiny, kSmall and kUniform
  uint64_t origin = 0;
  StringShape strings;  // of a bytes column; its values are those of `origin` and a number
  bool has_nulls = false;
  core::KeyClass null_class = core::kNullLast;  // one index column has either NULLS FIRST or LAST
};

struct Schema {
  int key_columns = 1;
  int value_columns = 1;
  bool inner = false;
  Tids tids = Tids::kFewBlocks;
  ColumnSchema column[8];
  uint64_t bytes_columns = 0;
  // Shared, so that shapes and keys outlive the schema that they are from, as long as there is a copy of it.
  std::shared_ptr<std::vector<core::ByteOrder>> order = std::make_shared<std::vector<core::ByteOrder>>(8);
  std::shared_ptr<Values> values = std::make_shared<Values>();

  core::Shape shape() const {
    return {key_columns, value_columns, bytes_columns & ((uint64_t{1} << value_columns) - 1), order->data()};
  }
  bool is_bytes(int c) const { return (bytes_columns >> c & 1) != 0; }
  const core::ByteOrder& OrderOf(int c) const {
    return c < key_columns ? (*order)[static_cast<size_t>(c)] : core::kPlainByteOrder;
  }
  // Bytes of a value in one of the bytes columns, so that all of an entry have room.
  size_t LongestValue() const {
    const int columns = __builtin_popcountll(bytes_columns);
    return columns == 0 ? 0 : core::kMaxEntryBytes / static_cast<size_t>(columns) - core::kValueSizeBytes;
  }

  // A value near this one.
  uint64_t NearValue(int c, uint64_t value, Random& random) const {
    if (!is_bytes(c)) return value + random.Below(3) - 1;
    return values->Add(Near(Text(value), OrderOf(c), LongestValue(), random));
  }

  core::Key Separator(const core::Key& left, const core::Key& right) const {
    core::Key separator{};
    core::KeyBytes memory;
    core::MakeSeparator(left, right, shape(), &memory, &separator);
    for (int c = 0; c < key_columns; c++)
      if (is_bytes(c) && separator.cls[c] == core::kValue)
        separator.ordinal[c] = values->Add(Text(separator.ordinal[c]));
    return separator;
  }
};

inline Schema RandomSchemaOfWords(Random& random) {
  Schema schema;
  schema.key_columns = 1 + static_cast<int>(random.Below(4));
  schema.inner = random.OneIn(3);
  schema.value_columns = schema.key_columns + (schema.inner ? 0 : static_cast<int>(random.Below(4)));
  for (int c = 0; c < schema.value_columns; c++) {
    ColumnSchema& column = schema.column[c];
    column.domain = static_cast<Domain>(random.Below(5));
    constexpr uint64_t kScales[] = {1, 2, 1000, 60000000, uint64_t{1} << 40};
    column.scale = random.OneIn(2) ? 1 : kScales[random.Below(5)];
    column.origin = random.OneIn(2) ? random.Next() >> 1 : core::kSign64;
    column.has_nulls = random.OneIn(3);
    column.null_class = random.OneIn(2) ? core::kNullFirst : core::kNullLast;
  }
  schema.tids = static_cast<Tids>(random.Below(5));
  return schema;
}

// Some of the columns get values of variable width.
inline void AddBytesColumns(Schema* schema, Random& random) {
  for (int c = 0; c < schema->value_columns; c++)
    if (random.OneIn(2)) schema->bytes_columns |= uint64_t{1} << c;
  for (core::ByteOrder& order : *schema->order) order = RandomByteOrder(random);
  for (int c = 0; c < schema->value_columns; c++)
    if (schema->is_bytes(c))
      schema->column[c].strings =
          RandomStringShape(static_cast<uint32_t>(schema->LongestValue() - kLongestTail), random);
}

inline Schema RandomSchema(Random& random) {
  Schema schema = RandomSchemaOfWords(random);
  if (random.OneIn(2)) AddBytesColumns(&schema, random);
  return schema;
}

struct Drawn {
  uint8_t cls;
  uint64_t value;
};

// A value of a column of n entries.
inline Drawn Draw(const Schema& schema, int c, uint32_t n, Random& random) {
  const ColumnSchema& column = schema.column[c];
  if (column.has_nulls && random.OneIn(5)) return {column.null_class, 0};
  uint64_t number = 0;
  switch (column.domain) {
    case Domain::kConstant:
      break;
    case Domain::kTiny:
      number = random.Below(4);
      break;
    case Domain::kSmall:
      number = random.Below(n / 4 + 1);
      break;
    case Domain::kUniform:
      number = random.Below(10 * uint64_t{n} + 1);
      break;
    case Domain::kFull:
      number = random.OneIn(100) ? UINT64_MAX : random.Next();
      break;
  }
  if (!schema.is_bytes(c))
    return {core::kValue, column.domain == Domain::kFull ? number : column.origin + column.scale * number};
  Random of_number(column.origin + number);
  return {core::kValue, schema.values->Add(Varied(column.strings.Draw(of_number), schema.OrderOf(c), random))};
}

// One TID of n; those in order are set when the keys are sorted.
inline core::Tid DrawTid(Tids tids, uint32_t n, Random& random) {
  switch (tids) {
    case Tids::kFewBlocks: {
      const uint64_t block = random.OneIn(50) ? 0xFFFFFFFE : random.Below(n / 8 + 1);
      return block << core::kTidOffsetBits | random.Between(1, 200);
    }
    case Tids::kAny:
      return random.OneIn(100) ? core::kMaxTid : random.Next() & core::kMaxTid;
    case Tids::kOneBlock:
      return core::Tid{0xFFFFFFFF} << core::kTidOffsetBits | random.Below(0x10000);
    case Tids::kOneOffset:
      return random.Below(0x100000000) << core::kTidOffsetBits | 7;
    case Tids::kInOrder:
      break;
  }
  return 0;
}

// Rows first, first + 1, ... of a table with this many rows on every page.
inline core::Tid TidOfRow(uint64_t row, uint64_t rows_per_page) {
  return row / rows_per_page << core::kTidOffsetBits | (row % rows_per_page + 1);
}

// Distinct keys with TIDs, sorted; at most n (a small domain may not have as many).
inline std::vector<core::Key> RandomKeys(const Schema& schema, uint32_t n, Random& random) {
  std::vector<core::Key> keys(n);
  for (core::Key& key : keys) {
    key = core::Key{};
    for (int c = 0; c < schema.key_columns; c++) {
      const Drawn drawn = Draw(schema, c, n, random);
      key.cls[c] = drawn.cls;
      key.ordinal[c] = drawn.value;
    }
    key.tid = schema.tids == Tids::kInOrder ? random.Next() : DrawTid(schema.tids, n, random);
  }
  const core::Shape shape = schema.shape();
  const auto less = [&](const core::Key& a, const core::Key& b) { return Less(a, b, shape); };
  const auto same = [&](const core::Key& a, const core::Key& b) { return PlainCompare(a, b, shape) == 0; };
  std::sort(keys.begin(), keys.end(), less);
  keys.erase(std::unique(keys.begin(), keys.end(), same), keys.end());
  if (schema.tids == Tids::kInOrder) {
    const uint64_t rows_per_page = random.Between(1, 300), first = random.Below(1000000);
    for (size_t i = 0; i < keys.size(); i++) keys[i].tid = TidOfRow(first + i, rows_per_page);
  }
  return keys;
}

// The separators of an inner node over these leaf keys: the first one minus
// infinity half of the time, the others truncated as splits leave them.
inline std::vector<core::Key> Separators(const Schema& schema, const std::vector<core::Key>& keys, Random& random) {
  std::vector<core::Key> out;
  if (keys.empty()) return out;
  core::Key first{};
  if (random.OneIn(2))
    core::SetMinusInfinity(&first, schema.key_columns);
  else
    first = keys[0];
  out.push_back(first);
  for (size_t i = 1; i < keys.size(); i++) {
    if (random.OneIn(3)) continue;
    out.push_back(schema.Separator(keys[i - 1], keys[i]));
  }
  return out;
}

// Entries with memory of their own.
class OwnedEntries {
 public:
  OwnedEntries(uint32_t capacity, const Schema& schema)
      : memory_(core::EntriesBytes(capacity, schema.shape(), schema.inner) / sizeof(uint64_t) +
                (capacity == 0 ? 1 : 0)),  // memory even for none: memmove takes no null
        order_(schema.order),
        values_(schema.values) {
    core::LayOutEntries(&entries_, memory_.data(), capacity, schema.shape(), schema.inner);
  }
  core::Entries* operator->() { return &entries_; }
  core::Entries& operator*() { return entries_; }
  const core::Entries& operator*() const { return entries_; }

  // Node::Decode, with room for values that ends where it must, and begins anywhere.
  void Decode(const core::Node& node, uint32_t begin, uint32_t end, uint64_t wanted, uint32_t at) {
    const size_t bytes = node.DecodedBytes(wanted), skipped = bytes % 7;
    decoded_.emplace_back(new uint8_t[skipped + bytes]);
    entries_.bytes = decoded_.back().get() + skipped;
    node.Decode(begin, end, wanted, &entries_, at);
  }

 private:
  std::vector<uint64_t> memory_;
  std::vector<std::unique_ptr<uint8_t[]>> decoded_;
  std::shared_ptr<std::vector<core::ByteOrder>> order_;
  std::shared_ptr<Values> values_;
  core::Entries entries_;
};

// Whether two values of a column are the same, to the last byte.
inline bool IsSame(const core::Entries& entries, int c, uint64_t a, uint64_t b) {
  return a == b || (entries.is_bytes(c) && Text(a) == Text(b));
}

inline OwnedEntries MakeEntries(const Schema& schema, const std::vector<core::Key>& keys, Random& random) {
  const uint32_t n = static_cast<uint32_t>(keys.size());
  OwnedEntries entries(n, schema);
  entries->count = n;
  for (uint32_t i = 0; i < n; i++) {
    for (int c = 0; c < schema.value_columns; c++) {
      const Drawn drawn =
          c < schema.key_columns ? Drawn{keys[i].cls[c], keys[i].ordinal[c]} : Draw(schema, c, n, random);
      entries->cls[c][i] = drawn.cls;
      // Where there is no ordinal the array may hold anything.
      entries->value[c][i] = drawn.cls == core::kValue ? drawn.value : random.Next();
    }
    entries->tid[i] = keys[i].tid;
    if (schema.inner) entries->child[i] = random.OneIn(2) ? i + 1 : random.Below(0xFFFFFFFF);
  }
  return entries;
}

// 8-aligned, and not a byte longer than it must be.
class Image {
 public:
  explicit Image(size_t size) : size_(size), bytes_(static_cast<uint8_t*>(::operator new(size))) {}
  Image(const uint8_t* from, size_t size) : Image(size) {
    if (size > 0) std::memcpy(bytes_.get(), from, size);
  }
  uint8_t* bytes() { return bytes_.get(); }
  const uint8_t* bytes() const { return bytes_.get(); }
  size_t size() const { return size_; }

 private:
  struct Delete {
    void operator()(uint8_t* bytes) const { ::operator delete(bytes); }
  };
  size_t size_;
  std::unique_ptr<uint8_t, Delete> bytes_;
};

inline Image Encode(const core::Entries& entries, const core::NodePlan& plan, uint32_t level, const core::Key& low,
                    const core::Key* high) {
  Image image(plan.size);
  core::WriteNode(entries, plan, level, low, high, image.bytes());
  return image;
}

// A node with everything that went into it.
struct RandomNode {
  Schema schema;
  std::vector<core::Key> keys;
  OwnedEntries entries;
  core::Key low, high;
  bool has_high;
  Image image;

  core::Node node() const { return core::Node(image.bytes(), schema.order->data()); }
};

// At most n entries; fewer until they fit a page.
inline RandomNode MakeRandomNode(const Schema& schema, uint32_t n, Random& random) {
  std::vector<core::Key> keys = RandomKeys(schema, n + 2, random);
  if (schema.inner) keys = Separators(schema, keys, random);
  core::Key low{}, high{};
  core::SetMinusInfinity(&low, schema.key_columns);
  core::SetMinusInfinity(&high, schema.key_columns);
  // Low fence: minus infinity, or at most the first entry.
  if (!keys.empty() && random.OneIn(2)) {
    if (!schema.inner && keys.size() > 1) {
      low = schema.Separator(keys[0], keys[1]);
      keys.erase(keys.begin());
    } else {
      low = keys[0];
    }
  }
  const bool wants_high = random.OneIn(2);
  while (true) {
    core::Key next{};
    const bool has_next = keys.size() > n;
    if (has_next) next = keys[n];
    if (keys.size() > n) keys.resize(n);
    const bool has_high = keys.size() > 1 && wants_high;
    if (has_high) {
      // High fence: above the last entry, in its last column or in its TID, or as a split leaves it.
      high = keys.back();
      high.tid++;
      if (has_next && !schema.inner) high = schema.Separator(keys.back(), next);
    }
    OwnedEntries entries = MakeEntries(schema, keys, random);
    core::NodePlan plan;
    const core::Shape shape = schema.shape();
    core::PlanNode(*entries, nullptr, &plan,
                   core::KeyValueBytes(low, shape) + (has_high ? core::KeyValueBytes(high, shape) : 0));
    if (plan.size > core::kMaxNodeBytes) {
      n = static_cast<uint32_t>(keys.size() / 2);
      continue;
    }
    const uint32_t level = schema.inner ? 1 + static_cast<uint32_t>(random.Below(3)) : 0;
    Image image = Encode(*entries, plan, level, low, has_high ? &high : nullptr);
    return {schema, std::move(keys), std::move(entries), low, high, has_high, std::move(image)};
  }
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_RANDOM_NODE_H
