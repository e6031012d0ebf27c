// Keys, separators and bounds against the plain model of key_oracle.h.
#include "core/key.h"

#include <gtest/gtest.h>

#include "unit/key_oracle.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

class KeyTest : public SeededTest {
 protected:
  // Few values, so that keys often agree in some or all columns.
  Key Draw(int key_columns, bool separator) {
    Key key{};
    for (int c = 0; c < key_columns; c++) {
      const uint64_t kind = random_.Below(8);
      key.cls[c] = kind == 0 ? kNullFirst : kind == 1 ? kNullLast : kValue;
      if (key.cls[c] != kValue) continue;
      key.ordinal[c] = random_.OneIn(8) ? UINT64_MAX : random_.Below(3);
    }
    key.tid = random_.OneIn(8) ? kMaxTid : random_.Below(3);
    if (separator && random_.OneIn(2)) {
      // Truncated: minus infinity from some column on.
      for (int c = static_cast<int>(random_.Below(static_cast<uint64_t>(key_columns) + 1)); c < key_columns; c++) {
        key.cls[c] = kMinusInfinity;
        key.ordinal[c] = 0;
      }
      key.tid = 0;
    }
    return key;
  }

  int DrawColumns() { return random_.OneIn(20) ? kMaxKeyColumns : 1 + static_cast<int>(random_.Below(3)); }
};

TEST_F(KeyTest, CompareKeysIsLexicographic) {
  for (int round = 0; round < 100000; round++) {
    const int columns = DrawColumns();
    const Key a = Draw(columns, true), b = Draw(columns, true);
    const int expected = Less(a, b, columns) ? -1 : Less(b, a, columns) ? 1 : 0;
    ASSERT_EQ(expected, CompareKeys(a, b, columns)) << ToString(a, columns) << " against " << ToString(b, columns);
  }
}

TEST_F(KeyTest, MinusInfinityIsBelowEveryEntry) {
  for (int round = 0; round < 1000; round++) {
    const int columns = DrawColumns();
    Key least{};
    SetMinusInfinity(&least, columns);
    EXPECT_LT(CompareKeys(least, Draw(columns, false), columns), 0);
  }
}

TEST_F(KeyTest, CopyKeepsTheKey) {
  for (int round = 0; round < 1000; round++) {
    const int columns = DrawColumns();
    const Key from = Draw(columns, true);
    Key to;
    CopyKey(&to, from, columns);
    EXPECT_EQ(Plain(from, columns), Plain(to, columns));
  }
}

TEST_F(KeyTest, SeparatorsSeparate) {
  for (int round = 0; round < 100000; round++) {
    const int columns = DrawColumns();
    Key left = Draw(columns, true), right = Draw(columns, true);
    if (!Less(left, right, columns)) std::swap(left, right);
    if (!Less(left, right, columns)) continue;
    Key separator;
    MakeSeparator(left, right, columns, &separator);
    ASSERT_TRUE(Less(left, separator, columns)) << ToString(left, columns) << " " << ToString(separator, columns);
    ASSERT_FALSE(Less(right, separator, columns)) << ToString(separator, columns) << " " << ToString(right, columns);
  }
}

TEST_F(KeyTest, SeparatorsAreAsShortAsPossible) {
  for (int round = 0; round < 100000; round++) {
    const int columns = DrawColumns();
    Key left = Draw(columns, false), right = Draw(columns, false);
    if (!Less(left, right, columns)) std::swap(left, right);
    if (!Less(left, right, columns)) continue;
    Key separator;
    MakeSeparator(left, right, columns, &separator);
    // Where two keys first differ decides how many columns are needed.
    const PlainKey a = Plain(left, columns), b = Plain(right, columns);
    int differ = 0;
    while (a[static_cast<size_t>(differ)] == b[static_cast<size_t>(differ)]) differ++;
    for (int c = 0; c < columns; c++)
      ASSERT_EQ(c > differ, separator.cls[c] == kMinusInfinity) << ToString(separator, columns);
    if (differ < columns) {
      ASSERT_EQ(0u, separator.tid);
    }
  }
}

TEST_F(KeyTest, CompareBoundAgreesWithThePlainModel) {
  for (int round = 0; round < 200000; round++) {
    const int columns = DrawColumns();
    const Key key = Draw(columns, true);
    const Bound bound = RandomBound(random_.OneIn(3) ? key : Draw(columns, true), columns, random_);
    ASSERT_EQ(PlainCompareBound(bound, key, columns), CompareBound(bound, key, columns))
        << ToString(bound) << " against " << ToString(key, columns);
  }
}

TEST_F(KeyTest, BoundsBeforeAndAfterAnEntryEncloseItAlone) {
  for (int round = 0; round < 50000; round++) {
    const int columns = DrawColumns();
    const Key key = Draw(columns, false), other = Draw(columns, false);
    Bound before, after;
    SetBoundBefore(&before, key, columns);
    SetBoundAfter(&after, key, columns);
    ASSERT_EQ(0, CompareBound(before, key, columns));
    ASSERT_GT(CompareBound(after, key, columns), 0);
    const int order = CompareKeys(key, other, columns);
    if (order == 0) continue;
    ASSERT_EQ(order > 0, CompareBound(before, other, columns) > 0);
    ASSERT_EQ(order > 0, CompareBound(after, other, columns) > 0);
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
