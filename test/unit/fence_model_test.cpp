// Every kind of model with every version of the kernels, against std::upper_bound.
#include "core/fence_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/fence_segment.h"
#include "unit/distributions.h"
#include "unit/fence_table.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

std::vector<size_t> FenceCounts() { return {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 257, 1000, 8192}; }

uint32_t Expected(const std::vector<uint64_t>& keys, uint64_t key) {
  const auto above = std::upper_bound(keys.begin(), keys.end(), key);
  return above == keys.begin() ? 0 : static_cast<uint32_t>(above - keys.begin() - 1);
}

class FenceModelTest : public SeededTest {
 protected:
  // Each key and its neighbours, ends of the numbers, anything.
  std::vector<uint64_t> Queries(const std::vector<uint64_t>& keys) {
    std::vector<uint64_t> queries = {0, 1, UINT64_MAX - 1, UINT64_MAX, kSign64, kSign64 - 1};
    for (const uint64_t key : keys)
      for (const uint64_t query : {key - 1, key, key + 1}) queries.push_back(query);
    for (size_t i = 0; i < 100 + keys.size() / 4; i++) {
      const uint64_t near = keys[random_.Below(keys.size())];
      for (const uint64_t query : {random_.Next(), random_.Skewed(), near + random_.Skewed(), near - random_.Skewed()})
        queries.push_back(query);
    }
    return queries;
  }

  void Check(const std::vector<uint64_t>& keys, const std::vector<uint64_t>& queries) {
    std::vector<uint32_t> expected;
    for (const uint64_t query : queries) expected.push_back(Expected(keys, query));
    for (const FenceModelKind kind : AllFenceModelKinds()) {
      SCOPED_TRACE(FenceModelName(kind));
      const FenceTable table(kind, keys);
      ForEachKernels([&](const Kernels&) {
        for (size_t q = 0; q < queries.size(); q++)
          ASSERT_EQ(expected[q], table.Find(queries[q])) << queries[q] << " among " << keys.size();
      });
    }
  }
};

TEST_F(FenceModelTest, FindsWhatUpperBoundFinds) {
  for (const Distribution d : AllDistributions()) {
    SCOPED_TRACE(Name(d));
    for (const size_t n : FenceCounts()) {
      const std::vector<uint64_t> keys = SortedOrdinals<int64_t>(d, n, random_);
      Check(keys, Queries(keys));
    }
  }
}

TEST_F(FenceModelTest, FindsWhatUpperBoundFindsAmongMany) {
  for (const Distribution d : AllDistributions()) {
    if (d == Distribution::kExponential) continue;  // its gaps are for 8,192
    SCOPED_TRACE(Name(d));
    const std::vector<uint64_t> keys = SortedOrdinals<int64_t>(d, 100000, random_);
    Check(keys, Queries(keys));
  }
}

// Runs of duplicates of all lengths, dense and far apart, up to both ends of the numbers.
TEST_F(FenceModelTest, FindsTheLastOfDuplicates) {
  for (int round = 0; round < 300; round++) {
    std::vector<uint64_t> keys;
    const size_t n = 1 + random_.Below(500);
    const uint64_t longest = 1 + random_.Below(random_.OneIn(2) ? 4 : 200);
    const uint64_t bits = 1 + random_.Below(64);
    while (keys.size() < n) {
      uint64_t key = random_.Next() >> (64 - bits);
      if (random_.OneIn(3)) key = ~key;
      keys.insert(keys.end(), 1 + random_.Below(longest), key);
    }
    if (random_.OneIn(4)) keys.insert(keys.end(), 1 + random_.Below(longest), 0);
    if (random_.OneIn(4)) keys.insert(keys.end(), 1 + random_.Below(longest), UINT64_MAX);
    std::sort(keys.begin(), keys.end());
    Check(keys, Queries(keys));
  }
}

// Equally many of each key: lines that rise by more than one key a unit.
TEST_F(FenceModelTest, FindsTheLastOfRegularDuplicates) {
  for (const uint64_t run : {2, 3, 16, 17, 33, 1000}) {
    for (const uint64_t step : {uint64_t{1}, uint64_t{2}, uint64_t{1000}, uint64_t{1} << 50}) {
      std::vector<uint64_t> keys;
      for (uint64_t i = 0; i < 4000; i++) keys.push_back(i / run * step);
      Check(keys, Queries(keys));
    }
  }
}

TEST_F(FenceModelTest, EveryKindIsExactOnEquallySpacedKeys) {
  for (const uint64_t step : {uint64_t{1}, uint64_t{500}, UINT64_MAX / 20000}) {
    std::vector<uint64_t> keys;
    for (uint64_t i = 0; i < 20000; i++) keys.push_back(i * step);
    EXPECT_LE(FenceTable(FenceModelKind::kLinear, keys).model().epsilon, 1u) << step;
    EXPECT_LE(FenceTable(FenceModelKind::kRmi, keys).model().epsilon, 1u) << step;
    const FenceTable pgm(FenceModelKind::kPgm, keys);
    EXPECT_LE(pgm.model().epsilon, 1u) << step;
    EXPECT_EQ(1u, pgm.model().segments) << step;
    EXPECT_EQ(1, pgm.model().levels) << step;
  }
}

TEST_F(FenceModelTest, StaysWithinItsMemory) {
  std::vector<size_t> counts = FenceCounts();
  counts.push_back(100000);
  for (const size_t n : counts) {
    // One key of every so many has so many copies: the most segments for a pgm.
    std::vector<uint64_t> worst;
    for (size_t i = 0; i < n; i++) worst.push_back(i / 33 * 1000 + (i % 33 == 32 ? 500 : 0));
    std::vector<std::vector<uint64_t>> sets = {worst};
    for (const Distribution d : AllDistributions()) sets.push_back(SortedOrdinals<int64_t>(d, n, random_));
    for (const std::vector<uint64_t>& keys : sets) {
      for (const FenceModelKind kind : AllFenceModelKinds()) {
        const FenceTable table(kind, keys);
        const FenceModel& model = table.model();
        EXPECT_EQ(kind, model.kind);
        EXPECT_EQ(n, model.count);
        EXPECT_EQ(0u, model.bytes % kCacheLine);
        EXPECT_LE(model.bytes, FenceModelBytes(kind, static_cast<uint32_t>(n))) << FenceModelName(kind);
        // With the key and its target, 8 bytes each, 24 bytes a fence; small ones
        // have the block's header on top.
        EXPECT_LE(FenceModelBytes(kind, static_cast<uint32_t>(n)), 8 * n + 1024) << FenceModelName(kind) << " " << n;
      }
    }
  }
}

TEST_F(FenceModelTest, MayBeMoved) {
  for (const Distribution d : AllDistributions()) {
    const std::vector<uint64_t> keys = SortedOrdinals<int64_t>(d, 5000, random_);
    for (const FenceModelKind kind : AllFenceModelKinds()) {
      auto table = std::make_unique<FenceTable>(kind, keys);
      const size_t bytes = table->model().bytes;
      const CacheLines copy = NewCacheLines(bytes);
      std::memcpy(copy.get(), table->memory(), bytes);
      table.reset();
      const CacheLines copied_keys = NewCacheLines(keys.size() * sizeof(uint64_t));
      std::memcpy(copied_keys.get(), keys.data(), keys.size() * sizeof(uint64_t));
      for (const uint64_t query : Queries(keys)) {
        ASSERT_EQ(Expected(keys, query), FindFence(*reinterpret_cast<const FenceModel*>(copy.get()),
                                                   reinterpret_cast<const uint64_t*>(copied_keys.get()), query))
            << FenceModelName(kind) << " " << Name(d);
      }
    }
  }
}

TEST_F(FenceModelTest, TheChosenOneFindsTheSame) {
  for (const Distribution d : AllDistributions()) {
    for (const size_t n : FenceCounts()) {
      const std::vector<uint64_t> keys = SortedOrdinals<int64_t>(d, n, random_);
      const FenceTable table(keys);
      EXPECT_EQ(&table.model(), table.memory());
      for (const uint64_t query : Queries(keys)) ASSERT_EQ(Expected(keys, query), table.Find(query)) << Name(d);
    }
  }
}

}  // namespace
}  // namespace omendb::test
