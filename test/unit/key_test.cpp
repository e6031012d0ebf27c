// Keys, separators and bounds against the plain model of key_oracle.h.
#include "core/key.h"

#include <gtest/gtest.h>

#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "unit/key_oracle.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

class KeyTest : public SeededTest {
 protected:
  KeyTest() {
    // Every string of up to 3 letters, with every order.
    for (const ByteOrder& order : kByteOrders) {
      strings_.emplace_back();
      std::vector<std::string> strings = {""};
      for (size_t i = 0; i < strings.size(); i++) {
        for (int variant = 0; variant < 3; variant++)
          strings_.back().push_back(values_.Add(Varied(strings[i], order, random_)));
        if (strings[i].size() < 3)
          for (const char* letter : {"a", "b", "\xFF"}) strings.push_back(strings[i] + letter);
      }
      const std::string much(700, 'x');
      for (const char* letter : {"", "a", "b"})
        strings_.back().push_back(values_.Add(Varied(much + letter, order, random_)));
    }
  }

  // A key's columns: words, or bytes of any order.
  Shape DrawShape() {
    const int columns = random_.OneIn(20) ? kMaxKeyColumns : 1 + static_cast<int>(random_.Below(3));
    Shape shape{columns, columns};
    for (int c = 0; c < columns; c++) {
      order_of_[c] = random_.Below(std::size(kByteOrders));
      orders_[c] = kByteOrders[order_of_[c]];
      if (random_.OneIn(2)) shape.bytes_columns |= uint64_t{1} << c;
    }
    shape.order = orders_;
    return shape;
  }

  // Few values, so that keys often agree in some or all columns; none with more bytes than an entry may have.
  Key Draw(const Shape& shape, bool separator) {
    Key key{};
    size_t room = kMaxEntryBytes;
    for (int c = 0; c < shape.key_columns; c++) {
      const uint64_t kind = random_.Below(8);
      key.cls[c] = kind == 0 ? kNullFirst : kind == 1 ? kNullLast : kValue;
      if (key.cls[c] != kValue) continue;
      key.ordinal[c] = random_.OneIn(8) ? UINT64_MAX : random_.Below(3);
      if (!shape.is_bytes(c)) continue;
      const std::vector<uint64_t>& strings = strings_[order_of_[c]];
      key.ordinal[c] = strings[random_.Below(random_.OneIn(2) ? 12 : strings.size())];
      // (The first ones are short.)
      const size_t kept = kMaxKeyColumns * StoredBytes(strings[0]);
      if (StoredBytes(key.ordinal[c]) + kept > room) key.ordinal[c] = strings[0];
      room -= StoredBytes(key.ordinal[c]);
    }
    key.tid = random_.OneIn(8) ? kMaxTid : random_.Below(3);
    if (separator && random_.OneIn(2)) {
      // Truncated: minus infinity from some column on.
      for (int c = static_cast<int>(random_.Below(static_cast<uint64_t>(shape.key_columns) + 1)); c < shape.key_columns;
           c++) {
        key.cls[c] = kMinusInfinity;
        key.ordinal[c] = 0;
      }
      key.tid = 0;
    }
    return key;
  }

 private:
  Values values_;
  std::vector<std::vector<uint64_t>> strings_;  // of each order
  size_t order_of_[kMaxKeyColumns];
  ByteOrder orders_[kMaxKeyColumns];
};

TEST_F(KeyTest, CompareKeysIsLexicographic) {
  for (int round = 0; round < 100000; round++) {
    const Shape shape = DrawShape();
    const Key a = Draw(shape, true), b = Draw(shape, true);
    const int expected = PlainCompare(a, b, shape), order = CompareKeys(a, b, shape);
    ASSERT_EQ(expected, order < 0 ? -1 : order > 0) << ToString(a, shape) << " against " << ToString(b, shape);
  }
}

TEST_F(KeyTest, MinusInfinityIsBelowEveryEntry) {
  for (int round = 0; round < 1000; round++) {
    const Shape shape = DrawShape();
    Key least{};
    SetMinusInfinity(&least, shape.key_columns);
    EXPECT_LT(CompareKeys(least, Draw(shape, false), shape), 0);
  }
}

TEST_F(KeyTest, CopyKeepsTheKey) {
  for (int round = 0; round < 1000; round++) {
    const Shape shape = DrawShape();
    const Key from = Draw(shape, true);
    Key to;
    CopyKey(&to, from, shape.key_columns);
    EXPECT_EQ(Everything(from, shape), Everything(to, shape));
  }
}

TEST_F(KeyTest, OwnedValuesAreTheSameElsewhere) {
  for (int round = 0; round < 1000; round++) {
    const Shape shape = DrawShape();
    const Key from = Draw(shape, true);
    Key to;
    CopyKey(&to, from, shape.key_columns);
    // Exactly as much as they take.
    const size_t bytes = KeyValueBytes(from, shape);
    const std::unique_ptr<uint8_t[]> memory(new uint8_t[bytes]);
    OwnKey(&to, shape, reinterpret_cast<KeyBytes*>(memory.get()));
    EXPECT_EQ(Everything(from, shape), Everything(to, shape));
    // They may be there already.
    OwnKey(&to, shape, reinterpret_cast<KeyBytes*>(memory.get()));
    EXPECT_EQ(Everything(from, shape), Everything(to, shape));
    // The same in a bound, for a process that has them elsewhere.
    Bound bound;
    SetBoundBefore(&bound, from, shape.key_columns);
    KeyBytes own;
    OwnBound(&bound, shape, &own);
    RebaseBound(&bound, shape, WordOf(own.bytes), 0);
    const KeyBytes copy = own;
    std::memset(&own, 0xFF, sizeof own);
    RebaseBound(&bound, shape, 0, WordOf(copy.bytes));
    EXPECT_EQ(Everything(from, shape), Everything(bound.key, shape));
    for (int c = 0; c < shape.key_columns; c++) {
      if (!shape.is_bytes(c) || to.cls[c] != kValue) continue;
      EXPECT_GE(BytesAt(to.ordinal[c]), memory.get());
      EXPECT_LT(BytesAt(to.ordinal[c]), memory.get() + bytes);
    }
  }
}

TEST_F(KeyTest, SeparatorsSeparate) {
  for (int round = 0; round < 100000; round++) {
    const Shape shape = DrawShape();
    Key left = Draw(shape, true), right = Draw(shape, true);
    if (!Less(left, right, shape)) std::swap(left, right);
    if (!Less(left, right, shape)) continue;
    Key separator;
    KeyBytes memory;
    MakeSeparator(left, right, shape, &memory, &separator);
    ASSERT_TRUE(Less(left, separator, shape)) << ToString(left, shape) << " " << ToString(separator, shape);
    ASSERT_FALSE(Less(right, separator, shape)) << ToString(separator, shape) << " " << ToString(right, shape);
    ASSERT_LE(KeyValueBytes(separator, shape), KeyValueBytes(right, shape));
  }
}

TEST_F(KeyTest, SeparatorsAreAsShortAsPossible) {
  int cut = 0;
  for (int round = 0; round < 100000; round++) {
    const Shape shape = DrawShape();
    const int columns = shape.key_columns;
    Key left = Draw(shape, false), right = Draw(shape, false);
    if (!Less(left, right, shape)) std::swap(left, right);
    if (!Less(left, right, shape)) continue;
    Key separator;
    KeyBytes memory;
    MakeSeparator(left, right, shape, &memory, &separator);
    // Where two keys first differ decides how many columns are needed.
    const PlainKey a = Plain(left, shape, columns, true), b = Plain(right, shape, columns, true);
    int differ = 0;
    while (a[static_cast<size_t>(differ)] == b[static_cast<size_t>(differ)]) differ++;
    for (int c = 0; c < columns; c++)
      ASSERT_EQ(c > differ, separator.cls[c] == kMinusInfinity) << ToString(separator, shape);
    if (differ == columns) continue;
    ASSERT_EQ(0u, separator.tid);
    if (!shape.is_bytes(differ) || left.cls[differ] != kValue || right.cls[differ] != kValue) continue;
    const ByteOrder& order = shape.order[differ];
    if (!order.bytewise() || order.descending) continue;
    // A byte less would not be above the left one.
    const std::string shortest = Text(separator.ordinal[differ]), less = Text(left.ordinal[differ]);
    ASSERT_GT(shortest.size(), order.tail);
    ASSERT_LE(shortest.substr(0, shortest.size() - order.tail - 1), less.substr(0, less.size() - order.tail));
    cut += shortest.size() < Text(right.ordinal[differ]).size();
  }
  EXPECT_GT(cut, 1000) << "the generator no longer reaches the case";
}

TEST_F(KeyTest, CompareBoundAgreesWithThePlainModel) {
  for (int round = 0; round < 200000; round++) {
    const Shape shape = DrawShape();
    const Key key = Draw(shape, true);
    const Bound bound = RandomBound(random_.OneIn(3) ? key : Draw(shape, true), shape.key_columns, random_);
    const int order = CompareBound(bound, key, shape);
    ASSERT_EQ(PlainCompareBound(bound, key, shape), order < 0 ? -1 : order > 0)
        << ToString(bound, shape) << " against " << ToString(key, shape);
  }
}

TEST_F(KeyTest, BoundsBeforeAndAfterAnEntryEncloseItAlone) {
  for (int round = 0; round < 50000; round++) {
    const Shape shape = DrawShape();
    const Key key = Draw(shape, false), other = Draw(shape, false);
    Bound before, after;
    SetBoundBefore(&before, key, shape.key_columns);
    SetBoundAfter(&after, key, shape.key_columns);
    ASSERT_EQ(0, CompareBound(before, key, shape));
    ASSERT_GT(CompareBound(after, key, shape), 0);
    const int order = CompareKeys(key, other, shape);
    if (order == 0) continue;
    ASSERT_EQ(order > 0, CompareBound(before, other, shape) > 0);
    ASSERT_EQ(order > 0, CompareBound(after, other, shape) > 0);
  }
}

TEST(TidTest, SplitsIntoBlockAndOffset) {
  EXPECT_EQ(0xFFFFFFFFu, TidBlock(kMaxTid));
  EXPECT_EQ(0xFFFFu, TidOffset(kMaxTid));
  EXPECT_EQ(5u, TidBlock(Tid{5} << kTidOffsetBits | 7));
  EXPECT_EQ(7u, TidOffset(Tid{5} << kTidOffsetBits | 7));
}

}  // namespace
}  // namespace omendb::test
