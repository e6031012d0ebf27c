// Prefixes of fences against the keys themselves.
#include "core/fence_key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/stored_fences.h"
#include "unit/distributions.h"
#include "unit/key_oracle.h"
#include "unit/random_node.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

// The fences of a level, with their prefixes.
struct Level {
  Schema schema;
  std::vector<Key> keys;
  FenceKeyMap map;
  std::vector<uint64_t> prefixes;

  uint32_t count() const { return static_cast<uint32_t>(keys.size()); }
  bool HasTies() const { return std::adjacent_find(prefixes.begin(), prefixes.end()) != prefixes.end(); }
};

class FenceKeyTest : public SeededTest {
 protected:
  Schema DrawSchema() {
    Schema schema = RandomSchema(random_);
    schema.key_columns = 1 + static_cast<int>(random_.Below(3));
    schema.value_columns = schema.key_columns;
    schema.inner = true;
    return schema;
  }

  // As splits leave them: minus infinity, then separators between entries, as short as possible, or long ones.
  std::vector<Key> DrawFences(const Schema& schema) {
    std::vector<Key> fences;
    const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(random_.OneIn(4) ? 600 : 30));
    std::vector<Key> entries = RandomKeys(schema, n, random_);
    // Now and then the type's ends.
    for (const uint64_t extreme : {uint64_t{0}, UINT64_MAX}) {
      if (!random_.OneIn(6)) continue;
      Key key = entries[random_.Below(entries.size())];
      const int column = static_cast<int>(random_.Below(static_cast<uint64_t>(schema.key_columns)));
      key.cls[column] = kValue;
      key.ordinal[column] = extreme;
      if (schema.is_bytes(column))
        key.ordinal[column] = schema.values->Add(extreme == 0 ? std::string(schema.OrderOf(column).tail, '\0')
                                                              : std::string(schema.LongestValue(), '\xFF'));
      entries.push_back(key);
    }
    std::sort(entries.begin(), entries.end(), [&](const Key& a, const Key& b) { return Less(a, b, schema.shape()); });
    entries.erase(std::unique(entries.begin(), entries.end(),
                              [&](const Key& a, const Key& b) { return CompareKeys(a, b, schema.shape()) == 0; }),
                  entries.end());
    const bool shortest = random_.OneIn(2);
    Key fence{};
    SetMinusInfinity(&fence, schema.key_columns);
    fences.push_back(fence);
    for (size_t i = 1; i < entries.size(); i++) {
      const bool shorter = shortest || random_.OneIn(3);
      fences.push_back(shorter ? schema.Separator(entries[i - 1], entries[i]) : entries[i]);
    }
    return fences;
  }

  Level Fit(const Schema& schema, const std::vector<Key>& fences) {
    Level level{schema, fences, {}, std::vector<uint64_t>(fences.size())};
    const OwnedEntries entries = MakeEntries(schema, fences, random_);
    level.map.Fit(*entries, level.prefixes.data());
    return level;
  }

  Level DrawLevel() {
    const Schema schema = DrawSchema();
    return Fit(schema, DrawFences(schema));
  }

  // Any value of a bytes column.
  uint64_t DrawString(const Schema& schema, int c) {
    const uint32_t longest = static_cast<uint32_t>(schema.LongestValue() - kLongestTail);
    return schema.values->Add(Varied(RandomStringShape(longest, random_).Draw(random_), schema.OrderOf(c), random_));
  }

  // A fence, something like one, or anything: NULLs where no fence has one, beyond all fences, between two of them.
  Key DrawKey(const Level& level) {
    Key key = level.keys[random_.Below(level.keys.size())];
    for (int c = 0; c < level.schema.key_columns; c++) {
      switch (random_.Below(8)) {
        case 0:
          key.cls[c] = level.schema.column[c].null_class;
          key.ordinal[c] = 0;
          break;
        case 1:
          key.cls[c] = kValue;
          key.ordinal[c] = random_.OneIn(2) ? random_.Next() : random_.OneIn(2) ? 0 : UINT64_MAX;
          if (level.schema.is_bytes(c)) key.ordinal[c] = DrawString(level.schema, c);
          break;
        case 2:
          if (key.cls[c] == kValue) key.ordinal[c] = level.schema.NearValue(c, key.ordinal[c], random_);
          break;
        case 3: {
          const Key& other = level.keys[random_.Below(level.keys.size())];
          key.cls[c] = other.cls[c];
          key.ordinal[c] = other.ordinal[c];
          break;
        }
        default:
          break;
      }
    }
    switch (random_.Below(4)) {
      case 0:
        key.tid = random_.Next() & kMaxTid;
        break;
      case 1:
        key.tid = random_.OneIn(2) ? kMaxTid : 0;
        break;
      case 2:
        key.tid = (key.tid + random_.Below(3)) & kMaxTid;
        break;
      default:
        break;
    }
    // Nothing comes behind minus infinity.
    for (int c = 0; c < level.schema.key_columns; c++) {
      if (key.cls[c] != kMinusInfinity) continue;
      for (; c < level.schema.key_columns; c++) {
        key.cls[c] = kMinusInfinity;
        key.ordinal[c] = 0;
      }
      key.tid = 0;
    }
    return key;
  }

  Bound DrawBound(const Level& level) {
    Bound bound = RandomBound(DrawKey(level), level.schema.key_columns, random_);
    // A search for an entry's place, which insertions make.
    if (random_.OneIn(3)) {
      bound.columns = level.schema.key_columns;
      bound.with_tid = true;
    }
    return bound;
  }
};

// Forward, the last fence that is <= bound; backward, the last one that is < bound; else the first.
uint32_t Landing(const Level& level, const Bound& bound, Direction direction) {
  uint32_t landing = 0;
  for (uint32_t i = 0; i < level.count(); i++) {
    const int order = PlainCompareBound(bound, level.keys[i], level.schema.shape());
    if (direction == Direction::kForward ? order >= 0 : order > 0) landing = i;
  }
  return landing;
}

uint32_t LandingByRank(const Level& level, const Bound& bound, Direction direction) {
  uint64_t rank;
  if (!level.map.RankOf(bound, direction, level.schema.shape().order, &rank)) return 0;
  const auto above = std::upper_bound(level.prefixes.begin(), level.prefixes.end(), rank);
  return above == level.prefixes.begin() ? 0 : static_cast<uint32_t>(above - level.prefixes.begin() - 1);
}

// Whether 64 bits have room for all that the fences say.
bool HasRoom(const Level& level) {
  const int key_columns = level.schema.key_columns;
  if (level.schema.shape().bytes_columns != 0) return false;
  int bits = 0;
  for (int c = 0; c <= key_columns; c++) {
    uint64_t least = UINT64_MAX, greatest = 0;
    bool has_value = false, null_first = false, null_last = false;
    for (const Key& key : level.keys) {
      const uint8_t tid_class = key.tid == 0 ? kMinusInfinity : kValue, cls = c < key_columns ? key.cls[c] : tid_class;
      const uint64_t value = c < key_columns ? key.ordinal[c] : key.tid;
      null_first |= cls == kNullFirst;
      null_last |= cls == kNullLast;
      if (cls != kValue) continue;
      has_value = true;
      least = std::min(least, value);
      greatest = std::max(greatest, value);
    }
    if (c > 0 && !has_value && !null_first && !null_last) break;
    // Minus infinity, the NULLs, and one code a value.
    const u128 last_code = static_cast<u128>(has_value ? greatest - least : 0) + 1 + null_first + null_last;
    for (u128 rest = last_code; rest != 0; rest >>= 1) bits++;
  }
  return bits <= 64;
}

std::string Describe(const Level& level) {
  std::string out;
  for (uint32_t i = 0; i < level.count() && i < 40; i++)
    out += ToString(level.keys[i], level.schema.shape()) + " = " + std::to_string(level.prefixes[i]) + "\n";
  return out;
}

TEST_F(FenceKeyTest, PrefixesAreInTheOrderOfTheirFences) {
  int with_ties = 0;
  for (int round = 0; round < 1000; round++) {
    const Level level = DrawLevel();
    ASSERT_TRUE(std::is_sorted(level.prefixes.begin(), level.prefixes.end())) << Describe(level);
    ASSERT_EQ(0u, level.prefixes[0]) << "of minus infinity";
    for (uint32_t i = 0; i < level.count(); i++)
      ASSERT_EQ(level.map.Prefix(level.keys[i], level.schema.shape().order), level.prefixes[i]) << Describe(level);
    with_ties += level.HasTies();
  }
  EXPECT_GT(with_ties, 30) << "the generator no longer reaches the case";
  EXPECT_LT(with_ties, 700) << "the generator no longer reaches the case";
}

TEST_F(FenceKeyTest, PrefixesKeepTheOrderOfAnyKeys) {
  for (int round = 0; round < 700; round++) {
    const Level level = DrawLevel();
    for (int pair = 0; pair < 100; pair++) {
      Key a = DrawKey(level), b = DrawKey(level);
      if (Less(b, a, level.schema.shape())) std::swap(a, b);
      ASSERT_LE(level.map.Prefix(a, level.schema.shape().order), level.map.Prefix(b, level.schema.shape().order))
          << ToString(a, level.schema.shape()) << " and " << ToString(b, level.schema.shape()) << " among\n"
          << Describe(level);
    }
  }
}

// One column: as many digits as there are bits, whatever their span.
TEST_F(FenceKeyTest, AllDistributionsOfOneColumnHaveDistinctPrefixes) {
  Schema schema;
  schema.inner = true;
  for (const Distribution d : AllDistributions()) {
    SCOPED_TRACE(Name(d));
    for (const size_t n : ColumnSizes()) {
      std::vector<uint64_t> values = SortedOrdinals<int64_t>(d, n, random_);
      values.erase(std::unique(values.begin(), values.end()), values.end());
      std::vector<Key> fences(1 + values.size());
      SetMinusInfinity(&fences[0], 1);
      for (size_t i = 0; i < values.size(); i++) fences[1 + i] = Key{0, {values[i]}, {kValue}};
      const Level level = Fit(schema, fences);
      // The last bit gives way where the values reach from one end to the other: minus infinity has a digit, too.
      const bool fits = values.back() - values.front() < UINT64_MAX;
      ASSERT_EQ(fits, HasRoom(level));
      if (fits) {
        ASSERT_FALSE(level.HasTies()) << Describe(level);
      }
    }
  }
}

// Duplicates, in one column or in several: the TIDs decide.
TEST_F(FenceKeyTest, TidsTellFencesOfEqualColumnsApart) {
  for (int round = 0; round < 500; round++) {
    Schema schema = DrawSchema();
    schema.bytes_columns = 0;  // the digit of one is the last
    for (ColumnSchema& column : schema.column) {
      column.domain = random_.OneIn(4) ? Domain::kTiny : Domain::kConstant;
      column.scale = 1;
      column.has_nulls = random_.OneIn(6);
    }
    std::vector<Key> fences = RandomKeys(schema, 200, random_);
    Key least{};
    SetMinusInfinity(&least, schema.key_columns);
    fences.insert(fences.begin(), least);
    const Level level = Fit(schema, fences);
    ASSERT_FALSE(level.HasTies()) << Describe(level);
  }
}

TEST_F(FenceKeyTest, TheRankOfABoundIsWhereItBelongs) {
  int exact = 0, among_ties = 0, at_first = 0;
  for (int round = 0; round < 500; round++) {
    const Level level = DrawLevel();
    const bool has_room = HasRoom(level);
    if (has_room) {
      ASSERT_FALSE(level.HasTies()) << Describe(level);
    }
    for (int query = 0; query < 30; query++) {
      const Bound bound = DrawBound(level);
      for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
        const uint32_t expected = Landing(level, bound, direction), found = LandingByRank(level, bound, direction);
        const auto say = [&] {
          return std::string(direction == Direction::kForward ? "forward " : "backward ") +
                 ToString(bound, level.schema.shape()) + " among\n" + Describe(level);
        };
        at_first += expected == 0;
        if (expected == found) {
          exact++;
          continue;
        }
        // Off by fences that the prefix does not tell apart from the bound's, only.
        among_ties++;
        const uint64_t prefix = level.map.Prefix(bound.key, level.schema.shape().order);
        for (uint32_t i = std::min(expected, found) + 1; i <= std::max(expected, found); i++)
          ASSERT_EQ(prefix, level.prefixes[i]) << say();
        ASSERT_FALSE(has_room) << say();
      }
    }
  }
  EXPECT_GT(exact, 15000);
  EXPECT_GT(among_ties, 30);
  EXPECT_GT(at_first, 1000);
}

uint32_t LandingByFences(const Level& level, const std::vector<uint8_t>& block, const Bound& bound,
                         Direction direction) {
  uint64_t prefix;
  EXPECT_TRUE(level.map.RankOf(bound, Direction::kForward, level.schema.shape().order, &prefix));
  const auto above = std::upper_bound(level.prefixes.begin(), level.prefixes.end(), prefix);
  const uint32_t position = static_cast<uint32_t>(above - level.prefixes.begin() - 1);
  return FindStoredFence(block.data(), level.prefixes.data(), prefix, position, bound, direction, level.schema.shape());
}

TEST_F(FenceKeyTest, StoredFencesLeadEveryBoundToWhereItBelongs) {
  int needed = 0, further = 0, at_first = 0;
  for (int round = 0; round < 700; round++) {
    const Level level = DrawLevel();
    const OwnedEntries entries = MakeEntries(level.schema, level.keys, random_);
    std::vector<uint8_t> block(StoredFencesBytes(*entries) + 1, 0xA5);
    WriteStoredFences(*entries, block.data());
    ASSERT_EQ(0xA5, block.back());
    if (level.HasTies() || level.schema.is_bytes(0)) {
      ASSERT_TRUE(level.map.needs_fences()) << Describe(level);
    }
    needed += level.map.needs_fences();
    for (int query = 0; query < 30; query++) {
      const Bound bound = DrawBound(level);
      for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
        const uint32_t expected = Landing(level, bound, direction);
        ASSERT_EQ(expected, LandingByFences(level, block, bound, direction))
            << (direction == Direction::kForward ? "forward " : "backward ") << ToString(bound, level.schema.shape())
            << " among\n"
            << Describe(level);
        further += expected != LandingByRank(level, bound, direction);
        at_first += expected == 0;
      }
    }
  }
  EXPECT_GT(needed, 200) << "the generator no longer reaches the case";
  EXPECT_GT(further, 300) << "the generator no longer reaches the case";
  EXPECT_GT(at_first, 1000);
}

}  // namespace
}  // namespace omendb::test
