// Nodes: random schemas and entries, against the entries themselves.
#include "core/node.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "unit/exercise_node.h"
#include "unit/random_node.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

class NodeTest : public SeededTest {
 protected:
  // Calls body(node) with nodes of every kind and size, the empty ones included.
  template <typename Body>
  void ForEachNode(int rounds, Body body) {
    for (int round = 0; round < rounds; round++) {
      const uint32_t n = random_.OneIn(3) ? static_cast<uint32_t>(random_.Below(12))
                                          : static_cast<uint32_t>(random_.Below(random_.OneIn(10) ? 3000 : 400));
      const RandomNode random_node = MakeRandomNode(RandomSchema(random_), n, random_);
      SCOPED_TRACE(::testing::Message() << "round " << round << ": " << random_node.keys.size() << " entries, "
                                        << random_node.schema.key_columns << " key columns, bytes columns "
                                        << random_node.schema.bytes_columns
                                        << (random_node.schema.inner ? ", inner" : ""));
      body(random_node);
      if (HasFatalFailure()) return;
    }
  }

  // A bound from an entry, from near one, from a fence, or from anywhere.
  Bound DrawBound(const RandomNode& n) {
    Key key{};
    if (!n.keys.empty() && !random_.OneIn(5)) {
      key = n.keys[random_.Below(n.keys.size())];
      if (random_.OneIn(3)) {
        const size_t c = random_.Below(static_cast<uint64_t>(n.schema.key_columns));
        if (key.cls[c] == kValue) key.ordinal[c] = n.schema.NearValue(static_cast<int>(c), key.ordinal[c], random_);
      }
      if (random_.OneIn(3)) key.tid += random_.Below(3) - (key.tid > 0);
    } else if (random_.OneIn(2)) {
      key = n.has_high && random_.OneIn(2) ? n.high : n.low;
    } else {
      key = RandomKeys(n.schema, 1, random_)[0];
    }
    return RandomBound(key, n.schema.key_columns, random_);
  }

  static uint32_t NaiveLowerBound(const RandomNode& n, const Bound& bound) {
    uint32_t i = 0;
    while (i < n.keys.size() && IsBelow(n.keys[i], bound, n.schema.shape())) i++;
    return i;
  }
};

TEST_F(NodeTest, ImagesAreValidAndSayWhatWentIn) {
  ForEachNode(400, [&](const RandomNode& n) {
    ASSERT_TRUE(Node::IsValid(n.image.bytes(), n.image.size(), n.schema.shape()));
    const Node node = n.node();
    ASSERT_EQ(n.keys.size(), node.count());
    ASSERT_EQ(n.image.size(), node.header().size);
    ASSERT_EQ(n.schema.inner, node.inner());
    ASSERT_EQ(n.schema.key_columns, node.key_columns());
    ASSERT_EQ(n.schema.value_columns, node.value_columns());
    Key fence{};
    node.LowFence(&fence);
    ASSERT_EQ(Everything(n.low, n.schema.shape()), Everything(fence, n.schema.shape()));
    ASSERT_EQ(n.has_high, node.has_high_fence());
    if (!n.has_high) return;
    node.HighFence(&fence);
    ASSERT_EQ(Everything(n.high, n.schema.shape()), Everything(fence, n.schema.shape()));
  });
}

TEST_F(NodeTest, EveryEntryComesBack) {
  ForEachNode(400, [&](const RandomNode& n) {
    const Node node = n.node();
    for (uint32_t i = 0; i < node.count(); i++) {
      Key key{};
      KeyBytes memory;
      node.KeyAt(i, &memory, &key);
      ASSERT_EQ(Everything(n.keys[i], n.schema.shape()), Everything(key, n.schema.shape())) << i;
      Key of_entries{};
      (*n.entries).KeyAt(i, &of_entries);
      ASSERT_EQ(Everything(key, n.schema.shape()), Everything(of_entries, n.schema.shape())) << i;
      ASSERT_EQ(n.keys[i].tid, node.TidAt(i));
      if (n.schema.inner) {
        ASSERT_EQ((*n.entries).child[i], node.ChildAt(i));
      }
      for (int c = 0; c < n.schema.value_columns; c++) {
        ASSERT_EQ((*n.entries).cls[c][i], node.ClassAt(c, i));
        if (node.ClassAt(c, i) != kValue) continue;
        const uint64_t value = node.value_column(c).Get(i);
        if (!n.schema.is_bytes(c)) {
          ASSERT_EQ((*n.entries).value[c][i], value);
          continue;
        }
        const Dictionary dictionary = node.dictionary(c);
        ASSERT_LT(value, dictionary.count());
        std::vector<uint8_t> bytes(kValueSizeBytes + dictionary.header().longest);
        dictionary.Get(static_cast<uint32_t>(value), bytes.data());
        ASSERT_EQ(Text((*n.entries).value[c][i]), Text(WordOf(bytes.data())));
      }
    }
  });
}

TEST_F(NodeTest, DecodeOfAnyPartToAnyPlace) {
  ForEachNode(400, [&](const RandomNode& n) {
    const uint32_t count = n.node().count();
    const uint32_t begin = static_cast<uint32_t>(random_.Below(count + 1));
    const uint32_t end = begin + static_cast<uint32_t>(random_.Below(count - begin + 1));
    const uint32_t at = static_cast<uint32_t>(random_.Below(5));
    OwnedEntries out(at + end - begin, n.schema);
    out->count = at + end - begin;
    const uint64_t wanted = random_.OneIn(2) ? kEveryColumn : random_.Next();
    for (int c = 0; c < n.schema.value_columns; c++) {
      std::fill_n(out->value[c], out->count, 4711);
      std::fill_n(out->cls[c], out->count, 4711);
    }
    out.Decode(n.node(), begin, end, wanted, at);
    for (uint32_t i = begin; i < end; i++) {
      const uint32_t j = at + i - begin;
      for (int c = 0; c < n.schema.value_columns; c++) {
        if ((wanted >> c & 1) == 0) {
          ASSERT_EQ(4711u, out->cls[c][j]) << "not wanted, but written";
          ASSERT_EQ(4711u, out->value[c][j]) << "not wanted, but written";
          continue;
        }
        ASSERT_EQ((*n.entries).cls[c][i], out->cls[c][j]);
        if (out->cls[c][j] == kValue) {
          ASSERT_TRUE(IsSame(*out, c, (*n.entries).value[c][i], out->value[c][j])) << i << ", column " << c;
        }
      }
      ASSERT_EQ(n.keys[i].tid, out->tid[j]);
      if (n.schema.inner) {
        ASSERT_EQ((*n.entries).child[i], out->child[j]);
      }
    }
  });
}

TEST_F(NodeTest, LowerBoundAgreesWithALinearSearch) {
  ForEachNode(600, [&](const RandomNode& n) {
    const Node node = n.node();
    for (int k = 0; k < 60; k++) {
      const Bound bound = DrawBound(n);
      const uint32_t expected = NaiveLowerBound(n, bound);
      ForEachKernels(
          [&](const Kernels&) { ASSERT_EQ(expected, node.LowerBound(bound)) << ToString(bound, n.schema.shape()); });
    }
  });
}

TEST_F(NodeTest, LowerBoundFromAgreesWithALinearSearch) {
  ForEachNode(600, [&](const RandomNode& n) {
    for (int k = 0; k < 60; k++) {
      const Bound bound = DrawBound(n);
      const uint32_t expected = NaiveLowerBound(n, bound);
      const uint32_t distance = static_cast<uint32_t>(random_.OneIn(2) ? random_.Below(6) : random_.Below(1000));
      const uint32_t from = expected - std::min(expected, distance);
      ASSERT_EQ(expected, n.node().LowerBoundFrom(bound, from))
          << ToString(bound, n.schema.shape()) << " from " << from;
    }
  });
}

TEST_F(NodeTest, EntriesWithAValueAreFoundAsALinearSearchFindsThem) {
  int found = 0, inside = 0;
  ForEachNode(600, [&](const RandomNode& n) {
    const Node node = n.node();
    const Shape shape = n.schema.shape();
    for (int k = 0; k < 60; k++) {
      const Bound bound = DrawBound(n);
      if (bound.key.cls[0] != kValue) continue;
      const PlainValue value = Plain(bound.key, 0, shape);
      const auto is_value = [&](const Key& key) { return Plain(key, 0, shape) == value; };
      ASSERT_EQ(Plain(n.low, 0, shape) < value && (!n.has_high || value < Plain(n.high, 0, shape)),
                node.IsInside(bound.key.ordinal[0]));
      inside += node.IsInside(bound.key.ordinal[0]);
      if (node.has_class_column(0)) continue;
      uint32_t begin, end, expected = 0;
      node.EqualRange(bound.key.ordinal[0], &begin, &end);
      while (expected < n.keys.size() && Plain(n.keys[expected], 0, shape) < value) expected++;
      ASSERT_EQ(expected, begin) << ToString(bound, shape);
      while (expected < n.keys.size() && is_value(n.keys[expected])) expected++;
      ASSERT_EQ(expected, end) << ToString(bound, shape);
      found += begin < end;
    }
  });
  EXPECT_GT(found, 3000) << "the generator no longer reaches the case";
  EXPECT_GT(inside, 3000) << "the generator no longer reaches the case";
}

TEST_F(NodeTest, ChildForIsTheLastSeparatorThatTheBoundReaches) {
  ForEachNode(600, [&](const RandomNode& n) {
    if (!n.schema.inner || n.keys.empty()) return;
    for (int k = 0; k < 60; k++) {
      const Bound bound = DrawBound(n);
      uint32_t forward = 0, backward = 0;
      for (uint32_t i = 0; i < n.keys.size(); i++) {
        const int order = PlainCompareBound(bound, n.keys[i], n.schema.shape());
        if (order >= 0) forward = i;
        if (order > 0) backward = i;
      }
      ASSERT_EQ(forward, n.node().ChildFor(bound, Direction::kForward)) << ToString(bound, n.schema.shape());
      ASSERT_EQ(backward, n.node().ChildFor(bound, Direction::kBackward)) << ToString(bound, n.schema.shape());
    }
  });
}

TEST_F(NodeTest, FencesTellOnWhichSideABoundIs) {
  ForEachNode(600, [&](const RandomNode& n) {
    const Shape shape = n.schema.shape();
    const bool leftmost = n.low.cls[0] == kMinusInfinity;
    for (int k = 0; k < 60; k++) {
      const Bound bound = DrawBound(n);
      const int low = PlainCompareBound(bound, n.low, shape);
      const int high = n.has_high ? PlainCompareBound(bound, n.high, shape) : -1;
      ASSERT_EQ(high >= 0, n.node().BoundIsRight(bound, Direction::kForward)) << ToString(bound, n.schema.shape());
      ASSERT_EQ(high > 0, n.node().BoundIsRight(bound, Direction::kBackward)) << ToString(bound, n.schema.shape());
      ASSERT_EQ(low < 0, n.node().BoundIsLeft(bound, Direction::kForward)) << ToString(bound, n.schema.shape());
      ASSERT_EQ(low < 0 || (low == 0 && !leftmost), n.node().BoundIsLeft(bound, Direction::kBackward))
          << ToString(bound, n.schema.shape());
    }
  });
}

// A level of leaves, and an inner node above it: whatever the bound, one leaf
// claims it, the inner node leads there, and the search ends at the right entry.
TEST_F(NodeTest, SearchThroughALevelFindsWhatASearchOfAllEntriesFinds) {
  for (int round = 0; round < 150; round++) {
    SCOPED_TRACE(round);
    Schema schema = RandomSchema(random_);
    schema.inner = false;
    const int columns = schema.key_columns;
    const Shape shape = schema.shape();
    const std::vector<Key> keys = RandomKeys(schema, 2 + static_cast<uint32_t>(random_.Below(300)), random_);

    // Cut the entries into leaves, some of them empty as deletions leave them.
    std::vector<Key> lows(1);
    SetMinusInfinity(&lows[0], columns);
    std::vector<size_t> starts = {0};
    for (size_t i = 1; i < keys.size(); i++) {
      if (!random_.OneIn(10)) continue;
      const Key separator = schema.Separator(keys[i - 1], keys[i]);
      lows.push_back(separator);
      starts.push_back(i);
      if (random_.OneIn(10) && Less(separator, keys[i], shape)) {
        lows.push_back(keys[i]);
        starts.push_back(i);
      }
    }
    starts.push_back(keys.size());
    const size_t leaves = lows.size();
    std::vector<Image> images;
    for (size_t l = 0; l < leaves; l++) {
      const std::vector<Key> part(keys.begin() + static_cast<ptrdiff_t>(starts[l]),
                                  keys.begin() + static_cast<ptrdiff_t>(starts[l + 1]));
      const OwnedEntries entries = MakeEntries(schema, part, random_);
      NodePlan plan;
      const size_t fence_values =
          KeyValueBytes(lows[l], shape) + (l + 1 < leaves ? KeyValueBytes(lows[l + 1], shape) : 0);
      PlanNode(*entries, nullptr, &plan, fence_values);
      if (plan.size > UINT16_MAX) break;
      images.push_back(Encode(*entries, plan, 0, lows[l], l + 1 < leaves ? &lows[l + 1] : nullptr));
    }
    if (images.size() < leaves) continue;
    Schema inner_schema = schema;
    inner_schema.inner = true;
    inner_schema.value_columns = columns;
    const OwnedEntries inner_entries = MakeEntries(inner_schema, lows, random_);
    NodePlan plan;
    PlanNode(*inner_entries, nullptr, &plan);
    if (plan.size > UINT16_MAX) continue;
    const Image inner = Encode(*inner_entries, plan, 1, lows[0], nullptr);
    const ByteOrder* order = shape.order;

    for (int k = 0; k < 200; k++) {
      Key key = keys[random_.Below(keys.size())];
      if (random_.OneIn(4)) key = lows[random_.Below(leaves)];
      if (random_.OneIn(4) && key.cls[0] == kValue) key.ordinal[0] = schema.NearValue(0, key.ordinal[0], random_);
      if (random_.OneIn(4)) key.tid++;
      const Bound bound = RandomBound(key, columns, random_);
      size_t above = 0;  // the first entry above the bound; the last below is the one before
      while (above < keys.size() && IsBelow(keys[above], bound, shape)) above++;

      for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
        SCOPED_TRACE(ToString(bound, shape) + (direction == Direction::kForward ? " forward" : " backward"));
        size_t home = leaves;
        for (size_t l = 0; l < leaves; l++) {
          const bool left = Node(images[l].bytes(), order).BoundIsLeft(bound, direction);
          const bool right = Node(images[l].bytes(), order).BoundIsRight(bound, direction);
          ASSERT_FALSE(left && right) << "leaf " << l;
          if (home == leaves) {
            ASSERT_FALSE(left) << "leaf " << l << " lies right of the bound, but none before claimed it";
            if (!right) home = l;
          } else {
            ASSERT_TRUE(left) << "leaf " << l << " claims the bound after " << home << " did";
          }
        }
        ASSERT_LT(home, leaves) << "no leaf claims the bound";
        ASSERT_EQ(home, Node(inner.bytes(), order).ChildFor(bound, direction));
        // What is looked for is in the home leaf, or the next one on in this direction has it at its end.
        ASSERT_EQ(above, starts[home] + Node(images[home].bytes(), order).LowerBound(bound));
      }
    }
  }
}

// What the first `part` entries of a node may need more than it does: of its bytes columns only.
//
// In the dictionary of a part other values come at the restarts, which have nothing in common
// with the one before; the first is none of them, as all its bytes stood in the whole, too.
// And numbers that were a line need not be one without those between.  Neither happens to the
// first column where equal values have the same bytes: its part is the beginning of the whole.
size_t MostGrowth(const RandomNode& n, const NodePlan& whole, const NodePlan& part) {
  size_t growth = 0;
  const Shape shape = n.schema.shape();
  for (int c = 0; c < shape.value_columns; c++) {
    if (!shape.is_bytes(c) || (c == 0 && shape.order[0].bytewise() && shape.order[0].tail == 0)) continue;
    const DictionaryHeader& old = whole.dictionary[shape.BytesColumnsBefore(c)];
    const DictionaryHeader& header = part.dictionary[shape.BytesColumnsBefore(c)];
    const size_t restarts = (header.count + kRestartInterval - 1) / kRestartInterval;
    if (restarts > 1) growth += (restarts - 1) * (size_t{old.longest} - old.prefix + 1);
    growth += 7;  // a dictionary's size is a multiple of 8
    uint32_t bits = 0;
    while (bits < 32 && (uint64_t{header.count} - (header.count > 0)) >> bits != 0) bits++;
    const size_t before = PackedBytes(whole.count, whole.header[c].width), most = PackedBytes(part.count, bits);
    if (most > before) growth += most - before;
  }
  return growth;
}

TEST_F(NodeTest, AFirstPartNeverNeedsMoreRoomThanTheNode) {
  int with_bytes = 0, grown = 0;
  ForEachNode(600, [&](const RandomNode& n) {
    const Node whole = n.node();
    const uint32_t count = whole.count();
    NodePlan whole_plan;
    PlanNode(*n.entries, nullptr, &whole_plan);
    const size_t fence_values = KeyValueBytes(n.low, n.schema.shape());
    for (int k = 0; k < 10 && count > 0; k++) {
      const uint32_t part =
          k < 3 ? std::min(count, static_cast<uint32_t>(k + 1)) : 1 + static_cast<uint32_t>(random_.Below(count));
      // As a split does it: decoded from the image.
      OwnedEntries first(part, n.schema);
      first->count = part;
      first.Decode(whole, 0, part, kEveryColumn, 0);
      NodePlan plan;
      PlanNode(*first, &whole, &plan, fence_values);
      ASSERT_LE(plan.size, n.image.size() + MostGrowth(n, whole_plan, plan)) << "the first " << part;
      with_bytes += plan.bytes_columns != 0;
      grown += plan.size > n.image.size();
      const Image image = Encode(*first, plan, whole.level(), n.low, nullptr);
      for (uint32_t i = 0; i < part; i++) {
        Key key{};
        KeyBytes memory;
        Node(image.bytes(), n.schema.order->data()).KeyAt(i, &memory, &key);
        ASSERT_EQ(Everything(n.keys[i], n.schema.shape()), Everything(key, n.schema.shape()));
      }
    }
  });
  EXPECT_GT(with_bytes, 500) << "the generator no longer reaches the case";
  EXPECT_LT(grown, with_bytes / 10) << "what a split does not expect is no longer rare";
}

// What a first part must not lose: its keys may have a greater divisor than the
// whole, its TIDs a smaller range of offsets, and a part of it is a part again.
TEST_F(NodeTest, AFirstPartOfAnAdversarialNodeNeedsNoMoreRoom) {
  int narrower_offsets = 0, other_scales = 0;
  for (int round = 0; round < 3000; round++) {
    SCOPED_TRACE(round);
    Schema schema;
    schema.inner = random_.OneIn(3);
    const uint32_t n = 2 + static_cast<uint32_t>(random_.Below(random_.OneIn(10) ? 1500 : 100));
    const uint32_t part = 1 + static_cast<uint32_t>(random_.Below(n));
    const uint64_t scale = random_.OneIn(2) ? 1 : 60000000, coarser = random_.Between(1, 40);
    const uint64_t slope = random_.Between(40, 90), noise = random_.OneIn(2) ? 1 : random_.Between(1, 40);
    const uint64_t rows_per_page = random_.Between(1, 300), stride = random_.Between(1, 20);
    const uint64_t part_offsets = 1 + random_.Skewed() % 0x10000, rest_offsets = 1 + random_.Skewed() % 0x10000;
    const int pattern = static_cast<int>(random_.Below(5));
    std::vector<Key> keys(n);
    uint64_t block = random_.OneIn(2) ? 0 : random_.Below(0x80000000);
    for (uint32_t i = 0; i < n; i++) {
      const uint64_t step = slope * i + random_.Below(noise);
      keys[i].cls[0] = kValue;
      keys[i].ordinal[0] = 5 + scale * (i < part ? step / coarser * coarser : step);
      const uint64_t offset = random_.Below(i < part ? part_offsets : rest_offsets);
      switch (pattern) {
        case 0:  // in order, every so many rows
          keys[i].tid = TidOfRow(i * stride, rows_per_page);
          break;
        case 1:  // in order, and the offsets spread after the first part
          keys[i].tid = i < part ? TidOfRow(i, rows_per_page) : (block + i) << kTidOffsetBits | offset;
          break;
        case 2:  // any order
          keys[i].tid = random_.Below(1 + part_offsets) << kTidOffsetBits | offset;
          break;
        case 3:  // one block, then all
          keys[i].tid = (i < part ? block : random_.Below(0x100000000)) << kTidOffsetBits | offset;
          break;
        default:  // backwards
          keys[i].tid = TidOfRow((n - i) * stride, rows_per_page);
      }
    }
    for (uint32_t i = 1; i < n; i++) keys[i].ordinal[0] = std::max(keys[i].ordinal[0], keys[i - 1].ordinal[0]);
    const auto less = [&](const Key& a, const Key& b) { return Less(a, b, schema.shape()); };
    std::sort(keys.begin(), keys.end(), less);

    OwnedEntries entries = MakeEntries(schema, keys, random_);
    NodePlan plan;
    PlanNode(*entries, nullptr, &plan);
    if (plan.size > 0xFFFF) continue;
    Key low{};
    SetMinusInfinity(&low, 1);
    Image image = Encode(*entries, plan, schema.inner, low, nullptr);
    for (uint32_t length = part; length >= 1; length = static_cast<uint32_t>(random_.Below(length))) {
      const Node whole(image.bytes());
      OwnedEntries first(length, schema);
      first->count = length;
      first.Decode(whole, 0, length, kEveryColumn, 0);
      PlanNode(*first, nullptr, &plan);
      narrower_offsets += plan.tid_span < whole.header().tid_span;
      other_scales += plan.header[0].scale > whole.value_column(0).header().scale;
      PlanNode(*first, &whole, &plan);
      ASSERT_LE(plan.size, image.size()) << "the first " << length << ", pattern " << pattern;
      for (int h = 0; h < plan.headers; h++) {
        const Column old = h == 0 ? whole.value_column(0) : h == 1 ? whole.tid_column() : whole.child_column();
        ASSERT_LE(plan.header[h].width, old.header().width) << "column " << h << ", pattern " << pattern;
      }
      image = Encode(*first, plan, schema.inner, low, nullptr);
      ASSERT_TRUE(Node::IsValid(image.bytes(), image.size(), Shape{1, 1}));
      for (uint32_t i = 0; i < length; i++) {
        Key key{};
        Node(image.bytes()).KeyAt(i, nullptr, &key);
        ASSERT_EQ(Everything(keys[i], schema.shape()), Everything(key, schema.shape()));
      }
    }
  }
  EXPECT_GT(narrower_offsets, 1000) << "the generator no longer reaches the case";
  EXPECT_GT(other_scales, 1000) << "the generator no longer reaches the case";
}

// A node that grows at its end is, bit for bit, what packing all its entries behind its head
// makes: so replay does.  And it is a node like any other: searches find what they should, and
// a first part needs no more room.
TEST_F(NodeTest, ATailGivesWhatPackingAllEntriesDoes) {
  int grown = 0, with_gaps = 0, refused = 0;
  for (int round = 0; round < 4000; round++) {
    SCOPED_TRACE(round);
    Schema schema = RandomSchemaOfWords(random_);
    for (int c = 0; c < schema.value_columns; c++)
      if (random_.OneIn(2)) schema.column[c].domain = random_.OneIn(2) ? Domain::kConstant : Domain::kTiny;
    if (random_.OneIn(2)) schema.tids = Tids::kInOrder;
    std::vector<Key> keys = RandomKeys(schema, 2 + static_cast<uint32_t>(random_.Below(400)), random_);
    const bool ascending = random_.OneIn(2);
    const uint64_t step = random_.Between(1, 1000), noise = random_.OneIn(2) ? 1 : step;
    for (size_t i = 0; ascending && i < keys.size(); i++) {
      keys[i].cls[0] = kValue;
      keys[i].ordinal[0] = 1000000 + i * step + random_.Below(noise);
    }
    const uint32_t n = static_cast<uint32_t>(keys.size());
    if (n < 2) continue;
    const OwnedEntries all = MakeEntries(schema, keys, random_);

    // The node has the entries before `from` and some of those behind.
    const uint32_t from = std::max(1u, n - 1 - static_cast<uint32_t>(random_.Below(std::min(n, 130u))));
    OwnedEntries old(n, schema), tail(n, schema);
    AppendEntries(&*old, (*all).Slice(0, from));
    const int share = random_.OneIn(3) ? 1000000 : 2;
    for (uint32_t i = from; i < n; i++)
      if (random_.OneIn(static_cast<uint64_t>(share))) CopyEntry(&*old, old->count++, *all, i);
    AppendEntries(&*tail, (*all).Slice(from, n));
    NodePlan plan;
    PlanNode(*old, nullptr, &plan);
    Key low{}, high{};
    SetMinusInfinity(&low, schema.key_columns);
    high = keys.back();
    high.tid++;
    const Key* fence = random_.OneIn(2) ? &high : nullptr;
    const Image before = Encode(*old, plan, schema.inner, low, fence);
    if (!PlanTail(Node(before.bytes()), from, *tail, &plan)) {
      refused++;
      continue;
    }
    Image after(std::max(plan.size, before.size()));
    std::memset(after.bytes(), 0xEE, after.size());
    std::memcpy(after.bytes(), before.bytes(), before.size());
    WriteTail(*tail, from, plan, after.bytes());
    grown++;

    Image packed(plan.size);
    std::memset(packed.bytes(), 0xDD, packed.size());
    std::memcpy(packed.bytes(), after.bytes(), NodeHeadBytes(after.bytes()));
    OwnedEntries copy(n, schema);
    AppendEntries(&*copy, *all);
    PackNode(*copy, packed.bytes());
    ASSERT_EQ(0, std::memcmp(packed.bytes(), after.bytes(), plan.size));

    ASSERT_TRUE(Node::IsValid(after.bytes(), plan.size, schema.shape()));
    const Node node(after.bytes());
    ASSERT_EQ(n, node.count());
    with_gaps += node.header().class_columns != 0;
    for (uint32_t i = 0; i < n; i++) {
      Key key{};
      node.KeyAt(i, nullptr, &key);
      ASSERT_EQ(Everything(keys[i], schema.shape()), Everything(key, schema.shape())) << i;
      if (schema.inner) {
        ASSERT_EQ((*all).child[i], node.ChildAt(i));
      }
      Bound bound;
      SetBoundBefore(&bound, key, schema.key_columns);
      ASSERT_EQ(i, node.LowerBound(bound));
    }
    const uint32_t part = 1 + static_cast<uint32_t>(random_.Below(n));
    OwnedEntries first(part, schema);
    first->count = part;
    first.Decode(node, 0, part, kEveryColumn, 0);
    PlanNode(*first, &node, &plan);
    ASSERT_LE(plan.size, node.header().size) << "the first " << part;
  }
  EXPECT_GT(grown, 500) << "the generator no longer reaches the case";
  EXPECT_GT(with_gaps, 100) << "the generator no longer reaches the case";
  EXPECT_GT(refused, 500) << "the generator no longer reaches the case";
}

TEST_F(NodeTest, NodesWithBytesColumnsHaveNoTails) {
  int with_bytes = 0;
  ForEachNode(100, [&](const RandomNode& n) {
    const uint32_t count = n.node().count();
    if (n.schema.bytes_columns == 0 || count == 0) return;
    NodePlan plan;
    ASSERT_FALSE(PlanTail(n.node(), count, (*n.entries).Slice(count - 1, count), &plan));
    with_bytes++;
  });
  EXPECT_GT(with_bytes, 10) << "the generator no longer reaches the case";
}

// What stands for NULLs before the first value is that value, and another one may come first.
TEST_F(NodeTest, ATailDoesNotChangeWhatStandsForNullsBefore) {
  Schema schema;
  schema.value_columns = 2;
  constexpr uint32_t kFrom = 100, kAll = 105;
  constexpr uint64_t kIncluded[] = {6, 5, 6, 8, 5};  // the first is to come
  for (const bool value_before : {false, true}) {
    OwnedEntries all(kAll, schema), old(kAll, schema);
    all->count = kAll;
    for (uint64_t i = 0; i < kAll; i++) {
      all->value[0][i] = 7;
      all->cls[0][i] = kValue;
      all->value[1][i] = i < kFrom ? 5 : kIncluded[i - kFrom];
      all->cls[1][i] = i >= kFrom || (value_before && i == kFrom - 1) ? kValue : kNullLast;
      all->tid[i] = i * 37 % 64 << kTidOffsetBits | 1;  // in no order, which is nothing to a plan
    }
    AppendEntries(&*old, (*all).Slice(0, kFrom));
    AppendEntries(&*old, (*all).Slice(kFrom + 1, kAll));
    NodePlan plan;
    PlanNode(*old, nullptr, &plan);
    Key low{};
    SetMinusInfinity(&low, 1);
    const Image image = Encode(*old, plan, 0, low, nullptr);
    ASSERT_EQ(value_before, PlanTail(Node(image.bytes()), kFrom, (*all).Slice(kFrom, kAll), &plan));
  }
}

// Ascending keys, as they come in: the first fit lasts.
TEST_F(NodeTest, AscendingKeysAreCoveredByTheLineThatTheyHave) {
  const Schema schema;
  for (const uint64_t step : {uint64_t{1}, uint64_t{7}, uint64_t{60000000}}) {
    std::vector<Key> keys(kMaxEntries);
    for (uint32_t i = 0; i < kMaxEntries; i++) {
      keys[i] = Key{};
      keys[i].cls[0] = kValue;
      keys[i].ordinal[0] = kSign64 + i * step;
      keys[i].tid = TidOfRow(i, 100);
    }
    const OwnedEntries entries = MakeEntries(schema, keys, random_);
    NodePlan plan;
    PlanNode((*entries).Slice(0, 128), nullptr, &plan);
    Key low{};
    SetMinusInfinity(&low, 1);
    const Image image = Encode((*entries).Slice(0, 128), plan, 0, low, nullptr);
    ASSERT_TRUE(PlanTail(Node(image.bytes()), 128, (*entries).Slice(128, kMaxEntries), &plan)) << step;
    ASSERT_EQ(image.size(), plan.size);
  }
}

// Classes that change once: a line halves their width, which a part must inherit.
TEST_F(NodeTest, AFirstPartInheritsTheModelsOfClassColumns) {
  Schema schema;
  schema.key_columns = schema.value_columns = 2;
  schema.inner = true;
  for (const KeyClass below : {kMinusInfinity, kNullFirst}) {
    for (const KeyClass above : {kValue, kNullLast}) {
      std::vector<Key> keys(600);
      for (uint32_t i = 0; i < keys.size(); i++) {
        keys[i] = Key{};
        keys[i].cls[0] = kValue;
        keys[i].ordinal[0] = i;
        keys[i].cls[1] = i < keys.size() / 2 ? below : above;
      }
      const OwnedEntries entries = MakeEntries(schema, keys, random_);
      NodePlan plan;
      PlanNode(*entries, nullptr, &plan);
      Key low{};
      SetMinusInfinity(&low, 2);
      const Image image = Encode(*entries, plan, 1, low, nullptr);
      const Node whole(image.bytes());
      for (uint32_t part = 1; part <= keys.size(); part++) {
        NodePlan part_plan;
        PlanNode((*entries).Slice(0, part), &whole, &part_plan);
        ASSERT_LE(part_plan.size, plan.size) << "the first " << part << ", classes " << below << " and " << above;
      }
    }
  }
}

TEST_F(NodeTest, PlansDoNotDependOnWhatStandsWhereThereIsNoOrdinal) {
  ForEachNode(200, [&](const RandomNode& n) {
    Random again(1);
    OwnedEntries entries(static_cast<uint32_t>(n.keys.size()), n.schema);
    entries->count = static_cast<uint32_t>(n.keys.size());
    for (uint32_t i = 0; i < n.keys.size(); i++) {
      CopyEntry(&*entries, i, *n.entries, i);
      for (int c = 0; c < n.schema.value_columns; c++)
        if (entries->cls[c][i] != kValue) entries->value[c][i] = again.Next();
    }
    NodePlan plan;
    const Shape shape = n.schema.shape();
    PlanNode(*entries, nullptr, &plan, KeyValueBytes(n.low, shape) + (n.has_high ? KeyValueBytes(n.high, shape) : 0));
    ASSERT_EQ(n.image.size(), plan.size);
    const Image image = Encode(*entries, plan, n.node().level(), n.low, n.has_high ? &n.high : nullptr);
    ASSERT_EQ(0, std::memcmp(n.image.bytes(), image.bytes(), plan.size));
  });
}

TEST_F(NodeTest, PlanPrefixFillsANodeAndNotMore) {
  constexpr int kRounds = 400;
  int with_bytes = 0, not_full = 0;
  for (int round = 0; round < kRounds; round++) {
    SCOPED_TRACE(round);
    const Schema schema = RandomSchema(random_);
    const Shape shape = schema.shape();
    std::vector<Key> keys = RandomKeys(schema, 1 + static_cast<uint32_t>(random_.Skewed() % 3000), random_);
    if (schema.inner) keys = Separators(schema, keys, random_);
    const uint32_t all = static_cast<uint32_t>(keys.size());
    OwnedEntries entries = MakeEntries(schema, keys, random_);
    const size_t max_bytes = 512 + random_.Below(kMaxNodeBytes - 512 + 1);
    const uint32_t guess = static_cast<uint32_t>(random_.Below(2 * keys.size() + 2));
    Key low{};
    SetMinusInfinity(&low, schema.key_columns);
    if (random_.OneIn(2)) low = keys[0];
    NodePlan plan;
    const uint32_t n = PlanPrefix(*entries, max_bytes, guess, &plan, &low);
    ASSERT_GE(n, 1u);
    ASSERT_LE(n, all);
    ASSERT_EQ(n, plan.count);
    if (n > 1) {
      ASSERT_LE(plan.size, max_bytes);
    }
    if (plan.size > UINT16_MAX) continue;
    // What was planned can be written as it is, whatever was tried in between: with the separator behind the entries
    // or, behind all of them, anything.
    const auto high_fence = [&](uint32_t count) {
      if (count < all) return schema.inner ? keys[count] : schema.Separator(keys[count - 1], keys[count]);
      Key high = keys.back();
      high.tid++;
      for (int c = 0; c < schema.key_columns; c++) {
        if (!schema.is_bytes(c) || high.cls[c] != kValue) continue;
        high.ordinal[c] = schema.values->Add(std::string(schema.LongestValue(), 'z'));
      }
      return high;
    };
    const Key high = high_fence(n);
    const Image image = Encode((*entries).Slice(0, n), plan, schema.inner, low, &high);
    const Node node(image.bytes(), shape.order);
    ASSERT_LE(node.header().size, plan.size);
    if (n < all) {
      ASSERT_EQ(node.header().size, plan.size);
    }
    ASSERT_TRUE(Node::IsValid(image.bytes(), image.size(), shape));
    for (uint32_t i = 0; i < n; i++) {
      Key key{};
      KeyBytes memory;
      node.KeyAt(i, &memory, &key);
      ASSERT_EQ(Everything(keys[i], shape), Everything(key, shape)) << i;
    }
    Key fence{};
    node.LowFence(&fence);
    ASSERT_EQ(Everything(low, shape), Everything(fence, shape));
    node.HighFence(&fence);
    ASSERT_EQ(Everything(high, shape), Everything(fence, shape));
    with_bytes += plan.bytes_columns != 0;
    // And the node is about full, unless these were all: a few more do not fit. Where those would need narrower words
    // than these, which is rare, the search for the number ends too early; but then the node lacks little.
    if (n == all || plan.size >= max_bytes - max_bytes / 200) continue;
    // (Of bytes columns, whatever the separator: one may be shorter than those before.)
    const size_t fence_values = plan.bytes_columns == 0 ? 0 : KeyValueBytes(low, shape) + kMaxEntryBytes;
    const auto fits = [&](uint32_t count) {
      NodePlan larger;
      PlanNode((*entries).Slice(0, count), nullptr, &larger, fence_values);
      return larger.size <= max_bytes;
    };
    const uint32_t few = n + 2 + n / 1024, many = n + 8 + n / 4;
    bool few_fit = few <= all;
    for (uint32_t more = n + 1; few_fit && more <= few; more++) few_fit = fits(more);
    not_full += few_fit;
    ASSERT_FALSE(few_fit && many <= all && fits(many)) << n << " of " << all << " take only " << plan.size;
  }
  EXPECT_LE(not_full, kRounds / 100);
  EXPECT_GT(with_bytes, 50) << "the generator no longer reaches the case";
}

TEST_F(NodeTest, MoveEntriesMovesEveryColumn) {
  ForEachNode(100, [&](const RandomNode& n) {
    const uint32_t count = n.node().count();
    OwnedEntries moved(count, n.schema);
    for (uint32_t i = 0; i < count; i++) CopyEntry(&*moved, i, *n.entries, i);
    const uint32_t to = static_cast<uint32_t>(random_.Below(count + 1));
    const uint32_t from = static_cast<uint32_t>(random_.Below(count + 1));
    const uint32_t length = static_cast<uint32_t>(random_.Below(count - std::max(to, from) + 1));
    MoveEntries(&*moved, to, from, length);
    for (uint32_t i = 0; i < count; i++) {
      const uint32_t source = i >= to && i < to + length ? from + i - to : i;
      for (int c = 0; c < n.schema.value_columns; c++) {
        ASSERT_EQ((*n.entries).value[c][source], moved->value[c][i]);
        ASSERT_EQ((*n.entries).cls[c][source], moved->cls[c][i]);
      }
      ASSERT_EQ((*n.entries).tid[source], moved->tid[i]);
      if (n.schema.inner) {
        ASSERT_EQ((*n.entries).child[source], moved->child[i]);
      }
    }
  });
}

TEST_F(NodeTest, SlicesAreWindows) {
  ForEachNode(100, [&](const RandomNode& n) {
    const uint32_t count = n.node().count();
    const uint32_t begin = static_cast<uint32_t>(random_.Below(count + 1));
    const uint32_t end = begin + static_cast<uint32_t>(random_.Below(count - begin + 1));
    const Entries slice = (*n.entries).Slice(begin, end);
    ASSERT_EQ(end - begin, slice.count);
    for (uint32_t i = 0; i < slice.count; i++) {
      Key key{};
      slice.KeyAt(i, &key);
      ASSERT_EQ(Everything(n.keys[begin + i], n.schema.shape()), Everything(key, n.schema.shape()));
    }
  });
}

TEST_F(NodeTest, TheWidestSchemaWorks) {
  // As many columns as PostgreSQL allows, all of them with NULLs: class column 63 and mask bits up to there.
  const int values = kMaxValueColumns;
  const uint32_t n = 3;
  std::vector<uint64_t> memory(EntriesBytes(n, Shape{kMaxKeyColumns, values}, false) / 8);
  Entries entries;
  LayOutEntries(&entries, memory.data(), n, Shape{kMaxKeyColumns, values}, false);
  entries.count = n;
  for (uint32_t i = 0; i < n; i++) {
    for (int c = 0; c < values; c++) {
      entries.cls[c][i] = i == 2 ? kNullLast : kValue;
      entries.value[c][i] = i * static_cast<uint64_t>(c);
    }
    entries.tid[i] = core::Tid{i} << core::kTidOffsetBits | 1;
  }
  NodePlan plan;
  PlanNode(entries, nullptr, &plan);
  Key low{};
  SetMinusInfinity(&low, kMaxKeyColumns);
  const Image image = Encode(entries, plan, 0, low, nullptr);
  ASSERT_TRUE(Node::IsValid(image.bytes(), image.size(), Shape{kMaxKeyColumns, values}));
  const Node node(image.bytes());
  for (uint32_t i = 0; i < n; i++) {
    for (int c = 0; c < values; c++) {
      EXPECT_EQ(entries.cls[c][i], node.ClassAt(c, i));
      if (i < 2) {
        EXPECT_EQ(entries.value[c][i], node.value_column(c).Get(i));
      }
    }
  }
}

// TIDs in nodes of one column of keys, which are equal.
class NodeTidTest : public NodeTest {
 protected:
  Image EncodeTids(const std::vector<Tid>& tids, NodePlan* plan) {
    const uint32_t n = static_cast<uint32_t>(tids.size());
    OwnedEntries entries(n, Schema{});
    entries->count = n;
    for (uint32_t i = 0; i < n; i++) {
      entries->value[0][i] = 1;
      entries->cls[0][i] = kValue;
      entries->tid[i] = tids[i];
    }
    PlanNode(*entries, nullptr, plan);
    Key low{};
    SetMinusInfinity(&low, 1);
    return Encode(*entries, *plan, 0, low, nullptr);
  }

  void ExpectRoundTrip(const std::vector<Tid>& tids) {
    NodePlan plan;
    const Image image = EncodeTids(tids, &plan);
    uint64_t least = 0xFFFF, most = 0;
    for (const Tid tid : tids) {
      least = std::min(least, TidOffset(tid));
      most = std::max(most, TidOffset(tid));
    }
    ASSERT_TRUE(Node::IsValid(image.bytes(), image.size(), Shape{1, 1}));
    const Node node(image.bytes());
    ASSERT_EQ(least, node.header().tid_bias);
    ASSERT_EQ(most - least, node.header().tid_span);
    const uint32_t n = node.count();
    for (uint32_t i = 0; i < n; i++) ASSERT_EQ(tids[i], node.TidAt(i)) << i;
    for (int k = 0; k < 4; k++) {
      const uint32_t begin = k == 0 ? 0 : static_cast<uint32_t>(random_.Below(n));
      const uint32_t end = k == 0 ? n : begin + static_cast<uint32_t>(random_.Below(n - begin + 1));
      OwnedEntries out(end - begin, Schema{});
      node.Decode(begin, end, 0, &*out, 0);
      for (uint32_t i = begin; i < end; i++) ASSERT_EQ(tids[i], out->tid[i - begin]) << i;
    }
  }
};

TEST_F(NodeTidTest, AnyTidsRoundTrip) {
  for (int round = 0; round < 3000; round++) {
    SCOPED_TRACE(round);
    const uint64_t first_block = random_.OneIn(2) ? random_.Skewed() & 0xFFFFFFFF : 0xFFFFFFFF;
    const uint64_t blocks = 1 + (random_.OneIn(3) ? 0 : random_.Skewed() % (0x100000000 - first_block));
    const uint64_t first_offset = random_.OneIn(3) ? 0 : random_.Below(0x10000);
    const uint64_t offsets = 1 + (random_.OneIn(3) ? 0 : random_.Skewed() % (0x10000 - first_offset));
    std::vector<Tid> tids(1 + random_.Below(round % 10 == 0 ? 600 : 30));
    for (Tid& tid : tids)
      tid = (first_block + random_.Below(blocks)) << kTidOffsetBits | (first_offset + random_.Below(offsets));
    if (random_.OneIn(5)) tids.back() = random_.OneIn(2) ? 0 : kMaxTid;
    ExpectRoundTrip(tids);
    if (HasFatalFailure()) return;
  }
}

TEST_F(NodeTidTest, NodesOfOneBlockOrOneOffset) {
  for (const uint64_t fixed : {0u, 1u, 7u, 0xFFFEu, 0xFFFFu}) {
    std::vector<Tid> one_block, one_offset;
    for (uint64_t i = 0; i < 1000; i++) {
      one_block.push_back((fixed | 0xFFFF0000) << kTidOffsetBits | random_.Below(0x10000));
      one_offset.push_back(random_.Below(0x100000000) << kTidOffsetBits | fixed);
    }
    one_offset.back() = Tid{0xFFFFFFFF} << kTidOffsetBits | fixed;
    ExpectRoundTrip(one_block);
    ExpectRoundTrip(one_offset);
    ExpectRoundTrip({one_block[0]});
    ExpectRoundTrip(std::vector<Tid>(100, one_offset[0]));
  }
}

// Decode multiplies by a reciprocal where TidAt divides: next to every multiple
// that rounding could take for another, for every range of offsets there is.
TEST_F(NodeTidTest, TheReciprocalDividesExactly) {
  for (uint64_t span = 0; span <= 0xFFFF; span++) {
    const uint64_t bias = random_.Below(0x10000 - span);
    std::vector<Tid> tids;
    for (const uint64_t block : {uint64_t{0}, uint64_t{1}, uint64_t{0x7FFFFFFF}, uint64_t{0x80000000},
                                 uint64_t{0xFFFFFFFE}, uint64_t{0xFFFFFFFF}, random_.Below(0x100000000)})
      for (const uint64_t offset : {bias, bias + span}) tids.push_back(block << kTidOffsetBits | offset);
    NodePlan plan;
    const Image image = EncodeTids(tids, &plan);
    ASSERT_EQ(span, plan.tid_span);
    const uint32_t n = static_cast<uint32_t>(tids.size());
    OwnedEntries out(n, Schema{});
    Node(image.bytes()).Decode(0, n, 0, &*out, 0);
    for (uint32_t i = 0; i < n; i++) ASSERT_EQ(tids[i], out->tid[i]) << "span " << span << " bias " << bias;
  }
}

TEST_F(NodeTidTest, ATableFilledInKeyOrderTakesNoBits) {
  for (int round = 0; round < 2000; round++) {
    const uint64_t rows_per_page = random_.OneIn(10) ? random_.Between(1, 0xFFFF) : random_.Between(1, 300);
    const uint64_t last_row = rows_per_page * 0x100000000;
    std::vector<Tid> tids(1 + random_.Below(random_.OneIn(20) ? kMaxEntries : 600));
    const uint64_t first = random_.OneIn(4) ? last_row - tids.size() : random_.Below(last_row - tids.size());
    for (size_t i = 0; i < tids.size(); i++) tids[i] = TidOfRow(first + i, rows_per_page);
    ASSERT_EQ(TidBlock(tids.back()) <= 0xFFFFFFFF, true);
    NodePlan plan;
    const Image image = EncodeTids(tids, &plan);
    ASSERT_EQ(0u, plan.header[1].width) << tids.size() << " rows from " << first << ", " << rows_per_page << " a page";
    for (uint32_t i = 0; i < tids.size(); i++) ASSERT_EQ(tids[i], Node(image.bytes()).TidAt(i));
    // And every second or third row, where the pages hold a whole number of them.
    const uint64_t stride = random_.Between(2, 5), pages_rows = stride * random_.Between(1, 60);
    for (size_t i = 0; i < tids.size(); i++) tids[i] = TidOfRow(i * stride, pages_rows);
    ExpectRoundTrip(tids);
    if (HasFatalFailure()) return;
  }
}

// The contract of a column header holds where there is nothing to encode, too.
TEST_F(NodeTest, HeadersOfAnEmptyNodeAreValid) {
  Schema schema;
  schema.inner = true;
  for (schema.bytes_columns = 0; schema.bytes_columns < 2; schema.bytes_columns++) {
    OwnedEntries entries(0, schema);
    NodePlan plan;
    PlanNode(*entries, nullptr, &plan);
    for (int h = 0; h < plan.headers; h++) EXPECT_TRUE(ColumnHeaderIsValid(plan.header[h], 0, plan.size)) << h;
  }
}

TEST_F(NodeTest, TruncatedImagesAreRefused) {
  ForEachNode(100, [&](const RandomNode& n) {
    for (int k = 0; k < 50; k++) {
      const size_t size = k < 25 ? random_.Below(n.image.size()) : n.image.size() - 1 - random_.Below(24);
      const Image cut(n.image.bytes(), size);
      ASSERT_FALSE(Node::IsValid(cut.bytes(), size, n.schema.shape())) << size;
    }
  });
}

TEST_F(NodeTest, ImagesOfAnotherShapeAreRefused) {
  ForEachNode(100, [&](const RandomNode& n) {
    const Shape shape = n.schema.shape();
    Shape other = shape;
    other.key_columns++;
    other.value_columns++;
    EXPECT_FALSE(Node::IsValid(n.image.bytes(), n.image.size(), other));
    other = shape;
    other.bytes_columns ^= 1;
    EXPECT_FALSE(Node::IsValid(n.image.bytes(), n.image.size(), other));
    if (n.schema.inner) return;
    other = shape;
    other.value_columns++;
    EXPECT_FALSE(Node::IsValid(n.image.bytes(), n.image.size(), other));
  });
}

TEST_F(NodeTest, RandomBytesAreRefusedOrHarmless) {
  for (int round = 0; round < 50000; round++) {
    Image image(random_.Below(400));
    for (size_t i = 0; i < image.size(); i++)
      image.bytes()[i] = static_cast<uint8_t>(random_.OneIn(2) ? 0 : random_.Next());
    const ByteOrder& order = RandomByteOrder(random_);
    const Shape shape = random_.OneIn(2) ? Shape{1, 1} : Shape{1, 1, 1, &order};
    if (Node::IsValid(image.bytes(), image.size(), shape)) ExerciseNode(Node(image.bytes(), shape.order), random_);
  }
}

TEST_F(NodeTest, DamagedImagesAreRefusedOrHarmless) {
  int accepted = 0, with_bytes = 0;
  ForEachNode(500, [&](const RandomNode& n) {
    for (int k = 0; k < 20; k++) {
      Image image(n.image.bytes(), n.image.size());
      // Mostly in the headers, which everything depends on.
      for (uint64_t changes = random_.Between(1, 4); changes > 0; changes--) {
        const size_t header_bytes = std::min(image.size(), sizeof(NodeHeader) + 6 * sizeof(ColumnHeader));
        // Or in the dictionaries, which say where each value is.
        const size_t at = random_.OneIn(n.schema.bytes_columns != 0 ? 2 : 4) ? random_.Below(image.size())
                                                                             : random_.Below(header_bytes);
        image.bytes()[at] = random_.OneIn(3) ? 0xFF : static_cast<uint8_t>(random_.Next());
      }
      if (!Node::IsValid(image.bytes(), image.size(), n.schema.shape())) continue;
      accepted++;
      with_bytes += n.schema.bytes_columns != 0;
      ExerciseNode(Node(image.bytes(), n.schema.order->data()), random_);
    }
  });
  EXPECT_GT(with_bytes, 300) << "the generator no longer reaches the methods";
  EXPECT_GT(accepted, 1000) << "the generator no longer reaches the methods";
}

// Where a fence has a value of a bytes column, its ordinal is an offset: any number, on a damaged page.
TEST_F(NodeTest, FencesWithValuesOutsideOfTheImageAreRefused) {
  int refused = 0;
  ForEachNode(300, [&](const RandomNode& n) {
    const NodeHeader header = Node(n.image.bytes(), n.schema.order->data()).header();
    for (const size_t fence : {size_t{header.low_fence}, size_t{header.high_fence}}) {
      if (fence == 0) continue;
      const size_t ordinals = fence + sizeof(Tid), classes = ordinals + 8 * header.key_columns;
      for (int c = 0; c < n.schema.key_columns; c++) {
        if (!n.schema.is_bytes(c) || n.image.bytes()[classes + static_cast<size_t>(c)] != kValue) continue;
        for (const uint64_t offset :
             {~uint64_t{0} - random_.Below(4), uint64_t{n.image.size()} - random_.Below(2),
              uint64_t{n.image.size()} + random_.Below(1000), random_.Below(32), random_.Next()}) {
          Image image(n.image.bytes(), n.image.size());
          std::memcpy(image.bytes() + ordinals + 8 * static_cast<size_t>(c), &offset, sizeof offset);
          EXPECT_FALSE(Node::IsValid(image.bytes(), image.size(), n.schema.shape())) << offset;
          refused++;
        }
      }
    }
  });
  EXPECT_GT(refused, 200);
}

// Two sorted parts of the same entries.
struct Parts {
  std::vector<Key> keys[2];
};

// Merged by the standard library: entries as (part, index), in order of their keys.
std::vector<std::pair<int, uint32_t>> MergedByOracle(const Parts& parts, const Shape& shape) {
  std::vector<std::pair<int, uint32_t>> in[2], out;
  for (int part = 0; part < 2; part++)
    for (uint32_t i = 0; i < parts.keys[part].size(); i++) in[part].emplace_back(part, i);
  const auto less = [&](const std::pair<int, uint32_t>& a, const std::pair<int, uint32_t>& b) {
    return Less(parts.keys[a.first][a.second], parts.keys[b.first][b.second], shape);
  };
  std::merge(in[0].begin(), in[0].end(), in[1].begin(), in[1].end(), std::back_inserter(out), less);
  return out;
}

// The distinct keys, divided: `more` lies anywhere among the others, in clusters, before them, behind them, in a
// gap between them, or one of the two has none.
Parts Divide(const std::vector<Key>& keys, Random& random) {
  const size_t n = keys.size(), begin = random.Below(n + 1), end = begin + random.Below(n - begin + 1);
  const uint64_t how = random.Below(8), one_in = random.Between(1, 40);
  bool more = random.OneIn(2);
  Parts parts;
  for (size_t i = 0; i < n; i++) {
    switch (how) {
      case 0:
        more = false;
        break;
      case 1:
        more = true;
        break;
      case 2:
        more = i < begin;
        break;
      case 3:
        more = i >= begin;
        break;
      case 4:
        more = i >= begin && i < end;
        break;
      case 5:
        more = random.OneIn(one_in);
        break;
      case 6:
        more = !random.OneIn(one_in);
        break;
      default:
        if (random.OneIn(one_in)) more = !more;
    }
    parts.keys[more ? 1 : 0].push_back(keys[i]);
  }
  return parts;
}

TEST_F(NodeTest, MergesAsTheStandardLibraryDoes) {
  for (int round = 0; round < 400; round++) {
    const Schema schema = RandomSchema(random_);
    const uint32_t n = static_cast<uint32_t>(random_.Below(random_.OneIn(2) ? 12 : 700));
    const Parts parts = Divide(RandomKeys(schema, n, random_), random_);
    const std::vector<std::pair<int, uint32_t>> expected = MergedByOracle(parts, schema.shape());
    const OwnedEntries in[2] = {MakeEntries(schema, parts.keys[0], random_),
                                MakeEntries(schema, parts.keys[1], random_)};
    // Exactly as much room as is needed, of which a sanitizer sees the end.
    OwnedEntries merged(static_cast<uint32_t>(expected.size()), schema);
    AppendEntries(&*merged, *in[0]);
    const auto is_value = [](const Key& key) { return key.cls[0] == kValue; };
    merged->all_value = std::all_of(parts.keys[0].begin(), parts.keys[0].end(), is_value) ? 1 : 0;
    MergeSorted(&*merged, *in[1]);
    SCOPED_TRACE(::testing::Message() << "round " << round << ": " << parts.keys[0].size() << " and "
                                      << parts.keys[1].size() << " entries");
    ASSERT_EQ(expected.size(), merged->count);
    for (uint32_t i = 0; i < merged->count; i++) {
      const Entries& from = *in[expected[i].first];
      const uint32_t j = expected[i].second;
      for (int c = 0; c < schema.value_columns; c++) {
        ASSERT_EQ(from.cls[c][j], merged->cls[c][i]) << "entry " << i << ", column " << c;
        ASSERT_EQ(from.value[c][j], merged->value[c][i]) << "entry " << i << ", column " << c;
      }
      ASSERT_EQ(from.tid[j], merged->tid[i]) << "entry " << i;
      if (schema.inner) {
        ASSERT_EQ(from.child[j], merged->child[i]) << "entry " << i;
      }
      // What was true of the classes need not be true of those that came.
      if ((merged->all_value & 1) != 0) {
        ASSERT_EQ(uint64_t{kValue}, merged->cls[0][i]) << "entry " << i;
      }
    }
  }
}

TEST_F(NodeTest, ComparesEntriesAsKeys) {
  for (int round = 0; round < 200; round++) {
    const Schema schema = RandomSchema(random_);
    // Keys that are equal but for their TIDs, or altogether, must come up: the same ones in both.
    std::vector<Key> keys = RandomKeys(schema, static_cast<uint32_t>(random_.Between(1, 30)), random_), others = keys;
    for (Key& key : others)
      if (random_.OneIn(2)) key.tid = random_.OneIn(2) ? key.tid + 1 : key.tid - (key.tid > 0);
    const OwnedEntries a = MakeEntries(schema, keys, random_), b = MakeEntries(schema, others, random_);
    for (uint32_t i = 0; i < keys.size(); i++) {
      for (uint32_t j = 0; j < others.size(); j++) {
        const int order = CompareEntries(*a, i, *b, j);
        ASSERT_EQ(Less(keys[i], others[j], schema.shape()), order < 0);
        ASSERT_EQ(Less(others[j], keys[i], schema.shape()), order > 0);
      }
    }
  }
}

}  // namespace
}  // namespace omendb::test
