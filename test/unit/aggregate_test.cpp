// Totals from packed columns, against a loop over what went into them.
#include "core/aggregate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "unit/distributions.h"
#include "unit/random_node.h"
#include "unit/seeded_test.h"

namespace omendb::test {
namespace {

using namespace omendb::core;

constexpr unsigned kWantAll = kWantSum | kWantBounds;

class AggregateTest : public SeededTest {
 protected:
  static void ExpectEqual(const Totals& expected, const Totals& got, unsigned wanted) {
    ASSERT_EQ(expected.count, got.count);
    if ((wanted & kWantSum) != 0) {
      ASSERT_TRUE(expected.sum == got.sum);
    }
    if ((wanted & kWantBounds) != 0) {
      ASSERT_EQ(expected.least, got.least);
      ASSERT_EQ(expected.greatest, got.greatest);
    }
  }

  // Random parts of every column of the node, one added to the other.
  void CheckParts(const Node& node, const Entries& entries) {
    for (int c = 0; c < entries.value_columns; c++) {
      SCOPED_TRACE(::testing::Message() << "column " << c);
      for (const unsigned wanted : {kWantAll, unsigned{kWantSum}, unsigned{kWantBounds}, 0u}) {
        if (entries.is_bytes(c) && wanted != 0) continue;  // there is nothing to add up
        Totals expected;
        std::vector<std::pair<uint32_t, uint32_t>> parts;
        for (int p = 0; p < 3; p++) {
          const uint32_t begin = p == 0 ? 0 : static_cast<uint32_t>(random_.Below(entries.count + 1));
          const uint32_t end =
              p == 0 ? entries.count : begin + static_cast<uint32_t>(random_.Below(entries.count - begin + 1));
          parts.emplace_back(begin, end);
          for (uint32_t i = begin; i < end; i++)
            if (entries.cls[c][i] == kValue) AddValue(entries.value[c][i], wanted, &expected);
        }
        ForEachKernels([&](const Kernels&) {
          Totals got;
          for (const auto& [begin, end] : parts) AddColumn(node, c, begin, end, wanted, &got);
          ExpectEqual(expected, got, wanted);
        });
        Totals of_array;
        for (const auto& [begin, end] : parts)
          AddArray(entries.value[c] + begin, entries.cls[c] + begin, end - begin, wanted, &of_array);
        ExpectEqual(expected, of_array, wanted);
      }
    }
  }
};

TEST_F(AggregateTest, RandomNodes) {
  for (int round = 0; round < 400; round++) {
    SCOPED_TRACE(round);
    const uint32_t n = static_cast<uint32_t>(random_.Below(random_.OneIn(4) ? 3000 : 300));
    const RandomNode random_node = MakeRandomNode(RandomSchema(random_), n, random_);
    CheckParts(random_node.node(), *random_node.entries);
    if (HasFatalFailure()) return;
  }
}

// Columns that are not sorted, of every shape: lines that rise and fall, ends of the range, and
// widths whose sums take more than 64 bits.
TEST_F(AggregateTest, UnsortedColumns) {
  Schema schema;
  schema.key_columns = 1;
  schema.value_columns = 2;
  schema.tids = Tids::kInOrder;
  for (int round = 0; round < 2000; round++) {
    SCOPED_TRACE(round);
    const uint32_t n = 1 + static_cast<uint32_t>(random_.Below(400));
    const std::vector<Key> keys = RandomKeys(schema, n, random_);
    OwnedEntries entries = MakeEntries(schema, keys, random_);
    const uint64_t slope = random_.Skewed() >> 9, noise = random_.Skewed() >> 1;
    const uint64_t base = random_.OneIn(2) ? random_.Next() : random_.OneIn(2) ? 0 : UINT64_MAX;
    const bool falling = random_.OneIn(2);
    for (uint32_t i = 0; i < entries->count; i++) {
      const u128 distance = static_cast<u128>(slope) * i + random_.Below(noise + 1);
      const uint64_t room = falling ? base : UINT64_MAX - base;
      const uint64_t step = distance < room ? static_cast<uint64_t>(distance) : room;
      entries->value[1][i] = falling ? base - step : base + step;
      entries->cls[1][i] = kValue;
    }
    NodePlan plan;
    PlanNode(*entries, nullptr, &plan);
    if (plan.size > kMaxNodeBytes) continue;
    Key low{};
    SetMinusInfinity(&low, 1);
    const Image image = Encode(*entries, plan, 0, low, nullptr);
    CheckParts(Node(image.bytes()), *entries);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace omendb::test
