// Random nodes: schemas, entries, images in buffers of exactly their size.
#ifndef OMENDB_TEST_UNIT_RANDOM_NODE_H
#define OMENDB_TEST_UNIT_RANDOM_NODE_H

#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "core/node.h"
#include "unit/distributions.h"
#include "unit/key_oracle.h"
#include "unit/random.h"

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
  bool has_nulls = false;
  core::KeyClass null_class = core::kNullLast;  // one index column has either NULLS FIRST or LAST
};

struct Schema {
  int key_columns = 1;
  int value_columns = 1;
  bool inner = false;
  Tids tids = Tids::kFewBlocks;
  ColumnSchema column[8];
};

inline Schema RandomSchema(Random& random) {
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

struct Drawn {
  uint8_t cls;
  uint64_t value;
};

inline Drawn Draw(const ColumnSchema& column, uint32_t n, Random& random) {
  if (column.has_nulls && random.OneIn(5)) return {column.null_class, 0};
  switch (column.domain) {
    case Domain::kConstant:
      return {core::kValue, column.origin};
    case Domain::kTiny:
      return {core::kValue, column.origin + column.scale * random.Below(4)};
    case Domain::kSmall:
      return {core::kValue, column.origin + column.scale * random.Below(n / 4 + 1)};
    case Domain::kUniform:
      return {core::kValue, column.origin + column.scale * random.Below(10 * uint64_t{n} + 1)};
    case Domain::kFull:
      return {core::kValue, random.OneIn(100) ? UINT64_MAX : random.Next()};
  }
  return {};
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
      const Drawn drawn = Draw(schema.column[c], n, random);
      key.cls[c] = drawn.cls;
      key.ordinal[c] = drawn.value;
    }
    key.tid = schema.tids == Tids::kInOrder ? random.Next() : DrawTid(schema.tids, n, random);
  }
  const auto less = [&](const core::Key& a, const core::Key& b) { return Less(a, b, schema.key_columns); };
  const auto same = [&](const core::Key& a, const core::Key& b) { return !less(a, b) && !less(b, a); };
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
inline std::vector<core::Key> Separators(const std::vector<core::Key>& keys, int key_columns, Random& random) {
  std::vector<core::Key> out;
  if (keys.empty()) return out;
  core::Key first{};
  if (random.OneIn(2))
    core::SetMinusInfinity(&first, key_columns);
  else
    first = keys[0];
  out.push_back(first);
  for (size_t i = 1; i < keys.size(); i++) {
    if (random.OneIn(3)) continue;
    core::Key separator{};
    core::MakeSeparator(keys[i - 1], keys[i], key_columns, &separator);
    out.push_back(separator);
  }
  return out;
}

// Entries with memory of their own.
class OwnedEntries {
 public:
  OwnedEntries(uint32_t capacity, const Schema& schema)
      : memory_(core::EntriesBytes(capacity, schema.value_columns, schema.inner) / sizeof(uint64_t) +
                (capacity == 0 ? 1 : 0)) {  // memory even for none: memmove takes no null
    core::LayOutEntries(&entries_, memory_.data(), capacity, schema.key_columns, schema.value_columns, schema.inner);
  }
  core::Entries* operator->() { return &entries_; }
  core::Entries& operator*() { return entries_; }
  const core::Entries& operator*() const { return entries_; }

 private:
  std::vector<uint64_t> memory_;
  core::Entries entries_;
};

inline OwnedEntries MakeEntries(const Schema& schema, const std::vector<core::Key>& keys, Random& random) {
  const uint32_t n = static_cast<uint32_t>(keys.size());
  OwnedEntries entries(n, schema);
  entries->count = n;
  for (uint32_t i = 0; i < n; i++) {
    for (int c = 0; c < schema.value_columns; c++) {
      const Drawn drawn =
          c < schema.key_columns ? Drawn{keys[i].cls[c], keys[i].ordinal[c]} : Draw(schema.column[c], n, random);
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

  core::Node node() const { return core::Node(image.bytes()); }
};

// At most n entries; fewer until they fit a page.
inline RandomNode MakeRandomNode(const Schema& schema, uint32_t n, Random& random) {
  std::vector<core::Key> keys = RandomKeys(schema, n + 2, random);
  if (schema.inner) keys = Separators(keys, schema.key_columns, random);
  core::Key low{}, high{};
  core::SetMinusInfinity(&low, schema.key_columns);
  core::SetMinusInfinity(&high, schema.key_columns);
  // Low fence: minus infinity, or at most the first entry.
  if (!keys.empty() && random.OneIn(2)) {
    if (!schema.inner && keys.size() > 1) {
      core::MakeSeparator(keys[0], keys[1], schema.key_columns, &low);
      keys.erase(keys.begin());
    } else {
      low = keys[0];
    }
  }
  while (true) {
    if (keys.size() > n) keys.resize(n);
    OwnedEntries entries = MakeEntries(schema, keys, random);
    core::NodePlan plan;
    core::PlanNode(*entries, nullptr, &plan);
    if (plan.size > core::kMaxNodeBytes) {
      keys.resize(keys.size() / 2);
      continue;
    }
    bool has_high = false;
    if (keys.size() > 1 && random.OneIn(2)) {
      // High fence: above the last entry, in its last column or in its TID.
      high = keys.back();
      high.tid++;
      has_high = true;
    }
    const uint32_t level = schema.inner ? 1 + static_cast<uint32_t>(random.Below(3)) : 0;
    Image image = Encode(*entries, plan, level, low, has_high ? &high : nullptr);
    return {schema, std::move(keys), std::move(entries), low, high, has_high, std::move(image)};
  }
}

}  // namespace omendb::test

#endif  // OMENDB_TEST_UNIT_RANDOM_NODE_H
